"""The front desk of one mid-sized hotel: bookings, stays, folios and housekeeping.

All money is in integer euro cents. Dates are ISO strings ("2025-03-10"), times "2025-03-10T14:30:00". A stay
covers the nights from its arrival day up to, and not including, its departure day.
"""

import re
from datetime import date, datetime, timedelta
from typing import Any, Dict, List, Literal, Optional, Tuple, TypedDict

MAX_NIGHTS = 28
MAX_DAYS_AHEAD = 365
MAX_ACTIVE_RESERVATIONS = 3
MAX_OPEN_TASKS = 5
MAX_OUT_OF_SERVICE_DAYS = 90
MAX_CHARGE_ITEMS = 10
MAX_QUANTITY = 50
MAX_UNIT_CENTS = 500_000
MAX_SEARCH_RESULTS = 50

TIERS: List[Tuple[str, int]] = [("platinum", 60), ("gold", 30), ("silver", 10), ("none", 0)]
DISCOUNT_PERCENT: Dict[str, int] = {"none": 0, "silver": 5, "gold": 10, "platinum": 15}
NOTICE_DAYS: Dict[str, int] = {"none": 3, "silver": 2, "gold": 1, "platinum": 0}
LATE_FEE_CENTS: Dict[str, int] = {"none": 4000, "silver": 2000, "gold": 0, "platinum": 0}
HOUSE_CREDIT_CENTS: Dict[str, int] = {
    "none": 100_000,
    "silver": 200_000,
    "gold": 400_000,
    "platinum": 800_000,
}

EXTRA_KINDS = ("minibar", "restaurant", "laundry", "parking", "spa", "transfer", "damage", "other")


class GuestRecord(TypedDict):
    """A person the hotel knows; the loyalty tier follows from the nights stayed."""

    guest_id: str
    full_name: str
    email: str
    phone: str
    nights_stayed: int
    loyalty_tier: str


class RoomTypeRecord(TypedDict):
    """A class of rooms with its rates; a higher rank is a better type."""

    type_code: str
    name: str
    rank: int
    capacity: int
    weekday_rate_cents: int
    weekend_rate_cents: int


class RoomRecord(TypedDict):
    """A room: where it is, what it offers, how clean it is and when it cannot be used."""

    room_number: str
    type_code: str
    floor: int
    features: List[str]
    housekeeping_status: str
    out_of_service_from: Optional[str]
    out_of_service_until: Optional[str]
    out_of_service_reason: Optional[str]


class ReservationRecord(TypedDict):
    """A booking and the stay that comes of it; the booked type and the discount fix its price."""

    reservation_id: str
    guest_id: str
    room_number: str
    type_code: str
    arrival: str
    departure: str
    adults: int
    children: int
    discount_percent: int
    status: str
    late_checkout: bool
    special_requests: str
    cancel_reason: Optional[str]
    checked_in_at: Optional[str]
    checked_out_at: Optional[str]
    balance_cents: int


class ChargeRecord(TypedDict):
    """A line of a folio; a voided line no longer counts."""

    charge_id: str
    reservation_id: str
    kind: str
    description: str
    night: Optional[str]
    quantity: int
    unit_cents: int
    amount_cents: int
    posted_at: str
    voided: bool
    void_reason: Optional[str]


class PaymentRecord(TypedDict):
    """Money received from a guest (kind "payment") or given back (kind "refund")."""

    payment_id: str
    reservation_id: str
    kind: str
    method: str
    amount_cents: int
    received_at: str


class HousekeepingTaskRecord(TypedDict):
    """One cleaning of one room."""

    task_id: str
    room_number: str
    kind: str
    priority: str
    status: str
    housekeeper_id: Optional[str]
    created_at: str
    completed_at: Optional[str]


class HousekeeperRecord(TypedDict):
    """A member of the housekeeping team and the floors he or she covers."""

    housekeeper_id: str
    full_name: str
    floors: List[int]
    on_duty: bool


class ChargeItem(TypedDict):
    """One line to be posted to a folio with post_charges."""

    kind: Literal["minibar", "restaurant", "laundry", "parking", "spa", "transfer", "damage", "other"]
    description: str
    quantity: int
    unit_cents: int


