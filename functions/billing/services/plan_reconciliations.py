"""Plan reconciliations: which connections' days are to be compared with their providers' lists."""

from collections.abc import Collection
from datetime import UTC

from billing.domain.provider_records import DAY, Reconciliation
from billing.ports import Clock, Connections, ReconciliationQueue

DAYS_BACK = (1, 2)
"""Yesterday; and the day before once more, since a carrier may not have rated all of it."""


class PlanReconciliations:
    """Enqueues every connection by itself, so that one that fails holds back no other."""

    def __init__(
        self,
        *,
        connections: Connections,
        providers: Collection[str],
        queue: ReconciliationQueue,
        clock: Clock,
    ) -> None:
        self._connections = connections
        self._providers = providers
        self._queue = queue
        self._clock = clock

    def plan(self) -> int:
        """Enqueue the last days of every connection whose provider has a list.

        A connection that maps none of its provider's accounts has nothing to be asked about.

        Returns:
            How many comparisons were enqueued.
        """
        today = self._clock.now().astimezone(UTC).date()
        work = [
            Reconciliation(connection.connection_id, today - days * DAY)
            for connection in self._connections.all()
            if connection.provider in self._providers and connection.accounts
            for days in DAYS_BACK
        ]
        self._queue.send(work)
        return len(work)
