"""The rules of the circulation desk as functions over a state.

Each public function takes a state (the attributes of a PublicLibrary as one dict) and returns the violations
of one rule, an empty list when it holds. They look at the state alone, never at the clock.
"""

from collections import Counter, defaultdict
from typing import Any, Dict, List, Tuple

_REFERENCES: Dict[str, Dict[str, str]] = {
    "members": {"tier": "tiers", "home_branch_id": "branches"},
    "copies": {"book_id": "books", "branch_id": "branches"},
    "loans": {"copy_id": "copies", "member_id": "members"},
    "reservations": {
        "book_id": "books",
        "member_id": "members",
        "pickup_branch_id": "branches",
        "copy_id": "copies",
    },
    "fines": {"member_id": "members", "loan_id": "loans"},
    "payments": {"member_id": "members"},
}
_KEYS = {
    "branches": "branch_id",
    "tiers": "tier",
    "members": "member_id",
    "books": "book_id",
    "copies": "copy_id",
    "loans": "loan_id",
    "reservations": "reservation_id",
    "fines": "fine_id",
    "payments": "payment_id",
}
_ACTIVE = ("waiting", "ready")


def keys_and_references(state: Dict[str, Any]) -> List[str]:
    """Every record is filed under its own id, and every id it names belongs to a record."""
    problems = []
    for table, key_field in _KEYS.items():
        for key, record in _table(state, table).items():
            if record.get(key_field) != key:
                problems.append(f"{table}[{key!r}] has {key_field} {record.get(key_field)!r}.")
            for field, target in _REFERENCES.get(table, {}).items():
                value = record.get(field)
                if value is not None and value not in _table(state, target):
                    problems.append(f"{table}[{key!r}] names {field} {value!r}, which {target} does not have.")
    return problems


def copies_on_loan(state: Dict[str, Any]) -> List[str]:
    """Exactly the copies on loan are named by an open loan, and each by one only."""
    counts = Counter(loan.get("copy_id") for loan in _with_status(state, "loans", "open"))
    return _status_problems(state, "on_loan", counts, "open loans")


def copies_on_hold(state: Dict[str, Any]) -> List[str]:
    """Exactly the copies on hold are named by a ready reservation, for their book, at its pickup branch."""
    ready = _with_status(state, "reservations", "ready")
    problems = _status_problems(state, "on_hold", Counter(row.get("copy_id") for row in ready), "ready reservations")
    for row in ready:
        copy = _table(state, "copies").get(row.get("copy_id"), {})
        kept = (copy.get("book_id"), copy.get("branch_id"))
        asked = (row.get("book_id"), row.get("pickup_branch_id"))
        if kept != asked or not row.get("ready_until"):
            until = row.get("ready_until")
            problems.append(f"{row.get('reservation_id')} asks for {asked} until {until!r} and keeps {kept}.")
    return problems


def queue_in_order(state: Dict[str, Any]) -> List[str]:
    """Reservations for a book are served in the order they were placed."""
    first: Dict[Any, int] = {}
    for row in _with_status(state, "reservations", "waiting"):
        number = _number(row.get("reservation_id"))
        first[row.get("book_id")] = min(number, first.get(row.get("book_id"), number))
    problems = []
    for row in _with_status(state, "reservations", "ready"):
        key, book_id = row.get("reservation_id"), row.get("book_id")
        if book_id in first and first[book_id] < _number(key):
            problems.append(f"{key} is ready, but number {first[book_id]} waits for {book_id} longer.")
    return problems


def no_idle_copies(state: Dict[str, Any]) -> List[str]:
    """While a member waits for a book, no copy of it stands on a shelf."""
    rows = _with_status(state, "reservations", "waiting")
    waiting = {row.get("book_id"): row.get("reservation_id") for row in rows}
    return [
        f"{copy.get('copy_id')} is on a shelf, but {waiting[copy.get('book_id')]} waits for its book."
        for copy in _with_status(state, "copies", "on_shelf")
        if copy.get("book_id") in waiting
    ]


def copies_of_reservations(state: Dict[str, Any]) -> List[str]:
    """Every reservation names a copy exactly when it is ready or fulfilled."""
    return [
        f"{key} is {row.get('status')} and names the copy {row.get('copy_id')!r}."
        for key, row in _table(state, "reservations").items()
        if (row.get("status") in ("ready", "fulfilled")) != (row.get("copy_id") is not None)
    ]


