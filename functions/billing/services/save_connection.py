"""Save a provider connection: whose webhooks come in, and to which account they go."""

from collections.abc import Mapping
from dataclasses import dataclass

from billing.domain.account import AccountRef, require_id
from billing.domain.errors import InvalidInputError, NotFoundError
from billing.ports import Book, Clock, Connection, Connections

MAX_SECRETS = 2
"""One in use, and one while it is being replaced."""


@dataclass(frozen=True, slots=True)
class NewConnection:
    """What a connection shall be.

    Args:
        secrets: None keeps those that are stored.
    """

    connection_id: str
    provider: str
    secrets: tuple[str, ...] | None
    account: AccountRef | None
    accounts: Mapping[str, AccountRef]


class SaveConnection:
    """Creates or replaces a connection; accounts it names exist."""

    def __init__(self, book: Book, connections: Connections, clock: Clock) -> None:
        self._book = book
        self._connections = connections
        self._clock = clock

    def save(self, wanted: NewConnection, seen: Connection | None) -> Connection:
        """Store it, if ``seen`` is still current.

        Raises:
            InvalidInputError: Names the field.
            ConflictError: Somebody else saved it since.
        """
        require_id(wanted.connection_id, "connection")
        self._require_account("account", wanted.account)
        for name, ref in wanted.accounts.items():
            self._require_account(f"accounts/{name}", ref)
        secrets = wanted.secrets or (seen.secrets if seen else ())
        if not 1 <= len(set(secrets)) == len(secrets) <= MAX_SECRETS:
            raise InvalidInputError(
                f"a connection has a secret, or {MAX_SECRETS} different ones", field="secrets"
            )
        seen_version = seen.version if seen else 0
        connection = Connection(
            connection_id=wanted.connection_id,
            provider=wanted.provider,
            secrets=secrets,
            account=wanted.account,
            accounts=dict(wanted.accounts),
            version=seen_version + 1,
            updated_at=self._clock.now(),
        )
        self._connections.save(connection, seen_version)
        return connection

    def _require_account(self, field: str, ref: AccountRef | None) -> None:
        if ref is None:
            return
        try:
            self._book.account(ref)
        except NotFoundError:
            raise InvalidInputError(
                f"there is no account {ref.account_id!r} of tenant {ref.tenant_id!r}", field=field
            ) from None
