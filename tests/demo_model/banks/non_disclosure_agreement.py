"""Texts of the class non_disclosure_agreement."""

ALIASES = [
    "non_disclosure_agreement", "Non-Disclosure Agreement", "NDA", "nda", "non-disclosure agreement", "confidentiality agreement", "Confidentiality Agreement",
    "secrecy agreement", "mutual NDA", "confidential disclosure agreement", "NON_DISCLOSURE_AGREEMENT", "CDA", "nondisclosure", "confidentiality undertaking",
    "confidentiality_agreement", "agreement to keep information secret", "Secrecy Undertaking", "Legal: NDA",
]

DESCRIPTIONS = [
    "obliges parties to keep confidential information secret",
    "agreement not to disclose trade secrets shared for a purpose",
    "a promise to keep information received from another party confidential",
    "mutual or one-way confidentiality between companies or people",
    "defines confidential information, its permitted use, and how long secrecy lasts",
    "undertaking by a visitor, supplier, bidder or employee not to reveal what they learn",
    "protects business secrets during talks, tests or due diligence",
    "legal text that forbids passing on confidential data to third parties",
    "signed before plans, data or prototypes are shown to somebody",
]

BL = "\0"


def J(k, *parts):
    """Lines of the parts that are not empty; BL stands for an empty line."""
    return "\n".join(p for p in parts if p).replace(BL, "").strip()


TITLES = [
    "NON-DISCLOSURE AGREEMENT", "Mutual Non-Disclosure Agreement", "CONFIDENTIALITY AGREEMENT", "NDA", "Confidentiality Undertaking", "One-Way Non-Disclosure Agreement",
    "Secrecy Agreement", "Confidential Disclosure Agreement", "Mutual Confidentiality Agreement", "AGREEMENT ON NON-DISCLOSURE", "Letter of Confidentiality",
]

PURPOSES = [
    "a possible purchase of the {city} plant", "the joint development of a new battery", "a due diligence review before buying shares", "talks about a distribution partnership", "the evaluation of a software prototype",
    "the preparation of a quotation for {service}", "the testing of samples of {product}", "a planned merger", "an audit of the accounts", "the outsourcing of payroll", "a clinical trial", "a tender for a hospital building",
    "the recording of a film script", "a pilot installation", "the supply of {product}", "research on a vaccine", "the licensing of a patent", "the migration of customer data", "exploring an investment in the company",
    "a pitch for a new advertising campaign", "the franchise of a restaurant", "the development of a mobile app", "the transfer of a recipe for production", "a feasibility study for a wind farm", "the review of a business plan",
    "the negotiation of a lease", "consultancy on production costs", "the repair of a machine on site", "the sale of a family business", "the design of a new packaging",
]

SECRETS = [
    "customer lists", "price calculations", "recipes", "source code", "drawings", "business plans", "financial forecasts", "formulas", "know-how", "samples and prototypes", "supplier terms", "marketing strategies",
    "personal data of staff", "patient records", "algorithms", "test results", "unpublished patent applications", "manufacturing processes", "salary data", "passwords and network diagrams", "tender documents",
    "manuscripts", "product roadmaps", "technical specifications", "clinical data", "guest lists", "invoices and purchase orders", "contracts with third parties", "donor lists", "examination papers", "bank statements", "board minutes",
]


def purpose(k):
    return k.fill(k.pick(PURPOSES))


def secrets(k, lo=3, hi=7):
    s = k.some(SECRETS, lo, hi)
    return ", ".join(s[:-1]) + " and " + s[-1]


def term(k):
    return k.pick("two years", "three years", "five years", "ten years", "12 months", "24 months", "five (5) years", "an unlimited period", "as long as the information is secret", "18 months", "three (3) years", "seven years", "36 months")


