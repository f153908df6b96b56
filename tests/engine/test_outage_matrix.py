"""The rows of the fault matrix that concern outages, at their full size: what is promised there is counted here.

With PLEXSYNC_TORTURE=1 the figures are those of the matrix; otherwise a few rows are smaller, for their time alone.
"""

import copy
import os
import subprocess
import sys
import threading
import time
from email.utils import formatdate
from pathlib import Path

import pytest

from plexsync.engine.engine import BATCHES, Worked
from plexsync.engine.gates import Gates
from plexsync.engine.tickets import READ_PLEX, READS, Closed, Go, Probe
from plexsync.http.client import Wire
from plexsync.http.connections import Pool
from plexsync.plex.client import PlexClient
from plexsync.rules.queue.job import State
from plexsync.rules.queue.outages import outages
from plexsync.rules.servers.errors import Neighbour, NeighbourError
from plexsync.simulator.http import Fault
from plexsync.store.database import Database
from tests.engine.house import BREAKER, DAY, HOUR, TOKEN, House, fails
from tests.stores import address_of

ROOT = Path(__file__).resolve().parents[2]
TORTURE = bool(os.environ.get("PLEXSYNC_TORTURE"))
PLEX, STASH = Neighbour.PLEX, Neighbour.STASH
BULK = """
with recursive n (i) as (select {start} union all select i + 1 from n where i < {end})
insert into job (kind, id, state, lane, wanted_rev, due, since, stirred)
select 'scene', i, 'ready', 0, 1, {now} - {end} + i, {now}, {now} from n
"""


def fill(house, count, *, start=1):
    """That many due rows at once, the lowest id first, and the books to match."""
    end = start + count - 1
    house.change(BULK.format(start=start, end=end, now=house.clock.now()))
    house.change(f"update book set accepted = accepted + {count}")


def transitions(house, who, new):
    return house.rows(f"select count(*) from transition where who = '{who}' and new = '{new}'")[0][0]


@pytest.fixture
def sent(monkeypatch):
    """Every request that leaves for the network, by its port: also those that nobody is there to count."""
    ports, real = [], Pool.exchange

    def exchange(self, *request):
        ports.append(self.place[1])
        return real(self, *request)

    monkeypatch.setattr(Pool, "exchange", exchange)
    return ports


@pytest.fixture
def lasted(monkeypatch):
    """How long each request took the one who made it, to the end of its answer or to giving it up, in seconds."""
    times, real = [], Wire.send

    def send(self, *args, **kwargs):
        began = time.monotonic()
        try:
            return real(self, *args, **kwargs)
        finally:
            times.append(time.monotonic() - began)

    monkeypatch.setattr(Wire, "send", send)
    return times


# --- F21: hours without Plex, 100,000 due jobs -----------------------------------------------------------------------


@pytest.mark.parametrize("who", Neighbour)
def test_however_many_jobs_are_due_a_server_that_is_down_costs_80_requests_in_6_hours_and_300_in_24(house, who, sent):
    due = 100_000 if TORTURE else 5_000
    ids = [house.add_scene(n) for n in range(100)]
    fill(house, due)
    sim = house.plex_sim if who is PLEX else house.stash_sim
    sim.faults.set(Fault("refuse"))
    house.work_for(6 * HOUR)
    # A refused connection leaves no trace at the server.
    asked = [port for port in sent if port == sim.port]
    assert 60 < len(asked) <= 80
    house.work_for(18 * HOUR)
    asked = [port for port in sent if port == sim.port]
    assert 250 < len(asked) <= 300
    assert len(asked) == 5 + transitions(house, who, "half_open"), "each failure that counts, and each probe, is one"
    assert house.rows("select max(attempts), max(streak) from job") == [(0, 0)]
    assert house.states() == {State.READY: due}
    assert house.books_balance()
    other = house.stash_sim if who is PLEX else house.plex_sim
    assert other.count() <= 5

    with house.store.reading() as db:
        (outage,) = outages(db.transitions.all())
    assert (outage.server, outage.end) == (who, None)
    assert (outage.waiting, outage.most) == (due, due)
    assert outage.duration(house.clock.now()) > 23 * HOUR * 1000

    sim.faults.clear()
    house.work_for(331, until=lambda: house.breaker(who) == "closed")
    assert house.breaker(who) == "closed", "one probe after the return is enough"
    assert isinstance(house.step(), Worked)
    assert house.rows(f"select max(attempts) from job where id <= {len(ids)}") == [(0,)]


