"""Payslips: an employer tells an employee what was paid and what was deducted."""

ALIASES = ["payslip", "Payslip", "payslips", "PAYSLIP", "pay_slip", "Pay Slip", "salary_slip", "Salary Slip", "pay_stub", "Pay Stub", "paystub", "paycheck_stub", "earnings_statement", "Earnings Statement", "wage_slip", "Wage Slip", "salary_statement", "Salary Statement",
           "payroll_document", "Pay advice", "payroll slip", "remuneration statement", "Remuneration Statement", "monthly_salary_slip", "Gehaltsabrechnung", "bulletin de paie", "wage_statement"]
DESCRIPTIONS = ["shows an employee's gross pay, deductions and net pay", "salary slip for a pay period", "an employer tells a worker how the wage was worked out", "earnings and deductions with net pay, tax and social insurance", "pay stubs and salary statements of employees",
                "monthly or weekly pay statement", "details of wages, overtime, tax and pension withheld", "what an employee earned and what was paid into their account", "proof of income from an employer's payroll", "take-home pay after tax, insurance and other deductions"]

EARN = ["Basic salary", "Basic pay", "Regular hours", "Overtime 1.5x", "Overtime hours", "House rent allowance", "HRA", "Conveyance allowance", "Dearness allowance", "Special allowance", "Bonus", "Commission", "Holiday pay", "Sick pay (SSP)", "Shift premium", "Night shift allowance", "Sunday supplement", "Car allowance", "Travel allowance", "Meal allowance", "13th month salary", "Gratuity", "Back pay", "Call-out pay", "On-call duty", "Tips", "Medical allowance", "Leave travel allowance", "Phone reimbursement", "Public holiday", "PTO", "Vacation pay", "Piece work", "Maternity pay", "Risk allowance", "Grundgehalt / base salary", "Hazard pay", "Ordinary hours", "Casual loading", "Annual leave loading", "Retention bonus", "Teaching hours", "Performance pay", "Standby", "Expenses refunded", "Sales incentive", "Housing allowance", "Child allowance", "Uniform allowance", "Wages 38 hrs", "Salary"]
DED = ["PAYE tax", "Income tax", "National Insurance", "Employee pension", "Federal income tax", "Social Security", "Medicare", "State tax", "401(k)", "Health insurance", "Dental", "Provident fund", "PF", "ESI", "Professional tax", "TDS", "NSSF", "NHIF", "SHIF", "Housing levy", "UIF", "PAYG withholding", "HELP", "Superannuation", "CPP", "EI", "Lohnsteuer / wage tax", "Solidarity surcharge", "Church tax", "Krankenversicherung / health", "Pension insurance", "Unemployment insurance", "Care insurance", "Student loan", "Union dues", "Salary advance", "Loan recovery", "Canteen", "Cycle to work", "Court order", "Attachment of earnings", "CPF", "SSS", "PhilHealth", "Pag-IBIG", "IRPF", "Seguridad Social", "CSG", "AHV/IV/EO", "BVG pension fund", "ZUS", "Staff shop", "Uniform", "Parking", "Season ticket loan", "Give as you earn", "Kiwisaver", "ACC levy", "Unpaid leave", "Late coming", "Share plan", "Garnishment", "Life cover", "Medical aid", "Sacco contribution", "Meal vouchers", "Welfare fund", "Resident tax", "FICA"]
GROSS = ["Gross pay", "Total gross", "Gross salary", "Total earnings", "Gross wages", "Total payments", "Gross earnings", "Brutto / gross", "Gross", "Total pay", "Gross for tax"]
TDED = ["Total deductions", "Deductions total", "Less deductions", "Total withheld", "Sum of deductions", "Deductions"]
NET = ["Net pay", "NET PAY", "Take-home pay", "Net salary", "Net amount", "Net payable", "Amount paid to bank", "Auszahlung / net paid", "Net wages", "Paid to account", "Net to be paid", "Payout", "Net check", "Take home", "Net pay this period"]
NAMES = ["PAYSLIP", "Payslip", "SALARY SLIP", "Salary Slip", "PAY STUB", "EARNINGS STATEMENT", "Pay advice", "Gehaltsabrechnung / payslip", "BULLETIN DE PAIE / payslip", "WAGE SLIP", "Statement of earnings", "Statement of earnings and deductions", "PAY SLIP", "Remuneration statement", "Wages envelope", "Salary statement", "Nomina / payslip", "Busta paga / payslip"]
PERIOD = ["Pay period", "Period", "Month", "Pay date", "Week ending", "Payroll period", "For the month of", "Tax period", "Fortnight ending", "Salary for", "Pay run", "Wage month"]
NOTE = ["Paid by bank transfer on {date}.", "Your salary has been credited to account ****{num}.", "Please check this carefully and report errors to payroll within 7 days.", "Keep this document, it may be needed for your pension.", "This is a computer generated document, no signature required.", "Tax code {num}L, cumulative.", "Annual leave balance: {num} days.", "Sick days taken this year: {num}.", "Overtime was approved by {person}.", "Your bonus for {month} is included.", "Leave without pay: {num} days.", "Year to date gross {money}.", "YTD tax {money}.", "Employer's contribution to the pension: {money}.", "Employer NI: {money}.", "Superannuation paid to your fund: {money}.", "A correction for last month is included.", "The wage rise agreed in the contract takes effect from this month.", "Your tax class has changed.", "Strictly confidential.", "Days worked: {num}. Days paid: {num}.", "Hours worked: {num}. Hourly rate {money}.", "Your year-end tax certificate will follow in {month}.", "Questions: payroll, {phone}.", "Advance of {money} recovered in this period.", "Meal vouchers: {num}.", "First pay after joining on {date}; part month.", "Final pay including untaken holiday.", "Social insurance number on file.", "Employee must not disclose this slip to colleagues.", "Time sheets must reach us by the {num}th.", "Mileage claims are paid separately.", "The payment will appear on your bank statement as wages."]
IDS = [("Employee no.", "E"), ("Staff no.", "S"), ("Payroll no.", "P"), ("Emp ID", "EMP"), ("Personnel number", ""), ("NI number", "QQ"), ("Social insurance no.", ""), ("SSN", "XXX-XX-"), ("PAN", "ABC"), ("UAN", "10"), ("Tax code", ""), ("PF no.", "MH"), ("TFN", ""), ("KRA PIN", "A"), ("Clock no.", ""), ("Badge", "")]


