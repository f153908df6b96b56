"""A previewed scene as a section of the HTML report, and the report's head."""

import html
import re
from collections.abc import Iterator

from plexsync.cli.terminal.preview_text import lock_change, single_values
from plexsync.flows.scenes.preview import WOULD_CHANGE, Preview
from plexsync.reports.rows import short
from plexsync.rules.approval import FieldChange

# Nothing is loaded or executed, whatever a title contains.
HEAD = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>What a sync would change - PlexSync</title>
<style>
:root { color-scheme: light dark; --line: #8886; --soft: #8882; --gone: #b3261e; --new: #146c2e; }
@media (prefers-color-scheme: dark) { :root { --gone: #ff8a80; --new: #81d995; } }
body { font: 1rem/1.45 system-ui, sans-serif; margin: 0; }
main { max-width: 70rem; margin: 0 auto; padding: 1rem; }
section { content-visibility: auto; contain-intrinsic-size: auto 12rem; }
section { border-top: 1px solid var(--line); padding: .5rem 0 1rem; }
h2 { font-size: 1.1rem; margin: .5rem 0; overflow-wrap: anywhere; }
table { border-collapse: collapse; width: 100%; table-layout: fixed; }
th, td { text-align: start; vertical-align: top; padding: .3rem .6rem; border-bottom: 1px solid var(--soft); }
td { white-space: pre-wrap; overflow-wrap: anywhere; }
th:first-child, th:last-child { width: 6.5rem; }
caption { text-align: start; opacity: .75; }
del { color: var(--gone); } ins { color: var(--new); text-decoration: none; }
</style>
</head>
<body>
<main>
"""
HEADS = "<tr><th>field</th><th>in Plex now</th><th>after</th><th>lock</th></tr>\n"
_UNSHOWN = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]")


def shown(text: str) -> str:
    """Escape a foreign text for HTML: no mark-up, no unprintable characters, and its text direction ends with it."""
    return f"<bdi>{html.escape(_UNSHOWN.sub(chr(0xFFFD), text))}</bdi>"


def scene_html(preview: Preview) -> Iterator[str]:
    """A scene as a section of the report, in pieces."""
    yield f"<section>\n<h2>Scene {preview.id}{f': {shown(preview.title)}' if preview.title else ''}</h2>\n"
    if preview.standing != WOULD_CHANGE:
        yield f"<p>{shown(preview.word)}{f': {shown(preview.reason)}' if preview.reason else ''}</p>\n"
    for item in preview.items:
        yield f"<table>\n<caption>item {shown(item.key)}</caption>\n{HEADS}"
        for change in item.fields:
            yield (
                f"<tr><td>{shown(short(change.field))}</td><td>{_old_html(change)}</td><td>{_new_html(change)}</td>"
                f"<td>{lock_change(change.old, change.new)}</td></tr>\n"
            )
        yield "</table>\n"
    if preview.notes:
        yield "<ul>\n"
        for note in preview.notes:
            yield f"<li>{shown(short(note.field))} ({shown(note.reason)}): {shown(note.text)}</li>\n"
        yield "</ul>\n"
    yield "</section>\n"


def _old_html(change: FieldChange) -> str:
    value = change.old.value
    if isinstance(value, tuple):
        return ", ".join(f"<del>{shown(name)}</del>" if name in change.removes else shown(name) for name in value)
    old, new = single_values(change)
    return f"<del>{shown(old)}</del>" if old and old != new else shown(old)


def _new_html(change: FieldChange) -> str:
    value = change.new.value
    if isinstance(value, tuple):
        return ", ".join(f"<ins>{shown(name)}</ins>" if name in change.adds else shown(name) for name in value)
    old, new = single_values(change)
    return f"<ins>{shown(new)}</ins>" if old != new else shown(new)
