"""Jobs that take too much: ended with the name of the limit, what they measured kept."""

from __future__ import annotations

from collections.abc import Callable

from studio_core.jobs import JobQueue, JobState
from studio_core.jobs.order import Order
from studio_core.limits import Limits


def test_the_limits_reach_the_worker() -> None:
    limits = Limits(max_nodes=7, max_job_seconds=1.5)
    order = Order("/p", None, "j", 1, "m:f", "p", "loss", "a", {}, limits)
    assert Order.from_text(order.to_text()) == order


def test_a_job_that_takes_too_long_is_ended(make_queue: Callable[..., JobQueue]) -> None:
    queue = make_queue("endless", limits=Limits(max_job_seconds=0.5))
    failed = queue.wait(queue.submit("p", "loss", "a").id, 20)
    assert failed.state is JobState.FAILED and failed.error_kind == "LimitError"
    assert "max_job_seconds = 0.5 " in str(failed.error)
    assert failed.progress.done == 1


def test_a_job_that_takes_too_much_memory_fails_in_words(
    make_queue: Callable[..., JobQueue],
) -> None:
    queue = make_queue("hoard", limits=Limits(max_job_memory_bytes=600 << 20))
    failed = queue.wait(queue.submit("p", "loss", "a").id, 20)
    assert failed.state is JobState.FAILED
    assert "Memory ran out" in str(failed.error), failed.error
