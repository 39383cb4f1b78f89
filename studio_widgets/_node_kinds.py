"""Which colour a node gets: the kind of work that its operation does.

The order is that of the ``--studio-kind-*`` colours in ``static/_shared.css``.
"""

from __future__ import annotations

import re

KINDS: tuple[tuple[str, frozenset[str]], ...] = (
    ("Input", frozenset({"input", "inputs", "parameter", "argument", "arg"})),
    ("Output", frozenset({"output", "outputs", "return"})),
    (
        "Constant",
        frozenset({"constant", "const", "initializer", "full", "zeros", "ones", "arange",
                   "iota", "load_cached", "constantofshape", "range"}),
    ),
    (
        "Matrix product",
        frozenset({"matmul", "linear", "dot", "dot_general", "gemm", "einsum", "matmulinteger",
                   "qlinearmatmul", "attention", "multiheadattention", "sparse_matmul",
                   "scaled_dot_product_attention"}),
    ),
    (
        "Convolution",
        frozenset({"conv", "conv1d", "conv2d", "conv3d", "convtranspose", "conv_transpose2d",
                   "convolution", "prepare_conv2d_weights", "prepare_conv2d_bias", "convinteger",
                   "qlinearconv"}),
    ),
    (
        "Activation",
        frozenset({"relu", "relu6", "gelu", "silu", "sigmoid", "hardsigmoid", "tanh", "softmax",
                   "log_softmax", "logsoftmax", "leaky_relu", "leakyrelu", "elu", "selu", "prelu",
                   "mish", "hardswish", "clip", "clamp", "clamp_scalar", "erf", "softplus",
                   "swish", "logistic"}),
    ),
    (
        "Normalisation",
        frozenset({"batch_norm", "batch_norm_inference", "batchnormalization", "layer_norm",
                   "layernormalization", "rms_norm", "instancenormalization", "group_norm",
                   "groupnormalization", "simplifiedlayernormalization", "lrn",
                   "batch_norm_training", "skiplayernormalization"}),
    ),
    (
        "Reduction and pooling",
        frozenset({"sum", "mean", "max", "min", "prod", "argmax", "argmin", "reduce", "cumsum",
                   "reduce_or", "reduce_and", "reduce_window", "maxpool", "averagepool", "topk",
                   "globalaveragepool", "globalmaxpool", "max_pool2d", "avg_pool2d", "pooling",
                   "global_avg_pool2d", "sort"}),
    ),
    (
        "Shape and movement",
        frozenset({"reshape", "transpose", "permute", "squeeze", "unsqueeze", "concat", "slice",
                   "slice_static", "slice_dynamic", "split", "expand", "broadcast",
                   "broadcast_in_dim", "gather", "gathernd", "scatter", "scatternd", "pad",
                   "flatten", "repeat", "repeat_interleave", "tile", "index", "embedding",
                   "concatenate", "resize", "upsample", "upsample2d", "shape", "reverse",
                   "nlp_concat_heads_decode", "concatenate_heads", "index_select",
                   "split_query_key_value_and_split_heads", "depthtospace", "spacetodepth"}),
    ),
    (
        "Memory and type",
        frozenset({"to_layout", "to_memory_config", "to_device", "from_device", "typecast", "cast",
                   "convert", "to_dtype", "get_device", "empty", "deallocate", "quantize",
                   "dequantize", "requantize", "quantizelinear", "dequantizelinear",
                   "dynamicquantizelinear", "bitcast_convert", "identity", "to_tensor_spec"}),
    ),
    (
        "Between chips",
        frozenset({"all_gather", "all_reduce", "reduce_scatter", "all_to_all", "mesh_shard",
                   "collective_permute", "point_to_point", "collective_broadcast",
                   "distribute_tensor", "aggregate_tensor", "mesh_partition"}),
    ),
    ("Arithmetic and other", frozenset()),
)  # fmt: skip
"""Each kind in words, with the operation names that are of it; the last takes all others."""

_KIND_OF = {name: number for number, (_, names) in enumerate(KINDS) for name in names}
_REDUCE = _KIND_OF["sum"]


def kind_of(label: str) -> int:
    """The number in `KINDS` of a node by its label, such as ``ttnn.matmul`` or ``Conv``."""
    label = label.strip()
    if label.startswith("%"):
        return 0  # an argument of a function
    name = label.rpartition(".")[2].lower()
    if name in _KIND_OF:
        return _KIND_OF[name]
    if re.match(r"reduce_?[a-z0-9]", name):
        return _REDUCE
    return len(KINDS) - 1
