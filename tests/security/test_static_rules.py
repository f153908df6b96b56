"""Read off the syntax tree: SQL is constant and takes parameters, and what runs foreign data as code is not used at all."""

import ast
from pathlib import Path

import pytest

from tests.test_layers import MAY, ROOT, name, package_of, product_files

FILES = [*product_files(), *sorted((ROOT / "bench").glob("*.py"))]
TREES = {path: ast.parse(path.read_text(encoding="utf-8")) for path in FILES}
EXECUTES = {"execute", "executemany", "executescript"}
# The methods of `plexsync.store.connection.Connection`, by which every table executes.
QUERIES = {"execute_many", "rows", "once", "stream", "row", "value"}
# What of `xml.etree.ElementTree` makes XML and reads none.
NEVER_IMPORTED = {
    "pickle",
    "cPickle",
    "dill",
    "shelve",
    "marshal",
    "yaml",
    "xmlrpc",
    "telnetlib",
    "ftplib",
    "code",
    "codeop",
}
# The simulated Stash reads manifests, with the safe loader of PyYAML.
READS_YAML = "plexsync/simulator/stash_manifest.py"
UNSAFE_YAML = {"Loader", "UnsafeLoader", "FullLoader", "load", "full_load", "unsafe_load"}
NEVER_CALLED = {"eval", "exec", "compile", "__import__", "os.system", "os.popen", "tempfile.mktemp", "input"}
NEVER_NAMED = {"CERT_NONE", "_create_unverified_context", "verify_mode", "check_hostname"}
files = pytest.mark.parametrize("path", FILES, ids=name)


def test_the_rules_see_the_product() -> None:
    assert {package_of(path) for path in FILES} >= set(MAY)
    calls = [node for tree in TREES.values() for node in ast.walk(tree) if _is_execute(node)]
    assert len(calls) > 60


def _is_execute(node: ast.AST) -> bool:
    if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute):
        return False
    ours = node.func.attr in QUERIES and ast.unparse(node.func.value) in ("self._db", "db")
    return ours or node.func.attr in EXECUTES


class Statements:
    """Follows what is executed in one module back to where it was written."""

    def __init__(self, tree: ast.Module) -> None:
        self._tree = tree
        self._functions = {node.name: node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}
        self._home: dict[ast.AST, ast.FunctionDef] = {}
        for function in self._functions.values():
            for node in ast.walk(function):
                self._home[node] = function
        self._known = set()
        for node in tree.body:
            match node:
                case ast.Assign(targets=[ast.Name(id=id)]) | ast.AnnAssign(target=ast.Name(id=id)):
                    self._known.add(id)
                case ast.ImportFrom(names=names) | ast.Import(names=names):
                    # A constant of another module is one as well: its file is held to the same rule.
                    self._known |= {(alias.asname or alias.name).split(".")[0] for alias in names}

    def odd(self) -> set[str]:
        """What is executed without being made of texts and constants of modules alone."""
        calls = [node for node in ast.walk(self._tree) if _is_execute(node)]
        return {ast.unparse(call.args[0]) for call in calls if not self._constant(call.args[0], self._home.get(call))}

    def _constant(self, node: ast.expr | None, home: ast.FunctionDef | None) -> bool:
        def all_of(*parts: ast.expr | None) -> bool:
            return bool(parts) and all(self._constant(part, home) for part in parts)

        match node:
            case ast.Constant(value=str()):
                return True
            case ast.Name(id=id):
                return self._named(id, home)
            case ast.Attribute(value=ast.Name(id=module), attr=attr):
                return module in self._known and attr.isupper()
            case ast.BinOp(left=left, op=ast.Add(), right=right):
                return all_of(left, right)
            case ast.IfExp(body=one, orelse=other):
                return all_of(one, other)
            case ast.Tuple(elts=parts):
                return all_of(*parts)
            case ast.Subscript(value=table):
                return all_of(table)
            case ast.JoinedStr(values=parts):
                return all_of(*(part.value if isinstance(part, ast.FormattedValue) else part for part in parts))
            case ast.Call(func=ast.Name(id=id)) if id in self._functions:
                inner = self._functions[id]
                answers = [one.value for one in ast.walk(inner) if isinstance(one, ast.Return)]
                return bool(answers) and all(self._constant(one, inner) for one in answers)
        return False

    def _named(self, id: str, home: ast.FunctionDef | None) -> bool:
        if home is not None:
            if values := _given_to(id, home):
                return all(self._constant(value, home) for value in values)
            parameters = [one.arg for one in home.args.posonlyargs + home.args.args]
            if id in parameters:
                is_method = parameters[0] == "self"
                return self._called_with(home.name, parameters.index(id) - is_method, of_self=is_method)
        return id in self._known and id.lstrip("_").isupper()

    def _called_with(self, function: str, place: int, *, of_self: bool) -> bool:
        """Whether every call of a function or method of this module hands over a constant at this place."""
        name = f"self.{function}" if of_self else function
        calls = [node for node in ast.walk(self._tree) if isinstance(node, ast.Call) and ast.unparse(node.func) == name]
        return bool(calls) and all(
            place < len(call.args) and self._constant(call.args[place], self._home.get(call)) for call in calls
        )


