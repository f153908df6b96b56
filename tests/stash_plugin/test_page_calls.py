"""The page in Stash calls the plugin by names: each is one that the plugin has, and the plugin has no other."""

import re

from plexsync.simulator.stash_manifest import read_manifest
from plexsync.stash_plugin import page_tasks, setup_operations, tasks
from tests.journey.world import ROOT

SCRIPTS = sorted((ROOT / "plexsync/stash_plugin/ui").glob("*.js"))
# Called by the hook, not by the page.
BY_THE_HOOK = {"wake"}


def test_every_operation_that_the_page_asks_for_is_there_and_none_is_left_over() -> None:
    asked = {name for file in SCRIPTS for name in re.findall(r'"((?:page|setup)_\w+)"', file.read_text("utf-8"))}
    assert len(asked) > 20
    assert asked | BY_THE_HOOK == {*tasks.OPERATIONS, *setup_operations.OPERATIONS}


def test_every_task_of_the_manifest_is_there_and_none_is_left_over() -> None:
    text = (ROOT / "StashPlexSync.yml").read_text(encoding="utf-8")
    modes = re.findall(r"^ +mode: (\w+)$", text, re.MULTILINE)
    assert len(modes) == len(read_manifest(ROOT / "StashPlexSync.yml").tasks)
    assert set(modes) - BY_THE_HOOK == set(tasks.TASKS)


def test_what_the_page_runs_in_the_queue_is_there_and_none_is_left_over() -> None:
    text = "".join(file.read_text("utf-8") for file in SCRIPTS)
    assert set(re.findall(r'mode: "(\w+)"', text)) - BY_THE_HOOK == set(tasks.PAGE_TASKS)
    assert set(re.findall(r'task\.begin\("(\w+)"', text)) == set(page_tasks.COMMANDS)


def test_a_name_leads_to_the_function_that_is_called_so() -> None:
    """A call of a command alone has no function of its own."""
    calls = {**tasks.TASKS, **tasks.OPERATIONS, **setup_operations.OPERATIONS}
    named = {name: call.__name__ for name, call in calls.items() if call.__name__ != "<lambda>"}
    assert named["install"] == "install_packages"
    assert {name for name, own in named.items() if own != name.removeprefix("setup_")} == {"install"}
    assert len(named) > len(calls) / 2
