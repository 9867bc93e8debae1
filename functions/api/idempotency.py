"""Idempotency keys: one operation per account, route and key, kept with what it did."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from enum import StrEnum

from pydantic import BaseModel

from api.problems import RequestError
from billing.domain.canonical import digest
from billing.domain.records import Operation, OperationState

HEADER = "idempotency-key"
MAX_KEY_LENGTH = 255
ANSWERS_KEPT = timedelta(days=30)
"""How long a used key answers as it did the first time (the contract, "Conventions")."""

ABANDONED_AFTER = timedelta(seconds=30)
"""By then the gateway in front of us has given the first request up (API Gateway: 30 s)."""

OPERATION_PREFIX = "op_"
_OPERATION_DIGITS = 40


class Needs(StrEnum):
    """Whether a route takes a key."""

    NONE = "none"
    OPTIONAL = "optional"
    REQUIRED = "required"


def key_of(headers: Mapping[str, str], needs: Needs) -> str | None:
    """The request's key.

    Raises:
        RequestError: It is required and missing, or is not 1 to 255 printable ASCII characters.
    """
    key = headers.get(HEADER)
    if needs is Needs.NONE:
        return None
    if key is None:
        if needs is Needs.OPTIONAL:
            return None
        raise RequestError(
            "idempotency_key_required",
            "Send an Idempotency-Key, a new one for each thing you want done, so that this request"
            " can be repeated safely.",
        )
    if not (1 <= len(key) <= MAX_KEY_LENGTH and key.isascii() and key.isprintable()):
        raise RequestError(
            "invalid_idempotency_key",
            f"An Idempotency-Key is 1 to {MAX_KEY_LENGTH} printable ASCII characters.",
        )
    return key


def operation_id(tenant_id: str, account_id: str, route: str, key: str) -> str:
    """The operation a key stands for: opaque, and fit for a path."""
    return OPERATION_PREFIX + digest([tenant_id, account_id, route, key])[:_OPERATION_DIGITS]


def is_operation_id(text: str) -> bool:
    """Whether it could be one that was given out; the system's own operations are not."""
    digits = text.removeprefix(OPERATION_PREFIX)
    return digits != text and len(digits) == _OPERATION_DIGITS and digits.isalnum()


def body_hash(body: BaseModel) -> str:
    """Digest of the validated body: other spacing or order of fields is the same request."""
    return digest(body.model_dump(mode="json"))


def is_abandoned(recorded: Operation, now: datetime) -> bool:
    """Whether whoever began it is gone, so that the repetition may finish it."""
    is_pending = recorded.state is OperationState.PENDING
    return is_pending and now - recorded.recorded_at > ABANDONED_AFTER


def require_answer(recorded: Operation, now: datetime) -> Operation:
    """What is recorded of a request that was here before, if its answer is known and kept.

    Raises:
        RequestError: ``request_in_flight``, or ``idempotency_key_expired``.
    """
    if recorded.state is OperationState.PENDING:
        raise RequestError(
            "request_in_flight",
            "The first request with this key has not been answered yet; repeat it shortly.",
        )
    if now - recorded.recorded_at > ANSWERS_KEPT:
        raise RequestError(
            "idempotency_key_expired",
            f"This key was used more than {ANSWERS_KEPT.days} days ago; choose a new one.",
        )
    return recorded
