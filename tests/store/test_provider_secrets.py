"""The secrets of the libraries that ask PlexSync: a file for its owner alone."""

import json
import os
import stat

import pytest

from plexsync.rules.servers.errors import LocalFault
from plexsync.store.files.provider_secrets import (
    FILE,
    LibrarySecrets,
    masked_address,
    read_secrets,
    renew_path,
    set_damaged_aside,
)

ONE, TWO = "6b1f7a9e-0001", "6b1f7a9e-0002"


def test_without_the_file_no_library_has_secrets(tmp_path):
    assert read_secrets(tmp_path) == {}


def test_a_renewed_path_keeps_the_key_and_the_secrets_of_the_other_libraries(tmp_path):
    first, other = renew_path(tmp_path, ONE), renew_path(tmp_path, TWO)

    second = renew_path(tmp_path, ONE)

    assert second.key == first.key != other.key
    assert second.path != first.path
    assert (len(second.path), len(bytes.fromhex(second.key))) == (32, 32)
    assert read_secrets(tmp_path) == {ONE: second, TWO: other}


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such modes")
def test_the_file_is_for_its_owner_alone_whatever_it_was(tmp_path):
    renew_path(tmp_path, ONE)
    (tmp_path / FILE).chmod(0o644)

    renew_path(tmp_path, ONE)

    assert stat.S_IMODE((tmp_path / FILE).stat().st_mode) == 0o600
    assert [path.name for path in tmp_path.iterdir()] == [FILE]


def test_an_address_has_the_secret_and_what_is_shown_has_not(tmp_path):
    own = renew_path(tmp_path, ONE)

    assert own.address("http://nas:9798/") == f"http://nas:9798/{own.path}"
    assert masked_address("http://nas:9798/") == "http://nas:9798/***"
    assert own.path not in repr(own)
    assert own.key not in repr(own)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"[]",
        b"\xff\xfe",
        json.dumps({ONE: None}).encode(),
        json.dumps({ONE: {"path": "a" * 32}}).encode(),
        json.dumps({ONE: {"path": "", "key": "0" * 64}}).encode(),
        json.dumps({ONE: {"path": "a" * 31 + "/", "key": "0" * 64}}).encode(),
        json.dumps({ONE: {"path": "a" * 32, "key": "x" * 64}}).encode(),
    ],
)
def test_a_damaged_file_is_one_line_that_says_what_to_do_and_is_left_as_it_is(tmp_path, content):
    (tmp_path / FILE).write_bytes(content)

    for attempt in (lambda: read_secrets(tmp_path), lambda: renew_path(tmp_path, ONE)):
        with pytest.raises(
            LocalFault, match=r"damaged: put it back from a copy, or run plexsync provider add"
        ) as caught:
            attempt()
        assert "\n" not in str(caught.value)
    assert (tmp_path / FILE).read_bytes() == content


def test_a_damaged_file_is_set_aside_and_a_whole_one_stays(tmp_path):
    own = renew_path(tmp_path, ONE)
    set_damaged_aside(tmp_path)
    assert read_secrets(tmp_path) == {ONE: own}
    (tmp_path / FILE).write_bytes(b"{")
    set_damaged_aside(tmp_path)
    assert (read_secrets(tmp_path), (tmp_path / f"{FILE}.damaged").read_bytes()) == ({}, b"{")


def test_what_is_shown_of_secrets_compares_by_value():
    assert LibrarySecrets("a" * 32, "0" * 64) == LibrarySecrets("a" * 32, "0" * 64)
