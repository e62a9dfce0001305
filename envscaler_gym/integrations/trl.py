"""TRL: classes for ``GRPOTrainer(environment_factory=…)``, and rows for its data sets.

``pip install "envscaler-gym[trl]"``. TRL 1.16 wants a class without arguments whose public methods are the tools; it
builds instances once, calls ``reset(**row)`` before each rollout and ``get_reward()`` after it, and makes the tools'
schemas from signatures and Google docstrings (``transformers.utils.get_json_schema``).
"""

from __future__ import annotations

import copyreg
import inspect
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from typing import Any, ClassVar, Literal, NamedTuple, Union

from envscaler_gym.chat import SYSTEM_PROMPT, system_prompt
from envscaler_gym.formats import sft_rows as plain_sft_rows
from envscaler_gym.integrations.playing import Play, Wrap, unwrapped
from envscaler_gym.registry import get_bundle
from envscaler_gym.rollout.runner import plan_episodes
from envscaler_gym.tools import Toolset
from envscaler_gym.trajectories import Trajectory
from envscaler_gym.types import JSON, ToolSpec

__all__ = ["TRLEnvironment", "dataset", "environment_class", "environment_classes", "rows", "sft_rows", "tool_schemas"]

_MISSING = 'Training with TRL needs its packages: pip install "envscaler-gym[trl]"'
_RESERVED = ("reset", "get_reward")
_MARKS = {"Args:": "Arguments:", "Returns:": "Return value:", "Raises:": "Errors:", "(choices:": "(one of:"}
"""What TRL's reading of docstrings takes for more than text, wherever it stands, and what is written instead."""
_PYTHON = {"string": str, "integer": int, "number": float, "boolean": bool, "null": type(None)}
_SAY = ToolSpec(
    "say_to_user",
    "Say something to the user and get their answer. They hear only what is said with this tool.",
    {"type": "object", "properties": {"message": {"type": "string", "description": "What to say."}}},
    "query",
)


class _Recipe(NamedTuple):
    """What a class is made from. The tools are part of it, so that a bundle that changes gets another class."""

    environment: str
    tools: Toolset
    wrap: Wrap
    options: str


class _EnvironmentType(type):
    """Type of the classes, so that they can be pickled: by how they are made, since no module holds them."""

    recipe: _Recipe


class TRLEnvironment(metaclass=_EnvironmentType):
    """What the classes that :func:`environment_class` makes have in common: everything but the tools.

    Attributes:
        bundle_id: Id of the environment.
        renamed: Tools by the names that the model sees, where those are taken by something else.
    """

    bundle_id: ClassVar[str] = ""
    renamed: ClassVar[Mapping[str, str]] = {}

    def __init__(self) -> None:
        recipe = type(self).recipe
        self._play = Play(recipe.environment, recipe.wrap, **json.loads(recipe.options))
        self._begun = False

    def reset(self, **row: Any) -> str:
        """Start the episode of a row.

        Args:
            row: Columns of the data set. ``scenario`` and ``seed`` choose the episode; others are passed over. Without
                a seed, instances play the same episodes in the same order.

        Returns:
            The task, or the user's first turn; TRL appends it to the prompt's last message.

        Raises:
            ValueError: The row is for another environment.
        """
        wanted = row.get("environment") or self.bundle_id
        if wanted != self.bundle_id:
            raise ValueError(
                f"The row is for {wanted!r}, and this is {self.bundle_id!r}; several environments need "
                "environment_factory=environment_classes([…])."
            )
        seed, scenario = row.get("seed"), row.get("scenario")
        first = None if self._begun else 0
        self._begun = True
        return self._play.begin(seed=first if seed is None else seed, **({"scenario": scenario} if scenario else {}))

    def get_reward(self) -> float:
        """Return what the episode has earned; it ends where it has not ended yet.

        Raises:
            EnvironmentFailure: The environment failed; TRL would count that as the model's failure.
        """
        return self._play.finish()

    def _act(self, action: Mapping[str, JSON]) -> str:
        if self._play.ended:
            raise ValueError("The episode has ended; no tool can be called any more.")
        return self._play.act(action)


