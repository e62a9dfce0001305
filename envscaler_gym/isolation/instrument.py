"""Counters in the code of a synthesized class: which of its branches are taken, and which statements ever complete.

The syntax tree is changed, not the source, so that line numbers stay what they are. Host and worker number the counters
alike, since both begin with the same source. What the counters call is handed to the module with its builtins.
"""

from __future__ import annotations

import ast
import sys
import warnings
from collections.abc import Callable, Iterator, Mapping
from types import CodeType
from typing import Any, NamedTuple, TypeVar

import msgspec

from envscaler_gym.errors import LoadFailure, describe_error
from envscaler_gym.syntax import parse

__all__ = ["Arm", "Caught", "Counters", "Instrumented", "Statement", "compile_instrumented", "instrument"]

_REACHED, _ARM, _CAUGHT, _VALUE = "__reached__", "__arm__", "__caught__", "__value__"
_Node = TypeVar("_Node", bound=ast.AST)
_MOST_PLACES = 200  # where swallowed exceptions are kept apart
_MESSAGE = 200  # characters of an exception's text


class Arm(NamedTuple):
    """One way on from a branching: one of the things that coverage counts.

    Attributes:
        counter: Index of its counter.
        function: Qualified name of the function that it is in.
        line: Line of the branching.
        what: ``"entered"`` of a function; ``"true"`` or ``"false"`` of a condition; ``"body"`` or ``"end"`` of a loop;
            ``"except"``, ``"case"`` or ``"no case"``.
    """

    counter: int
    function: str
    line: int
    what: str


class Statement(NamedTuple):
    """A statement, or the head of a compound one, that may raise.

    Attributes:
        function: Qualified name of the function that it is in.
        line: Its first line.
        last: Last line of what may raise.
        entered: Counter of the times that it began.
        completed: Counters of which one counts each time that it went on.
    """

    function: str
    line: int
    last: int
    entered: int
    completed: tuple[int, ...]


class Instrumented(NamedTuple):
    """A module with counters.

    Attributes:
        tree: Its syntax tree.
        counters: How many counters there are.
        arms: The branches.
        statements: The statements that can be seen not to complete.
    """

    tree: ast.Module
    counters: int
    arms: tuple[Arm, ...]
    statements: tuple[Statement, ...]


