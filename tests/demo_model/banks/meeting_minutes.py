"""Texts of the class meeting_minutes."""

ALIASES = [
    "meeting_minutes", "Meeting Minutes", "minutes", "Minutes of Meeting", "MoM", "meeting notes", "minutes of the meeting", "board minutes", "meeting record", "protocol of a meeting", "MEETING_MINUTES", "meeting summary",
    "record of discussion", "committee minutes", "Meeting protocol", "AGM minutes", "notes of a meeting", "Minutes (board, team, committee)",
]

DESCRIPTIONS = [
    "records who met, what was discussed and what was decided", "minutes of a board, committee, team or club meeting", "notes of a meeting with attendees, agenda items and action points", "protocol of resolutions, votes and tasks",
    "summary of a discussion with decisions and next steps", "written record of a general assembly", "who attended, who apologised, what was agreed and who does what until when", "notes taken at a meeting or call", "official record of proceedings and motions carried",
]

BL = "\0"


def J(k, *parts):
    """Lines of the parts that are not empty; BL stands for an empty line."""
    return "\n".join(p for p in parts if p).replace(BL, "").strip()


BODIES = [
    "Board of Directors", "project team", "parents' association", "works council", "allotment society", "sales team", "parish council", "homeowners' association", "steering committee", "health and safety committee", "finance committee", "sports club committee", "staff of the {dept} department",
    "editorial board", "ward team", "school governors", "village hall trustees", "annual general meeting of members", "shareholders", "tenants' council", "farmers' cooperative", "choir committee", "site meeting", "management team", "ethics committee", "city council", "product team", "crisis team",
    "union branch", "charity trustees", "scrum team", "kitchen staff", "volunteers", "quality circle", "audit committee", "housing society", "student council", "building committee", "IT steering group", "library friends", "regional managers", "sailing club", "care team",
]

