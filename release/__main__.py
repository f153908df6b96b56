"""`make dist`: builds, then checks what was built by installing it in empty folders and running it."""

import argparse
import tempfile
from pathlib import Path

from release import build, check


def main() -> None:
    """Build and check; exits with 1 at the first error."""
    parser = argparse.ArgumentParser(prog="release", description=__doc__)
    parser.add_argument("--to", type=Path, default=build.ROOT / "dist")
    target = parser.parse_args().to.resolve()
    plugins = build.build_plugins(target)
    wheel, sdist = build.build_wheel(target), build.build_sdist(target)
    for made in (*plugins, target / build.INDEX, wheel, sdist):
        print(f"built {made} ({made.stat().st_size:,} bytes)", flush=True)
    with tempfile.TemporaryDirectory() as folder:
        for line in check.plugin(target, Path(folder) / "stash"):
            print(line, flush=True)
        print(check.sdist(sdist, wheel, Path(folder) / "sdist"), flush=True)
        for line in check.wheel(wheel, Path(folder) / "wheel"):
            print(line, flush=True)


if __name__ == "__main__":
    main()
