"""Builds every part from the settings. This is the only package that knows all concrete implementations."""
