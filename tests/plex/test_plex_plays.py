"""What the client reads of plays and accounts: from a Plex that behaves, one that changes meanwhile, and odd answers."""

import json
import ssl
from http.client import HTTPConnection

import pytest
import requests
from hypothesis import given, settings, strategies as st
from plexapi.server import PlexServer

from plexsync.http.connections import NotConnected
from plexsync.plex.client import PlexClient
from plexsync.plex.history import PlexHistory
from plexsync.rules.records import PlexPlay
from plexsync.rules.servers.errors import Barred, Refused, Unavailable
from plexsync.simulator.http import Answer, Fault
from plexsync.simulator.plex_server import EPOCH, PlexSim
from plexsync.simulator.plex_traits import Traits
from tests.patience import HANG
from tests.plex.conftest import TOKEN
from tests.tables import table
from tests.transports import Answering, saying

OWNER = 1
HISTORY = "/status/sessions/history/all"


@pytest.fixture
def key(sim):
    return sim.add_movie("1", [("/media/a.mp4", 123_456, 60_000)], title="A")


def played(sim, key, *seconds, account=OWNER):
    """Plays at these seconds after the epoch of the simulator; the keys of their rows."""
    return [sim.play(key, at=EPOCH + second, account=account) for second in seconds]


def deleted(sim, entry):
    """Delete a row of the history, as its owner does."""
    connection = HTTPConnection("127.0.0.1", sim.port, timeout=HANG)
    try:
        connection.request("DELETE", entry, headers={"X-Plex-Token": TOKEN})
        assert connection.getresponse().status == 200
    finally:
        connection.close()


def seconds_of(pages):
    return [[play.moment - EPOCH for play in page] for page in pages]


def flat(pages):
    return [play for page in pages for play in page]


def asked(sim):
    """The queries of the requests for the history."""
    return [dict(request.query) for request in sim.log if request.path == HISTORY]


# --- plays -----------------------------------------------------------------------------------------------------------


def test_a_play_says_who_played_what_when_and_where(sim, plex, key):
    watch: PlexHistory = plex.history
    other = sim.add_section("Clips", locations=["/clips"], agent="com.plexapp.agents.none")
    clip = sim.add_movie(other, [("/clips/b.mp4", 5, 1000)])
    (first,), (second,) = played(sim, clip, 20), played(sim, key, 10)

    pages = list(watch.plays(OWNER, since=0))

    assert pages == [
        [
            PlexPlay(second.rpartition("/")[2], key, "1", OWNER, EPOCH + 10),
            PlexPlay(first.rpartition("/")[2], clip, other, OWNER, EPOCH + 20),
        ]
    ]


def test_plexapi_reads_the_same_plays_and_accounts(sim, plex, key):
    guest = sim.add_account("guest")
    played(sim, key, 5, 3, 4, 3)
    played(sim, key, 1, 6, account=guest)
    with requests.Session() as session:
        server = PlexServer(sim.url, TOKEN, session=session)
        for account in (OWNER, guest):
            theirs = server.history(accountID=account)
            ours = flat(plex.history.plays(account, since=0, page=2))

            assert sorted((play.history, play.item, play.moment) for play in ours) == sorted(
                (play.historyKey.rpartition("/")[2], str(play.ratingKey), int(play.viewedAt.timestamp()))
                for play in theirs
            )
        assert plex.history.accounts() == {account.id: account.name for account in server.systemAccounts()}


def test_another_account_s_plays_are_never_among_them(sim, plex, key):
    guest, other = sim.add_account("guest"), sim.add_account("other")
    played(sim, key, 1, 4)
    played(sim, key, 2, account=guest)
    played(sim, key, 3, account=other)

    for ignored in (frozenset(), frozenset({"accountID"})):
        sim.traits.history_ignores = ignored
        assert seconds_of(plex.history.plays(guest, since=0)) == [[2]]
        assert seconds_of(plex.history.plays(OWNER, since=0, page=2)) in ([[1, 4]], [[1], [4]])
        assert list(plex.history.plays(99, since=0)) == []


@pytest.mark.parametrize("ignored", [frozenset(), frozenset({"viewedAt>"})])
@pytest.mark.parametrize("sign", ["later", "not before"])
def test_plays_begin_with_the_asked_moment_whatever_the_sign_means(sim, plex, key, sign, ignored):
    sim.traits.viewed_after, sim.traits.history_ignores = sign, ignored
    played(sim, key, 1, 2, 3, 3)

    assert seconds_of(plex.history.plays(OWNER, since=EPOCH + 2)) == [[2, 3, 3]]
    assert seconds_of(plex.history.plays(OWNER, since=EPOCH + 3)) == [[3, 3]]
    assert list(plex.history.plays(OWNER, since=EPOCH + 4)) == []


