"""JSON in and out, strict input, errors as problems, and pages that stand still."""

import base64
import io
import logging

import pytest
from rest_framework.exceptions import ParseError

from core.api import JsonParser, handle_exception
from core.logging import JsonFormatter
from tests import factories

pytestmark = pytest.mark.django_db
PATH = "/v1/webhook-endpoints"
CARD = "4242424242424242"


def refused(response, status, code):
    assert response.status_code == status
    assert response["Content-Type"] == "application/problem+json"
    problem = response.json()
    assert (problem["code"], problem["status"]) == (code, status)
    assert problem["type"].endswith(f"/docs/errors/{code}")
    assert problem["request_id"] == response["X-Request-Id"]
    return problem


@pytest.mark.parametrize("body", ["", "{", "[]", "null", '"text"', "1", '{"url": NaN}', b"\xff", '{"a": "\\ud800"}'])
def test_a_body_that_is_no_json_object_is_refused(api, body):
    refused(api.post(PATH, body, idempotency_key="k"), 400, "invalid_request")


@pytest.mark.parametrize(("opens", "closes"), [('{"a":', "}"), ("[", "]")])
@pytest.mark.parametrize("depth", [32, 250, 900, 20_000])
@pytest.mark.parametrize("path", [PATH, "/v1/provider-accounts"])
def test_a_body_nested_very_deeply_is_refused(api, path, depth, opens, closes):
    body = f'{{"provider": "stripe", "name": "x", "credentials": {{"a": {opens * depth}1{closes * depth}}}}}'
    refused(api.post(path, body, idempotency_key="k"), 400, "invalid_request")


def test_a_body_may_be_nested_in_32_levels():
    body = b'{"a":' * 32 + b"1" + b"}" * 32
    assert JsonParser().parse(io.BytesIO(body))
    with pytest.raises(ParseError, match="more than 32 levels"):
        JsonParser().parse(io.BytesIO(b'{"a":' + body + b"}"))


def test_every_fault_is_told_at_once_with_its_pointer(api):
    problem = refused(
        api.post(PATH, {"description": 1, "metadata": {"k": 2}}, idempotency_key="k"), 400, "invalid_request"
    )
    assert {error["param"] for error in problem["errors"]} == {"/url", "/metadata/k"}
    assert problem["param"] in {"/url", "/metadata/k"}


def test_an_unknown_field_or_parameter_is_named(api):
    problem = refused(
        api.post(PATH, {"url": "https://a.example", "colour": 1}, idempotency_key="k"), 400, "invalid_request"
    )
    assert problem["errors"] == [
        {"param": "/colour", "code": "unknown_field", "detail": "is not a field of this request"}
    ]
    assert refused(api.get("/v1/events?colour=1"), 400, "invalid_request")["param"] == "/colour"


@pytest.mark.parametrize(
    "body",
    [
        {"card": {"number": CARD}},
        {"cvc": "123"},
        {"metadata": {"note": f"paid with {CARD} 12/27"}},
        {"metadata": {CARD: "x"}},
        {"description": "4242 4242 4242 4242"},
        {"url": f"https://a.example/{CARD}"},
    ],
)
def test_card_data_is_refused_anywhere_and_neither_logged_nor_repeated(api, body, caplog, capfd):
    caplog.set_level(logging.DEBUG)
    response = api.post(PATH, {"url": "https://a.example", **body}, idempotency_key="k")
    refused(response, 400, "card_data_not_allowed")
    written = "".join(JsonFormatter().format(record) for record in caplog.records) + "".join(capfd.readouterr())
    for number in (CARD, "4242 4242 4242 4242"):
        assert number not in written + response.content.decode()
    assert api.get(PATH).json()["data"] == []


@pytest.mark.parametrize(
    ("call", "status", "code"),
    [
        (lambda api: api.call("PUT", PATH), 405, "method_not_allowed"),
        (lambda api: api.get(f"{PATH}/we_1"), 404, "not_found"),
        (lambda api: api.get(f"{PATH}/%00"), 404, "not_found"),
        (lambda api: api.get(PATH, Accept="text/html"), 406, "not_acceptable"),
        (lambda api: api.post(PATH, "x" * 300_000, idempotency_key="k"), 413, "payload_too_large"),
        (lambda api: api.post(PATH, {"url": "https://a.example"}, idempotency_key="k" * 256), 400, "invalid_request"),
    ],
)
def test_every_refusal_is_a_problem(api, call, status, code):
    refused(call(api), status, code)


def test_another_media_type_is_refused(api):
    sent = {"Authorization": f"Bearer {api.key.presented}", "Idempotency-Key": "k"}
    response = api.client.post(PATH, "url=x", content_type="application/x-www-form-urlencoded", headers=sent)
    refused(response, 415, "unsupported_media_type")


def test_a_fault_of_ours_tells_nothing_but_the_request(rf, caplog):
    request = rf.get("/")
    request.request_id = "R-12345678"
    response = handle_exception(ValueError("sk_test_secret in a table"), {"request": request})
    assert response.status_code == 500
    assert response.data["request_id"] == "R-12345678"
    assert "secret" not in str(response.data)


def test_pages_stand_still_while_rows_are_inserted(api):
    made = [factories.EventFactory(about__merchant=api.key.merchant).pk for _ in range(5)]
    first = api.get("/v1/events?limit=2").json()
    assert ([row["id"] for row in first["data"]], first["has_more"]) == (made[:2:-1], True)
    factories.EventFactory(about__merchant=api.key.merchant)
    second = api.get(f"/v1/events?limit=2&cursor={first['next_cursor']}").json()
    third = api.get(f"/v1/events?limit=2&cursor={second['next_cursor']}").json()
    assert [row["id"] for row in second["data"] + third["data"]] == made[2::-1]
    assert (third["next_cursor"], third["has_more"], third["object"]) == (None, False, "list")


@pytest.mark.parametrize(
    "cursor",
    [
        "x",
        "é",
        "%00",
        "====",
        base64.urlsafe_b64encode(b"evt_1").decode(),
        base64.urlsafe_b64encode(b"\xff" * 30).decode(),
        base64.urlsafe_b64encode(b"\x00_" + b"0" * 26).decode(),
        base64.urlsafe_b64encode(b"pay_" + b"0" * 26).decode(),
    ],
)
def test_a_cursor_that_the_api_did_not_give_out_is_refused(api, cursor):
    refused(api.get(f"/v1/events?cursor={cursor}"), 400, "invalid_request")


def test_a_parameter_that_is_given_twice_or_with_a_write_is_named_rather_than_ignored(api):
    twice = refused(api.get("/v1/events?limit=1&limit=2"), 400, "invalid_request")
    assert twice["errors"] == [{"param": "/limit", "code": "repeated", "detail": "is given more than once"}]
    written = refused(
        api.post(f"{PATH}?url=x", {"url": "https://a.example"}, idempotency_key="k"), 400, "invalid_request"
    )
    assert [(fault["param"], fault["code"]) for fault in written["errors"]] == [("/url", "unknown_field")]
    assert api.get(PATH).json()["data"] == []


@pytest.mark.parametrize("limit", ["0", "101", "-1", "x", "1.5"])
def test_a_limit_is_1_to_100(api, limit):
    assert refused(api.get(f"/v1/events?limit={limit}"), 400, "invalid_request")["param"] == "/limit"
