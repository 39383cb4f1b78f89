"""Models that mean harm, each in a few lines: what they are, not what is said of them.

Each function writes an ONNX file, and what belongs to it, into a folder and answers its path.
`REFUSED` and `OPENED` say what becomes of them, `NAMES` are names for what a model names.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

FLOAT = TensorProto.FLOAT
HUGE = 10**12

Attack = Callable[[Path], Path]


def save(folder: Path, graph: onnx.GraphProto | bytes, *domains: str, name: str = "m.onnx") -> Path:
    path = folder / name
    if isinstance(graph, bytes):
        path.write_bytes(graph)
        return path
    opsets = [helper.make_opsetid(domain, 1 if domain else 17) for domain in ("", *domains)]
    path.write_bytes(
        helper.make_model(graph, opset_imports=opsets, ir_version=9).SerializeToString()
    )
    return path


def value(name: str, shape: list[int | str] | None = None) -> onnx.ValueInfoProto:
    return helper.make_tensor_value_info(name, FLOAT, [1, 4] if shape is None else shape)


def weight(name: str = "w", shape: tuple[int, ...] = (4, 4)) -> TensorProto:
    rng = np.random.default_rng(0)
    return numpy_helper.from_array(rng.standard_normal(shape, np.float32), name)


def matmul() -> onnx.NodeProto:
    return helper.make_node("MatMul", ["x", "w"], ["y"])


# Files that are no whole model


def truncated(folder: Path) -> Path:
    whole = save(folder, helper.make_graph([matmul()], "g", [value("x")], [value("y")], [weight()]))
    return save(folder, whole.read_bytes()[:-9])


def flipped(folder: Path) -> Path:
    """The byte that says how long the graph is, with its highest bit."""
    whole = save(folder, helper.make_graph([matmul()], "g", [value("x")], [value("y")], [weight()]))
    data = bytearray(whole.read_bytes())
    data[data.index(b"\x3a")] ^= 0x80
    return save(folder, bytes(data))


# Shapes


def huge_weight(folder: Path) -> Path:
    tensor = TensorProto(name="w", data_type=FLOAT, dims=[HUGE // 10**6, 10**6])
    return save(folder, helper.make_graph([matmul()], "g", [value("x")], [value("y")], [tensor]))


def huge_sparse_weight(folder: Path) -> Path:
    sparse = helper.make_sparse_tensor(
        numpy_helper.from_array(np.ones(1, np.float32), "w"),
        numpy_helper.from_array(np.zeros(1, np.int64), "i"),
        [10**6, 10**6],
    )
    graph = helper.make_graph(
        [matmul()], "g", [value("x", [1, 10**6])], [value("y", [1, 10**6])],
        sparse_initializer=[sparse],
    )  # fmt: skip
    return save(folder, graph)


def huge_input(folder: Path) -> Path:
    node = helper.make_node("Relu", ["x"], ["y"])
    return save(
        folder, helper.make_graph([node], "g", [value("x", [1, 10**6, 10**6])], [value("y", [])])
    )


def overflowing_input(folder: Path) -> Path:
    """2^62 · 2^62 elements, whose product fits no machine word."""
    node = helper.make_node("Relu", ["x"], ["y"])
    return save(folder, helper.make_graph([node], "g", [value("x", [2**62, 2**62])], [value("y")]))


def huge_intermediate(folder: Path) -> Path:
    """Twelve bytes that stand for terabytes once the model runs."""
    shape = numpy_helper.from_array(np.array([10**6, 10**6], np.int64), "shape")
    nodes = [
        helper.make_node("ConstantOfShape", ["shape"], ["big"]),
        helper.make_node("ReduceSum", ["big"], ["sum"], keepdims=0),
        helper.make_node("Add", ["x", "sum"], ["y"]),
    ]
    return save(folder, helper.make_graph(nodes, "g", [value("x")], [value("y")], [shape]))


# Nesting and number


def if_node(then: onnx.GraphProto, other: onnx.GraphProto, output: str = "y") -> onnx.NodeProto:
    return helper.make_node("If", ["c"], [output], then_branch=then, else_branch=other)


def branch(node: onnx.NodeProto) -> onnx.GraphProto:
    return helper.make_graph([node], "b", [], [value(node.output[0])])


def field(number: int, body: bytes) -> bytes:
    """A length-delimited field, as protobuf encodes it."""
    length, size = bytearray(), len(body)
    while size > 0x7F:
        length.append(size & 0x7F | 0x80)
        size >>= 7
    return bytes([number << 3 | 2, *length, size]) + body


def deep_subgraphs(folder: Path, padding: int = 0) -> Path:
    """A thousand subgraphs inside each other, in bytes: protobuf would not write them."""
    graph = field(2, b"g" * (padding + 1))
    for _ in range(1000):
        attribute = field(1, b"then_branch") + field(6, graph) + b"\xa0\x01\x05"
        graph = field(1, field(4, b"If") + field(2, b"o") + field(5, attribute))
    begin = onnx.ModelProto(ir_version=9).SerializeToString()
    return save(folder, begin + field(7, graph))


def deep_large_subgraphs(folder: Path) -> Path:
    return deep_subgraphs(folder, padding=6000)


def deep_unknown_field(folder: Path) -> Path:
    """Groups and messages that no schema knows, ten thousand deep."""
    inner = b"x"
    for _ in range(10_000):
        inner = field(15, inner)
    return save(folder, onnx.ModelProto(ir_version=9).SerializeToString() + field(7, inner))


def if_bomb(folder: Path, depth: int = 13) -> Path:
    """Branches in branches: each level doubles the graphs."""
    graph = branch(helper.make_node("Relu", ["x"], ["y"]))
    for _ in range(depth):
        graph = branch(if_node(graph, graph))
    condition = helper.make_tensor_value_info("c", TensorProto.BOOL, [])
    return save(
        folder, helper.make_graph(list(graph.node), "g", [value("x"), condition], [value("y")])
    )


def many_nodes(folder: Path, count: int = 1_100_000) -> Path:
    node = field(1, b"x") + field(2, b"y") + field(4, b"Relu")
    graph = field(1, node) * count + field(2, b"g")
    model = onnx.ModelProto(ir_version=9, opset_import=[helper.make_opsetid("", 17)])
    return save(folder, model.SerializeToString() + field(7, graph))


def calling_functions(folder: Path) -> Path:
    """Forty functions that each call the next one twice: 2⁴⁰ nodes from 3 kB."""
    graph = helper.make_graph(
        [helper.make_node("f0", ["x"], ["y"], domain="l")], "g", [value("x")], [value("y")]
    )
    opsets = [helper.make_opsetid("", 17), helper.make_opsetid("l", 1)]
    functions = []
    for i in range(40):
        call = [
            helper.make_node(f"f{i + 1}", ["a"], ["b"], domain="l"),
            helper.make_node(f"f{i + 1}", ["b"], ["c"], domain="l"),
        ]
        functions.append(helper.make_function("l", f"f{i}", ["a"], ["c"], call, opsets))
    last = [helper.make_node("Relu", ["a"], ["b"])]
    functions.append(helper.make_function("l", "f40", ["a"], ["b"], last, opsets))
    model = helper.make_model(graph, opset_imports=opsets, ir_version=9, functions=functions)
    return save(folder, model.SerializeToString())


# Names


def long_name(folder: Path) -> Path:
    name = "n" * 1_000_000
    nodes = [
        helper.make_node("MatMul", ["x", "w"], [name]),
        helper.make_node("Relu", [name], ["y"]),
    ]
    return save(folder, helper.make_graph(nodes, "g", [value("x")], [value("y")], [weight()]))


def long_weight_name(folder: Path) -> Path:
    name = "n" * 1_000_000
    node = helper.make_node("MatMul", ["x", name], ["y"])
    return save(folder, helper.make_graph([node], "g", [value("x")], [value("y")], [weight(name)]))


def long_input_name(folder: Path) -> Path:
    name = "n" * 1_000_000
    graph = helper.make_graph([], "g", [value(name)], [value("y")])
    return save(folder, graph)


def long_dimension_name(folder: Path) -> Path:
    node = helper.make_node("Relu", ["x"], ["y"])
    shape: list[int | str] = ["n" * 1_000_000, 4]
    return save(folder, helper.make_graph([node], "g", [value("x", shape)], [value("y")]))


# External data


def external(folder: Path, location: str) -> Path:
    tensor = TensorProto(name="w", data_type=FLOAT, dims=[4, 4])
    tensor.data_location = TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value=location)
    return save(folder, helper.make_graph([matmul()], "g", [value("x")], [value("y")], [tensor]))


def secret(folder: Path) -> Path:
    path = folder.parent / f"{folder.name}-secret.bin"
    path.write_bytes(bytes(64))
    return path


def external_above(folder: Path) -> Path:
    return external(folder, f"../{secret(folder).name}")


def external_absolute(folder: Path) -> Path:
    return external(folder, str(secret(folder)))


def external_symlink(folder: Path) -> Path:
    (folder / "w.bin").symlink_to(secret(folder))
    return external(folder, "w.bin")


def external_symlinked_folder(folder: Path) -> Path:
    (folder / "sub").symlink_to(folder.parent)
    return external(folder, f"sub/{secret(folder).name}")


def external_hard_link(folder: Path) -> Path:
    (folder / "w.bin").hardlink_to(secret(folder))
    return external(folder, "w.bin")


# What may stand in a model, and means no good when it runs


def custom_domain(folder: Path) -> Path:
    nodes = [
        helper.make_node("Evil", ["x"], ["h"], domain="com.evil.__import__('os')"),
        helper.make_node("MatMul", ["h", "w"], ["y"]),
    ]
    graph = helper.make_graph(nodes, "g", [value("x")], [value("y")], [weight()])
    return save(folder, graph, "com.evil.__import__('os')")


def cyclic(folder: Path) -> Path:
    nodes = [
        helper.make_node("MatMul", ["b", "w"], ["a"]),
        helper.make_node("Add", ["a", "x"], ["b"]),
        helper.make_node("Relu", ["b"], ["y"]),
    ]
    return save(folder, helper.make_graph(nodes, "g", [value("x")], [value("y")], [weight()]))


def endless_loop(folder: Path) -> Path:
    body = helper.make_graph(
        [
            helper.make_node("Identity", ["c"], ["c2"]),
            helper.make_node("MatMul", ["s", "w"], ["s2"]),
        ],
        "body",
        [
            helper.make_tensor_value_info("i", TensorProto.INT64, []),
            helper.make_tensor_value_info("c", TensorProto.BOOL, []),
            value("s"),
        ],
        [helper.make_tensor_value_info("c2", TensorProto.BOOL, []), value("s2")],
    )
    trips = numpy_helper.from_array(np.array(2**62, np.int64), "trips")
    node = helper.make_node("Loop", ["trips", "", "x"], ["y"], body=body)
    graph = helper.make_graph([node], "g", [value("x")], [value("y")], [trips, weight()])
    return save(folder, graph)


REFUSED: dict[Attack, str] = {
    truncated: "ends too early",
    flipped: "not an ONNX model",
    huge_weight: "too few values",
    huge_sparse_weight: "max_elements = 68,719,476,736",
    huge_input: "max_elements = 68,719,476,736",
    overflowing_input: "about 2^124 elements, more than the limit max_elements",
    huge_intermediate: "max_elements = 68,719,476,736",
    deep_subgraphs: "max_nesting = 100",
    deep_large_subgraphs: "max_nesting = 100",
    deep_unknown_field: "no operator set",
    many_nodes: "max_nodes = 1,000,000",
    calling_functions: "max_nodes = 1,000,000",
    long_name: "max_name_bytes = 16,384",
    long_weight_name: "max_name_bytes = 16,384",
    long_input_name: "max_name_bytes = 16,384",
    long_dimension_name: "max_name_bytes = 16,384",
    external_above: "outside the model's folder",
    external_absolute: "an absolute path",
    external_symlink: "a link out of the model's folder",
    external_symlinked_folder: "a link out of the model's folder",
    external_hard_link: "allow_hard_links",
}
"""Each attack with words of the sentence that refuses it."""

OPENED: dict[Attack, str] = {
    custom_domain: "onnxruntime cannot run the model",
    cyclic: "onnxruntime cannot run the model",
}
"""Models that can be looked at, with words of the sentence that refuses to run them."""

# Names

NAMES = {
    "markup": "<img src=x onerror=alert(1)><script>alert(2)</script>",
    "attribute": '" onmouseover="alert(3)',
    "rich": "[bold red]alarm[/bold red] [link=http://evil.example]here[/link]",
    "formula": '=HYPERLINK("http://evil.example";"here")',
    "plus": "+1+cmd|' /C calc'!A0",
    "tab": "\t=1+1",
    "controls": "a\x1b[2J\x1b]0;title\x07bc\r\nd\x7f\x9bm",
    "bidirectional": "weight\u202egnp.exe\u2066\u2069\u200b",
    "yaml": "a: &b !!python/object/apply:os.system ['true']\n- *b",
    "yaml_word": "null",
    "percent": "%s%n{0.__class__}${HOME}$(id)`id`",
    "path": "../../etc/passwd",
    "surrogates": "\U0001f600\ufeff\ufffe",
}
"""Names that are an attack on whoever takes them for more than text."""


def named(folder: Path, names: tuple[str, ...] = tuple(NAMES.values())) -> Path:
    """A chain of layers whose every name is an attack; it runs all the same."""
    nodes, weights, last = [], [], "in" + names[0]
    for number, name in enumerate(names):
        weights.append(weight(name))
        output = f"{name}:{number}"
        nodes.append(helper.make_node("MatMul", [last, name], [output], name=name))
        last = output
    graph = helper.make_graph(nodes, names[0], [value("in" + names[0])], [value(last)], weights)
    return save(folder, graph)
