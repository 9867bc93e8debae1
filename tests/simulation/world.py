"""The world: two tenants with three accounts, the real services, and everything they call."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from random import Random
from typing import TYPE_CHECKING, cast

from billing.adapters.queues import QueueError, SqsUsageQueue, SqsWorkQueue
from billing.adapters.telephony.registry import PROVIDERS
from billing.domain.account import AccountRef
from billing.domain.errors import (
    BookBusyError,
    IdConflictError,
    InvalidUsageError,
    NoFundingSourceError,
    PaymentUnknownError,
    RechargeInProgressError,
)
from billing.domain.records import AuditRecord
from billing.ports import (
    AlreadyRecordedError,
    Book,
    Catalogs,
    Connections,
    Decks,
    Gateway,
    Quarantine,
    Reservations,
    Timers,
)
from billing.services.bill_account import BillAccount
from billing.services.change_account import ChangeAccount
from billing.services.change_holds import ChangeHolds
from billing.services.collect_invoices import CollectInvoices
from billing.services.collect_recharge import CollectRecharge
from billing.services.correct_usage import CorrectUsage
from billing.services.notice_sources import NoticeSources
from billing.services.post_usage import PostUsage
from billing.services.reconcile_payments import ReconcilePayments
from billing.services.refund_payment import RefundPayment
from billing.services.renew_numbers import RenewNumbers
from billing.services.roll_period import RollPeriod
from billing.services.set_auto_recharge import SetAutoRecharge, StalePolicyError
from billing.services.settle_reservations import SettleReservations
from billing.services.spends import all_spends
from billing.services.sweep_timers import SweepTimers
from billing.services.take_usage import TakeUsage
from fakes.stores import InMemoryCatalogs, InMemoryConnections, InMemoryDecks, InMemoryQuarantine
from fakes.usage_parts import InMemoryCarrierCosts, InMemoryUsageParts
from simulation.beginning import settle_in
from simulation.faults import Faults, Perilous, SkewedClock, Watched
from simulation.gateway import FickleGateway
from simulation.holds_journal import JournalledReservations
from simulation.journal import JournalledBook
from simulation.queues import SimulatedFifo
from simulation.tenants import ACCEPTANCE
from simulation.timers import LaggingTimers

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient

STARTS = (
    # An account in New York that bills on the 31st has a first period of a few hours here.
    datetime(2026, 1, 31, 1, 0, 30, tzinfo=UTC),
    datetime(2026, 2, 26, 22, tzinfo=UTC),
    datetime(2026, 10, 24, 12, tzinfo=UTC),
    datetime(2027, 12, 30, 23, 30, tzinfo=UTC),
)
"""Around month ends, a leap February, and nights whose clocks change."""


@dataclass(frozen=True, slots=True)
class Remote:
    """What services reach over the network, as they see it: every call may go wrong."""

    book: Book
    gateway: Gateway
    quarantine: Quarantine
    decks: Decks
    connections: Connections
    timers: Timers
    catalogs: Catalogs
    reservations: Reservations


class World:
    """Everything there is; what services call goes through ``Perilous``, the checker's view not.

    Whoever acts in the world makes his own services from ``remote``, ``change_account`` and
    ``collect``, and has them ``watched``.
    """

    def __init__(self, seed: int) -> None:
        self.random = Random(seed)
        self.history: list[str] = []
        self.surprises: list[str] = []
        # How many workers have been interrupted by the one that is at work.
        self.depth = 0
        self.faults = Faults(self.random, self.history)
        start = self.began_at = self.random.choice(STARTS)
        self.clock = SkewedClock(start, self.random, self.faults)
        self.reservations = JournalledReservations(
            lambda: len(self.book.written), lambda: self.clock.true_now
        )
        self.book = JournalledBook(self.reservations)
        self.quarantine = InMemoryQuarantine()
        self.connections = InMemoryConnections()
        self.gateway = FickleGateway(self.clock, self.random)
        self.usage_queue = SimulatedFifo("usage", self.clock, self.faults)
        self.recharge_queue = SimulatedFifo("recharge", self.clock, self.faults)
        self.roll_queue = SimulatedFifo("roll", self.clock, self.faults)
        self.decks = InMemoryDecks()
        self.catalogs = InMemoryCatalogs()
        self.decks_effective_at = start - timedelta(days=30)
        self._assemble()
        settle_in(self)

    def _assemble(self) -> None:
        perilous = self._remote()
        self.remote = perilous
        book, gateway, timers = perilous.book, perilous.gateway, perilous.timers
        quarantine, decks = perilous.quarantine, perilous.decks
        connections = perilous.connections
        change_account = ChangeAccount(book, self.clock, sleep=lambda _seconds: None)
        self.change_account = change_account
        retried = (ConnectionError, BookBusyError)
        post_usage = PostUsage(
            book=book,
            decks=decks,
            quarantine=quarantine,
            clock=self.clock,
            change_account=change_account,
            settle_reservations=SettleReservations(
                book, self.clock, ChangeHolds(self.reservations)
            ),
        )
        self.post_usage = cast(PostUsage, self.watched(post_usage, *retried))
        correct_usage = CorrectUsage(book=book, decks=decks, change_account=change_account)
        refused = (*retried, InvalidUsageError)
        self.correct_usage = cast(CorrectUsage, self.watched(correct_usage, *refused))
        take_usage = TakeUsage(
            connections=connections,
            quarantine=quarantine,
            queue=SqsUsageQueue("usage", self.sqs(self.usage_queue)),
            parts=InMemoryUsageParts(),
            costs=InMemoryCarrierCosts(),
            clock=self.clock,
            providers=PROVIDERS,
        )
        self.take_usage = cast(TakeUsage, self.watched(take_usage, ConnectionError))
        collect = CollectRecharge(
            book=book,
            gateways={gateway.name: gateway},
            clock=self.clock,
            change_account=change_account,
            spends=all_spends(book, self.catalogs),
        )
        self.collect = collect
        refund = RefundPayment(
            book=book,
            gateways={gateway.name: gateway},
            reservations=self.reservations,
            clock=self.clock,
            change_account=change_account,
        )
        unknown = (*retried, PaymentUnknownError)
        self.refund_payment = cast(RefundPayment, self.watched(refund, *unknown))
        self.notice_sources = cast(
            NoticeSources, self.watched(NoticeSources(book, change_account), *retried)
        )
        self.collect_recharge = cast(CollectRecharge, self.watched(collect, *unknown))
        answered = (
            AlreadyRecordedError,
            IdConflictError,
            NoFundingSourceError,
            RechargeInProgressError,
        )
        self.request_recharge = cast(CollectRecharge, self.watched(collect, *unknown, *answered))
        self.roll_period = cast(RollPeriod, self.watched(RollPeriod(change_account), *retried))
        self.set_auto_recharge = cast(
            SetAutoRecharge,
            self.watched(SetAutoRecharge(change_account), *retried, StalePolicyError),
        )
        bill_account = BillAccount(
            book=book,
            catalogs=self.catalogs,
            clock=self.clock,
            change_account=change_account,
            recharge_queue=SqsWorkQueue("recharge", self.sqs(self.recharge_queue)),
        )
        self.bill_account = cast(BillAccount, self.watched(bill_account, *retried, QueueError))
        collect_invoices = CollectInvoices(
            book=book,
            catalogs=self.catalogs,
            gateways={gateway.name},
            change_account=change_account,
            collect_recharge=collect,
        )
        self.collect_invoices = cast(CollectInvoices, self.watched(collect_invoices, *unknown))
        collect_numbers = RenewNumbers(
            book=book,
            catalogs=self.catalogs,
            reservations=self.reservations,
            change_account=change_account,
            gateways={gateway.name},
            collect_recharge=collect,
        )
        self.collect_numbers = cast(RenewNumbers, self.watched(collect_numbers, *unknown))
        renew_numbers = RenewNumbers(
            book=book,
            catalogs=self.catalogs,
            reservations=self.reservations,
            change_account=change_account,
            recharge_queue=SqsWorkQueue("recharge", self.sqs(self.recharge_queue)),
        )
        self.renew_numbers = cast(RenewNumbers, self.watched(renew_numbers, *retried, QueueError))
        self.recharge_sweep = self._sweep(timers, self.recharge_queue)
        self.roll_sweep = self._sweep(timers, self.roll_queue)
        recharge_queue = SqsWorkQueue("recharge", self.sqs(self.recharge_queue))
        reconcile = ReconcilePayments(timers, recharge_queue, self.clock)
        self.reconcile_payments = cast(
            ReconcilePayments, self.watched(reconcile, ConnectionError, QueueError)
        )

    def _remote(self) -> Remote:
        lagging = LaggingTimers(self.book, self.book.account_refs, self.random, self.faults)
        return Remote(
            book=cast(Book, Perilous("book", self.book, self.faults)),
            gateway=cast(Gateway, Perilous("gateway", self.gateway, self.faults)),
            quarantine=cast(Quarantine, Perilous("quarantine", self.quarantine, self.faults)),
            decks=cast(Decks, Perilous("decks", self.decks, self.faults)),
            connections=cast(Connections, Perilous("connections", self.connections, self.faults)),
            timers=cast(Timers, Perilous("timers", lagging, self.faults)),
            catalogs=cast(Catalogs, Perilous("catalogs", self.catalogs, self.faults)),
            reservations=cast(
                Reservations, Perilous("reservations", self.reservations, self.faults)
            ),
        )

    def sqs(self, queue: SimulatedFifo) -> "SQSClient":
        return cast("SQSClient", Perilous("queue", queue, self.faults))

    def _sweep(self, timers: Timers, queue: SimulatedFifo) -> SweepTimers:
        sweep = SweepTimers(timers, SqsWorkQueue(queue.name, self.sqs(queue)), self.clock)
        return cast(SweepTimers, self.watched(sweep, ConnectionError, QueueError))

    def watched(self, service: object, *expected: type[Exception]) -> Watched:
        return Watched(service, expected, self.surprises)

    def audit(self, ref: AccountRef, operation_id: str, action: str) -> AuditRecord:
        return AuditRecord(
            account=ref,
            operation_id=operation_id,
            actor="ann",
            action=action,
            acceptance=ACCEPTANCE,
            before={},
            after={},
            at=self.clock.now(),
        )
