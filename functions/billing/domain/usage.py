"""Usage: what a provider reported, and the record kept of it."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum

from billing.domain.account import AccountRef
from billing.domain.canonical import Json, digest
from billing.domain.errors import InvalidUsageError
from billing.domain.units import Direction, Unit

MAX_QUANTITY = 10**7
"""About 115 days of one call: a report beyond it is a fault of the sender, not usage."""

EARLIEST_AT = datetime(2000, 1, 1, tzinfo=UTC)
"""Before it no call was ever reported here; a time before it is a clock that was not set."""

MAX_TEXT_CHARACTERS = 256
"""Of each id and number that a provider names: ids become a key, which has its limits."""

MAX_CLOCK_AHEAD = timedelta(minutes=10)
"""How far a provider's clock may be ahead of ours."""


class CallStatus(StrEnum):
    """How it ended. Only what was completed costs anything; all of it is kept."""

    COMPLETED = "completed"
    BUSY = "busy"
    NO_ANSWER = "no_answer"
    CANCELED = "canceled"
    FAILED = "failed"


@dataclass(frozen=True, slots=True, order=True)
class CallKey:
    """The identity of one call leg or message at its provider; never a delivery's."""

    provider: str
    provider_account: str
    call_id: str

    def __str__(self) -> str:
        """One name for one key: a separator within a part is escaped."""
        parts = (self.provider, self.provider_account, self.call_id)
        return "#".join(part.replace("%", "%25").replace("#", "%23") for part in parts)


def check_texts(field: str, *values: str) -> None:
    """
    Raises:
        InvalidUsageError: One is too long, or holds a lone surrogate, which has no UTF-8.
    """
    for value in values:
        try:
            value.encode()
        except UnicodeEncodeError as error:
            raise InvalidUsageError("it is no text that can be stored", field=field) from error
        if len(value) > MAX_TEXT_CHARACTERS:
            raise InvalidUsageError(
                f"it is longer than {MAX_TEXT_CHARACTERS} characters", field=field
            )


@dataclass(frozen=True, slots=True)
class UsageEvent:
    """One report of usage, in our words.

    Args:
        key: Which call or message.
        unit: What it is counted in.
        direction: Seen from the tenant.
        from_number: E.164, or whatever the provider knows, such as ``anonymous``.
        to_number: E.164 with ``+``; what it is rated by, in both directions.
        status: How it ended.
        quantity: Answered seconds before any increment, or message segments. 0 if unanswered.
        answered_at: Aware UTC; chooses the deck version. None if unanswered.
        ended_at: Aware UTC; chooses the period and the grants.
        connection_id: Where it came in.
    """

    key: CallKey
    unit: Unit
    direction: Direction
    from_number: str
    to_number: str
    status: CallStatus
    quantity: int
    answered_at: datetime | None
    ended_at: datetime
    connection_id: str

    def __post_init__(self) -> None:
        check_texts("call_id", self.key.provider, self.key.provider_account, self.key.call_id)
        check_texts("to", self.from_number, self.to_number)
        times = [at for at in (self.answered_at, self.ended_at) if at is not None]
        if any(at.tzinfo is None or at < EARLIEST_AT for at in times):
            raise InvalidUsageError("times name their zone, and lie after 2000", field="ended_at")
        if not 0 <= self.quantity <= MAX_QUANTITY:
            raise InvalidUsageError(
                f"a quantity of {self.quantity} is not 0 to {MAX_QUANTITY}", field="quantity"
            )
        if self.quantity and self.status is not CallStatus.COMPLETED:
            raise InvalidUsageError(f"a {self.status} call has no quantity", field="quantity")
        if self.quantity and self.answered_at is None:
            raise InvalidUsageError("answered usage says when", field="answered_at")
        if self.answered_at is not None and self.answered_at > self.ended_at:
            raise InvalidUsageError("it ends before it is answered", field="answered_at")

    @property
    def fingerprint(self) -> str:
        """Digest of the billable content: two reports of one call must agree on it.

        Times lie outside: providers stamp the same call differently from one callback to the next,
        and none of that changes what was used.
        """
        return digest([self.unit, self.direction, self.to_number, self.quantity])[:32]

    def to_json(self) -> dict[str, Json]:
        """The event as it travels on the queue and rests in the quarantine."""
        return {
            "provider": self.key.provider,
            "provider_account": self.key.provider_account,
            "call_id": self.key.call_id,
            "unit": self.unit,
            "direction": self.direction,
            "from": self.from_number,
            "to": self.to_number,
            "status": self.status,
            "quantity": self.quantity,
            "answered_at": self.answered_at.isoformat() if self.answered_at else None,
            "ended_at": self.ended_at.isoformat(),
            "connection_id": self.connection_id,
        }

    @staticmethod
    def from_json(value: Mapping[str, Json]) -> "UsageEvent":
        """Read back what ``to_json`` wrote.

        Raises:
            InvalidUsageError: Something is missing or not what it should be.
        """
        try:
            answered_at = value["answered_at"]
            quantity = value["quantity"]
            if type(quantity) is not int:
                raise TypeError(quantity)
            return UsageEvent(
                key=CallKey(
                    str(value["provider"]), str(value["provider_account"]), str(value["call_id"])
                ),
                unit=Unit(str(value["unit"])),
                direction=Direction(str(value["direction"])),
                from_number=str(value["from"]),
                to_number=str(value["to"]),
                status=CallStatus(str(value["status"])),
                quantity=quantity,
                answered_at=_instant(answered_at) if answered_at is not None else None,
                ended_at=_instant(value["ended_at"]),
                connection_id=str(value["connection_id"]),
            )
        except (KeyError, ValueError, TypeError, OverflowError) as error:
            raise InvalidUsageError(f"not a usage event: {error!r}") from error


