"""The whole journey with the network refused: no part of Studio asks anybody for anything."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

JOURNEY = """
import socket, sys

asked = []

def refuse(*args, **kwargs):
    asked.append(args[1:] or args)
    raise OSError("the network is refused")

socket.socket.connect = socket.socket.connect_ex = socket.socket.sendto = refuse
socket.getaddrinfo = socket.gethostbyname = socket.create_connection = refuse
# Whatever goes around the module `socket`, Python still announces.
NETWORK = ("socket.connect", "socket.getaddrinfo", "socket.sendto", "socket.gethostbyname",
           "urllib.Request", "http.client.connect", "socket.bind")
sys.addaudithook(lambda event, args: asked.append((event, args)) if event in NETWORK else None)

from pathlib import Path
from studio_core.analysis_runs import RunOptions
from studio_core.exports import FORMATS, ExportSource, export
from studio_core.workbench import Workbench
import studio_core.graphs.from_onnx, studio_core.explorer, studio_widgets, studio_cli.main

bench = Workbench(sys.argv[1])
bench.store.make_root()
project = bench.create_project("sample:digits_cnn", {})
session = bench.session(project.id)
assert session.summary and session.loss and session.perf
options = RunOptions(levels=[0.5], samples=8, data="sample:digits_cnn")
(*_, last) = bench.run_analysis_iter(project.id, "loss", "swept", options)
assert last.done == last.total
plan, estimate = bench.plan(project.id, 0.5)
for name in FORMATS:
    assert export(name, ExportSource(session.model, session.layers, plan)).content
from studio_cli.main import main

assert main(["plan", "sample:digits_cnn", "--sparsity", "0.5", "-o", "plan.json"]) == 0
run = ["--plan", "plan.json", "--samples", "8"]
assert main(["verify", "sample:digits_cnn", *run]) == 0
assert asked == [], asked
print("done")
"""


def test_open_estimate_sweep_plan_verify_export(tmp_path: Path) -> None:
    run = subprocess.run(
        [sys.executable, "-c", JOURNEY, str(tmp_path / "projects")],
        cwd=tmp_path, capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip
    assert run.returncode == 0, run.stderr[-3000:]
    assert run.stdout.endswith("done\n")
