"""Lines of Stash's log: they queue what they name at once, and whatever share of them is lost, polls find it."""

import random
from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings, strategies as st

from plexsync.flows.scenes.stash_lines import BETWEEN, FIRST_DELAY, UNNAMED, StashListener
from plexsync.rules.queue.events import Edited, LogBatch
from plexsync.rules.queue.job import Kind, State
from plexsync.rules.queue.note_keys import EDIT_BY_HOOK, EDIT_BY_LINE, EDIT_BY_POLL, LINES
from plexsync.rules.servers.errors import Neighbour, Unavailable
from plexsync.simulator.http import Fault
from plexsync.simulator.stash_hooks import HookRunner
from plexsync.simulator.stash_log import LogFeed
from plexsync.stash.log_lines import StashLines, read_batch
from plexsync.store import intake
from tests.engine.house import KEY, House
from tests.patience import until

ROOT = Path(__file__).resolve().parents[2]
WAKE_UP = ROOT / "plexsync" / "stash_plugin" / "wake_up" / "PlexSyncWakeUp.yml"


class Told:
    """A source that yields these, `pace` seconds apart, and then fails."""

    def __init__(self, house: House, pace: float, batches: Sequence[Sequence[Edited] | LogBatch | None]) -> None:
        self._house, self._pace, self._batches = house, pace, batches

    def listen(self, _stopping: Callable[[], bool]) -> Iterator[LogBatch | None]:
        for batch in self._batches:
            self._house.clock.move(self._pace)
            yield batch if isinstance(batch, LogBatch | None) else LogBatch(batch)
        raise Unavailable(Neighbour.STASH, "Stash has hung up")


def listener(
    house: House,
    *batches: Sequence[Edited] | LogBatch | None,
    poll: Callable[[], object] = lambda: None,
    pace: float = 0.0,
) -> StashListener:
    worker, lines = house.worker, Told(house, pace, batches)
    return StashListener(house.store, worker.stash, lines, worker.gates, house.clock, house.rng, poll=poll)


def wanted(house: House) -> set[tuple[str, int]]:
    return set(house.rows("select kind, id from job where state = 'ready'"))


def note(house: House, name: str) -> str:
    with house.store.reading() as db:
        return db.notes.text(name)


SEVEN, TAG = Edited(Kind.SCENE, 7), Edited(Kind.TAG, 3)


def test_what_a_line_names_is_queued_in_one_transaction_for_each_batch(house: House) -> None:
    house.add(7)
    listener(house, None, [SEVEN, TAG], [], None)()
    assert wanted(house) == {("scene", 7), ("tag", 3)}
    assert house.rows("select lane from job") == [(0,), (0,)]
    assert note(house, EDIT_BY_LINE) == str(house.clock.now())


def test_single_edits_go_before_a_crowd_of_edits(house: House) -> None:
    *many, last = house.add(101, in_plex=False)
    listener(house, None, [Edited(Kind.SCENE, id) for id in many], [Edited(Kind.SCENE, last)])()
    assert house.rows(f"select lane, count(*) from job where id <> {last} group by lane") == [(1, 100)]
    assert house.rows(f"select lane from job where id = {last}") == [(0,)]


def test_a_scene_that_stash_does_not_have_leaves_no_row_and_one_that_it_had_is_gone(house: House) -> None:
    one, other = house.in_step(2)
    new = house.add_scene(7)
    house.stash_sim.destroy_scene(one)
    house.forget_requests()
    forged = [Edited(Kind.SCENE, id) for id in range(1000, 1250)]
    listener(house, None, [*forged, Edited(Kind.SCENE, one)], [Edited(Kind.SCENE, new)], forged)()
    assert wanted(house) == {("scene", one), ("scene", new)}
    house.work()
    assert {id for (id,) in house.rows("select id from job")} == {one, other, new}
    assert (house.row(one).state, house.row(new).state) == (State.GONE, State.ABSENT)


def test_a_known_scene_costs_no_question_and_a_new_one_is_queued_if_stash_can_not_be_asked(house: House) -> None:
    (id,) = house.in_step()
    house.forget_requests()
    listener(house, None, [Edited(Kind.SCENE, id), TAG])()
    assert house.stash_sim.count() == 0
    house.stash_sim.faults.set(Fault("status", status=500))
    listener(house, None, [Edited(Kind.SCENE, 77)])()
    assert wanted(house) == {("scene", id), ("tag", 3), ("scene", 77)}


def test_it_polls_once_connected_once_stash_sends_and_when_the_connection_is_lost(house: House) -> None:
    house.add(7)
    polls: list[int] = []
    listener(house, None, None, [], [SEVEN], None, poll=lambda: polls.append(len(wanted(house))))()
    assert polls == [0, 0, 1]


