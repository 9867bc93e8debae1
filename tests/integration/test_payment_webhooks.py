"""A payment gateway's webhook as API Gateway delivers it, and what else works at recharges."""

import base64
import io
import json
import logging
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any, cast

import boto3
import pytest
from aws_lambda_powertools import Metrics

from billing.adapters.dynamodb.book import DynamoDBBook
from billing.adapters.dynamodb.table import Table
from billing.adapters.gateways.registry import WEBHOOKS
from billing.adapters.gateways.sandbox import SUCCEEDS, SandboxGateway
from billing.adapters.gateways.sandbox_table import TableSandboxBook
from billing.adapters.gateways.sandbox_webhooks import signed_request
from billing.adapters.queues import work_from_message
from billing.domain import collecting
from billing.domain.errors import (
    BookBusyError,
    InvalidInputError,
    PaymentMismatchError,
    PaymentNotCreditedError,
    PaymentUnknownError,
    TalktimeError,
)
from billing.domain.gateway_events import GatewayEvent, GatewayEventKind
from billing.domain.records import OperationState, RechargeState, TimerKind
from billing.ports import ChargeRequest
from billing.services.collect_invoices import CollectInvoices
from billing.services.notice_sources import NoticeSources
from billing.services.reconcile_payments import OVERDUE_AFTER, ReconcilePayments
from billing.services.renew_numbers import RenewNumbers
from billing.services.sweep_timers import SweepTimers
from billing.services.take_gateway_webhook import TakeGatewayWebhook
from builders import ACME, NOON, USD, a_source, a_touch, an_account, an_intent, an_opening
from contract.beds import in_moto
from fakes.world import RecordingWorkQueue
from recharge import bootstrap, collect, receive, reconcile, sweep
from recharge.receive import MAX_BODY_BYTES, handle
from unit.told_world import Told

PUBLIC_URL = "https://billing.example.com"
URL = f"{PUBLIC_URL}/webhooks/payments/sandbox"
SECRET = "whsec_" + base64.b64encode(b"the sandbox's own secret, for te").decode()
NEXT_SECRET = "whsec_" + base64.b64encode(b"the secret that comes after this").decode()
REQUEST_ID = "UbTxkhO2oAMEJ5w="
CAPTURED = GatewayEventKind.CAPTURED


def delivered(
    event: GatewayEvent, at: datetime, secret: str = SECRET, gateway: str = "sandbox"
) -> dict[str, Any]:
    """The webhook of an event, signed at that time, as a function gets it."""
    request = signed_request(event, secret, URL, at)
    return {
        "version": "2.0",
        "routeKey": "POST /webhooks/payments/{gateway}",
        "rawPath": f"/webhooks/payments/{gateway}",
        "rawQueryString": "",
        "headers": dict(request.headers),
        "requestContext": {"requestId": REQUEST_ID, "http": {"method": "POST"}},
        "pathParameters": {"gateway": gateway},
        "body": base64.b64encode(request.body).decode(),
        "isBase64Encoded": True,
    }


class Posting:
    """An account with a payment whose answer was lost, and the function its webhooks come to."""

    def __init__(self, secrets: Sequence[str] = (SECRET,)) -> None:
        self.world = Told(SUCCEEDS)
        self.world.lose()
        self.captured = self.world.event(CAPTURED)
        self.metrics = Metrics(namespace="Talktime", service="recharge.receive")
        self.take_webhook = TakeGatewayWebhook(
            dialects=WEBHOOKS,
            secrets={"sandbox": lambda: secrets, "stripe": lambda: ()},
            take_gateway_event=self.world.webhooks,
            clock=self.world.clock,
        )

    def webhook(self, **overrides: Any) -> dict[str, Any]:
        return delivered(replace(self.captured, **overrides), self.world.clock.now())

    def post(self, event: dict[str, Any]) -> dict[str, Any]:
        return handle(event, self.take_webhook, self.metrics, PUBLIC_URL)

    @property
    def wallet_micros(self) -> int:
        return self.world.account.wallet_micros


