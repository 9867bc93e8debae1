"""Hand on what is due. A sweep that runs twice, late or never changes nothing by itself."""

from billing.domain.records import TimerKind
from billing.ports import Clock, Timers, WorkQueue


class SweepTimers:
    """Reads the sparse index and enqueues one message per account that has something due."""

    def __init__(self, timers: Timers, queue: WorkQueue, clock: Clock) -> None:
        self._timers = timers
        self._queue = queue
        self._clock = clock

    def sweep(self, kind: TimerKind) -> int:
        """Enqueue every account whose timer of that kind is due.

        Returns:
            How many messages were sent.
        """
        now = self._clock.now()
        due = (timer.account for timer in self._timers.due(kind, now))
        return self._queue.send(due, f"{kind}@{now:%Y-%m-%dT%H:%M}")