def d_parties(k, a, b):
    return k.pick(
        f"This agreement is made on {k.date()} between {a}, {k.address(', ')} (\"Disclosing Party\") and {b}, {k.address(', ')} (\"Receiving Party\").",
        f"Between {a} and {b}, each a \"Party\" and together the \"Parties\".",
        f"{a} (hereinafter the Discloser) and {b} (hereinafter the Recipient) agree as follows.",
        f"THIS DEED is made the {k.date()} BETWEEN (1) {a} and (2) {b}.",
        f"Parties: {a}, represented by {k.person()}, and {b}, represented by {k.person()}.",
        f"{b} is about to receive secret information from {a}. The following is therefore agreed:",
        f"By and between {a}, a company registered in {k.country()}, and {b}, effective {k.date()}.",
        f"Owner of the information: {a}. Recipient: {b}.",
    )


def d_purpose(k, a, b):
    p = purpose(k)
    return k.pick(
        f"The Parties wish to exchange information for the purpose of {p} (the \"Purpose\").", f"In connection with {p} it will be necessary to disclose information that is not public.",
        f"WHEREAS the parties intend to discuss {p} and, in doing so, may reveal confidential matters to each other;", f"Purpose: {p}.", f"The information may be used for {p} and for nothing else.",
        f"{a} is prepared to open its files to {b} so that the latter can assess {p}.", f"The background is {p}.", f"Permitted purpose: {p}. Any other use is forbidden.",
    )


def d_def(k, a, b):
    s = secrets(k)
    return k.pick(
        f"\"Confidential Information\" means all information disclosed in writing, orally or by inspection, including {s}.", f"Confidential are, in particular, {s}, whether or not they are marked as such.",
        f"Confidential Information includes {s} and anything else that a reasonable person would consider secret.", f"By secrets we mean {s}.", f"For this agreement, \"Information\" is any data, document or sample, such as {s}.",
        f"Information given orally is covered if it is confirmed in writing within {k.num(7, 30)} days.", f"All papers marked \"confidential\" and, even if unmarked, {s} fall under this agreement.",
        f"The existence of the talks and of this agreement is itself confidential, as are {s}.",
    )


def d_oblig(k, a, b):
    return k.pick(
        "The Recipient shall hold the information in strict confidence and shall not disclose it to any third party without prior written consent.", "The Receiving Party will use the information only for the Purpose and protect it with at least the same care as its own secrets.",
        "You may not copy, publish, sell or otherwise pass on anything you learn.", "Neither party shall reveal, directly or indirectly, any of the other's information to outsiders.",
        "The receiving side will not reverse engineer, decompile or analyse the samples provided.", "The recipient keeps documents locked away and electronic files encrypted.",
        "The undersigned undertakes to remain silent towards everybody, including family and friends.", "Access is limited to those employees and advisers who need to know and who are bound by equal duties of secrecy.",
        "The Recipient is liable for its staff, subcontractors and consultants as for itself.", "It is forbidden to take photographs, make recordings or post anything on social media.",
        "The Recipient shall promptly notify the Discloser of any unauthorised use or loss.", "Not to make any use whatsoever of the said information for his own benefit or for that of others.",
    )


def d_excl(k, a, b):
    return k.pick(
        "This does not apply to information which is or becomes public through no fault of the recipient.", "Excluded is information that the recipient already knew, developed independently or lawfully obtained from a third party.",
        "The duty does not cover what must be disclosed by law, court order or demand of an authority, provided that the other side is told in advance.", "Exceptions: public domain, prior knowledge, independent development, legal compulsion.",
        "Whoever relies on an exception has to prove it.", "Nothing in this agreement stops anyone from reporting a crime or a danger to the public.", "What everybody in the trade knows is not a secret.",
        "Disclosure to tax authorities, auditors and lawyers bound by professional secrecy is permitted.",
    )


def d_term(k, a, b):
    t = term(k)
    return k.pick(
        f"The obligations last for {t} from the date of disclosure.", f"This agreement runs for {t}; the duty of secrecy continues for a further {term(k)}.", f"The duty of confidentiality survives the end of the talks for {t}.",
        f"It takes effect on {k.date()} and remains in force for {t}.", "There is no time limit: trade secrets stay secret for as long as they qualify as such.", f"Term: {t}.", f"The undertaking ends {t} after signature.",
        "The duty continues after the working relationship has ended.",
    )


