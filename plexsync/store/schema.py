"""The layout of the database, and the steps to it from those before. `user_version` is the number of the layout.

What makes the tables, and the steps, run in one transaction together with the number: completely or not at all. A database
older than `OLDEST` is left as it is.
"""

import re
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager

from plexsync.rules.servers.errors import Damaged, NewerDatabase, Unusable
from plexsync.store.intake import APPLICATION_ID, OLDEST, SCHEMA, too_old

# Every index that a want touches is one more page in its commit. So the index of states leaves out rows on the usual
# path, from ready through running to idle, and ready rows are counted by the index in which they wait. Whenever a row
# is written, SQLite builds a table for each list of three or more values that it is compared with: hence no lists.
# A want counts in the row that it writes anyway, for the same reason: a second page in every commit would cost the hook
# a tenth. The view `books` adds these counts up.
QUEUE = """
create table job (
    kind text not null,
    id integer not null check (id > 0),
    state text not null,
    lane integer not null,
    wanted_rev integer not null,
    claimed_rev integer not null default 0,
    settled_rev integer not null default 0,
    attempts integer not null default 0,
    streak integer not null default 0,
    crashes integer not null default 0,
    first_crash integer not null default 0,
    alone integer not null default 0,
    due integer not null,
    since integer not null,
    stirred integer not null,
    first_unserved integer,
    token text,
    lease_until integer,
    holder text not null default '',
    ok_mark integer not null default 0,
    bad_mark integer not null default 0,
    error text not null default '',
    cls text not null default '',
    desired text not null default '',
    accepted integer not null default 0,
    coalesced integer not null default 0,
    why text not null default '',
    primary key (kind, id)
) without rowid;
create index job_due on job (lane, due, state desc) where state in ('ready', 'absent');
create index job_lease on job (lease_until) where state = 'running';
create unique index job_token on job (token) where token is not null;
create index job_state on job (state) where state <> 'ready' and state <> 'running' and state <> 'idle';
create index job_dead on job (cls) where state = 'dead';
create index job_ended on job (since) where state = 'dead' or state = 'dropped' or state = 'gone';
create table attempt (
    number integer primary key,
    kind text not null,
    id integer not null,
    at integer not null,
    cls text not null,
    error text not null,
    attempts integer not null,
    state text not null,
    foreign key (kind, id) references job (kind, id) on delete cascade
);
create index attempt_job on attempt (kind, id, number);
create index attempt_at on attempt (at);
create table book (
    one integer primary key check (one = 1),
    accepted integer not null default 0,
    coalesced integer not null default 0,
    done integer not null default 0,
    pruned integer not null default 0,
    scans integer not null default 0,
    turns integer not null default 0,
    tick integer not null default 0
);
insert into book (one) values (1);
create trigger job_deleted after delete on job begin
    update book set accepted = accepted + old.accepted, coalesced = coalesced + old.coalesced;
end;
create view books as
select book.accepted + counted.accepted as accepted, book.coalesced + counted.coalesced as coalesced,
       book.done as done, book.pruned as pruned
  from book, (select coalesce(sum(accepted), 0) as accepted, coalesce(sum(coalesced), 0) as coalesced from job) counted;
create table tally (name text primary key, count integer not null) without rowid;
create table note (name text primary key, value text not null) without rowid;
"""

# The breakers have no types: a damaged row has to be readable.
GATES = """
create table breaker (
    who text primary key,
    state, failures, successes, opened_at, wait, trips, generation, probe_started, cause, error
) without rowid;
create table transition (
    number integer primary key,
    who text not null,
    at integer not null,
    old text not null,
    new text not null,
    cause text not null,
    error text not null,
    waiting integer not null default 0
);
create table hold (
    who text primary key,
    setting text not null,
    message text not null,
    since integer not null,
    retest_at integer not null,
    fingerprint text not null,
    choice text not null default ''
) without rowid;
create table pace (
    who text primary key,
    not_before integer not null,
    ramp integer not null,
    writes_ok integer not null,
    writes_bad integer not null
) without rowid;
"""

