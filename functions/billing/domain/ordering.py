"""Ordering: an order charges exactly its quote and delivers all of it, or nothing happens.

Source: docs/subscriptions.md, "Orders".
"""

from dataclasses import dataclass, replace
from datetime import datetime

from billing.domain.account import Account
from billing.domain.canonical import Json
from billing.domain.catalog_versions import Versions
from billing.domain.changing import changed
from billing.domain.documents import DocumentNumbers, InvoiceState, invoiced, receipted
from billing.domain.effects import Effect
from billing.domain.errors import QuoteExpiredError, QuoteStaleError, TalktimeError
from billing.domain.invoicing import invoice_event
from billing.domain.number_changes import told_of
from billing.domain.number_orders import numbers_wanted, ordered_numbers
from billing.domain.numbers import PhoneNumber
from billing.domain.once import bundle_lots
from billing.domain.orders import Order, OrderState, Quote
from billing.domain.records import Event, EventType, Record
from billing.domain.selling_entries import book_sale
from billing.domain.subscription import Subscription


def check_placeable(
    quote: Quote,
    account: Account,
    subscription: Subscription,
    catalog_version: int,
    now: datetime,
) -> None:
    """Whether an order may be placed by a quote.

    Args:
        account: Current as of ``now``.
        catalog_version: The current one.

    Raises, in order of precedence:
        QuoteExpiredError: It is too old.
        QuoteStaleError: Prices, the subscription or the account's period are other ones since.
    """
    if now >= quote.expires_at:
        raise QuoteExpiredError("the quote has expired; ask for another")
    if catalog_version != quote.catalog_version:
        raise QuoteStaleError("the catalogue has changed since the quote; ask for another")
    check_deliverable(quote, account, subscription)


def check_deliverable(quote: Quote, account: Account, subscription: Subscription) -> None:
    """Whether an order that was placed in time can still be done as quoted, now that its money is
    there. Prices that changed since do not matter: it was accepted at those of the quote.

    Raises:
        QuoteStaleError: The subscription or the account's period is another one since.
    """
    seen = (quote.subscription_revision, quote.period_start_at)
    if (subscription.revision, account.period.start_at) != seen:
        raise QuoteStaleError("the subscription has changed since the quote; ask for another")


def deliver(
    account: Account,
    subscription: Subscription,
    documents: DocumentNumbers,
    order: Order,
    versions: Versions,
    now: datetime,
    *,
    paid_by: tuple[str, str] | None = None,
    source_label: str = "",
    cause: str,
    numbers_held: int = 0,
) -> Effect:
    """Charge the wallet what was quoted, and give what was wanted.

    Days and prices are the quote's, even where the money came a day later; bundles last from now.

    Args:
        account: Current, with the money in its wallet.
        documents: The account's last numbers.
        versions: With the quote's as the one that is offered.
        now: Aware UTC.
        paid_by: Gateway and id of the payment; None: the wallet pays.
        source_label: What the customer calls the source.
        cause: The operation that charges.
        numbers_held: As for the quote.

    Returns:
        The sale's entries, a paid invoice and its receipt where anything was sold, the order as
        delivered, the subscription, numbers that wait for the carrier, and what is told of it.

    Raises:
        QuoteStaleError: It can no longer be done as it was quoted. Nothing is to be written.
    """
    quote = order.quote
    check_deliverable(quote, account, subscription)
    assert versions.offered.version == quote.catalog_version, "it is sold as it was quoted"
    try:
        outcome = changed(
            account, subscription, versions, quote.wants, numbers_held, quote.quoted_at
        )
    except TalktimeError as refused:
        raise QuoteStaleError(f"{refused.detail}; ask for another quote") from None
    if outcome.lines != quote.lines:
        raise QuoteStaleError("what was quoted has another price now; ask for another quote")
    after, entries = book_sale(outcome.account, quote.lines, cause, now)
    papers = Papers()
    if quote.lines:
        papers = _papers(documents, quote, cause, now, paid_by, source_label)
        lots = bundle_lots(after, outcome.bundles, papers.invoice, now)
        after = replace(after, grants=(*after.grants, *lots))
    numbers = ordered_numbers(account, quote, papers.invoice or None, now)
    delivered = replace(
        order, state=OrderState.DELIVERED, invoice=papers.invoice or None, settled_at=now
    )
    return Effect(
        account=after,
        entries=entries,
        records=(outcome.subscription, *papers.records, *numbers, delivered),
        events=(
            subscription_changed(outcome.subscription, order.order_id, cause, now),
            *papers.events,
            *_numbers_told(account, numbers, cause, now),
        ),
        # An order that waited for its payment has claimed them when it was placed.
        numbers_claimed=numbers_wanted(quote) if order.recharge is None else (),
    )


def _numbers_told(
    account: Account, numbers: tuple[PhoneNumber, ...], cause: str, now: datetime
) -> tuple[Event, ...]:
    """The operator's own carrier integration is asked to provide them."""
    return (told_of(account, EventType.NUMBER_ORDERED, numbers, cause, now),) if numbers else ()


@dataclass(frozen=True, slots=True)
class Papers:
    """What is written of a sale that is paid at once.

    Args:
        invoice: Its number; 0: there is none.
        records: The invoice, its receipt where money was paid, and the last numbers.
    """

    invoice: int = 0
    records: tuple[Record, ...] = ()
    events: tuple[Event, ...] = ()


def _papers(
    documents: DocumentNumbers,
    quote: Quote,
    cause: str,
    now: datetime,
    paid_by: tuple[str, str] | None,
    source_label: str,
) -> Papers:
    documents, raised = invoiced(documents, quote.lines, quote.currency, cause, now)
    invoice = replace(raised, state=InvoiceState.PAID, paid_at=now, paid_by=cause, payment=paid_by)
    records: tuple[Record, ...] = (invoice,)
    if total := invoice.sums.total_micros:
        documents, receipt = receipted(
            documents,
            amount_micros=total,
            currency=quote.currency,
            cause=cause,
            now=now,
            payment=paid_by,
            source_label=source_label,
            invoice=invoice.number,
        )
        records = (invoice, receipt)
    types = (EventType.INVOICE_ISSUED, EventType.INVOICE_PAID)
    events = tuple(invoice_event(invoice, type_, now) for type_ in types)
    return Papers(invoice.number, (*records, documents), events)


def subscription_changed(
    subscription: Subscription, order_id: str, cause: str, now: datetime
) -> Event:
    """What is told of a changed subscription.

    Args:
        order_id: Empty: no order changed it.
    """
    type_ = EventType.SUBSCRIPTION_CHANGED
    units: dict[str, Json] = {one.kind: one.created for one in subscription.units}
    packages: dict[str, Json] = {one.kind: one.created for one in subscription.packages}
    next_plan = subscription.next_plan
    data: dict[str, Json] = {
        "plan": subscription.plan_id,
        "billing_interval": subscription.interval.value,
        "units": units,
        "packages": packages,
        "next_plan": next_plan.plan_id if next_plan else None,
        "revision": subscription.revision,
    }
    if order_id:
        data["order_id"] = order_id
    return Event(f"{cause}/{type_}", type_, subscription.account, now, data)
