"""Texts of the class resume."""

ALIASES = [
    "resume", "Resume", "CV", "cv", "curriculum vitae", "Curriculum Vitae", "résumé", "candidate profile", "job applicant CV", "RESUME", "career summary", "bio-data", "Lebenslauf / CV",
    "applicant profile", "professional profile", "work history", "job seeker's resume", "personal profile of a candidate",
]

DESCRIPTIONS = [
    "summary of a person's education, work experience and skills", "a CV used to apply for a job", "lists jobs held, schools attended, languages and qualifications of a candidate", "career history of an applicant",
    "personal profile with employment history and references", "bio-data of a job seeker", "tells employers what somebody has done and can do", "curriculum vitae of a professional, student or academic", "overview of a person's career and abilities",
]

BL = "\0"


def J(k, *parts):
    """Lines of the parts that are not empty; BL stands for an empty line."""
    return "\n".join(p for p in parts if p).replace(BL, "").strip()


DEGREES = [
    "BSc Computer Science", "BA (Hons) History", "B.Com", "Master of Business Administration", "Diploma in Nursing", "MSc Mechanical Engineering", "PhD in Molecular Biology", "High school diploma", "GCSEs in nine subjects", "A-levels: Maths, Physics, French",
    "Abitur", "Associate degree in Accounting", "B.Tech (Civil)", "LLB", "Certificate III in Carpentry", "BEd Primary Education", "Apprenticeship as electrician", "Matric", "Baccalauréat", "Bachelor of Pharmacy", "HND Hospitality Management",
    "MA Translation Studies", "Higher Secondary Certificate", "Leaving Certificate", "NVQ Level 3 Childcare", "Doctor of Veterinary Medicine", "Bachelor of Arts in Economics", "Diploma in Graphic Design", "Master's degree in Public Health", "Trade certificate: welding",
    "BSc (Hons) Psychology", "M.Sc. Statistics", "Vocational training as bank clerk", "Bachelor of Fine Arts", "Postgraduate certificate in teaching", "Studies of law (not completed)", "Technician diploma in electronics",
]

SKILLS = [
    "Python", "Java", "SQL", "Excel", "SAP", "AutoCAD", "Photoshop", "project management", "customer service", "bookkeeping", "forklift licence", "first aid", "driving licence category B", "public speaking", "team leadership", "negotiation", "data analysis",
    "welding (MIG, TIG)", "patient care", "menu planning", "stock control", "cash handling", "touch typing", "social media", "copywriting", "Linux", "Docker", "Kubernetes", "C++", "JavaScript", "React", "budgeting", "payroll", "lesson planning", "time management",
    "conflict resolution", "phlebotomy", "barista skills", "food hygiene", "machine maintenance", "PLC programming", "CNC turning", "quality assurance", "Six Sigma", "Lean", "Scrum", "Power BI", "Tableau", "R", "MATLAB", "SolidWorks", "Salesforce", "Google Analytics",
    "MS Office", "Tally", "QuickBooks", "GST filing", "HGV licence", "scaffolding card", "child protection", "event planning", "floristry", "upholstery", "translation", "grant writing", "laboratory techniques", "PCR", "GIS", "risk assessment", "audit",
    "report writing", "reliable and punctual", "hard-working", "good with people", "works well under pressure", "attention to detail", "fast learner", "flexible", "problem solving", "multitasking", "horse care", "tractor driving", "sewing", "crop spraying",
]

LANGS = ["English", "French", "German", "Spanish", "Hindi", "Mandarin", "Arabic", "Portuguese", "Swahili", "Polish", "Italian", "Tamil", "Japanese", "Dutch", "Russian", "Yoruba", "Afrikaans", "Turkish", "Urdu", "Swedish", "Tagalog"]
LEVELS = ["native", "fluent", "basic", "intermediate", "mother tongue", "C1", "B2", "A2", "conversational", "business fluent", "good", "working knowledge", "school level", "excellent spoken and written"]
HOBBIES = ["running", "chess", "cooking", "football coaching", "choir singing", "reading crime novels", "hiking", "photography", "cricket", "volunteer fire brigade", "gardening", "swimming", "playing the piano", "travelling", "amateur theatre", "cycling", "knitting", "yoga", "sailing", "bird watching", "repairing old radios", "scouting"]

