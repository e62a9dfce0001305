"""Prepare, check and hand out prescriptions, and keep stock and the controlled drug register."""

import re
from datetime import date, datetime, timedelta
from typing import Any, Dict, List, Literal, Mapping, Optional, Tuple, TypedDict


class StaffMember(TypedDict):
    """Somebody who works in the dispensary."""

    staff_id: str  # Id, such as ST-04.
    name: str  # Full name.
    role: Literal[
        "pharmacist", "technician", "assistant"
    ]  # Pharmacists check, technicians prepare, assistants hand out.
    registered_until: Optional[
        str
    ]  # Last day of the professional registration, YYYY-MM-DD; null for assistants, who have none.


class Patient(TypedDict):
    """Somebody whose prescriptions are kept here."""

    patient_id: str  # Id, such as PT-0217.
    name: str  # Full name.
    born_on: str  # Date of birth, YYYY-MM-DD.
    phone: str  # Telephone number.
    allergies: List[str]  # Substances and allergy groups that the patient must not have.
    copay_kind: Literal[
        "full", "reduced", "exempt"
    ]  # Whether the patient pays co-payments in full, half of them, or none.
    balance: int  # Co-payments charged and not yet paid, in the smallest unit of the currency.
    credit_limit: int  # Highest balance that is allowed, in the smallest unit of the currency.


class Product(TypedDict):
    """A medicine as a maker sells it."""

    product_id: str  # Id, such as MD-118.
    name: str  # Name on the pack, brand or generic, with the strength.
    substance: str  # Active substance, in lower case.
    presentation: str  # Strength and form of one unit; equal substance and presentation can replace each other.
    allergy_group: Optional[str]  # Group of substances that people allergic to one of them mostly do not tolerate.
    interacts_with: List[str]  # Substances that must not be taken along with it without a pharmacist's decision.
    controlled: bool  # Whether it is a controlled medicine, kept in the register.
    dental: bool  # Whether it is on the list that dentists may prescribe.
    copayment: int  # Full co-payment for one supply, in the smallest unit of the currency.


class Batch(TypedDict):
    """What is kept of one product from one lot of its maker."""

    batch_id: str  # Id, such as BT-0381.
    product_id: str  # Product that it holds.
    lot_number: str  # Lot number of the maker, as printed on the packs.
    expires_on: str  # Last day on which it may be used, YYYY-MM-DD.
    received_quantity: int  # Units that were delivered in all.
    quantity: int  # Units that are on the shelf, or in quarantine, now.
    status: Literal[
        "in_stock", "quarantined", "destroyed"
    ]  # Whether it may be picked from, is set aside, or has been destroyed.
    quarantine_reason: str  # Why it was quarantined; empty if it never was.


class Prescription(TypedDict):
    """A prescription for one product, with its repeats."""

    prescription_id: str  # Id, such as RX-2044.
    patient_id: str  # Whom it is for.
    product_id: str  # Product as prescribed.
    prescriber: str  # Name of the prescriber.
    prescriber_kind: Literal["doctor", "dentist", "nurse"]  # Profession of the prescriber.
    issued_on: str  # Day on which it was written, YYYY-MM-DD.
    quantity: int  # Units of one supply.
    days_supply: int  # Days that one supply lasts.
    supplies: int  # Supplies that it allows in all, the first one included.
    substitution_allowed: bool  # Whether an interchangeable product may be supplied instead.
    override_by: Optional[str]  # Pharmacist who overrode an allergy or interaction alert.
    override_reason: str  # Reason for the override; empty where there is none.
    status: Literal[
        "active", "completed", "cancelled"
    ]  # Whether supplies may be prepared, all have been collected, or it was cancelled.


class Dispensing(TypedDict):
    """One supply of a prescription, from preparation to collection."""

    dispensing_id: str  # Id, such as DS-5150.
    prescription_id: str  # Prescription that it supplies.
    product_id: str  # Product that is supplied.
    batches_used: Dict[str, int]  # Units taken from each batch, by the id of the batch.
    owed_quantity: int  # Units that the patient is still to get.
    prepared_by: str  # Who prepared it.
    prepared_on: str  # Day on which it was prepared, YYYY-MM-DD.
    checked_by: Optional[str]  # Pharmacist who checked it.
    status: Literal[
        "prepared", "checked", "collected", "returned"
    ]  # Prepared and checked ones wait for collection; returned ones went back to stock.
    collected_on: Optional[str]  # Day on which it was handed out, YYYY-MM-DD.
    copayment: int  # Co-payment charged at collection, in the smallest unit of the currency.
    paid: int  # What has been paid of it.


class RegisterEntry(TypedDict):
    """A line of the controlled drug register."""

    entry_id: str  # Id, such as CR-0719; entries are numbered in the order in which they were made.
    product_id: str  # Controlled product that it concerns.
    kind: Literal[
        "brought_forward", "received", "supplied", "destroyed"
    ]  # Brought forward from the last book, received, supplied to a patient, or destroyed.
    quantity: int  # Units that it is about.
    balance: int  # Units of the product that there are after it.
    recorded_on: str  # Day of the entry, YYYY-MM-DD.
    made_by: str  # Who made the entry.
    witnessed_by: Optional[str]  # Second person, where there is one.
    dispensing_id: Optional[str]  # Dispensing that was supplied.
    batch_id: Optional[str]  # Batch that was received or destroyed.


