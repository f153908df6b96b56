"""The libraries that ask PlexSync first, as facts: what adding one would do, and how each stands."""

from collections.abc import Mapping
from typing import TypedDict

from plexsync.app.provider_steps.items import PutBack
from plexsync.app.provider_steps.plan import AddPlan, ValueCounts
from plexsync.app.rules import is_provider_on, provider_url
from plexsync.app.stored import Stored
from plexsync.app.unanswered import why_unanswered
from plexsync.reports.format import HOUR, local, parse_stamp, stamp
from plexsync.reports.shapes.values import Moment
from plexsync.rules.provider.standing import DOING, WELL, LibraryInPlex, is_pending, problem_of
from plexsync.store.files.provider_secrets import masked_address
from plexsync.store.ledger.provider_memory import ProviderRow
from validation.config import PlexSyncConfig

# How the names of figures begin (`plexsync.rules.provider.questions`, `plexsync.provider`).
NO_MATCH, REFUSED, P99 = "no_match_", "refused_", "p99_ms"
FAILED = ("failed", "broken_off")


class CountFacts(TypedDict, total=False):
    """The dry run of the values."""

    scenes: int
    """The scenes of the library; missing if it asks already."""
    differ: int
    """The items with another value than PlexSync says; missing if it asks already."""


class PlanFacts(CountFacts):
    """What adding would do: `plexsync provider add Movies --dry-run`."""

    library: str
    agent: str
    """The agent that the library has now."""
    identifier: str
    """The agent that it gets."""
    address: str
    """The address that Plex must reach, without its secret."""
    items: int
    renews: bool
    """The library asks already, and only gets a new address."""
    not_put_back: list[str]
    """What `plexsync provider remove` can't put back."""
    warnings: list[str]


class CallFacts(TypedDict):
    """The calls of the last hour."""

    answered: int
    """Answers with a scene, or with what stands beside it."""
    unmatched: int
    """Questions for a match that found no scene."""
    refused: int
    """Unknown keys, wrong addresses and methods, bodies that are too long."""
    failed: int
    """Those that were broken off, or failed on PlexSync's side."""
    p99_ms: float | None
    """The milliseconds within which 99 of 100 were answered; null if there was none."""
    by_result: dict[str, int]
    """Their number by result."""


class ProviderFacts(TypedDict):
    """A library that asks PlexSync: `plexsync provider status --json`."""

    library: str
    state: str
    """`adding`, `on` or `removing`."""
    doing: str
    """The step that it is at, or empty if none is left."""
    standing: str
    """How it stands, in one line."""
    well: bool
    identifier: str
    address: str
    """The address that Plex asks, without its secret."""
    registered: bool | None
    """Null in these if Plex was not asked, or did not answer."""
    group: bool | None
    agent: str | None
    """The agent of the library in Plex."""
    explicit: bool | None
    """Whether Plex asks about explicit content; null if it does not say."""
    answers: int
    """The scenes with an answer."""
    matched: int
    """Those of them that a question for a match finds."""
    added_at: Moment | None
    called_at: Moment | None
    """When Plex last asked."""
    calls: CallFacts
    """The figures of the last hour."""


class ProviderReport(TypedDict):
    """All libraries that ask PlexSync."""

    libraries: list[ProviderFacts]


class RemovedFacts(TypedDict):
    """What became of a library that stopped asking: `plexsync provider remove`."""

    library: str
    removed: bool
    items: int
    """The items that were saved before."""
    edited_since: list[str]
    """The rating keys of items with fields that somebody has edited since; these stay."""
    gone: list[str]
    """Those that are gone, or are other items now."""
    not_put_back: list[str]
    """Those that Plex did not put back whole."""
    added_since: list[str]


def removed_facts(row: ProviderRow, items: int, result: PutBack, *, removed: bool) -> RemovedFacts:
    """The result for JSON."""
    return {
        "library": row.title,
        "removed": removed,
        "items": items,
        "edited_since": result.kept,
        "gone": result.other,
        "not_put_back": result.not_whole,
        "added_since": result.added,
    }


