"""The workshop's rules as functions over a state; each returns the violations it finds."""

from collections import Counter
from datetime import date
from typing import Any, Dict, Iterator, List, Optional, Tuple

_APPROVED = ("approved", "in_progress", "completed", "invoiced")
_CLOSED = ("invoiced", "cancelled")
_FINISHED = ("completed", "invoiced")
_DATES: Dict[str, Tuple[Tuple[str, ...], Tuple[str, ...]]] = {  # what each status requires and allows
    "estimate": ((), ("approved_on", "started_on")),
    "approved": (("approved_on",), ("started_on",)),
    "in_progress": (("approved_on", "started_on"), ()),
    "completed": (("approved_on", "started_on", "completed_on"), ()),
    "invoiced": (("approved_on", "started_on", "completed_on"), ()),
    "cancelled": (("cancelled_on", "cancel_reason"), ("approved_on",)),
}
_OPENING_MINUTE = 8 * 60
_CLOSING_MINUTE = 18 * 60

_KEYS = {
    "customers": "customer_id",
    "vehicles": "vehicle_id",
    "technicians": "technician_id",
    "bays": "bay_id",
    "job_types": "job_type_id",
    "parts": "part_id",
    "suppliers": "supplier_id",
    "work_orders": "work_order_id",
    "labour_lines": "line_id",
    "reservations": "reservation_id",
    "purchase_orders": "purchase_order_id",
    "invoices": "invoice_id",
    "payments": "payment_id",
}
_REFERENCES = (
    ("vehicles", "customer_id", "customers"),
    ("parts", "supplier_id", "suppliers"),
    ("work_orders", "vehicle_id", "vehicles"),
    ("work_orders", "customer_id", "customers"),
    ("labour_lines", "work_order_id", "work_orders"),
    ("labour_lines", "job_type_id", "job_types"),
    ("labour_lines", "technician_id", "technicians"),
    ("labour_lines", "bay_id", "bays"),
    ("reservations", "work_order_id", "work_orders"),
    ("reservations", "part_id", "parts"),
    ("purchase_orders", "supplier_id", "suppliers"),
    ("invoices", "work_order_id", "work_orders"),
    ("invoices", "customer_id", "customers"),
    ("payments", "invoice_id", "invoices"),
)


def _table(state: Dict[str, Any], name: str) -> Dict[str, Any]:
    table: Dict[str, Any] = state.get(name, {})
    return table


def _rows(state: Dict[str, Any], name: str) -> List[Tuple[str, Dict[str, Any]]]:
    return list(_table(state, name).items())


def _record(state: Dict[str, Any], name: str, key: Optional[str]) -> Dict[str, Any]:
    record: Dict[str, Any] = _table(state, name).get(key or "", {})
    return record


def _slots(state: Dict[str, Any]) -> Iterator[Tuple[str, Dict[str, Any], str, int, int]]:
    """Yield the booked labour lines with the date, first and last minute of their slots."""
    for line_id, line in _rows(state, "labour_lines"):
        starts_at = line.get("starts_at")
        if isinstance(starts_at, str) and starts_at[11:13].isdecimal() and starts_at[14:16].isdecimal():
            begin = int(starts_at[11:13]) * 60 + int(starts_at[14:16])
            yield line_id, line, starts_at[:10], begin, begin + int(line.get("minutes", 0))


def _weekday(day: str) -> int:
    try:
        return date.fromisoformat(day).weekday()
    except ValueError:
        return 6


def _order_totals(state: Dict[str, Any]) -> Tuple[Dict[str, int], Dict[str, int]]:
    """Sum up labour and parts of each work order."""
    labour: Dict[str, int] = {}
    parts: Dict[str, int] = {}
    for _, line in _rows(state, "labour_lines"):
        order_id = line.get("work_order_id", "")
        labour[order_id] = labour.get(order_id, 0) + line.get("price_cents", 0)
    for _, entry in _rows(state, "reservations"):
        if entry.get("status") != "released":
            order_id = entry.get("work_order_id", "")
            price = entry.get("quantity", 0) * entry.get("unit_price_cents", 0)
            parts[order_id] = parts.get(order_id, 0) + price
    return labour, parts


def _paid_by(state: Dict[str, Any], invoice_id: str, day: str) -> int:
    return sum(
        payment.get("amount_cents", 0)
        for _, payment in _rows(state, "payments")
        if payment.get("invoice_id") == invoice_id and payment.get("paid_on", "") <= day
    )


