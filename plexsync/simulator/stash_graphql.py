"""A small GraphQL executor that is fast enough to simulate a large library.

graphql-core does parsing, validation and the coercion of variables and arguments. Execution is implemented here: a
query is compiled once to a tree of closures and cached by its text, so that a page of a thousand scenes takes
milliseconds. It supports what the simulated schema uses: objects, interfaces, unions, lists and leaves (no
subscriptions), with resolvers that raise `StashError` only at the root. graphql-core itself answers introspection.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence, Set
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import lru_cache
from operator import attrgetter
from typing import Any

from graphql import (
    DirectiveNode,
    DocumentNode,
    ExecutionResult,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLError,
    GraphQLField,
    GraphQLIncludeDirective,
    GraphQLInterfaceType,
    GraphQLList,
    GraphQLNonNull,
    GraphQLObjectType,
    GraphQLOutputType,
    GraphQLSchema,
    GraphQLSkipDirective,
    GraphQLUnionType,
    InlineFragmentNode,
    ListValueNode,
    ObjectValueNode,
    OperationDefinitionNode,
    OperationType,
    SelectionSetNode,
    VariableNode,
    Visitor,
    execute_sync,
    get_argument_values,
    get_directive_values,
    get_variable_values,
    parse,
    validate,
    visit,
)

Resolver = Callable[..., Any]
"""`(owner, request, **arguments) -> value`; a root resolver gets the request as its owner, too."""

Complete = Callable[[Any, Any], Any]
CACHED = 512


class StashError(Exception):
    """A request that Stash rejects: the message becomes a GraphQL error of its root field."""


@dataclass(frozen=True)
class Reply:
    """An answer to one GraphQL request: the HTTP status and the JSON object of the body."""

    status: int
    body: dict[str, Any]


@dataclass(frozen=True)
class Root:
    """One root field of a compiled operation."""

    key: str
    required: bool
    resolve: Resolver
    nodes: FieldNode
    definition: GraphQLField
    complete: Complete | None


@dataclass(frozen=True)
class Document:
    """A parsed and valid document; `variables` are those that shape a plan: all except arguments of root fields."""

    node: DocumentNode
    operations: tuple[OperationDefinitionNode, ...]
    fragments: Mapping[str, FragmentDefinitionNode]
    variables: tuple[str, ...]
    introspects: bool


class Executor:
    """Answers GraphQL requests from a table of resolvers: type name -> field name -> resolver.

    A field without a resolver is read from the owner's attribute of the same name. Queries run with `lock` held; each
    field of a mutation runs without it (its resolver decides) and only reading its result holds it.
    """

    def __init__(
        self, schema: GraphQLSchema, resolvers: Mapping[str, Mapping[str, Resolver]], lock: AbstractContextManager[Any]
    ) -> None:
        self.schema = schema
        self.resolvers = resolvers
        self.lock = lock
        self._plans: dict[tuple[Any, ...], Sequence[Root]] = {}

    def answer(self, query: str, variables: dict[str, Any], operation_name: str | None, request: Any) -> Reply:
        """Run one request; a malformed or invalid one gets 422, one that Stash rejects 200 with `errors`."""
        document = read_document(self.schema, query)
        if isinstance(document, Reply):
            return document
        named = [
            o for o in document.operations if operation_name is None or (o.name and o.name.value == operation_name)
        ]
        if len(named) != 1:
            return refusal([GraphQLError(f"operation {operation_name} not found")])
        values = get_variable_values(self.schema, named[0].variable_definitions or (), variables)
        if isinstance(values, list):
            return refusal(values)
        if document.introspects:
            return introspection(
                execute_sync(self.schema, document.node, variable_values=variables, operation_name=operation_name)
            )
        plan = self._plan(query, document, named[0], variables, values)
        if named[0].operation is OperationType.QUERY:
            with self.lock:
                return run(plan, values, request)
        return run(plan, values, request, reading=self.lock)

    def _plan(
        self,
        query: str,
        document: Document,
        operation: OperationDefinitionNode,
        variables: dict[str, Any],
        values: Any,
    ) -> Sequence[Root]:
        name = operation.name.value if operation.name else None
        key = (query, name, *(repr(variables.get(variable)) for variable in document.variables))
        plan = self._plans.get(key)
        if plan is None:
            if len(self._plans) >= CACHED:
                self._plans.clear()
            plan = self._plans[key] = Compiler(self.schema, self.resolvers, document.fragments, values).operation(
                operation
            )
        return plan


def run(
    plan: Sequence[Root], values: Any, request: Any, *, reading: AbstractContextManager[Any] | None = None
) -> Reply:
    """Resolve the root fields in order; if a required one fails, there is no data at all."""
    data: dict[str, Any] | None = {}
    errors = []
    for root in plan:
        try:
            value = root.resolve(request, request, **get_argument_values(root.definition, root.nodes, values))
        except GraphQLError as wrong:
            return refusal([wrong])
        except StashError as refused:
            errors.append({"message": str(refused), "path": [root.key]})
            data = None if root.required or data is None else {**data, root.key: None}
            continue
        if data is not None:
            data[root.key] = completed(root, value, request, reading)
    return Reply(200, {"errors": errors, "data": data} if errors else {"data": data})


def completed(root: Root, value: Any, request: Any, reading: AbstractContextManager[Any] | None) -> Any:
    """The value of a root field in the requested shape."""
    if root.complete is None or value is None:
        return value
    if reading is None:
        return root.complete(value, request)
    with reading:
        return root.complete(value, request)


@lru_cache(maxsize=CACHED)
def read_document(schema: GraphQLSchema, query: str) -> Document | Reply:
    """Parse and validate; returns the error reply if the text is not a valid request."""
    try:
        node = parse(query)
    except GraphQLError as wrong:
        return refusal([wrong], code="GRAPHQL_PARSE_FAILED")
    wrongs = validate(schema, node)
    if wrongs:
        return refusal(wrongs)
    operations = tuple(d for d in node.definitions if isinstance(d, OperationDefinitionNode))
    fragments = {d.name.value: d for d in node.definitions if isinstance(d, FragmentDefinitionNode)}
    words = Words({id(field) for operation in operations for field in operation.selection_set.selections})
    visit(node, words)
    return Document(node, operations, fragments, tuple(sorted(words.variables)), words.introspects)


class Words(Visitor):
    """Collects the variables used outside of arguments of `roots`, and whether the schema is queried."""

    def __init__(self, roots: Set[int]) -> None:
        super().__init__()
        self.roots = roots
        self.variables: set[str] = set()
        self.introspects = False

    def enter_directive(self, node: DirectiveNode, *_: Any) -> None:
        """Visit @skip and @include."""
        self.variables.update(variables_in(node))

    def enter_field(self, node: FieldNode, *_: Any) -> None:
        """Visit the field's own arguments; the visitor reaches its directives and children by itself."""
        self.introspects |= node.name.value in ("__schema", "__type")
        if id(node) not in self.roots:
            self.variables.update(variables_in(node))


