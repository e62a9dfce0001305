"""What always holds in PharmacyDispensary, as functions of a state."""

import re
from datetime import date, timedelta
from itertools import pairwise
from typing import Any, Dict, List, Optional


def _records(state: Dict[str, Any], table: str) -> Dict[str, Dict[str, Any]]:
    rows = state.get(table)
    return {key: row for key, row in rows.items() if isinstance(row, dict)} if isinstance(rows, dict) else {}


def _record(state: Dict[str, Any], table: str, key: Any) -> Dict[str, Any]:
    return _records(state, table).get(key, {}) if isinstance(key, str) else {}


def _number(value: Any) -> int:
    return value if isinstance(value, int) and not isinstance(value, bool) else 0


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""


def _texts(value: Any) -> List[str]:
    return [each for each in value if isinstance(each, str)] if isinstance(value, list) else []


def _day(value: Any) -> Optional[date]:
    if not isinstance(value, str) or not re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", value):
        return None
    try:
        return date.fromisoformat(value)
    except ValueError:
        return None


def _later(value: Any, days: int) -> str:
    day = _day(value)
    return "" if day is None else (day + timedelta(days=max(0, min(days, (date.max - day).days)))).isoformat()


def _taken(dispensing: Dict[str, Any]) -> Dict[str, int]:
    used = dispensing.get("batches_used")
    return {key: _number(units) for key, units in used.items()} if isinstance(used, dict) else {}


def _dispensings(state: Dict[str, Any], *statuses: str) -> Dict[str, Dict[str, Any]]:
    return {key: row for key, row in sorted(_records(state, "dispensings").items()) if row.get("status") in statuses}


def _waiting(state: Dict[str, Any]) -> Dict[str, Dict[str, Any]]:
    return _dispensings(state, "prepared", "checked")


def _kept(state: Dict[str, Any]) -> Dict[str, Dict[str, Any]]:
    return _dispensings(state, "prepared", "checked", "collected")


def _prescription(state: Dict[str, Any], dispensing: Dict[str, Any]) -> Dict[str, Any]:
    return _record(state, "prescriptions", dispensing.get("prescription_id"))


def _is_controlled(state: Dict[str, Any], product_id: Any) -> bool:
    return _record(state, "products", product_id).get("controlled") is True


def _is_pharmacist(state: Dict[str, Any], staff_id: Any) -> bool:
    return _record(state, "staff", staff_id).get("role") == "pharmacist"


def _entries(state: Dict[str, Any]) -> Dict[str, List[Dict[str, Any]]]:
    def number(key: str) -> int:
        found = re.search(r"([0-9]+)$", key)
        return int(found[1]) if found else 0

    rows = _records(state, "register_entries")
    entries: Dict[str, List[Dict[str, Any]]] = {}
    for key in sorted(rows, key=lambda key: (number(key), key)):
        entries.setdefault(_text(rows[key].get("product_id")), []).append(rows[key])
    return entries


def stock_adds_up(state: Dict[str, Any]) -> List[str]:
    """Of a batch that is not destroyed, the units on the shelf and those that dispensings have taken from it add up to what was received; of a destroyed batch nothing is on the shelf, and no more was taken than was received."""
    taken: Dict[str, int] = {}
    for dispensing in _kept(state).values():
        for key, units in _taken(dispensing).items():
            taken[key] = taken.get(key, 0) + units
    found = []
    for key, batch in _records(state, "batches").items():
        received, shelf = _number(batch.get("received_quantity")), _number(batch.get("quantity"))
        out = taken.get(key, 0)
        if batch.get("status") == "destroyed":
            if shelf != 0 or out > received:
                found.append(f"{key} is destroyed: {shelf} on the shelf, {out} taken of {received} received")
        elif shelf < 0 or shelf + out != received:
            found.append(f"{key}: {shelf} on the shelf and {out} taken do not make the {received} received")
    return found


