"""Find parts of calls whose others never came. Sweeping twice, late or never harms nothing."""

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime

from billing.domain.account import AccountRef
from billing.ports import Book, Clock, KeptPart, Quarantine, UsageParts, UsageQueue
from billing.services.join_parts import JoinParts
from billing.services.place_usage import PlaceUsage, TakenStatus

SETTLED = "settled"


class SweepParts:
    """Looks at every call that has waited long enough, and settles it one way or the other."""

    def __init__(
        self,
        *,
        parts: UsageParts,
        book: Book,
        quarantine: Quarantine,
        queue: UsageQueue,
        clock: Clock,
    ) -> None:
        self._parts = parts
        self._book = book
        self._clock = clock
        place_usage = PlaceUsage(quarantine=quarantine, queue=queue, clock=clock)
        self._join_parts = JoinParts(parts=parts, place_usage=place_usage, clock=clock)

    def sweep(self) -> Mapping[str, int]:
        """Settle what is due.

        Returns:
            How many calls came to which outcome.
        """
        now = self._clock.now()
        outcomes: Counter[str] = Counter()
        for call in self._parts.due(now):
            kept = self._parts.of_call(call)
            if _has_waited(kept, now):
                outcomes[self._settle(kept)] += 1
        return outcomes

    def _settle(self, kept: Sequence[KeptPart]) -> str:
        # Where the mapping has changed in between, the last part knows best.
        ref = max(kept, key=lambda each: (each.expires_at, each.part.kind)).account
        if ref is not None and self._is_recorded(ref, kept):
            self._join_parts.settle(kept)
            return SETTLED
        # Whole, and yet not recorded: perhaps it never reached the queue. Once more is harmless.
        taken = self._join_parts.place_whole(ref, kept) or self._join_parts.park_halves(ref, kept)
        return SETTLED if taken.status is TakenStatus.ACCEPTED else taken.reason

    def _is_recorded(self, ref: AccountRef, kept: Sequence[KeptPart]) -> bool:
        return bool(self._book.calls(ref.tenant_id, [kept[0].part.key]))


def _has_waited(kept: Sequence[KeptPart], now: datetime) -> bool:
    """Something is due, and nothing still has time: the index may be behind, and parts may have
    come hours apart."""
    due = [each.due_at for each in kept if each.due_at is not None]
    return bool(due) and max(due) <= now
