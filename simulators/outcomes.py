"""What can become of a payment, in the words that every company here understands.

Each company says in its own tables what they come to there, and has words of its own besides.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping

COMMON: Mapping[str, str] = {
    "succeed": "the payer pays",
    "fail": "the payer is refused",
    "insufficient_funds": "the payer has too little",
    "cancel": "the payer does not want to",
    "expire": "nobody pays in time",
    "late_success": "the payer pays when it is too late",
}


def no_such(outcome: str, known: Collection[str]) -> ValueError:
    """For a word that a company does not know: which ones it does, the common ones first."""
    common = [word for word in COMMON if word in known]
    own = [word for word in known if word not in COMMON]
    return ValueError(f"no outcome named {outcome!r}; known: {', '.join(common)}; and of its own: {', '.join(own)}")
