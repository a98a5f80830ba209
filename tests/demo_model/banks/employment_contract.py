"""Texts of the class employment_contract."""

ALIASES = [
    "employment_contract", "Employment Contract", "employment contract", "contract of employment", "Employment Agreement",
    "work contract", "labour contract", "labor agreement", "job contract", "job offer letter", "appointment letter",
    "employment_agreement", "EMPLOYMENT_CONTRACT", "employee contract", "hiring agreement", "terms of employment",
    "signed offer of employment", "HR: employment contracts", "staff contract", "service agreement (employee)",
]

DESCRIPTIONS = [
    "sets the terms between an employer and an employee",
    "agreement by which a person is hired for a job at a salary",
    "contract of work: position, start date, pay, hours, leave and notice",
    "an offer or appointment letter that an employee signs to accept a job",
    "written statement of employment particulars",
    "binding agreement on working hours, wages, probation and termination",
    "labour agreement signed by company and worker",
    "a document that hires somebody and fixes duties, pay and holiday",
    "terms and conditions of employment for a new or existing member of staff",
    "fixed-term, part-time, seasonal or permanent job agreement",
]


BL = "\0"


def J(k, *parts):
    """Lines of the parts that are not empty; BL stands for an empty line."""
    return "\n".join(p for p in parts if p).replace(BL, "").strip()


def S(k, *options):
    return k.fill(k.pick(*options))


TITLES = [
    "EMPLOYMENT CONTRACT", "Contract of Employment", "EMPLOYMENT AGREEMENT", "Employment Contract", "Work Contract",
    "LABOUR CONTRACT", "Permanent Employment Contract", "Fixed-Term Employment Contract", "Part-time Employment Agreement",
    "Service Agreement", "Agreement of Employment", "Individual Employment Agreement", "Indefinite Contract of Employment",
]

ROLES = [
    "warehouse operative", "staff nurse", "junior accountant", "site foreman", "kitchen porter", "primary school teacher",
    "forklift driver", "software engineer", "dental hygienist", "receptionist", "electrician", "sales representative",
    "payroll clerk", "research assistant", "housekeeper", "security guard", "graphic designer", "machine operator",
    "pharmacist", "marketing manager", "delivery driver", "legal secretary", "care assistant", "head chef", "baker",
    "laboratory technician", "truck mechanic", "customer service agent", "data analyst", "project manager", "night porter",
    "welder", "hairdresser", "librarian", "shop assistant", "crane operator", "veterinary nurse", "plumber", "copywriter",
    "social worker", "quality inspector", "stable hand", "waiter", "tour guide", "network administrator", "bookkeeper",
    "physiotherapist", "purchasing officer", "regional director", "deck officer", "gardener", "call centre agent",
]


def role(k):
    return k.pick(ROLES) if k.maybe(0.6) else k.job_title()


def per(k):
    return k.pick("per year", "per annum", "gross per month", "a month before tax", "per calendar month", "per hour", "an hour",
                  "per week", "annually", "a year", "gross per annum", "CTC per annum", "per fortnight")


def pay(k):
    p = per(k)
    if "hour" in p:
        return k.money(9, 48) + " " + p
    if "week" in p or "fortnight" in p:
        return k.money(350, 1900) + " " + p
    if "month" in p:
        return k.money(1400, 7900) + " " + p
    return k.money(19000, 120000) + " " + p


def hours(k):
    return k.pick("20", "24", "30", "35", "36", "37.5", "38", "38.5", "39", "40", "42", "44", "45", "48")


def c_parties(k, emp, er):
    return k.pick(
        f"This agreement is made on {k.date()} between {er}, of {k.address(', ')} (the \"Employer\") and {emp}, residing at {k.address(', ')} (the \"Employee\").",
        f"BETWEEN {er} (hereinafter called the Company) of the one part AND {emp} (hereinafter called the Employee) of the other part.",
        f"{er}, represented by its managing director {k.person()}, and {emp}, born on {k.date()} and resident in {k.city()}, conclude the following contract.",
        f"The parties: {er} with its registered office in {k.city()} (\"we\", \"the Company\") and {emp} (\"you\").",
        f"Employer: {er}, {k.address(', ')}. Employee: {emp}, {k.address(', ')}.",
        f"THIS CONTRACT dated {k.date()} is entered into by and between {er} and {emp}, together \"the parties\".",
        f"{er} agrees to employ {emp}, and {emp} agrees to serve the company, on the terms below.",
        f"1) {er}, company number {k.ref('', 'HRB ', 'Reg. ')}, the employer; 2) {emp}, identity document {k.ref('ID-', 'P')}, the worker.",
    )


def c_position(k, emp, er):
    j = role(k)
    return k.pick(
        f"The Employee is engaged as {j} and will report to the {k.job_title()}.",
        f"You will be employed in the position of {j} in the {k.department()} department.",
        f"The Company employs the Employee as a full-time {j}. The duties are set out in the job description attached as Schedule 1.",
        f"Your job title is {j}. You may be asked to carry out other reasonable duties from time to time.",
        f"The employee takes up the post of {j}; the employer may assign other equivalent work suited to his or her abilities.",
        f"The Employee shall serve as {j} and shall devote the whole of his or her working time and attention to the business of the Company.",
        f"Position: {j}. Line manager: {k.person()}. Grade: {k.num(2, 14)}.",
        f"As {j} you will be responsible to {k.person()} and will follow all lawful and reasonable instructions.",
        f"The worker is hired to perform the work of {j}, including preparing, cleaning and handing over the workplace.",
    )


def c_start(k, emp, er):
    return k.pick(
        f"Employment begins on {k.date()} and is for an indefinite period.",
        f"Your start date is {k.date()}. No employment with a previous employer counts towards your period of continuous employment.",
        f"The employment commences on {k.date()} and ends on {k.date()} without notice being required.",
        f"This is a fixed-term contract of {k.num(3, 24)} months starting {k.date()}, to cover parental leave.",
        f"The working relationship starts on {k.date()}. It is open-ended and ends at the latest when the employee reaches statutory pension age.",
        f"You will join us on {k.date()}, subject to satisfactory references and proof of your right to work.",
        f"The Employee's continuous service is deemed to have started on {k.date()}.",
        f"This contract takes effect on {k.date()} and replaces every earlier agreement between the parties.",
        f"The appointment is effective from the date of joining, which shall not be later than {k.date()}.",
    )


def c_prob(k, emp, er):
    n = k.pick("three", "six", "two", "four", "3", "6", "one", "9")
    return k.pick(
        f"The first {n} months are a probationary period, during which either side may end the employment with {k.pick('one week', 'two weeks', '7 days', '14 days')} notice.",
        f"You will be on probation for {n} months from the date of joining. The period may be extended at the discretion of management.",
        f"A trial period of {n} months is agreed. Within it the contract may be terminated at any time.",
        f"On successful completion of a probation of {n} months your appointment will be confirmed in writing.",
        f"Probation: {n} months. Your performance and suitability will be reviewed before it ends.",
        f"The first {n} months of service shall be treated as probation, with no obligation to give reasons for termination.",
        "There is no probationary period.",
    )


