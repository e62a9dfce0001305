"""What is looked at in written code before any of it runs, in words for the model that wrote it."""

from __future__ import annotations

import ast
from collections import Counter
from collections.abc import Iterator, Sequence

from envscaler_gym.errors import BundleError, shorten
from envscaler_gym.isolation.lint import lint
from envscaler_gym.syntax import parse
from envscaler_gym.synthesis.coding.parts import Helpers, Method, RuleParts, plain_source
from envscaler_gym.synthesis.coding.shell import method_header
from envscaler_gym.synthesis.skeleton import Operation, Skeleton
from envscaler_gym.tools import Toolset, parse_module

__all__ = [
    "function_problems",
    "helper_problems",
    "import_problems",
    "invariant_problems",
    "method_problems",
    "module_problems",
]

_RESULTS = {"query": {"success", "data"}, "state_change": {"success", "message"}}
_REFUSAL = {"success", "error"}


def helper_problems(helpers: Helpers) -> list[str]:
    """List what is wrong with the helpers."""
    found = import_problems(helpers.imports)
    constants = _parsed("constants", helpers.constants, found)
    found += [
        f"constants, line {node.lineno}: only assignments to names that begin with '_' may stand here"
        for node in constants
        if not _is_constant(node)
    ]
    return found + list(function_problems("methods", helpers.methods, prefix="_", receiver=True))


def method_problems(method: Method, operation: Operation) -> list[str]:
    """List what is wrong with the method of an operation."""
    where = f"method {operation.name!r}"
    found = [f"{where}: {problem}" for problem in import_problems(method.imports)]
    nodes = _parsed(where, method.source, found)
    if not nodes:
        return found
    first = nodes[0] if nodes else None
    if not isinstance(first, ast.FunctionDef) or first.name != operation.name:
        return [f"{where}: the source must begin with the method, written as {method_header(operation)!r}"]
    if _signature(first) != _signature(_header(operation)):
        found.append(f"{where}: the signature must be {method_header(operation)!r}, as in the outline")
    if first.body[0].lineno == first.lineno:
        found.append(f"{where}: the body must begin on a line of its own")
    found += [f"{where}: {problem}" for problem in _result_problems(first, operation)]
    rest = "\n".join(map(ast.unparse, nodes[1:]))
    return found + list(function_problems(where, rest, prefix=f"_{operation.name}", receiver=True))


def function_problems(where: str, source: str, *, prefix: str, receiver: bool) -> Iterator[str]:
    """Yield what is wrong with private functions.

    Args:
        where: What they are called in messages.
        source: Their source.
        prefix: What their names begin with.
        receiver: Whether they are methods.
    """
    found: list[str] = []
    nodes = _parsed(where, source, found)
    yield from found
    for node in nodes:
        if not isinstance(node, ast.FunctionDef):
            yield f"{where}: {shorten(ast.unparse(node))} is no function; only functions may stand here"
            continue
        if not node.name.startswith(prefix) or node.name.startswith("__"):
            yield f"{where}: function {node.name!r} must have a name that begins with {prefix!r}"
        arguments = [*node.args.posonlyargs, *node.args.args][int(receiver) :] + node.args.kwonlyargs
        if node.returns is None or any(argument.annotation is None for argument in arguments):
            yield f"{where}: function {node.name!r} must have a type at every parameter and at its result"


def import_problems(imports: Sequence[str]) -> list[str]:
    """List what is wrong with import statements."""
    found = []
    for line in imports:
        try:
            nodes: list[ast.stmt] = parse(line.strip()).body
        except (SyntaxError, ValueError):
            nodes = []
        if len(nodes) != 1 or not isinstance(nodes[0], ast.Import | ast.ImportFrom):
            found.append(f"imports: {shorten(line)} is not an import statement")
            continue
        if any(alias.asname for alias in nodes[0].names):
            found.append(f"imports: {shorten(line)} must not rename what it imports")
        if isinstance(nodes[0], ast.Import) and nodes[0].names[0].name == "datetime":
            found.append("imports: write 'from datetime import date, datetime, timedelta', so that all methods agree")
        found += [f"imports: {finding.message}" for finding in lint(line.strip())]
    return found


def invariant_problems(parts: RuleParts, rules: Sequence[str]) -> list[str]:
    """List what is wrong with the functions of the rules.

    Args:
        parts: What was written.
        rules: The rules that must have one function each.
    """
    functions = parts.functions
    found = import_problems(parts.imports)
    found += function_problems("helpers", parts.helpers, prefix="_", receiver=False)
    wanted, written = Counter(rules), Counter(function.rule for function in functions)
    found += [f"no function has the rule {rule!r}, word for word" for rule in wanted - written]
    found += [f"{shorten(rule, 200)} is not one of the rules, or has several functions" for rule in written - wanted]
    for name, times in Counter(function.name for function in functions).items():
        if times > 1:
            found.append(f"{times} functions are called {name!r}")
    for function in functions:
        where = f"function {function.name!r}"
        nodes = _parsed(where, function.source, found)
        first = nodes[0] if len(nodes) == 1 else None
        if not isinstance(first, ast.FunctionDef) or first.name != function.name or first.name.startswith("_"):
            found.append(f"{where}: the source must be one function of that name, which does not begin with '_'")
        elif [argument.arg for argument in first.args.args] != ["state"] or first.returns is None:
            found.append(f"{where}: must be written as 'def {function.name}(state: Dict[str, Any]) -> List[str]:'")
        elif first.body[0].lineno == first.lineno:
            found.append(f"{where}: the body must begin on a line of its own")
    return found


