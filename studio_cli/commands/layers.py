"""``studio layers MODEL``: what there is to prune, what it costs, and why something cannot be."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

from studio_cli import text
from studio_cli.arguments import Commands, add_command, add_json, add_model
from studio_cli.models import open_session
from studio_cli.notes import macs_note
from studio_cli.output import Column, print_json, print_lines, print_table
from studio_core.documents import layer_document, model_document

if TYPE_CHECKING:
    from studio_core.layers import Layer
    from studio_core.session import Session

SENSITIVITY_LEVEL = 0.8
"""Where one number stands for a layer's whole curve: fragile and robust layers differ here."""

_DESCRIPTION = """\
List the layers of a model: operator, weight shape, parameters, multiply-accumulates (MACs,
for one sample), the share of weights that are zero already, and how sensitive the layer is.
The sensitivity is an estimate from the weights alone: the share of the layer's L2 norm that
is lost at a sparsity of 0.8; higher is more fragile. Layers that cannot be pruned are
counted; --all lists them with the reason.
"""

_EXAMPLES = """\
  studio layers sample:digits_cnn
  studio layers model.onnx --sort sensitivity | head
  studio layers bert.onnx --dimension sequence=128 --all
  studio layers model.onnx --json | jq '.layers[] | [.name, .macs]'
"""

_COLUMNS = (
    Column("layer", wraps=True),
    Column("operator"),
    Column("shape"),
    Column("params", is_number=True),
    Column("MACs", is_number=True),
    Column("sparsity", is_number=True),
    Column(f"loss at {SENSITIVITY_LEVEL}", is_number=True),
    Column("status"),
)

Losses = Mapping[str, float]
"""Estimated loss at `SENSITIVITY_LEVEL` by layer id; only prunable layers have one."""


def add_to(commands: Commands) -> None:
    parser = add_command(
        commands,
        "layers",
        summary="list the layers, their costs and their sensitivity",
        description=_DESCRIPTION,
        examples=_EXAMPLES,
        run=run,
    )
    add_model(parser)
    parser.add_argument("--all", action="store_true", help="also what cannot be pruned, and why")
    parser.add_argument(
        "--sort",
        choices=("macs", "params", "sensitivity", "sparsity"),
        help="highest first, unknown last (default: the order of the model)",
    )
    add_json(parser)


def run(args: argparse.Namespace) -> None:
    session = open_session(args)
    losses = _losses(session)
    chosen = session.layers if args.all else session.prunable_layers
    layers = _sorted(chosen, args.sort, losses)
    if args.json:
        _print_json(session, layers, losses)
    else:
        _print_table(session, layers, losses)


def _losses(session: Session) -> Losses:
    from studio_core.sensitivity import LossCurve, estimate_loss

    analysis = estimate_loss(session.layers, levels=[SENSITIVITY_LEVEL])
    return {c.layer_id: float(c.losses[0]) for c in analysis.curves if isinstance(c, LossCurve)}


def _sorted(layers: Sequence[Layer], key: str | None, losses: Losses) -> Sequence[Layer]:
    values: dict[str, Callable[[Layer], float | None]] = {
        "macs": lambda layer: layer.macs,
        "params": lambda layer: layer.num_params,
        "sensitivity": lambda layer: losses.get(layer.id),
        "sparsity": lambda layer: layer.sparsity,
    }
    if key is None:
        return layers

    def highest_first(layer: Layer) -> tuple[bool, float]:
        value = values[key](layer)
        return value is None, -(value or 0.0)

    return sorted(layers, key=highest_first)


def _print_json(session: Session, layers: Sequence[Layer], losses: Losses) -> None:
    print_json(
        {
            "model": model_document(session.model, session.summary),
            "sensitivity": {
                "metric": "l2_share",
                "sparsity": SENSITIVITY_LEVEL,
                "source": "estimated",
            },
            "layers": [
                {**layer_document(layer), "sensitivity": losses.get(layer.id)} for layer in layers
            ],
        }
    )


def _print_table(session: Session, layers: Sequence[Layer], losses: Losses) -> None:
    print_lines(_headline(session), *session.summary.notes, macs_note(session))
    print()
    reasons = Reasons(layers, as_footnotes=sys.stdout.isatty())
    print_table(_COLUMNS, [_row(layer, losses.get(layer.id), reasons) for layer in layers])
    print()
    print_lines(*reasons.footnotes)
    left_out = len(session.layers) - len(layers)
    print_lines(
        f"Loss at {SENSITIVITY_LEVEL} is estimated from the weights (share of the layer's L2 "
        "norm removed, 0 to 1); nothing was run.",
        f"{text.plural(left_out, 'more layer')} cannot be pruned; --all lists them with the reason."
        if left_out
        else "",
    )


class Reasons:
    """The status of each layer with its reason: in the row, for `grep`, or as a footnote.

    Many layers have one reason, and a sentence in a narrow column fills the screen.
    """

    def __init__(self, layers: Sequence[Layer], *, as_footnotes: bool) -> None:
        found = dict.fromkeys(layer.reason for layer in layers if layer.reason)
        self._numbers = {reason: i for i, reason in enumerate(found, 1)} if as_footnotes else {}

    @property
    def footnotes(self) -> tuple[str, ...]:
        return tuple(f"[{number}] {reason}" for reason, number in self._numbers.items())

    def status(self, layer: Layer) -> str:
        label = layer.status.label
        if not layer.reason:
            return label
        number = self._numbers.get(layer.reason)
        return f"{label}: {layer.reason}" if number is None else f"{label} [{number}]"


def _headline(session: Session) -> str:
    summary = session.summary
    return " · ".join(
        (
            summary.name,
            f"{text.count(summary.num_params)} parameters",
            f"{text.count(summary.macs)} MACs",
            text.size(summary.file_bytes),
            f"sparsity {text.percent(summary.sparsity)}",
            f"{summary.num_prunable:,} of {text.plural(summary.num_layers, 'layer')} prunable",
        )
    )


def _row(layer: Layer, loss: float | None, reasons: Reasons) -> tuple[str, ...]:
    return (
        layer.name,
        layer.op_type,
        text.shape(layer.weight_shape),
        text.count(layer.num_params) if layer.num_params else text.UNKNOWN,
        text.count(layer.macs),
        text.percent(layer.sparsity),
        text.fraction(loss),
        reasons.status(layer),
    )
