"""The front desk's rules as functions over a state; each returns the violations it finds."""

from collections import Counter, defaultdict
from datetime import date, timedelta
from typing import Any, Dict, List, Tuple

KEYS = {
    "guests": "guest_id",
    "room_types": "type_code",
    "rooms": "room_number",
    "reservations": "reservation_id",
    "charges": "charge_id",
    "payments": "payment_id",
    "housekeeping_tasks": "task_id",
    "housekeepers": "housekeeper_id",
}
REFERENCES = [
    ("rooms", "type_code", "room_types"),
    ("reservations", "guest_id", "guests"),
    ("reservations", "room_number", "rooms"),
    ("reservations", "type_code", "room_types"),
    ("charges", "reservation_id", "reservations"),
    ("payments", "reservation_id", "reservations"),
    ("housekeeping_tasks", "room_number", "rooms"),
    ("housekeeping_tasks", "housekeeper_id", "housekeepers"),
]
ACTIVE = ("booked", "checked_in")
STAYED = ("checked_in", "checked_out")
FEES = {"cancelled": "cancellation_fee", "no_show": "no_show_fee"}


def references_resolve(state: Dict[str, Any]) -> List[str]:
    """Every record is stored under its own id, and every reference leads to an existing record."""
    found = [
        f"{name}[{key!r}] has {field} {record.get(field)!r}."
        for name, field in KEYS.items()
        for key, record in _table(state, name).items()
        if record.get(field) != key
    ]
    for name, field, target in REFERENCES:
        for key, record in _table(state, name).items():
            value = record.get(field)
            if field == "housekeeper_id" and value is None:
                continue
            if value not in _table(state, target):
                found.append(f"{name}[{key!r}] refers to unknown {field} {value!r}.")
    return found


def no_double_booking(state: Dict[str, Any]) -> List[str]:
    """No room has two booked or checked-in stays on one night, or an arrival on a late check-out day."""
    by_room: Dict[str, List[Dict[str, Any]]] = defaultdict(list)
    for stay in _table(state, "reservations").values():
        if stay.get("status") in ACTIVE:
            by_room[str(stay.get("room_number"))].append(stay)
    found = []
    for number, stays in by_room.items():
        stays.sort(key=lambda stay: (stay["arrival"], stay["departure"]))
        for index, first in enumerate(stays):
            for second in stays[index + 1 :]:
                same_day = second["arrival"] == first["departure"] and first["late_checkout"]
                if second["arrival"] < first["departure"] or same_day:
                    found.append(
                        f"Room {number}: {first['reservation_id']} until {first['departure']}, late: "
                        f"{first['late_checkout']}, and {second['reservation_id']} from {second['arrival']}."
                    )
    return found


def one_occupant(state: Dict[str, Any]) -> List[str]:
    """A room is occupied by at most one checked-in stay at a time."""
    stays = _table(state, "reservations").values()
    occupied = Counter(stay.get("room_number") for stay in stays if stay.get("status") == "checked_in")
    return [f"Room {number} has {count} checked-in stays." for number, count in occupied.items() if count > 1]


def stay_fits_room(state: Dict[str, Any]) -> List[str]:
    """A stay has 1 to 28 nights, and its party, at least one adult, fits the capacity of its room."""
    found = []
    for key, stay in _table(state, "reservations").items():
        nights = len(_nights(stay))
        if not 1 <= nights <= 28:
            found.append(f"{key} has {nights} nights.")
        room = _table(state, "rooms").get(stay["room_number"], {})
        capacity = _table(state, "room_types").get(room.get("type_code"), {}).get("capacity", 0)
        adults, children = stay["adults"], stay["children"]
        if adults < 1 or children < 0 or adults + children > capacity:
            found.append(f"{key}: {adults} adults and {children} children in a room for {capacity}.")
    return found


def room_not_below_booked_type(state: Dict[str, Any]) -> List[str]:
    """A guest has a room of the booked type or a higher one, never of a lower one."""
    types = _table(state, "room_types")
    found = []
    for key, stay in _table(state, "reservations").items():
        room = _table(state, "rooms").get(stay["room_number"], {})
        given = types.get(room.get("type_code"), {}).get("rank", 0)
        booked = types.get(stay["type_code"], {}).get("rank", 0)
        if given < booked:
            found.append(f"{key} booked rank {booked} and has room {stay['room_number']} of rank {given}.")
    return found


def no_stay_out_of_service(state: Dict[str, Any]) -> List[str]:
    """No booked or checked-in stay falls on a night on which its room is out of service."""
    found = []
    for number, room in _table(state, "rooms").items():
        period = (room.get("out_of_service_from"), room.get("out_of_service_until"))
        parts = [*period, room.get("out_of_service_reason")]
        if any(part is None for part in parts) != all(part is None for part in parts):
            found.append(f"Room {number} has an incomplete out-of-service period {parts}.")
        elif parts[0] is not None and not parts[0] < parts[1]:
            found.append(f"Room {number} is out of service from {parts[0]} until {parts[1]}.")
    for key, stay in _table(state, "reservations").items():
        room = _table(state, "rooms").get(stay["room_number"], {})
        start, end = room.get("out_of_service_from"), room.get("out_of_service_until")
        if stay["status"] not in ACTIVE or start is None or end is None:
            continue
        if stay["arrival"] < end and start < stay["departure"]:
            found.append(
                f"{key} is from {stay['arrival']} to {stay['departure']} in room {stay['room_number']}, "
                "which is "
                f"out of service from {start} until {end}."
            )
    return found


