"""Post usage to accounts. Trigger: the usage queue, first in first out within an account."""

import time
from typing import Any

from aws_lambda_powertools import Logger, Metrics
from aws_lambda_powertools.metrics import MetricUnit

from billing.adapters.queues import correlation_of, usage_from_message
from billing.domain.account import AccountRef
from billing.domain.errors import InvalidInputError
from billing.domain.usage import UsageEvent
from billing.services.post_usage import PostUsage
from usage_ingest import bootstrap

NANOSECONDS_PER_MILLISECOND = 1_000_000

logger = Logger()


@logger.inject_lambda_context(log_event=False)
def lambda_handler(event: dict[str, Any], context: object) -> dict[str, Any]:
    answer = handle(event, bootstrap.post_usage())
    measure(event, bootstrap.metrics(), time.time_ns() // NANOSECONDS_PER_MILLISECOND)
    return answer


def measure(event: dict[str, Any], metrics: Metrics, now_ms: int) -> None:
    """Say how long the oldest message took from being queued to being worked on, tries included.

    The queue's time and not the call's: how late a provider reports is not ours to mend.
    """
    sent = [int(record["attributes"]["SentTimestamp"]) for record in event["Records"]]
    metrics.add_metric("IngestLag", MetricUnit.Milliseconds, max(0, now_ms - min(sent)))
    metrics.flush_metrics()


def handle(event: dict[str, Any], post_usage: PostUsage) -> dict[str, Any]:
    """Post every message, and name those that must come again.

    Messages of one account are posted together, since a transaction costs per batch; that is why
    this is not Powertools' processor, which takes them one by one. Where one account fails, all
    its messages are named, so that their order is kept.
    """
    failed: list[str] = []
    for ref, records in _by_account(event["Records"], failed).items():
        events = [usage for record, usages in records for usage in usages]
        message_ids = [record["messageId"] for record, _ in records]
        redelivered = any(_deliveries(record) > 1 for record, _ in records)
        # Of the requests that brought it: whatever is logged here can be found by each of them.
        correlation_ids = [one for record, _ in records if (one := correlation_of(record))]
        with logger.append_context_keys(correlation_ids=correlation_ids):
            try:
                posted = post_usage.post(ref, events, redelivered=redelivered)
            except Exception:
                # The queue delivers again, whatever it was; its dead letters have an alarm.
                logger.exception("usage not posted", messages=message_ids)
                failed += message_ids
            else:
                logger.info("usage posted", events=len(events), posted=posted)
    return {"batchItemFailures": [{"itemIdentifier": message_id} for message_id in failed]}


def _by_account(
    records: list[dict[str, Any]], failed: list[str]
) -> dict[AccountRef, list[tuple[dict[str, Any], list[UsageEvent]]]]:
    grouped: dict[AccountRef, list[tuple[dict[str, Any], list[UsageEvent]]]] = {}
    for record in records:
        try:
            ref, usages = usage_from_message(record["body"])
        except InvalidInputError:
            logger.exception("not a usage message", messages=[record["messageId"]])
            failed.append(record["messageId"])
        else:
            grouped.setdefault(ref, []).append((record, usages))
    return grouped


def _deliveries(record: dict[str, Any]) -> int:
    return int(record.get("attributes", {}).get("ApproximateReceiveCount", "1"))