def one_claim_per_book(state: Dict[str, Any]) -> List[str]:
    """No member has more than one open loan or active reservation of the same book."""
    claims: Dict[Tuple[Any, Any], List[Any]] = defaultdict(list)
    for loan in _with_status(state, "loans", "open"):
        book_id = _table(state, "copies").get(loan.get("copy_id"), {}).get("book_id")
        claims[loan.get("member_id"), book_id].append(loan.get("loan_id"))
    for row in _with_status(state, "reservations", *_ACTIVE):
        claims[row.get("member_id"), row.get("book_id")].append(row.get("reservation_id"))
    return [
        f"{member_id} has {len(ids)} claims on {book_id}: {ids}."
        for (member_id, book_id), ids in claims.items()
        if len(ids) > 1
    ]


def loan_limits(state: Dict[str, Any]) -> List[str]:
    """No member has more open loans than the tier allows."""
    return _limit_problems(state, _with_status(state, "loans", "open"), "max_loans", "open loans")


def reservation_limits(state: Dict[str, Any]) -> List[str]:
    """No member has more active reservations than the tier allows."""
    rows = _with_status(state, "reservations", *_ACTIVE)
    return _limit_problems(state, rows, "max_reservations", "active reservations")


def renewal_limits(state: Dict[str, Any]) -> List[str]:
    """No open loan has been renewed more often than the tier allows."""
    problems = []
    for loan in _with_status(state, "loans", "open"):
        limit = _terms(state, loan.get("member_id")).get("max_renewals")
        renewals = loan.get("renewals", 0)
        if renewals < 0 or (limit is not None and renewals > limit):
            problems.append(f"{loan.get('loan_id')} has had {renewals} renewals of {limit}.")
    return problems


def due_dates(state: Dict[str, Any]) -> List[str]:
    """Every open loan is due no earlier than it was lent and no later than the membership expires."""
    problems = []
    for loan in _with_status(state, "loans", "open"):
        expires_on = _table(state, "members").get(loan.get("member_id"), {}).get("expires_on", "9999")
        lent_on, due_on = loan.get("lent_on", ""), loan.get("due_on", "")
        if not lent_on <= due_on <= expires_on:
            problems.append(f"{loan.get('loan_id')}: lent {lent_on}, due {due_on}, membership ends {expires_on}.")
    return problems


def closed_loans(state: Dict[str, Any]) -> List[str]:
    """Every loan has a closing date exactly when it is no longer open."""
    return [
        f"{key} is {loan.get('status')} with closed_on {loan.get('closed_on')!r}."
        for key, loan in _table(state, "loans").items()
        if (loan.get("status") == "open") != (loan.get("closed_on") is None)
    ]


def fines_within_bounds(state: Dict[str, Any]) -> List[str]:
    """Every fine is positive, and what is paid and waived never exceeds it."""
    problems = []
    for key, fine in _table(state, "fines").items():
        amount, paid, waived = (fine.get(field, 0) for field in ("amount_cents", "paid_cents", "waived_cents"))
        if amount <= 0 or paid < 0 or waived < 0 or paid + waived > amount:
            problems.append(f"{key}: {paid} paid and {waived} waived of {amount} cents.")
    return problems


def waivers_have_reasons(state: Dict[str, Any]) -> List[str]:
    """Every fine has a waiver reason exactly when part of it was waived."""
    return [
        f"{key}: {fine.get('waived_cents')} cents waived, reason {fine.get('waiver_reason')!r}."
        for key, fine in _table(state, "fines").items()
        if bool(fine.get("waived_cents")) != bool(fine.get("waiver_reason"))
    ]


def charges_match_loans(state: Dict[str, Any]) -> List[str]:
    """Each loan is charged at most once per kind: to its borrower, once closed, as lost exactly when lost."""
    problems = []
    kinds = Counter((fine.get("loan_id"), fine.get("kind")) for fine in _table(state, "fines").values())
    for key, fine in _table(state, "fines").items():
        loan = _table(state, "loans").get(fine.get("loan_id"), {})
        expected = "lost" if fine.get("kind") == "lost" else "returned"
        times = kinds[fine.get("loan_id"), fine.get("kind")]
        if times > 1 or loan.get("status") != expected or loan.get("member_id") != fine.get("member_id"):
            problems.append(
                f"{key} charges {fine.get('member_id')} ({fine.get('kind')}, {times} times) for a loan of "
                f"{loan.get('member_id')} that is {loan.get('status')}."
            )
    uncharged = [row for row in _with_status(state, "loans", "lost") if not kinds[row.get("loan_id"), "lost"]]
    return problems + [f"{row.get('loan_id')} is lost, but nothing is charged for it." for row in uncharged]


