"""A library asks PlexSync first, and is as it was before once that is taken back, however often either is interrupted."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from plexsync.app.further_flows import provider
from plexsync.app.parts import Parts
from plexsync.app.provider_steps import steps
from plexsync.app.provider_steps.items import PAGE
from plexsync.app.provider_steps.lent import take_over_lent
from plexsync.app.provider_steps.plan import (
    ADDED_SINCE,
    EXTRAS,
    FORGOTTEN,
    MATCHES,
    ONE_GUID,
    compare_values,
    plan_adding,
)
from plexsync.app.unanswered import why_unanswered
from plexsync.flows.scenes.undo import mark_all_undone
from plexsync.rules.merge.taken_back import TakenBack
from plexsync.rules.provider.standing import NO_SWITCH, REMOVING, is_pending
from plexsync.rules.queue.note_keys import LENT_LIBRARY
from plexsync.store.files.lock import try_lock
from plexsync.store.files.provider_secrets import FILE, read_secrets
from plexsync.store.ledger.provider_memory import ProviderRow
from tests.app.provider_stage import (
    AGENT,
    GROUP,
    PREFIX,
    Killed,
    add,
    asking_world,
    kill_at,
    lend,
    parts_of,
    remove,
    whole,
)
from tests.journey.world import World
from tests.patience import HANG
from tests.simulator.tiny_provider import TinyProvider
from tests.web.stage import work


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    with asking_world(tmp_path / "data") as world:
        yield world


def furnish(world: World) -> list[str]:
    """Two scenes in step, an item that PlexSync does not know, and what people and agents have made of them."""
    work(world, world.add(2))
    world.plex.add_movie(world.section, files=[("/media/scenes/home.mp4", 5, 1000)], title="Home", genre=["Family"])
    one, _, home = keys = world.plex.keys(world.section)
    world.plex.match(home, b"a poster", b"another poster")
    world.plex.hand_edit(home, summary="By hand", actor=["Ann", "Bob"], thumb=b"my poster")
    genres = world.plex.item(one).lists["genre"]
    world.plex.hand_edit(one, tagline="Mine", label=["Seen"], genre=[*genres, "Family"])
    return keys


def settle(world: World) -> None:
    """The worker does what is queued."""
    work(world, [])
    world.plex.wait_for_asks()


def test_a_library_in_step_is_whole_again_after_it_was_taken_back(world: World) -> None:
    furnish(world)
    before = whole(world)
    with parts_of(world) as parts:
        add(parts)
        settle(world)
        meanwhile = whole(world)
        assert meanwhile["agent"][0].startswith(PREFIX)
        assert meanwhile["agent"][1] != GROUP
        assert {name: item["locks"] for name, item in meanwhile["items"].items()} != {
            name: item["locks"] for name, item in before["items"].items()
        }
        result = remove(parts)
    settle(world)
    assert whole(world) == before
    assert result == steps.PutBack()


def test_a_folder_that_the_library_gets_later_is_noted(world: World) -> None:
    with parts_of(world) as parts:
        add(parts)
        steps.note_folders(parts)
        world.plex.add_folder(world.section, "/more")
        steps.note_folders(parts)
        with parts.store.reading() as db:
            (row,) = db.providers.all()
        assert row.steps["folders"] == ["/media/scenes", "/more"]
        assert not is_pending(row)


def test_a_process_that_is_killed_anywhere_leaves_what_the_next_one_ends(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.add(2)
    before, number = whole(world), 1
    with parts_of(world) as parts:
        add(parts)
        added = whole(world)
        remove(parts)
        assert added["items"] != whole(world)["items"] == before["items"]
        while killed(parts, monkeypatch, number, lambda: add(parts)):
            add(parts)
            assert values_of(whole(world)) == values_of(added), number
            if killed(parts, monkeypatch, number, lambda: remove(parts)) and asking(parts):
                remove(parts)
            assert whole(world) == before, number
            number += 1
    assert number > 40


def test_what_was_added_in_part_can_be_removed(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.add(1)
    before, number = whole(world), 1
    with parts_of(world) as parts:
        while killed(parts, monkeypatch, number, lambda: add(parts)):
            world.plex.wait_for_asks(HANG)
            if asking(parts):
                remove(parts)
            assert whole(world) == before, number
            number += 1
    assert number > 40


def test_a_worker_goes_on_with_what_was_left_between_two_of_its_looks(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.add(1)
    before = whole(world)
    with parts_of(world) as parts:
        pending = steps.PendingSteps(parts)
        assert killed(parts, monkeypatch, 20, lambda: add(parts))
        pending.look()
        assert whole(world) == before
        pending.look()
        assert whole(world)["agent"][0].startswith(PREFIX)
        with parts.store.reading() as db:
            (row,) = db.providers.all()
        assert not is_pending(row)
        steps.begin_removing(parts, row.library)
        for _ in range(2):
            pending.look()
    assert whole(world) == before


def test_a_library_is_registered_anew_once_the_settings_name_another_address(world: World) -> None:
    with parts_of(world) as parts:
        add(parts)
        steps.renew_moved(parts)
        with parts.store.reading() as db:
            (row,) = db.providers.all()
        assert not is_pending(row), "it is the address at which it asks"
    port = world.settings["provider_listen"].rpartition(":")[2]
    world.settings["provider_url"] = f"http://localhost:{port}"
    with parts_of(world) as parts:
        pending, own = steps.PendingSteps(parts), read_secrets(world.folder)
        for _ in range(3):
            pending.look()
        world.plex.wait_for_asks()
        with parts.store.reading() as db:
            (row,) = db.providers.all()
        assert not is_pending(row)
        assert row.steps[steps.ADDRESS] == f"http://localhost:{port}"
        assert read_secrets(world.folder) != own, "Plex was given a new address"
        assert remove(parts) == steps.PutBack()


@pytest.mark.parametrize("asks", [True, False], ids=["while it asks", "after it was taken back"])
def test_an_undo_puts_back_what_was_there_before_a_library_asked_that_was_never_synced(
    world: World, asks: bool
) -> None:
    """PlexSync has written nothing of what Plex has asked for, and what was there before is in no other place."""
    ids = world.add(1)
    (key,) = world.plex.keys(world.section)
    world.plex.hand_edit(key, locked=False, summary="Found", genre=["Family"])
    before = whole(world)
    with parts_of(world) as parts:
        add(parts)
        whole(world)
        work(world, ids)
        assert world.plex.item(key).scalars["summary"] == "What happens in 0."
        if not asks:
            remove(parts)
            settle(world)
            assert "summary" in world.plex.item(key).locks
        mark_all_undone(parts.inspector, TakenBack.UNDO)
        settle(world)
        undone, known = whole(world)["items"][key], before["items"][key]
        assert (undone["scalars"], undone["locks"]) == (known["scalars"], known["locks"])
        assert set(undone["lists"]["genre"]) == {"Family"}


def test_more_items_than_a_page_are_put_back_also_once_nobody_answers_any_more(world: World) -> None:
    world.add(PAGE + 7)
    before = whole(world)
    with parts_of(world) as parts:
        add(parts)
        assert whole(world)["items"] != before["items"]
    world.settings["provider_listen"] = "none"
    with parts_of(world) as parts:
        assert remove(parts) == steps.PutBack()
    assert whole(world) == before


def test_a_library_that_can_t_be_ended_keeps_a_worker_from_no_other_one(world: World) -> None:
    with parts_of(world) as parts:
        stuck = ProviderRow("stuck", "9", "A", f"{PREFIX}stuck", "adding", {"secret": 1, "answers": 0, "items": 0})
        with parts.store.writing() as tx:
            tx.providers.save(stuck)
        plan = plan_adding(parts, "Movies")
        steps.begin_adding(parts, plan.library, plan.identifier)
        pending = steps.PendingSteps(parts)
        for _ in range(2):
            pending.look()
        with parts.store.reading() as db:
            assert [(row.title, is_pending(row)) for row in db.providers.all()] == [("A", True), ("Movies", False)]


def test_what_happened_while_nobody_listened_is_told_once_somebody_does_again(world: World) -> None:
    known, gone = world.add(2)
    with parts_of(world) as parts:
        add(parts)
    settle(world)
    listening = world.settings.pop("provider_listen")
    world.stash.edit_scene(known, title="Edited meanwhile")
    world.stash.destroy_scene(gone)
    work(world, [known, gone])
    world.settings["provider_listen"] = listening
    with parts_of(world) as parts:
        pending = steps.PendingSteps(parts)
        for _ in range(2):
            pending.look()
        with parts.store.reading() as db:
            (row,) = db.providers.all()
            told = {scene: (a.matched, a.values["title"]) for (_, scene), a in db.answers.of([known, gone]).items()}
    assert told == {known: (True, "Edited meanwhile"), gone: (False, "Title 1")}
    assert not is_pending(row)


def test_of_two_processes_one_does_the_steps(world: World) -> None:
    with parts_of(world) as parts:
        other = try_lock(world.folder, steps.LOCK)
        assert other is not None
        with other, pytest.raises(steps.NotNow, match="another process"):
            add(parts)
        assert not asking(parts)


def test_what_somebody_has_edited_since_stays_and_what_was_added_since_is_listed(world: World) -> None:
    world.add(2)
    one, two = world.plex.keys(world.section)
    with parts_of(world) as parts:
        add(parts)
        world.plex.wait_for_asks(HANG)
        world.plex.hand_edit(one, summary="By hand")
        world.plex.rename_file(two, "/media/scenes/scene 00001.mp4", "/media/scenes/another.mp4")
        world.plex.add_movie(world.section, files=[("/media/scenes/new.mp4", 5, 1000)], title="New")
        result = remove(parts)
    new = world.plex.keys(world.section)[-1]
    assert (result.kept, result.other, result.added) == ([one], [two], [new])
    item = world.plex.item(one)
    assert (item.scalars["summary"], item.locks, item.scalars["title"]) == ("By hand", {"summary"}, "scene 00000")


def test_an_address_that_nobody_answers_is_told_and_nothing_is_left_after_a_removal(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(steps, "UNANSWERED", 0.0)
    world.add(1)
    before = whole(world)
    world.settings["provider_url"] = "http://127.0.0.1:9"
    with parts_of(world) as parts:
        with pytest.raises(steps.NotNow, match=r"Plex can't reach http://127.0.0.1:9/\*\*\*: start plexsync serve"):
            add(parts)
        remove(parts)
    assert whole(world) == before


def test_lost_secrets_are_made_anew_by_the_next_call_and_by_nobody_else(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.add(1)
    with parts_of(world) as parts:
        # After the secrets and the answers were noted.
        assert killed(parts, monkeypatch, 12, lambda: add(parts))
        (world.folder / FILE).unlink()
        with parts.store.reading() as db:
            (row,) = db.providers.all()
        with pytest.raises(
            steps.NotNow, match=r"^Movies: the secret of its address is not in .*: copy the file there from"
        ):
            steps.go_on(parts, row.library)
        add(parts)
        world.plex.wait_for_asks(HANG)
    assert world.plex.item(world.plex.keys(world.section)[0]).scalars["title"] == "Title 0"


@pytest.mark.parametrize(
    "trait",
    [
        {"registers_by": "query", "asks_by": "query"},
        {"agent_ids": "texts"},
        {"values_lock": True},
        {"match_filename": "folder", "asks_images": True, "same_guid": "apart"},
        {"match_filename": "rooted", "unknown_key": "unmatched"},
        {"match_clears": True, "absent_fields": "cleared", "omitted_tags": "removed"},
    ],
)
def test_servers_that_differ_are_added_and_taken_back_alike(world: World, trait: dict[str, object]) -> None:
    world.plex.traits = replace(world.plex.traits, **trait)
    world.add(1)
    before = whole(world)
    with parts_of(world) as parts:
        add(parts)
        assert whole(world)["agent"][0].startswith(PREFIX)
        remove(parts)
    assert whole(world) == before


@pytest.mark.parametrize("listen", ["", "none"], ids=["on", "off"])
def test_a_worker_takes_back_what_an_earlier_version_left_of_a_library(world: World, listen: str) -> None:
    key = lend(world)
    world.plex.hand_edit(key, originalTitle="PlexSync probe x locked", genre=["Family", "PlexSync probe x one"])
    if listen:
        world.settings["provider_listen"] = listen
    with parts_of(world) as parts:
        flow = provider(parts)
        assert flow is not None
        with parts.store.reading() as db:
            assert [row.state for row in db.providers.all()] == [REMOVING]
        for _ in range(2):
            flow.looks(lambda: False)[0].act()
        assert not asking(parts)
        assert (provider(parts) is None) is bool(listen)
    item = world.plex.item(key)
    assert (item.lists["genre"], item.scalars.get("originalTitle", "")) == (["Family"], "")
    assert world.plex.agent_of(world.section) == (AGENT, GROUP)


def test_a_damaged_note_of_a_lent_library_is_ignored(world: World) -> None:
    with parts_of(world) as parts:
        with parts.store.writing() as tx:
            tx.notes.save(LENT_LIBRARY, '{"library": 7')
        take_over_lent(parts)
        assert not asking(parts)
        with parts.store.reading() as db:
            assert not db.notes.text(LENT_LIBRARY)


def asking(parts: Parts) -> bool:
    """Whether a library asks, or is about to."""
    with parts.store.reading() as db:
        return bool(db.providers.all())


def values_of(whole: Mapping[str, object]) -> object:
    """The items, and whose agent the library has; its group has another number each time."""
    agent, _group = whole["agent"]
    return agent, whole["items"]


def killed(parts: Parts, monkeypatch: pytest.MonkeyPatch, number: int, act: Callable[[], object]) -> bool:
    """Whether the process ended at the boundary of this number."""
    with monkeypatch.context() as patched:
        was_reached = kill_at(patched, number)
        try:
            act()
        except Killed:
            assert was_reached()
            return True
    return False


# --- what is told before anything is done ----------------------------------------------------------------------------


def refusal(world: World, name: str = "Movies") -> str:
    """Why the library can't be added; nothing is written then."""
    with parts_of(world) as parts:
        with pytest.raises(steps.NotNow) as caught:
            plan_adding(parts, name)
        assert not asking(parts)
    assert not (world.folder / FILE).exists()
    return str(caught.value)


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"provider_listen": "none"}, "set provider_listen"),
        ({"provider_listen": "0.0.0.0:9798"}, "set provider_url"),
    ],
)
def test_settings_that_let_nobody_ask_are_told(world: World, settings: dict[str, str], words: str) -> None:
    world.settings |= settings
    assert words in refusal(world)


