"""The faults whose cases are tests or lives of their own, in the full figures of PLEXSYNC_TORTURE=1: a row for each.

A test is a case, and one that fails is wrong. A life is a case of F48, and tells itself what it lost, doubled or spoilt.
Tests that take anything by chance take it from the seed of the run: PLEXSYNC_SEED, or hypothesis's own.
"""

import os
import re
import subprocess
import sys
import tempfile
import xml.etree.ElementTree as ET
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from tests.simulation import sim_both_ways, sim_plays, sim_servers, sim_viewings
from tests.simulation.running import Report
from tests.simulation.sim_run import FOUND, FOUND_STEPS, run_seed, run_seeds
from tests.torture.picked import VARIABLE
from tests.torture.score import Score

ROOT = Path(__file__).resolve().parents[2]
TOLD = 400
EXAMPLE = 2000


@dataclass(frozen=True)
class Suite:
    """What is tried, and the tests that try it: patterns as in `picked`."""

    what: str
    picks: tuple[str, ...]


OUTAGES = "engine/test_engine_outages.py"
MATRIX = "engine/test_outage_matrix.py"
GATES = "engine/test_gates.py"
CRASHES = "engine/test_engine_crashes.py"
BATCH = "engine/test_engine_batch.py"
SETTLE = "engine/test_settle.py"
LOOP = "engine/test_engine_loop.py"
NOTICING = "engine/test_notifications.py"
JOBS = "store/test_jobs.py"
QUEUE = "load/test_load_queue.py"
PRUNING = "load/test_load_pruning.py"
WIRE = "http/test_wire.py"
PLEX = "plex/test_plex_client.py"
STASH = "stash/test_stash_client.py"
ANSWERS = "rules/test_http_answers.py"

