"""`plexsync doctor`: checks the setup, and says how to fix each problem."""

import os
from collections.abc import Iterator, Sequence
from dataclasses import replace

import click
from rich.console import Console

from plexsync.app.parts import Parts, open_parts
from plexsync.app.rules import is_provider_on, watch_rules
from plexsync.app.settings import NotSetUp, SettingsNeed
from plexsync.cli.call import FINE, NEWER, WRONG, Call, command
from plexsync.cli.checks import collections, database, machine, paths, servers
from plexsync.cli.checks.check import OK, PROBLEM, WARNING, Check, problem
from plexsync.cli.checks.postgres import COMMITS
from plexsync.cli.settings import calls_of_all, toml_of
from plexsync.cli.start import Begun, begin_call
from plexsync.cli.terminal.screen import LiveLine, paper, table
from plexsync.reports.format import many, safe
from plexsync.rules.servers.errors import LocalFault, NewerDatabase, Unusable
from validation.config import Setting, describe
from validation.redact import MASK, Redactor
from validation.sources import DEFAULT, ConfigError, Loaded


@command("doctor")
@click.pass_obj
def doctor(call: Call) -> int:
    """Check everything from settings to servers, and say how to mend what is not right.

    Run it first, and whenever something seems wrong. It asks both servers a few questions and changes nothing in
    them: with watch_back on, it asks Stash to remove a play that nobody has. A hold ("on hold until plex_token is put
    right") is lifted when the server accepts requests again. A hold that asks for a choice is lifted by `plexsync
    accept`. With several Plex servers it checks all of them, and tells the one in the worst state first.

    Exits with 0 if work can go on (there may be warnings), 1 if something stops it, 2 if settings or database are wrong,
    3 if the database is newer than this program.

    \b
    Examples:
      plexsync doctor
      plexsync doctor --json
    """
    if calls := calls_of_all(call):
        return _all_servers(call, calls)
    checks, settings = examine(call)
    code = max((check.code for check in checks), default=FINE)
    call.answer(facts_of(checks, settings), lambda: _tell(checks, settings, paper()))
    return code


def _all_servers(call: Call, calls: list[tuple[str, Call]]) -> int:
    """Check all Plex servers; returns the worst exit code."""
    servers = []
    for name, own_call in calls:
        servers.append((name, *examine(own_call)))
        call.hide(*own_call.secrets)
    # The worst exit code comes first, then the number of what is not right.
    bad = {name: (max(c.code for c in checks), sum(c.state != OK for c in checks)) for name, checks, _ in servers}
    worst = sorted(servers, key=lambda server: bad[server[0]], reverse=True)

    def tell() -> None:
        out = paper()
        for name, checks, settings in worst:
            out.print(name, style="bold")
            _tell(checks, settings, out)

    facts = {name: facts_of(checks, settings) for name, checks, settings in servers}
    first = calls[0][0]
    call.answer(
        {
            **facts[first],
            "well": all(server["well"] for server in facts.values()),
            "plex": first,
            "servers": [{"plex": name, **server} for name, server in facts.items()],
        },
        tell,
    )
    return max(code for code, _ in bad.values())


def examine(call: Call) -> tuple[list[Check], list[dict[str, str]]]:
    """Check everything: (the checks, every setting as it is in effect). Raises NotSetUp."""
    checks: list[Check] = []
    settings: list[dict[str, str]] = []
    try:
        with begin_call(call, need=SettingsNeed.WORK) as start:
            settings = _settings(start.settings.loaded)
            with LiveLine(start.console) as line:
                hidden = Redactor(start.config.secrets)
                for check in _checks(call, start):
                    # The message may quote a server: its name, its version.
                    checks.append(replace(check, message=hidden.redact(check.message)))
                    line.show(f"checked: {check.name}")
    except NotSetUp:
        raise
    except ConfigError as error:
        mend = "correct it there; docs/settings.md describes every setting"
        checks += [problem("configuration", line, mend, WRONG) for line in error.lines]
    return checks, settings


