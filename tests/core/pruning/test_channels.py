"""Channels are removed from everything that holds them, or the layer is refused with the reason.

The proof is the same everywhere: the dense model whose weights are zero where the mask says
so computes what the smaller model computes, because nothing reads the removed channels.
"""

import numpy as np
import onnx
import onnxruntime as ort
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from onnx import numpy_helper

from studio_core.errors import ConflictError, InvalidModelError, InvalidRequestError
from studio_core.evaluation.data import generate_samples
from studio_core.pruning.channels import channel_groups, num_kept_channels, remove_channels
from studio_core.samples import sample_path
from studio_core.session import Session

RNG = np.random.default_rng(0)


def normal(*shape):
    return RNG.normal(size=shape).astype(np.float32)


def remove(session, sparsities, target, **options):
    return remove_channels(session.model, session.layers, sparsities, target, **options)


def groups_of(session):
    return channel_groups(session.model, session.layers)


def masked(session, masks, target):
    """The dense model with zeros where the masks say so."""
    proto = onnx.load(session.model.path)
    by_name = {x.name: masks[x.id] for x in session.layers if x.id in masks}
    for tensor in proto.graph.initializer:
        if tensor.name in by_name:
            array = numpy_helper.to_array(tensor) * by_name[tensor.name]
            tensor.CopyFrom(numpy_helper.from_array(array.astype(np.float32), tensor.name))
    onnx.save(proto, target)
    return target


def run(path, feed):
    return ort.InferenceSession(str(path), providers=["CPUExecutionProvider"]).run(None, feed)[0]


def check(session, sparsities, folder, block=1):
    """Remove channels and prove it; answers the pruned model and its new shapes."""
    target = folder / "smaller.onnx"
    pruned = remove(session, sparsities, target, block=block, overwrite=True)
    onnx.checker.check_model(str(target), full_check=True)
    feed = dict(generate_samples(session.model, session.model.batch).inputs)
    dense = masked(session, pruned.masks, folder / "masked.onnx")
    expected = run(dense, feed)
    np.testing.assert_allclose(run(target, feed), expected, rtol=1e-4, atol=1e-5)
    shapes = {t.name: tuple(t.dims) for t in onnx.load(target).graph.initializer}
    return pruned, shapes


def test_the_smallest_channels_go_from_all_that_holds_them(open_text, tmp_path):
    weights = {
        "W": normal(4, 1, 1, 1) * 0 + np.array([3, 1, 4, 2], np.float32).reshape(4, 1, 1, 1),
        "b": np.array([10, 20, 30, 40], np.float32),
        "scale": np.array([1, 2, 3, 4], np.float32),
        "bias": np.array([5, 6, 7, 8], np.float32),
        "mean": np.array([0, 1, 2, 3], np.float32),
        "var": np.array([1, 2, 3, 4], np.float32),
        "V": np.arange(20, dtype=np.float32).reshape(5, 4, 1, 1),
    }
    session = open_text(
        """
        g (float[1,1,3,3] x) => (float[1,5,3,3] y) {
            a = Conv (x, W, b)
            n = BatchNormalization (a, scale, bias, mean, var)
            y = Conv (n, V)
        }
        """,
        weights,
    )
    pruned, _ = check(session, {"a": 0.5}, tmp_path)
    new = {t.name: numpy_helper.to_array(t) for t in onnx.load(pruned.path).graph.initializer}
    assert new["W"].reshape(-1).tolist() == [3, 4]
    assert new["b"].tolist() == [10, 30]
    assert new["scale"].tolist() == [1, 3]
    assert new["bias"].tolist() == [5, 7]
    assert new["mean"].tolist() == [0, 2]
    assert new["var"].tolist() == [1, 3]
    assert new["V"].reshape(5, 2).tolist() == weights["V"].reshape(5, 4)[:, [0, 2]].tolist()
    first, second = pruned.layers
    assert (first.num_weights, first.num_pruned, first.sparsity) == (4, 2, 0.5)
    assert (second.num_weights, second.num_pruned, second.sparsity) == (20, 10, 0.0)
    assert second.num_zeros_before == 1  # arange begins with 0
    assert pruned.masks["a"].reshape(-1).tolist() == [True, False, True, False]


