"""Makes the page docs/synthesis_demo.md from the demo's run: ``python -m tests.synthesis.demo_page``."""

from __future__ import annotations

import json
import tempfile
import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from envscaler_gym.bundle import Bundle, load_bundle
from envscaler_gym.llm.model import CompletionRequest
from envscaler_gym.llm.store import CompletionStore
from envscaler_gym.synthesis.demo import demo, run_demo

PAGE = Path(__file__).parents[2] / "docs" / "synthesis_demo.md"
WIDTH = 130
GROWN = "10-minute block of Comet 29P with the Merlin spectrograph"

INTRODUCTION = """\
# One run of synthesis, stage by stage

`envscaler synth --demo` goes through a whole run without a model: every request is answered from a recording that
comes with the library. The environment is the observing queue of a telescope, and all that is shown here, shortened,
is what went in and came out. [Synthesis](synthesis.md) says how the stages work, [scenario
generation](scenario_generation.md) goes into the second half.

The answers were given offline, through the run's batch file (`--batch`, then `--resume RUN --answers FILE`), which is
also how a batch API would be used.
"""


class Recording:
    """The requests and answers of the demo, found by the class of the answer and a text in the request."""

    def __init__(self) -> None:
        exchanges = CompletionStore(demo.COMPLETIONS).exchanges()
        self._all = [(request, json.loads(completion.text)) for request, completion in exchanges]

    def find(self, title: str, holding: str = "", turn: int = 0) -> tuple[str, Any]:
        """Return the last message of the first request that fits, and its answer.

        Args:
            title: Class of the answer.
            holding: Text that some message of the request or the answer holds.
            turn: How many answers the conversation has already.
        """
        for request, answer in self._all:
            if _title(request) == title and len(request.messages) == 2 + 2 * turn and holding in _said(request, answer):
                return request.messages[-1].content, answer
        raise LookupError(f"the recording has no {title} that holds {holding!r} at turn {turn}")


def page(bundle: Bundle) -> str:
    """Return the page.

    Args:
        bundle: What the demo makes.
    """
    recording = Recording()
    parts = (section(recording, bundle) for section in SECTIONS)
    return "\n".join([INTRODUCTION, *parts])


def _discovery(recording: Recording, _: Bundle) -> str:
    asked, answer = recording.find("EnvironmentDescription")
    return _section(
        "Discovery",
        "A topic becomes the description of an environment, with scores that have to pass the thresholds.",
        ("In", "text", asked.partition("\n\n")[0]),
        ("Out", "json", _json(answer)),
    )


def _skeleton(recording: Recording, _: Bundle) -> str:
    answer = recording.find("Skeleton")[1]
    entity = next(each for each in answer["entities"] if each["name"] == "nights")
    operation = next(each for each in answer["operations"] if each["name"] == "record_outcome")
    rules = [rule["text"] for rule in answer["rules"][:4]]
    kept = ("name", "preconditions", "postconditions", "reads", "writes")
    return _section(
        "Skeleton",
        f"{len(answer['entities'])} kinds of records, {len(answer['rules'])} rules and "
        f"{len(answer['operations'])} operations; of "
        "each kind a little:",
        ("An entity's attributes", "json", "\n".join(_line(each) for each in entity["attributes"][4:])),
        ("Rules", "json", _json(rules)),
        ("An operation", "json", _json({name: operation[name] for name in kept})),
    )


def _code(recording: Recording, _: Bundle) -> str:
    sent_back, mended = recording.find("Helpers", turn=1)
    answer = recording.find("Methods", "Write these methods: find_blocks")[1]
    method = next(each for each in answer["methods"] if each["name"] == "unschedule_block")
    return _section(
        "Code",
        "Records, constructor, signatures and docstrings follow from the skeleton. A model writes what "
        "the methods share, then the "
        "methods. The static gate sends back what may not run; here a helper that used `getattr`.",
        ("Sent back", "text", sent_back),
        ("The helper after that", "python", _function(mended["methods"], "_missing")),
        ("A method", "python", method["source"]),
    )


