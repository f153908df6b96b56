"""`plexsync report`: what a bug report needs, in one file without secrets."""

import json
import os
import platform
import sqlite3
import zipfile
from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import UTC, datetime
from io import BytesIO
from pathlib import Path

import click

from plexsync.app.stored import Stored
from plexsync.app.version import version
from plexsync.cli.call import FINE, FORCE, Call, command
from plexsync.cli.commands.doctor import examine, facts_of
from plexsync.cli.commands.log import LogTail, folder_of
from plexsync.cli.logs import LOG_FILE
from plexsync.cli.settings import calls_of_all, toml_of
from plexsync.cli.start import open_call_store
from plexsync.cli.terminal.screen import paper, say
from plexsync.engine.clock import SystemClock
from plexsync.reports.format import stamp
from plexsync.reports.outages import report as outage_report
from plexsync.reports.status import facts as status_facts
from plexsync.rules.servers.errors import LocalFault, NewerDatabase, Unusable
from plexsync.store.files.own_files import check_target
from validation.redact import Redactor
from validation.sources import ConfigError

LINES = 5_000
DAYS = 30


@command("report")
@click.argument("file", type=click.Path(path_type=Path), required=False)
@FORCE
@click.pass_obj
def report(call: Call, file: Path | None, force: bool) -> int:
    """Collect what a bug report needs in one zip file, to attach to an issue.

    It holds the versions, the result of doctor, the settings, status and outages, and the last lines of the log. No
    token, key or password is in it, but addresses, folders and titles may be: look into it before you publish it. What
    can't be collected is named in its place. With several Plex servers it holds a folder for each of them.

    \b
    Examples:
      plexsync report
      plexsync report /tmp/plexsync-report.zip
    """
    now = SystemClock().now()
    moment = datetime.fromtimestamp(now / 1000, UTC)
    target = file or Path(f"plexsync-report-{moment:%Y%m%dT%H%M%SZ}.zip")
    parts = collect_files(call, now)
    # The secrets are known only now that the settings were read.
    hidden = Redactor(call.secrets)
    content = BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as bundle:
        for name, text in parts.items():
            bundle.writestr(name, hidden.redact(text))
    folder = None
    with suppress(ConfigError, Unusable):
        folder = folder_of(call)
    check_target(target, folder, toml_of(call))
    _save(target, content.getvalue(), replace=force)
    facts = {"file": str(target.absolute()), "bytes": len(content.getvalue()), "parts": list(parts)}
    words = f"{target}: {', '.join(parts)}. No secret is in it; look into it before you publish it"
    call.answer(facts, lambda: say(paper(), words))
    return FINE


def collect_files(call: Call, now: int) -> dict[str, str]:
    """Everything by the name of its file, not yet redacted. What can't be collected says why.

    With several Plex servers, the files about one are in a folder of its name. `call` then has the secrets of all.
    """
    parts = {"about.json": _json({"program": version(), **machine(), "at": stamp(now)})}
    calls = calls_of_all(call)
    if not calls:
        return parts | _of_server(call)
    for name, own_call in calls:
        parts |= {f"{name}/{file}": text for file, text in _of_server(own_call).items()}
        call.hide(*own_call.secrets)
    return parts


def _of_server(call: Call) -> dict[str, str]:
    """What is about the Plex server of this call."""
    return {
        "doctor.json": _text(lambda: facts_of(*examine(call))),
        "status.json": _text(lambda: _of_store(call, status_facts)),
        "outages.json": _text(lambda: _of_store(call, lambda parts: outage_report(parts, DAYS).facts())),
        "plexsync.log": _log(call),
    }


def machine() -> dict[str, str]:
    """The machine and what PlexSync runs on, without its name."""
    return {
        "python": platform.python_version(),
        "sqlite": sqlite3.sqlite_version,
        "system": f"{platform.system()} {platform.release()}",
        "machine": platform.machine(),
    }


def _of_store(call: Call, report: Callable[[Stored], Mapping[str, object]]) -> Mapping[str, object]:
    with open_call_store(call) as parts:
        return report(parts)


def _text(collect: Callable[[], Mapping[str, object]]) -> str:
    try:
        return _json(collect())
    except (ConfigError, LocalFault, NewerDatabase, Unusable) as error:
        return _json({"error": str(error)})


def _json(facts: Mapping[str, object]) -> str:
    return json.dumps(facts, indent=2) + "\n"


def _log(call: Call) -> str:
    try:
        lines, _ = LogTail(folder_of(call) / LOG_FILE, "debug").last(LINES)
    except (ConfigError, Unusable) as error:
        return f"{error}\n"
    return "".join(f"{line}\n" for line in lines) or "there is no log\n"


def _save(target: Path, content: bytes, *, replace: bool) -> None:
    """Write the file for its owner alone. Raises Unusable."""
    flags = os.O_WRONLY | os.O_CREAT | (os.O_TRUNC if replace else os.O_EXCL)
    try:
        with os.fdopen(os.open(target, flags | getattr(os, "O_NOFOLLOW", 0), 0o600), "wb") as file:
            file.write(content)
    except FileExistsError:
        raise Unusable(f"{target} exists already: name another file, or give --force") from None
    except OSError as error:
        raise Unusable(f"{target} can't be written: {error.strerror}") from error
