"""`model_findings`: everything noticed about a model, its plan, its analyses and its runs."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from studio_core.documents import Document
from studio_core.finding import Finding
from studio_core.findings.gathering import ordered
from studio_core.findings.model_facts import ModelFacts
from studio_core.findings.model_rules.channel_blocks import channel_blocks
from studio_core.findings.model_rules.few_samples import few_samples
from studio_core.findings.model_rules.no_gain import no_gain, time_not_measured
from studio_core.findings.model_rules.noisy_times import noisy_times
from studio_core.findings.model_rules.not_measured import not_measured
from studio_core.findings.model_rules.other_model import other_model
from studio_core.findings.model_rules.random_data import random_data
from studio_core.findings.model_rules.sensitive_layers import sensitive_layers
from studio_core.findings.model_rules.shared_weights import shared_weights
from studio_core.findings.model_rules.unreadable_weights import unreadable_weights
from studio_core.findings.model_rules.verified_plan import verified_plan
from studio_core.findings.model_rules.zero_weights import zero_weights
from studio_core.plan_runs.documents import verification_document
from studio_core.plan_runs.removal import Removal
from studio_core.plans import PruningPlan
from studio_core.plans.verification import Verification
from studio_core.sensitivity import Analysis
from studio_core.session import Session

Rule = Callable[[ModelFacts], Iterable[Finding]]

RULES: tuple[Rule, ...] = (
    verified_plan,
    shared_weights,
    sensitive_layers,
    no_gain,
    channel_blocks,
    other_model,
    random_data,
    few_samples,
    noisy_times,
    not_measured,
    unreadable_weights,
    zero_weights,
    time_not_measured,
)
"""Within a severity, findings come in this order: what concerns the decision first."""


def model_findings(
    session: Session,
    plan: PruningPlan | None = None,
    loss: Analysis | None = None,
    perf: Analysis | None = None,
    verifications: Sequence[Verification | Document] = (),
    removal: Removal | None = None,
) -> tuple[Finding, ...]:
    """What a person should know of the model, the gravest first; ``subject`` is a layer's id.

    Without ``loss`` the plan is judged by the estimate. ``verifications`` are runs of the plan,
    the oldest first, as records or as a saved plan keeps them. ``removal`` is what the plan
    removes, single weights unless given.
    """
    documents = tuple(
        verification_document(v) if isinstance(v, Verification) else v for v in verifications
    )
    judged_by = loss if loss is not None or plan is None else session.loss
    facts = ModelFacts(session, plan, judged_by, perf, documents, removal or Removal())
    return ordered(finding for rule in RULES for finding in rule(facts))
