"""What the page in Stash asks for that may take long: take-backs, the first plays, an import, a setting's preview.

Each is one command of `plexsync`, run as a task in Stash's queue, which shows how far it is and can stop it. The answer
waits in a file for the page that asked, under the ticket that it gave. Standard library only.
"""

import re
from collections.abc import Callable, Mapping

from plexsync.stash_plugin import worker_process
from plexsync.stash_plugin.stash_words import Failed, inside_all
from plexsync.stash_plugin.task_run import Facts, TaskRun
from plexsync.store.files import setup_files

TICKET = re.compile(r"[a-z0-9]{1,40}")
DAY = re.compile(r"\d{4}-\d\d-\d\d")
MOMENT = re.compile(r"\d{4}-\d\d-\d\d[0-9TZ:.]{0,20}")
NUMBER = re.compile(r"[1-9][0-9]{0,17}")
VERBS = ("undo", "release", "redo")
KINDS = ("everything", "scenes", "collections", "plays", "resume", "ratings", "imports")
# The number of entries of each list that the page is given.
MOST_LISTED = 20
# In characters.
LONGEST_VALUE = 20_000
LOST = "it ended without an answer: it was stopped, or another window has asked meanwhile. Stash's log says more"


def _how(args: Mapping[str, object]) -> str:
    """Whether it is only shown, or done."""
    return "--yes" if args.get("do") is True else "--dry-run"


def act(args: Mapping[str, object]) -> tuple[str, ...]:
    """A verb for everything of a kind, for what was done since a moment, for a run, or for one number. Raises Failed."""
    verb, kind = str(args.get("verb")), str(args.get("kind"))
    if verb not in VERBS or kind not in KINDS:
        raise Failed("no action is named")
    of = () if kind == "scenes" else ("--of", kind)
    if args.get("all") is True:
        return (verb, *(() if kind == "everything" else ("--of", kind)), "--all", _how(args))
    for name, form in (("since", MOMENT), ("run", NUMBER), ("number", NUMBER)):
        value = str(args.get(name) or "")
        if form.fullmatch(value):
            return (verb, *of, *((f"--{name}", value) if name != "number" else (value,)), _how(args))
    raise Failed("no run is named")


def plays(args: Mapping[str, object]) -> tuple[str, ...]:
    """The first plays, of all days or since one. Raises Failed."""
    since = str(args.get("since") or "")
    if since and not DAY.fullmatch(since):
        raise Failed("the day must have the form 2026-01-31")
    return ("plays", "sync", _how(args), *(("--since", since) if since else ()))


def import_(args: Mapping[str, object]) -> tuple[str, ...]:
    """The import of what Stash lacks."""
    return ("import", _how(args), *(("--create",) if args.get("create") is True else ()))


def setting_of(args: Mapping[str, object]) -> tuple[str, str]:
    """The name of a setting, and its new value; '' removes it. Raises Failed."""
    name, value = str(args.get("name", "")), args.get("value", "")
    if not re.fullmatch(r"[a-z][a-z_]{1,60}", name) or not isinstance(value, str) or len(value) > LONGEST_VALUE:
        raise Failed("no setting is named")
    return name, value.strip()


def draft(args: Mapping[str, object]) -> tuple[str, ...]:
    """What Plex would show with another value of a setting, of this scene or of one that it changes. Raises Failed."""
    scene = str(args.get("scene") or "")
    of_scene = ("--scene", scene) if NUMBER.fullmatch(scene) else ()
    return ("config", "set", "--dry-run", *of_scene, "--", *setting_of(args))


COMMANDS: dict[str, Callable[[Mapping[str, object]], tuple[str, ...]]] = {
    "act": act,
    "plays": plays,
    "import": import_,
    "draft": draft,
}


def answer(call: TaskRun) -> str:
    """Run what the page asks for, and keep the answer for it."""
    ticket, command = str(call.args.get("ticket", "")), COMMANDS.get(str(call.args.get("ask")))
    if command is None or not TICKET.fullmatch(ticket):
        raise Failed("nothing is asked for")
    words, is_done = command(call.args), call.args.get("do") is True
    # Without a worker, what is taken back is worked here.
    here = is_done and words[0] in VERBS and not worker_process.worker_runs(call)
    facts = first_few(call.facts(*words, *(("--wait",) if here else ())))
    facts["complaints"] = [line for line in call.heard if not line.startswith("warning: ")]
    if is_done:
        facts["worker"] = not here and worker_process.worker_runs(call)
    setup_files.write(call.folder, setup_files.ANSWER, {"ticket": ticket, "facts": inside_all(facts)})
    return "the page of PlexSync shows the answer"


def page_answer(call: TaskRun) -> Facts:
    """Return the answer to what the page has asked for. Raises Failed."""
    stored = setup_files.read(call.folder, setup_files.ANSWER)
    facts = stored.get("facts")
    if not isinstance(facts, dict) or stored.get("ticket") != str(call.args.get("ticket", "")):
        raise Failed(LOST)
    return facts


def first_few(facts: Facts) -> Facts:
    """The facts with the first few entries of each list; `listed` has the length of those that were longer."""
    longer = {name: len(value) for name, value in facts.items() if isinstance(value, list) and len(value) > MOST_LISTED}
    return {**facts, **{name: facts[name][:MOST_LISTED] for name in longer}, "listed": longer}  # type: ignore[index]