TOPICS = [
    ("Budget", ["{person} presented the figures; spending is {percent} above plan.", "The budget of {money} for next year was approved.", "Travel costs must come down.", "The reserve stands at {money}.", "It was felt that the figures were too optimistic."]),
    ("Treasurer's report", ["The balance at {bank} is {money}.", "All invoices have been paid except the one from {company}.", "Membership fees of {num} members are still outstanding.", "The accounts were adopted.", "The auditors found no irregularities."]),
    ("New supplier", ["Three quotations were compared; {company} was the cheapest at {money}.", "The purchase order for {product} will be placed this week.", "{person} will negotiate the contract with {company}.", "Delivery of {product} is late again."]),
    ("Staffing", ["Two posts are vacant; the job posting goes out on {date}.", "{person} leaves at the end of {month}.", "The new {job} starts on {date}.", "Sickness is high in {dept}.", "The holiday rota was agreed.", "Interviews will take place next week; {num} CVs came in."]),
    ("Premises", ["The roof leaks above the kitchen; {company} will look at it.", "The lease ends on {date} and the landlord wants a higher rent.", "Parking spaces are to be marked.", "The heating was repaired for {money}.", "The fire drill took {num} minutes.", "The electricity bill has doubled."]),
    ("Complaints", ["{num} complaints came in since the last meeting, mainly about {service}.", "The letter from {person} was read out.", "A reply has been sent and a refund of {money} offered.", "Customers are unhappy with waiting times."]),
    ("Events", ["The summer party takes place on {date} in {city}.", "{person} books the hall and the band.", "Ticket sales brought in {money}.", "Helpers are needed for the cake stall.", "Rain cover has to be arranged."]),
    ("IT", ["The new system goes live on {date}.", "The server crashed twice; {person} is looking into the logs.", "Passwords must be changed.", "Training for {num} users was planned.", "Backup tests were successful."]),
    ("Sales", ["Orders rose by {percent} against last year.", "The customer in {city} has not signed yet.", "The price list will be raised by {percent}.", "Two large quotations are pending.", "{person} reported on the trade fair in {city}."]),
    ("Safety", ["One accident was reported: {person} slipped on wet tiles.", "The insurance claim for the forklift is under way.", "First-aid boxes were checked.", "Everybody must wear helmets on site.", "Near misses are to be written down."]),
    ("Construction progress", ["The concrete for the second floor was poured.", "Work is {num} days behind schedule.", "The electrician needs access from {date}.", "Defects listed in the last protocol have been put right.", "Scaffolding comes down in {month}."]),
    ("Membership", ["{num} new members joined, {num} resigned.", "The annual fee will be {money} from next year.", "{person} was made an honorary member.", "A leaflet is to be printed."]),
    ("Elections", ["{person} was elected chair with {num} votes.", "{person} stood down after nine years; the members thanked her.", "{person} and {person} were proposed as auditors and elected by show of hands.", "The post of secretary stays vacant."]),
    ("Planning", ["The application by {company} to build {num} flats was discussed at length.", "Residents spoke against the bypass.", "The council resolved to object.", "Speed bumps in {street} were requested."]),
    ("Product", ["The release is moved to {date}.", "Two blocking bugs remain.", "Users want an export function.", "Design of the start page was approved.", "{person} will demo the prototype next time."]),
    ("Purchasing of equipment", ["It was agreed to buy {product} for up to {money}.", "The old machine will be sold.", "{person} gets two more offers.", "Leasing was considered and rejected."]),
    ("Curriculum", ["The new timetable starts after the holidays.", "Homework club runs on {weekday}.", "The science teacher asked for {product}.", "School lunches were praised by parents."]),
    ("Patients", ["Bed occupancy was {percent}.", "The case of the patient in room {num} was discussed.", "Hand-over notes need more detail.", "Medical reports must be typed within {num} hours.", "The new dosing chart was explained."]),
    ("Correspondence", ["A letter from the tax office was noted.", "The bank statement and a thank-you card were tabled.", "The bank asks for new signatures.", "An invitation from {company} was accepted."]),
    ("Contracts", ["The maintenance contract with {company} is renewed for one year.", "Legal advice on the non-disclosure agreement will be sought.", "The employment contract of the {job} was approved.", "The insurance policy was put out to tender."]),
    ("Shipping", ["The container with {product} left on {date}.", "Customs papers were missing.", "A second carrier will be tried.", "{num} pallets were damaged in transit."]),
    ("Any other business", ["{person} asked about the keys.", "There was no other business.", "The coffee machine is out of order.", "Photographs will be put on the website.", "Thanks were given to {person} for the flowers.", "The question of biscuits was deferred."]),
]

DECISIONS = [
    "Resolved: to accept the offer of {company}.", "Decision: postponed to the next meeting.", "Agreed unanimously.", "Carried by {num} votes to two.", "The motion was proposed by {person}, seconded by {person} and carried.", "The proposal was rejected.", "Approved with one abstention.", "IT WAS RESOLVED that the expense of {money} be approved.",
    "No decision was taken.", "The chair's casting vote decided.", "All in favour.", "The board took note of the report.", "It was decided to wait for the audit.", "Vote: {num} yes, 3 no, 1 abstention.", "The item was deferred.", "We agreed to try it for three months.", "Everyone was fine with that.",
    "Noted.", "The committee authorised the treasurer to pay.",
]

ACTIONS = [
    "send the figures to all", "call {company}", "book a room in {city}", "write the letter", "get two quotations for {product}", "update the risk list", "pay the invoice", "order {product}", "invite {person}", "check the contract", "prepare the budget", "repair the fence", "circulate the minutes", "talk to the landlord",
    "draft a job advertisement", "answer the complaint of {person}", "organise training", "test the backup", "fix the bug in the export", "file the insurance claim", "ask the bank for terms", "print the posters", "contact the council", "collect the missing receipts", "review the policy", "plan the next visit", "measure the hall", "renew the licence",
]


def topic(k, lo=1, hi=3):
    t, ss = k.pick(TOPICS)
    return t, [k.fill(s) for s in k.some(ss, lo, hi)]


def topics(k, lo, hi):
    ts = k.some(TOPICS[:-1], lo, hi)
    if k.maybe(0.4):
        ts.append(TOPICS[-1])
    return [(t, [k.fill(s) for s in k.some(ss, 1, 4)]) for t, ss in ts]