def test_an_outage_of_writes_alone_ends_with_a_write_that_went_well_and_not_before(house):
    ids = house.add(3)
    house.plex_sim.faults.set(fails("PUT"))
    house.want(*ids)
    house.work_for(6 * HOUR)

    def told():
        with house.store.reading() as db:
            return outages(db.transitions.all())

    (outage,) = told()
    assert (outage.cause, outage.end) == ("write", None)
    house.plex_sim.faults.clear()
    house.work_until_settled()
    (outage,) = told()
    assert outage.end is not None
    assert house.out_of_step(ids) == []


# --- F22: one byte at a time -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("who", Neighbour)
@pytest.mark.parametrize("kind", ["trickle", "hang"])
def test_an_answer_that_comes_byte_by_byte_or_never_ends_in_time_and_is_an_outage(house, who, kind, lasted):
    ids = house.in_step(3)
    for id in ids:
        house.stash_sim.edit_scene(id, title=f"Edited {id}")
    # Twice the time between two bytes is the time for a whole request.
    house.replace_worker(impatient=who, read_timeout=0.1)
    sim = house.plex_sim if who is PLEX else house.stash_sim
    sim.faults.set(Fault(kind, seconds=0.02))
    house.want(*ids)
    house.work_for(60)
    assert house.breaker(who) == "open"
    assert house.attempts_used() == 0
    # None was let go before its time, and each by its time: an answer that is waited for never ends, or is a good one.
    assert sum(seconds > 0.09 for seconds in lasted) >= 5
    with house.store.reading() as db:
        assert "did not answer in time" in db.breakers.find(who).error
    sim.faults.clear()
    house.replace_worker()
    house.work_until_settled(within=HOUR)
    assert house.out_of_step(ids) == []
    assert house.attempts_used() == 0


# --- F24: every form of Retry-After ----------------------------------------------------------------------------------

HOURS_10 = 10 * HOUR
FORMS = {
    "seconds": ("120", 120),
    "none": (None, None),
    "zero": ("0", 0),
    "negative": ("-5", 0),
    "signed": ("+90", 90),
    "fraction": ("1.5", 1.5),
    "ten years": ("315360000", 3600),
    "huge": ("9" * 25, 3600),
    "words": ("soon", 60),
    "hexadecimal": ("0x10", 60),
    "a moment": (lambda now: formatdate(now + 300, usegmt=True), 300),
    "a past moment": (lambda now: formatdate(now - 300, usegmt=True), 0),
    "a moment in ten years": (lambda now: formatdate(now + 315_360_000, usegmt=True), 3600),
    "no moment": ("Wed, 99 Oct 2026 25:61:61 GMT", 60),
}


@pytest.mark.parametrize("status", [429, 503])
@pytest.mark.parametrize("form", FORMS)
def test_nobody_asks_again_before_the_time_that_retry_after_names_in_whatever_form(house, form, status):
    header, floor = FORMS[form]
    if floor is None:
        # A 429 asks for the usual patience, a 503 without a time is any failure: a breath.
        floor = 60 if status == 429 else 0
    # A moment is one of the server's clock, which tells whole seconds.
    value, early = (header(house.clock.now() / 1000), 1.0) if callable(header) else (header, 0.001)
    house.plex_sim.faults.set(Fault("status", status=status, retry_after=value, times=1))
    client = PlexClient(house.plex_sim.url, TOKEN, clock=house.clock)
    try:
        with pytest.raises(NeighbourError):
            house.worker.gates.ask(READ_PLEX, client.sections)
    finally:
        client.close()
    with house.store.reading() as db:
        row = db.breakers.find(PLEX)
    assert (row.state, row.failures) == ("closed", 0 if status == 429 else 1)

    began = house.clock.now()
    waited = 0.0
    while not isinstance(gate := admit(house), Go):
        assert isinstance(gate, Closed)
        house.clock.move(max(0.001, (gate.until - house.clock.now()) / 1000))
        waited = (house.clock.now() - began) / 1000
    assert floor - early <= waited <= max(floor, 2) + 0.001


