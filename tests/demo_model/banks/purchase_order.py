"""Purchase orders: a buyer orders goods or services from a supplier."""

ALIASES = ["purchase_order", "Purchase Order", "purchase orders", "PO", "po", "PURCHASE ORDER", "order", "Order", "supplier_order", "Supplier Order", "order_to_supplier", "Order to supplier",
           "buying_order", "procurement_order", "Procurement Order", "work_order", "Works Order", "order_form", "Order Form", "local purchase order", "LPO", "Bestellung", "call-off order", "goods_order", "placed_order", "Ordering letter"]
DESCRIPTIONS = ["a buyer orders goods or services from a supplier", "order placed with a vendor, with items, quantities, prices and delivery date", "asks a supplier to deliver goods to us", "buyer commits to buy and tells where and when to deliver", "orders we send to suppliers, before delivery and invoice",
                "authorises a vendor to supply listed items at agreed prices", "procurement document: items wanted, ship-to address, terms", "request to supply, based on a quotation", "an order for materials, equipment or services", "written order from a company, school or shop to its supplier", "call-off under a framework agreement"]

GOODS = {
    "construction": ["cement CEM II 42.5, bags", "rebar 12 mm, tonnes", "plasterboard 12.5 mm", "roof tiles, red", "sand, tonnes", "timber C24 47x150", "scaffold tubes", "window units", "concrete blocks 140 mm", "drainage pipe 110 mm", "insulation boards 100 mm", "paving slabs", "ready-mix, m3", "excavator hire, weeks"],
    "office": ["A4 paper 80 g, boxes", "toner cartridges black", "office chairs", "desks 160 x 80", "whiteboard markers", "lever arch files", "monitors 24 inch", "laptops, 16 GB", "docking stations", "keyboards", "envelopes C4", "coffee machine", "filing cabinet", "headsets"],
    "clinic": ["nitrile gloves, M, cartons", "syringes 5 ml", "surgical masks", "examination couch", "infusion sets", "bandages 10 cm", "blood pressure monitor", "sterile swabs", "reagent kit", "wheelchairs", "X-ray film", "hand disinfectant, 5 l", "vaccines, doses", "oxygen cylinders"],
    "farm": ["winter wheat seed, kg", "NPK 15-15-15, tonnes", "dairy feed, bags", "milking clusters", "diesel, litres", "baler twine", "sheep fencing, rolls", "crop protection, litres", "irrigation pipe", "day-old chicks", "tractor tyres", "grease cartridges", "hay rake", "potato crates"],
    "restaurant": ["fresh cod fillet, kg", "flour, 25 kg", "mozzarella, kg", "tomatoes, crates", "house wine, cases", "napkins", "olive oil, 5 l", "lamb shoulder, kg", "beer kegs 30 l", "frozen chips", "dish soap, 10 l", "wine glasses", "coffee beans", "eggs, trays", "takeaway boxes"],
    "school": ["exercise books", "chemistry textbooks, grade 9", "chairs, stackable", "whiteboards", "footballs", "microscopes", "uniform polo shirts", "tablets, 10 inch", "art paper A2", "musical instruments", "lab coats", "playground swing", "desks, pupils", "library books"],
    "workshop": ["steel sheet 2 mm, 1250x2500", "ball bearings 6205", "hex bolts M10x40", "hydraulic cylinder", "servo motor 1.5 kW", "proximity sensor", "cutting oil, drum", "welding wire 1.0 mm", "gearbox", "O-rings 20x3", "machined shaft to drawing", "castings, rev. C", "control cabinet", "cable 4x1.5, m", "PCB assemblies"],
    "textile": ["cotton fabric, metres", "zippers 18 cm", "buttons 15 mm", "denim 12 oz, m", "labels woven", "polo shirts, sizes S-XL", "packing bags", "sewing thread, cones", "towels 50x100", "bed linen sets", "hotel bathrobes", "work jackets, printed"],
    "service": ["annual maintenance of lifts", "office cleaning, 12 months", "translation of manual into German", "software licences, 50 users", "consulting, 10 days", "security guard service", "catering for 60 persons", "calibration of gauges", "transport {city} - {city}", "training course, 12 participants", "repair of the boiler", "landscaping", "printing of catalogues, 2,000", "website hosting", "waste collection, weekly", "temporary staff, 3 persons"],
    "retail": ["children's puzzles", "candles, assorted", "garden gnomes", "phone cases", "perfume 50 ml", "bicycle lights", "tea, 100 g tins", "backpacks", "ceramic mugs", "board games", "sunglasses", "dog leads", "paperbacks", "sneakers, sizes 36-44", "chocolate bars, cartons"],
}
KINDS = list(GOODS)
NAMES = ["PURCHASE ORDER", "Purchase Order", "Purchase order", "PURCHASE ORDER", "ORDER", "Order", "LOCAL PURCHASE ORDER", "Bestellung / Purchase order", "WORKS ORDER", "Order form", "Blanket order release", "CALL-OFF ORDER", "P.O.", "Supply order", "SERVICE ORDER", "Bon de commande / Order", "INDENT", "Repeat order"]
NUMLAB = ["PO no.", "P.O. Number", "Order no.", "Our order", "PO #", "Purchase order number", "Order ref", "Order", "LPO No.", "Our reference", "Document no."]
SUPLAB = ["Supplier", "Vendor", "To", "Seller", "To supplier", "M/s", "Ordered from", "Contractor", "Vendor name"]
SHIPLAB = ["Ship to", "Deliver to", "Delivery address", "Place of delivery", "Consignee", "Delivery point", "Send to", "Unloading point", "Site"]
DELLAB = ["Delivery date", "Required by", "Deliver by", "Needed by", "Date required", "Requested delivery", "Latest delivery", "ETA required", "Delivery week", "Expected"]
UNITS = ["pcs", "ea", "box", "kg", "t", "m", "m2", "set", "pack", "pallet", "litre", "carton", "doz", "hours", "nos", "roll"]
TERMS = ["Please confirm this order within 2 working days.", "Please sign and return a copy as acceptance.", "Our general conditions of purchase apply.", "Quote our order number on all invoices, delivery notes and correspondence.", "Invoices without a PO number will be returned unpaid.", "Send the invoice to {email}.", "Payment: 30 days net after receipt of goods and invoice.", "Payment 60 days end of month.", "50 % with order, 50 % on delivery.", "Prices are firm and include packing and delivery.", "Prices as per your quotation {ref} dated {date}.", "Delivery DAP {city}, Incoterms 2020.", "Delivery must be made between 7:00 and 15:00, please announce by phone.", "Partial deliveries are not allowed.", "Partial shipments accepted.", "Goods that do not meet the specification will be returned at your cost.", "Late delivery: penalty of 0.5 % per day, at most 5 %.", "Please advise at once if you cannot meet the date.", "Certificates of conformity must come with the goods.", "Test certificates 3.1 to EN 10204 are required.", "Two year warranty from acceptance.", "No substitutions without our written approval.", "Please use returnable pallets.", "The supplier must hold liability insurance.", "Delivery note to accompany the goods.", "All drawings remain our property; see our confidentiality agreement.", "Any change in price must be approved in writing before dispatch.", "Order is subject to inspection on arrival.", "Tax exempt, certificate on file.", "VAT extra as applicable.", "Warranty 12 months.", "Packing list must show our part numbers.", "Freight prepaid and allowed.", "Freight collect on our account.", "Liquidated damages apply.", "This order may be cancelled if not delivered by {date}.", "Order acknowledgement required.", "This is an order, not an invoice; nothing is payable yet.", "Please invoice only after delivery."]
OPEN = ["We hereby order the following goods:", "Please supply the items below:", "We are pleased to place with you our order for the following:", "Please deliver to us, at the prices quoted in your offer {ref}, the following:", "With reference to your quotation of {date}, we order as follows:", "Following our telephone call with {person}, please enter our order for:", "Kindly arrange to supply the following materials on or before {date}:", "On the basis of our framework contract {ref} we call off:", "We accept your offer {ref} and order:", "Please dispatch the undermentioned goods:", "Please carry out the following work:", "You are requested to supply the following articles at the rates approved:", "Thank you for your samples. We would like to buy:", "Please accept this as our firm order for:", "Our stock is running low, please send:", "The school board has approved the purchase of the following items from your firm:"]
CLOSE = ["We look forward to your order confirmation.", "Please confirm price and delivery date by return.", "Kindly acknowledge receipt of this order.", "Please let us know the dispatch date and tracking details.", "Should any item be out of stock, tell us before shipping.", "We rely on punctual delivery, as production starts on {date}.", "If the quality is right, larger orders will follow.", "Please invoice our head office in {city}.", "Our storekeeper {person} will receive the goods.", "Any questions to {person}, {phone}.", "We trust you will give this order your best attention.", "Please treat it as urgent.", "A copy of this order has gone to our accounts department.", "We count on delivery before {date}."]
BYE = ["Yours faithfully", "Kind regards", "Best regards", "Yours sincerely", "Regards", "With kind regards", "Thanks", "Sincerely"]
ROLES = ["Purchasing", "Buyer", "Procurement Officer", "Head of Purchasing", "Store manager", "Owner", "Bursar", "Site manager", "Procurement", "Chef", "Practice manager", "Materials manager", "Operations", "Authorised signatory"]


