"""Runs of models in the background, one a model at a time, each kept with what it was asked.

``board`` starts, follows and ends them, ``worker`` is the process of one, ``records`` says what
a run was asked and how far it is, ``store`` is their folder, ``compiled`` the graph of a run by
the compiler.
"""

from __future__ import annotations