def admit(house):
    with house.store.writing() as tx:
        return house.worker.gates.admit_batch(tx, READS, house.clock.now())


# --- F28: was it written or not? -------------------------------------------------------------------------------------


def test_writes_whose_answers_are_lost_are_neither_lost_nor_doubled(house):
    count = 1000 if TORTURE else 200
    ids = house.add(count)
    met, puts = set(), {}

    def lost(request):
        if request.method != "PUT":
            return False
        key = request.params["id"]
        puts[key] = puts.get(key, 0) + 1
        fresh = key not in met
        met.add(key)
        return fresh

    house.plex_sim.faults.set(Fault("reset_after", when=lost))
    house.want(*ids)
    # Every few lost answers are an outage, so this takes its time, though not ours.
    house.work_for(30 * DAY, until=lambda: not house.unsettled())
    assert len(met) == count
    assert house.unsettled() == 0
    assert house.out_of_step(ids) == []
    assert set(puts.values()) == {1}, "what was read back as written is not written again"
    assert house.attempts_used() == 0
    assert State.DEAD not in house.states()
    assert house.rows("select count(*) from pushing") == [(0,)]
    for key in house.plex_sim.keys(house.section):
        for names in house.plex_sim.item(key).lists.values():
            assert len(names) == len(set(names))
    house.forget_requests()
    house.clock.move(HOUR)
    house.want(*ids)
    house.work()
    assert house.plex_sim.count("PUT") == 0


# --- F33: answers of Stash that are not whole ------------------------------------------------------------------------

FIELDS = (
    "id",
    "title",
    "details",
    "date",
    "rating100",
    "organized",
    "created_at",
    "updated_at",
    "studio",
    "performers",
    "tags",
    "files",
)
FULL = {
    "title": "A title",
    "details": "Some details",
    "date": "2020-02-02",
    "rating100": 80,
    "studio": "A studio",
    "performers": ["Ann", "Bob"],
    "tags": ["One", "Two"],
}


def without(field):
    def spoil(scene):
        del scene[field]

    return spoil


def having(field, value):
    def spoil(scene):
        scene[field] = copy.deepcopy(value)

    return spoil


WRONG = {"title": 5, "details": ["x"], "date": 2020, "rating100": "80", "organized": None, "updated_at": None}
IN_SCENE = {
    **{f"no {field}": without(field) for field in FIELDS},
    **{f"{field} is {value!r}": having(field, value) for field, value in WRONG.items()},
    "id of no number": having("id", "seven"),
    "studio is a text": having("studio", "A studio"),
    "studio without a name": having("studio", {}),
    "studio of no name": having("studio", {"name": None}),
    "performers is null": having("performers", None),
    "performers is an object": having("performers", {"name": "Ann"}),
    "a performer is null": having("performers", [{"name": "Ann"}, None]),
    "a performer has no name": having("performers", [{}]),
    "tags is null": having("tags", None),
    "tags is a text": having("tags", "One, Two"),
    "a tag is null": having("tags", [None]),
    "files is null": having("files", None),
    "a file is null": having("files", [None]),
    "a file without a path": having("files", [{"size": 1, "duration": 1.0}]),
}


def partial_data(body, id):
    body["data"][f"s{id}"]["tags"] = []
    return {**body, "errors": [{"message": "half of it", "path": [f"s{id}", "tags"]}]}