def c_place(k, emp, er):
    return k.pick(
        f"The place of work is {k.address(', ')}. The Employee may be required to work at other sites of the Employer.",
        f"Your normal place of work will be our {k.city()} office, but you may have to travel within {k.country()}.",
        f"You may work from home up to {k.num(1, 4)} days a week by agreement with your manager.",
        f"The employee works in {k.city()}. A transfer to another branch needs {k.num(2, 6)} weeks' advance notice.",
        f"Place of work: {k.street()}, {k.city()}.",
        "The role is fully remote; the Employer provides a laptop and a telephone, which remain company property.",
        "You will be based at the customer's site and will follow the house rules that apply there.",
        f"The Company reserves the right to post you to any of its locations, including {k.city()} and {k.city()}.",
    )


def c_hours(k, emp, er):
    h = hours(k)
    return k.pick(
        f"Normal working hours are {h} hours a week, Monday to Friday, {k.time()} to {k.time()}, with a {k.pick('30-minute', 'one-hour', '45-minute')} unpaid lunch break.",
        f"The regular weekly working time is {h} hours excluding breaks. The distribution follows the roster.",
        f"You will work {h} hours per week in shifts, including nights, weekends and public holidays.",
        f"Hours of work: {h} per week. Overtime is paid at {k.pick('time and a half', '125 %', 'one and a half times the basic rate', 'double time on Sundays')}.",
        "Overtime must be approved in advance and is compensated by time off.",
        f"The working week consists of {k.pick('five', 'six', 'four')} days of {k.pick('8', '7.5', '9', '10')} hours. The employee has opted out of the 48-hour limit.",
        "Flexible working hours apply with a core time between 10:00 and 15:00.",
        f"The Employee shall work such hours as are necessary for the proper performance of the duties, not being less than {h} in any week.",
        "We do not guarantee any minimum number of hours, and you are free to turn down any shift we offer.",
    )


def c_pay(k, emp, er):
    return k.pick(
        f"The Employee receives a salary of {pay(k)}, payable in arrears by bank transfer on the {k.pick('last working day', '25th', '28th', '15th', 'first day')} of each month.",
        f"Your basic pay is {pay(k)}, less tax and national insurance.",
        f"As remuneration for the work the employee is paid {pay(k)}. The salary is transferred to an account named by the employee.",
        f"We will pay you {pay(k)}. A payslip is issued with each payment.",
        f"Wages: {pay(k)}, paid every {k.pick('second Friday', 'Thursday', 'month end', 'two weeks')}.",
        f"The gross remuneration amounts to {pay(k)}, in {k.pick('12', '13', '14')} instalments.",
        f"Base salary: {pay(k)}, subject to statutory deductions and withholding and paid according to our normal payroll schedule.",
        f"Your total cost to company is {k.money(15000, 140000)} per annum, made up of basic, house rent allowance, conveyance and employer's provident fund contribution as in Annexure A.",
        f"The pay is governed by the collective agreement for the sector, pay group {k.num(1, 12)}, step {k.num(1, 6)}, at present {pay(k)}.",
    )


def c_bonus(k, emp, er):
    return k.pick(
        f"A discretionary bonus of up to {k.percent(5, 30)} of base salary may be paid.",
        f"You are eligible for commission of {k.percent(1, 12)} on net sales.",
        f"A holiday bonus of {k.money(300, 2500)} is paid with the {k.pick('June', 'November', 'December')} salary.",
        f"The Employee is provided with a company car, which may also be used privately; the benefit is taxable.",
        f"A sign-on bonus of {k.money(500, 10000)} is payable with the first salary and has to be paid back on leaving within {k.num(6, 24)} months.",
        f"Travel and hotel costs are refunded against receipts in line with the expenses policy.",
        f"Work clothes and safety shoes are provided free of charge.",
        f"Meals during shifts are free; tips are shared among the team.",
        f"The Company will pay for the training course as {k.pick('first aider', 'forklift operator', 'certified accountant')}; costs are recoverable if you resign within a year.",
        f"Subject to board approval, you will be granted {k.num(500, 20000)} stock options that vest over four years with a one-year cliff.",
        "Medical insurance for yourself, your spouse and two children is provided after confirmation.",
    )


def c_leave(k, emp, er):
    d = k.num(15, 33)
    return k.pick(
        f"The holiday entitlement is {d} working days per calendar year plus public holidays.",
        f"You are entitled to {d} days' paid annual leave. The leave year runs from January to December and unused days cannot be carried over.",
        f"Annual leave: {d} days. Leave must be requested at least {k.num(2, 6)} weeks ahead.",
        f"The employee is granted {d} days of vacation. Holiday not taken by 31 March of the next year is forfeited.",
        f"You accrue paid time off at a rate of {k.num(8, 16)} hours a month.",
        f"You will be eligible for {k.num(8, 12)} days casual leave, {k.num(6, 12)} days sick leave and {d} days earned leave each year.",
        f"The Employee shall have four weeks of leave on full pay for every twelve months of service.",
        f"Holiday is 5.6 weeks a year, pro rata for part-time staff.",
    )


def c_sick(k, emp, er):
    return k.pick(
        f"If you are unable to work because of illness, tell your manager before {k.time()} on the first day. A medical certificate is needed from day {k.num(2, 8)}.",
        "In case of incapacity for work the employee has to inform the employer without delay and present a doctor's note.",
        f"Sick pay is {k.num(2, 26)} weeks at full pay in any 12 months, then statutory sick pay only.",
        "The employer continues to pay wages for up to six weeks in the event of illness.",
        "You will be paid statutory sick pay if you qualify.",
        "The Company may ask you to be examined by a doctor of its choice and to hand over the medical report.",
        "Absence without leave for more than three days will be treated as abandonment of the job.",
        f"Paid sick days: {k.num(5, 12)} each year.",
    )


def c_pension(k, emp, er):
    return k.pick(
        f"You will be enrolled in the workplace pension; you pay {k.percent(3, 8)} and we pay {k.percent(3, 10)}.",
        "The employer makes superannuation contributions at the statutory rate into a fund of your choice.",
        "Provident fund, gratuity and ESI apply as per the law.",
        f"You may join the 401(k) plan; the company matches contributions up to {k.percent(2, 6)}.",
        "Social security contributions are deducted and paid to the competent authorities.",
        "There is no occupational pension scheme for this employment.",
        "The employee joins the company pension fund after completing the trial period.",
        "UIF contributions will be deducted from the monthly wage as required by law.",
    )


