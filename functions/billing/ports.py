"""What the services need of the world. Outcomes are listed in order of precedence."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

from billing.domain.account import Account, AccountRef
from billing.domain.callbacks import Parsed, WebhookRequest
from billing.domain.canonical import Json
from billing.domain.catalog import Catalog
from billing.domain.change import Change
from billing.domain.errors import TalktimeError
from billing.domain.ledger import LedgerEntry
from billing.domain.rating import RateDeck
from billing.domain.records import (
    AccountListing,
    ClosedPeriod,
    Event,
    FundingSource,
    Operation,
    Recharge,
    Tenant,
    Timer,
    TimerKind,
)
from billing.domain.usage import Call, CallKey, UsageEvent


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


class Clock(Protocol):
    """The time, as an argument for everything that decides."""

    def now(self) -> datetime:
        """Aware UTC, whole microseconds."""
        ...


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

    def operation(self, ref: AccountRef, operation_id: str) -> Operation | None:
        """What is recorded of an operation of that account's tenant."""
        ...

    def calls(self, tenant_id: str, keys: Iterable[CallKey]) -> dict[CallKey, Call]:
        """Which of these calls are recorded, whichever account they went to."""
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
                exists). Nothing was written.
            BookContendedError: Throttled, or in conflict with another transaction. Nothing was
                written.
            committed: Everything was written together.

        Any other error, such as a lost connection, leaves the outcome unknown: commit the same
        Change again, or read; the conditions make both safe.
        """
        ...

    def entries(
        self, account: Account, after_sequence: int = 0, limit: int | None = None
    ) -> Iterator[LedgerEntry]:
        """Ledger entries in sequence, after the given one. ``account`` bounds the months read."""
        ...

    def recharges(self, ref: AccountRef, before_ordinal: int | None, limit: int) -> list[Recharge]:
        """Recharges, newest first, older than the given ordinal."""
        ...

    def funding_sources(self, ref: AccountRef) -> list[FundingSource]:
        """All of them, by id."""
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

    def rename_tenant(self, tenant: Tenant, name: str) -> Tenant:
        """Give the tenant another name, if it is still at the version seen.

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


@dataclass(frozen=True, slots=True)
class StoredCatalog:
    """The catalogue with its version, which is also its ETag."""

    version: int
    catalog: Catalog


class Catalogs(Protocol):
    """The operator's catalogue: one versioned document."""

    def current(self) -> StoredCatalog:
        """
        Raises:
            NotFoundError: The operator has not uploaded one yet.
        """
        ...

    def save(self, catalog: Catalog, seen_version: int) -> StoredCatalog:
        """Store the next version, if ``seen_version`` (0: none) is still current.

        Raises:
            ConflictError: Somebody else saved one since.
        """
        ...


@dataclass(frozen=True, slots=True)
class DeckVersion:
    """One version of a rate deck, without its rates."""

    deck_id: str
    version: int
    currency: str
    effective_at: datetime
    rounding: str
    decimals: int
    digest: str
    rates: int
    uploaded_at: datetime


DECK_VERSIONS_KEPT = timedelta(seconds=60)
"""How long a warm worker trusts the list of a deck's versions that it has read."""


class Decks(Protocol):
    """Rate decks: versions in the table, bodies in the object store, both held in memory."""

    def versions(self, deck_id: str) -> Sequence[DeckVersion]:
        """All versions, oldest first; empty for an unknown deck. May be a cache lifetime old."""
        ...

    def deck_ids(self) -> list[str]:
        """Every deck that has a version, by id."""
        ...

    def load(self, version: DeckVersion) -> RateDeck:
        """The deck itself; kept in memory, since a version never changes."""
        ...

    def store(self, version: DeckVersion, body: str) -> None:
        """Store the body, then the version.

        Raises:
            ConflictError: That version exists already.
        """
        ...


@dataclass(frozen=True, slots=True)
class Connection:
    """A provider connection: whose webhooks come in, and to which account they go.

    Args:
        secrets: What signatures are checked with; two while one is being replaced.
        account: Where usage goes when the provider account is not in ``accounts``; None parks it.
        accounts: Provider sub-account to account.
    """

    connection_id: str
    provider: str
    secrets: tuple[str, ...]
    account: AccountRef | None
    accounts: Mapping[str, AccountRef]
    version: int
    updated_at: datetime

    def account_for(self, provider_account: str) -> AccountRef | None:
        return self.accounts.get(provider_account, self.account)


