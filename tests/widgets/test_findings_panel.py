from __future__ import annotations

import asyncio
from typing import Any

import pytest

from studio_core.errors import NotFoundError
from studio_core.finding import Finding
from studio_core.findings import looked_at_in_model, model_findings
from studio_core.samples import sample_path
from studio_core.session import Session
from studio_widgets import findings_panel
from studio_widgets.findings_panel import MOST_ROWS, FindingsPanel

from .fakes import HOSTILE

NOTE = Finding("n", "note", "A note.", "Seen.", "Leave it.")
WARNING = Finding("w", "warning", "A warning.", "Measured.", "Change it.", subject="conv-1")
ERROR = Finding("e", "error", "An error.", "Counted.", "Mend it.", subject="conv-2")


def _shown(panel: FindingsPanel) -> dict[str, Any]:
    return dict(panel._shown)


def _press(panel: FindingsPanel, index: Any) -> None:
    panel._answer(panel, {"kind": "select", "index": index}, [])


def test_the_gravest_come_first_with_all_their_words_and_are_counted() -> None:
    panel = FindingsPanel(lambda: (NOTE, ERROR, WARNING, NOTE), print, name_of=str.upper)
    rows = _shown(panel)["rows"]
    assert [row["severity"] for row in rows] == ["error", "warning", "note", "note"]
    assert rows[0] == {
        "severity": "error", "hazard": "An error.", "evidence": "Counted.", "remedy": "Mend it.",
        "where": "CONV-2", "short": "CONV-2",
    }  # fmt: skip
    assert rows[2]["where"] == ""
    assert _shown(panel)["counts"] == [("error", 1), ("warning", 1), ("note", 2)]
    assert panel.title == "Findings 4"
    assert panel.findings == (ERROR, WARNING, NOTE, NOTE)


def test_a_target_leads_to_its_layer_and_nothing_else_does() -> None:
    selected: list[str] = []
    panel = FindingsPanel(lambda: (WARNING, NOTE), selected.append)
    for index in (1, 2, -1, 0, True, "0", None):
        _press(panel, index)
    assert selected == ["conv-1"]
    assert FindingsPanel(lambda: (WARNING,))._shown["rows"][0]["where"] == "", "leads nowhere"


def test_only_what_is_new_is_sent(wire: Any) -> None:
    found = [WARNING]
    panel = FindingsPanel(lambda: tuple(found))
    wire.take()
    panel.refresh()
    panel.refresh()
    assert wire.take() == []
    found.append(NOTE)
    panel.refresh()
    assert len(wire.take()) == 1


def test_thousands_are_counted_and_the_first_are_drawn(wire: Any) -> None:
    wire.take()
    panel = FindingsPanel(lambda: [WARNING] * 3000)
    assert len(_shown(panel)["rows"]) == MOST_ROWS
    assert _shown(panel)["more"] == 3000 - MOST_ROWS
    assert len(panel.findings) == 3000
    assert panel.title == "Findings 3,000"
    assert sum(wire.take()) < 60_000


def test_names_of_any_length_that_hide_something_are_told_and_cut() -> None:
    name = f"{HOSTILE}\u202e{'x' * 1_000_000}"
    finding = Finding("h", "error", name, name, name, subject=name)
    row = _shown(FindingsPanel(lambda: [finding], print))["rows"][0]
    assert all(len(text) < 1010 for text in row.values())
    for key in ("hazard", "evidence", "remedy", "where"):
        assert row[key].startswith(HOSTILE)
        assert "\u202e" not in row[key]


def test_nothing_noticed_says_what_was_looked_at() -> None:
    session = Session.open(sample_path("digits_cnn"))
    panel = FindingsPanel(lambda: (), looked_at=lambda: looked_at_in_model(session))
    assert panel.title == "Findings"
    assert _shown(panel)["rows"] == []
    assert _shown(panel)["nothing"] == (
        "Nothing needs your attention. Looked at: the weights of 14 layers."
    )


def test_what_cannot_be_asked_or_followed_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    def ask() -> tuple[Finding, ...]:
        raise NotFoundError("The model is gone.")

    panel = FindingsPanel(ask)
    assert panel.wrong == "Not found. The model is gone."
    assert _shown(panel)["nothing"] == "", "it is not known that nothing is wrong"

    def select(_subject: str) -> None:
        raise NotFoundError("No such layer.")

    panel = FindingsPanel(lambda: (WARNING,), select)
    _press(panel, 0)
    assert "No such layer." in panel.wrong
    panel.refresh()
    assert panel.wrong == ""
    monkeypatch.setattr(panel, "_ask", lambda: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        panel.refresh()
    assert "ZeroDivisionError" in panel.wrong
    assert panel.findings == ()


def test_many_changes_are_one_question(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(findings_panel, "QUIET_SECONDS", 0.01)
    asked: list[int] = []

    def ask() -> tuple[Finding, ...]:
        asked.append(1)
        return (NOTE,)

    panel = FindingsPanel(ask)
    panel.refresh_soon()
    assert len(asked) == 2, "no event loop runs: at once"

    async def slide() -> None:
        for _ in range(20):
            panel.refresh_soon()
        assert len(asked) == 2
        await asyncio.sleep(0.1)
        assert len(asked) == 3
        panel.refresh_soon()
        assert panel.latest() == (NOTE,)
        await asyncio.sleep(0.05)
        assert len(asked) == 4, "who asks at once has the question answered"

    asyncio.run(slide())


def test_the_rules_of_a_model_fill_it() -> None:
    session = Session.open(sample_path("digits_cnn"))
    plan = session.planner.distribute(0.9)
    panel = FindingsPanel(lambda: model_findings(session, plan))
    assert panel.findings == model_findings(session, plan)
    assert panel.counts() == {"note": 2}


def test_an_unknown_setting_is_refused() -> None:
    with pytest.raises(TypeError, match="no setting 'titel'"):
        FindingsPanel(lambda: (), titel="x")
