"""Which faults are tried: a draw over all rooms of the product, the same for each number.

A room is a package, or a part of one that has its own subject. Each has one fault at least, the others are shared out by
how many faults a room could have. In a room each kind of fault is as likely as any other.
"""

import random
from collections import defaultdict
from pathlib import Path

from tests.mutants.faults import Fault, compiles, faults
from tests.sources import PRODUCT, ROOT

# Packages whose folders are rooms of their own.
OF_ROOMS = frozenset({"plexsync/flows"})
POSTGRES = "store/postgres"


def room_of(path: str) -> str:
    """The room of a file: `rules`, `flows/plays`, `validation`."""
    parts = path.split("/")
    if parts[0] != "plexsync" or len(parts) == 2:
        return parts[0]
    if path.startswith(f"plexsync/{POSTGRES}/"):
        return POSTGRES
    return "/".join(parts[1:3]) if "/".join(parts[:2]) in OF_ROOMS and len(parts) > 3 else parts[1]


def _is_in(path: str, name: str) -> bool:
    return any(f"{place}/".startswith(f"{name}/") for place in (path, room_of(path)))


def possible(root: Path = ROOT, only: str = "") -> list[Fault]:
    """Every fault that the product could have, or those of these rooms, folders and files."""
    names = [name.rstrip("/") for name in only.split(",")]
    files = [path for package in PRODUCT for path in sorted((root / package).rglob("*.py"))]
    paths = {path.relative_to(root).as_posix(): path for path in files if "simulator" not in path.parts}
    wanted = [path for path in paths if not only or any(_is_in(path, name) for name in names)]
    return [fault for path in wanted for fault in faults(path, paths[path].read_bytes())]


def draw(candidates: list[Fault], number: int, count: int, root: Path = ROOT) -> list[Fault]:
    """So many different faults; a number draws the same ones from the same product."""
    rng = random.Random(number)
    rooms: defaultdict[str, defaultdict[str, list[Fault]]] = defaultdict(lambda: defaultdict(list))
    for fault in candidates:
        rooms[room_of(fault.path)][fault.kind].append(fault)
    sizes = {room: sum(map(len, kinds.values())) for room, kinds in sorted(rooms.items())}
    order = [*rng.sample([*sizes], len(sizes)), *rng.choices([*sizes], [*sizes.values()], k=20 * count)]
    drawn: dict[tuple[str, int], Fault] = {}
    for room in order:
        if len(drawn) == count:
            break
        kind = rng.choice(sorted(rooms[room]))
        fault = rng.choice(rooms[room][kind])
        if compiles(fault, (root / fault.path).read_bytes()):
            drawn.setdefault((fault.path, fault.line), fault)
    return list(drawn.values())
