"""Calls that a provider reports in parts: the direction first, the answer next, the end last.

Parts arrive in any order, more than once, and some never. What a call was is decided from the set
of its parts alone.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from billing.domain.canonical import Json
from billing.domain.errors import InvalidUsageError
from billing.domain.instants import instant
from billing.domain.units import Direction, Unit
from billing.domain.usage import CallKey, CallStatus, UsageEvent, check_texts


class PartKind(StrEnum):
    """Which part of a call was reported. In the order in which they happen."""

    INITIATED = "initiated"
    ANSWERED = "answered"
    ENDED = "ended"


@dataclass(frozen=True, slots=True)
class UsagePart:
    """One part of a call that is only complete with its others.

    Args:
        key: Which call.
        at: When it happened (aware UTC).
        direction: Where the part knows it.
        from_number: As in a usage event; empty where the part does not know it.
        to_number: As in a usage event; empty where the part does not know it.
        status: How it ended, of the last part alone. Completed: it was answered, so that the
            answer has to come. Anything else: it was not, as far as the end can tell.
        connection_id: Where it came in.
    """

    key: CallKey
    kind: PartKind
    at: datetime
    direction: Direction | None
    from_number: str
    to_number: str
    status: CallStatus | None
    connection_id: str

    def __post_init__(self) -> None:
        check_texts("call_id", self.key.provider, self.key.provider_account, self.key.call_id)
        check_texts("to", self.from_number, self.to_number)
        if (self.status is not None) is not (self.kind is PartKind.ENDED):
            raise InvalidUsageError("the end of a call, and it alone, has a status", field="status")

    def to_json(self) -> dict[str, Json]:
        """The part as it is kept until the others have come."""
        return {
            "provider": self.key.provider,
            "provider_account": self.key.provider_account,
            "call_id": self.key.call_id,
            "kind": self.kind,
            "at": self.at.isoformat(),
            "direction": self.direction,
            "from": self.from_number,
            "to": self.to_number,
            "status": self.status,
            "connection_id": self.connection_id,
        }

    @staticmethod
    def from_json(value: Mapping[str, Json]) -> "UsagePart":
        """Read back what ``to_json`` wrote.

        Raises:
            InvalidUsageError: Something is missing or not what it should be.
        """
        try:
            direction, status = value["direction"], value["status"]
            return UsagePart(
                key=CallKey(
                    str(value["provider"]), str(value["provider_account"]), str(value["call_id"])
                ),
                kind=PartKind(str(value["kind"])),
                at=instant(str(value["at"])),
                direction=Direction(str(direction)) if direction is not None else None,
                from_number=str(value["from"]),
                to_number=str(value["to"]),
                status=CallStatus(str(status)) if status is not None else None,
                connection_id=str(value["connection_id"]),
            )
        except (KeyError, ValueError) as error:
            raise InvalidUsageError(f"not a part of a call: {error!r}") from error


def join(parts: Iterable[UsagePart]) -> UsageEvent | None:
    """The call its parts tell of, the same in whatever order and however often they came.

    A call is known once its direction, its destination and its end are, and its answer too if it
    was completed. An answer counts whatever the end says: a line may fail after it was picked up.
    Should one arrive after an end that did not wait for it, the call reads differently from then
    on, and posting it shows that as a conflict instead of losing the seconds.

    Of reports that differ in one part, the earliest counts: a later one is a repetition.

    Args:
        parts: All that is known of one call; never of two.

    Returns:
        The event, or None while a part is still to come.

    Raises:
        InvalidUsageError: The parts contradict each other, such as an end before the answer.
    """
    known = sorted(set(parts), key=_order)
    assert len({part.key for part in known}) <= 1, "parts of one call"
    ended = _first(known, PartKind.ENDED)
    answered = _first(known, PartKind.ANSWERED)
    direction = next((part.direction for part in known if part.direction), None)
    to_number = next((part.to_number for part in known if part.to_number), "")
    if ended is None or ended.status is None or direction is None or not to_number:
        return None
    if answered is None and ended.status is CallStatus.COMPLETED:
        return None
    return UsageEvent(
        key=ended.key,
        unit=Unit.VOICE_SECONDS,
        direction=direction,
        from_number=next((part.from_number for part in known if part.from_number), ""),
        to_number=to_number,
        status=CallStatus.COMPLETED if answered else ended.status,
        quantity=_whole_seconds(ended.at - answered.at) if answered else 0,
        answered_at=answered.at if answered else None,
        ended_at=ended.at,
        connection_id=ended.connection_id,
    )


def known_fields(parts: Iterable[UsagePart]) -> dict[str, Json]:
    """What the parts tell of a call that they do not make: fields of a usage event, the known ones.

    Its quantity is never among them: whoever adds what is missing has to say it.
    """
    known = sorted(set(parts), key=_order)
    ended, answered = _first(known, PartKind.ENDED), _first(known, PartKind.ANSWERED)
    key = known[0].key
    fields: dict[str, Json] = {
        "provider": key.provider,
        "provider_account": key.provider_account,
        "call_id": key.call_id,
        "unit": Unit.VOICE_SECONDS,
        "direction": next((part.direction for part in known if part.direction), None),
        "from": next((part.from_number for part in known if part.from_number), None),
        "to": next((part.to_number for part in known if part.to_number), None),
        "answered_at": answered.at.isoformat() if answered else None,
        "ended_at": ended.at.isoformat() if ended else None,
    }
    return {name: value for name, value in fields.items() if value is not None}


def _first(parts: Iterable[UsagePart], kind: PartKind) -> UsagePart | None:
    return next((part for part in parts if part.kind is kind), None)


def _order(part: UsagePart) -> tuple[int, datetime, str, str, str, str, str]:
    """Kinds as they happen, times within them; the rest makes the order total."""
    return (
        list(PartKind).index(part.kind),
        part.at,
        part.direction or "",
        part.to_number,
        part.from_number,
        part.status or "",
        part.connection_id,
    )


def _whole_seconds(duration: timedelta) -> int:
    """Rounded up: a second that has begun was used."""
    return -(-duration // timedelta(seconds=1))