def _given_to(id: str, function: ast.FunctionDef) -> list[ast.expr]:
    """Every value that a name gets inside a function."""
    values = []
    for node in ast.walk(function):
        match node:
            case ast.Assign(targets=[ast.Name(id=one)], value=value) if one == id:
                values.append(value)
            case ast.AugAssign(target=ast.Name(id=one), value=value) if one == id:
                values.append(value)
            case ast.For(target=ast.Name(id=one), iter=value) | ast.comprehension(target=ast.Name(id=one), iter=value):
                if one == id:
                    values.append(value)
    return values


def test_the_rule_on_sql_finds_what_it_is_for() -> None:
    bad = """
A = "select 1"
def f(db, x, y):
    db.execute(A + x)
    db.execute(f"select {y}")
    sql = A
    sql += " where " + str(x)
    db.execute(sql)
    db.execute("select %s" % x)
    db.execute("select {}".format(x))
    db.execute(A + g(x))
    h(db, A)
    h(db, x)
def g(x):
    return f" where {x}"
def h(db, sql):
    db.execute(sql)
"""
    assert len(Statements(ast.parse(bad)).odd()) == 6  # `sql` stands for two of them


# Where a statement comes in as an argument, or a pragma takes a number: pragmas take no parameters.
BY_HAND = {
    # They hand on what their callers give, who are held to the same rule; for PostgreSQL, translated.
    "plexsync/store/sqlite.py": {"sql"},
    "plexsync/store/summaries.py": {"sql"},
    "plexsync/store/postgres/connection.py": {"translated.sql", "statements.encode()"},
    "plexsync/store/postgres/inspection.py": {"sql.encode()"},
    # The name of a schema comes from a setting that takes none but small letters, digits and _; the other statements are
    # the migrations.
    "plexsync/store/postgres/schema.py": {
        "f'create schema if not exists \"{schema_name}\"'",
        "f'select program, version from \"{schema_name}\".schema_version'",
        "';\\n'.join(statements).encode()",
    },
    # Tables and columns of our own schema, as the migrations make it.
    "plexsync/store/moving.py": {"f'pragma table_info({name})'", "f'delete from {table.name}'", "table.read"},
    "plexsync/store/db.py": {"f'pragma wal_autocheckpoint = {CHECKPOINT_PAGES if checkpoints else 0}'"},
    # Tables come from a constant or a schema that was compared with ours, columns from a damaged database: only those
    # named in small letters are taken.
    "plexsync/store/integrity.py": {
        "f\"select {', '.join(columns)} from {table}\" if columns else ()",
        "f\"select {', '.join(columns)} from {table}\"",
        # From a database that our schema has just made.
        "f\"select 1 from {table} where {' or '.join(wrong)} limit 1\"",
    },
    "plexsync/store/repair.py": {
        "f'select * from {table} order by {by}'",
        # From a database that our schema has just made.
        "f\"insert or ignore into {table} ({', '.join(names)}) values ({marks})\"",
    },
    # A constant, completed by kinds that are checked to be lower-case words.
    "plexsync/store/jobs.py": {"sql"},
    # Constants, completed by other constants of a fixed order.
    "plexsync/store/job_queries.py": {"sql", "of_kinds(NEXT_DUE, kinds)", "dead_in_order(sort, error_class)"},
    "plexsync/store/scene_names.py": {"sql", "in_order(sort)"},
    "plexsync/store/standings.py": {"rows.nameless", "ids.in_order(page.sort)"},
    "plexsync/store/schema.py": {"statement", "f'pragma user_version = {current + 1}'"},
}


