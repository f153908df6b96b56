"""Checks of the way back: whose plays count, whether Plex shows its history, and whether Stash accepts writes.

Everything else goes on without plays, so what is wrong here is a warning.
"""

from collections.abc import Iterator
from contextlib import suppress

from plexsync.app.parts import Parts
from plexsync.app.way_back import WayBack, way_back
from plexsync.cli.checks.check import NOT_OWNER, Check
from plexsync.engine.tickets import WRITE_STASH
from plexsync.flows.plays.history_poll import UnknownAccount, count_plays, was_read_to_its_end
from plexsync.flows.plays.resume import OTHER_ACCOUNT
from plexsync.flows.plays.writes import removals_of_nothing
from plexsync.reports.format import many, stamp
from plexsync.reports.needs import FIRST_PLAYS
from plexsync.rules.plays.first_plays import rule_words
from plexsync.rules.plays.plays import OWNER, WatchRules
from plexsync.rules.plays.viewings import AFTER
from plexsync.rules.queue.gate_names import CURE, REFUSES
from plexsync.rules.records import PlayerRules
from plexsync.rules.servers.errors import NeighbourError, Refused

ACCOUNT, HISTORY, PLAYS, RESUME = "account of plays", "history in Plex", "plays in Stash", "resume points"
RULE, HEARD = "what counts as a play", "reports of players"
THRESHOLD = "Settings, Library, Video played threshold"
UNHEARD = "none was heard yet: let plexsync serve run, play something in Plex, and run doctor again"
WEBSOCKETS = "let plexsync serve run all the time, and a proxy before Plex pass websockets"
# Scenes on which a write is tried: the first of them that Stash has.
TRIED = 3


def plays(parts: Parts, rules: WatchRules) -> Iterator[Check]:
    """The account and its history, and whether Stash accepts writes."""
    yield from _in_plex(parts, way_back(parts, rules))
    yield _in_stash(parts)


def _in_plex(parts: Parts, back: WayBack) -> Iterator[Check]:
    try:
        names = parts.plex.history.accounts()
        account = back.history.account()
        if account not in names:
            raise UnknownAccount(f"no account of the Plex server with the number {account} of watch_account")
    except UnknownAccount as error:
        known_names = ", ".join(f"{id} ({name})" for id, name in sorted(names.items()) if name)
        yield Check(ACCOUNT, str(error), f"set watch_account to the number or name of one of these: {known_names}")
        return
    except NeighbourError as error:
        yield _unread(error)
        return
    yield Check(ACCOUNT, f"{account} ({names[account] or 'it has no name'})")
    if back.resume is not None:
        # Plex tells resume points of the owner alone.
        theirs = account != OWNER
        mend = 'leave watch_account empty, or set watch_back = "plays"'
        yield Check(RESUME, OTHER_ACCOUNT if theirs else "brought to Stash", mend if theirs else "")
    yield Check(RULE, _rule(parts, back))
    yield _reports(parts, account)
    yield _history(parts, back, account)


def _rule(parts: Parts, back: WayBack) -> str:
    """The rule in force, that of the setting if it waits, and what the players of both servers do."""
    player, threshold = PlayerRules(), None
    with suppress(NeighbourError):
        player = parts.stash.watching.player_rules()
    with suppress(NeighbourError):
        threshold = parts.plex.history.played_threshold()
    with parts.store.reading() as db:
        in_force, held = back.history.minimum_in_force(db), back.first_run.rule_meanwhile(db)
    words = [rule_words(in_force, player.percent)]
    if held:
        words.append(f"{rule_words(back.history.rules.minimum, player.percent)} waits for your yes ({FIRST_PLAYS})")
    in_plex = (
        f"Plex itself counts a play from {threshold} % on" if threshold else "Plex does not tell when it counts a play"
    )
    words.append(f"{in_plex} ({THRESHOLD})")
    if not player.is_tracked:
        words.append("Stash tracks no activity, which concerns its own player alone")
    return "; ".join(words)


def _reports(parts: Parts, account: int) -> Check:
    """When a player was heard last, and whether Plex lists a play since."""
    with parts.store.reading() as db:
        heard, newest = db.viewings.heard_at(account), db.plays.newest(account)
    if heard is None:
        return Check(HEARD, UNHEARD)
    words = f"the last one came at {stamp(heard * 1000)}"
    if newest is None or newest <= heard + AFTER:
        return Check(HEARD, words)
    return Check(HEARD, f"{words}; Plex lists a play of {stamp(newest * 1000)} of which none came", WEBSOCKETS)


def _history(parts: Parts, back: WayBack, account: int) -> Check:
    with parts.store.reading() as db:
        newest, count = db.plays.newest(account), count_plays(db, account, back.history.rules.since)[0]
        is_whole = was_read_to_its_end(db, account, back.history.rules.since)
    try:
        # The first page is enough to know.
        next(iter(parts.plex.history.plays(account, since=max(newest or 0, back.history.rules.since), page=2)), None)
    except NeighbourError as error:
        return _unread(error)
    if newest is None:
        return Check(
            HISTORY, "Plex shows it; " + ("it lists no play" if is_whole else "not read yet: a worker does it")
        )
    read = "read to its end" if is_whole else "not read to its end yet: a worker does it"
    return Check(HISTORY, f"Plex shows it; {many(count, 'play')}, the last one of {stamp(newest * 1000)}; {read}")


def _unread(error: NeighbourError) -> Check:
    mend = NOT_OWNER if isinstance(error, Refused) else "run doctor again when Plex answers"
    return Check(HISTORY, str(error), mend)


def _in_stash(parts: Parts) -> Check:
    """Whether Stash accepts the removal of a play that nobody has. Then plays that waited for it go on at once."""
    with parts.store.reading() as db:
        ids = db.plays.scenes(limit=TRIED) or list(db.scene_names.sample(TRIED))
    try:
        tries = removals_of_nothing(parts.stash.watching, parts.stash.watching.watched_scenes(ids)) if ids else []
        if not tries:
            return Check(PLAYS, "writes were not tried, since no scene is known yet")
        tries[0]()
    except NeighbourError as error:
        return Check(PLAYS, f"{REFUSES}: {error}", CURE)
    again = ""
    if not parts.gates.is_open(WRITE_STASH) and parts.gates.retest(WRITE_STASH):
        again = " again: plays go on"
    return Check(PLAYS, f"Stash accepts writes{again}")