def _ded(k, lo, hi):
    return k.some(DED, lo, hi)


def _earn(k, lo, hi):
    e = k.some(EARN, lo, hi)
    if k.maybe(0.7):
        e = [k.pick("Basic salary", "Basic pay", "Salary", "Regular hours", "Base pay", "Monthly salary", "Wages", "Ordinary time")] + e[1:]
    return e


def _n(k, lo, hi):
    return [k.fill(x) for x in k.some(NOTE, lo, hi)]


def _head(k, lo=2, hi=7):
    f = ["%s: %s" % (k.pick("Employee", "Name", "Employee name", "Staff member", "Worker"), k.person()), k.pick(PERIOD) + ": " + k.pick(k.month_year(), k.month_year(), k.date(), k.date() + " - " + k.date())]
    x = [a + ": " + k.ref(b) for a, b in k.some(IDS, 0, 3)] + ["Department: " + k.department(), k.pick("Position: ", "Job title: ", "Designation: ", "Grade: ", "Occupation: ") + k.job_title(), "Date of joining: " + k.date(), "Pay date: " + k.date(), "Payment method: " + k.pick("BACS", "direct deposit", "bank transfer", "cheque", "cash", "NEFT"), "Bank: " + k.bank() + " " + k.iban(), "Cost centre: %d" % k.num(100, 9999), "Tax code: %dL" % k.num(100, 1300), "Location: " + k.city(), "Filing status: Single", "Tax class: %d" % k.num(1, 6), "Days worked: %d" % k.num(10, 31)]
    return f + k.some(x, lo, hi)


def _net(k, sep=": "):
    return k.lines(k.opt(0.85, k.pick(GROSS) + sep + k.money(900, 6000)), k.opt(0.7, k.pick(TDED) + sep + k.money(100, 1500)), k.pick(NET) + sep + k.money(700, 5000))


def structured(k):
    e, d = _earn(k, 1, 7), _ded(k, 2, 8)
    s = k.num(0, 2)
    if s == 0:
        n = max(len(e), len(d))
        body = k.table([k.pick("Earnings", "Payments", "Pay"), "Amount", "Deductions", "Amount"], [[e[i] if i < len(e) else "", k.amount(50, 4000) if i < len(e) else "", d[i] if i < len(d) else "", k.amount(5, 500) if i < len(d) else ""] for i in range(n)])
    elif s == 1:
        body = k.lines(k.table([k.pick("Payments", "Earnings", "Description"), k.pick("Units", "Hours", "Qty"), "Rate", "Amount"], [[x, str(k.num(1, 170)), k.amount(8, 40), k.amount(50, 4000)] for x in e]), k.table(["Deductions", "This period", k.pick("YTD", "Year to date", "Cumulative")], [[x, k.amount(5, 500), k.amount(100, 5000)] for x in d]))
    else:
        body = k.table(["Code", "Description", k.pick("Current", "Amount"), "YTD"], [["%03d" % k.num(1, 999), x, k.amount(50, 4000), k.amount(500, 30000)] for x in e] + [["%03d" % k.num(1, 999), x, "-" + k.amount(5, 500), k.amount(50, 4000)] for x in d])
    return k.lines(k.company(), k.opt(0.5, k.address(", ")), k.opt(0.5, k.pick(NAMES) + k.pick("", " for " + k.month_year())), *_head(k), "", body, "", _net(k), *_n(k, 0, 4))


