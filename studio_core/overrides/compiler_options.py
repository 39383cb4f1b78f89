"""Overrides as the compiler's option string, and such a string read back."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

from studio_core.attributes.specs import IntListSpec
from studio_core.errors import InvalidRequestError
from studio_core.hardware.attribute_text import dimensions, shorten
from studio_core.hardware.data_types import DATA_TYPES
from studio_core.hardware.editable_keys import CONV2D_SPECS, NONE
from studio_core.hardware.layouts import BUFFER_TYPES, MEMORY_LAYOUTS, TENSOR_MEMORY_LAYOUTS
from studio_core.overrides.grammar import BREAKING, CURRENT, VERSIONS, OptionNames
from studio_core.overrides.grammar import breaking_character as breaking
from studio_core.overrides.records import Override, Overrides

_WORD = re.compile(r"[^ \t\n\r\v\f]+")
"""Only these part options; other blanks of Unicode may stand in a name."""

_FLAGS = {"True": "true", "False": "false"}
# Older spellings that the compiler has understood, and what they are called today.
_ALIASES = {"fp32": "f32", "fp16": "f16", "system": "system_memory"}


@dataclass(frozen=True, slots=True)
class LeftOut:
    """A requested value that the option string cannot say, and why, as a sentence."""

    override: str
    attribute: str
    reason: str


@dataclass(frozen=True, slots=True)
class CompilerOptions:
    """What is sent to the compiler: ``arguments`` in order, each ``name=value``.

    ``left_out`` is what could not be written. ``pipeline`` is the pass pipeline they are for.
    """

    pipeline: str
    arguments: tuple[str, ...]
    left_out: tuple[LeftOut, ...] = ()

    @property
    def text(self) -> str:
        """The option string, as one puts it after ``--<pipeline>=``."""
        return " ".join(self.arguments)


_PartsOf: TypeAlias = Callable[[Override, OptionNames, list[LeftOut]], Iterable[tuple[str, str]]]
"""The (key, text) of an override's values in one option; what cannot be said goes to the list."""

_ValuesOf: TypeAlias = Callable[[str], tuple[str, str]]


@dataclass(frozen=True, slots=True)
class ParsedOptions:
    """An option string taken apart. ``other`` are options that Studio has no part in."""

    overrides: Overrides
    enable_optimizer: bool = False
    memory_layout_analysis: bool = False
    system_desc_path: str | None = None
    other: Mapping[str, str] = field(default_factory=dict)


def to_compiler_options(
    overrides: Overrides,
    *,
    enable_optimizer: bool = True,
    memory_layout_analysis: bool = True,
    system_desc_path: str | None = None,
    version: str = CURRENT,
) -> CompilerOptions:
    """The options for a run with these overrides; without the optimizer none is written.

    ``version`` is a key of `VERSIONS`. Raises `InvalidRequestError` for another, and for a
    path that the option string cannot hold.
    """
    names = option_names(version)
    left_out: list[LeftOut] = []
    arguments = list(_switches(names, enable_optimizer, memory_layout_analysis, system_desc_path))
    if enable_optimizer:
        layouts = list(_entries(overrides, names, left_out, _layout_parts))
        configs = list(_entries(overrides, names, left_out, _conv2d_parts))
        arguments += [f"{names.output_layout}={','.join(layouts)}"] if layouts else []
        arguments += [f"{names.conv2d_config}={','.join(configs)}"] if configs else []
        left_out += _other_keys(overrides)
    else:
        reason = "The optimizer is off, and it is the optimizer that reads overrides."
        left_out += [LeftOut(o.key, key, reason) for o in overrides for key in o.attributes]
    return CompilerOptions(names.pipeline, tuple(arguments), tuple(left_out))


def parse_compiler_options(text: str, version: str = CURRENT) -> ParsedOptions:
    """An option string as `to_compiler_options` or a person wrote it.

    Raises `InvalidRequestError` naming what the compiler's own parser would refuse.
    """
    names = option_names(version)
    values: dict[str, str] = {}
    for word in _WORD.findall(text):
        key, sign, value = word.partition("=")
        if not sign:
            raise InvalidRequestError(f"The option '{shorten(word)}' has no '=' and no value.")
        values[key] = value
    layouts = _parsed(values.pop(names.output_layout, ""), _layout_values)
    configs = _parsed(values.pop(names.conv2d_config or "", ""), _conv2d_values)
    return ParsedOptions(
        overrides=Overrides.of([*layouts, *configs]),
        enable_optimizer=values.pop(names.enable_optimizer or "", "false") == "true",
        memory_layout_analysis=values.pop(names.memory_layout_analysis or "", "false") == "true",
        system_desc_path=values.pop(names.system_description or "", None),
        other=values,
    )


def option_names(version: str = CURRENT) -> OptionNames:
    """The names of a version's options; raises `InvalidRequestError` for an unknown version."""
    names = VERSIONS.get(version)
    if names is None:
        raise InvalidRequestError(
            f"Studio knows no version '{shorten(version)}' of the options. "
            f"Choose one of {', '.join(VERSIONS)}."
        )
    return names


