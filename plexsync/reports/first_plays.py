"""What the first write of plays to Stash would do, in words, and as the lines of a file."""

from collections.abc import Iterator, Sequence

from plexsync.flows.plays.first_run import PlaysPage
from plexsync.reports.dead_letters import csv_line as csv_line
from plexsync.reports.format import many, safe, spent, stamp
from plexsync.reports.needs import first_plays_words
from plexsync.reports.shapes.plays import ScenePlaysFacts
from plexsync.reports.shapes.status import FirstPlaysFacts
from plexsync.rules.plays.first_plays import rule_words

COLUMNS = ("scene", "title", "played_at")


def first_plays_lines(first: FirstPlaysFacts) -> list[str]:
    """The numbers, one sentence each."""
    lines = [first_plays_words(first)]
    by = f"what is watched in Plex is a play by {rule_words(first['minimum'], first['percent'])}"
    if first["in_force"]:
        by += f", if you agree; until then by {rule_words(first['in_force'])}. To keep that, set watch_minimum = "
        by += f'"{first["in_force"]}"'
    lines.append(by)
    if first["missing"]:
        days = _days(first["oldest"], first["newest"])
        lines.append(f"{many(first['missing'], 'play')} would be added to {many(first['scenes'], 'scene')}, {days}")
    if first["present"]:
        lines.append(f"{many(first['present'], 'play')} {'is' if first['present'] == 1 else 'are'} in Stash already")
    if first["unmatched"]:
        has = "has" if first["unmatched"] == 1 else "have"
        lines.append(
            f"{many(first['unmatched'], 'item')} that you played {has} no scene to be synced, and {has} to wait"
        )
    if first["unread"]:
        lines.append(f"{many(first['unread'], 'scene')} can't be read now: the plays of these are not counted")
    return lines


def scene_plays_words(scene: ScenePlaysFacts) -> str:
    """The plays of a scene in a line, without its name."""
    if scene["error"]:
        return f"can't be read now: {safe(scene['error'])}"
    missing, viewed, words = scene["missing"], scene["viewed"], []
    if missing:
        of_them = "" if len(missing) == 1 else f"{viewed:,} of them "
        viewings = f", {of_them}{'a viewing' if viewed == 1 else 'viewings'} of {spent(scene['viewed_time'])}"
        words.append(f"{many(len(missing), 'play')}{viewings if viewed else ''}, {_days(missing[0], missing[-1])}")
    words += [f"{spent(scene['play_time'])} of play time"] if scene["play_time"] else []
    present = [f"{scene['present']:,} there already"] if scene["present"] else []
    return "; ".join([*words, *present]) if words else "nothing to add"


def list_scenes(page: PlaysPage) -> list[ScenePlaysFacts]:
    """The scenes of a page that would get plays or play time, or could not be read."""
    return [
        {
            "id": scene.id,
            "title": scene.title,
            "missing": [stamp(moment * 1000) for moment in scene.missing],
            "viewed": scene.viewed,
            "viewed_time": scene.viewed_time,
            "play_time": scene.play_time,
            "present": scene.present,
            "error": scene.error,
        }
        for scene in page.scenes
        if scene.missing or scene.play_time or scene.error
    ]


def csv_lines(scenes: Sequence[ScenePlaysFacts]) -> Iterator[str]:
    """One line for each play that would be added; see `COLUMNS`."""
    for scene in scenes:
        for moment in scene["missing"]:
            yield csv_line((scene["id"], scene["title"], moment))


def _days(first: str | None, last: str | None) -> str:
    days = [day[:10] for day in (first, last) if day]
    return days[0] if len(set(days)) == 1 else " to ".join(days)
