"""The Change: every state change of a billing account, whoever causes it, as one value.

The domain decides it, one adapter writes it in one transaction: a money move, its ledger entries,
its records, its events and its timers land together or not at all.
"""

from dataclasses import dataclass

from billing.domain.account import Account
from billing.domain.ledger import LedgerEntry
from billing.domain.members import Membership
from billing.domain.records import (
    Event,
    Operation,
    Payment,
    Record,
    Tenant,
    Timer,
    TimerKind,
)
from billing.domain.reservations import Holds
from billing.domain.usage import Call

MAX_ITEMS = 100
"""Items one DynamoDB transaction holds (service quota, 2022)."""


@dataclass(frozen=True, slots=True)
class Change:
    """One decision, ready to be written.

    Args:
        before: The account it was decided from; None opens the account.
        after: The account it leads to, one version later.
        operation: Its cause, new to the book. A usage batch has none: it is many operations, one
            per call, and each call's record is its own guard.
        finished: The pending operation of a saga, now with its answer; replaces what was written.
        entries: Ledger entries, in sequence.
        calls: Usage posted by it; each is new to the book.
        revisions: Calls of the book as this corrects them; each is its call's next revision.
        records: Named by their cause, so writing one again writes the same.
        timers_set: Replace timers of their kind.
        timers_cleared: Kinds that are no longer due.
        events: For the bus.
        holds: What was set aside when a debit was asked for, so that no call is authorised on the
            same money; None: nothing is debited by request.
        numbers_claimed: Phone numbers, in E.164, that nobody has and this account now does.
        numbers_freed: Phone numbers that nobody has from now on.
        members: A member that it adds or changes, with the tenant's guards; None: nobody.
    """

    before: Account | None
    after: Account
    operation: Operation | None = None
    finished: Operation | None = None
    entries: tuple[LedgerEntry, ...] = ()
    calls: tuple[Call, ...] = ()
    revisions: tuple[Call, ...] = ()
    records: tuple[Record, ...] = ()
    timers_set: tuple[Timer, ...] = ()
    timers_cleared: tuple[TimerKind, ...] = ()
    events: tuple[Event, ...] = ()
    holds: Holds | None = None
    numbers_claimed: tuple[str, ...] = ()
    numbers_freed: tuple[str, ...] = ()
    members: Membership | None = None

    def __post_init__(self) -> None:
        seen = self.before.version if self.before else 0
        assert self.after.version == seen + 1, "a Change bumps the version by one"
        assert self.operation or self.calls, "a Change has a cause"
        first = self.before.head.sequence if self.before else 0
        sequences = [entry.sequence for entry in self.entries]
        assert sequences == list(range(first + 1, first + 1 + len(sequences))), "entries follow on"
        assert self.after.head.sequence == first + len(sequences), "the head is the last entry"
        moved = sum(entry.wallet_change_micros for entry in self.entries)
        before = self.before.wallet_micros if self.before else 0
        assert self.after.wallet_micros == before + moved, "money moves by ledger entry only"

    @property
    def item_count(self) -> int:
        """Items in its transaction, the account state included.

        A new payment is written with the pointer that its gateway's webhooks find it by, a tenant
        with its line in the directory, a revision with its number on the call it corrects.
        """
        parts = (self.entries, self.calls, self.records, self.timers_set, self.timers_cleared)
        operations = (self.operation is not None) + (self.finished is not None)
        doubled = sum(
            isinstance(record, Tenant) or (isinstance(record, Payment) and not record.revision)
            for record in self.records
        )
        revised = 2 * len(self.revisions)
        held = (self.holds is not None) + len(self.numbers_claimed) + len(self.numbers_freed)
        joined = self.members.item_count if self.members else 0
        counted = operations + sum(map(len, parts)) + revised + doubled + len(self.events)
        return 1 + counted + held + joined
