"""Quotations: a supplier offers goods or services at a price, not yet ordered."""

ALIASES = ["quotation", "Quotation", "quotations", "QUOTATION", "quote", "Quote", "price_quote", "Price Quote", "offer", "Offer", "sales_offer", "Sales Offer", "estimate", "Estimate", "cost_estimate", "Cost Estimate", "proposal", "Price Proposal", "bid", "tender_offer", "Tender", "Angebot", "Kostenvoranschlag", "price_offer"]
DESCRIPTIONS = ["offers goods or services at a stated price", "a supplier tells a customer what something would cost", "price offer that is valid until a date and may be accepted", "estimate of costs before the work is ordered", "quotes we receive from suppliers or send to customers", "non-binding or binding offer with items, prices and conditions", "bid for a job, not yet accepted", "proposal with prices sent on request", "answers an enquiry with a price and delivery time"]

WORK = {
    "trade": ["office chairs", "LED panels 60x60", "stainless tubes 25 mm", "printed cartons", "cotton shirts with logo", "pumps 3 kW", "ceramic tiles, m2", "laptops 14 inch", "solar modules 410 W", "pallet racking", "safety boots", "forklift, used", "coffee machine", "bearings", "water tanks 5,000 l", "hospital beds", "school desks", "tractor tyres", "steel doors"],
    "building": ["strip and re-tile the roof", "replace gutters and downpipes", "rewire the ground floor", "new bathroom, complete", "paint exterior, two coats", "lay oak flooring, m2", "install heat pump", "brick garden wall", "scaffolding", "kitchen fitting", "remove old boiler", "groundworks", "double-glazed windows", "pave the driveway", "insulate the loft", "plaster ceilings", "skip and disposal"],
    "service": ["website redesign, 12 pages", "monthly bookkeeping", "office cleaning, 5 days a week", "translation, 18,000 words", "wedding photography, 8 hours", "removal to {city}, 40 m3", "catering for {num} guests", "sea freight, 1 x 40 ft", "garden maintenance per year", "security patrol", "audit of accounts", "IT support contract", "staff training, 2 days", "tree felling", "machine overhaul", "coach hire, day trip", "band and DJ", "hotel rooms, group rate", "software licences, 3 years", "insurance cover, annual premium", "dental implant treatment", "print run 5,000 brochures", "pest control, quarterly"],
}
NAMES = ["QUOTATION", "Quotation", "OFFER", "Offer", "Angebot / Quotation", "ESTIMATE", "Estimate", "QUOTE", "Price quotation", "Proposal", "Cost estimate", "TENDER", "Devis / Quote", "Preventivo / Estimate", "Pro forma offer", "BID", "Budget quotation", "Sales quote"]
VALID = ["This offer is valid until {date}.", "Prices hold for 30 days.", "Valid for 60 days from today.", "The quote expires on {date}.", "Offer subject to prior sale.", "Our offer is without obligation.", "Binding until {date}.", "Prices can change if the order comes after {date}.", "This estimate is free and non-binding.", "Please accept by {date} to keep the discount."]
COND = ["Delivery about {num} weeks after receipt of order.", "Payment: 50 % with order, balance on completion.", "Payment 30 days net after invoice.", "Prices exclude VAT.", "Prices include GST.", "Ex works {city}, packing included.", "Freight extra.", "Minimum order {num} pieces.", "Work can start in the week of {date}.", "Scaffolding is not included.", "Hidden defects are charged at the hourly rate after consultation.", "Warranty 24 months.", "Installation and training are included.", "Travel costs are charged as incurred.", "The price assumes free access to the site.", "Larger quantities on request.", "Tooling costs are paid once.", "Samples can be sent before you decide.", "Subject to technical clarification.", "Our general terms of sale apply.", "Options can be ordered separately.", "Cancellation up to 14 days before is free.", "A 10 % discount is granted on orders above {money}.", "To accept, sign below and return.", "Please send your purchase order to {email}.", "The contract is formed when we confirm your order.", "We can hold the date for you until {date}.", "Confidential, not to be shown to third parties.", "Materials as per sample.", "Building permit fees are yours to pay.", "This is not an invoice.", "This is an estimate, not a contract."]
OPEN = ["Thank you for your enquiry of {date}. We are pleased to offer:", "With reference to our telephone call we quote as follows:", "Following our visit to {street} on {date} we estimate the cost of the work as follows:", "In reply to your request for quotation {ref} we submit our best prices:", "Many thanks for your interest in our {product}. We can offer you:", "As requested, here is our price for the job:", "We are happy to give you a price for the following:", "We thank you for inviting us to tender and offer:", "Based on the drawings you sent we propose:", "As discussed with {person}, our proposal is:", "We have checked your list and can supply at these prices:", "We would be glad to carry out the work at the following rates:"]
CLOSE = ["We would be pleased to receive your order.", "We look forward to your reply.", "If you would like to go ahead, just let us know.", "Should you have any questions about our offer, call {person} on {phone}.", "We hope our prices meet your expectations.", "We trust the offer is competitive and await your decision.", "Tell me if the budget is too tight and we will find another way.", "Shall we book you in?", "We would be delighted to work with you.", "On acceptance we will send the contract for signature.", "We will keep the material reserved for a week."]
TOT = ["Total offer price", "Total", "Quoted price", "Total estimate", "Estimated total", "Offer total", "Our price", "Price", "Sum offered", "Total excl. VAT", "Tender sum", "Package price"]


