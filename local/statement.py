"""Acme's statement, from Talktime's own API: the month in figures, its balance drawn, its proof."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import groupby
from typing import Any

from local.api import Api
from local.deploy import ClientFactory, Outputs

CHART_ROWS = 8
BLOCKS = " ▁▂▃▄▅▆▇█"
SAMPLES_PER_DAY = 2
ACCOUNT = "/v1/accounts/default"
MEGABYTE = 1_048_576
SHOWN_UNITS = {"voice_seconds": (60, "minutes"), "messages": (1, "texts")}

SOLD = ("sale", "credit")
"""Entries of what is bought, and given back with a change."""

# Any: decoded JSON of the API, throughout.
Row = dict[str, Any]


@dataclass(frozen=True)
class Month:
    """Everything the statement is made of."""

    start: datetime
    end: datetime
    overview: Row
    entries: Sequence[Row]
    recharges: Sequence[Row]
    invoices: Sequence[Row]
    members: int
    storage: Row
    proof: Row
    captured: Decimal
    captures: int


def read(api: Api, client: ClientFactory, outputs: Outputs, start: datetime) -> Month:
    """Ask the API for the account's whole life, and the gateway's own book for its captures."""
    captured = [
        Decimal(charge["amount_minor"]) / 100
        for charge in gateway_charges(client, outputs["SandboxTableName"])
        if charge["metadata"].get("tenant") == "acme"
    ]
    return Month(
        start=start,
        end=datetime.now(UTC),
        overview=api.get(ACCOUNT).body,
        entries=list(api.rows(f"{ACCOUNT}/ledger")),
        recharges=list(api.rows(f"{ACCOUNT}/recharges")),
        invoices=[
            api.get(f"{ACCOUNT}/invoices/{invoice['number']}").body
            for invoice in reversed(list(api.rows(f"{ACCOUNT}/invoices")))
        ],
        members=len(list(api.rows("/v1/members"))),
        storage=api.get("/v1/storage").body,
        proof=api.get(f"{ACCOUNT}/ledger/verify").body,
        captured=sum(captured, Decimal(0)),
        captures=len(captured),
    )


def render(month: Month) -> str:
    """The statement as text for a terminal of 80 columns."""
    sections = (
        heading(month),
        chart(month),
        movements(month),
        invoices(month),
        figures(month),
        proof(month),
    )
    return "\n\n".join("\n".join(section) for section in sections) + "\n"


def heading(month: Month) -> list[str]:
    overview = month.overview
    return [
        f"Acme Corporation   plan {overview['plan']['name']}   {overview['time_zone']}",
        f"{month.start:%d %b %Y} to {month.end:%d %b %Y}, {calls(month)} calls and messages",
    ]


def chart(month: Month) -> list[str]:
    """The balance twice a day, as columns, with the recharge threshold as a dotted line."""
    samples = balances(month)
    threshold = Decimal(month.overview["recharge"]["threshold"]["amount"])
    # Whole amounts at the side: the top is the next multiple of the rows.
    height = -(-int(max(*samples, threshold) + 1) // CHART_ROWS)
    lines = []
    for row in range(CHART_ROWS - 1, -1, -1):
        low = row * height
        is_threshold = low <= threshold < low + height
        cells = "".join(cell((sample - low) / height, is_threshold) for sample in samples)
        mark = " recharge below" if is_threshold else ""
        lines.append(f"  {low + height:>6} │{cells}│{mark}")
    left, right = f"{month.start:%d %b}", f"{month.end:%d %b}"
    lines.append(f"       0 └{'─' * len(samples)}┘")
    lines.append(f"          {left}{right:>{max(1, len(samples) - len(left))}}")
    return [f"Balance ({month.overview['currency']})", *lines]


def cell(share: Decimal, is_threshold: bool) -> str:
    """One row's part of a column, filled by that share."""
    eighths = max(0, min(8, round(share * 8)))
    return BLOCKS[eighths] if eighths else "┈" if is_threshold else " "


def balances(month: Month) -> list[Decimal]:
    """The settled balance at each sample: what the last entry before it says."""
    step = timedelta(days=1) / SAMPLES_PER_DAY
    samples: list[Decimal] = []
    balance = Decimal(0)
    entries = list(month.entries)
    at = month.start
    while at < month.end:
        at = min(at + step, month.end)
        while entries and instant(entries[0]["posted_at"]) <= at:
            balance = Decimal(entries.pop(0)["balance"]["amount"])
        samples.append(balance)
    return samples


def movements(month: Month) -> list[str]:
    """What is paid in and bought, and the turn of the period, in order; usage summed in between."""
    turn = instant(month.overview["period"]["start_at"])
    lines = ["Movements"]
    spent, count = Decimal(0), 0
    has_turned = False

    def usage() -> None:
        nonlocal spent, count
        if count:
            lines.append(row("", f"usage, {count} calls and messages", -spent))
        spent, count = Decimal(0), 0

    # What is booked at one instant is one movement: an order is paid in, and spent.
    for (posted_at, is_usage), booked in groupby(month.entries, one_movement):
        entries = list(booked)
        # To the nearest minute: the simulated clock is set to the second.
        at = instant(posted_at) + timedelta(seconds=30)
        if not has_turned and at >= turn > month.start:
            usage()
            lines.append(row(f"{turn:%d %b %H:%M}", "period turns: minutes and texts refilled"))
            has_turned = True
        if is_usage:
            spent += sum((Decimal(entry["amount"]["amount"]) for entry in entries), Decimal(0))
            count += sum(entry["usage"]["calls"] for entry in entries)
            continue
        usage()
        balance = Decimal(entries[-1]["balance"]["amount"])
        what = f"{movement(entries)}, balance {balance:.2f}"
        lines.append(row(f"{at:%d %b %H:%M}", what, sum(map(worth, entries), Decimal(0))))
    usage()
    return lines