def email(k):
    S = ["Your payslip for {month}", "Salary {month}", "Your pay details", "Pay for the period to {date}", "Payroll: {month}", "Wages this week", "Your pay statement is available"]
    B = ["your pay for {month} has been transferred.", "please find the breakdown of your wages for {month} below.", "your payslip is ready. Summary:", "we have run the payroll for the period ending {date}.", "here is how your salary for {month} was calculated.", "your wages will reach your account on {date}.", "as your contract started on {date}, this is a part month."]
    return k.lines(k.opt(0.65, k.lines("From: " + k.pick("payroll@", "hr@", "wages@") + k.email().split("@")[-1], "To: " + k.email(), k.opt(0.5, "Date: " + k.date()), "Subject: " + k.fill(k.pick(S)))), k.pick("Hi ", "Dear ", "Hello ") + k.pick(k.first(), k.title_person()) + ",", "", k.fill(k.pick(B)), *[k.pick("", "+ ", "- ") + x + ": " + k.money(50, 3000) for x in _earn(k, 1, 4)], *[k.pick("less ", "minus ", "- ", "") + x + ": " + k.money(5, 500) for x in _ded(k, 1, 5)], _net(k), "", k.para(*_n(k, 0, 3)), k.pick("Regards,", "Kind regards,", "Best,", "Thanks for your work,"), k.person(), k.pick("Payroll", "HR", "Wages office", "Accounts", "Personnel department"))


def short_note(k):
    e = k.pick(EARN)
    T = ["{first}, your pay for {month}: {num} hours at {money} makes {money}. Less tax {money}, so {money} into your account on Friday. {person}", "Wages {first}, week ending {date}: gross {money}, tax {money}, insurance {money}, net {money} in this envelope.", "{company}: salary for {month} credited. Gross {money}, deductions {money}, net {money}.", "Hi {first}, {money} went to your bank today, that is your salary of {money} less tax, NI and pension. Overtime {num} h included. Slip attached.", "PAY {month}: basic {money}, {e} {money}, PAYE {money}, NHIF {money}, NSSF {money}, net {money}. HR", "Babysitting pay for {month}: {num} hrs, gross {money}, mini-job, no deductions. Net {money}. {person}", "Farm wages, {first}: {num} days harvest at {money}, less board and lodging {money}, paid {money} cash. Signed {person}, {date}", "Your net pay of {money} for the fortnight to {date} has been deposited. Tax withheld {money}, super {money}.", "Tips and wages for {first}, {date}: hours {num}, rate {money}, gross {money}, tax {money}, take home {money}."]
    return k.lines(k.opt(0.25, k.pick("Payslip", "Pay slip", "Wage slip")), k.fill(k.pick(T).replace("{e}", e).replace("{first}", k.first())))


def ocr_dump(k):
    e, d = _earn(k, 2, 6), _ded(k, 3, 7)
    return k.lines(k.company().upper(), "EMPLOYEE " + k.person().upper(), *[x.upper() for x in _head(k, 1, 3)[1:]], "EARNINGS", *e, "DEDUCTIONS", *d, "AMOUNT", *[k.amount(50, 3000) for _ in e], *[k.amount(5, 500) for _ in d], k.pick("GROSS NET", "GROSS TAXABLE NET PAY", "TOTAL GROSS TOTAL DED NET PAY"), k.amount(1000, 5000), k.amount(100, 900), k.money(800, 4000), *_n(k, 0, 2))


def dotted(k):
    d = lambda a, b: a + " " + "." * k.num(3, 24) + " " + b
    return k.lines(k.opt(0.5, k.pick(NAMES)), k.pick(k.company(), k.company(), k.person() + ", farmer", "Household of " + k.last()), d("Name", k.person()), d(k.pick(PERIOD), k.month_year()), *[d(a, k.ref(b)) for a, b in k.some(IDS, 0, 2)], d("Hours", str(k.num(20, 190))), d("Rate", k.amount(8, 40)), *[d(x, k.amount(20, 3000)) for x in _earn(k, 1, 5)], d(k.pick(GROSS), k.amount(900, 5000)), *[d(x, k.amount(5, 500)) for x in _ded(k, 2, 6)], d(k.pick(NET), k.money(700, 4000)), k.opt(0.5, k.pick("[x] transfer  [ ] cash  [ ] cheque", "[ ] weekly [x] monthly", "Received: signature of employee ............", "Paid in cash, counted and found correct")), *_n(k, 0, 2))


