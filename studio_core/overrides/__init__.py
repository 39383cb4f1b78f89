"""Overrides: requested changes of attributes, kept by location.

``records`` holds them, ``documents`` reads and writes them as the original front end does,
``targets`` finds the ops they are for, ``checks`` tells before a run what will not work,
``compiler_options`` writes the compiler's option string, ``comparison`` tells after a run what
was applied, ``sparsity`` turns a pruning plan into overrides and back.
"""

from __future__ import annotations
