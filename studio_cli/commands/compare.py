"""``studio compare A B``: two models, modules, plans or analyses side by side."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

from studio_cli import text
from studio_cli.arguments import (
    Commands,
    add_command,
    add_json,
    add_project_root,
    dimension,
    fraction,
)
from studio_cli.comparables import (
    ANALYSIS,
    MODEL,
    MODULE,
    PLAN,
    compared_analyses,
    compared_plans,
    graph_of,
    kind_of,
    session_of,
)
from studio_cli.output import Column, print_json, print_lines, print_table
from studio_core.errors import InvalidRequestError

if TYPE_CHECKING:
    from studio_core.comparison import (
        AnalysisComparison,
        GraphComparison,
        ModelComparison,
        PlanComparison,
    )
    from studio_core.comparison.models import LayerRow
    from studio_core.layers import Layer

_DESCRIPTION = """\
Set two models, two modules, two plans or two analyses side by side. Layers and ops are matched by
name and, where names differ, by structure, with the certainty said; what only one side has is
marked. Differences are B less A. With --project, A and B are names of its plans or analyses.
"""

_EXAMPLES = """\
  studio compare model.onnx pruned.onnx
  studio compare before.mlir after.mlir --json
  studio compare mild.json harsh.json
  studio compare monday.json friday.json --sparsity 0.9
  studio compare mild@1 mild@2 --project digits