def letter(k):
    A = ["We inform you of the composition of your salary for {month}.", "Enclosed you will find the statement of your remuneration for {month}.", "Your salary has been adjusted as of {date}; for {month} it is made up as follows.", "Your stipend for the period ending {date} has been worked out as below.", "With your final pay we have also settled the remaining holiday."]
    return k.lines(k.company(), k.pick("Human Resources", "Payroll Office", "Personnel Department", "Bursar's office"), k.address(", "), "", k.person(), k.address(), "", k.date(), k.opt(0.4, k.pick("Payslip ", "Pay statement ", "Your salary ") + k.month_year()), "Dear " + k.title_person() + ",", "", k.fill(k.pick(A)), "", *[x + "   " + k.money(50, 4000) for x in _earn(k, 1, 5)], k.pick(GROSS) + "   " + k.money(900, 6000), *[k.pick("less ", "./. ", "- ", "") + x + "   " + k.money(5, 600) for x in _ded(k, 2, 6)], k.pick(NET) + "   " + k.money(700, 5000), "", k.para(*_n(k, 1, 5)), "", k.pick("Yours sincerely,", "Kind regards,", "Yours faithfully,"), k.person())


def prose(k):
    A = ["For {month} {company} pays {person} a gross salary of {money}.", "In the week ending {date} you worked {num} hours at {money} an hour.", "{person} earned {money} in {month}, of which {money} is overtime.", "Your basic salary for {month} comes to {money}.", "You were paid for {num} days in {month}, {num} of them holiday."]
    B = ["From this we held back {money} income tax and {money} for social insurance.", "Income tax of {money} and your pension contribution of {money} were deducted.", "{e} of {money} was added.", "The health insurance took {money}.", "We kept back {money} for the advance you had in {month}.", "The night shifts were paid with a supplement of {num} per cent.", "The bonus of {money} is taxed as a one-off.", "The loan instalment of {money} was withheld as agreed.", "Union dues of {money} were passed on.", "Your employer also paid {money} into the pension fund.", "Canteen meals of {money} were taken off."]
    C = ["This leaves net pay of {money}, which goes to your account at {bank}.", "You take home {money}.", "The net amount of {money} was transferred on {date}.", "Net wages of {money} were handed over in cash.", "{money} will be in your account on {date}."]
    return k.lines(k.opt(0.35, k.pick(NAMES)), k.opt(0.5, k.company()), k.opt(0.5, k.pick("Staff no. ", "Personnel no. ") + k.ref("")), k.para(k.fill(k.pick(A)), *[k.fill(x.replace("{e}", k.pick(EARN))) for x in k.some(B, 2, 6)], k.fill(k.pick(C)), *_n(k, 0, 3)))


def portal(k):
    return k.lines(k.pick("Employee self service", "My pay", "HR portal", "Payroll centre", "Pay history", "Your latest pay", "Pay details"), k.opt(0.6, k.company()), "Hello " + k.first() + k.pick("", ", your pay is ready"), k.pick("Pay date ", "Paid on ", "Deposit date ") + k.date(), k.pick(GROSS) + " " + k.money(900, 6000), k.pick("Taxes ", "Tax withheld ") + k.money(50, 900), *[x + " " + k.money(5, 300) for x in _ded(k, 1, 4)], k.pick(NET) + " " + k.money(700, 5000), k.opt(0.6, "Deposited to " + k.bank() + " ****%d" % k.num(1000, 9999)), k.opt(0.5, "Leave balance: %d h vacation, %d h sick" % (k.num(0, 200), k.num(0, 80))), k.opt(0.5, k.pick("[View payslip] [Download PDF]", "Year to date: " + k.money(2000, 40000), "View tax forms", "Report a problem with my pay", "Pay documents are kept for 7 years.")))


def us_stub(k):
    T = k.some(["Federal withholding", "Social Security", "Medicare", "State income tax", "City tax", "SDI"], 3, 5)
    B = k.some(["Medical pre-tax", "Dental", "Vision", "401(k)", "HSA", "FSA", "Life insurance", "Commuter", "Roth 401(k)"], 1, 5)
    return k.lines(k.company(), k.opt(0.6, k.address(", ")), k.opt(0.45, k.pick("Earnings Statement", "Pay stub", "Non-negotiable - advice of deposit", "Payroll check stub")), k.person(), "SSN XXX-XX-%04d" % k.num(0, 9999), "Pay period " + k.date() + " to " + k.date(), "Pay date " + k.date() + "  " + k.pick("Check #%d", "Advice no. %d") % k.num(1000, 99999), k.opt(0.5, "Allowances: federal %d, state %d" % (k.num(0, 3), k.num(0, 3))), "Earnings   Rate   Hours   This period   Year to date", *["%s   %s   %d   %s   %s" % (x, k.amount(10, 60), k.num(2, 80), k.amount(50, 3000), k.amount(500, 40000)) for x in k.some(["Regular", "Overtime", "Holiday", "PTO", "Sick", "Bonus", "Commission", "Tips"], 1, 5)], "Gross pay  " + k.amount(800, 4000), "Statutory deductions", *[x + "  -" + k.amount(5, 500) + "  " + k.amount(50, 5000) for x in T], "Other", *[x + "  -" + k.amount(5, 200) for x in B], "Net pay  " + k.money(600, 3000), k.opt(0.5, "Direct deposit checking xxxx%d" % k.num(1000, 9999)), k.opt(0.4, "This is not a check"), *_n(k, 0, 2))


