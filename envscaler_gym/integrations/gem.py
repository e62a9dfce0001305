"""GEM: environments for ``gem.make("envscaler:Library-v0")``, and for ROLL, whose environments are GEM's.

``pip install "envscaler-gym[gem]"``. Importing this module registers every environment that is known, as the workers of
a trainer need it: ``import envscaler_gym.integrations.gem``.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Mapping, Sequence
from typing import Any, Literal, TypeAlias

from envscaler_gym.chat import SYSTEM_PROMPT
from envscaler_gym.episode import ENDED
from envscaler_gym.errors import EnvironmentFailure, shorten
from envscaler_gym.integrations.playing import Wrap, unwrapped
from envscaler_gym.integrations.sessions import make_environment
from envscaler_gym.registry import SUITE_ID, ids, shipped_ids
from envscaler_gym.types import JSON
from envscaler_gym.wrappers import Chat

try:
    import gem
    from gem.envs.registration import ENV_REGISTRY
except ModuleNotFoundError as error:
    raise ModuleNotFoundError('GEM is not installed: pip install "envscaler-gym[gem]"') from error

__all__ = ["STOP_TOKENS", "GemEnv", "GemStep", "register_all"]

GemStep: TypeAlias = tuple[Any, float, bool, bool, dict[str, Any]]
"""Observation, reward, terminated, truncated, info."""

STOP_TOKENS = ("<|im_end|>", "<|endoftext|>", "<|eot_id|>", "</s>")
"""What stands behind a model's text where a trainer decodes special tokens, too."""

_LAST = {"success": "last", "format_errors": "last", "tool_errors": "last"}


