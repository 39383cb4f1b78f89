"""MLIR modules as graphs."""

from __future__ import annotations

import pytest

from studio_core.attributes import GridSpec, IntListSpec, ValueListSpec, bar_fraction
from studio_core.graphs.checks import check_graph
from studio_core.graphs.from_mlir import collection_from_mlir, graphs_from_mlir
from studio_core.graphs.groups import MAX_DEPTH
from studio_core.graphs.layout import visible_graph
from studio_core.graphs.records import Graph, GraphNode
from studio_core.hardware.chips import builtin_system
from studio_core.mlir.reader import parse_mlir, read_mlir

from .conftest import OWN_MODULES, SHARED_MODULES


def opened(name: str) -> Graph:
    return graphs_from_mlir(read_mlir(OWN_MODULES / f"graph_{name}.mlir"))[0].graph


@pytest.fixture(scope="module")
def convolution() -> Graph:
    return opened("convolution")


def values(node: GraphNode) -> dict[str, str]:
    return {a.key: a.value for a in node.attributes}


def labelled(graph: Graph, label: str) -> list[GraphNode]:
    return [node for node in graph.nodes if node.label == label]


def edges(graph: Graph) -> set[tuple[str, str, str, str]]:
    by_id = graph.by_id
    return {
        (by_id[e.source].label, e.source_output, n.label, e.target_input)
        for n in graph.nodes
        for e in n.incoming
    }


def test_what_computes_nothing_is_not_drawn_and_no_edge_dangles(convolution):
    assert check_graph(convolution) == []
    drawn = {node.label for node in convolution.nodes}
    assert not drawn & {"ttnn.get_device", "ttnn.deallocate", "func.func", "builtin.module"}
    assert edges(convolution) == {
        ("%arg0", "0", "ttnn.to_layout", "0"),
        ("ttnn.to_layout", "0", "func.return", "0"),
        ("%arg1", "1", "ttcore.load_cached", "0"),
        ("%arg0", "0", "ttnn.conv2d", "0"),
        ("ttcore.load_cached", "0", "ttnn.conv2d", "1"),
        ("ttnn.conv2d", "0", "ttnn.to_memory_config", "0"),
        ("ttnn.to_memory_config", "0", "ttnn.relu", "0"),
        ("ttnn.relu", "0", "ttnn.to_memory_config", "0"),
        ("ttnn.to_memory_config", "0", "func.return", "0"),
    }


def test_ids_are_locations_made_unique_and_the_same_each_time(convolution):
    ids = [node.id for node in convolution.nodes]
    twice = 'loc("encoder/relu_2"("model.py":1:1))'
    assert [i for i in ids if i.startswith(twice)] == [f"{twice}__{n}" for n in range(3)]
    assert [node.id for node in opened("convolution").nodes] == ids


def test_namespaces_come_from_name_locations(convolution):
    spaces = {node.id: node.namespace for node in convolution.nodes}
    (conv,) = labelled(convolution, "ttnn.conv2d")
    (relu,) = labelled(convolution, "ttnn.relu")
    assert conv.namespace == "encoder/conv_1"
    assert relu.namespace == "encoder/relu_2"
    assert spaces['loc("image")__0'] == "Inputs"
    (prepared,) = labelled(convolution, "ttnn.to_layout")
    assert prepared.namespace == "const_eval/forward_const_eval_0/prepared"
    seen = [node.namespace for node in labelled(convolution, "%arg0")]
    assert seen == ["const_eval/forward_const_eval_0/Inputs", "Inputs"]


def test_attributes_are_in_the_order_of_the_contract(convolution):
    (relu,) = labelled(convolution, "ttnn.relu")
    assert [a.key for a in relu.attributes] == [
        "named_location", "full_location", "shape", "dtype", "rank", "linear",
        "tensor_memory_layout", "grid_shape", "memref_shape", "buffer_type", "memory_layout",
        "data_type", "schedule", "l1_memory", "dram_memory",
    ]  # fmt: skip
    said = values(relu)
    assert said["named_location"] == "encoder/relu_2"
    assert said["full_location"] == 'loc("encoder/relu_2"("model.py":1:1))'
    assert (said["shape"], said["dtype"], said["rank"]) == ("[64, 64]", "bf16", "2")
    assert (said["grid_shape"], said["memref_shape"]) == ("2x2", "[1, 1]")
    assert (said["buffer_type"], said["memory_layout"]) == ("l1", "tile")
    assert (said["tensor_memory_layout"], said["data_type"]) == ("block_sharded", "bf16")
    assert [a.key for a in relu.outputs[0].attributes] == [
        a.key for a in relu.attributes if a.key not in
        ("named_location", "full_location", "schedule", "l1_memory", "dram_memory")
    ]  # fmt: skip


