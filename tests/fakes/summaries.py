"""Summaries in memory: the same outcomes, held to them by the contract suite."""

import threading
from collections.abc import Iterable, Iterator, Mapping
from datetime import date

from billing.domain.account import AccountRef
from billing.domain.errors import ConflictError
from billing.domain.summaries import DaySummary, SummaryHead


class InMemorySummaries:
    """Implements Summaries. Safe between threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._heads: dict[AccountRef, SummaryHead] = {}
        self._days: dict[tuple[AccountRef, int, date], DaySummary] = {}

    def head(self, ref: AccountRef) -> SummaryHead:
        with self._lock:
            return self._heads.get(ref, SummaryHead())

    def days(
        self, ref: AccountRef, generation: int, days: Iterable[date]
    ) -> dict[date, DaySummary]:
        with self._lock:
            found = {day: self._days.get((ref, generation, day)) for day in days}
        return {day: summary for day, summary in found.items() if summary is not None}

    def between(
        self, ref: AccountRef, generation: int, begin: date, end: date
    ) -> Iterator[tuple[date, DaySummary]]:
        with self._lock:
            found = sorted(
                (day, summary)
                for (owner, made_in, day), summary in self._days.items()
                if (owner, made_in) == (ref, generation) and begin <= day < end
            )
        return iter(found)

    def write(
        self,
        ref: AccountRef,
        head: SummaryHead,
        generation: int,
        days: Mapping[date, DaySummary],
    ) -> None:
        with self._lock:
            if self._heads.get(ref, SummaryHead()).version != head.version - 1:
                raise ConflictError(f"the summaries of {ref} have moved on")
            self._heads[ref] = head
            for day, summary in days.items():
                self._days[(ref, generation, day)] = dict(summary)

    def forget(self, ref: AccountRef, before_generation: int) -> None:
        with self._lock:
            for owner, generation, day in list(self._days):
                if owner == ref and generation < before_generation:
                    del self._days[(owner, generation, day)]
