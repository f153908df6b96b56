"""Every question we ask Stash, against the schema of a real one."""

import json
import os
from pathlib import Path

import pytest
from graphql import (
    TypeInfo,
    TypeInfoVisitor,
    Visitor,
    build_client_schema,
    get_operation_ast,
    get_variable_values,
    parse,
    validate,
    visit,
)

from plexsync.rules.plays.plays import Moments
from plexsync.rules.queue.job import Kind
from plexsync.stash import collection_queries, import_queries, queries, watch_queries
from plexsync.stash_plugin import child_process
from tests.tables import table

ROOT = Path(__file__).resolve().parents[2]
FOLDER = Path(os.environ.get("PLEXSYNC_CONTRACTS") or ROOT.parent / "shared" / "contracts")
FILE = FOLDER / "stash-introspection.json"

PAGE = queries.page(500, sort="id")
WALKING = {"scenes": queries.above(7), "page": PAGE}
NEWEST_FIRST = {"page": queries.page(25, sort="updated_at", number=3, descending=True)}

LAST = queries.page(1, sort="id", descending=True)

PLAYS = {"id": "7", "times": Moments([1_767_323_045, 1_767_323_046]).texts()}

# Each question with each form of variables that the client gives it.
ASKED = {
    "probe": (queries.PROBE, {}),
    "sign-in of the plugin": (child_process.SIGN_IN, {}),
    "version": (queries.VERSION, {}),
    "config path": (queries.CONFIG_PATH, {}),
    "plugins": (queries.PLUGINS, {}),
    "plugin settings": (queries.PLUGIN_SETTINGS, {"ids": ["StashPlexSync"]}),
    "configure plugin": (
        queries.CONFIGURE_PLUGIN,
        {"id": "StashPlexSync", "settings": {"plex_url": "http://plex:32400"}},
    ),
    "run an operation of a plugin": (queries.RUN_OPERATION, {"id": "StashPlexSync", "args": {"mode": "wake"}}),
    "scenes": (queries.scenes([1, 22, 333], tags_above=False), {}),
    "scenes with what is above their tags": (queries.scenes([1, 22, 333], tags_above=True), {}),
    "scenes with more of their performers": (queries.scenes([1, 22, 333], tags_above=False, people=True), {}),
    "scenes with what a scope is about": (queries.scenes([1, 22], tags_above=False, extra=queries.ON_REQUEST), {}),
    "walk with what a scope is about": (queries.walk(tags_above=False, extra=["url"]), WALKING),
    "scenes with their galleries": (queries.scenes([1, 22, 333], tags_above=False, galleries=True), {}),
    "walk with galleries": (queries.walk(tags_above=True, people=True, galleries=True), WALKING),
    "scenes and their plays": (watch_queries.watched_scenes([1, 22, 333], tags_above=False), {}),
    "scenes with the times of their files": (queries.scenes([1, 22], tags_above=False, file_times=True), {}),
    "scenes and their plays, with all that may be shown": (
        watch_queries.watched_scenes([1, 22], tags_above=True, people=True, file_times=True, extra=queries.ON_REQUEST),
        {},
    ),
    "only plays": (watch_queries.only_plays([1, 22, 333]), {}),
    "add plays": (watch_queries.ADD_PLAYS, PLAYS),
    "take plays": (watch_queries.TAKE_PLAYS, PLAYS),
    "save a resume point": (watch_queries.SAVE_ACTIVITY, {"id": "7", "position": 12.5, "seconds": None}),
    "add play time": (watch_queries.SAVE_ACTIVITY, {"id": "7", "position": None, "seconds": 10.25}),
    "restore play time": (watch_queries.RESTORE_ACTIVITY, {"id": "7", "position": None, "seconds": 0.0}),
    "restore play time and a resume point": (
        watch_queries.RESTORE_ACTIVITY,
        {"id": "7", "position": 12.5, "seconds": 10.25},
    ),
    "rules of the player": (watch_queries.PLAYER_RULES, {}),
    "rate": (watch_queries.RATE, {"input": {"id": "7", "rating100": 85}}),
    "clear a rating": (watch_queries.RATE, {"input": {"id": "7", "rating100": None}}),
    "save as it is": (watch_queries.SAVE_UNCHANGED, {"input": {"id": "7"}}),
    "walk with more of their performers": (queries.walk(tags_above=False, people=True), WALKING),
    "walk": (queries.walk(tags_above=False), WALKING),
    "walk with what is above their tags": (queries.walk(tags_above=True), WALKING),
    "walk ids": (queries.WALK_IDS, WALKING),
    "rivals": (queries.RIVALS, {"scenes": queries.path_filter(["x"]), "page": queries.page(-1, sort="id")}),
    "newest": (queries.NEWEST, {**NEWEST_FIRST, "last": LAST}),
    "questions": (queries.QUESTIONS, {}),
    "lacks cover": (queries.LACKS_COVER, {"id": 7}),
    **{f"picture at {' '.join(place)}": (query, {"id": "7"}) for place, query in queries.PICTURE.items()},
    **{f"recent {kind}": (query, NEWEST_FIRST) for kind, query in queries.RECENT.items()},
    **{
        f"showing {kind}": (queries.WALK_IDS, {"scenes": queries.above(0, **queries.showing(kind, 5)), "page": PAGE})
        for kind in (Kind.PERFORMER, Kind.STUDIO, Kind.TAG)
    },
}


