"""Commands and options that earlier versions had. A call with one of them says when it went, and what to use instead."""

from collections.abc import Iterable, Mapping

VERSION = "0.3.0"
_REVIEW = "the page Review and --json show all planned changes"
_WATCH = "plexsync status --watch draws the status again every two seconds"
_PROVIDER = "plexsync provider add checks what it needs, and plexsync provider remove takes back what it did"
_LOOKS = "the setting look has the named looks, and plexsync config changes single settings"
# By the command that was called, and the word: what to use instead.
REMOVED: Mapping[str, Mapping[str, str]] = {
    "plexsync": {"top": _WATCH},
    "plexsync help": {"top": _WATCH},
    "plexsync accept": {"old-lists": "plexsync sync --take-over takes lists that were locked before the first sync"},
    "plexsync config": {"save-look": _LOOKS, "import-look": _LOOKS},
    "plexsync demo": {"--store": "plexsync demo shows a sync, an outage and the recovery on SQLite"},
    "plexsync probe": {"--provider": _PROVIDER, "--file": _PROVIDER},
    "plexsync sync": {"--html": _REVIEW, "--out": _REVIEW, "--apply": _REVIEW, "--force": _REVIEW},
}


def removed_line(path: str, words: Iterable[str]) -> str:
    """What to say of the first of these words that the command of this path had once; '' if it had none of them."""
    gone = REMOVED.get(path, {})
    for word in words:
        name = word.partition("=")[0]
        if name in gone:
            return f"{path.removesuffix(' help')} {name} was removed in {VERSION}: {gone[name]}"
    return ""
