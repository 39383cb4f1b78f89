from __future__ import annotations

import json
import shutil
import struct
import subprocess
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import studio_widgets as studio
from studio_core.errors import InvalidRequestError, NotFoundError
from studio_core.graphs.layout import visible_graph
from studio_core.graphs.records import Graph, Overlay
from studio_widgets._assets import css
from studio_widgets._node_kinds import KINDS, kind_of
from studio_widgets._overlay_wire import value_text
from studio_widgets.graph_view import FIRST_BOXES

from .conftest import Wire
from .fakes import HOSTILE
from .graphs import NODES_A_LAYER, decoder, make_node

STATIC = Path(studio.__file__).parent / "static"
node = pytest.mark.skipif(shutil.which("node") is None, reason="node is not installed")


def _index(view: studio.GraphView) -> dict[str, Any]:
    index: dict[str, Any] = json.loads(zlib.decompress(view._index))
    return index


def _counts(view: studio.GraphView) -> tuple[int, int]:
    """Boxes and lines in the scene that is sent."""
    boxes, lines, *_ = struct.unpack("<4I", zlib.decompress(view._scene)[:16])
    return boxes, lines


def _overlay(view: studio.GraphView) -> dict[str, Any]:
    overlay: dict[str, Any] = json.loads(zlib.decompress(view._overlay))
    return overlay


def _ask(view: studio.GraphView, **message: Any) -> None:
    view._handle_custom_msg(message, [])


def test_the_index_holds_all_nodes_and_groups_as_text() -> None:
    graph = decoder(2)
    index = _index(studio.GraphView(graph))
    assert index["node"]["id"] == [n.id for n in graph.nodes]
    assert HOSTILE in index["node"]["label"]
    assert index["group"]["id"][:3] == ["Inputs", "decoder", "decoder/layer_0"]
    assert index["group"]["size"][1] == 2 * NODES_A_LAYER
    number = index["node"]["id"].index("decoder/layer_1/mlp/up")
    assert index["group"]["id"][index["node"]["group"][number]] == "decoder/layer_1/mlp"
    assert index["node"]["line"][number] == "up"
    assert index["node"]["sub"][number] == "1×32×4096 bf16"


def test_the_scene_is_what_the_layout_says() -> None:
    graph = decoder(2)
    view = studio.GraphView(graph, open_groups=("decoder", "head"))
    visible = visible_graph(graph, view.open_groups)
    data = zlib.decompress(view._scene)
    boxes, lines, points, _ = struct.unpack("<4I", data[:16])
    assert (boxes, lines) == (len(visible.boxes), len(visible.lines))
    rect = np.frombuffer(data, "<f4", 4 * boxes, 16 + 12 * boxes).reshape(-1, 4)
    expected = [(b.x, b.y, b.width, b.height) for b in visible.boxes]
    np.testing.assert_allclose(rect, expected, rtol=1e-6)
    assert points == sum(len(line.points) for line in visible.lines)


def test_a_large_graph_begins_with_its_outer_groups() -> None:
    view = studio.GraphView(decoder(500))
    assert _counts(view)[0] <= FIRST_BOXES
    view.open_group("decoder")
    assert "decoder" in view.open_groups
    assert 500 < _counts(view)[0] < 600


def test_ten_thousand_nodes_are_one_message_of_less_than_a_megabyte(wire: Wire) -> None:
    view = studio.GraphView(decoder(500))
    wire.take()
    view.open_all()
    assert _counts(view)[0] > 10_000
    assert 100_000 < sum(wire.take()) < 1_000_000
    assert view._notice == ""


