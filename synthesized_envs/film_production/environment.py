"""Schedule, call and pay for the shoot of a feature film from its production office."""

import re
from datetime import date, datetime, timedelta
from typing import Any, Dict, List, Literal, Mapping, Optional, Tuple, TypedDict


class Person(TypedDict):
    """A member of the cast or crew, or a chaperone, under contract."""

    person_id: str  # Id, such as P-204.
    name: str  # Name as on the contract.
    kind: Literal["cast", "crew", "chaperone"]  # Cast, crew, or chaperone of children.
    role: str  # Character of a cast member, job of the others.
    birth_date: str  # Day of birth, YYYY-MM-DD.
    engaged_from: str  # First day of the engagement, YYYY-MM-DD.
    engaged_until: str  # Last day of the engagement, YYYY-MM-DD.
    contract_days: int  # Working days that the contract holds.
    day_rate_cents: int  # Fee for a working day, in cents.
    line_id: str  # Budget line that pays the person.
    unavailable: List[str]  # Dates within the engagement on which the person cannot work, YYYY-MM-DD.


class Location(TypedDict):
    """A place where scenes are shot, with the permit for it."""

    location_id: str  # Id, such as LOC-07.
    name: str  # Name by which the unit knows it.
    address: str  # Where it is.
    permit_status: Literal["pending", "granted"]  # Whether the permit is granted or only applied for.
    permit_from: str  # First date of the permit, YYYY-MM-DD.
    permit_until: str  # Last date of the permit, YYYY-MM-DD.
    permit_opens: str  # Time of day from which the unit may be there, HH:MM.
    permit_closes: str  # Time of day until which it may, HH:MM; on the next date if it is not later than permit_opens.


class Scene(TypedDict):
    """A scene of the script, as it was broken down."""

    scene_id: str  # Id, such as SC-318.
    number: str  # Number in the script, such as 47 or 47A.
    heading: str  # What it is, in a few words, such as Ticket office, Nora misses the ferry.
    int_ext: Literal["interior", "exterior"]  # Interior or exterior.
    time_of_day: Literal["day", "night"]  # Day or night.
    pages_eighths: int  # Length in eighths of a page.
    shot_eighths: int  # Eighths that are shot so far, pickups left out.
    location_id: str  # Where it is shot.
    cast_ids: List[str]  # Cast members in it.
    equipment: List[str]  # Special equipment it needs, by the names of the items on order.
    status: Literal["to_shoot", "part_shot", "complete"]  # How much of it is shot.


class ShootingDay(TypedDict):
    """A day of a unit, with its call sheet."""

    day_id: str  # Id, such as SD-41.
    unit: Literal["main", "second"]  # Main or second unit.
    date: str  # Date of the unit call, YYYY-MM-DD.
    location_id: str  # Where the unit is.
    call_time: str  # Unit call, HH:MM.
    wrap_time: str  # Wrap as planned, or as it was once the day is wrapped, HH:MM; after midnight if it is not later than call_time.
    status: Literal[
        "draft", "issued", "wrapped", "cancelled"
    ]  # Whether the call sheet is a draft, issued, or the day wrapped or cancelled.


class Strip(TypedDict):
    """A scene, or a part of it, on a shooting day."""

    strip_id: str  # Id, such as ST-512.
    scene_id: str  # The scene.
    day_id: str  # The day.
    eighths: int  # Eighths of a page that are planned.
    shot_eighths: int  # Eighths that were shot; 0 until it is recorded.
    pickup: bool  # Whether it is a pickup for a complete scene.
    status: Literal["planned", "shot", "part_shot", "not_shot"]  # Planned, or what became of it.


class Call(TypedDict):
    """A person's call on a shooting day."""

    call_id: str  # Id, such as CL-733.
    day_id: str  # The day.
    person_id: str  # Who is called.
    call_time: str  # When the person has to be there, HH:MM, from two hours before the unit call on.
    release_time: str  # When the person is released, HH:MM; after midnight if it is not later than call_time.


class BudgetLine(TypedDict):
    """A line of the film's budget."""

    line_id: str  # Id, such as BL-27.
    name: str  # Name, such as Camera hire.
    category: Literal[
        "above_the_line", "below_the_line", "contingency"
    ]  # Above the line, below the line, or the contingency.
    approved_cents: int  # Amount that the financiers approved, in cents.
    budget_cents: int  # Amount it has now, after transfers, in cents.
    brought_forward_cents: int  # Spent before the orders that are listed, in cents.
    spent_cents: int  # Spent to date, in cents.


class Quote(TypedDict):
    """A supplier's quote for hire or supplies, approved to be ordered on a budget line."""

    quote_id: str  # Id, such as QT-58.
    supplier: str  # Who supplies it.
    item: str  # What it is, such as Technocrane 22.
    line_id: str  # Budget line that pays for it.
    day_rate_cents: int  # Rate for a day, in cents.
    available_from: str  # First day on which the supplier has it, YYYY-MM-DD.
    available_until: str  # Last day on which the supplier has it, YYYY-MM-DD.


class PurchaseOrder(TypedDict):
    """An order that commits money of a budget line."""

    order_id: str  # Id, such as PO-1043.
    line_id: str  # Budget line that pays for it.
    quote_id: Optional[str]  # Quote that was ordered; null for extra days of a person.
    supplier: str  # Who supplies it, or the person who works extra days.
    item: str  # What is ordered, such as Technocrane 22.
    person_id: Optional[str]  # Person whose extra days it pays for; null for supply orders.
    from_date: str  # First day, YYYY-MM-DD.
    until_date: str  # Last day, YYYY-MM-DD.
    days: int  # Days that are paid for.
    day_rate_cents: int  # Rate for a day, in cents.
    amount_cents: int  # Amount, in cents.
    status: Literal["open", "paid", "cancelled"]  # Open, paid or cancelled.


