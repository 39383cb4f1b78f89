from __future__ import annotations

import pytest

from studio_core import errors
from studio_server.errors import STATUSES, http_error, status_of


def family(kind: type[errors.StudioError]) -> list[type[errors.StudioError]]:
    # Refinements in other rooms go by their parent in the table.
    children = [c for c in kind.__subclasses__() if c.__module__ == errors.__name__]
    return [kind, *(below for child in children for below in family(child))]


KINDS = [kind for kind in family(errors.StudioError) if kind is not errors.StudioError]


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_every_error_has_a_status(kind: type[errors.StudioError]) -> None:
    assert any(above in STATUSES for above in kind.__mro__), f"add {kind.__name__} to STATUSES"
    assert 400 <= status_of(kind("x")) < 600


def test_the_statuses_of_the_contract() -> None:
    expected = {
        errors.NotFoundError: 404,
        errors.InvalidModelError: 400,
        errors.TruncatedModelError: 400,
        errors.InvalidRequestError: 400,
        errors.ForbiddenPathError: 403,
        errors.ConflictError: 409,
        errors.InfeasibleError: 422,
        errors.StorageError: 507,
    }
    assert {kind: int(status_of(kind("x"))) for kind in expected} == expected


def test_the_message_is_passed_on_as_it_is() -> None:
    error = http_error(errors.NotFoundError("100% of it is gone"))
    assert (error.status_code, error.log_message % error.args) == (404, "100% of it is gone")
