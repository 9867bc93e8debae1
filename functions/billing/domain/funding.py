"""Funding sources of an account: begun, saved and noticed, each one Change.

A source that may be charged has a place in the account's order: the default, then the backups.
Whatever changes the order levels the recharge timer, and whatever changes who is active levels the
one timer for notices of expiry.
"""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime

from billing.domain.account import Account, Standing
from billing.domain.change import Change
from billing.domain.collecting_steps import leveled, step
from billing.domain.declines import DeclineGroup
from billing.domain.errors import (
    CurrencyMismatchError,
    InvalidInputError,
    TooManySourcesError,
)
from billing.domain.money import Money, minor_units
from billing.domain.payments import PaymentMethod
from billing.domain.recharging import Recharging
from billing.domain.records import (
    AuditRecord,
    Event,
    EventType,
    FundingSource,
    Operation,
    Record,
    SourceState,
    Timer,
    TimerKind,
)
from billing.domain.source_notices import notice_due, notice_timer
from billing.domain.source_shown import source_json, told_json
from billing.domain.sources import UPI_LIMIT_MICROS, UPI_NOTICE_HOURS, is_somebody_new

MAX_SOURCES = 10
"""Sources of one account that are saved or being saved: more than anybody pays with, and few enough
to be read together."""

UPI_CURRENCY = "INR"

REVOKED = "revoked"
"""Why a source is left alone that its customer has taken back."""

Sources = Mapping[str, FundingSource]
"""All of an account's, removed ones too, by id."""


def validate_new(account: Account, method: PaymentMethod, limit: Money | None) -> None:
    """Check what a source is to be.

    Raises:
        InvalidInputError: Names the field. ``method``: UPI pays in INR only. ``limit``: a card has
            none; a mandate's is a positive whole number of paise, and 15,000.00 at the most.
        CurrencyMismatchError: The limit is not in the account's currency.
    """
    if method is PaymentMethod.UPI and account.currency != UPI_CURRENCY:
        raise InvalidInputError("UPI pays in INR only", field="method")
    if limit is None:
        return
    if method is not PaymentMethod.UPI:
        raise InvalidInputError("only a UPI mandate has a limit", field="limit")
    if limit.currency != account.currency:
        raise CurrencyMismatchError(f"the account is in {account.currency}", field="limit/currency")
    if not 0 < limit.micros <= UPI_LIMIT_MICROS:
        most = Money(UPI_LIMIT_MICROS, UPI_CURRENCY)
        raise InvalidInputError(f"a limit is positive, and at most {most}", field="limit")
    try:
        minor_units(limit.micros, limit.currency)
    except InvalidInputError as error:
        raise InvalidInputError(error.detail, field="limit") from error


def begun(
    account: Account,
    source: FundingSource,
    sources: Sources,
    operation: Operation,
    audit: AuditRecord,
    now: datetime,
) -> Change:
    """A source its customer is about to save. It is written before the gateway is asked.

    Args:
        source: Pending. Its id derives from the operation.
        operation: With nothing answered yet.

    Raises:
        TooManySourcesError: The account has as many as it may.
    """
    _require_room(sources)
    answer = source_json(account, source, now)
    return change_of(
        account,
        account.recharging,
        source,
        sources,
        operation=replace(operation, answer=answer),
        now=now,
        records=(audit,),
    )


def setup_known(
    account: Account, source: FundingSource, setup_id: str, customer_token: str, now: datetime
) -> Change | None:
    """The gateway has begun it too; None: that is written already.

    Args:
        source: Pending, as it stands now.
    """
    known = replace(source, setup_id=setup_id, customer_token=customer_token)
    if known == source:
        return None
    operation = step(account, f"source/{source.source_id}/setup/v{account.version}", [], now)
    sources = {source.source_id: source}
    return change_of(account, account.recharging, known, sources, operation=operation, now=now)


def added(
    account: Account,
    source: FundingSource,
    sources: Sources,
    operation: Operation,
    audit: AuditRecord,
    now: datetime,
) -> Change:
    """A source that is saved already: its token came with the request.

    Args:
        source: Active, with its token.
        operation: With nothing answered yet.

    Raises:
        TooManySourcesError: The account has as many as it may.
    """
    _require_room(sources)
    change = _joined(account, source, sources, operation, now, audit)
    answer = source_json(change.after, source, now)
    return replace(change, operation=replace(operation, answer=answer))


def saved(
    account: Account, source: FundingSource, sources: Sources, now: datetime
) -> Change | None:
    """Its customer has finished saving a source; None: the book says so, or it was removed.

    One that came to nothing comes back: the customer has tried once more.

    Args:
        source: With what the gateway says of it, and its state as it stands now.
    """
    is_failed = source.state is SourceState.REMOVED and source.blocked_code is not None
    if source.state is not SourceState.PENDING and not is_failed:
        return None
    active = replace(source, state=SourceState.ACTIVE, blocked_code=None)
    operation = step(account, f"source/{source.source_id}/saved", [], now)
    return _joined(account, active, sources, operation, now)