@pytest.fixture
def posting() -> Posting:
    return Posting()


def test_a_signed_webhook_is_answered_204_once_it_is_in_the_book(posting: Posting) -> None:
    assert posting.post(posting.webhook()) == {
        "statusCode": 204,
        "headers": {"X-Request-Id": REQUEST_ID},
    }
    assert posting.wallet_micros == 20 * USD


def test_a_body_delivered_as_text_is_the_same_body(posting: Posting) -> None:
    event = posting.webhook()
    event |= {"body": base64.b64decode(event["body"]).decode(), "isBase64Encoded": False}
    assert posting.post(event)["statusCode"] == 204
    assert posting.wallet_micros == 20 * USD


def test_the_same_webhook_ten_times_credits_once(posting: Posting) -> None:
    answers = [posting.post(posting.webhook())["statusCode"] for _ in range(10)]
    assert answers == [204] * 10
    assert posting.wallet_micros == 20 * USD


def test_what_nobody_acts_on_is_acknowledged(posting: Posting) -> None:
    event = posting.webhook()
    body = base64.b64decode(event["body"]).replace(b"payment.captured", b"balance.available")
    request = resigned(body, posting.world.clock.now())
    assert posting.post({**event, **request})["statusCode"] == 204
    assert posting.wallet_micros == 0


def resigned(body: bytes, at: datetime) -> dict[str, Any]:
    """The parts of a delivery with another body, signed all the same."""
    from billing.adapters.telephony import standard_webhooks

    timestamp = str(int(at.timestamp()))
    key = base64.b64decode(SECRET.removeprefix("whsec_"))
    signature = standard_webhooks.signature(key, b"evt_1." + timestamp.encode() + b"." + body)
    headers = {
        "webhook-id": "evt_1",
        "webhook-timestamp": timestamp,
        "webhook-signature": f"v1,{signature.decode()}",
    }
    return {"headers": headers, "body": base64.b64encode(body).decode()}


Change = Callable[[dict[str, Any]], object]


def _header(name: str, value: str | None) -> Change:
    def change(event: dict[str, Any]) -> None:
        if value is None:
            del event["headers"][name]
        else:
            event["headers"][name] = value

    return change


REFUSED = [
    pytest.param(
        lambda event: event.update(
            body=base64.b64encode(
                base64.b64decode(event["body"]).replace(b"2000", b"9000")
            ).decode()
        ),
        id="an altered body",
    ),
    pytest.param(lambda event: event.update(body=None), id="no body"),
    pytest.param(lambda event: event.update(isBase64Encoded=False), id="a body taken for text"),
    pytest.param(
        lambda event: event.update(body="\ud800", isBase64Encoded=False), id="no text at all"
    ),
    pytest.param(_header("webhook-signature", None), id="no signature"),
    pytest.param(_header("webhook-signature", "v1,é\ud800"), id="an odd signature"),
    pytest.param(_header("webhook-timestamp", "1"), id="another time"),
    pytest.param(_header("webhook-id", "evt_other"), id="another event's id"),
    pytest.param(lambda event: event.update(headers=None), id="no headers"),
    pytest.param(
        lambda event: event["requestContext"]["http"].update(method="GET"), id="another method"
    ),
    pytest.param(
        lambda event: event["pathParameters"].update(gateway="stripe"), id="another gateway's"
    ),
]


@pytest.mark.parametrize("change", REFUSED)
def test_every_refusal_is_the_same_401(posting: Posting, change: Change) -> None:
    event = posting.webhook()
    change(event)
    assert_refused(posting, event)


