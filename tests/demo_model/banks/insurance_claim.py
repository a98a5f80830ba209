"""Insurance claims: notice of loss, claim forms, adjuster notes, settlement letters."""

ALIASES = ["insurance_claim", "Insurance Claim", "claim", "insurance claim form", "claim form", "notice of loss",
           "Loss Report", "damage_claim", "damage report to the insurer", "claim notification", "Claim to Insurer",
           "policy claim", "claims", "accident report for insurance", "Insurance claim letter", "INSURANCE_CLAIM",
           "motor claim", "claim under a policy"]

DESCRIPTIONS = ["reports a loss to an insurer and asks for compensation under a policy",
                "a policyholder tells the insurance company about damage, theft or an accident",
                "describes an insured event and the amount claimed",
                "a claim form with policy number, date of loss and list of damaged items",
                "request that the insurer pays for a loss covered by the policy",
                "notification of an accident, theft, fire, water damage or illness to the insurer",
                "documents about a claim made against an insurance policy",
                "loss notice sent to an insurance company",
                "asks the insurer to reimburse repair, replacement or treatment cost"]

GAP = " "


def f(k, lst):
    return k.fill(k.pick(lst))


def fs(k, lst, a, b):
    return [k.fill(x) for x in k.some(lst, a, b)]


# kind of cover, what happened, things damaged, proof
EVENTS = [
    ("motor", [
        "I was waiting at a red light in {street} when a van drove into the back of my car.",
        "While I was parked outside the supermarket another driver scraped the whole left side of my vehicle and drove off.",
        "A deer ran onto the road near {city} and I could not brake in time.",
        "The other driver failed to give way at the roundabout and hit my front wing.",
        "On the motorway a stone thrown up by a lorry cracked the windscreen from side to side.",
        "My car skidded on black ice and slid into a lamp post.",
        "My motorcycle was knocked over in the car park and the tank is dented.",
        "A lorry changed lanes without indicating and pushed me against the crash barrier.",
        "I reversed out of the driveway and collided with a delivery van belonging to {company}.",
        "Overnight somebody broke the side window and took the radio and the navigation unit."],
     ["front bumper", "rear bumper", "bonnet", "headlight", "windscreen", "passenger door", "tailgate", "radiator", "wing mirror", "alloy wheel", "exhaust", "airbag", "left fender", "boot lid", "parking sensor"],
     ["photographs of both vehicles", "the police report", "a repair estimate from the garage", "a copy of my driving licence", "the agreed accident statement signed by both drivers", "the details of two witnesses", "the registration certificate", "dashcam footage"]),
    ("home", [
        "A pipe under the kitchen sink burst while we were away and flooded the ground floor.",
        "Water from the flat above came through our bathroom ceiling.",
        "The washing machine hose split and water ran under the laminate floor for several hours.",
        "The storm tore about forty tiles off the roof and rain soaked the bedroom ceiling.",
        "A tree from the neighbouring garden fell on our conservatory in the high wind.",
        "A chip pan caught fire and the kitchen was badly damaged by smoke before the fire brigade arrived.",
        "Lightning struck the house and destroyed the television, the router and the heating control.",
        "The boiler leaked and the carpet in the hall is ruined.",
        "Hail the size of golf balls smashed the skylights and dented the garage door.",
        "The river came over its banks and the cellar stood under one metre of water.",
        "A candle set the curtains alight and the living room was scorched."],
     ["carpet", "parquet floor", "sofa", "kitchen units", "ceiling plaster", "television", "wardrobe", "mattress", "washing machine", "curtains", "wallpaper", "roof tiles", "boiler", "bookshelves", "fridge freezer", "oak table"],
     ["photographs of the damage", "the plumber's report", "two quotations for the repair", "receipts for the furniture", "the fire brigade's report", "a letter from the building manager", "a list of damaged contents", "the drying company's bill"]),
    ("burglary", [
        "Thieves forced the back door on {date} and went through every room.",
        "We came home from holiday to find the patio window broken and the drawers emptied on the floor.",
        "My bicycle was stolen from the locked cellar; the padlock had been cut.",
        "The shop was broken into during the night and the till, two laptops and stock were taken.",
        "My handbag was snatched in the tram between two stops.",
        "The tool container on the building site was cut open at the weekend.",
        "Somebody stole my laptop from the train luggage rack while I was asleep.",
        "The lock of our garden shed was broken and the mower and the hedge trimmer have gone."],
     ["laptop", "gold necklace", "wedding ring", "wrist watch", "mountain bike", "digital camera", "tablet", "cash", "power drill", "mobile phone", "silver cutlery", "game console", "angle grinder", "handbag", "e-bike"],
     ["the police crime reference", "receipts and bank statements showing the purchases", "photographs of the forced door", "the locksmith's invoice", "serial numbers of the devices", "a valuation from the jeweller", "a list of stolen property"]),
    ("travel", [
        "Our flight to {city} was cancelled and the airline could only offer a seat two days later.",
        "My suitcase did not arrive and the airline has now declared it lost.",
        "I fell ill two days before departure and my doctor forbade me to fly.",
        "My son broke his arm while skiing and was treated in the local hospital.",
        "I got food poisoning at the hotel and had to see a doctor and buy medicines.",
        "We missed the ferry because our hire car broke down on the way to the port.",
        "My wallet and passport were stolen on the beach and I had to get emergency papers from the consulate.",
        "My mother died unexpectedly and we had to cut short our trip and fly home."],
     ["hotel nights", "new flight tickets", "doctor's fee", "hospital charges", "medicines", "replacement clothes", "toiletries", "suitcase", "taxi fares", "emergency passport", "ski pass", "non-refundable deposit"],
     ["boarding passes", "the airline's property irregularity report", "a medical certificate", "hospital bills", "the booking confirmation and cancellation invoice", "receipts for hotel and taxi", "the death certificate", "a copy of my passport"]),
    ("business", [
        "A fire in the neighbouring unit spread to our warehouse and destroyed finished goods.",
        "The cold store failed over the weekend and all frozen stock had to be thrown away.",
        "An attacker encrypted our servers and we could not work for six days.",
        "A visitor slipped on the wet floor of our reception and broke her wrist; her solicitor now demands damages.",
        "One of our fitters drilled through a water main in a customer's building.",
        "The main transformer failed and production stood still for three shifts.",
        "A forklift reversed into the racking and four bays collapsed.",
        "A container of our goods was found wet when it was opened in {city}.",
        "The delivery van overturned and the load of glass was broken.",
        "An employee entrusted with the till has taken money over several months."],
     ["stock", "racking", "forklift", "frozen goods", "server hardware", "loss of gross profit", "data recovery", "debris removal", "machine parts", "packaging line", "shop fittings", "temporary premises", "overtime", "point of sale terminals"],
     ["the stock list and purchase invoices", "the surveyor's report", "management accounts for the last twelve months", "photographs", "the delivery note marked damaged", "the bill of lading", "the engineer's report", "the accident book entry", "the forensic report", "payroll records"]),
    ("health", [
        "I underwent surgery on my knee at the city hospital and paid the bill myself.",
        "My wife was admitted with high fever and diagnosed with dengue.",
        "I had a crown fitted after a tooth broke.",
        "My daughter needed an emergency appendix operation.",
        "I have been off work with a slipped disc and claim the daily sickness benefit.",
        "I injured my back lifting a crate at work and have been unable to return since.",
        "My father was treated as an in-patient for pneumonia for five days.",
        "I lost two fingers in an accident with the circular saw and claim under my personal accident cover."],
     ["room charges", "surgeon's fee", "anaesthetist", "laboratory tests", "X-ray", "medicines", "physiotherapy", "ambulance", "crown", "MRI scan", "intensive care", "crutches", "nursing charges"],
     ["the discharge summary", "original hospital bills and receipts", "the doctor's prescription", "laboratory reports", "the pre-authorisation letter", "my medical report", "payslips of the last three months", "a copy of my health card", "the employer's statement"]),
    ("farm", [
        "Hail destroyed most of the barley on the lower fields.",
        "Two cows were killed by lightning under a tree.",
        "The flood washed away the fences and drowned part of the flock.",
        "The barn with this year's hay burned down, the cause seems to be self-heating.",
        "A long drought has ruined the maize and we expect hardly a fifth of a normal harvest.",
        "Wild boar have dug up the potato field in a single night.",
        "The tractor rolled down the slope and came to rest against a wall."],
     ["barley crop", "maize crop", "dairy cow", "sheep", "fencing", "hay bales", "tractor cab", "barn roof", "irrigation pump", "greenhouse panels", "fruit trees", "beehives"],
     ["the vet's certificate", "photographs of the field", "the field map and sowing record", "the village officer's statement", "the weather service's confirmation", "ear tag numbers", "the fire report", "an estimate of yield"]),
    ("pet", [
        "My dog swallowed a toy and needed an operation at the animal clinic.",
        "Our cat was hit by a car and had her leg pinned.",
        "The horse developed colic and was taken to the equine hospital.",
        "My dog bit the neighbour's child and the family ask for the doctor's costs."],
     ["consultation", "operation", "anaesthetic", "X-ray", "medication", "hospital stay", "bandages", "follow-up visit"],
     ["the itemised vet bill", "the clinical history", "the microchip certificate", "the signed section of the form by the vet"]),
    ("gadget", [
        "I dropped my phone on the pavement and the screen is shattered.",
        "Coffee was spilled over my laptop and it no longer turns on.",
        "My hearing aid fell into the sea and could not be found.",
        "My glasses were broken when I fell on the stairs.",
        "My camera fell off the tripod and the lens is cracked."],
     ["phone", "laptop", "tablet", "hearing aid", "spectacles", "camera lens", "smart watch", "headphones"],
     ["proof of purchase", "the repair shop's assessment", "the IMEI number", "a photograph of the broken device"]),
    ("life", [
        "My husband, the life assured, passed away on {date} after a short illness.",
        "My late mother held a policy with you and named me as beneficiary.",
        "My brother died in a road accident; I am the nominee under his policy."],
     ["sum assured", "bonus", "accidental death benefit", "funeral expenses"],
     ["the death certificate", "the original policy document", "proof of my identity", "the claimant's statement", "a cancelled cheque", "the hospital's cause of death certificate"]),
]
INSURER = ["{last} Mutual Insurance", "{city} General Insurance", "{last} & {last2} Assurance", "Harbour Insurance Co.", "Northgate Assurance plc", "{city} Versicherung AG",
           "Sunrise General Insurance Ltd", "Bluefield Insurance Group", "Farmers and Traders Mutual", "Assurances {last}", "Pacific Crest Insurance", "Meridian Takaful", "Old Bridge Underwriters"]


