"""The audit is read newest first, by page, and only as far as it pays."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest

from billing.domain.errors import NotFoundError
from billing.domain.records import AuditRecord
from billing.ports import AuditPosition
from billing.services import list_audit
from billing.services.list_audit import AuditFilter, ListAudit
from builders import ACME, GLOBEX, a_tenant, an_account, an_audit_record, an_opening
from fakes.audit import InMemoryAudit
from fakes.book import InMemoryBook
from fakes.world import FixedClock

OPENED = datetime(2026, 3, 1, tzinfo=UTC)
NOW = OPENED + timedelta(days=10)
EVERYTHING = AuditFilter()


class World:
    """An account with a record of every hour of ten days; every third one is a member's."""

    def __init__(self, time_zone: str = "UTC") -> None:
        self.book = InMemoryBook()
        account = an_account(now=OPENED, time_zone=time_zone)
        self.book.commit(an_opening(account, a_tenant()))
        self.records = [
            replace(
                an_audit_record(operation_id=f"op-{hour:03d}"),
                at=OPENED + timedelta(hours=hour),
                actor="zoe" if hour % 2 else "ann",
                action="auto_recharge.set" if hour % 3 else "member.created",
            )
            for hour in range(240)
        ]
        for record in self.records:
            self.book.record_audit(record)
        self.list = ListAudit(self.book, InMemoryAudit(self.book), FixedClock(NOW)).list

    def all(self, only: AuditFilter = EVERYTHING, limit: int = 100) -> list[AuditRecord]:
        """Every page, one after the other."""
        found: list[AuditRecord] = []
        before: AuditPosition | None = None
        while True:
            page = self.list(ACME, only, before, limit)
            assert len(page.records) <= limit
            found += page.records
            if page.next is None:
                return found
            before = page.next


@pytest.mark.parametrize("limit", [1, 7, 100, 240, 500])
def test_pages_together_are_all_of_it_once_and_newest_first(limit: int) -> None:
    world = World()
    assert world.all(limit=limit) == world.records[::-1]


@pytest.mark.parametrize(
    "only",
    [
        AuditFilter(action="member.created"),
        AuditFilter(actor="zoe"),
        AuditFilter(action="member.created", actor="zoe"),
        AuditFilter(actor="nobody"),
    ],
    ids=repr,
)
def test_every_filter_must_hold(only: AuditFilter, monkeypatch: pytest.MonkeyPatch) -> None:
    world = World()
    expected = [record for record in reversed(world.records) if only.passes(record)]
    assert world.all(only) == expected
    # Pages that look at a few records each are short, or empty, and go on.
    monkeypatch.setattr(list_audit, "MAX_READ", 5)
    assert world.all(only) == expected


def test_a_span_of_days_is_of_the_accounts_own_time_zone() -> None:
    world = World("Asia/Kolkata")
    found = world.all(AuditFilter(begin=date(2026, 3, 4), end=date(2026, 3, 5)))
    assert len(found) == 24
    assert found[-1].at == datetime(2026, 3, 3, 19, tzinfo=UTC)
    begin = OPENED + timedelta(hours=3)
    between = world.all(AuditFilter(begin=begin, end=begin + timedelta(hours=2)))
    assert [record.at.hour for record in between] == [4, 3]
    assert world.all(AuditFilter(begin=date(2026, 3, 5), end=date(2026, 3, 4))) == []


def test_an_account_that_is_not_there_has_no_audit() -> None:
    with pytest.raises(NotFoundError):
        World().list(GLOBEX, EVERYTHING, None, 10)
