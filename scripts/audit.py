"""Audits the installed dependencies with pip-audit: ``python scripts/audit.py``.

Exit code 1 where a package has a known vulnerability. Where that cannot be known the exit code is
0, and the last line says NOT AUDITED and why: nothing is called clean that nobody looked at. So a
package that is known to be vulnerable is asked for first, and has to be found.

``--report FILE`` judges the JSON of an earlier run of pip-audit instead.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

CANARY = "jinja2==2.4.1"
"""Vulnerable for ten years: a service that does not know this knows nothing."""

OWN = "studio-workbench"
ANSWER_SECONDS = 5
MOST_SECONDS = 180


class NotAuditedError(Exception):
    """Nobody can say whether there are vulnerabilities; the message says why."""


@dataclass(frozen=True)
class Verdict:
    """What an audit found: vulnerabilities as sentences, and who was not looked at."""

    num_audited: int
    vulnerable: tuple[str, ...]
    skipped: tuple[str, ...]

    @property
    def exit_code(self) -> int:
        return 1 if self.vulnerable else 0

    @property
    def text(self) -> str:
        lines = [f"VULNERABLE  {sentence}" for sentence in self.vulnerable]
        if self.skipped:
            lines.append(f"NOT AUDITED  {len(self.skipped)} packages: {', '.join(self.skipped)}")
        lines.append(f"audited {self.num_audited} packages: {len(self.vulnerable)} vulnerabilities")
        return "\n".join(lines)


def judged(report: Mapping[str, Any]) -> Verdict:
    """The verdict on a report of pip-audit; `NotAuditedError` where it looked at nothing."""
    audited, vulnerable, skipped = 0, [], []
    for package in report["dependencies"]:
        if package["name"] == OWN:
            continue
        if "vulns" not in package:
            skipped.append(package["name"])
            continue
        audited += 1
        vulnerable += [_sentence(package, vulnerability) for vulnerability in package["vulns"]]
    if not audited:
        raise NotAuditedError(f"its service knows none of the {len(skipped)} packages")
    return Verdict(audited, tuple(vulnerable), tuple(skipped))


def _sentence(package: Mapping[str, Any], vulnerability: Mapping[str, Any]) -> str:
    fixed = ", ".join(vulnerability.get("fix_versions") or ()) or "no version yet"
    return f"{package['name']} {package['version']}: {vulnerability['id']}, fixed in {fixed}"


def audited(arguments: Sequence[str], seconds: float) -> Any:
    """The report of pip-audit run with these arguments."""
    command = [
        *(sys.executable, "-m", "pip_audit", "--format", "json", "--progress-spinner", "off"),
        *("--timeout", str(ANSWER_SECONDS), *arguments),
    ]
    try:
        run = subprocess.run(command, capture_output=True, text=True, timeout=seconds, check=False)
        return json.loads(run.stdout)
    except subprocess.TimeoutExpired:
        raise NotAuditedError(f"its service did not answer in {seconds:.0f} seconds") from None
    except ValueError:
        said = (run.stderr.strip().splitlines() or ["it said nothing"])[-1]
        raise NotAuditedError(said[:300]) from None


def check_service() -> None:
    """Raise `NotAuditedError` unless the service finds what is known to be vulnerable."""
    with tempfile.TemporaryDirectory() as folder:
        wanted = Path(folder, "canary.txt")
        wanted.write_text(f"{CANARY}\n", encoding="utf-8")
        report = audited(["--requirement", str(wanted), "--no-deps", "--disable-pip"], 60)
    if not judged(report).vulnerable:
        raise NotAuditedError(f"its service does not know that {CANARY} is vulnerable")


def main() -> int:
    parser = argparse.ArgumentParser(prog="scripts/audit", description=__doc__)
    parser.add_argument("--report", type=Path, help="JSON of pip-audit to judge")
    given = parser.parse_args().report
    try:
        if given is not None:
            report = json.loads(given.read_text(encoding="utf-8"))
        else:
            check_service()
            report = audited(["--local"], MOST_SECONDS)
        verdict = judged(report)
    except NotAuditedError as error:
        print(f"NOT AUDITED  pip-audit cannot tell: {error}.")
        return 0
    print(verdict.text)
    return verdict.exit_code


if __name__ == "__main__":
    sys.exit(main())
