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

from plexsync.rules.errors import Unusable
from plexsync.stash_plugin import dependencies, package_tasks, worker_process
from plexsync.stash_plugin.stash_words import in_its_field, inside, inside_all
from plexsync.stash_plugin.task_run import Facts, TaskRun
from plexsync.stash_plugin.worker_process import Failed, log
from plexsync.store import intake, older_database

# Seconds that an operation may take, because a page waits for it. Reading from both servers takes longest.
PATIENCE = 60.0
MOST_IDS = 500
NO_WORKER = "no worker runs"
SERVED = "the worker does the rest"


# --- tasks -----------------------------------------------------------------------------------------------------------


def sync_all(call: TaskRun) -> str:
    """Queue every scene, if you have approved the first write."""
    return _wanted(call, "wanted", "sync", "--all")


def sync_recent(call: TaskRun) -> str:
    """Queue the scenes that changed since yesterday."""
    return _wanted(call, "wanted", "sync", "--since", "1d")


def retry(call: TaskRun) -> str:
    """Retry all dead letters."""
    return _wanted(call, "retried", "dlq", "retry", "--all")


def reconcile(call: TaskRun) -> str:
    """Run a full comparison, and work what differs."""
    call.plexsync("reconcile")
    return f"everything was compared, as told in Stash's log; {drain(call)}"


# The words on screen for keys of the answer.
QUEUED = {"wanted": "queued"}


def _wanted(call: TaskRun, counted: str, *words: str) -> str:
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
    """Show what a sync of the whole library would change."""
    call.plexsync("sync", "--all", "--dry-run", "--html", _report(call), "--force")
    return "the preview is ready: Show the preview on the page of PlexSync opens it"


def _report(call: TaskRun) -> str:
    return os.path.join(call.folder, "preview.html")


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
    problems, warnings = (sum(check["state"] == state for check in checks) for state in LEVELS)
    summary = f"{_count(problems, 'problem')}, {_count(warnings, 'warning')}; the details are in Stash's log"
    if facts["code"] != 0:
        raise Failed(summary)
    return summary


def _servers(facts: Facts) -> list[Any]:
    """Return the facts of each of several Plex servers, with its name in `plex`; those of a single one without."""
    servers = facts.get("servers")
    return servers if isinstance(servers, list) else [facts]


def _count(count: int, noun: str) -> str:
    return f"{count} {noun}{'' if count == 1 else 's'}"


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
    if intake.switched(call.folder) == intake.OFF and not worker_process.worker_runs(call):
        return NO_WORKER
    worker_process.switch(call, intake.OFF)
    if worker_process.ends(call, worker_process.END):
        return "the worker has ended, and is not started again"
    raise Failed("a worker goes on: it was not started by Stash, so stop it where it was started")


# --- operations of the page ------------------------------------------------------------------------------------------


def page_status(call: TaskRun) -> Facts:
    """Return the status, whether the worker inside Stash is switched on, and whether a database is too old to be used."""
    facts = call.facts("status")
    if "verdict" not in facts and facts.get("problem"):
        # Of several Plex servers the page is about the first one, whose database can't be used.
        facts["error"] = facts["problem"]
    too_old = bool(facts.get("error") and older_database.older_databases(call.folder))
    return {**facts, "inside": intake.switched(call.folder) != intake.OFF, "too_old": too_old}


def page_preview(call: TaskRun) -> Facts:
    """Return the report of the last preview, and when it was made."""
    try:
        with open(_report(call), encoding="utf-8") as file:
            return {"html": file.read(), "at": round(os.fstat(file.fileno()).st_mtime * 1000)}
    except FileNotFoundError:
        raise Failed("there is no preview yet: run the task Preview") from None


def wake(call: TaskRun) -> Facts:
    """Start the worker if it is switched on and does not run: called by the wake-up inside Stash, and by its page."""
    return {"told": worker_process.wake(call)}


def page_letters(call: TaskRun) -> Facts:
    """List the dead letters."""
    return call.facts("dlq", "list")


def page_retry(call: TaskRun) -> Facts:
    """Retry some or all dead letters."""
    return _then_worked(call, call.facts("dlq", "retry", *_which(call)))


def page_drop(call: TaskRun) -> Facts:
    """Drop some or all dead letters."""
    return call.facts("dlq", "drop", "--yes", *_which(call))


def page_scene(call: TaskRun) -> Facts:
    """Explain the status of a scene, and what would change."""
    return call.facts("explain", _scene(call))


def page_sync(call: TaskRun) -> Facts:
    """Sync a scene now: by the worker, or here if none runs."""
    words = ("sync", _scene(call))
    facts = call.facts(*words)
    return facts if facts["code"] != 0 or worker_process.worker_runs(call) else call.facts(*words, "--wait")


