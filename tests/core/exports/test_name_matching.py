"""Names are found by shape and values, transposed too; what is uncertain is said."""

import numpy as np
import pytest

from studio_core.exports.name_matching import MatchedName, match_names


class Torch:
    """What name matching uses of a torch tensor."""

    def __init__(self, array):
        self.array = array
        self.shape = array.shape

    def detach(self):
        return self

    cpu = float = detach

    def numpy(self):
        return self.array


def test_weights_are_found_whatever_they_are_called(source, weights):
    first, second, third = weights.values()
    state = {
        "x.weight": Torch(first),
        "y.weight": second.T.copy(),
        "z.weight": third.astype(np.float64),
        "same shape": first + 1,
        "_extra_state": object(),
        "text": np.array(["a"] * 16).reshape(4, 4),
        "count": np.int64(3),
    }
    matches = match_names(source.weights, state)
    assert matches.problems == ()
    assert list(matches.matched.values()) == [
        MatchedName("x.weight"),
        MatchedName("y.weight", transposed=True),
        MatchedName("z.weight"),
    ]


def test_two_parameters_of_equal_values_are_not_guessed(source, weights):
    first, second, third = weights.values()
    state = {"p": first, "q": first.copy(), "r": second, "s": third}
    matches = match_names(source.weights, state)
    assert list(matches.matched) == list(weights)[1:]
    assert matches.problems == (
        "'net.0.weight' has the values of several parameters ('p', 'q'); it is left out.",
    )


def test_of_two_the_one_of_the_same_name_is_certain(source, weights):
    first = weights["net.0.weight"]
    matches = match_names(source.weights, {"tied": first, "net.0.weight": first})
    assert matches.matched["net.0.weight"] == MatchedName("net.0.weight")


def test_one_changed_value_is_another_weight(source, weights):
    changed = weights["net.0.weight"].copy()
    changed[3, 3] = np.nextafter(changed[3, 3], 10, dtype=np.float32)
    matches = match_names(source.weights, {"net.0.weight": changed})
    assert not matches.matched
    assert len(matches.problems) == 3


@pytest.mark.parametrize("second_sparsity", [0.5, 0.25])
def test_copies_of_one_parameter(second_sparsity, open_text):
    from studio_core.exports import ExportSource
    from studio_core.plans.plan import PruningPlan

    array = np.random.default_rng(0).normal(size=(40, 40)).astype(np.float32)
    text = "g (float[N,40] x) => (float[N,40] b) { a = MatMul (x, A)  b = MatMul (a, B) }"
    session = open_text(text, {"A": array, "B": array})
    plan = PruningPlan({"a": 0.5, "b": second_sparsity})
    source = ExportSource(session.model, session.layers, plan)
    matches = match_names(source.weights, {"w": array})
    if second_sparsity == 0.5:
        assert dict(matches.matched) == {"A": MatchedName("w")}
        assert matches.problems == ()
    else:
        assert not matches.matched
        assert "different sparsities" in matches.problems[0]
