"""Saving a source is a saga: whatever crashes and whoever repeats, one source comes of it."""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from datetime import date, timedelta
from typing import Any, NoReturn

import pytest

from billing.adapters.gateways.sandbox import SUCCEEDS, UPI_SUCCEEDS
from billing.domain.audit import By
from billing.domain.errors import InvalidInputError, PaymentUnknownError
from billing.domain.money import Money
from billing.domain.payments import PaymentMethod
from billing.domain.records import EventType, FundingSource, SourceState, TimerKind
from billing.ports import AlreadyRecordedError, Setup, SetupRequest
from billing.services.add_funding_source import NewSource
from billing.services.arrange_sources import ArrangeSources
from billing.services.begin_source import BeginSource
from billing.services.confirm_source import ConfirmSource
from billing.services.notice_sources import NoticeSources
from builders import ACME, USD, an_audit_record
from fakes.world import InMemorySandbox
from unit.world import World

BY = By("sub", None)
OWN = f"{SUCCEEDS}.mine"


class CrashError(BaseException):
    """The function stops here. No handler catches it."""


class Watched(InMemorySandbox):
    """Notes what it is asked, and may crash before or after it has done so."""

    def __init__(self, world: World) -> None:
        super().__init__(world.clock)
        self.begun: list[SetupRequest] = []
        self.forgotten: list[str] = []
        self.before: Callable[[], object] | None = None
        self.after: Callable[[], object] | None = None

    def _fail(self, when: Callable[[], object] | None) -> None:
        if when is not None:
            self.before = self.after = None
            when()

    def begin_setup(self, request: SetupRequest) -> Setup:
        self._fail(self.before)
        self.begun.append(request)
        setup = super().begin_setup(request)
        self._fail(self.after)
        return setup

    def forget_source(self, token: str) -> None:
        self._fail(self.before)
        self.forgotten.append(token)
        super().forget_source(token)
        self._fail(self.after)


def crash() -> NoReturn:
    raise CrashError


def hang() -> NoReturn:
    raise PaymentUnknownError("no answer")


class Bed:
    """An account, and everything that is done to its sources."""

    def __init__(self, currency: str = "USD") -> None:
        self.world = World()
        self.gateway = Watched(self.world)
        self.world.use_gateway(self.gateway)
        self.world.open(currency=currency)
        book, change_account = self.world.book, self.world.change_account
        gateways = {"sandbox": self.gateway}
        self.beginning = BeginSource(
            book=book, gateways=gateways, clock=self.world.clock, change_account=change_account
        )
        self.confirming = ConfirmSource(
            book=book,
            gateways=gateways,
            change_account=change_account,
            begin_source=self.beginning,
        )
        self.arranging = ArrangeSources(book=book, gateways=gateways, change_account=change_account)
        self.noticing = NoticeSources(book, change_account)

    def begin(self, source_id: str = "src", **wanted: Any) -> Setup | None:
        """What the route does with a request, the first as a repeated one."""
        new = replace(NewSource(source_id, "sandbox", "", "Main card"), **wanted)
        name = f"add {source_id}"
        audit = an_audit_record(operation_id=name)
        with suppress(AlreadyRecordedError):
            self.beginning.begin(ACME, new, operation_id=name, body_hash="b", audit=audit)
        return self.beginning.setup(ACME, source_id)

    def setup(self, source_id: str = "src") -> Setup:
        setup = self.begin(source_id)
        assert setup is not None
        return setup

    def save(self, source_id: str = "src", token: str = "", on: date | None = None) -> None:
        self.gateway.finish_setup(self.setup(source_id).setup_id, token, expires_on=on)
        assert self.confirm(source_id).state is SourceState.ACTIVE

    def confirm(self, source_id: str = "src") -> FundingSource:
        return self.confirming.confirm(ACME, source_id)

    def source(self, source_id: str = "src") -> FundingSource:
        return self.world.book.funding_source(ACME, source_id)

    @property
    def told(self) -> list[str]:
        return [event for event in self.world.told if event.startswith("funding_source.")]


@pytest.fixture
def bed() -> Bed:
    return Bed()


# Begin


def test_a_source_is_pending_until_its_customer_has_finished(bed: Bed) -> None:
    setup = bed.setup()
    source = bed.source()
    assert (source.state, source.token, source.setup_id) == (
        SourceState.PENDING,
        "",
        setup.setup_id,
    )
    assert bed.world.account.recharging.source_ids == ()
    assert bed.gateway.begun[0].metadata == {"tenant": "acme", "account": "main", "source": "src"}


def test_the_client_secret_is_kept_nowhere(bed: Bed) -> None:
    secret = bed.setup().client_secret
    assert secret not in repr(vars(bed.world.book))
    assert bed.setup().client_secret == secret