def dispensings_are_filled(state: Dict[str, Any]) -> List[str]:
    """What a dispensing has taken from batches and what it owes add up to the quantity of its prescription, unless the prescription is cancelled; a returned dispensing has taken and owes nothing."""
    found = []
    for key, dispensing in _records(state, "dispensings").items():
        taken, owed = _taken(dispensing), _number(dispensing.get("owed_quantity"))
        units = sum(taken.values())
        prescription = _prescription(state, dispensing)
        if dispensing.get("status") == "returned":
            if taken or owed:
                found.append(f"{key} is returned, has taken {units} and owes {owed}")
            continue
        wanted = _number(prescription.get("quantity"))
        if owed < 0 or any(each < 1 for each in taken.values()):
            found.append(f"{key} takes {sorted(taken.items())} and owes {owed}")
        if prescription.get("status") != "cancelled" and units + owed != wanted:
            found.append(f"{key}: {units} taken and {owed} owed do not make the {wanted} prescribed")
    return found


def products_fit_prescriptions(state: Dict[str, Any]) -> List[str]:
    """A dispensing takes from batches of its own product only, which is the prescribed one or, where the prescriber allows substitution, one of the same substance and presentation."""
    found = []
    for key, dispensing in _records(state, "dispensings").items():
        product_id, prescription = dispensing.get("product_id"), _prescription(state, dispensing)
        for batch_id in sorted(_taken(dispensing)):
            holds = _record(state, "batches", batch_id).get("product_id")
            if holds != product_id:
                found.append(f"{key} of {product_id} takes from {batch_id}, which holds {holds}")
        prescribed = prescription.get("product_id")
        if product_id == prescribed:
            continue
        one, other = _record(state, "products", product_id), _record(state, "products", prescribed)
        same = all(one.get(field) == other.get(field) for field in ("substance", "presentation"))
        if not same or prescription.get("substitution_allowed") is not True:
            found.append(f"{key} supplies {product_id}; prescribed is {prescribed}, which it may not replace")
    return found


def what_was_taken_is_fit(state: Dict[str, Any]) -> List[str]:
    """What has been taken does not expire before its supply is used up, and no dispensing that waits for collection holds units of a batch that is quarantined or destroyed."""
    found = []
    waiting = _waiting(state)
    for key, dispensing in _kept(state).items():
        until = _later(dispensing.get("prepared_on"), _number(_prescription(state, dispensing).get("days_supply")))
        for batch_id in sorted(_taken(dispensing)):
            batch = _record(state, "batches", batch_id)
            if _text(batch.get("expires_on")) < until:
                found.append(f"{key} lasts until {until}, its units of {batch_id} expire on {batch.get('expires_on')}")
            if key in waiting and batch.get("status") != "in_stock":
                found.append(f"{key} waits with units of {batch_id}, which is {batch.get('status')}")
    return found


def supplies_lie_in_the_validity(state: Dict[str, Any]) -> List[str]:
    """Every dispensing that was not returned is prepared, and collected if it is, between the issue of its prescription and the last day of its validity, which is 180 days after the issue, or 28 days for a controlled product."""
    found = []
    for key, dispensing in _kept(state).items():
        prescription = _prescription(state, dispensing)
        issued = _text(prescription.get("issued_on"))
        until = _later(issued, 28 if _is_controlled(state, prescription.get("product_id")) else 180)
        prepared, collected = _text(dispensing.get("prepared_on")), dispensing.get("collected_on")
        if (collected is not None) != (dispensing.get("status") == "collected"):
            found.append(f"{key} is {dispensing.get('status')} and was collected on {collected}")
        if not issued <= prepared <= until:
            found.append(f"{key} is prepared on {prepared}, its prescription is valid from {issued} to {until}")
        if collected is not None and not prepared <= _text(collected) <= until:
            found.append(f"{key} is collected on {collected}, prepared on {prepared}, valid until {until}")
    return found


def supplies_are_spaced(state: Dict[str, Any]) -> List[str]:
    """A prescription has no more dispensings, returned ones aside, than it allows supplies, and each of them is prepared at the earliest three days before the supply of the one before it runs out."""
    days: Dict[str, List[str]] = {}
    for dispensing in _kept(state).values():
        days.setdefault(_text(dispensing.get("prescription_id")), []).append(_text(dispensing.get("prepared_on")))
    found = []
    for key, prescription in _records(state, "prescriptions").items():
        prepared = sorted(days.get(key, []))
        supplies = _number(prescription.get("supplies"))
        if len(prepared) > supplies:
            found.append(f"{key} allows {supplies} supplies and has {len(prepared)}")
        for before, after in pairwise(prepared):
            first = _later(before, max(0, _number(prescription.get("days_supply")) - 3))
            if after < first:
                found.append(f"{key} is supplied on {before} and on {after}, which is before {first}")
    return found


