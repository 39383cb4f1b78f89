"""Exports of a plan: recipes, tables, PyTorch code and masks, by one function `export`."""

from studio_core.exports.formats import FORMATS, ExportFormat, export
from studio_core.exports.masks import read_masks
from studio_core.exports.source import Exported, ExportSource

__all__ = ["FORMATS", "ExportFormat", "ExportSource", "Exported", "export", "read_masks"]
