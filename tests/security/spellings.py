"""How a secret may be written down. The standard library alone, so that any child can look for it."""

import base64
import html
import json
import re
from urllib.parse import quote, quote_plus


def spellings(secret: str) -> dict[str, str]:
    """Every usual way to write the secret, or a part of it that gives it away."""
    raw = secret.encode()
    found = {
        "raw": secret,
        "url": quote(secret, safe=""),
        "url twice": quote(quote(secret, safe=""), safe=""),
        "form": quote_plus(secret),
        "json": json.dumps(secret)[1:-1],
        "html": html.escape(secret),
        "repr": repr(secret)[1:-1],
        "hex": raw.hex(),
    }
    if core := re.search("[A-Za-z0-9]{12}", secret):
        found["core"] = core[0]
    for offset in range(3):
        piece = base64.b64encode(b"\0" * offset + raw)[(offset * 8 + 5) // 6 : (offset + len(raw)) * 8 // 6].decode()
        found[f"base64 at {offset}"] = piece
        found[f"base64url at {offset}"] = piece.replace("+", "-").replace("/", "_")
    return found
