"""Set an account's contract, as the operator, and read what it comes to."""

from dataclasses import dataclass
from datetime import datetime

from billing.domain.account import Account, AccountRef
from billing.domain.audit import By
from billing.domain.catalog_versions import plan_of
from billing.domain.change import Change
from billing.domain.contracting import contract_etag, contracted_to
from billing.domain.errors import ConflictError, IdConflictError
from billing.domain.periods import local_day
from billing.domain.subscription import Contract
from billing.domain.unit_counts import contracted
from billing.ports import AlreadyRecordedError, Book, Catalogs, Clock
from billing.services.bill_account import BillAccount
from billing.services.change_account import ChangeAccount
from billing.services.read_held import ReadHeld


class StaleContractError(ConflictError):
    """The contract is no longer what the caller has seen."""

    code = "stale_settings"


@dataclass(frozen=True, slots=True)
class ContractView:
    """A contract, and what is billed at least.

    Args:
        contract: None: there is none.
        minimums: Of every kind that the plan sells: today's, by the contract or the catalogue.
    """

    contract: Contract | None
    minimums: tuple[tuple[str, int], ...]


class SetContract:
    """Replaces the contract as a whole.

    Args:
        bill_account: A period that has begun is billed before anything is added to it, if nobody
            has done so yet: its bill would charge for the same units again.
    """

    def __init__(
        self,
        *,
        book: Book,
        catalogs: Catalogs,
        clock: Clock,
        change_account: ChangeAccount,
        bill_account: BillAccount,
    ) -> None:
        self._bill_account = bill_account
        self._book = book
        self._catalogs = catalogs
        self._held = ReadHeld(book, catalogs)
        self._clock = clock
        self._change_account = change_account

    def read(self, ref: AccountRef) -> ContractView:
        """
        Raises:
            NotFoundError: No such account.
        """
        account = self._book.account(ref)
        subscription = self._held.subscription(account)
        sold = self._catalogs.version(subscription.catalog_version)
        plan = plan_of(sold.catalog, subscription.plan_id)
        today = local_day(self._clock.now(), account.time_zone)
        minimums = tuple(
            (unit.kind, contracted(subscription, unit.kind, plan, today)) for unit in plan.units
        )
        return ContractView(subscription.contract, minimums)

    def set(
        self,
        ref: AccountRef,
        contract: Contract,
        *,
        seen_etag: str,
        by: By,
        is_at_once: bool,
    ) -> None:
        """Replace the contract, if it is still the one the caller has seen.

        Args:
            seen_etag: From ``contract_etag``.
            is_at_once: Its minimums count for this term, and what is missing is invoiced.

        Raises:
            NotFoundError: No such account.
            InvalidInputError: Names the field.
            StaleContractError: Somebody else set it since.
            BookBusyError: Nothing was written; try later.
        """

        def decide(account: Account, now: datetime) -> Change:
            subscription = self._held.subscription(account)
            if contract_etag(subscription.contract) != seen_etag:
                raise StaleContractError("the contract has changed since; read it again")
            sold = self._catalogs.version(subscription.catalog_version)
            numbers = self._held.documents(ref)
            return contracted_to(
                account, subscription, numbers, contract, sold, by, now, is_at_once=is_at_once
            )

        if is_at_once:
            self._bill_account.bill(ref)
        try:
            self._change_account(ref, decide)
        except (AlreadyRecordedError, IdConflictError) as error:
            # Somebody else set it from the version we have seen, which names the operation.
            raise StaleContractError("the contract has changed since; read it again") from error
