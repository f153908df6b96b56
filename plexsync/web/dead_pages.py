"""The pages of the dead-letter queue, by cause, with buttons for the rows that are ticked."""

import re
from collections.abc import Mapping
from itertools import chain, islice
from typing import Any

from starlette.responses import Response, StreamingResponse

from plexsync.engine import dead_letters as verbs
from plexsync.engine.dead_letters import Key
from plexsync.reports.dead_letters import LetterFacts, csv_pieces, groups, json_pieces, letter, letters
from plexsync.reports.format import many, sentences, stamp
from plexsync.reports.rows import key_of, row_facts, row_key, title
from plexsync.reports.scenes import facts_of
from plexsync.reports.status import too_many
from plexsync.rules.queue.job import Kind, State
from plexsync.rules.servers.causes import DEADLY
from plexsync.rules.words.sorting import COMPARED, NUMBER, DeadPlace, Sort
from plexsync.web.pages import PageCall, Wrong, action, address, page, sort_links, sort_named
from plexsync.web.scene_pages import NONE_PICKED, ignore_all

MOST_LISTED = 50
HERE = "/dead"
COLUMNS = (NUMBER, "title", "cause", "since", "error")


def dead(call: PageCall) -> Response:
    """The causes, each with its count, an example and its cure; and the rows, a page at a time."""
    cause = _cause(call.query.get("cause", ""))
    sort = sort_named(call.query.get("sort", ""), COLUMNS)
    after = _place(call.query, sort)
    parts = call.parts
    with parts.store.reading() as db:
        counts = db.jobs.count_dead()
        found = db.jobs.dead_in_order(sort, error_class=cause, limit=MOST_LISTED + 1, after=after)
        rows = [
            {**row_facts(row), "key": row_key(row.kind, row.id), "named": None, "title": title(db, row.kind, row.id)}
            | ({"named": facts_of(db, [row.id], ())[0]} if row.kind == Kind.SCENE else {})
            for _, row in found[:MOST_LISTED]
        ]
        by_cause = groups(db, counts, None)
    here = {"cause": cause} if cause else {}
    more: dict[str, str] = {}
    if len(found) > MOST_LISTED:
        last = found[MOST_LISTED - 1][0]
        more = {**here, "after": row_key(last.kind, last.id), **({"value": str(last.value)} if last.value else {})}
    return call.show(
        "dead.html",
        banner=too_many(sum(counts.values()), parts.config.dlq_max),
        total=sum(counts.values()),
        groups=by_cause,
        cause=cause,
        rows=rows,
        sort=sort,
        heads=sort_links(HERE, here, sort, COLUMNS, part="rows"),
        all_causes=address(HERE, {}, sort),
        only={name: address(HERE, {"cause": name}, sort) for name in counts},
        first=address(HERE, here, sort),
        later=after is not None,
        next=address(HERE, more, sort) if more else "",
    )


def _place(query: Mapping[str, str], sort: Sort) -> DeadPlace | None:
    """The last row of the page before."""
    if not query.get("after"):
        return None
    kind, id = _key(query["after"])
    value = query.get("value", "")[:COMPARED]
    if sort.column == "since" and not re.fullmatch(r"-?[0-9]{1,18}", value):
        raise Wrong("That is no time in milliseconds.")
    return DeadPlace(int(value) if sort.column == "since" else value, kind, id)


def _cause(text: str) -> str:
    """A known cause, or '' for any."""
    if text and text not in DEADLY:
        raise Wrong("There is no such cause.")
    return text


def _key(text: str) -> Key:
    """The key of a row: `7` is scene 7, `tag:12` is tag 12."""
    if (key := key_of(text)) is None:
        raise Wrong("That is no key of a row: 7 is scene 7, tag:12 is tag 12.")
    return key


def _which(given: Any) -> tuple[Key | None, str]:
    """One row, or all rows of a cause ('': all); a request names exactly one of the two."""
    key, cause, everything = given.get("key", ""), given.get("cause", ""), given.get("all", "")
    if bool(key) + bool(cause) + bool(everything) != 1:
        raise Wrong("Say which: one, those of a cause, or all.")
    return (_key(key) if key else None), _cause(cause)


def _back(call: PageCall) -> str:
    """The page that the button is on, with the cause and the order that it showed."""
    cause = _cause(call.form.get("shown", ""))
    return address(HERE, {"cause": cause} if cause else {}, sort_named(call.form.get("sort", ""), COLUMNS))


