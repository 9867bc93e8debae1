"""Join the parts of a call: keep each until the others have come, then place the whole."""

from collections.abc import Sequence
from datetime import timedelta

from billing.domain.account import AccountRef
from billing.domain.callbacks import Unreadable
from billing.domain.canonical import Json, canonical_json
from billing.domain.errors import InvalidUsageError
from billing.domain.quarantine import HALF_OF_A_CALL
from billing.domain.usage_parts import PartKind, UsagePart, join, known_fields
from billing.ports import Clock, KeptPart, UsageParts
from billing.services.place_usage import PlaceUsage, Taken, TakenStatus

PART_PATIENCE = timedelta(hours=6)
"""How long a part waits before it is shown to a person. Longer than a provider's retries, and than
all but very long calls; one that ends later is billed all the same."""

PARTS_KEPT = timedelta(days=30)
"""How long a part is kept, whatever became of the call: one that comes that late still joins."""


class JoinParts:
    """Parts come in any order, more than once and at the same time; the call is placed whole."""

    def __init__(self, *, parts: UsageParts, place_usage: PlaceUsage, clock: Clock) -> None:
        self._parts = parts
        self._place_usage = place_usage
        self._clock = clock

    def take(self, ref: AccountRef | None, part: UsagePart) -> Taken:
        """Keep a part, and place its call if that made it whole.

        The part is durable before the others are read: of two that come at once, at least one
        sees both. If both do, both place the same call, which is recorded once.
        """
        now = self._clock.now()
        expires_at = now.replace(microsecond=0) + PARTS_KEPT
        kept = KeptPart(part, ref, due_at=now + PART_PATIENCE, expires_at=expires_at)
        self._parts.keep(kept)
        taken = self.place_whole(ref, self._parts.of_call(kept.call))
        return taken or Taken(TakenStatus.WAITING, HALF_OF_A_CALL)

    def place_whole(self, ref: AccountRef | None, kept: Sequence[KeptPart]) -> Taken | None:
        """Place the call these parts make, then settle them; None: parts are still to come."""
        try:
            event = join(each.part for each in kept)
        except InvalidUsageError as error:
            return self._park(ref, kept, error.code, error.detail)
        if event is None:
            return None
        taken = self._place_usage.place(ref, [event])
        self._parts.settle(_due(kept))
        return taken

    def park_halves(self, ref: AccountRef | None, kept: Sequence[KeptPart]) -> Taken:
        """Show a person what there is of a call, and wait for nothing more."""
        kinds = {each.part.kind for each in kept}
        known = ", ".join(kind for kind in PartKind if kind in kinds)
        detail = f"only these parts of the call were reported: {known}"
        return self._park(ref, kept, HALF_OF_A_CALL, detail)

    def settle(self, kept: Sequence[KeptPart]) -> None:
        """The call is recorded already: wait for nothing more."""
        self._parts.settle(_due(kept))

    def _park(
        self, ref: AccountRef | None, kept: Sequence[KeptPart], reason: str, detail: str
    ) -> Taken:
        parts: list[Json] = sorted((each.part.to_json() for each in kept), key=canonical_json)
        key = kept[0].part.key
        event = {**known_fields(each.part for each in kept), "parts": parts}
        connection_id = min(each.part.connection_id for each in kept)
        unplaced = Unreadable(reason, detail, key.provider_account, event)
        taken = self._place_usage.park(connection_id, ref, unplaced)
        self._parts.settle(_due(kept))
        return taken


def _due(kept: Sequence[KeptPart]) -> list[KeptPart]:
    """What is settled needs no second write."""
    return [each for each in kept if each.due_at is not None]
