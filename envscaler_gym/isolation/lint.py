"""What stands out in generated code, by line, found without running it.

A finding is a reason to look, not a verdict: the wall around unreviewed code is the worker. What is looked for:

============== =========================================================================================
rule           finding
============== =========================================================================================
``syntax``     the source is not Python, or too large or too deeply nested to be read
``import``     a module outside the allow-list, a relative import, a way from one module to another
``dunder``     a special name that leads into the interpreter, such as ``__subclasses__`` or ``__globals__``
``dynamic``    code or names made while it runs: ``eval``, ``__import__``, ``getattr`` with a computed name
``io``         ``open``, ``input``, ``print``, ``breakpoint`` and the like
``frames``     attributes of frames, tracebacks, generators and code objects
``format``     a format string that reads attributes
``load-code``  statements that do more than import, define and assign when the module is loaded
``shared``     state that outlives an instance: class attributes, globals and defaults that are written to
============== =========================================================================================
"""

from __future__ import annotations

import ast
import re
import string
import sys
import warnings
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Literal

from envscaler_gym.bundle import ENVIRONMENT, INVARIANTS, SCENARIOS, Bundle
from envscaler_gym.isolation.lint_shared import shared_state
from envscaler_gym.syntax import parse

__all__ = ["ALLOWED_MODULES", "MAX_SOURCE", "Finding", "Rule", "lint", "lint_bundle"]

Rule = Literal["syntax", "import", "dunder", "dynamic", "io", "frames", "format", "load-code", "shared"]

MAX_SOURCE = 1 << 20
"""Longest source that is read, in characters; published classes have up to 100,000."""

ALLOWED_MODULES = frozenset(
    """__future__ abc base64 binascii bisect calendar cmath collections collections.abc colorsys copy dataclasses
    datetime decimal difflib enum fractions functools graphlib hashlib heapq hmac itertools json keyword math numbers
    operator random re secrets statistics string textwrap time typing typing_extensions unicodedata uuid
    zoneinfo""".split()  # noqa: SIM905 - a list of words reads better without quotes
)
"""Modules that compute and nothing else, as far as their public names go."""

_SYS_CONSTANTS = frozenset({"byteorder", "float_info", "int_info", "maxsize", "maxunicode", "version_info"})
_DYNAMIC = frozenset(
    """__import__ compile delattr dir eval exec getattr globals locals setattr vars""".split()  # noqa: SIM905 - ditto
)
_NAMED_ACCESS = frozenset({"getattr", "setattr", "delattr"})
_IO = frozenset({"breakpoint", "exit", "help", "input", "open", "print", "quit"})
_HARMLESS_DUNDERS = frozenset(
    """__annotations__ __class__ __debug__ __doc__ __main__ __members__ __module__ __name__ __qualname__ __version__
    __total__ __required_keys__ __optional_keys__ __dataclass_fields__ __slots__ __all__ __future__
    __init__ __post_init__ __new__ __call__ __enter__ __exit__ __len__ __iter__ __next__ __contains__ __reversed__
    __getitem__ __setitem__ __delitem__ __missing__ __hash__ __bool__ __str__ __repr__ __format__ __int__ __float__
    __index__ __round__ __abs__ __neg__ __eq__ __ne__ __lt__ __le__ __gt__ __ge__ __add__ __sub__ __mul__ __truediv__
    __floordiv__ __mod__ __and__ __or__ __xor__ __copy__ __deepcopy__""".split()  # noqa: SIM905 - ditto
)
_FRAMES = frozenset(
    """gi_frame gi_code gi_yieldfrom cr_frame cr_code cr_await cr_origin ag_frame ag_code ag_await tb_frame tb_next
    f_back f_builtins f_code f_globals f_locals f_trace co_code co_consts co_names func_globals""".split()  # noqa: SIM905 - ditto
)
_DUNDER = re.compile(r"__\w+__", re.ASCII)
_PATH = re.compile(r"[\w.]+", re.ASCII)
_FORMAT_TO_DUNDER = re.compile(r"\{[^{}]*\.__")


@dataclass(frozen=True, slots=True, order=True)
class Finding:
    """One thing that stands out.

    Attributes:
        line: Line of the source, from 1.
        rule: Which rule found it.
        message: What it is.
        where: Which source of a bundle it is in; empty where only one was read.
    """

    line: int
    rule: Rule
    message: str
    where: str = ""

    def __str__(self) -> str:
        return f"{self.where}:{self.line}: {self.rule}: {self.message}".lstrip(":")


