"""Studio's adapter for Model Explorer: ``model-explorer --extensions=studio_model_explorer``.

Model Explorer imports `main` and finds the adapter in it; it needs the package
``ai-edge-model-explorer``, the extra ``studio-workbench[model-explorer]``.
"""

from __future__ import annotations