def _invariants(recording: Recording, _: Bundle) -> str:
    answer = recording.find("RuleParts")[1]
    rule = next(each for each in answer["functions"] if each["name"] == "ports_hold_one_instrument")
    return _section(
        "Invariants",
        "Each rule that can be seen in a state becomes a function over states.",
        ("In", "text", rule["rule"]),
        ("Out", "python", rule["source"]),
    )


def _assessment(recording: Recording, _: Bundle) -> str:
    proposed = recording.find("TestCalls", "two frames lost")[1]
    judged, verdicts = recording.find("CallVerdicts", "Seeing 0.7, two frames lost.")
    calls = json.loads(judged.partition("where the one before it ended:\n\n")[2].partition("\n\nThe state after")[0])
    return _section(
        "Assessment",
        "When the gates have tried the class with thousands of generated calls, one agent tests and "
        "another judges. The tester sees "
        "documentation and state, the judge the source and what each call changed.",
        ("Proposed", "text", "\n".join(map(_proposal, proposed["calls"]))),
        ("What came of the second call", "json", _json({name: calls[1][name] for name in ("result", "changes")})),
        ("Verdicts", "text", "\n".join("{call}. {verdict}: {reason}".format(**each) for each in verdicts["verdicts"])),
    )


def _phrasing(recording: Recording, _: Bundle) -> str:
    answer = recording.find("Phrasing")[1]
    return _section(
        "Phrasing",
        "How people name the records, and how they ask for the operations. Grown tasks are put together from this.",
        ("Names of records", "text", "\n".join("{entity}: {phrase}".format(**each) for each in answer["records"])),
        (
            "Requests",
            "text",
            "\n".join(f"{each['tool']}: {phrase}" for each in answer["tools"] for phrase in each["phrases"]),
        ),
    )


def _start_states(recording: Recording, _: Bundle) -> str:
    asked, answer = recording.find("StateDraft", "Japanese city")
    blocks = list(answer["state"]["blocks"].values())
    records = sum(map(len, answer["state"].values()))
    return _section(
        "Start states",
        f"Each start state has a setting. What comes back is put through types, references and "
        f"invariants; this one holds {records} "
        "records.",
        ("In", "text", asked[asked.index("* Setting") :].partition("\n")[0]),
        ("Out", "json", "\n".join([_line({"id": answer["id"], "clock": answer["clock"]}), *map(_line, blocks[4:7])])),
    )


def _tasks(recording: Recording, _: Bundle) -> str:
    asked, answer = recording.find("TaskDrafts", "Hayabusa")
    return _section(
        "Tasks",
        "A model that sees the start state asks for something, in the words of somebody who does not.",
        ("In", "text", asked[asked.index("Write 1 tasks") :].partition("\n")[0]),
        ("Out", "text", "\n\n".join(f"{name}: {_plain(value)}" for name, value in answer["tasks"][0].items() if value)),
    )


def _checks(recording: Recording, _: Bundle) -> str:
    answer = recording.find("CheckDrafts", "The Geminid radiant ran through")[1]
    return _section(
        "Checks",
        "Before anybody has tried the task, its outcome becomes a checklist, and each question a function.",
        ("The checklist", "json", _json(answer["checklist"])),
        ("The second question", "python", answer["checks"][1]["source"].strip()),
    )


def _solver(recording: Recording, _: Bundle) -> str:
    found, turn = recording.find("SolverTurn", "The Geminid radiant ran through", turn=2)
    done, last = recording.find("SolverTurn", "The Geminid radiant ran through", turn=3)
    return _section(
        "Solver",
        "An agent without the state and the checks tries the task in the real world. The calls that "
        "were needed become the reference "
        "solution.",
        ("What it has found out", "text", found),
        ("What it does then", "json", "\n".join([_line({"thought": turn["thought"]}), *map(_line, turn["calls"])])),
        ("What comes of it", "text", done),
        ("The end", "json", _line(last)),
    )


