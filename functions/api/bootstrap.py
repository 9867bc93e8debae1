"""Composition root: the only module here that reads the environment or builds a client."""

import os
import time
from functools import cache

import boto3
from aws_lambda_powertools import Logger, Metrics
from aws_lambda_powertools.event_handler import APIGatewayHttpResolver
from botocore.config import Config

from api.app import create_app
from api.auth import TokenRules
from api.observing import PowertoolsLog
from api.serving import Server
from api.wiring import Settings, Talktime
from billing.adapters.clock import LOCAL_STAGE, clock_from
from billing.adapters.deck_uploads import S3DeckUploads
from billing.adapters.dynamodb.audit import DynamoDBAudit
from billing.adapters.dynamodb.book import DynamoDBBook
from billing.adapters.dynamodb.catalogs import DynamoDBCatalogs
from billing.adapters.dynamodb.connections import DynamoDBConnections
from billing.adapters.dynamodb.decks import DynamoDBDecks
from billing.adapters.dynamodb.directory import DynamoDBDirectory
from billing.adapters.dynamodb.holds import DynamoDBReservations
from billing.adapters.dynamodb.members import DynamoDBMembers
from billing.adapters.dynamodb.quarantine import DynamoDBQuarantine
from billing.adapters.dynamodb.quotes import DynamoDBQuotes
from billing.adapters.dynamodb.summaries import DynamoDBSummaries
from billing.adapters.dynamodb.table import Table
from billing.adapters.dynamodb.webhooks import DynamoDBDeliveries, DynamoDBEndpoints
from billing.adapters.gateways import registry
from billing.adapters.paper_store import S3PaperStore
from billing.adapters.queues import SqsUsageQueue
from billing.adapters.secrets import ChangingSecret, StoredSecret, gateway_key
from billing.domain.papers import Paper


@cache
def app() -> APIGatewayHttpResolver:
    metrics = Metrics()
    metrics.set_default_dimensions(stage=os.environ["STAGE"])
    return create_app(Server(talktime(), PowertoolsLog(Logger(), metrics)))


@cache
def talktime() -> Talktime:
    table = Table(os.environ["TABLE_NAME"])
    clock = clock_from(os.environ)
    stripe_key = ChangingSecret(os.environ["STRIPE_KEY_ARN"], boto3.client("secretsmanager"))
    bucket = os.environ["DECKS_BUCKET"]
    s3 = boto3.client("s3", config=Config(signature_version="s3v4"))
    return Talktime(
        settings=settings(),
        book=DynamoDBBook(table),
        audit_trail=DynamoDBAudit(table),
        directory=DynamoDBDirectory(table),
        members=DynamoDBMembers(table),
        catalogs=DynamoDBCatalogs(table),
        decks=DynamoDBDecks(table, bucket, s3, clock),
        deck_uploads=S3DeckUploads(bucket, s3, clock),
        papers=S3PaperStore(os.environ["DOCUMENTS_BUCKET"], s3, clock),
        printer=_print,
        connections=DynamoDBConnections(
            table, os.environ["CONNECTIONS_KEY_ID"], boto3.client("kms"), clock
        ),
        quarantine=DynamoDBQuarantine(table),
        quotes=DynamoDBQuotes(table),
        summaries=DynamoDBSummaries(table),
        webhook_endpoints=DynamoDBEndpoints(
            table, os.environ["CONNECTIONS_KEY_ID"], boto3.client("kms")
        ),
        webhook_deliveries=DynamoDBDeliveries(table),
        reservations=DynamoDBReservations(table),
        usage_queue=SqsUsageQueue(os.environ["USAGE_QUEUE_URL"], boto3.client("sqs")),
        gateway=os.environ["PAYMENT_GATEWAY"],
        gateways=registry.gateways(
            in_use=os.environ["PAYMENT_GATEWAY"],
            sandbox_table=os.environ["SANDBOX_TABLE_NAME"],
            stripe_key=gateway_key(stripe_key),
            clock=clock,
        ),
        country_of=_country_of,
        clock=clock,
        is_local=os.environ["STAGE"] == LOCAL_STAGE,
    )


def _country_of(number: str) -> str:
    # Tables of every country's numbers: only who filters by country waits for them.
    from billing.adapters.countries import country_of

    return country_of(number)


def _print(paper: Paper) -> bytes:
    # Fonts and what writes PDF: only who prints waits for them.
    from billing.adapters.papers.pdf import print_paper

    return print_paper(paper)


def settings() -> Settings:
    secret = StoredSecret(os.environ["CURSOR_SECRET_ARN"], boto3.client("secretsmanager"))
    return Settings(
        public_url=os.environ["PUBLIC_URL"].rstrip("/"),
        cors_origins=_listed("CORS_ORIGINS"),
        token_rules=TokenRules(
            issuer=os.environ["JWT_ISSUER"],
            audiences=_listed("JWT_AUDIENCE"),
            real_time=time.time,
        ),
        cursor_key=lambda: secret.value().encode(),
    )


def _listed(name: str) -> frozenset[str]:
    return frozenset(part.strip() for part in os.environ[name].split(",") if part.strip())
