"""What is needed to make a report's numbers again: hashes, data, versions, dates."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from studio_core.reports.records import Fact
from studio_core.sensitivity import Analysis, Source

_DISTRIBUTION = "studio-workbench"


def studio_facts(created: str) -> Iterator[Fact]:
    """When the report was made, and by what."""
    yield Fact("Report made", created[:16].replace("T", " ") + " UTC")
    try:
        yield Fact("Neural Magic Studio", version(_DISTRIBUTION))
    except PackageNotFoundError:
        yield Fact("Neural Magic Studio", "run from a source folder")


def file_facts(path: Path, sha256: str) -> Iterator[Fact]:
    yield Fact("File", path.name)
    yield Fact("SHA-256 of the file", sha256)


def analysis_facts(analysis: Analysis) -> Iterator[Fact]:
    """Where an analysis comes from; an estimate from the weights alone."""
    name = f"{str(analysis.kind).capitalize()} analysis"
    yield Fact(name, f"'{analysis.name}', {analysis.source}, {analysis.metric.label}")
    if analysis.source is Source.ESTIMATED:
        return
    said = analysis.provenance
    labels = {
        "modelSha256": "model",
        "dataSha256": "data",
        "numSamples": "samples",
        "generatedData": "generated data",
        "granularity": "granularity",
        "engine": "engine",
        "numThreads": "threads",
        "batchSize": "batch size",
        "iterations": "iterations",
        "cpu": "processor",
    }
    for key, label in labels.items():
        if said.get(key) is not None:
            yield Fact(f"{name}: {label}", _text(said[key]))
    yield from version_facts(said.get("versions"), f"{name}: versions")


def version_facts(versions: object, label: str = "Versions") -> Iterator[Fact]:
    if isinstance(versions, Mapping) and versions:
        yield Fact(label, ", ".join(f"{name} {number}" for name, number in versions.items()))


def _text(value: object) -> str:
    return {True: "yes", False: "no"}[value] if isinstance(value, bool) else str(value)
