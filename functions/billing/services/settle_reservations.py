"""Settle reservations: by the call that was posted, or because there was none."""

from collections.abc import Callable, Iterable
from contextlib import suppress

from billing.domain import reservations
from billing.domain.account import AccountRef
from billing.domain.errors import BookBusyError, BookContendedError
from billing.domain.reservations import Holds, Reservation
from billing.domain.usage import CallKey
from billing.ports import Book, Clock
from billing.services.authorise_call import find_account, find_live
from billing.services.change_holds import ChangeHolds


class SettleReservations:
    """Links and frees. What has expired, or never was, is left alone."""

    def __init__(self, book: Book, clock: Clock, change_holds: ChangeHolds) -> None:
        self._book = book
        self._clock = clock
        self._change_holds = change_holds

    def link(self, tenant_id: str, name: str, call: CallKey) -> Reservation:
        """Say which of the carrier's calls it is, so that its posting frees the reservation.

        A call that was posted before it is linked frees it here: whoever posts looks for links
        after the call is recorded, and this looks for the record after the link is.

        Raises:
            NotFoundError: The tenant has no such reservation, or it has expired.
            BookBusyError: Nothing was written; try later.
        """
        ref = find_account(tenant_id, name)

        def decide(holds: Holds) -> tuple[Holds, Reservation]:
            now = self._clock.now()
            standing = find_live(holds, name, now)
            return reservations.link(holds, standing, call, now), standing

        standing = self._change_holds(ref, decide)
        if self._book.calls(tenant_id, [call]):
            self.posted(ref, [call])
        return standing

    def release(self, tenant_id: str, name: str) -> None:
        """Free it: the call was never answered. Freeing what is not there changes nothing.

        Raises:
            NotFoundError: No reservation can have that name.
            BookBusyError: Nothing was written; try later.
        """
        self._free(find_account(tenant_id, name), lambda _holds: (name,))

    def posted(self, ref: AccountRef, calls: Iterable[CallKey]) -> None:
        """Free what was set aside for calls that are recorded now.

        Costs one read where there is nothing to free. What cannot be freed in time expires.
        """
        keys = tuple(calls)
        with suppress(BookBusyError, BookContendedError):
            self._free(ref, lambda holds: reservations.posted(holds, keys))

    def _free(self, ref: AccountRef, names: Callable[[Holds], Iterable[str]]) -> None:
        def decide(holds: Holds) -> tuple[Holds, None]:
            return reservations.release(holds, names(holds), self._clock.now()), None

        self._change_holds(ref, decide)
