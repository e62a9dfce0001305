"""What always holds in SchoolTimetable, as functions of a state."""

from datetime import date, timedelta
from typing import Any, Dict, List, Optional, Tuple


def _records(state: Dict[str, Any], table: str) -> Dict[str, Dict[str, Any]]:
    rows = state.get(table)
    return {key: row for key, row in rows.items() if isinstance(row, dict)} if isinstance(rows, dict) else {}


def _record(state: Dict[str, Any], table: str, key: Any) -> Dict[str, Any]:
    return _records(state, table).get(key, {}) if isinstance(key, str) else {}


def _number(value: Any) -> int:
    return value if isinstance(value, int) and not isinstance(value, bool) else 0


def _texts(value: Any) -> List[str]:
    return [item for item in value if isinstance(item, str)] if isinstance(value, list) else []


def _day(value: Any) -> Optional[date]:
    if not isinstance(value, str):
        return None
    try:
        return date.fromisoformat(value)
    except ValueError:
        return None


def _weekday(value: Any) -> str:
    names = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
    then = _day(value)
    return "" if then is None else names[then.weekday()]


def _week(value: Any) -> Optional[str]:
    then = _day(value)
    return None if then is None else (then - timedelta(days=then.weekday())).isoformat()


def _overlap(one: Dict[str, Any], other: Dict[str, Any]) -> bool:
    first, second = _number(one.get("period")), _number(other.get("period"))
    return first < second + _number(other.get("length")) and second < first + _number(one.get("length"))


def _course(state: Dict[str, Any], record: Dict[str, Any]) -> Dict[str, Any]:
    return _record(state, "courses", record.get("course_id"))


def _is_published(state: Dict[str, Any], course: Dict[str, Any]) -> bool:
    return _record(state, "classes", course.get("class_name")).get("timetable") == "published"


def _covers(state: Dict[str, Any], *statuses: str) -> List[Tuple[str, Dict[str, Any]]]:
    return [(key, cover) for key, cover in sorted(_records(state, "covers").items()) if cover.get("status") in statuses]


def courses_are_taught_by_the_qualified(state: Dict[str, Any]) -> List[str]:
    """Whoever is given a course teaches its subject."""
    found = []
    for key, course in _records(state, "courses").items():
        teacher = course.get("teacher_id")
        subjects = _texts(_record(state, "teachers", teacher).get("subjects"))
        if teacher is not None and course.get("subject") not in subjects:
            found.append(f"{key} is {course.get('subject')}, and {teacher} teaches {subjects}")
    return found


def contracts_are_kept(state: Dict[str, Any]) -> List[str]:
    """The periods per week of all courses of a teacher together never exceed the teacher's maximum."""
    found = []
    for key, teacher in _records(state, "teachers").items():
        courses = [row for row in _records(state, "courses").values() if row.get("teacher_id") == key]
        load = sum(_number(course.get("periods_per_week")) for course in courses)
        if load > _number(teacher.get("max_periods")):
            found.append(f"{key} has courses of {load} periods, at most {teacher.get('max_periods')} are allowed")
    return found


def hours_are_met_and_not_exceeded(state: Dict[str, Any]) -> List[str]:
    """No course exceeds its periods per week; in a published timetable it has them all, and without a teacher none."""
    found = []
    for key, course in _records(state, "courses").items():
        lessons = [row for row in _records(state, "lessons").values() if row.get("course_id") == key]
        placed, owed = sum(_number(row.get("length")) for row in lessons), _number(course.get("periods_per_week"))
        if placed > owed:
            found.append(f"{key} has {placed} periods on the grid, {owed} are owed")
        if _is_published(state, course) and placed < owed:
            found.append(f"{key} has {placed} of {owed} periods on the grid, and the timetable is published")
        if course.get("teacher_id") is None and lessons:
            found.append(f"{key} has lessons and no teacher")
    return found


def nobody_is_in_two_places(state: Dict[str, Any]) -> List[str]:
    """No class, no teacher and no room has two lessons that overlap."""
    rows = sorted(_records(state, "lessons").items())
    found = []
    for index, (first, one) in enumerate(rows):
        for second, other in rows[index + 1 :]:
            if one.get("day") != other.get("day") or not _overlap(one, other):
                continue
            mine, theirs = _course(state, one), _course(state, other)
            for field, here, there in (
                ("class_name", mine, theirs),
                ("teacher_id", mine, theirs),
                ("room_name", one, other),
            ):
                if here.get(field) is not None and here.get(field) == there.get(field):
                    found.append(f"{first} and {second} overlap on {one.get('day')}, both of {here.get(field)}")
    return found


