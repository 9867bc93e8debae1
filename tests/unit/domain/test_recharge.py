"""Automatic recharge fires strictly below the threshold, and collects just enough."""

from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from billing.domain.account import Account, OpenRecharge, RechargePolicy, Recharging
from billing.domain.errors import InvalidInputError
from billing.domain.money import minor_unit_micros
from billing.domain.recharge import (
    DECLINES_BEFORE_SUSPENSION,
    amount_to_collect_micros,
    close_failed,
    close_succeeded,
    idempotency_key,
    is_wanted,
    level,
    mark_unknown,
    open_recharge,
    validate_policy,
)
from billing.domain.records import Timer, TimerKind
from builders import ACME, NOON, USD, an_account

FEW = settings(max_examples=80, deadline=None)
CENT = 10_000
CURRENCIES = ["USD", "JPY", "KWD"]
balances = st.integers(-500 * USD, 500 * USD)
in_flights = st.one_of(st.just(0), st.integers(1, 300).map(lambda n: n * USD))
minor_amounts = st.integers(1, 50_000)


def fixed(threshold: int, amount: int, maximum: int | None = None) -> RechargePolicy:
    return RechargePolicy("fixed", threshold, amount_micros=amount, maximum_micros=maximum)


def target(threshold: int, upto: int, maximum: int | None = None) -> RechargePolicy:
    return RechargePolicy("target", threshold, target_micros=upto, maximum_micros=maximum)


def account(
    policy: RechargePolicy, wallet: int = 0, in_flight: int = 0, currency: str = "USD"
) -> Account:
    opened = OpenRecharge(1, in_flight, "card-1", NOON) if in_flight else None
    recharging = Recharging(policy, open=opened, default_source_id="card-1")
    return an_account(currency=currency, wallet_micros=wallet, recharging=recharging)


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
        assert is_wanted(state) is is_fired
        assert (amount_to_collect_micros(state) > 0) is is_fired


@pytest.mark.parametrize(
    "changed",
    [
        pytest.param({"policy": RechargePolicy("off", 10 * USD)}, id="a policy that is off"),
        pytest.param({"suspended_at": NOON}, id="a suspension"),
        pytest.param({"default_source_id": None}, id="the lack of a source"),
    ],
)
def test_nothing_is_collected_under(changed: dict[str, object]) -> None:
    state = account(fixed(10 * USD, 5 * USD))
    assert is_wanted(state)
    state = replace(state, recharging=replace(state.recharging, **changed))  # type: ignore[arg-type]
    assert not is_wanted(state)
    assert amount_to_collect_micros(state) == 0


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
    assert amount_to_collect_micros(account(policy, wallet, in_flight)) == amount


@pytest.mark.parametrize(
    ("currency", "amount"),
    [
        pytest.param("JPY", 42 * USD, id="yen are collected whole"),
        pytest.param("USD", 41_010_000, id="dollars by the cent"),
        pytest.param("KWD", 41_001_000, id="dinars by the thousandth"),
    ],
)
def test_a_gap_is_rounded_up_to_the_currencys_minor_unit(currency: str, amount: int) -> None:
    state = account(target(10 * USD, 50 * USD), wallet=9 * USD - 1, currency=currency)
    assert amount_to_collect_micros(state) == amount


@FEW
@given(balances, in_flights, st.integers(0, 400 * USD), minor_amounts, st.sampled_from(CURRENCIES))
def test_a_target_is_reached_by_less_than_a_minor_unit_too_much(
    wallet: int, in_flight: int, threshold: int, above: int, currency: str
) -> None:
    unit = minor_unit_micros(currency)
    state = account(target(threshold, threshold + above * unit), wallet, in_flight, currency)
    amount = amount_to_collect_micros(state)
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
    step = multiple * minor_unit_micros(currency)
    covered = wallet + in_flight
    # Often a micro around a threshold that whole multiples reach exactly.
    threshold = max(0, covered + times * step + off)
    amount = amount_to_collect_micros(account(fixed(threshold, step), wallet, in_flight, currency))
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
    amount = amount_to_collect_micros(account(validate_policy(policy, "USD"), wallet))
    wanted = amount_to_collect_micros(account(replace(policy, maximum_micros=None), wallet))
    assert 0 < amount <= min(maximum, wanted)
    room = CENT if is_target else multiple * CENT
    assert amount == wanted or amount > maximum - room


# Policies