class Connections(Protocol):
    """Provider connections; secrets are encrypted at rest and leave only through ``get``."""

    def get(self, connection_id: str) -> Connection:
        """
        Raises:
            NotFoundError: No such connection.
        """
        ...

    def all(self) -> list[Connection]:
        """Every connection by id, with ``secrets`` empty."""
        ...

    def save(self, connection: Connection, seen_version: int) -> None:
        """Store it, if ``seen_version`` (0: none) is still current.

        Raises:
            ConflictError: Somebody else saved it since.
        """
        ...

    def delete(self, connection_id: str) -> None:
        """Forget it. Forgetting what does not exist changes nothing."""
        ...


@dataclass(frozen=True, slots=True)
class Parked:
    """Usage that could not be placed or priced, kept until somebody does.

    Args:
        parked_id: Digest of the event and reason, so that parking twice is parking once.
        reason: A stable code, such as ``account_not_mapped``.
        detail: One sentence.
        event: The normalised event, or the raw callback where it could not be read.
    """

    parked_id: str
    reason: str
    detail: str
    connection_id: str
    account: AccountRef | None
    event: dict[str, Json]
    parked_at: datetime


class Quarantine(Protocol):
    """Usage that waits for a person: never dropped, never guessed."""

    def park(self, parked: Parked) -> None:
        """Keep it; parking the same again keeps the first."""
        ...

    def parked(self, after: str | None, limit: int) -> list[Parked]:
        """What is parked, by id, after the given one."""
        ...


class TelephonyProvider(Protocol):
    """A provider's webhook dialect. Both methods are pure; neither trusts what it is given."""

    def verify(
        self, request: WebhookRequest, secrets: Sequence[str], received_at: datetime
    ) -> bool:
        """Whether one of the secrets signed the request. Never raises; no secrets, no trust.

        Args:
            received_at: Aware UTC; what a signed time is compared with, where there is one.
        """
        ...

    def parse(self, request: WebhookRequest, connection_id: str, received_at: datetime) -> Parsed:
        """Read a request that was verified."""
        ...


class UsageQueue(Protocol):
    """Durable, first in first out within one account."""

    def send(self, ref: AccountRef, events: Sequence[UsageEvent]) -> None:
        """Hand events on. They are durable when this returns; it raises otherwise."""
        ...


class WorkQueue(Protocol):
    """Work that names an account and nothing else: the worker decides again from the state."""

    def send(self, refs: Iterable[AccountRef], cause: str) -> int:
        """Hand work on; the same cause for the same account within minutes is one message.

        Returns:
            How many messages were sent.
        """
        ...


@dataclass(frozen=True, slots=True)
class ChargeRequest:
    """What a gateway is asked to collect.

    Args:
        idempotency_key: Derived from the saga; repeated, it can never charge twice.
        amount_minor: Whole minor units.
        source_token: The gateway's own token.
    """

    idempotency_key: str
    amount_minor: int
    currency: str
    source_token: str
    metadata: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Captured:
    """The gateway has the money."""

    payment_id: str


@dataclass(frozen=True, slots=True)
class Declined:
    """The gateway definitely did not, and will not under this key."""

    code: str


class Gateway(Protocol):
    """Collects payments. Only its own word makes a payment known."""

    name: str

    def charge(self, request: ChargeRequest) -> Captured | Declined:
        """Collect once per idempotency key; the same key again answers the same.

        Raises:
            PaymentUnknownError: It did not answer; it may have charged.
        """
        ...

    def find(self, idempotency_key: str) -> Captured | Declined | None:
        """What became of that key; None: the gateway never charged under it and no longer will.

        Raises:
            PaymentUnknownError: It did not answer.
        """
        ...


class Events(Protocol):
    """The outbox's other end."""

    def publish(self, events: Sequence[Event]) -> None:
        """Put events on the bus; raises unless all were taken."""
        ...

    def forget(self, events: Sequence[Event]) -> None:
        """Delete what was published from the outbox."""
        ...
