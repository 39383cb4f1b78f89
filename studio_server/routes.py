"""Every address Studio serves, below the server's base URL, with and without a last slash."""

from __future__ import annotations

from tornado.web import RequestHandler

from studio_server.about_handlers import (
    AboutHandler,
    NowhereHandler,
    OpenApiJsonHandler,
    OpenApiYamlHandler,
    StartPageHandler,
)
from studio_server.analysis_handlers import (
    AnalysisHandler,
    EstimateHandler,
    LatestAnalysisHandler,
)
from studio_server.export_handlers import ExportHandler
from studio_server.job_handlers import (
    JobHandler,
    JobLogHandler,
    JobsHandler,
    ProjectJobsHandler,
    ResumeJobHandler,
)
from studio_server.plan_handlers import (
    ApplyPlanHandler,
    ParetoHandler,
    PlanExportHandler,
    PlanHandler,
    PlanHistoryHandler,
    PlansHandler,
    PrunedModelHandler,
    SavedPlanHandler,
    VerifyPlanHandler,
)
from studio_server.project_handlers import (
    ProjectHandler,
    ProjectsHandler,
    PrunableLayersHandler,
)

PROJECTS = "/api/projects"
PROJECT = PROJECTS + "/([^/]+)"
PLANS = PROJECT + "/plans"
PLAN = PLANS + "/([^/]+)"
JOBS = "/api/jobs"
JOB = JOBS + "/([^/]+)"
ANALYSES = PROJECT + "/sparse-analysis/(loss|perf)"

# The first that matches answers: `approx` before any name, nowhere at the end.
ROUTES: tuple[tuple[str, type[RequestHandler]], ...] = (
    (PROJECTS, ProjectsHandler),
    (PROJECT, ProjectHandler),
    (PROJECT + "/prunable-layers", PrunableLayersHandler),
    (ANALYSES, LatestAnalysisHandler),
    (ANALYSES + "/(approx)", EstimateHandler),
    (ANALYSES + "/([^/]+)", AnalysisHandler),
    (PROJECT + "/plan", PlanHandler),
    (PROJECT + "/pareto", ParetoHandler),
    (PLANS, PlansHandler),
    (PLAN, SavedPlanHandler),
    (PLAN + "/history", PlanHistoryHandler),
    (PLAN + "/verify", VerifyPlanHandler),
    (PLAN + "/apply", ApplyPlanHandler),
    (PLAN + "/model", PrunedModelHandler),
    (PLAN + "/exports/([^/]+)", PlanExportHandler),
    (PROJECT + "/config/export", ExportHandler),
    (PROJECT + "/jobs", ProjectJobsHandler),
    (JOBS, JobsHandler),
    (JOB, JobHandler),
    (JOB + "/log", JobLogHandler),
    (JOB + "/resume", ResumeJobHandler),
    ("/api/studio", AboutHandler),
    ("/api/studio/openapi[.]yaml", OpenApiYamlHandler),
    ("/api/studio/openapi[.]json", OpenApiJsonHandler),
    ("/studio", StartPageHandler),
    ("/api/(?:projects|jobs|studio)/.*", NowhereHandler),
)


def handlers() -> list[tuple[str, type[RequestHandler]]]:
    return [(f"{pattern}/?", handler) for pattern, handler in ROUTES]
