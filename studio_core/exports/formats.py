"""One door to all exports: `export(format_name, source)`, and the table of what there is."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from studio_core.errors import InvalidRequestError
from studio_core.exports.llm_compressor import to_llm_compressor
from studio_core.exports.masks import to_npz, to_safetensors
from studio_core.exports.recipes import to_sparseml
from studio_core.exports.source import Exported, ExportSource
from studio_core.exports.tables import to_csv, to_json
from studio_core.exports.torch_code import to_torch_code
from studio_core.plans.recipe import Schedule


@dataclass(frozen=True)
class ExportFormat:
    """A format: its name, what it is for, and how its files end."""

    name: str
    title: str
    suffix: str
    media_type: str
    write: Callable[..., Exported]

    @property
    def options(self) -> tuple[str, ...]:
        """Names of the options that `export` takes for this format."""
        parameters = list(inspect.signature(self.write).parameters.values())[1:]
        named = [p.name for p in parameters if p.kind is not p.VAR_KEYWORD]
        if len(named) < len(parameters):
            named += list(inspect.signature(Schedule).parameters)
        return tuple(named)


FORMATS = {
    entry.name: entry
    for entry in (
        ExportFormat("sparseml", "Recipe for SparseML", ".yaml", "application/yaml", to_sparseml),
        ExportFormat(
            "llm-compressor",
            "Recipe for llm-compressor",
            ".yaml",
            "application/yaml",
            to_llm_compressor,
        ),
        ExportFormat("json", "Plan as JSON", ".json", "application/json", to_json),
        ExportFormat("csv", "Table for spreadsheets", ".csv", "text/csv", to_csv),
        ExportFormat("pytorch", "PyTorch code", ".py", "text/x-python", to_torch_code),
        ExportFormat("npz", "Masks for numpy", ".npz", "application/zip", to_npz),
        ExportFormat(
            "safetensors",
            "Masks as safetensors",
            ".safetensors",
            "application/octet-stream",
            to_safetensors,
        ),
    )
}
"""All formats by name, in the order in which they are offered."""


def export(format_name: str, source: ExportSource, **options: Any) -> Exported:
    """The plan of ``source`` in one of `FORMATS`; ``options`` as the format's function takes.

    Raises `InvalidRequestError` for an unknown format or option, and where the format
    cannot hold the plan.
    """
    if format_name not in FORMATS:
        raise InvalidRequestError(
            f"There is no export format '{format_name}'. There are: {', '.join(FORMATS)}."
        )
    chosen = FORMATS[format_name]
    for option in options:
        if option not in chosen.options:
            known = ", ".join(chosen.options) or "none"
            raise InvalidRequestError(
                f"The format '{format_name}' has no option '{option}'. It has: {known}."
            )
    return chosen.write(source, **options)
