"""``studio perf MODEL``: how much work pruning each layer would save, estimated from shapes."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from studio_cli import text
from studio_cli.arguments import Commands, add_command
from studio_cli.curves import TABLE_LEVELS, add_curve_arguments, analysis_levels, print_curves
from studio_cli.models import open_session
from studio_cli.notes import curves_note, macs_note
from studio_cli.output import print_json, print_lines

if TYPE_CHECKING:
    from studio_core.sensitivity import LossCurve, PerfCurve

_DESCRIPTION = """\
Estimate the work that is left of each layer at a sparsity: MACs · (1 − sparsity), for one
sample, as if the runtime skipped every zero. Most runtimes skip none, so this says what
there is to gain at best; no time is measured. Sizes of symbolic dimensions are needed:
give them with --dimension.
"""

_EXAMPLES = """\
  studio perf sample:digits_cnn
  studio perf bert.onnx --dimension sequence=128 --levels 0.8,0.9
  studio perf model.onnx --json | jq '.layerSensitivities[0].baseline.flops'
"""


def add_to(commands: Commands) -> None:
    parser = add_command(
        commands,
        "perf",
        summary="estimate the work that pruning each layer would save",
        description=_DESCRIPTION,
        examples=_EXAMPLES,
        run=run,
    )
    add_curve_arguments(parser)


def run(args: argparse.Namespace) -> None:
    from studio_core.sensitivity import estimate_perf
    from studio_core.sensitivity.documents import to_document

    session = open_session(args)
    analysis = estimate_perf(
        session.layers, levels=analysis_levels(args), resolution=args.resolution
    )
    if args.json:
        print_json(to_document(analysis))
        return
    print_lines(
        f"{session.model.name} · estimated {analysis.metric.label} by sparsity of a layer",
        macs_note(session),
    )
    print()
    print_curves(session, analysis, args.levels or TABLE_LEVELS, text.count, _dense)
    print()
    print_lines(
        analysis.metric.description,
        "Estimated from the shapes for one sample; nothing was run.",
        curves_note(session),
    )


def _dense(curve: LossCurve | PerfCurve) -> str:
    return text.count(getattr(curve, "baseline_flops", None))
