"""The API document, written by hand in openapi.yaml; the tests drive the server from it."""

from __future__ import annotations

from functools import cache
from importlib.resources import files
from typing import Any

import yaml


@cache
def as_yaml() -> str:
    return (files("studio_server") / "openapi.yaml").read_text(encoding="utf-8")


@cache
def as_document() -> dict[str, Any]:
    document: dict[str, Any] = yaml.safe_load(as_yaml())
    return document
