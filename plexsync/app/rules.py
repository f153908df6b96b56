"""The rules of each part, derived from the settings: what is compared, which side wins, how the queue is worked."""

from collections.abc import Mapping
from dataclasses import field, replace
from typing import cast

from plexsync.engine.rules import SWITCHED_OFF, WorkRules
from plexsync.flows.scenes.rules import LookRules
from plexsync.rules.collections.collection_servers import PlaylistRules
from plexsync.rules.collections.collections import Dressing, Part, Place
from plexsync.rules.match.scope import Kind, Scope, Term
from plexsync.rules.merge import choice, template
from plexsync.rules.merge.desired import Profile
from plexsync.rules.merge.plan_records import Policy
from plexsync.rules.merge.template import FACE_NAMES, NAMES, ROLE_NAMES
from plexsync.rules.plays.plays import WatchRules
from plexsync.rules.plays.ratings import RatingRules
from plexsync.rules.record_class import record
from plexsync.rules.servers.errors import Neighbour
from plexsync.rules.servers.http_answers import whole_request
from plexsync.rules.words.text import fold
from validation import path_rules
from validation.collection_settings import by_source
from validation.config import PlexSyncConfig
from validation.scope_terms import split
from validation.values import midnight
from worker.circuit_breaker import Rules

MINUTE, HOUR = 60_000, 3_600_000

SWITCHES = {
    "title": "sync_title",
    "studio": "sync_studio",
    "summary": "sync_summary",
    "originallyAvailableAt": "sync_date",
    "userRating": "sync_rating",
    "actor": "sync_cast",
    "director": "sync_director",
    "genre": "sync_genres",
    "collection": "sync_collection",
}


def look_rules(config: PlexSyncConfig) -> LookRules:
    """Return the rules of a comparison: what is compared, and which side wins."""
    policy = Policy(conflict=config.conflict_policy, first_push=config.first_push)
    libraries = {fold(name): profile(config.of_library(name)) for name in config.libraries}
    gone = config.when_gone == "undo"
    terms = tuple(Term(cast("Kind", kind), name, out) for kind, name, out in split(config.scope))
    return LookRules(
        profile(config),
        policy,
        path_rules.pairs(config.path_map),
        config.strict_mode,
        libraries,
        undo_gone=gone,
        scope=Scope(terms, config.scope_match),
        by_duration=config.match_by_duration,
        provider=is_provider_on(config),
    )


def is_provider_on(config: PlexSyncConfig) -> bool:
    """Whether libraries can ask PlexSync for the values of their items."""
    return bool(config.provider_on)


def provider_url(config: PlexSyncConfig) -> str:
    """The address at which Plex asks, without the secret."""
    return config.provider_url or f"http://{config.provider_listen}"


def profile(config: PlexSyncConfig) -> Profile:
    """Return the fields to sync and their content. A field without a switch is on if its setting is not empty."""
    base = Profile(
        fields=frozenset(),
        title=template.parse_template(config.title_template, NAMES),
        sort_title=template.parse_template(config.sort_title_template, NAMES),
        original_title=template.parse_template(config.original_title_template, NAMES),
        tagline=template.parse_template(config.tagline_template, NAMES),
        date_added=config.date_added if config.date_added != "off" else "",
        content_rating=config.content_rating,
        genres=choice.parse_patterns(config.genre_tags),
        labels=choice.parse_patterns(config.label_tags),
        fixed_labels=config.labels,
        tag_collections=choice.parse_patterns(config.collection_tags),
        tag_parents=config.tag_parents,
        collections=frozenset(config.collections),
        dressing=dressing(config),
        poster=config.poster if config.poster != "none" else "",
        background=config.background if config.background != "none" else "",
        poster_shape=config.poster_shape,
        poster_anchor=config.poster_anchor,
        performer_name=template.parse_template(config.performer_name, ROLE_NAMES),
        poster_logo=config.poster_logo if config.poster_logo != "off" else "",
        role=template.parse_template(config.role_text, ROLE_NAMES),
        face=template.parse_template(config.performer_picture_url, FACE_NAMES),
    )
    filled = {
        "titleSort": bool(base.sort_title),
        "originalTitle": bool(base.original_title),
        "tagline": bool(base.tagline),
        "addedAt": bool(base.date_added),
        "contentRating": bool(base.content_rating),
        "label": bool(base.labels or base.fixed_labels),
    }
    switched = {name: getattr(config, switch) for name, switch in SWITCHES.items()}
    if config.rating_direction == "both":
        # The rating flows keep them in step, in both directions.
        switched["userRating"] = False
    return replace(base, fields=frozenset(name for name, on in (filled | switched).items() if on))


