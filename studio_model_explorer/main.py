"""`StudioAdapter`: TTIR, TTNN, StableHLO and ONNX files in Model Explorer's own server.

The graphs are those that Studio's server answers to ``convert``.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from model_explorer import Adapter, AdapterMetadata, ModelExplorerGraphs
from model_explorer.graph_builder import Graph, GraphCollection

from studio_core.explorer.conversion import SUFFIXES, converted

SOURCE = "https://pypi.org/project/studio-workbench/"


class StudioAdapter(Adapter):
    """Found by Model Explorer through its base class and ``metadata``; made anew at each call."""

    metadata = AdapterMetadata(
        id="studio",
        name="Studio",
        description="TTIR, TTNN and StableHLO modules and ONNX models, with editable "
        "attributes and memory bars.",
        source_repo=SOURCE,
        fileExts=[suffix.removeprefix(".") for suffix in SUFFIXES],
    )

    def convert(self, model_path: str, settings: Mapping[str, Any]) -> ModelExplorerGraphs:  # noqa: ARG002
        """The graphs of a file, or the collections of a folder's files.

        Raises Studio's errors, which the server shows with their names.
        """
        answer = converted(Path(model_path).expanduser())
        if "graphs" in answer:
            return {"graphs": [_graph(graph) for graph in answer["graphs"]]}
        collections = answer["graphCollections"]
        return {"graphCollections": [_collection(c) for c in collections]}


def _collection(collection: Mapping[str, Any]) -> GraphCollection:
    return GraphCollection(
        label=collection["label"], graphs=[_graph(graph) for graph in collection["graphs"]]
    )


def _graph(graph: Mapping[str, Any]) -> Graph:
    # The nodes stay objects of JSON: Model Explorer's own classes have no place for what a
    # front end of the fork draws (`editable`, `display_type`), and its server passes them on.
    return Graph(**graph)
