"""The classes for TRL, by themselves and in TRL's own trainer."""

from __future__ import annotations

import copy
import json
import os
import pickle
import subprocess
import sys
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from envscaler_gym import ToolEnv, registry
from envscaler_gym.errors import EnvironmentFailure, ScenarioError, UnknownNameError
from envscaler_gym.integrations.trl import (
    TRLEnvironment,
    dataset,
    environment_class,
    environment_classes,
    rows,
    sft_rows,
    tool_schemas,
)
from envscaler_gym.wrappers import Faults, PotentialReward, RecordTrajectory
from tests import toys

EXAMPLE = Path(__file__).parents[2] / "examples" / "train_trl_grpo.py"
LIBRARY = "envscaler/Library-v0"


def needs(module: str) -> Any:
    return pytest.importorskip(module, reason='pip install "envscaler-gym[trl]"', exc_type=ImportError)


def solve(env: TRLEnvironment, environment: str, scenario: str) -> float:
    shown = {own: name for name, own in env.renamed.items()}
    for call in registry.get_bundle(environment).scenario(scenario).solution:
        assert isinstance(getattr(env, shown.get(call.name, call.name))(**call.arguments), str)
    return env.get_reward()


# The class.


def test_a_solution_earns_1_and_nothing_earns_0() -> None:
    env = environment_class(toys.TEA_SHOP_ID)()
    for _ in range(2):  # instances are used again
        assert env.reset(scenario="both", seed=1, prompt=[], other="column").startswith("Order 100 g")
        assert solve(env, toys.TEA_SHOP_ID, "both") == 1.0
        env.reset(scenario="both", seed=1)
        assert env.get_reward() == 0.0


def test_the_reward_can_be_asked_for_twice() -> None:
    env = environment_class(toys.TEA_SHOP_ID)()
    env.reset(scenario="both")
    env.order_tea(tea_id="T-1", grams=100)  # type: ignore[attr-defined]
    assert [env.get_reward(), env.get_reward()] == [0.6667, 0.6667]


@pytest.mark.parametrize("name", ["unreviewed", "awkward"])
def test_code_that_nobody_reviewed_runs_in_a_worker(name: str, request: pytest.FixtureRequest) -> None:
    folder = request.getfixturevalue(name)
    scenario = "tidy" if name == "awkward" else "order-sencha"
    env = environment_class(folder)()
    env.reset(scenario=scenario)
    assert env._play.below.episode.world.__class__.__name__ != "World"
    assert solve(env, folder, scenario) == 1.0
    env._play.close()


def test_names_that_trl_takes_are_told_apart(awkward: str) -> None:
    made = environment_class(awkward)
    assert made.renamed == {"reset_": "reset", "get_reward_": "get_reward", "renamed_": "renamed"}


def test_after_the_end_tools_raise() -> None:
    env = environment_class(toys.TEA_SHOP_ID, max_steps=1)()
    with pytest.raises(ValueError, match="ended"):
        env.list_teas()  # type: ignore[attr-defined]
    env.reset(scenario="order-sencha")
    env.list_teas()  # type: ignore[attr-defined]
    with pytest.raises(ValueError, match="The episode has ended"):
        env.list_teas()  # type: ignore[attr-defined]
    assert env.get_reward() == 0.0


def test_errors_of_the_model_are_answered() -> None:
    env: Any = environment_class(toys.TEA_SHOP_ID)()
    env.reset(scenario="order-sencha")
    assert "grams" in json.loads(env.order_tea(tea_id="T-1"))["error"]
    assert "no_such" in json.loads(env.list_teas(no_such=1))["error"]
    assert json.loads(env.get_tea(tea_id="T-9"))["success"] is False


def test_a_failure_of_the_environment_is_no_reward() -> None:
    env: Any = environment_class(toys.HOSTILE_ID)()
    env.reset(scenario="calm")
    with pytest.raises(EnvironmentFailure):
        env.boom()
    with pytest.raises(ValueError, match="ended"):
        env.fine()
    with pytest.raises(EnvironmentFailure):
        env.get_reward()
    env.reset(scenario="calm")
    assert env.get_reward() == 0.0


