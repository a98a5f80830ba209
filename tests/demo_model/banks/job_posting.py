"""Texts of the class job_posting."""

ALIASES = [
    "job_posting", "Job Posting", "job advertisement", "job ad", "vacancy", "Vacancy Notice", "job opening", "help wanted", "recruitment advert", "open position", "position announcement", "JOB_POSTING", "situations vacant", "career opportunity",
    "call for applications", "job listing", "hiring notice",
]

DESCRIPTIONS = [
    "advertises an open job and invites applications", "vacancy notice with duties, requirements and how to apply", "an employer looks for new staff", "job advertisement on a website, in a newspaper or a shop window", "describes a position to be filled and what is offered",
    "help wanted: tasks, profile, pay and contact", "announcement of an open position with a closing date", "call for candidates to send in CVs", "recruiting text for a role",
]

BL = "\0"


def J(k, *parts):
    """Lines of the parts that are not empty; BL stands for an empty line."""
    return "\n".join(p for p in parts if p).replace(BL, "").strip()


HOOKS = [
    "We are hiring!", "Join our team in {city}!", "We are looking for a {job} to start on {date}.", "Our {dept} team is growing.", "Applications are invited for the post of {job}.", "Wanted: {job}, full-time or part-time.", "Do you love working with people?", "Looking for a new challenge?", "To strengthen our team we seek a {job} (m/f/d).",
    "An exciting opportunity has arisen for an experienced {job}.", "Suitably qualified candidates are invited to apply.", "Help wanted!", "Come and work with us.", "{company} requires a {job} for its {city} office.", "Are you the {job} we have been searching for?", "We have {num} vacancies in {city}.", "Immediate start available.", "Could you be our next {job}?",
]
DUTIES = [
    "answer customers' questions on the phone", "prepare invoices and check payments", "plan and supervise building work", "drive deliveries in the {city} area", "look after residents and their families", "develop and test software", "keep the shop tidy and the shelves filled", "lead a team of {num}", "cook and serve lunches", "write reports for management",
    "maintain machines and do small repairs", "process purchase orders", "teach classes of up to 25 pupils", "sell {product} to retailers", "greet guests and manage bookings", "clean rooms and change linen", "manage stock and goods receipt", "prepare payslips", "organise meetings and take minutes", "handle complaints", "pick and pack orders", "carry out laboratory tests",
    "assist doctors during consultations", "keep the books", "design flyers and web pages", "run social media channels", "load and unload trucks", "support users", "monitor budgets", "visit clients across {country}", "review contracts", "milk the cows and drive the tractor", "assess claims", "plan the rota",
]
REQS = [
    "completed training or a degree in a related field", "at least {num} months of experience", "a clean driving licence", "good spoken and written English", "friendly manner and team spirit", "willingness to work shifts and weekends", "knowledge of Excel", "valid work permit", "physical fitness", "ability to work under pressure", "experience in {service}",
    "forklift licence an advantage", "attention to detail", "a second language is a plus", "registered with the professional body", "no experience needed, we train you", "police clearance certificate", "own transport", "minimum age 18", "flexibility", "basic maths", "a good telephone voice", "bachelor's degree or equivalent", "leadership experience", "food hygiene certificate", "a sense of humour",
    "proven track record in sales", "confidentiality and discretion",
]
OFFERS = [
    "{money} per hour", "{num} days of holiday", "a permanent contract", "salary {money} a year depending on experience", "flexible hours and home office", "company pension", "free meals and drinks", "staff discount", "training and real career prospects", "a friendly team", "company car", "health insurance", "paid overtime", "accommodation provided", "sign-on bonus of {money}", "free parking",
    "job ticket for bus and train", "13th month's salary", "subsidised gym", "childcare places", "modern equipment", "uniform provided", "relocation support", "tips on top", "uncapped commission", "bike leasing", "birthday off",
]
APPLY = [
    "Send your CV and cover letter to {email}.", "Apply online at {url} by {date}.", "Closing date: {date}.", "Call {phone} and ask for {person}.", "Drop in with your CV any weekday.", "Interviews will be held in the week of {date}.", "Please quote reference {ref}.", "Only shortlisted candidates will be contacted.", "Questions? {person} will be happy to help: {phone}.",
    "Applications with CV, certificates and salary expectations to {company}, {address}.", "Click Apply now.", "Walk-in interview on {date}, {time}, {address}.", "Send a short note to {email}, no cover letter needed.", "Written applications only.", "Referees' names should be given.", "Apply in person.", "No agencies please.",
]
FOOT = [
    "We are an equal opportunity employer.", "Applicants with disabilities are given preference when equally qualified.", "We welcome applications from all sections of the community.", "The post is subject to a criminal record check.", "We do not charge applicants any fee.", "Travel costs for interviews are not refunded.", "Candidates will sign a non-disclosure agreement before the test day.",
    "The successful candidate gets a written contract after the trial day.", "Canvassing will disqualify.", "Your data is deleted six months after the procedure.", "Not all duties are listed here.", "Visa sponsorship is not available.",
]


