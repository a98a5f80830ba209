"""Invoices: a supplier asks a customer to pay for goods or services already supplied."""

ALIASES = ["invoice", "Invoice", "invoices", "INVOICE", "tax invoice", "Tax Invoice", "commercial_invoice", "Commercial Invoice",
           "sales_invoice", "Sales Invoice", "supplier_invoice", "Supplier Invoice", "vendor_invoice", "Vendor Bill", "vendor_bill",
           "bill", "Bill for goods", "bill_for_services", "billing_document", "Billing Statement", "incoming_invoice", "Incoming Invoice",
           "accounts_payable_invoice", "AP Invoice", "Invoice to pay", "fee note", "Fee Note", "payment request", "customer_invoice"]
DESCRIPTIONS = ["asks for payment of delivered goods or services",
                "a supplier bills a customer for goods or services and states the amount due",
                "bill from a vendor with line items, tax, total and payment terms",
                "request to pay for work done or items supplied, by a due date",
                "invoices from suppliers, to be paid by us",
                "a bill sent by a business to its customer, not yet paid",
                "lists what was sold, the price, the tax and when and where to pay",
                "accounts payable: supplier bills, fee notes and payment requests",
                "document a seller sends a buyer to claim the price of a sale",
                "freelancer or company charges a client for work and gives bank details",
                "amount owed for products or services, payable within a term"]

JOBS = {
    "construction": ["excavation and groundworks", "ready-mix concrete C25/30, m3", "scaffold hire, 4 weeks", "bricklayer, hours", "plastering to first floor", "roof tiles, incl. battens", "skip hire 8 yd", "steel lintels", "site clearance", "labour, two men", "timber 47x100 C24", "variation no. 3: extra drainage", "stage payment 2 of 4", "retention 5 % withheld", "crane hire per day", "paint and materials", "underfloor heating manifold"],
    "software": ["annual licence, 25 users", "web hosting, 12 months", "development sprint 14", "API integration", "bug fixing and testing, hours", "support retainer", "domain renewal", "SaaS subscription, Pro plan", "data migration", "cloud usage, compute hours", "storage, GB per month", "SSL certificate", "UX design days", "additional seats", "onboarding package"],
    "law": ["drafting shareholders' agreement", "attendance at hearing", "telephone conference with counsel", "review of contract, 3.5 hours", "disbursements: court fee", "notary fee", "professional services rendered in the matter", "legal research", "correspondence with the other side", "photocopies and courier", "advice on lease"],
    "clinic": ["consultation", "X-ray left wrist", "blood panel", "physiotherapy, 6 sessions", "dental crown, porcelain", "vaccination", "theatre fee", "anaesthetist", "ward charges, 2 nights", "hygienist visit", "eye test", "ECG", "root canal treatment", "pathology", "medication dispensed"],
    "garage": ["oil and filter change", "front brake pads and discs", "timing belt kit", "labour 3.2 hrs", "MOT test", "tyre 205/55 R16 fitted", "wheel alignment", "battery 70Ah", "diagnostic check", "air-con regas", "clutch replacement", "wiper blades", "environmental disposal charge", "recovery from roadside"],
    "hotel": ["room, double, 3 nights", "breakfast x 2", "city tax", "conference room hire", "projector rental", "coffee breaks, 24 persons", "minibar", "laundry", "parking", "wedding dinner, 80 covers", "late checkout", "spa treatment", "room service"],
    "school": ["tuition fee, autumn term", "registration fee", "school lunches", "bus transport", "music lessons, 10 weeks", "exam entry fee", "uniform", "boarding fee", "text books", "after-school club", "nursery sessions, March", "trip to the museum", "English course B2, 40 lessons"],
    "farm": ["hay, round bales", "seed potatoes, 25 kg bags", "contract ploughing, hectares", "diesel delivered, litres", "NPK fertiliser, tonnes", "veterinary call-out", "milk collected, litres", "free-range eggs, trays", "combine hire, hours", "fencing posts", "lambs, live weight", "tractor repair, parts", "cattle feed pellets", "apples, class I, crates"],
    "shipping": ["ocean freight 1x40HC", "terminal handling charge", "bunker adjustment factor", "customs clearance", "demurrage, 5 days", "road haulage to door", "air freight, 312 kg", "documentation fee", "storage, pallets per week", "fuel surcharge", "import duty advanced", "bill of lading fee", "pallet exchange"],
    "restaurant": ["catering, buffet for 45 people", "house wine, bottles", "fresh salmon fillets, kg", "olive oil 5 l", "flour type 55, 25 kg", "staff for the evening", "linen hire", "glass hire", "wedding cake", "canapes", "mozzarella, kg", "coffee beans, 1 kg bags", "vegetables assorted", "delivery and set-up"],
    "marketing": ["logo design", "copywriting, 5 pages", "photo shoot, half day", "social media management, June", "Google Ads budget", "printing of 5,000 flyers A5", "banner 3x1 m", "video editing", "translation EN-DE, 4,200 words", "exhibition stand", "newsletter set-up", "website redesign, final instalment", "image licence"],
    "cleaning": ["office cleaning, monthly", "window cleaning", "deep clean of kitchen", "carpet shampooing", "garden maintenance, 4 visits", "hedge cutting", "waste removal", "consumables: paper, soap", "key holding", "pest control treatment", "snow clearing", "gutter cleaning", "security guard, night hours"],
    "trade": ["office chair, black", "laser toner", "A4 paper, boxes", "stainless steel bolts M8", "LED panels 60x60", "copper pipe 15 mm", "safety boots size 43", "cotton T-shirts, assorted", "ceramic tiles, m2", "bearings 6204-2RS", "hydraulic hose", "cable 3x2.5 mm2, drum", "packaging cartons", "laptops 14 inch", "monitors 27 in", "wooden pallets", "water pump", "solar panels 410 W", "basmati rice, bags", "leather handbags", "printed circuit boards", "disinfectant, 10 l", "shelving units", "freight", "packing"],
    "personal": ["piano lessons", "dog walking", "babysitting, 12 hours", "house painting", "tutoring in mathematics", "wedding photography", "fixing the leaking tap", "sewing of curtains", "moving furniture", "lawn mowing", "gig at the summer fair", "haircuts at home", "interpreting at the town hall", "yoga classes", "bookkeeping for the quarter"],
    "consulting": ["consulting days on site", "travel expenses", "workshop facilitation", "feasibility study", "project management, hours", "audit of annual accounts", "payroll processing, 14 employees", "tax return preparation", "recruitment fee, 18 % of salary", "training day", "engineering drawings", "structural survey", "architect's fee, phase 3", "milestone 2: prototype delivered", "membership fee", "sponsorship of the gala", "expert opinion"],
}
FIELDS = list(JOBS)
UNITS = ["pcs", "hrs", "days", "ea", "kg", "m2", "box", "set", "l", "t", "each", "unit", "Stk", "nos", "month"]
TAX = ["VAT", "VAT 20%", "GST", "GST 10%", "sales tax", "Sales tax 8.25%", "MwSt. 19 %", "TVA 20 %", "IVA 21%", "BTW 21%", "moms 25 %", "CGST 9% + SGST 9%", "IGST 18%", "HST 13%", "VAT 15%", "PST", "USt 7 %", "service tax", "VAT 7.5%", "consumption tax 10%"]
TAXID = ["VAT No.", "VAT Reg No", "USt-IdNr.", "ABN", "GSTIN", "EIN", "TIN", "NIP", "CIF", "P.IVA", "SIRET", "PAN", "Tax ID", "KRA PIN", "UEN", "Org. nr", "BTW nr", "CVR"]
NAMES = ["INVOICE", "Invoice", "TAX INVOICE", "Tax Invoice", "Commercial Invoice", "SALES INVOICE", "Rechnung / Invoice", "FACTURE - INVOICE", "Fee note", "Statement of charges", "BILL", "Bill", "Service invoice", "Proforma replaced - final invoice", "Invoice / Factura", "Interim invoice", "Final invoice", "FEE ACCOUNT"]
NUMLAB = ["Invoice no.", "Invoice number", "Invoice #", "No.", "Our ref", "Document no.", "Inv. No", "Bill No.", "Number", "Reference", "Doc", "Ref"]
DATELAB = ["Date", "Invoice date", "Date of issue", "Issued", "Issue date", "Tax point", "Dated"]
DUELAB = ["Due date", "Payment due", "Pay by", "Due", "Payable by", "Please pay before", "Date due", "Payable on or before"]
TOTLAB = ["Total due", "TOTAL", "Amount due", "Balance due", "Total payable", "Grand total", "Total amount", "Invoice total", "Please pay", "Amount payable", "Gross total", "To pay", "TOTAL INCL. VAT", "Net payable", "Total owing"]
SUBLAB = ["Subtotal", "Net", "Net amount", "Sub-total", "Total excl. tax", "Goods total", "Taxable value", "Total net", "Total before tax"]
BILLTO = ["Bill to", "Billed to", "Invoice to", "Customer", "Client", "Sold to", "To", "Attn. accounts payable", "Messrs", "Account of", "Debtor", "Buyer", "For the attention of"]
TERMS = ["Payment terms: 30 days net.", "Net 30.", "Payable within 14 days of receipt.", "Terms: due on receipt.", "Payment within 10 days 2 % discount, 30 days net.", "Please settle within 21 days.", "Terms strictly 30 days from date of issue.", "Please transfer the amount to the account below within 7 days.", "Payment is due by {date}.", "50 % was paid in advance; the balance is due now.", "Late payments bear interest at 8 % above base rate.", "We reserve the right to charge interest on overdue accounts.", "1.5% per month will be added to past due balances.", "Please make checks payable to {company}.", "Cheques should be crossed and made payable to {company}.", "Kindly quote the number above with your remittance.", "Please state the reference when paying.", "Payment by bank transfer only, no cash.", "You can also pay by card through the link in the e-mail.", "Goods remain our property until paid in full.", "Title passes on full payment.", "Please remit in full without deductions; bank charges to be borne by the payer.", "Payment by direct debit will be collected on or after {date}.", "Due immediately and without deduction.", "E. & O. E.", "Subject to {city} jurisdiction.", "Remittance advice to {email}, please.", "Queries must be raised within 8 days.", "Zahlbar / payable within 14 days without deduction."]
REMARKS = ["As per your purchase order {ref} dated {date}.", "Your order: {ref}.", "PO number: {ref}", "Delivery note {ref} of {date}.", "Delivered on {date} to {city}.", "Work carried out between {date} and {date}.", "Service period: {month}.", "In accordance with our quotation {ref}, accepted by {person}.", "As agreed in the contract of {date}.", "Ordered by {person} by telephone.", "Timesheets signed by {person} are attached.", "This replaces our earlier bill {ref}, which had the wrong address.", "Less deposit received {money}.", "Previous balance carried forward: {money}.", "A credit note for the returned items follows separately.", "Reverse charge: the customer accounts for the VAT.", "VAT exempt, small business scheme.", "Intra-community supply, exempt from VAT.", "Country of origin: {city}. HS code 8471.30.", "Incoterms: DAP {city}.", "Packing list and bill of lading attached.", "Shipped via road freight, tracking {ref}.", "Cost centre: {dept}.", "Your contact: {person}.", "The job sheet was signed by your caretaker.", "Materials are charged at cost.", "Hours are rounded to the quarter.", "No VAT is charged as we are a registered charity.", "Supply is zero rated.", "Whether tax is payable under reverse charge: No.", "Amount in words: see total.", "The statement for your account will follow at month end.", "This is a computer generated document and needs no signature.", "This is not a receipt; a receipt is issued after payment.", "This replaces the quotation and the proforma.", "Please do not confuse it with the statement of account sent last week."]
THANKS = ["Thank you for your business.", "Thank you for your custom.", "We appreciate your prompt payment.", "Thanks again for the job!", "With thanks.", "It was a pleasure working with you.", "Many thanks for your order.", "We look forward to serving you again.", "Thank you, {person}.", "We thank you for your trust.", "Cheers!", "Thanking you."]


