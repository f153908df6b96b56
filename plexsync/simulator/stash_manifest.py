"""Reads a plugin manifest as strictly as Stash does: one unknown key anywhere, and the plugin does not load.

Understands the part of YAML that manifests are written in: nested mappings and lists by indentation, inline lists,
plain and quoted scalars, block texts (`|` and `>`) and comments. Anything else is refused rather than guessed at.
"""

import json
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

OPERATION_KEYS = frozenset({"name", "description", "execArgs", "defaultArgs"})
KEYS = {
    "": frozenset(
        {"name", "description", "url", "version", "interface", "exec", "errLog", "tasks", "hooks", "settings", "ui"}
    ),
    "tasks": OPERATION_KEYS,
    "hooks": OPERATION_KEYS | {"triggeredBy"},
    "settings": frozenset({"type", "displayName", "description"}),
    "ui": frozenset({"requires", "javascript", "css", "assets", "csp"}),
}
INTERFACES = ("raw", "rpc", "js")
ERROR_LEVELS = ("none", "trace", "debug", "info", "warning", "error")
SETTING_TYPES = ("STRING", "NUMBER", "BOOLEAN")
KEY = re.compile(r"""("(?:[^"\\]|\\.)*"|'(?:[^']|'')*'|[^\s'"#\[\]{}&*!|>%@`,-][^:#]*?|[\w.-]+):(?:\s+(.*))?""")
COMMENT = re.compile(r"""^((?:"(?:[^"\\]|\\.)*"|'(?:[^']|'')*'|(?<!\s)#|[^#"']|(?<=\w)["'])*?)(?:(?:^|\s)#.*)?$""")
INLINE = re.compile(r"""\s*("(?:[^"\\]|\\.)*"|'(?:[^']|'')*'|[^,\[\]{}"']+)\s*(?:,|$)""")
CONSTANTS = {"true": True, "false": False, "null": None, "~": None}


class ManifestError(ValueError):
    """The manifest is one that Stash would not load."""


@dataclass(frozen=True)
class Operation:
    """A task or a hook of a plugin; `arguments` follow the plugin's own command."""

    name: str
    arguments: tuple[str, ...] = ()
    default_args: dict[str, str] = field(default_factory=dict)
    triggered_by: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Manifest:
    """What Stash makes of a manifest file; `id` is the name of the file without its ending."""

    id: str
    name: str
    command: tuple[str, ...]
    err_log: str
    tasks: tuple[Operation, ...]
    hooks: tuple[Operation, ...]
    settings: dict[str, dict[str, Any]]
    ui: dict[str, tuple[str, ...]] = field(default_factory=dict)


def read_manifest(path: Path) -> Manifest:
    """The manifest in this file; raises ManifestError for what Stash would refuse."""
    return manifest_of(parse_yaml(path.read_text(encoding="utf-8")), path.stem)


def manifest_of(tree: Any, id_: str) -> Manifest:
    """The manifest of a parsed document."""
    check_keys(tree, "")
    interface, err_log = tree.get("interface") or "raw", tree.get("errLog") or "error"
    if interface not in INTERFACES or err_log not in ERROR_LEVELS:
        raise ManifestError(f"interface {interface!r} or errLog {err_log!r} is unknown")
    settings = tree.get("settings") or {}
    for name, setting in settings.items():
        check_keys(setting, "settings")
        if (setting.get("type") or "STRING") not in SETTING_TYPES:
            raise ManifestError(f"setting {name} has type {setting['type']!r}")
    ui = tree.get("ui") or {}
    check_keys(ui, "ui")
    return Manifest(
        id=id_,
        name=str(tree.get("name") or id_),
        command=tuple(str(word) for word in tree.get("exec") or ()),
        err_log=err_log,
        tasks=tuple(operation_of(one, "tasks") for one in tree.get("tasks") or ()),
        hooks=tuple(operation_of(one, "hooks") for one in tree.get("hooks") or ()),
        settings=settings,
        ui={what: tuple(map(str, ui[what])) for what in ("javascript", "css") if ui.get(what)},
    )


def operation_of(tree: Any, kind: str) -> Operation:
    """A task or hook; names of triggers are not checked, as Stash does not either."""
    check_keys(tree, kind)
    return Operation(
        name=str(tree.get("name") or ""),
        arguments=tuple(str(word) for word in tree.get("execArgs") or ()),
        default_args={name: as_text(value) for name, value in (tree.get("defaultArgs") or {}).items()},
        triggered_by=frozenset(tree.get("triggeredBy") or ()),
    )


def as_text(value: Any) -> str:
    """A default argument, which Stash hands over as text whatever it looks like."""
    return value if isinstance(value, str) else json.dumps(value)


def check_keys(tree: Any, where: str) -> None:
    """Raises ManifestError unless this is a mapping with nothing but known keys."""
    if not isinstance(tree, dict):
        raise ManifestError(f"{where or 'the manifest'} is no mapping")
    unknown = sorted(set(tree) - KEYS[where])
    if unknown:
        raise ManifestError(f"unknown key {unknown[0]!r} in {where or 'the manifest'}")


