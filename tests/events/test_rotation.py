"""The master key is rotated while everything serves, by a command that can be killed and run again."""

import base64
import os
import subprocess
import sys
import threading
import time
from contextlib import contextmanager
from datetime import timedelta
from io import StringIO
from pathlib import Path

import pytest
from django.conf import settings as django_settings
from django.core.management import CommandError, call_command
from django.db import connection, transaction

from core import clock, crypto
from core.crypto import KeyRing, Purpose
from events import audit, keys, resealing, sealing
from events.models import AuditEntry, DataKey, InheritedKey
from merchants.models import CallbackToken, ProviderAccount
from payments.models import Attempt, Payment
from payments.services import payer_links, prompts
from payments.services.locking import lock_attempt
from tests import factories

pytestmark = pytest.mark.django_db(transaction=True)

ROOT = Path(__file__).resolve().parents[2]
OLD, NEW, NEWEST = b"o" * 32, b"n" * 32, b"m" * 32


@pytest.fixture
def under(settings):
    """`under(new=…, old=…)` gives this process that ring, as after a restart."""

    def use(**ring):
        settings.KEY_RING = KeyRing(ring)
        sealing.forget()

    use(old=OLD)
    return use


def rotate(*words, **options):
    told = StringIO()
    call_command("rotate_keys", *words, stdout=told, **options)
    return told.getvalue()


def phone_of(payment):
    return sealing.unseal_secret(Payment.objects.get(pk=payment.pk), "instrument").reveal()


def masters():
    return set(DataKey.objects.values_list("master_key", flat=True))


def test_everything_is_wrapped_by_the_new_key_and_the_old_one_can_be_dropped(under):
    payments = [factories.PaymentFactory(instrument=f"25470837414{number}") for number in range(3)]
    under(new=NEW, old=OLD)
    told = rotate()
    assert masters() == {"new"}
    assert "data keys wrapped: 3\n" in told
    assert "'old' can be dropped" in told
    under(new=NEW)
    assert [phone_of(payment) for payment in payments] == [f"25470837414{number}" for number in range(3)]
    assert "everything is under it" in rotate()


def test_hashes_that_cannot_be_made_anew_outlive_their_master_key_twice(under, api):
    factories.PaymentFactory(instrument="254708374149")
    told_of = audit.record(actor="tests", action="tests.told")
    token = sealing.token_hash("t" * 32, livemode=True)
    assert api.get("/v1/events").status_code == 200
    for ring in ({"new": NEW, "old": OLD}, {"newest": NEWEST, "new": NEW}):
        under(**ring)
        told = rotate()
        assert "API keys: 1 rows" in told
        under(**dict([next(iter(ring.items()))]))
        assert api.get("/v1/events").status_code == 200
        assert audit.is_intact(AuditEntry.objects.get(pk=told_of.pk))
        assert token in sealing.token_hashes("t" * 32)
    assert set(InheritedKey.objects.values_list("from_key", "master_key")) == {("old", "newest"), ("new", "newest")}


def test_a_hash_under_a_key_that_was_never_inherited_is_not_found(under, api):
    under(stranger=NEWEST)
    assert api.get("/v1/events").status_code == 401


@pytest.fixture
def api(under, api):
    """The caller's key is hashed under the old master key."""
    from merchants.authentication import key_hash
    from merchants.models import ApiKey

    ApiKey.objects.update(hash=key_hash(api.key.presented))
    return api


def test_callback_paths_and_open_prompts_are_hashed_anew_from_their_sealed_originals(under):
    account = factories.ProviderAccountFactory(mpesa=True)
    payment = factories.PaymentFactory(merchant=account.merchant, instrument="254708374149")
    attempt = factories.AttemptFactory(
        payment=payment, account=account, prompt_lock=prompts.lock_of(account, "254708374149")
    )
    token = sealing.unseal_secret(CallbackToken.objects.get(), "token").reveal()
    under(new=NEW, old=OLD)
    told = rotate()
    assert "callback paths hashed anew: 1\n" in told
    assert "open prompts hashed anew: 1\n" in told
    ring = KeyRing({"new": NEW})
    assert CallbackToken.objects.get().hash == ring.keyed_hash(Purpose.PATH_TOKEN, token, livemode=False)
    assert Attempt.objects.get(pk=attempt.pk).prompt_lock == prompts.lock_of(account, "254708374149")
    assert "callback paths hashed anew: 0\n" in rotate()


def test_the_run_is_audited_and_one_that_changes_nothing_is_not(under):
    factories.PaymentFactory(instrument="254708374149")
    under(new=NEW, old=OLD)
    rotate()
    rotate()
    entry = AuditEntry.objects.get(action="keys.rotated")
    assert entry.detail["to"] == "new"
    assert (entry.detail["from"], entry.detail["wrapped"]) == (["old"], 1)