def insurer(k):
    return k.pick(INSURER).replace("{last}", k.last()).replace("{last2}", k.last()).replace("{city}", k.city())


def policy(k):
    return k.ref("POL", "HH", "MV", "P", "BUS", "TR", "HLT")


def claimno(k):
    return k.ref("CLM", "C", "SCH", "LOSS", "CL")


def event(k):
    kind, what, items, proof = k.pick(EVENTS)
    return kind, k.fill(k.pick(what)), items, proof


KIND = {"motor": ["motor", "car", "comprehensive vehicle", "third party and collision", "fleet"], "home": ["household contents", "buildings", "home", "homeowner's", "renters", "landlord"],
        "burglary": ["theft", "contents", "burglary", "bicycle", "all risks"], "travel": ["travel", "trip cancellation", "holiday", "baggage"],
        "business": ["commercial combined", "business interruption", "public liability", "cargo", "property damage", "cyber"], "health": ["health", "medical", "mediclaim", "personal accident", "dental", "income protection", "workers' compensation"],
        "farm": ["crop", "farm", "livestock", "agricultural"], "pet": ["pet", "animal health", "pet owner's liability"], "gadget": ["gadget", "mobile phone", "accidental damage", "device protection"], "life": ["life", "term life", "endowment", "funeral"]}

