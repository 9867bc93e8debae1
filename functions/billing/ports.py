"""What the services need of the world. Outcomes are listed in order of precedence."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Protocol

from billing.domain.account import Account, AccountRef
from billing.domain.callbacks import CarrierRated, Parsed, WebhookRequest
from billing.domain.catalog import Catalog
from billing.domain.change import Change
from billing.domain.errors import TalktimeError
from billing.domain.ledger import LedgerEntry
from billing.domain.provider_records import Reconciliation, RecordsPage
from billing.domain.quarantine import Parked as Parked
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
from billing.domain.summaries import DaySummary, SummaryHead
from billing.domain.usage import Call, CallKey, UsageEvent
from billing.domain.usage_parts import UsagePart


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
        """All of them, by id."""
        ...

    def closed_periods(self, ref: AccountRef, year: int) -> list[ClosedPeriod]:
        """Periods that turned in that calendar year (UTC), oldest first."""
        ...


class Summaries(Protocol):
    """What accounts used by hour, direction and country: a projection of the ledger, made by days.

    Every single read is strongly consistent; a range of days may be behind.
    """

    def head(self, ref: AccountRef) -> SummaryHead:
        """Where the account's summaries stand; version 0 if there are none."""
        ...

    def days(
        self, ref: AccountRef, generation: int, days: Iterable[date]
    ) -> dict[date, DaySummary]:
        """Those of the days that have any usage."""
        ...

    def between(
        self, ref: AccountRef, generation: int, begin: date, end: date
    ) -> Iterator[tuple[date, DaySummary]]:
        """The days from ``begin`` up to, and not including, ``end`` that have any usage."""
        ...

    def write(
        self,
        ref: AccountRef,
        head: SummaryHead,
        generation: int,
        days: Mapping[date, DaySummary],
    ) -> None:
        """Put the head, if it is one version after what is stored, and the days, all or nothing.

        Outcomes, in order of precedence:
            ConflictError: Somebody else has written the head since. Nothing was written.
            BookContendedError: Throttled, or in conflict with another. Nothing was written.
            written: All of it.
        """
        ...

    def forget(self, ref: AccountRef, before_generation: int) -> None:
        """Delete the days of earlier generations."""
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
    """One version of a rate deck, without its rates.

    Args:
        effective_at: Of a draft, when it was uploaded; it means nothing before it is activated.
        is_draft: It prices nothing until it is activated.
    """

    deck_id: str
    version: int
    currency: str
    effective_at: datetime
    rounding: str
    decimals: int
    digest: str
    rates: int
    uploaded_at: datetime
    is_draft: bool = False


DECK_VERSIONS_KEPT = timedelta(seconds=60)
"""How long a warm worker trusts the list of a deck's versions that it has read."""


class Decks(Protocol):
    """Rate decks: versions in the table, bodies in the object store, both held in memory."""

    def versions(self, deck_id: str) -> Sequence[DeckVersion]:
        """All versions but drafts, oldest first; empty for an unknown deck. May be a cache lifetime
        old."""
        ...

    def uploaded(self, deck_id: str) -> Sequence[DeckVersion]:
        """All versions with the drafts, oldest first, as they are now."""
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

    def activate(self, draft: DeckVersion, effective_at: datetime) -> DeckVersion:
        """Let a draft price calls that are answered from then on.

        Raises:
            ConflictError: It is no draft any more.
        """
        ...


@dataclass(frozen=True, slots=True)
class UploadOffer:
    """Where a file too large for a request may be put, once.

    Args:
        url: Signed; whoever has it may use it until ``expires_at``.
        headers: To be sent with it, exactly so.
    """

    upload_id: str
    url: str
    headers: Mapping[str, str]
    expires_at: datetime