def decision(k, p=0.6):
    return k.fill(k.pick(DECISIONS)) if k.maybe(p) else ""


def action(k):
    who = k.pick(k.person(), k.first(), k.first(), k.last(), k.department(), "".join(c[0] for c in k.person().split()), "all", "Chair", "Treasurer")
    what = k.fill(k.pick(ACTIONS))
    return who, what, k.pick(k.date(), "by " + k.date(), "next week", "asap", "before the next meeting", "end of " + k.month_year(), "ongoing", "done", k.weekday())


def actions(k, lo=1, hi=5):
    rows = [action(k) for _ in range(k.num(lo, hi))]
    f = k.num(0, 4)
    if f == 0:
        return k.table(["Who", "What", "When"], rows)
    if f == 1:
        return "\n".join(f"- {a}: {b} ({c})" for a, b, c in rows)
    if f == 2:
        return "\n".join(f"[ ] {b} - {a}, {c}" for a, b, c in rows)
    if f == 3:
        return "\n".join(f"{i}. {a} to {b}, {c}" for i, (a, b, c) in enumerate(rows, 1))
    return "; ".join(f"{a} will {b}" for a, b, c in rows) + "."


def body_name(k):
    return k.fill(k.pick(BODIES))


def present(k, lo=2, hi=7):
    out = []
    sty = k.num(0, 3)
    for _ in range(k.num(lo, hi)):
        p = k.pick(k.person(), k.title_person(), k.person())
        out.append(p + ["", k.opt(0.5, f" ({k.pick('chair', 'secretary', 'treasurer', 'minutes', 'guest', 'via video', 'from item 3')})"), k.opt(0.5, ", " + k.job_title()), ""][sty])
    return k.pick(", ", "; ", "\n").join(out)


def nextm(k):
    return k.pick(f"Next meeting: {k.date()}, {k.time()}.", f"The next meeting will be held on {k.weekday()}, {k.date()} at {k.time()}.", f"We meet again on {k.date()}.", "Date of next meeting to be announced.", f"Next: {k.date()}, same place.", f"Next session {k.date()} in {k.city()}.")


def closing(k):
    return k.pick(f"The meeting closed at {k.time()}.", f"There being no further business, the chair declared the meeting closed at {k.time()}.", f"Meeting adjourned at {k.time()}.", f"End: {k.time()}.", f"The chairman thanked all present and closed the session at {k.time()}.", "")


def taker(k):
    return k.pick(f"Minutes: {k.person()}", f"Recorded by {k.person()}", f"Signed: ______________ (Chair)  Date: {k.date()}", f"{k.person()}, Secretary", f"Taken by {k.first()}", f"For the record: {k.person()}        Chair: {k.person()}", "Confirmed as a correct record ____________", f"Minute taker {k.person()}", "")


def opening(k):
    p = k.person()
    return k.pick(f"{p} opened the meeting at {k.time()} and welcomed everybody.", f"{p} took the chair and declared that a quorum was present.", f"The chair, {p}, called the meeting to order at {k.time()}.", f"{p} welcomed those present and noted that the invitation had been sent in due time.", "The agenda was accepted without changes.", "The record of the last meeting was read and approved.",
                  f"Minutes of {k.date()} were taken as read and signed.", f"Matters arising: {k.fill(k.pick(ACTIONS))} - done.", "It was found that the meeting was quorate.")


def title(k, b):
    return k.pick(f"MINUTES OF THE MEETING OF THE {b.upper()}", f"Minutes - {b}", "Minutes of Meeting", f"{b}: meeting notes", f"Record of the {b} meeting", f"Meeting minutes, {b}", f"Protocol of the meeting of the {b}", "MINUTES", f"Notes from the {b} meeting", f"Proceedings of the {b}")