def variables_in(node: FieldNode | DirectiveNode) -> Iterator[str]:
    """The names of the variables in the node's arguments, however deep."""
    waiting: list[Any] = [argument.value for argument in node.arguments or ()]
    while waiting:
        value = waiting.pop()
        if isinstance(value, VariableNode):
            yield value.name.value
        elif isinstance(value, ListValueNode):
            waiting.extend(value.values)
        elif isinstance(value, ObjectValueNode):
            waiting.extend(field.value for field in value.fields)


class Compiler:
    """Turns the selections of one operation into closures, for one setting of its switches."""

    def __init__(
        self,
        schema: GraphQLSchema,
        resolvers: Mapping[str, Mapping[str, Resolver]],
        fragments: Mapping[str, FragmentDefinitionNode],
        values: Any,
    ) -> None:
        self.schema = schema
        self.resolvers = resolvers
        self.fragments = fragments
        self.values = values

    def operation(self, node: OperationDefinitionNode) -> list[Root]:
        """The root fields, in the requested order."""
        owner = self.schema.get_root_type(node.operation)
        if owner is None:
            raise StashError(f"no {node.operation.value} operations here")
        roots = []
        for key, nodes in self._collect(owner, [node.selection_set]).items():
            name = nodes[0].name.value
            if name == "__typename":
                roots.append(Root(key, False, typename(owner.name), nodes[0], GraphQLField(owner), None))
                continue
            field = owner.fields[name]
            required = isinstance(field.type, GraphQLNonNull)
            resolve = self.resolvers[owner.name][name]
            roots.append(Root(key, required, resolve, nodes[0], field, self._complete(field.type, nodes)))
        return roots

    def _complete(self, kind: GraphQLOutputType, nodes: list[FieldNode]) -> Complete | None:
        """The function that shapes a value of this type; None if the value is sent unchanged."""
        if isinstance(kind, GraphQLNonNull):
            return self._complete(kind.of_type, nodes)
        if isinstance(kind, GraphQLList):
            each = self._complete(kind.of_type, nodes)
            return None if each is None else list_of(each)
        if isinstance(kind, GraphQLInterfaceType):
            # The simulated data has one type of each interface.
            (kind,) = self.schema.get_implementations(kind).objects
        selections = [n.selection_set for n in nodes if n.selection_set]
        if isinstance(kind, GraphQLUnionType):
            return member_of({member.name: self._object(member, selections) for member in kind.types})
        if isinstance(kind, GraphQLObjectType):
            return self._object(kind, selections)
        return None

    def _object(self, owner: GraphQLObjectType, selections: list[SelectionSetNode]) -> Complete:
        attributes: list[tuple[str, Callable[[Any], Any]]] = []
        leaves: list[tuple[str, Resolver]] = []
        branches: list[tuple[str, Resolver, Complete]] = []
        collected = self._collect(owner, selections)
        for key, nodes in collected.items():
            name = nodes[0].name.value
            if name == "__typename":
                leaves.append((key, typename(owner.name)))
                continue
            complete = self._complete(owner.fields[name].type, nodes)
            resolve = self._resolver(owner, name, nodes[0])
            if complete is not None:
                branches.append((key, resolve or attribute(name), complete))
            elif resolve is not None:
                leaves.append((key, resolve))
            else:
                attributes.append((key, attrgetter(name)))
        return object_of(list(collected), attributes, leaves, branches)

    def _resolver(self, owner: GraphQLObjectType, name: str, node: FieldNode) -> Resolver | None:
        """The field's resolver with its arguments filled in; None for a plain attribute."""
        resolve = self.resolvers.get(owner.name, {}).get(name)
        if resolve is None or not node.arguments:
            return resolve
        return with_arguments(resolve, get_argument_values(owner.fields[name], node, self.values))

    def _collect(self, owner: GraphQLObjectType, selections: list[SelectionSetNode]) -> dict[str, list[FieldNode]]:
        """The requested fields by response key, with fragments expanded, in the order of the text."""
        found: dict[str, list[FieldNode]] = {}
        for selection in selections:
            for node in selection.selections:
                if not self._wanted(node):
                    continue
                if isinstance(node, FieldNode):
                    found.setdefault(node.alias.value if node.alias else node.name.value, []).append(node)
                    continue
                inside: SelectionSetNode | None = None
                if isinstance(node, FragmentSpreadNode):
                    inside = self.fragments[node.name.value].selection_set
                elif isinstance(node, InlineFragmentNode) and self._fits(owner, node):
                    inside = node.selection_set
                for key, nodes in self._collect(owner, [inside] if inside else []).items():
                    found.setdefault(key, []).extend(nodes)
        return found

    def _fits(self, owner: GraphQLObjectType, node: InlineFragmentNode) -> bool:
        """Whether a fragment is about objects of this type, and not about another member of a union."""
        name = node.type_condition.name.value if node.type_condition else owner.name
        return name == owner.name or not isinstance(self.schema.get_type(name), GraphQLObjectType)

    def _wanted(self, node: Any) -> bool:
        skip = get_directive_values(GraphQLSkipDirective, node, self.values)
        include = get_directive_values(GraphQLIncludeDirective, node, self.values)
        return not (skip and skip["if"]) and not (include and not include["if"])


