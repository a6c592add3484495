"""What every dialect tells: how to connect within our limits, which columns a table has, and what a fault means."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, ClassVar

CONNECT_SECONDS = 3
STATEMENT_SECONDS = 5
LOCK_SECONDS = 2
IDLE_SECONDS = 2 * STATEMENT_SECONDS
"""How long a transaction may stand with nothing asked in it, before the database ends it."""

TABLES_CHANGED = "does not answer what it is asked: its tables are not as they were"


class WrongUrl(ValueError):
    """What an URL asks for is not to be had. Its text goes on from «the entry», and tells nothing secret."""


class Kind(StrEnum):
    """What a column's type is to us. WORD is an enumeration; every other type, a float among them, is OTHER."""

    WHOLE = "whole"
    EXACT = "exact"
    TEXT = "text"
    WORD = "word"
    UUID = "uuid"
    MOMENT = "moment"
    OTHER = "other"


@dataclass(frozen=True, slots=True)
class Column:
    """`type` is the database's word for it; `length` the most characters it holds, where it says so."""

    type: str
    kind: Kind
    length: int | None
    may_read: bool
    may_write: bool


class Dialect(ABC):
    """One kind of database. `vendor` is Django's word for it, `kinds` what its words for types mean to us."""

    schemes: ClassVar[tuple[str, ...]]
    vendor: ClassVar[str]
    kinds: ClassVar[Mapping[str, Kind]]

    @abstractmethod
    def connection(self, url: str) -> dict[str, Any]:
        """What Django is to be told of the database: every wait has its end. Raises WrongUrl, and ValueError."""

    @abstractmethod
    def columns(self, cursor: Any, table: str) -> dict[str, Column]:
        """The table's columns by name, as far as our user is told of them; none where there is no such table."""

    def table_fault(self, cursor: Any, table: str) -> str:
        """Why orders in that table, which is there, could not be kept from changing while we write; mostly empty."""
        return ""

    def refusal(self, fault: Exception) -> str:
        """What an operational fault says of the database, if it says that it does not do what it is asked."""
        return ""

    @abstractmethod
    def has_no_such_letters(self, fault: Exception) -> bool:
        """Whether a text was asked for that its character set cannot write, so that it stands nowhere."""

    @property
    def exact(self) -> str:
        """Its word for the type of an amount with decimals."""
        return next(word for word, kind in self.kinds.items() if kind is Kind.EXACT)

    def _column(self, kind: str, length: int | None, may_read: bool, may_write: bool) -> Column:
        return Column(kind, self.kinds.get(kind, Kind.OTHER), length, may_read, may_write)
