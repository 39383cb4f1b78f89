"""A table of two sides: left, right and difference of every layer or op, with what only one has.

    table = ComparisonTable(compare_plans(milder, harsher))
    table.selected              # id of the row a person clicked
    table.only_changed = True

Takes any comparison of `studio_core.comparison`. Only the rows in view are elements of the page.
"""

from __future__ import annotations

from typing import Any, TypedDict

import traitlets

from studio_core.errors import InvalidRequestError
from studio_widgets import _format
from studio_widgets._assets import css, esm
from studio_widgets._base import StudioWidget
from studio_widgets._comparison_rows import (
    ComparedQuantity,
    ComparedRow,
    ComparedRows,
    relative,
    rows_of,
    signed,
)
from studio_widgets._wire import compressed, floats

COLUMNS = ("name", "note", "left", "right", "difference", "change", "mark", "match")
_OTHER_DIFFERENCE = "difference:"


class QuantityDocument(TypedDict):
    """One quantity in words; its numbers are in the buffer: left, right, difference."""

    key: str
    title: str
    hint: str
    better: str
    texts: dict[str, list[str]]
    relative: list[str] | None


class ComparisonDocument(TypedDict):
    """The rows, column by column; ``how`` indexes ``hows``, ``certainty`` is null by name."""

    ids: list[str]
    names: list[str]
    notes: list[str]
    changes: list[str]
    marks: list[int]
    how: list[int]
    hows: list[str]
    certainty: list[float | None]
    quantities: list[QuantityDocument]
    one: str
    many: str


class ComparisonTable(StudioWidget):
    """Two sides of every row, and the difference as a signed bar.

    ``comparison`` is what `studio_core.comparison` answers. Arrow keys move, Enter selects,
    "/" searches. Blue is less, or better where one direction is; the sign is in the text.
    """

    _esm = esm("comparison_table")
    _css = css("_grid", "comparison_table")

    _rows = traitlets.Bytes().tag(sync=True)
    _values = traitlets.Bytes().tag(sync=True)

    compared = traitlets.Instance(ComparedRows)
    """The rows shown. Type: ComparedRows. Default: those of the comparison given first."""

    selected = traitlets.Unicode().tag(sync=True)
    """Id of the selected row, "" for none. Type: str. Default: ""."""

    quantity = traitlets.Unicode().tag(sync=True)
    """Key of the quantity shown in full. Type: str. Default: the first of the comparison."""

    only_changed = traitlets.Bool(False).tag(sync=True)
    """Show only rows that differ. Type: bool. Default: False."""

    search = traitlets.Unicode().tag(sync=True)
    """Show only rows whose name, op, mark or change holds this. Type: str. Default: ""."""

    sort_by = traitlets.Unicode().tag(sync=True)
    """Column to sort by, "" for the order of the left side. Type: str. Default: ""."""

    sort_descending = traitlets.Bool(False).tag(sync=True)
    """Largest first; unknown values come last either way. Type: bool. Default: False."""

    height = traitlets.Int(364, min=100).tag(sync=True)
    """Greatest height of the rows, in pixels. Type: int. Default: 364, eleven rows."""

    def __init__(self, comparison: Any, **settings: Any) -> None:
        super().__init__(compared=rows_of(comparison), **settings)

    def show(self, comparison: Any) -> None:
        """Show another comparison; a selected row that it has stays selected."""
        self.compared = rows_of(comparison)

    @property
    def selected_row(self) -> ComparedRow | None:
        """The selected row; None without one."""
        return next((row for row in self.compared.rows if row.id == self.selected), None)

    @property
    def row_ids(self) -> frozenset[str]:
        """Ids of all rows, shown or not."""
        return frozenset(row.id for row in self.compared.rows)

    @traitlets.observe("compared")
    def _send_rows(self, _change: Any) -> None:
        compared = self.compared
        keys = [quantity.key for quantity in compared.quantities]
        parts = [a for q in compared.quantities for a in (q.left, q.right, q.difference)]
        with self.hold_sync():
            self._values = floats(*parts)
            self._rows = compressed(_document(compared))
            if self.quantity not in keys:
                self.quantity = keys[0] if keys else ""
            if self.selected_row is None:
                self.selected = ""

    @traitlets.validate("quantity")
    def _check_quantity(self, proposal: Any) -> str:
        key = str(proposal["value"])
        known = [quantity.key for quantity in self.compared.quantities]
        if key and key not in known:
            there = ", ".join(map(repr, known)) or "none"
            raise InvalidRequestError(f"There is no quantity {key!r}. There are: {there}.")
        return key

    @traitlets.validate("sort_by")
    def _check_column(self, proposal: Any) -> str:
        column = str(proposal["value"])
        if column and column not in COLUMNS and not column.startswith(_OTHER_DIFFERENCE):
            raise traitlets.TraitError(f"'{column}' is no column of {', '.join(COLUMNS)}.")
        return column


def _document(compared: ComparedRows) -> ComparisonDocument:
    rows = compared.rows
    hows = sorted({row.how for row in rows})
    number = {how: i for i, how in enumerate(hows)}
    return ComparisonDocument(
        ids=[row.id for row in rows],
        names=[row.name for row in rows],
        notes=[row.note for row in rows],
        changes=[row.change for row in rows],
        marks=[row.mark for row in rows],
        how=[number[row.how] for row in rows],
        hows=hows,
        certainty=[row.certainty for row in rows],
        quantities=[_quantity(quantity) for quantity in compared.quantities],
        one=compared.one,
        many=compared.many,
    )


def _quantity(quantity: ComparedQuantity) -> QuantityDocument:
    left, right = quantity.left.tolist(), quantity.right.tolist()
    changes = quantity.difference.tolist()
    return QuantityDocument(
        key=quantity.key,
        title=quantity.title,
        hint=quantity.hint,
        better=quantity.better,
        texts={
            "left": [_text(quantity, value) for value in left],
            "right": [_text(quantity, value) for value in right],
            "difference": [signed(value, quantity.show) for value in changes],
        },
        relative=[relative(*pair) for pair in zip(left, right, strict=True)]
        if quantity.is_relative
        else None,
    )


def _text(quantity: ComparedQuantity, value: float) -> str:
    return quantity.show(value) if value == value else _format.UNKNOWN
