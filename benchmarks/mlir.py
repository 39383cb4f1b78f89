"""Reading MLIR: Studio against the parser inside jaxlib (``pip install jaxlib``).

    python benchmarks/mlir.py [operations …] [--rounds N]

The modules are generated: TTNN operations in the generic form, layouts behind aliases, a
location alias for each operation at the end of the file. Both readers take turns in one
run; what they found is compared before it is timed.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable
from typing import Any

from run import medians

from studio_core.mlir.reader import parse_mlir

HEAD = """#dram = #ttnn.buffer_type<dram>
#layout = #ttnn.ttnn_layout<(d0, d1) -> (d0, d1), <1x1>, memref<8x8x!tile, #dram>, <interleaved>>
!tile = !ttcore.tile<32x32, bf16>
func.func @forward(%arg0: tensor<256x256xbf16, #layout>) -> tensor<256x256xbf16, #layout> {
  %0 = "ttnn.relu"(%arg0) : (tensor<256x256xbf16, #layout>) -> tensor<256x256xbf16, #layout>
"""
OPERATION = (
    '  %{i} = "ttnn.matmul"(%{before}, %arg0) <{{transpose_a = false, transpose_b = false}}> : '
    "(tensor<256x256xbf16, #layout>, tensor<256x256xbf16, #layout>) -> "
    "tensor<256x256xbf16, #layout> loc(#loc{i})\n"
)


def generated(num_operations: int) -> str:
    """A module of so many operations, each with a named location."""
    numbers = range(1, num_operations)
    body = "".join(OPERATION.format(i=i, before=i - 1) for i in numbers)
    end = f"  return %{num_operations - 1} : tensor<256x256xbf16, #layout>\n}}\n"
    locations = "".join(f'#loc{i} = loc("op_{i}"("model.py":{i}:3))\n' for i in numbers)
    return HEAD + body + end + locations


def peer() -> Callable[[str], Any]:
    """jaxlib's parser, with dialects that it does not know allowed."""
    from jaxlib.mlir import ir
    from jaxlib.mlir._mlir_libs import _jax_mlir_ext

    context = ir.Context()
    context.allow_unregistered_dialects = True
    registry = ir.DialectRegistry()
    _jax_mlir_ext.register_dialects(registry)
    context.append_dialect_registry(registry)
    context.load_all_available_dialects()

    def parse(text: str) -> Any:
        with context, ir.Location.unknown(context):
            return ir.Module.parse(text)

    return parse


def _num_operations(parsed: Any) -> int:
    """Of the one function in a module of jaxlib's."""
    function = parsed.body.operations[0]
    return len(list(function.regions[0].blocks[0].operations))


def main() -> None:
    parser = argparse.ArgumentParser(description=str(__doc__).split("\n", 1)[0])
    parser.add_argument("sizes", nargs="*", type=int, default=[100, 1_000, 10_000])
    parser.add_argument("--rounds", type=int, default=5)
    arguments = parser.parse_args()
    theirs = peer()
    print("| operations | kB | Studio | jaxlib | jaxlib / Studio | Studio, µs an operation |")
    print("|---|---|---|---|---|---|")
    for size in arguments.sizes:
        text = generated(size)
        found = sum(1 for module in parse_mlir(text).modules for _ in module.walk())
        assert found == _num_operations(theirs(text)) + 2, "the readers disagree"
        ours_s, theirs_s = medians(
            arguments.rounds, lambda t=text: parse_mlir(t), lambda t=text: theirs(t)
        )
        print(
            f"| {size:,} | {len(text) / 1000:,.0f} | {ours_s * 1e3:.3g} ms | "
            f"{theirs_s * 1e3:.3g} ms | {theirs_s / ours_s:.2f}× | {ours_s / size * 1e6:.0f} |"
        )
    print(f"\n{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}")


if __name__ == "__main__":
    main()
