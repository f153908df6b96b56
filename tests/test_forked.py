"""A fork of the warm process is to its program, and to whoever started it, what a new interpreter is."""

import json
import os
import pty
import select
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import pytest

from tests import forked
from tests.journey.world import PATIENCE
from tests.patience import HANG, until

pytestmark = pytest.mark.skipif(not forked.FORKS, reason="elsewhere every process is a new interpreter")

ROOT = Path(__file__).resolve().parents[1]
ENVIRON = {"PATH": os.environ["PATH"], "HOME": "/nowhere", "COLUMNS": "77"}

FACTS = """
import json, logging, os, resource, signal, sys, tempfile, threading
json.dump({
    "argv": sys.argv, "orig_argv": sys.orig_argv[1:], "path": sys.path, "main": __name__, "environ": dict(os.environ),
    "cwd": os.getcwd(), "umask": os.umask(0), "limits": resource.getrlimit(resource.RLIMIT_NOFILE),
    "tmp": tempfile.gettempdir(),
    "handlers": [str(signal.getsignal(number)).partition(" at ")[0] for number in sorted(signal.valid_signals())],
    "mask": sorted(signal.pthread_sigmask(signal.SIG_BLOCK, ())),
    "threads": [thread.name for thread in threading.enumerate()], "main thread": threading.main_thread().name,
    "handles": os.listdir("/proc/self/fd"), "leads": os.getsid(0) == os.getpid(), "priority": os.nice(0),
    "streams": [
        (stream.name, stream.mode, stream.encoding, stream.errors, stream.line_buffering, stream.isatty(), stream.closed)
        for stream in (sys.stdin, sys.stdout, sys.stderr)
    ],
    "same": [sys.stdin is sys.__stdin__, sys.stdout is sys.__stdout__, sys.stderr is sys.__stderr__],
    "hooks": [sys.excepthook is sys.__excepthook__, threading.excepthook is threading.__excepthook__],
    "log": [logging.root.level, str(logging.root.handlers)],
}, sys.stdout)
"""
# Every constant of the product, once all of it is imported and patience was given.
CONSTANTS = f"""
{PATIENCE}
import importlib, json, os, pkgutil, sys
import plexsync
for room in {forked.ROOMS!r}:
    package = importlib.import_module(f"plexsync.{{room}}")
    for module in pkgutil.walk_packages(package.__path__, f"{{package.__name__}}."):
        importlib.import_module(module.name)
json.dump({{
    f"{{name}}.{{key}}": str(value).replace(f"/{{os.getpid()}}/", "/us/")
    for name, module in sorted(sys.modules.items())
    if name.partition(".")[0] in ("plexsync", "validation", "worker")
    for key, value in vars(module).items()
    if isinstance(value, str | int | float) and key not in ("__cached__", "__file__") and " at 0x" not in str(value)
}}, sys.stdout)
"""


def both(*words: str, **more: object) -> list[subprocess.CompletedProcess[str]]:
    """What a fork and a new interpreter leave."""
    given = {"env": ENVIRON, "cwd": ROOT, "capture_output": True, "text": True, "timeout": HANG, **more}
    return [forked.run(words, real=real, **given) for real in (False, True)]


@pytest.mark.parametrize("session", [False, True])
def test_a_program_finds_what_it_finds_in_a_new_interpreter(session: bool, tmp_path: Path) -> None:
    # Whoever runs the tests in the background lets no new interpreter hear Ctrl-C.
    hears = partial(signal.signal, signal.SIGINT, signal.SIG_DFL)
    env = ENVIRON | {"TMPDIR": str(tmp_path)}
    fork, real = both("-c", FACTS, "a", "b c", cwd=tmp_path, start_new_session=session, env=env, preexec_fn=hears)
    assert (fork.returncode, fork.stderr) == (0, "")
    assert json.loads(fork.stdout) == json.loads(real.stdout)
    assert json.loads(fork.stdout)["leads"] is session


def test_no_constant_of_the_product_is_another_one_than_in_a_new_interpreter() -> None:
    fork, real = both("-c", CONSTANTS)
    assert fork.stderr == real.stderr == ""
    warm, new = json.loads(fork.stdout), json.loads(real.stdout)
    # The warm process has imported the simulators too.
    assert {name: warm[name] for name in new} == new
    assert new["plexsync.cli.daemon.signals.GRACE"] == str(HANG)


@pytest.mark.parametrize(
    ("program", "code"),
    [
        ("pass", 0),
        ("import sys; sys.exit()", 0),
        ("import sys; sys.exit(7)", 7),
        ("import sys; sys.exit(-1)", 255),
        ("import sys; print('out'); sys.exit('why')", 1),
        ("import os; os._exit(5)", 5),
        ("print('unfinished', end=''); 1 / 0", 1),
        ("raise KeyboardInterrupt", -signal.SIGINT),
        ("import os; os.kill(os.getpid(), 9)", -signal.SIGKILL),
        ("import os; os.kill(os.getpid(), 15)", -signal.SIGTERM),
        ("import atexit; atexit.register(print, 'last'); print('first')", 0),
        ("import threading, time; threading.Timer(0.1, print, ['late']).start()", 0),
        ("import threading, time; threading.Thread(target=time.sleep, args=[600], daemon=True).start()", 0),
        ("import sys; sys.stdout.write('x'); sys.stdout.close(); sys.exit(4)", 4),
    ],
)
def test_it_ends_as_a_new_interpreter_does(program: str, code: int) -> None:
    fork, real = both("-c", program)
    assert (fork.returncode, real.returncode) == (code, code)
    assert fork.stdout == real.stdout
    assert fork.stderr.splitlines()[-1:] == real.stderr.splitlines()[-1:]


