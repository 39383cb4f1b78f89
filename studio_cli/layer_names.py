"""From what a person calls a layer to the layer, as all doors do it."""

from studio_core.plan_runs.layer_names import find_layer, find_locks

__all__ = ["find_layer", "find_locks"]
