"""The keys of the note table that more than one package reads."""

# Where the dashboard listens (`plexsync.rules.servers.dashboard_place`). It counts while the dashboard holds its lock.
DASHBOARD = "dashboard"
# The last heartbeat of a worker. The hook reads it as well.
HEARTBEAT = "worker:beat"
# A library that an earlier PlexSync has not put back (`plexsync.app.provider_steps.lent`).
LENT_LIBRARY = "probe:library"
# When Stash last ran a task of the plugin, or asked it for a page. The plugin writes it.
STASH_CALLED = "stash:called"
# Whether the worker inside Stash is switched on: '' for off. The hook reads it as well.
INSIDE = "worker:inside"
# How often in a row a worker ended by itself (`plexsync.rules.queue.worker_ends`).
WORKER_ENDED = "worker:ended"
# How often a thread of the worker ended by a fault and was started again, in the same form.
THREAD_ENDED = "worker:thread"
# What the worker can't read although the servers answer (`plexsync.rules.queue.stalls`).
STALLED = "looks:stalled"
# The time of the last poll of Stash.
LAST_POLL = "poll:last"
# The time when the last edit arrived by a line of Stash's log, by the hook, and first by a poll.
EDIT_BY_LINE = "edit:line"
EDIT_BY_HOOK = "edit:hook"
EDIT_BY_POLL = "edit:poll"
# Whether the worker hears Stash's log: HEARS, or why not. '' if it never tried.
LINES = "lines:state"
HEARS = "on"
# The end of the last full comparison.
LAST_RECONCILE = "reconcile:last"
# What the last comparison, or `plexsync verify`, found (`plexsync.rules.words.verified`).
VERIFIED = "verified"
# The settings under which all playlists were queued last, and what is wrong with their tag.
PLAYLISTS_COMPARED = "playlists:compared"
PLAYLISTS_PROBLEM = "playlists:problem"
# The start of the last full comparison.
LAST_RUN = "reconcile:run"
# The place where a comparison was interrupted.
CURSOR = "reconcile:cursor"
# The time when another Stash was accepted, until a full comparison has seen its scenes.
STASH_TAKEN = "stash:taken"
# A fingerprint of the settings that decide what Plex should show, at the last comparison; or CHANGED.
WISHES = "reconcile:wishes"
CHANGED = "changed"
# Fingerprints of these settings, one for each, as they are in force: changed ones from your yes. And what they would write.
IN_USE = "reconcile:settings"
ASKED_SETTINGS = "reconcile:asked"
# The name of the [[plex]] entry that the database of the first server belongs to; there is none without entries.
FIRST_ENTRY = "plex:first"
# The time when the database was rebuilt after damage.
REPAIRED = "repaired"
# The time when a backup was restored. From then on a full comparison is due.
RESTORED = "restored"
# The time when this database was created.
BEGUN = "begun"
# The version of PlexSync that used this database last, and what is new in it for you and was not shown yet.
VERSION, NEWS = "version", "news"
# The time when a write of a whole library was approved last, and the changed settings that asked for it, in words.
BULK = "bulk:approved"
# Your approval of the first plays that are written to Stash, and what they would be (`plexsync.rules.plays.first_plays`).
PLAYS_APPROVED = "plays:approved"
PLAYS_COUNTED = "plays:counted"
# How many plays are in Plex: see `plexsync.flows.plays.history_poll.count_plays`.
PLAYS_IN_PLEX = "plays:inplex"
# The approval after which the scenes of all saved plays were queued.
PLAYS_QUEUED = "plays:queued"
# The plugin's settings as last read from Stash, without secrets.
STASH_SETTINGS = "stash:settings"
# The settings that `status` needs, by a hash of their sources.
STATUS_SETTINGS = "status:settings"
# A hash of the plugin's settings in Stash, with all other sources, that were found to be valid.
VALID_SETTINGS = "stash:valid"
# The number of the last push in the journal of writes, as far as this database knows.
JOURNALLED = "journal:last"
# The number of the last entry in the journal of plays, as far as this database knows.
PLAYS_JOURNALLED = "plays:journal"
# The start of the last comparison of plays, and the last loss of this database then.
PLAYS_COMPARED = "plays:compared"
# The milliseconds by which the clock was ahead of the steady clock at the start of the last process, and its leaps.
CLOCK_SEEN = "clock:seen"
# The start of the last comparison of collections, and a fingerprint of the settings then.
COLLECTIONS_COMPARED = "collections:compared"
# Scenes that Stash no longer lists with the newest time that they had (`plexsync.rules.match.restored_stash`).
STASH_BACK = "stash:back"
# How many of the plays that were added last are missing in Stash (`plexsync.rules.match.restored_stash`).
PLAYS_MISSING = "plays:missing"
# A random text of this database, the salt of its hashes.
SALT = "salt"
# The last loss of scenes that you accepted.
SCENES_LOST = "losses:scenes"
# The items of each library before the loss that is asked about.
ITEMS_LOST = "losses:items"
# The number of items that vanished one by one since the last walk, by library.
ITEMS_DROPPED = "losses:dropped"