def _f(k, lst):
    return k.fill(k.pick(lst) if not isinstance(lst, str) else lst)


def _g(k, lo, hi, kind=None):
    out = [k.fill(x) for x in k.some(GOODS[kind or k.pick(KINDS)], lo, hi)]
    if k.maybe(0.15):
        out[0] = k.pick(k.product(), k.service())
    return out


def _t(k, lo, hi):
    return [k.fill(x) for x in k.some(TERMS, lo, hi)]


def _tot(k):
    return k.lines(k.opt(0.5, k.pick("Subtotal", "Net value", "Net total", "Total excl. VAT") + ": " + k.money(100, 20000)), k.opt(0.5, k.pick("VAT", "GST", "Sales tax", "Tax", "IVA", "VAT 20 %", "MwSt") + ": " + k.money(10, 4000)), k.opt(0.25, k.pick("Freight", "Shipping", "Carriage") + ": " + k.money(5, 300)), k.pick("Order total", "Total", "Total order value", "PO total", "Order value", "TOTAL", "Total net value", "Not to exceed") + ": " + k.money(100, 30000))


def structured(k):
    kind = k.pick(KINDS)
    h = [k.pick("Pos", "Line", "Item", "#"), k.pick("Description", "Article", "Material", "Goods"), k.pick("Qty", "Quantity", "Ordered"), k.pick("Unit", "UoM", "U/M"), k.pick("Unit price", "Price", "Rate")]
    rows = [[str((i + 1) * k.pick(1, 1, 10)), n, str(k.num(1, 500)), k.pick(UNITS), k.amount(1, 800)] for i, n in enumerate(_g(k, 1, 9, kind))]
    if k.maybe(0.6):
        h.append(k.pick("Total", "Amount", "Value"))
        rows = [r + [k.amount(10, 9000)] for r in rows]
    if k.maybe(0.4):
        h.append(k.pick("Delivery", "Due", "Req. date"))
        rows = [r + [k.date()] for r in rows]
    f = [k.pick(NUMLAB) + ": " + k.ref("PO-", "PO", "45"), k.pick("Date: ", "Order date: ", "PO date: ", "Issued: ") + k.date(), k.pick(SUPLAB) + ": " + k.company() + ", " + k.address(", "), k.pick(SHIPLAB) + ": " + k.company() + ", " + k.address(", ")]
    if k.maybe(0.7):
        f.append(k.pick(DELLAB) + ": " + k.date())
    if k.maybe(0.4):
        f.append(k.pick("Buyer: ", "Contact: ", "Requested by: ", "Requisitioner: ", "Ordered by: ") + k.person())
    if k.maybe(0.4):
        f.append(k.pick("Your quotation: ", "Quote ref: ", "Vendor no.: ", "Requisition: ", "Contract: ", "Cost centre: ", "Project: ", "Budget code: ") + k.ref("Q", "V", ""))
    if k.maybe(0.4):
        f.append(k.pick("Ship via: ", "Shipping method: ", "Incoterms: ", "Terms: ", "Payment terms: ") + k.pick("truck", "courier", "DAP", "EXW", "Net 30", "best way", "FOB destination", "CIF", "60 days", "collection by us"))
    if k.maybe(0.5):
        k.r.shuffle(f)
    return k.lines(k.company(), k.opt(0.6, k.address(", ")), k.opt(0.6, k.pick(NAMES)), *f, "", k.opt(0.4, _f(k, OPEN)), k.table(h, rows), k.opt(0.8, _tot(k)), "", *_t(k, 0, 5), k.opt(0.5, k.pick("Approved by: ", "Authorised: ", "Signature: ", "Authorized by: ") + k.person() + k.pick("", ", " + k.pick(ROLES))))


