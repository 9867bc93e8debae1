"""One account in AWS on our own wire, under the real bootstraps: schedules, queues, streams, the
gateway's webhooks and a client go on until nothing waits for anybody.

What happens next follows from what is stored alone, so that a world can be put back to where an
invocation began, and go another way from there.
"""

import base64
import hashlib
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any, cast

from aws_lambda_powertools import Metrics

import events.bootstrap
import quota_reset.bootstrap
import recharge.bootstrap
import usage_ingest.bootstrap
from api.problems import RequestError
from api.wiring import Talktime
from billing.adapters.bus import cloud_event
from billing.adapters.dynamodb import items, keys, outbox
from billing.adapters.gateways.sandbox import NAME, SandboxGateway
from billing.adapters.gateways.sandbox_records import Document
from billing.adapters.gateways.sandbox_table import TableSandboxBook
from billing.adapters.gateways.sandbox_truth import told
from billing.domain.errors import (
    BookBusyError,
    BookContendedError,
    PaymentUnknownError,
    StaleAccountError,
    TalktimeError,
)
from billing.domain.gateway_events import GatewayEvent
from billing.domain.records import TimerKind
from billing.services.take_gateway_event import TakeGatewayEvent
from events import publish
from fakes.world import FixedClock
from faults.points import Crash
from faults.wire_deployment import SANDBOX, TABLE, cold_start, deployed
from faults.wire_outside import (
    AGAIN,
    AHEAD,
    BEGUN,
    MOST_DELIVERIES,
    MOST_ROUNDS,
    REF,
    SWEPT,
    Asked,
    Client,
    Outside,
    StuckError,
)
from faults.wire_points import Points
from quota_reset import roll
from quota_reset import sweep as period_sweep
from recharge import collect, reconcile
from recharge import sweep as recharge_sweep
from usage_ingest import post
from wire.aws import Unwatched, WiredAws, wired
from wire.dynamodb import Stored
from wire.expressions import Item
from wire.services import Message


class _NoMetrics:
    metric_set: tuple[()] = ()

    def add_metric(self, name: str, unit: str, value: float) -> None:
        pass

    def flush_metrics(self) -> None:
        pass