def d_return(k, a, b):
    return k.pick(
        f"On request all documents, copies and samples must be returned or destroyed within {k.num(5, 30)} days, and this must be confirmed in writing.", "At the end of the talks the recipient deletes all files; back-up copies kept by routine are exempt.",
        "All materials remain the property of the owner and are to be handed back on first demand.", "Return of papers: without delay, no copies kept.", "The Recipient may keep one archive copy for legal purposes only.",
        "The data room will be closed and access codes withdrawn when the discussions end.", "Notes and analyses based on the information are to be shredded.",
    )


def d_penalty(k, a, b):
    return k.pick(
        f"For each breach a contractual penalty of {k.money(2000, 100000)} falls due; further damages may be claimed.", "The parties accept that damages alone may not be enough and that an injunction can be sought.",
        "Whoever breaks this promise has to make good the loss.", "A breach can lead to dismissal, a claim for damages and criminal charges.", f"Liquidated damages: {k.money(5000, 250000)} per case.",
        "The Disclosing Party is entitled to equitable relief in addition to any other remedy.", "The penalty is set by the owner at reasonable discretion and reviewed by the court if disputed.",
        "The recipient shall indemnify the owner against all loss and costs, including legal fees.",
    )


def d_misc(k, a, b):
    return k.pick(
        "No licence, right or title to any patent, mark or copyright is granted.", "Nothing in this agreement obliges either party to conclude a further contract.", "The information is given \"as is\" and without any warranty.",
        f"This agreement is governed by the law of {k.country()}; courts in {k.city()} have jurisdiction.", "Changes need the written form.", "If a provision is void, the others remain valid.",
        "For one year neither party will approach the other's employees with an offer of work.", "This agreement may not be assigned.", "It is signed in two copies, one for each party.", "Electronic signatures are accepted.",
        "Personal data is handled in line with data protection law.", "This agreement replaces all earlier understandings on secrecy between the parties.", "No press release without approval of both sides.",
        "Neither party may buy shares while holding inside information.",
        "The main contract or purchase order that may follow will have its own secrecy clause.",
    )


CL = [
    (("Parties",), d_parties), (("Purpose", "Background", "Recitals", "Preamble"), d_purpose), (("Definition", "Confidential Information", "What is confidential", "Subject"), d_def),
    (("Obligations", "Duty of confidentiality", "Non-disclosure and non-use", "Undertakings of the Recipient", "Secrecy"), d_oblig), (("Exceptions", "Exclusions", "Permitted disclosure"), d_excl),
    (("Term", "Duration", "Period of secrecy"), d_term), (("Return of materials", "Return and destruction", "Documents"), d_return), (("Remedies", "Breach", "Penalty", "Liability"), d_penalty), (("General", "Miscellaneous", "Other provisions", "Governing law"), d_misc),
]


def sign(k, a, b):
    return k.pick(
        f"For {a}: ______________________  {k.person()}\nFor {b}: ______________________  {k.person()}", f"Signed on {k.date()}\n\n{a}\nBy: {k.person()}, {k.job_title()}\n\n{b}\nBy: {k.person()}, {k.job_title()}",
        f"{k.city()}, {k.date()}\n........................        ........................\n{a}        {b}", f"AGREED by the authorised signatories of both parties on the date first written above.\n{k.person()}\n{k.person()}",
        f"Signature of recipient: ______________ Date: {k.date()}", f"/s/ {k.person()}    /s/ {k.person()}", f"Read and accepted: {k.person()}, {k.date()}", "IN WITNESS WHEREOF the parties hereto have executed this agreement by their duly authorised representatives.",
    )


def two(k):
    a = k.company()
    b = k.company() if k.maybe(0.65) else k.person()
    return a, b


