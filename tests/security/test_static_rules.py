"""Read off the syntax tree: SQL is constant and takes parameters, and what runs foreign data as code is not used at all."""

import ast

import pytest

from tests.sources import Broken, Rule, Source, bench, broken, dotted, lines_broken, product

# Where tests are spread by groups, those that read the sources run in one process, which parses them once.
pytestmark = pytest.mark.xdist_group("sources")
EXECUTES = {"execute", "executemany", "executescript"}
# The methods of `plexsync.store.connection.Connection`, by which every table executes.
QUERIES = {"execute_many", "rows", "once", "stream", "row", "value"}
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
# The simulator alone reads XML, and the demo and the bench are made of it.
MAY_READ_XML = ("plexsync/simulator/", "bench/", "plexsync/cli/commands/demo")
XML = ("xml", "lxml", "defusedxml")


def all_sources() -> list[Source]:
    return [*product(), *bench()]


def test_every_file_is_read() -> None:
    # That each package of the product is read is the affair of `test_layers`.
    assert {source.package for source in all_sources()} >= {"plexsync.store", "plexsync.web", "validation", "bench"}
    assert len(bench()) > 5
    calls = [call for source in all_sources() for call in source.nodes(ast.Call) if _is_execute(call)]
    assert len(calls) > 60


def _is_execute(call: ast.Call) -> bool:
    if not isinstance(call.func, ast.Attribute):
        return False
    ours = call.func.attr in QUERIES and dotted(call.func.value) in ("self._db", "db")
    return ours or call.func.attr in EXECUTES


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
        self.class_texts = class_texts(tree)
        for node in tree.body:
            match node:
                case ast.Assign(targets=[ast.Name(id=id)]) | ast.AnnAssign(target=ast.Name(id=id)):
                    self._known.add(id)
                case ast.ImportFrom(names=names) | ast.Import(names=names):
                    # A constant of another module is one as well: its file is held to the same rule.
                    self._known |= {(alias.asname or alias.name).split(".")[0] for alias in names}

    def odd(self) -> list[ast.expr]:
        """What is executed without being made of texts and constants of modules alone."""
        calls = [node for node in ast.walk(self._tree) if isinstance(node, ast.Call) and _is_execute(node)]
        return [call.args[0] for call in calls if not self._constant(call.args[0], self._home.get(call))]

    def _constant(self, node: ast.expr | None, home: ast.FunctionDef | None) -> bool:
        def all_of(*parts: ast.expr | None) -> bool:
            return bool(parts) and all(self._constant(part, home) for part in parts)

        match node:
            case ast.Constant(value=str()):
                return True
            case ast.Name(id=id):
                return self._named(id, home)
            case ast.Attribute(value=ast.Name(id="self"), attr=attr):
                # Its values are held to a rule of their own.
                return attr in self.class_texts
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


def class_texts(tree: ast.AST) -> set[str]:
    """The texts that a class leaves to its subclasses: `_name: str` in its body."""
    return {
        node.target.id
        for made in ast.walk(tree)
        if isinstance(made, ast.ClassDef)
        for node in made.body
        if isinstance(node, ast.AnnAssign) and node.value is None and isinstance(node.target, ast.Name)
    }


def odd_class_texts(tree: ast.AST, names: set[str]) -> list[int]:
    """The lines that give one of these names to a class or an object, and not as a constant in the body of a class."""
    bodies = [node for made in ast.walk(tree) if isinstance(made, ast.ClassDef) for node in made.body]
    odd = []
    for node in ast.walk(tree):
        if not isinstance(node, ast.Assign | ast.AnnAssign | ast.AugAssign) or node.value is None:
            continue
        targets = node.targets if isinstance(node, ast.Assign) else [node.target]
        given = {name_of(one) for target in targets for one in parts_of(target)}
        values = parts_of(node.value)
        is_constant = all(isinstance(value, ast.Name) and value.id.isupper() for value in values)
        if given & names and not (node in bodies and is_constant):
            odd.append(node.lineno)
    return sorted(odd)


def parts_of(node: ast.expr) -> list[ast.expr]:
    """The parts of a tuple, or the one that it is."""
    return node.elts if isinstance(node, ast.Tuple) else [node]