def _f(k, lst):
    return k.fill(k.pick(lst))


def _items(k, lo=1, hi=7, field=None):
    field = field or k.pick(FIELDS)
    out = []
    for name in k.some(JOBS[field], lo, hi):
        if k.maybe(0.12):
            name = k.pick(k.product(), k.service())
        out.append(name)
    return out


def _bank(k):
    return k.pick(
        lambda: k.lines("Bank: " + k.bank(), "IBAN: " + k.iban(), k.opt(0.5, "BIC: " + k.pick("DEUTDEFF", "NWBKGB2L", "BNPAFRPP", "CRBAFRXX", "INGBNL2A"))),
        lambda: k.lines("Account name: " + k.company(), "Sort code: %02d-%02d-%02d" % (k.num(10, 99), k.num(10, 99), k.num(10, 99)), "Account no.: %08d" % k.num(10000000, 99999999)),
        lambda: k.lines("Bank details", k.bank(), "A/c %d" % k.num(10**8, 10**10 - 1), "IFSC " + k.pick("HDFC", "SBIN", "ICIC") + "000%d" % k.num(1000, 9999)),
        lambda: "Pay to: " + k.bank() + ", " + k.iban(),
        lambda: k.lines("BSB %03d-%03d" % (k.num(10, 999), k.num(10, 999)), "Acc %d" % k.num(10**7, 10**9)),
        lambda: "Wire transfer: " + k.bank() + ", routing %d, account %d" % (k.num(10**8, 10**9 - 1), k.num(10**8, 10**10)),
        lambda: "You may pay by M-Pesa paybill %d, account %s." % (k.num(100000, 999999), k.ref("A")),
        lambda: "Transfer to " + k.iban() + " (" + k.bank() + ")",
    )()