def lay_formal(k):
    b = body_name(k)
    st = k.num(0, 3)
    base = k.num(20, 90)
    out = []
    for n, (t, ss) in enumerate(topics(k, 3, 8), 1):
        h = [f"{n}. {t}", f"{n}. {t.upper()}", f"Item {n}: {t}", f"{base}/{n} {t}"][st]
        d = decision(k)
        a = action(k)
        out.append(h + "\n" + k.para(ss + [d]) + (f"\nAction: {a[0]} to {a[1]}" if k.maybe(0.3) else ""))
    return J(
        k, k.opt(0.5, title(k, b)) or k.pick(k.company(), b[0].upper() + b[1:]), k.pick(f"held on {k.date()} at {k.time()} in {k.pick('the board room', 'room ' + str(k.num(1, 400)), k.street(), 'the town hall', 'the village hall', 'the staff canteen', 'a video conference')}", f"Date: {k.date()}   Time: {k.time()} - {k.time()}   Place: {k.city()}", f"{k.weekday()}, {k.date()}, {k.time()}"), BL,
        k.pick("Present: ", "PRESENT\n", "Attendees: ", "In attendance: ", "Those present:\n") + present(k), k.opt(0.7, k.pick("Apologies: ", "Excused: ", "Absent: ", "Apologies for absence were received from ", "Regrets: ") + k.person() + k.opt(0.4, ", " + k.person())), k.opt(0.4, "Chair: " + k.person()), BL, k.opt(0.7, k.para(opening(k), k.opt(0.4, opening(k)))), BL,
        k.pick("\n\n", "\n").join(out), BL, k.opt(0.4, "Actions\n" + actions(k)), k.opt(0.7, nextm(k)), closing(k), taker(k),
    )


def lay_board(k):
    c = k.company()
    res = ["the financial statements for the year be and are hereby approved", "a dividend of {money} per share be declared", "{person} be appointed as a director with immediate effect", "the resignation of {person} as {job} be accepted", "a bank account be opened with {bank}, {person} and {person} to sign jointly", "the purchase of the property at {street} for {money} be approved", "the contract with {company} be ratified",
           "{company} be re-appointed as auditors", "the registered office be moved to {address}", "{num} shares be allotted to {person}", "the company borrow {money} from {bank}", "the secretary file the necessary returns", "the common seal be affixed to the lease", "the remuneration of the managing director be fixed at {money}"]
    w = k.pick("IT WAS RESOLVED THAT ", "RESOLVED, that ", "It was unanimously resolved that ", "Upon motion duly made and seconded, it was resolved that ", "RESOLUTION: ")
    return J(
        k, k.opt(0.6, k.pick(f"MINUTES of a meeting of the directors of {c}", f"{c}: board meeting", f"Extract from the minutes of the board of {c}", f"{c}\nAnnual General Meeting")) or c, f"{k.pick('held at', 'convened at', 'duly called and held at')} {k.address(', ')} on {k.date()} at {k.time()}", BL, k.pick("PRESENT: ", "Directors present: ", "Present in person or by proxy: ") + present(k, 2, 5), k.opt(0.5, "IN ATTENDANCE: " + k.person() + " (company secretary)"), BL,
        k.pick("The chairman noted that a quorum was present and that notice had been duly given.", f"{k.person()} acted as chair and {k.person()} as secretary of the meeting.", f"{k.percent(51, 99)} of the share capital was represented."), k.opt(0.5, k.pick("Directors declared their interests.", "The chairman's report was received.", "The minutes of the previous meeting were confirmed.")), BL,
        "\n".join(f"{n}. {w}{k.fill(r)}." for n, r in enumerate(k.some(res, 2, 6), 1)), BL, k.opt(0.4, k.para(topic(k)[1])), closing(k), k.pick("____________________\nChairman", f"Certified a true copy\n{k.person()}, Secretary", f"(signed) {k.person()}", taker(k)),
    )


