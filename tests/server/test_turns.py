"""Who computes in the server's process, and how large answers leave it."""

from __future__ import annotations

import json
import threading
from typing import Any

import pytest

from studio_server import base, wire
from studio_server.turns import Turns

SECONDS = 10


def start(work: Any) -> threading.Thread:
    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    return thread


def test_others_wait_for_a_turn() -> None:
    turns, begun, end = Turns(1), threading.Event(), threading.Event()

    def other() -> None:
        with turns.taken():
            begun.set()

    with turns.taken():
        thread = start(other)
        assert not begun.wait(0.1)
        with turns.left():
            assert begun.wait(SECONDS), "who waits for a process lets the others go on"
        end.set()
    thread.join(SECONDS)


def test_a_turn_that_was_left_is_waited_for_again() -> None:
    turns, order, taken = Turns(1), list[str](), threading.Event()

    def other() -> None:
        with turns.taken():
            taken.set()
            threading.Event().wait(0.1)
            order.append("other")

    with turns.taken():
        with turns.left():
            thread = start(other)
            assert taken.wait(SECONDS)
        order.append("first")
    thread.join(SECONDS)
    assert order == ["other", "first"]


def test_who_has_no_turn_leaves_none() -> None:
    turns = Turns(1)
    with turns.left():
        pass
    with pytest.raises(ValueError, match="as it was"), turns.taken():
        raise ValueError("as it was")
    with turns.taken():
        assert not turns._free.acquire(blocking=False), "there is one turn as before"


async def test_a_process_that_reads_takes_no_turn(
    api: Any, model_file: Any, jp_serverapp: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While files of others are tried, everybody else is answered."""
    app = jp_serverapp.extension_manager.extension_points["studio"].app
    free: list[bool] = []
    read = app.guard._read_in_place

    def watched(*given: Any) -> Any:
        free.extend(app.turns._free.acquire(blocking=False) for _ in range(app.max_computing))
        for was_free in free:
            if was_free:
                app.turns._free.release()
        return read(*given)

    monkeypatch.setattr(app.guard, "_read_in_place", watched)
    wanted = {"modelPath": model_file.name, "projectConfig": {}}
    assert (await api("POST", "/api/projects", wanted)).status == 200
    assert free == [True] * app.max_computing


@pytest.mark.parametrize(
    "document",
    [{}, {"a": []}, {"a": [1] * 99, "b": list(range(1234)), "é": {"x": [{"y": None}] * 250}},
     {"l": [{"n": 0.1, "t": "<é>"}] * 101, "z": "\n"}],
)  # fmt: skip
def test_long_lists_are_written_as_any_other(document: Any) -> None:
    assert wire.to_text(document) == json.dumps(document)
    with pytest.raises(ValueError, match="not JSON compliant"):
        wire.to_text({**document, "a": [float("nan")] * 300})


async def test_a_large_answer_is_not_hashed_by_the_event_loop(
    api: Any, project_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "Etag" in (await api("GET", project_url)).headers
    monkeypatch.setattr(base, "MOST_HASHED_BYTES", 10)
    assert "Etag" not in (await api("GET", project_url)).headers
