"""Editable attributes: parsed, validated, formatted and stepped in one place."""

from __future__ import annotations