def _tot(k, sep=": "):
    tot = k.money(40, 20000)
    return k.lines(k.opt(0.7, k.pick(SUBLAB) + sep + k.money(30, 17000)), k.opt(0.2, k.pick("Discount", "Trade discount", "Less deposit", "Less paid on account", "Freight", "Carriage", "Shipping", "Rounding") + sep + k.money(1, 90)),
                   k.opt(0.75, k.pick(TAX) + sep + k.money(4, 3000)), k.pick(TOTLAB) + sep + tot)


def _remarks(k, lo, hi):
    return [k.fill(x) for x in k.some(REMARKS, lo, hi)]


def _terms(k, lo, hi):
    return [k.fill(x) for x in k.some(TERMS, lo, hi)]


def structured(k):
    """Letterhead, fields, table, totals, bank."""
    c = k.company()
    hdr = [k.pick("Description", "Item", "Details", "Particulars", "Article", "Service"), k.pick("Qty", "Quantity", "Hours", "Units"), k.pick("Unit price", "Rate", "Price", "Each"), k.pick("Amount", "Total", "Line total", "Net")]
    rows = [[n, str(k.num(1, 60)), k.amount(2, 900), k.amount(10, 5000)] for n in _items(k, 1, 9)]
    if k.maybe(0.3):
        hdr = ["#"] + hdr
        rows = [[str(i + 1)] + r for i, r in enumerate(rows)]
    elif k.maybe(0.2):
        hdr = [k.pick("Code", "Art. no.", "SKU", "HSN/SAC", "Part no.")] + hdr
        rows = [[k.ref("A", "P", "SKU")] + r for r in rows]
    head = k.lines(c, k.address(), k.opt(0.5, "Tel " + k.phone()), k.opt(0.4, k.email()), k.opt(0.6, k.pick(TAXID) + " " + k.ref("")))
    flds = [k.pick(NUMLAB) + ": " + k.ref("INV-", "RE", "F"), k.pick(DATELAB) + ": " + k.date()]
    if k.maybe(0.7):
        flds.append(k.pick(DUELAB) + ": " + k.date())
    if k.maybe(0.5):
        flds.append(k.pick("Your order", "PO no.", "Purchase order", "Order ref", "Customer no.", "Project", "Delivery note", "Contract") + ": " + k.ref("PO", "C"))
    to = k.lines(k.pick(BILLTO) + ":", k.opt(0.5, k.person()), k.company(), k.address())
    parts = [k.opt(0.6, k.pick(NAMES)), k.lines(*flds), to]
    if k.maybe(0.5):
        k.r.shuffle(parts)
    return k.lines(head, "", *parts, "", k.opt(0.5, " ".join(_remarks(k, 1, 2))), k.table(hdr, rows), _tot(k), "", *_terms(k, 0, 4), k.opt(0.8, _bank(k)), k.opt(0.6, _f(k, THANKS)))


OPEN = ["We charge you for the following work carried out at {street}:", "For goods supplied we debit your account as follows:", "For our services in {month} we take the liberty of billing you as follows:", "Please find below our charges for {service}.", "We have pleasure in submitting our account for the work completed on {date}.", "Further to the delivery of {date} we request payment of the sum shown below.", "The following amounts have fallen due under our agreement of {date}:", "To professional services rendered in connection with the above matter.", "Thank you for your order {ref}. We invoice you for the following items:", "As agreed with {person}, we are now billing the second instalment.", "The work at your premises was finished on {date} and taken over by {person}. Our charges are set out below.", "Your goods left our warehouse on {date}. We now ask for payment of the following:", "In line with the contract, the fee for the quarter is now due.", "With reference to your purchase order {ref} we hereby invoice:", "Kindly arrange settlement of the charges listed hereunder."]
CLOSE = ["Please arrange payment of the above sum at your earliest convenience.", "We kindly ask you to transfer the amount by {date}.", "We would be obliged for your remittance within thirty days.", "Kindly release the payment to the bank account mentioned below.", "We should be grateful to receive your cheque in due course.", "Please credit the total to our account, quoting {ref}.", "Should you have any question about the charges, call {person} on {phone}.", "If payment has already crossed in the post, please disregard this letter.", "Please pass this to your accounts department for payment.", "We ask for payment without deduction by {date}."]
BYE = ["Yours faithfully", "Yours sincerely", "Kind regards", "Best regards", "With kind regards", "Regards", "Sincerely", "Respectfully", "For and on behalf of the company"]


def letter(k):
    """Formal letter that bills."""
    its = _items(k, 1, 5)
    body = "\n".join("%s%s%s" % (k.pick("- ", "", "* ", "%d) " % (i + 1)), n, k.pick(" ... ", ": ", "   ", " - ") + k.money(20, 4000)) for i, n in enumerate(its))
    return k.lines(k.company(), k.address(", "), "", k.opt(0.7, k.person()), k.company(), k.address(), "", k.pick("", k.city() + ", ") + k.date(), "",
                   k.opt(0.5, k.pick("Invoice ", "Re: invoice ", "Our fee note ", "Our account ", "Invoice no. ") + k.ref("INV", "")),
                   k.opt(0.3, "Re: " + k.pick(its)),
                   k.pick("Dear Sir or Madam,", "Dear Sirs,", "Dear " + k.title_person() + ",", "Dear Ms " + k.last() + ",", "Dear customer,", "Dear Mr " + k.last()), "",
                   _f(k, OPEN), "", body, _tot(k), "", k.para(*_remarks(k, 0, 2)), _f(k, CLOSE), k.opt(0.4, " ".join(_terms(k, 1, 2))), k.opt(0.7, _bank(k)), "", k.pick(BYE) + ",", k.person(), k.opt(0.4, k.pick("Accounts receivable", "Managing Director", "Bookkeeping", "Partner", "Owner", "Credit control")))


MAILSUBJ = ["Invoice {ref} from {company}", "Your invoice for {month}", "Payment request {ref}", "{company}: amount due {money}", "Our bill for {service}", "Invoice attached - {ref}", "Charges for {month}", "New invoice available", "Please find attached our invoice {ref}", "Billing {month}", "{ref} - payable by {date}", "Fees for the project, part 2"]
MAILBODY = ["please find below our charges for {service} in {month}.", "attached is invoice {ref} for the work we completed last week.", "as discussed with {person}, I am billing the remaining {money} for {service}.", "the {product} you ordered under {ref} went out on {date}; the amount of {money} is now payable.", "I am sending you my bill for the last month: {num} hours at the agreed rate.", "hope you are well. Here is the invoice for {product}.", "we have issued a new bill to your account.", "for the delivery of {date} we ask you to pay {money}.", "the project is finished, so here comes the last instalment.", "this is the invoice for your booking in {month}.", "your subscription has been renewed and {money} is due by {date}.", "our driver delivered the goods on {date}; the signed delivery note is attached together with the bill."]
MAILEND = ["Please transfer the money to the account below.", "Payment is due within {num} days.", "Please pay by {date}; the bank details are at the bottom.", "You can pay online at the link.", "Let me know if you need a PO number on it.", "Please forward this to your accounting people.", "If you need a different billing address, tell me before {date}.", "Please use {ref} as payment reference.", "A paper copy follows by post.", "Kindly confirm receipt and expected payment date.", "The PDF is attached, no need to print it.", "Card payments welcome too."]


