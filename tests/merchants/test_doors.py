"""The doors for providers, with a company of our own invention behind them."""

import logging
from dataclasses import dataclass

import pytest
from django.db import connection
from django.test import Client, RequestFactory

from core.logging import JsonFormatter
from core.providers import CallbackRefused, Door, Forged, Proof
from events import inbox, sealing, work
from events.inbox import DoorAnswer
from events.models import Attention, Callback, CallbackKey
from merchants import accounts, doors
from tests import factories

pytestmark = pytest.mark.django_db(transaction=True)

OPERATION_TOKEN = "0f" * 16


@dataclass
class Nothing:
    """Acme's accounts have neither credentials nor options."""


class Acme:
    """Signs with a word in a header, names its events in another, and breaks when told to."""

    doors = {
        "events": Door(proof=Proof.FULL),
        "result": Door(proof=Proof.WEAK, per_operation=True),
        "confirm": Door(proof=Proof.FULL, wants_answer=True),
    }

    def __init__(self):
        self.processed = []
        self.broken = False
        self.committed = []

    def find_operation(self, account, token):
        return "op_1" if token == OPERATION_TOKEN else ""

    def verify(self, arrival):
        if arrival.headers.get("acme-signature") != "right":
            raise Forged(f"{arrival.address} did not sign")

    def event_key(self, arrival):
        return arrival.headers.get("acme-event", "")

    def process(self, callback):
        self.committed.append(not connection.in_atomic_block and Callback.objects.filter(pk=callback.pk).exists())
        self.processed.append(sealing.unseal(callback, "body"))
        if self.broken:
            raise ValueError("broken")
        inbox.finish(callback, Callback.State.PROCESSED)

    def answer(self, arrival):
        return DoorAnswer(202, "application/xml", b"<ok/>")


@pytest.fixture
def acme():
    handler = Acme()
    inbox.register("acme", handler)
    nothing = lambda *_, **__: None  # noqa: E731
    accounts.register("acme", accounts.Kind("Acme", Nothing, Nothing, lambda livemode: ["x"], nothing, nothing))
    yield handler
    del inbox._handlers["acme"], accounts._kinds["acme"]


@pytest.fixture
def account(acme):
    return factories.ProviderAccountFactory(provider="acme", credentials={}, host="x")


def call(account, door="events", body=b'{"a": 1}', *, operation="", token=None, signature="right", **headers):
    path = f"/callbacks/{token or doors.account_token(account)}/{door}" + (f"/{operation}" if operation else "")
    sent = {"Acme-Signature": signature} | {name.replace("_", "-"): value for name, value in headers.items()}
    client = Client(raise_request_exception=False, REMOTE_ADDR="203.0.113.7")
    return client.generic("POST", path, body, content_type="application/json", headers=sent)


def test_a_callback_is_committed_sealed_before_it_is_processed_and_answered_in_the_providers_words(account, acme):
    response = call(account, Acme_Event="e1")
    assert (response.status_code, response["Content-Type"], response.content) == (202, "application/xml", b"<ok/>")
    row = Callback.objects.get()
    assert (row.state, row.account, row.merchant, row.door) == ("processed", account.pk, account.merchant_id, "events")
    assert (row.address, row.lane, row.request_id) == ("203.0.113.7", account.pk, response["X-Request-Id"])
    assert (row.due_at, row.claim) == (None, None)
    assert b'"a"' not in bytes(row.body)
    assert acme.processed == [b'{"a": 1}']
    assert acme.committed == [True]


@pytest.mark.parametrize("door", ["nonsense", "Events", "result", "result/" + "0" * 32, "events/" + OPERATION_TOKEN])
def test_a_wrong_door_or_operation_is_not_found_and_leaves_no_trace(account, acme, door):
    response = call(account, door)
    assert (response.status_code, response.content) == (404, b"not found")
    assert not Callback.objects.exists()
    assert acme.processed == []


