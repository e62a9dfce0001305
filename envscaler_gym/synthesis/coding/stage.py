"""The code stage: class and invariants are written part by part, put together, and mended where tests find fault.

The counterpart of programmatic modelling in EnvScaler's SkelBuilder (arXiv 2601.05808). There a model writes the class
whole; here what follows from the skeleton (records, constructor, signatures, docstrings) is made without one.
"""

from __future__ import annotations

import asyncio
import re
import textwrap
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from functools import partial
from typing import Annotated

from pydantic import Field

from envscaler_gym.data import Data
from envscaler_gym.llm.together import together
from envscaler_gym.quality.reports import Finding
from envscaler_gym.state import digest
from envscaler_gym.synthesis.artefacts import Made
from envscaler_gym.synthesis.coding.gate import helper_problems, invariant_problems, method_problems, module_problems
from envscaler_gym.synthesis.coding.parts import (
    CodeParts,
    Helpers,
    Method,
    RuleFunction,
    RuleParts,
    assemble,
    assemble_invariants,
)
from envscaler_gym.synthesis.coding.shell import outline
from envscaler_gym.synthesis.skeleton import Skeleton
from envscaler_gym.synthesis.workshop import Desk, Workshop

__all__ = ["Draft", "repair_draft", "write_draft"]


_SHOWN = 20  # findings that are mended at a time
_LONGEST = 3000  # characters of a finding's message, and of its example


class Draft(Data):
    """The code of an environment as it is now.

    Attributes:
        code: Parts of the class.
        rules: Parts of the invariants.
        source: Source of the class's module; empty where it cannot be put together.
        invariants_source: Source of the invariants; likewise.
        problems: What the static gate found in the whole.
    """

    code: CodeParts
    rules: RuleParts
    source: str
    invariants_source: str
    problems: Annotated[tuple[str, ...], Field(strict=False)]

    @classmethod
    def of(cls, skeleton: Skeleton, code: CodeParts, rules: RuleParts) -> Draft:
        """Put the parts together."""
        source = invariants = ""
        try:
            source = assemble(skeleton, code)
            invariants = assemble_invariants(skeleton, rules)
            problems = tuple(module_problems(skeleton, source))
        except ValueError as error:
            problems = (str(error),)
        return cls(code=code, rules=rules, source=source, invariants_source=invariants, problems=problems)


class Methods(Data):
    methods: Annotated[tuple[Method, ...], Field(strict=False, min_length=1)]


class Repair(Data):
    methods: Annotated[tuple[Method, ...], Field(strict=False)]
    helpers: Helpers | None
    rules: Annotated[tuple[RuleFunction, ...], Field(strict=False)]


async def write_draft(workshop: Workshop, slug: str, skeleton: Made[Skeleton]) -> Made[Draft]:
    """Write the code of a skeleton: helpers, then all methods at once, and the invariants beside them.

    Raises:
        UnusableAnswer: A part cannot be had.
        RunStopped: The model cannot be asked now.
    """
    plan, parents = skeleton.value, [skeleton.digest]
    writing = asyncio.ensure_future(workshop.make("code", slug, CodeParts, partial(_write_code, plan), parents=parents))
    ruling = asyncio.ensure_future(
        workshop.make("invariants", slug, RuleParts, partial(_write_rules, plan), parents=parents)
    )
    await together([writing, ruling])
    code, rules = writing.result(), ruling.result()

    async def assemble_all(desk: Desk) -> Draft:
        return await desk.compute(Draft.of, plan, code.value, rules.value)

    return await workshop.make(
        "code", slug, Draft, assemble_all, parents=[skeleton.digest, code.digest, rules.digest], part="assembled"
    )


async def repair_draft(
    workshop: Workshop,
    slug: str,
    skeleton: Made[Skeleton],
    draft: Made[Draft],
    findings: Sequence[Finding],
    number: int,
) -> Made[Draft]:
    """Have a draft mended.

    Args:
        workshop: The workshop.
        slug: Name of the environment.
        skeleton: What the draft was made from.
        draft: The draft.
        findings: What was found in it.
        number: Number of this repair, from 0; one that changed nothing is not simply repeated.

    Raises:
        UnusableAnswer: No usable replacement can be had.
        RunStopped: The model cannot be asked now.
    """

    async def mend(desk: Desk) -> Draft:
        return await _mend(desk, skeleton.value, draft.value, findings, number)

    parents = [skeleton.digest, draft.digest, digest([finding.model_dump(mode="json") for finding in findings])]
    return await workshop.make("code", slug, Draft, mend, parents=parents, part=f"repair {number}")