def facts_of(checks: Sequence[Check], settings: Sequence[dict[str, str]]) -> dict[str, object]:
    """The checks and the settings for JSON."""
    return {
        "well": all(check.code == FINE for check in checks),
        "checks": [{"name": c.name, "state": c.state, "told": c.message, "mend": c.mend or None} for c in checks],
        "settings": list(settings),
    }


def _tell(checks: Sequence[Check], settings: Sequence[dict[str, str]], out: Console) -> None:
    if changed := [tuple(setting.values()) for setting in settings if setting["origin"] != DEFAULT]:
        out.print(table("Settings that were given", ("setting", "value", "from"), changed))
    drawn = table("Checks", ("", "what", "found, and how to mend it"), [])
    for check in checks:
        mend = f"-> {check.mend}" if check.mend else ""
        message = "\n".join(safe(text) for text in (check.message, mend) if text)
        drawn.add_row(WORDS[check.state], check.name, message, style=STYLES[check.state])
    out.print(drawn)
    counts = [sum(check.state == state for check in checks) for state in (PROBLEM, WARNING)]
    out.print(f"{many(counts[0], 'problem')}, {many(counts[1], 'warning')}")


MEND_FILE = "mend that, or choose another folder with data_dir"
WORDS = {OK: "ok", WARNING: "warn", PROBLEM: "fail"}
STYLES = {OK: "", WARNING: "yellow", PROBLEM: "bold red"}


def _checks(call: Call, start: Begun) -> Iterator[Check]:
    yield from machine.program()
    yield from machine.configuration(start.settings.loaded, toml_of(call))
    yield from machine.notices(start.config)
    content = "events and the log" if start.address.is_postgres else "the database"
    yield from machine.folder(start.folder, start.settings.place.reason, content)
    yield from machine.events(start.folder)
    is_new = not start.address.is_postgres and not os.path.lexists(start.address.path)
    try:
        with open_parts(start.config, start.folder) as parts:
            checks = list(database.database(parts, is_new=is_new))
            yield from checks
            if any(check.name == COMMITS for check in checks):
                # The following checks may write, and would wait as well.
                return
            start.tell(parts)
            yield from database.worker(parts)
            yield machine.log(start.folder)
            well = True
            for ask in (servers.stash, servers.plex):
                for check in ask(parts):
                    well = well and check.state != PROBLEM
                    yield check
            yield from database.open_needs(parts)
            yield from database.queue(parts)
            if well:
                yield from paths.mapping(parts)
                yield from _further(parts)
                yield from collections.collections(parts)
    except NewerDatabase as error:
        yield problem("database", str(error), "install the newer PlexSync again", NEWER)
    except (LocalFault, Unusable) as error:
        mend = "mend that (docs/postgresql.md)" if start.address.is_postgres else MEND_FILE
        yield problem("database", str(error), mend, WRONG)


def _further(parts: Parts) -> Iterator[Check]:
    """The checks of the way back and of libraries that ask PlexSync; nothing is imported for them while both are off."""
    rules, serves = watch_rules(parts.config), is_provider_on(parts.config)
    if rules is None and not serves:
        return
    from plexsync.cli.checks import plays, provider

    if rules is not None:
        yield from plays.plays(parts, rules)
    if serves:
        yield from provider.provider(parts)


def _settings(loaded: Loaded) -> list[dict[str, str]]:
    """Every setting as it is in effect, secrets masked."""
    values = loaded.config.model_dump(mode="json")
    return [
        {
            "name": setting.name,
            "value": _format_setting(setting, values[setting.name]),
            "origin": loaded.origin[setting.name],
        }
        for setting in describe()
    ]


def _format_setting(setting: Setting, value: object) -> str:
    if setting.secret:
        return MASK if value else "(not set)"
    if setting.name == "notify_command" and isinstance(value, list):
        # The command's arguments may contain a secret.
        return many(len(value), "word") if value else ""
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)
