"""Subscribers within the company, as the settings name them."""

import json

import pytest

from merchants.subscriptions import parse

SECRET = "whsec_" + "QUFB" * 10 + "QUE="
ONE = {"name": "billing", "url": "https://billing.example/hook", "secret": SECRET}


def test_subscribers_are_read_by_name_and_show_no_secret():
    read = parse(json.dumps([ONE]), https_only=True)
    assert (read["billing"].url, read["billing"].secret.reveal()) == (ONE["url"], SECRET)
    assert SECRET not in repr(read)
    assert parse("", https_only=True) == {}


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ("{", "not valid JSON"),
        ("{}", "not a JSON list"),
        (json.dumps([ONE, ONE]), "names a subscriber twice"),
        (json.dumps([ONE, {"name": "x"}]), r"\[1\] does not have exactly"),
        (json.dumps([{**ONE, "name": "Billing!"}]), r"\[0\] has a name"),
        (json.dumps([{**ONE, "url": "http://billing.example"}]), r"\[0\] has a url"),
        (json.dumps([{**ONE, "url": "https://"}]), r"\[0\] has a url"),
        (json.dumps([{**ONE, "secret": "hunter2"}]), r"\[0\] has a secret"),
    ],
)
def test_what_is_wrong_is_named_without_its_secret(given, told):
    with pytest.raises(ValueError, match=told) as refused:
        parse(given, https_only=True)
    assert "hunter2" not in str(refused.value)
