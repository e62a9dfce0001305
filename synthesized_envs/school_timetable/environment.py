"""Build a school's weekly timetable and find cover for absent teachers."""

import re
from datetime import date, datetime, timedelta
from typing import Any, Dict, List, Literal, Optional, TypedDict


class Teacher(TypedDict):
    """Somebody who teaches at the school."""

    teacher_id: str  # Id, such as T-118.
    name: str  # First and last name.
    subjects: List[str]  # Subjects that the teacher is qualified for.
    working_days: List[
        Literal["Monday", "Tuesday", "Wednesday", "Thursday", "Friday"]
    ]  # Days of the week on which the teacher works; part-timers have fewer than five.
    max_periods: int  # Most periods per week of all courses together, by contract.
    cover_limit: int  # Most periods of cover in one week.


class Class(TypedDict):
    """A class of pupils who have their lessons together."""

    class_name: str  # Name, such as 8B; it is also the key.
    year: int  # Year of school, 1 to 13.
    size: int  # Number of pupils.
    timetable: Literal["draft", "published"]  # Whether its timetable is still drafted or is in force.


class Room(TypedDict):
    """A room in which lessons are held."""

    room_name: str  # Name or number, such as Lab 2 or 104; it is also the key.
    kind: Literal[
        "classroom", "lab", "computer_room", "gym", "studio"
    ]  # What it is fitted out for; studios are for art and music.
    seats: int  # Number of pupils that it holds.
    status: Literal["open", "closed"]  # Whether it can be used.
    closure_reason: str  # Why it is closed; empty while it is open.


class Course(TypedDict):
    """What a class is owed of a subject."""

    course_id: str  # Id, such as CO-310.
    class_name: str  # The class.
    subject: str  # The subject, such as physics.
    teacher_id: Optional[str]  # Who teaches it; nobody while it is vacant.
    periods_per_week: int  # Periods that the class is owed each week.
    room_kind: Literal["classroom", "lab", "computer_room", "gym", "studio"]  # Kind of room that its lessons need.


class Lesson(TypedDict):
    """A lesson that comes every week."""

    lesson_id: str  # Id, such as L-1042.
    course_id: str  # The course.
    day: Literal["Monday", "Tuesday", "Wednesday", "Thursday", "Friday"]  # Day of the week.
    period: int  # First period, 1 to 8.
    length: int  # Length in periods, 1 or 2.
    room_name: str  # The room.


class Absence(TypedDict):
    """Days on which a teacher is away."""

    absence_id: str  # Id, such as AB-77.
    teacher_id: str  # Who is away.
    from_date: str  # First day, YYYY-MM-DD.
    until_date: str  # Last day, YYYY-MM-DD.
    cause: Literal["illness", "training", "school_trip", "leave"]  # Why.
    status: Literal["recorded", "cancelled"]  # Cancelled where the teacher is there after all.


class Cover(TypedDict):
    """One lesson on one day whose teacher is away."""

    cover_id: str  # Id, such as CV-512.
    absence_id: str  # The absence that it comes from.
    course_id: str  # The course whose lesson it is.
    date: str  # The day, YYYY-MM-DD.
    period: int  # First period of the lesson.
    length: int  # Length in periods.
    substitute_id: Optional[str]  # Who takes the lesson instead.
    status: Literal[
        "open", "assigned", "held", "dismissed", "withdrawn"
    ]  # How far it has come; withdrawn where it was not needed after all.
    note: str  # What was done in the lesson, as the substitute says; empty where nothing was noted.