def test_no_key_stands_twice(convolution):
    for node in convolution.nodes:
        keys = [a.key for a in node.attributes]
        assert len(keys) == len(set(keys)), keys


def test_what_can_be_edited_has_the_chips_limits(convolution):
    (relu,) = labelled(convolution, "ttnn.relu")
    editable = {a.key: a.editable for a in relu.attributes if a.editable is not None}
    assert set(editable) == {
        "tensor_memory_layout", "grid_shape", "buffer_type", "memory_layout", "data_type",
    }  # fmt: skip
    assert editable["grid_shape"] == GridSpec(1, 13, 1, "x", (10, 13))
    assert "bfp_bf8" in editable["data_type"].options
    file = read_mlir(OWN_MODULES / "graph_convolution.mlir")
    other = graphs_from_mlir(file, builtin_system("wormhole_b0"))[0].graph
    assert other.by_id[relu.id].attribute("grid_shape").editable.max_values == (8, 8)


def test_a_convolutions_configuration_can_be_edited(convolution):
    (conv,) = labelled(convolution, "ttnn.conv2d")
    said = values(conv)
    assert said["weights_dtype"] == "bf16"
    assert said["act_block_h_override"] == "[64]"
    assert said["act_block_w_div"] == "[1]"
    assert said["enable_act_double_buffer"] == "True"
    assert said["deallocate_activation"] == "None"
    assert said["shard_layout"] == "height_sharded"
    assert "conv2d_config" not in said
    assert said["kernel_size"] == "[3, 3]"
    assert conv.attribute("act_block_h_override").editable == IntListSpec(0, 1 << 20, 32)
    assert conv.attribute("deallocate_activation").editable == ValueListSpec(("True", "False"))
    (relu,) = labelled(convolution, "ttnn.relu")
    assert relu.attribute("weights_dtype") is None


def test_memory_bars_say_how_far_to_believe_them(convolution):
    (relu,) = labelled(convolution, "ttnn.relu")
    bar = relu.attribute("l1_memory")
    assert bar.display_type == "memory"
    # Two shards of one bf16 tile each, of 1,572,864 - 103,712 bytes.
    assert bar_fraction(bar.value) == pytest.approx(2 * 2048 / 1_469_152, rel=1e-4)
    assert bar.certainty == "lower bound"
    assert bar.note
    before = labelled(opened("several"), "ttir.relu")[0].attribute("l1_memory")
    assert (before.value, before.certainty) == ("unknown", "unknown")


def test_the_modules_attributes_and_its_system_description(convolution):
    said = convolution.group_attributes[""]
    assert said["purpose"] == "tests"
    assert said["chip#0-arch"] == "blackhole"
    assert said["chip#0-grid"] == "10x13"
    assert "chip#0-supported-tile-sizes" in said
    assert "from the module" in said["system"]
    assert "ttcore.system_desc" not in said
    assert "built into Studio" in opened("regions").group_attributes[""]["system"]


def test_ops_of_a_region_are_a_group_with_their_op_on_top():
    graph = opened("regions")
    assert check_graph(graph) == []
    first, second = labelled(graph, "stablehlo.reduce")
    assert (first.namespace, first.pinned) == ("stablehlo.reduce_0", True)
    assert (second.namespace, second.pinned) == ("stablehlo.reduce_1", True)
    assert [n.namespace for n in labelled(graph, "stablehlo.maximum")] == ["stablehlo.reduce_1"]
    (tanh,) = labelled(graph, "stablehlo.tanh")
    assert tanh.namespace == "stablehlo.while_0/region_1"
    inner = [n.namespace for n in labelled(graph, "%a")]
    assert inner == ["stablehlo.reduce_0/Inputs", "stablehlo.reduce_1/Inputs"]
    assert ("stablehlo.constant", "0", "stablehlo.compare", "1") in edges(graph)
    assert ("stablehlo.while", "1", "strange.mix", "0") in edges(graph)


