"""A bar chart as SVG, readable on a light page and on a dark one."""

from __future__ import annotations

from collections.abc import Sequence
from xml.sax.saxutils import escape

_WIDTH, _LABELS, _VALUES = 760, 250, 70
_BAR, _GAP, _TOP = 14, 14, 48
_COLOURS = ("#4477aa", "#cc6677")
_STYLE = "font: 13px system-ui, sans-serif; fill: #777"


def bars(
    title: str, series: tuple[str, str], rows: Sequence[tuple[str, float | None, float | None]]
) -> str:
    """Return a chart of rows with two bars each, one for each series."""
    longest = max([value for _, *values in rows for value in values if value], default=1.0)
    scale = (_WIDTH - _LABELS - _VALUES) / longest
    height = _TOP + len(rows) * (2 * _BAR + _GAP)
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height}" '
        f'role="img" aria-label="{escape(title)}" style="{_STYLE}">',
        _text(0, 16, title, "start", "font-weight: bold"),
    ]
    for number, (name, colour) in enumerate(zip(series, _COLOURS, strict=True)):
        left = _LABELS + number * 180
        lines.append(f'<rect x="{left}" y="25" width="11" height="11" fill="{colour}"/>')
        lines.append(_text(left + 17, 35, name, "start"))
    for number, (label, *values) in enumerate(rows):
        top = _TOP + number * (2 * _BAR + _GAP)
        lines.append(_text(_LABELS - 10, top + _BAR + 5, label, "end"))
        for place, (value, colour) in enumerate(zip(values, _COLOURS, strict=True)):
            if value is not None:
                lines += _bar(top + place * _BAR, value, value * scale, colour)
    return "\n".join([*lines, "</svg>"]) + "\n"


def _bar(top: int, value: float, length: float, colour: str) -> list[str]:
    rect = f'<rect x="{_LABELS}" y="{top}" width="{length:.1f}" height="{_BAR - 2}" '
    label = _text(_LABELS + length + 6, top + _BAR - 3, f"{value:,.0f}", "start")
    return [f'{rect}fill="{colour}"/>', label]


def _text(left: float, base: int, text: str, anchor: str, style: str = "") -> str:
    styled = f' style="{style}"' if style else ""
    place = f'x="{left:.1f}" y="{base}" text-anchor="{anchor}"'
    return f"<text {place}{styled}>{escape(text)}</text>"
