"""Uploads are named by us, bounded, and removed when told or old, and only if they are ours."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

import pytest

from studio_core.errors import InvalidRequestError, StorageError
from studio_server.uploads import DAY_SECONDS, Uploads


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "uploads"


def make(folder: Path, max_bytes: int = 1000, max_number: int = 3, days: float = 7) -> Uploads:
    return Uploads(folder, max_bytes=max_bytes, max_number=max_number, days=days)


def aged(path: Path, days: float) -> Path:
    path.write_bytes(b"x")
    then = time.time() - days * DAY_SECONDS
    os.utime(path, (then, then))
    return path


@pytest.mark.parametrize("name", ["../../a.onnx", "/etc/cron.d/a.onnx", "a\0b.onnx", "CON.onnx"])
def test_of_a_name_only_the_ending_is_taken(folder: Path, name: str) -> None:
    uploads = make(folder)
    path = uploads.keep(name, b"data")
    assert path.parent == folder and path.name.startswith("upload-") and path.suffix == ".onnx"
    assert path.read_bytes() == b"data" and uploads.is_own(path.resolve())
    with pytest.raises(InvalidRequestError, match="Files end in"):
        uploads.keep("a.py", b"data")


def test_there_is_so_much_room_and_no_more(folder: Path) -> None:
    uploads = make(folder)
    first = uploads.keep("a.onnx", b"x" * 600)
    with pytest.raises(StorageError, match=r"600 bytes.*at most 1,000.*max_uploads_bytes"):
        uploads.keep("b.onnx", b"x" * 401)
    uploads.keep("b.onnx", b"x" * 400)
    first.unlink()
    uploads.keep("c.onnx", b"")
    uploads.keep("d.onnx", b"")
    with pytest.raises(StorageError, match=r"3 uploads.*StudioApp\.max_uploads\)"):
        uploads.keep("e.onnx", b"")
    assert len(list(folder.iterdir())) == 3


def test_the_old_ones_of_ours_are_removed_and_nothing_else(folder: Path, tmp_path: Path) -> None:
    uploads = make(folder)
    folder.mkdir()
    kept = [
        aged(folder / "upload-0123456789abcdef.onnx", 6.9),
        aged(folder / "mine.onnx", 99),
        aged(folder / "upload-0123456789abcdeg.onnx", 99),
        aged(folder / "upload-0123456789abcdef.onnx.bak", 99),
        aged(tmp_path / "upload-1123456789abcdef.onnx", 99),
    ]
    gone = [
        aged(folder / "upload-2123456789abcdef.onnx", 7.1),
        aged(folder / ".upload-3123456789abcdef.onnx.tmp", 7.1),
    ]
    link = folder / "upload-4123456789abcdef.onnx"
    link.symlink_to(kept[-1])
    uploads.remove_old()
    assert all(path.is_file() for path in kept)
    assert not any(path.exists() for path in gone)
    assert not uploads.is_own(kept[-1]) and not uploads.is_own(kept[1].resolve())


def test_a_new_one_removes_the_old_first(folder: Path) -> None:
    folder.mkdir()
    old = aged(folder / "upload-2123456789abcdef.onnx", 8)
    make(folder, max_number=1).keep("a.onnx", b"")
    assert not old.exists()


class TestTheServer:
    @pytest.fixture
    def jp_server_config(self, project_root: Path) -> dict[str, Any]:
        (project_root / ".explorer" / "uploads").mkdir(parents=True)
        aged(project_root / ".explorer" / "uploads" / "upload-2123456789abcdef.onnx", 3)
        aged(project_root / ".explorer" / "uploads" / "mine.onnx", 3)
        return {
            "ServerApp": {"jpserver_extensions": {"studio_server": True}},
            "StudioApp": {
                "project_root": str(project_root),
                "max_uploads_bytes": 10,
                "keep_uploads_days": 2.0,
            },
        }

    async def test_removes_the_old_at_its_start_and_says_507_when_full(
        self, api: Any, jp_auth_header: Any, project_root: Path
    ) -> None:
        uploads = project_root / ".explorer" / "uploads"
        assert [path.name for path in uploads.iterdir()] == ["mine.onnx"]
        answers = [
            await api(
                "POST",
                "/apipost/v1/upload",
                body=b'--b\r\nContent-Disposition: form-data; name="file"; filename="a.onnx"\r\n'
                b"Content-Type: application/octet-stream\r\n\r\n123456\r\n--b--\r\n",
                headers={**jp_auth_header, "Content-Type": "multipart/form-data; boundary=b"},
            )
            for _ in range(2)
        ]
        assert [answer.status for answer in answers] == [200, 507]
        assert "max_uploads_bytes" in answers[1].message
