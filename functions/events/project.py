"""Keep usage summaries up to the ledger. Trigger: the table's stream, new ledger entries only.

Invoked by hand with ``{"rebuild": {"tenant": …, "account": …}}`` it makes an account's summaries
again: docs/history.md.
"""

from typing import Any

from aws_lambda_powertools import Logger
from aws_lambda_powertools.utilities.batch import (
    BatchProcessor,
    EventType,
    process_partial_response,
)
from aws_lambda_powertools.utilities.data_classes.dynamo_db_stream_event import DynamoDBRecord

from billing.adapters.dynamodb import ledger_stream
from billing.adapters.money_metrics import MoneyMetrics
from billing.domain.account import AccountRef
from billing.domain.ledger import LedgerEntry
from billing.services.project_usage import ProjectUsage
from events import bootstrap

logger = Logger()


@logger.inject_lambda_context(log_event=False)
def lambda_handler(event: dict[str, Any], context: object) -> dict[str, Any]:
    project_usage = bootstrap.project_usage()
    if "rebuild" in event:
        return rebuild(event["rebuild"], project_usage)
    return handle(event, project_usage, bootstrap.money_metrics())


def handle(
    event: dict[str, Any], project_usage: ProjectUsage, money_metrics: MoneyMetrics
) -> dict[str, Any]:
    """Bring up to date every account that has a new entry, and name the first record that failed.

    The stream then begins again from there. After its last attempt the record goes to the failure
    queue, which has an alarm; nothing is lost, because the account's next entry, or a rebuild,
    reads what this one would have. Of every entry that came through it is counted what it moved.
    """
    moved: list[LedgerEntry] = []
    reached: dict[AccountRef, int] = {}

    def project(record: DynamoDBRecord) -> None:
        entry = ledger_stream.new_entry(record.raw_event["dynamodb"]["Keys"])
        # The first of a batch has taken the others in: they cost no read.
        if entry is not None and reached.get(entry.account, 0) < entry.sequence:
            reached[entry.account] = project_usage.project(entry.account, entry.sequence)
        if entry is not None:
            moved.append(ledger_stream.posted(record.raw_event["dynamodb"]["NewImage"]))

    answer = process_partial_response(
        event=event,
        record_handler=project,
        processor=BatchProcessor(
            event_type=EventType.DynamoDBStreams, raise_on_entire_batch_failure=False
        ),
    )
    money_metrics.emit(moved)
    logger.info("usage summarised", extra={"accounts": len(reached)})
    return dict(answer)


def rebuild(asked: dict[str, Any], project_usage: ProjectUsage) -> dict[str, Any]:
    """As far as one invocation gets. The answer is what to ask next, until ``is_done``."""
    ref = AccountRef(asked["tenant"], asked["account"])
    done = project_usage.rebuild(ref, asked.get("generation"))
    logger.info("summaries rebuilt", extra={"account": str(ref), "sequence": done.sequence})
    return {
        "tenant": ref.tenant_id,
        "account": ref.account_id,
        "generation": done.generation,
        "sequence": done.sequence,
        "is_done": done.is_done,
    }
