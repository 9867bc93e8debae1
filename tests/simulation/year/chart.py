"""A year's balance as a picture: early recharge off and on, and the reserve."""

from collections.abc import Sequence
from datetime import timedelta

from billing.domain.money import MICROS
from simulation.year.run import Day, Year
from simulation.year.spenders import BEGUN

WIDTH, HEIGHT = 760, 230
LEFT, RIGHT, TOP, BOTTOM = 44, 10, 30, 24
GREY, OFF, ON = "#8a8f98", "#d9822b", "#2b7de9"


def svg(name: str, off: Year, on: Year) -> str:
    """One spender's picture. The same years draw the same bytes."""
    days = len(off.days)
    top = _top(max(day.highest for year in (off, on) for day in year.days))
    scale = _Scale(days, top)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" '
        f'font-family="system-ui, sans-serif" font-size="11" fill="{GREY}">',
        f"<title>The {name} spender's balance over a year, in dollars</title>",
        *_legend(),
        *_axes(scale, top, days),
        _line([day.reserve for day in on.days], scale, GREY, "1", ' stroke-dasharray="2 3"'),
        _band(off.days, scale, OFF),
        _band(on.days, scale, ON),
        "</svg>",
    ]
    return "\n".join(parts) + "\n"


class _Scale:
    """From days and micros to the picture's tenths of a pixel, in whole numbers."""

    def __init__(self, days: int, top: int) -> None:
        self._days, self._top = days, top

    def x(self, half_days: int) -> str:
        tenths = LEFT * 10 + (WIDTH - LEFT - RIGHT) * 10 * half_days // (2 * self._days)
        return _tenths(tenths)

    def y(self, micros: int) -> str:
        height = (HEIGHT - TOP - BOTTOM) * 10
        return _tenths((HEIGHT - BOTTOM) * 10 - height * micros // self._top)


def _tenths(tenths: int) -> str:
    whole, rest = divmod(tenths, 10)
    return f"{whole}.{rest}" if rest else str(whole)


def _top(micros: int) -> int:
    """The next round number of dollars, in fours."""
    dollars = micros // MICROS + 1
    step = next(step for step in (10, 20, 25, 50, 100, 200, 500, 1_000) if 4 * step >= dollars)
    return 4 * step * MICROS


def _legend() -> list[str]:
    entries = ((OFF, "early recharge off"), (ON, "early recharge on"), (GREY, "reserve, dashed"))
    return [
        f'<text x="{LEFT + 150 * number}" y="16" fill="{color}">{text}</text>'
        for number, (color, text) in enumerate(entries)
    ]


def _axes(scale: _Scale, top: int, days: int) -> list[str]:
    parts = []
    for quarter in range(5):
        micros = top * quarter // 4
        y = scale.y(micros)
        parts.append(
            f'<line x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y}" y2="{y}" stroke="{GREY}" '
            'stroke-opacity=".3"/>'
            f'<text x="{LEFT - 6}" y="{y}" dy="4" text-anchor="end">{micros // MICROS}</text>'
        )
    for day in range(days):
        date = BEGUN + timedelta(days=day)
        if date.day == 1:
            parts.append(f'<text x="{scale.x(2 * day)}" y="{HEIGHT - 6}">{date:%b}</text>')
    return parts


def _band(days: Sequence[Day], scale: _Scale, color: str) -> str:
    """Each day's highest balance, then its lowest; on a day with a payment, the other way round."""
    values: list[int] = []
    before = 0
    for day in days:
        is_paid = day.lowest <= before < day.highest
        values += (day.lowest, day.highest) if is_paid else (day.highest, day.lowest)
        before = day.lowest
    points = " ".join(f"{scale.x(half)},{scale.y(micros)}" for half, micros in enumerate(values))
    return _polyline(points, color, "1.2", "")


def _line(values: Sequence[int], scale: _Scale, color: str, width: str, more: str) -> str:
    points = " ".join(f"{scale.x(2 * day)},{scale.y(micros)}" for day, micros in enumerate(values))
    return _polyline(points, color, width, more)


def _polyline(points: str, color: str, width: str, more: str) -> str:
    return (
        f'<polyline fill="none" stroke="{color}" stroke-width="{width}" '
        f'stroke-linejoin="round"{more} points="{points}"/>'
    )
