"""Whatever the settings and the values: after an import a sync writes nothing that it would not have written before."""

from dataclasses import replace
from pathlib import Path
from random import Random

import pytest

from plexsync.rules.item import FIELDS
from plexsync.rules.merge import choice
from plexsync.rules.merge.desired import Profile
from plexsync.rules.merge.imports import written_values
from plexsync.rules.merge.template import NAMES, ROLE_NAMES, parse_template
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


def settings(rng: Random) -> Profile:
    """Settings of a library, drawn at random."""
    fields = frozenset(name for name in FIELDS if rng.random() < 0.85)
    return replace(
        PLAIN,
        fields=fields,
        title=parse_template(rng.choice(TITLES), NAMES),
        original_title=parse_template(rng.choice(["", "{code}", "{date} {studio}"]), NAMES),
        tagline=parse_template(rng.choice(["", "{performers}"]), NAMES),
        date_added=rng.choice(["", "created", "date"]),
        performer_name=parse_template(rng.choice(SHOWN_AS), ROLE_NAMES),
        role=parse_template(rng.choice(ROLES), ROLE_NAMES),
        genres=choice.parse_patterns(rng.choice(GENRES)),
        labels=choice.parse_patterns(rng.choice([(), ("Noir",)])),
        tag_collections=choice.parse_patterns(rng.choice([(), ("A*",)])),
        tag_parents=rng.random() < 0.3,
        collections=frozenset(name for name in ("studio", "parents", "groups") if rng.random() < 0.4),
    )


def furnish(stage: Stage, rng: Random) -> list[int]:
    """Scenes and their items, with values drawn at random, and names that Stash has as such, as aliases, or not at all."""
    data = stage.house.stash_sim.data
    for word in rng.sample(WORDS, 6):
        data.tag_named(word).parents = (data.tag_named("Above"),) if rng.random() < 0.4 else ()
        performer = data.performer_named(word)
        performer.alias_list, performer.gender = (rng.choice(WORDS),), "FEMALE"
        data.studio_named(word).parent_studio = data.studio_named("Network") if rng.random() < 0.4 else None
    data.tag_named("Other").aliases = (rng.choice(WORDS),)

    def some() -> list[str]:
        return rng.sample(WORDS, rng.randint(0, 4))

    ids = []
    for n in range(SCENES):
        scene = {
            "title": rng.choice(["", "", "Mine"]),
            "details": rng.choice(["", "", "Mine"]),
            "tags": rng.choice([[], some()]),
        }
        ids.append(
            stage.add(
                n,
                scene=scene,
                title=rng.choice(TEXTS) or "t",
                summary=rng.choice(TEXTS),
                studio=rng.choice([*WORDS, ""]),
                userRating=rng.choice([None, 8.3, 7.25, 10]),
                actor=some(),
                genre=some(),
                collection=some(),
            )
        )
        if rng.random() < 0.3:
            stage.house.plex_sim.hand_edit(stage.house.key_of(ids[-1]), summary="By hand", genre=["By hand"])
    return ids


def writes(stage: Stage, ids: list[int]) -> set[tuple[object, ...]]:
    """The values that a sync would write, by item and field."""
    return {
        (target.item.key, *written)
        for inspection in stage.house.worker.glances.look(ids)
        for target in inspection.targets
        for written in written_values(target.plan.edit)
    }


@pytest.mark.parametrize("seed", range(16))
def test_a_sync_after_an_import_writes_nothing_because_of_it_and_an_undo_restores_everything(
    tmp_path: Path, seed: int
) -> None:
    rng = Random(seed)
    profile = settings(rng)
    with Stage(tmp_path / "data", {"profile": profile, "people": True, "tags_above": True}) as stage:
        ids = furnish(stage, rng)
        earlier = rng.random() < 0.5
        if earlier:
            stage.sync(*ids[: SCENES // 2])
        before, scenes = writes(stage, ids), [stage.scene_json(id) for id in ids]
        result = stage.run(*ids, create=rng.random() < 0.5)
        assert result.is_complete
        assert result.changed == []
        assert result.fields > 0
        assert writes(stage, ids) <= before
        assert stage.undo(result.run).is_complete
        assert [stage.scene_json(id) for id in ids] == scenes