def name_of(node: ast.expr) -> str:
    """The name of a variable or an attribute; '' of anything else."""
    return node.id if isinstance(node, ast.Name) else node.attr if isinstance(node, ast.Attribute) else ""


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
    assert sorted(node.lineno for node in Statements(ast.parse(bad)).odd()) == [4, 5, 8, 9, 10, 11, 17]


# Where a statement comes in as an argument, or a pragma takes a number: pragmas take no parameters.
BY_HAND = {
    # They hand on what their callers give, who are held to the same rule; for PostgreSQL, translated.
    "plexsync/store/sqlite.py": {"sql"},
    "plexsync/store/queue/summary.py": {"sql"},
    "plexsync/store/postgres/connection.py": {"for_driver(sql)", "statements.encode()"},
    # The name of a schema comes from a setting that takes none but small letters, digits and _; the other statements are
    # those of the layout.
    "plexsync/store/postgres/schema.py": {
        "f'create schema if not exists \"{schema_name}\"'",
        "f'select program, version from \"{schema_name}\".schema_version'",
        "';\\n'.join(statements).encode()",
    },
    # Statements of our own layout, and of the steps to it.
    "plexsync/store/schema.py": {"statement"},
    # Tables and columns of our own layout.
    "plexsync/store/files/moving.py": {"f'pragma table_info({name})'", "f'delete from {table.name}'", "table.read"},
    "plexsync/store/db.py": {"f'pragma wal_autocheckpoint = {CHECKPOINT_PAGES if checkpoints else 0}'"},
    # Tables come from a constant or a schema that was compared with ours, columns from a damaged database: only those
    # named in small letters are taken.
    "plexsync/store/files/integrity.py": {
        # In a database in memory: what makes the tables of the one that is looked at, and the step to our layout.
        "sql",
        "f\"select {', '.join(columns)} from {table}\"",
        "f\"select 1 from {table} where {' or '.join(wrong)} limit 1\"",
    },
    "plexsync/store/files/repair.py": {
        "f'select * from {table} order by {by}'",
        # From a database that our schema has just made.
        "f\"insert or ignore into {table} ({', '.join(names)}) values ({marks})\"",
    },
    # A constant, completed by kinds that are checked to be lower-case words.
    "plexsync/store/queue/jobs.py": {"sql"},
    # Constants, completed by other constants of a fixed order.
    "plexsync/store/queue/job_queries.py": {"of_kinds(NEXT_DUE, kinds)", "dead_in_order(sort, error_class)"},
    "plexsync/store/index/scene_names.py": {"sql", "in_order(sort)"},
    "plexsync/store/queue/standings.py": {"rows.nameless", "ids.in_order(page.sort)"},
}


# F-strings of the store's modules that call something. All are made when the module is imported.
MADE_BY_CALLS = {
    # The name of a folder, and no SQL.
    "plexsync/store/files/life_signs.py": {"os.getpid()"},
    # A constant of the module above, completed by a constant condition.
    "plexsync/store/index/index.py": {
        "_HELD_ELSEWHERE.format(held='(holder.section <> :section or holder.walk = :walk)')",
        "_HELD_ELSEWHERE.format(held='holder.key not in (select value from json_each(:keys))')",
    },
    # A condition of `plexsync/store/documents.py`, completed by the name of a table.
    "plexsync/store/ledger/bindings.py": {"of_this_library('binding')"},
    "plexsync/store/ledger/memories.py": {"of_this_library('memory')", "of_this_library('pushing')"},
    "plexsync/store/ledger/pushes.py": {"of_this_library('pushing')"},
    "plexsync/store/ledger/play_memory.py": {"of_this_library('played')"},
    "plexsync/store/ledger/rating_memory.py": {"of_this_library('rating')"},
}


def executed_by_hand(source: Source) -> dict[str, int]:
    """What is executed and not made of constants, as it is written, with its line."""
    if not any(map(_is_execute, source.nodes(ast.Call))):
        return {}
    return {ast.unparse(statement): statement.lineno for statement in Statements(source.tree).odd()}


def constants_by_calls(source: Source) -> dict[str, int]:
    """What an f-string at the top of a module holds but what stands above it, as it is written, with its line."""
    found = {}
    for node in source.tree.body:
        if isinstance(node, ast.Assign | ast.AnnAssign) and node.value is not None:
            for part in ast.walk(node.value):
                if isinstance(part, ast.FormattedValue) and not _stands_above(part.value):
                    found[ast.unparse(part.value)] = part.lineno
    return found