# The name is the fault, with a word behind it where the table has more than one row of that fault.
SUITES = {
    "F4-engine": Suite(
        "killed between any two edits: nothing sent twice, served one by one, poison set aside",
        (
            f"{CRASHES}::*kill*",
            f"{CRASHES}::*taken_back*",
            f"{CRASHES}::*poison*",
            f"{CRASHES}::*prolongs*",
            f"{JOBS}::*crash*",
            f"{JOBS}::*killed_the_worker*",
        ),
    ),
    "F6-engine": Suite(
        "a fault of the disk at every step of an attempt: a pause, no blame, on by itself",
        (
            f"{CRASHES}::*our_own_disk*",
            f"{CRASHES}::*commit_that_fails*",
            f"{CRASHES}::*full_for_real*",
            f"{LOOP}::*our_own_disk*",
            f"{NOTICING}::*full_disk*",
        ),
    ),
    "F11-backup": Suite(
        "backups whole and of one moment, restored over anything", ("store/test_backup.py", "cli/test_cli_backup.py")
    ),
    "F17": Suite(
        "the clock steps back, by a minute or to 1970",
        (
            "load/test_load_clock.py::*earlier*",
            f"{JOBS}::*clock*step*back*",
            f"{JOBS}::*seen_the_step_back*",
            f"{GATES}::*clock_set_back*",
            "rules/test_outages.py::*clock_set_back*",
            "flows/test_poll.py::*clock_was_set_back*",
        ),
    ),
    "F18": Suite(
        "the clock leaps ahead, by a minute or ten years; nothing is pruned early",
        (
            "load/test_load_clock.py::*later*",
            "load/test_load_clock.py::*was_ahead_for_a_moment*",
            f"{PRUNING}::*future*",
            f"{CRASHES}::*clock_that_leapt*",
            f"{CRASHES}::*off_for_a_month*",
            "engine/test_housekeeping.py::*clock_that_leapt*",
            f"{JOBS}::*clock_was_ahead*",
            "store/test_pushes.py::*future*",
        ),
    ),
    "F19-engine": Suite(
        "a worker that slept through its lease sends and settles nothing",
        (f"{CRASHES}::*slept*", f"{CRASHES}::*taken_over*", f"{JOBS}::*_lease_*", f"{JOBS}::*holder_writes*"),
    ),
    "F21": Suite(
        "Plex refuses for 6 and 24 hours; one probe for all processes",
        (
            f"{MATRIX}::*however_many_jobs_are_due*[plex]",
            f"{MATRIX}::*outage_of_writes*",
            f"{MATRIX}::*probe*",
            f"{OUTAGES}::test_plex_away*",
            f"{OUTAGES}::*[plex-reset]",
            f"{OUTAGES}::*in_the_middle*",
            f"{OUTAGES}::*one_report*",
            f"{OUTAGES}::*while*writes_fail*",
            f"{OUTAGES}::*single_job*",
            f"{GATES}::*fail*",
            f"{GATES}::*success_for_the_breaker*",
            f"{GATES}::*breaker*",
            f"{GATES}::*probe*",
            f"{WIRE}::*refused_connection*",
            f"{WIRE}::*recovers*",
            f"{LOOP}::*outage*",
        ),
    ),
    "F22": Suite(
        "hangs, and answers that come a byte at a time",
        (
            f"{MATRIX}::*byte_by_byte*",
            f"{WIRE}::*trickle*",
            f"{CRASHES}::*hanging_plex*",
            f"{STASH}::*trickle*",
            f"{PLEX}::*does_not_end_well*",
        ),
    ),
    "F23": Suite(
        "500, 502, 503, 504, 408; waits spread out within their bounds",
        (
            f"{OUTAGES}::*blames_nobody[plex-50*",
            f"{OUTAGES}::*blames_nobody[plex-408]",
            f"{OUTAGES}::*blames_nobody[plex-maintenance]",
            f"{OUTAGES}::*libraries_that_are_told*",
            f"{OUTAGES}::*flaky*",
            f"{SETTLE}::*delay*",
            f"{SETTLE}::*jitter*",
            f"{ANSWERS}::*each_status*",
            f"{WIRE}::*status_becomes*",
            f"{WIRE}::*error_does_not_cost*",
        ),
    ),
    "F24": Suite(
        "429 and 503 with Retry-After in every form",
        (
            f"{MATRIX}::*retry_after*",
            f"{GATES}::*patience*",
            f"{ANSWERS}::*retry_after*",
            f"{ANSWERS}::*moment*",
            f"{ANSWERS}::*header*",
            f"{ANSWERS}::*429*",
            f"{ANSWERS}::*503*",
            f"{WIRE}::*patience*",
        ),
    ),
    "F25": Suite(
        "401, 403, a library that is missing: a hold that names the setting",
        (
            f"{GATES}::*hold*",
            f"{GATES}::*setting*",
            f"{GATES}::*library_that_is_missing*",
            f"{GATES}::*401*",
            f"{ANSWERS}::*locked_door*",
            f"{PLEX}::*token*",
            f"{NOTICING}::*refused_token*",
            "engine/test_dead_letter_cures.py::*setting*",
        ),
    ),
    "F26": Suite(
        "answers that are cut, foreign, huge or bombs",
        (
            "security/test_bombs.py",
            f"{OUTAGES}::*blames_nobody[plex-cut]",
            f"{OUTAGES}::*blames_nobody[plex-garbage]",
            f"{OUTAGES}::*blames_nobody[plex-html]",
            f"{WIRE}::*cut*",
            f"{WIRE}::*packed*",
            f"{WIRE}::*bomb*",
            f"{WIRE}::*_body_*",
            f"{WIRE}::*redirect*",
            f"{PLEX}::*another_shape*",
            f"{PLEX}::*something_else_answered*",
            f"{PLEX}::*walk*",
            f"{PLEX}::*every_kind*",
        ),
    ),
    "F27": Suite(
        "certificates that nobody vouches for, names that nobody knows",
        (
            "security/test_tls.py",
            "security/test_outbound.py::*name_that_nobody*",
            f"{WIRE}::*certificate*",
            f"{WIRE}::*encrypt*",
            f"{WIRE}::*name_that_cannot*",
            f"{ANSWERS}::*certificate*",
            f"{ANSWERS}::*without_a_connection*",
        ),
    ),
    "F28": Suite(
        "writes whose answers are lost: read back, not sent twice",
        (
            f"{MATRIX}::*answers_are_lost*",
            f"{OUTAGES}::*lost*",
            f"{OUTAGES}::*read_back*",
            f"{WIRE}::*may_have_done_something*",
        ),
    ),
    "F29": Suite(
        "items missing, moved, re-added, alike",
        (
            "engine/test_engine_absence.py",
            "flows/test_inspection.py",
            "rules/test_match.py",
            f"{OUTAGES}::*item*added_anew*",
            f"{OUTAGES}::*gone*",
            "engine/test_dead_letter_cures.py::*ambiguous*",
            "engine/test_dead_letter_cures.py::*candidates*",
            "engine/test_dead_letter_cures.py::*not_in_plex_yet*",
            f"{BATCH}::*librar*",
            f"{BATCH}::*several_items*",
            f"{BATCH}::*owns_it*",
            f"{BATCH}::*ambiguous*",
        ),
    ),
    "F30": Suite(
        "everything is due at once when the other side is back",
        (
            f"{MATRIX}::*after_the_return*",
            f"{MATRIX}::*after_its_return*",
            f"{OUTAGES}::*first_probe*",
            f"{GATES}::*after_an_outage_claims_grow*",
            f"{GATES}::*recovering*",
            f"{GATES}::*did_not_go_well*",
        ),
    ),
    "F31": Suite(
        "Stash refuses, hangs, answers 5xx, nonsense or 401: a breaker and a hold of its own",
        (
            f"{MATRIX}::*however_many_jobs_are_due*[stash]",
            f"{OUTAGES}::test_stash_away*",
            f"{OUTAGES}::*[stash-*",
            f"{OUTAGES}::*performers*",
            f"{GATES}::*stash*",
            f"{GATES}::*each_neighbour*",
            f"{STASH}::*every_kind*",
            f"{STASH}::*not_ready*",
            f"{STASH}::*wrong_key*",
            f"{STASH}::*no_stash*",
            "flows/test_poll.py::*away*",
            "flows/test_poll.py::*breaks_off*",
        ),
    ),
    "F32": Suite(
        "scenes deleted, merged, and back again",
        (
            f"{BATCH}::*gone*",
            f"{JOBS}::*no_row*",
            "flows/test_poll.py::*deletion*",
            "flows/test_poll.py::*merge*",
            "flows/test_reconcile.py::*stash_lost*",
            "engine/test_dead_letter_cures.py::*stash_lost*",
        ),
    ),
    "F33": Suite(
        "partial and erroneous answers of Stash blank no field",
        (
            f"{MATRIX}::*not_whole*",
            f"{STASH}::*whole*",
            f"{STASH}::*half*",
            f"{STASH}::*errors*",
            f"{STASH}::*null*",
            f"{STASH}::*walk*",
            f"{STASH}::*blames_no_scene*",
            "flows/test_reconcile.py::*half_an_answer*",
        ),
    ),
    "F34": Suite(
        "comparing everything, broken off and gone on with, also while things change",
        ("flows/test_reconcile.py", "flows/test_reconcile_goes_on.py", "flows/test_poll.py"),
    ),
    "F35": Suite("wrong settings, each field", ("validation", "cli/test_cli_faults.py")),
    "F36": Suite("hook inputs of every malformed kind", ("stash_plugin", "security/test_hook_fuzz.py")),
    "F37": Suite(
        "texts of a megabyte, ten thousand tags, large pictures: cut, marked and counted",
        (
            "flows/test_artwork.py",
            "load/test_load_texts.py::*megabyte*",
            "rules/test_desired.py::*long_texts*",
            "rules/test_desired.py::*ten_thousand*",
            "rules/test_text.py::*cut*",
            "store/test_pushes.py::*long_text*",
            f"{PLEX}::*long*",
            "plex/test_plex_edits.py::*parted*",
            f"{BATCH}::*would_be_cut*",
        ),
    ),
    "F38": Suite(
        "texts of every script, control characters, lone surrogates",
        (
            "load/test_load_texts.py::*every_script*",
            "rules/test_text.py",
            "-rules/test_text.py::*cut*",
            "rules/test_desired.py",
            "-rules/test_desired.py::*long_texts*",
            "-rules/test_desired.py::*ten_thousand*",
            "store/test_records.py::*any_*",
            f"{JOBS}::*any_text*",
            f"{PLEX}::*character*",
            "plex/test_plex_edits.py::*surrogate*",
        ),
    ),
    "F39": Suite(
        "a million rows, readers around, a backfill: indexes, pace, memory",
        (
            f"{QUEUE}::*_large_table*",
            f"{QUEUE}::*log*",
            f"{QUEUE}::*memory*",
            f"{QUEUE}::*backfill*",
            f"{QUEUE}::*batch_is_written*",
            f"{JOBS}::*index*",
            f"{JOBS}::*costs*",
        ),
    ),
    "F40": Suite(
        "a job that kills its worker, an item that always fails",
        ("load/test_load_poison.py", "engine/test_engine_evidence.py"),
    ),
    "F41": Suite(
        "ten thousand wants in a minute",
        (
            f"{QUEUE}::*wants*",
            f"{QUEUE}::*single_edit*",
            f"{JOBS}::*quiet*",
            f"{JOBS}::*without_end*",
            f"{BATCH}::*without_end*",
            f"{BATCH}::*ten_edits*",
        ),
    ),
    "F42": Suite(
        "an edit at every boundary of an attempt",
        (
            f"{BATCH}::*edit_at_any*",
            f"{BATCH}::*renewed*",
            f"{SETTLE}",
            f"-{SETTLE}::*delay*",
            f"-{SETTLE}::*jitter*",
            f"{JOBS}::*while*being_synced*",
        ),
    ),
    "F43": Suite(
        "a wake-up that is lost, and one that is not", (f"{QUEUE}::*wake_up*", LOOP, f"-{LOOP}::*our_own_disk*")
    ),
    "F44": Suite(
        "dead letters: a million rows, retention to the moment, cap, small deletions",
        (
            "cli/test_cli_dlq.py",
            PRUNING,
            f"-{PRUNING}::*future*",
            "store/test_pushes.py",
            "-store/test_pushes.py::*future*",
            "engine/test_housekeeping.py",
            "-engine/test_housekeeping.py::*clock_that_leapt*",
            f"{CRASHES}::*retention*",
            f"{CRASHES}::*prun*",
            f"{CRASHES}::*forgotten*",
            f"-{CRASHES}::*clock_that_leapt*",
            f"-{CRASHES}::*off_for_a_month*",
            f"{JOBS}::*dead_rows*",
            f"{JOBS}::*prun*",
        ),
    ),
    "notices": Suite(
        "outages are told, once; their history and its figures",
        (
            "rules/test_outages.py",
            "rules/test_notices.py",
            NOTICING,
            f"-{NOTICING}::*full_disk*",
            "cli/test_cli_outages.py",
        ),
    ),
    "F47": Suite("pages: slow, resting and too many connections, more questions than answers", ("web/test_server.py",)),
    "S6-S12": Suite("pages: hosts, logins, forms, policies, hostile words", ("web/test_guard.py",)),
    "S1-S4": Suite(
        "secrets in anything that is written, in every spelling",
        (
            "security/test_canary_faults.py",
            "security/test_canary_commands.py",
            "security/test_secret_objects.py",
            f"{WIRE}::*secret*",
        ),
    ),
    "S5": Suite("files for their owner alone, links not followed", ("security/test_file_modes.py",)),
    "S13": Suite("one event is one line, whatever its text", ("security/test_one_event_one_line.py",)),
    "S14,S20": Suite("no SQL, code or program made of data", ("security/test_static_rules.py",)),
    "S15": Suite("nobody is asked but the configured two", ("security/test_outbound.py",)),
    "S17": Suite("paths stay where they belong", ("security/test_paths_stay.py",)),
    "S23": Suite("every dependency pinned with hashes", ("security/test_dependencies.py",)),
    "models": Suite(
        "breaker, job table and three-way plan against models",
        (
            "worker/test_breaker_model.py",
            "worker/test_breaker_mutations.py",
            "store/test_jobs_model.py",
            "rules/test_plan_model.py",
        ),
    ),
}