def retry(call: PageCall) -> Response:
    """Retry with all attempts."""
    key, cause = _which(call.form)
    store, clock = call.parts.store, call.parts.clock
    done = verbs.retry(store, clock, [key])[0] if key else verbs.retry_all(store, clock, cause)
    closed = call.desk.ask_servers()
    if not done:
        return call.to(_back(call), "That is no dead letter any more.", well=False)
    return call.to(_back(call), sentences(f"{many(done, 'dead letter')} will be tried again", closed))


def confirm_drop(call: PageCall) -> Response:
    """Ask before dropping: how many rows would leave the queue, and what that means."""
    if not call.query:
        return call.to(HERE)
    key, cause = _which(call.query)
    with call.reading() as db:
        count = int(verbs.is_open(db, *key)) if key else verbs.count(db, cause)
    fields = {name: call.query[name] for name in ("key", "cause", "all") if call.query.get(name)}
    return call.show(
        "drop.html", count=count, key=row_key(*key) if key else "", cause=cause, fields=fields, picked=[], back=HERE
    )


def drop(call: PageCall) -> Response:
    """Drop the rows from the queue."""
    key, cause = _which(call.form)
    store, clock = call.parts.store, call.parts.clock
    done = verbs.drop(store, clock, [key])[0] if key else verbs.drop_all(store, clock, cause)
    told = (
        f"{many(done, 'dead letter')} dropped: only an edit brings them back." if done else "That was not in the queue."
    )
    return call.to(_back(call), told, well=bool(done))


def picked(call: PageCall) -> Response:
    """Retry, ignore or drop the ticked rows; dropping asks first."""
    cause, do = call.form.get("shown", ""), call.form.get("do", "")
    sort = sort_named(call.form.get("sort", ""), COLUMNS)
    back = address(HERE, {"cause": cause} if cause in DEADLY else {}, sort)
    keys, parts = [_key(text) for text in dict.fromkeys(call.picked)], call.parts
    if not keys:
        return call.to(back, NONE_PICKED, well=False)
    match do:
        case "retry":
            count = verbs.retry(parts.store, parts.clock, keys)[0]
            closed = call.desk.ask_servers() if count else ""
            text = sentences(f"{many(count, 'dead letter')} will be tried again", closed)
        case "ignore":
            text = ignore_all(call, [id for kind, id in keys if kind == Kind.SCENE])
        case "drop" if call.form.get("sure") != "yes":
            fields = {"do": "drop", "sure": "yes", "shown": cause if cause in DEADLY else "", "sort": str(sort)}
            return call.show(
                "drop.html", count=len(keys), key="", cause="", fields=fields, picked=list(call.picked), back=back
            )
        case "drop":
            count = verbs.drop(parts.store, parts.clock, keys)[0]
            text = f"{many(count, 'dead letter')} dropped: only an edit brings them back."
        case _:
            raise Wrong("There is no such step.")
    return call.to(back, text)


def export(call: PageCall) -> Response:
    """All known facts of the dead letters (of one cause, or of one row), as a file."""
    cause, kind = _cause(call.query.get("cause", "")), str(call.path["kind"])
    found = iter(_one(call, call.query["key"])) if call.query.get("key") else letters(call.parts, cause)
    # The first row is read before the answer starts: a database error then gives an error page, not a truncated file.
    exported = chain(list(islice(found, 1)), found)
    if kind == "csv":
        pieces = csv_pieces(exported)
    elif kind == "json":
        pieces = json_pieces({"exported_at": stamp(call.now), "cause": cause or None}, "rows", exported)
    else:
        raise Wrong("Dead letters are exported as json or csv.")
    media = {"csv": "text/csv; charset=utf-8", "json": "application/json"}[kind]
    name = f"dead-letters{f'-{cause}' if cause else ''}.{kind}"
    return StreamingResponse(
        pieces, media_type=media, headers={"Content-Disposition": f'attachment; filename="{name}"'}
    )


def _one(call: PageCall, text: str) -> list[LetterFacts]:
    """The facts of this row, if it is a dead letter."""
    key = _key(text)
    with call.reading() as db:
        row = db.jobs.find(*key)
        return [letter(db, row)] if row is not None and row.state is State.DEAD else []


routes = [
    page(HERE, dead),
    page(f"{HERE}/drop", confirm_drop),
    page(f"{HERE}/export.{{kind}}", export),
    action(f"{HERE}/retry", retry),
    action(f"{HERE}/drop", drop),
    action(f"{HERE}/picked", picked),
]
