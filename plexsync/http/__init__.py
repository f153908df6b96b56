"""The base of both HTTP clients: pooled connections, deadlines, size limits, and error translation."""
