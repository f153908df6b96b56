"""Labels from the settings: every item has them beside those of its tags, and one that a person removed stays away.

`World` lives random lives of one item's labels, with hand edits, undo, kills, restores of both sides and changed settings.
It keeps books of its own: who has put each label there, and which a person has taken away.
"""

import random
from collections import Counter
from dataclasses import replace

from plexsync.rules.item import Item, Part
from plexsync.rules.merge import choice
from plexsync.rules.merge.desired import Profile, desired_values
from plexsync.rules.merge.drift import drift_of, take
from plexsync.rules.merge.journal_entries import JournalEntry, learnt_fields, read_fields, sent_fields
from plexsync.rules.merge.memory import is_older, learn
from plexsync.rules.merge.plan import plan
from plexsync.rules.merge.plan_records import Policy, Pushing
from plexsync.rules.merge.provenance import Provenance
from plexsync.rules.merge.undo import begun_anew, is_undone, undo
from plexsync.rules.merge.values import held_field
from plexsync.rules.scene import Scene

LIVES, STEPS, DEADLINE, SALT = 200, 40, 3, b"labels"
US, PERSON = "us", "person"
FIXED, TAGS = ("Stash", "House"), ("Boots", "Hats")


def test_fixed_labels_come_first_and_once_beside_those_of_tags():
    profile = Profile(frozenset({"label"}), labels=choice.parse_patterns(["*"]), fixed_labels=("Stash", "boots"))
    values = desired_values(Scene(1, tags=("Boots", "Hats")), profile).values
    assert values == {"label": ("Stash", "boots", "Hats")}


def lived(*acts, labels=()):
    """A world in which these methods were called, each followed by a sync."""
    world = World(0, labels)
    world.sync()
    for act in acts:
        getattr(world, act[0])(*act[1:])
        world.sync()
    return world


def test_a_fixed_label_that_a_person_removed_stays_away_whatever_is_undone_and_redone():
    gone = ("remove_by_hand", "Stash")
    for labels in ((), ("Stash",)):
        world = lived(gone, ("undo",), ("redo",), ("undo",), ("redo",), labels=labels)
        assert world.labels == ("Boots",)
        assert [note.reason for note in world.planning().notes] == ["person"]
        world.add_by_hand("Stash")
        world.sync()
        world.undo()
        world.sync()
        assert world.labels == ("Stash",), "what a person has put back is the person's"


def test_it_stays_away_after_a_restore_of_plex_to_before_the_first_sync():
    world = World(0)
    world.back_up()
    world.sync()
    world.remove_by_hand("Stash")
    world.sync()
    world.restore_plex()
    world.sync()
    assert world.labels == ("Boots",)


def test_taking_the_value_of_stash_brings_it_back():
    world = lived(("remove_by_hand", "Stash"))
    drift = drift_of(world.values(), world.item(), world.planning())
    assert [(field.name, field.adds) for field in drift] == [("label", ("Stash",))]
    world.memory = dict(take(world.memory, "label", world.values()["label"], held_field(world.item(), "label"), now=1))
    world.away.clear()
    world.sync()
    world.sync()
    assert (set(world.labels), world.memory["label"].away) == ({"Boots", "Stash"}, ())


def test_a_label_that_leaves_the_setting_and_comes_back_is_set_again():
    world = lived(("remove_by_hand", "Stash"), ("set_fixed", ("House",)), ("set_fixed", ("Stash",)))
    assert world.labels == ("Boots", "Stash")


def test_an_undo_leaves_the_labels_that_were_there_before():
    assert lived(("undo",), labels=("Stash", "Mine")).labels == ("Stash", "Mine")