def test_open_all_stops_where_a_browser_would(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("studio_widgets.graph_view.MOST_BOXES", 300)
    view = studio.GraphView(decoder(50))
    view.open_all()
    assert 100 < _counts(view)[0] <= 300
    assert "stay closed" in view._notice
    view.close_all()
    assert view.open_groups == ()
    assert view._notice == ""


def test_a_group_opens_with_those_around_it_and_closes_alone() -> None:
    view = studio.GraphView(decoder(9))
    view.close_all()
    view.open_group("decoder/layer_7/mlp")
    assert view.open_groups == ("decoder", "decoder/layer_7", "decoder/layer_7/mlp")
    view.close_group("decoder/layer_7")
    assert "decoder/layer_7/mlp" in view.open_groups  # open again with it
    with pytest.raises(NotFoundError, match="no group 'decoder/layer_999'"):
        view.open_group("decoder/layer_999")


def test_selecting_a_node_opens_its_groups_and_is_one_small_message(wire: Wire) -> None:
    view = studio.GraphView(decoder(9))
    view.close_all()
    view.selected = "decoder/layer_3/attention/mix"
    assert view.open_groups[-1] == "decoder/layer_3/attention"
    wire.take()
    view.selected = "decoder/layer_3/attention/out"
    assert len(wire.sizes) == 1
    assert wire.sizes[0] < 200


def test_a_selected_group_and_a_selected_node_exclude_each_other() -> None:
    view = studio.GraphView(decoder(2))
    view.selected = "return"
    view.selected_group = "decoder"
    assert view.selected == ""
    view.selected = "norm"
    assert view.selected_group == ""


def test_a_node_that_is_not_there_is_refused_and_nothing_changes() -> None:
    view = studio.GraphView(decoder(2), selected="norm")
    with pytest.raises(NotFoundError, match="no node 'nowhere'"):
        view.selected = "nowhere"
    assert view.selected == "norm"


def test_the_page_opens_closes_and_reveals() -> None:
    view = studio.GraphView(decoder(10))
    view.close_all()
    _ask(view, kind="open", id="decoder")
    assert view.open_groups == ("decoder",)
    _ask(view, kind="reveal", id="decoder/layer_9/mlp/act", group=False)
    assert "decoder/layer_9/mlp" in view.open_groups
    _ask(view, kind="close", id="decoder")
    assert "decoder" not in view.open_groups
    _ask(view, kind="close_all")
    assert view.open_groups == ()


@pytest.mark.parametrize("message", [None, [], {"kind": "open", "id": HOSTILE}, {"kind": 3}])
def test_what_the_page_may_not_ask_changes_nothing(message: Any) -> None:
    view = studio.GraphView(decoder(2))
    before = view.open_groups
    view._handle_custom_msg(message, [])
    assert view.open_groups == before


def test_an_overlay_knows_who_has_no_value() -> None:
    graph = decoder(1)
    view = studio.GraphView(graph, overlay="perf_data")
    found = _overlay(view)
    for place, n in enumerate(graph.nodes):
        assert found["values"][place] == graph.overlays["perf_data"].values.get(n.id)
        assert bool(found["texts"][place]) is (n.id in graph.overlays["perf_data"].values)
        assert (found["colours"][place] >= 0) is (n.id in graph.overlays["perf_data"].values)
    assert (found["ramp"][0], found["ramp"][-1]) == ("#fbe38e", "#e0523f")
    assert found["ends"][0] == "84\u2009ns"
    assert view._overlays == [["perf_data", "Performance"], ["accuracy_data", "Accuracy"]]
    view.overlay = "accuracy_data"
    assert _overlay(view)["steps"] == [["#e0523f", "≤ 0"], ["#4fa86b", "≤ 1"]]
    view.overlay = ""
    assert view._overlay == b""


def test_overlays_of_ones_own_and_unknown_ones() -> None:
    view = studio.GraphView(decoder(1))
    view.overlays = {"mine": Overlay("Mine", {"norm": float("nan"), "return": 2.0})}
    view.overlay = "mine"
    assert [v for v in _overlay(view)["values"] if v is not None] == [2.0]
    with pytest.raises(NotFoundError, match="There are: 'mine'"):
        view.overlay = "perf_data"


def test_values_are_written_with_a_unit_a_person_reads() -> None:
    assert value_text(12_400.0, "ns") == "12.4\u2009µs"
    assert value_text(0.25, "") == "0.25"
    assert value_text(None, "ns") == ""
    assert value_text(float("inf"), "ns") == ""
    assert value_text("failed", "") == "failed"


def test_another_graph_keeps_what_it_has_in_common() -> None:
    view = studio.GraphView(decoder(3), selected="norm", overlay="perf_data")
    view.open_group("decoder/layer_1/mlp")
    opened = view.open_groups
    again = decoder(3)
    view.graph = Graph("again", again.nodes)
    assert view.selected == "norm"
    assert view.open_groups == opened
    assert view.overlay == ""
    view.graph = Graph("other", (make_node("only", "Relu", "", []),))
    assert (view.selected, view.open_groups, _counts(view)) == ("", (), (1, 0))


def test_an_empty_graph_is_shown() -> None:
    assert _counts(studio.GraphView(Graph("empty", ()))) == (0, 0)


def test_names_that_are_no_text_or_very_long_do_not_break_the_view() -> None:
    names = ["half a pair \ud800", "x" * 5000, "\u202egnp.exe", "a\nb\0"]
    view = studio.GraphView(Graph("odd", tuple(make_node(n, n, n, []) for n in names)))
    index = _index(view)
    assert len(index["node"]["label"][1]) < 400
    assert index["node"]["id"][1] == names[1]
    view.selected = names[1]
    assert view.selected == names[1]


def test_what_is_no_graph_is_refused_in_words() -> None:
    with pytest.raises(InvalidRequestError, match="not int"):
        studio.GraphView(3)
    with pytest.raises(TypeError, match=r"no setting 'overlya'\. Did you mean 'overlay'"):
        studio.GraphView(decoder(1), overlya="perf_data")


@pytest.mark.parametrize(
    ("label", "kind"),
    [
        ("ttnn.matmul", "Matrix product"),
        ("Conv", "Convolution"),
        ("stablehlo.dot_general", "Matrix product"),
        ("%arg0", "Input"),
        ("BatchNormalization", "Normalisation"),
        ("ReduceMean", "Reduction and pooling"),
        ("ttnn.all_gather", "Between chips"),
        (HOSTILE, "Arithmetic and other"),
    ],
)
def test_kinds_of_nodes(label: str, kind: str) -> None:
    assert KINDS[kind_of(label)][0] == kind


def test_every_kind_has_a_colour_in_both_themes() -> None:
    style = css("graph_view")
    for number in range(len(KINDS)):
        assert style.count(f"--studio-kind-{number}:") == 2
    assert f"--studio-kind-{len(KINDS)}:" not in style


@node
def test_the_page_reads_what_python_wrote(tmp_path: Path) -> None:
    graph = decoder(2)
    view = studio.GraphView(graph, open_groups=("decoder",))
    visible = visible_graph(graph, view.open_groups)
    (tmp_path / "scene").write_bytes(zlib.decompress(view._scene))
    (tmp_path / "index").write_bytes(zlib.decompress(view._index))
    first, line = visible.boxes[0], visible.lines[0]
    script = f"""
      import {{ readFileSync }} from "node:fs";
      import {{ GraphIndex, GraphScene }} from {json.dumps((STATIC / "_graph_scene.js").as_uri())};
      import {{ searchTest }} from {json.dumps((STATIC / "_graph_search.js").as_uri())};
      const bytes = readFileSync({json.dumps(str(tmp_path / "scene"))});
      const from = bytes.byteOffset;
      const scene = new GraphScene(bytes.buffer.slice(from, from + bytes.length));
      const index = new GraphIndex(JSON.parse(readFileSync({json.dumps(str(tmp_path / "index"))})));
      const hits = (q, re) => index.find(searchTest(q, re).test).map((r) => index.idOf(r));
      const box = scene.boxAt({first.x + 1}, {first.y + 1});
      console.log(JSON.stringify({{
        boxes: scene.numBoxes, edges: scene.numEdges, first: index.idOf(scene.ref[0]), box,
        open: Array.from(scene.ref, (_, i) => scene.isOpen(i)).filter(Boolean).length,
        label: scene.labels[scene.label[0]], source: scene.source[0], target: scene.target[0],
        down: scene.neighbour(scene.source[0], "down"),
        words: hits("MLP", false).length, pattern: hits("^ttnn\\\\.g", true),
        wrong: searchTest("(", true).wrong,
      }}));
    """
    run = subprocess.run(
        ["node", "--input-type=module", "-e", script],
        check=True, timeout=30, capture_output=True, text=True,
    )  # fmt: skip
    found = json.loads(run.stdout)
    assert found["boxes"] == len(visible.boxes)
    assert found["edges"] == len(visible.lines)
    assert found["open"] == len(visible.open_groups) == 1
    assert found["first"] == first.id
    assert found["box"] == 0
    assert (found["source"], found["target"]) == (line.source, line.target)
    assert visible.boxes[found["down"]].y > visible.boxes[line.source].y
    assert found["label"] == line.label
    assert found["words"] == 2 * (1 + 7)  # two groups and what is in them
    assert found["pattern"] == [f"decoder/layer_{i}/mlp/act" for i in range(2)]
    assert found["wrong"].startswith("Not a regular expression")
