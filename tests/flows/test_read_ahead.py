"""Covers of a batch are read side by side: with as many requests as one by one, and no more failures reported."""

import gc
import threading
import weakref
from concurrent.futures import ThreadPoolExecutor

import pytest

from plexsync.app.parts import open_parts
from plexsync.flows.scenes.stash_pictures import AT_ONCE, ReadAhead, Readers, StashPictures
from plexsync.rules.item import FIELDS
from plexsync.rules.merge.desired import Profile
from plexsync.rules.records import Picture
from plexsync.rules.servers.errors import Missing, Neighbour, Unavailable
from plexsync.simulator.http import Fault
from plexsync.simulator.stash_images import png
from plexsync.stash.client import StashClient
from tests.engine.house import KEY, TOKEN, House, path_of
from tests.patience import HANG, until
from validation.config import PlexSyncConfig

POSTER = Profile(frozenset(FIELDS), poster="cover")
COUNT = 3 * AT_ONCE


@pytest.fixture
def signs():
    return []


@pytest.fixture
def readers(signs):
    with ThreadPoolExecutor(max_workers=2 * AT_ONCE) as pool:
        yield Readers(pool, lambda: signs.append(threading.get_ident()))


class Library:
    """Pictures that are read when the test lets them be. `begun` and `ended` are in the order of the reads."""

    def __init__(self):
        self.open = threading.Event()
        self.begun, self.ended = [], []

    def reading(self, key):
        def read():
            self.begun.append(key)
            assert self.open.wait(HANG)
            self.ended.append(key)
            return f"picture {key}"

        return read


# --- the order --------------------------------------------------------------------------------------------------------


def test_the_next_few_are_read_before_they_are_asked_for_and_no_more(readers):
    library = Library()
    ahead = ReadAhead(readers, range(COUNT), library.reading)
    until(lambda: len(library.begun) == AT_ONCE)
    library.open.set()
    assert ahead.take(0) == "picture 0"
    ahead.close()
    assert set(range(AT_ONCE)) <= set(library.begun) <= set(range(AT_ONCE + 1))


def test_one_more_is_begun_for_each_that_is_asked_for(readers):
    library = Library()
    library.open.set()
    ahead = ReadAhead(readers, range(COUNT), library.reading)
    assert ahead.take(0) == "picture 0"
    until(lambda: len(library.begun) == AT_ONCE + 1)
    ahead.close()
    assert sorted(library.begun) == list(range(AT_ONCE + 1))


def test_each_is_read_once_and_the_thread_that_asks_shows_that_it_lives(readers, signs):
    library = Library()
    library.open.set()
    ahead = ReadAhead(readers, range(COUNT), library.reading)
    assert [ahead.take(key) for key in range(COUNT)] == [f"picture {key}" for key in range(COUNT)]
    assert sorted(library.begun) == list(range(COUNT))
    assert signs == [threading.get_ident()] * COUNT


@pytest.mark.parametrize("next_one", [AT_ONCE - 1, AT_ONCE, COUNT - 1])
def test_those_before_the_one_that_is_asked_for_are_passed_over(readers, next_one):
    library = Library()
    library.open.set()
    ahead = ReadAhead(readers, range(COUNT), library.reading)
    assert ahead.take(next_one) == f"picture {next_one}"
    assert ahead.take(next_one) is None
    assert ahead.take(0) is None
    ahead.close()
    assert not set(library.begun) & set(range(AT_ONCE, next_one))


def test_one_that_is_not_due_is_left_to_the_caller_and_disturbs_nothing(readers):
    library = Library()
    library.open.set()
    ahead = ReadAhead(readers, range(COUNT), library.reading)
    assert ahead.take("another") is None
    assert ahead.take(0) == "picture 0"
    ahead.close()


def test_the_end_waits_for_those_that_are_being_read_and_begins_no_more(readers):
    library = Library()
    ahead = ReadAhead(readers, range(COUNT), library.reading)
    until(lambda: len(library.begun) == AT_ONCE)
    closing = threading.Thread(target=ahead.close)
    closing.start()
    assert not library.ended
    library.open.set()
    closing.join(HANG)
    assert not closing.is_alive()
    assert sorted(library.ended) == sorted(library.begun) == list(range(AT_ONCE))


# --- the answers ------------------------------------------------------------------------------------------------------


class FakeStash:
    """A Stash whose clock moves with each answer. `failing` holds the error for a path."""

    def __init__(self, failing=()):
        self.failing = dict(failing)
        self.asked = []
        self._of_thread = threading.local()

    @property
    def date(self):
        return self._of_thread.date

    def picture(self, path, *, etag=""):
        self.asked.append(path)
        self._of_thread.date = f"when {path} was read"
        if path in self.failing:
            raise self.failing[path]
        return Picture(path.encode(), etag)


class FakeGates:
    """Gates that are always open, and note what is reported."""

    def __init__(self):
        self.reports = []

    def ticket(self, gate):
        return gate

    def ill(self, ticket, error):
        self.reports.append((ticket, error))


def pictures_of(stash, readers):
    gates = FakeGates()
    return StashPictures(stash, gates, None, readers), gates


def test_the_date_is_that_of_the_picture_and_not_of_the_last_answer(readers):
    pictures, _ = pictures_of(FakeStash(), readers)
    with pictures.ahead([(f"/{n}", "tag") for n in range(COUNT)]):
        for n in range(COUNT):
            assert pictures.read(f"/{n}", etag="tag") == Picture(f"/{n}".encode(), "tag")
            assert pictures.date == f"when /{n} was read"


