"""A plan as Python code for PyTorch's own ``torch.nn.utils.prune``.

Names from a model are hostile text: they enter the code only as ASCII string literals.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Any

from studio_core.errors import InvalidRequestError
from studio_core.exports.name_matching import MatchedName
from studio_core.exports.recipes import named
from studio_core.exports.source import Exported, ExportSource, PlannedWeight


class PruningMethod(StrEnum):
    """How PyTorch finds the weights to remove: by magnitude itself, or from masks of ours."""

    L1_UNSTRUCTURED = "l1_unstructured"
    CUSTOM_FROM_MASK = "custom_from_mask"


def to_torch_code(
    source: ExportSource,
    *,
    state_dict: Mapping[str, Any] | None = None,
    method: PruningMethod | str = PruningMethod.L1_UNSTRUCTURED,
    masks_file: str = "masks.npz",
) -> Exported:
    """A Python module with ``apply(model)``, which prunes a ``torch.nn.Module`` in place.

    ``l1_unstructured`` removes the plan's exact number of weights by their magnitude in the
    given model; ``custom_from_mask`` removes those of ``masks_file``, which the formats
    'npz' and 'safetensors' write. With a ``state_dict`` names are matched by shape and
    values; what is ambiguous or missing is left out and said in the notes and the code.
    """
    try:
        method = PruningMethod(method)
    except ValueError:
        choices = ", ".join(PruningMethod)
        raise InvalidRequestError(f"'method' must be one of {choices}.") from None
    if method is PruningMethod.L1_UNSTRUCTURED:
        source.only_single_weights("l1_unstructured")
        body = _L1
    elif masks_file.endswith((".npz", ".safetensors")):
        loader = _NPZ if masks_file.endswith(".npz") else _SAFETENSORS
        body = loader + _FROM_MASKS.format(masks_file=ascii(masks_file))
    else:
        raise InvalidRequestError("'masks_file' must end in .npz or .safetensors.")
    names = named(source, state_dict)
    rows = [
        _row(names.matched[weight.key], weight, method)
        for weight in source.weights
        if weight.key in names.matched
    ]
    remarks = "".join(f"# {ascii(remark)[1:-1]}\n" for remark in names.problems)
    code = _HEAD + remarks + "PLAN = [\n" + "".join(rows) + "]\n" + body + _PERMANENT
    return Exported(code.encode(), names.problems)


def _row(match: MatchedName, weight: PlannedWeight, method: PruningMethod) -> str:
    module, _, name = match.parameter.rpartition(".")
    values: tuple[Any, ...] = (module, name, weight.key, match.transposed)
    if method is PruningMethod.L1_UNSTRUCTURED:
        values = (module, name, weight.num_pruned, weight.layer.weight_size)
    return f"    ({', '.join(map(ascii, values))}),\n"


_HEAD = '''"""Prunes a PyTorch model as planned in Studio: apply(model), then fine-tune,
then make_permanent(model)."""

import torch
from torch.nn.utils import prune

'''

_L1 = '''

def apply(model):
    """Prune in place: of each parameter the given number of weights, the smallest ones."""
    for module_name, parameter, num_pruned, num_weights in PLAN:
        module = model.get_submodule(module_name)
        size = getattr(module, parameter).numel()
        if size != num_weights:
            raise ValueError(f"{module_name}.{parameter} has {size} weights, not {num_weights}")
        prune.l1_unstructured(module, parameter, amount=num_pruned)
    return model
'''

_NPZ = """

def load_masks(path):
    import json
    import math

    import numpy as np

    masks = {}
    with np.load(path, allow_pickle=False) as stored:
        for number, entry in enumerate(json.loads(str(stored["studio.masks"]))):
            mask = stored[f"mask_{number}"]
            if entry["packed"]:
                mask = np.unpackbits(mask, count=math.prod(entry["shape"]))
            masks[entry["name"]] = torch.from_numpy(mask.reshape(entry["shape"]).astype(bool))
    return masks
"""

_SAFETENSORS = """

def load_masks(path):
    import json
    import math

    import numpy as np
    from safetensors import safe_open

    masks = {}
    with safe_open(path, framework="np") as stored:
        for entry in json.loads(stored.metadata()["studio.masks"]):
            mask = stored.get_tensor(entry["name"])
            if entry["packed"]:
                mask = np.unpackbits(mask, count=math.prod(entry["shape"]))
            masks[entry["name"]] = torch.from_numpy(mask.reshape(entry["shape"]).astype(bool))
    return masks
"""

_FROM_MASKS = '''

def apply(model, masks_file={masks_file}):
    """Prune in place with the masks of Studio."""
    masks = load_masks(masks_file)
    for module_name, parameter, name, transposed in PLAN:
        mask = masks[name].T if transposed else masks[name]
        module = model.get_submodule(module_name)
        if getattr(module, parameter).shape != mask.shape:
            raise ValueError(f"{{module_name}}.{{parameter}} has not the shape of its mask")
        prune.custom_from_mask(module, parameter, mask)
    return model
'''

_PERMANENT = '''

def make_permanent(model):
    """Put the zeros into the parameters and drop the masks."""
    for module_name, parameter, *_ in PLAN:
        prune.remove(model.get_submodule(module_name), parameter)
    return model
'''
