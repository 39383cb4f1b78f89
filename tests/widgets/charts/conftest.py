"""Facts of a model, made of plain records, and of the bundled one."""

from __future__ import annotations

import json
import re

import pytest

from studio_core.plan_runs.removal import Removal
from studio_core.plan_runs.solving import Known, PlanRoom
from studio_core.plans import PruningPlan
from studio_core.samples import sample_path
from studio_core.sensitivity import Analysis
from studio_core.session import Session
from studio_widgets.charts.chart import Chart
from studio_widgets.charts.facts import ChartFacts

from ..fakes import loss_of_layers, make_layers


def foreign_texts(chart: Chart) -> str:
    """All that Plotly is given to draw, without the tags that the charts write themselves."""
    document = json.dumps(chart.figure.to_plotly_json(), default=str, ensure_ascii=False)
    return re.sub(r"</?b>|<br>|<extra></extra>|%\{hovertext\}", "", document)


@pytest.fixture
def made() -> ChartFacts:
    """Twenty layers, three of them without MACs and one with a hostile name."""
    layers = make_layers(20)
    plan = PruningPlan({layer.id: i / 20 for i, layer in enumerate(layers) if layer.is_prunable})
    return ChartFacts(layers, plan, loss_of_layers(layers, errors=True))


@pytest.fixture(scope="session")
def session() -> Session:
    return Session.open(sample_path("digits_cnn"))


@pytest.fixture(scope="session")
def timed(session: Session) -> Analysis:
    return list(session.measure_perf(levels=(0.5,), iterations=8, warmup=1))[-1].analysis()


@pytest.fixture
def facts(session: Session, timed: Analysis) -> ChartFacts:
    """All that is known of the bundled model."""
    room = PlanRoom(session, Removal(), Known(None, timed))
    plan = session.planner.distribute(0.5)
    return ChartFacts(session.layers, plan, session.loss, timed, (), room)
