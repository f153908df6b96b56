"""Notices go out over real HTTP, by the package that knows the services."""

import logging
import subprocess
import sys
from pathlib import Path

import pytest

from plexsync.extras import advice
from plexsync.notify.apprise_sender import MISSING, AppriseMessenger
from plexsync.rules.queue.notices import Notice, NotSent
from plexsync.rules.servers.errors import Unusable
from plexsync.simulator.http import Fault
from tests.notify.receiver import Hook

ROOT = Path(__file__).resolve().parents[2]
SECRET = "s3cretPathOfTheHook9"
NOTICE = Notice("hold:plex", 1_768_471_200_000, "PlexSync needs you: put plex_token right.")
# The package asks its own helpers for modules that Python will do without one day.
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::PendingDeprecationWarning")


@pytest.fixture
def hook():
    with Hook() as made:
        yield made


def test_a_webhook_gets_the_sentence(hook):
    AppriseMessenger(hook.address, 1).send(NOTICE)
    (told,) = hook.told
    assert (told["title"], told["message"], told["type"]) == ("PlexSync", NOTICE.text, "warning")
    assert hook.log[0].path == f"/{SECRET}"


def test_an_end_is_told_as_one(hook):
    AppriseMessenger(hook.address, 1).send(Notice("hold:plex", 0, "Plex lets PlexSync in again.", over=True))
    (told,) = hook.told
    assert (told["title"], told["type"]) == ("PlexSync: over", "success")


@pytest.mark.parametrize("fault", [Fault("status", status=500), Fault("reset"), Fault("refuse")], ids=lambda f: f.kind)
def test_a_webhook_that_fails_is_said_so_and_its_address_is_in_no_log(hook, fault, caplog, capfd):
    hook.faults.set(fault)
    messenger = AppriseMessenger(hook.address, 2)
    with caplog.at_level(logging.DEBUG), pytest.raises(NotSent) as caught:
        messenger.send(NOTICE)
    out, err = capfd.readouterr()
    for hidden in (SECRET, str(hook.port)):
        assert hidden not in caplog.text + out + err + str(caught.value) + repr(caught.value) + messenger.name
    assert messenger.name == "address 2 of notify_urls"


def test_an_address_of_no_service_is_named_by_its_number_alone():
    with pytest.raises(Unusable) as caught:
        AppriseMessenger(f"nowhere://{SECRET}", 3)
    assert str(caught.value) == "address 3 of notify_urls is none that the package apprise can use"


def test_without_the_package_one_line_says_what_to_install():
    code = (
        "import sys; sys.modules['apprise'] = None\n"
        "from plexsync.notify.apprise_sender import AppriseMessenger\n"
        "from plexsync.rules.servers.errors import Unusable\n"
        "try: AppriseMessenger('json://localhost', 1)\n"
        "except Unusable as error: print(error)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout == f"{MISSING}: {advice('notify')}\n"


def test_the_package_is_not_loaded_by_those_who_do_not_use_it():
    code = "import sys, plexsync.app.run; sys.exit('apprise' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=False).returncode == 0