def lay_notes(k):
    b = k.pick("- ", "* ", "• ", "> ", "")
    out = []
    for t, ss in topics(k, 2, 6):
        out.append(k.pick(f"{t}\n", f"{t.upper()}\n", f"## {t}\n", f"{t}:\n") + "\n".join(b + s for s in ss) + k.opt(0.3, "\n" + b + "-> " + "%s: %s" % action(k)[:2]))
    return J(k, k.pick(f"{body_name(k)} {k.date()}", f"Weekly {k.pick('sync', 'meeting', 'stand-up', 'jour fixe', 'catch-up', 'huddle')} {k.date()}", f"Notes {k.weekday()} call", f"{k.pick('Kick-off', 'Retro', 'Review', 'Team round', 'Site visit')} with {k.company()}, {k.date()}", f"Meeting {k.date()}"), k.opt(0.8, k.pick("Here: ", "Who: ", "Attendees: ", "In the room: ", "On the call: ") + ", ".join(k.first() for _ in range(k.num(2, 7)))), k.opt(0.3, "Missing: " + k.first()), BL, k.pick("\n\n", "\n").join(out), BL, k.opt(0.7, k.pick("Actions", "To do", "TODO", "Next steps", "Who does what") + "\n" + actions(k)), k.opt(0.5, nextm(k)))


def lay_email(k):
    out = [k.para(ss + [decision(k, 0.4)]) for t, ss in topics(k, 2, 5)]
    if k.maybe(0.5):
        out = [f"{i}. {s}" for i, s in enumerate(out, 1)]
    return J(
        k, k.opt(0.6, f"From: {k.email()}\nTo: {k.email()}\nSubject: {k.pick('Notes from today', 'Summary of our call', 'What we agreed on ' + k.weekday(), 'Minutes ' + k.date(), 'Follow-up: ' + body_name(k), 'Recap')}\n"), k.pick("Hi all,", "Dear colleagues,", "Hello everybody,", f"Dear {k.first()}, dear {k.first()},", "Team,", "Dear members,"), BL,
        k.pick("thanks for coming today. Here is what we talked about and decided.", f"please find below the summary of our meeting on {k.date()}.", "quick notes from this morning's round:", "as promised, the minutes. Shout if I got something wrong.", f"we met on {k.weekday()} with {', '.join(k.first() for _ in range(k.num(2, 4)))}. The results:", f"for those who could not make it ({k.first()}, {k.first()}): this is what happened."), BL, k.pick("\n", "\n\n").join(out), BL,
        k.opt(0.8, k.pick("Open tasks:\n", "To do:\n", "Actions:\n", "") + actions(k)), k.opt(0.6, nextm(k)), k.opt(0.4, k.pick("Corrections by Friday please.", "Please tell me if something is missing.")), k.pick("Best,", "Regards,", "Thanks,", "Cheers,"), k.person(),
    )


def lay_prose(k):
    b = body_name(k)
    ss = [opening(k)] if k.maybe(0.7) else []
    for t, s in topics(k, 2, 5):
        ss.append(k.pick("", "", f"On {t.lower()}: ", f"Under {t.lower()}, ", f"Next came {t.lower()}. ") + k.para(s + [decision(k, 0.5)]))
    return k.para(k.pick(f"The {b} met on {k.date()} in {k.city()}.", f"On {k.weekday()}, {k.date()}, {k.num(4, 60)} members of the {b} came together at {k.street()}.", f"A meeting of the {b} took place on {k.date()} with {k.person()} in the chair."), *ss, k.opt(0.5, nextm(k)), closing(k), taker(k))


def lay_table(k):
    rows = []
    for i, (t, ss) in enumerate(topics(k, 3, 7), 1):
        rows.append([str(i), t, " ".join(ss[:2]), k.pick(decision(k, 1), k.first(), ": ".join(action(k)[:2]), "-", "info")])
    return J(k, k.opt(0.5, title(k, body_name(k))), k.opt(0.8, k.pick("Project: ", "Subject: ", "Group: ") + body_name(k)), f"Date: {k.date()}", k.opt(0.6, f"Location: {k.city()}"), k.pick("Participants: ", "Attendance: ", "Distribution: ") + present(k, 2, 5).replace("\n", ", "), BL, k.table(["No.", "Topic", k.pick("Discussion", "Content"), k.pick("Decision / owner", "Result", "Action by")], rows), BL, k.opt(0.5, nextm(k)), k.opt(0.6, taker(k)))


