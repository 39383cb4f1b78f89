"""What a chip holds and how a tensor lies in it, computed without the chip."""

from __future__ import annotations
