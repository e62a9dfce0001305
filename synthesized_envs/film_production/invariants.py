"""What always holds in FilmProduction, as functions of a state."""

from datetime import date, datetime, timedelta
from itertools import pairwise
from typing import Any, Dict, List, Optional, Tuple


def _records(state: Dict[str, Any], table: str) -> Dict[str, Dict[str, Any]]:
    rows = state.get(table)
    return {key: rows[key] for key in sorted(rows) if isinstance(rows[key], dict)} if isinstance(rows, dict) else {}


def _record(state: Dict[str, Any], table: str, key: Any) -> Dict[str, Any]:
    return _records(state, table).get(key, {}) if isinstance(key, str) else {}


def _number(value: Any) -> int:
    return value if isinstance(value, int) and not isinstance(value, bool) else 0


def _names(value: Any) -> List[str]:
    return [each for each in value if isinstance(each, str)] if isinstance(value, list) else []


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""


def _moment(value: Any) -> Optional[datetime]:
    try:
        return datetime.fromisoformat(_text(value))
    except ValueError:
        return None


def _following(start: Optional[datetime], time: Any) -> Optional[datetime]:
    moment = None if start is None else _moment(f"{start.date()}T{_text(time)}:00")
    if start is None or moment is None:
        return None
    return moment if moment > start else moment + timedelta(days=1)


def _day_span(day: Dict[str, Any]) -> Tuple[Optional[datetime], Optional[datetime]]:
    start = _moment(f"{day.get('date')}T{day.get('call_time')}:00")
    return start, _following(start, day.get("wrap_time"))


def _call_span(state: Dict[str, Any], call: Dict[str, Any]) -> Tuple[Optional[datetime], Optional[datetime]]:
    unit_call = _day_span(_record(state, "shooting_days", call.get("day_id")))[0]
    earliest = None if unit_call is None else unit_call - timedelta(hours=2, minutes=1)
    start = _following(earliest, call.get("call_time"))
    return start, _following(start, call.get("release_time"))


def _day(value: Any) -> Optional[date]:
    try:
        return date.fromisoformat(_text(value))
    except ValueError:
        return None


def _strips_of(state: Dict[str, Any], field: str, key: str) -> Dict[str, Dict[str, Any]]:
    return {name: strip for name, strip in _records(state, "strips").items() if strip.get(field) == key}


def _calls_of(state: Dict[str, Any], field: str, key: str) -> Dict[str, Dict[str, Any]]:
    return {name: call for name, call in _records(state, "calls").items() if call.get(field) == key}


def _is_child(person: Dict[str, Any], day: Any) -> bool:
    born, on = _day(person.get("birth_date")), _day(day)
    if born is None or on is None:
        return False
    return on.year - born.year - ((on.month, on.day) < (born.month, born.day)) < 16


def _span(record: Dict[str, Any], first: str, last: str) -> str:
    return f"{record.get(first)} to {record.get(last)}"


def _permit_gap(day: Dict[str, Any], location: Dict[str, Any]) -> bool:
    opens = _moment(f"{day.get('date')}T{location.get('permit_opens')}:00")
    closes = _following(opens, location.get("permit_closes"))
    call, wrap = _day_span(day)
    if opens is None or closes is None or call is None or wrap is None:
        return False
    dates = _text(location.get("permit_from")) <= _text(day.get("date")) <= _text(location.get("permit_until"))
    return location.get("permit_status") != "granted" or not dates or call < opens or closes < wrap


def _on_order(state: Dict[str, Any], item: str, day: str) -> bool:
    for order in _records(state, "purchase_orders").values():
        same = _text(order.get("item")).strip().casefold() == item.strip().casefold()
        runs = _text(order.get("from_date")) <= day <= _text(order.get("until_date"))
        if same and runs and order.get("status") in ("open", "paid"):
            return True
    return False


def pages_add_up(state: Dict[str, Any]) -> List[str]:
    """What a scene has shot is what its strips have shot, pickups left out, and what is planned of it on top never exceeds its pages."""
    found = []
    for key, scene in _records(state, "scenes").items():
        strips = [strip for strip in _strips_of(state, "scene_id", key).values() if strip.get("pickup") is not True]
        shot = sum(_number(strip.get("shot_eighths")) for strip in strips)
        planned = sum(_number(strip.get("eighths")) for strip in strips if strip.get("status") == "planned")
        if shot != _number(scene.get("shot_eighths")):
            found.append(f"{key} has {scene.get('shot_eighths')} eighths shot, its strips have {shot}")
        if shot + planned > _number(scene.get("pages_eighths")):
            found.append(f"{key}: {shot} eighths shot and {planned} planned exceed its {scene.get('pages_eighths')}")
    return found


