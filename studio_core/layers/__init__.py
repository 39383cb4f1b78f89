"""Layers of a model: what can be pruned, why something cannot, and what each one costs."""

from studio_core.layers.discovery import find_layers
from studio_core.layers.layer import Layer, LayerStatus
from studio_core.layers.summary import ModelSummary, summarize

__all__ = ["Layer", "LayerStatus", "ModelSummary", "find_layers", "summarize"]
