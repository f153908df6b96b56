"""The collections that a call of `plexsync collections` names, how they are worked, and how it is answered."""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import click

from plexsync.app.parts import Parts, opened
from plexsync.cli.call import FAILED, FINE, Body, Call
from plexsync.cli.commands.sync import worker_hint
from plexsync.cli.daemon.signals import stoppable
from plexsync.cli.daemon.work_loop import RemainingJobs, WorkLoop
from plexsync.cli.start import Begun
from plexsync.cli.terminal.prompts import confirmed
from plexsync.cli.terminal.screen import ProgressBar, paper, say, table
from plexsync.flows.collections.comparison import all_rows
from plexsync.reports.collections import (
    PART_WORDS,
    collection_preview,
    collection_rows,
    collections_named,
    object_words,
    part_value,
)
from plexsync.reports.format import many, safe
from plexsync.reports.shapes.collections import (
    CollectionChangeFacts,
    CollectionPartFacts,
    CollectionRowFacts,
    CollectionsAnswer,
)
from plexsync.rules.collection_status import CollectionStatus, named_status
from plexsync.rules.collections import CollectionRow
from plexsync.rules.job import COLLECTION
from plexsync.rules.status_words import counted
from plexsync.store.database import Database

LONGEST = 60
# The number of collections that are named in one line.
FEW = 10


def naming(body: Body) -> Body:
    """The options that name collections."""
    body = click.option("--library", metavar="NAME", default="", help="Only the collections in this library of Plex.")(
        body
    )
    return click.argument("names", metavar="[NAME]...", nargs=-1)(body)


def choosing(every: str) -> Callable[[Body], Body]:
    """The options that choose collections to change: by name, or all of them."""

    def options(body: Body) -> Body:
        for option in reversed(
            (
                click.option("--all", "all_", is_flag=True, help=every),
                click.option("--dry-run", is_flag=True, help="Show what would be changed; changes nothing."),
                click.option("--yes", is_flag=True, help="Do not ask."),
                click.option("--wait", is_flag=True, help="Return when it is done, with a summary."),
            )
        ):
            body = option(body)
        return naming(body)

    return options


def named(store: Database, names: Sequence[str], library: str) -> list[CollectionRow]:
    """The collections with these numbers or names. Raises UsageError for one that is unknown or not the only one."""
    chosen: dict[int, CollectionRow] = {}
    with store.reading() as db:
        for name in names:
            rows = collections_named(db, name, library)
            if not rows:
                where = f" in a library {safe(library)}" if library else ""
                raise click.UsageError(f"there is no collection {safe(name, 80)}{where}: plexsync collections list")
            if len(rows) > 1:
                choices = ", ".join(map(_choice, collection_rows(db, rows)))
                raise click.UsageError(
                    f"several collections have the name {safe(name, 80)}: say the number, or --library: {choices}"
                )
            chosen[rows[0].id] = rows[0]
    return list(chosen.values())


def _choice(facts: CollectionRowFacts) -> str:
    return f"{facts['id']} ({object_words(facts)}, {safe(facts['library'], LONGEST) or 'library unknown'})"


def every(store: Database, chosen: Callable[[CollectionRow], bool], library: str = "") -> list[CollectionRow]:
    """All of these collections, by number, in the library with this title ('' for all)."""
    with store.reading() as db:
        rows = [row for page in all_rows(db) for row in page if chosen(row)]
        if not library:
            return rows
        facts = {entry["id"]: entry for entry in collection_rows(db, rows)}
    return [row for row in rows if facts[row.id]["library"].casefold() == library.strip().casefold()]


def words_of(rows: Sequence[CollectionRow]) -> str:
    """The names of these collections, or their number if they are many."""
    if len(rows) > FEW:
        return many(len(rows), "collection")
    return ", ".join(safe(row.name, LONGEST) for row in rows)


def agreed(question: str, count: int, *, yes: bool) -> bool:
    """Whether you agree to change so many collections; one of them is changed without a question."""
    return count <= 1 or yes or confirmed(question)


# --- answers ---------------------------------------------------------------------------------------------------------


