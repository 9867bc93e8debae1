"""An account remembers a month of spend, by its own days."""

from dataclasses import replace
from datetime import date, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from billing.domain.account import require_id
from billing.domain.errors import InvalidInputError
from billing.domain.spend import SPEND_DAYS, average_now, with_spend
from builders import NOON, USD, an_account

DAY = timedelta(days=1)
OLD = an_account(now=NOON - 90 * DAY)


def test_spend_of_one_day_adds_up_and_days_stay_in_order() -> None:
    account = with_spend(with_spend(OLD, NOON, 5, NOON), NOON - 2 * DAY, 3, NOON)
    account = with_spend(account, NOON, 1, NOON)
    assert account.daily_spend == ((date(2026, 3, 12), 3), (date(2026, 3, 14), 6))


def test_days_gone_by_are_forgotten_and_not_added_late() -> None:
    oldest = NOON - (SPEND_DAYS - 1) * DAY
    account = with_spend(OLD, oldest, 7, NOON)
    assert account.daily_spend == ((date(2026, 2, 12), 7),)
    assert with_spend(account, oldest - DAY, 9, NOON) == account
    assert with_spend(account, NOON + DAY, 1, NOON + DAY).daily_spend == ((date(2026, 3, 15), 1),)


def test_nothing_spent_changes_nothing() -> None:
    assert with_spend(OLD, NOON, 0, NOON) is OLD


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 60), st.integers(1, 10**9)), max_size=40))
def test_an_account_never_remembers_more_than_its_days(spent: list[tuple[int, int]]) -> None:
    account = OLD
    for age, micros in spent:
        account = with_spend(account, NOON - age * DAY, micros, NOON)
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
        pytest.param(90, {1: 3_000, 2: -4_000}, 0, id="what was taken back can outweigh it"),
        pytest.param(10, {1: 3_000}, 300, id="a young account averages over its days"),
        pytest.param(8, {1: 2_800}, 350, id="over eight days in its ninth"),
        pytest.param(3, {1: 2_800}, 400, id="and over seven at the least"),
        pytest.param(0, {}, 0, id="an account of today has no average yet"),
    ],
)
def test_the_average_is_over_the_thirty_whole_days_before_today(
    age_days: int, spend: dict[int, int], average: int
) -> None:
    account = an_account(now=NOON - age_days * DAY)
    for age, micros in spend.items():
        account = with_spend(account, NOON - age * DAY, micros, NOON)
    assert average_now(account, NOON).per_day_micros == average


def test_todays_date_is_the_accounts_own() -> None:
    account = with_spend(replace(OLD, time_zone="Pacific/Auckland"), NOON, 30, NOON)
    assert account.daily_spend == ((date(2026, 3, 15), 30),)
    assert average_now(account, NOON).per_day_micros == 0
    assert average_now(account, NOON + DAY).per_day_micros == 1


@pytest.mark.parametrize(
    ("wallet_micros", "may_start"),
    [
        pytest.param(USD, True, id="with money"),
        pytest.param(0, True, id="with nothing, and nothing owed"),
        pytest.param(-1, False, id="on a debt of a micro"),
    ],
)
def test_whether_a_new_call_may_begin(wallet_micros: int, may_start: bool) -> None:
    assert an_account(wallet_micros=wallet_micros).may_start_calls is may_start


@pytest.mark.parametrize("value", ["", "a#b", "a/b", "a b", "x" * 65, "é", "a\n", "a:b", "."])
def test_an_id_that_could_not_stand_in_a_key_is_refused(value: str) -> None:
    with pytest.raises(InvalidInputError) as refused:
        require_id(value, "plan")
    assert refused.value.field == "plan"


@pytest.mark.parametrize("value", ["a", "A-1_b", "x" * 64])
def test_an_id_that_can_is_kept(value: str) -> None:
    assert require_id(value, "plan") == value