def test_conversations_go_through_a_tool() -> None:
    env: Any = environment_class(toys.TEA_SHOP_ID, mode="conversation")()
    assert env.reset(scenario="both") == "I would like 100 g of Sencha."
    env.order_tea(tea_id="T-1", grams=100)
    assert env.say_to_user(message="It is ordered.") == "And put 100 g of Assam on the shelf."
    env.restock(tea_id="T-2", bag=100)
    assert "ended" in env.say_to_user(message="Done.")
    assert env.get_reward() == 1.0
    env.reset(scenario="both")
    env.order_tea(tea_id="T-1", grams=100)
    assert env.get_reward() == 0.6667  # the user has not ended it
    assert not hasattr(environment_class(toys.TEA_SHOP_ID), "say_to_user")


def test_the_same_row_is_the_same_episode_in_every_instance() -> None:
    made: Any = environment_class(toys.TEA_SHOP_ID)
    said = []
    for env in (made(), made()):
        env.reset(scenario="order-sencha", seed=5)
        said.append((env.order_tea(tea_id="T-1", grams=1), env.opening_hours(), env.surprise()))
    assert said[0] == said[1]
    env.reset(scenario="order-sencha", seed=6)
    assert env.order_tea(tea_id="T-1", grams=1) != said[0][0]


def test_without_rows_instances_play_the_same_episodes() -> None:
    made = environment_class(toys.TEA_SHOP_ID)
    first, second = made(), made()
    assert [first.reset() for _ in range(5)] == [second.reset() for _ in range(5)]
    assert len({first.reset() for _ in range(12)}) > 1


def test_a_row_for_another_environment_is_refused() -> None:
    env = environment_class(toys.TEA_SHOP_ID)()
    with pytest.raises(ValueError, match="environment_classes"):
        env.reset(environment=LIBRARY)


def test_wrappers_go_around_it() -> None:
    env: Any = environment_class(toys.TEA_SHOP_ID, wrap=partial(Faults, rate=1.0, in_a_row=1))()
    env.reset(scenario="order-sencha", seed=0)
    said = [json.loads(env.list_teas())["success"] for _ in range(4)]
    assert set(said) == {True, False}
    shaped: Any = environment_class(toys.TEA_SHOP_ID, wrap=partial(PotentialReward, gamma=1.0))()
    shaped.reset(scenario="partly-true")  # one check of three holds at the start
    assert shaped.get_reward() == 0.0
    shaped.reset(scenario="partly-true")
    assert solve(shaped, toys.TEA_SHOP_ID, "partly-true") == pytest.approx(2 / 3, abs=1e-3)


def test_classes_are_the_same_for_the_same_arguments_and_can_be_pickled() -> None:
    made = environment_class(toys.TEA_SHOP_ID, split="train", limits={"call_seconds": 5})
    assert environment_class(toys.TEA_SHOP_ID, limits={"call_seconds": 5}, split="train") is made
    assert environment_class(toys.TEA_SHOP_ID) is not made
    assert pickle.loads(pickle.dumps(made)) is made
    assert copy.deepcopy(made) is made
    cloudpickle = pytest.importorskip("cloudpickle")
    assert cloudpickle.loads(cloudpickle.dumps(made))().reset(scenario="both").startswith("Order")


def test_a_pickled_class_is_made_again_in_another_process(tmp_path: Path) -> None:
    (tmp_path / "class").write_bytes(pickle.dumps(environment_class(LIBRARY)))
    code = f"import pickle; print(pickle.load(open({str(tmp_path / 'class')!r}, 'rb'))().reset(seed=1)[:9])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False)
    assert done.stdout.strip(), done.stderr


def test_a_bundle_that_changed_gets_another_class(tmp_path: Path) -> None:
    folder = tmp_path / "tea"
    toys.tea_shop("fresh/Tea-v0").save(folder)
    before = environment_class(str(folder))
    bundle = toys.make_bundle(toys.HOSTILE_SOURCE, "Hostile", [], {}, "fresh/Tea-v0")
    bundle.save(folder)
    assert hasattr(before, "list_teas")
    assert not hasattr(environment_class(str(folder)), "list_teas")


def test_unknown_names_are_told_at_once() -> None:
    with pytest.raises(UnknownNameError, match="Library"):
        environment_class("Librari")


# Rows.