def refused(*words):
    before = list(DataKey.objects.order_by("pk").values_list("pk", "master_key", "wrapped"))
    with pytest.raises(CommandError) as fault:
        rotate(*words)
    after = list(DataKey.objects.order_by("pk").values_list("pk", "master_key", "wrapped"))
    assert [tuple(map(bytes_or_text, row)) for row in after] == [tuple(map(bytes_or_text, row)) for row in before]
    return str(fault.value)


def bytes_or_text(value):
    return bytes(value) if isinstance(value, memoryview) else value


def test_a_new_key_that_stands_behind_the_old_one_is_told_apart(under):
    factories.PaymentFactory(instrument="254708374149")
    under(old=OLD, new=NEW)
    assert "'new', which stands behind 'old' in MASTER_KEYS. If it is the new key, put it first." in refused()
    assert not InheritedKey.objects.exists()


def test_a_key_that_only_made_hashes_is_rotated_away_from_when_it_is_named(under, api):
    under(new=NEW, old=OLD)
    factories.PaymentFactory(instrument="254708374149")
    DataKey.objects.exclude(master_key="new").delete()
    assert "--from old" in refused()
    assert "'old' can be dropped" in rotate("--from", "old")
    under(new=NEW)
    assert api.get("/v1/events").status_code == 200


def test_a_name_that_is_not_on_the_ring_is_refused(under):
    assert refused("--from", "lost") == "'lost' is not in MASTER_KEYS."


def test_a_key_that_was_rotated_away_from_does_not_come_back_first(under):
    factories.PaymentFactory(instrument="254708374149")
    under(new=NEW, old=OLD)
    rotate()
    under(old=OLD, new=NEW)
    assert refused().startswith("'old' stands first in MASTER_KEYS, but was rotated away from.")


def test_a_missing_old_key_is_named_and_nothing_is_changed(under):
    factories.PaymentFactory(instrument="254708374149")
    under(new=NEW)
    assert refused().startswith("1 data keys are wrapped by the master key 'old', which is not in MASTER_KEYS.")


def test_an_old_key_with_other_bytes_is_named_and_not_shown(under):
    factories.PaymentFactory(instrument="254708374149")
    under(new=NEW, old=NEWEST)
    told = refused()
    assert told.startswith("MASTER_KEYS holds other bytes under the name 'old'")
    assert base64.b64encode(NEWEST).decode() not in told


@contextmanager
def load(merchants):
    """Threads that seal and unseal, each time as a process that remembers nothing, and what went wrong in them."""
    faults, rounds, over = [], [], threading.Event()

    def work(number):
        try:
            while not over.is_set():
                sealing.forget()
                payment = factories.PaymentFactory(
                    merchant=merchants[number % len(merchants)], instrument="254708374149"
                )
                assert phone_of(payment) == "254708374149"
                rounds.append(payment)
        except Exception as fault:  # noqa: BLE001  (a thread's fault is the test's to tell)
            faults.append(fault)
        finally:
            connection.close()

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    yield faults, rounds
    over.set()
    for thread in threads:
        thread.join(30)


def wait_until(holds):
    until = time.monotonic() + 30
    while not holds():
        assert time.monotonic() < until
        time.sleep(0.01)


def test_it_is_rotated_and_resealed_under_load(under):
    merchants = [factories.PaymentFactory(instrument="254708374149").merchant for _ in range(6)]
    under(new=NEW, old=OLD)
    with load(merchants) as (faults, rounds):
        wait_until(lambda: faults or len(rounds) > 4)
        rotate("--reseal", batch=2, pause=0.01)
        seen = len(rounds)
        wait_until(lambda: faults or len(rounds) > seen + 4)
    assert faults == []
    under(new=NEW)
    assert {phone_of(payment) for payment in rounds} == {"254708374149"}
    assert masters() == {"new"}


def ring_text(**ring):
    return ",".join(f"{name}:{base64.b64encode(key).decode()}" for name, key in ring.items())


