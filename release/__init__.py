"""The build behind `make dist`, and its checks; not part of the product."""
