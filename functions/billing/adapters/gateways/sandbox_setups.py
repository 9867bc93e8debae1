"""The sandbox's saved sources: begun by us, finished by whoever plays the customer."""

from collections.abc import Mapping
from datetime import date
from typing import Any

from billing.adapters.gateways.sandbox_behaviour import (
    EXPIRED,
    SUCCEEDS,
    TOKENS,
    UPI_SUCCEEDS,
    behaviour_of,
    is_own,
    method_of,
)
from billing.adapters.gateways.sandbox_payments import bind
from billing.adapters.gateways.sandbox_records import (
    GONE,
    SETUP,
    SETUP_END,
    Document,
    SandboxBook,
    derived_id,
    named,
)
from billing.domain.canonical import Json
from billing.domain.errors import InvalidInputError, NotFoundError
from billing.domain.payments import PaymentMethod
from billing.ports import Clock, Setup, SetupFailed, SetupRequest, SourceSaved

FORGOTTEN, REVOKED = "forgotten", "revoked"

YEARS_VALID = 3
"""How long a card is still valid of which nothing else is said."""


class SandboxSetups:
    """Begins, finishes and forgets sources."""

    def __init__(self, book: SandboxBook, clock: Clock) -> None:
        self._book = book
        self._clock = clock

    def begin(self, request: SetupRequest) -> Setup:
        key = request.idempotency_key
        setup_id = derived_id("seti", key)
        customer_token = request.customer_token or derived_id("cus", key)
        asked: dict[str, Json] = {
            "method": request.method,
            "currency": request.currency,
            "limit_minor": request.limit_minor,
            "metadata": dict(request.metadata),
            "customer": customer_token,
        }
        kept = {**asked, "at": self._clock.now().isoformat()}
        bind(self._book, named(SETUP, setup_id), key, asked, kept)
        secret = derived_id("secret", f"the secret of {key}")
        return Setup(setup_id, f"sandbox_{setup_id}_{secret}", customer_token)

    def find(self, setup_id: str) -> SourceSaved | SetupFailed | None:
        if self._book.get(named(SETUP, setup_id)) is None:
            return SetupFailed("unknown_setup")
        end = self._book.get(named(SETUP_END, setup_id))
        return None if end is None else _ended(end)

    def finish(self, setup_id: str, token: str, expires_on: date | None) -> None:
        begun = self._begun(setup_id)
        method = PaymentMethod(begun["method"])
        token = token or (UPI_SUCCEEDS if method is PaymentMethod.UPI else SUCCEEDS)
        if method_of(token) is not method:
            raise InvalidInputError(
                f"{token!r} is not one of {', '.join(TOKENS)} for {method}", field="token"
            )
        is_card = method is PaymentMethod.CARD
        valid_until = (expires_on or self._expiry(token)).isoformat() if is_card else None
        self._end(
            setup_id,
            {
                "token": token,
                "customer": begun["customer"],
                "method": method,
                "brand": "visa" if is_card else "upi",
                "last4": "4242" if is_card else "",
                "expires_on": valid_until,
                "limit_minor": begun["limit_minor"],
            },
        )

    def fail(self, setup_id: str, code: str) -> None:
        self._begun(setup_id)
        self._end(setup_id, {"token": "", "code": code})

    def forget(self, token: str) -> None:
        self._let_go(token, FORGOTTEN)

    def revoke(self, token: str) -> None:
        self._let_go(token, REVOKED)

    def _let_go(self, token: str, how: str) -> None:
        # A plain token is a way to behave, which everybody shares.
        if not is_own(token):
            return
        at = self._clock.now().isoformat()
        self._book.put_if_absent(named(GONE, token), {"how": how, "at": at})

    def _begun(self, setup_id: str) -> Mapping[str, Any]:
        begun = self._book.get(named(SETUP, setup_id))
        if begun is None:
            raise NotFoundError(f"the sandbox knows no setup {setup_id}")
        return begun

    def _end(self, setup_id: str, end: Document) -> None:
        """However often it is finished, the first time counts."""
        at = self._clock.now().isoformat()
        self._book.put_if_absent(named(SETUP_END, setup_id), {**end, "at": at})

    def _expiry(self, token: str) -> date:
        year = self._clock.now().year
        return date(year - 1 if behaviour_of(token) == EXPIRED else year + YEARS_VALID, 12, 31)


def _ended(end: Mapping[str, Any]) -> SourceSaved | SetupFailed:
    if not end["token"]:
        return SetupFailed(end["code"])
    return SourceSaved(
        token=end["token"],
        customer_token=end["customer"],
        method=PaymentMethod(end["method"]),
        brand=end["brand"],
        last4=end["last4"],
        expires_on=date.fromisoformat(end["expires_on"]) if end["expires_on"] else None,
        limit_minor=end["limit_minor"],
    )
