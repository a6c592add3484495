"""ORDER_DATABASES: which databases there are, whose, and within which limits they are asked."""

import json

import pytest

from orders import configured

ENTRY = {"name": "lunch", "url": "postgresql://lango:pw-7@till.example/pos", "merchants": ["mer_1"], "livemode": False}


def parsed(**changes):
    return configured.parse(json.dumps([ENTRY | changes]))


def test_none_is_none():
    assert configured.parse("") == {}


def test_each_has_its_name_its_merchants_and_its_mode():
    (database,) = parsed().values()
    assert (database.name, database.alias, database.merchants) == ("lunch", "orders_lunch", frozenset({"mer_1"}))
    assert database.livemode is False
    assert "pw-7" not in repr(database)


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"name": "Lunch Till"}, "has a name"),
        ({"name": 7}, "has a name"),
        ({"url": "sqlite:///pos-pw-7"}, "does not begin with postgresql:// or postgres:// or mariadb:// or mysql://"),
        ({"url": "mariadb://lango:pw-7@till.example:pw-7/pos"}, "a url that cannot be read"),
        ({"url": "mariadb://lango:pw-7@till.example/pos?ssl_disabled=false"}, "option ssl_disabled, which is none of"),
        ({"url": "mariadb://lango:pw-7@till.example/pos?sslmode=on"}, "an sslmode that is none of disable, prefer"),
        ({"url": "mariadb://lango:pw-7@till.example/pos?sslmode=verify-full"}, "without sslrootcert"),
        ({"url": "mariadb://lango:pw-7@till.example/pos?sslrootcert=/ca.pem"}, "without an sslmode that demands it"),
        ({"url": 7}, "no text"),
        ({"merchants": []}, "merchants"),
        ({"merchants": "mer_1"}, "merchants"),
        ({"livemode": "yes"}, "live mode"),
        ({"password": "pw-7"}, "exactly"),
    ],
)
def test_what_is_wrong_is_named_and_no_password(changes, told):
    with pytest.raises(ValueError, match=told) as refused:
        parsed(**changes)
    assert "ORDER_DATABASES[0]" in str(refused.value)
    assert "pw-7" not in str(refused.value)


def test_a_name_twice_or_no_list_is_refused():
    for text in (json.dumps([ENTRY, ENTRY]), json.dumps(ENTRY), "{"):
        with pytest.raises(ValueError, match="ORDER_DATABASES"):
            configured.parse(text)


def test_every_wait_has_its_end_and_what_the_url_says_is_kept():
    (database,) = parsed(url=f"{ENTRY['url']}?sslmode=require&options=-csearch_path%3Dsales").values()
    told = database.connection()
    options = told["OPTIONS"]
    assert (told["ENGINE"], told["NAME"], told["HOST"]) == ("django.db.backends.postgresql", "pos", "till.example")
    assert (told["CONN_MAX_AGE"], options["connect_timeout"], options["sslmode"]) == (0, 3, "require")
    assert options["options"].split() == [
        "-csearch_path=sales",
        *("-c", "statement_timeout=5000"),
        *("-c", "lock_timeout=2000"),
        *("-c", "idle_in_transaction_session_timeout=10000"),
    ]


def test_a_mariadb_has_the_same_limits_in_its_own_words():
    (database,) = parsed(url="mariadb://lango:p%C3%A4ss@till.example:3307/pos").values()
    told = database.connection()
    options = told["OPTIONS"]
    assert (told["ENGINE"], told["NAME"], told["PORT"]) == ("django.db.backends.mysql", "pos", 3307)
    assert (told["CONN_MAX_AGE"], options["connect_timeout"], options["read_timeout"]) == (0, 3, 6)
    assert options["password"] == "päss".encode()
    for limit in ("max_statement_time = 5", "innodb_lock_wait_timeout = 2", "idle_transaction_timeout = 10"):
        assert limit in options["init_command"]
    assert "STRICT_ALL_TABLES" in options["init_command"]


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        ("", {}),
        ("?sslmode=disable", {"ssl_disabled": True}),
        ("?sslmode=require", {"ssl": {"verify_mode": False, "check_hostname": False}}),
        (
            "?sslmode=verify-ca&sslrootcert=/ca.pem",
            {"ssl": {"ca": "/ca.pem", "verify_mode": True, "check_hostname": False}},
        ),
        (
            "?sslmode=verify-full&sslrootcert=/ca.pem&sslcert=/us.pem&sslkey=/us.key",
            {
                "ssl": {
                    "ca": "/ca.pem",
                    "cert": "/us.pem",
                    "key": "/us.key",
                    "verify_mode": True,
                    "check_hostname": True,
                }
            },
        ),
    ],
)
def test_tls_is_asked_of_a_mariadb_in_the_words_that_postgresql_has(asked, told):
    (database,) = parsed(url=f"mysql://lango:pw-7@till.example/pos{asked}").values()
    options = database.connection()["OPTIONS"]
    assert {name: value for name, value in options.items() if name.startswith("ssl")} == told