GRAPHS = {
    "residual": (
        "a = Conv (x, A) r = Relu (a) b = Conv <pads=[1,1,1,1]> (r, B) s = Add (b, r)"
        " y = Conv (s, C)",
        {"A": (6, 3, 1, 1), "B": (6, 6, 3, 3), "C": (4, 6, 1, 1)},
        [("a", "b")],
    ),
    "concat": (
        "a = Conv (x, A) b = Conv (x, B) c = Concat <axis=1> (a, b) n = BatchNormalization"
        " (c, n1, n2, n3, n4) y = Conv (n, C)",
        {"A": (4, 3, 1, 1), "B": (6, 3, 1, 1), "C": (4, 10, 1, 1)}
        | {f"n{i}": (10,) for i in (1, 2, 3, 4)},
        [("a",), ("b",)],
    ),
    "concat along another axis": (
        "a = Conv (x, A) b = Conv (x, B) c = Concat <axis=2> (a, b) y = Conv (c, C)",
        {"A": (4, 3, 1, 1), "B": (4, 3, 1, 1), "C": (4, 4, 1, 1)},
        [("a", "b")],
    ),
    "flatten": (
        "a = Conv (x, A, Ab) p = MaxPool <kernel_shape=[2,2]> (a) f = Flatten (p)"
        " y = Gemm <transB=1> (f, G, Gb)",
        {"A": (6, 3, 1, 1), "Ab": (6,), "G": (5, 54), "Gb": (5,)},
        [("a",)],
    ),
    "flatten behind a concat": (
        "a = Conv (x, A) b = Conv (x, B) c = Concat <axis=1> (a, b) f = Flatten (c)"
        " y = Gemm (f, G)",
        {"A": (4, 3, 1, 1), "B": (6, 3, 1, 1), "G": (160, 2)},
        [("a",), ("b",)],
    ),
    "reshape to rows": (
        "a = Conv (x, A) f = Reshape (a, rows) g = Gemm (f, G, Gb) r = Tanh (g) y = MatMul (r, M)",
        {"A": (3, 3, 1, 1), "G": (48, 8), "Gb": (1, 8), "M": (8, 2)},
        [("a",), ("g",)],
    ),
    "squeeze and excite": (
        "a = Conv (x, A) p = GlobalAveragePool (a) d = Conv (p, D) r = Relu (d) u = Conv (r, U, Ub)"
        " s = Sigmoid (u) m = Mul (a, s) y = Conv (m, C)",
        {"A": (8, 3, 1, 1), "D": (4, 8, 1, 1), "U": (8, 4, 1, 1), "Ub": (8,), "C": (3, 8, 1, 1)},
        [("a", "u"), ("d",)],
    ),
    "depthwise and PRelu": (
        "a = Conv (x, A) d = Conv <group=6> (a, D, Db) r = PRelu (d, slope) y = Conv (r, C)",
        {"A": (6, 3, 1, 1), "D": (6, 1, 2, 2), "Db": (6,), "slope": (6, 1, 1), "C": (4, 6, 1, 1)},
        [("a", "d")],
    ),
    "depthwise behind a concat": (
        "a = Conv (x, A) b = Conv (x, B) c = Concat <axis=1> (a, b) d = Conv <group=10> (c, D)"
        " y = Conv (d, C)",
        {"A": (4, 3, 1, 1), "B": (6, 3, 1, 1), "D": (10, 1, 2, 2), "C": (4, 10, 1, 1)},
        [("a",), ("b",)],
    ),
    "transposed convolution": (
        "a = ConvTranspose (x, A, Ab) b = ConvTranspose (a, B) y = Conv (b, C)",
        {"A": (3, 6, 2, 2), "Ab": (6,), "B": (6, 4, 1, 1), "C": (2, 4, 1, 1)},
        [("a",), ("b",)],
    ),
    "mean over space and a bias by Add": (
        "a = Conv (x, A) m = ReduceMean <keepdims=0> (a, space) t = MatMul (m, T)"
        " u = Add (bias, t) g = Gelu (u) y = MatMul (g, M)",
        {"A": (6, 3, 1, 1), "T": (6, 8), "bias": (8,), "M": (8, 2)},
        [("a",), ("t",)],
    ),
    "mean over space, channels last": (
        "a = Conv (x, A) l = Transpose <perm=[0,2,3,1]> (a) m = ReduceMean <keepdims=0> (l, middle)"
        " y = MatMul (m, M)",
        {"A": (6, 3, 1, 1), "M": (6, 2)},
        [("a",)],
    ),
    "channels last": (
        "a = Conv (x, A) l = Transpose <perm=[0,2,3,1]> (a) t = MatMul (l, T) y = MatMul (t, M)",
        {"A": (6, 3, 1, 1), "T": (6, 8), "M": (8, 2)},
        [("a",), ("t",)],
    ),
}


