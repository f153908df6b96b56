"""The store on PostgreSQL: the only package that imports the driver."""