def letter(k):
    its = _g(k, 1, 6)
    ln = ["%s%d %s %s%s" % (k.pick("- ", "", "* "), k.num(2, 300), k.pick(UNITS), n, k.pick("", ", at " + k.money(1, 300), " @ " + k.amount(1, 200) + " each")) for n in its]
    return k.lines(k.company(), k.address(", "), "", k.company(), k.pick("", "Sales department"), k.address(), "", k.date(), k.opt(0.45, k.pick("Our order no. ", "Purchase order ", "Order ", "Re: Order ") + k.ref("PO", "")), k.pick("Dear Sirs,", "Dear Sir or Madam,", "Dear " + k.title_person() + ",", "Dear Mr " + k.last() + ",", "Dear supplier,"), "", _f(k, OPEN), "", *ln, "", k.para(k.opt(0.8, "Please deliver " + k.pick("by ", "not later than ", "on ", "before ") + k.date() + " to " + k.pick("the above address", k.address(", "), "our warehouse in " + k.city(), "the site office") + "."), *_t(k, 1, 4), _f(k, CLOSE)), "", k.pick(BYE) + ",", k.person(), k.pick(ROLES))


def email(k):
    its = _g(k, 1, 5)
    S = ["Order {ref}", "New order", "PO {ref} attached", "Please deliver", "Order for next week", "Purchase order {ref}", "Reorder", "Material for site {city}", "Order as per your quote {ref}", "Urgent: parts needed", "We would like to order", "Go ahead with your offer", "Order confirmation requested"]
    I = ["please send us the following:", "we'd like to order:", "can you deliver these on {date}?", "please find our order below.", "thanks for the quote. Please go ahead with:", "attached is our PO {ref}. In short:", "same as last time please, plus:", "we need for the site at {street}:", "please ship to our store in {city}:", "your price is fine, so please book in:", "our stock has run out, so please add to tomorrow's delivery:", "this is our firm order for the following:"]
    E = ["Please confirm the delivery date.", "Deliver to the back door, before 8 if you can.", "Invoice to head office as usual.", "Let me know if anything is out of stock.", "PO number is {ref}, please put it on the invoice.", "Charge to our account.", "We need it by {date} at the latest.", "Please send a confirmation today.", "Usual prices I assume?", "{person} will be on site to unload.", "No substitutes please.", "If the price changed, ring me first on {phone}.", "Please also send the safety data sheets.", "Budget is approved by {person}."]
    return k.lines(k.opt(0.65, k.lines("From: " + k.pick(k.email(), k.person() + " <" + k.email() + ">"), "To: " + k.pick("orders@", "sales@", "") + k.email().split("@")[-1] if k.maybe(0.5) else "To: " + k.email(), k.opt(0.5, "Date: " + k.date()), "Subject: " + _f(k, S))), k.pick("Hi", "Hello", "Dear", "Good morning", "Morning") + " " + k.pick(k.first(), k.title_person(), "all", "there", "sales team") + ",", "", _f(k, I), "", *[k.pick("- ", "", "* ") + "%d %s %s" % (k.num(1, 200), k.pick("x", "x", "pcs", "boxes of", "units of"), n) for n in its], "", k.para(*[k.fill(x) for x in k.some(E, 1, 4)]), "", k.pick(BYE) + ",", k.person(), k.opt(0.5, k.pick(ROLES)), k.opt(0.5, k.company()))


