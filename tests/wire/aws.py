"""AWS in this process, behind botocore: what our clients send is answered just before it would
leave, and every call can be seen, spoiled or lost on its way.

The hooks stand in the list that every botocore session takes its own from, because each PynamoDB
connection makes itself a session and a client: a hook on one client sees no call of another.
"""

import functools
import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from io import BytesIO
from typing import Any, ClassVar, Protocol

import boto3
import botocore
import pytest
from botocore import endpoint, handlers, useragent
from botocore.awsrequest import AWSPreparedRequest, AWSResponse
from botocore.compat import HTTPHeaders
from botocore.httpsession import URLLib3Session
from botocore.model import OperationModel
from botocore.retries.quota import RetryQuota

from wire import services
from wire.dynamodb import InMemoryDynamoDB, ServiceError
from wire.expressions import UnsupportedError

REGION = "us-east-1"
CREDENTIALS = {
    "AWS_ACCESS_KEY_ID": "test",
    "AWS_SECRET_ACCESS_KEY": "test",
    "AWS_DEFAULT_REGION": REGION,
}


@dataclass(frozen=True)
class Call:
    """One call of our code's, of however many attempts.

    Args:
        is_write: It may change what is kept there.
        table: Of DynamoDB, which of its tables; empty elsewhere.
    """

    service: str
    operation: str
    is_write: bool
    table: str = ""

    def __str__(self) -> str:
        return f"{self.service}.{self.operation}"


class Answer(AWSResponse):
    """An answer that was never on any wire."""

    def __init__(self, request: AWSPreparedRequest, status: int, body: bytes) -> None:
        super().__init__(request.url, status, HTTPHeaders(), _Raw(body))


class Watcher(Protocol):
    """Sees every call begin, every attempt of it, and its end. Whatever it raises is raised."""

    def begins(self, call: Call) -> None: ...

    def attempted(
        self, call: Call, request: AWSPreparedRequest, answer: Callable[[], Answer]
    ) -> Answer: ...

    def ends(self, call: Call) -> None: ...


class _Service(Protocol):
    """One that is spoken to in JSON."""

    WRITES: ClassVar[frozenset[str]]

    def answer(self, operation: str, asked: Mapping[str, Any], /) -> dict[str, Any]: ...


class Unwatched:
    """Lets everything through."""

    def begins(self, call: Call) -> None:
        pass

    def attempted(
        self, call: Call, request: AWSPreparedRequest, answer: Callable[[], Answer]
    ) -> Answer:
        return answer()

    def ends(self, call: Call) -> None:
        pass


