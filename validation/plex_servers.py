"""The settings of several Plex servers, and what each of them has for its own.

Each `[[plex]]` entry becomes one `PlexSyncConfig`, as if it were the only server, with a scope of the store: the first
one has the store of a single server, and each further one its own. So an existing database goes on as the first one's.
"""

from collections.abc import Mapping
from functools import partial
from pathlib import Path

from validation.sources import Loaded, load


def load_servers(
    *,
    environ: Mapping[str, str],
    toml_path: Path | None,
    plugin_settings: Mapping[str, object] | None = None,
    overrides: Mapping[str, object] | None = None,
    may_be_missing: bool = False,
    plex: str = "",  # noqa: ARG001 - these are the arguments of `load`, whichever entry they choose
) -> tuple[Loaded, ...]:
    """The settings of all Plex servers in the order of their entries; of a single one without entries.

    Takes the arguments of `load`; the chosen entry makes no difference. Raises `ConfigError` with every problem found.
    """

    of = partial(
        load,
        environ=environ,
        toml_path=toml_path,
        plugin_settings=plugin_settings,
        overrides=overrides,
        may_be_missing=may_be_missing,
    )
    first = of()
    return (first, *(of(plex=name) for name in first.servers[1:]))


def scope_of(loaded: Loaded) -> str:
    """The scope of the store of this server: '' for the first one, else the name of its entry."""
    return "" if loaded.is_first else loaded.plex
