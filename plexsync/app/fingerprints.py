"""Hashes of settings, used to detect changes. They reveal neither secrets nor paths; hashes of secrets are salted.

Beside those of what Plex should show stand its plain values, with which a change is counted; none of them is a secret.

The note `IN_USE` has those of the settings in force. A yes writes the changed ones there. A worker works with the settings
in force, whatever it writes and wherever; screens and previews show what the changed ones would write.
"""

import hashlib
import json
from collections.abc import Callable, Collection, Mapping
from dataclasses import asdict, dataclass, replace
from typing import cast

from plexsync.app.advice import UNKNOWN_BEFORE
from plexsync.app.breaker import breaker_rules
from plexsync.app.rules import SWITCHES, PartSettings, look_rules, playlist_rules, work_rules
from plexsync.app.setting_change import config_of
from plexsync.app.stored import salt_of
from plexsync.rules.queue.note_keys import BULK, IN_USE, REPAIRED, WISHES
from plexsync.rules.servers.errors import Neighbour
from plexsync.rules.words.text import NAME_LIMIT, SUMMARY_LIMIT
from plexsync.store.database import Database
from validation import path_rules
from validation.config import PlexSyncConfig
from validation.looks import LOOKS, SETTING
from validation.sources import ConfigError

# The place of the values beside the fingerprints, and the settings without one there: another library list is compared with
# nothing, and an address may hold a secret.
VALUES = "values"
WITHOUT_VALUE = frozenset({"plex_libraries", "performer_picture_url"})
# Settings that decide what Plex shows and have no preview, each with the reason.
UNSHOWN = {
    "libraries": (
        "Not previewed: tables are written in plexsync.toml. In a terminal, config edit --dry-run shows what they change "
        "before they are saved."
    )
}
# A library asks from the moment when it is told to, which is no write.
AT_ONCE = {"provider_listen"}
# What decides which playlists there are, and their order.
LISTED = {"playlists", "playlist_order"}
# What a preview counts beside what the look decides.
COUNTED = {*LISTED, "rating_wins"}
# Longer values of a changed setting are not shown, nor are more settings than these.
SHORT, MOST_SHOWN = 40, 4


def client_id(store: Database) -> str:
    """Return the identifier by which Plex knows this installation. It is the same at every start."""
    return f"plexsync-{salted_hash(store, 'client')}"


def salted_hash(store: Database, *values: str) -> str:
    """Return a salted hash of these values, which reveals none of them."""
    return _digest("\0".join(values), key=salt_of(store))


def _digest(text: str, key: str = "") -> str:
    return hashlib.blake2b(text.encode(errors="replace"), key=key.encode(), digest_size=8).hexdigest()


def fingerprints(config: PlexSyncConfig, store: Database) -> dict[Neighbour, str]:
    """Return a salted hash of each server's settings, which a hold compares to detect a change. Reveals no secret."""
    settings = {
        Neighbour.PLEX: (config.plex_url, config.plex_token, config.tls_ca_file, *config.library_names),
        Neighbour.STASH: (config.stash_url, config.stash_api_key, config.tls_ca_file),
    }
    return {server: salted_hash(store, *values) for server, values in settings.items()}


def print_of_all(config: PlexSyncConfig, store: Database) -> str:
    """Return a hash of all settings, to detect a change since a comparison was interrupted. Reveals no setting."""
    return salted_hash(store, f"{config.model_dump_json()}{sorted(fingerprints(config, store).items())}")


def wishes(config: PlexSyncConfig) -> str:
    """Return a hash of all settings that decide what Plex should show. Reveals neither names nor paths."""

    def plain(value: object) -> object:
        return sorted(map(str, value)) if isinstance(value, frozenset | set) else repr(value)

    listed = [config.playlists, config.playlist_order] if config.playlists else []
    parts = [asdict(look_rules(config)), config.library_names, *listed]
    return _digest(json.dumps(parts, default=plain, sort_keys=True))


@dataclass
class _Read:
    """Settings that remember which of them were read."""

    config: PlexSyncConfig
    names: set[str]

    def __getattr__(self, name: str) -> object:
        self.names.add("libraries" if name == "of_library" else name)
        return getattr(self.config, name)


def _read_by(make: Callable[[PlexSyncConfig], object], config: PlexSyncConfig) -> set[str]:
    """The settings that this reads, and those that are always part of what it makes."""
    reader = _Read(config, {SETTING, "plex_libraries"})
    make(cast("PlexSyncConfig", reader))
    return reader.names & type(config).model_fields.keys()


def prints_of_settings(config: PlexSyncConfig) -> str:
    """Fingerprints of the settings that decide what Plex should show, one for each, and most of the values."""
    listed = LISTED if config.playlists else set[str]()
    values = {name: getattr(config, name) for name in sorted(_read_by(look_rules, config) | listed)}
    prints: dict[str, object] = {
        name: hashlib.blake2b(repr(value).encode(errors="replace"), digest_size=4).hexdigest()
        for name, value in values.items()
    }
    kept = {name: value for name, value in values.items() if name not in WITHOUT_VALUE}
    if any(WITHOUT_VALUE & table.keys() for table in config.libraries.values()):
        del kept["libraries"]
    return json.dumps({**prints, VALUES: kept}, default=dict)


