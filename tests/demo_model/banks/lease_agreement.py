"""Texts of the class lease_agreement."""

ALIASES = [
    "lease_agreement", "Lease Agreement", "lease", "rental agreement", "Tenancy Agreement", "rent contract", "tenancy contract", "residential lease", "commercial lease", "LEASE_AGREEMENT", "leave and licence agreement", "rental contract", "letting agreement",
    "apartment lease", "property lease", "Mietvertrag / lease", "house rental agreement",
]

DESCRIPTIONS = [
    "agreement by which a landlord lets property to a tenant for rent", "sets rent, deposit, term and duties between lessor and lessee", "tenancy contract for a flat, house, shop, office or land", "rental of premises: rent, deposit, repairs and notice", "landlord and tenant sign the terms for living in or using a property",
    "lease of residential or commercial premises", "contract for renting a room, garage, field or warehouse", "who may use a property, for how long and at what monthly rent",
]

BL = "\0"


def J(k, *parts):
    """Lines of the parts that are not empty; BL stands for an empty line."""
    return "\n".join(p for p in parts if p).replace(BL, "").strip()


TITLES = ["LEASE AGREEMENT", "Tenancy Agreement", "Residential Lease", "RENTAL AGREEMENT", "Assured Shorthold Tenancy Agreement", "COMMERCIAL LEASE", "Leave and Licence Agreement", "Rental Contract", "Letting Contract", "Lease of Business Premises", "Residential Tenancy Agreement"]
PROPS = ["two-bedroom flat on the second floor", "furnished room with shared kitchen", "shop on the ground floor", "office of {num} square metres", "detached house with garden", "garage no. {num}", "warehouse with loading ramp", "farm land of {num} acres", "studio apartment", "restaurant with kitchen and terrace", "semi-detached house", "parking space no. {num}", "holiday cottage", "basement flat", "workshop and yard", "terraced house with three bedrooms", "allotment plot {num}", "penthouse with balcony", "storage unit {num}", "medical practice rooms"]


def prop(k):
    return k.fill(k.pick(PROPS))


def names(k):
    return k.pick(k.person(), k.person(), k.company()), k.pick(k.person(), k.person(), k.person() + " and " + k.person(), k.company())


def w(k):
    return k.pick(("Landlord", "Tenant"), ("Lessor", "Lessee"), ("Owner", "Renter"), ("landlord", "tenant"), ("Licensor", "Licensee"), ("Lessor", "Tenant"))


def rent(k):
    return k.money(200, 4500)


def c_parties(k, a, b, L, T):
    return k.pick(f"This agreement is made on {k.date()} between {a} (the {L}) and {b} (the {T}).", f"Between {a}, {k.address(', ')}, {L}, and {b}, {T}, the following is agreed.", f"{L}: {a}\n{T}: {b}", f"{a} as {L} lets to {b} as {T} the premises described below.", f"BY THIS DEED {a} (\"the {L}\") demises unto {b} (\"the {T}\") the premises.")


def c_prem(k, a, b, L, T):
    return k.pick(f"The premises comprise: {prop(k)}, at {k.address(', ')}.", f"The {L} lets to the {T} the {prop(k)} at {k.street()}, {k.city()}.", f"Property: {prop(k)}, {k.address(', ')}.", f"Let is the {prop(k)}, together with cellar and attic space. The {T} receives {k.num(2, 6)} keys.", f"The flat is let furnished as per the inventory attached.", f"The premises may be used only as {k.pick('a private dwelling', 'a shop for ' + k.product(), 'an office', 'storage')}.")


def c_term(k, a, b, L, T):
    return k.pick(f"The term is {k.num(6, 60)} months, starting {k.date()}.", f"The tenancy begins on {k.date()} and runs for an indefinite period.", f"The lease commences on {k.date()} and ends on {k.date()}.", f"The licence is for eleven months from {k.date()}.", "At the end of the fixed term the tenancy continues from month to month.", f"The {T} has an option to renew for {k.num(1, 10)} years.")