def test_a_server_before_1_43_and_a_library_that_is_not_there_are_told(world: World) -> None:
    assert refusal(world, "Shows") == ("none of the movie libraries that are synced is named Shows; they are: Movies")
    world.plex.version = "1.42.2.10156-f737b826c"
    assert refusal(world) == "Plex 1.42.2.10156-f737b826c has no metadata providers: that needs 1.43.0 or newer"


def test_a_library_of_another_plexsync_is_left_to_it(world: World) -> None:
    with TinyProvider() as other:
        other.identifier = f"{PREFIX}another"
        world.plex.use_provider(world.section, other.base)
        assert "asks another PlexSync" in refusal(world)


def test_a_library_that_asks_is_added_again_to_a_database_that_was_made_anew(world: World) -> None:
    world.add(1)
    with parts_of(world) as parts:
        add(parts)
        whole(world)
        guid = world.plex.item(world.plex.keys(world.section)[0]).guid
        with parts.store.writing() as tx:
            (row,) = tx.providers.all()
            tx.providers.forget(row.library)
        assert FORGOTTEN in plan_adding(parts, "Movies").lost
        add(parts)
        assert whole(world)["agent"][0] == row.identifier
        assert world.plex.item(world.plex.keys(world.section)[0]).guid == guid
        remove(parts)
    assert world.plex.agent_of(world.section) == (AGENT, GROUP)


