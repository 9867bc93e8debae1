"""A source takes its place in the order, and leaves it; both timers agree with what is left."""

from dataclasses import replace
from datetime import date, timedelta
from typing import Any

import pytest

from billing.domain import funding
from billing.domain.account import Account
from billing.domain.change import Change
from billing.domain.declines import DeclineGroup
from billing.domain.errors import CurrencyMismatchError, InvalidInputError, TooManySourcesError
from billing.domain.money import Money
from billing.domain.payments import PaymentMethod
from billing.domain.recharging import RechargeMode, RechargePolicy, Recharging, SuspendedReason
from billing.domain.records import EventType, FundingSource, SourceState, TimerKind
from billing.domain.source_shown import source_json
from builders import NOON, USD, a_source, an_account, an_audit_record, an_operation

TARGET = RechargePolicy(RechargeMode.TARGET, 10 * USD, target_micros=50 * USD)
RUPEES = an_account(currency="INR").next_version()
DOLLARS = an_account().next_version()


def account(*order: str, **altered: Any) -> Account:
    recharging = Recharging(
        default_source_id=order[0] if order else None, backup_source_ids=order[1:]
    )
    return replace(DOLLARS, recharging=replace(recharging, **altered))


def pending(**altered: Any) -> FundingSource:
    return a_source(**{"token": "", "state": SourceState.PENDING, "setup_id": "seti", **altered})


def by_id(*sources: FundingSource) -> dict[str, FundingSource]:
    return {source.source_id: source for source in sources}


def saved(before: Account, source: FundingSource, *others: FundingSource) -> Change:
    change = funding.saved(before, source, by_id(source, *others), NOON)
    assert change is not None
    return change


def test_the_first_source_is_the_default_and_the_next_a_backup() -> None:
    first = saved(account(), pending(token="pm_1"))
    assert first.after.recharging.source_ids == ("card-1",)
    second = saved(first.after, pending(source_id="card-2", token="pm_2"))
    third = saved(second.after, pending(source_id="card-3", token="pm_3"))
    assert third.after.recharging.default_source_id == "card-1"
    assert third.after.recharging.backup_source_ids == ("card-2", "card-3")


def test_a_source_that_is_saved_is_told_and_wakes_what_waited_for_one() -> None:
    waiting = account(policy=TARGET)
    change = saved(waiting, pending(token="pm_1", brand="visa", last4="4242"))
    (told, *_) = change.events
    assert told.type is EventType.FUNDING_SOURCE_ADDED
    assert told.data["last4"] == "4242"
    assert told.data["is_default"] is True
    assert "pm_1" not in str(change.events)
    assert [timer.kind for timer in change.timers_set] == [TimerKind.RECHARGE]


def test_a_new_source_lifts_a_suspension() -> None:
    suspended = account(
        "card-0",
        policy=TARGET,
        declines=4,
        suspended_at=NOON,
        suspended_reason=SuspendedReason.NEW_SOURCE_NEEDED,
    )
    after = saved(suspended, pending(token="pm_1")).after.recharging
    assert (after.suspended_at, after.suspended_reason, after.declines) == (None, None, 0)


def test_a_mandate_that_is_the_default_is_asked_earlier_and_a_backup_is_not() -> None:
    mandate = pending(token="upi", method=PaymentMethod.UPI)
    assert saved(account(), mandate).after.recharging.notice_hours == 36
    assert saved(account("card-0"), mandate).after.recharging.notice_hours == 0


def test_a_card_that_expires_sets_the_notice_timer() -> None:
    change = saved(account(), pending(token="pm_1", expires_on=date(2026, 12, 31)))
    assert [timer.kind for timer in change.timers_set] == [TimerKind.SOURCE_NOTICE]


@pytest.mark.parametrize(
    ("standing", "is_saved"),
    [
        pytest.param(pending(), True, id="pending"),
        pytest.param(
            pending(state=SourceState.REMOVED, blocked_code="authentication_failed"),
            True,
            id="it failed, and its customer tried once more",
        ),
        pytest.param(pending(state=SourceState.REMOVED), False, id="a person removed it"),
        pytest.param(a_source(), False, id="saved already"),
    ],
)
def test_only_what_is_being_saved_becomes_active(standing: FundingSource, is_saved: bool) -> None:
    change = funding.saved(account("card-0"), standing, by_id(standing), NOON)
    assert (change is not None) == is_saved
    if change is not None:
        (source,) = change.records
        assert isinstance(source, FundingSource)
        assert (source.state, source.blocked_code) == (SourceState.ACTIVE, None)


def test_a_source_that_came_to_nothing_says_why_and_takes_no_place() -> None:
    before = account("card-0")
    change = funding.failed(before, pending(), "authentication_failed", NOON)
    assert change is not None
    assert change.after.recharging == before.recharging
    (source,) = change.records
    assert isinstance(source, FundingSource)
    shown = source_json(change.after, source, NOON)
    assert (shown["state"], shown["blocked_code"]) == ("removed", "authentication_failed")
    assert funding.failed(change.after, source, "authentication_failed", NOON) is None
    assert funding.failed(before, a_source(), "late", NOON) is None


