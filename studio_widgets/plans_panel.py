"""Plans: what was saved or verified, each with a note, to come back to.

    panel.save("half", note="as a start")
    panel.use(panel.plans[0])

In a project they are kept on disk, where REST and the command line find them too.
"""

from __future__ import annotations

import html
from collections.abc import Callable
from typing import Any

import ipywidgets
import traitlets

from studio_core.plan_runs.request import Sources
from studio_core.plan_runs.saved_plan import SavedPlan
from studio_core.plan_runs.solving import SolvedPlan
from studio_core.plans import PruningPlan
from studio_core.plans.verification import Verification
from studio_widgets import _format
from studio_widgets._analysis_panel import run_button
from studio_widgets._base import ShortRepr, reject_unknown, settings_of
from studio_widgets._plan_shelf import Fault, PlanShelf
from studio_widgets._verified import metric_label
from studio_widgets.messages import MessageArea
from studio_widgets.panel_style import PanelStyle

ROWS_SHOWN = 12

AskPlan = Callable[[], tuple[SolvedPlan, Sources]]


class PlansPanel(ShortRepr, ipywidgets.VBox):
    """The plans on ``shelf``. ``ask`` answers the present plan with what it should bring;
    ``on_plan`` hears of a plan that a person wants back.
    """

    plans = traitlets.Tuple()
    """The saved plans, the newest first, as `SavedPlan`. Type: tuple. Default: ()."""

    def __init__(
        self,
        shelf: PlanShelf,
        ask: AskPlan,
        on_plan: Callable[[PruningPlan], None],
        **settings: Any,
    ) -> None:
        cls = type(self)
        reject_unknown(cls, settings, settings_of(cls, ipywidgets.VBox))
        self.shelf, self._ask, self._on_plan = shelf, ask, on_plan
        self.current: SavedPlan | None = None
        self._faults: list[Fault] = []
        self.name = ipywidgets.Text(
            description="Name",
            placeholder="the next free one",
            tooltip="Under a name that is taken the plan becomes its next version",
            continuous_update=True,
        )
        self.note = ipywidgets.Text(placeholder="note", tooltip="Your note on the plan")
        self.keep = run_button("Save plan", "save", "Keep the plan as it stands")
        self.keep.add_class("studio-primary")
        self.keep.on_click(lambda _: self._save_by_hand())
        self.again = run_button("", "refresh", "Look for plans that others saved")
        self.again.on_click(lambda _: self._refresh_by_hand())
        self.messages = MessageArea()
        self.rows = ipywidgets.VBox()
        self.rows.add_class("studio-history")
        line = ipywidgets.HBox([self.name, self.note, self.keep, self.again])
        line.add_class("studio-run-controls")
        style = PanelStyle("panel", "runs")
        super().__init__([style, line, self.messages, self.rows], **settings)
        self.add_class("studio")
        self.add_class("studio-plans")
        self._refresh_by_hand()

    def save(self, name: str | None = None, note: str = "") -> SavedPlan:
        """Keep the present plan: as a new one, or as the next version of ``name``.

        Raises `InvalidRequestError` for a name or note that cannot be used.
        """
        solved, sources = self._ask()
        self.current = self.shelf.save(solved, name or None, note, sources)
        self.refresh()
        return self.current

    def keep_verification(self, found: Verification) -> None:
        """Keep what a run gave with its plan; one that was not saved yet is saved."""
        saved = next((plan for plan in self.plans if plan.plan == found.plan), None)
        if saved is None:
            solved, sources = self._ask()
            if solved.plan != found.plan:
                return  # the sliders were moved while it ran
            saved = self.shelf.save(solved, None, "", sources)
        self.current = self.shelf.keep_verification(saved, found)
        self.refresh()

    def use(self, saved: SavedPlan) -> None:
        """Return to a saved plan."""
        self.current = saved
        self._on_plan(saved.plan)
        self._draw()

    def delete(self, name: str) -> None:
        """Remove a plan with all its versions."""
        self.shelf.delete(name)
        if self.current is not None and self.current.name == name:
            self.current = None
        self.refresh()

    def note_of(self, plan: PruningPlan) -> str:
        """The note on the newest saved version of ``plan``; "" without one."""
        return next((saved.note for saved in self.plans if saved.plan == plan), "")

    def adopt(self, other: PlansPanel) -> None:
        """Take over the plans of another workbench of the same model."""
        for saved in reversed(other.plans):
            self.shelf.put(saved)
        self.refresh()

    def refresh(self) -> None:
        """Read the plans anew."""
        found = self.shelf.plans()
        self.plans = tuple(plan for plan in found if isinstance(plan, SavedPlan))
        self._faults = [plan for plan in found if isinstance(plan, Fault)]
        self._draw()

    def _annotate(self, saved: SavedPlan, note: str) -> None:
        with self.messages.catching():
            changed = self.shelf.annotate(saved, note)
            same = (saved.name, saved.version)
            self.plans = tuple(changed if (p.name, p.version) == same else p for p in self.plans)

    def _draw(self) -> None:
        shown = self.plans[:ROWS_SHOWN]
        for former in self.rows.children:
            former.close()
        rows: list[Any] = [self._row(saved) for saved in shown]
        rows += [_hint(f"{f.name}, version {f.version}: {f.reason}") for f in self._faults]
        if len(self.plans) > len(shown):
            rows.append(_hint(f"{len(self.plans) - len(shown)} older ones are not shown."))
        if not rows:
            rows.append(_hint("None yet. A plan that is verified is kept here as well."))
        self.rows.children = rows

    def _row(self, saved: SavedPlan) -> _PlanRow:
        return _PlanRow(
            saved,
            is_current=self.current is not None and _key(saved) == _key(self.current),
            on_note=lambda note: self._annotate(saved, note),
            on_use=lambda: self._by_hand(lambda: self.use(saved)),
            on_delete=lambda: self._by_hand(lambda: self.delete(saved.name)),
            num_versions=sum(p.name == saved.name for p in self.plans),
        )

    def _by_hand(self, act: Callable[[], None]) -> None:
        with self.messages.catching():
            act()

    def _save_by_hand(self) -> None:
        def save() -> None:
            self.save(self.name.value.strip() or None, self.note.value)
            self.name.value = self.note.value = ""

        self._by_hand(save)

    def _refresh_by_hand(self) -> None:
        self._by_hand(self.refresh)


