"""Which Plex server an address of the dashboard belongs to.

The pages of the first server stand at `/fix`, those of a further one at `/plex/NAME/fix`, so a link can be shared and
two tabs can show two servers. Inside the program every path is that of a single server: the prefix is taken off
before the guard, and put before the links of a page and before redirects when they leave. `/plex/NAME` of the first
server works as well.
"""

import re
from collections.abc import Iterable

from starlette.types import Scope

PREFIX = re.compile(r"/plex/([a-z0-9-]{1,40})(/.*)?", re.DOTALL)
# A link inside the dashboard. Templates escape every quote that is not theirs, so no foreign text looks like one.
LINK = re.compile(r'(?<=\s)(href|src|action|data-line)="(?=/(?!/|static/|plex/))')
# A command that is about one server; `plexsync serve` works for all of them.
COMMAND = re.compile(r'(<code class="command">plexsync (?!serve\b)[^<]*)<')


def prefix_of(name: str) -> str:
    """The prefix of the addresses of the server with this name; '' for a server without a name."""
    return f"/plex/{name}" if name else ""


def named_in(path: str) -> str:
    """The name of the server that a path begins with; '' if it begins with none."""
    match = PREFIX.fullmatch(path)
    return match[1] if match else ""


def placed(scope: Scope, names: Iterable[str]) -> Scope:
    """The request's scope without the prefix of one of these servers, and with its name in `plexsync.plex`.

    A prefix with another name stays: no page has such a path.
    """
    match = PREFIX.fullmatch(scope["path"])
    if match is None or match[1] not in names:
        return {**scope, "plexsync.plex": ""}
    return {**scope, "plexsync.plex": match[1], "path": match[2] or "/"}


def at_prefix(page: str, prefix: str) -> str:
    """The page with this prefix before each of its links inside the dashboard, and commands that name its server."""
    if not prefix:
        return page
    return COMMAND.sub(rf"\1 --plex {named_in(prefix)}<", LINK.sub(rf'\1="{prefix}', page))
