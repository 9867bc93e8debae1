"""What is due, on every bed."""

from datetime import timedelta

import pytest

from billing.domain.account import Account, AccountRef
from billing.domain.records import Recharge, Timer, TimerKind
from builders import (
    NOON,
    a_recharge_change,
    a_settlement,
    a_touch,
    an_account,
    an_opening,
)
from contract.beds import BEDS, Bed

pytestmark = pytest.mark.parametrize("bed", BEDS, indirect=True)

SECOND = timedelta(seconds=1)
RECHARGE, PERIOD_END = TimerKind.RECHARGE, TimerKind.PERIOD_END


def opened(bed: Bed, name: str = "main") -> Account:
    return bed.commit(an_opening(an_account(AccountRef("acme", name))))


def test_a_timer_is_due_from_its_instant_on(bed: Bed) -> None:
    account = opened(bed)
    timer = Timer(RECHARGE, account.ref, NOON)
    bed.commit(a_touch(account, "set", timers_set=(timer,)))
    assert list(bed.timers.due(RECHARGE, NOON - timedelta(microseconds=1))) == []
    assert list(bed.timers.due(RECHARGE, NOON)) == [timer]
    assert list(bed.timers.due(RECHARGE, NOON + timedelta(days=400))) == [timer]


def test_kinds_are_kept_apart(bed: Bed) -> None:
    account = opened(bed)
    timers = [Timer(kind, account.ref, NOON) for kind in TimerKind if kind is not PERIOD_END]
    bed.commit(a_touch(account, "set", timers_set=tuple(timers)))
    timers.append(Timer(PERIOD_END, account.ref, account.period.end_at))
    for timer in timers:
        assert list(bed.timers.due(timer.kind, account.period.end_at)) == [timer]


def test_the_timers_of_an_intent_and_of_its_settlement_reach_the_index(bed: Bed) -> None:
    intent = a_recharge_change(opened(bed))
    (timer,) = intent.timers_set
    account = bed.commit(intent)
    assert list(bed.timers.due(TimerKind.PAYMENT, timer.due_at - SECOND)) == []
    assert list(bed.timers.due(TimerKind.PAYMENT, timer.due_at)) == [timer]
    (recharge,) = intent.records
    assert isinstance(recharge, Recharge)
    bed.commit(a_settlement(account, recharge))
    assert list(bed.timers.due(TimerKind.PAYMENT, timer.due_at)) == []


def test_setting_a_timer_again_moves_it(bed: Bed) -> None:
    account = opened(bed)
    for name, at in (("set", NOON), ("later", NOON + SECOND), ("earlier", NOON - SECOND)):
        timer = Timer(RECHARGE, account.ref, at)
        account = bed.commit(a_touch(account, name, timers_set=(timer,)))
    assert list(bed.timers.due(RECHARGE, NOON + 2 * SECOND)) == [timer]


def test_a_timer_that_is_cleared_is_never_due_and_clearing_again_changes_nothing(bed: Bed) -> None:
    account = opened(bed)
    timer = Timer(RECHARGE, account.ref, NOON)
    account = bed.commit(a_touch(account, "set", timers_set=(timer,)))
    account = bed.commit(a_touch(account, "clear", timers_cleared=(RECHARGE,)))
    bed.commit(a_touch(account, "clear again", timers_cleared=(RECHARGE,)))
    assert list(bed.timers.due(RECHARGE, NOON)) == []


def test_every_account_that_is_due_is_found(bed: Bed) -> None:
    accounts = [opened(bed, f"account-{number}") for number in range(25)]
    due = set(bed.timers.due(PERIOD_END, accounts[0].period.end_at))
    assert due == {Timer(PERIOD_END, one.ref, one.period.end_at) for one in accounts}
