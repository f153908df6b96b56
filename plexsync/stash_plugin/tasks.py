"""The tasks on Stash's task page, and the operations of PlexSync's own page in Stash.

A task reports its progress in Stash's log and answers with a sentence; an operation answers with data. Both run the
ordinary commands of `plexsync`. Neither waits for anything in Stash's job queue. Standard library only, so that an
installation without its packages can also report what is missing.
"""

import os
import re
from collections.abc import Callable, Mapping
from contextlib import suppress
from types import MappingProxyType
from typing import Any

from plexsync.rules.servers.errors import Unusable
from plexsync.stash_plugin import dependencies, installer, page_tasks, worker_process
from plexsync.stash_plugin.stash_words import PAGE, Failed, in_its_field, inside, inside_all, log
from plexsync.stash_plugin.task_run import Facts, TaskRun
from plexsync.store import intake
from plexsync.store.files import older_database, setup_files

# Seconds that an operation may take, because a page waits for it. Reading from both servers takes longest.
PATIENCE = 60.0
MOST_IDS = 500
# In characters: of a field or a library.
LONGEST_NAME = 500
NO_WORKER = "no worker runs"
SERVED = "the worker does the rest"


def reconcile(call: TaskRun) -> str:
    """Run a full comparison, and work what differs."""
    call.plexsync("reconcile")
    return f"everything was compared, as told in Stash's log; {drain(call)}"


# The words on screen for keys of the answer.
QUEUED = {"wanted": "queued"}


def _queue_and_work(call: TaskRun, counted: str, *words: str) -> str:
    """Run a command that queues jobs, and make sure that they are worked: by the worker, or here if none runs."""
    facts = call.facts(*words)
    if facts["code"] != 0:
        raise Failed(str(facts.get("error")))
    rest = drain(call)
    if rest == SERVED and facts.get("why"):
        rest = f"{SERVED} when this is over: {facts['why']}"
    return f"{facts.get(counted, 0)} {QUEUED.get(counted, counted)}; {rest}"


def drain(call: TaskRun) -> str:
    """Work the due jobs, unless a worker runs."""
    if worker_process.worker_runs(call):
        return SERVED
    return call.plexsync("drain")


def preview(call: TaskRun) -> str:
    """Look what a sync of the whole library would change, and keep it for the page."""
    facts = call.facts("setup", "preview", "--progress")
    if facts["code"] != 0:
        raise Failed(str(facts.get("error")))
    if not facts["done"]:
        raise Failed("another preview is being made")
    result = page_preview(call)
    return f"{result['change']:,} of {result['total']:,} scenes would change: Show the preview on {PAGE} shows some"


def status(call: TaskRun) -> str:
    """Show the status."""
    call.plexsync("status")
    return "the status is in Stash's log"


# The level in Stash's log for the result of a check.
LEVELS = {"problem": "e", "warning": "w"}


def doctor(call: TaskRun) -> str:
    """Run all checks; a problem is an error in Stash's log."""
    facts = call.facts("doctor")
    if not isinstance(facts.get("checks"), list):
        raise Failed(str(facts.get("error")))
    checks = []
    for server in _servers(facts):
        checks += server["checks"]
        for check in server["checks"]:
            fix = f" -> {check['mend']}" if check["mend"] else ""
            name = f"{server['plex']}: {check['name']}" if "plex" in server else check["name"]
            log(LEVELS.get(check["state"], "i"), f"{name}: {in_its_field(check['told'])}{inside(fix)}")
    counts = {state: sum(check["state"] == state for check in checks) for state in LEVELS}
    words = (f"{count} {state}{'' if count == 1 else 's'}" for state, count in counts.items())
    summary = f"{', '.join(words)}; the details are in Stash's log"
    if facts["code"] != 0:
        raise Failed(summary)
    return summary


def _servers(facts: Facts) -> list[Any]:
    """Return the facts of each of several Plex servers, with its name in `plex`; those of a single one without."""
    servers = facts.get("servers")
    return servers if isinstance(servers, list) else [facts]