OPEN = ["I wish to make an insurance claim.", "I wish to report a loss under my policy.", "I am writing to notify you of damage that occurred on {date}.", "Please accept this as formal notice of a loss.", "I would like to make a claim on the above policy.",
        "As discussed on the telephone with your claims line, here is my account in writing.", "I hereby report the following event and ask you to settle the damage.", "We hold cover with you and must unfortunately report an incident.",
        "Please open a file for the following loss.", "I have been insured with you since {num} years ago without ever troubling you, but now something has happened.", "Further to my call this morning I set out below what happened.",
        "We regret to inform you of a loss at our premises.", "Kindly treat this letter as intimation of a claim.", "This is to inform you that an insured event has taken place."]
ASK = ["Please confirm that this is covered and tell me what happens next.", "Kindly send your assessor to inspect the damage.", "I ask you to reimburse {money} after deduction of the excess.", "Please let me know whether I may go ahead with the repair.",
       "I request payment of {money} to my account {iban}.", "Please pay the workshop directly.", "Kindly settle my claim at the earliest.", "I would be grateful for an early settlement.", "Please send me the form if you need one.",
       "Do you need to see the damaged items or may I dispose of them?", "I estimate the total loss at about {money}.", "Please appoint a surveyor without delay.", "I understand that a deductible of {money} applies.",
       "Please confirm the claim number and the name of the handler."]
EXTRA = ["Nobody was hurt.", "Luckily no one was injured.", "The police attended and took statements.", "There were two witnesses who have given me their names.", "I reported it to the police the same evening.", "No other insurance covers this loss.",
         "I have not had any other claims in the last five years.", "We took emergency measures to limit the damage.", "The other party has admitted fault.", "The other party's insurer has been informed as well.", "I have kept the damaged parts for inspection.",
         "The premium has been paid up to date.", "I did not move anything before taking pictures.", "The alarm was switched on at the time.", "All doors and windows were locked.", "The vehicle is still drivable but not safe at night.",
         "The vehicle was towed to the garage of {company}.", "I was not under the influence of alcohol or drugs.", "The road was wet and visibility was poor.", "I have asked {company} for a repair quotation.", "The landlord has been told.",
         "The invoice for the replacement will follow as soon as I have it.", "My employment contract gives only six weeks of sick pay.", "The receipt from the shop is attached, where I still had it."]


def iban_fill(k, s):
    return s.replace("{iban}", k.iban())


def ask(k, a, b):
    return [k.fill(iban_fill(k, x)) for x in k.some(ASK, a, b)]


def enclosed(k, proof):
    n = min(len(proof), k.num(2, 4))
    p = k.some(proof, n, n)
    style = k.num(0, 3)
    if style == 0:
        return "Enclosed: " + ", ".join(p)
    if style == 1:
        return k.pick("Enclosures:", "Attachments:", "I attach:", "Documents enclosed", "Proof supplied:") + "\n" + "\n".join("- " + x for x in p)
    if style == 2:
        return "I enclose " + ", ".join(p[:-1]) + " and " + p[-1] + "."
    return "\n".join("%d) %s" % (i + 1, x) for i, x in enumerate(p))


def item_rows(k, items, money=True):
    n = min(len(items), k.num(2, 6))
    return [[x, k.pick("repair", "replacement", "total loss", "repair", "new") if money else str(k.num(1, 4)), k.pick(str(k.num(2009, 2025)), "%d years" % k.num(1, 12)), k.amount(30, 4000)] for x in k.some(items, n, n)]


