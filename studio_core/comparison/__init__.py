"""Two of a kind side by side: graphs and their runs, models, plans, analyses.

Everything begins with a match: which node or layer of the one is which of the other, by name
or by structure, and how certain that is (`matching`). What only one of them has is marked, never
dropped. Differences are right less left: the left one is what was, the right one what is.
"""

from studio_core.comparison.analyses import AnalysisComparison, compare_analyses
from studio_core.comparison.graphs import GraphComparison, compare_graphs
from studio_core.comparison.matching import GraphMatch, NodePair, match_graphs
from studio_core.comparison.models import ModelComparison, compare_models
from studio_core.comparison.plans import PlanComparison, compare_plans
from studio_core.comparison.runs import compare_runs

__all__ = [
    "AnalysisComparison",
    "GraphComparison",
    "GraphMatch",
    "ModelComparison",
    "NodePair",
    "PlanComparison",
    "compare_analyses",
    "compare_graphs",
    "compare_models",
    "compare_plans",
    "compare_runs",
    "match_graphs",
]
