"""Everybody who uses what was bought: diallers with their calls, members with their licences."""

from collections.abc import Callable, Mapping

from simulation.callers import Callers
from simulation.holders import Holders
from simulation.holds_checker import HoldsChecker
from simulation.provider import Provider
from simulation.switchboard import open_switchboard
from simulation.world import World

Operations = Mapping[Callable[[], str], int]


class Users:
    """Their operations with weights, beside one another and in between anybody's calls."""

    def __init__(self, world: World, provider: Provider, checker: HoldsChecker) -> None:
        board = open_switchboard(world)
        callers = Callers(world, board, provider, checker)
        holders = Holders(world, board)
        self.operations: Operations = {**callers.operations, **holders.operations}
        self.concurrent: Operations = {**callers.concurrent, **holders.concurrent}
