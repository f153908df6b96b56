"""Whether an id in Stash still means the same scene: by the time when it was created and by its files."""

import pytest

from plexsync.rules.match.origin import SceneOrigin, is_another_stash, scene_origin
from plexsync.rules.scene import Scene, SceneFile
from tests.tables import table

T, LATER = "2026-01-10T09:00:00Z", "2026-03-01T12:00:00Z"
A, B = ("/media/a.mp4", 10), ("/media/b.mp4", 20)


@table(
    ("now", "same"),
    [
        (SceneOrigin(T, (A,)), True),
        (SceneOrigin(T, (B,)), True),
        (SceneOrigin(T), True),
        (SceneOrigin("2026-01-10T10:00:00+01:00", (B,)), True),
        (SceneOrigin(LATER, (A,)), True),
        (SceneOrigin(LATER, (B, A)), True),
        (SceneOrigin(LATER, (("/media/a.mp4", 11),)), True),
        (SceneOrigin(T, (("/moved/a.mp4", 10),)), True),
        (SceneOrigin(LATER, (("/twin/a.mp4", 10),)), False),
        (SceneOrigin(LATER, (B,)), False),
        (SceneOrigin(LATER), False),
        (SceneOrigin("", (B,)), True),
        (SceneOrigin("what", (B,)), False),
        (SceneOrigin("2026-01-10T09:00:00", (B,)), False),
    ],
)
def test_a_scene_is_the_same_by_its_time_or_by_one_file(now, same):
    assert SceneOrigin(T, (A,)).agrees(now) is same


def test_without_a_time_on_record_every_scene_can_be_the_same():
    assert SceneOrigin().agrees(SceneOrigin(T, (A,)))
    assert SceneOrigin("", (A,)).agrees(SceneOrigin(T, (B,)))


def test_the_origin_of_a_scene():
    scene = Scene(7, created_at=T, files=(SceneFile("/media/a.mp4", 10, 60.0),))
    assert scene_origin(scene) == SceneOrigin(T, (A,))


@pytest.mark.parametrize(
    ("others", "present", "another"), [(4, 4, False), (5, 9, True), (5, 10, False), (20, 20, True)]
)
def test_many_others_among_the_scenes_that_are_there_are_another_stash(others, present, another):
    assert is_another_stash(range(others), range(present)) is another
