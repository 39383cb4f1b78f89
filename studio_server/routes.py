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
from studio_server.insight_handlers import (
    AnalysisComparisonHandler,
    FileComparisonHandler,
    FileFindingsHandler,
    FileReportHandler,
    FindingsHandler,
    ModelComparisonHandler,
    PlanComparisonHandler,
    ReportHandler,
)
from studio_server.job_handlers import (
    JobHandler,
    JobLogHandler,
    JobsHandler,
    ProjectJobsHandler,
    ResumeJobHandler,
)
from studio_server.model_explorer_handlers import (
    ExtensionsHandler,
    GraphsJsonHandler,
    HealthHandler,
    NewVersionHandler,
    NodeDataHandler,
    NotifyPathHandler,
    ReadTextFileHandler,
    SendCommandHandler,
    ServerDirectorHandler,
    UpdateConfigHandler,
    UploadHandler,
)
from studio_server.model_explorer_pages import (
    PAGE,
    ModelExplorerAssetHandler,
    ModelExplorerPageHandler,
    OpenModelHandler,
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
from studio_server.plotly_handlers import PlotlyBundleHandler
from studio_server.project_handlers import (
    ProjectHandler,
    ProjectsHandler,
    PrunableLayersHandler,
)

PROJECTS = "/api/projects"
PROJECT = PROJECTS + "/([^/]+)"
PLANS = PROJECT + "/plans"
PLAN = PLANS + "/([^/]+)"
# Not below what it compares: a plan or an analysis may be named `comparison`.
COMPARISON = PROJECT + "/comparison"
JOBS = "/api/jobs"
JOB = JOBS + "/([^/]+)"
# Model Explorer's own addresses, which are fixed in its front ends; Jupyter has none like them.
EXPLORER = "/api/v1"
EXPLORER_POST = "/apipost/v1"
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
    (PROJECT + "/findings", FindingsHandler),
    (PROJECT + "/report", ReportHandler),
    (COMPARISON + "/models", ModelComparisonHandler),
    (COMPARISON + "/plans", PlanComparisonHandler),
    (COMPARISON + "/sparse-analysis/(loss|perf)", AnalysisComparisonHandler),
    (PROJECT + "/jobs", ProjectJobsHandler),
    (JOBS, JobsHandler),
    (JOB, JobHandler),
    (JOB + "/log", JobLogHandler),
    (JOB + "/resume", ResumeJobHandler),
    ("/api/studio", AboutHandler),
    ("/api/studio/findings", FileFindingsHandler),
    ("/api/studio/report", FileReportHandler),
    ("/api/studio/comparison", FileComparisonHandler),
    ("/api/studio/openapi[.]yaml", OpenApiYamlHandler),
    ("/api/studio/openapi[.]json", OpenApiJsonHandler),
    (EXPLORER_POST + "/send_command", SendCommandHandler),
    (EXPLORER_POST + "/upload", UploadHandler),
    (EXPLORER_POST + "/update_config", UpdateConfigHandler),
    (EXPLORER + "/get_extensions", ExtensionsHandler),
    (EXPLORER + "/check_new_version", NewVersionHandler),
    (EXPLORER + "/notify_user_provided_model_path", NotifyPathHandler),
    (EXPLORER + "/load_graphs_json", GraphsJsonHandler),
    (EXPLORER + "/load_node_data", NodeDataHandler),
    (EXPLORER + "/read_text_file", ReadTextFileHandler),
    ("/apistream/server_director", ServerDirectorHandler),
    ("/check_health", HealthHandler),
    ("/studio", StartPageHandler),
    ("/studio/plotly/([^/]+)/widgetbundle[.]js", PlotlyBundleHandler),
    (f"/{PAGE}", ModelExplorerPageHandler),
    (f"/{PAGE}/open", OpenModelHandler),
    (f"/{PAGE}/(.+?)", ModelExplorerAssetHandler),
    ("/api/(?:projects|jobs|studio)/.*", NowhereHandler),
)


def handlers() -> list[tuple[str, type[RequestHandler]]]:
    return [(f"{pattern}/?", handler) for pattern, handler in ROUTES]
