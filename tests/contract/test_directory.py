"""Which tenants and accounts exist, on every bed."""

from dataclasses import replace

import pytest

from billing.domain.account import AccountRef
from billing.domain.errors import ConflictError, NotFoundError
from billing.domain.records import AccountListing
from builders import ACME, NOON, a_tenant, a_touch, an_account, an_opening
from contract.beds import BEDS, Bed

pytestmark = pytest.mark.parametrize("bed", BEDS, indirect=True)


def test_a_tenant_is_there_with_its_first_account(bed: Bed) -> None:
    bed.commit(an_opening(an_account(), a_tenant()))
    assert bed.directory.tenant("acme") == a_tenant()
    assert bed.directory.accounts("acme", None, 10) == [AccountListing(ACME, "Main", NOON)]


def test_an_unknown_tenant_is_not_found_and_has_no_accounts(bed: Bed) -> None:
    bed.commit(an_opening(an_account(), a_tenant()))
    with pytest.raises(NotFoundError):
        bed.directory.tenant("globex")
    assert bed.directory.accounts("globex", None, 10) == []


def test_tenants_are_listed_by_id_and_page_by_page(bed: Bed) -> None:
    account = bed.commit(an_opening(an_account(), a_tenant()))
    others = [a_tenant(f"tenant-{number:02d}", f"Tenant {number}") for number in range(23)]
    bed.commit(a_touch(account, "many", records=tuple(reversed(others))))
    tenants = [a_tenant(), *others]
    assert bed.directory.tenants(None, 100) == tenants
    assert bed.directory.tenants(None, 10) == tenants[:10]
    assert bed.directory.tenants(tenants[9].tenant_id, 10) == tenants[10:20]
    assert bed.directory.tenants("tenant-20x", 10) == tenants[22:]
    assert bed.directory.tenants(tenants[-1].tenant_id, 10) == []


def test_accounts_are_listed_by_id_and_page_by_page(bed: Bed) -> None:
    # Ids that begin like each other, around every character an id may have.
    names = sorted(["a", "a-", "a-b", "a0", "aB", "a_b", "ab", "b", "Z", "0"])
    account = bed.commit(an_opening(an_account(AccountRef("acme", "a")), a_tenant()))
    listings = [AccountListing(AccountRef("acme", name), name, NOON) for name in names]
    bed.commit(a_touch(account, "many", records=tuple(listings)))
    assert bed.directory.accounts("acme", None, 100) == listings
    for place, name in enumerate(names):
        assert bed.directory.accounts("acme", name, 3) == listings[place + 1 : place + 4]


def test_a_tenant_is_renamed_at_the_version_seen(bed: Bed) -> None:
    bed.commit(an_opening(an_account(), a_tenant()))
    renamed = bed.directory.amend_tenant(a_tenant(), replace(a_tenant(), name="Acme Ltd."))
    assert (renamed.name, renamed.version) == ("Acme Ltd.", 2)
    assert bed.directory.tenant("acme") == renamed
    assert bed.directory.tenants(None, 10) == [renamed]


def test_a_tenant_changed_meanwhile_is_not_renamed(bed: Bed) -> None:
    bed.commit(an_opening(an_account(), a_tenant()))
    renamed = bed.directory.amend_tenant(a_tenant(), replace(a_tenant(), name="Acme Ltd."))
    with pytest.raises(ConflictError):
        bed.directory.amend_tenant(a_tenant(), replace(a_tenant(), name="Acme GmbH"))
    assert bed.directory.tenant("acme") == renamed


def test_a_tenant_that_does_not_exist_is_not_renamed_into_being(bed: Bed) -> None:
    with pytest.raises(ConflictError):
        bed.directory.amend_tenant(a_tenant(), replace(a_tenant(), name="Acme Ltd."))
    with pytest.raises(NotFoundError):
        bed.directory.tenant("acme")