DUTIES = [
    "Managed a team of {num} people", "Answered customer enquiries by phone and e-mail", "Prepared month-end accounts and bank reconciliations", "Reduced costs by {percent}", "Increased sales by {percent} in one year", "Trained new starters",
    "Responsible for stock control and ordering", "Handled cash and card payments at the till", "Developed web applications for {num} clients", "Cared for up to {num} patients per shift", "Taught mathematics to children aged 11 to 16", "Drove deliveries across {city}",
    "Planned weekly rosters", "Introduced a new booking system", "Checked supplier invoices and purchase orders", "Wrote minutes of board meetings", "Processed payslips for {num} employees", "Dealt with complaints and refunds", "Maintained and repaired machines",
    "Supervised construction sites worth {money}", "Negotiated contracts with suppliers", "Carried out laboratory tests and wrote reports", "Cooked for up to {num} guests an evening", "Designed brochures, logos and web pages", "Organised trade fairs and events",
    "Led the migration to cloud servers", "Assessed insurance claims", "Picked and packed orders using a handheld scanner", "Operated CNC lathes and milling machines", "Welded pipes to specification", "Kept the premises clean and secure", "Filed tax returns for small businesses",
    "Reported to the {job}", "Installed wiring in {num} homes", "Promoted to {job} after two years", "Wrote automated tests and fixed bugs", "Coordinated shipments and customs papers", "Supported pupils with special needs", "Ran the reception desk and switchboard",
    "Drafted contracts and non-disclosure agreements", "Conducted interviews and prepared employment contracts", "Won the award for employee of the year", "Milked {num} cows twice a day", "Looked after guests at check-in and check-out", "Presented results to senior management",
    "Raised {money} for charity", "Read and interpreted blueprints", "Made coffee, served tables and closed the shop", "Translated manuals and brochures", "Published {num} papers", "Built dashboards for the finance team", "Achieved zero lost-time accidents in {num} months",
    "Administered medication and kept care records", "Recruited and coached volunteers", "Set up displays and served customers", "Ensured compliance with health and safety rules", "Kept the ledger up to date", "Responded to utility outages", "Dispensed prescriptions",
]

SUMMARIES = [
    "Experienced {job} with {num} years in the field and a strong record of results.", "Reliable and motivated {job} looking for a new challenge in {city}.", "Recent graduate seeking a first position in {dept}.", "I am a friendly, hard-working person who enjoys helping people.",
    "Career changer with a background as {job}.", "Results-driven professional with proven ability to lead teams and deliver on time.", "A dedicated {job} who works well alone and in a team.", "To obtain a responsible position where I can use my skills and grow with the organisation.",
    "Objective: a part-time post that fits around my studies.", "Senior {job} used to working with international customers.", "Mother of two returning to work after a family break.", "School leaver, keen to learn a trade, with a Saturday job behind me.", "Self-taught and curious, with a passion for clean work.",
    "Former soldier with leadership experience and security clearance.", "Qualified {job} holding a valid work permit for {country}.", "Seeking a challenging role as {job} in a growing company.", "Detail-minded specialist in {service}.", "I have spent most of my working life in {service} and now want to pass on what I know.",
]

HEADS = {
    "exp": ["Experience", "Work Experience", "Employment History", "PROFESSIONAL EXPERIENCE", "Career History", "Positions held", "Work history", "Employment", "Jobs so far", "Career to date", "Relevant Experience"],
    "edu": ["Education", "EDUCATION", "Education and Training", "Academic background", "Qualifications", "Schooling", "Academic Qualifications", "Studies"],
    "skl": ["Skills", "KEY SKILLS", "Core competencies", "Technical skills", "Abilities", "What I can do", "Skills & Tools", "Areas of expertise"],
    "lan": ["Languages", "LANGUAGES", "Language skills"],
    "hob": ["Interests", "Hobbies", "Hobbies and interests", "Personal interests", "Outside work"],
    "sum": ["Profile", "Summary", "PERSONAL STATEMENT", "Career objective", "About me", "Objective", "Professional summary"],
    "ref": ["References", "Referees", "REFERENCES"],
    "add": ["Additional information", "Certificates", "Further training", "Volunteering", "Achievements", "Memberships", "Awards", "Projects"],
}


def h(k, key):
    return k.pick(HEADS[key])


def span(k, hi=None):
    hi = hi or k.num(2003, 2025)
    lo = hi - k.num(1, 8)
    m = k.pick("Jan", "March", "05/", "Sept", "June", "10/", "")
    sp = "" if m.endswith("/") or not m else " "
    return k.pick(f"{lo} - {hi}", f"{m}{sp}{lo} to {hi}", f"{lo}-{hi}", f"{m}{sp}{lo} - {m}{sp}{hi}", f"{lo} to {hi}"), lo


