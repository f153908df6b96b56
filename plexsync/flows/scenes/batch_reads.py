"""Reads many keys in one request. A request that fails is halved, to find the keys that fail alone."""

from collections.abc import Callable, Iterable, Mapping
from typing import TypeVar

from plexsync.engine.gates import Gates, outage
from plexsync.engine.tickets import READ_OF
from plexsync.rules.servers.errors import Neighbour, NeighbourError, Refused, Unavailable

K = TypeVar("K", int, str)
T = TypeVar("T")


def read_each(
    gates: Gates, neighbour: Neighbour, request: Callable[[list[K]], Mapping[K, T]], keys: Iterable[K]
) -> dict[K, T | NeighbourError]:
    """Read these keys in one request through the gates.

    A failed request is halved before any key is blamed, and the whole halving is one report: success if any part was
    answered, with the error as the value of each key that was not. If both halves fail, the error is raised as an outage,
    even if they were refused, since no single key is to blame. The failure of a single key is returned as its value, to be
    judged by others.
    """
    wanted_keys = sorted(set(keys))
    if not wanted_keys:
        return {}
    ticket = gates.ticket(READ_OF[neighbour])
    try:
        answers = request_in_halves(request, wanted_keys)
    except NeighbourError as error:
        failure = outage(error) if len(wanted_keys) > 1 else error
        gates.ill(ticket, failure)
        if len(wanted_keys) == 1 and may_be_its_own(failure):
            return {wanted_keys[0]: failure}
        raise failure from None
    gates.well(ticket)
    return answers


def may_be_its_own(error: NeighbourError) -> bool:
    """Whether a request for one object can have failed because of that object."""
    return isinstance(error, Refused) or (isinstance(error, Unavailable) and error.sent)


def request_in_halves(request: Callable[[list[K]], Mapping[K, T]], keys: list[K]) -> dict[K, T | NeighbourError]:
    """The answers to one request, or to its halves if one of them fails. Raises if both fail or nothing was sent."""
    try:
        return dict(request(keys))
    except (Unavailable, Refused) as error:
        if len(keys) == 1 or (isinstance(error, Unavailable) and not error.sent):
            raise
    return _request_halves(request, keys)


def _request_halves(request: Callable[[list[K]], Mapping[K, T]], keys: list[K]) -> dict[K, T | NeighbourError]:
    """As `halved`, for keys that failed together."""
    middle = len(keys) // 2
    answers: list[tuple[list[K], Mapping[K, T] | NeighbourError]] = []
    for half in (keys[:middle], keys[middle:]):
        try:
            answers.append((half, request(half)))
        except (Unavailable, Refused) as error:
            answers.append((half, error))
    failures = [error for _, error in answers if isinstance(error, NeighbourError)]
    if len(failures) == len(answers):
        raise failures[0]
    results: dict[K, T | NeighbourError] = {}
    for half, answer in answers:
        results |= _find_culprits(request, half, answer) if isinstance(answer, NeighbourError) else answer
    return results


def _find_culprits(
    request: Callable[[list[K]], Mapping[K, T]], keys: list[K], error: NeighbourError
) -> dict[K, T | NeighbourError]:
    """The keys to blame among those that failed together: one, or all if their halves fail too."""
    if len(keys) > 1:
        try:
            return _request_halves(request, keys)
        except (Unavailable, Refused):
            pass
    return dict.fromkeys(keys, error)
