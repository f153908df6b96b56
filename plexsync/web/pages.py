"""How a page is served: a plain function in the desk's threads, and a template."""

import re
from collections.abc import Callable, Collection, Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlencode

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import Route

from plexsync.app.parts import Parts
from plexsync.app.version import repository, version
from plexsync.reports.fixes import compare_files, measures
from plexsync.reports.format import ago, lasting, many, parse_stamp, safe, share, stamp
from plexsync.reports.rows import PLAY_WORDS, on_screen, short
from plexsync.reports.scenes import left_out_words
from plexsync.reports.shapes.scenes import PastAttempt
from plexsync.reports.verdict import word_for_worker, worker_tone
from plexsync.rules.queue.choices import hold_cause
from plexsync.rules.queue.gate_names import caption
from plexsync.rules.record_class import record
from plexsync.rules.servers.causes import cause_word
from plexsync.rules.servers.errors import NeighbourError
from plexsync.rules.words.sorting import BY_NUMBER, Sort, read_sort
from plexsync.rules.words.status_words import SceneStatus, in_sync_words, job_word, status_of
from plexsync.store.database import Reader
from plexsync.web.addresses import ServerLinks, at_prefix, prefix_of
from plexsync.web.context import Busy, Desk
from plexsync.web.entry_desks import EntryDesk, EntryDesks
from plexsync.web.sessions import Session, Sessions

T = TypeVar("T")

HERE = Path(__file__).resolve().parent
LARGEST_ID = 2**63 - 1
RETRY_AFTER = "5"
# The number of scenes that one request can name or get.
MOST = 500
# What a list is sorted by, in a sentence, where that is not the name of the column.
SORT_WORDS = {"why": "reason", "error": "message", "lasted": "length", "what": "kind", "queued": "queued scenes"}
# The number of lines of a foreign text that a page shows.
MOST_LINES = 40
NAV = (
    ("/", "Overview"),
    ("/fix", "Fix"),
    ("/scenes", "Scenes"),
    ("/collections", "Collections"),
    ("/plays", "Way back"),
    ("/state", "Health"),
    ("/settings", "Settings"),
)
# The pages that belong to an entry of the bar, itself first.
SECTIONS = {
    "/": (("/", "Overview"), ("/runs", "Runs")),
    "/fix": (("/fix", "Problems"), ("/review", "Review"), ("/drift", "Drift"), ("/dead", "Dead letters")),
    "/state": (("/state", "Now"), ("/outages", "Outages"), ("/charts", "Charts"), ("/reconcile", "Reconcile")),
    "/settings": (
        ("/settings", "Settings"),
        ("/settings/plex", "Plex server"),
        ("/settings/provider", "Plex asks PlexSync"),
    ),
}

# Columns whose largest values come first: the newest times.
DOWN_FIRST = ("since",)


class PageNotFound(Exception):
    """Not found: 404."""


class Wrong(Exception):
    """An invalid request: 400, with this line."""


