"""Ten clients on one live server: ``python benchmarks/load.py --minutes 3``.

They list, estimate, plan, export, convert, run and cancel jobs, make and delete projects, and send
models that mean harm, all mixed. Printed are the answers by status, how long the server's event
loop was kept from its other users, and the memory and open files of the server before and after.
The exit code is 1 where a client met an error other than 409, 429 or 503 (or, for a model that
means harm, anything but 400), or where files stay open.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.request
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from studio_core.samples import generate_model, sample_path  # noqa: E402
from tests.server.live import TOKEN, LiveServer, live_server  # noqa: E402

HONEST = {409, 429, 503}
BEAT_SECONDS = 0.01

# Runs in the server: a coroutine that should come round every 10 ms, and the processor time of
# each callback of the loop, which other processes of the machine do not lengthen.
MEASURED_SERVER = """
import asyncio, gc, json, sys, time
from asyncio import events
from tornado.ioloop import IOLoop
from studio_server.app import StudioApp, main

late, longest, worst, count = [], 0.0, "", 0
run = events.Handle._run

def measured(self):
    global longest, worst, count
    begun = time.thread_time()
    run(self)
    took = time.thread_time() - begun
    count += 1
    if took > longest:
        # A task's own step says nothing of the task, which it refers to.
        longest, worst = took, f"{self} {gc.get_referents(self._callback)}"[:600]

async def beat():
    global longest, worst
    await asyncio.sleep(5)  # the start of the server is nobody's request
    longest, worst, told = 0.0, "", time.monotonic()
    while True:
        begun = time.monotonic()
        await asyncio.sleep(BEAT)
        late.append(time.monotonic() - begun - BEAT)
        if time.monotonic() - told > 1:
            told = time.monotonic()
            with open(TARGET, "w") as file:
                json.dump({"late": late, "longest": longest, "worst": worst, "count": count}, file)

initialize = StudioApp.initialize_handlers

def with_beat(self):
    initialize(self)
    events.Handle._run = measured
    IOLoop.current().add_callback(beat)

StudioApp.initialize_handlers = with_beat
sys.exit(main())
"""


class Client(threading.Thread):
    """One person: does one thing after the other until told to stop."""

    def __init__(self, server: LiveServer, number: int, stop: threading.Event) -> None:
        super().__init__(daemon=True)
        self.server, self.stop, self.random = server, stop, random.Random(number)
        self.statuses: Counter[tuple[str, int]] = Counter()
        self.faults: list[str] = []
        self.project = ""
        self.name = f"client-{number}"

    def ask(self, what: str, method: str, path: str, document: Any = None) -> Any:
        """The answer's JSON, None where it is an error; both are counted."""
        request = urllib.request.Request(
            self.server.url + path,
            None if document is None else json.dumps(document).encode(),
            {"Authorization": f"token {TOKEN}"},
            method=method,
        )
        try:
            with urllib.request.urlopen(request, timeout=120) as response:
                body, status = response.read(), response.status
        except urllib.error.HTTPError as error:
            body, status = error.read(), error.code
        self.statuses[what, status] += 1
        expected = {400} if what == "harm" else {200, 201, 202, 204} | HONEST
        if status not in expected:
            self.faults.append(f"{what}: {method} {path} answered {status}: {body[:300]!r}")
        try:
            return json.loads(body) if status < 300 and body else None
        except ValueError:
            return None  # an export

    def run(self) -> None:
        doings: list[Callable[[], None]] = [
            self.read, self.read, self.read, self.plan, self.convert, self.measure, self.renew,
            self.harm,
        ]  # fmt: skip
        try:
            self.renew()
            while not self.stop.is_set():
                self.random.choice(doings)()
        except Exception as error:
            self.faults.append(f"{self.name} met {error!r}")

    @property
    def url(self) -> str:
        return f"/api/projects/{self.project}"

    def renew(self) -> None:
        """Another project in place of the former one."""
        former = self.project
        model = self.random.choice(["digits.onnx", "digits.onnx", "mobilenet.onnx"])
        wanted = {"modelPath": model, "projectConfig": {"projectName": self.name}}
        made = self.ask("create", "POST", "/api/projects", wanted)
        if made:
            self.project = made["projectId"]
            if former:
                self.ask("delete", "DELETE", f"/api/projects/{former}")

    def read(self) -> None:
        for path in ("/api/projects", self.url, self.url + "/prunable-layers?status=all"):
            self.ask("read", "GET", path)
        self.ask("estimate", "GET", self.url + "/sparse-analysis/loss/approx")

    def plan(self) -> None:
        name = f"p{self.random.randrange(4)}"
        goal = {"name": name, "goal": {"minSparsity": self.random.choice([0.3, 0.5])}}
        if self.ask("plan", "POST", self.url + "/plans", goal):
            self.ask("export", "GET", f"{self.url}/plans/{name}/exports/csv")

    def convert(self) -> None:
        command = {
            "cmdId": "convert", "extensionId": "tt_adapter", "deleteAfterConversion": False,
            "modelPath": str(self.server.root_dir / "digits.onnx"), "settings": {},
        }  # fmt: skip
        self.ask("convert", "POST", "/apipost/v1/send_command", command)

    def measure(self) -> None:
        """A job, watched for a while, then cancelled unless it is done."""
        options = {"async": True, "samples": 8, "sparsityLevels": [0.5]}
        made = self.ask("job", "POST", self.url + "/sparse-analysis/loss/run", options)
        if not made:
            return
        address = f"/api/jobs/{made['job']['id']}"
        for _ in range(self.random.randrange(1, 12)):
            job = self.ask("poll", "GET", address)
            if job is None or job["job"]["state"] not in ("queued", "running"):
                return
            if self.stop.wait(0.5):
                break
        self.ask("cancel", "DELETE", address)

    def harm(self) -> None:
        model = self.random.choice(["broken.onnx", "nested.onnx"])
        wanted = {"modelPath": model, "projectConfig": {}}
        self.ask("harm", "POST", "/api/projects", wanted)


