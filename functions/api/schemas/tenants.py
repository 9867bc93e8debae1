"""Tenants and their billing accounts, as they are opened and listed."""

from typing import Annotated

from pydantic import Field

from api.schemas.base import Currency, Id, Instant, Name, Schema
from billing.domain.records import Tenant

FIRST_ACCOUNT = "main"


class AccountTerms(Schema):
    """What a billing account starts from."""

    currency: Currency
    time_zone: Annotated[str, Field(max_length=64)]
    plan: Id
    billing_day: Annotated[int, Field(ge=1, le=31)]


class FirstAccount(AccountTerms):
    account: Id = FIRST_ACCOUNT
    name: Name | None = None
    rate_deck: Id


class TenantIn(Schema):
    """A tenant with its first billing account."""

    tenant: Id
    name: Name
    account: FirstAccount


class AccountIn(AccountTerms):
    """A further billing account; without a rate deck, it takes that of the first."""

    name: Name
    rate_deck: Id | None = None


class TenantPatch(Schema):
    """What is changed of a tenant; what is left out stays. ``storage_account`` pays for what its
    storage exceeds."""

    name: Name | None = None
    storage_account: Id | None = None


class TenantOut(Schema):
    """A tenant. ``storage_account`` is null where its first account pays for storage."""

    tenant: str
    name: str
    created_at: Instant
    storage_account: str | None

    @staticmethod
    def of(tenant: Tenant) -> "TenantOut":
        return TenantOut(
            tenant=tenant.tenant_id,
            name=tenant.name,
            created_at=tenant.created_at,
            storage_account=tenant.storage_account_id,
        )


class AccountOpened(Schema):
    """A billing account on its first day."""

    account: str
    name: str
    currency: str
    time_zone: str
    billing_day: int
    plan: str
    rate_deck: str
    created_at: Instant


class TenantOpened(Schema):
    tenant: str
    name: str
    created_at: Instant
    account: AccountOpened
