"""What happens to an account's numbers, with the money, the papers and the events that go with it.

Source of the rules: docs/numbers.md.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from billing.domain import numbers as life
from billing.domain.account import Account
from billing.domain.canonical import Json
from billing.domain.catalog import Catalog, Plan
from billing.domain.crediting import credit, left_of
from billing.domain.documents import DocumentNumbers, Invoice, Line, LineKind, invoiced, receipted
from billing.domain.effects import Effect
from billing.domain.errors import ConflictError
from billing.domain.invoicing import billing_timers, invoice_event
from billing.domain.number_renewing import NumberRenewal, included_in
from billing.domain.numbers import HoldReason, NumberState, PhoneNumber
from billing.domain.records import Event, EventType
from billing.domain.selling import NumberRule
from billing.domain.selling_entries import book_sale
from billing.domain.subscription import Subscription


@dataclass(frozen=True, slots=True)
class Numbers:
    """An account's numbers, and what decides on them; read after the account.

    Args:
        all: Released ones too.
        catalogs: By number: the version its next renewal is charged under.
        versions: The same versions' numbers.
    """

    all: tuple[PhoneNumber, ...]
    subscription: Subscription
    documents: DocumentNumbers
    rule: NumberRule
    catalogs: Mapping[str, Catalog]
    versions: Mapping[str, int]


def changed(
    account: Account,
    known: Numbers,
    after: Iterable[PhoneNumber],
    *,
    now: datetime,
    check_at: datetime | None = None,
    events: Sequence[Event] = (),
) -> Effect:
    """Numbers as they are left behind; the billing timer agrees with when the next is due.

    Args:
        check_at: When to look again in any case; None: nothing is waited for.
    """
    kept = tuple(after)
    standing = {one.e164: one for one in known.all} | {one.e164: one for one in kept}
    waits = [
        at
        for one in standing.values()
        if (at := life.due_at(one, known.rule, account.time_zone)) is not None
    ]
    due_at = min([*waits, check_at] if check_at else waits, default=None)
    subscription = replace(known.subscription, numbers_due_at=due_at)
    set_, cleared = billing_timers(subscription, now)
    were_held = {one.e164 for one in known.all if one.state.is_held}
    return Effect(
        account,
        records=(subscription, *kept),
        timers_set=set_,
        timers_cleared=cleared,
        events=tuple(events),
        numbers_freed=tuple(
            one.e164 for one in kept if not one.state.is_held and one.e164 in were_held
        ),
    )


def paid_for(
    account: Account,
    known: Numbers,
    bought: Sequence[tuple[PhoneNumber, Line]],
    cause: str,
    now: datetime,
    *,
    free: Sequence[PhoneNumber] = (),
    payment: tuple[str, str] | None = None,
    source_label: str = "",
) -> Effect:
    """The wallet pays for numbers until the account's period ends: one invoice and its receipt.

    Args:
        bought: With the line of each; the wallet holds what they come to.
        free: Numbers that are renewed with them for nothing, as they are left behind.
        payment: Gateway and id of the payment that brought it; None: the wallet had it.
    """
    lines = tuple(cost for _, cost in bought)
    documents, invoice = invoiced(known.documents, lines, account.currency, cause, now)
    documents, receipt = receipted(
        documents,
        amount_micros=invoice.sums.total_micros,
        currency=account.currency,
        cause=cause,
        now=now,
        payment=payment,
        source_label=source_label,
        invoice=invoice.number,
    )
    settled = invoice.paid(cause, now, payment)
    account, entries = book_sale(account, lines, cause, now)
    renewed = [
        replace(
            life.paid(one, account.period.end_at, invoice.number),
            catalog_version=known.versions.get(one.e164, one.catalog_version),
        )
        for one, _ in bought
    ]
    effect = changed(account, known, [*renewed, *free], now=now)
    return replace(
        effect,
        entries=entries,
        records=(*effect.records, settled, documents, receipt),
        events=(
            invoice_event(settled, EventType.INVOICE_ISSUED, now),
            invoice_event(settled, EventType.INVOICE_PAID, now),
        ),
    )


def held_back(
    account: Account,
    known: Numbers,
    unpaid: Sequence[PhoneNumber],
    reason: HoldReason,
    cause: str,
    now: datetime,
) -> Effect:
    """Numbers that nobody pays for are put on hold, and told of."""
    after = [life.on_hold(one, reason, known.rule, account.time_zone, now) for one in unpaid]
    told = told_of(account, EventType.NUMBER_ON_HOLD, after, cause, now)
    return changed(account, known, after, now=now, events=[told])


def renewed(
    account: Account,
    known: Numbers,
    plan: Plan,
    renewal: NumberRenewal,
    cause: str,
    now: datetime,
    *,
    payment: tuple[str, str],
    source_label: str,
) -> Effect:
    """The payment of a renewal has come. What has been paid for, is no longer the account's, or is
    included by the plan meanwhile, is not charged: its money stays in the wallet.

    Args:
        plan: The subscription's, as it was sold.
    """
    waiting = {one.e164: one for one in known.all if one.renewal == renewal.name}
    wanted = [
        (waiting[cost.what], cost)
        for cost in renewal.lines
        if cost.what in waiting and waiting[cost.what].state.is_held
    ]
    if not wanted or renewal.period_end_at != account.period.end_at:
        freed = [replace(one, renewal="") for one in waiting.values()]
        return replace(changed(account, known, freed, now=now, check_at=now), is_refused=True)
    included = included_in(plan, known.all)
    free = [life.paid(one, account.period.end_at) for one, _ in wanted if one.e164 in included]
    bought = [(one, cost) for one, cost in wanted if one.e164 not in included]
    if not bought:
        return changed(account, known, free, now=now)
    return paid_for(
        account, known, bought, cause, now, free=free, payment=payment, source_label=source_label
    )


def unrenewed(
    account: Account,
    known: Numbers,
    renewal: NumberRenewal,
    cause: str,
    now: datetime,
    *,
    is_heard: bool,
) -> Effect:
    """Nobody paid for a renewal: its numbers are put on hold, or stay there.

    Args:
        is_heard: False: no gateway was ever reached, which is nobody's failure. They are renewed
            anew.
    """
    waiting = [one for one in known.all if one.renewal == renewal.name]
    if not is_heard:
        freed = [replace(one, renewal="") for one in waiting]
        return changed(account, known, freed, now=now, check_at=now)
    active = [one for one in waiting if one.state is NumberState.ACTIVE]
    if active:
        return held_back(account, known, active, HoldReason.PAYMENT_FAILED, cause, now)
    return changed(account, known, [replace(one, renewal="") for one in waiting], now=now)


def not_provided(
    account: Account,
    known: Numbers,
    number: PhoneNumber,
    invoice: Invoice | None,
    cause: str,
    now: datetime,
) -> Effect:
    """The carrier does not provide a number that was ordered: what it cost is credited, as far as
    that has not been done.

    Args:
        invoice: What it was ordered on; None: it cost nothing.

    Raises:
        ConflictError: It is not pending.
        ExceedsInvoiceError: Less is left of the invoice than its lines come to.
    """
    gone = life.failed(number, now)
    effect = changed(account, known, [gone], now=now)
    if invoice is None:
        return effect
    left = [
        left_of(invoice, place)
        for place, one in enumerate(invoice.lines)
        if one.what == number.e164 and one.kind in (LineKind.NUMBER, LineKind.NUMBER_SETUP)
    ]
    parts = [one for one in left if one.line.amount_micros]
    if not parts:
        return effect
    reason = f"{number.e164} could not be provided"
    return effect.then(credit(effect.account, known.documents, invoice, parts, reason, cause, now))


def told_of(
    account: Account,
    type_: EventType,
    numbers: Iterable[PhoneNumber],
    cause: str,
    now: datetime,
    **more: Json,
) -> Event:
    """One event for all numbers that the same happens to at once."""
    shown: list[Json] = [
        {
            "number": one.e164,
            "type": one.type_id,
            "state": one.state.value,
            "capabilities": list(one.capabilities),
            "hold_reason": one.hold_reason.value if one.hold_reason else None,
            "release_at": one.release_at.isoformat() if one.release_at else None,
        }
        for one in numbers
    ]
    return Event(f"{cause}/{type_}", type_, account.ref, now, {"numbers": shown, **more})


def let_go(
    account: Account, known: Numbers, over: Sequence[PhoneNumber], cause: str, now: datetime
) -> Effect:
    """Numbers that nothing is paid for are nobody's from now on.

    What is paid for ends with the period before, which is over even where this worker's clock is
    behind that of whoever turned it.
    """
    ended_at = max(now, account.period.start_at)
    after = [life.released(one, ended_at) for one in over]
    told = told_of(account, EventType.NUMBER_RELEASED, after, cause, now)
    return changed(account, known, after, now=now, events=[told])


def asked_to_leave(
    account: Account, known: Numbers, number: PhoneNumber, cause: str, now: datetime
) -> Effect | None:
    """Somebody lets go of a number: when what is paid for ends; one on hold at once. None: he has.

    Raises:
        ConflictError: It is neither active nor on hold, or a payment for it is on its way.
    """
    if number.state is NumberState.RELEASED:
        return None
    if number.renewal:
        raise ConflictError(f"a payment for {number.e164} is on its way; wait for its outcome")
    if number.state is NumberState.ON_HOLD:
        return let_go(account, known, [number], cause, now)
    return amended(account, known, number, life.leaving, now)


Amend = Callable[[PhoneNumber], PhoneNumber]


def amended(
    account: Account, known: Numbers, number: PhoneNumber, amend: Amend, now: datetime
) -> Effect | None:
    """One number changed by hand; None: it is so already."""
    after = amend(number)
    return None if after == number else changed(account, known, [after], now=now)
