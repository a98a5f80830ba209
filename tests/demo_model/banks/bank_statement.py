"""Bank statements: a bank lists the movements and balance of an account."""

ALIASES = ["bank_statement", "Bank Statement", "bank statements", "BANK STATEMENT", "account_statement", "Account Statement", "statement of account", "Statement of Account", "Current Account Statement", "checking statement", "Savings Statement", "credit_card_statement", "Credit Card Statement",
           "kontoauszug", "transaction_history", "Transaction History", "account_activity", "Account Activity", "passbook", "monthly_statement", "Monthly Statement", "bank_account_summary", "bank record", "e-statement", "bank transactions list", "extracto bancario"]
DESCRIPTIONS = ["lists the movements on a bank account with balances", "monthly list of debits and credits from a bank", "opening balance, transactions and closing balance of an account", "a bank tells its customer what went in and out of the account", "statement for a current, savings or credit card account",
                "account activity with dates, payees, amounts and running balance", "statements sent by our bank", "shows deposits, withdrawals, fees and interest of a period", "overview of transactions and the balance issued by a bank or card company", "account history from a bank, credit union or savings bank"]

TX = ["SALARY {company}", "ATM withdrawal {city}", "Card purchase {company}", "Direct debit {company} electricity", "Standing order rent {person}", "Transfer from {person}", "Transfer to {person}", "Interest paid", "Account fee", "Cheque 00{num}", "POS {company} {city}", "Cash deposit branch {city}", "Mobile top-up", "Refund {company}", "Insurance premium {company}", "Loan repayment", "Mortgage payment", "NEFT {company} {ref}", "IMPS/{person}/{ref}", "UPI/{person}/groceries", "SEPA credit transfer {company} invoice {ref}", "SEPA direct debit {company}", "Faster payment {person}", "BACS {company}", "CHAPS fee", "Wire transfer fee", "Overdraft interest", "Foreign transaction fee", "Contactless {company}", "Dividend {company}", "Tax refund", "HMRC self assessment", "Child benefit", "State pension", "Council tax {city}", "Water rates", "Gym membership", "Subscription {company}", "Online transfer {ref}", "Paybill M-Pesa {company}", "Stamp duty", "ATM fee", "Returned item unpaid", "Payment received - thank you", "Petrol station {city}", "Supermarket {city}", "Restaurant {city}", "Pharmacy", "Airline ticket", "Hotel {city}", "Card payment {company}", "Payroll {company}", "Bill payment {company}", "EFT {company}", "ACH deposit {company} payroll", "Check #{num}", "Zelle to {person}", "Debit order {company}", "Giro {company}", "Bankgiro {ref}", "Lastschrift {company}", "Gutschrift {person}", "Dauerauftrag Miete", "Virement {person}", "Prelevement {company}", "Nomina {company}", "Bonifico {person}", "Term deposit maturity", "Locker charges", "SMS alert charges", "GST on charges", "Service charge", "Cash withdrawal", "Deposit", "Rent received flat 2", "School fees {ref}", "Purchase order {ref} payment", "Payment invoice {ref}", "Medical insurance claim {ref} paid", "Phone bill {company}", "Broadband {company}", "Charity donation", "Savings transfer", "Investment purchase", "Currency exchange", "Card replacement fee", "Night safe deposit", "Merchant settlement {company}", "Chargeback {ref}", "Supplier payment {company}", "Wages batch", "VAT payment", "Opening deposit", "Parking {city}", "Train tickets", "Bookshop {city}"]
NAMES = ["BANK STATEMENT", "Bank statement", "Bank Statement", "YOUR BANK STATEMENT", "Statement of account", "Account statement", "ACCOUNT STATEMENT", "Your statement", "Current account statement", "Kontoauszug / Statement", "Releve de compte / statement", "STATEMENT", "Savings account statement", "Monthly statement", "Statement of your accounts", "Extracto / account statement", "e-Statement", "Checking account summary", "Business account statement"]
NOTE = ["Please check your statement and report any error within 60 days.", "Interest is calculated daily and credited monthly.", "Your deposits are protected up to the limit of the deposit guarantee scheme.", "Lost or stolen card? Call {phone}, 24 hours.", "Never share your PIN or password with anyone.", "Overdraft limit {money}; interest {num} % EAR.", "This is a computer generated statement and needs no signature.", "From {date} our fees will change; see the enclosed price list.", "Debits are shown with a minus sign.", "Balances in brackets are overdrawn.", "Items marked * are pending.", "Cheques are credited subject to clearing.", "If you find a transaction that you do not recognise, contact us at once.", "Member of the national deposit insurance.", "Switch to paperless statements in the app.", "Your branch: {city}. Your adviser: {person}.", "The next statement will be issued on {date}.", "Objections must be raised in writing within six weeks.", "CR = credit, DR = debit, OD = overdrawn.", "Contents of this statement will be considered correct if no error is reported within 21 days.", "Annual fee free this year.", "AER stands for annual equivalent rate.", "Write to us at {street}, {city}, if you move.", "In case of errors or questions about your electronic transfers telephone us at {phone}.", "Tax certificates are sent in {month}.", "Standing orders may be changed online.", "You have used {num} of your free transactions.", "Reward points earned: {num}.", "This is not a bill; no payment is requested.", "Payslips and invoices are not accepted as proof of this balance."]
ACC = ["Current account", "Checking account", "Savings account", "Business account", "Girokonto", "Premier account", "Student account", "Joint account", "Credit card account", "Salary account", "Call deposit", "Everyday account", "Share draft account", "Instant saver", "Foreign currency account", "Client account", "Community account", "Money market"]
OPENB = ["Opening balance", "Balance brought forward", "Previous balance", "Beginning balance", "Balance b/f", "Starting balance", "Old balance", "B/F", "Balance at start", "Saldo anterior / previous balance", "Balance last statement"]
CLOSEB = ["Closing balance", "Balance carried forward", "New balance", "Ending balance", "Balance c/f", "Balance at end of period", "Available balance", "Final balance", "Current balance", "C/F", "Balance today", "Your balance now"]
CRL = ["Paid in", "Credits", "Deposits", "Money in", "Total credits", "Total deposits", "In", "Haben / credit", "Lodgements"]
DRL = ["Paid out", "Debits", "Withdrawals", "Money out", "Total debits", "Total withdrawals", "Out", "Soll / debit", "Payments"]