def c_rent(k, a, b, L, T):
    return k.pick(f"The rent is {rent(k)} per month, payable in advance on the {k.pick('first', 'third working day', '5th', '15th')} of each month.", f"The {T} pays {rent(k)} a month to account {k.iban()} at {k.bank()}.", f"Monthly rent: {rent(k)} plus {k.money(40, 400)} for heating and service charges.", f"Basic rent {rent(k)}, advance payment for operating costs {k.money(50, 400)}.", f"A yearly rent of {k.money(3000, 60000)} is paid by four equal quarterly payments.", f"Rent increases by {k.percent(2, 10)} each year.", f"The rent is reviewed every {k.num(2, 5)} years and linked to the consumer price index.", f"A late fee of {k.money(10, 100)} applies after five days.", f"The weekly rent is {k.money(90, 900)}, due every {k.weekday()}.")


def c_dep(k, a, b, L, T):
    return k.pick(f"A deposit of {k.money(400, 6000)} is paid before moving in and returned at the end, less the cost of damage.", f"Security deposit: {k.pick('one', 'two', 'three')} months' rent.", "The deposit will be protected in an approved scheme within 30 days.", f"The {T} has handed over {k.money(500, 9000)} as an interest-free refundable deposit.", f"The bond of {k.money(500, 4000)} is lodged with the tenancy authority.", "A bank guarantee replaces the cash deposit.")


def c_rep(k, a, b, L, T):
    return k.pick(f"The {L} keeps the structure, roof and heating in repair; the {T} keeps the inside clean and does minor repairs.", f"The {T} must report defects at once.", f"Minor repairs up to {k.money(50, 200)} are borne by the {T}.", f"The {T} shall not make alterations without written consent.", "Walls are to be repainted in white when moving out.", "The heating is serviced once a year; the invoice is shared.", f"Fair wear and tear excepted, the {T} makes good any damage.")


def c_rules(k, a, b, L, T):
    return k.pick("No pets without permission.", "Smoking is not allowed indoors.", f"Subletting needs the written consent of the {L}.", "Quiet hours are from ten at night until six in the morning.", "The house rules form part of this agreement.", f"Electricity, water and internet are paid by the {T}.", f"The {T} takes out contents insurance.", "Utility bills are transferred to the occupier's name.", "Bicycles are kept in the shed; the stairs must stay free.", "The garden is to be mown by the occupier.", f"The {L} may inspect the premises after 24 hours' notice.", "Not to use the premises for any illegal or immoral purpose.", f"No more than {k.num(1, 6)} persons may live in the flat.", "Snow must be cleared in turn.")


def c_end(k, a, b, L, T):
    n = k.pick("one month", "two months", "three months", "30 days", "60 days", "six months", "four weeks")
    return k.pick(f"Either side may give {n} notice in writing.", f"The notice period is {n} to the end of a month.", f"If the rent is {k.num(14, 60)} days in arrears the {L} may end the lease and re-enter.", f"The {T} hands back the premises clean, with all keys, on the last day.", f"A break clause allows the {T} to leave after {k.num(6, 36)} months.", "On moving out both sides sign a hand-over record with meter readings.", f"This agreement is governed by the law of {k.country()}.", f"Registration and stamp duty are shared equally.")


CL = [(("Premises", "Property", "Subject of the lease", "Demised premises"), c_prem), (("Term", "Duration", "Lease period"), c_term), (("Rent", "Rent and charges", "Payment"), c_rent), (("Deposit", "Security deposit", "Bond"), c_dep), (("Repairs", "Maintenance", "Upkeep"), c_rep), (("Use and house rules", "Use", "Obligations", "Covenants"), c_rules), (("Termination", "Notice", "End of tenancy", "General"), c_end)]