def test_rows_choose_episodes() -> None:
    found = list(rows(["Library", "RepairShop"], split="test", difficulty="easy", episodes=4, seed=10))
    assert [row["seed"] for row in found] == [10, 11, 12, 13] * 2
    assert {(row["environment"], row["split"], row["difficulty"]) for row in found} == {
        (LIBRARY, "test", "easy"),
        ("envscaler/RepairShop-v0", "test", "easy"),
    }
    system, user = found[0]["prompt"]
    assert system["role"] == "system"
    assert "circulation desk" in system["content"]
    assert user == {"role": "user", "content": ""}
    classes = environment_classes(["Library", "RepairShop"])
    for row in found:
        task = classes[row["environment"]]().reset(**row)
        assert task == registry.get_bundle(row["environment"]).scenario(row["scenario"]).task
    with pytest.raises(ScenarioError):
        list(rows(toys.TEA_SHOP_ID, difficulty="expert"))


def test_rows_make_a_dataset() -> None:
    needs("datasets")
    data = dataset(toys.TEA_SHOP_ID, episodes=5)
    assert len(data) == 5
    assert data[4]["scenario"] == data[0]["scenario"]
    assert data[0]["prompt"][1]["role"] == "user"


# What transformers makes of the methods.


@pytest.mark.parametrize("environment", [*registry.shipped_ids(), toys.TEA_SHOP_ID, toys.HOSTILE_ID])
def test_schemas_are_read_for_every_tool(environment: str) -> None:
    needs("transformers")
    schemas = {
        schema["function"]["name"]: schema["function"] for schema in tool_schemas(environment_class(environment))
    }
    specs = registry.get_bundle(environment).tools.specs
    assert list(schemas) == sorted(spec.name for spec in specs)
    for spec in specs:
        properties = schemas[spec.name]["parameters"]["properties"]
        assert list(properties) == list(spec.parameters["properties"])
        required = schemas[spec.name]["parameters"].get("required", [])
        assert sorted(required) == sorted(spec.parameters.get("required", []))
        assert schemas[spec.name]["description"]
        assert all(schema["description"] for schema in properties.values())


def test_awkward_texts_survive(awkward: str) -> None:
    needs("transformers")
    reward, renamed, emptied = (schema["function"] for schema in tool_schemas(environment_class(awkward)))
    assert [schema["name"] for schema in (reward, renamed, emptied)] == ["get_reward_", "renamed_", "reset_"]
    assert emptied["parameters"]["properties"]["recipe"] == {
        "type": "string",
        "description": 'Which (one of: ["all", 7 of them])',
    }
    described = emptied["parameters"]["properties"]["_id"]["description"]
    assert described == 'Arguments: none. Return value: nothing. Errors: never Default: "x".'
    properties = renamed["parameters"]["properties"]
    nested = properties["part"]["description"].partition("JSON schema: ")[2]
    spec = next(spec for spec in registry.get_bundle(awkward).tools.specs if spec.name == "renamed")
    assert json.loads(nested)["properties"] == spec.parameters["properties"]["part"]["properties"]
    assert properties["kind"]["enum"] == ["a"]
    assert properties["table"]["additionalProperties"] == {"type": "number"}


def test_training_rows_carry_the_tools_as_prompts_show_them(awkward: str) -> None:
    needs("transformers")
    env = RecordTrajectory(ToolEnv(awkward))
    env.reset(options={"scenario": "tidy"})
    for call in registry.get_bundle(awkward).scenario("tidy").solution:
        env.step({"name": call.name, "arguments": dict(call.arguments)})
    env.step({"content": "Done."})
    assert env.trajectory is not None
    env.close()
    made = environment_class(awkward)
    (row,) = sft_rows([env.trajectory], {made.bundle_id: made})
    assert row["tools"] == tool_schemas(made)
    called = [call["function"]["name"] for message in row["messages"] for call in message.get("tool_calls", ())]
    assert called == ["reset_", "get_reward_", "renamed_"]
    assert [m["name"] for m in row["messages"] if m["role"] == "tool"] == called


# TRL itself.