@dataclass(frozen=True)
class Line:
    """A line that says something: its indentation, its words without comment, its number in the file."""

    indent: int
    words: str
    number: int


def parse_yaml(text: str) -> Any:
    """The document as dicts, lists and scalars; raises ManifestError for anything beyond the subset."""
    return Reader(text).document()


class Reader:
    """Reads line by line; `place` is the next line to read."""

    def __init__(self, text: str) -> None:
        self.raw = text.splitlines()
        self.place = 0
        self.pushed: Line | None = None

    def document(self) -> Any:
        """The whole document."""
        first = self._peek()
        if first is None:
            return {}
        if first.words == "---":
            self._take()
        value = self._block(0)
        left = self._peek()
        if left is not None:
            raise ManifestError(f"line {left.number}: unexpected indentation")
        return value

    def _peek(self) -> Line | None:
        while self.pushed is None and self.place < len(self.raw):
            line = self.raw[self.place]
            self.place += 1
            words = without_comment(line)
            if words:
                if "\t" in line[: len(line) - len(line.lstrip())]:
                    raise ManifestError(f"line {self.place}: a tab is no indentation")
                self.pushed = Line(len(line) - len(line.lstrip()), words, self.place)
        return self.pushed

    def _take(self) -> Line:
        line, self.pushed = self._peek(), None
        if line is None:
            raise ManifestError("the file ends too early")
        return line

    def _block(self, least: int) -> Any:
        first = self._peek()
        if first is None or first.indent < least:
            return None
        if is_item(first.words):
            return self._list(first.indent)
        if KEY.fullmatch(first.words):
            return self._mapping(first.indent)
        return scalar(self._take().words, first.number)

    def _mapping(self, indent: int) -> dict[str, Any]:
        found: dict[str, Any] = {}
        while (line := self._peek()) is not None and line.indent == indent and not is_item(line.words):
            match = KEY.fullmatch(self._take().words)
            if match is None:
                raise ManifestError(f"line {line.number}: neither key nor list")
            key = str(scalar(match[1], line.number))
            if key in found:
                raise ManifestError(f"line {line.number}: {key!r} is given twice")
            found[key] = self._value(match[2] or "", line)
        if line is not None and line.indent > indent:
            raise ManifestError(f"line {line.number}: unexpected indentation")
        return found

    def _list(self, indent: int) -> list[Any]:
        found = []
        while (line := self._peek()) is not None and line.indent == indent and is_item(line.words):
            self._take()
            rest = line.words[1:].strip()
            if not rest:
                found.append(self._block(indent + 1))
            elif KEY.fullmatch(rest) or is_item(rest):
                self.pushed = Line(indent + len(line.words) - len(rest), rest, line.number)
                found.append(self._block(indent + 1))
            else:
                found.append(scalar(rest, line.number))
        return found

    def _value(self, rest: str, line: Line) -> Any:
        if re.fullmatch(r"[|>][+-]?", rest):
            return self._text(line.indent, folded=rest.startswith(">"))
        if rest:
            return scalar(rest, line.number)
        following = self._peek()
        if following is not None and following.indent == line.indent and is_item(following.words):
            return self._list(line.indent)
        return self._block(line.indent + 1)

    def _text(self, indent: int, *, folded: bool) -> str:
        lines = []
        while self.place < len(self.raw):
            line = self.raw[self.place]
            if line.strip() and len(line) - len(line.lstrip()) <= indent:
                break
            lines.append(line.strip())
            self.place += 1
        return (" " if folded else "\n").join(lines).strip()


def is_item(words: str) -> bool:
    """Whether a line begins a member of a list."""
    return words == "-" or words.startswith("- ")


def without_comment(line: str) -> str:
    """The line without its comment and outer space."""
    match = COMMENT.match(line)
    return (match[1] if match else line).strip()


def scalar(words: str, number: int) -> Any:
    """A single value or an inline list."""
    if words.startswith("[") and words.endswith("]"):
        return inline_list(words[1:-1], number)
    if words == "{}":
        return {}
    if words.startswith('"') and words.endswith('"') and len(words) > 1:
        return json.loads(words)
    if words.startswith("'") and words.endswith("'") and len(words) > 1:
        return words[1:-1].replace("''", "'")
    if words[0] in "&*!|>%@`{}[]\"'," or ": " in words or words.endswith(":"):
        raise ManifestError(f"line {number}: {words!r} needs quotes")
    if words in CONSTANTS:
        return CONSTANTS[words]
    return int(words) if re.fullmatch(r"-?\d+", words) else words


def inline_list(words: str, number: int) -> list[Any]:
    """The members of `[a, "b, c", 3]`."""
    found, place = [], 0
    while place < len(words) and words[place:].strip():
        match = INLINE.match(words, place)
        if match is None:
            raise ManifestError(f"line {number}: not a list of plain values")
        found.append(scalar(match[1].strip(), number))
        place = match.end()
    return found
