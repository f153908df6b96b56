"""The statements of the first seven migrations, which are released and never change (`plexsync.store.schema`)."""

JOBS = (
    """
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
        primary key (kind, id)
    ) without rowid
    """,
    "create index job_due on job (lane, due) where state in ('ready', 'absent')",
    "create index job_lease on job (lease_until) where state = 'running'",
    "create unique index job_token on job (token) where token is not null",
    "create index job_state on job (state)",
    "create index job_dead on job (cls) where state = 'dead'",
    "create index job_ended on job (since) where state in ('dead', 'dropped', 'gone')",
    """
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
    )
    """,
    "create index attempt_job on attempt (kind, id, number)",
    """
    create table book (
        one integer primary key check (one = 1),
        accepted integer not null default 0,
        coalesced integer not null default 0,
        done integer not null default 0,
        pruned integer not null default 0,
        scans integer not null default 0,
        turns integer not null default 0,
        tick integer not null default 0
    )
    """,
    "insert into book (one) values (1)",
)

GATES = (
    """
    create table breaker (
        who text primary key,
        state, failures, successes, opened_at, wait, trips, generation, probe_started, cause, error
    ) without rowid
    """,
    """
    create table transition (
        number integer primary key,
        who text not null,
        at integer not null,
        old text not null,
        new text not null,
        cause text not null,
        error text not null
    )
    """,
    """
    create table hold (
        who text primary key,
        setting text not null,
        message text not null,
        since integer not null,
        retest_at integer not null,
        fingerprint text not null
    ) without rowid
    """,
    """
    create table pace (
        who text primary key,
        not_before integer not null,
        ramp integer not null,
        writes_ok integer not null,
        writes_bad integer not null
    ) without rowid
    """,
)

KNOWLEDGE = (
    """
    create table memory (
        scene integer not null,
        key text not null,
        at integer not null,
        document blob not null,
        primary key (scene, key)
    ) without rowid
    """,
    "create index memory_key on memory (key, scene)",
    "create index memory_at on memory (at)",
    """
    create table pushing (
        number integer primary key autoincrement,
        scene integer not null,
        key text not null,
        until integer not null,
        document blob not null
    )
    """,
    "create index pushing_pair on pushing (scene, key, number)",
    "create index pushing_key on pushing (key)",
    """
    create table section (
        key text primary key,
        title text not null,
        scanned_at integer not null,
        changed_at integer not null,
        walked_at integer not null
    ) without rowid
    """,
    """
    create table item (
        key text primary key,
        section text not null,
        walk integer not null
    ) without rowid
    """,
    "create index item_section on item (section, walk)",
    """
    create table part (
        item text not null references item (key) on delete cascade,
        position integer not null,
        path text not null,
        path_key text not null,
        name_key text not null,
        size integer not null,
        primary key (item, position)
    ) without rowid
    """,
    "create index part_path on part (path_key)",
    "create index part_name on part (name_key)",
    """
    create table seen (
        kind text not null,
        id integer not null,
        updated_at text not null,
        sure integer not null,
        primary key (kind, id)
    ) without rowid
    """,
    "create index seen_unsure on seen (kind, id) where sure = 0",
    "create table note (name text primary key, value text not null) without rowid",
)

HISTORY = (
    """
    create table push (
        number integer primary key,
        scene integer not null,
        key text not null,
        at integer not null,
        document blob not null
    )
    """,
    "create index push_pair on push (scene, key, number)",
    "create index push_at on push (at)",
    "create index attempt_at on attempt (at)",
    "create table tally (name text primary key, count integer not null) without rowid",
    "insert into tally (name, count) select 'died', count(*) from job where state = 'dead' group by state",
)

# A want counts in the row that it writes anyway: a second page in every commit would cost the hook a tenth.
COUNTS = (
    "alter table job add column accepted integer not null default 0",
    "alter table job add column coalesced integer not null default 0",
    """
    create trigger job_deleted after delete on job begin
        update book set accepted = accepted + old.accepted, coalesced = coalesced + old.coalesced;
    end
    """,
    """
    create view books as
    select book.accepted + counted.accepted as accepted, book.coalesced + counted.coalesced as coalesced,
           book.done as done, book.pruned as pruned
      from book, (select coalesce(sum(accepted), 0) as accepted, coalesce(sum(coalesced), 0) as coalesced from job) counted
    """,
)

OUTAGES = ("alter table transition add column waiting integer not null default 0",)

# Every index that a want touches is one more page in its commit. So the index of states leaves out rows on the usual
# path, from ready through running to idle, and ready rows are counted by the index in which they wait. Whenever a row
# is written, SQLite builds a table for each list of three or more values that it is compared with: hence no lists.
LIGHTER = (
    "drop index job_due",
    "create index job_due on job (lane, due, state desc) where state in ('ready', 'absent')",
    "drop index job_state",
    "create index job_state on job (state) where state <> 'ready' and state <> 'running' and state <> 'idle'",
    "drop index job_ended",
    "create index job_ended on job (since) where state = 'dead' or state = 'dropped' or state = 'gone'",
)

# Results for the pictures of scenes.
PICTURES = (
    """
    create table picture (
        scene integer not null,
        name text not null,
        version text not null,
        tag text not null,
        key text not null,
        why text not null,
        primary key (scene, name)
    ) without rowid
    """,
)

# References of a scene (" performer:3 tag:5 "), for when one of them is deleted and Stash can no longer report them.
FAN_OUT = ("create table shown (scene integer primary key, things text not null)",)

# Items that you have bound to scenes, with their files at that time. No item is bound to two scenes. `off`: the binding
# was removed.
BINDINGS = (
    """
    create table binding (
        scene integer not null,
        key text not null,
        at integer not null,
        files text not null,
        off integer not null default 0,
        primary key (scene, key)
    ) without rowid
    """,
    "create unique index binding_key on binding (key) where off = 0",
    "alter table part add column duration integer not null default 0",
)

# How an item was undone ('' while it is synced), and which past pushes took something back.
UNDO = (
    "alter table memory add column undone text not null default ''",
    "create index memory_undone on memory (undone, scene) where undone <> ''",
    "alter table push add column undone text not null default ''",
)
# A database that has written to Plex before needs no approval of the first write.
APPROVED = ("insert into note (name, value) select 'bulk:approved', '0' where exists (select 1 from memory)",)

# Results of comparisons: how each scene stood and since when; of each item its stamp in Plex, the scene found for it,
# and the comparison (by its start) that found it.
COMPARED = (
    "create table standing (scene integer primary key, word text not null, since integer not null)",
    "alter table item add column stamp integer not null default 0",
    "alter table item add column scene integer not null default 0",
    "alter table item add column paired integer not null default 0",
    "alter table section add column stamp integer not null default 0",
    # Folders that Plex was asked to scan, and when.
    "create table asked_scan (folder text primary key, at integer not null) without rowid",
)

# The title of each scene and the path of its first file when last seen, to search for it even while Stash is away.
CALLED = (
    "alter table shown add column title text not null default ''",
    "alter table shown add column path text not null default ''",
)
# Scenes are listed by their standing in a comparison, one page at a time.
LISTED = ("create index standing_word on standing (word, scene)",)

# Samples of the work: counts of scenes, and the work done in a minute or, for older samples, an hour (`span`, ms).
SAMPLES = (
    """
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
    ) without rowid
    """,
)
