"""Place usage that came in: on its account's queue, or in the quarantine."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from billing.domain.account import AccountRef
from billing.domain.callbacks import Unreadable
from billing.domain.canonical import Json, digest
from billing.domain.usage import UsageEvent
from billing.ports import Clock, Parked, Quarantine, UsageQueue

ACCOUNT_NOT_MAPPED = "account_not_mapped"


class TakenStatus(StrEnum):
    """What became of a callback that was truly the provider's."""

    ACCEPTED = "accepted"
    IGNORED = "ignored"
    PARKED = "parked"
    WAITING = "waiting"


@dataclass(frozen=True, slots=True)
class Taken:
    """The outcome, with a stable code where there is something to explain."""

    status: TakenStatus
    reason: str = ""


class PlaceUsage:
    """Durable when it returns; placing the same again changes nothing."""

    def __init__(self, *, quarantine: Quarantine, queue: UsageQueue, clock: Clock) -> None:
        self._quarantine = quarantine
        self._queue = queue
        self._clock = clock

    def place(self, ref: AccountRef | None, events: Sequence[UsageEvent]) -> Taken:
        """Hand usage on to its account, or park it where nobody mapped one."""
        if ref is not None:
            self._queue.send(ref, events)
            return Taken(TakenStatus.ACCEPTED)
        for event in events:
            self._park_unmapped(event)
        return Taken(TakenStatus.PARKED, ACCOUNT_NOT_MAPPED)

    def park(
        self,
        connection_id: str,
        ref: AccountRef | None,
        unplaced: Unreadable,
        identity: Json = None,
    ) -> Taken:
        """Park what cannot be placed.

        Args:
            identity: What makes two of them one; None: all that is kept of it.
        """
        identity = unplaced.callback if identity is None else identity
        self._quarantine.park(
            Parked(
                parked_id=digest([unplaced.reason, connection_id, identity])[:32],
                reason=unplaced.reason,
                detail=unplaced.detail,
                connection_id=connection_id,
                account=ref,
                event=dict(unplaced.callback),
                parked_at=self._clock.now(),
            )
        )
        return Taken(TakenStatus.PARKED, unplaced.reason)

    def _park_unmapped(self, event: UsageEvent) -> None:
        account = event.key.provider_account
        detail = f"the connection maps {account} to no account"
        unplaced = Unreadable(ACCOUNT_NOT_MAPPED, detail, account, event.to_json())
        # Times lie outside the identity, as they do in the fingerprint: a message's callbacks
        # carry none, so each delivery of the same report would be parked once more.
        self.park(
            event.connection_id, None, unplaced, [str(event.key), event.fingerprint, event.status]
        )
