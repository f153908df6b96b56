"""Whatever the settings and the values: after an import a sync writes nothing that it would not have written before."""

from dataclasses import replace
from pathlib import Path
from random import Random

import pytest

from plexsync.rules import choice
from plexsync.rules.desired import NAMES, ROLE_NAMES, Profile
from plexsync.rules.imports import written_values
from plexsync.rules.item import FIELDS
from plexsync.rules.template import parsed
from tests.flows.import_stage import PLAIN, Stage

SCENES = 12
WORDS = [
    "Ann",
    "bo",
    "\u00c5sa",
    "A\u030asa",
    "Noir",
    "noir ",
    "Big  Studio",
    "x" * 300,
    "O'Neill; Jr",
    "a, b",
    "\u00df",
    "SS",
]
TEXTS = ["The film", " blanks ", "two\r\nlines", "two\nlines", "tab\there", "y" * 10_001, "\u00e9", "e\u0301", ""]
TITLES = [
    "{title}",
    "{title} - {studio}",
    "{studio}{title}",
    "{title} ({year})",
    "{performers}: {title}",
    "{file}",
    "{parent} {title}",
]
SHOWN_AS = ["{name}", "{name}", "{name}[ ({alias})]", "{alias}"]
ROLES = ["", "{alias}", "as {name}", "{gender}"]
GENRES = [("*",), ("*", "-Noir"), ("Ann", "bo"), ("*", "-under:Above")]


def settings(dice: Random) -> Profile:
    """Settings of a library, drawn at random."""
    fields = frozenset(name for name in FIELDS if dice.random() < 0.85)
    return replace(
        PLAIN,
        fields=fields,
        title=parsed(dice.choice(TITLES), NAMES),
        original_title=parsed(dice.choice(["", "{code}", "{date} {studio}"]), NAMES),
        tagline=parsed(dice.choice(["", "{performers}"]), NAMES),
        date_added=dice.choice(["", "created", "date"]),
        performer_name=parsed(dice.choice(SHOWN_AS), ROLE_NAMES),
        role=parsed(dice.choice(ROLES), ROLE_NAMES),
        genres=choice.parsed(dice.choice(GENRES)),
        labels=choice.parsed(dice.choice([(), ("Noir",)])),
        tag_collections=choice.parsed(dice.choice([(), ("A*",)])),
        tag_parents=dice.random() < 0.3,
        collections=frozenset(name for name in ("studio", "parents", "groups") if dice.random() < 0.4),
    )


def furnish(stage: Stage, dice: Random) -> list[int]:
    """Scenes and their items, with values drawn at random, and names that Stash has as such, as aliases, or not at all."""
    data = stage.house.stash_sim.data
    for word in dice.sample(WORDS, 6):
        data.tag_named(word).parents = (data.tag_named("Above"),) if dice.random() < 0.4 else ()
        performer = data.performer_named(word)
        performer.alias_list, performer.gender = (dice.choice(WORDS),), "FEMALE"
        data.studio_named(word).parent_studio = data.studio_named("Network") if dice.random() < 0.4 else None
    data.tag_named("Other").aliases = (dice.choice(WORDS),)

    def some() -> list[str]:
        return dice.sample(WORDS, dice.randint(0, 4))

    ids = []
    for n in range(SCENES):
        scene = {
            "title": dice.choice(["", "", "Mine"]),
            "details": dice.choice(["", "", "Mine"]),
            "tags": dice.choice([[], some()]),
        }
        ids.append(
            stage.add(
                n,
                scene=scene,
                title=dice.choice(TEXTS) or "t",
                summary=dice.choice(TEXTS),
                studio=dice.choice([*WORDS, ""]),
                userRating=dice.choice([None, 8.3, 7.25, 10]),
                actor=some(),
                genre=some(),
                collection=some(),
            )
        )
        if dice.random() < 0.3:
            stage.house.plex_sim.hand_edit(stage.house.key_of(ids[-1]), summary="By hand", genre=["By hand"])
    return ids


def writes(stage: Stage, ids: list[int]) -> set[tuple[object, ...]]:
    """The values that a sync would write, by item and field."""
    return {
        (target.item.key, *written)
        for sight in stage.house.worker.glances.look(ids)
        for target in sight.targets
        for written in written_values(target.plan.edit)
    }


@pytest.mark.parametrize("seed", range(16))
def test_a_sync_after_an_import_writes_nothing_because_of_it_and_an_undo_restores_everything(
    tmp_path: Path, seed: int
) -> None:
    dice = Random(seed)
    profile = settings(dice)
    with Stage(tmp_path / "data", {"profile": profile, "people": True, "tags_above": True}) as stage:
        ids = furnish(stage, dice)
        earlier = dice.random() < 0.5
        if earlier:
            stage.sync(*ids[: SCENES // 2])
        before, scenes = writes(stage, ids), [stage.scene_json(id) for id in ids]
        result = stage.run(*ids, create=dice.random() < 0.5)
        assert result.is_complete
        assert result.changed == []
        assert result.fields > 0
        assert writes(stage, ids) <= before
        assert stage.undo(result.run).is_complete
        assert [stage.scene_json(id) for id in ids] == scenes
