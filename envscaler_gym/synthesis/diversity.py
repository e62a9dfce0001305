"""How different the environments of a run are from each other, in figures and as a picture.

Descriptions are compared by the cosine of their character n-grams (TF-IDF), which needs no model and no network.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import combinations
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field

from envscaler_gym.bundle import Bundle, write_file
from envscaler_gym.data import Data

__all__ = [
    "DiversityReport",
    "Duplicate",
    "EnvironmentFigures",
    "cluster",
    "diversity",
    "draw_map",
    "save_report",
    "similarity_matrix",
]

DUPLICATE = 0.8
"""Similarity from which on two descriptions, or two tasks of one environment, are called duplicates."""
RELATED = 0.3
"""Mean similarity from which on two clusters are one."""

_MISSING = 'A diversity report needs scikit-learn and matplotlib: pip install "envscaler-gym[synthesis]"'
_FEW = 8  # environments below which t-SNE has no neighbourhoods to keep


class EnvironmentFigures(Data):
    """One environment in numbers.

    Attributes:
        id: Gymnasium id.
        entities: Number of kinds of records.
        tools: Number of tools.
        changing: Number of those that change the state.
        rules: Number of rules.
        start_states: Number of start states.
        scenarios: Number of scenarios.
        checks: Number of checks in all scenarios.
        difficulty: Number of scenarios by difficulty.
        x: Place on the map, from left to right, between -1 and 1.
        y: Place on the map, upwards, between -1 and 1.
    """

    id: str
    entities: int
    tools: int
    changing: int
    rules: int
    start_states: int
    scenarios: int
    checks: int
    difficulty: Mapping[str, int]
    x: float
    y: float


class Duplicate(Data):
    """Two things that say nearly the same.

    Attributes:
        kind: What they are, ``"environment"`` or ``"task"``.
        first: Id of the one; tasks are named ``<environment>#<scenario>``.
        second: Id of the other.
        similarity: Between 0 and 1.
    """

    kind: str
    first: str
    second: str
    similarity: float


class DiversityReport(Data):
    """How different environments are from each other. Equal for equal bundles.

    Attributes:
        environments: Figures of each, sorted by id.
        similarity: Similarity of each description to each, in that order, between 0 and 1.
        clusters: Ids of environments that are alike, largest cluster first.
        duplicates: Environments, and tasks of one environment, that say nearly the same.
        totals: Sums of the figures over all environments.
        difficulty: Number of scenarios by difficulty over all environments.
        mean_similarity: Over all pairs; 0 where there is no pair.
    """

    environments: Annotated[tuple[EnvironmentFigures, ...], Field(strict=False)]
    similarity: Annotated[tuple[Annotated[tuple[float, ...], Field(strict=False)], ...], Field(strict=False)]
    clusters: Annotated[tuple[Annotated[tuple[str, ...], Field(strict=False)], ...], Field(strict=False)]
    duplicates: Annotated[tuple[Duplicate, ...], Field(strict=False)]
    totals: Mapping[str, int]
    difficulty: Mapping[str, int]
    mean_similarity: float


def diversity(bundles: Sequence[Bundle]) -> DiversityReport:
    """Compare environments with each other.

    Args:
        bundles: The environments, at least one.

    Raises:
        ModuleNotFoundError: scikit-learn is not installed.
        ValueError: There is nothing to compare.
    """
    if not bundles:
        raise ValueError("there are no environments to compare; give at least one bundle")
    ordered = sorted(bundles, key=lambda bundle: bundle.id)
    names = [bundle.id for bundle in ordered]
    similarity = similarity_matrix([_description(bundle) for bundle in ordered])
    places = _places(similarity)
    environments = tuple(_figures(bundle, *place) for bundle, place in zip(ordered, places, strict=True))
    pairs = [similarity[a][b] for a, b in combinations(range(len(names)), 2)]
    difficulty = sum((Counter(environment.difficulty) for environment in environments), Counter[str]())
    return DiversityReport(
        environments=environments,
        similarity=tuple(map(tuple, similarity)),
        clusters=tuple(tuple(names[index] for index in members) for members in cluster(similarity)),
        duplicates=(
            *_duplicates("environment", names, similarity),
            *(duplicate for bundle in ordered for duplicate in _equal_tasks(bundle)),
        ),
        totals={
            field: sum(getattr(environment, field) for environment in environments)
            for field in ("entities", "tools", "changing", "rules", "start_states", "scenarios", "checks")
        },
        difficulty=_by_difficulty(difficulty),
        mean_similarity=round(sum(pairs) / len(pairs), 4) if pairs else 0.0,
    )


def similarity_matrix(texts: Sequence[str]) -> list[list[float]]:
    """Return the cosine similarity of each text to each, rounded to four digits.

    Raises:
        ModuleNotFoundError: scikit-learn is not installed.
    """
    try:
        from sklearn.feature_extraction.text import TfidfVectorizer  # noqa: PLC0415 - slow to import, and an extra
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(_MISSING) from error
    if not any(text.strip() for text in texts):
        return [[float(a == b) for b in range(len(texts))] for a in range(len(texts))]
    vectors = TfidfVectorizer(analyzer="char_wb", ngram_range=(3, 5), sublinear_tf=True).fit_transform(texts)
    matrix = (vectors @ vectors.T).toarray()
    return [[min(round(float(value), 4), 1.0) for value in row] for row in matrix]


def cluster(similarity: Sequence[Sequence[float]], threshold: float = RELATED) -> list[list[int]]:
    """Join what is alike until no two clusters have a mean similarity above the threshold (average linkage).

    Args:
        similarity: Similarity of each to each.
        threshold: Mean similarity from which on two clusters are one.

    Returns:
        Indexes in each cluster, largest cluster first.
    """
    if len(similarity) < 2:
        return [[index] for index in range(len(similarity))]
    from sklearn.cluster import AgglomerativeClustering  # noqa: PLC0415 - slow to import

    distances = [[1 - value for value in row] for row in similarity]
    clusters: dict[int, list[int]] = {}
    joining = AgglomerativeClustering(
        n_clusters=None, distance_threshold=1 - threshold, metric="precomputed", linkage="average"
    )
    for index, label in enumerate(joining.fit_predict(distances)):
        clusters.setdefault(int(label), []).append(index)
    return sorted(clusters.values(), key=lambda members: (-len(members), members))


def draw_map(report: DiversityReport, path: Path) -> None:
    """Draw where the environments lie, those of a cluster in one colour; equal reports give equal files.

    Args:
        report: What to draw.
        path: File to write; its ending, ``.svg`` or ``.png``, says in which form.

    Raises:
        ModuleNotFoundError: matplotlib is not installed.
        ValueError: The ending is another one.
    """
    if path.suffix not in (".svg", ".png"):
        raise ValueError(f"{path}: a picture ends in .svg or .png, got {path.suffix!r}")
    try:
        from matplotlib import rc_context  # noqa: PLC0415 - slow to import, and an extra
        from matplotlib.figure import Figure  # noqa: PLC0415
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(_MISSING) from error
    colours = {name: number for number, members in enumerate(report.clusters) for name in members}
    with rc_context({"svg.hashsalt": "envscaler-gym"}):
        figure = Figure(figsize=(8, 6), layout="constrained")
        axes = figure.add_subplot()
        for environment in report.environments:
            size = 40 + 4 * environment.scenarios
            axes.scatter(environment.x, environment.y, s=size, color=f"C{colours[environment.id] % 10}", alpha=0.8)
            name, side = environment.id.rpartition("/")[2], -1 if environment.x > 0 else 1
            axes.annotate(
                name,
                (environment.x, environment.y),
                (6 * side, 6),
                textcoords="offset points",
                fontsize=8,
                ha="left" if side > 0 else "right",
            )
        axes.set(xlim=(-1.2, 1.2), ylim=(-1.2, 1.2), xticks=[], yticks=[])
        axes.set_title("Environments by what they are about; the larger, the more scenarios", fontsize=10)
        figure.savefig(path, metadata={"Date": None} if path.suffix == ".svg" else {"Software": None})


def save_report(report: DiversityReport, folder: Path) -> tuple[Path, Path]:
    """Write a report as ``diversity.json`` and its map as ``diversity.svg``; equal reports give equal files.

    Args:
        report: The report.
        folder: Folder of the files, which exists.

    Returns:
        The paths of both.

    Raises:
        ModuleNotFoundError: matplotlib is not installed.
    """
    data, picture = folder / "diversity.json", folder / "diversity.svg"
    draw_map(report, picture)
    write_file(data, json.dumps(report.model_dump(mode="json"), indent=1, ensure_ascii=False) + "\n")
    return data, picture


def _description(bundle: Bundle) -> str:
    manifest = bundle.manifest
    return " ".join([manifest.id.rpartition("/")[2], manifest.summary, manifest.introduction])


def _figures(bundle: Bundle, x: float, y: float) -> EnvironmentFigures:
    manifest, scenarios = bundle.manifest, bundle.scenarios.values()
    return EnvironmentFigures(
        id=bundle.id,
        entities=len(manifest.entities),
        tools=len(manifest.tools),
        changing=sum(tool.kind == "state_change" for tool in manifest.tools),
        rules=len(manifest.rules),
        start_states=len(bundle.start_states),
        scenarios=len(scenarios),
        checks=sum(len(scenario.checks or ()) for scenario in scenarios),
        difficulty=_by_difficulty(Counter(scenario.difficulty or "unmeasured" for scenario in scenarios)),
        x=x,
        y=y,
    )


def _by_difficulty(counts: Mapping[str, int]) -> dict[str, int]:
    order = ("easy", "medium", "hard", "expert", "unmeasured")
    return {name: counts[name] for name in order if counts.get(name)}


def _duplicates(kind: str, names: Sequence[str], similarity: Sequence[Sequence[float]]) -> list[Duplicate]:
    return [
        Duplicate(kind=kind, first=names[a], second=names[b], similarity=similarity[a][b])
        for a, b in combinations(range(len(names)), 2)
        if similarity[a][b] >= DUPLICATE
    ]


def _equal_tasks(bundle: Bundle) -> list[Duplicate]:
    """Return the tasks of one environment that say nearly the same."""
    scenarios = list(bundle.scenarios.values())
    names = [f"{bundle.id}#{scenario.id}" for scenario in scenarios]
    return _duplicates("task", names, similarity_matrix([scenario.task for scenario in scenarios])) if scenarios else []


def _places(similarity: Sequence[Sequence[float]]) -> list[tuple[float, float]]:
    """Return a place in the plane for each, near to those that are alike, between -1 and 1."""
    import numpy as np  # noqa: PLC0415 - only reports need it

    matrix = np.asarray(similarity)
    places: Any = _principal(matrix)
    if len(matrix) >= _FEW:
        from sklearn.manifold import TSNE  # noqa: PLC0415 - slow to import

        distances = np.sqrt(np.maximum(2 - 2 * matrix, 0))
        np.fill_diagonal(distances, 0)
        start = places / max(float(np.std(places[:, 0])), 1e-9) * 1e-4
        tsne = TSNE(
            metric="precomputed", init=start, perplexity=min(30, (len(matrix) - 1) / 3), method="exact", random_state=0
        )
        places = tsne.fit_transform(distances)
        places = places - places.mean(axis=0)
    largest = np.maximum(np.abs(places).max(axis=0), 1e-9)
    return [(round(float(x), 3), round(float(y), 3)) for x, y in places / largest]


def _principal(matrix: Any) -> Any:
    """Return the two principal components of the texts behind a similarity matrix, with a sign that is fixed."""
    import numpy as np  # noqa: PLC0415

    count = len(matrix)
    centre = np.eye(count) - 1 / count
    values, vectors = np.linalg.eigh(centre @ matrix @ centre)
    places = np.zeros((count, 2))
    for axis in range(min(2, count)):
        vector = vectors[:, -1 - axis] * np.sqrt(max(values[-1 - axis], 0))
        places[:, axis] = vector * (1 if vector[np.argmax(np.abs(np.round(vector, 6)))] >= 0 else -1)
    return np.round(places, 6)
