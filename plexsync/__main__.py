"""`python -m plexsync` is `plexsync`."""

from plexsync.cli.main import main

if __name__ == "__main__":
    main()
