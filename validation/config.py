"""The settings of PlexSync: their names, types, bounds and defaults, but not their sources.

`PlexSyncConfig(...)` reads neither environment nor files; `validation.sources.load` does. An instance never changes.
Secrets are plain strings in the attributes. They are left out of `repr`, `str` and error texts, and masked in JSON and
`log_config`; so are the words of `notify_command`, which may contain one. Only `model_dump()` in Python mode and `vars`
return secrets, so neither belongs in a log. An instance can't be pickled.
"""

import ast
import json
import logging
import re
from collections.abc import Iterator, Mapping
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Any, Literal, Self, get_args, get_origin

from pydantic import (
    AfterValidator,
    BeforeValidator,
    ConfigDict,
    Field,
    TypeAdapter,
    ValidationError,
    ValidationInfo,
    field_serializer,
    field_validator,
)
from pydantic.fields import FieldInfo

from plexsync.rules.collections.collections import COLLECTIONS
from plexsync.rules.record_class import record
from validation import collection_settings, database_settings, path_rules, picture_settings, scope_terms, values
from validation.collection_settings import CollectionSettings
from validation.database_settings import DatabaseSettings
from validation.picture_settings import PictureSettings, present_names
from validation.redact import MASK, Redactor, is_safe

SECRETS = ("plex_token", "stash_api_key", "notify_urls", "web_password", "database_url")

_MOST_LIBRARIES = 100
_SHORTEST_TELLING_SECRET = 8  # a shorter one can't be told from ordinary words in other settings

_log = logging.getLogger("PlexSync.config")


def _libraries(value: object) -> Mapping[str, Mapping[str, object]]:
    """Settings of single libraries, by name, checked like the settings themselves. A text is read as JSON."""
    if isinstance(value, str):
        try:
            value = json.loads(value or "{}")
        except (ValueError, RecursionError):
            value = None
    if not isinstance(value, Mapping) or not all(isinstance(table, Mapping) for table in value.values()):
        raise ValueError('must be tables, each named after a library, such as [libraries."Movies"] in plexsync.toml')
    if len(value) > _MOST_LIBRARIES:
        raise ValueError(f"must have at most {_MOST_LIBRARIES} tables")
    checked = {}
    for number, (key, settings) in enumerate(value.items(), start=1):
        library, table = str(key), present_names(settings)
        if not library.strip() or len(library) > values.LONGEST_LINE or not is_safe(library):
            raise ValueError("must be named after libraries, without control characters")
        if not table.keys() <= set(OF_A_LIBRARY):
            own = f"settings that a library can have for itself ({', '.join(OF_A_LIBRARY)})"
            raise ValueError(f"must hold {own}; table {number} has another")
        checked[library.strip()] = {name: _own_value(number, name, value) for name, value in table.items()}
    return checked


def _own_value(number: int, name: str, value: object) -> object:
    names = PlexSyncConfig.model_fields[name]
    shape: Any = Annotated[names.annotation, Field(), *names.metadata]
    try:
        return TypeAdapter(shape, config=ConfigDict(hide_input_in_errors=True)).validate_python(value)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        message = first.get("ctx", {}).get("error") or f"must be {_rule_of(name, names)}"
        raise ValueError(f"must hold values that fit: {name} in table {number} {message}") from None


# The settings that a single library can override.
OF_A_LIBRARY = (
    "sync_title",
    "sync_studio",
    "sync_summary",
    "sync_date",
    "sync_cast",
    "sync_director",
    "sync_genres",
    "sync_collection",
    "sync_rating",
    "title_template",
    "sort_title_template",
    "original_title_template",
    "tagline_template",
    "date_added",
    "content_rating",
    "genre_tags",
    "label_tags",
    "labels",
    "collection_tags",
    "tag_parents",
    "collections",
    *(name for name in collection_settings.NAMES if name not in collection_settings.OF_ALL_LIBRARIES),
    *picture_settings.NAMES,
    "performer_name",
    "role_text",
    "performer_picture_url",
)


