"""A first-in-first-out queue as SQS keeps it: groups in order, everything at least once."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from random import Random
from typing import Any

from billing.adapters.queues import MAX_BATCH
from simulation.faults import Faults, SkewedClock

DEDUPLICATION_WINDOW = timedelta(minutes=5)
"""For so long a queue takes the same deduplication id without keeping the message (SQS, 2026)."""

NOT_TAKEN = 0.03
"""Messages of a batch that the queue refuses."""


@dataclass(slots=True)
class Message:
    """One message; it stays until whoever received it says that it is done."""

    message_id: str
    group: str
    body: str
    deliveries: int = 0
    is_in_flight: bool = False

    def as_record(self) -> dict[str, Any]:
        return {
            "messageId": self.message_id,
            "receiptHandle": f"{self.message_id}/{self.deliveries}",
            "body": self.body,
            "attributes": {
                "ApproximateReceiveCount": str(self.deliveries),
                "MessageGroupId": self.group,
            },
            "messageAttributes": {},
            "eventSource": "aws:sqs",
        }


class SimulatedFifo:
    """As much of the SQS client as our adapters call, and the other end of the queue.

    There is no dead-letter queue: what would go there is delivered again, as after a redrive.
    """

    def __init__(self, name: str, clock: SkewedClock, faults: Faults) -> None:
        self.name = name
        self._clock = clock
        self._faults = faults
        self._groups: dict[str, list[Message]] = {}
        self._taken_at: dict[str, datetime] = {}
        self._sent = 0

    def send_message(self, **request: str) -> dict[str, Any]:
        self._keep(request)
        return {}

    def send_message_batch(self, **request: Any) -> dict[str, Any]:
        failed: list[dict[str, str]] = []
        for entry in request["Entries"]:
            if self._faults.chance(NOT_TAKEN):
                failed.append({"Id": entry["Id"]})
            else:
                self._keep(entry)
        return {"Failed": failed}

    def receive(self, random: Random, *, even_in_flight: bool = False) -> list[Message]:
        """The next messages of some groups, each group's in order, groups in any order.

        Args:
            even_in_flight: Whoever has them already was too slow: their visibility has expired.
        """
        groups = [
            messages
            for messages in self._groups.values()
            if even_in_flight or not messages[0].is_in_flight
        ]
        random.shuffle(groups)
        received: list[Message] = []
        for messages in groups:
            room = MAX_BATCH - len(received)
            received += messages[: min(room, random.randint(1, MAX_BATCH))]
        for message in received:
            self._faults.counts["duplicates"] += message.deliveries > 0
            message.deliveries += 1
            message.is_in_flight = True
        return received

    def settle(self, messages: Sequence[Message], failed: Iterable[str]) -> None:
        """Forget what is done; what failed can be received again."""
        again = set(failed)
        for message in messages:
            message.is_in_flight = False
            group = self._groups.get(message.group, [])
            if message.message_id not in again and message in group:
                group.remove(message)
                if not group:
                    del self._groups[message.group]

    @property
    def waiting(self) -> int:
        return sum(map(len, self._groups.values()))

    def _keep(self, request: Mapping[str, str]) -> None:
        now = self._clock.true_now
        name = request["MessageDeduplicationId"]
        taken_at = self._taken_at.get(name)
        if taken_at is not None and now < taken_at + DEDUPLICATION_WINDOW:
            return
        self._taken_at[name] = now
        self._sent += 1
        group = request["MessageGroupId"]
        message = Message(f"{self.name}-{self._sent}", group, request["MessageBody"])
        self._groups.setdefault(group, []).append(message)
