"""Reports: what they say, that they open anywhere, and that no name of a model does harm."""

from __future__ import annotations

import re
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import onnx
import pytest

from studio_core.errors import InvalidRequestError
from studio_core.execution.records import RunSettings
from studio_core.explorer.exploration import Exploration, open_exploration
from studio_core.plan_runs.saved_plan import SavedPlan
from studio_core.plans import PruningPlan
from studio_core.reports import (
    model_report,
    module_report,
    report_html,
    report_markdown,
    write_report,
)
from studio_core.reports.records import FindingList, Report
from studio_core.session import Session

WriteModel = Callable[..., Path]

ATTACKS = (
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "'--></style></title><svg onload=alert(1)>",
    "[click](javascript:alert(1)) ![x](http://evil.example/x.png)",
    "|pipe| `code` **bold** http://evil.example www.evil.example a@evil.example",
    "\u202egnp.exe\u0000\x1b[31m\nsecond line",
)
CREATED = "2026-01-02T03:04:05.000000Z"
FAST = RunSettings(warmup=0, iterations=1)

TAGS = {
    "html", "head", "meta", "title", "style", "body", "header", "nav", "main", "footer", "section",
    "h1", "h2", "p", "a", "dl", "dt", "dd", "div", "span", "i", "ul", "li", "table", "caption",
    "thead", "tbody", "tr", "th", "td", "figure", "figcaption", "details", "summary", "pre",
    "svg", "g", "path", "rect", "circle", "line", "text",
}  # fmt: skip
VOID = {"meta"}


class Page(HTMLParser):
    """A page taken apart: its texts, and whatever it must not have."""

    def __init__(self, html: str) -> None:
        super().__init__(convert_charrefs=True)
        self.open: list[str] = []
        self.words: list[str] = []
        self.faults: list[str] = []
        self.feed(html)
        self.close()
        if self.open:
            self.faults.append(f"never closed: {self.open}")

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in TAGS:
            self.faults.append(f"<{tag}>")
        for key, value in attrs:
            self._check(tag, key, value or "")
        if tag not in VOID:
            self.open.append(tag)

    def _check(self, tag: str, key: str, value: str) -> None:
        if key.startswith("on") or key in ("src", "srcset", "action", "formaction", "srcdoc"):
            self.faults.append(f"{tag} {key}={value}")
        if "://" in value and key not in ("xmlns", "title", "aria-label"):
            self.faults.append(f"an address: {key}={value}")
        if key == "href" and not re.fullmatch(r"#[\w-]+", value):
            self.faults.append(f"link to {value}")
        if key == "style" and not re.fullmatch(r"width:\d+\.\d%", value):
            self.faults.append(f"style {value}")

    def handle_endtag(self, tag: str) -> None:
        if not self.open or self.open.pop() != tag:
            self.faults.append(f"</{tag}> out of place")

    def handle_data(self, data: str) -> None:
        if "style" not in self.open:
            self.words.append(data)

    def handle_comment(self, data: str) -> None:
        self.faults.append(f"a comment: {data}")

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.words).split())


def page_of(report: Report) -> Page:
    html = report_html(report)
    page = Page(html)
    assert page.faults == []
    assert "url(" not in html
    assert "@import" not in html
    return page


@pytest.fixture
def planned(mlp: Session) -> Report:
    ids = [layer.id for layer in mlp.prunable_layers]
    plan = PruningPlan(dict.fromkeys(ids, 0.5), weight_names={x.id: x.name for x in mlp.layers})
    run = {
        "loss": {"mean": 0.25, "standardError": 0.01, "metric": "relative_error", "numSamples": 9},
        "predicted": {"value": 0.1, "standardError": 0.02, "metric": "relative_error",
                      "statement": "A sum."},
        "accuracy": {"dense": 0.97, "pruned": 0.91},
        "latency": {"denseMs": 2.0, "prunedMs": 1.5, "denseSpreadMs": 0.1, "prunedSpreadMs": 0.1},
        "costs": {"sparsity": 0.5, "bytesCompressed": 100, "bytesCompressedDense": 200},
        "isComparable": True, "onRandomData": False, "skipped": {}, "keepsGoal": True,
        "createdAt": CREATED, "data": "night.npz",
    }  # fmt: skip
    saved = SavedPlan(
        "mild", 3, plan, created_at=CREATED, goal={"minSparsity": 0.5},
        expected={"predicted": run["predicted"], "solution": {"reasons": [
            {"id": ids[0], "text": "Because it is cheap."}]}},
        verifications=(run,),
    )  # fmt: skip
    return model_report(mlp, plan=saved, created=CREATED)


