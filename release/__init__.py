"""What `make dist` makes of this repository, and how it is checked; no part of the product."""
