"""The circulation desk of a public library with several branches.

Members borrow copies of the books in the catalogue, renew and return them, queue for titles that are out and
pay what they are charged. What a member may do follows from the tier of the membership, its expiry, its
standing and what the member owes. Amounts are whole cents, days are ISO dates ("2025-03-10"), times are ISO
date-times.
"""

import re
from datetime import date, datetime, timedelta
from functools import lru_cache
from typing import Any, Dict, Iterable, List, Literal, Mapping, Optional, Tuple, TypedDict, TypeVar, get_args

MemberStatus = Literal["active", "suspended"]
CopyStatus = Literal["on_shelf", "on_loan", "on_hold", "in_repair", "lost", "withdrawn"]
CopyCondition = Literal["new", "good", "worn", "damaged"]
LoanStatus = Literal["open", "returned", "lost"]
ReservationStatus = Literal["waiting", "ready", "fulfilled", "cancelled", "expired"]
FineKind = Literal["overdue", "damage", "lost"]
PaymentMethod = Literal["cash", "card", "online"]
Destination = Literal["shelf", "repair", "withdrawn"]


class BranchRecord(TypedDict):
    """A branch of the library, where copies stand and reservations are picked up."""

    branch_id: str
    name: str
    address: str


class TierRecord(TypedDict):
    """A kind of membership and what it allows; the key is the name of the tier."""

    tier: str
    max_loans: int
    loan_days: int
    max_renewals: int
    max_reservations: int
    daily_fine_cents: int
    debt_limit_cents: int


class MemberRecord(TypedDict):
    """A person with a library card; the membership is valid up to and including `expires_on`."""

    member_id: str
    name: str
    email: str
    tier: str
    status: MemberStatus
    suspension_reason: Optional[str]
    home_branch_id: str
    joined_on: str
    expires_on: str


class BookRecord(TypedDict):
    """One edition of a title in the catalogue; two editions of a work are two books."""

    book_id: str
    title: str
    author: str
    edition: str
    publisher: str
    year: int
    language: str
    subject: str
    shelfmark: str
    replacement_cents: int


class CopyRecord(TypedDict):
    """A physical copy of a book and where it stands."""

    copy_id: str
    book_id: str
    branch_id: str
    status: CopyStatus
    condition: CopyCondition


class LoanRecord(TypedDict):
    """A copy lent to a member; `closed_on` is set when it comes back or is reported lost."""

    loan_id: str
    copy_id: str
    member_id: str
    lent_on: str
    due_on: str
    renewals: int
    status: LoanStatus
    closed_on: Optional[str]


class ReservationRecord(TypedDict):
    """A member's place in the queue for a book; once `ready`, `copy_id` is kept until `ready_until`.

    A reservation that is cancelled or expires lets go of its copy; a fulfilled one still names it.
    """

    reservation_id: str
    book_id: str
    member_id: str
    pickup_branch_id: str
    placed_at: str
    status: ReservationStatus
    copy_id: Optional[str]
    ready_until: Optional[str]


class FineRecord(TypedDict):
    """A charge to a member for a loan; what is neither paid nor waived is owed."""

    fine_id: str
    member_id: str
    loan_id: str
    kind: FineKind
    amount_cents: int
    paid_cents: int
    waived_cents: int
    waiver_reason: Optional[str]
    charged_on: str


class PaymentItem(TypedDict):
    """The part of a payment that goes to one fine."""

    fine_id: str
    amount_cents: int


class PaymentRecord(TypedDict):
    """Money taken from a member at one time, split over one or more fines."""

    payment_id: str
    member_id: str
    paid_at: str
    method: PaymentMethod
    amount_cents: int
    items: List[PaymentItem]


_PLAIN = str.maketrans(
    "àáâãäåāăąçćčďèéêëēęěğìíîïīıłñńňòóôõöøōőřśšşșťțùúûüūůűýÿźżž",
    "aaaaaaaaacccdeeeeeeegiiiiiilnnnoooooooorssssttuuuuuuuyyzzz",
)


def _fold(text: str) -> str:
    """Fold case and common accents."""
    return text.casefold().translate(_PLAIN)


_folded = lru_cache(maxsize=4096)(_fold)  # for texts of the records, which are short and come again

_Record = TypeVar("_Record", MemberRecord, BookRecord)
_OfBook = TypeVar("_OfBook", CopyRecord, ReservationRecord)