def one_movement(entry: Row) -> tuple[str, bool]:
    return entry["posted_at"], entry["kind"] == "usage"


def movement(entries: Sequence[Row]) -> str:
    sold = -sum((worth(entry) for entry in entries if entry["kind"] in SOLD), Decimal(0))
    if not sold:
        return str(entries[0]["kind"])
    paid_in = any(entry["kind"] == "recharge" for entry in entries)
    return f"purchase of {sold:.2f}{' paid by card' if paid_in else ''}"


def worth(entry: Row) -> Decimal:
    """What an entry adds to the wallet; negative where the wallet pays."""
    amount = Decimal(entry["amount"]["amount"])
    return amount if entry["credit"] == "wallet" else -amount


def invoices(month: Month) -> list[str]:
    """What was bought: every invoice with its lines, net, and its tax."""
    lines = ["Invoices"]
    for invoice in month.invoices:
        on = f"{instant(invoice['issued_at']):%d %b}"
        what = f"{invoice['reference']}, {invoice['state']}, {invoice['tax']['amount']} of it tax"
        lines.append(f"  {on:<13}{what:<44}{invoice['total']['amount']:>12}")
        for line in invoice["lines"]:
            many = f"{line['quantity']} x " if line["quantity"] > 1 else ""
            lines.append(f"{'':<17}{many + line['text']:<42}{line['amount']['amount']:>12}")
    return lines


def row(when: str, what: str, amount: Decimal | None = None) -> str:
    # A sum of nothing has no sign.
    money = "" if amount is None else f"{amount:{'+' if amount else ''}12.4f}"
    return f"  {when:<13}{what:<44}{money}".rstrip()


def figures(month: Month) -> list[str]:
    overview = month.overview
    granted = sum(entry["usage"]["granted_voice_seconds"] for entry in usage_entries(month))
    billed = sum(entry["usage"]["voice_seconds"] for entry in usage_entries(month))
    succeeded = sum(recharge["state"] == "succeeded" for recharge in month.recharges)
    lines = [
        "Now",
        f"  balance {Decimal(overview['balance']['settled']['amount']):.4f} "
        f"{overview['currency']}, "
        f"lasts about {overview['runway_days']} days at the average of the last 30",
        f"  {granted // 60} of {billed // 60} billed minutes came from grants",
    ]
    for quota in overview["quotas"]:
        scale, name = SHOWN_UNITS[quota["unit"]]
        lines.append(
            f"  {quota['remaining'] // scale} of {quota['total'] // scale} {name} left, "
            f"{quota['percentage_used']} % used, reset on {quota['resets_at'][:10]}"
        )
    lines.append(f"  {succeeded} of {len(month.recharges)} payments succeeded")
    payment = overview["next_payment"]
    lines.append(
        f"  next payment {payment['amount']['amount']} on {payment['on']}, "
        f"phone numbers: {len(overview['numbers'])}, members: {month.members}, "
        f"stored: {month.storage['used_bytes'] // MEGABYTE} of "
        f"{month.storage['limit_bytes'] // MEGABYTE} MB"
    )
    return lines


def proof(month: Month) -> list[str]:
    """What the ledger proves, and whether our book and the gateway's agree."""
    found = month.proof
    ours = sum(
        (Decimal(e["amount"]["amount"]) for e in month.entries if e["kind"] == "recharge"),
        Decimal(0),
    )
    verdict = "proven" if found["is_sound"] else "NOT PROVEN: " + "; ".join(found["problems"])
    agree = "agree" if ours == month.captured else "DISAGREE"
    return [
        "Proof",
        f"  {found['entries']} ledger entries, gapless and chained, sum to "
        f"{Decimal(found['sum']['amount']):.4f}: {verdict}",
        f"  gateway's book: {month.captures} captures, {month.captured:.2f}; "
        f"ours: {ours:.2f}: {agree}",
    ]


def is_proven(month: Month) -> bool:
    ours = sum(Decimal(e["amount"]["amount"]) for e in month.entries if e["kind"] == "recharge")
    return bool(month.proof["is_sound"]) and ours == month.captured


def calls(month: Month) -> int:
    return sum(entry["usage"]["calls"] for entry in usage_entries(month))


def usage_entries(month: Month) -> list[Row]:
    return [entry for entry in month.entries if entry["kind"] == "usage"]


def instant(text: str) -> datetime:
    return datetime.fromisoformat(text)


def gateway_charges(client: ClientFactory, table: str) -> list[Row]:
    """Every capture in the sandbox gateway's own book, read where it keeps it."""
    pages = client("dynamodb").get_paginator("scan").paginate(TableName=table)
    documents = [json.loads(item["document"]["S"]) for page in pages for item in page["Items"]]
    return [document["charge"] for document in documents if document.get("standing") == "captured"]
