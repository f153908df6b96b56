"""The rules: pure functions and frozen records over the standard library. Nothing here opens, waits or logs."""
