"""The generated PyTorch code: valid for any names, and run with torch where there is one."""

import ast
import importlib.util
import subprocess
import sys

import numpy as np
import pytest

from studio_core.errors import InvalidRequestError
from studio_core.exports import ExportSource, export
from studio_core.plans.plan import PruningPlan
from studio_core.pruning.masks import Granularity

HAS_TORCH = importlib.util.find_spec("torch") is not None
needs_torch = pytest.mark.skipif(not HAS_TORCH, reason="torch is not installed")


def _plan(code):
    """The PLAN list of the code, after compiling the whole of it."""
    tree = ast.parse(code)
    compile(tree, "pruning.py", "exec")
    (plan,) = (n.value for n in tree.body if isinstance(n, ast.Assign))
    return ast.literal_eval(plan)


def test_each_parameter_with_its_exact_number(source):
    exported = export("pytorch", source)
    assert _plan(exported.text) == [
        ("net.0", "weight", 24, 48),
        ("", "onnx::MatMul_17", 8, 32),
        ("", "=cmd|' /C calc'!A0", 8, 16),
    ]
    assert "were not compared" in exported.text


def test_matched_names_and_transposed_masks(source, weights):
    first, second, _ = weights.values()
    state = {"enc.lin.weight": second.T, "enc.conv.weight": first}
    exported = export("pytorch", source, state_dict=state, method="custom_from_mask")
    assert _plan(exported.text) == [
        ("enc.conv", "weight", "net.0.weight", False),
        ("enc.lin", "weight", "onnx::MatMul_17", True),
    ]
    assert len(exported.notes) == 1
    assert "=cmd" in exported.notes[0]
    assert exported.notes[0].split(";")[0].replace("'", "") in exported.text.replace("\\'", "")


@pytest.mark.parametrize("name", ['w"""\nimport os\n', "w\u2028x", "\\", "'''", "a\rb", "é.wéight"])
@pytest.mark.parametrize("method", ["l1_unstructured", "custom_from_mask"])
def test_names_are_only_ever_text(name, method, open_text):
    import onnx

    proto = onnx.parser.parse_model(
        '<ir_version: 10, opset_import: ["": 21]> g (float[N,4] x) => (float[N,4] y)'
        "{ y = MatMul (x, W) }"
    )
    weight = np.random.default_rng(0).normal(size=(4, 4)).astype(np.float32)
    proto.graph.initializer.append(onnx.numpy_helper.from_array(weight, name))
    proto.graph.node[0].input[1] = name
    session = open_text(proto)
    source = ExportSource(session.model, session.layers, PruningPlan({"y": 0.5}))
    for state in (None, {}, {name: weight}, {"a": weight, "b": weight}):
        text = export("pytorch", source, state_dict=state, method=method).text
        assert text.isascii()
        rows = _plan(text)
        module, _, parameter = name.rpartition(".")
        assert all(row[:2] == (module, parameter) for row in rows)
        imports = [n for n in ast.parse(text).body if isinstance(n, (ast.Import, ast.ImportFrom))]
        assert len(imports) == 2


def test_masks_file_and_method_are_checked(source):
    with pytest.raises(InvalidRequestError, match=r"\.npz or \.safetensors"):
        export("pytorch", source, method="custom_from_mask", masks_file="masks.pkl")
    with pytest.raises(InvalidRequestError, match="l1_unstructured, custom_from_mask"):
        export("pytorch", source, method="random")
    hostile = export("pytorch", source, method="custom_from_mask", masks_file="'+x()+'.npz").text
    function = next(n for n in ast.parse(hostile).body if getattr(n, "name", "") == "apply")
    assert ast.literal_eval(function.args.defaults[0]) == "'+x()+'.npz"


def test_patterns_go_by_masks(source):
    patterned = ExportSource(
        source.model, source.layers, PruningPlan({"a": 0.5}), Granularity.CHANNEL
    )
    code = export("pytorch", patterned, method="custom_from_mask").text
    assert _plan(code) == [("net.0", "weight", "net.0.weight", False)]


RUN = """
import sys
import numpy as np, torch
import pruning
model = torch.nn.Module()
model.net = torch.nn.Sequential(torch.nn.Linear(6, 8), torch.nn.Linear(8, 4))
weights = np.load("weights.npz")
model.net[0].weight.data = torch.from_numpy(weights["first"])
model.net[1].weight.data = torch.from_numpy(weights["second"].T.copy())
pruning.apply(model)
pruning.make_permanent(model)
assert not list(model.named_buffers())
np.savez("result.npz", first=model.net[0].weight.detach(), second=model.net[1].weight.detach().T)
"""


@needs_torch
@pytest.mark.parametrize("method", ["l1_unstructured", "custom_from_mask", "safetensors"])
def test_the_code_prunes_a_torch_model_as_the_masks_say(method, source, weights, tmp_path):
    masks = "npz"
    if method == "safetensors":
        pytest.importorskip("safetensors", reason="the extra is not installed")
        masks, method = "safetensors", "custom_from_mask"
    first, second, _ = weights.values()
    state = {"net.0.weight": first, "net.1.weight": second.T}
    code = export("pytorch", source, state_dict=state, method=method, masks_file=f"masks.{masks}")
    (tmp_path / "pruning.py").write_text(code.text)
    (tmp_path / "run.py").write_text(RUN)
    (tmp_path / f"masks.{masks}").write_bytes(export(masks, source).content)
    np.savez(tmp_path / "weights.npz", first=first, second=second)
    subprocess.run([sys.executable, "run.py"], cwd=tmp_path, check=True, timeout=120)
    result = np.load(tmp_path / "result.npz")
    assert np.array_equal(result["first"], first * source.masks["a"])
    assert np.array_equal(result["second"], second * source.masks["b"])
