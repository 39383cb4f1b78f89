"""What clients send, read into records; all that is wrong with it is said in a sentence."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from tornado.web import HTTPError

from studio_core.errors import InvalidRequestError
from studio_core.plan_runs.fields import refuse_unknown
from studio_core.plan_runs.request import read_verify
from studio_core.projects.files import parse_object
from studio_core.sensitivity import AnalysisKind, Source
from studio_core.sensitivity.sweep.points import StopRule

T = TypeVar("T")

_IN_WORDS = {
    str: "a text",
    bool: "true or false",
    int: "a whole number",
    list: "a list",
    dict: "an object",
    object: "a number or a text",
}

_RUN_OPTIONS: dict[str, type[object]] = {
    "sparsityLevels": list,
    "samples": int,
    "batchSize": int,
    "iterations": int,
    "warmup": int,
    "numThreads": int,
    "granularity": str,
    "passes": list,
    "stopError": object,
    "workers": int,
    "scheduler": str,
    "data": str,
    "metric": str,
    "source": str,
    "resume": bool,
    "async": bool,
}
_LEAST = {"samples": 1, "batchSize": 1, "iterations": 1, "warmup": 0, "numThreads": 1, "workers": 1}

_SOURCES = (Source.MEASURED, Source.ESTIMATED, Source.DATA_AWARE)

_SWEEP_ONLY = ("passes", "stopError", "workers", "scheduler")

ANALYSIS_KEYS = {"loss": ("loss",), "perf": ("perf", "loss")}
"""Where a saved analysis may stand; for perf the seed's text and its example differ."""


@dataclass(frozen=True)
class NewProject:
    """Body of ``POST /api/projects``."""

    model_path: str
    config: Mapping[str, Any]

    @classmethod
    def read(cls, body: bytes) -> NewProject:
        given = read_object(body)
        return cls(required(given, "modelPath", str), required(given, "projectConfig", dict))


@dataclass(frozen=True)
class RunRequest:
    """Body of ``POST …/sparse-analysis/:kind/:analysis_id``; every field may be absent.

    ``options`` are those that steer the run, as they came; ``levels`` is the one of them
    that an estimate needs, which is computed at once and is no job.
    """

    levels: tuple[float, ...] | None
    options: Mapping[str, Any]
    is_estimate: bool
    is_async: bool

    @classmethod
    def read(
        cls, body: bytes, schedulers: Sequence[str] = (), kind: str = AnalysisKind.LOSS
    ) -> RunRequest:
        """``schedulers`` are the addresses that a client may name; ``kind`` is what to run."""
        given = read_object(body) if body.strip() else {}
        for key, value in given.items():
            if key not in _RUN_OPTIONS:
                known = ", ".join(_RUN_OPTIONS)
                raise InvalidRequestError(f"There is no option '{key}'. Known: {known}.")
            least = _LEAST.get(key)
            if (
                optional(given, key, _RUN_OPTIONS[key]) is not None
                and least is not None
                and value < least
            ):
                raise InvalidRequestError(f"Option '{key}' must be at least {least}.")
        _check_sweep(given, schedulers)
        source = given.get("source")
        source = Source.MEASURED if source is None else source
        if source not in _SOURCES:
            raise InvalidRequestError("Option 'source' must be measured, estimated or data-aware.")
        if source == Source.DATA_AWARE:
            _check_data_aware(given, kind)
        options = {key: v for key, v in given.items() if v is not None and key != "async"}
        levels = _levels(given.get("sparsityLevels"))
        return cls(levels, options, source == Source.ESTIMATED, bool(given.get("async")))


def _check_data_aware(given: Mapping[str, Any], kind: str) -> None:
    if kind != AnalysisKind.LOSS:
        raise InvalidRequestError(
            "Only a loss has a data-aware estimate. For performance 'source' is measured or "
            "estimated."
        )
    for key in _SWEEP_ONLY:
        if given.get(key) is not None:
            raise InvalidRequestError(f"A data-aware estimate takes no option '{key}'.")


def _check_sweep(given: Mapping[str, Any], schedulers: Sequence[str]) -> None:
    """What is wrong with the options of a measured sweep is said now, not by the job."""
    passes = given.get("passes") or []
    if any(isinstance(n, bool) or not isinstance(n, int) or n < 1 for n in passes):
        raise InvalidRequestError("'passes' must be a list of whole numbers from 1 up.")
    StopRule.of(given.get("stopError"))
    workers, most = given.get("workers"), os.cpu_count() or 1
    if workers is not None and workers > most:
        raise InvalidRequestError(f"Option 'workers' must be at most {most}, this server's cores.")
    scheduler = given.get("scheduler")
    # A server that connects wherever a client says reaches places that the client cannot.
    if scheduler is not None and scheduler not in schedulers:
        raise InvalidRequestError(
            "This server runs nothing on the scheduler named: only on those that its "
            "configuration lists (StudioApp.schedulers)."
        )
    if scheduler is not None and workers is not None:
        raise InvalidRequestError("Give 'workers' or a 'scheduler', only one of them.")


