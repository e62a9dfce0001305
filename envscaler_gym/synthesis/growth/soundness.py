"""Whether a state can be a start state: it fits its types, its references lead somewhere, the invariants hold."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from types import TracebackType
from typing import Any, Self

from envscaler_gym.bundle import Bundle
from envscaler_gym.quality.probing import make_prober
from envscaler_gym.quality.state_types import StateTypes
from envscaler_gym.synthesis.graph.tables import Tables, records_of

__all__ = ["Soundness"]


class Soundness:
    """Judges states of one bundle.

    Args:
        bundle: The bundle.
        tables: Its tables.
        trust: Treat it as reviewed.
    """

    def __init__(self, bundle: Bundle, tables: Tables, *, trust: bool = False) -> None:
        self._types, self._tables = StateTypes.of(bundle), tables
        self._prober = make_prober(bundle, trust=trust)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._prober.close()

    def problems(self, state: Mapping[str, Any]) -> list[str]:
        """List what is wrong with a state."""
        broken = self._prober.violations([state])[0]
        rules = [f"{name}: {text}" for name, texts in sorted(broken.items()) for text in texts]
        return [*self._types.problems(state), *self._dangling(state), *rules]

    def _dangling(self, state: Mapping[str, Any]) -> Iterator[str]:
        for table in self._tables.values():
            for key, record in records_of(state, table.name).items():
                for field, to in table.references.items():
                    value = record.get(field)
                    for one in value if isinstance(value, list) else [value]:
                        if isinstance(one, str) and one and one not in records_of(state, to):
                            yield f"{table.name}[{key!r}].{field}: there is no {to} {one!r}"
