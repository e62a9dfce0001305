"""What always holds in ClinicalTrial, as functions of a state."""

from collections import Counter
from datetime import date, timedelta
from itertools import pairwise
from typing import Any, Dict, List, Optional, Tuple


def _records(state: Dict[str, Any], table: str) -> Dict[str, Dict[str, Any]]:
    rows = state.get(table)
    return {key: rows[key] for key in sorted(rows) if isinstance(rows[key], dict)} if isinstance(rows, dict) else {}


def _record(state: Dict[str, Any], table: str, key: Any) -> Dict[str, Any]:
    return _records(state, table).get(key, {}) if isinstance(key, str) else {}


def _day(value: Any) -> Optional[date]:
    if not isinstance(value, str) or len(value) != 10:
        return None
    try:
        return date.fromisoformat(value)
    except ValueError:
        return None


def _number(value: Any) -> int:
    return value if isinstance(value, int) and not isinstance(value, bool) else 0


def _schedule() -> Dict[str, Tuple[int, int, int]]:
    return {"baseline": (0, 0, 3), "week_four": (28, 3, 3), "week_eight": (56, 5, 5), "week_twelve": (84, 7, 7)}


def _is_randomised(person: Dict[str, Any]) -> bool:
    return person.get("status") in ("on_treatment", "completed", "withdrawn")


def _is_held(visit: Dict[str, Any]) -> bool:
    return visit.get("status") in ("completed", "queried", "locked")


def _visits(state: Dict[str, Any], participant_id: str) -> List[Tuple[str, Dict[str, Any]]]:
    kinds = list(_schedule())
    own = [(key, row) for key, row in _records(state, "visits").items() if row.get("participant_id") == participant_id]
    return sorted(own, key=lambda pair: (kinds.index(pair[1]["kind"]) if pair[1].get("kind") in kinds else 9, pair[0]))


def _kits_out(state: Dict[str, Any], participant_id: str) -> List[str]:
    return [
        key
        for key, kit in _records(state, "kits").items()
        if kit.get("status") == "dispensed"
        and _record(state, "visits", kit.get("visit_id")).get("participant_id") == participant_id
    ]


def _is_unreported(event: Dict[str, Any]) -> bool:
    return event.get("seriousness") not in (None, "not_serious") and event.get("reported_on") is None


def _outside(visit: Dict[str, Any]) -> int:
    held, opens, closes = _day(visit.get("held_on")), _day(visit.get("opens_on")), _day(visit.get("closes_on"))
    if held is None or opens is None or closes is None:
        return 0
    return max((opens - held).days, (held - closes).days, 0)


def _arm(state: Dict[str, Any], person: Dict[str, Any]) -> Optional[str]:
    places = _record(state, "strata", person.get("stratum_id")).get("allocation_list")
    position = _number(person.get("position"))
    return str(places[position - 1]) if isinstance(places, list) and 1 <= position <= len(places) else None


def allocation_lists_are_followed(state: Dict[str, Any]) -> List[str]:
    """The randomised participants of a stratum hold the positions from 1 on of its allocation list, each exactly once, none beyond its end, and nobody was randomised before somebody at an earlier position."""
    found = []
    for key, stratum in _records(state, "strata").items():
        places = stratum.get("allocation_list")
        people = [
            (_number(person.get("position")), str(person.get("randomised_on")), name)
            for name, person in _records(state, "participants").items()
            if person.get("stratum_id") == key and _is_randomised(person)
        ]
        people.sort()
        positions = [position for position, _, _ in people]
        if positions != list(range(1, len(people) + 1)):
            found.append(f"the randomised participants of {key} hold the positions {positions}")
        if isinstance(places, list) and len(people) > len(places):
            found.append(f"{len(people)} participants of {key} are randomised, its list has {len(places)} places")
        for (first, earlier, _), (second, later, name) in pairwise(people):
            if later < earlier:
                found.append(f"{name} at position {second} was randomised on {later}, position {first} on {earlier}")
    return found


