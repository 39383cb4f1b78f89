"""The command line as a whole: all commands, the version, and a guide for a first visit."""

from __future__ import annotations

import argparse

from studio_cli.arguments import MODEL_HELP
from studio_cli.commands import (
    bench,
    compare,
    create,
    export,
    findings,
    layers,
    loss,
    perf,
    plan,
    plans,
    projects,
    prune,
    report,
    sweep,
    verify,
)

_COMMANDS = (
    layers, loss, perf, sweep, bench, plan, plans, verify, findings, compare, report, prune, export,
    projects, create,
)  # fmt: skip
"""In the order of the work."""

_DISTRIBUTION = "studio-workbench"

_DESCRIPTION = """\
Look into an ONNX model, plan its pruning and prune it: which layers there are, how much each
one minds losing weights, what that would save, which sparsity each should get, and whether
the pruned model keeps what the plan said.
"""

_EPILOG = f"""\
{MODEL_HELP}
exit codes:
  0  done      1  not possible (the reason is on stderr)      2  wrong usage
  130  interrupted

`studio COMMAND --help` explains a command and shows examples.
"""

GUIDE = f"""\
Studio: look into an ONNX model, plan its pruning, and prune it.

  studio layers MODEL                    what there is to prune, and what each layer costs
  studio loss MODEL                      how much each layer minds (estimated)
  studio perf MODEL                      what pruning each layer would save (estimated)
  studio sweep MODEL -o analysis.json    how much each layer minds (measured)
  studio bench MODEL -o perf.json        how long each layer takes, dense and pruned (measured)
  studio plan MODEL --sparsity 0.8       a sparsity for each layer
  studio plans project:NAME              the plans that a project keeps, with their history
  studio verify MODEL --plan plan.json   the plan run: predicted beside actual
  studio findings MODEL                  what Studio notices, and what to do about it
  studio compare A B                     two models, modules, plans or analyses side by side
  studio report MODEL -o report.html     all of it in one file that opens anywhere
  studio prune MODEL --plan plan.json -o pruned.onnx
                                         the pruned model
  studio export MODEL --sparsity 0.8     the plan as a recipe, code, masks, JSON or CSV
  studio create MODEL                    keep a model as a project
  studio projects                        the projects there are

{MODEL_HELP}
Start with:  studio layers sample:digits_cnn
More:        studio --help, studio plan --help"""


def make_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="studio",
        description=_DESCRIPTION,
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("--version", action="store_true", help="print the version")
    parser.set_defaults(run=None)
    commands = parser.add_subparsers(title="commands", metavar="COMMAND")
    for command in _COMMANDS:
        command.add_to(commands)
    return parser


def version_line() -> str:
    """``studio 0.1.0``; looked up only when asked for, since that takes time."""
    from importlib.metadata import PackageNotFoundError, version

    try:
        return f"studio {version(_DISTRIBUTION)}"
    except PackageNotFoundError:
        return "studio (not installed: run from a source folder)"
