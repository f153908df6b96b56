"""Posters and backgrounds of Plex items: their lists, the selected one, and uploads.

An item keeps every uploaded picture, under a key that ends in the SHA-1 of its bytes; none can be deleted. So
a picture that is already there is selected and not uploaded again. (List and key have different names: backgrounds are
listed under `arts`, and stored as `upload://art/`.) Uploads send bytes, never a URL: newer servers fetch nothing from a
private network.
"""

import hashlib
from urllib.parse import quote

# By name of `plexsync.rules.item.PICTURES`: the path of the list, and of the selected picture.
SHELVES = {"thumb": "posters", "art": "arts"}
SELECTED = {"thumb": "poster", "art": "art"}
UPLOADED = {"thumb": "upload://posters/", "art": "upload://art/"}


def key_of(name: str, content: bytes) -> str:
    """The key under which Plex stores a picture of these bytes."""
    return f"{UPLOADED[name]}{hashlib.sha1(content, usedforsecurity=False).hexdigest()}"


def shelf(item: str, name: str) -> str:
    """The path of an item's list of pictures of this kind; uploads go there too."""
    return f"/library/metadata/{item}/{SHELVES[name]}"


def choice(item: str, name: str, key: str) -> str:
    """The path that selects a picture."""
    return f"/library/metadata/{item}/{SELECTED[name]}?url={quote(key, safe='', errors='replace')}"


def selected_path(item: str, name: str) -> str:
    """The path of the selected picture, for deselecting it."""
    return f"/library/metadata/{item}/{name}"
