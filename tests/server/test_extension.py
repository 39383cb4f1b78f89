"""Installing the package is all it takes: the server finds and enables Studio by itself."""

from __future__ import annotations

import subprocess
import sys
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

import pytest

from studio_server.app import DISTRIBUTION


def is_installed() -> bool:
    try:
        distribution(DISTRIBUTION)
    except PackageNotFoundError:
        return False
    return True


installed = pytest.mark.skipif(not is_installed(), reason="needs `pip install .`")


def run(*arguments: str) -> str:
    result = subprocess.run(
        [str(Path(sys.executable).parent / "jupyter"), *arguments],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert result.returncode == 0, result.stderr
    return result.stdout + result.stderr


@installed
def test_jupyter_lists_it_as_enabled_and_ok() -> None:
    lines = [line.strip() for line in run("server", "extension", "list").splitlines()]
    assert any("studio_server" in line and "enabled" in line for line in lines), lines
    assert any("studio_server" in line and "OK" in line for line in lines), lines


@installed
def test_jupyter_studio_is_a_command_with_help() -> None:
    text = run("studio", "--help")
    assert "--project-root" in text and "--model-root" in text
