"""The catalogue in the table: every version is kept, and a pointer names the current one.

The pointer also lists the versions that reach existing subscriptions, so that finding the one for
a renewal reads nothing else.
"""

import json
from collections.abc import Iterable
from datetime import date
from functools import lru_cache

from billing.adapters.dynamodb import keys
from billing.adapters.dynamodb.store_items import (
    StoreItem,
    is_at_version,
    is_new,
    read,
    write_together,
)
from billing.adapters.dynamodb.table import Table
from billing.domain import catalog_form
from billing.domain.canonical import canonical_json
from billing.domain.catalog import Catalog
from billing.domain.errors import ConflictError, InvalidInputError, NotFoundError
from billing.ports import StoredCatalog

MAX_DOCUMENT_BYTES = 390_000
"""An item holds 400 KB (DynamoDB quota, 2026), its key and attribute names included."""

VERSIONS_KEPT = 16
"""In memory. Most subscriptions hold one of the last few."""

Existing = tuple[tuple[int, date], ...]
"""Versions with their ``existing_from``, oldest first."""


class DynamoDBCatalogs:
    """Catalogs in the one table."""

    def __init__(self, table: Table) -> None:
        self._table = table
        self._load = lru_cache(VERSIONS_KEPT)(self._read_version)

    def current(self) -> StoredCatalog:
        pointer = read(self._table, keys.catalog())
        if pointer is None:
            raise NotFoundError("the operator has not uploaded a catalogue yet")
        return self._load(int(pointer.version))

    def version(self, version: int) -> StoredCatalog:
        return self._load(version)

    def version_for_existing(self, seen_version: int, day: date) -> StoredCatalog:
        pointer = read(self._table, keys.catalog())
        listed = _existing(pointer) if pointer else ()
        reaching = [n for n, since in listed if n > seen_version and since <= day]
        return self._load(max(reaching, default=seen_version))

    def save(self, catalog: Catalog, seen_version: int) -> StoredCatalog:
        document = canonical_json(catalog_form.to_json(catalog))
        if len(document.encode()) > MAX_DOCUMENT_BYTES:
            raise InvalidInputError(f"a catalogue is at most {MAX_DOCUMENT_BYTES} bytes of JSON")
        before = read(self._table, keys.catalog())
        if seen_version != (int(before.version) if before else 0):
            raise ConflictError(f"the catalogue is no longer at version {seen_version}")
        version = seen_version + 1
        listed = _with_next(_existing(before) if before else (), version, catalog.existing_from)
        pointer = StoreItem(*keys.catalog(), version=version, document=_listed(listed))
        kept = StoreItem(*keys.catalog_version(version), version=version, document=document)
        write_together(self._table, [(pointer, is_at_version(seen_version)), (kept, is_new())])
        return StoredCatalog(version, catalog)

    def _read_version(self, version: int) -> StoredCatalog:
        is_number = 0 < version <= keys.MAX_CATALOG_VERSION
        item = read(self._table, keys.catalog_version(version)) if is_number else None
        if item is None:
            raise NotFoundError(f"there is no version {version} of the catalogue")
        return StoredCatalog(version, catalog_form.from_json(json.loads(item.document)))


def _existing(pointer: StoreItem) -> Existing:
    """A pointer that was written before there was such a list has none."""
    listed = json.loads(pointer.document) if pointer.document else ()
    return tuple((version, date.fromisoformat(since)) for version, since in listed)


def _listed(existing: Existing) -> str | None:
    if not existing:
        return None
    return canonical_json([[version, since.isoformat()] for version, since in existing])


def _with_next(existing: Iterable[tuple[int, date]], version: int, since: date | None) -> Existing:
    """With a further version. What it overtakes no subscription goes on to any more."""
    if since is None:
        return tuple(existing)
    return (*(one for one in existing if one[1] < since), (version, since))
