"""Plans: an average sparsity spread over the layers, with what it brings."""

from __future__ import annotations

from jupyter_server.auth.decorator import authorized
from tornado import web

from studio_server import wire
from studio_server.base import StudioHandler
from studio_server.requests import PlanRequest


class PlanHandler(StudioHandler):
    """``/api/projects/:project_id/plan``: computed at once, nothing is saved."""

    @web.authenticated
    @authorized
    async def post(self, project_id: str) -> None:
        await self.answer(lambda: self._plan(project_id))

    def _plan(self, project_id: str) -> wire.Document:
        wanted = PlanRequest.read(self.body)
        plan, estimate = self.workbench.plan(
            project_id,
            wanted.sparsity,
            balance=wanted.balance,
            locked=wanted.locked,
            max_sparsity=wanted.max_sparsity,
        )
        return wire.plan(plan, estimate)
