from __future__ import annotations

import pytest

from studio_core import errors
from studio_widgets.messages import HEADINGS, MessageArea, as_html, heading


def _family(cls: type[errors.StudioError]) -> set[type[errors.StudioError]]:
    return {cls}.union(*(_family(child) for child in cls.__subclasses__()))


def test_every_error_has_a_heading_of_its_own() -> None:
    family = {c for c in _family(errors.StudioError) if c.__module__ == errors.__name__}
    assert family == set(HEADINGS)
    assert len(set(HEADINGS.values())) == len(HEADINGS)


def test_a_class_made_elsewhere_has_the_heading_of_its_base() -> None:
    class OwnError(errors.StorageError):
        """Not of the family's file."""

    assert heading(OwnError("x")) == HEADINGS[errors.StorageError]
    assert "unexpected" in heading(KeyError("x"))


def test_messages_are_escaped() -> None:
    assert "<b>" not in as_html("<b>", "<b>")


def test_what_goes_wrong_is_shown_and_cleared() -> None:
    area = MessageArea()
    with area.catching():
        raise errors.NotFoundError("No project named '<x>'.")
    assert "Not found" in area.value
    assert "&lt;x&gt;" in area.value
    assert area.layout.display == ""
    with area.catching():
        pass
    assert area.value == ""
    assert area.layout.display == "none"


def test_a_bug_is_shown_and_raised() -> None:
    area = MessageArea()
    with pytest.raises(KeyError), area.catching():
        raise KeyError("x")
    assert "unexpected" in area.value
