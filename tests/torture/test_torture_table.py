"""The table itself: each fault has its row, each row its tests, and what is not all right is told as that."""

import logging
import os
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from tests.simulation import sim_viewings
from tests.simulation.running import Failure, Report
from tests.simulation.sim_both_ways import HAPPENINGS
from tests.simulation.sim_plays import RESTORES
from tests.simulation.sim_servers import CHANGES
from tests.torture import leaking, suites
from tests.torture.__main__ import RUNS, SUITES, alone, faults_of, place_of, table
from tests.torture.neighbours import KEY, TOKEN
from tests.torture.picked import fits, is_picked
from tests.torture.score import NAME, Score, workshop

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def tests(request) -> list[str]:
    """Every test there is: those of this very run, if it is one of all of them."""
    found = [item.nodeid for item in request.session.items]
    there = {f"tests/{file.relative_to(ROOT / 'tests').as_posix()}" for file in (ROOT / "tests").rglob("test_*.py")}
    if there <= {test.partition("::")[0] for test in found}:
        return found
    words = [sys.executable, "-m", "pytest", "--collect-only", "-q", "-n", "0", "-p", "no:cacheprovider", "tests"]
    done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=False)
    found = [line for line in done.stdout.splitlines() if "::" in line]
    assert done.returncode == 0, done.stdout[-2000:]
    return found


def test_every_fault_of_the_matrix_has_a_row():
    rows = set().union(*(faults_of(name) for name in {**SUITES, **RUNS}))
    assert {f"F{number}" for number in range(1, 49)} <= rows
    assert not set(SUITES) & set(RUNS)


def test_a_run_of_several_faults_is_found_by_each():
    assert {"F1", "F2", "F3", "F13"} <= faults_of("F1-F3,F13")
    assert faults_of("F6-serve") == {"F6"}
    assert faults_of("F26") == {"F26"}
    assert [score.fault for score in sorted(map(row, ("models", "F11", "F2")), key=place_of)] == ["F2", "F11", "models"]


def row(fault: str) -> Score:
    return Score(fault, "this and that", cases=1)


def test_every_pattern_of_every_row_picks_a_test(tests):
    patterns = [(name, one.removeprefix("-")) for name, suite in suites.SUITES.items() for one in suite.picks]
    assert [(name, one) for name, one in patterns if not any(fits(one, test) for test in tests)] == []
    assert all(any(is_picked(suite.picks, test) for test in tests) for suite in suites.SUITES.values())


def test_no_test_of_a_file_that_is_in_the_table_is_left_out_of_it(tests):
    files = {one.removeprefix("-").partition("::")[0] for suite in suites.SUITES.values() for one in suite.picks}
    picked = {test for suite in suites.SUITES.values() for test in tests if is_picked(suite.picks, test)}
    left = [test for test in tests if test not in picked and any(fits(file, test) for file in files)]
    assert left == []


# --- judging a suite -------------------------------------------------------------------------------------------------


def report(*cases: str) -> str:
    return f"<testsuites><testsuite>{''.join(cases)}</testsuite></testsuites>"


GOOD = '<testcase classname="a" name="good"/>'
SKIPPED = '<testcase classname="a" name="skipped"><skipped message="no strace"/></testcase>'
LONG = "assert " + "x" * 5_000
FAILED = f"""<testcase classname="a" name="bad"><failure message="{LONG}">{LONG}
Falsifying example: test_it(text='the one')
</failure></testcase>"""
BROKEN = '<testcase classname="a" name="broken"><error message="a fixture failed">why</error></testcase>'


def judged(text: str, code: int) -> Score:
    score = Score("F0", "judged", 7)
    suites.judge(score, text, code, "what pytest said")
    return score


def test_a_suite_that_went_well_is_clean():
    score = judged(report(GOOD, GOOD), 0)
    assert (score.cases, score.wrong, score.clean) == (2, 0, True)