# The questions and changes of an import.
NAMES = {"page": queries.page(-1, sort="name")}
IMPORTS = {
    "fields of an import": (import_queries.import_fields([1, 22, 333]), {}),
    "fill": (
        import_queries.FILL,
        {
            "input": {
                "id": "7",
                "title": "T",
                "date": None,
                "details": "",
                "rating100": 80,
                "studio_id": "3",
                "performer_ids": ["1", "2"],
                "tag_ids": [],
            }
        },
    ),
    "names of performers": (import_queries.PERFORMER_NAMES, NAMES),
    "names of studios": (import_queries.STUDIO_NAMES, NAMES),
    "names of tags": (import_queries.TAG_NAMES, NAMES),
    "names of tags and what is above them": (import_queries.TAG_NAMES_ABOVE, NAMES),
    **{f"create a {kind}": (query, {"name": "Ann"}) for kind, query in import_queries.CREATE.items()},
    **{f"what uses a {kind}": (query, {"id": "7"}) for kind, query in import_queries.USES.items()},
    **{f"destroy a {kind}": (query, {"id": "7"}) for kind, query in import_queries.DESTROY.items()},
}
ASKED |= IMPORTS

# The sources of collections.
ALL_SOURCES = {"studio": [1, 2], "group": [3], "tag": [4], "performer": [5], "rating": [1, 10], "organized": [1]}
COLLECTIONS = {
    "sources of collections": (collection_queries.objects(ALL_SOURCES), {}),
    **{
        f"source {source} of collections": (collection_queries.objects({source: ids}), {})
        for source, ids in ALL_SOURCES.items()
    },
    **{f"stamps of every {source}": (query, {"page": PAGE}) for source, query in collection_queries.STAMPS.items()},
    **{
        f"stamps and scenes of every {source}": (query, {"page": PAGE})
        for source, query in collection_queries.COUNTED_STAMPS.items()
    },
    "scenes of groups": (
        collection_queries.GROUP_SCENES,
        {"scenes": queries.above(0, **collection_queries.in_groups([3, 4])), "page": PAGE},
    ),
    "tags by name or alias": (
        collection_queries.PLAYLIST_TAGS,
        {
            "named": {"name": {"value": "Watch", "modifier": "EQUALS"}},
            "aliased": {"aliases": {"value": "Watch", "modifier": "EQUALS"}},
            "page": {"per_page": -1},
        },
    ),
    "scenes of tags": (
        collection_queries.TAG_SCENES,
        {"scenes": queries.above(0, **collection_queries.with_tags([3, 4])), "page": PAGE},
    ),
}
ASKED |= COLLECTIONS

# What only a Stash is asked that says it can be.
NEWER = {
    "newest and files": (queries.NEWEST_AND_FILES, {**NEWEST_FIRST, "last": LAST}),
    "recent files": (queries.RECENT_FILES, NEWEST_FIRST),
}


