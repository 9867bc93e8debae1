"""Reservations in memory: the same outcomes, held to them by the contract suite."""

import threading
from collections.abc import Iterable
from datetime import date

from billing.domain.account import AccountRef
from billing.domain.errors import ConflictError
from billing.domain.port_hours import PortDay
from billing.domain.reservations import Holds


class InMemoryReservations:
    """Implements Reservations. Safe between threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._holds: dict[AccountRef, Holds] = {}
        self._port_days: dict[tuple[AccountRef, str, date], PortDay] = {}

    def holds(self, ref: AccountRef) -> Holds:
        with self._lock:
            return self._holds.get(ref, Holds(ref))

    def all_holds(self, refs: Iterable[AccountRef]) -> dict[AccountRef, Holds]:
        return {ref: self.holds(ref) for ref in refs}

    def save(self, holds: Holds, seen_version: int) -> None:
        assert holds.version == seen_version + 1, "a save is the next version"
        with self._lock:
            kept = self._holds.get(holds.account, Holds(holds.account))
            if kept.version != seen_version:
                raise ConflictError(f"the holds of {holds.account} have moved on")
            self._holds[holds.account] = holds

    def port_day(self, ref: AccountRef, kind: str, day: date) -> PortDay:
        with self._lock:
            return self._port_days.get((ref, kind, day), PortDay(ref, kind, day))

    def port_days(self, ref: AccountRef, kind: str, first: date, last: date) -> list[PortDay]:
        with self._lock:
            found = sorted(self._port_days.items(), key=lambda item: item[0][2])
        return [
            kept
            for (owner, one, day), kept in found
            if (owner, one) == (ref, kind) and first <= day <= last
        ]

    def keep_port_day(self, day: PortDay) -> None:
        key = (day.account, day.kind, day.day)
        with self._lock:
            kept = self._port_days.get(key)
            if (kept.version if kept else 0) != day.version - 1:
                raise ConflictError(f"the ports of {day.account} on {day.day} have moved on")
            self._port_days[key] = day
