"""``envscaler figures``: environments in figures, beside those that are published."""

from __future__ import annotations

from typing import Annotated

import typer

from envscaler_gym.cli.console import print_json, stdout, table, text
from envscaler_gym.cli.options import Json, expand
from envscaler_gym.quality.figures import PUBLISHED, Figure, Published, environment_figures, mean_figures
from envscaler_gym.registry import get_bundle, shipped_ids

__all__ = ["figures"]

_MOST_COLUMNS = 3


def figures(
    names: Annotated[
        list[str] | None,
        typer.Argument(metavar="[NAME]...", help="Environments; those that come with the library by default."),
    ] = None,
    json: Json = False,
) -> None:
    """Count tools, rules, scenarios and so on, beside the means of the published EnvScaler environments."""
    ids = expand(names) if names else shipped_ids()
    columns = {bundle.id: environment_figures(bundle) for bundle in map(get_bundle, ids)}
    mean = mean_figures(list(columns.values()))
    if json:
        print_json(
            {
                "published": {name: list(value) for name, value in PUBLISHED.items()},
                "mean": {figure.name: figure.value for figure in mean},
                "environments": {id_: {each.name: each.value for each in column} for id_, column in columns.items()},
            }
        )
        return
    few = len(columns) <= _MOST_COLUMNS
    headings = [id_.partition("/")[2].removesuffix("-v0") for id_ in columns] if few else ["least", "most"]
    rows = table("", "published", "mean", *headings, numbers=("published", "mean", *headings))
    for number, figure in enumerate(mean):
        own = [column[number] for column in columns.values()]
        known = [each for each in own if each.value is not None] or own
        if not few:
            own = [min(known, key=lambda each: each.value or 0), max(known, key=lambda each: each.value or 0)]
        rows.add_row(text(figure.name), _published(figure), text(_shown(figure), "bold"), *map(_shown, own))
    console = stdout()
    console.print(rows)
    if not few:
        console.print(text(f"{len(columns)} environments; --json has the figures of each.", "dim"))


def _shown(figure: Figure) -> str:
    if figure.value is None:
        return "-"
    return f"{figure.value:.1%}" if figure.share else f"{figure.value:.1f}".removesuffix(".0")


def _published(figure: Figure) -> str:
    known = PUBLISHED.get(figure.name)
    if known is None:
        return "-"
    low, high = (_shown(figure._replace(value=value)) for value in Published(*known))
    return low if low == high else f"{low.removesuffix('%')}-{high}"
