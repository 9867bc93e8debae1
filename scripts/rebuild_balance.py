"""Compare an account's balance with its ledger, and make it again from there where it is wrong.

Unless somebody signs for it, it reads alone and says what it would do. With ``--actor`` and
``--reason``, the wallet and the ledger head of the account state are replaced under the version
that was read, together with an audit record.
A ledger that is not sound by itself is refused: docs/runbooks.md, "Rebuild a balance".

    make rebuild-balance TABLE=… TENANT=acme ACCOUNT=default
    make rebuild-balance TABLE=… TENANT=acme ACCOUNT=default ACTOR=zoe REASON=T-81
"""

import argparse
import sys
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from botocore.exceptions import BotoCoreError, ClientError
from pynamodb.exceptions import PynamoDBException

from billing.adapters.dynamodb import items
from billing.adapters.dynamodb.book import DynamoDBBook
from billing.adapters.dynamodb.store_items import write_together
from billing.adapters.dynamodb.table import Table
from billing.domain.account import Account, AccountRef
from billing.domain.errors import TalktimeError
from billing.domain.rebuilding import rebuilt
from billing.domain.records import AuditRecord

ACTION = "balance.rebuilt"


@dataclass(frozen=True, slots=True)
class Authority:
    """Who writes, and why; kept in the audit."""

    actor: str
    reason: str


def main() -> int:
    parser = argparse.ArgumentParser(prog="make rebuild-balance", description=__doc__)
    parser.add_argument("table")
    parser.add_argument("tenant")
    parser.add_argument("account")
    parser.add_argument("--actor", help="who writes; needed to write, with --reason")
    parser.add_argument("--reason", help="such as a ticket's number")
    arguments = parser.parse_args()
    if bool(arguments.actor) != bool(arguments.reason):
        parser.error("--actor and --reason belong together")
    authority = Authority(arguments.actor, arguments.reason) if arguments.actor else None
    ref = AccountRef(arguments.tenant, arguments.account)
    try:
        before, after = rebuild(Table(arguments.table), ref, authority, datetime.now(UTC))
    except (TalktimeError, PynamoDBException, BotoCoreError, ClientError) as error:
        sys.stderr.write(f"{error}\n")
        return 2
    sys.stdout.write(f"{rendered(before, after, written=authority is not None)}\n")
    return 1 if before != after and authority is None else 0


def rebuild(
    table: Table, ref: AccountRef, authority: Authority | None, now: datetime
) -> tuple[Account, Account]:
    """The account as it is stored, and as its ledger says it is; written if somebody says so.

    Raises:
        NotFoundError: There is no such account.
        LedgerBrokenError: The ledger is not sound. Nothing was written.
        ConflictError: The account moved on meanwhile. Nothing was written; read it again.
    """
    book = DynamoDBBook(table)
    before = book.account(ref)
    # Entries are looked for up to this month, wherever the account believes its ledger to end.
    head = replace(before.head, posted_at=max(now, before.head.posted_at))
    after = rebuilt(before, list(book.entries(replace(before, head=head))))
    if authority is not None and after != before:
        _write(table, before, after, authority, now)
    return before, after


def _write(
    table: Table, before: Account, after: Account, authority: Authority, now: datetime
) -> None:
    record = AuditRecord(
        account=after.ref,
        operation_id=f"{ACTION}/{after.version}",
        actor=authority.actor,
        action=ACTION,
        acceptance=None,
        before={"wallet_micros": before.wallet_micros, "sequence": before.head.sequence},
        after={
            "wallet_micros": after.wallet_micros,
            "sequence": after.head.sequence,
            "reason": authority.reason,
        },
        at=now,
    )
    write_together(
        table,
        [
            (items.account_item(after), items.AccountItem.version == before.version),
            (items.record_item(record), items.Item.pk.does_not_exist()),
        ],
    )


def rendered(before: Account, after: Account, *, written: bool) -> str:
    """The comparison for a terminal."""
    if before == after:
        return f"{before.ref}: the ledger and the balance agree, {before.wallet_micros} micros"
    done = "written" if written else "nothing was written"
    return "\n".join(
        [
            f"{before.ref}: {done}",
            f"  the balance says {before.wallet_micros} micros at entry {before.head.sequence}",
            f"  the ledger says  {after.wallet_micros} micros at entry {after.head.sequence}",
        ]
    )


if __name__ == "__main__":
    sys.exit(main())
