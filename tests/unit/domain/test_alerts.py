"""An alert is told when it begins, and again only after it has ended."""

from collections import Counter
from dataclasses import replace
from datetime import date, datetime, timedelta
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from billing.domain import alerts, collecting
from billing.domain.account import Account
from billing.domain.alerting import Alerting, checked_alerting
from billing.domain.alerts import AlertTold, BalanceAlert, low_balances
from billing.domain.change import MAX_ITEMS, Change
from billing.domain.errors import InvalidInputError
from billing.domain.grants import Grant
from billing.domain.ledger import USAGE_REVENUE, WALLET, EntryKind, post
from billing.domain.money import MAX_MICROS
from billing.domain.recharging import RechargeMode, RechargePolicy, Recharging
from billing.domain.records import AccountListing, EventType, Timer, TimerKind
from billing.domain.spend import with_spend
from billing.domain.standing_alerts import standing_alerts
from billing.domain.units import Unit
from builders import (
    ACME,
    NOON,
    USD,
    a_credit,
    a_posting,
    a_touch,
    a_usage_event,
    an_account,
    an_operation,
)

DAY = timedelta(days=1)
TODAY = NOON.date()
MIDNIGHT = datetime(2026, 3, 15, tzinfo=NOON.tzinfo)
LOT = Grant(
    grant_id="minutes:now",
    unit=Unit.VOICE_SECONDS,
    total=1000,
    remaining=1000,
    priority=100,
    granted_at=NOON - DAY,
    expires_at=NOON + 30 * DAY,
    recurring_id="minutes",
)
USAGE = RechargePolicy(RechargeMode.USAGE, reserve_days=5)


# Any: of the account's own fields.
def holding(wallet_micros: int = 10 * USD, **overrides: Any) -> Account:
    """An account of a hundred days, with that much in its wallet, posted to today."""
    account = an_account(now=NOON - 100 * DAY, grants=(), version=7)
    account, _ = post(
        account,
        kind=EntryKind.RECHARGE,
        cause="paid",
        debit="gateway:sandbox",
        credit=WALLET,
        amount_micros=wallet_micros,
        now=NOON,
    )
    return replace(account, **overrides)


def spending(micros: int, day: date = TODAY - DAY) -> tuple[tuple[date, int], ...]:
    """So much on each of the thirty days up to that one."""
    return tuple((day - timedelta(days=age), micros) for age in reversed(range(30)))


def spent(account: Account, micros: int, now: datetime = NOON) -> Change:
    """A posting that only costs."""
    after = with_spend(account, now, micros, now)
    after, entry = post(
        after,
        kind=EntryKind.USAGE,
        cause=f"usage/{account.version}",
        debit=WALLET,
        credit=USAGE_REVENUE,
        amount_micros=micros,
        now=now,
    )
    operation = an_operation(operation_id=f"usage/{account.version}")
    return Change(before=account, after=after.next_version(), operation=operation, entries=(entry,))


def touched(account: Account, now: datetime = NOON, **changes: Any) -> Change:
    """A Change that posts nothing."""
    touch = a_touch(account, f"touch/{account.version}", now)
    return alerts.told(replace(touch, after=replace(touch.after, **changes)), now)


def reasons(change: Change) -> list[str]:
    """What a Change tells of a balance: the lines, and that nothing is left."""
    said: list[str] = []
    for event in change.events:
        listed: list[Any] = event.data.get("reasons", [])  # type: ignore[assignment]
        said += [one["reason"] for one in listed]
        if event.type is EventType.BALANCE_EXHAUSTED:
            said.append("exhausted")
    return said


# Balances


@pytest.mark.parametrize(
    ("wallet_micros", "cost_micros", "told"),
    [
        pytest.param(10 * USD, 5 * USD, [], id="at the amount nothing is told"),
        pytest.param(10 * USD, 5 * USD + 1, ["amount"], id="below it, it is"),
        pytest.param(5 * USD - 1, 1, [], id="below it already"),
        pytest.param(10 * USD, 10 * USD - 1, ["amount"], id="the last micro is left"),
        pytest.param(10 * USD, 10 * USD, ["amount", "exhausted"], id="nothing is left"),
        pytest.param(0, 1, [], id="nothing was left"),
    ],
)
def test_a_balance_is_told_when_it_falls_below_the_amount_that_is_set(
    wallet_micros: int, cost_micros: int, told: list[str]
) -> None:
    account = holding(wallet_micros, alerting=Alerting(balance_micros=5 * USD))
    assert reasons(alerts.told(spent(account, cost_micros), NOON)) == told