def _i(k, lo, hi):
    return [k.fill(x) for x in k.some(WORK[k.pick(list(WORK))], lo, hi)] if k.maybe(0.85) else [k.pick(k.product(), k.service()) for _ in range(k.num(lo, hi))]


def _c(k, lo, hi):
    return [k.fill(x) for x in k.some(COND, lo, hi)] + [k.fill(k.pick(VALID))]


def _f(k, l):
    return k.fill(k.pick(l))


def structured(k):
    rows = [[str(i + 1), n, str(k.num(1, 200)), k.amount(2, 900), k.amount(20, 9000)] for i, n in enumerate(_i(k, 1, 8))]
    return k.lines(k.company(), k.opt(0.6, k.address(", ")), k.opt(0.6, k.pick(NAMES) + " " + k.ref("Q-", "AN")), "Date: " + k.date(), k.pick("For: ", "To: ", "Customer: ", "Prepared for: ", "Client: ", "Attn: ") + k.pick(k.person(), k.company()), k.opt(0.6, k.pick("Valid until: ", "Expires: ", "Offer valid to: ") + k.date()), k.opt(0.4, k.pick("Your enquiry: ", "RFQ: ", "Project: ", "Salesperson: ") + k.pick(k.ref("RFQ"), k.person())), "", k.opt(0.5, _f(k, OPEN)), k.table(["Pos", k.pick("Description", "Item", "Service"), "Qty", k.pick("Unit price", "Rate"), "Total"], rows), k.opt(0.4, "Optional: " + k.pick(_i(k, 1, 2)) + " " + k.money(20, 900)), k.opt(0.4, "Discount " + k.percent(2, 20)), k.pick(TOT) + ": " + k.money(100, 20000), *_c(k, 1, 5), k.opt(0.5, _f(k, CLOSE)), k.opt(0.4, "Accepted: .................... Date: ............"))


def letter(k):
    return k.lines(k.company(), k.address(", "), "", k.pick(k.person(), k.company()), k.address(), "", k.date(), k.opt(0.45, k.pick("Quotation ", "Our offer ", "Estimate ") + k.ref("")), "Dear " + k.title_person() + ",", "", _f(k, OPEN), "", *[k.pick("- ", "", "* ") + n + k.pick(": ", " ... ", " at ") + k.money(20, 6000) for n in _i(k, 1, 6)], k.pick(TOT) + ": " + k.money(100, 20000), "", k.para(*_c(k, 1, 5)), _f(k, CLOSE), "", k.pick("Yours sincerely,", "Kind regards,", "Yours faithfully,", "With best regards,"), k.person(), k.pick("Sales", "Estimator", "Owner", "Key account manager", "Export sales"))


def email(k):
    S = ["Quotation {ref}", "Our offer for {product}", "Price for {service}", "Estimate as discussed", "Your enquiry", "Re: request for prices", "Offer {ref}, valid until {date}", "Quote for your project"]
    return k.lines(k.opt(0.65, k.lines("From: " + k.email(), "To: " + k.email(), "Subject: " + _f(k, S))), k.pick("Hi ", "Dear ", "Hello ") + k.pick(k.first(), k.title_person()) + ",", "", _f(k, OPEN), *["- " + n + ": " + k.money(20, 4000) for n in _i(k, 1, 4)], k.opt(0.7, k.pick(TOT) + ": " + k.money(50, 9000)), "", k.para(*_c(k, 1, 3), _f(k, CLOSE)), k.pick("Best regards,", "Kind regards,", "Cheers,", "Regards,"), k.person(), k.opt(0.5, k.company()))


