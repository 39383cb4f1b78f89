"""Making a plan from the options of the command line, for `plan` and `export`."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from studio_cli.arguments import fraction, lock
from studio_cli.json_files import read_object
from studio_cli.layer_names import find_layer, find_locks
from studio_core.errors import InvalidRequestError, NotFoundError

if TYPE_CHECKING:
    from studio_core.layers import Layer
    from studio_core.plans import Planner, PruningPlan
    from studio_core.session import Session

PLAN_OPTIONS = ("balance", "max_sparsity", "lock")
"""Options that shape a plan made here; they are None where they were not given."""


def add_plan_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--balance",
        metavar="B",
        type=fraction,
        help="1: spare the layers that mind most; 0: prune where most work is (default: 1)",
    )
    parser.add_argument(
        "--max-sparsity",
        metavar="S",
        type=fraction,
        help="no layer gets more than this unless it is locked (default: 0.95)",
    )
    parser.add_argument(
        "--lock",
        metavar="LAYER=S",
        type=lock,
        action="append",
        help="fix the sparsity of a layer, by its id or its weight's name (repeatable)",
    )


def make_plan(
    session: Session, args: argparse.Namespace, planner: Planner | None = None
) -> PruningPlan:
    """The plan for an average sparsity of ``args.sparsity``; by the estimates, or ``planner``."""
    return (planner or session.planner).distribute(
        args.sparsity,
        balance=1.0 if args.balance is None else args.balance,
        max_sparsity=0.95 if args.max_sparsity is None else args.max_sparsity,
        locked=find_locks(session.layers, args.lock or ()),
    )


def read_plan(session: Session, path: Path) -> PruningPlan:
    """The plan in a JSON file, fitted to the model: each layer must be one of its own.

    Layers may be named by id or weight, so that a plan can be written by hand.
    """
    from studio_core.plans import PruningPlan

    document = read_object(path, "a plan", "studio plan MODEL --sparsity 0.8")
    plan = PruningPlan.from_document(document)
    found = {key: _own_layer(session, path, key) for key in plan.sparsities}
    _refuse_doubles(path, found)
    return PruningPlan(
        sparsities={layer.id: plan.sparsities[key] for key, layer in found.items()},
        locked=frozenset(found[key].id for key in plan.locked),
        target=_number_or_none(path, document, "target"),
        balance=_number_or_none(path, document, "balance"),
        weight_names={layer.id: layer.name for layer in found.values()},
    )


def _own_layer(session: Session, path: Path, key: str) -> Layer:
    try:
        layer = find_layer(session.layers, key)
    except NotFoundError as error:
        raise InvalidRequestError(f"{path} does not fit this model. {error}") from None
    if not layer.is_prunable:
        raise InvalidRequestError(
            f"{path} prunes '{key}', which cannot be pruned here: {layer.reason}"
        )
    return layer


def _refuse_doubles(path: Path, found: dict[str, Layer]) -> None:
    seen: dict[str, str] = {}
    for key, layer in found.items():
        if layer.id in seen:
            raise InvalidRequestError(
                f"{path} names one layer twice, as '{seen[layer.id]}' and as '{key}'."
            )
        seen[layer.id] = key


def _number_or_none(path: Path, document: dict[str, Any], key: str) -> float | None:
    value = document.get(key)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0.0 <= value <= 1.0:
        raise InvalidRequestError(f"'{key}' in {path} must be a number from 0 to 1, or null.")
    return float(value)