# Of the files from which rows above pick single tests: all that none of them picks, so that nothing is left out.
PICKS = [pick for suite in SUITES.values() for pick in suite.picks if not pick.startswith("-")]
PARTS = sorted({pick.partition("::")[0] for pick in PICKS if "::" in pick})
SUITES["parts"] = Suite(
    "clients, gates and job table in all that no row above tries",
    (*PARTS, *(f"-{pick}" for pick in PICKS if pick.partition("::")[0] in PARTS)),
)


def run(name: str, size: str, seed: int) -> list[Score]:
    """Run the tests of a row in a process of its own; those that fail are wrong."""
    suite = SUITES[name]
    score = Score(fault_of(name), suite.what, seed)
    with tempfile.TemporaryDirectory(prefix="plexsync-torture-") as folder:
        report = Path(folder) / "report.xml"
        done = _tests(suite.picks, size, seed, report)
        said = f"{done.stdout[-EXAMPLE:]}{done.stderr[-EXAMPLE:]}"
        judge(score, report.read_text(encoding="utf-8") if report.exists() else "", done.returncode, said)
    return [score]


def fault_of(name: str) -> str:
    """The fault of a row: its name without the word that tells it from others of that fault."""
    fault, _, word = name.partition("-")
    return fault if word.isalpha() else name