@dataclass
class CollectionsChange:
    """What a command did: the collections that are queued, and those that it left alone.

    `begun` and `done` are its words for the collections before and after they were worked. `complaint` is said of the
    `untouched` ones that you named.
    """

    begun: str
    done: str
    complaint: str
    rows: Mapping[int, CollectionRow]
    queued: list[int] = field(default_factory=list)
    untouched: list[int] = field(default_factory=list)
    failed: Mapping[int, str] = field(default_factory=dict)

    def facts(self) -> CollectionsAnswer:
        """The answer for JSON."""
        facts: CollectionsAnswer = {"collections": self.queued}
        if self.untouched:
            facts["untouched"] = self.untouched
        if self.failed:
            facts["failed"] = {str(id): problem for id, problem in self.failed.items()}
        return facts

    def tell(self, call: Call, *, busy: bool) -> int:
        """Say what will be done, and by whom; returns the exit code."""
        hint = f"; {worker_hint(busy, '')}" if self.queued else ""
        line = f"{many(len(self.queued), 'collection')} {self.begun}{hint}"
        call.answer({**self.facts()}, lambda: say(paper(), line))
        return self._complain()

    def wait(self, call: Call, start: Begun) -> int:
        """Work or watch until all are settled, and say how they stand then; returns the exit code."""
        remaining = RemainingJobs([COLLECTION], self.queued)
        with stoppable() as stop:
            with ProgressBar(start.console, "working") as bar:
                ended = WorkLoop(start, stop, bar, remaining, patient=True).run() if self.queued else None
            with opened(start.config, start.folder) as parts:
                counts = self._outcomes(parts)
            reason = ended.reason if ended else ""
            words = ", ".join(counted(status.word, count) for status, count in counts.items())
            line = f"{many(len(self.queued), 'collection')} {self.done}" + (f": {words}" if words else "")
            facts = {
                **self.facts(),
                "outcomes": {status.value: count for status, count in counts.items()},
                "why": reason,
            }
            call.answer(facts, lambda: say(paper(), line + (f"; {reason}" if reason else "")))
            complained = self._complain()
            is_well = not (counts.keys() & {CollectionStatus.FAILED, CollectionStatus.QUEUED})
            return stop.code or (complained if is_well else FAILED)

    def _outcomes(self, parts: Parts) -> Counter[CollectionStatus]:
        with parts.store.reading() as db:
            facts = collection_rows(db, list(db.collections.of(self.queued).values()))
        stands = (None if entry["queued"] else named_status(entry["stands"]) for entry in facts)
        return Counter(status or CollectionStatus.QUEUED for status in stands)

    def _complain(self) -> int:
        """Name those that were left alone on standard error; returns the exit code."""
        if self.untouched and self.complaint:
            names = words_of([self.rows[id] for id in self.untouched])
            click.echo(f"plexsync: {self.complaint}: {names}", err=True)
        for id, problem in self.failed.items():
            click.echo(f"plexsync: Stash can't tell of {safe(self.rows[id].name, LONGEST)}: {safe(problem)}", err=True)
        return FAILED if self.failed or (self.untouched and self.complaint) else FINE


# --- dry runs --------------------------------------------------------------------------------------------------------

HEADS = ("part", "what", "Plex has", "would be", "why")


def show_changes(call: Call, changes: Iterable[CollectionChangeFacts]) -> int:
    """Show the parts that would be changed; returns 1 if a collection could not be inspected."""
    preview = collection_preview(changes)
    counts = preview["counts"]

    def tell() -> None:
        out = paper()
        for facts in preview["collections"]:
            heading = f"{safe(facts['name'], 120)} ({object_words(facts)}, {safe(facts['library'], LONGEST)})"
            if facts["error"]:
                say(out, f"{heading}: {safe(facts['error'])}")
            else:
                out.print(table(heading, HEADS, [_change_row(part) for part in facts["parts"]]))
        failed = f"; {counts['failed']:,} can't be inspected now" if counts["failed"] else ""
        changed = f"{many(counts['parts'], 'part')} of {many(counts['would_change'], 'collection')} would be changed"
        say(out, f"{many(counts['inspected'], 'collection')} inspected, {changed}{failed}; nothing was written")

    call.answer({**preview}, tell)
    return FAILED if counts["failed"] else FINE


def _change_row(part: CollectionPartFacts) -> tuple[str, ...]:
    name = part["part"]
    target = part["before"] if part["reason"] == "undone" else part["stash"]
    return (
        PART_WORDS.get(name, name),
        part["action"],
        shown_value(name, part["plex"], in_plex=True),
        shown_value(name, target),
        part["reason"],
    )


def shown_value(part: str, value: str | None, *, in_plex: bool = False) -> str:
    """The value of a part in a table."""
    return safe(part_value(part, value, in_plex=in_plex), LONGEST) or "-"
