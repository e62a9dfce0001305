"""What follows from the skeleton: imports, records, class, constructor, signatures and docstrings."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable

from envscaler_gym.synthesis.skeleton import EntityPlan, Operation, Skeleton

__all__ = ["class_header", "constructor", "docstring", "method_header", "module_header", "outline", "quoted_docstring"]

_WIDTH = 110
_TYPING = "from typing import Any, Dict, List, Literal, Optional, TypedDict"


def module_header(skeleton: Skeleton, imports: Iterable[str] = ()) -> str:
    """Return the beginning of the module: docstring, imports and records.

    Args:
        skeleton: The environment.
        imports: Further import statements.
    """
    lines = sorted({*imports, _TYPING}, key=lambda line: (line.startswith("from"), line))
    records = "\n\n\n".join(map(_record, skeleton.entities))
    return f"{_quoted(skeleton.summary)}\n\n" + "\n".join(lines) + f"\n\n\n{records}\n"


def class_header(skeleton: Skeleton) -> str:
    """Return the beginning of the class: its docstring and, to be put in after its constants, nothing more."""
    return f"class {skeleton.class_name}:\n" + _indent(_quoted(skeleton.introduction))


def constructor(skeleton: Skeleton) -> str:
    """Return the constructor, which makes every collection empty."""
    lines = [f"self.{entity.name}: Dict[str, {entity.record}] = {{}}" for entity in skeleton.entities]
    arguments = "Args:\n    init_config: Ignored; whoever loads a start state sets the attributes."
    body = [_quoted(f"Start with empty collections.\n\n{arguments}"), "del init_config", *lines]
    return "def __init__(self, init_config: Dict[str, Any]) -> None:\n" + _indent("\n".join(body))


def method_header(operation: Operation) -> str:
    """Return the signature of an operation's method, up to the colon."""
    parameters = ["self"]
    for parameter in operation.parameters:
        default = f" = {parameter.default}" if parameter.default else ""
        parameters.append(f"{parameter.name}: {parameter.type}{default}")
    return f"def {operation.name}({', '.join(parameters)}) -> Dict[str, Any]:"


def docstring(operation: Operation) -> str:
    """Return the docstring of an operation's method: what an agent is told of the tool."""
    parts = [operation.description]
    if operation.parameters:
        described = (_wrapped(f"{p.name}: {p.description}", "    ") for p in operation.parameters)
        parts.append("Args:\n" + _indent("\n".join(described)))
    parts.append("Returns:\n" + _indent(_wrapped(f"{_result(operation)}: {operation.returns}", "    ")))
    return "\n\n".join(parts)


def outline(skeleton: Skeleton) -> str:
    """Return the module with nothing but ``...`` in its methods, as a model is shown what it writes the bodies of."""
    methods = [
        f"{method_header(operation)}\n" + _indent(_quoted(docstring(operation)) + "\n...")
        for operation in skeleton.operations
    ]
    body = "\n\n".join([constructor(skeleton), *methods])
    return f"{module_header(skeleton)}\n\n{class_header(skeleton)}\n\n{_indent(body)}\n"


def quoted_docstring(operation: Operation) -> str:
    """Return the docstring as it stands in the source."""
    return _quoted(docstring(operation))


def _result(operation: Operation) -> str:
    return "data" if operation.kind == "query" else "message"


def _record(entity: EntityPlan) -> str:
    lines = [_quoted(entity.description)]
    lines += [
        f"{attribute.name}: {attribute.type}  # {_one_line(attribute.description)}" for attribute in entity.attributes
    ]
    return f"class {entity.record}(TypedDict):\n" + _indent("\n".join(lines))


def _quoted(text: str) -> str:
    """Return a text as a docstring, whatever it holds."""
    text = text.strip().replace("\\", "\\\\").replace('"""', "'''")
    if "\n" in text or len(text) > _WIDTH:
        first, _, rest = text.partition("\n")
        text = "\n".join([*_lines(first), *rest.split("\n")]) if rest else "\n".join(_lines(first))
        return f'"""{text}\n"""'
    return f'"""{text}"""' if not text.endswith('"') else f'"""{text} """'


def _lines(text: str) -> list[str]:
    return textwrap.wrap(text, _WIDTH, break_long_words=False, break_on_hyphens=False) or [""]


def _wrapped(text: str, indent: str) -> str:
    return textwrap.fill(_one_line(text), _WIDTH - 8, subsequent_indent=indent, break_long_words=False)


def _one_line(text: str) -> str:
    return " ".join(text.split())


def _indent(text: str) -> str:
    return textwrap.indent(text, "    ")
