"""Passes over growing subsets end in the plain numbers; points that are precise enough stop."""

import json
import math

import numpy as np
import pytest

from studio_core.errors import InvalidRequestError
from studio_core.samples import sample_data, sample_path
from studio_core.sensitivity.documents import from_document, to_document
from studio_core.sensitivity.sweep.points import Measurement, StopRule, checkpoints
from studio_core.session import Session

LEVELS = (0.5, 0.8, 0.95)
OPTIONS = {"metric": "softmax_kl", "levels": LEVELS, "batch_size": 4}


@pytest.fixture(scope="module")
def session():
    return Session.open(sample_path("digits_cnn"))


@pytest.fixture(scope="module")
def images():
    return sample_data("digits_cnn").inputs["image"][:60]


def last(steps):
    *_, end = steps
    return end


def table(analysis):
    return np.array([[c.losses, c.standard_errors, c.num_samples] for c in analysis.curves])


@pytest.fixture(scope="module")
def plain(session, images):
    return table(last(session.measure(images, **OPTIONS)).analysis())


def test_passes_end_in_the_numbers_of_the_plain_sweep(session, images, plain):
    num_layers, num_points = plain.shape[0], plain.shape[0] * len(LEVELS)
    known = {}
    for number, step in enumerate(session.measure(images, passes=[1, 9], **OPTIONS)):
        assert step.done == number
        if number in (num_layers, num_points, 3 * num_points):
            known[number] = table(step.analysis())
    ranking, first, end = known.values()
    assert np.isfinite(ranking[:, 0, 1]).all()  # every layer, before any has a second level
    assert np.isnan(ranking[:, 0, [0, 2]]).all()
    assert np.array_equal(first[:, 2], np.full((num_layers, 3), 4))  # one batch of four
    assert np.array_equal(end, plain)
    assert step.analysis().provenance["passes"] == [4, 12, 60]


def test_points_stop_where_they_are_precise_enough(session, images, plain):
    steps = list(session.measure(images, stop_error="20%", **OPTIONS))
    assert steps[-1].done == steps[-1].total
    analysis = steps[-1].analysis()
    scale = analysis.provenance["stopScale"]
    found = table(analysis)
    counts = found[:, 2]
    assert set(np.unique(counts)) == {16, 60}
    stopped = counts < 60
    limits = 0.2 * np.maximum(np.abs(found[:, 0]), scale)
    assert (found[:, 1][stopped] < limits[stopped]).all()
    # What did not stop is the plain number, and what did is not far from it.
    assert np.array_equal(found.transpose(0, 2, 1)[~stopped], plain.transpose(0, 2, 1)[~stopped])
    off = np.abs(found[:, 0] - plain[:, 0])[stopped]
    assert (off < 3 * limits[stopped]).all()


def test_a_stopped_sweep_comes_back_from_its_document_and_goes_on(session, images):
    steps = list(session.measure(images, stop_error="20%", **OPTIONS))
    whole = table(steps[-1].analysis())
    for at in (3, 60):
        run = session.measure(images, stop_error="20%", **OPTIONS)
        known = [next(run) for _ in range(at + 1)][-1].analysis()
        run.close()
        back = from_document("loss", "a", json.loads(json.dumps(to_document(known))))
        assert np.array_equal(table(back), table(known), equal_nan=True)
        again = list(session.measure(images, stop_error="20%", earlier=back, **OPTIONS))
        assert len(again) < len(steps)
        assert again[-1].done == again[-1].total
        assert np.array_equal(table(again[-1].analysis()), whole)


def test_without_the_stop_the_rest_is_measured(session, images, plain):
    stopped = last(session.measure(images, stop_error="20%", **OPTIONS)).analysis()
    done = int((table(stopped)[:, 2] == 60).sum())
    steps = list(session.measure(images, earlier=stopped, **OPTIONS))
    assert steps[0].done == done
    assert np.array_equal(table(steps[-1].analysis()), plain)


@pytest.mark.parametrize(
    ("passes", "stops", "expected"),
    [
        (None, False, (6,)),
        (None, True, (1, 4, 6)),  # 1, 4, 16, 22 samples; 1 and 4 are the same batch
        ([1, 4, 5, 22, 100], False, (1, 2, 6)),
        ([], True, (6,)),
    ],
)
def test_passes_are_whole_batches(passes, stops, expected):
    assert checkpoints(passes, [4, 4, 4, 4, 4, 2], stops=stops) == expected


@pytest.mark.parametrize("passes", [[0], [-1], [1.5], [True], ["4"]])
def test_passes_that_are_no_numbers_of_samples(passes):
    with pytest.raises(InvalidRequestError, match="numbers of samples"):
        checkpoints(passes, [4])


def point(value, error, count):
    return Measurement("a", 0.5, value, error, count)


def test_the_stop_rule():
    absolute = StopRule.of(0.1)
    assert absolute.is_met(point(5.0, 0.09, 100), None)
    assert not absolute.is_met(point(5.0, 0.11, 100), None)
    assert not absolute.is_met(point(5.0, 0.09, 8), None)  # eight samples do not tell it so well
    assert not absolute.is_met(point(5.0, None, 1), None)
    assert not absolute.is_met(point(5.0, 0.001, 7), None)
    assert not absolute.is_met(point(0.0, 0.0, 8), None)  # eight that agree prove little
    assert absolute.is_met(point(0.0, 0.0, 32), None)
    relative = StopRule.of("5%")
    assert relative.is_met(point(-10.0, 0.4, 100), 0.0)  # of itself
    assert relative.is_met(point(0.0, 0.4, 100), 10.0)  # of what matters
    assert not relative.is_met(point(1.0, 0.4, 100), 1.0)
    assert not relative.is_met(point(10.0, 0.4, 100), None)


def test_students_t_is_that_of_the_tables():
    from studio_core.sensitivity.sweep.points import _student

    for freedom, quantile in ((3, 3.182), (7, 2.365), (15, 2.131), (99, 1.984)):
        assert _student(freedom) == pytest.approx(quantile / 1.960, rel=0.04)


@pytest.mark.parametrize("given", [0, -1, "", "x", "0%", "-5%", math.inf, math.nan, True, "5 %%"])
def test_stop_errors_that_are_none(given):
    with pytest.raises(InvalidRequestError, match="cannot stop"):
        StopRule.of(given)


def test_stop_errors_in_words():
    assert StopRule.of(None) is None
    assert [str(StopRule.of(x)) for x in (0.001, "0.001", "5%", " 2.5 %")] == [
        *("0.001", "0.001", "5%", "2.5%"),
    ]
