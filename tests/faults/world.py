"""One account, one gateway, and processes that may die: what is kept outlives them."""

from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from billing.domain import opening
from billing.domain.account import Account, AccountRef, PlanTerms
from billing.domain.change import Change
from billing.domain.charging import Charge
from billing.domain.collecting import relevel
from billing.domain.documents import Invoice, InvoiceState, LineKind, Receipt
from billing.domain.errors import PaymentUnknownError, QuoteExpiredError, TalktimeError
from billing.domain.gateway_events import GatewayEvent
from billing.domain.ledger import EntryKind, LedgerEntry, prove
from billing.domain.numbers import NumberState, PhoneNumber
from billing.domain.orders import Order, OrderState, Want, WantKind
from billing.domain.payments import PaymentMethod
from billing.domain.recharging import RechargePolicy, Recharging
from billing.domain.records import (
    Event,
    FundingSource,
    Operation,
    OperationState,
    TimerKind,
)
from billing.domain.selling import Bundle, Price
from billing.domain.sources import UPI_NOTICE_HOURS
from billing.domain.units import Unit
from billing.ports import AlreadyRecordedError
from billing.services.begin_source import BeginSource
from billing.services.bill_account import BillAccount
from billing.services.change_account import ChangeAccount
from billing.services.charge_account import ChargeAccount
from billing.services.collect_invoices import CollectInvoices
from billing.services.collect_recharge import CollectRecharge, RechargeRequest
from billing.services.confirm_source import ConfirmSource
from billing.services.place_order import OrderRequest, PlaceOrder
from billing.services.publish_events import PublishEvents
from billing.services.quote_order import QuoteOrder
from billing.services.read_held import ReadHeld
from billing.services.refund_payment import RefundOrder, RefundPayment
from billing.services.renew_numbers import RenewNumbers
from billing.services.spend_orders import SpendOrders
from billing.services.spends import all_spends
from billing.services.sweep_timers import SweepTimers
from billing.services.take_gateway_event import TakeGatewayEvent
from builders import an_audit_record
from catalogs import a_catalog
from fakes.book import InMemoryBook
from fakes.quotes import InMemoryQuotes
from fakes.reservations import InMemoryReservations
from fakes.stores import InMemoryCatalogs
from fakes.world import FixedClock
from faults.gateway import NAME, TruthfulGateway
from faults.points import FAILURES, Crash, Points

REF = AccountRef("acme", "main")
BEGUN = datetime(2026, 3, 1, 8, tzinfo=UTC)


USD = 1_000_000
PRICE = Price((("INR", 12 * USD), ("USD", 12 * USD)))
BUNDLE = Bundle("minutes", "100 minutes", Unit.VOICE_SECONDS, 6_000, PRICE)
QUOTE = "quo_of_a_bundle"

GIVEN_BACK = (EntryKind.REFUND, EntryKind.REFUND_RETURNED)
DISPUTED = (EntryKind.DISPUTE, EntryKind.DISPUTE_RETURNED)


class LastingQueue:
    """Keeps a message until its worker has finished; the same work waits once."""

    def __init__(self) -> None:
        self.waiting: dict[tuple[AccountRef, str], None] = {}

    def send(self, refs: Iterable[AccountRef], cause: str) -> int:
        for ref in refs:
            self.waiting.setdefault((ref, cause))
        return len(self.waiting)


class Bus:
    """The event bus, and the outbox's other end."""

    def __init__(self, book: InMemoryBook) -> None:
        self._book = book
        self.told: list[Event] = []

    def publish(self, events: Sequence[Event]) -> None:
        self.told += events

    def forget(self, events: Sequence[Event]) -> None:
        self._book.forget(events)


@dataclass
class Process:
    """The services of one process, all of whose calls outside may be its last."""

    sweep: SweepTimers
    collect: CollectRecharge
    refunds: RefundPayment
    webhooks: TakeGatewayEvent
    publish: PublishEvents
    orders: PlaceOrder
    charges: ChargeAccount
    invoices: CollectInvoices
    numbers: RenewNumbers
    change_account: ChangeAccount


