"""The styles of a panel made of ipywidgets, and names for its controls.

ipywidgets gives a slider's handle no name, and a control without a label only a tooltip, so a
screen reader would say "slider" and nothing more. This invisible child mends both in the page.
"""

from __future__ import annotations

import traitlets

from studio_widgets._assets import css, esm
from studio_widgets._base import StudioWidget


class PanelStyle(StudioWidget):
    """Brings the styles ``names`` of ``static/`` and names the controls around it."""

    _esm = esm("panel_style")

    styles = traitlets.Unicode().tag(sync=True)
    """Style sheets as one text. Type: str. Default: those of the names."""

    def __init__(self, *names: str) -> None:
        super().__init__(styles=css(*names))
        self.layout.display = "none"