@record
class PageCall:
    """One request, as a handler sees it."""

    entry: EntryDesk
    """The Plex server that it is about."""
    entries: EntryDesks
    sessions: Sessions
    session: Session
    here: str
    """The requested path, without the prefix of a server."""
    path: Mapping[str, object]
    query: Mapping[str, str]
    form: Mapping[str, str]
    client: str
    """Whose wrong passwords count together: this browser's if it has signed in before, else those of its address."""
    cookie: str
    """The name of the session's cookie."""
    host: str
    """The name under which the browser reached the dashboard."""
    picked: tuple[str, ...]
    """The rows that were ticked in a list."""
    live: bool
    """Whether an open page requests its changed parts."""
    shown: str = ""
    """By what an open page shows of both servers; it asks for it anew only if that has changed."""
    extra: tuple[tuple[str, str], ...] = ()
    """More pages of Health."""

    @property
    def desk(self) -> Desk:
        """The desk on the server's database; raises DatabaseAway."""
        return self.entry.desk

    @property
    def parts(self) -> Parts:
        """The parts on the server's database; raises DatabaseAway."""
        return self.desk.parts

    def reading(self) -> AbstractContextManager[Reader]:
        """A transaction that reads the database."""
        return self.parts.store.reading()

    @property
    def now(self) -> int:
        """UTC milliseconds."""
        return self.desk.now

    @property
    def sections(self) -> dict[str, tuple[tuple[str, str], ...]]:
        """The pages of each entry of the bar that has several."""
        return {**SECTIONS, "/state": (*SECTIONS["/state"], *self.extra)}

    @property
    def place(self) -> str:
        """The page of the bar, or of a section, that the requested page belongs to."""
        page = self.here.removeprefix("/act")
        pages = (*NAV, *(entry for pages in self.sections.values() for entry in pages))
        return max((path for path, _ in pages if page.startswith(path)), key=len)

    @property
    def section(self) -> str:
        """The entry of the bar that the page belongs to."""
        place = self.place
        return next((path for path, pages in self.sections.items() if place in dict(pages)), place)

    @property
    def knows_you(self) -> bool:
        """Whether you have signed in, or need not."""
        return self.session.signed_in or not self.sessions.needs_password

    @property
    def shows_plexes(self) -> bool:
        """Whether a page names the Plex servers: there are several, and you have signed in if you have to."""
        return self.entries.are_several and self.knows_you

    def number(self, name: str) -> int:
        """A number in the path, such as a scene's; raises PageNotFound if it is not a number."""
        number = whole_number(str(self.path.get(name, "")), least=1)
        if number is None:
            raise PageNotFound
        return number

    def look(self, find: Callable[[Parts], T]) -> tuple[T | None, str]:
        """What is found at Stash and Plex now; or None, and why they can't be asked."""
        try:
            with self.desk.looking() as parts:
                return find(parts), ""
        except (NeighbourError, Busy) as error:
            return None, str(error)

    def show(self, template: str, *, status: int = 200, **values: Any) -> Response:
        """Render a template with these values."""
        notice = None if self.live else self.sessions.take_notice(self.session)
        desk = self.entry.open_desk
        common = {
            "nav": NAV,
            "here": self.section,
            "place": self.place,
            "pages": self.sections.get(self.section, ()),
            "version": version(),
            "repository": repository(),
            "knows_you": self.knows_you,
            "session": self.session,
            "may_sign_out": self.session.signed_in,
            "notice": notice,
            "plex_name": self.entry.name if self.shows_plexes else "",
            "plexes": lambda: plex_links(self),
            "is_lost": False,
            **(
                {"now": desk.now, "needing": desk.problems, "links": ServerLinks(desk.parts, self.host)} if desk else {}
            ),
        }
        token = Markup('<input type="hidden" name="token" value="{}">').format(self.session.token)
        text = TEMPLATES.get_template(template).render({**common, **values, "token": lambda: token})
        return HTMLResponse(at_prefix(text, self.entry.prefix), status)

    def to(self, path: str, notice: str = "", *, well: bool = True) -> Response:
        """Redirect after an action to this page, which shows the notice; `well` is False after a failure."""
        if notice:
            self.sessions.tell(self.session, notice, well=well)
        return RedirectResponse(f"{self.entry.prefix}{path}", 303)


def whole_number(text: str, *, least: int = 0, most: int = LARGEST_ID) -> int | None:
    """The whole number that a text is, within these bounds; None if it is none."""
    number = int(text) if re.fullmatch(r"[0-9]{1,19}", text) else -1
    return number if least <= number <= most else None


def scene_number(text: str) -> int:
    """A number of a scene in an address or a form, or 0; raises Wrong."""
    number = whole_number(text)
    if number is None:
        raise Wrong("That is no number of a scene.")
    return number


