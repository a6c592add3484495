"""`/metrics`: what Prometheus is told, to whom, and by how many processes together."""

import os
import re
import subprocess
import sys
import time
from datetime import timedelta
from pathlib import Path

import pytest
from django.conf import settings as project
from django.test import Client
from prometheus_client.parser import text_string_to_metric_families

from config import beat, metrics
from core import clock
from core.crypto import Secret
from events import attention, outbox
from events.models import Attention, Event, Job
from tests import factories

pytestmark = pytest.mark.django_db(transaction=True)

ROOT = Path(__file__).resolve().parents[2]
TOKEN = "a-token-that-only-prometheus-knows"


@pytest.fixture(autouse=True)
def _token(settings):
    settings.METRICS_TOKEN = Secret(TOKEN)


def ask(*, token=TOKEN, scheme="Bearer", **meta):
    headers = {"Authorization": f"{scheme} {token}"} if token else {}
    return Client().get("/metrics", headers=headers, **meta)


def samples(text):
    return {
        (sample.name, *sorted(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def read(name, **labels):
    return samples(ask().content.decode()).get((name, *sorted(labels.items())))


# Who may read it


def test_it_is_there_for_who_presents_the_token_and_for_nobody_else():
    assert ask().status_code == 200
    assert [ask(**wrong).status_code for wrong in ({"token": ""}, {"token": "x"}, {"scheme": "Basic"})] == [404] * 3


def test_without_a_token_in_the_settings_none_is_right(settings):
    settings.METRICS_TOKEN = Secret("")
    assert [ask(token=token).status_code for token in ("", "x")] == [404, 404]


def test_it_is_there_for_trusted_addresses(settings):
    settings.METRICS_ADDRESSES = ["10.1.0.0/16"]
    asked = [ask(token="", REMOTE_ADDR=address).status_code for address in ("10.1.2.3", "::ffff:10.1.2.3", "10.2.0.1")]
    assert asked == [200, 200, 404]


def test_a_proxy_lends_its_address_to_nobody(settings):
    settings.METRICS_ADDRESSES = ["127.0.0.1"]
    forwarded = {"REMOTE_ADDR": "127.0.0.1", "HTTP_X_FORWARDED_FOR": "203.0.113.7"}
    assert ask(token="", **forwarded).status_code == 404
    settings.TRUSTED_PROXIES = ["127.0.0.1"]
    assert ask(token="", **forwarded).status_code == 404


# What it tells


def test_requests_are_counted_by_route_method_and_class_of_status():
    labels = {"route": "callbacks/<str:token>/<str:door>", "method": "POST", "status": "4xx"}
    before = read("lango_request_seconds_count", **labels) or 0
    Client().post("/callbacks/0123456789abcdef0123456789abcdef/events")
    assert read("lango_request_seconds_count", **labels) == before + 1


def test_calls_deliveries_places_and_refusals_are_counted():
    counted = metrics.Counted()
    counted.call_done(party="acme", purpose="create", outcome="lost", seconds=3)
    counted.call_done(party="webhooks", purpose="other", outcome="5xx", seconds=0.2)
    counted.in_flight_changed(party="acme", by=1)
    counted.refused_by_cap(party="acme")
    call = {"provider": "acme", "operation": "create", "outcome": "lost"}
    assert read("lango_provider_call_seconds_sum", **call) == 3
    assert read("lango_provider_call_seconds_bucket", le="2.5", **call) == 0
    assert read("lango_delivery_seconds_count", outcome="5xx") >= 1
    assert read("lango_provider_calls_in_flight", provider="acme") == 1
    assert read("lango_provider_calls_refused_total", provider="acme") == 1
    counted.in_flight_changed(party="acme", by=-1)


def test_the_age_of_a_queue_is_that_of_its_oldest_due_row_that_nobody_works_on():
    now = clock.now()
    factories.CallbackFactory(due_at=now - timedelta(seconds=90))
    factories.CallbackFactory(due_at=now - timedelta(seconds=10))
    factories.CallbackFactory(due_at=now + timedelta(seconds=60))
    assert read("lango_queue_due", queue="callbacks") == 2
    assert 90 <= read("lango_queue_oldest_seconds", queue="callbacks") < 120
    assert (read("lango_queue_due", queue="deliveries"), read("lango_queue_oldest_seconds", queue="deliveries")) == (
        0,
        0,
    )


def test_the_outbox_is_behind_by_what_waits_for_a_position_and_what_is_unread():
    factories.EventFactory(created_at=clock.now() - timedelta(seconds=40))
    assert 40 <= read("lango_queue_oldest_seconds", queue="outbox") < 60
    outbox.dispatch()
    assert read("lango_queue_oldest_seconds", queue="outbox") == 0
    assert read("lango_outbox_behind", reader="webhooks") == 0
    Event.objects.filter(position__gt=0).update(position=5)
    assert read("lango_outbox_behind", reader="webhooks") == 4


def test_open_attention_is_counted_by_reason_and_an_empty_reason_is_nought():
    payment = factories.PaymentFactory()
    attention.raise_for(payment, Attention.Reason.UNDERPAID, "less")
    assert read("lango_attention_open", reason="underpaid") == 1
    attention.settle(payment, Attention.Reason.UNDERPAID, by="tests")
    assert read("lango_attention_open", reason="underpaid") == 0


def test_a_schedule_tells_its_age_its_duration_its_failures_and_whether_it_is_late():
    assert (read("lango_schedule_late", schedule="purge"), read("lango_schedule_age_seconds", schedule="purge")) == (
        1,
        None,
    )
    beat.keep()
    now = clock.now()
    Job.objects.filter(name="purge").update(succeeded_at=now - timedelta(hours=1), milliseconds=1500, failures=2)
    assert 3600 <= read("lango_schedule_age_seconds", schedule="purge") < 3660
    assert read("lango_schedule_seconds", schedule="purge") == 1.5
    assert read("lango_schedule_failures", schedule="purge") == 2
    assert read("lango_schedule_late", schedule="purge") == 0
    Job.objects.filter(name="purge").update(succeeded_at=now - timedelta(hours=3))
    assert read("lango_schedule_late", schedule="purge") == 1


def test_every_metric_is_documented_and_every_documented_one_exists():
    page = (ROOT / "docs" / "operations.md").read_text()
    documented = set(re.findall(r"^\| `(lango_\w+)`", page, re.MULTILINE))
    known = {family.name for collector in metrics.COUNTED for family in collector.describe()}
    known |= {family.name for family in metrics.FromDatabase().describe()}
    assert {name.removesuffix("_total") for name in documented} == known


def test_no_label_is_an_id_or_a_secret(api):
    api.get("/v1/events/evt_0000")
    for _, *labels in samples(ask().content.decode()):
        for name, value in labels:
            assert name in (
                "route",
                "method",
                "status",
                "le",
                "provider",
                "operation",
                "outcome",
                "queue",
                "reader",
                "reason",
                "schedule",
            )
            assert not re.search(r"[a-z]+_0|\bsk_|[0-9a-f]{32}", value), value


# Several processes

WRITER = """
import django; django.setup()
import sys
from core import measuring
measuring.request_done(route="v1/x", method="GET", status=200, seconds=0.1)
measuring.in_flight_changed(party="acme", by=1)
print("told", flush=True)
sys.stdin.read()
"""
READER = "import django; django.setup(); from config import metrics; print(metrics.text().decode())"


def start(code, folder):
    environment = {
        **os.environ,
        "DJANGO_SETTINGS_MODULE": "config.settings",
        "PROMETHEUS_MULTIPROC_DIR": str(folder),
        "DATABASE_URL": os.environ.get("DATABASE_URL", ""),
    }
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    return subprocess.Popen([sys.executable, "-c", code], cwd=ROOT, env=environment, **pipes)


def test_processes_that_share_a_folder_count_together_and_the_dead_hold_nothing_in_flight(tmp_path):
    folder = tmp_path / "metrics"
    writers = [start(WRITER, folder) for _ in range(2)]
    assert [writer.stdout.readline() for writer in writers] == ["told\n"] * 2
    writers[0].kill()
    writers[0].communicate()
    told = samples(start(READER, folder).communicate(timeout=60)[0])
    writers[1].communicate("")
    asked = (("method", "GET"), ("route", "v1/x"), ("status", "2xx"))
    assert told["lango_request_seconds_count", *asked] == 2
    assert told["lango_provider_calls_in_flight", ("provider", "acme")] == 1


def test_while_postgresql_is_away_it_still_tells_what_was_counted(tmp_path, refused_port):
    away = READER.replace(
        "import django;",
        f"import os; os.environ['DATABASE_URL'] = 'postgresql://x:y@127.0.0.1:{refused_port}/z'; import django;",
    )
    began = time.monotonic()
    told = samples(start(away, tmp_path).communicate(timeout=60)[0])
    assert told["lango_database_up",] == 0
    assert not any(name.startswith("lango_queue") for name, *_ in told)
    assert time.monotonic() - began < 30
    assert project.METRICS_FOLDER == ""