def india(k):
    e = k.some(["Basic", "HRA", "Conveyance", "DA", "Special Allowance", "Medical Allowance", "LTA", "Bonus", "Arrears", "City Compensatory Allowance", "Incentive"], 3, 8)
    d = k.some(["Provident Fund", "ESI", "Professional Tax", "TDS", "Salary Advance", "LWF", "Loan EMI", "Canteen", "Group Insurance"], 2, 6)
    return k.lines(k.company(), k.address(", "), k.opt(0.6, k.pick("Pay Slip for the month of ", "Salary slip - ", "Payslip for ") + k.month_year()), "Employee Code: " + k.ref("EMP"), "Name: " + k.person(), "Designation: " + k.job_title(), "PAN: ABCPX%dQ  UAN: %d" % (k.num(1000, 9999), k.num(10**11, 10**12 - 1)), k.opt(0.6, "Bank A/c: %d" % k.num(10**9, 10**12)), "Days in month: %d  LOP: %d  Paid days: %d" % (k.num(28, 31), k.num(0, 3), k.num(25, 31)), k.table(["Earnings", "Rs.", "Deductions", "Rs."], [[e[i] if i < len(e) else "", k.amount(40, 2000) if i < len(e) else "", d[i] if i < len(d) else "", k.amount(5, 200) if i < len(d) else ""] for i in range(max(len(e), len(d)))]), "Total earnings " + k.amount(600, 4000) + "  Total deductions " + k.amount(50, 500), k.pick("Net Pay: ", "Net salary payable: ", "Take home: ") + k.money(500, 4000), k.opt(0.6, "(" + k.pick("Rupees Thirty Two Thousand Five Hundred only", "Rupees Fifty Eight Thousand Only", "Rupees Eighteen Thousand Two Hundred Only") + ")"), k.opt(0.5, "This is a system generated payslip and does not require signature."))


def germany(k):
    return k.lines(k.company(), k.opt(0.6, "Entgeltabrechnung / statement of pay " + k.month_year()), "Personnel no. %d  Tax class %d  Child allowance 0.%d  Health fund: %s" % (k.num(1, 9999), k.num(1, 6), k.num(0, 9), k.pick("AOK", "company fund", "private")), k.person() + ", born " + k.date(), *["%03d %s  %s" % (k.num(1, 999), x, k.amount(10, 4000)) for x in k.some(["Gehalt / salary", "Ueberstunden / overtime", "Night supplement, tax free", "VWL employer share", "Company car private use", "Holiday bonus", "Christmas bonus", "Travel refund"], 1, 5)], "Gesamtbrutto / total gross  " + k.amount(1800, 6000), "Tax gross %s  SI gross %s" % (k.amount(1800, 6000), k.amount(1800, 6000)), *[x + "  -" + k.amount(1, 700) for x in k.some(["Lohnsteuer / wage tax", "Solidarity surcharge", "Kirchensteuer / church tax", "KV / health insurance", "PV / care insurance", "RV / pension insurance", "AV / unemployment insurance"], 4, 7)], k.opt(0.4, "Company car benefit -" + k.amount(100, 500)), "Netto / net  " + k.amount(1200, 4000), "Auszahlungsbetrag / paid out  " + k.money(1200, 4000), "To " + k.iban(), *_n(k, 0, 3))


