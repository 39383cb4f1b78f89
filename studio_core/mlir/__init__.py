"""MLIR modules as records: read by a tolerant reader of our own.

``reader.read_mlir(path)`` reads a file, ``reader.parse_mlir(text)`` a text.
"""

from __future__ import annotations
