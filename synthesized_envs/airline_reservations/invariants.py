"""What always holds in AirlineReservations, as functions of a state."""

import re
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any, Dict, List, Optional, Tuple


def _counted() -> Tuple[str, ...]:
    return ("booked", "checked_in", "flown", "no_show", "disrupted")


def _records(state: Dict[str, Any], table: str) -> Dict[str, Dict[str, Any]]:
    rows = state.get(table)
    return {key: row for key, row in rows.items() if isinstance(row, dict)} if isinstance(rows, dict) else {}


def _record(state: Dict[str, Any], table: str, key: Any) -> Dict[str, Any]:
    return _records(state, table).get(key, {}) if isinstance(key, str) else {}


def _number(value: Any) -> int:
    return value if isinstance(value, int) and not isinstance(value, bool) else 0


def _texts(value: Any) -> List[str]:
    return [item for item in value if isinstance(item, str)] if isinstance(value, list) else []


def _time(value: Any) -> Optional[datetime]:
    if not isinstance(value, str) or not re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}(T[0-9:]{8})?", value):
        return None
    try:
        return datetime.fromisoformat(value)
    except ValueError:
        return None


def _age(passenger: Dict[str, Any], flight: Dict[str, Any]) -> Optional[int]:
    born, departs = _time(passenger.get("birth_date")), _time(flight.get("departs_at"))
    minutes = _number(flight.get("delay_minutes"))
    if born is None or departs is None or not 0 <= minutes <= 1440 or departs.year < 1900:
        return None
    planned = departs - timedelta(minutes=minutes)
    return planned.year - born.year - ((planned.month, planned.day) < (born.month, born.day))


def _age_of(state: Dict[str, Any], coupon: Dict[str, Any], flight_field: str = "flight_id") -> Optional[int]:
    passenger = _record(state, "passengers", coupon.get("passenger_id"))
    return _age(passenger, _record(state, "flights", coupon.get(flight_field)))


def _cabin_of(state: Dict[str, Any], coupon: Dict[str, Any]) -> Any:
    return _record(state, "fares", coupon.get("fare_id")).get("cabin")


def _booking_of(state: Dict[str, Any], coupon: Dict[str, Any]) -> Any:
    return _record(state, "passengers", coupon.get("passenger_id")).get("booking_code")


def _coupons(state: Dict[str, Any], *statuses: str) -> List[Tuple[str, Dict[str, Any]]]:
    return [(key, row) for key, row in sorted(_records(state, "coupons").items()) if row.get("status") in statuses]


def _of_booking(state: Dict[str, Any], code: str) -> List[Tuple[str, Dict[str, Any]]]:
    return [(key, row) for key, row in sorted(_records(state, "coupons").items()) if _booking_of(state, row) == code]


def _cabin(state: Dict[str, Any], flight_id: Any, kind: Any) -> Dict[str, Any]:
    for row in _records(state, "cabins").values():
        if row.get("flight_id") == flight_id and row.get("cabin") == kind:
            return row
    return {}


def _parties(state: Dict[str, Any], *statuses: str) -> Dict[Tuple[str, str], List[Dict[str, Any]]]:
    parties: Dict[Tuple[str, str], List[Dict[str, Any]]] = {}
    for _, coupon in _coupons(state, *statuses):
        flight_id, code = coupon.get("flight_id"), _booking_of(state, coupon)
        if isinstance(flight_id, str) and isinstance(code, str):
            parties.setdefault((flight_id, code), []).append(coupon)
    return parties


def cabins_have_room(state: Dict[str, Any]) -> List[str]:
    """In no cabin of a flight are more passengers of 2 or older booked, checked in or flown than it has seats, nor more infants under 2 than it takes."""
    found = []
    for key, cabin in sorted(_records(state, "cabins").items()):
        ages = [
            _age_of(state, coupon)
            for _, coupon in _coupons(state, "booked", "checked_in", "flown")
            if coupon.get("flight_id") == cabin.get("flight_id") and _cabin_of(state, coupon) == cabin.get("cabin")
        ]
        infants = sum(age is not None and age < 2 for age in ages)
        seats, limit = len(_texts(cabin.get("seats"))), _number(cabin.get("infant_limit"))
        if len(ages) - infants > seats:
            found.append(
                f"{key} of {cabin.get('flight_id')} has {seats} seats and {len(ages) - infants} passengers of 2 or older"
            )
        if infants > limit:
            found.append(f"{key} of {cabin.get('flight_id')} takes {limit} infants and has {infants}")
    return found