def prescriptions_end_when_supplied(state: Dict[str, Any]) -> List[str]:
    """A prescription is completed exactly when all its supplies have been collected in full; one that is cancelled or completed has no dispensing that waits or owes anything."""
    found = []
    for key, prescription in _records(state, "prescriptions").items():
        own = {name: row for name, row in _kept(state).items() if row.get("prescription_id") == key}
        open_ones = [
            name
            for name, row in own.items()
            if row.get("status") != "collected" or _number(row.get("owed_quantity")) != 0
        ]
        status = prescription.get("status")
        collected, supplies = len(own) - len(open_ones), prescription.get("supplies")
        all_done = collected == _number(supplies)
        if status in ("active", "completed") and all_done != (status == "completed"):
            found.append(f"{key} is {status}: {collected} of {supplies} supplies are collected in full")
        if status in ("cancelled", "completed") and open_ones:
            found.append(f"{key} is {status}, and {', '.join(open_ones)} waits or owes something")
    return found


def prescribers_keep_to_their_scope(state: Dict[str, Any]) -> List[str]:
    """Dentists prescribe products of the dental list only and nurses no controlled ones, and a controlled product is prescribed for a single supply of at most 30 days."""
    found = []
    for key, prescription in _records(state, "prescriptions").items():
        product_id, kind = prescription.get("product_id"), prescription.get("prescriber_kind")
        product = _record(state, "products", product_id)
        if kind == "dentist" and product.get("dental") is not True:
            found.append(f"{key}: a dentist prescribes {product_id}, which is not on the dental list")
        if not _is_controlled(state, product_id):
            continue
        supplies, days = prescription.get("supplies"), _number(prescription.get("days_supply"))
        if kind == "nurse" or supplies != 1 or days > 30:
            found.append(
                f"{key}: {product_id} is controlled; prescribed by a {kind}, {supplies} supplies of {days} days"
            )
    return found


def second_person_checks(state: Dict[str, Any]) -> List[str]:
    """A dispensing has a checker exactly from its check on, who is a pharmacist other than who prepared it; whoever prepared it is a pharmacist or technician whose registration had not lapsed on that day."""
    found = []
    for key, dispensing in _records(state, "dispensings").items():
        status, preparer, checker = (dispensing.get(field) for field in ("status", "prepared_by", "checked_by"))
        if (status == "prepared" and checker is not None) or (status in ("checked", "collected") and checker is None):
            found.append(f"{key} is {status} and checked by {checker}")
        if checker is not None and (checker == preparer or not _is_pharmacist(state, checker)):
            found.append(f"{key} is checked by {checker}, prepared by {preparer}")
        person = _record(state, "staff", preparer)
        until = _text(person.get("registered_until"))
        if person.get("role") not in ("pharmacist", "technician") or until < _text(dispensing.get("prepared_on")):
            day, role = dispensing.get("prepared_on"), person.get("role")
            found.append(f"{key} is prepared on {day} by {preparer}, {role} until {until!r}")
    return found


def allergies_are_minded(state: Dict[str, Any]) -> List[str]:
    """No dispensing that waits for collection holds what its patient is allergic to, by substance or allergy group, unless a pharmacist has overridden the alert on its prescription."""
    found = []
    for key, dispensing in _waiting(state).items():
        prescription = _prescription(state, dispensing)
        allergies = _texts(_record(state, "patients", prescription.get("patient_id")).get("allergies"))
        product = _record(state, "products", dispensing.get("product_id"))
        hits = [each for each in (product.get("substance"), product.get("allergy_group")) if each in allergies]
        if hits and not _is_pharmacist(state, prescription.get("override_by")):
            found.append(f"{key} waits for {prescription.get('patient_id')}, who is allergic to {hits}")
    return found


