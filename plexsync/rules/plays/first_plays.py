"""The first write of plays to Stash, which you approve once: what it would do, and your approval, as texts of notes.

An approval is for one account of one Plex server and the person who has it, for plays from one moment on, and for one rule
of what counts as a play. Moments are UTC seconds, times are UTC milliseconds. Imports little, to start fast.
"""

from dataclasses import astuple, field

from plexsync.rules.record_class import record

NUMBERS, RULES = 12, 2
WORDS = 6
# What stands before the name of the person in an approval.
PERSON = " ="
# The rule of an approval that names none, of an earlier version: what Plex counts.
EARLIER = "plex"
# What stands for no rule.
NONE = "-"


@record
class FirstPlays:
    """What the first write of plays would do, counted at the time `at`, for an account (its name and its number).

    `in_plex` plays since the moment `since` are in Plex. `missing` of them, of `scenes` scenes, would be added, and
    `present` are in Stash already. `unmatched` counts items that were played and have no scene to be synced, `unread`
    scenes that could not be read. `oldest` and `newest` are the first and the last moment to be added, 0 if there is none.
    `minimum`: the rule by which a viewing is a play, and `percent` that of Stash's own player. If `in_force` is a rule, it
    is the approved one by which PlexSync goes on meanwhile, and what is counted are the plays by `minimum` alone.
    """

    account: str
    number: int
    since: int
    at: int
    in_plex: int
    missing: int = 0
    scenes: int = 0
    present: int = 0
    unmatched: int = 0
    unread: int = 0
    oldest: int = 0
    newest: int = 0
    percent: int = 0
    minimum: str = field(default=EARLIER, kw_only=True)
    in_force: str = field(default="", kw_only=True)


def counted_text(first: FirstPlays) -> str:
    """The text of the note with what the first write would do."""
    account, *words, in_force = astuple(first)
    return " ".join(map(str, (*words, in_force or NONE, account)))


def read_counted(text: str) -> FirstPlays | None:
    """What the first write would do, by its note; None if there is none, or if it is unreadable."""
    *words, account = text.split(" ", NUMBERS + RULES)
    if len(words) != NUMBERS + RULES or not all(words) or not all(_is_number(number) for number in words[:NUMBERS]):
        return None
    minimum, in_force = words[NUMBERS:]
    held = "" if in_force == NONE else in_force
    return FirstPlays(account, *map(int, words[:NUMBERS]), minimum=minimum, in_force=held)


def rule_words(minimum: str, percent: float | None = None) -> str:
    """A rule by which a viewing is a play, in words. `percent`: that of Stash's own player, None if it is unknown."""
    if minimum == "stash":
        return f"Stash's rule ({percent:g} %)" if percent else "Stash's rule"
    return "Plex's rule" if minimum == "plex" else f"the rule {minimum[:-1]} {minimum[-1]}"


def approval_text(
    machine: str, account: int, *, watch_since: int, since: int, at: int, minimum: str, person: str = ""
) -> str:
    """The text of an approval of plays from `since` on, given while the setting `watch_since` was the moment given here.

    `minimum`: the rule by which a viewing is a play. `person`: the name of the account at that time, '' if Plex had none.
    """
    return f"{machine} {account} {watch_since} {since} {at} {minimum}" + (f"{PERSON}{person}" if person else "")


def approved_since(text: str, machine: str, account: int, *, watch_since: int, person: str = "") -> int | None:
    """From which moment on an approval lets plays be written while `watch_since` is set so; None if it is for others.

    It is not for another account, another `person` who has its number by now, another server, or plays before the
    `watch_since` of its time.
    """
    text, _, approved_person = text.partition(PERSON)
    words = text.split()
    if len(words) not in (WORDS - 1, WORDS) or not all(_is_number(word) for word in words[1 : WORDS - 1]):
        return None
    if person and approved_person and person != approved_person:
        return None
    account_then, since_then, since = map(int, words[1:4])
    if (words[0], account_then) != (machine, account) or watch_since < since_then:
        return None
    return max(since, watch_since)


def approved_minimum(text: str) -> str:
    """The rule of an approval; one of an earlier version, or with a rule that is damaged, is for what Plex counts."""
    rule = text.partition(PERSON)[0].split()[WORDS - 1 :]
    is_rule = rule and (rule[0] in ("stash", "plex") or (rule[0][-1] in "s%" and _is_number(rule[0][:-1])))
    return rule[0] if is_rule else EARLIER


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdecimal()