def africa_public(k):
    return k.lines(k.pick("Ministry of Education", "County Government of " + k.city(), "Teachers Service", "City of " + k.city(), "National Hospital " + k.city(), "Police Service", "University of " + k.city()), k.opt(0.5, k.pick("PAYSLIP", "PAY ADVICE", "OFFICIAL PAYSLIP")), "P/No: " + k.ref("") + "  Name: " + k.person(), "ID: %d  Job group: %s" % (k.num(10**6, 10**8), k.pick("H", "J", "K", "M", "Grade 7", "Level 3", "GL 08")), "Designation: " + k.job_title(), "Month: " + k.month_year(), *[x + "  " + k.amount(10, 900) for x in k.some(["Basic salary", "House allowance", "Commuter allowance", "Hardship allowance", "Non-practising allowance", "Risk allowance", "Teaching allowance", "Responsibility allowance", "Rural allowance"], 2, 6)], "Gross  " + k.amount(400, 2500), *[x + "  " + k.amount(2, 200) for x in k.some(["PAYE", "NHIF", "NSSF", "Pension scheme", "Sacco shares", "Bank loan", "Union fee", "Welfare", "Personal relief", "UIF", "Medical aid", "Cooperative", "Insurance relief"], 3, 8)], "Net pay  " + k.money(300, 2000), "Bank: " + k.bank() + "  Branch: " + k.city(), k.opt(0.4, "One third rule satisfied"), k.opt(0.4, "Balance of loan " + k.amount(100, 900)))


def weekly_site(k):
    D = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat"]
    return k.lines(k.pick(k.company(), k.last() + " Building Contractors", k.last() + " Farm", "Restaurant " + k.last(), "Harbour Fish Co-op"), k.opt(0.4, k.pick("Wages slip", "Weekly pay", "Time and wages record", "Pay packet")), k.pick("Worker: ", "Name: ", "Mate: ") + k.person() + "  Trade: " + k.job_title(), "Week ending " + k.date(), *["%s %s hrs" % (d, k.pick("8", "8", "9.5", "10", "0", "7.25")) for d in D], "Basic hours %d at %s" % (k.num(20, 40), k.amount(8, 30)), k.opt(0.6, "Overtime %d at %s" % (k.num(1, 14), k.amount(12, 45))), k.opt(0.4, "Travel money " + k.amount(5, 60)), k.opt(0.4, "Tool money " + k.amount(2, 20)), "Gross " + k.money(200, 1200), *[x + " " + k.amount(2, 150) for x in k.some(["Tax", "CIS 20 %", "National Insurance", "Sub from Wednesday", "Board and lodging", "Union", "Pension", "Tools broken"], 1, 4)], k.pick("Net in envelope ", "Take home ", "Paid ", "Net wage ") + k.money(150, 1000), k.opt(0.4, "Signed: " + k.first()))


def teacher_nurse(k):
    return k.lines(k.pick("NHS Trust ", "School District ", "St. Anne Hospital ", "Academy Trust ", "Diocese of ", "Fire and Rescue ", "Public Library ") + k.city(), k.opt(0.4, k.pick(NAMES)), "Assignment no. " + k.ref("") + "   " + k.person(), k.pick("Band ", "Scale point ", "Pay step ", "Grade ") + str(k.num(1, 12)) + ", " + k.job_title() + k.pick(", full time", ", 0.6 FTE", ", part time 22.5 h", ", term time only"), k.month_year(), "Annual salary " + k.money(15000, 60000), k.pick("Pay and allowances", "Payments"), *["  " + x + "  " + k.amount(10, 3000) for x in k.some(["Basic pay", "Night enhancement", "Saturday enhancement", "High cost area supplement", "Responsibility point", "Bank shift", "Unsocial hours", "Mileage", "Exam supervision", "Arrears"], 2, 6)], "Deductions", *["  " + x + "  " + k.amount(5, 600) for x in _ded(k, 2, 6)], k.pick(NET) + " " + k.money(900, 4000), k.opt(0.5, "Taxable pay to date " + k.money(2000, 30000)), *_n(k, 1, 4))


def contractor_director(k):
    return k.lines(k.company(), k.opt(0.4, k.pick("Director's payslip", "Remuneration statement", "Fee and salary statement", "Umbrella company payslip")), k.person(), k.pick(PERIOD) + " " + k.month_year(), *[x + " " + k.money(20, 5000) for x in k.some(["Assignment income", "Company margin", "Employer NI", "Apprenticeship levy", "Director's fee", "Salary", "Commission on sales", "Car benefit", "Expenses", "Royalty advance", "Basic at minimum wage", "Holiday pay accrued", "Holiday pay advanced"], 3, 7)], *[x + " -" + k.money(5, 900) for x in _ded(k, 2, 5)], k.pick(NET) + " " + k.money(500, 5000), *_n(k, 0, 3))


