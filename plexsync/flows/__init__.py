"""One package for each kind of object that is kept in sync, from inspection to plan to push."""
