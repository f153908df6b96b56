"""The page that sets PlexSync up, `/start`: what the dashboard has while nothing is configured.

Each step is a call of `plexsync setup` on a draft of the settings, which the last step turns into plexsync.toml. Then the
parent process finds settings, and goes on as the worker with the whole dashboard. No token reaches the page.
"""

import asyncio
import json
import logging
import os
import secrets
import subprocess
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from functools import partial
from pathlib import Path
from typing import TypedDict

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

from plexsync.app.parts import open_parts
from plexsync.app.setting_change import like_a_secret, why_not, why_unguarded
from plexsync.engine.clock import SystemClock
from plexsync.rules.servers.neighbours import Clock
from plexsync.store.files import setup_files
from plexsync.web import login_pages, picture_pages
from plexsync.web.context import Busy, Desk, Origins
from plexsync.web.entry_desks import DatabaseAway, EntryDesk, EntryDesks
from plexsync.web.guard import Doors, Guard, cookie_header, log_fault
from plexsync.web.pages import HERE, PageCall, PageNotFound, read_form, read_request, whole_number
from plexsync.web.sessions import Session, Sessions
from validation.config import PlexSyncConfig
from validation.locations import TOML
from validation.redact import one_line
from validation.sources import load

log = logging.getLogger("PlexSync.web")

START = "/start"
# The steps as the page names them, by their names in `plexsync setup`.
STEPS = {
    "sign-in": "Sign in to Plex",
    "server": "Server",
    "libraries": "Libraries",
    "stash": "Stash",
    "paths": "Path mapping",
    "preview": "Preview",
    "work": "First scenes",
}
BEFORE = {"server": "sign-in", "libraries": "server", "stash": "libraries", "paths": "stash", "preview": "paths"}
# The steps that run in a process of their own, with the files of their results.
LONGER = {"paths": setup_files.PATHS, "preview": setup_files.PREVIEW}
# Seconds until a page that waits is loaded again, and that a short step may take.
SOON, PATIENCE = 3, 120
# The variables that say where the servers are.
OF_SERVERS = ("PLEXSYNC_STASH_", "PLEXSYNC_TLS_")
LONGEST = 500  # characters of what a failed step has said
# A code is of letters and digits that can't be taken for others, and lasts 15 minutes.
LETTERS, LENGTH = "ABCDEFGHJKMNPQRSTUVWXYZ23456789", 8
LASTS = 900.0
OUT_OF_DATE = "That page was out of date. This is the present step."
FAILED = "This step did not end as it should. The log says more."


class GuideRequest(TypedDict):
    """What the parent process writes while nothing is configured: how a step is called, and the folder of the draft.

    `away`: Stash can't be asked, and may have settings; without a folder, it has them, and they are waited for.
    """

    command: list[str]
    environ: dict[str, str]
    folder: str
    away: bool
    config: dict[str, object]
    file: str
    key: str


class CodeSessions(Sessions):
    """Sessions with a code in the place of a password: it is printed, and counts for some minutes.

    Wrong codes are counted by address, as wrong passwords are: a stranger keeps nobody else out.
    """

    def __init__(self, key: bytes, clock: Clock) -> None:
        super().__init__(key, key, "a code", clock)
        self.later: Sessions | None = None
        """Those of the dashboard that comes, once its password was chosen: their cookies count here too."""
        self._now = clock.monotonic
        self._guarding = threading.Lock()
        self._code, self._began = "", -LASTS

    @property
    def is_over(self) -> bool:
        """Whether no code counts now."""
        return self._now() - self._began >= LASTS

    def read(self, cookie: str) -> Session | None:
        """The session of a valid cookie; None if it is invalid or expired."""
        return super().read(cookie) or (self.later.read(cookie) if self.later else None)

    def print_code(self) -> bool:
        """Print a new code if the one before is over; False if that one still counts."""
        with self._guarding:
            if not self.is_over:
                return False
            self._code = "".join(secrets.choice(LETTERS) for _ in range(LENGTH))
            self._began = self._now()
        shown = f"{self._code[:4]}-{self._code[4:]}"
        log.warning("the code for %s is %s, for 15 minutes", START, shown)
        return True

    def is_password(self, typed: str) -> bool:
        """Whether this is the code, and it still counts."""
        with self._guarding:
            if self.is_over:
                return False
            plain = typed.upper().replace("-", "").replace(" ", "")
            return secrets.compare_digest(plain.encode(errors="replace"), self._code.encode())