def test_a_poll_without_news_is_one_request(sim, plex, key):
    played(sim, key, *range(1500))
    sim.clear_log()

    assert seconds_of(plex.history.plays(OWNER, since=EPOCH + 1499)) == [[1499]]

    assert [request.method for request in sim.log] == ["GET"]
    assert asked(sim) == [
        {
            "sort": "viewedAt:asc",
            "accountID": "1",
            "viewedAt>": str(EPOCH + 1498),
            "X-Plex-Container-Start": "0",
            "X-Plex-Container-Size": "1000",
        }
    ]


def test_without_a_first_moment_no_filter_is_sent(sim, plex, key):
    played(sim, key, 1)
    assert seconds_of(plex.history.plays(OWNER, since=0)) == [[1]]
    assert "viewedAt>" not in asked(sim)[0]


def test_a_play_of_a_library_that_is_not_synced_names_that_library(made, sim, key):
    other = sim.add_section("Private", locations=["/private"])
    private = sim.add_movie(other, [("/private/p.mp4", 1, 1000)])
    played(sim, key, 1), played(sim, private, 2)
    plex = made(sim.url, libraries=("Movies",))

    synced = {section.key for section in plex.sections()}

    assert [(play.item, play.section in synced) for play in flat(plex.history.plays(OWNER, since=0))] == [
        (key, True),
        (private, False),
    ]


def test_of_an_item_that_is_gone_only_the_row_is_left(sim, plex, key):
    kept = sim.add_movie("1", [("/media/b.mp4", 5, 1000)])
    (entry,) = played(sim, key, 1)
    played(sim, kept, 2)
    sim.remove(key)

    assert seconds_of(plex.history.plays(OWNER, since=0)) == [[2]]

    gone = flat(plex.history.plays(OWNER, since=0, with_gone=True))[0]
    assert gone == PlexPlay(entry.rpartition("/")[2], "", "1", OWNER, EPOCH + 1)


def test_an_item_that_was_added_again_has_no_plays_under_its_new_key(sim, plex, key):
    played(sim, key, 1)
    again = sim.readd(key)
    played(sim, again, 2)

    assert [(play.item, play.moment - EPOCH) for play in flat(plex.history.plays(OWNER, since=0))] == [(again, 2)]


def test_marked_as_played_is_no_play(sim, plex, key):
    with requests.Session() as session:
        PlexServer(sim.url, TOKEN, session=session).fetchItem(int(key)).markPlayed()

    assert list(plex.history.plays(OWNER, since=0)) == []


def test_a_server_without_plays_has_none(sim, plex):
    assert list(plex.history.plays(OWNER, since=0)) == []
    assert list(plex.history.plays(OWNER, since=EPOCH)) == []
    assert len(asked(sim)) == 2


# --- pages -----------------------------------------------------------------------------------------------------------


def test_pages_overlap_by_one_row_and_repeat_none(sim, plex, key):
    played(sim, key, *range(7))

    assert seconds_of(plex.history.plays(OWNER, since=0, page=3)) == [[0, 1, 2], [3, 4, 5], [6]]

    pages = [(query["X-Plex-Container-Start"], query["X-Plex-Container-Size"]) for query in asked(sim)]
    assert pages == [("0", "3"), ("2", "4"), ("5", "4")]


@pytest.mark.parametrize("largest", [2, 3, 5])
def test_a_server_may_send_smaller_pages(sim, plex, key, largest):
    sim.max_page = largest
    played(sim, key, *range(9))

    assert flat(seconds_of(plex.history.plays(OWNER, since=0))) == list(range(9))


def test_a_server_that_sends_single_rows_is_not_taken_for_a_whole_history(sim, plex, key):
    sim.max_page = 1
    played(sim, key, 1, 2)
    pages = plex.history.plays(OWNER, since=0)

    assert [play.moment for play in next(pages)] == [EPOCH + 1]
    with pytest.raises(Unavailable, match="an incomplete history"):
        next(pages)


@pytest.mark.parametrize("gone", [(0,), (2,), (0, 1, 2), (1, 2, 3), (3, 4), (2, 6)], ids=str)
def test_rows_deleted_while_walking_hide_no_other(sim, plex, key, gone):
    entries = played(sim, key, *range(7))
    pages = plex.history.plays(OWNER, since=0, page=3)
    assert seconds_of([next(pages)]) == [[0, 1, 2]]
    for number in gone:
        deleted(sim, entries[number])

    rest = flat(seconds_of(pages))

    assert rest == [second for second in range(3, 7) if second not in gone]