def layout_form(k):
    """Structured claim form with fields."""
    kind, what, items, proof = event(k)
    cover = k.pick(KIND[kind])
    head = k.pick("INSURANCE CLAIM", "Insurance claim form", "%s CLAIM FORM" % cover.upper(), "Notice of Loss", "Claim Form - %s insurance" % cover, "REPORT OF LOSS OR DAMAGE", "Incident notification", "Schadenmeldung / Loss notification", "First notice of loss")
    sep = k.pick(": ", " ", " .... ", " | ", ":  ")
    rows = [(k.pick("Policy number", "Policy no.", "Certificate no."), policy(k)), (k.pick("Name of insured", "Policyholder", "Insured person", "Claimant"), k.person()), (k.pick("Address", "Home address"), k.address(", ")),
            (k.pick("Telephone", "Phone (daytime)", "Mobile"), k.phone()), ("E-mail", k.email()), (k.pick("Date of loss", "Date and time of accident", "When did it happen?", "Date of incident"), k.date() + k.opt(0.5, " at " + k.time())),
            (k.pick("Place", "Location of loss", "Where did it happen?"), k.street() + ", " + k.city()), (k.pick("Police report", "Crime reference", "FIR number"), k.pick(k.ref("PR", "CR"), "none", "not applicable", "reported, number to follow")),
            (k.pick("Excess", "Deductible", "Own contribution"), k.money(50, 1000)), (k.pick("Amount claimed", "Estimated loss", "Total claimed"), k.money(200, 20000)), (k.pick("Bank details for payment", "Pay to account", "IBAN"), k.iban()),
            (k.pick("Other insurance", "Is the item insured elsewhere?"), k.pick("no", "none", "yes, see attached")), ("Occupation", k.job_title()), (k.pick("Previous claims", "Claims in the last 3 years"), k.pick("none", "1", "2, both settled", "nil"))]
    n = k.num(6, len(rows))
    keep = [rows[i] for i in sorted(k.r.sample(range(len(rows)), n))]
    body = "\n".join(a + sep + b for a, b in keep)
    decl = f(k, ["I declare that the above is true and complete to the best of my knowledge.", "I understand that a false statement may lead to the claim being refused.", "The insured authorises the company to obtain information from third parties.",
                 "I/We declare that the foregoing particulars are true in every respect.", "I have not withheld any fact material to this loss.", "I agree that the insurer may request records from my doctor or the police."])
    return k.lines(k.opt(0.5, insurer(k)), k.opt(0.7, head), k.opt(0.3, "Section A - the insured"), body, GAP, k.pick("What happened?", "Description of the event:", "Circumstances", "Full details of how the loss occurred", "Account of the accident") , what + " " + " ".join(fs(k, EXTRA, 1, 3)), GAP,
                   k.opt(0.7, k.table([k.pick("Item", "Article", "Damaged property"), k.pick("Claim for", "Type"), k.pick("Bought", "Age"), k.pick("Value", "Cost", "Amount")], item_rows(k, items))), k.opt(0.6, enclosed(k, proof)), decl, k.pick("Signature", "Signed", "Signature of claimant") + ": " + k.person() + "   " + k.opt(0.7, "Date: " + k.date()))


def layout_letter(k):
    kind, what, items, proof = event(k)
    n = min(len(items), k.num(2, 5))
    it = k.some(items, n, n)
    subj = k.pick("Policy %s" % policy(k), "%s insurance, policy no. %s" % (k.pick(KIND[kind]).capitalize(), policy(k)), "Loss on %s" % k.date(), "Claim under policy %s" % policy(k), "Notification of damage - %s" % policy(k), "Ref %s" % policy(k))
    p1 = f(k, OPEN)
    p2 = k.para(f(k, ["On {date} at about {time} the following happened.", "This is what happened on {date}.", "Last {month} we had bad luck.", "The circumstances are as follows.", GAP, ""]), what, *fs(k, EXTRA, 2, 4))
    p3 = k.pick("The following were damaged or lost: %s." % ", ".join(it), "Affected are the %s." % " and the ".join(it), "I am claiming for: %s. Together they are worth %s." % (", ".join(it), k.money(200, 9000)), "The repair of the %s will cost about %s according to the workshop." % (it[0], k.money(200, 6000)))
    return k.lines(k.opt(0.7, k.person() + "\n" + k.address()), GAP, k.opt(0.8, insurer(k) + "\n" + k.pick("Claims Department", "Claims", "For the attention of the claims manager", "Loss department") + "\n" + k.opt(0.6, k.address())), GAP, k.opt(0.8, k.date()), GAP, k.opt(0.7, k.pick(subj, subj, "Insurance claim, " + subj)), GAP,
                   k.pick("Dear Sir or Madam,", "Dear Sirs,", "To whom it may concern,", "Dear Claims Team,", "Respected Sir,", "Dear Mr %s," % k.last(), "Good day,"), GAP, p1, GAP, p2, GAP, p3, GAP, " ".join(ask(k, 1, 3)), GAP, k.opt(0.7, enclosed(k, proof)), GAP, k.pick("Yours faithfully,", "Kind regards,", "Yours sincerely,", "Thanking you,", "Regards"), k.person())


def layout_mail(k):
    kind, what, items, proof = event(k)
    subj = k.pick("Insurance claim", "insurance claim %s" % policy(k), "policy %s - damage" % policy(k), "claim", "accident on %s" % k.date(), "reporting a loss", "my policy %s" % policy(k), "need to report a %s" % k.pick("theft", "loss", "damage", "water damage", "break-in", "accident"), "Claim documents", "%s insurance - please help" % k.pick(KIND[kind]))
    return k.lines("From: " + k.email(), "To: claims@" + k.email().split("@")[-1], k.opt(0.6, "Date: " + k.date()), "Subject: " + subj, GAP, k.pick("Hello,", "Hi,", "Dear team,", "Good morning,", "Dear Sir/Madam,"), GAP, k.opt(0.7, f(k, OPEN)), what, " ".join(fs(k, EXTRA, 0, 3)), " ".join(ask(k, 1, 2)), k.opt(0.5, enclosed(k, proof)), GAP,
                   k.pick("Thanks,", "Kind regards,", "Best wishes,", "Many thanks in advance"), k.person(), k.opt(0.6, k.phone()))


