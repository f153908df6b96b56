"""What became of the pictures of scenes: so that one that has not changed is neither fetched nor looked into again."""

import sqlite3

from plexsync.rules.records import PictureRow
from plexsync.store.db import clean

LIST = "select name, version, tag, key, why from picture where scene = :scene"
SAVE = """
insert or replace into picture (scene, name, version, tag, key, why) values (:scene, :name, :version, :tag, :key, :why)
"""
FORGET = "delete from picture where scene = :scene"


def listed(db: sqlite3.Connection, scene: int) -> dict[str, PictureRow]:
    """What is known of a scene's pictures, by name."""
    return {
        name: PictureRow(version, tag, key, why) for name, version, tag, key, why in db.execute(LIST, {"scene": scene})
    }


def save(db: sqlite3.Connection, scene: int, name: str, row: PictureRow) -> None:
    """Replace what is known of one."""
    values = {"version": clean(row.version), "tag": clean(row.tag), "key": row.key, "why": clean(row.why)}
    db.execute(SAVE, {"scene": scene, "name": name, **values})


def forget(db: sqlite3.Connection, scene: int) -> None:
    """The scene is gone."""
    db.execute(FORGET, {"scene": scene})
