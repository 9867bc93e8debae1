"""What an overview says of each state, in a line."""

from collections.abc import Iterable
from typing import Any

from local.states import State

# Any: decoded JSON, throughout.
Json = Any


HEADING = ("state", "standing", "balance", "used", "recharge", "what stands")


def table(shown: Iterable[tuple[State, Json]]) -> list[str]:
    """The states in columns; each thing that stands has a line."""
    rows: list[tuple[str, ...]] = [HEADING]
    for state, overview in shown:
        first, *others = standing(overview) or ["nothing"]
        rows.append((state.name, *_cells(overview), first))
        rows += [("",) * (len(HEADING) - 1) + (other,) for other in others]
    widths = [max(len(row[column]) for row in rows) for column in range(len(HEADING))]
    return [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    ]


def _cells(overview: Json) -> tuple[str, str, str, str]:
    used = max(overview["quotas"], key=lambda quota: float(quota["percentage_used"]), default=None)
    return (
        overview["standing"],
        overview["balance"]["settled"]["amount"],
        f"{used['percentage_used']} %" if used else "",
        overview["recharge"]["state"],
    )


def standing(overview: Json) -> list[str]:
    """What somebody should know of an account, in a few words each."""
    alerts = overview["alerts"]
    found = [alert["type"] for alert in alerts if not alert.get("grant")]
    # Of what is reached, the most: they stand in that order.
    grants = (alert for alert in alerts if alert.get("grant"))
    reached = {alert["grant"].partition(":")[0]: alert["percent"] for alert in grants}
    found += [f"{percent} % of {grant} used" for grant, percent in reached.items()]
    if overview["standing"] == "suspended":
        found.append("no outbound calls")
    owed = overview["owed"]
    if owed["invoices"]:
        found.append(f"owes {owed['total']['amount']}")
    if owed["next_try_at"]:
        found.append(f"tried again {owed['next_try_at'][:10]}")
    if owed["on_hold_at"]:
        found.append(f"outbound stops {owed['on_hold_at'][:10]}")
    for number in overview["numbers"]:
        if number["state"] == "on_hold":
            reason, lost_on = number["hold_reason"], number["release_at"][:10]
            found.append(f"{number['number']} {reason}, released {lost_on}")
    return found