def short_note(k):
    a = _g(k, 1, 3)
    T = ["Please deliver {q} {a} to {street} by {date}. Put it on our account, order no. {ref}. {person}", "Hi {first}, can I order {q} {a} for {weekday}? Same price as last time. Thanks, {person}", "Order: {q} {a}. Needed {date}. Deliver to the yard. {company}", "Pls send {q} {a} asap, PO follows. {person}, {company}", "We order {q} {a} at {money}. Delivery week {num}. Confirm please. {person}", "To {company}: please supply {q} {a} against this order and invoice us at month end. {person}, store", "Morning {first}, order for tomorrow: {a}, {q} of each. Back door before 7. {person}, kitchen", "Yes to your offer {ref}. Please go ahead, {q} {a}, delivery to {city}. {person}", "Kindly supply bearer with {q} {a} and charge {company}. {person}, {date}", "{company} order {ref}: {q} {a}, ship to {street}, {city}, required {date}, total {money}.", "Please book the {a} for us from {date}, price {money} as quoted. You have our go-ahead. {person}", "Running low on {a}! Please bring {q} with the next van. Thanks, {person}"]
    t = k.pick(T).replace("{a}", k.pick(" and ".join(a), ", ".join(a))).replace("{q}", str(k.num(2, 200))).replace("{first}", k.first()).replace("{weekday}", k.weekday())
    return k.lines(k.opt(0.2, k.pick("ORDER", "Purchase order")), k.fill(t))


def form(k):
    d = lambda a, b: a + " " + "." * k.num(3, 22) + " " + b
    its = _g(k, 1, 6)
    return k.lines(k.opt(0.6, k.pick(NAMES)), d("Supplier", k.company()), d("Account no.", k.ref("")), d("Ordered by", k.person()), d("Department", k.department()), d(k.pick(NUMLAB), k.ref("PO", "")), d("Date", k.date()), d(k.pick(DELLAB), k.date()), "", "Qty   Article", *["%d   %s" % (k.num(1, 100), n) for n in its], "", k.pick("[x] deliver  [ ] collect", "Delivery: [ ] standard [x] express", "[x] approved within budget  [ ] needs director's approval", "[ ] partial delivery allowed  [x] complete only", "Urgency: [x] high [ ] normal"), k.opt(0.6, d("Estimated value", k.money(50, 9000))), k.opt(0.5, d("Budget code", k.ref(""))), d(k.pick("Approved", "Signature", "Head of department", "Authorised signature"), k.person()), *_t(k, 0, 3))


def prose(k):
    A = ["{company} orders from {company} {a}.", "We should like to buy {a} from you, as offered on {date}.", "Please supply us with {a} for our {dept} in {city}.", "This is to instruct you to deliver {a} to our premises at {street}.", "Our management has chosen your firm to supply {a}.", "We commission you to carry out {a} in {month}."]
    B = ["The agreed price is {money} net, delivery included.", "You quoted {money} for the lot, which we accept.", "We expect the first delivery on {date} and the rest four weeks later.", "The goods should reach our warehouse by {date}.", "Please pack each item separately and mark it with {ref}.", "Our forwarder will collect the pallets from you on {date}.", "The driver should report to gate {num}.", "Quality must match the samples {person} left with us.", "The contract terms of {date} apply.", "As the building opens in {month}, we cannot accept any delay.", "Work must not start before {date} and must be done by {date}."]
    C = ["Send your invoice with our order number {ref} to the accounts department.", "We pay thirty days after the goods have been checked.", "A deposit of {money} will be paid against your proforma invoice.", "Please confirm within three days.", "Return the signed copy by e-mail to {email}.", "We will pay on delivery.", "Please name us a contact for shipping questions.", "If you cannot deliver everything, tell us straight away so that we can buy elsewhere."]
    a = k.pick("%d %s" % (k.num(2, 400), k.pick(_g(k, 1, 2))), " and ".join("%d %s" % (k.num(2, 90), n) for n in _g(k, 2, 3)))
    return k.lines(k.opt(0.4, k.pick(NAMES) + " " + k.ref("")), k.opt(0.5, k.company() + ", " + k.address(", ")), k.opt(0.6, k.date()), k.para(k.fill(k.pick(A).replace("{a}", a)), *[k.fill(x) for x in k.some(B, 1, 5)], *[k.fill(x) for x in k.some(C, 1, 3)]), k.opt(0.7, k.person() + ", " + k.pick(ROLES)))