def failed(account: Account, source: FundingSource, code: str, now: datetime) -> Change | None:
    """Saving a source came to nothing; None: it is not being saved.

    Args:
        code: Why, in the gateway's words; stays with the removed source.
    """
    if source.state is not SourceState.PENDING:
        return None
    gone = replace(source, state=SourceState.REMOVED, blocked_code=code)
    operation = step(account, f"source/{source.source_id}/failed", [], now)
    sources = {source.source_id: source}
    return change_of(account, account.recharging, gone, sources, operation=operation, now=now)


def revoked(
    account: Account, source: FundingSource, sources: Sources, now: datetime
) -> Change | None:
    """Its customer has taken it back at the bank or the gateway: it is left alone from now on.

    None: nobody could charge it anyway, because it is removed, or blocked for something that no new
    source of the same kind would help.
    """
    is_known = source.blocked_code == REVOKED or source.blocked_group is DeclineGroup.NEVER
    if source.state is not SourceState.ACTIVE or is_known:
        return None
    blocked = replace(source, blocked_code=REVOKED, blocked_group=DeclineGroup.NEVER)
    operation = step(account, f"source/{source.source_id}/revoked", [], now)
    told = event_of(account, operation, EventType.FUNDING_SOURCE_BLOCKED, blocked, now)
    return change_of(
        account,
        account.recharging,
        blocked,
        sources,
        operation=operation,
        now=now,
        event=replace(told, data={**told.data, "code": REVOKED}),
    )


def noticed(account: Account, sources: Sources, now: datetime) -> Change | None:
    """Give the next notice of an expiry that is due; None: none is.

    One notice a Change: a Change tells one event of a kind.
    """
    notice = notice_due(account, sources.values(), now)
    if notice is None:
        return None
    source = notice.source
    name = f"source/{source.source_id}/expiring/{notice.step}"
    operation = step(account, name, [], now)
    told = event_of(account, operation, EventType.FUNDING_SOURCE_EXPIRING, source, now)
    return change_of(
        account,
        account.recharging,
        replace(source, noticed_days=notice.step),
        sources,
        operation=operation,
        now=now,
        event=replace(told, data={**told.data, "days_left": notice.days_left}),
    )


def _joined(
    account: Account,
    source: FundingSource,
    sources: Sources,
    operation: Operation,
    now: datetime,
    audit: AuditRecord | None = None,
) -> Change:
    """An active source takes its place: the default where there is none, else the last backup."""
    recharging = account.recharging.resumed()
    if recharging.default_source_id is None:
        recharging = replace(
            recharging,
            default_source_id=source.source_id,
            notice_hours=notice_hours(source),
        )
    else:
        backups = (*recharging.backup_source_ids, source.source_id)
        recharging = replace(recharging, backup_source_ids=backups)
    after = replace(account, recharging=recharging)
    return change_of(
        account,
        recharging,
        source,
        sources,
        operation=operation,
        now=now,
        records=(audit,) if audit else (),
        event=event_of(after, operation, EventType.FUNDING_SOURCE_ADDED, source, now),
    )


def _require_room(sources: Sources) -> None:
    standing = [one for one in sources.values() if one.state is not SourceState.REMOVED]
    if len(standing) >= MAX_SOURCES:
        raise TooManySourcesError(
            f"an account has at most {MAX_SOURCES} sources, those being saved included; remove one"
        )


def notice_hours(default: FundingSource) -> int:
    return UPI_NOTICE_HOURS if default.method.is_slow else 0


def event_of(
    account: Account, operation: Operation, type_: EventType, source: FundingSource, now: datetime
) -> Event:
    event_id = f"{operation.operation_id}/{type_}"
    return Event(event_id, type_, account.ref, now, told_json(account, source))


def change_of(
    account: Account,
    recharging: Recharging,
    source: FundingSource | None,
    sources: Sources,
    *,
    operation: Operation,
    now: datetime,
    records: tuple[Record, ...] = (),
    event: Event | None = None,
) -> Change:
    """A Change of at most one source, with both timers levelled.

    Args:
        source: As it is to be.
        sources: As they stand; only who could be noticed matters.
    """
    timers = leveled(account, replace(account, recharging=recharging), now)
    after = {**sources, source.source_id: source} if source else sources
    set_, cleared = notice_timer(account, sources.values(), after.values())
    billing = _billing_timer(account, recharging, now)
    return Change(
        before=account,
        after=timers.account.next_version(),
        operation=operation,
        records=(source, *records) if source else records,
        timers_set=(*timers.timers_set, *set_, *billing),
        timers_cleared=(*timers.timers_cleared, *cleared),
        events=(*((event,) if event else ()), *timers.events),
    )


def _billing_timer(account: Account, recharging: Recharging, now: datetime) -> tuple[Timer, ...]:
    """Where an invoice is past due, whoever is new or asked first now is asked for it at once."""
    is_new = is_somebody_new(recharging.source_ids, account.recharging.source_ids)
    if account.standing is Standing.GOOD or not is_new:
        return ()
    return (Timer(TimerKind.BILLING, account.ref, now),)