def _tests(picks: tuple[str, ...], size: str, seed: int, report: Path) -> subprocess.CompletedProcess[str]:
    places = {one.partition("::")[0] for one in picks if not one.startswith("-")}
    chance = f"--hypothesis-seed={seed}"
    words = ["-q", "-n", "0", "-p", "no:cacheprovider", "-p", "tests.torture.picked", chance, f"--junit-xml={report}"]
    more = {VARIABLE: "\n".join(picks), "PLEXSYNC_SEED": str(seed)}
    more |= {} if size == "sample" else {"PLEXSYNC_TORTURE": "1"}
    return subprocess.run(
        [sys.executable, "-m", "pytest", *words, *(f"tests/{place}" for place in sorted(places))],
        cwd=ROOT,
        env={**os.environ, **more},
        capture_output=True,
        text=True,
        check=False,
    )


def judge(score: Score, report: str, code: int, said: str) -> None:
    """What pytest's report and exit code say; a run that ended in any other way than with all its verdicts is wrong."""
    reasons: Counter[str] = Counter()
    for case in ET.fromstring(report).iter("testcase") if report else ():
        skipped = case.find("skipped")
        if skipped is not None:
            reasons[skipped.get("message") or "no reason given"] += 1
            continue
        score.cases += 1
        trouble = [found for found in case if found.tag in ("failure", "error")]
        if trouble:
            score.spoil(f"{case.get('classname')}::{case.get('name')}: {told(trouble[0])}")
    score.skipped = sum(reasons.values())
    for reason, count in reasons.items():
        score.remark(f"left out: {count}: {reason[:TOLD]}")
    # 0: all went well; 1: some failed. Anything else is an end before the end.
    if code != (1 if score.wrong else 0):
        score.spoil(f"the tests ended with {code}: {said}")
    elif not score.cases and not score.skipped:
        score.spoil(f"no test ran: {said}")
    elif not score.cases:
        score.left_out = f"left out: {next(iter(reasons))[:TOLD]}"


