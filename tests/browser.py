"""Debian's chromium for the tests that look at pages: one for each process of pytest, started by the first that looks."""

import shutil
from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

from tests.patience import HANG

if TYPE_CHECKING:
    from playwright.sync_api import Browser

CHROMIUM = shutil.which("chromium")
NO_CHROMIUM = "chromium is not installed: the pages are not looked at in a browser"
PLAIN = (
    "--no-sandbox",
    "--disable-dev-shm-usage",
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-sync",
    "--disable-component-update",
)


@pytest.fixture(scope="session")
def chromium() -> "Iterator[Browser]":
    """The browser; each test opens windows of its own in it. On the busiest machine it has the time to start."""
    if CHROMIUM is None:
        pytest.skip(NO_CHROMIUM)
    from playwright.sync_api import expect, sync_playwright

    expect.set_options(timeout=1000 * HANG)
    with sync_playwright() as play:
        browser = play.chromium.launch(executable_path=CHROMIUM, args=[*PLAIN], timeout=1000 * HANG)
        yield browser
        browser.close()
