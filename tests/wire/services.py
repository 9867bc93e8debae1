"""Queues, buses and objects in memory, as far as our adapters use them."""

import copy
import hashlib
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, ClassVar

from wire.dynamodb import Answer
from wire.expressions import UnsupportedError

Asked = Mapping[str, Any]

DEDUPLICATED_FOR = timedelta(minutes=5)
"""How long a first-in-first-out queue takes the same message for the same (SQS, 2026)."""

MAX_BATCH = 10


@dataclass(frozen=True)
class Message:
    """One message of a queue."""

    queue: str
    message_id: str
    body: str
    group: str


@dataclass
class InMemoryQueues:
    """First in first out: a message is taken once within five minutes, and stays until deleted."""

    now: Callable[[], datetime]
    waiting: dict[str, Message] = field(default_factory=dict)
    sent: int = 0
    _taken: dict[tuple[str, str], tuple[datetime, str]] = field(default_factory=dict)

    WRITES: ClassVar[frozenset[str]] = frozenset({"SendMessage", "SendMessageBatch"})

    def answer(self, operation: str, asked: Asked) -> Answer:
        queue = asked["QueueUrl"].rpartition("/")[2]
        if operation == "SendMessage":
            return self._take(queue, asked)
        if operation == "SendMessageBatch":
            entries = asked["Entries"]
            assert 0 < len(entries) <= MAX_BATCH
            taken = [{"Id": one["Id"], **self._take(queue, one)} for one in entries]
            return {"Successful": taken, "Failed": []}
        raise UnsupportedError(f"SQS {operation}")

    def delete(self, message: Message) -> None:
        del self.waiting[message.message_id]

    def _take(self, queue: str, asked: Asked) -> Answer:
        body = asked["MessageBody"]
        md5 = hashlib.md5(body.encode(), usedforsecurity=False).hexdigest()
        name, now = (queue, asked["MessageDeduplicationId"]), self.now()
        if name in self._taken and now - self._taken[name][0] < DEDUPLICATED_FOR:
            return {"MessageId": self._taken[name][1], "MD5OfMessageBody": md5}
        self.sent += 1
        message = Message(queue, f"message-{self.sent}", body, asked["MessageGroupId"])
        self._taken[name] = now, message.message_id
        self.waiting[message.message_id] = message
        return {"MessageId": message.message_id, "MD5OfMessageBody": md5}


@dataclass
class InMemoryBus:
    """Keeps what was put on it."""

    events: list[dict[str, Any]] = field(default_factory=list)

    WRITES: ClassVar[frozenset[str]] = frozenset({"PutEvents"})

    def answer(self, operation: str, asked: Asked) -> Answer:
        if operation != "PutEvents":
            raise UnsupportedError(f"EventBridge {operation}")
        self.events += asked["Entries"]
        taken = [{"EventId": str(place)} for place, _ in enumerate(asked["Entries"])]
        return {"FailedEntryCount": 0, "Entries": taken}


@dataclass
class InMemoryObjects:
    """Objects by bucket and key; put only where there is none, if that is asked."""

    objects: dict[str, bytes] = field(default_factory=dict)

    WRITES: ClassVar[frozenset[str]] = frozenset({"PutObject"})

    def answer(
        self, operation: str, name: str, headers: Mapping[str, str], body: bytes
    ) -> tuple[int, bytes]:
        if operation == "HeadObject":
            return (200 if name in self.objects else 404), b""
        if operation == "GetObject":
            found = self.objects.get(name)
            return (404, error_page("NoSuchKey")) if found is None else (200, found)
        if operation == "PutObject":
            if headers.get("If-None-Match") == "*" and name in self.objects:
                return 412, error_page("PreconditionFailed")
            self.objects[name] = body
            return 200, b""
        raise UnsupportedError(f"S3 {operation}")


def error_page(code: str) -> bytes:
    return f"<Error><Code>{code}</Code><Message>{code}</Message></Error>".encode()


def object_name(url: str) -> str:
    """Bucket and key, however the bucket is addressed."""
    match = re.match(r"https?://(?:([^./]+)\.)?s3[^/]*/([^?]*)", url)
    assert match is not None, url
    return f"{match[1]}/{match[2]}" if match[1] else match[2]


def snapshot(*services: InMemoryQueues | InMemoryBus | InMemoryObjects) -> list[dict[str, Any]]:
    return [
        {
            name: copy.copy(value)
            for name, value in vars(service).items()
            if isinstance(value, (dict, list, int))
        }
        for service in services
    ]


def restore(
    kept: list[dict[str, Any]], *services: InMemoryQueues | InMemoryBus | InMemoryObjects
) -> None:
    for values, service in zip(kept, services, strict=True):
        vars(service).update({name: copy.copy(value) for name, value in values.items()})