def test_an_answer_that_nobody_reads_has_the_code_that_python_gives_it() -> None:
    codes = []
    for real in (False, True):
        with forked.Popen(
            ["-c", "import sys; sys.stdin.read(); print('x')"],
            env=ENVIRON,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            real=real,
        ) as process:
            process.stdout.close()
            process.stdin.close()
            codes.append(process.wait(HANG))
    assert codes == [forked.UNWRITTEN] * 2


def test_commands_answer_as_those_of_a_new_interpreter(tmp_path: Path) -> None:
    for words in (("--version",), ("--help",), ("status", "--json"), ("nonsense",)):
        fork, real = both("-m", "plexsync", *words, env=ENVIRON | {"PLEXSYNC_DATA_DIR": str(tmp_path)})
        assert (fork.returncode, fork.stdout, fork.stderr) == (real.returncode, real.stdout, real.stderr)


def test_what_is_written_to_it_comes_back_and_errors_may_go_where_the_answer_goes() -> None:
    program = "import sys; text = sys.stdin.read(); print(text[::-1], flush=True); print('why', file=sys.stderr)"
    done = forked.run(["-c", program], env=ENVIRON, input="aé", stdout=-1, stderr=subprocess.STDOUT, text=True)
    assert done.stdout == "éa\nwhy\n"


def test_two_of_them_throw_different_rng() -> None:
    program = "import random, uuid; print(random.random(), uuid.uuid4())"
    assert len({forked.run(["-c", program], env=ENVIRON, capture_output=True).stdout for _ in range(2)}) == 2


def test_it_hears_signals_and_is_waited_for() -> None:
    program = "import signal, time; signal.signal(15, lambda *_: exit(9)); print('ready', flush=True); time.sleep(600)"
    with forked.Popen(["-c", program], env=ENVIRON, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout.readline() == "ready\n"
        assert process.poll() is None
        with pytest.raises(subprocess.TimeoutExpired):
            process.wait(0)
        process.terminate()
        assert process.wait(HANG) == process.poll() == process.returncode == 9
        process.kill()  # it is gone, and nobody else is hit


def test_one_that_somebody_waits_for_is_ended_by_another_thread() -> None:
    with (
        forked.Popen(["-c", "import time; time.sleep(600)"], env=ENVIRON) as process,
        ThreadPoolExecutor(2) as threads,
    ):
        waiting = [threads.submit(process.wait, HANG) for _ in range(2)]
        assert process.poll() is None
        process.terminate()
        assert [one.result() for one in waiting] == [-signal.SIGTERM] * 2


def test_a_terminal_is_its_own_and_ctrl_c_is_heard() -> None:
    master, slave = pty.openpty()
    program = (
        "import os, time; print(os.getsid(0) == os.getpid(), open('/dev/tty').isatty(), flush=True); time.sleep(600)"
    )
    with forked.Popen(["-c", program], env=ENVIRON, stdin=slave, stdout=slave, stderr=slave, terminal=True) as process:
        shown = b""
        while b"\n" not in shown:
            assert select.select([master], [], [], HANG)[0]
            shown += os.read(master, 1024)
        assert shown == b"True True\r\n"
        os.write(master, b"\x03")
        assert process.wait(HANG) == -signal.SIGINT
    os.close(master)
    os.close(slave)


@pytest.mark.parametrize("name", ["PYTHONPATH", "LD_LIBRARY_PATH", "LANG", "TZ"])
def test_what_python_is_told_at_its_start_is_told_to_a_new_interpreter(name: str) -> None:
    program = "import os; print(os.getppid())"
    done = forked.run(["-c", program], env=ENVIRON | {name: ""}, capture_output=True)
    assert int(done.stdout) == os.getpid()
    assert int(forked.run(["-c", program], env=ENVIRON, capture_output=True).stdout) != os.getpid()


# Prints the numbers of the warm process and of a fork that goes on, then waits.
STARTS = """
import os, signal, subprocess, time
from tests import forked
program = "import os, time; print(os.getppid(), os.getpid(), flush=True); time.sleep(600)"
process = forked.Popen(["-c", program], env={"PATH": os.environ["PATH"]}, stdout=subprocess.PIPE, text=True)
print(process.stdout.readline(), end="", flush=True)
input()
"""


def is_there(pid: int) -> bool:
    try:
        return ") Z " not in Path(f"/proc/{pid}/stat").read_text(encoding="utf-8")
    except OSError:
        return False


@pytest.mark.parametrize("ends", ["the test's process", "the warm process", "well"])
def test_no_fork_outlives_the_tests(ends: str) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", STARTS], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=-3, text=True
    ) as process:
        warm, fork = map(int, process.stdout.readline().split())
        assert is_there(warm)
        assert is_there(fork)
        if ends == "well":
            process.stdin.close()
        else:
            os.kill(warm if ends == "the warm process" else process.pid, signal.SIGKILL)
        until(lambda: not is_there(fork))
        process.kill()
        until(lambda: not is_there(warm))