def test_a_report_tells_the_plan_its_proof_and_where_all_comes_from(
    planned: Report, mlp: Session
) -> None:
    text = page_of(planned).text
    for words in (
        "plan 'mild' version 3",
        "min sparsity 0.5",
        "50.0 %",
        "Because it is cheap.",
        "0.25 ± 0.01",
        "0.1 ± 0.02",
        "91.0 %",
        "third_weight",
        "The prediction does not hold for this plan.",
        "Estimated from the weights alone",
        mlp.model.sha256(),
        "2026-01-02 03:04 UTC",
    ):
        assert words in text, words


def test_the_same_report_as_markdown(planned: Report, mlp: Session) -> None:
    text = report_markdown(planned)
    assert text.startswith(f"# {mlp.model.name}\n")
    for words in ("## Verification", "0.25 ± 0.01", "Because it is cheap.", mlp.model.sha256()):
        assert words in text
    widths = {
        tuple(line.count("|") for line in table.splitlines())
        for table in re.findall(r"(?m)(?:^\|.*\n)+", text)
    }
    assert widths
    assert all(len(set(width)) == 1 for width in widths)


def test_a_report_is_the_same_each_time(mlp: Session) -> None:
    first, second = (report_html(model_report(mlp, created=CREATED)) for _ in range(2))
    assert first == second


def test_a_page_follows_the_theme_prints_and_forbids_scripts(planned: Report) -> None:
    html = report_html(planned)
    assert "@media (prefers-color-scheme: dark)" in html
    assert "@media print" in html
    assert "default-src &#x27;none&#x27;" in html
    assert "<script" not in html


def test_a_large_model_stays_a_page_that_can_be_read(open_text: Callable[..., Session]) -> None:
    number = 400
    steps = "".join(f"v{i + 1} = MatMul (v{i}, w{i}) " for i in range(number))
    weight = np.arange(4, dtype=np.float32).reshape(2, 2) + 1
    session = open_text(
        f"g (float[N,2] v0) => (float[N,2] v{number}) {{ {steps} }}",
        {f"w{i}": weight for i in range(number)},
    )
    report = model_report(session, plan=PruningPlan({x.id: 0.5 for x in session.layers}))
    page = page_of(report)
    assert "The first 250 of 400 are shown." in page.text
    assert len(report_html(report)) < 600_000


def test_a_model_without_layers_has_a_report(open_text: Callable[..., Session]) -> None:
    session = open_text("g (float[N,4] x) => (float[N,4] y) { y = Relu (x) }")
    text = page_of(model_report(session)).text
    assert "No layer of this model can be pruned" in text
    assert report_markdown(model_report(session))


# Hostile names


def hostile_model(write_model: WriteModel, attack: str) -> Session:
    weight = onnx.numpy_helper.from_array(np.zeros((2, 2), np.float32))
    weight.name = f"w{attack}"
    other = onnx.numpy_helper.from_array(np.arange(4, dtype=np.float32).reshape(2, 2))
    other.name = f"v{attack}"
    kind = onnx.TensorProto.FLOAT
    graph = onnx.helper.make_graph(
        [
            onnx.helper.make_node("MatMul", [f"x{attack}", weight.name], [f"h{attack}"], attack),
            onnx.helper.make_node("MatMul", [f"h{attack}", other.name], [f"y{attack}"]),
        ],
        f"g{attack}",
        [onnx.helper.make_tensor_value_info(f"x{attack}", kind, [f"N{attack}", 2])],
        [onnx.helper.make_tensor_value_info(f"y{attack}", kind, [f"N{attack}", 2])],
        [weight, other],
    )
    model = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 17)])
    model.producer_name, model.doc_string = attack, attack
    onnx.helper.set_model_props(model, {attack: attack})
    return Session.open(write_model(model))