def lay_site(k):
    pts = ["Formwork on level {num} completed.", "Delivery of {product} expected on {date}.", "Architect to issue revised drawing {ref}.", "Contractor asked for an extension of {num} days because of rain.", "Crack in wall near axis C: surveyor to inspect.", "Invoice no. 4 of {company} is under review.", "Scaffold tag expired, to be renewed at once.", "Client asks for a different floor tile.",
           "Waste skip overfilled; neighbours complained.", "Variation order {ref} for {money} agreed.", "Next concrete pour {date}.", "Plumber and electrician to coordinate ceiling voids.", "Water supply connected.", "Safety walk: two workers without helmets.", "Crane permit valid until {date}.", "Snag list handed over.", "Progress {percent}."]
    rows = [(k.num(1, 9), i, k.fill(p), k.pick("Contractor", "Architect", "Client", "Info", "Engineer", k.company(), k.last())) for i, p in enumerate(k.some(pts, 4, 10), 1)]
    return J(k, k.pick(f"SITE MEETING NO. {k.num(1, 60)}", f"Construction meeting {k.num(1, 60)}", f"Progress meeting, {k.street()}", "Building site protocol", f"Coordination meeting {k.date()}"), f"Project: {k.pick('new school', 'hospital wing', 'bridge repair', 'housing block', 'hotel conversion', 'warehouse')} {k.city()}", f"{k.date()}, {k.time()}, site office", k.opt(0.9, "Present: " + "; ".join(f"{k.person()} ({k.pick('client', 'architect', 'contractor', 'engineer', 'M&E')})" for _ in range(k.num(2, 5)))), BL, "\n".join(f"{a}.{i} {p} [{w}]" for a, i, p, w in rows), BL, k.opt(0.7, nextm(k)), k.opt(0.5, "Objections to this record must be raised within one week."), k.opt(0.5, taker(k)))


def lay_club(k):
    b = k.pick("allotment society", "choir", "chess club", "rowing club", "neighbourhood watch", "carnival society", "beekeepers", "parents' group", "church council", "football club", "garden club", "history society", "hiking group", "book club", "model railway club", "rabbit breeders")
    lines = ["{first} brought cake again, thank you.", "{num} people came, three sent apologies.", "Subs go up to {money} a year.", "{first} will paint the shed if somebody buys the paint.", "The raffle made {money}.", "We argued about the mower for half an hour.", "{first} has the key, {first} has the spare.", "Outing to {city} on {date}, coach booked.", "The tea urn is broken.", "{person} was voted in as treasurer, hands up, nobody against.", "New jerseys ordered, invoice to follow.",
             "{first} complained about the noise.", "We still owe {company} for {product}.", "Insurance has paid for the window.", "Summer fair: {first} does the grill, {first} the till.", "Hall rent paid until {month}.", "Somebody must write to the council.", "It was agreed not to let dogs in.", "The concert was a success.", "A new noticeboard is wanted."]
    return J(k, k.pick(f"{b[0].upper() + b[1:]}, evening of {k.date()}", f"What we talked about at the {b}, {k.date()}", f"{b} - minutes {k.date()}", f"{b} committee, {k.weekday()} {k.time()}, at {k.first()}'s"), k.opt(0.7, "There: " + ", ".join(k.first() for _ in range(k.num(3, 8)))), k.pick("\n", " ").join(k.fill(s) for s in k.some(lines, 4, 11)), k.opt(0.6, nextm(k)), k.opt(0.6, k.pick("Scribbled down by ", "Wrote this: ", "Secretary: ") + k.first()))


def lay_old(k):
    return k.para(
        k.pick("At a meeting", "At a general meeting", "At an extraordinary meeting") + f" of the {body_name(k)} held at {k.city()} on {k.date()}, {k.title_person()} in the chair,", k.pick("the following business was transacted.", "there being present the members whose names are in the attendance book,", "pursuant to notice,"), k.pick("The minutes of the last meeting were read, confirmed and signed.", "The Secretary read the notice convening the meeting."),
        *[k.fill(s) for s in k.some(["It was moved by {title_person}, seconded by {title_person}, that the sum of {money} be granted for {service}. Carried nem. con.", "A letter from {company} was laid upon the table.", "The Treasurer submitted his accounts, which were passed.", "Resolved that a sub-committee be formed to consider the matter and report.", "Mr {last} gave notice of a motion for the next meeting.", "An amendment by {title_person} was put and lost.", "The question of the {product} was adjourned.", "A vote of thanks to the chair was carried with acclamation.", "It was ordered that the accounts be paid."], 3, 6)],
        k.pick("The meeting then rose.", "The proceedings terminated with a vote of thanks.", f"The meeting adjourned until {k.date()}."), k.opt(0.5, f"{k.person()}, Hon. Secretary"),
    )


