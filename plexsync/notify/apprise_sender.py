"""Sends notices to services and webhooks, through the package `apprise`.

The addresses hold secrets. They are passed to `apprise` and nothing else: no message of PlexSync repeats any part of
one, and the log of the package is discarded.
"""

import importlib
import logging
from typing import Any

from plexsync.extras import advice
from plexsync.rules.queue.notices import Notice, NotSent
from plexsync.rules.servers.errors import Unusable

MISSING = "notify_urls needs the package apprise, which is not installed"
TOO_OLD = "notify_urls needs a newer package apprise, which can stay at an address"
# Loggers of the package and of its HTTP libraries; their lines may hold addresses.
TALKATIVE = ("apprise", "urllib3", "requests")
SILENT = logging.CRITICAL + 1


class AppriseMessenger:
    """Sends every notice to one address, the `number`-th of the setting.

    A redirect is not followed, unless the address asks for it. Raises Unusable if the package is missing or can't use
    the address. The error names the address by its number only.
    """

    def __init__(self, url: str, number: int) -> None:
        self.name = f"address {number} of notify_urls"
        for talker in TALKATIVE:
            logging.getLogger(talker).setLevel(SILENT)
        # Imported only when used: it is an extra, and slow to load.
        try:
            package: Any = importlib.import_module("apprise")
        except ImportError:
            raise Unusable(f"{MISSING}: {advice('notify')}") from None
        if not hasattr(package.AppriseAsset, "http_redirects"):
            raise Unusable(f"{TOO_OLD}: {advice('notify')}")
        asset = package.AppriseAsset(
            app_id="PlexSync", app_desc="PlexSync", app_url="", async_mode=False, http_redirects=False
        )
        self._kinds = package.NotifyType
        self._plain = package.NotifyFormat.TEXT
        self._way = package.Apprise(asset=asset)
        if not self._way.add(url):
            raise Unusable(f"{self.name} is none that the package apprise can use")

    def send(self, notice: Notice) -> None:
        """Send a notice; raises NotSent if the address did not accept it."""
        took = self._way.notify(
            title="PlexSync: over" if notice.over else "PlexSync",
            body=notice.text,
            notify_type=self._kinds.SUCCESS if notice.over else self._kinds.WARNING,
            body_format=self._plain,
        )
        if not took:
            raise NotSent("it did not take the notice")
