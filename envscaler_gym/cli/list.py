"""``envscaler list``: what environments there are."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from envscaler_gym import registry
from envscaler_gym.bundle import Bundle
from envscaler_gym.cli.console import heading, print_json, stdout, table, text
from envscaler_gym.cli.options import Json
from envscaler_gym.errors import BundleError
from envscaler_gym.scenario import DIFFICULTIES
from envscaler_gym.trust import is_reviewed
from envscaler_gym.types import JSON

__all__ = ["list_environments"]

_UNRATED = "unrated"


def list_environments(json: Json = False) -> None:
    """List the environments, and the bundles that cannot be used."""
    bundles, problems = _load_all()
    if json:
        print_json(
            {
                "environments": [_as_dict(bundle) for bundle in bundles],
                "problems": [{"path": str(path), "reason": reason} for path, reason in problems],
            }
        )
        return
    console = stdout()
    counts = {bundle.id: _scenario_counts(bundle) for bundle in bundles}
    levels = [level for level in (*DIFFICULTIES, _UNRATED) if any(count[level] for count in counts.values())]
    listing = table("environment", "tools", *levels, "reviewed", numbers=("tools", *levels), wraps="environment")
    for bundle in bundles:
        name = text(bundle.id, "bold").append_text(text(f"\n{bundle.manifest.summary}", "not bold dim"))
        numbers = (str(counts[bundle.id][level] or "") for level in levels)
        listing.add_row(name, str(len(bundle.tools)), *numbers, "yes" if is_reviewed(bundle) else "no")
    console.print(listing if bundles else "There are no environments.")
    if problems:
        console.print(heading("Cannot be used"))
    for path, reason in problems:
        console.print(text(f"{path}", "bold"), soft_wrap=True)
        console.print(text(f"  {reason}", "red"), soft_wrap=True)


def _load_all() -> tuple[list[Bundle], list[tuple[Path, str]]]:
    bundles, problems = [], [(problem.path, problem.reason) for problem in registry.problems()]
    for id_ in registry.ids():
        try:
            bundles.append(registry.get_bundle(id_))
        except BundleError as error:
            path = registry.find(id_)
            if path not in dict(problems):
                problems.append((path, str(error)))
    return bundles, problems


def _scenario_counts(bundle: Bundle) -> Counter[str]:
    return Counter(scenario.difficulty or _UNRATED for scenario in bundle.scenarios.values())


def _as_dict(bundle: Bundle) -> dict[str, JSON]:
    return {
        "id": bundle.id,
        "summary": bundle.manifest.summary,
        "tools": len(bundle.tools),
        "scenarios": dict(_scenario_counts(bundle)),
        "reviewed": is_reviewed(bundle),
        "path": str(bundle.path),
    }
