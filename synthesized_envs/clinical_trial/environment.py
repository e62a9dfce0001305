"""The coordination office of a randomised, double-blind clinical trial."""

import re
from datetime import date, datetime, timedelta
from typing import Any, Dict, List, Literal, Optional, Tuple, TypedDict


class Site(TypedDict):
    """A hospital or practice that takes part in the trial."""

    site_id: str  # Id, such as ST-4.
    number: str  # Site number, with which subject numbers begin, such as 104.
    name: str  # Name of the hospital or practice.
    city: str  # City.
    investigator: str  # Name of the principal investigator.
    status: Literal[
        "open", "on_hold", "closed"
    ]  # Whether it recruits, has been put on hold, or has been closed to recruitment.
    enrolment_cap: int  # Most participants that may be randomised there.
    consent_version: int  # Version of the consent form that its ethics committee approved last.


class Stratum(TypedDict):
    """A group within which participants are randomised, with its allocation list."""

    stratum_id: str  # Id, such as SM-2.
    name: str  # What its participants have in common.
    allocation_list: List[str]  # Arms in the order in which they are given out, each active or placebo; concealed.


class Participant(TypedDict):
    """A person who was screened for the trial."""

    participant_id: str  # Id, such as PT-231.
    subject_number: str  # Site number and running number at the site, such as 104-07.
    site_id: str  # Site that looks after the participant.
    stratum_id: str  # Stratum to which the participant belongs.
    sex: Literal["female", "male"]  # Sex.
    year_of_birth: int  # Year of birth.
    screened_on: str  # Day on which the participant was screened, YYYY-MM-DD.
    consent_version: int  # Version of the consent form that was signed last.
    consent_signed_on: str  # Day on which that was signed, YYYY-MM-DD.
    status: Literal[
        "screening", "eligible", "screen_failed", "on_treatment", "completed", "withdrawn"
    ]  # How far the participant has come.
    unmet_criteria: List[
        Literal[
            "diagnosis_not_confirmed",
            "severity_below_threshold",
            "washout_too_short",
            "excluded_medication",
            "abnormal_liver_values",
            "pregnancy",
            "screening_period_over",
            "consent_withdrawn",
        ]
    ]  # Criteria for which the screening failed.
    randomised_on: Optional[str]  # Day of randomisation, YYYY-MM-DD.
    position: Optional[int]  # Position on the allocation list of the stratum, from 1.
    unblinded: bool  # Whether the arm was revealed in an emergency.
    end_reason: Optional[
        Literal["completed", "consent_withdrawn", "adverse_event", "lost_to_follow_up", "investigator_decision"]
    ]  # Why participation has ended.


class Visit(TypedDict):
    """A visit of a randomised participant at the site."""

    visit_id: str  # Id, such as VS-1203.
    participant_id: str  # Participant whose visit it is.
    kind: Literal["baseline", "week_four", "week_eight", "week_twelve"]  # Which visit of the schedule it is.
    due_on: str  # Day on which it is due, YYYY-MM-DD.
    opens_on: str  # First day of its window, YYYY-MM-DD.
    closes_on: str  # Last day of its window, YYYY-MM-DD.
    status: Literal["planned", "completed", "queried", "locked", "missed", "cancelled"]  # How far it has come.
    held_on: Optional[str]  # Day on which it was held, YYYY-MM-DD.
    query: str  # What the data manager asks of the site; empty where nothing is asked.


class Kit(TypedDict):
    """A numbered pack of 64 tablets of study medication."""

    kit_id: str  # Id, such as KT-318.
    pack_number: str  # Number on the label, such as 40417.
    site_id: str  # Site at which it is kept, or was dispensed.
    arm: Literal["active", "placebo"]  # What it holds; concealed.
    expires_on: str  # Last day on which it may be taken, YYYY-MM-DD.
    status: Literal["available", "quarantined", "dispensed", "returned", "destroyed"]  # Where it has got to.
    visit_id: Optional[str]  # Visit at which it was dispensed.
    tablets_left: Optional[int]  # Tablets that were in it when it came back.


class AdverseEvent(TypedDict):
    """An adverse event that a participant had since randomisation."""

    event_id: str  # Id, such as AE-57.
    participant_id: str  # Participant who had it.
    term: str  # Medical term for it, such as nausea.
    severity: Literal["mild", "moderate", "severe"]  # How severe it was.
    seriousness: Literal[
        "not_serious", "hospitalisation", "disability", "life_threatening", "other_important"
    ]  # The criterion that makes it serious, if any.
    onset_on: str  # Day on which it began, YYYY-MM-DD.
    learnt_on: str  # Day on which the office learnt of it, YYYY-MM-DD.
    report_due_on: Optional[str]  # Last day for its safety report, YYYY-MM-DD.
    reported_on: Optional[str]  # Day on which the safety report was sent, YYYY-MM-DD.


class Deviation(TypedDict):
    """Something that was not done as the protocol says."""

    deviation_id: str  # Id, such as PD-21.
    participant_id: str  # Participant whom it concerns.
    category: Literal["mistimed_visit", "missed_visit", "low_compliance", "late_safety_report"]  # What went wrong.
    grade: Literal["minor", "important"]  # How much it matters.
    visit_id: Optional[str]  # Visit that it concerns; for low compliance the one at which the kit was dispensed.
    event_id: Optional[str]  # Adverse event that was reported too late.
    noted_on: str  # Day on which it was filed, YYYY-MM-DD.
    explanation: str  # How it came about.
    status: Literal["open", "closed"]  # Whether it has been dealt with.
    corrective_action: str  # What was done about it; empty while it is open.