def told(trouble: ET.Element) -> str:
    """The beginning of what went wrong, and the example that shows it again."""
    text, message = trouble.text or "", trouble.get("message") or ""
    found = re.search(r"(Falsifying|Failing)[\w ]*example", text)
    example = text[found.start() :][:EXAMPLE] if found and found[0] not in message[:TOLD] else ""
    return "\n".join(part for part in (message[:TOLD], example) if part)


# --- F48 -------------------------------------------------------------------------------------------------------------

LIVES = {"sample": (40, 200), "full": (2_000, 200), "long": (10_000, 500)}
SERVER_LIVES = {"sample": (20, 200), "full": (2_000, 200), "long": (10_000, 200)}
PLAY_LIVES = {"sample": (10, 200), "full": (2_000, 200), "long": (10_000, 200)}
ROOM_LIVES = {"sample": (10, 100), "full": (1_000, 100), "long": (10_000, 100)}
BOTH_LIVES = {"sample": (20, 200), "full": (2_000, 200), "long": (10_000, 200)}


def lives(size: str, seed: int) -> list[Score]:
    """Whole systems in one thread: people on both sides, kills, outages, clocks, disks; one seed each."""
    count, steps = LIVES[size]
    report = run_seeds(seed, count, steps)
    score = Score("F48", f"lives of {steps} steps with every fault at once", seed, report.count)
    judge_lives(score, report)
    return [score, *found_lives()]


def server_lives(size: str, seed: int) -> list[Score]:
    """Lives in which servers and databases are replaced, restored and lost; one seed each."""
    count, steps = SERVER_LIVES[size]
    report = sim_servers.run_server_seeds(seed, count, steps)
    score = Score("F48", f"lives of {steps} steps in which servers and databases change", seed, report.count)
    judge_server_lives(score, report)
    return [score]