def scene_status_follows(state: Dict[str, Any]) -> List[str]:
    """A scene is complete when all its pages are shot, part shot when some are and to shoot when none are; only complete scenes have pickups."""
    found = []
    for key, scene in _records(state, "scenes").items():
        shot, pages = _number(scene.get("shot_eighths")), _number(scene.get("pages_eighths"))
        wanted = "complete" if shot >= pages else "part_shot" if shot > 0 else "to_shoot"
        if scene.get("status") != wanted:
            found.append(f"{key} is {scene.get('status')} with {shot} of {pages} eighths shot")
        pickups = [name for name, strip in _strips_of(state, "scene_id", key).items() if strip.get("pickup") is True]
        if pickups and scene.get("status") != "complete":
            found.append(f"{key} is {scene.get('status')} and has the pickups {', '.join(pickups)}")
    return found


def strips_agree_with_days(state: Dict[str, Any]) -> List[str]:
    """Strips on a draft day are all planned, on a wrapped day none is, a cancelled day has neither strips nor calls, and a strip is shot, part shot or not shot according to its eighths."""
    found = []
    for key, strip in _records(state, "strips").items():
        status, day = strip.get("status"), _record(state, "shooting_days", strip.get("day_id"))
        eighths, shot = _number(strip.get("eighths")), _number(strip.get("shot_eighths"))
        recorded = "shot" if shot == eighths else "part_shot" if 0 < shot < eighths else "not_shot"
        if (
            shot < 0
            or shot > eighths
            or eighths < 1
            or (status == "planned" and shot)
            or status not in ("planned", recorded)
        ):
            found.append(f"{key} is {status} with {shot} of {eighths} eighths")
        held = day.get("status")
        if (
            held == "cancelled"
            or (held == "draft" and status != "planned")
            or (held == "wrapped" and status == "planned")
        ):
            found.append(f"{key} is {status} on {strip.get('day_id')}, which is {held}")
    for key, call in _records(state, "calls").items():
        if _record(state, "shooting_days", call.get("day_id")).get("status") == "cancelled":
            found.append(f"{key} is a call on {call.get('day_id')}, which is cancelled")
    return found


def page_limits_are_kept(state: Dict[str, Any]) -> List[str]:
    """A day of the main unit holds at most 40 eighths of a page and one of the second unit at most 24, and no scene twice."""
    found = []
    for key, day in _records(state, "shooting_days").items():
        strips = _strips_of(state, "day_id", key)
        held, most = (
            sum(_number(strip.get("eighths")) for strip in strips.values()),
            24 if day.get("unit") == "second" else 40,
        )
        if held > most:
            found.append(f"{key} holds {held} eighths; the {day.get('unit')} unit does {most}")
        scenes = [_text(strip.get("scene_id")) for strip in strips.values()]
        found += [
            f"{scene} is {scenes.count(scene)} times on {key}"
            for scene in sorted(set(scenes))
            if scenes.count(scene) > 1
        ]
    return found


def strips_are_where_and_when_they_can_be(state: Dict[str, Any]) -> List[str]:
    """Every strip is on a day at its scene's location; until the day is wrapped, a day exterior needs a unit call at 13:00 or earlier, a night exterior a wrap at 22:00 or later."""
    found = []
    for key, strip in _records(state, "strips").items():
        scene = _record(state, "scenes", strip.get("scene_id"))
        day = _record(state, "shooting_days", strip.get("day_id"))
        if scene and day and scene.get("location_id") != day.get("location_id"):
            found.append(
                f"{key} is on a day at {day.get('location_id')}, its scene is shot at {scene.get('location_id')}"
            )
        if scene.get("int_ext") != "exterior" or day.get("status") not in ("draft", "issued"):
            continue
        if scene.get("time_of_day") == "day" and _text(day.get("call_time")) > "13:00":
            found.append(f"{key} is a day exterior on a day called at {day.get('call_time')}")
        wrap = _day_span(day)[1]
        if (
            scene.get("time_of_day") == "night"
            and wrap is not None
            and wrap.isoformat() < f"{day.get('date')}T22:00:00"
        ):
            found.append(f"{key} is a night exterior on a day that wraps at {day.get('wrap_time')}")
    return found


def units_rest(state: Dict[str, Any]) -> List[str]:
    """A unit has one shooting day a date, of at most 12 hours from call to wrap, 14 once it is wrapped, and 11 hours between one wrap and the next call."""
    days = []
    found = []
    for key, day in _records(state, "shooting_days").items():
        call, wrap = _day_span(day)
        if day.get("status") == "cancelled" or call is None or wrap is None:
            continue
        days.append((_text(day.get("unit")), call, wrap, key))
        if wrap - call > timedelta(hours=14 if day.get("status") == "wrapped" else 12):
            found.append(f"{key} lasts from {call} to {wrap}")
    days.sort()
    for (unit, first, wrap, key), (other, call, _, after) in pairwise(days):
        if unit == other and (first.date() == call.date() or call - wrap < timedelta(hours=11)):
            found.append(f"{key} wraps at {wrap}, {after} of the same unit is called at {call}")
    return found