def lay_numbered(k):
    a, b = two(k)
    out = [k.opt(0.6, k.pick(TITLES)), d_parties(k, a, b)]
    idx = sorted({2, 3} | set(k.r.sample(range(1, 9), k.num(4, 8))))
    st = k.num(0, 3)
    for n, i in enumerate(idx, 1):
        h = k.pick(*CL[i][0])
        f = CL[i][1]
        body = k.para(f(k, a, b), f(k, a, b) if k.maybe(0.45) else "", f(k, a, b) if k.maybe(0.15) else "")
        out.append([f"{n}. {h.upper()}\n{body}", f"{n}. {body}", f"§ {n} {h}\n{body}", f"Article {n}. {h}. {body}"][st])
    out.append(sign(k, a, b))
    return k.pick("\n\n", "\n").join(p for p in out if p)


def lay_letter(k):
    a, b = two(k)
    return J(
        k, a, k.opt(0.8, k.address()), k.date(), BL, b, k.opt(0.6, k.address()), BL, k.pick("Dear Sirs,", f"Dear {k.title_person()},", "Dear Sir or Madam,", "Ladies and Gentlemen:"),
        k.opt(0.5, k.pick("Confidentiality", "Project " + k.pick("Falcon", "Maple", "Orion", "Tulip", "Anchor"), "Confidentiality letter agreement", "Exchange of information")), BL,
        k.pick(f"You have asked us for information in connection with {purpose(k)}.", f"We understand that you are interested in {purpose(k)}.", f"Before we send you the files about {purpose(k)}, we ask you to accept the following."),
        k.pick("In return for receiving it you agree to these terms:", "We are willing to provide it on the conditions set out below.", "By signing this letter you promise us the following."), BL,
        k.pick("\n\n", "\n", " ").join([d_def(k, a, b)] + [d_oblig(k, a, b) for _ in range(k.num(1, 3))] + [f(k, a, b) for f in k.some([d_excl, d_term, d_return, d_penalty, d_misc], 2, 5)]), BL,
        k.pick("Please sign and return the enclosed copy to show your agreement.", "If you agree, countersign below.", "No documents will be released before we have your signature.", "The data room opens once we have this letter back."),
        k.pick("Yours faithfully,", "Yours sincerely,", "Very truly yours,"), k.person(), k.opt(0.7, f"\nAccepted and agreed:\n{b}\nName: {k.person()}\nDate: ________"),
    )


def lay_prose(k):
    a, b = two(k)
    return k.para(
        k.opt(0.4, k.pick("Confidentiality agreement.", "Non-disclosure.", "Agreement on secrecy.")), d_parties(k, a, b), d_purpose(k, a, b), d_def(k, a, b), d_oblig(k, a, b), d_oblig(k, a, b) if k.maybe(0.5) else "",
        *[f(k, a, b) for f in k.some([d_excl, d_term, d_return, d_penalty, d_misc], 1, 5)], k.opt(0.6, f"Signed {k.date()} by {k.person()} and {k.person()}."),
    )