def start(call: TaskRun) -> str:
    """Switch the worker on and start it."""
    # This reports wrong settings, and creates the database.
    if problem := call.facts("status").get("error"):
        raise Failed(str(problem))
    if not worker_process.start(call):
        return "a worker runs already"
    return "the worker runs, and is started again when a change needs it"


def stop(call: TaskRun) -> str:
    """Switch the worker off, and wait until it has ended."""
    if intake.read_switch(call.folder) == intake.OFF and not worker_process.worker_runs(call):
        return NO_WORKER
    worker_process.switch(call, intake.OFF)
    if worker_process.ends(call, worker_process.END):
        return "the worker has ended, and is not started again"
    raise Failed("a worker goes on: it was not started by Stash, so stop it where it was started")


def install_packages(call: TaskRun) -> str:
    """Install the packages, or repair what is installed."""
    os.makedirs(call.folder, mode=0o700, exist_ok=True)
    tidy = not worker_process.has_worker(call)
    return dependencies.install(
        call.folder, lambda part: log("p", f"{part:.3f}"), lambda line: log("d", line), tidy=tidy
    )


def provide(call: TaskRun) -> None:
    """After an update that changed the list of packages, install it before a task runs."""
    if dependencies.is_outdated(call.folder):
        log("i", "PlexSync: after the update its packages are installed first")
        install_packages(call)


def not_ready(call: TaskRun, error: dependencies.NotReady) -> Facts:
    """Return why the packages can't be used; after an update their installation is started, and the worker's then."""
    if dependencies.is_outdated(call.folder) and dependencies.may_try(call.folder):
        installer.start_installing(call.folder, call.server)
        installation: Facts = {"running": True, "part": 0.0, "error": ""}
    else:
        installation = dependencies.installation(call.folder)
    return {"error": str(error), "installed": False, "installation": installation}


def page_status(call: TaskRun) -> Facts:
    """Return the status, whether the worker inside Stash is switched on, and whether a database is too old to be used.

    `guide`: the set-up guide was begun and is not closed.
    """
    facts = call.facts("status")
    if "verdict" not in facts and facts.get("problem"):
        # Of several Plex servers the page is about the first one, whose database can't be used.
        facts["error"] = facts["problem"]
    too_old = bool(facts.get("error") and older_database.older_databases(call.folder))
    notes = setup_files.read(call.folder, setup_files.NOTES).get("public")
    guide = isinstance(notes, dict) and bool(notes.get("stage"))
    return {**facts, "inside": intake.read_switch(call.folder) != intake.OFF, "too_old": too_old, "guide": guide}


def page_preview(call: TaskRun) -> Facts:
    """Return the last preview, and when it was made. Raises Failed."""
    notes = setup_files.read(call.folder, setup_files.PREVIEW)
    result = notes.get("result")
    if not isinstance(result, dict):
        raise Failed(str(notes.get("error") or "there is no preview yet: run the task Preview"))
    file = os.stat(os.path.join(setup_files.place(call.folder), setup_files.PREVIEW))
    return {**result, "at": round(file.st_mtime * 1000)}


def page_sync(call: TaskRun) -> Facts:
    """Sync a scene now: by the worker, or here if none runs."""
    words = ("sync", _number(call, "scene"))
    facts = call.facts(*words)
    return facts if facts["code"] != 0 or worker_process.worker_runs(call) else call.facts(*words, "--wait")


def page_act(call: TaskRun) -> Facts:
    """Undo, release or redo a scene, or decide about what was edited of it in Plex: by the worker, or here if none runs."""
    verb, scene = call.args.get("verb", "redo"), _number(call, "scene")
    if verb in ("keep", "take", "unkeep"):
        chosen = [f"--{name}={_text(call, name)}" for name in ("field", "library") if call.args.get(name)]
        facts = _then_worked(call, "drift", f"--{verb}", *chosen, scene)
        is_left = verb == "take" and facts["code"] == 0 and not facts["worker"]
        return {**facts, **call.facts("sync", scene, "--wait")} if is_left else facts
    if verb not in ("undo", "release", "redo"):
        raise Failed("no action is named")
    here = () if worker_process.worker_runs(call) else ("--wait",)
    return call.facts(str(verb), scene, *here)