def long_explained(k):
    SEC = [("How your pay was worked out", ["Monthly salary according to your contract: {money}.", "You worked {num} overtime hours in {month}, paid at time and a half.", "Two days of unpaid leave have been deducted.", "Your shift supplement is tax free up to the legal limit.", "The commission for {month} follows the sales list of {person}.", "One-off payments are taxed at a separate rate."]), ("What was taken off", ["Income tax: {money}.", "Employee's share of social insurance: {money}.", "Contribution to the company pension: {money}.", "Repayment of the staff loan: {money}.", "Lunches in the canteen: {money}.", "Court order {ref}: {money}.", "Health scheme for your family: {money}."]), ("What we pay on top", ["Employer's share of insurance {money}.", "Employer pension contribution {money}.", "Accident insurance.", "Training budget used: {money}."]), ("Your leave", ["Entitlement {num} days, taken {num}, left {num}.", "Sick days in {month}: {num}. Medical certificate received.", "Flexitime balance {num} hours.", "Carried over from last year: {num} days."]), ("Messages", ["The pay rise agreed in the meeting with the works council starts in {month}.", "Please hand in expense receipts by {date}.", "Tell us if your address or bank has changed.", "Tax certificates go out in {month}.", "Your new contract is on its way to you."])]
    return k.lines(k.company(), k.opt(0.5, k.pick(NAMES) + " " + k.month_year()), *_head(k, 4, 9), "", *[x + "  " + k.amount(20, 4000) for x in _earn(k, 2, 8)], *[x + "  -" + k.amount(3, 600) for x in _ded(k, 3, 10)], _net(k, "  "), "", *sum([[a, *[k.pick("- ", "") + k.fill(x) for x in k.some(b, 2, 6)], ""] for a, b in k.some(SEC, 2, 5)], []), *_n(k, 2, 6))


def seafarer_hotel(k):
    return k.lines(k.pick("MV " + k.last() + " - crew wages", "Hotel " + k.last() + ", payroll", "Airline crew pay", "Cruise staff wages account", "Theatre company " + k.city(), "Football club " + k.city()), k.person() + ", " + k.pick("able seaman", "second cook", "cabin crew", "chief mate", "room attendant", "head waiter", "night porter", "stage hand", "assistant coach"), k.pick(PERIOD) + " " + k.month_year(), *[x + " ... " + k.amount(20, 2500) for x in k.some(["Basic wage", "Guaranteed overtime", "Leave pay", "Subsistence allowance", "Service charge share", "Flight hours", "Per diem", "Tips pool", "Split shift", "Performance fee", "Live-in deduction", "Bond cargo bonus"], 2, 6)], *["less " + x + " ... " + k.amount(5, 400) for x in k.some(["cash advance on board", "allotment home", "slop chest", "tax", "social insurance", "accommodation", "uniform", "union dues", "pension", "phone cards"], 2, 6)], k.pick("Final balance ", "Net wages ", "Net pay ", "Payable ") + k.money(300, 3000), *_n(k, 0, 2), k.opt(0.5, "Signature of employee: " + k.first()))


TALK = ["The overtime from the stocktaking weekend is in.", "Your bonus is taxed at a higher rate, so do not be surprised.", "The rise agreed with {person} counts from the first.", "I took off the advance of {money} that you had on {date}.", "Two sick days are paid in full, the medical certificate has arrived.", "The pension contribution starts this month.", "You have {num} days of holiday left.", "Your new tax code reduces the tax by {money}.", "The travel costs were paid with the expense claim, not here.", "Christmas bonus comes next month.", "Since you started on {date}, it is not a full month.", "This is your last pay, with {num} untaken leave days.", "Please tell me if the bank account has changed.", "The union dues are up by a little.", "Night shifts: {num}.", "Tips were shared out by the manager.", "Your parental leave started on {date}, so only half the salary is paid.", "The housing allowance follows your contract.", "The court order has now been paid off.", "The student loan will be deducted until it is repaid."]


def human(k):
    """Boss or bookkeeper of a small firm explains the pay."""
    A = ["here is how your pay for {month} comes about.", "your wages for {month}: {num} hours at {money}, gross {money}.", "I have transferred {money} to you today, that is {money} gross less the deductions.", "your salary slip for {month} in short.", "pay day! Gross {money}, and after tax and insurance you get {money}.", "below is what you earned in the week ending {date}.", "please find your pay details below; keep them for the tax office."]
    return k.lines(k.pick("Hi ", "Dear ", "Hello ") + k.first() + ",", k.para(k.fill(k.pick(A)), *[k.fill(x) for x in k.some(TALK, 1, 4)]), *[k.pick("+ ", "", "plus ") + x + " " + k.money(20, 2500) for x in _earn(k, 1, 3)], *[k.pick("- ", "less ", "minus ") + x + " " + k.money(3, 400) for x in _ded(k, 1, 4)], k.pick(NET) + " " + k.money(400, 4000), k.pick("Thanks for your good work,", "Regards,", "See you on Monday,", "Best,", "Any questions, ask me."), k.person())


