"""Execute the notebooks in place and strip what does not belong into a commit.

``python scripts/run_notebooks.py [NAME …]`` runs those whose file name begins with NAME, or
all. Widget state (megabytes, and stale at the next run) and execution times are removed.
"""

from __future__ import annotations

import sys
from pathlib import Path

import nbformat
from nbclient import NotebookClient

NOTEBOOKS = Path(__file__).parent.parent / "notebooks"


def main(prefixes: list[str]) -> None:
    for path in sorted(NOTEBOOKS.glob("*.ipynb")):
        if not prefixes or path.name.startswith(tuple(prefixes)):
            execute(path)
            print(f"{path.name}: {path.stat().st_size / 1000:.0f} kB")


def execute(path: Path) -> None:
    notebook = nbformat.read(path, as_version=4)
    NotebookClient(
        notebook,
        timeout=300,
        kernel_name="python3",
        coalesce_streams=True,
        resources={"metadata": {"path": path.parent}},
    ).execute()
    notebook.metadata.pop("widgets", None)
    for cell in notebook.cells:
        cell.metadata.pop("execution", None)
    # Which Python ran it changes from machine to machine and would be noise in every diff.
    notebook.metadata["language_info"] = {"name": "python"}
    nbformat.write(notebook, path)


if __name__ == "__main__":
    main(sys.argv[1:])