def layout_short(k):
    kind, what, items, proof = event(k)
    return k.para(k.opt(0.5, k.pick("Hello,", "Hi there,", "Dear insurance team,", "Good evening.")), k.opt(0.4, "Policy %s." % policy(k)), what, k.maybe(0.6) and f(k, EXTRA) or "", ask(k, 1, 1)[0], k.opt(0.6, k.person()), k.opt(0.3, "Tel. " + k.phone()))


def layout_adjuster(k):
    kind, what, items, proof = event(k)
    what = what.replace("I was", "the insured was").replace("My ", "The insured's ").replace("my ", "the insured's ").replace("Our ", "The insured's ").replace("our ", "the insured's ").replace("We ", "The family ").replace(" we ", " they ").replace("I ", "The insured ")
    head = k.pick("Loss adjuster's report", "SURVEY REPORT", "Preliminary assessment", "Adjuster's notes", "Field inspection report", "Interim report to underwriters")
    find = fs(k, ["I visited the premises on {date} and met {person}.", "The damage is consistent with the account given.", "There is no sign of lack of maintenance.", "The cause of the loss is an insured peril.", "I recommend a reserve of {money}.", "In my opinion betterment of {money} should be deducted.",
                  "The sum insured appears adequate; average does not apply.", "Underinsurance of about ten per cent was found.", "Recovery against {company} should be considered.", "The salvage has a value of {money}.", "The purchase invoices were checked against the stock list.",
                  "The policyholder could not produce receipts for all items.", "The lock shows tool marks consistent with forced entry.", "Moisture readings were taken and drying equipment was ordered.", "The depreciation was calculated at ten per cent a year.",
                  "The exclusion for gradual deterioration does not apply in this case.", "Repairs have been authorised up to {money}."], 4, 9)
    return k.lines(k.opt(0.8, head), k.opt(0.7, "Claim: " + claimno(k)), "Insured: " + k.pick(k.person(), k.company()), "Insurer: " + insurer(k), "Policy: " + policy(k) + k.opt(0.5, ", sum insured " + k.money(10000, 900000)), "Date of loss: " + k.date(), k.opt(0.5, "Inspected: " + k.date()), GAP,
                   k.pick("Circumstances", "1. Cause", "Background"), what, GAP, k.pick("Findings", "2. Observations", "Assessment"), " ".join(find) if k.maybe(0.5) else "\n".join("- " + x for x in find), GAP, k.table(["Item", "Basis", "Age", k.pick("Claimed", "Assessed", "Agreed")], item_rows(k, items)),
                   k.pick("Total assessed ", "Total loss ", "Net of excess ") + k.money(500, 30000), GAP, k.person() + k.pick(", chartered loss adjuster", ", surveyor", ", licensed assessor", ", claims inspector"))


def layout_ack(k):
    """Insurer's reply."""
    kind, what, items, proof = event(k)
    first = f(k, ["Thank you for telling us about your loss on {date}.", "We have received your notification dated {date}.", "We are sorry to hear about your accident.", "Thank you for your claim, which we have registered under the number above.", "We refer to the incident you reported on {date}.", "Your loss report has reached us."])
    reqs = k.some(proof, 2, 4) if len(proof) >= 4 else proof
    dec = fs(k, ["We have accepted your claim and will pay {money} after deduction of the excess of {money}.", "Our assessor {person} will contact you within five working days.", "The payment of {money} will reach your account shortly.", "Please do not start repairs before our expert has seen the damage.",
                 "Unfortunately the policy does not cover wear and tear, so this part of the claim cannot be paid.", "We have appointed {company} as approved repairer.", "A courtesy car is available while yours is being repaired.", "Your no claims discount will be reduced at renewal.",
                 "We have set the current value of the items, not the price when new, as your policy provides.", "We will ask the other driver's insurer to refund our outlay.", "Please quote the number above whenever you write to us.", "If you disagree you may contact the insurance ombudsman.",
                 "The settlement is made without admission of liability."], 2, 5)
    return k.lines(insurer(k), k.opt(0.5, k.address()), GAP, k.opt(0.6, k.person()), k.opt(0.5, k.date()), "Our ref: " + claimno(k), k.opt(0.6, "Policy: " + policy(k)), k.opt(0.6, "Type of cover: " + k.pick(KIND[kind])), GAP, "Dear " + k.pick("Mr ", "Ms ", "Mrs ", "policyholder ") + k.last() + ",", GAP, first, " ".join(dec),
                   k.opt(0.7, "To go on we still need:\n" + "\n".join(k.pick("- ", "* ", "") + x.replace("my ", "your ") for x in reqs)), GAP, k.pick("Yours sincerely", "Kind regards"), k.person(), k.pick("Claims handler", "Claims team", "Senior claims adviser", "Loss settlement"))


