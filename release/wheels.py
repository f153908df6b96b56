"""`make wheels`: checks that every pin of requirements/all.txt has a wheel for each supported machine.

pip downloads them to a temporary folder, and builds nothing: a pin without a matching wheel is an error. The
official image of Stash has no compiler.
"""

import itertools
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from release import build

PINS = build.ROOT / "requirements" / "all.txt"
PYTHONS = ("3.11", "3.12", "3.13", "3.14")
MACHINES = ("x86_64", "aarch64")
# The tags that pip accepts on each system: glibc of Debian 12 (2.36) and older, musl of Alpine 3.20 and older.
SYSTEMS = {
    "glibc": ("manylinux_2_34", "manylinux_2_28", "manylinux_2_17", "manylinux2014"),
    "musl": ("musllinux_1_2", "musllinux_1_1"),
}


def kinds() -> Iterator[tuple[str, str, str]]:
    """Every supported (system, machine, Python)."""
    yield from itertools.product(SYSTEMS, MACHINES, PYTHONS)


def pins() -> int:
    """The number of packages pinned for every machine: those without a condition."""
    return len(re.findall(r"^[a-z0-9.-]+==[^\s;]+ \\$", PINS.read_text(encoding="utf-8"), re.MULTILINE))


def lacking(system: str, machine: str, python: str) -> str:
    """pip's error if a pin has no wheel for this kind of machine; '' if all have one."""
    platforms = [word for tag in SYSTEMS[system] for word in ("--platform", f"{tag}_{machine}")]
    with tempfile.TemporaryDirectory() as folder:
        command = [
            sys.executable,
            "-m",
            "pip",
            "download",
            "-q",
            "--disable-pip-version-check",
            "--no-deps",
            "-d",
            folder,
        ]
        command += ["--only-binary=:all:", "--require-hashes", "--python-version", python, "--implementation", "cp"]
        done = subprocess.run(
            [*command, *platforms, "-r", str(PINS)],
            env={**os.environ, "PIP_NO_INPUT": "1"},
            capture_output=True,
            text=True,
            check=False,
        )
        found = len(list(Path(folder).iterdir()))
    if done.returncode != 0:
        return " / ".join(line for line in done.stderr.splitlines() if line.startswith("ERROR")) or done.stderr.strip()
    return "" if found >= pins() else f"{found} of {pins()} pins were downloaded"


def main() -> None:
    """Check every kind of machine; exits with 1 if a wheel is missing."""
    bad = 0
    for kind in kinds():
        told = lacking(*kind)
        bad += bool(told)
        print(f"{' '.join(kind):24} {told or 'every pin has a wheel'}", flush=True)
    sys.exit(1 if bad else 0)


if __name__ == "__main__":
    main()