def environment_class(environment: str, *, wrap: Wrap = unwrapped, **options: Any) -> type[TRLEnvironment]:
    """Make the class of an environment, for ``GRPOTrainer(environment_factory=…)``.

    In conversation mode one more tool, ``say_to_user``, is how the model talks to the user, because TRL ends a rollout
    at the first message without a call. A rollout that ends before the user does is graded as it stands.

    Args:
        environment: Name of an environment, or path of a bundle's folder.
        wrap: Puts wrappers around the environment, such as those of :mod:`envscaler_gym.wrappers`.
        options: Arguments of :class:`~envscaler_gym.env.ToolEnv`, plain JSON.

    Returns:
        A class; the same one for the same arguments. It can be pickled if ``wrap`` can.

    Raises:
        UnknownNameError: There is no such environment.
    """
    tools = get_bundle(environment).tools
    return _class_of(_Recipe(environment, tools, wrap, json.dumps(options, sort_keys=True)))


def environment_classes(
    environments: Iterable[str], *, wrap: Wrap = unwrapped, **options: Any
) -> dict[str, type[TRLEnvironment]]:
    """Make the classes of several environments by id, for one trainer and the rows of :func:`dataset`."""
    classes = [environment_class(name, wrap=wrap, **options) for name in environments]
    return {made.bundle_id: made for made in classes}


@cache
def _class_of(recipe: _Recipe) -> type[TRLEnvironment]:
    specs = list(recipe.tools.specs)
    if json.loads(recipe.options).get("mode") == "conversation":
        specs.append(_SAY)
    bundle_id = get_bundle(recipe.environment).id
    renamed: dict[str, str] = {}
    members: dict[str, Any] = {"__module__": __name__, "__doc__": f"{bundle_id} for TRL."}
    members |= {"recipe": recipe, "bundle_id": bundle_id, "renamed": renamed}
    for spec in specs:
        shown = spec.name
        while shown in members or shown in _RESERVED:
            shown += "_"
        members[shown] = _method(shown, spec)
        if shown != spec.name:
            renamed[shown] = spec.name
    name = re.sub(r"\W", "_", bundle_id.rpartition("/")[2])
    made: Any = _EnvironmentType(name, (TRLEnvironment,), members)
    return made  # type: ignore[no-any-return]  # a class of this metaclass with that base


def _unpickle(recipe: _Recipe | None) -> type[TRLEnvironment]:
    return TRLEnvironment if recipe is None else _class_of(recipe)


copyreg.pickle(_EnvironmentType, lambda made: (_unpickle, (vars(made).get("recipe"),)))


# Tools as methods.


def _method(shown: str, spec: ToolSpec) -> Any:
    def method(self: TRLEnvironment, /, **arguments: JSON) -> str:
        if spec is _SAY:
            return self._act({"content": arguments.get("message")})
        return self._act({"name": spec.name, "arguments": arguments})

    required = spec.parameters.get("required", ())
    hints = {name: _hint(schema) for name, schema in spec.parameters["properties"].items()}
    signature = [inspect.Parameter("self", inspect.Parameter.POSITIONAL_ONLY)]
    for name, hint in hints.items():
        default = inspect.Parameter.empty if name in required else None
        signature.append(inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=hint))
    made: Any = method
    made.__name__ = made.__qualname__ = shown
    made.__signature__ = inspect.Signature(signature)
    made.__annotations__ = hints
    made.__doc__ = _docstring(spec)
    return made


def _docstring(spec: ToolSpec) -> str:
    text = _plain(spec.description.strip()) or f"Calls {spec.name}."
    lines = [f"    {name}: {_described(name, schema)}" for name, schema in spec.parameters["properties"].items()]
    return "\n".join([text, "", "Args:", *lines] if lines else [text])


def _described(name: str, schema: Mapping[str, JSON]) -> str:
    """Return a parameter's description in one line, with all of its schema that a type hint cannot say."""
    text = " ".join(str(schema.get("description", "")).split()) or f"The {name}."
    if schema.get("default") is not None:
        text += f" Default: {json.dumps(schema['default'], ensure_ascii=False)}."
    bare = {key: value for key, value in schema.items() if key not in ("description", "default")}
    whole = json.dumps(bare, ensure_ascii=False)
    if '"properties"' in whole:
        text += f" JSON schema: {whole}"
    return _plain(" ".join(text.split()))


def _plain(text: str) -> str:
    for mark, instead in _MARKS.items():
        text = re.sub(re.escape(mark), instead, text, flags=re.IGNORECASE if mark.startswith("(") else 0)
    return text


def _hint(schema: Mapping[str, JSON]) -> Any:
    """Return the type hint from which TRL makes a schema again."""
    if "anyOf" in schema:
        return Union[tuple(_hint(option) for option in schema["anyOf"])]  # noqa: UP007 - options known only here
    values = schema.get("enum", [schema["const"]] if "const" in schema else None)
    if values:
        return Literal.__getitem__(tuple(values))
    kind = schema.get("type")
    if kind == "array":
        return list[_hint(schema["items"])] if "items" in schema else list  # type: ignore[misc]  # a hint made here
    if kind == "object":
        inner = schema.get("additionalProperties")
        return dict[str, _hint(inner)] if isinstance(inner, dict) else dict  # type: ignore[misc]  # ditto
    return _PYTHON.get(str(kind), Any)