def sites_keep_their_caps(state: Dict[str, Any]) -> List[str]:
    """No site has more randomised participants than its enrolment cap."""
    counts = Counter(
        person.get("site_id") for person in _records(state, "participants").values() if _is_randomised(person)
    )
    return [
        f"{key} has randomised {counts[key]}, its cap is {site.get('enrolment_cap')}"
        for key, site in _records(state, "sites").items()
        if counts[key] > _number(site.get("enrolment_cap"))
    ]


def participants_fit_their_status(state: Dict[str, Any]) -> List[str]:
    """A participant has a stratum position and a day of randomisation exactly when on treatment, completed or withdrawn, unmet criteria exactly when the screening failed, and an end reason exactly when completed or withdrawn; none has signed a newer consent form than the site has."""
    found = []
    for key, person in _records(state, "participants").items():
        status = person.get("status")
        found += [
            f"{key} is {status} and has {field} {person.get(field)!r}"
            for field in ("randomised_on", "position")
            if (person.get(field) is not None) != _is_randomised(person)
        ]
        if bool(person.get("unmet_criteria")) != (status == "screen_failed"):
            found.append(f"{key} is {status} and has unmet criteria {person.get('unmet_criteria')!r}")
        reason = person.get("end_reason")
        fits = {"completed": reason == "completed", "withdrawn": reason not in (None, "completed")}
        if not fits.get(str(status), reason is None):
            found.append(f"{key} is {status} and has the end reason {reason!r}")
        site = _record(state, "sites", person.get("site_id"))
        if site and _number(person.get("consent_version")) > _number(site.get("consent_version")):
            signed, version = person.get("consent_version"), site.get("consent_version")
            found.append(f"{key} has signed version {signed}, the site has {version}")
    return found


def visits_follow_the_schedule(state: Dict[str, Any]) -> List[str]:
    """Every randomised participant has one visit of each kind, due 0, 28, 56 and 84 days after randomisation with the window of its kind, and nobody else has visits."""
    found = []
    for key, person in _records(state, "participants").items():
        wanted = list(_schedule()) if _is_randomised(person) else []
        own = [visit.get("kind") for _, visit in _visits(state, key)]
        if own != wanted:
            found.append(f"{key} is {person.get('status')} and has the visits {own}")
    for key, visit in _records(state, "visits").items():
        start = _day(_record(state, "participants", visit.get("participant_id")).get("randomised_on"))
        days = _schedule().get(str(visit.get("kind")))
        if start is None or days is None:
            continue
        due = start + timedelta(days=days[0])
        times = {"due_on": due, "opens_on": due - timedelta(days=days[1]), "closes_on": due + timedelta(days=days[2])}
        for field, day in times.items():
            if visit.get(field) != day.isoformat():
                found.append(f"{key}.{field} is {visit.get(field)}, by the schedule it is {day.isoformat()}")
    return found


def visits_come_in_order(state: Dict[str, Any]) -> List[str]:
    """A participant's visits are held or missed in the order of the schedule and on rising days from randomisation on; visits are planned only while the participant is on treatment, and cancelled only where the participant withdrew."""
    found = []
    for key, person in _records(state, "participants").items():
        last, waiting = person.get("randomised_on"), ""
        first = True
        for visit_id, visit in _visits(state, key):
            status, held = visit.get("status"), visit.get("held_on")
            if (held is not None) != _is_held(visit):
                found.append(f"{visit_id} is {status} and was held on {held!r}")
            if status in ("planned", "cancelled"):
                waiting = visit_id
            elif waiting:
                found.append(f"{visit_id} is {status}, though {waiting} before it has not taken place")
            if isinstance(held, str) and isinstance(last, str):
                if held < last or (held == last and not first):
                    found.append(f"{visit_id} was held on {held}, after something on {last}")
                last, first = held, False
            allowed = {"planned": "on_treatment", "cancelled": "withdrawn"}.get(str(status))
            if allowed and person.get("status") != allowed:
                found.append(f"{visit_id} is {status}, its participant is {person.get('status')}")
    return found


