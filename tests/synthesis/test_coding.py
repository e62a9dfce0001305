"""Code is looked at before it runs, put together from its parts, and mended where tests find fault."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import Any

import pytest

from envscaler_gym.errors import BadOutput
from envscaler_gym.isolation.lint import lint
from envscaler_gym.llm.model import CompletionRequest
from envscaler_gym.llm.scripted import Answer, Scripted
from envscaler_gym.quality.reports import Finding
from envscaler_gym.synthesis.artefacts import Artefact, Made, MemoryShelf
from envscaler_gym.synthesis.coding import Draft, repair_draft, write_draft
from envscaler_gym.synthesis.coding.gate import helper_problems, invariant_problems, method_problems, module_problems
from envscaler_gym.synthesis.coding.parts import Helpers, Method, RuleParts, plain_source
from envscaler_gym.synthesis.coding.shell import docstring, outline
from envscaler_gym.synthesis.skeleton import Parameter, Skeleton
from envscaler_gym.synthesis.workshop import Workshop
from envscaler_gym.tools import Toolset
from tests.synthesis import shed_founder, tool_shed
from tests.synthesis.shed_author import text_of
from tests.synthesis.shed_founder import HELPERS, METHODS, RULES, SKELETON, Founder, without_docstring

PLAN = Skeleton.model_validate_json(json.dumps(SKELETON))
FIND = PLAN.operation("find_tools")
GOOD = without_docstring(METHODS["find_tools"])


def method(source: str, *imports: str) -> Method:
    return Method(name="find_tools", imports=imports, source=source)


def test_a_good_method_passes_however_it_is_indented() -> None:
    assert method_problems(method(GOOD), FIND) == []
    indented = "\n".join("\t" + line for line in GOOD.split("\n"))
    assert method_problems(method(f"```python\n{indented}\n```"), FIND) == []


HEAD = "def find_tools(self, name: str) -> Dict[str, Any]:\n"
BAD_METHODS = {
    "syntax": (HEAD + "    return {", "cannot be parsed"),
    "other name": (GOOD.replace("find_tools", "search_tools"), "must begin with the method"),
    "signature": (GOOD.replace("name: str", "name"), "the signature must be"),
    "one line": (HEAD.rstrip() + ' return {"success": True, "data": []}', "on a line of its own"),
    "raises": (HEAD + "    raise ValueError(name)\n", "raises"),
    "swallows": (
        HEAD + '    try:\n        x = 1\n    except Exception:\n        x = 2\n    return {"success": True, "data": x}',
        "catches everything",
    ),
    "no return": (HEAD + '    if name:\n        return {"success": True, "data": []}\n', "not every path ends"),
    "bare": (HEAD + "    return None\n", "must return a dict display"),
    "keys": (HEAD + '    return {"success": True, "message": "Found."}\n', "a query returns"),
    "prints": (HEAD + '    print(name)\n    return {"success": True, "data": []}\n', "uses print"),
    "reaches out": (HEAD + '    return {"success": True, "data": open(name).read()}\n', "uses open"),
    "helper's name": (GOOD + "\ndef _help(self) -> None:\n    pass\n", "begins with '_find_tools'"),
    "helper's types": (GOOD + "\ndef _find_tools_key(self, row) -> str:\n    return row\n", "must have a type"),
}


@pytest.mark.parametrize("name", BAD_METHODS)
def test_what_is_wrong_with_a_method_is_named(name: str) -> None:
    source, said = BAD_METHODS[name]
    found = method_problems(method(source), FIND)
    assert any(said in problem for problem in found), found


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("import os", "not on the list of pure modules"),
        ("import datetime", "so that all methods agree"),
        ("import re as regex", "must not rename"),
        ("x = 1", "is not an import statement"),
    ],
)
def test_what_is_wrong_with_an_import_is_named(line: str, said: str) -> None:
    found = method_problems(method(GOOD, line), FIND)
    assert any(said in problem for problem in found), found


def test_helpers_are_private_functions_and_constants() -> None:
    assert helper_problems(Helpers.model_validate_json(json.dumps(HELPERS))) == []
    bad = Helpers(imports=(), constants="LIMIT = 2\n_x()", methods="def public(self) -> int:\n    return 1")
    said = " ".join(helper_problems(bad))
    assert "line 1" in said
    assert "line 2" in said
    assert "'public' must have a name that begins with '_'" in said


def test_every_rule_has_one_function() -> None:
    rules = [function["rule"] for function in RULES["functions"]]
    parts = RuleParts.model_validate_json(json.dumps(RULES))
    assert invariant_problems(parts, rules) == []
    fewer = parts.model_copy(update={"functions": parts.functions[1:]})
    assert "no function has the rule" in " ".join(invariant_problems(fewer, rules))
    changed = parts.functions[0].model_copy(update={"rule": "Another rule.", "name": "two_at_a_time"})
    said = " ".join(invariant_problems(parts.model_copy(update={"functions": (changed, *parts.functions[1:])}), rules))
    assert "is not one of the rules" in said
    assert "2 functions are called 'two_at_a_time'" in said


def write(founder: Founder, **settings: Any) -> tuple[Made[Draft], Scripted]:
    model = Scripted(founder)
    shop = Workshop(model, shed_founder.settings(**settings), MemoryShelf())
    return asyncio.run(write_draft(shop, "tool_shed", made(PLAN))), model


def made(plan: Skeleton) -> Made[Skeleton]:
    content = plan.model_dump(mode="json")
    return Made(plan, Artefact(stage="skeleton", subject="tool_shed", part="", key="k", content=content))


def test_the_parts_become_a_class_that_the_library_takes() -> None:
    draft, model = write(Founder())
    source = draft.value.source
    assert draft.value.problems == ()
    assert lint(source) == ()
    tools = Toolset(source, "ToolShed", tuple((one.name, one.kind) for one in PLAN.operations))
    assert tools["lend_tool"].spec.parameters["properties"]["days"]["description"] == "The days."
    assert tools["lend_tool"].spec.description.startswith("Lend a tool to a neighbour")
    assert "import TypedDict" not in source.replace("Dict, Literal, TypedDict", "")  # imports are merged
    assert len([request for request in model.requests if "Write these methods" in text_of(request)]) == 5
    assert draft.value.invariants_source.count('"""') == 2 * (1 + len(tool_shed.RULES))


