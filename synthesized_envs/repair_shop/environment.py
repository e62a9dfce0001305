"""An independent car repair workshop: customers, vehicles, work orders, parts, purchasing and invoices.

Money is kept in integer euro cents, labour in minutes, dates as ``YYYY-MM-DD`` and the start of a booked
slot as ``YYYY-MM-DDTHH:MM:00``.
"""

import re
from datetime import date, datetime, timedelta
from typing import Any, Dict, List, Literal, Mapping, Optional, Tuple, TypedDict, Union

ACCEPTED_METHODS = ("cash", "card", "transfer")
APPROVAL_LIMIT_PERCENT = 110
CLOSING_MINUTE = 18 * 60
EDITABLE_STATUSES = ("estimate", "approved", "in_progress")
FRIDAY = 4
LABOUR_STEP_MINUTES = 15
LARGEST_SHOWN = 10**18
MAX_DISCOUNT_PERCENT = 20
MAX_ITEMS = 20
MAX_LABOUR_MINUTES = 480
MAX_ODOMETER_KM = 2_000_000
MAX_ORDER_QUANTITY = 500
MAX_QUERY = 100
MAX_TEXT = 300
OPENING_MINUTE = 8 * 60
SCHEDULE_DAYS_AHEAD = 60


class CustomerRecord(TypedDict):
    """A person or company that brings vehicles in and pays the invoices."""

    customer_id: str
    name: str
    kind: str
    phone: str
    email: str
    city: str
    labour_discount_percent: int
    payment_terms_days: int


class VehicleRecord(TypedDict):
    """A vehicle owned by one customer."""

    vehicle_id: str
    customer_id: str
    make: str
    model: str
    year: int
    plate: str
    odometer_km: int


class TechnicianRecord(TypedDict):
    """A mechanic with certifications and a limit of booked minutes for each date."""

    technician_id: str
    name: str
    certifications: List[str]
    daily_minutes: int
    active: bool


class BayRecord(TypedDict):
    """A work bay with its fixed equipment."""

    bay_id: str
    name: str
    equipment: List[str]


class JobTypeRecord(TypedDict):
    """A kind of labour from the price list, with what it requires."""

    job_type_id: str
    name: str
    required_certification: Optional[str]
    required_equipment: Optional[str]
    standard_minutes: int
    rate_cents_per_hour: int


class PartRecord(TypedDict):
    """A stocked part; available stock is ``on_hand`` minus ``reserved``."""

    part_id: str
    name: str
    category: str
    supplier_id: str
    price_cents: int
    cost_cents: int
    opening_stock: int
    on_hand: int
    reserved: int
    reorder_level: int


class SupplierRecord(TypedDict):
    """A parts supplier with its delivery time and smallest order value."""

    supplier_id: str
    name: str
    lead_days: int
    minimum_order_cents: int


class WorkOrderRecord(TypedDict):
    """The order for one visit of one vehicle, from the estimate to the invoice."""

    work_order_id: str
    vehicle_id: str
    customer_id: str
    status: str
    complaint: str
    odometer_km: int
    opened_on: str
    approved_total_cents: Optional[int]
    approved_on: Optional[str]
    started_on: Optional[str]
    completed_on: Optional[str]
    cancelled_on: Optional[str]
    cancel_reason: Optional[str]


class LabourLineRecord(TypedDict):
    """One job on a work order and, once booked, its technician, bay and start."""

    line_id: str
    work_order_id: str
    job_type_id: str
    minutes: int
    rate_cents_per_hour: int
    price_cents: int
    technician_id: Optional[str]
    bay_id: Optional[str]
    starts_at: Optional[str]


class ReservationRecord(TypedDict):
    """A quantity of one part set aside for a work order: reserved, then used or released."""

    reservation_id: str
    work_order_id: str
    part_id: str
    quantity: int
    unit_price_cents: int
    status: str


class PurchaseLineRecord(TypedDict):
    """One part on a purchase order."""

    part_id: str
    quantity: int
    unit_cost_cents: int


class PurchaseOrderRecord(TypedDict):
    """An order of parts from one supplier: ordered, then received."""

    purchase_order_id: str
    supplier_id: str
    status: str
    lines: List[PurchaseLineRecord]
    ordered_on: str
    expected_on: str
    received_on: Optional[str]


class InvoiceRecord(TypedDict):
    """The bill for one completed work order."""

    invoice_id: str
    work_order_id: str
    customer_id: str
    issued_on: str
    due_on: str
    labour_cents: int
    parts_cents: int
    discount_cents: int
    total_cents: int
    paid_cents: int
    status: str


class PaymentRecord(TypedDict):
    """Money received for an invoice."""

    payment_id: str
    invoice_id: str
    amount_cents: int
    method: str
    paid_on: str


class PartQuantity(TypedDict):
    """A part and how many of it, as given to a tool."""

    part_id: str
    quantity: int


