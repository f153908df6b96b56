"""Files with one secret each, as containers and services provide them."""

import stat
from pathlib import Path

_LARGEST_SECRET = 65_536  # bytes


def secret_in(path: Path) -> str:
    """The text in a file, without its last line end. Raises ValueError with a message for the user."""
    try:
        if not stat.S_ISREG(path.stat().st_mode):
            raise ValueError("must name a file; this is a folder or a device")
        with path.open("rb") as file:
            content = file.read(_LARGEST_SECRET + 1)
    except FileNotFoundError:
        raise ValueError("must name a file that exists") from None
    except PermissionError:
        raise ValueError("must name a file that the user of PlexSync may read") from None
    except OSError:
        raise ValueError("must name a file that can be read") from None
    if len(content) > _LARGEST_SECRET:
        raise ValueError("must name a file with a secret in it and nothing else; this one is larger than 64 kB")
    try:
        return content.decode("utf-8-sig").rstrip("\r\n")
    except UnicodeDecodeError:
        raise ValueError("must name a file of UTF-8 text") from None
