"""Lease ports of a pool, keep them, and give them back."""

from datetime import datetime

from billing.domain import leasing, turning
from billing.domain.account import Account, AccountRef
from billing.domain.errors import NotFoundError
from billing.domain.pooling import Lease
from billing.domain.reservations import Holds
from billing.ports import Book, Clock
from billing.services.change_holds import ChangeHolds
from billing.services.read_entitlement import ReadEntitlement
from billing.services.tell_exhausted import TellExhausted


class LeasePorts:
    """Decides on the holds and, read after them, on what the member may do and how many ports there
    are."""

    def __init__(
        self,
        *,
        book: Book,
        clock: Clock,
        change_holds: ChangeHolds,
        read_entitlement: ReadEntitlement,
        tell_exhausted: TellExhausted,
    ) -> None:
        self._book = book
        self._clock = clock
        self._change_holds = change_holds
        self._read_entitlement = read_entitlement
        self._tell_exhausted = tell_exhausted

    def lease(self, ref: AccountRef, kind: str, member_id: str, lease_seconds: int | None) -> Lease:
        """Take a port for a member, or renew the one he has.

        Raises:
            NotFoundError: No such account, kind or member.
            InvalidInputError: The kind is held by name, or ``lease_seconds`` is out of bounds.
            InsufficientPortsError: The member may take none, or all are out.
            BookBusyError: Nothing was written; try later.
        """

        def decide(holds: Holds) -> tuple[Holds, Lease]:
            account, now = self._current(ref)
            entitlement = self._read_entitlement.entitlement(account, kind, member_id)
            return leasing.lease(holds, entitlement, lease_seconds, now)

        with self._tell_exhausted.watching(ref):
            return self._change_holds(ref, decide)

    def renew(self, ref: AccountRef, kind: str, lease_id: str, lease_seconds: int | None) -> Lease:
        """Keep a port for longer.

        Raises:
            NotFoundError: There is no such lease of that kind, or it has expired.
            InvalidInputError: ``lease_seconds`` is out of bounds.
            InsufficientPortsError: The member may take none any more, or there are too few.
            BookBusyError: Nothing was written; try later.
        """

        def decide(holds: Holds) -> tuple[Holds, Lease]:
            account, now = self._current(ref)
            standing = leasing.find(holds, lease_id, now)
            if standing is None or standing.kind != kind:
                raise NotFoundError("there is no such lease")
            entitlement = self._read_entitlement.entitlement(account, kind, standing.member_id)
            return leasing.renew(holds, entitlement, standing, lease_seconds, now)

        with self._tell_exhausted.watching(ref):
            return self._change_holds(ref, decide)

    def give_back(self, ref: AccountRef, lease_id: str) -> None:
        """Give a port back. What is not there, or has expired, changes nothing.

        Raises:
            BookBusyError: Nothing was written; try later.
        """

        def decide(holds: Holds) -> tuple[Holds, None]:
            return leasing.give_back(holds, lease_id, self._clock.now()), None

        self._change_holds(ref, decide)

    def give_back_of(self, ref: AccountRef, kind: str, member_id: str) -> None:
        """Give back what a member has leased of a kind, if anything.

        Raises:
            BookBusyError: Nothing was written; try later.
        """

        def decide(holds: Holds) -> tuple[Holds, None]:
            return leasing.give_back_of(holds, kind, member_id, self._clock.now()), None

        self._change_holds(ref, decide)

    def _current(self, ref: AccountRef) -> tuple[Account, datetime]:
        account = self._book.account(ref)
        now = self._clock.now()
        return turning.at(account, now), now
