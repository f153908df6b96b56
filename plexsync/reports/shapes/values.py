"""The values that the shapes share."""

from typing import Annotated

Moment = Annotated[str, "time"]
"""A time: RFC 3339 in UTC, to the second."""

FieldValue = str | tuple[str, ...]
"""The value of a field of a Plex item: a text, or a list of names. JSON has lists for tuples."""