def sign(k, a, b, L, T):
    return k.pick(f"Signed: {a} ({L})    {b} ({T})", f"{k.city()}, {k.date()}\n______________  {L}\n______________  {T}", f"{L} ....................   {T} ....................", f"Witnesses: {k.person()}, {k.person()}\n{a}\n{b}", f"Agreed and signed on {k.date()} by {a} and {b}.", "")


def many(k, a, b, L, T, lo, hi):
    pool = [f for _, f in CL] + [c_rules, c_rent, c_rep]
    return [f(k, a, b, L, T) for f in k.some(pool, lo, hi)]


def lay_numbered(k):
    (a, b), (L, T) = names(k), w(k)
    out = [k.opt(0.5, k.pick(TITLES)), c_parties(k, a, b, L, T)]
    st = k.num(0, 3)
    idx = sorted({0, 2} | set(k.r.sample(range(7), k.num(3, 6))))
    for n, i in enumerate(idx, 1):
        f = CL[i][1]
        t = k.para(f(k, a, b, L, T), f(k, a, b, L, T) if k.maybe(0.6) else "", f(k, a, b, L, T) if k.maybe(0.25) else "")
        hd = k.pick(*CL[i][0])
        out.append([f"{n}. {hd}\n{t}", f"{n}. {t}", f"§ {n} {hd}\n{t}", f"{hd.upper()}: {t}"][st])
    return k.pick("\n\n", "\n").join(x for x in out + [sign(k, a, b, L, T)] if x)


def lay_fields(k):
    (a, b), (L, T) = names(k), w(k)
    rows = [(L, a), (T, b), (k.pick("Property", "Address", "Premises"), f"{prop(k)}, {k.address(', ')}"), (k.pick("Rent", "Monthly rent", "Rent per month"), rent(k))] + k.some([("Deposit", k.money(500, 6000)), ("Start of tenancy", k.date()), ("End", k.pick("open", k.date())), ("Notice", k.pick("1 month", "3 months", "60 days")), ("Due date", k.pick("1st of month", "5th of month")), ("Service charge", k.money(30, 300)), ("Pets", k.pick("no", "one cat", "by agreement")), ("Keys handed over", str(k.num(2, 6))), ("Occupants", str(k.num(1, 6))), ("Furnished", k.pick("yes", "no", "part")), ("Agent", k.company()), ("Meter reading on moving in", str(k.num(1000, 99999)))], 4, 9)
    return J(k, k.opt(0.5, k.pick(TITLES)) or k.pick("Particulars", "Summary of terms", "Schedule"), k.table(["Item", "Details"], rows) if k.maybe(0.4) else "\n".join(f"{x}{k.pick(': ', ': ', ' ..... ')}{y}" for x, y in rows), BL, k.opt(0.7, k.para(many(k, a, b, L, T, 1, 4))), sign(k, a, b, L, T))


def lay_prose(k):
    (a, b), (L, T) = names(k), w(k)
    return k.para(c_parties(k, a, b, L, T).replace("\n", ", "), c_prem(k, a, b, L, T), c_rent(k, a, b, L, T), *many(k, a, b, L, T, 2, 6), sign(k, a, b, L, T).replace("\n", " "))


def lay_informal(k):
    x, y = k.person(), k.person()
    return k.para(k.pick(f"I, {x}, rent my {prop(k)} to {y}.", f"{y} takes the {prop(k)} at my place, {k.street()}.", f"{x} and {y} agree about the {prop(k)} in {k.city()}."), k.pick(f"Rent is {rent(k)} a month, cash or bank, at the start of the month.", f"{y} pays {rent(k)} each month including heating.", f"{k.money(60, 300)} a week, bills shared."), k.pick(f"Moving in on {k.date()}.", f"From {k.date()} until further notice."), k.opt(0.7, k.pick("One month's rent as a deposit.", f"Deposit {k.money(200, 2000)}, you get it back if nothing is broken.", "No deposit.")), k.opt(0.7, k.pick("No dogs, sorry.", "Kitchen and bath are shared.", "Please take your shoes off.", "The washing machine may be used on weekends.", "No parties during the week.")), k.opt(0.6, k.pick("A month's notice either way.", "If you leave, tell me four weeks before.")), f"{x}, {y}, {k.date()}")