def F(k, lst, lo, hi):
    return [k.fill(s) for s in k.some(lst, lo, hi)]


def cap(s):
    return s[0].upper() + s[1:]


def org(k):
    return k.pick(k.company(), k.company(), k.company(), f"{k.city()} City Council", f"{k.city()} General Hospital", f"Hotel {k.last()}", f"{k.last()} Farm", f"University of {k.city()}", f"St. {k.first()}'s School", f"Cafe {k.first()}", f"{k.last()} Family Dental Practice", f"Help for {k.city()} (charity)")


def lay_standard(k):
    c, j = org(k), k.job_title()
    b = k.pick("- ", "* ", "• ", "+ ")
    secs = [(k.pick("Your tasks", "What you will do", "Responsibilities", "Duties", "The role", "Main duties", "Key accountabilities", "Your day"), F(k, DUTIES, 3, 7)), (k.pick("Your profile", "Requirements", "What we need", "Who you are", "Qualifications", "Person specification", "You bring", "Must have"), F(k, REQS, 3, 7)), (k.pick("We offer", "Benefits", "What you get", "Why join us", "Our offer", "Perks", "Compensation"), F(k, OFFERS, 3, 6))]
    return J(k, k.opt(0.5, k.pick("JOB VACANCY", "Job posting", "WE ARE HIRING", "Vacancy", "Careers", "Job advertisement", "Open position")), k.pick(j, j + " (m/f/d)", f"{j} - {k.city()}", f"{j}, full time", j.upper()), c, k.opt(0.5, k.city()), BL, k.para(F(k, HOOKS, 1, 2)), BL, "\n\n".join(f"{a}{k.pick(':', '')}\n" + "\n".join(b + cap(x) for x in xs) for a, xs in secs if k.maybe(0.93)), BL, k.para(F(k, APPLY, 1, 3)), k.opt(0.5, k.fill(k.pick(FOOT))))


def lay_window(k):
    c = org(k)
    return k.pick("\n", " ").join(x for x in [k.pick("HELP WANTED", "STAFF WANTED", "We need you", "Waiter wanted", "Driver wanted", "Part-time help needed", "Cleaner needed", "Wanted", "Kitchen help wanted!"), k.opt(0.7, f"{k.job_title()} for {k.pick('weekends', 'mornings', 'evenings', 'the season', '20 hours a week', 'nights')}"), k.opt(0.6, cap(k.fill(k.pick(REQS)))), k.fill(k.pick(OFFERS)), k.opt(0.5, "Ask inside for " + k.first()), k.pick(k.phone(), k.fill(k.pick(APPLY))), k.opt(0.5, c)] if x)


