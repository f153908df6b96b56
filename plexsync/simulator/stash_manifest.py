"""Reads a plugin manifest as strictly as Stash: any unknown or repeated key, and the plugin does not load.

PyYAML reads the file with its safe loader. A value that looks like a date stays text, as Stash has no dates in a
manifest.
"""

import json
from collections.abc import Hashable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

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


class ManifestError(ValueError):
    """A manifest that Stash would not load."""


@dataclass(frozen=True)
class Operation:
    """A task or a hook of a plugin; `arguments` follow the plugin's own command."""

    name: str
    arguments: tuple[str, ...] = ()
    default_args: dict[str, str] = field(default_factory=dict)
    triggered_by: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Manifest:
    """A manifest as Stash reads it; `id` is the file's name without its extension."""

    id: str
    name: str
    command: tuple[str, ...]
    err_log: str
    tasks: tuple[Operation, ...]
    hooks: tuple[Operation, ...]
    settings: dict[str, dict[str, Any]]
    ui: dict[str, tuple[str, ...]] = field(default_factory=dict)
    assets: dict[str, str] = field(default_factory=dict)
    interface: str = "raw"


def read_manifest(path: Path) -> Manifest:
    """The manifest in this file; raises ManifestError if Stash would reject it."""
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
        assets={str(prefix): str(folder) for prefix, folder in (ui.get("assets") or {}).items()},
        interface=interface,
    )


def operation_of(tree: Any, kind: str) -> Operation:
    """A task or hook; as in Stash, names of triggers are not checked."""
    check_keys(tree, kind)
    return Operation(
        name=str(tree.get("name") or ""),
        arguments=tuple(str(word) for word in tree.get("execArgs") or ()),
        default_args={name: as_text(value) for name, value in (tree.get("defaultArgs") or {}).items()},
        triggered_by=frozenset(tree.get("triggeredBy") or ()),
    )


def as_text(value: Any) -> str:
    """A default argument, which Stash always passes as text."""
    return value if isinstance(value, str) else json.dumps(value)


def check_keys(tree: Any, where: str) -> None:
    """Raise ManifestError unless this is a mapping with only known keys."""
    if not isinstance(tree, dict):
        raise ManifestError(f"{where or 'the manifest'} is no mapping")
    unknown = sorted(map(str, set(tree) - KEYS[where]))
    if unknown:
        raise ManifestError(f"unknown key {unknown[0]!r} in {where or 'the manifest'}")


class StrictLoader(yaml.SafeLoader):
    """The safe loader, which rejects repeated keys."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        """The mapping of a node; raises ConstructorError for a repeated key."""
        keys = [self.construct_object(key, deep=True) for key, _ in node.value]
        for number, key in enumerate(keys):
            if key in keys[:number]:
                mark = node.value[number][0].start_mark
                raise yaml.constructor.ConstructorError(None, None, f"{key!r} is given twice", mark)
        return super().construct_mapping(node, deep)


TAG = "tag:yaml.org,2002:"
StrictLoader.add_constructor(f"{TAG}timestamp", StrictLoader.yaml_constructors[f"{TAG}str"])


def parse_yaml(text: str) -> Any:
    """The document as dicts, lists and scalars; raises ManifestError if it is not valid YAML."""
    loader = StrictLoader(text)
    try:
        return loader.get_single_data()
    except yaml.YAMLError as error:
        raise ManifestError(" ".join(str(error).split())) from error
    finally:
        loader.dispose()
