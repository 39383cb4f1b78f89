"""Runs the benchmarks: ``python benchmarks/run.py [name …] [--markdown] [--rounds N]``.

Each benchmark measures Studio and its peer in turns, in one run, so that whatever else the
machine does hits both; the table shows medians and their ratio. Models are generated once
and kept in a temporary folder. Peak memory and whole-process times come from fresh
processes. Nothing here is asserted: times are for people.
"""

from __future__ import annotations

import argparse
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE.parent), str(HERE)]

CACHE = Path(tempfile.gettempdir()) / "studio-benchmark-models"


@dataclass(frozen=True)
class Row:
    """One line of the table; ``peer`` is None where nobody else does the same."""

    what: str
    studio: float
    peer: float | None
    unit: str

    @property
    def ratio(self) -> str:
        return f"{self.peer / self.studio:.1f}×" if self.peer is not None else "–"


def model(name: str, **options: int | bool) -> Path:
    """A generated model, written when it is first asked for."""
    from studio_core.samples import generate_model

    CACHE.mkdir(exist_ok=True)
    suffix = "".join(f"-{key}={value}" for key, value in sorted(options.items()))
    path = CACHE / f"{name}{suffix}.onnx"
    if not path.exists():
        building = path.with_suffix(".building")
        generate_model(name, building, **options)  # type: ignore[arg-type]
        building.rename(path)
    return path


def medians(rounds: int, *calls: Callable[[], object]) -> list[float]:
    """Median seconds of each call; they take turns, after one round to warm up."""
    times: list[list[float]] = [[] for _ in calls]
    for number in range(rounds + 1):
        for call, measured in zip(calls, times, strict=True):
            start = time.perf_counter()
            call()
            if number:
                measured.append(time.perf_counter() - start)
    return [statistics.median(measured) for measured in times]


# Not getrusage: its peak includes that of this parent process, from before the exec.
CHILD = """
import sys
sys.path[:0] = {paths!r}
{code}
with open("/proc/self/status") as status:
    print(next(int(line.split()[1]) / 1024 for line in status if line.startswith("VmHWM")))
"""


def in_process(code: str) -> tuple[float, float]:
    """Seconds (interpreter start included) and peak megabytes of a fresh process."""
    source = CHILD.format(paths=sys.path[:2], code=code)
    start = time.perf_counter()
    done = subprocess.run([sys.executable, "-c", source], capture_output=True, text=True)
    seconds = time.perf_counter() - start
    if done.returncode:
        raise SystemExit(done.stderr)
    return seconds, float(done.stdout.splitlines()[-1])


def processes(rounds: int, *codes: str) -> list[tuple[float, float]]:
    """Medians of `in_process` for each code, in turns."""
    results: list[list[tuple[float, float]]] = [[] for _ in codes]
    for _ in range(rounds):
        for code, measured in zip(codes, results, strict=True):
            measured.append(in_process(code))
    return [
        (statistics.median(s for s, _ in found), statistics.median(m for _, m in found))
        for found in results
    ]


OPEN = "from studio_core.session import Session\nSession.open({path!r}).layers"
OPEN_PEER = "import peers\nfrom pathlib import Path\npeers.open_model(Path({path!r}))"
CURVES = (
    "import numpy as np\nfrom studio_core.session import Session\n"
    "from studio_core.sensitivity import estimate_loss\n"
    "estimate_loss(Session.open({path!r}).layers, levels=np.linspace(0, 1, {levels} + 1),"
    " metric='magnitude')"
)
CURVES_PEER = (
    "import numpy as np, peers\nfrom pathlib import Path\n"
    "peers.loss_curves(Path({path!r}), np.linspace(0, 1, {levels} + 1)[1:])"
)


def _process_rows(what: str, rounds: int, studio: str, peer: str) -> list[Row]:
    (seconds, megabytes), (peer_seconds, peer_megabytes) = processes(rounds, studio, peer)
    return [
        Row(f"{what}: whole process with imports", seconds * 1e3, peer_seconds * 1e3, "ms"),
        Row(f"{what}: its peak memory", megabytes, peer_megabytes, "MB"),
    ]


def imports(rounds: int) -> list[Row]:
    """What every process pays before it begins: to be taken off the figures above."""
    ours = "from studio_core.session import Session"
    (seconds, megabytes), (peer_seconds, peer_megabytes) = processes(rounds, ours, "import peers")
    return [
        Row("imports alone", seconds * 1e3, peer_seconds * 1e3, "ms"),
        Row("imports alone: peak memory", megabytes, peer_megabytes, "MB"),
    ]