def portal(k):
    its = _g(k, 1, 6)
    H = ["New order received from buyer {company}", "Order {ref} has been released to the supplier", "You have a new order. Please acknowledge.", "Procurement system: order approved and sent", "Purchase order transmitted by EDI", "Buyer {company} has issued an order to you", "Requisition converted to order", "Marketplace: new wholesale order", "Order revision 2: quantities changed"]
    return k.lines(_f(k, H), "Order: " + k.ref("45", "PO"), "Buyer: " + k.company() + k.pick("", " (" + k.person() + ")"), "Supplier: " + k.company(), k.pick(SHIPLAB) + ": " + k.address(", "), k.pick(DELLAB) + ": " + k.date(), *["%03d  %s  %d %s  %s" % ((i + 1) * 10, n, k.num(1, 300), k.pick(UNITS), k.amount(1, 500)) for i, n in enumerate(its)], "Net value: " + k.money(50, 20000), "Status: " + k.pick("SENT", "approved", "awaiting supplier confirmation", "released", "to be acknowledged", "open"), k.pick("[Accept order] [Propose change] [Decline]", "Respond at " + k.url(), "Please acknowledge within 24 hours.", "Approver: " + k.person() + ", limit " + k.money(1000, 50000), "Create ship notice | Create invoice", "Do not ship before the confirmation is accepted."))


def government(k):
    its = _g(k, 1, 6, k.pick("school", "clinic", "office", "construction"))
    return k.lines(k.pick("Municipality of ", "County of ", "Ministry of Health, ", "University of ", "District Hospital ", "Public Works, ", "Government of ") + k.city(), k.pick("Procurement Unit", "Supplies and Stores Branch", "Purchasing Division", "Central Stores", "Office of the Quartermaster"), k.opt(0.6, k.pick("SUPPLY ORDER", "LOCAL PURCHASE ORDER", "LOCAL SERVICE ORDER", "PURCHASE ORDER", "OFFICIAL ORDER")), "No. " + k.ref("LPO", "S/") + "  Date " + k.date(), "To: M/s " + k.company() + ", " + k.address(", "), _f(k, ["Sub: Supply of stores. Ref: your tender dated {date} and our sanction no. {ref}.", "Tender ref: {ref}, award approved by the committee on {date}.", "Vote/account: {ref}. Funds available: yes.", "With reference to your quotation {ref}, your rates have been approved by the competent authority."]), _f(k, OPEN), k.table(["Sl.", "Item", "Qty", "Rate", "Amount"], [[str(i + 1), n, str(k.num(1, 200)), k.amount(2, 900), k.amount(20, 20000)] for i, n in enumerate(its)]), _tot(k), k.pick("Terms and conditions", "Conditions of supply", "Conditions"), *["%d. %s" % (i + 1, x) for i, x in enumerate(_t(k, 3, 8))], k.pick("Store officer", "Procurement Officer", "Executive Engineer", "Director of Finance", "Medical Superintendent", "Head teacher") + ": " + k.person(), k.opt(0.4, "Copy to: Accounts officer; storekeeper; file"))


def industrial_long(k):
    its = _g(k, 2, 7, k.pick("workshop", "construction", "textile", "service"))
    ln = []
    for i, n in enumerate(its):
        ln += ["%d0  %s" % (i + 1, n), "    Material no. " + k.ref("M", "") + k.pick("", "  Drawing " + k.ref("D") + " rev. " + k.pick("A", "B", "C")), "    %d %s at %s   delivery %s" % (k.num(1, 900), k.pick(UNITS), k.money(1, 500), k.date())]
    SEC = [("Quality", ["Incoming goods are inspected by sampling.", "First article inspection report required.", "Material certificates are part of the delivery.", "Deviations need a written concession.", "The goods must carry the CE mark."]), ("Delivery", ["DAP our works, gate {num}.", "Receiving hours Monday to Friday 7 to 14.", "Shipping notice with pallet numbers one day in advance.", "Packaging follows our packing manual.", "Delays must be reported at once to {person}."]), ("Invoicing", ["One invoice per order, sent to {email}.", "Show order and item number on the invoice.", "Payment 14 days 3 %, 60 days net.", "Advance payments only against bank guarantee.", "Invoices before delivery are not accepted."]), ("General", ["Our conditions of purchase in the version of {date} apply; your conditions do not.", "The code of conduct for suppliers is part of this contract.", "The non-disclosure agreement of {date} remains in force.", "Place of jurisdiction is {city}.", "Subcontracting only with our consent.", "The order may be terminated if deadlines are missed twice."])]
    return k.lines(k.company(), k.address(), k.opt(0.6, k.pick(NAMES) + " " + k.ref("45", "PO")), "Supplier no. " + k.ref("") + ": " + k.company(), k.address(), "Our contact: " + k.person() + ", " + k.phone() + ", " + k.email(), "Date: " + k.date(), "Your offer: " + k.ref("Q", "AN") + " of " + k.date(), "", _f(k, OPEN), "", *ln, "", _tot(k), "", *sum([[a, *[" - " + k.fill(x) for x in k.some(b, 1, 4)]] for a, b in k.some(SEC, 2, 4)], []), "", _f(k, CLOSE), k.pick(ROLES) + ": " + k.person())