def lay_agile(k):
    ppl = [k.first() for _ in range(k.num(3, 6))]
    done = ["finished the login page", "fixed the invoice export", "wrote tests", "was ill", "reviewed pull requests", "talked to the customer", "migrated the database", "set up the new server", "updated the manual", "worked on the bank import", "interviewed a candidate"]
    nxt = ["today the search form", "next: release notes", "helps with testing", "on leave from tomorrow", "waits for access rights", "will pair on the parser", "looks at the slow report", "prepares the demo"]
    return J(k, k.pick(f"Daily {k.date()}", f"Stand-up {k.weekday()}", f"Sprint {k.num(2, 90)} review", f"Retro {k.date()}", f"Team call {k.date()}, {k.time()}"), "\n".join(k.pick(f"{p}: {k.pick(done)}, {k.pick(nxt)}.", f"{p} {k.pick(done)}; {k.pick(nxt)}") for p in ppl), k.opt(0.6, k.pick("Went well: team spirit, fast reviews. Went badly: too many interruptions.", f"Blocker: {k.company()} has not answered.", "Decided: no release on Friday.", "Agreed to shorten the daily to ten minutes.", f"Discussion: whether to move the launch to {k.date()}. Yes.")), k.opt(0.5, actions(k, 1, 3)))


def lay_dialog(k):
    b = body_name(k)
    ppl = [k.last() for _ in range(4)]
    say = ["reports that {product} are out of stock", "asks when the contract will be signed", "warns against further delays", "proposes to hire a {job}", "thinks {money} is too much", "explains the new rules on {service}", "wants the matter put to the vote", "will clarify this with the lawyer", "points to the audit report", "reads out the complaint", "thanks the helpers", "objects and asks that this be recorded", "suggests {date} as a deadline", "confirms that the bill was paid", "leaves the meeting"]
    return J(k, k.pick(f"{b}, {k.date()}", f"Summary record, {k.date()}", f"Verbatim notes of the {b}", f"Hearing of {k.date()}", f"Round table in {k.city()}, {k.date()}"), k.opt(0.6, f"Chair: {k.person()}"), k.opt(0.5, "Topic: " + topic(k)[0]), "\n".join(k.pick(f"{k.pick(ppl)} {k.fill(s)}.", f"{k.pick('Mr', 'Ms', 'Dr')} {k.pick(ppl)}: {k.fill(s)}.") for s in k.some(say, 4, 11)), k.opt(0.7, "Result: " + decision(k, 1)), k.opt(0.4, nextm(k)), closing(k))


def lay_hr(k):
    p, m = k.person(), k.person()
    return J(
        k, k.pick(f"Note of meeting with {p}", f"Record of conversation, {k.date()}", f"Investigation meeting - {p}", f"Return-to-work discussion, {k.date()}", f"Annual review talk: {p}", f"File note of meeting {k.date()}", f"Client meeting {k.company()}"), f"Present: {m} ({k.pick('manager', 'HR', 'case worker', 'adviser')}), {p}" + k.opt(0.4, f", {k.person()} (companion)"), BL,
        k.para(k.some([f"{m} explained the purpose of the meeting.", f"{p} said that the shifts were too long.", "It was agreed to review the workload in four weeks.", f"{p} confirmed having received the letter of {k.date()}.", "The sick notes were looked at.", "Both sides signed the notes.", "The pay rise was discussed; a decision will follow with the payslip of next month.", f"Targets: {k.service()} and {k.service()}.", "A break was taken.", "A written warning was not issued.", f"{p} wishes to attend a course in {k.service()}.", f"{m} will check the contract.", "The client wants a new quotation.", "The complaint was talked over and settled."], 4, 8)), BL, k.opt(0.6, k.pick("Agreed actions:\n", "Next steps:\n") + actions(k, 1, 3)), k.opt(0.5, nextm(k)), k.opt(0.5, f"Notes taken by {m}"),
    )


