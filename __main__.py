"""`python -m skysteer`: the same as the command `skysteer`."""

from .cli import main

if __name__ == "__main__":
    main()