class PlexSyncConfig(CollectionSettings, PictureSettings, DatabaseSettings):
    """All settings, checked. Raises pydantic's `ValidationError`, which names fields and rules but never a value."""

    plex_url: Annotated[str, AfterValidator(values.address)] = Field()
    """Address of the Plex server: http:// or https://, with an optional path. Required."""

    plex_token: Annotated[str, AfterValidator(values.token)] = Field(repr=False)
    """The Plex token (X-Plex-Token) of the server's owner; never logged. Required."""

    plex_libraries: Annotated[str, BeforeValidator(values.join_names), AfterValidator(values.names)] = Field(default="")
    """Names of the Plex movie libraries to sync, separated by commas, or a list of names; put a name with a comma in
    double quotes. Default empty: all movie libraries."""

    plex_connect_timeout: float = Field(default=5.0, ge=1, le=30)
    """Seconds to wait for a connection to Plex or Stash: 1 to 30, default 5."""

    plex_read_timeout: float = Field(default=30.0, ge=5, le=120)
    """Seconds to wait for the next data of a response from Plex or Stash: 5 to 120, default 30."""

    plex_parallel: int = Field(default=2, ge=1, le=8)
    """Edits sent to Plex at the same time: 1 to 8, default 2."""

    stash_url: Annotated[str, AfterValidator(values.address)] = Field(default="http://localhost:9999")
    """Address of Stash: http:// or https://, default http://localhost:9999."""

    stash_api_key: Annotated[str, AfterValidator(values.secret)] = Field(default="", repr=False)
    """The API key of Stash; never logged. Default empty: for a Stash without a login."""

    tls_ca_file: Annotated[str, AfterValidator(values.file)] = Field(default="")
    """Full path of a PEM file with certificates to trust in addition to those of the system, for an https:// server
    with a certificate of its own. Default empty: no others."""

    path_map: Annotated[tuple[str, ...], BeforeValidator(path_rules.rules)] = Field(default=())
    """Plex folders for Stash folders: rules of the form stash folder => plex folder, as a list, or as one text with ;
    or line breaks between rules. Default none: both use the same paths."""

    match_by_duration: bool = Field(default=False)
    """Take an item whose file has the name and duration of the scene's, but another or an unknown size: true or false,
    default false, which shows it as a candidate. With true, PlexSync can write to a wrong item, because different files
    may share a name and a duration."""

    scope: Annotated[tuple[str, ...], BeforeValidator(scope_terms.terms)] = Field(default=("all",))
    """Scenes to sync: all, organized, tag: NAME, studio: NAME, performer: NAME, path: FOLDER (as Stash sees it), rating:
    60+, rating: none, stash_id, stash_id: ENDPOINT, url, url: TEXT; not before any of them but all excludes scenes. A
    list, or one text with ; or , between terms. Default all."""

    scope_match: Literal["kinds", "all", "any"] = Field(default="kinds")
    """How many terms of scope a scene has to meet, apart from those with not: kinds (one of each kind, such as one of
    the tags and one of the studios), all or any. Default kinds."""

    approve_bulk: bool = Field(default=False)
    """Approve the first write of a whole library to Plex in advance: true or false, default false, which waits for sync
    --all."""

    enabled: bool = Field(default=True)
    """Sync scenes: true or false, default true. With false, events are kept and nothing is sent."""

    poll_interval: float = Field(default=1.0, ge=0.1, le=60)
    """Seconds after which an idle worker checks the queue without being woken (at most 5 count): 0.1 to 60, default 1."""

    stash_poll_interval: float = Field(default=60.0, ge=5, le=3600)
    """Seconds between polls of Stash for changes: 5 to 3600, default 60."""

    reconcile_interval_hours: float = Field(default=24.0, ge=0, le=720)
    """Hours between full comparisons of Stash and Plex: 0 to 720, default 24; 0 turns them off."""

    scan_absent: bool = Field(default=False)
    """Ask Plex to scan the folder of a file that it does not have: true or false, default false, which waits for Plex's
    own scans."""

    max_retries: int = Field(default=5, ge=1, le=20)
    """Attempts that may fail before a job moves to the dead-letter queue: 1 to 20, default 5. Outages don't count."""

    dlq_retention_days: int = Field(default=30, ge=1, le=365)
    """Days to keep jobs in the dead-letter queue: 1 to 365, default 30."""

    dlq_max: int = Field(default=10_000, ge=100, le=1_000_000)
    """Scenes in the dead-letter queue above which status, dlq list and the log show a warning; none is deleted: 100 to
    1000000, default 10000."""

    strict_mode: bool = Field(default=False)
    """Reject a scene if a value must be cut or dropped to fit Plex: true or false, default false, which syncs what fits
    and reports the rest."""

    sync_title: bool = Field(default=True)
    """Sync titles: true or false, default true."""

    sync_studio: bool = Field(default=True)
    """Sync studios: true or false, default true."""

    sync_summary: bool = Field(default=True)
    """Sync summaries, from the details in Stash: true or false, default true."""

    sync_date: bool = Field(default=True)
    """Sync release dates: true or false, default true."""

    sync_cast: bool = Field(default=True)
    """Sync performers as cast: true or false, default true."""

    sync_director: bool = Field(default=True)
    """Sync directors: true or false, default true."""

    sync_genres: bool = Field(default=True)
    """Sync tags as genres: true or false, default true."""

    sync_collection: bool = Field(default=True)
    """Sync collections: true or false, default true."""

    sync_rating: bool = Field(default=True)
    """Sync ratings: true or false, default true."""

    look: Literal["plain", "rich"] = Field(default="plain")
    """Set settings at once that you have not set: plain (none) or rich (see docs/looks.md). Default plain."""

    title_template: Annotated[str, AfterValidator(values.whole_template)] = Field(default="{title}")
    """Template of the title, with names of values in braces (see docs/fields.md). Default {title}: the title, or the
    name of the file."""

    sort_title_template: Annotated[str, AfterValidator(values.template_text)] = Field(default="")
    """Template of the sort title, with names of values in braces. Default empty: sort titles are left to Plex."""

    original_title_template: Annotated[str, AfterValidator(values.template_text)] = Field(default="")
    """Template of the original title, with names of values in braces. Default empty: original titles are not synced."""

    tagline_template: Annotated[str, AfterValidator(values.template_text)] = Field(default="")
    """Template of the tagline, with names of values in braces. Default empty: taglines are left to Plex."""

    date_added: Literal["off", "created", "file", "date"] = Field(default="off")
    """Date added in Plex, by which it sorts what was recently added: off, created (when the scene was created in Stash),
    file (when its file was last changed), or date (of the scene, else as created). Default off."""

    content_rating: Annotated[str, AfterValidator(values.shown_line)] = Field(default="")
    """Content rating of every scene, a text such as R. Default empty: not synced."""

    genre_tags: Annotated[tuple[str, ...], BeforeValidator(values.tags)] = Field(default=("*",))
    """Tags that become genres: names or patterns, separated by commas, or a list; a leading - excludes a tag. Default
    *: all."""

    label_tags: Annotated[tuple[str, ...], BeforeValidator(values.tags)] = Field(default=())
    """Tags that become labels, as for genre_tags. Default none."""

    labels: Annotated[tuple[str, ...], BeforeValidator(values.labels)] = Field(default=())
    """Labels of every item, beside those of label_tags, such as Stash for what you share in Plex: separated by commas, or a
    list. Default none."""

    collection_tags: Annotated[tuple[str, ...], BeforeValidator(values.tags)] = Field(default=())
    """Tags that become collections, as for genre_tags. Default none."""

    tag_parents: bool = Field(default=False)
    """Also show the parent tags of each tag that is shown: true or false, default false."""

    collections: Annotated[tuple[str, ...], BeforeValidator(values.collections)] = Field(default=("studio", "groups"))
    """Sources of collections in addition to collection_tags: any of studio, parents (the parent studios), groups,
    performers, rating and organized, separated by commas, or a list. Default studio and groups."""

    performer_name: Annotated[str, AfterValidator(values.performer_name)] = Field(default="{name}")
    """Template of the name of each cast member, such as {name}[ ({disambiguation})], which keeps performers of one name
    apart (see docs/fields.md). Default {name}."""

    role_text: Annotated[str, AfterValidator(values.role_text)] = Field(default="")
    """Template of the role of each cast member, with names of values in braces (see docs/fields.md). Default empty:
    roles are left to Plex."""

    performer_picture_url: Annotated[str, AfterValidator(values.picture_address)] = Field(default="")
    """Address of a picture of each performer, such as https://example.org/people/{id}.jpg; Plex and its apps must reach
    it. Default empty: pictures of people are left to Plex."""

    libraries: Annotated[Mapping[str, Mapping[str, object]], BeforeValidator(_libraries)] = Field(default={})
    """Tables in plexsync.toml with settings for single libraries (see docs/fields.md). Default none."""

    conflict_policy: Literal["stash", "plex"] = Field(default="stash")
    """Which side wins if a value changed in Stash and by hand in Plex: stash or plex, default stash."""

    first_push: Literal["keep", "stash"] = Field(default="keep")
    """What to do at the first sync with a different value that is locked in Plex: keep or stash (overwrite it), default
    keep."""

    when_gone: Literal["keep", "undo"] = Field(default="keep")
    """What to do in Plex with what was pushed for a scene that was deleted in Stash: keep (leave Plex alone) or undo
    (take it back), default keep."""

    watch_back: Literal["off", "plays", "plays+resume"] = Field(default="off")
    """Bring what you watch in Plex back to Stash: off, plays (each play with its moment), or plays+resume (also where you
    stopped). Default off."""

    watch_account: Annotated[str, BeforeValidator(values.number_or_name)] = Field(default="")
    """Plex account whose plays count: its number or its name. Default empty: the owner of the server (account 1)."""

    watch_since: Annotated[str, BeforeValidator(values.day)] = Field(default="")
    """Day from which plays count, as YYYY-MM-DD (from midnight UTC on). Default empty: all plays count."""

    watch_minimum: Annotated[str, BeforeValidator(values.play_rule)] = Field(default="stash")
    """How much of a scene has to be watched in Plex for a play: stash (as in the player of Stash), plex (as Plex counts), a
    number of seconds such as 30s, or a percentage such as 10%. Default stash."""

    rating_direction: Literal["to_plex", "both"] = Field(default="to_plex")
    """Direction of ratings: to_plex (from Stash to Plex) or both (from Plex to Stash as well). Default to_plex."""

    rating_wins: Literal["stash", "plex"] = Field(default="stash")
    """Which side wins if a rating changed on both sides, with rating_direction both: stash or plex, default stash."""

    breaker_failure_threshold: int = Field(default=5, ge=1, le=100)
    """Failures in a row after which a server counts as down: 1 to 100, default 5."""

    breaker_recovery_timeout: float = Field(default=60.0, ge=0.5, le=3600)
    """Seconds until a server that is down is tried again: 0.5 to 3600, default 60."""

    breaker_max_recovery_timeout: float = Field(default=300.0, ge=0.5, le=86400, validate_default=True)
    """Seconds that the growing wait between these tries may reach: 0.5 to 86400, default 300, never less than
    breaker_recovery_timeout."""

    worker_idle_minutes: int = Field(default=60, ge=1, le=10_080)
    """Minutes without work after which a worker started inside Stash ends, until an event starts it again: 1 to 10080,
    default 60."""

    notify_urls: Annotated[tuple[str, ...], BeforeValidator(values.messengers)] = Field(default=(), repr=False)
    """Addresses of services and webhooks that notify you, in the format of the package apprise: a list, or one text
    with spaces between them; never logged. Default none."""

    notify_command: Annotated[tuple[str, ...], BeforeValidator(values.command)] = Field(default=(), repr=False)
    """Command that notifies you: a list of words, or one text that is split into words as by a shell; no shell runs it.
    Default none."""

    notify_after_minutes: int = Field(default=10, ge=1, le=1440)
    """Minutes that a server may be down before you are notified: 1 to 1440, default 10."""

    web_bind: Annotated[str, AfterValidator(values.place)] = Field(default="127.0.0.1:9797")
    """Address and port of this machine for the dashboard of plexsync serve, such as 0.0.0.0:9797, or none for no
    dashboard. Default 127.0.0.1:9797; an address that other machines reach needs web_password."""

    web_password: Annotated[str, AfterValidator(values.passphrase)] = Field(default="", repr=False)
    """Password of the dashboard and its API, at least 15 characters; never logged. Default empty: no password, access
    from this machine only."""

    web_allowed_hosts: Annotated[tuple[str, ...], BeforeValidator(values.hosts)] = Field(default=())
    """Host names under which browsers may reach the dashboard, in addition to localhost and the address of web_bind:
    without port, separated by commas, or a list. Default none."""

    stash_web_url: Annotated[str, AfterValidator(values.address_if_any)] = Field(default="")
    """Address at which browsers reach Stash, for links on the dashboard: http:// or https://. Default empty: stash_url."""

    provider_listen: Annotated[str, AfterValidator(values.place)] = Field(default="none")
    """Address and port of this machine at which PlexSync answers Plex as a metadata provider (docs/provider.md), such as
    0.0.0.0:9798, or none. Default none."""

    provider_url: Annotated[str, AfterValidator(values.address_if_any)] = Field(default="")
    """Address by which Plex reaches provider_listen, if it is another one, as from a container: http:// or https://.
    Default empty: http:// and provider_listen."""

    provider_patience: int = Field(default=20, ge=1, le=600)
    """Seconds that Plex has to show an edit after a refresh of the item, before PlexSync writes it: 1 to 600,
    default 20."""

    provider_match: bool = Field(default=False)
    """Whether PlexSync matches an item of a library that asks, if Stash knew the file only after Plex had found it. Plex
    sends title and path of such an item to its cloud: true or false, default false."""

    data_dir: Annotated[str, AfterValidator(values.folder)] = Field(default="")
    """Full path of the folder for PlexSync's database, plexsync.db. Default empty: beside Stash's settings or in the
    user's folder (see docs/settings.md)."""

    @field_validator("breaker_max_recovery_timeout")
    @classmethod
    def _at_least_the_first_wait(cls, value: float, info: ValidationInfo) -> float:
        first = info.data.get("breaker_recovery_timeout")
        if first is not None and value < first:
            raise ValueError(f"must be at least breaker_recovery_timeout ({first:g}): raise this one or lower that one")
        return value

    @field_serializer(*SECRETS, "notify_command", when_used="json")
    def _mask(self, value: str | tuple[str, ...]) -> str | list[str]:
        if isinstance(value, tuple):
            return [MASK for _ in value]
        return MASK if value else ""

    provider_on = property(lambda self: self.provider_listen != "none", doc="Whether libraries can ask PlexSync.")

    @property
    def library_names(self) -> tuple[str, ...]:
        """The libraries to sync; empty for all movie libraries."""
        return tuple(values.split_names(self.plex_libraries))

    def of_library(self, name: str) -> Self:
        """The settings that apply to one of `libraries`."""
        return self.model_copy(update=dict(self.libraries[name]))

    @property
    def secrets(self) -> tuple[str, ...]:
        """The secrets that are set, for a `Redactor`."""
        alone = (self.plex_token, self.stash_api_key, self.web_password, *self.database_secrets)
        inside = (piece for url in self.notify_urls for piece in (url, *_telling_pieces(url)))
        return tuple(dict.fromkeys(secret for secret in (*alone, *inside) if secret))

    def log_config(self) -> None:
        """Write one INFO record to the log `PlexSync.config`: each setting as name=value, no secret, no media path."""
        hidden = Redactor(secret for secret in self.secrets if len(secret) >= _SHORTEST_TELLING_SECRET)
        pairs = (f"{name}={hidden.redact(_format_value(name, getattr(self, name)))}" for name, _ in _in_order())
        _log.info("settings: %s", " ".join(pairs))


