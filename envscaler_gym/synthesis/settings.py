"""What a run is asked for: everything that its result depends on besides its input and the models' answers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import get_args

from pydantic import Field, field_validator

from envscaler_gym.data import Data
from envscaler_gym.errors import did_you_mean, shorten
from envscaler_gym.synthesis.stages import Stage

__all__ = ["Settings"]


class Settings(Data):
    """What a run is asked for. What only says how it is run (concurrency, budget, engine) is no part of it.

    Attributes:
        model: Name of the model, as litellm takes it.
        stage_models: Other models, by stage.
        temperature: Of all requests; ``None`` for the providers' defaults.
        embedding_model: Model that compares descriptions; ``None`` for character n-grams, which need no network.
        seed: Seed of everything that is drawn.
        namespace: Namespace of the new environments' ids.
        environments: Most environments that are built; ``None`` for all that pass discovery.
        usefulness: Least usefulness of an environment, 1 to 10.
        modelability: Least modelability, 1 to 10.
        similarity: Similarity of two descriptions, 0 to 1, from which they count as the same environment.
        tools: Number of operations that a skeleton is asked for; the model may depart from it by a half.
        methods_per_request: Methods that are written in one answer.
        gate_calls: Generated calls of the world gates.
        rounds: Rounds of assessment: calls of the testing agent that the checking agent judges.
        calls_per_turn: Rounds that share one request to either agent.
        sessions: Independent histories that the rounds are spread over; they run side by side.
        pass_rate: Least share of the rounds that pass.
        repairs: Most times that an environment goes back to the code stage.
        start_states: Start states of an environment.
        scenarios: Scenarios of an environment.
        solver_tries: Tries of the solver at one task.
        solver_turns: Most turns of the solver in one try.
        written: Share of the scenarios that a model writes; the others are grown from the tool graph.
        rewrite: Whether a model rewrites the requests of grown scenarios.
        mendings: Most times that a start state, a task or its checks are sent back after they were tried.
    """

    model: str = Field(min_length=1)
    stage_models: Mapping[Stage, str] = {}
    temperature: float | None = Field(default=None, ge=0, le=2)
    embedding_model: str | None = None
    seed: int = Field(default=0, ge=0)
    namespace: str = Field(default="synthesized", pattern=r"^[A-Za-z0-9_-]+$")
    environments: int | None = Field(default=None, ge=1)
    usefulness: int = Field(default=6, ge=1, le=10)
    modelability: int = Field(default=6, ge=1, le=10)
    similarity: float = Field(default=0.6, gt=0, le=1)
    tools: int = Field(default=18, ge=2, le=60)
    methods_per_request: int = Field(default=1, ge=1)
    gate_calls: int = Field(default=20_000, ge=100)
    rounds: int = Field(default=100, ge=1)
    calls_per_turn: int = Field(default=5, ge=1, le=20)
    sessions: int = Field(default=4, ge=1)
    pass_rate: float = Field(default=0.85, ge=0, le=1)
    repairs: int = Field(default=3, ge=0)
    start_states: int = Field(default=4, ge=1)
    scenarios: int = Field(default=24, ge=1)
    solver_tries: int = Field(default=3, ge=1)
    solver_turns: int = Field(default=20, ge=1)
    written: float = Field(default=0.5, ge=0, le=1)
    rewrite: bool = True
    mendings: int = Field(default=3, ge=0)

    @field_validator("stage_models", mode="before")
    @classmethod
    def _known_stages(cls, models: Mapping[str, str]) -> Mapping[str, str]:
        for stage in models:
            if stage not in get_args(Stage):
                raise ValueError(
                    f"there is no stage {shorten(stage)}.{did_you_mean(stage, get_args(Stage))} "
                    f"Stages that ask a model: {', '.join(get_args(Stage))}"
                )
        return models

    def model_for(self, stage: Stage) -> str:
        """Return the name of the model that a stage asks."""
        return self.stage_models.get(stage, self.model)
