"""What is done with the rows that are ticked in a list: scenes are synced or ignored, dead letters retried or dropped."""

from collections.abc import Callable, Mapping, Sequence

from starlette.responses import Response

from plexsync.app.named_scenes import NamedScenes, ignore_scenes, unignore_scenes
from plexsync.app.parts import named_scenes
from plexsync.engine import dead_letters as verbs
from plexsync.engine.dead_letters import Key
from plexsync.flows.scenes.verbs import want_scenes
from plexsync.reports.format import many
from plexsync.reports.named_scenes import listed, missing_words, unchecked_words
from plexsync.reports.rows import key_of
from plexsync.reports.sorted_scenes import COLUMNS as SCENE_COLUMNS
from plexsync.rules.causes import DEADLY
from plexsync.rules.job import Kind, Why
from plexsync.rules.status_words import in_bucket
from plexsync.web.dead_pages import COLUMNS as DEAD_COLUMNS
from plexsync.web.pages import Ask, Wrong, action
from plexsync.web.scene_pages import asked_now, capitalized, scene_number
from plexsync.web.sorting import address, sort_named

NONE = "Tick the rows first."


def _keys(ask: Ask) -> list[Key]:
    """The ticked rows, each once; raises Wrong."""
    keys = [key_of(text) for text in dict.fromkeys(ask.picked)]
    if None in keys:
        raise Wrong("That is no key of a row: 7 is scene 7, tag:12 is tag 12.")
    return [key for key in keys if key is not None]


# --- scenes ----------------------------------------------------------------------------------------------------------


def scenes(ask: Ask) -> Response:
    """Sync, ignore or stop ignoring the ticked scenes, and show the list again."""
    name = ask.form.get("shown", "")
    sort = sort_named(ask.form.get("sort", ""), SCENE_COLUMNS)
    back = address("/scenes", {"stands": name} if in_bucket(name) else {}, sort)
    do = SCENES.get(ask.form.get("do", ""))
    if do is None:
        raise Wrong("There is no such step.")
    ids = list(dict.fromkeys(map(scene_number, ask.picked)))
    return ask.to(back, do(ask, ids)) if ids else ask.to(back, NONE, well=False)


def _sync(ask: Ask, ids: Sequence[int]) -> str:
    named = named_scenes(ask.desk.parts, ids)
    count = want_scenes(ask.desk.parts.store, named.syncable, Why.USER, ask.desk.parts.clock)
    closed = ask.desk.ask_servers() if count else ""
    rest = [
        f"{listed(named.ignored)} {_are(named.ignored)} ignored" if named.ignored else "",
        f"{listed(list(named.undone))} {_are(list(named.undone))} undone: redo ends that" if named.undone else "",
    ]
    return _sentences(f"{many(count, 'scene')} queued", *rest, *_doubts(named), asked_now(closed) if closed else "")


def _ignore(ask: Ask, ids: Sequence[int]) -> str:
    named = named_scenes(ask.desk.parts, ids)
    count = len(ignore_scenes(ask.desk.parts.store, named.existing, ask.desk.parts.clock))
    return _sentences(f"{many(count, 'scene')} ignored", *_doubts(named))


def _unignore(ask: Ask, ids: Sequence[int]) -> str:
    count = len(unignore_scenes(ask.desk.parts.store, ids, ask.desk.parts.clock))
    closed = ask.desk.ask_servers() if count else ""
    return _sentences(f"{many(count, 'scene')} synced again", asked_now(closed) if closed else "")


def _doubts(named: NamedScenes) -> tuple[str, str]:
    return missing_words(named), unchecked_words(named)


def _are(ids: Sequence[int]) -> str:
    return "is" if len(ids) == 1 else "are"


def _sentences(*parts: str) -> str:
    return " ".join(f"{capitalized(part)}." for part in parts if part)


SCENES: Mapping[str, Callable[[Ask, Sequence[int]], str]] = {"sync": _sync, "ignore": _ignore, "unignore": _unignore}


# --- dead letters ----------------------------------------------------------------------------------------------------


def letters(ask: Ask) -> Response:
    """Retry, ignore or drop the ticked rows; dropping asks first."""
    cause, do = ask.form.get("shown", ""), ask.form.get("do", "")
    sort = sort_named(ask.form.get("sort", ""), DEAD_COLUMNS)
    back = address("/dead", {"cause": cause} if cause in DEADLY else {}, sort)
    keys, parts = _keys(ask), ask.desk.parts
    if not keys:
        return ask.to(back, NONE, well=False)
    match do:
        case "retry":
            count = verbs.retry(parts.store, parts.clock, keys)[0]
            closed = ask.desk.ask_servers() if count else ""
            text = _sentences(f"{many(count, 'dead letter')} will be tried again", asked_now(closed) if closed else "")
        case "ignore":
            text = _ignore(ask, [id for kind, id in keys if kind == Kind.SCENE])
        case "drop" if ask.form.get("sure") != "yes":
            fields = {"do": "drop", "sure": "yes", "shown": cause if cause in DEADLY else "", "sort": str(sort)}
            return ask.show(
                "drop.html", count=len(keys), key="", cause="", fields=fields, picked=list(ask.picked), back=back
            )
        case "drop":
            count = verbs.drop(parts.store, parts.clock, keys)[0]
            text = f"{many(count, 'dead letter')} dropped: only an edit brings them back."
        case _:
            raise Wrong("There is no such step.")
    return ask.to(back, text)


routes = [action("/scenes/picked", scenes), action("/dead/picked", letters)]
