"""The head of the workbench: pick a project, make one of a file, save the model as one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import ipywidgets

from studio_core.errors import NotFoundError, StudioError
from studio_core.models.model import Model
from studio_core.projects import Project
from studio_core.workbench import Workbench
from studio_widgets.messages import MessageArea

_NO_PROJECT = ""


class ProjectBar(ipywidgets.HBox):
    """Projects of ``workbench``. What a person asks for is done by ``on_open`` (project id)
    and ``on_save`` (name); what goes wrong there is said in ``messages``.
    """

    def __init__(
        self,
        workbench: Workbench,
        messages: MessageArea,
        *,
        on_open: Callable[[str], None],
        on_save: Callable[[str], None],
    ) -> None:
        self._workbench, self._messages = workbench, messages
        self._on_open, self._on_save = on_open, on_save
        self._model: Model | None = None
        self._project: Project | None = None
        self._is_drawing = False
        self.picker = ipywidgets.Dropdown(description="Project")
        self.picker.observe(self._picked, "value")
        self.refresh = _button("", "refresh", "Look for new projects", self._refresh)
        self.path = ipywidgets.Text(
            placeholder="path/to/model.onnx", tooltip="Path of an ONNX file", continuous_update=True
        )
        self.path.layout.width = "220px"
        self.new = _button("New project", "plus", "Copy this file into a new project", self._create)
        self.save = _button(
            "Save as project", "save", "Copy the present model into a new project", self._save
        )
        make = ipywidgets.HBox([self.path, self.new])
        super().__init__([self.picker, self.refresh, self.save, make])
        self.add_class("studio-project-bar")

    def show(self, model: Model, project: Project | None) -> None:
        """List the projects, with the present one picked."""
        self._model, self._project = model, project
        self._refresh()

    def _refresh(self) -> None:
        projects: tuple[Project, ...] = ()
        try:
            projects = known_projects(self._workbench)
        except StudioError as error:
            self._messages.show(error)
        options = [(_title(p, projects), p.id) for p in projects]
        if self._project is None and self._model is not None:
            options.insert(0, (f"{self._model.path.name} (not in a project)", _NO_PROJECT))
        self._is_drawing = True
        try:
            self.picker.options = options
            self.picker.value = self._project.id if self._project else _NO_PROJECT
        finally:
            self._is_drawing = False
        self.save.layout.display = "" if self._project is None else "none"

    def _picked(self, change: Any) -> None:
        if self._is_drawing or not change["new"]:
            return
        with self._messages.catching():
            self._on_open(change["new"])
        self._refresh()  # where that failed, the picker shows the present project again

    def _create(self) -> None:
        path = self.path.value.strip().strip("\"'")
        if not path:
            self._messages.say("Which file?", "Write the path of an ONNX file first.")
            return
        with self._messages.catching():
            project = self._workbench.create_project(path, {})
            self.path.value = ""
            self._on_open(project.id)

    def _save(self) -> None:
        with self._messages.catching():
            self._on_save("")


def known_projects(workbench: Workbench) -> tuple[Project, ...]:
    """All projects; none where their folder does not exist yet, the first one makes it."""
    try:
        return workbench.projects()
    except NotFoundError:
        return ()


def _title(project: Project, projects: tuple[Project, ...]) -> str:
    """The project's name; its id too where several bear the name, and a sign for a fault."""
    twins = sum(p.name == project.name for p in projects) > 1
    title = f"{project.name} ({project.id[:8]})" if twins else project.name
    return f"⚠ {title}" if project.fault else title


def _button(text: str, icon: str, tooltip: str, act: Callable[[], None]) -> ipywidgets.Button:
    button = ipywidgets.Button(description=text, icon=icon, tooltip=tooltip)
    button.layout.width = "auto"
    button.on_click(lambda _: act())
    return button
