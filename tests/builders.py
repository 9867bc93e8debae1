"""Values for tests: ordinary unless told otherwise, and the same every time."""

import random
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID

from billing.domain import collecting, opening, settling
from billing.domain.account import (
    Account,
    AccountRef,
    LedgerHead,
    PeriodTotals,
    PlanFeatures,
    PlanTerms,
)
from billing.domain.alerting import Alerting
from billing.domain.change import Change
from billing.domain.collecting import Intent
from billing.domain.collecting_steps import CHECK_AFTER
from billing.domain.grants import Grant, RecurringGrant
from billing.domain.ledger import WALLET, EntryKind, post
from billing.domain.posting import RatedUsage, post_usage
from billing.domain.rating import RateDeck, RateTable, Rounding, Terms, rate_usage
from billing.domain.recharging import (
    Collected,
    DueReason,
    Every,
    OpenRecharge,
    OpenRefund,
    RechargeMode,
    RechargePolicy,
    RechargeReason,
    Recharging,
    SuspendedReason,
)
from billing.domain.records import (
    Acceptance,
    AuditRecord,
    ClosedPeriod,
    FundingSource,
    Operation,
    OperationState,
    Recharge,
    Tenant,
)
from billing.domain.spend import SPEND_DAYS, SPEND_HOURS
from billing.domain.units import Direction, Unit
from billing.domain.usage import Call, CallKey, CallStatus, UsageEvent

NOON = datetime(2026, 3, 14, 12, tzinfo=UTC)
ACME = AccountRef("acme", "main")
GLOBEX = AccountRef("globex", "main")
TWILIO_ACCOUNT = "AC" + "0123456789abcdef" * 2
USD = 1_000_000
"""Micros in a dollar."""


def an_account(ref: AccountRef = ACME, now: datetime = NOON, **overrides: Any) -> Account:
    """A new account, not in any book yet: version 0, an empty wallet, 1,000 minutes."""
    minutes = RecurringGrant("minutes", Unit.VOICE_SECONDS, 60_000)
    account = opening.new_account(
        ref,
        currency="USD",
        time_zone="UTC",
        billing_day=1,
        plan=PlanTerms("starter", 1, (minutes,)),
        rate_deck="standard",
        now=now,
    )
    return replace(account, **overrides)


def an_opening(
    account: Account, tenant: Tenant | None = None, operation_id: str = "open"
) -> Change:
    """Opens the account, and its tenant if one is given."""
    operation = an_operation(account.ref, operation_id, now=account.created_at)
    return opening.open_account(account, "Main", operation, tenant, account.created_at)


def an_operation(
    ref: AccountRef = ACME,
    operation_id: str = "op",
    now: datetime = NOON,
    **overrides: Any,
) -> Operation:
    operation = Operation(
        operation_id=operation_id,
        body_hash="b" * 64,
        account=ref,
        state=OperationState.SUCCEEDED,
        answer={"answered": operation_id},
        recorded_at=now,
    )
    return replace(operation, **overrides)


def a_tenant(tenant_id: str = ACME.tenant_id, name: str = "Acme Inc.") -> Tenant:
    return Tenant(tenant_id, name, NOON)


def a_touch(before: Account, operation_id: str, now: datetime = NOON, **parts: Any) -> Change:
    """The smallest Change: an operation and the next version."""
    operation = an_operation(before.ref, operation_id, now)
    return Change(before=before, after=before.next_version(), operation=operation, **parts)


def a_credit(
    before: Account, micros: int, operation_id: str, now: datetime = NOON, **parts: Any
) -> Change:
    """Money into the wallet, without a payment."""
    after, entry = post(
        before,
        kind=EntryKind.RECHARGE,
        cause=operation_id,
        debit="gateway:sandbox",
        credit=WALLET,
        amount_micros=micros,
        now=now,
    )
    operation = an_operation(before.ref, operation_id, now)
    return Change(
        before=before, after=after.next_version(), operation=operation, entries=(entry,), **parts
    )


def a_sid(number: int, prefix: str = "CA") -> str:
    """A Twilio id: random-looking, and the same for the same number."""
    return f"{prefix}{random.Random(number).getrandbits(128):032x}"


def a_call_key(number: int = 1) -> CallKey:
    return CallKey("twilio", TWILIO_ACCOUNT, a_sid(number))


