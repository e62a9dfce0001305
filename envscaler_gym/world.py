"""Worlds: live instances of a synthesized class behind one protocol.

A world knows state and tools, never tasks or rewards. :class:`InProcessWorld` runs the class in this process and is
for reviewed code only.
"""

from __future__ import annotations

import ast
import dis
import inspect
import warnings
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache, partial
from types import CodeType, FunctionType
from typing import Any, NamedTuple, Protocol

from envscaler_gym.ambient import Ambient, AmbientState, activate, ambient_builtins
from envscaler_gym.errors import LoadFailure, ReplyTooLarge, StateTooLarge, ToolFailure, describe_error, shorten
from envscaler_gym.state import copy_state, to_json
from envscaler_gym.syntax import parse
from envscaler_gym.types import JSON, ToolResult

__all__ = [
    "MAX_REPLY",
    "InProcessWorld",
    "Program",
    "World",
    "WorldSnapshot",
    "compile_class",
    "compile_source",
    "makes_sets",
]

MAX_REPLY = 1 << 20
"""Longest text that a tool may return, in bytes of UTF-8."""


class WorldSnapshot(NamedTuple):
    """All that a world is at one moment. Opaque; valid for worlds of the same class only.

    Attributes:
        state: A copy of the state that nothing else refers to.
        ambient: Clock and random source.
    """

    state: Any
    ambient: AmbientState


class World(Protocol):
    """A live instance of a synthesized class."""

    def load(self, start_state: Mapping[str, Any], ambient: Ambient) -> Mapping[str, Any]:
        """Build a new instance from a start state, which is copied.

        Returns:
            The instance's state. It may be shared with other worlds and is not to be modified.

        Raises:
            LoadFailure: The class cannot be built.
        """
        ...

    def call(self, name: str, arguments: dict[str, JSON]) -> ToolResult:
        """Run a tool of the allow-list with validated arguments; the world takes the arguments over.

        Raises:
            ToolFailure: The tool raised.
            ReplyTooLarge: Its result exceeds :data:`MAX_REPLY`.
        """
        ...

    def call_many(self, calls: Sequence[tuple[str, dict[str, JSON]]]) -> list[ToolResult]:
        """Run tools one after the other, as :meth:`call` does each, up to the first that fails."""
        ...

    def submit(self, name: str, arguments: dict[str, JSON]) -> Callable[[], ToolResult]:
        """Begin a call, and return the function that waits for what :meth:`call` would return or raise.

        With several worlds, all calls can be under way before the first is waited for. A world has one at a time.
        """
        ...

    def advance(self, microseconds: int) -> None:
        """Let time pass on the episode's clock while nothing happens."""
        ...

    def state(self) -> dict[str, Any]:
        """Return a copy of the state.

        Raises:
            StateTooLarge: It cannot be copied.
        """
        ...

    def snapshot(self) -> WorldSnapshot:
        """Return what :meth:`restore` needs to come back here."""
        ...

    def restore(self, snapshot: WorldSnapshot) -> None:
        """Go back to a snapshot, which stays valid."""
        ...

    def close(self) -> None:
        """Give up what the world holds. Closing twice is allowed."""
        ...