def long_full(k):
    """Detailed multi-part slip: earnings, tax, insurance, employer costs, year to date, leave."""
    def blk(t, names):
        return [t, *["  %s  %s  %s" % (x, k.amount(5, 3000), k.amount(50, 30000)) for x in names], ""]
    return k.lines(k.company(), k.address(", "), k.opt(0.5, k.pick(NAMES)), *_head(k, 6, 12), "", *blk(k.pick("EARNINGS (period, year to date)", "Gross items", "A. Payments"), _earn(k, 4, 11)), *blk(k.pick("TAXES AND INSURANCE", "Statutory deductions", "B. Deductions by law"), _ded(k, 4, 9)), *blk(k.pick("OTHER DEDUCTIONS", "Voluntary deductions", "C. Other"), _ded(k, 2, 6)), *blk(k.pick("EMPLOYER COST (for information)", "Employer's contributions", "D. Paid by the company"), k.some(["Employer pension", "Employer social insurance", "Health insurance, employer share", "Accident insurance", "Training levy", "Employer NI", "Employer PF", "Group life"], 2, 5)), k.opt(0.7, "\n".join([k.pick("LEAVE", "Absence account")] + ["  %s %d %s" % (x, k.num(0, 40), k.pick("days", "hours")) for x in k.some(["Entitlement", "Carried forward", "Taken", "Remaining", "Sick", "Overtime account", "Training"], 2, 5)])), _net(k), *_n(k, 3, 9))


def hourly_table(k):
    """Timesheet-based slip with days."""
    rows = [[k.date(), "%d:00 - %d:%02d" % (k.num(5, 11), k.num(12, 23), k.pick(0, 15, 30)), "%.2f" % (k.num(12, 48) / 4), k.amount(8, 40), k.amount(40, 300)] for _ in range(k.num(3, 8))]
    return k.lines(k.company(), k.opt(0.4, k.pick(NAMES)), *_head(k, 1, 4), k.table(["Date", "Shift", "Hours", "Rate", "Pay"], rows), *[x + " " + k.amount(5, 200) for x in k.some(["Sunday premium", "Holiday pay 12.07 %", "Meal break deducted", "Night premium", "Mileage", "Tronc share"], 0, 3)], *[x + " -" + k.amount(3, 150) for x in _ded(k, 1, 5)], _net(k), *_n(k, 0, 3))


def pension_stipend(k):
    """Same form for apprentices, scholars, pensioned officers, domestic staff, interns."""
    return k.lines(k.pick("Household of " + k.title_person(), "Graduate School " + k.city(), k.company() + ", apprentices", "Parish of " + k.city(), "Officers' pay office", k.company() + ", internship programme"), k.opt(0.4, k.pick("Payslip", "Pay slip", "Salary statement", "Stipend statement")), "For " + k.person() + ", " + k.pick("housekeeper", "apprentice, 2nd year", "doctoral researcher", "organist", "nanny", "lieutenant", "intern", "gardener", "driver", "trainee nurse", "cook"), k.month_year(), *[x + ": " + k.money(50, 3000) for x in k.some(["Agreed monthly wage", "Apprentice pay", "Stipend", "Board in kind", "Extra hours", "Training allowance", "Rank pay", "Service allowance", "Fee per service", "Book allowance"], 1, 4)], *[x + ": -" + k.money(3, 300) for x in _ded(k, 1, 4)], k.pick(NET) + ": " + k.money(200, 3000), k.para(*[k.fill(x) for x in k.some(TALK + NOTE, 1, 4)]))


# ---- held out ----
def memo(k):
    return k.lines("MEMO / " + k.pick("Payroll", "Wages office", "HR"), "To: " + k.person() + ", " + k.department(), "Re: " + k.pick("your pay, ", "wages for ", "payslip ") + k.month_year(), *["* " + x + " = " + k.money(20, 3000) for x in _earn(k, 1, 4)], *["* less " + x + " = " + k.money(5, 500) for x in _ded(k, 1, 5)], "* " + k.pick(NET) + " = " + k.money(700, 4000), k.para(*_n(k, 0, 3)))


def pipes(k):
    return k.lines(k.opt(0.4, "PAYSLIP"), " | ".join([k.company(), k.person(), k.month_year()]), " | ".join(x + " " + k.amount(20, 3000) for x in _earn(k, 1, 4)), " | ".join(x + " -" + k.amount(3, 400) for x in _ded(k, 2, 5)), " | ".join([k.pick(GROSS) + " " + k.amount(900, 5000), k.pick(NET) + " " + k.money(700, 4000)]), k.opt(0.6, k.para(*_n(k, 1, 3))))


LAYOUTS = [
    structured, structured, structured, email, email, short_note, ocr_dump, dotted, letter, prose, prose, portal, us_stub, india, germany,
    africa_public, weekly_site, teacher_nurse, contractor_director, long_explained, seafarer_hotel, human, human, long_full, hourly_table,
    pension_stipend, memo, pipes]