def kits_match_visit_arm_and_site(state: Dict[str, Any]) -> List[str]:
    """Every dispensed or returned kit names a visit with dispensing that was held at the kit's site, is of the arm to which the participant was allocated, and expires at least 35 days after that visit; no other kit names a visit."""
    found = []
    for key, kit in _records(state, "kits").items():
        used = kit.get("status") in ("dispensed", "returned")
        if used != (kit.get("visit_id") is not None):
            found.append(f"{key} is {kit.get('status')} and names the visit {kit.get('visit_id')!r}")
        visit = _record(state, "visits", kit.get("visit_id"))
        person = _record(state, "participants", visit.get("participant_id"))
        if not used or not visit or not person:
            continue
        if not _is_held(visit) or visit.get("kind") == "week_twelve":
            what = f"{visit.get('kind')} visit {kit.get('visit_id')}, which is {visit.get('status')}"
            found.append(f"{key} was dispensed at the {what}")
        if kit.get("site_id") != person.get("site_id"):
            found.append(f"{key} is of site {kit.get('site_id')}, the participant of {person.get('site_id')}")
        arm = _arm(state, person)
        if arm is not None and kit.get("arm") != arm:
            found.append(f"{key} is of the arm {kit.get('arm')}, the participant of {arm}")
        held, expires = _day(visit.get("held_on")), _day(kit.get("expires_on"))
        if held is not None and expires is not None and (expires - held).days < 35:
            found.append(f"{key} expires on {expires}, less than 35 days after the visit on {held}")
    return found


def kits_are_accounted_for(state: Dict[str, Any]) -> List[str]:
    """No visit has two kits, no participant has two kits out at a time, and exactly the returned kits have a count of the tablets left, from 0 to 64."""
    found = []
    kits = _records(state, "kits")
    named = Counter(kit.get("visit_id") for kit in kits.values() if isinstance(kit.get("visit_id"), str))
    found += [f"{count} kits name the visit {visit_id}" for visit_id, count in sorted(named.items()) if count > 1]
    for key in _records(state, "participants"):
        out = _kits_out(state, key)
        if len(out) > 1:
            found.append(f"{key} has the kits {', '.join(out)} out")
    for key, kit in kits.items():
        left = kit.get("tablets_left")
        if (left is not None) != (kit.get("status") == "returned"):
            found.append(f"{key} is {kit.get('status')} with {left!r} tablets left")
        if isinstance(left, int) and not 0 <= left <= 64:
            found.append(f"{key} has {left} tablets left, a kit holds 64")
    return found


def safety_reports_have_deadlines(state: Dict[str, Any]) -> List[str]:
    """A serious adverse event has to be reported within 15 days after the office learns of it, 7 if it is life-threatening, and was not reported before that day; an event that is not serious has no deadline and no report."""
    found = []
    for key, event in _records(state, "adverse_events").items():
        learnt, due, reported = _day(event.get("learnt_on")), event.get("report_due_on"), event.get("reported_on")
        if event.get("seriousness") == "not_serious":
            if due is not None or reported is not None:
                found.append(f"{key} is not serious, has the deadline {due!r} and was reported on {reported!r}")
            continue
        days = 7 if event.get("seriousness") == "life_threatening" else 15
        if learnt is not None and due != (learnt + timedelta(days=days)).isoformat():
            found.append(f"{key} has the deadline {due!r}, {days} days after {learnt} are wanted")
        if isinstance(reported, str) and isinstance(event.get("learnt_on"), str) and reported < event["learnt_on"]:
            found.append(f"{key} was reported on {reported}, before the office learnt of it on {event['learnt_on']}")
    return found


