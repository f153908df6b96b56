"""Problems of servers, settings and the worker, with the steps that mend them; and the words for what a step did."""

from plexsync.app.fixes import FixAction, FixOrder, FixResult
from plexsync.reports.attention import machine_needs
from plexsync.reports.format import DAY, many, unstamped
from plexsync.reports.named_scenes import missing_words, unchecked_words
from plexsync.reports.rows import key_of
from plexsync.reports.shapes.fixes import FixEntry, FixStep
from plexsync.reports.shapes.status import HoldFacts, StatusFacts
from plexsync.reports.undo import rests
from plexsync.reports.verdict import hold_words
from plexsync.rules.choices import CHANGES, DECLINE, EFFECTS, LEFT, Choice, remedy
from plexsync.rules.gate_names import CURE, GATES, GateName, caption
from plexsync.rules.job import Kind

SIGN_IN, SETTING, OPEN = "sign-in", "setting", "open"
REBUILT = "It was found damaged. A full comparison finds what is missing. The message ends after a day."


def step(action: str, label: str, target: str = "", item: str = "", *, page: str = "", command: str = "") -> FixStep:
    """A step; without a page it is a button, if `action` is one of `FixAction`."""
    return {"action": action, "label": label, "target": target, "item": item, "page": page, "command": command}


def machine_entries(facts: StatusFacts) -> list[FixEntry]:
    """What needs you of servers, settings and the worker."""
    entries = [_hold(server, held) for server, held in facts["holds"].items()]
    for need in machine_needs(facts):
        steps, words = _MACHINE.get(need.key, ([], ""))
        entries.append(_entry(need.key, need.title, need.text, words or need.text, steps))
    repaired = facts["repaired_at"]
    if repaired and abs(unstamped(facts["at"] or "") - unstamped(repaired)) < DAY:
        compare = step(OPEN, "Compare everything", page="/reconcile", command="plexsync reconcile")
        entries.append(_entry("repaired", "The database was rebuilt", REBUILT, REBUILT, [compare], since=repaired))
    return entries


def _entry(
    key: str, title: str, problem: str, remedy: str, steps: list[FixStep], *, since: str | None = None
) -> FixEntry:
    return {
        "key": key,
        "kind": "system",
        "id": 0,
        "title": title,
        "since": since,
        "problem": problem,
        "next": "" if remedy == problem else remedy,
        "files": [],
        "candidates": [],
        "steps": steps,
    }


_MACHINE: dict[str, tuple[list[FixStep], str]] = {
    "approve": (
        [step(OPEN, "Look at the changes…", page="/reconcile", command="plexsync sync --all")],
        "Look at what would change, then approve it once.",
    ),
    "setting-change": (
        [
            step(OPEN, "Look at the changes, or write them…", page="/reconcile", command="plexsync sync --all"),
            step(OPEN, "Set it back…", page="/settings?changed=on", command="plexsync config list --changed"),
        ],
        "Look at what would change, then write it; or set the setting back. Scenes that you edit are synced meanwhile.",
    ),
    "plays": (
        [step(OPEN, "Look at the plays…", page="/plays", command="plexsync plays sync")],
        "Look at the plays that would be added to Stash, then approve them once.",
    ),
    "old-lists": (
        [
            step(FixAction.ACCEPT, "Take them as its own", Choice.OLD_LISTS, command=remedy(Choice.OLD_LISTS)),
            step(FixAction.DECLINE, "Leave them as they are", Choice.OLD_LISTS, command=DECLINE),
        ],
        EFFECTS[Choice.OLD_LISTS],
    ),
    "off": (
        [step(SETTING, "Switch PlexSync on", "enabled", page="/settings/change?name=enabled")],
        "Set enabled = true.",
    ),
    "commits": ([step(OPEN, "Check everything", command="plexsync doctor")], ""),
    "hung": ([step(OPEN, "Restart it", command="plexsync serve")], ""),
    "ended": (
        [
            step(OPEN, "Look at its log", command="plexsync log"),
            step(OPEN, "Check everything", command="plexsync doctor"),
        ],
        "A worker that stays up for ten minutes, or ends in good order, ends this message.",
    ),
    "idle": ([step(OPEN, "Start it", command="plexsync serve")], ""),
    "unread": ([step(OPEN, "Find them", command="plexsync doctor")], ""),
}


