"""Posters and backgrounds of Plex items: which there are, which is shown, and how one of ours comes there.

An item keeps every picture it was ever given, under a key that ends in the SHA-1 of its bytes; nothing can delete one. So
what is there already is chosen and not sent again. (Shelf and key have names of their own: backgrounds are listed under
`arts`, and kept as `upload://art/`.) Bytes are sent and never an address: newer servers fetch nothing from a
private network.
"""

import hashlib
from urllib.parse import quote

# By name of `plexsync.rules.item.PICTURES`: the shelf that holds them, and the one that is shown.
SHELVES = {"thumb": "posters", "art": "arts"}
SHOWN = {"thumb": "poster", "art": "art"}
KEPT = {"thumb": "upload://posters/", "art": "upload://art/"}


def key_of(name: str, content: bytes) -> str:
    """The key under which Plex keeps a picture of these bytes."""
    return f"{KEPT[name]}{hashlib.sha1(content, usedforsecurity=False).hexdigest()}"


def shelf(item: str, name: str) -> str:
    """Where an item's pictures of a kind are listed, and to be sent to."""
    return f"/library/metadata/{item}/{SHELVES[name]}"


def choice(item: str, name: str, key: str) -> str:
    """Where to say which of them is shown."""
    return f"/library/metadata/{item}/{SHOWN[name]}?url={quote(key, safe='', errors='replace')}"


def shown(item: str, name: str) -> str:
    """The one that is shown, to be taken off."""
    return f"/library/metadata/{item}/{name}"
