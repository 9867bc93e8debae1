"""What is set for alerts, and since when they stand, comes back from every book as it went in."""

from dataclasses import replace
from datetime import timedelta

import pytest

from billing.domain.account import AccountRef
from billing.domain.alerting import Alerting
from billing.domain.alerts import AlertTold
from billing.domain.records import Timer, TimerKind
from builders import ACME, NOON, a_touch
from contract.beds import BEDS, Bed
from contract.changes import opened

pytestmark = pytest.mark.parametrize("bed", BEDS, indirect=True)

WHOLE = Alerting((50, 90), 5_000_000, 7, NOON.date())


def test_the_settings_come_back_with_the_account(bed: Bed) -> None:
    account = opened(bed)
    touch = a_touch(account, "set")
    change = replace(touch, after=replace(touch.after, alerting=WHOLE))
    assert bed.commit(change).alerting == WHOLE


def test_since_when_alerts_stand_is_read_together_and_told_anew(bed: Bed) -> None:
    account = opened(bed)
    grant = AlertTold(ACME, "grant/minutes:20260301T0000Z/80", NOON, NOON + timedelta(days=9))
    low = AlertTold(ACME, "balance/amount", NOON)
    account = bed.commit(a_touch(account, "told", records=(grant, low)))
    assert bed.book.things(ACME, AlertTold) == [low, grant]
    again = replace(low, since=NOON + timedelta(hours=1))
    bed.commit(a_touch(account, "again", records=(again,)))
    assert bed.book.things(ACME, AlertTold) == [again, grant]
    assert bed.book.things(AccountRef("globex", ACME.account_id), AlertTold) == []


def test_the_next_look_is_found_when_it_is_due(bed: Bed) -> None:
    account = opened(bed)
    timer = Timer(TimerKind.ALERT, ACME, NOON + timedelta(hours=12))
    bed.commit(a_touch(account, "look", timers_set=(timer,)))
    assert list(bed.timers.due(TimerKind.ALERT, timer.due_at - timedelta(seconds=1))) == []
    assert list(bed.timers.due(TimerKind.ALERT, timer.due_at)) == [timer]
