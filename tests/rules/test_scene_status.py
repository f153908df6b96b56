"""How a scene stands, and since when: by its row, and by what was seen."""

from plexsync.rules.queue.job import State
from plexsync.rules.records import JobRow, Stood
from plexsync.rules.words.scene_status import Standing, standing
from plexsync.rules.words.status_words import BY_STATE, SceneStatus, job_counts, status_of
from tests.tables import table


def row(state, *, cls="", since=50, error=""):
    return JobRow(
        kind="scene",
        id=7,
        state=state,
        lane=0,
        wanted_rev=1,
        claimed_rev=1,
        settled_rev=1,
        attempts=0,
        streak=0,
        crashes=0,
        due=0,
        since=since,
        lease_until=None,
        error=error,
        cls=cls,
        desired="",
    )


@table(
    ("known", "stood", "pushed", "told"),
    [
        # nobody knows of it, or a comparison alone does
        (None, None, None, Standing("unknown")),
        (None, Stood("in step", 10), None, Standing("in_step", 10)),
        # a comparison of an earlier version did not count what Plex keeps
        (None, Stood("person", 10), None, Standing("in_step", 10, kept_fields=1)),
        (None, Stood("person 3", 10), None, Standing("in_step", 10, kept_fields=3)),
        (row(State.IDLE), Stood("person 3", 10), None, Standing("in_step", 10, kept_fields=3)),
        (row(State.READY), Stood("person 3", 10), None, Standing("waiting", 50)),
        (None, Stood("absent", 10), None, Standing("absent", 10)),
        (None, Stood("strict", 10), None, Standing("failed", 10)),
        # the row is newer
        (row(State.READY), Stood("in step", 10), None, Standing("waiting", 50)),
        (row(State.RUNNING), None, None, Standing("waiting", 50)),
        (row(State.IDLE), None, None, Standing("in_step", 50)),
        (row(State.IGNORED), Stood("in step", 10), None, Standing("ignored", 50)),
        (row(State.DROPPED), None, None, Standing("dropped", 50, "you removed it from the queue")),
        (
            row(State.DROPPED, error="no"),
            None,
            None,
            Standing("dropped", 50, "you removed it from the queue; before that: no"),
        ),
        (row(State.DROPPED, cls="elsewhere", error="bound"), None, None, Standing("not_shown", 50, "bound")),
        (None, Stood("elsewhere", 10), None, Standing("not_shown", 10, SceneStatus.NOT_SHOWN.meaning)),
        (row(State.GONE), Stood("in step", 10), None, Standing("gone", 50)),
        # what lasts has begun when it was seen first, however often it was looked at since
        (row(State.ABSENT, error="not there"), Stood("absent", 10), None, Standing("absent", 10, "not there")),
        (row(State.DEAD, cls="ambiguous"), Stood("ambiguous", 10), None, Standing("ambiguous", 10)),
        (row(State.DEAD, cls="refused", error="no"), Stood("refused", 10), None, Standing("failed", 10, "no")),
        (row(State.DEAD, cls="refused"), Stood("in step", 10), None, Standing("failed", 50)),
        (row(State.IDLE), Stood("in step", 10), None, Standing("in_step", 10)),
        (row(State.IDLE), Stood("differs", 10), None, Standing("in_step", 50)),
        # but not before what stands there was put there
        (row(State.IDLE), Stood("in step", 10), 30, Standing("in_step", 30)),
        (row(State.IDLE, error="before"), Stood("in step", 10), None, Standing("in_step", 10)),
    ],
)
def test_how_a_scene_stands(known, stood, pushed, told):
    assert standing(known, stood, pushed=pushed) == told


SEEN = (
    "",
    "in step",
    "person",
    "person 3",
    "differs",
    "absent",
    "ambiguous",
    "strict",
    "failed",
    "outside",
    "undone",
    "released",
    "elsewhere",
)
CAUSES = ("", "ambiguous", "refused")


def test_a_job_has_one_status_whatever_was_seen_and_only_a_dead_one_by_its_cause():
    by_state = {state: {status_of(state, cls, seen) for cls in CAUSES for seen in SEEN} for state in State}
    dead = {cls: {status_of(State.DEAD, cls, seen) for seen in SEEN} for cls in CAUSES}

    assert dead == {"": {SceneStatus.FAILED}, "ambiguous": {SceneStatus.AMBIGUOUS}, "refused": {SceneStatus.FAILED}}
    assert by_state.pop(State.DEAD) == {SceneStatus.FAILED, SceneStatus.AMBIGUOUS}
    assert by_state == {state: {BY_STATE[state]} for state in by_state}
    assert len(by_state) > 5


def test_without_a_job_what_was_seen_decides_and_every_status_is_that_of_a_scene():
    seen = {word: {status_of(None, cls, word) for cls in CAUSES} for word in SEEN}
    undone = {status_of(State.IDLE, "", "in step", mark) for mark in ("", "undo", "release")}
    jobs = {status_of(state, cls, "") for state in State for cls in ("", "elsewhere")}

    assert {word: len(statuses) for word, statuses in seen.items() if len(statuses) != 1} == {}
    assert seen[""] == {SceneStatus.UNKNOWN}
    assert seen["strict"] == {SceneStatus.FAILED}
    assert undone == {SceneStatus.IN_SYNC, SceneStatus.UNDONE, SceneStatus.RELEASED}
    assert set().union(*seen.values(), undone, jobs) == set(SceneStatus)


def test_of_what_rests_only_what_there_is_has_a_row():
    assert [(row.state, row.count) for row in job_counts({"idle": 3}, {SceneStatus.UNDONE: 2}) if row.count] == [
        ("idle", 1),
        ("idle", 2),
    ]


def test_jobs_of_one_word_are_counted_together_with_each_cause_that_there_is():
    def ignored(jobs, resting=None):
        return [(row.count, row.meaning) for row in job_counts(jobs, resting or {}) if row.word == "ignored"]

    you_ignored, another, removed = (
        status.meaning for status in (SceneStatus.IGNORED, SceneStatus.NOT_SHOWN, SceneStatus.DROPPED)
    )
    assert ignored({"ready": 1}) == []
    assert ignored({"ignored": 2}) == [(2, you_ignored)]
    assert ignored({"ignored": 2, "dropped": 4}, {SceneStatus.NOT_SHOWN: 3}) == [
        (6, f"{you_ignored}; {removed}; {another}")
    ]
    assert ignored({"dropped": 3}, {SceneStatus.NOT_SHOWN: 3}) == [(3, another)]