def lay_newspaper(k):
    return k.para(k.pick(f"{org(k)} seeks {k.job_title()}", f"{k.job_title().upper()} required by {org(k)}", f"{k.job_title()} wanted in {k.city()}") + k.pick(", full-time.", ", part-time.", " from " + k.date() + ".", "."), "Duties: " + ", ".join(F(k, DUTIES, 2, 3)) + "." if k.maybe(0.7) else "", k.pick("Must have ", "Requires ", "Applicants need ") + ", ".join(F(k, REQS, 1, 3)) + ".", k.pick("Offers ", "We offer ", "Pay: ") + ", ".join(F(k, OFFERS, 1, 3)) + ".", k.para(F(k, APPLY, 1, 2)))


def lay_public(k):
    c = k.pick(f"{k.city()} City Council", f"Ministry of {k.pick('Health', 'Education', 'Works', 'Agriculture')}", f"University of {k.city()}", f"{k.city()} District Hospital", "Public Service Commission", f"County of {k.city()}")
    j = k.job_title()
    return J(
        k, c, k.opt(0.6, k.pick("VACANCY ANNOUNCEMENT", "Recruitment notice", "Advertisement No. " + k.ref(), "Public notice of vacant post", "RECRUITMENT")), f"{k.pick('Post', 'Position', 'Title of post')}: {j}" + k.opt(0.6, f" ({k.num(1, 12)} posts)"), k.opt(0.8, f"Ref. no.: {k.ref('HR', 'VAC')}"), f"{k.pick('Salary scale', 'Pay grade', 'Remuneration', 'Scale of pay')}: {k.money(18000, 70000)} - {k.money(70000, 99000)}", k.opt(0.6, f"Duration: {k.pick('permanent', 'three years, renewable', 'fixed-term')}"), k.opt(0.5, "Duty station: " + k.city()), BL,
        k.para(k.pick("Applications are invited from suitably qualified persons to fill the above post.", "The candidate will report to the " + k.job_title() + ".", "The post falls vacant on " + k.date() + ".")), k.pick("Duties:", "Key responsibilities:", "Functions of the post:"), "\n".join(f"({chr(97 + i)}) {cap(x)};" for i, x in enumerate(F(k, DUTIES, 3, 6))), k.pick("Essential qualifications:", "Eligibility:", "Minimum requirements:"), "\n".join(f"({k.pick('i', '-')}) {cap(x)}" for x in F(k, REQS, 3, 5)), BL, k.pick(f"Applications with copies of certificates, identity card and CV must reach the Secretary not later than {k.date()}.", k.para(F(k, APPLY, 2, 3)), f"Age limit: {k.num(25, 45)} years on {k.date()}. Application fee: {k.money(1, 20)}."), k.opt(0.6, k.fill(k.pick(FOOT))),
    )


def lay_email(k):
    return J(k, k.opt(0.6, f"From: {k.email()}\nTo: all-staff\nSubject: {k.pick('Internal vacancy', 'We are looking for a colleague', 'New opening: ' + k.job_title(), 'Know anyone?', 'Position to be filled')}\n"), k.pick("Dear all,", f"Hi {k.first()},", "Dear colleagues,", "Hello everyone,"), BL, k.para(k.pick(f"we have an opening for a {k.job_title()} in {k.department()}.", f"our {k.department()} team is looking for somebody to replace {k.first()}, who retires.", f"I found your profile online and have a role that could fit: {k.job_title()} at {org(k)}.", f"do you know a good {k.job_title()}? We pay {k.money(100, 900)} for a referral that leads to a hire."), f"The job: {', '.join(F(k, DUTIES, 2, 4))}.", f"You need {', '.join(F(k, REQS, 1, 3))}.", k.opt(0.7, f"There is {', '.join(F(k, OFFERS, 1, 3))}.")), BL, k.para(F(k, APPLY, 1, 2)), k.pick("Best regards,", "Thanks,", "Kind regards,"), k.person())


