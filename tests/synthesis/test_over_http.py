"""A whole run over HTTP, with a provider that does everything wrong once."""

from __future__ import annotations

import asyncio
import importlib.util
import json
import threading
import warnings
from functools import partial
from pathlib import Path

import pytest

from envscaler_gym.llm.litellm_model import LiteLLM
from envscaler_gym.llm.model import ChatMessage, CompletionRequest
from envscaler_gym.synthesis.running import run_synthesis
from envscaler_gym.synthesis.switchboard import Access
from tests.llm.server import Body, ChatServer, Reply, broken_body, drops, fails, hangs, rate_limited, refuses, says
from tests.synthesis.shed_author import asked
from tests.synthesis.shed_founder import Founder
from tests.synthesis.shed_runs import begin

pytestmark = [
    pytest.mark.skipif(importlib.util.find_spec("litellm") is None, reason="litellm is not installed"),
    pytest.mark.allow_hosts(["127.0.0.1"]),
    pytest.mark.usefixtures("clean_registry"),
]

TROUBLE = {
    "TaskJudgements": rate_limited(0.01),
    "EnvironmentDescription": fails(500),
    "Skeleton": says("Here is what I think."),
    "Helpers": says('{"imports": [', "length"),
    "RuleParts": says('{"imports": [], "helpers": 7, "functions": []}'),
    "SampleStateDraft": hangs(),
    "TestCalls": drops(),
    "StateDraft": broken_body(),
    "CallVerdicts": refuses(),
}
"""The first reply to what asks for an answer of each class."""


class Provider:
    """Answers as the founder does, but for the first time."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._trouble = dict(TROUBLE)
        self._founder = Founder()

    def __call__(self, body: Body) -> Reply:
        messages = tuple(ChatMessage(role=one["role"], content=one["content"]) for one in body["messages"])
        schema = body["response_format"]["json_schema"]["schema"]
        request = CompletionRequest(model=body["model"], messages=messages, response_schema=schema)
        with self._lock:
            trouble = self._trouble.pop(asked(request), None)
        return trouble or says(json.dumps(self._founder(request)))


def test_every_kind_of_trouble_is_survived_and_counted(tmp_path: Path) -> None:
    run = begin(tmp_path, model="openai/test", pass_rate=0.5, sessions=1)
    with warnings.catch_warnings(), ChatServer(Provider()) as server:
        warnings.simplefilter("ignore")  # litellm's own
        reach = partial(LiteLLM, api_base=server.address, api_key="none", timeout=2.0, backoff=0.01, structured=True)
        report = asyncio.run(run_synthesis(run, Access(reach)))
    (outcome,) = report.outcomes
    assert outcome.status == "published", outcome.reason
    assert outcome.figures["rounds"] == {"pass": 4, "unjudged": 2}  # what was refused stays in the denominator
    failures = {stage: dict(usage.failures) for stage, usage in report.usage.items()}
    assert failures["discovery"] == {"rate_limited": 1, "server_error": 1}
    assert failures["skeleton"] == {"malformed": 1}
    assert failures["code"] == {"truncated": 1}
    assert failures["invariants"] == {"wrong_schema": 1}
    assert failures["assessment"] == {"connection": 1, "refusal": 1, "timeout": 1}
    assert sum(failures["start-states"].values()) == 1
    assert report.usage["skeleton"].calls == 2
    assert report.usage["skeleton"].prompt_tokens == 14