def test_the_walk_starts_again_at_the_last_row_and_not_at_the_beginning(sim, plex, key):
    entries = played(sim, key, *range(9))
    pages = plex.history.plays(OWNER, since=0, page=3)
    next(pages), next(pages)
    deleted(sim, entries[0])

    assert seconds_of(pages) == [[6, 7], [8]]

    places = [(query.get("viewedAt>"), query["X-Plex-Container-Start"]) for query in asked(sim)]
    assert places == [
        (None, "0"),
        (None, "2"),
        (None, "5"),
        (str(EPOCH + 4), "0"),
        (str(EPOCH + 4), "2"),
    ]


def test_everything_deleted_while_walking_is_the_end(sim, plex, key):
    entries = played(sim, key, *range(7))
    pages = plex.history.plays(OWNER, since=0, page=3)
    next(pages)
    for entry in entries:
        deleted(sim, entry)

    assert list(pages) == []


def test_a_late_row_with_an_old_moment_repeats_none(sim, plex, key):
    played(sim, key, *range(10, 16))
    pages = plex.history.plays(OWNER, since=0, page=3)
    next(pages)
    played(sim, key, 5)

    assert flat(seconds_of(pages)) == [13, 14, 15]


def test_many_plays_in_one_second_are_all_read(sim, plex, key):
    entries = played(sim, key, *[7] * 8, 9)
    pages = plex.history.plays(OWNER, since=0, page=2)
    histories = [play.history for play in next(pages)]
    deleted(sim, entries[0])
    histories += [play.history for play in flat(pages)]

    assert histories == [entry.rpartition("/")[2] for entry in entries]


def test_a_page_that_comes_again_is_not_read_twice(sim, plex, key):
    sim.traits.history_ignores = frozenset({"X-Plex-Container-Start"})
    played(sim, key, *range(30))

    assert flat(seconds_of(plex.history.plays(OWNER, since=0, page=2))) == list(range(30))


def test_a_server_that_sends_the_same_page_for_ever_is_left(sim, plex, key):
    sim.traits.history_ignores = frozenset({"X-Plex-Container-Start", "viewedAt>"})
    played(sim, key, *range(8))
    pages = plex.history.plays(OWNER, since=0, page=3)

    assert seconds_of([next(pages)]) == [[0, 1, 2]]
    with pytest.raises(Unavailable, match="does not hold still"):
        list(pages)
    assert len(sim.log) < 40


def test_plays_come_in_order_from_a_server_that_does_not_sort_as_asked(sim, plex, key):
    sim.traits.history_ignores = frozenset({"sort"})
    played(sim, key, 4, 1, 3, 0, 2, 3)

    assert seconds_of(plex.history.plays(OWNER, since=0, page=2)) == [[0, 1], [2, 3], [3, 4]]


def test_rows_deleted_from_an_unsorted_history_hide_no_other(made, sim, key):
    sim.traits.history_ignores = frozenset({"sort"})
    entries = played(sim, key, *range(6))

    def delete_before_the_second_request():
        if len(asked(sim)) == 1:
            deleted(sim, entries[5])

    plex = made(sim.url, alive=delete_before_the_second_request)

    assert set(range(5)) <= set(flat(seconds_of(plex.history.plays(OWNER, since=0, page=2))))


CHANGE = st.tuples(st.integers(0, 8), st.sampled_from(["delete", "play"]), st.integers(0, 60))


