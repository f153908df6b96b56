"""Accept a change that only you can judge (`plexsync.rules.queue.choices`), after which work goes on."""

from dataclasses import replace

from plexsync.app.parts import Parts
from plexsync.engine.tickets import READ, Gate
from plexsync.rules.queue.choices import ACCEPTED, CHANGES, HELD_BY, Choice
from plexsync.rules.queue.note_keys import CHANGED, CURSOR, WISHES
from plexsync.rules.records import HoldRow


def open_questions(parts: Parts) -> dict[Choice, HoldRow]:
    """What you are asked now: each choice with the hold that waits for it."""
    with parts.store.reading() as db:
        rows = [db.holds.find(server) for server in dict.fromkeys(HELD_BY.values())]
    return {Choice(row.choice): row for row in rows if row and row.choice in set(Choice)}


def accept(parts: Parts, choice: Choice) -> bool:
    """Accept the change and test at once whether work can go on; False if nobody asked for it.

    True does not mean that the server answers now: then the worker tests it again later. A full comparison from the
    first scene is due, since each scene may stand differently now.
    """
    if choice not in open_questions(parts):
        return False
    with parts.store.writing() as tx:
        tx.notes.save(ACCEPTED + choice, str(parts.clock.now()))
        tx.notes.save(WISHES, CHANGED)
        tx.notes.save(CURSOR, "")
    parts.gates.retest(Gate(HELD_BY[choice], READ))
    # If the server did not answer, the hold asks nothing any more: it ends with the server's next answer.
    server, now = HELD_BY[choice], parts.clock.now()
    with parts.store.writing() as tx:
        row = tx.holds.find(server)
        # Without the note, another server has answered than the one that was asked about: then the hold asks again.
        if row and row.choice == choice and tx.notes.text(ACCEPTED + choice):
            message = f"{CHANGES[choice]}, which you have accepted; {server.title()} has not answered since"
            tx.holds.save(server, replace(row, message=message, since=now, retest_at=now, fingerprint="", choice=""))
    return True


def outcome(parts: Parts, choice: Choice) -> str:
    """What follows from an accepted change: work goes on now, or when its server answers."""
    server = HELD_BY[choice]
    with parts.store.reading() as db:
        row = db.holds.find(server)
    if row and row.choice == choice:
        return "it has changed again since then, so PlexSync asks again"
    is_held = row is not None
    return f"work goes on as soon as {server.title()} answers" if is_held else "work goes on"
