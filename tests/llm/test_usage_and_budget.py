"""Everything is counted once, and nothing is spent beyond the budget."""

from __future__ import annotations

import asyncio
import math
import random
from collections.abc import Callable
from pathlib import Path

import pytest

from envscaler_gym.errors import BudgetExceeded, ModelUnavailable, WaitingForCompletions
from envscaler_gym.llm.budget import Budget, Spent
from envscaler_gym.llm.model import Completion, CompletionRequest
from envscaler_gym.llm.recorded import Recorded
from envscaler_gym.llm.scripted import Scripted
from envscaler_gym.llm.store import CompletionStore
from envscaler_gym.llm.together import together
from envscaler_gym.llm.usage import Ledger, Usage

Ask = Callable[..., CompletionRequest]


def priced(usd: float | None) -> Completion:
    return Completion(text="x", prompt_tokens=10, completion_tokens=2, cost_usd=usd)


def test_usage_is_counted_by_purpose(ask: Ask) -> None:
    answers = [priced(0.5), priced(None), priced(0.25).model_copy(update={"failures": {"timeout": 2}})]
    ledger = Ledger(Scripted(answers))

    async def run() -> None:
        for purpose, text in (("code", "a"), ("code", "b"), ("tasks", "c")):
            await ledger.complete(ask(text, purpose=purpose))

    asyncio.run(run())
    assert ledger.by_purpose == {
        "code": Usage(calls=2, prompt_tokens=20, completion_tokens=4, cost_usd=0.5, unpriced=1),
        "tasks": Usage(calls=1, prompt_tokens=10, completion_tokens=2, cost_usd=0.25, failures={"timeout": 2}),
    }
    assert ledger.total == Usage(
        calls=3, prompt_tokens=30, completion_tokens=6, cost_usd=0.75, unpriced=1, failures={"timeout": 2}
    )


def test_a_request_that_is_asked_again_is_counted_once(ask: Ask, tmp_path: Path) -> None:
    ledger = Ledger(Recorded(CompletionStore(tmp_path / "c.jsonl"), Scripted([priced(1.0)])))

    async def run() -> None:
        for _ in range(3):
            await ledger.complete(ask())
            ledger.note(ask(), "malformed")

    asyncio.run(run())
    assert (ledger.total.calls, ledger.total.cost_usd, ledger.total.failures) == (1, 1.0, {"malformed": 1})


def test_sums_do_not_depend_on_the_order() -> None:
    parts = [Usage(calls=1, cost_usd=0.1 * number, failures={"timeout": number}) for number in range(50)]
    whole = Usage.sum(parts)
    for seed in range(20):
        random.Random(seed).shuffle(parts)
        assert Usage.sum(parts).model_dump_json() == whole.model_dump_json()
    assert whole.failures == {"timeout": 49 * 25}


def ask_until_it_stops(model: Budget, ask: Ask, most: int, **fields: str) -> int:
    async def run() -> int:
        for number in range(most):
            try:
                await model.complete(ask(f"{fields} {number}", **fields))
            except BudgetExceeded:
                return number
        return most

    return asyncio.run(run())


def test_the_budget_stops_before_the_call_that_would_exceed_it(ask: Ask) -> None:
    inner = Scripted(lambda _: priced(0.3))
    model = Budget(inner, usd=1.0)
    assert ask_until_it_stops(model, ask, 10) == 3
    assert len(inner.requests) == 3
    assert model.spent == Spent(calls=3, usd=math.fsum([0.3] * 3), unpriced=0)
    with pytest.raises(
        BudgetExceeded, match=r"\$0.9000 is spent.*could cost \$0.3000; the budget is \$1.0000. Nothing"
    ):
        asyncio.run(model.complete(ask("more")))


def test_a_call_is_taken_to_cost_what_its_purpose_costs(ask: Ask) -> None:
    inner = Scripted(lambda request: priced({"dear": 1.0, "cheap": 0.01}[request.purpose]))
    model = Budget(inner, usd=2.5)
    assert ask_until_it_stops(model, ask, 1, purpose="cheap") == 1
    assert ask_until_it_stops(model, ask, 9, purpose="dear") == 2
    assert ask_until_it_stops(model, ask, 30, purpose="cheap") == 30
    assert ask_until_it_stops(model, ask, 1, purpose="of which nothing is known") == 0


def test_a_budget_of_nothing_asks_nothing(ask: Ask) -> None:
    inner = Scripted([])
    assert ask_until_it_stops(Budget(inner, usd=0.0), ask, 5) == 0
    assert ask_until_it_stops(Budget(inner, calls=0), ask, 5) == 0
    assert inner.requests == []