@dataclass(frozen=True)
class SpreadRequest:
    """Body of ``POST …/plan`` without a goal; only ``sparsity`` is required."""

    sparsity: float
    balance: float
    locked: Mapping[str, float]
    max_sparsity: float

    @classmethod
    def read(cls, given: Mapping[str, Any]) -> SpreadRequest:
        if "sparsity" not in given:
            raise InvalidRequestError("Missing required field 'sparsity'")
        locked = optional(given, "locked", dict) or {}
        return cls(
            _fraction(given, "sparsity", 0.0),
            _fraction(given, "balance", 1.0),
            {name: _fraction(locked, name, 0.0) for name in locked},
            _fraction(given, "maxSparsity", 0.95),
        )


@dataclass(frozen=True)
class PlanJobRequest:
    """Body of ``POST …/plans/:plan/verify`` and ``…/apply``; every field may be absent."""

    version: int | None
    options: Mapping[str, Any]
    is_async: bool

    @classmethod
    def read_verify(cls, body: bytes) -> PlanJobRequest:
        given, is_async = split_async(body)
        read_verify(given)  # what is wrong with it is said now, not by the job
        return cls(_whole_version(given.get("version")), given, is_async)

    @classmethod
    def read_apply(cls, body: bytes) -> PlanJobRequest:
        given, is_async = split_async(body)
        refuse_unknown(given, ("version",), "A request to apply a plan")
        return cls(_whole_version(given.get("version")), {}, is_async)


def split_async(body: bytes) -> tuple[dict[str, Any], bool]:
    """The object in a body that may be empty, and apart from it whether a job shall answer."""
    given = read_object(body) if body.strip() else {}
    is_async = bool(optional(given, "async", bool))
    rest = {key: value for key, value in given.items() if key != "async" and value is not None}
    return rest, is_async


def read_note(body: bytes) -> str:
    """Body of ``PATCH …/plans/:plan``."""
    given = read_object(body)
    refuse_unknown(given, ("note",), "A change of a plan")
    return required(given, "note", str)


def read_version(text: str | None) -> int | None:
    """``?version=`` of a plan."""
    if text is None:
        return None
    if not (text.isascii() and text.isdigit() and len(text) < 10):
        raise HTTPError(400, "'version' must be a whole number, 1 or above.")
    return int(text)


def read_fraction(text: str | None, name: str, default: float) -> float:
    """A fraction from 0 to 1 of a query, such as ``?sparsity=``."""
    if text is None:
        return default
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not 0 <= value <= 1:
        raise InvalidRequestError(f"'{name}' must be a fraction from 0 to 1.")
    return value


def _whole_version(value: Any) -> int | None:
    if value is not None and (isinstance(value, bool) or not isinstance(value, int)):
        raise InvalidRequestError("'version' must be a whole number, 1 or above.")
    return value


def _fraction(given: Mapping[str, Any], key: str, default: float) -> float:
    value = given.get(key)
    if value is None and key != "sparsity":
        return default
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value <= 1:
        raise InvalidRequestError(f"Field '{key}' must be a fraction from 0 to 1.")
    return float(value)


@dataclass(frozen=True)
class Export:
    """Body of ``…/config/export``; ``file_name`` is None where the method takes none."""

    fields: Mapping[str, Any]
    file_name: str

    @classmethod
    def read(cls, body: bytes, *, with_file: bool) -> Export:
        given = read_object(body)
        fields = required(given, "config_fields", dict)
        return cls(fields, required(given, "config_file", str) if with_file else "")


def read_project_config(body: bytes) -> Mapping[str, Any]:
    """Body of ``PUT /api/projects/:id``."""
    return required(read_object(body), "projectConfig", dict)


def read_analysis(body: bytes, kind: str) -> dict[str, Any]:
    """Body of ``PUT …/sparse-analysis/:kind/:analysis_id`` as the document that is kept."""
    given = read_object(body)
    keys = ANALYSIS_KEYS[kind]
    key = next((k for k in keys if k in given), keys[0])
    sensitivities = required(given, key, list)
    more = {k: v for k, v in given.items() if k not in keys}
    return {**more, "layerSensitivities": sensitivities}


def read_object(body: bytes) -> dict[str, Any]:
    """The JSON object in a request's body."""
    try:
        return parse_object(body)
    except InvalidRequestError as error:
        raise InvalidRequestError(f"The body of the request must be a JSON object. {error}") from (
            error
        )


def required(given: Mapping[str, Any], key: str, kind: type[T]) -> T:
    """The value under ``key``, which must be there and of the given kind."""
    if key not in given:
        raise InvalidRequestError(f"Missing required field '{key}'")
    return _checked(given[key], key, kind)


def optional(given: Mapping[str, Any], key: str, kind: type[T]) -> T | None:
    """The value under ``key``, or None where it is absent or null."""
    value = given.get(key)
    return None if value is None else _checked(value, key, kind)


def _checked(value: Any, key: str, kind: type[T]) -> T:
    # In Python True is an int; in JSON it is not a number.
    if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
        raise InvalidRequestError(f"Field '{key}' must be {_IN_WORDS[kind]}.")
    return value


def _levels(given: Any) -> tuple[float, ...] | None:
    if given is None:
        return None
    if not all(isinstance(v, (int, float)) and not isinstance(v, bool) for v in given):
        raise InvalidRequestError("'sparsityLevels' must be a list of fractions from 0 to 1.")
    if not all(0 <= level <= 1 for level in given):
        raise InvalidRequestError("'sparsityLevels' must be fractions from 0 to 1.")
    return tuple(float(level) for level in given)
