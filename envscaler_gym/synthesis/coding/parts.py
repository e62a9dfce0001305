"""The parts of a synthesized module as models write them, and how they are put together."""

from __future__ import annotations

import ast
import subprocess
import sys
import textwrap
from typing import Annotated

from pydantic import Field

from envscaler_gym.data import Data
from envscaler_gym.synthesis.coding.shell import class_header, constructor, module_header, quoted_docstring
from envscaler_gym.synthesis.skeleton import Skeleton
from envscaler_gym.tools import parse_module

__all__ = [
    "CodeParts",
    "Helpers",
    "Method",
    "RuleFunction",
    "RuleParts",
    "assemble",
    "assemble_invariants",
    "plain_source",
]


class Helpers(Data):
    """What several methods share.

    Attributes:
        imports: Import statements.
        constants: Constants of the class, as statements of its body.
        methods: Private methods.
    """

    imports: Annotated[tuple[str, ...], Field(strict=False)]
    constants: str
    methods: str


class Method(Data):
    """The method of an operation.

    Attributes:
        name: Name of the operation.
        imports: Import statements that it needs besides those of the helpers.
        source: The method, without its docstring, and behind it private methods that it alone uses.
    """

    name: str
    imports: Annotated[tuple[str, ...], Field(strict=False)]
    source: str


class RuleFunction(Data):
    """A rule as a function of a state.

    Attributes:
        rule: The rule, word for word.
        name: Name of the function.
        source: The function, without a docstring.
    """

    rule: str
    name: str
    source: str


class CodeParts(Data):
    """What models have written of the class.

    Attributes:
        helpers: What methods share.
        methods: The methods, in the order of the skeleton.
    """

    helpers: Helpers
    methods: Annotated[tuple[Method, ...], Field(strict=False)]


class RuleParts(Data):
    """What models have written of the invariants.

    Attributes:
        imports: Import statements.
        helpers: Private functions that several of them use.
        functions: The invariants, in the order of the rules.
    """

    imports: Annotated[tuple[str, ...], Field(strict=False)]
    helpers: str
    functions: Annotated[tuple[RuleFunction, ...], Field(strict=False)]


def assemble(skeleton: Skeleton, parts: CodeParts) -> str:
    """Return the source of the module, formatted.

    Raises:
        ValueError: It is not Python.
    """
    imports = [line.strip() for line in parts.helpers.imports]
    imports += [line.strip() for method in parts.methods for line in method.imports]
    operations = {operation.name: operation for operation in skeleton.operations}
    members = [constructor(skeleton)]
    members += [_documented(method.source, quoted_docstring(operations[method.name])) for method in parts.methods]
    if parts.helpers.methods.strip():
        members.append(plain_source(parts.helpers.methods))
    constants = plain_source(parts.helpers.constants)
    body = "\n\n".join([constants, *members] if constants else members)
    head = f"{module_header(skeleton, imports)}\n\n{class_header(skeleton)}"
    return formatted(f"{head}\n\n{textwrap.indent(body, '    ')}\n")


def assemble_invariants(skeleton: Skeleton, parts: RuleParts) -> str:
    """Return the source of the invariants, formatted.

    Raises:
        ValueError: It is not Python.
    """
    imports = sorted({"from typing import Any, Dict, List", *(line.strip() for line in parts.imports)})
    summary = f'"""What always holds in {skeleton.class_name}, as functions of a state."""'
    functions = [_documented(rule.source, f'"""{_rule_text(rule.rule)}"""') for rule in parts.functions]
    helpers = plain_source(parts.helpers)
    return formatted("\n\n\n".join(filter(None, [summary, "\n".join(imports), helpers, *functions])) + "\n")


def plain_source(source: str) -> str:
    """Return source that begins in the first column, without fences, tabs, and blank lines around it."""
    lines = source.expandtabs(4).strip("\n").rstrip().split("\n")
    if lines and lines[0].lstrip().startswith("```"):
        lines = lines[1:-1] if lines[-1].strip() == "```" else lines[1:]
    return textwrap.dedent("\n".join(line.rstrip() for line in lines)).strip("\n")


def formatted(source: str) -> str:
    """Return a source as ruff formats it, its imports merged and sorted, without those that nothing uses.

    Raises:
        ValueError: It is not Python.
        ModuleNotFoundError: ruff is not installed.
    """
    settings = ["--isolated", "--quiet", "--line-length", "120", "--target-version", "py311", "-"]
    for step in (["check", "--fix-only", "--select", "F401,I"], ["format"]):
        command = [sys.executable, "-m", "ruff", *step, *settings]
        done = subprocess.run(command, input=source, capture_output=True, text=True, check=False)  # noqa: S603
        if "No module named ruff" in done.stderr:
            raise ModuleNotFoundError('Synthesis formats code with ruff: pip install "envscaler-gym[synthesis]"')
        if done.returncode != 0:
            raise ValueError(f"ruff cannot read the source: {done.stderr.strip()[:500]}")
        source = done.stdout
    return source


def _documented(source: str, docstring: str) -> str:
    """Return a function, and what stands behind it, with a docstring in place of its own."""
    source = plain_source(source)
    function = parse_module(source).body[0]
    assert isinstance(function, ast.FunctionDef)  # looked at when the answer came in
    lines, first = source.split("\n"), function.body[0]
    begin = end = first.lineno - 1
    if ast.get_docstring(function, clean=False) is not None:
        end = first.end_lineno or first.lineno
    else:
        while lines[begin - 1].lstrip().startswith("#"):  # a comment belongs to what stands below it
            begin = end = begin - 1
    return "\n".join([*lines[:begin], textwrap.indent(docstring, "    "), *lines[end:]])


def _rule_text(rule: str) -> str:
    text = " ".join(rule.split()).replace("\\", "\\\\").replace('"""', "'''")
    return text if not text.endswith('"') else f"{text} "
