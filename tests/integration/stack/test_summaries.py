"""From a webhook to a chart: the second reader of the table's stream, with IAM enforced."""

import json
import time
from typing import Any

import pytest

from integration.stack.conftest import ACCOUNT, Stack
from integration.stack.test_stack import call, post, signed
from local import rebuild_summaries

pytestmark = pytest.mark.cloud

PATIENCE_SECONDS = 60


def summary(stack: Stack, who: str = "acme_admin", **query: str) -> Any:
    """Once everything that is posted is in it."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while True:
        found = stack.api(who).get(f"{ACCOUNT}/usage/summary", **query).body
        if found["pending_entries"] == 0:
            return found
        assert time.monotonic() < deadline, found["pending_entries"]
        time.sleep(0.5)


def countries(found: Any) -> dict[str, int]:
    return {row["key"]: row["calls"] for row in found["data"]}


def rows(stack: Stack, **query: str) -> int:
    """How many calls are listed."""
    listed = stack.api("acme_admin").rows(f"{ACCOUNT}/usage", unit="voice_seconds", **query)
    return sum(1 for _ in listed)


def test_what_webhooks_report_shows_in_the_charts_and_again_after_a_rebuild(stack: Stack) -> None:
    said = summary(stack, by="destination")
    before, listed = countries(said), rows(stack)
    for number in ("+14155550123", "+16045551234", "+14155550124"):
        assert post(*signed(stack, call(60, To=number))) == 204
    stack.settle()
    found = summary(stack, by="destination")
    after = countries(found)
    assert {name: after[name] - before.get(name, 0) for name in ("US", "CA")} == {"US": 2, "CA": 1}

    # Others have reported calls of long ago, which are on the list and not in the last 30 days.
    assert found["total"]["calls"] - said["total"]["calls"] == rows(stack) - listed == 3
    assert rows(stack, country="CA") >= after["CA"]

    lambda_ = stack.cloud.client("lambda")
    function = stack.outputs["ProjectFunctionName"]
    assert rebuild_summaries.rebuild(lambda_, function, "acme", "main") > 0
    assert summary(stack, by="destination") == found

    member = stack.api("acme_member").get(f"{ACCOUNT}/usage/summary").body
    assert "wallet" not in json.dumps(member)
    sqs: Any = stack.cloud.client("sqs")
    waiting = sqs.get_queue_attributes(
        QueueUrl=stack.outputs["ProjectDeadLettersUrl"],
        AttributeNames=["ApproximateNumberOfMessages"],
    )
    assert waiting["Attributes"]["ApproximateNumberOfMessages"] == "0"


def test_nobodys_summaries_cannot_be_rebuilt(stack: Stack) -> None:
    lambda_ = stack.cloud.client("lambda")
    with pytest.raises(rebuild_summaries.RebuildError, match="no such account"):
        rebuild_summaries.rebuild(lambda_, stack.outputs["ProjectFunctionName"], "acme", "nobody")
