"""The keys of the note table that more than one package reads."""

# When a worker last gave a sign of life. The hook reads it as well.
HEARTBEAT = "worker:beat"
# When the poller last asked Stash for changes.
LAST_POLL = "poll:last"
# When the last complete comparison ended.
LAST_RECONCILE = "reconcile:last"
# When the last complete comparison began.
LAST_RUN = "reconcile:run"
# Where a comparison was broken off.
CURSOR = "reconcile:cursor"
# A print of the settings that decide what Plex should show, as of the last comparison; or CHANGED.
WISHES = "reconcile:wishes"
CHANGED = "changed"
# When the database was made anew after damage.
REPAIRED = "repaired"
# When a backup was put back: from then on a complete comparison is due.
RESTORED = "restored"
# Since when this database exists.
BEGUN = "begun"
# When somebody agreed to the first write of a whole library.
BULK = "bulk:approved"
# The plugin's settings as Stash last answered them, without secrets.
STASH_SETTINGS = "stash:settings"
# What `status` needs to know of the settings, by a hash of what they come from.
STATUS_SETTINGS = "status:settings"
# A random text of this database, which salts its hashes.
SALT = "salt"
