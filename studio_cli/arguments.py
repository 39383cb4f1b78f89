"""Arguments that several commands share, and the reading of values on the command line.

A value that cannot be right whatever the model ends with exit code 2 here; what depends
on the model is judged by the core.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Callable
from pathlib import Path
from typing import TypeAlias

# In quotes, because the class takes no parameter at run time.
Commands: TypeAlias = "argparse._SubParsersAction[argparse.ArgumentParser]"

MODEL_HELP = """\
MODEL is one of
  path/to/model.onnx      an ONNX file
  sample:digits_cnn       a trained model that comes with Studio (also digits_transformer)
  project:NAME_OR_ID      the model of a project (see `studio projects`)
"""


def add_command(
    commands: Commands,
    name: str,
    *,
    summary: str,
    description: str,
    examples: str,
    run: Callable[[argparse.Namespace], None],
) -> argparse.ArgumentParser:
    """A command with help that teaches: what it is for, then lines to try."""
    parser = commands.add_parser(
        name,
        help=summary,
        description=description,
        epilog=f"examples:\n{examples}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        # A script must not break when a later option begins with the same letters.
        allow_abbrev=False,
    )
    parser.set_defaults(run=run, command=parser)
    return parser


def add_model(parser: argparse.ArgumentParser) -> None:
    """MODEL and the options that tell how to find and to read it."""
    parser.add_argument("model", metavar="MODEL", help="a path, sample:NAME or project:NAME_OR_ID")
    add_project_root(parser)
    parser.add_argument(
        "--dimension",
        metavar="NAME=SIZE",
        type=dimension,
        action="append",
        default=[],
        help="size of a symbolic dimension, such as sequence=128 (repeatable); "
        "the batch is one sample unless it is given",
    )


def add_project_root(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--project-root",
        metavar="DIR",
        type=Path,
        help="the folder of the projects (default: ~/studio-projects)",
    )


def add_json(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--json", action="store_true", help="one JSON document for programs; null is unknown"
    )


def add_output(parser: argparse.ArgumentParser, what: str) -> None:
    parser.add_argument("-o", "--output", metavar="FILE", type=output_file, help=what)


def add_force(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--force", action="store_true", help="replace a file that is there")


def add_workers(parser: argparse.ArgumentParser) -> None:
    """Who runs a sweep, instead of threads of this process."""
    who = parser.add_mutually_exclusive_group()
    who.add_argument(
        "--workers", metavar="N", type=whole_number, help="run in N processes of this machine"
    )
    who.add_argument(
        "--scheduler",
        metavar="ADDRESS",
        type=scheduler,
        help="run on the Dask cluster whose scheduler is at ADDRESS, such as tcp://host:8786; "
        "its workers must see the model under the same path",
    )


def fraction(text: str) -> float:
    """A number from 0 to 1."""
    value = number(text)
    if not 0.0 <= value <= 1.0:
        hint = f"; {value:g} % is {value / 100:g}" if 1.0 < value <= 100.0 else ""
        raise argparse.ArgumentTypeError(f"'{text}' is not a fraction from 0 to 1{hint}")
    return value


def fractions(text: str) -> tuple[float, ...]:
    """Fractions with commas between them, such as ``0.5,0.8``."""
    return tuple(fraction(part) for part in text.split(","))


def levels(text: str) -> tuple[float, ...]:
    """Sparsity levels: fractions above 0, sorted, each once."""
    values = sorted(set(fractions(text)))
    if values[0] == 0.0:
        raise argparse.ArgumentTypeError("a level must be above 0; level 0 is the dense layer")
    return tuple(values)


def number(text: str) -> float:
    """Any finite number."""
    try:
        value = float(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"'{text}' is not a number") from None
    if not math.isfinite(value):
        raise argparse.ArgumentTypeError(f"'{text}' is not a finite number")
    return value


def not_negative(text: str) -> float:
    """A number, 0 or above."""
    value = number(text)
    if value < 0:
        raise argparse.ArgumentTypeError(f"'{text}' is below 0")
    return value


def whole_number(text: str) -> int:
    """A whole number from 1 up."""
    if not (text.isascii() and text.isdigit() and int(text) > 0):
        raise argparse.ArgumentTypeError(f"'{text}' is not a whole number from 1 up")
    return int(text)


def count(text: str) -> int:
    """A whole number from 0 up."""
    return 0 if text == "0" else whole_number(text)


def whole_numbers(text: str) -> tuple[int, ...]:
    """Whole numbers with commas between them, such as ``1,4,16``."""
    return tuple(whole_number(part) for part in text.split(","))


def stop_error(text: str) -> str:
    """A number above 0, or a share such as ``5%``."""
    value = number(text.strip().removesuffix("%"))
    if value <= 0:
        raise argparse.ArgumentTypeError(f"'{text}' is not above 0")
    return text.strip()


def granularity(text: str) -> str:
    """``element``, ``channel``, or N:M such as ``2:4``."""
    if text not in ("element", "channel"):
        n_of_m(text)
    return text


def scheduler(text: str) -> str:
    """The address of a Dask scheduler."""
    protocol, _, place = text.partition("://")
    if not (protocol and place):
        raise argparse.ArgumentTypeError(f"'{text}' is no address such as tcp://host:8786")
    return text


def n_of_m(text: str) -> tuple[int, int]:
    """``2:4``: of every 4 weights in a row 2 are kept."""
    kept, colon, group = text.partition(":")
    if not (colon and kept.isascii() and kept.isdigit()):
        raise argparse.ArgumentTypeError(f"'{text}' is not of the form N:M, such as 2:4")
    pattern = int(kept), whole_number(group)
    if not 0 < pattern[0] < pattern[1]:
        raise argparse.ArgumentTypeError(f"N must be from 1 to below M in '{text}'")
    return pattern


def dimension(text: str) -> tuple[str, int]:
    """``sequence=128``."""
    name, size = _split(text, "NAME=SIZE, such as sequence=128")
    if not (size.isascii() and size.isdigit() and int(size) > 0):
        raise argparse.ArgumentTypeError(f"'{size}' in '{text}' is not a whole number from 1 up")
    return name, int(size)


def lock(text: str) -> tuple[str, float]:
    """``LAYER=0.5``; the name itself may hold ``=``."""
    name, sparsity = _split(text, "LAYER=SPARSITY, such as conv1.weight=0.5")
    return name, fraction(sparsity)


def output_file(text: str) -> Path:
    if text in ("", "-"):
        raise argparse.ArgumentTypeError("give the name of a file, or leave -o out")
    path = Path(text)
    if path.suffix.lower() == ".onnx":  # most likely a model that must not be lost
        raise argparse.ArgumentTypeError(
            f"'{text}' is the name of a model; only `studio prune` writes one"
        )
    return path


def model_file(text: str) -> Path:
    """The name of a model to be written."""
    if text in ("", "-"):
        raise argparse.ArgumentTypeError("give the name of a file")
    path = Path(text)
    if path.suffix.lower() != ".onnx":  # a slip must not replace the plan, or the data
        raise argparse.ArgumentTypeError(f"'{text}' must end in .onnx")
    return path


def _split(text: str, form: str) -> tuple[str, str]:
    name, equals, value = text.rpartition("=")
    if not equals or not name:
        raise argparse.ArgumentTypeError(f"'{text}' is not of the form {form}")
    return name, value
