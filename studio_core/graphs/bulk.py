"""Making a hundred thousand records at once without looking for garbage among them."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def without_collection() -> Iterator[None]:
    """Pauses the cyclic garbage collector, which would walk the growing graph again and again.

    That is a third of the time of a large conversion. Whoever finds it paused leaves it
    so; several threads at once may end the pause early, which costs time only.
    """
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()