class Program:
    """A synthesized class, compiled and executed once per process and shared by all its worlds.

    Args:
        code: The compiled module.
        class_name: Name of the class.
        tools: Names of the methods that are tools.
        sets: Whether results may hold sets.
        builtins: Builtins of the module; ``None`` for all, with stand-ins for clock and randomness.

    Raises:
        LoadFailure: The module cannot be executed or lacks the class.
    """

    def __init__(
        self,
        code: CodeType,
        class_name: str,
        tools: tuple[str, ...],
        sets: bool,
        builtins: Mapping[str, Any] | None = None,
    ) -> None:
        self.class_name = class_name
        namespace: dict[str, Any] = {
            "__name__": f"envscaler.{class_name}",
            "__builtins__": ambient_builtins() if builtins is None else dict(builtins),
        }
        activate(Ambient("2025-01-01T00:00:00", "load"))
        try:
            exec(code, namespace)  # noqa: S102 - reviewed, or in a worker
            self.cls: type[Any] = namespace[class_name]
        except (Exception, SystemExit) as error:
            raise LoadFailure(f"the source of {class_name!r} raised {describe_error(error)}") from error
        # Called with the instance, so that no world needs bound methods of its own.
        self.functions: dict[str, Callable[..., Any]] = {name: _unbound(self.cls, name) for name in tools}
        self._reads_config = _reads_arguments(self.cls)
        # Results that may hold sets, whose order depends on the hash seed, take the slower way.
        self.encode = partial(to_json, ordered_sets=True) if sets else to_json
        # State after loading, by the identity of the start state, which is kept so that the identity stays its own.
        self.initial_states: dict[int, tuple[Mapping[str, Any], dict[str, Any]]] = {}

    @staticmethod
    @lru_cache(maxsize=256)
    def of(source: str, class_name: str, tools: tuple[str, ...]) -> Program:
        """Return the program of a class, made once per process."""
        return Program(compile_class(source, class_name), class_name, tools, makes_sets(source))

    def instance(self, start_state: Mapping[str, Any]) -> Any:
        """Build an instance the way the published pipeline does, from a copy of the start state.

        The constructor is given the whole start state, or nothing where it takes nothing; then every top-level key
        becomes an attribute (EnvScaler, arXiv 2601.05808, published code).
        """
        cls = self.cls
        try:
            instance = cls(copy_state(start_state) if self._reads_config else {})
        except TypeError:
            instance = cls()
        for key, value in start_state.items():
            setattr(instance, key, copy_state(value))
        return instance


class InProcessWorld:
    """A world that runs the class in this process. See :class:`World` for the methods.

    Args:
        program: The compiled class.
        max_reply: Longest text that a tool may return, in bytes of UTF-8.
    """

    __slots__ = ("_ambient", "_instance", "_max_reply", "_program", "_surely_short")

    def __init__(self, program: Program, max_reply: int = MAX_REPLY) -> None:
        self._program = program
        self._max_reply = max_reply
        self._surely_short = max_reply // 4  # characters of up to four bytes each

    def load(self, start_state: Mapping[str, Any], ambient: Ambient) -> Mapping[str, Any]:
        """Build a new instance from a start state, which is copied, and return its state."""
        activate(ambient)
        self._ambient = ambient
        before = ambient.snapshot()
        try:
            self._instance = self._program.instance(start_state)
        except (Exception, SystemExit) as error:
            raise LoadFailure(
                f"{self._program.class_name} could not be built from the start state: {describe_error(error)}"
            ) from error
        if ambient.snapshot() != before:  # the constructor read the clock or drew an id
            return self.state()
        # Otherwise the state depends on the start state alone, and worlds that start alike share one copy of it.
        known = self._program.initial_states
        if id(start_state) not in known:
            known[id(start_state)] = start_state, self.state()
        return known[id(start_state)][1]

    def call(self, name: str, arguments: dict[str, JSON]) -> ToolResult:
        """Run a tool with validated arguments."""
        program = self._program
        self._ambient.begin_call()
        try:
            result = program.functions[name](self._instance, **arguments)
            text = program.encode(result)
        except (Exception, SystemExit) as error:
            raise ToolFailure(
                f"{program.class_name}.{name}({shorten(arguments, 200)}) raised {describe_error(error)}"
            ) from error
        if len(text) > self._surely_short and len(text.encode()) > self._max_reply:
            raise ReplyTooLarge(
                f"{program.class_name}.{name} returned {len(text)} characters, at most {self._max_reply} bytes"
            )
        return ToolResult(text, isinstance(result, dict) and result.get("success") is True)

    def call_many(self, calls: Sequence[tuple[str, dict[str, JSON]]]) -> list[ToolResult]:
        """Run tools one after the other."""
        return [self.call(name, arguments) for name, arguments in calls]

    def submit(self, name: str, arguments: dict[str, JSON]) -> Callable[[], ToolResult]:
        """Return a function that runs a tool."""
        return partial(self.call, name, arguments)

    def advance(self, microseconds: int) -> None:
        """Let time pass on the episode's clock."""
        self._ambient.microseconds += microseconds

    def state(self) -> dict[str, Any]:
        """Return a copy of the state."""
        try:
            return copy_state(self.live_state())  # type: ignore[no-any-return]  # a dict stays a dict
        except Exception as error:  # locks, generators, what nests without an end: whatever a method left there
            raise StateTooLarge(
                f"the state of {self._program.class_name} cannot be copied: {describe_error(error)}"
            ) from error

    def live_state(self) -> dict[str, Any]:
        """Return the state itself, for those who only read it."""
        return {
            key: value
            for key, value in vars(self._instance).items()
            if not (key.startswith("__") and key.endswith("__"))
        }

    def snapshot(self) -> WorldSnapshot:
        """Return what :meth:`restore` needs to come back here."""
        return WorldSnapshot(self.state(), self._ambient.snapshot())

    def restore(self, snapshot: WorldSnapshot) -> None:
        """Go back to a snapshot, which stays valid."""
        instance = object.__new__(self._program.cls)
        vars(instance).update(copy_state(snapshot.state))
        self._instance = instance
        self._ambient.restore(snapshot.ambient)

    def close(self) -> None:
        """Give up the instance. Closing twice is allowed."""
        self._instance = None


