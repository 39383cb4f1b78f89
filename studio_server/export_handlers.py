"""Recipes: a pruning profile as the YAML that SparseML reads."""

from __future__ import annotations

from jupyter_server.auth.decorator import authorized
from tornado import web

from studio_server.base import StudioHandler
from studio_server.requests import Export

YAML = "application/yaml"


class ExportHandler(StudioHandler):
    """``/api/projects/:project_id/config/export``"""

    @web.authenticated
    @authorized
    async def post(self, project_id: str) -> None:
        recipe = await self.in_thread(lambda: self._export(project_id))
        self.finish(recipe, set_content_type=YAML)

    @web.authenticated
    @authorized
    async def put(self, project_id: str) -> None:
        recipe = await self.in_thread(lambda: self._save(project_id))
        self.finish(recipe, set_content_type=YAML)

    def _export(self, project_id: str) -> str:
        wanted = Export.read(self.body, with_file=False)
        return self.workbench.export_recipe(project_id, wanted.fields)

    def _save(self, project_id: str) -> str:
        wanted = Export.read(self.body, with_file=True)
        return self.workbench.save_recipe(project_id, wanted.fields, wanted.file_name)