def lay_fields(k):
    rows = [("Job title", k.job_title()), ("Employer", org(k)), ("Location", k.city()), ("Type", k.pick("full-time", "part-time", "temporary", "contract", "internship", "shift work", "zero hours")), ("Salary", k.pick(k.money(20000, 90000) + " p.a.", k.money(9, 40) + " per hour", "competitive", "negotiable")), ("Hours", f"{k.num(8, 42)} per week"), ("Start", k.pick("immediately", k.date(), "asap")), ("Closing date", k.date()), ("Contact", k.person() + ", " + k.phone()), ("Job ID", k.ref("J", "REQ", "VAC")), ("Experience", f"{k.num(0, 9)}+ years"), ("Education", k.pick("degree", "none required", "vocational training", "high school")), ("Openings", str(k.num(1, 20))), ("Posted", k.date()), ("Apply", k.email()), ("Remote", k.pick("yes", "no", "hybrid"))]
    rows = rows[:2] + k.some(rows[2:], 5, 12)
    return J(k, k.opt(0.5, k.pick("Job centre listing", "Vacancy details", "Job portal", "New job alert", "Position summary")), k.table(["Field", "Details"], rows) if k.maybe(0.4) else "\n".join(f"{a}: {b}" for a, b in rows), BL, "Description: " + k.para(k.fill(k.pick(HOOKS)), "You will " + ", ".join(F(k, DUTIES, 2, 5)) + ".", "You have " + ", ".join(F(k, REQS, 2, 4)) + "."), k.opt(0.5, k.fill(k.pick(FOOT))), k.opt(0.5, k.fill(k.pick(APPLY))))


def lay_prose(k):
    c, j = org(k), k.job_title()
    return k.para(k.pick(f"{c} is {k.pick('a family firm', 'a leading supplier', 'a small team', 'one of the largest employers', 'a charity')} in {k.city()} known for {k.service()}.", f"For {k.num(3, 150)} years {c} has stood for quality in {k.service()}."), k.pick(f"We are now looking for a {j} who wants to grow with us.", f"To cope with rising demand we want to take on a {j}.", f"We seek a {j} to join us on {k.date()}."), f"You will {', '.join(F(k, DUTIES, 2, 4))}.", k.pick("Ideally you bring ", "We expect ", "It helps if you have ") + ", ".join(F(k, REQS, 2, 4)) + ".", k.pick("In return there is ", "You can look forward to ", "We offer ") + ", ".join(F(k, OFFERS, 2, 4)) + ".", k.para(F(k, APPLY, 1, 3)), k.opt(0.4, k.fill(k.pick(FOOT))))


def lay_social(k):
    return k.para(k.fill(k.pick(HOOKS)), k.pick(f"{k.job_title()} in {k.city()}?", f"#hiring {k.job_title()}", f"Our friends at {org(k)} need a {k.job_title()}.", f"New job alert: {k.job_title()}, {k.city()}."), cap(", ".join(F(k, OFFERS, 1, 3))) + ".", k.opt(0.5, "You should have " + k.fill(k.pick(REQS)) + "."), k.fill(k.pick(APPLY)), k.opt(0.4, k.pick("Share with friends!", "Tag someone who would be perfect.", "DM me.", "#jobs #careers #vacancy")))


def lay_household(k):
    return k.para(k.pick("Family", "Elderly couple", "Working parents", "Retired teacher", "Student flat", "Farm family") + f" in {k.city()} " + k.pick("looks for", "seeks", "needs", "would like to employ") + k.pick(" a nanny", " a cleaner", " a gardener", " a carer", " a dog walker", " a cook", " a tutor for maths", " a driver", " home help") + k.pick(f" for {k.num(2, 30)} hours a week.", ", live-in.", f" from {k.date()}.", ", mornings only."), k.opt(0.7, k.pick("You should be kind, patient and honest.", "References please.", "Non-smoker, driving licence.", "Must like animals.", "Experience with small children needed.")), f"Pay {k.money(9, 25)} an hour" + k.pick(".", ", registered.", ", meals included."), k.opt(0.5, k.pick("Own room with bath.", "Start with a trial week.", "School holidays off.")), k.pick(f"Ring {k.phone()} after {k.time()}.", f"Write to {k.email()}.", f"Box no. {k.num(100, 9999)}."))


