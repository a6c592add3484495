"""Each log line is one JSON object that carries the request's id and no secret."""

import io
import json
import logging

import pytest
from django.contrib.auth import get_user_model
from django.db import InterfaceError, ProgrammingError, connection
from django.test import Client, RequestFactory

from core.logging import JsonFormatter, correlated, redact, request_id
from tests import factories


def line(message="hello", *arguments, error=None, **extra):
    record = logging.LogRecord("house", logging.WARNING, __file__, 1, message, arguments, error)
    vars(record).update(extra)
    return JsonFormatter().format(record)


def test_a_line_is_json_with_the_request_and_what_was_added():
    with correlated("R-12345678"):
        told = json.loads(line("took %s", "long", milliseconds=12, row="pay_1"))
    assert told.pop("time").endswith("+00:00")
    assert told == {
        "level": "warning",
        "logger": "house",
        "message": "took long",
        "request_id": "R-12345678",
        "milliseconds": 12,
        "row": "pay_1",
    }


def test_outside_a_request_a_line_names_none():
    assert "request_id" not in json.loads(line())


def test_requests_inside_one_another_are_told_apart():
    with correlated("outer"), correlated("inner"):
        assert request_id.get() == "inner"
    assert request_id.get() == ""


def test_a_fault_keeps_its_traceback_on_the_same_line_without_its_secrets():
    try:
        raise ValueError("sk_test_abcdef0123 was refused")
    except ValueError as error:
        written = line("failed", error=(type(error), error, error.__traceback__))
    assert "\n" not in written
    assert "sk_test_abcdef0123" not in written
    assert "ValueError" in json.loads(written)["exception"]


TOKEN = "0123456789abcdef0123456789abcdef"


@pytest.fixture
def written():
    """What is written to the log, as it is written."""
    lines = io.StringIO()
    handler = logging.StreamHandler(lines)
    handler.setFormatter(JsonFormatter())
    logging.getLogger().addHandler(handler)
    yield lines
    logging.getLogger().removeHandler(handler)


@pytest.mark.django_db
@pytest.mark.parametrize("path", ["/v1/customers", "/admin/", f"/callbacks/{TOKEN}/events"])
@pytest.mark.parametrize(("fault", "status"), [(InterfaceError("away"), 503), (ProgrammingError("broken"), 500)])
def test_a_failed_request_is_told_with_its_id_and_without_its_path_and_query(written, path, fault, status):
    key = factories.ApiKeyFactory()
    client = Client(raise_request_exception=False)
    client.force_login(get_user_model().objects.create_superuser("ops"))
    headers = {"Authorization": f"Bearer {key.presented}", "X-Request-Id": "R-12345678"}

    def fail(*arguments):
        raise fault

    with connection.execute_wrapper(fail):
        response = client.generic("POST", f"{path}?email=ada@shop.example", "{}", "application/json", headers=headers)

    assert response.status_code == status
    assert "ada@" not in written.getvalue()
    assert TOKEN not in written.getvalue()
    faults = [told for told in map(json.loads, written.getvalue().splitlines()) if told["level"] == "error"]
    assert [(told["message"], told.get("request_id")) for told in faults] == (
        [("unhandled error", "R-12345678")] if status == 500 else []
    )


def test_a_request_that_is_added_to_a_line_is_not_shown():
    request = RequestFactory().get("/v1/customers?email=ada@shop.example")
    assert "ada" not in line("Invalid HTTP_HOST header", request=request, status_code=400)


SECRETS = [
    "sk_test_4eC39HqLyjWDarjtT1zdp7dc",
    "sk_live_4eC39HqLyjWDarjtT1zdp7dc",
    "rk_live_4eC39HqLyjWDarjtT1zdp7dc",
    "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
    "pm_1SampleCardToken",
    "SB-Mid-server-EXAMPLEKEY01",
    "Mid-client-EXAMPLE_KEY-01",
    "xnd_development_O46JfOtygef9kMNsK",
    "xnd_production_EXAMPLE+KEY/01==",
    "Bearer abcdefghijklmnop",
    "Basic bGFuZ286c2VjcmV0",
    "/callbacks/9f2c0d9f2c0d9f2c0d9f2c0d9f2c0d9f/events/0123456789abcdef",
    "/return/0123456789abcdef0123456789abcdef",
    "254708374149",
    "+254708374149",
    "4242 4242 4242 4242",
    "4242424242424242",
]


@pytest.mark.parametrize("secret", SECRETS)
def test_what_looks_like_a_secret_is_taken_out(secret: str):
    redacted = redact(f"before {secret} after")
    assert secret not in redacted
    assert "•••" in redacted
    assert redacted.startswith("before ")
    assert redacted.endswith(" after")


@pytest.mark.parametrize("secret", SECRETS)
def test_a_secret_is_taken_out_of_what_is_added_too_and_the_line_stays_json(secret: str):
    written = line(said=secret, nested={"phone": secret})
    assert secret not in written
    assert json.loads(written)["message"] == "hello"


@pytest.mark.parametrize("number", [254708374149, 4242424242424242])
def test_a_number_that_looks_like_a_secret_is_taken_out_and_the_line_stays_json(number: int):
    written = line(said=number)
    assert str(number) not in written
    assert json.loads(written)["message"] == "hello"


def test_a_client_secret_keeps_the_id_that_it_belongs_to():
    assert redact("pi_3Sample_secret_4abcDEF") == "pi_3Sample_secret_•••"


@pytest.mark.parametrize("text", ["pay_01k9abcdefghjkmnpqrstvwxyz", "INV-20417", "2026-11-20T14:05:06.123456Z", "1250"])
def test_ids_references_times_and_amounts_stay(text: str):
    assert redact(text) == text
