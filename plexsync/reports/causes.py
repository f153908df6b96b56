"""What happened to a scene that was given up, by the cause it died of: the short half of `plexsync.reports.cures`."""

MEANINGS = {
    "refused": "Plex or Stash refused the request",
    "ambiguous": "several items in Plex fit, or its item is another scene's: PlexSync does not guess",
    "strict": "a value would have to be cut or dropped, and strict_mode forbids it",
    "poison": "the worker died three times while it worked on this scene alone",
    "bug": "a fault of PlexSync",
    "unavailable": "requests for this scene alone failed again and again while others went well",
    "missing": "its item vanished from Plex every time it was edited",
}
GIVEN_UP = "given up"


def meaning(cause: str) -> str:
    """What a cause is in words; a general word for one that is not known."""
    return MEANINGS.get(cause, GIVEN_UP)