IN_BODY = {
    "errors beside data": partial_data,
    "errors beside null": lambda body, id: {"data": {f"s{id}": None}, "errors": [{"message": "locked"}]},
    "errors alone": lambda body, id: {"errors": [{"message": "locked"}]},
    "errors is an object": lambda body, id: {**body, "errors": {"message": "locked"}},
    "data is null": lambda body, id: {"data": None},
    "no data": lambda body, id: {},
    "data is a list": lambda body, id: {"data": [body["data"]]},
    "the scene is missing": lambda body, id: {"data": {}},
    "the scene is a list": lambda body, id: {"data": {f"s{id}": [body["data"][f"s{id}"]]}},
    "the scene is empty": lambda body, id: {"data": {f"s{id}": {}}},
    "another scene": lambda body, id: {"data": {f"s{id}": {**body["data"][f"s{id}"], "id": str(id + 1)}}},
}


def test_no_answer_of_stash_that_is_not_whole_blanks_a_field_in_plex(house):
    mutations = len(IN_SCENE) + len(IN_BODY)
    assert mutations >= 40
    (id,) = house.add()
    house.stash_sim.edit_scene(id, **FULL)
    house.want(id)
    house.work_until_settled()
    key = house.key_of(id)
    before = copy.deepcopy((house.plex_sim.item(key).scalars, house.plex_sim.item(key).lists))
    assert before[0]["summary"] == "Some details"
    house.forget_requests()
    spoiled = 0

    for name, spoil in {**IN_SCENE, **IN_BODY}.items():
        hit = []

        def fault(body, spoil=spoil, name=name, hit=hit):
            if f"s{id}" not in (body.get("data") or {}):
                return body
            hit.append(name)
            body = copy.deepcopy(body)
            if name in IN_BODY:
                return spoil(body, id)
            spoil(body["data"][f"s{id}"])
            return body

        house.stash_sim.graphql_fault = fault
        house.clock.move(HOUR)
        house.want(id)
        house.clock.move(2)
        house.work()
        house.stash_sim.graphql_fault = None
        spoiled += bool(hit)
        assert hit, name
        assert house.plex_sim.count("PUT") == 0, name
        row = house.row(id)
        assert row.state is not State.GONE, name
        assert row.attempts == 0, name
        assert (house.plex_sim.item(key).scalars, house.plex_sim.item(key).lists) == before, name
        house.work_until_settled()
        assert house.row(id).state is State.IDLE, name
    assert spoiled == mutations
    assert house.plex_sim.count("PUT") == 0


# --- F30: everything is due at once when it is back ------------------------------------------------------------------


@pytest.mark.timeout(1800 if TORTURE else 900)
def test_after_the_return_all_that_is_due_at_once_does_not_bring_it_down_again(tmp_path):
    real, due = (3_000, 100_000) if TORTURE else (150, 2_000)
    with House(tmp_path / "data", parallel=4) as house:
        ids = house.add(real)
        fill(house, due)
        house.plex_sim.faults.set(Fault("refuse"))
        house.work_for(2 * HOUR)
        assert house.breaker() == "open"
        house.plex_sim.faults.clear()
        house.forget_requests()
        trips = transitions(house, PLEX, "open")
        steps = house.work_for(
            6 * HOUR, until=lambda: house.rows("select min(id) from job where state = 'ready'") == [(None,)]
        )
        sizes = [sum(step.outcomes.values()) for step in steps if isinstance(step, Worked)]
        assert sizes[:7] == [1, 2, 4, 8, 16, 32, 64]
        assert max(sizes) <= 100 * BATCHES
        assert house.plex_sim.most_at_once("PUT") <= 4
        assert transitions(house, PLEX, "open") == trips
        assert house.out_of_step(ids) == []
        # Of a scene that Stash never had, its first attempt leaves no row.
        states = house.states()
        assert states.pop(State.IDLE) == real
        assert states.keys() <= {State.GONE}
        assert house.attempts_used() == 0
        assert house.books_balance()


def test_a_server_that_can_take_little_after_its_return_is_given_little(house):
    """Plex starts up: for ten minutes it answers only so much in a second, and 503 beyond that."""
    ids = house.add(120)
    house.want(*ids)
    house.plex_sim.faults.set(Fault("refuse"))
    house.work_for(HOUR)
    back = house.clock.now()
    asked: dict[int, int] = {}

    def overloaded(request):
        second = house.clock.now() // 1000
        asked[second] = asked.get(second, 0) + 1
        return house.clock.now() - back < 600_000 and asked[second] > 6

    house.plex_sim.faults.set(Fault("status", status=503, retry_after=5, when=overloaded))
    house.work_until_settled(within=6 * HOUR)
    assert house.out_of_step(ids) == []
    assert house.attempts_used() == 0
    assert State.DEAD not in house.states()


