"""The grammar of the compiler's options, and what their names were in each of its versions.

    override-output-layout=relu_3=4x8:l1:block_sharded:tile:bf16,add_2=dram
    override-conv2d-config=conv1=weights_dtype#bf16:activation#relu

Options stand side by side, a space between them. Inside one, ``,`` parts the ops, ``=`` the op
from its values, ``:`` the values and ``#`` a key from its value. The parser has no quoting, so
an op whose name holds what parts names cannot be named at all.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

BREAKING = {
    ",": "a comma parts two ops",
    "=": "an equals sign ends the name",
    " ": "a space ends the option",
    "\t": "a tab ends the option",
    "\n": "a line break ends the option",
    "\r": "a line break ends the option",
    "\v": "a line break ends the option",
    "\f": "a line break ends the option",
    "\0": "a zero byte ends the whole command",
    "{": "a brace begins a nested option",
    "}": "a brace ends the options",
    '"': "a quote ends the options",
    "'": "a quote begins a quoted option",
}
"""Characters that an op's name cannot hold, each with what the parser makes of it."""


@dataclass(frozen=True, slots=True)
class OptionNames:
    """What the options are called in one version of tt-mlir; None where it has no such option.

    ``seen`` is the year of the sources in which the names were found: the project makes no
    promise of them, and changes them without notice.
    """

    version: str
    seen: str
    pipeline: str
    enable_optimizer: str | None
    memory_layout_analysis: str | None
    system_description: str | None
    output_layout: str
    conv2d_config: str | None
    output_layout_keys: tuple[str, ...]
    """The keys of a layout that an override can name, in the order of writing."""


_ALL_KEYS = ("grid_shape", "buffer_type", "tensor_memory_layout", "memory_layout", "data_type")

_NEWEST = OptionNames(
    version="common-pipeline",
    seen="2026",
    pipeline="ttir-to-ttnn-common-pipeline",
    enable_optimizer="enable-optimizer",
    memory_layout_analysis="memory-layout-analysis-enabled",
    system_description="system-desc-path",
    output_layout="override-output-layout",
    conv2d_config="override-conv2d-config",
    output_layout_keys=_ALL_KEYS,
)
_BACKEND = replace(
    _NEWEST, version="backend-pipeline", seen="2025", pipeline="ttir-to-ttnn-backend-pipeline"
)
_SHARDING = replace(
    _BACKEND,
    version="sharding-pass",
    seen="2024",
    memory_layout_analysis="sharding-pass-enabled",
    conv2d_config=None,
    output_layout_keys=("grid_shape", "buffer_type", "tensor_memory_layout"),
)

VERSIONS: Mapping[str, OptionNames] = {
    names.version: names for names in (_NEWEST, _BACKEND, _SHARDING)
}
"""Option names by version, the newest first."""

CURRENT = next(iter(VERSIONS))


def breaking_character(name: str) -> str | None:
    """The first character of a name that breaks the grammar, or None."""
    return next((character for character in name if character in BREAKING), None)
