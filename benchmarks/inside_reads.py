"""What `benchmarks.hand` does for the cases that read: a long history of transactions, and the count of audit rows."""

from collections.abc import Callable
from typing import Any

from django.db import connection

from core.pages import Place
from events.models import AuditEntry
from merchants.models import Merchant, ProviderAccount
from payments.models import Attempt, Payment, Refund

_STEPS = 50
"""How many places of the deeper half are given."""

# One second between two transactions, four payments to a refund, spread over the year as a merchant's are.
_PAYMENTS = """
INSERT INTO {payment} (id, merchant_id, livemode, sequence, created_at, state_changed_at, state, amount, currency,
    method, capture, reference, description, metadata, return_url, instrument_hint, failure_code, failure_message,
    captured_amount, refund_reserved, refunded_amount, late, underpaid, unconfirmed, fee_is_final,
    settlement_currency, settlement_reference, is_settled, off_session, failure_is_final, channel, lines)
SELECT 'pay_' || lpad(n::text, 26, '0'), %(merchant)s, false, 1, now() - make_interval(secs => %(rows)s - n), now(),
    CASE WHEN n %% 10 = 0 THEN 'failed' ELSE 'succeeded' END, 1000 + n %% 9000, 'USD', 'card', 'automatic',
    'order-' || n, '', '{{}}', '', '', '', '', 0, 0, 0, false, false, false, false, '', '', false, false, false, '',
    '[]'
FROM generate_series(1, %(rows)s) n WHERE n %% 5 > 0
"""
_ATTEMPTS = """
INSERT INTO {attempt} (id, payment_id, merchant_id, account_id, livemode, sequence, created_at, state_changed_at, state,
    provider_reference, provider_id, provider_status, asked_amount, closing_as, failure_code, failure_provider_code,
    failure_message, late, failure_is_final)
SELECT 'att_' || lpad(n::text, 26, '0'), 'pay_' || lpad(n::text, 26, '0'), %(merchant)s, %(account)s, false, 1,
    now(), now(), 'succeeded', 'R' || n, 'pi_' || n, 'succeeded', 1000, '', '', '', '', false, false
FROM generate_series(1, %(rows)s) n WHERE n %% 5 > 0
"""
_REFUNDS = """
INSERT INTO {refund} (id, payment_id, attempt_id, merchant_id, livemode, sequence, created_at, state_changed_at, state,
    amount, currency, reason, metadata, origin, provider_id, provider_status, failure_code, failure_message)
SELECT 'ref_' || lpad(n::text, 26, '0'), 'pay_' || lpad((n - 1)::text, 26, '0'), 'att_' || lpad((n - 1)::text, 26, '0'),
    %(merchant)s, false, 1, now() - make_interval(secs => %(rows)s - n), now(), 'succeeded', 500, 'USD', '', '{{}}',
    'api', 're_' || n, 'succeeded', '', ''
FROM generate_series(1, %(rows)s) n WHERE n %% 5 = 0
"""


def history(*, rows: int) -> dict[str, Any]:
    """So many transactions of the seeded merchant; `cursors` are places in the older half."""
    merchant = Merchant.objects.get(name="Benchmark")
    given = {"rows": rows, "merchant": merchant.pk, "account": ProviderAccount.objects.get(merchant=merchant).pk}
    tables = {model.__name__.lower(): model._meta.db_table for model in (Payment, Attempt, Refund)}
    with connection.cursor() as cursor:
        for statement in (_PAYMENTS, _ATTEMPTS, _REFUNDS):
            cursor.execute(statement.format(**tables), given)
        cursor.execute("VACUUM ANALYZE")
    return {"cursors": [_cursor(rows, step) for step in range(_STEPS)]}


def _cursor(rows: int, step: int) -> str:
    number = rows // 2 - step * (rows // 2 // _STEPS)
    payment = Payment.objects.get(pk=f"pay_{number - number % 5 + 1:026d}")
    return Place(payment.created_at, payment.pk).encoded()


def answered() -> dict[str, Any]:
    """How many requests the audit log tells of."""
    return {"answered": AuditEntry.objects.filter(action="api.answered").count()}


COMMANDS: dict[str, Callable[..., dict[str, Any]]] = {command.__name__: command for command in (history, answered)}
