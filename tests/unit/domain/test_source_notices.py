"""Notices of expiry: 30 and 7 days before the last valid day, once each, in the account's zone."""

from datetime import UTC, date, datetime, timedelta

import pytest

from billing.domain.records import FundingSource, SourceState, Timer, TimerKind
from billing.domain.source_notices import next_notice_at, notice_due, notice_timer
from builders import a_source, an_account

LAST_DAY = date(2026, 5, 31)
ACCOUNT = an_account()
KOLKATA = an_account(time_zone="Asia/Kolkata")


def card(noticed_days: int | None = None, expires_on: date | None = LAST_DAY) -> FundingSource:
    return a_source(expires_on=expires_on, noticed_days=noticed_days)


def on(day: date) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=UTC)


@pytest.mark.parametrize(
    ("days_before", "given", "step"),
    [
        pytest.param(31, None, None, id="31 days before, nothing is said yet"),
        pytest.param(30, None, 30, id="30 days before"),
        pytest.param(27, None, 30, id="3 days late is the same notice"),
        pytest.param(8, 30, None, id="once per step"),
        pytest.param(7, 30, 7, id="7 days before"),
        pytest.param(7, None, 7, id="both due: the latest alone"),
        pytest.param(0, 30, 7, id="on the last day"),
        pytest.param(-2, 30, 7, id="after it, where nobody had looked"),
        pytest.param(0, 7, None, id="nothing more after the last step"),
    ],
)
def test_a_notice_is_given_once_for_the_latest_step_that_is_due(
    days_before: int, given: int | None, step: int | None
) -> None:
    now = on(LAST_DAY - timedelta(days=days_before))
    notice = notice_due(ACCOUNT, [card(given)], now)
    assert (notice and (notice.step, notice.days_left)) == (step and (step, days_before))


def test_a_notice_is_due_from_local_midnight_of_its_day() -> None:
    at = datetime(2026, 4, 30, 18, 30, tzinfo=UTC)
    assert next_notice_at(KOLKATA, [card()]) == at
    assert notice_due(KOLKATA, [card()], at - timedelta(microseconds=1)) is None
    assert notice_due(KOLKATA, [card()], at) is not None


def test_the_timer_is_due_exactly_while_a_notice_is() -> None:
    for given in (None, 30, 7):
        at = next_notice_at(ACCOUNT, [card(given)])
        for days_before in range(40, -10, -1):
            now = on(LAST_DAY - timedelta(days=days_before))
            is_due = notice_due(ACCOUNT, [card(given)], now) is not None
            assert is_due == (at is not None and at <= now)


def test_one_timer_stands_for_the_nearest_of_all() -> None:
    later = a_source(source_id="card-2", expires_on=LAST_DAY + timedelta(days=1))
    assert next_notice_at(ACCOUNT, [later, card()]) == next_notice_at(ACCOUNT, [card()])
    assert next_notice_at(ACCOUNT, [later, card(30)]) == next_notice_at(ACCOUNT, [later])


@pytest.mark.parametrize(
    "source",
    [
        pytest.param(card(expires_on=None), id="it does not expire"),
        pytest.param(a_source(expires_on=LAST_DAY, state=SourceState.PENDING), id="pending"),
        pytest.param(a_source(expires_on=LAST_DAY, state=SourceState.REMOVED), id="removed"),
    ],
)
def test_of_others_nothing_is_told(source: FundingSource) -> None:
    assert next_notice_at(ACCOUNT, [source]) is None
    assert notice_due(ACCOUNT, [source], on(LAST_DAY)) is None


def test_a_change_of_sources_sets_moves_or_clears_the_timer() -> None:
    def timer(before: list[FundingSource], after: list[FundingSource]) -> object:
        return notice_timer(ACCOUNT, before, after)

    at = on(LAST_DAY - timedelta(days=30))
    moved = on(LAST_DAY - timedelta(days=7))
    assert timer([], [card()]) == ((Timer(TimerKind.SOURCE_NOTICE, ACCOUNT.ref, at),), ())
    assert timer([card()], [card(30)]) == (
        (Timer(TimerKind.SOURCE_NOTICE, ACCOUNT.ref, moved),),
        (),
    )
    assert timer([card()], []) == ((), (TimerKind.SOURCE_NOTICE,))
    assert timer([card()], [card(), card(expires_on=None)]) == ((), ())
