"""Bayarind as a caller meets it: forms posted, JSON read, its hashes computed here once more."""

import hashlib
import itertools
import json

from tests.simulators.conftest import DEADLINE, Control

KEY = "0123456789abcdef0123456789abcdef"
INSERT, QUERY, VOID = "POST /PaymentRegister", "POST /PaymentQuery", "POST /PostAuth"
DATE, END = "2026-03-01 09:00:00", "2036-03-01 09:00:00"

_numbers = itertools.count(1)


def hashed(*parts):
    return hashlib.sha256("".join(parts).encode()).hexdigest()


class BayarindWire(Control):
    def call(self, path, form, *, timeout=DEADLINE):
        return self.http.post(self.url + path, data=form, timeout=timeout)

    def insert_form(self, amount=125_000, number=None, *, key=KEY, **changes):
        form = {
            "channelId": "TOKOEXVA01",
            "serviceCode": "1021",
            "currency": "IDR",
            "transactionNo": number or f"INV{next(_numbers)}",
            "transactionAmount": str(amount),
            "transactionDate": DATE,
            "transactionExpire": END,
            "customerAccount": "1234500000000117",
            "customerName": "Siti Aminah",
        } | changes
        form.setdefault("authCode", hashed(form["transactionNo"], form["transactionAmount"], form["channelId"], key))
        return {name: value for name, value in form.items() if value is not None}

    def insert(self, *given, timeout=DEADLINE, **changes):
        return self.call("/PaymentRegister", self.insert_form(*given, **changes), timeout=timeout)

    def inserted(self, *given, **changes):
        """The insert id."""
        told = self.insert(*given, **changes).json()
        assert told["insertStatus"] == "00", told
        return told["insertId"]

    def question(self, number, date=DATE, **changes):
        asked = json.dumps([{"transactionNo": number, "transactionDate": date}])
        form = {"channelId": "TOKOEXVA01", "serviceCode": "1021", "queryRequest": asked} | changes
        return self.call("/PaymentQuery", form).json()["queryResponse"]

    def status(self, number, **changes):
        [row] = self.question(number, **changes)
        return row["transactionStatus"]

    def void(self, number, amount=125_000, **changes):
        form = {"channelId": "TOKOEXVA01", "serviceCode": "1021", "transactionNo": number}
        form |= {"transactionAmount": str(amount), "transactionType": "VOID INSERT"} | changes
        told = self.call("/PostAuth", form).json()
        return told["transactionStatus"], told["transactionMessage"]
