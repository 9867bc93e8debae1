"""Rate decks: versions in the table, bodies in the object store, both held in memory."""

import json
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from functools import lru_cache
from typing import TYPE_CHECKING

from billing.adapters.dynamodb import keys
from billing.adapters.dynamodb.store_items import StoreItem, is_new, query, write_together
from billing.adapters.dynamodb.table import Table
from billing.domain.canonical import Json, canonical_json
from billing.domain.decks import deck_digest, load_deck
from billing.domain.rating import RateDeck, Rounding
from billing.ports import DECK_VERSIONS_KEPT, Clock, DeckVersion

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

DECKS_KEPT = 16
"""Bodies in memory: a deck of 250,000 prices takes some 12 megabytes of a worker's 1,024."""


class DynamoDBDecks:
    """Decks in the one table and one bucket.

    The body is written first, under a name that holds its digest: of two uploads of one version,
    neither can overwrite the other's body, and the version item names the one that won.
    """

    def __init__(self, table: Table, bucket: str, s3: "S3Client", clock: Clock) -> None:
        self._table = table
        self._bucket = bucket
        self._s3 = s3
        self._clock = clock
        self._versions: dict[str, tuple[datetime, tuple[DeckVersion, ...]]] = {}
        self._load = lru_cache(DECKS_KEPT)(self._read_body)

    def versions(self, deck_id: str) -> Sequence[DeckVersion]:
        now = self._clock.now()
        read_at, versions = self._versions.get(deck_id, (now, ()))
        # A clock that was set back makes what is kept look as if it came from the future.
        fresh = timedelta(0) <= now - read_at < DECK_VERSIONS_KEPT
        if versions and fresh:
            return versions
        versions = tuple(found for found in self.uploaded(deck_id) if not found.is_draft)
        self._versions[deck_id] = (now, versions)
        return versions

    def uploaded(self, deck_id: str) -> Sequence[DeckVersion]:
        found = query(self._table, keys.deck(deck_id))
        return tuple(_version(deck_id, item) for item in found)

    def deck_ids(self) -> list[str]:
        listing = query(self._table, keys.CATALOG, StoreItem.sk.startswith(keys.DECK_PREFIX))
        return [keys.deck_listed(item.sk) for item in listing]

    def load(self, version: DeckVersion) -> RateDeck:
        return self._load(version)

    def store(self, version: DeckVersion, body: str) -> None:
        assert version.digest == deck_digest(body), version
        self._s3.put_object(
            Bucket=self._bucket,
            Key=_object_key(version),
            Body=body.encode(),
            ContentType="text/csv; charset=utf-8",
            ServerSideEncryption="AES256",
        )
        key = keys.deck_version(version.deck_id, version.version)
        item = StoreItem(*key, version=version.version, document=_document(version))
        listed = StoreItem(*keys.deck_listing(version.deck_id))
        conflict = f"version {version.version} of deck {version.deck_id} exists already"
        write_together(self._table, [(item, is_new()), (listed, None)], conflict=conflict)
        self._versions.pop(version.deck_id, None)

    def activate(self, draft: DeckVersion, effective_at: datetime) -> DeckVersion:
        active = replace(draft, is_draft=False, effective_at=effective_at)
        key = keys.deck_version(draft.deck_id, draft.version)
        item = StoreItem(*key, version=draft.version, document=_document(active))
        unchanged = StoreItem.document == _document(draft)
        conflict = f"version {draft.version} of deck {draft.deck_id} is no draft any more"
        write_together(self._table, [(item, unchanged)], conflict=conflict)
        self._versions.pop(draft.deck_id, None)
        return active

    def _read_body(self, version: DeckVersion) -> RateDeck:
        found = self._s3.get_object(Bucket=self._bucket, Key=_object_key(version))
        body = found["Body"].read()
        if deck_digest(body) != version.digest:
            raise ValueError(f"{_object_key(version)} is not what its version item says")
        return RateDeck(
            deck_id=version.deck_id,
            version=version.version,
            currency=version.currency,
            effective_at=version.effective_at,
            rounding=Rounding(version.rounding),
            decimals=version.decimals,
            rates=load_deck(body),
        )


def _object_key(version: DeckVersion) -> str:
    return f"decks/{version.deck_id}/{version.version}-{version.digest}.csv"


def _document(version: DeckVersion) -> str:
    document: dict[str, Json] = {
        "currency": version.currency,
        "effective_at": version.effective_at.isoformat(),
        "rounding": version.rounding,
        "decimals": version.decimals,
        "digest": version.digest,
        "rates": version.rates,
        "uploaded_at": version.uploaded_at.isoformat(),
    }
    if version.is_draft:
        document["draft"] = True
    return canonical_json(document)


def _version(deck_id: str, item: StoreItem) -> DeckVersion:
    document = json.loads(item.document)
    return DeckVersion(
        deck_id=deck_id,
        version=int(item.version),
        currency=document["currency"],
        effective_at=datetime.fromisoformat(document["effective_at"]),
        rounding=document["rounding"],
        decimals=document["decimals"],
        digest=document["digest"],
        rates=document["rates"],
        uploaded_at=datetime.fromisoformat(document["uploaded_at"]),
        is_draft=document.get("draft", False),
    )
