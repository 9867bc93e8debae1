"""The first weeks of the simulated year; ``make simulate`` plays all of it."""

import re

import pytest

from simulation.year.report import PAGE, assert_steady, shown
from simulation.year.run import Year, play
from simulation.year.spenders import SPENDERS

DAYS = 75


@pytest.fixture(scope="module")
def years() -> dict[tuple[str, bool], Year]:
    return {
        (name, is_early): play(spender, is_early=is_early, days=DAYS)
        for name, spender in SPENDERS.items()
        for is_early in (False, True)
    }


@pytest.mark.parametrize("is_early", [False, True], ids=["early off", "early on"])
def test_a_steady_balance_stays_between_one_and_three_weeks_of_use(
    years: dict[tuple[str, bool], Year], is_early: bool
) -> None:
    year = years["steady", is_early]
    assert_steady(year)
    assert year.payments >= 4
    assert year.collected_micros == year.payments * 60_000_000
    assert year.early_payments == 0


@pytest.mark.parametrize("name", SPENDERS)
def test_early_recharge_never_costs_minutes(years: dict[tuple[str, bool], Year], name: str) -> None:
    off, on = years[name, False], years[name, True]
    assert on.dry_minutes <= off.dry_minutes
    assert on.talk_minutes == off.talk_minutes


def test_early_recharge_saves_the_minutes_that_bursts_would_cost(
    years: dict[tuple[str, bool], Year],
) -> None:
    assert years["bursty", False].dry_minutes > 0
    assert years["bursty", True].dry_minutes == 0


def test_the_page_shows_every_spender_with_early_recharge_off_and_on() -> None:
    shown_rows = re.findall(r"^\| (\w+) \| (off|on) \|", shown(PAGE.read_text()), re.MULTILINE)
    assert shown_rows == [(name, early) for name in SPENDERS for early in ("off", "on")]
