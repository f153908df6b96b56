"""`python -m plexsync` is `plexsync`."""

from plexsync.cli.entry import main

if __name__ == "__main__":
    main()