def _telling_pieces(url: str) -> list[str]:
    """The parts of a URL that may be secret by themselves: long, and neither a plain word nor numbers and dots."""
    pieces = re.split(r"[/:@?&=#,]+", url.partition("://")[2])
    return [
        piece
        for piece in pieces
        if len(piece) >= _SHORTEST_TELLING_SECRET and re.search(r"[0-9]", piece) and re.search(r"[^0-9.]", piece)
    ]


def _format_value(name: str, value: object) -> str:
    """A value for the log. Texts that could be misread are quoted."""
    if name in SECRETS:
        return MASK if value else "(not set)"
    # Folders and names of the library don't belong in a log, and the words of a command may contain a secret too.
    counted = {"path_map": "rules", "libraries": "tables", "scope": "terms", "notify_command": "words"}
    if name in counted and isinstance(value, tuple | Mapping):
        return f"({len(value)} {counted[name]})"
    text = str(value)
    if name == "watch_account" and text and not text.isdigit():
        # The name of a person doesn't either.
        return "(a name)"
    return text if re.fullmatch(r"[^\s,;\"=]+", text) else '"' + text.replace('"', '\\"') + '"'


@record
class Setting:
    """The description of one setting. `default` is its text in plexsync.toml, None if the setting is required."""

    name: str
    variable: str
    rule: str
    default: str | None
    secret: bool

    @property
    def description(self) -> str:
        """The text below the field in this file, in one line."""
        return _descriptions()[self.name]