def seats_are_given_once(state: Dict[str, Any]) -> List[str]:
    """Exactly the checked-in and flown coupons of passengers of 2 or older hold a seat; it is one of the cabin of their fare, and no two coupons of a flight hold the same one."""
    found = []
    holders: Dict[Tuple[str, str], str] = {}
    for key, coupon in sorted(_records(state, "coupons").items()):
        seat, age = coupon.get("seat"), _age_of(state, coupon)
        wanted = coupon.get("status") in ("checked_in", "flown") and age is not None and age >= 2
        if wanted != (seat is not None):
            found.append(f"{key} is {coupon.get('status')} for a passenger of {age} and has seat {seat!r}")
        if not isinstance(seat, str):
            continue
        cabin = _cabin(state, coupon.get("flight_id"), _cabin_of(state, coupon))
        if seat not in _texts(cabin.get("seats")):
            found.append(f"{key} holds {seat}, which is no seat of its cabin on {coupon.get('flight_id')}")
        first = holders.setdefault((str(coupon.get("flight_id")), seat), key)
        if first != key:
            found.append(f"{first} and {key} both hold {seat} on {coupon.get('flight_id')}")
    return found


def exits_are_kept_clear(state: Dict[str, Any]) -> List[str]:
    """A seat at an exit is held by nobody under 16, and by nobody whose booking has an infant under 2 on that flight."""
    found = []
    parties = _parties(state, "booked", "checked_in", "flown")
    for key, coupon in sorted(_records(state, "coupons").items()):
        cabin = _cabin(state, coupon.get("flight_id"), _cabin_of(state, coupon))
        if coupon.get("seat") is None or coupon.get("seat") not in _texts(cabin.get("exit_seats")):
            continue
        age = _age_of(state, coupon)
        if age is not None and age < 16:
            found.append(f"{key} of a passenger of {age} holds {coupon.get('seat')} at an exit")
        party = parties.get((str(coupon.get("flight_id")), str(_booking_of(state, coupon))), [])
        ages = [_age_of(state, other) for other in party]
        if any(age is not None and age < 2 for age in ages):
            found.append(f"{key} holds {coupon.get('seat')} at an exit, and its booking has an infant on the flight")
    return found


def children_have_company(state: Dict[str, Any]) -> List[str]:
    """Where a booking has an unescorted child under 12 on a flight, it also has somebody of 16 or older there, and never more infants under 2 than such adults; both hold among those who are checked in or have flown as well."""
    found = []
    for statuses in (("booked", "checked_in", "flown"), ("checked_in", "flown")):
        for (flight_id, code), party in sorted(_parties(state, *statuses).items()):
            known = [
                (age, _record(state, "passengers", coupon.get("passenger_id")))
                for coupon in party
                if (age := _age_of(state, coupon)) is not None
            ]
            adults, infants = sum(age >= 16 for age, _ in known), sum(age < 2 for age, _ in known)
            alone = [row.get("name") for age, row in known if age < 12 and row.get("escorted") is not True]
            if alone and not adults:
                found.append(
                    f"{code} has {alone[0]} on {flight_id} without company among those {' or '.join(statuses)}"
                )
            if infants > adults:
                found.append(
                    f"{code} has {infants} infants and {adults} adults on {flight_id} among those {' or '.join(statuses)}"
                )
    return found


def escorts_are_few(state: Dict[str, Any]) -> List[str]:
    """Escorted minors are from 5 to 11 years old on each flight that they are booked on, checked in for or have flown, and no flight carries more than 2 of them."""
    found = []
    minors: Dict[str, List[str]] = {}
    for key, coupon in _coupons(state, "booked", "checked_in", "flown"):
        if _record(state, "passengers", coupon.get("passenger_id")).get("escorted") is not True:
            continue
        age = _age_of(state, coupon)
        if age is not None and not 5 <= age <= 11:
            found.append(f"{key} is of an escorted minor who is {age} on {coupon.get('flight_id')}")
        minors.setdefault(str(coupon.get("flight_id")), []).append(key)
    for flight_id, keys in sorted(minors.items()):
        if len(keys) > 2:
            found.append(f"{flight_id} carries {len(keys)} escorted minors: {', '.join(keys)}")
    return found