def assert_refused(posting: Posting, event: dict[str, Any]) -> None:
    answer = posting.post(event)
    assert answer["statusCode"] == 401
    assert answer["headers"] == {
        "Content-Type": "application/problem+json",
        "X-Request-Id": REQUEST_ID,
    }
    assert json.loads(answer["body"]) == {
        "type": "about:blank",
        "title": "Unauthorized",
        "status": 401,
        "detail": "the signature is missing or wrong",
        "code": "invalid_signature",
        "request_id": REQUEST_ID,
    }
    assert posting.wallet_micros == 0


@pytest.mark.parametrize("minutes", [-6, 6])
def test_a_webhook_that_was_signed_at_another_time_is_refused(
    posting: Posting, minutes: int
) -> None:
    signed_at = posting.world.clock.now() + timedelta(minutes=minutes)
    assert_refused(posting, delivered(posting.captured, signed_at))


@pytest.mark.parametrize("secret", [SECRET, NEXT_SECRET])
def test_two_secrets_are_good_while_one_replaces_the_other(secret: str) -> None:
    posting = Posting((SECRET, NEXT_SECRET))
    event = delivered(posting.captured, posting.world.clock.now(), secret)
    assert posting.post(event)["statusCode"] == 204


def test_another_secret_is_refused(posting: Posting) -> None:
    assert_refused(posting, delivered(posting.captured, posting.world.clock.now(), NEXT_SECRET))


@pytest.mark.parametrize("secrets", [(), ("",), ("whsec_",)])
def test_where_there_is_no_secret_yet_every_webhook_is_refused(secrets: tuple[str, ...]) -> None:
    posting = Posting(secrets)
    assert_refused(posting, posting.webhook())


@pytest.mark.parametrize("gateway", ["nobody", "", "a/../b#\ud800", "x" * 1000])
def test_an_unknown_gateway_is_404(posting: Posting, gateway: str) -> None:
    answer = posting.post({**posting.webhook(), "pathParameters": {"gateway": gateway}})
    assert (answer["statusCode"], json.loads(answer["body"])["code"]) == (404, "not_found")
    assert posting.post({**posting.webhook(), "pathParameters": None})["statusCode"] == 404


def test_a_body_too_large_is_413_whoever_signed_it(posting: Posting) -> None:
    at = posting.world.clock.now()
    largest = {**posting.webhook(), **resigned(b"[" * MAX_BODY_BYTES, at)}
    with pytest.raises(InvalidInputError):
        posting.post(largest)
    larger = {**posting.webhook(), **resigned(b"[" * (MAX_BODY_BYTES + 1), at)}
    answer = posting.post(larger)
    assert (answer["statusCode"], json.loads(answer["body"])["code"]) == (413, "body_too_large")


class Failing:
    """Stands in for taking a webhook, and fails."""

    def __init__(self, error: Exception) -> None:
        self._error = error

    def knows(self, gateway: str) -> bool:
        return True

    def take(self, gateway: str, request: object) -> None:
        raise self._error


@pytest.mark.parametrize(
    "error",
    [
        BookBusyError("the account is busy"),
        PaymentNotCreditedError("the payment is not credited yet"),
        PaymentUnknownError("the gateway did not answer"),
    ],
)
def test_what_is_only_too_early_is_asked_for_again(posting: Posting, error: TalktimeError) -> None:
    posting.take_webhook = cast(TakeGatewayWebhook, Failing(error))
    answer = posting.post(posting.webhook())
    assert (answer["statusCode"], json.loads(answer["body"])["code"]) == (503, error.code)


def test_a_refund_that_overtakes_its_payment_is_asked_for_again(posting: Posting) -> None:
    world = posting.world
    world.sandbox.refund_elsewhere(world.payment_id, 300)
    refunded = delivered(world.event(GatewayEventKind.REFUNDED), world.clock.now())
    assert posting.post(refunded)["statusCode"] == 503
    assert posting.post(posting.webhook())["statusCode"] == 204
    assert posting.post(refunded)["statusCode"] == 204
    assert posting.wallet_micros == 17 * USD