@pytest.mark.parametrize(
    ("text", "code"),
    [
        (report(GOOD, FAILED), 1),
        (report(GOOD, BROKEN), 1),
        (report(), 5),
        (report(), 0),
        ("", 0),
        ("", 4),
        (report(GOOD), 1),
        (report(GOOD), 2),
        (report(GOOD), -9),
        (report(GOOD, FAILED), 0),
    ],
    ids=[
        "a test failed", "a fixture failed", "nothing was picked", "nothing ran", "no report", "a wrong call",
        "failed without a failure", "interrupted", "killed", "went well with a failure",
    ],
)  # fmt: skip
def test_a_suite_that_failed_ended_early_or_tried_nothing_is_not_clean(text, code):
    score = judged(text, code)
    assert not score.clean
    assert score.wrong
    assert score.notes


@pytest.mark.parametrize("words", ["Falsifying example", "Falsifying explicit example", "Failing explicit example"])
def test_the_example_that_shows_a_fault_again_is_told_however_long_the_fault(words):
    (note,) = judged(report(FAILED.replace("Falsifying example", words)), 1).notes
    assert "a::bad: assert xxx" in note
    assert f"{words}: test_it(text='the one')" in note
    assert len(note) < 3_000


def test_what_was_left_out_is_counted_and_told_why():
    score = judged(report(GOOD, SKIPPED, SKIPPED), 0)
    assert (score.cases, score.skipped, score.clean) == (1, 2, True)
    assert any("left out: 2: no strace" in note for note in score.notes)
    assert any(line.startswith("F0") and line.endswith("left out: 2") for line in table([score], 60))
    score = judged(report(SKIPPED), 0)
    assert score.clean
    assert "no strace" in score.left_out


def test_a_row_that_tried_nothing_and_does_not_say_why_is_not_clean():
    assert not Score("F0", "nothing").clean
    assert Score("F0", "nothing", left_out="left out: no strace").clean
    assert any("no case was tried" in line for line in table([Score("F0", "nothing")], 60))


def test_the_table_ends_with_the_time_it_took():
    assert any("2 rows in 1.5 minutes" in line for line in table([row("F1"), row("F2")], 90))