def _tx(k, lo, hi):
    return [k.fill(x) for x in k.some(TX, lo, hi)]


def _n(k, lo, hi):
    return [k.fill(x) for x in k.some(NOTE, lo, hi)]


def _acct(k):
    return k.pick(lambda: "Account number: %d" % k.num(10**7, 10**11), lambda: "IBAN: " + k.iban(), lambda: "A/c No. XXXXXX%04d" % k.num(0, 9999), lambda: "Sort code %02d-%02d-%02d  Account %d" % (k.num(10, 99), k.num(10, 99), k.num(10, 99), k.num(10**7, 10**8 - 1)), lambda: "Account ending %04d" % k.num(0, 9999), lambda: "BSB %03d-%03d Account %d" % (k.num(100, 999), k.num(100, 999), k.num(10**7, 10**9)), lambda: "Card no. **** **** **** %04d" % k.num(0, 9999), lambda: "IFSC %s000%d  Customer ID %d" % (k.pick("HBNK", "CITY", "NATL"), k.num(1000, 9999), k.num(10**6, 10**9)))()


def _period(k):
    return k.pick("Statement period: ", "Period: ", "From ", "Statement from ", "For the period ", "Statement dates: ", "Transactions between ") + k.date() + k.pick(" to ", " - ", " and ") + k.date()


def _sum(k):
    return k.lines(k.pick(OPENB) + ": " + k.money(50, 9000), k.opt(0.7, k.pick(CRL) + ": " + k.money(100, 6000)), k.opt(0.7, k.pick(DRL) + ": " + k.money(100, 6000)), k.pick(CLOSEB) + ": " + k.money(50, 9000))


