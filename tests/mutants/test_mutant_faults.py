"""Each kind of fault makes the change that it names, and nothing is changed that a program does not do."""

from dataclasses import replace

import pytest

from tests.mutants.faults import CONSTANT, DROPPED, KINDS, LEFT_OUT, NEGATED, OFF_BY_ONE, SWAPPED, compiles, faults

# Kind, a piece of source, every fault of that kind in it.
CHANGES = [
    (DROPPED, "store.drop(row)", ["pass"]),
    (DROPPED, "log.info('dropped %s', row)", []),
    (DROPPED, "kept = store.drop(row)", []),
    (NEGATED, "if found: go()", ["if (not (found)): go()"]),
    (NEGATED, "if not found: go()", ["if (found): go()"]),
    (NEGATED, "while waits(): rest()", ["while (not (waits())): rest()"]),
    (NEGATED, "while True: rest()", []),
    (NEGATED, "a = b if c else d", ["a = b if (not (c)) else d"]),
    (NEGATED, "a = b == c", ["a = (not (b == c))"]),
    (NEGATED, "a = [b for b in c if b.ok]", ["a = [b for b in c if (not (b.ok))]"]),
    (NEGATED, "if TYPE_CHECKING: import a", []),
    (NEGATED, "if sys.platform == 'win32': go()", []),
    (LEFT_OUT, "a = b and c(d)", ["a = ((c(d)))", "a = ((b))"]),
    (LEFT_OUT, "a = b or c or d", ["a = ((b) or (c))", "a = ((b) or (d))", "a = ((c) or (d))"]),
    (LEFT_OUT, "a = {b for b in c if b}", ["a = {b for b in c if True}"]),
    (SWAPPED, "a(b, c.d)", ["a(c.d, b)"]),
    (SWAPPED, "a(b, b)", []),
    (SWAPPED, "max(b, c)", []),
    (SWAPPED, "a(b, *c)", []),
    (OFF_BY_ONE, "a = b < c", ["a = b <= c"]),
    (OFF_BY_ONE, "a = 0 < b <= c", ["a = 0 <= b <= c", "a = 0 < b < c", "a = 1 < b <= c"]),
    (OFF_BY_ONE, "a = b[1:]", ["a = b[2:]"]),
    (OFF_BY_ONE, "a = b + 1", ["a = b + 2"]),
    (OFF_BY_ONE, "a = range(3)", ["a = range(4)"]),
    (CONSTANT, "a = True", ["a = False"]),
    (CONSTANT, "a = 30", ["a = 300"]),
    (CONSTANT, "a = 'ready'", ["a = 'ready_'"]),
    (CONSTANT, "a = 'No scene has this file'", []),
    (CONSTANT, "raise Refused('dead', code=3)", ["raise Refused('dead', code=30)"]),
    (CONSTANT, "a(help='tries', least=1)", ["a(help='tries', least=2)"]),
    (CONSTANT, "click.echo('done')", []),
    (CONSTANT, "__all__ = ['ready']", []),
]


def changed(kind: str, source: str, path: str = "plexsync/rules/a.py") -> list[str]:
    """The source with each fault of this kind."""
    encoded = source.encode()
    return [fault.applied(encoded).decode() for fault in faults(path, encoded) if fault.kind == kind]


@pytest.mark.parametrize(("kind", "source", "expected"), CHANGES, ids=[f"{kind}: {text}" for kind, text, _ in CHANGES])
def test_a_fault_is_the_change_that_it_names(kind: str, source: str, expected: list[str]) -> None:
    assert sorted(changed(kind, source)) == sorted(expected)


def test_every_kind_has_its_changes() -> None:
    assert {kind for kind, _, expected in CHANGES if expected} == set(KINDS)


@pytest.mark.parametrize(
    "source",
    [
        '"""A module: 1 and 2."""',
        "def a(b: Literal['ready'] = ...) -> 'c': ...",
        "def __repr__(self): return 'a' + self.b(1, 2)",
        "class A(Protocol):\n    def b(self, c=1): return c > 2",
        "@abstractmethod\ndef a(b=1): return b > 2",
        "@click.command('dead-letters')\ndef a(): return b",
    ],
    ids=["docstring", "hints", "representation", "protocol", "abstract", "name of a command"],
)
def test_what_a_program_does_not_do_has_no_fault(source: str) -> None:
    assert faults("plexsync/rules/a.py", source.encode()) == []


def test_the_bounds_and_conditions_of_a_statement_are_among_the_faults() -> None:
    source = 'OLD = "delete from row where at < :before and kind = :kind and token is null order by at desc"'
    of_store = {kind: changed(kind, source, "plexsync/store/a.py") for kind in KINDS}
    assert of_store[OFF_BY_ONE] == [source.replace("<", "<=")]
    assert of_store[LEFT_OUT] == [source.replace(" and kind = :kind", "")]
    assert of_store[NEGATED] == [source.replace("kind =", "kind <>"), source.replace("is null", "is not null")]
    assert of_store[CONSTANT] == [source.replace(" desc", "")]
    assert changed(OFF_BY_ONE, source) == []


def test_a_fault_is_placed_by_bytes_and_named_by_its_lines() -> None:
    source = 'class Ä:\n    def b(self):\n        c = "ü"; return (\n            d >   e\n        )\n'.encode()
    (fault,) = [fault for fault in faults("a.py", source) if fault.kind == OFF_BY_ONE]
    assert fault.applied(source) == source.replace(b">", b">=")
    assert (fault.scope, fault.line, fault.before, fault.after) == ("Ä.b", 4, "d > e", "d >= e")
    (moved,) = [fault for fault in faults("a.py", b"\n\n" + source) if fault.kind == OFF_BY_ONE]
    assert moved.name == fault.name
    assert moved.line == 6


def test_a_fault_that_is_no_program_or_no_other_one_is_not_drawn() -> None:
    source = b"a(b, c)\n"
    dropped = faults("a.py", source)[0]
    assert compiles(dropped, source)
    assert not compiles(replace(dropped, text="a(b"), source)
    assert not compiles(replace(dropped, text="a(b,c)"), source)