def _hold(server: str, held: HoldFacts) -> FixEntry:
    """A server on hold: a choice to accept, or a setting to change."""
    words, choice, setting = hold_words(server, held), held["choice"], held["setting"]
    test = step(FixAction.TEST, "Test again", server)
    if choice:
        accept = step(FixAction.ACCEPT, "Accept", choice, command=f"plexsync accept {choice}")
        remedy = f"{EFFECTS[Choice(choice)]} When what has changed is back, PlexSync goes on by itself."
        steps = [accept, test]
    else:
        change = step(SETTING, f"Change {setting}", setting, page=f"/settings/change?name={setting}")
        signs_in = [step(SIGN_IN, "Sign in to Plex again", setting, command="plexsync fix")]
        steps = [*(signs_in if setting == "plex_token" else []), change, test]
        remedy = f"Put {setting} right: PlexSync tries again at once when it changes."
        if server == GateName.STASH_WRITES:
            remedy += f" {CURE}"
    title = f"{words[0].upper()}{words[1:]}"
    return _entry(f"hold:{server}", title, held["message"], remedy, steps, since=held["since"])


def order_of(action: str, target: str, item: str = "") -> FixOrder | None:
    """The order for a step; None if it is none that can be carried out."""
    if action not in set(FixAction):
        return None
    order = FixOrder(FixAction(action), name=target, item=item)
    if order.action is FixAction.ACCEPT:
        return order if target in set(Choice) else None
    if order.action is FixAction.DECLINE:
        return order if target == Choice.OLD_LISTS else None
    if order.action is FixAction.TEST:
        return order if target in GATES else None
    if order.action is FixAction.RETRY_ALL:
        return order if target else None
    key = key_of(target)
    if key is None or (key[0] != Kind.SCENE and order.action not in (FixAction.RETRY, FixAction.DROP)):
        return None
    if not _is_rating_key(item) and (item or order.action is FixAction.BIND):
        return None
    return FixOrder(order.action, key, item=item)


def _is_rating_key(text: str) -> bool:
    return text.isascii() and text.isdecimal() and len(text) <= 18 and int(text) > 0


def result_words(result: FixResult) -> str:
    """What a step did, as sentences."""
    order, (kind, id) = result.order, result.order.key
    name = f"Scene {id}" if kind == Kind.SCENE else f"{kind.title()} {id}"
    match order.action:
        case FixAction.BIND:
            return _bound(result)
        case FixAction.IGNORE:
            return _ignored(result)
        case FixAction.UNBIND:
            return f"{name} is found by its files again." if result.done else f"That was not bound to scene {id}."
        case FixAction.UNIGNORE:
            return f"{name} is synced again." if result.done else f"{name} was not ignored."
        case FixAction.RETRY:
            return f"{name} will be tried again." if result.done else f"{name} needs you no more."
        case FixAction.RETRY_ALL:
            return f"{many(result.done, 'scene')} will be tried again."
        case FixAction.DROP:
            return (
                f"{name} is dropped: only an edit brings it back." if result.done else f"{name} was not in the queue."
            )
        case FixAction.ACCEPT:
            if not result.done:
                return "Nobody asks for that any more."
            return f"Accepted: {CHANGES[Choice(order.name)]}. {result.follows[:1].upper()}{result.follows[1:]}."
        case FixAction.DECLINE:
            return LEFT if result.done else "Nobody asks for that any more."
        case FixAction.TEST:
            server = caption(order.name)
            if order.name == GateName.STASH_WRITES and result.done:
                return "Stash answers: the next play shows whether it accepts writes again."
            return f"{server} answers, and PlexSync goes on." if result.done else f"Not yet: {result.problem}"


def _bound(result: FixResult) -> str:
    id, bound = result.order.key[1], result.bound
    if bound is None:
        return f"Nothing was bound: {result.problem}"
    items = ", ".join(f"item {item.key} of {library}" for item, library in bound.items)
    others = ", ".join(map(str, bound.looked_again))
    more = f" Scene {others} had it, and is queued again." if others else ""
    if bound.undone:
        return f"Scene {id} is bound to {items}.{more} {rests(id, bound.undone)}."
    return f"Scene {id} is bound to {items}, and is queued.{more}"


def _ignored(result: FixResult) -> str:
    id, named = result.order.key[1], result.named
    if named is not None and named.missing:
        return f"Nothing was ignored: {missing_words(named)}."
    doubt = unchecked_words(named) if named is not None else ""
    more = f" {doubt[:1].upper()}{doubt[1:]}." if doubt else ""
    return f"Scene {id} is ignored from now on.{more}" if result.done else f"Scene {id} was ignored already."