def references_resolve(state: Dict[str, Any]) -> List[str]:
    """Every record's key equals its id field, and every reference points at an existing record."""
    found = []
    for name, field in _KEYS.items():
        for key, record in _rows(state, name):
            if record.get(field) != key:
                found.append(f"{name} {key}: {field} is {record.get(field)!r}")
    for name, field, target in _REFERENCES:
        known = _table(state, target)
        for key, record in _rows(state, name):
            value = record.get(field)
            unbooked = value is None and name == "labour_lines"
            if value not in known and not unbooked:
                found.append(f"{name} {key}: {field} {value!r} is not in {target}")
    for key, purchase in _rows(state, "purchase_orders"):
        found.extend(
            f"purchase_orders {key}: part {line.get('part_id')!r} is not in parts"
            for line in purchase.get("lines", [])
            if line.get("part_id") not in _table(state, "parts")
        )
    return found


def one_open_order_per_vehicle(state: Dict[str, Any]) -> List[str]:
    """A vehicle has at most one work order that is neither invoiced nor cancelled."""
    counts = Counter(
        str(order.get("vehicle_id")) for _, order in _rows(state, "work_orders") if order.get("status") not in _CLOSED
    )
    return [f"vehicle {key} has {count} open work orders" for key, count in counts.items() if count > 1]


def no_order_while_overdue(state: Dict[str, Any]) -> List[str]:
    """No work order is opened while its customer has an invoice past its due date and not fully paid."""
    found = []
    for order_id, order in _rows(state, "work_orders"):
        opened_on = order.get("opened_on", "")
        for invoice_id, invoice in _rows(state, "invoices"):
            late = invoice.get("customer_id") == order.get("customer_id") and (invoice.get("due_on", "") < opened_on)
            if late and _paid_by(state, invoice_id, opened_on) < invoice.get("total_cents", 0):
                found.append(f"{order_id} was opened on {opened_on} with {invoice_id} due on {invoice.get('due_on')}")
    return found


def technicians_are_certified(state: Dict[str, Any]) -> List[str]:
    """A booked technician holds the certification that the job requires."""
    found = []
    for line_id, line in _rows(state, "labour_lines"):
        needed = _record(state, "job_types", line.get("job_type_id")).get("required_certification")
        held = _record(state, "technicians", line.get("technician_id")).get("certifications", [])
        if needed is not None and line.get("technician_id") is not None and needed not in held:
            found.append(f"{line_id}: {line.get('technician_id')} lacks {needed}, holds {held}")
    return found


def daily_minutes_respected(state: Dict[str, Any]) -> List[str]:
    """A technician's booked minutes on one date never exceed the technician's daily minutes."""
    booked: Dict[Tuple[str, str], int] = {}
    for _, line, day, begin, end in _slots(state):
        key = (str(line.get("technician_id")), day)
        booked[key] = booked.get(key, 0) + end - begin
    found = []
    for (technician_id, day), minutes in booked.items():
        limit = _record(state, "technicians", technician_id).get("daily_minutes", 0)
        if minutes > limit:
            found.append(f"{technician_id} has {minutes} minutes on {day}, at most {limit}")
    return found


def slots_do_not_overlap(state: Dict[str, Any]) -> List[str]:
    """Two slots that overlap in time never share a technician, a bay or a work order."""
    days: Dict[str, List[Tuple[str, Dict[str, Any], int, int]]] = {}
    for line_id, line, day, begin, end in _slots(state):
        days.setdefault(day, []).append((line_id, line, begin, end))
    found: List[str] = []
    for day, slots in days.items():
        for index, (line_id, line, begin, end) in enumerate(slots):
            for other_id, other, other_begin, other_end in slots[index + 1 :]:
                if begin < other_end and other_begin < end:
                    found.extend(
                        f"{line_id} and {other_id} share {field} {line.get(field)!r} on {day}"
                        for field in ("technician_id", "bay_id", "work_order_id")
                        if line.get(field) == other.get(field)
                    )
    return found


def slots_are_complete_and_in_opening_hours(state: Dict[str, Any]) -> List[str]:
    """A slot has a technician, a bay and a start, and lies on Monday to Friday between 08:00 and 18:00."""
    found = []
    for line_id, line in _rows(state, "labour_lines"):
        filled = [line.get(field) is not None for field in ("technician_id", "bay_id", "starts_at")]
        if any(filled) and not all(filled):
            found.append(f"{line_id}: technician, bay and start are only partly set")
    for line_id, _, day, begin, end in _slots(state):
        if begin < _OPENING_MINUTE or end > _CLOSING_MINUTE or _weekday(day) > 4:
            found.append(f"{line_id}: {day} from minute {begin} to {end} is outside opening hours")
    return found


def bays_have_the_equipment(state: Dict[str, Any]) -> List[str]:
    """A booked bay has the equipment that the job requires."""
    found = []
    for line_id, line in _rows(state, "labour_lines"):
        needed = _record(state, "job_types", line.get("job_type_id")).get("required_equipment")
        equipment = _record(state, "bays", line.get("bay_id")).get("equipment", [])
        if needed is not None and line.get("bay_id") is not None and needed not in equipment:
            found.append(f"{line_id}: {line.get('bay_id')} has no {needed}")
    return found


