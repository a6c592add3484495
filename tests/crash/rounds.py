"""A crash run: rounds of payments under fire, each followed by a comparison of everybody's books."""

import json
import random
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping

from tests.crash import nights, world
from tests.crash.agreement import Comparison, Findings, gave_way, waiting
from tests.crash.aims import Gap, Marksman, Shot, aims_for_a_round
from tests.crash.arrivals import ask_again_about_given_up
from tests.crash.clients import Client, Diary
from tests.crash.companies import ALL
from tests.crash.gates import Call, Gate
from tests.crash.losses import Losing
from tests.crash.processes import Crew
from tests.crash.receiver import Receiver
from tests.crash.telling import tell
from tests.crash.world import Books, Ports

CLIENTS = 20
LONGEST_FIRE = 14.0
AIM_SECONDS = 2.0
SETTLE_SECONDS = 40.0
HAND_OVER_SECONDS = 45.0
ENOUGH = 3
"""So many operations must be caught in each gap, in a run of at least ROUNDS_TO_JUDGE rounds."""
ROUNDS_TO_JUDGE = 20
TEND_SECONDS = 0.02
RANDOM_VICTIMS = ("web", "worker", "beat")


class _Doors:
    """The guard before our callback doors: keeps which callbacks we have answered for."""

    def __init__(self, books: Books) -> None:
        self._books = books

    def arrived(self, call: Call) -> bool:
        return True

    def answered(self, call: Call) -> bool:
        return True

    def given(self, call: Call) -> None:
        if 200 <= call.status < 300:
            self._books.answered.add(call.path)
            if call.path.endswith("/confirmation"):
                self._books.confirmed.add(json.loads(call.body)["TransID"])


