from __future__ import annotations

import base64
import json
import re
from datetime import UTC, datetime
from typing import Any

import pytest

from studio_core.errors import InvalidRequestError
from studio_core.overrides.compiler_options import to_compiler_options
from studio_core.overrides.documents import to_json
from studio_core.overrides.records import Override, Overrides
from studio_widgets.overrides_panel import OverridesPanel

NOW = datetime(2026, 1, 1, tzinfo=UTC)
RELU = Override("relu_3", "loc(relu_3)", {"grid_shape": "4x8", "buffer_type": "l1"})
CONV = Override("conv1", "loc(conv1)", {"activation": "relu"})
BOTH = Overrides.of([RELU, CONV])


def _buttons(widget: Any) -> list[Any]:
    inner = [b for child in getattr(widget, "children", ()) for b in _buttons(child)]
    return [widget, *inner] if type(widget).__name__ == "Button" else inner


def _button(panel: OverridesPanel, words: str) -> Any:
    return next(b for b in _buttons(panel) if b.description.startswith(words))


def test_values_are_taken_away_one_by_one_and_all_at_once() -> None:
    panel = OverridesPanel(BOTH)
    assert "3 values on 2 ops" in panel.count.value
    _button(panel, "grid_shape 4x8").click()
    assert [dict(o.attributes) for o in panel.overrides] == [
        {"buffer_type": "l1"}, {"activation": "relu"},
    ]  # fmt: skip
    panel.clear_button.click()
    assert len(panel.overrides) == 0
    assert panel.clear_button.layout.display == "none"
    assert "none" in panel.count.value


def test_what_is_saved_is_what_the_front_end_reads() -> None:
    panel = OverridesPanel(BOTH)
    found = re.search(r'base64,([^"]+)"', panel.download.value)
    assert found is not None
    assert json.loads(base64.b64decode(found[1])) == to_json(BOTH)


@pytest.mark.parametrize("wrapped", [False, True])
def test_a_loaded_file_replaces_them(wrapped: bool) -> None:
    panel = OverridesPanel(Overrides.of([CONV]))
    document: dict[str, Any] = to_json(Overrides.of([RELU]))
    panel.load(json.dumps({"overrides": document} if wrapped else document))
    assert list(panel.overrides) == [RELU]


@pytest.mark.parametrize("content", [b"", b"\xff", b"[1]", b"{" * 9, b'{"a": 3}', b"[" * 100_000])
def test_a_file_that_holds_none_changes_nothing(content: bytes) -> None:
    panel = OverridesPanel(BOTH)
    with pytest.raises(InvalidRequestError):
        panel.load(content)
    assert panel.overrides is BOTH


def test_a_wrong_upload_is_said_in_the_panel() -> None:
    panel = OverridesPanel(BOTH)
    file = {"name": "a.json", "type": "", "size": 1, "content": b"x", "last_modified": NOW}
    panel.upload.value = [file]
    assert "no JSON" in panel.messages.value
    assert panel.upload.value == ()


def test_an_override_leads_to_its_op() -> None:
    selected: list[str] = []
    panel = OverridesPanel(BOTH, on_select=selected.append)
    _button(panel, "relu_3").click()
    assert selected == [RELU.key]


def test_what_would_be_sent_and_what_would_not() -> None:
    panel = OverridesPanel()
    odd = Overrides.of([RELU, Override("a,b", "loc(a,b)", {"grid_shape": "1x1"})])
    panel.show(odd, options=to_compiler_options(odd))
    assert "override-output-layout=relu_3=4x8:l1" in panel.sent.value
    assert "a,b" in panel.sent.value.split("Not sent:")[1]


def test_thousands_of_overrides_are_counted_not_drawn() -> None:
    many = Overrides.of(
        Override(f"op_{i}", f"loc(op_{i})", {"grid_shape": "1x1"}) for i in range(900)
    )
    panel = OverridesPanel(many)
    assert len(panel.rows.children) < 50
    assert "860 more ops" in panel.rows.children[-1].value
