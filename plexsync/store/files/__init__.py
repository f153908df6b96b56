"""The files of the database and beside it: places, locks, copies, repairs and moves."""