def page_act(call: TaskRun) -> Facts:
    """Undo, release or redo a scene, or decide about what was edited of it in Plex: by the worker, or here if none runs."""
    verb, scene = call.args.get("verb", "redo"), _scene(call)
    if verb in ("keep", "take", "unkeep"):
        return _then_worked(call, call.facts("drift", f"--{verb}", scene))
    if verb not in ("undo", "release", "redo"):
        raise Failed("no action is named")
    here = () if worker_process.worker_runs(call) else ("--wait",)
    return call.facts(str(verb), scene, *here)


def page_bind(call: TaskRun) -> Facts:
    """Name the item of a scene, and sync it."""
    return _then_worked(call, call.facts("bind", _scene(call), _item(call)))


def page_approve(call: TaskRun) -> Facts:
    """Approve the first write of the whole library, and queue it."""
    return _then_worked(call, call.facts("sync", "--all", "--yes"))


def page_accept(call: TaskRun) -> Facts:
    """Accept a change that only you can judge; a worker then compares every scene."""
    choice = str(call.args.get("choice", ""))
    if not re.fullmatch(r"[a-z][a-z-]{0,30}", choice):
        raise Failed("no choice is named")
    declined = ("--no",) if call.args.get("no") else ()
    return _then_worked(call, call.facts("accept", choice, *declined))


def page_anew(call: TaskRun) -> Facts:
    """Move the databases away that are too old to be used, and keep them: the next command begins anew."""
    try:
        return {"kept": older_database.move_away(call.folder)}
    except Unusable as error:
        raise Failed(str(error)) from error


def _then_worked(call: TaskRun, facts: Facts) -> Facts:
    return {**facts, "worker": worker_process.worker_runs(call)}


def _scene(call: TaskRun) -> str:
    scene = str(call.args.get("scene", ""))
    if not re.fullmatch(r"[1-9][0-9]{0,17}", scene):
        raise Failed("no scene is named")
    return scene


def _item(call: TaskRun) -> str:
    item = str(call.args.get("item", ""))
    if not re.fullmatch(r"[1-9][0-9]{0,17}", item):
        raise Failed("no item is named")
    return item


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
    "sync_all": sync_all,
    "sync_recent": sync_recent,
    "preview": preview,
    "reconcile": reconcile,
    "drain": drain,
    "retry": retry,
    "status": status,
    "doctor": doctor,
    "install": package_tasks.install,
    "start": start,
    "stop": stop,
}
OPERATIONS: dict[str, Callable[[TaskRun], Facts]] = {
    "wake": wake,
    "page_status": page_status,
    "page_letters": page_letters,
    "page_retry": page_retry,
    "page_drop": page_drop,
    "page_scene": page_scene,
    "page_sync": page_sync,
    "page_act": page_act,
    "page_bind": page_bind,
    "page_preview": page_preview,
    "page_approve": page_approve,
    "page_accept": page_accept,
    "page_anew": page_anew,
}


# These run whatever the settings are: they change none of the library, or show the wrong ones themselves.
WITHOUT_SETTINGS = {"install", "stop", "doctor"}


def done(
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
            return {"output": inside_all(_asked(call, operation))}
        if mode in TASKS:
            summary = inside(_performed(call, mode))
            log("i", f"PlexSync: {summary}")
            return {"output": summary}
    except (Failed, dependencies.NotReady) as error:
        return {"error": f"PlexSync: {inside(str(error))}"}
    except OSError as error:
        return {"error": f"PlexSync: {error.filename or folder} can't be used: {error.strerror}"}
    return {"error": f"PlexSync: {mode[:40]!r} is no task"}


def _performed(call: TaskRun, mode: str) -> str:
    """Run a task; a server that is on hold is told in every answer. Raises Failed, also for a wrong setting."""
    if mode not in ("install", "stop"):
        package_tasks.provide(call)
    if mode in WITHOUT_SETTINGS:
        return TASKS[mode](call)
    if call.wrong_settings and mode == "status":
        with suppress(Failed):
            status(call)
    if call.wrong_settings:
        raise Failed(" / ".join(call.wrong_settings))
    summary = TASKS[mode](call)
    holds = [hold for hold in _holds(call) if hold not in summary]
    for hold in holds:
        log("e", inside(f"PlexSync: {hold}"))
    return "; ".join((summary, *holds))


def _holds(call: TaskRun) -> list[str]:
    """Return what has to be put right before a server is used again."""
    return [
        f"{server['plex']}: {hold['message']}" if "plex" in server else str(hold["message"])
        for server in _servers(call.facts("status"))
        for hold in server.get("holds", {}).values()
    ]


def _asked(call: TaskRun, operation: Callable[[TaskRun], Facts]) -> Facts:
    """Run an operation; a failure becomes part of its data, for the page to show, and so does a wrong setting."""
    try:
        os.makedirs(call.folder, mode=0o700, exist_ok=True)
        facts = operation(call)
        wrong = call.wrong_settings if operation in SHOW_SETTINGS else []
        return {**facts, "wrong_settings": wrong} if wrong else facts
    except dependencies.NotReady as error:
        return package_tasks.not_ready(call, error)
    except Failed as error:
        return {"error": str(error)}


# What a page shows first: there a wrong setting is told.
SHOW_SETTINGS = (page_status, page_scene)