_SHAPES = {
    **dict.fromkeys(("plex_url", "stash_url", "stash_web_url", "provider_url"), "an http:// or https:// address"),
    "plex_token": "a Plex token",
    "plex_libraries": "library names with commas between them, or a list of names",
    "stash_api_key": "an API key of Stash",
    "tls_ca_file": "the full path of a file",
    "path_map": "rules of the form stash folder => plex folder",
    "scope": "terms such as organized or not tag: NAME",
    "notify_urls": "addresses such as json://host/path",
    "notify_command": "a list of words: a program and its arguments",
    "web_bind": "an address and a port such as 127.0.0.1:9797, or none",
    "provider_listen": "an address and a port such as 0.0.0.0:9798, or none",
    "web_password": "a password of at least 15 characters",
    "web_allowed_hosts": "host names with commas between them, or a list of them",
    **dict.fromkeys(
        ("title_template", "sort_title_template", "original_title_template", "tagline_template"),
        "a text with names of values in braces",
    ),
    **dict.fromkeys(("performer_name", "role_text"), "a text with names of values in braces"),
    "content_rating": "a text",
    "performer_picture_url": "an http:// or https:// address with names of values in braces",
    **dict.fromkeys(
        ("genre_tags", "label_tags", "collection_tags"), "names of tags with commas between them, or a list of them"
    ),
    **dict.fromkeys(
        ("poster", "background"), "none, or some of cover, gallery, studio and group, with commas between them"
    ),
    "labels": "labels with commas between them, or a list of them",
    "collections": f"some of {', '.join(COLLECTIONS)}, with commas between them, or a list of them",
    **collection_settings.SHAPES,
    "watch_account": "the number or the name of a Plex account",
    "watch_since": "a date such as 2026-01-31",
    "watch_minimum": "stash, plex, a number of seconds such as 30s, or a percentage such as 10%",
    "libraries": "tables in plexsync.toml, each named after a library",
    "data_dir": "the full path of a folder",
    **database_settings.SHAPES,
}


