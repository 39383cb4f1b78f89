"""Samples: the user's in every form, and generated ones that the model accepts."""

import numpy as np
import onnxruntime as ort
import pytest

from studio_core.errors import InvalidRequestError, NotFoundError
from studio_core.evaluation.data import generate_samples, samples_from
from studio_core.evaluation.integer_ranges import integer_limit
from studio_core.models.model import open_model
from studio_core.samples import generate_model, sample_data, sample_path


@pytest.fixture(scope="module")
def cnn():
    return open_model(sample_path("digits_cnn"))


@pytest.fixture(scope="module")
def images():
    return sample_data("digits_cnn").inputs["image"][:4]


def test_one_file_a_sample_in_the_original_form(cnn, images, tmp_path):
    for i, image in enumerate(images):
        np.savez(tmp_path / f"{i}.npz", image)  # by position, without batch dimension
    samples = samples_from(tmp_path, cnn)
    assert np.array_equal(samples.inputs["image"], images)
    assert samples.labels is None


@pytest.mark.parametrize("form", ["array", "mapping", "list", "npz", "npy"])
def test_every_form_gives_the_same_samples(cnn, images, tmp_path, form):
    np.savez(tmp_path / "all.npz", image=images, labels=np.arange(4))
    np.save(tmp_path / "all.npy", images)
    source = {
        "array": images,
        "mapping": {"image": images},
        "list": list(images),
        "npz": tmp_path / "all.npz",
        "npy": str(tmp_path / "all.npy"),
    }[form]
    samples = samples_from(source, cnn)
    assert np.array_equal(samples.inputs["image"], images)
    assert (samples.labels is not None) == (form == "npz")


def test_the_models_own_dtype_is_taken(cnn, images):
    assert samples_from(images.astype(np.float64), cnn).inputs["image"].dtype == np.float32


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ({"picture": np.zeros((1, 1, 8, 8)), "other": np.zeros(1)}, "no input 'image'"),
        (np.zeros((2, 3, 8, 8)), r"\[2, 3, 8, 8\]"),
        ([], "no samples"),
        ({"image": np.zeros((2, 1, 8, 8)), "labels": np.zeros(3)}, "equally many"),
    ],
)
def test_what_does_not_fit_is_named(cnn, source, message):
    with pytest.raises(InvalidRequestError, match=message):
        samples_from(source, cnn)


def test_a_missing_path_is_not_found(cnn):
    with pytest.raises(NotFoundError):
        samples_from("no/such/folder", cnn)


def test_objects_are_never_unpickled(cnn, tmp_path):
    np.save(tmp_path / "evil.npy", np.array([{"a": 1}], dtype=object), allow_pickle=True)
    with pytest.raises(InvalidRequestError, match=r"evil\.npy"):
        samples_from(tmp_path / "evil.npy", cnn)


def test_generated_tokens_stay_inside_the_table(tmp_path):
    path = generate_model(
        "bert_base", tmp_path / "bert.onnx", vocabulary_size=50, num_layers=1, sequence_length=8
    )
    model = open_model(path)
    assert integer_limit(model, "input_ids") == 50
    samples = generate_samples(model, 1)
    assert samples.generated
    assert samples.inputs["attention_mask"].max() <= 1
    session = ort.InferenceSession(path, providers=["CPUExecutionProvider"])
    assert np.isfinite(session.run(None, dict(samples.inputs))[0]).all()


def test_the_same_seed_gives_the_same_samples(cnn):
    a, b = (generate_samples(cnn, 3, seed=1).inputs["image"] for _ in range(2))
    assert np.array_equal(a, b)
    assert not np.array_equal(a, generate_samples(cnn, 3, seed=2).inputs["image"])