def _instant(value: Json) -> datetime:
    at = datetime.fromisoformat(str(value))
    if at.tzinfo is None:
        raise ValueError(f"{value} names no time zone")
    return at.astimezone(UTC)


class CorrectionSource(StrEnum):
    """Who may say that a recorded call was other than it was first posted."""

    CARRIER = "carrier"
    RERATING = "rerating"
    OPERATOR = "operator"


@dataclass(frozen=True, slots=True)
class Corrected:
    """That a call is no longer as it was first posted.

    Args:
        revision: 1 and up; a call that was never corrected is at revision 0.
        source: Who said so.
        first_sequence: The ledger entry that charged the call first.
        first_posted_at: When (aware UTC); what the call burns is decided as of then.
    """

    revision: int
    source: CorrectionSource
    first_sequence: int
    first_posted_at: datetime


@dataclass(frozen=True, slots=True)
class Call:
    """The record of one call or message: what was used, what it cost, who paid.

    It is its own duplicate guard, whichever account it went to.

    Args:
        event: What was reported.
        account_id: Whose usage it was; the tenant is part of its key.
        fingerprint: Digest of the billable content.
        deck_id: The rate deck, its version and the prefix that priced it; empty, 0 and empty when
            nothing was used.
        billed_quantity: The quantity after increments.
        granted: What each lot gave, by its id, in billed quantity.
        cost_micros: The price of the whole call.
        wallet_micros: The part of it the wallet paid.
        sequence: The ledger entry that charges it, as it is here.
        posted_at: When (aware UTC).
        corrected: None: it is as it was first posted.
    """

    event: UsageEvent
    account: AccountRef
    fingerprint: str
    deck_id: str
    deck_version: int
    prefix: str
    billed_quantity: int
    granted: tuple[tuple[str, int], ...]
    cost_micros: int
    wallet_micros: int
    sequence: int
    posted_at: datetime
    corrected: Corrected | None = None

    @property
    def revision(self) -> int:
        return self.corrected.revision if self.corrected else 0

    @property
    def first_sequence(self) -> int:
        return self.corrected.first_sequence if self.corrected else self.sequence

    @property
    def first_posted_at(self) -> datetime:
        return self.corrected.first_posted_at if self.corrected else self.posted_at
