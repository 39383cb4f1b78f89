"""``studio findings MODEL``: what Studio notices by itself, with what to do about it."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from studio_cli.arguments import Commands, add_command, add_json
from studio_cli.output import print_json, print_lines
from studio_cli.subjects import SUBJECT_HELP, add_subject, open_subject

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
    from studio_core.insight import findings_document

    subject = open_subject(args)
    if args.json:
        print_json(findings_document(subject))
        return
    found = subject.findings()
    if not found:
        print_lines("Nothing was found that needs your attention.", subject.looked_at())
    for number, finding in enumerate(found):
        _print(finding, is_first=number == 0)


def _print(finding: Finding, *, is_first: bool) -> None:
    if not is_first:
        print()
    where = f" ({finding.subject})" if finding.subject else ""
    print_lines(
        f"{finding.severity}: {finding.hazard}{where}",
        f"  {finding.evidence}",
        f"  {finding.remedy}",
    )
