"""The compiler's tools: what its pipelines are called, in one table by version.

tt-mlir renames its options without notice; which names hold is seen in ``ttmlir-opt --help``.
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import dataclass

from studio_core.overrides.grammar import VERSIONS

OPT, TRANSLATE, RUNTIME = "ttmlir-opt", "ttmlir-translate", "ttrt"
TOOLS = (OPT, TRANSLATE, RUNTIME)


@dataclass(frozen=True, slots=True)
class PipelineNames:
    """What one version calls its pipelines; ``options`` is its key in `overrides.grammar`.

    None where the version has no such step: an older one's modules go into a flatbuffer as
    they are, and its way to C++ is another.
    """

    options: str
    to_ttir: str
    to_ttnn: str
    to_runtime: str | None
    to_emitc: str | None


PIPELINES: Mapping[str, PipelineNames] = {
    names.options: names
    for names in (
        PipelineNames(
            options="common-pipeline",
            to_ttir="stablehlo-to-ttir-pipeline",
            to_ttnn=VERSIONS["common-pipeline"].pipeline,
            to_runtime="ttnn-common-to-runtime-pipeline",
            to_emitc="ttnn-common-to-emitc-pipeline",
        ),
        PipelineNames(
            options="backend-pipeline",
            to_ttir="stablehlo-to-ttir-pipeline",
            to_ttnn=VERSIONS["backend-pipeline"].pipeline,
            to_runtime=None,
            to_emitc=None,
        ),
    )
}
"""Pipelines by version, the newest first."""

DEBUG_INFO = "--mlir-print-debuginfo"
TO_FLATBUFFER = "--ttnn-to-flatbuffer"
TO_CPP = "--mlir-to-cpp"


def pipelines_in(help_text: str) -> PipelineNames | None:
    """The newest version whose main pipeline a help text names; None without any."""
    return next((n for n in PIPELINES.values() if f"--{n.to_ttnn}" in help_text), None)


def find_tools() -> Mapping[str, str] | None:
    """The tools' paths by name; None unless all of them are on PATH."""
    found = {name: shutil.which(name) for name in TOOLS}
    return {n: path for n, path in found.items() if path} if all(found.values()) else None
