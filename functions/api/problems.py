"""Problems (RFC 9457), and the one table from error codes to HTTP statuses."""

from collections.abc import Container, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

from billing.domain.canonical import Json, canonical_json
from billing.domain.catalog_rules import InvalidCatalogError
from billing.domain.checked_fields import InvalidFieldsError
from billing.domain.decks import DeckError
from billing.domain.errors import TalktimeError

CONTENT_TYPE = "application/problem+json"

RETRY_AFTER_SECONDS = 1
"""What is told to whoever met contention or his own request still in flight."""


@dataclass(frozen=True, slots=True)
class Kind:
    """What every problem of one code has in common."""

    status: int
    title: str


KINDS: Mapping[str, Kind] = {
    "invalid_json": Kind(400, "The body is not JSON"),
    "invalid_request": Kind(400, "The request cannot be read"),
    "invalid_cursor": Kind(400, "The cursor is not valid here"),
    "idempotency_key_required": Kind(400, "An Idempotency-Key is required"),
    "invalid_idempotency_key": Kind(400, "The Idempotency-Key cannot be used"),
    "tenant_required": Kind(400, "Name a tenant"),
    "unauthorized": Kind(401, "A valid token is required"),
    "payment_declined": Kind(402, "The payment was declined"),
    "forbidden": Kind(403, "Not allowed for this role"),
    "not_found": Kind(404, "Not found"),
    "method_not_allowed": Kind(405, "Method not allowed"),
    "account_on_hold": Kind(409, "The account is on hold"),
    "account_not_mapped": Kind(409, "Nobody knows whose usage this is"),
    "below_contracted_minimum": Kind(409, "The contract says more"),
    "conflict": Kind(409, "In conflict with what exists"),
    "contact_sales": Kind(409, "Ask sales"),
    "default_source": Kind(409, "The default source stays"),
    "idempotency_key_expired": Kind(409, "The Idempotency-Key was used long ago"),
    "insufficient_balance": Kind(409, "The wallet does not hold that much"),
    "insufficient_ports": Kind(409, "There is no port for this call"),
    "item_closed": Kind(409, "The item is closed"),
    "last_admin": Kind(409, "The last billing admin stays"),
    "licence_required": Kind(409, "A licence is required"),
    "member_exists": Kind(409, "Another member has this"),
    "no_catalog": Kind(409, "There is no catalogue yet"),
    "no_funding_source": Kind(409, "There is no funding source"),
    "no_licence_available": Kind(409, "Every licence is assigned"),
    "number_taken": Kind(409, "The number is taken"),
    "number_on_hold": Kind(409, "The number is on hold"),
    "order_in_progress": Kind(409, "Another order is in progress"),
    "plan_limit": Kind(409, "The plan allows no more"),
    "quote_expired": Kind(409, "The quote has expired"),
    "quote_stale": Kind(409, "The quote is out of date"),
    "recharge_in_progress": Kind(409, "A recharge is in progress"),
    "refund_refused": Kind(409, "The gateway refused the refund"),
    "request_in_flight": Kind(409, "The first request is still in flight"),
    "source_in_use": Kind(409, "A payment from the source is open"),
    "source_not_active": Kind(409, "The source cannot be charged"),
    "stale_account": Kind(409, "The account has changed"),
    "too_many_sources": Kind(409, "There are too many funding sources"),
    "stale_settings": Kind(412, "The settings have changed since"),
    "body_too_large": Kind(413, "The body is too large"),
    "unsupported_media_type": Kind(415, "This media type is not read here"),
    "acceptance_required": Kind(422, "The change must be accepted"),
    "card_number_refused": Kind(422, "Card numbers are not accepted"),
    "currency_mismatch": Kind(422, "The currencies differ"),
    "destination_blocked": Kind(422, "The destination is blocked"),
    "destination_not_rated": Kind(422, "The destination has no price"),
    "exceeds_invoice": Kind(422, "More than is left of the invoice"),
    "exceeds_payment": Kind(422, "More than is left of the payment"),
    "idempotency_key_reused": Kind(422, "The Idempotency-Key was used for another request"),
    "invalid_input": Kind(422, "The request is not valid"),
    "invalid_rate_deck": Kind(422, "The rate deck is not valid"),
    "invalid_usage": Kind(422, "The usage is not valid"),
    "not_sold": Kind(422, "This is not sold here"),
    "no_rate_deck": Kind(422, "No rate deck was in force"),
    "precondition_required": Kind(428, "Say which version you have seen"),
    "internal_error": Kind(500, "Something went wrong here"),
    "book_contended": Kind(503, "Busy"),
    "busy": Kind(503, "Busy"),
    "payment_unknown": Kind(503, "The gateway did not answer"),
}

