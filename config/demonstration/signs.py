"""The page of addresses, logins and a command to copy that stays on the screen."""

import json

from config.demonstration.credentials import Credentials
from config.demonstration.places import Places

APPROVING_PHONE = "254708374149"
"""The payer who enters the PIN by itself, after a second (docs/simulators.md)."""


def doors(places: Places, credentials: Credentials, *, stripe: str, mpesa: str) -> str:
    """Everything that a person can go and try now. Shows the demo's own secrets, which are worth nothing elsewhere."""
    logins = "\n".join(f"      {name:<12} {password}" for name, password in credentials.staff.items())
    return f"""
  Open
    Pay something      {places.url}/demo/
    Admin              {places.url}/admin/
    API reference      {places.url}/docs
    M-Pesa phone       {mpesa}/_simulator/phone
    Bank's challenges  {stripe}/_simulator/phone
    Simulators         {stripe}/_simulator/  {mpesa}/_simulator/

  Staff logins
{logins}

  Take a payment yourself (this payer approves by itself; its webhooks appear below)

{_curl(places, credentials)}

  Logs are in {places.folder}; Ctrl-C stops everything.
"""


def _curl(places: Places, credentials: Credentials) -> str:
    body = json.dumps({"amount": 25000, "currency": "KES", "method": "mpesa", "phone": APPROVING_PHONE})
    lines = (
        f"curl -sS {places.url}/v1/payments",
        f'-H "Authorization: Bearer {credentials.api_key}"',
        '-H "Idempotency-Key: $(date +%s%N)"',
        '-H "Content-Type: application/json"',
        f"-d '{body}'",
    )
    return " \\\n  ".join(lines)
