"""A gallery: Markdown pages that show what environments are, how sound they are, and how an episode goes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing
from pathlib import Path

from envscaler_gym.bundle import Bundle
from envscaler_gym.env import ToolEnv
from envscaler_gym.manifest import QualityRecord
from envscaler_gym.scenario import DIFFICULTIES, Scenario
from envscaler_gym.synthesis.graph import draw_graph, load_graph

__all__ = ["environment_page", "index_page", "write_gallery"]

_BAR = 30  # characters
_LONG = 12  # calls above which an episode is too long to be an example
_REMARKS = 12  # remarks of the assessment that are shown


def write_gallery(bundles: Sequence[Bundle], folder: Path) -> list[Path]:
    """Write an index, and for each environment a page and a picture of its tool graph.

    Args:
        bundles: The environments.
        folder: Where to write; made where it is missing.

    Returns:
        The files.

    Raises:
        EnvScalerError: networkx or matplotlib is missing.
    """
    folder.mkdir(parents=True, exist_ok=True)
    files = [folder / "README.md"]
    files[0].write_text(index_page(bundles), "utf-8")
    for bundle in bundles:
        page, picture = (folder / f"{_slug(bundle)}{ending}" for ending in (".md", ".svg"))
        page.write_text(environment_page(bundle), "utf-8")
        draw_graph(load_graph(bundle), picture)
        files += [page, picture]
    return files


def index_page(bundles: Sequence[Bundle]) -> str:
    """Return the page that leads to the others."""
    lines = [
        "# Gallery",
        "",
        "Written by `envscaler gallery`. `envscaler figures` prints them in figures, beside published ones.",
        "",
        "| environment | what it is | tools | rules | scenarios | made |",
        "|---|---|---|---|---|---|",
    ]
    for bundle in bundles:
        manifest = bundle.manifest
        name = f"[{bundle.id}]({_slug(bundle)}.md)"
        counts = f"{len(bundle.tools)} | {len(manifest.rules)} | {len(bundle.scenarios)}"
        lines.append(f"| {name} | {manifest.summary} | {counts} | {manifest.provenance.method} |")
    return "\n".join([*lines, ""])


def environment_page(bundle: Bundle) -> str:
    """Return the page of one environment."""
    return "\n".join([*_head(bundle), *_tools(bundle), *_scenarios(bundle), *_quality(bundle), *_episode(bundle)])


def _head(bundle: Bundle) -> Iterator[str]:
    manifest = bundle.manifest
    yield from (f"# {bundle.id}", "", manifest.summary, "")
    if manifest.synthesis is not None:
        record = manifest.synthesis
        models = ", ".join(sorted(set(record.models.values())))
        yield f"Made by the pipeline from {record.calls} answers, {record.answered} (`{models}`)."
        yield ""
    yield from ("## Introduction", "", manifest.introduction, "")
    yield from ("## Rules", "", *(f"* {rule}" for rule in manifest.rules), "")
    yield from ("## Records", "", *(f"* **{entity.name}**: {entity.description}" for entity in manifest.entities), "")


def _tools(bundle: Bundle) -> Iterator[str]:
    yield from ("## Tools", "", "| tool | | what it does |", "|---|---|---|")
    for tool in bundle.tools.values():
        first = " ".join(tool.spec.description.partition("\n\n")[0].split())
        yield f"| `{tool.name}` | {'looks' if tool.kind == 'query' else 'changes'} | {first} |"
    yield from ("", f"![Which tool supplies and enables which]({_slug(bundle)}.svg)", "")


def _scenarios(bundle: Bundle) -> Iterator[str]:
    counts = Counter(scenario.difficulty for scenario in bundle.scenarios.values())
    splits = Counter(scenario.split for scenario in bundle.scenarios.values())
    most = max(counts.values(), default=1)
    yield from ("## Scenarios", "")
    yield f"{len(bundle.scenarios)}, of which {splits['train']} to train and {splits['test']} to test, from "
    yield f"{len(bundle.start_states)} start states that no two splits share."
    yield from ("", "```text")
    for level in DIFFICULTIES:
        yield f"{level:<7} {counts[level]:>3} {'█' * round(_BAR * counts[level] / most)}"
    yield from ("```", "")


def _quality(bundle: Bundle) -> Iterator[str]:
    record = bundle.quality
    yield from ("## Quality record", "")
    if record is None:
        yield from ("None for the bundle as it is.", "")
        return
    passed = sum(record.gates.values())
    yield f"{passed} of {len(record.gates)} gates passed."
    yield from ("", "| figure | |", "|---|---|")
    yield from (f"| {name.replace('_', ' ')} | {_figure(value)} |" for name, value in record.figures.items())
    yield ""
    yield from _assessment(record)


def _assessment(record: QualityRecord) -> Iterator[str]:
    said = record.assessment
    if said is None:
        return
    verdicts = ", ".join(f"{count} {verdict}" for verdict, count in said.verdicts.items())
    yield f"Assessment by two agents: {said.calls} calls, {said.pass_rate:.0%} passed ({verdicts})."
    yield ""
    for what, remarks in (("Found and repaired", said.repaired), ("Found, and still so", said.remarks)):
        if remarks:
            yield from (f"{what}:", "", *(f"* {remark}" for remark in remarks[:_REMARKS]))
            if len(remarks) > _REMARKS:
                yield f"* … and {len(remarks) - _REMARKS} more"
            yield ""


def _episode(bundle: Bundle) -> Iterator[str]:
    scenario = _example(bundle.scenarios.values())
    if scenario is None:
        return
    with closing(ToolEnv(str(bundle.path or bundle.id), render_mode="ansi")) as env:
        env.reset(seed=0, options={"scenario": scenario.id})
        for call in scenario.solution:
            env.step({"name": call.name, "arguments": dict(call.arguments)})
        env.step({"content": "Done."})
        transcript = str(env.render()).rstrip()
    yield from ("## An episode", "", "The reference solution of one scenario, with what each call changes.", "")
    yield from ("````text", transcript, "````", "")


def _example(scenarios: Iterable[Scenario]) -> Scenario | None:
    """Return the scenario that shows most in a short episode."""
    solved = [scenario for scenario in scenarios if scenario.solution]
    short = [scenario for scenario in solved if len(scenario.solution) <= _LONG]
    return max(short or solved, key=lambda each: (len(each.checks or ()), len(each.solution), each.id), default=None)


def _figure(value: object) -> str:
    return f"{value:g}" if isinstance(value, float) else f"{value:,}" if isinstance(value, int) else f"{value}"


def _slug(bundle: Bundle) -> str:
    return bundle.path.name if bundle.path is not None else bundle.manifest.class_name.casefold()
