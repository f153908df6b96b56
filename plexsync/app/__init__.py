"""Puts the house together from the settings: the only package that knows all concrete parts."""
