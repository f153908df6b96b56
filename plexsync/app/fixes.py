"""Mends what needs you: the one place behind the buttons of the dashboard and the choices of `plexsync fix`."""

from collections.abc import Sequence
from dataclasses import replace
from enum import StrEnum

from plexsync.app.choices import accept as accept_choice, outcome
from plexsync.app.named_scenes import NamedScenes, ignore_scenes, unignore_scenes
from plexsync.app.parts import Parts, named_scenes
from plexsync.engine import dead_letters
from plexsync.engine.asked_probes import ask_at_once, why_closed
from plexsync.engine.dead_letters import Key
from plexsync.engine.tickets import BY_ROW, READS
from plexsync.flows.scenes import bindings
from plexsync.flows.scenes.bindings import Bound, Pairing, pairs_among, same_choice
from plexsync.flows.scenes.verbs import want_scenes
from plexsync.rules.queue.choices import Choice
from plexsync.rules.queue.gate_names import GateName
from plexsync.rules.queue.job import Kind, Why
from plexsync.rules.record_class import record
from plexsync.rules.servers.errors import NeighbourError


class FixAction(StrEnum):
    """What can be done about a problem here."""

    BIND = "bind"
    UNBIND = "unbind"
    IGNORE = "ignore"
    UNIGNORE = "unignore"
    RETRY = "retry"
    RETRY_ALL = "retry-all"
    DROP = "drop"
    ACCEPT = "accept"
    TEST = "test"


# The actions that can be taken for several problems of one kind at once.
ALIKE = frozenset({FixAction.BIND, FixAction.IGNORE, FixAction.UNIGNORE, FixAction.RETRY, FixAction.DROP})
# The actions that ask a server, so that they need the parts to themselves in a program with several threads.
ASKING = frozenset({FixAction.BIND, FixAction.ACCEPT, FixAction.TEST})


@record
class FixOrder:
    """What to do, and to what.

    `key` is the job for actions on one, `name` the cause, choice or server for the others, `item` a rating key. `alike`:
    problems of the same kind, for which the same is done if it can be done.
    """

    action: FixAction
    key: Key = (Kind.SCENE, 0)
    name: str = ""
    item: str = ""
    alike: tuple[Key, ...] = ()


@record
class FixResult:
    """What came of it. `done` is the number of jobs, bindings or servers; 0 if nothing was done.

    `problem` says why nothing was done, if that is known. `bound` and `named` hold the details of binding and ignoring,
    `follows` what an accepted choice leads to. `others` are those of the `alike` problems for which the same was done.
    """

    order: FixOrder
    done: int = 0
    problem: str = ""
    bound: Bound | None = None
    named: NamedScenes | None = None
    follows: str = ""
    others: tuple[Key, ...] = ()


def carry_out(parts: Parts, order: FixOrder) -> FixResult:
    """Do it, and the same for the problems alike. A server that can't be asked is a problem in the result."""
    if not order.alike or order.action not in ALIKE:
        return _carry_out(parts, order)
    try:
        pairing = _pairing(parts, order) if order.action is FixAction.BIND else None
        result = _carry_out(parts, order)
        return replace(result, others=_do_others(parts, order, pairing)) if result.done else result
    except NeighbourError as error:
        return FixResult(order, problem=str(error))


def _pairing(parts: Parts, order: FixOrder) -> Pairing | None:
    ask_at_once(parts.store, parts.gates, parts.clock, *READS)
    parts.gates.enter(*READS)
    (inspection,) = parts.inspector.look([order.key[1]])
    return same_choice(inspection, order.item)


def _do_others(parts: Parts, order: FixOrder, pairing: Pairing | None) -> tuple[Key, ...]:
    """Do the same for the others. For binding: by the rule that the choice followed; without one nothing is done."""
    store, clock, keys = parts.store, parts.clock, order.alike
    scenes = [id for kind, id in keys if kind == Kind.SCENE]
    match order.action:
        case FixAction.BIND:
            pairs = pairs_among(pairing, parts.inspector, scenes) if pairing else []
            done = [pair.scene for pair in bindings.bind_pairs(pairing, parts.inspector, pairs)] if pairing else []
        case FixAction.IGNORE:
            done = ignore_scenes(store, named_scenes(parts, scenes).existing, clock)
        case FixAction.UNIGNORE:
            done = unignore_scenes(store, scenes, clock)
        case FixAction.DROP:
            missed = set(dead_letters.drop(store, clock, keys)[1])
            return tuple(key for key in keys if key not in missed)
        case _:
            return _retry(parts, keys)
    return tuple((Kind.SCENE.value, id) for id in done)


def _carry_out(parts: Parts, order: FixOrder) -> FixResult:
    store, clock, (_, id) = parts.store, parts.clock, order.key
    match order.action:
        case FixAction.BIND:
            return _bind(parts, order)
        case FixAction.UNBIND:
            return FixResult(order, bindings.unbind(store, clock, id, order.item))
        case FixAction.IGNORE:
            named = named_scenes(parts, [id])
            done = [] if named.missing else ignore_scenes(store, named.existing, clock)
            return FixResult(order, len(done), named=named)
        case FixAction.UNIGNORE:
            return FixResult(order, len(unignore_scenes(store, [id], clock)))
        case FixAction.RETRY:
            return FixResult(order, len(_retry(parts, [order.key])))
        case FixAction.RETRY_ALL:
            return FixResult(order, dead_letters.retry_all(store, clock, order.name))
        case FixAction.DROP:
            return FixResult(order, dead_letters.drop(store, clock, [order.key])[0])
        case FixAction.ACCEPT:
            choice = Choice(order.name)
            is_accepted = accept_choice(parts, choice)
            return FixResult(order, int(is_accepted), follows=outcome(parts, choice) if is_accepted else "")
        case FixAction.TEST:
            # A server that lets PlexSync in again is no longer on hold.
            gate = BY_ROW[GateName(order.name)]
            ask_at_once(store, parts.gates, clock, gate)
            problem = why_closed(parts.gates, gate)
            return FixResult(order, int(not problem), problem=problem)


def _bind(parts: Parts, order: FixOrder) -> FixResult:
    try:
        ask_at_once(parts.store, parts.gates, parts.clock, *READS)
        bound = bindings.bind(
            parts.store, parts.stash, parts.plex, parts.gates, parts.clock, order.key[1], [str(int(order.item))]
        )
    except (bindings.CantBind, NeighbourError) as error:
        return FixResult(order, problem=str(error))
    return FixResult(order, len(bound.items), bound=bound)


def _retry(parts: Parts, keys: Sequence[Key]) -> tuple[Key, ...]:
    """Retry dead letters; scenes without a job, which only a comparison has seen, are queued. Returns those of both."""
    missed = set(dead_letters.retry(parts.store, parts.clock, keys)[1])
    with parts.store.reading() as db:
        unqueued = {
            (kind, id)
            for kind, id in missed
            if kind == Kind.SCENE and db.jobs.find(kind, id) is None and db.standings.find(id) is not None
        }
    if unqueued:
        want_scenes(parts.store, [id for _, id in unqueued], Why.USER, parts.clock)
    return tuple(key for key in keys if key not in missed or key in unqueued)
