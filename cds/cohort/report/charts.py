"""Charts as SVG, drawn by Vega-Lite: no script in the page, and every mark says what it shows."""

from __future__ import annotations

import html
import json
from typing import TYPE_CHECKING, Any

import vl_convert

if TYPE_CHECKING:
    from collections.abc import Sequence

_INK = "#1f2d36"
_BAR = "#1b6f8a"
_SECOND = "#c8791b"
_GRID = "#d8e0e4"
COLOURS = {"ink": _INK, "bar": _BAR, "second": _SECOND, "grid": _GRID}
"""The colours as they stand in a chart; the page replaces them on a dark screen."""
_WIDTH = 560
_ROW = 24
_LETTER = 8
_LABEL = 330
"""Pixels: a row, a letter of a label, and the longest label."""
_CONFIG: dict[str, Any] = {
    "font": "system-ui, -apple-system, 'Segoe UI', Roboto, 'Noto Sans', sans-serif",
    "background": None,
    "view": {"stroke": None},
    "axis": {
        "labelColor": _INK,
        "titleColor": _INK,
        "labelFontSize": 13,
        "titleFontSize": 13,
        "titleFontWeight": "normal",
        "labelLimit": _LABEL,
        "domain": False,
        "ticks": False,
        "gridColor": _GRID,
    },
    "text": {"color": _INK, "fontSize": 13},
}


def bars(
    rows: Sequence[tuple[str, float, str]], *, title: str, axis: str, most: float | None = None
) -> str:
    """Horizontal bars in the given order: (name, length, what stands at the end of the bar).

    `title` is what a screen reader says of the chart; `most` fixes the end of the scale.
    """
    data = [{"name": name, "value": value, "says": says} for name, value, says in rows]
    scale = {"domain": [0, most]} if most is not None else {"zero": True}
    names = _names(data)
    length = {
        "field": "value",
        "type": "quantitative",
        "title": axis,
        "scale": scale,
        "axis": {"tickMinStep": 1},
    }
    described = {"field": "says", "type": "nominal"}
    layers = [
        {
            "mark": {"type": "bar", "color": _BAR, "height": {"band": 0.7}},
            "encoding": {"x": length, "description": described},
        },
        {
            "mark": {"type": "text", "align": "left", "dx": 5},
            "encoding": {"x": length, "text": described},
        },
    ]
    return _drawn({"encoding": {"y": names}, "layer": layers}, data, len(data), title)


def parts(
    rows: Sequence[tuple[str, str, float]], *, title: str, axis: str, kinds: tuple[str, str]
) -> str:
    """Horizontal bars of two parts: (name, which of the two kinds, length)."""
    data = [
        {"name": name, "kind": kind, "place": kinds.index(kind), "value": value}
        for name, kind, value in rows
    ]
    colours = {"domain": list(kinds), "range": [_BAR, _SECOND]}
    legend = {
        "orient": "top",
        "title": None,
        "labelFontSize": 13,
        "labelColor": _INK,
        "labelLimit": 300,
        "columnPadding": 40,
    }
    encoding = {
        "y": _names(data),
        "x": {
            "field": "value",
            "type": "quantitative",
            "title": axis,
            "axis": {"tickMinStep": 1},
        },
        "color": {"field": "kind", "type": "nominal", "scale": colours, "legend": legend},
        "order": {"field": "place", "type": "ordinal", "sort": "ascending"},
    }
    drawn = {"mark": {"type": "bar", "height": {"band": 0.7}}, "encoding": encoding}
    return _drawn(drawn, data, len({row[0] for row in rows}), title)


def _names(data: list[dict[str, Any]]) -> dict[str, Any]:
    """The axis of names, with room for them in whatever font the reader's browser has."""
    longest = max((len(row["name"]) for row in data), default=0)
    axis = {"minExtent": min(longest * _LETTER, _LABEL) + _LETTER}
    return {"field": "name", "type": "nominal", "sort": None, "title": None, "axis": axis}


def _drawn(chart: dict[str, Any], data: list[dict[str, Any]], rows: int, title: str) -> str:
    spec = {
        "$schema": "https://vega.github.io/schema/vega-lite/v5.json",
        "width": _WIDTH,
        "height": max(rows, 1) * _ROW,
        "padding": {"left": 4, "right": 90, "top": 4, "bottom": 4},
        "data": {"values": data},
        "config": _CONFIG,
        **chart,
    }
    svg: str = vl_convert.vegalite_to_svg(json.dumps(spec))
    # One image with one name: what its parts show stands in the table beside it.
    named = f'<svg role="img" aria-label="{html.escape(title, quote=True)}" '
    return svg.replace("<svg ", named, 1)
