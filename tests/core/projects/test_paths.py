from __future__ import annotations

from pathlib import Path

import pytest

from studio_core.errors import ForbiddenPathError, InvalidRequestError, NotFoundError
from studio_core.projects.paths import inside, resolve_under


@pytest.fixture
def root(tmp_path: Path) -> Path:
    root = tmp_path / "models"
    (root / "sub").mkdir(parents=True)
    (root / "sub" / "net.onnx").write_bytes(b"")
    (tmp_path / "models-private").mkdir()
    (tmp_path / "models-private" / "secret.onnx").write_bytes(b"")
    return root


@pytest.mark.parametrize("text", ["sub/net.onnx", "./sub/../sub/net.onnx", "{root}/sub/net.onnx"])
def test_inside(root: Path, text: str) -> None:
    assert resolve_under([root], text.format(root=root)) == root / "sub" / "net.onnx"


def test_home(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(root))
    assert resolve_under([root], "~/sub/net.onnx") == root / "sub" / "net.onnx"


def test_a_second_root(root: Path, tmp_path: Path) -> None:
    other = tmp_path / "models-private"
    assert resolve_under([root, other], str(other / "secret.onnx")).name == "secret.onnx"


@pytest.mark.parametrize(
    "text",
    [
        "/etc/passwd",
        "../models-private/secret.onnx",
        "{root}-private/secret.onnx",
        "{root}-private/not-there.onnx",
        "sub/../../models-private/secret.onnx",
        "//server/share/net.onnx",
        "\\\\server\\share\\net.onnx",
        "\\\\?\\C:\\net.onnx",
        "sub/net.onnx\0.txt",
        "link-out/secret.onnx",
    ],
)
def test_outside_is_forbidden_and_tells_nothing(root: Path, text: str) -> None:
    (root / "link-out").symlink_to(root.parent / "models-private")
    with pytest.raises(ForbiddenPathError, match="not one that Studio reads"):
        resolve_under([root], text.format(root=root))


def test_a_link_that_stays_inside_is_followed(root: Path) -> None:
    (root / "alias.onnx").symlink_to("sub/net.onnx")
    assert resolve_under([root], "alias.onnx") == root / "sub" / "net.onnx"


@pytest.mark.parametrize(
    "text", ["none.onnx", "sub/net.onnx/x", "x" * 5000, "\ud800", "~nobody-x/a"]
)
def test_what_is_not_there_is_said_in_the_callers_words(root: Path, text: str) -> None:
    with pytest.raises(NotFoundError) as error:
        resolve_under([root], text)
    assert str(error.value) == f"Path {text} does not exist"


def test_a_loop_of_links_ends(root: Path) -> None:
    (root / "a").symlink_to("b")
    (root / "b").symlink_to("a")
    with pytest.raises(NotFoundError):
        resolve_under([root], "a")


def test_an_empty_path_and_no_roots(root: Path) -> None:
    with pytest.raises(InvalidRequestError, match="is empty"):
        resolve_under([root], " ")
    with pytest.raises(ForbiddenPathError):
        resolve_under([], str(root))


def test_inside_a_folder(root: Path) -> None:
    assert inside(root, "sub/net.onnx") == root / "sub" / "net.onnx"
    with pytest.raises(ForbiddenPathError, match="leads out of"):
        inside(root, "../models-private")