class PublicLibrary:
    """The desk: every public method is a tool that answers with a dict and never raises."""

    _HOLD_DAYS = 7
    _MAX_YEARS = 3
    _MAX_YEARS_AHEAD = 5
    _MAX_NAME = 80
    _MAX_EMAIL = 120
    _MAX_REASON = 200
    _SHOWN_TEXT = 60
    _SHOWN_NUMBER = 10**15
    _IN_USE = ("on_shelf", "on_loan", "on_hold", "in_repair")
    _ROUTES: Mapping[str, Tuple[str, ...]] = {
        "shelf": ("on_shelf", "in_repair", "lost"),
        "repair": ("on_shelf", "lost"),
        "withdrawn": ("on_shelf", "in_repair", "lost"),
    }
    _LOOK_UPS: Mapping[str, str] = {
        "member": "find_members looks members up by name or email",
        "book": "search_books looks books up by title or author",
        "copy": "list_copies and get_book name the copies of a book",
        "loan": "list_loans names the loans of a member or a book",
        "reservation": "list_reservations names the reservations of a member or a book",
        "fine": "list_fines names the fines of a member",
        "branch": "get_lending_terms names the branches",
        "tier": "get_lending_terms names the tiers",
    }

    def __init__(self, init_config: Dict[str, Any]) -> None:
        """Start with empty tables.

        Args:
            init_config: Ignored; whoever loads a start state sets the attributes below.
        """
        del init_config  # the loader sets the attributes one by one
        self.branches: Dict[str, BranchRecord] = {}
        self.tiers: Dict[str, TierRecord] = {}
        self.members: Dict[str, MemberRecord] = {}
        self.books: Dict[str, BookRecord] = {}
        self.copies: Dict[str, CopyRecord] = {}
        self.loans: Dict[str, LoanRecord] = {}
        self.reservations: Dict[str, ReservationRecord] = {}
        self.fines: Dict[str, FineRecord] = {}
        self.payments: Dict[str, PaymentRecord] = {}

    # Look-ups

    def search_books(
        self,
        title: Optional[str] = None,
        author: Optional[str] = None,
        subject: Optional[str] = None,
        language: Optional[str] = None,
        *,
        on_shelf_only: bool = False,
    ) -> Dict[str, Any]:
        """Search the catalogue; a book matches when every given text occurs in its field.

        Case and common accents do not count ("garcia" finds "García"); a blank text counts as not given. At
        least one text is needed. Each edition is a book of its own.

        Args:
            title: Part of the title.
            author: Part of the author's name.
            subject: Part of the subject, such as "science fiction".
            language: Part of the language's English name, such as "French".
            on_shelf_only: Only books with a copy on a shelf now, at any branch.

        Returns:
            data: a list of book records, each with copies_on_shelf and waiting (length of the queue).
        """
        wanted = self._texts(title=title, author=author, subject=subject, language=language)
        if not wanted:
            return self._refuse("Give at least one of title, author, subject or language.")
        found = []
        for book in self._matching(self.books.values(), wanted):
            on_shelf = self._count(self.copies.values(), book["book_id"], "on_shelf")
            if on_shelf or not on_shelf_only:
                waiting = self._count(self.reservations.values(), book["book_id"], "waiting")
                found.append({**book, "copies_on_shelf": on_shelf, "waiting": waiting})
        return {"success": True, "data": found}

    def get_book(self, book_id: str) -> Dict[str, Any]:
        """Read a book with all its copies and the queue of members who wait for it.

        Args:
            book_id: The book's id, such as "B-0001".

        Returns:
            data: the book record with copies (copy records; due_on is set for a copy on loan, held_for is the
            member_id a copy on hold is kept for) and queue (waiting reservation records, the next to be
            served first).
        """
        problem = self._unknown("book", book_id, self.books)
        if problem:
            return self._refuse(problem)
        due = {loan["copy_id"]: loan["due_on"] for loan in self.loans.values() if loan["status"] == "open"}
        rows = [row for row in self.reservations.values() if row["book_id"] == book_id]
        held = {row["copy_id"]: row["member_id"] for row in rows if row["status"] == "ready"}
        copies = [
            {**copy, "due_on": due.get(copy_id), "held_for": held.get(copy_id)}
            for copy_id, copy in self.copies.items()
            if copy["book_id"] == book_id
        ]
        queue: List[Any] = [dict(row) for row in self._queue(book_id)]
        return {"success": True, "data": {**self.books[book_id], "copies": copies, "queue": queue}}

    def list_copies(
        self,
        book_id: Optional[str] = None,
        branch_id: Optional[str] = None,
        status: Optional[CopyStatus] = None,
        condition: Optional[CopyCondition] = None,
    ) -> Dict[str, Any]:
        """List copies, narrowed by any of the filters; without a filter, all copies.

        Args:
            book_id: Only copies of this book.
            branch_id: Only copies that stand at or belong to this branch.
            status: Only copies with this status.
            condition: Only copies in this condition.

        Returns:
            data: a list of copy records, each with the title of its book.
        """
        problem = (
            (book_id and self._unknown("book", book_id, self.books))
            or (branch_id and self._unknown("branch", branch_id, self.branches))
            or (status and self._not_among("status", status, CopyStatus))
            or (condition and self._not_among("condition", condition, CopyCondition))
        )
        if problem:
            return self._refuse(problem)
        wanted = self._exact(book_id=book_id, branch_id=branch_id, status=status, condition=condition)
        found = [
            {**copy, "title": self.books[copy["book_id"]]["title"]}
            for copy in self.copies.values()
            if self._equals(copy, wanted)
        ]
        return {"success": True, "data": found}

    def find_members(
        self,
        name: Optional[str] = None,
        email: Optional[str] = None,
        tier: Optional[str] = None,
        status: Optional[MemberStatus] = None,
        *,
        expires_before: Optional[str] = None,
    ) -> Dict[str, Any]:
        """Find members; a member matches when all given criteria hold, and at least one is needed.

        Several members may match, even with the same name: compare email address and branch before acting.

        Args:
            name: Part of the name; case and common accents do not count.
            email: Part of the email address; case does not count.
            tier: The exact name of a tier, such as "adult".
            status: "active" or "suspended"; an expired membership keeps its status, so look at expires_on.
            expires_before: Only memberships that end before this day (YYYY-MM-DD).

        Returns:
            data: a list of member records.
        """
        problem = (
            (tier and self._unknown("tier", tier, self.tiers))
            or (status and self._not_among("status", status, MemberStatus))
            or (expires_before and self._not_a_day("expires_before", expires_before))
        )
        if problem:
            return self._refuse(problem)
        texts = self._texts(name=name, email=email)
        wanted = self._exact(tier=tier, status=status)
        if not (texts or wanted or expires_before):
            return self._refuse("Give at least one of name, email, tier, status or expires_before.")
        found = [
            dict(member)
            for member in self._matching(self.members.values(), texts)
            if self._equals(member, wanted) and (not expires_before or member["expires_on"] < expires_before)
        ]
        return {"success": True, "data": found}

    def get_member(self, member_id: str) -> Dict[str, Any]:
        """Read a member's account: record, terms, open loans, reservations, debt and what stops borrowing.

        Args:
            member_id: The member's id, such as "M-0001".

        Returns:
            data: the member record with terms (the tier record), owed_cents, open_loans (loan records with
            title, days_overdue and fine_if_returned_today_cents), reservations (those waiting or ready) and
            borrowing_blocks (a list of reasons; empty when the member may borrow).
        """
        problem = self._unknown("member", member_id, self.members)
        if problem:
            return self._refuse(problem)
        member = self.members[member_id]
        today, loans = self._today(), self._open_loans(member_id)
        blocks = self._standing_problems(member)
        full = self._loan_limit_problem(member, len(loans))
        account: Dict[str, Any] = {
            **member,
            "terms": dict(self.tiers[member["tier"]]),
            "owed_cents": self._owed(member_id),
            "open_loans": [self._loan_row(loan, today) for loan in loans],
            "reservations": [dict(row) for row in self._active_reservations(member_id)],
            "borrowing_blocks": [*blocks, full] if full else blocks,
        }
        return {"success": True, "data": account}

    def list_loans(
        self,
        member_id: Optional[str] = None,
        book_id: Optional[str] = None,
        copy_id: Optional[str] = None,
        status: Optional[LoanStatus] = None,
        *,
        due_before: Optional[str] = None,
    ) -> Dict[str, Any]:
        """List loans, present and past, narrowed by any of the filters; without a filter, all loans.

        Args:
            member_id: Only loans to this member.
            book_id: Only loans of copies of this book.
            copy_id: Only loans of this copy.
            status: Only loans with this status; "open" loans are still out.
            due_before: Only loans due before this day (YYYY-MM-DD). With status "open" and today's date it
                lists what is overdue.

        Returns:
            data: a list of loan records, each with book_id, title, member_name, days_overdue (0 unless open
            and late) and fine_if_returned_today_cents.
        """
        problem = (
            (member_id and self._unknown("member", member_id, self.members))
            or (book_id and self._unknown("book", book_id, self.books))
            or (copy_id and self._unknown("copy", copy_id, self.copies))
            or (status and self._not_among("status", status, LoanStatus))
            or (due_before and self._not_a_day("due_before", due_before))
        )
        if problem:
            return self._refuse(problem)
        today, wanted = self._today(), self._exact(member_id=member_id, copy_id=copy_id, status=status)
        found = [
            self._loan_row(loan, today)
            for loan in self.loans.values()
            if self._equals(loan, wanted)
            and (not book_id or self.copies[loan["copy_id"]]["book_id"] == book_id)
            and (not due_before or loan["due_on"] < due_before)
        ]
        return {"success": True, "data": found}

    def list_reservations(
        self,
        book_id: Optional[str] = None,
        member_id: Optional[str] = None,
        status: Optional[ReservationStatus] = None,
        pickup_branch_id: Optional[str] = None,
    ) -> Dict[str, Any]:
        """List reservations in the order they were placed, narrowed by any of the filters.

        Args:
            book_id: Only reservations of this book.
            member_id: Only reservations of this member.
            status: Only reservations with this status: "waiting" in the queue, "ready" with a copy set aside,
                or one of the closed ones "fulfilled", "cancelled" and "expired".
            pickup_branch_id: Only reservations to be picked up at this branch.

        Returns:
            data: a list of reservation records, each with title, member_name and queue_position (1 is next;
            null unless waiting).
        """
        problem = (
            (book_id and self._unknown("book", book_id, self.books))
            or (member_id and self._unknown("member", member_id, self.members))
            or (status and self._not_among("status", status, ReservationStatus))
            or (pickup_branch_id and self._unknown("branch", pickup_branch_id, self.branches))
        )
        if problem:
            return self._refuse(problem)
        wanted = self._exact(book_id=book_id, member_id=member_id, status=status, pickup_branch_id=pickup_branch_id)
        ahead: Dict[str, int] = {}
        found: List[Dict[str, Any]] = []
        for row in self._in_order(list(self.reservations.values())):
            position = None
            if row["status"] == "waiting":
                position = ahead[row["book_id"]] = ahead.get(row["book_id"], 0) + 1
            if self._equals(row, wanted):
                title = self.books[row["book_id"]]["title"]
                name = self.members[row["member_id"]]["name"]
                found.append({**row, "title": title, "member_name": name, "queue_position": position})
        return {"success": True, "data": found}

    def list_fines(
        self,
        member_id: Optional[str] = None,
        kind: Optional[FineKind] = None,
        *,
        unpaid_only: bool = False,
    ) -> Dict[str, Any]:
        """List fines and other charges with what is still owed on each.

        A loan that is late is fined only when the copy comes back: list_loans shows what would be charged
        today.

        Args:
            member_id: Only fines of this member.
            kind: Only fines of this kind: "overdue", "damage" or "lost".
            unpaid_only: Only fines on which something is still owed.

        Returns:
            data: {"fines": fine records, each with title, owed_cents and payments (payment_id, paid_at,
            method and amount_cents of each payment towards it), "total_owed_cents": int}.
        """
        problem = (member_id and self._unknown("member", member_id, self.members)) or (
            kind and self._not_among("kind", kind, FineKind)
        )
        if problem:
            return self._refuse(problem)
        wanted = self._exact(member_id=member_id, kind=kind)
        payments, total = self._payments_by_fine(), 0
        found: List[Dict[str, Any]] = []
        for fine_id, fine in self.fines.items():
            owed = self._open_amount(fine)
            if self._equals(fine, wanted) and (owed or not unpaid_only):
                title = self._book_of_copy(self.loans[fine["loan_id"]]["copy_id"])["title"]
                found.append({**fine, "title": title, "owed_cents": owed, "payments": payments.get(fine_id, [])})
                total += owed
        return {"success": True, "data": {"fines": found, "total_owed_cents": total}}

    def get_lending_terms(self, tier: Optional[str] = None) -> Dict[str, Any]:
        """Read today's date, the branches and what each membership tier allows.

        Args:
            tier: Only this tier, such as "adult"; leave it out for all tiers.

        Returns:
            data: {"today": YYYY-MM-DD, "branches": branch records, "tiers": tier records (max_loans,
            loan_days, max_renewals per loan, max_reservations, daily_fine_cents, debt_limit_cents above which
            nothing is lent), "hold_days": days a copy is kept for a reservation}.
        """
        problem = tier and self._unknown("tier", tier, self.tiers)
        if problem:
            return self._refuse(problem)
        terms = {
            "today": self._today().isoformat(),
            "branches": [dict(branch) for branch in self.branches.values()],
            "tiers": [dict(record) for name, record in self.tiers.items() if not tier or name == tier],
            "hold_days": self._HOLD_DAYS,
        }
        return {"success": True, "data": terms}

    # Members

    def register_member(self, name: str, email: str, tier: str, home_branch_id: str) -> Dict[str, Any]:
        """Open a membership that is valid for one year from today.

        Refused when another member already uses the email address.

        Args:
            name: The person's full name, at most 80 characters.
            email: The person's email address, at most 120 characters.
            tier: The name of a tier from get_lending_terms, such as "adult".
            home_branch_id: The id of the branch where the member usually picks up books.

        Returns:
            data: the new member record.
        """
        name, email = name.strip(), email.strip()
        problem = (
            self._bad_text("name", name, self._MAX_NAME)
            or self._bad_email(email)
            or self._unknown("tier", tier, self.tiers)
            or self._unknown("branch", home_branch_id, self.branches)
        )
        if problem:
            return self._refuse(problem)
        today = self._today()
        member: MemberRecord = {
            "member_id": self._next_id("M", self.members),
            "name": name,
            "email": email,
            "tier": tier,
            "status": "active",
            "suspension_reason": None,
            "home_branch_id": home_branch_id,
            "joined_on": today.isoformat(),
            "expires_on": self._years_after(today, 1).isoformat(),
        }
        self.members[member["member_id"]] = member
        return self._done(f"{name} is now member {member['member_id']}.", dict(member))

    def renew_membership(self, member_id: str, years: int = 1, tier: Optional[str] = None) -> Dict[str, Any]:
        """Extend a membership, and move it to another tier where one is given.

        The years are added to the expiry date, or to today when the membership has already expired. Refused
        for a suspended member, for one who owes more than the present tier's debt limit, and when the new
        tier allows fewer loans, renewals or reservations than the member has now. Due dates of open loans do
        not move.

        Args:
            member_id: The member's id.
            years: How many years to add, 1 to 3; a membership may not run more than 5 years ahead of today.
            tier: The tier from now on; leave it out to keep the present one.

        Returns:
            data: the member record with its new expires_on and tier.
        """
        problem = self._unknown("member", member_id, self.members) or (tier and self._unknown("tier", tier, self.tiers))
        if problem:
            return self._refuse(problem)
        member = self.members[member_id]
        new_tier = tier or member["tier"]
        problem = (
            self._years_problem(member, years)
            or self._suspension_problem(member)
            or self._debt_problem(member)
            or self._tier_problem(member, new_tier)
        )
        if problem:
            return self._refuse(problem)
        member["expires_on"] = self._extended(member, years).isoformat()
        member["tier"] = new_tier
        message = f"{member['name']} is a member until {member['expires_on']} ({new_tier})."
        return self._done(message, dict(member))

    def set_member_status(self, member_id: str, status: MemberStatus, reason: Optional[str] = None) -> Dict[str, Any]:
        """Suspend a member, or lift a suspension.

        A suspended member keeps loans, fines and places in queues but may not borrow, renew or reserve. A
        suspension is lifted only when nothing is overdue and the member owes no more than the tier's debt
        limit.

        Args:
            member_id: The member's id.
            status: "suspended" to suspend, "active" to lift the suspension.
            reason: Why, at most 200 characters; needed for "suspended", left out for "active".

        Returns:
            data: the changed member record.
        """
        reason = (reason or "").strip()
        problem = self._unknown("member", member_id, self.members) or self._not_among("status", status, MemberStatus)
        if problem:
            return self._refuse(problem)
        member = self.members[member_id]
        if member["status"] == status:
            return self._refuse(f"{member['name']} already has the status '{status}'; nothing to change.")
        if status == "suspended":
            problem = self._bad_text("reason", reason, self._MAX_REASON)
        elif reason:
            problem = "Leave the reason out when the status becomes 'active'; only suspensions record one."
        else:
            problem = self._overdue_problem(member) or self._debt_problem(member)
        if problem:
            return self._refuse(problem)
        member["status"] = status
        member["suspension_reason"] = reason or None
        return self._done(f"{member['name']} is now {status}.", dict(member))

    # Loans

    def lend_copy(self, copy_id: str, member_id: str) -> Dict[str, Any]:
        """Lend a copy to a member, due after the tier's loan days but never after the membership expires.

        Only a copy on a shelf is lent, or a copy on hold to the member it is kept for, whose reservation is
        then fulfilled. Refused when the member is suspended, has expired, owes more than the tier's debt
        limit, has reached the tier's loan limit, has the same book on loan already, or has another copy of it
        set aside.

        Args:
            copy_id: The id of the copy handed over, such as "C-0001".
            member_id: The id of the member who borrows it.

        Returns:
            data: the new loan record, with its due_on.
        """
        problem = (
            self._unknown("copy", copy_id, self.copies)
            or self._unknown("member", member_id, self.members)
            or self._borrower_problem(self.members[member_id], copy_id)
            or self._handover_problem(self.members[member_id], copy_id)
        )
        if problem:
            return self._refuse(problem)
        today, copy = self._today(), self.copies[copy_id]
        for row in self._active_reservations(member_id):
            if row["copy_id"] == copy_id:
                row["status"] = "fulfilled"
        loan: LoanRecord = {
            "loan_id": self._next_id("LN", self.loans),
            "copy_id": copy_id,
            "member_id": member_id,
            "lent_on": today.isoformat(),
            "due_on": self._due_date(self.members[member_id]).isoformat(),
            "renewals": 0,
            "status": "open",
            "closed_on": None,
        }
        self.loans[loan["loan_id"]] = loan
        copy["status"] = "on_loan"
        title = self.books[copy["book_id"]]["title"]
        return self._done(f"Lent '{title}' ({copy_id}) until {loan['due_on']}.", dict(loan))

    def return_copy(self, copy_id: str, *, condition: Optional[CopyCondition] = None) -> Dict[str, Any]:
        """Take back a copy that is on loan, charge what is due and pass the copy on.

        A late return is fined at the daily rate of the member's tier for each day after due_on, at most the
        replacement price. A copy that comes back "damaged" goes to repair and half its replacement price
        (rounded down) is charged as well. Any other copy is set aside for the first member in the queue and
        moved to the branch where that member picks up; with an empty queue it goes back on its shelf.

        Args:
            copy_id: The id of the copy handed in.
            condition: The condition it came back in; leave it out when it has not changed.

        Returns:
            data: {"loan": the closed loan record, "copy": the copy record, "fines": new fine records (may be
            empty), "set_aside_for": the reservation record the copy is now kept for, or null}.
        """
        problem = (
            self._unknown("copy", copy_id, self.copies)
            or (condition and self._not_among("condition", condition, CopyCondition))
            or self._not_on_loan(copy_id)
        )
        loan = None if problem else self._open_loan(copy_id)
        if loan is None:
            return self._refuse(problem or f"No open loan names the copy {copy_id}.")
        copy, book = self.copies[copy_id], self._book_of_copy(copy_id)
        fines = self._charge(loan, "overdue", self._overdue_cents(loan, self._days_overdue(loan, self._today())))
        loan["status"] = "returned"
        loan["closed_on"] = self._today().isoformat()
        copy["condition"] = condition or copy["condition"]
        next_row = None
        if copy["condition"] == "damaged":
            fines += self._charge(loan, "damage", book["replacement_cents"] // 2)
            copy["status"] = "in_repair"
        else:
            next_row = self._release(copy_id)
        data = {
            "loan": dict(loan),
            "copy": dict(copy),
            "fines": fines,
            "set_aside_for": dict(next_row) if next_row else None,
        }
        charged = sum(fine["amount_cents"] for fine in fines)
        return self._done(f"Took back '{book['title']}' ({copy_id}); charged {charged} cents.", data)

    def renew_loans(self, loan_ids: List[str]) -> Dict[str, Any]:
        """Renew one or more open loans to the tier's loan days from today; all of them or none.

        The new due date never lies after the membership's expiry. A loan is not renewed when it is overdue,
        has had the tier's number of renewals, would not be due later than now, or when another member waits
        for the book; nor when the member is suspended, has expired or owes more than the tier's debt limit.

        Args:
            loan_ids: The ids of the loans, such as ["LN-0001", "LN-0002"]; each once.

        Returns:
            data: a list of the renewed loan records.
        """
        if not loan_ids:
            return self._refuse("Give the id of at least one loan; list_loans names the loans of a member.")
        seen: Dict[str, bool] = {}
        for loan_id in loan_ids:
            problem = self._unknown("loan", loan_id, self.loans) or self._renewal_problem(self.loans[loan_id])
            if loan_id in seen:
                problem = f"The loan {loan_id} is named twice; name each loan once."
            if problem:
                return self._refuse(f"Nothing was renewed. {problem}")
            seen[loan_id] = True
        for loan_id in loan_ids:
            loan = self.loans[loan_id]
            loan["due_on"] = self._due_date(self.members[loan["member_id"]]).isoformat()
            loan["renewals"] += 1
        return self._done(f"Renewed {len(loan_ids)} loan(s).", [dict(self.loans[loan_id]) for loan_id in loan_ids])

    def report_lost_copy(self, copy_id: str) -> Dict[str, Any]:
        """Close the open loan of a copy that the borrower has lost and charge the replacement price.

        Late days are not charged on top. If the copy is found later, route_copy brings it back.

        Args:
            copy_id: The id of the copy on loan.

        Returns:
            data: {"loan": the closed loan record, "copy": the copy record, "fine": the new fine record}.
        """
        problem = self._unknown("copy", copy_id, self.copies) or self._not_on_loan(copy_id)
        loan = None if problem else self._open_loan(copy_id)
        if loan is None:
            return self._refuse(problem or f"No open loan names the copy {copy_id}.")
        copy, book = self.copies[copy_id], self._book_of_copy(copy_id)
        fines = self._charge(loan, "lost", book["replacement_cents"])
        loan["status"] = "lost"
        loan["closed_on"] = self._today().isoformat()
        copy["status"] = "lost"
        data = {"loan": dict(loan), "copy": dict(copy), "fine": fines[0] if fines else None}
        return self._done(f"Recorded '{book['title']}' ({copy_id}) as lost.", data)

    # Reservations

    def place_reservation(self, book_id: str, member_id: str, pickup_branch_id: Optional[str] = None) -> Dict[str, Any]:
        """Put a member in the queue for a book, or set a copy aside at once if one is on a shelf.

        A copy on a shelf (at the pickup branch where possible, else moved there) is kept for 7 days;
        otherwise the member waits at the end of the queue. Refused when the member is suspended, has expired,
        owes more than the tier's debt limit, has the tier's number of reservations, has the book on loan or
        already reserved, or when every copy of the book is lost or withdrawn.

        Args:
            book_id: The id of the book (one edition).
            member_id: The id of the member.
            pickup_branch_id: Where the member will pick it up; leave it out for the member's home branch.

        Returns:
            data: the new reservation record; its status is "ready" or "waiting".
        """
        problem = (
            self._unknown("book", book_id, self.books)
            or self._unknown("member", member_id, self.members)
            or (pickup_branch_id and self._unknown("branch", pickup_branch_id, self.branches))
            or self._reservation_problem(self.members[member_id], book_id)
        )
        if problem:
            return self._refuse(problem)
        row: ReservationRecord = {
            "reservation_id": self._next_id("RS", self.reservations),
            "book_id": book_id,
            "member_id": member_id,
            "pickup_branch_id": pickup_branch_id or self.members[member_id]["home_branch_id"],
            "placed_at": self._now(),
            "status": "waiting",
            "copy_id": None,
            "ready_until": None,
        }
        self.reservations[row["reservation_id"]] = row
        copy_id = self._shelf_copy(book_id, row["pickup_branch_id"])
        if copy_id:
            self._release(copy_id)
        return self._done(f"Reservation {row['reservation_id']} is {row['status']}.", dict(row))

    def cancel_reservation(self, reservation_id: str) -> Dict[str, Any]:
        """Cancel a reservation that is waiting or ready.

        A copy that was set aside is passed to the next member in the queue, or back on its shelf.

        Args:
            reservation_id: The reservation's id, such as "RS-0001".

        Returns:
            data: {"reservation": the cancelled record, "set_aside_for": the reservation record that now gets
            the copy, or null}.
        """
        problem = self._unknown("reservation", reservation_id, self.reservations)
        if problem:
            return self._refuse(problem)
        row = self.reservations[reservation_id]
        if row["status"] not in ("waiting", "ready"):
            return self._refuse(f"The reservation {reservation_id} is closed already ({row['status']}).")
        copy_id = row["copy_id"]
        row["status"], row["copy_id"], row["ready_until"] = "cancelled", None, None
        next_row = self._release(copy_id) if copy_id else None
        data = {"reservation": dict(row), "set_aside_for": dict(next_row) if next_row else None}
        return self._done(f"Cancelled the reservation {reservation_id}.", data)

    def expire_holds(self, branch_id: Optional[str] = None) -> Dict[str, Any]:
        """Close the reservations whose set-aside copy was not picked up by its ready_until day.

        Each copy is passed to the next member in the queue for 7 days from today, or goes back on its shelf.
        A copy may still be picked up on its ready_until day, and later until this tool has run.

        Args:
            branch_id: Only reservations to be picked up at this branch; leave it out for all branches.

        Returns:
            data: {"expired": the expired reservation records, "set_aside_for": the reservation records that
            now get a copy}; both are empty when no hold had run out.
        """
        problem = branch_id and self._unknown("branch", branch_id, self.branches)
        if problem:
            return self._refuse(problem)
        today = self._today().isoformat()
        expired = [
            row
            for row in self._in_order(list(self.reservations.values()))
            if row["status"] == "ready"
            and (row["ready_until"] or today) < today
            and (not branch_id or row["pickup_branch_id"] == branch_id)
        ]
        served: List[Any] = []
        for row in expired:
            copy_id = row["copy_id"]
            row["status"], row["copy_id"] = "expired", None
            next_row = self._release(copy_id) if copy_id else None
            if next_row:
                served.append(dict(next_row))
        data = {"expired": [dict(row) for row in expired], "set_aside_for": served}
        return self._done(f"{len(expired)} hold(s) had run out.", data)

    # Money

    def record_payment(self, member_id: str, items: List[PaymentItem], method: PaymentMethod) -> Dict[str, Any]:
        """Record money a member pays towards one or more fines.

        Refused when an item is for another member's fine, names a fine twice, or is more than is owed on it.

        Args:
            member_id: The id of the member who pays.
            items: What is paid on which fine, such as [{"fine_id": "FN-0001", "amount_cents": 250}]; each
                fine once, each amount at least 1 and at most the owed_cents that list_fines shows.
            method: How it is paid: "cash", "card" or "online".

        Returns:
            data: the new payment record with owed_cents, what the member still owes in all.
        """
        problem = (
            self._unknown("member", member_id, self.members)
            or self._not_among("method", method, PaymentMethod)
            or self._items_problem(member_id, items)
        )
        if problem:
            return self._refuse(problem)
        payment: PaymentRecord = {
            "payment_id": self._next_id("PY", self.payments),
            "member_id": member_id,
            "paid_at": self._now(),
            "method": method,
            "amount_cents": sum(item["amount_cents"] for item in items),
            "items": [{"fine_id": item["fine_id"], "amount_cents": item["amount_cents"]} for item in items],
        }
        for item in items:
            self.fines[item["fine_id"]]["paid_cents"] += item["amount_cents"]
        self.payments[payment["payment_id"]] = payment
        data = {**payment, "items": [dict(item) for item in items], "owed_cents": self._owed(member_id)}
        return self._done(f"Took {payment['amount_cents']} cents from {self.members[member_id]['name']}.", data)

    def waive_fine(self, fine_id: str, reason: str, *, amount_cents: Optional[int] = None) -> Dict[str, Any]:
        """Waive all or part of what is still owed on a fine; what has been paid stays paid.

        Args:
            fine_id: The fine's id, such as "FN-0001".
            reason: Why it is waived, at most 200 characters; it replaces the reason of an earlier waiver.
            amount_cents: How much to waive, at least 1 and at most what is owed on the fine; leave it out to
                waive all that is owed.

        Returns:
            data: the changed fine record.
        """
        reason = reason.strip()
        problem = self._unknown("fine", fine_id, self.fines) or self._bad_text("reason", reason, self._MAX_REASON)
        if problem:
            return self._refuse(problem)
        fine = self.fines[fine_id]
        amount = self._open_amount(fine) if amount_cents is None else amount_cents
        problem = self._amount_problem(fine, amount)
        if problem:
            return self._refuse(problem)
        fine["waived_cents"] += amount
        fine["waiver_reason"] = reason
        return self._done(f"Waived {amount} cents of {fine_id}; {self._open_amount(fine)} are still owed.", dict(fine))

    # Copies

    def route_copy(
        self,
        copy_id: str,
        destination: Destination,
        *,
        condition: Optional[CopyCondition] = None,
        branch_id: Optional[str] = None,
    ) -> Dict[str, Any]:
        """Send a copy that is not with a member to the shelf, to repair or out of the stock for good.

        To "shelf" go copies in repair, found lost ones, and copies on a shelf that move to another branch;
        never a damaged one. If members wait for the book, the copy is set aside for the first of them at that
        member's pickup branch. To "repair" go copies on a shelf and found lost ones. "withdrawn" is final,
        and refused for the last usable copy of a book that members wait for. When a lost copy comes back to
        shelf or repair, what is still owed of the replacement price is waived with the reason "copy found";
        nothing is paid back.

        Args:
            copy_id: The id of a copy with the status on_shelf, in_repair or lost.
            destination: "shelf", "repair" or "withdrawn".
            condition: Its condition from now on; leave it out when it has not changed.
            branch_id: The branch it belongs to from now on; leave it out to keep the present one.

        Returns:
            data: {"copy": the changed copy record, "set_aside_for": the reservation record that gets it, or
            null}.
        """
        problem = (
            self._unknown("copy", copy_id, self.copies)
            or self._not_among("destination", destination, Destination)
            or (condition and self._not_among("condition", condition, CopyCondition))
            or (branch_id and self._unknown("branch", branch_id, self.branches))
            or self._route_problem(self.copies[copy_id], destination, condition, branch_id)
        )
        if problem:
            return self._refuse(problem)
        copy = self.copies[copy_id]
        if copy["status"] == "lost" and destination != "withdrawn":
            self._waive_replacement(copy_id)
        copy["condition"] = condition or copy["condition"]
        copy["branch_id"] = branch_id or copy["branch_id"]
        next_row = None
        if destination == "shelf":
            next_row = self._release(copy_id)
        else:
            copy["status"] = "in_repair" if destination == "repair" else "withdrawn"
        data = {"copy": dict(copy), "set_aside_for": dict(next_row) if next_row else None}
        return self._done(f"The copy {copy_id} is now {copy['status']}.", data)

    # Answers

    @staticmethod
    def _refuse(error: str) -> Dict[str, Any]:
        """Answer a call that changes and shows nothing."""
        return {"success": False, "error": error}

    @staticmethod
    def _done(message: str, data: Any) -> Dict[str, Any]:
        """Answer a call that changed the state."""
        return {"success": True, "message": message, "data": data}

    @classmethod
    def _show(cls, value: object) -> str:
        """Quote a value for an error message, cut to a sane length."""
        if isinstance(value, int) and abs(value) >= cls._SHOWN_NUMBER:
            return "far too large" if value > 0 else "far too small"
        if isinstance(value, str) and len(value) > cls._SHOWN_TEXT:
            return f"{value[: cls._SHOWN_TEXT]!r}..."
        return repr(value)

    # Clock and ids

    @staticmethod
    def _today() -> date:
        """Return the current day."""
        return datetime.now().date()

    @staticmethod
    def _now() -> str:
        """Return the current time to the second."""
        return datetime.now().isoformat(timespec="seconds")

    @staticmethod
    def _years_after(day: date, years: int) -> date:
        """Return the same day some years on; 29 February becomes 28 February."""
        year = day.year + years
        if f"{day:%m-%d}" == "02-29":
            return date(year, 2, 28)
        return day.replace(year=year)

    @staticmethod
    def _number(key: str) -> int:
        """Return the number at the end of an id, 0 if there is none."""
        digits = key.rpartition("-")[2]
        return int(digits) if digits.isascii() and digits.isdigit() else 0

    def _next_id(self, prefix: str, table: Mapping[str, object]) -> str:
        """Return the id after the largest one in a table."""
        longest = max(map(len, table), default=0)  # ids are zero-padded, so the last of the longest is the largest
        last = max([key for key in table if len(key) == longest], default="")
        return f"{prefix}-{self._number(last) + 1:04d}"

    # Matching

    @staticmethod
    def _count(records: Iterable[_OfBook], book_id: str, status: str) -> int:
        """Count the records of a book with a status."""
        return len([1 for record in records if record["book_id"] == book_id and record["status"] == status])

    @staticmethod
    def _texts(**given: Optional[str]) -> Dict[str, str]:
        """Keep the texts that are not blank, folded for matching."""
        return {field: _fold(text.strip()) for field, text in given.items() if text and text.strip()}

    @staticmethod
    def _exact(**given: Optional[str]) -> Dict[str, str]:
        """Keep the values that are not blank."""
        return {field: value for field, value in given.items() if value}

    @staticmethod
    def _matching(records: Iterable[_Record], texts: Mapping[str, str]) -> List[_Record]:
        """Return the records in whose fields the folded texts occur."""
        found = []
        for record in records:
            for field, text in texts.items():
                if text not in _folded(record[field]):  # type: ignore[literal-required]  # fields that hold text
                    break
            else:
                found.append(record)
        return found

    @staticmethod
    def _equals(record: Mapping[str, Any], wanted: Mapping[str, str]) -> bool:
        """Tell whether each field has the wanted value."""
        for field, value in wanted.items():
            if record[field] != value:
                return False
        return True

    # Arguments

    def _unknown(self, kind: str, key: str, table: Mapping[str, object]) -> Optional[str]:
        """Say that no record of a kind has a key, or None if one has."""
        if key in table:
            return None
        return f"There is no {kind} {self._show(key)}; {self._LOOK_UPS[kind]}."

    def _not_among(self, label: str, value: str, allowed: Any) -> Optional[str]:
        """Say that a value is none of a Literal's, or None if it is one."""
        values = get_args(allowed)
        if value in values:
            return None
        return f"The {label} is {self._show(value)}; use one of {', '.join(values)}."

    def _not_a_day(self, label: str, value: str) -> Optional[str]:
        """Say that a text is no day written YYYY-MM-DD, or None if it is one."""
        problem = f"{label} is {self._show(value)}; write a day as YYYY-MM-DD, such as 2025-03-10."
        if not re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", value):
            return problem
        try:
            date.fromisoformat(value)
        except ValueError:
            return problem
        return None

    def _bad_text(self, label: str, text: str, limit: int) -> Optional[str]:
        """Say what is wrong with a text that will be kept, or None."""
        if not text:
            return f"The {label} is blank; give 1 to {limit} characters."
        if len(text) > limit:
            return f"The {label} has {len(text)} characters; give at most {limit}."
        if not text.isprintable():
            return f"The {label} is {self._show(text)}; use printable characters on one line only."
        return None

    def _bad_email(self, email: str) -> Optional[str]:
        """Say what is wrong with an email address for a new member, or None."""
        problem = self._bad_text("email", email, self._MAX_EMAIL)
        if problem:
            return problem
        if not re.fullmatch(r"[^@\s]+@[^@\s]+\.[^@\s]+", email):
            return f"The email is {self._show(email)}; write it as name@example.org."
        for member in self.members.values():
            if member["email"].casefold() == email.casefold():
                owner = f"{member['name']} ({member['member_id']})"
                return f"The email {self._show(email)} belongs to {owner}; give another or use that membership."
        return None

    # What a member has

    @staticmethod
    def _open_amount(fine: FineRecord) -> int:
        """Return what is still owed on a fine, in cents."""
        return fine["amount_cents"] - fine["paid_cents"] - fine["waived_cents"]

    def _owed(self, member_id: str) -> int:
        """Return what a member owes in all, in cents."""
        return sum([self._open_amount(fine) for fine in self.fines.values() if fine["member_id"] == member_id])

    def _open_loans(self, member_id: str) -> List[LoanRecord]:
        """Return a member's open loans (live records)."""
        return [loan for loan in self.loans.values() if loan["member_id"] == member_id and loan["status"] == "open"]

    def _active_reservations(self, member_id: str) -> List[ReservationRecord]:
        """Return a member's waiting and ready reservations (live records)."""
        return [
            row
            for row in self.reservations.values()
            if row["member_id"] == member_id and row["status"] in ("waiting", "ready")
        ]

    def _payments_by_fine(self) -> Dict[str, List[Dict[str, Any]]]:
        """Return what was paid towards each fine, and when and how."""
        paid: Dict[str, List[Dict[str, Any]]] = {}
        for payment in self.payments.values():
            for item in payment["items"]:
                row = {
                    "payment_id": payment["payment_id"],
                    "paid_at": payment["paid_at"],
                    "method": payment["method"],
                    "amount_cents": item["amount_cents"],
                }
                paid.setdefault(item["fine_id"], []).append(row)
        return paid

    # What stops a member

    @staticmethod
    def _suspension_problem(member: MemberRecord) -> Optional[str]:
        """Say that a member is suspended, or None."""
        if member["status"] == "active":
            return None
        reason = member["suspension_reason"]
        return f"{member['name']} is suspended ({reason}); set_member_status lifts a suspension."

    def _expiry_problem(self, member: MemberRecord) -> Optional[str]:
        """Say that a membership has expired, or None."""
        if member["expires_on"] >= self._today().isoformat():
            return None
        return f"The membership of {member['name']} expired on {member['expires_on']}; renew it first."

    def _debt_problem(self, member: MemberRecord) -> Optional[str]:
        """Say that a member owes more than the tier's limit, or None."""
        owed, limit = self._owed(member["member_id"]), self.tiers[member["tier"]]["debt_limit_cents"]
        if owed <= limit:
            return None
        return f"{member['name']} owes {owed} cents, more than the limit of {limit}; fines must be paid first."

    def _overdue_problem(self, member: MemberRecord) -> Optional[str]:
        """Say that a member has an overdue loan, or None."""
        today = self._today().isoformat()
        for loan in self._open_loans(member["member_id"]):
            if loan["due_on"] < today:
                return f"The loan {loan['loan_id']} was due on {loan['due_on']}; the copy must come back first."
        return None

    def _standing_problems(self, member: MemberRecord) -> List[str]:
        """Say everything about a membership that stops borrowing."""
        checks = (self._suspension_problem, self._expiry_problem, self._debt_problem)
        problems = [check(member) for check in checks]
        return [problem for problem in problems if problem]

    def _loan_limit_problem(self, member: MemberRecord, count: int) -> Optional[str]:
        """Say that a member has as many loans as the tier allows, or None."""
        limit = self.tiers[member["tier"]]["max_loans"]
        if count < limit:
            return None
        return f"{member['name']} has {count} of {limit} loans ({member['tier']}); a copy must come back first."

    def _tier_problem(self, member: MemberRecord, tier: str) -> Optional[str]:
        """Say that a member has more than another tier allows, or None."""
        terms, loans = self.tiers[tier], self._open_loans(member["member_id"])
        renewals = max((loan["renewals"] for loan in loans), default=0)
        reservations = len(self._active_reservations(member["member_id"]))
        counts = (
            ("open loans", len(loans), terms["max_loans"]),
            ("renewals of a loan", renewals, terms["max_renewals"]),
            ("reservations", reservations, terms["max_reservations"]),
        )
        for what, count, limit in counts:
            if count > limit:
                return f"{member['name']} has {count} {what}; the tier {tier} allows at most {limit}."
        return None

    def _years_problem(self, member: MemberRecord, years: int) -> Optional[str]:
        """Say that a membership cannot be extended by so many years, or None."""
        if not 1 <= years <= self._MAX_YEARS:
            return f"years is {self._show(years)}; give 1 to {self._MAX_YEARS}."
        latest = self._years_after(self._today(), self._MAX_YEARS_AHEAD)
        if self._extended(member, years) > latest:
            return f"The membership would run beyond {latest}, {self._MAX_YEARS_AHEAD} years from today."
        return None

    def _extended(self, member: MemberRecord, years: int) -> date:
        """Return the expiry of a membership after an extension."""
        return self._years_after(max(date.fromisoformat(member["expires_on"]), self._today()), years)

    # Lending

    def _book_of_copy(self, copy_id: str) -> BookRecord:
        """Return the book of a copy (live record)."""
        return self.books[self.copies[copy_id]["book_id"]]

    def _open_loan(self, copy_id: str) -> Optional[LoanRecord]:
        """Return the open loan of a copy (live record), if there is one."""
        for loan in self.loans.values():
            if loan["copy_id"] == copy_id and loan["status"] == "open":
                return loan
        return None

    def _not_on_loan(self, copy_id: str) -> Optional[str]:
        """Say that a copy is not on loan, or None if it is."""
        status = self.copies[copy_id]["status"]
        if status == "on_loan":
            return None
        return f"The copy {copy_id} is {status}, not on_loan; list_loans with status 'open' shows what is out."

    def _due_date(self, member: MemberRecord) -> date:
        """Return when a loan that starts today is due."""
        due = self._today() + timedelta(days=self.tiers[member["tier"]]["loan_days"])
        return min(due, date.fromisoformat(member["expires_on"]))

    @staticmethod
    def _days_overdue(loan: LoanRecord, today: date) -> int:
        """Return how many days an open loan is late."""
        if loan["status"] != "open":
            return 0
        return max(0, (today - date.fromisoformat(loan["due_on"])).days)

    def _overdue_cents(self, loan: LoanRecord, days: int) -> int:
        """Return the fine for an open loan that comes back some days late."""
        if not days:
            return 0
        rate = self.tiers[self.members[loan["member_id"]]["tier"]]["daily_fine_cents"]
        return min(days * rate, self._book_of_copy(loan["copy_id"])["replacement_cents"])

    def _loan_row(self, loan: LoanRecord, today: date) -> Dict[str, Any]:
        """Return a loan with what a reader wants to see beside it."""
        book, days = self._book_of_copy(loan["copy_id"]), self._days_overdue(loan, today)
        return {
            **loan,
            "book_id": book["book_id"],
            "title": book["title"],
            "member_name": self.members[loan["member_id"]]["name"],
            "days_overdue": days,
            "fine_if_returned_today_cents": self._overdue_cents(loan, days),
        }

    def _borrower_problem(self, member: MemberRecord, copy_id: str) -> Optional[str]:
        """Say why a member may not borrow a copy's book now, or None."""
        problems = self._standing_problems(member)
        if problems:
            return " ".join(problems)
        book = self._book_of_copy(copy_id)
        loans = self._open_loans(member["member_id"])
        for loan in loans:
            if self.copies[loan["copy_id"]]["book_id"] == book["book_id"]:
                return f"{member['name']} has '{book['title']}' on loan already ({loan['loan_id']})."
        return self._loan_limit_problem(member, len(loans))

    def _handover_problem(self, member: MemberRecord, copy_id: str) -> Optional[str]:
        """Say why this very copy may not be handed to a member, or None."""
        copy = self.copies[copy_id]
        held = next(
            (
                row["copy_id"]
                for row in self._active_reservations(member["member_id"])
                if row["book_id"] == copy["book_id"]
            ),
            None,
        )
        if held == copy_id:
            return None
        if held:
            return f"The copy {held} is set aside for {member['name']}; lend that one."
        if copy["status"] == "on_hold":
            return f"The copy {copy_id} is on_hold for another member; place_reservation queues for the book."
        if copy["status"] != "on_shelf":
            return f"The copy {copy_id} is {copy['status']}, not on_shelf; get_book shows the other copies."
        return None

    def _renewal_problem(self, loan: LoanRecord) -> Optional[str]:
        """Say why a loan may not be renewed, or None."""
        loan_id, member = loan["loan_id"], self.members[loan["member_id"]]
        if loan["status"] != "open":
            return f"The loan {loan_id} is {loan['status']}; only an open loan is renewed."
        problems = self._standing_problems(member)
        limit = self.tiers[member["tier"]]["max_renewals"]
        book = self._book_of_copy(loan["copy_id"])
        due = self._due_date(member).isoformat()
        if self._days_overdue(loan, self._today()):
            problems.append(f"The loan {loan_id} was due on {loan['due_on']}; the copy must be returned.")
        elif due <= loan["due_on"]:
            problems.append(f"If renewed today, {loan_id} would be due on {due}, not after {loan['due_on']}.")
        if loan["renewals"] >= limit:
            problems.append(f"The loan {loan_id} has had {loan['renewals']} of {limit} renewals.")
        if self._queue(book["book_id"]):
            problems.append(f"Another member waits for '{book['title']}'; {loan_id} ends on {loan['due_on']}.")
        return " ".join(problems) or None

    def _charge(self, loan: LoanRecord, kind: FineKind, amount_cents: int) -> List[Dict[str, Any]]:
        """Charge a member for a loan; return a copy of the new fine, nothing for an amount of 0."""
        if amount_cents <= 0:
            return []
        fine: FineRecord = {
            "fine_id": self._next_id("FN", self.fines),
            "member_id": loan["member_id"],
            "loan_id": loan["loan_id"],
            "kind": kind,
            "amount_cents": amount_cents,
            "paid_cents": 0,
            "waived_cents": 0,
            "waiver_reason": None,
            "charged_on": self._today().isoformat(),
        }
        self.fines[fine["fine_id"]] = fine
        return [dict(fine)]

    # The queue

    def _in_order(self, rows: List[ReservationRecord]) -> List[ReservationRecord]:
        """Sort reservations by their numbers, which is the order they were placed in."""
        return sorted(rows, key=lambda row: self._number(row["reservation_id"]))

    def _queue(self, book_id: str) -> List[ReservationRecord]:
        """Return the waiting reservations of a book (live records), the next to be served first."""
        rows = self.reservations.values()
        return self._in_order([row for row in rows if row["book_id"] == book_id and row["status"] == "waiting"])

    def _release(self, copy_id: str) -> Optional[ReservationRecord]:
        """Set a free copy aside for the first in the queue (returned), else put it on its shelf."""
        copy = self.copies[copy_id]
        queue = self._queue(copy["book_id"])
        if not queue:
            copy["status"] = "on_shelf"
            return None
        row = queue[0]
        row["status"] = "ready"
        row["copy_id"] = copy_id
        row["ready_until"] = (self._today() + timedelta(days=self._HOLD_DAYS)).isoformat()
        copy["status"] = "on_hold"
        copy["branch_id"] = row["pickup_branch_id"]
        return row

    def _shelf_copy(self, book_id: str, branch_id: str) -> Optional[str]:
        """Return a copy on a shelf, one at the branch where possible."""
        found = [
            (copy["branch_id"] != branch_id, self._number(copy_id), copy_id)
            for copy_id, copy in self.copies.items()
            if copy["book_id"] == book_id and copy["status"] == "on_shelf"
        ]
        return min(found)[2] if found else None

    def _usable_copies(self, book_id: str) -> List[str]:
        """Return the copies of a book that are neither lost nor withdrawn."""
        return [
            copy_id
            for copy_id, copy in self.copies.items()
            if copy["book_id"] == book_id and copy["status"] in self._IN_USE
        ]

    def _reservation_problem(self, member: MemberRecord, book_id: str) -> Optional[str]:
        """Say why a member may not reserve a book, or None."""
        problems = self._standing_problems(member)
        if problems:
            return " ".join(problems)
        title = self.books[book_id]["title"]
        for loan in self._open_loans(member["member_id"]):
            if self.copies[loan["copy_id"]]["book_id"] == book_id:
                return f"{member['name']} has '{title}' on loan already ({loan['loan_id']})."
        rows = self._active_reservations(member["member_id"])
        limit = self.tiers[member["tier"]]["max_reservations"]
        for row in rows:
            if row["book_id"] == book_id:
                return f"{member['name']} has '{title}' reserved already ({row['reservation_id']})."
        if len(rows) >= limit:
            return f"{member['name']} has {len(rows)} of {limit} reservations; one must be cancelled first."
        if not self._usable_copies(book_id):
            return f"Every copy of '{title}' is lost or withdrawn; try another edition with search_books."
        return None

    # Money and stock

    def _amount_problem(self, fine: FineRecord, amount_cents: int) -> Optional[str]:
        """Say why an amount may not be paid or waived on a fine, or None."""
        owed = self._open_amount(fine)
        if owed == 0:
            return f"Nothing is owed on the fine {fine['fine_id']}."
        if not 1 <= amount_cents <= owed:
            return f"amount_cents is {self._show(amount_cents)}; on {fine['fine_id']} give 1 to {owed}."
        return None

    def _items_problem(self, member_id: str, items: List[PaymentItem]) -> Optional[str]:
        """Say what is wrong with the items of a payment, or None."""
        if not items:
            return "Give at least one item; list_fines shows what is owed."
        seen: Dict[str, bool] = {}
        for item in items:
            fine_id = item["fine_id"]
            problem = self._unknown("fine", fine_id, self.fines)
            if problem:
                return problem
            if fine_id in seen:
                return f"The fine {fine_id} is named twice; name each fine once."
            fine = self.fines[fine_id]
            if fine["member_id"] != member_id:
                name = self.members[member_id]["name"]
                return f"The fine {fine_id} is not one of {name}; list_fines names the member's fines."
            problem = self._amount_problem(fine, item["amount_cents"])
            if problem:
                return problem
            seen[fine_id] = True
        return None

    def _route_problem(
        self, copy: CopyRecord, destination: str, condition: Optional[str], branch_id: Optional[str]
    ) -> Optional[str]:
        """Say why a copy may not go to a destination, or None."""
        copy_id, status = copy["copy_id"], copy["status"]
        allowed = self._ROUTES[destination]
        if status not in allowed:
            return f"The copy {copy_id} is {status}; to '{destination}' go only copies {', '.join(allowed)}."
        if destination == "shelf" and (condition or copy["condition"]) == "damaged":
            return f"The copy {copy_id} is damaged; give its condition after the repair or send it to repair."
        same = (condition or copy["condition"], branch_id or copy["branch_id"])
        if destination == "shelf" and status == "on_shelf" and same == (copy["condition"], copy["branch_id"]):
            return f"The copy {copy_id} is on that shelf already; give another branch_id or condition."
        last = self._usable_copies(copy["book_id"]) == [copy_id]
        if destination == "withdrawn" and last and self._queue(copy["book_id"]):
            return f"Members wait for the book {copy['book_id']} and {copy_id} is its last usable copy."
        return None

    def _waive_replacement(self, copy_id: str) -> None:
        """Waive what is still owed of the replacement price of a copy that was found."""
        for fine in self.fines.values():
            owed = self._open_amount(fine)
            if fine["kind"] == "lost" and owed > 0 and self.loans[fine["loan_id"]]["copy_id"] == copy_id:
                fine["waived_cents"] += owed
                fine["waiver_reason"] = "copy found"