def c_notice(k, emp, er):
    n = k.pick("four weeks", "one month", "three months", "two months", "30 days", "six weeks", "one week", "90 days", "60 days", "14 days")
    return k.pick(
        f"After probation the notice period is {n} for both sides. Notice must be given in writing.",
        f"Either party may terminate this agreement by giving {n} written notice or pay in lieu.",
        f"You must give us {n} notice if you wish to leave. We will give you {n}, rising with length of service.",
        f"The contract may be terminated with {n} notice to the end of a calendar month. The right to dismiss without notice for good cause is not affected.",
        f"Notice: {n}. In case of gross misconduct such as theft or violence the Company may dismiss you at once.",
        "Employment with us is at will: you or the company may end it at any time, with or without cause.",
        f"The Employer may place the Employee on garden leave during the notice period of {n}.",
        f"Resignation has to be handed in at least {n} in advance; otherwise wages for the missing days may be deducted.",
        "On termination you must give back keys, laptop, uniform, documents and everything else that belongs to the Company.",
    )


def c_conf(k, emp, er):
    return k.pick(
        "The Employee shall keep all business and trade secrets confidential during the employment and after it has ended.",
        "You must not tell outsiders anything about our customers, prices or recipes, during or after your time with us.",
        "The employee signs a separate non-disclosure agreement on the first working day.",
        "Confidentiality: customer data, prices and methods may not be passed on to third parties.",
        "Silence has to be kept about the salary and about internal matters.",
        "Patient information is strictly confidential, and breach of this rule leads to dismissal.",
    )


def c_other(k, emp, er):
    return k.pick(
        "Any invention or work created in the course of employment belongs to the Employer.",
        f"For {k.num(3, 12)} months after leaving, the Employee shall not work for a competitor within {k.num(5, 100)} km of {k.city()}.",
        "Secondary employment needs the prior written consent of the employer.",
        "Disciplinary and grievance procedures are found in the staff handbook, which is not part of this contract.",
        "Claims from the employment lapse unless raised in writing within three months of the due date.",
        f"This agreement is governed by the laws of {k.country()} and the courts in {k.city()} have jurisdiction.",
        "Changes and additions must be made in writing. If one clause is invalid, the rest stays in force.",
        "The employer may deduct from wages any overpayment, loan or cost of damage caused by carelessness.",
        "Your personal data is processed for payroll and personnel administration.",
        "No collective agreement applies to this employment. ",
        "You shall not solicit any customer or employee of the Company for twelve months after you leave.",
        "The employee undertakes to report any change of address, marital status or tax class without delay.",
        "You retire on the last day of the month in which you turn sixty.",
        "Disputes are first taken to the labour conciliation office.",
        "A criminal record check must be presented before work starts.",
        "The safety rules of the plant form part of this agreement and must be observed at all times.",
    ).strip()


CLAUSES = [
    (("Position and duties", "Job title", "Duties", "Activity", "Nature of the work", "Appointment"), c_position),
    (("Commencement", "Start of employment", "Start date and term", "Term", "Duration"), c_start),
    (("Probation", "Probationary period", "Trial period"), c_prob),
    (("Place of work", "Location", "Workplace"), c_place),
    (("Hours of work", "Working hours", "Working time", "Hours"), c_hours),
    (("Salary", "Remuneration", "Pay", "Compensation", "Wages"), c_pay),
    (("Bonus and benefits", "Other benefits", "Allowances", "Special payments"), c_bonus),
    (("Annual leave", "Holidays", "Vacation", "Holiday entitlement"), c_leave),
    (("Sickness", "Illness and absence", "Incapacity for work", "Sick leave"), c_sick),
    (("Pension", "Social insurance", "Retirement", "Contributions"), c_pension),
    (("Notice", "Termination", "Ending the employment", "Termination of employment"), c_notice),
    (("Confidentiality", "Secrecy", "Business secrets"), c_conf),
    (("Other provisions", "General", "Miscellaneous", "Final provisions"), c_other),
]


def chosen(k, lo, hi):
    idx = sorted(k.r.sample(range(len(CLAUSES)), k.num(lo, hi)))
    # duties and pay make a contract of work what it is
    for need in (0, 5):
        if need not in idx and k.maybe(0.8):
            idx.append(need)
    return [CLAUSES[i] for i in sorted(idx)]


def sign(k, emp, er):
    boss = k.person()
    return k.pick(
        f"Signed for {er}: ____________________  {boss}\nSigned by the Employee: ____________________  {emp}\nDate: {k.date()}",
        f"{k.city()}, {k.date()}\n\n______________________        ______________________\n(Employer)                    (Employee)",
        f"IN WITNESS WHEREOF the parties have signed this agreement on {k.date()}.\n\n{boss}, {k.job_title()}\n{emp}",
        f"I have read and accept the terms above.\n{emp}   {k.date()}",
        f"Employer: {boss}    Employee: {emp}    Witness: {k.person()}",
        f"Place, date: {k.city()}, {k.date()}\nSignature of employee: ..............................\nSignature and stamp of employer: ..............................",
        f"I, {emp}, confirm that I have received a copy of this contract and accept it. Signature: ________",
        f"/s/ {boss}\n/s/ {emp}",
    )


def lay_numbered(k):
    emp, er = k.person(), k.company()
    parts = [k.opt(0.6, k.pick(TITLES)), c_parties(k, emp, er)]
    style = k.pick("1.", "§ 1", "Article 1", "Clause 1", "1)", "A")
    for n, (heads, fn) in enumerate(chosen(k, 6, 12), 1):
        h = k.pick(*heads)
        if k.maybe(0.3):
            h = h.upper()
        lab = {"1.": f"{n}. {h}", "§ 1": f"§ {n} {h}", "Article 1": f"Article {n} - {h}", "Clause 1": f"Clause {n}: {h}",
               "1)": f"{n}) {h}", "A": f"{chr(64 + n)}. {h}"}[style]
        body = k.para(fn(k, emp, er), fn(k, emp, er) if k.maybe(0.2) else "")
        parts.append(lab + k.pick("\n", "\n", ". ") + body)
    parts.append(sign(k, emp, er))
    return k.pick("\n\n", "\n").join(p for p in parts if p)


def lay_offer_letter(k):
    emp, er = k.person(), k.company()
    j = role(k)
    opening = k.pick(
        f"We are delighted to offer you the position of {j} with {er}.",
        f"Following your interview on {k.date()}, I am pleased to confirm our offer of employment as {j}.",
        f"Further to our recent discussions, we would like you to join {er} as {j} on the following terms.",
        f"Thank you for coming to meet the team. We would be very happy if you started with us as {j} on {k.date()}.",
        f"With reference to your application and subsequent interview, we are pleased to appoint you as {j}.",
        f"It is with great pleasure that {er} extends to you this offer for the role of {j}, reporting to {k.person()}.",
        f"On behalf of everyone at {er}, congratulations: the job of {j} is yours if you want it.",
    )
    mids = [fn(k, emp, er) for _, fn in chosen(k, 3, 8)[:]]
    close = k.pick(
        f"Please sign and return the enclosed copy by {k.date()} to accept.",
        "If these terms suit you, sign below and send one copy back to us; keep the other for your records.",
        f"This offer lapses if it is not accepted by {k.date()}.",
        "This offer is conditional on two references, a medical check and your documents showing the right to work.",
        "Kindly return the duplicate copy of this letter duly signed as token of your acceptance.",
        "We look forward to welcoming you on board.",
    )
    sep = k.pick("\n\n", "\n", " ")
    return J(k, 
        er, k.address(), k.date(), BL, emp, k.opt(0.7, k.address()), BL,
        k.pick(f"Dear {emp},", f"Dear {emp.split()[0]},", f"Dear Mr./Ms. {emp.split()[-1]},"),
        k.opt(0.6, k.pick("Offer of employment", "Re: Your appointment", "Subject: Letter of appointment", "RE: Job offer", "Offer letter", "Your contract of employment")),
        BL, opening, BL, sep.join(mids), BL, close, BL,
        k.pick("Yours sincerely,", "Best regards,", "Sincerely,", "For and on behalf of the company,", "Kind regards,"),
        k.person(), k.pick("HR Manager", "Head of People", "Director", "Practice Manager", "Owner", k.job_title()),
        k.opt(0.6, "\n" + k.pick(
            f"I accept this offer and the terms above.\nSigned: ______________  {emp}   Date: ________",
            f"ACCEPTANCE: I, {emp}, accept employment with {er} on these conditions.",
            "Agreed and accepted: ____________________ (signature of employee)",
        )),
    )


