"""What is seen of a graph: boxes, lines and their places."""

from __future__ import annotations

import itertools
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from studio_core.graphs.groups import MAX_DEPTH, group_tree
from studio_core.graphs.layout import HEADER_HEIGHT, Box, Line, VisibleGraph, visible_graph
from studio_core.graphs.records import Graph, GraphAttribute, GraphNode, PortMetadata

from .conftest import chain, node

NESTED = chain({"in": "", "a": "g", "b": "g/h", "c": "g/h", "d": "g", "out": ""})


def labels(seen: VisibleGraph) -> list[str]:
    return [box.id for box in seen.boxes]


def ends(seen: VisibleGraph) -> set[tuple[str, str]]:
    return {(seen.boxes[line.source].id, seen.boxes[line.target].id) for line in seen.lines}


def overlap(a: Box, b: Box) -> bool:
    apart = (
        a.x + a.width <= b.x + 0.2
        or b.x + b.width <= a.x + 0.2
        or a.y + a.height <= b.y + 0.2
        or b.y + b.height <= a.y + 0.2
    )
    return not apart


def crosses(box: Box, start: tuple[float, float], end: tuple[float, float]) -> bool:
    """Whether the piece of a line from ``start`` to ``end`` goes through the inside of a box."""
    low, high = 0.0, 1.0
    for at, by, near, far in (
        (start[0], end[0] - start[0], box.x + 0.5, box.x + box.width - 0.5),
        (start[1], end[1] - start[1], box.y + 0.5, box.y + box.height - 0.5),
    ):
        if abs(by) < 1e-9:
            if not near < at < far:
                return False
            continue
        first, last = sorted(((near - at) / by, (far - at) / by))
        low, high = max(low, first), min(high, last)
    return low < high


def outwards(number: int | None, seen: VisibleGraph) -> set[int]:
    found = set()
    while number is not None:
        found.add(number)
        number = seen.boxes[number].parent
    return found


def assert_passes_no_box(line: Line, seen: VisibleGraph) -> None:
    own = outwards(line.source, seen) | outwards(line.target, seen)
    for start, end in itertools.pairwise(line.points):
        for number, box in enumerate(seen.boxes):
            if number not in own:
                assert not crosses(box, start, end), (line, box)


def assert_well_laid(seen: VisibleGraph) -> None:
    """Boxes of one group do not overlap and lie inside it; lines begin and end at their boxes."""
    for a, b in itertools.combinations(seen.boxes, 2):
        if a.parent == b.parent:
            assert not overlap(a, b), (a, b)
    for number, box in enumerate(seen.boxes):
        assert box.x >= 0
        assert box.x + box.width <= seen.width + 0.2
        assert box.y + box.height <= seen.height + 0.2
        if box.parent is not None:
            outer = seen.boxes[box.parent]
            assert box.parent < number
            assert outer.is_open
            assert outer.x <= box.x
            assert box.x + box.width <= outer.x + outer.width + 0.2
            assert outer.y + HEADER_HEIGHT <= box.y
            assert box.y + box.height <= outer.y + outer.height + 0.2
    for line in seen.lines:
        assert_passes_no_box(line, seen)
        source, target = seen.boxes[line.source], seen.boxes[line.target]
        (x0, y0), (x1, y1) = line.points[0], line.points[-1]
        assert len(line.points) >= 2
        assert y0 == pytest.approx(source.y + source.height, abs=0.2)
        assert y1 == pytest.approx(target.y, abs=0.2)
        assert source.x <= x0 <= source.x + source.width
        assert target.x <= x1 <= target.x + target.width


def test_groups_are_closed_until_asked_for():
    seen = visible_graph(NESTED)
    assert labels(seen) == ["in", "g", "out"]
    group = seen.boxes[1]
    assert (group.kind, group.num_nodes, group.is_open, group.label) == ("group", 4, False, "g")
    assert ends(seen) == {("in", "g"), ("g", "out")}
    assert not any(line.crosses_groups for line in seen.lines)