@pytest.mark.parametrize("where", ["before", "after"])
@pytest.mark.parametrize("fault", [crash, hang])
def test_a_crash_around_the_gateway_heals_by_the_same_request(
    bed: Bed, where: str, fault: Callable[[], NoReturn]
) -> None:
    setattr(bed.gateway, where, fault)
    with pytest.raises((CrashError, PaymentUnknownError)):
        bed.begin()
    assert bed.source().setup_id is None
    setup = bed.setup()
    assert bed.source().setup_id == setup.setup_id
    assert len({request.idempotency_key for request in bed.gateway.begun}) == 1


@pytest.mark.parametrize("commits", [0, 1])
def test_a_crash_around_either_change_heals_by_the_same_request(bed: Bed, commits: int) -> None:
    bed.world.book.races = [*[lambda: None] * commits, crash]
    with pytest.raises(CrashError):
        bed.begin()
    first = bed.setup()
    assert (bed.setup(), bed.source().setup_id) == (first, first.setup_id)
    assert len(bed.world.book.funding_sources(ACME)) == 1


def test_all_that_an_account_saves_is_one_customers(bed: Bed) -> None:
    first, second = bed.setup("src-1"), bed.setup("src-2")
    assert first.setup_id != second.setup_id
    assert first.customer_token == second.customer_token
    assert [request.customer_token for request in bed.gateway.begun] == [
        None,
        first.customer_token,
    ]


def test_a_setup_is_not_asked_for_once_the_gateway_may_have_forgotten_its_key(bed: Bed) -> None:
    bed.setup()
    bed.world.clock.advance(timedelta(hours=23) - timedelta(microseconds=1))
    assert bed.begin() is not None
    bed.world.clock.advance(timedelta(microseconds=1))
    assert bed.begin() is None
    assert bed.confirm().state is SourceState.PENDING


def test_a_source_the_gateway_will_not_begin_is_removed_and_refused_alike(bed: Bed) -> None:
    def refuse() -> NoReturn:
        raise InvalidInputError("no such limit", field="method")

    for fault in (refuse, None):
        bed.gateway.before = fault
        with pytest.raises(InvalidInputError) as refused:
            bed.begin()
        assert refused.value.field == "method"
    assert bed.source().state is SourceState.REMOVED
    assert bed.gateway.begun == []


def test_a_mandate_asks_for_its_limit_or_what_the_law_allows() -> None:
    bed = Bed("INR")
    upi = PaymentMethod.UPI
    bed.begin("src-1", method=upi, limit=Money(500 * USD, "INR"))
    bed.begin("src-2", method=upi)
    assert [request.limit_minor for request in bed.gateway.begun] == [50_000, 1_500_000]
    bed.gateway.finish_setup(bed.source("src-1").setup_id or "", UPI_SUCCEEDS)
    saved = bed.confirm("src-1")
    assert (saved.method, saved.limit_micros) == (upi, 500 * USD)
    assert bed.world.account.recharging.notice_hours == 36


# Confirm


def test_a_finished_source_is_active_with_what_the_gateway_says(bed: Bed) -> None:
    bed.gateway.finish_setup(bed.setup().setup_id, expires_on=date(2028, 5, 31))
    source = bed.confirm()
    assert (source.state, source.token, source.brand, source.last4, source.expires_on) == (
        SourceState.ACTIVE,
        SUCCEEDS,
        "visa",
        "4242",
        date(2028, 5, 31),
    )
    assert bed.world.account.recharging.default_source_id == "src"
    assert bed.told == [EventType.FUNDING_SOURCE_ADDED]


def test_confirming_again_changes_nothing(bed: Bed) -> None:
    bed.save()
    before = bed.world.account
    assert bed.confirm() == bed.source()
    assert bed.begin() is None
    assert bed.world.account == before


def test_what_is_not_finished_stays_pending(bed: Bed) -> None:
    bed.setup()
    before = bed.world.account
    assert bed.confirm().state is SourceState.PENDING
    assert bed.world.account == before


def test_a_webhook_may_come_before_the_setup_was_written_down(bed: Bed) -> None:
    bed.gateway.after = crash
    with pytest.raises(CrashError):
        bed.begin()
    (request,) = bed.gateway.begun
    bed.gateway.finish_setup(InMemorySandbox.begin_setup(bed.gateway, request).setup_id)
    assert bed.confirm().state is SourceState.ACTIVE


