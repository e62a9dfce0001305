"""The back office of a bank: payments, ledger, holds, standing orders and card disputes."""

import re
import unicodedata
from datetime import date, datetime, timedelta
from typing import Any, Dict, List, Literal, Mapping, Optional, Tuple, TypedDict


class Officer(TypedDict):
    """Somebody who works in the back office."""

    officer_id: str  # Id, such as OF-11.
    name: str  # Full name.
    email: str  # Address at the bank.
    desk: Literal["payments", "cards", "compliance", "management"]  # Desk, which decides what the officer may do.
    status: Literal["on_duty", "absent"]  # An absent officer does nothing.
    solo_limit_cents: int  # Largest payment that leaves without a second officer when this one entered it.
    approval_limit_cents: int  # Largest amount that the officer may approve for others.


class Customer(TypedDict):
    """A person or firm that banks here."""

    customer_id: str  # Id, such as CU-1041.
    name: str  # Name of the person or firm.
    email: str  # Address for correspondence.
    town: str  # Town of residence.
    risk: Literal["low", "medium", "high"]  # Risk rating; what a customer of high risk sends out is always screened.
    review_due_on: str  # Day by which the customer's papers must be reviewed, YYYY-MM-DD; overdue after it.


class Account(TypedDict):
    """An account of a customer, or one of the bank's own three."""

    account_id: str  # Id, such as AC-2203.
    customer_id: Optional[str]  # Customer; null for the bank's own accounts.
    number: str  # Account number, as customers know it.
    product: Literal[
        "current", "savings", "business", "clearing", "fee_income", "suspense"
    ]  # Kind of account; clearing, fee_income and suspense are the bank's own.
    status: Literal[
        "active", "frozen", "dormant", "closed"
    ]  # A frozen or dormant account only receives; a closed one does neither.
    opened_on: str  # Day of opening, YYYY-MM-DD.
    opening_cents: int  # Balance brought forward when the present books were opened.
    booked_cents: int  # Booked balance now: opening balance plus all entries.
    overdraft_cents: int  # Agreed overdraft, 0 for none.
    fee_cents: int  # Fee for each outgoing payment, charged when it settles.


class StandingOrder(TypedDict):
    """A customer's mandate to pay the same amount again and again."""

    order_id: str  # Id, such as SO-455.
    from_account_id: str  # Account that pays.
    to_account_id: Optional[str]  # Account here that receives; null where the money leaves the bank.
    counterparty: str  # Who receives the money.
    amount_cents: int  # Amount of each payment.
    interval: Literal["weekly", "monthly", "quarterly"]  # How often.
    next_on: str  # Day from which the next payment is due, YYYY-MM-DD.
    reference_text: str  # What the receiver reads.
    status: Literal["active", "ended"]  # Whether it is still in force.


class Payment(TypedDict):
    """Money on its way between two accounts of the books."""

    payment_id: str  # Id, such as PM-70112.
    kind: Literal[
        "outgoing", "internal", "incoming", "card"
    ]  # outgoing: to clearing; incoming: from clearing; internal: between customers' accounts; card: at a merchant.
    from_account_id: str  # Account that pays.
    to_account_id: str  # Account that receives.
    counterparty: str  # The other side: beneficiary, sender or merchant; of an internal payment the receiving customer.
    amount_cents: int  # Amount.
    reference_text: str  # What the receiver reads.
    status: Literal[
        "draft", "in_screening", "awaiting_approval", "released", "settled", "cancelled", "blocked", "returned"
    ]  # Stage; blocked after a confirmed hit, returned when the money went back.
    screening: Literal[
        "none", "alert", "cleared", "confirmed"
    ]  # alert while compliance has to look at it, then cleared or confirmed.
    recalled: bool  # Whether the beneficiary's bank was asked to give an outgoing payment back.
    entered_by: Optional[str]  # Officer who entered it; null for cards, incoming money and standing orders.
    approved_by: Optional[str]  # Second officer, who approved it; null where none did.
    order_id: Optional[str]  # Standing order that it comes from.
    created_on: str  # Day on which it was entered or came in, YYYY-MM-DD.


class Entry(TypedDict):
    """One line of the ledger."""

    entry_id: str  # Id, such as EN-90017.
    account_id: str  # Account.
    payment_id: str  # Payment that it belongs to.
    purpose: Literal[
        "payment", "fee", "return", "provisional_credit", "credit_reversal", "chargeback"
    ]  # What it was booked for.
    amount_cents: int  # Amount, minus where the account pays.
    booked_on: str  # Day of booking, YYYY-MM-DD.


class Hold(TypedDict):
    """An amount of an account that may not be spent."""

    hold_id: str  # Id, such as HD-310.
    account_id: str  # Account.
    kind: Literal[
        "card_authorisation", "legal", "pledge"
    ]  # Authorisation of a card, order of a court or authority, or pledge for a loan.
    amount_cents: int  # Amount.
    reason: str  # What it is for.
    placed_by: str  # Officer who placed it.
    placed_on: str  # Day on which it was placed, YYYY-MM-DD.
    status: Literal["active", "released"]  # Whether it still counts.


class Dispute(TypedDict):
    """A customer's claim that a card payment was wrong."""

    dispute_id: str  # Id, such as DP-118.
    payment_id: str  # Card payment.
    claimed_cents: int  # Amount claimed back.
    reason: Literal["not_recognised", "not_received", "charged_twice", "wrong_amount"]  # What is wrong with it.
    status: Literal[
        "open", "credited", "upheld", "declined"
    ]  # credited: the customer has the money for the time being; then upheld or declined.
    opened_by: str  # Officer who opened it.
    credited_by: Optional[str]  # Officer who granted the provisional credit; null where none was.
    opened_on: str  # Day on which it was opened, YYYY-MM-DD.