class ClinicalTrial:
    """You run the coordination office of a randomised, double-blind, placebo-controlled trial of twelve weeks. Sites
    screen participants under the consent form that is in force there; who meets all criteria within 28 days of
    screening is randomised to the next position on the allocation list of the stratum. Visits are due at
    randomisation (baseline) and after 4, 8 and 12 weeks; they may be held up to 3 days late at baseline, and 3, 5
    and 7 days early or late at weeks 4, 8 and 12. At all but the last of them a kit of 64 tablets may be
    dispensed, which the office picks so that it matches the arm and nobody learns it. Anything outside a window,
    missed, taken too little of or reported too late becomes a protocol deviation. Visits are reviewed and locked.
    Staff know participants by subject number (site number and running number, such as 104-07) and kits by the
    pack number on the label. Days are written YYYY-MM-DD, temperatures in degrees Celsius, amounts of medication
    in tablets.
    """

    _SCHEDULE: Tuple[Tuple[Literal["baseline", "week_four", "week_eight", "week_twelve"], int, int, int], ...] = (
        ("baseline", 0, 0, 3),
        ("week_four", 28, 3, 3),
        ("week_eight", 56, 5, 5),
        ("week_twelve", 84, 7, 7),
    )
    _DISPENSING = ("baseline", "week_four", "week_eight")
    _HELD = ("completed", "queried", "locked")
    _RANDOMISED = ("on_treatment", "completed", "withdrawn")
    _SCREENING_DAYS = 28
    _CONSENT_DAYS = 14
    _SHELF_DAYS = 35
    _SILENCE_DAYS = 14
    _TABLETS = 64
    _MOST_LEFT = 19
    _MOST_IMPORTANT_DEVIATIONS = 3

    def __init__(self, init_config: Dict[str, Any]) -> None:
        """Start with empty collections.

        Args:
            init_config: Ignored; whoever loads a start state sets the attributes.
        """
        del init_config
        self.sites: Dict[str, Site] = {}
        self.strata: Dict[str, Stratum] = {}
        self.participants: Dict[str, Participant] = {}
        self.visits: Dict[str, Visit] = {}
        self.kits: Dict[str, Kit] = {}
        self.adverse_events: Dict[str, AdverseEvent] = {}
        self.deviations: Dict[str, Deviation] = {}

    def find_sites(
        self,
        text: Optional[str] = None,
        number: Optional[str] = None,
        status: Optional[Literal["open", "on_hold", "closed"]] = None,
    ) -> Dict[str, Any]:
        """Find sites by name, city, investigator, number or status, with how far they are filled.

        Args:
            text: Part of the name, the city or the investigator's name, in any case.
            number: Site number, such as 104.
            status: Status.

        Returns:
            data: A list of sites: site_id, number, name, city, investigator, status, enrolment_cap,
                consent_version, randomised, places_left, in_screening (screening or eligible),
                open_important_deviations and available_kits.
        """
        blank = self._blank("text", text) or self._blank("number", number)
        if blank:
            return self._refuse(blank)
        found = []
        for site_id, site in self.sites.items():
            known = f"{site['name']}\n{site['city']}\n{site['investigator']}"
            if (
                not self._holds(known, text)
                or number not in (None, site["number"])
                or status not in (None, site["status"])
            ):
                continue
            there = [person for person in self.participants.values() if person["site_id"] == site_id]
            kits = [kit for kit in self.kits.values() if kit["site_id"] == site_id and kit["status"] == "available"]
            found.append(
                {
                    **site,
                    "randomised": self._randomised_at(site_id),
                    "places_left": site["enrolment_cap"] - self._randomised_at(site_id),
                    "in_screening": sum(person["status"] in ("screening", "eligible") for person in there),
                    "open_important_deviations": self._open_important(site_id),
                    "available_kits": len(kits),
                }
            )
        return {"success": True, "data": sorted(found, key=lambda site: site["number"])}

    def find_strata(self, name: Optional[str] = None) -> Dict[str, Any]:
        """Find strata by name, with the places that are left on their allocation lists; the arms stay concealed.

        Args:
            name: Part of the name, in any case.

        Returns:
            data: A list of strata: stratum_id, name, places, randomised and places_left.
        """
        blank = self._blank("name", name)
        if blank:
            return self._refuse(blank)
        found = []
        for stratum_id, stratum in self.strata.items():
            if self._holds(stratum["name"], name):
                places, randomised = len(stratum["allocation_list"]), self._randomised_in(stratum_id)
                found.append(
                    {
                        "stratum_id": stratum_id,
                        "name": stratum["name"],
                        "places": places,
                        "randomised": randomised,
                        "places_left": places - randomised,
                    }
                )
        return {"success": True, "data": found}

    def find_participants(
        self,
        subject_number: Optional[str] = None,
        site_id: Optional[str] = None,
        stratum_id: Optional[str] = None,
        status: Optional[
            Literal["screening", "eligible", "screen_failed", "on_treatment", "completed", "withdrawn"]
        ] = None,
    ) -> Dict[str, Any]:
        """Find participants by subject number, site, stratum or status.

        Args:
            subject_number: Subject number, such as 104-07.
            site_id: Site that looks after them.
            stratum_id: Stratum to which they belong.
            status: Status.

        Returns:
            data: A list of participants, by subject number: participant_id, subject_number, site_id, site_name,
                stratum_id, stratum_name, sex, year_of_birth, screened_on, consent_version, consent_signed_on,
                status, unmet_criteria, randomised_on, position, unblinded and end_reason.
        """
        problem = self._unknown_site(site_id) or self._blank("subject_number", subject_number)
        if problem:
            return self._refuse(problem)
        if stratum_id is not None and stratum_id not in self.strata:
            return self._refuse(f"No stratum {stratum_id!r}. find_strata lists them.")
        found = [
            self._participant_view(person)
            for person in self.participants.values()
            if subject_number in (None, person["subject_number"])
            and site_id in (None, person["site_id"])
            and stratum_id in (None, person["stratum_id"])
            and status in (None, person["status"])
        ]
        return {"success": True, "data": sorted(found, key=lambda person: person["subject_number"])}

    def get_participant(self, participant_id: str) -> Dict[str, Any]:
        """Read a participant's whole file: visits, kits, adverse events and deviations.

        The arm is shown only after an emergency unblinding.

        Args:
            participant_id: The participant.

        Returns:
            data: participant_id, subject_number, site_id, site_name, stratum_id, stratum_name, sex,
                year_of_birth, screened_on, consent_version, consent_signed_on, status, unmet_criteria,
                randomised_on, position, unblinded and end_reason; arm (null while blinded); visits, kits,
                adverse_events and deviations as the searches show them, visits and kits in the order of the
                schedule.
        """
        problem = self._unknown_participant(participant_id)
        if problem:
            return self._refuse(problem)
        person = self.participants[participant_id]
        visits = self._visits_of(participant_id)
        order = [visit["visit_id"] for visit in visits]
        kits = [kit for kit in self.kits.values() if (kit["visit_id"] or "") in order]
        events = [event for event in self.adverse_events.values() if event["participant_id"] == participant_id]
        deviations = [each for each in self.deviations.values() if each["participant_id"] == participant_id]
        data = {
            **self._participant_view(person),
            "arm": self._arm(person) if person["unblinded"] else None,
            "visits": [self._visit_view(visit) for visit in visits],
            "kits": [self._kit_view(kit) for kit in sorted(kits, key=lambda kit: order.index(kit["visit_id"] or ""))],
            "adverse_events": [
                self._event_view(event) for event in sorted(events, key=lambda event: event["onset_on"])
            ],
            "deviations": [
                self._deviation_view(each) for each in sorted(deviations, key=lambda each: each["noted_on"])
            ],
        }
        return {"success": True, "data": data}

    def find_visits(
        self,
        participant_id: Optional[str] = None,
        site_id: Optional[str] = None,
        kind: Optional[Literal["baseline", "week_four", "week_eight", "week_twelve"]] = None,
        status: Optional[Literal["planned", "completed", "queried", "locked", "missed", "cancelled"]] = None,
        due_from: Optional[str] = None,
        due_until: Optional[str] = None,
    ) -> Dict[str, Any]:
        """Find visits by participant, site, kind, status or the day on which they are due.

        Args:
            participant_id: Participant whose visits they are.
            site_id: Site of the participants.
            kind: Which visit of the schedule.
            status: Status.
            due_from: First due day, YYYY-MM-DD.
            due_until: Last due day, YYYY-MM-DD.

        Returns:
            data: A list of visits, by due day: visit_id, participant_id, subject_number, site_id, kind, due_on,
                opens_on and closes_on (the window), status, held_on, query, dispenses (whether a kit goes with
                it) and kit_id.
        """
        problem = (
            (self._unknown_participant(participant_id) if participant_id is not None else None)
            or self._unknown_site(site_id)
            or self._no_day(due_from)
            or self._no_day(due_until)
        )
        if problem:
            return self._refuse(problem)
        if due_from is not None and due_until is not None and due_from > due_until:
            return self._refuse(f"The first day, {due_from}, is after the last, {due_until}; nothing can be due then.")
        found = []
        for visit in self.visits.values():
            shown = self._visit_view(visit)
            if participant_id not in (None, visit["participant_id"]) or site_id not in (None, shown["site_id"]):
                continue
            if kind not in (None, visit["kind"]) or status not in (None, visit["status"]):
                continue
            if (due_from is None or due_from <= visit["due_on"]) and (
                due_until is None or visit["due_on"] <= due_until
            ):
                found.append(shown)
        return {"success": True, "data": sorted(found, key=lambda visit: (visit["due_on"], visit["visit_id"]))}

    def find_kits(
        self,
        pack_number: Optional[str] = None,
        site_id: Optional[str] = None,
        status: Optional[Literal["available", "quarantined", "dispensed", "returned", "destroyed"]] = None,
        expires_until: Optional[str] = None,
    ) -> Dict[str, Any]:
        """Find kits by pack number, site, status or expiry; the arm stays concealed.

        Args:
            pack_number: Number on the label, such as 40417.
            site_id: Site at which they are.
            status: Status.
            expires_until: Day until which they expire at the latest, YYYY-MM-DD.

        Returns:
            data: A list of kits, by expiry: kit_id, pack_number, site_id, site_name, expires_on, status, visit_id
                and tablets_left.
        """
        problem = self._blank("pack_number", pack_number) or self._unknown_site(site_id) or self._no_day(expires_until)
        if problem:
            return self._refuse(problem)
        found = [
            self._kit_view(kit)
            for kit in self.kits.values()
            if pack_number in (None, kit["pack_number"])
            and site_id in (None, kit["site_id"])
            and status in (None, kit["status"])
            and (expires_until is None or kit["expires_on"] <= expires_until)
        ]
        return {"success": True, "data": sorted(found, key=lambda kit: (kit["expires_on"], kit["pack_number"]))}

    def find_adverse_events(
        self,
        participant_id: Optional[str] = None,
        site_id: Optional[str] = None,
        term: Optional[str] = None,
        unreported: Optional[bool] = None,
    ) -> Dict[str, Any]:
        """Find adverse events by participant, site, term, or by whether a safety report is still due.

        Args:
            participant_id: Participant who had them.
            site_id: Site of the participants.
            term: Part of the term, in any case.
            unreported: True: only serious events that are still to be reported.

        Returns:
            data: A list of events, by day of onset: event_id, participant_id, subject_number, site_id, term,
                severity, seriousness, onset_on, learnt_on, report_due_on and reported_on.
        """
        problem = (
            (self._unknown_participant(participant_id) if participant_id is not None else None)
            or self._unknown_site(site_id)
            or self._blank("term", term)
        )
        if problem:
            return self._refuse(problem)
        found = []
        for event in self.adverse_events.values():
            shown = self._event_view(event)
            if participant_id not in (None, event["participant_id"]) or site_id not in (None, shown["site_id"]):
                continue
            if self._holds(event["term"], term) and (not unreported or self._is_unreported(event)):
                found.append(shown)
        return {"success": True, "data": sorted(found, key=lambda event: (event["onset_on"], event["event_id"]))}

    def find_deviations(
        self,
        participant_id: Optional[str] = None,
        site_id: Optional[str] = None,
        category: Optional[Literal["mistimed_visit", "missed_visit", "low_compliance", "late_safety_report"]] = None,
        grade: Optional[Literal["minor", "important"]] = None,
        status: Optional[Literal["open", "closed"]] = None,
    ) -> Dict[str, Any]:
        """Find protocol deviations by participant, site, category, grade or status.

        Args:
            participant_id: Participant whom they concern.
            site_id: Site of the participants.
            category: What went wrong.
            grade: How much they matter.
            status: Status.

        Returns:
            data: A list of deviations, by day of filing: deviation_id, participant_id, subject_number, site_id,
                category, grade, visit_id, event_id, noted_on, explanation, status and corrective_action.
        """
        problem = (
            self._unknown_participant(participant_id) if participant_id is not None else None
        ) or self._unknown_site(site_id)
        if problem:
            return self._refuse(problem)
        found = []
        for deviation in self.deviations.values():
            shown = self._deviation_view(deviation)
            if participant_id not in (None, shown["participant_id"]) or site_id not in (None, shown["site_id"]):
                continue
            if (
                category in (None, shown["category"])
                and grade in (None, shown["grade"])
                and status in (None, shown["status"])
            ):
                found.append(shown)
        return {"success": True, "data": sorted(found, key=lambda each: (each["noted_on"], each["deviation_id"]))}

    def check_randomisation(self, subject_number: str) -> Dict[str, Any]:
        """Say whether a participant in screening or eligible can be randomised today, and what stands in the way.

        Args:
            subject_number: Subject number of the participant, such as 104-07.

        Returns:
            data: participant_id, subject_number, status, possible, obstacles (a list of sentences) and position,
                the one that would be given.
        """
        person = next((each for each in self.participants.values() if each["subject_number"] == subject_number), None)
        if person is None:
            return self._refuse(
                f"No participant has the subject number {subject_number!r}. find_participants lists those of a site."
            )
        problem = self._unknown_participant(person["participant_id"])
        if problem:
            return self._refuse(problem)
        if person["status"] not in ("screening", "eligible"):
            said = self._said(person["status"])
            return self._refuse(
                f"Participant {subject_number} is {said}; only those in screening or eligible are checked."
            )
        obstacles = self._obstacles(person)
        data = {
            "participant_id": person["participant_id"],
            "subject_number": subject_number,
            "status": person["status"],
            "possible": not obstacles,
            "obstacles": obstacles,
            "position": None if obstacles else self._randomised_in(person["stratum_id"]) + 1,
        }
        return {"success": True, "data": data}

    def screen_participant(
        self,
        site_id: str,
        stratum_id: str,
        sex: Literal["female", "male"],
        year_of_birth: int,
        consent_version: int,
        consent_signed_on: str,
    ) -> Dict[str, Any]:
        """Enter a new participant into screening at a site.

        The consent form must have been signed in the version that is in force at the site. Refused where the
        site does not recruit, is full, or has three important deviations open.

        Args:
            site_id: The site.
            stratum_id: Stratum to which the participant belongs.
            sex: Sex.
            year_of_birth: Year of birth; participants turn 18 to 80 this year.
            consent_version: Version of the consent form that was signed.
            consent_signed_on: Day on which it was signed, YYYY-MM-DD; today or up to 14 days ago.

        Returns:
            message: The id and the subject number that were given, and the last day for randomisation.
        """
        problem = self._unknown_site(site_id)
        if problem:
            return self._refuse(problem)
        if stratum_id not in self.strata:
            return self._refuse(f"No stratum {stratum_id!r}. find_strata lists them.")
        today = self._today()
        problem = (
            self._recruits_not(site_id)
            or self._screen_participant_age(year_of_birth, today)
            or self._screen_participant_consent(self.sites[site_id], consent_version, consent_signed_on, today)
        )
        if problem:
            return self._refuse(problem)
        participant_id, subject_number = self._next_id("PT", self.participants), self._next_subject_number(site_id)
        self.participants[participant_id] = {
            "participant_id": participant_id,
            "subject_number": subject_number,
            "site_id": site_id,
            "stratum_id": stratum_id,
            "sex": sex,
            "year_of_birth": year_of_birth,
            "screened_on": today.isoformat(),
            "consent_version": consent_version,
            "consent_signed_on": consent_signed_on,
            "status": "screening",
            "unmet_criteria": [],
            "randomised_on": None,
            "position": None,
            "unblinded": False,
            "end_reason": None,
        }
        last = (today + timedelta(days=self._SCREENING_DAYS)).isoformat()
        message = f"Participant {participant_id} is in screening as {subject_number}; randomise no later than {last}."
        return {"success": True, "message": message}

    def _screen_participant_age(self, year_of_birth: int, today: date) -> Optional[str]:
        age = today.year - year_of_birth
        if 18 <= age <= 80:
            return None
        return (
            f"Participants turn 18 to 80 this year, so they were born from {today.year - 80} to "
            f"{today.year - 18}, not in {year_of_birth}."
        )

    def _screen_participant_consent(self, site: Site, version: int, signed_on: str, today: date) -> Optional[str]:
        if version != site["consent_version"]:
            return (
                f"Version {site['consent_version']} of the consent form is in force at site "
                f"{site['number']}, not version {version}; it has to be signed first."
            )
        problem = self._no_day(signed_on)
        if problem:
            return problem
        first = (today - timedelta(days=self._CONSENT_DAYS)).isoformat()
        if not first <= signed_on <= today.isoformat():
            return (
                f"The consent must have been signed from {first} until today, {today.isoformat()}; "
                f"{signed_on} is not in that time."
            )
        return None

    def record_screening_result(
        self,
        participant_id: str,
        unmet_criteria: Optional[
            List[
                Literal[
                    "diagnosis_not_confirmed",
                    "severity_below_threshold",
                    "washout_too_short",
                    "excluded_medication",
                    "abnormal_liver_values",
                    "pregnancy",
                    "screening_period_over",
                    "consent_withdrawn",
                ]
            ]
        ] = None,
    ) -> Dict[str, Any]:
        """Record the result of a screening: eligible, or failed for the criteria that are not met.

        With nothing unmet the participant becomes eligible, which is refused later than 28 days after screening.
        Somebody who is eligible already can still fail.

        Args:
            participant_id: The participant.
            unmet_criteria: Criteria that are not met; left out where all are met.

        Returns:
            message: The participant and the new status.
        """
        problem = self._unknown_participant(participant_id)
        if problem:
            return self._refuse(problem)
        person, unmet = self.participants[participant_id], list(unmet_criteria or [])
        number = person["subject_number"]
        if person["status"] not in ("screening", "eligible"):
            return self._refuse(
                f"Participant {number} is {self._said(person['status'])}; only screenings that are not "
                "decided, and eligible participants, get a result."
            )
        if person["status"] == "eligible" and not unmet:
            return self._refuse(
                f"Participant {number} is eligible already. Name the criteria that are not met after all, or randomise."
            )
        if len(set(unmet)) < len(unmet):
            return self._refuse(f"A criterion is named twice: {', '.join(unmet)}.")
        if "pregnancy" in unmet and person["sex"] == "male":
            return self._refuse(f"Participant {number} is male; pregnancy cannot be the criterion.")
        over = self._screening_over(person)
        if over and not unmet:
            return self._refuse(f"{over} The screening can only fail, with screening_period_over.")
        if "screening_period_over" in unmet and not over:
            return self._refuse(
                f"The screening period of participant {number} is not over: screened on "
                f"{person['screened_on']}, it lasts {self._SCREENING_DAYS} days."
            )
        person["status"], person["unmet_criteria"] = ("screen_failed", unmet) if unmet else ("eligible", [])
        if unmet:
            reasons = ", ".join(map(self._said, unmet))
            return {
                "success": True,
                "message": f"The screening of participant {participant_id} ({number}) has failed: {reasons}.",
            }
        return {"success": True, "message": f"Participant {participant_id} ({number}) is eligible."}

    def record_reconsent(self, participant_id: str, signed_on: str) -> Dict[str, Any]:
        """Record that a participant has signed the consent form that is in force at the site by now.

        Args:
            participant_id: The participant.
            signed_on: Day on which it was signed, YYYY-MM-DD; not later than today.

        Returns:
            message: The participant, the version and the day.
        """
        problem = self._unknown_participant(participant_id) or self._no_day(signed_on)
        if problem:
            return self._refuse(problem)
        person = self.participants[participant_id]
        number, version = person["subject_number"], self.sites[person["site_id"]]["consent_version"]
        if person["status"] not in ("screening", "eligible", "on_treatment"):
            return self._refuse(
                f"Participant {number} is not in the trial any more ({person['status']}); nothing is signed."
            )
        if person["consent_version"] >= version:
            return self._refuse(
                f"Participant {number} has signed version {person['consent_version']}, which is in force at the site."
            )
        today = self._today().isoformat()
        if not person["consent_signed_on"] <= signed_on <= today:
            return self._refuse(
                f"{signed_on} is not between {person['consent_signed_on']}, when version "
                f"{person['consent_version']} was signed, and today, {today}."
            )
        person["consent_version"], person["consent_signed_on"] = version, signed_on
        return {
            "success": True,
            "message": f"Participant {participant_id} ({number}) has signed version {version} on {signed_on}.",
        }

    def randomise_participant(self, participant_id: str) -> Dict[str, Any]:
        """Randomise an eligible participant to the next position on the allocation list of the stratum, today.

        The four visits are planned from today on. The site must have at least one available kit of each arm that
        lasts 35 days more, whatever the arm will be. check_randomisation lists what stands in the way.

        Args:
            participant_id: The participant.

        Returns:
            message: The position, and the ids and due days of the visits; not the arm.
        """
        problem = self._unknown_participant(participant_id)
        if problem:
            return self._refuse(problem)
        person = self.participants[participant_id]
        obstacles = self._obstacles(person)
        if obstacles:
            return self._refuse(" ".join(obstacles))
        today, position = self._today(), self._randomised_in(person["stratum_id"]) + 1
        person["status"], person["randomised_on"], person["position"] = "on_treatment", today.isoformat(), position
        planned = []
        for kind, days, before, after in self._SCHEDULE:
            visit_id, due = self._next_id("VS", self.visits), today + timedelta(days=days)
            self.visits[visit_id] = {
                "visit_id": visit_id,
                "participant_id": participant_id,
                "kind": kind,
                "due_on": due.isoformat(),
                "opens_on": (due - timedelta(days=before)).isoformat(),
                "closes_on": (due + timedelta(days=after)).isoformat(),
                "status": "planned",
                "held_on": None,
                "query": "",
            }
            planned.append(f"{self._said(kind)} {visit_id} on {due.isoformat()}")
        message = (
            f"Participant {participant_id} ({person['subject_number']}) is randomised at position "
            f"{position} of the stratum. Visits: {', '.join(planned)}."
        )
        return {"success": True, "message": message}

    def record_visit(
        self, visit_id: str, held_on: Optional[str] = None, explanation: Optional[str] = None
    ) -> Dict[str, Any]:
        """Record that a planned visit was held, or missed.

        A visit outside its window and a missed one need an explanation and are filed as a deviation; within the
        window an explanation is refused. A visit can be missed only after its window.

        Args:
            visit_id: The visit.
            held_on: Day on which it was held, YYYY-MM-DD; left out where it was missed.
            explanation: How it came to be outside the window, or missed.

        Returns:
            message: The visit, whether it was within its window, and the id and grade of the deviation if one was
                filed.
        """
        problem = self._unknown_visit(visit_id) or self._no_day(held_on) or self._blank("explanation", explanation)
        if problem:
            return self._refuse(problem)
        visit = self.visits[visit_id]
        if visit["status"] != "planned":
            return self._refuse(f"Visit {visit_id} is {visit['status']}; only planned visits are recorded.")
        outside = self._days_outside(visit, held_on) if held_on is not None else 0
        problem = self._record_visit_order(visit, held_on) or (
            self._record_visit_missed(visit) if held_on is None else self._record_visit_consent(visit)
        )
        if problem:
            return self._refuse(problem)
        window = f"{visit['opens_on']} to {visit['closes_on']}"
        if held_on is not None and not outside:
            if explanation is not None:
                return self._refuse(
                    f"{held_on} is within the window of visit {visit_id}, {window}; there is nothing to explain."
                )
            visit["status"], visit["held_on"] = "completed", held_on
            return {
                "success": True,
                "message": f"Visit {visit_id} is completed, held on {held_on} within its window, {window}.",
            }
        what = "was missed" if held_on is None else f"was held on {held_on}, outside its window, {window}"
        if explanation is None:
            return self._refuse(f"Visit {visit_id} {what}: that is a protocol deviation and needs an explanation.")
        visit["status"], visit["held_on"] = ("missed", None) if held_on is None else ("completed", held_on)
        category: Literal["missed_visit", "mistimed_visit"] = "missed_visit" if held_on is None else "mistimed_visit"
        grade: Literal["minor", "important"] = "important" if held_on is None or outside > 7 else "minor"
        deviation_id = self._file_deviation(visit["participant_id"], category, grade, explanation, visit_id=visit_id)
        return {"success": True, "message": f"Visit {visit_id} {what}. Deviation {deviation_id} is filed, {grade}."}

    def _record_visit_order(self, visit: Visit, held_on: Optional[str]) -> Optional[str]:
        visits = self._visits_of(visit["participant_id"])
        earlier = visits[: [each["visit_id"] for each in visits].index(visit["visit_id"])]
        waiting = [each["visit_id"] for each in earlier if each["status"] == "planned"]
        if waiting:
            return f"Visit {waiting[0]} comes before {visit['visit_id']} and is still planned; record it first."
        if held_on is None:
            return None
        today, person = self._today().isoformat(), self.participants[visit["participant_id"]]
        if held_on > today:
            return f"{held_on} is still to come; today is {today}."
        missed = [each for each in earlier if each["status"] == "missed" and held_on <= each["closes_on"]]
        if missed:
            until = f"{missed[-1]['visit_id']}, which was missed, could be held until {missed[-1]['closes_on']}"
            return f"Visit {until}; {visit['visit_id']} was held after that day, not on {held_on}."
        last = max((each["held_on"] for each in earlier if each["held_on"] is not None), default=None)
        if last is not None and held_on <= last:
            return f"The visit before it was held on {last}, so this one cannot have been held on {held_on}."
        randomised_on = person["randomised_on"] or today
        if held_on < randomised_on:
            return f"The participant was randomised on {randomised_on}, so no visit was held on {held_on}."
        return None

    def _record_visit_missed(self, visit: Visit) -> Optional[str]:
        today = self._today().isoformat()
        if today > visit["closes_on"]:
            return None
        return (
            f"Visit {visit['visit_id']} can still be held until {visit['closes_on']}; today is "
            f"{today}. It is missed after that day."
        )

    def _record_visit_consent(self, visit: Visit) -> Optional[str]:
        return self._outdated_consent(self.participants[visit["participant_id"]])

    def dispense_kit(self, visit_id: str) -> Dict[str, Any]:
        """Dispense a kit at a visit that was held.

        The office picks it: of the kits of the participant's arm that are available at the site and last 35 days
        from today, the one that expires first, and of several the one with the lowest pack number. The arm is
        not told.

        Args:
            visit_id: The visit: baseline, week 4 or week 8.

        Returns:
            message: The kit's id, pack number and expiry.
        """
        problem = self._unknown_visit(visit_id)
        if problem:
            return self._refuse(problem)
        visit = self.visits[visit_id]
        person = self.participants[visit["participant_id"]]
        problem = self._dispense_kit_visit(visit) or self._dispense_kit_person(person)
        if problem:
            return self._refuse(problem)
        site, arm = self.sites[person["site_id"]], self._arm(person)
        lasting = self._lasting_kits(person["site_id"])
        fitting = [kit for kit in lasting if kit["arm"] == arm]
        if not fitting:
            number = site["number"]
            return self._refuse(
                f"No suitable kit at site {number} lasts {self._SHELF_DAYS} days more; judge_kit can "
                "release quarantined ones."
            )
        kit = min(fitting, key=lambda each: (each["expires_on"], each["pack_number"]))
        kit["status"], kit["visit_id"] = "dispensed", visit_id
        message = (
            f"Kit {kit['kit_id']}, pack number {kit['pack_number']}, expiring {kit['expires_on']}, "
            f"is dispensed at visit {visit_id}."
        )
        return {"success": True, "message": message}

    def _dispense_kit_visit(self, visit: Visit) -> Optional[str]:
        visit_id = visit["visit_id"]
        if visit["kind"] not in self._DISPENSING:
            return f"Visit {visit_id} is that of week 12, the end of treatment; no kit goes with it."
        if visit["status"] not in ("completed", "queried"):
            return (
                f"Visit {visit_id} is {visit['status']}; a kit is dispensed at a visit that was held and is not locked."
            )
        visits = self._visits_of(visit["participant_id"])
        for later in visits[[each["visit_id"] for each in visits].index(visit_id) + 1 :]:
            if later["status"] in (*self._HELD, "missed"):
                return (
                    f"The later visit {later['visit_id']} is {later['status']} already; nothing is "
                    f"dispensed at {visit_id} any more."
                )
        for kit in self.kits.values():
            if kit["visit_id"] == visit_id:
                return f"Kit {kit['pack_number']} was dispensed at visit {visit_id}; there is one kit for each visit."
        return None

    def _dispense_kit_person(self, person: Participant) -> Optional[str]:
        number = person["subject_number"]
        if person["status"] != "on_treatment":
            return f"Participant {number} is {self._said(person['status'])} and gets no kits."
        if person["unblinded"]:
            return f"Participant {number} has been unblinded and gets no further kits."
        out = self._kit_out(person["participant_id"])
        if out is not None:
            return (
                f"Kit {out['kit_id']}, pack number {out['pack_number']}, of participant {number} is "
                "still out; return_kit takes it back first."
            )
        event = self._unreported_event(person["participant_id"])
        if event is not None:
            return (
                f"The serious event {event['event_id']} of participant {number} is still to be "
                "reported, with send_safety_report."
            )
        return None

    def return_kit(self, kit_id: str, tablets_left: int, explanation: Optional[str] = None) -> Dict[str, Any]:
        """Take back a dispensed kit and count the tablets left.

        Of 64 tablets 56 are to be taken; more than 19 left means low compliance, which needs an explanation and
        is filed as a minor deviation. Otherwise an explanation is refused.

        Args:
            kit_id: The kit.
            tablets_left: Tablets left in it, 0 to 64.
            explanation: Why so few were taken.

        Returns:
            message: The kit, the tablets taken, and the id of the deviation if one was filed.
        """
        problem = self._unknown_kit(kit_id) or self._blank("explanation", explanation)
        if problem:
            return self._refuse(problem)
        kit = self.kits[kit_id]
        if kit["status"] != "dispensed":
            return self._refuse(f"Kit {kit_id} is {kit['status']}; only dispensed kits come back.")
        if not 0 <= tablets_left <= self._TABLETS:
            return self._refuse(
                f"A kit holds {self._TABLETS} tablets, so 0 to {self._TABLETS} can be left, not {tablets_left}."
            )
        taken, low = self._TABLETS - tablets_left, tablets_left > self._MOST_LEFT
        if low and explanation is None:
            return self._refuse(
                f"With {tablets_left} tablets left only {taken} were taken; more than {self._MOST_LEFT} "
                "left is low compliance and needs an explanation."
            )
        if explanation is not None and not low:
            return self._refuse(
                f"{tablets_left} tablets left is good compliance, up to {self._MOST_LEFT} may be; there "
                "is nothing to explain."
            )
        visit = self.visits.get(kit["visit_id"] or "")
        if visit is None:
            return self._refuse(
                f"The visit {kit['visit_id']!r} at which kit {kit_id} was dispensed does not exist any more."
            )
        kit["status"], kit["tablets_left"] = "returned", tablets_left
        message = f"Kit {kit_id} is returned; {taken} tablets were taken."
        if explanation is not None:
            deviation_id = self._file_deviation(
                visit["participant_id"], "low_compliance", "minor", explanation, visit_id=visit["visit_id"]
            )
            message += f" Deviation {deviation_id} is filed, minor."
        return {"success": True, "message": message}

    def report_excursion(self, site_id: str, highest_celsius: int) -> Dict[str, Any]:
        """Report that the kits kept at a site got too warm.

        Kits may be stored at up to 25 degrees. Above that all available kits of the site are quarantined, above
        40 degrees destroyed.

        Args:
            site_id: The site.
            highest_celsius: Highest temperature that was measured, in whole degrees Celsius, 26 to 80.

        Returns:
            message: Which kits are quarantined or destroyed.
        """
        problem = self._unknown_site(site_id)
        if problem:
            return self._refuse(problem)
        if highest_celsius <= 25:
            return self._refuse(f"Kits may be stored at up to 25 degrees; {highest_celsius} is no excursion.")
        if highest_celsius > 80:
            return self._refuse(
                f"{highest_celsius} degrees cannot be right; excursions of 26 to 80 degrees are entered."
            )
        kits = [kit for kit in self.kits.values() if kit["site_id"] == site_id and kit["status"] == "available"]
        number = self.sites[site_id]["number"]
        if not kits:
            return self._refuse(f"Site {number} keeps no available kits, so none got too warm.")
        status: Literal["quarantined", "destroyed"] = "quarantined" if highest_celsius <= 40 else "destroyed"
        for kit in kits:
            kit["status"] = status
        names = ", ".join(sorted(f"{kit['kit_id']} ({kit['pack_number']})" for kit in kits))
        return {
            "success": True,
            "message": f"After {highest_celsius} degrees at site {number} these kits are {status}: {names}.",
        }

    def judge_kit(self, kit_id: str, usable: bool) -> Dict[str, Any]:
        """Enter the sponsor's verdict on a quarantined kit: it can be used again, or is destroyed.

        Args:
            kit_id: The kit.
            usable: Whether it can be used again; an expired one cannot.

        Returns:
            message: The kit and its status.
        """
        problem = self._unknown_kit(kit_id)
        if problem:
            return self._refuse(problem)
        kit, today = self.kits[kit_id], self._today().isoformat()
        if kit["status"] != "quarantined":
            return self._refuse(f"Kit {kit_id} is {kit['status']}; only quarantined kits are judged.")
        if usable and kit["expires_on"] < today:
            return self._refuse(
                f"Kit {kit_id} expired on {kit['expires_on']}, so it cannot be used again; it can only be destroyed."
            )
        kit["status"] = "available" if usable else "destroyed"
        return {"success": True, "message": f"Kit {kit_id}, pack number {kit['pack_number']}, is {kit['status']}."}

    def report_adverse_event(
        self,
        participant_id: str,
        term: str,
        severity: Literal["mild", "moderate", "severe"],
        seriousness: Literal["not_serious", "hospitalisation", "disability", "life_threatening", "other_important"],
        onset_on: str,
    ) -> Dict[str, Any]:
        """Enter an adverse event of a participant who is on treatment or withdrew, of which the office learns today.

        A serious one gets the deadline for its safety report: 7 days if life-threatening, 15 days otherwise.

        Args:
            participant_id: The participant.
            term: Medical term for it.
            severity: How severe it was.
            seriousness: The criterion that makes it serious, if any.
            onset_on: Day on which it began, YYYY-MM-DD; from randomisation until today.

        Returns:
            message: The event's id and the deadline of its report if it has one.
        """
        problem = self._unknown_participant(participant_id) or self._blank("term", term) or self._no_day(onset_on)
        if problem:
            return self._refuse(problem)
        person, today = self.participants[participant_id], self._today()
        if person["status"] not in ("on_treatment", "withdrawn"):
            return self._refuse(
                f"Participant {person['subject_number']} is {self._said(person['status'])}; adverse "
                "events are entered of those on treatment, and of those withdrawn."
            )
        randomised_on = person["randomised_on"] or today.isoformat()
        if not randomised_on <= onset_on <= today.isoformat():
            return self._refuse(
                f"The onset must lie between randomisation on {randomised_on} and today, "
                f"{today.isoformat()}; {onset_on} does not."
            )
        for event in self.adverse_events.values():
            same = event["participant_id"] == participant_id and event["onset_on"] == onset_on
            if same and event["term"].casefold() == term.strip().casefold():
                return self._refuse(f"It is entered already, as {event['event_id']}.")
        if seriousness == "life_threatening" and severity != "severe":
            return self._refuse(f"A life-threatening event is severe, not {severity}.")
        days = {"not_serious": None, "life_threatening": 7}.get(seriousness, 15)
        due = None if days is None else (today + timedelta(days=days)).isoformat()
        event_id = self._next_id("AE", self.adverse_events)
        self.adverse_events[event_id] = {
            "event_id": event_id,
            "participant_id": participant_id,
            "term": term.strip(),
            "severity": severity,
            "seriousness": seriousness,
            "onset_on": onset_on,
            "learnt_on": today.isoformat(),
            "report_due_on": due,
            "reported_on": None,
        }
        deadline = f" Its safety report is due by {due}." if due else ""
        return {
            "success": True,
            "message": f"Adverse event {event_id} of participant {person['subject_number']} is entered.{deadline}",
        }

    def send_safety_report(self, event_id: str, explanation: Optional[str] = None) -> Dict[str, Any]:
        """Send the safety report of a serious adverse event today.

        After the deadline an explanation is needed, and an important deviation is filed; before it an
        explanation is refused.

        Args:
            event_id: The event.
            explanation: Why it is late.

        Returns:
            message: The event, the deadline, and the id of the deviation if one was filed.
        """
        problem = self._unknown_event(event_id) or self._blank("explanation", explanation)
        if problem:
            return self._refuse(problem)
        event, today = self.adverse_events[event_id], self._today().isoformat()
        if event["seriousness"] == "not_serious":
            return self._refuse(f"Event {event_id} is not serious and needs no safety report.")
        if event["reported_on"] is not None:
            return self._refuse(f"Event {event_id} was reported on {event['reported_on']}.")
        due = event["report_due_on"] or ""
        late = today > due
        if late and explanation is None:
            return self._refuse(
                f"The report of event {event_id} was due by {due}; a late one is a protocol deviation "
                "and needs an explanation."
            )
        if explanation is not None and not late:
            return self._refuse(
                f"The report of event {event_id} is due by {due} and not late; there is nothing to explain."
            )
        event["reported_on"] = today
        message = f"The safety report of event {event_id}, due by {due}, is sent."
        if explanation is not None:
            deviation_id = self._file_deviation(
                event["participant_id"], "late_safety_report", "important", explanation, event_id=event_id
            )
            message += f" Deviation {deviation_id} is filed, important."
        return {"success": True, "message": message}

    def close_deviation(self, deviation_id: str, corrective_action: str) -> Dict[str, Any]:
        """Close a deviation with what was done so that it does not happen again.

        Args:
            deviation_id: The deviation.
            corrective_action: What was done.

        Returns:
            message: The deviation, and how many important ones are still open at the site.
        """
        if deviation_id not in self.deviations:
            return self._refuse(f"No deviation {deviation_id!r}. find_deviations finds them.")
        problem = self._blank("corrective_action", corrective_action)
        if problem:
            return self._refuse(problem)
        deviation = self.deviations[deviation_id]
        if deviation["status"] != "open":
            return self._refuse(f"Deviation {deviation_id} is closed already: {deviation['corrective_action']}")
        site_id = self.participants[deviation["participant_id"]]["site_id"]
        deviation["status"], deviation["corrective_action"] = "closed", corrective_action.strip()
        message = (
            f"Deviation {deviation_id} is closed; {self._open_important(site_id)} important ones "
            f"are open at site {self.sites[site_id]['number']}."
        )
        return {"success": True, "message": message}

    def review_visit(self, visit_id: str, query: Optional[str] = None) -> Dict[str, Any]:
        """Review the data of a visit that was held: lock it, or send it back to the site with a query.

        A queried visit is locked once the site has answered, or gets another query in place of the one that it
        has.

        Args:
            visit_id: The visit.
            query: What the site has to clear up; left out where the data are clean and the visit is locked.

        Returns:
            message: The visit and its status.
        """
        problem = self._unknown_visit(visit_id) or self._blank("query", query)
        if problem:
            return self._refuse(problem)
        visit = self.visits[visit_id]
        if visit["status"] not in ("completed", "queried"):
            return self._refuse(
                f"Visit {visit_id} is {visit['status']}; data are reviewed of visits that were held and are not locked."
            )
        if query is not None:
            visit["status"], visit["query"] = "queried", query.strip()
            return {"success": True, "message": f"Visit {visit_id} is queried."}
        open_ones = sorted(
            key for key, each in self.deviations.items() if each["visit_id"] == visit_id and each["status"] == "open"
        )
        if open_ones:
            return self._refuse(
                f"Visit {visit_id} has open deviations: {', '.join(open_ones)}. close_deviation closes them."
            )
        for kit in self.kits.values():
            if kit["visit_id"] == visit_id and kit["status"] == "dispensed":
                return self._refuse(
                    f"Kit {kit['kit_id']} of visit {visit_id} is still out; its tablets have to be counted "
                    "before the visit is locked."
                )
        visit["status"], visit["query"] = "locked", ""
        return {"success": True, "message": f"Visit {visit_id} is locked."}

    def unblind_participant(self, event_id: str) -> Dict[str, Any]:
        """Reveal the arm of a participant in an emergency, because of a severe and serious adverse event.

        The participant gets no further kits.

        Args:
            event_id: The adverse event that makes it necessary.

        Returns:
            message: The participant, the position and the arm.
        """
        problem = self._unknown_event(event_id)
        if problem:
            return self._refuse(problem)
        event = self.adverse_events[event_id]
        person = self.participants[event["participant_id"]]
        number = person["subject_number"]
        if event["severity"] != "severe" or event["seriousness"] == "not_serious":
            serious = "not serious" if event["seriousness"] == "not_serious" else "serious"
            said = f"Event {event_id} is {event['severity']} and {serious}"
            return self._refuse(f"{said}; only a severe and serious event justifies unblinding.")
        if person["status"] != "on_treatment":
            return self._refuse(
                f"Participant {number} is {self._said(person['status'])}; only participants on treatment are unblinded."
            )
        if person["unblinded"]:
            return self._refuse(f"Participant {number} was unblinded before; get_participant shows the arm.")
        person["unblinded"] = True
        message = (
            f"Participant {number}, position {person['position']}, is in the arm: {self._arm(person)}. No further kits."
        )
        return {"success": True, "message": message}

    def end_participation(
        self,
        participant_id: str,
        reason: Literal[
            "completed", "consent_withdrawn", "adverse_event", "lost_to_follow_up", "investigator_decision"
        ],
    ) -> Dict[str, Any]:
        """End the participation of somebody on treatment: completed as planned, or withdrawn.

        Who withdraws has no further visits; those still planned are cancelled. A kit that is out can be returned
        afterwards.

        Args:
            participant_id: The participant.
            reason: Why it ends; completed means that the visit of week 12 was held.

        Returns:
            message: The participant, the reason, and the visits that are cancelled.
        """
        problem = self._unknown_participant(participant_id)
        if problem:
            return self._refuse(problem)
        person = self.participants[participant_id]
        number = person["subject_number"]
        if person["status"] != "on_treatment":
            hint = "; record_screening_result ends a screening" if person["randomised_on"] is None else ""
            return self._refuse(f"Participant {number} is {self._said(person['status'])}, not on treatment{hint}.")
        visits = self._visits_of(participant_id)
        if visits and visits[0]["status"] == "planned":
            return self._refuse(
                f"The baseline visit {visits[0]['visit_id']} of participant {number} has to be recorded "
                "first, held or missed."
            )
        if reason == "completed":
            problem = self._end_participation_incomplete(person, visits)
        elif reason == "adverse_event":
            problem = self._end_participation_no_event(person)
        elif reason == "lost_to_follow_up":
            problem = self._end_participation_not_lost(person, visits)
        if problem:
            return self._refuse(problem)
        cancelled = [visit["visit_id"] for visit in visits if visit["status"] == "planned"]
        for visit_id in cancelled:
            self.visits[visit_id]["status"] = "cancelled"
        person["status"] = "completed" if reason == "completed" else "withdrawn"
        person["end_reason"] = reason
        if reason == "completed":
            return {"success": True, "message": f"Participant {participant_id} ({number}) has completed the trial."}
        message = f"Participant {participant_id} ({number}) is withdrawn, {self._said(reason)}."
        message += f" Cancelled visits: {', '.join(cancelled) or 'none'}."
        return {"success": True, "message": message}

    def _end_participation_incomplete(self, person: Participant, visits: List[Visit]) -> Optional[str]:
        number, last = person["subject_number"], visits[-1] if visits else None
        if last is None or last["status"] not in self._HELD:
            return f"Participant {number} has not held the visit of week 12, so participation is not completed."
        out = self._kit_out(person["participant_id"])
        if out is not None:
            return (
                f"Kit {out['kit_id']}, pack number {out['pack_number']}, of participant {number} is "
                "still out; return_kit takes it back."
            )
        event = self._unreported_event(person["participant_id"])
        if event is not None:
            return (
                f"The serious event {event['event_id']} of participant {number} is still to be "
                "reported, with send_safety_report."
            )
        return None

    def _end_participation_no_event(self, person: Participant) -> Optional[str]:
        for event in self.adverse_events.values():
            if event["participant_id"] == person["participant_id"] and event["severity"] != "mild":
                return None
        return (
            f"Participant {person['subject_number']} has no moderate or severe adverse event on "
            "record; report_adverse_event enters one."
        )

    def _end_participation_not_lost(self, person: Participant, visits: List[Visit]) -> Optional[str]:
        number, past = person["subject_number"], [visit for visit in visits if visit["status"] != "planned"]
        if not past or past[-1]["status"] != "missed":
            return (
                f"The last visit of participant {number} was not missed, so nobody is lost. "
                "record_visit records a missed one."
            )
        since = (self._today() - timedelta(days=self._SILENCE_DAYS)).isoformat()
        for event in self.adverse_events.values():
            if event["participant_id"] == person["participant_id"] and event["learnt_on"] >= since:
                return (
                    f"The office learnt of event {event['event_id']} of participant {number} on "
                    f"{event['learnt_on']}; after so short a time nobody is lost."
                )
        return None

    def _refuse(self, error: str) -> Dict[str, Any]:
        """Return a refusal."""
        return {"success": False, "error": error}

    def _today(self) -> date:
        """Return today's date."""
        return datetime.now().date()

    def _said(self, word: str) -> str:
        """Return a status or a reason as it is said."""
        said = {"screening": "in screening", "screen_failed": "out, since the screening failed"}
        return said.get(word, word.replace("_", " "))

    def _blank(self, name: str, text: Optional[str]) -> Optional[str]:
        """Return why a text that was given says nothing."""
        if text is None or text.strip():
            return None
        return f"{name} is blank ({text!r}); it needs a word at least."

    def _no_day(self, text: Optional[str]) -> Optional[str]:
        """Return why a text that was given is no day."""
        problem = f"{text!r} is no day. Write it as YYYY-MM-DD, such as 2025-06-10."
        if text is None:
            return None
        if not re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", text):
            return problem
        try:
            date.fromisoformat(text)
        except ValueError:
            return problem
        return None

    def _holds(self, text: str, part: Optional[str]) -> bool:
        """Return whether a text holds a part, in any case; every text holds none."""
        return part is None or part.strip().casefold() in text.casefold()

    def _unknown_site(self, site_id: Optional[str]) -> Optional[str]:
        """Return why a site that is named cannot be used."""
        return (
            None
            if site_id is None or site_id in self.sites
            else f"No site {site_id!r}. find_sites finds them by name, city or number."
        )

    def _unknown_participant(self, participant_id: str) -> Optional[str]:
        """Return why a participant cannot be used."""
        if participant_id not in self.participants:
            return f"No participant {participant_id!r}. find_participants finds the id by subject number."
        person = self.participants[participant_id]
        if person["site_id"] not in self.sites or person["stratum_id"] not in self.strata:
            return (
                f"The site {person['site_id']!r} or the stratum {person['stratum_id']!r} of participant "
                f"{participant_id} does not exist any more."
            )
        return None

    def _unknown_visit(self, visit_id: str) -> Optional[str]:
        """Return why a visit cannot be used."""
        if visit_id not in self.visits:
            return f"No visit {visit_id!r}. find_visits finds the visits of a participant or a site."
        return self._unknown_participant(self.visits[visit_id]["participant_id"])

    def _unknown_kit(self, kit_id: str) -> Optional[str]:
        """Return why a kit cannot be used."""
        return None if kit_id in self.kits else f"No kit {kit_id!r}. find_kits finds the id by pack number."

    def _unknown_event(self, event_id: str) -> Optional[str]:
        """Return why an adverse event cannot be used."""
        if event_id not in self.adverse_events:
            return f"No adverse event {event_id!r}. find_adverse_events finds them."
        return self._unknown_participant(self.adverse_events[event_id]["participant_id"])

    def _next_id(self, prefix: str, records: Dict[str, Any]) -> str:
        """Return the id of the next record of a kind."""
        numbers = [int(key[len(prefix) + 1 :]) for key in records if re.fullmatch(prefix + r"-[0-9]+", key)]
        return f"{prefix}-{max(numbers, default=100) + 1}"

    def _next_subject_number(self, site_id: str) -> str:
        """Return the next subject number of a site."""
        number = self.sites[site_id]["number"]
        known = [person["subject_number"] for person in self.participants.values() if person["site_id"] == site_id]
        numbers = [int(text.rpartition("-")[2]) for text in known if re.fullmatch(r".*-[0-9]+", text)]
        return f"{number}-{max(numbers, default=0) + 1:02d}"

    def _randomised_at(self, site_id: str) -> int:
        """Return how many participants of a site have been randomised."""
        return sum(
            each["site_id"] == site_id and each["status"] in self._RANDOMISED for each in self.participants.values()
        )

    def _randomised_in(self, stratum_id: str) -> int:
        """Return how many participants of a stratum have been randomised."""
        return sum(
            each["stratum_id"] == stratum_id and each["status"] in self._RANDOMISED
            for each in self.participants.values()
        )

    def _open_important(self, site_id: str) -> int:
        """Return how many important deviations are open at a site."""
        count = 0
        for deviation in self.deviations.values():
            person = self.participants.get(deviation["participant_id"])
            at_site = person is not None and person["site_id"] == site_id
            count += at_site and deviation["status"] == "open" and deviation["grade"] == "important"
        return count

    def _recruits_not(self, site_id: str) -> Optional[str]:
        """Return why nobody can be screened or randomised at a site."""
        site = self.sites[site_id]
        if site["status"] != "open":
            return f"Site {site['number']}, {site['name']}, is {self._said(site['status'])} and does not recruit."
        randomised, cap = self._randomised_at(site_id), site["enrolment_cap"]
        if randomised >= cap:
            return f"Site {site['number']} has randomised {randomised} of at most {cap} participants."
        important = self._open_important(site_id)
        if important >= self._MOST_IMPORTANT_DEVIATIONS:
            return (
                f"Site {site['number']} has {important} important deviations open; fewer than "
                f"{self._MOST_IMPORTANT_DEVIATIONS} may be. close_deviation closes them."
            )
        return None

    def _screening_over(self, person: Participant) -> Optional[str]:
        """Return that the screening period of a participant is over, if it is."""
        days = (self._today() - date.fromisoformat(person["screened_on"])).days
        if days <= self._SCREENING_DAYS:
            return None
        return (
            f"Participant {person['subject_number']} was screened on {person['screened_on']}, "
            f"{days} days ago; at most {self._SCREENING_DAYS} may pass."
        )

    def _outdated_consent(self, person: Participant) -> Optional[str]:
        """Return that a participant has not signed the consent form in force, if so."""
        site = self.sites[person["site_id"]]
        if person["consent_version"] == site["consent_version"]:
            return None
        return (
            f"Participant {person['subject_number']} has signed version {person['consent_version']} "
            f"of the consent form, in force at site {site['number']} is version "
            f"{site['consent_version']}; record_reconsent records it once signed."
        )

    def _lasting_kits(self, site_id: str) -> List[Kit]:
        """Return the available kits of a site that last long enough from today."""
        least = (self._today() + timedelta(days=self._SHELF_DAYS)).isoformat()
        return [
            kit
            for kit in self.kits.values()
            if kit["site_id"] == site_id and kit["status"] == "available" and kit["expires_on"] >= least
        ]

    def _obstacles(self, person: Participant) -> List[str]:
        """Return what stands in the way of randomising a participant today."""
        if person["status"] != "eligible":
            said = self._said(person["status"])
            return [f"Participant {person['subject_number']} is {said}; only eligible participants are randomised."]
        found = [self._screening_over(person), self._outdated_consent(person), self._recruits_not(person["site_id"])]
        stratum = self.strata[person["stratum_id"]]
        if self._randomised_in(person["stratum_id"]) >= len(stratum["allocation_list"]):
            found.append(f"All {len(stratum['allocation_list'])} places of the stratum {stratum['name']!r} are taken.")
        if {kit["arm"] for kit in self._lasting_kits(person["site_id"])} != {"active", "placebo"}:
            number = self.sites[person["site_id"]]["number"]
            found.append(
                f"Site {number} has not at least one available kit of each arm that lasts {self._SHELF_DAYS} days more."
            )
        return [text for text in found if text]

    def _arm(self, person: Participant) -> Optional[str]:
        """Return the arm to which a participant was allocated."""
        allocation_list = self.strata[person["stratum_id"]]["allocation_list"]
        position = person["position"] or 0
        return allocation_list[position - 1] if 1 <= position <= len(allocation_list) else None

    def _visits_of(self, participant_id: str) -> List[Visit]:
        """Return the visits of a participant in the order of the schedule."""
        kinds = [kind for kind, _, _, _ in self._SCHEDULE]
        visits = [visit for visit in self.visits.values() if visit["participant_id"] == participant_id]
        return sorted(visits, key=lambda visit: (kinds.index(visit["kind"]), visit["visit_id"]))

    def _days_outside(self, visit: Visit, day: str) -> int:
        """Return how many days before or after the window of a visit a day lies."""
        held = date.fromisoformat(day)
        early = (date.fromisoformat(visit["opens_on"]) - held).days
        return max(early, (held - date.fromisoformat(visit["closes_on"])).days, 0)

    def _kit_out(self, participant_id: str) -> Optional[Kit]:
        """Return the kit that a participant has, if there is one."""
        for kit in self.kits.values():
            visit = self.visits.get(kit["visit_id"] or "")
            if kit["status"] == "dispensed" and visit is not None and visit["participant_id"] == participant_id:
                return kit
        return None

    def _is_unreported(self, event: AdverseEvent) -> bool:
        """Return whether the safety report of an event is still to be sent."""
        return event["seriousness"] != "not_serious" and event["reported_on"] is None

    def _unreported_event(self, participant_id: str) -> Optional[AdverseEvent]:
        """Return a serious event of a participant that is still to be reported, if there is one."""
        for event in self.adverse_events.values():
            if event["participant_id"] == participant_id and self._is_unreported(event):
                return event
        return None

    def _file_deviation(
        self,
        participant_id: str,
        category: Literal["mistimed_visit", "missed_visit", "low_compliance", "late_safety_report"],
        grade: Literal["minor", "important"],
        explanation: str,
        visit_id: Optional[str] = None,
        event_id: Optional[str] = None,
    ) -> str:
        """File a deviation and return its id."""
        deviation_id = self._next_id("PD", self.deviations)
        self.deviations[deviation_id] = {
            "deviation_id": deviation_id,
            "participant_id": participant_id,
            "category": category,
            "grade": grade,
            "visit_id": visit_id,
            "event_id": event_id,
            "noted_on": self._today().isoformat(),
            "explanation": explanation.strip(),
            "status": "open",
            "corrective_action": "",
        }
        return deviation_id

    def _whereabouts(self, participant_id: str) -> Dict[str, Any]:
        """Return subject number and site of a participant."""
        person = self.participants.get(participant_id)
        return {
            "subject_number": person["subject_number"] if person else "",
            "site_id": person["site_id"] if person else "",
        }

    def _participant_view(self, person: Participant) -> Dict[str, Any]:
        """Return a participant as searches show one."""
        site, stratum = self.sites.get(person["site_id"]), self.strata.get(person["stratum_id"])
        return {
            **person,
            "unmet_criteria": list(person["unmet_criteria"]),
            "site_name": site["name"] if site else "",
            "stratum_name": stratum["name"] if stratum else "",
        }

    def _visit_view(self, visit: Visit) -> Dict[str, Any]:
        """Return a visit as searches show it."""
        kit_id = next((key for key, kit in self.kits.items() if kit["visit_id"] == visit["visit_id"]), None)
        return {
            **visit,
            **self._whereabouts(visit["participant_id"]),
            "dispenses": visit["kind"] in self._DISPENSING,
            "kit_id": kit_id,
        }

    def _kit_view(self, kit: Kit) -> Dict[str, Any]:
        """Return a kit as searches show it, without its arm."""
        site = self.sites.get(kit["site_id"])
        shown = {name: value for name, value in kit.items() if name != "arm"}
        return {**shown, "site_name": site["name"] if site else ""}

    def _event_view(self, event: AdverseEvent) -> Dict[str, Any]:
        """Return an adverse event as searches show it."""
        return {**event, **self._whereabouts(event["participant_id"])}

    def _deviation_view(self, deviation: Deviation) -> Dict[str, Any]:
        """Return a deviation as searches show it."""
        return {**deviation, **self._whereabouts(deviation["participant_id"])}
