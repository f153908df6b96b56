"""`plexsync probe` finds exactly the switches of the simulated Plex, and leaves the server as it was."""

import random
from pathlib import Path

import pytest

from plexsync.app.probe.questions import check_photo
from plexsync.rules.servers.scratch import CantProbe
from plexsync.simulator.http import Fault, Request
from plexsync.simulator.plex_traits import Traits
from tests.app.probe_stage import AGENTS, SWITCHES, every_pair, expected, stage, state_of

# The kind of library counts as a switch: every pair of values occurs, and some combinations are drawn besides.
VALUES = {"library": tuple(AGENTS), **SWITCHES}
DRAWN = [
    {name: random.Random(f"{name} {number}").choice(values) for name, values in VALUES.items()} for number in range(24)
]
COMBINATIONS = every_pair(VALUES) + DRAWN


def words(combination: dict[str, object]) -> str:
    return ",".join(str(value) for value in combination.values())


@pytest.mark.parametrize("combination", COMBINATIONS, ids=words)
def test_the_probe_finds_exactly_the_switches_and_restores_everything(
    tmp_path: Path, combination: dict[str, object]
) -> None:
    library = str(combination["library"])
    traits = Traits(**{name: combination[name] for name in SWITCHES})
    with stage(tmp_path / "data", traits, library) as here:
        before = state_of(here.plex)

        probed = here.probe()

        assert probed.error == ""
        assert probed.traits.answers() == expected(traits, library)
        assert here.learnt() == probed.traits.answers()
        assert probed.restored is not None
        assert (probed.restored.fields, probed.restored.note) == ((), "")
        assert state_of(here.plex) == before
        assert here.saved() is None


def loads(request: Request) -> bool:
    return request.path == "/photo/:/transcode"


@pytest.mark.parametrize("status", [403, 404, 500, 503])
def test_a_server_that_does_not_load_a_picture_of_a_person_says_so_by_any_error(tmp_path: Path, status: int) -> None:
    with stage(tmp_path / "data") as here:
        before = state_of(here.plex)
        here.plex.faults.set(Fault("status", status=status, when=loads))
        probed = here.probe()
        assert (probed.error, probed.traits.people_own, probed.traits.people_house) == ("", "kept", "kept")
        assert probed.traits.people_https == "kept"
        assert state_of(here.plex) == before


def test_a_server_that_goes_down_at_a_picture_of_a_person_has_given_no_answer(tmp_path: Path) -> None:
    with stage(tmp_path / "data") as here:
        here.plex.faults.set(Fault("status", status=503, when=lambda _request: any(map(loads, here.plex.log))))
        probed = here.probe()
        assert probed.error
        assert (probed.traits.people_house, probed.traits.people_own) == (None, None)
        here.plex.faults.clear()
        here.restore()
        assert here.saved() is None


def test_what_plex_is_sent_of_a_person_holds_no_token(tmp_path: Path) -> None:
    with stage(tmp_path / "data") as here:
        here.plex.clear_log()
        here.probe()
        faces = [value for request in here.plex.log for name, value in request.query if name.endswith("tag.thumb")]
        assert len([face for face in faces if face.startswith("http://127.0.0.1:")]) >= 1
        assert len([face for face in faces if face.startswith("/library/metadata/")]) >= 1
        assert not any(here.plex.token in face or "oken=" in face for face in faces)


@pytest.mark.parametrize(
    "address",
    [
        "http://photos.example.org/ann.jpg",
        "ann.jpg",
        "https:///ann.jpg",
        "https://[photos/ann.jpg",
        "https://me:secret@photos.example.org/ann.jpg",
        "https://photos.example.org/ann.jpg?apikey=secret",
        "https://photos.example.org/ann.jpg#secret",
        "https://photos.example.org/an n.jpg",
    ],
)
def test_an_address_of_a_photo_is_one_of_https_that_can_hold_no_token(address: str) -> None:
    with pytest.raises(CantProbe, match="--photo") as refused:
        check_photo(address)
    assert "secret" not in str(refused.value)


def test_without_a_photo_its_question_says_why_it_has_no_answer(tmp_path: Path) -> None:
    with stage(tmp_path / "data") as here:
        probed = here.probe(photo="")
        assert (probed.traits.people_https, probed.skipped["people_https"]) == (None, "no --photo was named")
        assert probed.traits.people_house == "shown"
