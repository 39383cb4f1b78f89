from __future__ import annotations

from pathlib import Path

import pytest

from studio_core.errors import ConflictError, InvalidRequestError
from studio_core.reports.records import Paragraph, Report, Section
from studio_widgets.report_button import ReportButton

from .fakes import HOSTILE


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def _report() -> Report:
    return Report("A title", "small", (Section("All", (Paragraph("A sentence."),)),))


def _said(button: ReportButton) -> str:
    return str(button.result.outputs[0]["data"]["text/html"])


def test_the_button_writes_where_the_box_says_and_links_to_it(tmp_path: Path) -> None:
    button = ReportButton(_report, "net")
    assert button.result.layout.display == "none"
    button.start.click()
    assert button.written == tmp_path / "net-report.html"
    assert "<h1>A title</h1>" in button.written.read_text(encoding="utf-8")
    assert '<a href="net-report.html"' in _said(button)
    assert button.result.layout.display == ""


def test_the_ending_decides_and_another_is_refused(tmp_path: Path) -> None:
    button = ReportButton(_report)
    assert button.write("a b/report.md").read_text(encoding="utf-8").startswith("# A title")
    assert '<a href="a%20b/report.md"' in _said(button)
    with pytest.raises(InvalidRequestError, match=r"must end in .html or .md"):
        button.write("model.onnx")
    assert [p.name for p in tmp_path.iterdir()] == ["a b"]
    assert button.result.outputs == (), "what was said of another file is gone"


def test_a_file_is_not_written_over_unless_that_is_asked_for() -> None:
    button = ReportButton(_report, "net")
    Path("net-report.html").write_text("mine")
    button.start.click()
    assert "is there already" in button.messages.value
    assert not button.start.disabled
    with pytest.raises(ConflictError):
        button.write("net-report.html")
    assert Path("net-report.html").read_text() == "mine"
    button.overwrite.value = True
    button.start.click()
    assert button.messages.value == ""
    assert "A sentence." in Path("net-report.html").read_text(encoding="utf-8")


def test_a_place_elsewhere_has_no_link(tmp_path_factory: pytest.TempPathFactory) -> None:
    target = tmp_path_factory.mktemp("elsewhere") / "r.html"
    button = ReportButton(_report)
    button.write(target)
    assert str(target) in _said(button)
    assert "href" not in _said(button)


def test_a_hostile_name_is_text_in_link_and_message() -> None:
    name = HOSTILE.replace("/", "") + "javascript:alert(1).html"
    button = ReportButton(_report)
    button.write(name)
    assert "<img" not in _said(button)
    assert "<script" not in _said(button)
    assert 'href="javascript' not in _said(button)
    button.path.value = name
    button.start.click()
    assert HOSTILE.replace("/", "") not in button.messages.value


def test_what_cannot_be_made_is_said() -> None:
    def make() -> Report:
        raise InvalidRequestError("There is no plan yet.")

    button = ReportButton(make)
    button.start.click()
    assert "There is no plan yet." in button.messages.value
    assert not button.start.disabled
    assert button.written is None
