"""Charge an account once, as the operator: now, or on its next invoice."""

from collections.abc import Sequence
from datetime import datetime

from billing.domain.account import Account, AccountRef
from billing.domain.change import Change
from billing.domain.charging import Charge, charge_lines, charged
from billing.domain.records import AuditRecord, Operation
from billing.ports import Book, Catalogs
from billing.services.change_account import ChangeAccount
from billing.services.read_held import ReadHeld


class ChargeAccount:
    """Charges are taxed by the catalogue's rates of today."""

    def __init__(self, *, book: Book, catalogs: Catalogs, change_account: ChangeAccount) -> None:
        self._catalogs = catalogs
        self._held = ReadHeld(book, catalogs)
        self._change_account = change_account

    def charge(
        self,
        ref: AccountRef,
        charges: Sequence[Charge],
        operation: Operation,
        audit: AuditRecord,
        *,
        is_at_once: bool,
    ) -> None:
        """Charge all of them, or none.

        Args:
            operation: Its id derives from the idempotency key; it is written with its answer.

        Raises:
            AlreadyRecordedError: The same request was here before; carries its operation.
            IdConflictError: The key was used for another request.
            NotFoundError: No such account, or there is no catalogue yet.
            InvalidInputError: Names the field.
            BookBusyError: Nothing was written; try later.
        """

        def decide(account: Account, now: datetime) -> Change:
            catalog = self._catalogs.current().catalog
            return charged(
                account,
                self._held.subscription(account),
                self._held.documents(ref),
                charge_lines(charges, catalog, account.currency),
                operation,
                audit,
                now,
                is_at_once=is_at_once,
            )

        self._change_account(ref, decide, (operation.operation_id, operation.body_hash))