def structured(k):
    s = k.num(0, 3)
    tx = _tx(k, 3, 22)
    d = [k.date() for _ in tx]
    if s == 0:
        h, rows = [k.pick("Date", "Posted", "Booking date"), k.pick("Description", "Details", "Particulars", "Transaction", "Narrative"), k.pick(DRL), k.pick(CRL), "Balance"], [[a, b, "", k.amount(5, 900), k.amount(50, 5000)] if k.maybe(0.3) else [a, b, k.amount(5, 900), "", k.amount(50, 5000)] for a, b in zip(d, tx)]
    elif s == 1:
        h, rows = ["Date", "Details", "Amount"], [[a, b, k.pick("-", "-", "+") + k.amount(3, 2000)] for a, b in zip(d, tx)]
    elif s == 2:
        h, rows = ["Date", "Value date", "Text", "Amount", "Balance"], [[a, k.date(), b, k.amount(3, 2000) + k.pick(" DR", " CR", " D", "-"), k.amount(50, 9000)] for a, b in zip(d, tx)]
    else:
        h, rows = ["Txn Date", "Description", "Ref/Cheque No.", "Debit", "Credit", "Balance"], [[a, b, k.ref(""), k.amount(5, 900), "-", k.amount(50, 9000)] for a, b in zip(d, tx)]
    t = k.table(h, rows)
    return k.lines(k.bank(), k.opt(0.5, k.address(", ")), k.opt(0.45, k.pick(NAMES)), k.opt(0.8, k.pick(k.person(), k.company())), k.opt(0.6, k.address()), k.pick(ACC), _acct(k), _period(k), k.opt(0.4, "Sheet %d" % k.num(1, 90)), k.opt(0.3, "Branch: " + k.city()), k.opt(0.6, _sum(k)), t, k.opt(0.5, k.pick(CLOSEB) + " " + k.money(50, 9000)), *_n(k, 0, 4))


def ocr_dump(k):
    tx = _tx(k, 4, 16)
    return k.lines(k.bank().upper(), k.person().upper(), k.street().upper(), k.opt(0.4, "STATEMENT OF ACCOUNT"), "DATE", *[k.date() for _ in tx], "DETAILS", *[t.upper() for t in tx], k.pick("WITHDRAWN PAID IN BALANCE", "DEBIT CREDIT BALANCE", "AMOUNT"), *[k.amount(5, 3000) + k.pick("", "-", " D", " C", "DR") for _ in tx], "BALANCE FORWARD " + k.amount(20, 4000), k.pick(CLOSEB).upper() + " " + k.money(20, 5000))


def email(k):
    S = ["Your statement is ready", "Your {month} statement", "Statement for account ending {num}", "{bank}: new e-statement", "Your monthly account summary", "Balance and transactions", "Weekly account summary"]
    B = ["your statement for {month} is now available in online banking.", "here is a summary of your account activity for {month}.", "please find attached the statement of your account for the period ending {date}.", "this is your weekly summary of what went in and out.", "your new credit card statement is ready to view."]
    return k.lines(k.opt(0.65, k.lines("From: " + k.bank() + " <" + k.email() + ">", "To: " + k.email(), "Subject: " + k.fill(k.pick(S)))), k.pick("Dear ", "Hello ", "Hi ") + k.pick(k.first(), k.title_person(), "customer") + ",", "", k.fill(k.pick(B)), k.pick(ACC) + ", " + _acct(k), _sum(k), k.opt(0.6, k.pick("Recent transactions:", "Latest movements:", "Last entries:") + "\n" + "\n".join(k.date() + " " + t + " " + k.pick("-", "+", "") + k.money(3, 900) for t in _tx(k, 2, 6))), "", *_n(k, 1, 3), k.pick("Your team at ", "Regards, ", "Kind regards, ") + k.bank())


def credit_card(k):
    tx = [k.fill(x) for x in k.some(["{company} {city}", "Airline ticket", "Hotel {city}", "Restaurant {city}", "Online shop {company}", "Fuel {city}", "Cash advance", "Late payment fee", "Foreign exchange fee", "Payment received - thank you", "Refund {company}", "Subscription {company}", "Supermarket {city}", "Pharmacy {city}", "Annual fee", "Interest charge", "Balance transfer"], 4, 14)]
    return k.lines(k.bank() + k.pick(" Visa", " Mastercard", " Platinum Card", " Rewards Card", " Card Services"), k.opt(0.4, "Credit card statement"), k.person(), k.opt(0.6, k.address(", ")), "Card number **** **** **** %04d" % k.num(0, 9999), "Statement date " + k.date(), "Credit limit " + k.money(500, 9000) + "   Available credit " + k.money(100, 4000), "Previous balance " + k.money(50, 2000), "Payments and credits -" + k.money(50, 2000), "Purchases " + k.money(50, 2000), k.opt(0.6, "Interest " + k.money(0, 50)), "New balance " + k.money(50, 4000), "Minimum payment due " + k.money(5, 100), "Payment due date " + k.date(), "", *[k.date() + "  " + t + "  " + k.amount(3, 600) + k.pick("", "", " CR") for t in tx], "", k.pick("If you make no additional charges and each month pay only the minimum payment, it will take longer to clear the balance.", "Pay the full amount by the due date to avoid interest.", "The direct debit will be taken from your bank account.", "Late payments may affect your credit record.", "APR 24.9 % variable."), *_n(k, 0, 2))


