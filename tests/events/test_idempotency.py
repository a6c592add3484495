"""A merchant's key binds a request to one object for ever; a repeat gets the first answer."""

import json
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import timedelta

import pytest
from django.db import IntegrityError, connection, transaction

from core import clock
from core.errors import Conflict, IdempotencyInProgress, IdempotencyKeyReused, NotFound
from events import audit, idempotency, sealing
from events.idempotency import Claim
from events.models import AuditEntry, IdempotencyAnswer, IdempotencyKey
from merchants.models import WebhookEndpoint
from tests import factories

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def merchant():
    return factories.MerchantFactory()


def claim_of(merchant, *, key="order-1", request="first", livemode=False):
    def entry(action, object_id, **detail):
        return audit.entry(
            actor="key_1", action=action, merchant=merchant.pk, livemode=livemode, object_id=object_id, detail=detail
        )

    return Claim(
        merchant=merchant.pk,
        livemode=livemode,
        key=key,
        fingerprints=idempotency.request_fingerprints(request, livemode=livemode),
        accepted=lambda object_id: entry("api.accepted", object_id),
        answered=lambda object_id, status: entry("api.answered", object_id, status=status),
    )


class Caller:
    """Makes an endpoint once. `after` happens between the claim's commit and the answer."""

    def __init__(self, merchant, after=lambda: None, **claim):
        self.claim = claim_of(merchant, **claim)
        self.merchant, self.after = merchant, after

    def act(self):
        endpoint = WebhookEndpoint(merchant=self.merchant, url="https://a.example", api_version="1")
        self.claim.bind(endpoint.pk, endpoint)
        self.after()
        return endpoint

    def present(self, row):
        return {"id": row.pk, "url": row.url, "secret": "whsec_once"}


def once(merchant, **options):
    caller = Caller(merchant, **options)
    return idempotency.once(
        caller.claim,
        act=caller.act,
        resume=lambda public_id: WebhookEndpoint.objects.get(pk=public_id),
        present=caller.present,
        status=201,
    )


def crash():
    raise SystemExit


def test_the_same_key_fifty_times_at_once_is_done_exactly_once(merchant):
    together = threading.Barrier(50)

    def call():
        try:
            together.wait(20)
            return once(merchant)
        except IdempotencyInProgress as refusal:
            return refusal
        finally:
            connection.close()

    with ThreadPoolExecutor(50) as pool:
        answers = [future.result(30) for future in [pool.submit(call) for _ in range(50)]]
    endpoint = WebhookEndpoint.objects.get()
    done = [answer for answer in answers if not isinstance(answer, Exception)]
    assert [answer.replayed for answer in done].count(False) == 1
    assert {answer.body["id"] for answer in done} == {endpoint.pk}
    assert IdempotencyKey.objects.get().object_id == endpoint.pk
    assert AuditEntry.objects.filter(action="api.accepted").count() == 1
    assert once(merchant).replayed


def test_the_first_answer_is_replayed_whatever_has_become_of_the_object(merchant):
    first = once(merchant)
    WebhookEndpoint.objects.update(url="https://changed.example")
    second = once(merchant)
    assert (first.status, first.replayed, first.body["url"]) == (201, False, "https://a.example")
    assert (second.status, second.replayed, second.body["url"]) == (201, True, "https://a.example")


def test_a_stored_answer_is_sealed_and_leaves_secrets_out(merchant):
    assert once(merchant).body["secret"] == "whsec_once"
    assert once(merchant).body["secret"] is None
    kept = IdempotencyAnswer.objects.get()
    assert b"a.example" not in bytes(kept.body)
    assert json.loads(sealing.unseal(kept, "body"))["secret"] is None
    assert "a.example" not in repr(once(merchant))


def test_another_request_with_the_key_is_refused_and_does_nothing(merchant):
    made = once(merchant).body["id"]
    with pytest.raises(IdempotencyKeyReused, match=made) as refusal:
        once(merchant, request="second")
    assert (refusal.value.status, refusal.value.code) == (422, "idempotency_key_reused")
    assert WebhookEndpoint.objects.count() == 1


def test_a_key_is_of_one_merchant_and_one_mode(merchant):
    claims = [(merchant, False), (merchant, True), (factories.MerchantFactory(), False)]
    for owner, livemode in claims:
        caller = Caller(owner, livemode=livemode)
        caller.claim.bind("we_1")
    assert IdempotencyKey.objects.count() == 3


