"""Pictures that the simulated Plex loads for its apps, from itself or from another address."""

import re
from collections.abc import Callable
from urllib.error import URLError
from urllib.request import urlopen

from plexsync.simulator.plex_model import Unacceptable, is_private
from plexsync.simulator.plex_traits import Traits

OWN = re.compile(r"/library/metadata/(\d+)/(thumb|art)/(\d+)")
PATIENCE = 60.0
JPEG = b"\xff\xd8\xff\xe0 a picture at an https address"


def loaded_picture(url: str, traits: Traits, own: Callable[[str, str, str], bytes]) -> bytes:
    """The picture at an address; `own` reads one of the server's own by item, kind and stamp.

    Raises `Unacceptable` (404) for one that the server does not load. Only addresses of this machine are really loaded;
    any https address has the same picture.
    """
    if matched := OWN.fullmatch(url):
        if traits.people_own == "kept":
            raise Unacceptable(404)
        return own(*matched.groups())
    if url.startswith("https://") and traits.people_https == "shown":
        return JPEG
    if not url.startswith("http://127.0.0.1:") or (is_private(url) and traits.people_house == "kept"):
        raise Unacceptable(404)
    try:
        with urlopen(url, timeout=PATIENCE) as answer:  # noqa: S310 - only http, by the check above
            return bytes(answer.read())
    except URLError:
        raise Unacceptable(404) from None