def scene_numbers(body: Mapping[str, object]) -> list[int]:
    """The scenes that the body of a request names; raises Wrong."""
    numbers = body.get("scenes")
    if (
        not isinstance(numbers, list)
        or not 0 < len(numbers) <= MOST
        or not all(type(number) is int and 1 <= number <= LARGEST_ID for number in numbers)
    ):
        raise Wrong(f"scenes must be a list of 1 to {MOST} numbers of scenes")
    return list(dict.fromkeys(numbers))


def later(status: int) -> dict[str, str]:
    """The Retry-After header for an answer with this status."""
    return {"Retry-After": RETRY_AFTER} if status == 503 else {}


Handler = Callable[[PageCall], Response]


def plex_links(call: PageCall) -> list[dict[str, object]]:
    """The switch between Plex servers: the same page of each, and how many problems of it need you; else empty.

    `is_away`: its database can't be used.
    """
    if not call.shows_plexes:
        return []
    counts = [(entry, entry.open_desk.known_problems() if entry.open_desk else None) for entry in call.entries.every]
    return [
        {
            "name": entry.name,
            "href": f"{prefix_of(entry.name)}{call.place}",
            "is_here": entry is call.entry,
            "problems": count or 0,
            "is_away": count is None,
        }
        for entry, count in counts
    ]


@record
class Tab:
    """A tab above a list: its name, the number of what it lists, its address, and whether it is open."""

    name: str
    count: int | None
    href: str
    here: bool


@record
class SortLink:
    """A heading that sorts: where it leads, and the `aria-sort` of its column now ('': the list is not sorted by it)."""

    href: str
    state: str = ""


def sort_named(text: str, columns: Collection[str], usual: Sort = BY_NUMBER) -> Sort:
    """The order that a request names, or the usual one; raises Wrong."""
    sort = read_sort(text) if text else usual
    if sort.column not in columns:
        raise Wrong(f"A list is sorted by one of these: {', '.join(columns)}; with a - before it, downwards.")
    return sort


def address(path: str, values: Mapping[str, str], sort: Sort = BY_NUMBER, usual: Sort = BY_NUMBER) -> str:
    """The address of a list with these filters, in this order; the usual order is not named."""
    named = {**values, **({} if sort == usual else {"sort": str(sort)})}
    return f"{path}?{urlencode(named)}" if named else path


def sort_links(
    path: str, values: Mapping[str, str], sort: Sort, columns: Collection[str], *, part: str, usual: Sort = BY_NUMBER
) -> dict[str, SortLink]:
    """The headings by column. `part` is the element of the page that has the list. A second click turns the order around."""
    links = {}
    for column in columns:
        here = column == sort.column
        down = not sort.down if here else column in DOWN_FIRST
        state = ("descending" if sort.down else "ascending") if here else ""
        links[column] = SortLink(f"{address(path, values, Sort(column, down), usual)}#{part}", state)
    return links


def page(path: str, handler: Handler) -> Route:
    """A route that shows a page."""
    return Route(path, _endpoint(handler), methods=["GET"])


def action(path: str, handler: Handler) -> Route:
    """A route for a form. The form's token was checked before (`plexsync.web.guard`)."""
    return Route(path, _endpoint(handler), methods=["POST"])


def bare(path: str, handler: Handler, method: str) -> Route:
    """A route that needs no database: its handler runs at once, in the event loop."""
    return Route(path, _endpoint(handler, needs_database=False), methods=[method])


def picture(svg: str) -> Response:
    """An SVG picture as a response."""
    return Response(svg, media_type="image/svg+xml")


def entry_of(request: Request) -> EntryDesk:
    """The Plex server that a request is about: by its prefix, or by the parameter `plex` of the API.

    Raises UnknownPlex.
    """
    entries: EntryDesks = request.app.state.entries
    name = request.scope["plexsync.plex"]
    if request.url.path.startswith("/api/"):
        name = request.query_params.get("plex", name)
    return entries.by_name(name)


