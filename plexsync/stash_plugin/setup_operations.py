"""The operations of the set-up guide on PlexSync's page in Stash.

Each is short: what may take minutes runs in a process of its own, and the page asks how far it is. What is known is in
files beside the database, so a page that is loaded again, or a second one, shows the same step. The answers hold no
token. Standard library only.
"""

import re
from collections.abc import Callable

from plexsync.rules.servers.errors import Unusable
from plexsync.stash_plugin import dependencies, installer, launcher, tasks
from plexsync.stash_plugin.stash_words import Failed
from plexsync.stash_plugin.task_run import Facts, TaskRun
from plexsync.store.files import setup_files
from plexsync.store.files.lock import is_locked

PACKAGES = "packages"
STAGES = ("sign-in", "server", "libraries", "paths", "preview", "work")
# The steps that run in a process of their own, with the files of their results.
LONGER = {"paths": setup_files.PATHS, "preview": setup_files.PREVIEW}
STARTING = "starting"
LONGEST, MOST_LIBRARIES = 20_000, 500


def state(call: TaskRun) -> Facts:
    """Return the step that is next, with what is known; the stage is '' where PlexSync is set up."""
    try:
        dependencies.ready(call.folder)
    except dependencies.NotReady as error:
        facts = tasks.not_ready(call, error)
        return {"stage": PACKAGES, "outdated": dependencies.is_outdated(call.folder), **facts, "error": ""}
    if notes := setup_files.shown_notes(call.folder):
        return {**notes, **_longer(call, str(notes.get("stage")))}
    return call.facts("setup", "state")


def _longer(call: TaskRun, stage: str) -> Facts:
    """Return how far the longer step of this stage is, if it has one: `doing` and `part`, `result`, or `failed`."""
    if stage == "work":
        # The scenes that the preview has shown are looked at first.
        result = setup_files.read(call.folder, setup_files.PREVIEW).get("result")
        scenes = result.get("scenes") if isinstance(result, dict) else None
        rows = [row for row in scenes if isinstance(row, dict)] if isinstance(scenes, list) else []
        return {"scenes": [{"id": row.get("id"), "title": row.get("title")} for row in rows]}
    if stage not in LONGER:
        return {}
    runs, notes = _step(call, LONGER[stage])
    # A step that ended without a result was killed. One that is starting has no lock yet.
    killed = not runs and "doing" in notes and notes["doing"] != STARTING
    return {
        "runs": runs,
        "doing": str(notes.get("doing", "")) if runs else "",
        "part": notes.get("part") if runs else None,
        "result": None if runs else notes.get("result"),
        "failed": "it was ended before it was done" if killed else "" if runs else str(notes.get("error", "")),
    }


def _step(call: TaskRun, name: str) -> tuple[bool, Facts]:
    """Return whether the longer step runs, and its file, both of one moment: a step may end, or begin, between two looks.

    A step writes its result before it ends. So the file is read before and after, until it says the same.
    """
    notes = setup_files.read(call.folder, name)
    while True:
        runs = _step_runs(call)
        again = setup_files.read(call.folder, name)
        if again == notes:
            return runs, notes
        notes = again


def _step_runs(call: TaskRun) -> bool:
    try:
        return is_locked(setup_files.place(call.folder), setup_files.LOCK)
    except Unusable as error:
        raise Failed(str(error)) from error


def install(call: TaskRun) -> Facts:
    """Start to install the packages."""
    dependencies.check_python()
    installer.start_installing(call.folder)
    return {"started": True}


def server(call: TaskRun) -> Facts:
    """Reach the chosen server."""
    number, address = str(call.args.get("server", "")), call.args.get("address", "")
    if not re.fullmatch(r"[0-9]{1,3}", number) or not isinstance(address, str) or len(address) > LONGEST:
        raise Failed("no server is named")
    return call.facts("setup", "server", f"--address={address}", number)


def libraries(call: TaskRun) -> Facts:
    """Choose the libraries, and write the settings."""
    titles = call.args.get("libraries")
    if (
        not isinstance(titles, list)
        or len(titles) > MOST_LIBRARIES
        or not all(isinstance(title, str) for title in titles)
    ):
        raise Failed("no library is named")
    return call.facts("setup", "libraries", "--", *titles)


def rules(call: TaskRun) -> Facts:
    """Write the path rules."""
    text = call.args.get("rules")
    if not isinstance(text, str) or len(text) > LONGEST:
        raise Failed("no rules are named")
    return call.facts("setup", "rules", f"--rules={text}")


def stage(call: TaskRun) -> Facts:
    """Go to another step."""
    wanted = str(call.args.get("stage", ""))
    if wanted not in STAGES:
        raise Failed("no step is named")
    return call.facts("setup", "stage", wanted)


def begin(call: TaskRun) -> Facts:
    """Start the longer step of a stage, unless it runs."""
    wanted = str(call.args.get("stage", ""))
    if wanted not in LONGER:
        raise Failed("no step is named")
    if not _step_runs(call):
        setup_files.write(call.folder, LONGER[wanted], {"doing": STARTING})
        launcher.start_detached(call.place(), "setup", wanted)
    return {"started": True}


def approve(call: TaskRun) -> Facts:
    """Approve the first write of the whole library if `all` says so; then start the worker."""
    facts: Facts = {}
    if call.args.get("all") is True:
        facts = call.facts("sync", "--all", "--yes")
        if facts["code"] != 0:
            return facts
    started = tasks.start(call)
    return {**facts, **call.facts("setup", "stage", "work"), "started": started}


def finish(call: TaskRun) -> Facts:
    """Close the guide."""
    setup_files.remove(call.folder, setup_files.NOTES, *LONGER.values())
    return {"finished": True}


OPERATIONS: dict[str, Callable[[TaskRun], Facts]] = {
    "setup_state": state,
    "setup_install": install,
    # A PIN, and whether it was confirmed.
    "setup_sign_in": lambda call: call.facts("setup", "sign-in"),
    "setup_check": lambda call: call.facts("setup", "check"),
    "setup_server": server,
    "setup_libraries": libraries,
    "setup_rules": rules,
    "setup_stage": stage,
    "setup_begin": begin,
    "setup_approve": approve,
    "setup_finish": finish,
}
