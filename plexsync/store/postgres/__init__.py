"""The store in a PostgreSQL database. Only `backend` is imported from outside, and only when an address names one."""