def test_why_nothing_is_heard_is_noted_and_logged_once(house: House, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    listens = listener(house)
    for _ in range(3):
        listens()
        house.clock.move(1000)
    assert note(house, LINES) == "Stash has hung up"
    assert len([one for one in caplog.records if one.name == "PlexSync.lines"]) == 1


def test_it_connects_again_when_its_backoff_is_over(house: House) -> None:
    polls: list[None] = []
    listens = listener(house, poll=lambda: polls.append(None))
    listens()
    once = len(polls)
    house.clock.move(FIRST_DELAY / 2)
    listens()
    assert len(polls) == once > 0
    house.clock.move(FIRST_DELAY)
    listens()
    assert len(polls) == 2 * once


def test_a_closed_gate_keeps_it_from_connecting(house: House) -> None:
    house.stash_sim.faults.set(Fault("refuse"))
    for _ in range(6):
        house.worker.poller.poll()
        house.clock.move(1)
    polls: list[int] = []
    listener(house, None, [SEVEN], poll=lambda: polls.append(1))()
    assert (wanted(house), polls) == (set(), [])


def test_a_real_stash_is_heard_through_its_socket(house: House) -> None:
    """The script, the log, the subscription, the database: an edit of many scenes with its megabytes of SQL."""
    ids = house.in_step(40)
    house.stash_sim.log_lines.statement = "SQL: " + "x" * 20_000
    house.stash_sim.others.append(HookRunner.from_manifest(WAKE_UP, dir=house.folder))
    lines = StashLines(house.stash_sim.url, KEY, connect_timeout=60, read_timeout=600)
    heard = [batch.edits for batch in editing(house, lines, ids) if batch and batch.edits]
    listens = listener(house)
    for edits in heard:
        listens.take(edits)
    assert wanted(house) == {("scene", id) for id in ids}
    house.work_until_settled()
    assert house.out_of_step(ids) == []


def editing(house: House, lines: StashLines, ids: list[int]) -> Iterator[LogBatch | None]:
    """Listen, and edit every scene once it is connected; ends when all were heard."""
    left = set(ids)
    began = False
    for batch in lines.listen(lambda: not left):  # noqa: B023 - it is one set
        if not began:
            began = True
            until(lambda: house.stash_sim.log_lines.subscribers)
            house.stash_sim.log_lines.pace = 3600.0
            for id in ids:
                house.stash_sim.edit_scene(id, title=f"Edited {id}")
            house.stash_sim.log_lines.pace = 0.0
        left -= {edit.id for edit in (batch.edits if batch else ())}
        yield batch


# --- nothing is lost -------------------------------------------------------------------------------------------------


class Post:
    """What the log of the simulated Stash sends, as bytes; a share of it never arrives."""

    def __init__(self, house: House, rng: random.Random, share: float) -> None:
        self._feed = LogFeed(house.stash_sim.log_lines)
        house.stash_sim.log_lines.pace = 0.0
        house.stash_sim.log_lines.add(self._feed)
        self._rng, self._share = rng, share

    def arrived(self) -> list[Sequence[Edited]]:
        self._feed._pump()
        queue = self._feed._messages
        sent = [queue.get() for _ in range(queue.qsize())]
        return [read_batch(one).edits for one in sent if self._rng.random() >= self._share]


ACTS = ("edit", "edit", "edit", "tag", "studio", "merge", "destroy", "undo tag")


def act(house: House, what: str, rng: random.Random, count: int) -> None:
    """One change that a person makes in Stash."""
    stash, ids = house.stash_sim, house.stash_sim.scene_ids()
    tags = sorted({tag for id in ids for tag in stash.scene(id).tags})
    match what:
        case "tag" if tags:
            stash.rename_tag(rng.choice(tags), f"Renamed {count}")
        case "studio":
            stash.rename_studio(str(stash.scene(rng.choice(ids)).studio), f"Studio anew {count}")
        case "undo tag" if tags:
            stash.destroy("tag", rng.choice(tags))
        case "merge" if len(tags) > 1:
            one, other = rng.sample(tags, 2)
            stash.merge_tags([one], other)
        case "destroy" if len(ids) > 4:
            stash.destroy_scene(rng.choice(ids))
        case _:
            stash.edit_scene(rng.choice(ids), title=f"Title anew {count}")


@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(seed=st.integers(0, 2**32), share=st.sampled_from([0.0, 0.1, 0.5, 0.9, 1.0]))
@example(seed=4200, share=0.5)  # two polls within one second, and then a rename in it
def test_whatever_share_of_the_lines_is_lost_plex_shows_what_stash_says(
    seed: int, share: float, tmp_path_factory: pytest.TempPathFactory
) -> None:
    rng = random.Random(seed)
    with House(tmp_path_factory.mktemp("house") / "data") as house:
        house.in_step(6)
        house.worker.poller.poll()
        house.clock.move(60)
        house.stash_sim.others.append(HookRunner.from_manifest(WAKE_UP, dir=house.folder))
        post, listens = Post(house, rng, share), listener(house)
        for count in range(12):
            act(house, rng.choice(ACTS), rng, count)
            for edits in post.arrived():
                listens.take(edits)
            if rng.random() < 0.5:
                house.work()
            house.clock.move(rng.choice([0.2, 3.0, 61.0]))
            if rng.random() < 0.3:
                house.worker.poller.poll()
        for _ in range(2):
            house.worker.poller.poll()
            house.clock.move(60)
            house.work_until_settled()
        assert house.out_of_step(house.stash_sim.scene_ids()) == []
        assert house.books_balance()


def test_with_every_line_nothing_waits_for_a_poll(house: House) -> None:
    ids = house.in_step(6)
    house.stash_sim.others.append(HookRunner.from_manifest(WAKE_UP, dir=house.folder))
    post, listens = Post(house, random.Random(1), 0.0), listener(house)
    house.stash_sim.edit_scene(ids[0], title="Anew")
    house.stash_sim.rename_tag("Tag 1", "Renamed")
    house.stash_sim.merge_tags(["Tag 2"], "Tag 3")
    house.stash_sim.rename_studio("Studio 1", "Anew")
    for edits in post.arrived():
        listens.take(edits)
    house.clock.move(3)
    house.work_until_settled()
    assert house.out_of_step(ids) == []


def test_a_merge_and_an_assigned_file_have_no_hook_and_are_followed(house: House) -> None:
    ids = house.in_step(4)
    post, listens = Post(house, random.Random(1), 0.0), listener(house)
    (path, *_), *_ = house.stash_sim.scene(ids[0]).files
    house.stash_sim.assign_file(path, ids[1])
    house.stash_sim.merge_scenes([ids[2]], ids[3])
    for edits in post.arrived():
        listens.take(edits)
    assert wanted(house) == {("scene", ids[1]), ("scene", ids[3])}


def test_a_write_that_no_line_names_is_polled_soon_and_not_often(house: House) -> None:
    """A batch a second: the poll waits for a line of the next batch, and then for some seconds."""
    polls: list[float] = []
    batches = [LogBatch(), LogBatch(writes=True), *[None] * 5, *[LogBatch(writes=True)] * 20, *[None] * 20]
    listener(house, *batches, poll=lambda: polls.append(house.clock.monotonic()), pace=1.0)()
    _connected, sends, *soon, _lost = polls
    assert soon[0] - sends <= UNNAMED + 1
    assert len(soon) == 4
    assert all(later - earlier >= BETWEEN for earlier, later in pairwise(soon))


def test_a_write_whose_line_comes_next_costs_no_poll(house: House) -> None:
    (id,) = house.in_step()
    polls: list[None] = []
    batches = [LogBatch(), LogBatch(writes=True), LogBatch([Edited(Kind.SCENE, id)]), *[None] * 20]
    listener(house, *batches, poll=lambda: polls.append(None), pace=1.0)()
    assert len(polls) == len(["connected", "it sends", "hung up"])


# --- how edits arrive ------------------------------------------------------------------------------------------------


def test_a_poll_counts_as_the_way_only_for_what_no_line_and_no_hook_has_brought(house: House) -> None:
    ids = house.in_step(3)
    house.worker.poller.poll()
    house.clock.move(60)
    house.worker.poller.poll()
    house.clock.move(60)
    first = note(house, EDIT_BY_POLL)

    house.stash_sim.edit_scene(ids[0], title="By a line")
    listener(house).take([Edited(Kind.SCENE, ids[0])])
    house.worker.poller.poll()
    house.clock.move(60)
    house.worker.poller.poll()
    assert note(house, EDIT_BY_POLL) == first

    house.stash_sim.quiet_edit(ids[1], title="By a poll")
    house.clock.move(60)
    house.worker.poller.poll()
    assert note(house, EDIT_BY_POLL) == str(house.clock.now())


def test_the_hook_notes_that_it_was_the_way(house: House) -> None:
    intake.store(str(house.folder), "scene", 7)
    assert int(note(house, EDIT_BY_HOOK)) > 0
    assert wanted(house) == {("scene", 7)}