def jobs(k, lo=1, hi=4, duties=(1, 4)):
    end = k.num(2016, 2025)
    out = []
    sty = k.num(0, 5)
    bul = k.pick("- ", "* ", "• ", "  - ", "")
    for i in range(k.num(lo, hi)):
        s, end2 = span(k, end)
        if i == 0 and k.maybe(0.6):
            s = k.pick(f"{end2} - present", f"since {end2}", f"{end2} to date", f"{end2} - now", f"Current (from {end2})")
        end = end2
        j, c = k.job_title(), k.pick(k.company(), k.company(), k.company(), f"{k.city()} Hospital", f"Hotel {k.last()}", f"{k.city()} City Council", f"{k.last()} Farm", f"St. {k.first()}'s School", "self-employed", f"{k.city()} University", "Army")
        ds = [k.fill(t) for t in k.some(DUTIES, *duties)]
        if sty == 0:
            e = f"{s}   {j}, {c}, {k.city()}\n" + "\n".join(bul + d for d in ds)
        elif sty == 1:
            e = f"{j}\n{c} | {k.city()} | {s}\n" + "\n".join(bul + d for d in ds)
        elif sty == 2:
            e = f"{c}, {k.city()} ({s})\n{j}\n" + ". ".join(ds) + "."
        elif sty == 3:
            e = f"{s}: {j} at {c}. " + "; ".join(d[0].lower() + d[1:] for d in ds) + "."
        elif sty == 4:
            e = f"{j.upper()} - {c}\n{s}\n" + "\n".join(bul + d + "." for d in ds)
        else:
            e = f"{j}, {c} [{s}]" + ("\n" + "\n".join(bul + d for d in ds) if k.maybe(0.7) else "")
        out.append(e)
    return k.pick("\n\n", "\n").join(out)


def place(k):
    return k.pick(f"University of {k.city()}", f"{k.city()} College", f"{k.city()} High School", f"Technical Institute, {k.city()}", f"{k.city()} Polytechnic", f"St. {k.first()}'s School, {k.city()}", f"{k.last()} Business School", f"Vocational School {k.city()}", f"{k.city()} State University", f"Govt. College, {k.city()}")


def edu(k, lo=1, hi=3):
    out = []
    sty = k.num(0, 4)
    for _ in range(k.num(lo, hi)):
        s, y = span(k)
        d, p = k.pick(DEGREES), place(k)
        g = k.opt(0.4, k.pick(f", grade {k.pick('A', 'B', '2:1', 'First', 'distinction', '1.7', 'merit')}", f", GPA {k.num(28, 40) / 10}", f", {k.num(55, 92)} %", ", with honours", ", passed"))
        out.append([f"{s}  {d}, {p}{g}", f"{d}{g}\n{p}, {y}", f"{d} - {p} ({s}){g}", f"{y}: {d}{g} ({p})", f"{p}: {d}, {s}{g}"][sty])
    return "\n".join(out)


def skills(k, lo=4, hi=12):
    s = k.some(SKILLS, lo, hi)
    f = k.num(0, 3)
    return [", ".join(s), "\n".join("- " + x for x in s), " | ".join(s), " · ".join(s)][f]


def langs(k):
    return k.pick(", ", "; ", "\n").join(f"{x} ({k.pick(LEVELS)})" for x in k.some(LANGS, 1, 4))


def extra(k):
    return k.fill(k.pick(
        "Member of the Institute of {service}.", "First aid certificate, {date}.", "Volunteer at the animal shelter, {city}.", "Employee of the month, {month}.", "Course in {service}, 40 hours.", "Treasurer of the parents' association.", "Clean driving licence, own car.",
        "Security clearance.", "Available from {date}.", "Notice period: {num} days.", "Willing to relocate and travel.", "Military service completed.", "Scholarship of the city of {city}.", "Safety card valid until {date}.", "Forklift licence renewed {month}.",
        "Portfolio: {url}", "Patent application on a {product} fixture.", "Salary expectation: {money}.", "Organised a charity run for {num} runners.", "Chartered accountant (part qualified).", "Side project: an open source library.", "Speaker at the {city} conference.",
        "Work permit: unlimited.", "Night shifts and weekends no problem.", "Registered nurse, PIN {ref}.", "Member of the works council.",
    ))


def refs(k):
    return k.pick("References available on request.", f"{k.title_person()}, {k.job_title()}, {k.company()}, {k.phone()}", "Referees: " + k.person() + " (former manager), " + k.email(), "Two references can be supplied.", f"Former head teacher {k.person()}; {k.person()}, family doctor.",
                  f"1. {k.person()}, {k.job_title()}\n2. {k.person()}, {k.job_title()}")


def contact(k, p):
    parts = k.some([k.address(", "), k.phone(), k.email(), k.city(), k.url(), "Born " + k.date(), "linkedin: " + p.split()[0].lower(), k.country()], 2, 4)
    return k.pick(" | ", "\n", ", ", "  *  ").join(parts)


def naming(k, p):
    return k.opt(0.5, k.pick("CURRICULUM VITAE", "Curriculum Vitae", "Resume", "RÉSUMÉ", "CV", f"CV of {p}", f"Resume - {p}", "Personal CV"))