@lru_cache(maxsize=4096)
def lint(source: str) -> tuple[Finding, ...]:
    """Return what stands out in a source, by line; computed once per process. Never raises, runs nothing.

    Args:
        source: Source of a module.
    """
    if len(source) > MAX_SOURCE:
        return (Finding(1, "syntax", f"the source has {len(source)} characters, at most {MAX_SOURCE} are read"),)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            tree = parse(source)
        linter = _Linter(tree)
        linter.visit(tree)
        found = linter.findings | {
            *(Finding(line, "load-code", message) for line, message in _load_code(tree.body, _defined(tree))),
            *(Finding(line, "shared", message) for line, message in shared_state(tree)),
        }
    except SyntaxError as error:
        return (Finding(error.lineno or 1, "syntax", f"not Python: {error.msg}"),)
    except (ValueError, RecursionError, MemoryError) as error:
        return (Finding(1, "syntax", f"cannot be read as Python: {type(error).__name__}: {error}"[:200]),)
    return tuple(sorted(found))


def lint_bundle(bundle: Bundle) -> tuple[Finding, ...]:
    """Return what stands out in the sources of a bundle: environment, invariants, then every check and guard."""
    return tuple(replace(finding, where=where) for where, source in _sources(bundle) for finding in lint(source))


def _sources(bundle: Bundle) -> Iterator[tuple[str, str]]:
    yield ENVIRONMENT, bundle.source
    if bundle.invariants_source is not None:
        yield INVARIANTS, bundle.invariants_source
    for scenario in bundle.scenarios.values():
        for kind, checks in (("check", scenario.checks or ()), ("guard", scenario.guards)):
            for number, check in enumerate(checks, 1):
                yield f"{SCENARIOS}, {scenario.id!r}, {kind} {number}", check.source


