"""`equivalent.txt`: the faults that no test can find, since they change nothing that anybody could see.

Each is a block: the file and the name in it, the lines before, the lines after, and the reason.
"""

from pathlib import Path

from tests.measure import ROOT
from tests.mutants.faults import Fault, faults

FILE = Path(__file__).with_name("equivalent.txt")


def parsed(text: str) -> dict[tuple[str, str, str, str], str]:
    """The reason of each, by what the fault is called."""
    reasons = {}
    for block in filter(None, map(str.strip, text.split("\n\n"))):
        lines = [line for line in block.splitlines() if not line.startswith("#")]
        if not lines:
            continue
        place, before, after, *reason = lines
        if not (before.startswith("- ") and after.startswith("+") and reason):
            raise ValueError(f"a block is place, - before, + after, reason: {block}")
        path, _, scope = place.partition(" ")
        reasons[path, scope, before[2:], after[1:].strip()] = " ".join(map(str.strip, reason))
    return reasons


def known() -> dict[tuple[str, str, str, str], str]:
    """Those that are named."""
    return parsed(FILE.read_text(encoding="utf-8"))


def block(fault: Fault) -> str:
    """What to add to the file for this fault, apart from the reason."""
    return f"{fault.path} {fault.scope}\n- {fault.before}\n+ {fault.after}"


def outdated(names: dict[tuple[str, str, str, str], str], root: Path = ROOT) -> list[str]:
    """Those that no longer are a fault of the source, as it is now."""
    possible = {
        fault.name
        for path in sorted({name[0] for name in names})
        if (root / path).is_file()
        for fault in faults(path, (root / path).read_bytes())
    }
    return [" ".join(name) for name in names if name not in possible]
