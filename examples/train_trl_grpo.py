"""TRL's GRPOTrainer trains a tiny language model on scenarios of the library, offline and on a CPU.

    pip install "envscaler-gym[trl]"
    python examples/train_trl_grpo.py

A model with random weights never writes a call, so it would learn nothing. Here it first sees recorded episodes, of
which some are complete and most stop halfway: it then knows how to call, and gets a part of the reward. GRPO does the
rest. For a real model, leave out the first part, and give the trainer the model's name:

    GRPOTrainer("Qwen/Qwen3-4B", args=..., train_dataset=dataset(ids), environment_factory=environment_class(id))
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
import time
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

os.environ.setdefault("HF_HUB_OFFLINE", "1")  # nothing here comes from the hub
os.environ.setdefault("TRL_EXPERIMENTAL_SILENCE", "1")

import torch
import trl
from datasets import Dataset
from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import PreTrainedTokenizerFast, Qwen3Config, Qwen3ForCausalLM, set_seed

from envscaler_gym import ToolEnv
from envscaler_gym.integrations.trl import dataset, environment_class, sft_rows
from envscaler_gym.registry import get_bundle
from envscaler_gym.trajectories import Trajectory
from envscaler_gym.types import Message, ToolCall
from envscaler_gym.wrappers import RecordTrajectory

TEMPLATES = Path(trl.__file__).parent / "chat_templates"


@dataclass(frozen=True)
class Config:
    """Every knob."""

    environment: str = "envscaler/Library-v0"
    scenarios: int = 2
    complete: int = 1
    halfway: int = 2
    warm_up_steps: int = 100
    steps: int = 20
    generations: int = 12
    learning_rate: float = 1e-4
    completion: int = 320
    hidden: int = 96
    vocabulary: int = 900
    seed: int = 0
    out: str = ""


def record(config: Config, scenario: str, calls: int) -> Trajectory:
    """Play the first calls of a reference solution, say that it is done, and return the episode."""
    env = RecordTrajectory(ToolEnv(config.environment))
    env.reset(seed=config.seed, options={"scenario": scenario})
    for call in get_bundle(config.environment).scenario(scenario).solution[:calls]:
        env.step(ToolCall(call.name, call.arguments).to_action())
    env.step(Message("Done.").to_action())
    env.close()
    assert env.trajectory is not None
    return env.trajectory


def words(message: dict[str, Any]) -> list[str]:
    """Return the texts of a message as the chat template writes them."""
    calls = [call["function"] for call in message.get("tool_calls", ())]
    return [message["content"], *(f'\n{{"name": "{c["name"]}", "arguments": {c["arguments"]}}}\n' for c in calls)]


def make_tokenizer(config: Config, rows: list[dict[str, Any]]) -> PreTrainedTokenizerFast:
    """Train a tokenizer on the rows. The system prompt with the tools is one token: the model knows no other."""
    texts = [text for row in rows for message in row["messages"][1:] for text in words(message)]
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    tokenizer.decoder = decoders.ByteLevel()
    special = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]
    tokenizer.train_from_iterator(
        texts,
        trainers.BpeTrainer(
            vocab_size=config.vocabulary,
            special_tokens=special,
            initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
            show_progress=False,
        ),
    )
    names = {"eos_token": "<|im_end|>", "pad_token": "<|endoftext|>"}
    fast = PreTrainedTokenizerFast(tokenizer_object=tokenizer, **names)
    fast.chat_template = (TEMPLATES / "qwen3_instruct_2507.jinja").read_text("utf-8")
    prompt = fast.apply_chat_template(rows[0]["messages"][:1], tools=rows[0]["tools"], tokenize=False)
    prompt = prompt.removeprefix("<|im_start|>").removesuffix("<|im_end|>\n")
    fast.add_tokens([AddedToken(text, normalized=False) for text in (prompt, "<tool_call>", "</tool_call>")])
    return fast


def make_model(config: Config, tokenizer: PreTrainedTokenizerFast) -> Qwen3ForCausalLM:
    """Return a Qwen3 of two layers with random weights."""
    return Qwen3ForCausalLM(
        Qwen3Config(
            vocab_size=len(tokenizer),
            hidden_size=config.hidden,
            intermediate_size=2 * config.hidden,
            num_hidden_layers=2,
            num_attention_heads=4,
            num_key_value_heads=2,
            head_dim=config.hidden // 4,
            max_position_embeddings=4096,
            tie_word_embeddings=True,
            eos_token_id=tokenizer.eos_token_id,
            pad_token_id=tokenizer.pad_token_id,
        )
    )


def warm_up(config: Config, model: Any, tokenizer: Any, rows: list[dict[str, Any]], out: str) -> None:
    """Show the model the recorded episodes with TRL's SFTTrainer."""
    arguments = trl.SFTConfig(
        output_dir=f"{out}/sft",
        max_steps=config.warm_up_steps,
        per_device_train_batch_size=len(rows),
        learning_rate=3e-3,
        max_length=4096,
        assistant_only_loss=True,
        report_to="none",
        save_strategy="no",
        logging_steps=50,
        use_cpu=True,
        bf16=False,
        seed=config.seed,
        disable_tqdm=True,
        gradient_checkpointing=False,
    )
    data = Dataset.from_list([{"messages": row["messages"], "tools": json.dumps(row["tools"])} for row in rows])
    trl.SFTTrainer(model, args=arguments, train_dataset=data, processing_class=tokenizer).train()


