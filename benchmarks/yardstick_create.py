"""The yardstick of `create`: bare psycopg 3, two processes of eight threads, the rows of one card payment.

    DATABASE_URL=… python -m benchmarks.yardstick_create --seconds 5

Plain code, one statement for each row that a payment inserts or changes, in the same three commits: the
claim before the call, the outcome after it, the answer that a repeated key gets. No HTTP, no look-ups, no
provider, no sealing. It is fixed: a change that adds rows to the path adds them here first, by itself.
"""

import argparse
import json
import multiprocessing
import os
import resource
import threading
import time
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg

PROCESSES, THREADS = 2, 8
WARM_SECONDS = 0.5

MERCHANT, KEY, ACCOUNT = (f"{prefix}_{0:026d}" for prefix in ("mer", "key", "acct"))
SEALED_INSTRUMENT, SEALED_REQUEST, SEALED_ANSWER = (os.urandom(size) for size in (72, 556, 954))
HASH = "9e107d9d372bb6826bd81d3542a419d69e107d9d372bb6826bd81d3542a419d6"
METADATA = '{"cart": "8841", "channel": "web"}'
SNAPSHOT = (
    '{"id": "pay_01m7xtnd2ben5vhskvkfb7hqnz", "late": false, "payer": null, "state": "succeeded", "amount": 1000, '
    '"method": "card", "object": "payment", "capture": "automatic", "failure": null, "attempts": [{"id": '
    '"att_01m7xtnd2ben5vhskvkgrfkty6", "state": "succeeded", "account": "acct_01m7xtncstee6b73hffr5at8nf", '
    '"failure": null, "provider": "stripe", "created_at": "2026-11-21T01:13:50.923772Z", "provider_id": '
    '"pi_000000000000000000000000", "provider_status": "succeeded", "provider_reference": '
    '"SA3ZLAQ486Q80UWGLMGI4KK217"}], "currency": "USD", "livemode": false, "metadata": {"cart": "8841", '
    '"channel": "web"}, "reference": "order-d34f2af0a1b2-123", "underpaid": false, "unconfirmed": false, "created_at": '
    '"2026-11-21T01:13:50.923508Z", "expires_at": null, "return_url": "https://shop.example.com/paid", '
    '"description": "A pair of shoes, size 42", "next_action": null, "captured_amount": 1000, "refunded_amount": 0}'
)