def lay_standard(k):
    p = k.person()
    secs = [(h(k, "exp"), jobs(k, 2, 5, k.pick((1, 3), (2, 4), (3, 8)))), (h(k, "edu"), edu(k))]
    if k.maybe(0.35):
        secs.reverse()
    if k.maybe(0.65):
        secs.insert(0, (h(k, "sum"), k.fill(k.para(k.some(SUMMARIES, 1, 2)))))
    opt = []
    for pr, key, fn in ((0.8, "skl", skills), (0.5, "lan", langs), (0.35, "hob", lambda k: ", ".join(k.some(HOBBIES, 2, 5))), (0.4, "ref", refs), (0.5, "add", lambda k: "\n".join(extra(k) for _ in range(k.num(1, 4))))):
        if k.maybe(pr):
            opt.append((h(k, key), fn(k)))
    if k.maybe(0.3):
        k.r.shuffle(opt)
    u = k.pick(0, 1, 2, 3)
    fmt = lambda a, b: [f"{a.upper()}\n{b}", f"{a}\n{'-' * len(a)}\n{b}", f"{a}:\n{b}", f"== {a} ==\n{b}"][u]
    return J(k, naming(k, p), k.pick(p, p.upper()), k.opt(0.5, k.job_title()), contact(k, p), BL, "\n\n".join(fmt(a, b) for a, b in secs + opt))


def lay_tabular(k):
    p = k.person()
    rows = [("Name", p), (k.pick("Date of birth", "Born"), f"{k.date()} in {k.city()}"), ("Address", k.address(", ")), ("Telephone", k.phone()), ("E-mail", k.email()), ("Nationality", k.pick(k.country(), "dual", "EU citizen")), ("Marital status", k.pick("single", "married", "married, two children", "divorced"))]
    rows = rows[:1] + k.some(rows[1:], 2, 6)
    blk = []
    y = k.num(1975, 2004)
    steps = [f"Primary school, {k.city()}", f"{place(k)}, {k.pick(DEGREES)}", f"{k.pick(DEGREES)}, {place(k)}"] + [f"{k.job_title()}, {k.company()}, {k.city()}" for _ in range(k.num(1, 4))] + k.some(["Parental leave", "Military service", "Stay abroad", "Job-seeking", "Internship at " + k.company(), "Self-employed as " + k.job_title(), "Further training: " + k.service()], 0, 2)
    for s in steps:
        n = k.num(1, 5)
        blk.append((k.pick(f"{y} - {y + n}", f"{k.num(1, 12):02d}/{y} - {k.num(1, 12):02d}/{y + n}"), s))
        y += n
    if k.maybe(0.5):
        blk.reverse()
    w = k.pick(18, 24, 20)
    fmt = lambda rs: "\n".join(f"{a:<{w}}{b}" for a, b in rs)
    if k.maybe(0.3):
        fmt = lambda rs: k.table(["When", "What"], rs)
    return J(k, naming(k, p), BL, k.opt(0.5, "Personal data"), fmt(rows), BL, k.pick("Career", "Education and work", "School and profession", "Professional career", "Background"), fmt(blk), BL, k.opt(0.7, fmt([("Languages", langs(k).replace("\n", ", "))])), k.opt(0.6, fmt([("IT skills", ", ".join(k.some(SKILLS, 3, 6)))])), k.opt(0.5, fmt([("Hobbies", ", ".join(k.some(HOBBIES, 2, 4)))])), BL, k.opt(0.6, f"{k.city()}, {k.date()}"), k.opt(0.4, p))


def lay_prose(k):
    p = k.person()
    s, y = span(k)
    return k.para(
        k.pick(f"My name is {p} and I live in {k.city()}.", f"I am {p}, {k.num(18, 62)} years old, {k.job_title()} by trade.", f"{p}, {k.job_title()}, {k.city()}.", f"I was born in {k.city()} and went to {place(k)}."),
        k.pick(f"After school I trained as a {k.job_title()} at {k.company()}.", f"I studied at {place(k)} and finished with a {k.pick(DEGREES)}.", f"I left school in {y} and started to work right away."),
        k.pick(f"From {s} I worked as {k.job_title()} for {k.company()}, where I {k.pick('served customers', 'looked after the accounts', 'drove a lorry', 'led a small team', 'repaired engines', 'planned the shifts')}.", f"My first job was with {k.company()} as {k.job_title()}; then I moved to {k.city()}."),
        k.pick(f"Since {y + 5} I have been {k.job_title()} at {k.company()}.", f"At present I am a {k.job_title()}.", f"Right now I am between jobs and can start on {k.date()}."),
        k.opt(0.8, k.pick("I speak " + " and ".join(k.some(LANGS, 2)) + ".", f"I am good at {', '.join(k.some(SKILLS, 2, 4))}.", "I hold a driving licence and have my own car.")),
        k.opt(0.7, k.fill(k.pick(SUMMARIES))), k.opt(0.5, f"In my spare time I like {' and '.join(k.some(HOBBIES, 2))}."), k.opt(0.5, k.pick(f"You can reach me on {k.phone()}.", f"Write to me at {k.email()}.", "My former boss will gladly tell you more.")),
    )


