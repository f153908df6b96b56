"""`plexsync plays status`: whose plays come to Stash, and how many have."""

import click

from plexsync.cli.call import FINE, Call, command
from plexsync.cli.start import open_call_store
from plexsync.cli.terminal.screen import paper, table
from plexsync.flows.plays.resume import OTHER_ACCOUNT
from plexsync.reports.format import local, many, parse_stamp, spent
from plexsync.reports.needs import FIRST_PLAYS, first_plays_words
from plexsync.reports.plays import plays_report
from plexsync.reports.shapes.plays import PlaysReport
from plexsync.rules.plays.first_plays import rule_words
from plexsync.rules.plays.plays import OWNER
from plexsync.rules.plays.viewings import STASH

OFF = "watch_back is off: nothing comes from Plex"
APPROVE = f"wait for your yes ({FIRST_PLAYS})"
UNHEARD = "no player yet (plexsync doctor)"
# The switch of Stash that concerns its own player alone.
ANYWAY = ", also while Stash's player tracks no activity of its own"
# The figures, in the order in which they are shown, with what they count; those that are 0 are left out.
FIGURES = {
    "in_plex": "in Plex",
    "unsent": "of them not in Stash, or without a scene",
    "viewings": "viewings noted",
    "viewed": "of them plays",
    "adding": "on their way to Stash",
    "sent": "added to Stash",
    "present": "in Stash already",
    "deleted": "added, and deleted by you since",
    "undoing": "still to be taken back",
    "undone": "taken back",
}


@command("status")
@click.pass_obj
def status(call: Call) -> int:
    """Show what became of the plays in Plex.

    Shows also whose plays count and by which rule, when a player was heard last, and whether Plex's history was read to
    its end. Asks neither server. While watch_back is off, no history is kept, but what was added stays known.

    \b
    Examples:
      plexsync plays status
      plexsync plays status --json
    """
    with open_call_store(call) as parts:
        facts = plays_report(parts)
    call.answer(facts, lambda: _tell(facts))
    return FINE


def _tell(facts: PlaysReport) -> None:
    is_on = facts["watch_back"] != "off"
    end = "read to its end" if facts["read_to_end"] else "not read to its end yet"
    since = facts["watch_since"]
    error = [("last error", facts["error"])] if facts["error"] else []
    first = facts["first"]
    approval = []
    if first:
        counted = local(parse_stamp(first["at"] or ""))
        approval = [("approval", f"{first_plays_words(first)}: {APPROVE}; compared with Stash {counted}")]
    counts = [(words, facts["plays"].get(name)) for name, words in FIGURES.items()]
    queue = "nothing waits"
    if facts["waiting"]:
        queue = f"{many(facts['waiting'], 'scene')}, since {local(parse_stamp(facts['since'] or ''))}"
    resume = [("resume points", _resume_points(facts))] if facts["watch_back"] == "plays+resume" else []
    rows = [
        ("account", _account(facts)),
        ("since", since[:10] if since else "the beginning"),
        ("what counts", _rule(facts)),
        ("last heard", local(parse_stamp(facts["heard_at"])) if facts["heard_at"] else UNHEARD),
        ("history", end if is_on else OFF),
        *resume,
        *approval,
        ("queue", queue),
        *error,
        *((words, f"{count:,}") for words, count in counts if count),
        ("play time added to Stash", spent(facts["plays"]["play_time"])),
    ]
    paper().print(table("Plays", ("", ""), rows))


def _account(facts: PlaysReport) -> str:
    name, number = facts["watch_account"], facts["account"]
    if number == OWNER:
        return f"{name or number} (the owner)"
    if name == str(number):
        return name
    return f"{name} ({'not looked up yet' if number is None else f'number {number}'})"


def _rule(facts: PlaysReport) -> str:
    """The rule by which what is watched is a play, and the one of the setting if that waits."""
    minimum, in_force = (
        rule_words(facts[name], facts["stash_percent"]) for name in ("watch_minimum", "minimum_in_force")
    )
    anyway = ANYWAY if facts["minimum_in_force"] == STASH else ""
    return f"{in_force}{anyway}" + (f"; {minimum} waits for your yes ({FIRST_PLAYS})" if minimum != in_force else "")


def _resume_points(facts: PlaysReport) -> str:
    """How resume points stand, which come for the owner's account alone."""
    if facts["account"] is None:
        return "the account is not looked up yet"
    return "brought" if facts["account"] == OWNER else f"off: {OTHER_ACCOUNT}"