def reinforce(config: Config, model: Any, tokenizer: Any, data: Any, made: Any, out: str) -> list[float]:
    """Train with GRPO and return the mean reward of each step."""
    arguments = trl.GRPOConfig(
        output_dir=f"{out}/grpo",
        max_steps=config.steps,
        per_device_train_batch_size=config.generations,
        num_generations=config.generations,
        learning_rate=config.learning_rate,
        max_completion_length=config.completion,
        max_tool_calling_iterations=8,
        top_p=0.95,  # a model this small talks nonsense otherwise, at length
        report_to="none",
        save_strategy="no",
        logging_steps=1,
        use_cpu=True,
        bf16=False,
        seed=config.seed,
        disable_tqdm=True,
        gradient_checkpointing=False,
    )
    trainer = trl.GRPOTrainer(
        model, args=arguments, train_dataset=data, processing_class=tokenizer, environment_factory=made
    )
    trainer.train()
    return [entry["reward"] for entry in trainer.state.log_history if "reward" in entry]


def main(config: Config) -> None:
    """Record, warm up, train."""
    torch.set_num_threads(1)  # the model is too small for more
    set_seed(config.seed)
    made = environment_class(config.environment)
    data = dataset(config.environment, split="train", difficulty="easy", seed=config.seed).select(
        range(config.scenarios)
    )
    solutions = {name: get_bundle(config.environment).scenario(name).solution for name in data["scenario"]}
    lengths = [
        (name, calls)
        for name, solution in solutions.items()
        for calls in [len(solution)] * config.complete + [len(solution) // 2] * config.halfway
    ]
    episodes = [record(config, name, calls) for name, calls in lengths]
    rows = list(sft_rows(episodes, {made.bundle_id: made}))
    print(f"{len(rows)} recorded episodes, mean reward {sum(e.reward for e in episodes) / len(episodes):.2f}")

    tokenizer = make_tokenizer(config, rows)
    model = make_model(config, tokenizer)
    print(f"a model with {model.num_parameters():,} parameters and {len(tokenizer)} tokens")
    with tempfile.TemporaryDirectory() as scratch:
        out, started = config.out or scratch, time.perf_counter()
        warm_up(config, model, tokenizer, rows, out)
        print(f"warm-up: {time.perf_counter() - started:.0f} s")
        started = time.perf_counter()
        rewards = reinforce(config, model, tokenizer, data, made, out)
        few = max(1, len(rewards) // 10)
        print(f"GRPO: {len(rewards)} steps, {(time.perf_counter() - started) / len(rewards):.1f} s each")
        print(f"mean reward of the first {few} steps: {sum(rewards[:few]) / few:.3f}")
        print(f"mean reward of the last {few} steps: {sum(rewards[-few:]) / few:.3f}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for field in fields(Config):
        parser.add_argument("--" + field.name.replace("_", "-"), type=type(field.default), default=field.default)
    main(Config(**vars(parser.parse_args())))
