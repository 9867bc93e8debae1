"""Add a funding source whose token came with the request: it can be charged at once."""

from dataclasses import dataclass
from datetime import datetime

from billing.domain import funding
from billing.domain.account import Account, AccountRef
from billing.domain.change import Change
from billing.domain.errors import InvalidInputError
from billing.domain.money import Money
from billing.domain.payments import PaymentMethod
from billing.domain.records import (
    AuditRecord,
    FundingSource,
    Operation,
    OperationState,
    SourceState,
)
from billing.ports import Book
from billing.services.change_account import ChangeAccount

HANDS_TOKENS_OVER = frozenset({"sandbox"})
"""Gateways whose hosted fields hand a token to the customer's browser, for us to be given."""


@dataclass(frozen=True, slots=True)
class NewSource:
    """A card or mandate, and what people call it.

    Args:
        token: The gateway's; empty: its customer is about to save it.
        limit: UPI: the most one debit may be without its customer; None: what the law allows.
    """

    source_id: str
    gateway: str
    token: str
    label: str
    method: PaymentMethod = PaymentMethod.CARD
    limit: Money | None = None

    def at(self, ref: AccountRef, now: datetime) -> FundingSource:
        """The source as it begins."""
        return FundingSource(
            account=ref,
            source_id=self.source_id,
            gateway=self.gateway,
            token=self.token,
            label=self.label,
            created_at=now,
            method=self.method,
            state=SourceState.ACTIVE if self.token else SourceState.PENDING,
            limit_micros=self.limit.micros if self.limit else None,
        )


def asked(ref: AccountRef, operation_id: str, body_hash: str, now: datetime) -> Operation:
    """The operation of a request for a new source; the domain adds its answer."""
    return Operation(operation_id, body_hash, ref, OperationState.SUCCEEDED, None, now)


class AddFundingSource:
    """Keeps the token; card numbers never come this way."""

    def __init__(self, book: Book, change_account: ChangeAccount) -> None:
        self._book = book
        self._change_account = change_account

    def add(
        self,
        ref: AccountRef,
        wanted: NewSource,
        *,
        operation_id: str,
        body_hash: str,
        audit: AuditRecord,
    ) -> FundingSource:
        """Add the source: the default where there is none, else the last backup.

        Raises:
            AlreadyRecordedError: The same request was here before; its operation carries what was
                answered then.
            IdConflictError: The key was used for another request.
            InvalidInputError: Names the field: this gateway hands no token over; see
                ``funding.validate_new`` for ``method`` and ``limit``.
            TooManySourcesError: The account has as many as it may.
        """
        if wanted.gateway not in HANDS_TOKENS_OVER:
            raise InvalidInputError(
                "leave out token: it comes from this gateway's hosted fields", field="token"
            )
        added: list[FundingSource] = []

        def decide(account: Account, now: datetime) -> Change:
            funding.validate_new(account, wanted.method, wanted.limit)
            source = wanted.at(ref, now)
            added[:] = [source]
            sources = {one.source_id: one for one in self._book.funding_sources(ref)}
            operation = asked(ref, operation_id, body_hash, now)
            return funding.added(account, source, sources, operation, audit, now)

        self._change_account(ref, decide, (operation_id, body_hash))
        return added[0]
