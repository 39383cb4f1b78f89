"""Rules about a model, its plan, its analyses and the runs of the plan, one a file."""
