"""Restore a table to a point in time, beside it, and prove every ledger of the copy.

    make restore-drill TABLE=<output TableName> [AT=2026-11-22T03:00:00+00:00]

The copy's name begins with ``drill-``; nothing reads or writes it but this. It stays until it is
deleted, which the report says how to do, and costs what it holds. The table itself is only read.
"""

import argparse
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import boto3
from botocore.exceptions import BotoCoreError, ClientError
from pynamodb.exceptions import PynamoDBException

from billing.adapters.dynamodb.book import DynamoDBBook
from billing.adapters.dynamodb.table import Table
from billing.domain.account import AccountRef
from billing.domain.errors import TalktimeError
from billing.services.prove_ledgers import ProofRun
from scripts.prove_ledgers import Wanted, ledgers_of, rendered

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

COPY_PREFIX = "drill-"
ASK_EVERY_SECONDS = 20.0
MAX_WAIT = timedelta(hours=12)
"""A restore takes from minutes to hours, whatever the table's size."""


class DrillError(Exception):
    """It could not be done; the message says why."""


@dataclass(frozen=True, slots=True)
class Drill:
    """How a drill went.

    Args:
        took: From asking for the copy to being able to read it.
        newest: When the youngest entry of the copy was posted; None: it has none.
        totals: What the wallets hold, by currency, in micros.
    """

    copy: str
    took: timedelta
    run: ProofRun
    newest: datetime | None
    totals: dict[str, int]


def main() -> int:
    parser = argparse.ArgumentParser(prog="make restore-drill", description=__doc__)
    parser.add_argument("table")
    parser.add_argument("--at", type=datetime.fromisoformat, help="with an offset; default: latest")
    arguments = parser.parse_args()
    if arguments.at is not None and arguments.at.tzinfo is None:
        parser.error("--at names its offset from UTC")
    client = boto3.client("dynamodb")
    try:
        copy, took = restored(client, arguments.table, arguments.at)
        drill = examined(copy, took)
    except (DrillError, TalktimeError, PynamoDBException, BotoCoreError, ClientError) as error:
        sys.stderr.write(f"{error}\n")
        return 2
    sys.stdout.write(f"{report(drill)}\n")
    return 1 if drill.run.faulty else 0


def restored(
    client: "DynamoDBClient",
    table: str,
    at: datetime | None,
    sleep: Callable[[float], None] = time.sleep,
) -> tuple[str, timedelta]:
    """Ask for the copy and wait until it can be read.

    Raises:
        DrillError: It was not there in time; the copy goes on being made.
    """
    begun = datetime.now(UTC)
    copy = f"{COPY_PREFIX}{begun:%Y%m%dT%H%M%SZ}-{table}"[:255]
    point = {"UseLatestRestorableTime": True} if at is None else {"RestoreDateTime": at}
    client.restore_table_to_point_in_time(SourceTableName=table, TargetTableName=copy, **point)
    while datetime.now(UTC) - begun < MAX_WAIT:
        if client.describe_table(TableName=copy)["Table"]["TableStatus"] == "ACTIVE":
            return copy, datetime.now(UTC) - begun
        sleep(ASK_EVERY_SECONDS)
    raise DrillError(f"{copy} is not there after {MAX_WAIT}; look at it in the console")


def examined(copy: str, took: timedelta) -> Drill:
    """Prove every ledger of a copy, and add up what its wallets hold."""
    book = DynamoDBBook(Table(copy))
    totals: dict[str, int] = {}
    newest: datetime | None = None
    refs: list[AccountRef] = []
    ledgers = ledgers_of(Wanted(copy))
    for ref in ledgers.accounts():
        refs.append(ref)
        account = book.account(ref)
        totals[account.currency] = totals.get(account.currency, 0) + account.wallet_micros
        if account.head.sequence:
            newest = max(newest or account.head.posted_at, account.head.posted_at)
    return Drill(copy, took, ledgers.prove(refs), newest, totals)


def report(drill: Drill) -> str:
    """The drill for a terminal, and for whoever files it."""
    lines = [
        f"copy: {drill.copy}",
        f"restored in {drill.took.total_seconds():.0f} s",
        rendered(drill.run),
        f"youngest entry: {drill.newest.isoformat() if drill.newest else 'none'}",
    ]
    lines += [f"wallets: {micros} micros {name}" for name, micros in sorted(drill.totals.items())]
    lines.append(f"delete it: aws dynamodb delete-table --table-name {drill.copy}")
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
