"""What `plexsync doctor` looks at, one file for each part of the house: what was found, and how to mend it."""
