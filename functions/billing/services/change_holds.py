"""Change what an account has set aside: read, decide, save; again, if somebody else was faster."""

import time
from collections.abc import Callable
from dataclasses import replace
from typing import TypeVar

from billing.domain.account import AccountRef
from billing.domain.errors import BookBusyError, BookContendedError, ConflictError
from billing.domain.port_hours import by_day, finished
from billing.domain.reservations import Holds
from billing.ports import Reservations
from billing.services.racing import MAX_ATTEMPTS, wait_seconds

T = TypeVar("T")


class ChangeHolds:
    """The one way reservations and leases are changed.

    What the hours before came to is kept first: it is in the holds no more once they are saved.
    Keeping it again changes nothing.

    Args:
        sleep: Waits so many seconds.
    """

    def __init__(
        self, reservations: Reservations, sleep: Callable[[float], None] = time.sleep
    ) -> None:
        self._reservations = reservations
        self._sleep = sleep

    def __call__(self, ref: AccountRef, decide: Callable[[Holds], tuple[Holds, T]]) -> T:
        """Decide on the current holds and save the decision.

        Args:
            decide: Called with the holds, again after every lost race. Whatever else it needs, it
                reads by then, and so later than the holds. The holds it was given, given back,
                decide that there is nothing to save.

        Returns:
            What was decided besides.

        Raises:
            BookBusyError: Every attempt was lost. Nothing was written.
            TalktimeError: Whatever ``decide`` refuses with. Nothing was written.
        """
        for lost in range(1, MAX_ATTEMPTS + 1):
            holds = self._reservations.holds(ref)
            after, answer = decide(holds)
            if after is holds:
                return answer
            try:
                self._keep_hours(holds, after)
                self._reservations.save(after, holds.version)
            except (ConflictError, BookContendedError):
                if lost < MAX_ATTEMPTS:
                    self._sleep(wait_seconds(lost))
            else:
                return answer
        raise BookBusyError("the account is busy; nothing was written, try again shortly")

    def _keep_hours(self, before: Holds, after: Holds) -> None:
        for (kind, day), peaks in by_day(finished(before, after)).items():
            kept = self._reservations.port_day(before.account, kind, day)
            raised = kept
            for peak in peaks:
                raised = raised.raised(peak)
            if raised is not kept:
                # However many hours it is, it is one change of the day.
                self._reservations.keep_port_day(replace(raised, version=kept.version + 1))