def describe() -> tuple[Setting, ...]:
    """All settings in their order, for `doctor`, `--help`, the documentation and error lines."""
    return tuple(
        Setting(
            name=name,
            variable=f"PLEXSYNC_{name.upper()}",
            rule=_rule_of(name, field),
            default=None if field.is_required() else _toml(field.default),
            secret=name in SECRETS,
        )
        for name, field in _in_order()
    )


def _in_order() -> Iterator[tuple[str, FieldInfo]]:
    """All fields. Those that dress collections and those of pictures are behind the choice of collections."""
    fields = PlexSyncConfig.model_fields
    behind = {
        "collections": (*collection_settings.NAMES, *picture_settings.NAMES),
        "data_dir": database_settings.NAMES,
    }
    elsewhere = {name for names in behind.values() for name in names}
    for name in fields:
        if name not in elsewhere:
            yield name, fields[name]
        yield from ((inherited, fields[inherited]) for inherited in behind.get(name, ()))


@cache
def _descriptions() -> dict[str, str]:
    """The text below each field. Few calls need it, and reading it out of the source takes a tenth of a second."""
    files = (__file__, collection_settings.__file__, picture_settings.__file__, database_settings.__file__)
    trees = [ast.parse(Path(file).read_text(encoding="utf-8")) for file in files]
    models = [node.body for tree in trees for node in tree.body if isinstance(node, ast.ClassDef)]
    return {
        field.target.id: " ".join(str(text.value.value).split())
        for field, text in (pair for body in models for pair in pairwise(body))
        if isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name)
        if isinstance(text, ast.Expr) and isinstance(text.value, ast.Constant)
    }


def _rule_of(name: str, field: FieldInfo) -> str:
    """The rule of a setting, as words that follow "must be": by its name, or by the type and bounds of its field."""
    if name in _SHAPES:
        return _SHAPES[name]
    if get_origin(field.annotation) is Literal:
        return " or ".join(f'"{choice}"' for choice in get_args(field.annotation))
    if field.annotation is bool:
        return "true or false"
    low = next(bound.ge for bound in field.metadata if hasattr(bound, "ge"))
    high = next(bound.le for bound in field.metadata if hasattr(bound, "le"))
    return f"a {'whole ' if field.annotation is int else ''}number from {low} to {high}"


def _toml(value: object) -> str:
    match value:
        case bool():
            return str(value).lower()
        case str():
            return f'"{value}"'
        case tuple():
            return f"[{', '.join(map(_toml, value))}]"
        case dict():
            return "{}"
        case _:
            return str(value)
