"""A world with a catalogue, in which accounts are billed and invoices collected."""

from datetime import UTC, datetime, timedelta
from typing import Any

from billing.adapters.gateways.sandbox import NAME
from billing.domain.canonical import digest
from billing.domain.catalog import Catalog
from billing.domain.declines import DeclineGroup
from billing.domain.documents import DocumentNumbers, Invoice, Receipt
from billing.domain.errors import PaymentUnknownError
from billing.domain.records import Operation, OperationState, PurposeKind, TimerKind
from billing.domain.subscription import Subscription
from billing.ports import ChargeRequest, Declined, Outcome
from billing.services.bill_account import BillAccount
from billing.services.collect_invoices import CollectInvoices
from billing.services.collect_recharge import CollectRecharge
from billing.services.open_account import NewAccount, OpenAccount
from billing.services.pay_invoice import PayInvoice, PayRequest
from billing.services.read_held import ReadHeld
from billing.services.roll_period import RollPeriod
from billing.services.spend_invoices import SpendInvoices
from builders import ACME, an_audit_record
from catalogs import a_catalog
from fakes.world import InMemorySandbox, RecordingWorkQueue
from unit.world import World

FIRST = datetime(2026, 3, 1, tzinfo=UTC)
"""The account is opened as its first period begins, unless a test says otherwise."""


class Bank(InMemorySandbox):
    """A gateway whose cards pay or not, and which answers or does not, as the test has it."""

    pays = True
    is_silent = False

    def charge(self, request: ChargeRequest) -> Outcome:
        if self.is_silent:
            raise PaymentUnknownError("no answer")
        if not self.pays:
            return Declined("insufficient_funds", DeclineGroup.RETRY_LATER)
        return super().charge(request)


class BillingWorld(World):
    """One account on the plan *growth*, $99 and at least three CRM seats, one of them included:
    $149 a month without taxes, $178.80 with them.

    Args:
        now: When it is opened.
    """

    def __init__(self, now: datetime = FIRST, catalog: Catalog | None = None) -> None:
        super().__init__(now)
        self.bank = Bank(self.clock)
        self.queue = RecordingWorkQueue()
        self.catalogs.save(catalog or a_catalog(), 0)
        self.held = ReadHeld(self.book, self.catalogs)
        kept: dict[str, Any] = {"book": self.book, "change_account": self.change_account}
        self.recharges = CollectRecharge(
            **kept,
            gateways={NAME: self.bank},
            clock=self.clock,
            spends={PurposeKind.INVOICE: SpendInvoices(self.book, self.catalogs)},
        )
        self.invoices = CollectInvoices(
            **kept,
            catalogs=self.catalogs,
            gateways={NAME},
            collect_recharge=self.recharges,
        )
        self.billing = BillAccount(
            **kept, catalogs=self.catalogs, clock=self.clock, recharge_queue=self.queue
        )
        self.paying = PayInvoice(
            **kept,
            catalogs=self.catalogs,
            reservations=self.reservations,
            collect_recharge=self.recharges,
        )

    def open_on(
        self,
        plan: str = "growth",
        *,
        currency: str = "USD",
        time_zone: str = "UTC",
        billing_day: int = 1,
    ) -> None:
        """Open the account; nothing is billed yet."""
        OpenAccount(self.book, self.catalogs, self.clock).open(
            NewAccount(
                ref=ACME,
                name="Main",
                currency=currency,
                time_zone=time_zone,
                billing_day=billing_day,
                plan_id=plan,
                rate_deck="standard",
            ),
            "open",
            "opened",
            "Acme Inc.",
        )

    def work(self) -> None:
        """The worker that bills, and the one that collects, once each."""
        RollPeriod(self.change_account).roll(ACME)
        self.billing.bill(ACME)
        for ref in self.queue.take():
            self.invoices.collect(ref)

    def pass_days(self, days: int, *, working: bool = True) -> None:
        """Day after day, with the sweeps at each day's end."""
        for _ in range(days):
            self.clock.advance(timedelta(days=1))
            if working:
                self.sweep()

    def sweep(self) -> None:
        """Work where a timer stands, and nowhere else."""
        now = self.clock.now()
        for kind in (TimerKind.PERIOD_END, TimerKind.BILLING):
            if ACME in [timer.account for timer in self.book.due(kind, now)]:
                self.work()
                break

    def pay(self, number: int, *, key: str = "pay", source: str | None = None) -> None:
        """Pay an open invoice by hand: from a source, or else from the wallet."""
        operation = Operation(
            operation_id=key,
            body_hash=digest([key, number, source]),
            account=ACME,
            state=OperationState.PENDING,
            answer=None,
            recorded_at=self.clock.now(),
        )
        audit = an_audit_record(operation_id=key)
        request = PayRequest(
            number, operation, audit, is_from_wallet=source is None, source_id=source
        )
        self.paying.pay(ACME, request)

    @property
    def subscription(self) -> Subscription:
        found = self.book.thing(ACME, Subscription)
        assert found is not None
        return found

    @property
    def invoiced(self) -> list[Invoice]:
        return self.book.things(ACME, Invoice)

    @property
    def receipts(self) -> list[Receipt]:
        return self.book.things(ACME, Receipt)

    @property
    def numbers(self) -> DocumentNumbers:
        return self.held.documents(ACME)

    def is_billing_due(self) -> bool:
        return self._is_due(TimerKind.BILLING)

    def totals(self) -> list[int]:
        return [invoice.sums.total_micros for invoice in self.invoiced]