def plan_facts(plan: AddPlan, counts: ValueCounts | None) -> PlanFacts:
    """The plan for JSON."""
    counted: CountFacts = {"scenes": counts.scenes, "differ": counts.differ} if counts else {}
    return {
        "library": plan.library.title,
        "agent": plan.library.agent,
        "identifier": plan.identifier,
        "address": plan.address,
        "items": plan.items,
        "renews": plan.renews,
        "not_put_back": list(plan.lost),
        "warnings": list(plan.warnings),
        **counted,
    }


def provider_report(stored: Stored, in_plex: Mapping[str, LibraryInPlex] | None = None) -> ProviderReport:
    """How each library stands, by what the database says, and Plex if it was asked."""
    with stored.store.reading() as db:
        rows = [(row, *db.answers.count(row.library)) for row in db.providers.all()]
        sections = [(section.key, section.uuid) for section in db.sections.all()]
    now = stored.clock.now()
    return {
        "libraries": [
            _facts(
                stored.config,
                row,
                (answers, matched),
                in_plex.get(row.library) if in_plex else None,
                now,
                why_unanswered(stored.folder, row, sections),
            )
            for row, answers, matched in rows
        ]
    }


def _facts(
    config: PlexSyncConfig,
    row: ProviderRow,
    counts: tuple[int, int],
    in_plex: LibraryInPlex | None,
    now: int,
    unanswered: str,
) -> ProviderFacts:
    address = masked_address(provider_url(config))
    problem = problem_of(row, address, in_plex, is_on=is_provider_on(config), unanswered=unanswered)
    return {
        "library": row.title,
        "state": row.state,
        "doing": str(row.steps.get(DOING, "")) if is_pending(row) else "",
        "standing": problem or WELL,
        "well": not problem,
        "identifier": row.identifier,
        "address": address,
        "registered": in_plex.is_registered if in_plex else None,
        "group": in_plex.has_group if in_plex else None,
        "agent": in_plex.agent or None if in_plex else None,
        "explicit": in_plex.asks_explicit if in_plex else None,
        "answers": counts[0],
        "matched": counts[1],
        "added_at": stamp(row.added_at),
        "called_at": stamp(row.called_at) if row.called_at else None,
        # They are saved when Plex asks.
        "calls": call_facts(row.calls if now - row.called_at < HOUR else {}),
    }


def call_facts(calls: Mapping[str, object]) -> CallFacts:
    """The figures of the last hour, as the provider has saved them."""
    counts = {name: int(count) for name, count in calls.items() if name != P99 and isinstance(count, int | float)}
    p99 = calls.get(P99)
    unmatched = sum(count for name, count in counts.items() if name.startswith(NO_MATCH))
    refused = sum(count for name, count in counts.items() if name.startswith(REFUSED))
    failed = sum(counts.get(name, 0) for name in FAILED)
    return {
        "answered": sum(counts.values()) - unmatched - refused - failed,
        "unmatched": unmatched,
        "refused": refused,
        "failed": failed,
        "p99_ms": float(p99) if isinstance(p99, int | float) and p99 else None,
        "by_result": counts,
    }


def call_words(calls: CallFacts) -> str:
    """The figures of the last hour as text."""
    words = [
        f"{calls['answered']:,} answered",
        f"{calls['unmatched']:,} without a scene",
        f"{calls['refused']:,} refused",
    ]
    words += [f"{calls['failed']:,} failed"] if calls["failed"] else []
    return ", ".join([*words, f"99 of 100 within {calls['p99_ms']:g} ms"] if calls["p99_ms"] else words)


def last_asked(facts: ProviderFacts) -> str:
    """When Plex last asked for a library, in local time."""
    return local(parse_stamp(facts["called_at"])) if facts["called_at"] else "never"