def lay_email(k):
    (a, b), (L, T) = names(k), w(k)
    return J(k, k.opt(0.5, f"From: {k.email()}\nTo: {k.email()}\nSubject: {k.pick('The flat', 'Your tenancy', 'Lease for signature', 'Terms for ' + k.street(), 'Rental terms')}\n"), f"Dear {b.split()[0]},", BL, k.pick("here are the terms on which we let the property to you:", "as agreed at the viewing, you can have the place on these conditions.", "please sign the attached tenancy papers; the main points:", "your application was accepted. What we agree:"), k.pick("\n", " ").join([c_prem(k, a, b, L, T), c_rent(k, a, b, L, T)] + many(k, a, b, L, T, 2, 5)), BL, k.pick("Please sign and return one copy before you get the keys.", "Reply to confirm that you accept.", "The first rent and the deposit are due before you move in.", "Bring ID and a recent payslip or bank statement to the signing."), k.pick("Regards,", "Best wishes,", "Kind regards,"), a)


def lay_india(k):
    a, b = k.person(), k.person()
    return J(k, k.opt(0.5, k.pick("LEAVE AND LICENCE AGREEMENT", "RENT AGREEMENT", "RENTAL DEED")), f"This agreement is executed at {k.city()} on this {k.date()} between {a}, S/o {k.person()}, hereinafter called the {k.pick('Licensor', 'Owner', 'First Party')}, and {b}, hereinafter called the {k.pick('Licensee', 'Tenant', 'Second Party')}.", f"WHEREAS the owner is seized and possessed of {k.pick('Flat No. ', 'House No. ', 'Shop No. ')}{k.num(1, 900)}, {k.address(', ')};", "NOW THIS DEED WITNESSETH AS UNDER:", "\n".join(f"{n}. {s}" for n, s in enumerate([f"That the monthly rent is {rent(k)}, payable on or before the {k.num(4, 10)}th of each month."] + k.some([f"That a refundable security deposit of {k.money(1000, 9000)} has been paid.", "That the period is eleven months.", "That electricity and water charges are borne by the tenant as per meter.", "That the tenant shall not sublet the premises.", "That the society maintenance is paid by the owner.", f"That the rent is increased by {k.percent(5, 10)} on renewal.", "That either party may terminate by one month's notice.", "That the tenant shall keep the fittings in good condition.", "That the tenant shall allow inspection at reasonable hours.", "That structural changes are not allowed."], 4, 8), 1)), k.pick("IN WITNESS WHEREOF the parties have set their hands.", "Witness 1. ______  Witness 2. ______"), f"{a}        {b}")


def lay_commercial(k):
    (a, b), (L, T) = (k.company(), k.company()), w(k)
    return J(k, k.opt(0.5, k.pick("COMMERCIAL LEASE", "LEASE OF BUSINESS PREMISES", "OFFICE LEASE", "Heads of terms for lease", "Industrial unit lease")), c_parties(k, a, b, L, T), BL, "\n".join(k.pick("- ", "") + x for x in [f"Area: {k.num(40, 5000)} sq {k.pick('m', 'ft')}, {prop(k)}", f"Rent: {k.money(8000, 200000)} per annum exclusive of {k.tax}", k.fill(k.pick("Rent-free period: {num} weeks", "Service charge: {money} per quarter", "Insurance rent: fair share of the premium"))] + k.some(["Repairing obligation: full repairing and insuring", "Rent review: upward only every five years", "Permitted use: offices", "Assignment only with landlord's consent", "Signage subject to approval", "Break right at the third anniversary on six months' notice", "Reinstatement at lease end", f"Guarantor: {k.person()}", "Parking: four spaces", "Tenant pays business rates and utility bills"], 3, 7)), BL, k.para(many(k, a, b, L, T, 1, 4)), sign(k, a, b, L, T))


