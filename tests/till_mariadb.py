"""A till on a MariaDB: the server of Debian, in a folder of its own, as an unprivileged user."""

import datetime
import ipaddress
import os
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pymysql
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from pymysql.constants import CLIENT

from config.embedded_ground import Account, choose_account
from tests.till import NAME, Till

IS_INSTALLED = shutil.which("mariadbd", path="/usr/sbin:/usr/bin:/usr/local/sbin:/usr/local/bin") is not None
MISSING = "Debian's mariadb-server is not installed"
PASSWORD = "pässwörd-Łódź"

POS = """
CREATE TABLE pos_orders (
    id varchar(64) COLLATE utf8mb4_bin PRIMARY KEY, currency char(3) NOT NULL, discount decimal(12, 3),
    tax decimal(12, 3), total decimal(12, 3) NOT NULL, payment_status varchar(20)
);
CREATE TABLE pos_order_lines (
    id bigint AUTO_INCREMENT PRIMARY KEY, order_id varchar(64) COLLATE utf8mb4_bin NOT NULL, name text NOT NULL,
    quantity decimal(12, 3) NOT NULL, unit_price decimal(14, 3) NOT NULL, discount decimal(12, 3), total decimal(14, 3),
    CONSTRAINT line_of_order FOREIGN KEY (order_id) REFERENCES pos_orders (id)
);
"""
ERP = """
CREATE TABLE res_currency (id int AUTO_INCREMENT PRIMARY KEY, name varchar(3) NOT NULL);
CREATE TABLE sale_order (
    id int AUTO_INCREMENT PRIMARY KEY, name varchar(32), state varchar(16), currency_id int,
    amount_untaxed decimal(18, 2), amount_tax decimal(18, 2), amount_total decimal(18, 2), x_payment_status varchar(16)
);
CREATE TABLE sale_order_line (
    id int AUTO_INCREMENT PRIMARY KEY, order_id int, name text, sequence int, product_uom_qty decimal(12, 3),
    price_unit decimal(18, 3), discount decimal(5, 2), price_tax double, price_subtotal decimal(18, 2),
    price_total decimal(18, 2)
);
INSERT INTO res_currency (name) VALUES ('USD'), ('IDR'), ('KWD');
"""


@dataclass(frozen=True)
class Server:
    """Where a MariaDB listens. Its owner comes in by the socket; `authority` is what its certificate is signed by."""

    port: int
    socket: Path
    authority: Path

    def owner(self) -> "pymysql.Connection[Any]":
        return pymysql.connect(
            unix_socket=str(self.socket), user="root", autocommit=True, client_flag=CLIENT.MULTI_STATEMENTS
        )

    def run(self, text: str, values: Any = None, *, database: str = "") -> list[tuple[Any, ...]]:
        with closing(self.owner()) as owner, owner.cursor() as cursor:
            if database:
                owner.select_db(database)
            cursor.execute(text, values)
            found = list(cursor.fetchall())
            while cursor.nextset():
                pass
            return found


class MariaDBTill(Till):
    """A database on that server. We come in as a user of our own, who may do everything in it."""

    pos, erp = POS, ERP
    inexact, exact = "double", "decimal"

    def __init__(self, there: Server, name: str = NAME) -> None:
        self.there = there
        super().__init__(name)

    @property
    def ours(self) -> str:
        return f"lango_{self.name}"

    def _begin(self) -> None:
        self.there.run(f"DROP DATABASE IF EXISTS {self.database}; CREATE DATABASE {self.database} CHARSET utf8mb4")
        self.there.run(f"CREATE OR REPLACE USER {self.ours} IDENTIFIED BY '{PASSWORD}'")
        self.there.run(f"GRANT ALL ON {self.database}.* TO {self.ours}")

    def url(self, *, user: str = "", password: str = "", port: int = 0, options: str = "") -> str:
        return (
            f"mariadb://{user or self.ours}:{quote(password or PASSWORD)}"
            f"@127.0.0.1:{port or self.there.port}/{self.database}{options}"
        )

    def run(self, text: str, *values: Any) -> list[tuple[Any, ...]]:
        return self.there.run(text, values or None, database=self.database)

    @contextmanager
    def held(self, text: str) -> Iterator[None]:
        with closing(self.there.owner()) as owner, owner.cursor() as cursor:
            owner.select_db(self.database)
            owner.begin()
            cursor.execute(text)
            yield

    def retype(self, table: str, column: str, kind: str) -> None:
        self.run(f"ALTER TABLE {table} MODIFY {column} {kind}")

    @contextmanager
    def user(self, name: str, password: str, *rights: str) -> Iterator[None]:
        self.run(f"CREATE OR REPLACE USER {name} IDENTIFIED BY '{password}'")
        try:
            for right in rights:
                self.run(f"GRANT {right} TO {name}")
            yield
        finally:
            self.run(f"DROP USER {name}")

    def sleep(self, cursor: Any) -> None:
        cursor.execute("SET SESSION max_statement_time = 0.05")
        cursor.execute("SELECT SLEEP(10)")

    def go_away(self) -> None:
        self.there.run(f"ALTER USER {self.ours} ACCOUNT LOCK; KILL USER {self.ours}")

    def come_back(self) -> None:
        self.there.run(f"ALTER USER {self.ours} ACCOUNT UNLOCK")


@contextmanager
def mariadb_server(*options: str) -> Iterator[Server]:
    """A server that is there while the block lasts."""
    account = choose_account()
    with tempfile.TemporaryDirectory(prefix="lango-", dir="/tmp") as made:
        folder, port = Path(made), _free_port()
        authority = certify(folder)
        account.own(folder)
        _install(account, folder)
        words = [
            *("mariadbd", "--no-defaults", f"--datadir={folder / 'data'}", f"--socket={folder / 'socket'}"),
            *("--bind-address=127.0.0.1", f"--port={port}", "--skip-name-resolve", f"--pid-file={folder / 'pid'}"),
            *(f"--ssl-cert={folder / 'certificate.pem'}", f"--ssl-key={folder / 'key.pem'}"),
            *("--innodb-buffer-pool-size=32M", "--innodb-flush-log-at-trx-commit=0", *options),
        ]
        process = subprocess.Popen(
            account.command(*words, dies_with_us=True),
            cwd=folder,
            env=os.environ | {"PATH": f"{os.environ['PATH']}:/usr/sbin"},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            _wait_for(port, process)
            yield Server(port, folder / "socket", authority)
        finally:
            process.terminate()
            process.wait(60)


def _install(account: Account, folder: Path) -> None:
    words = ("mariadb-install-db", "--no-defaults", f"--datadir={folder / 'data'}", "--skip-test-db")
    command = account.command(*words, "--auth-root-authentication-method=normal")
    subprocess.run(command, cwd=folder, check=True, capture_output=True, timeout=300)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _wait_for(port: int, process: "subprocess.Popen[bytes]") -> None:
    until = time.monotonic() + 120
    while time.monotonic() < until and process.poll() is None:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    raise AssertionError(f"no MariaDB listens on {port}")


def certify(folder: Path) -> Path:
    """A certificate for 127.0.0.1, its own authority. Gives the path of that."""
    key, name = ec.generate_private_key(ec.SECP256R1()), x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "till")])
    now = datetime.datetime.now(datetime.UTC)
    names = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(names, critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    written = folder / "certificate.pem"
    written.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    told = (serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    (folder / "key.pem").write_bytes(key.private_bytes(*told))
    return written