def test_a_pattern_that_picks_no_test_ends_the_run(tmp_path):
    words = [sys.executable, "-m", "pytest", "-q", "-n", "0", "-p", "no:cacheprovider", "-p", "tests.torture.picked"]
    for picks, code in (("rules/test_paths.py::*no_such_test*", 4), ("rules/test_paths.py::*raw_equal*", 0)):
        done = subprocess.run(
            [*words, "--collect-only", "tests/rules/test_paths.py"],
            cwd=ROOT,
            env={**os.environ, "TORTURE_PICKED": picks},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == code, done.stdout + done.stderr


# --- judging lives ---------------------------------------------------------------------------------------------------

LIVELY = Counter({"writes": 100, "kills": 9, "leaps": 9, "full disk": 9, "failing disk": 9})


def lived(**more) -> Score:
    score = Score("F48", "lives", 1, 40)
    suites.judge_lives(score, Report(1, 40, 200, **{"tally": LIVELY, **more}))
    return score


def test_lives_in_which_everything_happened_are_clean():
    assert lived().clean


@pytest.mark.parametrize("name", LIVELY)
def test_lives_in_which_something_never_happened_prove_nothing(name):
    score = lived(tally=LIVELY - Counter({name: 100}))
    assert not score.clean
    assert f"0 {name}" in score.notes[0]


def test_a_life_that_failed_is_told_with_its_seed():
    score = lived(failures=[Failure(33, 200, "lost", "a scene is lost", ("a", "b"))])
    assert (score.lost, score.clean) == (1, False)
    assert any("sim_run 33 1 200" in note for note in score.notes)


def test_lives_in_which_every_server_changed_are_clean_and_those_without_a_change_prove_nothing():
    for left_out in ("", *CHANGES):
        score = Score("F48", "lives", 1, 40)
        tally = Counter({"writes": 100, **{name: 1 for name in CHANGES if name != left_out}})
        suites.judge_server_lives(score, Report(1, 40, 200, tally=tally))
        assert score.clean is (not left_out)
        assert not left_out or f"no {left_out}" in score.notes[0]


def test_lives_with_plays_that_lack_a_kill_or_a_restore_prove_nothing():
    needed = ("kills", "plays added", "plays removed", "plays deleted for good", "judged once", *RESTORES)
    for left_out in ("", *needed):
        score = Score("F48", "lives", 1, 40)
        tally = Counter({name: 1 for name in needed if name != left_out})
        suites.judge_play_lives(score, Report(1, 40, 200, tally=tally))
        assert score.clean is (not left_out)
        assert not left_out or f"no {left_out}" in score.notes[0]


def test_lives_in_which_something_is_never_sent_or_taken_back_prove_nothing():
    needed = ("kills", *HAPPENINGS, *RESTORES)
    for left_out in ("", *needed):
        score = Score("F48", "lives", 1, 40)
        tally = Counter({name: 1 for name in needed if name != left_out})
        suites.judge_both_lives(score, Report(1, 40, 200, tally=tally))
        assert score.clean is (not left_out)
        assert not left_out or f"no {left_out}" in score.notes[0]


def test_lives_of_a_living_room_in_which_something_never_happens_prove_nothing():
    needed = (*sim_viewings.HAPPENINGS, *sim_viewings.LOSSES)
    for left_out in ("", *needed):
        score = Score("F48", "lives", 1, 40)
        tally = Counter({name: 1 for name in needed if name != left_out})
        suites.judge_room_lives(score, Report(1, 40, 100, tally=tally))
        assert score.clean is (not left_out)
        assert not left_out or f"no {left_out}" in score.notes[0]


# --- secrets ---------------------------------------------------------------------------------------------------------


def test_what_is_looked_for_is_what_the_neighbours_know():
    assert list(leaking.SECRETS.values()) == [TOKEN, KEY]


def leave(place: Path, name: str, content: bytes) -> None:
    (place / name).parent.mkdir(exist_ok=True)
    (place / name).write_bytes(content)


@pytest.mark.parametrize("name", [NAME, f"{NAME}-wal", f"{NAME}-damaged-1", "spool/1.json"])
@pytest.mark.parametrize("secret", [TOKEN, KEY])
def test_a_secret_in_a_data_folder_is_wrong(tmp_path, name, secret):
    leave(tmp_path, NAME, b"")
    score = row("F0")
    assert score.law(tmp_path / NAME, "before")
    # A side file of nobody's database: the search is what is tried here, not SQLite.
    leave(tmp_path, name, b"before " + secret.encode() + b" behind")
    assert leaking.leaks_beside(tmp_path / NAME)
    assert not score.law(tmp_path / NAME, "after")
    assert any("holds the" in note for note in score.notes)


def in_a_file(place: Path) -> None:
    leave(place, "plexsync.log", b"X-Plex-Token: " + TOKEN.encode())


def in_a_log(place: Path) -> None:
    logging.getLogger("PlexSync.engine").debug("asked with %s", TOKEN)


def in_a_forked_log(place: Path) -> None:
    if not os.fork():
        logging.getLogger("PlexSync.engine").debug("asked with %s", TOKEN)
        os._exit(0)
    os.wait()


def said_to_us(place: Path) -> None:
    subprocess.run([sys.executable, "-c", f"print('{KEY}')"], capture_output=True, check=True)


def said_into_the_void(place: Path) -> None:
    words = [sys.executable, "-c", f"import sys; print('{KEY}', file=sys.stderr)"]
    subprocess.run(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=True)


def nothing(place: Path) -> None:
    leave(place, "plexsync.log", b"X-Plex-Token: ***")
    subprocess.run([sys.executable, "-c", "print('torture')"], capture_output=True, check=True)


@pytest.mark.skipif(sys.platform == "win32", reason="children are forked")
@pytest.mark.parametrize("leak", [in_a_file, in_a_log, in_a_forked_log, said_to_us, said_into_the_void, nothing])
def test_a_secret_that_a_run_lets_out_is_wrong_wherever_it_goes(leak):
    def run(size: str, seed: int) -> list[Score]:
        with workshop() as place:
            leak(place)
        return [row("F0")]

    (score,) = alone(run, "sample", 1)
    assert score.clean is (leak is nothing)
