"""Which node is which: names first, structure where names say nothing, each change marked."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from studio_core.comparison.matching import match_graphs
from studio_core.graphs.records import Graph, GraphAttribute, GraphEdge, GraphNode, PortMetadata

SHAPES = ("[1, 4]", "[1, 8]", "[4, 4]")


def node(name: str, label: str, *sources: str, shape: str = "[1, 4]") -> GraphNode:
    edges = tuple(GraphEdge(source, "0", str(i)) for i, source in enumerate(sources))
    output = PortMetadata("0", (GraphAttribute("shape", shape),))
    return GraphNode(name, label, incoming=edges, outputs=(output,))


def renamed(graph: Graph, name: Callable[[int], str] = "other{}".format) -> Graph:
    names = {n.id: name(place) for place, n in enumerate(graph.nodes)}
    nodes = [
        replace(
            n,
            id=names[n.id],
            incoming=tuple(replace(e, source=names[e.source]) for e in n.incoming),
        )
        for n in graph.nodes
    ]
    return Graph("renamed", tuple(nodes))


def without(graph: Graph, removed: str) -> Graph:
    """The graph without a node; those that read it read what it read first."""
    gone = graph.by_id[removed]
    nodes = []
    for n in graph.nodes:
        edges = [e for e in n.incoming if e.source != removed]
        for edge in n.incoming:
            if edge.source == removed and gone.incoming:
                edges.append(replace(edge, source=gone.incoming[0].source))
        if n.id != removed:
            nodes.append(replace(n, incoming=tuple(sorted(edges, key=lambda e: e.target_input))))
    return Graph("without", tuple(nodes))


@st.composite
def graphs(draw: st.DrawFn) -> Graph:
    """Any graph without cycles, operators and shapes of a few kinds."""
    number = draw(st.integers(2, 25))
    nodes: list[GraphNode] = []
    for place in range(number):
        most = min(place, 3)
        sources = draw(st.lists(st.integers(0, max(0, place - 1)), max_size=most))
        label, shape = draw(st.sampled_from("ABC")), draw(st.sampled_from(SHAPES))
        names = [f"n{source}" for source in sources]
        nodes.append(node(f"n{place}", label, *names, shape=shape))
    return Graph("any", tuple(nodes))


@settings(max_examples=40, deadline=None)
@given(graphs())
def test_a_graph_matches_itself_by_name_and_its_renamed_self_by_structure(graph: Graph) -> None:
    own = match_graphs(graph, graph)
    assert [(p.left, p.right, p.how, p.certainty) for p in own.pairs] == [
        (n.id, n.id, "name", 1.0) for n in graph.nodes
    ]
    match = match_graphs(graph, renamed(graph))
    assert match.only_left == match.only_right == ()
    assert {p.how for p in match.pairs} == {"structure"}
    labels = [n.label for n in graph.nodes]
    for pair in match.pairs:
        assert labels[int(pair.left[1:])] == labels[int(pair.right[5:])]
        assert 0 < pair.certainty <= 1
    places = [int(p.right[5:]) for p in match.pairs if p.certainty == 1.0]
    assert places == [int(p.left[1:]) for p in match.pairs if p.certainty == 1.0]


@settings(max_examples=40, deadline=None)
@given(graphs(), st.data())
def test_removing_a_node_marks_only_it(graph: Graph, data: st.DataObject) -> None:
    removed = data.draw(st.sampled_from([n.id for n in graph.nodes]))
    match = match_graphs(graph, without(graph, removed))
    assert match.only_left == (removed,)
    assert match.only_right == ()
    assert all(pair.left == pair.right for pair in match.pairs)


@settings(max_examples=30, deadline=None)
@given(graphs(), graphs())
def test_no_node_is_matched_twice_and_none_is_lost(left: Graph, right: Graph) -> None:
    match = match_graphs(left, renamed(right))
    lefts, rights = [p.left for p in match.pairs], [p.right for p in match.pairs]
    assert sorted([*lefts, *match.only_left]) == sorted(n.id for n in left.nodes)
    assert sorted([*rights, *match.only_right]) == sorted(
        f"other{i}" for i in range(len(right.nodes))
    )
    assert match_graphs(left, renamed(right)).pairs == match.pairs


def tower(number: int, kinds: Sequence[str] = ("Conv", "Relu", "Add")) -> Graph:
    nodes = [node("n0", "Input")]
    for place in range(1, number):
        before = [f"n{place - 1}"] + ([f"n{place - 3}"] if place % 5 == 4 else [])
        nodes.append(node(f"n{place}", kinds[place % len(kinds)], *before))
    return Graph("tower", tuple(nodes))


def test_a_renumbered_tower_without_one_node_marks_one_node() -> None:
    # Names shift by one behind the gap, as exporters number them, and so mean nothing there.
    graph = tower(60)
    match = match_graphs(graph, renamed(without(graph, "n30"), "n{}".format))
    assert len(match.only_left) == 1
    assert match.only_right == ()
    (far,) = [p for p in match.pairs if p.left == "n45"]
    assert (far.right, far.how, far.certainty) == ("n44", "structure", 1.0)


def test_a_new_node_is_marked_in_the_right_graph() -> None:
    graph = tower(30)
    match = match_graphs(without(graph, "n10"), graph)
    assert (match.only_left, match.only_right) == ((), ("n10",))


def test_twins_are_matched_with_half_the_certainty() -> None:
    graph = Graph("twins", (node("x", "Input"), node("a", "Relu", "x"), node("b", "Relu", "x")))
    match = match_graphs(graph, renamed(graph))
    assert [p.certainty for p in match.pairs] == [1.0, 0.5, 0.5]
    marks = {"a": "one", "b": "two"}
    told = match_graphs(graph, renamed(graph), marks, {"other1": "two", "other2": "one"})
    assert told.by_left["a"].right == "other2"
    assert (told.by_left["a"].how, told.by_left["a"].certainty) == ("content", 1.0)


def test_a_replaced_operator_keeps_its_name_with_less_certainty() -> None:
    left = Graph("l", (node("x", "Input"), node("y", "Relu", "x"), node("z", "Add", "y")))
    right = Graph("r", (node("x", "Input"), node("y", "Clip", "x"), node("z", "Add", "y")))
    match = match_graphs(left, right)
    assert match.only_left == match.only_right == ()
    assert match.by_left["y"].certainty == 0.5


def test_other_shapes_are_matched_by_operators_with_less_certainty() -> None:
    graph = tower(20)
    narrow = Graph(
        "narrow", tuple(replace(n, outputs=(PortMetadata("0"),)) for n in renamed(graph).nodes)
    )
    match = match_graphs(graph, narrow)
    assert len(match.pairs) == 20
    assert max(p.certainty for p in match.pairs) == 0.8


def test_cycles_and_edges_to_nowhere_do_no_harm() -> None:
    nodes = (node("a", "A", "b"), node("b", "B", "a", "gone"), node("c", "C", "c"))
    graph = Graph("odd", nodes)
    assert len(match_graphs(graph, renamed_loosely(graph)).pairs) == 3
    assert match_graphs(graph, Graph("empty", ())).only_left == ("a", "b", "c")


def renamed_loosely(graph: Graph) -> Graph:
    names = {n.id: f"other-{n.id}" for n in graph.nodes}
    nodes = [
        replace(
            n,
            id=names[n.id],
            incoming=tuple(replace(e, source=names.get(e.source, "?")) for e in n.incoming),
        )
        for n in graph.nodes
    ]
    return Graph("loose", tuple(nodes))


def test_ten_thousand_nodes_are_matched() -> None:
    graph = tower(10_000)
    match = match_graphs(graph, renamed(without(graph, "n5000")))
    assert len(match.pairs) == 9_999
    assert len(match.only_left) == 1
