"""What the operator sets: catalogue, rate decks, and provider connections."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Protocol

from billing.domain.account import AccountRef
from billing.domain.catalog import Catalog
from billing.domain.rating import RateDeck


@dataclass(frozen=True, slots=True)
class StoredCatalog:
    """The catalogue with its version, which is also its ETag."""

    version: int
    catalog: Catalog


class Catalogs(Protocol):
    """The operator's catalogue: one versioned document. A version never changes."""

    def current(self) -> StoredCatalog:
        """
        Raises:
            NotFoundError: The operator has not uploaded one yet.
        """
        ...

    def version(self, version: int) -> StoredCatalog:
        """One version, however old; kept in memory.

        Raises:
            NotFoundError: There never was one of that number.
        """
        ...

    def version_for_existing(self, seen_version: int, day: date) -> StoredCatalog:
        """What a subscription goes on under, whose term begins on a day.

        Args:
            seen_version: What it was sold under, or has gone on under since.
            day: The first local day of the term.

        Returns:
            The newest later version whose ``existing_from`` is that day or before it; the seen one,
            where there is none.

        Raises:
            NotFoundError: There never was a version of the seen number.
        """
        ...

    def save(self, catalog: Catalog, seen_version: int) -> StoredCatalog:
        """Store the next version, if ``seen_version`` (0: none) is still current.

        Raises:
            ConflictError: Somebody else saved one since.
        """
        ...


@dataclass(frozen=True, slots=True)
class DeckVersion:
    """One version of a rate deck, without its rates.

    Args:
        effective_at: Of a draft, when it was uploaded; it means nothing before it is activated.
        is_draft: It prices nothing until it is activated.
    """

    deck_id: str
    version: int
    currency: str
    effective_at: datetime
    rounding: str
    decimals: int
    digest: str
    rates: int
    uploaded_at: datetime
    is_draft: bool = False


DECK_VERSIONS_KEPT = timedelta(seconds=60)
"""How long a warm worker trusts the list of a deck's versions that it has read."""


class Decks(Protocol):
    """Rate decks: versions in the table, bodies in the object store, both held in memory."""

    def versions(self, deck_id: str) -> Sequence[DeckVersion]:
        """All versions but drafts, oldest first; empty for an unknown deck. May be a cache lifetime
        old."""
        ...

    def uploaded(self, deck_id: str) -> Sequence[DeckVersion]:
        """All versions with the drafts, oldest first, as they are now."""
        ...

    def deck_ids(self) -> list[str]:
        """Every deck that has a version, by id."""
        ...

    def load(self, version: DeckVersion) -> RateDeck:
        """The deck itself; kept in memory, since a version never changes."""
        ...

    def store(self, version: DeckVersion, body: str) -> None:
        """Store the body, then the version.

        Raises:
            ConflictError: That version exists already.
        """
        ...

    def activate(self, draft: DeckVersion, effective_at: datetime) -> DeckVersion:
        """Let a draft price calls that are answered from then on.

        Raises:
            ConflictError: It is no draft any more.
        """
        ...


@dataclass(frozen=True, slots=True)
class UploadOffer:
    """Where a file too large for a request may be put, once.

    Args:
        url: Signed; whoever has it may use it until ``expires_at``.
        headers: To be sent with it, exactly so.
    """

    upload_id: str
    url: str
    headers: Mapping[str, str]
    expires_at: datetime


class DeckUploads(Protocol):
    """Files of decks on their way in."""

    def offer(self, deck_id: str, size_bytes: int) -> UploadOffer:
        """A place for one file of exactly that size."""
        ...

    def content(self, deck_id: str, upload_id: str) -> bytes:
        """
        Raises:
            NotFoundError: Nothing was put there, or it is gone again.
        """
        ...


@dataclass(frozen=True, slots=True)
class Connection:
    """A provider connection: whose webhooks come in, and to which account they go.

    Args:
        secrets: What signatures are checked with; two while one is being replaced.
        account: Where usage goes when the provider account is not in ``accounts``; None parks it.
        accounts: Provider sub-account to account.
    """

    connection_id: str
    provider: str
    secrets: tuple[str, ...]
    account: AccountRef | None
    accounts: Mapping[str, AccountRef]
    version: int
    updated_at: datetime

    def account_for(self, provider_account: str) -> AccountRef | None:
        return self.accounts.get(provider_account, self.account)


class Connections(Protocol):
    """Provider connections; secrets are encrypted at rest and leave only through ``get``."""

    def get(self, connection_id: str) -> Connection:
        """
        Raises:
            NotFoundError: No such connection.
        """
        ...

    def all(self) -> list[Connection]:
        """Every connection by id, with ``secrets`` empty."""
        ...

    def save(self, connection: Connection, seen_version: int) -> None:
        """Store it, if ``seen_version`` (0: none) is still current.

        Raises:
            ConflictError: Somebody else saved it since.
        """
        ...

    def delete(self, connection_id: str) -> None:
        """Forget it. Forgetting what does not exist changes nothing."""
        ...