class FaultWorld:
    """What is kept, and processes over it.

    Args:
        step: How far time goes between one try at recovery and the next.
    """

    def __init__(self, step: timedelta) -> None:
        self.step = step
        self.reservations = InMemoryReservations()
        self.book = InMemoryBook(self.reservations)
        self.clock = FixedClock(BEGUN)
        self.catalogs = InMemoryCatalogs()
        self.catalogs.save(a_catalog(bundles=(BUNDLE,)), 0)
        self.gateway = TruthfulGateway(self.clock)
        self.queue = LastingQueue()
        self.bus = Bus(self.book)
        self.points = Points()
        self.webhooks_due: list[GatewayEvent] = []
        self.told: list[GatewayEvent] = []

    def process(self) -> Process:
        """A process that starts now: nothing is remembered from the one before."""
        watched = self.points.watched
        book = watched(self.book, "book")
        gateways = {NAME: watched(self.gateway, "gateway")}
        change_account = ChangeAccount(book, self.clock, lambda _: None)
        kept: Any = {
            "book": book,
            "gateways": gateways,
            "clock": self.clock,
            "change_account": change_account,
        }
        read_held = ReadHeld(book, self.catalogs)
        spend_orders = SpendOrders(book, read_held)
        collect = CollectRecharge(
            **kept,
            spends=all_spends(book, self.catalogs),
        )
        reservations = watched(self.reservations, "holds")
        refunds = RefundPayment(**kept, reservations=reservations)
        queue = watched(self.queue, "queue")
        return Process(
            sweep=SweepTimers(book, queue, self.clock),
            collect=collect,
            refunds=refunds,
            webhooks=TakeGatewayEvent(
                book=book,
                change_account=change_account,
                collect_recharge=collect,
                refund_payment=refunds,
                confirm_source=ConfirmSource(
                    book=book,
                    gateways=gateways,
                    change_account=change_account,
                    begin_source=BeginSource(**kept),
                ),
                queue=queue,
            ),
            publish=PublishEvents(watched(self.bus, "bus"), queue),
            orders=PlaceOrder(
                book=book,
                catalogs=self.catalogs,
                reservations=reservations,
                spend_orders=spend_orders,
                collect_recharge=collect,
                change_account=change_account,
            ),
            charges=ChargeAccount(book=book, catalogs=self.catalogs, change_account=change_account),
            invoices=CollectInvoices(
                book=book,
                catalogs=self.catalogs,
                gateways=gateways,
                change_account=change_account,
                collect_recharge=collect,
            ),
            numbers=RenewNumbers(
                book=book,
                catalogs=self.catalogs,
                reservations=reservations,
                change_account=change_account,
                gateways=gateways,
                collect_recharge=collect,
            ),
            change_account=change_account,
        )

    @property
    def account(self) -> Account:
        return self.book.account(REF)

    def entries(self) -> list[LedgerEntry]:
        return list(self.book.entries(self.account))

    def open(self, policy: RechargePolicy, *tokens: str, currency: str = "USD") -> None:
        """An account with an empty wallet, and sources in their order."""
        account = opening.new_account(
            REF,
            currency=currency,
            time_zone="UTC",
            billing_day=1,
            plan=PlanTerms("starter", 1),
            rate_deck="standard",
            now=BEGUN,
        )
        self.book.commit(opening.open_account(account, "Main", an_operation("open"), None, BEGUN))
        ids = tuple(f"src-{place}-{token}" for place, token in enumerate(tokens))
        sources = tuple(
            FundingSource(
                account=REF,
                source_id=source_id,
                gateway=NAME,
                token=token,
                label=token,
                created_at=BEGUN,
                method=PaymentMethod.UPI if token.startswith("upi") else PaymentMethod.CARD,
            )
            for source_id, token in zip(ids, tokens, strict=True)
        )
        is_upi = bool(sources) and sources[0].method is PaymentMethod.UPI
        recharging = Recharging(
            policy=policy,
            default_source_id=ids[0] if ids else None,
            backup_source_ids=ids[1:],
            notice_hours=UPI_NOTICE_HOURS if is_upi else 0,
        )
        before = self.account
        after = replace(before, recharging=recharging).next_version()
        self.book.commit(Change(before, after, operation=an_operation("sources"), records=sources))
        ChangeAccount(self.book, self.clock, lambda _: None)(REF, relevel)

    def sweep(self, process: Process, *kinds: TimerKind) -> None:
        for kind in kinds:
            process.sweep.sweep(kind)

    def work(self, process: Process) -> None:
        """Every message in turn; one whose worker fails or dies is delivered again later."""
        for message in list(self.queue.waiting):
            ref, _ = message
            unknown = False
            steps = (
                process.collect.collect,
                process.invoices.collect,
                process.numbers.renew,
                process.refunds.finish_open,
            )
            for finish in steps:
                try:
                    finish(ref)
                except PaymentUnknownError:
                    unknown = True
            if not unknown:
                del self.queue.waiting[message]

    def publish(self, process: Process) -> None:
        for event in self.book.outbox():
            process.publish.publish([event])

    def deliver(self, process: Process) -> None:
        """The gateway's webhooks, each until it is taken."""
        for event in list(self.webhooks_due):
            with suppress(TalktimeError):
                process.webhooks.take(NAME, event)
                self.webhooks_due.remove(event)

    def ask(self, process: Process, request: RechargeRequest) -> None:
        """A client asks, and asks again with the same key until it knows."""
        try:
            process.collect.request(REF, request)
        except AlreadyRecordedError as error:
            if error.operation.state in (OperationState.PENDING, OperationState.UNKNOWN):
                with suppress(PaymentUnknownError):
                    process.collect.finish_open(REF)
        except PaymentUnknownError:
            return

    @property
    def orders(self) -> list[Order]:
        return self.book.things(REF, Order)

    def quote(self) -> None:
        """What a bundle comes to, before anything fails."""
        wants = (Want(WantKind.BUNDLE, BUNDLE.bundle_id),)
        QuoteOrder(
            book=self.book,
            quotes=InMemoryQuotes(self.book),
            read_held=ReadHeld(self.book, self.catalogs),
            bill_account=BillAccount(
                book=self.book,
                catalogs=self.catalogs,
                clock=self.clock,
                change_account=ChangeAccount(self.book, self.clock),
            ),
            clock=self.clock,
        ).quote(REF, wants, QUOTE)

    def order(self, process: Process, request: OrderRequest) -> None:
        """A client orders, and orders again with the same key until it knows; a quote that has
        expired by then is not ordered any more."""
        try:
            process.orders.place(REF, request)
        except AlreadyRecordedError as error:
            if error.operation.state in (OperationState.PENDING, OperationState.UNKNOWN):
                with suppress(PaymentUnknownError):
                    process.collect.finish_open(REF)
        except (PaymentUnknownError, QuoteExpiredError):
            return

    def hold_number(self) -> None:
        """A number whose paid time has ended, and which is to be renewed."""
        account = self.account
        number = PhoneNumber(
            account=REF,
            e164="+14155550100",
            type_id="local",
            capabilities=("voice",),
            state=NumberState.ACTIVE,
            is_auto_pay=True,
            catalog_version=1,
            ordered_at=BEGUN,
            paid_until=account.period.start_at,
        )
        after = account.next_version()
        operation = an_operation("number")
        self.book.commit(Change(account, after, operation=operation, records=(number,)))

    def renew(self, process: Process) -> None:
        """The roll's worker renews, as far as nobody has to be asked."""
        with suppress(PaymentUnknownError):
            process.numbers.renew(REF)

    def charge(self, process: Process) -> None:
        """The operator charges, and again with the same key until he knows; it is invoiced."""
        operation, charge = an_operation("charge-1"), Charge("Training", 12 * USD)
        audit = an_audit_record(REF, operation_id="charge-1")
        with suppress(AlreadyRecordedError):
            process.charges.charge(REF, [charge], operation, audit, is_at_once=True)

    def refund(self, process: Process, order: RefundOrder) -> None:
        try:
            process.refunds.refund(REF, order)
        except AlreadyRecordedError:
            with suppress(PaymentUnknownError):
                process.refunds.finish_open(REF)
        except PaymentUnknownError:
            return

    def crashes(self, run: Callable[[Process], None]) -> bool:
        """Run in a process of its own; whether it died, or gave up for now."""
        try:
            run(self.process())
        except (Crash, *FAILURES):
            return True
        return False


