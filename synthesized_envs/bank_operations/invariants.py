"""What always holds in BankOperations, as functions of a state."""

from typing import Any, Dict, List, Tuple


def _records(state: Dict[str, Any], table: str) -> Dict[str, Dict[str, Any]]:
    rows = state.get(table)
    return {key: row for key, row in sorted(rows.items()) if isinstance(row, dict)} if isinstance(rows, dict) else {}


def _record(state: Dict[str, Any], table: str, key: Any) -> Dict[str, Any]:
    return _records(state, table).get(key, {}) if isinstance(key, str) else {}


def _number(value: Any) -> int:
    return value if isinstance(value, int) and not isinstance(value, bool) else 0


def _entries(state: Dict[str, Any]) -> List[Dict[str, Any]]:
    return list(_records(state, "entries").values())


def _lines(state: Dict[str, Any], payment_id: str, purpose: str) -> List[Tuple[str, int]]:
    return sorted(
        (str(entry.get("account_id")), _number(entry.get("amount_cents")))
        for entry in _entries(state)
        if entry.get("payment_id") == payment_id and entry.get("purpose") == purpose
    )


def _under_way(payment: Dict[str, Any]) -> bool:
    return payment.get("status") in ("in_screening", "awaiting_approval", "released")


def _dispute_account(state: Dict[str, Any], dispute: Dict[str, Any]) -> Any:
    return _record(state, "payments", dispute.get("payment_id")).get("from_account_id")


def entries_sum_to_zero(state: Dict[str, Any]) -> List[str]:
    """The entries of a payment sum to zero for each purpose."""
    sums: Dict[Tuple[str, str], int] = {}
    for entry in _entries(state):
        key = (str(entry.get("payment_id")), str(entry.get("purpose")))
        sums[key] = sums.get(key, 0) + _number(entry.get("amount_cents"))
    wrong = [(payment, purpose, total) for (payment, purpose), total in sorted(sums.items()) if total]
    return [f"the entries of {payment} for {purpose} sum to {total}" for payment, purpose, total in wrong]


def balances_add_up(state: Dict[str, Any]) -> List[str]:
    """Each account's booked balance is its opening balance plus its entries; opening balances sum to zero."""
    booked: Dict[str, int] = {}
    for entry in _entries(state):
        account_id = str(entry.get("account_id"))
        booked[account_id] = booked.get(account_id, 0) + _number(entry.get("amount_cents"))
    found, opening = [], 0
    for key, account in _records(state, "accounts").items():
        opening += _number(account.get("opening_cents"))
        wanted = _number(account.get("opening_cents")) + booked.get(key, 0)
        if account.get("booked_cents") != wanted:
            found.append(
                f"{key} has {account.get('booked_cents')} booked, opening balance and entries come to {wanted}"
            )
    return [*found, f"the opening balances sum to {opening}"] if opening else found


def nothing_is_overspent(state: Dict[str, Any]) -> List[str]:
    """No customer's account has less than nothing available."""
    found = []
    for key, account in _records(state, "accounts").items():
        if account.get("customer_id") is None:
            continue
        held = sum(
            _number(hold.get("amount_cents"))
            for hold in _records(state, "holds").values()
            if hold.get("account_id") == key and hold.get("status") == "active"
        )
        reserved = sum(
            _number(payment.get("amount_cents"))
            + _number(account.get("fee_cents")) * (payment.get("kind") == "outgoing")
            for payment in _records(state, "payments").values()
            if payment.get("from_account_id") == key and _under_way(payment)
        )
        available = _number(account.get("booked_cents")) + _number(account.get("overdraft_cents")) - held - reserved
        if available < 0:
            found.append(f"{key} has {available} available: {held} are held and {reserved} reserved")
    return found


