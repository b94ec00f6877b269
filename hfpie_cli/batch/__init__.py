"""Many files in one run: what is done already, who does what, and reading, restoring and writing at the same time."""
