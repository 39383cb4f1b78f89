"""`wire`: what the widgets of a test send to the browser, counted in bytes."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import comm
import pytest
from comm.base_comm import BaseComm


@dataclass
class Wire:
    """Sizes of the messages sent since the last `take`, in bytes, buffers included."""

    sizes: list[int] = field(default_factory=list)
    contents: list[Any] = field(default_factory=list)

    def take(self) -> list[int]:
        sizes, self.sizes, self.contents = self.sizes, [], []
        return sizes


@pytest.fixture
def wire(monkeypatch: pytest.MonkeyPatch) -> Iterator[Wire]:
    wire = Wire()

    class CountingComm(BaseComm):
        def publish_msg(self, *_: Any, data: Any = None, buffers: Any = None, **__: Any) -> None:
            num_bytes = sum(memoryview(b).nbytes for b in buffers or [])
            wire.sizes.append(len(json.dumps(data or {}, default=str)) + num_bytes)
            wire.contents.append(data)

    monkeypatch.setattr(comm, "create_comm", CountingComm)
    yield wire