class VehicleRepairShop:
    """The workshop's books and the tools that the front desk uses on them."""

    def __init__(self, init_config: Dict[str, Any]) -> None:
        """Create an empty workshop.

        Args:
            init_config: Not read here.
        """
        del init_config  # the loader sets the attributes from the start state
        self.customers: Dict[str, CustomerRecord] = {}
        self.vehicles: Dict[str, VehicleRecord] = {}
        self.technicians: Dict[str, TechnicianRecord] = {}
        self.bays: Dict[str, BayRecord] = {}
        self.job_types: Dict[str, JobTypeRecord] = {}
        self.parts: Dict[str, PartRecord] = {}
        self.suppliers: Dict[str, SupplierRecord] = {}
        self.work_orders: Dict[str, WorkOrderRecord] = {}
        self.labour_lines: Dict[str, LabourLineRecord] = {}
        self.reservations: Dict[str, ReservationRecord] = {}
        self.purchase_orders: Dict[str, PurchaseOrderRecord] = {}
        self.invoices: Dict[str, InvoiceRecord] = {}
        self.payments: Dict[str, PaymentRecord] = {}

    # Queries

    def find_customers(self, query: str = "") -> Dict[str, Any]:
        """Find customers by name, phone, email, city, or by a vehicle of theirs.

        Every word of the query has to occur (upper or lower case) in the customer's name, phone, email or
        city, or in the plate, make, model or year of one of the customer's vehicles.

        Args:
            query: Words to look for, for example "Okafor" or "HH-KL 4821", at most 100 characters. Empty text
                lists every customer.

        Returns:
            ``data``: a list of customer records, each with ``vehicles`` (vehicle records, each with
            ``open_work_order_id`` or null), ``balance_due_cents`` (all unpaid invoices) and
            ``overdue_cents`` (the unpaid part of invoices past their due date).
        """
        if len(query) > MAX_QUERY:
            return self._long_query(query)
        open_orders = {
            order["vehicle_id"]: order["work_order_id"]
            for order in self.work_orders.values()
            if order["status"] not in ("invoiced", "cancelled")
        }
        fleets: Dict[str, List[VehicleRecord]] = {}
        for vehicle in self.vehicles.values():
            fleets.setdefault(vehicle["customer_id"], []).append(vehicle)
        balances = self._balances()
        words = query.lower().split()
        found = []
        for customer_id, customer in self.customers.items():
            fleet = fleets.get(customer_id, [])
            fields = [customer["name"], customer["phone"], customer["email"], customer["city"]]
            for entry in fleet:
                squashed = entry["plate"].replace("-", "").replace(" ", "")
                fields.append(f"{entry['plate']} {squashed} {entry['make']} {entry['model']} {entry['year']}")
            if self._matches(words, fields):
                due, overdue = balances.get(customer_id, (0, 0))
                found.append(
                    {
                        **self._view(customer),
                        "vehicles": [
                            {**self._view(entry), "open_work_order_id": open_orders.get(entry["vehicle_id"])}
                            for entry in fleet
                        ],
                        "balance_due_cents": due,
                        "overdue_cents": overdue,
                    }
                )
        return {"success": True, "data": found}

    def list_work_orders(
        self,
        status: Optional[Literal["estimate", "approved", "in_progress", "completed", "invoiced", "cancelled"]] = None,
        customer_id: Optional[str] = None,
        vehicle_id: Optional[str] = None,
    ) -> Dict[str, Any]:
        """List work orders, oldest first, all filters combined.

        Args:
            status: Keep orders with this status: "estimate", "approved", "in_progress", "completed",
                "invoiced" or "cancelled". Leave out for every status.
            customer_id: Keep orders of this customer, for example "CUS-0004".
            vehicle_id: Keep orders of this vehicle, for example "VEH-0011".

        Returns:
            ``data``: a list of work order records, each with the vehicle's ``plate``, the ``customer_name``
            and ``total_cents`` (labour plus parts, before any discount).
        """
        if customer_id is not None and customer_id not in self.customers:
            return self._unknown("customer", customer_id, "find_customers")
        if vehicle_id is not None and vehicle_id not in self.vehicles:
            return self._unknown("vehicle", vehicle_id, "find_customers")
        totals = self._order_totals()
        found = [
            {
                **self._view(order),
                "plate": self.vehicles[order["vehicle_id"]]["plate"],
                "customer_name": self.customers[order["customer_id"]]["name"],
                "total_cents": totals.get(order["work_order_id"], 0),
            }
            for order in self.work_orders.values()
            if (status is None or order["status"] == status)
            and (customer_id is None or order["customer_id"] == customer_id)
            and (vehicle_id is None or order["vehicle_id"] == vehicle_id)
        ]
        found.sort(key=lambda entry: (entry["opened_on"], entry["work_order_id"]))
        return {"success": True, "data": found}

    def get_work_order(self, work_order_id: str) -> Dict[str, Any]:
        """Read one work order with its labour lines, part reservations and totals.

        Args:
            work_order_id: Id of the order, for example "WO-0012".

        Returns:
            ``data``: the work order record with ``labour_lines`` (each with ``job_name``), ``reservations``
            (each with ``part_name``), ``labour_cents``, ``parts_cents``, ``total_cents`` (before any
            discount) and ``approval_limit_cents`` (110% of the approved total, null before any approval).
        """
        order = self.work_orders.get(work_order_id)
        if order is None:
            return self._unknown("work order", work_order_id, "list_work_orders")
        lines = [
            {**self._view(line), "job_name": self.job_types[line["job_type_id"]]["name"]}
            for line in self._lines_of(work_order_id)
        ]
        reservations = [
            {**self._view(entry), "part_name": self.parts[entry["part_id"]]["name"]}
            for entry in self.reservations.values()
            if entry["work_order_id"] == work_order_id
        ]
        labour, parts = self._labour_cents(work_order_id), self._parts_cents(work_order_id)
        approved = order["approved_total_cents"]
        limit = None if approved is None else approved * APPROVAL_LIMIT_PERCENT // 100
        data = {
            **self._view(order),
            "labour_lines": lines,
            "reservations": reservations,
            "labour_cents": labour,
            "parts_cents": parts,
            "total_cents": labour + parts,
            "approval_limit_cents": limit,
        }
        return {"success": True, "data": data}

    def search_job_types(self, query: str = "") -> Dict[str, Any]:
        """Search the labour price list by name or by what a job requires.

        Args:
            query: Words that have to occur (upper or lower case) in the job's name, required certification
                or required equipment, for example "brake pads", at most 100 characters. Empty text lists
                every job type.

        Returns:
            ``data``: a list of job type records with ``required_certification`` and ``required_equipment``
            (null: none needed), ``standard_minutes`` and ``rate_cents_per_hour``.
        """
        if len(query) > MAX_QUERY:
            return self._long_query(query)
        words = query.lower().split()
        found = [
            self._view(job)
            for job in self.job_types.values()
            if self._matches(words, [job["name"], job["required_certification"] or "", job["required_equipment"] or ""])
        ]
        return {"success": True, "data": found}

    def find_technicians(
        self, query: str = "", certification: Optional[str] = None, on_date: Optional[str] = None
    ) -> Dict[str, Any]:
        """Find technicians by name and certification, with their free time on a date.

        Args:
            query: Words that have to occur in the technician's name, at most 100 characters. Empty text: any
                name.
            certification: Keep technicians who hold this certification, written as in the
                ``required_certification`` of a job type, for example "brakes".
            on_date: Date as YYYY-MM-DD. When given, each entry also has the bookings of that date.

        Returns:
            ``data``: a list of technician records. With ``on_date`` each has ``booked_minutes``,
            ``free_minutes`` and ``slots`` (start, end, bay and work order of each booking, in time order).
            A technician who is not ``active`` cannot be booked.
        """
        if len(query) > MAX_QUERY:
            return self._long_query(query)
        if on_date is not None and self._parse_date(on_date) is None:
            return self._fail(f"on_date {self._show(on_date)} is not a date; write it as YYYY-MM-DD")
        known = sorted({name for entry in self.technicians.values() for name in entry["certifications"]})
        if certification is not None and certification not in known:
            return self._fail(
                f"Nobody holds the certification {self._show(certification)}; there are {', '.join(known)}"
            )
        words = query.lower().split()
        found = []
        for technician in self.technicians.values():
            certified = certification is None or certification in technician["certifications"]
            if not certified or not self._matches(words, [technician["name"]]):
                continue
            entry = self._view(technician)
            if on_date is not None:
                slots = self._slots(on_date, "technician_id", technician["technician_id"])
                entry["booked_minutes"] = sum(slot["minutes"] for slot in slots)
                entry["free_minutes"] = technician["daily_minutes"] - entry["booked_minutes"]
                entry["slots"] = slots
            found.append(entry)
        return {"success": True, "data": found}

    def get_day_schedule(self, on_date: str, bay_id: Optional[str] = None) -> Dict[str, Any]:
        """Show the bays with their equipment and the slots booked in them on a date.

        Args:
            on_date: Date as YYYY-MM-DD.
            bay_id: Show only this bay, for example "BAY-02". Leave out for every bay.

        Returns:
            ``data``: a list of bay records, each with ``slots`` (line, work order, technician, start, end
            and minutes of each booking, in time order). The workshop is open Monday to Friday, 08:00 to
            18:00.
        """
        if self._parse_date(on_date) is None:
            return self._fail(f"on_date {self._show(on_date)} is not a date; write it as YYYY-MM-DD")
        if bay_id is not None and bay_id not in self.bays:
            return self._fail(f"No bay {self._show(bay_id)}; the bays are {', '.join(self.bays)}")
        data = [
            {**self._view(bay), "slots": self._slots(on_date, "bay_id", bay["bay_id"])}
            for bay in self.bays.values()
            if bay_id is None or bay["bay_id"] == bay_id
        ]
        return {"success": True, "data": data}

    def search_parts(self, query: str = "", *, needs_reorder: bool = False) -> Dict[str, Any]:
        """Search the parts store by part name, category or supplier.

        Args:
            query: Words that have to occur (upper or lower case) in the part's name or category or in the
                supplier's name, for example "brake pads golf", at most 100 characters. Empty text matches
                every part.
            needs_reorder: When true, keep only parts whose available stock plus what is already on order
                is below their reorder level.

        Returns:
            ``data``: a list of part records, each with ``supplier_name``, ``available`` (on hand minus
            reserved) and ``on_order`` (quantity on open purchase orders).
        """
        if len(query) > MAX_QUERY:
            return self._long_query(query)
        on_order: Dict[str, int] = {}
        for purchase in self.purchase_orders.values():
            if purchase["status"] == "ordered":
                for line in purchase["lines"]:
                    on_order[line["part_id"]] = on_order.get(line["part_id"], 0) + line["quantity"]
        words = query.lower().split()
        found = []
        for part_id, part in self.parts.items():
            supplier_name = self.suppliers[part["supplier_id"]]["name"]
            available = part["on_hand"] - part["reserved"]
            ordered = on_order.get(part_id, 0)
            if needs_reorder and available + ordered >= part["reorder_level"]:
                continue
            if self._matches(words, [part["name"], part["category"], supplier_name]):
                extra = {"supplier_name": supplier_name, "available": available, "on_order": ordered}
                found.append({**self._view(part), **extra})
        return {"success": True, "data": found}

    def list_purchase_orders(
        self, status: Optional[Literal["ordered", "received"]] = None, supplier: str = ""
    ) -> Dict[str, Any]:
        """List purchase orders to suppliers, with the supplier's terms.

        Args:
            status: Keep orders with this status: "ordered" (still to arrive) or "received". Leave out for
                both.
            supplier: Words that have to occur (upper or lower case) in the supplier's name, at most 100
                characters. Empty text: any.

        Returns:
            ``data``: an object with ``suppliers`` (records of the suppliers that match, with ``lead_days``
            and ``minimum_order_cents``) and ``purchase_orders`` (records with their lines and
            ``total_cents`` at cost).
        """
        if len(supplier) > MAX_QUERY:
            return self._long_query(supplier)
        words = supplier.lower().split()
        suppliers = [self._view(entry) for entry in self.suppliers.values() if self._matches(words, [entry["name"]])]
        wanted = {entry["supplier_id"] for entry in suppliers}
        orders = []
        for purchase in self.purchase_orders.values():
            if purchase["supplier_id"] in wanted and status in {None, purchase["status"]}:
                total = sum(line["quantity"] * line["unit_cost_cents"] for line in purchase["lines"])
                orders.append({**self._view(purchase), "total_cents": total})
        return {"success": True, "data": {"suppliers": suppliers, "purchase_orders": orders}}

    def list_invoices(
        self,
        customer_id: Optional[str] = None,
        status: Optional[Literal["open", "paid"]] = None,
        overdue_only: bool = False,
    ) -> Dict[str, Any]:
        """List invoices with their payments, all filters combined.

        Args:
            customer_id: Keep invoices of this customer, for example "CUS-0004".
            status: Keep invoices with this status: "open" (something is left to pay) or "paid".
            overdue_only: When true, keep only unpaid invoices whose due date is before today.

        Returns:
            ``data``: a list of invoice records, each with the ``customer_name``, ``amount_due_cents``,
            ``overdue`` and ``payments``.
        """
        if customer_id is not None and customer_id not in self.customers:
            return self._unknown("customer", customer_id, "find_customers")
        today = self._today()
        payments: Dict[str, List[Dict[str, Any]]] = {}
        for payment in self.payments.values():
            payments.setdefault(payment["invoice_id"], []).append(self._view(payment))
        found = []
        for invoice in self.invoices.values():
            overdue = invoice["status"] == "open" and invoice["due_on"] < today
            if (
                (customer_id is None or invoice["customer_id"] == customer_id)
                and (status is None or invoice["status"] == status)
                and (overdue or not overdue_only)
            ):
                found.append(
                    {
                        **self._view(invoice),
                        "customer_name": self.customers[invoice["customer_id"]]["name"],
                        "amount_due_cents": invoice["total_cents"] - invoice["paid_cents"],
                        "overdue": overdue,
                        "payments": payments.get(invoice["invoice_id"], []),
                    }
                )
        return {"success": True, "data": found}

    # Work orders

    def open_work_order(self, vehicle_id: str, complaint: str, odometer_km: int) -> Dict[str, Any]:
        """Open a work order for a vehicle, as an estimate without lines.

        Refused while the vehicle has another order that is not yet invoiced or cancelled, and while its
        owner has an overdue unpaid invoice. The vehicle's odometer reading is brought up to date.

        Args:
            vehicle_id: Id of the vehicle, for example "VEH-0011".
            complaint: What the customer reports or wants done, 3 to 300 characters on one line.
            odometer_km: Reading in kilometres today; at least the vehicle's last reading.

        Returns:
            ``data``: the new work order record with its ``work_order_id``.
        """
        vehicle = self.vehicles.get(vehicle_id)
        if vehicle is None:
            return self._unknown("vehicle", vehicle_id, "find_customers")
        text = complaint.strip()
        error = self._text_error("complaint", text) or self._new_order_error(vehicle, odometer_km)
        if error is not None:
            return self._fail(error)
        order: WorkOrderRecord = {
            "work_order_id": self._next_id(self.work_orders, "WO"),
            "vehicle_id": vehicle_id,
            "customer_id": vehicle["customer_id"],
            "status": "estimate",
            "complaint": text,
            "odometer_km": odometer_km,
            "opened_on": self._today(),
            "approved_total_cents": None,
            "approved_on": None,
            "started_on": None,
            "completed_on": None,
            "cancelled_on": None,
            "cancel_reason": None,
        }
        self.work_orders[order["work_order_id"]] = order
        vehicle["odometer_km"] = odometer_km
        return self._done(f"Work order {order['work_order_id']} opened for {vehicle['plate']}", order)

    def add_labour_line(self, work_order_id: str, job_type_id: str, minutes: Optional[int] = None) -> Dict[str, Any]:
        """Add a job from the price list to a work order that is not completed.

        A job type can be on an order once. When the new total is more than 110% of the total the customer
        approved, an approved or running order falls back to "estimate" and has to be approved (and
        started) again.

        Args:
            work_order_id: Id of an order with status "estimate", "approved" or "in_progress".
            job_type_id: Id from search_job_types, for example "JOB-07".
            minutes: Labour time in minutes, a multiple of 15 from 15 to 480. Leave out for the job type's
                standard time.

        Returns:
            ``data``: the new labour line with its ``line_id``, and ``order_status`` and ``total_cents`` of
            the order. The line still has to be booked with schedule_labour_line.
        """
        error = self._editable_error(work_order_id)
        if error is not None:
            return self._fail(error)
        job = self.job_types.get(job_type_id)
        if job is None:
            return self._unknown("job type", job_type_id, "search_job_types")
        if any(line["job_type_id"] == job_type_id for line in self._lines_of(work_order_id)):
            return self._fail(f"{job['name']} is already on {work_order_id}; remove that line first")
        booked = job["standard_minutes"] if minutes is None else minutes
        if not LABOUR_STEP_MINUTES <= booked <= MAX_LABOUR_MINUTES or booked % LABOUR_STEP_MINUTES:
            return self._fail(f"minutes is {self._show(booked)}; give a multiple of 15 from 15 to 480")
        line: LabourLineRecord = {
            "line_id": self._next_id(self.labour_lines, "LAB"),
            "work_order_id": work_order_id,
            "job_type_id": job_type_id,
            "minutes": booked,
            "rate_cents_per_hour": job["rate_cents_per_hour"],
            "price_cents": booked * job["rate_cents_per_hour"] // 60,
            "technician_id": None,
            "bay_id": None,
            "starts_at": None,
        }
        self.labour_lines[line["line_id"]] = line
        return self._done_with_order(f"{job['name']} added as {line['line_id']}", work_order_id, line)

    def schedule_labour_line(self, line_id: str, technician_id: str, bay_id: str, starts_at: str) -> Dict[str, Any]:
        """Book or rebook a labour line: who does it, in which bay and from when.

        Refused when the technician is not active, lacks the job's certification or would exceed the daily
        minutes; when the bay lacks the job's equipment; when the technician, the bay or the same order's
        vehicle is already booked at that time; outside opening hours (Monday to Friday, 08:00 to 18:00);
        in the past or more than 60 days ahead; and when work on the line has already begun.

        Args:
            line_id: Id of the labour line, for example "LAB-0021", of an order that is not completed.
            technician_id: Id from find_technicians, for example "TEC-03".
            bay_id: Id from get_day_schedule, for example "BAY-02".
            starts_at: Start as YYYY-MM-DDTHH:MM:00, for example "2025-03-11T09:30:00". The slot lasts as
                long as the line's minutes.

        Returns:
            ``data``: the labour line as booked.
        """
        line = self.labour_lines.get(line_id)
        if line is None:
            return self._unknown("labour line", line_id, "get_work_order")
        technician = self.technicians.get(technician_id)
        if technician is None:
            return self._unknown("technician", technician_id, "find_technicians")
        bay = self.bays.get(bay_id)
        if bay is None:
            return self._unknown("bay", bay_id, "get_day_schedule")
        start = self._parse_start(starts_at)
        if start is None:
            return self._fail(f"starts_at {self._show(starts_at)} is not a start; write it as YYYY-MM-DDTHH:MM:00")
        error = (
            self._editable_error(line["work_order_id"])
            or self._begun_error(line)
            or self._slot_time_error(start, line["minutes"])
            or self._slot_fit_error(line, technician, bay)
            or self._slot_clash_error(line, technician, bay_id, start)
        )
        if error is not None:
            return self._fail(error)
        line["technician_id"] = technician_id
        line["bay_id"] = bay_id
        line["starts_at"] = start.isoformat()
        return self._done(f"{line_id} booked with {technician['name']} in {bay['name']}", line)

    def reserve_parts(self, work_order_id: str, items: List[PartQuantity]) -> Dict[str, Any]:
        """Reserve parts from stock for a work order that is not completed, all of them or none.

        Refused when a part has less available stock (on hand minus reserved) than asked for, or when the
        order already holds a reservation of the part. The price list's prices are kept with the
        reservation. When the new total is more than 110% of the total the customer approved, an approved
        or running order falls back to "estimate" and has to be approved (and started) again.

        Args:
            work_order_id: Id of an order with status "estimate", "approved" or "in_progress".
            items: 1 to 20 entries with ``part_id`` (from search_parts) and ``quantity`` (1 or more), each
                part once.

        Returns:
            ``data``: ``reservations`` (the new records) and ``order_status`` and ``total_cents`` of the
            order.
        """
        error = (
            self._editable_error(work_order_id)
            or self._items_error(items)
            or self._reservation_error(work_order_id, items)
        )
        if error is not None:
            return self._fail(error)
        added = []
        for item in items:
            part = self.parts[item["part_id"]]
            entry: ReservationRecord = {
                "reservation_id": self._next_id(self.reservations, "RES"),
                "work_order_id": work_order_id,
                "part_id": item["part_id"],
                "quantity": item["quantity"],
                "unit_price_cents": part["price_cents"],
                "status": "reserved",
            }
            self.reservations[entry["reservation_id"]] = entry
            part["reserved"] += item["quantity"]
            added.append(self._view(entry))
        message = f"{len(added)} part(s) reserved for {work_order_id}"
        return self._done_with_order(message, work_order_id, {"reservations": added})

    def remove_from_estimate(self, work_order_id: str, item_ids: List[str]) -> Dict[str, Any]:
        """Take labour lines and part reservations off a work order, all of them or none.

        A labour line is deleted together with its booking; a reservation is released and its parts become
        available again. Refused for a labour line on which work has begun, and for the last labour line of
        an order that is approved or in progress. A removal never changes the order's status.

        Args:
            work_order_id: Id of an order with status "estimate", "approved" or "in_progress".
            item_ids: 1 to 20 ids of labour lines ("LAB-0021") and active reservations ("RES-0007") of this
                order, each once.

        Returns:
            ``data``: ``removed`` (the ids) and ``order_status`` and ``total_cents`` of the order.
        """
        error = self._editable_error(work_order_id) or self._removal_error(work_order_id, item_ids)
        if error is not None:
            return self._fail(error)
        for item_id in item_ids:
            if item_id in self.labour_lines:
                del self.labour_lines[item_id]
            else:
                entry = self.reservations[item_id]
                entry["status"] = "released"
                self.parts[entry["part_id"]]["reserved"] -= entry["quantity"]
        message = f"{len(item_ids)} item(s) removed from {work_order_id}"
        return self._done_with_order(message, work_order_id, {"removed": list(item_ids)})

    def approve_estimate(self, work_order_id: str, approved_total_cents: int) -> Dict[str, Any]:
        """Record that the customer agreed to the estimate.

        Args:
            work_order_id: Id of an order with status "estimate" and at least one labour line.
            approved_total_cents: The total the customer agreed to, in cents; has to equal the order's
                current ``total_cents`` (labour plus parts, before any discount) as get_work_order shows it.

        Returns:
            ``data``: the work order record, now "approved".
        """
        order = self.work_orders.get(work_order_id)
        if order is None:
            return self._unknown("work order", work_order_id, "list_work_orders")
        if order["status"] != "estimate":
            return self._fail(self._wrong_status(order, "estimate"))
        if not self._lines_of(work_order_id):
            return self._fail(f"{work_order_id} has no labour line; add one with add_labour_line first")
        total = self._total_cents(work_order_id)
        if approved_total_cents != total:
            return self._fail(
                f"approved_total_cents is {self._show(approved_total_cents)}, the estimate is {total}; "
                "read it with get_work_order and have the customer agree to that total"
            )
        order["status"] = "approved"
        order["approved_total_cents"] = total
        order["approved_on"] = self._today()
        return self._done(f"{work_order_id} approved at {total} cents", order)

    def start_work(self, work_order_id: str) -> Dict[str, Any]:
        """Start the work on an approved order.

        Refused unless every labour line is booked and the first booked slot is today or earlier.

        Args:
            work_order_id: Id of an order with status "approved".

        Returns:
            ``data``: the work order record, now "in_progress".
        """
        order = self.work_orders.get(work_order_id)
        if order is None:
            return self._unknown("work order", work_order_id, "list_work_orders")
        if order["status"] != "approved":
            return self._fail(self._wrong_status(order, "approved"))
        starts = [line["starts_at"] or "" for line in self._lines_of(work_order_id)]
        if "" in starts:
            return self._fail(f"{work_order_id} has labour without a slot; use schedule_labour_line first")
        if min(starts)[:10] > self._today():
            return self._fail(
                f"The first slot of {work_order_id} is on {min(starts)[:10]}, today is {self._today()}; "
                "wait or rebook it with schedule_labour_line"
            )
        order["status"] = "in_progress"
        order["started_on"] = order["started_on"] or self._today()
        return self._done(f"Work on {work_order_id} started", order)

    def complete_work(self, work_order_id: str) -> Dict[str, Any]:
        """Complete a running order; its reserved parts are taken out of stock as used.

        Refused while a labour line has no slot or has one on a later date than today.

        Args:
            work_order_id: Id of an order with status "in_progress".

        Returns:
            ``data``: the work order record, now "completed", with ``used_parts`` (part ids and quantities).
        """
        order = self.work_orders.get(work_order_id)
        if order is None:
            return self._unknown("work order", work_order_id, "list_work_orders")
        if order["status"] != "in_progress":
            return self._fail(self._wrong_status(order, "in_progress"))
        today = self._today()
        for line in self._lines_of(work_order_id):
            if line["starts_at"] is None or line["starts_at"][:10] > today:
                return self._fail(
                    f"{line['line_id']} is booked for {line['starts_at'] or 'no time'}; "
                    "rebook it for today or remove it before completing the order"
                )
        used = []
        for entry in self._active_reservations(work_order_id):
            part = self.parts[entry["part_id"]]
            part["on_hand"] -= entry["quantity"]
            part["reserved"] -= entry["quantity"]
            entry["status"] = "used"
            used.append({"part_id": entry["part_id"], "quantity": entry["quantity"]})
        order["status"] = "completed"
        order["completed_on"] = today
        return {
            "success": True,
            "message": f"{work_order_id} completed; invoice it with create_invoice",
            "data": {**self._view(order), "used_parts": used},
        }

    def cancel_work_order(self, work_order_id: str, reason: str) -> Dict[str, Any]:
        """Cancel an order on which no work was started; its slots and parts become free.

        Args:
            work_order_id: Id of an order with status "estimate" or "approved" that was never started.
            reason: Why it is cancelled, 3 to 300 characters on one line.

        Returns:
            ``data``: the work order record, now "cancelled".
        """
        order = self.work_orders.get(work_order_id)
        if order is None:
            return self._unknown("work order", work_order_id, "list_work_orders")
        if order["status"] not in {"estimate", "approved"}:
            return self._fail(self._wrong_status(order, "estimate or approved"))
        if order["started_on"] is not None:
            return self._fail(
                f"Work on {work_order_id} was started on {order['started_on']}; "
                "remove what is not wanted with remove_from_estimate, have it approved and complete it"
            )
        text = reason.strip()
        error = self._text_error("reason", text)
        if error is not None:
            return self._fail(error)
        for line in self._lines_of(work_order_id):
            line["technician_id"] = line["bay_id"] = line["starts_at"] = None
        for entry in self._active_reservations(work_order_id):
            self.parts[entry["part_id"]]["reserved"] -= entry["quantity"]
            entry["status"] = "released"
        order["status"] = "cancelled"
        order["cancelled_on"] = self._today()
        order["cancel_reason"] = text
        return self._done(f"{work_order_id} cancelled", order)

    # Invoices and payments

    def create_invoice(self, work_order_id: str, *, goodwill_cents: int = 0) -> Dict[str, Any]:
        """Invoice a completed work order: labour plus parts minus discount.

        The discount is the customer's agreed percentage of the labour (rounded down to whole cents) plus
        the goodwill amount, and may not exceed 20% of labour plus parts. The invoice is due after the
        customer's payment terms.

        Args:
            work_order_id: Id of an order with status "completed".
            goodwill_cents: Extra reduction in cents on top of the agreed discount, 0 or more.

        Returns:
            ``data``: the new invoice record with its ``invoice_id``, ``total_cents`` and ``due_on``.
        """
        order = self.work_orders.get(work_order_id)
        if order is None:
            return self._unknown("work order", work_order_id, "list_work_orders")
        if order["status"] != "completed":
            return self._fail(self._wrong_status(order, "completed"))
        customer = self.customers[order["customer_id"]]
        labour, parts = self._labour_cents(work_order_id), self._parts_cents(work_order_id)
        agreed = labour * customer["labour_discount_percent"] // 100
        most = (labour + parts) * MAX_DISCOUNT_PERCENT // 100
        if not 0 <= goodwill_cents <= most - agreed:
            return self._fail(
                f"goodwill_cents is {self._show(goodwill_cents)}; with the agreed discount of {agreed} cents "
                f"it can be 0 to {most - agreed} (20% of labour plus parts in all)"
            )
        discount = agreed + goodwill_cents
        due_on = date.fromisoformat(self._today()) + timedelta(days=customer["payment_terms_days"])
        invoice: InvoiceRecord = {
            "invoice_id": self._next_id(self.invoices, "INV"),
            "work_order_id": work_order_id,
            "customer_id": order["customer_id"],
            "issued_on": self._today(),
            "due_on": due_on.isoformat(),
            "labour_cents": labour,
            "parts_cents": parts,
            "discount_cents": discount,
            "total_cents": labour + parts - discount,
            "paid_cents": 0,
            "status": "open",
        }
        self.invoices[invoice["invoice_id"]] = invoice
        order["status"] = "invoiced"
        return self._done(f"{invoice['invoice_id']} issued, due on {invoice['due_on']}", invoice)

    def record_payment(
        self, invoice_id: str, amount_cents: int, method: Literal["cash", "card", "transfer"]
    ) -> Dict[str, Any]:
        """Record money received for an open invoice, in full or in part.

        Args:
            invoice_id: Id of an invoice with something left to pay, for example "INV-0009".
            amount_cents: Amount in cents, from 1 to the amount still due.
            method: How it was paid: "cash", "card" or "transfer".

        Returns:
            ``data``: the new payment record with its ``payment_id``, and ``amount_due_cents`` that is left.
        """
        invoice = self.invoices.get(invoice_id)
        if invoice is None:
            return self._unknown("invoice", invoice_id, "list_invoices")
        due = invoice["total_cents"] - invoice["paid_cents"]
        if due == 0:
            return self._fail(f"{invoice_id} is paid in full; nothing is due on it")
        if not 1 <= amount_cents <= due:
            return self._fail(f"amount_cents is {self._show(amount_cents)}; {invoice_id} takes 1 to {due}")
        if method not in ACCEPTED_METHODS:
            return self._fail(f"method is {self._show(method)}; use cash, card or transfer")
        payment: PaymentRecord = {
            "payment_id": self._next_id(self.payments, "PAY"),
            "invoice_id": invoice_id,
            "amount_cents": amount_cents,
            "method": method,
            "paid_on": self._today(),
        }
        self.payments[payment["payment_id"]] = payment
        invoice["paid_cents"] += amount_cents
        left = due - amount_cents
        if left == 0:
            invoice["status"] = "paid"
        return {
            "success": True,
            "message": f"{payment['payment_id']} recorded for {invoice_id}, {left} cents left to pay",
            "data": {**self._view(payment), "amount_due_cents": left},
        }

    # Purchasing

    def create_purchase_order(self, supplier_id: str, items: List[PartQuantity]) -> Dict[str, Any]:
        """Order parts from their supplier at cost price.

        Refused when a part comes from another supplier or is already on an open purchase order, and when
        the order's value is below the supplier's minimum. It arrives after the supplier's lead days.

        Args:
            supplier_id: Id of the supplier, for example "SUP-02" (see search_parts, list_purchase_orders).
            items: 1 to 20 entries with ``part_id`` and ``quantity`` (1 to 500), each part once.

        Returns:
            ``data``: the new purchase order record with its ``purchase_order_id`` and ``expected_on``.
        """
        supplier = self.suppliers.get(supplier_id)
        if supplier is None:
            return self._unknown("supplier", supplier_id, "list_purchase_orders")
        error = self._items_error(items) or self._purchase_error(supplier, items)
        if error is not None:
            return self._fail(error)
        expected_on = date.fromisoformat(self._today()) + timedelta(days=supplier["lead_days"])
        purchase: PurchaseOrderRecord = {
            "purchase_order_id": self._next_id(self.purchase_orders, "PO"),
            "supplier_id": supplier_id,
            "status": "ordered",
            "lines": [
                {
                    "part_id": item["part_id"],
                    "quantity": item["quantity"],
                    "unit_cost_cents": self.parts[item["part_id"]]["cost_cents"],
                }
                for item in items
            ],
            "ordered_on": self._today(),
            "expected_on": expected_on.isoformat(),
            "received_on": None,
        }
        self.purchase_orders[purchase["purchase_order_id"]] = purchase
        return self._done(f"{purchase['purchase_order_id']} placed with {supplier['name']}", purchase)

    def receive_purchase_order(self, purchase_order_id: str) -> Dict[str, Any]:
        """Book the delivery of a purchase order into stock, once and in full.

        Args:
            purchase_order_id: Id of a purchase order with status "ordered", for example "PO-0006".

        Returns:
            ``data``: the purchase order record, now "received", with ``stock`` (new on-hand quantity of
            each of its parts).
        """
        purchase = self.purchase_orders.get(purchase_order_id)
        if purchase is None:
            return self._unknown("purchase order", purchase_order_id, "list_purchase_orders")
        if purchase["status"] != "ordered":
            return self._fail(
                f"{purchase_order_id} was received on {purchase['received_on']}; a delivery is booked once"
            )
        stock = {}
        for line in purchase["lines"]:
            part = self.parts[line["part_id"]]
            part["on_hand"] += line["quantity"]
            stock[line["part_id"]] = part["on_hand"]
        purchase["status"] = "received"
        purchase["received_on"] = self._today()
        return {
            "success": True,
            "message": f"{purchase_order_id} received into stock",
            "data": {**self._view(purchase), "stock": stock},
        }

    # Results

    @staticmethod
    def _fail(error: str) -> Dict[str, Any]:
        return {"success": False, "error": error}

    def _unknown(self, kind: str, value: str, tool: str) -> Dict[str, Any]:
        return self._fail(f"No {kind} {self._show(value)}; look the id up with {tool}")

    def _long_query(self, query: str) -> Dict[str, Any]:
        return self._fail(f"The search text has {len(query)} characters; use at most {MAX_QUERY}")

    def _done(self, message: str, record: Mapping[str, Any]) -> Dict[str, Any]:
        return {"success": True, "message": message, "data": self._view(record)}

    def _done_with_order(self, message: str, order_id: str, data: Mapping[str, Any]) -> Dict[str, Any]:
        """Report a change of an order's items; the order loses an approval that no longer covers them."""
        order = self.work_orders[order_id]
        total = self._total_cents(order_id)
        if order["status"] != "estimate" and not self._within_approval(order, total):
            order["status"] = "estimate"
            message += f"; the total of {total} cents is over 110% of the approved total: approve it again"
        return self._done(message, {**data, "order_status": order["status"], "total_cents": total})

    @staticmethod
    def _within_approval(order: WorkOrderRecord, total: int) -> bool:
        return total * 100 <= (order["approved_total_cents"] or 0) * APPROVAL_LIMIT_PERCENT

    @staticmethod
    def _view(record: Mapping[str, Any]) -> Dict[str, Any]:
        """Copy a record, its lists of values or of flat records included."""
        view = dict(record)
        for key, value in record.items():
            if isinstance(value, list):
                view[key] = [dict(item) if isinstance(item, dict) else item for item in value]
        return view

    @staticmethod
    def _show(value: Union[str, int]) -> str:
        if isinstance(value, int):
            return str(value) if abs(value) < LARGEST_SHOWN else "a number of over 18 digits"
        return repr(value if len(value) <= 60 else value[:57] + "...")

    @staticmethod
    def _wrong_status(order: WorkOrderRecord, needed: str) -> str:
        return f"{order['work_order_id']} is {order['status']}; this needs an order that is {needed}"

    # Reading arguments and state

    @staticmethod
    def _today() -> str:
        return datetime.now().date().isoformat()

    @staticmethod
    def _next_id(table: Mapping[str, Any], prefix: str) -> str:
        longest = max(map(len, table), default=0)  # ids are zero-padded, so the last of the longest is the largest
        last = max([key for key in table if len(key) == longest], default="0")
        return f"{prefix}-{int(last.rsplit('-', 1)[-1]) + 1:04d}"

    @staticmethod
    def _matches(words: List[str], fields: List[str]) -> bool:
        text = " ".join(fields).lower()
        for word in words:
            if word not in text:
                return False
        return True

    @staticmethod
    def _parse_date(text: str) -> Optional[date]:
        if re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", text) is None:
            return None
        try:
            return date.fromisoformat(text)
        except ValueError:
            return None

    @staticmethod
    def _parse_start(text: str) -> Optional[datetime]:
        if re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}(:00)?", text) is None:
            return None
        try:
            return datetime.fromisoformat(text)
        except ValueError:
            return None

    @staticmethod
    def _clock_minutes(starts_at: str) -> int:
        return int(starts_at[11:13]) * 60 + int(starts_at[14:16])

    def _lines_of(self, order_id: str) -> List[LabourLineRecord]:
        return [line for line in self.labour_lines.values() if line["work_order_id"] == order_id]

    def _active_reservations(self, order_id: str) -> List[ReservationRecord]:
        return [
            entry
            for entry in self.reservations.values()
            if entry["work_order_id"] == order_id and entry["status"] == "reserved"
        ]

    def _labour_cents(self, order_id: str) -> int:
        return sum(line["price_cents"] for line in self._lines_of(order_id))

    def _parts_cents(self, order_id: str) -> int:
        return sum(
            entry["quantity"] * entry["unit_price_cents"]
            for entry in self.reservations.values()
            if entry["work_order_id"] == order_id and entry["status"] != "released"
        )

    def _total_cents(self, order_id: str) -> int:
        return self._labour_cents(order_id) + self._parts_cents(order_id)

    def _order_totals(self) -> Dict[str, int]:
        totals: Dict[str, int] = {}
        for line in self.labour_lines.values():
            totals[line["work_order_id"]] = totals.get(line["work_order_id"], 0) + line["price_cents"]
        for entry in self.reservations.values():
            if entry["status"] != "released":
                price = entry["quantity"] * entry["unit_price_cents"]
                totals[entry["work_order_id"]] = totals.get(entry["work_order_id"], 0) + price
        return totals

    def _balances(self) -> Dict[str, Tuple[int, int]]:
        """Sum up what each customer owes: all of it, and the overdue part of it."""
        today = self._today()
        balances: Dict[str, Tuple[int, int]] = {}
        for invoice in self.invoices.values():
            due = invoice["total_cents"] - invoice["paid_cents"]
            total, overdue = balances.get(invoice["customer_id"], (0, 0))
            late = due if invoice["due_on"] < today else 0
            balances[invoice["customer_id"]] = (total + due, overdue + late)
        return balances

    def _slots(self, on_date: str, field: Literal["technician_id", "bay_id"], key: str) -> List[Dict[str, Any]]:
        slots = []
        for line in self.labour_lines.values():
            starts_at = line["starts_at"]
            if starts_at is not None and starts_at[:10] == on_date and line[field] == key:
                begin = self._clock_minutes(starts_at)
                end = begin + line["minutes"]
                slots.append(
                    {
                        "line_id": line["line_id"],
                        "work_order_id": line["work_order_id"],
                        "technician_id": line["technician_id"],
                        "bay_id": line["bay_id"],
                        "from": f"{begin // 60:02d}:{begin % 60:02d}",
                        "to": f"{end // 60:02d}:{end % 60:02d}",
                        "minutes": line["minutes"],
                    }
                )
        slots.sort(key=lambda slot: (str(slot["from"]), str(slot["line_id"])))
        return slots

    # Rules

    def _text_error(self, name: str, text: str) -> Optional[str]:
        if not 3 <= len(text) <= MAX_TEXT:
            return f"{name} has {len(text)} characters; write 3 to {MAX_TEXT}"
        if not text.isprintable():
            return f"{name} {self._show(text)} has line breaks or control characters; write one plain line"
        return None

    def _new_order_error(self, vehicle: VehicleRecord, odometer_km: int) -> Optional[str]:
        if not vehicle["odometer_km"] <= odometer_km <= MAX_ODOMETER_KM:
            return (
                f"odometer_km is {self._show(odometer_km)}; {vehicle['plate']} last read "
                f"{vehicle['odometer_km']}, give at least that and at most {MAX_ODOMETER_KM}"
            )
        for order in self.work_orders.values():
            if order["vehicle_id"] == vehicle["vehicle_id"] and order["status"] not in {
                "invoiced",
                "cancelled",
            }:
                return (
                    f"{vehicle['plate']} already has {order['work_order_id']} ({order['status']}); "
                    "a vehicle has one open order: add to that one, or invoice or cancel it first"
                )
        overdue = self._balances().get(vehicle["customer_id"], (0, 0))[1]
        if overdue > 0:
            return (
                f"{vehicle['customer_id']} has {overdue} cents overdue; no new order until it is paid "
                "(list_invoices with overdue_only, record_payment)"
            )
        return None

    def _editable_error(self, order_id: str) -> Optional[str]:
        order = self.work_orders.get(order_id)
        if order is None:
            return f"No work order {self._show(order_id)}; look the id up with list_work_orders"
        if order["status"] not in EDITABLE_STATUSES:
            return self._wrong_status(order, "estimate, approved or in_progress")
        return None

    def _items_error(self, items: List[PartQuantity]) -> Optional[str]:
        if not 1 <= len(items) <= MAX_ITEMS:
            return f"items has {len(items)} entries; give 1 to {MAX_ITEMS}"
        seen = set()
        for item in items:
            part_id, quantity = item["part_id"], item["quantity"]
            if part_id not in self.parts:
                return f"No part {self._show(part_id)}; look the id up with search_parts"
            if part_id in seen:
                return f"{part_id} is listed twice; give each part once with its whole quantity"
            if not 1 <= quantity <= MAX_ORDER_QUANTITY:
                return f"quantity of {part_id} is {self._show(quantity)}; give 1 to {MAX_ORDER_QUANTITY}"
            seen.add(part_id)
        return None

    def _reservation_error(self, order_id: str, items: List[PartQuantity]) -> Optional[str]:
        held = {entry["part_id"] for entry in self._active_reservations(order_id)}
        for item in items:
            part = self.parts[item["part_id"]]
            available = part["on_hand"] - part["reserved"]
            if item["part_id"] in held:
                return f"{order_id} already holds {part['name']}; remove it first"
            if item["quantity"] > available:
                return (
                    f"{item['quantity']} of {part['name']} asked for, {available} available; "
                    "reserve fewer or order more with create_purchase_order"
                )
        return None

    def _removal_error(self, order_id: str, item_ids: List[str]) -> Optional[str]:
        if not 1 <= len(item_ids) <= MAX_ITEMS or len(set(item_ids)) != len(item_ids):
            return f"item_ids has {len(item_ids)} entries; give 1 to {MAX_ITEMS}, each id once"
        lines = {line["line_id"]: line for line in self._lines_of(order_id)}
        active = {entry["reservation_id"] for entry in self._active_reservations(order_id)}
        for item_id in item_ids:
            if item_id in lines:
                error = self._begun_error(lines[item_id])
                if error is not None:
                    return error
            elif item_id not in active:
                return (
                    f"{self._show(item_id)} is no labour line or active reservation of {order_id}; see get_work_order"
                )
        if self.work_orders[order_id]["status"] != "estimate" and set(lines) <= set(item_ids):
            return f"{order_id} would be left without labour; keep at least one labour line"
        return None

    def _begun_error(self, line: LabourLineRecord) -> Optional[str]:
        """Refuse to touch a labour line of a started order whose slot has begun."""
        started_on = self.work_orders[line["work_order_id"]]["started_on"]
        starts_at = line["starts_at"]
        if started_on is None or starts_at is None or starts_at > datetime.now().isoformat():
            return None
        return f"Work on {line['line_id']} began at {starts_at}; it can no longer be moved or removed"

    @staticmethod
    def _slot_time_error(start: datetime, minutes: int) -> Optional[str]:
        now = datetime.now()
        shown = start.isoformat()
        if not now < start <= now + timedelta(days=SCHEDULE_DAYS_AHEAD):
            return (
                f"starts_at {shown} is not between now ({now.isoformat(timespec='seconds')}) and "
                f"{SCHEDULE_DAYS_AHEAD} days ahead; choose a time in that range"
            )
        begin = start.hour * 60 + start.minute
        if start.weekday() > FRIDAY or begin < OPENING_MINUTE or begin + minutes > CLOSING_MINUTE:
            return (
                f"{minutes} minutes from {shown} are outside opening hours; "
                "choose a slot on Monday to Friday that lies between 08:00 and 18:00"
            )
        return None

    def _slot_fit_error(self, line: LabourLineRecord, technician: TechnicianRecord, bay: BayRecord) -> Optional[str]:
        job = self.job_types[line["job_type_id"]]
        certification, equipment = job["required_certification"], job["required_equipment"]
        if not technician["active"]:
            return f"{technician['name']} is not active; choose another with find_technicians"
        if certification is not None and certification not in technician["certifications"]:
            return (
                f"{technician['name']} lacks the certification {certification} that {job['name']} requires; "
                "choose another with find_technicians"
            )
        if equipment is not None and equipment not in bay["equipment"]:
            return (
                f"{bay['name']} has no {equipment}, which {job['name']} requires; choose another with get_day_schedule"
            )
        return None

    def _slot_clash_error(
        self, line: LabourLineRecord, technician: TechnicianRecord, bay_id: str, start: datetime
    ) -> Optional[str]:
        """Refuse a slot that overlaps another of the technician, bay or order, or too long a day."""
        day = start.date().isoformat()
        begin = start.hour * 60 + start.minute
        booked = line["minutes"]
        for other in self.labour_lines.values():
            starts_at = other["starts_at"]
            if starts_at is None or starts_at[:10] != day or other["line_id"] == line["line_id"]:
                continue
            same_technician = other["technician_id"] == technician["technician_id"]
            if same_technician:
                booked += other["minutes"]
            other_begin = self._clock_minutes(starts_at)
            overlaps = other_begin < begin + line["minutes"] and begin < other_begin + other["minutes"]
            same_order = other["work_order_id"] == line["work_order_id"]
            if overlaps and (same_technician or same_order or other["bay_id"] == bay_id):
                what = "technician" if same_technician else "vehicle" if same_order else "bay"
                return (
                    f"The {what} is booked from {starts_at} for {other['minutes']} minutes "
                    f"({other['line_id']}); choose another time"
                )
        if booked > technician["daily_minutes"]:
            return (
                f"{technician['name']} would have {booked} minutes on {day}, "
                f"at most {technician['daily_minutes']}; choose another day or technician"
            )
        return None

    def _purchase_error(self, supplier: SupplierRecord, items: List[PartQuantity]) -> Optional[str]:
        open_parts = {
            line["part_id"]: purchase["purchase_order_id"]
            for purchase in self.purchase_orders.values()
            if purchase["status"] == "ordered"
            for line in purchase["lines"]
        }
        total = 0
        for item in items:
            part = self.parts[item["part_id"]]
            if part["supplier_id"] != supplier["supplier_id"]:
                return f"{part['name']} comes from {part['supplier_id']}; order it there"
            if item["part_id"] in open_parts:
                return (
                    f"{part['name']} is already on {open_parts[item['part_id']]}; "
                    "receive that delivery before ordering more"
                )
            total += item["quantity"] * part["cost_cents"]
        if total < supplier["minimum_order_cents"]:
            return (
                f"The order is worth {total} cents; {supplier['name']} delivers from "
                f"{supplier['minimum_order_cents']} cents: order more"
            )
        return None
