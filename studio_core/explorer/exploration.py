"""An opened file to explore: its graphs, what is asked of it, what that does, and its runs.

exploration = open_exploration("module.mlir")
outcome = exploration.edit(node_id, "grid_shape", "4x8")
outcome.layout.fits
exploration.findings("Optimizer Enabled")
for step in exploration.run("Optimizer Enabled"): ...
exploration.executed.graph.overlays["perf_data"]
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

from studio_core.errors import InvalidRequestError, NotFoundError
from studio_core.execution.records import Array, RunSettings
from studio_core.execution.sessions import Cancellation
from studio_core.explorer.edits import (
    NodeIndex,
    NodeOutcome,
    checked_change,
    node_under,
    outcome_of,
    override_of,
)
from studio_core.explorer.fit import PeakMemory, peak_of
from studio_core.explorer.opened import OpenedGraph, open_file
from studio_core.explorer.running import ExecutedRun, ExplorationStep, run_graph
from studio_core.graphs.records import Graph, GraphNode
from studio_core.hardware.chips import SystemDescription
from studio_core.hardware.roofline import ModuleRoofline, module_roofline
from studio_core.limits import DEFAULT_LIMITS, Limits
from studio_core.overrides.checks import check_overrides
from studio_core.overrides.compiler_options import CompilerOptions, to_compiler_options
from studio_core.overrides.records import Finding, Overrides

OPTIMIZER_DISABLED, OPTIMIZER_ENABLED = "Optimizer Disabled", "Optimizer Enabled"
POLICIES = (OPTIMIZER_DISABLED, OPTIMIZER_ENABLED)
"""The optimization policies of the contract."""


class Exploration:
    """One opened file; a person looks at one of its graphs at a time.

    Overrides belong to the graph they were made on; a run keeps what it was asked.
    """

    def __init__(self, path: Path, opened: tuple[OpenedGraph, ...]) -> None:
        self.path, self._opened = path, opened
        self._shown = 0
        self._overrides = [Overrides() for _ in opened]
        self._executed: list[ExecutedRun | None] = [None for _ in opened]
        self._indexes: dict[int, NodeIndex] = {}

    # The file

    @property
    def graphs(self) -> tuple[Graph, ...]:
        """The file's graphs as they were read."""
        return tuple(opened.graph for opened in self._opened)

    @property
    def opened(self) -> OpenedGraph:
        """The graph that is looked at, with what it was made of."""
        return self._opened[self._shown]

    @property
    def graph(self) -> Graph:
        """The graph that is looked at; after a run the executed one, with its overlays."""
        return self.executed.graph if self.executed is not None else self.opened.graph

    @property
    def system(self) -> SystemDescription:
        """The chip that is counted for."""
        return self.opened.system

    def show(self, graph_id: str) -> None:
        """Look at another graph of the file; raises `NotFoundError` for one that is not there."""
        ids = [graph.id for graph in self.graphs]
        if graph_id not in ids:
            raise NotFoundError(f"{self.path.name} has no graph {graph_id!r}.")
        self._shown = ids.index(graph_id)

    def node(self, node_id: str) -> GraphNode:
        """A node with the limits that hold under what is asked of it; `NotFoundError`."""
        node = self.opened.node(node_id)
        return node_under(self.opened, node, self._changes(node))

    # What is asked

    @property
    def overrides(self) -> Overrides:
        """What is asked of the graph that is looked at."""
        return self._overrides[self._shown]

    @overrides.setter
    def overrides(self, overrides: Overrides) -> None:
        self._overrides[self._shown] = overrides

    def edit(self, node_id: str, key: str, value: str) -> NodeOutcome:
        """Ask for a value of a node's attribute, and say what all its changes do.

        The model's own value takes the request back. Raises `InvalidRequestError` for a value
        that the attribute cannot have, `NotFoundError` for a node that is not there.
        """
        node = self.node(node_id)
        text = checked_change(node, key, value)
        own = node.attribute(key)
        request = override_of(self.opened, node, {key: text})
        if own is not None and own.value.strip() == text:
            self.overrides = self.overrides.without(request.key, key)
        else:
            self.overrides = self.overrides.with_values(request)
        return self.outcome(node_id)

    def reset(self, node_id: str, key: str | None = None) -> NodeOutcome:
        """Take back what is asked of a node, or of one of its attributes."""
        request = override_of(self.opened, self.opened.node(node_id), {})
        self.overrides = self.overrides.without(request.key, key)
        return self.outcome(node_id)

    def changes(self, node_id: str) -> dict[str, str]:
        """What is asked of a node, by key."""
        return self._changes(self.opened.node(node_id))

    def outcome(self, node_id: str) -> NodeOutcome:
        """What the changes of a node do: fit, cost, broken rules."""
        node = self.opened.node(node_id)
        return outcome_of(self.opened, node, self._changes(node), self._all_changes())

    def peak(self) -> PeakMemory | None:
        """Where one core holds most, under all that is asked; None where nothing is known."""
        return peak_of(self.opened, self._all_changes())

    def node_of(self, override_key: str) -> str | None:
        """The node that an override is for; None where the graph has none."""
        override = self.overrides.by_key.get(override_key)
        nodes = self._index.nodes_of(override) if override is not None else ()
        return nodes[0] if nodes else None

    def findings(self, policy: str = OPTIMIZER_ENABLED) -> tuple[Finding, ...]:
        """What is wrong with the overrides, told before a run."""
        is_enabled = checked_policy(policy) == OPTIMIZER_ENABLED
        return check_overrides(
            self.overrides, self._index.targets, self.system, optimizer_enabled=is_enabled
        )

    def options(self, policy: str = OPTIMIZER_ENABLED) -> CompilerOptions:
        """What would be sent to the compiler."""
        is_enabled = checked_policy(policy) == OPTIMIZER_ENABLED
        return to_compiler_options(
            self.overrides, enable_optimizer=is_enabled, memory_layout_analysis=is_enabled
        )

    def roofline(self) -> ModuleRoofline | None:
        """The estimate of the whole module; None for an ONNX model."""
        module = self.opened.module
        return module_roofline(module, self.system) if module is not None else None

    # Running

    @property
    def executed(self) -> ExecutedRun | None:
        """The last run of the graph that is looked at; None before the first."""
        return self._executed[self._shown]

    def run(
        self,
        policy: str = OPTIMIZER_ENABLED,
        *,
        inputs: Mapping[str, Array] | None = None,
        settings: RunSettings | None = None,
        cancel: Cancellation | None = None,
    ) -> Iterator[ExplorationStep]:
        """Run the graph under the overrides as they stand; the last step has the result.

        ``inputs`` by name; those that are not given are generated. Raises `InvalidRequestError`
        for an unknown policy, and for what cannot run, before anything does.
        """
        checked_policy(policy)
        place, overrides = self._shown, self.overrides
        changes = self._all_changes()
        steps = run_graph(
            self.opened, changes, overrides, policy,
            inputs=inputs, settings=settings, cancel=cancel,
        )  # fmt: skip
        return self._kept(steps, place)

    def _kept(self, steps: Iterator[ExplorationStep], place: int) -> Iterator[ExplorationStep]:
        for step in steps:
            if step.result is not None:
                self._executed[place] = step.result
            yield step

    @property
    def _index(self) -> NodeIndex:
        if self._shown not in self._indexes:
            self._indexes[self._shown] = NodeIndex(self.opened)
        return self._indexes[self._shown]

    def _all_changes(self) -> dict[str, dict[str, str]]:
        """What is asked of every node, by its id."""
        asked = (node_id for o in self.overrides for node_id in self._index.nodes_of(o))
        return {node_id: self.changes(node_id) for node_id in dict.fromkeys(asked)}

    def _changes(self, node: GraphNode) -> dict[str, str]:
        own = {a.key for a in node.attributes if a.editable is not None}
        found: dict[str, str] = {}
        for override in self.overrides if own else ():
            if node.id in self._index.nodes_of(override):
                found.update({k: v for k, v in override.attributes.items() if k in own})
        return found


def checked_policy(policy: str) -> str:
    """``policy`` if it is one; raises `InvalidRequestError`."""
    if policy not in POLICIES:
        raise InvalidRequestError(
            f"'{policy}' is no optimization policy. Choose one of {', '.join(POLICIES)}."
        )
    return policy


def open_exploration(
    path: str | Path,
    *,
    system_path: str | Path | None = None,
    arch: str | None = None,
    limits: Limits = DEFAULT_LIMITS,
) -> Exploration:
    """Open an MLIR or ONNX file; parameters and errors as in `opened.open_file`."""
    file = Path(path).expanduser()
    opened = open_file(file, system_path=system_path, arch=arch, limits=limits)
    return Exploration(file, opened)