@files
def test_sql_is_made_of_constants(path: Path) -> None:
    if not name(path).startswith(("bench/", "plexsync/simulator/")):
        # Quotes and brackets are written by each version of Python in its own way.
        known = {ast.unparse(ast.parse(text, mode="eval")) for text in BY_HAND.get(name(path), ())}
        assert Statements(TREES[path]).odd() <= known


@files
def test_constants_of_sql_are_made_of_constants(path: Path) -> None:
    """An f-string at the top of a module may use what stands above it, and nothing that is called or comes from outside."""
    if not name(path).startswith("store/"):
        return
    for node in TREES[path].body:
        if isinstance(node, ast.Assign | ast.AnnAssign) and node.value is not None:
            for part in ast.walk(node.value):
                if isinstance(part, ast.FormattedValue):
                    allowed = (ast.Name, ast.Attribute, ast.Constant, ast.Call)
                    assert isinstance(part.value, allowed), f"{name(path)}:{node.lineno}"
                    called = ast.unparse(part.value)
                    assert not isinstance(part.value, ast.Call) or "join" in called, f"{name(path)}:{node.lineno}"


@files
def test_nothing_runs_data_as_code(path: Path) -> None:
    for node in ast.walk(TREES[path]):
        where = f"{name(path)}:{getattr(node, 'lineno', 0)}"
        match node:
            case ast.Import(names=names):
                modules = {alias.name.split(".")[0] for alias in names}
                never = NEVER_IMPORTED - {"yaml"} if name(path).endswith(READS_YAML) else NEVER_IMPORTED
                assert not modules & never, where
            case ast.ImportFrom(module=module):
                assert str(module).split(".")[0] not in NEVER_IMPORTED, where
            case ast.Call(func=func, keywords=keywords):
                assert ast.unparse(func) not in NEVER_CALLED, where
                for keyword in keywords:
                    if keyword.arg == "shell":
                        assert isinstance(keyword.value, ast.Constant), where
                        assert keyword.value.value is False, where
            case ast.Attribute(value=ast.Name(id="yaml"), attr=attr):
                assert attr not in UNSAFE_YAML, where
            case ast.Attribute(attr=attr):
                if not name(path).startswith("simulator/"):
                    assert attr not in NEVER_NAMED, where


@files
def test_certificates_and_redirects_are_not_a_matter_of_choice(path: Path) -> None:
    for node in ast.walk(TREES[path]):
        if isinstance(node, ast.keyword) and node.arg in ("verify", "follow_redirects", "trust_env", "check_hostname"):
            wanted = node.arg in ("verify", "check_hostname")
            assert isinstance(node.value, ast.Constant), f"{name(path)}:{node.value.lineno}"
            assert node.value.value is wanted, f"{name(path)}:{node.value.lineno}"


@files
def test_programs_are_started_by_lists_of_words(path: Path) -> None:
    for node in ast.walk(TREES[path]):
        if isinstance(node, ast.Call) and ast.unparse(node.func) in ("subprocess.run", "subprocess.Popen"):
            first = node.args[0]
            assert not isinstance(first, ast.Constant | ast.JoinedStr), f"{name(path)}:{node.lineno}"


def test_xml_of_others_is_not_parsed() -> None:
    """Plex is asked for JSON. The simulator alone reads XML."""
    for path in FILES:
        if not name(path).startswith(("plexsync/simulator/", "bench/", "plexsync/cli/commands/demo")):
            froms = [node for node in ast.walk(TREES[path]) if isinstance(node, ast.ImportFrom)]
            modules = {str(node.module) for node in froms}
            modules |= {
                alias.name for node in ast.walk(TREES[path]) if isinstance(node, ast.Import) for alias in node.names
            }
            assert not {one for one in modules if one.split(".")[0] in ("xml", "lxml", "defusedxml")}, name(path)


@pytest.mark.parametrize("path", product_files(), ids=name)
def test_a_child_with_our_python_imports_nothing_of_the_current_folder(path: Path) -> None:
    for node in ast.walk(TREES[path]):
        if isinstance(node, ast.List | ast.Tuple) and node.elts and ast.unparse(node.elts[0]) == "sys.executable":
            assert ast.unparse(node.elts[1]) in ("'-P'", "'-I'"), f"{name(path)}:{node.lineno}"


def test_the_rule_about_children_sees_those_that_are_started() -> None:
    files = (
        "plexsync/cli/daemon/child.py",
        "plexsync/stash_plugin/launcher.py",
        "plexsync/stash_plugin/dependencies.py",
    )
    for file in files:
        assert "[sys.executable, '-" in ast.unparse(TREES[ROOT / file])
