"""Open a tenant with its first billing account, or a further account."""

from contextlib import suppress
from dataclasses import dataclass

from billing.domain.account import Account, AccountRef
from billing.domain.canonical import Json
from billing.domain.catalog_versions import plan_of
from billing.domain.errors import BookBusyError, ConflictError, NotSoldError, StaleAccountError
from billing.domain.opening import first_to_bill, new_account, open_account
from billing.domain.records import Operation, OperationState, Tenant
from billing.domain.renewing import renewal_lines
from billing.domain.subscription import Subscription
from billing.ports import Book, Catalogs, Clock, StoredCatalog
from billing.services.bill_account import BillAccount
from billing.services.change_account import recorded_error


@dataclass(frozen=True, slots=True)
class NewAccount:
    """What a new billing account starts from."""

    ref: AccountRef
    name: str
    currency: str
    time_zone: str
    billing_day: int
    plan_id: str
    rate_deck: str


class OpenAccount:
    """Opens accounts under the plan as the catalogue sells it now.

    Args:
        bill_account: Bills the first period at once; None: the timer that stands has it billed.
    """

    def __init__(
        self,
        book: Book,
        catalogs: Catalogs,
        clock: Clock,
        bill_account: BillAccount | None = None,
    ) -> None:
        self._bill_account = bill_account
        self._book = book
        self._catalogs = catalogs
        self._clock = clock

    def open(
        self, wanted: NewAccount, operation_id: str, body_hash: str, tenant_name: str | None
    ) -> Account:
        """Open the account, and its tenant with it where ``tenant_name`` is given.

        Raises:
            AlreadyRecordedError: The same request was here before; its operation carries what
                ``opened_json`` said then.
            IdConflictError: The key was used for another request.
            NotFoundError: There is no catalogue yet, or no such plan in it.
            InvalidInputError: Names the field.
            NotSoldError: The plan has no price in this currency.
            ConflictError: The tenant or the account exists already.
            BookContendedError: Nothing was written; try again.
        """
        now = self._clock.now()
        recorded = self._book.operation(wanted.ref, operation_id)
        if recorded is not None:
            raise recorded_error(recorded, body_hash)
        stored = self._catalogs.current()
        account = new_account(
            wanted.ref,
            currency=wanted.currency,
            time_zone=wanted.time_zone,
            billing_day=wanted.billing_day,
            plan=stored.catalog.terms_of(wanted.plan_id, stored.version),
            rate_deck=wanted.rate_deck,
            now=now,
        )
        tenant = None if tenant_name is None else Tenant(wanted.ref.tenant_id, tenant_name, now)
        operation = Operation(
            operation_id=operation_id,
            body_hash=body_hash,
            account=wanted.ref,
            state=OperationState.SUCCEEDED,
            answer=opened_json(account, wanted.name, tenant),
            recorded_at=now,
        )
        subscription = first_to_bill(account)
        _require_sold(account, subscription, stored)
        change = open_account(account, wanted.name, operation, tenant, now, subscription)
        try:
            self._book.commit(change)
        except StaleAccountError as error:
            raise ConflictError(f"account {wanted.ref.account_id!r} exists already") from error
        if self._bill_account is not None:
            # It is open, and the timer that stands has it billed in any case.
            with suppress(BookBusyError):
                self._bill_account.bill(wanted.ref)
        return change.after


def _require_sold(account: Account, subscription: Subscription, stored: StoredCatalog) -> None:
    """
    Raises:
        NotSoldError: The plan has no price in the account's currency.
    """
    plan = plan_of(stored.catalog, subscription.plan_id)
    try:
        renewal_lines(account, subscription, plan, stored.catalog, subscription.term)
    except NotSoldError as error:
        error.field = "plan"
        raise


def opened_json(account: Account, name: str, tenant: Tenant | None) -> dict[str, Json]:
    """What was opened, as it is answered, and answered again."""
    opened: dict[str, Json] = {
        "account": account.ref.account_id,
        "name": name,
        "currency": account.currency,
        "time_zone": account.time_zone,
        "billing_day": account.billing_day,
        "plan": account.plan.plan_id,
        "rate_deck": account.rate_deck,
        "created_at": account.created_at.isoformat(),
    }
    if tenant is None:
        return opened
    return {
        "tenant": tenant.tenant_id,
        "name": tenant.name,
        "created_at": tenant.created_at.isoformat(),
        "account": opened,
    }