def test_an_outage_is_reported_once_and_ends_the_reading(readers):
    gone = Unavailable(Neighbour.STASH, "Stash is away", sent=False)
    stash = FakeStash({f"/{n}": gone for n in range(COUNT)})
    pictures, gates = pictures_of(stash, readers)
    with pytest.raises(Unavailable), pictures.ahead([(f"/{n}", "") for n in range(COUNT)]):
        pictures.read("/0")
    assert [error for _, error in gates.reports] == [gone]
    assert len(stash.asked) <= AT_ONCE + 1


def test_a_failure_of_a_picture_that_nobody_asks_for_is_not_reported(readers):
    gone = Unavailable(Neighbour.STASH, "Stash is away", sent=False)
    pictures, gates = pictures_of(FakeStash({"/1": gone}), readers)
    with pictures.ahead([("/0", ""), ("/1", "")]):
        assert pictures.read("/0")
    assert not gates.reports


def test_a_missing_picture_is_told_to_the_one_who_asks_for_it(readers):
    pictures, gates = pictures_of(FakeStash({"/0": Missing(Neighbour.STASH, "nothing there")}), readers)
    with pictures.ahead([("/0", ""), ("/1", "")]):
        with pytest.raises(Missing):
            pictures.read("/0")
        assert pictures.read("/1") == Picture(b"/1", "")
    assert not gates.reports


# --- a batch ----------------------------------------------------------------------------------------------------------


def covered(house, count=COUNT):
    ids = []
    for n in range(count):
        house.plex_sim.add_movie(house.section, files=[(path_of(n), 1000 + n, 60_000)], title=f"f {n}")
        ids.append(house.add_scene(n))
        house.stash_sim.set_cover(ids[-1], png(n, 1, 0))
    house.clock.move(60)
    return ids


def covers_read(house):
    return [request.path for request in house.stash_sim.log if "/screenshot" in request.path]


@pytest.fixture
def side_by_side(monkeypatch):
    """Each read of a picture waits until `AT_ONCE` of them are under way."""
    meeting, read = threading.Barrier(AT_ONCE, timeout=HANG), StashClient.picture

    def met(*args, **more):
        meeting.wait()
        return read(*args, **more)

    monkeypatch.setattr(StashClient, "picture", met)


def test_the_covers_of_a_batch_are_read_side_by_side_each_once(tmp_path, side_by_side):
    with House(tmp_path / "data", profile=POSTER) as house:
        ids = covered(house)
        house.want(*ids)
        house.work_until_settled()
        assert all(house.plex_sim.item(house.key_of(id)).poster.startswith("upload") for id in ids)
        read = covers_read(house)
        assert len(read) == len(set(read)) == COUNT


def test_a_second_look_reads_no_cover(tmp_path):
    with House(tmp_path / "data", profile=POSTER) as house:
        ids = covered(house)
        house.want(*ids)
        house.work_until_settled()
        house.forget_requests()
        house.clock.move(60)
        house.want(*ids)
        house.work_until_settled()
        assert not covers_read(house)


def test_scenes_without_an_item_have_no_cover_read(tmp_path):
    with House(tmp_path / "data", profile=POSTER) as house:
        ids = [*covered(house), *(house.add_scene(n) for n in range(COUNT, 2 * COUNT))]
        for id in ids:
            house.stash_sim.set_cover(id, png(id % 256, 2, 0))
        house.want(*ids)
        house.work()
        assert len(covers_read(house)) == COUNT


def test_a_throttling_stash_ends_the_reading_of_covers_and_blames_no_scene(tmp_path):
    with House(tmp_path / "data", profile=POSTER) as house:
        ids = covered(house)
        house.stash_sim.faults.set(Fault("status", status=429, retry_after=30, when=lambda r: "/screenshot" in r.path))
        house.want(*ids)
        house.step()
        assert house.attempts_used() == 0
        assert len(covers_read(house)) <= AT_ONCE + 1
        house.stash_sim.faults.clear()
        house.work_until_settled()
        assert set(house.states()) == {"idle"}


def test_a_worker_of_the_program_reads_side_by_side(tmp_path, side_by_side):
    with House(tmp_path / "data", profile=POSTER) as house:
        ids = covered(house, AT_ONCE)
        config = PlexSyncConfig(
            plex_url=house.plex_sim.url,
            plex_token=TOKEN,
            stash_url=house.stash_sim.url,
            stash_api_key=KEY,
            poster="cover",
        )
        with open_parts(config, tmp_path / "program", worker=True) as parts:
            looked = parts.work_inspector.look(ids)
        assert [inspection.error or inspection.outcome for inspection in looked] == [None] * AT_ONCE
        assert len(covers_read(house)) == AT_ONCE


def test_a_picture_that_nobody_asks_for_is_not_kept_in_memory(readers):
    class Content:
        """Bytes whose end can be seen."""

    known = []

    def reading(_key):
        def read():
            content = Content()
            known.append(weakref.ref(content))
            return content

        return read

    ahead = ReadAhead(readers, range(COUNT), reading)
    until(lambda: len(known) == AT_ONCE)
    ahead.take(AT_ONCE)
    ahead.take(2 * AT_ONCE)
    # A thread of the pool may hold its last one for a moment.
    until(lambda: gc.collect() is not None and sum(ref() is not None for ref in known[:AT_ONCE]) == 0)
    ahead.close()
