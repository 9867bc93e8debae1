"""What is set aside for calls in progress, and how many ports were out, beside the accounts."""

from collections.abc import Iterable
from datetime import date
from typing import Protocol

from billing.domain.account import AccountRef
from billing.domain.port_hours import PortDay
from billing.domain.reservations import Holds


class Reservations(Protocol):
    """The holds of every account: one small value each, with a version of its own."""

    def holds(self, ref: AccountRef) -> Holds:
        """What is set aside, read consistently; nothing, at version 0, where there never was any.

        Whether the account exists is not asked.
        """
        ...

    def all_holds(self, refs: Iterable[AccountRef]) -> dict[AccountRef, Holds]:
        """The same of many accounts, read together."""
        ...

    def save(self, holds: Holds, seen_version: int) -> None:
        """Store them, if ``seen_version`` is still current.

        Outcomes, in order of precedence:
            ConflictError: Somebody else saved them since. Nothing was written.
            BookContendedError: Throttled, or in conflict with another. Nothing was written.
            written: All of it.
        """
        ...

    def port_day(self, ref: AccountRef, kind: str, day: date) -> PortDay:
        """How many ports of a kind were out on a day (UTC), read consistently; an empty day, at
        version 0, where none were, or it is forgotten."""
        ...

    def port_days(self, ref: AccountRef, kind: str, first: date, last: date) -> list[PortDay]:
        """The days from the first to the last that there is something of, oldest first."""
        ...

    def keep_port_day(self, day: PortDay) -> None:
        """Store a day, if the version before it is still current.

        Outcomes, in order of precedence:
            ConflictError: Somebody else stored it since. Nothing was written.
            BookContendedError: Throttled, or in conflict with another. Nothing was written.
            written: The day.
        """
        ...