class _PlanRow(ipywidgets.HBox):
    """One saved plan: its numbers, a note, a button that brings it back, one that removes it."""

    def __init__(
        self,
        saved: SavedPlan,
        *,
        is_current: bool,
        on_note: Callable[[str], None],
        on_use: Callable[[], None],
        on_delete: Callable[[], None],
        num_versions: int,
    ) -> None:
        text = ipywidgets.HTML(_plan_html(saved, num_versions))
        self.note = ipywidgets.Text(
            value=saved.note,
            placeholder="note",
            tooltip=f"Your note on {saved.name}",
            continuous_update=False,
        )
        self.note.observe(lambda change: on_note(change["new"]), "value")
        self.back = run_button("Use", "", f"Return to {saved.name}, version {saved.version}")
        self.back.on_click(lambda _: on_use())
        self._versions = f"all {num_versions} versions" if num_versions > 1 else "it"
        self.remove = run_button("", "trash", f"Delete {saved.name}")
        self._on_delete = on_delete
        self.remove.on_click(lambda _: self._delete())
        super().__init__([text, self.note, self.back, self.remove])
        self.add_class("studio-history-row")
        if is_current:
            self.add_class("studio-selected")

    def _delete(self) -> None:
        """The first press asks, the second one does it."""
        if self.remove.description:
            self._on_delete()
        else:
            self.remove.description = f"Delete {self._versions}?"


def _plan_html(saved: SavedPlan, num_versions: int) -> str:
    version = f" v{saved.version}" if num_versions > 1 or saved.version > 1 else ""
    facts = [f"sparsity {_format.fraction(_number(saved.expected, 'estimate', 'sparsity'))}"]
    if str(saved.removal.default) != "element":
        facts.append(f"by {saved.removal.default}")
    facts += _proof(saved)
    if saved.pruned is not None:
        facts.append("applied")
    return (
        f'<div class="studio-history-text"><strong>{html.escape(saved.name + version)}</strong> '
        f"{html.escape(' · '.join(facts))}</div>"
    )


def _proof(saved: SavedPlan) -> list[str]:
    if not saved.verifications:
        return ["not verified"]
    found = saved.verifications[-1]
    loss = found["loss"]
    value = _format.value(loss["mean"], loss["standardError"])
    words = [f"verified: {metric_label(str(loss['metric']))} {value}"]
    if found.get("accuracy") is not None:
        words.append(f"accuracy {_format.percent(found['accuracy']['pruned'])}")
    return words


def _number(document: Any, *keys: str) -> float | None:
    for key in keys:
        document = document.get(key) if hasattr(document, "get") else None
    return document if isinstance(document, (int, float)) else None


def _key(saved: SavedPlan) -> tuple[str, int]:
    return saved.name, saved.version


def _hint(text: str) -> ipywidgets.HTML:
    return ipywidgets.HTML(f'<div class="studio-hint">{html.escape(text)}</div>')