def rooms_suit_their_lessons(state: Dict[str, Any]) -> List[str]:
    """Every lesson is in an open room of the kind that its course needs, with a seat for each pupil of the class."""
    found = []
    for key, lesson in _records(state, "lessons").items():
        course, room = _course(state, lesson), _record(state, "rooms", lesson.get("room_name"))
        if not course or not room:
            continue
        name, size = lesson.get("room_name"), _number(_record(state, "classes", course.get("class_name")).get("size"))
        if room.get("status") != "open":
            found.append(f"{key} is in {name}, which is {room.get('status')}")
        if room.get("kind") != course.get("room_kind"):
            found.append(f"{key} needs a {course.get('room_kind')}, and {name} is a {room.get('kind')}")
        if _number(room.get("seats")) < size:
            found.append(f"{key} is for {size} pupils, and {name} has {room.get('seats')} seats")
    return found


def lessons_fit_the_day(state: Dict[str, Any]) -> List[str]:
    """A lesson lies within periods 1 to 4 or 5 to 8 of its day, and a course has at most two periods on one day."""
    found = []
    days: Dict[Tuple[str, str], int] = {}
    for key, lesson in sorted(_records(state, "lessons").items()):
        period, length = _number(lesson.get("period")), _number(lesson.get("length"))
        last = period + length - 1
        if length not in (1, 2) or not (1 <= period <= last <= 4 or 5 <= period <= last <= 8):
            found.append(f"{key} begins in period {lesson.get('period')} and is {lesson.get('length')} long")
        place = (str(lesson.get("course_id")), str(lesson.get("day")))
        days[place] = days.get(place, 0) + length
    found += [
        f"{course} has {total} periods on {day}, at most 2 are allowed"
        for (course, day), total in days.items()
        if total > 2
    ]
    return found


def free_days_are_kept(state: Dict[str, Any]) -> List[str]:
    """Teachers have lessons and assigned covers only on days on which they work."""
    wanted = [
        (key, _course(state, lesson).get("teacher_id"), lesson.get("day"))
        for key, lesson in _records(state, "lessons").items()
    ]
    wanted += [
        (key, cover.get("substitute_id"), _weekday(cover.get("date"))) for key, cover in _covers(state, "assigned")
    ]
    found = []
    for key, teacher, day in wanted:
        days = _texts(_record(state, "teachers", teacher).get("working_days"))
        if teacher is not None and day not in days:
            found.append(f"{key} is on a {day}, and {teacher} works on {days}")
    return found


def covers_stand_for_lessons(state: Dict[str, Any]) -> List[str]:
    """An open or assigned cover stands for one published lesson on a day of a recorded absence of its teacher."""
    found = []
    taken: Dict[Tuple[str, ...], str] = {}
    for key, cover in _covers(state, "open", "assigned"):
        course, absence = _course(state, cover), _record(state, "absences", cover.get("absence_id"))
        day = str(cover.get("date"))
        within = str(absence.get("from_date")) <= day <= str(absence.get("until_date"))
        if absence.get("status") != "recorded" or not within:
            found.append(f"{key} is on {day}, which is no day of a recorded absence {cover.get('absence_id')}")
        if course.get("teacher_id") is None or course.get("teacher_id") != absence.get("teacher_id"):
            found.append(
                f"{key} is for a course of {course.get('teacher_id')}, and {absence.get('teacher_id')} is absent"
            )
        time = (cover.get("course_id"), _weekday(day), cover.get("period"), cover.get("length"))
        lessons = [
            name
            for name, row in _records(state, "lessons").items()
            if (row.get("course_id"), row.get("day"), row.get("period"), row.get("length")) == time
        ]
        if not lessons or not _is_published(state, course):
            found.append(f"{key} stands for no lesson of a published timetable: {time}")
        place = (str(cover.get("course_id")), day, str(cover.get("period")))
        if place in taken:
            found.append(f"{key} and {taken[place]} stand for the same lesson")
        taken[place] = key
    return found


