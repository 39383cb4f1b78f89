"""Names that people give: which can be file names on every system, and folders made from them."""

from __future__ import annotations

import re
import unicodedata

from studio_core.errors import InvalidRequestError

MAX_NAME_LENGTH = 100
MAX_SLUG_BYTES = 80

_NAME = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9_.-]*")
_WORD = re.compile(r"[^\W_]+")

# Windows opens a device for these, with any ending, in every folder.
_DEVICES = {"con", "prn", "aux", "nul"} | {f"{d}{n}" for d in ("com", "lpt") for n in range(10)}


RESERVED_ANALYSES = frozenset({"approx"})


def check_analysis_name(name: object) -> str:
    """``name``, if an analysis may bear it; ``approx`` is that of the estimates."""
    return check_name(name, "an analysis", RESERVED_ANALYSES)


def check_name(name: object, what: str, reserved: frozenset[str] = frozenset()) -> str:
    """``name``, if it can name a file on every system; ``what`` it names, for the error.

    A name has 1 to 100 letters, digits, ``-``, ``_`` and ``.``, with no ``.`` at either
    end, and is neither a Windows device nor ``reserved``.
    """
    if not is_name(name):
        raise InvalidRequestError(
            f"{_shown(name)} cannot be the name of {what}. Use 1 to {MAX_NAME_LENGTH} letters, "
            "digits, '-', '_' and '.', with no '.' at either end, and no device name of Windows."
        )
    assert isinstance(name, str)
    if name in reserved:
        raise InvalidRequestError(f"'{name}' is reserved; choose another name for {what}.")
    return name


def is_name(name: object) -> bool:
    return (
        isinstance(name, str)
        and len(name) <= MAX_NAME_LENGTH
        and _NAME.fullmatch(name) is not None
        and not name.endswith(".")
        and name.split(".")[0].lower() not in _DEVICES
    )


def split_version(text: str) -> tuple[str, int | None]:
    """``mild@2`` → the name and the number of a version; None for the latest."""
    name, _, version = text.partition("@")
    if version and not (version.isascii() and version.isdigit() and len(version) < 10):
        raise InvalidRequestError(
            f"'{version[:MAX_NAME_LENGTH]}' is no number of a version, as in NAME@2."
        )
    return name, int(version) if version else None


def slug(name: str) -> str:
    """A readable beginning for the folder of a project: ``My ResNet/50`` → ``my-resnet-50``.

    Letters of all scripts are kept; ``project`` where nothing is left.
    """
    words = _WORD.findall(unicodedata.normalize("NFC", name.lower()))
    cut = "-".join(words).encode()[:MAX_SLUG_BYTES].decode(errors="ignore")
    return cut.strip("-") or "project"


def _shown(name: object) -> str:
    text = repr(name)
    return text if len(text) <= MAX_NAME_LENGTH else f"{text[:MAX_NAME_LENGTH]}…"
