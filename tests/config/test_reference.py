"""The reference page, the document behind it, and a page for every error."""

import json
import re

import pytest
from django.contrib.staticfiles import finders

from core.errors import every_error
from events import subjects

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


def test_every_error_means_something_of_its_own():
    for words in ("__doc__", "remedy", "code"):
        assert len({getattr(error, words) for error in ERRORS}) == len(ERRORS)


def test_an_unknown_error_has_no_page(client):
    assert client.get("/docs/errors/teapot").status_code == 404