class DeckUploads(Protocol):
    """Files of decks on their way in."""

    def offer(self, deck_id: str, size_bytes: int) -> UploadOffer:
        """A place for one file of exactly that size."""
        ...

    def content(self, deck_id: str, upload_id: str) -> bytes:
        """
        Raises:
            NotFoundError: Nothing was put there, or it is gone again.
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


class Quarantine(Protocol):
    """Usage that waits for a person: never dropped, never guessed."""

    def park(self, parked: Parked) -> None:
        """Keep it; parking the same again keeps the first.

        What was replayed, and could not be posted again, waits once more (``park_again``).
        """
        ...

    def get(self, parked_id: str) -> Parked:
        """
        Raises:
            NotFoundError: Nothing was ever parked under this id.
        """
        ...

    def get_many(self, parked_ids: Iterable[str]) -> dict[str, Parked]:
        """Those that exist, by id."""
        ...

    def save(self, parked: Parked, seen_version: int) -> None:
        """Store it, if ``seen_version`` is still current.

        Raises:
            ConflictError: Somebody else changed it since.
        """
        ...

    def parked(self, after: str | None, limit: int) -> list[Parked]:
        """What was ever parked, by id, after the given one."""
        ...

    def open(self) -> Iterator[Sequence[Parked]]:
        """Everything that was open a moment ago, in groups of at most 100.

        Costs what is open, however much was parked before and is closed.
        """
        ...


@dataclass(frozen=True, slots=True)
class KeptPart:
    """A part of a call, kept until the others have come.

    Args:
        account: Whose call it is; None: the connection maps it to nobody yet.
        due_at: From when on the part is looked at if the call is not whole; None: it is settled.
        expires_at: When it is forgotten, in whole seconds.
    """

    part: UsagePart
    account: AccountRef | None
    due_at: datetime | None
    expires_at: datetime

    @property
    def call(self) -> "PartialCall":
        return PartialCall(self.account.tenant_id if self.account else None, self.part.key)


@dataclass(frozen=True, slots=True)
class PartialCall:
    """A call that is known in parts. Parts of one tenant never join those of another, or nobody's.

    Args:
        tenant_id: None: nobody's yet.
    """

    tenant_id: str | None
    key: CallKey


class UsageParts(Protocol):
    """Parts of calls that are only complete with their others."""

    def keep(self, kept: KeptPart) -> None:
        """Keep a part. It is durable when this returns; the same part again keeps the first.

        Whoever keeps a part and reads the call afterwards sees every part whose keeper has
        returned: of two that arrive at once, at least one sees both.
        """
        ...

    def of_call(self, call: PartialCall) -> list[KeptPart]:
        """Every part of the call that is kept, read consistently, in no particular order."""
        ...

    def settle(self, kept: Iterable[KeptPart]) -> None:
        """Nothing is due of these any more; they stay until they expire."""
        ...

    def due(self, now: datetime) -> Iterator[PartialCall]:
        """Calls with a part due at or before ``now``, each at least once, in no particular order.

        May be behind: what was settled a moment ago can be among them.
        """
        ...


class CarrierCosts(Protocol):
    """What carriers bill the operator for calls. None of it is what a tenant is billed."""

    def keep(self, tenant_id: str, rated: CarrierRated) -> None:
        """Keep the carrier's latest word on a call, in whatever order and however often it comes.

        The call itself need not be known yet.
        """
        ...

    def of_calls(self, tenant_id: str, keys: Iterable[CallKey]) -> dict[CallKey, CarrierRated]:
        """Those that are known, read consistently."""
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


class ProviderRecords(Protocol):
    """What a provider itself knows: its own list of calls and messages."""

    def page(
        self,
        connection: Connection,
        provider_account: str,
        begin_at: datetime,
        end_at: datetime,
        cursor: str | None,
    ) -> RecordsPage:
        """One page of what one of the provider's accounts began in ``[begin_at, end_at)``.

        A provider that lists whole days may give more; each record names its time.

        Args:
            cursor: The page before's ``next``; None: from the beginning.

        Raises:
            ProviderRefusedError: It will not answer this, however often it is asked.
            ProviderUnavailableError: It did not answer in time, or not in its own language.
        """
        ...


class ReconciliationQueue(Protocol):
    """Comparisons to be made, in no particular order; one made twice changes nothing."""

    def send(self, work: Sequence[Reconciliation]) -> None:
        """Hand work on. It is durable when this returns; it raises otherwise."""
        ...


class UsageQueue(Protocol):
    """Durable, first in first out within one account."""

    def send(self, ref: AccountRef, events: Sequence[UsageEvent], cause: str = "") -> None:
        """Hand events on. They are durable when this returns; it raises otherwise.

        Args:
            cause: Why these are sent, where they were sent before: the same events for the same
                cause within minutes are one message.
        """
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
