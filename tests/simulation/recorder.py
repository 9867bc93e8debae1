"""Records what a committed Change was told, as facts, and where it left the account.

A fact is what was put in: calls, money that came, an order, a turn. What came of it is the other
half, the Standing. The model is told the first, and must arrive at the second by itself.
"""

from collections.abc import Callable, Iterable, Iterator
from datetime import datetime
from typing import TypeVar

from billing.domain.account import AccountRef, Standing
from billing.domain.catalog import Catalog
from billing.domain.change import Change
from billing.domain.documents import CreditNote, Invoice, InvoiceState, Line, LineKind
from billing.domain.ledger import EntryKind
from billing.domain.licences import Assignment
from billing.domain.numbers import NumberState, PhoneNumber
from billing.domain.orders import Order, OrderState
from billing.domain.records import AuditRecord, Payment
from billing.domain.subscription import Subscription, UnitCommitment, first_subscription
from simulation.model import facts
from simulation.model.facts import Fact
from simulation.standings import UNITS, Seen, standing_of

MOVES = {
    EntryKind.REFUND: "refund",
    EntryKind.REFUND_RETURNED: "refund_returned",
    EntryKind.DISPUTE: "dispute",
    EntryKind.DISPUTE_RETURNED: "dispute_returned",
}

T = TypeVar("T")


class Recorder:
    """Turns Changes into facts, in the order in which they are committed."""

    def __init__(
        self, catalog: Callable[[int], Catalog], members_of: Callable[[Change], int]
    ) -> None:
        """
        Args:
            catalog: The version of a number.
            members_of: How many members of the tenant were active as a gauge was written.
        """
        self._catalog = catalog
        self._members_of = members_of
        self._seen: dict[AccountRef, Seen] = {}

    def record(self, change: Change) -> tuple[list[Fact], facts.Standing]:
        ref = change.after.ref
        seen = self._seen.setdefault(ref, Seen(first_subscription(change.after)))
        told = [*self._told(change, seen)]
        raised = [one for one in _of(change, Invoice) if one.number > seen.invoices]
        for invoice in _of(change, Invoice):
            is_open = invoice.state is InvoiceState.OPEN
            (seen.open_invoices.add if is_open else seen.open_invoices.discard)(invoice.number)
            seen.invoices = max(seen.invoices, invoice.number)
        for subscription in _of(change, Subscription):
            seen.subscription = subscription
        for number in _of(change, PhoneNumber):
            seen.numbers[number.e164] = number
        plan = self._catalog(seen.subscription.catalog_version).plans[seen.subscription.plan_id]
        return told, standing_of(change.after, seen, plan, raised)

    def _told(self, change: Change, seen: Seen) -> Iterator[Fact]:
        yield from _of_the_account(change)
        yield from _of_usage(change)
        yield from _of_money(change)
        yield from self._of_the_subscription(change, seen)
        yield from _of_numbers(change, seen)
        if _fell_behind(change):
            yield facts.PastDue(at_of(change))

    def _of_the_subscription(self, change: Change, seen: Seen) -> Iterator[Fact]:
        """In an order in which each finds what it needs: what is billed before what is bought."""
        at = at_of(change)
        after = next(_of(change, Subscription), None)
        name = change.operation.operation_id if change.operation else ""
        if "/bill/" in name:
            yield facts.Billed(at, seen.subscription.billed_until)
        yield from _of_licences(change)
        yield from _of_charges(change, seen)
        if after is not None:
            yield from _of_contracts(change, after)
            yield from _of_scheduled(change, seen.subscription, after)
            if "/storage/" in name:
                members = self._members_of(change)
                yield facts.Stored(at, after.storage.used_bytes, members)
        for order in _of(change, Order):
            if order.state is OrderState.DELIVERED:
                yield _ordered(order, order.settled_at or at)
        for invoice in _of(change, Invoice):
            if invoice.state is InvoiceState.PAID and invoice.number in seen.open_invoices:
                yield facts.InvoicePaid(invoice.paid_at or at, invoice.number)


def _of_the_account(change: Change) -> Iterator[Fact]:
    after = change.after
    if change.before is None:
        yield facts.Opened(
            after.created_at,
            after.currency,
            after.time_zone,
            after.billing_day,
            after.plan.plan_id,
        )
    elif change.operation is not None and "/roll/" in change.operation.operation_id:
        yield facts.Turned(change.before.period.end_at)


def _of_usage(change: Change) -> Iterator[Fact]:
    if change.calls:
        used = tuple(
            facts.Use(
                str(call.event.key),
                UNITS[call.event.unit],
                call.event.quantity,
                call.event.ended_at,
                call.event.direction.value,
                call.event.to_number,
            )
            for call in change.calls
        )
        yield facts.Used(change.entries[0].posted_at, used)
    for call in change.revisions:
        at = change.entries[0].posted_at
        yield facts.Corrected(at, str(call.event.key), call.event.quantity)