def calls_keep_contracts(state: Dict[str, Any]) -> List[str]:
    """A person is called once a day at most, no earlier than two hours before the unit call and not beyond the wrap, within the engagement, on no unavailable date, and on no more days than the contract has."""
    found = []
    for key, call in _records(state, "calls").items():
        day = _record(state, "shooting_days", call.get("day_id"))
        person = _record(state, "people", call.get("person_id"))
        end, last = _call_span(state, call)[1], _day_span(day)[1]
        if end is not None and last is not None and end > last:
            times = f"{_span(call, 'call_time', 'release_time')} on {call.get('day_id')}"
            found.append(f"{key} is from {times}, which is from {_span(day, 'call_time', 'wrap_time')}")
        on = _text(day.get("date"))
        if person and day and not _text(person.get("engaged_from")) <= on <= _text(person.get("engaged_until")):
            found.append(
                f"{key} is on {on}, {call.get('person_id')} is engaged {_span(person, 'engaged_from', 'engaged_until')}"
            )
        if on in _names(person.get("unavailable")):
            found.append(f"{key} is on {on}, when {call.get('person_id')} is unavailable")
    for key, person in _records(state, "people").items():
        calls = _calls_of(state, "person_id", key)
        days = [_text(call.get("day_id")) for call in calls.values()]
        found += [
            f"{key} is called {days.count(day)} times on {day}" for day in sorted(set(days)) if days.count(day) > 1
        ]
        if len(days) > _number(person.get("contract_days")):
            found.append(f"{key} has {len(days)} calls, the contract has {person.get('contract_days')} days")
    return found


def people_rest(state: Dict[str, Any]) -> List[str]:
    """Everybody has at least 11 hours between a release and the next call, whichever unit calls."""
    found = []
    for person in _records(state, "people"):
        spans = []
        for key, call in _calls_of(state, "person_id", person).items():
            start, end = _call_span(state, call)
            if start is not None and end is not None:
                spans.append((start, end, key))
        spans.sort()
        for (_, released, first), (called, _, second) in pairwise(spans):
            if called - released < timedelta(hours=11):
                found.append(f"{person} is released from {first} at {released} and called for {second} at {called}")
    return found


def children_keep_short_hours(state: Dict[str, Any]) -> List[str]:
    """A person under 16 is called between 07:00 and 20:00 for at most 8 hours, and a chaperone is called on that day for all of that time."""
    found = []
    for key, call in _records(state, "calls").items():
        day = _record(state, "shooting_days", call.get("day_id"))
        start, end = _call_span(state, call)
        if (
            start is None
            or end is None
            or not _is_child(_record(state, "people", call.get("person_id")), day.get("date"))
        ):
            continue
        late = end.date() > start.date() or (end.hour, end.minute) > (20, 0)
        if start.hour < 7 or late or end - start > timedelta(hours=8):
            found.append(f"{key} keeps a child from {_span(call, 'call_time', 'release_time')}")
        attended = False
        for other in _calls_of(state, "day_id", _text(call.get("day_id"))).values():
            since, until = _call_span(state, other)
            chaperone = _record(state, "people", other.get("person_id")).get("kind") == "chaperone"
            if chaperone and since is not None and until is not None and since <= start and end <= until:
                attended = True
        if not attended:
            found.append(f"{key} keeps a child without a chaperone from {_span(call, 'call_time', 'release_time')}")
    return found


def issued_days_hold(state: Dict[str, Any]) -> List[str]:
    """An issued day has strips, a granted permit that covers its date and its hours from call to wrap, a call for everybody in the cast of its strips, and the equipment of its scenes on order for its date."""
    found = []
    for key, day in _records(state, "shooting_days").items():
        if day.get("status") != "issued":
            continue
        strips = _strips_of(state, "day_id", key)
        if not strips:
            found.append(f"{key} is issued without strips")
        if _permit_gap(day, _record(state, "locations", day.get("location_id"))):
            found.append(f"{key} is issued for {day.get('location_id')}, whose permit does not cover it")
        called = {_text(call.get("person_id")) for call in _calls_of(state, "day_id", key).values()}
        for strip in strips.values():
            scene = _record(state, "scenes", strip.get("scene_id"))
            missing = [person for person in _names(scene.get("cast_ids")) if person not in called]
            missing += [
                item for item in _names(scene.get("equipment")) if not _on_order(state, item, _text(day.get("date")))
            ]
            found += [f"{key} is issued, and {each} is missing for {strip.get('scene_id')}" for each in missing]
    return found


