"""Journeys of payments for which the payer is asked: by a code, on a page, in a wallet."""

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from tests.crash.companies import ALL, Company, Way

if TYPE_CHECKING:
    from tests.crash.clients import Client

Json = dict[str, Any]
Journey = Callable[["Client"], None]


def journeys() -> Iterator[tuple[Journey, int]]:
    """All of all companies', with how often they are taken."""
    yield _scanned_late, 3
    for company in ALL:
        for way in company.ways:
            yield _answered(company, way, way.approve), 2
            if way.decline:
                yield _answered(company, way, way.decline), 1
            if way.can_be_cancelled:
                yield _left_alone(company, way), 1
            if way.can_be_refunded:
                yield _refunded(company, way), 2
            if way.can_be_held:
                yield _held(company, way), 2
                yield _let_go(company, way), 1


def ask(client: "Client", way: Way, *, provider: str, **more: Any) -> Json | None:
    """The payment once its payer is asked; None when that does not come about in time."""
    step = 3 * way.multiple
    amount = client.chance.randrange(way.least // step, way.most // step) * step
    named = {"provider": provider} if provider else {}
    payment = client.post("/v1/payments", {**way.body, "amount": amount, **named, **more})
    return client.wait_for(payment["id"], "requires_action") if payment else None


def _answered(company: Company, way: Way, outcome: str) -> Journey:
    def journey(client: "Client") -> None:
        if waiting := ask(client, way, provider=company.name):
            client.answer(waiting, outcome)

    return journey


def _left_alone(company: Company, way: Way) -> Journey:
    """The payer goes away, and the merchant gives up."""

    def journey(client: "Client") -> None:
        if waiting := ask(client, way, provider=company.name):
            client.post(f"/v1/payments/{waiting['id']}/cancel", {}, refusals=("not_cancellable",))

    return journey


def _refunded(company: Company, way: Way) -> Journey:
    def journey(client: "Client") -> None:
        if waiting := ask(client, way, provider=company.name):
            client.answer(waiting, way.approve)
            paid = client.wait_for(waiting["id"], "succeeded")
            client.refund(paid, part=True)
            client.refund(paid, part=True)

    return journey


def _held(company: Company, way: Way) -> Journey:
    def journey(client: "Client") -> None:
        if held := _authorized(client, company, way):
            part = {"amount": held["amount"] - 100} if client.chance.random() < 0.5 else {}
            client.post(f"/v1/payments/{held['id']}/capture", part)

    return journey


def _let_go(company: Company, way: Way) -> Journey:
    def journey(client: "Client") -> None:
        if held := _authorized(client, company, way):
            client.post(f"/v1/payments/{held['id']}/cancel", {})

    return journey


def _authorized(client: "Client", company: Company, way: Way) -> Json | None:
    waiting = ask(client, way, provider=company.name, capture="manual")
    if waiting is None:
        return None
    client.answer(waiting, way.approve)
    return client.wait_for(waiting["id"], "authorized")


def _scanned_late(client: "Client") -> None:
    """A code of whoever has one. Where another was made before it, that is scanned, or both are."""
    way = next(way for company in ALL for way in company.ways if way.body["method"] == "qris")
    waiting = ask(client, way, provider="")
    if waiting is None:
        return
    first, newest = waiting["attempts"][0], waiting["attempts"][-1]
    chosen = client.chance.choice(([first], [newest], [first, newest]))
    for attempt in chosen:
        client.tell(attempt["provider"], attempt["provider_reference"], "approve")
