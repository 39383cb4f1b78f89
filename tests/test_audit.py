"""The audit of dependencies: fails on what it found, calls nothing clean that it did not see."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

SCRIPT = Path(__file__).parents[1] / "scripts" / "audit.py"

# As pip-audit 2.10 writes it.
VULNERABLE = {
    "name": "jinja2",
    "version": "2.4.1",
    "vulns": [
        {
            "id": "PYSEC-2014-8",
            "fix_versions": ["2.7.2"],
            "aliases": ["CVE-2014-1402"],
            "description": "",
        }
    ],
}
CLEAN = {"name": "numpy", "version": "2.4.6", "vulns": []}
SKIPPED = {"name": "scipy", "skip_reason": "Dependency not found on PyPI and could not be audited"}
OWN = {"name": "studio-workbench", "skip_reason": "Dependency not found on PyPI"}


def judge(tmp_path: Path, *packages: dict[str, Any]) -> tuple[int, str]:
    report = tmp_path / "report.json"
    report.write_text(json.dumps({"dependencies": packages, "fixes": []}), encoding="utf-8")
    run = subprocess.run(
        [sys.executable, str(SCRIPT), "--report", str(report)],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    return run.returncode, run.stdout + run.stderr


def test_a_known_vulnerability_fails(tmp_path: Path) -> None:
    code, text = judge(tmp_path, CLEAN, VULNERABLE, OWN)
    assert code == 1
    assert "VULNERABLE  jinja2 2.4.1: PYSEC-2014-8, fixed in 2.7.2" in text


def test_what_was_looked_at_passes(tmp_path: Path) -> None:
    code, text = judge(tmp_path, CLEAN, OWN)
    assert (code, text) == (0, "audited 1 packages: 0 vulnerabilities\n")


def test_who_was_not_looked_at_is_named(tmp_path: Path) -> None:
    code, text = judge(tmp_path, CLEAN, SKIPPED, OWN)
    assert code == 0 and "NOT AUDITED  1 packages: scipy" in text


@pytest.mark.parametrize("packages", [(), (SKIPPED, OWN)])
def test_an_audit_of_nothing_is_no_clean_one(tmp_path: Path, packages: Any) -> None:
    code, text = judge(tmp_path, *packages)
    assert code == 0 and text.startswith("NOT AUDITED  ") and "0 vulnerabilities" not in text


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        ({"dependencies": [{**VULNERABLE, "vulns": []}]}, "does not know that jinja2==2.4.1"),
        ({"dependencies": [SKIPPED]}, "knows none of the 1 packages"),
        (None, "no route to host"),
    ],
)
def test_a_service_that_misses_the_known_one_is_not_believed(
    tmp_path: Path, answer: Any, why: str
) -> None:
    """pip-audit itself is replaced by a module that answers so, and is asked once only."""
    (tmp_path / "pip_audit.py").write_text(
        "import pathlib, sys\n"
        "with open('calls.txt', 'a') as calls: calls.write('called\\n')\n"
        + (f"print({json.dumps(answer)!r})" if answer else "sys.exit('no route to host')")
    )
    run = subprocess.run(
        [sys.executable, "-P", str(SCRIPT)],
        cwd=tmp_path,
        env={"PYTHONPATH": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0 and run.stdout.startswith("NOT AUDITED"), run.stdout + run.stderr
    assert why in run.stdout
    assert (tmp_path / "calls.txt").read_text() == "called\n"