def days_lie_within_permits(state: Dict[str, Any]) -> List[str]:
    """Once the permit of a location is granted, every draft or issued day there lies within its dates and hours."""
    found = []
    for key, day in _records(state, "shooting_days").items():
        location = _record(state, "locations", day.get("location_id"))
        granted = location.get("permit_status") == "granted"
        if granted and day.get("status") in ("draft", "issued") and _permit_gap(day, location):
            when = f"{day.get('date')} from {_span(day, 'call_time', 'wrap_time')}"
            found.append(f"{key} is on {when}, outside the permit of {day.get('location_id')}")
    return found


def orders_come_to_their_days(state: Dict[str, Any]) -> List[str]:
    """Every order comes to its days times its daily rate; a supply order has supplier, item, line and rate of its quote and runs over as many days, within the quote's dates; no quote is on order twice for overlapping days."""
    orders = list(_records(state, "purchase_orders").items())
    found = []
    for key, order in orders:
        days, rate, amount = (_number(order.get(field)) for field in ("days", "day_rate_cents", "amount_cents"))
        if amount != days * rate or days < 1 or rate < 1:
            found.append(f"{key} comes to {amount} cents for {days} days of {rate}")
        first, last = _day(order.get("from_date")), _day(order.get("until_date"))
        if (
            order.get("person_id") is None
            and first is not None
            and last is not None
            and (last - first).days + 1 != days
        ):
            found.append(f"{key} runs from {_span(order, 'from_date', 'until_date')} and has {days} days")
        quote = _record(state, "quotes", order.get("quote_id"))
        if quote and any(
            order.get(field) != quote.get(field) for field in ("supplier", "item", "line_id", "day_rate_cents")
        ):
            found.append(f"{key} differs from its quote {order.get('quote_id')}")
        since, until = _text(quote.get("available_from")), _text(quote.get("available_until"))
        if quote and not since <= _text(order.get("from_date")) <= _text(order.get("until_date")) <= until:
            found.append(
                f"{key} runs from {_span(order, 'from_date', 'until_date')}, its quote from {since} to {until}"
            )
        if (order.get("quote_id") is None) == (order.get("person_id") is None):
            found.append(f"{key} has the quote {order.get('quote_id')} and the person {order.get('person_id')}")
    supplies = [pair for pair in orders if pair[1].get("quote_id") is not None and pair[1].get("status") != "cancelled"]
    for place, (key, order) in enumerate(supplies):
        for second, other in supplies[place + 1 :]:
            apart = _text(order.get("until_date")) < _text(other.get("from_date"))
            apart = apart or _text(other.get("until_date")) < _text(order.get("from_date"))
            if order.get("quote_id") == other.get("quote_id") and not apart:
                found.append(f"{key} and {second} order {order.get('item')} for the same days")
    return found


def lines_are_not_overspent(state: Dict[str, Any]) -> List[str]:
    """What a line has spent is what was brought forward and its paid orders, and with its open orders it never exceeds its budget."""
    found = []
    for key, line in _records(state, "budget_lines").items():
        amounts = {"open": 0, "paid": 0}
        for order in _records(state, "purchase_orders").values():
            if order.get("line_id") == key and order.get("status") in ("open", "paid"):
                amounts[order["status"]] += _number(order.get("amount_cents"))
        spent = _number(line.get("spent_cents"))
        if spent != _number(line.get("brought_forward_cents")) + amounts["paid"]:
            found.append(
                f"{key} has spent {spent} cents, brought forward {line.get('brought_forward_cents')}, paid {amounts['paid']}"
            )
        if spent + amounts["open"] > _number(line.get("budget_cents")):
            found.append(f"{key}: {spent} cents spent and {amounts['open']} open exceed its {line.get('budget_cents')}")
    return found


def budget_stays_as_approved(state: Dict[str, Any]) -> List[str]:
    """The budgets of all lines come to what was approved in all; a line above the line keeps its approved amount, and the contingency never exceeds its own and carries neither quotes nor orders."""
    lines = _records(state, "budget_lines")
    found = []
    totals = [sum(_number(line.get(field)) for line in lines.values()) for field in ("budget_cents", "approved_cents")]
    if totals[0] != totals[1]:
        found.append(f"the budgets of all lines come to {totals[0]} cents, {totals[1]} were approved")
    for key, line in lines.items():
        budget, approved = _number(line.get("budget_cents")), _number(line.get("approved_cents"))
        if line.get("category") == "above_the_line" and budget != approved:
            found.append(f"{key} is above the line and has {budget} of {approved} cents approved")
        if line.get("category") == "contingency" and budget > approved:
            found.append(f"{key} is the contingency and has {budget} cents, {approved} were approved")
    for key, record in [*_records(state, "quotes").items(), *_records(state, "purchase_orders").items()]:
        if _record(state, "budget_lines", record.get("line_id")).get("category") == "contingency":
            found.append(f"{key} is on {record.get('line_id')}, the contingency")
    return found
