"""The data a function is run on: the user's, or generated ones that make sense."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

import numpy as np
import psutil

from studio_core.errors import InvalidRequestError, NotFoundError
from studio_core.evaluation.array_files import read_arrays
from studio_core.execution.emulation import round_to
from studio_core.execution.lowering.lowered import Input, Lowered
from studio_core.execution.lowering.tensors import BOOL, FLOAT, narrow_type
from studio_core.execution.records import Array
from studio_core.execution.roles import Role, roles_of
from studio_core.limits import DEFAULT_LIMITS, Limits
from studio_core.quantities import size

Given: TypeAlias = "Mapping[str, Array] | Sequence[Array] | str | Path | None"
"""Arrays by name or position, a list in the order of the arguments, or an .npz file of them."""


@dataclass(frozen=True, slots=True, eq=False)
class Inputs:
    """Arrays by tensor of the program, and which of them (by name) were generated."""

    arrays: Mapping[str, Array]
    generated: tuple[str, ...]


def inputs_for(lowered: Lowered, given: Given = None, *, seed: int = 0) -> Inputs:
    """The arguments of the function: those given, and generated ones for the rest.

    Generated floats are normal with mean 0, of standard deviation 1, for weights
    1/√(elements summed over); positive where a root or logarithm is taken; rounded to the
    argument's data type. Whole numbers stay below the size of what they index, and are 0 or 1
    where they index nothing. The same ``seed`` gives the same data. Raises
    `InvalidRequestError` where given data do not fit, naming the argument.
    """
    _check_room(lowered.inputs)
    named = dict(_named(given, lowered.inputs))
    roles = roles_of(lowered.function)
    arrays: dict[str, Array] = {}
    generated = []
    for i in lowered.inputs:
        key = next((n for n in i.names if n in named), None)
        if key is not None:
            arrays[i.tensor.name] = _fitted(i, named.pop(key))
            continue
        rng = np.random.default_rng([seed, i.position])
        made = _generated(i, roles.get(i.value, Role()), rng, lowered)
        arrays[i.tensor.name] = np.asarray(made, i.tensor.dtype)
        generated.append(i.name)
    if named:
        names = ", ".join(f"'{i.name}'" for i in lowered.inputs) or "none"
        unknown = ", ".join(f"'{n}'" for n in named)
        raise InvalidRequestError(f"The function has no argument {unknown}; it has {names}.")
    return Inputs(arrays, tuple(generated))


def _check_room(inputs: Sequence[Input]) -> None:
    """Refuse what memory cannot hold, before the system has to."""
    wanted = sum(i.tensor.size * i.tensor.dtype.itemsize for i in inputs)
    free = psutil.virtual_memory().available
    if wanted > free:
        raise InvalidRequestError(
            f"The arguments take {size(wanted)} of memory, of which {size(free)} are free. "
            "Run a smaller function."
        )


def _named(given: Given, inputs: Sequence[Input]) -> Mapping[str, Array]:
    if given is None:
        return {}
    if isinstance(given, (str, Path)):
        return read_npz(Path(given))
    if isinstance(given, Mapping):
        return {name: np.asarray(array) for name, array in given.items()}
    if len(given) > len(inputs):
        raise InvalidRequestError(
            f"{len(given)} arrays were given; the function has {len(inputs)} arguments."
        )
    return {str(i): np.asarray(array) for i, array in enumerate(given)}


def read_npz(path: Path, limits: Limits = DEFAULT_LIMITS) -> dict[str, Array]:
    """The arrays of an .npz file by name; objects in it are refused."""
    if not path.is_file():
        raise NotFoundError(f"There is no file {path}.")
    try:
        arrays = read_arrays(path, limits)
    except InvalidRequestError as error:
        raise InvalidRequestError(
            f"{path.name} is not an .npz file of plain arrays: {error}"
        ) from None
    if not isinstance(arrays, dict):
        raise InvalidRequestError(f"{path.name} is not an .npz file of plain arrays.")
    return arrays


def _fitted(i: Input, array: Array) -> Array:
    """The array in the type in which it is computed."""
    if array.shape != i.tensor.shape:
        wanted, got = ("x".join(map(str, s)) or "a scalar" for s in (i.tensor.shape, array.shape))
        raise InvalidRequestError(f"Argument '{i.name}' must be {wanted}, the data are {got}.")
    if array.dtype.kind not in "fiub" and array.dtype.name != "bfloat16":
        raise InvalidRequestError(f"Argument '{i.name}' must be numbers, not {array.dtype}.")
    return np.asarray(array, i.tensor.dtype)


def _generated(i: Input, role: Role, rng: np.random.Generator, lowered: Lowered) -> Array:
    shape, dtype = i.tensor.shape, i.tensor.dtype
    if dtype == BOOL:
        return np.asarray(rng.integers(0, 2, shape))
    if dtype != FLOAT:
        limit = 2 if role.limit is None else max(1, role.limit)
        narrow = narrow_type(i.element)
        if narrow is not None:
            limit = min(limit, int(np.iinfo(narrow).max) + 1)
        return np.asarray(rng.integers(0, limit, shape))
    if role.limit is not None:  # whole numbers kept as floats
        return np.asarray(rng.integers(0, max(1, role.limit), shape))
    if role.positive:
        values = np.asarray(rng.uniform(0.5, 1.5, shape), FLOAT)
    else:
        values = np.asarray(rng.standard_normal(shape, FLOAT))
        values *= np.float32(1 if not role.fan_in else 1 / np.sqrt(role.fan_in))
    return round_to(values, lowered.program.input_data_types.get(i.tensor.name))