def letter(k):
    A = ["We enclose the statement of your account as at {date}.", "As requested, we set out below the movements on your account between {date} and {date}.", "Further to your visit to our branch in {city}, please find the transactions of your account below.", "We are pleased to send you the yearly summary of your savings account.", "At the request of {company} we confirm the entries on your account as follows."]
    return k.lines(k.bank(), k.pick("Branch ", "Customer Services, ", "Accounts Department, ") + k.city(), "", k.person(), k.address(), "", k.date(), k.opt(0.4, "Statement of account"), "Dear " + k.title_person() + ",", "", k.fill(k.pick(A)), k.pick(ACC) + ", " + _acct(k), "", _sum(k), *[k.date() + "   " + t + "   " + k.amount(5, 2000) + k.pick(" DR", " CR", "") for t in _tx(k, 3, 12)], "", k.para(*_n(k, 1, 5)), "", k.pick("Yours sincerely,", "Yours faithfully,", "With kind regards,"), k.person(), k.pick("Branch manager", "Customer adviser", "Accounts clerk", "Relationship manager"))


def app(k):
    return k.lines(k.pick("My accounts", "Accounts > History", "Recent activity", "Transactions", "Activity", "Mobile banking", "Umsaetze / transactions", "Mini statement"), k.opt(0.6, k.bank()), k.pick(ACC) + k.pick(" ...", " *") + "%04d" % k.num(0, 9999), k.pick("Available: ", "Balance: ", "Available balance ", "Total balance ") + k.money(20, 9000), *["%s  %s  %s%s" % (k.pick("Today", "Yesterday", k.date(), k.date()), t, k.pick("-", "-", "+"), k.money(2, 900)) for t in _tx(k, 3, 14)], k.opt(0.4, "Pending: " + k.fill(k.pick(TX)) + " " + k.money(2, 100)), k.opt(0.4, k.pick("Load more", "Filter: all | in | out", "Download PDF | CSV", "Spent this month " + k.money(100, 3000), "Set a budget")))


def sms(k):
    T = ["{bank}: A/c ..{num} mini statement: {t1} {a1} Dr, {t2} {a2} Cr, {t3} {a3} Dr. Avl bal {money} on {date}.", "Your account {num} on {date}: opened at {money}, in {money}, out {money}, now {money}. {bank}", "Last 3 transactions: {t1} -{a1}; {t2} +{a2}; {t3} -{a3}. Balance {money}. {bank}", "Weekly summary for account ending {num}: money in {money}, money out {money}, closing balance {money}.", "{bank} alert: statement for {month} is ready. Opening balance {money}, closing balance {money}, {num} transactions.", "Account balance {money} as of {date}. Latest entries: {t1} {a1}, {t2} {a2}."]
    t = k.pick(T)
    for i in "123":
        t = t.replace("{t%s}" % i, k.fill(k.pick(TX))).replace("{a%s}" % i, k.amount(3, 900))
    return k.fill(t)


def passbook(k):
    bal = k.num(100, 5000)
    ln = []
    for t in k.some(["Cash", "By cash", "To self", "By transfer", "Interest", "Cheque", "By salary", "To withdrawal", "Deposit", "Charges", "By clearing", "Wages", "Standing order", "By dividend"], 5, 12):
        ln.append("%s   %s   %s   %s" % (k.date(), t, k.amount(5, 500), k.amount(100, 5000)))
    return k.lines(k.bank(), k.pick("Savings passbook", "Pass Book", "Savings book", "Deposit book", "Post office savings"), "Name: " + k.person(), "Book no. " + k.ref(""), "Date   Particulars   " + k.pick("Withdrawn  Deposited  Balance", "Dr  Cr  Balance", "Amount  Balance"), *ln, k.opt(0.5, "Carried forward " + k.amount(bal, bal + 900)), k.opt(0.5, "Initials of officer: " + k.last()[:2].upper()), *_n(k, 0, 2))


