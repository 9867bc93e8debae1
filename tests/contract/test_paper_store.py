"""Printed documents: kept once under a name, and read by a link that says what they are."""

from collections.abc import Iterator
from urllib.parse import parse_qs, urlsplit

import boto3
import pytest
import requests
from botocore.config import Config
from botocore.exceptions import ClientError

from billing.adapters.paper_store import LINKED_FOR, S3PaperStore
from billing.ports import PaperStore
from contract.aws import NOON, moto
from fakes.papers import InMemoryPapers
from fakes.world import FixedClock

NAME = "acme/main/invoices/000001-open.pdf"


@pytest.fixture(params=["memory", "moto"])
def papers(request: pytest.FixtureRequest) -> Iterator[PaperStore]:
    if request.param == "memory":
        yield InMemoryPapers(FixedClock(NOON))
        return
    with moto() as aws:
        s3 = boto3.client("s3", config=Config(signature_version="s3v4"))
        yield S3PaperStore(aws.bucket(), s3, FixedClock(NOON))


def test_what_is_kept_is_there(papers: PaperStore) -> None:
    assert not papers.has(NAME)
    papers.keep(NAME, b"%PDF-1")
    assert papers.has(NAME)
    assert not papers.has("acme/main/invoices/000001-paid.pdf")


def test_a_link_lasts_for_a_quarter_of_an_hour(papers: PaperStore) -> None:
    papers.keep(NAME, b"%PDF-1")
    assert papers.link(NAME, "INV-1.pdf").expires_at == NOON + LINKED_FOR


def test_a_link_leads_to_the_first_print_and_says_that_it_is_a_pdf() -> None:
    with moto() as aws:
        s3 = boto3.client("s3", config=Config(signature_version="s3v4"))
        store = S3PaperStore(aws.bucket(), s3, FixedClock(NOON))
        store.keep(NAME, b"%PDF-1")
        store.keep(NAME, b"%PDF-2")
        link = store.link(NAME, "INV-acme-main-000001.pdf")
        found = requests.get(link.url, timeout=5)
    assert found.content == b"%PDF-1"
    assert found.headers["Content-Type"] == "application/pdf"
    assert found.headers["Content-Disposition"] == 'inline; filename="INV-acme-main-000001.pdf"'
    query = parse_qs(urlsplit(link.url).query)
    assert query["X-Amz-Algorithm"] == ["AWS4-HMAC-SHA256"]
    assert query["X-Amz-Expires"] == [str(int(LINKED_FOR.total_seconds()))]


def test_a_fault_of_the_store_is_not_taken_for_an_answer() -> None:
    with moto():
        s3 = boto3.client("s3", config=Config(signature_version="s3v4"))
        store = S3PaperStore("no-such-bucket", s3, FixedClock(NOON))
        with pytest.raises(ClientError):
            store.keep(NAME, b"%PDF-1")
