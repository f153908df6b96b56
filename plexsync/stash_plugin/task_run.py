"""One call of the plugin by Stash: runs commands of `plexsync` and passes on what they say."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

from plexsync.stash_plugin import dependencies, launcher
from plexsync.stash_plugin.command_run import CommandRunner, slow
from plexsync.stash_plugin.stash_words import in_its_field, inside
from plexsync.stash_plugin.worker_process import Failed, log

Facts = dict[str, object]


@dataclass
class TaskRun:
    """One call: the connection and arguments that Stash passes to its plugins, and the folder of the database.

    `patience` limits each command of an operation, for which a page waits; a task has none.
    """

    folder: str
    server: Mapping[str, object]
    args: Mapping[str, object]
    patience: float | None = None
    heard: list[str] = field(default_factory=list)

    def place(self) -> launcher.Runtime:
        """Return where the program runs; raises NotReady if its packages are missing."""
        return launcher.Runtime(self.folder, dependencies.ready(self.folder), self.server)

    @cached_property
    def program(self) -> CommandRunner:
        """The program in this process; raises NotReady if its packages are missing."""
        return CommandRunner(self.place(), report=self._hear)

    @cached_property
    def wrong_settings(self) -> list[str]:
        """What is wrong with the settings, one message each, in the form that the field in Stash takes."""
        return [in_its_field(line) for line in self.program.wrong_settings()]

    def plexsync(self, *words: str) -> str:
        """Run a command to its end and copy its output to Stash's log; returns the last line. Raises Failed."""
        ended = self.program.run(*words)
        for line in ended.output.splitlines():
            if re.search(r"\w", line):
                log("i", inside(line))
        if ended.code != 0:
            wrong = [line for line in self.heard if not line.startswith("warning: ")]
            raise Failed(" / ".join(wrong) or last_line(ended.output) or f"it ended with {ended.code}")
        return last_line(ended.output)

    def facts(self, *words: str) -> Facts:
        """Run a command for its JSON output, with the exit code added as `code`, and a failure as `error`."""
        ended = self.program.run("--json", *words, seconds=self.patience)
        try:
            document = json.loads(ended.output)
        except ValueError:
            document = {}
        facts = document if isinstance(document, dict) else {}
        if ended.code != 0 and self.patience and ended.late:
            facts = {"error": slow(self.patience)}
        elif ended.code != 0 and not facts:
            facts = {"error": " / ".join(self.heard) or f"it ended with {ended.code}"}
        return {**facts, "code": ended.code}

    def _hear(self, line: str) -> None:
        """Handle a line of the program's standard error: progress, a log line, or a message to the user."""
        if line.startswith("\x01p\x02"):
            log("p", line[3:])
        elif line.startswith("plexsync: "):
            self.heard.append(line.removeprefix("plexsync: "))
            if line.startswith("plexsync: warning: "):
                log("w", inside(line))
        elif line.strip():
            record = re.match(r"\S+ (DEBUG|INFO|WARNING|ERROR) ", line)
            log(record[1][0].lower() if record else "i", inside(line))


def last_line(output: str) -> str:
    """Return the last line that is not blank; '' if there is none."""
    return next((line.strip() for line in reversed(output.splitlines()) if line.strip()), "")
