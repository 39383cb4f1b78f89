"""The work of one run: opened, checked, run by the CPU or the compiler, written as a graph."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import closing
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from studio_core.errors import InvalidRequestError
from studio_core.execution.toolchain import (
    AUTO,
    CPU,
    TOOLCHAIN,
    TimeLimits,
    ToolchainRequest,
    ToolchainResult,
    dialect_of,
    is_available,
    run_toolchain,
)
from studio_core.explorer.exploration import OPTIMIZER_ENABLED, Exploration, open_exploration
from studio_core.explorer.running import ExecutedRun
from studio_core.graphs.records import Graph
from studio_core.limits import DEFAULT_LIMITS, Limits
from studio_core.overrides.comparison import requested_against_applied
from studio_core.overrides.records import Finding
from studio_core.projects.files import make_folder
from studio_core.runs.compiled import compiled_graph
from studio_core.runs.records import Document, RunRequest
from studio_core.runs.store import ARTIFACTS

Say = Callable[[str], None]


@dataclass(frozen=True)
class WorkStep:
    """Progress, 0 to 1; ``findings`` are set once, before the run, ``outcome`` in the last."""

    message: str
    fraction: float
    backend: str
    findings: tuple[Document, ...] | None = None
    outcome: Outcome | None = None


@dataclass(frozen=True)
class Outcome:
    """The executed graph, and what was requested against what was applied."""

    graph: Graph
    applied: tuple[Document, ...]


def work(
    path: Path, request: RunRequest, folder: Path, say: Say, limits: Limits = DEFAULT_LIMITS
) -> Iterator[WorkStep]:
    """Run the model at ``path``, opened under ``limits``.

    Errors as in `open_exploration`, `Exploration.run` and `run_toolchain`.
    """
    yield WorkStep("Reading the model", 0.0, request.backend)
    exploration = open_exploration(path, limits=limits)
    if request.graph_id is not None:
        exploration.show(request.graph_id)
    exploration.overrides = request.overrides
    backend = _backend(request, exploration)
    findings = exploration.findings(request.policy)
    yield from _told(findings, backend, say)
    if backend == TOOLCHAIN:
        yield from _by_toolchain(path, exploration, request, folder, say, limits)
    else:
        yield from _by_cpu(exploration, request, say)


def _backend(request: RunRequest, exploration: Exploration) -> str:
    """The compiler takes modules only; without it the CPU runs everything."""
    if request.backend != AUTO:
        return request.backend
    is_module = exploration.opened.module is not None
    return TOOLCHAIN if is_module and is_available() else CPU


def _told(findings: Iterable[Finding], backend: str, say: Say) -> Iterator[WorkStep]:
    """The findings, in the log and in the status, before anything runs."""
    found = list(findings)
    for finding in found:
        say(f"{finding.severity}: {finding.hazard} {finding.evidence} {finding.remedy}")
    message = "The overrides are checked"
    if found:
        message = f"{len(found)} finding(s) about the overrides: {found[0].hazard}"
    yield WorkStep(message, 0.01, backend, tuple(asdict(f) for f in found))


# The CPU


def _by_cpu(exploration: Exploration, request: RunRequest, say: Say) -> Iterator[WorkStep]:
    if request.generate_cpp_code:
        say("note: C++ is made by the compiler, which is not used in this run.")
    with closing(_generator(exploration.run(request.policy))) as steps:
        for step in steps:
            outcome = None
            if step.result is not None:
                _say_notes(step.result, say)
                outcome = Outcome(step.result.graph, _applied(step.result))
            yield WorkStep(step.message, step.fraction, CPU, outcome=outcome)


def _generator(steps: Iterator[Any]) -> Generator[Any, None, None]:
    yield from steps


def _say_notes(run: ExecutedRun, say: Say) -> None:
    for note in run.result.notes:
        say(f"note: {note}")
    versions = ", ".join(f"{name} {version}" for name, version in run.result.versions.items())
    say(f"Run on {run.result.cpu or 'the CPU'} by {versions}.")


def _applied(run: ExecutedRun) -> tuple[Document, ...]:
    return tuple(
        {
            "node": value.node_id,
            "attribute": value.key,
            "requested": value.requested,
            "applied": value.requested if value.is_applied else None,
            "outcome": "applied" if value.is_applied else "not applied",
            "reason": value.reason,
        }
        for value in run.applied
    )


# The compiler


def _by_toolchain(
    path: Path,
    exploration: Exploration,
    request: RunRequest,
    folder: Path,
    say: Say,
    limits: Limits,
) -> Iterator[WorkStep]:
    module = exploration.opened.module
    if module is None:
        raise InvalidRequestError("The compiler runs modules only. Choose the backend cpu.")
    artifacts = folder / ARTIFACTS
    make_folder(artifacts)
    wanted = ToolchainRequest(
        path,
        dialect_of(module),
        artifacts,
        request.policy == OPTIMIZER_ENABLED,
        request.overrides,
        request.generate_cpp_code,
        limits=TimeLimits(),
    )
    with closing(_generator(run_toolchain(wanted, say=say))) as steps:
        for step in steps:
            outcome = None
            if step.result is not None:
                outcome = _compiled(exploration.graph, step.result, request, limits)
            yield WorkStep(step.message, step.fraction, TOOLCHAIN, outcome=outcome)


def _compiled(
    before: Graph, result: ToolchainResult, request: RunRequest, limits: Limits
) -> Outcome:
    graph = compiled_graph(result, request.overrides, limits)
    values = requested_against_applied(request.overrides, graph, before)
    applied = [
        {
            "override": value.override,
            "attribute": value.attribute,
            "requested": value.requested,
            "applied": value.applied,
            "outcome": value.outcome,
            "reason": value.sentence,
        }
        for value in values
    ]
    for left in result.left_out:
        applied.append(
            {
                "override": left.override,
                "attribute": left.attribute,
                "requested": None,
                "applied": None,
                "outcome": "left out",
                "reason": left.reason,
            }
        )
    return Outcome(graph, tuple(applied))
