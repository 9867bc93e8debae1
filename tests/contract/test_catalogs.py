"""What every store of the catalogue keeps to."""

from collections.abc import Iterator

import pytest

from billing.adapters.dynamodb.catalogs import MAX_DOCUMENT_BYTES, DynamoDBCatalogs
from billing.domain.catalog import Catalog, Plan, make_catalog
from billing.domain.errors import ConflictError, InvalidInputError, NotFoundError
from billing.domain.grants import RecurringGrant
from billing.domain.units import Unit
from billing.ports import Catalogs
from contract.aws import EVERYWHERE, moto, opened
from fakes.stores import InMemoryCatalogs


@pytest.fixture(params=EVERYWHERE)
def catalogs(request: pytest.FixtureRequest) -> Iterator[Catalogs]:
    if request.param == "memory":
        yield InMemoryCatalogs()
        return
    with opened(request) as aws:
        yield DynamoDBCatalogs(aws.main_table())


def sold(terms_version: str) -> Catalog:
    minutes = RecurringGrant("minutes", Unit.VOICE_SECONDS, 60_000, rollover_limit=600)
    plans = (Plan("starter", "Starter", (minutes,)), Plan("basic", "Básico ☎"))
    return make_catalog(terms_version, plans)


def test_there_is_no_catalogue_before_the_first(catalogs: Catalogs) -> None:
    with pytest.raises(NotFoundError):
        catalogs.current()


def test_what_is_saved_is_current_and_comes_back_whole(catalogs: Catalogs) -> None:
    saved = catalogs.save(sold("2026-01"), 0)
    assert saved.version == 1
    assert catalogs.current() == saved
    assert catalogs.current().catalog == sold("2026-01")


def test_each_save_is_the_next_version(catalogs: Catalogs) -> None:
    for seen_version in range(3):
        saved = catalogs.save(sold(f"terms-{seen_version}"), seen_version)
        assert saved.version == seen_version + 1
    assert catalogs.current().catalog.terms_version == "terms-2"


@pytest.mark.parametrize(
    "seen_version",
    [
        pytest.param(0, id="seen before the first"),
        pytest.param(1, id="one version behind"),
        pytest.param(3, id="a version that never was"),
    ],
)
def test_a_save_over_another_version_is_refused_and_changes_nothing(
    catalogs: Catalogs, seen_version: int
) -> None:
    catalogs.save(sold("one"), 0)
    catalogs.save(sold("two"), 1)
    with pytest.raises(ConflictError):
        catalogs.save(sold("three"), seen_version)
    assert catalogs.current().version == 2
    assert catalogs.current().catalog == sold("two")


def test_a_catalogue_too_large_for_an_item_is_refused_as_input() -> None:
    large = make_catalog("terms", (Plan("starter", "x" * MAX_DOCUMENT_BYTES),))
    with moto() as aws:
        catalogs = DynamoDBCatalogs(aws.main_table())
        with pytest.raises(InvalidInputError):
            catalogs.save(large, 0)
        with pytest.raises(NotFoundError):
            catalogs.current()
