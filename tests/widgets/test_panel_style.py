from __future__ import annotations

from studio_widgets.panel_style import PanelStyle


def test_the_styles_of_the_names_are_sent_and_nothing_is_shown() -> None:
    style = PanelStyle("panel", "runs")
    assert ".studio-primary" in style.styles
    assert ".studio-cards" in style.styles
    assert style.styles.count("--studio-accent:") == PanelStyle("runs").styles.count(
        "--studio-accent:"
    )
    assert style.layout.display == "none"
