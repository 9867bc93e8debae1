"""Usage on its way in, what could not be placed, and what is made of it."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Protocol

from billing.domain.account import AccountRef
from billing.domain.callbacks import CarrierRated, Parsed, WebhookRequest
from billing.domain.provider_records import Reconciliation, RecordsPage
from billing.domain.quarantine import Parked
from billing.domain.summaries import DaySummary, SummaryHead
from billing.domain.usage import CallKey, UsageEvent
from billing.domain.usage_parts import UsagePart
from billing.ports.selling import Connection


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
