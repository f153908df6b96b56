"""Random edits of a rating on both sides, and requests that are killed or late: they settle, and no write is left over."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from random import Random

import pytest
from hypothesis import given, settings, strategies as st

from plexsync.rules.plays.ratings import (
    NO_RATING,
    ItemRating,
    RatingPlan,
    RememberedRating,
    Wins,
    after_arrival,
    plan_rating,
)

LEASE, LONGEST = 120, 240
VALUES = (NO_RATING, 20, 41, 60, 83, 84, 85, 100)


def exact(rating: int) -> int:
    return rating


def half_stars(rating: int) -> int:
    """What a Plex that knows only half stars makes of a rating."""
    return rating if rating < 0 else min(100, (rating + 5) // 10 * 10) if rating % 10 else rating


@dataclass
class Scene:
    """One scene with its items; `late` are requests of unknown result that take effect before their time is over."""

    items: int
    wins: Wins
    rounds: Callable[[int], int]
    now: int = 1_000
    stash: int = NO_RATING
    plex: dict[str, ItemRating] = field(default_factory=dict)
    memory: dict[str, RememberedRating] = field(default_factory=dict)
    late: list[Callable[[], None]] = field(default_factory=list)
    writes: int = 0

    def __post_init__(self) -> None:
        self.plex = {str(71 + n): ItemRating(NO_RATING) for n in range(self.items)}

    def rate(self, key: str, rating: int) -> None:
        self.now += 1
        self.plex[key] = ItemRating(self.rounds(rating), self.now)

    def rate_in_stash(self, rating: int) -> None:
        self.stash = rating

    def plan(self) -> RatingPlan:
        made = plan_rating(self.memory, self.stash, self.plex, self.wins, now=self.now, longest=LONGEST)
        self.memory |= made.resolved
        return made

    def step(self, result: str = "answered") -> bool:
        """Work once; False if nothing is to be done. The result: answered, killed (after it arrived), lost or late."""
        self.now += 1
        made = self.plan()
        if made.wait_until:
            if made.wait_until - self.now <= LEASE // 2:
                self.arrive()
            self.now += LEASE // 2
            return True
        if made.to_stash is None and not made.to_plex:
            return False
        self.memory |= {key: replace(row, until=self.now + LEASE) for key, row in made.rows.items()}
        if made.to_stash is not None:
            self.send(lambda: self.rate_in_stash(made.to_stash or 0), result)
        for key, rating in made.to_plex.items():
            self.send(lambda key=key, rating=rating: self.rate(key, rating), result)
        if result == "answered":
            self.memory |= after_arrival(self.memory, self.stash, self.plex, now=self.now, answered=True)
        return True

    def send(self, request: Callable[[], None], result: str) -> None:
        self.writes += 1
        if result in ("answered", "killed"):
            request()
        elif result == "late":
            self.late.append(request)

    def arrive(self) -> None:
        for request in self.late:
            request()
        self.late = []

    def settle(self) -> None:
        for _ in range(60):
            if not self.step():
                if not self.late:
                    return
                # You have set the same value meanwhile, so nothing had to wait for it.
                self.arrive()
        raise AssertionError(f"it does not settle: {self}")

    def is_in_step(self) -> bool:
        return all(item.value == self.rounds(self.stash) for item in self.plex.values())


def edited(scene: Scene, where: int, rating: int) -> None:
    """An edit in Stash, or of one of the items."""
    if where == 0:
        scene.rate_in_stash(rating)
    else:
        scene.rate(list(scene.plex)[(where - 1) % scene.items], rating)


EDITS = st.tuples(
    st.integers(0, 2), st.sampled_from(VALUES), st.sampled_from(["answered", "killed", "lost", "late", "", ""])
)


@given(st.lists(EDITS, max_size=12), st.integers(1, 2), st.sampled_from(["stash", "plex"]), EDITS)
@settings(deadline=None)
def test_edits_settle_and_the_last_one_counts_for_all(edits, items, wins, last):
    for rounds in (exact, half_stars):
        scene = Scene(items, wins, rounds)
        for where, rating, result in edits:
            edited(scene, where, rating)
            if result:
                scene.step(result)
        scene.settle()
        assert scene.is_in_step() or rounds is half_stars
        writes = scene.writes
        assert not scene.step()
        assert scene.writes == writes
        edited(scene, *last[:2])
        rating = scene.stash if last[0] == 0 else rounds(last[1])
        before = scene.writes
        scene.settle()
        assert scene.writes - before <= 1 + items
        if rounds is exact:
            assert scene.is_in_step()
            assert scene.stash == rating


@pytest.mark.parametrize("rounds", [exact, half_stars])
@pytest.mark.parametrize("wins", ["stash", "plex"])
def test_a_thousand_edits_leave_no_write_over(rounds, wins):
    rng = Random(7)
    scene = Scene(2, wins, rounds)
    for _ in range(1000):
        edited(scene, rng.randint(0, 2), rng.choice(VALUES))
        if rng.random() < 0.7:
            scene.step(rng.choice(["answered", "answered", "answered", "killed", "lost", "late"]))
    scene.settle()
    assert not scene.step()
    assert scene.writes > 300
    if rounds is exact:
        assert scene.is_in_step()