@dataclass
class WiredAws:
    """The services, and what they have seen.

    Args:
        served: Calls that reached the services, by name: their own count, not the hooks'.
    """

    now: Callable[[], datetime] = lambda: datetime.now(UTC)
    watcher: Watcher = field(default_factory=Unwatched)
    dynamodb: InMemoryDynamoDB = field(default_factory=InMemoryDynamoDB)
    bus: services.InMemoryBus = field(default_factory=services.InMemoryBus)
    objects: services.InMemoryObjects = field(default_factory=services.InMemoryObjects)
    served: dict[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.queues = services.InMemoryQueues(lambda: self.now())
        self._call: Call | None = None
        self._json: dict[str, _Service] = {
            "dynamodb": self.dynamodb,
            "sqs": self.queues,
            "events": self.bus,
        }

    def snapshot(self) -> Any:
        kept = services.snapshot(self.queues, self.bus, self.objects)
        return self.dynamodb.snapshot(), kept

    def restore(self, snapshot: Any) -> None:
        tables, kept = snapshot
        self.dynamodb.restore(tables)
        services.restore(kept, self.queues, self.bus, self.objects)

    def before_call(self, model: OperationModel, params: dict[str, Any], **_: Any) -> None:
        service = model.service_model.service_name
        table = ""
        is_write = service == "s3" and model.name in self.objects.WRITES
        if service in self._json:
            is_write = model.name in self._json[service].WRITES
        if service == "dynamodb":
            table = _table_of(json.loads(params["body"]))
        self._call = Call(service, model.name, is_write, table)
        self.watcher.begins(self._call)

    def before_send(self, request: AWSPreparedRequest, **_: Any) -> Answer:
        assert self._call is not None, "every attempt is of a call that was seen to begin"
        return self.watcher.attempted(self._call, request, lambda: self._answer(request))

    def after_call(self, model: OperationModel, **_: Any) -> None:
        assert self._call is not None
        assert self._call.operation == model.name
        self.watcher.ends(self._call)

    def _answer(self, request: AWSPreparedRequest) -> Answer:
        call = self._call
        assert call is not None
        self.served[str(call)] = self.served.get(str(call), 0) + 1
        if call.service == "s3":
            name = services.object_name(request.url)
            headers = {key: _text(value) for key, value in request.headers.items()}
            status, body = self.objects.answer(call.operation, name, headers, _body(request))
            return Answer(request, status, body)
        if call.service not in self._json:
            raise UnsupportedError(f"service {call.service}")
        try:
            answer = self._json[call.service].answer(call.operation, json.loads(_body(request)))
        except ServiceError as error:
            return Answer(request, 400, json.dumps(error.body).encode())
        return Answer(request, 200, json.dumps(answer).encode())


@contextmanager
def wired(aws: WiredAws) -> Iterator[WiredAws]:
    """Every session made meanwhile speaks with it, and nothing leaves this process."""

    def leave(*_: object) -> None:
        raise UnsupportedError("a call went past the hooks")

    with pytest.MonkeyPatch.context() as patch:
        for name, value in CREDENTIALS.items():
            patch.setenv(name, value)
        patch.delenv("AWS_PROFILE", raising=False)
        patch.delenv("AWS_ENDPOINT_URL", raising=False)
        hooks = [
            ("before-call", aws.before_call),
            ("before-send", aws.before_send),
            ("after-call", aws.after_call),
            # Nobody verifies signatures here, and they are a fifth of what a call costs.
            ("choose-signer", lambda **_: botocore.UNSIGNED),
        ]
        patch.setattr(handlers, "BUILTIN_HANDLERS", [*handlers.BUILTIN_HANDLERS, *hooks])
        patch.setattr(boto3, "DEFAULT_SESSION", None)
        patch.setattr(URLLib3Session, "send", leave)
        # botocore's own repetitions: none waits, and how many there were before is no limit, or
        # one history would depend on all others in this process.
        patch.setattr(endpoint, "time", _NoTime)
        patch.setattr(RetryQuota, "acquire", lambda _, __: True)
        # A quarter of what a call costs is to spell out again who calls.
        spelled = functools.cache(useragent.sanitize_user_agent_string_component)
        patch.setattr(useragent, "sanitize_user_agent_string_component", spelled)
        yield aws


class _NoTime:
    @staticmethod
    def sleep(_: float) -> None:
        pass


class _Raw:
    def __init__(self, body: bytes) -> None:
        self._body = BytesIO(body)

    def stream(self, **_: object) -> Iterator[bytes]:
        while part := self._body.read():
            yield part

    def read(self, size: int | None = None) -> bytes:
        return self._body.read(-1 if size is None else size)


def _table_of(asked: dict[str, Any]) -> str:
    if "TableName" in asked:
        return str(asked["TableName"])
    if "RequestItems" in asked:
        return str(next(iter(asked["RequestItems"])))
    ((line),) = asked["TransactItems"][0].values()
    return str(line["TableName"])


def _body(request: AWSPreparedRequest) -> bytes:
    body: Any = request.body
    if hasattr(body, "read"):
        body.seek(0)
        body = body.read()
    if isinstance(body, str):
        return body.encode()
    is_in_chunks = "X-Amz-Decoded-Content-Length" in request.headers
    return _unchunked(body) if is_in_chunks else bytes(body or b"")


def _unchunked(body: bytes) -> bytes:
    """What was sent in pieces, each after its length, and a checksum after the last."""
    whole = b""
    while body:
        length, _, body = body.partition(b"\r\n")
        size = int(length, 16)
        if not size:
            break
        whole, body = whole + body[:size], body[size + 2 :]
    return whole


def _text(value: str | bytes) -> str:
    return value.decode() if isinstance(value, bytes) else value
