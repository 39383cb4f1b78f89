"""Sentences that tell what an answer leaves out, so that nothing is missing silently."""

from __future__ import annotations

from typing import TYPE_CHECKING

from studio_cli.text import plural

if TYPE_CHECKING:
    from studio_core.session import Session


def macs_note(session: Session) -> str:
    """How many layers have unknown MACs, and which ``--dimension`` would tell; or nothing."""
    unknown = session.summary.num_macs_unknown
    if not unknown:
        return ""
    given = session.model.dimensions
    free = [
        dim
        for value in session.model.inputs
        for dim in value.shape or ()
        if isinstance(dim, str) and dim not in given
    ]
    options = " ".join(f"--dimension {name}=SIZE" for name in dict.fromkeys(free))
    advice = f" Give {options}." if options else ""
    return f"MACs of {plural(unknown, 'prunable layer')} are unknown and not in the sum.{advice}"


def curves_note(session: Session) -> str:
    """How many layers have no curve; or nothing."""
    missing = len(session.layers) - len(session.prunable_layers)
    if not missing:
        return ""
    verb = "has" if missing == 1 else "have"
    return (
        f"{plural(missing, 'layer')} cannot be pruned and {verb} no curve; "
        "`studio layers MODEL --all` says why."
    )