def labour_is_priced(state: Dict[str, Any]) -> List[str]:
    """Labour is planned in steps of 15 minutes up to 480, and its price is its time at its hourly rate."""
    found = []
    for line_id, line in _rows(state, "labour_lines"):
        minutes, rate = line.get("minutes", 0), line.get("rate_cents_per_hour", 0)
        if not 15 <= minutes <= 480 or minutes % 15:
            found.append(f"{line_id}: {minutes} minutes")
        if line.get("price_cents") != minutes * rate // 60:
            found.append(f"{line_id}: price {line.get('price_cents')} for {minutes} minutes at {rate}")
    return found


def approval_covers_work(state: Dict[str, Any]) -> List[str]:
    """Approved and started orders have labour and total at most 110% of what the customer approved."""
    labour, parts = _order_totals(state)
    found = []
    for order_id, order in _rows(state, "work_orders"):
        if order.get("status") in _APPROVED:
            total = labour.get(order_id, 0) + parts.get(order_id, 0)
            approved = order.get("approved_total_cents") or 0
            if order_id not in labour or total * 100 > approved * 110:
                found.append(f"{order_id} ({order.get('status')}) totals {total}, approved {approved}")
    return found


def order_dates_fit_status(state: Dict[str, Any]) -> List[str]:
    """A work order has exactly the dates that its status calls for, in order."""
    found = []
    for order_id, order in _rows(state, "work_orders"):
        required, optional = _DATES.get(str(order.get("status")), ((), ()))
        for field in ("approved_on", "started_on", "completed_on", "cancelled_on", "cancel_reason"):
            present = order.get(field) is not None
            if present != (field in required) and not (present and field in optional):
                found.append(f"{order_id} is {order.get('status')} with {field} {order.get(field)!r}")
        if (order.get("approved_on") is None) != (order.get("approved_total_cents") is None):
            found.append(f"{order_id}: approved_on and approved_total_cents do not go together")
        opened, end = order.get("opened_on", ""), order.get("completed_on") or order.get("cancelled_on")
        for field in ("approved_on", "started_on", "completed_on", "cancelled_on"):
            day = order.get(field)
            if day is not None and (day < opened or (end is not None and day > end)):
                found.append(f"{order_id}: {field} {day} is not between {opened} and {end}")
    return found


def finished_work_was_booked(state: Dict[str, Any]) -> List[str]:
    """Labour of a finished order has a slot no later than its completion; a cancelled order holds no slot."""
    found = []
    for line_id, line in _rows(state, "labour_lines"):
        order = _record(state, "work_orders", line.get("work_order_id"))
        starts_at, done = line.get("starts_at"), order.get("completed_on") or ""
        if order.get("status") in _FINISHED and (starts_at is None or starts_at[:10] > done):
            found.append(f"{line_id}: slot {starts_at!r} of an order completed on {done!r}")
        if order.get("status") == "cancelled" and starts_at is not None:
            found.append(f"{line_id}: slot {starts_at} of a cancelled order")
    return found


def reservations_follow_orders(state: Dict[str, Any]) -> List[str]:
    """Parts are held for open orders, used by finished ones and released by cancelled ones."""
    allowed = {
        "cancelled": ("released",),
        "completed": ("used", "released"),
        "invoiced": ("used", "released"),
    }
    found = []
    for key, entry in _rows(state, "reservations"):
        order = _record(state, "work_orders", entry.get("work_order_id"))
        status = entry.get("status")
        if status not in allowed.get(str(order.get("status")), ("reserved", "released")):
            found.append(f"{key} is {status} for an order that is {order.get('status')}")
        if entry.get("quantity", 0) < 1:
            found.append(f"{key} is for {entry.get('quantity')} of {entry.get('part_id')}")
    return found


def reserved_stock_is_available(state: Dict[str, Any]) -> List[str]:
    """A part's reserved count is the sum of its active reservations and never exceeds its stock on hand."""
    active: Dict[str, int] = {}
    for _, entry in _rows(state, "reservations"):
        if entry.get("status") == "reserved":
            part_id = entry.get("part_id", "")
            active[part_id] = active.get(part_id, 0) + entry.get("quantity", 0)
    found = []
    for part_id, part in _rows(state, "parts"):
        reserved, on_hand = part.get("reserved", 0), part.get("on_hand", 0)
        if reserved != active.get(part_id, 0) or reserved > on_hand:
            found.append(f"{part_id}: reserved {reserved}, on hand {on_hand}, reservations {active.get(part_id, 0)}")
    return found