@pytest.mark.parametrize(
    ("policy", "currency", "field"),
    [
        pytest.param(RechargePolicy("weekly"), "USD", "mode", id="a mode that is none"),
        pytest.param(fixed(-1, USD), "USD", "threshold", id="a negative threshold"),
        pytest.param(fixed(0, 0), "USD", "amount", id="a fixed amount of nothing"),
        pytest.param(fixed(0, -CENT), "USD", "amount", id="a negative fixed amount"),
        pytest.param(fixed(0, CENT + 1), "USD", "amount", id="an amount with part of a cent"),
        pytest.param(fixed(0, 1_500_000), "JPY", "amount", id="an amount with part of a yen"),
        pytest.param(fixed(0, 1_500), "KWD", "amount", id="an amount with part of a fils"),
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
        pytest.param(RechargePolicy("off"), "USD", id="off needs nothing"),
        pytest.param(fixed(0, CENT), "USD", id="a threshold of zero and one cent"),
        pytest.param(fixed(1, USD, USD), "USD", id="a maximum of one amount"),
        pytest.param(fixed(0, USD), "JPY", id="one yen"),
        pytest.param(fixed(0, 1_000), "KWD", id="one fils"),
        pytest.param(target(USD, USD + CENT), "USD", id="a target a cent above the threshold"),
        pytest.param(target(0, 9 * USD, CENT), "USD", id="a target in steps of a cent"),
    ],
)
def test_a_policy_that_works_is_taken_as_it_is(policy: RechargePolicy, currency: str) -> None:
    assert validate_policy(policy, currency) is policy


# The steps of a payment


def declined(state: Account, times: int) -> Account:
    for _ in range(times):
        opened = open_recharge(state, amount_micros=USD, source_id="card-1", now=NOON)
        state = close_failed(opened, NOON, is_counted=True)
    return state


def test_the_last_decline_in_a_row_suspends_and_the_one_before_does_not() -> None:
    state = account(fixed(10 * USD, 5 * USD))
    almost = declined(state, DECLINES_BEFORE_SUSPENSION - 1)
    assert is_wanted(almost)
    suspended = declined(almost, 1)
    assert suspended.recharging.suspended_at == NOON
    assert not is_wanted(suspended)


def test_a_success_forgets_the_declines_and_lifts_a_suspension() -> None:
    for declines in (1, DECLINES_BEFORE_SUSPENSION):
        state = declined(account(fixed(10 * USD, 5 * USD)), declines)
        opened = open_recharge(state, amount_micros=USD, source_id="card-1", now=NOON)
        closed = close_succeeded(opened).recharging
        assert (closed.open, closed.declines, closed.suspended_at) == (None, 0, None)


def test_every_recharge_takes_the_next_ordinal_and_only_one_is_open() -> None:
    state = declined(account(fixed(10 * USD, 5 * USD)), 2)
    opened = open_recharge(state, amount_micros=USD, source_id="card-1", now=NOON)
    assert opened.recharging.ordinal == 3
    assert opened.recharging.open == OpenRecharge(3, USD, "card-1", NOON)
    assert opened.in_flight_micros == USD
    with pytest.raises(AssertionError):
        open_recharge(opened, amount_micros=USD, source_id="card-1", now=NOON)


def test_an_unknown_payment_stays_in_flight() -> None:
    opened = open_recharge(
        account(fixed(10 * USD, 5 * USD)), amount_micros=USD, source_id="card-1", now=NOON
    )
    unknown = mark_unknown(opened)
    assert unknown.in_flight_micros == USD
    assert unknown.recharging.open is not None
    assert unknown.recharging.open.is_unknown


def test_a_gateways_key_names_tenant_account_and_ordinal() -> None:
    state = account(fixed(0, USD))
    others = [
        idempotency_key(replace(state, ref=replace(ACME, tenant_id="other")), 1),
        idempotency_key(replace(state, ref=replace(ACME, account_id="other")), 1),
        idempotency_key(state, 2),
    ]
    assert len({idempotency_key(state, 1), *others}) == 4
    moved_on = replace(state, version=9, wallet_micros=5)
    assert idempotency_key(moved_on, 1) == idempotency_key(state, 1)


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


def test_a_timer_stands_while_a_payment_is_open_even_where_nothing_more_is_wanted() -> None:
    state = account(fixed(10 * USD, 5 * USD), wallet=9 * USD, in_flight=5 * USD)
    assert not is_wanted(state)
    assert level(state, NOON).account.recharging.due_at == NOON


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
        suspended_at=NOON if is_suspended else None,
    )
    once = level(replace(state, recharging=recharging), NOON)
    twice = level(once.account, NOON + timedelta(hours=1))
    assert (twice.account, twice.timers_set, twice.timers_cleared) == (once.account, (), ())
    needed = is_wanted(once.account) or in_flight > 0
    assert (once.account.recharging.due_at is not None) is needed
    assert bool(once.timers_set or once.timers_cleared) is (needed is not is_due)
