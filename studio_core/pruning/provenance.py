"""Where a pruned model comes from, kept in its own ``metadata_props``."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from contextlib import suppress
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import onnx

from studio_core.pruning.splice import delimited

_METADATA_PROPS = 14
PREFIX = "studio."


def provenance(
    plan: Mapping[str, Any], granularities: Mapping[str, str], source_sha256: str
) -> dict[str, str]:
    """What a pruned model says of itself, by key; the same for the same plan and source."""
    entries = {
        "studio.pruning.plan": _json(plan),
        "studio.pruning.granularity": _json(granularities),
        "studio.source.sha256": source_sha256,
    }
    # Run from a folder that was never installed, the version is unknown, and not said.
    with suppress(PackageNotFoundError):
        entries["studio.version"] = version("studio-workbench")
    return entries


def metadata_bytes(entries: Mapping[str, str], taken: Iterable[str]) -> bytes:
    """``entries`` as metadata_props, to be put behind a ModelProto.

    A repeated field may be continued at the end of the message, so that all bytes before
    stay as they are. Keys must be unique in a model: where one of ``taken`` is among them,
    as in a model that is pruned again, all get a number.
    """
    numbered, number, used = dict(entries), 1, set(taken)
    while used & set(numbered):
        number += 1
        numbered = {f"{key}.{number}": value for key, value in entries.items()}
    return b"".join(
        delimited(_METADATA_PROPS, onnx.StringStringEntryProto(key=k, value=v).SerializeToString())
        for k, v in numbered.items()
    )


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