def opening(rounds: int) -> list[Row]:
    """A file becomes a graph with shapes (Studio: and layers with costs)."""
    import peers

    from studio_core.session import Session

    rows = []
    for title, path in (
        ("ResNet-50", model("resnet50")),
        ("BERT-base", model("bert_base")),
        ("10,000 nodes", model("many_layers", num_layers=5700)),
    ):
        mine, theirs = medians(
            rounds, lambda p=path: Session.open(p).layers, lambda p=path: peers.open_model(p)
        )
        rows.append(Row(f"open {title}", mine * 1e3, theirs * 1e3, "ms"))
    path = str(model("resnet50"))
    codes = OPEN.format(path=path), OPEN_PEER.format(path=path)
    return rows + _process_rows("open ResNet-50", max(3, rounds // 2), *codes)


def curves(rounds: int) -> list[Row]:
    """Loss curves by weight magnitude, from the file to the result."""
    import numpy as np
    import peers

    from studio_core.sensitivity import estimate_loss
    from studio_core.session import Session

    rows = []
    for title, path, num_levels in (
        ("ResNet-50, 100 levels", model("resnet50"), 100),
        ("BERT-base, 20 levels", model("bert_base"), 20),
    ):
        levels = np.linspace(0, 1, num_levels + 1)[1:]

        def mine(p: Path = path, at: np.ndarray = levels) -> object:
            return estimate_loss(Session.open(p).layers, levels=at, metric="magnitude")

        def theirs(p: Path = path, at: np.ndarray = levels) -> object:
            return peers.loss_curves(p, at)

        _check_equal(mine(), theirs())
        seconds, peer_seconds = medians(rounds, mine, theirs)
        rows.append(Row(f"magnitude {title}", seconds * 1e3, peer_seconds * 1e3, "ms"))
        given = {"path": str(path), "levels": num_levels}
        codes = CURVES.format(**given), CURVES_PEER.format(**given)
        rows += _process_rows(f"magnitude {title}", max(3, rounds // 2), *codes)
    return rows


def _check_equal(mine: object, theirs: dict[str, object]) -> None:
    """A comparison of speed is one only if the results agree."""
    import numpy as np

    for curve in mine.curves:  # type: ignore[attr-defined]
        # The peer adds millions of float32 one by one, and is off by some 0.2 %.
        if not np.allclose(curve.losses, theirs[curve.layer_id], rtol=1e-2):
            raise SystemExit(f"{curve.layer_id}: Studio and its peer disagree.")


def plans(rounds: int) -> list[Row]:
    """One move of the slider: the sparsities of all layers anew, and what they bring."""
    from studio_core.session import Session

    rows = []
    for num_layers, path in (
        (54, model("resnet50")),
        (500, model("many_layers", num_layers=500)),
        (5000, model("many_layers", num_layers=5000)),
    ):
        planner = Session.open(path).planner
        targets = iter(range(10**9))

        def move(planner=planner, targets=targets) -> object:
            return planner.distribute(0.3 + 0.6 * (next(targets) % 97) / 97)

        def move_and_estimate(planner=planner, move=move) -> object:
            return planner.estimate(move())

        alone, both = medians(max(rounds, 11), move, move_and_estimate)
        rows.append(Row(f"plan of {num_layers} layers: redistribute", alone * 1e3, None, "ms"))
        rows.append(Row(f"plan of {num_layers} layers: and estimate", both * 1e3, None, "ms"))
    return rows


BENCHMARKS: dict[str, Callable[[int], list[Row]]] = {
    "opening": opening,
    "curves": curves,
    "imports": imports,
    "plans": plans,
}


def print_table(rows: Sequence[Row], *, markdown: bool) -> None:
    cells = [("what", "Studio", "peer", "peer / Studio")]
    for row in rows:
        peer = "–" if row.peer is None else f"{row.peer:.3g} {row.unit}"
        cells.append((row.what, f"{row.studio:.3g} {row.unit}", peer, row.ratio))
    widths = [max(len(line[i]) for line in cells) for i in range(4)]
    for number, line in enumerate(cells):
        padded = [text.ljust(w) for text, w in zip(line, widths, strict=True)]
        print(f"| {' | '.join(padded)} |" if markdown else "  ".join(padded).rstrip())
        if number == 0 and markdown:
            print(f"|{'|'.join('-' * (w + 2) for w in widths)}|")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", choices=[*BENCHMARKS, []], metavar="name",
                        help=f"one or more of {', '.join(BENCHMARKS)}; all without")  # fmt: skip
    parser.add_argument("--rounds", type=int, default=7, help="measurements of each (default 7)")
    parser.add_argument("--markdown", action="store_true", help="print a markdown table")
    given = parser.parse_args()
    rows = []
    for name in given.names or BENCHMARKS:
        print(f"… {name}", file=sys.stderr, flush=True)
        rows += BENCHMARKS[name](given.rounds)
    print_table(rows, markdown=given.markdown)
    packages = ", ".join(f"{p} {version(p)}" for p in ("numpy", "onnx"))
    load = os.getloadavg()[0]
    machine = f"{os.cpu_count()} cores, load {load:.1f}, Python {platform.python_version()}"
    print(f"\n{machine}, {packages}; medians of {given.rounds} rounds in turns.")


if __name__ == "__main__":
    main()