def email(k):
    """E-mail, with or without headers."""
    tot = k.money(30, 9000)
    hdr = k.lines("From: " + k.pick(k.email(), k.person() + " <" + k.email() + ">"), "To: " + k.email(), k.opt(0.6, "Date: " + k.date() + " " + k.time()), "Subject: " + _f(k, MAILSUBJ))
    return k.lines(k.opt(0.7, hdr), k.opt(0.5, ""), k.pick("Hi", "Hello", "Dear", "Good morning", "Hallo") + " " + k.pick(k.first(), k.title_person(), "all", "team", "accounts team") + ",", "",
                   k.para(_f(k, MAILBODY).capitalize() if k.maybe(0.3) else _f(k, MAILBODY), k.opt(0.5, _f(k, REMARKS))),
                   k.opt(0.6, "\n".join(n + ": " + k.money(10, 2000) for n in _items(k, 1, 4))),
                   k.opt(0.7, k.pick(TOTLAB) + ": " + tot), k.opt(0.4, k.pick(TAX) + " included"), "",
                   k.para(_f(k, MAILEND), k.opt(0.4, _f(k, MAILEND))), k.opt(0.6, _bank(k)), "", k.pick(THANKS[:8]), k.person(), k.opt(0.6, k.company()), k.opt(0.3, k.phone()))


def note_short(k):
    """Handwritten or text message style, tiny firm."""
    it = _items(k, 1, 3, k.pick("personal", "personal", "garage", "farm", "cleaning", "restaurant"))
    m = k.money(20, 900)
    T = ["Hi {first}, for {it} you owe me {m}. Bank transfer is fine, {iban}. Thanks, {me}",
         "{d}\nTo {first} {last}\n{it}\nTogether {m}, please pay by the end of the month.\n{me}",
         "For {it}: {m}. Cash or transfer, as you like. Please pay within a week. {me}, {tel}",
         "Bill for {it} at yours on {d}. Hours: {n}. Rate agreed. Total {m}. Pls send to {iban}. {me}",
         "{me}\n{tel}\n\n{d}\n\nTo doing {it} .......... {m}\nMaterials .......... {m2}\n\nPlease pay within 14 days, thank you. No VAT charged.",
         "Hello {first}! It was {n} hours in {month}, so that makes {m}. Could you transfer it by {d}? My account: {iban}. Kind regards, {me}",
         "To: {first} {last}\nFrom: {me}\nFor: {it}\nAmount: {m}\nPlease pay by {d}.",
         "Dear {first}, the job is done. I charge {m} for {it} and {m2} for material. My bank details are {iban}. Best, {me}",
         "MEMO OF ACCOUNT\n{first} {last} Dr. to {me}\n{it}  {m}\nan early settlement will oblige",
         "Account for {it}, week of {d}: {n} hrs, {m} altogether, payable to {me}, {iban}."]
    t = k.pick(T)
    for a, b in (("{first}", k.first()), ("{last}", k.last()), ("{it}", ", ".join(it)), ("{m}", m), ("{m2}", k.money(5, 200)), ("{iban}", k.iban()), ("{me}", k.pick(k.person(), k.first())), ("{d}", k.date()), ("{tel}", k.phone()), ("{n}", str(k.num(2, 60))), ("{month}", k.month_year())):
        t = t.replace(a, b)
    return k.lines(k.opt(0.35, k.pick("Invoice", "INVOICE " + str(k.num(1, 99)), "Bill", "My invoice")), t)


def commercial_export(k):
    """Customs / commercial invoice."""
    rows = [[str(i + 1), k.pick(n, k.product()), "%04d.%02d" % (k.num(1001, 9405), k.num(10, 90)), str(k.num(1, 900)), k.pick(UNITS), k.amount(1, 300), k.amount(100, 30000)] for i, n in enumerate(_items(k, 1, 5, "trade"))]
    return k.lines(k.opt(0.6, "COMMERCIAL INVOICE"), k.pick("Exporter", "Shipper/Exporter", "Seller", "Consignor") + ": " + k.company(), k.address(), k.pick(TAXID) + ": " + k.ref("", "EO"),
                   k.pick("Consignee", "Importer", "Buyer", "Sold to") + ": " + k.company(), k.address(), k.opt(0.5, "Notify party: same as consignee"),
                   "No. and date: " + k.ref("EXP", "CI") + " / " + k.date(), k.opt(0.6, "Buyer's order no.: " + k.ref("PO") + " dated " + k.date()), k.opt(0.5, "Terms of delivery: " + k.pick("FOB ", "CIF ", "EXW ", "DAP ", "CFR ", "FCA ") + k.city()),
                   "Terms of payment: " + k.pick("irrevocable letter of credit at sight", "30% advance, 70% against copy of documents", "T/T in advance", "60 days from B/L date", "cash against documents", "open account 45 days", "D/P at sight"),
                   k.opt(0.5, "Vessel/flight: " + k.pick("MV Aurora", "MV Northern Light", "by truck", "by air") + "  Port of loading: " + k.city() + "  Port of discharge: " + k.city()), k.opt(0.5, "Country of origin: " + k.country()),
                   k.table(["Item", "Description of goods", "HS code", "Qty", "Unit", "Unit price", "Amount"], rows), "Currency: " + k.currency(), k.opt(0.5, "Freight: " + k.money(50, 900)), k.opt(0.4, "Insurance: " + k.money(10, 200)), k.pick("Total CIF value", "Total FOB value", "Total invoice value", "Total value", "Total payable") + ": " + k.money(900, 90000),
                   "Gross weight: %d kg  Net weight: %d kg  Packages: %d cartons" % (k.num(50, 20000), k.num(40, 18000), k.num(1, 400)), k.opt(0.5, _bank(k)),
                   k.pick("We certify that this invoice is true and correct.", "We declare that the particulars above are true and that the price stated is the actual price of the goods.", "The exporter of the products covered by this document declares that these products are of preferential origin.", "We hereby certify the contents of this document to be true and correct."), k.opt(0.5, "Authorised signatory: " + k.person()))