def layout_portal(k):
    kind, what, items, proof = event(k)
    out = [k.pick("Your insurance claim has been submitted.", "Your report has been submitted.", "New loss registered", "Claim status update", "Online loss notification - summary", "[Insurance app] We have got your report", "FNOL record created")]
    out += k.some(["Reference: " + claimno(k), "Policy: " + policy(k), "Cover: " + k.pick(KIND[kind]), "Event date: " + k.date(), "Status: " + k.pick("open", "under review", "waiting for documents", "approved", "payment ordered"), "Reserve: " + k.money(200, 9000), "Deductible: " + k.money(50, 500), "Handler: " + k.person(), "Uploaded: " + ", ".join(proof[:3]), "Claimed amount: " + k.money(100, 9000), "Injuries: " + k.pick("none", "yes", "minor")], 4, 9)
    out.append(k.pick("Your description:", "Details:", "What you told us:") + " " + what)
    out.append(f(k, ["We will get back to you within {num} working days.", "You can follow the progress in your account.", "Please upload the missing proofs.", "Do not reply to this message.", "Need help? Call {phone}."]))
    return "\n".join(out)


def layout_checkbox(k):
    kind, what, items, proof = event(k)
    def box(lst):
        on = k.num(0, len(lst) - 1)
        m = k.pick(("[x]", "[ ]"), ("(X)", "( )"), ("X", "_"))
        return "  ".join((m[0] if i == on else m[1]) + " " + x for i, x in enumerate(lst))
    dots = k.pick("....................", "________________", " ", "......")
    return k.lines(k.opt(0.7, k.pick("INSURANCE CLAIM FORM", "ACCIDENT REPORT", "CLAIM FORM", "LOSS QUESTIONNAIRE", "EUROPEAN ACCIDENT STATEMENT", "CLAIMANT'S STATEMENT")), k.opt(0.5, "To be completed by the " + k.pick("policyholder", "insured", "claimant") + " in block letters"),
                   "1. Policy no. " + policy(k) + dots, "2. Insured " + k.person() + " " + dots, "3. Cause: " + box(k.pick(["fire", "water", "storm", "theft", "other"], ["collision", "theft", "glass", "hail", "animal"], ["illness", "accident", "maternity", "dental"])), "4. Date of event " + k.date() + dots + " time " + k.time(),
                   "5. Anyone injured? " + box(["yes", "no"]), "6. Police informed? " + box(["yes", "no"]), k.opt(0.7, "7. Who was at fault? " + box(["I", "other party", "both", "unknown"])), k.opt(0.5, "8. Witnesses: " + k.pick("none", k.person() + ", " + k.phone())), k.opt(0.5, "9. Other party: " + k.person() + ", insured with " + insurer(k)),
                   "10. " + k.pick("Describe the event", "How did it happen", "Short account with sketch"), what, " ".join(fs(k, EXTRA, 0, 2)), "11. Damage: " + ", ".join(k.some(items, 2, 4)) + ", estimated " + k.money(100, 9000), k.opt(0.6, "12. Pay to: " + box(["policyholder", "garage", "hospital", "landlord"]) + " account " + k.iban()),
                   f(k, ["I confirm the answers are true.", "Incorrect answers can cost you the cover.", "Signed at {city} on {date}", "Date {date}   Signature {person}"]))


def layout_narrative(k):
    kind, what, items, proof = event(k)
    parts = [f(k, ["Statement of the insured, {person}, policy number ", "Written account for {company} regarding policy ", "Report on the loss, policy ", "For the insurer. Policy "]) + policy(k) + ".", what] + fs(k, EXTRA, 3, 6)
    parts += ["The %s and the %s %s." % (items[0], items[1], k.pick("cannot be repaired", "are beyond repair", "had to be thrown away", "must be replaced", "have disappeared", "will have to be paid for"))]
    parts += [f(k, ["I first noticed it when I came home at {time}.", "My neighbour {person} called me at {time}.", "I was alone at the time.", "A passer-by, {person} of {street}, saw everything.", "The caretaker turned off the main valve.", "It took the emergency services {num} minutes to come."])] + ask(k, 1, 2)
    return " ".join(parts)


def layout_business(k):
    kind, what, items, proof = k.pick([e for e in EVENTS if e[0] in ("business", "farm", "motor", "burglary")])
    what = k.fill(k.pick(what))
    sec = [("1. Insured", "%s, %s. %s" % (k.company(), k.address(", "), f(k, ["Business: wholesale of {product}.", "We run a hotel with {num} rooms.", "We are a charity and work from rented rooms.", "Business description: {service}.", "We operate a restaurant.", "Family farm.", "School run by a trust."]))),
           ("2. Policy", "%s, %s cover, sum insured %s, excess %s, period to %s." % (policy(k), k.pick(KIND[kind]), k.money(50000, 5000000), k.money(250, 5000), k.date())),
           ("3. Event", what + " " + " ".join(fs(k, EXTRA, 1, 3))), ("4. Measures taken", " ".join(fs(k, ["We switched off the power and secured the site.", "A contractor removed the water the same day.", "Customers were informed of the delay.", "We hired temporary equipment from {company}.", "The doors were boarded up.", "We moved part of production to {city}.", "We asked our supplier {company} to replace the order.", "A specialist restored the data from backup."], 2, 4))),
           ("5. Quantum", k.table(["Head of loss", "Basis", "Year", "Amount " + k.currency()], item_rows(k, items)) + "\nTotal " + k.money(2000, 400000)), ("6. Third parties", f(k, ["We hold {company} liable and have written to them.", "No recovery is expected.", "The carrier {company} has been put on notice.", "The other party's solicitor wrote on {date}."])), ("7. Documents", ", ".join(proof))]
    n = k.num(4, 7)
    keep = sorted(k.r.sample(range(7), n))
    return k.lines(k.opt(0.6, k.pick("Insurance claim", "STATEMENT OF CLAIM UNDER POLICY", "Claim submission", "Loss notification by the insured", "Proof of loss", "SWORN STATEMENT IN PROOF OF LOSS")), k.opt(0.6, "To: " + insurer(k)), k.opt(0.5, "Through our broker " + k.company()), GAP, "\n\n".join(sec[i][0] + "\n" + sec[i][1] for i in keep), GAP, f(k, ["We request an interim payment of {money}.", "Please confirm cover by {date}.", "We reserve the right to amend the figures.", "Kindly appoint your surveyor at once."]), k.person(), k.job_title())