@lru_cache(maxsize=4096)
def compile_source(source: str, filename: str) -> CodeType:
    """Compile a module, once per process, without the warnings that generated code causes."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return compile(source, filename, "exec", dont_inherit=True)


def compile_class(source: str, class_name: str) -> CodeType:
    """Compile the module of a synthesized class.

    Raises:
        LoadFailure: It cannot be compiled.
    """
    try:
        return compile_source(source, f"<{class_name}>")
    except Exception as error:
        raise LoadFailure(f"the source of {class_name!r} cannot be compiled: {describe_error(error)}") from error


@lru_cache(maxsize=256)
def makes_sets(source: str) -> bool:
    """Return whether a module makes sets, whose order depends on the hash seed."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # invalid escapes in generated code
        return any(map(_makes_set, ast.walk(parse(source))))


def _makes_set(node: ast.AST) -> bool:
    if isinstance(node, ast.Name):
        return node.id in ("set", "frozenset")
    if isinstance(node, ast.BinOp | ast.Assign | ast.AnnAssign | ast.NamedExpr):  # ``a.keys() & b.keys()`` is a set
        calls = (child.func for child in ast.iter_child_nodes(node) if isinstance(child, ast.Call))
        return any(isinstance(called, ast.Attribute) and called.attr in ("keys", "items") for called in calls)
    return isinstance(node, ast.Set | ast.SetComp)


def _reads_arguments(cls: Any) -> bool:
    """Return whether a class's constructor may look at its arguments; one that deletes or ignores them does not."""
    if not isinstance(cls.__init__, FunctionType) or cls.__new__ is not object.__new__:
        return True
    if {"locals", "vars", "eval", "exec"}.intersection(cls.__init__.__code__.co_names):
        return True
    given = set(list(inspect.signature(cls.__init__, follow_wrapped=False).parameters)[1:])
    return any(
        given.intersection(step.argval if isinstance(step.argval, tuple) else (step.argval,))
        for step in dis.get_instructions(cls.__init__)
        if step.opname != "DELETE_FAST"
    )


def _unbound(cls: type[Any], name: str) -> Callable[..., Any]:
    """Return a method as a function of the instance, whatever it is decorated with."""
    attribute = next((vars(base)[name] for base in cls.__mro__ if name in vars(base)), None)
    if attribute is None:
        raise LoadFailure(f"class {cls.__name__!r} has no method {name!r} once its module has run")
    if isinstance(attribute, staticmethod):
        function = attribute.__func__
        return lambda _instance, /, **arguments: function(**arguments)  # noqa: PLW0108 - it drops the instance
    if isinstance(attribute, classmethod):
        function = attribute.__func__
        return lambda instance, /, **arguments: function(type(instance), **arguments)
    if not callable(attribute):
        raise LoadFailure(f"{cls.__name__}.{name} is no method once its module has run, but {shorten(attribute)}")
    return attribute  # type: ignore[no-any-return]  # a plain function
