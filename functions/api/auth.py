"""Who calls: the claims the HTTP API's authorizer has verified, checked again where it is lax."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from enum import StrEnum
from typing import Any

from api.problems import RequestError

TENANT_HEADER = "talktime-tenant"


class Role(StrEnum):
    """What a token may do; it may hold several."""

    OPERATOR = "operator"
    BILLING_ADMIN = "billing-admin"
    MEMBER = "member"
    SERVICE = "service"


OPERATORS = frozenset({Role.OPERATOR})
OPENERS = frozenset({Role.OPERATOR, Role.BILLING_ADMIN})
ADMINS = frozenset({Role.OPERATOR, Role.BILLING_ADMIN, Role.SERVICE})
MACHINES = frozenset({Role.OPERATOR, Role.SERVICE})
EVERYONE = frozenset(Role)


@dataclass(frozen=True, slots=True)
class Principal:
    """Whoever the token speaks for.

    Args:
        sub: Names him in the audit.
        tenant_id: The token's tenant; None where it has none.
    """

    sub: str
    tenant_id: str | None
    roles: frozenset[Role]

    @property
    def is_operator(self) -> bool:
        return Role.OPERATOR in self.roles

    @property
    def is_machine(self) -> bool:
        return Role.SERVICE in self.roles

    @property
    def sees_money(self) -> bool:
        return bool(self.roles & ADMINS)


@dataclass(frozen=True, slots=True)
class TokenRules:
    """What a token must be.

    Args:
        issuer: Its ``iss``.
        audiences: One of them is its ``aud`` or, as Cognito's access tokens have it, ``client_id``.
        real_time: Seconds since 1970. Tokens expire by the real clock, even where the clock that
            bills is ahead of it.
    """

    issuer: str
    audiences: frozenset[str]
    real_time: Callable[[], float] = time.time


def authenticate(
    event: Mapping[str, Any], headers: Mapping[str, str], rules: TokenRules
) -> Principal:
    """The principal of a request that the authorizer has let through.

    The signature is the authorizer's to check. Local authorizers accept a token without ``exp`` or
    without the ``Bearer`` scheme, so both are asked for here.

    Raises:
        RequestError: ``unauthorized``; it does not say why, which would help to guess.
    """
    scheme, _, token = headers.get("authorization", "").partition(" ")
    claims = _claims(event)
    if (
        scheme.lower() != "bearer"
        or not token.strip()
        or not _is_current(claims, rules.real_time())
        or claims.get("iss") != rules.issuer
        or not _audiences(claims) & rules.audiences
        or not claims.get("sub")
    ):
        raise RequestError(
            "unauthorized",
            "Send a current token of this deployment's issuer as Authorization: Bearer.",
            headers={"WWW-Authenticate": "Bearer"},
        )
    roles = _listed(claims, "roles") or _listed(claims, "cognito:groups")
    return Principal(
        sub=str(claims["sub"]),
        tenant_id=claims.get("tenant_id") or claims.get("custom:tenant_id") or None,
        roles=frozenset(Role(name) for name in roles if name in frozenset(Role)),
    )


def authorize(principal: Principal, allowed: frozenset[Role]) -> None:
    """
    Raises:
        RequestError: ``forbidden``.
    """
    if not principal.roles & allowed:
        raise RequestError("forbidden", "The token's role does not allow this.")


def tenant_of(principal: Principal, headers: Mapping[str, str]) -> str:
    """Whose things are asked for: the token's tenant; the operator alone may name another.

    Raises:
        RequestError: ``forbidden`` for anybody else who names one, be it his own;
            ``tenant_required`` for an operator who names none.
    """
    named = headers.get(TENANT_HEADER)
    if principal.is_operator:
        tenant_id = named or principal.tenant_id
        if tenant_id is None:
            raise RequestError("tenant_required", "Name the tenant in the header Talktime-Tenant.")
        return tenant_id
    if named is not None:
        raise RequestError("forbidden", "Only an operator names a tenant.")
    if principal.tenant_id is None:
        raise RequestError("forbidden", "The token names no tenant.")
    return principal.tenant_id


def _claims(event: Mapping[str, Any]) -> Mapping[str, str]:
    authorizer = event.get("requestContext", {}).get("authorizer") or {}
    claims = (authorizer.get("jwt") or {}).get("claims")
    if not isinstance(claims, Mapping):
        return {}
    return {str(name): str(value) for name, value in claims.items() if value is not None}


def _is_current(claims: Mapping[str, str], now: float) -> bool:
    try:
        # Gateways write large numbers as 1.7638E9 at times.
        expires = Decimal(claims.get("exp", ""))
    except InvalidOperation:
        return False
    return expires.is_finite() and expires > Decimal(now)


def _audiences(claims: Mapping[str, str]) -> frozenset[str]:
    return _listed(claims, "aud") or _listed(claims, "client_id")


def _listed(claims: Mapping[str, str], name: str) -> frozenset[str]:
    """A claim that may be a list: the authorizer hands one over as ``[a b]``."""
    text = claims.get(name, "").strip()
    if text.startswith("[") and text.endswith("]"):
        text = text[1:-1]
    return frozenset(text.replace(",", " ").split())
