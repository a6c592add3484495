"""What no decent client sends, sent to every operation of the document: refused in the form that is documented."""

import itertools
import json
import re

import pytest

from tests.payments.test_isolation import theirs

__all__ = ["theirs"]

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow]

HUGE = 10**40
DEEP = b'{"metadata": ' + b'{"a": ' * 5000 + b"1" + b"}" * 5001
BODIES = [
    b"",
    b"\x00",
    b"null",
    b"[]",
    b'"text"',
    b"{",
    b"NaN",
    b'{"amount": NaN}',
    b'{"reference": "\\ud800"}',
    b'{"reference": "\xff\xfe"}',
    b'\xef\xbb\xbf{"name": "a byte order mark"}',
    '{"name": "sixteen"}'.encode("utf-16"),
    b'{"amount": 1e400}',
    b'{"amount": 1, "amount": "1"}',
    b'{"\\u0000": "\\u0000"}',
    DEEP,
    b'{"metadata": ' + b"[" * 900 + b"]" * 900 + b"}",
]
TYPES = [None, "", "json", "text/plain", "application/x-www-form-urlencoded", "multipart/form-data", "application/xml"]
TYPES += ["application/json; charset=utf-16", "application/json; charset=nonsense", "application/json;;;=", "\xff/\xff"]
VALUES = [
    "",
    "\x00",
    "a\x00b",
    "\ud83d",
    "💩" * 3000,
    str(HUGE),
    str(-HUGE),
    "1e400",
    "NaN",
    "true",
    "[]",
    "' OR 1=1 --",
]
VALUES += ["0000-00-00", "0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59.999999-14:00", "2026-02-30T00:00:00Z"]
VALUES += [
    "AAAA",
    "cGF5Xw",
    "MDAwMA.99999999999999999999",
    "ZXZ0XzAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwLjk5OTk5OTk5OTk5OTk5OTk5OTk5",
]
HEADERS = [
    {"Accept": "text/html"},
    {"Accept": "nonsense"},
    {"Accept": "application/json; indent=99999999"},
    {"Accept": "application/json;q=banana, */*;q=-1"},
    {"X-Request-Id": "\xff" * 20},
    {"X-Request-Id": "a" * 9000},
    {"X-Forwarded-For": "not, an, address, \xff"},
    {"Idempotency-Key": "\xe9" * 255},
    {"Idempotency-Key": "k" * 256},
    {"Content-Encoding": "gzip"},
    {"Authorization": "Bearer"},
    {"Authorization": "Bearer \xff\xff"},
    {"Authorization": "Basic dXNlcjpwYXNz"},
    {"Authorization": "Bearer sk_test_" + "a" * 9000},
    {"Accept-Language": "xx-\xff", "Range": "bytes=0-1", "If-Match": "*", "Expect": "nothing"},
]
PATHS = ["%00", "a%00b", "%2e%2e", "%F0%9F%92%A9", "%ff", "%25", "a" * 4000, "pay_%0a", "-1", "%2F"]


@pytest.fixture
def document(caller):
    return caller.get("openapi.json")


@pytest.fixture
def rude(other_shop, theirs, document, settings):
    """`rude(method, template, …)` sends something and holds the answer against the document."""
    settings.RATE_LIMIT_PER_KEY = settings.RATE_LIMIT_PER_ADDRESS = "1000000/minute"
    client = other_shop.key_with()
    keys = (f"rude-{number}" for number in itertools.count())

    def rude(method, template, *, path=None, headers=None, **options):
        sent = {"Idempotency-Key": next(keys)} | (headers or {})
        encoded = {name: value.encode("latin-1", "replace") for name, value in sent.items()}
        where = path or filled(template, theirs)
        answer = client.send(method, where, key="", headers=encoded, **options)
        told = (method, where, headers, str(options)[:300], answer.status_code, answer.text[:500])
        answered = document["paths"][template][method.lower()]["responses"].get(str(answer.status_code))
        if answered is None and path is not None and answer.status_code in (301, 404, 405):
            return  # with another path it may be another operation, or none
        assert answered is not None, told
        kind = answer.headers.get("Content-Type", "").partition(";")[0]
        assert kind in answered.get("content", {"": None}), told
        if answer.status_code >= 400:
            problem = answered["content"]["application/problem+json"]
            assert answer.json()["code"] in problem["examples"], told
            assert answer.json()["request_id"] == answer.headers["X-Request-Id"]

    return rude


def filled(template, ids):
    return re.sub(r"\{(\w+)\}", lambda found: ids[found[1]], template)


def operations(document, *methods):
    for path, verbs in document["paths"].items():
        for verb, operation in verbs.items():
            if verb in methods:
                yield verb.upper(), path, operation


def one_of_each(document, *methods):
    """Of every method and chapter one: what reads bodies and headers is the same code for all."""
    seen = set()
    for method, path, operation in operations(document, *methods):
        mark = (method, *operation["tags"])
        if mark not in seen:
            seen.add(mark)
            yield method, path, operation


def test_bodies_that_are_none(document, rude):
    for method, path, _ in one_of_each(document, "post", "patch"):
        for body in BODIES:
            rude(method, path, data=body, headers={"Content-Type": "application/json"})


def test_bodies_that_are_not_declared_as_what_they_are(document, rude):
    for method, path, _ in one_of_each(document, "post"):
        for kind in TYPES:
            rude(method, path, data=b'{"name": "x"}', headers={"Content-Type": kind} if kind is not None else {})


def test_bodies_with_something_wrong_in_each_field(document, rude):
    wrong = ["", "\x00", "a\x00b", HUGE, -HUGE, 1.5, True, None, [], {}, [None], {"a": {"b": []}}, "9" * 5000]
    wrong += ["0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00", "http://[", "https://\x00/", "x@", "💩"]
    seen = []
    for method, path, operation in operations(document, "post", "patch"):
        content = operation["requestBody"]["content"]["application/json"]
        example = next(iter(content["examples"].values()))["value"]
        name = content["schema"].get("$ref", "").rpartition("/")[2]
        for field, shape in document["components"]["schemas"].get(name, {}).get("properties", {}).items():
            if (field, shape) in seen:
                continue
            seen.append((field, shape))
            for value in wrong:
                rude(
                    method,
                    path,
                    data=json.dumps(example | {field: value}),
                    headers={"Content-Type": "application/json"},
                )


def test_queries(document, rude, theirs):
    seen = []
    for method, path, operation in operations(document, "get"):
        given = [
            (given["name"], given["schema"]) for given in operation.get("parameters", ()) if given["in"] == "query"
        ]
        fresh = [name for name, schema in given if (name, schema) not in seen or name in ("cursor", "created[gte]")]
        seen += given
        for name in fresh:
            for value in VALUES:
                rude(method, path, params={name: value.encode("utf-8", "surrogatepass")})
            rude(method, path, params=[(name, "1"), (name, "2")])
        for odd in ("?%00=1", "?=", "?[gte]=1", "?format=xml", "?limit[gte]=1", "?a=b&&&=", "?%ff=%ff"):
            rude(method, path, path=filled(path, theirs) + odd)


def test_headers(document, rude):
    for method, path, _ in one_of_each(document, "get", "post", "patch", "delete"):
        for headers in HEADERS:
            rude(method, path, headers=headers, json=None if method in ("GET", "DELETE") else {})


def test_ids(document, rude, theirs):
    for method, path, _ in operations(document, "get", "post", "patch", "delete"):
        last = (re.findall(r"\{(\w+)\}", path) or [None])[-1]
        for odd in PATHS if last else ():
            rude(method, path, path=filled(path, theirs | {last: odd}), json=None if method == "GET" else {})
