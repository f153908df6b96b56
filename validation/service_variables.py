"""The variables that Kubernetes sets in every container for a service named plexsync, or plexsync-something."""

import re

_SERVICE = re.compile(r"PLEXSYNC_(\w+_)?(SERVICE_(HOST|PORT(_\w+)?)|PORT_\d+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?)")
_SERVICE_PORT = re.compile(r"(tcp|udp|sctp)://")


def tells_of_a_service(variable: str, value: str) -> bool:
    """Whether this variable is one of a service, and no setting."""
    port = variable.endswith("_PORT") and _SERVICE_PORT.match(value)
    return bool(port or _SERVICE.fullmatch(variable))