def register_carries_its_balance(state: Dict[str, Any]) -> List[str]:
    """The register of each controlled product carries its balance on from entry to entry, plus what came in and minus what went out, never below zero; a balance can be brought forward in the first entry alone, and no other product has entries."""
    found = []
    for product_id, entries in _entries(state).items():
        if not _is_controlled(state, product_id):
            found.append(f"{product_id} is not controlled and has {len(entries)} register entries")
        before = 0
        for place, entry in enumerate(entries):
            kind, quantity, balance = entry.get("kind"), _number(entry.get("quantity")), _number(entry.get("balance"))
            sign = 1 if kind in ("brought_forward", "received") else -1
            if balance != before + sign * quantity or balance < 0 or quantity < 0:
                found.append(f"{entry.get('entry_id')}: {kind} {quantity} leads from {before} to {balance}")
            if kind == "brought_forward" and place:
                found.append(f"{entry.get('entry_id')} brings a balance of {product_id} forward behind other entries")
            before = balance
    return found


def register_agrees_with_stock(state: Dict[str, Any]) -> List[str]:
    """The last register balance of a controlled product is what its batches have on the shelf and its waiting dispensings hold."""
    entries = _entries(state)
    found = []
    for key in _records(state, "products"):
        if not _is_controlled(state, key):
            continue
        shelf = sum(
            _number(row.get("quantity")) for row in _records(state, "batches").values() if row.get("product_id") == key
        )
        held = sum(sum(_taken(row).values()) for row in _waiting(state).values() if row.get("product_id") == key)
        balance = _number(entries[key][-1].get("balance")) if key in entries else 0
        if balance != shelf + held:
            found.append(f"the register of {key} says {balance}; {shelf} are on the shelf and {held} wait")
    return found


def register_agrees_with_supplies(state: Dict[str, Any]) -> List[str]:
    """The supplied entries of a dispensing add up to the units of the controlled product that were collected, and every destruction in the register is witnessed by a pharmacist other than who did it."""
    supplied: Dict[str, int] = {}
    found = []
    for entry in (each for entries in _entries(state).values() for each in entries):
        name, kind = entry.get("entry_id"), entry.get("kind")
        if kind == "supplied":
            key = _text(entry.get("dispensing_id"))
            supplied[key] = supplied.get(key, 0) + _number(entry.get("quantity"))
            if _record(state, "dispensings", key).get("product_id") != entry.get("product_id"):
                found.append(f"{name} is of {entry.get('product_id')}, which {key} does not supply")
        witness = entry.get("witnessed_by")
        if kind == "destroyed" and (witness == entry.get("made_by") or not _is_pharmacist(state, witness)):
            found.append(f"{name}: a destruction by {entry.get('made_by')} is witnessed by {witness}")
    for key, dispensing in _records(state, "dispensings").items():
        if not _is_controlled(state, dispensing.get("product_id")):
            continue
        units = sum(_taken(dispensing).values()) if dispensing.get("status") == "collected" else 0
        if supplied.get(key, 0) != units:
            found.append(f"{key}: {units} units collected, {supplied.get(key, 0)} in the register")
    return found


def balances_are_what_is_unpaid(state: Dict[str, Any]) -> List[str]:
    """A patient's balance is the co-payments of all collected dispensings less what was paid on them, and never exceeds the patient's credit limit; what was not collected is not charged."""
    owed: Dict[str, int] = {}
    found = []
    for key, dispensing in _records(state, "dispensings").items():
        charged, paid = _number(dispensing.get("copayment")), _number(dispensing.get("paid"))
        patient_id = _text(_prescription(state, dispensing).get("patient_id"))
        owed[patient_id] = owed.get(patient_id, 0) + charged - paid
        if not 0 <= paid <= charged:
            found.append(f"{key}: {paid} paid of {charged}")
        if charged and dispensing.get("status") != "collected":
            found.append(f"{key} is {dispensing.get('status')} and charged {charged}")
    for key, patient in _records(state, "patients").items():
        balance, limit = _number(patient.get("balance")), _number(patient.get("credit_limit"))
        if balance != owed.get(key, 0):
            found.append(f"{key} has a balance of {balance}, {owed.get(key, 0)} is unpaid")
        if balance > limit:
            found.append(f"{key} has a balance of {balance}, above the limit of {limit}")
    return found