def stock_balances(state: Dict[str, Any]) -> List[str]:
    """Stock on hand is opening stock plus received deliveries minus parts used, and never negative."""
    change: Dict[str, int] = {}
    for _, purchase in _rows(state, "purchase_orders"):
        if purchase.get("status") == "received":
            for line in purchase.get("lines", []):
                part_id = line.get("part_id", "")
                change[part_id] = change.get(part_id, 0) + line.get("quantity", 0)
    for _, entry in _rows(state, "reservations"):
        if entry.get("status") == "used":
            part_id = entry.get("part_id", "")
            change[part_id] = change.get(part_id, 0) - entry.get("quantity", 0)
    found = []
    for part_id, part in _rows(state, "parts"):
        on_hand, opening = part.get("on_hand", 0), part.get("opening_stock", 0)
        if on_hand != opening + change.get(part_id, 0) or on_hand < 0:
            found.append(f"{part_id}: on hand {on_hand}, opening {opening}, moved {change.get(part_id, 0)}")
    return found


def purchases_meet_supplier_terms(state: Dict[str, Any]) -> List[str]:
    """A purchase order has parts of its own supplier only and reaches the supplier's minimum value."""
    found = []
    for key, purchase in _rows(state, "purchase_orders"):
        supplier_id, total = purchase.get("supplier_id"), 0
        for line in purchase.get("lines", []):
            part = _record(state, "parts", line.get("part_id"))
            total += line.get("quantity", 0) * line.get("unit_cost_cents", 0)
            if part.get("supplier_id") != supplier_id or line.get("quantity", 0) < 1:
                found.append(f"{key}: {line} does not fit {supplier_id}")
        minimum = _record(state, "suppliers", supplier_id).get("minimum_order_cents", 0)
        if total < minimum:
            found.append(f"{key}: worth {total}, the minimum is {minimum}")
        if (purchase.get("status") == "received") != (purchase.get("received_on") is not None):
            found.append(f"{key} is {purchase.get('status')}, received on {purchase.get('received_on')!r}")
    return found


def parts_are_ordered_once(state: Dict[str, Any]) -> List[str]:
    """A part is on at most one purchase order that is still to arrive."""
    counts = Counter(
        str(line.get("part_id"))
        for _, purchase in _rows(state, "purchase_orders")
        if purchase.get("status") == "ordered"
        for line in purchase.get("lines", [])
    )
    return [f"{part_id} is on {count} open purchase lines" for part_id, count in counts.items() if count > 1]


def invoices_match_orders(state: Dict[str, Any]) -> List[str]:
    """An order is invoiced exactly once, for its own labour, parts and customer."""
    labour, parts = _order_totals(state)
    counts = Counter(str(invoice.get("work_order_id")) for _, invoice in _rows(state, "invoices"))
    found = []
    for order_id, order in _rows(state, "work_orders"):
        if counts[order_id] != (1 if order.get("status") == "invoiced" else 0):
            found.append(f"{order_id} is {order.get('status')} with {counts[order_id]} invoices")
    for invoice_id, invoice in _rows(state, "invoices"):
        order_id = invoice.get("work_order_id", "")
        order = _record(state, "work_orders", order_id)
        billed = (invoice.get("labour_cents"), invoice.get("parts_cents"), invoice.get("customer_id"))
        if billed != (labour.get(order_id, 0), parts.get(order_id, 0), order.get("customer_id")):
            found.append(f"{invoice_id} bills {billed}, which is not what {order_id} has")
    return found


def invoices_add_up(state: Dict[str, Any]) -> List[str]:
    """An invoice's total is labour plus parts minus a discount of 0 to 20% of labour plus parts."""
    found = []
    for invoice_id, invoice in _rows(state, "invoices"):
        gross = invoice.get("labour_cents", 0) + invoice.get("parts_cents", 0)
        discount, total = invoice.get("discount_cents", 0), invoice.get("total_cents", 0)
        if total != gross - discount or not 0 <= discount * 100 <= gross * 20:
            found.append(f"{invoice_id}: {gross} minus {discount} billed as {total}")
    return found


def payments_never_exceed_invoice(state: Dict[str, Any]) -> List[str]:
    """Payments add up to the invoice's paid amount, never exceed its total, and make it paid when equal."""
    received: Dict[str, int] = {}
    found = []
    for payment_id, payment in _rows(state, "payments"):
        amount, invoice_id = payment.get("amount_cents", 0), payment.get("invoice_id", "")
        received[invoice_id] = received.get(invoice_id, 0) + amount
        if amount < 1:
            found.append(f"{payment_id} is for {amount} cents")
    for invoice_id, invoice in _rows(state, "invoices"):
        paid, total = invoice.get("paid_cents", 0), invoice.get("total_cents", 0)
        status = "paid" if paid == total else "open"
        if paid != received.get(invoice_id, 0) or paid > total or invoice.get("status") != status:
            found.append(
                f"{invoice_id} ({invoice.get('status')}): paid {paid} of {total}, "
                f"payments {received.get(invoice_id, 0)}"
            )
    return found
