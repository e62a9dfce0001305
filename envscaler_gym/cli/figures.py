"""``envscaler figures``: environments in figures, beside those that are published."""

from __future__ import annotations

from typing import Annotated

import typer

from envscaler_gym.cli.console import print_json, stdout, table, text
from envscaler_gym.cli.options import Json, expand
from envscaler_gym.quality.figures import PUBLISHED, Figure, Published, environment_figures, mean_figures
from envscaler_gym.registry import get_bundle, shipped_ids

__all__ = ["figures"]


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
    shorts = [id_.partition("/")[2].removesuffix("-v0") for id_ in columns]
    rows = table("", "published", "mean", *shorts, numbers=("published", "mean", *shorts))
    for number, figure in enumerate(mean):
        own = [_shown(column[number]) for column in columns.values()]
        rows.add_row(text(figure.name), _published(figure), text(_shown(figure), "bold"), *own)
    stdout().print(rows)


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
