"""``studio sweep MODEL``: how much each layer really minds, measured by running the model."""

from __future__ import annotations

import argparse
import math
import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from studio_cli import text
from studio_cli.analyses import AnalysisFile, progress_document, read_analysis
from studio_cli.arguments import (
    Commands,
    add_command,
    add_force,
    add_json,
    add_model,
    add_output,
    add_workers,
    granularity,
    levels,
    stop_error,
    whole_numbers,
)
from studio_cli.data import EvaluationData, add_data_arguments, load_data
from studio_cli.models import open_session
from studio_cli.notes import curves_note
from studio_cli.output import (
    Column,
    check_target,
    note,
    print_json,
    print_lines,
    print_table,
)
from studio_cli.progress import progress
from studio_core.errors import InvalidRequestError

if TYPE_CHECKING:
    from studio_core.analysis_runs import RunProgress
    from studio_core.sensitivity import Analysis, LossCurve
    from studio_core.session import Session

TABLE_LEVELS = (0.4, 0.6, 0.8, 0.9, 0.95)
"""Of the levels measured by default, those that a person is shown."""

_DESCRIPTION = """\
Measure how much each layer minds being pruned: each alone, at each level, its smallest
weights set to zero, the model run on data and its outputs compared with the labels or with
those of the whole model. Higher is worse; ± is the standard error over the samples. With -o
what was measured is kept while the sweep runs, also when Ctrl-C ends it; --resume goes on.
"""

_EXAMPLES = """\
  studio sweep sample:digits_cnn -o analysis.json
  studio sweep model.onnx --data samples.npz --metric accuracy --levels 0.5,0.8,0.9
  studio sweep model.onnx --data samples.npz --granularity 2:4 --workers 4
  studio sweep model.onnx --data samples.npz --stop-error 5%
  studio sweep model.onnx --data samples.npz --resume analysis.json
  studio plan model.onnx --analysis analysis.json --max-loss 0.05
"""

# What a sweep that goes on must have in common with the earlier one.
_SAME = {
    "modelSha256": "the model",
    "metric": "--metric",
    "granularity": "--granularity",
    "generatedData": "--data",
    "numSamples": "--samples",
    "batchSize": "the batch size",
    "versions": "the versions of onnxruntime, onnx or numpy",
}


def add_to(commands: Commands) -> None:
    parser = add_command(
        commands,
        "sweep",
        summary="measure how much each layer minds being pruned",
        description=_DESCRIPTION,
        examples=_EXAMPLES,
        run=run,
    )
    add_model(parser)
    add_data_arguments(parser)
    parser.add_argument(
        "--levels",
        metavar="S,S,…",
        type=levels,
        help="sparsity levels to measure (default: ten from 0.05 to 0.99)",
    )
    parser.add_argument(
        "--granularity",
        metavar="WHAT",
        type=granularity,
        help="what is removed as one: element (single weights, the default), channel (whole "
        "output channels), or N:M such as 2:4, which has one level",
    )
    parser.add_argument(
        "--passes",
        metavar="N,N,…",
        type=whole_numbers,
        help="numbers of samples to reach one after the other, all of them last: a first "
        "ranking comes early, and the numbers at the end are the same",
    )
    parser.add_argument(
        "--stop-error",
        metavar="E",
        type=stop_error,
        help="measure a point no further once its standard error is below E: in the units of "
        "the metric, or as a share such as 5%% of its loss (of the median loss, where that is "
        "larger)",
    )
    add_workers(parser)
    add_output(parser, "keep the analysis here, for --resume and `studio plan --analysis`")
    parser.add_argument(
        "--resume",
        metavar="FILE",
        type=Path,
        help="go on with an analysis that was interrupted, its metric, samples and levels "
        "unless others are given; kept in the same file unless there is -o",
    )
    add_force(parser)
    add_json(parser)


def run(args: argparse.Namespace) -> None:
    session = open_session(args)
    target: Path | None = args.output or args.resume
    if target is not None and target != args.resume:
        hint = f"--resume {target} to go on with it"
        check_target(target, args.force, _model_files(session), hint)
    earlier = None if args.resume is None else read_analysis(session, args.resume)
    data = load_data(args, session, _num_samples(args, earlier))
    last = _measure(session, data, args, earlier, None if target is None else AnalysisFile(target))
    if target is not None:
        note(f"wrote {target}")
    if args.json:
        print_json(progress_document(last))
    else:
        _print_analysis(session, last.analysis(), data, args.levels)


def _model_files(session: Session) -> tuple[Path, ...]:
    return (session.model.path, *session.model.data_files)


def _num_samples(args: argparse.Namespace, earlier: Analysis | None) -> int | None:
    count = None if earlier is None else earlier.provenance.get("numSamples")
    given: int | None = args.samples
    return given or (count if isinstance(count, int) and count > 0 else None)


def _measure(
    session: Session,
    data: EvaluationData,
    args: argparse.Namespace,
    earlier: Analysis | None,
    file: AnalysisFile | None,
) -> RunProgress:
    """Sweep to the end; Ctrl-C saves what there is and goes on its way."""
    from studio_core.analysis_runs import RunOptions, run_loss

    before = {} if earlier is None else {"granularity": "element", **earlier.provenance}
    is_other = args.granularity not in (None, before.get("granularity"))
    options = RunOptions(
        levels=_levels(args.levels, None if is_other else before.get("sparsityLevels")),
        metric=args.metric or before.get("metric"),
        granularity=args.granularity or before.get("granularity"),
        passes=args.passes,
        stop_error=args.stop_error or before.get("stopError"),
        workers=args.workers,
        scheduler=args.scheduler,
    )
    steps = run_loss(session.model, session.layers, data.samples, options, "measured", earlier)
    last: RunProgress | None = None
    try:
        with progress("measuring") as report:
            for step in steps:
                if last is None and earlier is not None:
                    _check_resumed(args.resume, earlier, step)
                last = step
                report(step.done, step.total, step.message)
                if file is not None:
                    file.keep(step)
    except KeyboardInterrupt:
        _tell_interrupted(args, file, last)
        raise
    assert last is not None  # a run says where it begins, whatever follows
    if file is not None:
        file.save(last)
    return last


