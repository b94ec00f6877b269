"""The commands: each parses its options and calls one function of the library, which it imports when it runs."""