class SetupGuide:
    """The set-up under way: its steps, and the desk on the database of the draft, for pictures."""

    def __init__(self, request: GuideRequest, config: PlexSyncConfig) -> None:
        self.config = config
        self.key = bytes.fromhex(request["key"])
        self.needs_password = bool(why_unguarded(config))
        self.away = request["away"]
        self.entries = EntryDesks([EntryDesk("", self._draft)])
        self._request = request
        self.folder = request["folder"]
        self._process: subprocess.Popen[str] | None = None
        self._opened = ""
        self._stepping, self._beginning = threading.Lock(), threading.Lock()

    def state(self) -> dict[str, object]:
        """What is known; of a step that takes longer, how far it is (`doing`, `part`), its `result`, or why it `failed`."""
        facts = setup_files.shown_notes(self.folder) or {"stage": "sign-in", "pin": None}
        stage = str(facts["stage"])
        if stage not in LONGER:
            return facts
        with self._beginning:
            # Its result is written before it ends.
            runs = self._process is not None and self._process.poll() is None
            result = setup_files.read(self.folder, LONGER[stage])
            # One that was ended begins anew, as after a restart of serve.
            if not runs and (not result or (self._process is None and "doing" in result)):
                self._begin(stage)
                runs = True
        failed = "" if runs else str(result.get("error", "" if "result" in result else FAILED))
        return {
            **facts,
            "doing": str(result.get("doing", "starting")) if runs else "",
            "part": result.get("part") if runs else None,
            "scenes": result.get("scenes", ()) if runs else (),
            "result": None if runs else result.get("result"),
            "failed": failed,
        }

    def edition(self) -> str:
        """By what the settings that were chosen so far differ from any others; '' without any."""
        try:
            return str(Path(self.folder, TOML).stat().st_mtime_ns)
        except OSError:
            return ""

    def run(self, *words: str, typed: str = "") -> str:
        """Run a short step, with a line for its standard input; returns why it failed, or ''."""
        with self._stepping:
            return self._program("setup", "--alone", "--data-dir", self.folder, *words, typed=typed)

    def look_again(self, stage: str) -> str:
        """Forget what a longer step has found."""
        setup_files.remove(self.folder, LONGER[stage])
        return ""

    def finish(self, *, whole: bool, password: str) -> str:
        """Approve and queue the whole library if `whole`, then write the settings; returns why that failed, or ''."""
        with self._stepping:
            # The settings come last: with them the worker begins.
            queued = self._program("sync", "--all", "--yes") if whole else ""
        return queued or self.run("finish", self._request["file"], typed=password)

    def _program(self, *words: str, typed: str = "") -> str:
        # A longer step under way need not end: what comes does not wait for it.
        self._end_longer()
        try:
            done = subprocess.run(  # noqa: S603 - the command is PlexSync's own
                [*self._request["command"], *words],
                input=f"{typed}\n",
                capture_output=True,
                text=True,
                encoding="utf-8",
                env={**os.environ, **self._request["environ"]},
                timeout=None if words[0] == "sync" else PATIENCE,
                check=False,
            )
            return str(json.loads(done.stdout).get("error", ""))
        except subprocess.TimeoutExpired:
            return "Nothing answered in time. Try again."
        except ValueError:
            log.warning("a step of the set-up failed: %s", one_line(done.stderr[-LONGEST:]))
            return FAILED

    def _begin(self, stage: str) -> None:
        setup_files.write(self.folder, LONGER[stage], {"doing": "starting"})
        self._process = subprocess.Popen(  # noqa: S603 - as above
            [*self._request["command"], "setup", "--alone", "--data-dir", self.folder, stage],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            text=True,
            env={**os.environ, **self._request["environ"]},
        )

    @contextmanager
    def _draft(self) -> Iterator[Desk]:
        environ = {name: value for name, value in self._request["environ"].items() if name.startswith(OF_SERVERS)}
        loaded = load(environ=environ, toml_path=Path(self.folder, TOML), overrides={"data_dir": self.folder})
        with (
            open_parts(loaded.config, Path(self.folder)) as parts,
            closing(Desk(parts, Origins({}, Path()))) as opened,
        ):
            yield opened

    def open_pictures(self) -> None:
        """Let the pictures of the preview be fetched by what was chosen, also after it was chosen anew."""
        mark = self.edition()
        if mark != self._opened:
            self._opened = mark
            self.entries.close()
            self.entries.every = (EntryDesk("", self._draft),)
            self.entries.first.try_open()

    def _end_longer(self) -> None:
        with self._beginning:
            if self._process is not None:
                self._process.kill()
                self._process.wait()
                self._process = None

    def close(self) -> None:
        """End a longer step, and close the database of the draft."""
        self._end_longer()
        self.entries.close()


