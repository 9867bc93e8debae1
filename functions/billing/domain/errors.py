"""Every refusal of the system, each with a stable code that clients may switch on.

The HTTP status of a code is decided in one table, ``api/problems.py``.
"""

from collections.abc import Mapping

from billing.domain.canonical import Json


class TalktimeError(Exception):
    """A refusal with a stable code.

    Args:
        detail: One sentence for a person: what is wrong and what to do about it.
        field: The input that is wrong, where there is one.
        members: What the caller needs beside the sentence, such as whom to ask.
    """

    code = "error"

    def __init__(
        self,
        detail: str,
        *,
        field: str | None = None,
        members: Mapping[str, Json] | None = None,
    ) -> None:
        super().__init__(detail)
        self.detail = detail
        self.field = field
        self.members = dict(members or {})


class InvalidInputError(TalktimeError):
    """The request itself is wrong; sending it again changes nothing."""

    code = "invalid_input"


class CurrencyMismatchError(InvalidInputError):
    """Two amounts of different currencies met."""

    code = "currency_mismatch"


class InvalidUsageError(InvalidInputError):
    """A usage event that cannot be true, such as a negative duration."""

    code = "invalid_usage"


class InvalidSignatureError(TalktimeError):
    """Not signed with the connection's secret; an unknown connection looks the same."""

    code = "invalid_signature"


class DestinationNotRatedError(TalktimeError):
    """The deck has no price for this number."""

    code = "destination_not_rated"


class DestinationBlockedError(TalktimeError):
    """The deck blocks this number: no call to it is allowed, and one that happened has no price."""

    code = "destination_blocked"


class NoRateDeckError(TalktimeError):
    """No version of the deck was in force at that time."""

    code = "no_rate_deck"


class NotFoundError(TalktimeError):
    """There is no such thing under this tenant; another tenant's thing looks the same."""

    code = "not_found"


class AccountNotMappedError(TalktimeError):
    """Nobody knows whose usage it is."""

    code = "account_not_mapped"


class ItemClosedError(TalktimeError):
    """What was parked is posted or dismissed, or remembers too much to be changed again."""

    code = "item_closed"


class AcceptanceRequiredError(TalktimeError):
    """A person's billing change came without a complete, current acceptance."""

    code = "acceptance_required"


class RechargeInProgressError(TalktimeError):
    """One payment at a time from one source: another recharge is still open."""

    code = "recharge_in_progress"


class NoFundingSourceError(TalktimeError):
    """There is nothing to collect from."""

    code = "no_funding_source"


class ExceedsPaymentError(InvalidInputError):
    """More than may still be given back of a payment."""

    code = "exceeds_payment"


class ExceedsInvoiceError(InvalidInputError):
    """More than was paid of an invoice and has not been credited."""

    code = "exceeds_invoice"


class NumberTakenError(TalktimeError):
    """Somebody has this phone number already."""

    code = "number_taken"


class InsufficientBalanceError(TalktimeError):
    """The wallet does not hold what is asked for: it was used already."""

    code = "insufficient_balance"


class NegativeBalanceError(InsufficientBalanceError):
    """The wallet is below zero: nothing that costs anything may begin on a debt."""


class ConcurrencyLimitReachedError(TalktimeError):
    """As many calls are going on as the plan allows, or as one account can have at once."""

    code = "concurrency_limit_reached"


class AccountOnHoldError(TalktimeError):
    """Outbound calls are suspended until the account's invoices are paid."""

    code = "account_on_hold"


class NumberOnHoldError(TalktimeError):
    """The number is not paid for: nothing starts from it or reaches it until it is."""

    code = "number_on_hold"


class LicenceRequiredError(TalktimeError):
    """The member has no licence of the kind that this needs; ``members`` say which to assign."""

    code = "licence_required"


class NoLicenceAvailableError(TalktimeError):
    """Every licence of the kind is assigned: buy another, or take one from somebody."""

    code = "no_licence_available"


