"""Where the dashboard listens, as the text of a note. Imports nothing, to start fast."""

# Who can reach it: this machine only, whoever reaches one address of it, or whoever reaches any of them.
MACHINE, ADDRESS, NETWORK = "machine", "address", "network"
EVERYWHERE = ("0.0.0.0", "::")  # noqa: S104 - compared with, not listened on


def reach_of(host: str, *, is_loopback: bool) -> str:
    """Who can reach a dashboard that listens at this address."""
    return MACHINE if is_loopback else NETWORK if host in EVERYWHERE else ADDRESS


def format_note(url: str, reach: str, names: "tuple[str, ...]") -> str:
    """The text of the note. `names`: the host names that the dashboard answers to."""
    return " ".join((reach, url, *names))


def read(text: str) -> "tuple[str, str, tuple[str, ...]] | None":
    """(url, reach, names) of a note; None if there is none, or if it is unreadable."""
    reach, url, *names = text.split() if text.count(" ") else ("", "")
    if reach not in (MACHINE, ADDRESS, NETWORK) or not url.startswith("http://"):
        return None
    return url, reach, tuple(names)