# --- the page --------------------------------------------------------------------------------------------------------


def start(guide: SetupGuide, call: PageCall) -> Response:
    """The step that is next."""
    if not guide.folder:
        response = call.show(
            "start.html", state={"stage": ""}, steps={}, stash_url=guide.config.stash_url, is_lost=True
        )
        response.headers["Refresh"] = f"{SOON}"
        return response
    shown, state, problem = guide.edition(), guide.state(), ""
    if state["stage"] == "sign-in" and state["pin"]:
        problem = guide.run("check")
        state = guide.state()
    if state["stage"] == "preview" and (state["result"] or state["scenes"]):
        guide.open_pictures()
    response = call.show(
        "start.html",
        state=state,
        problem=problem,
        steps=STEPS,
        before=BEFORE.get(str(state["stage"]), ""),
        shown=shown,
        away=guide.away,
        stash_url=guide.config.stash_url,
        needs_password=guide.needs_password,
        is_lost=True,
    )
    is_typing = guide.needs_password and state.get("scenes")
    if (state["stage"] == "sign-in" and state["pin"] and not problem) or (state.get("doing") and not is_typing):
        response.headers["Refresh"] = f"{SOON}"
    if state["stage"] == "work":
        response.headers["Refresh"] = f"{SOON}; url=/"
    return response


def act(guide: SetupGuide, call: PageCall) -> Response:
    """Do what a button says, and show the step that is next."""
    form, step = call.form, call.form.get("step", "")
    if guide.folder and guide.state()["stage"] == "work":
        return call.to(START)
    address = form.get("address", "").strip()
    problem = f"the address {problem}" if (problem := like_a_secret(address)) else ""
    if not problem and guide.folder and step in ACTS:
        problem = ACTS[step](guide, call)
    response = call.to(START, problem, well=False)
    if step == "finish" and not problem and isinstance(call.sessions, CodeSessions):
        # Whoever has chosen the password need not type it again.
        call.sessions.later = Sessions(guide.key, guide.key, form["password"], SystemClock())
        return _signed_in(response, call, call.sessions.later)
    return response


def _server(guide: SetupGuide, call: PageCall) -> str:
    place, _, name = call.form.get("server", "").partition(" ")
    number, servers = whole_number(place, most=999), guide.state().get("servers")
    # A page from before another sign-in lists other servers.
    names = [server["name"] for server in servers] if isinstance(servers, list) else []
    if number is None or names[number : number + 1] != [name]:
        return OUT_OF_DATE
    return guide.run("server", f"--address={call.form.get('address', '').strip()}", str(number))


def _typed(guide: SetupGuide, call: PageCall, step: str) -> str:
    return guide.run(step, f"--address={call.form.get('address', '').strip()}", typed=call.form.get("key", "").strip())


def _finish(guide: SetupGuide, call: PageCall) -> str:
    password = call.form.get("password", "")
    # The yes is to the preview that this page has shown.
    if guide.state()["stage"] != "preview" or call.form.get("shown") != guide.edition():
        return OUT_OF_DATE
    if guide.needs_password and (problem := why_not("web_password", password) if password else "is missing"):
        return f"Choose a password: it {problem}."
    return guide.finish(whole=call.form.get("whole") == "yes", password=password)


