from __future__ import annotations

import ipywidgets
import pytest

import studio_widgets as studio
from studio_core.errors import NotFoundError
from studio_widgets._steps import next_step
from studio_widgets.sections import Section, Sections


@pytest.fixture
def sections() -> Sections:
    return Sections(
        [
            Section("one", "One", "The <first>.", ipywidgets.Label("1"), "check"),
            Section("two", "Two", "The second.", ipywidgets.Label("2"), "check"),
            Section("more", "More", "Beside.", ipywidgets.Label("3"), "check", is_aside=True),
        ]
    )


def test_one_section_is_open_at_a_time_or_none(sections: Sections) -> None:
    assert sections.opened == ""
    assert sections.body.children == ()
    sections.buttons["one"].value = True
    assert sections.opened == "one"
    assert sections.body.children[1].value == "1"
    assert "The &lt;first&gt;." in sections.body.children[0].value
    sections.buttons["two"].value = True
    assert sections.opened == "two"
    assert not sections.buttons["one"].value
    assert sections.body.children[1].value == "2"
    sections.buttons["two"].value = False
    assert sections.opened == ""
    assert sections.body.layout.display == "none"


def test_a_section_is_opened_from_python(sections: Sections) -> None:
    sections.opened = "more"
    assert sections.buttons["more"].value
    with pytest.raises(NotFoundError, match="one, two, more"):
        sections.opened = "three"
    assert sections.opened == "more"


def test_what_comes_next_is_marked(sections: Sections) -> None:
    sections.suggest("one", "Next: <one>.")
    assert "studio-next" in sections.buttons["one"]._dom_classes
    sections.suggest("two", "Next: two.")
    assert "studio-next" not in sections.buttons["one"]._dom_classes
    assert "studio-next" in sections.buttons["two"]._dom_classes
    sections.suggest("one", "Next: <one>.")
    assert sections.next.value == "Next: &lt;one&gt;."
    sections.entitle("one", "One 3")
    assert sections.buttons["one"].description == "One 3"


def test_a_workbench_leads_from_the_measurement_to_the_export(tmp_path) -> None:
    wb = studio.open_sample("digits_cnn", project_root=tmp_path)
    advised = wb.sections.next
    assert "Next: measure" in advised.value
    wb.measure(wb.held_out_data, metric="cross_entropy", samples=8, levels=(0.5,)).wait()
    assert wb.sections.opened == "measure"
    assert "then verify" in advised.value
    wb.verify().wait()  # eight samples predict a loss that is too small
    assert "Solve again" in advised.value
    wb.plan = wb.planner.distribute(0.0)
    assert "then verify" in advised.value
    wb.verify().wait()
    assert "Next: export" in advised.value


def test_while_it_measures_nothing_else_is_asked() -> None:
    key, words = next_step(is_measuring=True, is_measured=True, verified=None)
    assert key == ""
    assert "Measuring" in words
