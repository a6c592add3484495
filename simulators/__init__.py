"""The outside world, simulated: each company's real wire API over real HTTP, with a memory and a phone.

Imports nothing of the house and computes every signature itself, so that a wrong one cannot agree
with itself.
"""

from __future__ import annotations

from pathlib import Path
from types import TracebackType

from simulators.bayarind.simulator import Bayarind
from simulators.ipaymu.simulator import Ipaymu
from simulators.memory import Memory
from simulators.midtrans.simulator import Midtrans
from simulators.mpesa.simulator import Mpesa
from simulators.paypal.simulator import Paypal
from simulators.server import Server
from simulators.simulator import Simulator
from simulators.stripe.simulator import Stripe
from simulators.xendit.simulator import Xendit

# A simulator's port is the base port plus its place here, so new ones go to the end.
REGISTRY: dict[
    str, type[Stripe] | type[Mpesa] | type[Midtrans] | type[Paypal] | type[Xendit] | type[Ipaymu] | type[Bayarind]
] = {
    "stripe": Stripe,
    "mpesa": Mpesa,
    "midtrans": Midtrans,
    "paypal": Paypal,
    "xendit": Xendit,
    "ipaymu": Ipaymu,
    "bayarind": Bayarind,
}
BASE_PORT = 12110


class Running:
    """Simulators that listen. Use as a context manager, or call `stop`."""

    def __init__(self) -> None:
        self.simulators: dict[str, Simulator] = {}
        self._servers: list[Server] = []

    def add(self, simulator: Simulator, host: str, port: int) -> None:
        server = Server(host, port, simulator.answer)
        simulator.base_url = f"http://{host}:{server.server_port}"
        self.simulators[simulator.name] = simulator
        simulator.neighbours = self.simulators
        self._servers.append(server)

    def run(self) -> None:
        for simulator in self.simulators.values():
            simulator.resume()
        for server in self._servers:
            server.run()

    def url(self, name: str) -> str:
        return self.simulators[name].base_url

    def stop(self) -> None:
        for server in self._servers:
            server.stop()
        for simulator in self.simulators.values():
            simulator.stop()

    def __enter__(self) -> Running:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()


def start(*names: str, host: str = "127.0.0.1", base_port: int = 0, data: Path | None = None) -> Running:
    """Start the named simulators (all when none is named) in this process and return once they listen.

    `base_port` 0 gives each a free port. With `data` their memory outlives them, in one file per company.
    OSError when a port is taken.
    """
    running = Running()
    for place, (name, company) in enumerate(REGISTRY.items()):
        if not names or name in names:
            memory = Memory(data / f"{name}.sqlite3" if data else None)
            running.add(company(memory), host, base_port and base_port + place)
    running.run()
    return running
