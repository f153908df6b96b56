"""doctor on notifications: what is set up, what of it can't be used, and how to mend it; nothing is sent to find out."""

import logging
import os
import sys
from collections.abc import Iterator
from pathlib import Path

import apprise
import pytest

from plexsync.extras import advice
from tests.cli.conftest import Answer, Door
from tests.journey.world import World
from tests.notify.receiver import Hook

SECRET = "s3cretPathOfTheHook9"
# The package asks its own helpers for modules that Python will do without one day.
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::PendingDeprecationWarning")


@pytest.fixture
def hook() -> Iterator[Hook]:
    with Hook() as made:
        yield made


def told(done: Answer) -> list[tuple[str, str, str]]:
    """(state, what was told, how to mend it) of each check of the notifications."""
    return [
        (one["state"], one["told"], one["mend"] or "") for one in done.facts["checks"] if one["name"] == "notifications"
    ]


def test_nothing_set_up_is_said_and_no_problem(world: World, door: Door) -> None:
    done = door("doctor", "--json")
    assert done.code == 0
    ((state, words, _),) = told(done)
    assert state == "ok"
    assert "not set up" in words
    assert "notify_urls, notify_command" in words


def test_every_way_is_tried_and_nothing_is_sent(world: World, door: Door, hook: Hook) -> None:
    world.settings |= {
        "notify_urls": f"{hook.address} tgram://123456789:abcdefg_hijklmnop/12315544 mailto://me:{SECRET}@mail.invalid",
        "notify_command": f"{sys.executable} tell.py --key {SECRET}",
    }
    done = door("doctor", "--json")
    assert done.code == 0
    ((state, words, _),) = told(done)
    assert state == "ok"
    assert words.startswith("4 ways set up")
    assert hook.log == []
    assert SECRET not in done.out + done.err


@pytest.mark.parametrize("url", [f"nowhere://{SECRET}", "tgram://x", f"mailto://{SECRET}"])
def test_an_address_that_no_service_knows_is_named_by_its_number(
    url: str, world: World, door: Door, hook: Hook, caplog: pytest.LogCaptureFixture
) -> None:
    world.settings["notify_urls"] = f"{hook.address} {url}"
    with caplog.at_level(logging.DEBUG):
        done = door("-v", "doctor", "--json")
    assert done.code == 2
    assert told(done) == [
        (
            "problem",
            "address 2 of notify_urls is none that the package apprise can use",
            "serve does not start like that: mend it (docs/outages.md says how), or take it out of notify_urls",
        )
    ]
    assert SECRET not in done.out + done.err + caplog.text
    # serve says the same, and the other checks were made all the same.
    assert "address 2 of notify_urls" in door("serve").err
    assert [one for one in done.facts["checks"] if one["name"] == "path mapping"]


def test_without_the_package_one_line_says_what_to_install(
    world: World, door: Door, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "apprise", None)
    world.settings["notify_urls"] = f"json://nas/{SECRET} json://other/{SECRET}"
    done = door("doctor", "--json")
    assert done.code == 2
    ((state, words, _),) = told(done)
    assert state == "problem"
    assert words.endswith(advice("notify"))
    assert SECRET not in done.out + done.err


def test_a_package_that_follows_wherever_it_is_pointed_is_too_old(
    world: World, door: Door, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delattr(apprise.AppriseAsset, "http_redirects")
    world.settings["notify_urls"] = f"json://nas/{SECRET}"
    ((state, words, _),) = told(door("doctor", "--json"))
    assert state == "problem"
    assert words.endswith(advice("notify"))


@pytest.fixture
def programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of programs, which is where they are looked for; `tell` can be run, `note` can't."""
    folder = tmp_path / "programs"
    (folder / "inner").mkdir(parents=True)
    for name, mode in (("tell", 0o755), ("note", 0o644)):
        (folder / name).write_text("#!/bin/sh\ntouch ran\n")
        (folder / name).chmod(mode)
    monkeypatch.setenv("PATH", str(folder))
    return folder


@pytest.mark.skipif(os.name != "posix", reason="programs are told by their modes")
@pytest.mark.parametrize(
    ("program", "fault"),
    [
        ("tell", ""),
        ("{folder}/tell", ""),
        ("note", "its program does not exist"),
        ("{folder}/note", "its program is not an executable file"),
        ("{folder}/inner", "its program is not an executable file"),
        ("{folder}/nothing", "its program does not exist"),
        ("nothing", "its program does not exist"),
    ],
)
def test_a_command_is_looked_for_and_not_run(
    program: str, fault: str, world: World, door: Door, programs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(programs)
    world.settings["notify_command"] = f"{program.format(folder=programs)} --key={SECRET}"
    done = door("doctor", "--json")
    # Without it work goes on: a warning.
    assert done.code == 0
    ((state, words, mend),) = told(done)
    assert (state, fault in words) == ("warning" if fault else "ok", True)
    assert mend == ("correct notify_command, or make its program run" if fault else "")
    assert not (programs / "ran").exists()
    assert SECRET not in done.out + done.err


def test_the_words_of_the_command_are_counted_and_not_shown(world: World, door: Door) -> None:
    world.settings["notify_command"] = f"{sys.executable} --key {SECRET}"
    settings = {one["name"]: one["value"] for one in door("doctor", "--json").facts["settings"]}
    assert settings["notify_command"] == "3 words"
    assert SECRET not in door("doctor").out


def test_the_settings_without_notifications_are_empty(world: World, door: Door) -> None:
    settings = {one["name"]: one["value"] for one in door("doctor", "--json").facts["settings"]}
    assert (settings["notify_urls"], settings["notify_command"]) == ("(not set)", "")