class World:
    """One item with labels, PlexSync's database and journal for it, and the books."""

    def __init__(self, seed, labels=()):
        self.rng = random.Random(seed)
        self.now = self.stamp = 100
        self.labels, self.locked = tuple(labels), False
        self.author = dict.fromkeys(self.labels, PERSON)
        self.tags, self.fixed = ("Boots",), ("Stash",)
        self.memory, self.pushing, self.number, self.after = {}, [], 0, None
        self.journal, self.copies, self.backups = [], [], []
        self.away = set()  # fixed labels that a person removed
        self.known_away = set()  # those of them that PlexSync has seen missing
        self.ever_removed, self.ever_added = set(), set()
        self.seen = frozenset()  # labels that PlexSync has seen there, since nobody has restored anything
        self.undone = self.restored = False  # `restored`: Plex was, and PlexSync has not looked since
        self.counts = Counter()

    def item(self):
        locks = frozenset({"label"} if self.locked else ())
        return Item("7", "1", {}, {"label": self.labels}, locks, (Part("/m/a.mp4", 5),), stamp=self.stamp)

    def values(self):
        return {"label": tuple(dict.fromkeys((*self.fixed, *self.tags)))}

    # --- the hands ---------------------------------------------------------------------------------------------------

    def add_by_hand(self, name):
        self.stamp, self.locked = self.now, True
        if name not in self.labels:
            # What PlexSync has added once can't be told from a person's after a restore, or before the next look.
            self.labels, self.author[name] = (*self.labels, name), US if name in self.ever_added else PERSON
            self.away.discard(name)

    def remove_by_hand(self, name):
        is_known = self.locked and not self.pushing and name in self.fixed and name in self.seen
        self.stamp = self.now
        self.labels = tuple(label for label in self.labels if label != name)
        self.author.pop(name, None)
        self.ever_removed.add(name)
        if is_known:
            self.away.add(name)

    def hand(self):
        self.counts["hand"] += 1
        if self.restored:
            # The new stamp covers the old one, so what the restore took away looks like taken away by hand.
            self.ever_removed |= set(FIXED)
        if self.labels and self.rng.random() < 0.6:
            self.remove_by_hand(self.rng.choice(self.labels))
        else:
            self.add_by_hand(self.rng.choice((*FIXED, *TAGS, f"Hand {self.now}")))

    # --- restores ----------------------------------------------------------------------------------------------------

    def back_up(self):
        self.backups.append((self.labels, dict(self.author), self.locked, self.stamp))
        self.copies.append((self.memory, list(self.pushing), self.number, self.after, self.undone))

    def restore_plex(self):
        if self.backups:
            self.counts["plex restored"] += 1
            self.restored = True
            self.seen = frozenset()
            self.labels, author, self.locked, self.stamp = self.rng.choice(self.backups)
            self.author = dict(author)
            self.away &= self.known_away - set(self.labels)

    def restore_database(self):
        if self.copies:
            self.counts["database restored"] += 1
            self.seen = frozenset()
            self.memory, pushing, self.number, self.after, self.undone = self.rng.choice(self.copies)
            self.pushing = list(pushing)
            # What the copy does not know of a label is lost.
            entry = self.memory.get("label")
            self.away &= {*entry.away, *entry.said} if entry and not entry.undone else set()
            last = max((entry.number for entry in self.journal), default=0)
            if last > self.number:
                self.after, self.number = self.number if self.after is None else self.after, last

    # --- PlexSync ----------------------------------------------------------------------------------------------------

    def undo(self):
        self.counts["undone"] += 1
        self.memory = dict(undo(self.memory, self.pushing, self.values(), ("label",), "undo"))
        self.undone = True

    def redo(self):
        self.counts["redone"] += 1
        # Of a label that was never PlexSync's, the memory alone does not tell that it is missing: only a look does.
        mine = {name for entry in self.memory.values() for name in (*entry.ours, *entry.away)}
        self.away &= mine | self.known_away
        self.memory, self.undone = dict(begun_anew(self.memory)), False

    def set_fixed(self, fixed):
        """Change the setting, and let PlexSync see it."""
        self.fixed = fixed
        self.away &= set(fixed)
        self.undone = False
        self.sync()
        self.sync()

    def planning(self):
        provenance = None
        if self.after is not None or is_older(self.item(), self.memory):
            provenance = Provenance(tuple(self.journal), self.after)
        policy = Policy(fixed_labels=self.fixed)
        return plan(self.values(), self.item(), self.memory, self.pushing, policy, provenance)

    def sync(self, fate="well"):
        self.now += DEADLINE + 1
        was_undone = is_undone(self.memory, self.values())
        made, self.restored = self.planning(), False
        known = {**self.memory, **made.recovery.recalled}
        for fields in learnt_fields(known, made.memory, made.sending, self.item(), SALT):
            self.number += 1
            entry = JournalEntry("sent", self.number, self.now, "scene", 1, "", "7", fields=fields.sent, salt=SALT)
            self.journal += [entry, replace(entry, kind="read", stamp=fields.stamp, fields=fields.read)]
        self.memory, self.after = dict(made.memory), None
        self.pushing = [push for push in self.pushing if push.until > self.now]
        self.known_away = self.away & {name for entry in self.memory.values() for name in entry.away}
        if not made.edit:
            # While all is taken back, what a person does with further labels is not looked at.
            self.seen = self.seen & set(self.labels) if was_undone else frozenset(self.labels)
            return
        self.number += 1
        push = Pushing(made.sending, self.now + DEADLINE, self.stamp)
        self.pushing.append(push)
        fields = sent_fields(made.sending, SALT)
        sent = JournalEntry("sent", self.number, self.now, "scene", 1, "", "7", 0, (), fields, SALT)
        self.journal.append(sent)
        self.ever_added |= set(made.edit["label"].adds)
        if fate == "before":
            return
        self.apply(made.edit["label"])
        if fate == "after":
            # Whether a killed undo has taken a label, or a person after it, can't be told.
            self.ever_removed |= set(made.edit["label"].removes)
            return
        learnt = learn(made.memory, made.sending, self.item())
        assert not learnt.again
        self.journal.append(
            replace(
                sent, kind="read", stamp=self.stamp, fields=read_fields(made.sending, learnt.memory, learnt.read, SALT)
            )
        )
        self.memory = dict(learnt.memory)
        self.pushing.remove(push)
        self.seen = frozenset(self.labels)
        if was_undone:
            return
        assert set(self.fixed) - set(self.labels) <= self.ever_removed, "a fixed label is missing that nobody removed"

    def apply(self, change):
        assert not set(change.adds) & self.away, "a label came back that a person had removed"
        persons = {name for name in change.removes if self.author.get(name) == PERSON}
        assert not persons, "a person's label was removed"
        names = self.labels if change.value is None else (*self.labels, *change.value)
        self.labels = tuple(dict.fromkeys(name for name in names if name not in change.removes))
        self.author = {name: self.author.get(name, US) for name in self.labels}
        self.locked = self.locked if change.lock is None else change.lock
        self.stamp = self.now

    def step(self):
        self.now += 1
        acts = {
            self.hand: 5,
            lambda: self.sync(self.rng.choice(("well", "well", "before", "after"))): 6,
            lambda: setattr(self, "tags", self.rng.choice(((), ("Boots",), ("Hats", "Boots")))): 2,
            self.undo: 1,
            self.redo: 1,
            self.back_up: 1,
            self.restore_plex: 1,
            self.restore_database: 1,
            lambda: self.set_fixed(self.rng.choice((("Stash",), FIXED))): 1,
        }
        self.rng.choices(list(acts), list(acts.values()))[0]()

    def finish(self):
        """Sync until nothing is left to do, take everything back, and leave nothing of PlexSync's there."""
        for _ in range(3):
            self.sync()
        assert not self.planning().edit, "it does not come to rest"
        assert not self.away & set(self.labels), "a removed label is there"


def test_books_of_200_random_lives_balance():
    counts = Counter()
    for seed in range(LIVES):
        world = World(seed, labels=random.Random(seed).choice(((), ("Stash",), ("Mine", "House"))))
        try:
            for _ in range(STEPS):
                world.step()
            world.finish()
        except AssertionError as error:
            raise AssertionError(f"life {seed}: {error}") from error
        counts += world.counts
    assert min(counts[name] for name in ("hand", "undone", "redone", "plex restored", "database restored")) > 50