def connections_are_long_enough(state: Dict[str, Any]) -> List[str]:
    """Between two flights that a passenger is booked on or checked in for, at least 45 minutes lie from the arrival of the first to the departure of the second."""
    found = []
    journeys: Dict[str, List[Tuple[datetime, datetime, str]]] = {}
    for key, coupon in _coupons(state, "booked", "checked_in"):
        flight = _record(state, "flights", coupon.get("flight_id"))
        departs, arrives = _time(flight.get("departs_at")), _time(flight.get("arrives_at"))
        if departs is not None and arrives is not None:
            journeys.setdefault(str(coupon.get("passenger_id")), []).append((departs, arrives, key))
    for passenger_id, flights in sorted(journeys.items()):
        flights.sort()
        for (_, arrives, one), (departs, _, other) in pairwise(flights):
            if departs - arrives < timedelta(minutes=45):
                found.append(
                    f"{passenger_id}: {one} arrives at {arrives.isoformat()}, {other} departs at {departs.isoformat()}"
                )
    return found


def coupons_fit_their_flights(state: Dict[str, Any]) -> List[str]:
    """Coupons are booked or checked in on scheduled flights only, flown or no-show on departed flights only; a flight names a cause exactly when it is late or cancelled."""
    found = []
    wanted = {"booked": "scheduled", "checked_in": "scheduled", "flown": "departed", "no_show": "departed"}
    for key, coupon in _coupons(state, *wanted):
        status = _record(state, "flights", coupon.get("flight_id")).get("status")
        if status != wanted[str(coupon.get("status"))]:
            found.append(f"{key} is {coupon.get('status')}, and its flight {coupon.get('flight_id')} is {status}")
    for key, flight in sorted(_records(state, "flights").items()):
        troubled = flight.get("status") == "cancelled" or _number(flight.get("delay_minutes")) > 0
        if troubled != (flight.get("cause") is not None):
            found.append(
                f"{key} is {flight.get('status')} and {flight.get('delay_minutes')} minutes late, its cause {flight.get('cause')!r}"
            )
    return found


def accounts_balance(state: Dict[str, Any]) -> List[str]:
    """What a booking that is not held has paid by card and by voucher is the sum of its fees and of the fares of its coupons that are booked, checked in, flown, no-show or disrupted."""
    found = []
    for code, booking in sorted(_records(state, "bookings").items()):
        if booking.get("status") == "held":
            continue
        fares = sum(
            _number(row.get("fare_cents")) for _, row in _of_booking(state, code) if row.get("status") in _counted()
        )
        paid = _number(booking.get("card_cents")) + _number(booking.get("voucher_cents"))
        fees = _number(booking.get("fees_cents"))
        if paid != fares + fees:
            found.append(f"{code} has paid {paid}, its fares are {fares} and its fees {fees}")
        for field in ("card_cents", "voucher_cents", "fees_cents"):
            if _number(booking.get(field)) < 0:
                found.append(f"{code} has {field} {booking.get(field)}")
    return found


def holds_are_unpaid(state: Dict[str, Any]) -> List[str]:
    """A booking has a deadline for payment exactly while it is held; then it has paid nothing and was charged no fee, and its coupons are booked or cancelled."""
    found = []
    for code, booking in sorted(_records(state, "bookings").items()):
        held = booking.get("status") == "held"
        if held != (booking.get("pay_by") is not None):
            found.append(f"{code} is {booking.get('status')} and is to be paid by {booking.get('pay_by')!r}")
        amounts = [_number(booking.get(field)) for field in ("card_cents", "voucher_cents", "fees_cents")]
        if held and any(amounts):
            found.append(f"{code} is held and has card, voucher and fees {amounts}")
        for key, coupon in _of_booking(state, code) if held else []:
            if coupon.get("status") not in ("booked", "cancelled"):
                found.append(f"{code} is held and its coupon {key} is {coupon.get('status')}")
    return found


def cancelled_bookings_are_empty(state: Dict[str, Any]) -> List[str]:
    """A booking is cancelled exactly when all its coupons are cancelled, refunded, exchanged or rerouted."""
    found = []
    for code, booking in sorted(_records(state, "bookings").items()):
        used = [key for key, row in _of_booking(state, code) if row.get("status") in _counted()]
        if (booking.get("status") == "cancelled") != (not used):
            found.append(f"{code} is {booking.get('status')} and has the coupons {used} in it")
    return found


