"""A deck's file is put where a signed URL says, and nowhere else."""

from collections.abc import Iterator
from urllib.parse import parse_qs, urlsplit

import boto3
import pytest
import requests
from botocore.config import Config

from billing.adapters.deck_uploads import OFFERED_FOR, S3DeckUploads
from billing.domain.errors import NotFoundError
from contract.aws import NOON, moto
from fakes.world import FixedClock

FILE = b"prefix,destination,rate\n1,United States,0.60\n"


@pytest.fixture
def uploads() -> Iterator[S3DeckUploads]:
    with moto() as aws:
        s3 = boto3.client("s3", config=Config(signature_version="s3v4"))
        yield S3DeckUploads(aws.bucket(), s3, FixedClock(NOON))


def test_what_was_put_there_comes_back(uploads: S3DeckUploads) -> None:
    offer = uploads.offer("retail", len(FILE))
    assert offer.expires_at == NOON + OFFERED_FOR
    assert requests.put(offer.url, data=FILE, headers=offer.headers, timeout=5).ok
    assert uploads.content("retail", offer.upload_id) == FILE


def test_the_signature_covers_size_and_type(uploads: S3DeckUploads) -> None:
    offer = uploads.offer("retail", len(FILE))
    query = parse_qs(urlsplit(offer.url).query)
    assert query["X-Amz-Algorithm"] == ["AWS4-HMAC-SHA256"]
    assert {"content-length", "content-type", "host"} <= set(
        query["X-Amz-SignedHeaders"][0].split(";")
    )
    assert query["X-Amz-Expires"] == [str(int(OFFERED_FOR.total_seconds()))]
    assert offer.headers["Content-Length"] == str(len(FILE))


def test_two_offers_are_two_places(uploads: S3DeckUploads) -> None:
    assert uploads.offer("retail", 1).upload_id != uploads.offer("retail", 1).upload_id


@pytest.mark.parametrize("upload_id", ["0" * 32, "", "..", "../../decks/retail/1-x", "a" * 33])
def test_what_is_not_there_is_not_found(uploads: S3DeckUploads, upload_id: str) -> None:
    with pytest.raises(NotFoundError):
        uploads.content("retail", upload_id)


def test_a_file_belongs_to_its_deck(uploads: S3DeckUploads) -> None:
    offer = uploads.offer("retail", len(FILE))
    requests.put(offer.url, data=FILE, headers=offer.headers, timeout=5)
    with pytest.raises(NotFoundError):
        uploads.content("another", offer.upload_id)