# Data.


def rows(
    environments: str | Iterable[str],
    *,
    split: str | None = None,
    difficulty: str | None = None,
    episodes: int | None = None,
    seed: int = 0,
    template: str = SYSTEM_PROMPT,
) -> Iterator[dict[str, JSON]]:
    """Yield rows for a trainer's data set, one an episode.

    TRL repeats each row for the members of a group, so that they play the same scenario with the same seed. The
    prompt is the system prompt and a message of the user that is empty: ``reset`` fills in the task.

    Args:
        environments: Names of environments, or paths of bundles' folders.
        split: Only scenarios of this split.
        difficulty: Only scenarios of this difficulty.
        episodes: Episodes of each environment, which start over where there are fewer scenarios; ``None``: each once.
        seed: Seed of each environment's first episode; the others count up.
        template: Template of the system prompt; see :func:`~envscaler_gym.chat.system_prompt`.

    Raises:
        UnknownNameError: There is no such environment.
        ScenarioError: No scenario fits.
    """
    for name in [environments] if isinstance(environments, str) else environments:
        bundle = get_bundle(name)
        said = system_prompt(bundle.manifest, bundle.tools.specs, schemas_in_text=False, template=template)
        for planned in plan_episodes(name, split=split, difficulty=difficulty, episodes=episodes, seed=seed):
            scenario = bundle.scenario(planned.scenario)
            yield {
                "prompt": [{"role": "system", "content": said}, {"role": "user", "content": ""}],
                "environment": bundle.id,
                "scenario": scenario.id,
                "seed": planned.seed,
                "difficulty": scenario.difficulty,
                "split": scenario.split,
            }


def dataset(environments: str | Iterable[str], **choice: Any) -> Any:
    """Return the rows of :func:`rows` as a ``datasets.Dataset``, for ``GRPOTrainer(train_dataset=…)``.

    Args:
        environments: As for :func:`rows`.
        choice: As for :func:`rows`.

    Raises:
        ModuleNotFoundError: The package ``datasets`` is missing.
    """
    try:
        from datasets import Dataset  # noqa: PLC0415 - an extra
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(_MISSING) from error
    return Dataset.from_list(list(rows(environments, **choice)))


def tool_schemas(made: type[TRLEnvironment]) -> list[dict[str, JSON]]:
    """Return the tools as TRL shows them to the model, in its order.

    Args:
        made: A class of :func:`environment_class`.

    Raises:
        ModuleNotFoundError: The package ``transformers`` is missing.
    """
    try:
        from transformers.utils import get_json_schema  # noqa: PLC0415 - an extra
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(_MISSING) from error
    found = inspect.getmembers(made, predicate=inspect.isfunction)
    return [get_json_schema(member) for name, member in found if name not in _RESERVED and not name.startswith("_")]


def sft_rows(
    trajectories: Iterable[Trajectory], classes: Mapping[str, type[TRLEnvironment]]
) -> Iterator[dict[str, JSON]]:
    """Yield rows for TRL's ``SFTTrainer`` whose tools have the names, schemas and order of the later GRPO prompts.

    Args:
        trajectories: Recorded episodes in task mode.
        classes: From :func:`environment_classes`.

    Raises:
        KeyError: There is no class for an environment.
        ModuleNotFoundError: The package ``transformers`` is missing.
    """
    schemas = {name: tool_schemas(made) for name, made in classes.items()}
    for row in plain_sft_rows(trajectories, bundle_of=lambda name: get_bundle(classes[name].recipe.environment)):
        made = classes[row["environment"]]
        shown = {own: name for name, own in made.renamed.items()}
        messages = [_as_shown(message, shown) for message in row["messages"]]
        yield row | {"messages": messages, "tools": schemas[made.bundle_id]}


def _as_shown(message: dict[str, JSON], shown: Mapping[str, str]) -> dict[str, JSON]:
    """Return a message with the tools' names that the model sees."""
    if message["role"] == "tool":
        return message | {"name": shown.get(message["name"], message["name"])}
    calls = []
    for call in message.get("tool_calls", ()):
        function = call["function"]
        calls.append(call | {"function": function | {"name": shown.get(function["name"], function["name"])}})
    return message | {"tool_calls": calls} if calls else message
