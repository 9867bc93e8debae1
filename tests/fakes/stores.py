"""The operator's stores in memory: catalogue, rate decks, connections and the quarantine."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from datetime import date, datetime, timedelta
from functools import lru_cache

from billing.domain.catalog import Catalog
from billing.domain.decks import deck_digest, parse_deck
from billing.domain.errors import ConflictError, NotFoundError
from billing.domain.quarantine import is_of_posting, park_again
from billing.domain.rating import RateDeck, Rounding
from billing.ports import Clock, Connection, DeckVersion, Parked, StoredCatalog, UploadOffer


class InMemoryCatalogs:
    """Every version of the catalogue, the last one current."""

    def __init__(self) -> None:
        self._versions: list[Catalog] = []

    def current(self) -> StoredCatalog:
        if not self._versions:
            raise NotFoundError("the operator has not uploaded a catalogue yet")
        return StoredCatalog(len(self._versions), self._versions[-1])

    def version(self, version: int) -> StoredCatalog:
        if not 0 < version <= len(self._versions):
            raise NotFoundError(f"there is no version {version} of the catalogue")
        return StoredCatalog(version, self._versions[version - 1])

    def version_for_existing(self, seen_version: int, day: date) -> StoredCatalog:
        for version in range(len(self._versions), seen_version, -1):
            since = self._versions[version - 1].existing_from
            if since is not None and since <= day:
                return self.version(version)
        return self.version(seen_version)

    def save(self, catalog: Catalog, seen_version: int) -> StoredCatalog:
        if seen_version != len(self._versions):
            raise ConflictError(f"the catalogue is no longer at version {seen_version}")
        self._versions.append(catalog)
        return self.current()


# As a worker does, which reads a version once: a text that is stored never changes.
_read = lru_cache(maxsize=64)(parse_deck)


class InMemoryDecks:
    """Versions and bodies, whose list is never kept: what is stored is seen at once."""

    def __init__(self) -> None:
        self._versions: dict[tuple[str, int], DeckVersion] = {}
        self._bodies: dict[tuple[str, int], str] = {}

    def versions(self, deck_id: str) -> Sequence[DeckVersion]:
        return tuple(found for found in self.uploaded(deck_id) if not found.is_draft)

    def uploaded(self, deck_id: str) -> Sequence[DeckVersion]:
        return tuple(self._versions[key] for key in sorted(self._versions) if key[0] == deck_id)

    def deck_ids(self) -> list[str]:
        return sorted({deck_id for deck_id, _ in self._versions})

    def load(self, version: DeckVersion) -> RateDeck:
        return RateDeck(
            deck_id=version.deck_id,
            version=version.version,
            currency=version.currency,
            effective_at=version.effective_at,
            rounding=Rounding(version.rounding),
            decimals=version.decimals,
            rates=_read(self._bodies[version.deck_id, version.version]),
        )

    def store(self, version: DeckVersion, body: str) -> None:
        assert version.digest == deck_digest(body), version
        key = (version.deck_id, version.version)
        if key in self._versions:
            raise ConflictError(f"version {version.version} of deck {version.deck_id} exists")
        self._bodies[key] = body
        self._versions[key] = version

    def activate(self, draft: DeckVersion, effective_at: datetime) -> DeckVersion:
        key = (draft.deck_id, draft.version)
        if self._versions.get(key) != draft or not draft.is_draft:
            raise ConflictError(f"version {draft.version} of {draft.deck_id} is no draft any more")
        self._versions[key] = replace(draft, is_draft=False, effective_at=effective_at)
        return self._versions[key]


class InMemoryDeckUploads:
    """Files by deck and id; a test puts them there itself."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._offered = 0
        self.files: dict[tuple[str, str], bytes] = {}

    def offer(self, deck_id: str, size_bytes: int) -> UploadOffer:
        self._offered += 1
        upload_id = f"{self._offered:032x}"
        return UploadOffer(
            upload_id,
            f"https://decks.example.com/{deck_id}/{upload_id}",
            {"Content-Length": str(size_bytes)},
            self._clock.now() + timedelta(minutes=15),
        )

    def content(self, deck_id: str, upload_id: str) -> bytes:
        try:
            return self.files[deck_id, upload_id]
        except KeyError:
            raise NotFoundError(f"there is no upload {upload_id!r}") from None


class InMemoryConnections:
    """Connections with their secrets in the clear."""

    def __init__(self) -> None:
        self._connections: dict[str, Connection] = {}

    def get(self, connection_id: str) -> Connection:
        try:
            return self._connections[connection_id]
        except KeyError:
            raise NotFoundError(f"there is no connection {connection_id!r}") from None

    def all(self) -> list[Connection]:
        return [
            replace(self._connections[connection_id], secrets=())
            for connection_id in sorted(self._connections)
        ]

    def save(self, connection: Connection, seen_version: int) -> None:
        assert connection.version == seen_version + 1, "a save is the next version"
        kept = self._connections.get(connection.connection_id)
        if seen_version != (kept.version if kept else 0):
            raise ConflictError(
                f"connection {connection.connection_id} is no longer at version {seen_version}"
            )
        self._connections[connection.connection_id] = connection

    def delete(self, connection_id: str) -> None:
        self._connections.pop(connection_id, None)


class InMemoryQuarantine:
    """What is parked, by id."""

    def __init__(self) -> None:
        self._parked: dict[str, Parked] = {}

    def park(self, parked: Parked) -> None:
        kept = self._parked.setdefault(parked.parked_id, parked)
        if kept is not parked and is_of_posting(parked):
            self._parked[parked.parked_id] = park_again(kept, parked) or kept

    def get(self, parked_id: str) -> Parked:
        try:
            return self._parked[parked_id]
        except KeyError:
            raise NotFoundError(f"there is nothing parked as {parked_id!r}") from None

    def get_many(self, parked_ids: Iterable[str]) -> dict[str, Parked]:
        return {key: self._parked[key] for key in parked_ids if key in self._parked}

    def save(self, parked: Parked, seen_version: int) -> None:
        if self._parked[parked.parked_id].version != seen_version:
            raise ConflictError("it was changed since it was read; read it again")
        self._parked[parked.parked_id] = parked

    def parked(self, after: str | None, limit: int) -> list[Parked]:
        ids = sorted(key for key in self._parked if after is None or key > after)
        return [self._parked[key] for key in ids[:limit]]

    def open(self) -> Iterator[Sequence[Parked]]:
        found = [parked for parked in self._parked.values() if parked.is_open]
        for start in range(0, len(found), 100):
            yield found[start : start + 100]
