"""The reference page, the document behind it, and a page for every error."""

import html
import json
import re

import pytest
from django.contrib.staticfiles import finders

from config.documenting.failures import FAILURES
from core.errors import every_error
from events import subjects
from payments.providers.base import FailureCode

ERRORS = every_error()


def test_the_page_loads_nothing_from_elsewhere(client):
    shown = client.get("/docs").text
    assert 'spec-url="/v1/openapi.json"' in shown
    assert not re.findall(r"""(?:src|href)=["'](?:https?:)?//""", shown.replace('a[href="https://redocly.com', ""))
    assert "default-src 'self'" in shown
    script = re.search(r'<script src="/static/([^"]+)"', shown)[1]
    assert finders.find(script)


@pytest.mark.django_db
def test_the_document_names_only_what_it_defines(client):
    document = client.get("/v1/openapi.json").json()
    named = set(re.findall(r"#/components/schemas/(\w+)", json.dumps(document)))
    assert named <= set(document["components"]["schemas"])
    assert document["openapi"] == "3.1.1"
    assert set(document["webhooks"]) == set(subjects.event_types())


@pytest.mark.django_db
def test_what_calls_the_merchant_is_the_last_chapter(client):
    chapters = [tag["name"] for tag in client.get("/v1/openapi.json").json()["tags"]]
    assert chapters[-1] == "Webhooks to you"
    assert "Payments" in chapters[:-1]


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: error.code)
def test_every_error_has_a_page_that_says_what_to_do(client, error):
    shown = client.get(f"/docs/errors/{error.code}").text
    assert f"HTTP {error.status}" in shown
    assert error.code in shown
    assert error.title in shown.replace("&#x27;", "'")
    assert "`" not in shown


@pytest.mark.parametrize("code", [code.value for code in FailureCode])
def test_every_failure_has_a_page_that_says_what_to_do(client, code):
    shown = html.unescape(client.get(f"/docs/errors/{code}").text)
    assert "failure.code" in shown
    told = FAILURES[FailureCode(code)]
    for words in (told.title, told.meaning, told.remedy):
        assert re.sub(r"`(.*?)`", r"<code>\1</code>", words) in shown


def test_a_word_that_is_both_an_error_and_a_failure_has_both_on_its_page(client):
    shown = client.get("/docs/errors/invalid_request").text
    assert "HTTP 400" in shown
    assert "failure.code" in shown


def test_every_code_is_listed(client):
    shown = client.get("/docs/errors").text
    listed = set(re.findall(r'href="/docs/errors/(\w+)"', shown))
    assert listed == {error.code for error in ERRORS} | set(FailureCode)


def test_failures_mean_something_of_their_own():
    assert set(FAILURES) == set(FailureCode)
    for words in ("title", "meaning", "remedy"):
        assert len({getattr(told, words) for told in FAILURES.values()}) == len(FAILURES)


def test_every_error_means_something_of_its_own():
    for words in ("__doc__", "remedy", "code"):
        assert len({getattr(error, words) for error in ERRORS}) == len(ERRORS)


def test_an_unknown_error_has_no_page(client):
    assert client.get("/docs/errors/teapot").status_code == 404
