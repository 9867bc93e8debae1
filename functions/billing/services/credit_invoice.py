"""Credit part of a paid invoice, as the operator."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from billing.domain.account import Account, AccountRef
from billing.domain.change import Change
from billing.domain.collecting_steps import effect_change
from billing.domain.crediting import Given, credit, parts
from billing.domain.documents import CreditNote, DocumentNumbers
from billing.domain.records import AuditRecord, Operation
from billing.ports import Book
from billing.services.change_account import ChangeAccount
from billing.services.pay_invoice import find_invoice


class CreditInvoice:
    """Writes a credit note; what it comes to is in the wallet with the same Change."""

    def __init__(self, book: Book, change_account: ChangeAccount) -> None:
        self._book = book
        self._change_account = change_account

    def credit(
        self,
        ref: AccountRef,
        number: int,
        given: Sequence[Given],
        reason: str,
        operation: Operation,
        audit: AuditRecord,
    ) -> None:
        """Credit all that is asked for, or nothing.

        Args:
            given: Which lines, and how much of each; none: all that is left of the invoice.
            operation: Its id derives from the idempotency key; it is written with its answer.

        Raises:
            AlreadyRecordedError: The same request was here before; carries its operation.
            IdConflictError: The key was used for another request.
            NotFoundError: No such account, or no such invoice.
            InvalidInputError: Names the field.
            ExceedsInvoiceError: More than was paid and has not been credited.
            BookBusyError: Nothing was written; try later.
        """

        def decide(account: Account, now: datetime) -> Change:
            invoice = find_invoice(self._book, ref, number)
            numbers = self._book.thing(ref, DocumentNumbers) or DocumentNumbers(ref)
            taken = parts(invoice, given)
            effect = credit(account, numbers, invoice, taken, reason, operation.operation_id, now)
            (note,) = (one for one in effect.records if isinstance(one, CreditNote))
            return effect_change(
                account,
                replace(effect, records=(*effect.records, audit)),
                operation=replace(operation, answer={"credit_note": note.number}),
                now=now,
            )

        self._change_account(ref, decide, (operation.operation_id, operation.body_hash))