def lay_holiday(k):
    a, b = k.person(), k.person()
    return k.para(k.pick("Holiday let agreement.", "Short-term rental.", "Vacation rental terms.", ""), f"{a} lets the {k.pick('cottage', 'chalet', 'beach house', 'apartment', 'caravan', 'houseboat')} at {k.street()}, {k.city()} to {b} from {k.date()} to {k.date()}.", f"The rent for the whole stay is {k.money(300, 4000)}, {k.pick('half', 'a third', '30 %')} of it on signing.", *k.some([f"Final cleaning {k.money(30, 150)}.", "Bed linen is provided.", f"Arrival after {k.time()}, departure before {k.time()}.", "Maximum six guests.", "A breakage deposit is returned within a week.", "Pets welcome by agreement.", "No parties.", "Cancellation up to 30 days before is free.", "Keys are in the box at the door."], 3, 6), k.opt(0.6, f"{a} / {b}"))


def lay_old(k):
    a, b = k.person(), k.person()
    return k.para(f"THIS {k.pick('INDENTURE', 'LEASE', 'DEED')} made the {k.date()} BETWEEN {a} (hereinafter called the Lessor) and {b} (hereinafter called the Lessee) WITNESSETH that the Lessor doth hereby demise unto the Lessee ALL THAT {k.pick('messuage', 'dwelling house', 'parcel of land', 'shop and premises')} situate at {k.street()}, {k.city()}, TO HOLD the same for the term of {k.num(1, 99)} years,", f"YIELDING AND PAYING therefor the yearly rent of {k.money(100, 20000)} by equal quarterly payments.", *k.some(["The Lessee covenants to pay the rent on the days appointed;", "to keep the interior in good and tenantable repair;", "not to assign or underlet without consent;", "to permit the Lessor to enter and view the state of repair;", "to yield up the premises at the end of the term.", "The Lessor covenants that the Lessee shall quietly enjoy the premises."], 3, 6), k.opt(0.6, "PROVIDED ALWAYS that if the rent be in arrear for twenty-one days it shall be lawful for the Lessor to re-enter."), "IN WITNESS whereof the parties have set their hands.")


def lay_renewal(k):
    (a, b), (L, T) = names(k), w(k)
    return J(k, k.opt(0.5, k.pick("Lease renewal", "Addendum to the tenancy agreement", "Extension of lease", "Amendment no. 1")), k.opt(0.6, k.date()), k.pick(f"The {L} {a} and the {T} {b} extend the lease of {k.street()}, {k.city()}.", f"Dear {b},\nyour tenancy of {k.street()} ends on {k.date()}. We would like to renew it as follows:"), "\n".join(k.some([f"The new term runs until {k.date()}.", f"The rent from {k.date()} is {rent(k)} per month.", f"The deposit is raised to {k.money(500, 5000)}.", f"{k.person()} joins as a further tenant.", "The parking space is included from now on.", "The garden may be used by the tenant.", "A dog is permitted."], 2, 5)), k.pick("All other terms of the lease remain in force.", "Everything else stays as it was signed."), sign(k, a, b, L, T))


def lay_form(k):
    d = k.pick(": ", " ........ ", " ____ ")
    box = lambda t: k.pick("[x] ", "[ ] ") + t
    return J(k, k.opt(0.6, k.pick("RENTAL CONTRACT FORM", "Standard tenancy form", "Lease of dwelling - tick as applicable", "Room rental form")), f"Landlord{d}{k.person()}", f"Tenant{d}{k.person()}", f"Rented{d}{prop(k)}", f"Address{d}{k.address(', ')}", "  ".join(box(t) for t in k.some(["kitchen", "bath", "balcony", "cellar", "garage", "garden", "furnished", "lift"], 3, 6)), f"Rent per month{d}{rent(k)}", k.opt(0.8, f"Deposit{d}{k.money(400, 4000)}"), f"From{d}{k.date()}", box("fixed term") + "   " + box("unlimited"), k.opt(0.6, "  ".join(box(t) for t in ["pets allowed", "smoking allowed", "subletting allowed"])), k.opt(0.5, f"Account for rent{d}{k.iban()}"), "Signature landlord ..........   Signature tenant ..........")