def test_every_line_that_one_posting_falls_below_is_told_in_one_event() -> None:
    account = holding(
        10 * USD,
        alerting=Alerting(balance_micros=5 * USD, runway_days=7),
        recharging=Recharging(RechargePolicy(RechargeMode.FIXED, 3 * USD, amount_micros=USD)),
        daily_spend=spending(USD),
    )
    change = alerts.told(spent(account, 8 * USD), NOON)
    low, *_ = change.events
    assert low.event_id == "main/usage/7/balance.low"
    assert low.data == {
        "balance": {"amount": "2.00", "currency": "USD"},
        "reasons": [
            {"reason": "recharge", "below": {"amount": "3.00", "currency": "USD"}},
            {"reason": "amount", "below": {"amount": "5.00", "currency": "USD"}},
            {
                "reason": "runway",
                "below": {"amount": "7.00", "currency": "USD"},
                "runway_days": 7,
            },
        ],
    }


def test_a_payment_ends_it_and_the_next_fall_is_told_again() -> None:
    account = holding(6 * USD, alerting=Alerting(balance_micros=5 * USD))
    low = alerts.told(spent(account, 2 * USD), NOON)
    paid = alerts.told(a_credit(low.after, USD, "paid again"), NOON)
    again = alerts.told(spent(paid.after, 1), NOON)
    assert [reasons(change) for change in (low, paid, again)] == [["amount"], [], ["amount"]]


def test_an_account_that_has_set_nothing_is_told_only_of_an_empty_wallet() -> None:
    account = holding(10 * USD, daily_spend=spending(5 * USD))
    assert reasons(alerts.told(spent(account, 10 * USD - 1), NOON)) == []
    assert reasons(alerts.told(spent(account, 10 * USD), NOON)) == ["exhausted"]


@pytest.mark.parametrize(
    ("daily_micros", "is_low"),
    [
        pytest.param(USD, False, id="exactly seven days"),
        pytest.param(USD + 1, True, id="a micro a day more"),
        pytest.param(0, False, id="who spends nothing lasts for ever"),
    ],
)
def test_a_runway_is_short_strictly_below_its_days(daily_micros: int, is_low: bool) -> None:
    spend = spending(daily_micros) if daily_micros else ()
    account = holding(7 * USD, alerting=Alerting(runway_days=7), daily_spend=spend)
    assert (BalanceAlert.RUNWAY in low_balances(account, TODAY)) is is_low


def test_new_settings_tell_what_stands_by_them_and_old_ones_nothing_again() -> None:
    account = holding(4 * USD, alerting=Alerting(balance_micros=3 * USD))
    assert reasons(touched(account, alerting=Alerting(balance_micros=5 * USD))) == ["amount"]
    low = holding(2 * USD, alerting=Alerting(balance_micros=3 * USD))
    assert reasons(touched(low, alerting=Alerting(balance_micros=5 * USD))) == []
    assert reasons(touched(low, alerting=Alerting())) == []


def test_a_line_out_of_all_bounds_is_told_as_the_most_there_can_be() -> None:
    account = holding(
        10 * USD, alerting=Alerting(runway_days=90), daily_spend=((TODAY - DAY, MAX_MICROS),)
    )
    assert low_balances(account, TODAY) == {BalanceAlert.RUNWAY: MAX_MICROS}


# The turn of a day


