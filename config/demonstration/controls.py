"""The payers' hands: what a person does at a provider's simulator, over its own controls."""

import json
from typing import Any

from config.demonstration.telling import CannotGoOn
from core.http import HttpFault, Request, send

_DEADLINE_SECONDS = 15.0


def control(simulator: str, what: str, **told: object) -> dict[str, Any]:
    """What the simulator at that address answers. Raises CannotGoOn."""
    url, headers = f"{simulator}/_simulator/{what}", {"Content-Type": "application/json"}
    try:
        answer = send(Request("POST", url, headers, json.dumps(told).encode()), deadline=_DEADLINE_SECONDS)
        if answer.status != 200:
            raise CannotGoOn(f"POST {url} answered {answer.status}: {answer.body[:200].decode(errors='replace')}")
        found: dict[str, Any] = json.loads(answer.body)
    except (HttpFault, ValueError) as fault:
        raise CannotGoOn(f"{url} does not answer: {fault}") from fault
    return found