def payments_are_booked_as_they_stand(state: Dict[str, Any]) -> List[str]:
    """A payment is booked on both accounts while settled, and booked back once returned, if it was booked."""
    found = []
    for key, payment in _records(state, "payments").items():
        payer, receiver = str(payment.get("from_account_id")), str(payment.get("to_account_id"))
        amount, status = _number(payment.get("amount_cents")), payment.get("status")
        there, back = sorted([(payer, -amount), (receiver, amount)]), sorted([(payer, amount), (receiver, -amount)])
        paid, returned = _lines(state, key, "payment"), _lines(state, key, "return")
        if status == "settled":
            fits = paid == there and not returned
        elif status == "returned" and (paid or payment.get("kind") != "incoming"):
            fits = paid == there and returned == back
        else:
            fits = not paid and not returned
        if not fits:
            what = f"{key} of {amount} from {payer} to {receiver} is {status}"
            found.append(f"{what}; booked: {paid}, booked back: {returned}")
    return found


def large_payments_have_two_officers(state: Dict[str, Any]) -> List[str]:
    """No payment above its maker's solo limit is released without another officer's sufficient approval."""
    found = []
    for key, payment in _records(state, "payments").items():
        entered_by, approved_by = payment.get("entered_by"), payment.get("approved_by")
        amount = _number(payment.get("amount_cents"))
        maker, checker = _record(state, "officers", entered_by), _record(state, "officers", approved_by)
        if payment.get("status") not in ("released", "settled", "returned") or not maker:
            continue
        if amount > _number(maker.get("solo_limit_cents")) and (
            approved_by == entered_by or amount > _number(checker.get("approval_limit_cents"))
        ):
            what = f"{key} of {amount}, entered by {entered_by}, is {payment.get('status')}"
            found.append(f"{what} with approval by {approved_by}")
    return found


def alerts_go_with_status(state: Dict[str, Any]) -> List[str]:
    """A payment is in screening exactly while it has an alert, and blocked exactly after a confirmed hit."""
    found = []
    for key, payment in _records(state, "payments").items():
        status, screening = payment.get("status"), payment.get("screening")
        pairs = ((status == "in_screening", screening == "alert"), (status == "blocked", screening == "confirmed"))
        if any(one != other for one, other in pairs):
            found.append(f"{key} is {status} with screening {screening}")
    return found


def closed_accounts_are_empty(state: Dict[str, Any]) -> List[str]:
    """A closed account has no balance, hold, standing order, payment under way from it or undecided dispute."""
    closed = {key for key, account in _records(state, "accounts").items() if account.get("status") == "closed"}
    found = []
    for key in sorted(closed):
        balance = _record(state, "accounts", key).get("booked_cents")
        if balance != 0:
            found.append(f"{key} is closed with a balance of {balance}")
    for key, hold in _records(state, "holds").items():
        if hold.get("account_id") in closed and hold.get("status") == "active":
            found.append(f"hold {key} is active on the closed account {hold.get('account_id')}")
    for key, order in _records(state, "standing_orders").items():
        if order.get("status") == "active" and closed.intersection(
            [order.get("from_account_id"), order.get("to_account_id")]
        ):
            found.append(f"standing order {key} is active on a closed account")
    for key, payment in _records(state, "payments").items():
        if payment.get("from_account_id") in closed and _under_way(payment):
            payer = payment.get("from_account_id")
            found.append(f"payment {key} is {payment.get('status')} from the closed account {payer}")
    for key, dispute in _records(state, "disputes").items():
        if dispute.get("status") in ("open", "credited") and _dispute_account(state, dispute) in closed:
            found.append(f"dispute {key} is {dispute.get('status')} on a closed account")
    return found