# --- one probe for all of them ---------------------------------------------------------------------------------------


def trip(house):
    for _ in range(5):
        admit(house)
        house.worker.gates.ill(house.worker.gates.ticket(READ_PLEX), refusal())
    house.clock.move(2.1)
    with house.store.reading() as db:
        return db.breakers.find(PLEX)


def refusal():
    client = PlexClient("http://127.0.0.1:9", TOKEN)
    try:
        client.sections()
    except NeighbourError as error:
        return error
    finally:
        client.close()
    raise AssertionError("somebody answers on the port of the discard service")


def test_of_many_connections_exactly_one_gets_the_probe(house):
    row = trip(house)
    many = 6
    for _ in range(20 if TORTURE else 5):
        house.clock.move(row.wait + 1)
        got, start = [], threading.Barrier(many)

        def ask(got=got, start=start):
            store = Database(house.folder / "plexsync.db")
            worker, prints = house.worker, dict.fromkeys(Neighbour, "as set up")
            gates = Gates(store, worker.stash, worker.plex, BREAKER, house.clock, house.rng, prints)
            start.wait()
            with store.writing() as tx:
                gate = gates.admit_batch(tx, READS, house.clock.now())
            got.append(gate)
            if isinstance(gate, Probe):
                gates.ill(gate.ticket, refusal())
            store.close()

        threads = [threading.Thread(target=ask) for _ in range(many)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(got) == many
        assert sum(isinstance(gate, Probe) for gate in got) == 1
        assert all(isinstance(gate, Probe | Closed) for gate in got)
        with house.store.reading() as db:
            row = db.breakers.find(PLEX)
        assert row.state == "open"


ASK = """
import sys
from pathlib import Path
from plexsync.plex.client import PlexClient
from plexsync.stash.client import StashClient
from plexsync.store.files.address import StoreAddress
from plexsync.store.opening import open_database
from plexsync.rules.servers.errors import Neighbour
from tests.engine.clocks import Clock, RandomSource
from tests.engine.house import BREAKER
from plexsync.engine.gates import Gates
from plexsync.engine.tickets import READS

store = open_database(StoreAddress(Path(sys.argv[1]), *sys.argv[2:]))
stash, plex = StashClient("http://127.0.0.1:9", ""), PlexClient("http://127.0.0.1:9", "token")
gates = Gates(store, stash, plex, BREAKER, Clock(), RandomSource(), dict.fromkeys(Neighbour, "as set up"))
print("here", flush=True)
now = int(sys.stdin.readline())
with store.writing() as tx:
    gate = gates.admit_batch(tx, READS, now)
print(type(gate).__name__, flush=True)
sys.stdin.readline()
"""


def test_of_several_processes_one_gets_the_probe_and_when_it_is_killed_the_next_one_after_its_lease(house):
    row = trip(house)
    house.clock.move(row.wait + 1)
    address = address_of(house.folder)
    words = [sys.executable, "-c", ASK, str(house.folder), address.url, address.schema]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    children = [subprocess.Popen(words, cwd=ROOT, **pipes) for _ in range(3)]
    try:
        assert [child.stdout.readline() for child in children] == ["here\n"] * 3
        for child in children:
            child.stdin.write(f"{house.clock.now()}\n")
            child.stdin.flush()
        assert sorted(child.stdout.readline() for child in children) == ["Closed\n", "Closed\n", "Probe\n"]
    finally:
        for child in children:
            child.kill()
            child.wait()
            child.stdin.close()
            child.stdout.close()
    lease = BREAKER.lease
    assert isinstance(admit(house), Closed)
    house.clock.move(lease - 1)
    assert isinstance(admit(house), Closed)
    house.clock.move(1)
    probe = admit(house)
    assert probe.gate == READ_PLEX
    house.worker.gates.well(probe.ticket)
    assert house.breaker() == "closed"