class Caught(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """Exceptions that one place raised and the module's own handlers swallowed.

    Attributes:
        line: The innermost line of the module in their tracebacks.
        times: How many there were.
        kind: Type of the first.
        message: Its text, cut.
        of: What an AttributeError missed the attribute on: ``"module"``, ``"class"`` or ``"value"``; otherwise empty.
        same: Whether all were of this type.
    """

    line: int
    times: int
    kind: str
    message: str
    of: str
    same: bool


class Counters:
    """What an instrumented module counts into.

    Args:
        size: Number of counters.
        class_name: Name of the class in the module.

    Attributes:
        counts: The counters.
    """

    def __init__(self, size: int, class_name: str) -> None:
        self.counts = [0] * size
        self._filename = _filename(class_name)
        self._caught: dict[int, Caught] = {}

    def builtins(self) -> Mapping[str, Any]:
        """Return what the module's builtins need besides the usual ones."""
        return {_REACHED: self.counts, _ARM: self._arm, _CAUGHT: self._catch}

    def caught(self) -> list[Caught]:
        """Return the swallowed exceptions, by line."""
        return [self._caught[line] for line in sorted(self._caught)]

    def line_of(self, error: BaseException) -> int:
        """Return the innermost line of the module in an exception's traceback; 0 where there is none."""
        trace, line = error.__traceback__, 0
        while trace is not None:
            if trace.tb_frame.f_code.co_filename == self._filename:
                line = trace.tb_lineno
            trace = trace.tb_next
        return line

    def _arm(self, counter: int) -> None:
        self.counts[counter] += 1

    def _catch(self) -> None:
        error = sys.exception()
        if error is None:
            return
        line = self.line_of(error)
        known = self._caught.get(line)
        if known is not None:
            same = known.same and known.kind == type(error).__name__
            self._caught[line] = msgspec.structs.replace(known, times=known.times + 1, same=same)
        elif len(self._caught) < _MOST_PLACES:
            self._caught[line] = Caught(line, 1, type(error).__name__, _text(error), _missed_on(error), True)


def _text(error: BaseException) -> str:
    try:
        return str(error)[:_MESSAGE].encode("utf-8", "backslashreplace").decode()
    except Exception as second:
        return f"<whose str raised {type(second).__name__}>"


def _missed_on(error: BaseException) -> str:
    if not isinstance(error, AttributeError):
        return ""
    if isinstance(error.obj, type):
        return "class"
    return "module" if type(error.obj).__name__ == "module" else "value"


def instrument(module: ast.Module) -> Instrumented:
    """Put counters into the functions of a module, changing its tree.

    Args:
        module: Its syntax tree, as :func:`ast.parse` made it.
    """
    instrumenter = _Instrumenter()
    for name, function in list(_functions(module, "")):
        instrumenter.function(function, name)
    ast.fix_missing_locations(module)
    return Instrumented(module, instrumenter.size, tuple(instrumenter.arms), tuple(instrumenter.statements))


def compile_instrumented(source: str, class_name: str) -> CodeType:
    """Compile the module of a synthesized class with counters in it.

    Raises:
        LoadFailure: It cannot be compiled.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return compile(instrument(parse(source)).tree, _filename(class_name), "exec", dont_inherit=True)
    except Exception as error:
        raise LoadFailure(f"the source of {class_name!r} cannot be compiled: {describe_error(error)}") from error


def _filename(class_name: str) -> str:
    """Return the name that the module of a class has in tracebacks."""
    return f"<{class_name}>"


def _functions(node: ast.AST, prefix: str) -> Iterator[tuple[str, ast.FunctionDef]]:
    """Yield the functions of a module, those in functions before the ones around them."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.FunctionDef | ast.ClassDef):
            name = prefix + child.name
            yield from _functions(child, name + ".")
            if isinstance(child, ast.FunctionDef):
                yield name, child
        elif not isinstance(child, ast.AsyncFunctionDef):
            yield from _functions(child, prefix)


class _Instrumenter:
    """Numbers counters and writes them into functions, one function after the other."""

    def __init__(self) -> None:
        self.size = 0
        self.arms: list[Arm] = []
        self.statements: list[Statement] = []
        self._name = ""

    def function(self, function: ast.FunctionDef, name: str) -> None:
        self._name = name
        start = 1 if ast.get_docstring(function, clean=False) is not None else 0
        entered = self._arm(function.lineno, "entered")
        body = self._block(function.body[start:], entered)
        function.body[start:] = body

    def _counter(self) -> int:
        self.size += 1
        return self.size - 1

    def _arm(self, line: int, what: str) -> int:
        counter = self._counter()
        self.arms.append(Arm(counter, self._name, line, what))
        return counter

    def _may_raise(self, node: ast.stmt, entered: int, *completed: int, head: ast.AST | None = None) -> None:
        last = getattr(head or node, "end_lineno", None) or node.lineno
        self.statements.append(Statement(self._name, node.lineno, last, entered, completed))

    def _block(self, statements: list[ast.stmt], entered: int) -> list[ast.stmt]:
        """Return the statements of a block with counters, the first of which counts how often it is entered."""
        made: list[ast.stmt] = [_count(entered)]
        for statement in statements:
            after = self._counter()
            if isinstance(statement, ast.Return):
                made += self._return(statement, entered, after)
            else:
                made += [self._statement(statement, entered), _count(after)]
                if isinstance(statement, _SIMPLE):
                    self._may_raise(statement, entered, after)
            entered = after
        return made

    def _return(self, statement: ast.Return, entered: int, after: int) -> list[ast.stmt]:
        if statement.value is None or isinstance(statement.value, ast.Constant | ast.Name):
            return [statement]
        kept = ast.Assign([ast.Name(_VALUE, ast.Store())], self._ternaries(statement.value))
        statement.value = ast.Name(_VALUE, ast.Load())
        self._may_raise(statement, entered, after)
        return [ast.copy_location(kept, statement), _count(after), statement]

    def _statement(self, statement: ast.stmt, entered: int) -> ast.stmt:
        match statement:
            case ast.If():
                statement.test = self._ternaries(statement.test)
                self._branching(statement, entered, "true", "false")
            case ast.While():
                statement.test = self._ternaries(statement.test)
                self._branching(statement, entered, "body", "end")
            case ast.For():
                statement.iter = self._ternaries(statement.iter)
                self._branching(statement, entered, "body", "end")
            case ast.With():
                for item in statement.items:
                    item.context_expr = self._ternaries(item.context_expr)
                inside = self._counter()
                self._may_raise(statement, entered, inside, head=statement.items[-1].context_expr)
                statement.body = self._block(statement.body, inside)
            case ast.Try() | ast.TryStar():
                self._try(statement)
            case ast.Match():
                self._match(statement, entered)
            case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.ClassDef():
                pass  # the functions inside are met by themselves
            case _:
                self._ternaries(statement)
        return statement

    def _ternaries(self, node: _Node) -> _Node:
        """Count the arms of the conditional expressions in a node: ``a`` becomes ``__arm__(n) or a``."""
        changed: _Node = _Ternaries(self._arm).visit(node)
        return changed

    def _branching(self, statement: ast.If | ast.While | ast.For, entered: int, first: str, second: str) -> None:
        body = self._arm(statement.lineno, first)
        statement.body = self._block(statement.body, body)
        if isinstance(statement, ast.While) and isinstance(statement.test, ast.Constant):
            return  # it ends by a break or a return only
        head = statement.iter if isinstance(statement, ast.For) else statement.test
        other = self._arm(statement.lineno, second)
        statement.orelse = self._block(statement.orelse, other)
        self._may_raise(statement, entered, body, other, head=head)

    def _try(self, statement: ast.Try | ast.TryStar) -> None:
        statement.body = self._block(statement.body, self._counter())
        for handler in statement.handlers:
            body = self._block(handler.body, self._arm(handler.lineno, "except"))
            handler.body = [ast.copy_location(_call(_CAUGHT), handler), *body]
        if statement.orelse:
            statement.orelse = self._block(statement.orelse, self._counter())
        if statement.finalbody:
            statement.finalbody = self._block(statement.finalbody, self._counter())

    def _match(self, statement: ast.Match, entered: int) -> None:
        taken = []
        for case in statement.cases:
            taken.append(self._arm(case.pattern.lineno, "case"))
            case.body = self._block(case.body, taken[-1])
        last = statement.cases[-1]
        if last.guard is not None or not isinstance(last.pattern, ast.MatchAs) or last.pattern.pattern is not None:
            taken.append(self._arm(statement.lineno, "no case"))
            statement.cases.append(ast.match_case(ast.MatchAs(), None, [_count(taken[-1])]))
        self._may_raise(statement, entered, *taken, head=statement.subject)


_SIMPLE = (ast.Assign, ast.AugAssign, ast.AnnAssign, ast.Expr, ast.Delete, ast.Import, ast.ImportFrom, ast.Assert)


class _Ternaries(ast.NodeTransformer):
    """Counts the arms of conditional expressions.

    Args:
        arm: Numbers an arm, by line and what it is.
    """

    def __init__(self, arm: Callable[[int, str], int]) -> None:
        self._arm = arm

    def visit_IfExp(self, node: ast.IfExp) -> ast.expr:
        self.generic_visit(node)
        node.body = ast.BoolOp(ast.Or(), [_call(_ARM, self._arm(node.lineno, "true")).value, node.body])
        node.orelse = ast.BoolOp(ast.Or(), [_call(_ARM, self._arm(node.lineno, "false")).value, node.orelse])
        return node


def _call(name: str, *arguments: int) -> ast.Expr:
    return ast.Expr(ast.Call(ast.Name(name, ast.Load()), [ast.Constant(argument) for argument in arguments], []))


def _count(counter: int) -> ast.stmt:
    cell = ast.Subscript(ast.Name(_REACHED, ast.Load()), ast.Constant(counter), ast.Store())
    return ast.AugAssign(cell, ast.Add(), ast.Constant(1))
