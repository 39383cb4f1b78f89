"""Pruning plans: deciding a sparsity for each layer, and saying what that brings."""

from studio_core.plans.plan import PlanEstimate, PruningPlan
from studio_core.plans.planner import Planner
from studio_core.plans.recipe import Schedule, recipe_text

__all__ = ["PlanEstimate", "Planner", "PruningPlan", "Schedule", "recipe_text"]
