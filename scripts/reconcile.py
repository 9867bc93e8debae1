"""Compare one day of a connection with its provider's own list: ``make reconcile``.

Invokes the deployed function: the one that the environment names, with the caller's own AWS
credentials; without a name, the local cloud's, from ``.local/stack.json``.

    make reconcile CONNECTION=twilio DAY=2026-11-21
    make reconcile CONNECTION=twilio DAY=2026-11-21 FUNCTION=talktime-ReconcileFunction-1ABC
"""

import argparse
import json
import sys
from collections import Counter
from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any, Protocol

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

ROOT = Path(__file__).resolve().parent.parent
STACK_FILE = ROOT / ".local" / "stack.json"

ANSWER_TIMEOUT_SECONDS = 660
"""The function is given ten minutes."""

MAX_DIFFERENCES = 20
"""Printed; the quarantine has all of them."""


class ReconcileError(Exception):
    """It could not be done; the message says why."""


class Lambda(Protocol):
    """The one call that is made."""

    # The names are AWS's.
    def invoke(self, *, FunctionName: str, Payload: bytes) -> Mapping[str, Any]: ...  # noqa: N803


def main() -> int:
    parser = argparse.ArgumentParser(prog="make reconcile", description=__doc__)
    parser.add_argument("connection")
    parser.add_argument("day", help="YYYY-MM-DD, UTC")
    parser.add_argument("--function", default="", help="of AWS; without it, the local cloud's")
    arguments = parser.parse_args()
    try:
        client, function = deployed(arguments.function)
        result = reconcile(client, function, arguments.connection, arguments.day)
    except (ReconcileError, BotoCoreError, ClientError) as error:
        sys.stderr.write(f"{error}\n")
        return 1
    sys.stdout.write(f"{rendered(result)}\n")
    return 0


def deployed(function: str) -> tuple[Lambda, str]:
    """A client and the function's name."""
    # A repetition would begin the same comparison beside the first.
    config = Config(read_timeout=ANSWER_TIMEOUT_SECONDS, retries={"total_max_attempts": 1})
    if function:
        return boto3.client("lambda", config=config), function
    try:
        stack = json.loads(STACK_FILE.read_text())
        function = stack["outputs"]["ReconcileFunctionName"]
    except (OSError, KeyError) as error:
        raise ReconcileError(
            "No local stack with this function: start it with `make run`, or name a deployed "
            "one: FUNCTION=<output ReconcileFunctionName>"
        ) from error
    client = boto3.client(
        "lambda",
        endpoint_url=stack["endpoint_url"],
        region_name="us-east-1",
        aws_access_key_id="test",
        aws_secret_access_key="test",  # noqa: S106  # the local cloud takes any
        config=config,
    )
    return client, function


def reconcile(client: Lambda, function: str, connection: str, day: str) -> dict[str, Any]:
    """Compare the whole day, in as many goes as it takes, and add up what they found.

    Raises:
        ReconcileError: The function refused or failed; carries its message.
    """
    work: Mapping[str, Any] | None = {"connection": connection, "day": day}
    counts: Counter[str] = Counter()
    costs: dict[str, Decimal] = {}
    differences: list[Mapping[str, Any]] = []
    uncompared: list[str] = []
    while work is not None:
        answer = client.invoke(FunctionName=function, Payload=json.dumps(work).encode())
        part = json.loads(answer["Payload"].read())
        if "FunctionError" in answer:
            raise ReconcileError(part.get("errorMessage") or json.dumps(part))
        if "refused" in part:
            raise ReconcileError(part["refused"]["detail"])
        counts.update(part["counts"])
        for currency, amount in part["carrier_cost"].items():
            costs[currency] = costs.get(currency, Decimal()) + Decimal(amount)
        differences += part["differences"]
        uncompared += part["uncompared"]
        work = part["next"]
    return {
        "connection": connection,
        "day": day,
        "counts": dict(counts),
        "differences": differences[:MAX_DIFFERENCES],
        "carrier_cost": {currency: f"{amount:f}" for currency, amount in sorted(costs.items())},
        "uncompared": uncompared,
    }


def rendered(result: Mapping[str, Any]) -> str:
    """The result for a terminal."""
    lines = [f"{result['connection']}, {result['day']} (UTC)"]
    lines += [f"  {name:22}{count:>9,}" for name, count in result["counts"].items()]
    for currency, amount in result["carrier_cost"].items():
        lines.append(f"  the carrier charges   {amount:>9} {currency}")
    for one in result["differences"]:
        lines.append(f"- {one['finding']} {one['call_id']}: {one['detail']}")
    for account in result["uncompared"]:
        lines.append(f"- calls of ours that {account} does not list were not looked for")
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
