"""The OpenAPI document says all that a developer asks, and every example in it is one."""

import re

import pytest
from jsonschema import Draft202012Validator
from openapi_spec_validator import OpenAPIV31SpecValidator

from config.documenting import document as documenting
from config.documenting import events as documented_events
from config.documenting import problems, samples
from config.documenting.fields import FIELDS
from core.errors import every_error
from events import subjects


@pytest.fixture
def document(client):
    return client.get("/v1/openapi.json").json()


def everything(document):
    """(operation id, what is said of it) of every operation and webhook."""
    for methods in [*document["paths"].values(), *document["webhooks"].values()]:
        for method, operation in methods.items():
            yield operation["operationId"], method, operation


def contents(document):
    """(where, content) of every body that is asked for or answered."""
    for name, _, operation in everything(document):
        bodies = {"request": operation.get("requestBody", {}), **operation["responses"]}
        for where, body in bodies.items():
            for kind, content in body.get("content", {}).items():
                yield f"{name} {where} {kind}", content


def examples_of(document, content):
    given = content.get("examples", {}).values()
    found = [
        document["components"]["examples"][told["$ref"].rpartition("/")[2]] if "$ref" in told else told
        for told in given
    ]
    return [told["value"] for told in found] + ([content["example"]] if "example" in content else [])


def faults_of(document, schema, value):
    whole = {**schema, "components": document["components"]}
    return [
        f"{'/'.join(map(str, fault.path))}: {fault.message}" for fault in Draft202012Validator(whole).iter_errors(value)
    ]


def test_a_validator_of_the_specification_accepts_it(document):
    assert [str(fault) for fault in OpenAPIV31SpecValidator(document).iter_errors()] == []


def test_every_operation_says_what_it_does_and_in_which_chapter_it_stands(document):
    chapters = {tag["name"]: tag["description"] for tag in document["tags"]}
    for name, _, operation in everything(document):
        assert operation.get("summary"), name
        assert operation.get("description"), f"give the method of {name} a docstring: it is the operation's description"
        assert [tag for tag in operation["tags"] if chapters.get(tag)], f"tell of {operation['tags']} in CHAPTERS"
    summaries = [operation["summary"] for _, _, operation in everything(document)]
    assert len(set(summaries)) == len(summaries)


def test_every_request_and_every_answer_has_an_example_that_fits_its_schema(document):
    for where, content in contents(document):
        found = examples_of(document, content)
        assert found, f"{where} has no example"
        for value in found:
            assert faults_of(document, content["schema"], value) == [], where


def test_every_parameter_in_a_path_has_an_example_that_is_an_id_or_a_number(document):
    for name, _, operation in everything(document):
        for parameter in operation.get("parameters", ()):
            if parameter.get("in") == "path" and parameter["schema"]["type"] == "integer":
                assert parameter["example"] >= 1, (name, parameter["name"])
            elif parameter.get("in") == "path":
                assert re.fullmatch(r"[a-z]+_[0-9a-z]{26}", parameter["example"]), (name, parameter["name"])


def test_what_is_told_of_operations_and_errors_is_of_some_that_there_are(document):
    names = {name for name, _, _ in everything(document)}
    told = {*samples.REQUESTS, *samples.ANSWERS, *samples.CSV, *set().union(*problems.OF_OPERATIONS.values())}
    assert told - names == set()
    assert set(samples.COMPONENTS) - set(document["components"]["schemas"]) == set()
    assert set(samples.EVENTS) - set(subjects.event_types()) == set()
    used = {tag for _, _, operation in everything(document) for tag in operation["tags"]}
    assert used == set(documenting.CHAPTERS)


def test_every_error_is_documented_where_it_can_be_answered(document):
    told = {
        code
        for _, _, operation in everything(document)
        for answer in operation["responses"].values()
        for code in answer.get("content", {}).get("application/problem+json", {}).get("examples", {})
    }
    everywhere_else = {"method_not_allowed"}
    assert told == {error.code for error in every_error()} - everywhere_else
    assert "method_not_allowed" in document["info"]["description"]


def test_an_operation_names_its_scope_and_both_ways_to_send_a_key(document):
    capture = document["paths"]["/v1/payments/{payment_id}/capture"]["post"]
    assert capture["security"] == [{"ApiKey": ["payments:write"]}, {"ApiKeyHeader": ["payments:write"]}]
    assert set(document["components"]["securitySchemes"]) == {"ApiKey", "ApiKeyHeader", "DisplayToken"}
    assert "`payments:write`" in capture["description"]


def test_every_post_takes_an_idempotency_key_and_those_that_move_money_need_one(document):
    def key_of(path):
        return [given for given in document["paths"][path]["post"]["parameters"] if given["name"] == "Idempotency-Key"]

    for path, methods in document["paths"].items():
        assert "post" not in methods or len(key_of(path)) == 1, path
    assert key_of("/v1/payments")[0]["required"]
    assert not key_of("/v1/customers")[0]["required"]


def test_bounds_are_named_as_merchants_write_them(document):
    names = [given["name"] for given in document["paths"]["/v1/payments"]["get"]["parameters"]]
    assert {"amount[gte]", "amount[lte]", "created[gte]", "created[lt]"} <= set(names)
    assert "__" not in "".join(names)


def test_a_field_that_says_nothing_of_itself_is_told_by_its_name(document):
    schemas = document["components"]["schemas"]
    assert schemas["PaymentInputRequest"]["properties"]["payment_method"]["description"] == FIELDS["payment_method"]
    assert schemas["Payment"]["properties"]["amount"]["description"] == "Minor units of the currency"
    named = {field for shape in schemas.values() for field in shape.get("properties", ())}
    named |= {
        given["name"]
        for _, _, operation in everything(document)
        for given in operation.get("parameters", ())
        if "name" in given
    }
    assert set(FIELDS) - named == set()


def test_the_server_is_this_installation(document, settings):
    assert [server["url"] for server in document["servers"]] == [settings.PUBLIC_URL]


def test_each_webhook_has_an_example_of_its_own_kind_of_object(document):
    for name, methods in document["webhooks"].items():
        shown = methods["post"]["requestBody"]["content"]["application/json"]["example"]
        assert shown["type"] == name
        assert shown["subject"] == shown["data"]["object"]["id"]
        kind, _, word = name.partition(".")
        state = shown["data"]["object"].get("state")
        assert word in (*documented_events.FACTS, state), name
        assert subjects.by_id(shown["subject"]) is None or subjects.by_id(shown["subject"]).kind == kind