def indian_gst(k):
    rows = [[str(i + 1), n, str(k.num(1000, 9999)), str(k.num(1, 50)), k.amount(50, 4000), k.amount(100, 50000)] for i, n in enumerate(_items(k, 1, 5))]
    return k.lines(k.opt(0.5, k.pick("TAX INVOICE", "TAX INVOICE (ORIGINAL FOR RECIPIENT)", "BILL OF SUPPLY", "Tax Invoice - Duplicate for transporter")), "M/s " + k.company(), k.address(", "), "GSTIN/UIN: %02dAAB%s%dZ%d" % (k.num(1, 36), k.pick("CX", "FP", "CK"), k.num(1000, 9999), k.num(1, 9)), k.opt(0.4, "State name: Maharashtra, Code: 27"),
                   "Bill No. " + k.ref("GST/", "") + "   Dated " + k.date(), k.opt(0.4, "Delivery Note: " + k.ref("DN") + "  Mode/Terms of payment: " + k.pick("30 days", "Immediate", "15 Days", "Against delivery")), k.opt(0.4, "Buyer's Order No. " + k.ref("") + "  Despatched through: " + k.pick("Transport", "Courier", "Own vehicle", "By hand")),
                   "Buyer (Bill to): " + k.company(), k.address(", "), "Place of supply: " + k.city(), k.opt(0.3, "e-Way Bill No. %d" % k.num(10**11, 10**12 - 1)),
                   k.table(["Sl", "Description of Goods", "HSN/SAC", "Qty", "Rate", "Amount"], rows), "Taxable value " + k.money(500, 40000), k.pick("CGST 9% " + k.amount(40, 3000) + "\nSGST 9% " + k.amount(40, 3000), "IGST 18% " + k.amount(50, 7000), "CGST 2.5% " + k.amount(5, 500) + " SGST 2.5% " + k.amount(5, 500)), k.opt(0.4, "Round off 0.32"), "Total " + k.money(600, 50000),
                   "Amount chargeable (in words): " + k.pick("Rupees", "INR", "Total") + " " + k.pick("Eleven Thousand Two Hundred only", "Forty Two Thousand Three Hundred Fifty only", "Nine Hundred Eighty only", "One Lakh Five Thousand only", "Seventy Six Thousand only"),
                   k.opt(0.5, "Declaration: We declare that this invoice shows the actual price of the goods described and that all particulars are true and correct."), k.opt(0.4, "Interest @ 18% p.a. will be charged if payment is not made within the due date."), k.opt(0.6, _bank(k)), k.opt(0.5, "for " + k.company() + "\nAuthorised Signatory"), k.opt(0.3, "Company's PAN: AAACX%dK" % k.num(1000, 9999)))


def portal(k):
    """Billing notification of a platform."""
    ref = k.ref("INV-", "B-", "SUB")
    T = ["A new bill is ready in your account.", "Your monthly charges have been calculated.", "Your plan renewed on {date}.", "{company} has sent you a payment request.", "You have one unpaid item.", "A supplier document was received through the e-billing network.", "Your usage for {month} has been billed.", "Billing period closed. Amount to pay below.", "We could not collect automatically, so please pay this bill manually."]
    return k.lines(k.pick("", "[" + k.company() + " Billing]", "Notification", "Billing centre", "e-Invoicing portal"), _f(k, T), k.opt(0.5, "Invoice: " + ref), k.opt(0.7, "Account: " + k.pick(k.company(), k.person())), "Period: " + k.pick(k.month_year(), k.date() + " - " + k.date()),
                   "\n".join("  " + n + "  " + k.money(3, 900) for n in _items(k, 1, 5, k.pick("software", "software", "marketing", "consulting"))), k.opt(0.6, k.pick(TAX) + "  " + k.money(1, 100)), k.pick(TOTLAB) + "  " + k.money(10, 3000), k.pick(DUELAB) + ": " + k.date(), "Status: " + k.pick("OPEN", "Unpaid", "Awaiting payment", "Pending approval", "Not yet paid", "due"),
                   k.pick("[Pay now] [Download PDF]", "Pay at " + k.url(), "Approve | Reject | Forward", "To pay, sign in and choose Billing > Open items.", "View bill", "Payment methods: card, transfer, direct debit."), k.opt(0.4, "Purchase order matched: " + k.ref("PO")), k.opt(0.4, "Do not reply to this message. Questions: " + k.email()))


def ocr_dump(k):
    """Column dump with broken order."""
    its = _items(k, 2, 7)
    cols = [k.pick("DESCRIPTION", "ARTIKEL DESCRIPTION", "PARTICULARS"), *its, k.pick("QTY", "QUANTITY"), *[str(k.num(1, 40)) for _ in its], k.pick("PRICE", "RATE", "UNIT PRICE"), *[k.amount(2, 500) for _ in its], "AMOUNT", *[k.amount(10, 4000) for _ in its]]
    a = k.lines(k.company().upper(), k.street(), k.postcode() + " " + k.city(), k.phone(), k.opt(0.5, k.pick(TAXID) + " " + k.ref("")))
    b = k.lines(k.pick(BILLTO).upper(), k.company(), k.street(), k.city())
    c = k.lines(k.opt(0.5, "INVOICE"), "DATE", "TERMS", k.pick("DUE", "DUE DATE"), k.date(), k.pick("NET 30", "30 DAYS", "14 days net", "on receipt"), k.date())
    d = k.lines(k.pick(SUBLAB).upper(), k.pick(TAX).upper(), k.pick(TOTLAB).upper(), k.amount(50, 4000), k.amount(5, 800), k.money(55, 5000))
    blocks = [a, b, c]
    k.r.shuffle(blocks)
    return k.lines(*blocks, *cols, d, k.opt(0.6, _f(k, TERMS)), k.opt(0.5, _bank(k)), k.opt(0.3, "Page 1 of 1"))


def fee_note(k):
    """Law firm, doctor, architect: long narrative."""
    N = ["To receiving your instructions and considering the papers sent by you.", "Attending you at a meeting on {date} and advising on the terms of the contract.", "Drafting and settling the agreement with {company}, including three rounds of amendments.", "Correspondence with {company} and with the land registry.", "Telephone calls with {person} on {date} and {date}.", "Preparing drawings for the planning application, ground and first floor.", "Site inspection on {date} with the contractor and a written report.", "Reviewing the tender documents and the schedule of quantities.", "Attendance at court in {city}, including travel and waiting time.", "Preparing the annual accounts for the year ended {date} and the tax computation.", "Examination and treatment on {date} and {date}, with medical report for the insurer.", "Perusing the lease and reporting to you on its terms.", "Negotiating the settlement with the insurer of the other party.", "Processing the monthly payslips for {num} employees.", "Research on the limitation period.", "General care and conduct of the matter.", "Copying, postage and courier."]
    ls = k.some(N, 3, 9)
    priced = k.maybe(0.6)
    return k.lines(k.company(), k.pick("Solicitors and Notaries", "Chartered Accountants", "Architects", "Attorneys at Law", "Consulting Engineers", "Dental Practice", "Surveyors", "Veterinary Surgeons", "Patent Attorneys", "Tax Advisers"), k.address(", "), "", k.pick("Private and confidential", ""), k.pick(k.person(), k.company()), k.address(), "", k.date(), k.pick("Our ref: ", "File: ", "Matter: ", "Case no.: ") + k.ref(""),
                   k.opt(0.5, k.pick("FEE NOTE", "INVOICE", "BILL OF COSTS", "Account for professional services", "Memorandum of fees")), "Re: " + k.pick("Sale of ", "Your claim against ", "Extension to ", "Accounts of ", "Dispute with ") + k.pick(k.street(), k.company()), "",
                   *[k.fill(x) + (("   " + k.money(40, 1500)) if priced else "") for x in ls], "", "Our fees: " + k.money(300, 9000), k.opt(0.6, "Disbursements: " + k.money(10, 500)), k.opt(0.7, k.pick(TAX) + ": " + k.money(40, 1800)), k.opt(0.3, "Less received on account: " + k.money(100, 500)), k.pick(TOTLAB) + ": " + k.money(400, 12000), "", *_terms(k, 1, 3), k.opt(0.7, _bank(k)), k.opt(0.3, "With compliments"))


