"""Save the operator's catalogue. What is sold keeps the version it was sold under."""

from dataclasses import replace
from datetime import timedelta

from billing.domain.catalog import Catalog
from billing.domain.errors import InvalidInputError, NotFoundError
from billing.ports import Catalogs, Clock, StoredCatalog

AHEAD = timedelta(days=2)
"""How long before its ``existing_from`` a version is saved at the latest. Somewhere on earth it is
a day later than UTC has it: then the day has begun nowhere, and no term that begins on it."""


class SaveCatalog:
    """Stores the next version of the one document."""

    def __init__(self, catalogs: Catalogs, clock: Clock) -> None:
        self._catalogs = catalogs
        self._clock = clock

    def current_version(self) -> int:
        """The version that is current; 0: there is none yet."""
        try:
            return self._catalogs.current().version
        except NotFoundError:
            return 0

    def save(self, catalog: Catalog, seen_version: int) -> StoredCatalog:
        """Store it, if ``seen_version`` is still current.

        Raises:
            InvalidInputError: ``existing_from`` is not ahead, or other terms have the version of
                those before them.
            ConflictError: Somebody else saved one since.
        """
        self._require_ahead(catalog)
        saved_at = self._clock.now()
        if seen_version:
            before = self._catalogs.version(seen_version).catalog
            _require_new_terms(catalog, before)
            # Versions are looked up by time: it never runs backwards from one to the next.
            saved_at = max(saved_at, before.saved_at or saved_at)
        return self._catalogs.save(replace(catalog, saved_at=saved_at), seen_version)

    def _require_ahead(self, catalog: Catalog) -> None:
        """So a renewal that is late finds the version that it would have found in time."""
        earliest = (self._clock.now() + AHEAD).date()
        if catalog.existing_from is not None and catalog.existing_from < earliest:
            raise InvalidInputError(
                f"existing_from is {earliest} or later; without it, existing subscriptions keep"
                " what they were sold under, or what an earlier version has brought them",
                field="existing_from",
            )


def _require_new_terms(catalog: Catalog, before: Catalog) -> None:
    """Who accepted a version of the terms has accepted what stood there."""
    if catalog.terms_version != before.terms_version:
        return
    for name in ("terms_url", "terms_text"):
        stood = getattr(before, name)
        if stood and getattr(catalog, name) != stood:
            raise InvalidInputError(
                f"{name} has changed: give the terms a new terms_version", field="terms_version"
            )