def test_two_who_confirm_at_once_add_one_source(bed: Bed) -> None:
    bed.gateway.finish_setup(bed.setup().setup_id)
    bed.world.book.races = [bed.confirm]
    assert bed.confirm().state is SourceState.ACTIVE
    assert bed.told == [EventType.FUNDING_SOURCE_ADDED]
    assert bed.world.account.recharging.source_ids == ("src",)


def test_what_came_to_nothing_is_removed_with_its_code(bed: Bed) -> None:
    bed.gateway.fail_setup(bed.setup().setup_id, "authentication_failed")
    for _ in range(2):
        source = bed.confirm()
        assert (source.state, source.blocked_code) == (
            SourceState.REMOVED,
            "authentication_failed",
        )
    assert bed.told == []


def test_a_source_removed_while_it_was_being_saved_is_forgotten(bed: Bed) -> None:
    setup = bed.setup()
    bed.arranging.remove(ACME, "src", BY)
    bed.gateway.finish_setup(setup.setup_id, OWN)
    assert bed.confirm().state is SourceState.REMOVED
    assert bed.gateway.forgotten == [OWN]
    assert bed.world.account.recharging.source_ids == ()


# Arrange


def test_a_removed_source_is_forgotten_and_its_token_blank(bed: Bed) -> None:
    bed.save(token=OWN)
    bed.arranging.remove(ACME, "src", BY)
    bed.arranging.remove(ACME, "src", BY)
    assert bed.gateway.forgotten == [OWN]
    assert (bed.source().state, bed.source().token) == (SourceState.REMOVED, "")
    assert bed.told == [EventType.FUNDING_SOURCE_ADDED, EventType.FUNDING_SOURCE_REMOVED]


@pytest.mark.parametrize("where", ["before", "after"])
@pytest.mark.parametrize("fault", [crash, hang])
def test_a_source_is_forgotten_by_whoever_removes_it_again(
    bed: Bed, where: str, fault: Callable[[], NoReturn]
) -> None:
    bed.save(token=OWN)
    setattr(bed.gateway, where, fault)
    with pytest.raises((CrashError, PaymentUnknownError)):
        bed.arranging.remove(ACME, "src", BY)
    assert bed.source().state is SourceState.REMOVED
    bed.arranging.remove(ACME, "src", BY)
    assert set(bed.gateway.forgotten) == {OWN}
    assert bed.source().token == ""


def test_two_who_make_different_sources_the_default_are_both_heard(bed: Bed) -> None:
    for source_id in ("a", "b", "c"):
        bed.save(source_id)
    bed.world.book.races = [lambda: bed.arranging.make_default(ACME, "b", BY)]
    bed.arranging.make_default(ACME, "c", BY)
    assert bed.world.account.recharging.source_ids == ("c", "b", "a")


def test_an_order_made_for_other_backups_is_refused(bed: Bed) -> None:
    for source_id in ("a", "b", "c"):
        bed.save(source_id)
    bed.world.book.races = [lambda: bed.arranging.remove(ACME, "c", BY)]
    with pytest.raises(InvalidInputError, match="not backups: c"):
        bed.arranging.reorder(ACME, ["c", "b"], BY)


# Notice


def due(bed: Bed) -> bool:
    return bool(list(bed.world.book.due(TimerKind.SOURCE_NOTICE, bed.world.clock.now())))


def test_each_notice_is_given_once_when_its_day_has_come(bed: Bed) -> None:
    today = bed.world.clock.now().date()
    bed.save("a", on=today + timedelta(days=31))
    bed.save("b", on=today + timedelta(days=37))
    given: list[list[str]] = []
    for _ in range(40):
        was_due, before = due(bed), len(bed.told)
        for _ in range(2):
            bed.noticing.notice(ACME)
        given.append(bed.told[before:])
        assert was_due == bool(given[-1])
        assert not due(bed)
        bed.world.clock.advance(timedelta(days=1))
    days = [day for day, events in enumerate(given) for _ in events]
    assert days == [1, 7, 24, 30]


def test_the_notices_of_one_day_are_all_given(bed: Bed) -> None:
    last_day = bed.world.clock.now().date() + timedelta(days=5)
    for source_id in ("a", "b"):
        bed.save(source_id, on=last_day)
    bed.noticing.notice(ACME)
    expiring = [event for event in bed.told if event == EventType.FUNDING_SOURCE_EXPIRING]
    assert len(expiring) == 2
    assert not due(bed)


def test_two_workers_give_a_notice_once(bed: Bed) -> None:
    bed.save(on=bed.world.clock.now().date() + timedelta(days=5))
    bed.world.book.races = [lambda: bed.noticing.notice(ACME)]
    bed.noticing.notice(ACME)
    assert bed.told.count(EventType.FUNDING_SOURCE_EXPIRING) == 1
