"""docs/recharge.md tells the truth: its worked examples and lists are what the domain says."""

import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from billing.domain.declines import RETRY_GAPS
from billing.domain.money import ceil_div
from billing.domain.recharge import due
from billing.domain.recharge_amount import amount_to_collect
from billing.domain.recharge_balance import (
    CYCLE,
    SETTLING,
    empties_at,
    next_cycle_at,
    threshold_micros,
)
from billing.domain.recharge_status import RechargeStanding
from billing.domain.recharging import DueReason, RechargeMode, RechargePolicy, Recharging
from billing.domain.records import EventType
from billing.domain.spend import average_now, burn_per_hour_micros, with_spend
from builders import USD, an_account
from simulation.year.run import PAYMENT_TAKES
from simulation.year.spenders import MICROS_PER_SECOND, STEADY_SECONDS

PAGE = (Path(__file__).parents[3] / "docs/recharge.md").read_text()
AT = datetime(2026, 3, 14, 13, 30, tzinfo=UTC)
STEADY = STEADY_SECONDS * MICROS_PER_SECOND


def section(heading: str) -> str:
    return PAGE.split(f"\n## {heading}\n", 1)[1].split("\n## ", 1)[0]


def last_cells(text: str) -> dict[str, str]:
    """The last cell of each line of a section's tables, by the first."""
    rows = re.findall(r"^\| ([^|\n]+) \|(?:.*\|)? ([^|\n]+) \|$", text, re.MULTILINE)
    return {first.strip(): last.strip() for first, last in rows}


def names(text: str) -> set[str]:
    """What stands in code in the first cells of a section's last table."""
    rows = re.findall(r"^\| (`[^|]+) \|", text, re.MULTILINE)
    return {name for row in rows for name in re.findall(r"`([^`]+)`", row)}


@pytest.fixture(scope="module")
def steady() -> dict[str, str]:
    return last_cells(section("A worked example: $30 a week"))


def test_the_worked_example_is_what_the_domain_computes(steady: dict[str, str]) -> None:
    account = an_account(
        created_at=AT - timedelta(days=99),
        daily_spend=tuple((AT.date() - timedelta(days=age), STEADY) for age in range(30, 0, -1)),
        recharging=Recharging(RechargePolicy(RechargeMode.USAGE), default_source_id="card"),
    )
    reserve = threshold_micros(account, AT)
    assert reserve is not None
    spend = average_now(account, AT)
    amount = amount_to_collect(replace(account, wallet_micros=reserve - 1), AT).micros
    # What is spent on the way is rounded up: the balance is at least what the page says.
    waiting, paying = spend.within_micros(CYCLE), spend.within_micros(PAYMENT_TAKES)
    expected = {
        "average": spend.per_day_micros,
        "reserve": reserve,
        "one recharge": amount,
        "spent until the next cycle": waiting,
        "spent until its money is there": paying,
        "lowest balance": reserve - waiting - paying,
        "highest balance": reserve + amount,
    }
    assert {name: dollars(steady[name]) for name in expected} == expected
    assert f"{spend.over_micros(14) / USD:.4f}" in section("A worked example: $30 a week")
    at_rest = replace(account, wallet_micros=reserve)
    assert due(at_rest, AT) is None
    fired = due(replace(account, wallet_micros=reserve - 1), AT)
    assert fired is not None
    assert fired.reason is DueReason.LOW


def test_the_burst_is_what_the_domain_computes() -> None:
    told = last_cells(section("Early recharge"))
    policy = RechargePolicy(RechargeMode.USAGE, is_early=True)
    quiet = an_account(
        created_at=AT - timedelta(days=99),
        wallet_micros=12 * USD,
        daily_spend=tuple((AT.date() - timedelta(days=age), USD) for age in range(30, 0, -1)),
        recharging=Recharging(policy, default_source_id="card"),
    )
    account = with_spend(quiet, AT, 9 * USD, AT)
    burn = burn_per_hour_micros(account, AT)
    assert told["burn, 9.00 in half an hour"] == f"{burn / USD:.2f} an hour"
    empty_at = empties_at(account, AT)
    assert empty_at is not None
    assert told["empty at"] == f"{empty_at:%H:%M}"
    helps_at = next_cycle_at(AT) + SETTLING
    assert told["the next cycle could help at"] == f"{helps_at:%H:%M}"
    # To the end of the second in which it could help.
    seconds = (helps_at - AT) // timedelta(seconds=1) + 1
    missing = ceil_div(burn * seconds, 3_600) - account.wallet_micros
    assert dollars(told["missing until then"]) == ceil_div(missing, 10_000) * 10_000
    amount = amount_to_collect(account, AT).micros
    assert dollars(told["collected at once, three of 14.00"]) == amount == 3 * 14 * USD
    assert due(account, AT) is not None


def test_the_retry_schedule_is_the_domains() -> None:
    rows = re.findall(r"^\| (\d) \| (.+) \|$", section("Declines"), re.MULTILINE)
    units = {"hours": timedelta(hours=1), "day": timedelta(days=1), "days": timedelta(days=1)}
    *gaps, last = [told for _, told in rows]
    counts = [told.split() for told in gaps]
    assert tuple(int(count) * units[unit] for count, unit in counts) == RETRY_GAPS
    assert last == "suspended"


def test_the_page_names_every_state_and_event_in_order() -> None:
    seen = section("What people see")
    states = re.findall(r"^\| `(\w+)` \|", seen, re.MULTILINE)
    assert states == [standing.value for standing in RechargeStanding]
    told = {event.value for event in EventType if event.value.startswith(("balance.", "recharge."))}
    assert told <= names(seen)


def test_the_page_gives_the_defaults() -> None:
    policy = RechargePolicy()
    rows = re.findall(r"^\| `(\w+)` \| usage \| (\d+) \|", section("Modes"), re.MULTILINE)
    assert {name: int(value) for name, value in rows} == {
        name: getattr(policy, name)
        for name in ("lookback_days", "recharge_days", "reserve_days", "minimum_history_days")
    }


def dollars(text: str) -> int:
    units, _, fraction = text.partition(".")
    return int(units) * USD + int(fraction.ljust(6, "0"))