def layout_reimburse(k):
    """Health reimbursement claim."""
    e = [x for x in EVENTS if x[0] in ("health", "pet", "travel")]
    kind, what, items, proof = k.pick(e)
    n = min(len(items), k.num(3, 7))
    rows = [[k.date(), x, k.pick(k.company(), k.title_person(), k.city() + " Hospital", "City Clinic"), k.ref("B", "R"), k.amount(10, 3000)] for x in k.some(items, n, n)]
    return k.lines(k.opt(0.6, k.pick("Health insurance claim", "REIMBURSEMENT CLAIM", "Medical expenses claim", "Claim for reimbursement of costs", "Benefit request", "Cashless not availed - reimbursement request")), "Member: " + k.person() + k.opt(0.5, "  Member ID " + k.ref("M", "ID")), k.opt(0.6, "Insurer/TPA: " + insurer(k)), "Policy: " + policy(k), k.opt(0.5, "Patient: " + k.person() + " (" + k.pick("self", "spouse", "son", "daughter", "mother") + ")"),
                   k.opt(0.5, "Diagnosis: " + k.pick("fracture", "dengue fever", "appendicitis", "gall stones", "pneumonia", "cataract", "sprained ankle", "tooth decay")), GAP, k.fill(k.pick(what)), GAP, k.table(["Date", "Expense", "Provider", "Bill no.", "Amount"], rows), k.pick("Total claimed: ", "Sum: ", "Amount to be reimbursed: ") + k.money(100, 9000), GAP, "Originals attached: " + ", ".join(proof), f(k, ["Please credit my account with {bank}.", "Less co-payment of ten per cent.", "I have not claimed these costs from anyone else.", "I authorise the hospital to give the insurer any information."]), "Signature " + k.person())


def layout_phone_note(k):
    kind, what, items, proof = event(k)
    return k.lines(k.opt(0.6, k.pick("Insurance claim - call note", "Telephone note, claims line", "Call log - loss report", "NOTE FOR FILE", "Broker's note", "Memo to claims")), "Caller: " + k.person() + k.opt(0.5, ", " + k.phone()), "Policy: " + policy(k) + k.opt(0.4, " (lapsed? check premium)"), "Loss: " + k.date() + " " + k.opt(0.5, k.time()), "Caller says: \"" + what + "\"", k.pick("Damage to ", "Lost: ", "Affected: ") + ", ".join(k.some(items, 1, 4)), "\n".join(fs(k, ["Reserve set at {money}.", "Excess explained to customer.", "Asked for photos and an estimate.", "Tow truck ordered.", "Customer upset, call back before {time}.", "No injuries.", "Third party: {person}, {city}.", "Send form to {email}.", "Police number to follow.", "Check exclusion for unattended vehicle.", "Surveyor booked for {date}.", "Hire car offered."], 2, 5)))


def layout_old(k):
    kind, what, items, proof = event(k)
    return k.lines(k.opt(0.6, k.city() + ", the " + k.date()), k.pick("To the Directors of ", "To the Manager, ") + insurer(k), GAP, k.pick("Gentlemen,", "Sirs,", "Dear Sirs,"), GAP, f(k, ["I beg to give notice of a loss which has befallen me and against which I stand assured with your office under policy ", "It is my duty to inform you of an accident that falls, I trust, within the terms of policy ", "Pursuant to the conditions of the policy numbered "]) + policy(k) + ". " + what, f(k, ["I value the loss at {money} and trust that you will see fit to make it good.", "A schedule of the articles destroyed is appended hereto.", "I hold myself at the disposal of your surveyor at any hour.", "I have taken all reasonable steps to preserve what could be saved."]), "Schedule: " + "; ".join(x + " " + k.money(20, 900) for x in k.some(items, 2, 4)), GAP, k.pick("I remain, Sirs, your obedient servant,", "Yours truly,"), k.person())


def layout_chat(k):
    """Informal message to broker or insurer."""
    kind, what, items, proof = event(k)
    return k.lines(k.para(k.pick("Hi " + k.first() + ",", "Hello again,", "Morning!", "Hey,"), k.pick("bad news I'm afraid.", "sorry to bother you.", "we need your help with the insurance.", "not sure who I should tell, you sold us the policy so I start with you.", "I think I need to claim.", "had a bit of a disaster."), what, k.pick("Am I covered for this?", "Does our policy pay for that?", "What do I have to fill in?", "Do I need to keep the broken things?", "How much is the excess again?", "Can you send someone round to look at it?", "The garage wants to know who pays before they start.")),
                   k.opt(0.6, "Damage so far: " + ", ".join(k.some(items, 2, 4)) + ", maybe " + k.money(100, 5000) + " all in."), k.opt(0.5, "I have " + " and ".join(k.some(proof, 2, 2)) + "."), k.opt(0.7, "Policy no is " + policy(k)), k.opt(0.7, k.first()))


