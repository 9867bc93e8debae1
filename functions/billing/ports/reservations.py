"""What is set aside for calls in progress, beside the accounts."""

from typing import Protocol

from billing.domain.account import AccountRef
from billing.domain.reservations import Holds


class Reservations(Protocol):
    """The holds of every account: one small value each, with a version of its own."""

    def holds(self, ref: AccountRef) -> Holds:
        """What is set aside, read consistently; nothing, at version 0, where there never was any.

        Whether the account exists is not asked.
        """
        ...

    def save(self, holds: Holds, seen_version: int) -> None:
        """Store them, if ``seen_version`` is still current.

        Outcomes, in order of precedence:
            ConflictError: Somebody else saved them since. Nothing was written.
            BookContendedError: Throttled, or in conflict with another. Nothing was written.
            written: All of it.
        """
        ...