def lay_biodata(k):
    p = k.person()
    rows = [("Father's Name", "Shri " + k.person()), ("Date of Birth", k.date()), ("Gender", k.pick("Male", "Female")), ("Marital Status", k.pick("Married", "Unmarried", "Single")), ("Nationality", k.pick("Indian", "Kenyan", "Filipino", "Nigerian", "Nepali")), ("Languages Known", ", ".join(k.some(LANGS, 2, 4))), ("Permanent Address", k.address(", ")), ("Hobbies", ", ".join(k.some(HOBBIES, 2, 3))), ("Religion", k.pick("Hindu", "Christian", "Muslim", "Sikh")), ("Passport No.", k.ref("P", "Z")), ("State of origin", k.city()), ("Height", f"{k.num(150, 185)} cm")]
    sep = k.pick(" : ", ": ", " :- ")
    ed = [[k.pick("SSC", "HSC", "B.Com", "B.Sc", "MBA", "Diploma", "B.E.", "10th", "12th", "ITI", "M.Com"), k.pick("State Board", "CBSE", "Mumbai University", f"{k.city()} University", "ICSE"), str(k.num(1998, 2022)), f"{k.num(50, 94)}%"] for _ in range(k.num(2, 4))]
    return J(
        k, k.opt(0.5, k.pick("BIO-DATA", "BIODATA", "RESUME", "CURRICULUM VITAE")), p, k.opt(0.8, f"Mob{sep}{k.phone()}  Email{sep}{k.email()}"), BL, k.opt(0.7, k.pick("CAREER OBJECTIVE", "OBJECTIVE") + "\n" + k.fill(k.pick(SUMMARIES))), BL,
        k.pick("EDUCATIONAL QUALIFICATION", "ACADEMIC DETAILS", "Academic Profile"), k.table(["Exam", "Board/University", "Year", "Percentage"], ed), BL,
        k.opt(0.8, k.pick("WORK EXPERIENCE", "EXPERIENCE") + "\n" + k.pick("Fresher.", f"{k.num(1, 18)} years as {k.job_title()} with {k.company()}.", jobs(k, 1, 2, (1, 3)))), k.opt(0.7, "COMPUTER KNOWLEDGE" + sep + ", ".join(k.some(["MS Office", "Tally", "Internet", "Java", "DCA", "Photoshop", "SAP"], 2, 4))), BL,
        k.opt(0.8, "PERSONAL DETAILS"), "\n".join(a + sep + b for a, b in k.some(rows, 4, 9)), BL, k.opt(0.7, k.pick("I hereby declare that the above information is true to the best of my knowledge and belief.", "DECLARATION: All particulars given above are correct.")), k.opt(0.6, f"Place{sep}{k.city()}\nDate{sep}{k.date()}      ({p})"),
    )


def lay_email(k):
    p = k.person()
    return J(
        k, k.opt(0.5, f"From: {k.email()}\nTo: {k.email()}\nSubject: {k.pick('Application as ' + k.job_title(), 'My CV', 'Looking for work', k.job_title() + ' - ' + p, 'My details')}\n"), k.pick("Dear Sir or Madam,", f"Hi {k.first()},", "Hello,", f"Dear {k.title_person()},"), BL,
        k.pick("here is a short overview of my career:", "as requested, my background in brief.", "I saw your job advertisement; these are my details:", "please find my work history below, pasted as plain text.", "you asked what I have done so far:"), BL,
        k.opt(0.5, k.fill(k.pick(SUMMARIES))), jobs(k, 1, 3, (1, 2)), BL, k.pick("School: ", "Education: ", "") + edu(k, 1, 2), k.opt(0.7, "Skills: " + ", ".join(k.some(SKILLS, 3, 7))), k.opt(0.5, "Languages: " + langs(k).replace("\n", ", ")), k.opt(0.4, extra(k)), BL,
        k.pick("References on request.", "I would be glad to come for an interview.", "Available immediately.", "Thank you for your time.", f"You can ring me on {k.phone()}."), p,
    )


def lay_academic(k):
    p = k.person()
    topics = ["the migration of birds", "soil bacteria", "medieval trade routes", "graph algorithms", "heart failure in dogs", "labour markets", "concrete fatigue", "language acquisition", "solar cells", "protein folding", "rural health", "tax law reform", "ocean currents", "machine translation"]
    pubs = [f"{p.split()[-1]}, {p[0]}. ({k.num(2001, 2024)}). {k.pick('On', 'A study of', 'Notes on', 'Modelling', 'Measuring')} {k.pick(topics)}. Journal of {k.pick('Applied Science', 'Economics', 'Biology', 'History', 'Engineering', 'Medicine')} {k.num(2, 60)}, {k.num(1, 90)}-{k.num(91, 200)}." for _ in range(k.num(2, 5))]
    secs = [("Education", edu(k, 2, 3)), (k.pick("Appointments", "Academic positions"), "\n".join(f"{span(k)[0]}  {k.pick('Lecturer', 'Postdoctoral fellow', 'Assistant professor', 'Research assistant', 'Visiting scholar', 'Reader', 'Professor')}, {place(k)}" for _ in range(k.num(2, 4)))), (k.pick("Publications", "Selected publications"), "\n".join(pubs))]
    secs += k.some([("Grants", f"{k.money(9000, 400000)} for research into {k.pick(topics)}"), ("Teaching", f"Courses on {k.pick(topics)} and {k.pick(topics)}; supervision of {k.num(2, 14)} theses"), ("Research interests", ", ".join(k.some(topics, 2, 4))), ("Service", "Reviewer for journals; member of the faculty board"), ("Conference talks", f"{k.city()} {k.num(2008, 2024)}, {k.city()} {k.num(2008, 2024)}"), ("Awards", f"Young researcher prize, {k.city()}"), ("Languages", langs(k)), ("Thesis", f"\"{k.pick(topics).capitalize()}\", supervised by {k.title_person()}")], 2, 6)
    return J(k, naming(k, p), k.pick("Dr. ", "", "Prof. ", "") + p, contact(k, p), BL, k.pick("\n\n", "\n").join(f"{a.upper() if k.maybe(0.5) else a}\n{b}" for a, b in secs))