class InsufficientPortsError(TalktimeError):
    """No port for this call: ``members`` say whether it is not assigned, or all are out."""

    code = "insufficient_ports"


class NotSoldError(InvalidInputError):
    """The catalogue does not sell this, or not in this currency or to this plan."""

    code = "not_sold"


class QuoteExpiredError(TalktimeError):
    """The quote is too old to be ordered; ask for another."""

    code = "quote_expired"


class QuoteStaleError(TalktimeError):
    """What the quote was computed from has changed; ask for another."""

    code = "quote_stale"


class OrderInProgressError(TalktimeError):
    """One order at a time: another one waits for its payment."""

    code = "order_in_progress"


class ContactSalesError(TalktimeError):
    """Only the operator makes this change; ``members`` say whom to ask."""

    code = "contact_sales"


class BelowContractedMinimumError(TalktimeError):
    """Fewer than the contract says; ``members`` say whom to ask."""

    code = "below_contracted_minimum"


class PlanLimitError(TalktimeError):
    """More than the plan allows."""

    code = "plan_limit"


class TooManySourcesError(TalktimeError):
    """The account has as many funding sources as it may."""

    code = "too_many_sources"


class DefaultSourceError(TalktimeError):
    """The default funding source stays until another one is the default."""

    code = "default_source"


class SourceInUseError(TalktimeError):
    """A payment from this funding source is open."""

    code = "source_in_use"


class SourceNotActiveError(TalktimeError):
    """Not saved yet, or expired: nothing can be collected from this funding source."""

    code = "source_not_active"


class ConflictError(TalktimeError):
    """The thing exists already, or is no longer what the caller has seen."""

    code = "conflict"


class MemberExistsError(TalktimeError):
    """Another member of the tenant has this; ``members`` say which field it is."""

    code = "member_exists"

    @staticmethod
    def of(field: str) -> "MemberExistsError":
        return MemberExistsError(
            f"another member of this tenant has this {field}", members={"field": field}
        )


class LastAdminError(TalktimeError):
    """The tenant would have no active billing admin left."""

    code = "last_admin"


class IdConflictError(TalktimeError):
    """This operation is in the book with another body. Nothing was written."""

    code = "idempotency_key_reused"


class StaleAccountError(TalktimeError):
    """The account moved on since it was read. Read and decide again."""

    code = "stale_account"


class BookContendedError(TalktimeError):
    """Throttled, or in conflict with another transaction: this attempt wrote nothing."""

    code = "book_contended"


class BookBusyError(TalktimeError):
    """Contention outlasted every attempt. Nothing was written; try later."""

    code = "busy"


class ChangeTooLargeError(TalktimeError):
    """A Change holds more items than one transaction; whoever made it must split it."""

    code = "change_too_large"


class PaymentUnknownError(TalktimeError):
    """The gateway did not say whether it charged. Only it can: same key, or a query."""

    code = "payment_unknown"


class GatewayKeyReusedError(TalktimeError):
    """A gateway saw this idempotency key before with other parameters. Nothing was charged."""

    code = "gateway_key_reused"


class PaymentMismatchError(TalktimeError):
    """A gateway's webhook tells of our payment another amount, currency or gateway than the book.

    Nothing is credited or taken by guess; a person compares the two books.
    """

    code = "payment_mismatch"


class PaymentNotCreditedError(TalktimeError):
    """A gateway tells what became of our payment before that payment is in the book. Tell again."""

    code = "payment_not_credited"


class ProviderUnavailableError(TalktimeError):
    """A provider's own interface did not answer, or not as documented. Later it may."""

    code = "provider_unavailable"


class ProviderRefusedError(TalktimeError):
    """A provider's own interface will not answer this, such as for a wrong secret.

    Args:
        status: Of HTTP; 0 where it was not even asked.
    """

    code = "provider_refused"

    def __init__(self, detail: str, *, status: int = 0) -> None:
        super().__init__(detail)
        self.status = status
