"""Prove every ledger of a table, a tenant or an account: ``make prove-ledgers``. Changes nothing.

With the caller's own AWS credentials (``dynamodb:GetItem``, ``BatchGetItem``, ``Query``):

    make prove-ledgers TABLE=<output TableName>
    make prove-ledgers TABLE=… TENANT=acme ACCOUNT=default
"""

import argparse
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from botocore.exceptions import BotoCoreError, ClientError
from pynamodb.exceptions import PynamoDBException

from billing.adapters.clock import SystemClock
from billing.adapters.dynamodb.book import DynamoDBBook
from billing.adapters.dynamodb.directory import DynamoDBDirectory
from billing.adapters.dynamodb.table import Table
from billing.domain.account import AccountRef
from billing.domain.errors import TalktimeError
from billing.services.prove_ledger import ProveLedger
from billing.services.prove_ledgers import ProofRun, ProveLedgers


@dataclass(frozen=True, slots=True)
class Wanted:
    """What to prove.

    Args:
        tenant: Empty: every tenant.
        account: Empty: every account.
    """

    table: str
    tenant: str = ""
    account: str = ""


def main() -> int:
    parser = argparse.ArgumentParser(prog="make prove-ledgers", description=__doc__)
    parser.add_argument("table")
    parser.add_argument("--tenant", default="")
    parser.add_argument("--account", default="")
    arguments = parser.parse_args()
    try:
        run = proven(Wanted(arguments.table, arguments.tenant, arguments.account))
    except (TalktimeError, PynamoDBException, BotoCoreError, ClientError) as error:
        sys.stderr.write(f"{error}\n")
        return 2
    sys.stdout.write(f"{rendered(run)}\n")
    return 1 if run.faulty else 0


def proven(wanted: Wanted) -> ProofRun:
    """
    Raises:
        NotFoundError: There is no such account.
    """
    ledgers = ledgers_of(wanted)
    if wanted.tenant and wanted.account:
        return ledgers.prove([AccountRef(wanted.tenant, wanted.account)])
    return ledgers.prove(_of_tenant(ledgers.accounts(), wanted.tenant))


def ledgers_of(wanted: Wanted) -> ProveLedgers:
    table = Table(wanted.table)
    return ProveLedgers(DynamoDBDirectory(table), ProveLedger(DynamoDBBook(table)), SystemClock())


def _of_tenant(refs: Iterable[AccountRef], tenant: str) -> Iterator[AccountRef]:
    return (ref for ref in refs if tenant in ("", ref.tenant_id))


def rendered(run: ProofRun) -> str:
    """The run for a terminal: one line of what was seen, then what is wrong."""
    lines = [
        f"{run.proven:,} ledgers with {run.entries:,} entries: "
        + (f"{len(run.faulty):,} NOT SOUND" if run.faulty else "all sound")
    ]
    for one in run.faulty:
        account, proof = one.account, one.proof
        lines.append(
            f"- {account.ref}: the wallet holds {account.wallet_micros} micros "
            f"{account.currency}, its {proof.entries} entries say {proof.balance_micros}"
        )
        lines += [f"  {problem}" for problem in proof.problems]
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