class _Linter(ast.NodeVisitor):
    """All rules that look at one expression at a time."""

    def __init__(self, tree: ast.Module) -> None:
        self.findings: set[Finding] = set()
        # Names bound in each scope around the node that is visited, and whether the scope is a class's: a class's
        # names are not seen from its methods.
        self.scopes: list[tuple[frozenset[str], bool]] = [(_bound(tree.body), False)]
        self.modules = _module_names(tree)

    def add(self, node: ast.AST, rule: Rule, message: str) -> None:
        self.findings.add(Finding(getattr(node, "lineno", 1), rule, message))

    def is_rebound(self, name: str) -> bool:
        """Return whether a name of a builtin means something of the module's own here."""
        own, _ = self.scopes[-1]
        return name in own or any(name in names for names, of_class in self.scopes[:-1] if not of_class)

    # Scopes.

    def visit_FunctionDef(self, node: ast.FunctionDef | ast.AsyncFunctionDef) -> None:
        for outside in (*node.decorator_list, node.args, *filter(None, [node.returns])):
            self.visit(outside)
        self.visit_scope(node.body, _parameters(node.args) | _bound(node.body))

    visit_AsyncFunctionDef = visit_FunctionDef  # noqa: N815 - the name that ast calls

    def visit_Lambda(self, node: ast.Lambda) -> None:
        self.visit(node.args)
        self.visit_scope([node.body], _parameters(node.args))

    def visit_ClassDef(self, node: ast.ClassDef) -> None:
        for outside in (*node.decorator_list, *node.bases, *node.keywords):
            self.visit(outside)
        self.visit_scope(node.body, _bound(node.body), is_class=True)

    def visit_scope(self, body: Iterable[ast.AST], names: frozenset[str], *, is_class: bool = False) -> None:
        self.scopes.append((names, is_class))
        for node in body:
            self.visit(node)
        self.scopes.pop()

    # Imports.

    def visit_Import(self, node: ast.Import) -> None:
        for alias in node.names:
            if alias.name not in ALLOWED_MODULES and alias.name != "sys":
                self.add(node, "import", f"imports {alias.name}, which is not on the list of pure modules")

    def visit_ImportFrom(self, node: ast.ImportFrom) -> None:
        module = node.module or ""
        if node.level:
            self.add(node, "import", f"imports relatively from {'.' * node.level}{module}")
        elif module == "sys":
            for alias in node.names:
                self.check_member(node, "sys", alias.name)
        elif module not in ALLOWED_MODULES:
            self.add(node, "import", f"imports {module}, which is not on the list of pure modules")
        else:
            for alias in node.names:
                self.check_member(node, module, alias.name)

    def check_member(self, node: ast.AST, module: str, member: str) -> None:
        """Look at what is taken from a module: its own public names are fine, the modules it imports are not."""
        if module == "sys" and member not in _SYS_CONSTANTS:
            self.add(node, "import", f"uses sys.{member}; only constants of sys are pure")
        elif _is_way_out(module, member):
            self.add(node, "import", f"reaches {member} through {module}")

    # Names, attributes, calls, texts.

    def visit_Name(self, node: ast.Name) -> None:
        name = node.id
        if name in self.modules and isinstance(node.ctx, ast.Load):
            self.add(node, "import", f"uses the module {self.modules[name]} as a value")
        if self.is_rebound(name):
            return
        if name in _IO:
            self.add(node, "io", f"uses {name}")
        elif name in _DYNAMIC:
            self.add(node, "dynamic", f"uses {name}")
        elif _is_dunder(name):
            self.add(node, "dunder", f"uses {name}")

    def visit_Attribute(self, node: ast.Attribute) -> None:
        base, name = node.value, node.attr
        if _is_dunder(name) and not (name == "__dict__" and isinstance(base, ast.Name) and base.id == "self"):
            self.add(node, "dunder", f"uses .{name}")
        elif name in _FRAMES:
            self.add(node, "frames", f"uses .{name}")
        if isinstance(base, ast.Name) and base.id in self.modules:
            if isinstance(node.ctx, ast.Load):
                self.check_member(node, self.modules[base.id], name)
            else:
                self.add(node, "shared", f"changes {self.modules[base.id]}.{name} for everybody")
        else:
            self.visit(base)

    def visit_Call(self, node: ast.Call) -> None:
        function = node.func
        if isinstance(function, ast.Name) and not self.is_rebound(function.id) and _is_plain_access(function.id, node):
            for argument in node.args:
                self.visit(argument)  # the name itself is looked at as a text
            return
        called = function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", None)
        if called in ("format", "format_map") and isinstance(function, ast.Attribute):
            template = function.value.value if isinstance(function.value, ast.Constant) else None
            for field in _attributes_read(template) if isinstance(template, str) else ():
                self.add(node, "format", f"formats {{{field}}}, which reads an attribute")
        elif called in ("attrgetter", "methodcaller") and not all(isinstance(a, ast.Constant) for a in node.args[:1]):
            self.add(node, "dynamic", f"uses {called} with a computed name")
        self.generic_visit(node)

    def visit_Constant(self, node: ast.Constant) -> None:
        text = node.value
        if not isinstance(text, str):
            return
        for name in text.split(".") if _PATH.fullmatch(text) else ():
            if _is_dunder(name):
                self.add(node, "dunder", f"names {name} in a text")
            elif name in _FRAMES:
                self.add(node, "frames", f"names {name} in a text")
        if _FORMAT_TO_DUNDER.search(text):
            self.add(node, "format", "holds a format string that reads special attributes")


def _is_dunder(name: str) -> bool:
    return _DUNDER.fullmatch(name) is not None and name not in _HARMLESS_DUNDERS


def _is_way_out(module: str, member: str) -> bool:
    """Return whether a member of an allowed module is private, or a module that it happens to import."""
    if member.startswith("_"):
        return not _DUNDER.fullmatch(member) and module != "__future__"
    own = member == module or f"{module}.{member}" in ALLOWED_MODULES or (module, member) == ("datetime", "time")
    return member in sys.stdlib_module_names and not own


def _is_plain_access(function: str, call: ast.Call) -> bool:
    """Return whether a call of getattr, vars or the like could as well be written with a dot."""
    if call.keywords or not call.args:
        return False
    first = call.args[0]
    if function in _NAMED_ACCESS:
        name = call.args[1] if len(call.args) > 1 else None
        return isinstance(name, ast.Constant) and isinstance(name.value, str)
    return function in ("vars", "dir") and len(call.args) == 1 and isinstance(first, ast.Name) and first.id == "self"


