"""The pages of a store's screens: the same for everybody until they are given a token."""

import re

import pytest

STORE = f"store_{'0' * 26}"


@pytest.fixture(params=["", "/kitchen"])
def path(request):
    return f"/display/{STORE}{request.param}"


def test_a_page_needs_no_database_and_tells_nothing_of_any_store(client, path):
    """Without the mark that lets a test use it, asking the database would fail."""
    answer = client.get(path)
    assert answer.status_code == 200
    assert client.head(path).status_code == 200
    assert "Set-Cookie" not in answer.headers
    assert STORE in answer.text
    assert ("Kitchen" if path.endswith("kitchen") else "Cashier") in re.search("<title>(.*)</title>", answer.text)[1]


def test_nothing_runs_there_but_what_the_page_brings_with_it(client, path, settings):
    settings.STREAMS_URL = "https://live.example.test"
    answer = client.get(path)
    policy = answer.headers["Content-Security-Policy"]
    nonce = re.search("script-src 'nonce-([^']+)'", policy)[1]
    assert policy == (
        f"default-src 'none'; script-src 'nonce-{nonce}'; style-src 'nonce-{nonce}'; "
        "connect-src 'self' https://live.example.test; img-src blob:; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )
    assert re.findall("<(?:script|style)[^>]*>", answer.text) == [
        f'<style nonce="{nonce}">',
        f'<script nonce="{nonce}">',
    ]
    assert re.findall(r"<[^>]+\s(?:on\w+|style|src)=", answer.text.partition("<script")[0]) == []
    assert nonce not in client.get(path).text
    assert f'data-stream="https://live.example.test/v1/stores/{STORE}/stream"' in answer.text


def test_a_page_is_kept_nowhere_and_tells_nobody_where_it_was(client, path):
    headers = client.get(path).headers
    assert (headers["Cache-Control"], headers["Referrer-Policy"]) == ("no-store", "no-referrer")
    assert (headers["X-Frame-Options"], headers["X-Content-Type-Options"]) == ("DENY", "nosniff")


def test_it_knows_the_currencies_that_do_not_count_in_hundredths(client, path):
    told = re.search('data-exponents="([^"]+)"', client.get(path).text)[1].replace("&quot;", '"')
    assert '"JPY": 0' in told
    assert '"KWD": 3' in told
    assert "IDR" not in told


@pytest.mark.parametrize("store", ["pay_" + "0" * 26, "store_1", "store_" + "O" * 26, "<script>"])
def test_what_is_no_store_has_no_screen(client, store):
    for view in ("", "/kitchen"):
        assert client.get(f"/display/{store}{view}").status_code == 404


def test_a_page_is_only_read(client, path):
    assert client.post(path).status_code == 405