def an_operation(name: str, *, is_pending: bool = False, now: datetime = BEGUN) -> Operation:
    return Operation(
        operation_id=name,
        body_hash="b" * 64,
        account=REF,
        state=OperationState.PENDING if is_pending else OperationState.SUCCEEDED,
        answer=None,
        recorded_at=now,
    )


def assert_books_agree(world: FaultWorld) -> None:
    """Ours and the gateway's: what it has is credited once each, and nothing else is."""
    account, entries = world.account, world.entries()
    assert prove(account, entries).is_sound
    credited = {e.cause: e.amount_micros for e in entries if e.kind is EntryKind.RECHARGE}
    captured = {
        f"{REF.account_id}/payment/{NAME}/{paid.payment_id}": paid.request.amount_minor * 10_000
        for paid in world.gateway.captured()
    }
    assert credited == captured, "captured money is credited exactly once"
    recharges = [paid.request.metadata["recharge"] for paid in world.gateway.captured()]
    assert len(set(recharges)) == len(recharges), "a recharge is captured once"
    assert not account.recharging.opened, "everything comes to an end"
    assert not account.recharging.refunds
    assert not list(world.book.due(TimerKind.PAYMENT, world.clock.now() + timedelta(days=365)))
    back = sum(e.wallet_change_micros for e in entries if e.kind in GIVEN_BACK)
    refunded = sum(paid.refunded_minor for paid in world.gateway.paid.values()) * 10_000
    disputed = sum(e.wallet_change_micros for e in entries if e.kind in DISPUTED)
    assert -back == refunded, "what the gateway gave back has left the wallet once"
    used = sum(e.wallet_change_micros for e in entries if e.kind is EntryKind.USAGE)
    sold = sum(e.wallet_change_micros for e in entries if e.kind is EntryKind.SALE)
    assert account.wallet_micros == sum(captured.values()) - refunded + disputed + used + sold
    assert_delivered_once(world, -sold)


