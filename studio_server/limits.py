"""The limits of core as one setting of the server: ``c.StudioApp.limits = {"max_nodes": …}``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, replace
from typing import Any

from traitlets import Dict, TraitError

from studio_core.limits import DEFAULT_LIMITS, Limits

LIMITS_HELP = """What a model, and a job, may ask for, by the names that the messages say, such
as {"max_nodes": 2000000} or --StudioApp.limits=max_nodes=2000000. By default: """ + ", ".join(
    f"{f.name}={getattr(DEFAULT_LIMITS, f.name)}" for f in fields(Limits)
)


class LimitsTrait(Dict):
    """A mapping from names of `Limits` to numbers."""

    def validate(self, obj: Any, value: Any) -> Any:
        made = super().validate(obj, value)
        limits_from(made or {})
        return made

    def from_string_list(self, s_list: list[str]) -> Any:
        pairs = (text.partition("=") for text in s_list)
        return {name.strip(): _number(text) for name, _, text in pairs}


def limits_from(given: Mapping[str, Any]) -> Limits:
    """`Limits` with the values ``given``; raises TraitError for what is none."""
    known = {f.name for f in fields(Limits)}
    for name, value in given.items():
        if name not in known:
            raise TraitError(f"There is no limit '{name}'. Limits: {', '.join(sorted(known))}.")
        if name == "allow_hard_links":
            if not isinstance(value, (bool, int)):
                raise TraitError(f"Limit '{name}' must be true or false.")
        elif isinstance(value, bool) or not isinstance(value, (int, float)) or not value > 0:
            raise TraitError(f"Limit '{name}' must be a number above 0; it is {value!r}.")
    return replace(DEFAULT_LIMITS, **given)


def _number(text: str) -> Any:
    text = text.strip()
    if text.lower() in ("true", "false"):
        return text.lower() == "true"
    try:
        return float(text) if set(text) & set(".eE") else int(text)
    except ValueError:
        return text  # which validation refuses, by its name