def test_methods_can_be_written_several_at_a_time() -> None:
    one, _ = write(Founder())
    several, model = write(Founder(), methods_per_request=3)
    assert several.value == one.value
    assert len([request for request in model.requests if "Write these methods" in text_of(request)]) == 2


def test_a_slip_is_sent_back_with_what_is_wrong(monkeypatch: pytest.MonkeyPatch) -> None:
    def slip(request: CompletionRequest) -> Answer:
        good: dict[str, Any] = Founder().methods(request)
        if "cannot be used yet" not in text_of(request):
            good["methods"][0]["source"] += "\nprint('done')\n"
        return good

    draft, model = write(Founder(Methods=slip))
    assert draft.value.problems == ()
    sent_back = [request.messages[-1].content for request in model.requests if len(request.messages) > 2]
    assert len(sent_back) == 5
    assert all("uses print" in text for text in sent_back)


def test_slips_are_not_sent_back_for_ever() -> None:
    with pytest.raises(BadOutput, match=r"after 2 corrections still: .*imports os"):
        write(Founder(Helpers=lambda _: HELPERS | {"imports": ["import os"]}))


def test_what_only_the_whole_shows_is_a_problem_of_the_draft() -> None:
    twice = HELPERS | {"methods": HELPERS["methods"] + "\n\n" + HELPERS["methods"]}
    draft, _ = write(Founder(Helpers=lambda _: twice))
    assert draft.value.problems == ("the method '_open_loans' is defined 2 times",)
    assert module_problems(PLAN, draft.value.source.replace("def find_tools", "def find_things")) != []


def repair(answer: Callable[[CompletionRequest], Answer]) -> tuple[Made[Draft], Made[Draft], Scripted]:
    draft, _ = write(Founder())
    model = Scripted(Founder(Repair=answer))
    shop = Workshop(model, shed_founder.settings(), MemoryShelf())
    finding = Finding(subject="find_tools", defect="wrong", message="It finds nothing.", example="assert False")
    return draft, asyncio.run(repair_draft(shop, "tool_shed", made(PLAN), draft, [finding], 0)), model


def test_a_repair_replaces_what_it_names_and_nothing_else() -> None:
    better = GOOD.replace("No tool has a name like that.", "No tool is called that.")
    draft, mended, model = repair(
        lambda _: {"methods": [method(better).model_dump()], "helpers": None, "rules": []},
    )
    assert mended.value.source == draft.value.source.replace("No tool has a name like that.", "No tool is called that.")
    assert mended.value.invariants_source == draft.value.invariants_source
    assert "* find_tools: wrong: It finds nothing.\n```python\nassert False" in text_of(model.requests[0])
    assert draft.digest in mended.artefact.parents


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        ({"methods": [], "helpers": None, "rules": []}, "nothing is replaced"),
        ({"methods": [{"name": "steal", "imports": [], "source": GOOD}], "helpers": None, "rules": []}, "no operation"),
        (
            {"methods": [], "helpers": None, "rules": [{"rule": "New.", "name": "new", "source": "def new(): ..."}]},
            "there is no rule 'New.'",
        ),
    ],
)
def test_a_repair_that_is_none_is_sent_back(answer: dict[str, Any], said: str) -> None:
    with pytest.raises(BadOutput, match=said):
        repair(lambda _: answer)


def test_docstrings_hold_whatever_a_model_writes() -> None:
    odd = Parameter(name="name", type="str", description='A "quoted" \\d text,\nover """two""" lines.', default="")
    operation = FIND.model_copy(update={"parameters": (odd,), "description": 'Say """hello""" \\n "now"'})
    plan = PLAN.model_copy(update={"operations": (operation, *PLAN.operations[2:]), "summary": 'Ends in "quotes"'})
    text = docstring(operation)
    assert "name: A" in text
    tools = Toolset(outline(plan), "ToolShed", (("find_tools", "query"),))
    assert "'''two'''" in tools["find_tools"].spec.parameters["properties"]["name"]["description"]


def test_source_is_taken_out_of_fences_and_tabs() -> None:
    assert plain_source("```python\n\tdef f():\n\t\treturn 1\n```\n") == "def f():\n    return 1"
