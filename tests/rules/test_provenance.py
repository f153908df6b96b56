"""Whose the members of a list are if the journal knows more than the database; test_restore_model.py has the rest."""

from plexsync.rules.item import Item
from plexsync.rules.merge.journal_entries import JournalEntry, learnt_fields
from plexsync.rules.merge.plan import plan
from plexsync.rules.merge.plan_records import Pushing, Remembered, Sending
from plexsync.rules.merge.provenance import Provenance
from plexsync.rules.merge.values import Held

SALT = b"salt"
NOTHING = Held((), locked=False)


def item(*names):
    return Item("7", "1", {}, {"collection": names}, frozenset({"collection"}), stamp=20)


def learnt(*names):
    """The journal of a database that has lost that these names were found to be PlexSync's own."""
    memory = {"collection": Remembered(names, Held(names, True), NOTHING, {name: name for name in names})}
    [fields] = learnt_fields({}, memory, {}, item(*names), SALT)
    sent = JournalEntry("sent", 4, 0, "scene", 1, "", "7", fields=fields.sent, salt=SALT)
    read = JournalEntry("read", 4, 0, "scene", 1, "", "7", 20, fields=fields.read, salt=SALT)
    return Provenance((sent, read), after=3)


def pushed(*names):
    """A push of unknown result that has sent these names."""
    return Pushing({"collection": Sending(names, Held(names, True), NOTHING, NOTHING, adds=names)}, until=1)


def removed(made):
    return made.edit["collection"].removes if "collection" in made.edit else ()


def test_an_item_leaves_a_collection_that_was_renamed_since_what_the_journal_tells_if_a_saved_push_has_the_new_name():
    made = plan({"collection": ()}, item("New"), {}, [pushed("New")], provenance=learnt("Old"))
    assert removed(made) == ("New",)


def test_an_item_leaves_a_collection_whose_name_the_journal_knows():
    assert removed(plan({"collection": ()}, item("Old"), {}, [], provenance=learnt("Old"))) == ("Old",)


def test_an_item_stays_in_a_collection_of_which_neither_the_journal_nor_a_saved_push_tells():
    assert removed(plan({"collection": ()}, item("Mine"), {}, [pushed("New")], provenance=learnt("Old"))) == ()
    assert removed(plan({"collection": ()}, item("New"), {}, [], provenance=learnt("Old"))) == ()
