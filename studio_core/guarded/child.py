"""The process that reads files for a `Guard`: ``python -m studio_core.guarded.child LIMITS``.

A line of JSON comes in, ``{"task", "path"}``; one goes out, with the error or with the sizes of
the texts that follow it as they are. Between them the process may take the memory and the time
that the limits allow, and no more.
"""

from __future__ import annotations

import json
import os
import sys
import traceback
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, BinaryIO

from studio_core.errors import LimitError, MlirSyntaxError, StudioError
from studio_core.explorer.conversion import Named, executed_text, file_texts
from studio_core.explorer.opened import MLIR_SUFFIXES
from studio_core.graphs.from_mlir import graphs_from_mlir
from studio_core.guarded.reader import EXECUTED, GRAPHS, OPEN
from studio_core.guarded.resources import peak_memory, restrict_reader, restrict_time
from studio_core.layers import find_layers
from studio_core.limits import Limits, beyond
from studio_core.mlir.reader import read_mlir
from studio_core.models.model import open_model

_MOST_FAULT = 4000


def opened(path: Path, limits: Limits) -> list[Named]:
    """Open the file as the server is going to; nothing to tell but errors."""
    if path.suffix.lower() in MLIR_SUFFIXES:
        graphs_from_mlir(read_mlir(path, limits), None)
    else:
        find_layers(open_model(path, limits=limits))
    return []


def executed(path: Path, _limits: Limits) -> list[Named]:
    return [("", executed_text(path))]


TASKS: Mapping[str, Callable[[Path, Limits], list[Named]]] = {
    OPEN: opened,
    GRAPHS: file_texts,
    EXECUTED: executed,
}


def answer(task: str, path: Path, limits: Limits) -> tuple[dict[str, Any], list[Named]]:
    """The error that the task raises, as JSON, or what it made.

    A fault of Studio's own is told as such: the server shows it as one.
    """
    try:
        return {}, TASKS[task](path, limits)
    except MemoryError:
        most = limits.max_open_memory_bytes
        text = beyond(f"{path.name} takes too much memory to open", "max_open_memory_bytes", most)
        return {"kind": LimitError.__name__, "message": text}, []
    except StudioError as error:
        told: dict[str, Any] = {"kind": type(error).__name__, "message": error.message}
        if isinstance(error, MlirSyntaxError):
            told |= {"line": error.line, "column": error.column}
        return told, []
    except Exception:
        return {"fault": traceback.format_exc(limit=-8)[-_MOST_FAULT:]}, []


def main(limits: Limits) -> None:
    out = _own_output()
    restrict_reader(limits)
    for line in sys.stdin:
        # Twice: whoever waits ends this process in time, unless it is gone itself.
        restrict_time(2 * limits.max_open_seconds)
        asked = json.loads(line)
        told, texts = answer(asked["task"], Path(asked["path"]), limits)
        sizes = [[name, len(text)] for name, text in texts]
        head = {**told, "texts": sizes, "peak": peak_memory()}
        out.write(json.dumps(head).encode("ascii") + b"\n")
        for _, text in texts:
            out.write(text)
        out.flush()


def _own_output() -> BinaryIO:
    """Standard output for us alone: libraries print whatever they like to what they think it is."""
    out = os.fdopen(os.dup(1), "wb")
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
    os.close(nowhere)
    return out


if __name__ == "__main__":
    main(Limits(**json.loads(sys.argv[1])))
