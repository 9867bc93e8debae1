"""Automatic recharge fires strictly below the threshold, and collects just enough."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from billing.domain.account import Account
from billing.domain.errors import InvalidInputError
from billing.domain.money import step_micros
from billing.domain.periods import local_day
from billing.domain.recharge import Due, due, level
from billing.domain.recharge_amount import Amount, Limit, amount_to_collect
from billing.domain.recharge_balance import covered_micros, is_below_threshold
from billing.domain.recharge_policy import validate_policy
from billing.domain.recharging import (
    Collected,
    DueReason,
    OpenRecharge,
    RechargeMode,
    RechargePolicy,
    Recharging,
)
from billing.domain.records import EventType, Timer, TimerKind
from billing.domain.spend import with_spend
from builders import ACME, NOON, USD, an_account

FEW = settings(max_examples=80, deadline=None)
CENT = 10_000
CURRENCIES = ["USD", "JPY", "KWD"]
balances = st.integers(-500 * USD, 500 * USD)
in_flights = st.one_of(st.just(0), st.integers(1, 300).map(lambda n: n * USD))
minor_amounts = st.integers(1, 50_000)


def fixed(threshold: int, amount: int, maximum: int | None = None) -> RechargePolicy:
    return RechargePolicy(
        RechargeMode.FIXED, threshold, amount_micros=amount, maximum_micros=maximum
    )


def target(threshold: int, upto: int, maximum: int | None = None) -> RechargePolicy:
    return RechargePolicy(
        RechargeMode.TARGET, threshold, target_micros=upto, maximum_micros=maximum
    )


def account(
    policy: RechargePolicy, wallet: int = 0, in_flight: int = 0, currency: str = "USD"
) -> Account:
    opened = (OpenRecharge(1, in_flight, "card-1", NOON),) if in_flight else ()
    recharging = Recharging(policy, opened=opened, default_source_id="card-1")
    return an_account(currency=currency, wallet_micros=wallet, recharging=recharging)


def collected_micros(state: Account) -> int:
    """What automatic recharge would collect now; 0 where nothing is to be collected."""
    wanted = due(state, NOON)
    if wanted is None or not wanted.is_collectable(NOON):
        return 0
    return amount_to_collect(state, NOON).micros


# When it fires


@pytest.mark.parametrize(
    ("wallet", "in_flight", "is_fired"),
    [
        pytest.param(10 * USD, 0, False, id="exactly at the threshold is enough"),
        pytest.param(10 * USD - 1, 0, True, id="a micro below it is not"),
        pytest.param(4 * USD, 6 * USD, False, id="what is in flight counts"),
        pytest.param(4 * USD - 1, 6 * USD, True, id="unless even that does not reach it"),
        pytest.param(-3 * USD, 0, True, id="a negative balance is below any threshold"),
    ],
)
def test_strictly_below_the_threshold_fires(wallet: int, in_flight: int, is_fired: bool) -> None:
    for policy in (fixed(10 * USD, 5 * USD), target(10 * USD, 50 * USD)):
        state = account(policy, wallet, in_flight)
        assert is_below_threshold(state, NOON) is is_fired
        assert due(state, NOON) == (Due(NOON, DueReason.LOW) if is_fired else None)
        assert (collected_micros(state) > 0) is is_fired


@pytest.mark.parametrize(
    "changed",
    [
        pytest.param(
            {"policy": RechargePolicy(RechargeMode.OFF, 10 * USD)}, id="a policy that is off"
        ),
        pytest.param({"suspended_at": NOON}, id="a suspension"),
        pytest.param({"default_source_id": None}, id="the lack of a source"),
    ],
)
def test_nothing_is_collected_under(changed: dict[str, object]) -> None:
    state = account(fixed(10 * USD, 5 * USD))
    assert collected_micros(state)
    state = replace(state, recharging=replace(state.recharging, **changed))  # type: ignore[arg-type]
    assert due(state, NOON) is None
    assert collected_micros(state) == 0


# How much


@pytest.mark.parametrize(
    ("policy", "wallet", "in_flight", "amount"),
    [
        pytest.param(target(10 * USD, 50 * USD), 9 * USD, 0, 41 * USD, id="target fills the gap"),
        pytest.param(
            target(10 * USD, 50 * USD), 9 * USD - 1, 0, 41 * USD + CENT,
            id="a gap of a micro over a cent pays the next cent",
        ),
        pytest.param(
            target(10 * USD, 50 * USD), -2 * USD, 5 * USD, 47 * USD,
            id="target takes what is in flight off",
        ),
        pytest.param(
            target(10 * USD, 50 * USD, 30 * USD), 0, 0, 30 * USD,
            id="target stops at the maximum",
        ),
        pytest.param(
            fixed(10 * USD, 20 * USD), 9 * USD, 0, 20 * USD, id="fixed pays its amount once"
        ),
        pytest.param(
            fixed(10 * USD, 20 * USD), -10 * USD, 0, 20 * USD,
            id="once is enough to reach the threshold exactly",
        ),
        pytest.param(
            fixed(10 * USD, 20 * USD), -10 * USD - 1, 0, 40 * USD,
            id="a micro more takes it twice",
        ),
        pytest.param(
            fixed(10 * USD, 20 * USD), -15 * USD, 5 * USD, 20 * USD,
            id="fixed takes what is in flight off",
        ),
        pytest.param(
            fixed(10 * USD, 20 * USD, 50 * USD), -95 * USD, 0, 40 * USD,
            id="fixed stops at the last multiple within the maximum",
        ),
        pytest.param(
            fixed(10 * USD, 20 * USD, 60 * USD), -95 * USD, 0, 60 * USD,
            id="a maximum that is a multiple is used up",
        ),
    ],
)  # fmt: skip
def test_what_one_payment_collects(
    policy: RechargePolicy, wallet: int, in_flight: int, amount: int
) -> None:
    assert collected_micros(account(policy, wallet, in_flight)) == amount


@pytest.mark.parametrize(
    ("currency", "amount"),
    [
        pytest.param("JPY", 42 * USD, id="yen are collected whole"),
        pytest.param("USD", 41_010_000, id="dollars by the cent"),
        pytest.param("KWD", 41_010_000, id="dinars by ten fils"),
    ],
)
def test_a_gap_is_rounded_up_to_what_gateways_collect(currency: str, amount: int) -> None:
    state = account(target(10 * USD, 50 * USD), wallet=9 * USD - 1, currency=currency)
    assert collected_micros(state) == amount


@FEW
@given(balances, in_flights, st.integers(0, 400 * USD), minor_amounts, st.sampled_from(CURRENCIES))
def test_a_target_is_reached_by_less_than_one_step_too_much(
    wallet: int, in_flight: int, threshold: int, above: int, currency: str
) -> None:
    unit = step_micros(currency)
    state = account(target(threshold, threshold + above * unit), wallet, in_flight, currency)
    amount = collected_micros(state)
    if wallet + in_flight >= threshold:
        assert amount == 0
        return
    reached = wallet + in_flight + amount
    assert threshold + above * unit <= reached < threshold + (above + 1) * unit
    assert amount % unit == 0


@FEW
@given(
    balances,
    in_flights,
    minor_amounts,
    st.integers(0, 20),
    st.one_of(st.integers(-1, 1), st.integers(-(10**9), 10**9)),
    st.sampled_from(CURRENCIES),
)
def test_n_multiples_suffice_and_one_fewer_do_not(
    wallet: int, in_flight: int, multiple: int, times: int, off: int, currency: str
) -> None:
    step = multiple * step_micros(currency)
    covered = wallet + in_flight
    # Often a micro around a threshold that whole multiples reach exactly.
    threshold = max(0, covered + times * step + off)
    amount = collected_micros(account(fixed(threshold, step), wallet, in_flight, currency))
    assert amount % step == 0
    assert covered + amount >= threshold
    assert amount == 0 or covered + amount - step < threshold


@FEW
@given(balances, minor_amounts, st.integers(0, 100_000), st.booleans())
def test_no_payment_is_above_the_maximum_nor_is_it_nothing(
    wallet: int, multiple: int, more: int, is_target: bool
) -> None:
    maximum = (multiple + more) * CENT
    threshold = 400 * USD
    policy = (
        target(threshold, threshold + multiple * CENT, maximum)
        if is_target
        else fixed(threshold, multiple * CENT, maximum)
    )
    assume(wallet < threshold)
    amount = collected_micros(account(validate_policy(policy, "USD"), wallet))
    wanted = collected_micros(account(replace(policy, maximum_micros=None), wallet))
    assert 0 < amount <= min(maximum, wanted)
    room = CENT if is_target else multiple * CENT
    assert amount == wanted or amount > maximum - room


# Policies


@pytest.mark.parametrize(
    ("policy", "currency", "field"),
    [
        pytest.param(fixed(-1, USD), "USD", "threshold", id="a negative threshold"),
        pytest.param(fixed(0, 0), "USD", "amount", id="a fixed amount of nothing"),
        pytest.param(fixed(0, -CENT), "USD", "amount", id="a negative fixed amount"),
        pytest.param(fixed(0, CENT + 1), "USD", "amount", id="an amount with part of a cent"),
        pytest.param(fixed(0, 1_500_000), "JPY", "amount", id="an amount with part of a yen"),
        pytest.param(fixed(0, 11_000), "KWD", "amount", id="an amount of eleven fils"),
        pytest.param(target(0, CENT + 1), "USD", "target", id="a target with part of a cent"),
        pytest.param(target(0, 0), "USD", "target", id="a target of nothing"),
        pytest.param(target(USD, USD), "USD", "target", id="a target at the threshold"),
        pytest.param(target(2 * USD, USD), "USD", "target", id="a target below the threshold"),
        pytest.param(fixed(0, USD, 0), "USD", "maximum", id="a maximum of nothing"),
        pytest.param(fixed(0, USD, USD + 1), "USD", "maximum", id="a maximum with part of a cent"),
        pytest.param(fixed(0, USD, USD - CENT), "USD", "maximum", id="a maximum below the amount"),
        pytest.param(target(0, USD, -CENT), "USD", "maximum", id="a target's negative maximum"),
    ],
)
def test_a_policy_that_cannot_work_is_refused_with_its_field(
    policy: RechargePolicy, currency: str, field: str
) -> None:
    with pytest.raises(InvalidInputError) as refused:
        validate_policy(policy, currency)
    assert refused.value.field == field


@pytest.mark.parametrize(
    ("policy", "currency"),
    [
        pytest.param(RechargePolicy(RechargeMode.OFF), "USD", id="off needs nothing"),
        pytest.param(fixed(0, CENT), "USD", id="a threshold of zero and one cent"),
        pytest.param(fixed(1, USD, USD), "USD", id="a maximum of one amount"),
        pytest.param(fixed(0, USD), "JPY", id="one yen"),
        pytest.param(fixed(0, 10_000), "KWD", id="ten fils"),
        pytest.param(target(USD, USD + CENT), "USD", id="a target a cent above the threshold"),
        pytest.param(target(0, 9 * USD, CENT), "USD", id="a target in steps of a cent"),
    ],
)
def test_a_policy_that_works_is_taken_as_it_is(policy: RechargePolicy, currency: str) -> None:
    assert validate_policy(policy, currency) is policy


# What is on its way


DAY = timedelta(days=1)


def with_open(state: Account, **altered: Any) -> Account:
    """The account with its one open payment altered."""
    (opened,) = state.recharging.opened
    return replace(
        state, recharging=replace(state.recharging, opened=(replace(opened, **altered),))
    )


def test_every_open_payment_counts_and_an_unknown_one_no_less() -> None:
    opened = (
        OpenRecharge(1, 3 * USD, "card-1", NOON, is_unknown=True),
        OpenRecharge(2, 4 * USD, "card-2", NOON),
    )
    state = account(fixed(10 * USD, 5 * USD), wallet=USD)
    assert covered_micros(state, NOON) == USD
    state = replace(state, recharging=replace(state.recharging, opened=opened))
    assert covered_micros(state, NOON) == 8 * USD


def test_a_payment_that_waits_for_its_customer_is_nothing_on_its_way() -> None:
    state = account(fixed(10 * USD, 5 * USD), in_flight=20 * USD)
    assert due(state, NOON) is None
    assert due(with_open(state, is_waiting=True), NOON) == Due(NOON, DueReason.LOW)


@pytest.mark.parametrize(
    ("wallet", "is_counted"),
    [
        pytest.param(2 * USD + 1, True, id="the wallet lasts until it comes"),
        pytest.param(2 * USD, False, id="the wallet is empty when it comes"),
        pytest.param(-USD, False, id="the wallet is empty now"),
    ],
)
def test_a_slow_debit_does_not_keep_a_card_from_helping(wallet: int, is_counted: bool) -> None:
    # A dollar a day for thirty days, and a debit that takes two.
    state = account(fixed(10 * USD, 5 * USD), wallet=wallet, in_flight=20 * USD)
    state = replace(state, created_at=NOON - 90 * DAY)
    for age in range(1, 31):
        state = with_spend(state, NOON - age * DAY, USD, NOON)
    state = with_open(state, expected_at=NOON + 2 * DAY)
    assert covered_micros(state, NOON) == wallet + (20 * USD if is_counted else 0)
    assert (due(state, NOON) is None) is is_counted


# The monthly cap


def capped(left: int, policy: RechargePolicy) -> Account:
    """An empty account of which the month has so much left."""
    state = account(replace(policy, monthly_cap_micros=100 * USD))
    collected = Collected(local_day(NOON, "UTC").replace(day=1), 100 * USD - left)
    return replace(state, recharging=replace(state.recharging, collected=collected))


@pytest.mark.parametrize(
    ("policy", "left", "amount"),
    [
        pytest.param(
            fixed(50 * USD, 20 * USD), 60 * USD, Amount(60 * USD), id="what just fits is collected"
        ),
        pytest.param(
            fixed(50 * USD, 20 * USD), 59 * USD, Amount(40 * USD, Limit.MONTHLY_CAP),
            id="fixed collects the multiples that fit",
        ),
        pytest.param(
            target(10 * USD, 50 * USD), 7 * USD + 1, Amount(7 * USD, Limit.MONTHLY_CAP),
            id="target is cut to whole cents of what is left",
        ),
        pytest.param(
            fixed(50 * USD, 20 * USD), 20 * USD - CENT, Amount(0, Limit.MONTHLY_CAP),
            id="less than a multiple is nothing",
        ),
    ],
)  # fmt: skip
def test_the_month_bounds_what_is_collected(
    policy: RechargePolicy, left: int, amount: Amount
) -> None:
    assert amount_to_collect(capped(left, policy), NOON) == amount


def test_a_month_with_nothing_left_waits_for_the_next_and_says_so_once() -> None:
    state = capped(0, fixed(10 * USD, 20 * USD))
    next_month = datetime(2026, 4, 1, tzinfo=UTC)
    limited = level(state, NOON)
    assert limited.timers_set == (Timer(TimerKind.RECHARGE, ACME, next_month),)
    (event,) = limited.events
    assert (event.type, event.data["reason"]) == (EventType.RECHARGE_LIMITED, "monthly_cap")
    assert level(limited.account, NOON + DAY).events == ()
    assert due(limited.account, next_month) == Due(next_month, DueReason.LOW)


def test_a_month_that_is_over_has_its_whole_cap_left() -> None:
    april = datetime(2026, 4, 1, tzinfo=UTC)
    assert amount_to_collect(capped(0, fixed(10 * USD, 20 * USD)), april) == Amount(20 * USD)


# After a failure


def test_nothing_is_tried_before_its_retry_and_then_it_is() -> None:
    retry_at = NOON + timedelta(hours=4)
    state = account(fixed(10 * USD, 20 * USD))
    state = replace(state, recharging=replace(state.recharging, retry_at=retry_at))
    waiting = due(state, NOON)
    assert waiting == Due(retry_at, DueReason.RETRY)
    assert not waiting.is_collectable(retry_at - timedelta(microseconds=1))
    again = due(state, retry_at)
    assert again == Due(retry_at, DueReason.LOW)
    assert again.is_collectable(retry_at)


def test_a_retry_is_called_off_by_a_balance_that_recovers() -> None:
    state = account(fixed(10 * USD, 20 * USD), wallet=10 * USD)
    retrying = replace(state.recharging, retry_at=NOON + timedelta(hours=4))
    assert due(replace(state, recharging=retrying), NOON) is None


# The timer


def test_a_timer_is_set_once_and_keeps_its_time() -> None:
    state = account(fixed(10 * USD, 5 * USD))
    first = level(state, NOON)
    assert first.timers_set == (Timer(TimerKind.RECHARGE, ACME, NOON),)
    again = level(first.account, NOON + timedelta(hours=1))
    assert (again.account, again.timers_set, again.timers_cleared) == (first.account, (), ())


def test_a_timer_is_cleared_once() -> None:
    marked = level(account(fixed(10 * USD, 5 * USD)), NOON).account
    cleared = level(replace(marked, wallet_micros=10 * USD), NOON)
    assert (cleared.timers_cleared, cleared.account.recharging.due_at) == (
        (TimerKind.RECHARGE,),
        None,
    )
    again = level(cleared.account, NOON)
    assert (again.account, again.timers_set, again.timers_cleared) == (cleared.account, (), ())


def test_no_timer_stands_where_what_is_on_its_way_is_enough() -> None:
    state = account(fixed(10 * USD, 5 * USD), wallet=9 * USD, in_flight=5 * USD)
    assert level(state, NOON).account.recharging.due_at is None


def test_a_payment_is_announced_when_its_timer_is_set_and_not_again() -> None:
    first = level(account(fixed(10 * USD, 5 * USD)), NOON)
    assert [event.type for event in first.events] == [EventType.RECHARGE_SCHEDULED]
    assert level(first.account, NOON + timedelta(hours=1)).events == ()


def test_a_timer_that_waited_for_a_later_day_is_moved_by_a_low_balance() -> None:
    waiting = replace(
        account(fixed(10 * USD, 5 * USD)).recharging,
        due_at=NOON + DAY,
        due_reason=DueReason.TOMORROW,
    )
    moved = level(replace(account(fixed(10 * USD, 5 * USD)), recharging=waiting), NOON)
    assert moved.timers_set == (Timer(TimerKind.RECHARGE, ACME, NOON),)
    assert moved.account.recharging.due_reason is DueReason.LOW


@FEW
@given(balances, in_flights, st.booleans(), st.booleans(), st.booleans())
def test_levelling_twice_is_levelling_once_and_agrees_with_the_state(
    wallet: int, in_flight: int, is_due: bool, is_suspended: bool, is_on: bool
) -> None:
    policy = fixed(10 * USD, 5 * USD) if is_on else RechargePolicy()
    state = account(policy, wallet, in_flight)
    recharging = replace(
        state.recharging,
        due_at=NOON - timedelta(hours=1) if is_due else None,
        due_reason=DueReason.LOW if is_due else None,
        suspended_at=NOON if is_suspended else None,
    )
    once = level(replace(state, recharging=recharging), NOON)
    twice = level(once.account, NOON + timedelta(hours=1))
    assert (twice.account, twice.timers_set, twice.timers_cleared, twice.events) == (
        once.account, (), (), (),
    )  # fmt: skip
    needed = is_on and not is_suspended and wallet + in_flight < 10 * USD
    assert (once.account.recharging.due_at is not None) is needed
    assert bool(once.timers_set or once.timers_cleared) is (needed is not is_due)
    assert bool(once.events) is (needed and not is_due)
