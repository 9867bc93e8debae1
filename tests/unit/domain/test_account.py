"""An account remembers a month of spend, by its own days."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from billing.domain.account import (
    SPEND_DAYS,
    OpenRecharge,
    Recharging,
    average_daily_spend_micros,
    require_id,
)
from billing.domain.errors import InvalidInputError
from builders import NOON, an_account

DAY = timedelta(days=1)
OLD = an_account(now=NOON - 90 * DAY)


def test_spend_of_one_day_adds_up_and_days_stay_in_order() -> None:
    account = OLD.with_spend(NOON, 5, NOON).with_spend(NOON - 2 * DAY, 3, NOON)
    account = account.with_spend(NOON, 1, NOON)
    assert account.daily_spend == ((date(2026, 3, 12), 3), (date(2026, 3, 14), 6))


def test_days_gone_by_are_forgotten_and_not_added_late() -> None:
    oldest = NOON - (SPEND_DAYS - 1) * DAY
    account = OLD.with_spend(oldest, 7, NOON)
    assert account.daily_spend == ((date(2026, 2, 12), 7),)
    assert account.with_spend(oldest - DAY, 9, NOON) == account
    assert account.with_spend(NOON + DAY, 1, NOON + DAY).daily_spend == ((date(2026, 3, 15), 1),)


def test_nothing_spent_changes_nothing() -> None:
    assert OLD.with_spend(NOON, 0, NOON) is OLD


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 60), st.integers(1, 10**9)), max_size=40))
def test_an_account_never_remembers_more_than_its_days(spent: list[tuple[int, int]]) -> None:
    account = OLD
    for age, micros in spent:
        account = account.with_spend(NOON - age * DAY, micros, NOON)
    kept = sum(micros for age, micros in spent if age < SPEND_DAYS)
    assert sum(micros for _, micros in account.daily_spend) == kept
    assert len(account.daily_spend) <= SPEND_DAYS


@pytest.mark.parametrize(
    ("age_days", "spend", "average"),
    [
        pytest.param(90, {1: 3_000}, 100, id="days without use count"),
        pytest.param(90, {0: 9_000, 1: 3_000}, 100, id="today does not"),
        pytest.param(90, {30: 3_000}, 100, id="the thirtieth day before does"),
        pytest.param(90, {1: 3_029}, 100, id="rounded down"),
        pytest.param(10, {1: 3_000}, 300, id="a young account averages over its days"),
        pytest.param(0, {}, 0, id="an account of today has no average yet"),
    ],
)
def test_the_average_is_over_the_thirty_whole_days_before_today(
    age_days: int, spend: dict[int, int], average: int
) -> None:
    account = an_account(now=NOON - age_days * DAY)
    for age, micros in spend.items():
        account = account.with_spend(NOON - age * DAY, micros, NOON)
    assert average_daily_spend_micros(account, NOON) == average


def test_todays_date_is_the_accounts_own() -> None:
    account = replace(OLD, time_zone="Pacific/Auckland").with_spend(NOON, 30, NOON)
    assert account.daily_spend == ((date(2026, 3, 15), 30),)
    assert average_daily_spend_micros(account, NOON) == 0
    assert average_daily_spend_micros(account, datetime(2026, 3, 15, 12, tzinfo=UTC)) == 1


def test_what_is_in_flight_is_the_open_payment() -> None:
    assert OLD.in_flight_micros == 0
    opened = Recharging(open=OpenRecharge(1, 7, "card-1", NOON))
    assert replace(OLD, recharging=opened).in_flight_micros == 7


@pytest.mark.parametrize("value", ["", "a#b", "a/b", "a b", "x" * 65, "é", "a\n", "a:b", "."])
def test_an_id_that_could_not_stand_in_a_key_is_refused(value: str) -> None:
    with pytest.raises(InvalidInputError) as refused:
        require_id(value, "plan")
    assert refused.value.field == "plan"


@pytest.mark.parametrize("value", ["a", "A-1_b", "x" * 64])
def test_an_id_that_can_is_kept(value: str) -> None:
    assert require_id(value, "plan") == value