def ocr_dump(k):
    its = _g(k, 2, 7)
    b = [k.lines("VENDOR", k.company(), k.street(), k.city()), k.lines("SHIP TO", k.company(), k.street(), k.postcode() + " " + k.city()), k.lines(k.opt(0.5, "PURCHASE ORDER"), k.pick(NUMLAB).upper(), "DATE", "BUYER", k.ref("PO", ""), k.date(), k.person().upper())]
    k.r.shuffle(b)
    return k.lines(k.company().upper(), *b, "QTY", *[str(k.num(1, 100)) for _ in its], "DESCRIPTION", *its, "UNIT COST", *[k.amount(2, 500) for _ in its], k.pick("TOTAL", "ORDER TOTAL"), k.money(50, 9000), k.pick(DELLAB).upper() + " " + k.date(), *[x.upper() if k.maybe(0.4) else x for x in _t(k, 0, 4)], "AUTHORIZED BY " + k.person())


def retail_season(k):
    its = _g(k, 2, 8, k.pick("retail", "textile"))
    return k.lines(k.pick("Shop: ", "Store: ", "Customer: ", "Boutique: ") + k.company(), "Brand / supplier: " + k.company(), k.pick("Season order ", "Pre-order ", "Trade fair order ", "Wholesale order ", "Re-order ") + k.pick("spring/summer", "autumn/winter", "Christmas", "back to school", "Easter"), k.opt(0.5, "Agent: " + k.person()), "Date " + k.date() + "  " + k.pick("Delivery window ", "Ship between ", "Start ship ") + k.date() + " - " + k.date(), k.table(["Style", "Article", "Qty", "Wholesale", "RRP"], [[k.ref("ST", ""), n, str(k.num(2, 120)), k.amount(1, 60), k.amount(3, 150)] for n in its]), "Total pieces %d, order value %s" % (k.num(20, 900), k.money(200, 9000)), k.opt(0.5, k.pick("Cancel date: ", "Do not ship after: ") + k.date()), *_t(k, 0, 4), "Signed for the buyer: " + k.person())


def service_order(k):
    J = ["repaint the stairwell and doors", "service the boiler before winter", "clean the windows, all floors, inside and outside", "translate the manual into French and Polish", "repair the roof over the {dept}", "set up the new server and move the data", "supply two security guards on {date}", "cater for our summer party, {num} guests", "print {num} brochures, 24 pages, full colour", "transport three machines from {city} to {city}", "audit our quality system", "install {num} solar panels", "mow the school grounds every two weeks", "train {num} employees in first aid", "maintain the lifts for one year", "photograph our product range", "drill a borehole at {street}", "make {num} wedding chairs available", "develop the booking module as specified", "carry out {service}"]
    return k.lines(k.company(), k.opt(0.5, k.address(", ")), k.opt(0.45, k.pick("WORK ORDER", "SERVICE ORDER", "Purchase order for services", "Order", "Works order") + " " + k.ref("WO", "SO")), k.pick("Contractor: ", "To: ", "Supplier: ") + k.company(), "Date: " + k.date(), "", k.pick("We order the following work:", "You are hereby commissioned to", "Please carry out the work below.", "On the basis of your estimate we ask you to", "Scope of work ordered:"), *[k.pick("- ", "", "* ") + k.fill(x) for x in k.some(J, 1, 3)], "Place: " + k.address(", "), "Start: " + k.date() + "  Completion: " + k.date(), k.pick("Agreed price: ", "Fixed price: ", "Maximum: ", "Order value: ", "Rate per hour: ") + k.money(40, 20000) + k.pick("", " plus VAT", " incl. tax", " as per your estimate " + k.ref("")), k.para(*_t(k, 1, 4)), _f(k, CLOSE), k.person() + ", " + k.pick(ROLES))


def old_letter(k):
    its = _g(k, 1, 4)
    return k.lines(k.company(), k.city() + ", " + k.date(), "Messrs. " + k.company(), k.city(), "", "Gentlemen,", k.para(k.pick("We are in receipt of your esteemed price list and beg to order:", "Kindly forward to us at your earliest convenience, by rail, carriage paid:", "Your traveller, " + k.person() + ", called upon us and we have decided to give you a trial order for:", "Please book for us and dispatch without delay:")), *["%d %s" % (k.num(2, 100), n) for n in its], k.para(k.pick("Kindly see that the goods are well packed.", "We trust the quality will equal the samples.", "Should the quality please us you may count on further orders.", "Please draw on us at thirty days for the amount.", "The goods must be in our hands by " + k.date() + "."), k.pick("We shall remit on receipt of your invoice.", "Kindly acknowledge this order by return of post.", "Insure the goods for our account.", "Mark the cases as before.")), k.pick("We remain, Gentlemen, yours faithfully,", "Yours truly,", "Your obedient servants,"), k.company())