def test_while_the_first_is_running_a_repeat_is_told_to_wait_and_binds_nothing(merchant):
    def ask_again():
        with pytest.raises(IdempotencyInProgress) as refusal:
            once(merchant)
        assert (refusal.value.status, refusal.value.retry_after) == (409, 5)

    assert once(merchant, after=ask_again).status == 201
    assert WebhookEndpoint.objects.count() == 1


def test_a_request_that_died_is_continued_once_its_lease_has_ended(merchant, settings):
    with pytest.raises(SystemExit):
        once(merchant, after=crash)
    with pytest.raises(IdempotencyInProgress):
        once(merchant)
    with clock.shifted(settings.IDEMPOTENCY_LEASE + timedelta(seconds=1)):
        answer = once(merchant)
        assert (answer.status, answer.replayed) == (201, True)
        assert answer.body["id"] == WebhookEndpoint.objects.get().pk == once(merchant).body["id"]


def test_of_two_that_take_over_only_one_continues(merchant, settings):
    with pytest.raises(SystemExit):
        once(merchant, after=crash)
    resumed = []

    def resume(public_id):
        resumed.append(public_id)
        with pytest.raises(IdempotencyInProgress):
            once(merchant)
        return WebhookEndpoint.objects.get(pk=public_id)

    caller = Caller(merchant)
    with clock.shifted(settings.IDEMPOTENCY_LEASE + timedelta(seconds=1)):
        idempotency.once(caller.claim, act=caller.act, resume=resume, present=caller.present, status=201)
    assert len(resumed) == 1


def test_once_its_answer_is_purged_a_key_answers_with_the_object_as_it_is_now_as_often_as_asked(merchant, settings):
    made = once(merchant).body["id"]
    WebhookEndpoint.objects.update(url="https://changed.example")
    assert idempotency.purge_answers() == 0
    with clock.shifted(settings.IDEMPOTENCY_ANSWERS_KEPT + timedelta(seconds=1)):
        assert idempotency.purge_answers() == 1
        for _ in range(3):
            answer = once(merchant)
            assert (answer.body["id"], answer.body["url"]) == (made, "https://changed.example")
        with pytest.raises(IdempotencyKeyReused):
            once(merchant, request="second")
    assert WebhookEndpoint.objects.count() == 1


def test_a_refusal_that_echoes_the_keys_own_first_request_is_answered_as_that_was(merchant):
    made = once(merchant).body["id"]

    def refuse():
        raise Conflict("nothing is left to refund")

    claim = claim_of(merchant)
    answer = idempotency.once(claim, act=refuse, resume=lambda _: None, present=dict, status=201)
    assert (answer.body["id"], answer.replayed) == (made, True)


def test_a_refusal_binds_no_key(merchant):
    def refuse():
        raise NotFound("no such payment")

    with pytest.raises(NotFound):
        idempotency.once(claim_of(merchant), act=refuse, resume=lambda _: None, present=dict, status=201)
    assert not IdempotencyKey.objects.exists()
    assert once(merchant, request="another").status == 201


def test_a_violated_constraint_that_is_not_the_keys_is_no_repeat(merchant):
    endpoint = factories.WebhookEndpointFactory(merchant=merchant)
    twin = WebhookEndpoint(pk=endpoint.pk, merchant=merchant, url="x", api_version="1")
    with pytest.raises(IntegrityError):
        claim_of(merchant).bind(twin.pk, twin)
    assert not IdempotencyKey.objects.exists()
    assert not AuditEntry.objects.filter(action="api.accepted").exists()


def test_the_claim_the_rows_and_the_audit_commit_together(merchant):
    with suppress(ZeroDivisionError), transaction.atomic():
        claim_of(merchant).bind("we_1")
        1 / 0  # noqa: B018
    assert not IdempotencyKey.objects.exists()
    once(merchant)
    told = AuditEntry.objects.filter(action__startswith="api.").order_by("pk")
    assert [row.action for row in told] == ["api.accepted", "api.answered"]
    assert {row.object_id for row in told} == {WebhookEndpoint.objects.get().pk}
    assert all(audit.is_intact(row) for row in told)


def test_a_fingerprint_is_keyed_and_tells_requests_and_modes_apart():
    made = {
        idempotency.request_fingerprints(*parts, livemode=livemode)
        for parts in (("POST", "/a", "{}"), ("POST", "/a{}", ""), ("POST", "/b", "{}"))
        for livemode in (True, False)
    }
    assert len(made) == 6