class Run:
    """Everything that lasts for all rounds."""

    def __init__(self, *, ports: Ports, environment: Mapping[str, str], rounds: int, seed: int) -> None:
        self._ports, self._environment, self._rounds, self._seed = ports, environment, rounds, seed
        self._diary, self._receiver = Diary(), Receiver()
        self._client: Callable[[int], Client]
        self._crew: Crew
        self._books: Books
        self._marksman: Marksman
        self._chance = random.Random(seed)

    def run(self) -> int:
        """The exit status."""
        tell(f"crash: {self._rounds} rounds, --seed {self._seed}, logs in {world.LOGS}")
        with world.simulators(self._ports, self._environment) as self._books:
            self._receiver.open()
            key, self._receiver.secret = world.seed(self._books, self._ports, self._receiver.url)
            with world.crew_at_work(self._ports, self._environment) as self._crew:
                self._open_gates()
                self._client = lambda number: self._new_client(key, number)
                # The first payments also fetch the one access token, which nobody else may while they do.
                self._client(0).warm_up()
                findings = self._all_rounds()
            if not findings.wrong:
                findings = self._sleep_over(findings)
        return _verdict(findings, self._marksman.shots, judged=self._rounds >= ROUNDS_TO_JUDGE)

    def _open_gates(self) -> None:
        self._marksman = Marksman(self._crew, self._chance)
        self._receiver.before_answer = self._marksman.delivered
        companies = {company.name: company for company in ALL}
        for place, name in enumerate(self._books.urls):
            beyond = self._ports.simulators + place
            guard = Losing(self._marksman, companies[name], self._chance)
            Gate(to=name, port=self._ports.gates + place, beyond=beyond, guard=guard).open()
        Gate(to="doors", port=self._ports.doors, beyond=self._ports.web, guard=_Doors(self._books)).open()

    def _new_client(self, key: str, number: int) -> Client:
        return Client(
            api=f"http://127.0.0.1:{self._ports.web}",
            key=key,
            simulators=self._books.urls,
            diary=self._diary,
            chance=random.Random(self._seed * 1_000 + number),
        )

    def _all_rounds(self) -> Findings:
        findings = Findings()
        for number in range(1, self._rounds + 1):
            began, kills = time.monotonic(), Counter(self._crew.kills)
            self._under_fire(number)
            loaded = time.monotonic()
            findings = self._settle(seconds=SETTLE_SECONDS, finally_=False)
            self._tell(number, loaded - began, time.monotonic() - loaded, self._crew.kills - kills, findings)
            if findings.wrong:
                return findings
        # What nobody could answer reaches the end of its schedule only some time after the last round.
        return self._settle(seconds=HAND_OVER_SECONDS, finally_=True) if findings.unknown else findings

    def _sleep_over(self, findings: Findings) -> Findings:
        """Days later, with nobody else at work: what callbacks did not tell has been found out."""
        nights.go_by()
        tell(f"nights: {len(findings.unknown)} unknown before, {nights.repaired()} repaired by what M-Pesa lists")
        return Comparison(self._books, self._receiver, finally_=True, days_later=True).run()

    def _under_fire(self, number: int) -> None:
        firing = threading.Thread(target=self._fire_away, args=(time.monotonic() + LONGEST_FIRE,), daemon=True)
        clients = [
            threading.Thread(target=self._journeys, args=(number * CLIENTS + place, firing), daemon=True)
            for place in range(CLIENTS)
        ]
        for thread in (firing, *clients):
            thread.start()
        while any(thread.is_alive() for thread in (firing, *clients)):
            self._tend()

    def _fire_away(self, ends_at: float) -> None:
        """One aim after the other, each at a web server that stands, so that a slow machine still pays."""
        victims = self._victims()
        for aim in aims_for_a_round(self._chance):
            world.await_answer(f"http://127.0.0.1:{self._ports.web}/healthz")
            if time.monotonic() > ends_at:
                break
            self._marksman.aim(aim)
            self._marksman.await_shot(AIM_SECONDS)
            if victims and self._chance.random() < len(victims) / 4:
                self._crew.kill_program(victims.pop())
        self._marksman.rest()
        for victim in victims:
            self._crew.kill_program(victim)

    def _victims(self) -> list[str]:
        return ["beat", self._chance.choice(RANDOM_VICTIMS)]

    def _tend(self) -> None:
        self._crew.tend()
        time.sleep(TEND_SECONDS)

    def _journeys(self, number: int, firing: threading.Thread) -> None:
        client = self._client(number)
        while firing.is_alive():
            client.do_something()

    def _settle(self, *, seconds: float, finally_: bool) -> Findings:
        """Compare until nothing is wrong any more, or the time is over."""
        ends_at, has_asked = time.monotonic() + seconds, False
        while True:
            for _ in range(20):
                self._tend()
            busy, late = waiting(), time.monotonic() > ends_at
            if busy and not late:
                continue
            if not has_asked:
                # Their answers came while nobody was there, each time; a person then asks again.
                has_asked = True
                if ask_again_about_given_up():
                    continue
            findings = Comparison(self._books, self._receiver, finally_=finally_).run()
            findings.wrong += [f"still to do: {rest}" for rest in busy] + self._diary.wrongs + self._twice()
            if late or not findings.wrong or self._diary.wrongs:
                return findings

    def _twice(self) -> list[str]:
        return [f"key {key} made {sorted(made)}" for key, made in self._diary.objects.items() if len(made) > 1]

    def _tell(self, number: int, load: float, settle: float, kills: Counter[str], findings: Findings) -> None:
        killed = ", ".join(f"{name} {count}" for name, count in sorted(kills.items()))
        again = sum(times - 1 for times in self._receiver.times.values())
        tell(
            f"round {number}: {len(self._diary.objects)} keys so far, {self._diary.repeats} repeats; killed {killed}; "
            f"{gave_way()} went on elsewhere; "
            f"{len(self._books.confirmed)} receipts told of; {len(self._receiver.verified)} events ({again} again); "
            f"{load:.0f} s under fire, {settle:.0f} s to agree"
            f"{f', {len(findings.unknown)} unknown' if findings.unknown else ''}"
            f"{': DISAGREES' if findings.wrong else ''}"
        )


def _verdict(findings: Findings, shots: list[Shot], *, judged: bool) -> int:
    for told in findings.unknown:
        tell(f"unknown, listed: {told}")
    tell(f"{'gap':<16}{'caught':>7}  by what was under way")
    short = []
    for gap in Gap:
        caught = Counter(f"{shot.program} {shot.on}" for shot in shots if shot.gap is gap)
        tell(f"{gap:<16}{caught.total():>7}  {', '.join(f'{name} {count}' for name, count in caught.most_common())}")
        if judged and caught.total() < ENOUGH:
            short.append(f"only {caught.total()} operations were caught {gap}")
    for complaint in (*findings.wrong, *short):
        tell(f"WRONG: {complaint}")
    for program, count in world.logged_faults().items():
        tell(f"{program}.log tells of {count} exceptions")
    return 1 if findings.wrong or short else 0
