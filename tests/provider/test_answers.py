"""What the provider answers over HTTP: the contract of Plex, from the database."""

import pytest

from plexsync.rules.records import SectionRow
from tests.provider.stage import IDENTIFIER, LIBRARY, OTHER, Asked, Shelf


def test_the_root_says_what_is_answered(asked: Asked) -> None:
    for path in ("", "/", "?includePreferences=1"):
        provider = asked.get(path).json()["MediaProvider"]
        assert (provider["identifier"], provider["title"], provider["version"]) == (
            IDENTIFIER,
            "PlexSync: Movies",
            "1.2.3",
        )
        assert [feature["key"] for feature in provider["Feature"]] == ["/library/metadata", "/library/metadata/matches"]


def test_a_file_is_matched_and_its_values_are_answered(asked: Asked, shelf: Shelf) -> None:
    key = shelf.say(7, "/data/a/x.mp4", values={"genre": ["One"], "summary": "Söme text"})
    shelf.say(8, "/data/b/x.mp4")
    (found,) = asked.match("a/x.mp4")
    assert found["ratingKey"] == key
    assert found["guid"] == f"{IDENTIFIER}://movie/{key}"
    answer = asked.get(str(found["key"]))
    assert (answer.status_code, answer.headers["content-type"]) == (200, "application/json")
    frame = answer.json()["MediaContainer"]
    assert (frame["size"], frame["totalSize"], frame["offset"], frame["identifier"]) == (1, 1, 0, IDENTIFIER)
    (item,) = frame["Metadata"]
    assert (item["title"], item["summary"], item["Genre"]) == ("Scene 7", "Söme text", [{"tag": "One"}])


def test_the_folders_of_the_library_tell_the_place(asked: Asked, shelf: Shelf) -> None:
    key = shelf.say(7, "/data/a/x.mp4")
    for filename in ("a/x.mp4", "movies/a/x.mp4", "/media/movies/a/x.mp4"):
        assert [item["ratingKey"] for item in asked.match(filename)] == [key]
    # Another file, that Stash does not have: a rule says where this one is.
    shelf.say(7, "/data/b/a/x.mp4")
    assert asked.match("a/x.mp4") == []


@pytest.mark.parametrize(
    "filename", ["IMG_0001.mkv", "phone/IMG_0001.mkv", "/private/phone/IMG_0001.mkv", "movies/IMG_0001.mkv"]
)
@pytest.mark.parametrize("manual", [0, 1])
def test_an_address_tells_nothing_of_a_file_in_no_folder_of_its_library(
    asked: Asked, shelf: Shelf, filename: str, manual: int
) -> None:
    shelf.say(7, "/private/phone/IMG_0001.mkv")
    assert asked.match(filename, manual=manual) == []


def test_an_item_that_plexsync_has_written_is_answered_where_no_path_rule_leads(asked: Asked, shelf: Shelf) -> None:
    key = shelf.say(7, "/other/a/x.mp4")
    shelf.say(8, "/other/b/x.mp4")
    shelf.show(7, "70", "/media/movies/a/x.mp4")
    shelf.show(8, "80", "/media/movies/a/x.mp4", section="2")
    assert [item["ratingKey"] for item in asked.match("a/x.mp4")] == [key]
    assert asked.match("b/x.mp4") == []


def test_a_library_that_is_not_synced_any_more_is_not_answered(asked: Asked, shelf: Shelf) -> None:
    key = shelf.say(7, "/data/a/x.mp4")
    for uuid, status in ((LIBRARY, 200), (OTHER, 500)):
        with shelf.store.writing() as tx:
            tx.sections.drop([])
            tx.sections.save(SectionRow("1", "Movies", uuid=uuid))
        assert asked.get(f"/library/metadata/{key}").status_code == status
        question = {"type": 1, "filename": "a/x.mp4", "includeAdult": 1}
        assert asked.client.post(f"/{asked.path}/library/metadata/matches", json=question).status_code == status


def test_no_match_is_an_empty_list(asked: Asked, shelf: Shelf) -> None:
    shelf.say(7, "/data/a/x.mp4", matched=False)
    assert asked.match("a/x.mp4") == asked.match("b/x.mp4") == asked.match("") == asked.match(None) == []


def test_without_the_switch_for_explicit_content_nothing_is_matched(asked: Asked, shelf: Shelf) -> None:
    shelf.say(7, "/data/a/x.mp4")
    assert len(asked.match("a/x.mp4")) == 1
    assert asked.match("a/x.mp4", includeAdult=0) == asked.match("a/x.mp4", includeAdult=None) == []


def test_what_was_withheld_is_answered_by_the_key_that_was_given(asked: Asked, shelf: Shelf) -> None:
    key = shelf.say(7, "/data/a/x.mp4", matched=False)
    assert asked.get(f"/library/metadata/{key}").json()["MediaContainer"]["Metadata"][0]["title"] == "Scene 7"


@pytest.mark.parametrize("key", ["7", "abc", "x" * 64, "A-_9"])
def test_an_unknown_key_is_none(asked: Asked, key: str) -> None:
    assert asked.get(f"/library/metadata/{key}").status_code == 404


def test_no_picture_and_no_extra_is_offered(asked: Asked, shelf: Shelf) -> None:
    key = shelf.say(7, "/data/a/x.mp4")
    for part, name in (("images", "Image"), ("extras", "Metadata"), ("extras?updating=1&x=y", "Metadata")):
        answer = asked.get(f"/library/metadata/{key}/{part}")
        assert answer.status_code == 200
        assert answer.json()["MediaContainer"] == {
            "offset": 0, "totalSize": 0, "identifier": IDENTIFIER, "size": 0, name: []
        }  # fmt: skip


def test_a_person_chooses_among_those_of_the_same_name_a_page_at_a_time(asked: Asked, shelf: Shelf) -> None:
    keys = [shelf.say(scene, f"/data/{scene}/x.mp4") for scene in range(1, 5)]
    # Of what is in no folder of the library, nothing is told.
    shelf.say(5, "/private/3/x.mp4")
    assert [item["ratingKey"] for item in asked.match("3/x.mp4", manual=1)] == [keys[2], keys[0], keys[1], keys[3]]
    path = "/library/metadata/matches?X-Plex-Container-Start={}&X-Plex-Container-Size=2"
    assert [item["ratingKey"] for item in asked.match("3/x.mp4", path.format(2), manual=1)] == [keys[1], keys[3]]
    # Plex may count from 1.
    for start in (0, 1):
        assert [item["ratingKey"] for item in asked.match("3/x.mp4", path.format(start), manual=1)] == [
            keys[2],
            keys[0],
        ]
    # The one answer to a scan is never cut away.
    assert len(asked.match("3/x.mp4", path.format(2))) == 1
