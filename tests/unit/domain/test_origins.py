"""Where a change came from, fit to be kept."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from billing.domain.audit import MAX_USER_AGENT_LENGTH, By, origin_of
from billing.domain.records import Acceptance, Origin
from builders import ACME, NOON


def test_an_ordinary_origin_is_kept_as_it_is() -> None:
    agent = "Mozilla/5.0 (Macintosh) AppleWebKit/605.1.15"
    assert origin_of("2001:db8::1", agent) == Origin("2001:db8::1", agent)
    assert origin_of("", "") == Origin()


@pytest.mark.parametrize(
    ("agent", "kept"),
    [
        pytest.param("curl/8\r\nX-Admin: 1", "curl/8??X-Admin: 1", id="lines"),
        pytest.param("a\x00\x1b[31mb", "a??[31mb", id="control characters"),
        pytest.param("a\u202eb", "a?b", id="text turned around"),
        pytest.param("x" * 10_000, "x" * MAX_USER_AGENT_LENGTH, id="too long"),
    ],
)
def test_a_caller_cannot_write_what_he_likes_into_the_audit(agent: str, kept: str) -> None:
    assert origin_of("192.0.2.1", agent).user_agent == kept


@settings(max_examples=100)
@given(st.text(), st.text())
def test_every_origin_is_short_and_printable(ip: str, agent: str) -> None:
    origin = origin_of(ip, agent)
    assert (origin.ip + origin.user_agent).isprintable()
    assert len(origin.ip) <= 45
    assert len(origin.user_agent) <= MAX_USER_AGENT_LENGTH


def test_a_record_says_who_from_where_and_whether_a_machine() -> None:
    zoe = Acceptance("Zoë", "O'Hara", "2026-01")
    by = By("auth0|zoe", zoe, Origin("192.0.2.1", "curl/8"))
    record = by.audit(ACME, "op", "member.changed", before={"a": 1}, after={"a": 2}, at=NOON)
    assert (record.actor, record.acceptance, record.origin) == (by.actor, zoe, by.origin)
    assert (record.before, record.after, record.at) == ({"a": 1}, {"a": 2}, NOON)
    assert not record.is_machine
    machine = By("crm", None, is_machine=True)
    assert machine.audit(ACME, "op", "member.changed", before={}, after={}, at=NOON).is_machine