def make_trainer(tmp_path: Path, **arguments: Any) -> Any:
    """Return a GRPOTrainer with a tiny random Qwen3 and a tokenizer made here."""
    trl = needs("trl")
    import transformers
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers

    transformers.set_seed(0)
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    words = ["<|endoftext|>", "<|im_start|>", "<|im_end|>", "<tool_call>", "</tool_call>", *alphabet]
    tokenizer = Tokenizer(models.BPE(vocab={word: i for i, word in enumerate(words)}, merges=[]))
    tokenizer.add_special_tokens(words[:3])
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    fast = transformers.PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, eos_token="<|im_end|>", pad_token="<|endoftext|>"
    )
    template = Path(trl.__file__).parent / "chat_templates" / "qwen3_instruct_2507.jinja"
    fast.chat_template = template.read_text("utf-8")
    config = transformers.Qwen3Config(
        vocab_size=len(fast),
        hidden_size=16,
        intermediate_size=32,
        num_hidden_layers=1,
        num_attention_heads=2,
        num_key_value_heads=1,
        head_dim=8,
        max_position_embeddings=32_768,
        eos_token_id=fast.eos_token_id,
        pad_token_id=fast.pad_token_id,
    )
    options = trl.GRPOConfig(
        output_dir=str(tmp_path / "out"),
        max_steps=2,
        per_device_train_batch_size=2,
        num_generations=2,
        max_completion_length=8_000,
        report_to="none",
        save_strategy="no",
        logging_steps=1,
        use_cpu=True,
        bf16=False,
        disable_tqdm=True,
    )
    model = transformers.Qwen3ForCausalLM(config)
    return trl.GRPOTrainer(model, args=options, processing_class=fast, **arguments)


@pytest.fixture
def quiet(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRL_EXPERIMENTAL_SILENCE", "1")
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")


ignore = pytest.mark.filterwarnings("ignore::FutureWarning", "ignore::DeprecationWarning", "ignore::UserWarning")


@ignore
@pytest.mark.usefixtures("quiet")
def test_the_trainer_trains_two_steps(tmp_path: Path) -> None:
    needs("trl")
    made = environment_classes([toys.TEA_SHOP_ID, toys.HOSTILE_ID])
    data = dataset([toys.TEA_SHOP_ID, toys.HOSTILE_ID], split="train")
    trainer = make_trainer(tmp_path, train_dataset=data, environment_factory=made)
    trainer.args.max_completion_length = trainer.max_completion_length = 24
    trainer.generation_config.max_new_tokens = 24
    trainer.train()
    logged = [entry for entry in trainer.state.log_history if "reward" in entry]
    assert len(logged) == 2
    assert {"rewards/TeaShop_v0/mean", "rewards/Hostile_v0/mean"} <= {name for entry in logged for name in entry}


@ignore
@pytest.mark.usefixtures("quiet")
def test_the_trainers_own_loop_reaches_the_reward(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Only the model is replaced: by one that writes the reference solution, or half of it, token by token."""
    needs("trl")
    scenario = registry.get_bundle(toys.TEA_SHOP_ID).scenario("both")
    calls = [json.dumps({"name": call.name, "arguments": dict(call.arguments)}) for call in scenario.solution]
    data = dataset(toys.TEA_SHOP_ID).filter(lambda row: row["scenario"] == "both")
    trainer = make_trainer(tmp_path, train_dataset=data, environment_factory=environment_class(toys.TEA_SHOP_ID))
    encode = trainer.processing_class.encode
    said = 0

    def generate(prompt_ids: list[list[int]], *_: Any, **__: Any) -> tuple[list[list[int]], None]:
        nonlocal said
        text = f"<tool_call>\n{calls[said]}\n</tool_call>" if said < len(calls) else "Done."
        said += 1
        last = text if said != 2 else "That is all."  # the second rollout stops after one call
        return [encode(t + "<|im_end|>") for t in (text, last)[: len(prompt_ids)]], None

    monkeypatch.setattr(trainer, "_generate_single_turn", generate)
    (row,) = data
    batch = trainer._generate_and_score_completions([row, row])
    assert trainer._metrics["train"]["tools/failure_frequency"] == [0.0]
    rewards = trainer._logs["rewards"]["TeaShop_v0"]
    assert list(rewards) == pytest.approx([1.0, 0.6667])
    assert batch["advantages"][0] > 0 > batch["advantages"][1]
    answers = [m["content"] for m in trainer._logs["completion"][0] if m["role"] == "tool"]
    assert len(answers) == 2
    assert all(json.loads(answer)["success"] for answer in answers)


@pytest.mark.timeout(300)  # most of it is importing
@pytest.mark.usefixtures("quiet")
def test_the_example_runs() -> None:
    needs("trl")
    small = ["--warm-up-steps", "2", "--steps", "1", "--generations", "2", "--hidden", "16", "--completion", "16"]
    done = subprocess.run(
        [sys.executable, "-W", "ignore", str(EXAMPLE), *small],
        env=os.environ | {"TQDM_DISABLE": "1"},
        capture_output=True,
        text=True,
        timeout=280,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "mean reward of the last 1 steps: " in done.stdout
