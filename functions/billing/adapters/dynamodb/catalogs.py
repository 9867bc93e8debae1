"""The catalogue in the table: every version is kept, and a pointer names the current one."""

import json

from billing.adapters.dynamodb import keys
from billing.adapters.dynamodb.store_items import (
    StoreItem,
    is_at_version,
    is_new,
    read,
    write_together,
)
from billing.adapters.dynamodb.table import Table
from billing.domain.canonical import canonical_json
from billing.domain.catalog import Catalog, catalog_from_json
from billing.domain.errors import InvalidInputError, NotFoundError
from billing.ports import StoredCatalog

MAX_DOCUMENT_BYTES = 390_000
"""An item holds 400 KB (DynamoDB quota, 2026), its key and attribute names included."""


class DynamoDBCatalogs:
    """Catalogs in the one table."""

    def __init__(self, table: Table) -> None:
        self._table = table

    def current(self) -> StoredCatalog:
        pointer = read(self._table, keys.catalog())
        if pointer is None:
            raise NotFoundError("the operator has not uploaded a catalogue yet")
        version = int(pointer.version)
        item = read(self._table, keys.catalog_version(version))
        assert item is not None, "the pointer is written together with what it names"
        return StoredCatalog(version, catalog_from_json(json.loads(item.document)))

    def save(self, catalog: Catalog, seen_version: int) -> StoredCatalog:
        document = canonical_json(catalog.to_json())
        if len(document.encode()) > MAX_DOCUMENT_BYTES:
            raise InvalidInputError(f"a catalogue is at most {MAX_DOCUMENT_BYTES} bytes of JSON")
        version = seen_version + 1
        pointer = StoreItem(*keys.catalog(), version=version)
        kept = StoreItem(*keys.catalog_version(version), version=version, document=document)
        write_together(self._table, [(pointer, is_at_version(seen_version)), (kept, is_new())])
        return StoredCatalog(version, catalog)
