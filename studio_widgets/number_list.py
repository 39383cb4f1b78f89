"""Whole numbers side by side, such as the axes of a grid, each with its own limits and step.

Numbers are typed, or stepped with arrow keys and buttons. What is typed or stepped goes to
Python, where `studio_core.attributes.values` knows what it means; what that refuses is said
below the numbers, and the last good ones stay. (ipywidgets' bounded inputs change a number
that is out of range without a word, and step from the limit instead of from the value.)
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import traitlets

from studio_core.attributes.specs import GridSpec, IntListSpec
from studio_core.attributes.values import (
    check_value,
    format_value,
    limits,
    parse_value,
    step_value,
)
from studio_core.errors import InvalidRequestError, StudioError
from studio_widgets._assets import css, esm
from studio_widgets._base import StudioWidget


class NumberList(StudioWidget):
    """Inputs for the numbers of an `IntListSpec` or a `GridSpec`.

    ``text`` is the value as the contract writes it, ``[32, 32]`` or ``4x8``; ``on_text`` hears of
    each new one. The value given first is allowed even where it breaks the limits.
    """

    _esm = esm("number_list")
    _css = css("number_list")

    _numbers: Any = traitlets.List(trait=traitlets.Int()).tag(sync=True)
    _limits: Any = traitlets.List().tag(sync=True)
    _between = traitlets.Unicode().tag(sync=True)
    _answered = traitlets.Int().tag(sync=True)

    label = traitlets.Unicode().tag(sync=True)
    """What the numbers are, for screen readers. Type: str. Default: ""."""

    text = traitlets.Unicode()
    """The numbers as text. Type: str. Default: given first."""

    wrong = traitlets.Unicode().tag(sync=True)
    """Why the last input was refused, "" if it was not. Type: str. Default: ""."""

    def __init__(
        self,
        spec: IntListSpec | GridSpec,
        text: str,
        on_text: Callable[[str], None] | None = None,
        **settings: Any,
    ) -> None:
        self.spec, self._on_text = spec, on_text
        super().__init__(**settings)
        self._between = "×" if isinstance(spec, GridSpec) else ""
        self.show(text)
        self.on_msg(self._answer)

    def show(self, text: str, allowed: str | None = None) -> None:
        """Show other numbers; ``allowed`` (by default ``text``) may break the limits.

        Raises `InvalidRequestError` where ``text`` is not written as the kind demands.
        """
        value = self._parsed(text)
        self._allowed = self._parsed(text if allowed is None else allowed)
        with self.hold_sync():
            self.text, self.wrong = text, ""
            self._numbers = list(value)
            self._limits = [list(limits(self.spec, i)) for i in range(len(value))]
            self._answered += 1

    def type_number(self, index: int, text: str) -> None:
        """What typing ``text`` into the input ``index`` does."""
        parts = [str(number) for number in self._numbers]
        if not 0 <= index < len(parts):
            return
        parts[index] = text
        with self._refusing():
            joined = format_value(self.spec, self._parsed(_written(self.spec, parts)))
            self._take(self._parsed(joined))

    def step_number(self, index: int, direction: int) -> None:
        """What an arrow key in the input ``index`` does."""
        with self._refusing():
            stepped = step_value(self.spec, tuple(self._numbers), index, direction)
            self._take(tuple(stepped) if not isinstance(stepped, str) else ())

    def _take(self, value: tuple[int, ...]) -> None:
        check_value(self.spec, value, current=self._allowed)
        self.wrong = ""
        if list(value) == self._numbers:
            return
        self._numbers = list(value)
        self.text = format_value(self.spec, value)
        if self._on_text is not None:
            self._on_text(self.text)

    def _parsed(self, text: str) -> tuple[int, ...]:
        value = parse_value(self.spec, text)
        assert not isinstance(value, str)  # both kinds are lists of numbers
        return value

    def _refusing(self) -> _Refusing:
        return _Refusing(self)

    def _answer(self, _widget: Any, content: Any, _buffers: Any) -> None:
        if not isinstance(content, dict):
            return
        index = content.get("index")
        if isinstance(index, int) and not isinstance(index, bool):
            if content.get("kind") == "step":
                self.step_number(index, 1 if content.get("direction") == 1 else -1)
            elif content.get("kind") == "type":
                self.type_number(index, str(content.get("text", "")))
        self._answered += 1  # the page shows the numbers as they are now


class _Refusing:
    """Says at the numbers why an input was refused."""

    def __init__(self, numbers: NumberList) -> None:
        self._numbers = numbers

    def __enter__(self) -> None:
        return None

    def __exit__(self, _kind: object, error: BaseException | None, _trace: object) -> bool:
        if isinstance(error, StudioError):
            self._numbers.wrong = str(error)
            return True
        return False


def _written(spec: IntListSpec | GridSpec, parts: Sequence[str]) -> str:
    """The parts as one text; refused where one of them holds what stands between numbers."""
    between = spec.separator if isinstance(spec, GridSpec) else ","
    for part in parts:
        if between in part:
            raise InvalidRequestError(f"{part[:40]!r} is more than one number.")
    return spec.separator.join(parts) if isinstance(spec, GridSpec) else f"[{', '.join(parts)}]"
