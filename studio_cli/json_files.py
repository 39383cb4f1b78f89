"""JSON files that other commands wrote: read, or refused with the command that makes one."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from studio_core.errors import InvalidRequestError, NotFoundError


def read_object(path: Path, what: str, made_by: str) -> dict[str, Any]:
    """The JSON object in ``path``, which should be ``what`` (``a plan``).

    ``made_by`` is the command that makes one, up to its ``-o``.
    """
    try:
        document = json.loads(path.read_bytes())
    except FileNotFoundError:
        raise NotFoundError(
            f"Path {path} does not exist. `{made_by} -o {path}` makes it."
        ) from None
    except (ValueError, RecursionError) as error:
        raise InvalidRequestError(f"{path} is not {what}: it is not JSON ({error}).") from None
    if not isinstance(document, dict):
        raise InvalidRequestError(f"{path} is not {what}: it must hold a JSON object.")
    return document