def lay_visitor(k):
    a, p = k.company(), k.person()
    where = k.pick("plant", "laboratory", "server room", "clinic", "film set", "kitchen", "warehouse", "shipyard", "data centre", "test track", "archive", "research farm", "mint", "studio")
    rules = [
        "I will not take photos, videos or sound recordings.", f"I will keep to myself whatever I see or hear in the {where}.", "I will not remove documents, samples or data carriers.", "I will leave my phone at the reception desk.",
        "I will not speak to the press or post online about my visit.", "What is secret stays secret after I have left.", "I will stay with my host at all times.", "I am aware that a breach may have legal consequences.",
        "Any notes I take may be inspected.", f"This promise holds for {term(k)}.", "I will not use what I learn for myself or for any competitor.", "Names of patients, guests or customers must never be mentioned outside.",
    ]
    b = k.pick("- ", "* ", "[x] ", "( ) ", "1. ")
    pick = k.some(rules, 4, 9)
    return J(
        k, a, k.opt(0.6, k.pick("Visitor confidentiality declaration", "Declaration of secrecy", "Visitor NDA", "Confidentiality form for guests and contractors", "Pledge of silence")),
        f"{k.pick('Name', 'Visitor', 'I, the undersigned')}: {p}", k.opt(0.7, f"{k.pick('Firm', 'Company', 'From')}: {k.company()}"), k.opt(0.6, f"{k.pick('Host', 'Visiting')}: {k.person()}"), k.opt(0.6, f"Reason of visit: {k.pick('machine service', 'audit', 'school tour', 'delivery', 'job interview', 'press visit', 'repair', 'inspection')}"),
        f"Date: {k.date()}", BL, k.pick(f"While on our site you may see or hear things that are confidential. By signing you promise:", f"I enter the {where} on these conditions:", "I declare that"),
        "\n".join((f"{n}. " if b == "1. " else b) + t for n, t in enumerate(pick, 1)), BL, k.pick("Signature: ....................", f"Signed: {p}", f"{k.date()}, {p}", "Badge no. " + k.ref("V") + "   Signature ____________"),
    )


def lay_email(k):
    a, b = two(k)
    f = k.first()
    return J(
        k, k.opt(0.5, f"From: {k.email()}\nTo: {k.email()}\nSubject: {k.pick('Before we talk', 'NDA', 'Confidentiality terms', 'Need your OK first', 'Secrecy - please confirm', 'Sharing our files', 'Paperwork before the call')}\n"),
        k.pick(f"Hi {f},", f"Dear {f},", f"Hello {f},", f"Dear {k.title_person()},"), BL,
        k.pick(f"before I send you the {k.pick('plans', 'numbers', 'recipe', 'code', 'drawings', 'pitch deck', 'drafts')} for {purpose(k)}, please confirm that you will keep everything to yourself.",
               f"we would love to show you more, but we need your word in writing that nothing leaves your desk. It concerns {purpose(k)}.", f"as agreed on the phone, both of us treat the talks about {purpose(k)} as confidential.",
               f"thank you for your interest in {purpose(k)}. The terms under which we share information are these:"),
        k.para(d_def(k, a, b) if k.maybe(0.6) else "", d_oblig(k, a, b), *[x(k, a, b) for x in k.some([d_excl, d_term, d_return, d_penalty, d_oblig], 1, 3)]), BL,
        k.pick("A reply saying \"agreed\" is enough.", "Please sign the attached PDF and mail it back.", "Just answer yes and I will open the folder for you.", "Our lawyer insists, sorry for the formality.", "Once it is signed we can talk freely.", "If you are fine with that, reply to this mail."),
        k.pick("Thanks,", "Best regards,", "Kind regards,", "Cheers,"), k.person(), k.opt(0.4, a),
    )


def lay_employee(k):
    a, p = k.company(), k.person()
    return J(
        k, k.opt(0.5, k.pick("Confidentiality undertaking by employee", "STAFF SECRECY DECLARATION", "Employee non-disclosure agreement", "Obligation to maintain data secrecy", "Volunteer confidentiality agreement", "Intern secrecy agreement")),
        k.pick(f"I, {p}, {k.pick('employed by', 'volunteering at', 'an intern at', 'working as a contractor for')} {a},", f"The undersigned {p}, {k.job_title()} at {a},", f"{p} has today been instructed by {a} about the duty of secrecy and"),
        k.pick("undertake to keep secret all matters that come to my knowledge in the course of my work.", "promises not to disclose internal affairs to unauthorised persons.", "declare that I will treat as confidential all business and trade secrets.",
               "understand that I shall have access to confidential information and agree not to reveal it."),
        k.para(f"This applies to {secrets(k)}.", k.pick("The duty remains in force after my employment has ended.", f"It continues for {term(k)} after leaving.", "It has no end date."),
               k.opt(0.5, k.pick("On my last day I will hand back all files, keys and devices.", "I will not forward work e-mails to a private account.", "Pay slips and personnel files of colleagues are covered as well.", "I may process personal data only as instructed.")),
               k.opt(0.5, k.pick("I know that a violation may be punished with a fine or imprisonment.", "Breach may lead to disciplinary action up to dismissal.", "I am liable for damage caused by a breach.")),
               k.opt(0.4, k.pick("My contract of employment is not otherwise changed.", "This declaration is kept in the personnel file.", "I have received a copy and a leaflet on data protection."))),
        BL, k.pick(f"{k.city()}, {k.date()}      {p}", f"Signature: ____________  {p}\nWitness: ____________  {k.person()}", f"Signed {k.date()}"),
    )