# What is known of an item belongs to a flow, its subject there, the library (by its uuid, '' while unknown) and the
# item. `files` are the item's files at that time, as [path, size]. `undone` is how an item was undone ('' while it is
# synced), and which pushes took something back. `why` is the cause of a push, as its job had it then; '' if it is unknown.
# `picture` has the results for the pictures of scenes; `binding` the items that you have bound to scenes, with their files
# at that time. No item is bound to two scenes. `off`: the binding was removed.
MEMORY = """
create table memory (
    flow text not null,
    subject integer not null,
    library text not null,
    item text not null,
    at integer not null,
    document blob not null,
    undone text not null default '',
    files text not null default '[]',
    primary key (flow, subject, library, item)
) without rowid;
create index memory_item on memory (item, flow, subject);
create index memory_at on memory (at);
create index memory_undone on memory (undone, subject) where undone <> '';
create table pushing (
    number integer primary key autoincrement,
    subject integer not null,
    item text not null,
    until integer not null,
    document blob not null,
    flow text not null default 'scene',
    library text not null default '',
    files text not null default '[]'
);
create index pushing_pair on pushing (flow, subject, item, number);
create index pushing_item on pushing (item);
create table push (
    number integer primary key,
    subject integer not null,
    item text not null,
    at integer not null,
    document blob not null,
    undone text not null default '',
    flow text not null default 'scene',
    library text not null default '',
    why text not null default ''
);
create index push_pair on push (flow, subject, item, number);
create index push_at on push (at);
create table picture (
    flow text not null,
    subject integer not null,
    library text not null,
    item text not null,
    name text not null,
    version text not null,
    tag text not null,
    key text not null,
    why text not null,
    primary key (flow, subject, library, item, name)
) without rowid;
create table binding (
    flow text not null,
    subject integer not null,
    library text not null,
    item text not null,
    at integer not null,
    files text not null,
    off integer not null default 0,
    created_at text not null default '',
    subject_files text not null default '[]',
    primary key (flow, subject, library, item)
) without rowid;
create unique index binding_item on binding (flow, item) where off = 0;
"""

# An object in Stash that has a collection in a library, and that collection
# (`plexsync.rules.collections.collections`). `name` is its
# title in Plex as last read, or the name that scenes are given until then; `item` its rating key, '' while it is not found.
# `desired` is a digest of the desired values when it was last in sync, `stamp` the collection's stamp then.
COLLECTIONS = """
create table collection (
    id integer primary key,
    source text not null,
    object integer not null,
    library text not null,
    section text not null,
    name text not null,
    name_key text not null,
    item text not null default '',
    owner text not null default '',
    standing text not null default '',
    standing_at integer not null default 0,
    memory blob,
    pushing blob,
    desired text not null default '',
    object_at text not null default '',
    scenes integer not null default -1,
    stamp integer not null default 0,
    unique (object, source, library)
);
create index collection_name on collection (name_key, library);
create index collection_item on collection (item) where item <> '';
create index collection_standing on collection (standing);
"""

# The Plex that this database belongs to, as it last introduced itself, and what `probe` learnt of it (JSON); the index of
# its libraries and items. Results of comparisons: of each item its stamp in Plex, the scene found for it, and the
# comparison (by its start) that found it. `asked_scan` has the folders that Plex was asked to scan, and when.
PLEX = """
create table server (
    one integer primary key check (one = 1),
    machine text not null,
    version text not null,
    seen_at integer not null,
    traits text not null default '{}',
    learnt_at integer not null default 0,
    learnt_version text not null default ''
);
create table library (
    section text primary key,
    uuid text not null,
    title text not null,
    scanned_at integer not null,
    changed_at integer not null,
    walked_at integer not null,
    stamp integer not null
) without rowid;
create table item (
    key text primary key,
    section text not null,
    walk integer not null,
    stamp integer not null default 0,
    scene integer not null default 0,
    paired integer not null default 0
) without rowid;
create index item_section on item (section, walk);
create table part (
    item text not null references item (key) on delete cascade,
    position integer not null,
    path text not null,
    path_key text not null,
    name_key text not null,
    size integer not null,
    duration integer not null default 0,
    primary key (item, position)
) without rowid;
create index part_path on part (path_key);
create index part_name on part (name_key);
create table asked_scan (folder text primary key, at integer not null) without rowid;
"""