def lay_student(k):
    p = k.person()
    things = ["Paper round, two years", "Babysitting for neighbours", "Saturday job in the bakery", "Work experience at the vet", "Helped at my uncle's garage", "Captain of the hockey team", "School newspaper", "Duke of Edinburgh award", "Holiday job in a warehouse", "Tutoring younger pupils in maths", "Internship at the town hall", "Dog walking", "Summer camp leader", "Waitressing at weddings", "Student council"]
    return J(
        k, naming(k, p), p, contact(k, p), BL, k.fill(k.pick("I am in my last year at school and would like to become a {job}.", "Sixteen, polite and quick to learn, I am looking for a Saturday job.", "Student of {service} in the third semester, looking for a placement.", "I finish school in {month} and seek an apprenticeship as {job}.", "Looking for a summer job, free from {date}.")), BL,
        k.pick("School", "Education") + "\n" + edu(k, 1, 2), BL, k.pick("Experience", "What I have done", "Jobs and activities") + "\n" + "\n".join("- " + t for t in k.some(things, 2, 5)), BL, k.opt(0.7, "Favourite subjects: " + ", ".join(k.some(["maths", "sport", "biology", "art", "IT", "English", "woodwork", "geography", "music"], 2, 3))),
        k.opt(0.7, "Good at: " + ", ".join(k.some(SKILLS[-20:] + ["computers", "drawing", "listening", "maths"], 2, 5))), k.opt(0.6, "Hobbies: " + ", ".join(k.some(HOBBIES, 2, 4))), k.opt(0.4, refs(k)),
    )


def lay_profile(k):
    """Agency or portal profile of a candidate."""
    p = k.pick(k.person(), "Candidate " + k.ref("C", "K"), k.first())
    rows = [("Candidate", p), ("Occupation", k.job_title()), ("Location", k.city()), ("Experience", f"{k.num(1, 35)} years"), ("Availability", k.pick("immediately", k.date(), "1 month notice", "3 months")), ("Last position", f"{k.job_title()}, {k.company()}"), ("Highest qualification", k.pick(DEGREES)), ("Skills", ", ".join(k.some(SKILLS, 3, 8))), ("Languages", ", ".join(k.some(LANGS, 1, 3))), ("Expected salary", k.money(20000, 90000)), ("Driving licence", k.pick("yes", "no", "B, C1", "full")), ("Willing to travel", k.pick("yes", "no", "within 50 km")), ("Previous employers", ", ".join(k.company() for _ in range(k.num(1, 3)))), ("Looking for", k.pick("full-time", "part-time", "contract", "night shift", "remote work", "freelance projects")), ("Certificates", ", ".join(k.some(["first aid", "forklift", "PRINCE2", "CPA", "food hygiene", "welding", "TEFL", "AWS", "ITIL"], 1, 3)))]
    rows = rows[:2] + k.some(rows[2:], 5, 12)
    return J(k, k.opt(0.6, k.pick("Candidate profile", "Applicant profile", "Talent card", "Job seeker registration", "Freelancer profile", "Consultant profile", k.company() + " staffing")), k.table(["Field", "Entry"], rows) if k.maybe(0.4) else "\n".join(f"{a}: {b}" for a, b in rows), k.opt(0.6, BL), k.opt(0.7, k.fill(k.para(k.some(SUMMARIES, 1, 2)))), k.opt(0.5, k.fill(". ".join(k.some(DUTIES, 2, 4))) + "."))


