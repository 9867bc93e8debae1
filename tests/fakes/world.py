"""The rest of the world in memory: time, queues, and a payment gateway."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta

from billing.adapters.gateways.sandbox import SandboxGateway
from billing.adapters.gateways.sandbox_records import Document
from billing.domain.account import AccountRef
from billing.domain.usage import UsageEvent
from billing.ports import Clock


class FixedClock:
    """Time that moves only when told to."""

    def __init__(self, now: datetime) -> None:
        assert now.tzinfo is UTC, now
        self._now = now

    def now(self) -> datetime:
        return self._now

    def advance(self, by: timedelta) -> None:
        assert by >= timedelta(0), by
        self._now += by


class RecordingUsageQueue:
    """Keeps what is sent until it is taken; what waits already is not kept twice."""

    def __init__(self) -> None:
        self._waiting: dict[tuple[AccountRef, tuple[UsageEvent, ...], str], None] = {}

    def send(self, ref: AccountRef, events: Sequence[UsageEvent], cause: str = "") -> None:
        if events:
            self._waiting.setdefault((ref, tuple(events), cause))

    @property
    def waiting(self) -> list[tuple[AccountRef, tuple[UsageEvent, ...]]]:
        """What was sent and not taken, in order."""
        return [(ref, events) for ref, events, _ in self._waiting]

    def take(self) -> list[tuple[AccountRef, tuple[UsageEvent, ...]]]:
        """Everything that waits, in order; nothing waits afterwards."""
        taken, self._waiting = self.waiting, {}
        return taken


class RecordingWorkQueue:
    """Keeps what is sent until it is taken; the same work waits once."""

    def __init__(self) -> None:
        self._waiting: dict[tuple[AccountRef, str], None] = {}

    def send(self, refs: Iterable[AccountRef], cause: str) -> int:
        sent = 0
        for ref in refs:
            self._waiting.setdefault((ref, cause))
            sent += 1
        return sent

    @property
    def waiting(self) -> list[tuple[AccountRef, str]]:
        """Accounts and causes sent and not taken, in order."""
        return list(self._waiting)

    def take(self) -> list[AccountRef]:
        """The accounts of everything that waits, in order; nothing waits afterwards."""
        taken, self._waiting = self._waiting, {}
        return [ref for ref, _ in taken]


class InMemorySandboxBook:
    """The sandbox's documents in a dictionary."""

    def __init__(self) -> None:
        self._documents: dict[str, Document] = {}

    def get(self, name: str) -> Document | None:
        return self._documents.get(name)

    def put_if_absent(self, name: str, document: Document) -> Document | None:
        # One atomic step, so that threads may race for a name here too.
        kept = self._documents.setdefault(name, document)
        return None if kept is document else kept

    def documents(self) -> Mapping[str, Document]:
        return dict(self._documents)


class InMemorySandbox(SandboxGateway):
    """The sandbox gateway without a table."""

    def __init__(self, clock: Clock) -> None:
        self.kept = InMemorySandboxBook()
        super().__init__(self.kept, clock)