def construction_claim(k):
    """Progress bill / application for payment."""
    its = _items(k, 3, 8, "construction")
    rows = [[n, k.amount(500, 40000), "%d%%" % k.num(5, 100), k.amount(100, 30000)] for n in its]
    return k.lines(k.company(), k.opt(0.5, k.address(", ")), k.pick("Progress invoice no. %d", "Application for payment no. %d", "Interim bill %d", "Progress claim %d", "Stage payment %d", "Valuation no. %d") % k.num(1, 14), "Project: " + k.pick("New warehouse, ", "School extension, ", "Renovation of flat, ", "Road resurfacing, ", "Clinic fit-out, ", "Roof replacement, ", "Residential block, ") + k.street(), "Employer: " + k.company(), "Period to: " + k.date(), k.opt(0.6, "Contract/PO ref: " + k.ref("C", "PO")),
                   k.table(["Work item", "Contract value", "Complete", "Value to date"], rows), "Gross value of work done: " + k.money(9000, 200000), "Less retention " + k.percent(3, 10) + ": " + k.money(500, 9000), "Less previously certified: " + k.money(1000, 80000), "Amount now due: " + k.money(2000, 90000), k.opt(0.7, k.pick(TAX) + ": " + k.money(300, 9000)), k.opt(0.4, "Domestic reverse charge applies."), k.opt(0.5, "Variations agreed in the site meeting of " + k.date() + " are included; see the minutes."), k.para(*_terms(k, 1, 3)), k.opt(0.6, _bank(k)), k.opt(0.5, "Signed for the contractor: " + k.person()))


def school_clinic_hotel(k):
    """Charges to a private person: pupil, patient, guest."""
    f = k.pick("school", "clinic", "hotel")
    who = {"school": ["Pupil", "Student", "Name of child", "Parent/guardian", "Participant"], "clinic": ["Patient", "Name", "Treated", "Patient no."], "hotel": ["Guest", "Booked by", "Room", "Company"]}[f]
    intro = {"school": ["Fees for the {month} term", "Statement of school fees, all amounts to be paid before the first day of term", "We request payment of the following course fees", "Childcare charges for {month}"], "clinic": ["Charges for treatment on {date}", "For medical services we bill you as follows", "Account for hospital stay from {date} to {date}", "Private treatment, not covered by your insurance"], "hotel": ["Your stay from {date} to {date}", "Function on {date}, charges to account", "Folio {ref}, to be settled by your company", "Conference {month}, final charges"]}[f]
    end = {"school": ["Pupils whose fees are unpaid may not be admitted to class.", "Fees may be paid in three instalments by arrangement with the bursar.", "Please write the name of the child on the transfer.", "A late fee of {money} is added after {date}."], "clinic": ["You can submit this bill to your health insurer.", "Please pay at reception or by transfer within 30 days.", "The diagnosis code is on the attached medical report.", "A copy was sent to your insurance for the claim."], "hotel": ["Charged to company account, payment within 14 days.", "We hope you enjoyed your stay; please transfer the balance.", "City tax is not part of the room rate.", "Please settle the outstanding balance by {date}."]}[f]
    return k.lines(k.pick(k.company(), {"school": "St. " + k.first() + " School, " + k.city(), "clinic": k.city() + " Clinic", "hotel": "Hotel " + k.last()}[f]), k.address(", "), k.opt(0.4, k.pick("Invoice", "Fee invoice", "Bill", "Statement of fees")), k.pick(NUMLAB) + " " + k.ref("") + "   " + k.date(), k.pick(who) + ": " + k.person(), k.opt(0.5, k.address(", ")), "", _f(k, intro), k.table([k.pick("Date", "Item no."), "Item", "Amount"], [[k.date(), n, k.amount(5, 2000)] for n in _items(k, 2, 7, f)]), _tot(k), k.para(_f(k, end), k.opt(0.5, _f(k, end)), k.opt(0.5, _f(k, TERMS))), k.opt(0.6, _bank(k)))


def prose(k):
    """Flowing text, no table."""
    S = [["For the {product} which we delivered to you on {date} under your order {ref}, we ask you to pay {money}.", "{company} charges {company} {money} for {service} carried out in {month}.", "We have completed {service} at {street}, {city}, and now bill the agreed price of {money}.", "The total of {money} covers {num} hours of {service} and the material used.", "In {month} our team spent {num} hours on your project; at the agreed rate that comes to {money}.", "The consignment of {product} shipped on {date} has arrived with you in good order, as your signed delivery note shows, so the purchase price of {money} is now due.", "Under clause {num} of our contract the second instalment of {money} falls due on completion, which took place on {date}."],
         ["The price includes {money} value added tax.", "Tax of {money} has been added.", "No tax is charged on this supply.", "To this we add travel of {money}.", "Your deposit of {money} has been taken off.", "The discount we promised {person} has been deducted.", "Freight and packing come to {money} extra.", "Our tax number is {ref}.", "Carriage is included."],
         ["Please pay by {date} into our account.", "The money should reach us within {num} days, quoting {ref}.", "Kindly send the sum to our bank, {bank}.", "We ask for transfer without deduction until {date}.", "Payment is expected on receipt of this note.", "The amount will be collected by direct debit on {date}.", "If we have not received payment by {date} we must charge interest.", "Please send us your cheque."],
         ["The timesheets are attached.", "Should anything be unclear, ring {person}.", "The goods remain ours until then.", "This closes your purchase order {ref}.", "Our earlier quotation {ref} is the basis of the prices.", "We will send the warranty papers after payment.", "A copy goes to your site manager.", "The hours were approved by {person}.", ""]]
    return k.lines(k.opt(0.5, k.pick(NAMES) + " " + k.ref("INV", "")), k.opt(0.5, k.company() + ", " + k.address(", ")), k.opt(0.5, "To " + k.company()), k.opt(0.7, k.date()), k.para(*[_f(k, x) for x in S]), k.opt(0.5, k.para(_f(k, S[1]), _f(k, S[3]))), k.opt(0.5, _bank(k)), k.pick(k.person(), k.company()))


def dotted_form(k):
    its = _items(k, 1, 6)
    dots = lambda a, b: a + " " + "." * k.num(4, 30) + " " + b
    return k.lines(k.pick(k.company(), k.person() + ", " + k.pick("builder", "plumber", "electrician", "joiner", "tailor", "printer", "painter", "locksmith", "florist", "gardener", "blacksmith", "farrier")), k.opt(0.6, k.address(", ")), "", dots("To", k.pick(k.person(), k.company())), dots("Address", k.street()), dots(k.pick("No.", "Book no.", "Invoice no."), str(k.num(1, 9999))), dots("Date", k.date()), "",
                   *[dots(k.pick("To ", "", "For ") + n, k.amount(5, 900)) for n in its], k.opt(0.5, dots("Labour", k.amount(20, 900))), k.opt(0.5, dots("Call-out", k.amount(20, 90))), k.opt(0.6, dots(k.pick(TAX), k.amount(2, 200))), dots(k.pick(TOTLAB), k.money(40, 3000)), "", k.pick("[ ] cash  [ ] cheque  [x] transfer", "Accounts are due for settlement monthly.", "Paid: [ ] yes [x] no", "Not paid", "To be paid within ___14___ days", "Terms: nett monthly"), k.opt(0.4, _bank(k)), k.opt(0.4, "Signature of customer ............"))


