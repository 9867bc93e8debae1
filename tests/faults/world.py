"""One account, one gateway, and processes that may die: what is kept outlives them."""

from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from billing.domain import opening
from billing.domain.account import Account, AccountRef, PlanTerms
from billing.domain.change import Change
from billing.domain.collecting import relevel
from billing.domain.errors import PaymentUnknownError, TalktimeError
from billing.domain.gateway_events import GatewayEvent
from billing.domain.ledger import EntryKind, LedgerEntry, prove
from billing.domain.payments import PaymentMethod
from billing.domain.recharging import RechargePolicy, Recharging
from billing.domain.records import (
    Event,
    FundingSource,
    Operation,
    OperationState,
    TimerKind,
)
from billing.domain.sources import UPI_NOTICE_HOURS
from billing.ports import AlreadyRecordedError
from billing.services.begin_source import BeginSource
from billing.services.change_account import ChangeAccount
from billing.services.collect_recharge import CollectRecharge, RechargeRequest
from billing.services.confirm_source import ConfirmSource
from billing.services.publish_events import PublishEvents
from billing.services.refund_payment import RefundOrder, RefundPayment
from billing.services.sweep_timers import SweepTimers
from billing.services.take_gateway_event import TakeGatewayEvent
from fakes.book import InMemoryBook
from fakes.world import FixedClock
from faults.gateway import NAME, TruthfulGateway
from faults.points import Crash, Points

REF = AccountRef("acme", "main")
BEGUN = datetime(2026, 3, 1, 8, tzinfo=UTC)


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
    change_account: ChangeAccount


class FaultWorld:
    """What is kept, and processes over it.

    Args:
        step: How far time goes between one try at recovery and the next.
    """

    def __init__(self, step: timedelta) -> None:
        self.step = step
        self.book = InMemoryBook()
        self.clock = FixedClock(BEGUN)
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
        collect = CollectRecharge(**kept)
        refunds = RefundPayment(**kept)
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
            for finish in (process.collect.collect, process.refunds.finish_open):
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

    def refund(self, process: Process, order: RefundOrder) -> None:
        try:
            process.refunds.refund(REF, order)
        except AlreadyRecordedError:
            with suppress(PaymentUnknownError):
                process.refunds.finish_open(REF)
        except PaymentUnknownError:
            return

    def crashes(self, run: Callable[[Process], None]) -> bool:
        """Run in a process of its own; whether it died."""
        try:
            run(self.process())
        except Crash:
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
    assert account.wallet_micros == sum(captured.values()) - refunded + disputed + used
