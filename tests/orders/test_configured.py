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
        ({"url": "mysql://lango:pw-7@till.example/pos"}, "postgresql://"),
        ({"url": "sqlite:///pos"}, "postgresql://"),
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
