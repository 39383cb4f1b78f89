"""What the last bit of a measurement depends on: kept with each, and told where two differ.

The same model, data, settings and seed give the same numbers bit for bit on one machine with
the same packages; on another processor onnxruntime takes other kernels.
"""

from __future__ import annotations

import platform
from collections.abc import Collection, Mapping
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

from studio_core.evaluation.data import Samples
from studio_core.evaluation.runtime import PROVIDER
from studio_core.limits import shortened

MEASURED_WITH = ("onnxruntime", "onnx", "numpy")
STUDIO = "studio-workbench"

_WORDS = {
    "modelSha256": "another model",
    "dataSha256": "other data",
    "numSamples": "another number of samples",
    "metric": "another metric",
    "granularity": "another granularity",
    "batchSize": "another batch size",
    "numThreads": "another number of threads",
    "executionProvider": "another execution provider",
    "engine": "another runtime",
    "warmup": "another number of runs before the clock starts",
    "iterations": "another number of runs",
    "cpu": "another processor",
    "platform": "another platform",
}
_HASHES = ("modelSha256", "dataSha256")


def measured_versions() -> dict[str, str]:
    """The packages whose versions decide the last bits of a measurement, and Studio's own."""
    return {**{name: version(name) for name in MEASURED_WITH}, "studio": version(STUDIO)}


def machine() -> dict[str, str]:
    """The processor and the platform, as they are kept with a measurement."""
    return {"cpu": cpu_name(), "platform": f"{platform.system()} {platform.machine()}"}


def conditions(samples: Samples, model_sha256: str, num_threads: int = 1) -> dict[str, Any]:
    """What is kept with every loss that is measured: whereof, on what data, and with what.

    ``seed`` is that of generated data, None where the data were given.
    """
    return {
        "modelSha256": model_sha256,
        "dataSha256": samples.sha256(),
        "generatedData": samples.generated,
        "seed": samples.seed,
        "numThreads": num_threads,
        "executionProvider": PROVIDER,
        "versions": measured_versions(),
        **machine(),
    }


def differences(
    left: Mapping[str, Any],
    right: Mapping[str, Any],
    *,
    required: Collection[str] = (),
    ignored: Collection[str] = (),
) -> tuple[str, ...]:
    """How the conditions of two measurements differ, in words; empty where they are the same.

    "another onnxruntime (1.22.0 and 1.23.2)". What only one of them holds is no difference,
    except what is ``required``; nor is the version of a package that is ``ignored``.
    """
    found = [f"no '{key}' on record" for key in required if key not in left or key not in right]
    for key, words in _WORDS.items():
        if key in left and key in right and left[key] != right[key]:
            found.append(words if key in _HASHES else _pair(words, left[key], right[key]))
    versions = (left.get("versions"), right.get("versions"))
    return (*found, *_version_differences(*versions, ignored))


def _version_differences(left: Any, right: Any, ignored: Collection[str]) -> list[str]:
    if not isinstance(left, Mapping) or not isinstance(right, Mapping):
        return []
    return [
        _pair(f"another {'Studio' if name == 'studio' else shortened(str(name))}", left[name], new)
        for name, new in right.items()
        if name in left and name not in ignored and left[name] != new
    ]


def _pair(words: str, left: Any, right: Any) -> str:
    return f"{words} ({shortened(str(left))} and {shortened(str(right))})"


@cache
def cpu_name() -> str:
    """The processor's own name where the system tells it."""
    try:
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()