def write_models(folder: Path) -> None:
    sample = sample_path("digits_cnn").read_bytes()
    (folder / "digits.onnx").write_bytes(sample)
    (folder / "broken.onnx").write_bytes(sample[: len(sample) // 2])
    generate_model("mobilenet_v2", folder / "mobilenet.onnx")
    inner = b"x"
    for _ in range(400):  # 3 * 400 messages inside each other
        size, length = len(inner), bytearray()
        while size > 0x7F:
            length.append(size & 0x7F | 0x80)
            size >>= 7
        inner = bytes([10, *length, size]) + inner
    (folder / "nested.onnx").write_bytes(b"\x08\x09\x3a" + inner[1:])


def server_process(folder: Path) -> psutil.Process:
    """The server among this process's children."""
    for child in psutil.Process().children():
        if str(folder) in " ".join(child.cmdline()):
            return child
    raise RuntimeError("The server's process is not to be found.")


class Noise(threading.Thread):
    """How late this idle process is for its own beat: what the machine alone does."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.late: list[float] = []

    def run(self) -> None:
        while True:
            begun = time.monotonic()
            time.sleep(BEAT_SECONDS)
            self.late.append(time.monotonic() - begun - BEAT_SECONDS)


def quantiles(late: list[float]) -> str:
    ordered = sorted(late) or [0.0]
    picked = [ordered[min(len(ordered) - 1, int(q * len(ordered)))] for q in (0.5, 0.99, 0.999)]
    return ", ".join(f"{1000 * value:.1f}" for value in (*picked, ordered[-1])) + " ms"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=3.0)
    parser.add_argument("--clients", type=int, default=10)
    parser.add_argument("--threads", type=int, default=8, help="StudioApp.num_threads")
    parser.add_argument("--computing", type=int, default=2, help="StudioApp.max_computing")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        target = folder / "beat.json"
        start = f"BEAT = {BEAT_SECONDS}\nTARGET = {str(target)!r}\n{MEASURED_SERVER}"
        settings = (
            f"--StudioApp.num_threads={args.threads}",
            f"--StudioApp.max_computing={args.computing}",
        )
        with live_server(folder, *settings, start=start) as server:
            return load(server, target, folder, args.minutes, args.clients)


def load(server: LiveServer, target: Path, folder: Path, minutes: float, count: int) -> int:
    write_models(server.root_dir)
    process = server_process(folder)
    stop = threading.Event()
    noise = Noise()
    noise.start()
    clients = [Client(server, number, stop) for number in range(count)]
    figures = [("start", *held(process))]
    for client in clients:
        client.start()
    time.sleep(60 * minutes / 3)
    figures.append(("a third of the time", *held(process)))
    time.sleep(60 * minutes * 2 / 3)
    stop.set()
    for client in clients:
        client.join(150)
    for client in clients:
        if client.project:
            client.ask("delete", "DELETE", client.url)
    time.sleep(3)
    figures.append(("end, all projects deleted", *held(process)))
    return report(clients, figures, json.loads(target.read_text()), noise, minutes)


def held(process: psutil.Process) -> tuple[int, int, int]:
    """Resident memory in bytes, open files and sockets, child processes."""
    return process.memory_info().rss, process.num_fds(), len(process.children(recursive=True))


def report(
    clients: list[Client], figures: list[tuple[str, int, int, int]], beat: Any, noise: Noise,
    minutes: float,
) -> int:  # fmt: skip
    statuses: Counter[tuple[str, int]] = Counter()
    for client in clients:
        statuses += client.statuses
    print(f"{sum(statuses.values()):,} requests of {len(clients)} clients in {minutes:g} minutes")
    for (what, status), number in sorted(statuses.items()):
        print(f"  {what:10} {status} {number:7,}")
    for when, rss, files, children in figures:
        print(f"{when}: {rss / 1e6:.0f} MB, {files} open files, {children} processes below")
    print(f"loop late (median, 99 %, 99.9 %, most): {quantiles(beat['late'])}")
    print(f"an idle thread beside it: {quantiles(noise.late)}")
    print(f"longest of {beat['count']:,} callbacks: {1000 * beat['longest']:.1f} ms of processor "
          f"time, {beat['worst']}")  # fmt: skip
    faults = [fault for client in clients for fault in client.faults]
    for fault in faults[:20]:
        print("FAULT", fault)
    grown = figures[-1][2] - figures[1][2]
    if grown > 0:
        print(f"FAULT {grown} more files are open at the end than after a third of the time")
    return 1 if faults or grown > 0 else 0


if __name__ == "__main__":
    sys.exit(main())
