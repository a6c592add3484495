"""The pages that people see: one plain style, no scripts, nothing from elsewhere."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from html import escape
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from simulators.simulator import Simulator

REFRESH_SECONDS = 3
STYLE = """
:root { color-scheme: light dark; --ink: #16201c; --soft: #64716b; --paper: #eef2ef; --card: #fff;
  --line: #dbe3de; --yes: #127a4a; --no: #b3312c; }
@media (prefers-color-scheme: dark) { :root { --ink: #e8efeb; --soft: #98a69f; --paper: #0f1512;
  --card: #19211d; --line: #2b3731; --yes: #2ea66c; --no: #d9605a; } }
* { box-sizing: border-box }
body { margin: 0; min-height: 100vh; padding: 2rem 1rem; background: var(--paper); color: var(--ink);
  font: 16px/1.5 system-ui, sans-serif; display: flex; justify-content: center; align-items: flex-start }
main { width: 100%; max-width: 26rem; background: var(--card); border: 1px solid var(--line);
  border-radius: 1.75rem; padding: 1.5rem; box-shadow: 0 1rem 3rem #0002 }
main.wide { max-width: 56rem }
header { display: flex; justify-content: space-between; color: var(--soft); font-size: .85rem }
h1 { font-size: 1.35rem; margin: .5rem 0 1rem }
h2 { font-size: .8rem; margin: 1.75rem 0 .5rem; color: var(--soft); text-transform: uppercase;
  letter-spacing: .06em }
article { border: 1px solid var(--line); border-radius: 1rem; padding: 1rem; margin: .75rem 0 }
article p { margin: 0 0 .25rem }
.amount { font-size: 1.6rem; font-weight: 650; font-variant-numeric: tabular-nums }
.soft { color: var(--soft); font-size: .85rem; overflow-wrap: anywhere }
.buttons { display: grid; grid-template-columns: 1fr 1fr; gap: .5rem; margin-top: .9rem }
.buttons form { display: grid }
button { width: 100%; font: inherit; padding: .6rem .5rem; border-radius: .75rem; cursor: pointer;
  border: 1px solid var(--line); background: transparent; color: inherit }
button.yes { background: var(--yes); border-color: var(--yes); color: #fff; font-weight: 600 }
button.no { background: var(--no); border-color: var(--no); color: #fff; font-weight: 600 }
textarea, input { width: 100%; font: inherit; padding: .5rem; border-radius: .75rem;
  border: 1px solid var(--line); background: var(--paper); color: inherit }
textarea { font-family: ui-monospace, monospace; font-size: .8rem; overflow-wrap: anywhere }
button:focus-visible { outline: 3px solid color-mix(in srgb, var(--yes) 50%, transparent) }
table { width: 100%; border-collapse: collapse; font-size: .85rem }
td, th { padding: .4rem .35rem; border-top: 1px solid var(--line); text-align: left; vertical-align: top }
td:first-child { overflow-wrap: anywhere }
td.number { text-align: right; white-space: nowrap; font-variant-numeric: tabular-nums }
.empty { color: var(--soft); text-align: center; padding: 2rem 0 }
a { color: inherit }
"""


def page(title: str, body: str, *, refresh: bool = False, wide: bool = False) -> str:
    again = f'<meta http-equiv="refresh" content="{REFRESH_SECONDS}">' if refresh else ""
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8">{again}'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(title)}</title><style>{STYLE}</style></head>"
        f'<body><main class="{"wide" if wide else ""}">{body}</main></body></html>'
    )


def buttons(action: str, id: str, choices: Mapping[str, str]) -> str:
    """One form per outcome. The first is the way ahead, the second the refusal."""
    styles = ["yes", "no"] + [""] * len(choices)
    forms = [
        f'<form method="post" action="{escape(action)}"><input type="hidden" name="id" value="{escape(id)}">'
        f'<button class="{style}" name="outcome" value="{escape(outcome)}">{escape(label)}</button></form>'
        for style, (outcome, label) in zip(styles, choices.items(), strict=False)
    ]
    return f'<div class="buttons">{"".join(forms)}</div>'


def form(action: str, outcome: str, title: str, names: Mapping[str, str], given: Mapping[str, str]) -> str:
    """What the payer fills in: a field for each name, and one button."""
    fields = "".join(
        f'<p><label>{escape(label)}<br><input name="{escape(name)}" value="{escape(given.get(name, ""))}"></label></p>'
        for name, label in names.items()
    )
    return (
        f'<h1>{escape(title)}</h1><form method="post" action="{escape(action)}">{fields}'
        f'<button class="yes" name="outcome" value="{escape(outcome)}">{escape(title)}</button></form>'
    )


def card(amount: str, lines: Iterable[str], foot: str = "") -> str:
    """`foot` is markup; everything else is text."""
    details = "".join(f'<p class="soft">{escape(line)}</p>' for line in lines)
    return f'<article><p class="amount">{escape(amount)}</p>{details}{foot}</article>'


def history(rows: Iterable[tuple[str, str, str]]) -> str:
    """Who, how much, and what came of it."""
    cells = "".join(
        f'<tr><td>{escape(who)}</td><td class="number">{escape(amount)}</td><td>{escape(state)}</td></tr>'
        for who, amount, state in rows
    )
    return f"<h2>Before</h2><table>{cells}</table>" if cells else ""


def phone(title: str, heading: str, waiting: list[str], past: str) -> str:
    shown = "".join(waiting) or '<p class="empty">Nothing is waiting.<br>This page looks again by itself.</p>'
    head = f"<header><span>{escape(title)}</span><span>simulated phone</span></header><h1>{escape(heading)}</h1>"
    return page(f"{title} phone", head + shown + past, refresh=True)


SCAN_LINK = '<p class="soft"><a href="/_simulator/scan">Scan a QRIS code</a></p>'


def index(simulator: Simulator) -> str:
    return page(
        f"{simulator.title} simulator",
        f"<header><span>{escape(simulator.title)}</span><span>simulator</span></header>"
        f"<h1>{escape(simulator.title)} at {escape(simulator.base_url)}</h1>"
        '<p><a href="/_simulator/phone">Phone</a> · <a href="/_simulator/scan">Scan a code</a> · '
        '<a href="/_simulator/ledger">Ledger</a> · '
        '<a href="/_simulator/callbacks">Callbacks</a> · <a href="/_simulator/settings">Settings</a> · '
        '<a href="/_simulator/trouble">Trouble</a></p>'
        + _table("Credentials", simulator.credentials())
        + _table("Magic amounts", {str(amount): word for amount, word in simulator.magic_amounts.items()})
        + _table("Trouble", simulator.troubles.kinds),
        wide=True,
    )


def _table(title: str, rows: Mapping[str, str]) -> str:
    cells = "".join(f"<tr><th>{escape(name)}</th><td>{escape(value)}</td></tr>" for name, value in rows.items())
    return f"<h2>{escape(title)}</h2><table>{cells}</table>"