def lay_tech(k):
    p = k.person()
    tools = "Go Rust PostgreSQL AWS Terraform Git TypeScript Node.js Django Spring Jenkins Kafka Redis Swift Kotlin Ansible Azure Spark TensorFlow Jira Bash .NET PHP Oracle VMware Cisco".split()
    bl = k.pick("* ", "- ", "• ")
    pr = ["Cut page load time by {percent}", "Moved {num} services to the cloud", "Built a payment gateway used by {num} shops", "Wrote the parser for bank statements", "On-call rotation for {num} servers", "Led code reviews and mentoring", "Replaced a legacy billing system", "Automated deployment, down from days to minutes", "Designed REST APIs", "Tuned slow database queries", "Migrated invoices to paperless workflow", "Ran penetration tests", "Introduced unit tests, coverage {percent}", "Shipped the mobile app to the store"]
    js = "\n\n".join(f"{k.pick('Software Engineer', 'Backend Developer', 'DevOps Engineer', 'Data Scientist', 'QA Engineer', 'Tech Lead', 'Systems Administrator', 'Web Developer', 'Intern')} @ {k.company()} ({span(k)[0]})\n" + "\n".join(bl + k.fill(x) for x in k.some(pr, 2, 4)) + k.opt(0.5, "\nStack: " + ", ".join(k.some(tools, 2, 5))) for _ in range(k.num(2, 4)))
    return J(k, naming(k, p), p, k.pick(f"github: {p.split()[0].lower()} | ", "") + contact(k, p), BL, k.opt(0.6, h(k, "skl") + "\n" + ", ".join(k.some(tools, 5, 12))), BL, h(k, "exp"), js, BL, h(k, "edu"), edu(k, 1, 2), k.opt(0.4, "Projects: " + k.pick("chess engine", "home automation", "weather station", "budget tracker", "open source mail filter")))


def lay_trade(k):
    p = k.person()
    trade = k.pick("bricklayer", "lorry driver", "chef", "welder", "seafarer", "nurse", "carpenter", "dairyman", "hairdresser", "electrician", "security guard", "cleaner", "nanny", "tailor", "plumber", "tiler", "waiter", "crane driver")
    tick = ["HGV class 1", "CSCS card", "forklift", "food hygiene level 2", "first aid at work", "gas safe", "STCW basic safety", "asbestos awareness", "working at height", "SIA badge", "chainsaw", "sprayer", "police check", "own tools", "own van"]
    return J(
        k, naming(k, p), f"{p}, {trade}", k.pick(k.phone(), contact(k, p)), BL, k.para(k.pick(f"{k.num(2, 40)} years in the trade.", f"Time-served {trade}.", f"Qualified {trade}, trained at {k.company()}.", f"Worked all over {k.country()}."), k.opt(0.6, k.pick("No job too small.", "Can start Monday.", "Fit, honest, never late.", "Happy to work away or on nights.", "Non-smoker."))), BL,
        k.pick("Tickets", "Licences and cards", "Papers", "Certificates") + ": " + ", ".join(k.some(tick, 2, 5)), BL, k.pick("Recent jobs", "Where I have worked", "Past employers", "Ships and ports", "Sites") + ":\n" + "\n".join(k.pick("- ", "") + f"{span(k)[0]} {k.company()}, {k.city()}" + k.opt(0.5, k.pick(", hotel refurbishment", ", housing estate", ", night shift", ", school kitchen", ", ward 4", ", bulk carrier", ", long distance", ", left because firm closed")) for _ in range(k.num(2, 5))), k.opt(0.6, refs(k)),
    )


def lay_executive(k):
    p = k.person()
    return J(
        k, p.upper(), k.pick("Chief Financial Officer", "Managing Director", "Regional Sales Director", "Head of Operations", "Hospital administrator", "Hotel general manager", "School principal", "Plant manager") + k.opt(0.5, " | " + k.city()), contact(k, p), BL,
        k.fill(k.para(k.some(["Senior executive with {num} years of leadership in {service}.", "Turned a loss-making subsidiary into profit within {num} months.", "Known for building teams and for calm judgement.", "Full responsibility for budgets of {money}.", "Experienced board member and adviser.", "Led the sale of the company to an international group.", "Hands-on, numerate and direct."], 2, 4))), BL,
        k.opt(0.7, "Selected achievements\n" + "\n".join("• " + k.fill(x) for x in k.some(["Grew revenue from {money} to {money}", "Opened {num} new sites", "Cut staff turnover by {percent}", "Negotiated credit lines with {bank}", "Closed two factories without a strike", "Introduced the group's first ERP", "Won the tender for the {city} airport"], 2, 5))), BL, k.pick("Career", "Career history", "Board and management roles"), jobs(k, 2, 4, (1, 3)), BL, h(k, "edu"), edu(k, 1, 2), k.opt(0.5, "Non-executive posts: " + k.company()), k.opt(0.4, "Languages: " + langs(k).replace("\n", ", ")),
    )


