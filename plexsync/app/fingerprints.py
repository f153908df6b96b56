"""Hashes of settings, used to detect changes. They reveal neither secrets nor paths; hashes of secrets are salted."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict
from typing import cast

from plexsync.app.rules import SWITCHES, look_rules
from plexsync.app.stored import salt_of
from plexsync.rules.servers.errors import Neighbour
from plexsync.rules.words.text import NAME_LIMIT, SUMMARY_LIMIT
from plexsync.store.database import Database
from validation import path_rules
from validation.config import PlexSyncConfig
from validation.looks import SETTING


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

    return _digest(json.dumps([asdict(look_rules(config)), config.library_names], default=plain, sort_keys=True))


class _Read:
    """Settings that remember which of them were read."""

    def __init__(self, config: PlexSyncConfig) -> None:
        self.config = config
        self.names = {SETTING, "plex_libraries"}

    def __getattr__(self, name: str) -> object:
        self.names.add("libraries" if name == "of_library" else name)
        return getattr(self.config, name)


def prints_of_settings(config: PlexSyncConfig) -> str:
    """Fingerprints of the settings that decide what Plex should show, one for each. They reveal neither names nor paths."""
    reader = _Read(config)
    look_rules(cast("PlexSyncConfig", reader))
    names = sorted(reader.names & type(config).model_fields.keys())
    return json.dumps(
        {
            name: hashlib.blake2b(repr(getattr(config, name)).encode(errors="replace"), digest_size=4).hexdigest()
            for name in names
        }
    )


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