def assert_delivered_once(world: FaultWorld, sold_micros: int) -> None:
    """An order is delivered whole or not at all, once, and never without its money."""
    delivered = [order for order in world.orders if order.state is OrderState.DELIVERED]
    assert all(order.state is not OrderState.PENDING for order in world.orders)
    invoices = world.book.things(REF, Invoice)
    receipts = world.book.things(REF, Receipt)
    charged = [one for one in invoices if one.cause == "charge-1"]
    assert len(charged) <= 1, "a charge is invoiced once"
    renewed = [one for one in invoices if one.lines[0].kind is LineKind.NUMBER]
    assert len(renewed) <= 1, "a number is renewed once"
    for number in world.book.things(REF, PhoneNumber):
        assert not number.renewal, "no number waits for ever"
        is_paid = number.paid_until == world.account.period.end_at
        assert is_paid == bool(renewed), "a number is paid for exactly where its money came"
    charged += renewed
    of_charges = {one.number for one in charged}
    settled = {one.number for one in charged if one.state is InvoiceState.PAID}
    assert settled == {one.invoice for one in receipts if one.invoice in of_charges}
    assert sold_micros == sum(order.quote.sums.total_micros for order in delivered) + sum(
        one.sums.total_micros for one in charged if one.number in settled
    )
    bundles = [one for one in world.account.grants if one.recurring_id is None]
    invoices = [one for one in invoices if one.number not in of_charges]
    paid = [one for one in receipts if one.invoice is not None and one.invoice not in of_charges]
    assert len(delivered) == len(bundles) == len(invoices) == len(paid) <= 1
    received = sorted(one.payment_id for one in receipts if one.gateway)
    captured = sorted(one.payment_id for one in world.gateway.captured())
    assert received == captured, "every payment that was collected has one receipt"
    assert [one.number for one in receipts] == list(range(1, len(receipts) + 1))
    for invoice in invoices:
        if invoice.payment is not None:
            assert world.gateway.paid[invoice.payment[1]].is_captured
