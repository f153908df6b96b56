"""Benchmarks of PlexSync: requests, processes, rates."""