def test_what_the_turn_of_a_day_begins_has_a_timer_and_is_told_then() -> None:
    # Today's 20 enter the average at midnight: 30 days of 1 become 29 of 1 and one of 20.
    account = holding(29 * USD, alerting=Alerting(runway_days=7), daily_spend=spending(USD))
    busy = alerts.told(spent(account, 20 * USD), NOON)
    assert (reasons(busy), busy.timers_set) == ([], (Timer(TimerKind.ALERT, ACME, MIDNIGHT),))
    assert not alerts.is_moved_by_time(busy.after, MIDNIGHT - timedelta(seconds=1))
    assert alerts.is_moved_by_time(busy.after, MIDNIGHT)
    turned = collecting.relevel(busy.after, MIDNIGHT)
    assert turned is not None
    turned = alerts.told(turned, MIDNIGHT)
    assert reasons(turned) == ["runway"]
    assert turned.timers_cleared == (TimerKind.ALERT,)
    assert turned.after.alerting.looked_on == MIDNIGHT.date()
    # It has been told: not by the next look, and not by the next posting either.
    assert collecting.relevel(turned.after, MIDNIGHT + timedelta(hours=4)) is None
    posted = alerts.told(spent(turned.after, 1, MIDNIGHT + DAY / 2), MIDNIGHT + DAY / 2)
    assert (reasons(posted), posted.after.alerting.looked_on) == ([], None)


def test_a_reserve_that_only_the_turn_of_a_day_lifts_is_told_too() -> None:
    account = holding(29 * USD, recharging=Recharging(USAGE), daily_spend=spending(USD))
    busy = alerts.told(spent(account, 21 * USD), NOON)
    assert (reasons(busy), busy.timers_set) == ([], (Timer(TimerKind.ALERT, ACME, MIDNIGHT),))
    turned = collecting.relevel(busy.after, MIDNIGHT)
    assert turned is not None
    assert reasons(alerts.told(turned, MIDNIGHT)) == ["recharge"]


def test_whoever_comes_first_after_the_turn_tells_it() -> None:
    account = holding(29 * USD, alerting=Alerting(runway_days=7), daily_spend=spending(USD))
    busy = alerts.told(spent(account, 20 * USD), NOON)
    later = MIDNIGHT + timedelta(minutes=1)
    posted = alerts.told(spent(busy.after, 1, later), later)
    assert reasons(posted) == ["runway"]
    assert posted.timers_cleared == (TimerKind.ALERT,)


def test_a_timer_that_a_payment_has_made_needless_is_cleared() -> None:
    account = holding(29 * USD, alerting=Alerting(runway_days=7), daily_spend=spending(USD))
    busy = alerts.told(spent(account, 20 * USD), NOON)
    paid = alerts.told(a_credit(busy.after, 50 * USD, "paid again"), NOON)
    assert paid.timers_cleared == (TimerKind.ALERT,)


def test_a_look_so_late_that_nothing_stands_any_more_clears_its_timer_and_tells_nothing() -> None:
    account = holding(29 * USD, alerting=Alerting(runway_days=7), daily_spend=spending(USD))
    busy = alerts.told(spent(account, 20 * USD), NOON)
    late = MIDNIGHT + 60 * DAY
    turned = collecting.relevel(busy.after, late)
    assert turned is not None
    turned = alerts.told(turned, late)
    assert (reasons(turned), turned.timers_cleared) == ([], (TimerKind.ALERT,))
    assert collecting.relevel(turned.after, late) is None


def test_an_account_whose_lines_no_day_moves_keeps_no_day_and_no_timer() -> None:
    fixed = RechargePolicy(RechargeMode.FIXED, 50 * USD, amount_micros=USD)
    account = holding(29 * USD, recharging=Recharging(fixed), daily_spend=spending(USD))
    busy = alerts.told(spent(account, 20 * USD), NOON)
    assert busy.timers_set == ()
    assert touched(busy.after, NOON + 40 * DAY).after.alerting == Alerting()


def test_days_that_say_nothing_new_are_not_kept() -> None:
    account = holding(29 * USD, alerting=Alerting(runway_days=7), daily_spend=spending(USD))
    assert touched(account, NOON + DAY).after.alerting.looked_on is None


# Grants


def test_a_grant_is_told_at_the_thresholds_that_are_set() -> None:
    account = holding(grants=(LOT,), alerting=Alerting(grant_percents=(50, 90)))
    used = touched(account, grants=(replace(LOT, remaining=150),))
    assert [event.data["grants"][0]["threshold_percent"] for event in used.events] == [50]  # type: ignore[index,call-overload]
    none = touched(replace(account, alerting=Alerting(())), grants=(replace(LOT, remaining=0),))
    assert none.events == ()


def test_a_threshold_that_is_set_below_what_is_used_is_told_at_once() -> None:
    account = holding(grants=(replace(LOT, remaining=300),))
    (event,) = touched(account, alerting=Alerting((50, 80))).events
    assert [one["threshold_percent"] for one in event.data["grants"]] == [50]  # type: ignore[union-attr,index,call-overload]