def _open(body, shapes, open_text):
    # Variances must be positive.
    weights = {n: np.abs(normal(*s)) + 0.5 if n == "n4" else normal(*s) for n, s in shapes.items()}
    weights |= {"rows": np.array([2, -1], np.int64), "space": np.array([2, 3], np.int64)}
    weights["middle"] = np.array([1, 2], np.int64)
    used = {n: w for n, w in weights.items() if n in body}
    return open_text(_text(body), used)


def _text(body):
    rank_is_two = any(op in body for op in ("Gemm", "ReduceMean", "Reshape"))
    shape = "P,Q" if rank_is_two else "P,Q,R,S"
    return f"g (float[2,3,4,4] x) => (float[{shape}] y) {{ {body} }}"


@pytest.mark.parametrize("sparsity", [0.25, 0.5, 0.7])
@pytest.mark.parametrize("name", GRAPHS)
def test_channels_are_followed_through(name, sparsity, open_text, tmp_path):
    body, shapes, expected = GRAPHS[name]
    session = _open(body, shapes, open_text)
    groups = groups_of(session)
    assert sorted(group.layers for group in groups.groups) == sorted(expected)
    assert "output 'y'" in groups.refusals["y"]
    for group in groups.groups:
        check(session, {group.layers[0]: sparsity}, tmp_path)
    asked = {group.layers[-1]: sparsity for group in groups.groups}
    _, after = check(session, asked, tmp_path)
    for group in groups.groups:
        left = group.num_channels - int(np.floor(group.num_channels * sparsity + 0.5))
        for layer_id in group.layers:
            layer = session.layer(layer_id)
            axis = {"ConvTranspose": 1, "Gemm": 1, "MatMul": 1}.get(layer.op_type, 0)
            assert after[layer.name][axis] == left