def _of_money(change: Change) -> Iterator[Fact]:
    for payment in _of(change, Payment):
        if not payment.revision:
            yield facts.Funded(at_of(change), payment.payment_id, payment.amount_micros)
    for entry in change.entries:
        if entry.kind in MOVES:
            yield facts.Moved(entry.posted_at, MOVES[entry.kind], entry.wallet_change_micros)
    for note in _of(change, CreditNote):
        entries = [entry for entry in change.entries if entry.cause == note.cause]
        given = sum(entry.wallet_change_micros for entry in entries)
        yield facts.Moved(at_of(change), "credit_note", given)


def _of_licences(change: Change) -> Iterator[Fact]:
    held = [one for one in _of(change, Assignment) if one.is_held]
    removed = [one for one in _of(change, Assignment) if not one.is_held]
    if held:
        given_at = held[0].assigned_at
        yield facts.Joined(given_at, held[0].member_id, tuple(one.kind for one in held))
    if removed:
        removed_at = removed[0].removed_at or at_of(change)
        yield facts.Left(removed_at, removed[0].member_id, tuple(one.kind for one in removed))


def _of_charges(change: Change, seen: Seen) -> Iterator[Fact]:
    """The operator's lines: on an invoice of their own, or with those that wait for the next."""
    for invoice in _of(change, Invoice):
        if invoice.number > seen.invoices and invoice.period_starts_on is None:
            yield from _charged(invoice.lines, invoice.issued_at, is_at_once=True)
    for subscription in _of(change, Subscription):
        new = subscription.pending[len(seen.subscription.pending) :]
        yield from _charged(new, at_of(change), is_at_once=False)


def _charged(lines: Iterable[Line], at: datetime, *, is_at_once: bool) -> Iterator[Fact]:
    charged = [one for one in lines if one.kind is LineKind.CHARGE]
    if charged:
        first, *others = charged
        further = tuple((one.amount_micros, one.tax_code) for one in others)
        yield facts.Charged(
            at, first.what, first.amount_micros, first.tax_code, is_at_once, further
        )


def _of_contracts(change: Change, after: Subscription) -> Iterator[Fact]:
    for audit in _of(change, AuditRecord):
        contract = after.contract
        if audit.action == "contract.set" and contract is not None:
            yield facts.Agreed(
                audit.at,
                contract.starts_on,
                contract.ends_on,
                contract.minimums,
                contract.unit_commitment is UnitCommitment.CONTRACT,
                bool(audit.after["now"]),
            )


def _of_scheduled(change: Change, before: Subscription, after: Subscription) -> Iterator[Fact]:
    name = change.operation.operation_id if change.operation else ""
    if "/scheduled/" not in name:
        return
    at = at_of(change)
    if before.next_plan and not after.next_plan:
        yield facts.TakenBack(at, "plan", "")
    for kind, items, find in (
        ("units", before.units, after.unit),
        ("package", before.packages, after.package),
    ):
        for item in items:
            if item.next_created is not None and find(item.kind).next_created is None:
                yield facts.TakenBack(at, kind, item.kind)


def _ordered(order: Order, at: datetime) -> facts.Ordered:
    quote = order.quote
    wants = tuple(
        facts.Want(
            one.kind.value,
            one.what,
            one.quantity,
            one.interval.value if one.interval else "",
            one.e164,
        )
        for one in quote.wants
    )
    return facts.Ordered(at, quote.quoted_at, wants, quote.catalog_version)


def _of_numbers(change: Change, seen: Seen) -> Iterator[Fact]:
    at = at_of(change)
    renewed: list[str] = []
    for number in _of(change, PhoneNumber):
        before = seen.numbers.get(number.e164)
        if before is None or not before.state.is_held:
            continue
        is_provided = before.state is NumberState.PENDING
        if number.paid_until != before.paid_until and not is_provided:
            renewed.append(number.e164)
        elif number.state is not before.state:
            yield facts.NumberSet(at, number.e164, number.state.value)
    if renewed:
        yield facts.NumberRenewed(at, tuple(renewed))


def _fell_behind(change: Change) -> bool:
    if change.before is None:
        return False
    return change.before.standing is Standing.GOOD is not change.after.standing


def at_of(change: Change) -> datetime:
    """When it was decided, or asked for: some operations are dated by whoever asked."""
    if change.operation is not None:
        return change.operation.recorded_at
    return change.entries[0].posted_at


def _of(change: Change, kind: type[T]) -> Iterator[T]:
    return (record for record in change.records if isinstance(record, kind))
