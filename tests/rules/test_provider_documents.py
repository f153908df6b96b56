"""The documents that Plex is answered with, as its contract has them."""

import json
import re

from plexsync.rules.provider.documents import (
    KEY,
    METADATA,
    OWN_BYTES,
    container,
    is_own_key,
    match_document,
    metadata_document,
    rating_key,
    root_document,
)
from tests.tables import table

IDENTIFIER = "tv.plex.agents.custom.plexsync.a1"
SECRET = bytes(range(32))
VALUES = {
    "title": "A title",
    "titleSort": "title, A",
    "originalTitle": "Un titre",
    "tagline": "It begins",
    "summary": "What happens",
    "studio": "A studio",
    "originallyAvailableAt": "2024-05-17",
    "contentRating": "XXX",
    "actor": ["Jane Doe", "John Roe"],
    "role:Jane Doe": "herself",
    "face:Jane Doe": "http://192.168.1.5/face",
    "director": ["Di Rector"],
    "genre": ["One", "Two, three"],
    "collection": ["A studio"],
    "label": ["not for a provider"],
    "userRating": "8.5",
    "addedAt": "2024-01-01",
    "thumb": "/covers/1",
}
REQUIRED = {"ratingKey", "key", "guid", "type", "title", "originallyAvailableAt"}


def test_a_key_is_the_same_for_a_scene_and_a_secret_and_for_nothing_else():
    keys = {rating_key(SECRET, scene) for scene in range(1, 2_001)}

    assert len(keys) == 2_000
    assert all(re.fullmatch(r"[a-z2-7]{24}", key) and KEY.fullmatch(key) for key in keys)
    assert 8 * OWN_BYTES >= 96
    assert rating_key(SECRET, 7) == rating_key(SECRET, 7) == "ipehlqicpyf3mcz4lycyfdpf"
    assert rating_key(b"x" * 32, 7) not in keys


def test_a_key_proves_that_it_was_given() -> None:
    key = rating_key(SECRET, 7)

    assert is_own_key(SECRET, key)
    assert not is_own_key(b"x" * 32, key)
    others = [
        "",
        "7",
        "abc",
        key.upper(),
        key[:-1],
        f"{key}a",
        f"{key}========",
        "a" * 24,
        "\u0131" * 24,
        key[:23] + "=",
    ]
    changed = [f"{key[:at]}{'a' if key[at] != 'a' else 'b'}{key[at + 1 :]}" for at in range(len(key))]
    assert not [other for other in (*others, *changed) if is_own_key(SECRET, other)]


def test_the_root_names_what_is_answered_and_where_below_the_address():
    provider = root_document(IDENTIFIER, "PlexSync: Movies", "1.2.3")["MediaProvider"]

    assert provider == {
        "identifier": IDENTIFIER,
        "title": "PlexSync: Movies",
        "version": "1.2.3",
        "Types": [{"type": 1, "Scheme": [{"scheme": IDENTIFIER}]}],
        "Feature": [
            {"type": "metadata", "key": "/library/metadata"},
            {"type": "match", "key": "/library/metadata/matches"},
        ],
    }


def test_all_values_of_a_scene():
    assert metadata_document(IDENTIFIER, "abc", VALUES) == {
        "ratingKey": "abc",
        "key": "/library/metadata/abc",
        "guid": f"{IDENTIFIER}://movie/abc",
        "type": "movie",
        "title": "A title",
        "titleSort": "title, A",
        "originalTitle": "Un titre",
        "tagline": "It begins",
        "summary": "What happens",
        "studio": "A studio",
        "originallyAvailableAt": "2024-05-17",
        "year": 2024,
        "contentRating": "XXX",
        "isAdult": True,
        "Role": [{"tag": "Jane Doe", "order": 1, "role": "herself"}, {"tag": "John Roe", "order": 2}],
        "Director": [{"tag": "Di Rector"}],
        "Genre": [{"tag": "One"}, {"tag": "Two, three"}],
        "Collection": [{"tag": "A studio"}],
    }


@table(
    ("values", "more"),
    [
        ({}, {"title": "abc"}),
        ({"title": "A", "titleSort": ""}, {}),
        ({"title": "A", "summary": "", "genre": [], "actor": []}, {"summary": "", "Genre": [], "Role": []}),
        ({"title": "A", "originallyAvailableAt": ""}, {}),
        ({"title": "A", "originallyAvailableAt": "2024"}, {}),
        ({"title": "A", "genre": ["", "One"], "actor": [""]}, {"Genre": [{"tag": "One"}], "Role": []}),
    ],
)
def test_what_a_scene_has_not_is_empty_and_what_is_not_synced_is_not_sent(values, more):
    document = metadata_document(IDENTIFIER, "abc", values)

    assert {name: document[name] for name in more} == more
    assert document.keys() == {*REQUIRED, "isAdult", *more}
    assert document["originallyAvailableAt"] == ""


def test_no_document_offers_a_picture():
    text = json.dumps([metadata_document(IDENTIFIER, "abc", VALUES), match_document(IDENTIFIER, "abc", VALUES)])

    assert not re.search(r'"(thumb|art|Image|OriginalImage|theme)"|http|192\.168', text)


def test_a_match_has_what_is_required_and_the_score():
    document = match_document(IDENTIFIER, "abc", VALUES, score=97)

    assert document.keys() == {*REQUIRED, "year", "isAdult", "score"}
    assert document["score"] == 97
    assert match_document(IDENTIFIER, "abc", VALUES)["score"] == 100


def test_a_list_says_which_part_of_it_is_answered():
    items = [{"ratingKey": str(number)} for number in range(5)]

    assert container(IDENTIFIER, items)["MediaContainer"] == {
        "offset": 0, "totalSize": 5, "identifier": IDENTIFIER, "size": 5, "Metadata": items
    }  # fmt: skip
    assert container(IDENTIFIER, items, page=(3, 20))["MediaContainer"] == {
        "offset": 3, "totalSize": 5, "identifier": IDENTIFIER, "size": 2, "Metadata": items[3:]
    }  # fmt: skip
    assert container(IDENTIFIER, [], of="Image", page=(9, 2))["MediaContainer"] == {
        "offset": 9, "totalSize": 0, "identifier": IDENTIFIER, "size": 0, "Image": []
    }  # fmt: skip
    assert METADATA == "/library/metadata"