SEED = (
    "INSERT INTO merchants_merchant (id, name, is_active, default_region, created_at) VALUES (%(merchant)s, "
    "'Yardstick', true, '', now()) ON CONFLICT DO NOTHING",
    "INSERT INTO merchants_provideraccount (id, merchant_id, livemode, provider, name, host, options, priority, "
    "is_enabled, revision, app_fingerprint, created_at) VALUES (%(account)s, %(merchant)s, false, 'stripe', 'Stripe', "
    "'simulator', '{}', 100, true, 1, '', now()) ON CONFLICT DO NOTHING",
    "INSERT INTO ledger_account (id, owner, kind, side, currency, livemode, posted, reserved, created_at) VALUES "
    "('debit', %(account)s, 'provider_clearing', 1, 'USD', false, 0, 0, now()), "
    "('credit', %(merchant)s, 'merchant_payable', -1, 'USD', false, 0, 0, now()) ON CONFLICT DO NOTHING",
)
CLAIM = (
    "INSERT INTO events_idempotencykey (merchant, livemode, key, fingerprint, object_id, lease_until, created_at) "
    "VALUES (%(merchant)s, false, %(idempotency)s, %(hash)s, %(payment)s, %(now)s, %(now)s)",
    "INSERT INTO payments_payment (livemode, sequence, created_at, state_changed_at, id, merchant_id, state, amount, "
    "currency, method, capture, reference, description, metadata, return_url, instrument, instrument_hint, "
    "failure_code, failure_message, captured_amount, refund_reserved, refunded_amount, late, underpaid, unconfirmed, "
    "fee_is_final, is_settled, settlement_currency, settlement_reference, off_session, failure_is_final, channel, "
    "lines) VALUES "
    "(false, 0, %(now)s, %(now)s, %(payment)s, %(merchant)s, 'created', %(amount)s, 'USD', 'card', 'automatic', "
    "%(idempotency)s, 'A pair of shoes, size 42', %(metadata)s, 'https://shop.example.com/paid', %(instrument)s, '', "
    "'', '', 0, 0, 0, false, false, false, false, false, '', '', false, false, '', '[]')",
    "INSERT INTO payments_attempt (livemode, sequence, created_at, state_changed_at, id, payment_id, merchant_id, "
    "account_id, state, provider_reference, provider_id, provider_status, asked_amount, closing_as, failure_code, "
    "failure_provider_code, failure_message, late, failure_is_final) VALUES "
    "(false, 0, %(now)s, %(now)s, %(attempt)s, %(payment)s, %(merchant)s, %(account)s, 'open', %(number)s, "
    "'', '', %(amount)s, '', '', '', '', false, false)",
    "INSERT INTO payments_operation (lane, due_at, tries, livemode, sequence, created_at, state_changed_at, id, "
    "attempt_id, merchant_id, kind, state, key, token_hash, amount, currency, target_id, provider_id, request, by, "
    "sent_at, asked, failure_code, failure_message) VALUES (%(account)s, %(now)s, 0, false, 0, %(now)s, %(now)s, "
    "%(operation)s, %(attempt)s, %(merchant)s, 'create', 'sending', %(number)s, %(token)s, %(amount)s, 'USD', '', '', "
    "%(request)s, %(by)s, %(now)s, 0, '', '')",
    "INSERT INTO events_auditentry (id, merchant, livemode, actor, action, object_id, address, request_id, method, "
    "route, status, milliseconds, detail, at, mac) VALUES (%(accepted)s, %(merchant)s, false, %(by)s, 'api.accepted', "
    "%(payment)s, '127.0.0.1', %(number)s, 'POST', 'v1/payments', NULL, NULL, '{}', %(now)s, %(hash)s)",
)
TRANSITION = (
    "INSERT INTO events_transition (id, subject, sequence, from_state, to_state, by, because, request_id, at) VALUES "
    "({id}, {subject}, 1, '{before}', 'succeeded', %(by)s, 'answer to create', %(number)s, %(now)s)"
)
OUTCOME = (
    "INSERT INTO payments_receipt (id, account_id, attempt_id, livemode, kind, provider_money_id, amount, currency, "
    "source, created_at) VALUES (%(receipt)s, %(account)s, %(attempt)s, false, 'capture', %(charge)s, %(amount)s, "
    "'USD', 'answer', %(now)s)",
    "INSERT INTO ledger_transfer (id, reference, fact, phase, cause, merchant, livemode, at) VALUES (%(transfer)s, "
    "%(number)s, 'payment_captured', 'posted', %(payment)s, %(merchant)s, false, %(now)s)",
    *(
        statement
        for side, sign in (("debit", ""), ("credit", "-"))
        for statement in (
            "INSERT INTO ledger_entry (id, transfer_id, account_id, amount, at) VALUES "
            f"(%({side}_entry)s, %(transfer)s, '{side}', {sign}%(amount)s, %(now)s)",
            f"INSERT INTO ledger_unsummed (account_id, posted, reserved) VALUES ('{side}', {sign}%(amount)s, 0)",
        )
    ),
    "INSERT INTO payments_fee (lane, due_at, tries, id, receipt_id, currency, reference, asked, created_at) VALUES "
    "(%(account)s, %(later)s, 0, %(fee)s, %(receipt)s, 'USD', '', 0, %(now)s)",
    "UPDATE payments_attempt SET provider_id = %(intent)s, provider_status = 'succeeded', state = 'succeeded', "
    "sequence = 1, state_changed_at = %(now)s WHERE id = %(attempt)s",
    TRANSITION.format(id="%(attempt_step)s", subject="%(attempt)s", before="open"),
    "UPDATE payments_payment SET captured_amount = %(amount)s, state = 'succeeded', sequence = 1, "
    "state_changed_at = %(now)s WHERE id = %(payment)s",
    TRANSITION.format(id="%(payment_step)s", subject="%(payment)s", before="created"),
    "INSERT INTO events_event (id, merchant, livemode, type, subject, sequence, store, data, api_version, request_id, "
    "created_at) VALUES (%(event)s, %(merchant)s, false, 'payment.succeeded', %(payment)s, 1, '', %(snapshot)s, "
    "'2026-11-20', %(number)s, %(now)s)",
    "UPDATE payments_operation SET provider_id = %(intent)s, due_at = NULL, state = 'succeeded', sequence = 1, "
    "state_changed_at = %(now)s WHERE id = %(operation)s",
    TRANSITION.format(id="%(operation_step)s", subject="%(operation)s", before="sending"),
)
ANSWER = (
    "INSERT INTO events_idempotencyanswer (id, merchant, livemode, key, data_key_owner, status, body, created_at) "
    "VALUES (%(answer)s, %(merchant)s, false, %(idempotency)s, '', 201, %(body)s, %(now)s)",
    "INSERT INTO events_auditentry (id, merchant, livemode, actor, action, object_id, address, request_id, method, "
    "route, status, milliseconds, detail, at, mac) VALUES (%(answered)s, %(merchant)s, false, %(by)s, 'api.answered', "
    "%(payment)s, '127.0.0.1', %(number)s, 'POST', 'v1/payments', 201, 12, '{}', %(now)s, %(hash)s)",
)


