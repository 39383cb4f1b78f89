"""What the widgets accept where they ask for layers, an analysis or a summary.

A person has a path, an opened model or the records themselves at hand; all three will do.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from studio_core.errors import InvalidRequestError
from studio_core.layers import Layer, ModelSummary
from studio_core.models.model import Model
from studio_core.plans import Planner
from studio_core.sensitivity import Analysis
from studio_core.session import Session


def opened(source: Any) -> Any:
    """``source``, or the session of the model where it is a path or a bare model."""
    if isinstance(source, str | Path):
        return Session.open(source)
    return Session(source) if isinstance(source, Model) else source


def layers_of(source: Any) -> tuple[Layer, ...]:
    """The layers of ``source``: a sequence of `Layer`, or anything that has ``.layers``."""
    layers = getattr(source, "layers", source)
    if isinstance(layers, Iterable):
        found = tuple(layers)
        if all(isinstance(layer, Layer) for layer in found):
            return found
    raise _unsuitable("Layers are", source)


def loss_of(source: Any) -> Analysis | None:
    """The loss sensitivities that an opened model brings; None for plain layers."""
    loss = getattr(source, "loss", None)
    return loss if isinstance(loss, Analysis) else None


def analysis_of(source: Any) -> Analysis:
    """``source`` itself if it is an analysis, or the loss of an opened model."""
    analysis = source if isinstance(source, Analysis) else loss_of(opened(source))
    if analysis is None:
        raise _unsuitable("An analysis is", source)
    return analysis


def planner_of(source: Any) -> Any:
    """``source`` itself if it can plan, or the planner of an opened model."""
    planner = opened(source)
    planner = planner if hasattr(planner, "distribute") else getattr(planner, "planner", None)
    if planner is None:
        raise _unsuitable(f"A {Planner.__name__} is", source)
    return planner


def summary_of(source: Any) -> ModelSummary:
    """``source`` itself if it is a summary, or the one of an opened model."""
    model = source if isinstance(source, ModelSummary) else opened(source)
    summary = getattr(model, "summary", model)
    if not isinstance(summary, ModelSummary):
        raise _unsuitable("A summary is", source)
    return summary


def _unsuitable(what: str, source: Any) -> InvalidRequestError:
    return InvalidRequestError(
        f"{what} wanted here, not {type(source).__name__}. The path of a model will do, "
        "and so will what `studio.open(path)` returns."
    )
