"""A test of the contract that is skipped although it is required has failed."""

from collections.abc import Generator
from typing import Any

import pytest

from tests.contracts.payments import PaymentProviderContract
from tests.payments.providers.required import CREATE, may_skip


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    if report.skipped and isinstance(item, pytest.Function) and _is_of_the_contract(item):
        reason = _reason(report)
        kind = getattr(item, "callspec", None) and item.callspec.params.get("kind")
        if not may_skip(item.cls.name, item.cls.method, reason, kind or CREATE):
            report.outcome = "failed"
            report.longrepr = f"{item.cls.name} by {item.cls.method} may not skip this: {reason!r} (see required.py)"
    return report


def _is_of_the_contract(item: pytest.Function) -> bool:
    by = item.function.__module__
    return bool(item.cls) and issubclass(item.cls, PaymentProviderContract) and by.startswith("tests.contracts.")


def _reason(report: Any) -> str:
    said = report.longrepr[2] if isinstance(report.longrepr, tuple) else f"Skipped: {report.longrepr}"
    return said.removeprefix("Skipped: ")