INTERNAL_CODES = frozenset(
    {
        "error",
        "already_recorded",
        "bus_unavailable",
        "calls_recorded",
        "change_too_large",
        "concurrency_limit_reached",
        "conflicting_report",
        "gateway_key_reused",
        "invalid_signature",
        "ledger_broken",
        "payment_mismatch",
        "payment_not_credited",
        "provider_refused",
        "provider_unavailable",
        "queue_unavailable",
    }
)
"""Refusals that services answer themselves. One that gets out is a fault of ours."""

_NOT_FOUND = "There is no such thing here."
_RETRIED = frozenset({"book_contended", "busy", "payment_unknown", "request_in_flight"})
_HEADERS = frozenset({"Idempotency-Key"})


@dataclass(frozen=True, slots=True)
class FieldError:
    """One thing that is wrong.

    Args:
        pointer: JSON pointer into the body, or to the query parameter; empty: the whole of it.
        place: Line and column of an uploaded file.
    """

    pointer: str
    detail: str
    place: Mapping[str, Json] = field(default_factory=dict)


class RequestError(TalktimeError):
    """A refusal of the HTTP layer itself.

    Args:
        code: A key of ``KINDS``.
        errors: For 422: what is wrong, and where.
        headers: To be answered with it.
        members: Extension members of the problem.
    """

    def __init__(
        self,
        code: str,
        detail: str,
        *,
        errors: Sequence[FieldError] = (),
        headers: Mapping[str, str] | None = None,
        members: Mapping[str, Json] | None = None,
    ) -> None:
        assert code in KINDS, code
        super().__init__(detail, members=members)
        self.code = code
        self.errors = tuple(errors)
        self.headers = dict(headers or {})


@dataclass(frozen=True, slots=True)
class Problem:
    """A refusal as it is answered."""

    code: str
    status: int
    body: str
    headers: Mapping[str, str]


def problem_of(error: TalktimeError, request_id: str) -> Problem:
    """How a refusal is answered.

    What is not found says the same whatever was looked for, so that another tenant's thing and a
    thing that does not exist cannot be told apart. A thing a *body* names (its field says so) is
    an invalid body instead.
    """
    code = error.code if error.code in KINDS else "internal_error"
    detail = error.detail
    if code == "not_found" and error.field is not None:
        code = "invalid_input"
    elif code == "not_found":
        detail = _NOT_FOUND
    elif code == "internal_error":
        detail = "The request was not carried out; try again, and report the request id."
    kind = KINDS[code]
    body: dict[str, Json] = {
        "type": f"urn:talktime:problem:{code}",
        "title": kind.title,
        "status": kind.status,
        "detail": detail,
        "code": code,
        "request_id": request_id,
    }
    if kind.status == 422:
        body["errors"] = [
            {"pointer": e.pointer, "detail": e.detail, **e.place} for e in _errors(error)
        ]
    if code == error.code:
        body |= error.members
    headers = dict(error.headers) if isinstance(error, RequestError) else {}
    if code in _RETRIED:
        headers["Retry-After"] = str(RETRY_AFTER_SECONDS)
    return Problem(code, kind.status, canonical_json(body), headers)


def _errors(error: TalktimeError) -> tuple[FieldError, ...]:
    if isinstance(error, RequestError) and error.errors:
        return error.errors
    if isinstance(error, InvalidFieldsError | InvalidCatalogError):
        return tuple(FieldError(fault.pointer, fault.detail) for fault in error.faults)
    if isinstance(error, DeckError):
        return tuple(
            FieldError(
                f"/{problem.line}" + (f"/{escape(problem.column)}" if problem.column else ""),
                problem.detail,
                {"line": problem.line, "column": problem.column},
            )
            for problem in error.problems
        )
    has_pointer = error.field is not None and error.field not in _HEADERS
    return (FieldError(f"/{error.field}" if has_pointer else "", error.detail),)


@contextmanager
def under(parent: str, fields: Container[str]) -> Iterator[None]:
    """Whatever is refused within, name its field below ``parent``, where the body has it."""
    try:
        yield
    except TalktimeError as error:
        if error.field in fields:
            error.field = f"{parent}/{error.field}"
        raise


def escape(part: str) -> str:
    """One part of a JSON pointer (RFC 6901)."""
    return part.replace("~", "~0").replace("/", "~1")
