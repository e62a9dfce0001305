"""Programs: where an episode starts and what is called, as data and as Python that a person can run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from envscaler_gym import registry
from envscaler_gym.bundle import Bundle
from envscaler_gym.errors import UnknownNameError
from envscaler_gym.quality.defects import Defect, program
from envscaler_gym.quality.probing import Call, Evidence, Prober
from envscaler_gym.scenario import DEFAULT_CLOCK
from envscaler_gym.types import ToolCall

__all__ = ["Program", "Start", "leak_text", "play", "program_text", "starts_of"]


class Start(NamedTuple):
    """Where an episode starts.

    Attributes:
        scenario: Id of the scenario; ``None`` where the bundle has none, and the class starts as it is made.
        state: The start state.
        clock: Time at the start, ISO 8601.
        solution: The scenario's reference solution.
    """

    scenario: str | None
    state: Mapping[str, Any]
    clock: str
    solution: tuple[Call, ...]

    @property
    def seed(self) -> str:
        """The world's seed in the first episode after ``reset(seed=0)``."""
        return f"0:0:{self.scenario}"


class Program(NamedTuple):
    """An episode: where it starts, and what is called."""

    start: Start
    calls: tuple[Call, ...]


def starts_of(bundle: Bundle) -> tuple[Start, ...]:
    """Return where the episodes of a bundle start: in each scenario, or in nothing where there is none."""
    starts = [
        Start(
            scenario.id,
            bundle.start_states[scenario.start_state].state,
            scenario.clock,
            tuple((call.name, dict(call.arguments)) for call in scenario.solution),
        )
        for scenario in bundle.scenarios.values()
    ]
    return tuple(starts) or (Start(None, {}, DEFAULT_CLOCK, ()),)


def play(prober: Prober, program: Program) -> list[Evidence]:
    """Run a program and return what was seen of each call; the list may end early, as :meth:`Prober.probe` says."""
    prober.load(program.start.state, program.start.clock, program.start.seed)
    return prober.probe(program.calls)


def program_text(bundle: Bundle, shown: Program, defect: Defect, field: str, *, trust: bool) -> str:
    """Write a program as Python that fails where the bundle has a defect.

    Args:
        bundle: The bundle.
        shown: The program.
        defect: What its last call shows; a plain :class:`Defect` is one that no observation shows.
        field: Field of the last call's evidence that shows it; empty where only a comparison of processes does, and
            the program prints what came out.
        trust: Whether the code is to run in the process of whoever runs the program.
    """
    start = shown.start
    if start.scenario is not None and type(defect) is not Defect:
        calls = [ToolCall(name, arguments) for name, arguments in shown.calls]
        return program(bundle, bundle.scenario(start.scenario), calls, defect, trust=trust)
    last = f"assert not seen.{field}, seen.{field}" if field else "print(seen.text or seen.raised)"
    return _written(bundle, [[shown]], [last], str(defect), trust)


def leak_text(bundle: Bundle, before: Program, then: Program, remark: str, *, trust: bool) -> str:
    """Write Python that fails where one episode changes what another one shows.

    Args:
        bundle: The bundle.
        before: The episode that leaves something behind.
        then: The episode that finds it, in its last call.
        remark: What differs.
        trust: As in :func:`program_text`.
    """
    lasts = ["alone = seen", "assert seen.text == alone.text, (seen.text, alone.text)"]
    return _written(bundle, [[then], [before, then]], lasts, remark, trust)


def _written(
    bundle: Bundle, probers: Sequence[Sequence[Program]], lasts: Sequence[str], remark: str, trust: bool
) -> str:
    """Write the programs of each prober, and a line that follows them."""
    lines = _loaded(bundle)
    for programs, last in zip(probers, lasts, strict=True):
        lines.append(f"with make_prober(bundle{', trust=True' if trust else ''}) as prober:")
        for start, calls in programs:
            state = "{}"
            if start.scenario is not None:
                state = f"bundle.start_states[{bundle.scenario(start.scenario).start_state!r}].state"
            lines.append(f"    prober.load({state}, {start.clock!r}, {start.seed!r})")
            lines += [f"    seen = prober.probe([({name!r}, {arguments!r})])[0]" for name, arguments in calls]
        lines.append(last)
    return "\n".join([*lines, *(f"# {line}" for line in remark.splitlines())]) + "\n"


def _loaded(bundle: Bundle) -> list[str]:
    """Return the lines of a program that load a bundle from where it lies."""
    prober = "from envscaler_gym.quality.probing import make_prober"
    try:
        elsewhere = bundle.path is not None and registry.find(bundle.id) != bundle.path
    except UnknownNameError:
        elsewhere = bundle.path is not None
    if elsewhere:
        imports = ["from pathlib import Path", "", "from envscaler_gym import load_bundle", prober]
        return [*imports, "", f"bundle = load_bundle(Path({str(bundle.path)!r}))"]
    return ["from envscaler_gym import registry", prober, "", f"bundle = registry.get_bundle({bundle.id!r})"]