class BankOperations:
    """You work the back office of a bank for its officers and, through them, for its customers. A payment is entered
    as a draft by an officer, submitted, held by screening where there is reason to, approved by another officer
    where it exceeds what the first may release alone, released, and settled: only then are ledger entries booked,
    minus for the account that pays and plus for the one that receives. The bank's own accounts (clearing, fee
    income, suspense) stand on the other side, so that all balances sum to zero. What an account can spend
    (available) is its booked balance plus overdraft, less active holds and less payments that are in screening,
    awaiting approval or released, with their fees. Outgoing payments can be recalled, incoming ones sent back;
    standing orders are run when due; card payments are disputed, credited provisionally from suspense and
    decided. Officers belong to a desk, have limits, and nobody approves what they entered themselves. Amounts are
    in cents, that is hundredths of the currency of the books (125000 is 1,250.00); days are written YYYY-MM-DD.
    """

    _OWN = ("clearing", "fee_income", "suspense")
    _UNDER_WAY = ("in_screening", "awaiting_approval", "released")
    _PAYING_DESKS = ("payments", "management")
    _CARD_DESKS = ("cards", "management")
    _HOLD_DESKS: Mapping[str, Tuple[str, ...]] = {
        "card_authorisation": ("cards", "management"),
        "legal": ("compliance",),
        "pledge": ("management",),
    }
    _STEPS: Mapping[str, Tuple[str, ...]] = {
        "active to frozen": ("compliance", "management"),
        "dormant to frozen": ("compliance", "management"),
        "frozen to active": ("compliance",),
        "dormant to active": ("payments", "management"),
        "active to dormant": ("payments", "management"),
        "active to closed": ("management",),
        "dormant to closed": ("management",),
    }
    _MOST_CENTS = 1_000_000_000_000
    _RECALL_DAYS = 10
    _DISPUTE_DAYS = 120
    _DORMANT_DAYS = 365
    _SHOWN_ENTRIES = 20

    def __init__(self, init_config: Dict[str, Any]) -> None:
        """Start with empty collections.

        Args:
            init_config: Ignored; whoever loads a start state sets the attributes.
        """
        del init_config
        self.officers: Dict[str, Officer] = {}
        self.customers: Dict[str, Customer] = {}
        self.accounts: Dict[str, Account] = {}
        self.standing_orders: Dict[str, StandingOrder] = {}
        self.payments: Dict[str, Payment] = {}
        self.entries: Dict[str, Entry] = {}
        self.holds: Dict[str, Hold] = {}
        self.disputes: Dict[str, Dispute] = {}

    def find_officers(
        self,
        name: Optional[str] = None,
        desk: Optional[Literal["payments", "cards", "compliance", "management"]] = None,
        status: Optional[Literal["on_duty", "absent"]] = None,
        approves_cents: Optional[int] = None,
    ) -> Dict[str, Any]:
        """Find officers of the back office.

        All filters that are given must fit; without any, all officers are listed.

        Args:
            name: Part of the name; case and accents do not count.
            desk: Only officers of this desk.
            status: Only officers of this status.
            approves_cents: Only officers whose approval limit covers this amount.

        Returns:
            data: a list of officer records.
        """
        problem = self._blank(name=name)
        if problem is None and approves_cents is not None:
            problem = self._amount_problem("approves_cents", approves_cents)
        if problem:
            return self._refuse(problem)
        found = [
            dict(officer)
            for officer in self.officers.values()
            if self._holds(officer["name"], name)
            and desk in (None, officer["desk"])
            and status in (None, officer["status"])
            and (approves_cents is None or officer["approval_limit_cents"] >= approves_cents)
        ]
        return {"success": True, "data": found}

    def find_customers(
        self,
        name: Optional[str] = None,
        town: Optional[str] = None,
        risk: Optional[Literal["low", "medium", "high"]] = None,
        review_overdue: bool = False,
    ) -> Dict[str, Any]:
        """Find customers.

        All filters that are given must fit; without any, all customers are listed. Several may have similar names.

        Args:
            name: Part of the name; case and accents do not count.
            town: Part of the town.
            risk: Only customers of this risk rating.
            review_overdue: Only customers whose review was due before today.

        Returns:
            data: a list of customer records, each with accounts, a list of account_id, number, product and
                status.
        """
        problem = self._blank(name=name, town=town)
        if problem:
            return self._refuse(problem)
        found = []
        for customer_id, customer in self.customers.items():
            named = self._holds(customer["name"], name) and self._holds(customer["town"], town)
            fits = named and risk in (None, customer["risk"])
            if fits and (not review_overdue or self._is_overdue(customer_id)):
                accounts = [
                    {field: account[field] for field in ("account_id", "number", "product", "status")}
                    for account in self.accounts.values()
                    if account["customer_id"] == customer_id
                ]
                found.append({**customer, "accounts": accounts})
        return {"success": True, "data": found}

    def find_accounts(
        self,
        customer_id: Optional[str] = None,
        number: Optional[str] = None,
        product: Optional[Literal["current", "savings", "business", "clearing", "fee_income", "suspense"]] = None,
        status: Optional[Literal["active", "frozen", "dormant", "closed"]] = None,
    ) -> Dict[str, Any]:
        """Find accounts, the bank's own among them.

        All filters that are given must fit; without any, all accounts are listed.

        Args:
            customer_id: Only accounts of this customer.
            number: Part of the account number.
            product: Only accounts of this kind.
            status: Only accounts of this status.

        Returns:
            data: a list of account records, each with customer_name and available_cents (null for the bank's
                own).
        """
        problem = self._missing("customer", customer_id) or self._blank(number=number)
        if problem:
            return self._refuse(problem)
        found = [
            self._account_row(account)
            for account in self.accounts.values()
            if customer_id in (None, account["customer_id"])
            and self._holds(account["number"], number)
            and product in (None, account["product"])
            and status in (None, account["status"])
        ]
        return {"success": True, "data": found}

    def get_account(self, account_id: str) -> Dict[str, Any]:
        """Read an account with everything that decides what it can spend.

        Args:
            account_id: Account; find_accounts names the ids.

        Returns:
            data: the account record with customer_name, available_cents, held_cents, reserved_cents (payments
                under way with their fees), holds (active ones), pending (payments in draft, in screening,
                awaiting approval or released from or to the account), standing_orders (active ones from it) and
                entries (the last 20, newest first).
        """
        problem = self._missing("account", account_id)
        if problem:
            return self._refuse(problem)
        payments = [
            dict(payment)
            for payment in self.payments.values()
            if account_id in (payment["from_account_id"], payment["to_account_id"])
            and payment["status"] in ("draft", *self._UNDER_WAY)
        ]
        orders = [
            dict(order)
            for order in self.standing_orders.values()
            if order["from_account_id"] == account_id and order["status"] == "active"
        ]
        entries = [dict(entry) for entry in self.entries.values() if entry["account_id"] == account_id]
        entries.sort(key=lambda entry: (entry["booked_on"], entry["entry_id"]), reverse=True)
        row = self._account_row(self.accounts[account_id])
        account: Dict[str, Any] = {
            **row,
            "held_cents": self._held(account_id),
            "reserved_cents": self._reserved(account_id) if row["customer_id"] else 0,
            "holds": [dict(hold) for hold in self._active_holds(account_id)],
            "pending": payments,
            "standing_orders": orders,
            "entries": entries[: self._SHOWN_ENTRIES],
        }
        return {"success": True, "data": account}

    def find_payments(
        self,
        customer_id: Optional[str] = None,
        counterparty: Optional[str] = None,
        kind: Optional[Literal["outgoing", "internal", "incoming", "card"]] = None,
        status: Optional[
            Literal[
                "draft", "in_screening", "awaiting_approval", "released", "settled", "cancelled", "blocked", "returned"
            ]
        ] = None,
        from_date: Optional[str] = None,
        until_date: Optional[str] = None,
    ) -> Dict[str, Any]:
        """Find payments.

        All filters that are given must fit; without any, all payments are listed.

        Args:
            customer_id: Only payments from or to an account of this customer.
            counterparty: Part of the counterparty's name; case and accents do not count.
            kind: Only payments of this kind.
            status: Only payments of this status.
            from_date: Only payments created on or after this day, YYYY-MM-DD.
            until_date: Only payments created on or before this day, YYYY-MM-DD.

        Returns:
            data: a list of payment records, each with from_name and to_name (customers, or the product of the
                bank's own account), oldest first.
        """
        problem = (
            self._missing("customer", customer_id)
            or self._blank(counterparty=counterparty)
            or self._no_day(from_date=from_date, until_date=until_date)
        )
        if problem:
            return self._refuse(problem)
        found = [
            self._payment_row(payment)
            for payment in self.payments.values()
            if (customer_id is None or customer_id in self._customers_of(payment))
            and self._holds(payment["counterparty"], counterparty)
            and kind in (None, payment["kind"])
            and status in (None, payment["status"])
            and (from_date is None or payment["created_on"] >= from_date)
            and (until_date is None or payment["created_on"] <= until_date)
        ]
        found.sort(key=lambda row: (row["created_on"], row["payment_id"]))
        return {"success": True, "data": found}

    def get_payment(self, payment_id: str) -> Dict[str, Any]:
        """Read a payment with its ledger entries, its dispute and who may approve it.

        Args:
            payment_id: Payment; find_payments names the ids.

        Returns:
            data: the payment record with from_name, to_name, fee_cents, booked_on (null while nothing is booked),
                entries, dispute (record or null) and may_approve (officers who may approve it now, with
                officer_id, name and approval_limit_cents; empty unless it awaits approval).
        """
        problem = self._missing("payment", payment_id)
        if problem:
            return self._refuse(problem)
        payment = self.payments[payment_id]
        approvers: List[Dict[str, Any]] = []
        if payment["status"] == "awaiting_approval":
            approvers = [
                {field: officer[field] for field in ("officer_id", "name", "approval_limit_cents")}
                for officer in self.officers.values()
                if self._approver_problem(payment, officer["officer_id"]) is None
            ]
        dispute = self._dispute_of(payment_id)
        data = {
            **self._payment_row(payment),
            "fee_cents": self._fee(payment),
            "booked_on": self._booked_on(payment_id),
            "entries": [dict(entry) for entry in self.entries.values() if entry["payment_id"] == payment_id],
            "dispute": None if dispute is None else dict(dispute),
            "may_approve": approvers,
        }
        return {"success": True, "data": data}

    def find_standing_orders(
        self,
        customer_id: Optional[str] = None,
        counterparty: Optional[str] = None,
        status: Optional[Literal["active", "ended"]] = None,
        due_by: Optional[str] = None,
    ) -> Dict[str, Any]:
        """Find standing orders.

        All filters that are given must fit; without any, all are listed.

        Args:
            customer_id: Only orders from accounts of this customer.
            counterparty: Part of the receiver's name; case and accents do not count.
            status: Only orders of this status.
            due_by: Only active orders due on or before this day, YYYY-MM-DD.

        Returns:
            data: a list of standing order records, each with customer_name.
        """
        problem = (
            self._missing("customer", customer_id)
            or self._blank(counterparty=counterparty)
            or self._no_day(due_by=due_by)
        )
        if problem:
            return self._refuse(problem)
        found = [
            {**order, "customer_name": self._holder(order["from_account_id"])}
            for order in self.standing_orders.values()
            if (customer_id is None or self._customer_of(order["from_account_id"]) == customer_id)
            and self._holds(order["counterparty"], counterparty)
            and status in (None, order["status"])
            and (due_by is None or (order["status"] == "active" and order["next_on"] <= due_by))
        ]
        return {"success": True, "data": found}

    def find_disputes(
        self,
        customer_id: Optional[str] = None,
        counterparty: Optional[str] = None,
        reason: Optional[Literal["not_recognised", "not_received", "charged_twice", "wrong_amount"]] = None,
        status: Optional[Literal["open", "credited", "upheld", "declined"]] = None,
    ) -> Dict[str, Any]:
        """Find disputes of card payments.

        All filters that are given must fit; without any, all are listed.

        Args:
            customer_id: Only disputes of this customer.
            counterparty: Part of the merchant's name; case and accents do not count.
            reason: Only disputes for this reason.
            status: Only disputes of this status.

        Returns:
            data: a list of dispute records, each with customer_name, counterparty, account_id and amount_cents of
                the payment.
        """
        problem = self._missing("customer", customer_id) or self._blank(counterparty=counterparty)
        if problem:
            return self._refuse(problem)
        found = []
        for dispute in self.disputes.values():
            payment = self.payments[dispute["payment_id"]]
            account_id = payment["from_account_id"]
            if (
                (customer_id is None or self._customer_of(account_id) == customer_id)
                and self._holds(payment["counterparty"], counterparty)
                and reason in (None, dispute["reason"])
                and status in (None, dispute["status"])
            ):
                more = {"customer_name": self._holder(account_id), "counterparty": payment["counterparty"]}
                found.append({**dispute, **more, "account_id": account_id, "amount_cents": payment["amount_cents"]})
        return {"success": True, "data": found}

    def enter_payment(
        self,
        officer_id: str,
        from_account_id: str,
        amount_cents: int,
        counterparty: Optional[str] = None,
        to_account_id: Optional[str] = None,
        reference_text: str = "",
    ) -> Dict[str, Any]:
        """Enter a payment from a customer's account, as a draft.

        Give either counterparty, for money that leaves the bank, or to_account_id, for an account here. Refused
        where the amount with its fee is not available now. A draft reserves nothing and is not screened;
        submit_payment sends it on its way. From savings, money goes only to other accounts of the same customer.

        Args:
            officer_id: Officer who does it, of the payments desk or management; find_officers names the ids.
            from_account_id: Customer's account that pays; it must be active.
            amount_cents: Amount, positive.
            counterparty: Name of the beneficiary at another bank.
            to_account_id: Customer's account here that receives; it must not be closed.
            reference_text: What the receiver reads.

        Returns:
            message: names the new payment.
        """
        problem = (
            self._officer_problem(officer_id, self._PAYING_DESKS, "enters payments")
            or self._amount_problem("amount_cents", amount_cents)
            or self._route_problem(from_account_id, counterparty, to_account_id)
            or self._first_cover_problem(from_account_id, to_account_id, amount_cents)
        )
        if problem:
            return self._refuse(problem)
        receiver = self._receiver(counterparty, to_account_id)
        payment_id = self._make_payment(from_account_id, to_account_id, receiver, amount_cents, reference_text)
        self.payments[payment_id]["entered_by"] = officer_id
        message = f"Payment {payment_id} of {amount_cents} cents to {receiver} is a draft. submit_payment sends it off."
        return {"success": True, "message": message}

    def submit_payment(self, payment_id: str) -> Dict[str, Any]:
        """Submit a draft: check the cover, screen it, and send it to approval or release it.

        Refused where the amount with the fee is not available. It is held in screening where there is reason to,
        awaits approval where it exceeds the solo limit of the officer who entered it, and is released otherwise.

        Args:
            payment_id: Draft; find_payments names the ids.

        Returns:
            message: says what became of the payment, and why.
        """
        problem = self._missing("payment", payment_id)
        if problem:
            return self._refuse(problem)
        payment = self.payments[payment_id]
        if payment["status"] != "draft":
            return self._refuse(f"Payment {payment_id} is {payment['status']}; only a draft is submitted.")
        problem = self._way_problem(payment["from_account_id"], payment["to_account_id"])
        problem = problem or self._cover_problem(
            payment["from_account_id"], payment["amount_cents"] + self._fee(payment)
        )
        if problem:
            return self._refuse(problem)
        cause = self._screening_cause(payment)
        if cause:
            payment.update({"status": "in_screening", "screening": "alert"})
            return {
                "success": True,
                "message": f"Payment {payment_id} is in screening: {cause}. decide_alert decides it.",
            }
        return {"success": True, "message": self._send_on(payment)}

    def decide_alert(
        self, payment_id: str, officer_id: str, finding: Literal["cleared", "confirmed"]
    ) -> Dict[str, Any]:
        """Decide the screening alert of a payment.

        A cleared payment goes on to approval or release. A confirmed hit blocks it for good, and freezes the
        account that it was to leave.

        Args:
            payment_id: Payment in screening; find_payments names the ids.
            officer_id: Officer who does it, of compliance; find_officers names the ids.
            finding: What compliance found.

        Returns:
            message: says what became of the payment, and of the account.
        """
        problem = self._missing("payment", payment_id) or self._officer_problem(
            officer_id, ("compliance",), "decides alerts"
        )
        if problem:
            return self._refuse(problem)
        payment = self.payments[payment_id]
        if payment["status"] != "in_screening":
            return self._refuse(f"Payment {payment_id} is {payment['status']}; it has no open alert to decide.")
        payment["screening"] = finding
        if finding == "cleared":
            problem = self._sending_problem(payment["from_account_id"])
            warning = f" For now: {problem}" if problem else ""
            return {"success": True, "message": f"The alert is cleared. {self._send_on(payment)}{warning}"}
        payment["status"] = "blocked"
        account = self.accounts[payment["from_account_id"]]
        account["status"] = "frozen"
        own = f"account {account['account_id']} of {self._holder(account['account_id'])}"
        message = f"Payment {payment_id} is blocked, and {own} is frozen."
        return {"success": True, "message": message}

    def decide_payment(
        self, payment_id: str, officer_id: str, decision: Literal["approve", "reject"]
    ) -> Dict[str, Any]:
        """Approve a payment that awaits approval, or reject it.

        The officer who entered it may withdraw it by rejecting it, but never approve it. A payment that is released
        cannot be stopped any more.

        Args:
            payment_id: Payment that awaits approval; find_payments names the ids.
            officer_id: Officer who does it, of the payments desk or management; get_payment names who may
                approve.
            decision: Decision.

        Returns:
            message: says whether the payment is released or cancelled.
        """
        problem = self._missing("payment", payment_id)
        problem = problem or self._officer_problem(officer_id, self._PAYING_DESKS, "decides payments")
        if problem:
            return self._refuse(problem)
        payment = self.payments[payment_id]
        if payment["status"] != "awaiting_approval":
            return self._refuse(f"Payment {payment_id} is {payment['status']}; it does not await approval.")
        if decision == "reject":
            payment["status"] = "cancelled"
            message = f"Payment {payment_id} is rejected and cancelled; nothing is reserved for it any more."
            return {"success": True, "message": message}
        problem = self._approver_problem(payment, officer_id)
        problem = problem or self._way_problem(payment["from_account_id"], payment["to_account_id"])
        if problem:
            return self._refuse(problem)
        payment.update({"status": "released", "approved_by": officer_id})
        return {"success": True, "message": f"Payment {payment_id} is approved and released. settle_payment books it."}

    def settle_payment(self, payment_id: str) -> Dict[str, Any]:
        """Settle a released payment: book its ledger entries and its fee.

        Incoming payments are released when they come in, and settled onto the customer's account.

        Args:
            payment_id: Released payment; find_payments names the ids.

        Returns:
            message: says what was booked on which accounts, with the fee.
        """
        problem = self._missing("payment", payment_id)
        if problem:
            return self._refuse(problem)
        payment = self.payments[payment_id]
        if payment["status"] != "released":
            return self._refuse(f"Payment {payment_id} is {payment['status']}; only a released payment is settled.")
        problem = self._way_problem(payment["from_account_id"], payment["to_account_id"])
        if problem and payment["kind"] == "incoming":
            problem += " return_payment sends the money back."
        if problem:
            return self._refuse(problem)
        payer, receiver = payment["from_account_id"], payment["to_account_id"]
        amount, fee = payment["amount_cents"], self._fee(payment)
        self._book(payment_id, "payment", payer, receiver, amount)
        if fee:
            self._book(payment_id, "fee", payer, self._own("fee_income"), fee)
        payment["status"] = "settled"
        message = (
            f"Payment {payment_id} is settled: {amount} cents from {payer} to {receiver}, with a fee of {fee} cents."
        )
        return {"success": True, "message": message}

    def request_recall(self, payment_id: str) -> Dict[str, Any]:
        """Ask the beneficiary's bank to give an outgoing payment back.

        This moves no money: return_payment books it once it is back. Refused from the eleventh day after booking
        on.

        Args:
            payment_id: Settled outgoing payment; find_payments names the ids.

        Returns:
            message: says until when it could have been recalled.
        """
        problem = self._missing("payment", payment_id)
        if problem:
            return self._refuse(problem)
        payment = self.payments[payment_id]
        if payment["kind"] != "outgoing" or payment["status"] != "settled":
            return self._refuse(
                f"Payment {payment_id} is {payment['kind']} and {payment['status']}; "
                "only settled outgoing payments are recalled."
            )
        if payment["recalled"]:
            return self._refuse(
                f"Payment {payment_id} was recalled already. return_payment books the money when it is back."
            )
        problem, last = self._deadline(payment_id, self._RECALL_DAYS)
        if problem:
            return self._refuse(problem)
        payment["recalled"] = True
        return {"success": True, "message": f"Payment {payment_id} is recalled; it could have been until {last}."}

    def return_payment(self, payment_id: str) -> Dict[str, Any]:
        """Book the return of a payment.

        An outgoing payment comes back to the customer after its recall; its fee is not given back. An incoming
        payment goes back to the sender, straight away where it was not settled yet, else from what the account has
        available.

        Args:
            payment_id: Recalled outgoing payment, or incoming payment that is released or settled; find_payments
                names the ids.

        Returns:
            message: says to whom the money went, and the new booked balance of the customer's account.
        """
        problem = self._missing("payment", payment_id)
        if problem:
            return self._refuse(problem)
        payment = self.payments[payment_id]
        problem = self._return_payment_obstacle(payment)
        if problem:
            return self._refuse(problem)
        payer, receiver, amount = payment["from_account_id"], payment["to_account_id"], payment["amount_cents"]
        if payment["status"] == "settled":
            self._book(payment_id, "return", receiver, payer, amount)
        payment["status"] = "returned"
        own = payer if payment["kind"] == "outgoing" else receiver
        back = self._holder(payer) if payment["kind"] == "outgoing" else payment["counterparty"]
        booked = self.accounts[own]["booked_cents"]
        message = (
            f"Payment {payment_id} is returned: {amount} cents went back to {back}; {own} has {booked} cents booked."
        )
        return {"success": True, "message": message}

    def _return_payment_obstacle(self, payment: Payment) -> Optional[str]:
        payment_id, kind, status = payment["payment_id"], payment["kind"], payment["status"]
        if kind == "outgoing":
            if status != "settled":
                return (
                    f"Payment {payment_id} is outgoing and {status}; only a settled one comes back, after its recall."
                )
            if not payment["recalled"]:
                return (
                    f"Payment {payment_id} was not recalled; request_recall asks the beneficiary's bank for it first."
                )
            return self._receiving_problem(payment["from_account_id"])
        if kind != "incoming" or status not in ("released", "settled"):
            allowed = "recalled outgoing and released or settled incoming payments are returned"
            return f"Payment {payment_id} is {kind} and {status}; {allowed}."
        if status == "released":
            return None
        account_id = payment["to_account_id"]
        return self._sending_problem(account_id) or self._cover_problem(account_id, payment["amount_cents"])

    def place_hold(
        self,
        account_id: str,
        officer_id: str,
        kind: Literal["card_authorisation", "legal", "pledge"],
        amount_cents: int,
        reason: str = "",
    ) -> Dict[str, Any]:
        """Place a hold on an account, within what is available.

        Card authorisations are for current and business accounts; savings have no card.

        Args:
            account_id: Customer's account, not closed; find_accounts names the ids.
            officer_id: Officer who does it: of compliance for legal holds, of management for pledges, of cards or
                management for card authorisations.
            kind: Kind of hold.
            amount_cents: Amount, positive and at most what is available.
            reason: What it is for, such as the file number of a court.

        Returns:
            message: names the new hold, and what is still available.
        """
        problem = (
            self._customers_account_problem(account_id)
            or self._officer_problem(officer_id, self._HOLD_DESKS[kind], f"places {kind} holds")
            or self._amount_problem("amount_cents", amount_cents)
            or self._receiving_problem(account_id)
            or self._cover_problem(account_id, amount_cents)
        )
        if kind == "card_authorisation" and not problem and self.accounts[account_id]["product"] == "savings":
            problem = (
                f"Account {account_id} is a savings account, which has no card; give a current or business account."
            )
        if problem:
            return self._refuse(problem)
        hold_id = self._next_id("HD", self.holds)
        self.holds[hold_id] = {
            "hold_id": hold_id,
            "account_id": account_id,
            "kind": kind,
            "amount_cents": amount_cents,
            "reason": reason.strip(),
            "placed_by": officer_id,
            "placed_on": self._today(),
            "status": "active",
        }
        left = self._available(account_id)
        message = f"Hold {hold_id} of {amount_cents} cents is active on {account_id}; {left} cents are still available."
        return {"success": True, "message": message}

    def release_hold(self, hold_id: str, officer_id: str) -> Dict[str, Any]:
        """Release a hold.

        Args:
            hold_id: Active hold; get_account names the ids.
            officer_id: Officer who does it: of compliance for legal holds, of management for pledges, of cards or
                management for card authorisations.

        Returns:
            message: says what is available on the account now.
        """
        problem = self._missing("hold", hold_id)
        if problem:
            return self._refuse(problem)
        hold = self.holds[hold_id]
        if hold["status"] != "active":
            return self._refuse(f"Hold {hold_id} is released already.")
        desks = self._HOLD_DESKS[hold["kind"]]
        problem = self._officer_problem(officer_id, desks, f"releases {hold['kind']} holds")
        if problem:
            return self._refuse(problem)
        hold["status"] = "released"
        account_id = hold["account_id"]
        message = f"Hold {hold_id} is released; {self._available(account_id)} cents are available on {account_id}."
        return {"success": True, "message": message}

    def set_account_status(
        self, account_id: str, officer_id: str, status: Literal["active", "frozen", "dormant", "closed"]
    ) -> Dict[str, Any]:
        """Freeze, unfreeze, reactivate or close an account, or declare it dormant.

        Frozen: by compliance or management. From frozen to active: by compliance alone. From dormant to active: by
        payments or management, and only while the customer's review is not overdue. Dormant: by payments or
        management, an active account without any entry for 365 days that has no active standing order and no
        payment under way. Closed: by management, an active or dormant account with a balance of zero, no active
        hold or standing order, no payment under way from it and no undecided dispute; for good.

        Args:
            account_id: Customer's account; find_accounts names the ids.
            officer_id: Officer who does it; find_officers names the ids.
            status: Status that it is to have.

        Returns:
            message: says from what to what the status went.
        """
        problem = self._customers_account_problem(account_id)
        if problem:
            return self._refuse(problem)
        account = self.accounts[account_id]
        was = account["status"]
        desks = self._STEPS.get(f"{was} to {status}")
        if desks is None:
            steps = ", ".join(step for step in self._STEPS if step.startswith(was)) or f"none from {was}"
            return self._refuse(f"Account {account_id} is {was} and cannot become {status}. Steps: {steps}.")
        problem = self._officer_problem(officer_id, desks, f"takes accounts from {was} to {status}")
        problem = problem or self._set_account_status_obstacle(account, status)
        if problem:
            return self._refuse(problem)
        account["status"] = status
        message = f"Account {account_id} of {self._holder(account_id)} went from {was} to {status}."
        return {"success": True, "message": message}

    def _set_account_status_obstacle(self, account: Account, status: str) -> Optional[str]:
        account_id = account["account_id"]
        if status == "closed":
            return self._set_account_status_unfinished(account)
        customer_id = account["customer_id"] or ""
        if status == "active" and account["status"] == "dormant" and self._is_overdue(customer_id):
            customer = self.customers[customer_id]
            due = f"The review of {customer['name']} was due on {customer['review_due_on']}"
            return f"{due}; a dormant account is reactivated only once it is done."
        if status == "dormant":
            since = (datetime.now().date() - timedelta(days=self._DORMANT_DAYS)).isoformat()
            days = [entry["booked_on"] for entry in self.entries.values() if entry["account_id"] == account_id]
            last = max(days, default=account["opened_on"])
            if last > since:
                return (
                    f"Account {account_id} moved last on {last}; it falls dormant {self._DORMANT_DAYS} days after that."
                )
            alive = self._orders_from(account_id) + [payment["payment_id"] for payment in self._under_way(account_id)]
            if alive:
                return f"Account {account_id} is not dormant while it is to pay {', '.join(alive)}."
        return None

    def _set_account_status_unfinished(self, account: Account) -> Optional[str]:
        account_id = account["account_id"]
        left = [f"hold {hold['hold_id']}" for hold in self._active_holds(account_id)]
        left += [
            f"standing order {order['order_id']}"
            for order in self.standing_orders.values()
            if order["status"] == "active" and account_id in (order["from_account_id"], order["to_account_id"])
        ]
        left += [f"payment {payment['payment_id']}" for payment in self._under_way(account_id)]
        left += [
            f"dispute {dispute['dispute_id']}"
            for dispute in self.disputes.values()
            if dispute["status"] in ("open", "credited")
            and self.payments[dispute["payment_id"]]["from_account_id"] == account_id
        ]
        if account["booked_cents"] != 0:
            left.insert(0, f"a balance of {account['booked_cents']} cents")
        return f"Account {account_id} cannot be closed; there is still {', '.join(left)}." if left else None

    def create_standing_order(
        self,
        from_account_id: str,
        amount_cents: int,
        interval: Literal["weekly", "monthly", "quarterly"],
        first_on: str,
        counterparty: Optional[str] = None,
        to_account_id: Optional[str] = None,
        reference_text: str = "",
    ) -> Dict[str, Any]:
        """Set up a standing order from a customer's account.

        Give either counterparty, for money that leaves the bank, or to_account_id, for an account here. Refused
        where the amount with its fee is not available now. Nothing is paid yet; run_standing_order pays when it is
        due.

        Args:
            from_account_id: Customer's account that pays; it must be active.
            amount_cents: Amount of each payment, positive.
            interval: How often.
            first_on: Day of the first payment, today or later, YYYY-MM-DD.
            counterparty: Name of the beneficiary at another bank.
            to_account_id: Customer's account here that receives; it must not be closed.
            reference_text: What the receiver reads.

        Returns:
            message: names the new standing order.
        """
        problem = (
            self._amount_problem("amount_cents", amount_cents)
            or self._no_day(first_on=first_on)
            or self._route_problem(from_account_id, counterparty, to_account_id)
        )
        if problem:
            return self._refuse(problem)
        if first_on < self._today():
            return self._refuse(f"first_on is {first_on}, before today, {self._today()}; give today or a later day.")
        problem = self._first_cover_problem(from_account_id, to_account_id, amount_cents)
        if problem:
            return self._refuse(problem)
        receiver = self._receiver(counterparty, to_account_id)
        for order in self.standing_orders.values():
            way = order["from_account_id"], order["to_account_id"], order["amount_cents"], order["status"]
            same = way == (from_account_id, to_account_id, amount_cents, "active")
            if same and self._fold(order["counterparty"]) == self._fold(receiver):
                pays = f"{order['order_id']} pays {amount_cents} cents {order['interval']} to {receiver}"
                return self._refuse(f"Standing order {pays} already; end_standing_order ends it.")
        order_id = self._next_id("SO", self.standing_orders)
        self.standing_orders[order_id] = {
            "order_id": order_id,
            "from_account_id": from_account_id,
            "to_account_id": to_account_id,
            "counterparty": receiver,
            "amount_cents": amount_cents,
            "interval": interval,
            "next_on": first_on,
            "reference_text": reference_text.strip(),
            "status": "active",
        }
        message = f"Standing order {order_id} pays {amount_cents} cents {interval} to {receiver}, from {first_on} on."
        return {"success": True, "message": message}

    def run_standing_order(self, order_id: str) -> Dict[str, Any]:
        """Pay a standing order that is due.

        Makes the payment, which is released, or held in screening where there is reason to, and sets the order to
        its next day, one interval later; a day that the month lacks becomes its last one, and stays so from then
        on. Where several days have passed, it is run once for each. settle_payment books the payment.

        Args:
            order_id: Active order whose next day is today or before; find_standing_orders names the ids.

        Returns:
            message: names the new payment with its status, and the order's next day.
        """
        problem = self._missing("standing order", order_id)
        if problem:
            return self._refuse(problem)
        order = self.standing_orders[order_id]
        if order["status"] != "active":
            return self._refuse(f"Standing order {order_id} is ended; nothing is paid for it any more.")
        if order["next_on"] > self._today():
            return self._refuse(
                f"Standing order {order_id} is due on {order['next_on']}, not yet today, {self._today()}."
            )
        payer, receiver, amount = order["from_account_id"], order["to_account_id"], order["amount_cents"]
        problem = self._way_problem(payer, receiver or self._own("clearing"))
        problem = problem or self._first_cover_problem(payer, receiver, amount)
        if problem:
            return self._refuse(problem)
        payment_id = self._make_payment(payer, receiver, order["counterparty"], amount, order["reference_text"])
        payment = self.payments[payment_id]
        cause = self._screening_cause(payment)
        payment.update({"order_id": order_id, "status": "released"})
        if cause:
            payment.update({"status": "in_screening", "screening": "alert"})
        order["next_on"] = self._run_standing_order_next(order["next_on"], order["interval"])
        became = f"in screening: {cause}. decide_alert decides it" if cause else "released. settle_payment books it"
        paid = f"Payment {payment_id} of {amount} cents to {order['counterparty']} is {became}"
        message = f"{paid}. Next is {order['next_on']}."
        return {"success": True, "message": message}

    def _run_standing_order_next(self, day: str, interval: str) -> str:
        last = date.fromisoformat(day)
        if interval == "weekly":
            return (last + timedelta(days=7)).isoformat()
        months = last.month - 1 + (1 if interval == "monthly" else 3)
        year, month = last.year + months // 12, months % 12 + 1
        first_of_next = date(year + month // 12, month % 12 + 1, 1)
        days = (first_of_next - timedelta(days=1)).day
        return date(year, month, min(last.day, days)).isoformat()

    def end_standing_order(self, order_id: str) -> Dict[str, Any]:
        """End a standing order for good.

        Args:
            order_id: Active order; find_standing_orders names the ids.

        Returns:
            message: says which order was ended.
        """
        problem = self._missing("standing order", order_id)
        if problem:
            return self._refuse(problem)
        order = self.standing_orders[order_id]
        if order["status"] != "active":
            return self._refuse(f"Standing order {order_id} is ended already.")
        order["status"] = "ended"
        return {"success": True, "message": f"Standing order {order_id} to {order['counterparty']} is ended."}

    def open_dispute(
        self,
        payment_id: str,
        officer_id: str,
        reason: Literal["not_recognised", "not_received", "charged_twice", "wrong_amount"],
        claimed_cents: Optional[int] = None,
    ) -> Dict[str, Any]:
        """Open a dispute of a card payment, up to 120 days after it was booked.

        Args:
            payment_id: Settled card payment without a dispute; find_payments names the ids.
            officer_id: Officer who does it, of cards or management; find_officers names the ids.
            reason: What is wrong with it.
            claimed_cents: Amount claimed back; the whole amount, if left out.

        Returns:
            message: names the new dispute with the amount claimed.
        """
        problem = self._missing("payment", payment_id) or self._officer_problem(
            officer_id, self._CARD_DESKS, "opens disputes"
        )
        if problem:
            return self._refuse(problem)
        payment = self.payments[payment_id]
        claim = payment["amount_cents"] if claimed_cents is None else claimed_cents
        if payment["kind"] != "card" or payment["status"] != "settled":
            return self._refuse(
                f"Payment {payment_id} is {payment['kind']} and {payment['status']}; "
                "only settled card payments are disputed."
            )
        earlier = self._dispute_of(payment_id)
        if earlier is not None:
            return self._refuse(
                f"Payment {payment_id} was disputed already: {earlier['dispute_id']} is {earlier['status']}."
            )
        if not 0 < claim <= payment["amount_cents"]:
            most = payment["amount_cents"]
            return self._refuse(f"claimed_cents is {claim}; a claim is positive and at most the amount, {most}.")
        problem = (
            self._receiving_problem(payment["from_account_id"]) or self._deadline(payment_id, self._DISPUTE_DAYS)[0]
        )
        if problem:
            return self._refuse(problem)
        dispute_id = self._next_id("DP", self.disputes)
        self.disputes[dispute_id] = {
            "dispute_id": dispute_id,
            "payment_id": payment_id,
            "claimed_cents": claim,
            "reason": reason,
            "status": "open",
            "opened_by": officer_id,
            "credited_by": None,
            "opened_on": self._today(),
        }
        return {
            "success": True,
            "message": f"Dispute {dispute_id} is open: {claim} cents of payment {payment_id} are claimed back.",
        }

    def credit_dispute(self, dispute_id: str, officer_id: str) -> Dict[str, Any]:
        """Grant the provisional credit of an open dispute, from suspense to the customer's account.

        By another officer than the one who opened it, whose approval limit covers the claim.

        Args:
            dispute_id: Open dispute; find_disputes names the ids.
            officer_id: Officer who does it, of cards or management; find_officers names the ids.

        Returns:
            message: says what was credited to which account.
        """
        problem = self._missing("dispute", dispute_id)
        problem = problem or self._officer_problem(officer_id, self._CARD_DESKS, "credits disputes")
        if problem:
            return self._refuse(problem)
        dispute = self.disputes[dispute_id]
        claim = dispute["claimed_cents"]
        if dispute["status"] != "open":
            return self._refuse(f"Dispute {dispute_id} is {dispute['status']}; only an open dispute is credited.")
        problem = self._grant_problem(dispute, officer_id)
        if problem:
            return self._refuse(problem)
        account_id = self.payments[dispute["payment_id"]]["from_account_id"]
        self._book(dispute["payment_id"], "provisional_credit", self._own("suspense"), account_id, claim)
        dispute.update({"status": "credited", "credited_by": officer_id})
        return {
            "success": True,
            "message": f"Dispute {dispute_id} is credited: {claim} cents from suspense to {account_id}.",
        }

    def close_dispute(self, dispute_id: str, officer_id: str, outcome: Literal["upheld", "declined"]) -> Dict[str, Any]:
        """Decide a dispute.

        Upheld: the claim is charged back to the merchant through clearing, for suspense where the customer has a
        provisional credit, for the customer where not; the latter by another officer than the one who opened the
        dispute, whose approval limit covers the claim, as for a credit. Declined: a provisional credit is taken
        back, which is refused unless the account has it available.

        Args:
            dispute_id: Open or credited dispute; find_disputes names the ids.
            officer_id: Officer who does it, of cards or management; find_officers names the ids.
            outcome: Decision.

        Returns:
            message: says what was booked on which accounts.
        """
        problem = self._missing("dispute", dispute_id)
        problem = problem or self._officer_problem(officer_id, self._CARD_DESKS, "decides disputes")
        if problem:
            return self._refuse(problem)
        dispute = self.disputes[dispute_id]
        was, claim, payment_id = dispute["status"], dispute["claimed_cents"], dispute["payment_id"]
        if was not in ("open", "credited"):
            return self._refuse(f"Dispute {dispute_id} is {was} already; only an open or credited one is decided.")
        problem = self._grant_problem(dispute, officer_id) if outcome == "upheld" and was == "open" else None
        if problem:
            return self._refuse(problem)
        account_id = self.payments[payment_id]["from_account_id"]
        bearer = account_id if was == "open" else self._own("suspense")
        if outcome == "declined" and was == "credited":
            problem = self._cover_problem(account_id, claim)
            if problem:
                return self._refuse(f"The provisional credit cannot be taken back. {problem}")
            self._book(payment_id, "credit_reversal", account_id, bearer, claim)
            booked = f"{claim} cents went from {account_id} back to suspense"
        elif outcome == "upheld":
            self._book(payment_id, "chargeback", self._own("clearing"), bearer, claim)
            booked = f"{claim} cents went from clearing to {bearer}"
        else:
            booked = "nothing had to be booked"
        dispute["status"] = outcome
        return {"success": True, "message": f"Dispute {dispute_id} is {outcome}; {booked}."}

    def _refuse(self, error: str) -> Dict[str, Any]:
        """Return a refusal."""
        return {"success": False, "error": error}

    def _missing(self, kind: str, key: Optional[str]) -> Optional[str]:
        """Return why a record that is named cannot be used; nothing where none is named."""
        tables: Dict[str, Tuple[Any, str]] = {
            "officer": (self.officers, "find_officers finds the ids."),
            "customer": (self.customers, "find_customers finds the ids."),
            "account": (self.accounts, "find_accounts finds the ids."),
            "payment": (self.payments, "find_payments finds the ids."),
            "hold": (self.holds, "get_account shows the holds of an account."),
            "standing order": (self.standing_orders, "find_standing_orders finds the ids."),
            "dispute": (self.disputes, "find_disputes finds the ids."),
        }
        records, look_up = tables[kind]
        return None if key is None or key in records else f"There is no {kind} {key!r}. {look_up}"

    def _blank(self, **texts: Optional[str]) -> Optional[str]:
        """Return which text to search for is blank."""
        for name, text in texts.items():
            if text is not None and not text.strip():
                return f"{name} is blank ({text!r}); give a part of it, or leave it out."
        return None

    def _fold(self, text: str) -> str:
        """Return a text without case, accents and surrounding blanks."""
        plain = unicodedata.normalize("NFKD", text.strip().casefold())
        return "".join(letter for letter in plain if not unicodedata.combining(letter))

    def _holds(self, text: str, part: Optional[str]) -> bool:
        """Return whether a text holds a part; every text holds none."""
        return part is None or self._fold(part) in self._fold(text)

    def _no_day(self, **days: Optional[str]) -> Optional[str]:
        """Return which text is no day, YYYY-MM-DD."""
        for name, text in days.items():
            if text is not None and not self._is_day(text):
                return f"{name} is {text!r}; give a day that exists, as YYYY-MM-DD."
        return None

    def _is_day(self, text: str) -> bool:
        """Return whether a text is a day of a year with four digits."""
        if not re.fullmatch(r"(?:19|20)[0-9]{2}-[0-9]{2}-[0-9]{2}", text):
            return False
        try:
            date.fromisoformat(text)
        except ValueError:
            return False
        return True

    def _today(self) -> str:
        """Return today, YYYY-MM-DD."""
        return datetime.now().date().isoformat()

    def _next_id(self, prefix: str, records: Any) -> str:
        """Return the id of the next record of a kind."""
        numbers = [int(key[len(prefix) + 1 :]) for key in records if re.fullmatch(prefix + r"-[0-9]+", key)]
        return f"{prefix}-{max(numbers, default=100) + 1}"

    def _amount_problem(self, name: str, cents: int) -> Optional[str]:
        """Return why a number is no amount."""
        if 0 < cents <= self._MOST_CENTS:
            return None
        return f"{name} is {cents}; an amount is positive and at most {self._MOST_CENTS} cents."

    def _officer_problem(self, officer_id: str, desks: Tuple[str, ...], what: str) -> Optional[str]:
        """Return why an officer may not do what only some desks do."""
        problem = self._missing("officer", officer_id)
        if problem:
            return problem
        officer = self.officers[officer_id]
        if officer["desk"] not in desks:
            belongs = f"{officer['name']} is of the desk {officer['desk']}; who {what} is of {' or '.join(desks)}"
            return f"{belongs}. find_officers finds officers by desk."
        if officer["status"] != "on_duty":
            return f"{officer['name']} is absent; find_officers finds who is on duty at {' or '.join(desks)}."
        return None

    def _approver_problem(self, payment: Payment, officer_id: str) -> Optional[str]:
        """Return why an officer cannot approve a payment."""
        problem = self._officer_problem(officer_id, self._PAYING_DESKS, "approves payments")
        if problem:
            return problem
        officer, amount, payment_id = self.officers[officer_id], payment["amount_cents"], payment["payment_id"]
        if payment["entered_by"] == officer_id:
            entered = f"{officer['name']} entered payment {payment_id}"
            return f"{entered}; another officer has to approve it. get_payment names who may."
        if officer["approval_limit_cents"] < amount:
            limit = officer["approval_limit_cents"]
            return f"{officer['name']} may approve up to {limit} cents, not {amount}. get_payment names who may."
        return None

    def _grant_problem(self, dispute: Dispute, officer_id: str) -> Optional[str]:
        """Return why an officer cannot let a customer have the money of an open dispute."""
        officer, claim = self.officers[officer_id], dispute["claimed_cents"]
        if dispute["opened_by"] == officer_id:
            return f"{officer['name']} opened dispute {dispute['dispute_id']}; another officer has to grant the money."
        if officer["approval_limit_cents"] < claim:
            limit = officer["approval_limit_cents"]
            wrong = f"{officer['name']} may approve up to {limit} cents, not the {claim} claimed"
            return f"{wrong}. find_officers finds who may, with approves_cents."
        return None

    def _own(self, product: str) -> str:
        """Return the bank's own account of a kind."""
        return next((key for key, account in self.accounts.items() if account["product"] == product), "")

    def _customer_of(self, account_id: str) -> Optional[str]:
        """Return the customer of an account; None for the bank's own."""
        return self.accounts[account_id]["customer_id"]

    def _customers_of(self, payment: Payment) -> List[Optional[str]]:
        """Return the customers on both sides of a payment."""
        return [self._customer_of(payment["from_account_id"]), self._customer_of(payment["to_account_id"])]

    def _holder(self, account_id: str) -> str:
        """Return whose account it is, by name; of the bank's own what it is."""
        account = self.accounts[account_id]
        customer_id = account["customer_id"]
        return account["product"] if customer_id is None else self.customers[customer_id]["name"]

    def _account_row(self, account: Account) -> Dict[str, Any]:
        """Return an account as searches show it."""
        account_id = account["account_id"]
        available = None if account["customer_id"] is None else self._available(account_id)
        return {**account, "customer_name": self._holder(account_id), "available_cents": available}

    def _payment_row(self, payment: Payment) -> Dict[str, Any]:
        """Return a payment as searches show it."""
        names = {
            "from_name": self._holder(payment["from_account_id"]),
            "to_name": self._holder(payment["to_account_id"]),
        }
        return {**payment, **names}

    def _is_overdue(self, customer_id: str) -> bool:
        """Return whether the review of a customer was due before today."""
        return self.customers[customer_id]["review_due_on"] < self._today()

    def _customers_account_problem(self, account_id: str) -> Optional[str]:
        """Return why an account is not one of a customer."""
        problem = self._missing("account", account_id)
        if problem is None and self.accounts[account_id]["customer_id"] is None:
            return f"Account {account_id} is the bank's own ({self.accounts[account_id]['product']}), not a customer's."
        return problem

    def _sending_problem(self, account_id: str) -> Optional[str]:
        """Return why nothing can be sent from an account; the bank's own always send."""
        account = self.accounts[account_id]
        if account["status"] == "active":
            return None
        stands = f"Account {account_id} of {self._holder(account_id)} is {account['status']}; nothing is sent from it"
        return f"{stands}." if account["status"] == "closed" else f"{stands} until set_account_status makes it active."

    def _receiving_problem(self, account_id: str) -> Optional[str]:
        """Return why an account takes nothing."""
        if self.accounts[account_id]["status"] != "closed":
            return None
        return f"Account {account_id} of {self._holder(account_id)} is closed and takes nothing."

    def _way_problem(self, payer: str, receiver: str) -> Optional[str]:
        """Return why money cannot go from one account to another now."""
        return self._sending_problem(payer) or self._receiving_problem(receiver)

    def _route_problem(self, payer: str, counterparty: Optional[str], receiver: Optional[str]) -> Optional[str]:
        """Return why a customer's account cannot be told to pay a counterparty elsewhere or an account here."""
        problem = self._customers_account_problem(payer) or self._sending_problem(payer)
        if problem:
            return problem
        if (counterparty is None) == (receiver is None):
            given = f"counterparty is {counterparty!r} and to_account_id is {receiver!r}"
            return (
                f"{given}; give one of them: the first for money that leaves the bank, the second for an account here."
            )
        savings = self.accounts[payer]["product"] == "savings"
        if receiver is None:
            outside = f"Account {payer} is a savings account; it pays only to accounts of the same customer."
            return outside if savings else self._blank(counterparty=counterparty)
        problem = self._customers_account_problem(receiver)
        if problem:
            return problem
        problem = self._receiving_problem(receiver)
        if problem:
            return f"to_account_id is {receiver!r}: {problem} find_accounts finds accounts by customer and status."
        if receiver == payer:
            return f"to_account_id is {receiver}, which is the account that pays; give another one."
        if savings and self._customer_of(payer) != self._customer_of(receiver):
            other = f"{receiver} belongs to another customer, {self._holder(receiver)}"
            return f"Account {payer} is a savings account, and {other}."
        return None

    def _receiver(self, counterparty: Optional[str], to_account_id: Optional[str]) -> str:
        """Return the name of who receives money."""
        return self._holder(to_account_id) if to_account_id is not None else (counterparty or "").strip()

    def _make_payment(
        self, payer: str, receiver: Optional[str], counterparty: str, amount_cents: int, reference_text: str
    ) -> str:
        """Make a draft of today that nobody has entered, and return its id."""
        payment_id = self._next_id("PM", self.payments)
        self.payments[payment_id] = {
            "payment_id": payment_id,
            "kind": "outgoing" if receiver is None else "internal",
            "from_account_id": payer,
            "to_account_id": receiver or self._own("clearing"),
            "counterparty": counterparty,
            "amount_cents": amount_cents,
            "reference_text": reference_text.strip(),
            "status": "draft",
            "screening": "none",
            "recalled": False,
            "entered_by": None,
            "approved_by": None,
            "order_id": None,
            "created_on": self._today(),
        }
        return payment_id

    def _fee(self, payment: Payment) -> int:
        """Return the fee of a payment; only outgoing ones have one."""
        return self.accounts[payment["from_account_id"]]["fee_cents"] if payment["kind"] == "outgoing" else 0

    def _under_way(self, account_id: str) -> List[Payment]:
        """Return the payments under way from an account, which are reserved."""
        own = [payment for payment in self.payments.values() if payment["from_account_id"] == account_id]
        return [payment for payment in own if payment["status"] in self._UNDER_WAY]

    def _reserved(self, account_id: str) -> int:
        """Return what payments under way take, with their fees."""
        return sum(payment["amount_cents"] + self._fee(payment) for payment in self._under_way(account_id))

    def _orders_from(self, account_id: str) -> List[str]:
        """Return the active standing orders from an account."""
        orders = [order for order in self.standing_orders.values() if order["status"] == "active"]
        return [order["order_id"] for order in orders if order["from_account_id"] == account_id]

    def _active_holds(self, account_id: str) -> List[Hold]:
        """Return the active holds of an account."""
        return [hold for hold in self.holds.values() if hold["account_id"] == account_id and hold["status"] == "active"]

    def _held(self, account_id: str) -> int:
        """Return the sum of the active holds of an account."""
        return sum(hold["amount_cents"] for hold in self._active_holds(account_id))

    def _available(self, account_id: str) -> int:
        """Return what an account can spend."""
        account = self.accounts[account_id]
        return (
            account["booked_cents"] + account["overdraft_cents"] - self._held(account_id) - self._reserved(account_id)
        )

    def _cover_problem(self, account_id: str, cents: int) -> Optional[str]:
        """Return why an account cannot spend an amount."""
        available = self._available(account_id)
        if cents <= available:
            return None
        has = f"Account {account_id} of {self._holder(account_id)} has {available} cents available"
        return f"{has}, {cents} are needed. get_account shows why."

    def _first_cover_problem(self, payer: str, receiver: Optional[str], cents: int) -> Optional[str]:
        """Return why an account cannot spend an amount now, with the fee where it leaves the bank."""
        return self._cover_problem(payer, cents + (self.accounts[payer]["fee_cents"] if receiver is None else 0))

    def _screening_cause(self, payment: Payment) -> Optional[str]:
        """Return why an outgoing payment has to be screened."""
        customer_id = self._customer_of(payment["from_account_id"])
        if payment["kind"] != "outgoing" or customer_id is None:
            return None
        if self.customers[customer_id]["risk"] == "high":
            return f"{self.customers[customer_id]['name']} is of high risk"
        if self._is_overdue(customer_id):
            return f"the review of {self.customers[customer_id]['name']} is overdue"
        name = self._fold(payment["counterparty"])
        hits = [other for other in self.payments.values() if other["screening"] == "confirmed"]
        if any(self._fold(other["counterparty"]) == name for other in hits):
            return f"a hit was confirmed for {payment['counterparty']} before"
        return None

    def _send_on(self, payment: Payment) -> str:
        """Send a payment that passed screening to approval or release, and say which."""
        payment_id, entered_by = payment["payment_id"], payment["entered_by"]
        limit = self._MOST_CENTS if entered_by is None else self.officers[entered_by]["solo_limit_cents"]
        if payment["amount_cents"] <= limit:
            payment["status"] = "released"
            return f"Payment {payment_id} is released. settle_payment books it."
        payment["status"] = "awaiting_approval"
        return f"Payment {payment_id} exceeds {limit} cents and awaits approval. get_payment names who may approve it."

    def _booked_on(self, payment_id: str) -> Optional[str]:
        """Return the day on which a payment was booked; None before."""
        own = [entry for entry in self.entries.values() if entry["payment_id"] == payment_id]
        return next((entry["booked_on"] for entry in own if entry["purpose"] == "payment"), None)

    def _deadline(self, payment_id: str, days: int) -> Tuple[Optional[str], str]:
        """Return why it is too late for something that is allowed for some days after booking, and the last day."""
        booked = self._booked_on(payment_id) or self._today()
        last = (date.fromisoformat(booked) + timedelta(days=days)).isoformat()
        if self._today() <= last:
            return None, last
        return f"Payment {payment_id} was booked on {booked}; the last day for this was {last}.", last

    def _book(
        self,
        payment_id: str,
        purpose: Literal["payment", "fee", "return", "provisional_credit", "credit_reversal", "chargeback"],
        payer: str,
        receiver: str,
        cents: int,
    ) -> None:
        """Book an amount from one account to another, and move the balances."""
        for account_id, amount in ((payer, -cents), (receiver, cents)):
            entry_id = self._next_id("EN", self.entries)
            self.entries[entry_id] = {
                "entry_id": entry_id,
                "account_id": account_id,
                "payment_id": payment_id,
                "purpose": purpose,
                "amount_cents": amount,
                "booked_on": self._today(),
            }
            self.accounts[account_id]["booked_cents"] += amount

    def _dispute_of(self, payment_id: str) -> Optional[Dispute]:
        """Return the dispute of a payment, if there is one."""
        return next((dispute for dispute in self.disputes.values() if dispute["payment_id"] == payment_id), None)