def charges_follow_price(state: Dict[str, Any]) -> List[str]:
    """Lost copies cost the replacement price, damaged ones half of it, late ones no more than it."""
    problems = []
    for key, fine in _table(state, "fines").items():
        copy = _table(state, "copies").get(_table(state, "loans").get(fine.get("loan_id"), {}).get("copy_id"), {})
        price = _table(state, "books").get(copy.get("book_id"), {}).get("replacement_cents", 0)
        kind, amount = fine.get("kind"), fine.get("amount_cents", 0)
        exact = {"lost": price, "damage": price // 2}.get(str(kind), min(amount, price))
        if amount != exact:
            problems.append(f"{key}: {amount} cents ({kind}) for a copy that costs {price}.")
    return problems


def payments_add_up(state: Dict[str, Any]) -> List[str]:
    """Every payment is the sum of its items, each positive and for a different fine of the payer."""
    problems = []
    for key, payment in _table(state, "payments").items():
        items = payment.get("items", [])
        amounts = [item.get("amount_cents", 0) for item in items]
        fine_ids = [item.get("fine_id") for item in items]
        owners = {_table(state, "fines").get(fine_id, {}).get("member_id") for fine_id in fine_ids}
        if sum(amounts) != payment.get("amount_cents") or min(amounts, default=0) <= 0:
            problems.append(f"{key}: items of {amounts} cents in a payment of {payment.get('amount_cents')}.")
        if owners != {payment.get("member_id")} or len(set(fine_ids)) < len(fine_ids):
            problems.append(f"{key} of {payment.get('member_id')} pays the fines {fine_ids}.")
    return problems


def fines_are_paid_by_payments(state: Dict[str, Any]) -> List[str]:
    """Every fine counts as paid exactly what the payment items that name it come to."""
    paid: Counter[Any] = Counter()
    for payment in _table(state, "payments").values():
        for item in payment.get("items", []):
            paid[item.get("fine_id")] += item.get("amount_cents", 0)
    return [
        f"{key} counts {fine.get('paid_cents')} cents as paid, payments come to {paid[key]}."
        for key, fine in _table(state, "fines").items()
        if fine.get("paid_cents") != paid[key]
    ]


def damaged_copies_stay_out(state: Dict[str, Any]) -> List[str]:
    """No damaged copy is on a shelf, on hold or on loan."""
    return [
        f"{copy.get('copy_id')} is damaged and {copy.get('status')}."
        for copy in _with_status(state, "copies", "on_shelf", "on_hold", "on_loan")
        if copy.get("condition") == "damaged"
    ]


def suspensions_have_reasons(state: Dict[str, Any]) -> List[str]:
    """Every member has a suspension reason exactly when suspended."""
    return [
        f"{key} is {member.get('status')} with the reason {member.get('suspension_reason')!r}."
        for key, member in _table(state, "members").items()
        if (member.get("status") == "suspended") != bool(member.get("suspension_reason"))
    ]


def emails_are_unique(state: Dict[str, Any]) -> List[str]:
    """No two members share an email address."""
    owners: Dict[str, List[str]] = defaultdict(list)
    for key, member in _table(state, "members").items():
        owners[member.get("email", "").casefold()].append(key)
    return [f"{email!r} belongs to {keys}." for email, keys in owners.items() if len(keys) > 1]


def _table(state: Dict[str, Any], name: str) -> Dict[Any, Any]:
    """Return a table of the state, empty if it is missing."""
    table: Dict[Any, Any] = state.get(name, {})
    return table


def _with_status(state: Dict[str, Any], name: str, *statuses: str) -> List[Dict[str, Any]]:
    """Return the records of a table that have one of the statuses."""
    return [record for record in _table(state, name).values() if record.get("status") in statuses]


def _number(key: Any) -> int:
    """Return the number at the end of an id, 0 if there is none."""
    digits = str(key).rpartition("-")[2]
    return int(digits) if digits.isascii() and digits.isdigit() else 0


def _terms(state: Dict[str, Any], member_id: Any) -> Dict[str, Any]:
    """Return the tier record of a member, empty if there is none."""
    terms: Dict[str, Any] = _table(state, "tiers").get(_table(state, "members").get(member_id, {}).get("tier"), {})
    return terms


def _status_problems(state: Dict[str, Any], status: str, counts: Dict[Any, int], what: str) -> List[str]:
    """Compare the copies that have a status with the number of records that say so."""
    problems = []
    copies = _table(state, "copies")
    for copy_id in [*copies, *(key for key in counts if key not in copies)]:
        actual, count = copies.get(copy_id, {}).get("status"), counts.get(copy_id, 0)
        if count != (actual == status):
            problems.append(f"{copy_id} is {actual} and has {count} {what}.")
    return problems


def _limit_problems(state: Dict[str, Any], records: List[Dict[str, Any]], field: str, what: str) -> List[str]:
    """Compare the number of records of each member with a limit of the member's tier."""
    problems = []
    for member_id, count in Counter(record.get("member_id") for record in records).items():
        limit = _terms(state, member_id).get(field)
        if limit is not None and count > limit:
            problems.append(f"{member_id} has {count} {what}; the limit is {limit}.")
    return problems