def lay_form(k):
    p = k.person()
    d = k.pick(" ........ ", " ____ ", ": ")
    return J(
        k, k.pick("APPLICANT DETAILS", "Personal record of applicant", "Europass-style form", "Application form, part B: your background", "Candidate data sheet", "CV form"), f"Surname{d}{p.split()[-1]}", f"First name{d}{p.split()[0]}", k.opt(0.7, f"Date of birth{d}{k.date()}"), k.opt(0.6, f"Phone{d}{k.phone()}"), k.opt(0.5, f"Sex{d}{k.pick('[x] F [ ] M', '[ ] F [x] M')}"), k.opt(0.7, f"Desired job{d}{k.job_title()}"), BL,
        "Employment (latest first)", "\n".join(f"{i}. From-to{d}{span(k)[0]}  Employer{d}{k.company()}  Post{d}{k.job_title()}" + k.opt(0.6, f"  Reason for leaving{d}{k.pick('contract ended', 'moved house', 'better pay', 'redundancy', 'further study', 'parental leave')}") for i in range(1, k.num(2, 5))), BL, "Schools and training", "\n".join(f"{i}. {place(k)}{d}{k.pick(DEGREES)}{d}{k.num(1990, 2023)}" for i in range(1, k.num(2, 4))), BL,
        f"Languages{d}{langs(k)}", k.opt(0.7, f"Computer skills{d}{', '.join(k.some(SKILLS, 2, 5))}"), k.opt(0.6, f"Driving licence{d}{k.pick('yes', 'no', 'B')}"), k.opt(0.5, f"Other{d}{extra(k)}"), k.opt(0.4, "I confirm that these details are true. Signature" + d + p),
    )


def lay_short(k):
    p = k.person()
    return k.pick(" / ", ". ", "\n", ", ").join([p, k.job_title(), f"{k.num(1, 30)} yrs experience", k.city()] + k.some([f"ex {k.company()}", k.pick(DEGREES), ", ".join(k.some(SKILLS, 2, 5)), "speaks " + " & ".join(k.some(LANGS, 2)), k.phone(), "free from " + k.date(), "own car", f"before that {k.job_title()} at {k.company()}", "references available", "seeks full-time work"], 4, 8))


def lay_bio(k):
    p = k.person()
    f = p.split()[0]
    he = k.pick("He", "She")
    return k.para(
        f"{p} is {k.pick('a', 'an experienced', 'a freelance', 'a senior', 'a certified')} {k.job_title()} based in {k.city()}.", f"{he} holds a {k.pick(DEGREES)} from {place(k)}.",
        k.pick(f"Before joining {k.company()} in {k.num(2005, 2024)}, {f} worked for {k.company()} as {k.job_title()}.", f"{f} began as {k.job_title()} and rose to {k.job_title()} at {k.company()}."), k.pick(f"{he} has led projects in {k.service()} and {k.service()}.", f"Among {'his' if he == 'He' else 'her'} clients are {k.company()} and {k.company()}.", k.fill(f"{he} " + k.pick("managed a staff of {num}", "brought in sales of {money}", "trained {num} colleagues")) + "."),
        k.opt(0.7, f"{he} is skilled in {', '.join(k.some(SKILLS, 2, 5))}."), k.opt(0.6, f"{he} speaks {' and '.join(k.some(LANGS, 2))}."), k.opt(0.4, f"{f} is a member of the association of {k.pick('engineers', 'translators', 'accountants', 'nurses', 'architects')}."), k.opt(0.4, f"{he} lives with family in {k.city()} and enjoys {k.pick(HOBBIES)}."),
    )


# --- held out from training ---------------------------------------------------------------------

def lay_timeline(k):
    p = k.person()
    y = k.num(1990, 2010)
    out = []
    for t in [f"born in {k.city()}"][:k.num(0, 1)] + [f"finished school: {k.pick(DEGREES)}", f"{k.pick(DEGREES)} at {place(k)}"] + [f"{k.job_title()} with {k.company()}; {k.fill(k.pick(DUTIES)).lower()}" for _ in range(k.num(2, 5))]:
        out.append(f"{y} >> {t}")
        y += k.num(1, 4)
    return J(k, f"{p}: {k.pick('my path so far', 'stations', 'career timeline', 'life and work')}", *out, k.opt(0.7, f"today >> looking for a post as {k.job_title()} in {k.city()}"), k.opt(0.7, "can do >> " + ", ".join(k.some(SKILLS, 3, 7))), k.opt(0.5, "reach me >> " + k.email()))


def lay_twocol(k):
    p = k.person()
    l = [p.upper()[:26], k.city(), k.phone(), "", "SKILLS"] + [x[:26] for x in k.some(SKILLS, 4, 7)] + ["", "LANGUAGES"] + [x for x in k.some(LANGS, 2, 3)]
    r = ["PROFILE", k.fill(k.pick(SUMMARIES)), "", "EXPERIENCE"] + jobs(k, 2, 3, (1, 2)).split("\n") + ["", "EDUCATION"] + edu(k, 1, 2).split("\n")
    n = max(len(l), len(r))
    l += [""] * (n - len(l))
    r += [""] * (n - len(r))
    return "\n".join(f"{a:<28}{b}".rstrip() for a, b in zip(l, r))


LAYOUTS = [
    lay_standard, lay_tabular, lay_prose, lay_biodata, lay_email, lay_academic, lay_student, lay_profile, lay_tech, lay_trade, lay_executive, lay_form, lay_short, lay_bio, lay_timeline, lay_twocol,
]
