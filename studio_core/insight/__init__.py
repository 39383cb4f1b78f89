"""What is known of a model or module, asked as one thing: its findings, its report, its comparison.

A `Subject` is a model with its analyses and its plan, or an opened module. `ProjectInsight` takes
it from a project, `open_subject` from a file; each door asks the same.
"""

from studio_core.insight.documents import findings_document
from studio_core.insight.files import comparison_document, open_subject
from studio_core.insight.project_insight import ProjectInsight
from studio_core.insight.subjects import ModelSubject, ModuleSubject, Subject

__all__ = [
    "ModelSubject",
    "ModuleSubject",
    "ProjectInsight",
    "Subject",
    "comparison_document",
    "findings_document",
    "open_subject",
]
