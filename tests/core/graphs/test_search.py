"""Finding nodes by name and by regular expression."""

from __future__ import annotations

import time

import pytest

from studio_core.errors import InvalidRequestError
from studio_core.graphs.records import Graph, GraphAttribute, GraphNode
from studio_core.graphs.search import MOST_PATTERN, search

GRAPH = Graph(
    "g",
    (
        GraphNode("1", "ttnn.MatMul", "encoder/0"),
        GraphNode("2", "ttnn.add", "encoder/0"),
        GraphNode("3", "ttnn.relu", "", (GraphAttribute("named_location", "relu_3"),)),
        GraphNode("4", "ttnn.a+b", "", (GraphAttribute("text", "relu_3"),)),
    ),
)


@pytest.mark.parametrize(
    ("query", "is_regex", "places"),
    [
        ("matmul", False, (0,)),
        ("ENCODER", False, (0, 1)),
        ("relu_3", False, (2,)),
        ("a+b", False, (3,)),
        (r"^ttnn\.(add|relu)$", True, (1, 2)),
        (r"relu_\d+", True, (2,)),
        ("nothing", False, ()),
        ("", False, ()),
        ("", True, ()),
    ],
)
def test_nodes_are_found_by_their_names(query, is_regex, places):
    assert search(GRAPH, query, is_regex=is_regex).places == places


def test_what_is_left_off_is_counted():
    found = search(GRAPH, "ttnn", most=2)
    assert (found.places, found.num_found, found.is_complete) == ((0, 1), 4, True)


@pytest.mark.parametrize("query", ["(", "[a", "*", "a{2,1}", "(?P<n>a)(?P<n>b)", "(?i"])
def test_a_broken_expression_is_refused(query):
    with pytest.raises(InvalidRequestError, match="broken"):
        search(GRAPH, query, is_regex=True)


@pytest.mark.parametrize(
    "query",
    ["(a+)+$", "(a|a)*b", "(a|aa)+$", "a*a*a*a*a*b", "(.*)*x", "(a?){50}b", "a?" * 30 + "a" * 30,
     "((a{0,9}){0,9}){0,9}b", "(?:x(?=(a+)+)y)+"],
)  # fmt: skip
def test_an_expression_that_could_take_for_ever_is_refused_at_once(query):
    hostile = Graph("g", (GraphNode("a" * 5000, "a" * 5000),))
    start = time.monotonic()
    with pytest.raises(InvalidRequestError, match="too long"):
        search(hostile, query, is_regex=True)
    assert time.monotonic() - start < 5


def test_a_query_beyond_the_limit_is_refused():
    with pytest.raises(InvalidRequestError, match="characters"):
        search(GRAPH, "a" * (MOST_PATTERN + 1))
