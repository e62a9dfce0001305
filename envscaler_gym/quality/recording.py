"""The quality record that is shipped with a bundle."""

from __future__ import annotations

from dataclasses import replace

from envscaler_gym.bundle import ENVIRONMENT, Bundle
from envscaler_gym.errors import BundleError
from envscaler_gym.quality.reports import QualityReport

__all__ = ["recorded", "write_record"]


def recorded(bundle: Bundle, report: QualityReport) -> Bundle:
    """Return a bundle with what a report says of it in its manifest.

    What agents said of the code while it was made stays there, as long as the code is the same.

    Raises:
        BundleError: The report is about another bundle, or about this one before it was changed.
    """
    if report.bundle != bundle.digest:
        raise BundleError(
            f"{bundle.id}: the report is about the bundle with digest {report.bundle}, and this one has "
            f"{bundle.digest}; check it as it is now"
        )
    before = bundle.manifest.quality
    assessment = before.assessment if before is not None else None
    if assessment is not None and assessment.source != bundle.file_digests()[ENVIRONMENT]:
        assessment = None
    quality = report.record().model_copy(update={"assessment": assessment})
    return replace(bundle, manifest=bundle.manifest.model_copy(update={"quality": quality}))


def write_record(bundle: Bundle, report: QualityReport) -> None:
    """Write what a report says of a bundle into the manifest in the bundle's folder.

    Raises:
        BundleError: The report is about another bundle, or the bundle has no folder.
    """
    if bundle.path is None:
        raise BundleError(f"{bundle.id}: has no folder to be written to; save it first")
    recorded(bundle, report).save(bundle.path)