def prose(k):
    A = ["On {date} the account of {person} stood at {money}.", "The account opened the month with {money} in credit.", "At the beginning of {month} your balance was {money}."]
    B = ["{money} came in from {company} as salary on {date}.", "A standing order of {money} for the rent went out to {person}.", "You drew {money} in cash in {city}.", "Cheque {num} for {money} was paid on {date}.", "We charged {money} for keeping the account.", "Interest of {money} was added.", "Card payments came to {money}.", "The electricity company collected {money} by direct debit.", "{person} transferred {money} for invoice {ref}.", "A cheque of {money} was returned unpaid.", "You paid {money} to {company}.", "The loan instalment of {money} was debited on {date}.", "A deposit of {money} was made at the {city} branch.", "A refund of {money} from {company} was credited."]
    C = ["This leaves a balance of {money} on {date}.", "The balance carried forward is {money}.", "At the close of the period {money} stood to your credit.", "Your account is now overdrawn by {money}.", "The closing balance is {money}."]
    return k.lines(k.opt(0.7, k.bank()), k.opt(0.3, k.pick(NAMES)), k.opt(0.7, _acct(k)), k.para(k.fill(k.pick(A)), *[k.fill(x) for x in k.some(B, 3, 9)], k.fill(k.pick(C))), k.opt(0.5, k.para(*_n(k, 1, 3))))


def business(k):
    return k.lines(k.bank() + k.pick(" Corporate Banking", " Business Banking", " Commercial", ""), k.opt(0.4, k.pick(NAMES)), k.company(), k.opt(0.6, k.address(", ")), "Account: " + k.iban() + "  Currency: " + k.currency(), "Statement no. %d/%d  Page %d" % (k.num(1, 250), k.num(2016, 2026), k.num(1, 6)), _period(k), k.pick(OPENB) + " " + k.money(1000, 90000), *sum([[k.date() + "  " + k.pick("SEPA CT", "DD", "CHQ", "TRF", "CARD", "FEE", "INT", "SALA", "SWIFT", "LC") + "  " + k.amount(20, 20000) + k.pick(" +", " -", " C", " D"), "   " + k.fill(k.pick("{company} invoice {ref} of {date}", "{person} rent {month}", "customer payment order {ref}", "wages {month}", "tax office {ref} VAT {month}", "{company} purchase order {ref}", "social insurance contribution", "lease machine {ref}", "card terminal takings {date}", "bank charges", "loan {ref} instalment", "{company} // EREF {ref} // SVWZ consignment {num}"))] for _ in range(k.num(4, 16))], []), k.pick(CLOSEB) + " " + k.money(1000, 90000), "Number of entries: debit %d, credit %d" % (k.num(3, 60), k.num(1, 40)), *_n(k, 0, 3))


def multi_account(k):
    sec = []
    for a in k.some(ACC, 2, 3):
        sec += [a, _acct(k), k.pick(OPENB) + " " + k.money(10, 5000), *["  " + k.date() + "  " + t + "  " + k.pick("-", "", "+") + k.amount(3, 900) for t in _tx(k, 2, 10)], k.pick(CLOSEB) + " " + k.money(10, 5000), ""]
    return k.lines(k.bank(), k.opt(0.5, k.pick("Combined statement", "Your accounts at a glance", "Portfolio summary", "Statement of your accounts")), k.title_person(), k.address(), _period(k), "Member number " + k.ref(""), "", *sec, "Total of all accounts " + k.money(100, 20000), "", k.pick("Important information", "Notices", "Please note", "Messages for you"), *["- " + x for x in _n(k, 3, 9)])