class HotelFrontDesk:
    """State and tools of the hotel's front desk."""

    def __init__(self, init_config: Dict[str, Any]) -> None:
        """Start with an empty hotel.

        Args:
            init_config: Configuration of the instance, unused.
        """
        del init_config  # the loader sets the attributes below from the start state
        self.guests: Dict[str, GuestRecord] = {}
        self.room_types: Dict[str, RoomTypeRecord] = {}
        self.rooms: Dict[str, RoomRecord] = {}
        self.reservations: Dict[str, ReservationRecord] = {}
        self.charges: Dict[str, ChargeRecord] = {}
        self.payments: Dict[str, PaymentRecord] = {}
        self.housekeeping_tasks: Dict[str, HousekeepingTaskRecord] = {}
        self.housekeepers: Dict[str, HousekeeperRecord] = {}

    # Look-ups

    def search_guests(
        self,
        query: str = "",
        loyalty_tier: Optional[Literal["none", "silver", "gold", "platinum"]] = None,
        limit: int = 20,
    ) -> Dict[str, Any]:
        """Find guests by name, e-mail address or phone number.

        Args:
            query: Words that must all occur, in any case and order, in the guest's name, e-mail address or
                phone number. An empty string matches every guest.
            loyalty_tier: Only guests of this tier; leave out for all tiers.
            limit: Largest number of guests to return, 1 to 50.

        Returns:
            "data": a list of guest records (guest_id, full_name, email, phone, nights_stayed, loyalty_tier)
            in the order of their ids.
        """
        problem = self._limit_problem(limit)
        if problem:
            return self._refuse(problem)
        words = query.casefold().split()
        found = [
            dict(guest)
            for guest in self.guests.values()
            if (loyalty_tier is None or guest["loyalty_tier"] == loyalty_tier)
            and self._has_words(words, f"{guest['full_name']} {guest['email']} {guest['phone']}")
        ]
        found.sort(key=lambda guest: str(guest["guest_id"]))
        return {"success": True, "data": found[:limit]}

    def list_room_types(self, party_size: int = 1) -> Dict[str, Any]:
        """List the room types with rank, capacity and rates, the lowest rank first.

        Friday and Saturday nights cost weekend_rate_cents, all other nights weekday_rate_cents. The loyalty
        discount (silver 5, gold 10, platinum 15 percent) comes off each night, rounded down to whole cents.

        Args:
            party_size: Only types that hold at least this many people; refused when no type does.

        Returns:
            "data": a list of room types (type_code, name, rank, capacity, weekday_rate_cents,
            weekend_rate_cents) with "rooms", the numbers of the rooms of that type.
        """
        types = [kind for kind in self.room_types.values() if kind["capacity"] >= party_size]
        if not types:
            largest = max((kind["capacity"] for kind in self.room_types.values()), default=0)
            return self._refuse(f"No room holds {self._show(party_size)} people; the largest holds {largest}.")
        rooms: Dict[str, List[str]] = {}
        for room in self.rooms.values():
            rooms.setdefault(room["type_code"], []).append(room["room_number"])
        types.sort(key=lambda kind: (kind["rank"], kind["type_code"]))
        data = [{**kind, "rooms": sorted(rooms.get(kind["type_code"], []))} for kind in types]
        return {"success": True, "data": data}

    def find_available_rooms(
        self,
        arrival: str,
        departure: str,
        type_code: Optional[str] = None,
        party_size: int = 1,
        *,
        features: Optional[List[str]] = None,
        guest_id: Optional[str] = None,
        ready_now: bool = False,
    ) -> Dict[str, Any]:
        """Find rooms that are free and in service for every night of a stay, with the price of the stay.

        Args:
            arrival: Day of arrival, "YYYY-MM-DD".
            departure: Day of departure, "YYYY-MM-DD", 1 to 28 nights after the arrival.
            type_code: Only rooms of this type, e.g. "DLX" (see list_room_types); leave out for all types.
            party_size: Number of people (adults and children) that the room must hold, at least 1.
            features: Features that the room must all have, in any case, e.g. ["balcony", "bathtub"].
            guest_id: Guest whose loyalty discount the price takes into account; leave out for full price.
            ready_now: True for rooms only that are inspected and unoccupied at this moment.

        Returns:
            "data": a list of rooms, lowest rank first and then by room number. Each has room_number,
            type_code, rank, capacity, floor, features, housekeeping_status, occupied (bool, at this moment),
            nights and total_cents (the price of the whole stay at the room's own type).
        """
        problem = self._dates_problem(arrival, departure)
        if problem is None and type_code is not None and type_code not in self.room_types:
            problem = f"Unknown room type {self._show(type_code)}; list_room_types gives the type codes."
        if problem is None and guest_id is not None:
            problem = self._guest_problem(guest_id)
        if problem:
            return self._refuse(problem)
        discount = 0 if guest_id is None else DISCOUNT_PERCENT[self.guests[guest_id]["loyalty_tier"]]
        wanted = {feature.strip().casefold() for feature in features or []}
        taken = self._taken_rooms(arrival, departure)
        occupied = self._occupied_rooms()
        prices: Dict[str, Dict[str, int]] = {}
        found: List[Dict[str, Any]] = []
        for number, room in self.rooms.items():
            ready = room["housekeeping_status"] == "inspected" and number not in occupied
            if number in taken or (ready_now and not ready) or type_code not in (None, room["type_code"]):
                continue
            if self.room_types[room["type_code"]]["capacity"] < party_size:
                continue
            if wanted.issubset(feature.casefold() for feature in room["features"]):
                kind = room["type_code"]
                if kind not in prices:
                    prices[kind] = self._night_prices(kind, discount, arrival, departure)
                found.append(self._offer(room, occupied=number in occupied, prices=prices[kind]))
        found.sort(key=lambda offer: (offer["rank"], offer["room_number"]))
        return {"success": True, "data": found}

    def get_room(self, room_number: str) -> Dict[str, Any]:
        """Show one room with its occupant, its coming bookings and its open housekeeping task.

        Args:
            room_number: Number of the room, e.g. "204".

        Returns:
            "data": {"room": the room record, "type": its room type, "occupied_by": the checked-in reservation
            or null, "bookings": booked reservations of the room by arrival, "open_task": the open
            housekeeping task or null}. Reservations come with guest_name.
        """
        problem = self._room_problem(room_number)
        if problem:
            return self._refuse(problem)
        room = self.rooms[room_number]
        mine = [stay for stay in self.reservations.values() if stay["room_number"] == room_number]
        bookings = sorted(
            (s for s in mine if s["status"] == "booked"), key=lambda s: (s["arrival"], s["reservation_id"])
        )
        occupants = [self._with_guest(stay) for stay in mine if stay["status"] == "checked_in"]
        task = self._open_task(room_number)
        data = {
            "room": self._room_copy(room),
            "type": dict(self.room_types[room["type_code"]]),
            "occupied_by": occupants[0] if occupants else None,
            "bookings": [self._with_guest(stay) for stay in bookings],
            "open_task": None if task is None else dict(task),
        }
        return {"success": True, "data": data}

    def search_reservations(
        self,
        guest_name: Optional[str] = None,
        status: Optional[Literal["booked", "checked_in", "checked_out", "cancelled", "no_show"]] = None,
        room_number: Optional[str] = None,
        arrival_on: Optional[str] = None,
        departure_on: Optional[str] = None,
        *,
        limit: int = 20,
    ) -> Dict[str, Any]:
        """Find reservations that meet all the given conditions.

        Args:
            guest_name: Words that must all occur, in any case and order, in the guest's name.
            status: Only reservations with this status.
            room_number: Only reservations of this room.
            arrival_on: Only reservations that arrive on this day, "YYYY-MM-DD".
            departure_on: Only reservations that depart on this day, "YYYY-MM-DD".
            limit: Largest number of reservations to return, 1 to 50.

        Returns:
            "data": a list of reservation records with guest_name, by arrival and then by id. The record holds
            reservation_id, guest_id, room_number, type_code (as booked), arrival, departure, adults,
            children, discount_percent, status, late_checkout, special_requests, cancel_reason, checked_in_at,
            checked_out_at and balance_cents (above 0: the guest owes money, below 0: the guest has credit).
        """
        problem = self._limit_problem(limit)
        for day in (arrival_on, departure_on):
            if problem is None and day is not None and self._day(day) is None:
                problem = f"{self._show(day)} is not a date; write it as YYYY-MM-DD."
        if problem:
            return self._refuse(problem)
        words = (guest_name or "").casefold().split()
        found = [
            stay
            for stay in self.reservations.values()
            if (status is None or stay["status"] == status)
            and (room_number is None or stay["room_number"] == room_number)
            and (arrival_on is None or stay["arrival"] == arrival_on)
            and (departure_on is None or stay["departure"] == departure_on)
            and self._has_words(words, self.guests[stay["guest_id"]]["full_name"])
        ]
        found.sort(key=lambda stay: (stay["arrival"], stay["reservation_id"]))
        return {"success": True, "data": [self._with_guest(stay) for stay in found[:limit]]}

    def get_reservation(self, reservation_id: str) -> Dict[str, Any]:
        """Show one reservation with its folio, its price and what cancelling it would cost.

        Args:
            reservation_id: Id of the reservation, e.g. "RES-1012".

        Returns:
            "data": {"reservation": the record with guest_name, "loyalty_tier": the guest's tier, "charges":
            folio lines including voided ones, "payments": payments and refunds, "balance_cents": unvoided
            charges minus payments plus refunds, "first_night_cents" and "stay_price_cents": discounted price
            of the first night and of all nights, "cancellation_fee_cents": fee for cancelling today, null
            where the reservation cannot be cancelled}.
        """
        problem = self._reservation_problem(reservation_id)
        if problem:
            return self._refuse(problem)
        stay = self.reservations[reservation_id]
        prices = self._stay_prices(stay)
        cancellable = stay["status"] == "booked" and stay["arrival"] >= self._today()
        data = {
            "reservation": self._with_guest(stay),
            "loyalty_tier": self._tier(stay),
            "charges": [dict(line) for line in self.charges.values() if line["reservation_id"] == reservation_id],
            "payments": [dict(paid) for paid in self.payments.values() if paid["reservation_id"] == reservation_id],
            "balance_cents": stay["balance_cents"],
            "first_night_cents": prices[stay["arrival"]],
            "stay_price_cents": sum(prices.values()),
            "cancellation_fee_cents": self._cancellation_fee(stay) if cancellable else None,
        }
        return {"success": True, "data": data}

    def get_housekeeping_board(
        self,
        status: Literal["open", "done", "all"] = "open",
        floor: Optional[int] = None,
    ) -> Dict[str, Any]:
        """Show housekeeping tasks and the housekeepers with their workload.

        Args:
            status: "open" for tasks still to be done, "done" for finished ones, "all" for both.
            floor: Only tasks of rooms on this floor and housekeepers who cover it; leave out for all floors.

        Returns:
            "data": {"tasks": task records (task_id, room_number, kind, priority, status, housekeeper_id,
            created_at, completed_at) with floor, in the order of their ids, "housekeepers": records
            (housekeeper_id, full_name, floors, on_duty) with open_tasks, the number of open tasks each has}.
        """
        floors = sorted({room["floor"] for room in self.rooms.values()})
        if floor is not None and floor not in floors:
            return self._refuse(f"There are no rooms on floor {self._show(floor)}; the floors are {floors}.")
        tasks = [
            {**task, "floor": self.rooms[task["room_number"]]["floor"]}
            for task in self.housekeeping_tasks.values()
            if status in ("all", task["status"]) and floor in (None, self.rooms[task["room_number"]]["floor"])
        ]
        tasks.sort(key=lambda task: str(task["task_id"]))
        workload = self._workload()
        team = [
            {
                **person,
                "floors": list(person["floors"]),
                "open_tasks": workload.get(person["housekeeper_id"], 0),
            }
            for person in self.housekeepers.values()
            if floor is None or floor in person["floors"]
        ]
        return {"success": True, "data": {"tasks": tasks, "housekeepers": team}}

    # Bookings

    def register_guest(self, full_name: str, email: str, phone: str) -> Dict[str, Any]:
        """Add a guest who has never stayed here.

        Refused when another guest already has the e-mail address: search_guests finds that guest.

        Args:
            full_name: First and last name, 2 to 100 characters.
            email: E-mail address, e.g. "ana.lopes@example.com", not used by another guest; stored in lower
                case.
            phone: Phone number with 6 to 20 digits, spaces, brackets or hyphens, optionally after "+".

        Returns:
            "data": the new guest record with its guest_id; 0 nights stayed and tier "none".
        """
        address = email.strip().lower()
        problem = (
            self._text_problem("full_name", full_name, 2, 100)
            or self._email_problem(address)
            or self._phone_problem(phone.strip())
        )
        if problem:
            return self._refuse(problem)
        guest_id = self._next_id("G-", self.guests)
        guest: GuestRecord = {
            "guest_id": guest_id,
            "full_name": full_name.strip(),
            "email": address,
            "phone": phone.strip(),
            "nights_stayed": 0,
            "loyalty_tier": "none",
        }
        self.guests[guest_id] = guest
        return {
            "success": True,
            "message": f"Registered {guest['full_name']} as {guest_id}.",
            "data": dict(guest),
        }

    def create_reservation(
        self,
        guest_id: str,
        room_number: str,
        arrival: str,
        departure: str,
        adults: int,
        children: int = 0,
        special_requests: str = "",
    ) -> Dict[str, Any]:
        """Book a room for a guest at the room's own type and the guest's current loyalty discount.

        Refused when the room is taken or out of service on one of the nights, a late check-out blocks the
        arrival day, the party does not fit, the guest already has 3 booked or checked-in reservations, or the
        guest still owes money on a cancelled or no-show reservation (record that payment first).

        Args:
            guest_id: Guest who stays, e.g. "G-0007" (search_guests or register_guest).
            room_number: Room to book, e.g. "204" (find_available_rooms).
            arrival: Day of arrival, "YYYY-MM-DD", from today up to 365 days ahead.
            departure: Day of departure, "YYYY-MM-DD", 1 to 28 nights after the arrival.
            adults: Number of adults, at least 1.
            children: Number of children, 0 or more. Adults and children together must fit the room's
                capacity.
            special_requests: What the guest asked for, up to 200 characters; leave empty if nothing was
                asked.

        Returns:
            "data": the new reservation record with its reservation_id, status "booked", and
            "stay_price_cents".
        """
        problem = (
            self._guest_problem(guest_id)
            or self._room_problem(room_number)
            or self._dates_problem(arrival, departure)
            or self._arrival_problem(arrival)
            or self._party_problem(room_number, adults, children)
            or self._text_problem("special_requests", special_requests, 0, 200)
            or self._booking_limit_problem(guest_id)
            or self._room_block(room_number, arrival, departure)
        )
        if problem:
            return self._refuse(problem)
        stay = self._new_stay(guest_id, room_number)
        stay["arrival"], stay["departure"] = arrival, departure
        stay["adults"], stay["children"] = adults, children
        stay["special_requests"] = special_requests.strip()
        self.reservations[stay["reservation_id"]] = stay
        data = {**stay, "stay_price_cents": sum(self._stay_prices(stay).values())}
        message = f"Booked room {room_number} as {stay['reservation_id']}."
        return {"success": True, "message": message, "data": data}

    def change_stay_dates(
        self,
        reservation_id: str,
        arrival: Optional[str] = None,
        departure: Optional[str] = None,
    ) -> Dict[str, Any]:
        """Move, extend or shorten a booked or checked-in stay in its room.

        Room type, discount and a late check-out stay as they are. On a checked-in stay added nights are
        charged at once, and the room charges of nights no longer wanted are voided; nights before today
        cannot be given up. Refused when the room is not free for the new nights (move_room first), or when
        the arrival of a booked stay would change inside its notice period (3 days before arrival, silver 2,
        gold 1, platinum 0).

        Args:
            reservation_id: Id of the reservation, e.g. "RES-1012".
            arrival: New day of arrival, "YYYY-MM-DD", today or later; leave out to keep it. A checked-in stay
                keeps its arrival.
            departure: New day of departure, "YYYY-MM-DD", 1 to 28 nights after the arrival; leave out to keep
                it.

        Returns:
            "data": the changed reservation record with "stay_price_cents".
        """
        problem = self._reservation_problem(reservation_id, "booked", "checked_in")
        if problem:
            return self._refuse(problem)
        stay = self.reservations[reservation_id]
        start = stay["arrival"] if arrival is None else arrival
        end = stay["departure"] if departure is None else departure
        problem = (
            self._dates_problem(start, end)
            or self._new_dates_problem(stay, start, end)
            or self._room_block(stay["room_number"], start, end, late=stay["late_checkout"], ignore=reservation_id)
        )
        if problem:
            return self._refuse(problem)
        stay["arrival"], stay["departure"] = start, end
        if stay["status"] == "checked_in":
            self._match_room_charges(stay)
        data = {**stay, "stay_price_cents": sum(self._stay_prices(stay).values())}
        return {"success": True, "message": f"{reservation_id} is now from {start} to {end}.", "data": data}

    def move_room(self, reservation_id: str, room_number: str) -> Dict[str, Any]:
        """Give a booked or checked-in stay another room of the booked or a higher type at the same price.

        The new room must be in service and free for the whole stay, and hold the party. For a checked-in
        guest it must also be inspected and unoccupied now; the room left behind becomes dirty and gets a
        housekeeping task.

        Args:
            reservation_id: Id of the reservation, e.g. "RES-1012".
            room_number: The new room, e.g. "305" (find_available_rooms; ready_now for checked-in guests).

        Returns:
            "data": the changed reservation record.
        """
        problem = self._reservation_problem(reservation_id, "booked", "checked_in") or self._room_problem(room_number)
        if problem:
            return self._refuse(problem)
        stay = self.reservations[reservation_id]
        problem = (
            self._move_problem(stay, room_number)
            or self._party_problem(room_number, stay["adults"], stay["children"])
            or self._room_block(
                room_number,
                stay["arrival"],
                stay["departure"],
                late=stay["late_checkout"],
                ignore=reservation_id,
            )
        )
        if problem:
            return self._refuse(problem)
        old_number, stay["room_number"] = stay["room_number"], room_number
        if stay["status"] == "checked_in":
            self._soil(old_number, "departure")
        message = f"{reservation_id} moved from room {old_number} to room {room_number}."
        return {"success": True, "message": message, "data": dict(stay)}

    def cancel_reservation(
        self,
        reservation_id: str,
        reason: Literal["guest_request", "illness", "travel_disruption", "duplicate", "other"],
    ) -> Dict[str, Any]:
        """Cancel a booked reservation, up to its arrival day.

        Inside the notice period the price of the first night is charged as a cancellation fee: fewer than 3
        days before arrival, silver fewer than 2, gold on the arrival day only, platinum never. A deposit
        stays on the folio: it covers the fee first, what is left is credit for record_payment with kind
        "refund".

        Args:
            reservation_id: Id of the reservation, e.g. "RES-1012".
            reason: Why it is cancelled; "duplicate" for a second booking made by mistake. It does not change
                the fee.

        Returns:
            "data": the changed reservation record with "fee_cents" (0 if none). A balance below 0 is credit.
        """
        problem = self._reservation_problem(reservation_id, "booked")
        if problem:
            return self._refuse(problem)
        stay = self.reservations[reservation_id]
        if stay["arrival"] < self._today():
            return self._refuse(f"{reservation_id} was due on {stay['arrival']}; use mark_no_show instead.")
        fee = self._cancellation_fee(stay)
        stay["status"] = "cancelled"
        stay["cancel_reason"] = reason
        if fee:
            self._post(stay, "cancellation_fee", "Cancellation fee", 1, fee)
        data = {**stay, "fee_cents": fee}
        return {"success": True, "message": f"Cancelled {reservation_id}; fee {fee} cents.", "data": data}

    def mark_no_show(self, reservation_id: str) -> Dict[str, Any]:
        """Close a booked reservation whose guest never came, and charge the first night.

        Possible from the day after the arrival day, for every loyalty tier. The room is free again
        afterwards. A deposit covers the fee first; what is left is credit for record_payment with kind
        "refund".

        Args:
            reservation_id: Id of the reservation, e.g. "RES-1012".

        Returns:
            "data": the changed reservation record with "fee_cents".
        """
        problem = self._reservation_problem(reservation_id, "booked")
        if problem:
            return self._refuse(problem)
        stay = self.reservations[reservation_id]
        today = self._today()
        if stay["arrival"] >= today:
            return self._refuse(
                f"{reservation_id} arrives on {stay['arrival']} and today is {today}; a no-show can be "
                "marked from "
                "the day after the arrival day. Use cancel_reservation if the guest cancels."
            )
        fee = self._stay_prices(stay)[stay["arrival"]]
        stay["status"] = "no_show"
        self._post(stay, "no_show_fee", "No-show fee", 1, fee)
        data = {**stay, "fee_cents": fee}
        return {"success": True, "message": f"{reservation_id} is a no-show; fee {fee} cents.", "data": data}

    # Stays and folios

    def check_in(self, reservation_id: str) -> Dict[str, Any]:
        """Check a booked guest in and charge every night of the stay to the folio.

        Possible from the arrival day until the day before departure, when the room is inspected and
        unoccupied (update_room_status, or move_room to another one). Guests below gold must have paid a
        deposit of at least the first night (record_payment; get_reservation shows first_night_cents).

        Args:
            reservation_id: Id of the reservation, e.g. "RES-1012".

        Returns:
            "data": the changed reservation record; balance_cents is what is still to be paid.
        """
        problem = self._reservation_problem(reservation_id, "booked")
        if problem:
            return self._refuse(problem)
        stay = self.reservations[reservation_id]
        problem = (
            self._check_in_day_problem(stay) or self._ready_problem(stay["room_number"]) or self._deposit_problem(stay)
        )
        if problem:
            return self._refuse(problem)
        stay["status"] = "checked_in"
        stay["checked_in_at"] = self._now()
        self._match_room_charges(stay)
        message = f"{reservation_id} is checked in to room {stay['room_number']}."
        return {"success": True, "message": message, "data": dict(stay)}

    def grant_late_checkout(self, reservation_id: str) -> Dict[str, Any]:
        """Let a checked-in guest keep the room until 14:00 on the departure day instead of 11:00.

        Possible on the departure day and the day before. Gold and platinum pay nothing, silver 2000 cents,
        others 4000 cents, charged to the folio. Refused when somebody arrives in the same room on the
        departure day: move that booking to another room first if that is wanted. It cannot be taken back.

        Args:
            reservation_id: Id of the reservation, e.g. "RES-1012".

        Returns:
            "data": the changed reservation record with "fee_cents".
        """
        problem = self._reservation_problem(reservation_id, "checked_in")
        if problem:
            return self._refuse(problem)
        stay = self.reservations[reservation_id]
        problem = self._late_problem(stay) or self._room_block(
            stay["room_number"], stay["arrival"], stay["departure"], late=True, ignore=reservation_id
        )
        if problem:
            return self._refuse(problem)
        fee = LATE_FEE_CENTS[self._tier(stay)]
        stay["late_checkout"] = True
        if fee:
            self._post(stay, "late_checkout_fee", "Late check-out", 1, fee)
        data = {**stay, "fee_cents": fee}
        return {
            "success": True,
            "message": f"{reservation_id} may leave by 14:00; fee {fee} cents.",
            "data": data,
        }

    def post_charges(self, reservation_id: str, items: List[ChargeItem]) -> Dict[str, Any]:
        """Charge extras to the folio of a checked-in guest: all lines, or none if one is refused.

        Refused when the balance would rise above the house credit of the guest's tier (none 100000 cents,
        silver 200000, gold 400000, platinum 800000): record a payment first. Room nights and fees are charged
        by the other tools and cannot be posted here.

        Args:
            reservation_id: Id of the reservation, e.g. "RES-1012".
            items: 1 to 10 lines, each with kind ("minibar", "restaurant", "laundry", "parking", "spa",
                "transfer", "damage" or "other"), description (1 to 80 characters), quantity (1 to 50) and
                unit_cents (price of one in cents, 1 to 500000).

        Returns:
            "data": {"charges": the new folio lines with their charge_id, "balance_cents": the new balance}.
        """
        problem = self._reservation_problem(reservation_id, "checked_in") or self._items_problem(items)
        if problem:
            return self._refuse(problem)
        stay = self.reservations[reservation_id]
        total = sum(item["quantity"] * item["unit_cents"] for item in items)
        limit = HOUSE_CREDIT_CENTS[self._tier(stay)]
        if stay["balance_cents"] + total > limit:
            return self._refuse(
                f"The balance would be {stay['balance_cents'] + total} cents, above the house credit of "
                f"{limit} cents "
                f"for tier {self._tier(stay)!r}; record a payment first."
            )
        lines = [
            dict(self._post(stay, item["kind"], item["description"].strip(), item["quantity"], item["unit_cents"]))
            for item in items
        ]
        data = {"charges": lines, "balance_cents": stay["balance_cents"]}
        return {"success": True, "message": f"Charged {total} cents to {reservation_id}.", "data": data}

    def void_charge(
        self,
        charge_id: str,
        reason: Literal["posted_in_error", "wrong_room", "goodwill"],
    ) -> Dict[str, Any]:
        """Take an extra off the folio of a checked-in guest; the line stays on record as voided.

        Only extras can be voided: room nights change with change_stay_dates, fees stand. If the guest had
        already paid, the balance falls below 0 and the credit must be refunded before check-out.

        Args:
            charge_id: Id of the folio line, e.g. "CH-0042" (get_reservation lists them).
            reason: "posted_in_error" for a wrong line, "wrong_room" for a line of another guest, "goodwill"
                for a line the hotel waives.

        Returns:
            "data": {"charge": the voided line, "balance_cents": the new balance of the reservation}.
        """
        line = self.charges.get(charge_id)
        if line is None:
            return self._refuse(f"Unknown charge {self._show(charge_id)}; get_reservation lists a folio's charges.")
        problem = self._reservation_problem(line["reservation_id"], "checked_in")
        if problem is None and line["kind"] not in EXTRA_KINDS:
            problem = f"{charge_id} is a {line['kind']} line; only extras can be voided: {', '.join(EXTRA_KINDS)}."
        if problem is None and line["voided"]:
            problem = f"{charge_id} is already voided ({line['void_reason']})."
        if problem:
            return self._refuse(problem)
        stay = self.reservations[line["reservation_id"]]
        self._void(stay, line, reason)
        data = {"charge": dict(line), "balance_cents": stay["balance_cents"]}
        return {"success": True, "message": f"Voided {charge_id}.", "data": data}

    def record_payment(
        self,
        reservation_id: str,
        amount_cents: int,
        method: Literal["card", "cash", "bank_transfer"],
        kind: Literal["payment", "refund"] = "payment",
    ) -> Dict[str, Any]:
        """Record money taken from a guest or given back to a guest.

        A payment may be at most what is owed: the balance, or for a booked reservation the price of the stay
        less the deposits already paid. A refund may be at most the credit (a balance below 0) and at most
        what was paid by the same method and not refunded yet; a booked reservation gets no refund before it
        is cancelled or checked in.

        Args:
            reservation_id: Id of the reservation, e.g. "RES-1012".
            amount_cents: Amount in cents, at least 1, positive for refunds too.
            method: "card", "cash" or "bank_transfer".
            kind: "payment" for money received, "refund" for money given back.

        Returns:
            "data": {"payment": the new record with its payment_id, "balance_cents": the new balance}.
        """
        problem = self._reservation_problem(reservation_id)
        if problem:
            return self._refuse(problem)
        stay = self.reservations[reservation_id]
        refund = kind == "refund"
        limit = self._refundable(stay, method) if refund else self._payable(stay)
        if not 1 <= amount_cents <= limit:
            return self._refuse(
                f"A {kind} of {self._show(amount_cents)} cents is not possible; on {reservation_id} "
                f"({stay['status']}, "
                f"balance {stay['balance_cents']} cents) a {kind} by {method} can be "
                + (f"1 to {limit} cents." if limit > 0 else "no amount at present.")
            )
        payment: PaymentRecord = {
            "payment_id": self._next_id("PAY-", self.payments),
            "reservation_id": reservation_id,
            "kind": kind,
            "method": method,
            "amount_cents": amount_cents,
            "received_at": self._now(),
        }
        self.payments[payment["payment_id"]] = payment
        stay["balance_cents"] += amount_cents if refund else -amount_cents
        data = {"payment": dict(payment), "balance_cents": stay["balance_cents"]}
        return {"success": True, "message": f"Recorded {payment['payment_id']}.", "data": data}

    def check_out(self, reservation_id: str) -> Dict[str, Any]:
        """Check a guest out on the departure day or later, with a settled folio.

        Refused while the balance is not 0 (record_payment) and before the departure day (shorten the stay
        with change_stay_dates first). The nights count towards the guest's loyalty: silver from 10 nights,
        gold from 30, platinum from 60. The room becomes dirty and gets a departure task for housekeeping.

        Args:
            reservation_id: Id of the reservation, e.g. "RES-1012".

        Returns:
            "data": {"reservation": the changed record, "guest": the guest with the new nights_stayed and
            loyalty_tier, "task": the open housekeeping task of the room}.
        """
        problem = self._reservation_problem(reservation_id, "checked_in")
        if problem:
            return self._refuse(problem)
        stay = self.reservations[reservation_id]
        today = self._today()
        if stay["departure"] > today:
            return self._refuse(
                f"{reservation_id} departs on {stay['departure']} and today is {today}; shorten the stay "
                "with "
                "change_stay_dates first."
            )
        if stay["balance_cents"] != 0:
            return self._refuse(
                f"The balance of {reservation_id} is {stay['balance_cents']} cents; it must be 0: record a "
                f"{'payment' if stay['balance_cents'] > 0 else 'refund'} first."
            )
        stay["status"] = "checked_out"
        stay["checked_out_at"] = self._now()
        guest = self.guests[stay["guest_id"]]
        guest["nights_stayed"] += len(self._stay_prices(stay))
        guest["loyalty_tier"] = next(tier for tier, nights in TIERS if guest["nights_stayed"] >= nights)
        task = self._soil(stay["room_number"], "departure")
        data = {"reservation": dict(stay), "guest": dict(guest), "task": dict(task)}
        return {"success": True, "message": f"{reservation_id} is checked out.", "data": data}

    # Rooms and housekeeping

    def assign_housekeeping_task(
        self,
        task_id: str,
        housekeeper_id: str,
        priority: Literal["normal", "urgent"] = "normal",
    ) -> Dict[str, Any]:
        """Give an open housekeeping task to a housekeeper and set its priority.

        The housekeeper must be on duty, cover the floor of the room and have fewer than 5 open tasks. A task
        that somebody has already can be given to somebody else, or to the same person with another priority.

        Args:
            task_id: Id of the task, e.g. "HT-0031" (get_housekeeping_board).
            housekeeper_id: Id of the housekeeper, e.g. "HK-03" (get_housekeeping_board).
            priority: "normal", or "urgent" for a room that is needed at once.

        Returns:
            "data": the changed task record.
        """
        task = self.housekeeping_tasks.get(task_id)
        if task is None:
            return self._refuse(f"Unknown task {self._show(task_id)}; get_housekeeping_board lists the tasks.")
        problem = self._assignment_problem(task, housekeeper_id)
        if problem is None and (task["housekeeper_id"], task["priority"]) == (housekeeper_id, priority):
            problem = f"{task_id} already belongs to {housekeeper_id} with priority {priority!r}."
        if problem:
            return self._refuse(problem)
        task["housekeeper_id"] = housekeeper_id
        task["priority"] = priority
        return {"success": True, "message": f"{task_id} goes to {housekeeper_id}.", "data": dict(task)}

    def update_room_status(
        self,
        room_number: str,
        status: Literal["dirty", "clean", "inspected"],
    ) -> Dict[str, Any]:
        """Record what housekeeping reports about a room: dirty, then clean, then inspected.

        "clean" finishes the room's open task, which must be assigned to a housekeeper; not while the room is
        out of service. "inspected" needs a clean room. "dirty" opens a task, of kind "stayover" if the room
        is occupied and "touch_up" otherwise.

        Args:
            room_number: Number of the room, e.g. "204".
            status: The new status: "clean" only after dirty, "inspected" only after clean, "dirty" after
                either.

        Returns:
            "data": {"room": the changed room record, "task": the task opened or finished, null for
            "inspected"}.
        """
        problem = self._room_problem(room_number) or self._status_problem(room_number, status)
        if problem:
            return self._refuse(problem)
        room = self.rooms[room_number]
        task: Optional[HousekeepingTaskRecord] = None
        if status == "dirty":
            task = self._soil(room_number, "stayover" if room_number in self._occupied_rooms() else "touch_up")
        elif status == "clean":
            task = self._open_task(room_number)
            if task is not None:
                task["status"] = "done"
                task["completed_at"] = self._now()
        room["housekeeping_status"] = status
        data = {"room": self._room_copy(room), "task": None if task is None else dict(task)}
        return {"success": True, "message": f"Room {room_number} is {status}.", "data": data}

    def set_out_of_service(
        self,
        room_number: str,
        until: Optional[str] = None,
        reason: Literal["plumbing", "electrical", "furniture", "renovation", "other"] = "other",
    ) -> Dict[str, Any]:
        """Take a room out of service from today, change until when, or bring it back early.

        Refused while the room is occupied or booked for one of the nights: move those stays first. A room
        taken out becomes dirty with an open task, which can be finished once the room is back in service.

        Args:
            room_number: Number of the room, e.g. "204".
            until: First night on which the room can be used again, "YYYY-MM-DD", 1 to 90 days from today.
                Leave out to bring a room that is out of service back now.
            reason: Why the room cannot be used; ignored when it comes back.

        Returns:
            "data": the changed room record.
        """
        problem = self._room_problem(room_number) or self._service_problem(room_number, until)
        if problem:
            return self._refuse(problem)
        room = self.rooms[room_number]
        if until is None:
            room["out_of_service_from"] = None
            room["out_of_service_until"] = None
            room["out_of_service_reason"] = None
            return {"success": True, "message": f"Room {room_number} is back.", "data": self._room_copy(room)}
        if not self._is_out_of_service(room):
            room["out_of_service_from"] = self._today()
            self._soil(room_number, "touch_up")
        room["out_of_service_until"] = until
        room["out_of_service_reason"] = reason
        message = f"Room {room_number} is out of service until {until}."
        return {"success": True, "message": message, "data": self._room_copy(room)}

    # Clock, text and ids

    @staticmethod
    def _refuse(error: str) -> Dict[str, Any]:
        return {"success": False, "error": error}

    @staticmethod
    def _now() -> str:
        return datetime.now().isoformat(timespec="seconds")

    @staticmethod
    def _today() -> str:
        return datetime.now().date().isoformat()

    @staticmethod
    def _day(text: str) -> Optional[date]:
        if not re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", text):
            return None
        try:
            return date.fromisoformat(text)
        except ValueError:
            return None

    @staticmethod
    def _show(value: object) -> str:
        if isinstance(value, int) and value.bit_length() > 256:
            return "a number of more than 77 digits"
        text = repr(value)
        return text if len(text) <= 60 else f"{text[:57]}..."

    @staticmethod
    def _has_words(words: List[str], text: str) -> bool:
        folded = text.casefold()
        for word in words:
            if word not in folded:
                return False
        return True

    @staticmethod
    def _next_id(prefix: str, records: Dict[str, Any]) -> str:
        longest = max(map(len, records), default=0)  # ids are zero-padded, so the last of the longest is the largest
        last = max([key for key in records if len(key) == longest], default=f"{prefix}0")
        return f"{prefix}{int(last[len(prefix) :]) + 1:04d}"

    def _text_problem(self, name: str, text: str, shortest: int, longest: int) -> Optional[str]:
        length = len(text.strip())
        if not shortest <= length <= longest:
            return f"{name} has {length} characters; {shortest} to {longest} are allowed."
        if not text.strip().isprintable():
            return f"{name} is {self._show(text)}; only printable characters on one line are allowed."
        return None

    def _limit_problem(self, limit: int) -> Optional[str]:
        if 1 <= limit <= MAX_SEARCH_RESULTS:
            return None
        return f"limit is {self._show(limit)}; 1 to {MAX_SEARCH_RESULTS} is allowed."

    # Conditions; each gives the reason for a refusal or None

    def _email_problem(self, address: str) -> Optional[str]:
        if len(address) > 100 or not re.fullmatch(r"[a-z0-9._%+-]+@[a-z0-9-]+(\.[a-z0-9-]+)+", address):
            return f"{self._show(address)} is not an e-mail address like name@example.com of at most 100 characters."
        for guest in self.guests.values():
            if guest["email"] == address:
                return f"{address} already belongs to {guest['full_name']} ({guest['guest_id']})."
        return None

    def _phone_problem(self, phone: str) -> Optional[str]:
        if re.fullmatch(r"\+?[0-9][0-9 ()-]{5,19}", phone):
            return None
        return f"{self._show(phone)} is not a phone number; write it like +351 912 345 678."

    def _guest_problem(self, guest_id: str) -> Optional[str]:
        if guest_id in self.guests:
            return None
        return f"Unknown guest {self._show(guest_id)}; look the guest up with search_guests."

    def _room_problem(self, room_number: str) -> Optional[str]:
        if room_number in self.rooms:
            return None
        return f"Unknown room {self._show(room_number)}; list_room_types gives the room numbers."

    def _reservation_problem(self, reservation_id: str, *allowed: str) -> Optional[str]:
        stay = self.reservations.get(reservation_id)
        if stay is None:
            return f"Unknown reservation {self._show(reservation_id)}; look it up with search_reservations."
        if allowed and stay["status"] not in allowed:
            return f"{reservation_id} is {stay['status']}; this is possible only for {' or '.join(allowed)}."
        return None

    def _dates_problem(self, arrival: str, departure: str) -> Optional[str]:
        start, end = self._day(arrival), self._day(departure)
        if start is None or end is None:
            return f"{self._show(arrival if start is None else departure)} is not a date; write it as YYYY-MM-DD."
        nights = (end - start).days
        if not 1 <= nights <= MAX_NIGHTS:
            return f"From {arrival} to {departure} is {nights} nights; a stay has 1 to {MAX_NIGHTS}."
        return None

    def _arrival_problem(self, arrival: str) -> Optional[str]:
        today = datetime.now().date()
        last = (today + timedelta(days=MAX_DAYS_AHEAD)).isoformat()
        if today.isoformat() <= arrival <= last:
            return None
        return f"Arrival {arrival} is not possible; it can be from {today.isoformat()} to {last}."

    def _party_problem(self, room_number: str, adults: int, children: int) -> Optional[str]:
        capacity = self.room_types[self.rooms[room_number]["type_code"]]["capacity"]
        if adults >= 1 and children >= 0 and adults + children <= capacity:
            return None
        return (
            f"Room {room_number} does not take {self._show(adults)} adults and {self._show(children)} "
            "children; it "
            f"holds {capacity} people, at least 1 of them adult. find_available_rooms takes a party_size."
        )

    def _booking_limit_problem(self, guest_id: str) -> Optional[str]:
        active = 0
        for stay in self.reservations.values():
            if stay["guest_id"] != guest_id:
                continue
            if stay["status"] in ("booked", "checked_in"):
                active += 1
            elif stay["balance_cents"] > 0:
                return (
                    f"{guest_id} still owes {stay['balance_cents']} cents on {stay['reservation_id']} "
                    f"({stay['status']}); record that payment first."
                )
        if active < MAX_ACTIVE_RESERVATIONS:
            return None
        return (
            f"{guest_id} already has {active} booked or checked-in reservations; {MAX_ACTIVE_RESERVATIONS} is the most."
        )

    def _room_block(
        self, room_number: str, arrival: str, departure: str, *, late: bool = False, ignore: str = ""
    ) -> Optional[str]:
        room = self.rooms[room_number]
        if (room["out_of_service_from"] or "9999") < departure and arrival < (room["out_of_service_until"] or ""):
            return f"Room {room_number} is out of service until {room['out_of_service_until']}; choose another room."
        for stay in self.reservations.values():
            if stay["room_number"] != room_number or stay["status"] not in ("booked", "checked_in"):
                continue
            if stay["reservation_id"] != ignore and self._collide(stay, arrival, departure, late=late):
                leaves = f"{stay['departure']}{' with late check-out' if stay['late_checkout'] else ''}"
                return (
                    f"Room {room_number} is taken by {stay['reservation_id']} ({stay['status']}) from "
                    f"{stay['arrival']} to {leaves}; find_available_rooms shows free rooms."
                )
        return None

    def _new_dates_problem(self, stay: ReservationRecord, arrival: str, departure: str) -> Optional[str]:
        today = self._today()
        if (arrival, departure) == (stay["arrival"], stay["departure"]):
            return f"{stay['reservation_id']} is already from {arrival} to {departure}."
        if stay["status"] == "checked_in":
            if arrival != stay["arrival"]:
                return f"The guest arrived on {stay['arrival']}; the arrival of a checked-in stay cannot change."
            if departure < today:
                return f"Departure {departure} is in the past; it can be from today, {today}."
            return None
        if arrival != stay["arrival"] and self._in_notice_period(stay):
            return (
                f"{stay['reservation_id']} arrives on {stay['arrival']}, inside the notice period of "
                f"{NOTICE_DAYS[self._tier(stay)]} days; the arrival cannot change any more."
            )
        return self._arrival_problem(arrival)

    def _move_problem(self, stay: ReservationRecord, room_number: str) -> Optional[str]:
        if room_number == stay["room_number"]:
            return f"{stay['reservation_id']} already has room {room_number}."
        booked = self.room_types[stay["type_code"]]
        offered = self.room_types[self.rooms[room_number]["type_code"]]
        if offered["rank"] < booked["rank"]:
            return (
                f"Room {room_number} is {offered['type_code']} (rank {offered['rank']}), below the booked "
                f"{booked['type_code']} (rank {booked['rank']}); choose the same type or a higher one."
            )
        if stay["status"] != "checked_in":
            return None
        if stay["departure"] <= self._today():
            return f"{stay['reservation_id']} ended on {stay['departure']}; extend it with change_stay_dates first."
        return self._ready_problem(room_number)

    def _ready_problem(self, room_number: str) -> Optional[str]:
        status = self.rooms[room_number]["housekeeping_status"]
        if status != "inspected":
            return f"Room {room_number} is {status}; it must be inspected before a guest can have it."
        if room_number in self._occupied_rooms():
            return f"Room {room_number} is still occupied; check that guest out or choose another room."
        return None

    def _check_in_day_problem(self, stay: ReservationRecord) -> Optional[str]:
        today = self._today()
        if stay["arrival"] <= today < stay["departure"]:
            return None
        return (
            f"{stay['reservation_id']} is from {stay['arrival']} to {stay['departure']} and today is "
            f"{today}; check-in "
            "is possible from the arrival day until the day before departure."
        )

    def _deposit_problem(self, stay: ReservationRecord) -> Optional[str]:
        deposit = self._stay_prices(stay)[stay["arrival"]]
        if self._tier(stay) in ("gold", "platinum") or -stay["balance_cents"] >= deposit:
            return None
        return (
            f"{stay['reservation_id']} has paid {-stay['balance_cents']} cents; a deposit of at least the "
            "first night, "
            f"{deposit} cents, is needed before check-in."
        )

    def _late_problem(self, stay: ReservationRecord) -> Optional[str]:
        if stay["late_checkout"]:
            return f"{stay['reservation_id']} already has a late check-out."
        departure = date.fromisoformat(stay["departure"])
        if 0 <= (departure - datetime.now().date()).days <= 1:
            return None
        return (
            f"{stay['reservation_id']} departs on {stay['departure']} and today is {self._today()}; a late "
            "check-out can "
            "be granted on the departure day and the day before."
        )

    def _items_problem(self, items: List[ChargeItem]) -> Optional[str]:
        if not 1 <= len(items) <= MAX_CHARGE_ITEMS:
            return f"{len(items)} items were given; 1 to {MAX_CHARGE_ITEMS} are allowed."
        for item in items:
            problem = self._text_problem("description", item["description"], 1, 80)
            if problem is None and item["kind"] not in EXTRA_KINDS:
                problem = f"kind is {self._show(item['kind'])}; allowed are {', '.join(EXTRA_KINDS)}."
            if problem is None and not 1 <= item["quantity"] <= MAX_QUANTITY:
                problem = f"quantity is {self._show(item['quantity'])}; 1 to {MAX_QUANTITY} is allowed."
            if problem is None and not 1 <= item["unit_cents"] <= MAX_UNIT_CENTS:
                problem = f"unit_cents is {self._show(item['unit_cents'])}; 1 to {MAX_UNIT_CENTS} is allowed."
            if problem:
                return problem
        return None

    def _assignment_problem(self, task: HousekeepingTaskRecord, housekeeper_id: str) -> Optional[str]:
        person = self.housekeepers.get(housekeeper_id)
        if person is None:
            return f"Unknown housekeeper {self._show(housekeeper_id)}; get_housekeeping_board lists the team."
        if task["status"] != "open":
            return f"{task['task_id']} is {task['status']}; only open tasks can be assigned."
        if not person["on_duty"]:
            return f"{person['full_name']} is not on duty; choose somebody who is."
        floor = self.rooms[task["room_number"]]["floor"]
        if floor not in person["floors"]:
            return f"{person['full_name']} covers floors {person['floors']}, room {task['room_number']} is on {floor}."
        held = self._workload().get(housekeeper_id, 0) - (task["housekeeper_id"] == housekeeper_id)
        if held >= MAX_OPEN_TASKS:
            return f"{person['full_name']} already has {held} open tasks; {MAX_OPEN_TASKS} is the most."
        return None

    def _status_problem(self, room_number: str, status: str) -> Optional[str]:
        room = self.rooms[room_number]
        current = room["housekeeping_status"]
        needed = {"dirty": ("clean", "inspected"), "clean": ("dirty",), "inspected": ("clean",)}[status]
        if current not in needed:
            return f"Room {room_number} is {current}; {status} is possible only after {' or '.join(needed)}."
        task = self._open_task(room_number)
        if status == "clean" and self._is_out_of_service(room):
            return f"Room {room_number} is out of service until {room['out_of_service_until']}."
        if status == "clean" and task is not None and task["housekeeper_id"] is None:
            return f"{task['task_id']} for room {room_number} has no housekeeper; assign_housekeeping_task first."
        return None

    def _service_problem(self, room_number: str, until: Optional[str]) -> Optional[str]:
        if until is None:
            if self._is_out_of_service(self.rooms[room_number]):
                return None
            return f"Room {room_number} is in service; give until to take it out."
        day, today = self._day(until), datetime.now().date()
        if day is None:
            return f"{self._show(until)} is not a date; write it as YYYY-MM-DD."
        if not 1 <= (day - today).days <= MAX_OUT_OF_SERVICE_DAYS:
            return f"until is {until}; it can be 1 to {MAX_OUT_OF_SERVICE_DAYS} days after today, {today.isoformat()}."
        for stay in self.reservations.values():
            if stay["room_number"] != room_number or stay["status"] not in ("booked", "checked_in"):
                continue
            overlaps = stay["arrival"] < until and today.isoformat() < stay["departure"]
            if overlaps or stay["status"] == "checked_in":
                return (
                    f"Room {room_number} is {stay['status']} by {stay['reservation_id']} from "
                    f"{stay['arrival']} to "
                    f"{stay['departure']}; move that stay first."
                )
        return None

    # Facts

    def _tier(self, stay: ReservationRecord) -> str:
        return self.guests[stay["guest_id"]]["loyalty_tier"]

    def _in_notice_period(self, stay: ReservationRecord) -> bool:
        days = (date.fromisoformat(stay["arrival"]) - datetime.now().date()).days
        return days < NOTICE_DAYS[self._tier(stay)]

    def _cancellation_fee(self, stay: ReservationRecord) -> int:
        return self._stay_prices(stay)[stay["arrival"]] if self._in_notice_period(stay) else 0

    def _night_prices(self, type_code: str, discount: int, arrival: str, departure: str) -> Dict[str, int]:
        kind, share = self.room_types[type_code], 100 - discount
        weekday, weekend = kind["weekday_rate_cents"] * share // 100, kind["weekend_rate_cents"] * share // 100
        first = date.fromisoformat(arrival)
        prices: Dict[str, int] = {}
        for offset in range((date.fromisoformat(departure) - first).days):
            night = first + timedelta(days=offset)
            prices[night.isoformat()] = weekend if night.weekday() in (4, 5) else weekday
        return prices

    def _stay_prices(self, stay: ReservationRecord) -> Dict[str, int]:
        return self._night_prices(stay["type_code"], stay["discount_percent"], stay["arrival"], stay["departure"])

    def _payable(self, stay: ReservationRecord) -> int:
        price = sum(self._stay_prices(stay).values()) if stay["status"] == "booked" else 0
        return price + stay["balance_cents"]

    def _refundable(self, stay: ReservationRecord, method: str) -> int:
        if stay["status"] == "booked":
            return 0
        paid = 0
        for payment in self.payments.values():
            if payment["reservation_id"] == stay["reservation_id"] and payment["method"] == method:
                paid += payment["amount_cents"] if payment["kind"] == "payment" else -payment["amount_cents"]
        return min(paid, -stay["balance_cents"])

    @staticmethod
    def _collide(stay: ReservationRecord, arrival: str, departure: str, *, late: bool = False) -> bool:
        return (
            (stay["arrival"] < departure and arrival < stay["departure"])
            or (late and stay["arrival"] == departure)
            or (stay["late_checkout"] and stay["departure"] == arrival)
        )

    def _taken_rooms(self, arrival: str, departure: str) -> Dict[str, bool]:
        taken = {
            stay["room_number"]: True
            for stay in self.reservations.values()
            if stay["status"] in ("booked", "checked_in") and self._collide(stay, arrival, departure)
        }
        for number, room in self.rooms.items():
            if (room["out_of_service_from"] or "9999") < departure and arrival < (room["out_of_service_until"] or ""):
                taken[number] = True
        return taken

    def _occupied_rooms(self) -> Dict[str, bool]:
        return {stay["room_number"]: True for stay in self.reservations.values() if stay["status"] == "checked_in"}

    def _is_out_of_service(self, room: RoomRecord) -> bool:
        return (room["out_of_service_until"] or "") > self._today()

    def _open_task(self, room_number: str) -> Optional[HousekeepingTaskRecord]:
        for task in self.housekeeping_tasks.values():
            if task["room_number"] == room_number and task["status"] == "open":
                return task
        return None

    def _workload(self) -> Dict[str, int]:
        workload: Dict[str, int] = {}
        for task in self.housekeeping_tasks.values():
            if task["status"] == "open" and task["housekeeper_id"] is not None:
                workload[task["housekeeper_id"]] = workload.get(task["housekeeper_id"], 0) + 1
        return workload

    # Views

    @staticmethod
    def _room_copy(room: RoomRecord) -> Dict[str, Any]:
        return {**room, "features": list(room["features"])}

    def _with_guest(self, stay: ReservationRecord) -> Dict[str, Any]:
        return {**stay, "guest_name": self.guests[stay["guest_id"]]["full_name"]}

    def _offer(self, room: RoomRecord, *, occupied: bool, prices: Dict[str, int]) -> Dict[str, Any]:
        kind = self.room_types[room["type_code"]]
        return {
            "room_number": room["room_number"],
            "type_code": room["type_code"],
            "rank": kind["rank"],
            "capacity": kind["capacity"],
            "floor": room["floor"],
            "features": list(room["features"]),
            "housekeeping_status": room["housekeeping_status"],
            "occupied": occupied,
            "nights": len(prices),
            "total_cents": sum(prices.values()),
        }

    # Changes shared by several tools

    def _new_stay(self, guest_id: str, room_number: str) -> ReservationRecord:
        return {
            "reservation_id": self._next_id("RES-", self.reservations),
            "guest_id": guest_id,
            "room_number": room_number,
            "type_code": self.rooms[room_number]["type_code"],
            "arrival": "",
            "departure": "",
            "adults": 1,
            "children": 0,
            "discount_percent": DISCOUNT_PERCENT[self.guests[guest_id]["loyalty_tier"]],
            "status": "booked",
            "late_checkout": False,
            "special_requests": "",
            "cancel_reason": None,
            "checked_in_at": None,
            "checked_out_at": None,
            "balance_cents": 0,
        }

    def _post(
        self,
        stay: ReservationRecord,
        kind: str,
        description: str,
        quantity: int,
        unit_cents: int,
        *,
        night: Optional[str] = None,
    ) -> ChargeRecord:
        charge_id = self._next_id("CH-", self.charges)
        line: ChargeRecord = {
            "charge_id": charge_id,
            "reservation_id": stay["reservation_id"],
            "kind": kind,
            "description": description,
            "night": night,
            "quantity": quantity,
            "unit_cents": unit_cents,
            "amount_cents": quantity * unit_cents,
            "posted_at": self._now(),
            "voided": False,
            "void_reason": None,
        }
        self.charges[charge_id] = line
        stay["balance_cents"] += line["amount_cents"]
        return line

    @staticmethod
    def _void(stay: ReservationRecord, line: ChargeRecord, reason: str) -> None:
        line["voided"] = True
        line["void_reason"] = reason
        stay["balance_cents"] -= line["amount_cents"]

    def _match_room_charges(self, stay: ReservationRecord) -> None:
        prices = self._stay_prices(stay)
        for line in self.charges.values():
            if line["reservation_id"] != stay["reservation_id"] or line["night"] is None or line["voided"]:
                continue
            if prices.pop(line["night"], None) is None:
                self._void(stay, line, "stay_shortened")
        for night, price in prices.items():
            self._post(stay, "room", "Room night", 1, price, night=night)

    def _soil(self, room_number: str, kind: str) -> HousekeepingTaskRecord:
        self.rooms[room_number]["housekeeping_status"] = "dirty"
        task = self._open_task(room_number)
        if task is None:
            task = {
                "task_id": self._next_id("HT-", self.housekeeping_tasks),
                "room_number": room_number,
                "kind": kind,
                "priority": "normal",
                "status": "open",
                "housekeeper_id": None,
                "created_at": self._now(),
                "completed_at": None,
            }
            self.housekeeping_tasks[task["task_id"]] = task
        elif kind == "departure":
            task["kind"] = kind
        return task
