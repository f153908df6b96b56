"""`python -m tests.compiled`: writes the byte code of the tests, with pytest's own assertions, once for all its processes.

Otherwise each process of a run would do so at its beginning, all at the same time. Where nothing has changed since, this
is a look at each file.
"""

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def halves() -> list[list[str]]:
    """The test files in two lists, about the same size."""
    files = sorted((ROOT / "tests").rglob("test_*.py"), key=lambda path: (path.stat().st_size, path))
    return [[str(path) for path in files[start::2]] for start in (0, 1)]


def is_stale() -> bool:
    """Whether a test file is newer than its byte code."""
    for path in (ROOT / "tests").rglob("test_*.py"):
        written = list((path.parent / "__pycache__").glob(f"{path.stem}.{sys.implementation.cache_tag}*.pyc"))
        if not written or max(file.stat().st_mtime for file in written) < path.stat().st_mtime:
            return True
    return False


def main() -> None:
    """Collect every test without running it, in two processes."""
    if not is_stale():
        return
    words = [sys.executable, "-m", "pytest", "-qq", "--collect-only", "-p", "no:cacheprovider"]
    environ = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    running = [
        subprocess.Popen([*words, *files], cwd=ROOT, env=environ, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        for files in halves()
    ]
    # A file that can't be collected is told by the run itself.
    for process in running:
        process.wait()


if __name__ == "__main__":
    main()