def us_checking(k):
    D = k.some(["Direct deposit {company} payroll", "Mobile check deposit", "Interest payment", "ATM deposit", "Transfer from savings", "Tax refund", "Zelle from {person}", "Social security"], 1, 5)
    W = k.some(["Debit card {company} {city}", "ATM withdrawal {city}", "ACH payment {company}", "Mortgage autopay", "Car insurance", "Monthly service fee", "Overdraft fee", "Online transfer to savings", "Zelle to {person}", "Utility autopay", "Gas station {city}", "Grocery {city}"], 3, 11)
    return k.lines(k.bank() + ", N.A.", k.opt(0.5, "Member FDIC"), k.person(), k.address(), k.month_year(), _acct(k), k.pick("Account summary", "Checking summary", "Summary"), "Beginning balance  " + k.amount(100, 5000), "Deposits and additions  " + k.amount(100, 5000), "Withdrawals and subtractions  -" + k.amount(100, 5000), k.opt(0.5, "Fees  -" + k.amount(1, 40)), "Ending balance  " + k.amount(100, 5000), "", k.pick("Deposits and other credits", "Deposits and additions"), *[k.date() + "  " + k.fill(x) + "  " + k.amount(10, 3000) for x in D], "", k.pick("Withdrawals and other debits", "Electronic withdrawals"), *[k.date() + "  " + k.fill(x) + "  -" + k.amount(3, 900) for x in W], k.opt(0.5, "Checks paid\n" + "\n".join("%d  %s  %s" % (k.num(100, 2000), k.date(), k.amount(10, 900)) for _ in range(k.num(1, 5)))), k.opt(0.5, "Average daily balance " + k.amount(100, 4000)), k.opt(0.5, "Daily ending balance " + k.date() + " " + k.amount(100, 4000)), *_n(k, 0, 3))


def savings_year(k):
    return k.lines(k.pick(k.bank(), "Building Society " + k.city(), k.city() + " Credit Union", "Post Savings Bank"), k.opt(0.4, k.pick("Annual statement", "Savings statement", "Statement of interest", "Yearly account summary", "Deposit account statement")), "Account holder: " + k.pick(k.person(), "Trustees of " + k.company()), _acct(k), _period(k), k.pick(OPENB) + " " + k.money(100, 20000), *[k.date() + " " + t + " " + k.money(5, 2000) for t in k.some(["Deposit", "Interest credited", "Withdrawal", "Tax on interest", "Bonus", "Transfer in", "Transfer to current account", "Regular saving", "Maturity proceeds", "Withholding tax", "Member dividend"], 2, 7)], "Interest earned this year " + k.money(1, 500), "Interest rate " + k.percent(0, 7), k.pick(CLOSEB) + " " + k.money(100, 20000), *_n(k, 1, 4))


def loan(k):
    return k.lines(k.bank(), k.opt(0.4, k.pick("Loan account statement", "Mortgage statement", "Statement of loan account")), k.pick("Borrower: ", "Customer: ", "In the name of ") + k.person(), k.pick("Loan no. ", "Mortgage account ", "Loan account ") + k.ref("L"), _period(k), "Balance at start " + k.money(5000, 90000), "Interest rate " + k.percent(1, 14), *[k.date() + "  " + t + "  " + k.amount(10, 900) for t in k.some(["Instalment received", "Interest charged", "Direct debit payment", "Late fee", "Insurance premium", "Overpayment", "EMI debit", "Reversal", "Rate change", "Arrears letter fee", "Penal interest"], 3, 9)], "Outstanding balance " + k.money(4000, 90000), k.opt(0.5, "Remaining term: %d months" % k.num(3, 300)), k.opt(0.4, "Arrears: nil"), *_n(k, 0, 3))


def csv_export(k):
    sep = k.pick(";", ",", "\t", " | ")
    return k.lines(k.pick("Export of transactions", "# account export", "Kontonummer / account", "Transaction report", "Account history"), k.opt(0.6, _acct(k)), k.opt(0.5, _period(k)), sep.join(k.pick(["Date", "Payee", "Memo", "Amount", "Balance"], ["booking", "valuta", "partner", "purpose", "amount"], ["Date", "Type", "Description", "Value", "Balance"])), *[sep.join([k.date(), k.pick("CARD", "DD", "TFR", "ATM", k.date()), t, k.pick("-", "-", "") + k.amount(3, 900), k.amount(10, 5000)]) for t in _tx(k, 4, 15)], k.opt(0.5, "end of list, %d bookings" % k.num(4, 90)))


