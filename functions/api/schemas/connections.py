"""Provider connections. A secret goes in, and never comes out."""

from typing import Annotated

from pydantic import Field

from api.schemas.base import AccountName, Instant, Schema
from billing.domain.providers import ProviderName
from billing.ports import Connection

Secret = Annotated[str, Field(min_length=8, max_length=256, pattern=r"^[\x21-\x7e]+$")]
ProviderAccount = Annotated[str, Field(min_length=1, max_length=128, pattern=r"^[\x21-\x7e]+$")]


class ConnectionIn(Schema):
    """A provider connection.

    A new one needs ``secret``, or ``secrets`` with two while one is being replaced; a change
    without either keeps what is stored. Usage goes to the account its provider account is mapped
    to, else to ``account``; without one it is parked.
    """

    provider: ProviderName
    secret: Secret | None = None
    secrets: Annotated[list[Secret], Field(min_length=1, max_length=2)] | None = None
    account: AccountName | None = None
    accounts: Annotated[dict[ProviderAccount, AccountName], Field(max_length=100)] = {}


class ConnectionOut(Schema):
    connection: str
    provider: str
    account: AccountName | None
    accounts: dict[str, AccountName]
    version: int
    updated_at: Instant

    @staticmethod
    def of(connection: Connection) -> "ConnectionOut":
        return ConnectionOut(
            connection=connection.connection_id,
            provider=connection.provider,
            account=AccountName.of(connection.account) if connection.account else None,
            accounts={
                name: AccountName.of(ref) for name, ref in sorted(connection.accounts.items())
            },
            version=connection.version,
            updated_at=connection.updated_at,
        )