# What was last seen of the objects in Stash. Of a scene: its references (" performer:3 tag:5 "), for when one of them is
# deleted and Stash can no longer report them; title and path of its first file, to search for it even while Stash is
# away; its time of creation and its files, which tell it from another one of its id. And how it stood when it was last
# compared, since when.
STASH = """
create table seen (
    kind text not null,
    id integer not null,
    updated_at text not null,
    sure integer not null,
    primary key (kind, id)
) without rowid;
create index seen_unsure on seen (kind, id) where sure = 0;
create table shown (
    scene integer primary key,
    things text not null,
    title text not null default '',
    path text not null default '',
    created_at text not null default '',
    files text not null default '[]',
    updated_at text not null default ''
);
create table standing (scene integer primary key, word text not null, since integer not null);
create index standing_word on standing (word, scene);
"""

# `played` is the history of an account as Plex last listed it, with the library and the first file of each item then.
# `play` is what is remembered of each moment of a scene; `scene_created_at` tells another scene under its id apart.
PLAYS = """
create table played (
    account integer not null,
    item text not null,
    moment integer not null,
    library text not null,
    path_key text not null default '',
    size integer not null default 0,
    history_key text not null,
    listed_at integer not null,
    primary key (account, item, moment)
) without rowid;
create index played_path on played (path_key, moment) where path_key <> '';
create index played_moment on played (account, moment);
create table play (
    scene integer not null,
    moment integer not null,
    scene_created_at text not null,
    scene_updated_at text not null default '',
    item text not null,
    history_key text not null,
    state text not null,
    tries integer not null default 0,
    rows_before integer not null default 0,
    until integer not null default 0,
    undo integer not null default 0,
    sent_at integer not null default 0,
    sent_order integer not null default 0,
    primary key (scene, moment)
) without rowid;
create index play_item on play (item, moment);
create index play_order on play (sent_order) where sent_order > 0;
"""

# The memory of the resume point of a scene (`plexsync.rules.plays.resume`), positions in ms; `moment` is that of the newest
# viewing in Plex that was dealt with, in s, and `sending` is -1 while no request is open.
RESUME = """
create table resume (
    scene integer primary key,
    scene_created_at text not null,
    item text not null,
    moment integer not null,
    view_count integer not null,
    view_offset integer not null,
    position integer not null,
    position_before integer not null,
    sending integer not null default -1,
    until integer not null default 0,
    undo text not null default '',
    seconds_before text not null default '-1.0'
);
"""

# What an account has watched of an item in one go (`plexsync.rules.plays.viewings`), in ms, moments in s, as far as its
# player has told; `path_key` and `size` are of the item's file then. And the play time of a scene in Stash
# (`plexsync.rules.plays.play_time`), in seconds as Stash says them, to the last digit.
VIEWINGS = """
create table viewing (
    account integer not null,
    item text not null,
    began integer not null,
    session text not null,
    machine text not null,
    player text not null,
    length integer not null,
    ended integer not null,
    place integer not null,
    state text not null,
    pieces text not null,
    played integer not null,
    joined integer not null default 0,
    moment integer not null default 0,
    queued integer not null default 0,
    sent integer not null default 0,
    path_key text not null default '',
    size integer not null default 0,
    primary key (account, item, began)
) without rowid;
create index viewing_unqueued on viewing (ended) where played > queued;
create table play_time (
    scene integer primary key,
    scene_created_at text not null,
    total text not null,
    base text not null,
    adding text not null default '',
    restores integer not null default 0,
    until integer not null default 0,
    withdrawn text not null,
    owed text not null,
    wish text not null default ''
);
"""

# What is remembered of the rating of a scene and an item, on the scale of Stash; -1 is no rating, -2 an unknown one. The
# base is in `stash` and `plex`, what PlexSync's values have replaced in the columns `_before`. `pending` says where `sent`
# was about to go, and `overruled` what the item had if another one's rating was sent.
RATINGS = """
create table rating (
    scene integer not null,
    item text not null,
    library text not null,
    scene_created_at text not null,
    stash integer not null,
    plex integer not null,
    stash_before integer not null,
    plex_before integer not null,
    pending text not null,
    sent integer not null,
    overruled integer not null,
    until integer not null,
    undo integer not null,
    changed_at integer not null,
    rated_at integer not null,
    primary key (scene, item)
) without rowid;
create index rating_item on rating (item);
"""