def deviations_match_what_went_wrong(state: Dict[str, Any]) -> List[str]:
    """For every visit held outside its window, every missed visit, every kit returned with more than 19 tablets and every safety report after its deadline there is exactly one deviation of that category, and no other deviation exists; those of missed visits, of late reports and of visits more than 7 days outside the window are important, the others minor."""
    wanted: Dict[Tuple[str, str, str], str] = {}
    visits = _records(state, "visits")
    for key, visit in visits.items():
        owner = str(visit.get("participant_id"))
        if visit.get("status") == "missed":
            wanted["missed_visit", key, owner] = "important"
        elif _is_held(visit) and _outside(visit):
            wanted["mistimed_visit", key, owner] = "important" if _outside(visit) > 7 else "minor"
    for kit in _records(state, "kits").values():
        if kit.get("status") == "returned" and _number(kit.get("tablets_left")) > 19:
            visit_id = kit.get("visit_id")
            owner = str(_record(state, "visits", visit_id).get("participant_id"))
            wanted["low_compliance", str(visit_id), owner] = "minor"
    for key, event in _records(state, "adverse_events").items():
        due, reported = event.get("report_due_on"), event.get("reported_on")
        if isinstance(due, str) and isinstance(reported, str) and reported > due:
            wanted["late_safety_report", key, str(event.get("participant_id"))] = "important"
    found: List[str] = []
    filed: Counter[Tuple[str, str, str]] = Counter()
    for key, deviation in _records(state, "deviations").items():
        late = deviation.get("category") == "late_safety_report"
        about, other = ("event_id", "visit_id") if late else ("visit_id", "event_id")
        cause = (str(deviation.get("category")), str(deviation.get(about)), str(deviation.get("participant_id")))
        filed[cause] += 1
        if cause not in wanted or deviation.get(other) is not None:
            found.append(f"{key}: nothing is known of {' '.join(cause)}, or it names something else too")
        elif deviation.get("grade") != wanted[cause]:
            found.append(f"{key} is {deviation.get('grade')}, {' '.join(cause)} is {wanted[cause]}")
    found += [f"{filed[cause]} deviations are filed for {' '.join(cause)}" for cause in wanted if filed[cause] != 1]
    return found


def locked_visits_are_clean(state: Dict[str, Any]) -> List[str]:
    """No locked visit has an open deviation or a kit that is still out; visits have a query exactly when they are queried, and deviations a corrective action exactly when they are closed."""
    found = []
    visits = _records(state, "visits")
    for key, deviation in _records(state, "deviations").items():
        visit_id = deviation.get("visit_id")
        if deviation.get("status") == "open" and _record(state, "visits", visit_id).get("status") == "locked":
            found.append(f"{visit_id} is locked, its deviation {key} is open")
        if bool(deviation.get("corrective_action")) != (deviation.get("status") == "closed"):
            action = deviation.get("corrective_action")
            found.append(f"{key} is {deviation.get('status')} with the corrective action {action!r}")
    for key, kit in _records(state, "kits").items():
        if kit.get("status") == "dispensed" and _record(state, "visits", kit.get("visit_id")).get("status") == "locked":
            found.append(f"{kit.get('visit_id')} is locked, its kit {key} is out")
    for key, visit in visits.items():
        if bool(visit.get("query")) != (visit.get("status") == "queried"):
            found.append(f"{key} is {visit.get('status')} with the query {visit.get('query')!r}")
    return found


def unblinding_had_a_reason(state: Dict[str, Any]) -> List[str]:
    """Only participants with a severe and serious adverse event have been unblinded."""
    grave = {
        event.get("participant_id")
        for event in _records(state, "adverse_events").values()
        if event.get("severity") == "severe" and event.get("seriousness") not in (None, "not_serious")
    }
    return [
        f"{key} was unblinded without a severe and serious adverse event"
        for key, person in _records(state, "participants").items()
        if person.get("unblinded") is True and key not in grave
    ]


def completed_participants_are_done(state: Dict[str, Any]) -> List[str]:
    """A completed participant has held the visit of week 12, has no kit out, and has no serious adverse event that is still to be reported."""
    found = []
    for key, person in _records(state, "participants").items():
        if person.get("status") != "completed":
            continue
        if not any(visit.get("kind") == "week_twelve" and _is_held(visit) for _, visit in _visits(state, key)):
            found.append(f"{key} is completed and has not held the visit of week 12")
        found += [f"{key} is completed and has the kit {kit_id} out" for kit_id in _kits_out(state, key)]
        found += [
            f"{key} is completed and the event {event_id} is to be reported"
            for event_id, event in _records(state, "adverse_events").items()
            if event.get("participant_id") == key and _is_unreported(event)
        ]
    return found
