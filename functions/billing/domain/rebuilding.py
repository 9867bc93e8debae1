"""What an account holds, made again from its ledger alone."""

from collections.abc import Sequence
from dataclasses import replace

from billing.domain.account import Account, LedgerHead
from billing.domain.errors import TalktimeError
from billing.domain.ledger import LedgerEntry, opening_head, prove


class LedgerBrokenError(TalktimeError):
    """The ledger itself is not sound, so nothing can be made of it."""

    code = "ledger_broken"


def rebuilt(account: Account, entries: Sequence[LedgerEntry]) -> Account:
    """The account with the wallet and the ledger head that its entries say, one version later.

    Nothing else of the state is in the ledger: grants, spend and settings stay as they are.

    Args:
        account: As it is stored, however wrong.
        entries: All of them, the first one first, those beyond the account's head included.

    Returns:
        The very same account where it agrees with its ledger already.

    Raises:
        LedgerBrokenError: An entry is missing, altered, or does not chain. Restore instead.
    """
    head = opening_head(account.ref, account.created_at)
    if entries:
        last = entries[-1]
        head = LedgerHead(last.sequence, last.hash, last.posted_at)
    wallet_micros = sum(entry.wallet_change_micros for entry in entries)
    after = replace(account, wallet_micros=wallet_micros, head=head)
    proof = prove(after, entries)
    if not proof.is_sound:
        raise LedgerBrokenError("; ".join(proof.problems))
    return account if after == account else replace(after, version=account.version + 1)
