"""An opened file with its graphs, overrides and runs: what every door to the explorer calls.

``exploration`` is the use case, ``opened`` reads the file, ``edits`` says what an edit does,
``running`` runs it and makes the executed graph, ``conversion`` files as Model Explorer's JSON.
"""

from __future__ import annotations
