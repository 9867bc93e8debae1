"""Time, work, and the outside world."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Protocol

from billing.domain.account import AccountRef
from billing.domain.records import (
    Event,
)


class Clock(Protocol):
    """The time, as an argument for everything that decides."""

    def now(self) -> datetime:
        """Aware UTC, whole microseconds."""
        ...


class WorkQueue(Protocol):
    """Work that names an account and nothing else: the worker decides again from the state."""

    def send(self, refs: Iterable[AccountRef], cause: str) -> int:
        """Hand work on; the same cause for the same account within minutes is one message.

        Returns:
            How many messages were sent.
        """
        ...


class Events(Protocol):
    """The outbox's other end."""

    def publish(self, events: Sequence[Event]) -> None:
        """Put events on the bus; raises unless all were taken."""
        ...

    def forget(self, events: Sequence[Event]) -> None:
        """Delete what was published from the outbox."""
        ...