def waitlists_make_sense(state: Dict[str, Any]) -> List[str]:
    """Only booked and disrupted coupons of passengers of 2 or older wait, each since a recorded time, for another flight that is scheduled, flies the same route and has the cabin of the fare."""
    found = []
    for key, coupon in sorted(_records(state, "coupons").items()):
        wanted, since = coupon.get("waits_for"), coupon.get("waits_since")
        if (wanted is None) != (since is None):
            found.append(f"{key} waits for {wanted!r} since {since!r}")
        if wanted is None:
            continue
        if coupon.get("status") not in ("booked", "disrupted"):
            found.append(f"{key} is {coupon.get('status')} and waits for {wanted}")
        own, other = _record(state, "flights", coupon.get("flight_id")), _record(state, "flights", wanted)
        routes = [(flight.get("origin"), flight.get("destination")) for flight in (own, other)]
        if wanted == coupon.get("flight_id") or routes[0] != routes[1]:
            found.append(
                f"{key} for {coupon.get('flight_id')} waits for {wanted}, which is no other flight of its route"
            )
        if other.get("status") != "scheduled":
            found.append(f"{key} waits for {wanted}, which is {other.get('status')}")
        if not _cabin(state, wanted, _cabin_of(state, coupon)):
            found.append(f"{key} waits for {wanted}, which has no {_cabin_of(state, coupon)} cabin")
        age = _age_of(state, coupon, "waits_for")
        if age is not None and age < 2:
            found.append(f"{key} of a passenger of {age} waits for {wanted}")
    return found


def vouchers_are_spent_once(state: Dict[str, Any]) -> List[str]:
    """No voucher has less than nothing or more than its value left, and the bookings of an e-mail address have together been paid with no more voucher money than was spent from the vouchers of that address."""
    found = []
    spent: Dict[str, int] = {}
    for code, voucher in sorted(_records(state, "vouchers").items()):
        value, left = _number(voucher.get("value_cents")), _number(voucher.get("left_cents"))
        if not 0 <= left <= value:
            found.append(f"{code} has {left} left of {value}")
        email = str(voucher.get("holder_email"))
        spent[email] = spent.get(email, 0) + value - left
    paid: Dict[str, int] = {}
    for booking in _records(state, "bookings").values():
        email = str(booking.get("contact_email"))
        paid[email] = paid.get(email, 0) + _number(booking.get("voucher_cents"))
    for email, amount in sorted(paid.items()):
        if amount > spent.get(email, 0):
            found.append(
                f"{email} has paid {amount} with vouchers, and {spent.get(email, 0)} was spent from its vouchers"
            )
    return found


def compensation_is_due(state: Dict[str, Any]) -> List[str]:
    """Compensation vouchers and no others name a coupon, each another one, of a flight that was cancelled or at least 180 minutes late; they are worth 250.00 euros for up to 1500 km, 400.00 for up to 3500 km and 600.00 beyond."""
    found = []
    known: Dict[str, str] = {}
    for code, voucher in sorted(_records(state, "vouchers").items()):
        coupon_id = voucher.get("coupon_id")
        if (voucher.get("kind") == "compensation") != (coupon_id is not None):
            found.append(f"{code} is of the kind {voucher.get('kind')} and names the coupon {coupon_id!r}")
        if coupon_id is None:
            continue
        first = known.setdefault(str(coupon_id), code)
        if first != code:
            found.append(f"{first} and {code} both compensate for {coupon_id}")
        flight = _record(state, "flights", _record(state, "coupons", coupon_id).get("flight_id"))
        if flight.get("status") != "cancelled" and _number(flight.get("delay_minutes")) < 180:
            found.append(
                f"{code} compensates for a flight that is {flight.get('status')} and {flight.get('delay_minutes')} minutes late"
            )
        distance = _number(flight.get("distance_km"))
        value = 25000 if distance <= 1500 else 40000 if distance <= 3500 else 60000
        if voucher.get("value_cents") != value:
            found.append(f"{code} is worth {voucher.get('value_cents')}; {distance} km are compensated with {value}")
    return found
