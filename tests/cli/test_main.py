"""`studio` itself: exit codes, help, and ends that must be quiet."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from studio_cli.main import main
from studio_core import errors

if TYPE_CHECKING:
    from tests.cli.conftest import Studio

COMMANDS = (
    "layers", "loss", "perf", "sweep", "bench", "plan", "verify", "prune", "export", "projects",
    "create",
)  # fmt: skip
STUDIO = [sys.executable, "-m", "studio_cli"]
SOURCE = Path(__file__).parents[2]


def test_alone_it_shows_a_guide(studio: Studio) -> None:
    result = studio()
    assert result.status == 0
    assert all(f"studio {command}" in result.out for command in COMMANDS)
    assert "sample:digits_cnn" in result.out


def test_version(studio: Studio) -> None:
    result = studio("--version")
    assert result.status == 0
    assert result.out.startswith("studio ")


@pytest.mark.parametrize("command", COMMANDS)
def test_help_describes_a_command_and_shows_examples(studio: Studio, command: str) -> None:
    result = studio(command, "--help")
    assert result.status == 0
    assert "examples:\n  studio " in result.out
    assert f"studio {command} " in result.out.split("examples:")[1]


def test_help_loads_nothing_heavy() -> None:
    code = (
        "import sys; from studio_cli.main import main\n"
        "for args in [[], ['--help'], ['plan', '--help'], ['sweep', '--help']]:\n"
        "    assert main(args) == 0\n"
        "heavy = {'numpy', 'onnx', 'rich', 'yaml', 'onnxruntime', 'IPython'} & set(sys.modules)\n"
        "sys.exit(f'loaded: {heavy}' if heavy else 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=SOURCE, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("args", [["nonsense"], ["layers"], ["layers", "--nonsense", "x"]])
def test_wrong_usage_ends_with_2(studio: Studio, args: list[str]) -> None:
    result = studio(*args)
    assert result.status == 2
    assert "usage: studio" in result.err


def _family(kind: type[errors.StudioError]) -> Iterator[type[errors.StudioError]]:
    yield kind
    for child in kind.__subclasses__():
        if child.__module__ == errors.__name__:  # refinements elsewhere go by their parent
            yield from _family(child)


@pytest.mark.parametrize("kind", list(_family(errors.StudioError)), ids=lambda k: k.__name__)
def test_every_error_of_the_family_is_a_sentence_and_1(
    studio: Studio, monkeypatch: pytest.MonkeyPatch, kind: type[errors.StudioError]
) -> None:
    def fail(args: object) -> None:
        raise kind("It broke.\nDo \x1b[31mthis.")

    monkeypatch.setattr("studio_cli.commands.layers.run", fail)
    result = studio("layers", "model.onnx")
    assert (result.status, result.out) == (1, "")
    assert result.err == "studio: It broke.\\nDo \\x1b[31mthis.\n"


def test_files_that_are_no_models(studio: Studio, tmp_path: Path, two_layers: Path) -> None:
    text = tmp_path / "text.onnx"
    text.write_text("hello, I am a text file")
    cut = tmp_path / "cut.onnx"
    cut.write_bytes(two_layers.read_bytes()[:-40])
    for path in (text, cut, tmp_path, tmp_path / "absent.onnx", tmp_path / ("n" * 300)):
        result = studio("layers", path)
        assert result.status == 1, path
        assert result.err.startswith("studio: ")
        assert "Traceback" not in result.err


def test_a_sample_without_its_prefix_is_suggested(studio: Studio) -> None:
    assert "Did you mean sample:digits_cnn?" in studio("layers", "digits_cnn").err


def test_an_unknown_sample_names_those_there_are(studio: Studio) -> None:
    result = studio("layers", "sample:cats")
    assert result.status == 1
    assert "digits_cnn" in result.err


def test_an_unknown_dimension_names_those_there_are(studio: Studio, attention: Path) -> None:
    result = studio("layers", attention, "--dimension", "length=5")
    assert result.status == 1
    assert "'sequence'" in result.err


def test_ctrl_c_ends_with_130(studio: Studio, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(args: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("studio_cli.commands.layers.run", interrupt)
    result = studio("layers", "model.onnx")
    assert (result.status, result.out, result.err) == (130, "", "")


def test_a_reader_who_leaves_early_is_no_error() -> None:
    """As with ``studio loss … --json | head -1``, the answer larger than a pipe's buffer."""
    args = ["loss", "sample:digits_cnn", "--resolution", "full", "--json"]
    with subprocess.Popen(
        [*STUDIO, *args], cwd=SOURCE, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        assert process.stdout.readline() == b"{\n"
        process.stdout.close()
        assert process.stderr.read() == b""
    assert process.returncode == 0


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="a full disk to write to")
def test_a_full_disk_is_said_once() -> None:
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [*STUDIO, "--version"], cwd=SOURCE, stdout=full, stderr=subprocess.PIPE, text=True
        )
    assert done.returncode == 1
    assert done.stderr == "studio: No space left on device.\n"


@pytest.mark.skipif(os.name == "nt", reason="POSIX signals")
def test_a_real_ctrl_c_shows_no_traceback() -> None:
    code = (
        "import os, signal, sys; from studio_cli import main\n"
        "from studio_cli.commands import layers\n"
        "layers.run = lambda args: os.kill(os.getpid(), signal.SIGINT)\n"
        "sys.exit(main.main(['layers', 'x']))"
    )
    # A shell without job control may have its children ignore the signal.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        done = subprocess.run([sys.executable, "-c", code], cwd=SOURCE, capture_output=True)
    finally:
        signal.signal(signal.SIGINT, before)
    assert (done.returncode, done.stderr) == (130, b"")


def test_an_ascii_terminal_gets_all_it_can_show(two_layers: Path) -> None:
    done = subprocess.run(
        [*STUDIO, "layers", str(two_layers)],
        cwd=SOURCE,
        capture_output=True,
        env={**os.environ, "PYTHONIOENCODING": "ascii"},
    )
    assert done.returncode == 0
    assert rb"4\xd73" in done.stdout


def test_main_takes_the_process_arguments(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["studio", "--version"])
    assert main() == 0
    assert capsys.readouterr().out.startswith("studio ")
