"""``studio report MODEL -o report.html``: what is known of a model or module, in one file."""

from __future__ import annotations

import argparse
from pathlib import Path

from studio_cli.arguments import Commands, add_command, add_force, output_file
from studio_cli.output import check_target, note, write_document
from studio_cli.subjects import SUBJECT_HELP, add_subject, open_subject
from studio_core.errors import InvalidRequestError

_DESCRIPTION = f"""\
Write what is known of a model or module into one file: the model, what Studio noticed, the plan
with what was predicted and what its runs gave, the sensitivities, times, layers, and what is
needed to repeat it. The HTML page opens anywhere, needs no network and no script, and prints.

{SUBJECT_HELP}"""

_EXAMPLES = """\
  studio report sample:digits_cnn -o report.html
  studio report model.onnx --plan plan.json --analysis analysis.json --perf perf.json -o report.md
  studio report project:digits --plan mild -o report.html
  studio report module.mlir --run -o module.html
  studio report model.onnx --markdown | less
"""

_SUFFIXES = (".html", ".htm", ".md", ".markdown")


def add_to(commands: Commands) -> None:
    parser = add_command(
        commands,
        "report",
        summary="write what is known into one HTML or Markdown file",
        description=_DESCRIPTION,
        examples=_EXAMPLES,
        run=run,
    )
    add_subject(parser)
    parser.add_argument(
        "-o",
        "--output",
        metavar="FILE",
        type=output_file,
        help="the file, .html or .md (default: the text to stdout)",
    )
    parser.add_argument("--markdown", action="store_true", help="Markdown, whatever FILE is called")
    parser.add_argument("--title", help="the title (default: the model's name)")
    add_force(parser)


def run(args: argparse.Namespace) -> None:
    protected = _protected(args)
    if args.output is not None:
        _check_suffix(args)
        check_target(args.output, args.force, protected)
    from studio_core.insight import ModelSubject
    from studio_core.reports import report_html, report_markdown, write_report

    subject = open_subject(args)
    if isinstance(subject, ModelSubject):
        protected = (subject.session.model.path, *subject.session.model.data_files)
    found = subject.report(args.title)
    if args.output is None or args.markdown:
        text = report_markdown(found) if args.markdown else report_html(found)
        write_document(text, args.output, protected)
        return
    check_target(args.output, args.force, protected)
    write_report(args.output, found)
    note(f"wrote {args.output}")


def _protected(args: argparse.Namespace) -> tuple[Path, ...]:
    """The file itself, where MODEL is one; it must not become its own report."""
    path = Path(args.model)
    return (path,) if path.is_file() else ()


def _check_suffix(args: argparse.Namespace) -> None:
    if not args.markdown and args.output.suffix.lower() not in _SUFFIXES:
        raise InvalidRequestError(
            f"'{args.output.name}' must end in .html or .md, or give --markdown."
        )
