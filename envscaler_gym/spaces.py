"""Our own spaces: text as it is, and actions that use what the world holds.

``gymnasium.spaces.Text`` is not used because its default charset has 62 characters, and the shared memory of
Gymnasium's ``AsyncVectorEnv`` drops every other one. The registrations at the end of this module give
:class:`TextSpace` a shared buffer that holds UTF-8, behind a live view.
"""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable, Iterator, Sequence
from multiprocessing.heap import BufferWrapper
from types import ModuleType
from typing import Any

import gymnasium as gym
import numpy as np
from gymnasium.vector.utils import create_shared_memory, read_from_shared_memory, write_to_shared_memory

from envscaler_gym.sampling import ValuePool, sample_arguments
from envscaler_gym.tools import InvalidArguments, Toolset
from envscaler_gym.types import Action
from envscaler_gym.world import MAX_REPLY

__all__ = ["MAX_TEXT", "ActionSpace", "TextBatch", "TextSpace"]

MAX_TEXT = MAX_REPLY + (1 << 20)
"""Longest observation, in bytes of UTF-8: a tool's longest reply, or a task, with room to spare."""


class TextSpace(gym.Space[str]):
    """Every string that UTF-8 can encode in at most ``max_bytes`` bytes.

    Args:
        max_bytes: Longest member, in bytes of UTF-8.
        seed: Seed of the space.
    """

    def __init__(self, max_bytes: int = MAX_TEXT, seed: int | None = None) -> None:
        self.max_bytes = max_bytes
        super().__init__(shape=None, dtype=None, seed=seed)

    @property
    def is_np_flattenable(self) -> bool:
        """False: text has no fixed shape."""
        return False

    def contains(self, x: Any) -> bool:
        """Return whether ``x`` is a string that the space holds."""
        if not isinstance(x, str):
            return False
        if len(x) * 4 <= self.max_bytes and x.isascii():
            return True
        try:
            return len(x.encode()) <= self.max_bytes
        except UnicodeEncodeError:
            return False

    def sample(self, mask: None = None, probability: None = None) -> str:
        """Draw a string of up to 64 characters from many scripts.

        Args:
            mask: Not supported.
            probability: Not supported.

        Raises:
            ValueError: A mask or probability was given.
        """
        _refuse_masks(mask, probability)
        limit = min(64, self.max_bytes // 4)
        points = self.np_random.integers(32, 0x2FFF, size=self.np_random.integers(0, limit + 1))
        return "".join(map(chr, points))

    def __eq__(self, other: object) -> bool:
        """Compare by size limit."""
        return isinstance(other, TextSpace) and self.max_bytes == other.max_bytes

    def __hash__(self) -> int:
        """Agree with equality."""
        return hash((TextSpace, self.max_bytes))

    def __repr__(self) -> str:
        """Return the constructor call."""
        return f"TextSpace(max_bytes={self.max_bytes})"


class ActionSpace(gym.Space[Action]):
    """Tool calls ``{"name": str, "arguments": dict}`` and messages ``{"content": str}``.

    ``sample()`` draws calls that fit the tools' schemas and mostly use values that the state of the running episode
    holds. It never draws a message, since a message ends an episode. A copy of the space (as vector environments make)
    is no longer tied to an episode and uses what the state held when the copy was made.

    Args:
        tools: The tools, or ``None`` when they change from episode to episode; then any well-formed action is a member.
        source: Function that returns the tools and state of the running episode.
        seed: Seed of the space.
    """

    def __init__(
        self,
        tools: Toolset | None,
        source: Callable[[], tuple[Toolset, Any, object]],
        seed: int | None = None,
    ) -> None:
        self.tools = tools
        self._source = source
        self._pool: tuple[object, Toolset, ValuePool] | None = None
        super().__init__(shape=None, dtype=None, seed=seed)

    @property
    def is_np_flattenable(self) -> bool:
        """False: actions have no fixed shape."""
        return False

    def contains(self, x: Any) -> bool:
        """Return whether ``x`` is a message or a call that fits its tool's schema."""
        if type(x) is not dict:
            return False
        if x.keys() == {"content"}:
            return isinstance(x["content"], str)
        if x.keys() != {"name", "arguments"} or not isinstance(x["name"], str) or not isinstance(x["arguments"], dict):
            return False
        if self.tools is None:
            return all(isinstance(key, str) for key in x["arguments"])
        tool = self.tools.get(str.__str__(x["name"]))
        if tool is None:
            return False
        try:
            tool.validate(x["arguments"])
        except InvalidArguments:
            return False
        return True

    def sample(self, mask: None = None, probability: None = None) -> Action:
        """Draw a tool call that fits its schema.

        Args:
            mask: Not supported.
            probability: Not supported.

        Raises:
            ValueError: A mask or probability was given.
        """
        _refuse_masks(mask, probability)
        return self.draw(self.np_random)

    def draw(self, rng: np.random.Generator) -> Action:
        """Draw a tool call that fits its schema from a random source of the caller's."""
        tools, pool = self._current()
        names = list(tools)
        name = names[int(rng.integers(len(names)))]
        return {"name": name, "arguments": sample_arguments(tools[name].spec.parameters, pool, rng)}

    def _current(self) -> tuple[Toolset, ValuePool]:
        tools, state, version = self._source()
        if self._pool is None or self._pool[0] != version:
            self._pool = version, tools, ValuePool(state())
        return self._pool[1], self._pool[2]

    def __getstate__(self) -> dict[str, Any]:
        """Copy without the tie to the episode: a copy draws from what the state holds now."""
        tools, pool = self._current()
        return {**self.__dict__, "_source": _Frozen(tools), "_pool": (None, tools, pool)}

    def __eq__(self, other: object) -> bool:
        """Compare by tools."""
        return isinstance(other, ActionSpace) and self.tools == other.tools

    def __hash__(self) -> int:
        """Agree with equality."""
        return hash((ActionSpace, self.tools))

    def __repr__(self) -> str:
        """Name the number of tools."""
        return f"ActionSpace({'any tools' if self.tools is None else f'{len(self.tools)} tools'})"


class _Frozen:
    """The source of a copied space: always the same version, so that its pool stays."""

    def __init__(self, tools: Toolset) -> None:
        self._tools = tools

    def __call__(self) -> tuple[Toolset, Callable[[], Any], object]:
        return self._tools, dict, None


def _refuse_masks(mask: object, probability: object) -> None:
    if mask is not None or probability is not None:
        raise ValueError("This space is infinite and takes neither mask nor probability; filter what sample() returns.")


# --- shared memory of AsyncVectorEnv ----------------------------------------------------------------------------------


class TextBatch(Sequence[str]):
    """Live view of one text per environment in shared memory; ``copy.copy`` and ``copy.deepcopy`` give a tuple.

    Gymnasium reads a shared buffer once, at construction, and copies what it read at every step. So this object looks
    into the buffer whenever it is asked.

    Args:
        buffers: One buffer per environment: 8 bytes of length, then UTF-8.
    """

    def __init__(self, buffers: Sequence[BufferWrapper]) -> None:
        self._buffers = buffers

    def __len__(self) -> int:
        return len(self._buffers)

    def __getitem__(self, index: Any) -> Any:
        if isinstance(index, slice):
            return tuple(map(_read_text, self._buffers[index]))
        return _read_text(self._buffers[index])

    def __iter__(self) -> Iterator[str]:
        return map(_read_text, self._buffers)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, tuple | TextBatch) and tuple(self) == tuple(other)

    __hash__ = None  # type: ignore[assignment]  # it changes with the buffer

    def __copy__(self) -> tuple[str, ...]:
        return tuple(self)

    def __deepcopy__(self, memo: dict[int, Any]) -> tuple[str, ...]:
        return tuple(self)

    def __repr__(self) -> str:
        return f"TextBatch{tuple(self)!r}"