def dressing(config: PlexSyncConfig) -> Dressing:
    """Return how collections are named and dressed."""
    return Dressing(
        parts=frozenset(cast("tuple[Part, ...]", config.collection_parts)),
        names=by_source(config.collection_name),
        sorts=by_source(config.collection_sort),
        minimum=config.collection_minimum,
        mode="" if config.collection_mode == "leave" else config.collection_mode,
        home=choice.parse_patterns(config.collection_home),
        places=frozenset(cast("tuple[Place, ...]", config.collection_home_places)),
    )


def is_dressing_on(rules: LookRules) -> bool:
    """Whether any library dresses its collections."""
    return any(profile.dressing.is_on for profile in profiles_of(rules))


def playlist_rules(config: PlexSyncConfig) -> PlaylistRules | None:
    """Return which tags are playlists and how they are ordered; None while they are off."""
    parent = config.playlists.partition(":")[2].strip()
    return PlaylistRules(parent, config.playlist_order) if parent else None


def profiles_of(rules: LookRules) -> tuple[Profile, ...]:
    """The profiles of all libraries."""
    return (rules.profile, *rules.libraries.values())


def work_rules(config: PlexSyncConfig) -> WorkRules:
    """Return the rules of the queue. Reading the scenes of a batch takes a few requests at most."""
    deadline = round(1000 * whole_request(config.plex_read_timeout))
    return WorkRules(
        max_retries=config.max_retries,
        parallel=config.plex_parallel,
        lease=max(120_000, 2 * deadline),
        deadline=deadline,
        retention=config.dlq_retention_days * 24 * HOUR,
        dlq_max=config.dlq_max,
        rests="" if config.enabled else SWITCHED_OFF,
    )


@record
class PartSettings:
    """The settings that `assemble` needs.

    `fingerprints` are hashes of the settings whose change ends a hold, `cures` of those that may cure a dead letter,
    `print_of_all` of every setting, and `wishes` of those that decide what Plex should show; `in_use` has one of each.
    `in_force`: fingerprints like `in_use` of those that all else is of, while changed ones wait for your yes.
    """

    looks: LookRules
    work: WorkRules
    breaker: Rules
    fingerprints: Mapping[Neighbour, str]
    cures: Mapping[str, str] = field(default_factory=dict)
    print_of_all: str = ""
    wishes: str = ""
    in_use: str = ""
    in_force: str = ""
    scan_absent: bool = False
    pictures: bool = True
    playlists: PlaylistRules | None = None

    @property
    def has_objects(self) -> bool:
        """Whether collections are dressed, or tags make playlists."""
        return is_dressing_on(self.looks) or self.playlists is not None

    @property
    def waits(self) -> bool:
        """Whether changed settings wait for your yes, and these go by those before."""
        return bool(self.in_force)

    @property
    def prints(self) -> dict[str, str]:
        """The hashes by which a comparison tells that settings have changed."""
        return {"settings": self.print_of_all, "wishes": self.wishes, "in_use": self.in_use}


def rating_rules(config: PlexSyncConfig) -> RatingRules | None:
    """Return the rules of ratings that go both ways; None if they don't."""
    libraries = {fold(name): config.of_library(name).sync_rating for name in config.libraries}
    if config.rating_direction == "to_plex" or not (config.sync_rating or any(libraries.values())):
        return None
    return RatingRules(config.rating_wins, config.sync_rating, libraries)


def watch_rules(config: PlexSyncConfig) -> WatchRules | None:
    """Return whose plays come to Stash, since when, and with what; None while the way back is off."""
    if config.watch_back == "off":
        return None
    resume = config.watch_back == "plays+resume"
    since = midnight(config.watch_since)
    return WatchRules(config.watch_account, since, resume, config.watch_minimum)