def _levels(
    given: Sequence[float] | None, before: Sequence[float] | None
) -> Sequence[float] | None:
    """Those of the earlier sweep stay: what they hold would be lost from the file."""
    return sorted({*given, *before}) if given and before else given or before


def _check_resumed(path: Path, earlier: Analysis, step: RunProgress) -> None:
    """Refuse to measure all anew, silently, into a file that holds other measurements."""
    from studio_core.sensitivity.sweep.measured import measurements_of

    now = step.analysis().provenance
    wanted = set(now["sparsityLevels"])
    before = {"granularity": earlier.granularity, **earlier.provenance}
    is_other = before["granularity"] != now["granularity"]
    if step.done or not any(is_other or m.sparsity in wanted for m in measurements_of(earlier)):
        return
    others = [name for key, name in _SAME.items() if before.get(key) != now[key]]
    raise InvalidRequestError(
        f"{path} cannot be resumed: it was measured otherwise ({', '.join(others)}). "
        "Give the same options, or leave --resume out and measure anew."
    )


def _tell_interrupted(
    args: argparse.Namespace, file: AnalysisFile | None, last: RunProgress | None
) -> None:
    if last is None:
        return
    if file is None:
        note("interrupted; nothing is kept. With -o FILE, what was measured is, for --resume.")
        return
    file.save(last)
    note(
        f"interrupted; {file.path} holds {last.done:,} of {last.total:,} measurements. "
        f"Go on with: {_resume_command(args, file.path)}"
    )


def _resume_command(args: argparse.Namespace, path: Path) -> str:
    words = ["studio", "sweep", args.model]
    words += [f"--project-root={args.project_root}"] if args.project_root else []
    for name, size in args.dimension:
        words += ["--dimension", f"{name}={size}"]
    words += ["--data", args.data] if args.data else []
    words += ["--workers", str(args.workers)] if args.workers else []
    words += ["--scheduler", args.scheduler] if args.scheduler else []
    return shlex.join([*words, "--resume", str(path)])


def _print_analysis(
    session: Session,
    analysis: Analysis,
    data: EvaluationData,
    asked: Sequence[float] | None,
) -> None:
    metric = analysis.metric
    measured = analysis.provenance["sparsityLevels"]
    shown = [level for level in measured if asked or level in TABLE_LEVELS] or measured
    print_lines(
        f"{session.model.name} · measured loss by sparsity of a layer{_removed(analysis)}: "
        f"{metric.label}, on {data.title}"
    )
    print()
    print_table(
        [
            Column("layer", wraps=True),
            Column("operator"),
            *(Column(f"{level:g}", is_number=True) for level in shown),
        ],
        list(_rows(session, analysis, shown)),
    )
    print()
    print_lines(
        metric.description,
        f"Higher is worse; ± is the standard error. Of the whole model: "
        f"{text.significant(analysis.provenance['baseline'])}.",
        "Random data ranks layers; it does not tell the true loss. Give --data."
        if data.samples.generated
        else "",
        f"{len(measured)} levels were measured; --json and -o hold all."
        if len(shown) < len(measured)
        else "",
        *_skipped_lines(analysis),
        *_stopped_lines(analysis),
        curves_note(session),
    )


def _rows(session: Session, analysis: Analysis, shown: Sequence[float]) -> list[tuple[str, ...]]:
    from studio_core.sensitivity import LossCurve

    op_types = {layer.id: layer.op_type for layer in session.layers}
    return [
        (
            curve.layer_name,
            op_types.get(curve.layer_id, ""),
            *(_cell(curve, level) for level in shown),
        )
        for curve in analysis.curves
        if isinstance(curve, LossCurve)
    ]


def _cell(curve: LossCurve, level: float) -> str:
    position = curve.sparsities.tolist().index(level)
    errors = curve.standard_errors
    error = math.nan if errors is None else float(errors[position])
    return text.with_error(float(curve.losses[position]), error)


def _removed(analysis: Analysis) -> str:
    """What is removed as one, where it is not single weights."""
    what = analysis.granularity
    if what == "element":
        return ""
    return ", in whole channels" if what == "channel" else f", {what} patterns"


def _stopped_lines(analysis: Analysis) -> list[str]:
    """How many points saw fewer samples than there are, and how few."""
    from studio_core.sensitivity import LossCurve

    counts = [
        int(count)
        for curve in analysis.curves
        if isinstance(curve, LossCurve) and curve.num_samples is not None
        for count in curve.num_samples
    ]
    every = analysis.provenance["passes"][-1]
    fewer = [count for count in counts if count < every]
    if not fewer:
        return []
    return [
        f"{len(fewer):,} of {len(counts):,} points were precise enough before all "
        f"{every:,} samples; the first after {min(fewer):,}."
    ]


def _skipped_lines(analysis: Analysis) -> list[str]:
    skipped = analysis.provenance["notMeasured"]
    return [f"Not measured: {layer_id}: {reason}" for layer_id, reason in skipped.items()]
