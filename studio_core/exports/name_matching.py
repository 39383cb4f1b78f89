"""From the weights of an ONNX model to the parameters of the training code, by content.

Exporters rename weights ("2425", "onnx::MatMul_17") and transpose those of linear layers,
so a recipe with ONNX names finds nothing. Shape and values tell which parameter a weight
is; where they do not tell it for certain, that is said and nothing is guessed.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from studio_core.exports.source import PlannedWeight

_Key = tuple[tuple[int, ...], bytes]


@dataclass(frozen=True)
class MatchedName:
    """The parameter that a weight is; ``transposed`` against the one in the ONNX file."""

    parameter: str
    transposed: bool = False


@dataclass(frozen=True)
class NameMatches:
    """Parameters by the key of the weight, and what could not be told, in words."""

    matched: Mapping[str, MatchedName]
    problems: tuple[str, ...] = field(default=())


def match_names(weights: Sequence[PlannedWeight], state_dict: Mapping[str, Any]) -> NameMatches:
    """Find each weight among the parameters of ``state_dict`` by shape and values.

    Values are numpy arrays or torch tensors; they are compared as float32, as stored or
    (two dimensions) transposed. Of several parameters with the same values, only one with
    the weight's own name counts as certain.
    """
    parameters = _parameters_by_content(weights, state_dict)
    matched: dict[str, MatchedName] = {}
    problems: list[str] = []
    for weight in weights:
        candidates = _candidates(weight, parameters)
        found = _only(candidates, weight.name)
        if found is not None:
            matched[weight.key] = found
        else:
            problems.append(_problem(weight, candidates))
    _drop_contradictions(weights, matched, problems)
    return NameMatches(matched, tuple(problems))


def unchecked(weights: Sequence[PlannedWeight]) -> NameMatches:
    """The ONNX names as they are, with a remark that nobody compared them."""
    remark = (
        "The names are those of the ONNX model and were not compared with the training code; "
        "give a state_dict to match them."
    )
    return NameMatches({w.key: MatchedName(w.name) for w in weights}, (remark,) if weights else ())


def _parameters_by_content(
    weights: Sequence[PlannedWeight], state_dict: Mapping[str, Any]
) -> dict[_Key, list[str]]:
    shapes = {
        shape for w in weights for shape in (w.layer.weight_shape, w.layer.weight_shape[::-1])
    }
    found: dict[_Key, list[str]] = defaultdict(list)
    for name, value in state_dict.items():
        # Entries such as _extra_state are no arrays.
        if tuple(getattr(value, "shape", (-1,))) in shapes:
            array = _as_array(value)
            if array is not None:
                found[_content(array)].append(str(name))
    return found


def _as_array(value: Any) -> NDArray[np.float32] | None:
    if hasattr(value, "detach"):  # a torch tensor; bfloat16 has no numpy type there
        value = value.detach().cpu().float().numpy()
    array = np.asarray(value)
    if array.dtype.kind in "OUSMmc":
        return None
    with np.errstate(over="ignore"):
        return array.astype(np.float32)


def _content(array: NDArray[np.float32]) -> _Key:
    values = np.ascontiguousarray(array + np.float32(0))  # adding zero makes -0 the same as 0
    return array.shape, hashlib.sha256(values.data).digest()


def _candidates(
    weight: PlannedWeight, parameters: Mapping[_Key, list[str]]
) -> dict[str, MatchedName]:
    assert weight.layer.weight is not None  # a planned weight has one
    array = _as_array(weight.layer.weight.tensor.read())
    if array is None:
        return {}
    found = {name: MatchedName(name) for name in parameters.get(_content(array), ())}
    if array.ndim == 2:
        for name in parameters.get(_content(array.T), ()):
            # A symmetric matrix is both; then nothing needs to be transposed.
            found.setdefault(name, MatchedName(name, transposed=True))
    return found


def _only(candidates: Mapping[str, MatchedName], name: str) -> MatchedName | None:
    if len(candidates) == 1:
        return next(iter(candidates.values()))
    return candidates.get(name)


def _problem(weight: PlannedWeight, candidates: Mapping[str, MatchedName]) -> str:
    if not candidates:
        return (
            f"No parameter has the shape and values of {weight.name!r}; it is left out. Batch "
            "norms folded into it, or quantization, change the values."
        )
    names = ", ".join(map(repr, sorted(candidates)))
    return f"{weight.name!r} has the values of several parameters ({names}); it is left out."


def _drop_contradictions(
    weights: Sequence[PlannedWeight], matched: dict[str, MatchedName], problems: list[str]
) -> None:
    """Leave out parameters that two weights claim with different sparsities."""
    claims: dict[str, list[PlannedWeight]] = defaultdict(list)
    for weight in weights:
        if weight.key in matched:
            claims[matched[weight.key].parameter].append(weight)
    for parameter, claiming in claims.items():
        if len({weight.order for weight in claiming}) > 1:
            names = ", ".join(repr(weight.name) for weight in claiming)
            problems.append(
                f"{names} are all the parameter {parameter!r} and have different sparsities; "
                "they are left out."
            )
        # Equal copies of one parameter are pruned once.
        for weight in claiming if len({w.order for w in claiming}) > 1 else claiming[1:]:
            del matched[weight.key]