def club_treasurer(k):
    return k.lines(k.bank(), k.pick("Community account", "Clubs and societies account", "Trust account", "Parish account") + " of " + k.pick("the Rowing Club ", "St. Mary's School ", "the Village Hall ", "the Allotment Society ", "the Farmers' Association ", "Residents' Committee ") + k.city(), k.opt(0.35, "Statement %d" % k.num(1, 200)), _acct(k), _period(k), *[k.date() + "  " + k.fill(x) + "  " + k.amount(3, 900) + k.pick(" in", " out", " CR", " DR") for x in k.some(["Subscriptions", "Hall hire {person}", "Raffle takings", "Insurance {company}", "Cheque {num} caretaker", "Donation {person}", "Grant council {city}", "Bank charge", "Refund {person}", "Bar takings banked", "Printing {company}", "Electricity {company}", "Tournament fees", "Trophies", "Coach hire", "Cash paid in at counter"], 4, 13)], k.pick(OPENB) + " " + k.money(50, 4000), k.pick(CLOSEB) + " " + k.money(50, 4000), *_n(k, 0, 3))


def form(k):
    d = lambda a, b: a + " " + "." * k.num(3, 25) + " " + b
    return k.lines(k.bank(), k.opt(0.4, k.pick(NAMES)), d("Customer", k.person()), d("Account", k.ref("")), d("Type", k.pick(ACC)), d("Currency", k.currency()), d("From", k.date()), d("To", k.date()), d(k.pick(OPENB), k.amount(10, 5000)), *[d(k.date() + " " + t, k.amount(3, 900) + k.pick("", " -", " +")) for t in _tx(k, 3, 12)], d(k.pick(CRL), k.amount(100, 5000)), d(k.pick(DRL), k.amount(100, 5000)), d(k.pick(CLOSEB), k.amount(10, 5000)), k.opt(0.4, "[x] printed at terminal  [ ] sent by post"), *_n(k, 0, 2))


def old(k):
    return k.lines(k.bank() + ", " + k.city() + k.pick(" Branch", " Office", ""), k.pick(k.title_person(), "Messrs. " + k.company()) + k.pick(" in account with the above", " in a/c current with the bank", ""), k.opt(0.4, "Statement"), "To " + k.date(), *[k.date() + "  " + k.pick("To ", "By ") + t + "  " + k.amount(3, 900) for t in k.some(["cheque", "sundries", "cash", "bill discounted", "commission", "interest", "stamps", "dividend", "salary", "self", "coupon", "draft", "country cheque", "standing order", "bank giro credit"], 4, 12)], "Balance " + k.pick("in your favour ", "brought down ", "due to you ", "carried down ") + k.amount(10, 5000), k.pick("Kindly examine this account and advise us of any discrepancy.", "Pencil entries are not yet confirmed.", "The account is to be returned with the confirmation slip signed.", "E. & O. E.", "All entries are subject to verification."))


LEGALB = ["The bank does not assume liability for errors not reported within the period stated.", "Uncleared items may be debited again.", "Fees for the period have been charged according to the price list.", "Deposits up to the legal limit are guaranteed for each depositor.", "The interest rate on overdrafts is variable.", "Foreign currency items are converted at the rate of the day.", "Transfers received after the cut-off time are booked on the next working day.", "Please destroy old cheque books when your account is closed.", "To dispute a card payment write to us within {num} days.", "We may set off credit balances against debts owed to the bank.", "Cash machines abroad may charge an extra fee.", "Your personal data are processed as described in our privacy notice.", "Calls may be recorded.", "If you receive this statement in error, return it to any branch.", "Tax on interest has been withheld where required.", "The balance shown does not include items in transit.", "Inactive accounts may be closed after {num} months.", "Joint holders are liable together.", "Our ombudsman service is free of charge.", "We will tell you two months before any change of the conditions."]


def long_year(k):
    """Several pages: many entries by month plus legal text."""
    out = []
    for _ in range(k.num(2, 4)):
        out += [k.month_year(), *["  %s  %s  %s%s  %s" % (k.date(), t, k.amount(3, 1500), k.pick("", " CR", " DR", "-"), k.amount(20, 9000)) for t in _tx(k, 5, 14)], "  " + k.pick("Sum of the month ", "Balance ", "Sub-balance ", "Carried over ") + k.money(50, 9000), ""]
    return k.lines(k.bank(), k.address(", "), k.opt(0.4, k.pick(NAMES)), k.pick(k.title_person(), k.company()), k.address(), k.pick(ACC), _acct(k), _period(k), "", _sum(k), "", *out, k.pick(CLOSEB) + " " + k.money(50, 9000), "", *[k.fill(x) for x in k.some(LEGALB + NOTE, 4, 14)])


