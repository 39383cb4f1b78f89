"""The data that `sweep` and `verify` run the model on: ``--data``, ``--metric``, ``--samples``."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from studio_cli.arguments import whole_number
from studio_cli.models import PROJECT, SAMPLE, open_workbench
from studio_core.errors import InvalidRequestError

if TYPE_CHECKING:
    from studio_core.evaluation.data import Samples
    from studio_core.session import Session

BUNDLED, GENERATED = "sample", "generated"

METRIC_NAMES = ("softmax_kl", "relative_l2", "cosine", "cross_entropy", "accuracy")
"""The core's metrics; spelt out here, because `studio sweep --help` must not load numpy."""


class EvaluationData(NamedTuple):
    """Samples, and in words what they are."""

    samples: Samples
    title: str


def add_data_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--data",
        metavar="DATA",
        help="a .npz or .npy file or a folder of .npz, an array 'labels' beside the inputs; "
        "'sample': the held-out data of a bundled model (its default), also sample:NAME; "
        "'generated': random numbers (default where there is nothing else)",
    )
    parser.add_argument(
        "--metric",
        choices=METRIC_NAMES,
        help="how outputs are compared (default: cross_entropy with labels, softmax_kl for "
        "other class scores, relative_l2 for the rest)",
    )
    parser.add_argument(
        "--samples", metavar="N", type=whole_number, help="use the first N samples only"
    )


def load_data(
    args: argparse.Namespace, session: Session, num_samples: int | None = None
) -> EvaluationData:
    """What ``args.data`` names, or what comes with the model; ``num_samples`` None takes all."""
    from studio_core.analysis_runs import DEFAULT_SAMPLES
    from studio_core.evaluation.data import generate_samples

    samples = given_samples(args, session)
    if samples is None:
        samples = generate_samples(session.model, num_samples or DEFAULT_SAMPLES)
    elif num_samples is not None:
        samples = samples.first(num_samples)
    return EvaluationData(samples, _title(samples))


def given_samples(args: argparse.Namespace, session: Session) -> Samples | None:
    """The samples there are; None where they have to be generated."""
    from studio_core.evaluation.data import samples_from

    text: str | None = args.data
    if text == GENERATED:
        return None
    if text is None:
        if args.model.startswith(SAMPLE):
            return _bundled(args.model, session)
        folder = _project_data(args)
        return None if folder is None else samples_from(folder, session.model)
    if text == BUNDLED:
        if not args.model.startswith(SAMPLE):
            raise InvalidRequestError(
                "--data sample is for bundled models (sample:NAME). Give a file, or the data of "
                "a certain one: --data sample:digits_cnn."
            )
        return _bundled(args.model, session)
    if text.startswith(SAMPLE):
        return _bundled(text, session)
    return samples_from(Path(text), session.model)


def _bundled(reference: str, session: Session) -> Samples:
    from studio_core.samples.bundled import bundled_samples

    return bundled_samples(reference.removeprefix(SAMPLE), session.model)


def _project_data(args: argparse.Namespace) -> Path | None:
    """The folder of a project's own samples, where it holds any."""
    if not args.model.startswith(PROJECT):
        return None
    folder = open_workbench(args).find_project(args.model.removeprefix(PROJECT)).data_folder
    return folder if any(folder.glob("*.npz")) else None


def _title(samples: Samples) -> str:
    count = samples.num_samples
    number = "1 sample" if count == 1 else f"{count:,} samples"
    if samples.generated:
        return f"{number} of random data"
    return f"{number} without labels" if samples.labels is None else f"{number} with labels"
