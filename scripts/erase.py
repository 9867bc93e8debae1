"""Erase personal data: docs/security.md, "Personal data". It cannot be undone.

    make erase TABLE=… ACTOR=zoe REASON=T-81 WHAT="member acme mem_7"
    make erase TABLE=… ACTOR=zoe REASON=T-81 WHAT="numbers acme default --before 2026-01-01"
    make erase TABLE=… ACTOR=zoe REASON=T-81 WHAT="acceptances acme default --before 2020-01-01"

With the caller's own AWS credentials (``dynamodb:GetItem``, ``BatchGetItem``, ``Query``,
``PutItem``, ``UpdateItem``): the functions' roles may not change what is erased here. It can be
repeated, and what is erased already is left alone.
"""

import argparse
import sys
from datetime import UTC, datetime

from botocore.exceptions import BotoCoreError, ClientError
from pynamodb.exceptions import PynamoDBException

from billing.adapters.clock import SystemClock
from billing.adapters.dynamodb.audit import DynamoDBAudit
from billing.adapters.dynamodb.book import DynamoDBBook
from billing.adapters.dynamodb.erasing import DynamoDBErasure
from billing.adapters.dynamodb.members import DynamoDBMembers
from billing.adapters.dynamodb.quarantine import DynamoDBQuarantine
from billing.adapters.dynamodb.table import Table
from billing.domain.account import AccountRef
from billing.domain.errors import TalktimeError
from billing.ports import Clock
from billing.services.erase_personal import ErasePersonal, Order


def main() -> int:
    arguments = parser().parse_args()
    try:
        count = erased(arguments, SystemClock())
    except (TalktimeError, PynamoDBException, BotoCoreError, ClientError) as error:
        sys.stderr.write(f"{error}\n")
        return 2
    sys.stdout.write(f"{count} records were erased\n")
    return 0


def parser() -> argparse.ArgumentParser:
    """The command's arguments."""
    made = argparse.ArgumentParser(prog="make erase", description=__doc__)
    made.add_argument("table")
    made.add_argument("--actor", required=True, type=_said)
    made.add_argument("--reason", required=True, type=_said)
    what = made.add_subparsers(dest="what", required=True)
    member = what.add_parser("member")
    member.add_argument("tenant")
    member.add_argument("member")
    for name in ("numbers", "acceptances"):
        one = what.add_parser(name)
        one.add_argument("tenant")
        one.add_argument("account")
        one.add_argument("--before", required=True, type=_day, help="a day (UTC), itself excluded")
    return made


def erased(arguments: argparse.Namespace, clock: Clock) -> int:
    """How many records were written."""
    order = Order(arguments.actor, arguments.reason)
    erase = _erase_personal(Table(arguments.table), clock)
    if arguments.what == "member":
        return erase.member(arguments.tenant, arguments.member, order)
    ref = AccountRef(arguments.tenant, arguments.account)
    if arguments.what == "numbers":
        return erase.numbers(ref, arguments.before, order)
    return erase.acceptances(ref, arguments.before, order)


def _erase_personal(table: Table, clock: Clock) -> ErasePersonal:
    return ErasePersonal(
        book=DynamoDBBook(table),
        members=DynamoDBMembers(table),
        audit=DynamoDBAudit(table),
        quarantine=DynamoDBQuarantine(table),
        erasure=DynamoDBErasure(table),
        clock=clock,
    )


def _said(text: str) -> str:
    if not text.strip():
        raise argparse.ArgumentTypeError("somebody signs for it, and says why")
    return text


def _day(text: str) -> datetime:
    return datetime.strptime(text, "%Y-%m-%d").replace(tzinfo=UTC)


if __name__ == "__main__":
    sys.exit(main())
