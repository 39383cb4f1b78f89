"""What every widget here shares: a friendly answer to a keyword it does not have."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from typing import Any

import anywidget
import traitlets

_OF_EVERY_WIDGET = ("layout", "tooltip", "tabbable")


def reject_unknown(cls: type, given: Iterable[str], allowed: Iterable[str]) -> None:
    """Raise a TypeError that names the nearest setting where one in ``given`` is unknown."""
    settings = sorted({*allowed, *_OF_EVERY_WIDGET})
    for name in given:
        if name in settings:
            continue
        near = difflib.get_close_matches(name, settings, n=1)
        hint = f" Did you mean '{near[0]}'?" if near else ""
        raise TypeError(
            f"{cls.__name__} has no setting '{name}'.{hint} It takes: {', '.join(settings)}."
        )


def settings_of(cls: type[traitlets.HasTraits], stop: type) -> list[str]:
    """Names of the public traits that ``cls`` adds to ``stop``."""
    inherited = stop.class_trait_names()  # type: ignore[attr-defined]
    return [n for n in cls.class_trait_names() if not n.startswith("_") and n not in inherited]


def close_all(widget: Any) -> None:
    """Close a widget and all that it is made of."""
    for child in getattr(widget, "children", ()):
        close_all(child)
    widget.close()


class ShortRepr:
    """A repr without addresses and children: it is what a saved notebook shows as text."""

    def __repr__(self) -> str:
        return f"<studio_widgets.{type(self).__name__}>"


class StudioWidget(ShortRepr, anywidget.AnyWidget):
    """An anywidget that refuses keywords it does not know."""

    def __init__(self, **settings: Any) -> None:
        cls = type(self)
        reject_unknown(cls, settings, settings_of(cls, anywidget.AnyWidget))
        super().__init__(**settings)