def _stands_above(value: ast.expr) -> bool:
    joins = isinstance(value, ast.Call) and "join" in ast.unparse(value)
    return joins or isinstance(value, ast.Name | ast.Attribute | ast.Constant)


def as_written(table: dict[str, set[str]]) -> set[tuple[str, str]]:
    """A list of exceptions by file: quotes and brackets are written by each version of Python in its own way."""
    return {(name, ast.unparse(ast.parse(text, mode="eval"))) for name, texts in table.items() for text in texts}


def test_the_texts_that_classes_leave_to_their_subclasses_are_constants() -> None:
    store = [source for source in product() if source.name.startswith("plexsync/store/")]
    executed = {call.args[0] for source in store for call in source.nodes(ast.Call) if _is_execute(call)}
    texts = {name for source in store for name in class_texts(source.tree)}
    names = texts & {text.attr for text in executed if isinstance(text, ast.Attribute)}
    assert {"_list", "_scenes"} <= names
    assert [(source.name, line) for source in store for line in odd_class_texts(source.tree, names)] == []


def test_the_rule_on_texts_of_classes_finds_what_it_is_for() -> None:
    example = """
class A:
    _list: str
class B(A):
    _list = LIST
    _list, _other = LIST, more()
    def f(self, text):
        self._list = text
        self._list += LIST
B._list = LIST
"""
    tree = ast.parse(example)
    assert class_texts(tree) == {"_list"}
    assert odd_class_texts(tree, {"_list"}) == [6, 8, 9, 10]


def test_sql_is_made_of_constants() -> None:
    held = [source for source in product() if not source.name.startswith("plexsync/simulator/")]
    found = {(source.name, text): line for source in held for text, line in executed_by_hand(source).items()}
    known = as_written(BY_HAND)
    assert [f"{name}:{line}: {text}" for (name, text), line in found.items() if (name, text) not in known] == []
    assert known - found.keys() == set()


def test_constants_of_sql_are_made_of_constants() -> None:
    """An f-string at the top of a module uses what stands above it, and nothing that is called or comes from outside."""
    store = [source for source in product() if source.name.startswith("plexsync/store/")]
    found = {(source.name, text): line for source in store for text, line in constants_by_calls(source).items()}
    known = as_written(MADE_BY_CALLS)
    assert [f"{name}:{line}: {text}" for (name, text), line in found.items() if (name, text) not in known] == []
    assert known - found.keys() == set()


def test_the_rule_on_constants_of_sql_finds_what_it_is_for() -> None:
    example = """
A = "select 1"
B = f"{A} union {a.A} union {', '.join(A)}"
C = f"{A} where {made()}"
D: str = f"{os.environ['ORDER']}" + f"{A}{B if A else C}"
E = ("", f"{A.format(x=1)}")
"""
    assert list(constants_by_calls(Source("example.py", example)).values()) == [4, 5, 5, 6]


def data_as_code(source: Source) -> Broken:
    never = NEVER_IMPORTED - {"yaml"} if source.name == READS_YAML else NEVER_IMPORTED
    for plain in source.nodes(ast.Import):
        yield from ((plain.lineno, alias.name) for alias in plain.names if alias.name.split(".")[0] in never)
    for node in source.nodes(ast.ImportFrom):
        if str(node.module).split(".")[0] in NEVER_IMPORTED:
            yield node.lineno, str(node.module)
    for call in source.nodes(ast.Call):
        if dotted(call.func) in NEVER_CALLED:
            yield call.lineno, dotted(call.func)
        for keyword in call.keywords:
            by_shell = isinstance(keyword.value, ast.Constant) and keyword.value.value is False
            if keyword.arg == "shell" and not by_shell:
                yield call.lineno, ast.unparse(keyword)
    for attribute in source.nodes(ast.Attribute):
        of_yaml = isinstance(attribute.value, ast.Name) and attribute.value.id == "yaml"
        if attribute.attr in (UNSAFE_YAML if of_yaml else NEVER_NAMED):
            yield attribute.lineno, ast.unparse(attribute)