def start_rotation(*words):
    """The command as a process of its own, on this test's database."""
    held = connection.settings_dict
    url = f"postgresql://{held['USER']}:{held['PASSWORD']}@{held['HOST']}:{held['PORT']}/{held['NAME']}"
    environment = {**os.environ, "DATABASE_URL": url, "MASTER_KEYS": ring_text(new=NEW, old=OLD)}
    return subprocess.Popen(
        [sys.executable, "manage.py", "rotate_keys", *words],
        cwd=ROOT,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def test_a_run_that_is_killed_half_way_is_finished_by_the_next(under):
    payments = [factories.PaymentFactory(instrument="254708374149") for _ in range(6)]
    process = start_rotation("--batch", "2", "--pause", "60")
    assert process.stdout.readline() == "data keys wrapped: 2\n"
    process.kill()
    process.communicate()
    assert sorted(DataKey.objects.values_list("master_key", flat=True)) == ["new"] * 2 + ["old"] * 4
    under(new=NEW, old=OLD)
    assert {phone_of(payment) for payment in payments} == {"254708374149"}
    told, _ = start_rotation().communicate(timeout=60)
    assert "data keys wrapped: 4\n" in told
    assert "'old' can be dropped" in told
    under(new=NEW)
    assert {phone_of(payment) for payment in payments} == {"254708374149"}


def test_sealed_columns_move_to_fresh_data_keys_and_the_earlier_ones_are_destroyed(under):
    account = factories.ProviderAccountFactory()
    payment = factories.PaymentFactory(merchant=account.merchant, instrument="254708374149")
    before, sealed = DataKey.objects.get(), bytes(payment.instrument)
    told = rotate("--reseal")
    assert "payments_payment.instrument sealed again: 1\n" in told
    assert "retired data keys that wait: 1. Run this again after 5 minutes." in told
    assert bytes(Payment.objects.get().instrument) != sealed
    assert DataKey.objects.count() == 2
    with clock.shifted(resealing.MARGIN + timedelta(seconds=1)):
        assert "retired data keys destroyed: 1\n" in rotate("--reseal")
    assert before.pk not in DataKey.objects.values_list("pk", flat=True)
    sealing.forget()
    assert phone_of(payment) == "254708374149"
    assert b"sk_test" in sealing.unseal(ProviderAccount.objects.get(), "credentials")


def test_a_data_key_under_which_something_lies_again_is_kept(under):
    payment = factories.PaymentFactory(instrument="254708374149")
    stale = bytes(payment.instrument)
    rotate("--reseal")
    late = resealing.Column(Payment, "instrument")
    Payment.objects.update(instrument=stale)
    with clock.shifted(resealing.MARGIN + timedelta(seconds=1)):
        assert resealing.destroy_unused() == (0, 1)
        assert [sum(resealing.reseal(late, batch=10, pause=0)), resealing.destroy_unused()] == [1, (1, 0)]
    sealing.forget()
    assert phone_of(payment) == "254708374149"


def test_a_row_that_was_written_meanwhile_is_left_to_its_writer(under):
    payment = factories.PaymentFactory(instrument="254708374149")
    resealing.retire()
    sealing.forget()
    row = Payment.objects.get()
    sealing.seal(payment, "instrument", "254711000111")
    payment.save()
    assert resealing._reseal(row, "instrument") == 0
    assert phone_of(payment) == "254711000111"


def test_a_process_forgets_a_retired_data_key_after_a_while(under):
    payment = factories.PaymentFactory(instrument="254708374149")
    key = sealing._data_key(payment, None)
    DataKey.objects.update(retired_at=clock.now())
    assert sealing._data_key(payment, None) == key
    sealing._unwrapped.update({name: (time.monotonic(), held) for name, (_, held) in sealing._unwrapped.items()})
    assert sealing._data_key(payment, None) != key


def test_a_link_to_a_payer_is_shown_and_opens_after_its_master_key_was_dropped(under):
    attempt = factories.AttemptFactory(payment__off_session=True)
    with transaction.atomic():
        payer_links.bring_back(lock_attempt(attempt), by="tests", because="so")
    shown = payer_links.next_action_of(Payment.objects.get())
    under(new=NEW, old=OLD)
    rotate()
    under(new=NEW)

    assert payer_links.next_action_of(Payment.objects.get()) == shown
    assert payer_links.payment_of(shown["url"].rpartition("/")[2]) == attempt.payment


def test_every_sealed_column_of_the_house_is_resealed():
    named = {str(column) for column in resealing.columns()}
    assert {"payments_payment.instrument", "merchants_provideraccount.credentials", "events_callback.body"} <= named


def test_an_inherited_key_is_sealed_and_derived_not_the_master_key_itself(under):
    factories.PaymentFactory(instrument="254708374149")
    under(new=NEW, old=OLD)
    rotate()
    for row in InheritedKey.objects.all():
        assert OLD not in bytes(row.wrapped)
        assert keys.unwrap(row) not in (OLD, crypto.new_key())
    assert len(InheritedKey.objects.all()) == 2 * len(keys.OUTLIVING)
    assert django_settings.KEY_RING.active == "new"
