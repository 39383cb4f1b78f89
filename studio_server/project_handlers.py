"""Projects: listed, made, changed and deleted; and the layers of their models."""

from __future__ import annotations

from http import HTTPStatus

from jupyter_server.auth.decorator import authorized
from tornado import web

from studio_core.errors import InvalidRequestError
from studio_core.projects import Project
from studio_server import wire
from studio_server.base import StudioHandler
from studio_server.requests import NewProject, read_project_config


class ProjectsHandler(StudioHandler):
    """``/api/projects``"""

    @web.authenticated
    @authorized
    async def get(self) -> None:
        await self.answer(lambda: wire.projects(self.workbench.projects()))

    @web.authenticated
    @authorized
    async def post(self) -> None:
        await self.answer(lambda: wire.created(self._create(NewProject.read(self.body))))

    def _create(self, wanted: NewProject) -> Project:
        return self.workbench.create_project(wanted.model_path, wanted.config)


class ProjectHandler(StudioHandler):
    """``/api/projects/:project_id``"""

    @web.authenticated
    @authorized
    async def get(self, project_id: str) -> None:
        await self.answer(lambda: wire.project(self.workbench.project(project_id)))

    @web.authenticated
    @authorized
    async def put(self, project_id: str) -> None:
        await self.answer_change(lambda: wire.project(self._update(project_id)))

    @web.authenticated
    @authorized
    async def delete(self, project_id: str) -> None:
        await self.in_thread(lambda: self._delete(project_id))
        self.set_status(HTTPStatus.NO_CONTENT)
        self.finish()

    def _delete(self, project_id: str) -> None:
        self.jobs.forget_project(project_id)
        self.workbench.delete_project(project_id)

    def _update(self, project_id: str) -> Project:
        config, only_if = read_project_config(self.body), self.only_if(wire.project)
        return self.workbench.update_project(project_id, config, only_if=only_if)


class PrunableLayersHandler(StudioHandler):
    """``/api/projects/:project_id/prunable-layers``, with ``?status=all`` every layer"""

    @web.authenticated
    @authorized
    async def get(self, project_id: str) -> None:
        status = self.get_query_argument("status", "prunable")
        await self.answer(lambda: self._layers(project_id, status))

    def _layers(self, project_id: str, status: str) -> wire.Document:
        if status not in ("prunable", "all"):
            raise InvalidRequestError(f"'status' must be prunable or all; it is '{status}'.")
        return wire.layers(self.workbench.layers(project_id), only_prunable=status != "all")