@pytest.mark.parametrize("attack", ATTACKS)
def test_names_of_a_model_do_no_harm(write_model: WriteModel, attack: str) -> None:
    session = hostile_model(write_model, attack)
    plan = PruningPlan({layer.id: 0.5 for layer in session.layers})
    saved = SavedPlan("p", 1, plan, note=attack, expected={"notes": [attack]})
    report = model_report(session, plan=saved, title=attack, about={attack: attack})
    page = page_of(report)
    assert not any(ord(c) < 32 and c != "\n" for c in page.text)
    assert "\u202e" not in page.text
    # What is harmless of it is still to be read.
    assert attack[:6].replace("\u202e", "\\u202e")[:6] in page.text
    check_markdown(report_markdown(report))


def check_markdown(text: str) -> None:
    """No markup, link or control character of a name is left without a backslash."""
    without_escapes = re.sub(r"\\[!-/:-@\[-`{-~]", "", text)
    assert "<" not in without_escapes
    assert "](" not in without_escapes
    assert "`" not in without_escapes
    assert "://" not in without_escapes
    assert "www.evil" not in without_escapes
    assert "\x1b" not in text
    assert "\u202e" not in text


@pytest.mark.parametrize("attack", ATTACKS[:4])
def test_names_of_a_module_do_no_harm(tmp_path: Path, attack: str) -> None:
    name = attack.replace("\\", "\\\\").replace('"', '\\"')
    text = f"""\
func.func @f(%arg0: tensor<4x4xf32>) -> tensor<4x4xf32> {{
  %0 = "ttir.relu"(%arg0) : (tensor<4x4xf32>) -> tensor<4x4xf32> loc("{name}")
  return %0 : tensor<4x4xf32>
}}
"""
    path = tmp_path / "hostile.mlir"
    path.write_text(text, encoding="utf-8")
    exploration = open_exploration(path)
    for _ in exploration.run(settings=FAST):
        pass
    report = module_report(exploration)
    page_of(report)
    check_markdown(report_markdown(report))


# Modules


@pytest.fixture
def ran() -> Exploration:
    path = Path(__file__).parents[2] / "data" / "mlir" / "run_convnet.mlir"
    exploration = open_exploration(path)
    node = next(n for n in exploration.graph.nodes if n.label == "ttir.conv2d")
    exploration.edit(node.id, "data_type", "bfp_bf8")
    for _ in exploration.run(settings=FAST):
        pass
    return exploration


def test_a_module_is_told_with_its_run_and_overrides(ran: Exploration) -> None:
    report = module_report(ran, created=CREATED)
    text = page_of(report).text
    for words in ("Nodes by operator", "ttir.conv2d", "conv_0", "The slowest ops", "applied",
                  "Roofline", "override-output-layout=", "onnxruntime"):  # fmt: skip
        assert words in text, words
    assert "## Overrides" in report_markdown(report)


def test_the_memory_of_a_module_is_drawn() -> None:
    path = Path(__file__).parents[2] / "data" / "mlir" / "hw_sharded_chain.mlir"
    report = module_report(open_exploration(path))
    text = page_of(report).text
    assert "L1 of a core that live tensors take" in text
    assert "limit" in text
    assert [s.title for s in report.sections if s.title == "Memory"]


def test_findings_of_a_report_are_those_of_the_rules(ran: Exploration) -> None:
    from studio_core.findings import module_findings

    blocks = [b for s in module_report(ran).sections for b in s.blocks]
    (told,) = [b for b in blocks if isinstance(b, FindingList)]
    assert told.findings == module_findings(ran)


# Files


def test_the_suffix_says_what_is_written(mlp: Session, tmp_path: Path) -> None:
    report = model_report(mlp, created=CREATED)
    assert write_report(tmp_path / "r.html", report).read_text("utf-8") == report_html(report)
    assert write_report(tmp_path / "r.md", report).read_text("utf-8") == report_markdown(report)
    with pytest.raises(InvalidRequestError, match=r"\.html or \.md"):
        write_report(tmp_path / "r.pdf", report)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["r.html", "r.md"]
