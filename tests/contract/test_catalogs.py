"""What every store of the catalogue keeps to."""

from collections.abc import Iterator
from datetime import date

import pytest

from billing.adapters.dynamodb import keys
from billing.adapters.dynamodb.catalogs import MAX_DOCUMENT_BYTES, DynamoDBCatalogs
from billing.domain.catalog import Catalog, Plan
from billing.domain.catalog_rules import make_catalog
from billing.domain.errors import ConflictError, InvalidInputError, NotFoundError
from billing.domain.grants import RecurringGrant
from billing.domain.units import Unit
from billing.ports import Catalogs
from catalogs import a_catalog
from contract.aws import EVERYWHERE, moto, opened
from fakes.stores import InMemoryCatalogs


@pytest.fixture(params=EVERYWHERE)
def catalogs(request: pytest.FixtureRequest) -> Iterator[Catalogs]:
    if request.param == "memory":
        yield InMemoryCatalogs()
        return
    with opened(request) as aws:
        yield DynamoDBCatalogs(aws.main_table())


def sold(terms_version: str, existing_from: date | None = None) -> Catalog:
    minutes = RecurringGrant("minutes", Unit.VOICE_SECONDS, 60_000, rollover_limit=600)
    plans = (Plan("starter", "Starter", (minutes,)), Plan("basic", "Básico ☎"))
    return make_catalog(terms_version, plans, existing_from=existing_from)


def saved(catalogs: Catalogs, *existing_from: date | None) -> None:
    """One version after the other."""
    for seen_version, day in enumerate(existing_from):
        catalogs.save(sold(f"terms-{seen_version + 1}", day), seen_version)


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


def test_one_of_everything_comes_back_whole(catalogs: Catalogs) -> None:
    catalogs.save(a_catalog(), 0)
    assert catalogs.current().catalog == a_catalog()


def test_every_version_is_kept_as_it_was(catalogs: Catalogs) -> None:
    saved(catalogs, None, date(2026, 5, 1), None)
    found = [catalogs.version(version) for version in (1, 2, 3)]
    assert [one.version for one in found] == [1, 2, 3]
    assert [one.catalog.terms_version for one in found] == ["terms-1", "terms-2", "terms-3"]
    assert found[1].catalog.existing_from == date(2026, 5, 1)


@pytest.mark.parametrize("version", [-1, 0, 2, 10**9])
def test_a_version_that_never_was_is_not_found(catalogs: Catalogs, version: int) -> None:
    saved(catalogs, None)
    with pytest.raises(NotFoundError):
        catalogs.version(version)
    # It is not remembered as missing either: it may be the next.
    if version == 2:
        catalogs.save(sold("terms-2"), 1)
        assert catalogs.version(2).catalog == sold("terms-2")


MAY, JUNE, JULY = date(2026, 5, 1), date(2026, 6, 1), date(2026, 7, 1)


@pytest.mark.parametrize(
    ("existing_from", "found"),
    [
        pytest.param([None, None], {(1, JULY): 1}, id="newer versions that reach nobody"),
        pytest.param(
            [None, JUNE, None],
            {
                (1, MAY): 1,
                (1, date(2026, 5, 31)): 1,
                (1, JUNE): 2,
                (1, JULY): 2,
                (2, JULY): 2,
                # An older one never comes back.
                (3, JULY): 3,
            },
            id="one that reaches from a day on",
        ),
        pytest.param([None, MAY, JUNE], {(1, MAY): 2, (1, JULY): 3, (2, JULY): 3}, id="two"),
        pytest.param([None, JUNE, MAY], {(1, MAY): 3, (1, JULY): 3}, id="the newer one earlier"),
        pytest.param([None, JUNE, JUNE], {(1, MAY): 1, (1, JUNE): 3}, id="two of one day"),
    ],
)
def test_a_subscription_goes_on_under_the_newest_version_that_reaches_it(
    catalogs: Catalogs,
    existing_from: list[date | None],
    found: dict[tuple[int, date], int],
) -> None:
    saved(catalogs, *existing_from)
    assert {asked: catalogs.version_for_existing(*asked).version for asked in found} == found


def test_a_version_that_never_was_goes_on_under_none(catalogs: Catalogs) -> None:
    with pytest.raises(NotFoundError):
        catalogs.version_for_existing(1, MAY)
    saved(catalogs, None)
    with pytest.raises(NotFoundError):
        catalogs.version_for_existing(2, MAY)


def test_a_refused_save_reaches_nobody(catalogs: Catalogs) -> None:
    saved(catalogs, None, None)
    with pytest.raises(ConflictError):
        catalogs.save(sold("three", MAY), 1)
    assert catalogs.version_for_existing(1, JULY).version == 1


def test_a_worker_sees_what_another_has_saved() -> None:
    with moto() as aws:
        table = aws.main_table()
        one, another = DynamoDBCatalogs(table), DynamoDBCatalogs(table)
        saved(one, None)
        assert another.version_for_existing(1, JULY) == one.current()
        one.save(sold("two", MAY), 1)
        assert another.current().version == 2
        assert another.version_for_existing(1, JULY).version == 2


def test_a_pointer_from_before_versions_reached_anybody_is_read() -> None:
    with moto() as aws:
        table = aws.main_table()
        catalogs = DynamoDBCatalogs(table)
        saved(catalogs, None)
        pointer = table.get(keys.catalog())
        assert pointer is not None
        assert "document" not in pointer, "it is written as it was then"
        catalogs.save(sold("two", MAY), 1)
        assert catalogs.version_for_existing(1, MAY).version == 2


def test_a_catalogue_too_large_for_an_item_is_refused_as_input() -> None:
    large = Catalog("terms", {"starter": Plan("starter", "x" * MAX_DOCUMENT_BYTES)})
    with moto() as aws:
        catalogs = DynamoDBCatalogs(aws.main_table())
        with pytest.raises(InvalidInputError):
            catalogs.save(large, 0)
        with pytest.raises(NotFoundError):
            catalogs.current()
