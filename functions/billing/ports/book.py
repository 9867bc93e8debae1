"""The book: accounts and all that is written with them, what is due, and who exists."""

from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Protocol, TypeVar

from billing.domain.account import Account, AccountRef
from billing.domain.change import Change
from billing.domain.errors import TalktimeError
from billing.domain.ledger import LedgerEntry
from billing.domain.records import (
    AccountListing,
    ClosedPeriod,
    Dispute,
    FundingSource,
    Operation,
    Payment,
    Recharge,
    Refund,
    Tenant,
    Timer,
    TimerKind,
)
from billing.domain.things import Thing
from billing.domain.usage import Call, CallKey

T = TypeVar("T", bound=Thing)


class AlreadyRecordedError(TalktimeError):
    """The operation is in the book with the same body; carries what was recorded."""

    code = "already_recorded"

    def __init__(self, operation: Operation) -> None:
        super().__init__(f"operation {operation.operation_id} is already recorded")
        self.operation = operation


class CallsRecordedError(TalktimeError):
    """Some calls of a usage batch are in the book already; carries their records."""

    code = "calls_recorded"

    def __init__(self, calls: tuple[Call, ...]) -> None:
        super().__init__(f"{len(calls)} calls of the batch are already recorded")
        self.calls = calls


class Book(Protocol):
    """Everything known about billing accounts. One write, all or nothing.

    Every single read is strongly consistent. Lists are read in order and may be behind.
    """

    def account(self, ref: AccountRef) -> Account:
        """The account as of its last committed Change.

        Raises:
            NotFoundError: No such account under this tenant.
        """
        ...

    def states(self, refs: Iterable[AccountRef]) -> dict[AccountRef, Account]:
        """Those of the accounts that exist, each as of its last committed Change, read together."""
        ...

    def operation(self, ref: AccountRef, operation_id: str) -> Operation | None:
        """What is recorded of an operation of that account's tenant."""
        ...

    def calls(self, tenant_id: str, keys: Iterable[CallKey]) -> dict[CallKey, Call]:
        """Which of these calls are recorded, whichever account they went to, as first posted."""
        ...

    def current_calls(self, tenant_id: str, keys: Iterable[CallKey]) -> dict[CallKey, Call]:
        """The same calls, each as its latest correction left it."""
        ...

    def call_revisions(
        self, tenant_id: str, names: Iterable[tuple[CallKey, int]]
    ) -> dict[tuple[CallKey, int], Call]:
        """Calls as one entry of a ledger names them: 0 is as first posted."""
        ...

    def funding_source(self, ref: AccountRef, source_id: str) -> FundingSource:
        """
        Raises:
            NotFoundError: No such source.
        """
        ...

    def recharge(self, ref: AccountRef, ordinal: int) -> Recharge:
        """
        Raises:
            NotFoundError: No such recharge.
        """
        ...

    def payment(self, ref: AccountRef, gateway: str, payment_id: str) -> Payment:
        """
        Raises:
            NotFoundError: That account has no such payment.
        """
        ...

    def payment_account(self, gateway: str, payment_id: str) -> AccountRef | None:
        """Whose payment it is; None: it is not in the book."""
        ...

    def refund(self, ref: AccountRef, gateway: str, payment_id: str, number: int) -> Refund:
        """
        Raises:
            NotFoundError: No such refund.
        """
        ...

    def refunds(self, ref: AccountRef, gateway: str, payment_id: str) -> list[Refund]:
        """Every refund of a payment, in their order; strongly consistent."""
        ...

    def dispute(self, ref: AccountRef, gateway: str, dispute_id: str) -> Dispute | None:
        """What is recorded of a dispute."""
        ...

    def commit(self, change: Change) -> None:
        """Write one Change in one transaction.

        Outcomes, in order of precedence:
            ChangeTooLargeError: More items than a transaction holds. Nothing was written.
            AlreadyRecordedError: The operation is in the book with the same body. Nothing was
                written.
            IdConflictError: The operation is in the book with another body. Nothing was written.
            CallsRecordedError: Calls of the batch are in the book, with whatever content: compare
                fingerprints, drop them, decide the rest again. Nothing was written.
            StaleAccountError: The account moved on since it was read (or, for an opening Change,
                exists), or so did what is set aside for calls, or the tenant's members. Nothing was
                written.
            NumberTakenError: A phone number that it claims is somebody's. Nothing was written.
            MemberExistsError: Another member of the tenant has the address or subject. Nothing was
                written.
            BookContendedError: Throttled, or in conflict with another transaction. Nothing was
                written.
            committed: Everything was written together.

        Any other error, such as a lost connection, leaves the outcome unknown: commit the same
        Change again, or read; the conditions make both safe.
        """
        ...

    def entries(
        self,
        account: Account,
        after_sequence: int = 0,
        limit: int | None = None,
        posted_from: datetime | None = None,
    ) -> Iterator[LedgerEntry]:
        """Ledger entries in sequence, after the given one. ``account`` bounds the months read.

        Args:
            posted_from: When the given entry was posted, by those who know: no earlier month has to
                be read.
        """
        ...

    def recharges(self, ref: AccountRef, before_ordinal: int | None, limit: int) -> list[Recharge]:
        """Recharges, newest first, older than the given ordinal."""
        ...

    def funding_sources(self, ref: AccountRef) -> list[FundingSource]:
        """All of them, removed ones too, by id; strongly consistent."""
        ...

    def thing(self, ref: AccountRef, kind: type[T], name: str = "") -> T | None:
        """The thing of that kind and name, strongly consistent; None: there is none."""
        ...

    def things(
        self,
        ref: AccountRef,
        kind: type[T],
        prefix: str = "",
        *,
        before: str | None = None,
        limit: int | None = None,
    ) -> list[T]:
        """All of a kind whose names begin so, by name; strongly consistent.

        Args:
            before: Only names before this one, from there backwards: newest first, where names
                rise with time. Empty: from the last one. None: forwards, from the first.
        """
        ...

    def closed_periods(self, ref: AccountRef, year: int) -> list[ClosedPeriod]:
        """Periods that turned in that calendar year (UTC), oldest first."""
        ...


class Directory(Protocol):
    """Which tenants and accounts exist. Written by Changes, and by renaming a tenant."""

    def tenant(self, tenant_id: str) -> Tenant:
        """
        Raises:
            NotFoundError: No such tenant.
        """
        ...

    def tenants(self, after: str | None, limit: int) -> list[Tenant]:
        """Tenants by id, after the given one."""
        ...

    def amend_tenant(self, seen: Tenant, wanted: Tenant) -> Tenant:
        """Store a tenant as it is wanted, one version later, if it is still at the version seen.

        Raises:
            ConflictError: Somebody else changed it since.
        """
        ...

    def accounts(self, tenant_id: str, after: str | None, limit: int) -> list[AccountListing]:
        """The tenant's accounts by id, after the given one."""
        ...


class Timers(Protocol):
    """What is due, read from the sparse index: cost depends on what is due, not on who exists."""

    def due(self, kind: TimerKind, now: datetime) -> Iterator[Timer]:
        """Timers of that kind due at or before ``now``, in no particular order."""
        ...