def test_a_stores_failure_is_the_functions_own(posting: Posting) -> None:
    posting.take_webhook = cast(TakeGatewayWebhook, Failing(OSError("the table is gone")))
    with pytest.raises(OSError, match="the table is gone"):
        posting.post(posting.webhook())


def counted(printed: str) -> dict[str, float]:
    """The metrics that were written, by name."""
    lines = [json.loads(line) for line in printed.splitlines() if '"_aws"' in line]
    names = [
        (metric["Name"], line)
        for line in lines
        for directive in line["_aws"]["CloudWatchMetrics"]
        for metric in directive["Metrics"]
    ]
    return {name: line[name][0] for name, line in names}


def test_another_amount_is_an_error_that_is_counted(
    posting: Posting, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(PaymentMismatchError):
        posting.post(posting.webhook(amount_minor=2001))
    assert posting.wallet_micros == 0
    assert counted(capsys.readouterr().out) == {"PaymentMismatches": 1}


def test_what_is_not_ours_is_acknowledged_and_counted(
    posting: Posting, capsys: pytest.CaptureFixture[str]
) -> None:
    assert posting.post(posting.webhook(metadata={}))["statusCode"] == 204
    assert posting.wallet_micros == 0
    assert counted(capsys.readouterr().out) == {"GatewayEventsNotOurs": 1}


@pytest.fixture
def log() -> Iterator[io.StringIO]:
    """What the handler logs, as it would be written."""
    handler, written = receive.logger.registered_handler, io.StringIO()
    assert isinstance(handler, logging.StreamHandler)
    before = handler.setStream(written)
    yield written
    handler.setStream(before)


def test_logs_hold_no_id_no_amount_no_secret_and_no_body(
    posting: Posting, log: io.StringIO
) -> None:
    posting.post({**posting.webhook(), "headers": {}})
    posting.post(posting.webhook(metadata={}))
    posting.post(posting.webhook())
    lines = [json.loads(line) for line in log.getvalue().splitlines()]
    assert [line.get("outcome") for line in lines] == [None, "not_ours", "taken"]
    captured = posting.captured
    for secret in (captured.payment_id, captured.event_id, "2000", SECRET, "acme", "v1,"):
        assert secret not in json.dumps(lines)


# The other functions that work at recharges


def test_the_reconciler_hands_on_what_is_due_and_counts_what_stays_so(
    capsys: pytest.CaptureFixture[str],
) -> None:
    world = Told(SUCCEEDS)
    world.lose()
    queue = RecordingWorkQueue()
    reconcile_payments = ReconcilePayments(world.book, queue, world.clock)

    def run() -> tuple[dict[str, Any], float]:
        answer = reconcile.handle(reconcile_payments, Metrics("Talktime", "recharge.reconcile"))
        return answer, counted(capsys.readouterr().out)["PaymentsOverdue"]

    assert run() == ({"enqueued": 0, "overdue": 0}, 0)
    world.clock.advance(timedelta(minutes=15))
    assert run() == ({"enqueued": 1, "overdue": 0}, 0)
    assert queue.take() == [ACME]
    # Nobody could find out in the meantime.
    world.clock.advance(OVERDUE_AFTER)
    assert run() == ({"enqueued": 1, "overdue": 1}, 1)
    world.recharges.finish_open(ACME)
    assert run() == ({"enqueued": 0, "overdue": 0}, 0)


def test_the_sweep_hands_on_recharges_notices_and_alerts() -> None:
    swept: list[TimerKind] = []

    class Sweeping:
        def sweep(self, kind: TimerKind) -> int:
            swept.append(kind)
            return 2

    assert sweep.handle(cast(SweepTimers, Sweeping())) == {"enqueued": 6}
    assert swept == [TimerKind.RECHARGE, TimerKind.SOURCE_NOTICE, TimerKind.ALERT]


class NoNumbers:
    def renew(self, ref: object) -> None:
        """There are none."""


class NoInvoices:
    """Nothing is open."""

    def collect(self, _ref: object) -> None:
        return


def message(name: str = "message-1") -> dict[str, Any]:
    return {
        "messageId": name,
        "receiptHandle": name,
        "body": json.dumps({"tenant": "acme", "account": "main"}),
        "attributes": {"MessageGroupId": "acme#main"},
        "messageAttributes": {},
        "eventSource": "aws:sqs",
    }


def test_a_gateway_that_does_not_answer_keeps_nothing_else_waiting() -> None:
    world = Told(SUCCEEDS)
    world.ask()
    world.refund(5 * USD)
    world.lose("again")
    looked: list[str] = []

    class Noticing:
        def notice(self, ref: object) -> None:
            looked.append(str(ref))

    def work() -> object:
        notice_sources = cast(NoticeSources, Noticing())
        return collect.handle(
            {"Records": [message()]},
            world.recharges,
            world.refunds,
            notice_sources,
            cast(CollectInvoices, NoInvoices()),
            cast(RenewNumbers, NoNumbers()),
        )

    world.line.is_silent = True
    failed = {"batchItemFailures": [{"itemIdentifier": "message-1"}]}
    assert work() == failed
    assert looked == ["acme#main"]
    world.line.is_silent = False
    assert work() == {"batchItemFailures": []}
    assert world.account.recharging.opened == ()


def test_the_worker_finishes_a_refund_whose_answer_was_lost() -> None:
    world = Told(SUCCEEDS)
    world.ask()
    world.line.is_silent = True
    world.refund(5 * USD)
    world.line.is_silent = False
    assert world.account.recharging.refunds
    notices = NoticeSources(world.book, world.change_account)
    invoices = cast(CollectInvoices, NoInvoices())
    numbers = cast(RenewNumbers, NoNumbers())
    event = {"Records": [message()]}
    collect.handle(event, world.recharges, world.refunds, notices, invoices, numbers)
    assert world.account.recharging.refunds == ()
    assert world.operation("refund").state is OperationState.SUCCEEDED


# As deployed


@dataclass
class Context:
    function_name: str = "recharge"
    memory_limit_in_mb: int = 512
    invoked_function_arn: str = "arn:aws:lambda:us-east-1:123456789012:function:recharge"
    aws_request_id: str = "a-request"


CACHES = (
    "take_gateway_webhook",
    "collect_recharge",
    "refund_payment",
    "notice_sources",
    "reconcile_payments",
    "sweep_timers",
    "metrics",
    "_book",
    "_change_account",
    "_gateways",
)


def forget() -> None:
    for name in CACHES:
        getattr(bootstrap, name).cache_clear()


@dataclass(frozen=True)
class Deployed:
    book: DynamoDBBook
    gateway: SandboxGateway
    queue_url: str


class RealTime:
    def now(self) -> datetime:
        return datetime.now(UTC)


@pytest.fixture
def deployed(monkeypatch: pytest.MonkeyPatch) -> Iterator[Deployed]:
    """The functions' world in moto: both tables, the queue and the secrets."""
    forget()
    with in_moto() as bed:
        boto3.client("dynamodb").create_table(
            TableName="sandbox",
            KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}],
            AttributeDefinitions=[{"AttributeName": "pk", "AttributeType": "S"}],
            BillingMode="PAY_PER_REQUEST",
        )
        queue = boto3.client("sqs").create_queue(
            QueueName="recharge.fifo", Attributes={"FifoQueue": "true"}
        )
        secrets = boto3.client("secretsmanager")
        sandbox = secrets.create_secret(Name="sandbox", SecretString=f"{NEXT_SECRET}\n{SECRET}\n")
        # Made without a value, as the template makes them.
        empty = {name: secrets.create_secret(Name=name)["ARN"] for name in ("key", "webhook")}
        for name, value in {
            "STAGE": "test",
            "TABLE_NAME": bed.table_name,
            "RECHARGE_QUEUE_URL": queue["QueueUrl"],
            "PAYMENT_GATEWAY": "sandbox",
            "SANDBOX_TABLE_NAME": "sandbox",
            "SANDBOX_WEBHOOK_SECRET_ARN": sandbox["ARN"],
            "STRIPE_KEY_ARN": empty["key"],
            "STRIPE_WEBHOOK_SECRET_ARN": empty["webhook"],
            "PUBLIC_URL": PUBLIC_URL,
            "POWERTOOLS_METRICS_NAMESPACE": "Talktime",
            "POWERTOOLS_SERVICE_NAME": "recharge.receive",
        }.items():
            monkeypatch.setenv(name, value)
        monkeypatch.delenv("CLOCK_FILE", raising=False)
        gateway = SandboxGateway(TableSandboxBook("sandbox"), RealTime())
        yield Deployed(DynamoDBBook(Table(bed.table_name)), gateway, queue["QueueUrl"])
    forget()


