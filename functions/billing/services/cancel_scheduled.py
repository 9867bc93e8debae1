"""Cancel a scheduled change before it happens."""

from datetime import datetime

from billing.domain.account import Account, AccountRef
from billing.domain.audit import By
from billing.domain.change import Change
from billing.domain.renewing import check_billed
from billing.domain.scheduled import take_back, without
from billing.services.change_account import ChangeAccount
from billing.services.read_held import ReadHeld


class CancelScheduled:
    """Takes back what waits for the term's end."""

    def __init__(self, read_held: ReadHeld, change_account: ChangeAccount) -> None:
        self._read_held = read_held
        self._change_account = change_account

    def cancel(self, ref: AccountRef, change_id: str, by: By) -> None:
        """
        Raises:
            NotFoundError: No such account, or nothing of that name is scheduled.
            ConflictError: Another scheduled change needs it; that is taken back first.
            BookBusyError: Contention, or the account's new period is not billed yet.
        """

        def decide(account: Account, now: datetime) -> Change:
            subscription = self._read_held.subscription(account)
            check_billed(account, subscription)
            kept, change = without(subscription, change_id)
            versions = self._read_held.versions(account, kept)
            return take_back(account, kept, change, versions, by, now)

        self._change_account.by_version(ref, decide)