def _proof(recording: Recording, _: Bundle) -> str:
    asked, answer = recording.find("CheckChanges")
    problems = asked[asked.index("What was found when") :].partition("\n\nAnswer with")[0]
    return _section(
        "Proof",
        "The gates change the state that the solution reaches, a little at a time; a change that no "
        "check notices goes back to the "
        "checks. Of another task:",
        ("In", "text", "\n".join(problems.split("\n")[:6])),
        (
            "Out, the first check",
            "python",
            f"# {answer['checks'][0]['text']}\n" + _function(answer["checks"][0]["source"], "check_func"),
        ),
    )


def _growth(recording: Recording, bundle: Bundle) -> str:
    asked, answer = recording.find("Rewording", GROWN)
    before = asked.partition("The request:\n\n")[2].partition("\n\nIts parts")[0]
    scenario = next(each for each in bundle.scenarios.values() if each.task == answer["task"])
    calls = [_line({call.name: dict(call.arguments)}) for call in scenario.solution]
    return _section(
        "Growth and rewriting",
        "The other scenarios need no model: chains of calls from the tool graph, executed first, with "
        "checks from what they changed. "
        "A model only says the request again; every name and number has to stay.",
        ("A chain", "json", "\n".join(calls)),
        ("Its request, by template", "text", before),
        ("Said again", "text", answer["task"]),
    )


def _publication(_: Recording, bundle: Bundle) -> str:
    manifest = bundle.manifest
    assert manifest.synthesis is not None
    record = manifest.synthesis.model_dump(mode="json")
    kept = ("completions", "calls", "cost_usd", "answered")
    held = {
        "id": manifest.id,
        "tools": len(manifest.tools),
        "rules": len(manifest.rules),
        "scenarios": len(bundle.scenarios),
    }
    return _section(
        "Publication",
        "The whole bundle goes through every gate again and is saved; the manifest says where it comes from.",
        ("What it holds", "json", _json(held)),
        ("Its provenance", "json", _json({name: record[name] for name in kept})),
    )


SECTIONS: tuple[Callable[[Recording, Bundle], str], ...] = (
    _discovery,
    _skeleton,
    _code,
    _invariants,
    _assessment,
    _phrasing,
    _start_states,
    _tasks,
    _checks,
    _solver,
    _proof,
    _growth,
    _publication,
)


def _section(title: str, said: str, *excerpts: tuple[str, str, str]) -> str:
    shown = (f"{name}:\n\n```{language}\n{_fitted(language, text)}\n```\n" for name, language, text in excerpts)
    return "\n".join([f"## {title}\n", f"{textwrap.fill(said, WIDTH)}\n", *shown])


def _fitted(language: str, text: str) -> str:
    """Return a text whose lines are broken, or cut off where they are no prose."""
    lines = text.strip().split("\n")
    if language == "text":
        return "\n".join(_wrapped(line) for line in lines)
    return "\n".join(line if len(line) <= WIDTH else f"{line[: WIDTH - 1].rstrip()}…" for line in lines)


def _wrapped(line: str) -> str:
    if '":' in line and len(line) > WIDTH:
        return f"{line[: WIDTH - 1].rstrip()}…"
    return textwrap.fill(line, WIDTH, subsequent_indent="   ", break_on_hyphens=False)


def _proposal(call: dict[str, Any]) -> str:
    arguments = ", ".join(f"{name}={value!r}" for name, value in call["arguments"].items())
    return f"{call['tool']}({arguments})  # {call['expected']}: {call['why']}"


def _plain(value: Any) -> str:
    return value if isinstance(value, str) else "".join(f"\n- {each}" for each in value)


def _json(value: Any) -> str:
    return json.dumps(value, indent=1, ensure_ascii=False)


def _line(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)


def _function(source: str, name: str) -> str:
    """Return one function of a source."""
    rest = source[source.index(f"def {name}(") :]
    return "\n".join(_body(rest.split("\n")))


def _body(lines: list[str]) -> Iterator[str]:
    yield lines[0]
    for line in lines[1:]:
        if line and not line.startswith(" "):
            return
        yield line


def _title(request: CompletionRequest) -> str:
    return str((request.response_schema or {})["title"])


def _said(request: CompletionRequest, answer: Any) -> str:
    return "\n".join([*(message.content for message in request.messages), _line(answer)])


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        PAGE.write_text(page(load_bundle(run_demo(Path(folder)))), "utf-8")
