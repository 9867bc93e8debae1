"""What every store of rate decks keeps to, and what the real one holds in memory."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta

import pytest

from billing.adapters.dynamodb.decks import DynamoDBDecks
from billing.domain.decks import deck_digest, parse_deck, serialise_deck
from billing.domain.errors import ConflictError
from billing.domain.rating import Rounding
from billing.domain.units import Direction, Unit
from billing.ports import DECK_VERSIONS_KEPT, Decks, DeckVersion
from contract.aws import EVERYWHERE, NOON, Aws, moto, opened
from fakes.stores import InMemoryDecks
from fakes.world import FixedClock


def body_at(rate: str) -> str:
    return serialise_deck(parse_deck(f"prefix,destination,rate\n49,Germany,{rate}\n"))


BODY = body_at("0.0125")
DEARER = body_at("0.02")


def version_of(deck_id: str, version: int, body: str = BODY) -> DeckVersion:
    return DeckVersion(
        deck_id=deck_id,
        version=version,
        currency="EUR",
        effective_at=NOON + timedelta(hours=version),
        rounding="middle",
        decimals=4,
        digest=deck_digest(body),
        rates=1,
        uploaded_at=NOON,
    )


@pytest.fixture
def clock() -> FixedClock:
    return FixedClock(NOON)


@pytest.fixture
def aws() -> Iterator[Aws]:
    with moto() as found:
        yield found


def decks_in(aws: Aws, clock: FixedClock) -> DynamoDBDecks:
    return DynamoDBDecks(aws.main_table(), aws.bucket(), aws.client("s3"), clock)


@pytest.fixture(params=EVERYWHERE)
def decks(request: pytest.FixtureRequest, clock: FixedClock) -> Iterator[Decks]:
    if request.param == "memory":
        yield InMemoryDecks()
        return
    with opened(request) as found:
        yield decks_in(found, clock)


def test_an_unknown_deck_has_no_versions(decks: Decks) -> None:
    assert list(decks.versions("retail")) == []
    assert decks.deck_ids() == []


def test_versions_come_back_whole_and_oldest_first(decks: Decks) -> None:
    stored = [version_of("retail", number) for number in (1, 2, 10)]
    for version in reversed(stored):
        decks.store(version, BODY)
    assert list(decks.versions("retail")) == stored


def test_decks_are_listed_once_each_by_id(decks: Decks) -> None:
    for deck_id, number in [("wholesale", 1), ("retail", 1), ("retail", 2)]:
        decks.store(version_of(deck_id, number), BODY)
    assert decks.deck_ids() == ["retail", "wholesale"]


def test_a_loaded_deck_has_the_prices_and_terms_it_was_stored_with(decks: Decks) -> None:
    version = version_of("retail", 1)
    decks.store(version, BODY)
    deck = decks.load(version)
    assert (deck.deck_id, deck.version, deck.currency) == ("retail", 1, "EUR")
    assert (deck.rounding, deck.decimals) == (Rounding.MIDDLE, 4)
    assert deck.effective_at == version.effective_at
    assert deck.rates == parse_deck(BODY)
    assert deck.find(Unit.VOICE_SECONDS, Direction.OUTBOUND, "+4930").rate_micros == 12_500


def test_a_version_that_exists_is_refused_and_keeps_its_prices(decks: Decks) -> None:
    first = version_of("retail", 1)
    decks.store(first, BODY)
    with pytest.raises(ConflictError):
        decks.store(version_of("retail", 1, DEARER), DEARER)
    assert list(decks.versions("retail")) == [first]
    assert decks.load(first).rates == parse_deck(BODY)


def test_another_workers_version_is_seen_within_a_cache_lifetime(
    aws: Aws, clock: FixedClock
) -> None:
    table, bucket, s3 = aws.main_table(), aws.bucket(), aws.client("s3")
    ours = DynamoDBDecks(table, bucket, s3, clock)
    theirs = DynamoDBDecks(table, bucket, s3, clock)
    ours.store(version_of("retail", 1), BODY)
    assert len(ours.versions("retail")) == 1
    theirs.store(version_of("retail", 2), BODY)
    assert len(ours.versions("retail")) == 1, "held in memory"
    clock.advance(DECK_VERSIONS_KEPT)
    assert len(ours.versions("retail")) == 2


def test_an_empty_list_is_never_held_in_memory(aws: Aws, clock: FixedClock) -> None:
    table, bucket, s3 = aws.main_table(), aws.bucket(), aws.client("s3")
    ours = DynamoDBDecks(table, bucket, s3, clock)
    assert list(ours.versions("retail")) == []
    DynamoDBDecks(table, bucket, s3, clock).store(version_of("retail", 1), BODY)
    assert len(ours.versions("retail")) == 1


def test_a_body_is_fetched_once(aws: Aws, clock: FixedClock) -> None:
    decks = decks_in(aws, clock)
    version = version_of("retail", 1)
    decks.store(version, BODY)
    assert decks.load(version) is decks.load(version)


def test_a_body_is_stored_encrypted_under_its_version_and_digest(
    aws: Aws, clock: FixedClock
) -> None:
    table, bucket, s3 = aws.main_table(), aws.bucket(), aws.client("s3")
    DynamoDBDecks(table, bucket, s3, clock).store(version_of("retail", 1), BODY)
    key = f"decks/retail/1-{deck_digest(BODY)}.csv"
    found = s3.get_object(Bucket=bucket, Key=key)
    assert found["Body"].read().decode() == BODY
    assert found["ServerSideEncryption"] == "AES256"


def test_a_body_that_was_tampered_with_is_not_rated_by(aws: Aws, clock: FixedClock) -> None:
    table, bucket, s3 = aws.main_table(), aws.bucket(), aws.client("s3")
    decks = DynamoDBDecks(table, bucket, s3, clock)
    version = version_of("retail", 1)
    decks.store(version, BODY)
    key = f"decks/retail/1-{version.digest}.csv"
    s3.put_object(Bucket=bucket, Key=key, Body=DEARER.encode())
    with pytest.raises(ValueError, match="not what its version item says"):
        decks.load(version)


def test_a_version_without_its_body_never_comes_to_be(aws: Aws, clock: FixedClock) -> None:
    decks = DynamoDBDecks(aws.main_table(), "no-such-bucket", aws.client("s3"), clock)
    with pytest.raises(aws.client("s3").exceptions.NoSuchBucket):
        decks.store(version_of("retail", 1), BODY)
    assert decks.deck_ids() == []
    assert list(decks.versions("retail")) == []


# Drafts


def a_draft(version: int = 1) -> DeckVersion:
    return replace(version_of("retail", version), is_draft=True, effective_at=NOON)


def test_a_draft_is_uploaded_and_no_version_yet(decks: Decks) -> None:
    decks.store(a_draft(), BODY)
    assert list(decks.versions("retail")) == []
    assert list(decks.uploaded("retail")) == [a_draft()]
    assert decks.deck_ids() == ["retail"]
    rate = decks.load(a_draft()).find(Unit.VOICE_SECONDS, Direction.OUTBOUND, "+4930123456")
    assert rate.rate_micros == 12_500


def test_a_draft_is_activated_for_a_date(decks: Decks) -> None:
    decks.store(version_of("retail", 1), BODY)
    decks.store(a_draft(2), BODY)
    at = NOON + timedelta(days=1)
    found = decks.activate(a_draft(2), at)
    assert found == replace(a_draft(2), is_draft=False, effective_at=at)
    assert list(decks.versions("retail")) == [version_of("retail", 1), found]
    assert list(decks.uploaded("retail")) == [version_of("retail", 1), found]


def test_a_draft_is_activated_once(decks: Decks) -> None:
    decks.store(a_draft(), BODY)
    found = decks.activate(a_draft(), NOON + timedelta(days=1))
    with pytest.raises(ConflictError):
        decks.activate(a_draft(), NOON + timedelta(days=2))
    assert list(decks.versions("retail")) == [found]


def test_what_was_never_a_draft_is_not_activated(decks: Decks) -> None:
    with pytest.raises(ConflictError):
        decks.activate(a_draft(), NOON)
    assert list(decks.uploaded("retail")) == []


def test_a_worker_that_knows_no_version_looks_again(aws: Aws, clock: FixedClock) -> None:
    bucket = aws.bucket()
    one = DynamoDBDecks(table := aws.main_table(), bucket, aws.client("s3"), clock)
    other = DynamoDBDecks(table, bucket, aws.client("s3"), clock)
    one.store(a_draft(), BODY)
    assert list(other.versions("retail")) == []
    found = one.activate(a_draft(), NOON)
    assert list(other.versions("retail")) == [found]