REFUSED = {
    "a fixed Reshape": (
        "a = Conv (x, A) f = Reshape (a, fixed) y = MatMul (f, M)",
        {"A": (4, 3, 1, 1), "M": (64, 2)},
        "Reshape 'f' cannot be followed: it has fixed sizes",
    ),
    "a softmax over channels": (
        "a = Conv (x, A) f = Softmax <axis=1> (a) y = Conv (f, M)",
        {"A": (4, 3, 1, 1), "M": (2, 4, 1, 1)},
        "Softmax 'f' cannot be followed",
    ),
    "the input is added": (
        "a = Conv (x, A) f = Add (a, x) y = Conv (f, M)",
        {"A": (3, 3, 1, 1), "M": (2, 3, 1, 1)},
        "Add 'f' takes 'x', which is computed",
    ),
    "joined with the input": (
        "a = Conv (x, A) f = Concat <axis=1> (a, x) y = Conv (f, M)",
        {"A": (3, 3, 1, 1), "M": (2, 6, 1, 1)},
        "Concat 'f' cannot be followed: it joins them",
    ),
    "a grouped convolution": (
        "a = Conv (x, A) f = Conv <group=2> (a, G) y = Conv (f, M)",
        {"A": (4, 3, 1, 1), "G": (4, 2, 1, 1), "M": (2, 4, 1, 1)},
        "Conv 'f' cannot be followed: channels of a grouped convolution",
    ),
    "a sum over channels": (
        "a = Conv (x, A) f = ReduceSum (a, one) y = Conv (f, M)",
        {"A": (4, 3, 1, 1), "M": (2, 1, 1, 1)},
        "ReduceSum 'f' cannot be followed: it sums over the channels",
    ),
    "a product of two": (
        "a = Conv (x, A) b = Conv (x, B) f = MatMul (a, b) y = Conv (f, M)",
        {"A": (4, 3, 1, 1), "B": (4, 3, 1, 1), "M": (2, 4, 1, 1)},
        "MatMul 'f' cannot be followed",
    ),
    "a weight that two layers use": (
        "a = Conv (x, A) b = Conv (a, B) f = Conv (b, B) y = Conv (f, M)",
        {"A": (4, 3, 1, 1), "B": (4, 4, 1, 1), "M": (2, 4, 1, 1)},
        "'B' of Conv 'b' is used by several operators",
    ),
    "one channel spread over several": (
        "a = Conv (x, A) f = Add (a, wide) y = Conv (f, M)",
        {"A": (1, 3, 1, 1), "wide": (1, 4, 1, 1), "M": (2, 4, 1, 1)},
        "Add 'f' cannot be followed, because it spreads one channel over several",
    ),
    "channels that do not line up": (
        "a = Conv (x, A) b = Conv (x, B) c = Concat <axis=1> (a, b) d = Conv (x, D) f = Add (c, d)"
        " y = Conv (f, M)",
        {"A": (2, 3, 1, 1), "B": (2, 3, 1, 1), "D": (4, 3, 1, 1), "M": (2, 4, 1, 1)},
        "Add 'f' joins channels that do not line up",
    ),
    "a computed bias": (
        "a = Conv (x, A) q = Flatten (a) g = Gemm (q, G) f = Gemm (q, G2, g) y = MatMul (f, M)",
        {"A": (2, 3, 1, 1), "G": (32, 4), "G2": (32, 4), "M": (4, 2)},
        None,
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_followed_is_refused_by_name(name, open_text, tmp_path):
    body, shapes, reason = REFUSED[name]
    weights = {n: normal(*s) for n, s in shapes.items()}
    weights |= {"fixed": np.array([2, 64], np.int64), "one": np.array([1], np.int64)}
    used = {n: w for n, w in weights.items() if n in body}
    session = open_text(_text(body), used)
    refusals = groups_of(session).refusals
    if reason is None:
        assert "'g', which is computed" in refusals["g"]
        assert "f" in refusals
        return
    assert reason in refusals["a"]
    with pytest.raises(InvalidRequestError) as refused:
        remove(session, {"a": 0.5}, tmp_path / "p.onnx", block=1)
    assert reason in str(refused.value)
    assert list(tmp_path.iterdir()) == []


def test_a_depthwise_layer_behind_a_concat_counts_for_the_channels_it_reads(open_text, tmp_path):
    depthwise = np.array([1, 1, 1, 1, 9, 1, 1, 9], np.float32).reshape(8, 1, 1, 1)
    session = open_text(
        """
        g (float[1,1,3,3] x) => (float[1,2,3,3] y) {
            a = Conv (x, A)
            b = Conv (x, B)
            c = Concat <axis = 1> (a, b)
            d = Conv <group = 8> (c, D)
            y = Conv (d, C)
        }
        """,
        {"A": np.ones((4, 1, 1, 1), np.float32), "B": np.ones((4, 1, 1, 1), np.float32)}
        | {"D": depthwise, "C": normal(2, 8, 1, 1)},
    )
    pruned, _ = check(session, {"b": 0.5}, tmp_path)
    assert pruned.masks["b"].reshape(-1).tolist() == [True, False, False, True]


@st.composite
def chains(draw):
    """A random graph of convolutions, sums, joins and activations, and its weights' shapes."""
    lines, shapes, values = [], {}, [("x", 3)]
    for i in range(draw(st.integers(2, 9))):
        kind = draw(
            st.sampled_from(["conv", "conv", "add", "concat", "relu", "depthwise", "scale"])
        )
        name, (source, channels) = f"v{i}", draw(st.sampled_from(values))
        if kind == "conv":
            made = draw(st.sampled_from([2, 4]))
            shapes[f"W{i}"], shapes[f"B{i}"] = (made, channels, 1, 1), (made,)
            lines.append(f"{name} = Conv ({source}, W{i}, B{i})")
            channels = made
        elif kind == "depthwise":
            shapes[f"W{i}"] = (channels, 1, 1, 1)
            lines.append(f"{name} = Conv <group = {channels}> ({source}, W{i})")
        elif kind == "relu":
            lines.append(f"{name} = Relu ({source})")
        elif kind == "scale":
            shapes[f"S{i}"] = draw(st.sampled_from([(channels, 1, 1), (1,), (1, channels, 1, 1)]))
            lines.append(f"{name} = Mul (S{i}, {source})")
        else:
            same = [v for v in values if kind == "concat" or v[1] == channels]
            other, more = draw(st.sampled_from(same))
            if kind == "add":
                lines.append(f"{name} = Add ({source}, {other})")
            else:
                lines.append(f"{name} = Concat <axis = 1> ({source}, {other})")
                channels += more
        values.append((name, channels))
    source, channels = values[-1]
    shapes["Wy"] = (2, channels, 1, 1)
    lines.append(f"y = Conv ({source}, Wy)")
    return " ".join(lines), shapes


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(chains(), st.sampled_from([0.25, 0.5]))
def test_any_graph_is_followed_rightly_or_refused(open_text, tmp_path, chain, sparsity):
    body, shapes = chain
    weights = {n: normal(*s) for n, s in shapes.items()}
    session = open_text(f"g (float[1,3,2,2] x) => (float[P,Q,R,S] y) {{ {body} }}", weights)
    groups = groups_of(session)
    layers = {layer.id for layer in session.prunable_layers}
    named = {layer_id for group in groups.groups for layer_id in group.layers}
    assert named.isdisjoint(groups.refusals)
    assert layers == named | set(groups.refusals)
    if groups.groups:
        check(session, {group.layers[0]: sparsity for group in groups.groups}, tmp_path)


@pytest.mark.parametrize(
    ("num_channels", "sparsity", "block", "left"),
    [
        (64, 0.5, 16, 32),
        (64, 0.6, 16, 32),  # 26 wanted
        (64, 0.65, 16, 16),  # 22 wanted
        (64, 0.99, 16, 16),
        (16, 0.5, 16, 16),
        (24, 0.1, 16, 24),  # 22 wanted, and 32 are not there
        (24, 0.25, 16, 16),
        (10, 0.9, 16, 10),
        (10, 0.55, 1, 4),
    ],
)
def test_channel_counts_are_whole_blocks(num_channels, sparsity, block, left):
    assert num_kept_channels(num_channels, sparsity, block) == left


@pytest.mark.parametrize(
    ("name", "options", "num_groups"),
    [
        ("resnet18", {"batch_norm": False}, 12),
        ("resnet18", {"batch_norm": True}, 12),
        ("resnet18", {"batch_norm": True, "external_data": True}, 12),
        ("mobilenet_v2", {"batch_norm": True}, 25),
    ],
)
def test_well_known_models(name, options, num_groups, generated, tmp_path):
    session = Session.open(generated(name, **options))
    groups = groups_of(session)
    assert len(groups.groups) == num_groups
    # All but the classifier, whose channels are the model's output.
    assert list(groups.refusals) == ["logits"]
    asked = {group.layers[0]: 0.5 for group in groups.groups}
    pruned, after = check(session, asked, tmp_path, block=16)
    assert all(shape[0] % 16 == 0 for n, shape in after.items() if len(shape) == 4)
    before = sum(f.stat().st_size for f in (session.model.path, *session.model.data_files))
    size = sum(f.stat().st_size for f in (pruned.path, *pruned.data_files))
    assert size < 0.4 * before
    assert len(pruned.data_files) == int(options.get("external_data", False))
    rounded = [note for note in pruned.notes if "whole blocks" in note]
    assert bool(rounded) == (name == "mobilenet_v2")


def test_the_bundled_cnn(tmp_path):
    session = Session.open(sample_path("digits_cnn"))
    groups = groups_of(session)
    assert {len(group.layers) for group in groups.groups} == {1, 2, 3}
    assert "grouped convolution" in groups.refusals["/block2/reduce/Conv_output_0"]
    pruned, after = check(
        session, {group.layers[0]: 0.5 for group in groups.groups}, tmp_path, block=16
    )
    assert after["block3.depthwise.weight"] == (32, 1, 3, 3)
    assert after["head.squeeze.weight"] == (16, 64, 1, 1)
    assert pruned.path.stat().st_size < session.model.path.stat().st_size / 3
    again = Session.open(pruned.path)
    assert again.layer("/block3/depthwise/Conv_output_0").group == 32


def test_attention_heads_are_refused_and_feed_forward_layers_are_not(tmp_path):
    session = Session.open(sample_path("digits_transformer"))
    groups = groups_of(session)
    assert [g.layers for g in groups.groups] == [
        (f"/encoder/{i}/expand/MatMul_output_0",) for i in range(3)
    ]
    query = groups.refusals["/encoder/0/attention/query/MatMul_output_0"]
    assert query.startswith("Reshape '/encoder/0/attention/query/Reshape_output_0'")
    check(session, {group.layers[0]: 0.5 for group in groups.groups}, tmp_path, block=16)


def test_declared_shapes_of_values_do_not_contradict(open_text, tmp_path):
    session = _open(*GRAPHS["depthwise and PRelu"][:2], open_text)
    declared = onnx.shape_inference.infer_shapes(onnx.load(session.model.path))
    assert {v.name for v in declared.graph.value_info} >= {"a", "d", "r"}
    session = open_text(declared)
    pruned, _ = check(session, {"a": 0.5}, tmp_path)
    assert not onnx.load(pruned.path).graph.value_info


def test_what_is_asked_for_must_agree(open_text, tmp_path):
    session = _open(*GRAPHS["residual"][:2], open_text)
    target = tmp_path / "p.onnx"
    for asked, match in (
        ({"a": 0.5, "b": 0.25}, "lose the same channels.*'a', 'b'"),
        ({"none": 0.5}, "no layer 'none'"),
        ({"a": 1.0}, "from 0 to below 1"),
        ({"y": 0.5}, "output 'y'"),
    ):
        with pytest.raises(InvalidRequestError, match=match):
            remove(session, asked, target, block=1)
    with pytest.raises(InvalidRequestError, match="at least one channel"):
        remove(session, {"a": 0.5}, target, block=0)
    remove(session, {"a": 0.5, "b": 0.5, "y": 0.0}, target, block=1)
    with pytest.raises(ConflictError):
        remove(session, {"a": 0.5}, target, block=1)


def test_local_functions_are_refused(open_text, tmp_path):
    session = open_text(
        """<ir_version: 10, opset_import: ["": 21, "my": 1]>
        g (float[1,3,4,4] x) => (float[1,2,4,4] y) {
            a = Conv (x, A) r = my.act (a) y = Conv (r, B)
        }
        <domain: "my", opset_import: ["": 21]> act (x) => (y) { y = Relu (x) }""",
        {"A": normal(4, 3, 1, 1), "B": normal(2, 4, 1, 1)},
    )
    with pytest.raises(InvalidRequestError, match="local functions"):
        remove(session, {"a": 0.5}, tmp_path / "p.onnx", block=1)


def test_channels_that_enter_a_subgraph_stay(open_text):
    session = open_text(
        """
        g (float[1,3,4,4] x, bool c) => (float[1,4,4,4] y) {
            a = Conv (x, A)
            y = If (c) <
                then_branch = t () => (float[1,4,4,4] u) { u = Relu (a) },
                else_branch = e () => (float[1,4,4,4] v) { v = Tanh (a) }
            >
        }
        """,
        {"A": normal(4, 3, 1, 1)},
    )
    assert "enter a subgraph at Relu" in groups_of(session).refusals["a"]


def test_a_weight_with_nan_is_refused(open_text, tmp_path):
    body, shapes, _ = GRAPHS["residual"]
    weights = {n: np.full(s, np.nan, np.float32) for n, s in shapes.items()}
    session = open_text(_text(body), weights)
    with pytest.raises(InvalidModelError, match="NaN"):
        remove(session, {"a": 0.5}, tmp_path / "p.onnx", block=1)
