"""Whether a module fits under all that is asked of it: an edit counts wherever it is alive."""

from __future__ import annotations

import pytest

from studio_core.explorer.exploration import Exploration, open_exploration
from studio_core.samples import module_path

# Float32 shards of 8 x 32 tiles on 4 x 4 cores: 2**20 bytes each; bf16 on 8 x 8: 2**17.
BIG, SMALL = 1 << 20, 1 << 17


@pytest.fixture
def feed_forward() -> Exploration:
    return open_exploration(module_path("feed_forward"))


@pytest.fixture
def ids(feed_forward) -> dict[str, str]:
    named = ((n, n.attribute("named_location")) for n in feed_forward.graph.nodes)
    return {name.value: node.id for node, name in named if name is not None}


def shrink(exploration, node_id):
    exploration.edit(node_id, "grid_shape", "8x8")
    return exploration.edit(node_id, "data_type", "bf16")


def test_the_bundled_module_does_not_fit_at_its_relu(feed_forward, ids):
    peak = feed_forward.peak()
    assert (peak.node_id, peak.l1_bytes, peak.fits) == (ids["relu"], 2 * BIG, False)


def test_an_edit_counts_at_every_op_where_its_result_is_alive(feed_forward, ids):
    assert feed_forward.outcome(ids["relu"]).fits is False
    assert shrink(feed_forward, ids["up"]).live_l1_bytes == SMALL
    relu = feed_forward.outcome(ids["relu"])  # reads what "up" made
    assert (relu.live_l1_bytes, relu.fits, relu.layout) == (BIG + SMALL, True, None)
    assert float(relu.memory[0].value) == pytest.approx((BIG + SMALL) / 1_498_112, rel=1e-4)
    # Freed before: not alive any more.
    assert feed_forward.outcome(ids["down"]).live_l1_bytes == BIG + 16 * 2048


def test_all_edits_together_and_taken_back(feed_forward, ids):
    shrink(feed_forward, ids["up"])
    assert shrink(feed_forward, ids["relu"]).live_l1_bytes == 2 * SMALL
    assert feed_forward.peak().fits is True
    assert feed_forward.peak().l1_bytes == 2 * SMALL
    for name in ("up", "relu"):
        feed_forward.reset(ids[name])
    assert feed_forward.peak().l1_bytes == 2 * BIG
    assert feed_forward.outcome(ids["relu"]).live_l1_bytes == 2 * BIG


def test_without_deallocate_a_result_lives_to_its_last_reader(tmp_path, feed_forward):
    text = "\n".join(
        line for line in feed_forward.path.read_text().splitlines() if "deallocate" not in line
    )
    path = tmp_path / "implicit.mlir"
    path.write_text(text)
    exploration = open_exploration(path)
    names = {n.label: n.id for n in exploration.graph.nodes}
    shrink(exploration, names["ttnn.relu"])
    assert exploration.outcome(names["ttnn.softmax"]).live_l1_bytes == 2 * 16 * 2048