def read_request(
    request: Request, form: Mapping[str, str], picked: tuple[str, ...] = (), entry: EntryDesk | None = None
) -> PageCall:
    """The request in the form that handlers take; about the server that it names, or about this one.

    Raises UnknownPlex.
    """
    state = request.app.state
    return PageCall(
        entry=entry or entry_of(request),
        entries=state.entries,
        sessions=state.sessions,
        session=request.scope["plexsync.session"],
        here=request.url.path,
        path=request.path_params,
        query=request.query_params,
        form=form,
        client=request.scope["plexsync.browser"] or (request.client.host if request.client else ""),
        cookie=request.scope["plexsync.cookie"],
        host=request.url.hostname or "",
        picked=picked,
        live=request.headers.get("x-live") == "1",
        shown=request.headers.get("x-shown", ""),
        extra=state.extra_nav,
    )


async def read_form(request: Request) -> PageCall:
    """The request with the fields of its form, in the form that handlers take. Raises UnknownPlex."""
    form: dict[str, str] = {}
    picked: tuple[str, ...] = ()
    if request.method == "POST":
        sent = await request.form()
        form = {name: value for name, value in sent.items() if isinstance(value, str)}
        picked = tuple(value for value in sent.getlist("pick") if isinstance(value, str))
    return read_request(request, form, picked)


def _endpoint(handler: Handler, *, needs_database: bool = True) -> Callable[[Request], Any]:
    async def endpoint(request: Request) -> Response:
        call = await read_form(request)
        if not needs_database:
            return handler(call)
        do = call.desk.act if request.method == "POST" else call.desk.run
        return await do(lambda: handler(call))

    return endpoint


def _line(text: object, longest: int = 400) -> str:
    """`safe` for any value."""
    return safe(str(text), longest)


def _lines(text: object, longest: int = 400) -> str:
    """As `_line`, but a line break of the text stays one: an element of class `lines` shows it."""
    whole = str(text).replace("\r\n", "\n")
    lines = whole[:longest].split("\n")[:MOST_LINES]
    return "\n".join(safe(line, longest) for line in lines) + ("..." if len(whole) > longest else "")


def _breakable(name: str) -> Markup:
    """A name that may break behind its underscores, and nowhere else."""
    return Markup("_<wbr>").join(name.split("_"))


def _moment(value: int | str | None, now: int) -> Markup:
    """A moment (UTC ms, or RFC 3339) as a `time` element: relative time, with the full time as its title."""
    if value is None or value == "":
        return Markup("never")
    from_text = isinstance(value, str)
    at = parse_stamp(str(value)) if from_text else int(value)
    text = str(value) if from_text else stamp(at)
    return Markup('<time datetime="{0}" title="{0}">{1}</time>').format(text, ago(at, now))


def is_failure(attempt: PastAttempt) -> bool:
    """Whether this attempt failed. Others ended with a status that is no fault: not in Plex yet, not shown, needs you."""
    return status_of(attempt["then"], attempt["cause"], "") in (
        SceneStatus.IN_SYNC,
        SceneStatus.QUEUED,
        SceneStatus.FAILED,
    )


def _environment() -> Environment:
    made = Environment(
        loader=FileSystemLoader(HERE / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters |= {
        "play_words": lambda state: PLAY_WORDS.get(state, state),
        "line": _line,
        "lines": _lines,
        "breakable": _breakable,
        "moment": _moment,
        "stamp": stamp,
        "lasting": lasting,
        "number": "{:,}".format,
        "share": share,
        "short": short,
        "on_screen": on_screen,
        "left_out": left_out_words,
        "measures": measures,
        "compared": compare_files,
        "caption": caption,
        "hold_cause": hold_cause,
    }
    made.globals |= {
        "many": many,
        "sort_words": SORT_WORDS,
        "status": SceneStatus,
        "in_sync_words": in_sync_words,
        "cause_word": cause_word,
        "job_word": job_word,
        "status_of": status_of,
        "is_failure": is_failure,
        "word_for_worker": word_for_worker,
        "worker_tone": worker_tone,
    }
    return made


TEMPLATES = _environment()