def lay_short(k):
    t, ss = topic(k, 1, 2)
    return k.para(k.pick(f"Short record {k.date()}:", f"{k.weekday()} meeting.", f"Met {k.first()} and {k.first()} about {t.lower()}.", f"{k.date()} {body_name(k)}.", f"Minutes {k.date()}:", f"Notes of call, {k.time()}:"), *ss, decision(k, 0.7), k.opt(0.7, "%s to %s." % action(k)[:2]), k.opt(0.6, nextm(k)), k.opt(0.3, f"{k.num(3, 20)} present."))


def lay_india(k):
    return J(
        k, k.pick(f"{k.city()} Co-operative Housing Society Ltd.", f"Gram Panchayat {k.city()}", k.company(), f"Residents' Welfare Association, {k.street()}", f"{k.city()} Lions Club", f"{k.city()} Savings Sacco", f"Barangay Council, {k.city()}"), k.opt(0.5, "Minutes of the Managing Committee Meeting") or "Managing Committee", f"held on {k.date()} at {k.time()} in the {k.pick('society office', 'club house', 'community hall', 'conference room')}", "Members present: " + present(k, 3, 6), k.opt(0.6, "Leave of absence was granted to " + k.title_person() + "."), BL,
        "\n".join(f"{n}. {k.fill(s)}" for n, s in enumerate(k.some(["The Secretary welcomed the members. Quorum being present, the meeting commenced.", "Minutes of the last meeting were confirmed.", "The statement of accounts for {month} was placed before the committee and passed.", "Water tank cleaning to be done by {company} at {money}.", "Defaulters of maintenance dues to be issued notice.", "It was resolved to appoint {company} as security agency.", "Shri {last} raised the matter of parking. After discussion it was decided to paint numbers.", "Renewal of lift AMC approved.", "Painting work: three quotations opened, L1 is {company}.", "GST registration to be taken up with the auditor.", "Celebration on {date}; budget {money}.", "CCTV cameras to be repaired.", "The loan application of {person} for {money} was sanctioned."], 4, 9), 1)), BL, k.pick("The meeting ended with a vote of thanks to the chair.", "As there was no other matter, the meeting was concluded.", "Meeting closed with a prayer."), k.opt(0.6, "Hon. Secretary            Chairman"),
    )


# --- held out from training ---------------------------------------------------------------------

def lay_boxes(k):
    out = []
    for t, ss in topics(k, 2, 4):
        w = action(k)
        out.append(f"+ {t}\n|  talked about: {' '.join(ss)}\n|  outcome: {decision(k, 1)}\n|  task: {w[0]} / {w[1]} / {w[2]}")
    return J(k, f"{body_name(k)} | {k.date()} | {k.time()}-{k.time()}", "People: " + ", ".join(k.person() for _ in range(k.num(2, 5))), "\n".join(out), nextm(k))


def lay_log(k):
    h, m = k.num(8, 19), 0
    out = []
    for s in [opening(k)] + [x for t, ss in topics(k, 3, 6) for x in ss[:2]] + [decision(k, 1)]:
        out.append(f"{h:02d}:{m:02d}  {s}")
        m += k.num(2, 14)
        if m > 59:
            h, m = h + 1, m - 60
    return J(k, f"{k.pick('Session', 'Assembly', 'Conference')} of the {body_name(k)}, {k.city()}, {k.date()}", k.opt(0.7, f"Attended by {present(k, 2, 5)}".replace("\n", ", ")), BL, *out, f"{h:02d}:{m:02d}  {k.pick('Closed.', 'Meeting over.', 'The chair closes the session.')}", k.opt(0.5, taker(k)))


LAYOUTS = [
    lay_formal, lay_board, lay_notes, lay_email, lay_prose, lay_table, lay_site, lay_club, lay_old, lay_agile, lay_dialog, lay_hr, lay_short, lay_india, lay_boxes, lay_log,
]