class WireWorld:
    """What is stored, what those outside know, and everybody's next step."""

    def __init__(self, aws: WiredAws) -> None:
        self.aws = aws
        self.points = Points()
        self.outside = Outside(BEGUN, BEGUN + AHEAD)
        self.metrics = cast(Metrics, _NoMetrics())
        self.journal: list[str] = []
        aws.now = lambda: self.outside.now
        self._tables()

    def now(self) -> datetime:
        return self.outside.now

    def snapshot(self) -> Any:
        return self.aws.snapshot(), self.outside.copy()

    def restore(self, snapshot: Any) -> None:
        stored, outside = snapshot
        self.aws.restore(stored)
        self.outside = outside.copy()

    @property
    def table(self) -> Stored:
        return self.aws.dynamodb.tables[TABLE]

    def wallet_micros(self) -> int:
        pk, sk = keys.account_state(REF)
        return items.account_of(raw(self.table.items[pk, sk])).wallet_micros

    @property
    def documents(self) -> dict[str, Document]:
        """The gateway's own book, read from behind."""
        stored = self.aws.dynamodb.tables[SANDBOX].items
        return {name: json.loads(item["document"]["S"]) for (name,), item in stored.items()}

    def gateway(self) -> SandboxGateway:
        return SandboxGateway(TableSandboxBook(SANDBOX), FixedClock(self.now()))

    @contextmanager
    def unwatched(self) -> Iterator[Talktime]:
        """The API's services, of whose calls nobody takes notice."""
        watcher, served = self.aws.watcher, self.aws.served
        self.aws.watcher, self.aws.served = Unwatched(), {}
        yield self._fresh().talktime
        self.aws.watcher, self.aws.served = watcher, served

    def rest(self, later: timedelta = timedelta(0)) -> None:
        """Come to rest with nobody watching; then time goes on, and a new history may begin."""
        with self.unwatched():
            self.settle()
        now = self.outside.now + later
        self.outside.now, self.outside.until, self.outside.rounds = now, now + AHEAD, 0
        self.outside.tried.clear()

    def fingerprint(self) -> bytes:
        """Equal where all that is stored and known is: what follows from it is then equal too."""
        tables = self.aws.dynamodb.tables
        stored = [sorted(table.items.items()) for _, table in sorted(tables.items())]
        queues, outside = self.aws.queues, self.outside
        known = [
            stored,
            vars(queues)["waiting"],
            vars(queues)["_taken"],
            len(self.aws.bus.events),
            sorted(self.aws.objects.objects),
            [outside.now, outside.until, outside.rounds, [one.name for one in outside.asking]],
            [sorted(outside.tried), sorted(outside.taken), sorted(outside.announced)],
            sorted(outside.deliveries.items()),
        ]
        return hashlib.blake2b(repr(known).encode(), digest_size=16).digest()

    def settle(
        self,
        checkpoint: Callable[[], None] = lambda: None,
        is_known: Callable[[], bool] = lambda: False,
    ) -> None:
        """Go on until nothing waits. Whoever fails is tried again, a round later.

        Args:
            checkpoint: Called before every invocation.
            is_known: Asked after every invocation: whether what follows is known, and left out.
        """
        while (step := self._next()) is not None:
            checkpoint()
            name, invocation = step
            self.outside.tried.add(name)
            self.journal.append(name)
            try:
                invocation()
            except Crash:
                pass
            except Exception as error:  # noqa: BLE001  # as at Lambda: whatever it is, it comes again
                self.outside.errors += 1
                self.journal.append(f"  {type(error).__name__}: {error}")
            if is_known():
                return

    def _next(self) -> tuple[str, Callable[[], object]] | None:
        while True:
            waiting = list(self._waiting())
            untried = (one for one in waiting if one[0] not in self.outside.tried)
            step = next(untried, None)
            if step is not None:
                return step
            if self.outside.rounds >= MOST_ROUNDS:
                raise StuckError(f"it goes on for ever: {self.journal[-40:]}")
            due_at = self._next_due()
            if due_at is not None and len(waiting) == len(self.outside.asking[:1]):
                # A client alone waits for what a timer is set for.
                self._pass(max(due_at, self.outside.now + AGAIN * len(waiting)))
            elif waiting:
                self._pass(self.outside.now + AGAIN)
            else:
                return None

    def _pass(self, until: datetime) -> None:
        self.outside.now = until
        self.outside.rounds += 1
        self.outside.tried.clear()

    def _waiting(self) -> Iterator[tuple[str, Callable[[], object]]]:
        if self.outside.asking:
            asked = self.outside.asking[0]
            yield f"client {asked.name}", lambda: self._ask(asked)
        for item in self._outbox():
            yield f"publish {item['sk']['S']}", lambda item=item: self._publish(item)  # type: ignore[misc]
        for message in self.aws.queues.waiting.values():
            yield (
                f"{message.queue} {message.message_id}",
                lambda message=message: self._deliver(message),  # type: ignore[misc]
            )
        is_work_left = self.outside.asking or self.aws.queues.waiting
        if self.outside.are_webhooks_early or not is_work_left:
            for event in self._webhooks():
                yield f"webhook {event.event_id}", lambda event=event: self._take(event)  # type: ignore[misc]
        for kind in self.due_kinds(self.outside.now):
            yield f"sweep {kind}", lambda kind=kind: self._sweep(kind)  # type: ignore[misc]

    def _fresh(self) -> Client:
        return Client(cold_start(), self.documents)

    def _ask(self, asked: Asked) -> None:
        client = self._fresh()
        try:
            asked.request(client)
        except (RequestError, PaymentUnknownError):
            raise
        except TalktimeError as error:
            if isinstance(error, (BookBusyError, BookContendedError, StaleAccountError)):
                raise
            # It was refused, and knows.
            self.journal.append(f"  refused: {error.code}")
        self.outside.asking.remove(asked)

    def _outbox(self) -> list[Item]:
        found = [item for (pk, _), item in sorted(self.table.items.items()) if keys.is_event(pk)]
        self.outside.announced |= {cloud_event(outbox.outgoing(item)) for item in found}
        return found

    def _publish(self, item: Item) -> None:
        self._fresh()
        image = {"NewImage": item, "SequenceNumber": "1"}
        record = {"eventName": "INSERT", "eventSource": "aws:dynamodb", "dynamodb": image}
        answer = publish.handle(
            {"Records": [record]}, events.bootstrap.publish_events(), self.metrics
        )
        self._note(answer)

    def _webhooks(self) -> list[GatewayEvent]:
        return [one for one in told(self.documents) if one.event_id not in self.outside.taken]

    def _take(self, event: GatewayEvent) -> None:
        self._fresh()
        service: TakeGatewayEvent = recharge.bootstrap._take_gateway_event()
        service.take(NAME, event)
        self.outside.taken.add(event.event_id)

    def _deliver(self, message: Message) -> None:
        count = self.outside.deliveries.get(message.message_id, 0) + 1
        self.outside.deliveries[message.message_id] = count
        if count > MOST_DELIVERIES:
            raise StuckError(f"{message} became a dead letter: {self.journal[-40:]}")
        self._fresh()
        event = {"Records": [_record(message, count)]}
        match message.queue:
            case "usage.fifo":
                answer: Any = post.handle(event, usage_ingest.bootstrap.post_usage())
            case "roll.fifo":
                answer = roll.handle(
                    event,
                    quota_reset.bootstrap.roll_period(),
                    quota_reset.bootstrap.bill_account(),
                    quota_reset.bootstrap.renew_numbers(),
                )
            case _:
                answer = collect.handle(
                    event,
                    recharge.bootstrap.collect_recharge(),
                    recharge.bootstrap.refund_payment(),
                    recharge.bootstrap.notice_sources(),
                    recharge.bootstrap.collect_invoices(),
                    recharge.bootstrap.renew_numbers(),
                )
        if not self._note(answer):
            self.aws.queues.delete(message)

    def _note(self, answer: Any) -> bool:
        """Whether a batch of one failed."""
        if answer["batchItemFailures"]:
            self.outside.errors += 1
            self.journal.append("  failed")
        return bool(answer["batchItemFailures"])

    def _sweep(self, kind: TimerKind) -> None:
        self._fresh()
        if kind is TimerKind.PAYMENT:
            reconcile.handle(recharge.bootstrap.reconcile_payments(), self.metrics)
        elif kind is TimerKind.RECHARGE:
            recharge_sweep.handle(recharge.bootstrap.sweep_timers())
        else:
            period_sweep.handle(quota_reset.bootstrap.sweep_timers())

    def _timers(self) -> Iterator[tuple[TimerKind, datetime]]:
        for item in self.table.items.values():
            if "due_pk" in item and item["pk"]["S"].startswith("TIMER"):
                timer = items.timer_of(item)
                if timer.kind in SWEPT:
                    yield timer.kind, timer.due_at

    def due_kinds(self, by: datetime) -> list[TimerKind]:
        return sorted({kind for kind, due_at in self._timers() if due_at <= by})

    def _next_due(self) -> datetime | None:
        due = (due_at for _, due_at in self._timers() if due_at <= self.outside.until)
        return min(due, default=None)

    def _tables(self) -> None:
        schema = [{"AttributeName": "pk", "KeyType": "HASH"}]
        ranged = [*schema, {"AttributeName": "sk", "KeyType": "RANGE"}]
        due = {
            "IndexName": keys.DUE_INDEX,
            "KeySchema": [
                {"AttributeName": "due_pk", "KeyType": "HASH"},
                {"AttributeName": "due_at", "KeyType": "RANGE"},
            ],
        }
        self.aws.dynamodb.answer(
            "CreateTable",
            {"TableName": TABLE, "KeySchema": ranged, "GlobalSecondaryIndexes": [due]},
        )
        self.aws.dynamodb.answer("CreateTable", {"TableName": SANDBOX, "KeySchema": schema})


def raw(item: Item) -> Any:
    """An item as botocore hands it over: on the wire, bytes are text."""
    return {
        name: {"B": base64.b64decode(value["B"])} if "B" in value else value
        for name, value in item.items()
    }


def _record(message: Message, count: int) -> dict[str, Any]:
    attributes = {"ApproximateReceiveCount": str(count), "MessageGroupId": message.group}
    return {
        "messageId": message.message_id,
        "body": message.body,
        "attributes": attributes,
        "messageAttributes": {},
        "eventSource": "aws:sqs",
    }


@contextmanager
def a_wire_world() -> Iterator[WireWorld]:
    """An empty one, watched by nobody yet."""
    aws = WiredAws()
    world = WireWorld(aws)
    with wired(aws), deployed(world.now):
        yield world