# What an import from Plex changes in Stash, so that it can be undone: a field of a scene, or an object that it created,
# of which `target` is the kind and `scene` 0 (`plexsync.rules.merge.import_records`).
IMPORTS = """
create table import_change (
    number integer primary key,
    run integer not null,
    scene integer not null,
    target text not null,
    object integer not null default 0,
    value_before text not null,
    value_after text not null,
    origin text not null default '',
    state text not null,
    changed_at integer not null
);
create index import_change_run on import_change (run, number);
create index import_change_open on import_change (number) where state = 'planned' or state = 'undoing';
"""

# The libraries that ask PlexSync for the values of their items (`plexsync.provider`), `steps` being how far adding and
# removing got; their items as they were found before; and what Plex is told of each scene, and for which files.
PROVIDERS = """
create table provider (
    library text primary key,
    section text not null,
    title text not null,
    identifier text not null,
    state text not null,
    steps text not null,
    added_at integer not null,
    called_at integer not null default 0,
    calls text not null default ''
) without rowid;
create table provider_item (
    library text not null,
    item text not null,
    document text not null,
    state text not null default '',
    primary key (library, item)
) without rowid;
create table answer (
    library text not null,
    scene integer not null,
    key text not null,
    matched integer not null,
    document text not null,
    said_at integer not null,
    primary key (library, scene)
) without rowid;
create unique index answer_key on answer (library, key);
create table answer_file (
    library text not null,
    name_key text not null,
    scene integer not null,
    path text not null,
    primary key (library, name_key, scene, path)
) without rowid;
create index answer_file_scene on answer_file (scene);
"""

# Samples of the work: counts of scenes, and the work done in a minute or, for older samples, an hour (`span`, ms).
SAMPLES = """
create table sample (
    span integer not null,
    at integer not null,
    in_step integer not null,
    waiting integer not null,
    absent integer not null,
    dead integer not null,
    done integer not null,
    plex integer not null,
    stash integer not null,
    plex_away integer not null,
    stash_away integer not null,
    minutes integer not null,
    primary key (span, at)
) without rowid;
"""

_SUBJECTS = (
    QUEUE,
    GATES,
    MEMORY,
    COLLECTIONS,
    PLEX,
    STASH,
    PLAYS,
    RESUME,
    VIEWINGS,
    RATINGS,
    IMPORTS,
    PROVIDERS,
    SAMPLES,
)


def _statements(subject: str) -> list[str]:
    """The statements of a subject. A semicolon ends one, but for the one within the trigger."""
    return re.split(r";\n(?!end)", subject.removesuffix(";\n"))


LAYOUT = [sql for subject in _SUBJECTS for sql in _statements(subject)]
# The history of a scene whose item was being given pictures of galleries to choose from (`gallery_choices`) says so: the
# upload of one may have selected it, and nothing selects the earlier picture any more.
GIVEN_HALF = """
insert into attempt (kind, id, at, cls, error, attempts, state)
select job.kind, job.id, cast(picture.version as bigint), 'refused',
       'item ' || replace(replace(picture.name, ' thumb', ' may show a poster'), ' art', ' may show a background')
           || ' from a gallery that nobody chose: select the earlier one in Plex', 0, 'idle'
  from picture join job on job.kind = 'scene' and job.id = picture.subject
 where picture.flow = 'choice giving'
"""

