"""What a user may not see, for tests that run as root, who sees everything."""

import os
from pathlib import Path

import pytest


def out_of_inspection(monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    """From now on nothing can be found or made in this folder, as where its mode says so."""
    inside = str(folder.resolve()) + os.sep
    real = {name: getattr(os, name) for name in ("stat", "lstat", "open", "mkdir")}

    def closed(name: str):
        def ask(path, *words, **more):
            if isinstance(path, str | os.PathLike) and os.path.abspath(path).startswith(inside):  # noqa: PTH100
                raise PermissionError(13, "Permission denied", str(path))
            return real[name](path, *words, **more)

        return ask

    for name in real:
        monkeypatch.setattr(os, name, closed(name))
