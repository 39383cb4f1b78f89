"""``studio findings MODEL``: what Studio notices by itself, with what to do about it."""

from __future__ import annotations

import argparse
from dataclasses import asdict
from typing import TYPE_CHECKING

from studio_cli.arguments import Commands, add_command, add_json
from studio_cli.output import print_json, print_lines
from studio_cli.subjects import SUBJECT_HELP, add_subject, is_module, open_model, open_module

if TYPE_CHECKING:
    from studio_core.finding import Finding

_DESCRIPTION = f"""\
Tell what Studio notices of a model, its plan and its analyses, or of a module: each with what goes
wrong, what was seen, and what to do. The gravest come first.

{SUBJECT_HELP}"""

_EXAMPLES = """\
  studio findings sample:digits_cnn
  studio findings model.onnx --plan plan.json --analysis analysis.json
  studio findings project:digits --plan mild
  studio findings module.mlir --run
  studio findings model.onnx --json | jq '.findings[] | select(.severity == "error")'
"""


def add_to(commands: Commands) -> None:
    parser = add_command(
        commands,
        "findings",
        summary="what Studio notices, with what to do about it",
        description=_DESCRIPTION,
        examples=_EXAMPLES,
        run=run,
    )
    add_subject(parser)
    add_json(parser)


def run(args: argparse.Namespace) -> None:
    found = _of_module(args) if is_module(args.model) else _of_model(args)
    if args.json:
        print_json({"findings": [asdict(finding) for finding in found]})
    elif not found:
        print_lines("Nothing was found that needs your attention.")
    else:
        for number, finding in enumerate(found):
            _print(finding, is_first=number == 0)


def _of_module(args: argparse.Namespace) -> tuple[Finding, ...]:
    from studio_core.findings import module_findings

    return module_findings(open_module(args))


def _of_model(args: argparse.Namespace) -> tuple[Finding, ...]:
    from studio_core.findings import model_findings
    from studio_core.plan_runs.saved_plan import SavedPlan

    subject = open_model(args)
    plan = subject.plan
    if isinstance(plan, SavedPlan):
        runs, removal = plan.verifications, plan.removal
        return model_findings(subject.session, plan.plan, subject.loss, subject.perf, runs, removal)
    return model_findings(subject.session, plan, subject.loss, subject.perf)


def _print(finding: Finding, *, is_first: bool) -> None:
    if not is_first:
        print()
    where = f" ({finding.subject})" if finding.subject else ""
    print_lines(
        f"{finding.severity}: {finding.hazard}{where}",
        f"  {finding.evidence}",
        f"  {finding.remedy}",
    )
