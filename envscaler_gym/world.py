"""Worlds: live instances of a synthesized class behind one protocol.

A world knows state and tools, never tasks or rewards. :class:`InProcessWorld` runs the class in this process and is
for reviewed code only.
"""

from __future__ import annotations

import ast
import warnings
from collections.abc import Callable, Mapping
from functools import lru_cache, partial
from types import CodeType
from typing import Any, NamedTuple, Protocol

from envscaler_gym.ambient import Ambient, AmbientState, activate, ambient_builtins
from envscaler_gym.errors import LoadFailure, ReplyTooLarge, ToolFailure, shorten
from envscaler_gym.state import copy_state, to_json
from envscaler_gym.types import JSON, ToolResult

__all__ = ["MAX_REPLY", "InProcessWorld", "Program", "World", "WorldSnapshot", "compile_source"]

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

    def state(self) -> dict[str, Any]:
        """Return a copy of the state."""
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
        source: Source of the module.
        class_name: Name of the class.
        tools: Names of the methods that are tools.

    Raises:
        LoadFailure: The module cannot be executed or lacks the class.
    """

    def __init__(self, source: str, class_name: str, tools: tuple[str, ...]) -> None:
        self.class_name = class_name
        namespace: dict[str, Any] = {"__name__": f"envscaler.{class_name}", "__builtins__": ambient_builtins()}
        try:
            exec(compile_source(source, f"<{class_name}>"), namespace)  # noqa: S102 - reviewed code only
        except Exception as error:
            raise LoadFailure(f"the source of {class_name!r} raised {type(error).__name__}: {error}") from error
        self.cls: type[Any] = namespace[class_name]
        # Called with the instance, so that no world needs bound methods of its own.
        self.functions: dict[str, Callable[..., Any]] = {name: _unbound(self.cls, name) for name in tools}
        # Results that may hold sets, whose order depends on the hash seed, take the slower way.
        self.encode = partial(to_json, ordered_sets=True) if _makes_sets(source) else to_json
        # State after loading, by the identity of the start state, which is kept so that the identity stays its own.
        self.initial_states: dict[int, tuple[Mapping[str, Any], dict[str, Any]]] = {}

    @staticmethod
    @lru_cache(maxsize=256)
    def of(source: str, class_name: str, tools: tuple[str, ...]) -> Program:
        """Return the program of a class, made once per process."""
        return Program(source, class_name, tools)

    def instance(self, start_state: Mapping[str, Any]) -> Any:
        """Build an instance the way the published pipeline does, from a copy of the start state.

        The constructor is given the whole start state, or nothing where it takes nothing; then every top-level key
        becomes an attribute (EnvScaler, arXiv 2601.05808, published code).
        """
        cls = self.cls
        try:
            instance = cls(copy_state(start_state))
        except TypeError:
            instance = cls()
        for key, value in start_state.items():
            setattr(instance, key, copy_state(value))
        return instance


class InProcessWorld:
    """A world that runs the class in this process. See :class:`World` for the methods.

    Args:
        program: The compiled class.
    """

    __slots__ = ("_ambient", "_instance", "_program")

    def __init__(self, program: Program) -> None:
        self._program = program

    def load(self, start_state: Mapping[str, Any], ambient: Ambient) -> Mapping[str, Any]:
        """Build a new instance from a start state, which is copied, and return its state."""
        activate(ambient)
        self._ambient = ambient
        before = ambient.snapshot()
        try:
            self._instance = self._program.instance(start_state)
        except (Exception, SystemExit) as error:
            raise LoadFailure(
                f"{self._program.class_name} could not be built from the start state: {type(error).__name__}: {error}"
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
        except (Exception, SystemExit) as error:
            raise ToolFailure(
                f"{program.class_name}.{name}({shorten(arguments, 200)}) raised {type(error).__name__}: {error}"
            ) from error
        text = program.encode(result)
        if len(text) > MAX_REPLY // 4 and len(text.encode()) > MAX_REPLY:
            raise ReplyTooLarge(
                f"{program.class_name}.{name} returned {len(text)} characters, at most {MAX_REPLY} bytes"
            )
        return ToolResult(text, isinstance(result, dict) and result.get("success") is True)

    def state(self) -> dict[str, Any]:
        """Return a copy of the state."""
        return copy_state(self._live_state())  # type: ignore[no-any-return]  # a dict stays a dict

    def _live_state(self) -> dict[str, Any]:
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


def _makes_sets(source: str) -> bool:
    return any(
        isinstance(node, ast.Set | ast.SetComp) or (isinstance(node, ast.Name) and node.id in ("set", "frozenset"))
        for node in ast.walk(ast.parse(source))
    )


def _unbound(cls: type[Any], name: str) -> Callable[..., Any]:
    """Return a method as a function of the instance, whatever it is decorated with."""
    attribute = next((vars(base)[name] for base in cls.__mro__ if name in vars(base)), None)
    if attribute is None:
        raise LoadFailure(f"class {cls.__name__!r} has no method {name!r} once its module has run")
    if isinstance(attribute, staticmethod):
        function = attribute.__func__
        return lambda _instance, **arguments: function(**arguments)
    if isinstance(attribute, classmethod):
        function = attribute.__func__
        return lambda instance, **arguments: function(type(instance), **arguments)
    return attribute  # type: ignore[no-any-return]  # a plain function
