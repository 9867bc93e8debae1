"""Publish the events that are left in the outbox: ``make republish``.

The stream brings each new event to ``events.publish`` once, and gives up after an hour of failures.
What was not published still lies in the outbox, where this looks for it, and hands it to the same
function as the stream would have. One that was published meanwhile goes out twice, under one id.

    make republish TABLE=<output TableName> FUNCTION=<output PublishFunctionName>
    make republish TABLE=… FUNCTION=… SEND=1

Needs ``dynamodb:Scan``: it reads the whole table, once, and costs what that costs.
"""

import argparse
import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Protocol

import boto3
from botocore.exceptions import BotoCoreError, ClientError

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

LEFT_AFTER = timedelta(hours=1)
"""As long as the stream tries (MaximumRecordAgeInSeconds): younger ones may be on their way."""

BATCH = 25
"""Events one invocation is given: their images stay far below Lambda's 6 MB."""

Image = Mapping[str, Any]


class RepublishError(Exception):
    """It could not be done; the message says why."""


class Lambda(Protocol):
    """The one call that is made."""

    # The names are AWS's.
    def invoke(self, *, FunctionName: str, Payload: bytes) -> Mapping[str, Any]: ...  # noqa: N803


def main() -> int:
    parser = argparse.ArgumentParser(prog="make republish", description=__doc__)
    parser.add_argument("table")
    parser.add_argument("function")
    parser.add_argument("--send", action="store_true", help="without it, they are only counted")
    arguments = parser.parse_args()
    try:
        images = list(left(boto3.client("dynamodb"), arguments.table, datetime.now(UTC)))
        sys.stdout.write(f"{len(images)} events are left in the outbox\n")
        if arguments.send:
            sent = republished(boto3.client("lambda"), arguments.function, images)
            sys.stdout.write(f"{sent} of them published\n")
    except (RepublishError, BotoCoreError, ClientError) as error:
        sys.stderr.write(f"{error}\n")
        return 2
    return 0


def left(client: "DynamoDBClient", table: str, now: datetime) -> Iterator[Image]:
    """Events of the outbox that the stream has given up on."""
    pages = client.get_paginator("scan").paginate(
        TableName=table,
        FilterExpression="begins_with(pk, :event)",
        ExpressionAttributeValues={":event": {"S": "EVENT#"}},
    )
    for page in pages:
        for item in page["Items"]:
            occurred_at = datetime.fromisoformat(json.loads(item["body"]["S"])["occurred_at"])
            if occurred_at <= now - LEFT_AFTER:
                yield item


def republished(client: Lambda, function: str, images: Sequence[Image]) -> int:
    """Hand them to the function, in batches, and count those that it published.

    Raises:
        RepublishError: The function failed; carries its message.
    """
    done = 0
    for start in range(0, len(images), BATCH):
        records = [_record(image, number) for number, image in enumerate(images[start:][:BATCH])]
        payload = json.dumps({"Records": records}).encode()
        answer = client.invoke(FunctionName=function, Payload=payload)
        said = json.loads(answer["Payload"].read())
        if "FunctionError" in answer:
            raise RepublishError(said.get("errorMessage") or json.dumps(said))
        failed = {one["itemIdentifier"] for one in said["batchItemFailures"]}
        # From the first failure on, the function leaves a stream's batch alone.
        done += len(records) if not failed else min(map(int, failed)) - 1
    return done


def _record(image: Image, number: int) -> dict[str, Any]:
    """As the stream would bring it; sequence numbers only have to tell them apart."""
    return {
        "eventID": str(number + 1),
        "eventName": "INSERT",
        "eventSource": "aws:dynamodb",
        "dynamodb": {
            "Keys": {"pk": image["pk"], "sk": image["sk"]},
            "NewImage": image,
            "SequenceNumber": str(number + 1),
        },
    }


if __name__ == "__main__":
    sys.exit(main())
