"""`StudioApp`: Studio inside a Jupyter server, or as a server of its own (``jupyter studio``)."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from jupyter_server.extension.application import ExtensionApp, ExtensionAppJinjaMixin
from jupyter_server.utils import url_path_join
from traitlets import Bool, Float, Int, List, Unicode, default

from studio_core.documents import module_card_document, sample_document
from studio_core.errors import StudioError
from studio_core.guarded import Guard
from studio_core.jobs import JobQueue
from studio_core.jobs.project_work import PROJECT_WORK
from studio_core.projects import default_project_root
from studio_core.samples import module_card, module_names, sample_card, sample_names
from studio_core.workbench import Workbench
from studio_server.job_events import JobEvents
from studio_server.limits import LIMITS_HELP, LimitsTrait, limits_from
from studio_server.model_explorer_commands import ModelExplorer
from studio_server.model_explorer_pages import is_installed
from studio_server.model_explorer_shown import ShownModels
from studio_server.routes import handlers
from studio_server.turns import Turns
from studio_server.uploads import Uploads

DISTRIBUTION = "studio-workbench"
EXPLORER_FOLDER = ".explorer"
FIRST_NOTEBOOK = Path("notebooks", "01_open_a_model.ipynb")


class StudioApp(ExtensionAppJinjaMixin, ExtensionApp):
    """Studio's REST interface and start page."""

    name = "studio"
    description = "Studio: open a neural network, see what pruning costs, plan it."
    extension_url = "/studio"
    load_other_extensions = True  # JupyterLab among them: the notebooks open there

    aliases = {  # noqa: RUF012
        "project-root": "StudioApp.project_root",
        "model-root": "StudioApp.model_roots",
    }

    project_root = Unicode(
        help="""Folder that holds one folder for each project. Created at start.
        By default ~/studio-projects."""
    ).tag(config=True)

    model_roots = List(
        Unicode(),
        help="""Folders from which a model may be taken into a project, the first being
        that of relative paths. By default the server's root directory.""",
    ).tag(config=True)

    max_request_bytes = Int(
        32 << 20, min=1, help="""Largest body of a request, in bytes; larger ones answer 413."""
    ).tag(config=True)

    num_threads = Int(
        8,
        min=1,
        help="""Number of requests that are worked on at one time, those that wait for another
        process included; others wait.""",
    ).tag(config=True)

    max_computing = Int(
        2,
        min=1,
        help="""Number of requests that compute in the server's own process at one time; others
        wait. More of them keep the server longer from its other users.""",
    ).tag(config=True)

    max_running_jobs = Int(
        1,
        min=1,
        help="""Number of jobs, such as measured analyses, that run at one time; others wait.
        Each uses several processor cores.""",
    ).tag(config=True)

    schedulers = List(
        Unicode(),
        help="""Addresses of Dask schedulers, such as tcp://host:8786, on which a client may have
        a sweep run. By default none: the server connects only where it was told to.""",
    ).tag(config=True)

    max_upload_bytes = Int(
        512 << 20,
        min=1,
        help="""Largest model that may be uploaded to the explorer, in bytes; larger ones answer
        413. Jupyter's own limit (ServerApp.max_body_size) holds as well.""",
    ).tag(config=True)

    max_uploads_bytes = Int(
        4 << 30,
        min=1,
        help="""Size of all uploads to the explorer together, in bytes; what goes beyond answers
        507.""",
    ).tag(config=True)

    max_uploads = Int(
        1000, min=1, help="""Number of uploads that are kept; one more answers 507."""
    ).tag(config=True)

    keep_uploads_days = Float(
        7.0,
        min=0.0,
        help="""Days after which an upload that nobody deleted is removed, when the server starts
        and when something is uploaded.""",
    ).tag(config=True)

    max_running_models = Int(
        2,
        min=1,
        help="""Number of models that the explorer executes at one time, each in a process of its
        own; others wait. One model has one run at a time.""",
    ).tag(config=True)

    limits = LimitsTrait(help=LIMITS_HELP).tag(config=True)

    keep_jobs_on_stop = Bool(
        False,
        help="""Let the jobs that run go on when the server stops; the next one finds them.
        By default they stop with it and can be resumed, so that nothing uses the machine
        that nobody sees.""",
    ).tag(config=True)

    job_work = PROJECT_WORK
    """What the worker of a job runs; tests put something small here."""

    shared_guard: Guard | None = None
    """One for all servers of a process, which outlives them; tests start many."""

    guard: Guard

    workbench: Workbench
    jobs: JobQueue
    job_events: JobEvents
    explorer: ModelExplorer
    shown_models: ShownModels
    threads: ThreadPoolExecutor
    turns: Turns

    @default("project_root")
    def _default_project_root(self) -> str:
        # Not Jupyter's hidden data folder: projects are a person's work, to be found,
        # copied and backed up with it.
        return str(default_project_root())

    @default("model_roots")
    def _default_model_roots(self) -> list[str]:
        return [self._root_dir]

    @default("template_paths")
    def _default_template_paths(self) -> list[str]:
        return [str(Path(__file__).parent / "templates")]

    def initialize_settings(self) -> None:
        self.threads = ThreadPoolExecutor(self.num_threads, thread_name_prefix="studio")
        limits = limits_from(self.limits)
        self.turns = Turns(self.max_computing)
        self.guard = self.shared_guard or Guard(limits)
        self.guard.waiting = self.turns.left
        self.workbench = Workbench(
            self.project_root, self.model_roots, limits=limits, guard=self.guard
        )
        try:
            self.workbench.store.make_root()
        except StudioError as error:
            # Others on this server need it even if Studio's folder cannot be made.
            self.log.warning("Studio: %s", error)
        self._start_jobs()
        self._start_explorer()

    def _start_explorer(self) -> None:
        state = self.workbench.store.root / EXPLORER_FOLDER
        uploads = Uploads(
            state / "uploads",
            max_bytes=self.max_uploads_bytes,
            max_number=self.max_uploads,
            days=self.keep_uploads_days,
        )
        uploads.remove_old()
        self.explorer = ModelExplorer(
            self.model_roots, state, self.guard, uploads, max_running=self.max_running_models
        )
        self.shown_models = ShownModels()

    def _start_jobs(self) -> None:
        self.job_events = JobEvents(self._server)
        self.jobs = JobQueue(
            self.project_root,
            max_running=self.max_running_jobs,
            work=self.job_work,
            model_roots=self.model_roots,
            on_change=self.job_events.tell,
            limits=limits_from(self.limits),
        )
        try:
            self.jobs.start()
        except StudioError as error:
            self.log.warning("Studio: the jobs of an earlier server are not followed. %s", error)

    def initialize_handlers(self) -> None:
        self.handlers.extend(handlers())

    async def stop_extension(self) -> None:
        stop = partial(self.jobs.stop, keep_workers=self.keep_jobs_on_stop)
        loop = asyncio.get_running_loop()
        await loop.run_in_executor(None, stop)
        await loop.run_in_executor(None, self.explorer.stop)
        self.threads.shutdown(wait=False, cancel_futures=True)
        if self.guard is not self.shared_guard:
            self.guard.close()

    def about(self) -> dict[str, Any]:
        """What ``GET /api/studio`` answers: the version and the facts of the configuration."""
        return {
            "name": "Studio",
            "version": _version(),
            "projectRoot": str(self.workbench.store.root),
            "modelRoots": self.model_roots,
            "maxRequestBytes": self.max_request_bytes,
            "openapi": self._url("api/studio/openapi.yaml"),
            "samples": [sample_document(sample_card(name)) for name in sample_names()],
            "modules": [module_card_document(module_card(name)) for name in module_names()],
        }

    def start_page_facts(self) -> dict[str, Any]:
        """What the start page shows; a link is None where there is nothing to go to."""
        has_lab = "jupyterlab" in self._server.extension_manager.extensions
        has_notebook = has_lab and Path(self._root_dir, FIRST_NOTEBOOK).is_file()
        return {
            "version": _version(),
            "project_root": str(self.workbench.store.root),
            "model_roots": self.model_roots,
            "lab_url": self._url("lab") if has_lab else None,
            "notebook": FIRST_NOTEBOOK.name,
            "notebook_url": self._url(f"lab/tree/{FIRST_NOTEBOOK.as_posix()}")
            if has_notebook
            else None,
            "openapi_url": self._url("api/studio/openapi.json"),  # a browser shows it
            "projects_url": self._url("api/projects"),
            "explorer_url": self._url("studio/model-explorer/") if is_installed() else None,
        }

    @property
    def _server(self) -> Any:
        return self.serverapp

    @property
    def _root_dir(self) -> str:
        return str(self._server.root_dir)

    def _url(self, path: str) -> str:
        return str(url_path_join(self._server.base_url, path))


def _version() -> str:
    try:
        return version(DISTRIBUTION)
    except PackageNotFoundError:
        return "unknown (not installed)"


main = StudioApp.launch_instance