def savings_stay_with_their_customer(state: Dict[str, Any]) -> List[str]:
    """From savings, money goes only to other accounts of the same customer, and there is no overdraft."""
    savings = {key: row for key, row in _records(state, "accounts").items() if row.get("product") == "savings"}
    found = [f"{key} has an overdraft" for key, row in savings.items() if row.get("overdraft_cents")]
    for table in ("payments", "standing_orders"):
        for key, row in _records(state, table).items():
            payer, receiver = row.get("from_account_id"), row.get("to_account_id")
            if payer in savings:
                other = _record(state, "accounts", receiver)
                if receiver == payer or not other or other.get("customer_id") != savings[payer].get("customer_id"):
                    found.append(f"{table} {key} goes from the savings account {payer} to {receiver}")
    return found


def recalls_come_before_returns(state: Dict[str, Any]) -> List[str]:
    """Only settled outgoing payments are recalled, and none of them is returned without a recall."""
    found = []
    for key, payment in _records(state, "payments").items():
        kind, status, recalled = payment.get("kind"), payment.get("status"), payment.get("recalled")
        if recalled and (kind != "outgoing" or status not in ("settled", "returned")):
            found.append(f"{key} is recalled, and {kind} and {status}")
        if status == "returned" and not (kind == "incoming" or (kind == "outgoing" and recalled)):
            found.append(f"{key} is {kind} and returned without a recall")
    return found


def disputes_fit_their_payments(state: Dict[str, Any]) -> List[str]:
    """A card payment has at most one dispute, which claims no more than its amount."""
    found: List[str] = []
    seen: set[str] = set()
    for key, dispute in _records(state, "disputes").items():
        payment_id, claim = dispute.get("payment_id"), _number(dispute.get("claimed_cents"))
        payment = _record(state, "payments", payment_id)
        if str(payment_id) in seen:
            found.append(f"{payment_id} is disputed again by {key}")
        seen.add(str(payment_id))
        if payment.get("kind") != "card" or payment.get("status") != "settled":
            found.append(f"{key} disputes {payment_id}, which is {payment.get('kind')} and {payment.get('status')}")
        elif not 0 < claim <= _number(payment.get("amount_cents")):
            found.append(f"{key} claims {claim} of the {payment.get('amount_cents')} of {payment_id}")
    return found


def claims_are_borne_by_the_right_account(state: Dict[str, Any]) -> List[str]:
    """A credited claim is borne by suspense, an upheld one by clearing; another officer grants credits."""
    disputed = {str(dispute.get("payment_id")) for dispute in _records(state, "disputes").values()}
    purposes = ("provisional_credit", "credit_reversal", "chargeback")
    found = [
        f"{entry.get('entry_id')} is a {entry.get('purpose')} of {entry.get('payment_id')}, which is not disputed"
        for entry in _entries(state)
        if entry.get("purpose") in purposes and str(entry.get("payment_id")) not in disputed
    ]
    for key, dispute in _records(state, "disputes").items():
        status, claim = dispute.get("status"), _number(dispute.get("claimed_cents"))
        payment_id = str(dispute.get("payment_id"))
        sums: Dict[str, int] = {}
        for account_id, amount in [line for purpose in purposes for line in _lines(state, payment_id, purpose)]:
            account = _record(state, "accounts", account_id)
            side = account_id if account.get("customer_id") is not None else str(account.get("product"))
            sums[side] = sums.get(side, 0) + amount
        bearer = {"credited": "suspense", "upheld": "clearing"}.get(str(status))
        wanted = {str(_dispute_account(state, dispute)): claim, bearer: -claim} if bearer else {}
        booked = {side: amount for side, amount in sums.items() if amount}
        if booked != wanted:
            found.append(f"{key} is {status} with {claim} claimed; booked: {booked}")
        credited = bool(_lines(state, payment_id, "provisional_credit"))
        if credited != (dispute.get("credited_by") is not None):
            booked_as = "a" if credited else "no"
            found.append(f"{key} has credited_by {dispute.get('credited_by')} and {booked_as} provisional credit")
        if dispute.get("credited_by") is not None and dispute.get("credited_by") == dispute.get("opened_by"):
            found.append(f"{key} was opened and credited by {dispute.get('opened_by')}")
    return found
