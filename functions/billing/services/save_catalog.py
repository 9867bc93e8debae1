"""Save the operator's catalogue. What is sold keeps the version it was sold under."""

from billing.domain.catalog import Catalog
from billing.domain.errors import NotFoundError
from billing.ports import Catalogs, StoredCatalog


class SaveCatalog:
    """Stores the next version of the one document."""

    def __init__(self, catalogs: Catalogs) -> None:
        self._catalogs = catalogs

    def current_version(self) -> int:
        """The version that is current; 0: there is none yet."""
        try:
            return self._catalogs.current().version
        except NotFoundError:
            return 0

    def save(self, catalog: Catalog, seen_version: int) -> StoredCatalog:
        """Store it, if ``seen_version`` is still current.

        Raises:
            ConflictError: Somebody else saved one since.
        """
        return self._catalogs.save(catalog, seen_version)