def lay_particulars(k):
    emp, er = k.person(), k.company()
    rows = [
        (k.pick("Employer", "Name of employer", "Company"), er),
        (k.pick("Employee", "Name of employee", "Worker"), emp),
        (k.pick("Job title", "Position", "Post"), role(k)),
        (k.pick("Start date", "Date employment began", "Commencement"), k.date()),
        (k.pick("Pay", "Salary", "Rate of pay", "Gross wage"), pay(k)),
    ]
    more = [
        (k.pick("Hours", "Weekly hours", "Normal hours"), hours(k) + k.pick(" per week", " hours", " h/week")),
        (k.pick("Place of work", "Location"), k.city()),
        (k.pick("Probation", "Trial period"), k.pick("3 months", "6 months", "none", "90 days")),
        (k.pick("Holiday", "Annual leave"), f"{k.num(15, 33)} days"),
        (k.pick("Notice period", "Notice"), k.pick("4 weeks", "1 month", "3 months", "one week per year of service")),
        ("Pension", k.pick("auto-enrolment", "statutory", "company scheme", "none")),
        (k.pick("Type of contract", "Contract type"), k.pick("permanent", "fixed term", "part-time", "casual", "full-time, indefinite", "seasonal")),
        ("Reports to", k.person()),
        (k.pick("Sick pay", "Sickness"), k.pick("statutory only", "4 weeks full pay", "as per handbook", "80 % of wages")),
        (k.pick("Pay day", "Payment"), k.pick("monthly, 28th", "weekly, Fridays", "last working day", "every two weeks")),
        ("Collective agreement", k.pick("none", "metal industry", "hospitality award", "retail sector", "public service")),
        ("Department", k.department()),
        ("Bank account", k.iban()),
        ("Overtime", k.pick("time and a half", "time off in lieu", "not paid", "125 %")),
        ("Training", k.pick("first aid, mandatory", "none required", "induction, two days")),
    ]
    rows += k.some(more, 4, 11)
    if k.maybe(0.3):
        k.r.shuffle(rows)
    form = k.num(0, 3)
    if form == 0:
        body = k.table(["Item", k.pick("Detail", "Terms", "Particulars")], [list(r) for r in rows])
    elif form == 1:
        body = "\n".join(f"{a}: {b}" for a, b in rows)
    elif form == 2:
        body = "\n".join(f"{a} {'.' * max(3, 30 - len(a))} {b}" for a, b in rows)
    else:
        body = "\n".join(f"{n}. {a}\n   {b}" for n, (a, b) in enumerate(rows, 1))
    return J(k, 
        k.pick("STATEMENT OF MAIN TERMS OF EMPLOYMENT", "Written statement of particulars", "Summary of employment terms", "Schedule 1: Key terms",
               "Principal terms", "Terms and conditions of employment", "Section 1 statement", "KEY EMPLOYMENT TERMS", er),
        BL, k.opt(0.4, S(k, "This statement is given to you under the employment law in force.", "The parties agree the main terms below.",
                         "The table summarises your terms; the full conditions are in the handbook.", "These particulars form your contract with us.")),
        body, BL, k.opt(0.5, c_other(k, emp, er)), k.opt(0.3, c_notice(k, emp, er)), k.opt(0.6, sign(k, emp, er)),
    )


def lay_email_offer(k):
    emp, er = k.person(), k.company()
    f = emp.split()[0]
    sender = k.person()
    subj = k.pick(f"Your contract - {role(k)}", "Job offer", "Contract for signature", "Welcome to the team!", f"Offer: {role(k)} at {er}",
                  "Your start on " + k.date(), "Employment terms", "Next steps and paperwork", "Terms we agreed")
    head = k.opt(0.6, f"From: {sender} <{k.email()}>\nTo: {k.email()}\n" + k.opt(0.5, f"Date: {k.date()}\n") + f"Subject: {subj}\n")
    body = [fn(k, emp, er) for _, fn in chosen(k, 2, 6)]
    if k.maybe(0.4):
        body = ["- " + b for b in body]
        joined = "\n".join(body)
    else:
        joined = " ".join(body)
    return J(k, 
        head,
        k.pick(f"Hi {f},", f"Dear {f},", f"Hello {f},", f"Dear {emp},"), BL,
        k.pick(
            "as discussed on the phone, here are the terms of your employment with us:",
            "great news, we would like to hire you! These are the conditions:",
            "please find below the terms of your job with us. Reply \"I accept\" to make it binding.",
            f"we are happy to confirm your new job as {role(k)}. In short:",
            "here is what we agreed. The signed paper copy follows by post.",
            "welcome! Before your first day we need your signature under the following terms.",
        ), BL, joined, BL,
        k.pick("Please sign the attached copy and send it back.", f"Let me know by {k.date()} if you accept.", "Bring your ID, tax number and bank details on your first day.",
               "Any questions, just call me.", f"Sign here: {k.url()}", "Bring the signed copy along on your first morning.", ""),
        k.pick("Best,", "Kind regards,", "Cheers,", "Looking forward to working with you,", "Regards,"),
        sender, k.opt(0.5, er), k.opt(0.3, k.phone()),
    )


