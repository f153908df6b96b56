"""A simulated Stash, and clients of it."""

import pytest

from plexsync.simulator.stash_server import StashSim
from plexsync.stash.client import StashClient
from tests.patience import HANG

KEY = "canary-stash-key-0123456789"


@pytest.fixture
def sim():
    with StashSim(api_key=KEY) as running:
        yield running


@pytest.fixture
def made():
    """Clients that are closed in the end."""
    clients = []

    def make(url, key=KEY, **more):
        clients.append(StashClient(url, key, **more))
        return clients[-1]

    yield make
    for client in clients:
        client.close()


@pytest.fixture
def stash(sim, made):
    return made(sim.url, read_timeout=HANG)
