"""The words of messages inside Stash: a command that a message names becomes its task, button or page there.

The commands of `plexsync` word their messages for a terminal. Inside Stash nobody can type them. For what has no button
a message names the documentation of the plugin. Standard library only.
"""

import os
import re

from plexsync.stash_plugin import launcher

MANIFEST = "StashPlexSync.yml"
PAGE = "the page of PlexSync"
TAB = "the tab Plex of the scene"
BUTTON = "the button Use this item there"
ELSEWHERE = "PlexSync in a terminal (see the documentation of the plugin)"

# In characters. Stash's limit is in bytes: it reads no line above 64 KiB, nor any line after it.
LONGEST_LINE = 8_000

# Applied one after the other, so longer commands come first.
TABLE = (
    (
        "preview it with plexsync sync --all --dry-run, then say plexsync sync --all --yes",
        f"run the task Preview, then approve it on {PAGE}",
    ),
    (
        r"plexsync sync --all shows it and asks \(or approve_bulk = true\)",
        f"{PAGE} shows it and asks (or set approve_bulk to on under Settings there)",
    ),
    (r"rename it to begin anew\. ", f"the button Begin anew on {PAGE} moves it away and keeps it. "),
    (r"plexsync plays again( --since [\d-]+)?", ELSEWHERE),
    ("plexsync plays sync", f"the button Add them to Stash on {PAGE}"),
    (r"plexsync sync( --all)? --take-over( --(dry-run|yes))?", ELSEWHERE),
    ("; or plexsync ignore this one", ""),
    ("plexsync sync --all --dry-run", "the task Preview"),
    ("plexsync sync --all --yes", f"the button Approve, and sync all on {PAGE}"),
    ("plexsync sync --all", "the task Sync all"),
    ("start plexsync serve --take-over here", f"let this machine take over by {ELSEWHERE}"),
    ("start plexsync serve", "run the task Start the worker"),
    (r"\(plexsync serve\)", "(the task Start the worker starts it)"),
    ("plexsync serve", "the worker"),
    ("plexsync drain", "the task Drain"),
    (r" \(--anew begins at the first\)", ""),
    ("call plexsync reconcile", "run the task Reconcile"),
    ("plexsync reconcile", "the task Reconcile"),
    ("plexsync log", "its log"),
    ("plexsync config list --changed", f"Settings on {PAGE}"),
    ("plexsync doctor", "the task Run the doctor"),
    (r" \(plexsync status --without-scene lists them\)", ""),
    (r"plexsync status (SCENE|\d+)", TAB),
    ("plexsync status", "the task Show status"),
    ("plexsync outages", PAGE),
    (r"plexsync accept( [a-z]+(-[a-z]+)+)?", f"the button Accept the change on {PAGE}"),
    (r"plexsync dlq retry( --all| --cause \w+)?", "the task Retry what was given up"),
    (r"plexsync dlq (list|show|drop)( \d+)?", PAGE),
    ("; on a terminal, plexsync fix mends them", ""),
    ("plexsync fix --plex [a-z0-9-]+", ELSEWHERE),
    (r"plexsync fix( --cause \w+)?", PAGE),
    (r"\bdlq retry this scene", f"retry this scene on {PAGE}"),
    (r"\bdlq retry\b", f"Retry on {PAGE}"),
    ("run the worker with -v, ", ""),
    (" on the command line must", " must"),
    (
        r"plexsync bind SCENE ITEM binds it, plexsync bind --by-duration all of this kind\.",
        f"{BUTTON} binds it, match_by_duration under Settings on {PAGE} all of this kind.",
    ),
    ("plexsync bind --by-duration", BUTTON),
    (r"plexsync bind (SCENE|\d+) (ITEM|\d+)", BUTTON),
    (r"\(plexsync bind\)", f"({BUTTON})"),
    (r"plexsync explain( SCENE| \d+)?", TAB),
    (r"\bexplain (?=shows|lists)", f"{TAB} "),
    (r"or plexsync redo \d+", f"or click Redo in {TAB}"),
    (r"or plexsync sync \d+", f"or click Sync now in {TAB}"),
    (r"until plexsync unignore \d+", f"until you unignore it: {ELSEWHERE}"),
    (r"plexsync redo(?! --)( SCENE| \d+)?", f"the button Redo in {TAB}"),
    (" → plexsync fix", f" → {PAGE}"),
    (r"plexsync provider( add| remove| status)?( LIBRARY)?", ELSEWHERE),
    ("strict_mode = false", f"turn strict_mode off under Settings on {PAGE}"),
    (r"plexsync drift(?! --)( \d+)?", TAB),
    (r"plexsync undo --all", f"Take back on {PAGE}"),
    (
        r"plexsync (sync|history|bind|unbind|ignore|unignore|undo|release|redo|drift|probe|backup|restore|move|init"
        r"|adopt)\b( --?[a-z-]+| SCENE| ITEM| \d+)*",
        ELSEWHERE,
    ),
)
SIGN = re.compile(
    r"plexsync [a-z]|begin anew\. |explain (?:shows|lists)|dlq retry|--anew|strict_mode =|with -v|command line must"
)
# Texts of the library: they are shown as they are.
FOREIGN = {"title", "stash", "plex", "path", "files", "names"}


class Failed(Exception):
    """The task failed; the message is one line for the user."""


def log(level: str, text: str) -> None:
    """Write a line to Stash's log: level d, i, w or e, or the progress of a task (p)."""
    line = re.sub(r"[\x00-\x1f\x7f]+", " ", text).rstrip()[:LONGEST_LINE]
    try:
        os.write(2, f"\x01{level}\x02{line}\n".encode("utf-8", "replace"))
    except OSError:
        # Stash no longer reads the log.
        return


def inside(text: str) -> str:
    """Return the message as it is told inside Stash."""
    if SIGN.search(text):
        for command, words in TABLE:
            text = re.sub(command, words, text)
    return text


def inside_all(value: object) -> object:
    """Return the data with every message in it as it is told inside Stash; texts of the library stay."""
    if isinstance(value, str):
        return inside(value)
    if isinstance(value, list):
        return [inside_all(item) for item in value]
    if isinstance(value, dict):
        return {name: part if name in FOREIGN else inside_all(part) for name, part in value.items()}
    return value


def in_its_field(line: str) -> str:
    """Return the message about a wrong setting, with the form that its field in Stash takes."""
    match = re.match(r"(\w+) (in the plugin settings in Stash must|is missing)", line)
    name, form = _field(match[1]) if match else ("", "")
    if not match:
        return inside(line)
    if not name:
        return f"{line}. It is on {PAGE}, under Settings"
    if match[2] == "is missing":
        return f"{match[1]} is missing: enter it in the settings of the plugin in Stash, in the field {name}"
    return f"{line}. The field {name} takes: {form}"


def _field(setting: str) -> tuple[str, str]:
    """Return the name and the description of a setting in Stash, from the manifest; '' if it has no field."""
    with open(os.path.join(launcher.ROOT, MANIFEST), encoding="utf-8") as file:
        text = file.read()
    match = re.search(rf"^  {setting}:\n    displayName: (.*)\n    description: (.*)\n", text, re.MULTILINE)
    return (match[1].strip('"'), match[2].strip('"')) if match else ("", "")