def lay_fixed_seasonal(k):
    emp, er = k.person(), k.pick(k.company(), k.last() + " Farm", k.last() + " Orchards", "Hotel " + k.last(), k.last() + "'s Vineyard", "Camping " + k.city(), k.last() + " Estate")
    work = k.pick("picking apples and pears", "harvesting asparagus", "serving guests in the beach restaurant", "packing strawberries", "milking and feeding cattle",
                  "cleaning guest rooms", "pruning vines", "teaching skiing to children", "selling Christmas trees", "lifeguard duty at the pool", "shearing sheep",
                  "working in the greenhouse", "operating the chair lift")
    return k.para(
        k.opt(0.4, k.pick("Seasonal work agreement.", "Seasonal employment contract.", "Temporary contract for harvest work.", "Contract for casual labour.")),
        k.pick(f"{er} hires {emp} from {k.date()} until {k.date()} for {work}.",
               f"{emp} will work for {er} during the season, starting {k.date()}, mainly {work}.",
               f"It is agreed that {emp} shall be employed by {er} for the term of {k.num(4, 28)} weeks for the purpose of {work}."),
        k.pick(f"The wage is {k.money(8, 22)} an hour, or piecework at {k.money(1, 4)} a crate, whichever is higher.",
               f"Pay is {k.money(60, 180)} per day, paid out every Saturday.", f"The weekly wage is {k.money(300, 900)} with board and lodging."),
        k.pick(f"Working time is about {hours(k)} hours a week, depending on the weather.", "Work starts at sunrise and ends in the early afternoon.",
               "Six days a week, Sunday off.", "Hours vary with the number of guests."),
        k.pick(f"A bed in the staff house is provided; {k.money(20, 90)} per week is deducted for it.", "Meals are provided free of charge.", "Workers bring their own boots; gloves and tools are supplied.",
               "Transport from the station is arranged by the employer."),
        k.opt(0.6, k.pick("Those who stay to the last day get a bonus of one week's pay.", "Accident insurance is taken out by the farm.", "Holiday pay of 8 % is paid out at the end.",
                         "No work, no pay in case of heavy rain.", "Either side may end the job with three days' notice.")),
        k.opt(0.5, k.pick("The agreement ends by itself on the last day of the season.", "If the harvest ends early, the employment ends with it.", "An extension must be agreed in writing.")),
        k.opt(0.5, f"Signed in {k.city()} on {k.date()}: {emp}, {k.person()}."),
    )


def lay_casual_note(k):
    emp, boss = k.person(), k.person()
    f = emp.split()[0]
    return k.para(
        k.pick(f"{f}, here is what we shook hands on, in writing so nobody forgets.", f"Agreement between me, {boss}, and {emp}.", f"I, {boss}, take on {emp} in my shop.",
               f"To {emp}: this sets out your job with us.", f"Just so we have it on paper, {f}:"),
        k.pick(f"You start on {k.date()} as {role(k)}.", f"First day is {k.weekday()}, {k.date()}.", f"{f} will help as {role(k)} from {k.date()}."),
        k.pick(f"Pay is {k.money(9, 25)} an hour, cash or bank, every {k.weekday()}.", f"I pay {k.money(900, 3200)} a month, taxes done properly.", f"Wages {k.money(300, 800)} a week after the trial period."),
        k.pick(f"You work {hours(k)} hours, mostly mornings.", f"Hours: {k.weekday()} to {k.weekday()}, {k.time()} till {k.time()}.", "We decide the rota together every Thursday."),
        k.opt(0.7, k.pick("Four weeks paid holiday, not in December please.", "If you are ill, ring me before opening time.", "You get the public holidays off, paid.", "Lunch is on the house.",
                         "First month is a trial, after that two weeks' notice each way.", "Keys stay with me.", "You keep your tips.", "I buy the aprons.")),
        k.opt(0.5, k.pick("What you hear in the shop stays in the shop.", "You get a payslip from my accountant each month.", "We talk about a raise after half a year.")),
        k.pick(f"Signed {boss} and {emp}, {k.date()}.", f"{boss} (boss), {emp} (employee)", "Two copies, one each.", f"Sign below if that is fine with you. {boss}"),
    )


def lay_indian_appointment(k):
    emp, er = k.person(), k.company()
    cl = [
        f"Your date of joining will be {k.date()}. You are requested to report at {k.time()} to the HR department with originals of your certificates and relieving letter.",
        f"You will be on probation for a period of {k.pick('six', 'three')} months, extendable at the sole discretion of the management.",
        f"Your annual CTC will be {k.money(14000, 140000)}. The break-up is enclosed as Annexure I.",
        "You will be governed by the service rules, standing orders and code of conduct of the company as amended from time to time.",
        "Your services are transferable to any branch, department or associate concern of the company in India or abroad.",
        "You shall not engage in any other employment, trade or business without the written permission of the management.",
        "During probation the services may be terminated by either side with 15 days' notice; on confirmation the notice period will be two months or salary in lieu thereof.",
        "You will retire on attaining the age of 58 years.",
        "You are entitled to provident fund, gratuity, medical insurance and earned leave as per rules.",
        "This appointment is subject to verification of your antecedents and medical fitness.",
        "Any notice sent to the address given by you will be deemed to have been duly served.",
        "In case any information furnished in your resume or application is found false, your services will be liable to termination without notice.",
        "You will maintain strict secrecy about the affairs of the company.",
    ]
    body = k.some(cl, 5, 11)
    return J(k, 
        er, k.opt(0.7, k.address(", ")), f"Ref: {k.ref('HR/APPT/', 'HRD/', 'PER/')}", f"Date: {k.date()}", BL,
        "To,", emp, k.opt(0.7, k.address()), BL, k.opt(0.6, k.pick("Sub: Letter of Appointment", "Sub: Appointment order", "Subject: Appointment as " + role(k))),
        k.pick(f"Dear {emp},", "Dear Sir/Madam,", f"Dear Ms. {emp.split()[-1]},", f"Dear Mr. {emp.split()[-1]},"), BL,
        k.pick(f"With reference to your application and the interview you had with us, we are pleased to appoint you as {role(k)} on the following terms and conditions:",
               f"The management is pleased to offer you the post of {role(k)} in our {k.city()} unit, as under:",
               f"We take pleasure in appointing you as {role(k)} in Grade {k.num(1, 9)} with effect from the date of joining."),
        "\n".join(f"{n}. {b}" for n, b in enumerate(body, 1)), BL,
        k.pick("Kindly sign the duplicate copy of this letter in token of acceptance.", "We welcome you to our family and wish you a long and fruitful career.", "Please confirm your acceptance within seven days."),
        f"For {er}", k.pick("Authorised Signatory", "Manager - HR", "Director", "General Manager (P&A)"),
        k.opt(0.5, f"\nI accept the above terms and conditions.\n({emp})"),
    )