def short_plain(k):
    """Very small extract."""
    return k.lines(k.pick(k.bank(), k.bank() + " ATM", k.bank() + " terminal, " + k.city()), k.opt(0.3, k.pick("Bank statement", "Mini statement", "Account extract", "Balance slip")), _acct(k), k.date() + " " + k.time(), *[k.date() + " " + t + " " + k.amount(3, 900) + k.pick("+", "-", "", " DR", " CR") for t in _tx(k, 2, 6)], k.pick(CLOSEB) + " " + k.money(10, 4000), k.opt(0.3, k.pick("Thank you for banking with us", "Take your card", "Next fee booking " + k.date())))


def certificate_of_entries(k):
    """Letter to a third party or on request, listing entries (visa, audit, landlord)."""
    P = ["for submission to the embassy", "for your auditor", "for your landlord", "as requested by the court", "for your mortgage application", "for your tax return", "because your printed statements were lost", "for the insurance claim {ref}"]
    return k.lines(k.bank(), k.city() + ", " + k.date(), "", k.pick("To whom it may concern", "Dear " + k.title_person() + ",", "Attention: " + k.person()), "", k.fill("We certify that the following entries were booked on account {ref} of {person} between {date} and {date}, " + k.pick(P) + "."), _acct(k), *["%d. %s %s, %s %s" % (i + 1, k.date(), t, k.pick("debit", "credit", "credit", "debit"), k.money(5, 3000)) for i, t in enumerate(_tx(k, 3, 12))], k.pick(OPENB) + " " + k.money(50, 9000) + ", " + k.pick(CLOSEB).lower() + " " + k.money(50, 9000), k.para(*[k.fill(x) for x in k.some(LEGALB, 0, 3)]), k.pick("For the bank", "Branch seal", "Authorised officer", "Yours faithfully,"), k.person())


def wallet(k):
    """Mobile money, online wallet, prepaid, brokerage cash account."""
    return k.lines(k.pick("Mobile money statement", "Wallet activity", "M-Wallet full statement", "Prepaid card history", "Cash account of your broker", "E-money account", "Merchant account summary", "Bank statement (mobile wallet)"), "Customer: " + k.person() + "  Number: " + k.phone(), _period(k), *[k.ref("Q", "TX") + "  " + k.date() + " " + k.time() + "  " + k.fill(x) + "  " + k.amount(1, 400) + "  " + k.amount(5, 900) for x in k.some(["Received from {person}", "Sent to {person}", "Airtime", "Withdrawal agent {num}", "Merchant payment {company}", "Deposit at agent {city}", "Transfer charge", "Paybill {company}", "Salary {company}", "Loan disbursed", "Loan repaid", "Reversal", "Top-up from bank", "Payout to bank", "Sale settlement", "Dividend {company}", "Fee", "Refund {company}"], 4, 16)], k.pick(OPENB) + " " + k.money(1, 900), k.pick(CLOSEB) + " " + k.money(1, 900), *_n(k, 0, 2))


# ---- held out ----
def memo(k):
    return k.lines("Memo from " + k.bank() + " to the account holder " + k.person(), "Ref: " + k.pick(ACC) + ", " + _acct(k), k.pick(OPENB) + " on " + k.date() + ": " + k.money(50, 5000), *["(%d) %s, %s, %s" % (i + 1, k.date(), t, k.money(3, 900)) for i, t in enumerate(_tx(k, 3, 10))], k.pick(CLOSEB) + " on " + k.date() + ": " + k.money(50, 5000), *_n(k, 0, 2))


def day_blocks(k):
    out = []
    for _ in range(k.num(2, 6)):
        out += ["== " + k.date() + " ==", *["   " + t + "\n      " + k.pick("out ", "in ") + k.money(3, 900) for t in _tx(k, 1, 4)], "   balance " + k.money(50, 5000)]
    return k.lines(k.pick(k.bank(), k.pick(ACC) + " at " + k.bank()), _acct(k), k.opt(0.4, "Statement, newest entries last"), *out, k.para(*_n(k, 0, 3)))


LAYOUTS = [
    structured, structured, structured, ocr_dump, email, credit_card, letter, app, app, sms, passbook, prose, business, multi_account, us_checking,
    savings_year, loan, csv_export, club_treasurer, form, old, long_year, short_plain, short_plain, certificate_of_entries, wallet, memo, day_blocks]