def object_of(
    order: list[str],
    attributes: list[tuple[str, Callable[[Any], Any]]],
    leaves: list[tuple[str, Resolver]],
    branches: list[tuple[str, Resolver, Complete]],
) -> Complete:
    """A function that shapes one object: attributes and leaves are read, branches read and shaped; keys in the
    requested order.
    """
    blank = dict.fromkeys(order)

    def shape(value: Any, request: Any) -> dict[str, Any] | None:
        if value is None:
            return None
        shaped: dict[str, Any] = blank.copy()
        for key, read in attributes:
            shaped[key] = read(value)
        for key, resolve in leaves:
            shaped[key] = resolve(value, request)
        for key, resolve, complete in branches:
            shaped[key] = complete(resolve(value, request), request)
        return shaped

    return shape


def member_of(shapes: Mapping[str, Complete]) -> Complete:
    """A function that shapes a member of a union: the name of its class is that of its type."""
    return lambda value, request: shapes[type(value).__name__](value, request)


def list_of(each: Complete) -> Complete:
    """A function that shapes every member of a list."""

    def shape(values: Any, request: Any) -> list[Any] | None:
        return None if values is None else [each(value, request) for value in values]

    return shape


def attribute(name: str) -> Resolver:
    """A resolver that reads the attribute of that name."""
    read = attrgetter(name)
    return lambda owner, request: read(owner)


def typename(name: str) -> Resolver:
    """A resolver for `__typename`."""
    return lambda owner, request: name


def with_arguments(resolve: Resolver, arguments: dict[str, Any]) -> Resolver:
    """The resolver with its arguments filled in."""
    return lambda owner, request: resolve(owner, request, **arguments)


def refusal(wrongs: Sequence[GraphQLError], code: str = "GRAPHQL_VALIDATION_FAILED") -> Reply:
    """The reply to a request that was not run."""
    errors = [{**wrong.formatted, "extensions": {"code": code}} for wrong in wrongs]
    return Reply(422, {"errors": errors, "data": None})


def introspection(result: ExecutionResult) -> Reply:
    """The reply to an introspection query, from graphql-core's result."""
    return Reply(200, dict(result.formatted))
