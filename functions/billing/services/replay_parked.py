"""Replay what is parked: post its event again. Posting once more never bills a call twice.

Nothing is corrected by it either: what conflicts with the recorded call still does, and is parked
again.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

from billing.domain.account import AccountRef
from billing.domain.errors import (
    AccountNotMappedError,
    ConflictError,
    InvalidUsageError,
    ItemClosedError,
    NotFoundError,
)
from billing.domain.quarantine import Parked, ParkedState, replay
from billing.domain.usage import UsageEvent
from billing.ports import Book, Clock, Connection, Connections, Quarantine, UsageQueue
from billing.services.read_quarantine import ReadQuarantine, Wanted

MAX_REPLAYED = 100
"""Items one request replays: each is written and sent by itself, some 20 ms together."""

WAITING = frozenset({ParkedState.PARKED, ParkedState.FIXED})

NOT_REPLAYABLE = (AccountNotMappedError, ConflictError, InvalidUsageError, ItemClosedError)
"""Refusals that concern one item: the others of many go on."""

Find = Callable[[str], Connection]


@dataclass(frozen=True, slots=True)
class Skipped:
    """An item that could not be replayed as it is."""

    parked_id: str
    code: str
    detail: str


@dataclass(frozen=True, slots=True)
class Replayed:
    """What became of many; ``after`` is where to go on, None at the end."""

    replayed: int
    skipped: tuple[Skipped, ...]
    after: str | None


class ReplayParked:
    """Marks an item as replayed, then sends its event: an answer cannot overtake the mark.

    Should sending fail, or whoever sends, the item says ``replayed`` and nothing was sent. It stays
    open, counts as such, and can be replayed again.
    """

    def __init__(
        self,
        *,
        quarantine: Quarantine,
        book: Book,
        connections: Connections,
        queue: UsageQueue,
        clock: Clock,
    ) -> None:
        self._quarantine = quarantine
        self._connections = connections
        self._queue = queue
        self._clock = clock
        self._read = ReadQuarantine(quarantine, book)

    def replay(self, parked_id: str, actor: str) -> Parked:
        """Post one item's event again. What was posted already is left alone.

        Raises:
            NotFoundError: There is no such item.
            InvalidUsageError: It cannot be read as usage; fix it first.
            AccountNotMappedError: Nobody knows whose usage it is; map it, or fix its account.
            ItemClosedError: It was dismissed.
            ConflictError: It was changed at the same time.
        """
        parked = self._read.get(parked_id)
        if parked.state is ParkedState.RESOLVED:
            return parked
        return self._replay(parked, actor, self._connections.get)

    def replay_many(
        self, reason: str, connection_id: str | None, after: str | None, actor: str
    ) -> Replayed:
        """Post again what waits for the same reason, by id, at most ``MAX_REPLAYED`` at once.

        Begun anew after a crash, it takes what still waits.

        Args:
            after: Where an earlier one ended; None: from the beginning.
        """
        wanted = Wanted(reason=reason, states=WAITING, connection_id=connection_id)
        page = self._read.find(wanted, after, MAX_REPLAYED)
        # Connections hold secrets, so each read of one may ask the key service.
        connection = cache(self._connections.get)
        skipped: list[Skipped] = []
        for parked in page.items:
            try:
                self._replay(parked, actor, connection)
            except NOT_REPLAYABLE as error:
                skipped.append(Skipped(parked.parked_id, error.code, error.detail))
        return Replayed(len(page.items) - len(skipped), tuple(skipped), page.after)

    def _replay(self, parked: Parked, actor: str, connection: Find) -> Parked:
        if not parked.is_open:
            raise ItemClosedError(f"this item is {parked.state}; it is not replayed")
        usage = _usage(parked)
        ref = parked.account or _mapped(parked, usage, connection)
        replayed = replay(parked, ref, actor, self._clock.now())
        self._quarantine.save(replayed, parked.version)
        self._queue.send(ref, [usage], f"replay {replayed.attempts} of {replayed.parked_id}")
        return replayed


def _usage(parked: Parked) -> UsageEvent:
    try:
        return parked.usage()
    except InvalidUsageError as error:
        raise InvalidUsageError(
            "this cannot be read as usage; fix what is missing first"
        ) from error


def _mapped(parked: Parked, usage: UsageEvent, connection: Find) -> AccountRef:
    account = usage.key.provider_account
    try:
        ref = connection(parked.connection_id).account_for(account)
    except NotFoundError:
        ref = None
    if ref is None:
        raise AccountNotMappedError(
            f"connection {parked.connection_id!r} maps {account!r} to no account; map it, or fix"
            " the item's account"
        )
    return ref
