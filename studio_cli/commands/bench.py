"""``studio bench MODEL``: where the time of a run goes, and what pruning really saves of it."""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from studio_cli import text
from studio_cli.analyses import AnalysisFile, ProjectAnalysis, progress_document, read_analysis
from studio_cli.arguments import (
    Commands,
    add_command,
    add_force,
    add_json,
    add_model,
    add_output,
    count,
    levels,
    whole_number,
)
from studio_cli.data import given_samples
from studio_cli.models import PROJECT, open_session, open_workbench
from studio_cli.output import check_target, note, print_json, print_lines, print_table
from studio_cli.progress import progress
from studio_core.errors import InvalidRequestError

if TYPE_CHECKING:
    from studio_core.analysis_runs import RunOptions, RunProgress
    from studio_core.sensitivity import Analysis
    from studio_core.session import Session

TABLE_LEVELS = (0.6, 0.8, 0.9)
"""Of the levels measured by default, those that a person is shown."""

DEFAULT_NAME = "bench"

_DESCRIPTION = """\
Measure on this machine how long each layer takes in a run, and how long it would take
pruned: with single weights zero, run by the runtime as it is (most gain nothing, and the
table says so), and really built with fewer channels. Times are medians with their spread;
what is no layer's time is a row of its own, so that the rows add up to the run. Beside
them the bytes of the weights, dense, as ONNX sparse initializers, and compressed.
The analysis of a project is kept in it, -o keeps one in a file, while it is measured.
"""

_EXAMPLES = """\
  studio bench sample:digits_cnn
  studio bench model.onnx --threads 2 --batch-size 8 -o perf.json
  studio bench project:mine --granularity channel --levels 0.25,0.5,0.75
  studio bench model.onnx --resume perf.json
  studio plan model.onnx --perf perf.json --granularity channel --max-latency-share 0.7
"""


class _Keepers(NamedTuple):
    """Where the analysis is kept while it is measured: a file, a project, both or neither."""

    file: AnalysisFile | None
    project: ProjectAnalysis | None = None

    def keep(self, step: RunProgress) -> None:
        for keeper in (self.file, self.project):
            if keeper is not None:
                keeper.keep(step)

    def save(self, step: RunProgress) -> None:
        for keeper in (self.file, self.project):
            if keeper is not None:
                keeper.save(step)


def add_to(commands: Commands) -> None:
    parser = add_command(
        commands,
        "bench",
        summary="measure the time of each layer, dense and pruned",
        description=_DESCRIPTION,
        examples=_EXAMPLES,
        run=run,
    )
    add_model(parser)
    parser.add_argument(
        "--levels",
        metavar="S,S,…",
        type=levels,
        help="sparsity levels to measure (default: eleven from 0.4 to 0.99)",
    )
    parser.add_argument(
        "--granularity",
        choices=("element", "channel"),
        help="time single weights or whole channels only (default: both)",
    )
    parser.add_argument(
        "--threads", metavar="N", type=whole_number, help="threads to compute with (default: 1)"
    )
    parser.add_argument(
        "--batch-size", metavar="N", type=whole_number, help="samples in a run (default: 1)"
    )
    parser.add_argument(
        "--iterations", metavar="N", type=whole_number, help="runs that count (default: 30)"
    )
    parser.add_argument("--warmup", metavar="N", type=count, help="runs before them (default: 5)")
    parser.add_argument(
        "--data",
        metavar="DATA",
        help="what to run on, as for `studio sweep` (default: the sample's or project's own, or "
        "random; a dense runtime takes as long on any)",
    )
    parser.add_argument(
        "--name",
        metavar="NAME",
        help=f"of the analysis in a project (default: {DEFAULT_NAME})",
    )
    add_output(parser, "keep the analysis here, for --resume and `studio plan --perf`")
    parser.add_argument(
        "--resume",
        metavar="FILE",
        type=Path,
        help="go on with an analysis that was interrupted, its settings unless others are "
        "given; kept in the same file unless there is -o",
    )
    add_force(parser)
    add_json(parser)


def run(args: argparse.Namespace) -> None:
    session = open_session(args)
    earlier = None if args.resume is None else read_analysis(session, args.resume, "perf")
    keepers = _keepers(session, args)
    last = _measure(session, args, earlier, keepers)
    if keepers.file is not None:
        note(f"wrote {keepers.file.path}")
    if keepers.project is not None:
        note(f"saved in the project as perf analysis '{keepers.project.name}'")
    if args.json:
        print_json(progress_document(last))
    else:
        _print_analysis(session, last.analysis(), args.levels)


