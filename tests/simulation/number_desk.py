"""The carrier's desk: it provides what was ordered, or does not; and people look after numbers."""

from collections.abc import Callable
from dataclasses import replace

from billing.domain.audit import By
from billing.domain.errors import ConflictError
from billing.domain.numbers import NumberState, PhoneNumber, leaving
from billing.domain.records import Operation
from billing.services.manage_numbers import NumberPayment
from simulation.asking import Act, Asker
from simulation.shop import NOT_PAID, RETRIED, Shop
from simulation.shoppers import ANN
from simulation.tenants import SITES, Site
from simulation.world import World

OPERATOR = By("operator", None)
NOT_PROVIDED = 0.15
"""Numbers that the carrier cannot provide."""


class NumberDesk:
    """What it says of a number, it says again until it is heard."""

    def __init__(self, world: World, shop: Shop) -> None:
        self.payments = Asker(world, "pay", *NOT_PAID, ConflictError)
        self._world = world
        self._manage = shop.manage_numbers
        self._said: dict[PhoneNumber, str] = {}

    def provide(self) -> str:
        """A number that waits is provided, or never will be; the carrier does not change its
        mind."""
        waiting = self._in(NumberState.PENDING)
        if not waiting:
            return "no number waits"
        return self._say(self._world.random.choice(waiting))

    def provide_all(self) -> str:
        return ", ".join(self._say(number) for number in self._in(NumberState.PENDING))

    def say_again(self) -> str:
        """Of a number that it has spoken of before, whatever has become of it since."""
        if not self._said:
            return "nothing was said"
        return self._say(self._world.random.choice([*self._said][-20:]))

    def _say(self, number: PhoneNumber) -> str:
        if number not in self._said:
            is_failed = self._world.random.random() < NOT_PROVIDED
            self._said[number] = "failed" if is_failed else "provisioned"
        said = self._said[number]
        act = self._manage.failed if said == "failed" else self._manage.provisioned
        return self._try(lambda: act(number.account, number.e164, OPERATOR), number, said)

    def let_go(self) -> str:
        number = self._any(NumberState.ACTIVE, NumberState.ON_HOLD)
        if number is None:
            return "no number"
        return self._try(
            lambda: self._manage.release(number.account, number.e164, ANN), number, "let go of"
        )

    def amend(self) -> str:
        """Auto-pay on or off; or it is kept after all."""
        number = self._any(NumberState.ACTIVE, NumberState.ON_HOLD)
        if number is None:
            return "no number"
        is_auto_pay = not number.is_auto_pay

        def amended(one: PhoneNumber) -> PhoneNumber:
            if number.is_leaving:
                return leaving(one, is_leaving=False)
            return replace(one, is_auto_pay=is_auto_pay)

        def act() -> None:
            self._manage.amend(number.account, number.e164, amended, "changed", ANN)

        return self._try(act, number, "amended")

    def pay(self) -> str:
        """Mostly for one on hold; for another there is nothing to pay."""
        number = self._any(NumberState.ON_HOLD) or self._any(NumberState.ACTIVE)
        if number is None:
            return "no number"
        site = next(one for one in SITES if one.ref == number.account)
        payer = self._world.random.choice(("wallet", *site.cards))
        return self.payments.ask(site, [number.e164, payer], self._paying(site, number, payer))

    def pay_again(self) -> str:
        return self.payments.again()

    def _paying(self, site: Site, number: PhoneNumber, payer: str) -> Act:
        def pay(operation: Operation) -> None:
            wanted = NumberPayment(
                e164=number.e164,
                operation=operation,
                by=ANN,
                is_from_wallet=payer == "wallet",
                source_id=None if payer == "wallet" else payer,
            )
            self._manage.pay(site.ref, wanted)

        return pay

    def _try(self, act: Callable[[], None], number: PhoneNumber, what: str) -> str:
        try:
            act()
        except (*RETRIED, ConflictError) as error:
            return f"{number.account} {number.e164} {what}: {error!r}"
        return f"{number.account} {number.e164} {what}"

    def _in(self, *states: NumberState) -> list[PhoneNumber]:
        book = self._world.book
        return [
            one
            for site in SITES
            for one in book.things(site.ref, PhoneNumber)
            if one.state in states
        ]

    def _any(self, *states: NumberState) -> PhoneNumber | None:
        found = self._in(*states)
        return self._world.random.choice(found) if found else None