@settings(max_examples=150)
@given(
    seconds=st.lists(st.integers(0, 12), max_size=12),
    since=st.integers(0, 12),
    page=st.integers(1, 5),
    changes=st.lists(CHANGE, max_size=4),
    sign=st.sampled_from(["later", "not before"]),
    ignored=st.frozensets(st.sampled_from(["accountID", "viewedAt>", "sort"])),
    largest=st.sampled_from([None, 2, 3]),
)
def test_whatever_happens_meanwhile_each_play_that_stays_is_read_once(
    seconds, since, page, changes, sign, ignored, largest
):
    traits = Traits(viewed_after=sign, history_ignores=ignored)
    with PlexSim(token=TOKEN, traits=traits, max_page=largest) as sim:
        movie = sim.add_movie(sim.add_section("Movies"), [("/media/a.mp4", 1, 1000)])
        guest = sim.add_account("guest")
        for second in seconds:
            sim.play(movie, at=EPOCH + second, account=guest)
        rows = {sim.play(movie, at=EPOCH + second): second for second in seconds}
        stays = dict(rows)

        def change():
            for _, act, number in [one for one in changes if one[0] == len(asked(sim))]:
                if act == "play":
                    rows[sim.play(movie, at=EPOCH + number % 13)] = number % 13
                elif stays and (entry := sorted(stays)[number % len(stays)]):
                    deleted(sim, entry)
                    del stays[entry]

        plex = PlexClient(sim.url, TOKEN, read_timeout=HANG, alive=change)
        try:
            read = flat(plex.history.plays(OWNER, since=EPOCH + since, page=page))
        finally:
            plex.close()

    entries = [f"/status/sessions/history/{play.history}" for play in read]
    assert {entry for entry, second in stays.items() if second >= since} <= set(entries)
    assert len(entries) == len(set(entries))
    assert {entry: play.moment - EPOCH for entry, play in zip(entries, read, strict=True)}.items() <= rows.items()
    assert all(play.account == OWNER and play.moment >= EPOCH + since for play in read)
    if "sort" not in ignored:
        moments = [play.moment for entry, play in zip(entries, read, strict=True) if entry in stays]
        assert moments == sorted(moments)


# --- a Plex that does not show it, or fails --------------------------------------------------------------------------


@pytest.mark.parametrize("status", [401, 403])
def test_a_history_that_is_not_shown_stops_nothing_else(sim, plex, key, status):
    sim.traits.history_status = status
    played(sim, key, 1)

    for ask in (lambda: list(plex.history.plays(OWNER, since=0)), plex.history.accounts):
        with pytest.raises(Refused, match=rf"\({status}\).*; only the owner of a Plex server may read its") as raised:
            ask()
        assert TOKEN not in str(raised.value)

    assert [section.title for section in plex.sections()] == ["Movies"]
    assert set(plex.items([key])) == {key}


def test_a_history_that_is_no_longer_shown_ends_between_two_pages(sim, plex, key):
    played(sim, key, 1, 2, 3)
    pages = plex.history.plays(OWNER, since=0, page=2)
    next(pages)
    sim.traits.history_status = 401

    with pytest.raises(Refused):
        next(pages)


def test_a_bad_certificate_is_no_matter_of_the_history(made):
    def connect(request):
        error = ssl.SSLCertVerificationError()
        error.verify_message = "self-signed certificate"
        raise NotConnected(error)

    plex = made(transport=Answering(connect))
    with pytest.raises(Barred) as raised:
        plex.history.accounts()
    assert raised.value.setting == "plex_url"


@pytest.mark.parametrize("fault", [Fault("status", status=503), Fault("html"), Fault("cut"), Fault("maintenance")])
def test_an_answer_that_fails_never_reads_as_the_end(sim, plex, key, fault):
    played(sim, key, 1, 2, 3)
    pages = plex.history.plays(OWNER, since=0, page=2)
    next(pages)
    sim.faults.set(fault)

    with pytest.raises(Unavailable):
        next(pages)
    with pytest.raises(Unavailable):
        plex.history.accounts()


# --- odd answers -----------------------------------------------------------------------------------------------------


def row(number, **more):
    """A row as servers have sent it for years: of old plays no device is known."""
    return {
        "historyKey": f"/status/sessions/history/{number}",
        "key": f"/library/metadata/{700 + number}",
        "ratingKey": str(700 + number),
        "librarySectionID": "2",
        "title": f"Movie {number}",
        "type": "movie",
        "viewedAt": EPOCH + number,
        "accountID": 1,
        **more,
    }


def without(metadata, *names):
    return {name: value for name, value in metadata.items() if name not in names}


def answering(made, container, **headers):
    content = json.dumps({"MediaContainer": container}).encode()
    return made(transport=saying(content, **headers))


def history(made, *rows):
    plex = answering(made, {"size": len(rows), "totalSize": len(rows), "offset": 0, "Metadata": list(rows)})
    return flat(plex.history.plays(OWNER, since=0))


def test_only_movies_are_plays(made):
    episode = row(2, type="episode", grandparentTitle="Show", index=7, parentIndex=1)
    track, untyped = row(3, type="track"), without(row(4), "type")

    assert [play.item for play in history(made, row(1), episode, track, untyped, row(5))] == ["701", "705"]


def test_numbers_come_as_numbers_or_texts(made):
    texts = row(1, viewedAt=str(EPOCH + 1), accountID="1", ratingKey=701, librarySectionID=2)

    assert history(made, texts, row(2, viewedAt=EPOCH + 2.5)) == [
        PlexPlay("1", "701", "2", 1, EPOCH + 1),
        PlexPlay("2", "702", "2", 1, EPOCH + 2),
    ]


