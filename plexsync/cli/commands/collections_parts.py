"""`plexsync collections keep`, `use-stash` and `unkeep`: your decisions about parts that you edited in Plex."""

from collections.abc import Mapping, Sequence

import click

from plexsync.app.dressing import collection_viewer
from plexsync.app.parts import opened
from plexsync.app.settings import SettingsNeed
from plexsync.cli.call import FAILED, FINE, Body, Call, command
from plexsync.cli.commands.collections_chosen import agreed, every, named, naming, words_of
from plexsync.cli.commands.sync import worker_hint
from plexsync.cli.start import begun
from plexsync.cli.terminal.screen import paper, say
from plexsync.flows.collections.decisions import DecidedParts, decide_parts
from plexsync.flows.scenes.drift import DriftAnswer
from plexsync.reports.collection_words import decision_facts, decision_words
from plexsync.reports.collections import PART_WORDS, part_name
from plexsync.reports.format import many, safe
from plexsync.rules.collection_status import CollectionStatus
from plexsync.rules.collections import CollectionRow
from plexsync.rules.drift import kept_fields

QUESTIONS = {
    DriftAnswer.KEEP: "Keep what Plex has, in {}?",
    DriftAnswer.TAKE: "Replace what was edited in Plex by what Stash says, in {}?",
    DriftAnswer.UNKEEP: "No longer keep what Plex has, in {}?",
}


def _options(body: Body) -> Body:
    for option in reversed(
        (
            click.option(
                "--part",
                "parts",
                metavar="PART",
                multiple=True,
                help=f"Only this part: {', '.join(PART_WORDS.values())} (repeatable).",
            ),
            click.option("--all", "all_", is_flag=True, help="Every collection with such a part."),
            click.option("--yes", is_flag=True, help="Do not ask."),
        )
    ):
        body = option(body)
    return naming(body)


@command("keep")
@_options
@click.pass_obj
def keep(call: Call, names: tuple[str, ...], library: str, parts: tuple[str, ...], all_: bool, yes: bool) -> int:
    """Keep what you edited in Plex, whatever Stash says.

    The part follows Plex until plexsync collections unkeep. Without a decision such a part stays as it is until Stash
    changes it (conflict_policy). Asks once for more than one collection. Exits with 1 if a collection that was named has
    no such part, or is being worked on.

    \b
    Examples:
      plexsync collections keep "Studio 3"
      plexsync collections keep "Studio 3" --part poster
    """
    return _decide(call, DriftAnswer.KEEP, names, library, parts, all_=all_, yes=yes)


@command("use-stash")
@_options
@click.pass_obj
def use_stash(call: Call, names: tuple[str, ...], library: str, parts: tuple[str, ...], all_: bool, yes: bool) -> int:
    """Replace parts that you edited in Plex by what Stash says, once.

    An edit that you make in Plex after that is not lost. plexsync collections undo restores what was there before
    PlexSync. A part that you keep is taken only if you name it and its collection. Otherwise as plexsync collections keep.

    \b
    Examples:
      plexsync collections use-stash "Studio 3" --part poster
      plexsync collections use-stash --all --part order
    """
    return _decide(call, DriftAnswer.TAKE, names, library, parts, all_=all_, yes=yes)


@command("unkeep")
@_options
@click.pass_obj
def unkeep(call: Call, names: tuple[str, ...], library: str, parts: tuple[str, ...], all_: bool, yes: bool) -> int:
    """Take keep back. Writes nothing by itself: only a change in Stash after that is written.

    \b
    Example:
      plexsync collections unkeep "Studio 3"
    """
    return _decide(call, DriftAnswer.UNKEEP, names, library, parts, all_=all_, yes=yes)


def _decide(
    call: Call,
    answer: DriftAnswer,
    names: Sequence[str],
    library: str,
    words: Sequence[str],
    *,
    all_: bool,
    yes: bool,
) -> int:
    if bool(names) == all_:
        raise click.UsageError("say which collections: their names or numbers, or --all")
    parts_chosen = _parts(words)
    with begun(call, need=SettingsNeed.LOOK) as start, opened(start.config, start.folder) as parts:
        start.meet(parts)
        if start.settings.away:
            raise start.settings.away
        chosen = (
            every(parts.store, lambda row: _may_concern(row, answer), library)
            if all_
            else named(parts.store, names, library)
        )
        rows = {row.id: row for row in chosen}
        if not agreed(QUESTIONS[answer].format(many(len(rows), "collection")), len(rows), yes=yes):
            return call.refused("nothing was changed", decision=answer.value, parts={})
        decided = decide_parts(
            parts.store,
            collection_viewer(parts),
            parts.gates,
            parts.clock,
            list(rows),
            answer,
            parts_chosen,
            takes_kept=bool(names and parts_chosen),
        )
        busy = parts.someone_works()
    line = decision_words(answer, decided)
    if answer is DriftAnswer.TAKE and decided.parts:
        line = f"{line}; {worker_hint(busy, '')}"
    call.answer({**decision_facts(answer, decided)}, lambda: say(paper(), line))
    return _complain(decided, rows, is_named=bool(names))


def _parts(words: Sequence[str]) -> list[str]:
    """The names in Plex of these parts."""
    parts = {word: part_name(word) for word in words}
    if unknown := next((word for word, name in parts.items() if name is None), None):
        raise click.UsageError(f"there is no part {safe(unknown)}: say one of {', '.join(PART_WORDS.values())}")
    return [name for name in parts.values() if name]


def _may_concern(row: CollectionRow, answer: DriftAnswer) -> bool:
    """Whether a collection may have a part to decide about."""
    if answer is DriftAnswer.UNKEEP:
        return bool(kept_fields(row.memory))
    return row.standing == CollectionStatus.EDITED.stored


def _complain(decided: DecidedParts, rows: Mapping[int, CollectionRow], *, is_named: bool) -> int:
    """Name those about which nothing was decided on standard error; returns the exit code."""
    if is_named and decided.untouched:
        untouched = words_of([rows[id] for id in decided.untouched])
        click.echo(f"plexsync: no such part was edited in Plex: {untouched}", err=True)
    if decided.busy:
        busy = words_of([rows[id] for id in decided.busy])
        click.echo(f"plexsync: being worked on, try again: {busy}", err=True)
    return FAILED if decided.busy or (is_named and decided.untouched) else FINE
