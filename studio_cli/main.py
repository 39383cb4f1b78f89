"""The ``studio`` command: parse, run, and turn every end into an exit code.

0    done
1    Studio could not do it; a sentence on stderr says why and what to do
2    the command line itself is wrong
130  interrupted with Ctrl-C
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from contextlib import suppress

from studio_cli.parser import GUIDE, make_parser, version_line
from studio_cli.text import visible
from studio_core.errors import StudioError

OK, FAILED, INTERRUPTED = 0, 1, 130


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command line (default: the process's own) and return its exit code."""
    _accept_any_text()
    try:
        status = _run(argv)
        # Here and not at exit, where a full disk or a closed pipe could only be a traceback.
        sys.stdout.flush()
        return status
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:
        # The reader (`| head`) has all it wanted: that is success.
        _drop_output()
        return OK
    except StudioError as error:
        return _fail(error.message)
    except OSError as error:
        _flush_or_drop()
        return _fail(_os_message(error))


def _run(argv: Sequence[str] | None) -> int:
    parser = make_parser()
    try:
        args, unknown = parser.parse_known_args(argv)
        if unknown:  # said by the command, with its own usage, where there is one
            command = getattr(args, "command", parser)
            command.error(f"unrecognized arguments: {' '.join(unknown)}")
        if args.version:
            print(version_line())
        elif args.run is None:
            print(GUIDE)
        else:
            args.run(args)
    except SystemExit as end:  # argparse's way to end: help, version, a wrong command line
        return end.code if isinstance(end.code, int) else FAILED
    return OK


def _accept_any_text() -> None:
    """Names in a model may hold letters that the terminal's encoding lacks."""
    for stream in (sys.stdout, sys.stderr):
        with suppress(AttributeError, ValueError, OSError):  # replaced by something simpler
            stream.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]


def _fail(message: str) -> int:
    print(f"studio: {visible(message)}", file=sys.stderr)
    return FAILED


def _os_message(error: OSError) -> str:
    what = error.strerror or str(error)
    return f"{error.filename}: {what}." if error.filename else f"{what}."


def _flush_or_drop() -> None:
    try:
        sys.stdout.flush()
    except OSError:
        _drop_output()


def _drop_output() -> None:
    """Send what is still buffered nowhere, or the interpreter fails again at exit."""
    with suppress(OSError, ValueError, AttributeError):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, sys.stdout.fileno())
        os.close(nowhere)