def test_calls_are_counted(ask: Ask) -> None:
    inner = Scripted(lambda _: priced(None))
    model = Budget(inner, calls=4)
    assert ask_until_it_stops(model, ask, 9) == 4
    assert model.spent == Spent(calls=4, usd=0.0, unpriced=4)
    with pytest.raises(BudgetExceeded, match="4 calls are answered and 0 are on their way, of 4 that may be made"):
        asyncio.run(model.complete(ask("more")))


class Slow:
    """A model that lets others begin before it answers."""

    def __init__(self, usd: float | None) -> None:
        self.asked = self.now = self.most = 0
        self.usd = usd

    async def complete(self, request: CompletionRequest) -> Completion:
        self.asked += 1
        self.now += 1
        self.most = max(self.most, self.now)
        for _ in range(5):
            await asyncio.sleep(0)
        self.now -= 1
        return priced(self.usd)


@pytest.mark.parametrize("limits", [{"usd": 1.05}, {"calls": 10}])
def test_calls_on_their_way_count(limits: dict[str, float], ask: Ask) -> None:
    async def run() -> list[Completion | BaseException]:
        return await asyncio.gather(*(model.complete(ask(str(n))) for n in range(40)), return_exceptions=True)

    inner = Slow(0.1)
    model = Budget(inner, **limits)  # type: ignore[arg-type]
    answers = asyncio.run(run())
    assert sum(isinstance(answer, Completion) for answer in answers) == 10 == inner.asked
    assert sum(isinstance(answer, BudgetExceeded) for answer in answers) == 30
    assert inner.most > 1


def test_without_a_price_calls_go_on_side_by_side(ask: Ask) -> None:
    async def run() -> None:
        await asyncio.gather(*(model.complete(ask(str(n))) for n in range(20)))

    inner = Slow(None)
    model = Budget(inner, usd=1.0)
    asyncio.run(run())
    assert model.spent == Spent(20, 0.0, 20)
    assert inner.most > 1


def test_a_failed_call_is_not_paid(ask: Ask) -> None:
    model = Budget(Scripted([priced(0.5), ModelUnavailable("down"), priced(0.5)]), usd=1.0, calls=2)

    async def run() -> None:
        await model.complete(ask("1"))
        with pytest.raises(ModelUnavailable):
            await model.complete(ask("2"))
        await model.complete(ask("3"))

    asyncio.run(run())
    assert model.spent == Spent(2, 1.0, 0)


def test_requests_in_a_batch_file_count_as_calls(ask: Ask) -> None:
    model = Budget(Scripted(lambda _: WaitingForCompletions("later")), calls=2)

    async def run() -> list[object]:
        return await asyncio.gather(*(model.complete(ask(text)) for text in "aabbcd"), return_exceptions=True)

    assert [type(error) for error in asyncio.run(run())] == [WaitingForCompletions] * 4 + [BudgetExceeded] * 2


def test_what_was_paid_before_counts_and_replays_are_free(ask: Ask, tmp_path: Path) -> None:
    def opened(inner: Scripted, usd: float) -> tuple[Recorded, Budget]:
        store = CompletionStore(tmp_path / "completions.jsonl")
        budget = Budget(inner, usd=usd, store=store)
        return Recorded(store, budget), budget

    async def run(model: Recorded) -> int:
        done = await asyncio.gather(*(model.complete(ask(str(n))) for n in range(6)), return_exceptions=True)
        return sum(isinstance(answer, Completion) for answer in done)

    inner = Scripted(lambda _: priced(0.3))
    assert asyncio.run(run(opened(inner, 1.0)[0])) == 3
    model, budget = opened(inner, 1.0)
    assert budget.spent.usd == pytest.approx(0.9)
    assert asyncio.run(run(model)) == 3
    assert len(inner.requests) == 3
    assert asyncio.run(run(opened(inner, 2.0)[0])) == 6
    assert len(inner.requests) == 6


def test_together_lets_all_come_to_their_end() -> None:
    ended: list[int] = []

    async def branch(number: int, error: Exception | None = None) -> int:
        for _ in range(number):
            await asyncio.sleep(0)
        if error is not None:
            raise error
        ended.append(number)
        return number

    assert asyncio.run(together([branch(2), branch(0), branch(1)])) == [2, 0, 1]
    ended.clear()
    stops = [branch(0, WaitingForCompletions("first")), branch(3), branch(1, BudgetExceeded("second")), branch(5)]
    with pytest.raises(WaitingForCompletions, match="first"):
        asyncio.run(together(stops))
    assert ended == [3, 5]
    with pytest.raises(ValueError, match="a bug"):
        asyncio.run(together([branch(0, WaitingForCompletions("first")), branch(9, ValueError("a bug"))]))
