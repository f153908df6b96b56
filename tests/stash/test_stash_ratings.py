"""The rating of a scene in Stash, as it is written; what counts when that ends in trouble."""

import pytest

from plexsync.rules.servers.errors import Unavailable
from plexsync.stash.client import StashClient
from plexsync.stash.watching import StashWatching
from tests.stash.conftest import KEY
from tests.transports import saying


def test_a_rating_is_set_and_cleared_and_nothing_else_changes(sim, stash):
    writer: StashWatching = stash.watching
    id = sim.add_scene(title="A", details="What happens", tags=["One"], files=[("/a.mp4", 1, 1.0)])
    before = stash.scenes([id])[id]
    assert writer.rate(id, 85) == 85
    assert sim.scene(id).rating100 == 85
    assert writer.rate(id, None) is None
    assert sim.scene(id).rating100 is None
    after = stash.scenes([id])[id]
    assert (after.title, after.details, after.tags) == (before.title, before.details, before.tags)
    assert after.updated_at >= before.updated_at


def test_a_scene_that_is_gone_can_not_be_rated(stash):
    with pytest.raises(Unavailable):
        stash.watching.rate(99, 85)


@pytest.mark.parametrize(
    "body", [b"", b"{}", b'{"data": {"scene": null}}', b'{"errors": [{"message": "database is locked"}]}']
)
def test_an_answer_without_the_rating_leaves_the_end_unknown(body):
    client = StashClient("http://nas:9999", KEY, transport=saying(body))
    with pytest.raises(Unavailable) as caught:
        client.watching.rate(7, 85)
    assert caught.value.sent
    client.close()
