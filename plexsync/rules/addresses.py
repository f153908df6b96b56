"""Where an address leads: into a private network, or not."""

from ipaddress import ip_address
from urllib.parse import urlsplit

LOCAL_ENDS = (".local", ".lan", ".home", ".internal")


def is_private(address: str) -> bool:
    """Whether an address leads into a private network, by its IP address or the form of its host name."""
    host = ""
    try:
        host = urlsplit(address).hostname or ""
        return not ip_address(host).is_global
    except ValueError:
        return "." not in host or host.endswith(LOCAL_ENDS)