def old_fashioned(k):
    its = _items(k, 1, 5)
    return k.lines(k.company(), k.pick("Established 1889", "Purveyors of fine goods", "Wholesale and retail", "By appointment", "General merchants", "Telegrams: " + k.last().upper()), k.address(", "), k.date(), "", k.pick("Messrs. ", "Mrs. ", "To ") + k.pick(k.company(), k.last()), k.pick("Dr. to the above", "Bought of the above", "In account with " + k.company(), "To goods supplied as under"), "",
                   *[k.pick("To ", "") + n + "    " + k.amount(5, 600) for n in its], "    " + "-" * 12, "    " + k.money(50, 3000), "", k.pick("The favour of your cheque will oblige.", "An early remittance will be esteemed.", "Terms: cash one month, less 2 1/2 per cent.", "Accounts rendered monthly. Interest charged on overdue accounts.", "We beg to hand you herewith invoice of goods forwarded this day and trust that they will arrive safely.", "Settlement is respectfully requested at your early convenience.", "Kindly return this account with your remittance."), k.opt(0.4, "E. & O. E."), k.opt(0.4, "Goods forwarded per " + k.pick("rail", "carrier", "own van", "post") + ", as ordered by your letter of " + k.date()))


def credit_memo_like(k):
    """Reminder style with the open bill repeated, still a bill."""
    O = ["This is invoice {ref} once more, as your accounts department asked for a copy.", "Corrected invoice: the purchase order number was missing on the first one.", "Recurring charge, issued automatically every month.", "Self-billing document under our agreement of {date}.", "Consolidated bill for all deliveries in {month}.", "Deposit invoice: {num} % of the order value payable before production starts.", "Final account after completion; the advance payments are deducted.", "Cancellation fee for the booking of {date}, according to our terms.", "Rent charge for machines in {month}.", "Recharge of costs within the group.", "Overdue notice enclosed: the following bill is still open.", "Membership contribution for the year, payable in advance."]
    rows = [[k.date(), k.ref("DN", "L", "T"), n, k.money(20, 2000)] for n in _items(k, 2, 8)]
    return k.lines(k.company() + k.pick(" - Accounts", ", Billing Department", ""), k.pick(BILLTO) + ": " + k.company() + ", " + k.address(", "), k.opt(0.6, "Customer no. " + k.ref("K", "C", "")), k.pick(DATELAB) + " " + k.date(), "", _f(k, O), "", k.table(["Date", k.pick("Delivery note", "Ref", "Ticket", "Order"), "Description", "Amount"], rows), _tot(k, "  "), "", k.para(*_terms(k, 1, 4)), k.para(*_remarks(k, 0, 3)), k.opt(0.6, _bank(k)))


def bilingual(k):
    its = _items(k, 1, 5)
    lab = k.pick(["Rechnung", "Menge", "Betrag", "Summe", "Zahlbar bis"], ["Facture", "Quantite", "Montant", "Total TTC", "A payer avant"], ["Factura", "Cantidad", "Importe", "Total", "Vencimiento"], ["Fattura", "Quantita", "Importo", "Totale", "Scadenza"], ["Factuur", "Aantal", "Bedrag", "Totaal", "Vervaldatum"], ["Faktura", "Ilosc", "Kwota", "Razem", "Termin platnosci"], ["Fatura", "Quantidade", "Valor", "Total", "Vencimento"])
    return k.lines(k.company(), k.address(", "), k.opt(0.6, lab[0] + " / Invoice " + k.ref("")), k.pick("Kunde / Customer: ", "Client: ", "Cliente / Customer: ") + k.company(), k.address(", "), k.date(), k.table(["Item", lab[1] + " / Qty", lab[2] + " / Amount"], [[n, str(k.num(1, 30)), k.amount(10, 3000)] for n in its]), lab[3] + " / Total: " + k.money(50, 9000), lab[4] + " / payable by: " + k.date(), k.para(*_terms(k, 0, 2)), _bank(k))


def long_detailed(k):
    """Several sections: cover, details by section, terms."""
    secs = []
    for i in range(k.num(2, 4)):
        f = k.pick(FIELDS)
        secs.append(k.lines("%s %d: %s" % (k.pick("Section", "Part", "Phase", "Job", "Site", "Cost centre", "Delivery"), i + 1, k.pick(k.street(), k.service(), k.month_year(), k.department())), *["  " + n + "  " + str(k.num(1, 30)) + " x " + k.amount(5, 400) + " = " + k.amount(10, 4000) for n in _items(k, 2, 6, f)], "  " + k.pick("Subtotal", "Sum", "Carried forward") + ": " + k.money(100, 6000), ""))
    return k.lines(k.company(), k.address(), k.email() + "  " + k.phone(), "", k.opt(0.5, k.pick(NAMES) + " " + k.ref("")), k.pick(BILLTO) + " " + k.company(), k.address(), k.pick(DATELAB) + ": " + k.date(), k.pick(DUELAB) + ": " + k.date(), "", _f(k, OPEN), "", *secs, _tot(k), "", k.pick("Notes", "Remarks", "Conditions", "Please note"), *["- " + x for x in _remarks(k, 2, 6)], k.pick("Payment", "How to pay", "Terms of payment"), *["- " + x for x in _terms(k, 2, 6)], _bank(k), _f(k, CLOSE), _f(k, THANKS))