def page_accept(call: TaskRun) -> Facts:
    """Accept a change that only you can judge; a worker then compares every scene."""
    choice = str(call.args.get("choice", ""))
    if not re.fullmatch(r"[a-z][a-z-]{0,30}", choice):
        raise Failed("no choice is named")
    return _then_worked(call, "accept", choice)


def page_anew(call: TaskRun) -> Facts:
    """Move the databases away that are too old to be used, and keep them: the next command begins anew."""
    try:
        return {"kept": older_database.move_away(call.folder)}
    except Unusable as error:
        raise Failed(str(error)) from error


def page_renew(call: TaskRun) -> Facts:
    """Look whether the PIN was confirmed; with the new token the worker goes on."""
    facts = call.facts("setup", "renew")
    return {**facts, "worker": worker_process.worker_runs(call)} if facts.get("renewed") else facts


def page_set(call: TaskRun) -> Facts:
    """Change one setting; an empty value removes it. Raises Failed."""
    return call.facts("setup", "set", "--", *page_tasks.setting_of(call.args))


def _then_worked(call: TaskRun, *words: str) -> Facts:
    """Run a command that leaves work to a worker, and make sure that one runs."""
    return {**call.facts(*words), "worker": worker_process.worker_runs(call)}


def _number(call: TaskRun, name: str) -> str:
    """Return the number that the argument `scene` or `item` holds. Raises Failed."""
    number = str(call.args.get(name, ""))
    if not re.fullmatch(r"[1-9][0-9]{0,17}", number):
        raise Failed(f"no {name} is named")
    return number


def _text(call: TaskRun, name: str) -> str:
    """Return the text that an argument holds. Raises Failed."""
    text = call.args.get(name)
    if not isinstance(text, str) or not 1 <= len(text) <= LONGEST_NAME:
        raise Failed(f"no {name} is named")
    return text


def _which(call: TaskRun) -> tuple[str, ...]:
    """Return the rows as the program names them (7 or tag:12), or --all. Raises Failed."""
    if call.args.get("all") is True:
        return ("--all",)
    rows = call.args.get("rows")
    names = [str(row) for row in rows] if isinstance(rows, list) else []
    if not 1 <= len(names) <= MOST_IDS or not all(re.fullmatch(r"([a-z]+:)?[1-9][0-9]{0,17}", row) for row in names):
        raise Failed("no row is named")
    return tuple(names)


TASKS: dict[str, Callable[[TaskRun], str]] = {
    "sync_all": lambda call: _queue_and_work(call, "wanted", "sync", "--all"),
    "sync_recent": lambda call: _queue_and_work(call, "wanted", "sync", "--since", "1d"),
    "preview": preview,
    "reconcile": reconcile,
    "drain": drain,
    "retry": lambda call: _queue_and_work(call, "retried", "dlq", "retry", "--all"),
    "status": status,
    "doctor": doctor,
    "install": install_packages,
    "start": start,
    "stop": stop,
}
# The tasks that only the page of PlexSync starts.
PAGE_TASKS = {"answer": page_tasks.answer}
OPERATIONS: dict[str, Callable[[TaskRun], Facts]] = {
    # Called by the wake-up inside Stash, and by its page.
    "wake": lambda call: {"told": worker_process.wake(call)},
    "page_status": page_status,
    "page_letters": lambda call: call.facts("dlq", "list"),
    "page_retry": lambda call: _then_worked(call, "dlq", "retry", *_which(call)),
    "page_drop": lambda call: call.facts("dlq", "drop", "--yes", *_which(call)),
    "page_scene": lambda call: call.facts("explain", _number(call, "scene")),
    "page_ping": lambda call: call.facts("ping", _number(call, "scene")),
    "page_sync": page_sync,
    "page_act": page_act,
    "page_bind": lambda call: _then_worked(call, "bind", _number(call, "scene"), _number(call, "item")),
    "page_preview": page_preview,
    "page_approve": lambda call: _then_worked(call, "sync", "--all", "--yes"),
    "page_accept": page_accept,
    "page_anew": page_anew,
    "page_answer": page_tasks.page_answer,
    "page_runs": lambda call: call.facts("history"),
    "page_settings": lambda call: call.facts("setup", "settings"),
    "page_set": page_set,
    "page_sign_in": lambda call: call.facts("setup", "sign-in", "--renew"),
    "page_renew": page_renew,
}


