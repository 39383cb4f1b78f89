"""The process that reads files for a `Guard`: ``python -m studio_core.guarded.child LIMITS``.

A line of JSON comes in, the path of a file; one goes out, empty or with the error. Between them
the process may take the memory and the time that the limits allow, and no more.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any, TextIO

from studio_core.errors import LimitError, MlirSyntaxError, StudioError
from studio_core.graphs.from_mlir import graphs_from_mlir
from studio_core.guarded.resources import restrict_reader, restrict_time
from studio_core.layers import find_layers
from studio_core.limits import Limits, beyond
from studio_core.mlir.reader import read_mlir
from studio_core.models.model import open_model

MLIR_SUFFIXES = frozenset((".mlir", ".ttir", ".ttnn"))


def read(path: Path, limits: Limits) -> None:
    """Open the file as the server is going to."""
    if path.suffix.lower() in MLIR_SUFFIXES:
        graphs_from_mlir(read_mlir(path, limits), None)
    else:
        find_layers(open_model(path, limits=limits))


def answer(path: Path, limits: Limits) -> dict[str, Any]:
    """The error that reading raises, as JSON; nothing where there is none.

    A fault of Studio's own passes: it is the server's to show, with its traceback.
    """
    try:
        read(path, limits)
    except MemoryError:
        most = limits.max_open_memory_bytes
        text = beyond(f"{path.name} takes too much memory to open", "max_open_memory_bytes", most)
        return {"kind": LimitError.__name__, "message": text}
    except StudioError as error:
        told: dict[str, Any] = {"kind": type(error).__name__, "message": error.message}
        if isinstance(error, MlirSyntaxError):
            told |= {"line": error.line, "column": error.column}
        return told
    except Exception:
        return {}
    return {}


def main(limits: Limits) -> None:
    out = _own_output()
    restrict_reader(limits)
    for line in sys.stdin:
        # Twice: whoever waits ends this process in time, unless it is gone itself.
        restrict_time(2 * limits.max_open_seconds)
        out.write(json.dumps(answer(Path(json.loads(line)), limits)) + "\n")
        out.flush()


def _own_output() -> TextIO:
    """Standard output for us alone: libraries print whatever they like to what they think it is."""
    out = os.fdopen(os.dup(1), "w")
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
    os.close(nowhere)
    return out


if __name__ == "__main__":
    main(Limits(**json.loads(sys.argv[1])))
