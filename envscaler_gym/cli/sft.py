"""``envscaler sft``: recorded episodes as data for supervised fine-tuning."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from envscaler_gym.bundle import write_file
from envscaler_gym.cli.console import stdout, text
from envscaler_gym.formats import SFTForm, select, sft_rows
from envscaler_gym.trajectories import read_trajectories

__all__ = ["sft"]


def sft(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="JSONL file of trajectories.")],
    out: Annotated[Path, typer.Option(metavar="FILE", help="JSONL file to write; replaced where it exists.")],
    form: Annotated[
        SFTForm,
        typer.Option(
            help="A row for each episode ('messages', 'tools'), a row for each turn of the model "
            "('prompt', 'completion', 'tools'), or the published EnvScaler form."
        ),
    ] = "trajectory",
    min_reward: Annotated[float, typer.Option(min=0, max=1, help="Least reward.")] = 1.0,
    max_steps: Annotated[int | None, typer.Option(min=1, help="Most steps.")] = None,
    max_errors: Annotated[
        int | None, typer.Option(min=0, help="Most actions without a form, of no known tool or with wrong arguments.")
    ] = None,
) -> None:
    """Turn recorded episodes into chat data for supervised fine-tuning, those that are good enough."""
    everything = list(read_trajectories(file))
    chosen = list(select(everything, min_reward=min_reward, max_steps=max_steps, max_errors=max_errors))
    lines = [json.dumps(row) + "\n" for row in sft_rows(chosen, form)]
    write_file(out, "".join(lines))
    stdout().print(text(f"{len(chosen)} of {len(everything)} episodes, {len(lines)} rows in {out}"), soft_wrap=True)
