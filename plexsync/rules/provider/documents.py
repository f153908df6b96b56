"""The documents with which PlexSync answers Plex, in the form of Plex's contract for metadata providers.

Pictures are in none of them: Plex fetches none from a private address, and a provider that offers any is taken for the
only source of pictures.
"""

import base64
import hashlib
import hmac
import re
from collections.abc import Mapping, Sequence

from plexsync.rules.item import ROLE, beside

Document = dict[str, object]
Values = Mapping[str, str | Sequence[str]]

MOVIE, MOVIE_TYPE = "movie", 1
METADATA, MATCHES = "/library/metadata", "/library/metadata/matches"
# What a rating key has of the scene, and of its proof; 15 bytes are 24 digits of base32.
OWN_BYTES, PROOF_BYTES = 12, 3
KEY = re.compile(r"[A-Za-z0-9_-]{1,64}")
# A match with less than 80 is dropped by Plex.
BEST, LEAST = 100, 80
# What is sent for every item whose document has it, also when it is empty. Plex makes a sort title itself.
_TEXTS = ("originalTitle", "tagline", "summary", "studio", "contentRating")
_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_NAMES = {"genre": "Genre", "director": "Director", "collection": "Collection"}


def rating_key(secret: bytes, scene: int) -> str:
    """The rating key that Plex is given for a scene: the same for the same secret of a library, told by nothing else.

    Its last digits prove that it was made with that secret, also once nothing else is known of the scene.
    """
    own = hmac.digest(secret, str(scene).encode(), hashlib.sha256)[:OWN_BYTES]
    return _as_digits(own + _proof(secret, own))


def is_own_key(secret: bytes, key: str) -> bool:
    """Whether a rating key was made with this secret, for whatever scene."""
    try:
        content = base64.b32decode(key.upper())
    except ValueError:
        return False
    own = content[:OWN_BYTES]
    return key == _as_digits(content) and hmac.compare_digest(content[OWN_BYTES:], _proof(secret, own))


def _proof(secret: bytes, own: bytes) -> bytes:
    return hmac.digest(secret, b"rating key " + own, hashlib.sha256)[:PROOF_BYTES]


def _as_digits(content: bytes) -> str:
    return base64.b32encode(content).decode("ascii").lower()


def guid_of(identifier: str, key: str) -> str:
    """The guid of an item. Without its type Plex would match the item, and never ask for its values."""
    return f"{identifier}://{MOVIE}/{key}"


def root_document(identifier: str, title: str, version: str) -> Document:
    """What a provider says of itself; the keys are appended by Plex to the address that it was given."""
    features = [{"type": "metadata", "key": METADATA}, {"type": "match", "key": MATCHES}]
    types = [{"type": MOVIE_TYPE, "Scheme": [{"scheme": identifier}]}]
    provider = {"identifier": identifier, "title": title, "version": version, "Types": types, "Feature": features}
    return {"MediaProvider": provider}


def container(
    identifier: str, items: Sequence[Document], *, of: str = "Metadata", page: tuple[int, int] | None = None
) -> Document:
    """A list of documents; `page` is (start, size) if only a part of it was asked for."""
    start, size = page or (0, len(items))
    part = list(items[start : start + size])
    frame = {"offset": start, "totalSize": len(items), "identifier": identifier, "size": len(part), of: part}
    return {"MediaContainer": frame}


def match_document(identifier: str, key: str, values: Values, *, score: int = BEST) -> Document:
    """A scene as the answer to a question for a match."""
    return {**_head(identifier, key, values), "score": score}


def metadata_document(identifier: str, key: str, values: Values) -> Document:
    """All values of a scene. What the values do not have is not sent, so that Plex keeps it."""
    document = _head(identifier, key, values)
    document |= {name: values[name] for name in _TEXTS if name in values}
    if values.get("titleSort"):
        document["titleSort"] = values["titleSort"]
    for field, tag in _NAMES.items():
        if field in values:
            document[tag] = [{"tag": name} for name in values[field] if name]
    if "actor" in values:
        cast = filter(None, values["actor"])
        document["Role"] = [_member(name, values, order) for order, name in enumerate(cast, start=1)]
    return document


def _head(identifier: str, key: str, values: Values) -> Document:
    """What every document of an item needs. A date that is unknown is said to be ''."""
    day = str(values.get("originallyAvailableAt", ""))
    if not _DAY.fullmatch(day):
        day = ""
    year = {"year": int(day[:4])} if day else {}
    return {
        "ratingKey": key,
        "key": f"{METADATA}/{key}",
        "guid": guid_of(identifier, key),
        "type": MOVIE,
        "title": values.get("title") or key,
        "originallyAvailableAt": day,
        **year,
        "isAdult": True,
    }


def _member(name: str, values: Values, order: int) -> Document:
    role = values.get(beside(ROLE, name))
    return {"tag": name, "order": order, **({} if role is None else {"role": role})}
