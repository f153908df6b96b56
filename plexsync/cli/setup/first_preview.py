"""The preview of the first write: the counts of all scenes, and some scenes that would change in full."""

from plexsync.app.parts import Parts
from plexsync.cli.setup.longer_step import StepFile
from plexsync.cli.terminal.preview_output import FIRST_FEW, PreviewTotals
from plexsync.flows.scenes.preview import WOULD_CHANGE, Preview
from plexsync.reports.format import many
from plexsync.reports.preview import scene_facts
from plexsync.rules.status_words import PREVIEWED, finding_counts


def preview(parts: Parts, step: StepFile) -> dict[str, object]:
    """Compare every scene, and write nothing. Raises NeighbourError if a server goes down."""
    totals, first = PreviewTotals(), list[Preview]()

    def progress(compared: int, total: int) -> None:
        words = f"{compared:,} of {many(total, 'scene')} compared"
        step.progress(words, compared / total if total else None)

    step.progress("reading the libraries of Plex")
    for scene in parts.previewer.preview(progress=progress):
        totals.count(scene)
        if scene.standing == WOULD_CHANGE and len(first) < FIRST_FEW:
            first.append(scene)
    counts = finding_counts(totals.counts, PREVIEWED, kept_fields=totals.kept_fields)
    return {
        "total": totals.counts.total(),
        "counts": [[str(word), count] for word, count in counts if count],
        "posters": totals.posters,
        "change": totals.counts[WOULD_CHANGE],
        "scenes": [scene_facts(scene) for scene in first],
    }