def values(number: str, amount: int) -> dict[str, Any]:
    """What the statements name, for one payment. `number` has 26 characters and sorts by time."""
    return {
        "merchant": MERCHANT,
        "account": ACCOUNT,
        "by": KEY,
        "number": number,
        "idempotency": f"order-{number}",
        "amount": amount,
        "now": datetime.now(UTC),
        "hash": HASH,
        "token": number + HASH[:38],
        "metadata": METADATA,
        "snapshot": SNAPSHOT,
        "instrument": SEALED_INSTRUMENT,
        "request": SEALED_REQUEST,
        "body": SEALED_ANSWER,
        "payment": f"pay_{number}",
        "attempt": f"att_{number}",
        "operation": f"op_{number}",
        "receipt": f"rcpt_{number}",
        "event": f"evt_{number}",
        "answer": f"idem_{number}",
        "accepted": f"aud_{number[:-1]}a",
        "answered": f"aud_{number[:-1]}b",
        "attempt_step": f"trn_{number[:-1]}a",
        "payment_step": f"trn_{number[:-1]}b",
        "operation_step": f"trn_{number[:-1]}c",
        "transfer": f"xfer_{number}",
        "debit_entry": f"ent_{number[:-1]}a",
        "credit_entry": f"ent_{number[:-1]}b",
        "fee": f"fee_{number}",
        "later": datetime.now(UTC) + timedelta(minutes=5),
        "intent": f"pi_{number}",
        "charge": f"ch_{number}",
    }


def pay(connection: psycopg.Connection, given: dict[str, Any]) -> None:
    for statements in (CLAIM, OUTCOME, ANSWER):
        for statement in statements:
            connection.execute(statement, given)
        connection.commit()


def work(place: int, start: float, seconds: float, done: list[int]) -> None:
    """Pay until the time is over; `done` gets how many in all, and how many after the warm half second."""
    total = counted = 0
    with psycopg.connect(os.environ["DATABASE_URL"]) as connection:
        while time.time() < start + WARM_SECONDS + seconds:
            number = f"{time.time_ns():020d}{place:05d}0"
            pay(connection, values(number, 1000 + total % 9000))
            total += 1
            counted += start + WARM_SECONDS <= time.time() < start + WARM_SECONDS + seconds
    done[:] = [total, counted]


def run_threads(process: int, start: float, seconds: float, results: "multiprocessing.Queue[list[int]]") -> None:
    done = [[0, 0] for _ in range(THREADS)]
    threads = [
        threading.Thread(target=work, args=(process * THREADS + place, start, seconds, done[place]))
        for place in range(THREADS)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    results.put([sum(column) for column in zip(*done, strict=True)])


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--seconds", type=float, required=True)
    seconds = parser.parse_args().seconds
    with psycopg.connect(os.environ["DATABASE_URL"]) as connection:
        for statement in SEED:
            connection.execute(statement, {"merchant": MERCHANT, "account": ACCOUNT})
    results: multiprocessing.Queue[list[int]] = multiprocessing.Queue()
    start = time.time()
    processes = [
        multiprocessing.Process(target=run_threads, args=(place, start, seconds, results)) for place in range(PROCESSES)
    ]
    for process in processes:
        process.start()
    total, counted = (sum(column) for column in zip(*(results.get() for _ in processes), strict=True))
    for process in processes:
        process.join()
    cpu = resource.getrusage(resource.RUSAGE_CHILDREN)
    print(json.dumps({"answered": total, "rate": counted / seconds, "cpu": cpu.ru_utime + cpu.ru_stime}))


if __name__ == "__main__":
    main()
