"""Every id that one tenant has ever been told, replayed by another: on every route, in any field.

What is answered must be what is answered to an id of nobody's; and nothing of the first tenant's
may change. Ids are harvested from the answers themselves, so those of a new route come along.
"""

import re
from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any

import pytest

from api.endpoint import Endpoint
from api.routes import ENDPOINTS
from integration.api.client import Reply
from integration.api.generated import body_of, caller_of, seen_tag, send, typed
from integration.api.test_isolation import SAMPLES, Stage

_OPAQUE = re.compile(r"[a-z]{2,4}_[0-9a-z_]{10,}|[0-9a-f]{32}|\+[1-9][0-9]{9,14}")
_FREE = re.compile(r"name|text|reason|description|label|note|email|subject|url|version|from|to$")

OF_TENANTS = [endpoint for endpoint in ENDPOINTS if endpoint.is_tenants]
WITH_IDS = [e for e in OF_TENANTS if set(e.parameters) - {"acct"}]
WITH_FIELDS = [e for e in OF_TENANTS if e.body is not None and typed(e, "string")]
WITH_QUERY = [e for e in OF_TENANTS if e.query is not None]


def texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for inner in value.values():
            yield from texts(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from texts(inner)


def harvested(stage: Stage) -> frozenset[str]:
    """What Acme's own people are told of Acme's things."""
    answers = [
        send(stage, endpoint, None)
        for endpoint in OF_TENANTS
        if endpoint.method == "GET" and endpoint.media_type == "application/json"
    ]
    found = {text for answer in answers if answer.status == 200 for text in texts(answer.body)}
    paths = (part for e in OF_TENANTS for part in stage.path_of(e).split("/"))
    return frozenset(text for text in (*found, *paths) if _OPAQUE.fullmatch(text))


@cache
def both() -> tuple[Stage, tuple[str, ...], str]:
    """A stage, Acme's ids, and what there is of Acme's."""
    stage = Stage()
    ids = tuple(sorted(harvested(stage)))
    return stage, ids, state(stage)


def state(stage: Stage) -> str:
    """Whatever is kept of Acme's, anywhere."""
    world = stage.world
    kept = (
        world.book,
        world.book.members,
        world.reservations,
        world.webhook_endpoints,
        world.webhook_deliveries,
        world.quarantine,
        world.connections,
    )
    rows = [
        f"{name} {key!r} {value!r}"
        for store in kept
        for name, table in vars(store).items()
        if isinstance(table, dict)
        for key, value in table.items()
    ]
    return "\n".join(row for row in rows if "acme" in row and "globex" not in row)


def nobodys(id_: str) -> str:
    """An id of the same form that nobody was given."""
    last = id_[-1]
    return id_[:-1] + (("b" if last == "a" else "a") if last.isalpha() else str(9 - int(last)))


def said(found: Reply, id_: str) -> tuple[int, str]:
    """An answer but for the id it may repeat."""
    is_telling = _OPAQUE.fullmatch(id_)
    return found.status, found.text.replace(id_, "") if is_telling else found.text


def assert_nothing_told(found: Reply, ids: tuple[str, ...], sent: str) -> None:
    told = [id_ for id_ in ids if id_ in found.text and id_ not in sent and sent not in id_]
    assert not told, (told, found.text)


def test_ids_are_harvested() -> None:
    stage, ids, _ = both()
    assert {stage.acct, stage.source, stage.member, stage.payment, stage.lease} <= set(ids)
    assert len(ids) > 15


@pytest.mark.parametrize("endpoint", WITH_IDS, ids=lambda endpoint: endpoint.name)
def test_an_id_in_a_path_is_nobodys_to_anybody_else(endpoint: Endpoint) -> None:
    stage, ids, before = both()
    body = body_of(endpoint, stage)
    own = {"acct": "main"} if "acct" in endpoint.parameters else {}
    for name in endpoint.parameters:
        if name == "acct":
            continue
        for id_ in {*ids, stage.path_of(endpoint).split("/")[_index(endpoint, name)]}:
            anothers = send(stage, endpoint, body, whose="globex", at={**own, name: id_})
            other = nobodys(id_)
            none = send(stage, endpoint, body, whose="globex", at={**own, name: other})
            assert said(anothers, id_) == said(none, other), id_
            assert_nothing_told(anothers, ids, id_)
    assert state(stage) == before


def _index(endpoint: Endpoint, name: str) -> int:
    return endpoint.path.split("/").index(f"{{{name}}}")


@pytest.mark.parametrize(
    "endpoint", [e for e in OF_TENANTS if "acct" in e.parameters], ids=lambda e: e.name
)
def test_an_account_in_a_path_is_nobodys_to_anybody_else(endpoint: Endpoint) -> None:
    stage, ids, before = both()
    body = body_of(endpoint, stage)
    for id_ in ids:
        anothers = send(stage, endpoint, body, whose="globex", at={"acct": id_})
        none = send(stage, endpoint, body, whose="globex", at={"acct": nobodys(id_)})
        assert said(anothers, id_) == said(none, nobodys(id_)), id_
        assert anothers.status >= 400 or endpoint.method == "DELETE", anothers.text
        assert_nothing_told(anothers, ids, id_)
    assert state(stage) == before


@pytest.mark.parametrize("endpoint", WITH_FIELDS, ids=lambda endpoint: endpoint.name)
def test_an_id_in_a_body_is_nobodys_to_anybody_else(endpoint: Endpoint) -> None:
    stage, ids, before = both()
    body = body_of(endpoint, stage)
    own = {"acct": "main"} if "acct" in endpoint.parameters else {}
    for place in typed(endpoint, "string"):
        if _FREE.search(str(place.pointer[-1])):
            continue
        for id_ in ids:
            other = nobodys(id_)
            anothers, none = (
                send(
                    stage,
                    endpoint,
                    place.put(body, sent),
                    whose="globex",
                    headers=seen_tag(stage, endpoint, "globex", own),
                    at=own,
                )
                for sent in (id_, other)
            )
            if anothers.status < 300 and none.status < 300:
                continue  # What is made of a text of one's own has an id and a time of its own.
            assert said(anothers, id_) == said(none, other), (place.text, id_)
            assert_nothing_told(anothers, ids, id_)
    assert state(stage) == before


@pytest.mark.parametrize("endpoint", WITH_QUERY, ids=lambda endpoint: endpoint.name)
def test_an_id_in_a_query_is_nobodys_to_anybody_else(endpoint: Endpoint) -> None:
    stage, ids, before = both()
    token, headers = caller_of(endpoint, "globex")
    own = {"acct": "main"} if "acct" in endpoint.parameters else {}
    assert endpoint.query is not None
    for name in endpoint.query.model_fields:
        for id_ in ids:
            answers = []
            for sent in (id_, nobodys(id_)):
                query = {**SAMPLES[endpoint.name].query, name: sent}
                path = stage.path_of(endpoint, **own)
                found = stage.world.call(
                    endpoint.method, path, token=token, headers=headers, **query
                )
                answers.append(said(found, sent))
                assert_nothing_told(found, ids, sent)
            assert answers[0] == answers[1], (name, id_)
    assert state(stage) == before
