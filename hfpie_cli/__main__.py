"""`python -m hfpie_cli`, the same as `hfpie`."""

from .cli import main

if __name__ == "__main__":
    main()
