"""Batches of a work queue: one message per account, each by itself, in order within an account."""

from collections.abc import Callable
from typing import Any

from aws_lambda_powertools import Logger
from aws_lambda_powertools.utilities.batch import SqsFifoPartialProcessor, process_partial_response
from aws_lambda_powertools.utilities.batch.types import PartialItemFailureResponse
from aws_lambda_powertools.utilities.data_classes.sqs_event import SQSRecord

from billing.adapters.queues import work_from_message
from billing.domain.account import AccountRef


def process_accounts(
    event: dict[str, Any], work: Callable[[AccountRef], None], logger: Logger
) -> PartialItemFailureResponse:
    """Work on every account a batch names, and name the messages that must come again.

    A message that fails holds back its account's later ones and no others. Where all fail, all are
    named, not raised: the queue counts the deliveries of each, and the function did its part.
    """
    processor = SqsFifoPartialProcessor(skip_group_on_error=True)
    processor.raise_on_entire_batch_failure = False

    def handle(record: SQSRecord) -> None:
        try:
            work(work_from_message(record.body))
        except Exception:
            logger.exception("work comes again", messages=[record.message_id])
            raise

    return process_partial_response(event=event, record_handler=handle, processor=processor)