async def _write_code(plan: Skeleton, desk: Desk) -> CodeParts:
    helpers = await desk.ask(
        "write_helpers",
        Helpers,
        accept=lambda given: _listed(helper_problems(given)),
        skeleton=plan,
        outline=outline(plan),
    )
    names = [operation.name for operation in plan.operations]
    size = desk.settings.methods_per_request
    groups = [names[start : start + size] for start in range(0, len(names), size)]
    written = await together(_write_methods(desk, plan, helpers, group) for group in groups)
    return CodeParts(helpers=helpers, methods=tuple(method for methods in written for method in methods))


async def _write_methods(desk: Desk, plan: Skeleton, helpers: Helpers, names: list[str]) -> Sequence[Method]:
    def accept(given: Methods) -> str:
        if [method.name for method in given.methods] != names:
            return f"The methods must be {names}, in this order; got {[method.name for method in given.methods]}."
        return _listed(
            problem for method in given.methods for problem in method_problems(method, plan.operation(method.name))
        )

    written = await desk.ask(
        "write_methods",
        Methods,
        accept=accept,
        names=", ".join(names),
        skeleton=_design(plan, names),
        outline=outline(plan),
        helpers=f"{helpers.constants}\n\n{helpers.methods}".strip(),
    )
    return written.methods


async def _write_rules(plan: Skeleton, desk: Desk) -> RuleParts:
    rules = [rule.text for rule in plan.rules if rule.kind == "state"]
    parts = await desk.ask(
        "write_invariants",
        RuleParts,
        accept=lambda given: _listed(invariant_problems(given, rules)),
        skeleton=_design(plan, ()),
        rules=rules,
    )
    by_rule = {function.rule: function for function in parts.functions}
    return parts.model_copy(update={"functions": tuple(by_rule[rule] for rule in rules)})


async def _mend(desk: Desk, plan: Skeleton, draft: Draft, findings: Sequence[Finding], number: int) -> Draft:
    def accept(repair: Repair) -> str:
        return _listed(_repair_problems(plan, draft, repair))

    repair = await desk.ask(
        "repair_code",
        Repair,
        accept=accept,
        attempt=number,
        skeleton=plan,
        source=draft.source or _parts_shown(draft.code),
        invariants=draft.invariants_source or draft.rules.helpers,
        findings="\n\n".join(map(_told, findings[:_SHOWN])),
        helper_names=", ".join(re.findall(r"def (\w+)", draft.code.helpers.methods)),
    )
    return await desk.compute(Draft.of, plan, *_replaced(draft, repair))


def _repair_problems(plan: Skeleton, draft: Draft, repair: Repair) -> Iterator[str]:
    if not (repair.methods or repair.helpers or repair.rules):
        yield "nothing is replaced; at least one method, the helpers or a rule must change"
    known = {operation.name: operation for operation in plan.operations}
    for method in repair.methods:
        if method.name in known:
            yield from method_problems(method, known[method.name])
        else:
            yield f"there is no operation {method.name!r}"
    if repair.helpers is not None:
        yield from helper_problems(repair.helpers)
    _, rules = _replaced(draft, repair)
    yield from invariant_problems(rules, [function.rule for function in draft.rules.functions])
    yield from (f"there is no rule {rule.rule!r}" for rule in repair.rules if rule not in rules.functions)


def _replaced(draft: Draft, repair: Repair) -> tuple[CodeParts, RuleParts]:
    methods = {method.name: method for method in (*draft.code.methods, *repair.methods)}
    kept = tuple(methods[method.name] for method in draft.code.methods)
    code = CodeParts(helpers=repair.helpers or draft.code.helpers, methods=kept)
    functions = {function.rule: function for function in (*draft.rules.functions, *repair.rules)}
    rules = tuple(functions[function.rule] for function in draft.rules.functions)
    return code, draft.rules.model_copy(update={"functions": rules})


def _design(plan: Skeleton, names: Collection[str]) -> Mapping[str, object]:
    """Return a skeleton with some of its operations only: the outline has what is to be known of the others."""
    operations = [operation for operation in plan.operations if operation.name in names]
    return {"entities": plan.entities, "rules": plan.rules} | ({"operations": operations} if operations else {})


def _parts_shown(code: CodeParts) -> str:
    return "\n\n".join([code.helpers.constants, *(method.source for method in code.methods), code.helpers.methods])


def _told(finding: Finding) -> str:
    message = textwrap.shorten(finding.message, _LONGEST, placeholder=" …")
    example = f"\n```python\n{finding.example}\n```" if len(finding.example) < _LONGEST else ""
    return f"* {finding.subject}: {finding.defect}: {message}{example if finding.example else ''}"


def _listed(problems: Iterable[str]) -> str:
    return "\n".join(f"- {problem}" for problem in problems)
