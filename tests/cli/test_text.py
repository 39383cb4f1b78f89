"""Numbers and names as they stand on a terminal."""

import math

import pytest

from studio_cli import text


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("conv1.weight", "conv1.weight"),
        ("größe/权重", "größe/权重"),
        ("\x1b[31mred", r"\x1b[31mred"),
        ("a\u202eb", r"a\u202eb"),
        ("two\nlines\t\r", r"two\nlines\t\r"),
        ("\x9b31m", r"\x9b31m"),
        ("\ud800", r"\ud800"),
        ("[bold]x[/bold]", "[bold]x[/bold]"),
    ],
)
def test_what_cannot_be_seen_is_made_visible(name: str, shown: str) -> None:
    assert text.visible(name) == shown


def test_line_ends_of_a_document_stay() -> None:
    assert text.visible_lines("a\x07\nb\n") == "a\\x07\nb\n"


@pytest.mark.parametrize(
    ("value", "shown"),
    [(0, "0"), (999, "999"), (999_700, "1.00 M"), (25_557_032, "25.6 M"), (None, "–")],
)
def test_counts(value: float | None, shown: str) -> None:
    assert text.count(value) == shown


@pytest.mark.parametrize(
    ("value", "shown"), [(0, "0 B"), (1536, "1.50 kB"), (102_228_128, "97.5 MB"), (None, "–")]
)
def test_sizes(value: float | None, shown: str) -> None:
    assert text.size(value) == shown


@pytest.mark.parametrize(
    ("value", "shown"),
    [(0.0, "0"), (0.0001, "<0.001"), (0.004, "0.004"), (0.8, "0.80"), (math.nan, "–")],
)
def test_fractions(value: float, shown: str) -> None:
    assert text.fraction(value) == shown


def test_unknown_dimensions_are_question_marks() -> None:
    assert text.shape((1, None, "sequence", 4)) == "1×?×sequence×4"
    assert text.shape(None) == text.shape(()) == "–"


def test_plurals() -> None:
    assert (text.plural(1, "layer"), text.plural(1200, "layer")) == ("1 layer", "1,200 layers")
