"""The reservations and disruption desk of an airline."""

import re
from datetime import date, datetime, timedelta
from itertools import pairwise
from typing import Any, Dict, List, Literal, Optional, Tuple, TypedDict


class Flight(TypedDict):
    """A flight on a certain day."""

    flight_id: str  # Id, such as FL-2207.
    number: str  # Flight number, such as VK 412; the same each day.
    origin: str  # Airport of departure, name and code, such as Cork (ORK).
    destination: str  # Airport of arrival, written in the same way.
    distance_km: int  # Distance in kilometres, which decides on the amount of a compensation.
    departs_at: str  # Time of departure as expected now, delay included.
    arrives_at: str  # Time of arrival as expected now, delay included.
    delay_minutes: int  # Minutes that it is later than planned; 0 if it is on time.
    cause: Optional[
        Literal["technical", "crew", "weather", "airport"]
    ]  # Why it is late or cancelled: technical and crew are the airline's fault.
    status: Literal["scheduled", "cancelled", "departed"]  # Whether it is to fly, was cancelled, or has left.


class Cabin(TypedDict):
    """A cabin of a flight, with the seats that this desk may sell."""

    cabin_id: str  # Id, such as CA-3305.
    flight_id: str  # The flight.
    cabin: Literal["economy", "business"]  # Which cabin it is.
    base_fare_cents: (
        int  # Price level of the flight in this cabin, in euro cents; a fare family takes a percentage of it.
    )
    seats: List[str]  # Seats that this desk may sell, such as 14C.
    exit_seats: List[str]  # Those of them at an exit.
    infant_limit: int  # Infants on laps that the cabin takes, for which there are oxygen masks.


class Fare(TypedDict):
    """A fare family: what a ticket costs and what can be done with it."""

    fare_id: str  # Id, such as FA-21.
    name: str  # Name, such as Economy Classic.
    cabin: Literal["economy", "business"]  # The cabin that it is for.
    percent: int  # Price in per cent of the base fare of the cabin.
    change_fee_cents: Optional[int]  # Fee for a change of flight, in euro cents; None if it cannot be changed.
    refund_fee_cents: Optional[int]  # What is kept of a refund, in euro cents; None if nothing is refunded.
    name_fee_cents: int  # Fee for the correction of a name, in euro cents.
    checked_bags: int  # Checked bags that are included.


class Booking(TypedDict):
    """A booking of one or more people who travel together."""

    booking_code: str  # Six letters and digits, such as R7KX2M, which the passengers know.
    contact_email: str  # E-mail address of whoever made it, in lower case; vouchers go there.
    status: Literal[
        "held", "ticketed", "cancelled"
    ]  # Whether it waits for payment, is paid, or has nothing left in it.
    pay_by: Optional[str]  # Deadline for payment while it is held.
    card_cents: int  # Paid by card and not given back, in euro cents.
    voucher_cents: int  # Paid with vouchers and not given back, in euro cents.
    fees_cents: int  # Fees for changes, names and escorts, and what was kept of refunds, in euro cents.


class Passenger(TypedDict):
    """Somebody who travels on a booking."""

    passenger_id: str  # Id, such as PX-5012.
    booking_code: str  # The booking.
    name: str  # Given name and surname, as in the passport.
    birth_date: str  # Day of birth, which decides on fare, seat and company.
    escorted: bool  # Whether the airline looks after a child who travels alone.


class Coupon(TypedDict):
    """The part of a passenger's ticket that is good for one flight."""

    coupon_id: str  # Id, such as TC-4471.
    passenger_id: str  # Whose it is.
    flight_id: str  # The flight.
    fare_id: str  # The fare family.
    fare_cents: int  # Price, in euro cents, without fees.
    status: Literal[
        "booked", "checked_in", "flown", "no_show", "disrupted", "exchanged", "rerouted", "cancelled", "refunded"
    ]  # How far it has come: exchanged at the passenger's wish, rerouted or refunded after a disruption.
    seat: Optional[str]  # The seat, once checked in.
    waits_for: Optional[str]  # Flight on whose waitlist the passenger is.
    waits_since: Optional[str]  # Time at which the passenger was put on it.


class Voucher(TypedDict):
    """A credit that its holder can pay with."""

    voucher_code: str  # Code, such as VC-80417, which the holder knows.
    holder_email: str  # E-mail address of the holder; it pays only for bookings with this address.
    kind: Literal[
        "refund", "compensation", "gift"
    ]  # Whether it came from a refund, compensates for a flight, or was bought as a gift in the web shop.
    coupon_id: Optional[str]  # Coupon that it compensates for.
    value_cents: int  # Value when it was issued, in euro cents.
    left_cents: int  # What is left of it, in euro cents.
    expires_on: str  # Last day on which it can be used.