def _attributes_read(template: str) -> list[str]:
    try:
        return [field for _, field, _, _ in string.Formatter().parse(template) if field and "." in field]
    except ValueError:  # not a format string after all
        return []


def _module_names(tree: ast.Module) -> dict[str, str]:
    """Return the modules by the names that stand for them everywhere in the source."""
    modules: dict[str, str] = {}
    others: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                top = alias.name.partition(".")[0]
                modules[alias.asname or top] = alias.name if alias.asname else top
        elif isinstance(node, ast.ImportFrom):
            others |= {alias.asname or alias.name for alias in node.names}
        elif isinstance(node, ast.Name) and not isinstance(node.ctx, ast.Load):
            others.add(node.id)
        elif isinstance(node, ast.arg):
            others.add(node.arg)
    return {name: module for name, module in modules.items() if name not in others}


def _parameters(arguments: ast.arguments) -> frozenset[str]:
    return frozenset(node.arg for node in ast.walk(arguments) if isinstance(node, ast.arg))


def _bound(body: Iterable[ast.AST]) -> frozenset[str]:
    """Return the names that a block binds, not looking into the functions and classes that it defines."""
    names: set[str] = set()
    rest = list(body)
    while rest:
        node = rest.pop()
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            names.add(node.name)
            continue
        if isinstance(node, ast.Lambda):
            continue
        if isinstance(node, ast.Name) and not isinstance(node.ctx, ast.Load):
            names.add(node.id)
        elif isinstance(node, ast.ExceptHandler) and node.name:
            names.add(node.name)
        elif isinstance(node, ast.Import | ast.ImportFrom):
            names |= {alias.asname or alias.name.partition(".")[0] for alias in node.names}
        rest.extend(ast.iter_child_nodes(node))
    return frozenset(names)


def _defined(tree: ast.Module) -> frozenset[str]:
    """Return the names of the functions that the module itself defines, whose call runs its code."""
    return frozenset(node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef))


def _load_code(body: list[ast.stmt], functions: frozenset[str]) -> Iterator[tuple[int, str]]:
    """Yield line and message of the statements of a module, or of a class, that run code when it is loaded."""
    for node in body:
        match node:
            case ast.Import() | ast.ImportFrom() | ast.FunctionDef() | ast.AsyncFunctionDef() | ast.Pass():
                pass
            case ast.ClassDef():
                yield from _load_code(node.body, functions)
            case ast.Expr(value=ast.Constant()):
                pass
            case ast.Assign() | ast.AnnAssign():
                targets = node.targets if isinstance(node, ast.Assign) else [node.target]
                if not all(isinstance(target, ast.Name | ast.Tuple) for target in targets):
                    yield node.lineno, "assigns to something other than a name when it is loaded"
                elif node.value is not None and _calls(node.value, functions):
                    yield node.lineno, "calls a function of its own when it is loaded"
            case ast.If(test=test, body=then, orelse=otherwise) if not _calls(test):
                # What stands under 'if __name__ == "__main__"' never runs.
                is_main = ast.unparse(test) == "__name__ == '__main__'"
                yield from _load_code(otherwise if is_main else [*then, *otherwise], functions)
            case ast.Try(body=tried, handlers=handlers, orelse=otherwise, finalbody=final):
                parts = [tried, *(handler.body for handler in handlers), otherwise, final]
                yield from (found for part in parts for found in _load_code(part, functions))
            case _:
                yield node.lineno, f"runs {_STATEMENTS.get(type(node), 'a statement')} when it is loaded"


_STATEMENTS: dict[type[ast.stmt], str] = {
    ast.Expr: "an expression",
    ast.If: "an if",
    ast.For: "a loop",
    ast.While: "a loop",
    ast.With: "a with block",
    ast.Delete: "a del",
    ast.AugAssign: "an augmented assignment",
    ast.Assert: "an assert",
    ast.Raise: "a raise",
}


def _calls(expression: ast.expr, functions: frozenset[str] | None = None) -> bool:
    """Return whether an expression calls one of these functions or a lambda; without ``functions``, anything."""
    calls = [node.func for node in ast.walk(expression) if isinstance(node, ast.Call)]
    if functions is None:
        return bool(calls)
    return any(
        isinstance(called, ast.Lambda) or (isinstance(called, ast.Name) and called.id in functions) for called in calls
    )
