"""Pruning itself: which weights become zero at a sparsity."""