def test_an_open_group_encloses_what_it_holds():
    seen = visible_graph(NESTED, {"g"})
    assert labels(seen) == ["in", "g", "a", "g/h", "d", "out"]
    assert [box.depth for box in seen.boxes] == [0, 0, 1, 1, 1, 0]
    assert [box.parent for box in seen.boxes] == [None, None, 1, 1, 1, None]
    assert ends(seen) == {("in", "a"), ("a", "g/h"), ("g/h", "d"), ("d", "out")}
    crossing = {seen.boxes[line.source].id for line in seen.lines if line.crosses_groups}
    assert crossing == {"in", "d"}
    assert seen.open_groups == ("g",)
    assert_well_laid(seen)


def test_a_group_in_a_closed_group_and_an_unknown_one_are_passed_over():
    seen = visible_graph(NESTED, {"g/h", "gone"})
    assert labels(seen) == ["in", "g", "out"]
    assert seen.open_groups == ()


def test_all_open():
    seen = visible_graph(NESTED, {"g", "g/h"})
    assert ends(seen) == {("in", "a"), ("a", "b"), ("b", "c"), ("c", "d"), ("d", "out")}
    assert_well_laid(seen)


def test_edges_with_the_same_visible_ends_are_one_line_with_their_shape():
    inner = (node("p", "x", "x", namespace="g"), node("q", "x", "p", namespace="g"))
    graph = Graph("g", (node("x"), *inner))
    (line,) = visible_graph(graph).lines
    assert (line.count, line.label) == (3, "1×4")


def test_the_label_is_empty_where_shapes_differ_or_are_unknown():
    wide = (PortMetadata("0", (GraphAttribute("shape", "[1, 8]"),)),)
    group = (node("a", namespace="g"), GraphNode("b", "B", "g", outputs=wide))
    seen = visible_graph(Graph("g", (*group, node("z", "a", "b"))))
    assert [(line.count, line.label) for line in seen.lines] == [(2, "")]
    bare = Graph("g", (GraphNode("x", "X"), node("z", "x")))
    assert [line.label for line in visible_graph(bare).lines] == [""]


def test_a_line_leaves_and_enters_an_open_group_straight_through_its_border():
    nodes = [node("x")]
    for name in "abc":
        nodes += [node(f"{name}{i}", "x", namespace=name) for i in range(3)]
    nodes.append(node("z", *(f"{name}{i}" for name in "abc" for i in range(3))))
    seen = visible_graph(Graph("g", tuple(nodes)), {"a", "b", "c"})
    for line in seen.lines:
        for number, border in ((line.source, "bottom"), (line.target, "top")):
            if seen.boxes[number].parent is not None:
                group = seen.boxes[seen.boxes[number].parent]
                y = group.y + (group.height if border == "bottom" else 0)
                assert any(abs(at - y) < 0.2 for _, at in line.points), (line, group)


def test_what_flows_goes_downwards():
    seen = visible_graph(NESTED, {"g", "g/h"})
    for line in seen.lines:
        heights = [y for _, y in line.points]
        assert heights == sorted(heights)


def test_the_pinned_node_stands_at_the_top_of_its_group():
    graph = Graph(
        "g",
        (
            node("a", namespace="loop_0"),
            node("b", "a", namespace="loop_0"),
            node("loop", "b", namespace="loop_0", pinned=True),
        ),
    )
    seen = visible_graph(graph, {"loop_0"})
    heights = {box.id: box.y for box in seen.boxes}
    assert heights["loop"] < min(heights["a"], heights["b"])
    assert_well_laid(seen)


def test_constants_stand_just_above_their_user():
    graph = Graph(
        "g",
        (node("x"), node("w"), node("t", "w"), *(node(f"n{i}", f"n{i - 1}" if i else "x")
                                                 for i in range(6)), node("end", "n5", "t")),
    )  # fmt: skip
    places = {box.id: box.y for box in visible_graph(graph).boxes}
    assert places["t"] == places["n5"]
    assert places["w"] == places["n4"]