def short(k):
    a = k.pick(_i(k, 1, 2))
    T = ["Hi {first}, I could do {a} for {money}, start on {date}. Let me know by Friday. {person}", "Price for {a}: {money} plus VAT, about {num} days of work. Valid for a month. {company}", "{company}: we can offer {a} at {money} per unit, delivery in {num} weeks. Interested?", "For {a} I would ask {money}, materials included. If that suits you I can come in {month}. {person}", "Had a look at the job. {a} would be roughly {money}, give or take ten percent. Ring me if you want me to go ahead. {first}", "Our best price for {a} is {money}, subject to your order before {date}.", "Rough estimate {a}: labour {money}, parts {money}. Shall I order the parts? {first}, garage"]
    return k.lines(k.opt(0.2, k.pick("Quote", "Estimate", "Offer")), k.fill(k.pick(T).replace("{a}", a).replace("{first}", k.first())))


def prose(k):
    A = ["{company} offers {company} {a} at a price of {money}.", "We would carry out {a} for a fixed price of {money}.", "For {a} we have worked out a cost of {money}.", "Our proposal covers {a} and comes to {money}."]
    B = ["We estimate {num} working days.", "The sum is made up of {money} for labour and {money} for material.", "If you also want {a}, add {money}.", "Compared with your present supplier you would save {money} a year.", "The samples you saw at our stand are of the same quality.", "Our references include schools and clinics in {city}.", "We have left out the disposal, as you asked.", "The measurements were taken by {person} on {date}.", "An earlier invoice from another firm which you showed us contained the same items.", "A formal contract follows once you accept."]
    a = lambda: k.pick(_i(k, 1, 2))
    return k.lines(k.opt(0.4, k.pick(NAMES)), k.opt(0.5, k.company()), k.opt(0.6, k.date()), k.para(k.fill(k.pick(A).replace("{a}", a())), *[k.fill(x.replace("{a}", a())) for x in k.some(B, 2, 6)], *_c(k, 1, 3), _f(k, CLOSE)), k.opt(0.6, k.person()))


def builder(k):
    d = lambda a, b: a + " " + "." * k.num(3, 24) + " " + b
    return k.lines(k.pick(k.company(), k.last() + " Roofing", k.last() + " & Son, Builders", k.last() + " Electrical"), k.opt(0.5, k.pick("Estimate", "ESTIMATE FOR WORKS", "Quotation for work")), d("Customer", k.person()), d("Site", k.street()), d("Seen on", k.date()), *[d(n, k.amount(50, 4000)) for n in [k.fill(x) for x in k.some(WORK["building"], 2, 8)]], d("Labour", k.amount(100, 4000)), d(k.pick(TOT), k.money(500, 20000)), *_c(k, 1, 4), "Signature of customer if accepted ............")


def portal(k):
    return k.lines(k.pick("You have received a quote", "New offer from " + k.company(), "Quote request answered", "Supplier response to your RFQ", "Bid submitted", "Proposal ready for review"), "Ref: " + k.ref("Q", "RFQ"), *[n + "  " + k.money(10, 3000) for n in _i(k, 1, 5)], k.pick(TOT) + " " + k.money(50, 9000), "Lead time: %d days" % k.num(2, 90), k.pick("Valid until ", "Expires ") + k.date(), k.pick("[Accept quote] [Reject] [Ask a question]", "Compare with other bids", "Accept to create a purchase order.", "Status: open, awaiting your decision"), k.opt(0.5, "Contact " + k.email()))