def test_what_the_gateway_began_is_written_once() -> None:
    before = account()
    change = funding.setup_known(before, pending(setup_id=None), "seti_1", "cus_1", NOON)
    assert change is not None
    (source,) = change.records
    assert isinstance(source, FundingSource)
    assert (source.setup_id, source.customer_token) == ("seti_1", "cus_1")
    assert funding.setup_known(change.after, source, "seti_1", "cus_1", NOON) is None


def test_an_account_has_ten_sources_those_being_saved_included() -> None:
    nine = [pending(source_id=f"p-{n}") for n in range(4)]
    nine += [a_source(source_id=f"a-{n}") for n in range(5)]
    gone = [a_source(source_id=f"r-{n}", state=SourceState.REMOVED) for n in range(5)]
    operation, audit = an_operation(), an_audit_record()
    for make, new in (
        (funding.begun, pending(source_id="new")),
        (funding.added, a_source(source_id="new")),
    ):
        make(account(), new, by_id(*nine, *gone), operation, audit, NOON)
        with pytest.raises(TooManySourcesError):
            make(account(), new, by_id(*nine, pending()), operation, audit, NOON)


@pytest.mark.parametrize(
    ("of", "method", "limit", "field"),
    [
        pytest.param(DOLLARS, "upi", None, "method", id="UPI in dollars"),
        pytest.param(DOLLARS, "card", Money(USD, "USD"), "limit", id="a card with a limit"),
        pytest.param(RUPEES, "upi", Money(USD, "USD"), "limit/currency", id="other money"),
        pytest.param(RUPEES, "upi", Money(0, "INR"), "limit", id="nothing"),
        pytest.param(RUPEES, "upi", Money(-1, "INR"), "limit", id="less than nothing"),
        pytest.param(RUPEES, "upi", Money(15_000_010_000, "INR"), "limit", id="a paisa above"),
        pytest.param(RUPEES, "upi", Money(1_000_001, "INR"), "limit", id="a part of a paisa"),
    ],
)
def test_a_source_that_cannot_be_is_refused_by_its_field(
    of: Account, method: str, limit: Money | None, field: str
) -> None:
    with pytest.raises((InvalidInputError, CurrencyMismatchError)) as refused:
        funding.validate_new(of, PaymentMethod(method), limit)
    assert refused.value.field == field


def test_a_mandate_may_allow_what_the_law_does() -> None:
    funding.validate_new(RUPEES, PaymentMethod.UPI, Money(15_000 * USD, "INR"))
    funding.validate_new(RUPEES, PaymentMethod.UPI, None)
    funding.validate_new(RUPEES, PaymentMethod.CARD, None)


def test_a_notice_is_one_change_with_one_event() -> None:
    cards = by_id(
        a_source(expires_on=date(2026, 4, 1), brand="visa", last4="4242"),
        a_source(source_id="card-2", expires_on=date(2026, 3, 15)),
    )
    before, told, timers = account("card-1", "card-2"), [], []
    while change := funding.noticed(before, cards, NOON):
        before = change.after
        cards |= by_id(*(r for r in change.records if isinstance(r, FundingSource)))
        told += [(event.type, event.data) for event in change.events]
        timers.append([timer.due_at.date() for timer in change.timers_set])
    assert [(data["source"], data["days_left"], data["is_default"]) for _, data in told] == [
        ("card-1", 18, True),
        ("card-2", 1, False),
    ]
    assert {type_ for type_, _ in told} == {EventType.FUNDING_SOURCE_EXPIRING}
    assert timers == [[], [date(2026, 3, 25)]]
    assert funding.noticed(before, cards, NOON + timedelta(days=10)) is None
    assert funding.noticed(before, cards, NOON + timedelta(days=11)) is not None


@pytest.mark.parametrize(
    ("altered", "state", "is_told_what_to_do"),
    [
        pytest.param({}, "active", False, id="active"),
        pytest.param({"state": SourceState.PENDING}, "pending", True, id="pending"),
        pytest.param({"expires_on": date(2026, 3, 14)}, "active", False, id="on its last day"),
        pytest.param({"expires_on": date(2026, 3, 13)}, "expired", True, id="the day after"),
        *(
            pytest.param(
                {"blocked_code": "code", "blocked_group": group}, "blocked", True, id=group.value
            )
            for group in DeclineGroup
            if group.blocks_source
        ),
    ],
)
def test_what_is_shown_says_what_can_be_done(
    altered: dict[str, Any], state: str, is_told_what_to_do: bool
) -> None:
    shown = source_json(account("card-1"), a_source(**altered), NOON)
    assert shown["state"] == state
    assert (shown["message"] is not None) == is_told_what_to_do
    assert (shown["is_default"], shown["position"]) == (True, 1)
    assert "tok_success" not in str(shown)
