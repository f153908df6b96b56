"""`python -m cli` is `plexsync`."""

from cli.main import main

if __name__ == "__main__":
    main()
