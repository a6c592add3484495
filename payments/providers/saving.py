"""The part of the seam that speaks of saved methods: set up once, charged later, given up."""

from collections.abc import Set
from dataclasses import dataclass

from core.providers import OperationDeclaration


@dataclass(frozen=True, slots=True)
class Saving:
    """How a provider keeps methods: which ones, and what it promises about the writes that set them up and end them."""

    methods: Set[str]
    declaration: OperationDeclaration