def amendment(k):
    T = ["Please change line {num} of our order {ref}: quantity {num} instead of {num}.", "We increase our order {ref} by the following items.", "Please bring forward the delivery of {product} to {date}.", "We cancel item {num} and order {product} instead.", "Ship to {street}, {city}, not to the address on the first version.", "New unit price {money} as agreed with {person}.", "All other conditions of the order stay as they are.", "The order value rises to {money}.", "Please confirm this change in writing.", "This revision replaces the version of {date}.", "Items already shipped are not affected.", "Delivery of the remaining quantity can wait until {month}."]
    return k.lines(k.opt(0.6, k.pick("Change order", "Purchase order - amendment no. %d" % k.num(1, 5), "Order revision", "PO change")), k.pick("To: ", "Supplier: ") + k.company(), "From: " + k.company(), k.pick(NUMLAB) + " " + k.ref("PO"), k.date(), "", *[k.pick("- ", "* ", "") + k.fill(x) for x in k.some(T, 2, 6)], k.opt(0.5, "\n".join("%d %s %s" % (k.num(1, 90), k.pick(UNITS), n) for n in _g(k, 1, 4))), *_t(k, 0, 2), k.person() + ", " + k.pick(ROLES))


def fax(k):
    its = _g(k, 1, 5)
    return k.lines(k.pick("FAX", "TELEFAX ORDER", "Fax message", "ORDER BY FAX"), "To: " + k.company() + k.pick(", order desk", ", Sales", ""), "Fax: " + k.phone(), "From: " + k.company() + " / " + k.person(), "Pages: 1   Date: " + k.date(), "Customer no.: " + k.ref("K", ""), "", _f(k, OPEN), *["%s   %d   %s" % (k.ref("A", "art "), k.num(1, 100), n) for n in its], "", "Delivery: " + k.pick("by carrier", "as soon as possible", "we collect", "express", "by " + k.date()), *_t(k, 0, 3), k.pick("Stamp / signature ", "Signature: ") + k.person())


def kitchen_order(k):
    its = _g(k, 3, 9, k.pick("restaurant", "restaurant", "farm", "clinic", "school"))
    return k.lines(k.pick("Order for ", "Weekly order ", "Standing order from ", "Order list ") + k.pick(k.weekday(), k.date(), k.company()), "From: " + k.pick("kitchen, ", "stores, ", "ward 3, ", "farm shop, ", "canteen, ") + k.company(), "To: " + k.company(), *[k.pick("%s - %d", "%s x %d", "%s .... %d", "%s: %d") % (n, k.num(1, 60)) for n in its], k.para(k.pick("Deliver before 6 am.", "Leave at the loading bay.", "Bring back the empty crates.", "Ring if anything is missing.", "Last week two boxes were bad, please check before sending.", "Charge to the usual account, invoice at month end.", "Please no frozen goods.", "Price list of " + k.month_year() + " applies."), k.opt(0.4, _f(k, CLOSE))), k.first())


WHY = ["Our old supplier has let us down twice.", "The new classrooms open in {month} and must be ready.", "The trial batch was fine.", "{person} from your firm gave us the price on the phone.", "Your offer was the cheapest of three.", "The board released the money in its meeting on {date}.", "The machine is down, so every day counts.", "We have a big booking on {date}.", "Stock is down to {num} pieces.", "This is for our customer in {city}, so neutral packing please.", "The colours should match the sample.", "Please use the drawing of {date}, not the older one.", "Last time three boxes were wet, please wrap them better.", "If you can do it cheaper for {num}, tell us.", "The invoice goes to the charity, not to me.", "We will collect the rest ourselves.", "The goods from invoice {ref} were very good, so the same again.", "The lift is small, so nothing wider than {num} cm.", "Please add a data sheet for our file.", "The non-disclosure agreement covers the drawings."]
WANT = ["We want to buy {q} {a}.", "Please send us {q} {a}.", "I would like to order {q} {a}.", "Please put us down for {q} {a}.", "Go ahead with {q} {a}.", "We need {q} {a} as soon as you can.", "Kindly deliver {q} {a}.", "Please treat this as our order for {q} {a}.", "We hereby place an order with you for {q} {a}.", "Could you supply {q} {a}? If so, please take this as a firm order."]
LEGAL = ["The supplier warrants that the goods are free from defects and third party rights.", "Title passes to the buyer on delivery.", "The buyer may cancel if delivery is more than {num} days late.", "Invoices are payable only after acceptance of the goods.", "The supplier shall carry insurance of at least {money}.", "Changes to this order need the written consent of the purchasing department.", "The supplier keeps all information confidential.", "Rejected goods are returned at the supplier's risk and expense.", "The supplier complies with all laws on labour, safety and the environment.", "No goods may be subcontracted without consent.", "The buyer may inspect the supplier's works.", "The price is final and covers all duties, packing and freight.", "Acceptance of this order means acceptance of these terms.", "Force majeure must be notified within {num} hours.", "The law of the buyer's country applies.", "Spare parts must be available for ten years.", "Any terms printed on the supplier's documents are excluded.", "Hazardous goods need a safety data sheet.", "All tools paid for by the buyer belong to the buyer.", "The order number must appear on every package."]