def a_charge_nobody_has_heard_of(deployed: Deployed, gateway: str = "sandbox") -> GatewayEvent:
    """An intent in the book, and a charge at the gateway."""
    source = a_source(gateway=gateway)
    deployed.book.commit(an_opening(an_account()))
    deployed.book.commit(a_touch(deployed.book.account(ACME), "source", records=(source,)))
    intent = an_intent(20 * USD, source)
    deployed.book.commit(collecting.intend(deployed.book.account(ACME), intent, NOON))
    attempt = deployed.book.recharge(ACME, 1).attempt
    deployed.gateway.charge(
        ChargeRequest(
            idempotency_key=attempt.idempotency_key,
            amount_minor=2000,
            currency="USD",
            source_token=SUCCEEDS,
            metadata={"tenant": "acme", "account": "main", "recharge": "1", "attempt": "1"},
            asked_at=attempt.started_at,
        )
    )
    (event,) = [one for one in deployed.gateway.events() if one.kind is CAPTURED]
    return event


def test_the_deployed_function_takes_and_refuses(deployed: Deployed) -> None:
    told = a_charge_nobody_has_heard_of(deployed)
    for _ in range(2):
        event = delivered(told, datetime.now(UTC))
        assert receive.lambda_handler(event, Context())["statusCode"] == 204
    assert deployed.book.account(ACME).wallet_micros == 20 * USD
    assert deployed.book.recharge(ACME, 1).state is RechargeState.SUCCEEDED
    # Nobody has given it Stripe's secret yet.
    stripe = delivered(told, datetime.now(UTC), gateway="stripe")
    assert receive.lambda_handler(stripe, Context())["statusCode"] == 401


def test_the_deployed_reconciler_enqueues_what_nobody_knows_the_outcome_of(
    deployed: Deployed,
) -> None:
    a_charge_nobody_has_heard_of(deployed)
    # The builders' noon is long over.
    assert reconcile.lambda_handler({"schedule": "payments"}, Context())["enqueued"] == 1
    received = boto3.client("sqs").receive_message(QueueUrl=deployed.queue_url)
    (found,) = received["Messages"]
    assert work_from_message(found["Body"]) == ACME


def test_a_gateway_without_a_key_leaves_a_payment_unknown_and_never_declines_it(
    deployed: Deployed,
) -> None:
    a_charge_nobody_has_heard_of(deployed, gateway="stripe")
    answer = collect.lambda_handler({"Records": [message()]}, Context())
    assert answer == {"batchItemFailures": [{"itemIdentifier": "message-1"}]}
    recharge = deployed.book.recharge(ACME, 1)
    assert (recharge.state, recharge.attempt.failure_code) == (RechargeState.UNKNOWN, None)
    assert deployed.book.account(ACME).recharging.suspended_at is None