def substitutes_go_with_status(state: Dict[str, Any]) -> List[str]:
    """A cover has a substitute exactly when assigned or held, and in a lab or gym one who teaches the subject."""
    found = []
    for key, cover in _records(state, "covers").items():
        substitute, course = cover.get("substitute_id"), _course(state, cover)
        taken = cover.get("status") in ("assigned", "held")
        if taken != (substitute is not None):
            found.append(f"{key} is {cover.get('status')} and has the substitute {substitute}")
        subjects = _texts(_record(state, "teachers", substitute).get("subjects"))
        special = course.get("room_kind") in ("lab", "gym")
        if taken and special and substitute is not None and course.get("subject") not in subjects:
            found.append(
                f"{key} needs a {course.get('room_kind')}, and {substitute} does not teach {course.get('subject')}"
            )
    return found


def substitutes_are_free(state: Dict[str, Any]) -> List[str]:
    """The substitute of an assigned cover is there that day, with no published lesson or other cover at that time."""
    found = []
    assigned = _covers(state, "assigned")
    for index, (key, cover) in enumerate(assigned):
        substitute, day = cover.get("substitute_id"), str(cover.get("date"))
        for name, absence in _records(state, "absences").items():
            within = str(absence.get("from_date")) <= day <= str(absence.get("until_date"))
            if absence.get("teacher_id") == substitute and absence.get("status") == "recorded" and within:
                found.append(f"{key} is assigned to {substitute}, who is absent on {day} ({name})")
        for name, lesson in _records(state, "lessons").items():
            course = _course(state, lesson)
            busy = course.get("teacher_id") == substitute and _is_published(state, course)
            if substitute is not None and busy and lesson.get("day") == _weekday(day) and _overlap(lesson, cover):
                found.append(f"{key} is assigned to {substitute}, who has {name} at that time")
        for name, other in assigned[index + 1 :]:
            if other.get("substitute_id") == substitute and other.get("date") == day and _overlap(cover, other):
                found.append(f"{key} and {name} are both assigned to {substitute} at the same time")
    return found


def cover_limits_are_kept(state: Dict[str, Any]) -> List[str]:
    """A teacher's assigned and held covers in one week, Monday to Sunday, take at most the cover limit in periods."""
    taken: Dict[Tuple[str, str], int] = {}
    for _, cover in _covers(state, "assigned", "held"):
        week = _week(cover.get("date"))
        if week is not None and isinstance(cover.get("substitute_id"), str):
            place = (cover["substitute_id"], week)
            taken[place] = taken.get(place, 0) + _number(cover.get("length"))
    found = []
    for (teacher, week), total in taken.items():
        limit = _number(_record(state, "teachers", teacher).get("cover_limit"))
        if total > limit:
            found.append(f"{teacher} has {total} periods of cover in the week of {week}, at most {limit} are allowed")
    return found


def dismissals_are_few(state: Dict[str, Any]) -> List[str]:
    """Only classes of year 9 and above are dismissed, and each for at most two periods in one week."""
    found = []
    missed: Dict[Tuple[str, str], int] = {}
    for key, cover in _covers(state, "dismissed"):
        name = _course(state, cover).get("class_name")
        group = _record(state, "classes", name)
        if group and _number(group.get("year")) < 9:
            found.append(f"{key} dismisses {name}, which is in year {group.get('year')}")
        place = (str(name), str(_week(cover.get("date"))))
        missed[place] = missed.get(place, 0) + _number(cover.get("length"))
    found += [
        f"{name} is dismissed for {total} periods in the week of {week}"
        for (name, week), total in missed.items()
        if total > 2
    ]
    return found


def absences_do_not_overlap(state: Dict[str, Any]) -> List[str]:
    """The recorded absences of a teacher do not overlap."""
    rows = [item for item in sorted(_records(state, "absences").items()) if item[1].get("status") == "recorded"]
    found = []
    for index, (first, one) in enumerate(rows):
        for second, other in rows[index + 1 :]:
            begun = str(one.get("from_date")) <= str(other.get("until_date"))
            going = str(other.get("from_date")) <= str(one.get("until_date"))
            if one.get("teacher_id") == other.get("teacher_id") and begun and going:
                found.append(f"{first} and {second} of {one.get('teacher_id')} overlap")
    return found
