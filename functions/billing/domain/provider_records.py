"""A provider's own list of calls, and the work of comparing it with ours."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta

from billing.domain.callbacks import Ignored, Unreadable
from billing.domain.canonical import Json
from billing.domain.errors import InvalidInputError
from billing.domain.usage import UsageEvent

DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class ListedCost:
    """What a call costs the operator.

    Args:
        amount: A positive decimal, or zero, exactly as given.
        currency: ISO 4217.
    """

    amount: str
    currency: str


@dataclass(frozen=True, slots=True)
class ProviderRecord:
    """One call or message as its provider lists it.

    Args:
        call_id: Empty where it cannot be read.
        began_at: What the provider lists it under (aware UTC); None where it never began.
        content: The usage once it is over; else why it is none yet, or why it cannot be read.
        cost: None until the provider has rated it.
    """

    call_id: str
    began_at: datetime | None
    content: UsageEvent | Ignored | Unreadable
    cost: ListedCost | None = None


@dataclass(frozen=True, slots=True)
class RecordsPage:
    """Some records; ``next`` is where to go on, None at the end."""

    records: tuple[ProviderRecord, ...]
    next: str | None


@dataclass(frozen=True, slots=True)
class Place:
    """Where a comparison goes on: which provider account, and after which page of it."""

    provider_account: str
    cursor: str | None


@dataclass(frozen=True, slots=True)
class Reconciliation:
    """Work to do: one connection's calls of one UTC day, from the start or from a place."""

    connection_id: str
    day: date
    place: Place | None = None

    @property
    def begin_at(self) -> datetime:
        return datetime.combine(self.day, time(), UTC)

    @property
    def end_at(self) -> datetime:
        return self.begin_at + DAY

    def to_json(self) -> dict[str, Json]:
        asked: dict[str, Json] = {"connection": self.connection_id, "day": self.day.isoformat()}
        if self.place is not None:
            asked["account"] = self.place.provider_account
            asked["cursor"] = self.place.cursor
        return asked

    @staticmethod
    def from_json(value: Mapping[str, object]) -> "Reconciliation":
        """Read back what ``to_json`` wrote, or what a person asked for.

        Raises:
            InvalidInputError: It names no connection or no day.
        """
        connection_id, account, cursor = (
            value.get(name) for name in ("connection", "account", "cursor")
        )
        if not isinstance(connection_id, str) or not connection_id:
            raise InvalidInputError("name a connection", field="connection")
        place = None
        if account is not None:
            if not isinstance(account, str) or not (cursor is None or isinstance(cursor, str)):
                raise InvalidInputError("this is no place to go on from", field="account")
            place = Place(account, cursor)
        return Reconciliation(connection_id, _day(value.get("day")), place)


def _day(value: object) -> date:
    try:
        # The library reads more forms of a date than the one that is asked for.
        day = date.fromisoformat(value if isinstance(value, str) else "")
        if day.isoformat() != value or day == date.max:
            raise ValueError(value)
    except ValueError as error:
        raise InvalidInputError("name a day (UTC) as YYYY-MM-DD", field="day") from error
    return day