"""


def add_to(commands: Commands) -> None:
    parser = add_command(
        commands,
        "compare",
        summary="two models, modules, plans or analyses side by side",
        description=_DESCRIPTION,
        examples=_EXAMPLES,
        run=run,
    )
    parser.add_argument("left", metavar="A", help="what was: a model, module, plan or analysis")
    parser.add_argument("right", metavar="B", help="what is: another of the same kind")
    parser.add_argument("--project", metavar="NAME", help="the project whose plans A and B are")
    parser.add_argument(
        "--sparsity",
        metavar="S",
        type=fraction,
        default=0.8,
        help="where analyses are compared in the table (default: 0.8)",
    )
    parser.add_argument("--all", action="store_true", help="also what is the same in both")
    parser.add_argument(
        "--dimension", metavar="NAME=SIZE", type=dimension, action="append", default=[],
        help="size of a symbolic dimension of both models (repeatable)",
    )  # fmt: skip
    add_project_root(parser)
    add_json(parser)


def run(args: argparse.Namespace) -> None:
    kinds = kind_of(args.left, args), kind_of(args.right, args)
    if kinds[0] != kinds[1]:
        raise InvalidRequestError(
            f"'{args.left}' is a {kinds[0]} and '{args.right}' a {kinds[1]}. Give two of a kind."
        )
    {MODEL: _models, MODULE: _modules, PLAN: _plans, ANALYSIS: _analyses}[kinds[0]](args)


# Models


def _models(args: argparse.Namespace) -> None:
    from studio_core.comparison import compare_models
    from studio_core.comparison.documents import model_comparison_document

    found = compare_models(session_of(args.left, args), session_of(args.right, args))
    if args.json:
        print_json(model_comparison_document(found))
        return
    columns = (
        Column("layer", wraps=True),
        Column("shape"),
        Column("params", is_number=True),
        Column("MACs", is_number=True),
        Column("sparsity", is_number=True),
        Column("weights"),
        Column("match"),
    )
    rows = [_layer_row(row) for row in found.layers if args.all or row.is_changed]
    print_lines(_model_headline(found))
    _print_rows(columns, rows, "The layers are the same in both.")
    match = found.graphs.match
    print_lines(_match_line(len(match.pairs), len(match.only_left), len(match.only_right)))


def _model_headline(found: ModelComparison) -> str:
    a, b = found.left, found.right
    return " · ".join(
        (
            f"{a.name} → {b.name}",
            f"{_both(text.count(a.num_params), text.count(b.num_params))} parameters",
            f"{_both(text.count(a.macs), text.count(b.macs))} MACs",
            _both(text.size(a.file_bytes), text.size(b.file_bytes)),
            f"sparsity {_both(text.percent(a.sparsity), text.percent(b.sparsity))}",
        )
    )


def _layer_row(row: LayerRow) -> tuple[str, ...]:
    def both(show: Any) -> str:
        left, right = (show(x) if x is not None else text.UNKNOWN for x in (row.left, row.right))
        return _both(left, right)

    def macs(layer: Layer) -> str:
        return text.count(layer.macs)

    weights = {True: "same", False: "other", None: text.UNKNOWN}[row.has_same_weight]
    return (
        row.name,
        both(lambda layer: text.shape(layer.weight_shape)),
        both(lambda layer: text.count(layer.num_params)),
        both(macs),
        both(lambda layer: text.percent(layer.sparsity)),
        weights,
        _where(row),
    )


def _where(row: LayerRow) -> str:
    if row.pair is None:
        return "only in B" if row.left is None else "only in A"
    return f"{row.pair.how} {row.pair.certainty:.0%}"


# Modules


def _modules(args: argparse.Namespace) -> None:
    from studio_core.comparison import compare_graphs
    from studio_core.comparison.documents import graph_comparison_document

    found = compare_graphs(graph_of(args.left), graph_of(args.right))
    if args.json:
        print_json(graph_comparison_document(found))
        return
    columns = (
        Column("node", wraps=True),
        Column("operator", wraps=True),
        Column("attribute"),
        Column("A", wraps=True),
        Column("B", wraps=True),
    )
    _print_rows(columns, _node_rows(found), "The graphs are the same.")
    match = found.match
    print_lines(_match_line(len(match.pairs), len(match.only_left), len(match.only_right)))


def _node_rows(found: GraphComparison) -> list[tuple[str, ...]]:
    rows: list[tuple[str, ...]] = [
        (change.pair.right, change.right_label, a.key, a.left or "–", a.right or "–")
        for change in found.changes
        for a in change.attributes
    ]
    rows += [
        (c.pair.right, c.right_label, "operator", c.left_label, c.right_label)
        for c in found.changes
        if c.left_label != c.right_label
    ]
    for graph, ids, where in (
        (found.left, found.match.only_left, "only in A"),
        (found.right, found.match.only_right, "only in B"),
    ):
        rows += [(node_id, graph.by_id[node_id].label, where, "", "") for node_id in ids]
    return rows


# Plans


def _plans(args: argparse.Namespace) -> None:
    from studio_core.comparison.documents import plan_comparison_document

    found = compared_plans(args)
    if args.json:
        print_json(plan_comparison_document(found))
        return
    columns = (
        Column("layer", wraps=True),
        Column("A", is_number=True),
        Column("B", is_number=True),
        Column("B less A", is_number=True),
    )
    _print_rows(columns, _plan_rows(found, args.all), "The plans are the same.")
    print_lines(f"{found.num_changed} of {text.plural(len(found.rows), 'layer')} differ.")


def _plan_rows(found: PlanComparison, is_all: bool) -> list[tuple[str, ...]]:
    def shown(sparsity: float | None, is_locked: bool) -> str:
        return f"{text.percent(sparsity)}{' locked' if is_locked else ''}"

    return [
        (
            row.name,
            shown(row.left, row.is_locked_left),
            shown(row.right, row.is_locked_right),
            text.UNKNOWN if row.difference is None else f"{100 * row.difference:+.1f} %",
        )
        for row in found.rows
        if is_all or row.is_changed
    ]


# Analyses


def _analyses(args: argparse.Namespace) -> None:
    from studio_core.comparison.documents import analysis_comparison_document

    found = compared_analyses(args)
    if args.json:
        print_json(analysis_comparison_document(found, args.sparsity))
        return
    columns = (
        Column("layer", wraps=True),
        Column(f"A at {args.sparsity:g}", is_number=True),
        Column(f"B at {args.sparsity:g}", is_number=True),
        Column("B less A", is_number=True),
        Column("apart"),
    )
    _print_rows(columns, _curve_rows(found, args.sparsity), "They have no layer in common.")
    order = found.rank_correlation(args.sparsity)
    print_lines(
        f"Compared: {found.quantity}."
        if found.is_comparable
        else "The analyses have different units: only the order of the layers can be compared.",
        *found.notes,
        f"Order of the layers: Spearman {order:.3f}." if order is not None else "",
        _match_line(len(found.curves), len(found.only_left), len(found.only_right)),
    )


def _curve_rows(found: AnalysisComparison, sparsity: float) -> list[tuple[str, ...]]:
    words = {True: "yes", False: "within 2 errors", None: text.UNKNOWN}
    rows: list[tuple[str, ...]] = []
    for curve in found.curves:
        left, right = curve.at(sparsity)
        apart = text.significant(right - left) if found.is_comparable else text.UNKNOWN
        shown = text.significant(left), text.significant(right)
        rows.append((curve.name, *shown, apart, words[curve.is_apart]))
    return rows


def _both(left: str, right: str) -> str:
    return left if left == right else f"{left} → {right}"


def _print_rows(columns: tuple[Column, ...], rows: list[tuple[str, ...]], if_none: str) -> None:
    if rows:
        print_table(columns, rows)
        print()
    else:
        print_lines(if_none)


def _match_line(num_pairs: int, num_left: int, num_right: int) -> str:
    return f"{num_pairs:,} matched, {num_left:,} only in A, {num_right:,} only in B."
