"""The chips a module is compiled for: built in, from the module, or from a file.

``system_in_use`` says which one counts: a file the user names, else the description in the
module, else the built-in one of an architecture. ``origin`` and ``sentence`` tell which it was.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from studio_core.errors import InvalidRequestError, NotFoundError
from studio_core.hardware.chips import (
    ARCHITECTURES,
    DEFAULT_ARCH,
    Chip,
    Origin,
    SystemDescription,
    builtin_system,
    group_attributes,
)
from studio_core.hardware.system_text import (
    parse_system,
    system_from_document,
    system_to_document,
)
from studio_core.mlir.records import Operation
from studio_core.projects.files import parse_object

__all__ = [
    "ARCHITECTURES", "DEFAULT_ARCH", "Chip", "Origin", "SystemDescription", "builtin_system",
    "group_attributes", "parse_system", "system_from_document", "system_from_file",
    "system_in_use", "system_of", "system_to_document",
]  # fmt: skip

ATTRIBUTE_NAMES = ("ttcore.system_desc", "tt.system_desc")
MAX_FILE_BYTES = 64 << 20


def system_of(module: Operation) -> SystemDescription | None:
    """The description that the module holds, or one of the modules in it; None without one.

    Raises `InvalidRequestError` if there is one that cannot be read.
    """
    text = _system_text(module)
    return parse_system(text) if text is not None else None


def system_from_file(path: str | Path) -> SystemDescription:
    """The description in a file: JSON of ours, or text that holds ``#ttcore.system_desc<…>``.

    Raises `NotFoundError` where there is no such file, `InvalidRequestError` for one that
    cannot be read, such as the binary ``.ttsys`` that ``ttrt query`` writes.
    """
    path = Path(path)
    text = _file_text(path)
    try:
        if text.lstrip().startswith("{"):
            found = system_from_document(parse_object(text))
        else:
            found = parse_system(text)
    except InvalidRequestError as error:
        raise InvalidRequestError(f"{path.name} is no system description. {error}") from error
    return replace(found, origin="file", path=path)


def system_in_use(
    module: Operation | None = None,
    *,
    path: str | Path | None = None,
    arch: str | None = None,
) -> SystemDescription:
    """The description that counts: the file's, else the module's, else that of ``arch``.

    A module's description that cannot be read is passed over, and ``note`` says so. Raises
    as `system_from_file` does, and `InvalidRequestError` for an unknown architecture.
    """
    if path is not None:
        return system_from_file(path)
    note = ""
    try:
        found = system_of(module) if module is not None else None
    except InvalidRequestError as error:
        found, note = None, f"The module's own system description was passed over. {error}"
    return found if found is not None else replace(builtin_system(arch or DEFAULT_ARCH), note=note)


def _file_text(path: Path) -> str:
    try:
        if path.stat().st_size > MAX_FILE_BYTES:
            raise InvalidRequestError(f"{path.name} is too large for a system description.")
        data = path.read_bytes()
    except FileNotFoundError as error:
        raise NotFoundError(f"There is no system description at {path}.") from error
    except OSError as error:
        raise InvalidRequestError(f"{path} cannot be read ({error.strerror}).") from error
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError:
        text = "\0"
    if "\0" in text:
        raise InvalidRequestError(
            f"{path.name} is a binary system description, which only tt-mlir reads. Give its "
            "text: an .mlir file compiled with it holds #ttcore.system_desc<…>."
        )
    return text


def _system_text(module: Operation) -> str | None:
    """The text of the first system description in a module or the modules directly inside."""
    waiting = [module]
    for operation in waiting:
        for name in ATTRIBUTE_NAMES:
            if name in operation.attributes:
                return operation.attributes[name].text
        inner = (o for block in operation.blocks() for o in block.operations)
        waiting += [o for o in inner if o.name.endswith("module")]
    return None
