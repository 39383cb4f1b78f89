"""What Studio notices by itself: `model_findings` and `module_findings`, one rule a file.

A rule gets the facts and yields findings, each with hazard, evidence and remedy; it says
nothing where it does not know. What is wrong with overrides is checked in
`studio_core.overrides.checks` and told here with the rest.
"""

from studio_core.finding import Finding
from studio_core.findings.looked_at import looked_at_in_model, looked_at_in_module
from studio_core.findings.model_findings import model_findings
from studio_core.findings.module_findings import module_findings

__all__ = [
    "Finding",
    "looked_at_in_model",
    "looked_at_in_module",
    "model_findings",
    "module_findings",
]
