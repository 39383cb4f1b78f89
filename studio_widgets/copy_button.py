"""A button that shows a piece of Python and puts it on the clipboard.

The code is asked for when the button is pressed: kept ready in a trait it would be sent
again at each move of a slider.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import traitlets

from studio_widgets._assets import css, esm
from studio_widgets._base import StudioWidget


class CopyButton(StudioWidget):
    """A button; ``make_text`` is called at each press and its answer shown and copied."""

    _esm = esm("copy_button")
    _css = css("copy_button")

    label = traitlets.Unicode("Copy as code").tag(sync=True)
    """What the button says. Type: str. Default: "Copy as code"."""

    def __init__(self, make_text: Callable[[], str], **settings: Any) -> None:
        super().__init__(**settings)
        self._make_text = make_text
        self.on_msg(self._answer)

    def _answer(self, _widget: Any, content: Any, _buffers: Any) -> None:
        if content != {"kind": "copy"}:
            return
        try:
            self.send({"kind": "text", "text": self._make_text()})
        except Exception as error:
            self.send({"kind": "failed", "text": str(error)})  # or the page would wait
            raise
