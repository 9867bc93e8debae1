"""Acme's statement, from Talktime's own API: the month in figures, its balance drawn, its proof."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from local.api import Api
from local.deploy import ClientFactory, Outputs

CHART_ROWS = 8
BLOCKS = " ▁▂▃▄▅▆▇█"
SAMPLES_PER_DAY = 2
ACCOUNT = "/v1/accounts/default"
SHOWN_UNITS = {"voice_seconds": (60, "minutes"), "messages": (1, "texts")}

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
        proof=api.get(f"{ACCOUNT}/ledger/verify").body,
        captured=sum(captured, Decimal(0)),
        captures=len(captured),
    )


def render(month: Month) -> str:
    """The statement as text for a terminal of 80 columns."""
    sections = (heading(month), chart(month), movements(month), figures(month), proof(month))
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
    """Recharges and the turn of the period, in order; usage summed in between."""
    turn = instant(month.overview["period"]["start_at"])
    lines = ["Movements"]
    spent, count = Decimal(0), 0
    has_turned = False

    def usage() -> None:
        nonlocal spent, count
        if count:
            lines.append(row("", f"usage, {count} calls and messages", -spent))
        spent, count = Decimal(0), 0

    for entry in month.entries:
        # To the nearest minute: the simulated clock is set to the second.
        at = instant(entry["posted_at"]) + timedelta(seconds=30)
        if not has_turned and at >= turn > month.start:
            usage()
            lines.append(row(f"{turn:%d %b %H:%M}", "period turns: minutes and texts refilled"))
            has_turned = True
        amount = Decimal(entry["amount"]["amount"])
        if entry["kind"] == "usage":
            spent, count = spent + amount, count + entry["usage"]["calls"]
            continue
        usage()
        balance = Decimal(entry["balance"]["amount"])
        lines.append(row(f"{at:%d %b %H:%M}", f"{entry['kind']}, balance {balance:.2f}", amount))
    usage()
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
        f"  {granted // 60} of {billed // 60} billed minutes came from the plan's grants",
    ]
    for quota in overview["quotas"]:
        scale, name = SHOWN_UNITS[quota["unit"]]
        lines.append(
            f"  {quota['remaining'] // scale} of {quota['total'] // scale} {name} left, "
            f"{quota['percentage_used']} % used, reset on {quota['resets_at'][:10]}"
        )
    lines.append(f"  {succeeded} of {len(month.recharges)} recharges succeeded")
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
