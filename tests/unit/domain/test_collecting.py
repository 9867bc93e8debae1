"""Each step of a recharge is one Change, named by its ordinal and attempt, and repeatable."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from billing.domain import collecting, settling
from billing.domain.account import Account, AccountRef
from billing.domain.change import Change
from billing.domain.collecting import Intent
from billing.domain.collecting_steps import CHECK_AFTER
from billing.domain.declines import (
    RETRY_GAPS,
    SCHEME_DAY,
    SCHEME_DECLINES,
    SCHEME_DECLINES_A_DAY,
    SCHEME_WINDOW,
    DeclineGroup,
)
from billing.domain.ledger import WALLET, EntryKind
from billing.domain.payments import NextAction, PaymentMethod
from billing.domain.recharge_balance import CYCLE, covered_micros
from billing.domain.recharge_shown import recharge_json
from billing.domain.recharging import (
    Collected,
    DueReason,
    Every,
    OpenRecharge,
    RechargeMode,
    RechargePolicy,
    RechargeReason,
    Recharging,
    SuspendedReason,
)
from billing.domain.records import (
    EventType,
    FundingSource,
    Operation,
    OperationState,
    Payment,
    Purpose,
    PurposeKind,
    Recharge,
    RechargeState,
    SourceState,
    Timer,
    TimerKind,
)
from billing.domain.sources import UPI_LIMIT_MICROS, Askable
from builders import (
    ACME,
    NOON,
    USD,
    a_source,
    an_account,
    an_audit_record,
    an_intent,
    an_operation,
)

LATER = NOON + timedelta(minutes=1)
SECOND = timedelta(seconds=1)
POLICY = RechargePolicy(RechargeMode.FIXED, 10 * USD, amount_micros=20 * USD)
ASKED = an_operation(operation_id="asked", state=OperationState.PENDING, answer=None)
FIRST, SECOND_CARD, THIRD = (a_source(source_id=f"card-{number}") for number in (1, 2, 3))
RETRY_LATER = DeclineGroup.RETRY_LATER


def account(wallet_micros: int = 0, **altered: Any) -> Account:
    recharging = replace(Recharging(POLICY, default_source_id="card-1"), **altered)
    return an_account(wallet_micros=wallet_micros, recharging=recharging).next_version()


def by_id(*sources: FundingSource) -> Mapping[str, FundingSource]:
    return {source.source_id: source for source in sources}


def intend(state: Account, requested: Operation | None = None, *sources: FundingSource) -> Change:
    reason = RechargeReason.REQUESTED if requested else RechargeReason.AUTOMATIC
    intent = an_intent(20 * USD, *sources, reason=reason)
    return collecting.intend(state, intent, NOON, requested=requested)


def opened(
    requested: Operation | None = None, *sources: FundingSource, **altered: Any
) -> tuple[Account, Recharge]:
    change = intend(account(**altered), requested, *sources)
    return change.after, the_recharge(change)


def captured(
    state: Account,
    recharge: Recharge,
    payment_id: str = "pay-1",
    number: int | None = None,
    at: datetime = LATER,
) -> Change:
    number = number or recharge.attempt.number
    change = settling.settle_captured(state, recharge, number, payment_id, at)
    assert change is not None
    return change


def declined(
    state: Account,
    recharge: Recharge,
    *sources: FundingSource,
    code: str = "insufficient_funds",
    group: DeclineGroup = RETRY_LATER,
    at: datetime = LATER,
) -> Change:
    known = by_id(*(sources or (FIRST,)))
    return settling.settle_declined(state, recharge, code, group, known, at)


def left_unknown(state: Account, recharge: Recharge, at: datetime = LATER) -> Change | None:
    return collecting.leave_open(state, recharge, at, state=RechargeState.UNKNOWN)


def the_recharge(change: Change) -> Recharge:
    (recharge,) = (record for record in change.records if isinstance(record, Recharge))
    return recharge


def the_source(change: Change) -> FundingSource:
    (source,) = (record for record in change.records if isinstance(record, FundingSource))
    return source


def told(change: Change) -> list[EventType]:
    return [event.type for event in change.events]


# The intent


def test_an_intent_is_committed_before_any_money_moves() -> None:
    change = intend(account())
    assert change.after.wallet_micros == 0
    assert change.entries == ()
    assert covered_micros(change.after, NOON) == 20 * USD
    recharge = the_recharge(change)
    assert (recharge.ordinal, recharge.state, recharge.reason) == (
        1, RechargeState.PENDING, RechargeReason.AUTOMATIC,
    )  # fmt: skip
    assert recharge.amount_micros == 20 * USD
    assert (recharge.attempt.source_id, recharge.attempt.gateway) == ("card-1", "sandbox")
    assert change.after.recharging.opened == (
        OpenRecharge(1, 20 * USD, "card-1", NOON, check_at=NOON + CHECK_AFTER),
    )


def test_an_automatic_intent_is_named_by_its_ordinal() -> None:
    change = intend(account(ordinal=6))
    assert change.operation is not None
    assert change.operation.operation_id == "main/recharge/7/intend"
    assert change.operation.state is OperationState.SUCCEEDED


def test_every_recharge_takes_the_next_ordinal_beside_those_that_are_open() -> None:
    state, _ = opened()
    following = intend(state, None, SECOND_CARD)
    assert [one.ordinal for one in following.after.recharging.opened] == [1, 2]
    assert following.after.recharging.ordinal == 2


def test_an_intent_keeps_a_timer_of_its_own_until_it_is_settled() -> None:
    change = intend(account(wallet_micros=50 * USD))
    assert change.timers_set == (Timer(TimerKind.PAYMENT, ACME, NOON + CHECK_AFTER),)
    settled = captured(change.after, the_recharge(change))
    assert settled.timers_cleared == (TimerKind.PAYMENT,)


def test_an_intent_that_is_enough_clears_the_recharge_timer() -> None:
    change = intend(account(due_at=NOON, due_reason=DueReason.LOW))
    assert change.timers_cleared == (TimerKind.RECHARGE,)
    assert change.after.recharging.due_at is None


def test_a_gateways_key_names_tenant_account_recharge_and_attempt() -> None:
    def key(ref: AccountRef, ordinal: int) -> str:
        state = account(ordinal=ordinal - 1)
        return the_recharge(intend(replace(state, ref=ref))).attempt.idempotency_key

    assert key(ACME, 1) == "recharge/acme/main/1/1"
    others = [
        key(replace(ACME, tenant_id="other"), 1),
        key(replace(ACME, account_id="other"), 1),
        key(ACME, 2),
    ]
    assert len({key(ACME, 1), *others}) == 4


def test_a_requested_intent_writes_the_pending_operation_and_who_asked() -> None:
    audit = an_audit_record(operation_id="asked")
    intent = an_intent(reason=RechargeReason.REQUESTED)
    change = collecting.intend(account(), intent, NOON, requested=ASKED, audit=audit)
    assert change.operation is not None
    assert (change.operation.operation_id, change.operation.state) == (
        "asked", OperationState.PENDING,
    )  # fmt: skip
    assert change.operation.answer == recharge_json(the_recharge(change))
    assert audit in change.records
    assert the_recharge(change).reason is RechargeReason.REQUESTED


def test_a_one_off_payment_has_no_source_and_its_gateway_all_the_same() -> None:
    intent = Intent(20 * USD, RechargeReason.REQUESTED, (), "sandbox", PaymentMethod.UPI)
    change = collecting.intend(account(), intent, NOON, requested=ASKED)
    attempt = the_recharge(change).attempt
    assert (attempt.source_id, attempt.gateway, attempt.method) == (
        "", "sandbox", PaymentMethod.UPI,
    )  # fmt: skip


# What automatic recharge would intend


def intended(state: Account, *sources: FundingSource, at: datetime = NOON) -> Intent | None:
    found = collecting.automatic(state, by_id(*sources), at)
    assert found is None or isinstance(found, Intent)
    return found


def asked(state: Account, *sources: FundingSource, at: datetime = NOON) -> list[str]:
    """Who would be asked, in order."""
    found = collecting.automatic(state, by_id(*sources), at)
    assert found is not None
    return [source.source_id for source in found.sources]


WITH_BACKUPS: dict[str, Any] = {"backup_source_ids": ("card-2", "card-3")}


def test_the_default_is_asked_first_and_then_each_backup_in_its_order() -> None:
    cards = (THIRD, SECOND_CARD, FIRST)
    assert asked(account(**WITH_BACKUPS), *cards) == ["card-1", "card-2", "card-3"]
    turned = account(backup_source_ids=("card-3", "card-2"))
    assert asked(turned, *cards) == ["card-1", "card-3", "card-2"]
    assert asked(account(), *cards) == ["card-1"], "a card that is no backup is never asked"


@pytest.mark.parametrize(
    "altered",
    [
        pytest.param({"blocked_code": "stolen_card"}, id="is blocked"),
        pytest.param({"state": SourceState.PENDING}, id="is not saved yet"),
        pytest.param({"state": SourceState.REMOVED}, id="was removed"),
        pytest.param({"expires_on": NOON.date() - timedelta(days=1)}, id="has expired"),
    ],
)
def test_a_source_is_passed_over_that(altered: dict[str, Any]) -> None:
    unusable = replace(FIRST, **altered)
    assert asked(account(**WITH_BACKUPS), unusable, SECOND_CARD) == ["card-2"]
    found = collecting.automatic(account(), by_id(unusable), NOON)
    assert found == Askable((), 0, is_hopeless=True)


def test_a_card_may_be_asked_on_its_last_valid_day() -> None:
    assert asked(account(), replace(FIRST, expires_on=NOON.date())) == ["card-1"]


def test_a_source_that_is_being_asked_is_left_alone_and_its_backup_helps() -> None:
    state, _ = opened(**WITH_BACKUPS)
    state = replace(state, wallet_micros=-30 * USD)
    assert asked(state, FIRST, SECOND_CARD) == ["card-2"]
    found = collecting.automatic(state, by_id(FIRST), NOON)
    assert found == Askable((), 0), "nobody now, and not without hope"


@pytest.mark.parametrize(
    ("declines", "ago", "is_asked"),
    [
        pytest.param(SCHEME_DECLINES_A_DAY - 1, SECOND, True, id="one below the day's limit"),
        pytest.param(SCHEME_DECLINES_A_DAY, SECOND, False, id="the day's limit"),
        pytest.param(SCHEME_DECLINES_A_DAY, SCHEME_DAY, True, id="the day's limit, a day later"),
        pytest.param(SCHEME_DECLINES - 1, SCHEME_DAY, True, id="one below the month's limit"),
        pytest.param(SCHEME_DECLINES, SCHEME_DAY, False, id="the month's limit"),
        pytest.param(SCHEME_DECLINES, SCHEME_WINDOW, True, id="the month's limit, 30 days later"),
    ],
)
def test_card_schemes_limit_how_often_a_card_is_declined(
    declines: int, ago: timedelta, is_asked: bool
) -> None:
    card = replace(FIRST, declined_at=(NOON - ago,) * declines)
    assert asked(account(), card) == (["card-1"] if is_asked else [])


A_MANDATE = replace(SECOND_CARD, method=PaymentMethod.UPI, source_id="upi-1")


def test_a_mandate_is_asked_for_no_more_than_it_allows() -> None:
    policy = replace(POLICY, amount_micros=2 * UPI_LIMIT_MICROS)
    state = account(50 * USD, policy=policy, default_source_id="upi-1")
    state = replace(state, wallet_micros=9 * USD)
    found = intended(state, A_MANDATE)
    assert found is not None
    assert found.amount_micros == UPI_LIMIT_MICROS
    own = replace(A_MANDATE, limit_micros=5 * USD)
    found = intended(state, own)
    assert found is not None
    assert found.amount_micros == 5 * USD


def test_a_backup_that_would_not_allow_the_amount_is_not_asked_for_it() -> None:
    policy = replace(POLICY, amount_micros=2 * UPI_LIMIT_MICROS)
    state = account(policy=policy, backup_source_ids=("upi-1", "card-3"))
    assert asked(state, FIRST, A_MANDATE, THIRD) == ["card-1", "card-3"]


def test_a_wallet_that_would_not_last_until_a_debit_comes_asks_the_card_first() -> None:
    policy = replace(POLICY, threshold_micros=300 * USD)
    recharging = {
        "policy": policy, "default_source_id": "upi-1", "backup_source_ids": ("card-1",),
    }  # fmt: skip
    # Seven dollars over seven days: a dollar and a half until it comes.
    spend = ((NOON.date() - timedelta(days=1), 7 * USD),)
    lasting = replace(account(1_500_001, **recharging), daily_spend=spend)
    assert asked(lasting, A_MANDATE, FIRST) == ["upi-1", "card-1"]
    short = replace(lasting, wallet_micros=1_500_000)
    assert asked(short, A_MANDATE, FIRST) == ["card-1", "upi-1"]


# Success


def test_a_capture_credits_the_wallet_once_by_one_entry() -> None:
    state, recharge = opened()
    change = captured(state, recharge)
    (entry,) = change.entries
    assert (entry.kind, entry.debit, entry.credit) == (
        EntryKind.RECHARGE, "gateway:sandbox", WALLET,
    )  # fmt: skip
    assert change.after.wallet_micros == entry.amount_micros == 20 * USD
    assert change.after.recharging.opened == ()
    assert (
        Payment(
            ACME, "sandbox", "pay-1", 20 * USD, "USD", 1, LATER,
            source_id="card-1", credited_by="main/payment/sandbox/pay-1",
        )
        in change.records
    )  # fmt: skip
    settled = the_recharge(change)
    assert (settled.state, settled.attempt.payment_id, settled.settled_at) == (
        RechargeState.SUCCEEDED, "pay-1", LATER,
    )  # fmt: skip
    assert told(change) == [EventType.RECHARGE_SUCCEEDED]


def test_a_capture_above_the_threshold_leaves_no_timer() -> None:
    state, recharge = opened(due_at=NOON, due_reason=DueReason.LOW)
    after = captured(state, recharge).after.recharging
    assert (after.due_at, after.next_check_at) == (None, None)


def test_a_capture_that_is_not_enough_leaves_the_timer() -> None:
    change = intend(account(wallet_micros=-30 * USD, due_at=NOON, due_reason=DueReason.LOW))
    settled = captured(change.after, the_recharge(change))
    assert (settled.timers_set, settled.timers_cleared) == ((), (TimerKind.PAYMENT,))
    assert settled.after.recharging.due_at == NOON


def test_a_replayed_settle_is_the_same_operation_with_the_same_body() -> None:
    state, recharge = opened()
    once = captured(state, recharge).operation
    moved_on = replace(state, version=9, wallet_micros=5)
    again = captured(moved_on, recharge, at=LATER + timedelta(hours=1)).operation
    assert once is not None
    assert again is not None
    assert (once.operation_id, once.body_hash) == (again.operation_id, again.body_hash)
    assert once.operation_id == "main/payment/sandbox/pay-1"


def test_a_payment_that_is_credited_already_is_nothing_to_do() -> None:
    state, recharge = opened()
    change = captured(state, recharge)
    assert settling.settle_captured(change.after, the_recharge(change), 1, "pay-1", LATER) is None


def test_the_same_payment_for_another_recharge_is_the_same_operation_with_another_body() -> None:
    state, recharge = opened()
    once = captured(state, recharge).operation
    other = captured(state, replace(recharge, ordinal=2)).operation
    assert once is not None
    assert other is not None
    assert once.operation_id == other.operation_id
    assert once.body_hash != other.body_hash


def test_two_payments_the_gateway_has_for_one_attempt_are_both_credited() -> None:
    state, recharge = opened()
    once = captured(state, recharge)
    twice = captured(once.after, the_recharge(once), "pay-2")
    assert twice.after.wallet_micros == 2 * recharge.amount_micros


def test_a_capture_that_comes_to_light_after_the_recharge_was_given_up_is_credited() -> None:
    state, recharge = opened()
    given_up = declined(state, recharge, code="never_charged")
    late = captured(given_up.after, the_recharge(given_up))
    assert late.after.wallet_micros == recharge.amount_micros
    settled = the_recharge(late)
    assert (settled.state, settled.attempt.failure_code) == (RechargeState.SUCCEEDED, None)
    assert late.operation != given_up.operation


def test_a_late_capture_leaves_the_next_recharge_open() -> None:
    state, recharge = opened()
    given_up = declined(state, recharge, code="never_charged")
    following = collecting.intend(given_up.after, an_intent(25 * USD), LATER)
    late = captured(following.after, the_recharge(given_up))
    assert late.after.recharging.opened == following.after.recharging.opened
    assert late.after.wallet_micros == recharge.amount_micros


def test_a_late_capture_beside_another_attempt_leaves_that_open_and_both_are_credited() -> None:
    cards = (FIRST, SECOND_CARD)
    state, recharge = opened(None, *cards)
    moved_on = declined(state, recharge, *cards, code="never_charged")
    late = captured(moved_on.after, the_recharge(moved_on), number=1)
    assert late.after.recharging.opened == moved_on.after.recharging.opened
    assert [attempt.state for attempt in the_recharge(late).attempts] == [
        RechargeState.SUCCEEDED, RechargeState.PENDING,
    ]  # fmt: skip
    assert the_recharge(late).state is RechargeState.PENDING
    both = captured(late.after, the_recharge(late), "pay-2", number=2)
    assert both.after.wallet_micros == 2 * recharge.amount_micros
    assert both.after.recharging.opened == ()
    assert the_recharge(both).state is RechargeState.SUCCEEDED


def test_after_a_late_capture_nobody_else_is_asked_and_nothing_has_failed() -> None:
    cards = (FIRST, SECOND_CARD, THIRD)
    state, recharge = opened(ASKED, *cards)
    moved_on = declined(state, recharge, *cards, code="never_charged")
    late = captured(moved_on.after, the_recharge(moved_on), number=1)
    closed = declined(late.after, the_recharge(late), *cards)
    settled = the_recharge(closed)
    assert (settled.state, len(settled.attempts)) == (RechargeState.SUCCEEDED, 2)
    assert closed.after.recharging.opened == ()
    assert closed.after.recharging.declines == 0
    assert EventType.RECHARGE_FAILED not in told(closed)
    assert closed.finished is not None
    assert closed.finished.state is OperationState.SUCCEEDED


def test_a_success_forgets_the_declines_and_lifts_a_suspension() -> None:
    stopped = {
        "declines": 5, "suspended_at": NOON, "suspended_reason": SuspendedReason.DECLINED,
        "retry_at": NOON,
    }  # fmt: skip
    state, recharge = opened(ASKED, **stopped)
    after = captured(state, recharge).after.recharging
    assert (after.declines, after.suspended_at, after.suspended_reason, after.retry_at) == (
        0, None, None, None,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("group", "is_freed"),
    [
        pytest.param(DeclineGroup.CUSTOMER_ACTION, True, id="a card its customer had to approve"),
        pytest.param(DeclineGroup.NEW_SOURCE, True, id="a card that had to be replaced"),
        pytest.param(DeclineGroup.NEVER, False, id="but never one that may never be asked"),
    ],
)
def test_whoever_pays_may_be_asked_again(group: DeclineGroup, is_freed: bool) -> None:
    state, recharge = opened()
    blocked = replace(FIRST, blocked_code="no", blocked_group=group)
    change = settling.settle_captured(state, recharge, 1, "pay-1", LATER, blocked)
    assert change is not None
    sources = [record for record in change.records if isinstance(record, FundingSource)]
    assert sources == ([FIRST] if is_freed else [])


# The month


MARCH, APRIL = NOON.date().replace(day=1), NOON.date().replace(month=4, day=1)


def test_an_automatic_payment_counts_in_its_month_from_its_intent_and_a_failed_one_does_not() -> (
    None
):
    state, recharge = opened(collected=Collected(MARCH, 5 * USD))
    assert state.recharging.collected == Collected(MARCH, 25 * USD)
    assert captured(state, recharge).after.recharging.collected == Collected(MARCH, 25 * USD)
    assert declined(state, recharge).after.recharging.collected == Collected(MARCH, 5 * USD)


def test_a_payment_somebody_asked_for_is_not_automatic_recharges() -> None:
    state, recharge = opened(ASKED)
    assert state.recharging.collected is None
    assert captured(state, recharge).after.recharging.collected is None


def test_a_month_that_is_over_is_forgotten_and_a_failure_of_its_own_takes_nothing_away() -> None:
    state, recharge = opened()
    april = datetime(2026, 4, 1, tzinfo=UTC)
    other = collecting.intend(state, an_intent(7 * USD, SECOND_CARD), april).after
    assert other.recharging.collected == Collected(APRIL, 7 * USD)
    failed = declined(other, recharge, at=april + SECOND)
    assert failed.after.recharging.collected == Collected(APRIL, 7 * USD)


def test_a_late_capture_counts_as_well() -> None:
    state, recharge = opened()
    given_up = declined(state, recharge, code="never_charged")
    assert given_up.after.recharging.collected is None
    late = captured(given_up.after, the_recharge(given_up))
    assert late.after.recharging.collected == Collected(MARCH, 20 * USD)


def test_a_calendars_day_is_done_when_its_payment_is_begun() -> None:
    policy = RechargePolicy(RechargeMode.CALENDAR, amount_micros=USD, every=Every.WEEK, day=6)
    # Set two Saturdays ago, and collected on neither.
    state = account(policy=policy, calendar_after=NOON.date() - timedelta(days=14))
    intent = an_intent(USD, reason=RechargeReason.CALENDAR)
    after = collecting.intend(state, intent, NOON).after.recharging
    assert after.calendar_after == NOON.date()
    assert after.due_at == NOON.replace(hour=0) + timedelta(days=7)


# Decline


def test_a_decline_moves_nothing_and_counts() -> None:
    state, recharge = opened(declines=1)
    change = declined(state, recharge)
    assert (change.entries, change.after.wallet_micros) == ((), 0)
    assert change.after.recharging.opened == ()
    assert change.after.recharging.declines == 2
    settled = the_recharge(change)
    assert (settled.state, settled.attempt.failure_code, settled.settled_at) == (
        RechargeState.FAILED, "insufficient_funds", LATER,
    )  # fmt: skip
    assert settled.attempt.failure_group is RETRY_LATER
    assert told(change) == [EventType.RECHARGE_FAILED, EventType.RECHARGE_SCHEDULED]
    assert the_source(change).declined_at == (LATER,)


@pytest.mark.parametrize(
    ("failures", "gap"),
    [
        pytest.param(1, timedelta(hours=4), id="the first waits four hours"),
        pytest.param(2, timedelta(days=1), id="the second a day"),
        pytest.param(3, timedelta(days=3), id="the third three days"),
        pytest.param(4, timedelta(days=7), id="the fourth a week"),
    ],
)
def test_a_failure_is_tried_again_after_a_growing_gap(failures: int, gap: timedelta) -> None:
    state, recharge = opened(declines=failures - 1)
    change = declined(state, recharge)
    after = change.after.recharging
    assert (after.declines, after.retry_at, after.suspended_at) == (failures, LATER + gap, None)
    assert (after.due_at, after.due_reason) == (LATER + gap, DueReason.RETRY)
    assert change.events[0].data["retry_at"] == (LATER + gap).isoformat()
    assert collecting.automatic(change.after, by_id(FIRST), LATER + gap - SECOND) is None
    assert asked(change.after, FIRST, at=LATER + gap) == ["card-1"]


def test_the_fifth_failure_tells_of_the_suspension_and_leaves_no_timer() -> None:
    state, recharge = opened(declines=len(RETRY_GAPS))
    change = declined(state, recharge)
    assert told(change) == [EventType.RECHARGE_FAILED, EventType.RECHARGE_SUSPENDED]
    after = change.after.recharging
    assert (after.suspended_at, after.suspended_reason) == (LATER, SuspendedReason.DECLINED)
    assert (after.due_at, after.next_check_at) == (None, None)
    assert collecting.automatic(change.after, by_id(FIRST), LATER) is None


def test_a_suspension_is_told_once() -> None:
    state, recharge = opened(declines=5, suspended_at=NOON)
    assert told(declined(state, recharge)) == [EventType.RECHARGE_FAILED]


def test_a_decline_somebody_asked_for_does_not_count_towards_suspension() -> None:
    state, recharge = opened(ASKED, declines=len(RETRY_GAPS))
    after = declined(state, recharge).after.recharging
    assert (after.declines, after.retry_at, after.suspended_at) == (len(RETRY_GAPS), None, None)


@pytest.mark.parametrize(
    ("group", "is_blocked"),
    [
        pytest.param(DeclineGroup.RETRY_LATER, False, id="a card that may be asked again is not"),
        pytest.param(DeclineGroup.NEW_SOURCE, True, id="a card that has to be replaced is"),
        pytest.param(DeclineGroup.NEVER, True, id="a stolen card is"),
        pytest.param(DeclineGroup.CUSTOMER_ACTION, True, id="a card that waits for its holder is"),
    ],
)
def test_what_a_decline_blocks(group: DeclineGroup, is_blocked: bool) -> None:
    state, recharge = opened()
    change = declined(state, recharge, code="no", group=group)
    source = the_source(change)
    assert (source.blocked_code, source.blocked_group) == (
        ("no", group) if is_blocked else (None, None)
    )
    assert (EventType.FUNDING_SOURCE_BLOCKED in told(change)) is is_blocked


@pytest.mark.parametrize(
    ("group", "reason"),
    [
        (DeclineGroup.NEW_SOURCE, SuspendedReason.NEW_SOURCE_NEEDED),
        (DeclineGroup.NEVER, SuspendedReason.NEW_SOURCE_NEEDED),
        (DeclineGroup.CUSTOMER_ACTION, SuspendedReason.CUSTOMER_ACTION_NEEDED),
    ],
)
def test_where_nobody_is_left_to_ask_it_is_suspended_at_once(
    group: DeclineGroup, reason: SuspendedReason
) -> None:
    state, recharge = opened()
    change = declined(state, recharge, group=group)
    after = change.after.recharging
    assert (after.suspended_at, after.suspended_reason, after.retry_at) == (LATER, reason, None)
    assert EventType.RECHARGE_SUSPENDED in told(change)


def test_a_card_that_is_blocked_leaves_the_retry_to_a_backup_that_only_lacked_money() -> None:
    cards = (FIRST, SECOND_CARD)
    state, recharge = opened(None, *cards, backup_source_ids=("card-2",))
    moved_on = declined(state, recharge, *cards, group=DeclineGroup.NEVER)
    known = (the_source(moved_on), SECOND_CARD)
    failed = declined(moved_on.after, the_recharge(moved_on), *known)
    after = failed.after.recharging
    assert (after.suspended_at, after.retry_at) == (None, LATER + RETRY_GAPS[0])
    known = (known[0], the_source(failed))
    assert asked(failed.after, *known, at=LATER + RETRY_GAPS[0]) == ["card-2"]


def test_a_hopeless_account_is_suspended_by_the_sweep_that_finds_it() -> None:
    change = collecting.suspend_hopeless(account(due_at=NOON, due_reason=DueReason.LOW), LATER)
    after = change.after.recharging
    assert (after.suspended_at, after.suspended_reason, after.due_at) == (
        LATER, SuspendedReason.NEW_SOURCE_NEEDED, None,
    )  # fmt: skip
    assert told(change) == [EventType.RECHARGE_SUSPENDED]
    assert change.timers_cleared == (TimerKind.RECHARGE,)


# Backups


def test_a_decline_and_the_next_attempt_are_one_change_under_a_key_of_its_own() -> None:
    cards = (FIRST, SECOND_CARD, THIRD)
    state, recharge = opened(None, *cards)
    change = declined(state, recharge, *cards)
    following = the_recharge(change)
    assert [(one.number, one.source_id, one.state) for one in following.attempts] == [
        (1, "card-1", RechargeState.FAILED),
        (2, "card-2", RechargeState.PENDING),
    ]
    assert following.attempt.idempotency_key == "recharge/acme/main/1/2"
    assert (following.state, following.settled_at) == (RechargeState.PENDING, None)
    assert change.after.recharging.opened == (
        OpenRecharge(1, 20 * USD, "card-2", LATER, check_at=LATER + CHECK_AFTER),
    )
    assert change.timers_set == (Timer(TimerKind.PAYMENT, ACME, LATER + CHECK_AFTER),)
    assert (change.after.recharging.declines, told(change)) == (0, [])


def test_only_after_the_last_backup_has_a_recharge_failed_and_it_is_one_failure() -> None:
    cards = (FIRST, SECOND_CARD, THIRD)
    state, recharge = opened(None, *cards)
    asked_in_order = []
    change = None
    for _ in cards:
        asked_in_order.append(recharge.attempt.source_id)
        change = declined(state, recharge, *cards)
        state, recharge = change.after, the_recharge(change)
    assert asked_in_order == ["card-1", "card-2", "card-3"]
    assert (recharge.state, state.recharging.declines) == (RechargeState.FAILED, 1)
    assert change is not None
    assert EventType.RECHARGE_FAILED in told(change)


@pytest.mark.parametrize(
    "altered",
    [
        pytest.param({"blocked_code": "stolen_card"}, id="was blocked meanwhile"),
        pytest.param({"state": SourceState.REMOVED}, id="was removed meanwhile"),
        pytest.param(
            {"declined_at": (NOON,) * SCHEME_DECLINES_A_DAY}, id="reached its limit meanwhile"
        ),
    ],
)
def test_a_backup_is_passed_over_that(altered: dict[str, Any]) -> None:
    cards = (FIRST, SECOND_CARD, THIRD)
    state, recharge = opened(None, *cards)
    change = declined(state, recharge, FIRST, replace(SECOND_CARD, **altered), THIRD)
    assert the_recharge(change).attempt.source_id == "card-3"


def test_a_backup_that_another_payment_is_asking_is_passed_over() -> None:
    cards = (FIRST, SECOND_CARD, THIRD)
    state, recharge = opened(None, *cards)
    state = intend(state, None, SECOND_CARD).after
    change = declined(state, recharge, *cards)
    assert the_recharge(change).attempt.source_id == "card-3"


def test_a_backup_that_pays_settles_the_recharge() -> None:
    cards = (FIRST, SECOND_CARD)
    state, recharge = opened(ASKED, *cards)
    moved_on = declined(state, recharge, *cards)
    change = captured(moved_on.after, the_recharge(moved_on))
    settled = the_recharge(change)
    assert (settled.state, change.after.wallet_micros) == (RechargeState.SUCCEEDED, 20 * USD)
    assert [one.state for one in settled.attempts] == [
        RechargeState.FAILED, RechargeState.SUCCEEDED,
    ]  # fmt: skip
    (payment,) = (record for record in change.records if isinstance(record, Payment))
    assert payment.source_id == "card-2"


# No answer yet


def test_an_unanswered_charge_stays_open_and_says_so_once() -> None:
    state, recharge = opened()
    change = left_unknown(state, recharge)
    assert change is not None
    assert covered_micros(change.after, LATER) == 20 * USD
    assert change.after.wallet_micros == 0
    assert change.after.recharging.opened[0].is_unknown
    assert the_recharge(change).state is RechargeState.UNKNOWN
    assert told(change) == [EventType.RECHARGE_UNKNOWN]
    assert left_unknown(change.after, the_recharge(change), LATER + CYCLE) is None


def test_an_unanswered_charge_keeps_the_timer_that_looks_after_it() -> None:
    state, recharge = opened()
    change = left_unknown(state, recharge, NOON + timedelta(hours=1))
    assert change is not None
    assert TimerKind.PAYMENT not in change.timers_cleared
    assert change.after.recharging.next_check_at == NOON + CHECK_AFTER


def test_an_unanswered_charge_that_nobody_looks_after_gets_a_timer() -> None:
    # Open since before payments had timers of their own.
    state, recharge = opened()
    (one,) = state.recharging.opened
    older = replace(one, check_at=None, is_unknown=True)
    state = replace(state, recharging=replace(state.recharging, opened=(older,)))
    change = left_unknown(state, replace(recharge, state=RechargeState.UNKNOWN))
    assert change is not None
    assert change.timers_set == (Timer(TimerKind.PAYMENT, ACME, LATER + CHECK_AFTER),)


def test_an_unknown_recharge_can_still_settle_either_way() -> None:
    state, recharge = opened()
    unknown = left_unknown(state, recharge)
    assert unknown is not None
    paid = captured(unknown.after, the_recharge(unknown))
    failed = declined(unknown.after, the_recharge(unknown), code="never_charged")
    assert (paid.after.wallet_micros, failed.after.wallet_micros) == (20 * USD, 0)


def processing(state: Account, recharge: Recharge, at: datetime) -> Change | None:
    return collecting.leave_open(
        state,
        recharge,
        at,
        state=RechargeState.PROCESSING,
        payment_id="pay-1",
        expected_at=LATER + timedelta(hours=36),
    )


def test_a_slow_payment_is_looked_at_when_it_should_be_known_and_then_once_a_cycle() -> None:
    change = intend(account(wallet_micros=USD))
    expected_at = LATER + timedelta(hours=36)
    slow = processing(change.after, the_recharge(change), LATER)
    assert slow is not None
    assert told(slow) == [EventType.RECHARGE_PROCESSING]
    assert slow.timers_set == (Timer(TimerKind.PAYMENT, ACME, expected_at),)
    assert the_recharge(slow).attempt.payment_id == "pay-1"
    assert processing(slow.after, the_recharge(slow), expected_at - SECOND) is None
    late = processing(slow.after, the_recharge(slow), expected_at)
    assert late is not None
    assert late.after.recharging.next_check_at == expected_at + CYCLE
    assert told(late) == []


def test_a_debit_that_turns_out_to_be_slow_lets_a_card_help_an_empty_wallet() -> None:
    state, recharge = opened()
    slow = processing(state, recharge, LATER)
    assert slow is not None
    assert told(slow) == [EventType.RECHARGE_PROCESSING, EventType.RECHARGE_SCHEDULED]
    assert slow.after.recharging.due_reason is DueReason.LOW


def test_a_payment_that_waits_for_its_customer_says_what_to_do_and_until_when() -> None:
    state, recharge = opened(ASKED)
    action = NextAction("upi", "upi://pay?am=20", "upi://pay?am=20")
    until = LATER + timedelta(minutes=10)
    change = collecting.leave_open(
        state, recharge, LATER,
        state=RechargeState.ACTION_NEEDED, payment_id="pay-1", expected_at=until,
        next_action=action,
    )  # fmt: skip
    assert change is not None
    assert told(change)[0] is EventType.RECHARGE_ACTION_NEEDED
    assert change.after.recharging.opened[0].is_waiting
    assert change.after.recharging.next_check_at == until
    assert change.finished is not None
    assert change.finished.state is OperationState.PENDING
    assert isinstance(change.finished.answer, dict)
    assert change.finished.answer["next_action"] == action.to_json()
    assert change.finished.answer["next_action_expires_at"] == until.isoformat()


# Time alone


def test_a_timer_that_stands_for_nothing_any_more_is_cleared() -> None:
    stale = account(wallet_micros=50 * USD, due_at=NOON, due_reason=DueReason.TOMORROW)
    change = collecting.relevel(stale, LATER)
    assert change is not None
    assert change.timers_cleared == (TimerKind.RECHARGE,)
    assert collecting.relevel(change.after, LATER) is None


def test_a_retry_that_stands_is_left_as_it_is() -> None:
    state, recharge = opened()
    assert collecting.relevel(declined(state, recharge).after, LATER + SECOND) is None


# The answer of whoever asked


Settle = Callable[[Account, Recharge], Change | None]


@pytest.mark.parametrize(
    ("settle", "state"),
    [
        pytest.param(captured, OperationState.SUCCEEDED, id="succeeded"),
        pytest.param(declined, OperationState.FAILED, id="failed"),
        pytest.param(left_unknown, OperationState.UNKNOWN, id="unknown"),
    ],
)
def test_the_requested_operation_keeps_its_body_and_gets_its_answer(
    settle: Settle, state: OperationState
) -> None:
    change = settle(*opened(ASKED))
    assert change is not None
    assert change.finished is not None
    assert (change.finished.operation_id, change.finished.body_hash) == ("asked", ASKED.body_hash)
    assert change.finished.state is state
    assert change.finished.answer == recharge_json(the_recharge(change))
    assert change.operation is not None
    assert change.operation.operation_id != "asked"


def test_an_automatic_recharge_answers_nobody() -> None:
    state, recharge = opened()
    assert captured(state, recharge).finished is None


@pytest.mark.parametrize(
    ("purpose", "shown"),
    [
        (Purpose(PurposeKind.ORDER, "ord_1"), ("ord_1", None)),
        (Purpose(PurposeKind.INVOICE, "000000012"), (None, 12)),
    ],
)
def test_a_recharge_says_what_it_pays_for(
    purpose: Purpose, shown: tuple[str | None, int | None]
) -> None:
    _, recharge = opened()
    told = recharge_json(replace(recharge, purpose=purpose))
    assert (told["order"], told["invoice"]) == shown


def test_a_recharge_is_shown_with_money_as_it_is_outside() -> None:
    _, recharge = opened()
    assert recharge_json(recharge) == {
        "recharge": 1,
        "state": "pending",
        "amount": {"amount": "20.00", "currency": "USD"},
        "reason": "automatic",
        "order": None,
        "invoice": None,
        "source": "card-1",
        "gateway": "sandbox",
        "method": "card",
        "payment_id": None,
        "failure_code": None,
        "expected_at": None,
        "next_action": None,
        "next_action_expires_at": None,
        "attempts": [
            {
                "source": "card-1",
                "gateway": "sandbox",
                "state": "pending",
                "payment_id": None,
                "failure_code": None,
                "failure_group": None,
                "started_at": "2026-03-14T12:00:00+00:00",
            }
        ],
        "started_at": "2026-03-14T12:00:00+00:00",
        "settled_at": None,
    }