def module_problems(skeleton: Skeleton, source: str) -> list[str]:
    """List what is wrong with the whole module."""
    try:
        module = parse_module(source)
        allowed = tuple((operation.name, operation.kind) for operation in skeleton.operations)
        specs = Toolset(source, skeleton.class_name, allowed).specs
    except BundleError as error:
        return [str(error)]
    found = [f"line {finding.line}: {finding.rule}: {finding.message}" for finding in lint(source)]
    body = next(
        node.body for node in module.body if isinstance(node, ast.ClassDef) and node.name == skeleton.class_name
    )
    names = Counter(node.name for node in body if isinstance(node, ast.FunctionDef))
    found += [f"the method {name!r} is defined {times} times" for name, times in names.items() if times > 1]
    known = {spec.name for spec in specs}
    found += [f"the public method {name!r} is no operation" for name in names if name[0] != "_" and name not in known]
    return found


def _parsed(where: str, source: str, found: list[str]) -> list[ast.stmt]:
    """Return the statements of a source; what keeps it from being read is added to ``found``."""
    plain = plain_source(source)
    try:
        nodes = parse_module(plain).body
    except BundleError as error:
        found.append(f"{where}: line {str(error).removeprefix('environment.py:')}")
        return []
    found += [f"{where}, line {finding.line}: {finding.message}" for finding in lint(plain)]
    return nodes


def _header(operation: Operation) -> ast.FunctionDef:
    node = parse(f"{method_header(operation)}\n    ...").body[0]
    assert isinstance(node, ast.FunctionDef)
    return node


def _signature(node: ast.FunctionDef) -> str:
    returns = "" if node.returns is None else ast.unparse(node.returns)
    return f"{ast.unparse(node.args)} -> {returns}"


def _is_constant(node: ast.stmt) -> bool:
    targets = node.targets if isinstance(node, ast.Assign) else [node.target] if isinstance(node, ast.AnnAssign) else []
    return bool(targets) and all(isinstance(target, ast.Name) and target.id.startswith("_") for target in targets)


def _result_problems(method: ast.FunctionDef, operation: Operation) -> Iterator[str]:
    for node in _own_nodes(method):
        if isinstance(node, ast.Return):
            yield from _return_problems(node, operation)
        elif isinstance(node, ast.Raise):
            yield f"line {node.lineno}: raises; a tool returns {{'success': False, 'error': ...}} instead"
        elif isinstance(node, ast.ExceptHandler) and (node.type is None or "Exception" in ast.unparse(node.type)):
            yield f"line {node.lineno}: catches everything; name the exception that is expected"
    if not _ends(method.body):
        yield "not every path ends with a return"


def _return_problems(node: ast.Return, operation: Operation) -> Iterator[str]:
    value, line = node.value, node.lineno
    if isinstance(value, ast.Dict):
        keys = {key.value for key in value.keys if isinstance(key, ast.Constant)}
        if keys not in (_RESULTS[operation.kind], _REFUSAL):
            wanted = " or ".join(str(sorted(keys, reverse=True)) for keys in (_RESULTS[operation.kind], _REFUSAL))
            yield f"line {line}: returns the keys {sorted(map(str, keys))}; a {operation.kind} returns {wanted}"
    elif not (isinstance(value, ast.Call) and ast.unparse(value.func).startswith("self._")):
        yield f"line {line}: must return a dict display, or what a private method returns"


def _own_nodes(function: ast.FunctionDef) -> Iterator[ast.AST]:
    """Yield the nodes of a function, those of functions within it left out."""
    rest: list[ast.AST] = list(function.body)
    while rest:
        node = rest.pop(0)
        yield node
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda | ast.ClassDef):
            rest = [*ast.iter_child_nodes(node), *rest]


def _ends(body: Sequence[ast.stmt]) -> bool:
    """Return whether a block cannot be left but by a return."""
    match body[-1]:
        case ast.Return() | ast.Raise():
            return True
        case ast.If(body=then, orelse=otherwise):
            return bool(otherwise) and _ends(then) and _ends(otherwise)
        case ast.With(body=inner):
            return _ends(inner)
        case ast.Try(body=tried, handlers=handlers, orelse=otherwise, finalbody=final):
            if final and _ends(final):
                return True
            return _ends(otherwise or tried) and all(_ends(handler.body) for handler in handlers)
        case ast.While(test=ast.Constant(value=True)):
            return True
        case _:
            return False