def tender(k):
    T = ["We have examined the tender documents and offer to execute the works for the sum stated.", "This tender shall remain open for acceptance for {num} days.", "We undertake to complete within {num} weeks of the order to commence.", "A bid bond of {money} is enclosed.", "We accept that the lowest tender need not be accepted.", "Our insurance certificates and references are attached.", "Prices are firm and not subject to escalation.", "Deviations from the specification: none.", "Our safety record and last audited accounts are annexed.", "The unit rates in the bill of quantities apply to variations."]
    return k.lines("To: " + k.pick("The Tender Committee, ", "The Chief Engineer, ", "Procurement, ") + k.pick("Municipality of " + k.city(), k.company()), k.opt(0.5, k.pick("FORM OF TENDER", "Technical and price offer", "Bid", "Quotation")), "Ref: " + k.ref("T") + "  " + k.date(), "Subject: " + k.pick(_i(k, 1, 2)), "", k.para(*[k.fill(x) for x in k.some(T, 3, 8)]), k.table(["Lot", "Item", "Rate", "Amount"], [[str(i + 1), n, k.amount(5, 500), k.amount(100, 20000)] for i, n in enumerate(_i(k, 2, 7))]), k.pick(TOT) + ": " + k.money(1000, 90000), *_c(k, 0, 3), "For the bidder: " + k.person() + ", " + k.company())


def proposal_long(k):
    SEC = [("What you asked for", ["You want {service} without closing the business.", "Your present {product} is at the end of its life.", "The aim is to open in {month}.", "In the meeting on {date} you named a budget of {money}."]), ("What we propose", ["We would deliver and install {product}.", "Our team of {num} would work in two phases.", "Phase 1 covers planning, phase 2 the work itself.", "A test run takes place before handover.", "We take the old equipment away."]), ("Timetable", ["Start four weeks after your order.", "Completion by {date}.", "Weekly progress report."]), ("Why us", ["{num} years of experience.", "Our {person} will be your only contact.", "References in {city} and nearby."]), ("Conditions", COND)]
    return k.lines(k.company(), k.opt(0.5, k.pick("Proposal", "Offer", "Quotation") + " for " + k.company()), k.date(), "", _f(k, OPEN), *sum([[a, *[k.pick("- ", "") + k.fill(x) for x in k.some(b, 2, 5)], ""] for a, b in k.some(SEC, 3, 5)], []), "Prices", *["  " + n + "  " + k.money(50, 6000) for n in _i(k, 2, 7)], "  " + k.pick(TOT) + "  " + k.money(500, 20000), *_c(k, 1, 4), _f(k, CLOSE), k.person())


def freight_hotel(k):
    s = k.pick(["Freight rate {city} - {city}", "Fuel surcharge", "Terminal handling", "Customs clearance", "Cargo insurance", "Delivery to door"], ["Single room per night", "Double room per night", "Conference room, full day", "Coffee break per person", "Dinner menu per person", "Parking per car"], ["Coach 50 seats, whole day", "Driver's overnight stay", "Motorway tolls", "Extra kilometres"], ["Bride's bouquet", "Table decorations", "Car garland", "Delivery and set-up"], ["Annual premium, buildings", "Annual premium, liability", "Excess per claim", "Insurance tax"])
    return k.lines(k.company(), k.opt(0.4, k.pick("Rate quotation", "Group offer", "Quote", "Offer")), "For " + k.pick(k.person(), k.company()), k.date(), _f(k, OPEN), *[k.fill(x) + "  " + k.money(5, 3000) for x in s], *_c(k, 1, 4), _f(k, CLOSE), k.person())


def ocr(k):
    n = _i(k, 2, 6)
    return k.lines(k.company().upper(), k.city().upper(), k.opt(0.5, "QUOTATION"), "QUOTE NO VALID UNTIL", k.ref("Q"), k.date(), "DESCRIPTION", *n, "QTY", *[str(k.num(1, 90)) for _ in n], "PRICE", *[k.amount(5, 900) for _ in n], k.pick(TOT).upper(), k.money(50, 9000), *[x.upper() for x in _c(k, 1, 3)])


def garage_clinic(k):
    s = k.pick(["Front brake discs and pads", "Labour 4 h", "Timing belt kit", "Exhaust rear section", "Respray door", "New windscreen"], ["Crown, zirconia", "Implant", "X-ray", "Root canal treatment", "Temporary bridge", "Follow-up visits"], ["Hip operation, surgeon", "Anaesthetist", "Three nights in ward", "Theatre", "Physiotherapy"], ["Dental cleaning, dog", "Anaesthesia", "Blood test", "Antibiotics"])
    return k.lines(k.pick(k.company(), k.title_person()), k.opt(0.5, k.pick("Cost estimate", "Estimate", "Treatment plan and costs", "Repair estimate")), k.pick("For ", "Customer ", "Patient ", "Vehicle/owner ") + k.person(), k.date(), *[x + " " + k.money(20, 2000) for x in s], k.pick("Estimated total ", "Expected costs ", "About ") + k.money(100, 6000), *_c(k, 0, 2), k.pick("Actual costs may differ by up to 15 %.", "Please check with your insurer how much is covered.", "We start once you agree.", "If we find more damage we call you first.", "Your share after insurance is estimated at " + k.money(50, 900) + "."))