def folios_balance(state: Dict[str, Any]) -> List[str]:
    """Unvoided charges minus payments plus refunds equal the balance of each reservation."""
    totals: Dict[str, int] = defaultdict(int)
    for line in _table(state, "charges").values():
        totals[line["reservation_id"]] += 0 if line["voided"] else line["amount_cents"]
    for paid in _table(state, "payments").values():
        sign = -1 if paid["kind"] == "payment" else 1
        totals[paid["reservation_id"]] += sign * paid["amount_cents"]
    return [
        f"{key} has balance {stay['balance_cents']}, its folio adds up to {totals[key]}."
        for key, stay in _table(state, "reservations").items()
        if stay["balance_cents"] != totals[key]
    ]


def amounts_positive(state: Dict[str, Any]) -> List[str]:
    """A charge is quantity times unit price, both above 0, and every payment or refund is above 0."""
    found = []
    for key, line in _table(state, "charges").items():
        quantity, unit, amount = line["quantity"], line["unit_cents"], line["amount_cents"]
        if quantity < 1 or unit < 1 or amount != quantity * unit:
            found.append(f"{key}: {quantity} times {unit} is charged as {amount}.")
        if line["voided"] == (line["void_reason"] is None):
            found.append(f"{key}: voided is {line['voided']} with reason {line['void_reason']!r}.")
    for key, paid in _table(state, "payments").items():
        if paid["amount_cents"] < 1 or paid["kind"] not in ("payment", "refund"):
            found.append(f"{key}: {paid['kind']} of {paid['amount_cents']}.")
    return found


def refunds_covered(state: Dict[str, Any]) -> List[str]:
    """On a reservation, no more is refunded by a method than was paid by it."""
    net: Dict[Tuple[str, str], int] = defaultdict(int)
    for paid in _table(state, "payments").values():
        sign = 1 if paid["kind"] == "payment" else -1
        net[(paid["reservation_id"], paid["method"])] += sign * paid["amount_cents"]
    return [f"{key} by {method}: {total} net." for (key, method), total in net.items() if total < 0]


def departed_folios_settled(state: Dict[str, Any]) -> List[str]:
    """A checked-out reservation has a balance of 0, and a booked one never owes money."""
    found = []
    for key, stay in _table(state, "reservations").items():
        status, balance = stay["status"], stay["balance_cents"]
        if (status == "checked_out" and balance != 0) or (status == "booked" and balance > 0):
            found.append(f"{key} is {status} with balance {balance}.")
    return found


def nights_charged_once(state: Dict[str, Any]) -> List[str]:
    """Each night of a checked-in or checked-out stay is charged once at the agreed rate, and no other."""
    charged: Dict[str, List[Tuple[str, int]]] = defaultdict(list)
    found = []
    for key, line in _table(state, "charges").items():
        if (line["kind"] == "room") != (line["night"] is not None):
            found.append(f"{key} of kind {line['kind']} has night {line['night']}.")
        elif line["kind"] == "room" and not line["voided"]:
            charged[line["reservation_id"]].append((line["night"], line["amount_cents"]))
    for key, stay in _table(state, "reservations").items():
        expected = _prices(state, stay) if stay["status"] in STAYED else []
        if sorted(charged[key]) != expected:
            found.append(f"{key} ({stay['status']}) has room charges {sorted(charged[key])}, not {expected}.")
    return found


def closing_fees(state: Dict[str, Any]) -> List[str]:
    """A no-show carries one fee of the first night's price, a cancelled booking one or none, others none."""
    fees: Dict[str, List[Tuple[str, int]]] = defaultdict(list)
    for line in _table(state, "charges").values():
        if line["kind"] in FEES.values() and not line["voided"]:
            fees[line["reservation_id"]].append((line["kind"], line["amount_cents"]))
    found = []
    for key, stay in _table(state, "reservations").items():
        status, mine = stay["status"], fees[key]
        allowed: List[List[Tuple[str, int]]] = [[]]
        if status in FEES:
            fee = [(FEES[status], price) for _, price in _prices(state, stay)[:1]]
            allowed = [fee] if status == "no_show" else [[], fee]
        if mine not in allowed:
            found.append(f"{key} ({status}) has closing fees {mine}; allowed are {allowed}.")
    return found


