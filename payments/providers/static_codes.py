"""Codes that stand on a counter and are paid again and again, each time with what the payer types.

An adapter whose company makes such codes is a `MakesStaticCodes` besides; that is its declaration.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import ClassVar

from core.http import Request, Response
from payments.providers.base import Step
from payments.providers.reports import MoneyMoved


@dataclass(frozen=True, slots=True)
class CodeQuestion:
    """Which code is asked about, by its id there and our reference; `money_id` is the money that was told of, if any.

    Without it whatever is newest is wanted.
    """

    provider_id: str
    reference: str
    money_id: str = ""


@dataclass(frozen=True, slots=True)
class CodeMoney:
    """What the company shows as paid on one code. `unreadable` counts what it shows in a form that nobody knows."""

    moved: tuple[MoneyMoved, ...]
    unreadable: int = 0


@dataclass(frozen=True, slots=True)
class CodeStep:
    """A question to send, and how to read its answer; `read` raises OutcomeUnknown for what it cannot tell."""

    request: Request
    read: Callable[[Response], CodeMoney]


class MakesStaticCodes(ABC):
    """`static_method` is the method that such a code is paid by; `static_pace` how often one is asked about, as a
    callback may be lost."""

    static_method: ClassVar[str]
    static_pace: ClassVar[timedelta]

    @abstractmethod
    def create_static_code(self, reference: str) -> Step:
        """Make one. Its report is REQUIRES_ACTION with the code to be shown, or UNKNOWN for one that must not be."""

    @abstractmethod
    def static_money(self, question: CodeQuestion) -> CodeStep:
        """Read what was paid on one. Changes nothing and may be asked any number of times."""
