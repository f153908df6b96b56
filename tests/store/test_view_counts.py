"""Views of items that no play explains: what is saved, and what stays explained when plays are dropped."""

from contextlib import closing

from plexsync.rules.plays.marked_plays import MARKED, CountedViews
from plexsync.rules.plays.plays import PlaySource
from plexsync.store.database import Database

ONE, TWO = CountedViews(1, 50, 9), CountedViews(2)


def test_a_change_of_what_was_changed_meanwhile_is_left_out(tmp_path):
    with closing(Database(tmp_path / "plexsync.db")) as store, store.writing() as tx:
        tx.view_counts.save({"71": (None, ONE), "72": (None, TWO)})
        tx.view_counts.save({"71": (None, TWO), "72": (ONE, CountedViews(5))})
        assert tx.view_counts.of(["71", "72", "73"]) == {"71": ONE, "72": TWO}
        tx.view_counts.save({"71": (ONE, TWO)})
        assert tx.view_counts.of(["71"]) == {"71": TWO}
        tx.view_counts.forget()
        assert tx.view_counts.of(["71", "72"]) == {}


def test_views_whose_plays_or_marks_are_dropped_stay_explained(tmp_path):
    with closing(Database(tmp_path / "plexsync.db")) as store, store.writing() as tx:
        tx.view_counts.save({"71": (None, CountedViews(0, 50, 9)), "72": (None, TWO)})
        tx.plays.save_history(1, [(PlaySource("71", "5"), 10), (PlaySource("71", "6"), 20)], now=1)
        tx.plays.save_history(1, [(PlaySource("71", MARKED), 40)], now=1)
        tx.plays.save_history(1, [(PlaySource("71", "6"), 20)], now=2)
        assert tx.plays.newest(1) == 20
        tx.view_counts.explain_unlisted(1, listed_at=2)
        assert tx.plays.drop_unlisted(1, listed_at=2) == 1
        assert tx.view_counts.of(["71", "72"]) == {"71": ONE, "72": TWO}
        assert tx.plays.moments(1, ["71"]) == {"71": {20, 40}}
        assert not tx.plays.has_unlisted(1, since=0, listed_at=2)
        tx.view_counts.explain_marks()
        assert tx.plays.drop_marks() == 1
        assert tx.view_counts.of(["71", "72"]) == {"71": CountedViews(2, 50, 9), "72": TWO}
        assert tx.plays.moments(1, ["71"]) == {"71": {20}}
