"""The settings of a call: what this machine says, and what Stash says or said last.

Stash is asked once, with little patience. When it can't be asked, what it said last counts, without its secrets. A command
that works never begins with less than that: a switch in Stash that nobody here has seen could be off.
"""

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from typing import Any

from plexsync.app import wiring
from plexsync.cli.call import Call
from plexsync.rules.errors import NeighbourError
from validation.kept import Kept
from validation.sources import STAND_INS, ConfigError, Loaded, default_toml, load, load_here


class Need(Enum):
    """What a command needs of the settings."""

    DATABASE = "it reads and writes the database alone: Stash is asked only for what can't be known otherwise"
    LOOK = "it looks at both servers, if it can"
    WORK = "it works, so every setting counts"


class StashAway(ConfigError):
    """Something that Stash may know is missing, and Stash can't be asked; `place` is the folder, if that is known."""

    def __init__(self, lines: Iterable[str], place: wiring.Place | None) -> None:
        super().__init__(lines)
        self.place = place


@dataclass(frozen=True)
class Settings:
    """What a call starts from.

    `said` is what Stash holds, None when it was not asked or is `away` (and why). `sure` is False when nobody here has ever
    seen what it holds. `lacking` names what is required and known to Stash alone: stand-ins are in its place.
    """

    loaded: Loaded
    place: wiring.Place
    said: Mapping[str, object] | None = field(default=None, repr=False)
    away: NeighbourError | None = None
    sure: bool = True
    lacking: tuple[str, ...] = ()


def toml_of(call: Call) -> Path:
    """The file with the settings of this call."""
    return call.config_file or default_toml(os.environ)


def sources(call: Call) -> dict[str, Any]:
    """Where this machine's settings come from; a file that nobody has named may be missing."""
    data_dir = str(Path(call.data_dir).absolute()) if call.data_dir else None
    named = call.config_file is not None or bool(os.environ.get("PLEXSYNC_CONFIG"))
    return {
        "environ": os.environ,
        "toml_path": toml_of(call),
        "overrides": {"data_dir": data_dir},
        "may_be_missing": not named,
    }


def settings(call: Call, need: Need) -> Settings:
    """The settings of this call from all sources; raises ConfigError, and StashAway if Stash may have what is missing."""
    here = load_here(**sources(call))
    hide(call, here)
    place = wiring.known_place(here.config, os.environ)
    if need is Need.DATABASE and place is not None:
        try:
            loaded, lacking = _by_what_is_kept(call, wiring.kept_settings(place.path), need)
            return Settings(loaded, place, lacking=lacking)
        except ConfigError as error:
            if not error.missing:
                raise
    try:
        said = wiring.ask_stash(here.config, os.environ, place)
    except NeighbourError as away:
        return _while_away(call, place, need, away)
    loaded = load(**sources(call), plugin_settings=said.settings)
    hide(call, loaded)
    return Settings(loaded, said.place, said.settings)


def _while_away(call: Call, place: wiring.Place | None, need: Need, away: NeighbourError) -> Settings:
    kept = wiring.kept_settings(place.path) if place else None
    try:
        loaded, lacking = _by_what_is_kept(call, kept, need)
    except ConfigError as error:
        if not error.missing:
            raise
        names = " and ".join(error.missing)
        raise StashAway([*error.lines, f"{names} may be set in Stash already, but {_unasked(away)}"], place) from None
    if place is None:
        raise StashAway(
            [f"Stash tells where the database belongs, but {_unasked(away)} (data_dir names a folder without it)"], None
        )
    return Settings(loaded, place, away=away, sure=kept is not None, lacking=lacking)


def _unasked(away: NeighbourError) -> str:
    return f"it can't be asked: {away}"


def _by_what_is_kept(call: Call, kept: Kept | None, need: Need) -> tuple[Loaded, tuple[str, ...]]:
    """The settings by Stash's last answer, if it is kept, and what is required and was in its secrets alone."""
    given, lacking = dict(kept.given) if kept else {}, tuple[str, ...]()
    try:
        loaded = load(**sources(call), plugin_settings=given)
    except ConfigError as error:
        lacking = error.missing
        if need is Need.WORK or not lacking or kept is None or not set(lacking) <= set(kept.withheld):
            raise
        loaded = load(**sources(call), plugin_settings={**given, **{name: STAND_INS[name] for name in lacking}})
    hide(call, loaded)
    return loaded, lacking


def hide(call: Call, loaded: Loaded) -> None:
    """Whatever was a secret in this call is hidden to its end."""
    fresh = (secret for secret in loaded.config.secrets if secret not in STAND_INS.values())
    call.secrets = tuple(dict.fromkeys((*call.secrets, *fresh)))
