"""The years as the table that docs/recharge.md shows."""

from collections.abc import Mapping
from datetime import timedelta
from fractions import Fraction
from pathlib import Path

from billing.domain.money import Money, ceil_div
from billing.domain.recharge_balance import CYCLE
from simulation.year.run import PAYMENT_TAKES, Year
from simulation.year.spenders import SPENDERS

Years = Mapping[tuple[str, bool], Year]
"""By spender, and whether early recharge is on."""

DOCS = Path(__file__).parents[3] / "docs"
PAGE = DOCS / "recharge.md"
BEGINS = "<!-- make simulate: begins -->\n"
ENDS = "<!-- make simulate: ends -->\n"

_HEAD = (
    "| spender | early | payments | of them early | collected | balance | in days of use "
    "| without credit |\n"
    "| --- | --- | --: | --: | --: | --: | --: | --: |\n"
)


LEAST_DAYS = 7 - Fraction((CYCLE + PAYMENT_TAKES) // timedelta(minutes=1), 24 * 60)
"""The reserve, less what is used until the next cycle and until its payment has come."""

MOST_DAYS = 21
"""The reserve and one recharge."""


def assert_steady(year: Year) -> None:
    """What usage-based recharge promises whoever spends the same every day."""
    assert year.lowest_days is not None
    assert year.highest_days is not None
    assert LEAST_DAYS <= year.lowest_days < year.highest_days <= MOST_DAYS
    assert year.dry_minutes == 0


def table(years: Years) -> str:
    """In Markdown, a line for each spender with early recharge off and on."""
    lines = [
        _line(name, is_early, years[name, is_early])
        for name in SPENDERS
        for is_early in (False, True)
    ]
    return _HEAD + "".join(lines)


def _line(name: str, is_early: bool, year: Year) -> str:
    assert year.lowest_micros is not None
    assert year.highest_micros is not None
    assert year.lowest_days is not None
    assert year.highest_days is not None
    cells = (
        name,
        "on" if is_early else "off",
        str(year.payments),
        str(year.early_payments),
        _dollars(year.collected_micros),
        f"{_dollars(year.lowest_micros)} to {_dollars(-(-year.highest_micros // 10_000) * 10_000)}",
        f"{_hundredths(_floor(year.lowest_days))} to {_hundredths(-_floor(-year.highest_days))}",
        f"{year.dry_minutes:,} of {year.talk_minutes:,} minutes",
    )
    return f"| {' | '.join(cells)} |\n"


def _dollars(micros: int) -> str:
    """Rounded down to the cent."""
    return Money(micros // 10_000 * 10_000, "USD").amount


def _floor(days: Fraction) -> int:
    """Hundredths of a day, rounded down."""
    return -ceil_div(-days.numerator * 100, days.denominator)


def _hundredths(value: int) -> str:
    whole, rest = divmod(abs(value), 100)
    return f"{'-' if value < 0 else ''}{whole}.{rest:02}"


def shown(page: str) -> str:
    """The table as a page shows it."""
    return page.split(BEGINS, 1)[1].split(ENDS, 1)[0].strip("\n") + "\n"


def with_table(page: str, new: str) -> str:
    """The page with another table in its place."""
    before, rest = page.split(BEGINS, 1)
    _, after = rest.split(ENDS, 1)
    return f"{before}{BEGINS}\n{new}\n{ENDS}{after}"