@pytest.mark.parametrize("token", ["0" * 32, "x", "%00", "%F0%9F%98%80", "a" * 5000])
def test_a_wrong_token_is_not_found_and_leaves_no_trace(account, token):
    assert call(account, token=token).status_code == 404
    assert not Callback.objects.exists()


def test_a_revoked_token_is_not_found_and_an_earlier_one_stays_good(account):
    earlier = doors.account_token(account)
    doors.issue_token(account)
    assert call(account, token=earlier).status_code == 202
    first = account.callback_tokens.earliest("pk")
    first.revoked_at = first.created_at
    first.save()
    assert call(account, token=earlier).status_code == 404


def test_a_token_belongs_to_one_account(account, acme):
    other = factories.ProviderAccountFactory(provider="acme", credentials={}, host="x")
    call(other)
    assert Callback.objects.get().account == other.pk


def test_only_post_is_allowed(account):
    path = f"/callbacks/{doors.account_token(account)}/events"
    assert Client().get(path).status_code == 405


def test_a_huge_body_is_refused_unread(account, settings, acme):
    settings.CALLBACK_MAX_BYTES = 100
    assert call(account, body=b"x" * 100).status_code == 202
    assert call(account, body=b"x" * 101).status_code == 413
    assert acme.processed == [b"x" * 100]


def test_a_huge_length_is_refused_before_anything_is_looked_up(django_assert_num_queries):
    request = RequestFactory().post("/callbacks/x/events", b"", content_type="text/plain")
    request.META["CONTENT_LENGTH"] = str(10**9)
    with django_assert_num_queries(0):
        assert doors.callback(request, "x", "events").status_code == 413


def test_a_body_without_a_length_is_refused_rather_than_read_as_empty(account):
    assert call(account, Transfer_Encoding="chunked").status_code == 411
    assert not Callback.objects.exists()


@pytest.mark.parametrize("body", [b"", b'{"a": ', b"\xff\x00\xfe", b"<xml/>", b"[]", b"null"])
def test_whatever_the_body_is_it_is_kept_byte_by_byte(account, acme, body):
    assert call(account, body=body).status_code == 202
    assert sealing.unseal(Callback.objects.get(), "body") == body


def test_a_forged_callback_is_quarantined_sealed_and_moves_nothing(account, acme):
    response = call(account, signature="wrong")
    assert (response.status_code, response.content) == (400, b"refused")
    row = Callback.objects.get()
    assert (row.state, row.due_at, row.note) == ("quarantined", None, "203.0.113.7 did not sign")
    assert acme.processed == []
    assert not CallbackKey.objects.exists()
    assert [item.subject for item in Attention.objects.filter(reason="quarantined")] == [account.pk]


def test_quarantine_is_capped_per_account_and_minute(account, settings):
    settings.QUARANTINE_PER_MINUTE = 3
    other = factories.ProviderAccountFactory(provider="acme", credentials={}, host="x")
    for _ in range(5):
        assert call(account, signature="wrong").status_code == 400
    call(other, signature="wrong")
    assert Callback.objects.filter(account=account.pk).count() == 3
    assert Callback.objects.filter(account=other.pk).count() == 1


def test_a_forgery_does_not_take_the_key_of_the_true_callback(account, acme):
    call(account, signature="wrong", Acme_Event="e1")
    call(account, Acme_Event="e1")
    assert len(acme.processed) == 1


def test_a_quarantined_callback_is_let_in_once_it_fits(account, acme):
    call(account, signature="wrong")
    row = Callback.objects.get()
    with pytest.raises(CallbackRefused):
        doors.let_in_again(row)
    acme.verify = lambda arrival: None
    doors.let_in_again(row)
    inbox.process(Callback.objects.get())
    assert Callback.objects.get().state == "processed"
    assert acme.processed == [b'{"a": 1}']