def test_a_cycle_and_an_edge_to_nowhere_do_no_harm():
    graph = Graph(
        "g", (node("a", "c"), node("b", "a", "ghost"), node("c", "b"), node("d", "d", "c"))
    )
    seen = visible_graph(graph)
    assert ends(seen) == {("c", "a"), ("a", "b"), ("b", "c"), ("c", "d")}
    assert_well_laid(seen)


def test_groups_that_feed_each_other():
    graph = Graph(
        "g",
        (
            node("a1", namespace="a"),
            node("b1", "a1", namespace="b"),
            node("a2", "b1", namespace="a"),
            node("b2", "a2", namespace="b"),
        ),
    )
    assert ends(visible_graph(graph)) == {("a", "b"), ("b", "a")}
    for opened in ({"a"}, {"b"}, {"a", "b"}):
        assert_well_laid(visible_graph(graph, opened))


def test_an_empty_graph_and_one_node():
    assert visible_graph(Graph("g", ())).boxes == ()
    assert len(visible_graph(Graph("g", (node("a", namespace="x/y"),))).boxes) == 1


def test_a_group_of_one_node_is_that_node():
    seen = visible_graph(chain({"a": "x/y", "b": "z", "c": "z"}))
    assert labels(seen) == ["a", "z"]


def test_a_node_and_a_group_may_have_one_name():
    graph = chain({"g": "", "a": "g", "b": "g"})
    seen = visible_graph(graph)
    assert seen.numbers["node", "g"] != seen.numbers["group", "g"]


def test_long_edges_run_past_the_boxes_between():
    names = [f"n{i}" for i in range(40)]
    nodes = [node(names[0]), *(node(b, a) for a, b in itertools.pairwise(names))]
    nodes.append(node("end", "n39", "n30", "n0"))
    seen = visible_graph(Graph("g", tuple(nodes)))
    assert ("n0", "end") in ends(seen)
    assert_well_laid(seen)


def test_namespaces_below_the_deepest_group_are_not_told_apart():
    deep = "/".join("d" * 5000)
    graph = Graph("g", (node("a", namespace=deep), node("b", "a", namespace=deep)))
    tree = group_tree(graph)
    groups = [group.id for group in tree.groups()]
    assert len(groups) <= MAX_DEPTH + 1
    assert_well_laid(visible_graph(graph, groups))


def test_the_groups_to_open_for_a_node_to_be_seen():
    tree = group_tree(NESTED)
    assert tree.around([2]) == ("g", "g/h")
    assert tree.around([0]) == ()
    assert [group.id for group in tree.groups()] == ["g", "g/h"]
    assert tree is group_tree(NESTED)


@st.composite
def graphs(draw: st.DrawFn) -> Graph:
    rng = random.Random(draw(st.integers(0, 10**6)))
    num = draw(st.integers(1, 30))
    names = [f"n{i}" for i in range(num)]
    spaces = ["", "a", "a/b", "a/b/c", "d", "d/e", "f//g", "/a"]
    return Graph(
        "g",
        tuple(
            node(
                name,
                *rng.choices(names, k=rng.randint(0, 3)),
                namespace=rng.choice(spaces),
                pinned=rng.random() < 0.05,
            )
            for name in names
        ),
    )


@given(graphs(), st.sets(st.sampled_from(["a", "a/b", "a/b/c", "d", "d/e", "f", "f/g"])))
@settings(max_examples=80, deadline=None)
def test_any_graph_is_well_laid_and_the_same_each_time(graph, opened):
    seen = visible_graph(graph, opened)
    assert_well_laid(seen)
    assert sum(box.num_nodes for box in seen.boxes if not box.is_open) == len(graph.nodes)
    again = visible_graph(Graph(graph.id, graph.nodes), opened)
    assert again == seen


def test_ten_thousand_nodes_in_one_group():
    names = [f"n{i}" for i in range(10_000)]
    nodes = [node("x"), node("n0", "x")]
    nodes += [node(b, a, "x", namespace="g") for a, b in itertools.pairwise(names)]
    graph = Graph("g", tuple(nodes))
    assert len(visible_graph(graph).boxes) == 3
    seen = visible_graph(graph, {"g"})
    assert len(seen.boxes) == 10_002
    assert max(len(line.points) for line in seen.lines) < 40