def lay_fields(k):
    a, b = two(k)
    rows = [(k.pick("Disclosing party", "Discloser", "Party A", "Owner"), a), (k.pick("Receiving party", "Recipient", "Party B"), b), (k.pick("Purpose", "Project", "Permitted use"), purpose(k)), (k.pick("Term", "Secrecy period", "Duration"), term(k))]
    rows += k.some([("Effective date", k.date()), ("Type", k.pick("mutual", "one-way", "unilateral", "reciprocal")), ("Information covered", secrets(k, 2, 4)), ("Penalty per breach", k.money(2000, 90000)), ("Governing law", k.country()), ("Contact", k.person() + ", " + k.email()),
                   ("Return of documents", f"within {k.num(5, 30)} days"), ("Access limited to", k.pick("named persons only", "directors and auditors", "project team", "legal counsel")), ("Place of jurisdiction", k.city()), ("Reference", k.ref("NDA", "C", "L"))], 3, 8)
    n = k.num(0, 2)
    body = k.table(["Item", "Content"], rows) if n == 0 else "\n".join(f"{x}: {y}" for x, y in rows) if n == 1 else "\n".join(f"{x} {'.' * max(3, 28 - len(x))} {y}" for x, y in rows)
    return J(k, k.opt(0.5, k.pick(TITLES)), k.opt(0.3, "Cover sheet"), body, BL, k.para(d_oblig(k, a, b), d_excl(k, a, b) if k.maybe(0.6) else "", d_return(k, a, b) if k.maybe(0.4) else "", d_misc(k, a, b) if k.maybe(0.4) else ""), BL, k.opt(0.8, sign(k, a, b)))


def lay_informal(k):
    x, y = k.person(), k.person()
    th = k.pick("my invention", "the song", "my grandmother's recipe", "our app idea", "the novel", "the board game design", "the shop concept", "the house sale", "my business idea", "the wedding guest list", "the village history film", "a new cheese")
    return k.para(
        k.pick(f"I, {x}, will show {y} {th}.", f"{x} and {y} talk about {th}.", f"{y} helps {x} with {th} and will see private papers.", f"{x} is letting {y} in on {th}."),
        k.pick(f"{y} promises not to tell anyone about it.", f"{y} will not talk about it, write about it or copy it.", "Neither of us will speak about it with others.", f"{y} gives {x} his word to keep quiet."),
        k.pick(f"That goes for {term(k)}.", "Even if we fall out.", "Not even to relatives.", "Also if nothing comes of it.", f"Until {k.date()} at least."),
        k.opt(0.6, k.pick("All sheets go back to the owner afterwards.", "No photos, no copies.", "What is already on the internet does not count.", "If it is passed on anyway, the person pays for the damage.", f"A breach costs {k.money(500, 9000)}.", "If we do business, we make a proper contract.")),
        k.opt(0.7, f"{k.date()}, {x}, {y}"),
    )


