"""The outage of the demo, as a person sees it who presses its button: the real worker, live on the page."""

from collections.abc import Iterator

import httpx2
import pytest
from playwright.sync_api import Locator, Page, expect

from plexsync.cli.commands import demo_stage
from plexsync.cli.commands.demo_stage import Stage
from plexsync.rules.queue.note_keys import LAST_RECONCILE
from tests.journey.world import until
from tests.patience import HANG
from tests.web.conftest import Look

# Keeps everything that the page shows from now on, for as long as it is not loaded anew.
WATCH = """() => {
  window.told = [];
  const see = () => window.told.push(document.getElementById("demo").innerText);
  see();
  new MutationObserver(see).observe(document.body, { childList: true, subtree: true });
}"""
PATIENCE = 1000 * HANG
# The ramp ends after seven claims: these edits never take as many, however they are divided among them.
EDITS = 3
CLAIMS = 7


@pytest.fixture
def stage(monkeypatch: pytest.MonkeyPatch) -> Iterator[Stage]:
    # Any port that is free: other demos may run beside this one.
    monkeypatch.setattr(demo_stage, "USUAL_PORT", 0)
    with Stage.set(100) as made, made.serving():
        yield made


def answers(address: str) -> bool:
    try:
        return httpx2.get(address, trust_env=False).status_code == 200
    except httpx2.TransportError:
        return False


def figure(page: Page, name: str) -> Locator:
    return page.locator("#demo .figure", has_text=name).locator(".number")


def press(page: Page, name: str, other: str) -> None:
    """Press a button, and keep what the new page shows: it is there with its `other` button and its facts."""
    page.get_by_role("button", name=name).click()
    expect(page.get_by_role("button", name=other)).to_be_visible()
    expect(fact(page, "pace")).to_be_visible()
    page.evaluate(WATCH)


def fact(page: Page, name: str) -> Locator:
    return page.locator(f"#demo dt:text-is('{name}') + dd")


def done(stage: Stage) -> int:
    with stage.parts.store.reading() as db:
        return db.books.done()


def is_compared(stage: Stage) -> bool:
    """Whether the first comparison has ended, and all that it queued."""
    with stage.parts.store.reading() as db:
        return bool(db.notes.text(LAST_RECONCILE)) and not db.jobs.count_unsettled()


def edit(stage: Stage, count: int, words: str) -> None:
    ids = [stage.handles.scenes[handle] for handle, truth in stage.library.truth.items() if truth.movies]
    for id in ids[:count]:
        stage.stash.edit_scene(id, title=f"Scene {id}, {words}")


def test_an_outage_the_waiting_queue_and_the_ramp_are_seen_live(stage: Stage, look: Look) -> None:
    address = f"http://{stage.parts.config.web_bind}/demo"
    until(lambda: answers(address))
    until(lambda: is_compared(stage))
    page = look().page
    page.goto(address)
    expect(figure(page, "in sync")).not_to_have_text("0", timeout=PATIENCE)
    expect(figure(page, "queued")).to_have_text("0", timeout=PATIENCE)
    needs_you = figure(page, "needs you").inner_text()
    expect(fact(page, "pace")).to_have_text("full")

    press(page, "Take Plex down", "Bring Plex back")
    edit(stage, EDITS, "edited while Plex was down")
    expect(fact(page, "breaker of Plex")).to_contain_text("open, since", timeout=PATIENCE)
    expect(fact(page, "failures")).to_contain_text("refuses connections")
    expect(fact(page, "pace")).to_have_text("nothing is sent")
    # A scene that was about to be worked may wait as well.
    until(lambda: int(figure(page, "queued").inner_text()) >= EDITS)
    expect(figure(page, "attempts used up")).to_have_text("0")
    assert any("closed" in told for told in page.evaluate("window.told")), "the page was not loaded anew meanwhile"

    press(page, "Bring Plex back", "Take Plex down")
    expect(fact(page, "pace")).to_contain_text("recovery ramp", timeout=PATIENCE)
    expect(fact(page, "breaker of Plex")).to_have_text("closed")
    expect(figure(page, "queued")).to_have_text("0", timeout=PATIENCE)
    # One claim at least, each time, until the ramp is at its end.
    for number in range(CLAIMS):
        before = done(stage)
        edit(stage, 1, f"edited when Plex was back, {number}")
        until(lambda before=before: done(stage) > before)
    expect(fact(page, "pace")).to_have_text("full", timeout=PATIENCE)
    assert any("nothing is sent" in told for told in page.evaluate("window.told")), (
        "the page was not loaded anew meanwhile"
    )
    expect(figure(page, "needs you")).to_have_text(needs_you)
    expect(figure(page, "attempts used up")).to_have_text("0")
