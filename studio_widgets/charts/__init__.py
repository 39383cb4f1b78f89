"""Charts to explore, one a file: functions from core's records to Plotly figures (`Chart`).

    chart = layer_bars(ChartFacts(session.layers), LayerQuantity.PARAMETERS)
    Figure(chart.figure, label=chart.label, summary=chart.summary)

``facts.py`` holds what they are drawn from, ``chart.py`` their common look, ``palette.py`` the
colours, ``text.py`` how a hostile name is shown. Importing a chart imports Plotly, so this
package imports none.
"""
