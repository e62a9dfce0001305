from __future__ import annotations

from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from envscaler_gym.rollout.metrics import mean_with_interval, pass_at_k, pass_hat_k


@given(st.lists(st.booleans(), min_size=1, max_size=8), st.data())
def test_they_are_the_shares_of_all_ways_to_draw_k_tries(outcomes: list[bool], data: st.DataObject) -> None:
    k = data.draw(st.integers(1, len(outcomes)))
    drawn = list(combinations(outcomes, k))
    assert pass_at_k(sum(outcomes), len(outcomes), k) == pytest.approx(sum(map(any, drawn)) / len(drawn))
    assert pass_hat_k(sum(outcomes), len(outcomes), k) == pytest.approx(sum(map(all, drawn)) / len(drawn))


@pytest.mark.parametrize(("successes", "tries", "k"), [(2, 1, 1), (-1, 1, 1), (0, 0, 1), (1, 2, 3), (1, 2, 0)])
def test_numbers_that_cannot_be(successes: int, tries: int, k: int) -> None:
    for function in (pass_at_k, pass_hat_k):
        with pytest.raises(ValueError, match=f"got {successes=}, {tries=}, {k=}"):
            function(successes, tries, k)


def test_the_interval_holds_the_mean_and_grows_with_what_groups_differ_by() -> None:
    alike = mean_with_interval([[0.5, 0.5]] * 20)
    assert alike == (0.5, 0.5, 0.5)
    apart = mean_with_interval([[1.0, 1.0]] * 10 + [[0.0, 0.0]] * 10)
    assert apart.mean == 0.5
    assert 0.2 < apart.low < 0.35
    assert 0.65 < apart.high < 0.8
    within = mean_with_interval([[1.0, 0.0]] * 20)  # the same values, none of the difference between groups
    assert within == (0.5, 0.5, 0.5)
    assert apart == mean_with_interval([[1.0, 1.0]] * 10 + [[0.0, 0.0]] * 10)


def test_groups_may_count_as_something_else() -> None:
    assert mean_with_interval([[1.0, 0.0], [1.0, 1.0]], of=max).mean == 1.0


def test_nothing_has_no_mean() -> None:
    for groups in ([], [[1.0], []]):
        with pytest.raises(ValueError, match="a mean needs groups"):
            mean_with_interval(groups)