def judge_server_lives(score: Score, report: Report) -> None:
    """What was lost, doubled or wrong; and whether everything that can happen to a server has happened."""
    tell_failures(score, report, "sim_servers")
    for name in sim_servers.possible_changes():
        if not report.tally[name]:
            score.spoil(f"no {name} in {report.count} lives: they prove nothing")
    if report.tally["writes"] < report.count:
        score.spoil(f"{report.tally['writes']} writes in {report.count} lives: they prove nothing")


def play_lives(size: str, seed: int) -> list[Score]:
    """Lives in which plays come back from Plex; one seed each."""
    count, steps = PLAY_LIVES[size]
    report = sim_plays.run_play_seeds(seed, count, steps)
    score = Score("F48", f"lives of {steps} steps in which plays come back from Plex", seed, report.count)
    judge_play_lives(score, report)
    return [score]


def judge_play_lives(score: Score, report: Report) -> None:
    """What was lost, doubled or wrong; and whether plays were sent, deleted and taken back, and every database restored."""
    tell_failures(score, report, "sim_plays")
    for name in ("kills", "plays added", "plays removed", "plays deleted for good", "judged once", *sim_plays.RESTORES):
        if not report.tally[name]:
            score.spoil(f"no {name} in {report.count} lives: they prove nothing")


def both_lives(size: str, seed: int) -> list[Score]:
    """Lives in which ratings go both ways, resume points come back, and people import; one seed each."""
    count, steps = BOTH_LIVES[size]
    report = sim_both_ways.run_both_seeds(seed, count, steps)
    score = Score("F48", f"lives of {steps} steps with ratings, resume points and imports", seed, report.count)
    judge_both_lives(score, report)
    return [score]


def judge_both_lives(score: Score, report: Report) -> None:
    """What was lost, doubled or wrong; and whether all was sent and taken back, and every database restored."""
    tell_failures(score, report, "sim_both_ways")
    for name in ("kills", *sim_both_ways.HAPPENINGS, *sim_plays.RESTORES):
        if not report.tally[name]:
            score.spoil(f"no {name} in {report.count} lives: they prove nothing")


def room_lives(size: str, seed: int) -> list[Score]:
    """Lives of a living room, in which viewings come back from Plex; one seed each."""
    count, steps = ROOM_LIVES[size]
    report = sim_viewings.run_room_seeds(seed, count, steps)
    score = Score("F48", f"lives of {steps} steps in a living room", seed, report.count)
    judge_room_lives(score, report)
    return [score]


def judge_room_lives(score: Score, report: Report) -> None:
    """What was lost, doubled or wrong; and whether all was watched, lost and taken back."""
    tell_failures(score, report, "sim_viewings")
    for name in (*sim_viewings.HAPPENINGS, *sim_viewings.LOSSES):
        if not report.tally[name]:
            score.spoil(f"no {name} in {report.count} lives: they prove nothing")


def tell_failures(score: Score, report: Report, module: str) -> None:
    """What was lost, doubled or wrong, and how to live the first of it again."""
    score.lost, score.doubled, score.wrong = report.lost, report.doubled, report.wrong
    for failure in report.failures[:2]:
        score.remark(f"{failure}"[-EXAMPLE:])
        score.remark(f"again: python -m tests.simulation.{module} {failure.seed} 1 {failure.steps}")


def judge_lives(score: Score, report: Report) -> None:
    """What was lost, doubled or wrong; and whether these lives were lives at all."""
    tell_failures(score, report, "sim_run")
    for name in ("writes", "kills", "leaps", "full disk", "failing disk"):
        if report.tally[name] < report.count // 20:
            score.spoil(f"{report.tally[name]} {name} in {report.count} lives: they prove nothing")
    if report.tally["writes"] < report.count:
        score.spoil(f"{report.tally['writes']} writes in {report.count} lives: they prove nothing")


def found_lives() -> list[Score]:
    """The seeds that have found something once."""
    score = Score("F48", "lives that have shown a fault once", min(FOUND), len(FOUND))
    for seed in FOUND:
        failure, _, _ = run_seed(seed, FOUND_STEPS)
        if failure is not None:
            score.spoil(str(failure)[-EXAMPLE:])
    return [score]
