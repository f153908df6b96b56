"""What one version writes, the next one reads: the names by which things are stored never change.

A new name is added here with its constant. A changed one loses what the databases out there hold.
"""

import pytest

from plexsync.rules.collections.collection_status import CollectionStatus
from plexsync.rules.queue import job, note_keys
from plexsync.rules.words.status_words import SceneStatus
from plexsync.store import intake
from plexsync.store.files import folder, installation, life_signs, lock, review_file, setup_files, worker_ends
from plexsync.store.index import probes
from plexsync.store.queue import jobs

NOTES = {
    "DASHBOARD": "dashboard",
    "HEARTBEAT": "worker:beat",
    "INSIDE": "worker:inside",
    "WORKER_ENDED": "worker:ended",
    "THREAD_ENDED": "worker:thread",
    "LENT_LIBRARY": "probe:library",
    "STASH_CALLED": "stash:called",
    "STALLED": "looks:stalled",
    "LAST_POLL": "poll:last",
    "VERSION": "version",
    "NEWS": "news",
    "EDIT_BY_LINE": "edit:line",
    "EDIT_BY_HOOK": "edit:hook",
    "EDIT_BY_POLL": "edit:poll",
    "LINES": "lines:state",
    "HEARS": "on",
    "LAST_RECONCILE": "reconcile:last",
    "VERIFIED": "verified",
    "LAST_RUN": "reconcile:run",
    "CURSOR": "reconcile:cursor",
    "STASH_TAKEN": "stash:taken",
    "WISHES": "reconcile:wishes",
    "CHANGED": "changed",
    "IN_USE": "reconcile:settings",
    "ASKED_SETTINGS": "reconcile:asked",
    "FIRST_ENTRY": "plex:first",
    "REPAIRED": "repaired",
    "RESTORED": "restored",
    "BEGUN": "begun",
    "BULK": "bulk:approved",
    "PLAYS_APPROVED": "plays:approved",
    "PLAYS_COUNTED": "plays:counted",
    "PLAYS_IN_PLEX": "plays:inplex",
    "PLAYS_QUEUED": "plays:queued",
    "STASH_SETTINGS": "stash:settings",
    "STATUS_SETTINGS": "status:settings",
    "VALID_SETTINGS": "stash:valid",
    "JOURNALLED": "journal:last",
    "PLAYS_JOURNALLED": "plays:journal",
    "PLAYS_COMPARED": "plays:compared",
    "COLLECTIONS_COMPARED": "collections:compared",
    "PLAYLISTS_COMPARED": "playlists:compared",
    "PLAYLISTS_PROBLEM": "playlists:problem",
    "CLOCK_SEEN": "clock:seen",
    "STASH_BACK": "stash:back",
    "PLAYS_MISSING": "plays:missing",
    "SALT": "salt",
    "SCENES_LOST": "losses:scenes",
    "ITEMS_LOST": "losses:items",
    "ITEMS_DROPPED": "losses:dropped",
}
# The notes and files that one package alone reads.
OTHERS = {
    (intake, "INSIDE"): note_keys.INSIDE,
    (intake, "BEAT"): note_keys.HEARTBEAT,
    (intake, "HOOKED"): note_keys.EDIT_BY_HOOK,
    (intake, "STARTED"): "worker:started",
    (intake, "STARTED_FILE"): "worker.started",
    (intake, "DATABASE"): "plexsync.db",
    (intake, "SPOOL"): "spool",
    (intake, "UNREAD"): "unread",
    (jobs, "UNTRIED"): ("released", "local", "scope"),
    (probes, "PROBED"): "probe:original",
    (probes, "ASKED"): "probe:asked",
    (probes, "RUNNING"): "probe:running",
    (probes, "RESULT"): "probe:result",
    (probes, "WORKING"): "traits:working",
    (lock, "FILE"): "worker.lock",
    (lock, "DASHBOARD"): "dashboard.lock",
    (lock, "IMPORT"): "import.lock",
    (folder, "DATABASE"): "plexsync.db",
    (folder, "POINTER"): "folder",
    (installation, "FILE"): "installation",
    (life_signs, "WORKER"): "plexsync-worker",
    (life_signs, "SUPERVISOR"): "plexsync-supervisor",
    (life_signs, "WANTED"): "plexsync-worker-wanted",
    (life_signs, "OFF"): "plexsync-worker-off",
    (review_file, "NAME"): "review.db",
    (setup_files, "FOLDER"): "setup",
    (setup_files, "NOTES"): "notes.json",
    (setup_files, "PATHS"): "paths.json",
    (setup_files, "PREVIEW"): "preview.json",
    (setup_files, "LOCK"): "step.lock",
    (worker_ends, "MARK"): "worker.run",
    (worker_ends, "HANG"): "hang.txt",
    (job, "PLAYS"): "plays",
    (job, "RATING"): "rating",
    (job, "RATING_BACK"): "ratingback",
    (job, "COLLECTION"): "collection",
}


def test_every_note_that_packages_share_has_the_key_that_it_always_had() -> None:
    assert {name: key for name, key in vars(note_keys).items() if name.isupper()} == NOTES


@pytest.mark.parametrize(
    ("place", "name"), OTHERS, ids=[f"{place.__name__.rpartition('.')[2]}.{name}" for place, name in OTHERS]
)
def test_a_name_on_the_disk_or_in_the_database_is_what_it_always_was(place: object, name: str) -> None:
    assert getattr(place, name) == OTHERS[place, name]


def test_the_columns_of_a_job_have_the_words_that_they_always_had() -> None:
    assert [*job.State] == ["ready", "running", "idle", "absent", "dead", "gone", "dropped", "ignored", "outside"]
    assert [*job.Kind] == ["scene", "performer", "studio", "tag", "group"]
    assert [*job.Why] == ["edit", "user", "again", "compare", "plex", "all", "sweep"]
    assert [*job.Lane] == [0, 1]


# JSON name, what a comparison stores, the name among the results of a command, the ends of attempts that lead to it.
SCENES = [
    ("in_step", "in step", "", ("done",)),
    ("waiting", "differs", "", ("later", "waiting")),
    ("absent", "absent", "", ("absent",)),
    ("ambiguous", "ambiguous", "", ()),
    ("failed", "failed", "dead", ("dead",)),
    ("ignored", "", "", ()),
    ("outside", "outside", "", ("outofscope",)),
    ("undone", "undone", "", ("undone",)),
    ("released", "released", "", ("released",)),
    ("not_shown", "elsewhere", "", ("notshown",)),
    ("dropped", "", "", ()),
    ("gone", "", "", ("gone",)),
    ("unknown", "", "", ()),
]
COLLECTIONS = {
    "in_step": "in step",
    "waiting": "",
    "moving": "moving",
    "no_scenes": "waits for its first scene",
    "edited": "edited in Plex",
    "shared": "shared",
    "not_ours": "not ours",
    "undone": "undone",
    "released": "released",
    "no_library": "library not synced",
    "no_tag": "the tag of playlists is unclear",
    "dropped": "",
    "failed": "",
}


def test_the_status_of_a_scene_has_the_names_that_it_always_had() -> None:
    rows = [(status.value, status.finding, status.outcome or status.value, status.ended) for status in SceneStatus]
    assert rows == [(name, finding, outcome or name, ended) for name, finding, outcome, ended in SCENES]


def test_the_status_of_a_collection_has_the_names_that_it_always_had() -> None:
    assert {status.value: status.stored for status in CollectionStatus} == COLLECTIONS
