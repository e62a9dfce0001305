"""Similarity of texts by an embedding model, for those who want one."""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from functools import partial
from operator import mul
from typing import Annotated

from pydantic import Field

from envscaler_gym.data import Data
from envscaler_gym.errors import ModelUnavailable, describe_error
from envscaler_gym.state import digest
from envscaler_gym.synthesis.workshop import Desk, Workshop

__all__ = ["embed"]


class _Similarity(Data):
    rows: Annotated[tuple[Annotated[tuple[float, ...], Field(strict=False)], ...], Field(strict=False)]


async def embed(workshop: Workshop, texts: Sequence[str], model: str) -> list[list[float]]:
    """Return the cosine similarity of each text to each, by an embedding model of litellm's; asked for once in a run.

    Raises:
        ModelUnavailable: The provider fails.
        ModuleNotFoundError: litellm is not installed.
    """
    work, parents = partial(_similarity, texts, model), [digest(list(texts)), digest(model)]
    made = await workshop.make("discovery", "run", _Similarity, work, parents=parents, part="similarity")
    return [list(row) for row in made.value.rows]


async def _similarity(texts: Sequence[str], model: str, desk: Desk) -> _Similarity:
    del desk  # embeddings are no completions; the similarities are on disk before they are used
    os.environ.setdefault("LITELLM_LOCAL_MODEL_COST_MAP", "True")  # without it, the import asks the network
    try:
        import litellm  # noqa: PLC0415 - slow to import, and an extra
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError('Embedding models need litellm: pip install "envscaler-gym[synthesis]"') from error
    try:
        answer = await litellm.aembedding(model=model, input=list(texts))
    except Exception as error:  # litellm raises many kinds; all of them mean that there is no answer now
        raise ModelUnavailable(f"{model}: {describe_error(error, 500)}") from error
    vectors = [_unit(item["embedding"]) for item in sorted(answer.data, key=lambda item: item["index"])]
    rows = [[round(math.fsum(map(mul, a, b)), 4) for b in vectors] for a in vectors]
    return _Similarity(rows=tuple(map(tuple, rows)))


def _unit(vector: Sequence[float]) -> list[float]:
    length = math.sqrt(math.fsum(value * value for value in vector)) or 1.0
    return [value / length for value in vector]
