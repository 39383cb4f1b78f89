"""The one table from Studio's errors to HTTP statuses."""

from __future__ import annotations

from http import HTTPStatus

from tornado.web import HTTPError

from studio_core import errors
from studio_core.errors import (
    ChangedMeanwhileError,
    ConflictError,
    ForbiddenPathError,
    InfeasibleError,
    InvalidModelError,
    InvalidRequestError,
    NotFoundError,
    StorageError,
    StudioError,
)
from studio_core.jobs import Job, JobState

# A subclass that is not named here has the status of its base class.
STATUSES: dict[type[StudioError], HTTPStatus] = {
    NotFoundError: HTTPStatus.NOT_FOUND,
    InvalidModelError: HTTPStatus.BAD_REQUEST,
    InvalidRequestError: HTTPStatus.BAD_REQUEST,
    ForbiddenPathError: HTTPStatus.FORBIDDEN,
    ConflictError: HTTPStatus.CONFLICT,
    ChangedMeanwhileError: HTTPStatus.PRECONDITION_FAILED,
    InfeasibleError: HTTPStatus.UNPROCESSABLE_ENTITY,
    # Not 500, which is kept for defects of Studio itself: here the disk is at fault, and
    # the person who runs the server can mend it.
    StorageError: HTTPStatus.INSUFFICIENT_STORAGE,
}


def status_of(error: StudioError) -> HTTPStatus:
    """The status of the nearest class above ``error`` in the table."""
    return next(STATUSES[kind] for kind in type(error).__mro__ if kind in STATUSES)


def http_error(error: StudioError) -> HTTPError:
    """``error`` as the server's own error; its message goes to the client as it is."""
    return HTTPError(status_of(error), error.message)


def job_error(job: Job) -> HTTPError:
    """What a client hears that waited for ``job``, which did not get done."""
    kind = getattr(errors, job.error_kind or "", None)
    if kind is not None:
        return http_error(kind(job.error))
    if job.state is JobState.FAILED:
        return HTTPError(HTTPStatus.INTERNAL_SERVER_ERROR, job.error or "The job failed.")
    return HTTPError(HTTPStatus.CONFLICT, f"The {job.title} was {job.state}. {job.error or ''}")