def lay_domestic(k):
    emp, boss = k.person(), k.person()
    who = k.pick("nanny", "housekeeper", "live-in carer", "gardener", "private cook", "cleaner", "au pair", "driver", "home help")
    pts = [
        f"Duties: {k.pick('cleaning, ironing and shopping', 'looking after two children aged 3 and 6', 'care of an elderly person', 'keeping the garden and pool', 'cooking lunch and dinner', 'school runs and homework help')}.",
        f"Days: {k.weekday()} and {k.weekday()}, {k.time()} to {k.time()}.",
        f"Wage: {k.money(9, 28)} per hour, paid at the end of each week.",
        f"Live-in: own room, meals included, {k.num(1, 2)} free days per week.",
        f"Holiday: {k.num(4, 6)} weeks a year, half of it during the family's own holiday.",
        f"Notice: {k.num(1, 4)} weeks on either side.",
        "The family registers the employment and pays tax and social insurance.",
        "In case of sickness the employee phones as early as possible.",
        "Family matters are private and are not to be discussed outside.",
        "Broken items are not deducted from the wage unless damaged on purpose.",
        f"First {k.num(2, 8)} weeks are a trial.",
        "Use of the family car only for work errands; fuel receipts are refunded.",
        "Smoking in the house is not allowed.",
    ]
    b = k.pick("* ", "- ", "• ", "[x] ")
    return J(k, 
        k.opt(0.6, k.pick("Household employment agreement", "Domestic worker contract", f"Agreement with our {who}", "Contract for household help")),
        k.pick(f"{boss} (employer) and {emp} ({who}) agree the following, starting {k.date()}:", f"Between the family {boss.split()[-1]} of {k.street()}, {k.city()} and {emp}, who will work as {who}."),
        "\n".join(b + p for p in k.some(pts, 5, 11)), BL,
        k.pick(f"{k.date()}  {boss}  {emp}", f"Signed: {boss} / {emp}", "Signature employer ............  Signature employee ............"),
    )


def lay_school(k):
    emp = k.person()
    er = k.pick(f"{k.city()} Primary School", f"St. {k.first()}'s College", f"{k.city()} University", f"{k.last()} Academy", f"Municipality of {k.city()}", f"{k.city()} District Hospital", f"{k.last()} Foundation", f"County Council of {k.city()}")
    post = k.pick("teacher of mathematics", "lecturer in chemistry", "school nurse", "teaching assistant", "music teacher", "caretaker", "postdoctoral researcher", "librarian", "registrar", "kindergarten teacher",
                  "ward sister", "clerk in the registry office", "fire officer", "youth worker", "laboratory assistant")
    return J(k, 
        er, k.opt(0.5, k.address(", ")), BL,
        k.para(
            k.pick(f"The governing body of {er} appoints {emp} to the post of {post} with effect from {k.date()}.",
                   f"{er} engages {emp} as {post}, {k.pick('full-time', 'half-time', 'at 60 % of full hours', 'on a 0.8 FTE basis')}, from {k.date()}.",
                   f"This is to record the terms on which {emp} is employed as {post} by {er}."),
            k.pick(f"The appointment is {k.pick('permanent', 'for one school year', 'for a term of three years', 'temporary, as a replacement for a colleague on maternity leave')}.",
                   "The appointment is subject to a probationary year."),
        ), BL,
        k.para(
            k.pick(f"Salary is paid on point {k.num(3, 38)} of the pay spine, at present {k.money(18000, 70000)} per annum.", f"You are placed in pay group E{k.num(5, 14)}, step {k.num(1, 6)}.", f"The monthly salary is {k.money(1800, 6000)} gross."),
            k.pick(f"The teaching load is {k.num(18, 27)} lessons a week, plus meetings, supervision and parents' evenings.", f"Weekly hours are {hours(k)}, partly in shifts.", "The leave periods are those of the school calendar."),
            k.opt(0.7, k.pick("Resignations take effect at the end of a term and must be received eight weeks before.", "Notice is three months to the end of a school half-year.", "Either side may end the appointment with one month's notice.")),
            k.opt(0.5, k.pick("A satisfactory police check is a condition of the appointment.", "Membership of the teachers' pension scheme is automatic.", "Conditions follow the national agreement for teachers.",
                             "The grant from the research council pays for this post; it ends when the grant ends.", "You must be registered with the nursing council.", "All members of staff are expected to safeguard children.")),
            k.opt(0.4, c_conf(k, emp, er)), k.opt(0.5, c_sick(k, emp, er)),
        ), BL,
        k.pick(f"Signed on behalf of the governors: {k.person()}, chair", f"{k.person()}, Head Teacher        {emp}", f"{k.city()}, {k.date()}", f"Accepted: {emp}"),
    )


def lay_form(k):
    emp, er = k.person(), k.company()
    d = k.pick(".......", "______", ": ")
    box = lambda *o: "  ".join(("[x] " if i == z else "[ ] ") + t for z in [k.num(0, len(o) - 1)] for i, t in enumerate(o))
    rows = [
        f"Surname, first name {d} {emp}", f"Date of birth {d} {k.date()}", f"Address {d} {k.address(', ')}", f"Employed as {d} {role(k)}", f"From {d} {k.date()}",
        box("permanent", "temporary until " + k.date(), "casual"), box("full-time", "part-time", "mini job"), f"Hours per week {d} {hours(k)}", f"Gross pay {d} {pay(k)}",
        f"Paid {box('weekly', 'fortnightly', 'monthly')}", f"Trial period {box('none', '3 months', '6 months')}", f"Vacation days {d} {k.num(20, 32)}", f"Notice {d} {k.pick('2 weeks', '4 weeks', '1 month', 'statutory')}",
        f"Bank account of employee {d} {k.iban()}", f"Health insurance fund {d} {k.pick('public', 'private', 'AOK', 'none')}", f"Tax number {d} {k.ref('TN')}", f"Supervisor {d} {k.person()}", f"Emergency contact {d} {k.person()}, {k.phone()}",
        "Company car " + box("yes", "no"), "Uniform issued " + box("yes", "no"), "Work permit needed " + box("yes", "no"), "Shift work " + box("yes", "no"), "Right to work checked " + box("yes", "no"),
        "Secondary job " + box("none", "approved"),
    ]
    keep = [rows[0], rows[3], rows[4], rows[8]] + k.some(rows[5:8] + rows[9:] + rows[1:3], 6, 16)
    return J(k, 
        k.pick("CONTRACT OF EMPLOYMENT (form)", "Hiring form and employment terms", "Engagement of worker", "Employee engagement form - binding on signature", "Form 7b: Agreement with employee", f"{er} - new employee"),
        f"Employer {d} {er}", *keep, BL,
        k.opt(0.6, S(k, "The employee agrees to the work rules printed overleaf.", "By signing, both parties enter into the employment on these terms.", "The general conditions of employment apply.",
                     "A copy of this form was handed to the employee.", "The employee declares that all details are correct.")),
        sign(k, emp, er),
    )


def lay_amendment(k):
    emp, er = k.person(), k.company()
    changes = [
        f"With effect from {k.date()} your weekly hours change from {hours(k)} to {hours(k)}.", f"Your salary is raised to {pay(k)} as of {k.date()}.",
        f"Your fixed-term contract, due to end on {k.date()}, is extended until {k.date()}.", f"From {k.date()} you will take the position of {role(k)}.",
        f"Your place of work moves to {k.city()}.", f"You will work from home {k.num(1, 4)} days a week.", "Your temporary employment becomes permanent.",
        f"Your holiday entitlement goes up to {k.num(24, 33)} days.", f"The notice period is now {k.pick('two', 'three', 'six')} months for both parties.", "You are no longer entitled to the shift allowance.",
        f"A monthly allowance of {k.money(50, 600)} is paid for the extra responsibility.",
    ]
    return J(k, 
        k.opt(0.5, k.pick("Amendment to the employment contract", "Addendum No. 1", "Change to your terms and conditions", "Variation of contract of employment", "Contract extension", "Supplementary agreement")),
        k.opt(0.7, k.date()),
        k.pick(f"{er} and {emp} agree to change the contract of {k.date()} as follows:", f"Dear {emp},\n\nfurther to our meeting I confirm the changes to your employment with {er}.",
               f"Re: your employment as {role(k)}\n\nThis letter changes the contract you signed on {k.date()}."),
        BL, "\n".join(k.some(changes, 1, 4)), BL,
        k.pick("All other terms of your employment stay the same.", "The remaining provisions of the contract are unaffected.", "Everything else remains as agreed."),
        k.opt(0.4, k.pick("The change will show on your next payslip.", "Please sign one copy for your personnel file.", "Your length of service is not affected.")),
        sign(k, emp, er),
    )