# What is kept for reading


def test_since_when_it_stands_is_kept_beside_the_account() -> None:
    account = holding(
        6 * USD, grants=(LOT,), alerting=Alerting(balance_micros=5 * USD, grant_percents=(80,))
    )
    change = spent(account, 2 * USD, NOON + DAY)
    emptied = replace(change, after=replace(change.after, grants=(replace(LOT, remaining=9),)))
    assert alerts.told(emptied, NOON + DAY).records == (
        AlertTold(ACME, "balance/amount", NOON + DAY),
        AlertTold(ACME, "grant/minutes:now/80", NOON + DAY, LOT.expires_at),
    )


def test_what_is_only_for_reading_never_makes_a_change_too_large() -> None:
    account = holding(6 * USD, alerting=Alerting(balance_micros=5 * USD))
    listing = AccountListing(ACME, "Main", NOON)
    full = spent(account, 6 * USD)
    room = MAX_ITEMS - full.item_count - len(alerts.told(full, NOON).events) - 1
    change = alerts.told(replace(full, records=(listing,) * room), NOON)
    assert (change.item_count, reasons(change)) == (MAX_ITEMS, ["amount", "exhausted"])


def test_what_stands_is_shown_with_what_would_end_it() -> None:
    used_up = replace(LOT, remaining=0)
    empty = holding(0, grants=(used_up,), alerting=Alerting((80, 100), 5 * USD))
    account = replace(empty, wallet_micros=-1)
    amount, exhausted, eighty, hundred = standing_alerts(account, NOON)
    assert (amount.below_micros, amount.missing_micros) == (5 * USD, 5 * USD + 10_000)
    assert (exhausted.below_micros, exhausted.missing_micros) == (1, 10_000)
    assert [(one.percent, one.ends_at) for one in (eighty, hundred)] == [
        (80, LOT.expires_at), (100, LOT.expires_at),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("at", "count"),
    [
        pytest.param(LOT.granted_at - DAY, 0, id="not valid yet"),
        pytest.param(LOT.granted_at, 2, id="from its first instant"),
        pytest.param(NOON + 30 * DAY, 0, id="gone with its last"),
    ],
)
def test_a_grant_that_is_not_valid_stands_for_nothing(at: datetime, count: int) -> None:
    account = holding(grants=(replace(LOT, remaining=0),))
    assert len(standing_alerts(account, at)) == count


# Any sequence

SETTINGS = st.builds(
    Alerting,
    grant_percents=st.lists(st.integers(1, 100), max_size=3).map(lambda p: tuple(sorted(set(p)))),
    balance_micros=st.none() | st.integers(1, 12 * USD),
    runway_days=st.none() | st.integers(8, 24),
)
POLICIES = st.sampled_from(
    [RechargePolicy(), USAGE, RechargePolicy(RechargeMode.FIXED, 4 * USD, amount_micros=USD)]
)
STEPS = st.one_of(
    st.tuples(st.just("spend"), st.integers(0, 6).map(lambda whole: whole * USD)),
    st.tuples(st.just("pay"), st.integers(1, 9).map(lambda whole: whole * USD)),
    st.tuples(st.just("use"), st.integers(-400, 400)),
    st.tuples(st.just("set"), SETTINGS),
    st.tuples(st.just("policy"), POLICIES),
    *[st.tuples(st.just("turn"), st.integers(1, 3))] * 2,
)


def standing(account: Account) -> set[str]:
    """What stands, by the rules read once more, in exact fractions."""
    wallet, day = account.wallet_micros, alerts.looked_on(account)
    spend = [micros for on, micros in account.daily_spend if day - 30 * DAY <= on < day]
    average = Fraction(sum(spend), 30)
    wanted, policy = account.alerting, account.recharging.policy
    runway = average * (wanted.runway_days or 0)
    lines = {
        "exhausted": wallet <= 0,
        "amount": wanted.balance_micros is not None and wallet < wanted.balance_micros,
        "runway": runway > 0 and wallet < runway,
        "recharge": (policy == USAGE and wallet < average * policy.reserve_days)
        or (policy.mode is RechargeMode.FIXED and wallet < policy.threshold_micros),
    }
    used = {
        f"grant/{grant.grant_id}/{percent}"
        for grant in account.grants
        for percent in account.alerting.grant_percents
        if (grant.total - grant.remaining) * 100 >= grant.total * percent
    }
    return {f"balance/{line}" for line, stands in lines.items() if stands} | used


