"""Hashes of settings, used to detect changes. They reveal neither secrets nor paths; hashes of secrets are salted."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict
from typing import cast

from plexsync.app.rules import SWITCHES, look_rules
from plexsync.app.stored import salt_of
from plexsync.rules.errors import Neighbour
from plexsync.rules.text import NAME_LIMIT, SUMMARY_LIMIT
from plexsync.store.database import Database
from validation import path_rules
from validation.config import PlexSyncConfig
from validation.looks import SETTING


def client_id(store: Database) -> str:
    """Return the identifier by which Plex knows this installation. It is the same at every start."""
    return f"plexsync-{hashlib.blake2b(b'client', key=salt_of(store).encode(), digest_size=8).hexdigest()}"


def fingerprints(config: PlexSyncConfig, store: Database) -> dict[Neighbour, str]:
    """Return a salted hash of each server's settings, which a hold compares to detect a change. Reveals no secret."""
    salt = salt_of(store)
    settings = {
        Neighbour.PLEX: (config.plex_url, config.plex_token, config.tls_ca_file, *config.library_names),
        Neighbour.STASH: (config.stash_url, config.stash_api_key, config.tls_ca_file),
    }
    return {
        server: hashlib.blake2b("\0".join(values).encode(), key=salt.encode(), digest_size=8).hexdigest()
        for server, values in settings.items()
    }


def print_of_all(config: PlexSyncConfig, store: Database) -> str:
    """Return a hash of all settings, to detect a change since a comparison was interrupted. Reveals no setting."""
    text = f"{config.model_dump_json()}{sorted(fingerprints(config, store).items())}"
    return hashlib.blake2b(text.encode(), key=salt_of(store).encode(), digest_size=8).hexdigest()


def wishes(config: PlexSyncConfig) -> str:
    """Return a hash of all settings that decide what Plex should show. Reveals neither names nor paths."""

    def plain(value: object) -> object:
        return sorted(map(str, value)) if isinstance(value, frozenset | set) else repr(value)

    rules = json.dumps([asdict(look_rules(config)), config.library_names], default=plain, sort_keys=True)
    return hashlib.blake2b(rules.encode(), digest_size=8).hexdigest()


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
    paths = repr(path_rules.pairs(config.path_map))
    strict = (config.strict_mode, NAME_LIMIT, SUMMARY_LIMIT, *(getattr(config, switch) for switch in SWITCHES.values()))
    return {
        "paths": hashlib.blake2b(paths.encode(errors="replace"), digest_size=8).hexdigest(),
        "plex": prints[Neighbour.PLEX],
        "stash": prints[Neighbour.STASH],
        "strict": hashlib.blake2b(repr(strict).encode(), digest_size=8).hexdigest(),
        "matching": hashlib.blake2b(repr(config.match_by_duration).encode(), digest_size=8).hexdigest(),
    }


def salted(store: Database, *values: str) -> str:
    """Return a salted hash of these values, which reveals none of them."""
    return hashlib.blake2b("\0".join(values).encode(), key=salt_of(store).encode(), digest_size=8).hexdigest()