def layout_liability(k):
    """Claimant writes to the other side's insurer."""
    what = f(k, ["Your insured, {person}, drove into my parked car on {date}.", "On {date} I slipped on the icy steps of a shop insured with you.", "A roof tile from your policyholder's house fell on my car.", "Your client's dog bit me and I had to see a doctor.", "Your insured's contractor cut through our cable while digging.", "The son of your policyholder kicked a ball through our window.", "A lorry belonging to {company}, insured with you, damaged our gate."])
    dmg = fs(k, ["repair {money}", "loss of use {money}", "hire car {money}", "doctor and medicines {money}", "loss of earnings {money}", "new glass {money}", "expert's fee {money}", "pain and suffering {money}", "travel to treatment {money}", "solicitor's fee {money}"], 2, 5)
    return k.lines(k.opt(0.5, k.person() + ", " + k.address(", ")), k.opt(0.7, "To " + insurer(k)), k.opt(0.6, k.date()), k.opt(0.6, k.pick("Your policyholder: ", "Your insured: ") + k.pick(k.person(), k.company())), k.opt(0.5, "Registration " + k.ref("AB", "KL", "XR")), GAP, k.pick("Dear Sirs,", "Dear Sir or Madam,", "Hello,"), what + " " + " ".join(fs(k, EXTRA, 1, 2)), k.pick("I hold your insured responsible and claim:", "My damage:", "I therefore ask for compensation as follows:", "The loss is made up of"), "\n".join("- " + d for d in dmg), f(k, ["Please confirm liability within {num} days.", "Payment to my account at {bank}, please.", "A medical report and the garage's invoice are enclosed.", "I keep further claims open until treatment ends.", "Please let me have your offer by {date}."]), k.person())


def layout_timeline(k):
    """Held out: diary of events."""
    kind, what, items, proof = event(k)
    rows = [k.date() + "  " + what, k.date() + "  " + f(k, ["Police informed", "Insurer's hotline called, {person} took the report", "Reported to broker"]), k.date() + "  " + f(k, ["Assessor inspected the damage", "Repair quotation over {money} received", "Photographs sent by e-mail"]), k.date() + "  " + f(k, ["Form and receipts sent by post", "Claim number given", "Reminder sent to the insurer"]), k.date() + "  " + f(k, ["Part payment of {money} received", "Insurer asks for more proof", "No reply so far"])]
    return k.lines(k.pick("Sequence of events, policy ", "Loss diary / policy ", "File ") + policy(k), "Insurer " + insurer(k), "\n".join(rows[:k.num(3, 5)]), "Lost or damaged: " + ", ".join(k.some(items, 2, 4)), "Still to be paid by the insurer after excess: " + k.money(100, 9000), k.person())


def layout_qa(k):
    """Held out: interview."""
    kind, what, items, proof = event(k)
    return k.lines("Q: " + k.pick("What is your policy number?", "Who is insured?"), "A: " + policy(k) + ", " + k.person(), "Q: " + k.pick("What happened?", "Please describe the event."), "A: " + what, "Q: When?", "A: " + k.date() + " about " + k.time(), "Q: What was damaged?", "A: The " + " and the ".join(k.some(items, 2, 3)) + ".", "Q: " + k.pick("How much do you claim?", "What is your estimate of the loss?"), "A: " + k.money(100, 9000), "Q: Do you have proof?", "A: Yes, " + k.pick(proof) + ".", "Q: Was anyone hurt?", "A: " + k.pick("No.", "Fortunately not.", "My passenger, slightly."), k.opt(0.6, "Taken down by the claims officer of " + insurer(k)))


def layout_bundle(k):
    """A long document: the letter with its enclosures."""
    out = [k.pick(layout_letter, layout_mail, layout_narrative, layout_liability)(k)]
    for g in k.some([layout_form, layout_adjuster, layout_business, layout_reimburse, layout_checkbox, layout_phone_note], 1, 3):
        out.append(k.pick("", "Page 2", "Enclosure", "Attachment", "Annex " + k.pick("A", "1"), "- - -", "(continued)"))
        out.append(g(k))
    return "\n\n".join(x for x in out if x)


TITLES = ["Insurance Claim", "INSURANCE CLAIM", "Claim on insurance", "Insurance claim letter", "Claim notification", "Claim form", "Insurance claim no. {ref}", "Claim under policy {ref}"]


def named(layout):
    """One document in five carries a title that names the class."""
    def g(k):
        text = layout(k)
        if k.maybe(0.2):
            text = f(k, TITLES) + k.pick("\n", "\n\n", "\n") + text.lstrip()
        return "\n".join(x.rstrip() for x in text.split("\n")).strip("\n")
    g.__name__ = layout.__name__
    return g


LAYOUTS = [named(x) for x in (layout_form, layout_letter, layout_mail, layout_short, layout_adjuster, layout_ack, layout_portal, layout_checkbox, layout_narrative, layout_business,
                              layout_reimburse, layout_phone_note, layout_old, layout_chat, layout_liability, layout_bundle)]
LAYOUTS += [layout_timeline, layout_qa]          # held out
