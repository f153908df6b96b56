"""Runs a plugin's script inside the simulated Stash, as Stash does for `interface: js`.

The script itself runs if the package quickjs-ng is there, as it is for tests. The demo does without it: a stand-in then
writes the line that PlexSync's wake-up writes. A test compares the two.
"""

import json
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

try:
    import quickjs
except ImportError:
    quickjs = None

PRELUDE = """
var input = JSON.parse(__input), log = {}, gql = {}, util = {};
["Trace", "Debug", "Info", "Warn", "Error"].forEach(function (level) {
  log[level] = function (text) {
    __log(level.toLowerCase(), typeof text === "object" ? JSON.stringify(text) : String(text));
  };
});
gql.Do = function (query, variables) {
  var answer = JSON.parse(__ask(query, JSON.stringify(variables || {})));
  if (answer.errors) { throw new Error(answer.errors[0].message); }
  return answer.data;
};
util.Sleep = function (milliseconds) { __sleep(milliseconds); };
"""
OWN = "plexsync"

Told = Callable[[str, str], None]
PageCall = Callable[[str, dict[str, Any]], dict[str, Any]]


def run_script(path: Path, given: Mapping[str, Any], told: Told, ask: PageCall) -> tuple[Any, str | None]:
    """Run a script with this input; returns its output and its error. `told` gets its log lines as (level, text)."""
    if quickjs is None:
        return stand_in(given, told)
    return run_in_engine(path, given, told, ask)


def run_in_engine(path: Path, given: Mapping[str, Any], told: Told, ask: PageCall) -> tuple[Any, str | None]:
    """Run the script itself, in a context of its own."""
    context = quickjs.Context()
    context.set("__input", json.dumps(given))
    context.add_callable("__log", told)
    context.add_callable("__ask", lambda query, variables: json.dumps(ask(query, json.loads(variables))))
    context.add_callable("__sleep", lambda milliseconds: time.sleep(milliseconds / 1000))
    context.eval(PRELUDE)
    try:
        value = context.eval(path.read_text(encoding="utf-8"))
    except quickjs.JSException as error:
        return None, str(error).strip()
    answer = json.loads(value.json()) if isinstance(value, quickjs.Object) else {}
    return answer.get("Output"), answer.get("Error")


def stand_in(given: Mapping[str, Any], told: Told) -> tuple[Any, str | None]:
    """What PlexSync's wake-up does, without an engine for its script."""
    change = given["Args"].get("hookContext")
    if change is not None and not is_own(change["input"]):
        told("trace", f"PlexSync edit {change['type']} {change['id']}")
    return None, None


def is_own(cause: Any) -> bool:
    """Whether the change that this request made is PlexSync's own."""
    first = cause[0] if isinstance(cause, list) and cause else cause
    return isinstance(first, dict) and first.get("clientMutationId") == OWN