def _stage(guide: SetupGuide, call: PageCall) -> str:
    wanted = call.form.get("stage", "")
    return guide.run("stage", wanted) if wanted in STEPS and wanted != "work" else ""


# What the buttons do, by their step; each returns why it failed, or ''.
ACTS: Mapping[str, Callable[[SetupGuide, PageCall], str]] = {
    "sign-in": lambda guide, _call: guide.run("sign-in"),
    "token": lambda guide, call: _typed(guide, call, "token"),
    "server": _server,
    "libraries": lambda guide, call: guide.run("libraries", "--", *call.picked),
    "stash": lambda guide, call: _typed(guide, call, "stash"),
    "paths": lambda guide, call: guide.run("rules", f"--rules={call.form.get('rules', '')}"),
    "again": lambda guide, call: guide.look_again(call.form["stage"]) if call.form.get("stage") in LONGER else "",
    "stage": _stage,
    "finish": _finish,
}


def code_page(sessions: CodeSessions, call: PageCall) -> Response:
    """Ask for the code; POST takes it, or prints a new one."""
    problem, status, headers = "", 200, dict[str, str]()
    if call.form.get("new"):
        problem, status = "" if sessions.print_code() else "The last code still counts.", 401
    elif call.form and (wait := sessions.wait(call.client)):
        problem, status = f"Too many wrong codes: try again in {wait:.0f} s.", 429
        headers = {"Retry-After": f"{wait:.0f}"}
    elif call.form:
        if sessions.is_password(call.form.get("password", "")[:100]):
            return _signed_in(RedirectResponse(START, 303), call, sessions)
        sessions.count_attempt(call.client)
        problem, status = "This is not the code.", 401
    response = call.show("start_code.html", status=status, problem=problem, over=sessions.is_over, is_lost=True)
    response.headers.update(headers)
    return response


def _bug(request: Request, error: Exception) -> Response:
    text = log_fault(request.url.path, error)
    words = {"text": text, "more": "", "hint": "", "needing": lambda: 0, "is_lost": True}
    return read_request(request, {}).show("told.html", status=500, **words)


def _signed_in(response: Response, call: PageCall, sessions: Sessions) -> Response:
    value = sessions.encode(sessions.fresh(signed_in=True))
    response.headers.append("set-cookie", cookie_header(call.cookie, value))
    return response


def build_start(guide: SetupGuide, doors: Doors) -> Guard:
    """The application, behind its guard."""
    key, clock = guide.key, SystemClock()

    def route(path: str, method: str, handler: Callable[[PageCall], Response]) -> Route:
        async def answer(request: Request) -> Response:
            return await asyncio.to_thread(handler, await read_form(request))

        return Route(path, answer, methods=[method])

    sessions, login = Sessions(key, key, guide.config.web_password, clock), login_pages.routes
    if guide.needs_password:
        sessions = by_code = CodeSessions(key, clock)
        by_code.print_code()
        login = [route("/login", method, partial(code_page, by_code)) for method in ("GET", "POST")]
    app = Starlette(
        routes=[
            route(START, "GET", partial(start, guide)),
            route(START, "POST", partial(act, guide)),
            *login,
            Route("/health", lambda _request: JSONResponse({"error": "not set up yet"}, 503)),
            Route("/health/live", lambda _request: JSONResponse({"alive": True})),
            *picture_pages.routes,
            Mount("/static", StaticFiles(directory=HERE / "static")),
            Route("/{path:path}", lambda _request: RedirectResponse(START, 303)),
        ],
        exception_handlers={
            **dict.fromkeys((PageNotFound, DatabaseAway, Busy), lambda _request, _error: Response(status_code=404)),
            Exception: _bug,
        },
    )
    app.state.entries, app.state.sessions, app.state.extra_nav = guide.entries, sessions, ()
    return Guard(app, doors=doors, sessions=sessions, names=(), end=lambda: None)
