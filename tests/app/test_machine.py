"""What machines with one database have to agree on."""

from plexsync.app.machine import settings_prints
from tests.tables import table
from validation.config import PlexSyncConfig

SERVERS = {
    "plex_url": "http://plex:32400",
    "plex_token": "0123456789abcdefghij",
    "stash_url": "http://stash:9999",
    "provider_listen": "0.0.0.0:9798",
}
CHANGES = [
    ({"provider_listen": "127.0.0.1:9900"}, set()),
    ({"provider_url": "http://192.168.1.6:9798"}, set()),
    ({"provider_listen": "none"}, {"provider_listen"}),
    ({"provider_patience": 3}, {"provider_patience"}),
    ({"plex_url": "http://other:32400"}, set()),
]


@table(("change", "differ"), CHANGES)
def test_each_machine_answers_plex_at_an_address_of_its_own_if_all_do(
    change: dict[str, object], differ: set[str]
) -> None:
    one, other = (settings_prints(PlexSyncConfig(**{**SERVERS, **more})) for more in ({}, change))
    assert {name for name in one if one[name] != other[name]} == differ