class AirlineReservations:
    """You work at the reservations desk of an airline, for its passengers, its travel agents and the colleagues of
    operations. A booking has a six-character code that passengers know; it is held until its deadline and is
    ticketed once it is paid. Every passenger has one coupon for each flight. Of each cabin you see the seats that
    this desk may sell. Who is under 2 on the day flies on a lap for 10 % of the fare, who is under 12 pays 75 %
    and needs somebody of 16 or older in the booking, unless the airline escorts the child (5 to 11 years, 50.00
    euros a flight). The fare family says what a change, a refund or a corrected name costs. Selling, changing and
    cancelling end 60 minutes before departure; check-in opens 24 hours and closes 45 minutes before; connections
    take 45 minutes. Seats that become free go to those who wait. When a flight is cancelled, or so late that a
    connection is lost, coupons become disrupted: they are rebooked free of charge or refunded in full, and
    compensated where the airline is to blame. Amounts are in euro cents, all times are UTC, days are written
    YYYY-MM-DD and times YYYY-MM-DDTHH:MM:SS.
    """

    _SALES_END = 60
    _CHECK_IN_OPENS = 24 * 60
    _CHECK_IN_CLOSES = 45
    _CONNECTION = 45
    _HOLD_HOURS = 24
    _MOST_PASSENGERS = 9
    _MOST_FLIGHTS = 6
    _MOST_ESCORTED = 2
    _INFANT = 2
    _NEWBORN_DAYS = 7
    _ESCORTABLE = 5
    _CHILD = 12
    _ADULT = 16
    _CHILD_PERCENT = 75
    _INFANT_PERCENT = 10
    _BONUS_PERCENT = 10
    _ESCORT_FEE_CENTS = 5000
    _REBOOK_DAYS = 7
    _VOUCHER_DAYS = 365
    _LONG_DELAY = 180
    _SHORTEST_DELAY = 15
    _LONGEST_DELAY = 720
    _DELAYS_FROM = 24 * 60
    _OWN_FAULT = ("technical", "crew")
    _TRAVELLING = ("booked", "checked_in", "flown")
    _COUNTED = ("booked", "checked_in", "flown", "no_show", "disrupted")
    _ACCENTS = str.maketrans("àáâãäåçèéêëìíîïñòóôõöøùúûüýÿšžōūāēī", "aaaaaaceeeeiiiinoooooouuuuyyszouaei")

    def __init__(self, init_config: Dict[str, Any]) -> None:
        """Start with empty collections.

        Args:
            init_config: Ignored; whoever loads a start state sets the attributes.
        """
        del init_config
        self.flights: Dict[str, Flight] = {}
        self.cabins: Dict[str, Cabin] = {}
        self.fares: Dict[str, Fare] = {}
        self.bookings: Dict[str, Booking] = {}
        self.passengers: Dict[str, Passenger] = {}
        self.coupons: Dict[str, Coupon] = {}
        self.vouchers: Dict[str, Voucher] = {}

    def find_flights(
        self,
        origin: Optional[str] = None,
        destination: Optional[str] = None,
        day: Optional[str] = None,
        number: Optional[str] = None,
        status: Optional[Literal["scheduled", "cancelled", "departed"]] = None,
    ) -> Dict[str, Any]:
        """Find flights by airport, day, number or status, in the order of departure.

        Without filters, all flights are listed.

        Args:
            origin: Part of the airport of departure, in any case, such as cork or ORK.
            destination: Part of the airport of arrival, in any case.
            day: Day of departure as expected now, YYYY-MM-DD.
            number: Flight number; case and spaces do not count.
            status: Status.

        Returns:
            data: A list of flights: all their fields, and for each cabin seats_to_sell (free seats, less those
                who wait) and waiting.
        """
        problem = self._blank(origin=origin, destination=destination, number=number)
        if problem is None and day is not None and self._day(day) is None:
            problem = f"{day!r} is no day. Write it as YYYY-MM-DD, such as 2025-06-10."
        if problem:
            return self._refuse(problem)
        found = [
            {**flight, "cabins": self._find_flights_cabins(flight_id)}
            for flight_id, flight in self.flights.items()
            if self._holds(flight["origin"], origin)
            and self._holds(flight["destination"], destination)
            and (day is None or flight["departs_at"][:10] == day)
            and (number is None or self._squeezed(flight["number"]) == self._squeezed(number))
            and status in (None, flight["status"])
        ]
        return {"success": True, "data": sorted(found, key=lambda row: (row["departs_at"], row["flight_id"]))}

    def _find_flights_cabins(self, flight_id: str) -> List[Dict[str, Any]]:
        return [
            {
                "cabin": cabin["cabin"],
                "seats_to_sell": self._seats_to_sell(flight_id, cabin["cabin"]),
                "waiting": len(self._queue(flight_id, cabin["cabin"])),
            }
            for cabin in self.cabins.values()
            if cabin["flight_id"] == flight_id
        ]

    def get_flight(self, flight_id: str) -> Dict[str, Any]:
        """Read a flight: cabins with prices, who is on it, and who waits for it.

        Args:
            flight_id: The flight, such as FL-2207.

        Returns:
            data: The flight's fields; cabins (cabin_id, cabin, seats, free_seats, waiting, seats_to_sell,
                infants, infant_limit, and fares: fare_id, name, adult_cents, child_cents, infant_cents);
                passengers (coupon_id, passenger_id, name, age, booking_code, cabin, status, seat, escorted) whose
                coupons are booked, checked in, flown, no-show or disrupted; and waitlist (coupon_id, name,
                booking_code, cabin, status, since), the next to be served first in each cabin.
        """
        problem = self._missing("flights", flight_id)
        if problem:
            return self._refuse(problem)
        flight = self.flights[flight_id]
        cabins = [self._get_flight_cabin(cabin) for cabin in self.cabins.values() if cabin["flight_id"] == flight_id]
        passengers = []
        for coupon in self._on_flight(flight_id, self._COUNTED):
            passenger = self.passengers[coupon["passenger_id"]]
            passengers.append(
                {
                    "coupon_id": coupon["coupon_id"],
                    "passenger_id": passenger["passenger_id"],
                    "name": passenger["name"],
                    "age": self._age(passenger, flight),
                    "booking_code": passenger["booking_code"],
                    "cabin": self.fares[coupon["fare_id"]]["cabin"],
                    "status": coupon["status"],
                    "seat": coupon["seat"],
                    "escorted": passenger["escorted"],
                }
            )
        waitlist = [
            self._get_flight_waiting(coupon) for cabin in cabins for coupon in self._queue(flight_id, cabin["cabin"])
        ]
        return {"success": True, "data": {**flight, "cabins": cabins, "passengers": passengers, "waitlist": waitlist}}

    def _get_flight_cabin(self, cabin: Dict[str, Any]) -> Dict[str, Any]:
        flight_id, kind = cabin["flight_id"], cabin["cabin"]
        fares = []
        for fare in self._fares_of(kind):
            adult = cabin["base_fare_cents"] * fare["percent"] // 100
            fares.append(
                {
                    "fare_id": fare["fare_id"],
                    "name": fare["name"],
                    "adult_cents": adult,
                    "child_cents": adult * self._CHILD_PERCENT // 100,
                    "infant_cents": adult * self._INFANT_PERCENT // 100,
                }
            )
        return {
            "cabin_id": cabin["cabin_id"],
            "cabin": kind,
            "seats": len(cabin["seats"]),
            "free_seats": self._free_seats(flight_id, kind),
            "waiting": len(self._queue(flight_id, kind)),
            "seats_to_sell": self._seats_to_sell(flight_id, kind),
            "infants": self._infants_in(flight_id, kind),
            "infant_limit": cabin["infant_limit"],
            "fares": fares,
        }

    def _get_flight_waiting(self, coupon: Dict[str, Any]) -> Dict[str, Any]:
        passenger = self.passengers[coupon["passenger_id"]]
        return {
            "coupon_id": coupon["coupon_id"],
            "name": passenger["name"],
            "booking_code": passenger["booking_code"],
            "cabin": self.fares[coupon["fare_id"]]["cabin"],
            "status": coupon["status"],
            "since": coupon["waits_since"],
        }

    def get_seat_map(self, flight_id: str, cabin: Literal["economy", "business"]) -> Dict[str, Any]:
        """Read which seats of a cabin are free.

        Args:
            flight_id: The flight.
            cabin: The cabin.

        Returns:
            data: A list of seats: seat, at_exit, free, and the name of who holds it, if anybody.
        """
        problem = self._missing("flights", flight_id) or self._no_cabin(flight_id, cabin)
        if problem:
            return self._refuse(problem)
        row = self._cabin(flight_id, cabin)
        holders = {
            coupon["seat"]: self.passengers[coupon["passenger_id"]]["name"]
            for coupon in self._on_flight(flight_id, self._TRAVELLING)
        }
        seats = [
            {
                "seat": seat,
                "at_exit": seat in row["exit_seats"],
                "free": seat not in holders,
                "held_by": holders.get(seat),
            }
            for seat in row["seats"]
        ]
        return {"success": True, "data": seats}

    def list_fares(self, cabin: Optional[Literal["economy", "business"]] = None) -> Dict[str, Any]:
        """List the fare families and their conditions, the cheapest first.

        Args:
            cabin: Only those of this cabin.

        Returns:
            data: A list of fares: fare_id, name, cabin, percent, change_fee_cents, refund_fee_cents (None: not
                possible), name_fee_cents and checked_bags.
        """
        fares = [dict(fare) for fare in self.fares.values() if cabin in (None, fare["cabin"])]
        return {"success": True, "data": sorted(fares, key=lambda fare: (fare["percent"], fare["fare_id"]))}

    def find_bookings(
        self,
        name: Optional[str] = None,
        email: Optional[str] = None,
        flight_id: Optional[str] = None,
        status: Optional[Literal["held", "ticketed", "cancelled"]] = None,
    ) -> Dict[str, Any]:
        """Find bookings by a passenger's name, e-mail address, flight or status; at least one is needed.

        Args:
            name: Part of a passenger's name; case and common accents do not count.
            email: Part of the e-mail address, in any case.
            flight_id: Only bookings with a coupon for this flight, whatever its status.
            status: Status.

        Returns:
            data: A list of bookings: booking_code, contact_email, status, pay_by, and passengers (passenger_id
                and name).
        """
        problem = self._blank(name=name, email=email)
        if problem is None and flight_id is not None:
            problem = self._missing("flights", flight_id)
        if problem is None and (name, email, flight_id, status) == (None, None, None, None):
            problem = "Give at least one of name, email, flight_id or status."
        if problem:
            return self._refuse(problem)
        found = []
        for booking_code, booking in self.bookings.items():
            people = self._passengers_of(booking_code)
            if name is not None and not any(self._holds(passenger["name"], name) for passenger in people):
                continue
            if flight_id is not None and all(
                coupon["flight_id"] != flight_id for coupon in self._coupons_of(booking_code)
            ):
                continue
            if self._holds(booking["contact_email"], email) and status in (None, booking["status"]):
                found.append(
                    {
                        "booking_code": booking_code,
                        "contact_email": booking["contact_email"],
                        "status": booking["status"],
                        "pay_by": booking["pay_by"],
                        "passengers": [
                            {"passenger_id": passenger["passenger_id"], "name": passenger["name"]}
                            for passenger in people
                        ],
                    }
                )
        return {"success": True, "data": found}

    def get_booking(self, booking_code: str) -> Dict[str, Any]:
        """Read a booking with its passengers, their coupons and its account.

        Args:
            booking_code: The code, such as R7KX2M.

        Returns:
            data: The booking's fields; to_pay_cents (what tickets would cost now, 0 unless it is held);
                passengers, each with its fields and coupons (the coupon's fields with number, origin,
                destination, departs_at, flight_status, fare_name and cabin) in the order of departure.
        """
        problem = self._missing("bookings", booking_code)
        if problem:
            return self._refuse(problem)
        booking = self.bookings[booking_code]
        coupons = sorted(
            self._coupons_of(booking_code),
            key=lambda coupon: (self.flights[coupon["flight_id"]]["departs_at"], coupon["coupon_id"]),
        )
        passengers = [
            {
                **passenger,
                "coupons": [
                    self._get_booking_coupon(coupon)
                    for coupon in coupons
                    if coupon["passenger_id"] == passenger["passenger_id"]
                ],
            }
            for passenger in self._passengers_of(booking_code)
        ]
        to_pay = self._to_pay(booking_code) if booking["status"] == "held" else 0
        return {"success": True, "data": {**booking, "to_pay_cents": to_pay, "passengers": passengers}}

    def _get_booking_coupon(self, coupon: Dict[str, Any]) -> Dict[str, Any]:
        flight, fare = self.flights[coupon["flight_id"]], self.fares[coupon["fare_id"]]
        return {
            **coupon,
            "number": flight["number"],
            "origin": flight["origin"],
            "destination": flight["destination"],
            "departs_at": flight["departs_at"],
            "flight_status": flight["status"],
            "fare_name": fare["name"],
            "cabin": fare["cabin"],
        }

    def list_disrupted(self, flight_id: Optional[str] = None) -> Dict[str, Any]:
        """List the disrupted coupons that nobody has taken care of yet, each with the flights that it can be rebooked
        to.

        Args:
            flight_id: Only coupons for this flight.

        Returns:
            data: A list: coupon_id, passenger_id, name, age, booking_code, flight_id, number, cabin, fare_cents,
                waits_for, and alternatives (flight_id, number, departs_at, seats_to_sell) of the same route that
                still have room for one.
        """
        problem = self._missing("flights", flight_id) if flight_id is not None else None
        if problem:
            return self._refuse(problem)
        found = []
        for coupon in self.coupons.values():
            if coupon["status"] != "disrupted" or flight_id not in (None, coupon["flight_id"]):
                continue
            passenger, flight = self.passengers[coupon["passenger_id"]], self.flights[coupon["flight_id"]]
            found.append(
                {
                    "coupon_id": coupon["coupon_id"],
                    "passenger_id": coupon["passenger_id"],
                    "name": passenger["name"],
                    "age": self._age(passenger, flight),
                    "booking_code": passenger["booking_code"],
                    "flight_id": coupon["flight_id"],
                    "number": flight["number"],
                    "cabin": self.fares[coupon["fare_id"]]["cabin"],
                    "fare_cents": coupon["fare_cents"],
                    "waits_for": coupon["waits_for"],
                    "alternatives": self._list_disrupted_alternatives(coupon),
                }
            )
        return {"success": True, "data": found}

    def _list_disrupted_alternatives(self, coupon: Dict[str, Any]) -> List[Dict[str, Any]]:
        passenger, fare = self.passengers[coupon["passenger_id"]], self.fares[coupon["fare_id"]]
        rows = [
            {
                "flight_id": flight_id,
                "number": flight["number"],
                "departs_at": flight["departs_at"],
                "seats_to_sell": self._seats_to_sell(flight_id, fare["cabin"]),
            }
            for flight_id, flight in self.flights.items()
            if self._rebooking_problem(coupon, flight_id) is None
            and self._room_problem(flight_id, [(passenger, fare)]) is None
        ]
        return sorted(rows, key=lambda row: (row["departs_at"], row["flight_id"]))

    def quote_change(self, coupon_id: str, whole_party: bool = False) -> Dict[str, Any]:
        """Work out to which flights of its route a coupon can be changed, at what cost, and what stands in the way of
        the others.

        Args:
            coupon_id: The coupon, such as TC-4471.
            whole_party: True for everybody of the booking whose coupon for that flight is in the same status;
                False for this passenger alone.

        Returns:
            data: passengers (names), and flights of the route that have not left yet: flight_id, number,
                departs_at, arrives_at, possible, obstacle (empty if possible) and total_cents (change fees and
                differences of fare for all of them; None if not possible).
        """
        problem = self._missing("coupons", coupon_id)
        if problem:
            return self._refuse(problem)
        party = self._party(coupon_id, whole_party)
        rows = [
            self._quote_change_row(party, flight_id)
            for flight_id, flight in self.flights.items()
            if self._other_route(party[0], flight_id) is None and self._minutes_left(flight) > 0
        ]
        quote = {
            "passengers": [self._name_of(coupon) for coupon in party],
            "flights": sorted(rows, key=lambda row: (row["departs_at"], row["flight_id"])),
        }
        return {"success": True, "data": quote}

    def _quote_change_row(self, party: List[Any], flight_id: str) -> Dict[str, Any]:
        flight, obstacle = self.flights[flight_id], self._change_problem(party, flight_id)
        changes = [] if obstacle else self._changes(party, flight_id)
        total = sum(row["new_fare_cents"] - row["fare_now_cents"] + row["fee_cents"] for row in changes)
        return {
            "flight_id": flight_id,
            "number": flight["number"],
            "departs_at": flight["departs_at"],
            "arrives_at": flight["arrives_at"],
            "possible": obstacle is None,
            "obstacle": obstacle or "",
            "total_cents": None if obstacle else total,
        }

    def quote_refund(self, passenger_id: str, whole_party: bool = False) -> Dict[str, Any]:
        """Work out what would come back if a passenger's travel on each flight were cancelled now, and what stands in
        the way.

        Args:
            passenger_id: The passenger, such as PX-5012.
            whole_party: Whether everybody of the booking who is on the flight cancels together, so that no child
                is left alone; the amounts are those of the passenger alone.

        Returns:
            data: A list of the passenger's booked and disrupted coupons: coupon_id, name, flight_id, number,
                departs_at, status, possible, obstacle (empty if possible), refund_cents, kept_cents, and
                as_voucher_cents (worth of the refund if all of it is taken as a voucher).
        """
        problem = self._missing("passengers", passenger_id)
        if problem:
            return self._refuse(problem)
        rows = [
            self._quote_refund_row(coupon, whole_party)
            for coupon in self.coupons.values()
            if coupon["passenger_id"] == passenger_id and coupon["status"] in ("booked", "disrupted")
        ]
        return {"success": True, "data": rows}

    def _quote_refund_row(self, coupon: Dict[str, Any], whole_party: bool) -> Dict[str, Any]:
        obstacle = self._cancel_problem(self._party(coupon["coupon_id"], whole_party))
        refund, kept = (0, 0) if obstacle else self._refund([coupon])
        return {
            "coupon_id": coupon["coupon_id"],
            "name": self._name_of(coupon),
            "flight_id": coupon["flight_id"],
            "number": self.flights[coupon["flight_id"]]["number"],
            "departs_at": self.flights[coupon["flight_id"]]["departs_at"],
            "status": coupon["status"],
            "possible": obstacle is None,
            "obstacle": obstacle or "",
            "refund_cents": refund,
            "kept_cents": kept,
            "as_voucher_cents": refund + self._bonus([coupon]),
        }

    def find_vouchers(
        self,
        email: Optional[str] = None,
        kind: Optional[Literal["refund", "compensation", "gift"]] = None,
        usable_only: bool = False,
    ) -> Dict[str, Any]:
        """Find vouchers by e-mail address or kind; at least one is needed.

        Args:
            email: Part of the holder's e-mail address, in any case.
            kind: Kind.
            usable_only: Only those that have not expired and have something left.

        Returns:
            data: A list of vouchers with all their fields, the first to expire first.
        """
        problem = self._blank(email=email)
        if problem is None and email is None and kind is None:
            problem = "Give at least one of email and kind."
        if problem:
            return self._refuse(problem)
        found = [
            dict(voucher)
            for voucher in self.vouchers.values()
            if self._holds(voucher["holder_email"], email)
            and kind in (None, voucher["kind"])
            and not (usable_only and self._unusable(voucher))
        ]
        return {"success": True, "data": sorted(found, key=lambda row: (row["expires_on"], row["voucher_code"]))}

    def open_booking(
        self,
        contact_email: str,
        passenger_name: str,
        birth_date: str,
        fare_id: str,
        flight_ids: List[str],
        escorted: bool = False,
    ) -> Dict[str, Any]:
        """Open a booking for a first passenger, on one or more flights in one fare family, and hold it.

        It has to be paid within 24 hours, and no later than 60 minutes before the first departure. Children under 12 do not travel alone: open the booking for an adult and add them, or have the child escorted. Infants fly from 7 days on.

        Args:
            contact_email: E-mail address of whoever books.
            passenger_name: Given name and surname.
            birth_date: Day of birth, YYYY-MM-DD.
            fare_id: The fare family.
            flight_ids: The flights, 1 to 6, in the order of travel.
            escorted: Whether the airline looks after a child of 5 to 11 who travels alone.

        Returns:
            message: The code of the new booking, what it comes to, and until when it is to be paid.
        """
        problem = (
            self._bad_email(contact_email)
            or self._bad_name(passenger_name)
            or self._bad_birth_date(birth_date)
            or self._missing("fares", fare_id)
            or self._open_booking_flights(flight_ids)
        )
        if problem:
            return self._refuse(problem)
        fare, booking_code = self.fares[fare_id], self._next_code()
        passenger = self._passenger(booking_code, passenger_name, birth_date, escorted)
        problem = self._boarding_problem(passenger, fare, flight_ids)
        if problem:
            return self._refuse(problem)
        first = min(self._time(self.flights[flight_id]["departs_at"]) for flight_id in flight_ids)
        pay_by = min(self._now() + timedelta(hours=self._HOLD_HOURS), first - timedelta(minutes=self._SALES_END))
        self.bookings[booking_code] = {
            "booking_code": booking_code,
            "contact_email": contact_email.strip().lower(),
            "status": "held",
            "pay_by": pay_by.isoformat(),
            "card_cents": 0,
            "voucher_cents": 0,
            "fees_cents": 0,
        }
        self._take_in(passenger, fare, flight_ids)
        message = (
            f"Booking {booking_code} is held for {passenger['name']} ({passenger['passenger_id']}); "
            f"it comes to {self._euros(self._to_pay(booking_code))}, to be paid by {pay_by.isoformat()}."
        )
        return {"success": True, "message": message}

    def _open_booking_flights(self, flight_ids: List[str]) -> Optional[str]:
        if not 1 <= len(flight_ids) <= self._MOST_FLIGHTS:
            return f"A booking has 1 to {self._MOST_FLIGHTS} flights, not {len(flight_ids)}."
        for flight_id in flight_ids:
            problem = self._missing("flights", flight_id)
            if problem:
                return problem
        if len(set(flight_ids)) < len(flight_ids):
            return "A flight is named twice; each is booked once."
        departures = [self.flights[flight_id]["departs_at"] for flight_id in flight_ids]
        if departures != sorted(departures):
            return "Name the flights in the order of travel."
        return None

    def add_passenger(self, booking_code: str, name: str, birth_date: str, escorted: bool = False) -> Dict[str, Any]:
        """Add a passenger to a held booking, on all its flights and in its fare family.

        A booking has at most 9 passengers; once it is ticketed, nobody can be added. Infants fly from 7 days on.

        Args:
            booking_code: The booking.
            name: Given name and surname.
            birth_date: Day of birth, YYYY-MM-DD.
            escorted: Whether the airline looks after a child of 5 to 11 who travels alone.

        Returns:
            message: The passenger's id, and what the whole booking comes to now.
        """
        problem = (
            self._missing("bookings", booking_code)
            or self._bad_name(name)
            or self._bad_birth_date(birth_date)
            or self._not_held(booking_code)
        )
        if problem:
            return self._refuse(problem)
        people = self._passengers_of(booking_code)
        if len(people) >= self._MOST_PASSENGERS:
            return self._refuse(
                f"{booking_code} has {len(people)} passengers already; at most {self._MOST_PASSENGERS} go on one booking."
            )
        problem = self._name_taken(booking_code, name)
        if problem:
            return self._refuse(problem)
        coupons = [coupon for coupon in self._coupons_of(booking_code) if coupon["status"] == "booked"]
        fare = self.fares[coupons[0]["fare_id"]]
        flight_ids = list(dict.fromkeys(coupon["flight_id"] for coupon in coupons))
        passenger = self._passenger(booking_code, name, birth_date, escorted)
        problem = self._boarding_problem(passenger, fare, flight_ids)
        if problem:
            return self._refuse(problem)
        self._take_in(passenger, fare, flight_ids)
        message = (
            f"{passenger['name']} ({passenger['passenger_id']}) is on booking {booking_code}, "
            f"which comes to {self._euros(self._to_pay(booking_code))} now."
        )
        return {"success": True, "message": message}

    def issue_tickets(self, booking_code: str, voucher_code: Optional[str] = None) -> Dict[str, Any]:
        """Take payment for a held booking and issue its tickets.

        A voucher is used first, as far as it goes; the card on file pays the rest.

        Args:
            booking_code: The booking.
            voucher_code: Voucher to pay with; its holder must have the booking's e-mail address.

        Returns:
            message: What was paid by card and what with the voucher, with what is left of that.
        """
        problem = self._missing("bookings", booking_code) or self._not_held(booking_code)
        if problem is None and voucher_code is not None:
            problem = self._voucher_problem(voucher_code, booking_code)
        if problem:
            return self._refuse(problem)
        coupons = [coupon for coupon in self._coupons_of(booking_code) if coupon["status"] == "booked"]
        for coupon in coupons:
            problem = self._not_for_sale(coupon["flight_id"])
            if problem:
                return self._refuse(problem)
        booking, total = self.bookings[booking_code], self._to_pay(booking_code)
        booking["fees_cents"] += total - sum(coupon["fare_cents"] for coupon in coupons)
        paid = self._take_payment(booking, total, voucher_code)
        booking["status"], booking["pay_by"] = "ticketed", None
        return {"success": True, "message": f"Booking {booking_code} is ticketed: {paid}."}

    def change_flight(
        self, coupon_id: str, flight_id: str, whole_party: bool = False, voucher_code: Optional[str] = None
    ) -> Dict[str, Any]:
        """Change a ticketed passenger to another flight of the same route, as the fare allows.

        The passenger pays the change fee and what the new flight costs more in the same fare family; if it costs less, nothing comes back. Whoever is checked in can no longer change. A disrupted coupon is rebooked instead.

        Args:
            coupon_id: The coupon, such as TC-4471.
            flight_id: The flight to change to.
            whole_party: True for everybody of the booking whose coupon for that flight is in the same status;
                False for this passenger alone.
            voucher_code: Voucher to pay with first; the card on file pays the rest.

        Returns:
            message: The ids of the new coupons, and what was paid.
        """
        problem = self._missing("coupons", coupon_id) or self._missing("flights", flight_id)
        if problem:
            return self._refuse(problem)
        booking = self._booking_of(self.coupons[coupon_id])
        party = self._party(coupon_id, whole_party)
        problem = self._change_problem(party, flight_id)
        if problem is None and voucher_code is not None:
            problem = self._voucher_problem(voucher_code, booking["booking_code"])
        if problem:
            return self._refuse(problem)
        changes = self._changes(party, flight_id)
        fees = sum(row["fee_cents"] for row in changes)
        total = fees + sum(row["new_fare_cents"] - row["fare_now_cents"] for row in changes)
        booking["fees_cents"] += fees
        paid = self._take_payment(booking, total, voucher_code)
        made = []
        for coupon, row in zip(party, changes, strict=True):
            made.append(self._replace(coupon, flight_id, row["new_fare_cents"], "exchanged"))
        return {
            "success": True,
            "message": f"Changed to {self._flight_name(flight_id)} with {', '.join(made)}: {paid}.",
        }

    def cancel_travel(self, coupon_id: str, whole_party: bool = False, as_voucher: bool = False) -> Dict[str, Any]:
        """Cancel a passenger's flight and give back what the fare allows, or all of it if the coupon is disrupted.

        A refund goes to the card as far as the booking was paid by card, and the rest comes as a voucher. Taken as a voucher altogether, the refund of a disrupted coupon is worth 10 % more. A held booking costs nothing to cancel. Whoever is checked in cannot cancel. Escort fees are not given back.

        Args:
            coupon_id: The coupon, such as TC-4471.
            whole_party: True for everybody of the booking whose coupon for that flight is in the same status;
                False for this passenger alone.
            as_voucher: Whether all of the refund is wanted as a voucher.

        Returns:
            message: What goes to the card, the code and the value of a new voucher, and what was kept.
        """
        problem = self._missing("coupons", coupon_id)
        if problem:
            return self._refuse(problem)
        party = self._party(coupon_id, whole_party)
        problem = self._cancel_problem(party)
        if problem:
            return self._refuse(problem)
        refund, kept = self._refund(party)
        if as_voucher and refund == 0:
            return self._refuse(
                "Nothing comes back, so there is nothing to put on a voucher. quote_refund says what comes back."
            )
        booking = self._booking_of(party[0])
        bonus = self._bonus(party) if as_voucher else 0
        for coupon in party:
            self._end(coupon, "refunded" if coupon["status"] == "disrupted" else "cancelled")
        booking["fees_cents"] += kept
        returned = self._give_back(booking, refund, as_voucher, bonus)
        self._settle(booking["booking_code"])
        who = ", ".join(self._name_of(coupon) for coupon in party)
        message = (
            f"{who}: {self._flight_name(party[0]['flight_id'])} is cancelled; {returned}, {self._euros(kept)} is kept."
        )
        return {"success": True, "message": message}

    def correct_name(self, passenger_id: str, name: str) -> Dict[str, Any]:
        """Correct the spelling of a passenger's name by at most 3 letters.

        A ticket cannot be given to somebody else. It is free while the booking is held; afterwards the card on file pays the highest name fee of the passenger's fares.

        Args:
            passenger_id: The passenger.
            name: The whole name as it should be.

        Returns:
            message: The old name, the new name, and the fee.
        """
        problem = self._missing("passengers", passenger_id) or self._bad_name(name)
        if problem:
            return self._refuse(problem)
        passenger, name = self.passengers[passenger_id], " ".join(name.split())
        booking = self.bookings[passenger["booking_code"]]
        coupons = [coupon for coupon in self.coupons.values() if coupon["passenger_id"] == passenger_id]
        open_ones = [coupon for coupon in coupons if coupon["status"] in ("booked", "disrupted")]
        if any(coupon["status"] == "checked_in" for coupon in coupons):
            return self._refuse(f"{passenger['name']} is checked in, and the name can no longer be changed.")
        if not open_ones:
            return self._refuse(f"{passenger['name']} has no coupon left to fly with, so there is no name to correct.")
        letters = self._correct_name_distance(passenger["name"], name)
        if letters == 0:
            return self._refuse(f"{passenger['name']!r} is the name already.")
        if letters > 3:
            return self._refuse(
                f"From {passenger['name']!r} to {name!r} {letters} letters differ; at most 3 can be corrected, and a ticket cannot be "
                "given to somebody else."
            )
        problem = self._name_taken(passenger["booking_code"], name, passenger_id)
        if problem:
            return self._refuse(problem)
        fee = (
            0
            if booking["status"] == "held"
            else max(self.fares[coupon["fare_id"]]["name_fee_cents"] for coupon in open_ones)
        )
        old = passenger["name"]
        passenger["name"] = name
        booking["fees_cents"] += fee
        booking["card_cents"] += fee
        return {
            "success": True,
            "message": f"{passenger_id} is {name} instead of {old}; {self._euros(fee)} was paid by card.",
        }

    def _correct_name_distance(self, old: str, new: str) -> int:
        """Count the letters that are added, left out or replaced at least, from one name to another."""
        above = list(range(len(new) + 1))
        for row, letter in enumerate(old, 1):
            current = [row]
            for column, other in enumerate(new, 1):
                current.append(min(above[column] + 1, current[-1] + 1, above[column - 1] + (letter != other)))
            above = current
        return above[-1]

    def check_in(self, coupon_id: str, seat: Optional[str] = None) -> Dict[str, Any]:
        """Check a passenger in and give out a seat.

        Check-in opens 24 hours and closes 45 minutes before departure. Without a wish, the first free seat is given, one at an exit last. Infants get none. Children and infants are checked in after somebody of 16 or older of their booking.

        Args:
            coupon_id: The coupon, such as TC-4471.
            seat: Seat that is wanted, such as 14C.

        Returns:
            message: The seat.
        """
        problem = self._missing("coupons", coupon_id)
        if problem:
            return self._refuse(problem)
        coupon = self.coupons[coupon_id]
        problem = self._check_in_problem(coupon)
        if problem:
            return self._refuse(problem)
        passenger, flight = self.passengers[coupon["passenger_id"]], self.flights[coupon["flight_id"]]
        if self._age(passenger, flight) < self._INFANT:
            if seat is not None:
                return self._refuse(
                    f"{passenger['name']} is under {self._INFANT} and sits on a lap; leave the seat out."
                )
            given = None
        else:
            free = self._check_in_seats(coupon)
            if seat is None and not free:
                return self._refuse(f"No seat is free that {passenger['name']} may take; get_seat_map shows them.")
            given = free[0] if seat is None else seat.strip().upper()
            if given not in free:
                return self._refuse(self._check_in_seat_problem(coupon, given))
        self._end(coupon, "checked_in")
        coupon["seat"] = given
        place = f"in seat {given}" if given else "on a lap"
        return {
            "success": True,
            "message": f"{passenger['name']} is checked in for {self._flight_name(flight['flight_id'])} {place}.",
        }

    def _check_in_problem(self, coupon: Dict[str, Any]) -> Optional[str]:
        flight, booking = self.flights[coupon["flight_id"]], self._booking_of(coupon)
        if coupon["status"] != "booked":
            return (
                f"Coupon {coupon['coupon_id']} is {self._words(coupon['status'])}; only booked ones can be checked in."
            )
        if booking["status"] != "ticketed":
            return f"Booking {booking['booking_code']} is not paid yet; issue_tickets does that."
        minutes = self._minutes_left(flight)
        if not self._CHECK_IN_CLOSES <= minutes <= self._CHECK_IN_OPENS:
            return (
                f"Check-in for {self._flight_name(flight['flight_id'])} opens 24 hours and closes {self._CHECK_IN_CLOSES} minutes before "
                f"its departure at {flight['departs_at']}; it is {self._now().isoformat()}."
            )
        passenger = self.passengers[coupon["passenger_id"]]
        others = self._people(flight["flight_id"], booking["booking_code"], ("checked_in", "flown"))
        alone = self._unaccompanied(flight, [*others, passenger])
        return f"{alone} Check in the adult of the booking first." if alone else None

    def _check_in_seats(self, coupon: Dict[str, Any]) -> List[str]:
        """Return the free seats that the passenger may take, those at an exit last."""
        cabin = self._cabin(coupon["flight_id"], self.fares[coupon["fare_id"]]["cabin"])
        taken = {other["seat"] for other in self._on_flight(coupon["flight_id"], self._TRAVELLING)}
        at_exit = (
            [] if self._kept_from_exits(coupon) else [seat for seat in cabin["seats"] if seat in cabin["exit_seats"]]
        )
        inside = [seat for seat in cabin["seats"] if seat not in cabin["exit_seats"]]
        return [seat for seat in [*inside, *at_exit] if seat not in taken]

    def _check_in_seat_problem(self, coupon: Dict[str, Any], seat: str) -> str:
        cabin = self._cabin(coupon["flight_id"], self.fares[coupon["fare_id"]]["cabin"])
        if seat not in cabin["seats"]:
            return f"{seat!r} is no seat of {cabin['cabin']} that this desk gives out. get_seat_map lists them."
        if seat in cabin["exit_seats"] and self._kept_from_exits(coupon):
            return f"{seat} is at an exit, where nobody under {self._ADULT} or with an infant in the booking sits."
        return f"{seat} is taken. get_seat_map shows which seats are free."

    def join_waitlist(self, coupon_id: str, flight_id: str) -> Dict[str, Any]:
        """Put a passenger on the waitlist of a full flight of the same route.

        The coupon stays good for its own flight until a seat becomes free and is confirmed.

        Args:
            coupon_id: The coupon, such as TC-4471.
            flight_id: The flight to wait for.

        Returns:
            message: The place in the queue of the cabin.
        """
        problem = self._missing("coupons", coupon_id) or self._missing("flights", flight_id)
        if problem:
            return self._refuse(problem)
        coupon = self.coupons[coupon_id]
        problem = self._join_waitlist_problem(coupon, flight_id)
        if problem:
            return self._refuse(problem)
        coupon["waits_for"], coupon["waits_since"] = flight_id, self._now().isoformat()
        queue = self._queue(flight_id, self.fares[coupon["fare_id"]]["cabin"])
        place = [one["coupon_id"] for one in queue].index(coupon_id) + 1
        message = f"{self._name_of(coupon)} waits for {self._flight_name(flight_id)} with {coupon_id}, number {place} in the queue."
        return {"success": True, "message": message}

    def _join_waitlist_problem(self, coupon: Dict[str, Any], flight_id: str) -> Optional[str]:
        fare, coupon_id = self.fares[coupon["fare_id"]], coupon["coupon_id"]
        if coupon["status"] not in ("booked", "disrupted"):
            return f"Coupon {coupon_id} is {self._words(coupon['status'])}; only booked and disrupted ones can wait."
        if self._booking_of(coupon)["status"] != "ticketed":
            return "The booking is not paid yet; only ticketed passengers can wait. issue_tickets does that."
        if coupon["waits_for"] is not None:
            return f"Coupon {coupon_id} waits for {self._flight_name(coupon['waits_for'])} already; one waitlist at a time."
        if self._age(self.passengers[coupon["passenger_id"]], self.flights[flight_id]) < self._INFANT:
            return f"{self._name_of(coupon)} is under {self._INFANT} and needs no seat to wait for."
        if coupon["status"] == "booked" and fare["change_fee_cents"] is None:
            return f"{fare['name']} cannot be changed, so {coupon_id} cannot wait for another flight."
        problem = (
            self._other_route(coupon, flight_id)
            or self._not_for_sale(flight_id)
            or self._no_cabin(flight_id, fare["cabin"])
        )
        if problem:
            return problem
        if self._seats_to_sell(flight_id, fare["cabin"]) > 0:
            way = "rebook_disrupted" if coupon["status"] == "disrupted" else "change_flight"
            return f"{self._flight_name(flight_id)} still has seats to sell in {fare['cabin']}; {way} takes one."
        return None

    def confirm_waitlisted(self, coupon_id: str) -> Dict[str, Any]:
        """Give a free seat to the passenger who is next on the waitlist.

        Disrupted passengers come first, then whoever waits longest. A booked passenger pays the change fee of the fare, but no difference; a disrupted one pays nothing.

        Args:
            coupon_id: The coupon, such as TC-4471.

        Returns:
            message: The id of the new coupon, its flight, and what was paid.
        """
        problem = self._missing("coupons", coupon_id)
        if problem:
            return self._refuse(problem)
        coupon = self.coupons[coupon_id]
        problem = self._confirm_waitlisted_problem(coupon)
        if problem:
            return self._refuse(problem)
        booking, flight_id = self._booking_of(coupon), coupon["waits_for"]
        disrupted = coupon["status"] == "disrupted"
        fee = 0 if disrupted else self.fares[coupon["fare_id"]]["change_fee_cents"] or 0
        booking["fees_cents"] += fee
        booking["card_cents"] += fee
        made = self._replace(coupon, flight_id, coupon["fare_cents"], "rerouted" if disrupted else "exchanged")
        message = f"{self._name_of(coupon)} has a seat on {self._flight_name(flight_id)} with {made}; {self._euros(fee)} was paid by card."
        return {"success": True, "message": message}

    def _confirm_waitlisted_problem(self, coupon: Dict[str, Any]) -> Optional[str]:
        fare, flight_id = self.fares[coupon["fare_id"]], coupon["waits_for"]
        if flight_id is None:
            return f"Coupon {coupon['coupon_id']} waits for no flight. join_waitlist puts it on a waitlist."
        first = self._queue(flight_id, fare["cabin"])[0]
        if first["coupon_id"] != coupon["coupon_id"]:
            return f"{self._name_of(first)} with {first['coupon_id']} is before {self._name_of(coupon)} in the queue."
        if self._free_seats(flight_id, fare["cabin"]) < 1:
            return f"No seat is free in {fare['cabin']} of {self._flight_name(flight_id)} yet."
        problem = self._not_for_sale(coupon["flight_id"]) if coupon["status"] == "booked" else None
        return problem or self._moving_problem([coupon], flight_id, queue=False)

    def delay_flight(
        self, flight_id: str, minutes: int, cause: Literal["technical", "crew", "weather", "airport"]
    ) -> Dict[str, Any]:
        """Enter how late a flight is in all, and why, in the last 24 hours before it departs.

        Passengers who then miss a connection by less than 45 minutes lose it: the coupons for their next flights become disrupted, and those of held bookings are cancelled.

        Args:
            flight_id: The flight.
            minutes: Delay in all, against the plan, 15 to 720.
            cause: Cause of the delay as a whole.

        Returns:
            message: The new times, and the coupons that became disrupted.
        """
        problem = self._missing("flights", flight_id) or self._not_scheduled(flight_id)
        if problem:
            return self._refuse(problem)
        flight = self.flights[flight_id]
        if not self._SHORTEST_DELAY <= minutes <= self._LONGEST_DELAY:
            return self._refuse(
                f"Delays of {self._SHORTEST_DELAY} to {self._LONGEST_DELAY} minutes are entered, not {minutes}; what is shorter is on time, and "
                "instead of a longer one cancel_flight cancels."
            )
        if minutes <= flight["delay_minutes"]:
            return self._refuse(
                f"{self._flight_name(flight_id)} is {flight['delay_minutes']} minutes late so far; a delay in all is longer than that, not {minutes}."
            )
        if self._minutes_left(flight) > self._DELAYS_FROM:
            return self._refuse(
                f"{self._flight_name(flight_id)} departs at {flight['departs_at']}; delays are entered in the last 24 hours before."
            )
        more = timedelta(minutes=minutes - flight["delay_minutes"])
        departs, arrives = self._time(flight["departs_at"]) + more, self._time(flight["arrives_at"]) + more
        if departs < self._now():
            return self._refuse(
                f"With {minutes} minutes it would have left at {departs.isoformat()}, which is over; it has not left yet."
            )
        before = flight["departs_at"]
        flight.update(
            delay_minutes=minutes, cause=cause, departs_at=departs.isoformat(), arrives_at=arrives.isoformat()
        )
        lost = self._strand(self._delay_flight_lost(flight, before))
        message = (
            f"{self._flight_name(flight_id)} is {minutes} minutes late, departs at {flight['departs_at']} and arrives at "
            f"{flight['arrives_at']}; {lost or 'no connection is lost'}."
        )
        return {"success": True, "message": message}

    def _delay_flight_lost(self, flight: Dict[str, Any], before: str) -> List[Dict[str, Any]]:
        """Return the coupons for later flights that passengers of a flight which left later can no longer reach."""
        aboard = {coupon["passenger_id"] for coupon in self._on_flight(flight["flight_id"], ("booked", "checked_in"))}
        ready = self._time(flight["arrives_at"]) + timedelta(minutes=self._CONNECTION)
        return [
            coupon
            for coupon in self.coupons.values()
            if coupon["passenger_id"] in aboard
            and coupon["status"] in ("booked", "checked_in")
            and coupon["flight_id"] != flight["flight_id"]
            and before <= self.flights[coupon["flight_id"]]["departs_at"]
            and self._time(self.flights[coupon["flight_id"]]["departs_at"]) < ready
        ]

    def cancel_flight(
        self, flight_id: str, cause: Literal["technical", "crew", "weather", "airport"]
    ) -> Dict[str, Any]:
        """Cancel a flight.

        All booked and checked-in coupons become disrupted, those of held bookings are cancelled, and its waitlist is dissolved. Whoever waits for another flight goes on waiting, before those who are not disrupted.

        Args:
            flight_id: The flight.
            cause: Why.

        Returns:
            message: The coupons that became disrupted.
        """
        problem = self._missing("flights", flight_id) or self._not_scheduled(flight_id)
        if problem:
            return self._refuse(problem)
        self.flights[flight_id].update(status="cancelled", cause=cause)
        self._dissolve_queue(flight_id)
        lost = self._strand(self._on_flight(flight_id, ("booked", "checked_in")))
        message = f"{self._flight_name(flight_id)} is cancelled; {lost or 'nobody was booked on it'}."
        return {"success": True, "message": message}

    def rebook_disrupted(self, coupon_id: str, flight_id: str, whole_party: bool = False) -> Dict[str, Any]:
        """Rebook a disrupted passenger to another flight of the same route, free of charge, in the same cabin.

        The new flight leaves at most 7 days after the one that was lost. Connections to the passenger's other flights must be kept.

        Args:
            coupon_id: The coupon, such as TC-4471.
            flight_id: The flight to rebook to.
            whole_party: True for everybody of the booking whose coupon for that flight is in the same status;
                False for this passenger alone.

        Returns:
            message: The ids of the new coupons.
        """
        problem = self._missing("coupons", coupon_id) or self._missing("flights", flight_id)
        if problem:
            return self._refuse(problem)
        coupon = self.coupons[coupon_id]
        if coupon["status"] != "disrupted":
            return self._refuse(
                f"Coupon {coupon_id} is {self._words(coupon['status'])}, not disrupted. change_flight changes booked ones as their fare allows."
            )
        party = self._party(coupon_id, whole_party)
        problem = self._rebooking_problem(coupon, flight_id) or self._moving_problem(party, flight_id)
        if problem:
            return self._refuse(problem)
        made = [self._replace(one, flight_id, one["fare_cents"], "rerouted") for one in party]
        return {
            "success": True,
            "message": f"Rebooked to {self._flight_name(flight_id)} with {', '.join(made)}, free of charge.",
        }

    def grant_compensation(self, coupon_id: str) -> Dict[str, Any]:
        """Compensate a passenger for a flight that the airline cancelled or flew at least 180 minutes late.

        Only technical and crew causes are compensated. It is a voucher for the booking's e-mail address, good for a year: 250.00 euros for up to 1500 km, 400.00 for up to 3500 km, 600.00 beyond. Infants under 2 get none.

        Args:
            coupon_id: The coupon, such as TC-4471.

        Returns:
            message: The code and the value of the voucher.
        """
        problem = self._missing("coupons", coupon_id)
        if problem:
            return self._refuse(problem)
        coupon = self.coupons[coupon_id]
        flight, passenger = self.flights[coupon["flight_id"]], self.passengers[coupon["passenger_id"]]
        problem = self._grant_compensation_problem(coupon, flight, passenger)
        if problem:
            return self._refuse(problem)
        distance = flight["distance_km"]
        value = 25000 if distance <= 1500 else 40000 if distance <= 3500 else 60000
        code = self._new_voucher(self._booking_of(coupon)["contact_email"], "compensation", value, coupon_id)
        message = f"{passenger['name']} is compensated with voucher {code} of {self._euros(value)} for {self._flight_name(flight['flight_id'])}."
        return {"success": True, "message": message}

    def _grant_compensation_problem(
        self, coupon: Dict[str, Any], flight: Dict[str, Any], passenger: Dict[str, Any]
    ) -> Optional[str]:
        name, status = self._flight_name(flight["flight_id"]), coupon["status"]
        if flight["status"] == "cancelled":
            if status not in ("disrupted", "rerouted", "refunded"):
                return f"{passenger['name']} did not lose {name} to its cancellation: {coupon['coupon_id']} is {self._words(status)}."
        elif flight["delay_minutes"] < self._LONG_DELAY:
            return (
                f"{name} is {flight['delay_minutes']} minutes late; compensation begins at {self._LONG_DELAY} minutes."
            )
        elif status not in ("checked_in", "flown"):
            return (
                f"{coupon['coupon_id']} of {passenger['name']} is {self._words(status)}; on the late flight {name} whoever is checked in or "
                "has flown is compensated."
            )
        if flight["cause"] not in self._OWN_FAULT:
            return f"The cause is {flight['cause']}, which the airline does not answer for; only technical and crew causes are compensated."
        if self._age(passenger, flight) < self._INFANT:
            return f"{passenger['name']} is under {self._INFANT}; infants are not compensated."
        for code, voucher in self.vouchers.items():
            if voucher["coupon_id"] == coupon["coupon_id"]:
                return f"{coupon['coupon_id']} was compensated with voucher {code} already."
        return None

    def close_flight(self, flight_id: str) -> Dict[str, Any]:
        """Close a flight when it leaves.

        Who is checked in has flown; who is booked did not turn up, and the fare is not given back. Its waitlist is dissolved. It can be closed from 45 minutes before departure on, when check-in is over.

        Args:
            flight_id: The flight.

        Returns:
            message: How many have flown, and who did not turn up.
        """
        problem = self._missing("flights", flight_id) or self._not_scheduled(flight_id)
        if problem:
            return self._refuse(problem)
        flight = self.flights[flight_id]
        if self._minutes_left(flight) >= self._CHECK_IN_CLOSES:
            return self._refuse(
                f"Check-in for {self._flight_name(flight_id)} is open until {self._CHECK_IN_CLOSES} minutes before {flight['departs_at']}; "
                "the flight is closed after that."
            )
        aboard, missing, ended = self._on_flight(flight_id, ("checked_in",)), [], []
        for coupon in aboard:
            coupon["status"] = "flown"
        for coupon in self._on_flight(flight_id, ("booked",)):
            booking = self._booking_of(coupon)
            if booking["status"] == "ticketed":
                missing.append(self._name_of(coupon))
            else:
                ended.append(booking["booking_code"])
            self._end(coupon, "no_show" if booking["status"] == "ticketed" else "cancelled")
        flight["status"] = "departed"
        self._dissolve_queue(flight_id)
        for booking_code in ended:
            self._settle(booking_code)
        told = f"not turned up: {', '.join(missing)}" if missing else "everybody turned up"
        return {"success": True, "message": f"{self._flight_name(flight_id)} has left, flown: {len(aboard)}; {told}."}

    def _refuse(self, error: str) -> Dict[str, Any]:
        """Return a refusal."""
        return {"success": False, "error": error}

    def _missing(self, table: str, key: str) -> Optional[str]:
        """Return why a record cannot be had, if it is not there."""
        tables: Dict[str, Any] = {
            "flights": (self.flights, "find_flights lists them"),
            "fares": (self.fares, "list_fares lists them"),
            "bookings": (self.bookings, "find_bookings finds them by name or e-mail address"),
            "passengers": (self.passengers, "get_booking shows those of a booking"),
            "coupons": (self.coupons, "get_booking shows those of a booking, get_flight those of a flight"),
            "vouchers": (self.vouchers, "find_vouchers finds them by e-mail address"),
        }
        records, way = tables[table]
        return None if key in records else f"There is no {table[:-1]} {key!r}; {way}."

    def _blank(self, **texts: Optional[str]) -> Optional[str]:
        """Return which text to search for is blank, if one is."""
        names = [name for name, text in texts.items() if text is not None and not text.strip()]
        return f"The {names[0]} to search for is blank; write a part of it or leave it out." if names else None

    def _plain(self, text: str) -> str:
        """Return a text without case, common accents and needless spaces."""
        return " ".join(text.casefold().translate(self._ACCENTS).split())

    def _holds(self, text: str, part: Optional[str]) -> bool:
        """Return whether a text holds a part, if one is given."""
        return part is None or self._plain(part) in self._plain(text)

    def _squeezed(self, number: str) -> str:
        """Return a flight number without case and spaces."""
        return "".join(number.split()).casefold()

    def _words(self, status: str) -> str:
        """Return a status in words."""
        return status.replace("_", " ")

    def _euros(self, cents: int) -> str:
        """Return an amount in euros."""
        return f"{cents // 100}.{cents % 100:02d} euros"

    def _day(self, text: str) -> Optional[date]:
        """Return a day that is written YYYY-MM-DD; None if it is none."""
        if not re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", text):
            return None
        try:
            return date.fromisoformat(text)
        except ValueError:
            return None

    def _now(self) -> datetime:
        """Return the present, to the second."""
        return datetime.now().replace(microsecond=0)

    def _time(self, text: str) -> datetime:
        """Return a time of a flight."""
        return datetime.fromisoformat(text)

    def _minutes_left(self, flight: Dict[str, Any]) -> float:
        """Return the minutes until a flight departs."""
        return (self._time(flight["departs_at"]) - self._now()).total_seconds() / 60

    def _flight_name(self, flight_id: str) -> str:
        """Return what people call a flight."""
        flight = self.flights[flight_id]
        return f"{flight['number']} of {flight['departs_at'][:10]}"

    def _name_of(self, coupon: Dict[str, Any]) -> str:
        """Return the name of the passenger of a coupon."""
        return self.passengers[coupon["passenger_id"]]["name"]

    def _age(self, passenger: Dict[str, Any], flight: Dict[str, Any]) -> int:
        """Return the age of a passenger on the day on which a flight was planned to leave."""
        planned = self._time(flight["departs_at"]) - timedelta(minutes=flight["delay_minutes"])
        born = date.fromisoformat(passenger["birth_date"])
        return planned.year - born.year - ((planned.month, planned.day) < (born.month, born.day))

    def _booking_of(self, coupon: Dict[str, Any]) -> Any:
        """Return the booking of a coupon."""
        return self.bookings[self.passengers[coupon["passenger_id"]]["booking_code"]]

    def _passengers_of(self, booking_code: str) -> List[Any]:
        """Return the passengers of a booking."""
        return [passenger for passenger in self.passengers.values() if passenger["booking_code"] == booking_code]

    def _coupons_of(self, booking_code: str) -> List[Any]:
        """Return all coupons of a booking."""
        return [
            coupon
            for coupon in self.coupons.values()
            if self.passengers[coupon["passenger_id"]]["booking_code"] == booking_code
        ]

    def _on_flight(self, flight_id: str, statuses: Tuple[str, ...]) -> List[Any]:
        """Return the coupons for a flight that have one of some statuses."""
        return [
            coupon
            for coupon in self.coupons.values()
            if coupon["flight_id"] == flight_id and coupon["status"] in statuses
        ]

    def _people(self, flight_id: str, booking_code: str, statuses: Tuple[str, ...]) -> List[Any]:
        """Return the passengers of a booking whose coupon for a flight has one of some statuses."""
        people = [self.passengers[coupon["passenger_id"]] for coupon in self._on_flight(flight_id, statuses)]
        return [passenger for passenger in people if passenger["booking_code"] == booking_code]

    def _party(self, coupon_id: str, whole_party: bool) -> List[Any]:
        """Return a coupon, or all of its booking for the same flight and in the same status."""
        coupon = self.coupons[coupon_id]
        if not whole_party:
            return [coupon]
        code = self.passengers[coupon["passenger_id"]]["booking_code"]
        return [
            other
            for other in self._on_flight(coupon["flight_id"], (coupon["status"],))
            if self.passengers[other["passenger_id"]]["booking_code"] == code
        ]

    def _fares_of(self, cabin: str) -> List[Any]:
        """Return the fares of a cabin, the cheapest first."""
        fares = [fare for fare in self.fares.values() if fare["cabin"] == cabin]
        return sorted(fares, key=lambda fare: (fare["percent"], fare["fare_id"]))

    def _cabin(self, flight_id: str, kind: str) -> Any:
        """Return a cabin of a flight; None where it has no such cabin."""
        own = [row for row in self.cabins.values() if row["flight_id"] == flight_id and row["cabin"] == kind]
        return own[0] if own else None

    def _no_cabin(self, flight_id: str, kind: str) -> Optional[str]:
        """Return that a flight has no such cabin, if so."""
        return None if self._cabin(flight_id, kind) else f"{self._flight_name(flight_id)} has no {kind} cabin."

    def _in_cabin(self, flight_id: str, kind: str) -> List[Any]:
        """Return the passengers who are booked in a cabin, checked in or flown."""
        coupons = self._on_flight(flight_id, self._TRAVELLING)
        return [self.passengers[one["passenger_id"]] for one in coupons if self.fares[one["fare_id"]]["cabin"] == kind]

    def _infants_in(self, flight_id: str, kind: str) -> int:
        """Return how many infants fly in a cabin."""
        flight = self.flights[flight_id]
        return sum(self._age(passenger, flight) < self._INFANT for passenger in self._in_cabin(flight_id, kind))

    def _free_seats(self, flight_id: str, kind: str) -> int:
        """Return how many seats of a cabin nobody is booked on."""
        people = len(self._in_cabin(flight_id, kind)) - self._infants_in(flight_id, kind)
        return len(self._cabin(flight_id, kind)["seats"]) - people

    def _queue(self, flight_id: str, kind: str) -> List[Any]:
        """Return the coupons that wait for a cabin, the next to be served first."""
        waiting = [
            coupon
            for coupon in self.coupons.values()
            if coupon["waits_for"] == flight_id and self.fares[coupon["fare_id"]]["cabin"] == kind
        ]
        return sorted(
            waiting, key=lambda one: (one["status"] != "disrupted", one["waits_since"] or "", one["coupon_id"])
        )

    def _seats_to_sell(self, flight_id: str, kind: str) -> int:
        """Return how many seats can be sold: those that are left when all who wait have got theirs."""
        if self._not_for_sale(flight_id):
            return 0
        return max(0, self._free_seats(flight_id, kind) - len(self._queue(flight_id, kind)))

    def _not_scheduled(self, flight_id: str) -> Optional[str]:
        """Return that a flight was cancelled or has left, if so."""
        status = self.flights[flight_id]["status"]
        if status == "scheduled":
            return None
        return f"{self._flight_name(flight_id)} {'was cancelled' if status == 'cancelled' else 'has departed'}. find_flights lists those to come."

    def _not_for_sale(self, flight_id: str) -> Optional[str]:
        """Return why seats of a flight can no longer be sold, changed or cancelled."""
        flight = self.flights[flight_id]
        if flight["status"] == "scheduled" and self._minutes_left(flight) < self._SALES_END:
            return (
                f"{self._flight_name(flight_id)} departs at {flight['departs_at']}; sales, changes and cancellations end "
                f"{self._SALES_END} minutes before."
            )
        return self._not_scheduled(flight_id)

    def _other_route(self, coupon: Dict[str, Any], flight_id: str) -> Optional[str]:
        """Return that a flight is no other flight of a coupon's route, if so."""
        old, new = self.flights[coupon["flight_id"]], self.flights[flight_id]
        if old["flight_id"] == flight_id:
            return f"{self._name_of(coupon)} has {self._flight_name(flight_id)} already; name another flight."
        if (old["origin"], old["destination"]) != (new["origin"], new["destination"]):
            return (
                f"{self._flight_name(flight_id)} flies from {new['origin']} to {new['destination']}, the coupon is for {old['origin']} to "
                f"{old['destination']}; the route has to be the same."
            )
        return None

    def _rebooking_problem(self, coupon: Dict[str, Any], flight_id: str) -> Optional[str]:
        """Return why a disrupted coupon cannot be rebooked to a flight, room and company apart."""
        problem = self._other_route(coupon, flight_id) or self._not_for_sale(flight_id)
        if problem:
            return problem
        latest = self._time(self.flights[coupon["flight_id"]]["departs_at"]) + timedelta(days=self._REBOOK_DAYS)
        if self._time(self.flights[flight_id]["departs_at"]) > latest:
            return f"{self._flight_name(flight_id)} leaves more than {self._REBOOK_DAYS} days after the lost flight, until {latest.isoformat()}."
        return None

    def _unaccompanied(self, flight: Dict[str, Any], people: List[Any]) -> Optional[str]:
        """Return which child of a party would be left without company on a flight."""
        adults = sum(self._age(passenger, flight) >= self._ADULT for passenger in people)
        infants = sum(self._age(passenger, flight) < self._INFANT for passenger in people)
        for passenger in people:
            age = self._age(passenger, flight)
            if age < self._CHILD and not passenger["escorted"] and not adults:
                return (
                    f"{passenger['name']} is {age} and needs somebody of {self._ADULT} or older of the booking on "
                    f"{self._flight_name(flight['flight_id'])}."
                )
        if infants > adults:
            return (
                f"On {self._flight_name(flight['flight_id'])} there would be {infants} infants for {adults} laps of passengers of "
                f"{self._ADULT} or older."
            )
        return None

    def _kept_from_exits(self, coupon: Dict[str, Any]) -> bool:
        """Return whether a passenger may not sit at an exit."""
        flight, passenger = self.flights[coupon["flight_id"]], self.passengers[coupon["passenger_id"]]
        party = self._people(flight["flight_id"], passenger["booking_code"], self._TRAVELLING)
        return self._age(passenger, flight) < self._ADULT or any(self._age(one, flight) < self._INFANT for one in party)

    def _escort_problem(self, flight_id: str, passenger: Dict[str, Any]) -> Optional[str]:
        """Return why a minor cannot be escorted on a flight."""
        flight = self.flights[flight_id]
        age = self._age(passenger, flight)
        if not self._ESCORTABLE <= age < self._CHILD:
            return f"{passenger['name']} is {age} on {self._flight_name(flight_id)}; children of 5 to 11 are escorted."
        aboard = [self.passengers[coupon["passenger_id"]] for coupon in self._on_flight(flight_id, self._TRAVELLING)]
        if sum(one["escorted"] for one in aboard) >= self._MOST_ESCORTED:
            return (
                f"{self._flight_name(flight_id)} has {self._MOST_ESCORTED} escorted minors already, which is the most."
            )
        return None

    def _room_problem(self, flight_id: str, joining: List[Tuple[Any, Any]], queue: bool = True) -> Optional[str]:
        """Return why passengers, each with a fare, find no room on a flight."""
        flight, name = self.flights[flight_id], self._flight_name(flight_id)
        for kind in dict.fromkeys(fare["cabin"] for _, fare in joining):
            problem = self._no_cabin(flight_id, kind)
            if problem:
                return problem
            ages = [self._age(passenger, flight) for passenger, fare in joining if fare["cabin"] == kind]
            infants = sum(age < self._INFANT for age in ages)
            room = self._seats_to_sell(flight_id, kind) if queue else self._free_seats(flight_id, kind)
            if len(ages) - infants > room:
                return (
                    f"{name} has {room} seats to sell in {kind}, and {len(ages) - infants} needed: {self._free_seats(flight_id, kind)} are free "
                    f"and {len(self._queue(flight_id, kind))} passengers wait. find_flights shows other flights of the route."
                )
            limit = self._cabin(flight_id, kind)["infant_limit"]
            if infants and self._infants_in(flight_id, kind) + infants > limit:
                aboard = self._infants_in(flight_id, kind)
                return (
                    f"{name} takes at most {limit} on laps in {kind}; {aboard} booked already, {infants} more wanted."
                )
        return None

    def _journey_problem(self, passenger: Dict[str, Any], flight_ids: List[str], leaving: List[str]) -> Optional[str]:
        """Return which flights a passenger could not take one after the other."""
        known = [
            coupon["flight_id"]
            for coupon in self.coupons.values()
            if coupon["passenger_id"] == passenger["passenger_id"]
            and coupon["status"] in self._TRAVELLING
            and coupon["coupon_id"] not in leaving
        ]
        if set(known).intersection(flight_ids):
            return f"{passenger['name']} is on one of these flights already."
        order = sorted([*known, *flight_ids], key=lambda flight_id: self.flights[flight_id]["departs_at"])
        for one, other in pairwise(order):
            arrival, departure = self.flights[one]["arrives_at"], self.flights[other]["departs_at"]
            if self._time(departure) - self._time(arrival) < timedelta(minutes=self._CONNECTION):
                return (
                    f"{self._flight_name(one)} arrives at {arrival} and {self._flight_name(other)} departs at {departure}; "
                    f"{passenger['name']} needs {self._CONNECTION} minutes in between."
                )
        return None

    def _joining_problem(self, flight_id: str, joining: List[Tuple[Any, Any]], queue: bool = True) -> Optional[str]:
        """Return why passengers of one booking cannot join a flight."""
        problem = self._not_for_sale(flight_id) or self._room_problem(flight_id, joining, queue)
        if problem:
            return problem
        flight, people = self.flights[flight_id], [passenger for passenger, _ in joining]
        for passenger in people:
            problem = self._escort_problem(flight_id, passenger) if passenger["escorted"] else None
            if problem:
                return problem
        booking_code = people[0]["booking_code"]
        if any(self._age(passenger, flight) < self._INFANT for passenger in people):
            for coupon in self._on_flight(flight_id, ("checked_in",)):
                cabin = self._cabin(flight_id, self.fares[coupon["fare_id"]]["cabin"])
                if self._booking_of(coupon)["booking_code"] == booking_code and coupon["seat"] in cabin["exit_seats"]:
                    return f"{self._name_of(coupon)} sits at an exit in {coupon['seat']}, so no infant of the booking can join."
        return self._unaccompanied(flight, [*self._people(flight_id, booking_code, self._TRAVELLING), *people])

    def _boarding_problem(
        self, passenger: Dict[str, Any], fare: Dict[str, Any], flight_ids: List[str]
    ) -> Optional[str]:
        """Return why a new passenger cannot be booked on flights."""
        for flight_id in flight_ids:
            flight = self.flights[flight_id]
            planned = self._time(flight["departs_at"]) - timedelta(minutes=flight["delay_minutes"])
            days = (planned.date() - date.fromisoformat(passenger["birth_date"])).days
            if days < self._NEWBORN_DAYS:
                return f"{passenger['name']} would be {days} days old on {self._flight_name(flight_id)}; infants fly from {self._NEWBORN_DAYS} days on."
            problem = self._joining_problem(flight_id, [(passenger, fare)])
            if problem:
                return problem
        return self._journey_problem(passenger, flight_ids, [])

    def _moving_problem(self, party: List[Any], flight_id: str, queue: bool = True) -> Optional[str]:
        """Return why coupons of one booking cannot be replaced by such for another flight of the route."""
        joining = [(self.passengers[coupon["passenger_id"]], self.fares[coupon["fare_id"]]) for coupon in party]
        leaving = [coupon["coupon_id"] for coupon in party]
        problem = self._joining_problem(flight_id, joining, queue) or self._leaving_problem(party)
        if problem:
            return problem
        for passenger, _ in joining:
            problem = self._journey_problem(passenger, [flight_id], leaving)
            if problem:
                return problem
        return None

    def _leaving_problem(self, party: List[Any]) -> Optional[str]:
        """Return which child would be left without company if coupons of one booking were no longer used."""
        flight, booking = self.flights[party[0]["flight_id"]], self._booking_of(party[0])
        gone = {coupon["passenger_id"] for coupon in party}
        aboard = self._people(flight["flight_id"], booking["booking_code"], self._TRAVELLING)
        return self._unaccompanied(flight, [passenger for passenger in aboard if passenger["passenger_id"] not in gone])

    def _change_problem(self, party: List[Any], flight_id: str) -> Optional[str]:
        """Return why coupons of one booking cannot be changed to a flight."""
        first = party[0]
        if first["status"] == "disrupted":
            return f"Coupon {first['coupon_id']} is disrupted; rebook_disrupted rebooks it free of charge."
        if first["status"] != "booked":
            return f"Coupon {first['coupon_id']} is {self._words(first['status'])}; only booked ones can be changed."
        if self._booking_of(first)["status"] != "ticketed":
            return "The booking is not paid yet; cancel it and open another one, or issue its tickets first."
        for coupon in party:
            fare = self.fares[coupon["fare_id"]]
            if fare["change_fee_cents"] is None:
                return f"{fare['name']} cannot be changed. quote_refund says what comes back if it is cancelled."
        return (
            self._not_for_sale(first["flight_id"])
            or self._other_route(first, flight_id)
            or self._moving_problem(party, flight_id)
        )

    def _changes(self, party: List[Any], flight_id: str) -> List[Dict[str, Any]]:
        """Return what a change of coupons to a flight costs."""
        rows = []
        for coupon in party:
            fare = self.fares[coupon["fare_id"]]
            price = self._price(self.passengers[coupon["passenger_id"]], fare, flight_id)
            rows.append(
                {
                    "coupon_id": coupon["coupon_id"],
                    "name": self._name_of(coupon),
                    "fare_now_cents": coupon["fare_cents"],
                    "new_fare_cents": max(price, coupon["fare_cents"]),
                    "fee_cents": fare["change_fee_cents"] or 0,
                }
            )
        return rows

    def _price(self, passenger: Dict[str, Any], fare: Dict[str, Any], flight_id: str) -> int:
        """Return what a flight costs a passenger in a fare family, in cents."""
        adult = self._cabin(flight_id, fare["cabin"])["base_fare_cents"] * fare["percent"] // 100
        age = self._age(passenger, self.flights[flight_id])
        if age < self._INFANT:
            return adult * self._INFANT_PERCENT // 100
        return adult * self._CHILD_PERCENT // 100 if age < self._CHILD else adult

    def _cancel_problem(self, party: List[Any]) -> Optional[str]:
        """Return why travel with coupons of one booking cannot be cancelled."""
        first = party[0]
        if first["status"] == "disrupted":
            return None
        if first["status"] != "booked":
            return f"Coupon {first['coupon_id']} is {self._words(first['status'])}; only booked and disrupted ones can be cancelled."
        return self._not_for_sale(first["flight_id"]) or self._leaving_problem(party)

    def _refund(self, party: List[Any]) -> Tuple[int, int]:
        """Return what comes back of the fares of coupons, and what is kept, in cents."""
        if self._booking_of(party[0])["status"] == "held":
            return 0, 0
        refund = 0
        for coupon in party:
            fee = self.fares[coupon["fare_id"]]["refund_fee_cents"]
            if coupon["status"] == "disrupted":
                refund += coupon["fare_cents"]
            elif fee is not None:
                refund += max(0, coupon["fare_cents"] - fee)
        return refund, sum(coupon["fare_cents"] for coupon in party) - refund

    def _bonus(self, party: List[Any]) -> int:
        """Return what is added to the refund of disrupted coupons that is taken as a voucher, in cents."""
        return sum(
            coupon["fare_cents"] * self._BONUS_PERCENT // 100 for coupon in party if coupon["status"] == "disrupted"
        )

    def _to_pay(self, booking_code: str) -> int:
        """Return what the tickets of a held booking cost, in cents."""
        coupons = [coupon for coupon in self._coupons_of(booking_code) if coupon["status"] == "booked"]
        escorts = sum(self.passengers[coupon["passenger_id"]]["escorted"] for coupon in coupons)
        return sum(coupon["fare_cents"] for coupon in coupons) + escorts * self._ESCORT_FEE_CENTS

    def _unusable(self, voucher: Dict[str, Any]) -> Optional[str]:
        """Return why nothing can be paid with a voucher."""
        if voucher["left_cents"] == 0:
            return f"Voucher {voucher['voucher_code']} is used up."
        if voucher["expires_on"] < self._now().date().isoformat():
            return f"Voucher {voucher['voucher_code']} expired on {voucher['expires_on']}."
        return None

    def _voucher_problem(self, voucher_code: str, booking_code: str) -> Optional[str]:
        """Return why a voucher cannot pay for a booking."""
        problem = self._missing("vouchers", voucher_code)
        if problem:
            return problem
        voucher = self.vouchers[voucher_code]
        if voucher["holder_email"] != self.bookings[booking_code]["contact_email"]:
            return f"Voucher {voucher_code} belongs to another e-mail address than booking {booking_code}, and cannot be passed on."
        return self._unusable(voucher)

    def _take_payment(self, booking: Any, amount: int, voucher_code: Optional[str]) -> str:
        """Take an amount from a voucher, as far as it goes, and from the card; return what was taken."""
        voucher = self.vouchers[voucher_code] if voucher_code is not None else None
        part = min(amount, voucher["left_cents"]) if voucher else 0
        booking["card_cents"] += amount - part
        booking["voucher_cents"] += part
        told = f"{self._euros(amount - part)} was paid by card"
        if voucher:
            voucher["left_cents"] -= part
            told += f", {self._euros(part)} with voucher {voucher_code}, which has {self._euros(voucher['left_cents'])} left"
        return told

    def _give_back(self, booking: Any, refund: int, as_voucher: bool, bonus: int) -> str:
        """Give a refund back to the card and as a voucher; return what was given."""
        card = min(refund, booking["card_cents"])
        booking["card_cents"] -= card
        booking["voucher_cents"] -= refund - card
        to_card = 0 if as_voucher else card
        value = refund - to_card + bonus
        told = f"{self._euros(to_card)} goes back to the card"
        if value:
            code = self._new_voucher(booking["contact_email"], "refund", value, None)
            told += f", {self._euros(value)} comes as voucher {code}"
        return told

    def _new_voucher(self, email: str, kind: Any, value: int, coupon_id: Optional[str]) -> str:
        """Issue a voucher and return its code."""
        code = self._next_id(list(self.vouchers), "VC-80001")
        self.vouchers[code] = {
            "voucher_code": code,
            "holder_email": email,
            "kind": kind,
            "coupon_id": coupon_id,
            "value_cents": value,
            "left_cents": value,
            "expires_on": (self._now().date() + timedelta(days=self._VOUCHER_DAYS)).isoformat(),
        }
        return code

    def _passenger(self, booking_code: str, name: str, birth_date: str, escorted: bool) -> Any:
        """Return the record of a new passenger, which is not filed yet."""
        return {
            "passenger_id": self._next_id(list(self.passengers), "PX-5001"),
            "booking_code": booking_code,
            "name": " ".join(name.split()),
            "birth_date": birth_date,
            "escorted": escorted,
        }

    def _take_in(self, passenger: Any, fare: Dict[str, Any], flight_ids: List[str]) -> None:
        """File a new passenger, with a booked coupon for each flight."""
        self.passengers[passenger["passenger_id"]] = passenger
        for flight_id in flight_ids:
            price = self._price(passenger, fare, flight_id)
            self._new_coupon(passenger["passenger_id"], flight_id, fare["fare_id"], price)

    def _new_coupon(self, passenger_id: str, flight_id: str, fare_id: str, fare_cents: int) -> str:
        """File a booked coupon and return its id."""
        coupon_id = self._next_id(list(self.coupons), "TC-4001")
        self.coupons[coupon_id] = {
            "coupon_id": coupon_id,
            "passenger_id": passenger_id,
            "flight_id": flight_id,
            "fare_id": fare_id,
            "fare_cents": fare_cents,
            "status": "booked",
            "seat": None,
            "waits_for": None,
            "waits_since": None,
        }
        return coupon_id

    def _replace(self, coupon: Any, flight_id: str, fare_cents: int, status: str) -> str:
        """End a coupon and file one for another flight in its place; return the id of the new one."""
        self._end(coupon, status)
        return self._new_coupon(coupon["passenger_id"], flight_id, coupon["fare_id"], fare_cents)

    def _end(self, coupon: Any, status: str) -> None:
        """Give a coupon another status, in which it has no seat and waits for nothing."""
        coupon.update(status=status, seat=None, waits_for=None, waits_since=None)

    def _dissolve_queue(self, flight_id: str) -> None:
        """Let nobody wait for a flight any longer."""
        for coupon in self.coupons.values():
            if coupon["waits_for"] == flight_id:
                coupon["waits_for"], coupon["waits_since"] = None, None

    def _strand(self, coupons: List[Any]) -> str:
        """Disrupt coupons, and those of children who would be left alone; return what was lost in words."""
        lost = list(coupons)
        for coupon in coupons:
            self._lose(coupon)
        for coupon in coupons:
            for other in self._left_behind(coupon):
                self._lose(other)
                lost.append(other)
        for code in dict.fromkeys(self._booking_of(coupon)["booking_code"] for coupon in lost):
            self._settle(code)
        told = [coupon["coupon_id"] for coupon in lost if coupon["status"] == "disrupted"]
        holds = dict.fromkeys(
            self._booking_of(coupon)["booking_code"] for coupon in lost if coupon["status"] == "cancelled"
        )
        texts = [f"disrupted: {', '.join(told)}"] if told else []
        return "; ".join([*texts, f"unpaid seats are lost in {', '.join(holds)}"] if holds else texts)

    def _lose(self, coupon: Any) -> None:
        """Disrupt a coupon, which goes on waiting for another flight, or cancel it where nothing was paid."""
        if self._booking_of(coupon)["status"] == "held":
            self._end(coupon, "cancelled")
        else:
            coupon.update(status="disrupted", seat=None)

    def _left_behind(self, coupon: Any) -> List[Any]:
        """Return the coupons of a lost one's booking and flight, if a child could not fly without company there."""
        flight, code = self.flights[coupon["flight_id"]], self._booking_of(coupon)["booking_code"]
        parties = [
            self._people(flight["flight_id"], code, kinds) for kinds in (self._TRAVELLING, ("checked_in", "flown"))
        ]
        if not any(self._unaccompanied(flight, people) for people in parties):
            return []
        aboard = self._on_flight(flight["flight_id"], ("booked", "checked_in"))
        return [other for other in aboard if self._booking_of(other)["booking_code"] == code]

    def _settle(self, booking_code: str) -> None:
        """Cancel a booking that has nothing left in it."""
        if all(coupon["status"] not in self._COUNTED for coupon in self._coupons_of(booking_code)):
            self.bookings[booking_code].update(status="cancelled", pay_by=None)

    def _not_held(self, booking_code: str) -> Optional[str]:
        """Return that a booking no longer waits for payment, if so."""
        booking = self.bookings[booking_code]
        if booking["status"] != "held":
            return f"Booking {booking_code} is {booking['status']}; passengers and payment are taken only while it is held. open_booking opens another one."
        if (booking["pay_by"] or "") < self._now().isoformat():
            return f"Booking {booking_code} was to be paid by {booking['pay_by']}, which is over. Cancel it and open another one."
        return None

    def _bad_email(self, email: str) -> Optional[str]:
        """Return that a text is no e-mail address, if so."""
        good = len(email) <= 120 and re.fullmatch(r"[^@\s]+@[^@\s.]+(\.[^@\s.]+)+", email.strip())
        return None if good else f"{email[:60]!r} is no e-mail address."

    def _bad_name(self, name: str) -> Optional[str]:
        """Return that a text is no full name, if so."""
        good = len(name) <= 80 and re.fullmatch(
            r"[^\W\d_]([^\W\d_]|['\u2019.-])*( [^\W\d_]([^\W\d_]|['\u2019.-])*)+", " ".join(name.split())
        )
        return None if good else f"{name[:60]!r} is no full name; give given name and surname, in letters."

    def _bad_birth_date(self, birth_date: str) -> Optional[str]:
        """Return that a text is no day of birth, if so."""
        born = self._day(birth_date)
        if born is None:
            return f"{birth_date!r} is no day. Write the day of birth as YYYY-MM-DD, such as 1984-11-03."
        if born > self._now().date() or born.year < self._now().year - 120:
            return f"Nobody who flies was born on {birth_date}; give a day of the last 120 years."
        return None

    def _name_taken(self, booking_code: str, name: str, besides: str = "") -> Optional[str]:
        """Return that somebody else of a booking has a name, if so."""
        for passenger in self._passengers_of(booking_code):
            if passenger["passenger_id"] != besides and self._plain(passenger["name"]) == self._plain(name):
                return (
                    f"Booking {booking_code} has a passenger {passenger['name']} already ({passenger['passenger_id']})."
                )
        return None

    def _next_id(self, known: List[str], first: str) -> str:
        """Return the id after the highest of those in use."""
        prefix = first.partition("-")[0]
        numbers = [int(key.removeprefix(f"{prefix}-")) for key in known if re.fullmatch(rf"{prefix}-[0-9]+", key)]
        return f"{prefix}-{max(numbers) + 1}" if numbers else first

    def _next_code(self) -> str:
        """Return the booking code after the highest of those in use, counted in letters and digits."""
        digits = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"
        number = (
            max(
                [int(code, 36) for code in self.bookings if re.fullmatch(r"[0-9A-Z]{6}", code)],
                default=int("R7KX00", 36),
            )
            + 1
        )
        code = ""
        while number:
            number, rest = divmod(number, 36)
            code = digits[rest] + code
        return code.zfill(6)
