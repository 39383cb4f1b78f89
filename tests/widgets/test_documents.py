"""What a tab of JupyterLab asks a kernel for: views that are kept, and notebooks written."""

from __future__ import annotations

import nbformat
import pytest

from studio_core.errors import InvalidRequestError
from studio_core.samples import module_path, sample_path
from studio_widgets import documents
from studio_widgets.explorer import ExplorerView


@pytest.fixture(autouse=True)
def no_views(monkeypatch):
    monkeypatch.setattr(documents, "_views", {})


def test_a_view_is_made_once_and_keeps_what_was_done_in_it(monkeypatch):
    first = documents.view("sample", "digits_cnn")
    first.selected_layer = first.layers[2].id

    assert documents.view("sample", "digits_cnn") is first
    assert documents.view("path", str(sample_path("digits_cnn"))) is not first


def test_a_kind_that_is_not_known_is_named():
    with pytest.raises(
        InvalidRequestError, match="'tape' is none of path, project, sample, module"
    ):
        documents.view("tape", "x")


def test_the_notebook_repeats_the_view_and_overwrites_none(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    view = documents.view("sample", "digits_cnn")
    view.selected_layer = view.layers[2].id

    names = [documents.write_notebook("sample", "digits_cnn") for _ in range(2)]

    assert names == ["digits_cnn.ipynb", "digits_cnn-2.ipynb"]
    notebook = nbformat.read(tmp_path / names[0], as_version=4)
    nbformat.validate(notebook)
    namespace: dict = {}
    exec(notebook.cells[1].source, namespace)
    assert namespace["wb"].selected_layer == view.selected_layer
    assert namespace["wb"].plan == view.plan


def test_a_module_opens_in_the_explorer(tmp_path):
    path = tmp_path / "copy.ttnn"
    path.write_bytes(module_path("feed_forward").read_bytes())

    assert isinstance(documents.view("module", "feed_forward"), ExplorerView)
    assert documents.view("path", str(path)).exploration.path == path
