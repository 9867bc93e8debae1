"""Reservations in memory: the same outcomes, held to them by the contract suite."""

import threading

from billing.domain.account import AccountRef
from billing.domain.errors import ConflictError
from billing.domain.reservations import Holds


class InMemoryReservations:
    """Implements Reservations. Safe between threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._holds: dict[AccountRef, Holds] = {}

    def holds(self, ref: AccountRef) -> Holds:
        with self._lock:
            return self._holds.get(ref, Holds(ref))

    def save(self, holds: Holds, seen_version: int) -> None:
        assert holds.version == seen_version + 1, "a save is the next version"
        with self._lock:
            kept = self._holds.get(holds.account, Holds(holds.account))
            if kept.version != seen_version:
                raise ConflictError(f"the holds of {holds.account} have moved on")
            self._holds[holds.account] = holds
