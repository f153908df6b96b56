"""Notices go to a real command: text on standard input and in the environment, no shell, and no longer than allowed."""

import os
import sys
from pathlib import Path

import pytest

from plexsync.notify.command import CommandMessenger
from plexsync.rules.queue.notices import Notice, NotSent
from tests.patience import until
from validation.config import describe
from validation.plex_entries import TOKEN_VARIABLE

NOTICE = Notice("away:plex", 1_768_471_200_000, "Plex has not answered; $(touch owned) `touch owned` ; touch owned")


def program(tmp_path: Path, text: str) -> list[str]:
    path = tmp_path / "tell.py"
    path.write_text(text)
    return [sys.executable, str(path)]


def test_the_command_is_told_by_standard_input_and_environment(tmp_path):
    words = program(
        tmp_path,
        "import os, sys, pathlib\n"
        "names = ['NOTICE_KEY', 'NOTICE_TEXT', 'NOTICE_SINCE', 'NOTICE_OVER']\n"
        "lines = [sys.stdin.read(), *(os.environ[name] for name in names), *sys.argv[1:]]\n"
        "pathlib.Path(__file__).with_name('told').write_text('|'.join(lines))\n",
    )
    CommandMessenger([*words, "a b", "$HOME", ";"]).send(NOTICE)
    told = (tmp_path / "told").read_text().split("|")
    assert told == [f"{NOTICE.text}\n", "away:plex", NOTICE.text, "2026-01-15 10:00 UTC", "0", "a b", "$HOME", ";"]


def test_no_shell_reads_the_sentence(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    CommandMessenger(["cat"]).send(NOTICE)
    assert not (tmp_path / "owned").exists()


def test_the_end_of_something_is_marked(tmp_path):
    words = program(tmp_path, "import os, sys; sys.exit(os.environ['NOTICE_OVER'] != '1')")
    CommandMessenger(words).send(Notice("away:plex", 0, "Plex answers again.", over=True))


def test_the_command_inherits_no_secret_of_plexsync_and_everything_else(tmp_path, monkeypatch):
    secrets = [setting.variable for setting in describe() if setting.secret]
    assert "PLEXSYNC_DATABASE_URL" in secrets
    withheld = [*secrets, *(f"{name}_FILE" for name in secrets), f"{TOKEN_VARIABLE}ATTIC", "PGPASSWORD", "PGPASSFILE"]
    own = ["TELL_TOKEN", "PGHOST", "PLEX_TOKEN"]
    for name in [*withheld, *own]:
        monkeypatch.setenv(name, "v4lue")
    words = program(
        tmp_path,
        "import os, pathlib\n"
        "names = sorted(name for name in os.environ if os.environ[name] == 'v4lue')\n"
        "pathlib.Path(__file__).with_name('told').write_text(' '.join(names))\n",
    )
    CommandMessenger(words).send(NOTICE)
    assert (tmp_path / "told").read_text().split() == sorted(own)


def test_a_command_that_fails_is_said_so(tmp_path):
    with pytest.raises(NotSent, match=r"^it ended with code 3$"):
        CommandMessenger(program(tmp_path, "raise SystemExit(3)")).send(NOTICE)


@pytest.mark.parametrize("name", ["/nowhere/s3cret-program", "s3cret\x00program", "/"])
def test_a_command_that_is_none_is_said_so_without_its_words(name):
    with pytest.raises(NotSent) as caught:
        CommandMessenger([name, "s3cret"]).send(NOTICE)
    assert "it can't be started" in str(caught.value)
    assert "s3cret" not in str(caught.value)


def test_a_command_that_does_not_end_is_ended_with_its_children(tmp_path):
    words = program(
        tmp_path,
        "import subprocess, sys, pathlib\n"
        "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(3600)'])\n"
        "told = pathlib.Path(__file__).with_name('told')\n"
        "told.write_text(str(child.pid))\n"
        "told.rename(told.with_name('child'))\n"
        "child.wait()\n",
    )
    limit = 1.0
    # A busy machine may need longer to start it.
    while not (tmp_path / "child").exists():
        with pytest.raises(NotSent, match=f"took longer than {limit:g} s"):
            CommandMessenger(words, limit=limit).send(NOTICE)
        limit *= 2
    until(lambda: is_gone(int((tmp_path / "child").read_text())))


def test_a_command_that_does_not_listen_is_none_the_worse(tmp_path):
    long = Notice("dead", 0, "x" * 1_000_000)
    environ = dict(os.environ)
    with pytest.raises(NotSent, match="can't be started"):
        # So much does not fit into an environment; it is said, not raised.
        CommandMessenger(program(tmp_path, "pass")).send(long)
    CommandMessenger(program(tmp_path, "import sys; sys.stdin.close()")).send(Notice("dead", 0, "x" * 60_000))
    assert dict(os.environ) == environ


def is_gone(pid: int) -> bool:
    """Whether no such process runs any more (one that nobody waited for counts as gone)."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] == "Z"
    except (FileNotFoundError, ProcessLookupError):
        return True