def changed_names(before: str, now: str) -> list[str]:
    """The settings that differ between two of `prints_of_settings`; none if nothing is known from before.

    A setting that this version has no more is none of them: you did not change it.
    """
    old, new = json.loads(before or "{}"), json.loads(now)
    names = (old.keys() | new.keys()) & PlexSyncConfig.model_fields.keys() if before else set[str]()
    return sorted(name for name in names if old.get(name) != new.get(name))


def known_values(before: str, names: Collection[str]) -> dict[str, object] | None:
    """The values that these settings had, from `prints_of_settings`; None if one of them is not known.

    A setting that was not read then, or that the version before did not have, stood at its default.
    """
    old = json.loads(before or "{}")
    fields = PlexSyncConfig.model_fields
    defaults = {name: fields[name].get_default(call_default_factory=True) for name in names if name not in old}
    values = {**defaults, **old.get(VALUES, {})}
    return {name: values[name] for name in names} if values.keys() >= set(names) else None


def in_force_now(store: Database) -> str:
    """Return the fingerprints of the settings in force."""
    with store.reading() as db:
        return db.notes.text(IN_USE)


def settings_in_force(config: PlexSyncConfig, store: Database) -> PlexSyncConfig | None:
    """These settings, with the values from before where changed ones wait; None if such a value is not known.

    Before the first write of the library, changed settings count at once: nothing was written with others.
    """
    with store.reading() as db:
        noted = db.notes.texts((WISHES, IN_USE, BULK, REPAIRED))
    if config.approve_bulk or noted[WISHES] in ("", wishes(config)) or not (noted[BULK] or noted[REPAIRED]):
        return config
    names = set(changed_names(noted[IN_USE], prints_of_settings(config))) - AT_ONCE
    if not names:
        return config
    values = known_values(noted[IN_USE], names)
    try:
        before = None if values is None else config_of(values)
    except ConfigError:
        return None
    return before and config.model_copy(update={name: getattr(before, name) for name in names})


def words_of_change(config: PlexSyncConfig, names: Collection[str]) -> str:
    """What has changed in the settings of these names: `look is rich now`."""
    # A look stands for the settings that it sets.
    of_looks = {name for look in LOOKS.values() for name in look} if SETTING in names else set()

    def one(name: str) -> str:
        value = getattr(config, name, None)
        text = str(value).lower() if isinstance(value, bool) else str(value)
        is_short = isinstance(value, str | bool | int) and 0 < len(text) <= SHORT and name not in WITHOUT_VALUE
        return f"{name} is {text} now" if is_short else f"{name} has changed"

    shown = [name for name in names if name not in of_looks]
    return ", ".join(map(one, shown)) if len(shown) <= MOST_SHOWN else f"{len(shown)} settings have changed"


def previewed_settings(config: PlexSyncConfig) -> frozenset[str]:
    """The settings of which a preview shows what they change: also those that decide which scenes are written, and when."""
    return frozenset(_read_by(look_rules, config)) - UNSHOWN.keys() - {"provider_listen"} | COUNTED


def prints_of_cures(config: PlexSyncConfig, prints: Mapping[Neighbour, str]) -> dict[str, str]:
    """Return the hashes that `plexsync.flows.scenes.dead_letter_cures` compares to find changed settings.

    They reveal neither secrets nor paths.
    """
    strict = (config.strict_mode, NAME_LIMIT, SUMMARY_LIMIT, *(getattr(config, switch) for switch in SWITCHES.values()))
    return {
        "paths": _digest(repr(path_rules.pairs(config.path_map))),
        "plex": prints[Neighbour.PLEX],
        "stash": prints[Neighbour.STASH],
        "strict": _digest(repr(strict)),
        "matching": _digest(repr(config.match_by_duration)),
    }


def settings_to_go_by(saved: PlexSyncConfig, store: Database, *, in_force: bool) -> tuple[PlexSyncConfig, PartSettings]:
    """Return the settings that parts go by: those in force, or those that are saved.

    While those in force are not known, a worker works nothing.
    """
    before = in_force_now(store)
    config, settings = settings_in_force(saved, store), part_settings(saved, store)
    if config is None:
        work = replace(settings.work, rests=settings.work.rests or UNKNOWN_BEFORE)
        return saved, replace(settings, work=work, in_force=before if in_force else "")
    if config == saved or not in_force:
        return saved, settings
    of_force = part_settings(config, store)
    return config, replace(of_force, in_force=before, wishes=settings.wishes, in_use=settings.in_use)


def part_settings(config: PlexSyncConfig, store: Database) -> PartSettings:
    """Return the settings of the parts, from the configuration and the salt of this database."""
    prints = fingerprints(config, store)
    return PartSettings(
        looks=look_rules(config),
        work=work_rules(config),
        breaker=breaker_rules(config),
        fingerprints=prints,
        cures=prints_of_cures(config, prints),
        print_of_all=print_of_all(config, store),
        wishes=wishes(config),
        in_use=prints_of_settings(config),
        scan_absent=config.scan_absent,
        playlists=playlist_rules(config),
    )
