"""Measuring sensitivities by running the model with one layer pruned at a time."""
