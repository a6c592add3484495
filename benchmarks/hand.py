"""A hand inside the checkout that is measured, with that checkout's own code.

    python -m benchmarks.hand

Reads one command of JSON per line, `{"do": name, …}`, and answers each with one line of JSON.
"""

import json
import os
import sys

import django


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
    django.setup()

    from benchmarks import inside, inside_codes, inside_reads, inside_stores

    parts = (inside, inside_reads, inside_codes, inside_stores)
    commands = {name: command for part in parts for name, command in part.COMMANDS.items()}
    for line in sys.stdin:
        asked = json.loads(line)
        print(json.dumps(commands[asked.pop("do")](**asked)), flush=True)


if __name__ == "__main__":
    main()
