"""The names of gates: which are shown, and what stands for a closed one."""

import pytest

from plexsync.engine.tickets import BY_ROW, READ_PLEX, READ_STASH, WRITE_PLEX, WRITE_STASH
from plexsync.rules.queue.gate_names import GATES, SERVERS, GateName, caption, closed_words, gates_to_show, is_covered
from plexsync.rules.servers.errors import Neighbour


def test_each_server_has_the_gate_of_its_name():
    assert list(SERVERS) == [neighbour.value for neighbour in Neighbour]


def test_every_row_leads_to_the_gate_that_is_stored_in_it():
    assert list(BY_ROW) == list(GATES)
    assert {gate.row for gate in (READ_PLEX, WRITE_PLEX, READ_STASH, WRITE_STASH)} == set(GATES)
    assert all(gate.row == row for row, gate in BY_ROW.items())


def test_writes_to_stash_are_shown_only_if_something_is_stored_about_them():
    assert gates_to_show(()) == ["plex", "stash"]
    assert gates_to_show({"stash", "somebody"}) == ["plex", "stash"]
    assert gates_to_show({"stash:write"}) == ["plex", "stash", "stash:write"]


@pytest.mark.parametrize(
    ("name", "title", "words"),
    [
        (GateName.PLEX, "Plex", "Plex is down"),
        (GateName.STASH, "Stash", "Stash is down"),
        (GateName.STASH_WRITES, "Writing to Stash", "Stash refuses writes"),
    ],
)
def test_each_has_words_of_its_own(name, title, words):
    assert (caption(name), closed_words(name)) == (title, words)


def test_a_stash_that_is_away_needs_no_second_word_about_its_writes():
    assert is_covered("stash:write", {"stash:write", "stash"})
    assert not is_covered("stash:write", {"stash:write", "plex"})
    assert not is_covered("stash", {"stash", "plex"})
