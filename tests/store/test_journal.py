"""The journal of writes: durable before the first request, readable after any damage, closed to others, bounded."""

import errno
import os
from dataclasses import replace

import pytest

from plexsync.rules.merge.journal_entries import FieldTrace, JournalEntry, name_hashes, value_hash
from plexsync.rules.servers.errors import LocalFault
from plexsync.store.ledger.journal_file import PUSH_BYTES, WriteJournal


def entry(journal, number, item="7", text="Title", items=None):
    salt = journal.salt(items)
    fields = {
        "title": FieldTrace((value_hash("title", text, salt),)),
        "genre": FieldTrace(name_hashes(("a", "b"), salt), adds=name_hashes(("a",), salt)),
    }
    return JournalEntry("sent", number, 1000, "scene", 3, "uuid", item, files=("f",), fields=fields, salt=salt)


def appended(journal, *numbers, **more):
    entries = [entry(journal, number, **more) for number in numbers]
    journal.append(entries, sync=True)
    return entries


def test_entries_are_read_as_they_were_written_oldest_first(tmp_path):
    journal = WriteJournal(tmp_path)
    sent, other = appended(journal, 1)[0], appended(journal, 2, item="8")[0]
    read = replace(sent, kind="read", stamp=55)
    journal.append([read], sync=False)
    assert journal.of(["7", "8", "9"]) == {"7": (sent, read), "8": (other,), "9": ()}
    assert (journal.last(), journal.items(after=1)) == (2, ["8"])
    assert WriteJournal(tmp_path).of(["7"]) == {"7": (sent, read)}


def test_an_empty_folder_has_no_entries_and_reading_makes_no_file(tmp_path):
    journal = WriteJournal(tmp_path)
    assert (journal.last(), journal.items(after=0), journal.of(["7"])) == (0, [], {"7": ()})
    assert list(tmp_path.iterdir()) == []


def test_no_text_is_in_the_file_and_others_can_not_read_it(tmp_path):
    umask = os.umask(0)
    try:
        journal = WriteJournal(tmp_path)
        appended(journal, 1, text="A secret title")
    finally:
        os.umask(umask)
    file = tmp_path / "journal"
    assert b"secret" not in file.read_bytes()
    if os.name == "posix":
        assert file.stat().st_mode & 0o777 == 0o600


def test_the_same_text_has_another_hash_in_another_journal(tmp_path):
    first, second = (WriteJournal(tmp_path / name) for name in ("one", "two"))
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
    assert entry(first, 1).fields != entry(second, 1).fields


@pytest.mark.parametrize("cut", [2, 5, 40])
def test_a_torn_last_line_is_skipped_and_the_next_entry_is_whole(tmp_path, cut):
    journal = WriteJournal(tmp_path)
    [first, _] = appended(journal, 1, 2)
    file = tmp_path / "journal"
    os.truncate(file, file.stat().st_size - cut)
    assert journal.of(["7"]) == {"7": (first,)}
    [third] = appended(journal, 3)
    assert WriteJournal(tmp_path).of(["7"]) == {"7": (first, third)}
    assert journal.last() == 3


def test_a_damaged_line_is_skipped(tmp_path):
    journal = WriteJournal(tmp_path)
    entries = appended(journal, 1, 2, 3)
    file = tmp_path / "journal"
    content = bytearray(file.read_bytes())
    place = content.index(b'["sent",2')
    content[place + 7] ^= 1
    file.write_bytes(content)
    assert WriteJournal(tmp_path).of(["7"]) == {"7": (entries[0], entries[2])}


def test_a_journal_without_its_salt_proves_nothing_and_a_new_one_begins(tmp_path):
    journal = WriteJournal(tmp_path)
    appended(journal, 1)
    file = tmp_path / "journal"
    file.write_bytes(b"x" + file.read_bytes())
    assert (journal.last(), journal.of(["7"])) == (0, {"7": ()})
    [again] = appended(journal, 2)
    assert journal.of(["7"]) == {"7": (again,)}


def test_the_newest_entries_are_kept_up_to_twice_the_limit(tmp_path):
    journal = WriteJournal(tmp_path, limit=2000)
    for number in range(1, 101):
        appended(journal, number)
    assert sum(path.stat().st_size for path in tmp_path.iterdir()) < 2 * 2000 + 600
    numbers = [kept.number for kept in journal.of(["7"])["7"]]
    assert numbers == list(range(numbers[0], 101))
    assert len(numbers) >= 5
    assert {path.name for path in tmp_path.iterdir()} == {"journal", "journal.1"}


def test_a_file_grows_until_it_holds_the_last_push_of_each_item(tmp_path):
    journal = WriteJournal(tmp_path, limit=2000)
    for number in range(1, 101):
        appended(journal, number, items=lambda: 3)
    assert 3 * PUSH_BYTES < sum(path.stat().st_size for path in tmp_path.iterdir()) < 2 * 3 * PUSH_BYTES + 600


@pytest.mark.parametrize(("number", "full"), [(errno.ENOSPC, True), (errno.EIO, False)])
def test_a_fault_of_the_disk_is_a_local_fault(tmp_path, monkeypatch, number, full):
    journal = WriteJournal(tmp_path)
    [first] = appended(journal, 1)

    def failing(_handle):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "fsync", failing)
    with pytest.raises(LocalFault) as fault:
        journal.append([first], sync=True)
    assert fault.value.full is full