def test_an_event_that_is_delivered_again_is_neither_stored_nor_processed_again(account, acme):
    for body in (b"1", b"1", b"changed"):
        assert call(account, body=body, Acme_Event="e1").status_code == 202
    call(account, body=b"2", Acme_Event="e2")
    assert acme.processed == [b"1", b"2"]
    assert Callback.objects.count() == 2


def test_a_repeat_of_what_was_not_processed_is_processed_again(account, acme):
    acme.broken = True
    call(account, Acme_Event="e1")
    acme.broken = False
    call(account, Acme_Event="e1")
    assert Callback.objects.get().state == "processed"
    assert len(acme.processed) == 2


def test_without_an_event_key_the_digest_recognises_a_repeat_for_storage_only(account, acme):
    call(account, "result", operation=OPERATION_TOKEN)
    Callback.objects.update(state="processed", due_at=None)
    call(account, "result", operation=OPERATION_TOKEN)
    row = Callback.objects.get()
    assert row.due_at is not None
    call(account, "result", b"other", operation=OPERATION_TOKEN)
    assert Callback.objects.count() == 2


def test_a_door_that_wants_an_answer_never_deduplicates(account, acme):
    for _ in range(2):
        call(account, "confirm", Acme_Event="e1")
    assert Callback.objects.count() == 2
    assert not CallbackKey.objects.exists()


def test_a_weak_callback_is_stored_for_the_task_that_asks(account, acme):
    assert call(account, "result", operation=OPERATION_TOKEN).status_code == 202
    row = Callback.objects.get()
    assert (row.state, row.operation) == ("received", "op_1")
    assert row.due_at is not None
    assert acme.processed == []


def test_what_fails_while_it_is_processed_is_answered_kept_and_swept(account, acme, caplog):
    acme.broken = True
    assert call(account).status_code == 202
    row = Callback.objects.get()
    assert row.state == "received"
    assert row.due_at is not None
    acme.broken = False
    Callback.objects.update(due_at=row.received_at)
    work.drain("callbacks")
    assert Callback.objects.get().state == "processed"


def test_the_address_is_the_sockets_unless_a_proxy_is_trusted(account, settings):
    call(account, body=b"1", X_Forwarded_For="198.51.100.9")
    settings.TRUSTED_PROXIES = ["203.0.113.0/24"]
    call(account, body=b"2", X_Forwarded_For="192.0.2.1, 198.51.100.9")
    assert list(Callback.objects.order_by("pk").values_list("address", flat=True)) == ["203.0.113.7", "198.51.100.9"]


def test_tokens_are_not_in_logs_rows_or_answers(account, acme, caplog, capfd):
    caplog.set_level(logging.DEBUG)
    acme.broken = True
    token = doors.account_token(account)
    answers = [call(account), call(account, signature="wrong"), call(account, "result", operation=OPERATION_TOKEN)]
    answers.append(call(account, "nope"))
    written = "".join(JsonFormatter().format(record) for record in caplog.records) + "".join(capfd.readouterr())
    rows = "".join(str(vars(row)) for row in Callback.objects.all())
    shown = "".join(str(answer.content) + str(answer.headers) for answer in answers)
    for secret in (token, OPERATION_TOKEN):
        assert secret not in written + rows + shown
    assert token not in repr(account.callback_tokens.get())


def test_a_callback_url_names_account_and_operation_only_by_tokens(account, settings):
    settings.PUBLIC_URL = "https://pay.example"
    token = doors.account_token(account)
    assert doors.callback_url(account, "events") == f"https://pay.example/callbacks/{token}/events"
    assert doors.callback_url(account, "result", operation="ab") == f"https://pay.example/callbacks/{token}/result/ab"
    assert len(token) == 32
    assert account.pk not in doors.callback_url(account, "events")
    row = account.callback_tokens.get()
    assert token not in (row.hash, row.pk)
    assert token.encode() not in bytes(row.token)
