"""The agents' part of assessment: one tests through the documentation, the other judges with the source before it.

EnvScaler's dual-agent assessment (arXiv 2601.05808): a round is a call of the testing agent and a verdict of the
checking agent. Several rounds share a request here, and several histories run side by side.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import suppress
from functools import partial
from typing import Annotated, Literal

from pydantic import Field

from envscaler_gym.bundle import Bundle
from envscaler_gym.data import Data
from envscaler_gym.errors import UnusableAnswer, did_you_mean, shorten
from envscaler_gym.synthesis.assessment.execution import Execution, TriedCall, try_calls
from envscaler_gym.synthesis.assessment.sample_state import CLOCK
from envscaler_gym.synthesis.assessment.sources import source_of
from envscaler_gym.synthesis.workshop import Desk
from envscaler_gym.tools import InvalidArguments
from envscaler_gym.types import JSON

__all__ = ["Round", "Session", "Verdict", "run_session"]

Verdict = Literal["pass", "warning", "fail", "unusable", "unjudged"]
"""``unusable``: the testing agent proposed no call that fits. ``unjudged``: the checking agent gave no verdict."""

_HISTORY = 40  # calls that the testing agent is shown


class Round(Data):
    """One call and what was judged of it.

    Attributes:
        tool: The tool; empty where no call was proposed.
        arguments: Its arguments.
        expected: What the testing agent expected.
        result: The result's text.
        changes: What changed in the state, a line each.
        verdict: See :data:`Verdict`.
        reason: Why.
    """

    tool: str
    arguments: Mapping[str, JSON]
    expected: str
    result: str
    changes: Annotated[tuple[str, ...], Field(strict=False)]
    verdict: Verdict
    reason: str


class Session(Data):
    """The rounds of one history.

    Attributes:
        rounds: The rounds, in order.
    """

    rounds: Annotated[tuple[Round, ...], Field(strict=False)]


class TestCall(Data):
    tool: str
    arguments: Mapping[str, JSON]
    expected: Literal["success", "refusal"]
    why: str


class TestCalls(Data):
    calls: Annotated[tuple[TestCall, ...], Field(strict=False)]


class CallVerdict(Data):
    call: int
    verdict: Literal["pass", "warning", "fail"]
    reason: str


class CallVerdicts(Data):
    verdicts: Annotated[tuple[CallVerdict, ...], Field(strict=False)]


async def run_session(
    desk: Desk, bundle: Bundle, rules: Sequence[str], state: Mapping[str, JSON], number: int, rounds: int
) -> Session:
    """Play the rounds of one history.

    Args:
        desk: Where.
        bundle: The environment.
        rules: What it sees to.
        state: The state at the start.
        number: Number of this history; it sees to the tools whose number leaves this remainder first.
        rounds: Number of rounds.

    Raises:
        RunStopped: The model cannot be asked now.
    """
    played: list[Round] = []
    execution = Execution((), state, CLOCK)
    turn = 0
    while len(played) < rounds:
        count = min(desk.settings.calls_per_turn, rounds - len(played))
        proposals = await _propose(desk, bundle, rules, execution, played, number, count)
        usable = [proposal for proposal in proposals if not _problem(bundle, proposal)]
        calls = [(call.tool, bundle.tools[call.tool].validate(dict(call.arguments))) for call in usable]
        before = execution
        seed = f"{desk.settings.seed}/{number}/{turn}"
        execution = await desk.compute(try_calls, bundle, before.state, before.clock, seed, calls)
        played += await _judge(desk, bundle, rules, before, execution, usable)
        played += [_unusable(bundle, proposal) for proposal in proposals if _problem(bundle, proposal)]
        played += [_unusable(bundle, None)] * (count - len(proposals))
        turn += 1
    return Session(rounds=tuple(played))


async def _propose(
    desk: Desk,
    bundle: Bundle,
    rules: Sequence[str],
    now: Execution,
    played: Sequence[Round],
    number: int,
    count: int,
) -> Sequence[TestCall]:
    """Return at most ``count`` proposals; what is unusable among them was so after every correction."""
    last: list[TestCall] = []

    def accept(given: TestCalls) -> str:
        last[:] = given.calls[:count]
        problems = [
            f"call {index}: {_problem(bundle, call)}" for index, call in enumerate(last, 1) if _problem(bundle, call)
        ]
        if len(given.calls) != count:
            problems.append(f"{count} calls are wanted, got {len(given.calls)}")
        return "\n".join(problems)

    with suppress(UnusableAnswer):
        await desk.ask(
            "test_calls",
            TestCalls,
            accept=accept,
            attempt=number,
            introduction=bundle.manifest.introduction,
            rules=rules,
            tools=[spec.to_openai()["function"] for spec in bundle.tools.specs],
            state=now.state,
            clock=now.clock,
            history="\n".join(map(_told, played[-_HISTORY:])) or "none",
            count=str(count),
            focus=", ".join(_focus(list(bundle.tools), played, number, desk.settings.sessions, count)),
        )
    return last


def _problem(bundle: Bundle, proposal: TestCall) -> str:
    """Return why a proposed call cannot be made."""
    tool = bundle.tools.get(proposal.tool)
    if tool is None:
        return f"there is no tool {shorten(proposal.tool)}.{did_you_mean(proposal.tool, bundle.tools)}"
    try:
        tool.validate(dict(proposal.arguments))
    except InvalidArguments as error:
        return str(error)
    return ""


def _unusable(bundle: Bundle, proposal: TestCall | None) -> Round:
    return Round(
        tool=proposal.tool if proposal and proposal.tool in bundle.tools else "",
        arguments=proposal.arguments if proposal else {},
        expected=proposal.expected if proposal else "",
        result="",
        changes=(),
        verdict="unusable",
        reason=_problem(bundle, proposal) if proposal else "the testing agent proposed no call",
    )


async def _judge(
    desk: Desk, bundle: Bundle, rules: Sequence[str], before: Execution, after: Execution, calls: Sequence[TestCall]
) -> list[Round]:
    judged = [index for index, tried in enumerate(after.calls) if not tried.failure]
    verdicts: dict[int, tuple[Verdict, str]] = {
        index: ("fail", tried.failure) for index, tried in enumerate(after.calls) if tried.failure
    }
    if judged:
        names = sorted({calls[index].tool for index in judged})
        try:
            answer = await desk.ask(
                "judge_calls",
                CallVerdicts,
                accept=partial(_complete, judged),
                introduction=bundle.manifest.introduction,
                rules=rules,
                tools=[bundle.tools[name].spec.to_openai()["function"] for name in names],
                source=source_of(bundle, names),
                before=before.state,
                clock=before.clock,
                calls=[_shown(index + 1, calls[index], after.calls[index]) for index in judged],
                after=after.state,
            )
            verdicts |= {given.call - 1: (given.verdict, given.reason) for given in answer.verdicts}
        except UnusableAnswer as error:
            verdicts |= dict.fromkeys(judged, ("unjudged", shorten(str(error), 300)))
    return [
        Round(
            tool=call.tool,
            arguments=call.arguments,
            expected=call.expected,
            result=tried.result,
            changes=tried.changes,
            verdict=verdicts[index][0],
            reason=verdicts[index][1],
        )
        for index, (call, tried) in enumerate(zip(calls, after.calls, strict=True))
    ]


def _complete(judged: Sequence[int], given: CallVerdicts) -> str:
    wanted, got = [index + 1 for index in judged], [verdict.call for verdict in given.verdicts]
    return "" if got == wanted else f"Judge the calls {wanted}, each once and in this order; got {got}."


def _shown(number: int, call: TestCall, tried: TriedCall) -> JSON:
    return {
        "call": number,
        "tool": call.tool,
        "arguments": dict(call.arguments),
        "expected": call.expected,
        "result": tried.result,
        "changes": list(tried.changes) or "none",
    }


def _told(played: Round) -> str:
    arguments = json.dumps(dict(played.arguments), ensure_ascii=False)
    return (
        f"{played.tool}({arguments}) -> {shorten(played.result, 200)}; {played.verdict}: {shorten(played.reason, 200)}"
    )


def _focus(tools: Sequence[str], played: Sequence[Round], number: int, sessions: int, count: int) -> list[str]:
    """Return the tools that this history has tried least, its own first."""
    tries = Counter(played_round.tool for played_round in played)
    own = {name for index, name in enumerate(tools) if index % sessions == number}
    return sorted(tools, key=lambda name: (tries[name], name not in own, tools.index(name)))[:count]