def old(k):
    return k.lines(k.company(), k.city() + ", " + k.date(), "Messrs. " + k.company(), "Gentlemen,", k.pick("In answer to your esteemed enquiry we beg to quote you, without engagement:", "We have pleasure in offering you, subject to being unsold:", "We thank you for your inquiry and are prepared to supply:"), *[n + " at " + k.money(5, 900) for n in _i(k, 1, 4)], k.pick("Terms: net cash against documents.", "Less 2 1/2 per cent for prompt cash.", "Delivery within six weeks of receipt of order."), _f(k, VALID), k.pick("Awaiting the favour of your commands, we remain,", "Trusting to receive your order,", "Yours faithfully,"), k.company())


def human(k):
    """Tradesperson or freelancer names a price in own words."""
    A = ["thanks for showing me the place on {date}.", "it was nice to talk to you about {service}.", "I have done the sums for {a}.", "as promised, here is what {a} would cost.", "you asked what we would charge for {a}."]
    B = ["I would charge {money} all in.", "It would come to about {money}, tax included.", "Our price would be {money} per unit, or {money} for all.", "For {money} we would do everything; without the painting it is {money}.", "Labour would be {money} and material {money}.", "We could offer it to you for {money}."]
    C = ["I could start in {month}.", "It would take {num} days.", "The price holds until {date}.", "Nothing is binding yet.", "If you agree, send me a short order and I will book the date.", "A deposit would only be due once you order.", "The bill would come after the work is finished.", "Have a think and let me know.", "I can also show you a cheaper option.", "My last customer was {company}, feel free to ask them."]
    return k.lines(k.opt(0.15, k.pick("Quote", "Estimate", "Quotation")), k.pick("Hi ", "Dear ", "Hello ") + k.pick(k.first(), k.title_person()) + ",", k.para(k.fill(k.pick(A).replace("{a}", k.pick(_i(k, 1, 1)))), k.fill(k.pick(B)), *[k.fill(x) for x in k.some(C, 2, 6)]), k.pick("Best,", "Kind regards,", "Cheers,", "Regards,"), k.person())


def variants(k):
    """Options A, B, C."""
    out = []
    for l, t in zip("ABC", k.some(["Basic", "Standard", "Premium", "Economy", "Complete", "Light", "Repair only", "Full replacement"], 2, 3)):
        out += ["%s %s: %s" % (k.pick("Option", "Variant", "Package"), l, t), *["  - " + n for n in _i(k, 1, 4)], "  " + k.pick(TOT) + ": " + k.money(100, 9000)]
    return k.lines(k.company(), k.opt(0.4, k.pick(NAMES) + " " + k.ref("")), "For " + k.pick(k.person(), k.company()) + ", " + k.date(), _f(k, OPEN), *out, *_c(k, 1, 4), "We " + k.pick("recommend", "would suggest") + " option " + k.pick("A", "B") + ".", _f(k, CLOSE), k.person())


# ---- held out ----
def memo(k):
    return k.lines("To: " + k.company(), "From: " + k.company(), "Re: " + k.pick("prices", "our offer", "estimate") + ", " + k.date(), *["(%s) %s: %s" % ("abcdefghij"[i], n, k.money(20, 4000)) for i, n in enumerate(_i(k, 1, 5))], *["* " + x for x in _c(k, 1, 4)], _f(k, CLOSE))


def qa(k):
    return k.lines(k.opt(0.4, "Quote " + k.ref("")), "What: " + "; ".join(_i(k, 1, 4)), "Price: " + k.money(50, 9000), "When: " + k.pick("within %d weeks of your order" % k.num(1, 12), "start " + k.date()), "How long do we hold the price: until " + k.date(), "Payment: " + k.pick("30 days net", "half in advance", "on completion"), "Who: " + k.company() + ", " + k.person(), _f(k, CLOSE))


LAYOUTS = [
    structured, structured, letter, email, email, short, prose, builder, portal, tender, proposal_long, freight_hotel, ocr, garage_clinic, old, human,
    human, variants, memo, qa]