def lay_old(k):
    a, b = two(k)
    return k.para(
        k.pick("KNOW ALL MEN BY THESE PRESENTS that", "THIS DEED WITNESSETH that", "WHEREAS"), f"{a}, being possessed of certain secret {k.pick('processes', 'formulae', 'plans', 'inventions', 'methods of manufacture')} relating to {k.product()},",
        f"has agreed to communicate the same to {b} for the purpose only of {purpose(k)};", k.pick("NOW THEREFORE", "AND WHEREAS the same are of great value;", "NOW IT IS HEREBY AGREED that"),
        f"the said {b} covenants that it shall not at any time divulge, publish or make known to any person whomsoever the said secrets or any part thereof,",
        k.pick("nor make use thereof for its own benefit;", "save with the consent in writing of the owner first had and obtained;", "and shall cause its servants and agents to be likewise bound;"),
        k.opt(0.7, k.pick("and shall on demand deliver up all papers, models and specimens;", f"and in default shall pay as liquidated damages the sum of {k.money(3000, 90000)};", f"which covenant shall endure for {term(k)};")),
        k.opt(0.5, "provided that nothing herein shall extend to matters of common knowledge in the trade."), k.pick(f"Dated {k.date()}.", f"In testimony whereof {k.person()} has set his hand and seal.", "Signed, sealed and delivered in the presence of witnesses."),
    )


def lay_portal(k):
    a, b = two(k)
    return J(
        k, k.pick(f"{a} - data room", "Access request", "Please accept before you continue", "E-signature completed", "Supplier portal", "Beta test programme", "Tender platform"),
        k.pick(f"You are about to view confidential documents of {a}.", f"{b} accepted the confidentiality terms on {k.date()} at {k.time()}.", f"To download the files about {purpose(k)} you must agree to keep them secret.", "As a tester you will see features that are not public.", f"Signature needed: secrecy agreement between {a} and {b}."),
        k.para(*[f(k, a, b) for f in k.some([d_oblig, d_oblig, d_term, d_return, d_excl], 1, 3)]),
        k.pick("[ ] I agree   [ ] I decline", "Click ACCEPT to enter.", f"Ref {k.ref('NDA', 'DR')}", "Downloads carry a watermark with your name.", f"Link expires on {k.date()}.", ""),
    )


def lay_middle(k):
    a, b = two(k)
    n = k.num(3, 9)
    fs = [d_oblig, d_excl, d_return, d_term, d_penalty, d_misc, d_oblig, d_misc, d_def]
    k.r.shuffle(fs)
    return J(k, k.opt(0.4, k.pick("Page 2 of 3", "- 3 -", "...continued")), "\n".join(k.pick(f"{n + i}. ", f"{n}.{i + 1} ", f"({chr(97 + i)}) ") + f(k, a, b) for i, f in enumerate(fs[:k.num(4, 9)])), k.opt(0.4, sign(k, a, b)))


def lay_bullets(k):
    a, b = two(k)
    return J(
        k, k.opt(0.5, k.pick("NDA in short", "Confidentiality - key points", "Term sheet: secrecy", "House rules on confidentiality", "Heads of terms (confidentiality)")), f"{k.pick('Who', 'Between')}: {a} / {b}", f"{k.pick('Why', 'About', 'Reason')}: {purpose(k)}",
        "\n".join(k.pick("- ", "* ") + f(k, a, b) for f in [d_def, d_oblig] + k.some([d_oblig, d_excl, d_term, d_return, d_penalty, d_misc], 3, 6)), k.opt(0.6, sign(k, a, b)),
    )