def choices_of_trust(source: Source) -> Broken:
    """Certificates are verified; redirects are not followed, and proxies of the environment not used."""
    for keyword in source.nodes(ast.keyword):
        if keyword.arg in ("verify", "follow_redirects", "trust_env", "check_hostname"):
            wanted = keyword.arg in ("verify", "check_hostname")
            if not isinstance(keyword.value, ast.Constant) or keyword.value.value is not wanted:
                yield keyword.value.lineno, ast.unparse(keyword)


def programs_by_a_text(source: Source) -> Broken:
    for call in source.nodes(ast.Call):
        starts = dotted(call.func) in ("subprocess.run", "subprocess.Popen")
        if starts and (not call.args or isinstance(call.args[0], ast.Constant | ast.JoinedStr)):
            yield call.lineno, ast.unparse(call)


def readers_of_xml(source: Source) -> Broken:
    return ((line, module) for module, line in source.imports.items() if module.split(".")[0] in XML)


def own_python(source: Source) -> list[ast.List | ast.Tuple]:
    """The lists of words that start a child with our Python."""
    lists = source.nodes(ast.List, ast.Tuple)
    return [words for words in lists if words.elts and dotted(words.elts[0]) == "sys.executable"]


def children_that_import_from_here(source: Source) -> Broken:
    for words in own_python(source):
        if ast.unparse(ast.Tuple(words.elts[1:2])) not in ("('-P',)", "('-I',)"):
            yield words.lineno, ast.unparse(words)


def test_nothing_runs_data_as_code() -> None:
    assert broken(data_as_code, all_sources()) == []


def test_certificates_and_redirects_are_not_a_matter_of_choice() -> None:
    assert broken(choices_of_trust, all_sources()) == []


def test_programs_are_started_by_lists_of_words() -> None:
    assert broken(programs_by_a_text, all_sources()) == []


def test_xml_of_others_is_not_parsed() -> None:
    """Plex is asked for JSON. The simulator alone reads XML."""
    assert broken(readers_of_xml, [one for one in all_sources() if not one.name.startswith(MAY_READ_XML)]) == []
    assert broken(readers_of_xml, [one for one in all_sources() if one.name.startswith(MAY_READ_XML)]) != []


def test_a_child_with_our_python_imports_nothing_of_the_current_folder() -> None:
    assert broken(children_that_import_from_here, product()) == []
    assert {source.name for source in product() if own_python(source)} >= {
        "plexsync/cli/daemon/child.py",
        "plexsync/stash_plugin/launcher.py",
        "plexsync/stash_plugin/dependencies.py",
    }


@pytest.mark.parametrize(
    ("rule", "lines"),
    [
        (data_as_code, ["import json, pickle", "from marshal import loads", "import yaml"]),
        (data_as_code, ["eval(x)", "os.system('ls')", "f(x, shell=True)", "f(x, shell=y)"]),
        (data_as_code, ["yaml.load(x)", "context.check_hostname = False", "ssl._create_unverified_context()"]),
        (choices_of_trust, ["f(verify=False)", "f(verify=x)", "f(follow_redirects=True)", "f(trust_env=1)"]),
        (choices_of_trust, ["f(check_hostname=None)"]),
        (programs_by_a_text, ["subprocess.run('ls')", "subprocess.Popen(f'ls {x}')", "subprocess.run(args=x)"]),
        (readers_of_xml, ["import xml.sax", "def f(): from lxml import etree", "from defusedxml import common"]),
        (children_that_import_from_here, ["a = [sys.executable, '-m', 'plexsync']", "b = (sys.executable,)"]),
    ],
)
def test_a_rule_names_each_line_that_breaks_it(rule: Rule, lines: list[str]) -> None:
    allowed = [
        "import re",
        "f(x, shell=False, verify=True, follow_redirects=False, trust_env=False)",
        "yaml.safe_load(x).load()",
        "subprocess.run([sys.executable, '-P', '-m', x])",
        "from plexsync.rules.servers.errors import SyncError",
    ]
    text = "\n".join([*lines, *allowed])
    assert sorted(set(lines_broken(rule, text))) == list(range(1, len(lines) + 1))


def test_only_the_reader_of_manifests_imports_yaml() -> None:
    assert not lines_broken(data_as_code, "import yaml", READS_YAML)
    assert lines_broken(data_as_code, "import yaml\nimport pickle\nyaml.unsafe_load(x)", READS_YAML) == [2, 3]