class FilmProduction:
    """You work in the production office of a feature film, for its assistant directors, coordinators and accountant.
    The script is broken down into scenes, each with its pages in eighths (11 is one page and three eighths), its
    location, cast and special equipment. A strip puts a scene, or a part of it, on a shooting day of the main or
    the second unit; calls say who comes when. A day is a draft until its call sheet is issued, and wrapped once
    every strip is recorded. People work within their contract, rest 11 hours, and children under 16 keep short
    hours with a chaperone. Locations have permits with dates and hours. Purchase orders on suppliers' quotes
    commit money of a budget line, which must not be overspent. The accounts are kept in euros wherever the film
    shoots; amounts are in cents (250 is 2.50 euros). Days are written YYYY-MM-DD, times of day HH:MM on the
    24-hour clock, in the film's local time, which is also that of the clock; hours after midnight belong to the
    shooting day that began the evening before.
    """

    _REST = timedelta(hours=11)
    _LONGEST_DAY = timedelta(hours=12)
    _LONGEST_WRAPPED = timedelta(hours=14)
    _PRECALL = timedelta(hours=2)
    _EIGHTHS: Mapping[str, int] = {"main": 40, "second": 24}
    _OF_AGE = 16
    _CHILD_HOURS = timedelta(hours=8)
    _CHILD_FROM = "07:00"
    _CHILD_UNTIL = "20:00"
    _LATEST_DAY_CALL = "13:00"
    _EARLIEST_NIGHT_WRAP = "22:00"
    _MOST_EXTRA_DAYS = 30
    _MORE_MONEY = "; transfer_budget brings more to a line below the line"
    _LOOK_UPS: Mapping[str, str] = {
        "person": "find_people finds the ids",
        "location": "find_locations finds the ids",
        "scene": "find_scenes finds the ids",
        "day": "find_days finds the ids",
        "strip": "find_scenes and get_call_sheet show the ids",
        "call": "get_call_sheet and get_person show the ids",
        "budget line": "find_budget_lines finds the ids",
        "quote": "find_quotes finds the ids",
        "order": "find_orders finds the ids",
    }

    def __init__(self, init_config: Dict[str, Any]) -> None:
        """Start with empty collections.

        Args:
            init_config: Ignored; whoever loads a start state sets the attributes.
        """
        del init_config
        self.people: Dict[str, Person] = {}
        self.locations: Dict[str, Location] = {}
        self.scenes: Dict[str, Scene] = {}
        self.shooting_days: Dict[str, ShootingDay] = {}
        self.strips: Dict[str, Strip] = {}
        self.calls: Dict[str, Call] = {}
        self.budget_lines: Dict[str, BudgetLine] = {}
        self.quotes: Dict[str, Quote] = {}
        self.purchase_orders: Dict[str, PurchaseOrder] = {}

    def find_people(
        self,
        name: Optional[str] = None,
        role: Optional[str] = None,
        kind: Optional[Literal["cast", "crew", "chaperone"]] = None,
    ) -> Dict[str, Any]:
        """Find cast, crew and chaperones by name, role or kind.

        Without filters, all people are listed.

        Args:
            name: Part of the name, in any case.
            role: Part of the character or job, in any case.
            kind: Kind.

        Returns:
            data: A list of people: person_id, name, kind, role, birth_date, engaged_from, engaged_until,
                contract_days, day_rate_cents, line_id, unavailable, and days_left, contract days without a call.
        """
        blank = self._blank(name=name, role=role)
        if blank:
            return self._refuse(blank)
        found = [
            self._contract(person)
            for person in self.people.values()
            if self._holds(person["name"], name)
            and self._holds(person["role"], role)
            and kind in (None, person["kind"])
        ]
        return {"success": True, "data": found}

    def get_person(self, person_id: str) -> Dict[str, Any]:
        """Read a person's contract with all calls, past and to come.

        Args:
            person_id: The person.

        Returns:
            data: The person's record with days_left, age (in years, today), and calls: call_id, day_id, unit,
                date, call_time and release_time, in the order of time.
        """
        problem = self._missing("person", person_id, self.people)
        if problem:
            return self._refuse(problem)
        person = self.people[person_id]
        calls = []
        for call in sorted(self.calls.values(), key=self._call_span):
            if call["person_id"] == person_id:
                day = self.shooting_days[call["day_id"]]
                calls.append({**call, "unit": day["unit"], "date": day["date"]})
        age = self._age(person, datetime.now().date().isoformat())
        return {"success": True, "data": {**self._contract(person), "age": age, "calls": calls}}

    def find_scenes(
        self,
        number: Optional[str] = None,
        heading: Optional[str] = None,
        location_id: Optional[str] = None,
        person_id: Optional[str] = None,
        status: Optional[Literal["to_shoot", "part_shot", "complete"]] = None,
    ) -> Dict[str, Any]:
        """Find scenes by number, heading, location, cast member or status.

        Without filters, all scenes are listed.

        Args:
            number: The whole number in the script, such as 47A.
            heading: Part of the heading, in any case.
            location_id: Location.
            person_id: Cast member in it.
            status: Status.

        Returns:
            data: A list of scenes: scene_id, number, heading, int_ext, time_of_day, pages_eighths, shot_eighths,
                location_id, cast_ids, equipment, status, unplanned_eighths (neither shot nor planned), and
                strips: strip_id, scene_id, day_id, eighths, shot_eighths, pickup, status, and the date of the
                day.
        """
        problem = (
            self._blank(number=number, heading=heading)
            or (location_id is not None and self._missing("location", location_id, self.locations))
            or (person_id is not None and self._missing("person", person_id, self.people))
        )
        if problem:
            return self._refuse(problem)
        found = []
        for scene in self.scenes.values():
            if number is not None and scene["number"].casefold() != number.strip().casefold():
                continue
            if not self._holds(scene["heading"], heading) or location_id not in (None, scene["location_id"]):
                continue
            if (person_id is None or person_id in scene["cast_ids"]) and status in (None, scene["status"]):
                found.append(self._find_scenes_row(scene))
        return {"success": True, "data": found}

    def _find_scenes_row(self, scene: Dict[str, Any]) -> Dict[str, Any]:
        strips = [
            {**strip, "date": self.shooting_days[strip["day_id"]]["date"]}
            for strip in self.strips.values()
            if strip["scene_id"] == scene["scene_id"]
        ]
        return {
            **scene,
            "cast_ids": list(scene["cast_ids"]),
            "equipment": list(scene["equipment"]),
            "unplanned_eighths": self._unplanned(scene),
            "strips": sorted(strips, key=lambda strip: (strip["date"], strip["strip_id"])),
        }

    def find_locations(
        self, name: Optional[str] = None, permit_status: Optional[Literal["pending", "granted"]] = None
    ) -> Dict[str, Any]:
        """Find locations by name or status of the permit.

        Without filters, all locations are listed.

        Args:
            name: Part of the name or address, in any case.
            permit_status: Status of the permit.

        Returns:
            data: A list of locations: location_id, name, address, permit_status, permit_from, permit_until,
                permit_opens and permit_closes.
        """
        blank = self._blank(name=name)
        if blank:
            return self._refuse(blank)
        found = [
            dict(location)
            for location in self.locations.values()
            if self._holds(f"{location['name']}\n{location['address']}", name)
            and permit_status in (None, location["permit_status"])
        ]
        return {"success": True, "data": found}

    def find_days(
        self,
        from_date: Optional[str] = None,
        until_date: Optional[str] = None,
        unit: Optional[Literal["main", "second"]] = None,
        location_id: Optional[str] = None,
        status: Optional[Literal["draft", "issued", "wrapped", "cancelled"]] = None,
    ) -> Dict[str, Any]:
        """Find shooting days by date, unit, location or status, in the order of their calls.

        Args:
            from_date: First date, YYYY-MM-DD.
            until_date: Last date, YYYY-MM-DD.
            unit: Unit.
            location_id: Location.
            status: Status.

        Returns:
            data: A list of days: day_id, unit, date, location_id, call_time, wrap_time, status, location_name,
                and the eighths that are planned (all strips, recorded or not), shot, and still free below the
                unit's limit.
        """
        problem = (
            (from_date is not None and self._no_date(from_date))
            or (until_date is not None and self._no_date(until_date))
            or (location_id is not None and self._missing("location", location_id, self.locations))
        )
        if problem:
            return self._refuse(problem)
        wanted = [
            day
            for day in self.shooting_days.values()
            if (from_date is None or from_date <= day["date"])
            and (until_date is None or day["date"] <= until_date)
            and unit in (None, day["unit"])
            and location_id in (None, day["location_id"])
            and status in (None, day["status"])
        ]
        found = [
            self._find_days_row(day) for day in sorted(wanted, key=lambda day: (*self._day_span(day), day["day_id"]))
        ]
        return {"success": True, "data": found}

    def _find_days_row(self, day: Dict[str, Any]) -> Dict[str, Any]:
        strips = self._strips_of(day["day_id"])
        planned = sum(strip["eighths"] for strip in strips)
        return {
            **day,
            "location_name": self.locations[day["location_id"]]["name"],
            "planned_eighths": planned,
            "shot_eighths": sum(strip["shot_eighths"] for strip in strips),
            "free_eighths": self._EIGHTHS[day["unit"]] - planned,
        }

    def get_call_sheet(self, day_id: str) -> Dict[str, Any]:
        """Read the call sheet of a day, and what still stands in the way of issuing it.

        Args:
            day_id: The day.

        Returns:
            data: The day's record with location (the record), strips (strip_id, scene_id, day_id, eighths,
                shot_eighths, pickup, status, number, heading, cast_ids, equipment), calls (call_id, person_id,
                name, role, call_time, release_time) and open_points, sentences that say what an issued sheet
                would lack; empty where nothing does.
        """
        problem = self._missing("day", day_id, self.shooting_days)
        if problem:
            return self._refuse(problem)
        day = self.shooting_days[day_id]
        strips = []
        for strip in self._strips_of(day_id):
            scene = self.scenes[strip["scene_id"]]
            strips.append(
                {
                    **strip,
                    "number": scene["number"],
                    "heading": scene["heading"],
                    "cast_ids": list(scene["cast_ids"]),
                    "equipment": list(scene["equipment"]),
                }
            )
        calls = []
        for call in sorted(self._calls_of(day_id), key=lambda each: (*self._call_span(each), each["call_id"])):
            person = self.people[call["person_id"]]
            calls.append(
                {
                    "call_id": call["call_id"],
                    "person_id": person["person_id"],
                    "name": person["name"],
                    "role": person["role"],
                    "call_time": call["call_time"],
                    "release_time": call["release_time"],
                }
            )
        sheet = {
            **day,
            "location": dict(self.locations[day["location_id"]]),
            "strips": strips,
            "calls": calls,
            "open_points": self._open_points(day) if day["status"] in ("draft", "issued") else [],
        }
        return {"success": True, "data": sheet}

    def find_free_people(
        self,
        day_id: str,
        call_time: str,
        release_time: str,
        kind: Optional[Literal["cast", "crew", "chaperone"]] = None,
    ) -> Dict[str, Any]:
        """Find out who could be called on a day between two times, and why the others could not.

        Those who are called on that day already are left out. That a child needs a chaperone is not looked at here.

        Args:
            day_id: The day.
            call_time: Time of the call, such as 07:30.
            release_time: Time of the release, such as 18:00; after midnight if it is not later than the call.
            kind: Kind of people.

        Returns:
            data: A list of people: person_id, name, role, free, and reason (why not; empty where the person is
                free).
        """
        problem = self._missing("day", day_id, self.shooting_days) or self._closed(day_id)
        if problem:
            return self._refuse(problem)
        day = self.shooting_days[day_id]
        start, end, problem = self._call_times(day, call_time, release_time)
        if problem:
            return self._refuse(problem)
        called = {call["person_id"] for call in self._calls_of(day_id)}
        found = []
        for person_id, person in self.people.items():
            if person_id in called or kind not in (None, person["kind"]):
                continue
            reason = self._contract_problem(person, day) or self._hours_problem(person, day, start, end) or ""
            row = {field: person[field] for field in ("person_id", "name", "role")}
            found.append({**row, "free": not reason, "reason": reason})
        return {"success": True, "data": found}

    def find_budget_lines(
        self,
        name: Optional[str] = None,
        category: Optional[Literal["above_the_line", "below_the_line", "contingency"]] = None,
    ) -> Dict[str, Any]:
        """Find budget lines by name or category.

        Without filters, all lines are listed.

        Args:
            name: Part of the name, in any case.
            category: Category.

        Returns:
            data: A list of lines: line_id, name, category, approved_cents, budget_cents, brought_forward_cents,
                spent_cents, committed_cents (open orders) and free_cents (neither spent nor committed).
        """
        blank = self._blank(name=name)
        if blank:
            return self._refuse(blank)
        found = [
            {**line, "committed_cents": self._committed(line_id), "free_cents": self._free(line_id)}
            for line_id, line in self.budget_lines.items()
            if self._holds(line["name"], name) and category in (None, line["category"])
        ]
        return {"success": True, "data": found}

    def find_quotes(
        self, supplier: Optional[str] = None, item: Optional[str] = None, line_id: Optional[str] = None
    ) -> Dict[str, Any]:
        """Find suppliers' quotes for hire and supplies by supplier, item or line.

        Without filters, all quotes are listed.

        Args:
            supplier: Part of the supplier's name, in any case.
            item: Part of the item, in any case.
            line_id: Budget line that pays.

        Returns:
            data: A list of quotes: quote_id, supplier, item, line_id, day_rate_cents, available_from,
                available_until, and on_order: order_id, from_date and until_date of its orders that are not
                cancelled.
        """
        problem = self._blank(supplier=supplier, item=item) or (
            line_id is not None and self._missing("budget line", line_id, self.budget_lines)
        )
        if problem:
            return self._refuse(problem)
        found = []
        for quote_id, quote in self.quotes.items():
            if (
                self._holds(quote["supplier"], supplier)
                and self._holds(quote["item"], item)
                and line_id in (None, quote["line_id"])
            ):
                orders = [
                    {field: order[field] for field in ("order_id", "from_date", "until_date")}
                    for order in self._orders_of(quote_id)
                ]
                found.append({**quote, "on_order": orders})
        return {"success": True, "data": found}

    def find_orders(
        self,
        supplier: Optional[str] = None,
        item: Optional[str] = None,
        line_id: Optional[str] = None,
        on_date: Optional[str] = None,
        status: Optional[Literal["open", "paid", "cancelled"]] = None,
    ) -> Dict[str, Any]:
        """Find purchase orders by supplier, item, line, date or status.

        Without filters, all orders are listed.

        Args:
            supplier: Part of the supplier's name, in any case.
            item: Part of the item, in any case.
            line_id: Budget line.
            on_date: Only orders that run on this date, YYYY-MM-DD.
            status: Status.

        Returns:
            data: A list of orders: order_id, line_id, quote_id, supplier, item, person_id, from_date, until_date,
                days, day_rate_cents, amount_cents and status.
        """
        problem = (
            self._blank(supplier=supplier, item=item)
            or (line_id is not None and self._missing("budget line", line_id, self.budget_lines))
            or (on_date is not None and self._no_date(on_date))
        )
        if problem:
            return self._refuse(problem)
        found = [
            dict(order)
            for order in self.purchase_orders.values()
            if self._holds(order["supplier"], supplier)
            and self._holds(order["item"], item)
            and line_id in (None, order["line_id"])
            and (on_date is None or order["from_date"] <= on_date <= order["until_date"])
            and status in (None, order["status"])
        ]
        return {"success": True, "data": found}

    def extend_contract(self, person_id: str, extra_days: int, until: str) -> Dict[str, Any]:
        """Buy extra working days of a person, and extend the engagement if need be.

        Raises an open order for the days at the person's day rate on the person's budget line, so it is refused when the line has not enough free.

        Args:
            person_id: The person.
            extra_days: Working days to add, 1 to 30, and no more than there are dates from today until the last
                day.
            until: Last day of the engagement from now on, YYYY-MM-DD; today or later, and no earlier than it is
                now.

        Returns:
            message: The person, the days of the contract by now, the new order and its amount.
        """
        problem = self._missing("person", person_id, self.people) or self._no_date(until)
        if problem:
            return self._refuse(problem)
        person, today = self.people[person_id], datetime.now().date().isoformat()
        if not 1 <= extra_days <= self._MOST_EXTRA_DAYS:
            return self._refuse(f"{extra_days} days cannot be added; 1 to {self._MOST_EXTRA_DAYS} can.")
        if until < person["engaged_until"] or until < today:
            earliest = max(person["engaged_until"], today)
            return self._refuse(
                f"{person['name']} is engaged until {person['engaged_until']}; {earliest} or later is possible, not {until}."
            )
        dates = self._span(today, until)
        if extra_days > dates:
            return self._refuse(
                f"From today until {until} there are {self._count(dates, 'date')}; {extra_days} working days do not fit."
            )
        amount = extra_days * person["day_rate_cents"]
        short = self._short_of_money(person["line_id"], amount, self._MORE_MONEY)
        if short:
            return self._refuse(short)
        order_id = self._next_id("PO", self.purchase_orders)
        self.purchase_orders[order_id] = {
            "order_id": order_id,
            "line_id": person["line_id"],
            "quote_id": None,
            "supplier": person["name"],
            "item": "Extra shooting days",
            "person_id": person_id,
            "from_date": today,
            "until_date": until,
            "days": extra_days,
            "day_rate_cents": person["day_rate_cents"],
            "amount_cents": amount,
            "status": "open",
        }
        person["contract_days"] += extra_days
        person["engaged_until"] = until
        message = (
            f"{person['name']} ({person_id}) has {person['contract_days']} contract days by now, until {until}; order {order_id} of "
            f"{amount} cents is open on {person['line_id']}."
        )
        return {"success": True, "message": message}

    def record_permit(
        self, location_id: str, from_date: str, until_date: str, opens: str, closes: str
    ) -> Dict[str, Any]:
        """Record the permit that the authority or owner has granted for a location; it replaces what was there.

        Refused when it would not cover a draft or issued day at the location; such a day has to be cancelled first.

        Args:
            location_id: The location.
            from_date: First date, YYYY-MM-DD.
            until_date: Last date, YYYY-MM-DD.
            opens: Time of day from which the unit may be there, such as 07:00.
            closes: Time of day until which it may, such as 21:00; on the next date if it is not later than opens.

        Returns:
            message: The location and its permit.
        """
        problem = (
            self._missing("location", location_id, self.locations)
            or self._no_date(from_date)
            or self._no_date(until_date)
            or self._no_time(opens)
            or self._no_time(closes)
        )
        if problem:
            return self._refuse(problem)
        location = self.locations[location_id]
        if until_date < from_date:
            return self._refuse(f"A permit from {from_date} cannot end on {until_date}, before it begins.")
        if until_date < datetime.now().date().isoformat():
            return self._refuse(f"A permit that ended on {until_date} is of no use any more; give one that still runs.")
        permit = {
            "permit_status": "granted",
            "permit_from": from_date,
            "permit_until": until_date,
            "permit_opens": opens,
            "permit_closes": closes,
        }
        if all(location[field] == value for field, value in permit.items()):
            return self._refuse(f"{location['name']} has exactly this permit already.")
        for day in self.shooting_days.values():
            if day["status"] in ("draft", "issued") and day["location_id"] == location_id:
                outside = self._permit_problem(day, {**location, **permit})
                if outside:
                    return self._refuse(f"{day['day_id']} ({day['status']}) would not be covered: {outside}")
        location.update(permit)
        message = (
            f"{location['name']} ({location_id}) has a permit from {from_date} to {until_date}, {opens} to {closes}."
        )
        return {"success": True, "message": message}

    def plan_day(
        self, unit: Literal["main", "second"], date: str, location_id: str, call_time: str, wrap_time: str
    ) -> Dict[str, Any]:
        """Plan a shooting day of a unit; its call sheet is a draft, without strips and calls.

        Args:
            unit: Unit.
            date: Date, YYYY-MM-DD.
            location_id: Where the unit is; the permit may be pending, but one that is granted has to cover the
                day.
            call_time: Unit call, such as 07:30.
            wrap_time: Planned wrap, such as 18:30; after midnight if it is not later than the call.

        Returns:
            message: The id of the new day, with its unit, date, call and wrap.
        """
        problem = (
            self._missing("location", location_id, self.locations)
            or self._no_date(date)
            or self._no_time(call_time)
            or self._no_time(wrap_time)
        )
        if problem:
            return self._refuse(problem)
        start = datetime.fromisoformat(f"{date}T{call_time}:00")
        end = self._following(start, wrap_time)
        if start <= datetime.now():
            return self._refuse(f"{self._said(start)} is past; a day is planned ahead of its unit call.")
        if end - start > self._LONGEST_DAY:
            return self._refuse(
                f"{call_time} to {wrap_time} is {self._hours(end - start)}; a day is planned for at most 12 hours."
            )
        for day in self.shooting_days.values():
            if day["unit"] == unit and day["date"] == date and day["status"] != "cancelled":
                return self._refuse(f"The {unit} unit has {day['day_id']} on {date} already ({day['status']}).")
        location, planned = self.locations[location_id], {"date": date, "call_time": call_time, "wrap_time": wrap_time}
        problem = self._unit_rest_problem(unit, start, end, "")
        if not problem and location["permit_status"] == "granted":
            problem = self._permit_problem(planned, location)
        if problem:
            return self._refuse(problem)
        day_id = self._next_id("SD", self.shooting_days)
        self.shooting_days[day_id] = {
            "day_id": day_id,
            "unit": unit,
            "date": date,
            "location_id": location_id,
            "call_time": call_time,
            "wrap_time": wrap_time,
            "status": "draft",
        }
        message = f"{day_id} of the {unit} unit is planned at {location['name']}: call {self._said(start)}, wrap {self._said(end)}."
        return {"success": True, "message": message}

    def push_call(self, day_id: str, minutes: int) -> Dict[str, Any]:
        """Push the unit call of a day: unit call, planned wrap and all calls of the day move later by as many minutes.

        Refused when anything on the day would not hold any more: the rest before the day after, the hours of children, daylight, or the location's permit.

        Args:
            day_id: The day.
            minutes: By how much, 15 to 300 minutes, a multiple of 5.

        Returns:
            message: The day with its new call and wrap.
        """
        problem = self._missing("day", day_id, self.shooting_days) or self._closed(day_id) or self._begun(day_id)
        if problem:
            return self._refuse(problem)
        if not 15 <= minutes <= 300 or minutes % 5:
            return self._refuse(f"A call is pushed by 15 to 300 minutes, a multiple of 5, not by {minutes}.")
        day, later = self.shooting_days[day_id], timedelta(minutes=minutes)
        start, end = (moment + later for moment in self._day_span(day))
        moved = {**day, "call_time": self._clock(start), "wrap_time": self._clock(end)}
        if start.date().isoformat() != day["date"]:
            return self._refuse(f"Pushed by {minutes} minutes, {day_id} would not begin on {day['date']} any more.")
        problem = self._unit_rest_problem(day["unit"], start, end, day_id)
        location = self.locations[day["location_id"]]
        if not problem and location["permit_status"] == "granted":
            problem = self._permit_problem(moved, location)
        for strip in self._strips_of(day_id):
            problem = problem or self._light_problem(self.scenes[strip["scene_id"]], moved)
        spans = {
            call["call_id"]: tuple(moment + later for moment in self._call_span(call))
            for call in self._calls_of(day_id)
        }
        for call_id, (called, released) in spans.items():
            person = self.people[self.calls[call_id]["person_id"]]
            problem = problem or self._hours_problem(person, day, called, released)
        if problem:
            return self._refuse(problem)
        day.update(call_time=moved["call_time"], wrap_time=moved["wrap_time"])
        for call_id, (called, released) in spans.items():
            self.calls[call_id].update(call_time=self._clock(called), release_time=self._clock(released))
        message = (
            f"{day_id} is pushed by {minutes} minutes: call {self._said(start)}, wrap {self._said(end)}; {self._count(len(spans), 'call')} moved "
            "with it."
        )
        return {"success": True, "message": message}

    def cancel_day(self, day_id: str) -> Dict[str, Any]:
        """Cancel a shooting day; its strips and calls are taken off.

        An issued day that has begun is recorded and wrapped instead.

        Args:
            day_id: The day.

        Returns:
            message: The day, and how many strips and calls were taken off.
        """
        problem = self._missing("day", day_id, self.shooting_days) or self._closed(day_id)
        if not problem and self.shooting_days[day_id]["status"] == "issued":
            problem = self._begun(day_id)
        if problem:
            return self._refuse(problem)
        strips, calls = self._strips_of(day_id), self._calls_of(day_id)
        for strip in strips:
            del self.strips[strip["strip_id"]]
        for call in calls:
            del self.calls[call["call_id"]]
        self.shooting_days[day_id]["status"] = "cancelled"
        message = f"{day_id} is cancelled; {self._count(len(strips), 'strip')} and {self._count(len(calls), 'call')} were taken off."
        return {"success": True, "message": message}

    def schedule_scene(self, scene_id: str, day_id: str, eighths: int, pickup: bool = False) -> Dict[str, Any]:
        """Put a scene, or a part of it, on a shooting day.

        On an issued day its cast has to be called and its equipment on order already.

        Args:
            scene_id: The scene.
            day_id: The day.
            eighths: How many eighths of a page.
            pickup: Whether it is a pickup for a scene that is complete; pickups do not count towards its pages.

        Returns:
            message: The id of the new strip, with its scene, its day and the eighths that the day holds by now.
        """
        problem = (
            self._missing("scene", scene_id, self.scenes)
            or self._missing("day", day_id, self.shooting_days)
            or self._closed(day_id)
        )
        if problem:
            return self._refuse(problem)
        scene, day = self.scenes[scene_id], self.shooting_days[day_id]
        wrap = self._day_span(day)[1]
        if wrap <= datetime.now():
            return self._refuse(f"{day_id} was to wrap at {self._said(wrap)}, which is past; nothing is added to it.")
        if scene["location_id"] != day["location_id"]:
            places = [self.locations[each["location_id"]]["name"] for each in (scene, day)]
            return self._refuse(f"Scene {scene['number']} is shot at {places[0]}, and {day_id} is at {places[1]}.")
        if any(strip["scene_id"] == scene_id for strip in self._strips_of(day_id)):
            return self._refuse(f"Scene {scene['number']} is on {day_id} already; take that strip off first.")
        problem = (
            self._schedule_scene_length(scene, eighths, pickup)
            or self._schedule_scene_room(day, eighths)
            or self._light_problem(scene, day)
        )
        if not problem and day["status"] == "issued":
            lacking = self._uncalled(day, scene) + self._unhired(day, scene)
            problem = f"{day_id} is issued: {' '.join(lacking)}" if lacking else None
        if problem:
            return self._refuse(problem)
        strip_id = self._next_id("ST", self.strips)
        self.strips[strip_id] = {
            "strip_id": strip_id,
            "scene_id": scene_id,
            "day_id": day_id,
            "eighths": eighths,
            "shot_eighths": 0,
            "pickup": pickup,
            "status": "planned",
        }
        held = sum(strip["eighths"] for strip in self._strips_of(day_id))
        message = f"Strip {strip_id} puts {self._count(eighths, 'eighth')} of scene {scene['number']} on {day_id}, which holds {held} by now."
        return {"success": True, "message": message}

    def _schedule_scene_length(self, scene: Dict[str, Any], eighths: int, pickup: bool) -> Optional[str]:
        name, complete = f"Scene {scene['number']}", scene["status"] == "complete"
        if pickup and not complete:
            return (
                f"{name} is not complete, so there is nothing to pick up; schedule what is left of it without pickup."
            )
        if complete and not pickup:
            return f"{name} is complete; only a pickup of it can be scheduled."
        most = scene["pages_eighths"] if pickup else self._unplanned(scene)
        if not 1 <= eighths <= most:
            what = "pages in eighths" if pickup else "eighths neither shot nor planned"
            return f"{name} has {most} {what}; {eighths} cannot be scheduled."
        return None

    def _schedule_scene_room(self, day: Dict[str, Any], eighths: int) -> Optional[str]:
        held, most = sum(strip["eighths"] for strip in self._strips_of(day["day_id"])), self._EIGHTHS[day["unit"]]
        if held + eighths <= most:
            return None
        return f"{day['day_id']} holds {held} of {most} eighths that the {day['unit']} unit does in a day; {eighths} more do not fit."

    def unschedule_scene(self, strip_id: str) -> Dict[str, Any]:
        """Take a planned strip off its day; nothing of it was shot, and its eighths can be planned again.

        Once the unit call has passed it is recorded instead. Calls stay; stand_down ends them.

        Args:
            strip_id: The strip.

        Returns:
            message: The scene and the day.
        """
        problem = self._missing("strip", strip_id, self.strips)
        if problem:
            return self._refuse(problem)
        strip = self.strips[strip_id]
        day, scene = self.shooting_days[strip["day_id"]], self.scenes[strip["scene_id"]]
        if strip["status"] != "planned":
            return self._refuse(f"Strip {strip_id} was recorded as {strip['status']}; only a planned one is taken off.")
        called = self._day_span(day)[0]
        if called <= datetime.now():
            when = self._said(called)
            return self._refuse(
                f"The unit call of {day['day_id']} was {when}; record the strip with record_scene, 0 if it was not shot."
            )
        if day["status"] == "issued" and len(self._strips_of(day["day_id"])) == 1:
            return self._refuse(
                f"{strip_id} is the only strip of {day['day_id']}, which is issued; cancel_day calls the day off."
            )
        del self.strips[strip_id]
        message = f"Scene {scene['number']} is off {day['day_id']} of {day['date']}; {self._count(strip['eighths'], 'eighth')} can be planned again."
        return {"success": True, "message": message}

    def call_person(self, day_id: str, person_id: str, call_time: str, release_time: str) -> Dict[str, Any]:
        """Call a person on a shooting day.

        A child needs a chaperone who is called for all of that time first.

        Args:
            day_id: The day.
            person_id: Who is called.
            call_time: Time of the call, such as 06:45, from two hours before the unit call on.
            release_time: Time of the release, such as 18:00, no later than the planned wrap; after midnight if it
                is not later than the call.

        Returns:
            message: The id of the new call, with the person, the times, and the contract days that are left.
        """
        problem = (
            self._missing("day", day_id, self.shooting_days)
            or self._missing("person", person_id, self.people)
            or self._closed(day_id)
        )
        if problem:
            return self._refuse(problem)
        day, person = self.shooting_days[day_id], self.people[person_id]
        if any(call["person_id"] == person_id for call in self._calls_of(day_id)):
            return self._refuse(f"{person['name']} is called on {day_id} already; stand_down takes a call off.")
        start, end, problem = self._call_times(day, call_time, release_time)
        if problem:
            return self._refuse(problem)
        problem = (
            self._contract_problem(person, day)
            or self._hours_problem(person, day, start, end)
            or self._unattended(day, person, start, end, self._calls_of(day_id))
        )
        if problem:
            return self._refuse(problem)
        call_id = self._next_id("CL", self.calls)
        self.calls[call_id] = {
            "call_id": call_id,
            "day_id": day_id,
            "person_id": person_id,
            "call_time": call_time,
            "release_time": release_time,
        }
        message = (
            f"Call {call_id}: {person['name']} on {day_id}, {self._said(start)} to {self._said(end)}; "
            f"{self._count(self._days_left(person), 'contract day')} left."
        )
        return {"success": True, "message": message}

    def stand_down(self, call_id: str) -> Dict[str, Any]:
        """Take a person's call off a day before it begins.

        Args:
            call_id: The call.

        Returns:
            message: The person and the day.
        """
        problem = self._missing("call", call_id, self.calls)
        if problem:
            return self._refuse(problem)
        call = self.calls[call_id]
        day, person = self.shooting_days[call["day_id"]], self.people[call["person_id"]]
        problem = self._closed(day["day_id"])
        if problem:
            return self._refuse(problem)
        called = self._call_span(call)[0]
        if called <= datetime.now():
            return self._refuse(
                f"The call of {person['name']} on {day['day_id']} was {self._said(called)}, which is past."
            )
        if day["status"] == "issued":
            for strip in self._strips_of(day["day_id"]):
                scene = self.scenes[strip["scene_id"]]
                if person["person_id"] in scene["cast_ids"]:
                    needed = f"{person['name']} is in scene {scene['number']} on {day['day_id']}, which is issued"
                    return self._refuse(f"{needed}; take strip {strip['strip_id']} off the day first.")
        others = [other for other in self._calls_of(day["day_id"]) if other["call_id"] != call_id]
        for other in others:
            child = self.people[other["person_id"]]
            start, end = self._call_span(other)
            problem = self._unattended(day, child, start, end, others)
            if problem:
                return self._refuse(f"{person['name']} cannot be stood down: {problem}")
        del self.calls[call_id]
        message = f"{person['name']} ({person['person_id']}) is stood down on {day['day_id']} of {day['date']}."
        return {"success": True, "message": message}

    def issue_call_sheet(self, day_id: str) -> Dict[str, Any]:
        """Issue the call sheet of a draft day.

        get_call_sheet says what is still open.

        Args:
            day_id: The day.

        Returns:
            message: The day, with its strips, eighths and calls counted.
        """
        problem = self._missing("day", day_id, self.shooting_days)
        if problem:
            return self._refuse(problem)
        day = self.shooting_days[day_id]
        if day["status"] != "draft":
            return self._refuse(f"{day_id} is {day['status']}; only a draft is issued.")
        latest = self._day_span(day)[0] - self._REST
        if datetime.now() > latest:
            notice = (
                f"The call sheet of {day_id} had to be issued by {self._said(latest)}, 11 hours before the unit call"
            )
            return self._refuse(f"{notice}; push_call moves the call.")
        problems = self._open_points(day)
        if problems:
            return self._refuse(f"{day_id} cannot be issued. {' '.join(problems)}")
        day["status"] = "issued"
        strips, calls = self._strips_of(day_id), self._calls_of(day_id)
        pages = sum(strip["eighths"] for strip in strips)
        held = f"{self._count(len(strips), 'strip')}, {self._count(pages, 'eighth')}, {self._count(len(calls), 'call')}"
        message = f"The call sheet of {day_id} is issued: {held}."
        return {"success": True, "message": message}

    def record_scene(self, strip_id: str, eighths: int) -> Dict[str, Any]:
        """Record what was shot of a strip, from the continuity report.

        What was not shot can be planned again; 0 means that the strip was not shot at all.

        Args:
            strip_id: The strip.
            eighths: Eighths that were shot, 0 to what was planned.

        Returns:
            message: The strip and its status, and the scene with what is shot of it by now.
        """
        problem = self._missing("strip", strip_id, self.strips)
        if problem:
            return self._refuse(problem)
        strip = self.strips[strip_id]
        day, scene = self.shooting_days[strip["day_id"]], self.scenes[strip["scene_id"]]
        if strip["status"] != "planned":
            return self._refuse(f"Strip {strip_id} is recorded as {strip['status']} already.")
        called = self._day_span(day)[0]
        if day["status"] != "issued" or datetime.now() < called:
            when = f"{day['day_id']} is {day['status']} with a unit call at {self._said(called)}"
            return self._refuse(f"{when}; strips are recorded on issued days, once the unit call has passed.")
        if not 0 <= eighths <= strip["eighths"]:
            return self._refuse(
                f"{strip['eighths']} eighths were planned; 0 to {strip['eighths']} can have been shot, not {eighths}."
            )
        strip["shot_eighths"] = eighths
        strip["status"] = "shot" if eighths == strip["eighths"] else "part_shot" if eighths else "not_shot"
        if not strip["pickup"]:
            scene["shot_eighths"] += eighths
            scene["status"] = self._scene_status(scene)
        done = f"{scene['shot_eighths']} of {scene['pages_eighths']} eighths"
        message = (
            f"Strip {strip_id} is {strip['status']}; scene {scene['number']} is {scene['status']}, with {done} shot."
        )
        return {"success": True, "message": message}

    def wrap_day(self, day_id: str, wrap_time: str) -> Dict[str, Any]:
        """Wrap an issued day at the time when it ended.

        Releases planned after the wrap are set to it; in overtime, adults who were to stay until the planned wrap are released at the real one; calls that would have begun only after the wrap are taken off. Refused while the overtime leaves less than 11 hours of rest; push the next call first.

        Args:
            day_id: The day.
            wrap_time: Time of the wrap, such as 19:10; after midnight if it is not later than the unit call.

        Returns:
            message: The day, its wrap, its hours, the eighths shot, and the calls that were taken off.
        """
        problem = self._missing("day", day_id, self.shooting_days) or self._no_time(wrap_time)
        if problem:
            return self._refuse(problem)
        day = self.shooting_days[day_id]
        if day["status"] != "issued":
            return self._refuse(f"{day_id} is {day['status']}; only an issued day is wrapped.")
        start, planned = self._day_span(day)
        end = self._following(start, wrap_time)
        if end > datetime.now():
            return self._refuse(f"{self._said(end)} is not past; {day_id} is wrapped once it has ended.")
        if end - start > self._LONGEST_WRAPPED:
            hours = self._hours(end - start)
            return self._refuse(
                f"A wrap at {self._said(end)} is {hours} after the unit call of {day_id}; 14 hours are the most."
            )
        left = [strip["strip_id"] for strip in self._strips_of(day_id) if strip["status"] == "planned"]
        if left:
            return self._refuse(
                f"Not recorded yet on {day_id}: {', '.join(left)}. record_scene records what was shot, 0 for nothing."
            )
        calls = self._calls_of(day_id)
        spared = [call["call_id"] for call in calls if self._call_span(call)[0] >= end]
        releases = {
            call["call_id"]: self._wrap_day_release(day, call, planned, end)
            for call in calls
            if call["call_id"] not in spared
        }
        problem = self._unit_rest_problem(day["unit"], start, end, day_id)
        for call_id, release in releases.items():
            call = self.calls[call_id]
            person = self.people[call["person_id"]]
            problem = problem or self._rest_problem(person, self._call_span(call)[0], release, day_id)
        if problem:
            return self._refuse(problem)
        for call_id in spared:
            del self.calls[call_id]
        for call_id, release in releases.items():
            self.calls[call_id]["release_time"] = self._clock(release)
        day.update(wrap_time=wrap_time, status="wrapped")
        shot = sum(strip["shot_eighths"] for strip in self._strips_of(day_id))
        message = f"{day_id} is wrapped at {self._said(end)}, {self._hours(end - start)} after the call, with {self._count(shot, 'eighth')} shot"
        message += f"; not needed any more: {', '.join(spared)}." if spared else "."
        return {"success": True, "message": message}

    def _wrap_day_release(
        self, day: Dict[str, Any], call: Dict[str, Any], planned: datetime, end: datetime
    ) -> datetime:
        release, person = self._call_span(call)[1], self.people[call["person_id"]]
        stays = release == planned and self._age(person, day["date"]) >= self._OF_AGE
        return end if stays else min(release, end)

    def raise_order(self, quote_id: str, from_date: str, until_date: str) -> Dict[str, Any]:
        """Raise a purchase order on a quote, for one or more days at its daily rate, weekends included.

        The quote's budget line must have the amount free.

        Args:
            quote_id: The quote.
            from_date: First day, YYYY-MM-DD, today or later.
            until_date: Last day, YYYY-MM-DD.

        Returns:
            message: The id of the new order, its amount, and what the line has free by now.
        """
        problem = self._missing("quote", quote_id, self.quotes) or self._no_date(from_date) or self._no_date(until_date)
        if problem:
            return self._refuse(problem)
        quote, today = self.quotes[quote_id], datetime.now().date().isoformat()
        if from_date < today or until_date < from_date:
            return self._refuse(
                f"An order runs from today ({today}) or later, and ends no earlier; not from {from_date} to {until_date}."
            )
        if from_date < quote["available_from"] or quote["available_until"] < until_date:
            dates = f"from {quote['available_from']} to {quote['available_until']}"
            return self._refuse(
                f"{quote['supplier']} has {quote['item']} {dates}, not from {from_date} to {until_date}."
            )
        for order in self._orders_of(quote_id):
            if order["from_date"] <= until_date and from_date <= order["until_date"]:
                dates = f"from {order['from_date']} to {order['until_date']}"
                return self._refuse(
                    f"{quote['item']} of {quote['supplier']} is on order {dates} already, with {order['order_id']}."
                )
        days = self._span(from_date, until_date)
        amount, line_id = days * quote["day_rate_cents"], quote["line_id"]
        short = self._short_of_money(line_id, amount, self._MORE_MONEY)
        if short:
            return self._refuse(short)
        order_id = self._next_id("PO", self.purchase_orders)
        self.purchase_orders[order_id] = {
            "order_id": order_id,
            "line_id": line_id,
            "quote_id": quote_id,
            "supplier": quote["supplier"],
            "item": quote["item"],
            "person_id": None,
            "from_date": from_date,
            "until_date": until_date,
            "days": days,
            "day_rate_cents": quote["day_rate_cents"],
            "amount_cents": amount,
            "status": "open",
        }
        free = f"{self.budget_lines[line_id]['name']} has {self._free(line_id)} cents free"
        message = (
            f"Order {order_id} of {amount} cents for {self._count(days, 'day')} of {quote['item']} is open; {free}."
        )
        return {"success": True, "message": message}

    def close_order(self, order_id: str, outcome: Literal["paid", "cancelled"]) -> Dict[str, Any]:
        """Pay an open order in full, or cancel it.

        Args:
            order_id: The order.
            outcome: Whether it is paid, from its first day on, or cancelled, before its first day.

        Returns:
            message: The order, its amount, and what its line has spent and free by now.
        """
        problem = self._missing("order", order_id, self.purchase_orders)
        if problem:
            return self._refuse(problem)
        order, today = self.purchase_orders[order_id], datetime.now().date().isoformat()
        if order["status"] != "open":
            return self._refuse(f"Order {order_id} is {order['status']} already.")
        if outcome == "cancelled" and order["person_id"] is not None:
            return self._refuse(
                f"Order {order_id} pays for days that {order['supplier']} was promised; it is never cancelled."
            )
        begun = order["from_date"] <= today
        if outcome == "paid" and not begun:
            return self._refuse(f"Order {order_id} begins on {order['from_date']}; it is paid from that day on.")
        if outcome == "cancelled" and begun:
            return self._refuse(f"Order {order_id} began on {order['from_date']}; it can only be paid.")
        problem = self._close_order_relied_on(order) if outcome == "cancelled" else None
        if problem:
            return self._refuse(problem)
        line = self.budget_lines[order["line_id"]]
        order["status"] = outcome
        if outcome == "paid":
            line["spent_cents"] += order["amount_cents"]
        message = (
            f"Order {order_id} of {order['amount_cents']} cents is {outcome}; {line['name']} has spent {line['spent_cents']} cents "
            f"and has {self._free(line['line_id'])} free."
        )
        return {"success": True, "message": message}

    def _close_order_relied_on(self, order: Dict[str, Any]) -> Optional[str]:
        for day in self.shooting_days.values():
            if day["status"] != "issued" or not order["from_date"] <= day["date"] <= order["until_date"]:
                continue
            for strip in self._strips_of(day["day_id"]):
                if self._unhired(day, self.scenes[strip["scene_id"]], order["order_id"]):
                    number = self.scenes[strip["scene_id"]]["number"]
                    return f"Scene {number} needs {order['item']} on {day['day_id']} of {day['date']}, which is issued."
        return None

    def transfer_budget(self, from_line_id: str, to_line_id: str, amount_cents: int) -> Dict[str, Any]:
        """Transfer budget that is free from one line to another.

        Lines above the line neither give nor take, and the contingency only gives.

        Args:
            from_line_id: Line that gives.
            to_line_id: Line that takes.
            amount_cents: Amount, in cents.

        Returns:
            message: Both lines, with what they have free by now.
        """
        problem = self._missing("budget line", from_line_id, self.budget_lines) or self._missing(
            "budget line", to_line_id, self.budget_lines
        )
        if problem:
            return self._refuse(problem)
        giver, taker = self.budget_lines[from_line_id], self.budget_lines[to_line_id]
        if from_line_id == to_line_id:
            return self._refuse(f"{giver['name']} is both the line that gives and the one that takes.")
        for line in (giver, taker):
            if line["category"] == "above_the_line":
                return self._refuse(f"{line['name']} is above the line; its budget stays as approved.")
        if taker["category"] == "contingency":
            return self._refuse(f"{taker['name']} only gives; nothing is transferred to it.")
        if amount_cents < 1:
            return self._refuse(f"At least 1 cent is transferred, not {amount_cents}.")
        short = self._short_of_money(from_line_id, amount_cents)
        if short:
            return self._refuse(short)
        giver["budget_cents"] -= amount_cents
        taker["budget_cents"] += amount_cents
        message = (
            f"{amount_cents} cents went from {giver['name']} to {taker['name']}; they have {self._free(from_line_id)} and "
            f"{self._free(to_line_id)} cents free."
        )
        return {"success": True, "message": message}

    def _refuse(self, error: str) -> Dict[str, Any]:
        """Return a refusal."""
        return {"success": False, "error": error}

    def _missing(self, what: str, key: str, records: Dict[str, Any]) -> Optional[str]:
        """Return why a record that is named cannot be used."""
        return None if key in records else f"There is no {what} {key!r}; {self._LOOK_UPS[what]}."

    def _blank(self, **texts: Optional[str]) -> Optional[str]:
        """Return which text to search for is blank."""
        for name, text in texts.items():
            if text is not None and not text.strip():
                return f"{name} is blank ({text!r}); give a part of it, or leave it out."
        return None

    def _holds(self, text: str, part: Optional[str]) -> bool:
        """Return whether a text holds a part, in any case; every text holds none."""
        return part is None or part.strip().casefold() in text.casefold()

    def _alike(self, first: str, second: str) -> bool:
        """Return whether two names are the same but for case and blanks around them."""
        return first.strip().casefold() == second.strip().casefold()

    def _no_date(self, text: str) -> Optional[str]:
        """Return why a text is no date."""
        wrong = f"{text[:40]!r} is no date. Write it as YYYY-MM-DD, such as 2025-06-10."
        if not re.fullmatch(r"20[0-9]{2}-[0-9]{2}-[0-9]{2}", text):
            return wrong
        try:
            date.fromisoformat(text)
        except ValueError:
            return wrong
        return None

    def _no_time(self, text: str) -> Optional[str]:
        """Return why a text is no time of day."""
        if re.fullmatch(r"([01][0-9]|2[0-3]):[0-5][0-9]", text):
            return None
        return f"{text[:40]!r} is no time. Write it as HH:MM, such as 18:30."

    def _following(self, start: datetime, time: str) -> datetime:
        """Return the first moment after a start at which it is HH:MM."""
        minutes = int(time[:2]) * 60 + int(time[3:]) - start.hour * 60 - start.minute
        return start + timedelta(minutes=minutes if minutes > 0 else minutes + 1440)

    def _day_span(self, day: Dict[str, Any]) -> Tuple[datetime, datetime]:
        """Return the moments of the unit call and the wrap of a day."""
        start = datetime.fromisoformat(f"{day['date']}T{day['call_time']}:00")
        return start, self._following(start, day["wrap_time"])

    def _call_span(self, call: Dict[str, Any]) -> Tuple[datetime, datetime]:
        """Return the moments of a call and its release."""
        start = self._called(self.shooting_days[call["day_id"]], call["call_time"])
        return start, self._following(start, call["release_time"])

    def _called(self, day: Dict[str, Any], time: str) -> datetime:
        """Return the moment of a call on a day: the first time it is HH:MM from two hours before the unit call on."""
        return self._following(self._day_span(day)[0] - self._PRECALL - timedelta(minutes=1), time)

    def _clock(self, moment: datetime) -> str:
        """Return the time of day, HH:MM."""
        return moment.isoformat()[11:16]

    def _said(self, moment: datetime) -> str:
        """Return a moment as messages say it."""
        return moment.isoformat(" ")[:16]

    def _hours(self, span: timedelta) -> str:
        """Return a span of time as messages say it."""
        minutes = int(span.total_seconds()) // 60
        return f"{minutes // 60} h {minutes % 60:02d}"

    def _count(self, number: int, noun: str) -> str:
        """Return a number of things as messages say it."""
        return f"{number} {noun}" if number == 1 else f"{number} {noun}s"

    def _span(self, from_date: str, until_date: str) -> int:
        """Return the number of days from one date to another, both counted."""
        return (date.fromisoformat(until_date) - date.fromisoformat(from_date)).days + 1

    def _next_id(self, prefix: str, records: Dict[str, Any]) -> str:
        """Return the next id of a kind of records."""
        numbers = [int(key.rpartition("-")[2]) for key in records if re.fullmatch(rf"{prefix}-[0-9]+", key)]
        return f"{prefix}-{max(numbers, default=100) + 1}"

    def _strips_of(self, day_id: str) -> List[Dict[str, Any]]:
        """Return the strips of a day."""
        return [strip for strip in self.strips.values() if strip["day_id"] == day_id]

    def _calls_of(self, day_id: str) -> List[Dict[str, Any]]:
        """Return the calls of a day."""
        return [call for call in self.calls.values() if call["day_id"] == day_id]

    def _orders_of(self, quote_id: str) -> List[Dict[str, Any]]:
        """Return the orders of a quote that are not cancelled."""
        orders = self.purchase_orders.values()
        return [order for order in orders if order["quote_id"] == quote_id and order["status"] != "cancelled"]

    def _closed(self, day_id: str) -> Optional[str]:
        """Return why a day cannot be changed any more."""
        status = self.shooting_days[day_id]["status"]
        if status in ("draft", "issued"):
            return None
        return f"{day_id} is {status}; only a draft or issued day can be changed. find_days finds others."

    def _begun(self, day_id: str) -> Optional[str]:
        """Return why a day counts as begun."""
        calls = [self._call_span(call)[0] for call in self._calls_of(day_id)]
        first = min([self._day_span(self.shooting_days[day_id])[0], *calls])
        if datetime.now() < first:
            return None
        return f"The first call of {day_id} was {self._said(first)}; a day that has begun is recorded and wrapped."

    def _scene_status(self, scene: Dict[str, Any]) -> str:
        """Return the status that follows from what is shot of a scene."""
        if scene["shot_eighths"] == scene["pages_eighths"]:
            return "complete"
        return "part_shot" if scene["shot_eighths"] else "to_shoot"

    def _unplanned(self, scene: Dict[str, Any]) -> int:
        """Return the eighths of a scene that are neither shot nor planned."""
        planned = sum(
            strip["eighths"]
            for strip in self.strips.values()
            if strip["scene_id"] == scene["scene_id"] and strip["status"] == "planned" and not strip["pickup"]
        )
        return scene["pages_eighths"] - scene["shot_eighths"] - planned

    def _age(self, person: Dict[str, Any], day: str) -> int:
        """Return a person's age in years on a day."""
        return int(day[:4]) - int(person["birth_date"][:4]) - (day[5:] < person["birth_date"][5:])

    def _days_left(self, person: Dict[str, Any]) -> int:
        """Return the days of a contract without a call."""
        return person["contract_days"] - sum(call["person_id"] == person["person_id"] for call in self.calls.values())

    def _contract(self, person: Dict[str, Any]) -> Dict[str, Any]:
        """Return a copy of a person's record with the days that are left."""
        return {**person, "unavailable": list(person["unavailable"]), "days_left": self._days_left(person)}

    def _contract_problem(self, person: Dict[str, Any], day: Dict[str, Any]) -> Optional[str]:
        """Return why a person's contract does not allow a call on a day."""
        if not person["engaged_from"] <= day["date"] <= person["engaged_until"]:
            return f"{person['name']} is engaged from {person['engaged_from']} to {person['engaged_until']}, not on {day['date']}."
        if day["date"] in person["unavailable"]:
            return f"{person['name']} is not available on {day['date']}."
        if self._days_left(person) < 1:
            days = person["contract_days"]
            return f"{person['name']} is called on all {days} contract days; extend_contract buys more."
        return None

    def _hours_problem(
        self, person: Dict[str, Any], day: Dict[str, Any], start: datetime, end: datetime
    ) -> Optional[str]:
        """Return why a person cannot work on a day from one moment to another: a child's hours, or rest."""
        if self._age(person, day["date"]) < self._OF_AGE:
            from_to = f"{self._said(start)} to {self._said(end)}"
            earliest, latest = (
                datetime.fromisoformat(f"{start.date()}T{time}:00") for time in (self._CHILD_FROM, self._CHILD_UNTIL)
            )
            if start < earliest or end > latest:
                return f"{person['name']} is under 16 and works between 07:00 and 20:00, not {from_to}."
            if end - start > self._CHILD_HOURS:
                return f"{person['name']} is under 16 and works at most 8 hours, not {from_to}."
        return self._rest_problem(person, start, end, day["day_id"])

    def _rest_problem(self, person: Dict[str, Any], start: datetime, end: datetime, day_id: str) -> Optional[str]:
        """Return which call on another day leaves a person less than 11 hours of rest."""
        for call in self.calls.values():
            if call["person_id"] != person["person_id"] or call["day_id"] == day_id:
                continue
            called, released = self._call_span(call)
            if start < released + self._REST and called < end + self._REST:
                other = f"{call['call_id']} on {call['day_id']}, {self._said(called)} to {self._said(released)}"
                if start < released and called < end:
                    return f"{person['name']} cannot come from {self._said(start)} to {self._said(end)}, being called already: {other}."
                return f"{person['name']} needs 11 hours of rest between {self._said(start)} to {self._said(end)} and {other}."
        return None

    def _unit_rest_problem(self, unit: str, start: datetime, end: datetime, day_id: str) -> Optional[str]:
        """Return which other day leaves a unit less than 11 hours of rest."""
        for day in self.shooting_days.values():
            if day["unit"] != unit or day["day_id"] == day_id or day["status"] == "cancelled":
                continue
            called, wrapped = self._day_span(day)
            if start < wrapped + self._REST and called < end + self._REST:
                other = f"{day['day_id']}, {self._said(called)} to {self._said(wrapped)}"
                return f"The {unit} unit needs 11 hours of rest between {self._said(start)} to {self._said(end)} and {other}."
        return None

    def _unattended(
        self, day: Dict[str, Any], person: Dict[str, Any], start: datetime, end: datetime, calls: List[Dict[str, Any]]
    ) -> Optional[str]:
        """Return why a child would be without a chaperone among some calls of a day."""
        if self._age(person, day["date"]) >= self._OF_AGE:
            return None
        for call in calls:
            called, released = self._call_span(call)
            if called <= start and end <= released and self.people[call["person_id"]]["kind"] == "chaperone":
                return None
        return f"{person['name']} is under 16, and no chaperone is called on {day['day_id']} from {self._said(start)} to {self._said(end)}."

    def _call_times(
        self, day: Dict[str, Any], call_time: str, release_time: str
    ) -> Tuple[datetime, datetime, Optional[str]]:
        """Return the moments of a call on a day, and why they are not possible."""
        problem = self._no_time(call_time) or self._no_time(release_time)
        unit_call, wrap = self._day_span(day)
        earliest = unit_call - self._PRECALL
        if problem:
            return earliest, earliest, problem
        start = self._called(day, call_time)
        end = self._following(start, release_time)
        if end > wrap:
            between = f"between {self._said(earliest)} and the wrap at {self._said(wrap)}"
            return start, end, f"Calls on {day['day_id']} lie {between}; {call_time} to {release_time} does not."
        if start <= datetime.now():
            return start, end, f"{self._said(start)} is past; people are called ahead of time."
        return start, end, None

    def _light_problem(self, scene: Dict[str, Any], day: Dict[str, Any]) -> Optional[str]:
        """Return why an exterior has no daylight, or no darkness, in the hours of a day."""
        if scene["int_ext"] == "interior":
            return None
        call, wrap = self._day_span(day)
        if scene["time_of_day"] == "day" and day["call_time"] > self._LATEST_DAY_CALL:
            return f"Scene {scene['number']} is a day exterior and needs a unit call at 13:00 or earlier, not {self._said(call)}."
        if scene["time_of_day"] == "night" and wrap < datetime.fromisoformat(
            f"{day['date']}T{self._EARLIEST_NIGHT_WRAP}:00"
        ):
            return f"Scene {scene['number']} is a night exterior and needs a wrap at 22:00 or later, not {self._said(wrap)}."
        return None

    def _permit_problem(self, day: Dict[str, Any], location: Dict[str, Any]) -> Optional[str]:
        """Return why a location's permit does not cover a day."""
        if location["permit_status"] != "granted":
            return f"The permit for {location['name']} is {location['permit_status']}, not granted."
        if not location["permit_from"] <= day["date"] <= location["permit_until"]:
            return f"The permit for {location['name']} runs from {location['permit_from']} to {location['permit_until']}, not on {day['date']}."
        opens = datetime.fromisoformat(f"{day['date']}T{location['permit_opens']}:00")
        closes = self._following(opens, location["permit_closes"])
        call, wrap = self._day_span(day)
        if call < opens or closes < wrap:
            hours = f"{location['permit_opens']} to {location['permit_closes']}"
            return f"The permit for {location['name']} is for {hours}, not {self._said(call)} to {self._said(wrap)}."
        return None

    def _uncalled(self, day: Dict[str, Any], scene: Dict[str, Any]) -> List[str]:
        """Return who of a scene's cast is not called on a day, a sentence each."""
        called = {call["person_id"] for call in self._calls_of(day["day_id"])}
        return [
            f"{self.people[person_id]['name']} is in scene {scene['number']} and not called."
            for person_id in scene["cast_ids"]
            if person_id not in called
        ]

    def _unhired(self, day: Dict[str, Any], scene: Dict[str, Any], without: str = "") -> List[str]:
        """Return which equipment of a scene is not on order for a day, one order left out, a sentence each."""
        orders = [
            order
            for order in self.purchase_orders.values()
            if order["status"] != "cancelled"
            and order["order_id"] != without
            and order["from_date"] <= day["date"] <= order["until_date"]
        ]
        return [
            f"{item} for scene {scene['number']} is not on order for {day['date']}."
            for item in scene["equipment"]
            if not any(self._alike(order["item"], item) for order in orders)
        ]

    def _open_points(self, day: Dict[str, Any]) -> List[str]:
        """Return what an issued call sheet of a day would lack, a sentence each."""
        strips = self._strips_of(day["day_id"])
        permit = self._permit_problem(day, self.locations[day["location_id"]])
        points = [] if strips else ["No scene is scheduled."]
        points += [permit] if permit else []
        for strip in strips:
            scene = self.scenes[strip["scene_id"]]
            points += [*self._uncalled(day, scene), *self._unhired(day, scene)]
        return list(dict.fromkeys(points))

    def _committed(self, line_id: str) -> int:
        """Return the amount of a line's open orders."""
        return sum(
            order["amount_cents"]
            for order in self.purchase_orders.values()
            if order["line_id"] == line_id and order["status"] == "open"
        )

    def _free(self, line_id: str) -> int:
        """Return what a line has neither spent nor committed."""
        line = self.budget_lines[line_id]
        return line["budget_cents"] - line["spent_cents"] - self._committed(line_id)

    def _short_of_money(self, line_id: str, amount: int, hint: str = "") -> Optional[str]:
        """Return why a line cannot give an amount."""
        free = self._free(line_id)
        if amount <= free:
            return None
        return f"{self.budget_lines[line_id]['name']} ({line_id}) has {free} cents free, {amount} are needed{hint}."
