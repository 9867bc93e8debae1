"""A provider's webhook, as it came in and as it was understood."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from billing.domain.canonical import Json
from billing.domain.errors import InvalidUsageError
from billing.domain.instants import instant
from billing.domain.usage import CallKey, UsageEvent
from billing.domain.usage_parts import UsagePart


@dataclass(frozen=True, slots=True)
class WebhookRequest:
    """One HTTP request, untouched: signatures cover its bytes.

    Args:
        method: Upper case.
        url: As the provider called it: public scheme and host, path, raw query.
        headers: By name, in any case.
        body: The bytes as sent.
    """

    method: str
    url: str
    headers: Mapping[str, str]
    body: bytes

    def header(self, name: str) -> str:
        """The header's value whatever its case, or an empty string."""
        wanted = name.lower()
        return next((value for key, value in self.headers.items() if key.lower() == wanted), "")


@dataclass(frozen=True, slots=True)
class Reported:
    """Usage was reported."""

    events: tuple[UsageEvent, ...]


@dataclass(frozen=True, slots=True)
class Halved:
    """One part of a call was reported; the call is known once the others have come."""

    part: UsagePart


@dataclass(frozen=True, slots=True)
class CarrierRated:
    """The carrier's own rated record of a call: what it will bill the operator, not the tenant.

    Args:
        key: Which call.
        billed_seconds: In the carrier's increments and minimums, so never the answered seconds;
            None where it does not say.
        cost: A positive decimal, or zero, exactly as given.
        currency: ISO 4217.
        at: When the carrier said so (aware UTC).
    """

    key: CallKey
    billed_seconds: int | None
    cost: str
    currency: str
    at: datetime

    def to_json(self) -> dict[str, Json]:
        return {
            "provider": self.key.provider,
            "provider_account": self.key.provider_account,
            "call_id": self.key.call_id,
            "billed_seconds": self.billed_seconds,
            "cost": self.cost,
            "currency": self.currency,
            "at": self.at.isoformat(),
        }

    @staticmethod
    def from_json(value: Mapping[str, Json]) -> "CarrierRated":
        """Read back what ``to_json`` wrote.

        Raises:
            InvalidUsageError: Something is missing or not what it should be.
        """
        try:
            billed_seconds = value["billed_seconds"]
            if billed_seconds is not None and type(billed_seconds) is not int:
                raise ValueError(billed_seconds)
            return CarrierRated(
                key=CallKey(
                    str(value["provider"]), str(value["provider_account"]), str(value["call_id"])
                ),
                billed_seconds=billed_seconds,
                cost=str(value["cost"]),
                currency=str(value["currency"]),
                at=instant(str(value["at"])),
            )
        except (KeyError, ValueError) as error:
            raise InvalidUsageError(f"not a carrier's rated record: {error!r}") from error


@dataclass(frozen=True, slots=True)
class Ignored:
    """Nothing billable: the call is still going on, or the callback is about something else."""

    reason: str


@dataclass(frozen=True, slots=True)
class Unreadable:
    """Usage may have been reported, but not in a way that can be true.

    Args:
        reason: A stable code, such as ``invalid_timestamp``.
        detail: One sentence.
        provider_account: As given, perhaps empty.
        callback: The fields that matter, as given; never the text of a message.
    """

    reason: str
    detail: str
    provider_account: str
    callback: Mapping[str, Json]


Parsed = Reported | Halved | CarrierRated | Ignored | Unreadable