def lay_portal(k):
    return k.pick("\n", " ").join(x for x in [k.pick(f"{k.company()} lettings", "Tenant portal", "Student housing office", "E-sign: your tenancy"), f"{k.person()}, your {k.pick('lease', 'tenancy', 'rental contract', 'room contract')} for {k.street()} is ready to sign.", f"Rent {rent(k)} per {k.pick('month', 'calendar month', 'four weeks')}, deposit {k.money(200, 3000)}, from {k.date()}.", k.opt(0.6, k.pick("Bills included.", "Notice one month.", "Joint liability with your flatmates.", "No guests longer than three nights.")), k.pick(f"Sign before {k.date()} to keep the room.", f"Signed by landlord and tenant on {k.date()}.", f"Keys at the office from {k.time()}.")] if x)


def lay_farm(k):
    a, b = k.person(), k.pick(k.person(), k.company())
    return k.para(f"{a} leases to {b} {k.num(2, 400)} {k.pick('acres', 'hectares')} of {k.pick('pasture', 'arable land', 'orchard', 'vineyard', 'woodland')} near {k.city()}{k.pick(' with barn', ', without buildings', ', with water rights', '')}.", f"The {k.pick('lease', 'grazing licence', 'farm tenancy')} starts on {k.date()} and runs for {k.num(1, 15)} years.", f"The rent is {k.money(200, 20000)} a year, due after harvest.", *k.some(["The lessee keeps fences and ditches in order.", "Ploughing up of grass land is not allowed.", "Hunting rights stay with the owner.", "Land tax is paid by the owner.", "No building may be put up.", "Subsidies go to the lessee.", "The tenant gives the land back in good heart."], 2, 5), f"{a}, {b}")


# --- held out from training ---------------------------------------------------------------------

def lay_qa(k):
    (a, b), (L, T) = names(k), w(k)
    return J(k, k.pick("Your home, our terms", f"{k.street()}: what landlord and tenant agree"), BL, f"Who lets?  {a}", f"Who rents?  {b}", f"What?  {c_prem(k, a, b, L, T)}", f"How much?  {c_rent(k, a, b, L, T)}", k.opt(0.8, f"Deposit?  {c_dep(k, a, b, L, T)}"), f"How long?  {c_term(k, a, b, L, T)}", k.opt(0.8, f"Rules?  {c_rules(k, a, b, L, T)}"), k.opt(0.7, f"How does it end?  {c_end(k, a, b, L, T)}"))


def lay_columns(k):
    (a, b), (L, T) = names(k), w(k)
    rows = [(f"{L.upper()} SHALL", f"{T.upper()} SHALL"), ("hand over the keys on " + k.date(), "pay rent of " + rent(k)), ("keep roof and walls in repair", "keep the rooms clean"), ("return the deposit", "pay a deposit of " + k.money(300, 5000)), ("give notice before visits", "not sublet or keep pets"), ("insure the building", "pay electricity and water")]
    rows = rows[:2] + k.some(rows[2:], 2, 4)
    return J(k, f"{a} / {b}", prop(k) + ", " + k.address(", "), "-" * 60, "\n".join(f"{x:<40}{y}" for x, y in rows), "-" * 60, c_term(k, a, b, L, T), k.opt(0.6, c_end(k, a, b, L, T)))


LAYOUTS = [lay_numbered, lay_fields, lay_prose, lay_informal, lay_email, lay_india, lay_commercial, lay_holiday, lay_old, lay_renewal, lay_form, lay_portal, lay_farm, lay_qa, lay_columns]