def test_an_op_that_cannot_be_taken_apart_is_a_node_with_its_text():
    (mix,) = labelled(opened("regions"), "strange.mix")
    assert 'how = "gently"' in (values(mix).get("text") or values(mix)["how"])


def test_several_functions_are_groups_and_several_modules_are_graphs():
    file = read_mlir(OWN_MODULES / "graph_several.mlir")
    collection = collection_from_mlir(file)
    assert collection.label == "graph_several.mlir"
    first, second = collection.graphs
    assert len({first.id, second.id}) == 2
    assert {n.namespace.split("/")[0] for n in first.nodes} == {"forward", "backward"}
    inputs = [n.namespace for n in labelled(first, "%arg0")]
    assert inputs == ["forward/Inputs", "backward/Inputs"]
    assert first.group_attributes["forward"]["sym_name"] == "forward"
    assert [n.namespace for n in second.nodes] == ["Inputs", ""]
    for graph in collection.graphs:
        assert check_graph(graph) == []


def test_the_data_type_can_be_edited_before_there_are_layouts():
    relu = labelled(opened("several"), "ttir.relu")[0]
    assert (relu.attribute("data_type").value, relu.attribute("grid_shape")) == ("f32", None)
    assert isinstance(relu.attribute("data_type").editable, ValueListSpec)


def test_each_op_that_is_drawn_has_its_node():
    (made,) = graphs_from_mlir(read_mlir(OWN_MODULES / "graph_convolution.mlir"))
    for operation, node_id in made.node_ids.items():
        assert made.graph.by_id[node_id].label == operation.name
    assert len(made.node_ids) == sum(not n.label.startswith("%") for n in made.graph.nodes)


def test_an_attribute_that_its_result_says_otherwise_keeps_both():
    text = '%0 = "ttir.x"() {shape = [1 : i32], dtype = "f32"} : () -> tensor<2xf32>'
    (node,) = graphs_from_mlir(parse_mlir(text))[0].graph.nodes
    assert values(node)["shape"] == "[2]"
    assert values(node)["shape (attribute)"] == "[1]"
    assert values(node)["dtype"] == "f32"


def test_hostile_names_are_left_as_text():
    text = """
    %0 = "x.y"() {a = "<script>alert(1)</script>"} : () -> tensor<2xf32> loc("../<b>/\\"q\\"")
    """
    (node,) = graphs_from_mlir(parse_mlir(text))[0].graph.nodes
    assert values(node)["a"] == "<script>alert(1)</script>"
    assert values(node)["named_location"] == '../<b>/"q"'
    assert node.namespace == '../<b>/"q"'


def test_deep_nesting_and_large_values_are_bounded():
    depth = 200
    text = '"a.b"() ({\n' * depth + '"c.d"() : () -> ()\n' + "}) : () -> ()\n" * depth
    graph = graphs_from_mlir(parse_mlir(text))[0].graph
    assert check_graph(graph) == []
    assert len(graph.nodes) == depth + 1
    assert max(node.namespace.count("/") for node in graph.nodes) < MAX_DEPTH
    numbers = ", ".join(map(str, range(5000)))
    text = f'%0 = "x.y"() {{a = [{numbers}], b = dense<1.0> : tensor<9999xf32>}} : () -> i32'
    (node,) = graphs_from_mlir(parse_mlir(text))[0].graph.nodes
    assert len(values(node)["a"]) < 2100
    assert "5000 in all" in values(node)["a"]
    assert values(node)["b"] == "dense<1.0> : tensor<9999xf32>"


FILES = sorted(SHARED_MODULES.glob("*.mlir"))


@pytest.mark.skipif(not FILES, reason="The example modules are not here.")
@pytest.mark.parametrize("path", FILES, ids=lambda p: p.stem)
def test_every_example_module_converts(path):
    for made in graphs_from_mlir(read_mlir(path)):
        assert check_graph(made.graph) == []
        assert made.graph.nodes
        groups = {n.namespace for n in made.graph.nodes}
        assert visible_graph(made.graph, groups).boxes