def a_usage_event(number: int = 1, now: datetime = NOON, **overrides: Any) -> UsageEvent:
    """An answered outbound call of 61 seconds that has just ended."""
    event = UsageEvent(
        key=a_call_key(number),
        unit=Unit.VOICE_SECONDS,
        direction=Direction.OUTBOUND,
        from_number="+14155550100",
        to_number=f"+1415555{number % 10_000:04d}",
        status=CallStatus.COMPLETED,
        quantity=61,
        answered_at=now - timedelta(seconds=61),
        ended_at=now,
        connection_id="acme-twilio",
    )
    return replace(event, **overrides)


def a_deck(rate_micros: int = 60_000) -> RateDeck:
    """One price for every number, by the second."""
    everywhere = {"": Terms("World", rate_micros, 0, 1, 1)}
    rates = RateTable({(unit, None): everywhere for unit in Unit})
    return RateDeck("standard", 1, "USD", NOON - timedelta(days=400), Rounding.UP, 6, rates)


def a_posting(
    before: Account,
    events: Sequence[UsageEvent],
    now: datetime = NOON,
    rate_micros: int = 60_000,
) -> Change:
    """The events, rated and posted."""
    deck = a_deck(rate_micros)
    usage = [
        RatedUsage(
            event,
            rate_usage(deck, event.unit, event.direction, event.to_number, event.quantity)
            if event.quantity
            else None,
        )
        for event in events
    ]
    return post_usage(before, usage, now)


def a_call(number: int = 1, ref: AccountRef = ACME, **overrides: Any) -> Call:
    """The record of one call, as a posting to a new account makes it."""
    (call,) = a_posting(an_account(ref).next_version(), [a_usage_event(number)]).calls
    return replace(call, **overrides)


def a_source(ref: AccountRef = ACME, source_id: str = "card-1", **overrides: Any) -> FundingSource:
    source = FundingSource(ref, source_id, "sandbox", "tok_success", "Visa ending in 4242", NOON)
    return replace(source, **overrides)


def an_intent(
    amount_micros: int = 20 * USD,
    *sources: FundingSource,
    reason: RechargeReason = RechargeReason.AUTOMATIC,
) -> Intent:
    """A payment from these sources, in this order; from the first card where none is given."""
    return Intent(amount_micros, reason, sources or (a_source(),))


def a_recharge_change(before: Account, amount_micros: int = 20 * USD) -> Change:
    """The intent of an automatic recharge."""
    return collecting.intend(before, an_intent(amount_micros, a_source(before.ref)), NOON)


def a_settlement(before: Account, recharge: Recharge, payment_id: str = "pay-1") -> Change:
    """The open attempt of a recharge, captured."""
    number = recharge.attempt.number
    change = settling.settle_captured(before, recharge, number, payment_id, NOON)
    assert change is not None
    return change


def a_closed_period(account: Account) -> ClosedPeriod:
    return ClosedPeriod(
        account=account.ref,
        period=account.period,
        totals=account.totals,
        grants=account.grants,
        balance_micros=account.wallet_micros,
        currency=account.currency,
        closed_at=account.period.end_at,
    )


def an_audit_record(ref: AccountRef = ACME, operation_id: str = "op") -> AuditRecord:
    return AuditRecord(
        account=ref,
        operation_id=operation_id,
        actor="auth0|5f7c8ec7c33c6c004bbafe82",
        action="auto_recharge.set",
        acceptance=Acceptance("Zoë", "O'Hara", "2026-01"),
        before={"mode": "off"},
        after={"mode": "target", "target_micros": 50 * USD, "note": None},
        at=NOON,
    )


