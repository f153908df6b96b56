"""A webhook that remembers what it was told."""

import json
from typing import Any

from plexsync.simulator.http import Answer, HttpServer, Request


class Hook(HttpServer):
    """Takes whatever is posted to it."""

    def answer(self, request: Request) -> Answer:
        return Answer(200, b"{}", "application/json")

    @property
    def told(self) -> list[dict[str, Any]]:
        return [json.loads(request.body) for request in list(self.log) if request.status == 200]

    @property
    def address(self) -> str:
        return f"json://127.0.0.1:{self.port}/s3cretPathOfTheHook9"
