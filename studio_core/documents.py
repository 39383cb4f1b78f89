"""Layers, models, projects and plans as JSON documents, one form for REST and scripts.

Keys that the contract names are its own; None stands for unknown. Sensitivity analyses have
theirs in `studio_core.sensitivity.documents`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:  # the command line imports this room before it knows what it needs
    from studio_core.layers import Layer, ModelSummary
    from studio_core.models.model import Model, ValueInfo
    from studio_core.plans import PlanEstimate, PruningPlan
    from studio_core.projects import ModelFile, Project
    from studio_core.samples import ModuleCard, SampleCard

Document = dict[str, Any]


def layer_document(layer: Layer) -> Document:
    """One layer with all that is known without running it."""
    return {
        "id": layer.id,
        "name": layer.name,
        "nodeName": layer.node_name,
        "opType": layer.op_type,
        "op_type": layer.op_type,  # the contract writes it so, and `output` for the list
        "inputs": list(layer.inputs),
        "output": list(layer.outputs),
        "outputs": list(layer.outputs),
        "attributes": dict(layer.attributes),
        "status": str(layer.status),
        "reason": layer.reason,
        "isPrunable": layer.is_prunable,
        "sharedWith": list(layer.shared_with),
        "scope": list(layer.scope),
        "group": layer.group,
        "weightShape": list(layer.weight_shape) if layer.weight is not None else None,
        "weightSize": layer.weight_size if layer.weight is not None else None,
        "inputShape": None if layer.input_shape is None else list(layer.input_shape),
        "outputShape": None if layer.output_shape is None else list(layer.output_shape),
        "numParams": layer.num_params,
        "numBytes": layer.num_bytes,
        "macs": layer.macs,
        "macsUnknownBecause": layer.macs_unknown_because or None,
        "numZeros": layer.num_zeros,
        "sparsity": layer.sparsity,
    }


def model_document(model: Model, summary: ModelSummary) -> Document:
    return {
        "name": summary.name,
        "path": str(model.path),
        "numParams": summary.num_params,
        "numBytes": summary.num_bytes,
        "fileBytes": summary.file_bytes,
        "macs": summary.macs,
        "numMacsUnknown": summary.num_macs_unknown,
        "sparsity": summary.sparsity,
        "numLayers": summary.num_layers,
        "numPrunable": summary.num_prunable,
        "numNodes": summary.num_nodes,
        "opset": summary.opset,
        "dimensions": dict(model.dimensions),
        "inputs": [_value_document(value) for value in summary.inputs],
        "outputs": [_value_document(value) for value in summary.outputs],
        "notes": list(summary.notes),
    }


def _value_document(value: ValueInfo) -> Document:
    shape = None if value.shape is None else list(value.shape)
    return {"name": value.name, "dtype": value.dtype, "shape": shape}


def plan_document(plan: PruningPlan, estimate: PlanEstimate) -> Document:
    """The plan, readable again as a plan, with what it is estimated to bring."""
    return {**plan.to_document(), "estimate": estimate_document(estimate)}


def estimate_document(estimate: PlanEstimate) -> Document:
    return {
        "source": "estimated",
        "numWeights": estimate.num_weights,
        "numZeros": estimate.num_zeros,
        "sparsity": estimate.sparsity,
        "modelSparsity": estimate.model_sparsity,
        "flopsDense": estimate.flops_dense,
        "flops": estimate.flops,
        "flopsShare": estimate.flops_share,
        "bytesDense": estimate.bytes_dense,
        "bytesSparse": estimate.bytes_sparse,
        "loss": estimate.loss,
        "achievesTarget": estimate.achieves_target,
        "note": estimate.note,
    }


def project_document(project: Project) -> Document:
    """A project with its settings; Studio's own facts win over settings of their names."""
    return {
        **project.config,
        "projectId": project.id,
        "projectName": project.name,
        "createdAt": project.created_at or None,
        "updatedAt": project.updated_at or None,
        "revision": project.revision,
        "model": None if project.model is None else _model_file_document(project.model),
        "folder": str(project.folder),
        "modelPath": None if project.model_path is None else str(project.model_path),
        "fault": project.fault,
    }


def _model_file_document(model: ModelFile) -> Document:
    return {
        "file": model.file,
        "size": model.size,
        "sha256": model.sha256,
        "sourcePath": model.source_path,
        "externalFiles": list(model.external_files),
    }


def sample_document(card: SampleCard) -> Document:
    """A bundled model, as a page offers it."""
    return {
        "name": card.name,
        "title": card.title,
        "description": card.description,
        "task": card.task,
        "accuracy": card.accuracy,
        "numParameters": card.num_parameters,
    }


def module_card_document(card: ModuleCard) -> Document:
    """A bundled compiler module, as a page offers it."""
    return {"name": card.name, "title": card.title, "description": card.description}