@pytest.fixture(scope="module")
def schema():
    if not FILE.is_file():
        pytest.skip("Stash's schema is not here: set PLEXSYNC_CONTRACTS to the folder with stash-introspection.json")
    answer = json.loads(FILE.read_text(encoding="utf-8"))
    return build_client_schema(answer.get("data", answer))


@table("name", [*ASKED, *NEWER])
def test_a_question_is_valid_with_its_variables(schema, name):
    query, variables = {**ASKED, **NEWER}[name]
    document = parse(query)
    assert validate(schema, document) == []
    definitions = get_operation_ast(document).variable_definitions or ()
    assert variables.keys() == {definition.variable.name.value for definition in definitions}
    coerced = get_variable_values(schema, definitions, variables)
    assert not isinstance(coerced, list), coerced


def test_no_question_asks_for_what_is_going_away(schema):
    old = set()
    for type_name, field in asked_fields(schema):
        if field.startswith("__"):
            continue
        definition = schema.get_type(type_name).fields[field]
        if definition.deprecation_reason:
            old.add(f"{type_name}.{field}")
    assert old == set()


# What came after 0.28 and a question of ours could use: fields, and keys of filters.
NEWER_FIELDS = {
    "Query.findFile",
    "Query.findFiles",
    "Scene.custom_fields",
    "Studio.urls",
    "Studio.o_counter",
    "Tag.stash_ids",
    "Group.o_counter",
    "Performer.career_start",
    "Performer.career_end",
    "VideoFile.parent_folder",
}
NEWER_KEYS = {"files_filter", "parent_folder", "custom_fields"}


def test_no_question_needs_more_than_0_28(schema):
    assert {f"{type}.{field}" for type, field in asked_fields(schema)} & NEWER_FIELDS == set()
    assert {key for _, variables in ASKED.values() for key in keys_within(variables)} & NEWER_KEYS == set()


def keys_within(value):
    if isinstance(value, dict):
        for key, inner in value.items():
            yield key
            yield from keys_within(inner)


def test_every_literal_question_is_tried_here():
    literal = {value for name, value in vars(queries).items() if name.isupper() and isinstance(value, str)}
    tried = {query for query, _ in ASKED.values()}
    newer = {query for query, _ in NEWER.values()}
    parts = {queries.SCENE_FIELDS, queries.TAG_FIELDS, queries.TAG_FIELDS_ABOVE, queries.WALK, queries.NEWEST_FILES}
    parts |= {queries.PERFORMER_FIELDS, queries.PERFORMER_FIELDS_ALL, queries.FILE_FIELDS, queries.FILE_FIELDS_TIMED}
    parts |= {queries.GALLERIES, queries.NO_GALLERIES}
    assert literal - tried - newer == parts
    assert set(queries.RECENT.values()) <= tried
    of_watching = {value for name, value in vars(watch_queries).items() if name.isupper() and isinstance(value, str)}
    assert of_watching - tried == {watch_queries.SAVED, watch_queries.RESET}
    of_import = {value for name, value in vars(import_queries).items() if name.isupper() and isinstance(value, str)}
    assert of_import - tried == {import_queries.IMPORT_FIELDS}
    of_collections = {
        value for name, value in vars(collection_queries).items() if name.isupper() and isinstance(value, str)
    }
    assert of_collections - tried == {fragment for _, _, fragment in collection_queries.FRAGMENTS.values()}
    of_every_source = (collection_queries.STAMPS, collection_queries.COUNTED_STAMPS)
    for by_kind in (import_queries.CREATE, import_queries.USES, import_queries.DESTROY, *of_every_source):
        assert set(by_kind.values()) <= tried


def asked_fields(schema):
    found = set()

    class Fields(Visitor):
        def enter_field(self, node, *_):
            found.add((info.get_parent_type().name, node.name.value))

    for query, _ in ASKED.values():
        info = TypeInfo(schema)
        visit(parse(query), TypeInfoVisitor(info, Fields()))
    return found