def _keepers(session: Session, args: argparse.Namespace) -> _Keepers:
    target: Path | None = args.output or args.resume
    if target is not None and target != args.resume:
        protected = (session.model.path, *session.model.data_files)
        check_target(target, args.force, protected, f"--resume {target} to go on with it")
    file = None if target is None else AnalysisFile(target)
    if not args.model.startswith(PROJECT):
        if args.name is not None:
            args.command.error("--name is that of an analysis in a project: give project:NAME")
        return _Keepers(file)
    workbench = open_workbench(args)
    project = workbench.find_project(args.model.removeprefix(PROJECT))
    return _Keepers(file, ProjectAnalysis(workbench, project.id, args.name or DEFAULT_NAME))


def _options(args: argparse.Namespace, earlier: Analysis | None) -> RunOptions:
    """What was asked for; the rest as in the earlier run, of which nothing must be lost."""
    from studio_core.analysis_runs import RunOptions

    before: Mapping[str, Any] = {} if earlier is None else earlier.provenance
    kinds: Sequence[str] = before.get("granularities") or ()
    measured: Sequence[float] | None = before.get("sparsityLevels")
    given: Sequence[float] | None = args.levels
    both = sorted({*given, *measured}) if given and measured else None
    warmup = _whole(before, "warmup") if args.warmup is None else args.warmup
    return RunOptions(
        levels=both or given or measured,
        granularity=args.granularity or (kinds[0] if len(kinds) == 1 else None),
        num_threads=args.threads or _whole(before, "numThreads"),
        batch_size=args.batch_size or _whole(before, "batchSize"),
        iterations=args.iterations or _whole(before, "iterations"),
        warmup=warmup,
    )


def _whole(before: Mapping[str, Any], key: str) -> int | None:
    value = before.get(key)
    return value if isinstance(value, int) and value >= 0 else None


def _measure(
    session: Session, args: argparse.Namespace, earlier: Analysis | None, keepers: _Keepers
) -> RunProgress:
    """Measure to the end; Ctrl-C saves what there is and goes on its way."""
    from studio_core.analysis_runs import run_perf

    options = _options(args, earlier)
    samples = given_samples(args, session)
    steps = run_perf(session.model, session.layers, samples, options, "measured", earlier)
    last: RunProgress | None = None
    try:
        with progress("measuring") as report:
            for step in steps:
                if last is None and earlier is not None and earlier.run_ms is not None:
                    _check_resumed(args.resume, step)
                last = step
                report(step.done, step.total, step.message)
                keepers.keep(step)
    except KeyboardInterrupt:
        if last is not None:
            keepers.save(last)
            _tell_interrupted(keepers, last)
        raise
    assert last is not None  # a run says where it begins, whatever follows
    keepers.save(last)
    return last


def _check_resumed(path: Path, step: RunProgress) -> None:
    """Refuse to measure all anew, silently, into a file that holds other measurements."""
    if not step.done:
        raise InvalidRequestError(
            f"{path} cannot be resumed: it was measured otherwise (another model, machine, "
            "version or setting). Leave --resume out and measure anew."
        )


def _tell_interrupted(keepers: _Keepers, last: RunProgress) -> None:
    if keepers.file is None:
        note("interrupted. With -o FILE, what was measured is kept, for --resume.")
        return
    note(
        f"interrupted; {keepers.file.path} holds {last.done:,} of {last.total:,} steps. Go on "
        f"with --resume {keepers.file.path}"
    )


def _print_analysis(session: Session, analysis: Analysis, asked: Sequence[float] | None) -> None:
    from studio_cli.bench_table import BYTES_COLUMNS, BenchTable
    from studio_core.sensitivity.sweep.perf_documents import run_profile_of

    profile = run_profile_of(analysis)
    assert profile is not None  # the run as it is comes first
    measured = analysis.provenance["sparsityLevels"]
    shown = [level for level in measured if asked or level in TABLE_LEVELS] or measured
    table = BenchTable(session, analysis, profile, shown)
    print_lines(
        f"{session.model.name} · measured time by layer: {profile.engine} {profile.version}, "
        f"{text.plural(profile.num_threads, 'thread')}, batch {profile.batch_size}",
        f"Medians of {profile.iterations} runs after {profile.warmup} for warm-up, ± the "
        f"interquartile range, on {profile.cpu}.",
    )
    print()
    print_table(table.columns, list(table.rows()))
    print()
    print_lines(
        "Saved, of the row's time: zeros as the runtime takes them, channels really removed "
        "from the layer. 0.0 % where no difference was seen beyond doubt.",
        table.rest_line(),
        table.busy_line(),
        *_reasons(analysis),
        f"{len(measured)} levels were measured; --json and -o hold all."
        if len(shown) < len(measured)
        else "",
    )
    print()
    print_table(BYTES_COLUMNS, list(table.byte_rows()))


def _reasons(analysis: Analysis) -> list[str]:
    known = analysis.provenance
    return [
        *(f"No time: {layer}: {why}" for layer, why in known["notMeasured"].items()),
        *(f"Channels: {layer}: {why}" for layer, why in known["channelsNotMeasured"].items()),
    ]
