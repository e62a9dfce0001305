"""What the gates found: findings, the result of each gate, and the report of a bundle."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Annotated, TypeAlias

from pydantic import Field

from envscaler_gym.data import Data
from envscaler_gym.manifest import QualityRecord
from envscaler_gym.types import JSON

__all__ = ["Finding", "GateResult", "Progress", "QualityReport"]

Progress: TypeAlias = Callable[[str, int, int], None]
"""Is told what is being tried, how much of it is done, and how much there is in all."""


class Finding(Data):
    """One defect, or one thing to know.

    Attributes:
        subject: What has it: the name of a tool or an invariant, or the id of a scenario.
        defect: Class of the defect in a few words, equal for all of its kind, by which findings are counted.
        message: What was seen, with the values that show it.
        example: The shortest program that shows it, as runnable Python, where there is one.
        times: How often it was seen.
    """

    subject: str
    defect: str
    message: str
    example: str = ""
    times: int = 1


class GateResult(Data):
    """What one gate said about one bundle.

    Attributes:
        gate: Name of the gate.
        findings: Defects; the gate has passed when there are none.
        notes: What is worth listing and is no defect.
        figures: What was measured, by name.
        skipped: Why the gate had nothing to try; empty where it was run.
    """

    gate: str
    findings: Annotated[tuple[Finding, ...], Field(strict=False)] = ()
    notes: Annotated[tuple[Finding, ...], Field(strict=False)] = ()
    figures: Mapping[str, JSON] = {}
    skipped: str = ""

    @property
    def passed(self) -> bool:
        """Whether there are no defects."""
        return not self.findings


class QualityReport(Data):
    """What all gates said about one bundle. Equal for equal bundles and seeds.

    Attributes:
        id: Gymnasium id.
        bundle: Digest of the bundle.
        seed: Seed of the generated calls.
        gates: Results, in the order in which the gates ran.
    """

    id: str
    bundle: str
    seed: int
    gates: Annotated[tuple[GateResult, ...], Field(strict=False)]

    @property
    def passed(self) -> bool:
        """Whether every gate passed."""
        return all(gate.passed for gate in self.gates)

    @property
    def findings(self) -> tuple[Finding, ...]:
        """All defects, in the order of the gates."""
        return tuple(finding for gate in self.gates for finding in gate.findings)

    def defects(self) -> dict[str, int]:
        """Return how many subjects have each class of defect, most first."""
        return _count(self.findings)

    def noted(self) -> dict[str, int]:
        """Return how many subjects have each class of what is worth listing and is no defect, most first."""
        return _count(note for gate in self.gates for note in gate.notes)

    def gate(self, name: str) -> GateResult:
        """Return the result of a gate.

        Raises:
            KeyError: No gate of that name was run.
        """
        return {result.gate: result for result in self.gates}[name]

    def record(self) -> QualityRecord:
        """Return what is shipped with the bundle."""
        return QualityRecord(
            bundle=self.bundle,
            passed=self.passed,
            seed=self.seed,
            gates={result.gate: result.passed for result in self.gates if not result.skipped},
            figures={name: value for result in self.gates for name, value in result.figures.items()},
        )


def _count(findings: Iterable[Finding]) -> dict[str, int]:
    subjects: dict[str, set[str]] = {}
    for finding in findings:
        subjects.setdefault(finding.defect, set()).add(finding.subject)
    return {defect: len(found) for defect, found in sorted(subjects.items(), key=lambda item: (-len(item[1]), item[0]))}
