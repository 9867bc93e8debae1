"""Look at a queue of dead letters, and put them back once their cause is gone.

    make dead-letters QUEUE=<output UsageDeadLettersUrl>
    make dead-letters QUEUE=<output UsageDeadLettersUrl> REDRIVE=1

Looking hides the letters from others for a moment and takes none away. What is shown names accounts
and nothing of what was used. Only letters of a queue can be put back: those of the stream and of
schedules say what was missed, not what to do (docs/runbooks.md).
"""

import argparse
import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import boto3
from botocore.exceptions import BotoCoreError, ClientError

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient

MAX_SHOWN = 50
MAX_BATCH = 10
"""Messages one request answers (SQS quota, 2026)."""

HIDDEN_SECONDS = 30
"""From others, while this looks: long enough not to see a letter twice."""

SHOWN_KEYS = ("tenant", "account", "connection", "day", "delivery", "type", "schedule")
"""Of a letter's body. Everything else may hold a phone number."""


@dataclass(frozen=True, slots=True)
class Letter:
    """One dead letter: who it is about, and how often it was tried."""

    message_id: str
    about: str
    received: int
    sent_ms: int


def main() -> int:
    parser = argparse.ArgumentParser(prog="make dead-letters", description=__doc__)
    parser.add_argument("queue_url")
    parser.add_argument("--redrive", action="store_true", help="put all of them back")
    arguments = parser.parse_args()
    client = boto3.client("sqs")
    try:
        sys.stdout.write(f"{rendered(letters(client, arguments.queue_url))}\n")
        if arguments.redrive:
            sys.stdout.write(f"{redriven(client, arguments.queue_url)}\n")
    except (BotoCoreError, ClientError) as error:
        sys.stderr.write(f"{error}\n")
        return 2
    return 0


def letters(client: "SQSClient", queue_url: str) -> list[Letter]:
    """Up to ``MAX_SHOWN`` letters; each is back in the queue when this returns."""
    found: dict[str, Letter] = {}
    handles: list[str] = []
    while len(found) < MAX_SHOWN:
        answer = client.receive_message(
            QueueUrl=queue_url,
            MaxNumberOfMessages=MAX_BATCH,
            VisibilityTimeout=HIDDEN_SECONDS,
            MessageSystemAttributeNames=["All"],
        )
        messages = answer.get("Messages", [])
        if not messages:
            break
        for message in messages:
            handles.append(message["ReceiptHandle"])
            letter = _letter(message)
            found[letter.message_id] = letter
    for handle in handles:
        client.change_message_visibility(
            QueueUrl=queue_url, ReceiptHandle=handle, VisibilityTimeout=0
        )
    return list(found.values())


def redriven(client: "SQSClient", queue_url: str) -> str:
    """Put every letter back into the queue it came from; SQS moves them by itself from here on."""
    answer = client.get_queue_attributes(QueueUrl=queue_url, AttributeNames=["QueueArn"])
    arn = answer["Attributes"]["QueueArn"]
    task = client.start_message_move_task(SourceArn=arn)
    return f"redriving: {task['TaskHandle']}"


def _letter(message: Mapping[str, Any]) -> Letter:
    attributes = message.get("Attributes", {})
    return Letter(
        message_id=message["MessageId"],
        about=_about(message.get("Body", "")),
        received=int(attributes.get("ApproximateReceiveCount", "0")),
        sent_ms=int(attributes.get("SentTimestamp", "0")),
    )


def _about(body: str) -> str:
    try:
        said = json.loads(body)
    except ValueError:
        return "not JSON"
    if not isinstance(said, Mapping):
        return "not a message of ours"
    # What Lambda or the bus could not hand over holds what was to be handed over.
    said = {**said, **_mapping(said.get("requestPayload")), **_mapping(said.get("detail"))}
    shown = [f"{key}={said[key]}" for key in SHOWN_KEYS if isinstance(said.get(key), str)]
    events = said.get("events")
    if isinstance(events, Sequence):
        shown.append(f"events={len(events)}")
    batch = said.get("DDBStreamBatchInfo")
    if isinstance(batch, Mapping):
        shown.append(f"stream records={batch.get('batchSize')}")
    return " ".join(shown) or "nothing that may be shown"


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def rendered(found: Sequence[Letter]) -> str:
    """The letters for a terminal."""
    if not found:
        return "no dead letters"
    lines = [f"{len(found)} dead letters" + (" (the first)" if len(found) >= MAX_SHOWN else "")]
    lines += [f"- {one.message_id} received {one.received} times: {one.about}" for one in found]
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
