"""Tell that a pool was exhausted, at most once in an hour, and keep that it was."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import datetime

from billing.domain.account import Account, AccountRef
from billing.domain.canonical import Json
from billing.domain.change import Change
from billing.domain.collecting_steps import effect_change, step
from billing.domain.effects import Effect
from billing.domain.errors import (
    BookBusyError,
    BookContendedError,
    ConflictError,
    InsufficientPortsError,
)
from billing.domain.pooling import POOL_EXHAUSTED, hour_of
from billing.domain.port_hours import day_of
from billing.domain.records import Event, EventType
from billing.ports import AlreadyRecordedError, Clock, Reservations
from billing.services.change_account import ChangeAccount


class TellExhausted:
    """Writes a Change of its own: leases and reservations leave the account alone.

    The event comes first and the note that it was told after it, so that a crash between the two
    tells nobody twice: the event's operation is named by the hour. A refusal is answered whether or
    not it can be told; the next one in the hour tries again, and costs one read once it was.
    """

    def __init__(
        self, reservations: Reservations, clock: Clock, change_account: ChangeAccount
    ) -> None:
        self._reservations = reservations
        self._clock = clock
        self._change_account = change_account

    @contextmanager
    def watching(self, ref: AccountRef) -> Iterator[None]:
        """Whoever is refused a port meanwhile because all are out is told of, and refused."""
        try:
            yield
        except InsufficientPortsError as error:
            if error.members["cause"] == POOL_EXHAUSTED:
                with suppress(BookBusyError, BookContendedError, ConflictError):
                    self._tell(ref, error)
            raise

    def _tell(self, ref: AccountRef, error: InsufficientPortsError) -> None:
        kind = str(error.members["licence"])
        hour = hour_of(self._clock.now())
        day = self._reservations.port_day(ref, kind, day_of(hour))
        if day.is_refused(hour):
            return
        data: dict[str, Json] = {
            name: error.members[name] for name in ("licence", "in_use", "quantity")
        }

        def decide(account: Account, now: datetime) -> Change:
            operation = step(account, f"licence/{kind}/exhausted/{hour}", [], now)
            type_ = EventType.LICENCE_EXHAUSTED
            event = Event(f"{operation.operation_id}/{type_}", type_, ref, now, data)
            effect = Effect(account, events=(event,))
            return effect_change(account, effect, operation=operation, now=now)

        with suppress(AlreadyRecordedError):
            self._change_account(ref, decide)
        self._reservations.keep_port_day(day.with_refusal(hour))