def a_maximal_account(seed: int = 1) -> Account:
    """As much as the state of an account holds that pays for one write unit: every day's spend,
    four lots, long random ids, and a recharge that a person asked for."""
    dice = random.Random(seed)

    def an_id() -> str:
        return str(UUID(int=dice.getrandbits(128)))

    recurring = tuple(
        RecurringGrant(an_id(), unit, dice.randrange(10**6, 10**7), priority, 36_000)
        for priority, unit in enumerate((*Unit, Unit.VOICE_SECONDS))
    )
    account = an_account(
        AccountRef(an_id(), an_id()),
        version=123_456_789,
        currency="USD",
        time_zone="America/Argentina/ComodRivadavia",
        billing_day=31,
        created_at=_instant(dice),
        plan=PlanTerms(an_id(), 1234, recurring, PlanFeatures(1_000, 10)),
        rate_deck=an_id(),
        wallet_micros=-dice.randrange(10**11),
        head=LedgerHead(87_654_321, f"{dice.getrandbits(256):064x}", _instant(dice)),
        totals=PeriodTotals(12_345, 9_876_543, 234_567, 8_765_432, 198_765, 10**10 + 7),
    )
    lots = tuple(
        Grant(
            grant_id=f"{grant.recurring_id}:20260301",
            unit=grant.unit,
            total=grant.quantity,
            remaining=dice.randrange(grant.quantity),
            priority=grant.priority,
            granted_at=account.period.start_at,
            expires_at=account.period.end_at,
            recurring_id=grant.recurring_id,
        )
        for grant in recurring
    )
    bundle = Grant(
        an_id(), Unit.VOICE_SECONDS, 60_000, 59_999, 50, _instant(dice), None, None, False
    )
    today = date(2026, 3, 14)
    source_id = an_id()
    recharging = Recharging(
        policy=RechargePolicy(
            RechargeMode.TARGET,
            threshold_micros=250 * USD,
            target_micros=1_500 * USD,
            maximum_micros=5_000 * USD,
        ),
        ordinal=4321,
        opened=(
            OpenRecharge(
                4321,
                1_234_560_000,
                source_id,
                started_at := _instant(dice),
                is_unknown=True,
                check_at=started_at + CHECK_AFTER,
                reason=RechargeReason.REQUESTED,
            ),
        ),
        due_at=_instant(dice),
        due_reason=DueReason.LOW,
        declines=2,
        suspended_at=_instant(dice),
        suspended_reason=SuspendedReason.NEW_SOURCE_NEEDED,
        default_source_id=source_id,
    )
    spend = tuple(
        (today - timedelta(days=age), dice.randrange(10**8, 10**10))
        for age in reversed(range(SPEND_DAYS))
    )
    return replace(account, grants=(*lots, bundle), recharging=recharging, daily_spend=spend)


def an_account_with_every_setting(seed: int = 1) -> Account:
    """A maximal account with all there is of recharging: every setting other than its default,
    backups, early recharge, alerts, a card that is not known to have paid, and a debit."""
    dice = random.Random(seed)
    account = a_maximal_account(seed)
    card, *backups = (str(UUID(int=dice.getrandbits(128))) for _ in range(3))
    hour = (NOON - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(hours=1)
    hours = tuple(
        (hour - back, dice.randrange(10**8, 10**10)) for back in reversed(range(SPEND_HOURS))
    )
    recharging = Recharging(
        policy=RechargePolicy(
            mode=RechargeMode.USAGE,
            threshold_micros=250 * USD,
            amount_micros=1_200 * USD,
            target_micros=1_500 * USD,
            maximum_micros=5_000 * USD,
            minimum_micros=25 * USD,
            monthly_cap_micros=90_000 * USD,
            lookback_days=28,
            recharge_days=21,
            reserve_days=5,
            minimum_history_days=3,
            every=Every.MONTH,
            day=28,
            is_early=True,
        ),
        ordinal=4321,
        opened=(
            OpenRecharge(4320, 1_234_560_000, card, _instant(dice), True, None, _instant(dice)),
            OpenRecharge(
                4321,
                987_650_000,
                backups[-1],
                _instant(dice),
                expected_at=_instant(dice),
                check_at=_instant(dice),
            ),
        ),
        due_at=_instant(dice),
        due_reason=DueReason.MONTHLY_CAP,
        declines=4,
        retry_at=_instant(dice),
        suspended_at=_instant(dice),
        suspended_reason=SuspendedReason.CUSTOMER_ACTION_NEEDED,
        default_source_id=card,
        backup_source_ids=tuple(backups),
        notice_hours=36,
        calendar_after=NOON.date(),
        collected=Collected(NOON.date().replace(day=1), 54_321_000_000),
        refunds=(OpenRefund("stripe", f"pi_{dice.getrandbits(128):024x}", 2, _instant(dice)),),
    )
    alerting = Alerting((50, 60, 70, 80, 90), 123_450_000, 14, NOON.date())
    return replace(account, recharging=recharging, hourly_spend=hours, alerting=alerting)


def _instant(dice: random.Random) -> datetime:
    return NOON - timedelta(microseconds=dice.randrange(10**12))
