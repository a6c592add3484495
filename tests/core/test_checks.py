"""What `manage.py check --deploy` refuses."""

import pytest

from core.checks import only_for_development
from core.crypto import Secret


def found(settings, **changes):
    safe = {
        "DEVELOPMENT": False,
        "OUTGOING_LOOPBACK_ALLOWED": False,
        "PUBLIC_URL": "https://api.example.com",
        "SIMULATORS_URL": "",
        "METRICS_TOKEN": Secret("a-token-of-more-than-24-characters"),
        "METRICS_ADDRESSES": ["10.0.0.0/24"],
    }
    for name, value in {**safe, **changes}.items():
        setattr(settings, name, value)
    return [message.id for message in only_for_development(None)]


def test_a_deployments_settings_are_not_refused(settings):
    assert found(settings) == []


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("DEVELOPMENT", True, "lango.E001"),
        ("OUTGOING_LOOPBACK_ALLOWED", True, "lango.E002"),
        ("PUBLIC_URL", "http://api.example.com", "lango.E003"),
        ("SIMULATORS_URL", "http://127.0.0.1", "lango.E004"),
        ("METRICS_TOKEN", Secret("short"), "lango.E005"),
        ("METRICS_ADDRESSES", ["10.0.0.0/33"], "lango.E006"),
    ],
)
def test_each_development_switch_is_an_error_of_its_own(settings, name, value, message):
    assert found(settings, **{name: value}) == [message]
