"""The lint's search for state that outlives an instance, and so leaks from one episode into the next."""

from __future__ import annotations

import ast
from collections.abc import Iterator

__all__ = ["shared_state"]

_CONTAINERS = frozenset({"list", "dict", "set", "bytearray", "defaultdict", "deque", "Counter", "OrderedDict"})
_MUTATORS = frozenset(
    """add append appendleft clear difference_update discard extend extendleft insert intersection_update pop popitem
    popleft remove reverse setdefault sort subtract symmetric_difference_update update""".split()  # noqa: SIM905 - a list of words reads better without quotes
)
_Function = ast.FunctionDef | ast.AsyncFunctionDef


def shared_state(tree: ast.Module) -> Iterator[tuple[int, str]]:
    """Yield line and message of every write to a class attribute, a global or a default that instances share.

    Values that reach a write by another name (``rows = self.rows; rows.append(1)``) are not followed.
    """
    globals_ = _mutable_names(tree.body)
    for node in ast.walk(tree):
        if isinstance(node, _Function):
            yield from _of_function(node, globals_)
        elif isinstance(node, ast.ClassDef):
            yield from _of_class(node)


def _of_function(function: _Function, globals_: frozenset[str]) -> Iterator[tuple[int, str]]:
    declared = {name for node in ast.walk(function) if isinstance(node, ast.Global) for name in node.names}
    assigned = {
        node.id for node in ast.walk(function) if isinstance(node, ast.Name) and not isinstance(node.ctx, ast.Load)
    }
    parameters = {node.arg for node in ast.walk(function.args) if isinstance(node, ast.arg)}
    defaults = _mutable_defaults(function.args) - assigned
    shared = (globals_ - assigned - parameters) | (declared & assigned)
    for line, target, _ in _writes(function):
        if isinstance(target, ast.Name) and target.id in shared:
            yield line, f"writes to the global {target.id}, which all episodes of a process share"
        elif isinstance(target, ast.Name) and target.id in defaults:
            yield line, f"writes to the default of {target.id}, which all calls share"
    for name in sorted(declared & assigned):
        yield function.lineno, f"{function.name} assigns the global {name}, which all episodes of a process share"


def _of_class(cls: ast.ClassDef) -> Iterator[tuple[int, str]]:
    methods = [node for node in cls.body if isinstance(node, _Function)]
    constructor = next((method for method in methods if method.name == "__init__"), None)
    own = {
        target.attr
        for target in (ast.walk(constructor) if constructor else ())
        if isinstance(target, ast.Attribute) and isinstance(target.ctx, ast.Store) and _is_name(target.value, "self")
    }
    mutable = _mutable_names(cls.body) - own
    for method in methods:
        for line, target, in_place in _writes(method):
            if not isinstance(target, ast.Attribute):
                continue
            if _is_class(target.value, cls.name) or (
                in_place and target.attr in mutable and _is_name(target.value, "self")
            ):
                yield line, f"writes to {cls.name}.{target.attr}, which all instances share"


def _writes(function: _Function) -> Iterator[tuple[int, ast.expr, bool]]:
    """Yield line, the name or attribute that is written to, and whether the write changes the value in place."""
    for node in ast.walk(function):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in _MUTATORS:
            yield node.lineno, _root(node.func.value), True
        elif isinstance(node, ast.Assign | ast.AugAssign | ast.AnnAssign | ast.Delete):
            targets = [node.target] if isinstance(node, ast.AugAssign | ast.AnnAssign) else node.targets
            for target in targets:
                in_place = isinstance(target, ast.Subscript) or isinstance(node, ast.AugAssign)
                if in_place or isinstance(target, ast.Attribute):
                    yield node.lineno, _root(target), in_place


def _root(node: ast.expr) -> ast.expr:
    """Return what a chain of subscripts starts with."""
    while isinstance(node, ast.Subscript):
        node = node.value
    return node


def _mutable_names(body: list[ast.stmt]) -> frozenset[str]:
    names = set()
    for node in body:
        if isinstance(node, ast.Assign | ast.AnnAssign) and node.value is not None and _is_mutable(node.value):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            names |= {target.id for target in targets if isinstance(target, ast.Name)}
    return frozenset(names)


def _mutable_defaults(arguments: ast.arguments) -> set[str]:
    positional = [*arguments.posonlyargs, *arguments.args]
    pairs = [
        *zip(positional[len(positional) - len(arguments.defaults) :], arguments.defaults, strict=True),
        *zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True),
    ]
    return {parameter.arg for parameter, default in pairs if default is not None and _is_mutable(default)}


def _is_mutable(value: ast.expr) -> bool:
    if isinstance(value, ast.Call):
        function = value.func
        name = function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", "")
        return name in _CONTAINERS
    return isinstance(value, ast.List | ast.Dict | ast.Set | ast.ListComp | ast.DictComp | ast.SetComp)


def _is_class(node: ast.expr, name: str) -> bool:
    """Return whether an expression is the class itself: by name, ``cls``, ``type(self)`` or ``self.__class__``."""
    if isinstance(node, ast.Name):
        return node.id in ("cls", name)
    if isinstance(node, ast.Attribute):
        return node.attr == "__class__"
    return isinstance(node, ast.Call) and _is_name(node.func, "type")


def _is_name(node: ast.expr, name: str) -> bool:
    return isinstance(node, ast.Name) and node.id == name