def lay_portal(k):
    emp, er = k.person(), k.company()
    return J(k, 
        k.pick(f"[{er} HR portal]", "HR self-service: document ready", "e-sign request", "People system - notification", "Document for your signature"),
        k.pick(f"{emp}, your contract as {role(k)} is ready to sign.", f"A new employment contract for {emp} has been created and awaits signature.", f"{er} invites you to sign: terms of employment for {role(k)}.",
               f"Employee {k.ref('E', 'EMP-')}: terms accepted on {k.date()} at {k.time()}."),
        k.opt(0.9, k.pick(f"Start: {k.date()} | Pay: {pay(k)} | Hours: {hours(k)}/week", f"Begins {k.date()}, {hours(k)} hours weekly, {pay(k)}, {k.num(20, 30)} days leave, probation {k.num(3, 6)} months.",
                          f"Key terms\n- Salary {pay(k)}\n- Location {k.city()}\n- Notice {k.pick('one month', '4 weeks', '3 months')}\n- Leave {k.num(18, 30)} days")),
        k.opt(0.7, k.pick("Read all pages, then sign with the code we sent by text message.", f"Sign before {k.date()}, otherwise the offer expires.", "You and the employer each receive a signed copy.", "Upload your ID, tax form and bank details as well.",
                          f"Questions? Contact {k.email()}.")),
        k.opt(0.4, f"Document id {k.ref('DOC-', 'C')}"),
    )


def lay_seafarer(k):
    emp = k.person()
    er = k.pick(k.company(), k.last() + " Shipping", k.last() + " Airlines", k.last() + " Drilling", k.last() + " Logistics")
    rank = k.pick("second officer", "able seaman", "third engineer", "ship's cook", "cabin crew member", "bosun", "rig mechanic", "long-haul driver", "fitter", "camp boss", "electrician abroad", "steward")
    return J(k, 
        k.opt(0.6, k.pick("SEAFARER'S EMPLOYMENT AGREEMENT", "CONTRACT FOR SERVICE ABROAD", "CREW AGREEMENT", "EXPATRIATE EMPLOYMENT CONTRACT", "OVERSEAS EMPLOYMENT CONTRACT")),
        f"{k.pick('Name', 'Worker', 'Seafarer')}: {emp}   {k.pick('Rank', 'Position', 'Capacity')}: {rank}   {k.pick('Passport', 'Discharge book')}: {k.ref('P', 'A')}",
        f"{k.pick('Employer', 'Shipowner', 'Principal')}: {er}, {k.city()}", BL,
        k.table([k.pick("Wages", "Component"), k.pick("Monthly", "Amount")], [["Basic wage", k.money(900, 4000)], ["Guaranteed overtime", k.money(200, 1500)], ["Leave pay", k.money(100, 700)]] + ([["Food allowance", k.money(80, 300)]] if k.maybe(0.5) else [])), BL,
        k.para(
            k.pick(f"The period of engagement is {k.num(4, 24)} months, plus or minus one.", f"The tour of duty is {k.num(4, 10)} weeks on and {k.num(2, 6)} weeks off."),
            k.pick("Hours of work are 8 a day, with rest periods as required by the maritime labour convention.", "Ordinary hours are 48 a week; work beyond that is overtime."),
            k.pick("Passage to and from the place of work is paid by the employer.", "The employer pays for the return flight, visa and lodging.", "Repatriation is at the owner's cost."),
            k.opt(0.6, k.pick("Free medical care is provided on board and ashore.", "Disability compensation follows the collective bargaining agreement.", "Allotments to the family may be sent by bank transfer each month.")),
            k.opt(0.5, k.pick("The agreement may be ended by one month's notice in writing.", "The master may discharge the seafarer for misconduct.", f"The law of {k.country()} applies.")),
        ), BL, sign(k, emp, er),
    )


def lay_old(k):
    emp, er = k.person(), k.company()
    return k.para(
        k.pick("ARTICLES OF AGREEMENT", "MEMORANDUM OF AGREEMENT", "THIS INDENTURE", "AN AGREEMENT") + f" made the {k.date()} between {er} (hereinafter called the Employer) of the one part and {emp} (hereinafter called the {k.pick('Servant', 'Employee', 'Apprentice', 'Manager')}) of the other part,",
        k.pick("WITNESSETH that", "WHEREBY it is mutually agreed that", "whereby it is agreed and declared as follows:"),
        f"the said {emp} shall serve the Employer in the capacity of {role(k)} for the term of {k.pick('one', 'two', 'three', 'five')} years from the date hereof,",
        k.pick("and shall diligently and faithfully perform all such duties as the Employer may lawfully require;", "and shall obey all lawful commands and keep the secrets of the business;", "and shall at all times use his best endeavours to promote the interests of the Employer;"),
        f"in consideration whereof the Employer shall pay unto the said {emp} a {k.pick('wage', 'salary', 'stipend')} of {pay(k)},",
        k.pick("by equal monthly payments on the last day of every month;", "the first of such payments to be made one month from the commencement of the said service;", "together with such lodging as is customary;"),
        k.opt(0.7, k.pick("PROVIDED ALWAYS that either party may determine this agreement by three calendar months' notice in writing;", "and in the event of sickness exceeding thirty days the wages shall abate;",
                          "and the Employer shall teach and instruct the said apprentice in the trade;", "and there shall be allowed fourteen days of leave in every year.")),
        k.pick(f"AS WITNESS the hands of the parties. {emp}. {k.person()} for {er}.", "Signed in the presence of two witnesses.", "Given under our hands the day and year first above written."),
    )


