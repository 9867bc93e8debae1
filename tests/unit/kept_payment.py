"""One captured payment of one account, and everything that is written of it: a book of its own."""

from dataclasses import replace

from billing.domain import alerts
from billing.domain.account import Account
from billing.domain.change import Change
from billing.domain.ledger import LedgerEntry, Proof, prove
from billing.domain.records import (
    Dispute,
    Event,
    FundingSource,
    Operation,
    Payment,
    Refund,
    RefundState,
)
from billing.domain.refunding import PENDING
from builders import ACME, NOON, USD, a_credit, an_account

PAYMENT = Payment(
    account=ACME,
    gateway="sandbox",
    payment_id="pay-1",
    amount_micros=100 * USD,
    currency="USD",
    ordinal=1,
    captured_at=NOON,
    source_id="card-1",
    credited_by="credit",
)


class KeptPayment:
    """Takes Changes as a book does, and holds each operation to being a new one."""

    def __init__(self, wallet_micros: int = 100 * USD, payment: Payment = PAYMENT) -> None:
        self.account: Account = an_account().next_version()
        self.payment = payment
        self.refunds: dict[int, Refund] = {}
        self.disputes: dict[str, Dispute] = {}
        self.sources: dict[str, FundingSource] = {}
        self.operations: dict[str, Operation] = {}
        self.entries: list[LedgerEntry] = []
        self.events: list[Event] = []
        self.take(a_credit(self.account, wallet_micros, "credit"))

    def take(self, change: Change | None) -> Change | None:
        """Write a Change, if there is one."""
        if change is None:
            return None
        assert change.before == self.account, "decided on what stands"
        assert change.operation is not None
        assert change.operation.operation_id not in self.operations, "done once"
        change = alerts.told(change, change.operation.recorded_at)
        for operation in (change.operation, change.finished):
            if operation is not None:
                self.operations[operation.operation_id] = operation
        keys = [event.type for event in change.events]
        assert len(set(keys)) == len(keys), "a version has one event of a type"
        for record in change.records:
            match record:
                case Payment():
                    assert record.revision == self.payment.revision + 1
                    self.payment = record
                case Refund():
                    self.refunds[record.number] = record
                case Dispute():
                    self.disputes[record.dispute_id] = record
                case FundingSource():
                    self.sources[record.source_id] = record
        self.account = change.after
        self.entries += change.entries
        self.events += change.events
        return change

    @property
    def told(self) -> list[str]:
        return [event.type.value for event in self.events]

    @property
    def moved(self) -> list[tuple[str, str, str, int]]:
        """Kind, debit, credit and whole dollars of every entry after the first credit."""
        return [
            (one.kind.value, one.debit, one.credit, one.amount_micros // USD)
            for one in self.entries[1:]
        ]

    def prove(self) -> Proof:
        opening = replace(an_account().next_version(), created_at=self.account.created_at)
        assert opening.head.sequence == 0
        return prove(self.account, self.entries)

    def balance_of(self, name: str) -> int:
        """What a ledger account holds, in micros."""
        return sum(
            one.amount_micros * ((one.credit == name) - (one.debit == name)) for one in self.entries
        )

    def is_settled(self) -> bool:
        """Nothing is on its way, neither in the state nor in the ledger."""
        open_ = [r for r in self.refunds.values() if r.state is RefundState.PENDING]
        return not open_ and not self.account.recharging.refunds and not self.balance_of(PENDING)
