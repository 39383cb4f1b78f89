"""Findings: what Studio notices by itself, the gravest first, each with what to do about it.

    panel = FindingsPanel(lambda: model_findings(session, plan), on_select=show_layer)
    panel.refresh()                     # after a change; sends nothing where nothing is new
    panel.refresh_soon()                # after one of many, such as those of a slider
    panel.findings[0].remedy

It is drawn by an element of its own, since fifty rows of ipywidgets are two hundred models.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, TypedDict

import traitlets

from studio_core.errors import StudioError
from studio_core.finding import SEVERITIES, Finding
from studio_core.findings.gathering import ordered
from studio_core.reports.plain_text import visible
from studio_widgets._assets import css, esm
from studio_widgets._base import StudioWidget
from studio_widgets._format import shortened
from studio_widgets.messages import heading

MOST_ROWS = 50
QUIET_SECONDS = 0.25
"""How long changes must have stopped; for 5,000 layers the rules take a tenth of a second."""

_MOST_HAZARD, _MOST_WORDS, _MOST_NAME = 500, 1000, 300
"""Letters that are sent of a text; a name of a model may have any number."""
_SHOWN_NAME = 36


class Row(TypedDict):
    """A finding on the wire.

    ``where`` is the name of what it leads to, "" for nothing, and ``short`` the same to be shown.
    """

    severity: str
    hazard: str
    evidence: str
    remedy: str
    where: str
    short: str


class Shown(TypedDict):
    """What the page draws; ``nothing`` is said where there are no rows."""

    rows: list[Row]
    counts: list[tuple[str, int]]
    more: int
    nothing: str


class FindingsPanel(StudioWidget):
    """A list of findings that lead to their layer or operation.

    ``ask`` answers the findings as things stand. ``on_select`` hears of the ``subject`` of a
    finding that a person wants to see, ``name_of`` says what people call it. ``looked_at`` is
    a sentence, or makes one, that tells what was looked at where nothing was noticed.
    """

    _esm = esm("findings_panel")
    _css = css("findings_panel")

    _shown: Any = traitlets.Dict().tag(sync=True)

    findings = traitlets.Tuple()
    """What was noticed, the gravest first, as `Finding`; all that is shown and all that is not.
    Type: tuple. Default: ()."""

    title = traitlets.Unicode("Findings")
    """A title with the number of findings, such as "Findings 3". Type: str."""

    wrong = traitlets.Unicode().tag(sync=True)
    """Why the findings are not known, or could not be followed, "" if all went well. Type: str."""

    def __init__(
        self,
        ask: Callable[[], Sequence[Finding]],
        on_select: Callable[[str], None] | None = None,
        *,
        name_of: Callable[[str], str] = str,
        looked_at: str | Callable[[], str] = "",
        **settings: Any,
    ) -> None:
        super().__init__(**settings)
        self._ask, self._on_select, self._name_of = ask, on_select, name_of
        self._looked_at = looked_at
        self._waiting: asyncio.TimerHandle | None = None
        self.on_msg(self._answer)
        self.refresh()

    def refresh(self) -> None:
        """Ask again, and show what is new; an error is shown in place of the findings."""
        self._wait_no_more()
        found: tuple[Finding, ...] = ()
        try:
            with self._saying():
                found = ordered(self._ask())
        finally:
            self._show(found)

    def refresh_soon(self) -> None:
        """`refresh` once no more changes come; at once where no event loop runs."""
        self._wait_no_more()
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:  # a script, or a thread of a run
            self.refresh()
        else:
            self._waiting = loop.call_later(QUIET_SECONDS, self.refresh)

    def latest(self) -> tuple[Finding, ...]:
        """The findings with all changes up to now."""
        if self._waiting is not None:
            self.refresh()
        return tuple(self.findings)

    def _wait_no_more(self) -> None:
        if self._waiting is not None:
            self._waiting.cancel()
        self._waiting = None

    def counts(self) -> dict[str, int]:
        """How many findings each severity has, the gravest first; none without any."""
        found = [finding.severity for finding in self.findings]
        return {kind: found.count(kind) for kind in SEVERITIES if kind in found}

    def _show(self, found: tuple[Finding, ...]) -> None:
        with self.hold_trait_notifications():
            self.findings = found
            self.title = f"Findings {len(found):,}" if found else "Findings"
        self._shown = Shown(
            rows=[self._row(finding) for finding in found[:MOST_ROWS]],
            counts=list(self.counts().items()),
            more=max(0, len(found) - MOST_ROWS),
            nothing="" if found or self.wrong else self._nothing(),
        )

    def _row(self, finding: Finding) -> Row:
        leads = finding.subject is not None and self._on_select is not None
        where = visible(self._name_of(finding.subject or ""), _MOST_NAME) if leads else ""
        return Row(
            severity=finding.severity,
            hazard=visible(finding.hazard, _MOST_HAZARD),
            evidence=visible(finding.evidence, _MOST_WORDS),
            remedy=visible(finding.remedy, _MOST_WORDS),
            where=where,
            short=shortened(where, _SHOWN_NAME),
        )

    def _nothing(self) -> str:
        more = self._looked_at if isinstance(self._looked_at, str) else self._looked_at()
        return f"Nothing needs your attention. {more}".strip()

    def select(self, index: int) -> None:
        """What a press on the target of the finding ``index`` does."""
        subject = self.findings[index].subject if 0 <= index < len(self.findings) else None
        if subject is not None and self._on_select is not None:
            with self._saying():
                self._on_select(subject)

    def _answer(self, _widget: Any, content: Any, _buffers: Any) -> None:
        index = content.get("index") if isinstance(content, dict) else None
        if isinstance(index, int) and not isinstance(index, bool):
            self.select(index)

    @contextmanager
    def _saying(self) -> Iterator[None]:
        """Say in the panel what goes wrong inside; what is no error of Studio is also raised."""
        self.wrong = ""
        try:
            yield
        except StudioError as error:
            self.wrong = f"{heading(error)}. {error}"
        except Exception as error:
            self.wrong = f"{heading(error)}. {error!r}"
            raise
