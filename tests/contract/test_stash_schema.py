"""The simulated Stash speaks a subset of the real schema, and each word of it with the real meaning."""

import json
import os
from pathlib import Path

import pytest
from graphql import (
    GraphQLEnumType,
    GraphQLInputObjectType,
    GraphQLObjectType,
    GraphQLScalarType,
    build_client_schema,
    is_specified_scalar_type,
)

from plexsync.simulator.stash_schema import schema


def contracts_folder():
    named = os.environ.get("PLEXSYNC_CONTRACTS")
    return Path(named) if named else Path(__file__).resolve().parents[2].parent / "shared" / "contracts"


@pytest.fixture(scope="module")
def real():
    file = contracts_folder() / "stash-introspection.json"
    if not file.is_file():
        pytest.skip("the introspection of a real Stash is not here: set PLEXSYNC_CONTRACTS to the folder that holds it")
    answer = json.loads(file.read_text(encoding="utf-8"))
    return build_client_schema(answer.get("data", answer), assume_valid=True)


def our_types(kind):
    return [t for name, t in sorted(schema().type_map.items()) if isinstance(t, kind) and not name.startswith("__")]


def test_every_type_of_ours_is_a_type_of_the_same_kind_there(real):
    kinds = (GraphQLObjectType, GraphQLInputObjectType, GraphQLEnumType, GraphQLScalarType)
    ours = [t for t in our_types(kinds) if not is_specified_scalar_type(t)]
    assert len(ours) > 40
    strangers = [t.name for t in ours if type(real.get_type(t.name)) is not type(t)]
    assert strangers == []


def test_every_field_of_ours_has_the_same_type_there(real):
    wrong = []
    for ours in our_types(GraphQLObjectType):
        theirs = real.get_type(ours.name).fields
        for name, field in ours.fields.items():
            if name not in theirs or str(theirs[name].type) != str(field.type):
                wrong.append(f"{ours.name}.{name}: {field.type}")
    assert wrong == []


def test_every_argument_of_ours_has_the_same_type_and_default_there(real):
    wrong = []
    for ours in our_types(GraphQLObjectType):
        for name, field in ours.fields.items():
            theirs = real.get_type(ours.name).fields[name].args
            for word, argument in field.args.items():
                if word not in theirs or str(theirs[word].type) != str(argument.type):
                    wrong.append(f"{ours.name}.{name}({word}: {argument.type})")
    assert wrong == []


def test_no_argument_that_must_be_given_there_is_unknown_here(real):
    missing = []
    for ours in our_types(GraphQLObjectType):
        for name, field in ours.fields.items():
            for word, argument in real.get_type(ours.name).fields[name].args.items():
                if str(argument.type).endswith("!") and word not in field.args:
                    missing.append(f"{ours.name}.{name}({word})")
    assert missing == []


def test_every_input_field_of_ours_has_the_same_type_there(real):
    wrong = []
    for ours in our_types(GraphQLInputObjectType):
        theirs = real.get_type(ours.name).fields
        for name, field in ours.fields.items():
            if name not in theirs or str(theirs[name].type) != str(field.type):
                wrong.append(f"{ours.name}.{name}: {field.type}")
        for name, field in theirs.items():
            if str(field.type).endswith("!") and name not in ours.fields:
                wrong.append(f"{ours.name} lacks {name}, which must be given")
    assert wrong == []


def test_every_enum_has_exactly_the_values_it_has_there(real):
    ours = {enum.name: set(enum.values) for enum in our_types(GraphQLEnumType)}
    assert len(ours) >= 3
    assert ours == {name: set(real.get_type(name).values) for name in ours}


def test_scenes_have_no_custom_fields():
    assert "custom_fields" not in schema().get_type("Scene").fields