class GemEnv(gem.Env):
    """An environment whose actions are a model's text, with calls between ``<tool_call>`` tags.

    An episode that is cut off is ``terminated`` as well as ``truncated``, as in GEM's own environments.

    Args:
        environment: Name of an environment, path of a bundle's folder, or a list of these to draw from.
        form: What an observation is. ``"text"``: what is new, as text; the first one holds the system prompt with the
            tools' schemas, and the task. ``"messages"``: the conversation so far as OpenAI messages, and
            ``info["tools"]`` of ``reset`` holds the schemas, as ROLL's ``AgentNativeStepEnvManager`` wants it.
        seed: Seed of the first ``reset`` that is given none.
        template: Template of the system prompt; see :func:`~envscaler_gym.chat.system_prompt`.
        wrap: Puts wrappers around the environment, such as those of :mod:`envscaler_gym.wrappers`.
        options: Arguments of :class:`~envscaler_gym.env.ToolEnv`.

    Attributes:
        env_info: What ``reset`` said of the running episode.
        env_reset_failed: Whether the episode could not be started, with ``on_error="truncate"``; ROLL drops it.

    Raises:
        UnknownNameError: There is no such environment.
        ValueError: There is no such form.
    """

    def __init__(
        self,
        environment: str | Sequence[str],
        *,
        form: Literal["text", "messages"] = "text",
        seed: int | None = None,
        template: str = SYSTEM_PROMPT,
        wrap: Wrap = unwrapped,
        **options: Any,
    ) -> None:
        if form not in ("text", "messages"):
            raise ValueError(f"form must be 'text' or 'messages', got {shorten(form)}")
        self._arguments = {"environment": environment, "form": form, "seed": seed, "template": template, "wrap": wrap}
        self._arguments |= options
        self._below = make_environment(environment if isinstance(environment, str) else list(environment), **options)
        self._chat = Chat(wrap(self._below), "text" if form == "text" else "openai", template)
        self._messages = form == "messages"
        self._first_seed = seed
        self.env_info: dict[str, Any] = {}
        self.env_reset_failed = False

    def reset(self, seed: int | None = None, **choice: str) -> tuple[Any, dict[str, Any]]:
        """Start an episode.

        Args:
            seed: Seed of this episode and of those that follow. The same seed, the same scenario.
            choice: Options of ``ToolEnv.reset``, such as ``scenario="…"``.

        Returns:
            The first observation and what is known of the scenario, with ``tools``.
        """
        if seed is None:
            seed, self._first_seed = self._first_seed, None
        new, info = self._chat.reset(seed=seed, options=dict(choice))
        self.env_info = {name: value for name, value in info.items() if name != "chat"}
        try:
            _ = self._below.episode
        except EnvironmentFailure:
            self.env_reset_failed = True
        else:
            self.env_reset_failed = False
        return self._observation(new), info | {"tools": self._chat.tools}

    def step(self, action: Any) -> GemStep:
        """Take what a model said.

        Args:
            action: Its text. Special tokens at the end are dropped. An assistant message works as well. Anything else
                stands for an answer that never came, as ROLL has it for one that is too long: the episode ends, and
                what was reached is graded.

        Returns:
            Observation, reward, terminated, truncated and info, with ``metrics`` as ROLL collects them.
        """
        if isinstance(action, str):
            action = _without_stop_tokens(action)
        elif not isinstance(action, Mapping):
            reward = self._below.grade().reward
            return self._observation(()), reward, True, True, {"outcome": "truncated"} | _metrics(reward, {})
        new, reward, terminated, truncated, info = self._chat.step(action)
        ended = terminated or truncated
        return self._observation(new), reward, ended, truncated, info | _metrics(reward if ended else 0.0, info["chat"])

    def sample_random_action(self) -> str:
        """Draw a call that fits its tool's schema, as text; a function of the seed, the episode and the step."""
        return f"<tool_call>\n{json.dumps(self._below.sample_action())}\n</tool_call>"

    def spawn(self, same_state: bool = False, **changes: Any) -> GemEnv:
        """Return another environment like this one.

        Args:
            same_state: Whether it is to be where this one is; both then go on as each likes.
            changes: Arguments that are to differ.
        """
        other = GemEnv(**(self._arguments | changes))
        if same_state:
            other.set_state(self.get_state())
        return other

    def get_state(self) -> dict[str, Any]:
        """Return all that the episode is now, for :meth:`set_state`; it stays as it is and can be pickled."""
        return {"chat": copy.deepcopy(self._chat), "info": dict(self.env_info)}

    def set_state(self, state: Mapping[str, Any]) -> None:
        """Go back to a state that :meth:`get_state` returned, here or in another environment like this one."""
        self._chat.close()
        self._chat = copy.deepcopy(state["chat"])
        self._below = self._chat.unwrapped  # type: ignore[assignment]  # Chat wraps nothing else
        self.env_info = dict(state["info"])

    def close(self) -> None:
        """Close the environment."""
        self._chat.close()

    def _observation(self, new: Sequence[Mapping[str, JSON]]) -> Any:
        if self._messages:
            return list(self._chat.conversation)
        return "\n\n".join(message["content"] for message in new) or ENDED


def _without_stop_tokens(text: str) -> str:
    kept = text.rstrip()
    while kept.endswith(STOP_TOKENS):
        kept = next(kept.removesuffix(token) for token in STOP_TOKENS if kept.endswith(token)).rstrip()
    return kept


def _metrics(reward: float, figures: Mapping[str, int]) -> dict[str, Any]:
    counts = {name: float(figures.get(name, 0)) for name in _LAST if name != "success"}
    return {"metrics": {"success": float(reward >= 1.0), **counts}, "metrics_agg_mode": dict(_LAST)}


def register_all() -> None:
    """Register environments that GEM does not know yet: ``envscaler/Library-v0`` as ``envscaler:Library-v0``.

    Called when this module is imported.
    """
    known: dict[str, str | list[str]] = {id_: id_ for id_ in ids()}
    known[SUITE_ID] = shipped_ids()
    for id_, environment in known.items():
        name = id_.replace("/", ":")
        if name not in ENV_REGISTRY:
            gem.register(name, GemEnv, environment=environment)


register_all()