def lay_multi(k):
    return J(k, org(k), k.pick("invites applications for the following positions:", "Current openings", "has the following vacancies:", "Urgently required", "Walk-in interviews for:"), BL, k.table(["Position", "No.", k.pick("Qualification", "Experience", "Pay")], [[k.job_title(), str(k.num(1, 25)), k.pick(f"{k.num(1, 10)} yrs", "Diploma", "Graduate", "Any", k.money(1000, 5000))] for _ in range(k.num(3, 7))]), BL, k.para(F(k, OFFERS, 0, 2)), k.para(F(k, APPLY, 1, 3)), k.opt(0.5, "Come with original certificates, two photos, CV and last payslip."))


def lay_intern(k):
    return J(k, k.pick("Internship", "Apprenticeship place", "Trainee programme", "Student job", "Volunteers needed", "Graduate scheme", "Summer job", "PhD position") + k.pick(" at ", ", ") + org(k), BL, k.para(k.pick(f"From {k.date()} we have {k.num(1, 12)} places for young people who want to become a {k.job_title()}.", f"We are looking for a student to help in {k.department()}.", f"Learn {k.service()} from the people who know it best."), f"What awaits you: {', '.join(F(k, DUTIES, 2, 4))}.", f"What we wish for: {', '.join(F(k, REQS, 1, 3))}.", k.opt(0.7, f"Allowance: {k.money(400, 1500)} a month."), k.pick("Send your last school report and CV.", "Tell us in a few lines why you want it.", k.fill(k.pick(APPLY)))))


def lay_agency(k):
    return J(k, k.opt(0.6, f"{k.company()} Recruitment"), f"{k.pick('Our client', 'A well-known company', 'An international group', 'A busy clinic', 'A law firm')} in {k.city()} is recruiting a {k.job_title()}.", BL, "The job: " + "; ".join(F(k, DUTIES, 2, 4)), "The candidate: " + "; ".join(F(k, REQS, 2, 4)), "The package: " + "; ".join(F(k, OFFERS, 2, 3)), BL, k.para(k.opt(0.6, f"Ref {k.ref('AG', 'JO')}."), k.para(F(k, APPLY, 1, 2)), k.opt(0.5, k.pick("All approaches are confidential.", "We act as an employment agency.", "Bring your CV and right-to-work papers to register."))))


# --- held out from training ---------------------------------------------------------------------

def lay_qa(k):
    return J(k, f"{k.job_title()} at {org(k)}", BL, f"What is it about?  {k.fill(k.pick(HOOKS))}", f"What would I do?  {cap('; '.join(F(k, DUTIES, 2, 4)))}", f"What do I need?  {cap('; '.join(F(k, REQS, 2, 4)))}", f"What is in it for me?  {cap('; '.join(F(k, OFFERS, 2, 4)))}", f"How do I get it?  {k.para(F(k, APPLY, 1, 2))}")


def lay_board(k):
    out = [f"[{k.ref('', 'J')}] {k.job_title()} / {org(k)} / {cap(', '.join(F(k, REQS, 1, 2)))} / {', '.join(F(k, OFFERS, 1, 2))} / {k.pick(k.phone(), k.email())}" for _ in range(k.num(2, 6))]
    return J(k, k.pick(f"Notice board {k.city()}: work available", f"Jobs of the week, {k.date()}", "Situations in our region"), *out)


LAYOUTS = [lay_standard, lay_window, lay_newspaper, lay_public, lay_email, lay_fields, lay_prose, lay_social, lay_household, lay_multi, lay_intern, lay_agency, lay_qa, lay_board]
