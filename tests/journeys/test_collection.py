"""The collection of requests: each one is sent as it stands, and understood."""

import json
import re
import uuid

import pytest

from tests.payments.test_isolation import theirs

__all__ = ["theirs"]

pytestmark = pytest.mark.django_db(transaction=True)

MALFORMED = {"invalid_request", "card_data_not_allowed", "idempotency_key_required", "idempotency_key_reused"}
NAMES_WHAT_IS_NOT_HERE = {
    "Assign unallocated receipt: To a payment that waits": "/payment",
    "Merge customer": "/duplicate",
    "Rotate provider account credentials": "/credentials",
    "Create saved method": "/customer",
    "Create schedule": "/customer",
    "Create order source: Our own POS schema": "/database",
    "Create order source: Odoo": "/database",
    "Create order source: Tables of your own": "/database",
}
"""Requests that are about a second thing, or a secret, which only the merchant has; and the field that says so."""


@pytest.fixture
def collection(world):
    return world_get(world, "/docs/collection.json")


def world_get(world, path):
    return world.shop("Reader").api.send("GET", path).json()


def requests_of(collection):
    for chapter in collection["item"]:
        yield from chapter["item"]


def test_it_has_every_operation_of_the_document(collection, caller):
    document = caller.get("openapi.json")
    documented = {(method.upper(), path) for path, methods in document["paths"].items() for method in methods}

    kept = {
        (item["request"]["method"], re.sub(r"\{\{(\w+)\}\}", r"{\1}", "/" + "/".join(item["request"]["url"]["path"])))
        for item in requests_of(collection)
    }

    assert kept == documented
    assert [chapter["name"] for chapter in collection["item"]] == [tag["name"] for tag in document["tags"]][:-1]
    assert len({item["name"] for item in requests_of(collection)}) == len(list(requests_of(collection)))


def test_every_request_is_understood(collection, other_shop, theirs):
    values = {each["key"]: each["value"] for each in collection["variable"]} | theirs
    assert values.pop("key") == ""
    client = other_shop.key_with()
    understood = 0
    for item in requests_of(collection):
        request = item["request"]
        url = re.sub(r"\{\{(\w+)\}\}", lambda found: values[found[1]], request["url"]["raw"])
        assert url.startswith("http"), url
        headers = {each["key"]: each["value"].replace("{{$guid}}", uuid.uuid4().hex) for each in request["header"]}
        body = re.sub(r"\{\{(\w+)\}\}", lambda found: values[found[1]], request.get("body", {}).get("raw", ""))
        path = url.removeprefix(values["base_url"])
        answer = client.send(request["method"], path, key="", headers=headers, data=body.encode())

        told = (item["name"], answer.status_code, answer.text)
        assert answer.status_code < 500, told
        problem = answer.json() if answer.status_code >= 400 else {"code": "", "param": ""}
        excused = NAMES_WHAT_IS_NOT_HERE.get(item["name"], "none")
        assert problem["code"] not in MALFORMED or problem["param"].startswith(excused), told
        understood += answer.status_code < 300
    assert understood > len(list(requests_of(collection))) / 2


def test_what_a_request_makes_is_remembered_under_the_name_that_paths_use(collection):
    script = "\n".join(collection["event"][0]["script"]["exec"])
    named = json.loads(re.search(r"names = (\{.*?\});", script)[1])
    variables = {each["key"] for each in collection["variable"]}

    assert {f"{word}_id" for word in named.values()} <= variables
    assert named["webhook_endpoint"] == "endpoint"
