"""The same modules read by us and by MLIR itself, as far as jaxlib has it: nothing may differ.

jaxlib knows no Tenstorrent dialect; in the generic form it reads them all the same. It also
prints what it read, in the generic and in the custom form and with locations: three more
texts of each module, all of which must come out alike.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from studio_core.mlir.reader import parse_mlir
from studio_core.mlir.records import Operation

ir = pytest.importorskip("jaxlib.mlir.ir")
stablehlo = pytest.importorskip("jaxlib.mlir.dialects.stablehlo")
extension = pytest.importorskip("jaxlib.mlir._mlir_libs._jax_mlir_ext")

OTHERS = Path(__file__).parents[4] / "shared" / "data" / "mlir"
OURS = ("generic", "stablehlo", "loops")
TTIR = ("linear_autoencoder", "forward_and_backward", "llama_attention")


@pytest.fixture(scope="module")
def context() -> Any:
    found = ir.Context()
    found.allow_unregistered_dialects = True
    registry = ir.DialectRegistry()
    extension.register_dialects(registry)
    found.append_dialect_registry(registry)
    stablehlo.register_dialect(found)
    found.load_all_available_dialects()
    return found


def parsed(context: Any, text: str) -> Any:
    with context, ir.Location.unknown(context):
        return ir.Module.parse(text).operation


def types(values: Any) -> list[str]:
    """Types without blanks, which say nothing."""
    return [re.sub(r"\s", "", str(v.type) if hasattr(v, "owner") else v.type.text) for v in values]


def assert_same(ours: Operation, theirs: Any) -> int:
    """Compare two operations with all inside them; answers how many there are."""
    assert ours.name == theirs.name
    assert len(ours.operands) == len(theirs.operands), ours.text
    assert types(ours.operands) == types(theirs.operands), ours.text
    assert types(ours.results) == types(theirs.results), ours.text
    if "applies" in ours.attributes:
        return 1  # MLIR makes a region of it
    assert len(ours.regions) == len(theirs.regions), ours.text
    count = 1
    for region, their_region in zip(ours.regions, theirs.regions, strict=True):
        their_blocks = list(their_region)
        if not their_blocks:
            assert [b for b in region if b.operations] == []
            continue
        for block, their_block in zip(region, their_blocks, strict=True):
            assert types(block.arguments) == types(their_block.arguments), ours.text
            count += assert_same_operations(block.operations, list(their_block.operations))
    return count


def assert_same_operations(ours: list[Operation], theirs: list[Any]) -> int:
    if len(theirs) == len(ours) + 1 and not list(theirs[-1].operands):
        theirs = theirs[:-1]  # a terminator that the custom form leaves out
    pairs = zip(ours, theirs, strict=True)
    return sum(assert_same(a, b.operation) for a, b in pairs)


def module(text: str) -> Operation:
    (found,) = parse_mlir(text).modules
    return found


@pytest.mark.parametrize("name", OURS)
def test_our_samples_are_read_as_mlir_reads_them(context, data, name):
    text = (data / f"{name}.mlir").read_text()
    assert assert_same(module(text), parsed(context, text)) > 8


@pytest.mark.parametrize("name", OURS)
@pytest.mark.parametrize(
    "form", [{}, {"print_generic_op_form": True}, {"enable_debug_info": True}], ids=str
)
def test_what_mlir_prints_is_read_as_mlir_reads_it(context, data, name, form):
    theirs = parsed(context, (data / f"{name}.mlir").read_text())
    found = parse_mlir(theirs.get_asm(**form))
    assert assert_same(found.modules[0], theirs) > 8
    assert found.notes == ()


def test_the_pretty_forms_of_stablehlo_say_what_the_generic_form_says(context, data):
    theirs = parsed(context, (data / "stablehlo.mlir").read_text())
    pretty = list(module(theirs.get_asm()).walk())
    generic = list(module(theirs.get_asm(print_generic_op_form=True)).walk())
    for operation in pretty:
        if "applies" in operation.attributes:
            continue
        twin = next(o for o in generic if attributes(o) == attributes(operation))
        assert twin.name == operation.name
    names = {o.name for o in pretty}
    assert len(names) > 15


def attributes(operation: Operation) -> dict[str, str]:
    texts = {k: re.sub(r"\s", "", a.text) for k, a in operation.attributes.items()}
    return {"": operation.name, **texts}


@pytest.mark.skipif(not OTHERS.exists(), reason="the files of others are not here")
@pytest.mark.parametrize("name", TTIR)
def test_the_files_of_others_are_read_as_mlir_reads_them(context, name):
    text = (OTHERS / f"Explorer__load__{name}.mlir").read_text()
    assert assert_same(module(text), parsed(context, text)) > 8