def _read_text(buffer: BufferWrapper) -> str:
    view = buffer.create_memoryview()
    length = int.from_bytes(view[:8], "little")
    return bytes(view[8 : 8 + length]).decode()


@create_shared_memory.register(TextSpace)
def _create(space: TextSpace, n: int = 1, ctx: ModuleType = multiprocessing) -> list[BufferWrapper]:  # noqa: ARG001 - Gymnasium's signature
    # Pages of these buffers take no memory before something is written to them.
    buffers = [BufferWrapper(8 + space.max_bytes) for _ in range(n)]
    for buffer in buffers:
        buffer.create_memoryview()[:8] = bytes(8)
    return buffers


@read_from_shared_memory.register(TextSpace)
def _read(space: TextSpace, shared_memory: Any, n: int = 1) -> TextBatch:  # noqa: ARG001 - ditto
    return TextBatch(shared_memory)


@write_to_shared_memory.register(TextSpace)
def _write(space: TextSpace, index: int, value: Any, shared_memory: Any) -> None:
    content = value.encode()
    if len(content) > space.max_bytes:
        raise ValueError(f"An observation of {len(content)} bytes does not fit into {space!r}.")
    view = shared_memory[index].create_memoryview()
    view[8 : 8 + len(content)] = content
    view[:8] = len(content).to_bytes(8, "little")
