"""Hand on every account whose payments have to be looked after, and say which wait for too long."""

from dataclasses import dataclass
from datetime import timedelta

from billing.domain.records import TimerKind
from billing.ports import Clock, Timers, WorkQueue

OVERDUE_AFTER = timedelta(minutes=15)
"""Two runs of the schedule: what the last one handed on should be known by now."""


@dataclass(frozen=True, slots=True)
class PaymentsDue:
    """What one run found.

    Args:
        enqueued: Accounts that were handed on.
        overdue: Those of them that the run before this one had found due as well.
    """

    enqueued: int
    overdue: int


class ReconcilePayments:
    """Owns every payment without an outcome: unknown, slow, waiting for its customer, and refunds.

    It decides nothing itself. The worker asks the gateway under the same key, or looks; a run that
    happens twice, late or never changes nothing.
    """

    def __init__(self, timers: Timers, queue: WorkQueue, clock: Clock) -> None:
        self._timers = timers
        self._queue = queue
        self._clock = clock

    def reconcile(self) -> PaymentsDue:
        now = self._clock.now()
        due = list(self._timers.due(TimerKind.PAYMENT, now))
        cause = f"{TimerKind.PAYMENT}@{now:%Y-%m-%dT%H:%M}"
        enqueued = self._queue.send((timer.account for timer in due), cause)
        overdue = sum(timer.due_at <= now - OVERDUE_AFTER for timer in due)
        return PaymentsDue(enqueued, overdue)
