"""What only the demo may know: its own key, passwords and webhook secret, kept for the next run.

Our database holds the key as a hash and the secret sealed, so the demo keeps what it was given, as any
merchant would, in one file that nobody else may read.
"""

import json
import os
from dataclasses import asdict, dataclass, field
from pathlib import Path

from config.embedded_ground import inherit
from core.crypto import Secret


@dataclass
class Credentials:
    """`staff` holds passwords by user name. Empty where nothing was seeded yet."""

    api_key: str = field(default="", repr=False)
    staff: dict[str, str] = field(default_factory=dict, repr=False)
    endpoint: str = ""
    endpoint_secret: str = field(default="", repr=False)

    @property
    def key(self) -> Secret:
        return Secret(self.api_key)

    @property
    def secret(self) -> Secret:
        """The webhook endpoint's."""
        return Secret(self.endpoint_secret)

    @classmethod
    def read(cls, path: Path) -> "Credentials":
        """From the file, or empty where there is none that can be read."""
        try:
            return cls(**json.loads(path.read_text()))
        except (FileNotFoundError, ValueError, TypeError):
            return cls()

    def write(self, path: Path) -> None:
        new = path.with_suffix(".new")
        new.unlink(missing_ok=True)
        with os.fdopen(os.open(new, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "w") as file:
            json.dump(asdict(self), file, indent=2)
        inherit(new).rename(path)
