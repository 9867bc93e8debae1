"""What every store of webhook endpoints and deliveries keeps to, and how secrets are guarded."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

import pytest

from billing.adapters.delivery_queue import (
    BusEvent,
    DeliveryWork,
    SqsDeliveryQueue,
    delivery_message,
)
from billing.adapters.dynamodb.audit import DynamoDBAudit
from billing.adapters.dynamodb.webhooks import PAGE, DynamoDBDeliveries, DynamoDBEndpoints
from billing.domain.account import AccountRef
from billing.domain.errors import ConflictError, InvalidInputError, NotFoundError
from billing.domain.records import AuditRecord
from billing.domain.webhook_deliveries import (
    Delivery,
    DeliveryState,
    Failure,
    Outcome,
    begin,
    claim,
    record,
)
from billing.domain.webhook_endpoints import WebhookEndpoint, WebhookEndpoints
from billing.ports import AuditTrail, Deliveries, EndpointStore
from builders import an_audit_record
from contract.aws import EVERYWHERE, NOON, Aws, moto, opened
from fakes.audit import InMemoryAudit
from fakes.book import InMemoryBook
from fakes.webhooks import InMemoryDeliveries, InMemoryEndpoints

ACME, GLOBEX = AccountRef("acme", "main"), AccountRef("globex", "main")
SECRET = "whsec_canary4711"
AUDIT = an_audit_record(ACME, "main/webhook-endpoints/1")
LATER = an_audit_record(ACME, "main/webhook-endpoints/2")
SECOND = timedelta(seconds=1)


@dataclass(frozen=True)
class Stores:
    endpoints: EndpointStore
    deliveries: Deliveries
    audit: AuditTrail

    def records(self) -> list[AuditRecord]:
        return list(self.audit.records(ACME, NOON, NOON + SECOND))


@pytest.fixture
def aws() -> Iterator[Aws]:
    with moto() as found:
        yield found


@pytest.fixture(params=EVERYWHERE)
def stores(request: pytest.FixtureRequest) -> Iterator[Stores]:
    if request.param == "memory":
        book = InMemoryBook()
        endpoints = InMemoryEndpoints(book.record_audit)
        yield Stores(endpoints, InMemoryDeliveries(), InMemoryAudit(book))
        return
    with opened(request) as found:
        table = found.main_table()
        stored = DynamoDBEndpoints(table, found.key_id(), found.client("kms"))
        yield Stores(stored, DynamoDBDeliveries(table), DynamoDBAudit(table))


def settings(version: int = 1, ref: AccountRef = ACME) -> WebhookEndpoints:
    one = WebhookEndpoint(
        "whe_1", "https://hooks.example.com/", ("*",), NOON, "Grüße", rotated_at=NOON
    )
    return WebhookEndpoints(ref, version, (one, replace(one, endpoint_id="whe_2")))


def a_delivery(number: int = 1, ref: AccountRef = ACME) -> Delivery:
    at = NOON + number * SECOND
    event = {"source": "/t", "id": str(number), "type": "balance.low", "time": at.isoformat()}
    return begin(ref, "whe_1", event, '{"a":"b"}', NOON)


def test_endpoints_that_were_never_set_are_none(stores: Stores) -> None:
    assert stores.endpoints.get(ACME) == WebhookEndpoints(ACME)
    assert stores.endpoints.secrets(ACME) == {}


def test_endpoints_and_their_secrets_come_back_whole(stores: Stores) -> None:
    secrets = {"whe_1": ("new", "old"), "whe_2": ("one",)}
    stores.endpoints.save(settings(), secrets, AUDIT)
    assert stores.endpoints.get(ACME) == settings()
    assert stores.endpoints.secrets(ACME) == secrets
    assert stores.endpoints.get(GLOBEX) == WebhookEndpoints(GLOBEX)


@pytest.mark.parametrize("version", [1, 3, 7])
def test_a_save_over_another_version_is_refused(stores: Stores, version: int) -> None:
    stores.endpoints.save(settings(1), {"whe_1": ("kept",)}, AUDIT)
    with pytest.raises(ConflictError):
        stores.endpoints.save(settings(version), {"whe_1": ("lost",)}, LATER)
    with pytest.raises(ConflictError):
        stores.endpoints.save_without_secrets(settings(version))
    assert stores.endpoints.secrets(ACME) == {"whe_1": ("kept",)}
    assert stores.records() == [AUDIT]


def test_a_change_without_secrets_keeps_them(stores: Stores) -> None:
    with pytest.raises(ConflictError):
        stores.endpoints.save_without_secrets(settings())
    stores.endpoints.save(settings(), {"whe_1": ("kept",)}, AUDIT)
    stores.endpoints.save_without_secrets(settings(2))
    assert stores.endpoints.get(ACME).version == 2
    assert stores.endpoints.secrets(ACME) == {"whe_1": ("kept",)}


def test_a_delivery_is_added_once(stores: Stores) -> None:
    stores.deliveries.add(a_delivery())
    stores.deliveries.save(claim(a_delivery(), NOON))
    stores.deliveries.add(a_delivery())
    assert stores.deliveries.get(ACME, a_delivery().delivery_id) == claim(a_delivery(), NOON)
    for ref, delivery_id in ((GLOBEX, a_delivery().delivery_id), (ACME, "whd_#%")):
        with pytest.raises(NotFoundError):
            stores.deliveries.get(ref, delivery_id)


def test_of_two_who_claim_a_delivery_one_gets_it(stores: Stores) -> None:
    stores.deliveries.add(a_delivery())
    stores.deliveries.save(claim(a_delivery(), NOON))
    with pytest.raises(ConflictError):
        stores.deliveries.save(claim(a_delivery(), NOON + SECOND))


def test_a_delivery_that_expired_does_not_come_back(stores: Stores) -> None:
    with pytest.raises(ConflictError):
        stores.deliveries.save(claim(a_delivery(), NOON))


def test_what_is_due_is_found_and_nothing_else(stores: Stores) -> None:
    for number in range(3):
        stores.deliveries.add(a_delivery(number))
    stores.deliveries.add(a_delivery(0, GLOBEX))
    claimed = claim(a_delivery(1), NOON)
    stores.deliveries.save(claimed)
    done = claim(a_delivery(2), NOON)
    stores.deliveries.save(done)
    stores.deliveries.save(record(done, Outcome(204), NOON))
    assert list(stores.deliveries.due(NOON - SECOND)) == []
    first = a_delivery(0).delivery_id
    assert set(stores.deliveries.due(NOON)) == {
        (ACME, first),
        (GLOBEX, a_delivery(0, GLOBEX).delivery_id),
    }
    later = {id_ for ref, id_ in stores.deliveries.due(NOON + timedelta(hours=1)) if ref == ACME}
    assert later == {first, claimed.delivery_id}


def test_deliveries_are_listed_newest_first_page_by_page_and_by_state(stores: Stores) -> None:
    stores.endpoints.save(settings(), {"whe_1": ("secret",)}, AUDIT)
    for number in range(5):
        stores.deliveries.add(a_delivery(number))
    stores.deliveries.add(a_delivery(9, GLOBEX))
    failed = record(claim(a_delivery(1), NOON), Outcome(failure=Failure.REMOVED), NOON)
    stores.deliveries.save(claim(a_delivery(1), NOON))
    stores.deliveries.save(failed)
    newest = [a_delivery(number).delivery_id for number in (4, 3, 2, 1, 0)]

    def ids(before: str | None, state: DeliveryState | None = None, limit: int = 10) -> list[str]:
        found = stores.deliveries.listed(ACME, before, state, limit)
        return [delivery.delivery_id for delivery in found]

    assert ids(None) == newest
    assert ids(None, limit=2) == newest[:2]
    assert ids(newest[1]) == newest[2:]
    assert ids(newest[-1]) == []
    assert stores.deliveries.listed(ACME, None, DeliveryState.FAILED, 10) == [failed]
    assert ids(newest[3], DeliveryState.PENDING) == newest[4:]


def test_one_state_is_looked_for_beyond_a_page(aws: Aws) -> None:
    deliveries = DynamoDBDeliveries(aws.main_table())
    for number in range(PAGE + 2):
        deliveries.add(a_delivery(number))
    deliveries.save(claim(a_delivery(0), NOON))
    failed = record(claim(a_delivery(0), NOON), Outcome(410), NOON)
    deliveries.save(failed)
    assert deliveries.listed(ACME, None, DeliveryState.FAILED, 5) == [failed]


def test_a_delivery_is_forgotten_after_thirty_days(aws: Aws) -> None:
    table = aws.main_table()
    DynamoDBDeliveries(table).add(a_delivery())
    (item,) = aws.client("dynamodb").scan(TableName=table.name)["Items"]
    assert int(item["expires_at"]["N"]) == int((NOON + timedelta(days=30)).timestamp())


def test_no_secret_stands_in_the_table_and_none_is_another_accounts(aws: Aws) -> None:
    table = aws.main_table()
    endpoints = DynamoDBEndpoints(table, aws.key_id(), aws.client("kms"))
    endpoints.save(settings(), {"whe_1": (SECRET,)}, AUDIT)
    dynamodb = aws.client("dynamodb")
    stored = dynamodb.scan(TableName=table.name)["Items"]
    (stolen,) = (item for item in stored if "secrets" in item)
    assert SECRET.encode() not in stolen["secrets"]["B"]
    assert SECRET not in str(stolen)
    dynamodb.put_item(TableName=table.name, Item={**stolen, "pk": {"S": "HOOKS#globex#main"}})
    with pytest.raises(aws.client("kms").exceptions.InvalidCiphertextException):
        endpoints.secrets(GLOBEX)


# Any: a boto3 client, or what stands in for one.
def a_queue(aws: Aws) -> tuple[str, Any]:
    sqs = aws.client("sqs")
    return str(sqs.create_queue(QueueName="deliveries")["QueueUrl"]), sqs


def test_deliveries_come_out_of_the_queue_as_they_went_in(aws: Aws) -> None:
    url, sqs = a_queue(aws)
    sent = [(ACME, f"whd_{number}") for number in range(12)]
    SqsDeliveryQueue(url, sqs).send(sent, timedelta(0))
    bodies: list[str] = []
    while found := sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages"):
        bodies += [message["Body"] for message in found]
    works = {DeliveryWork(ref, delivery_id) for ref, delivery_id in sent}
    assert set(map(delivery_message, bodies)) == works


class CountingSqs:
    def __init__(self) -> None:
        self.delays: list[int] = []

    # Any: boto3's own names and types.
    def send_message_batch(self, *, QueueUrl: str, Entries: Any) -> Any:  # noqa: N803
        self.delays += [entry["DelaySeconds"] for entry in Entries]
        return {}


@pytest.mark.parametrize(
    ("delay", "seconds"),
    [(timedelta(0), 0), (5 * SECOND, 5), (timedelta(milliseconds=1), 1)],
)
def test_no_message_comes_before_its_time(delay: timedelta, seconds: int) -> None:
    sqs: Any = CountingSqs()
    SqsDeliveryQueue("queue", sqs).send([(ACME, "whd_1")], delay)
    assert sqs.delays == [seconds]


def test_an_event_is_read_as_the_bus_puts_it_into_the_queue() -> None:
    event = '{"id":"1","type":"balance.low","tenant":"acme","account":"main","data":{}}'
    found = delivery_message(f'{{"version":"0","detail-type":"balance.low","detail":{event}}}')
    assert isinstance(found, BusEvent)
    assert (found.event["tenant"], found.event["id"]) == ("acme", "1")


@pytest.mark.parametrize(
    "body", ["", "[]", "1", '"x"', "{}", '{"detail":{}}', '{"detail":1}', '{"tenant":"a#b"}']
)
def test_what_is_no_message_is_refused(body: str) -> None:
    with pytest.raises(InvalidInputError):
        delivery_message(body)
