"""The rules: pure functions and frozen records over the standard library. They never open, wait or log."""
