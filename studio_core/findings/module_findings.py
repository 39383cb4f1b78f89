"""`module_findings`: everything noticed about an opened module or model and its run."""

from __future__ import annotations

from studio_core.explorer.exploration import OPTIMIZER_ENABLED, Exploration
from studio_core.finding import Finding
from studio_core.findings.gathering import ordered
from studio_core.findings.module_rules.dram_spill import dram_spill
from studio_core.findings.module_rules.l1_over_limit import l1_over_limit
from studio_core.findings.module_rules.overrides import not_applied, overrides_to_mend
from studio_core.findings.module_rules.run_quality import run_quality
from studio_core.findings.module_rules.unknown_memory import unknown_memory


def module_findings(
    exploration: Exploration, policy: str = OPTIMIZER_ENABLED
) -> tuple[Finding, ...]:
    """What a person should know of the graph that is looked at, the gravest first.

    ``subject`` is a node's id; overrides are judged for a run under ``policy``.
    """
    opened = exploration.opened
    return ordered(
        (
            *overrides_to_mend(exploration, policy),
            *not_applied(exploration),
            *l1_over_limit(opened),
            *dram_spill(opened),
            *run_quality(exploration),
            *unknown_memory(opened),
        )
    )