def _want(k):
    return k.fill(k.pick(WANT).replace("{q}", str(k.num(2, 300))).replace("{a}", k.pick(_g(k, 1, 1))))


def human(k):
    """Small customer orders in own words."""
    return k.lines(k.opt(0.15, k.pick("Order", "Our order " + k.ref(""), "Purchase order " + k.ref(""))), k.pick("Hi ", "Dear ", "Hello ", "Good morning ") + k.pick(k.first(), k.title_person(), "team") + ",", "", k.para(_want(k), k.opt(0.5, "Also " + k.pick("%d " % k.num(1, 50)) + k.pick(_g(k, 1, 1)) + "."), *[k.fill(x) for x in k.some(WHY, 1, 4)]), k.para(k.pick("We need it by ", "Please deliver on ", "Latest date is ", "Bring it to " + k.street() + " on ") + k.date() + ".", k.opt(0.5, "Price as agreed, " + k.money(20, 4000) + "."), _f(k, CLOSE), k.opt(0.4, _f(k, TERMS))), k.pick(BYE) + ",", k.person(), k.opt(0.5, k.pick(k.company(), k.pick(ROLES))))


def long_terms(k):
    """Order with full conditions."""
    its = _g(k, 3, 10)
    return k.lines(k.company(), k.address(), k.opt(0.6, k.pick(NAMES) + " " + k.ref("PO")), k.date(), k.pick(SUPLAB) + ": " + k.company(), k.address(), k.pick(SHIPLAB) + ": " + k.address(", "), "", k.para(_f(k, OPEN), *[k.fill(x) for x in k.some(WHY, 0, 3)]), k.table(["No.", "Goods", "Qty", "Unit", "Price"], [[str(i + 1), n, str(k.num(1, 400)), k.pick(UNITS), k.amount(1, 900)] for i, n in enumerate(its)]), _tot(k), k.pick(DELLAB) + ": " + k.date(), "", k.para(*_t(k, 2, 6)), "", k.pick("Terms and conditions of purchase", "Conditions", "General conditions of purchase", "Buyer's terms"), *["%d. %s" % (i + 1, k.fill(x)) for i, x in enumerate(k.some(LEGAL, 6, 18))], "", _f(k, CLOSE), "For the buyer: " + k.person() + ", " + k.pick(ROLES), k.opt(0.5, "Accepted for the supplier: ...................."))


def blanket(k):
    """Framework, call-off, standing order, subscription by schedule."""
    its = _g(k, 1, 4)
    return k.lines(k.opt(0.5, k.pick("BLANKET ORDER", "Blanket purchase order", "Standing order for supplies", "Delivery schedule", "Call-off", "Purchase order, annual quantities")), k.pick("Customer: ", "Buyer: ", "From: ") + k.company(), k.pick(SUPLAB) + ": " + k.company(), "Valid " + k.date() + " - " + k.date(), *sum([[n + ", yearly quantity %d %s at %s" % (k.num(100, 9000), k.pick(UNITS), k.money(1, 60))] + ["   " + k.date() + ": deliver %d" % k.num(10, 500) for _ in range(k.num(1, 4))] for n in its], []), *_t(k, 1, 5), k.person() + ", " + k.pick(ROLES))


# ---- held out ----
def memo_order(k):
    its = _g(k, 1, 5)
    return k.lines("MEMORANDUM", "TO: " + k.company() + " (supplier)", "FROM: " + k.person() + ", " + k.pick(ROLES), "DATE: " + k.date(), "SUBJECT: " + k.pick("Goods required", "Our order", "Purchase order " + k.ref("")), "", _f(k, OPEN), *["(%s) %d %s" % ("abcdefgh"[i], k.num(1, 99), n) for i, n in enumerate(its)], k.pick(DELLAB) + ": " + k.date(), *_t(k, 1, 3), _f(k, CLOSE))


def kv_order(k):
    its = _g(k, 1, 4)
    kv = ["Buyer: " + k.company(), "Seller: " + k.company(), "Wanted: " + "; ".join("%d %s" % (k.num(1, 90), n) for n in its), k.pick(DELLAB) + ": " + k.date(), "Where: " + k.address(", "), "Price agreed: " + k.money(40, 9000), "Invoice to: " + k.email(), "Confirm to: " + k.person()]
    return k.lines(k.opt(0.4, "ORDER " + k.ref("")), k.pick(" / ", " ; ", " || ").join(kv) + ".", k.para(*_t(k, 1, 3)))


LAYOUTS = [
    structured, structured, letter, letter, email, email, short_note, short_note, form, prose, prose, portal, government, industrial_long, ocr_dump,
    retail_season, service_order, old_letter, amendment, fax, kitchen_order, human, human, long_terms, blanket, memo_order, kv_order]