class SchoolTimetable:
    """You work in the timetable office of a school. A course is what a class is owed of a subject: so many periods
    per week, in a certain kind of room, taught by one teacher. Lessons put courses on the weekly grid, Monday to
    Friday, periods 1 to 8 of each day, with lunch between 4 and 5; a lesson is one period long or two. The
    timetable of a class is a draft until it is published. When a teacher's absence is reported, each lesson of a
    published timetable that falls on it needs a cover: it is open until a substitute is assigned or the class is
    dismissed, and held once it was confirmed. Loads, limits and lengths are counted in periods; a double lesson
    counts as two. Only subject teachers' courses are kept here, not what class teachers do with their own class.
    Classes and rooms go by their names, such as 8B and Lab 2. Days of the calendar are written YYYY-MM-DD.
    """

    _DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday")
    _LAST_PERIOD = 8
    _LAST_BEFORE_LUNCH = 4
    _LONGEST_LESSON = 2
    _MOST_PER_DAY = 2
    _LONGEST_ABSENCE = 28
    _LONGEST_TEXT = 200
    _LAST_YEAR = 13
    _DISMISSED_FROM_YEAR = 9
    _MOST_DISMISSED = 2
    _SUBJECT_TEACHERS_ONLY = ("lab", "gym")

    def __init__(self, init_config: Dict[str, Any]) -> None:
        """Start with empty collections.

        Args:
            init_config: Ignored; whoever loads a start state sets the attributes.
        """
        del init_config
        self.teachers: Dict[str, Teacher] = {}
        self.classes: Dict[str, Class] = {}
        self.rooms: Dict[str, Room] = {}
        self.courses: Dict[str, Course] = {}
        self.lessons: Dict[str, Lesson] = {}
        self.absences: Dict[str, Absence] = {}
        self.covers: Dict[str, Cover] = {}

    def find_teachers(
        self,
        name: Optional[str] = None,
        subject: Optional[str] = None,
        works_on: Optional[Literal["Monday", "Tuesday", "Wednesday", "Thursday", "Friday"]] = None,
    ) -> Dict[str, Any]:
        """Find teachers by name, subject or working day.

        Without filters, the whole staff is listed.

        Args:
            name: Part of the name, in any case.
            subject: Subject that they teach, in any case.
            works_on: Day on which they work.

        Returns:
            data: A list of teachers: teacher_id, name, subjects, working_days, max_periods, cover_limit, load
                (periods per week of their courses) and free_periods (max_periods less load).
        """
        problem = self._blank(name=name, subject=subject)
        if problem:
            return self._refuse(problem)
        found = []
        for teacher in self.teachers.values():
            if not self._holds(teacher["name"], name) or (subject is not None and not self._teaches(teacher, subject)):
                continue
            if works_on is not None and works_on not in teacher["working_days"]:
                continue
            load = self._load(teacher["teacher_id"])
            lists = {"subjects": list(teacher["subjects"]), "working_days": list(teacher["working_days"])}
            found.append({**teacher, **lists, "load": load, "free_periods": teacher["max_periods"] - load})
        return {"success": True, "data": found}

    def find_classes(
        self, year: Optional[int] = None, timetable: Optional[Literal["draft", "published"]] = None
    ) -> Dict[str, Any]:
        """Find classes by year or by the state of their timetable.

        Without filters, all classes are listed.

        Args:
            year: Year of school.
            timetable: Whether it is a draft or published.

        Returns:
            data: A list of classes: class_name, year, size, timetable, owed_periods (of all courses, per week)
                and placed_periods (on the grid).
        """
        if year is not None and not 1 <= year <= self._LAST_YEAR:
            return self._refuse(f"year is {year}; give 1 to {self._LAST_YEAR}, or leave it out.")
        found = []
        for group in self.classes.values():
            if year not in (None, group["year"]) or timetable not in (None, group["timetable"]):
                continue
            courses = self._courses_of(group["class_name"])
            owed = sum(course["periods_per_week"] for course in courses)
            placed = sum(self._placed(course["course_id"]) for course in courses)
            found.append({**group, "owed_periods": owed, "placed_periods": placed})
        return {"success": True, "data": found}

    def find_rooms(
        self,
        kind: Optional[Literal["classroom", "lab", "computer_room", "gym", "studio"]] = None,
        seats: Optional[int] = None,
        status: Optional[Literal["open", "closed"]] = None,
    ) -> Dict[str, Any]:
        """Find rooms by kind, seats or status, free or not.

        Args:
            kind: Kind of room.
            seats: Least number of seats.
            status: Whether it is open.

        Returns:
            data: A list of rooms: room_name, kind, seats, status, closure_reason and lessons (number of lessons
                in it each week).
        """
        problem = self._bad_seats(seats)
        if problem:
            return self._refuse(problem)
        found = [
            {**room, "lessons": len(self._lessons_in(room["room_name"]))}
            for room in self.rooms.values()
            if kind in (None, room["kind"]) and status in (None, room["status"]) and room["seats"] >= (seats or 1)
        ]
        return {"success": True, "data": found}

    def find_courses(
        self,
        class_name: Optional[str] = None,
        subject: Optional[str] = None,
        teacher_id: Optional[str] = None,
        vacant_only: bool = False,
    ) -> Dict[str, Any]:
        """Find courses by class, subject or teacher, with the periods that are on the grid so far.

        Args:
            class_name: The class.
            subject: Part of the subject, in any case.
            teacher_id: Who teaches them.
            vacant_only: Only courses that nobody teaches.

        Returns:
            data: A list of courses: course_id, class_name, subject, teacher_id, teacher_name (both empty, null,
                where vacant), periods_per_week, placed_periods and room_kind.
        """
        problem = self._no_class(class_name) or self._no_teacher(teacher_id) or self._blank(subject=subject)
        if problem:
            return self._refuse(problem)
        found = []
        for course in self.courses.values():
            if class_name not in (None, course["class_name"]) or teacher_id not in (None, course["teacher_id"]):
                continue
            if self._holds(course["subject"], subject) and not (vacant_only and course["teacher_id"]):
                found.append({**self._course_row(course), "room_kind": course["room_kind"]})
        return {"success": True, "data": found}

    def find_lessons(
        self,
        class_name: Optional[str] = None,
        teacher_id: Optional[str] = None,
        room_name: Optional[str] = None,
        day: Optional[Literal["Monday", "Tuesday", "Wednesday", "Thursday", "Friday"]] = None,
        subject: Optional[str] = None,
    ) -> Dict[str, Any]:
        """Find lessons of the week by class, teacher, room, day or subject, in the order of the week.

        Args:
            class_name: The class.
            teacher_id: Who teaches them.
            room_name: The room.
            day: Day of the week.
            subject: Part of the subject, in any case.

        Returns:
            data: A list of lessons: lesson_id, course_id, class_name, subject, teacher_id, teacher_name, day,
                period, length, room_name and timetable (draft or published).
        """
        problem = (
            self._no_class(class_name)
            or self._no_teacher(teacher_id)
            or self._no_room(room_name)
            or self._blank(subject=subject)
        )
        if problem:
            return self._refuse(problem)
        rows = [
            row
            for row in self._lesson_rows(list(self.lessons.values()))
            if class_name in (None, row["class_name"])
            and teacher_id in (None, row["teacher_id"])
            and room_name in (None, row["room_name"])
            and day in (None, row["day"])
            and self._holds(row["subject"], subject)
        ]
        return {"success": True, "data": rows}

    def find_free_rooms(
        self,
        day: Literal["Monday", "Tuesday", "Wednesday", "Thursday", "Friday"],
        period: int,
        length: int = 1,
        kind: Optional[Literal["classroom", "lab", "computer_room", "gym", "studio"]] = None,
        seats: Optional[int] = None,
    ) -> Dict[str, Any]:
        """Find open rooms in which no lesson is at a time of the week.

        Args:
            day: Day of the week.
            period: First period, 1 to 8.
            length: Length in periods, 1 or 2.
            kind: Kind of room.
            seats: Least number of seats.

        Returns:
            data: A list of rooms, the smallest first: room_name, kind and seats.
        """
        problem = self._off_grid(period, length) or self._bad_seats(seats)
        if problem:
            return self._refuse(problem)
        rooms = [
            {"room_name": room["room_name"], "kind": room["kind"], "seats": room["seats"]}
            for room in self._rooms_by_size()
            if room["status"] == "open"
            and kind in (None, room["kind"])
            and room["seats"] >= (seats or 1)
            and self._at(self._lessons_in(room["room_name"]), day, period, length) is None
        ]
        return {"success": True, "data": rooms}

    def find_slots(self, course_id: str, length: int = 1) -> Dict[str, Any]:
        """Find times at which a further lesson of a course could be.

        At such a time the class and the teacher are free, the teacher works, the course stays within two periods
        on that day, and a room that suits it is free. Lessons that the course has already count as being in the
        way. Whether the course is owed another lesson is not asked, so that a place for one that is to be moved
        can be found, too.

        Args:
            course_id: The course.
            length: Length of the lesson in periods, 1 or 2.

        Returns:
            data: A list of times in the order of the week: day, period, and rooms (names of those that suit and
                are free, the smallest first).
        """
        course = self.courses.get(course_id)
        if course is None:
            return self._refuse(self._unknown_course(course_id))
        if course["teacher_id"] is None:
            return self._refuse(self._vacant(course))
        if not 1 <= length <= self._LONGEST_LESSON:
            return self._refuse(f"length is {length}; a lesson is 1 or 2 periods long.")
        found: List[Dict[str, Any]] = []
        for day in self._DAYS:
            for period in range(1, self._LAST_PERIOD + 1):
                if self._off_grid(period, length) or self._people_problem(course, day, period, length, ""):
                    continue
                rooms = [
                    room["room_name"]
                    for room in self._rooms_by_size()
                    if self._room_problem(course, day, period, length, room, "") is None
                ]
                if rooms:
                    found.append({"day": day, "period": period, "rooms": rooms})
        return {"success": True, "data": found}

    def review_timetable(self, class_name: str) -> Dict[str, Any]:
        """Look at a whole timetable: what is placed, and what keeps it from being published or reopened.

        Args:
            class_name: The class.

        Returns:
            data: An object: class_name, year, size, timetable, courses (course_id, subject, teacher_id,
                teacher_name, periods_per_week, placed_periods), lessons (as find_lessons lists them) and
                obstacles (sentences that say what keeps a draft from being published, or a published timetable
                from being reopened; empty where nothing does).
        """
        problem = self._no_class(class_name)
        if problem:
            return self._refuse(problem)
        group = self.classes[class_name]
        courses = self._courses_of(class_name)
        draft = group["timetable"] == "draft"
        obstacles = self._unpublishable(class_name) if draft else self._not_reopenable(class_name)
        overview = {
            **group,
            "courses": [self._course_row(course) for course in courses],
            "lessons": self._lesson_rows(self._lessons_of_class(class_name)),
            "obstacles": obstacles,
        }
        return {"success": True, "data": overview}

    def find_absences(
        self,
        teacher_id: Optional[str] = None,
        on_date: Optional[str] = None,
        status: Optional[Literal["recorded", "cancelled"]] = None,
    ) -> Dict[str, Any]:
        """Find absences by teacher, day or status, in the order of their first days.

        Args:
            teacher_id: Who is away.
            on_date: A day on which they are away, YYYY-MM-DD.
            status: Status.

        Returns:
            data: A list of absences: absence_id, teacher_id, teacher_name, from_date, until_date, cause, status
                and open_covers (number of its covers that are still open).
        """
        problem = self._no_teacher(teacher_id) or self._no_day(on_date=on_date)
        if problem:
            return self._refuse(problem)
        found = []
        for absence in sorted(self.absences.values(), key=lambda row: (row["from_date"], row["absence_id"])):
            if teacher_id not in (None, absence["teacher_id"]) or status not in (None, absence["status"]):
                continue
            if on_date is not None and not absence["from_date"] <= on_date <= absence["until_date"]:
                continue
            covers = [row for row in self.covers.values() if row["absence_id"] == absence["absence_id"]]
            left = sum(row["status"] == "open" for row in covers)
            found.append({**absence, "teacher_name": self._name(absence["teacher_id"]), "open_covers": left})
        return {"success": True, "data": found}

    def find_covers(
        self,
        from_date: Optional[str] = None,
        until_date: Optional[str] = None,
        class_name: Optional[str] = None,
        absent_teacher_id: Optional[str] = None,
        substitute_id: Optional[str] = None,
        status: Optional[Literal["open", "assigned", "held", "dismissed", "withdrawn"]] = None,
    ) -> Dict[str, Any]:
        """Find covers by days, class, absent teacher, substitute or status, in the order of days and periods.

        Args:
            from_date: First day, YYYY-MM-DD.
            until_date: Last day, YYYY-MM-DD.
            class_name: The class.
            absent_teacher_id: The teacher who is away.
            substitute_id: The teacher who covers.
            status: Status.

        Returns:
            data: A list of covers: cover_id, date, day, period, length, class_name, subject, course_id,
                room_kind, absence_id, absent_teacher_id, absent_teacher_name, substitute_id, substitute_name,
                status and note.
        """
        problem = (
            self._no_day(from_date=from_date, until_date=until_date)
            or self._no_class(class_name)
            or self._no_teacher(absent_teacher_id)
            or self._no_teacher(substitute_id)
        )
        if problem:
            return self._refuse(problem)
        rows = [self._cover_row(cover) for cover in self._in_order(list(self.covers.values()))]
        rows = [
            row
            for row in rows
            if (from_date or row["date"]) <= row["date"] <= (until_date or row["date"])
            and class_name in (None, row["class_name"])
            and absent_teacher_id in (None, row["absent_teacher_id"])
            and substitute_id in (None, row["substitute_id"])
            and status in (None, row["status"])
        ]
        return {"success": True, "data": rows}

    def find_substitutes(self, cover_id: str) -> Dict[str, Any]:
        """Find who could take an open or assigned cover, best suited first.

        Only teachers are listed to whom it could be assigned as things are; of an assigned cover the present
        substitute is left out. Those who teach the subject come first, then those with the fewest periods of
        cover in that week, then those with the fewest in all.

        Args:
            cover_id: The cover.

        Returns:
            data: A list of teachers: teacher_id, name, teaches_subject, periods_that_week (of assigned and held
                covers in the week of the cover), cover_limit and periods_in_all (of assigned and held covers
                ever).
        """
        problem = self._not_to_cover(cover_id)
        if problem:
            return self._refuse(problem)
        cover = self.covers[cover_id]
        subject = self.courses[cover["course_id"]]["subject"]
        found = [
            {
                "teacher_id": teacher["teacher_id"],
                "name": teacher["name"],
                "teaches_subject": self._teaches(teacher, subject),
                "periods_that_week": self._covered_in_week(teacher["teacher_id"], cover["date"], cover_id),
                "cover_limit": teacher["cover_limit"],
                "periods_in_all": sum(row["length"] for row in self._covered_by(teacher["teacher_id"])),
            }
            for teacher in self.teachers.values()
            if teacher["teacher_id"] != cover["substitute_id"] and self._substitute_problem(cover, teacher) is None
        ]
        found.sort(
            key=lambda row: (
                not row["teaches_subject"],
                row["periods_that_week"],
                row["periods_in_all"],
                row["teacher_id"],
            )
        )
        return {"success": True, "data": found}

    def place_lesson(
        self,
        course_id: str,
        day: Literal["Monday", "Tuesday", "Wednesday", "Thursday", "Friday"],
        period: int,
        room_name: str,
        length: int = 1,
    ) -> Dict[str, Any]:
        """Put a lesson of a course on the grid of a class whose timetable is a draft.

        Args:
            course_id: The course.
            day: Day of the week.
            period: First period, 1 to 8; a double lesson does not run across lunch, from 4 into 5.
            room_name: The room.
            length: Length in periods, 1 or 2.

        Returns:
            message: The id of the new lesson, when and where it is, and how many periods of the course are
                placed.
        """
        course = self.courses.get(course_id)
        if course is None:
            return self._refuse(self._unknown_course(course_id))
        problem = self._no_room(room_name) or self._not_draft(course["class_name"]) or self._off_grid(period, length)
        if problem:
            return self._refuse(problem)
        placed, owed = self._placed(course_id), course["periods_per_week"]
        if placed + length > owed:
            return self._refuse(
                f"{course['class_name']} is owed {owed} periods of {course['subject']} and has {placed}; a lesson of "
                f"{length} would be too much. remove_lesson takes one off the grid."
            )
        problem = self._place_problem(course, day, period, length, self.rooms[room_name], "")
        if problem:
            return self._refuse(problem)
        lesson_id = self._next_id("L", self.lessons)
        self.lessons[lesson_id] = {
            "lesson_id": lesson_id,
            "course_id": course_id,
            "day": day,
            "period": period,
            "length": length,
            "room_name": room_name,
        }
        message = (
            f"Lesson {lesson_id} of {course['class_name']} in {course['subject']} is on "
            f"{self._when(day, period, length)} in {room_name}; {placed + length} of {owed} periods are placed."
        )
        return {"success": True, "message": message}

    def move_lesson(
        self,
        lesson_id: str,
        day: Optional[Literal["Monday", "Tuesday", "Wednesday", "Thursday", "Friday"]] = None,
        period: Optional[int] = None,
        room_name: Optional[str] = None,
    ) -> Dict[str, Any]:
        """Move a lesson to another time, another room, or both.

        What is not given stays. In a published timetable only the room can be changed.

        Args:
            lesson_id: The lesson.
            day: New day of the week.
            period: New first period, 1 to 8.
            room_name: New room.

        Returns:
            message: The lesson, and when and where it is from now on.
        """
        lesson = self.lessons.get(lesson_id)
        if lesson is None:
            return self._refuse(self._unknown_lesson(lesson_id))
        problem = self._no_room(room_name)
        if problem:
            return self._refuse(problem)
        course = self.courses[lesson["course_id"]]
        new_day, new_period = day or lesson["day"], lesson["period"] if period is None else period
        new_room, length = room_name or lesson["room_name"], lesson["length"]
        was = (lesson["day"], lesson["period"], lesson["room_name"])
        if was == (new_day, new_period, new_room):
            return self._refuse(
                f"Lesson {lesson_id} is on {self._when(new_day, new_period, length)} in {new_room} already; give "
                "another day, period or room."
            )
        problem = self._off_grid(new_period, length)
        if not problem and was[:2] != (new_day, new_period):
            problem = self._not_draft(course["class_name"])
        problem = problem or self._place_problem(course, new_day, new_period, length, self.rooms[new_room], lesson_id)
        if problem:
            return self._refuse(problem)
        lesson.update({"day": new_day, "period": new_period, "room_name": new_room})
        message = (
            f"Lesson {lesson_id} of {course['class_name']} in {course['subject']} is now on "
            f"{self._when(new_day, new_period, length)} in {new_room}."
        )
        return {"success": True, "message": message}

    def remove_lesson(self, lesson_id: str) -> Dict[str, Any]:
        """Take a lesson off the grid of a class whose timetable is a draft.

        Args:
            lesson_id: The lesson.

        Returns:
            message: The lesson that is gone, and how many periods of its course are still placed.
        """
        lesson = self.lessons.get(lesson_id)
        if lesson is None:
            return self._refuse(self._unknown_lesson(lesson_id))
        course = self.courses[lesson["course_id"]]
        problem = self._not_draft(course["class_name"])
        if problem:
            return self._refuse(problem)
        del self.lessons[lesson_id]
        message = (
            f"Lesson {lesson_id} of {course['class_name']} in {course['subject']} is off the grid; "
            f"{self._placed(course['course_id'])} of {course['periods_per_week']} periods are placed."
        )
        return {"success": True, "message": message}

    def assign_course(self, course_id: str, teacher_id: str) -> Dict[str, Any]:
        """Give a course to a teacher, be it vacant or somebody else's so far.

        The lessons of the course keep their times, so the teacher has to be free at all of them. Somebody who is
        absent now or later cannot take over a course, and no course changes hands while covers for it are open
        or assigned.

        Args:
            course_id: The course.
            teacher_id: Who is to teach it.

        Returns:
            message: The course, who teaches it, and the teacher's load.
        """
        course = self.courses.get(course_id)
        if course is None:
            return self._refuse(self._unknown_course(course_id))
        problem = self._no_teacher(teacher_id) or self._assign_course_problem(course, self.teachers[teacher_id])
        if problem:
            return self._refuse(problem)
        course["teacher_id"] = teacher_id
        teacher = self.teachers[teacher_id]
        message = (
            f"{teacher['name']} ({teacher_id}) teaches {course['class_name']} in {course['subject']} ({course_id}) "
            f"from now on; the load is {self._load(teacher_id)} of {teacher['max_periods']} periods."
        )
        return {"success": True, "message": message}

    def _assign_course_problem(self, course: Course, teacher: Teacher) -> Optional[str]:
        name, teacher_id, course_id = teacher["name"], teacher["teacher_id"], course["course_id"]
        if course["teacher_id"] == teacher_id:
            return f"{name} teaches {course['class_name']} in {course['subject']} already."
        if not self._teaches(teacher, course["subject"]):
            return f"{name} does not teach {course['subject']}, but {', '.join(teacher['subjects'])}."
        load = self._load(teacher_id)
        if load + course["periods_per_week"] > teacher["max_periods"]:
            return (
                f"{name} has {load} of at most {teacher['max_periods']} periods per week; the "
                f"{course['periods_per_week']} of {course['class_name']} in {course['subject']} are too many."
            )
        pending = self._pending_covers([course_id])
        if pending:
            return (
                f"Covers {self._listed(pending)} for {course['class_name']} in {course['subject']} are open or "
                "assigned; the course can change hands once they are held, dismissed or withdrawn."
            )
        today = datetime.now().date().isoformat()
        for absence in self._recorded(teacher_id):
            if absence["until_date"] >= today:
                return (
                    f"{name} is absent from {absence['from_date']} until {absence['until_date']} and cannot take over "
                    "a course."
                )
        return self._assign_course_clash(course, teacher)

    def _assign_course_clash(self, course: Course, teacher: Teacher) -> Optional[str]:
        own = self._lessons_of_teacher(teacher["teacher_id"])
        published = self.classes[course["class_name"]]["timetable"] == "published"
        for lesson in self._lessons_of(course["course_id"]):
            when = self._when(lesson["day"], lesson["period"], lesson["length"])
            if lesson["day"] not in teacher["working_days"]:
                return (
                    f"{teacher['name']} does not work on {lesson['day']}, and lesson {lesson['lesson_id']} is on "
                    f"{when}."
                )
            other = self._at(own, lesson["day"], lesson["period"], lesson["length"])
            if other is not None:
                return (
                    f"{teacher['name']} has {self._lesson_text(other)} at the time of lesson {lesson['lesson_id']}, "
                    f"{when}."
                )
            cover = self._cover_at(teacher["teacher_id"], lesson) if published else None
            if cover is not None:
                return (
                    f"{teacher['name']} has taken cover {cover['cover_id']} on {cover['date']} at the time of lesson "
                    f"{lesson['lesson_id']}; assign it to somebody else first."
                )
        return None

    def publish_timetable(self, class_name: str) -> Dict[str, Any]:
        """Publish the timetable of a class, which brings it into force.

        Covers are opened for lessons that fall on absences of their teachers from today on. review_timetable
        says beforehand what stands in the way.

        Args:
            class_name: The class.

        Returns:
            message: The class, and the covers that were opened.
        """
        problem = self._no_class(class_name)
        if problem:
            return self._refuse(problem)
        group = self.classes[class_name]
        if group["timetable"] == "published":
            return self._refuse(f"The timetable of {class_name} is published already.")
        obstacles = self._unpublishable(class_name)
        if obstacles:
            return self._refuse(" ".join(obstacles))
        group["timetable"] = "published"
        today, opened = datetime.now().date(), []
        for absence in list(self.absences.values()):
            first = max(today, date.fromisoformat(absence["from_date"]))
            if absence["status"] == "recorded":
                opened += self._open_covers(absence, first, self._lessons_of_class(class_name))
        message = f"The timetable of {class_name} is published; covers opened: {self._listed(opened)}."
        return {"success": True, "message": message}

    def reopen_timetable(self, class_name: str) -> Dict[str, Any]:
        """Make a published timetable a draft again, so that its lessons can be changed.

        Refused while a cover for the class is open or assigned, on whatever day.

        Args:
            class_name: The class.

        Returns:
            message: The class whose timetable is a draft.
        """
        problem = self._no_class(class_name)
        if problem:
            return self._refuse(problem)
        group = self.classes[class_name]
        if group["timetable"] == "draft":
            return self._refuse(f"The timetable of {class_name} is a draft; its lessons can be changed as it is.")
        obstacles = self._not_reopenable(class_name)
        if obstacles:
            return self._refuse(" ".join(obstacles))
        group["timetable"] = "draft"
        return {"success": True, "message": f"The timetable of {class_name} is a draft again."}

    def close_room(self, room_name: str, reason: str) -> Dict[str, Any]:
        """Close a room until further notice.

        Its lessons have to be moved to other rooms first.

        Args:
            room_name: The room.
            reason: Why, in a few words; at most 200 characters.

        Returns:
            message: The room that is closed.
        """
        problem = self._no_room(room_name) or self._blank(reason=reason) or self._too_long(reason=reason)
        if problem:
            return self._refuse(problem)
        room, lessons = self.rooms[room_name], self._lessons_in(room_name)
        if room["status"] == "closed":
            return self._refuse(f"{room_name} is closed already: {room['closure_reason']}")
        if lessons:
            ids = self._listed([lesson["lesson_id"] for lesson in lessons])
            return self._refuse(
                f"Lessons are held in {room_name}: {ids}. Give them other rooms with move_lesson first."
            )
        room.update({"status": "closed", "closure_reason": reason.strip()})
        return {"success": True, "message": f"{room_name} is closed."}

    def reopen_room(self, room_name: str) -> Dict[str, Any]:
        """Open a room again that was closed.

        Args:
            room_name: The room.

        Returns:
            message: The room that is open.
        """
        problem = self._no_room(room_name)
        if problem:
            return self._refuse(problem)
        room = self.rooms[room_name]
        if room["status"] == "open":
            return self._refuse(f"{room_name} is open already.")
        room.update({"status": "open", "closure_reason": ""})
        return {"success": True, "message": f"{room_name} is open again."}

    def report_absence(
        self,
        teacher_id: str,
        from_date: str,
        until_date: str,
        cause: Literal["illness", "training", "school_trip", "leave"],
    ) -> Dict[str, Any]:
        """Record that a teacher will be away, and open the covers that this makes necessary.

        There is one for each lesson of a published timetable on these days. Covers that the teacher had taken
        over on these days are open again. An absence begins today or later, lasts at most 28 days, and begins
        and ends on days on which the teacher works.

        Args:
            teacher_id: Who is away.
            from_date: First day, YYYY-MM-DD.
            until_date: Last day, YYYY-MM-DD.
            cause: Why.

        Returns:
            message: The id of the absence, the ids of the covers that were opened, and of those that are open
                again.
        """
        problem = self._no_teacher(teacher_id) or self._no_day(from_date=from_date, until_date=until_date)
        if problem:
            return self._refuse(problem)
        today, teacher = datetime.now().date().isoformat(), self.teachers[teacher_id]
        if from_date < today:
            return self._refuse(f"from_date is {from_date}, which has passed; today is {today}.")
        problem = self._span_problem(teacher, from_date, until_date, "")
        if problem:
            return self._refuse(problem)
        absence_id = self._next_id("AB", self.absences)
        absence: Absence = {
            "absence_id": absence_id,
            "teacher_id": teacher_id,
            "from_date": from_date,
            "until_date": until_date,
            "cause": cause,
            "status": "recorded",
        }
        self.absences[absence_id] = absence
        again = self._give_back(teacher_id, from_date, until_date)
        opened = self._open_covers(absence, date.fromisoformat(from_date), list(self.lessons.values()))
        message = (
            f"Absence {absence_id} of {teacher['name']} from {from_date} until {until_date} is recorded; covers "
            f"opened: {self._listed(opened)}; covers of others that are open again: {self._listed(again)}."
        )
        return {"success": True, "message": message}

    def set_return_day(self, absence_id: str, back_on: str) -> Dict[str, Any]:
        """Set the day on which an absent teacher is back, earlier or later than was recorded.

        The absence then ends on the teacher's last working day before it. Where the teacher is back sooner,
        covers from that day on are withdrawn, unless they were held; back on the first day of the absence, all
        of it is cancelled. Where the teacher is back later, covers are opened for the added days, and covers
        that the teacher had taken over on these are open again. Refused once the absence is over.

        Args:
            absence_id: The absence.
            back_on: First day on which the teacher is back, YYYY-MM-DD; a working day of the teacher, today or
                later.

        Returns:
            message: The absence, its last day, and the ids of the covers that were opened, withdrawn, or are open
                again.
        """
        absence = self.absences.get(absence_id)
        if absence is None:
            return self._refuse(f"There is no absence {absence_id!r}. find_absences finds the ids.")
        problem = self._no_day(back_on=back_on) or self._set_return_day_problem(absence, back_on)
        if problem:
            return self._refuse(problem)
        last = self._last_working_day_before(back_on, absence["teacher_id"])
        was, name = absence["until_date"], self._name(absence["teacher_id"])
        if last > was:
            added = date.fromisoformat(was) + timedelta(days=1)
            absence["until_date"] = last
            again = self._give_back(absence["teacher_id"], added.isoformat(), last)
            opened = self._open_covers(absence, added, list(self.lessons.values()))
            message = (
                f"Absence {absence_id} of {name} lasts until {last}; covers opened: {self._listed(opened)}; covers of "
                f"others that are open again: {self._listed(again)}."
            )
            return {"success": True, "message": message}
        withdrawn = self._withdraw(absence_id, back_on)
        if last < absence["from_date"]:
            absence["status"] = "cancelled"
            message = f"Absence {absence_id} of {name} is cancelled; covers withdrawn: {self._listed(withdrawn)}."
            return {"success": True, "message": message}
        absence["until_date"] = last
        message = f"Absence {absence_id} of {name} lasts until {last}; covers withdrawn: {self._listed(withdrawn)}."
        return {"success": True, "message": message}

    def _set_return_day_problem(self, absence: Absence, back_on: str) -> Optional[str]:
        absence_id, until, today = absence["absence_id"], absence["until_date"], datetime.now().date().isoformat()
        if absence["status"] == "cancelled":
            return f"Absence {absence_id} is cancelled; report_absence records a new one."
        if until < today:
            return f"Absence {absence_id} was over on {until}; report_absence records a new one."
        if back_on < today:
            return f"back_on is {back_on}, which has passed; today is {today}."
        teacher = self.teachers[absence["teacher_id"]]
        if back_on < absence["from_date"]:
            return (
                f"Absence {absence_id} begins on {absence['from_date']}; give that day as back_on to cancel all of it."
            )
        if self._weekday(back_on) not in teacher["working_days"]:
            return self._day_off(teacher, "back_on", back_on)
        last = self._last_working_day_before(back_on, absence["teacher_id"])
        if last == until:
            return f"Absence {absence_id} lasts until {until} already, so that the teacher is back on {back_on}."
        for cover in self._in_order(list(self.covers.values())):
            if cover["absence_id"] == absence_id and cover["status"] == "held" and cover["date"] >= back_on:
                return (
                    f"Cover {cover['cover_id']} of {absence_id} was held on {cover['date']}; give a later day than "
                    "that."
                )
        if last < until:
            return None
        return self._span_problem(teacher, absence["from_date"], last, absence_id)

    def assign_cover(self, cover_id: str, teacher_id: str) -> Dict[str, Any]:
        """Have a teacher take a lesson whose teacher is away.

        A cover that is assigned already passes to the new substitute. For a day that has passed, it records who
        was there. Lessons that need a lab or a gym go to teachers of the subject only.

        Args:
            cover_id: The cover.
            teacher_id: Who is to take it.

        Returns:
            message: The cover, who takes it, and the teacher's periods of cover in that week.
        """
        problem = self._not_to_cover(cover_id) or self._no_teacher(teacher_id)
        if problem:
            return self._refuse(problem)
        cover, teacher = self.covers[cover_id], self.teachers[teacher_id]
        if cover["substitute_id"] == teacher_id:
            return self._refuse(f"Cover {cover_id} is assigned to {teacher['name']} already.")
        problem = self._substitute_problem(cover, teacher)
        if problem:
            return self._refuse(problem)
        cover.update({"substitute_id": teacher_id, "status": "assigned"})
        taken = self._covered_in_week(teacher_id, cover["date"], "")
        message = (
            f"{teacher['name']} takes cover {cover_id}, {self._cover_text(cover)}; that makes {taken} of "
            f"{teacher['cover_limit']} periods of cover in that week."
        )
        return {"success": True, "message": message}

    def dismiss_class(self, cover_id: str) -> Dict[str, Any]:
        """Let a class go instead of covering a lesson.

        Only classes of year 9 and above, only at the beginning or the end of their day, and only two periods in
        a week. What was dismissed already on that day does not count as part of the day any more.

        Args:
            cover_id: The open cover.

        Returns:
            message: The cover, and the class that is dismissed.
        """
        cover = self.covers.get(cover_id)
        if cover is None:
            return self._refuse(self._unknown_cover(cover_id))
        if cover["status"] != "open":
            return self._refuse(f"Cover {cover_id} is {cover['status']}; a class is dismissed from an open one only.")
        problem = self._dismiss_class_problem(cover)
        if problem:
            return self._refuse(problem)
        cover["status"] = "dismissed"
        return {"success": True, "message": f"Cover {cover_id}, {self._cover_text(cover)}: the class is dismissed."}

    def _dismiss_class_problem(self, cover: Cover) -> Optional[str]:
        class_name = self.courses[cover["course_id"]]["class_name"]
        year = self.classes[class_name]["year"]
        if year < self._DISMISSED_FROM_YEAR:
            return (
                f"{class_name} is in year {year}; only classes from year {self._DISMISSED_FROM_YEAR} on are dismissed."
            )
        gone = [
            row
            for row in self.covers.values()
            if row["status"] == "dismissed" and self.courses[row["course_id"]]["class_name"] == class_name
        ]
        missed = sum(row["length"] for row in gone if self._week(row["date"]) == self._week(cover["date"]))
        if missed + cover["length"] > self._MOST_DISMISSED:
            return (
                f"{class_name} is dismissed for {missed} periods in the week of {cover['date']} already; "
                f"{self._MOST_DISMISSED} are allowed, and this lesson takes {cover['length']}."
            )
        off = {row["period"] for row in gone if row["date"] == cover["date"]}
        day = self._weekday(cover["date"])
        periods = sorted(
            lesson["period"]
            for lesson in self._lessons_of_class(class_name)
            if lesson["day"] == day and lesson["period"] not in off
        )
        if cover["period"] not in (periods[0], periods[-1]):
            return (
                f"The lesson in period {cover['period']} is neither the first nor the last of {class_name} on {day}, "
                f"whose lessons begin in periods {', '.join(map(str, periods))}."
            )
        return None

    def confirm_cover(self, cover_id: str, note: str = "") -> Dict[str, Any]:
        """Confirm that a substitute has held a lesson.

        Args:
            cover_id: The cover.
            note: What was done in the lesson; at most 200 characters.

        Returns:
            message: The cover that was held, and by whom.
        """
        cover = self.covers.get(cover_id)
        if cover is None:
            return self._refuse(self._unknown_cover(cover_id))
        if cover["status"] != "assigned":
            return self._refuse(f"Cover {cover_id} is {cover['status']}; only an assigned one can be confirmed.")
        today = datetime.now().date().isoformat()
        if cover["date"] > today:
            return self._refuse(
                f"Cover {cover_id} is on {cover['date']}; it can be confirmed on that day, and today is {today}."
            )
        problem = self._too_long(note=note)
        if problem:
            return self._refuse(problem)
        cover.update({"status": "held", "note": note.strip()})
        message = f"Cover {cover_id}, {self._cover_text(cover)}, was held by {self._name(cover['substitute_id'])}."
        return {"success": True, "message": message}

    def _refuse(self, error: str) -> Dict[str, Any]:
        """Return a refusal."""
        return {"success": False, "error": error}

    def _no_class(self, class_name: Optional[str]) -> Optional[str]:
        """Return why a class that is named cannot be found; None where none is named."""
        if class_name is None or class_name in self.classes:
            return None
        return f"There is no class {class_name!r}. find_classes lists them."

    def _no_room(self, room_name: Optional[str]) -> Optional[str]:
        """Return why a room that is named cannot be found; None where none is named."""
        if room_name is None or room_name in self.rooms:
            return None
        return f"There is no room {room_name!r}. find_rooms lists them."

    def _no_teacher(self, teacher_id: Optional[str]) -> Optional[str]:
        """Return why a teacher who is named cannot be found; None where none is named."""
        if teacher_id is None or teacher_id in self.teachers:
            return None
        return f"There is no teacher {teacher_id!r}. find_teachers finds the ids."

    def _unknown_course(self, course_id: str) -> str:
        """Say that there is no such course."""
        return f"There is no course {course_id!r}. find_courses finds the ids."

    def _unknown_lesson(self, lesson_id: str) -> str:
        """Say that there is no such lesson."""
        return f"There is no lesson {lesson_id!r}. find_lessons finds the ids."

    def _unknown_cover(self, cover_id: str) -> str:
        """Say that there is no such cover."""
        return f"There is no cover {cover_id!r}. find_covers finds the ids."

    def _vacant(self, course: Course) -> str:
        """Say that nobody teaches a course."""
        return (
            f"Nobody teaches {course['class_name']} in {course['subject']}; assign_course gives the course to a "
            "teacher."
        )

    def _not_draft(self, class_name: str) -> Optional[str]:
        """Return why the lessons of a class cannot be changed."""
        if self.classes[class_name]["timetable"] == "draft":
            return None
        return (
            f"The timetable of {class_name} is published; its times stay as they are until reopen_timetable makes it "
            "a draft."
        )

    def _blank(self, **texts: Optional[str]) -> Optional[str]:
        """Return which text is given and blank."""
        for name, text in texts.items():
            if text is not None and not text.strip():
                return f"{name} is blank ({text!r}); write at least a word, or leave it out where that is allowed."
        return None

    def _too_long(self, **texts: str) -> Optional[str]:
        """Return which text is too long."""
        for name, text in texts.items():
            if len(text.strip()) > self._LONGEST_TEXT:
                return f"{name} has {len(text.strip())} characters; at most {self._LONGEST_TEXT} are allowed."
        return None

    def _bad_seats(self, seats: Optional[int]) -> Optional[str]:
        """Return why a number of seats makes no sense."""
        return f"seats is {seats}; give at least 1, or leave it out." if seats is not None and seats < 1 else None

    def _no_day(self, **texts: Optional[str]) -> Optional[str]:
        """Return which text is given and no day, YYYY-MM-DD."""
        for name, text in texts.items():
            if text is not None and not self._is_day(text):
                return f"{name} is {text[:40]!r}; write a day that exists, of the years 2000 to 2099, as YYYY-MM-DD."
        return None

    def _is_day(self, text: str) -> bool:
        """Return whether a text is a day of this century, YYYY-MM-DD."""
        if not re.fullmatch(r"20[0-9]{2}-[0-9]{2}-[0-9]{2}", text):
            return False
        try:
            date.fromisoformat(text)
        except ValueError:
            return False
        return True

    def _holds(self, text: str, part: Optional[str]) -> bool:
        """Return whether a text holds a part, in any case; every text holds none."""
        return part is None or part.strip().casefold() in text.casefold()

    def _teaches(self, teacher: Teacher, subject: str) -> bool:
        """Return whether a teacher is qualified for a subject, in any case."""
        return subject.strip().casefold() in [own.casefold() for own in teacher["subjects"]]

    def _name(self, teacher_id: Optional[str]) -> Optional[str]:
        """Return the name of a teacher; None for nobody."""
        return None if teacher_id is None else self.teachers[teacher_id]["name"]

    def _listed(self, ids: List[str]) -> str:
        """Return ids as a list in a sentence."""
        return ", ".join(ids) if ids else "none"

    def _next_id(self, prefix: str, records: Dict[str, Any]) -> str:
        """Return the id of the next record of a kind."""
        numbers = [int(key.rpartition("-")[2]) for key in records if re.fullmatch(rf"{prefix}-[0-9]+", key)]
        return f"{prefix}-{max(numbers, default=0) + 1}"

    def _courses_of(self, class_name: str) -> List[Course]:
        """Return the courses of a class."""
        return [course for course in self.courses.values() if course["class_name"] == class_name]

    def _lessons_of(self, course_id: str) -> List[Lesson]:
        """Return the lessons of a course."""
        return [lesson for lesson in self.lessons.values() if lesson["course_id"] == course_id]

    def _lessons_of_class(self, class_name: str) -> List[Lesson]:
        """Return the lessons of a class."""
        return [
            lesson for lesson in self.lessons.values() if self.courses[lesson["course_id"]]["class_name"] == class_name
        ]

    def _lessons_of_teacher(self, teacher_id: Optional[str], published_only: bool = False) -> List[Lesson]:
        """Return the lessons of a teacher, all or those of published timetables."""
        found = []
        for lesson in self.lessons.values():
            course = self.courses[lesson["course_id"]]
            in_force = self.classes[course["class_name"]]["timetable"] == "published"
            if course["teacher_id"] == teacher_id and (in_force or not published_only):
                found.append(lesson)
        return found

    def _lessons_in(self, room_name: str) -> List[Lesson]:
        """Return the lessons in a room."""
        return [lesson for lesson in self.lessons.values() if lesson["room_name"] == room_name]

    def _rooms_by_size(self) -> List[Room]:
        """Return all rooms, the smallest first."""
        return sorted(self.rooms.values(), key=lambda room: (room["seats"], room["room_name"]))

    def _placed(self, course_id: str) -> int:
        """Return how many periods of a course are on the grid."""
        return sum(lesson["length"] for lesson in self._lessons_of(course_id))

    def _load(self, teacher_id: str) -> int:
        """Return the periods per week of a teacher's courses."""
        return sum(row["periods_per_week"] for row in self.courses.values() if row["teacher_id"] == teacher_id)

    def _course_row(self, course: Course) -> Dict[str, Any]:
        """Return a course as it is listed."""
        return {
            "course_id": course["course_id"],
            "class_name": course["class_name"],
            "subject": course["subject"],
            "teacher_id": course["teacher_id"],
            "teacher_name": self._name(course["teacher_id"]),
            "periods_per_week": course["periods_per_week"],
            "placed_periods": self._placed(course["course_id"]),
        }

    def _lesson_rows(self, lessons: List[Lesson]) -> List[Dict[str, Any]]:
        """Return lessons as they are listed, in the order of the week."""
        ordered = sorted(lessons, key=lambda row: (self._DAYS.index(row["day"]), row["period"], row["lesson_id"]))
        rows = []
        for lesson in ordered:
            course = self.courses[lesson["course_id"]]
            rows.append(
                {
                    "lesson_id": lesson["lesson_id"],
                    "course_id": lesson["course_id"],
                    "class_name": course["class_name"],
                    "subject": course["subject"],
                    "teacher_id": course["teacher_id"],
                    "teacher_name": self._name(course["teacher_id"]),
                    "day": lesson["day"],
                    "period": lesson["period"],
                    "length": lesson["length"],
                    "room_name": lesson["room_name"],
                    "timetable": self.classes[course["class_name"]]["timetable"],
                }
            )
        return rows

    def _cover_row(self, cover: Cover) -> Dict[str, Any]:
        """Return a cover as it is listed."""
        course, absence = self.courses[cover["course_id"]], self.absences[cover["absence_id"]]
        return {
            **cover,
            "day": self._weekday(cover["date"]),
            "class_name": course["class_name"],
            "subject": course["subject"],
            "room_kind": course["room_kind"],
            "absent_teacher_id": absence["teacher_id"],
            "absent_teacher_name": self._name(absence["teacher_id"]),
            "substitute_name": self._name(cover["substitute_id"]),
        }

    def _when(self, day: str, period: int, length: int) -> str:
        """Return a time of the week in words."""
        return f"{day}, period {period}" if length == 1 else f"{day}, periods {period} and {period + 1}"

    def _lesson_text(self, lesson: Lesson) -> str:
        """Return a lesson in words."""
        course = self.courses[lesson["course_id"]]
        return f"lesson {lesson['lesson_id']} ({course['class_name']}, {course['subject']})"

    def _cover_text(self, cover: Cover) -> str:
        """Return a cover in words."""
        course = self.courses[cover["course_id"]]
        when = self._when(self._weekday(cover["date"]), cover["period"], cover["length"])
        return f"{course['class_name']} in {course['subject']} on {cover['date']}, {when}"

    def _weekday(self, day: str) -> str:
        """Return the day of the week of a day of the calendar; Friday is the last that has a name here."""
        return [*self._DAYS, "Saturday", "Sunday"][date.fromisoformat(day).weekday()]

    def _week(self, day: str) -> str:
        """Return the Monday of the week of a day."""
        then = date.fromisoformat(day)
        return (then - timedelta(days=then.weekday())).isoformat()

    def _overlap(self, first: int, length: int, second: int, other_length: int) -> bool:
        """Return whether two stretches of periods on one day overlap."""
        return first < second + other_length and second < first + length

    def _at(self, lessons: List[Lesson], day: str, period: int, length: int, ignored: str = "") -> Optional[Lesson]:
        """Return which of some lessons overlaps a time of the week."""
        for lesson in lessons:
            overlaps = self._overlap(lesson["period"], lesson["length"], period, length)
            if lesson["day"] == day and overlaps and lesson["lesson_id"] != ignored:
                return lesson
        return None

    def _off_grid(self, period: int, length: int) -> Optional[str]:
        """Return why there is no such time on the grid."""
        if not 1 <= length <= self._LONGEST_LESSON:
            return f"length is {length}; a lesson is 1 or 2 periods long."
        if not 1 <= period <= self._LAST_PERIOD:
            return f"period is {period}; give 1 to {self._LAST_PERIOD}."
        last = period + length - 1
        if last > self._LAST_PERIOD or period <= self._LAST_BEFORE_LUNCH < last:
            return (
                f"A lesson of {length} periods cannot begin in period {period}: periods 1 to 4 and 5 to 8 belong "
                "together."
            )
        return None

    def _people_problem(self, course: Course, day: str, period: int, length: int, ignored: str) -> Optional[str]:
        """Return why class and teacher of a course cannot have a lesson at a time; one lesson is ignored."""
        when = self._when(day, period, length)
        same_day = sum(
            lesson["length"]
            for lesson in self._lessons_of(course["course_id"])
            if lesson["day"] == day and lesson["lesson_id"] != ignored
        )
        if same_day + length > self._MOST_PER_DAY:
            return (
                f"{course['class_name']} has {same_day} periods of {course['subject']} on {day} already; at most "
                f"{self._MOST_PER_DAY} are allowed on one day."
            )
        other = self._at(self._lessons_of_class(course["class_name"]), day, period, length, ignored)
        if other is not None:
            return f"{course['class_name']} has {self._lesson_text(other)} on {when}; find_slots finds other times."
        teacher = self.teachers.get(course["teacher_id"] or "")
        if teacher is None:
            return self._vacant(course)
        if day not in teacher["working_days"]:
            return f"{teacher['name']} does not work on {day}, only on {', '.join(teacher['working_days'])}."
        other = self._at(self._lessons_of_teacher(course["teacher_id"]), day, period, length, ignored)
        if other is not None:
            return f"{teacher['name']} has {self._lesson_text(other)} on {when}; find_slots finds other times."
        return None

    def _room_problem(
        self, course: Course, day: str, period: int, length: int, room: Room, ignored: str
    ) -> Optional[str]:
        """Return why a course cannot be in a room at a time; one lesson is ignored."""
        name, size = room["room_name"], self.classes[course["class_name"]]["size"]
        if room["status"] == "closed":
            return f"{name} is closed: {room['closure_reason']}"
        if room["kind"] != course["room_kind"]:
            return (
                f"{name} is a {room['kind']}; {course['class_name']} in {course['subject']} needs a "
                f"{course['room_kind']}. find_free_rooms finds others."
            )
        if room["seats"] < size:
            return (
                f"{name} has {room['seats']} seats, and {course['class_name']} has {size} pupils. find_free_rooms "
                "finds others."
            )
        other = self._at(self._lessons_in(name), day, period, length, ignored)
        if other is not None:
            when = self._when(day, period, length)
            return f"{name} is taken by {self._lesson_text(other)} on {when}. find_free_rooms finds others."
        return None

    def _place_problem(
        self, course: Course, day: str, period: int, length: int, room: Room, ignored: str
    ) -> Optional[str]:
        """Return why a lesson of a course cannot be at a time in a room; one lesson is ignored."""
        return self._people_problem(course, day, period, length, ignored) or self._room_problem(
            course, day, period, length, room, ignored
        )

    def _recorded(self, teacher_id: str) -> List[Absence]:
        """Return the recorded absences of a teacher."""
        return [
            absence
            for absence in self.absences.values()
            if absence["teacher_id"] == teacher_id and absence["status"] == "recorded"
        ]

    def _day_off(self, teacher: Teacher, what: str, day: str) -> str:
        """Say that a teacher does not work on a day that has been given."""
        days = ", ".join(teacher["working_days"])
        return f"{what} is {day}, a {self._weekday(day)}; give a day on which {teacher['name']} works: {days}."

    def _last_working_day_before(self, day: str, teacher_id: str) -> str:
        """Return the last day before another one on which a teacher works."""
        then = date.fromisoformat(day) - timedelta(days=1)
        while self._weekday(then.isoformat()) not in self.teachers[teacher_id]["working_days"]:
            then -= timedelta(days=1)
        return then.isoformat()

    def _span_problem(self, teacher: Teacher, from_date: str, until_date: str, ignored: str) -> Optional[str]:
        """Return why a teacher cannot be absent from one day until another; one absence is ignored."""
        if until_date < from_date:
            return f"until_date is {until_date}, before the first day, {from_date}."
        first, last = date.fromisoformat(from_date), date.fromisoformat(until_date)
        days = (last - first).days + 1
        if days > self._LONGEST_ABSENCE:
            return (
                f"{from_date} until {until_date} are {days} days; at most {self._LONGEST_ABSENCE} are recorded. For "
                "longer ones the courses change hands with assign_course."
            )
        for what, day in (("from_date", from_date), ("until_date", until_date)):
            if self._weekday(day) not in teacher["working_days"]:
                return self._day_off(teacher, what, day)
        for absence in self._recorded(teacher["teacher_id"]):
            overlaps = absence["from_date"] <= until_date and from_date <= absence["until_date"]
            if overlaps and absence["absence_id"] != ignored:
                return (
                    f"{teacher['name']} is absent from {absence['from_date']} until {absence['until_date']} already "
                    f"({absence['absence_id']}). set_return_day changes how long."
                )
        return None

    def _open_covers(self, absence: Absence, first: date, lessons: List[Lesson]) -> List[str]:
        """Open a cover for each published lesson of some from a day until the end of an absence; return the ids."""
        last, opened = date.fromisoformat(absence["until_date"]), []
        own = [lesson["lesson_id"] for lesson in self._lessons_of_teacher(absence["teacher_id"], published_only=True)]
        mine = sorted(
            (lesson for lesson in lessons if lesson["lesson_id"] in own),
            key=lambda lesson: (lesson["period"], lesson["lesson_id"]),
        )
        for number in range((last - first).days + 1):
            day = (first + timedelta(days=number)).isoformat()
            for lesson in mine:
                if lesson["day"] != self._weekday(day) or self._is_settled(lesson, absence["absence_id"], day):
                    continue
                cover_id = self._next_id("CV", self.covers)
                self.covers[cover_id] = {
                    "cover_id": cover_id,
                    "absence_id": absence["absence_id"],
                    "course_id": lesson["course_id"],
                    "date": day,
                    "period": lesson["period"],
                    "length": lesson["length"],
                    "substitute_id": None,
                    "status": "open",
                    "note": "",
                }
                opened.append(cover_id)
        return opened

    def _is_settled(self, lesson: Lesson, absence_id: str, day: str) -> bool:
        """Return whether a lesson was covered or its class dismissed on a day of an absence."""
        wanted = (absence_id, lesson["course_id"], day, lesson["period"])
        return any(
            (row["absence_id"], row["course_id"], row["date"], row["period"]) == wanted
            for row in self.covers.values()
            if row["status"] in ("held", "dismissed")
        )

    def _give_back(self, teacher_id: str, first: str, last: str) -> List[str]:
        """Open the covers again that a teacher had taken over on some days; return the ids."""
        given = []
        for cover in self._in_order(list(self.covers.values())):
            mine = cover["status"] == "assigned" and cover["substitute_id"] == teacher_id
            if mine and first <= cover["date"] <= last:
                cover.update({"substitute_id": None, "status": "open"})
                given.append(cover["cover_id"])
        return given

    def _withdraw(self, absence_id: str, first: str) -> List[str]:
        """Withdraw the covers of an absence from a day on, but for those that were held; return the ids."""
        withdrawn = []
        for cover in self._in_order(list(self.covers.values())):
            pending = cover["status"] in ("open", "assigned", "dismissed")
            if cover["absence_id"] == absence_id and cover["date"] >= first and pending:
                cover.update({"substitute_id": None, "status": "withdrawn"})
                withdrawn.append(cover["cover_id"])
        return withdrawn

    def _in_order(self, covers: List[Cover]) -> List[Cover]:
        """Return covers in the order of days and periods."""
        return sorted(covers, key=lambda cover: (cover["date"], cover["period"], cover["cover_id"]))

    def _pending_covers(self, course_ids: List[str]) -> List[str]:
        """Return the ids of the covers for some courses that are open or assigned."""
        pending = [row for row in self.covers.values() if row["course_id"] in course_ids]
        return [row["cover_id"] for row in self._in_order(pending) if row["status"] in ("open", "assigned")]

    def _covered_by(self, teacher_id: Optional[str]) -> List[Cover]:
        """Return the covers that a teacher has taken or held."""
        return [
            row
            for row in self.covers.values()
            if row["substitute_id"] == teacher_id and row["status"] in ("assigned", "held")
        ]

    def _covered_in_week(self, teacher_id: str, day: str, ignored: str) -> int:
        """Return a teacher's periods of cover in the week of a day; one cover is ignored."""
        rows = [row for row in self._covered_by(teacher_id) if row["cover_id"] != ignored]
        return sum(row["length"] for row in rows if self._week(row["date"]) == self._week(day))

    def _cover_at(self, teacher_id: Optional[str], lesson: Lesson) -> Optional[Cover]:
        """Return an assigned cover of a teacher that falls on the time of a lesson."""
        for cover in self._in_order(self._covered_by(teacher_id)):
            overlaps = self._overlap(cover["period"], cover["length"], lesson["period"], lesson["length"])
            if cover["status"] == "assigned" and overlaps and self._weekday(cover["date"]) == lesson["day"]:
                return cover
        return None

    def _not_to_cover(self, cover_id: str) -> Optional[str]:
        """Return why a cover cannot be given to anybody."""
        cover = self.covers.get(cover_id)
        if cover is None:
            return self._unknown_cover(cover_id)
        if cover["status"] not in ("open", "assigned"):
            return f"Cover {cover_id} is {cover['status']}; only open and assigned ones can be given to somebody."
        return None

    def _substitute_problem(self, cover: Cover, teacher: Teacher) -> Optional[str]:
        """Return why a teacher cannot take a cover."""
        name, teacher_id, day = teacher["name"], teacher["teacher_id"], self._weekday(cover["date"])
        course, time = self.courses[cover["course_id"]], (day, cover["period"], cover["length"])
        for absence in self._recorded(teacher_id):
            if absence["from_date"] <= cover["date"] <= absence["until_date"]:
                return f"{name} is absent on {cover['date']} ({absence['absence_id']}). find_substitutes finds others."
        if day not in teacher["working_days"]:
            return f"{name} does not work on {day}. find_substitutes finds others."
        if course["room_kind"] in self._SUBJECT_TEACHERS_ONLY and not self._teaches(teacher, course["subject"]):
            return (
                f"{name} does not teach {course['subject']}, and a lesson in a {course['room_kind']} is covered by "
                "teachers of the subject only. find_substitutes finds others."
            )
        lesson = self._at(self._lessons_of_teacher(teacher_id, published_only=True), *time)
        if lesson is not None:
            return f"{name} has {self._lesson_text(lesson)} on {self._when(*time)}. find_substitutes finds others."
        for other in self._covered_by(teacher_id):
            overlaps = self._overlap(other["period"], other["length"], cover["period"], cover["length"])
            same = other["date"] == cover["date"] and other["cover_id"] != cover["cover_id"]
            if same and overlaps and other["status"] == "assigned":
                return f"{name} has cover {other['cover_id']} at that time. find_substitutes finds others."
        taken = self._covered_in_week(teacher_id, cover["date"], cover["cover_id"])
        if taken + cover["length"] > teacher["cover_limit"]:
            return (
                f"{name} has {taken} of at most {teacher['cover_limit']} periods of cover in the week of "
                f"{cover['date']}, and this one takes {cover['length']}. find_substitutes finds others."
            )
        return None

    def _unpublishable(self, class_name: str) -> List[str]:
        """Say what keeps a draft from being published."""
        courses = self._courses_of(class_name)
        problems = [] if courses else [f"{class_name} has no courses."]
        for course in courses:
            placed, owed = self._placed(course["course_id"]), course["periods_per_week"]
            if course["teacher_id"] is None:
                problems.append(f"Nobody teaches {class_name} in {course['subject']} ({course['course_id']}).")
            elif placed != owed:
                problems.append(f"{course['subject']} ({course['course_id']}): {placed} of {owed} periods are placed.")
        for lesson in self._lessons_of_class(class_name):
            teacher_id = self.courses[lesson["course_id"]]["teacher_id"]
            cover = self._cover_at(teacher_id, lesson)
            if cover is not None:
                problems.append(
                    f"{self._name(teacher_id)} has taken cover {cover['cover_id']} on {cover['date']} at the time of "
                    f"{self._lesson_text(lesson)}; assign it to somebody else."
                )
        return problems

    def _not_reopenable(self, class_name: str) -> List[str]:
        """Say what keeps a published timetable from being reopened."""
        pending = self._pending_covers([course["course_id"] for course in self._courses_of(class_name)])
        if not pending:
            return []
        which = f"Covers for {class_name} are open or assigned: {self._listed(pending)}."
        return [f"{which} The timetable can be reopened once they are held, dismissed or withdrawn."]
