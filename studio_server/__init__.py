"""Studio over REST, inside Jupyter's own server: its port, its login, its permissions.

`StudioApp` (app.py) joins the routes (routes.py) to one `studio_core.workbench.Workbench`.
A handler reads a request (requests.py), asks the workbench in a thread, and writes the
answer (wire.py); what goes wrong becomes a status in one table (errors.py).
"""

from __future__ import annotations


def _jupyter_server_extension_points() -> list[dict[str, object]]:
    from studio_server.app import StudioApp

    return [{"module": "studio_server.app", "app": StudioApp}]
