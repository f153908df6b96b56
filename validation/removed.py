"""Settings that earlier versions had. Wherever one is still set, a warning names it, and it has no effect."""

from collections.abc import Mapping

# By name: the version without it, and what to use instead.
REMOVED: Mapping[str, tuple[str, str]] = {
    "adopt_locked_lists": ("0.3.0", "plexsync sync --take-over takes lists that were locked before the first sync"),
    "gallery_choices": ("0.3.0", 'poster = "gallery" shows the cover of a gallery of the scene'),
    "watch_marked": ("0.3.0", "plays come from the history of Plex and from what is being watched"),
}


def removed_in(name: str) -> str:
    """The words that say in which version a setting was removed."""
    return f"was removed in {REMOVED[name][0]}"


def removed_words(name: str) -> str:
    """When a setting was removed, and what to use instead."""
    return f"{name} {removed_in(name)}: {REMOVED[name][1]}"
