"""Whatever settings, names and documents are kept come back as they were given."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory

from hypothesis import given, settings
from hypothesis import strategies as st

from studio_core.projects import ProjectStore
from studio_core.projects.project import OWN_KEYS

json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda children: st.lists(children) | st.dictionaries(st.text(), children),
    max_leaves=20,
)
configs = st.dictionaries(st.text(), json_values, max_size=8)
project_names = st.text(min_size=1, max_size=200).filter(lambda name: bool(name.strip()))


@settings(max_examples=25, deadline=None, derandomize=True)
@given(name=project_names, config=configs, more=configs)
def test_settings_come_back_as_given(
    name: str, config: dict[str, object], more: dict[str, object]
) -> None:
    config.pop("projectName", None)
    more.pop("projectName", None)
    with TemporaryDirectory() as folder:
        model = Path(folder, "net.onnx")
        model.write_bytes(b"model")
        store = ProjectStore(Path(folder, "projects"))
        project = store.create(model, {"projectName": name, **config})
        changed = store.update(project.id, more)
        read = store.get(project.id)
        assert read == changed and read.name == name and read.fault is None
        expected = {**config, **more}
        assert read.config == {k: v for k, v in expected.items() if k not in OWN_KEYS}


@settings(max_examples=25, deadline=None, derandomize=True)
@given(document=configs)
def test_documents_come_back_equal(document: dict[str, object]) -> None:
    with TemporaryDirectory() as folder:
        model = Path(folder, "net.onnx")
        model.write_bytes(b"model")
        store = ProjectStore(Path(folder, "projects"))
        project = store.create(model, {})
        store.save_analysis(project.id, "perf", "a", document)
        assert store.analysis(project.id, "perf", "a") == document