# Scenes of which only a part of the changes was approved: written as far as it was, or not written yet. A want since then
# has made an approval void: that row stays, as an edit.
_PART_APPROVED = """
job.kind = 'scene' and (
    (job.state = 'dropped' and job.cls = 'skipped')
    or ((job.state = 'ready' or job.state = 'running' or job.state = 'absent') and exists (
        select 1 from note where note.name = ('approved:' || job.id)
           and note.value like ('{"rev": ' || job.wanted_rev || ',%')
    ))
)
"""
# What was written stays, and the rest waits for the one yes to the first write, which is asked for again. Without a row, a
# scene that differs is queued by that yes, or by an edit.
PARTS_WAIT = (
    # A database that was rebuilt was not asked. It stays one that was lost.
    f"""
    update note set name = 'restored'
     where name = 'repaired' and exists (select 1 from job where {_PART_APPROVED})
       and not exists (select 1 from note as other where other.name = 'restored')
    """,
    f"delete from note where name in ('bulk:approved', 'repaired') and exists (select 1 from job where {_PART_APPROVED})",
    f"""
    insert into standing (scene, word, since)
    select id, case when state = 'absent' then 'absent' else 'differs' end, since from job where {_PART_APPROVED}
    on conflict (scene) do update set word = excluded.word, since = excluded.since where standing.word <> excluded.word
    """,
    f"update book set pruned = pruned + (select count(*) from job where {_PART_APPROVED})",
    f"delete from attempt where kind = 'scene' and id in (select id from job where {_PART_APPROVED})",
    f"delete from job where {_PART_APPROVED}",
    "delete from note where name like 'approved:%'",
    # An older attempt of a scene that was queued since.
    "delete from attempt where kind = 'scene' and cls = 'skipped'",
)

# From each layout to the next one: they keep everything that is still used. New columns come last, here and above.
STEPS = {
    # What release 0.3.0 has given up ends.
    15: [
        GIVEN_HALF,
        "delete from picture where flow in ('choice', 'choice giving')",
        "drop table view_count",
        # What was marked as watched in Plex is no play. One that is in Stash stays, and can be undone.
        "delete from played where history_key = 'marked'",
        *PARTS_WAIT,
        "delete from note where name = 'old-lists' or name like 'old-list:%'",
    ],
    16: ["alter table shown add column updated_at text not null default ''"],
}


def statements_from(number: int) -> list[str]:
    """What makes today's layout of one with this number; 0 for an empty database."""
    return [sql for at in range(number, SCHEMA) for sql in STEPS[at]] if number else LAYOUT


def version(db: sqlite3.Connection) -> int:
    """Return the number of the database's layout; 0 if there is nothing yet."""
    return int(db.execute("pragma user_version").fetchone()[0])


def check(db: sqlite3.Connection, name: str) -> None:
    """Raise NewerDatabase, Damaged or Unusable unless the database is empty or one of a known layout; only reads."""
    # One snapshot: another process may make the database meanwhile.
    db.execute("begin")
    try:
        database_version = version(db)
        (mark,) = db.execute("pragma application_id").fetchone()
        (tables,) = db.execute("select count(*) from sqlite_master").fetchone()
    finally:
        db.execute("rollback")
    if mark != APPLICATION_ID and (database_version or tables):
        raise Unusable(f"{name} is a database of another program")
    if database_version < 0:
        raise Damaged(
            f"{name} is damaged: its version is {database_version}; plexsync serve makes it anew and keeps this one"
        )
    check_number(database_version, name, "rename it")


def check_number(number: int, name: str, way_out: str) -> None:
    """Raise NewerDatabase or Unusable for a layout that can't be used; `way_out` is how an older one is left behind."""
    if number > SCHEMA:
        raise NewerDatabase(
            f"{name} has schema {number}, and this PlexSync knows schemas up to {SCHEMA}: install the newer one"
        )
    if 0 < number < OLDEST:
        raise Unusable(too_old(name, number, way_out))


def migrate(db: sqlite3.Connection) -> None:
    """Make the tables, or take the steps. Of two processes that do so at once, the second finds it done."""
    if version(db) == SCHEMA:
        return
    db.execute("begin immediate")
    if (current := version(db)) != SCHEMA:
        for statement in statements_from(current):
            db.execute(statement)
        db.execute(f"pragma application_id = {APPLICATION_ID}")
        db.execute(f"pragma user_version = {SCHEMA}")
    db.execute("commit")


@contextmanager
def model() -> Iterator[sqlite3.Connection]:
    """Make an empty database of today's layout in memory."""
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as db:
        db.row_factory = sqlite3.Row
        migrate(db)
        yield db