# These run whatever the settings are: they change none of the library, or show the wrong ones themselves.
WITHOUT_SETTINGS = {"install", "stop", "doctor"}
# What a page shows first: there a wrong setting is told.
SHOW_SETTINGS = {"page_status", "page_scene"}


def run_task(
    folder: str,
    server: Mapping[str, object],
    args: Mapping[str, object],
    more: "Mapping[str, Callable[[TaskRun], Facts]]" = MappingProxyType({}),
) -> Facts:
    """Run the task or operation that `args` name, or one of `more` operations; returns the answer to Stash."""
    mode = str(args.get("mode"))
    operation = OPERATIONS.get(mode) or more.get(mode)
    session = args.get("session")
    # Stash gives a request of the wake-up no session of its own, so the wake-up passes on the one that it has.
    server = {**server, "SessionCookie": session} if isinstance(session, dict) else server
    call = TaskRun(folder, server, args, patience=PATIENCE if operation else None)
    intake.note_call(folder)
    try:
        if operation:
            return {"output": inside_all(_run_operation(call, mode, operation))}
        if mode in (*TASKS, *PAGE_TASKS):
            summary = inside(_run_mode(call, mode))
            log("i", f"PlexSync: {summary}")
            return {"output": summary}
    except (Failed, dependencies.NotReady) as error:
        return {"error": f"PlexSync: {inside(str(error))}"}
    except OSError as error:
        return {"error": f"PlexSync: {error.filename or folder} can't be used: {error.strerror}"}
    return {"error": f"PlexSync: {mode[:40]!r} is no task"}


def _run_mode(call: TaskRun, mode: str) -> str:
    """Run a task; a server that is on hold is told in every answer. Raises Failed, also for a wrong setting."""
    if mode not in ("install", "stop"):
        provide(call)
    if mode in WITHOUT_SETTINGS:
        return TASKS[mode](call)
    if call.wrong_settings and mode == "status":
        with suppress(Failed):
            status(call)
    if call.wrong_settings:
        raise Failed(" / ".join(call.wrong_settings))
    told = [(TASKS.get(mode) or PAGE_TASKS[mode])(call)]
    for server in _servers(call.facts("status")):
        for held in server.get("holds", {}).values():
            hold = f"{server['plex']}: {held['message']}" if "plex" in server else str(held["message"])
            if hold not in told[0]:
                log("e", inside(f"PlexSync: {hold}"))
                told.append(hold)
    return "; ".join(told)


def _run_operation(call: TaskRun, mode: str, operation: Callable[[TaskRun], Facts]) -> Facts:
    """Run an operation; a failure becomes part of its data, for the page to show, and so does a wrong setting."""
    try:
        os.makedirs(call.folder, mode=0o700, exist_ok=True)
        facts = operation(call)
        wrong = call.wrong_settings if mode in SHOW_SETTINGS else []
        return {**facts, "wrong_settings": wrong} if wrong else facts
    except dependencies.NotReady as error:
        return not_ready(call, error)
    except Failed as error:
        return {"error": str(error)}
