"""One graph model for compiler modules and ONNX models."""

from __future__ import annotations