def test_what_may_keep_plex_from_asking_and_what_can_t_be_put_back_is_in_the_plan(world: World) -> None:
    world.add(2)
    world.plex.set_section_pref(world.section, "includeAdultContent", "0")
    with parts_of(world) as parts:
        plan = plan_adding(parts, "movies")
        counts = compare_values(parts, world.section)
    assert (plan.items, plan.renews, plan.address) == (2, False, f"http://{world.settings['provider_listen']}/***")
    assert plan.warnings == (NO_SWITCH,)
    assert plan.lost == (MATCHES, EXTRAS, ONE_GUID, ADDED_SINCE)
    assert (counts.scenes, counts.differ) == (2, 2)


def test_damaged_secrets_are_told_and_made_anew_by_adding_the_library_again(world: World) -> None:
    with parts_of(world) as parts:
        add(parts)
        with parts.store.reading() as db:
            (row,) = db.providers.all()
        (before,) = read_secrets(world.folder).values()
        (world.folder / FILE).write_bytes(b"{")
        assert "is damaged" in why_unanswered(parts.folder, row, [])
        add(parts)
        (after,) = read_secrets(world.folder).values()
        assert (why_unanswered(parts.folder, row, []), after.path != before.path) == ("", True)


def test_a_library_that_asks_already_gets_a_new_address(world: World) -> None:
    world.add(1)
    with parts_of(world) as parts:
        add(parts)
        world.plex.wait_for_asks(HANG)
        (before,) = read_secrets(world.folder).values()
        assert plan_adding(parts, "Movies").renews
        add(parts)
    (after,) = read_secrets(world.folder).values()
    assert (after.path != before.path, after.key) == (True, before.key)
    world.plex.wait_for_asks(HANG)
    assert world.plex.item(world.plex.keys(world.section)[0]).scalars["title"] == "Title 0"
