"""The carrier: its own rated records correct calls, once each, however often they come."""

from dataclasses import dataclass, replace

from billing.domain.account import AccountRef
from billing.domain.errors import BookBusyError, InvalidUsageError
from billing.domain.usage import CallKey, CorrectionSource, UsageEvent
from simulation.tenants import SITES
from simulation.world import World

RECENT = 400
"""Ledger entries, counted from the last one, whose calls are still corrected."""


@dataclass(frozen=True, slots=True)
class RatedRecord:
    """What the carrier says of a call, for good."""

    ref: AccountRef
    event: UsageEvent


class Carrier:
    """Corrects calls that were posted; what it is not answered, it says again."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._records: list[RatedRecord] = []

    def correct_call(self) -> str:
        ref = self._world.random.choice(SITES).ref
        event = self._a_call(ref)
        if event is None:
            return "nothing to correct"
        quantity = self._world.random.choice((0, 1, event.quantity // 2, event.quantity + 47))
        record = RatedRecord(ref, replace(event, quantity=quantity))
        self._records.append(record)
        return self._say(record)

    def repeat_record(self) -> str:
        if not self._records:
            return "nothing to repeat"
        return self._say(self._world.random.choice(self._records))

    def _a_call(self, ref: AccountRef) -> UsageEvent | None:
        book = self._world.book
        account = book.account(ref)
        after = max(0, account.head.sequence - RECENT)
        named: list[CallKey] = [
            key for entry in book.entries(account, after) for key in entry.usage.calls
        ]
        if not named:
            return None
        key = self._world.random.choice(named)
        event = book.current_calls(ref.tenant_id, [key])[key].event
        return event if event.answered_at is not None else None

    def _say(self, record: RatedRecord) -> str:
        try:
            corrected = self._world.correct_usage.correct(
                record.ref, record.event, CorrectionSource.CARRIER
            )
        except (ConnectionError, BookBusyError, InvalidUsageError) as error:
            return f"not answered: {error!r}"
        what = "corrected" if corrected.is_new else "no news"
        return f"{record.event.key.call_id} {what}, now revision {corrected.call.revision}"
