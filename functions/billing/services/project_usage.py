"""Project usage: bring an account's summaries up to its ledger, and rebuild them from nothing."""

import random
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date

from billing.domain.account import AccountRef
from billing.domain.errors import BookBusyError, BookContendedError, ConflictError
from billing.domain.ledger import LedgerEntry
from billing.domain.posting import MAX_CALLS
from billing.domain.summaries import (
    CountryOf,
    DaySummary,
    Progress,
    SummaryHead,
    merged,
    summarised,
)
from billing.domain.usage import Call, CallKey
from billing.ports import Book, Summaries

ENTRIES_PER_STEP = 40
"""Entries in one transaction, and with them at most 1,000 calls: ten reads of a hundred."""

DAYS_PER_STEP = MAX_CALLS
"""Days in one transaction. One entry may touch as many as it has calls; the 4 MB of a transaction
(DynamoDB quota, 2026) hold so many days of a hundred countries at every hour (docs/table.md)."""

MAX_STEPS = 50
"""Transactions, won or lost, in one call: well inside the function's time."""

BACKOFF_BASE_SECONDS = 0.02
BACKOFF_CAP_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class Rebuilt:
    """How far a rebuild is.

    Args:
        generation: Names it, to be gone on with.
        sequence: The last ledger entry it holds.
        is_done: It has taken the old summaries' place.
    """

    generation: int
    sequence: int
    is_done: bool


class ProjectUsage:
    """Summaries follow the ledger's sequence, one entry after the other, each once.

    Whoever says that there is something new is only believed to have said so: what is new is read
    from the ledger, from where the summaries end. Days and head are written together, if nobody
    else has written the head: projectors may run twice, late, out of order or all at once.

    Args:
        sleep: Waits so many seconds.
    """

    def __init__(
        self,
        book: Book,
        summaries: Summaries,
        country_of: CountryOf,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._book = book
        self._summaries = summaries
        self._country_of = country_of
        self._sleep = sleep

    def project(self, ref: AccountRef, sequence: int) -> int:
        """Bring the summaries up to an entry, and up to later ones on the way.

        Returns:
            The last entry they hold now.

        Raises:
            BookBusyError: Not there yet; what was done is kept.
        """
        head, lost = self._summaries.head(ref), 0
        for _ in range(MAX_STEPS):
            if head.live.sequence >= sequence:
                return head.live.sequence
            head, lost = self._step(ref, head, head.live, lost)
        raise BookBusyError(f"the summaries of {ref} are not yet at entry {sequence}; try again")

    def rebuild(self, ref: AccountRef, generation: int | None = None) -> Rebuilt:
        """Make the summaries again from the ledger alone, beside those that are read.

        A rebuild takes as many calls as it needs; the last one puts the new summaries in the old
        ones' place. Meanwhile the old ones are read and kept up to date.

        Args:
            generation: Which rebuild to go on with; None begins one, and gives up any other.

        Raises:
            NotFoundError: No such account.
            ConflictError: Another rebuild has begun since.
        """
        if generation is None:
            generation = self._begin(ref)
        head, lost = self._summaries.head(ref), 0
        for _ in range(MAX_STEPS):
            if head.live.generation >= generation:
                self._summaries.forget(ref, head.live.generation)
                return Rebuilt(generation, head.live.sequence, True)
            if head.rebuilding is None or head.rebuilding.generation != generation:
                raise ConflictError(f"rebuild {generation} of {ref} was given up for another")
            head, lost = self._step(ref, head, head.rebuilding, lost)
        return Rebuilt(generation, head.rebuilding.sequence if head.rebuilding else 0, False)

    def _begin(self, ref: AccountRef) -> int:
        self._book.account(ref)
        for lost in range(MAX_STEPS):
            head = self._summaries.head(ref).next_generation()
            assert head.rebuilding is not None
            try:
                self._summaries.write(ref, head, head.rebuilding.generation, {})
            except (ConflictError, BookContendedError):
                self._back_off(lost)
            else:
                return head.rebuilding.generation
        raise BookBusyError(f"the summaries of {ref} are busy; try again shortly")

    def _step(
        self, ref: AccountRef, head: SummaryHead, progress: Progress, lost: int
    ) -> tuple[SummaryHead, int]:
        """Take the next entries in.

        Args:
            lost: How often somebody else was faster so far.

        Returns:
            The head as it is now, and how often that is.
        """
        account = self._book.account(ref)
        found = self._book.entries(account, progress.sequence, ENTRIES_PER_STEP, progress.posted_at)
        added, progress = self._added(account.time_zone, progress, list(found), ref)
        stored = self._summaries.days(ref, progress.generation, added)
        days = {day: merged(stored.get(day, {}), summary) for day, summary in added.items()}
        after = head.advanced(progress)
        try:
            self._summaries.write(ref, after, progress.generation, days)
        except (ConflictError, BookContendedError):
            self._back_off(lost)
            return self._summaries.head(ref), lost + 1
        return after, lost

    def _added(
        self, time_zone: str, progress: Progress, entries: Sequence[LedgerEntry], ref: AccountRef
    ) -> tuple[dict[date, DaySummary], Progress]:
        """What the first of the entries add, as many as one transaction takes."""
        charged = self._charged(ref, entries)
        days: dict[date, DaySummary] = {}
        for entry in entries:
            added = summarised(entry, charged[entry.sequence], time_zone, self._country_of)
            if len(days.keys() | added.keys()) > DAYS_PER_STEP:
                break
            for day, summary in added.items():
                days[day] = merged(days.get(day, {}), summary)
            progress = progress.after(entry)
        return days, progress

    def _charged(
        self, ref: AccountRef, entries: Sequence[LedgerEntry]
    ) -> dict[int, tuple[Call, ...]]:
        """The calls each entry names, as that entry charged them or gives them back."""
        names = {entry.sequence: tuple(_names(entry)) for entry in entries}
        wanted = [name for named in names.values() for name in named]
        calls = self._book.call_revisions(ref.tenant_id, wanted) if wanted else {}
        return {sequence: tuple(calls[name] for name in named) for sequence, named in names.items()}

    def _back_off(self, lost: int) -> None:
        """Full jitter: any wait from none to the bound (AWS Architecture Blog, 2015)."""
        bound = min(BACKOFF_CAP_SECONDS, BACKOFF_BASE_SECONDS * 2**lost)
        self._sleep(random.uniform(0, bound))  # noqa: S311  # spreads load, guards nothing


def _names(entry: LedgerEntry) -> Iterator[tuple[CallKey, int]]:
    calls = entry.usage.calls
    return zip(calls, entry.usage.revisions or (0,) * len(calls), strict=True)