def lay_supplier(k):
    a, b = k.company(), k.company()
    what = k.pick("request for quotation", "tender documents", "technical drawings", "specification", "sample parts", "audit files", "patient data for maintenance of the system", "personnel files for payroll")
    return J(
        k, k.opt(0.6, f"{a}\n{k.department()}"), k.opt(0.7, f"To: {b}"), k.opt(0.6, k.pick("Undertaking of secrecy by supplier", "Confidentiality terms for bidders", "Annex C: Confidentiality", "Supplier non-disclosure terms", "Data secrecy of service providers")), BL,
        k.para(k.pick(f"The {what} sent to you in connection with {k.ref('RFQ', 'T', 'PO')} contains secret know-how.", f"With the {what} you receive confidential information of {a}.", f"Handing over the {what} depends on your signing this undertaking."),
               k.pick("It remains our property and may be used only to prepare your bid.", "Subcontractors may see it only with our consent and under the same duty.", "You must not mention us as a reference customer or show the parts to others.", "Unsuccessful bidders destroy all files."),
               d_oblig(k, a, b), k.opt(0.5, d_penalty(k, a, b)), k.opt(0.5, d_term(k, a, b)), k.opt(0.4, d_excl(k, a, b)), k.opt(0.3, "Prices in the later purchase order and invoice are confidential too.")),
        BL, k.pick(f"Supplier's stamp and signature: ____________   {k.date()}", f"Accepted for {b}: {k.person()}", f"{k.person()}, {k.job_title()}", "Return signed by e-mail to " + k.email()),
    )


def lay_settlement(k):
    a, p = k.company(), k.person()
    return k.para(
        k.pick(f"{p} and {a} have settled their dispute about {k.pick('the end of the employment', 'a delayed delivery', 'a damaged roof', 'the use of a photograph', 'unpaid commission')}.", f"This concerns the settlement reached on {k.date()} between {a} and {p}."),
        k.pick("The parties will keep its terms, and the amount paid, strictly confidential.", "Neither side may disclose the sum or the circumstances to anyone.", "They agree not to make disparaging remarks and to keep silent about the content."),
        k.pick("If asked, they will say only that the matter has been resolved.", "They may tell spouses, lawyers, tax advisers and insurers, who must keep it secret as well.", "No statement will be made to the media or on the internet."),
        k.opt(0.6, k.pick(f"Each breach costs {k.money(1000, 40000)}.", "In case of breach the money paid has to be returned.", "An injunction may be sought.")),
        k.opt(0.5, "Disclosure required by a court or tax office is not a breach."), k.pick("Silence applies without limit of time.", f"This duty lasts {term(k)}.", ""), f"{k.date()} {p}",
    )


# --- held out from training ---------------------------------------------------------------------

def lay_qa(k):
    a, b = two(k)
    qs = [("Who shares with whom?", f"{a} with {b}."), ("What for?", purpose(k).capitalize() + "."), ("What must be kept secret?", d_def(k, a, b)), ("What may the recipient not do?", d_oblig(k, a, b)), ("What is not covered?", d_excl(k, a, b)), ("For how long?", d_term(k, a, b)),
          ("What happens to papers afterwards?", d_return(k, a, b)), ("And in case of breach?", d_penalty(k, a, b))]
    idx = sorted({2, 3} | set(k.r.sample(range(8), k.num(3, 6))))
    return J(k, k.pick("Keeping it secret: what we agree", "Plain-language secrecy terms", "What both of us promise"), BL, "\n\n".join(f"{qs[i][0]}\n   {qs[i][1]}" for i in idx), BL, k.opt(0.7, sign(k, a, b)))


def lay_memo_columns(k):
    a, b = two(k)
    col = "\n".join(f"{x:<30}{y}" for x, y in [("DISCLOSING SIDE", "RECEIVING SIDE"), (a[:28], b), (k.city(), k.city()), (k.person()[:28], k.person())])
    return J(k, col, "=" * 56, d_purpose(k, a, b), k.pick("SECRET ITEMS:", "COVERED:") + "\n" + "\n".join("  o " + s for s in k.some(SECRETS, 3, 8)), "=" * 56, d_oblig(k, a, b), d_term(k, a, b), k.opt(0.5, d_penalty(k, a, b)))


LAYOUTS = [
    lay_numbered, lay_letter, lay_prose, lay_visitor, lay_email, lay_employee, lay_fields, lay_informal, lay_old, lay_portal, lay_middle, lay_bullets, lay_supplier, lay_settlement, lay_qa, lay_memo_columns,
]
