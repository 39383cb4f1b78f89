from __future__ import annotations

import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from studio_core.errors import InvalidRequestError
from studio_core.projects.names import check_name, is_name, slug

LETTERS = string.ascii_letters + string.digits + "-_."


@pytest.mark.parametrize("name", ["a", "approx", "run-1_2.3", "-x", "x" * 100, "console", "com10"])
def test_good_names(name: str) -> None:
    assert check_name(name, "a plan") == name


@pytest.mark.parametrize(
    "name",
    [
        *["", ".", "..", ".a", "a.", "a/b", "a\\b", "a b", "a\0", "a\n", "é", "١", "x" * 101],
        *["con", "CON", "nul.txt", "Com1", "lpt9.x.y", "C:", None, 3, ["a"], "%2e%2e"],
    ],
)
def test_bad_names_are_refused_with_a_sentence(name: object) -> None:
    with pytest.raises(InvalidRequestError, match=r"cannot be the name of a plan\. Use"):
        check_name(name, "a plan")


def test_reserved_names() -> None:
    with pytest.raises(InvalidRequestError, match="'approx' is reserved"):
        check_name("approx", "a loss analysis", frozenset({"approx"}))


@given(st.text(alphabet=LETTERS) | st.text())
def test_a_name_never_leaves_its_folder(name: str) -> None:
    if is_name(name):
        assert set(name) <= set(LETTERS) and name not in (".", "..") and not name.startswith(".")


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("My ResNet/50", "my-resnet-50"),
        ("../../etc/passwd", "etc-passwd"),
        ("日本語 モデル", "日本語-モデル"),
        ("", "project"),
        ("...", "project"),
        ("\ud800", "project"),
    ],
)
def test_slugs(name: str, expected: str) -> None:
    assert slug(name) == expected


@given(st.text())
def test_a_slug_is_a_short_plain_folder_name(name: str) -> None:
    made = slug(name)
    assert 0 < len(made.encode()) <= 80
    assert not set(made) & set('/\\\0:*?"<>|. \n') and not made.startswith("-")
