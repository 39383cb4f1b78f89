"""``--verified FILE``: what earlier plans really lost, to correct the predictions of the next."""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from studio_core.errors import InvalidRequestError, NotFoundError

if TYPE_CHECKING:
    from studio_core.plans import Planner
    from studio_core.plans.calibration import Calibration, VerifiedPoint


def add_verified(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--verified",
        metavar="FILE",
        type=Path,
        action="append",
        default=[],
        help="a result of `studio verify -o` by which predictions are corrected (repeatable)",
    )


def read_calibration(paths: Sequence[Path], planner: Planner) -> Calibration:
    """How losses add up by the plans in these files of `studio verify -o`; neutral without any."""
    from studio_core.plans.calibration import Calibration

    return Calibration.fit([_point(path, planner.loss.metric.name) for path in paths])


def _point(path: Path, metric: str) -> VerifiedPoint:
    from studio_core.plans.calibration import VerifiedPoint

    try:
        document: Any = json.loads(path.read_bytes())
        predicted, loss = document["uncalibrated"], document["loss"]
        metrics = {predicted["metric"], loss["metric"]}
        # Files of Studio 0.1 spell it otherwise.
        error = loss["standardError" if "standardError" in loss else "standard_error"]
        point = VerifiedPoint(
            float(predicted["value"]), float(loss["mean"]), None if error is None else float(error)
        )
    except FileNotFoundError:
        raise NotFoundError(
            f"Path {path} does not exist. `studio verify MODEL --plan … -o {path}` makes it."
        ) from None
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise InvalidRequestError(
            f"{path} is not a verification: {error!r}. `studio verify -o` writes one."
        ) from None
    if metrics != {metric}:
        raise InvalidRequestError(
            f"{path} was predicted and measured by {' and '.join(sorted(metrics))}; the losses "
            f"here are {metric}. Verify with the same --analysis."
        )
    return point