@table(
    "odd",
    [
        row(2, historyKey=None),
        row(2, historyKey="/status/sessions/history/"),
        without(row(2), "viewedAt"),
        row(2, viewedAt=None),
        row(2, viewedAt=""),
        row(2, viewedAt=-5),
        row(2, viewedAt="yesterday"),
        row(2, viewedAt=(EPOCH + 2) * 1000),
        without(row(2), "accountID"),
        row(2, accountID="me"),
        row(2, accountID="9" * 5000),
        row(2, ratingKey=None),
        row(2, ratingKey="../1"),
    ],
)
def test_a_row_that_does_not_say_who_played_what_when_is_left_out(made, odd):
    assert [play.item for play in history(made, row(1), odd, row(3))] == ["701", "703"]


def test_a_row_may_not_say_its_library(made):
    assert [play.section for play in history(made, without(row(1), "librarySectionID"))] == [""]


@pytest.mark.parametrize(
    "container",
    [
        {"Metadata": [row(1)]},
        {"size": 2, "totalSize": 2, "Metadata": [row(1)]},
        {"size": 1, "totalSize": -1, "Metadata": [row(1)]},
        {"size": 1, "totalSize": "many", "Metadata": [row(1)]},
        {"size": 1, "totalSize": 1, "Metadata": {}},
        {"size": 0, "totalSize": 5},
        {"size": 1, "totalSize": 1, "Metadata": [without(row(1), "historyKey")]},
    ],
)
def test_a_listing_that_contradicts_itself_is_no_history(made, container):
    with pytest.raises(Unavailable):
        list(answering(made, container).history.plays(OWNER, since=0))


@pytest.mark.parametrize("total", ["in the body", "in the header", "nowhere"])
def test_the_total_may_come_in_two_ways_or_not_at_all(made, total):
    rows = [row(number) for number in range(1, 8)]

    def respond(request):
        start, size = (int(request.params[f"X-Plex-Container-{name}"]) for name in ("Start", "Size"))
        part = rows[start : start + size]
        body = {"size": len(part), "Metadata": part, **({"totalSize": "7"} if total == "in the body" else {})}
        headers = {"X-Plex-Container-Total-Size": "7"} if total == "in the header" else {}
        content = json.dumps({"MediaContainer": body}).encode()
        return Answer(200, content, headers=headers)

    plex = made(transport=Answering(respond))
    assert [play.item for play in flat(plex.history.plays(OWNER, since=0, page=3))] == [
        str(700 + n) for n in range(1, 8)
    ]
    assert [play.item for play in flat(plex.history.plays(OWNER, since=0, page=7))] == [
        str(700 + n) for n in range(1, 8)
    ]


def test_a_server_that_lists_everything_at_once_and_no_total_is_read(made):
    plex = answering(made, {"size": 5, "Metadata": [row(number) for number in range(1, 6)]})

    assert len(flat(plex.history.plays(OWNER, since=0, page=2))) == 5


# --- accounts --------------------------------------------------------------------------------------------------------


def test_accounts_have_names_but_for_the_one_of_nobody(sim, plex):
    guest = sim.add_account("guest")

    assert plex.history.accounts() == {0: "", OWNER: "someone", guest: "guest"}
    assert [request.path for request in sim.log] == ["/accounts"]


def test_two_accounts_may_have_the_same_name(sim, plex):
    first, second = sim.add_account("Kids"), sim.add_account("Kids")

    assert {id for id, name in plex.history.accounts().items() if name == "Kids"} == {first, second}


def test_accounts_may_be_none_and_lack_names(made):
    assert answering(made, {"size": 0, "identifier": "com.plexapp.system.accounts"}).history.accounts() == {}
    listed = [{"id": "1", "name": "Me"}, {"id": 3_972_737}, {"id": "odd", "name": "x"}, {"id": -1, "name": "y"}]
    assert answering(made, {"size": 4, "Account": listed}).history.accounts() == {1: "Me", 3_972_737: ""}


def test_an_incomplete_list_of_accounts_is_no_list(made):
    with pytest.raises(Unavailable):
        answering(made, {"size": 2, "Account": [{"id": 1, "name": "Me"}]}).history.accounts()


def test_an_account_named_like_the_token_does_not_show_it(made):
    plex = answering(made, {"size": 1, "Account": [{"id": 1, "name": f"I am {TOKEN}"}]})

    assert plex.history.accounts() == {1: "I am ***"}
