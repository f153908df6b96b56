"""What was last seen on each scene: the performers, studios, tags and groups that it showed.

Stash forgets at once what it destroys, and tells of it by id alone. They are one text a scene (" performer:3 tag:5 "), since
they are asked for rarely and written often: a question reads all of them, 60 bytes a scene.
"""

import sqlite3
from collections.abc import Iterable

from sync.job import Kind

KNOWN = "select things from shown where scene = :scene"
SAVE = "insert or replace into shown (scene, things) values (:scene, :things)"
FORGET = "delete from shown where scene = :scene"
SHOWING = "select scene from shown where instr(things, :thing) order by scene"


def save(db: sqlite3.Connection, scene: int, things: Iterable[tuple[str, int]]) -> None:
    """Note what a scene shows; writes only when that has changed."""
    text = "".join(f" {kind}:{id}" for kind, id in sorted(things))
    known = db.execute(KNOWN, {"scene": scene}).fetchone()
    if (known[0] if known else "") == (f"{text} " if text else ""):
        return
    db.execute(SAVE if text else FORGET, {"scene": scene, "things": f"{text} "})


def showing(db: sqlite3.Connection, kind: Kind, id: int) -> list[int]:
    """The scenes that showed it when they were last looked at."""
    return [scene for (scene,) in db.execute(SHOWING, {"thing": f" {kind}:{id} "})]