def lay_us(k):
    emp, er = k.person(), k.company()
    f = emp.split()[0]
    secs = [
        ("Compensation", f"You will be paid {k.pick('an annual base salary of ' + k.money(38000, 190000), 'an hourly rate of ' + k.money(15, 60))}, less applicable withholding, on our regular paydays."),
        ("Classification", k.pick("This is an exempt, full-time position.", "This position is non-exempt and eligible for overtime.")),
        ("Benefits", k.pick("You may enroll in our medical, dental and vision plans on the first day of the month after you start.", "You will be eligible for group health insurance and the 401(k) plan.")),
        ("Paid time off", f"You will accrue {k.num(10, 25)} days of PTO per year in addition to company holidays."),
        ("At-will employment", k.pick("Your employment is at will, which means that either of us may end it at any time, for any reason.", "Nothing in this letter changes the at-will nature of the relationship.")),
        ("Background check", "The offer depends on a clean background check, drug screen and Form I-9 verification."),
        ("Equity", f"We will recommend to the board that you be granted options for {k.num(500, 40000)} shares, vesting over four years."),
        ("Proprietary information", "You will be required to sign our confidentiality and invention assignment agreement."),
        ("Relocation", f"We will reimburse moving costs up to {k.money(2000, 15000)}."),
        ("Severance", f"If we terminate you without cause you will receive {k.num(1, 6)} months of base salary."),
        ("Arbitration", "Any dispute about your employment goes to binding arbitration."),
        ("Bonus", f"Your target bonus is {k.percent(5, 35)} of base."),
        ("Schedule", f"Your schedule is {hours(k)} hours, {k.weekday()} through {k.weekday()}."),
    ]
    pickd = k.some(secs, 4, 10)
    sty = k.num(0, 2)
    body = "\n\n".join(f"{a}. {b}" if sty == 0 else (f"{a.upper()}\n{b}" if sty == 1 else f"* {a}: {b}") for a, b in pickd)
    return J(k, 
        k.opt(0.6, er), k.date(), BL, k.pick(f"Dear {f}:", f"Dear {emp}:", f"{f},"), BL,
        k.pick(f"{er} is pleased to offer you employment as {role(k)}, starting {k.date()}.", f"We are excited to have you join {er} as our next {role(k)}.", f"This letter sets out the terms of your employment with {er} as {role(k)}."), BL,
        body, BL, k.pick("To accept, sign and date below.", "This letter is the entire agreement about your employment.", f"The offer stays open until {k.date()}."), BL,
        k.person(), k.opt(0.5, k.job_title()), k.opt(0.7, f"\nAccepted and agreed:\n{emp}        Date:"),
    )


def lay_collective_page(k):
    """A middle page of a contract: no title, no parties, clauses only."""
    emp, er = k.person(), k.company()
    a = k.num(3, 12)
    out = []
    for i, (heads, fn) in enumerate(chosen(k, 3, 7)):
        n = a + i
        out.append(k.pick(f"{n}.1 ", f"{n}. ", f"({n}) ", "") + fn(k, emp, er) + (f" {fn(k, emp, er)}" if k.maybe(0.4) else ""))
    return J(k, k.opt(0.4, k.pick("Page 2 of 4", "- 2 -", "continued", "Initials: ____  ____")), k.pick("\n\n", "\n").join(out), k.opt(0.4, "\n" + sign(k, emp, er)))


def lay_apprentice(k):
    emp, er = k.person(), k.company()
    trade = k.pick("carpenter", "electrician", "hairdresser", "motor mechanic", "baker", "bank clerk", "industrial mechanic", "chef", "bricklayer", "dental assistant", "IT technician", "florist")
    y = [f"{n} year: {k.money(500, 1500)} per month" for n in ("first", "second", "third")]
    return J(k, 
        k.opt(0.6, k.pick("Apprenticeship contract", "Training contract", "Apprenticeship agreement", "Internship contract", "Working student contract", "Trainee agreement")),
        k.pick(f"{er} takes on {emp} as apprentice {trade}.", f"Between {er} (training company) and {emp}, apprentice, the following is agreed for training as a {trade}.", f"{emp} will be trained to be a {trade} at {er} in {k.city()}."),
        k.pick(f"The training lasts {k.pick('two', 'three', 'three and a half')} years and starts on {k.date()}.", f"Start: {k.date()}. End: {k.date()}, or on passing the final examination."),
        k.pick("The first four months are a trial period.", "Probation: 3 months."), k.pick("Pay:\n", "Training allowance\n") + "\n".join(y),
        k.pick(f"Daily working time {k.pick('8', '7.5', '7')} hours; one day a week at vocational school.", "The apprentice attends college on day release and keeps a training record book.", f"Leave: {k.num(24, 30)} working days a year."),
        k.opt(0.6, k.pick("The company pays for tools and examination fees.", "For minors the parents sign as well.", "The apprentice handles machines and materials with care and keeps business secrets.", "The employer names a supervisor: " + k.person() + ".")),
        sign(k, emp, er),
    )


# --- held out from training ---------------------------------------------------------------------

def lay_questions(k):
    emp, er = k.person(), k.company()
    qs = [
        ("Who is my employer?", er + ", " + k.city()), ("What is my job?", c_position(k, emp, er)), ("When do I start?", c_start(k, emp, er)), ("Where will I work?", c_place(k, emp, er)),
        ("What will I be paid?", c_pay(k, emp, er)), ("What are my hours?", c_hours(k, emp, er)), ("How much holiday do I get?", c_leave(k, emp, er)), ("What if I am ill?", c_sick(k, emp, er)),
        ("How can I leave?", c_notice(k, emp, er)), ("Is there a pension?", c_pension(k, emp, er)), ("Is there a trial period?", c_prob(k, emp, er)), ("What must I keep to myself?", c_conf(k, emp, er)),
    ]
    n = k.num(5, 12)
    idx = sorted(k.r.sample(range(len(qs)), n))
    return J(k, k.pick(f"Your terms with {er}, {emp}", f"{emp}: how we will work together", f"Working at {er}"), BL,
                   "\n\n".join(f"{qs[i][0]}\n{qs[i][1]}" for i in idx), BL, k.pick(f"Agreed on {k.date()} by {emp} and {k.person()}.", f"Sign here if you agree: ________ {emp}"))


def lay_columns(k):
    emp, er = k.person(), k.company()
    left = ["EMPLOYER", er, k.street(), k.city(), BL, "signed", k.person()]
    right = ["EMPLOYEE", emp, k.street(), k.city(), BL, "signed", emp]
    top = "\n".join(f"{a:<34}{b}" for a, b in zip(left, right))
    facts = [("Post", role(k)), ("Begins", k.date()), ("Weekly hours", hours(k)), ("Wage", pay(k)), ("Leave", f"{k.num(18, 32)} days"), ("Notice", k.pick("4 weeks", "1 month")), ("Trial", "3 months")]
    mid = "\n".join(f"{a:<18}| {b}" for a, b in k.some(facts, 4, 7))
    return J(k, top, "-" * 60, mid, "-" * 60, c_other(k, emp, er), k.opt(0.5, c_notice(k, emp, er)), k.opt(0.5, c_sick(k, emp, er)))


LAYOUTS = [
    lay_numbered, lay_offer_letter, lay_particulars, lay_email_offer, lay_fixed_seasonal, lay_casual_note, lay_indian_appointment, lay_domestic,
    lay_school, lay_form, lay_amendment, lay_portal, lay_seafarer, lay_old, lay_us, lay_collective_page, lay_apprentice,
    lay_questions, lay_columns,
]
