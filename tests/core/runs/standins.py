"""Stand-ins for the compiler's tools: programs that record their arguments and answer with
files of the real formats.

`put_on_path` writes them into a folder. What they do is steered by files in it: ``slow``
(the runtime starts a child and waits), ``fail`` (the compiler refuses), ``help.txt``.
"""

from __future__ import annotations

import json
import os
import stat
import sys
from pathlib import Path

HELP = "  --ttir-to-ttnn-common-pipeline  --stablehlo-to-ttir-pipeline\n"

TTNN = """\
#dram = #ttnn.buffer_type<dram>
#l1 = #ttnn.buffer_type<l1>
#a = #ttnn.ttnn_layout<(d0, d1) -> (d0, d1), <1x1>, memref<2x4x!ttcore.tile<32x32, bf16>, #dram>, <interleaved>>
#b = #ttnn.ttnn_layout<(d0, d1) -> (d0, d1), <2x4>, memref<1x1x!ttcore.tile<32x32, bf16>, #l1>, <block_sharded>>
module @compiled {
  func.func @forward(%arg0: tensor<64x128xbf16, #a> loc("x")) -> tensor<64x128xbf16, #b> {
    %0 = "ttnn.relu"(%arg0) : (tensor<64x128xbf16, #a>) -> tensor<64x128xbf16, #b> loc(#loc1)
    %1 = "ttnn.exp"(%0) : (tensor<64x128xbf16, #b>) -> tensor<64x128xbf16, #b> loc(#loc2)
    return %1 : tensor<64x128xbf16, #b> loc(#loc)
  } loc(#loc)
} loc(#loc)
#loc = loc("net.py":1:1)
#loc1 = loc("relu_1"(#loc))
#loc2 = loc("exp_2"(#loc))
"""  # noqa: E501

PERF = """\
GLOBAL CALL COUNT,OP CODE,CORE COUNT,DEVICE FW DURATION [ns],LOC
1,Relu,8,1200,"loc(""relu_1""(""net.py"":1:1))"
2,Exp,64,3000,"loc(""exp_2""(""net.py"":1:1))"
3,Exp,32,500,"loc(""exp_2""(""net.py"":1:1))"
4,HostOp,,,
"""

_BANK = {"total_bytes_per_bank": 1000, "total_bytes_allocated_per_bank": 250}
MEMORY = {
    "0": {
        "loc": 'loc("relu_1"("net.py":1:1))',
        "dram": _BANK,
        "l1": {"total_bytes_per_bank": "1000", "total_bytes_allocated_per_bank": "500"},
        "l1_small": {"total_bytes_per_bank": 100, "total_bytes_allocated_per_bank": 0},
    },
    "1": {"loc": 'loc("exp_2"("net.py":1:1))', "dram": _BANK, "l1": _BANK},
}

GOLDEN = {'loc("relu_1"("net.py":1:1))': {"expected_pcc": 0.99, "actual_pcc": 0.98}}

_TOOL = """\
#!{python} -IS
import json, os, subprocess, sys
home = {home!r}
arguments = [os.path.basename(sys.argv[0]), *sys.argv[1:]]
with open(os.path.join(home, "calls.jsonl"), "a") as calls:
    calls.write(json.dumps(arguments) + "\\n")
has = lambda name: os.path.exists(os.path.join(home, name))
read = lambda name: open(os.path.join(home, name)).read()
def write(path, text):
    os.makedirs(os.path.dirname(os.path.abspath(path)), exist_ok=True)
    open(path, "w").write(text)
if "--help" in arguments:
    print(read("help.txt"))
elif "-o" in arguments:
    if has("fail") and "--ttir-to-ttnn" in arguments[1]:
        print("net.mlir:3:7: error: op is not legal")
        sys.exit(3)
    out = arguments[arguments.index("-o") + 1]
    write(out, "int main() {{}}" if out.endswith(".cpp") else read("ttnn.mlir"))
else:
    folder = next(a for a in arguments if a.startswith("--artifact-dir=")).split("=", 1)[1]
    if arguments[1] == "query":
        write(folder + "/system_desc.ttsys", "binary")
    else:
        if has("slow"):
            child = subprocess.Popen(["sleep", "60"])
            write(os.path.join(home, "child.pid"), str(child.pid))
            child.wait()
        print("perf of", arguments[2])
        write(folder + "/module/perf/ops_perf_results.csv", read("perf.csv"))
        write(folder + "/module/run/program_0/memory_results.json", read("memory.json"))
        write(folder + "/module/run/program_0/golden_results.json", read("golden.json"))
"""


def put_on_path(folder: Path) -> dict[str, str]:
    """Write the tools into ``folder``; returns an environment's PATH that begins with it."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in (
        ("help.txt", HELP),
        ("ttnn.mlir", TTNN),
        ("perf.csv", PERF),
        ("memory.json", json.dumps(MEMORY)),
        ("golden.json", json.dumps(GOLDEN)),
    ):
        (folder / name).write_text(text, encoding="utf-8")
    for tool in ("ttmlir-opt", "ttmlir-translate", "ttrt"):
        path = folder / tool
        path.write_text(_TOOL.format(python=sys.executable, home=str(folder)), encoding="utf-8")
        path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return {"PATH": f"{folder}{os.pathsep}{os.environ['PATH']}"}


def calls(folder: Path) -> list[list[str]]:
    """The argument lists of all calls, the tool's name first."""
    lines = (folder / "calls.jsonl").read_text(encoding="utf-8").splitlines()
    return [json.loads(line) for line in lines]
