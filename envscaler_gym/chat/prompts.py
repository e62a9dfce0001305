"""What an agent is told before the task: who it is, the rules, and, for models without native calls, the tools."""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from string import Template

from envscaler_gym.manifest import Manifest
from envscaler_gym.types import ToolSpec

__all__ = ["SYSTEM_PROMPT", "system_prompt"]

_HERE = Path(__file__).parent


@lru_cache
def _read(name: str) -> str:
    return (_HERE / name).read_text("utf-8")


SYSTEM_PROMPT = _read("system_prompt.md")
"""The template used unless another one is given, with ``$introduction``, ``$rules`` and ``$tools``."""


def system_prompt(
    manifest: Manifest, tools: Sequence[ToolSpec], *, schemas_in_text: bool, template: str = SYSTEM_PROMPT
) -> str:
    """Fill a template.

    Args:
        manifest: Of the environment.
        tools: What may be called.
        schemas_in_text: Whether the tools' schemas and the form of a call are part of the text, as models without
            native function calling need it.
        template: Text with ``$introduction``, ``$rules``, ``$tools`` and ``$summary``, each of which it may leave out;
            ``$$`` is a dollar sign.

    Raises:
        ValueError: The template holds another ``$name``, or a dollar sign that stands for nothing.
    """
    listed = ""
    if schemas_in_text:
        schemas = "\n".join(json.dumps(tool.to_openai(), ensure_ascii=False) for tool in tools)
        listed = Template(_read("tools_prompt.md")).substitute(schemas=schemas)
    values = {
        "summary": manifest.summary,
        "introduction": manifest.introduction or manifest.summary,
        "rules": "\n".join(f"- {rule}" for rule in manifest.rules) or "- None are written down.",
        "tools": listed,
    }
    try:
        return Template(template).substitute(values).strip() + "\n"
    except KeyError as error:
        allowed = ", ".join(f"${name}" for name in values)
        raise ValueError(f"The template of the system prompt holds ${error.args[0]}; it may hold {allowed}.") from None
    except ValueError as error:
        raise ValueError(
            f"The template of the system prompt is malformed: {error}; write $$ for a dollar sign."
        ) from None