def _switches(
    names: OptionNames, optimizer: bool, analysis: bool, system_desc_path: str | None
) -> Iterator[str]:
    if names.enable_optimizer is not None:
        yield f"{names.enable_optimizer}={'true' if optimizer else 'false'}"
    if names.memory_layout_analysis is not None and optimizer:
        yield f"{names.memory_layout_analysis}={'true' if analysis else 'false'}"
    if system_desc_path is not None and names.system_description is not None:
        if any(c.isspace() or c in "{}\"'" for c in system_desc_path):
            raise InvalidRequestError(
                f"The path '{shorten(system_desc_path)}' holds a space, a quote or a brace, which "
                "the compiler's options cannot. Move the file to a path without."
            )
        yield f"{names.system_description}={system_desc_path}"


def _entries(
    overrides: Iterable[Override],
    names: OptionNames,
    left_out: list[LeftOut],
    parts_of: _PartsOf,
) -> Iterator[str]:
    """``name=part:part`` of each override that has such parts and a name that can be written."""
    for override in overrides:
        parts = list(parts_of(override, names, left_out))
        reason = _unnameable(override)
        if reason and parts:
            left_out += [LeftOut(override.key, key, reason) for key, _ in parts]
        elif parts:
            yield f"{override.named_location}={':'.join(text for _, text in parts)}"


def _unnameable(override: Override) -> str:
    """Why the op cannot be named in an option; "" if it can."""
    if not override.named_location:
        return "The op has no named location, by which alone the compiler finds it."
    character = breaking(override.named_location)
    if character is None:
        return ""
    return f"The name {override.named_location!r} breaks the option: {BREAKING[character]}."


def _layout_parts(
    override: Override, names: OptionNames, left_out: list[LeftOut]
) -> Iterator[tuple[str, str]]:
    for key in _LAYOUT_VALUES:
        if key not in override.attributes:
            continue
        value = override.attributes[key].strip()
        if key not in names.output_layout_keys:
            reason = f"The options of version {names.version} cannot say {key}."
            left_out.append(LeftOut(override.key, key, reason))
        elif not _is_layout_value(key, value):
            reason = f"'{shorten(value)}' is no {key}."
            left_out.append(LeftOut(override.key, key, reason))
        else:
            yield key, value


def _conv2d_parts(
    override: Override, names: OptionNames, left_out: list[LeftOut]
) -> Iterator[tuple[str, str]]:
    for key in CONV2D_SPECS:
        if key not in override.attributes:
            continue
        word = conv2d_word(key, override.attributes[key])
        if names.conv2d_config is None:
            reason = f"The options of version {names.version} have no configuration of conv2d."
            left_out.append(LeftOut(override.key, key, reason))
        elif word is None:
            reason = f"'{shorten(override.attributes[key])}' is the absence of a value, or none."
            left_out.append(LeftOut(override.key, key, reason))
        else:
            yield key, f"{key}#{word}"


def conv2d_word(key: str, value: str) -> str | None:
    """A configuration's value as the option writes it; None where the option cannot say it.

    ``True`` is ``true``, ``[32]`` is ``32``; activation ``None`` is ``none``, and elsewhere
    ``None`` means that nothing is asked for.
    """
    word = value.strip()
    if isinstance(CONV2D_SPECS[key], IntListSpec):
        number = word.strip("[] ")
        return number if number.isascii() and number.isdigit() else None
    if word in (NONE, "none"):
        return "none" if key == "activation" else None
    word = _FLAGS.get(word, word)
    return word if word and not any(c in BREAKING or c in ":#" for c in word) else None


def _other_keys(overrides: Overrides) -> Iterator[LeftOut]:
    for override in overrides:
        for key in override.attributes:
            if key not in _LAYOUT_VALUES and key not in CONV2D_SPECS:
                reason = "No option of the compiler changes it."
                yield LeftOut(override.key, key, reason)


_LAYOUT_VALUES: Mapping[str, Sequence[str]] = {
    "grid_shape": (),
    "buffer_type": BUFFER_TYPES,
    "tensor_memory_layout": TENSOR_MEMORY_LAYOUTS,
    "memory_layout": MEMORY_LAYOUTS,
    "data_type": DATA_TYPES,
}
"""Keys of a layout with their words, in the order of the option; no word is that of two keys."""


def _is_layout_value(key: str, value: str) -> bool:
    if key != "grid_shape":
        return value in _LAYOUT_VALUES[key]
    grid = dimensions(value)
    return grid is not None and len(grid) == 2 and min(grid) >= 1


def _parsed(text: str, values_of: _ValuesOf) -> Iterator[Override]:
    for entry in text.split(",") if text else ():
        name, sign, values = entry.partition("=")
        if not (name and sign and values) or "=" in values:
            raise InvalidRequestError(
                f"'{shorten(entry)}' is no override. Write name=value:value for each op."
            )
        yield Override(name, attributes=dict(map(values_of, values.split(":"))))


def _layout_values(word: str) -> tuple[str, str]:
    """Which key a word is the value of: the option leaves that to the reader."""
    known = _ALIASES.get(word, word)
    for key in _LAYOUT_VALUES:
        if _is_layout_value(key, known):
            return key, known
    raise InvalidRequestError(
        f"'{shorten(word)}' is no part of a layout: no grid, memory, layout or data type."
    )


def _conv2d_values(word: str) -> tuple[str, str]:
    key, sign, value = word.partition("#")
    spec = CONV2D_SPECS.get(key)
    if spec is None or not sign:
        raise InvalidRequestError(f"'{shorten(word)}' is no setting of a convolution.")
    if isinstance(spec, IntListSpec):
        return key, f"[{value}]"
    words = {"true": "True", "false": "False", "none": NONE}
    return key, words.get(value, value)