def step(account: Account, name: str, given: Any, now: datetime) -> Change | None:
    match name:
        case "spend":
            return spent(account, given, now)
        case "pay":
            return a_credit(account, given, f"pay/{account.version}", now)
        case "use":
            (lot,) = account.grants
            left = replace(lot, remaining=min(lot.total, max(0, lot.remaining + given)))
            return changed(account, now, grants=(left,))
        case "set":
            return changed(account, now, alerting=given)
        case "policy":
            return changed(account, now, recharging=Recharging(given))
        case _:
            return collecting.relevel(account, now)


def changed(account: Account, now: datetime, **changes: Any) -> Change:
    touch = a_touch(account, f"touch/{account.version}", now)
    return replace(touch, after=replace(touch.after, **changes))


@settings(max_examples=100, deadline=None)
@given(st.lists(STEPS, max_size=25))
def test_told_and_ended_alternate_over_any_sequence_and_every_turn_is_looked_at(
    steps: list[tuple[str, Any]],
) -> None:
    account, now = holding(grants=(LOT,), daily_spend=spending(USD // 2)), NOON
    account = replace(account, alerting=Alerting(runway_days=14))
    stands = standing(account)
    timer: datetime | None = None
    balance: Counter[str] = Counter()
    for name, given_ in steps:
        now += timedelta(minutes=7)
        if name == "turn":
            now += given_ * DAY
        change = step(account, name, given_, now)
        if change is None:
            # Nothing to look at: then no timer is due, and today says what the last look said.
            assert timer is None or timer > now
            continue
        change = alerts.told(change, now)
        told = {record.name for record in change.records if isinstance(record, AlertTold)}
        after = standing(change.after)
        assert told == after - stands
        assert len(change.events) == len({event.type for event in change.events})
        assert {f"balance/{reason}" for reason in reasons(change)} == {
            one for one in told if one.startswith("balance")
        }
        for alert in told:
            balance[alert] += 1
        for alert in stands - after:
            balance[alert] -= 1
        assert all(count in (-1, 0, 1) for count in balance.values())
        for one in change.timers_set:
            if one.kind is TimerKind.ALERT:
                timer = one.due_at
        if TimerKind.ALERT in change.timers_cleared:
            timer = None
        assert timer == alerts.next_look_at(change.after)
        # Whatever was told was so today: a state that was not posted to knows its day.
        assert after == standing(alerts.looked_at(change.after, now))
        assert alerts.looked_at(change.after, now) == change.after
        account, stands = change.after, after


# Settings


def test_settings_are_kept_in_order_and_each_percentage_once() -> None:
    assert checked_alerting(Alerting((90, 50, 90)), "USD") == Alerting((50, 90))


@pytest.mark.parametrize(
    ("alerting", "field"),
    [
        pytest.param(Alerting((1, 2, 3, 4, 5, 6)), "grant_percents", id="six percentages"),
        pytest.param(Alerting((0,)), "grant_percents", id="0 percent"),
        pytest.param(Alerting((101,)), "grant_percents", id="101 percent"),
        pytest.param(Alerting(balance_micros=0), "low_balance", id="no amount"),
        pytest.param(Alerting(balance_micros=MAX_MICROS + 1), "amount", id="too much"),
        pytest.param(Alerting(runway_days=0), "runway_days", id="0 days"),
        pytest.param(Alerting(runway_days=91), "runway_days", id="91 days"),
    ],
)
def test_settings_that_make_no_sense_are_refused_by_name(alerting: Alerting, field: str) -> None:
    with pytest.raises(InvalidInputError) as caught:
        checked_alerting(alerting, "USD")
    assert caught.value.field == field


def test_a_posting_that_is_no_operation_names_what_it_tells() -> None:
    account = replace(an_account(), grants=(), wallet_micros=500_000)
    change = alerts.told(a_posting(account, [a_usage_event(1)], rate_micros=USD), NOON)
    (event,) = change.events
    assert event.event_id == f"main/{change.entries[0].cause}/balance.exhausted"