class PharmacyDispensary:
    """You keep the dispensary of a community pharmacy. A prescription allows a number of supplies over its validity;
    each supply is prepared from the batches that expire first, checked by a pharmacist who did not prepare it,
    and handed out, where a co-payment is charged to the patient's balance. Stock may suffice for a part only; the
    rest is owed. Allergies and interactions stop a supply until a pharmacist overrides them. Recalled batches are
    quarantined, and what waits for collection from them goes back. Controlled products have a register with a
    running balance. Quantities are in units (tablets, capsules, millilitres, doses); amounts of money are whole
    numbers of the smallest unit of the local currency, such as cents or yen; days are written YYYY-MM-DD.
    """

    _VALID_DAYS = 180
    _VALID_DAYS_CONTROLLED = 28
    _EARLY_DAYS = 3
    _LONGEST_CONTROLLED = 30
    _INTERACTION_DAYS = 90
    _MOST_UNITS = 10000
    _SHELF_LIFE_DAYS = 90
    _WAITING = ("prepared", "checked")
    _LOOK_UPS: Mapping[str, str] = {
        "staff": "There is no member of staff {}. find_staff looks people up by name or role.",
        "patients": "There is no patient {}. find_patients looks patients up by name or date of birth.",
        "products": "There is no product {}. find_products looks products up by name or substance.",
        "batches": "There is no batch {}. find_batches looks batches up by product or lot number.",
        "prescriptions": "There is no prescription {}. find_prescriptions looks them up by patient or product.",
        "dispensings": "There is no dispensing {}. find_dispensings looks them up by patient or prescription.",
    }
    _PLAIN = str.maketrans(
        "àáâãäåāçćèéêëēęěğìíîïīıłñńòóôõöøōřśšşùúûüūůýÿźżž",
        "aaaaaaacceeeeeeegiiiiiilnnooooooorsssuuuuuuyyzzz",
    )

    def __init__(self, init_config: Dict[str, Any]) -> None:
        """Start with empty collections.

        Args:
            init_config: Ignored; whoever loads a start state sets the attributes.
        """
        del init_config
        self.staff: Dict[str, StaffMember] = {}
        self.patients: Dict[str, Patient] = {}
        self.products: Dict[str, Product] = {}
        self.batches: Dict[str, Batch] = {}
        self.prescriptions: Dict[str, Prescription] = {}
        self.dispensings: Dict[str, Dispensing] = {}
        self.register_entries: Dict[str, RegisterEntry] = {}

    def find_patients(
        self,
        name: Optional[str] = None,
        born_on: Optional[str] = None,
        phone: Optional[str] = None,
        owing_money: bool = False,
    ) -> Dict[str, Any]:
        """Find patients by name, date of birth or telephone number, or all who owe co-payments.

        Without filters, all patients are listed. Case and common accents do not count.

        Args:
            name: Part of the name.
            born_on: Date of birth, YYYY-MM-DD.
            phone: Part of the telephone number, written as it is kept.
            owing_money: Only patients whose balance is not zero.

        Returns:
            data: A list of patients: patient_id, name, born_on, phone, allergies, copay_kind, balance and
                credit_limit.
        """
        problem = self._blank(name=name, phone=phone) or self._no_day("born_on", born_on)
        if problem:
            return self._refuse(problem)
        found = [
            self._patient_row(patient)
            for patient in self.patients.values()
            if self._holds(patient["name"], name)
            and born_on in (None, patient["born_on"])
            and self._holds(patient["phone"], phone)
            and (patient["balance"] != 0 or not owing_money)
        ]
        return {"success": True, "data": found}

    def get_patient(self, patient_id: str) -> Dict[str, Any]:
        """Read a patient's medication record: allergies, balance, active prescriptions and recent medicines.

        Args:
            patient_id: The patient.

        Returns:
            data: The patient with active_prescriptions (ids with product_name), current_medicines (dispensings
                that wait or were collected in the last 90 days: dispensing_id, prescription_id, product_name,
                substance, status, collected_on, owed_quantity) and credit_left, what may still be charged before
                something is paid.
        """
        problem = self._missing("patients", patient_id)
        if problem:
            return self._refuse(problem)
        patient = self.patients[patient_id]
        active = [
            {"prescription_id": key, "product_name": self._product_name(prescription["product_id"])}
            for key, prescription in self.prescriptions.items()
            if prescription["patient_id"] == patient_id and prescription["status"] == "active"
        ]
        data = self._patient_row(patient)
        data["active_prescriptions"] = active
        data["current_medicines"] = [self._medicine_row(each) for each in self._current_dispensings(patient_id)]
        data["credit_left"] = patient["credit_limit"] - patient["balance"]
        return {"success": True, "data": data}

    def find_products(
        self,
        name: Optional[str] = None,
        substance: Optional[str] = None,
        replaces: Optional[str] = None,
        controlled: Optional[bool] = None,
    ) -> Dict[str, Any]:
        """Find products by name or substance, or those that can replace another one, with the stock of each.

        Args:
            name: Part of the name on the pack, in any case.
            substance: Part of the active substance, in any case.
            replaces: Id of a product that they can replace: those of equal substance and presentation.
            controlled: Only controlled ones, or only others.

        Returns:
            data: A list of products: product_id, name, substance, presentation, allergy_group, interacts_with,
                controlled, dental, copayment, and units_on_shelf, which are in stock and not past their expiry.
        """
        problem = self._blank(name=name, substance=substance) or self._missing("products", replaces)
        if problem:
            return self._refuse(problem)
        found = []
        for key, product in self.products.items():
            fits = replaces is None or (key != replaces and self._interchangeable(key, replaces))
            if (
                fits
                and self._holds(product["name"], name)
                and self._holds(product["substance"], substance)
                and controlled in (None, product["controlled"])
            ):
                row = {**product, "interacts_with": list(product["interacts_with"])}
                found.append({**row, "units_on_shelf": self._units(self._usable(key, 0))})
        return {"success": True, "data": found}

    def find_batches(
        self,
        product_id: Optional[str] = None,
        lot_number: Optional[str] = None,
        status: Optional[Literal["in_stock", "quarantined", "destroyed"]] = None,
        expires_before: Optional[str] = None,
    ) -> Dict[str, Any]:
        """Find batches by product, lot number, status or expiry, those that expire first on top.

        Args:
            product_id: Product that they hold.
            lot_number: Part of the lot number, in any case.
            status: Status.
            expires_before: Only those whose last day is before this one, YYYY-MM-DD.

        Returns:
            data: A list of batches: batch_id, product_id, product_name, lot_number, expires_on,
                received_quantity, quantity, status, quarantine_reason, and held_for_collection, the units that
                waiting dispensings hold.
        """
        problem = (
            self._missing("products", product_id)
            or self._blank(lot_number=lot_number)
            or self._no_day("expires_before", expires_before)
        )
        if problem:
            return self._refuse(problem)
        found = [
            {
                **batch,
                "product_name": self._product_name(batch["product_id"]),
                "held_for_collection": sum(each["batches_used"][key] for each in self._waiting_with(key)),
            }
            for key, batch in self.batches.items()
            if product_id in (None, batch["product_id"])
            and self._holds(batch["lot_number"], lot_number)
            and status in (None, batch["status"])
            and (expires_before is None or batch["expires_on"] < expires_before)
        ]
        found.sort(key=lambda row: (row["expires_on"], row["batch_id"]))
        return {"success": True, "data": found}

    def trace_batch(self, batch_id: str) -> Dict[str, Any]:
        """Trace who has been given or is to be given units of a batch, as for a recall.

        Args:
            batch_id: The batch.

        Returns:
            data: The batch with product_name and supplied_to, a list of dispensing_id, patient_id, patient_name,
                phone, units, status and collected_on.
        """
        problem = self._missing("batches", batch_id)
        if problem:
            return self._refuse(problem)
        batch = self.batches[batch_id]
        supplied = []
        for key, dispensing in self.dispensings.items():
            if batch_id in dispensing["batches_used"]:
                patient = self._patient_of(dispensing)
                supplied.append(
                    {
                        "dispensing_id": key,
                        "patient_id": patient.get("patient_id"),
                        "patient_name": patient.get("name"),
                        "phone": patient.get("phone"),
                        "units": dispensing["batches_used"][batch_id],
                        "status": dispensing["status"],
                        "collected_on": dispensing["collected_on"],
                    }
                )
        data = {**batch, "product_name": self._product_name(batch["product_id"]), "supplied_to": supplied}
        return {"success": True, "data": data}

    def find_prescriptions(
        self,
        patient_id: Optional[str] = None,
        product_id: Optional[str] = None,
        prescriber: Optional[str] = None,
        status: Optional[Literal["active", "completed", "cancelled"]] = None,
    ) -> Dict[str, Any]:
        """Find prescriptions by patient, product, prescriber or status.

        Args:
            patient_id: Whom they are for.
            product_id: Product as prescribed.
            prescriber: Part of the prescriber's name, in any case.
            status: Status.

        Returns:
            data: A list of prescriptions: prescription_id, patient_id, patient_name, product_id, product_name,
                prescriber, prescriber_kind, issued_on, quantity, days_supply, supplies, substitution_allowed,
                override_by, override_reason and status.
        """
        problem = (
            self._missing("patients", patient_id)
            or self._missing("products", product_id)
            or self._blank(prescriber=prescriber)
        )
        if problem:
            return self._refuse(problem)
        found = [
            self._prescription_row(prescription)
            for prescription in self.prescriptions.values()
            if patient_id in (None, prescription["patient_id"])
            and product_id in (None, prescription["product_id"])
            and self._holds(prescription["prescriber"], prescriber)
            and status in (None, prescription["status"])
        ]
        return {"success": True, "data": found}

    def review_prescription(self, prescription_id: str) -> Dict[str, Any]:
        """Review a prescription: validity, supplies left, next day, alerts, and what stands in the way today.

        Args:
            prescription_id: The prescription.

        Returns:
            data: The prescription with patient_name, product_name, valid_until, supplies_left, next_supply_from
                (null where none is left), alerts (allergies and interactions of the prescribed product),
                units_available today for a full course, copayment of the patient for one supply, and obstacles, a
                list of what would keep a supply from being prepared today.
        """
        problem = self._missing("prescriptions", prescription_id)
        if problem:
            return self._refuse(problem)
        prescription = self.prescriptions[prescription_id]
        patient = self.patients.get(prescription["patient_id"])
        product_id = prescription["product_id"]
        data = self._prescription_row(prescription)
        data["valid_until"] = self._valid_until(prescription)
        left = self._supplies_left(prescription)
        data["supplies_left"] = left
        data["next_supply_from"] = self._next_supply_from(prescription) if left else None
        data["alerts"] = self._alerts(prescription, product_id)
        available = self._units(self._usable(product_id, prescription["days_supply"]))
        data["units_available"] = available
        data["copayment"] = self._copayment(patient, self.products.get(product_id))
        obstacles = [self._closed(prescription)]
        if left:
            obstacles += [self._not_valid(prescription), self._too_early(prescription)]
            obstacles += [] if prescription["override_by"] else data["alerts"]
            if available < prescription["quantity"]:
                obstacles.append(f"Only {available} of the {prescription['quantity']} units can be picked.")
        data["obstacles"] = [each for each in obstacles if each]
        return {"success": True, "data": data}

    def find_dispensings(
        self,
        patient_id: Optional[str] = None,
        prescription_id: Optional[str] = None,
        product_id: Optional[str] = None,
        status: Optional[Literal["prepared", "checked", "collected", "returned"]] = None,
        owing_units: bool = False,
    ) -> Dict[str, Any]:
        """Find dispensings by patient, prescription, product or status, or those that still owe something.

        Args:
            patient_id: Whom they are for.
            prescription_id: Prescription that they supply.
            product_id: Product that is supplied.
            status: Status.
            owing_units: Only those of which a quantity is owed to the patient.

        Returns:
            data: A list of dispensings: dispensing_id, prescription_id, product_id, batches_used (units by batch
                id), owed_quantity, prepared_by, prepared_on, checked_by, status, collected_on, copayment and
                paid, with patient_id, patient_name and product_name.
        """
        problem = (
            self._missing("patients", patient_id)
            or self._missing("prescriptions", prescription_id)
            or self._missing("products", product_id)
        )
        if problem:
            return self._refuse(problem)
        found = []
        for dispensing in self.dispensings.values():
            patient = self._patient_of(dispensing)
            if (
                patient_id in (None, patient.get("patient_id"))
                and prescription_id in (None, dispensing["prescription_id"])
                and product_id in (None, dispensing["product_id"])
                and status in (None, dispensing["status"])
                and (dispensing["owed_quantity"] > 0 or not owing_units)
            ):
                found.append(
                    {
                        **dispensing,
                        "batches_used": dict(dispensing["batches_used"]),
                        "patient_id": patient.get("patient_id"),
                        "patient_name": patient.get("name"),
                        "product_name": self._product_name(dispensing["product_id"]),
                    }
                )
        return {"success": True, "data": found}

    def read_register(self, product_id: str) -> Dict[str, Any]:
        """Read the controlled drug register of a product and compare its balance with the stock.

        Args:
            product_id: The controlled product.

        Returns:
            data: product_id, product_name, entries (entry_id, kind, quantity, balance, recorded_on, made_by,
                witnessed_by, dispensing_id, batch_id, oldest first), balance, units_on_shelf (quarantine
                included) and units_waiting for collection.
        """
        problem = self._missing("products", product_id)
        if problem:
            return self._refuse(problem)
        product = self.products[product_id]
        if not product["controlled"]:
            return self._refuse(
                f"{product['name']} ({product_id}) is not controlled and has no register. "
                "find_products with controlled=true lists those that have one."
            )
        shelf = sum(batch["quantity"] for batch in self.batches.values() if batch["product_id"] == product_id)
        waiting = sum(
            sum(each["batches_used"].values())
            for each in self.dispensings.values()
            if each["product_id"] == product_id and each["status"] in self._WAITING
        )
        data = {
            "product_id": product_id,
            "product_name": product["name"],
            "entries": [
                {key: value for key, value in entry.items() if key != "product_id"}
                for entry in self._entries(product_id)
            ],
            "balance": self._balance(product_id),
            "units_on_shelf": shelf,
            "units_waiting": waiting,
        }
        return {"success": True, "data": data}

    def find_staff(
        self,
        name: Optional[str] = None,
        role: Optional[Literal["pharmacist", "technician", "assistant"]] = None,
    ) -> Dict[str, Any]:
        """Find members of staff by name or role, with whether they are registered today.

        Args:
            name: Part of the name, in any case.
            role: Role.

        Returns:
            data: A list of staff: staff_id, name, role, registered_until and registered_today, which assistants
                never are.
        """
        problem = self._blank(name=name)
        if problem:
            return self._refuse(problem)
        today = self._today()
        found = [
            {**person, "registered_today": (person["registered_until"] or "") >= today}
            for person in self.staff.values()
            if self._holds(person["name"], name) and role in (None, person["role"])
        ]
        return {"success": True, "data": found}

    def record_allergy(self, patient_id: str, allergy: str) -> Dict[str, Any]:
        """Record an allergy of a patient.

        Waiting dispensings that it forbids go back to stock, and earlier overrides on active prescriptions
        that it concerns no longer hold.

        Args:
            patient_id: The patient.
            allergy: A substance or an allergy group, written as products list it.

        Returns:
            message: The patient, the allergy, the dispensings that went back to stock, and the prescriptions
                whose override no longer holds.
        """
        problem = self._missing("patients", patient_id)
        if problem:
            return self._refuse(problem)
        patient = self.patients[patient_id]
        wanted = allergy.strip().casefold()
        known = sorted(set().union(*(self._allergens(product) for product in self.products.values())))
        term = next((each for each in known if each.casefold() == wanted), None)
        if term is None:
            return self._refuse(
                f"{allergy!r} is neither a substance nor an allergy group of any product. find_products shows both."
            )
        if term in patient["allergies"]:
            return self._refuse(f"The allergy to {term} of {patient['name']} ({patient_id}) is recorded already.")
        patient["allergies"].append(term)
        returned = self._record_allergy_conflicts(patient_id, term)
        for dispensing in returned:
            self._put_back(dispensing)
        message = f"The allergy to {term} of {patient['name']} ({patient_id}) is recorded."
        message += f" Back to stock: {self._ids(returned)}." if returned else " Nothing that waits has it."
        undone = self._record_allergy_overrides(patient_id, term)
        if undone:
            message += f" Overrides that no longer hold: {', '.join(undone)}."
        return {"success": True, "message": message}

    def _record_allergy_conflicts(self, patient_id: str, term: str) -> List[Dispensing]:
        """Return the waiting dispensings of a patient that an allergy forbids."""
        found = []
        for dispensing in self.dispensings.values():
            prescription = self.prescriptions.get(dispensing["prescription_id"])
            product = self.products.get(dispensing["product_id"])
            if (
                dispensing["status"] in self._WAITING
                and prescription is not None
                and prescription["patient_id"] == patient_id
                and product is not None
                and term in self._allergens(product)
            ):
                found.append(dispensing)
        return found

    def _record_allergy_overrides(self, patient_id: str, term: str) -> List[str]:
        """Undo the overrides on a patient's active prescriptions that an allergy forbids, and return which they were."""
        undone = []
        for key, prescription in self.prescriptions.items():
            product = self.products.get(prescription["product_id"])
            if (
                prescription["patient_id"] == patient_id
                and prescription["status"] == "active"
                and prescription["override_by"]
                and product is not None
                and term in self._allergens(product)
            ):
                prescription["override_by"] = None
                prescription["override_reason"] = ""
                undone.append(key)
        return undone

    def enter_prescription(
        self,
        patient_id: str,
        product_id: str,
        prescriber: str,
        prescriber_kind: Literal["doctor", "dentist", "nurse"],
        issued_on: str,
        quantity: int,
        days_supply: int,
        supplies: int = 1,
        substitution_allowed: bool = True,
    ) -> Dict[str, Any]:
        """Enter a prescription that a patient has brought or a surgery has sent.

        Refused where the prescriber may not prescribe the product: dentists only what is on the dental
        list, nurses nothing controlled. A controlled product is prescribed once, for 30 days at most.

        Args:
            patient_id: Whom it is for.
            product_id: Product as prescribed.
            prescriber: Name of the prescriber, up to 60 characters.
            prescriber_kind: Profession of the prescriber.
            issued_on: Day on which it was written, YYYY-MM-DD.
            quantity: Units of one supply, 1 to 1000.
            days_supply: Days that one supply lasts, 1 to 90.
            supplies: Supplies in all, the first one included, 1 to 12.
            substitution_allowed: Whether an interchangeable product may be supplied instead.

        Returns:
            message: The id of the new prescription, its patient, its product, the last day of its validity, and
                alerts.
        """
        name = prescriber.strip()
        problem = (
            self._missing("patients", patient_id)
            or self._missing("products", product_id)
            or self._bad_text("prescriber", name, 60)
            or self._no_day("issued_on", issued_on)
            or self._out_of("quantity", quantity, 1, 1000)
            or self._out_of("days_supply", days_supply, 1, 90)
            or self._out_of("supplies", supplies, 1, 12)
        )
        if problem:
            return self._refuse(problem)
        prescription: Prescription = {
            "prescription_id": self._next_id(self.prescriptions, "RX", 2000),
            "patient_id": patient_id,
            "product_id": product_id,
            "prescriber": name,
            "prescriber_kind": prescriber_kind,
            "issued_on": issued_on,
            "quantity": quantity,
            "days_supply": days_supply,
            "supplies": supplies,
            "substitution_allowed": substitution_allowed,
            "override_by": None,
            "override_reason": "",
            "status": "active",
        }
        problem = self._not_valid(prescription) or self._enter_prescription_scope(prescription)
        if problem:
            return self._refuse(problem)
        key = prescription["prescription_id"]
        self.prescriptions[key] = prescription
        alerts = self._alerts(prescription, product_id)
        message = (
            f"Prescription {key} for {self.patients[patient_id]['name']} ({patient_id}) is entered: {quantity} of "
            f"{self._product_name(product_id)}, number of supplies {supplies}, "
            f"valid until {self._valid_until(prescription)}."
        )
        return {"success": True, "message": " ".join([message, *alerts])}

    def _enter_prescription_scope(self, prescription: Prescription) -> Optional[str]:
        """Return why a prescription may not be written like that, or was entered before."""
        product = self.products[prescription["product_id"]]
        kind, controlled = prescription["prescriber_kind"], product["controlled"]
        if kind == "dentist" and not product["dental"]:
            return f"{product['name']} is not on the dental list, so a dentist cannot prescribe it; a doctor can."
        if kind == "nurse" and controlled:
            return f"{product['name']} is controlled, so a nurse cannot prescribe it; a doctor can."
        if controlled and prescription["supplies"] != 1:
            supplies = prescription["supplies"]
            return f"{product['name']} is controlled and is prescribed for a single supply, not for {supplies}."
        if controlled and prescription["days_supply"] > self._LONGEST_CONTROLLED:
            return (
                f"{product['name']} is controlled and is prescribed for at most {self._LONGEST_CONTROLLED} days, "
                f"not {prescription['days_supply']}."
            )
        for key, other in self.prescriptions.items():
            if self._enter_prescription_paper(other) == self._enter_prescription_paper(prescription):
                return f"The same prescription was entered before, as {key}, which is {other['status']}."
        return None

    def _enter_prescription_paper(self, prescription: Prescription) -> Tuple[str, str, str, str]:
        """Return what tells the paper of a prescription from others."""
        prescriber = self._fold(prescription["prescriber"])
        return prescription["patient_id"], prescription["product_id"], prescription["issued_on"], prescriber

    def cancel_prescription(self, prescription_id: str) -> Dict[str, Any]:
        """Cancel an active prescription, as the prescriber or the patient wishes.

        What its collected dispensings still owe lapses. One that waits for collection has to go back to
        stock first.

        Args:
            prescription_id: The prescription.

        Returns:
            message: The prescription, its patient and product, and the units that are no longer owed.
        """
        problem = self._missing("prescriptions", prescription_id)
        if problem:
            return self._refuse(problem)
        prescription = self.prescriptions[prescription_id]
        if prescription["status"] != "active":
            return self._refuse(
                f"Prescription {prescription_id} is {prescription['status']}; only active ones are cancelled."
            )
        supplied = self._supplied(prescription_id)
        waiting = [each for each in supplied if each["status"] in self._WAITING]
        if waiting:
            return self._refuse(
                f"Of prescription {prescription_id}, {self._ids(waiting)} waits for collection. "
                "return_to_stock puts it back first."
            )
        owed = sum(each["owed_quantity"] for each in supplied)
        for dispensing in supplied:
            dispensing["owed_quantity"] = 0
        prescription["status"] = "cancelled"
        return {
            "success": True,
            "message": f"Prescription {prescription_id} of {self._patient_name(prescription['patient_id'])} for "
            f"{self._product_name(prescription['product_id'])} is cancelled"
            + (f"; {owed} units are no longer owed." if owed else "."),
        }

    def override_alert(self, prescription_id: str, override_by: str, reason: str) -> Dict[str, Any]:
        """Record that a pharmacist lets the allergy and interaction alerts of a prescription pass, and why.

        Args:
            prescription_id: The prescription.
            override_by: The pharmacist who decides.
            reason: The reason, up to 200 characters.

        Returns:
            message: The prescription, the pharmacist and the alerts that no longer stand in the way.
        """
        text = reason.strip()
        problem = (
            self._missing("prescriptions", prescription_id)
            or self._may_not(override_by, "pharmacist")
            or self._bad_text("reason", text, 200)
        )
        if problem:
            return self._refuse(problem)
        prescription = self.prescriptions[prescription_id]
        if prescription["status"] != "active":
            return self._refuse(
                f"Prescription {prescription_id} is {prescription['status']}; only active ones are overridden."
            )
        if prescription["override_by"]:
            return self._refuse(
                f"The alerts of {prescription_id} were overridden by {prescription['override_by']} already."
            )
        alerts = self._alerts(prescription, prescription["product_id"])
        if not alerts:
            return self._refuse(f"Prescription {prescription_id} has no alert, so there is nothing to override.")
        prescription["override_by"] = override_by
        prescription["override_reason"] = text
        return {
            "success": True,
            "message": f"{self.staff[override_by]['name']} ({override_by}) lets {prescription_id} pass. "
            + " ".join(alerts),
        }

    def prepare_dispensing(
        self,
        prescription_id: str,
        prepared_by: str,
        product_id: Optional[str] = None,
        part_supply: bool = False,
    ) -> Dict[str, Any]:
        """Prepare the next supply of a prescription from the batches that expire first.

        Batches that would expire before the supply is used up are left out. Where stock falls short this is
        refused, unless a part may be supplied, and the rest owed. The next supply can be prepared from
        three days before the last one runs out.

        Args:
            prescription_id: The prescription.
            prepared_by: The pharmacist or technician who prepares it.
            product_id: Interchangeable product to supply instead of the prescribed one.
            part_supply: Supply what there is and owe the rest, where stock falls short.

        Returns:
            message: The id of the new dispensing, its product, the units from each batch, and the units that are
                owed.
        """
        problem = (
            self._missing("prescriptions", prescription_id)
            or self._may_not(prepared_by, "pharmacist", "technician")
            or self._missing("products", product_id)
        )
        if problem:
            return self._refuse(problem)
        prescription = self.prescriptions[prescription_id]
        chosen = product_id or prescription["product_id"]
        problem = (
            self._closed(prescription)
            or self._not_valid(prescription)
            or self._too_early(prescription)
            or self._prepare_dispensing_substitute(prescription, chosen)
        )
        if problem:
            return self._refuse(problem)
        alerts = self._alerts(prescription, chosen)
        if alerts and not prescription["override_by"]:
            return self._refuse(" ".join(alerts) + " A pharmacist can let it pass with override_alert.")
        wanted = prescription["quantity"]
        picked = self._pick(chosen, wanted, prescription["days_supply"])
        owed = wanted - sum(picked.values())
        if owed and (not picked or not part_supply):
            return self._refuse(
                self._prepare_dispensing_short(chosen, wanted, wanted - owed, prescription["days_supply"])
            )
        key = self._next_id(self.dispensings, "DS", 5000)
        self._take(picked)
        self.dispensings[key] = {
            "dispensing_id": key,
            "prescription_id": prescription_id,
            "product_id": chosen,
            "batches_used": picked,
            "owed_quantity": owed,
            "prepared_by": prepared_by,
            "prepared_on": self._today(),
            "checked_by": None,
            "status": "prepared",
            "collected_on": None,
            "copayment": 0,
            "paid": 0,
        }
        return {
            "success": True,
            "message": f"Dispensing {key} of prescription {prescription_id} is prepared: {self._product_name(chosen)}, "
            f"{self._picked_text(picked)}; {owed} units are owed. "
            f"A pharmacist other than {prepared_by} has to check it.",
        }

    def _prepare_dispensing_substitute(self, prescription: Prescription, product_id: str) -> Optional[str]:
        """Return why a product cannot be supplied on a prescription."""
        problem = self._missing("products", product_id)
        if problem or product_id == prescription["product_id"]:
            return problem
        key = prescription["prescription_id"]
        if not prescription["substitution_allowed"]:
            only = prescription["product_id"]
            return f"The prescriber of {key} does not allow substitution; only {only} may be supplied."
        if not self._interchangeable(product_id, prescription["product_id"]):
            return (
                f"Product {product_id} differs from {prescription['product_id']} in substance or presentation. "
                f"find_products with replaces={prescription['product_id']!r} lists what can replace it."
            )
        return None

    def _prepare_dispensing_short(self, product_id: str, wanted: int, available: int, days: int) -> str:
        """Return how short stock is, and the ways out."""
        until = self._later(self._today(), days)
        text = f"Of {self._product_name(product_id)} ({product_id}), {available} of {wanted} units last until {until}."
        if available:
            text += " part_supply=true supplies those and owes the rest;"
        return f"{text} find_products with replaces={product_id!r} lists what can replace it."

    def check_dispensing(self, dispensing_id: str, checked_by: str) -> Dict[str, Any]:
        """Record the accuracy check of a prepared dispensing by a pharmacist who did not prepare it.

        Args:
            dispensing_id: The dispensing.
            checked_by: The pharmacist who checks it.

        Returns:
            message: The dispensing, the pharmacist and the patient whom it waits for.
        """
        problem = self._missing("dispensings", dispensing_id) or self._may_not(checked_by, "pharmacist")
        if problem:
            return self._refuse(problem)
        dispensing = self.dispensings[dispensing_id]
        if dispensing["status"] != "prepared":
            return self._refuse(
                f"Dispensing {dispensing_id} is {dispensing['status']}; only prepared ones are checked."
            )
        if dispensing["prepared_by"] == checked_by:
            return self._refuse(
                f"{checked_by} prepared {dispensing_id}; another pharmacist has to check it. "
                "find_staff with role='pharmacist' lists them."
            )
        dispensing["checked_by"] = checked_by
        dispensing["status"] = "checked"
        patient = self._patient_of(dispensing)
        return {
            "success": True,
            "message": f"{self.staff[checked_by]['name']} ({checked_by}) has checked {dispensing_id}; "
            f"it waits for {patient.get('name')}.",
        }

    def hand_out(self, dispensing_id: str, staff_id: str) -> Dict[str, Any]:
        """Hand a checked dispensing out to its patient and charge the co-payment.

        Controlled products are handed out by a pharmacist and entered in the register. Refused after the
        validity of the prescription, and where the balance would exceed the credit limit: take a payment
        first.

        Args:
            dispensing_id: The dispensing.
            staff_id: Who hands it out; anybody of staff, a registered pharmacist for a controlled product.

        Returns:
            message: The dispensing, the patient, the co-payment charged, the new balance, what is owed, and the
                register entry if there is one.
        """
        problem = self._missing("dispensings", dispensing_id) or self._missing("staff", staff_id)
        if problem:
            return self._refuse(problem)
        dispensing = self.dispensings[dispensing_id]
        if dispensing["status"] != "checked":
            return self._refuse(self._hand_out_unchecked(dispensing))
        prescription = self.prescriptions.get(dispensing["prescription_id"])
        patient = self.patients.get(prescription["patient_id"]) if prescription else None
        product = self.products.get(dispensing["product_id"])
        if prescription is None or patient is None or product is None:
            return self._refuse(f"The prescription, patient or product of {dispensing_id} is not on file any more.")
        charge = self._copayment(patient, product)
        problem = (
            self._may_not_handle(staff_id, product, "technician", "assistant")
            or self._not_valid(prescription)
            or self._hand_out_credit(patient, charge)
        )
        if problem:
            return self._refuse(problem)
        dispensing["status"] = "collected"
        dispensing["collected_on"] = self._today()
        dispensing["copayment"] = charge
        patient["balance"] += charge
        units = sum(dispensing["batches_used"].values())
        entry = self._enter(
            product["product_id"], "supplied", units, staff_id, dispensing["checked_by"], dispensing_id, None
        )
        self._settle(prescription)
        return {
            "success": True,
            "message": f"Dispensing {dispensing_id} is handed out to {patient['name']}: {units} units, "
            f"{dispensing['owed_quantity']} owed. Co-payment {charge}, balance {patient['balance']}."
            + self._entry_text(entry),
        }

    def _hand_out_unchecked(self, dispensing: Dispensing) -> str:
        """Return why a dispensing that was not checked is not handed out."""
        key, status = dispensing["dispensing_id"], dispensing["status"]
        if status == "prepared":
            return f"Dispensing {key} is prepared and not checked. check_dispensing records the check of a pharmacist."
        return f"Dispensing {key} is {status}; only checked ones are handed out."

    def _hand_out_credit(self, patient: Patient, charge: int) -> Optional[str]:
        """Return why a co-payment cannot be charged to a patient."""
        balance, limit = patient["balance"], patient["credit_limit"]
        if balance + charge <= limit or charge == 0:
            return None
        return (
            f"The co-payment of {charge} would bring the balance of {patient['name']} from {balance} to "
            f"{balance + charge}, above the credit limit of {limit}. At least {balance + charge - limit} has to be paid "
            "first, with take_payment."
        )

    def return_to_stock(self, dispensing_id: str) -> Dict[str, Any]:
        """Return a waiting dispensing to stock.

        Its units go back into their batches, and the supply can be prepared again.

        Args:
            dispensing_id: The dispensing.

        Returns:
            message: The dispensing and the units that went back into each batch.
        """
        problem = self._missing("dispensings", dispensing_id)
        if problem:
            return self._refuse(problem)
        dispensing = self.dispensings[dispensing_id]
        if dispensing["status"] not in self._WAITING:
            return self._refuse(
                f"Dispensing {dispensing_id} is {dispensing['status']}; only prepared or checked ones go back to stock."
            )
        back = self._picked_text(dispensing["batches_used"])
        self._put_back(dispensing)
        return {"success": True, "message": f"Dispensing {dispensing_id} is returned; back in stock: {back}."}

    def supply_owed(self, dispensing_id: str, prepared_by: str, checked_by: str) -> Dict[str, Any]:
        """Supply what is owed on a collected dispensing, as far as stock goes, and hand it out at once.

        No further co-payment is charged. For a controlled product the checker hands it out and enters it in
        the register.

        Args:
            dispensing_id: The dispensing.
            prepared_by: The pharmacist or technician who prepares the rest.
            checked_by: Another person, a pharmacist, who checks it.

        Returns:
            message: The dispensing, the units from each batch, what is still owed, and the register entry if
                there is one.
        """
        problem = (
            self._missing("dispensings", dispensing_id)
            or self._may_not(prepared_by, "pharmacist", "technician")
            or self._may_not(checked_by, "pharmacist")
        )
        if problem:
            return self._refuse(problem)
        dispensing = self.dispensings[dispensing_id]
        prescription = self.prescriptions.get(dispensing["prescription_id"])
        problem = self._supply_owed_problem(dispensing, prescription, prepared_by, checked_by)
        if problem or prescription is None:
            return self._refuse(problem or f"The prescription of {dispensing_id} is not on file any more.")
        product_id = dispensing["product_id"]
        picked = self._pick(product_id, dispensing["owed_quantity"], prescription["days_supply"])
        if not picked:
            until = self._later(self._today(), prescription["days_supply"])
            return self._refuse(
                f"There is no {self._product_name(product_id)} ({product_id}) in stock that lasts until {until}, "
                f"so the {dispensing['owed_quantity']} units stay owed. receive_batch takes a delivery in."
            )
        self._take(picked)
        units = sum(picked.values())
        for key, taken in picked.items():
            dispensing["batches_used"][key] = dispensing["batches_used"].get(key, 0) + taken
        dispensing["owed_quantity"] -= units
        entry = self._enter(product_id, "supplied", units, checked_by, prepared_by, dispensing_id, None)
        self._settle(prescription)
        return {
            "success": True,
            "message": f"On {dispensing_id}, {units} owed units are handed out ({self._picked_text(picked)}); "
            f"{dispensing['owed_quantity']} are still owed." + self._entry_text(entry),
        }

    def _supply_owed_problem(
        self, dispensing: Dispensing, prescription: Optional[Prescription], prepared_by: str, checked_by: str
    ) -> Optional[str]:
        """Return why what a dispensing owes cannot be supplied by these people."""
        key, status = dispensing["dispensing_id"], dispensing["status"]
        if status != "collected":
            return f"Dispensing {key} is {status}; what is owed is supplied after the first part was collected."
        if dispensing["owed_quantity"] < 1:
            return f"Dispensing {key} owes nothing. find_dispensings with owing_units=true lists those that do."
        if prepared_by == checked_by:
            return f"{prepared_by} cannot both prepare and check; another pharmacist has to check it."
        if prescription is None:
            return None
        alerts = self._alerts(prescription, dispensing["product_id"])
        if alerts and not prescription["override_by"]:
            return " ".join(alerts) + " A pharmacist can let it pass with override_alert."
        return self._not_valid(prescription)

    def receive_batch(
        self, product_id: str, lot_number: str, expires_on: str, quantity: int, staff_id: str
    ) -> Dict[str, Any]:
        """Receive a delivery: a new batch, or more of a lot that is in stock already.

        It has to be good for 90 days at least. A controlled product is received by a pharmacist and entered
        in the register.

        Args:
            product_id: Product that was delivered.
            lot_number: Lot number on the packs: up to 20 letters, digits and hyphens.
            expires_on: Last day of use on the packs, YYYY-MM-DD.
            quantity: Units delivered, 1 to 10000.
            staff_id: The pharmacist or technician who received it.

        Returns:
            message: The id of the batch, the units in it now, the register entry if there is one, and the
                dispensings that are owed the product.
        """
        lot = lot_number.strip().upper()
        problem = (
            self._missing("products", product_id)
            or self._no_day("expires_on", expires_on)
            or self._out_of("quantity", quantity, 1, self._MOST_UNITS)
        )
        if problem:
            return self._refuse(problem)
        if not re.fullmatch(r"[A-Z0-9-]{1,20}", lot):
            return self._refuse(f"lot_number {lot_number!r} must be 1 to 20 letters, digits and hyphens.")
        least = self._later(self._today(), self._SHELF_LIFE_DAYS)
        if expires_on < least:
            return self._refuse(
                f"Lot {lot} expires on {expires_on}; what is received has to be good for {self._SHELF_LIFE_DAYS} days, "
                f"until {least} at least."
            )
        batch = next(
            (each for each in self.batches.values() if (each["product_id"], each["lot_number"]) == (product_id, lot)),
            None,
        )
        problem = self._may_not_handle(staff_id, self.products[product_id], "technician")
        if problem is None and batch is not None:
            problem = self._receive_batch_mismatch(batch, expires_on, quantity)
        if problem:
            return self._refuse(problem)
        if batch is None:
            batch = self._receive_batch_new(product_id, lot, expires_on)
        batch["received_quantity"] += quantity
        batch["quantity"] += quantity
        key = batch["batch_id"]
        entry = self._enter(product_id, "received", quantity, staff_id, None, None, key)
        owing = [
            each for each in self.dispensings.values() if each["product_id"] == product_id and each["owed_quantity"] > 0
        ]
        owed = f" Owed to patients on {self._ids(owing)}." if owing else ""
        return {
            "success": True,
            "message": f"{quantity} units of {self._product_name(product_id)} are received in batch {key}, lot {lot}, "
            f"which holds {batch['quantity']} now." + self._entry_text(entry) + owed,
        }

    def _receive_batch_mismatch(self, batch: Batch, expires_on: str, quantity: int) -> Optional[str]:
        """Return why a delivery cannot be added to the batch of its lot."""
        key, lot = batch["batch_id"], batch["lot_number"]
        if batch["status"] != "in_stock":
            return f"Lot {lot} is batch {key}, which is {batch['status']}; nothing can be added to it."
        if batch["expires_on"] != expires_on:
            return f"Lot {lot} is batch {key}, which expires on {batch['expires_on']}, not on {expires_on}. Look at the packs."
        return self._out_of(
            f"quantity of {key} with it", batch["received_quantity"] + quantity, 1, 10 * self._MOST_UNITS
        )

    def _receive_batch_new(self, product_id: str, lot: str, expires_on: str) -> Batch:
        """Return a new batch, which is empty."""
        key = self._next_id(self.batches, "BT", 300)
        self.batches[key] = {
            "batch_id": key,
            "product_id": product_id,
            "lot_number": lot,
            "expires_on": expires_on,
            "received_quantity": 0,
            "quantity": 0,
            "status": "in_stock",
            "quarantine_reason": "",
        }
        return self.batches[key]

    def quarantine_batch(self, batch_id: str, reason: str) -> Dict[str, Any]:
        """Set a batch aside after a recall, a fridge failure or damage.

        Waiting dispensings that hold units of it go back to stock. Who has collected some is told by
        trace_batch.

        Args:
            batch_id: The batch.
            reason: The reason, up to 200 characters.

        Returns:
            message: The batch, its units, the dispensings that went back to stock, and how many collected ones
                have units of it.
        """
        text = reason.strip()
        problem = self._missing("batches", batch_id) or self._bad_text("reason", text, 200)
        if problem:
            return self._refuse(problem)
        batch = self.batches[batch_id]
        if batch["status"] != "in_stock":
            return self._refuse(f"Batch {batch_id} is {batch['status']}; only one in stock is quarantined.")
        batch["status"] = "quarantined"
        batch["quarantine_reason"] = text
        waiting = self._waiting_with(batch_id)
        for dispensing in waiting:
            self._put_back(dispensing)
        collected = [
            each
            for each in self.dispensings.values()
            if each["status"] == "collected" and batch_id in each["batches_used"]
        ]
        back = self._ids(waiting) if waiting else "none"
        return {
            "success": True,
            "message": f"Batch {batch_id}, lot {batch['lot_number']}, is quarantined with {batch['quantity']} units. "
            f"Dispensings that went back to stock: {back}. Collected ones with units of it: {len(collected)}.",
        }

    def release_batch(self, batch_id: str, staff_id: str) -> Dict[str, Any]:
        """Put a quarantined batch back in stock, by decision of a pharmacist.

        Args:
            batch_id: The batch.
            staff_id: The pharmacist who releases it.

        Returns:
            message: The batch and the units that may be picked again.
        """
        problem = self._missing("batches", batch_id) or self._may_not(staff_id, "pharmacist")
        if problem:
            return self._refuse(problem)
        batch = self.batches[batch_id]
        if batch["status"] != "quarantined":
            return self._refuse(f"Batch {batch_id} is {batch['status']}; only a quarantined one is released.")
        if batch["expires_on"] < self._today():
            return self._refuse(
                f"Batch {batch_id} expired on {batch['expires_on']}. destroy_batch is what is left for it."
            )
        batch["status"] = "in_stock"
        return {
            "success": True,
            "message": f"Batch {batch_id}, lot {batch['lot_number']}, is in stock again "
            f"with {batch['quantity']} units.",
        }

    def destroy_batch(self, batch_id: str, staff_id: str, witnessed_by: Optional[str] = None) -> Dict[str, Any]:
        """Destroy what is left of a batch that is quarantined or past its expiry.

        A controlled product is destroyed before a witness, a pharmacist other than who does it, and entered
        in the register.

        Args:
            batch_id: The batch.
            staff_id: The pharmacist or technician who destroys it.
            witnessed_by: The pharmacist who is witness; needed for a controlled product.

        Returns:
            message: The batch, the units destroyed, and the register entry if there is one.
        """
        problem = self._missing("batches", batch_id) or self._may_not(staff_id, "pharmacist", "technician")
        if problem:
            return self._refuse(problem)
        no_witness = None if witnessed_by is None else self._may_not(witnessed_by, "pharmacist")
        if no_witness:
            return self._refuse(f"witnessed_by {witnessed_by!r} cannot be the witness: {no_witness}")
        batch = self.batches[batch_id]
        problem = self._destroy_batch_problem(batch, staff_id, witnessed_by)
        if problem:
            return self._refuse(problem)
        units = batch["quantity"]
        batch["quantity"] = 0
        batch["status"] = "destroyed"
        entry = self._enter(batch["product_id"], "destroyed", units, staff_id, witnessed_by, None, batch_id)
        return {
            "success": True,
            "message": f"{units} units of batch {batch_id}, lot {batch['lot_number']}, are destroyed."
            + self._entry_text(entry),
        }

    def _destroy_batch_problem(self, batch: Batch, staff_id: str, witnessed_by: Optional[str]) -> Optional[str]:
        """Return why a batch is not destroyed by these people."""
        key, today = batch["batch_id"], self._today()
        if batch["status"] == "destroyed":
            return f"Batch {key} is destroyed already."
        if batch["status"] == "in_stock" and batch["expires_on"] >= today:
            return (
                f"Batch {key} is in stock and good until {batch['expires_on']}. quarantine_batch sets it aside first."
            )
        if batch["quantity"] == 0:
            return f"Nothing is left of batch {key}."
        waiting = self._waiting_with(key)
        if waiting:
            return f"{self._ids(waiting)} waits with units of batch {key}. return_to_stock puts them back first."
        product = self.products.get(batch["product_id"])
        if product is not None and product["controlled"] and witnessed_by is None:
            return f"{product['name']} is controlled: witnessed_by has to name a pharmacist who is witness."
        if witnessed_by == staff_id:
            return f"{staff_id} cannot be the witness of what {staff_id} does; another pharmacist has to be."
        return None

    def take_payment(self, patient_id: str, amount: int) -> Dict[str, Any]:
        """Take a payment of a patient for co-payments, the oldest first.

        Args:
            patient_id: The patient.
            amount: Amount in the smallest unit of the currency; at most what the patient owes.

        Returns:
            message: The patient, the amount, the dispensings that it was put to, and the balance that is left.
        """
        problem = self._missing("patients", patient_id)
        if problem:
            return self._refuse(problem)
        patient = self.patients[patient_id]
        balance = patient["balance"]
        if balance < 1:
            return self._refuse(f"{patient['name']} ({patient_id}) owes nothing.")
        problem = self._out_of("amount", amount, 1, balance)
        if problem:
            return self._refuse(f"{problem} {patient['name']} owes {balance}.")
        charged = [
            each
            for each in self._in_order(self.dispensings)
            if each["status"] == "collected" and self._patient_of(each).get("patient_id") == patient_id
        ]
        left, paid = amount, []
        for dispensing in charged:
            part = min(left, dispensing["copayment"] - dispensing["paid"])
            if part > 0:
                dispensing["paid"] += part
                left -= part
                paid.append(f"{part} on {dispensing['dispensing_id']}")
        patient["balance"] -= amount
        return {
            "success": True,
            "message": f"{patient['name']} ({patient_id}) has paid {amount}: {', '.join(paid)}. "
            f"The balance is {patient['balance']}.",
        }

    def _refuse(self, error: str) -> Dict[str, Any]:
        """Return a refusal."""
        return {"success": False, "error": error}

    def _missing(self, table: str, key: Optional[str]) -> Optional[str]:
        """Return why a record that is named cannot be used; nothing where none is named."""
        tables: Dict[str, Any] = {
            "staff": self.staff,
            "patients": self.patients,
            "products": self.products,
            "batches": self.batches,
            "prescriptions": self.prescriptions,
            "dispensings": self.dispensings,
        }
        return None if key is None or key in tables[table] else self._LOOK_UPS[table].format(repr(key))

    def _blank(self, **texts: Optional[str]) -> Optional[str]:
        """Return which text to search for is blank."""
        for name, text in texts.items():
            if text is not None and not text.strip():
                return f"{name} is blank ({text!r}); give a part of it, or leave it out."
        return None

    def _bad_text(self, name: str, text: str, longest: int) -> Optional[str]:
        """Return why a text cannot be kept."""
        if 1 <= len(text) <= longest:
            return None
        if not text:
            return f"{name} is blank; write 1 to {longest} characters."
        return f"{name} must have 1 to {longest} characters, not {len(text)}."

    def _out_of(self, name: str, number: int, least: int, most: int) -> Optional[str]:
        """Return why a number is not within its limits."""
        return None if least <= number <= most else f"{name} must be {least} to {most}, not {number}."

    def _no_day(self, name: str, text: Optional[str]) -> Optional[str]:
        """Return why a text is no day; nothing where none is given."""
        problem = f"{name} {text!r} is no day; write it YYYY-MM-DD."
        if text is None:
            return None
        if not re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", text):
            return problem
        try:
            date.fromisoformat(text)
        except ValueError:
            return problem
        return None

    def _fold(self, text: str) -> str:
        """Fold case and common accents."""
        return text.strip().casefold().translate(self._PLAIN)

    def _holds(self, text: str, part: Optional[str]) -> bool:
        """Return whether a text holds a part; every text holds none."""
        return part is None or self._fold(part) in self._fold(text)

    def _today(self) -> str:
        """Return today."""
        return datetime.now().date().isoformat()

    def _later(self, day: str, days: int) -> str:
        """Return the day so many days after another one, or the last one there is."""
        start = date.fromisoformat(day)
        return (start + timedelta(days=min(days, (date.max - start).days))).isoformat()

    def _number(self, key: str) -> int:
        """Return the number of an id, as it is counted up."""
        found = re.search(r"([0-9]+)$", key)
        return int(found[1]) if found else 0

    def _next_id(self, table: Dict[str, Any], prefix: str, first: int) -> str:
        """Return the id of the next record of a table."""
        highest = max((self._number(key) for key in table), default=first)
        return f"{prefix}-{highest + 1:04d}"

    def _in_order(self, table: Dict[str, Any]) -> List[Any]:
        """Return the records of a table in the order of their numbers."""
        return [table[key] for key in sorted(table, key=lambda key: (self._number(key), key))]

    def _ids(self, dispensings: List[Dispensing]) -> str:
        """Return the ids of dispensings as text."""
        return ", ".join(dispensing["dispensing_id"] for dispensing in dispensings)

    def _may_not(self, staff_id: str, *roles: str) -> Optional[str]:
        """Return why somebody may not do what these roles may."""
        problem = self._missing("staff", staff_id)
        if problem:
            return problem
        person = self.staff[staff_id]
        if person["role"] not in roles:
            kind = "an assistant" if person["role"] == "assistant" else f"a {person['role']}"
            allowed = " or ".join(roles)
            return f"{person['name']} ({staff_id}) is {kind}; a {allowed} has to do it. find_staff lists them."
        if person["role"] != "assistant" and (person["registered_until"] or "") < self._today():
            until = person["registered_until"]
            return (
                f"The registration of {person['name']} ({staff_id}) lapsed after {until}. "
                "find_staff shows who is registered today."
            )
        return None

    def _may_not_handle(self, staff_id: str, product: Product, *others: str) -> Optional[str]:
        """Return why somebody may not handle a product, which others than pharmacists may if it is not controlled."""
        if not product["controlled"]:
            return self._may_not(staff_id, "pharmacist", *others)
        problem = self._may_not(staff_id, "pharmacist")
        return problem and f"{product['name']} is controlled. {problem}"

    def _product_name(self, product_id: str) -> str:
        """Return the name of a product, or its id where it is gone."""
        product = self.products.get(product_id)
        return product_id if product is None else product["name"]

    def _patient_name(self, patient_id: str) -> str:
        """Return the name of a patient, or the id where there is none any more."""
        patient = self.patients.get(patient_id)
        return patient_id if patient is None else patient["name"]

    def _patient_of(self, dispensing: Dispensing) -> Dict[str, Any]:
        """Return the patient of a dispensing; empty where there is none any more."""
        prescription = self.prescriptions.get(dispensing["prescription_id"])
        patient = None if prescription is None else self.patients.get(prescription["patient_id"])
        return {} if patient is None else dict(patient)

    def _patient_row(self, patient: Patient) -> Dict[str, Any]:
        """Return a patient as results show it."""
        return {**patient, "allergies": list(patient["allergies"])}

    def _prescription_row(self, prescription: Prescription) -> Dict[str, Any]:
        """Return a prescription as results show it."""
        patient_name = self._patient_name(prescription["patient_id"])
        return {
            **prescription,
            "patient_name": patient_name,
            "product_name": self._product_name(prescription["product_id"]),
        }

    def _medicine_row(self, dispensing: Dispensing) -> Dict[str, Any]:
        """Return a dispensing as the medication record shows it."""
        product = self.products.get(dispensing["product_id"])
        return {
            "dispensing_id": dispensing["dispensing_id"],
            "prescription_id": dispensing["prescription_id"],
            "product_name": self._product_name(dispensing["product_id"]),
            "substance": None if product is None else product["substance"],
            "status": dispensing["status"],
            "collected_on": dispensing["collected_on"],
            "owed_quantity": dispensing["owed_quantity"],
        }

    def _current_dispensings(self, patient_id: str) -> List[Dispensing]:
        """Return the dispensings that wait for a patient or were collected in the last 90 days."""
        since = self._today()
        since = (date.fromisoformat(since) - timedelta(days=self._INTERACTION_DAYS)).isoformat()
        return [
            each
            for each in self.dispensings.values()
            if self._patient_of(each).get("patient_id") == patient_id
            and (
                each["status"] in self._WAITING
                or (each["status"] == "collected" and (each["collected_on"] or "") >= since)
            )
        ]

    def _allergens(self, product: Product) -> List[str]:
        """Return the substance of a product and its allergy group, if it has one."""
        return [each for each in (product["substance"], product["allergy_group"]) if each]

    def _alerts(self, prescription: Prescription, product_id: str) -> List[str]:
        """Return the allergies and interactions that speak against supplying a product on a prescription."""
        product = self.products.get(product_id)
        patient = self.patients.get(prescription["patient_id"])
        if product is None or patient is None:
            return []
        alerts = [
            f"Allergy alert: {patient['name']} is allergic to {each}, and {product['name']} is {product['substance']}."
            for each in self._allergens(product)
            if each in patient["allergies"]
        ]
        others: Dict[str, Product] = {}
        for dispensing in self._current_dispensings(patient["patient_id"]):
            other = self.products.get(dispensing["product_id"])
            if other is not None and dispensing["prescription_id"] != prescription["prescription_id"]:
                others[other["substance"]] = other
        for substance in sorted(others):
            other = others[substance]
            if substance in product["interacts_with"] or product["substance"] in other["interacts_with"]:
                alerts.append(
                    f"Interaction alert: {product['substance']} with {substance}, "
                    f"which {patient['name']} has or waits for."
                )
        return alerts

    def _interchangeable(self, product_id: str, other_id: str) -> bool:
        """Return whether two products are of the same substance and presentation."""
        one, other = self.products[product_id], self.products.get(other_id)
        return (
            other is not None
            and one["substance"] == other["substance"]
            and one["presentation"] == other["presentation"]
            and one["controlled"] == other["controlled"]
        )

    def _usable(self, product_id: str, days: int) -> List[Batch]:
        """Return the batches that may be picked from for so many days, those that expire first on top."""
        until = self._later(self._today(), days)
        usable = [
            batch
            for batch in self.batches.values()
            if batch["product_id"] == product_id
            and batch["status"] == "in_stock"
            and batch["quantity"] > 0
            and batch["expires_on"] >= until
        ]
        return sorted(usable, key=lambda batch: (batch["expires_on"], self._number(batch["batch_id"])))

    def _units(self, batches: List[Batch]) -> int:
        """Return the units in batches."""
        return sum(batch["quantity"] for batch in batches)

    def _pick(self, product_id: str, wanted: int, days: int) -> Dict[str, int]:
        """Return how many units to take from which batch, as many as are wanted or there are."""
        picked: Dict[str, int] = {}
        for batch in self._usable(product_id, days):
            taken = min(batch["quantity"], wanted - sum(picked.values()))
            if taken > 0:
                picked[batch["batch_id"]] = taken
        return picked

    def _take(self, picked: Dict[str, int]) -> None:
        """Take units from their batches."""
        for key, units in picked.items():
            self.batches[key]["quantity"] -= units

    def _put_back(self, dispensing: Dispensing) -> None:
        """Return a waiting dispensing to stock."""
        for key, units in dispensing["batches_used"].items():
            if key in self.batches:
                self.batches[key]["quantity"] += units
        dispensing["batches_used"] = {}
        dispensing["owed_quantity"] = 0
        dispensing["status"] = "returned"

    def _picked_text(self, picked: Dict[str, int]) -> str:
        """Return units by batch as text."""
        return ", ".join(f"{units} from {key}" for key, units in picked.items()) or "no units"

    def _waiting_with(self, batch_id: str) -> List[Dispensing]:
        """Return the waiting dispensings that hold units of a batch."""
        return [
            each
            for each in self.dispensings.values()
            if each["status"] in self._WAITING and batch_id in each["batches_used"]
        ]

    def _supplied(self, prescription_id: str) -> List[Dispensing]:
        """Return the dispensings of a prescription that were not returned, in order."""
        return [
            each
            for each in self._in_order(self.dispensings)
            if each["prescription_id"] == prescription_id and each["status"] != "returned"
        ]

    def _supplies_left(self, prescription: Prescription) -> int:
        """Return how many supplies of a prescription can still be prepared."""
        if prescription["status"] != "active":
            return 0
        return max(0, prescription["supplies"] - len(self._supplied(prescription["prescription_id"])))

    def _valid_until(self, prescription: Prescription) -> str:
        """Return the last day on which a prescription is valid."""
        product = self.products.get(prescription["product_id"])
        controlled = product is not None and product["controlled"]
        return self._later(prescription["issued_on"], self._VALID_DAYS_CONTROLLED if controlled else self._VALID_DAYS)

    def _next_supply_from(self, prescription: Prescription) -> str:
        """Return the earliest day of the next supply."""
        supplied = self._supplied(prescription["prescription_id"])
        if not supplied:
            return str(prescription["issued_on"])
        last = max(each["prepared_on"] for each in supplied)
        return self._later(last, max(0, prescription["days_supply"] - self._EARLY_DAYS))

    def _closed(self, prescription: Prescription) -> Optional[str]:
        """Return why no further supply of a prescription can be prepared at all."""
        key = prescription["prescription_id"]
        if prescription["status"] != "active":
            return f"Prescription {key} is {prescription['status']}."
        for each in self._supplied(key):
            if each["status"] in self._WAITING:
                return f"An earlier supply of {key}, {each['dispensing_id']}, waits for collection."
            if each["owed_quantity"]:
                owing, units = each["dispensing_id"], each["owed_quantity"]
                return f"{owing} of {key} still owes {units} units. supply_owed comes first."
        if not self._supplies_left(prescription):
            return f"All {prescription['supplies']} supplies of {key} have been used."
        return None

    def _not_valid(self, prescription: Prescription) -> Optional[str]:
        """Return why a prescription is not valid today."""
        today, until = self._today(), self._valid_until(prescription)
        if today < prescription["issued_on"]:
            return f"The prescription is dated {prescription['issued_on']}, which is after today, {today}."
        return (
            None
            if today <= until
            else f"The prescription of {prescription['issued_on']} was valid until {until}; the patient needs a new one."
        )

    def _too_early(self, prescription: Prescription) -> Optional[str]:
        """Return why the day of the next supply has not come."""
        if not self._supplies_left(prescription):
            return None
        first = self._next_supply_from(prescription)
        if self._today() >= first:
            return None
        return f"The next supply of {prescription['prescription_id']} can be prepared from {first}."

    def _copayment(self, patient: Optional[Patient], product: Optional[Product]) -> int:
        """Return what a patient pays for one supply of a product."""
        if patient is None or product is None or patient["copay_kind"] == "exempt":
            return 0
        return product["copayment"] // (2 if patient["copay_kind"] == "reduced" else 1)

    def _settle(self, prescription: Prescription) -> None:
        """Complete a prescription of which all supplies have been collected in full."""
        supplied = self._supplied(prescription["prescription_id"])
        in_full = [each for each in supplied if each["status"] == "collected" and each["owed_quantity"] == 0]
        if len(in_full) == prescription["supplies"] and prescription["status"] == "active":
            prescription["status"] = "completed"

    def _entries(self, product_id: str) -> List[RegisterEntry]:
        """Return the register entries of a product, oldest first."""
        return [entry for entry in self._in_order(self.register_entries) if entry["product_id"] == product_id]

    def _balance(self, product_id: str) -> int:
        """Return the register balance of a product."""
        entries = self._entries(product_id)
        return entries[-1]["balance"] if entries else 0

    def _enter(
        self,
        product_id: str,
        kind: Literal["received", "supplied", "destroyed"],
        quantity: int,
        made_by: str,
        witnessed_by: Optional[str],
        dispensing_id: Optional[str],
        batch_id: Optional[str],
    ) -> Optional[str]:
        """Write an entry into the register of a controlled product and return its id; others have none."""
        product = self.products.get(product_id)
        if product is None or not product["controlled"]:
            return None
        balance = self._balance(product_id) + (quantity if kind == "received" else -quantity)
        key = self._next_id(self.register_entries, "CR", 700)
        self.register_entries[key] = {
            "entry_id": key,
            "product_id": product_id,
            "kind": kind,
            "quantity": quantity,
            "balance": balance,
            "recorded_on": self._today(),
            "made_by": made_by,
            "witnessed_by": witnessed_by,
            "dispensing_id": dispensing_id,
            "batch_id": batch_id,
        }
        return key

    def _entry_text(self, entry: Optional[str]) -> str:
        """Return what a message says of a register entry; nothing where there is none."""
        return "" if entry is None else f" Register entry {entry}, balance {self.register_entries[entry]['balance']}."
