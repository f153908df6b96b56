"""A simulated Plex, and clients of it."""

import pytest

from plexsync.plex.client import PlexClient
from plexsync.simulator.plex_server import PlexSim
from tests.patience import HANG

TOKEN = "canary-plex-token-0123456789"


@pytest.fixture
def sim():
    with PlexSim(token=TOKEN) as running:
        running.add_section("Movies")
        yield running


@pytest.fixture
def made():
    """Clients that are closed in the end."""
    clients = []

    def make(url="http://nas", token=TOKEN, **more):
        clients.append(PlexClient(url, token, **{"read_timeout": HANG, **more}))
        return clients[-1]

    yield make
    for client in clients:
        client.close()


@pytest.fixture
def plex(sim, made):
    return made(sim.url)
