"""What is there before a story begins: a catalogue, decks, accounts and their cards."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from api.schemas.catalog import CatalogIn
from billing.adapters.gateways.sandbox import SUCCEEDS
from billing.domain.account import AccountRef
from billing.domain.audit import By
from billing.domain.canonical import canonical_json
from billing.domain.catalog import Catalog
from billing.domain.decks import deck_digest, parse_deck, serialise_deck
from billing.domain.recharging import RechargePolicy
from billing.ports import (
    Connection,
    DeckVersion,
)
from billing.services.add_funding_source import AddFundingSource, NewSource
from billing.services.change_account import ChangeAccount
from billing.services.open_account import NewAccount, OpenAccount
from billing.services.save_catalog import SaveCatalog
from billing.services.set_auto_recharge import policy_etag
from simulation.catalog import CATALOG, Document
from simulation.tenants import ACCEPTANCE, SECRETS, SITES, SUBACCOUNTS, Site

if TYPE_CHECKING:
    from simulation.world import World


def catalog_from(document: Document) -> Catalog:
    """What a document is read as when it is put."""
    return CatalogIn.model_validate_json(canonical_json(document)).to_catalog()


def settle_in(world: "World") -> None:
    """Opens the accounts with real services, before anything goes wrong."""
    SaveCatalog(world.catalogs, world.clock).save(catalog_from(CATALOG), 0)
    open_account = OpenAccount(world.book, world.catalogs, world.clock)
    known: set[str] = set()
    for site in SITES:
        _store_deck(world, site)
        tenant_id = site.ref.tenant_id
        open_account.open(
            NewAccount(
                ref=site.ref,
                name=site.ref.account_id,
                currency=site.currency,
                time_zone=site.time_zone,
                billing_day=site.billing_day,
                plan_id=site.plan_id,
                rate_deck=site.deck_id,
            ),
            f"open/{site.ref.account_id}",
            "opened",
            None if tenant_id in known else tenant_id.title(),
        )
        known.add(tenant_id)
        _prepare_recharge(world, site)
    _connect(world, "acme-twilio", None, SUBACCOUNTS)
    _connect(world, "globex-twilio", SITES[2].ref, {})


def _prepare_recharge(world: "World", site: Site) -> None:
    for card in site.cards:
        operation_id = f"source/{site.ref.account_id}/{card}"
        AddFundingSource(world.book, ChangeAccount(world.book, world.clock)).add(
            site.ref,
            NewSource(card, world.gateway.name, SUCCEEDS, "Visa 4242"),
            operation_id=operation_id,
            body_hash=card,
            audit=world.audit(site.ref, operation_id, "funding_source.add"),
        )
    world.set_auto_recharge.set(
        site.ref,
        site.policy,
        seen_etag=policy_etag(RechargePolicy()),
        by=By("ann", ACCEPTANCE),
    )


def _store_deck(world: "World", site: Site) -> None:
    table = parse_deck(site.tariff.as_csv())
    body = serialise_deck(table)
    version = DeckVersion(
        deck_id=site.deck_id,
        version=1,
        currency=site.currency,
        effective_at=world.decks_effective_at,
        rounding="up",
        decimals=6,
        digest=deck_digest(body),
        rates=len(table),
        uploaded_at=world.decks_effective_at,
    )
    world.decks.store(version, body)


def _connect(
    world: "World",
    connection_id: str,
    account: AccountRef | None,
    accounts: Mapping[str, AccountRef],
) -> None:
    world.connections.save(
        Connection(
            connection_id=connection_id,
            provider="twilio",
            secrets=(SECRETS[connection_id],),
            account=account,
            accounts=accounts,
            version=1,
            updated_at=world.clock.now(),
        ),
        0,
    )