STORY = ["It took a bit longer than planned because the old pipes had to come out first.", "You will see that we did not charge for the second visit.", "Your colleague {person} asked us on the day to do the extra room, so that is added.", "As promised, the travel is free this time.", "The hours are a little above the estimate, as we told you on {date}.", "The parts had to be ordered from {city}.", "We left the spare {product} with your caretaker.", "The first half was paid in {month}; this is the second half.", "Sorry this comes so late, our bookkeeper was ill.", "I know your accountant needs the tax number, it is at the bottom.", "It was fun to play at your party!", "Your team has approved the final version on {date}.", "We have split the costs between the two sites as you wanted.", "The report you asked for was delivered on {date}.", "Two crates were damaged on the way and are not charged.", "You returned {num} pieces, which we have taken off.", "The rate has gone up slightly since {month}, as announced in our letter.", "Rush surcharge applies because the job was done over the weekend.", "The children enjoyed the workshop very much.", "The quotation was {money}; we stayed just below it.", "As your insurance pays for the repair, you can hand this to them with your claim.", "The delivery note with your signature is in the file.", "We worked {num} hours on site and {num} in the office.", "The minutes of the site meeting record that you accepted the extra work."]
ASK = ["So the total to pay is {money}.", "That makes {money} altogether, tax included.", "Please transfer {money} within {num} days.", "Could you send the {money} before {date}?", "The amount we ask for is {money}, payable by {date}.", "In total you owe us {money}.", "Kindly pay {money} to the account given below.", "I would be grateful for payment of {money} by the end of the month.", "The fee due is {money} plus tax.", "Our charge comes to {money}, payable on receipt."]
LEGAL = ["Ownership of the goods passes to the customer only on full payment.", "Complaints about quantity or quality must reach us in writing within eight days of delivery.", "Set-off against counterclaims is not permitted unless they are undisputed.", "Interest on late payments is charged at the statutory rate.", "A fee of {money} is charged for every reminder.", "Place of performance and jurisdiction is {city}.", "Bank charges for foreign transfers are borne by the customer.", "If payment is late we may hold back further deliveries.", "Discounts lapse if the term is not kept.", "The customer's conditions of purchase do not bind us unless accepted in writing.", "Prices are in {currency} and do not include tax unless stated.", "Returned cheques will be charged at {money}.", "Partial deliveries may be billed separately.", "Liability is limited to the value of the order.", "Disputed items do not delay payment of the rest.", "Records of working time are kept for two years.", "We are registered in the commercial register of {city} under number {ref}.", "Payment by instalments needs our written consent.", "The supply was made in {month}, which is the tax point.", "Our staff are not allowed to collect cash."]


def human_mail(k):
    """Chatty message that bills."""
    return k.lines(k.opt(0.3, "Subject: " + _f(k, MAILSUBJ)), k.pick("Hi ", "Dear ", "Hello ", "Good afternoon ") + k.pick(k.first(), k.title_person()) + ",", "", k.para(_f(k, MAILBODY), *[_f(k, x) for x in k.some(STORY, 1, 4)]), k.opt(0.5, k.para(*[n + " " + k.money(10, 900) + k.pick(",", ";", ".") for n in _items(k, 1, 4)])), k.para(_f(k, ASK), k.opt(0.5, _f(k, MAILEND)), k.opt(0.3, _f(k, TERMS))), k.opt(0.5, _bank(k)), k.pick("Thanks,", "Best wishes,", "All the best,", "Many thanks and see you soon,", "Kind regards,"), k.person(), k.opt(0.4, k.pick(k.company(), k.phone())))


def long_letter(k):
    """Bill with cover text and conditions."""
    rows = [[k.date(), n, str(k.num(1, 40)), k.amount(5, 300), k.amount(20, 4000)] for n in _items(k, 4, 12)]
    return k.lines(k.company(), k.address(), k.opt(0.5, k.phone() + ", " + k.email()), "", k.pick(k.person(), k.company()), k.address(), "", k.date(), k.opt(0.5, k.pick(NAMES) + " " + k.ref("")), k.opt(0.5, "Your order " + k.ref("PO") + ", our delivery note " + k.ref("DN")), "", k.pick("Dear Sir or Madam,", "Dear " + k.title_person() + ",", "Dear customer,"), "", k.para(_f(k, OPEN), *[_f(k, x) for x in k.some(STORY, 2, 6)]), "", k.table(["Date", "What", "Qty", "Rate", "Sum"], rows), _tot(k), "", k.para(_f(k, ASK), *_terms(k, 1, 4)), k.para(*_remarks(k, 1, 4)), _bank(k), "", k.opt(0.8, k.pick("General conditions", "Extract from our terms", "Conditions of sale", "Notes")), *["%d. %s" % (i + 1, k.fill(x).replace("{currency}", k.currency())) for i, x in enumerate(k.some(LEGAL, 4, 14))], "", k.pick(BYE), k.person())


def utilities_rent_service(k):
    """Recurring service supplier to a firm: phone, lease of machines, waste, cloud, courier, staff."""
    S = ["Temporary staff, week {num}", "Courier shipments {month}", "Machine rental {month}", "Copier clicks {num}00", "Waste container emptied {num} times", "Water cooler refills", "Advertising space, issue {num}", "Licence fee {month}", "Storage of {num} pallets", "Plant care", "Workwear laundry", "Alarm monitoring", "Interpreter hours", "Vehicle lease {ref}", "Parking spaces {num}", "Trade fair stand, {city}", "Cold storage", "Data line", "Franchise fee", "Commission on sales {month}", "Legal retainer", "Coffee machine service"]
    return k.lines(k.company(), k.opt(0.5, k.pick(NAMES)), k.pick(BILLTO) + ": " + k.company() + ", " + k.city(), k.pick("Contract ", "Customer ", "Agreement ") + k.ref("C"), "Billing period " + k.month_year(), *[k.fill(x) + "  " + k.money(20, 1500) for x in k.some(S, 2, 7)], _tot(k, " "), k.para(_f(k, ASK), *_terms(k, 1, 2), *_remarks(k, 0, 2)), k.opt(0.6, _bank(k)))


# ---- held out ----
def memo_bullets(k):
    """Internal style recharge as bullet memo."""
    return k.lines("TO: " + k.pick("Accounts payable, ", "Finance, ", "Bookkeeping, ") + k.company(), "FROM: " + k.company(), "DATE: " + k.date(), k.opt(0.4, "SUBJECT: Invoice " + k.ref("")), "", _f(k, OPEN), "", *["* " + n + " - " + k.money(20, 3000) for n in _items(k, 2, 6)], "", "* " + k.pick(SUBLAB) + " - " + k.money(100, 5000), "* " + k.pick(TAX) + " - " + k.money(10, 900), "* " + k.pick(TOTLAB) + " - " + k.money(100, 6000), "", *["* " + x for x in _terms(k, 1, 3)], "* " + _bank(k).replace("\n", ", "))


def key_value_block(k):
    """Pipe-separated record with payment slip."""
    its = _items(k, 1, 4)
    kv = [k.pick(DATELAB) + "=" + k.date(), "From=" + k.company(), "To=" + k.company(), "Ref=" + k.ref(""), "For=" + "; ".join(its), k.pick(SUBLAB) + "=" + k.amount(30, 4000), k.pick(TAX) + "=" + k.amount(3, 400), k.pick(TOTLAB) + "=" + k.money(40, 5000), k.pick(DUELAB) + "=" + k.date()]
    return k.lines(k.opt(0.5, "INVOICE"), " | ".join(kv) if k.maybe(0.5) else "\n".join(kv), k.para(*_remarks(k, 0, 2)), "---- " + k.pick("payment slip", "remittance slip", "cut here and return with payment", "tear off") + " ----", "Payee: " + k.company(), "Amount: " + k.money(40, 5000), _bank(k))


LAYOUTS = [
    structured, structured, letter, email, email, note_short, note_short, commercial_export, indian_gst, portal, ocr_dump, fee_note,
    construction_claim, school_clinic_hotel, prose, prose, dotted_form, old_fashioned, credit_memo_like, bilingual, long_detailed, human_mail,
    human_mail, long_letter, utilities_rent_service, memo_bullets, key_value_block]
