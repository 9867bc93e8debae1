"""A lost callback is found in the carrier's list, in the deployed stack, with IAM enforced."""

import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest

from fakes.twilio_rest import TwilioRest, a_listed_call
from integration.stack.conftest import Stack
from local import demo, schedules
from scripts import reconcile as script

pytestmark = pytest.mark.cloud

PATIENCE_SECONDS = 60.0


@pytest.fixture(scope="module")
def twilio(stack: Stack) -> Iterator[TwilioRest]:
    with TwilioRest().serving() as twilio:
        twilio.add_account(demo.ACME_SID, demo.CONNECTION_SECRET)
        twilio.add_account(demo.GLOBEX_SID, demo.CONNECTION_SECRET)
        stack.cloud.deploy(TwilioApiUrl=twilio.url)
        yield twilio


def a_lost_call(twilio: TwilioRest) -> tuple[str, str]:
    """A call of yesterday, known to the carrier alone, and its day."""
    noon = (datetime.now(UTC) - timedelta(days=1)).replace(hour=12)
    sid = f"CA{uuid4().hex}"
    twilio.add_call(a_listed_call(demo.ACME_SID, sid, noon))
    return sid, noon.date().isoformat()


def parked(stack: Stack) -> dict[str, str]:
    rows = stack.api("operator").rows("/v1/quarantine")
    return {str(row["event"].get("call_id")): row["reason"] for row in rows}


def test_the_command_finds_a_lost_call(stack: Stack, twilio: TwilioRest) -> None:
    sid, day = a_lost_call(twilio)
    client = stack.cloud.client("lambda")
    function = stack.outputs["ReconcileFunctionName"]
    found = script.reconcile(client, function, demo.CONNECTION, day)
    assert found["counts"]["missing_callback"] >= 1
    assert found["uncompared"] == []
    assert parked(stack)[sid] == "missing_callback"


def test_the_night_finds_a_lost_call_through_the_queue(stack: Stack, twilio: TwilioRest) -> None:
    sid, _ = a_lost_call(twilio)
    planned = schedules.fire(stack.cloud.client, stack.outputs["ReconcileSchedule"])
    assert planned["enqueued"] >= 2
    deadline = time.monotonic() + PATIENCE_SECONDS
    while sid not in parked(stack):
        assert time.monotonic() < deadline, "not parked in time"
        time.sleep(0.5)
    sqs = stack.cloud.client("sqs")
    dead = sqs.get_queue_attributes(
        QueueUrl=stack.outputs["ReconcileDeadLettersUrl"],
        AttributeNames=["ApproximateNumberOfMessages"],
    )
    assert dead["Attributes"]["ApproximateNumberOfMessages"] == "0"


def test_a_refusal_reaches_whoever_asked(stack: Stack, twilio: TwilioRest) -> None:
    client = stack.cloud.client("lambda")
    function = stack.outputs["ReconcileFunctionName"]
    with pytest.raises(script.ReconcileError, match="no connection"):
        script.reconcile(client, function, "nobody", "2026-03-14")
    with pytest.raises(script.ReconcileError, match="YYYY-MM-DD"):
        script.reconcile(client, function, demo.CONNECTION, "yesterday")
