"""`pytest -p tests.half`: a representative half of the tests, the same one every time.

A test is in the half by the checksum of its name, so each file and each folder keeps about half of its tests.
"""

import zlib

import pytest


def is_in_half(name: str) -> bool:
    """Whether a test of this name (pytest's node id) is in the half."""
    return zlib.crc32(name.encode()) % 2 == 0


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out the other half."""
    left_out = [item for item in items if not is_in_half(item.nodeid)]
    items[:] = [item for item in items if is_in_half(item.nodeid)]
    config.hook.pytest_deselected(items=left_out)
