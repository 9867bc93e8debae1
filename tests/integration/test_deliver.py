"""The function that delivers, with messages as SQS and Scheduler hand them over."""

import json
from typing import Any

import pytest

from billing.domain.webhook_deliveries import DeliveryState, Failure, Outcome
from events import deliver
from unit.services.test_deliver_webhook import ACME, SLOW, World, an_event, wanting


def messages(*bodies: str) -> dict[str, Any]:
    records = [{"messageId": str(place), "body": body} for place, body in enumerate(bodies)]
    return {"Records": records}


def on_the_bus(event: dict[str, Any]) -> str:
    return json.dumps({"version": "0", "source": "talktime", "detail": event})


def handle(world: World, *bodies: str) -> list[str]:
    answer = deliver.handle(messages(*bodies), world.fan_out, world.deliver)
    return [failure["itemIdentifier"] for failure in answer["batchItemFailures"]]


def waiting(world: World) -> list[str]:
    return [
        json.dumps({"tenant": ref.tenant_id, "account": ref.account_id, "delivery": delivery_id})
        for ref, delivery_id, _ in world.queue.take()
    ]


def test_an_event_of_the_bus_becomes_a_delivery_and_is_delivered() -> None:
    world = World()
    world.set(wanting())
    assert handle(world, on_the_bus(an_event())) == []
    assert handle(world, *waiting(world)) == []
    assert world.only().state is DeliveryState.DELIVERED


def test_an_endpoint_that_fails_is_no_failure_of_its_message() -> None:
    world = World(lambda _: Outcome(failure=Failure.TLS_FAILED))
    world.set(wanting())
    handle(world, on_the_bus(an_event()))
    assert handle(world, *waiting(world)) == []
    assert world.only().state is DeliveryState.PENDING


def test_a_message_that_cannot_be_read_comes_again_and_holds_back_no_other() -> None:
    world = World()
    world.set(wanting())
    assert handle(world, "nonsense", on_the_bus(an_event())) == ["0"]
    assert len(world.queue.waiting) == 1


def test_the_schedule_hands_on_what_is_due() -> None:
    world = World()
    world.set(wanting())
    handle(world, on_the_bus(an_event()))
    assert deliver.sweep(world.deliver) == {"enqueued": 1}


def test_no_secret_url_or_content_is_logged_whatever_goes_wrong(
    caplog: pytest.LogCaptureFixture,
) -> None:
    def fail(url: str) -> Outcome:
        secrets = world.endpoints.secrets(ACME)
        raise RuntimeError(f"canary {url} {dict(secrets)} canary")

    world = World(lambda _: Outcome(500))
    world.set(wanting(SLOW))
    ((secret,),) = world.endpoints.secrets(ACME).values()
    handle(world, on_the_bus(an_event(number=1)))
    handle(world, *waiting(world))
    world.answer = fail
    handle(world, on_the_bus({**an_event(number=2), "data": {"canary": "canary"}}))
    assert handle(world, *waiting(world)[-1:]) == ["0"]
    logged = "".join(str(vars(record)) for record in caplog.records)
    assert "delivery attempted" in logged
    assert "delivery comes again" in logged
    assert "RuntimeError" in logged
    for canary in (secret, SLOW, "canary"):
        assert canary not in logged