def late_checkout_fees(state: Dict[str, Any]) -> List[str]:
    """A late check-out is granted only to guests who have checked in, and its fee is charged at most once."""
    fees = Counter(
        line["reservation_id"]
        for line in _table(state, "charges").values()
        if line["kind"] == "late_checkout_fee" and not line["voided"]
    )
    return [
        f"{key} ({stay['status']}): late check-out {stay['late_checkout']}, {fees[key]} fees."
        for key, stay in _table(state, "reservations").items()
        if fees[key] > int(stay["late_checkout"]) or (stay["late_checkout"] and stay["status"] not in STAYED)
    ]


def status_matches_history(state: Dict[str, Any]) -> List[str]:
    """A stay's status agrees with its record: in on or after arrival day, out on or after departure day."""
    found = []
    for key, stay in _table(state, "reservations").items():
        status, arrived, left = stay["status"], stay["checked_in_at"], stay["checked_out_at"]
        agrees = (
            status in (*ACTIVE, *FEES, "checked_out")
            and (arrived is not None) == (status in STAYED)
            and (left is not None) == (status == "checked_out")
            and (stay["cancel_reason"] is not None) == (status == "cancelled")
            and (arrived is None or arrived[:10] >= stay["arrival"])
            and (left is None or (left[:10] >= stay["departure"] and left >= (arrived or "")))
        )
        if not agrees:
            found.append(
                f"{key} is {status} from {stay['arrival']} to {stay['departure']}, in {arrived}, out {left}, "
                f"cancel reason {stay['cancel_reason']!r}."
            )
    return found


def dirty_rooms_have_task(state: Dict[str, Any]) -> List[str]:
    """A dirty room has exactly one open housekeeping task, a clean or inspected room has none."""
    tasks = _table(state, "housekeeping_tasks").values()
    opened = Counter(task.get("room_number") for task in tasks if task.get("status") == "open")
    found = []
    for number, room in _table(state, "rooms").items():
        status = room["housekeeping_status"]
        known = status in ("dirty", "clean", "inspected")
        if not known or opened[number] != int(status == "dirty"):
            found.append(f"Room {number} is {status} and has {opened[number]} open tasks.")
    return found


def tasks_assigned_fairly(state: Dict[str, Any]) -> List[str]:
    """Open tasks go to housekeepers on duty who cover the floor, at most 5 each; done tasks name theirs."""
    people = _table(state, "housekeepers")
    held: Dict[str, int] = defaultdict(int)
    found = []
    for key, task in _table(state, "housekeeping_tasks").items():
        person, status = task["housekeeper_id"], task["status"]
        done = task["completed_at"] is not None
        if status not in ("open", "done") or done != (status == "done") or (done and person is None):
            found.append(f"{key} is {status}, completed at {task['completed_at']}, housekeeper {person!r}.")
        if status != "open" or person is None:
            continue
        held[person] += 1
        floor = _table(state, "rooms").get(task["room_number"], {}).get("floor")
        record = people.get(person, {})
        if not record.get("on_duty", False) or floor not in record.get("floors", []):
            found.append(f"{key} on floor {floor} is with {person!r}: {record}.")
    return found + [f"{person} has {count} open tasks." for person, count in held.items() if count > 5]


def tier_follows_nights(state: Dict[str, Any]) -> List[str]:
    """The loyalty tier follows from the nights stayed: silver from 10, gold from 30, platinum from 60."""
    found = []
    for key, guest in _table(state, "guests").items():
        nights = guest["nights_stayed"]
        tier = "platinum" if nights >= 60 else "gold" if nights >= 30 else "silver" if nights >= 10 else "none"
        if guest["loyalty_tier"] != tier or nights < 0:
            found.append(f"{key} has {nights} nights and tier {guest['loyalty_tier']!r}.")
    return found


def active_reservation_limit(state: Dict[str, Any]) -> List[str]:
    """A guest has at most 3 booked or checked-in reservations."""
    stays = _table(state, "reservations").values()
    active = Counter(stay.get("guest_id") for stay in stays if stay.get("status") in ACTIVE)
    return [f"{guest} has {count} active reservations." for guest, count in active.items() if count > 3]


def emails_unique(state: Dict[str, Any]) -> List[str]:
    """No two guests share an e-mail address."""
    used = Counter(str(guest.get("email")).lower() for guest in _table(state, "guests").values())
    return [f"{email} belongs to {count} guests." for email, count in used.items() if count > 1]


def _table(state: Dict[str, Any], name: str) -> Dict[str, Any]:
    table = state.get(name, {})
    return table if isinstance(table, dict) else {}


def _nights(stay: Dict[str, Any]) -> List[date]:
    try:
        first, last = date.fromisoformat(stay["arrival"]), date.fromisoformat(stay["departure"])
    except ValueError:
        return []
    return [first + timedelta(days=offset) for offset in range((last - first).days)]


def _prices(state: Dict[str, Any], stay: Dict[str, Any]) -> List[Tuple[str, int]]:
    kind = _table(state, "room_types").get(stay["type_code"], {})
    prices = []
    for night in _nights(stay):
        rate = kind.get("weekend_rate_cents" if night.weekday() in (4, 5) else "weekday_rate_cents", 0)
        prices.append((night.isoformat(), rate * (100 - stay["discount_percent"]) // 100))
    return prices
