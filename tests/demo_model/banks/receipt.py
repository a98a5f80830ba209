"""Receipts: proof that money was paid (till slips, payment confirmations, acknowledgements)."""

ALIASES = ["receipt", "Receipt", "receipts", "RECEIPT", "sales_receipt", "Sales Receipt", "till_receipt", "Till Receipt", "till slip", "cash_receipt", "Cash Receipt",
           "payment_receipt", "Payment Receipt", "proof_of_payment", "Proof of Payment", "payment_confirmation", "Payment Confirmation", "purchase_receipt", "Proof of purchase",
           "expense_receipt", "Expense Receipt", "card slip", "acknowledgement_of_payment", "Official Receipt", "store_receipt", "Kassenbon", "Donation Receipt"]
DESCRIPTIONS = ["proof that a payment was made", "confirms money has been received for goods or services", "shop till slip with items, total and how it was paid", "acknowledgement of a payment already made", "slip from a shop, restaurant, taxi or petrol station",
                "shows what was bought and paid, with card or cash", "receipts for expense claims", "a seller confirms having got the money", "proof of purchase given to the customer after paying", "paid in full: card slips, donation and rent receipts", "payment confirmation with date, amount and method"]

SHOPS = {
    "grocery": ["MILK 2L", "Wholemeal bread", "Bananas loose", "EGGS FREE RANGE X12", "Cheddar 400g", "Tomatoes 500g", "Chicken breast", "PASTA 500G", "Olive oil", "Orange juice", "YOGHURT 4PK", "Butter unsalted", "Rice 1kg", "Dish soap", "Toilet roll 9pk", "BAG CHARGE", "Apples Gala", "Coffee ground", "Sparkling water", "Onions", "Dog food", "CHOC BAR", "Lettuce", "Frozen peas", "Deposit bottle 0.25", "Avocado", "Minced beef", "Bin bags"],
    "restaurant": ["1 Espresso", "2 Flat white", "Margherita", "Caesar salad", "House red 175ml", "Fish & chips", "Burger + fries", "Sparkling water 0.5", "Tiramisu", "Tap beer 0.4", "Chicken tikka masala", "Garlic naan", "Pad thai", "Soup of the day", "Kids menu", "Service charge 12.5%", "Tip", "Cappuccino", "Masala dosa", "Set lunch", "Cola zero", "Cheesecake", "Corkage", "Eat in"],
    "fuel": ["UNLEADED 95  38.21 L", "DIESEL  45.02 L", "Pump 4", "Premium unleaded", "AdBlue 10L", "Car wash gold", "Screenwash", "Coffee to go", "Sandwich", "EV charging 31.4 kWh", "Engine oil 1L", "LPG 22.1 L", "Air and water", "Gas 11.3 gal"],
    "hardware": ["Wood screws 4x40", "PAINT WHITE MATT 5L", "Paint roller", "LED bulb E27", "Silicone sealant", "Drill bit set", "Sandpaper", "Extension lead", "Door hinge", "Plasterboard", "Cement 25kg", "Garden hose", "Padlock", "Masking tape", "Plywood sheet", "Cable ties"],
    "pharmacy": ["Ibuprofen 200mg", "Paracetamol 16s", "Prescription charge", "Plasters", "Cough syrup", "Vitamin D", "Sun cream SPF50", "Toothpaste", "Hand sanitiser", "Thermometer", "Eye drops", "Antihistamine", "Nasal spray", "Co-pay", "Nappies size 4"],
    "clothing": ["MENS SHIRT BLU M", "Ladies jeans 12", "Socks 3pk", "Trainers size 42", "Wool coat", "Summer dress", "Belt", "Scarf", "Kids T-shirt", "Handbag", "Jacket -30%", "Gift card sold", "Alteration", "Hat"],
    "transport": ["Taxi fare", "Single ticket zone 1-2", "Day return", "Airport transfer", "Parking 2h 15m", "Toll class 1", "Ride 8.4 km", "Bus day ticket", "Waiting time", "Luggage", "Seat reservation", "Ferry foot passenger", "Bike rental 3h", "Booking fee", "Monthly pass"],
    "service": ["Haircut ladies", "Dry cleaning 2 suits", "Shoe repair", "Key cutting", "Passport photos", "Manicure", "Dog grooming", "Phone screen repair", "Locker hire", "Swimming adult", "Cinema ticket x2", "Museum entry", "Copies b/w 40", "Car wash", "Watch battery", "Massage 60 min", "Library fine", "Postage tracked", "Stamps", "Gym day pass", "Photocopying"],
    "electronics": ["USB-C cable", "Wireless mouse", "SD card 128GB", "Headphones", "Laptop 15in", "Printer ink black", "Phone case", "HDMI 2m", "Keyboard", "Extended warranty", "Monitor 24", "Charger 65W", "Router"],
    "book": ["Paperback novel", "Notebook A5", "Gel pens", "Greeting card", "Magazine", "Wrapping paper", "Children's book", "Calendar", "Map", "Envelopes C5", "Printer paper", "Glue stick"],
}
KINDS = list(SHOPS)
PURPOSES = ["rent for {month}", "the deposit on the flat at {street}", "school fees, second term", "the used car, registration {ref}", "invoice {ref}", "the wedding photographs", "membership for the year", "the bicycle", "donation to the roof fund", "the raffle and the cake stall", "repair of the washing machine", "the piano", "tuition", "a second-hand sofa", "hall hire on {date}", "court fee", "parking fine {ref}", "building permit fee", "birth certificate, two copies", "the first instalment", "legal fees", "consultation on {date}", "dental treatment", "exam fee", "the stall at the Christmas market", "fishing licence", "hay and straw", "firewood, 3 cubic metres", "two lambs", "catering deposit", "driving lessons", "church hall donation", "the outstanding balance of your account", "{product}", "{service}", "purchase order {ref}", "market stall fees", "vehicle tax", "nursery fees", "a room for three nights", "marriage licence", "club subscription", "the insurance excess", "the rental deposit, refundable", "the trip to {city}"]
METHODS = ["cash", "card", "VISA ****1234", "Mastercard contactless", "bank transfer", "cheque no. 000482", "mobile payment", "M-Pesa", "PayID", "UPI", "EC card", "debit card", "money order", "gift card", "direct debit", "Apple Pay", "check #1043", "EFTPOS", "American Express", "in cash, counted"]
TAX = ["VAT", "VAT 20%", "GST", "GST incl.", "Sales tax", "TAX 8.25%", "MwSt 19%", "TVA 10%", "IVA 21%", "CGST 2.5%", "HST", "moms", "VAT @ 7.5%", "MwSt A 7%"]
NAMES = ["RECEIPT", "Receipt", "OFFICIAL RECEIPT", "SALES RECEIPT", "CASH RECEIPT", "Payment receipt", "CUSTOMER COPY", "Kassenbon / Receipt", "TAX RECEIPT", "Cash sale", "VAT RECEIPT", "Proof of payment", "Quittung / Receipt", "Recu / Receipt"]
THANKS = ["Thank you for shopping with us", "THANK YOU - PLEASE COME AGAIN", "Thank you for your visit!", "Have a nice day", "Please keep for your records", "Please retain this slip as proof of purchase", "Refunds within 28 days with this slip", "No refunds without proof of purchase", "Exchange within 14 days", "You were served by {first}", "Tell us how we did at {url}", "Follow us online", "You saved {money} today", "Points earned: {num}", "Loyalty card balance {num} points", "Goods sold are not returnable", "Hope to see you again", "Merry Christmas to all our customers", "Thanks, drive safely!", "Win a voucher: take our survey", "Open daily 8 - 22", "Sale items cannot be exchanged", "See you soon"]


def _f(k, t):
    if not isinstance(t, str):
        t = k.pick(t)
    t = t.replace("{first}", k.first()).replace("{url}", k.url())
    return k.fill(t)


def _pur(k):
    return _f(k, PURPOSES)


def _its(k, lo, hi, kind=None):
    return k.some(SHOPS[kind or k.pick(KINDS)], lo, hi)


def _pay(k):
    tot = k.amount(4, 200)
    return k.pick(
        lambda: k.lines("CASH " + k.amount(20, 200), "CHANGE " + k.amount(0, 20)),
        lambda: k.lines("VISA DEBIT " + tot, "CARD NO ************%04d" % k.num(0, 9999), "AUTH CODE %06d" % k.num(0, 999999), k.pick("CONTACTLESS", "CHIP & PIN VERIFIED", "APPROVED", "PIN VERIFIED")),
        lambda: k.lines("Tendered: " + k.amount(20, 200), "Change due: " + k.amount(0, 20)),
        lambda: "Paid by " + k.pick(METHODS),
        lambda: k.lines("Mastercard XXXX XXXX XXXX %04d" % k.num(0, 9999), "Merchant ID %d  Terminal %d" % (k.num(10**6, 10**8), k.num(1000, 99999)), "TRANSACTION APPROVED"),
        lambda: k.lines("EFTPOS " + tot, "SAVINGS APPROVED 00", "RRN %d" % k.num(10**8, 10**10)),
        lambda: k.lines("Gegeben / given " + k.amount(20, 100), "Zurueck / change " + k.amount(0, 20)),
        lambda: "UPI Ref %d success" % k.num(10**10, 10**11),
        lambda: "Payment: " + k.pick(METHODS) + "  balance 0.00",
    )()


def till(k):
    """Shop till slip."""
    its = _its(k, 1, 16)
    w = k.num(18, 30)
    sym = k.maybe(0.3)
    ln = [("%d x " % k.num(2, 5) if k.maybe(0.12) else "") + (n.upper() if k.maybe(0.4) else n).ljust(w) + (k.money(1, 60) if sym else k.amount(1, 60)) + k.pick("", "", " A", " *", " B", " T") for n in its]
    return k.lines(k.pick(k.company(), k.company().upper(), k.last() + k.pick("'s", " Market", " Store", " & Sons", " Supermarket", " Pharmacy", " Cafe", " Bistro", " Hardware", " Books", " Kiosk")), k.opt(0.7, k.street()), k.opt(0.7, k.city()), k.opt(0.5, "Tel " + k.phone()), k.opt(0.4, k.pick("VAT No ", "ABN ", "GSTIN ", "Tax ID ", "TIN ", "St.Nr. ") + k.ref("")), k.opt(0.4, k.pick(NAMES)),
                   k.opt(0.8, k.date() + "  " + k.time()), k.opt(0.5, k.pick("Till %d", "Reg %d", "Kasse %d", "Terminal %d", "Lane %d", "POS %d") % k.num(1, 30) + "  " + k.pick("Cashier: ", "Op: ", "Served by ", "Clerk ") + k.pick(k.first(), str(k.num(1, 99)))), k.opt(0.3, "Trans " + k.ref("")), k.pick("", "-" * 24, "=" * 24),
                   *ln, k.opt(0.4, "Subtotal " + k.amount(5, 200)), k.opt(0.15, "Member discount -" + k.amount(1, 9)), k.opt(0.5, k.pick(TAX) + " " + k.amount(1, 30)), k.pick("TOTAL", "Total", "TOTAL DUE", "BALANCE DUE", "SUMME EUR", "AMOUNT", "Total to pay", "%d ITEMS TOTAL" % len(its)) + " " + k.money(4, 300), _pay(k), k.opt(0.3, "ITEMS SOLD %d" % len(its)), *[_f(k, x) for x in k.some(THANKS, 0, 3)])


RECD = ["Received with thanks from {person} the sum of {money} for {pur}.", "Received from {company} {money}, being payment for {pur}.", "I hereby confirm that I received {money} from {person} for {pur}.", "This is to certify that {person} has paid {money} towards {pur}.", "We acknowledge receipt of {money} in respect of {pur}.", "{person} paid {money} today for {pur}.", "Got {money} from {person} for {pur}.", "Payment of {money} received on {date} for {pur}. Nothing further is owed.", "Received the sum of {money}, in full and final settlement of {pur}.", "With thanks we confirm that your payment of {money} for {pur} has reached us.", "The undersigned declares having received from {person} the amount of {money} as payment of {pur}.", "Paid to me by {person}: {money} for {pur}."]
FULL = ["Paid in full.", "Balance: nil.", "The remaining balance of {money} is payable by {date}.", "No further amount is due.", "Your account is now clear.", "Part payment; balance {money}.", "This receipt is valid subject to clearance of the cheque.", "The deposit is refundable when the keys are returned.", "The invoice is thereby settled.", "Please keep this for your tax return.", "Sold as seen, no warranty.", "The goods were handed over at the same time.", "Not transferable.", "Only valid with stamp and signature."]


def ack(k):
    """Written acknowledgement, formal or informal."""
    t = _f(k, k.pick(RECD).replace("{pur}", _pur(k)))
    return k.lines(k.opt(0.45, k.pick(NAMES)), k.opt(0.4, "No. " + k.ref("R", "")), k.opt(0.5, k.pick(k.company(), k.person()) + ", " + k.address(", ")), k.opt(0.7, k.pick("", "Date: ", k.city() + ", ") + k.date()), t, k.opt(0.5, "Paid by " + k.pick(METHODS) + "."), k.opt(0.6, _f(k, FULL)), k.opt(0.3, _f(k, FULL)), k.pick("Signed: ", "Signature: ", "", "For the " + k.pick("landlord", "seller", "treasurer", "parish", "club", "cashier") + ": ") + k.person(), k.opt(0.2, "Witness: " + k.person()))


def book_form(k):
    """Receipt book with dotted lines."""
    dots = lambda a, b: a + " " + "." * k.num(3, 20) + " " + b + " " + "." * k.num(0, 8)
    return k.lines(k.opt(0.55, k.pick(NAMES)), dots("No.", str(k.num(1, 9999))), dots("Date", k.date()), dots(k.pick("Received from", "Received with thanks from", "From M/s", "Payer", "Name"), k.pick(k.person(), k.company())), k.opt(0.4, dots("Address", k.address(", "))), dots(k.pick("the sum of", "Amount in words", "Rupees", "Sum of"), k.pick("Two hundred and fifty only", "one hundred twenty", "Five thousand only", "Eighty-five and 50/100", "Three hundred seventy-five", "One thousand two hundred only", "forty")), dots(k.pick("being", "on account of", "For", "Purpose", "in payment of", "towards"), _pur(k)),
                   k.pick("[x] cash  [ ] cheque  [ ] card", "[ ] Cash [x] Cheque No. %d [ ] Transfer" % k.num(1000, 99999), "Cash / cheque / DD: " + k.pick(METHODS), "Mode of payment: " + k.pick(METHODS)), k.opt(0.7, "Amount: " + k.money(10, 3000)), k.opt(0.4, dots("Balance", k.pick("nil", k.amount(10, 500), "0.00"))), dots(k.pick("Received by", "Signature", "Cashier", "Treasurer", "Authorised signatory"), k.person()), k.opt(0.3, "Stamp"))


SUBJ = ["Your receipt from {company}", "Payment received - thank you", "Receipt for your payment", "We received your payment of {money}", "Order {ref} paid", "Thanks for your purchase", "Your ride on {date}", "Payment confirmation {ref}", "Your e-receipt", "You paid {money} to {company}", "Thank you for your donation", "Your booking is paid"]
EBODY = ["we have received your payment of {money}. Thank you!", "your payment to {company} went through.", "thank you for your purchase. Your card has been charged {money}.", "this confirms that invoice {ref} has been paid in full on {date}.", "thanks for riding with us. Your fare was {money}.", "your subscription payment was successful.", "thank you for your generous gift of {money}, which we received on {date}.", "your transfer has arrived and your account is now settled.", "here is your receipt for {product}.", "we charged {money} to the card you have on file.", "your ticket is paid and attached.", "your deposit of {money} for the booking on {date} has been received with thanks.", "the fee for {service} has been paid and recorded."]


def email(k):
    hdr = k.lines("From: " + k.pick(k.company() + " <" + k.email() + ">", k.email()), "To: " + k.email(), k.opt(0.5, "Date: " + k.date()), "Subject: " + _f(k, SUBJ))
    return k.lines(k.opt(0.6, hdr), k.pick("Hi ", "Hello ", "Dear ") + k.pick(k.first(), k.title_person(), "customer", "friend") + ",", _f(k, EBODY), k.opt(0.5, k.lines(*[n + "  " + k.money(2, 90) for n in _its(k, 1, 4)])), k.pick("Total paid: ", "Amount paid: ", "Amount charged: ", "Paid: ", "Total: ") + k.money(3, 900), k.opt(0.7, "Payment method: " + k.pick(METHODS)), k.opt(0.6, "Transaction ID: " + k.ref("TX", "ch_")), k.opt(0.5, "Date paid: " + k.date()), k.opt(0.3, k.pick(TAX) + ": " + k.money(1, 50)),
                   k.opt(0.6, _f(k, ["You do not need to do anything.", "No further payment is required.", "Keep this e-mail for your records.", "You can use it for your expense report.", "Your goods will be shipped within two days; a shipping notice follows.", "This is not a bill.", "Questions about this charge? Write to {email}.", "For tax purposes: no goods or services were provided in exchange for this contribution.", "If you did not make this payment, contact us at once.", "The next payment will be taken on {date}.", "A refund takes 5 working days."])), k.pick("Thank you,", "Thanks,", "Kind regards,", "The team at"), k.pick(k.company(), k.person()))


def card_slip(k):
    return k.lines(k.company().upper() if k.maybe(0.6) else k.company(), k.opt(0.6, k.city().upper()), k.opt(0.5, "TERMINAL ID %d" % k.num(10**6, 10**8)), k.opt(0.5, "MERCHANT %d" % k.num(10**6, 10**10)), k.pick("SALE", "PURCHASE", "PAYMENT", "Kauf / SALE", "VENTE / SALE", "SALE - COMPLETION"), k.pick("VISA CREDIT", "MASTERCARD", "DEBIT MASTERCARD", "AMEX", "MAESTRO", "GIROCARD", "RUPAY", "VISA DEBIT"), "%s%04d" % (k.pick("************", "XXXX-XXXX-XXXX-", "**** **** **** "), k.num(0, 9999)), k.opt(0.4, "AID A000000003%d" % k.num(1010, 9999)), k.opt(0.4, "EXP **/**"), k.pick("AMOUNT ", "TOTAL ", "SALE AMOUNT ") + k.money(3, 400), k.opt(0.25, "TIP ________"), k.date() + " " + k.time(), k.pick("APPROVED", "AUTHORISED", "TRANSACTION APPROVED", "Zahlung erfolgt - paid", "PIN VERIFIED", "NO SIGNATURE REQUIRED", "CONTACTLESS"), "AUTH CODE %06d" % k.num(0, 999999), k.opt(0.5, k.pick("CUSTOMER COPY", "MERCHANT COPY", "CARDHOLDER COPY")), k.opt(0.4, "PLEASE RETAIN RECEIPT"), k.opt(0.4, "PLEASE DEBIT MY ACCOUNT"), k.opt(0.4, "THANK YOU"))


def restaurant(k):
    its = _its(k, 2, 10, "restaurant")
    return k.lines(k.pick("Cafe ", "Ristorante ", "The ", "Bistro ", "Pub ", "Curry House ", "Trattoria ", "Gasthaus ", "Diner ") + k.last(), k.opt(0.6, k.address(", ")), k.opt(0.5, "Guest check / receipt"), k.pick("Table %d", "Tisch %d", "TABLE %d", "Tab %d") % k.num(1, 40) + "   " + k.pick("Covers %d", "Guests %d", "Pax %d") % k.num(1, 9), k.opt(0.5, "Server: " + k.first()), k.date() + " " + k.time(), *["%d %s  %s" % (k.num(1, 4), n, k.amount(2, 40)) for n in its], k.opt(0.5, "Food " + k.amount(10, 90) + "  Drinks " + k.amount(5, 50)), k.opt(0.6, k.pick(TAX) + " " + k.amount(1, 20)), k.pick("Total ", "TOTAL ", "Amount ") + k.money(10, 250), k.opt(0.5, k.pick("Tip ", "Gratuity ", "Service ") + k.amount(1, 20)), _pay(k), k.opt(0.5, k.pick("PAID", "Bezahlt - paid with thanks", "Table closed", "Thank you, come back soon", "Service not included", "Grazie e arrivederci")), k.opt(0.2, "Business meal: persons entertained ............ reason ............"))


def fuel_park(k):
    kind = k.pick("fuel", "transport")
    return k.lines(k.pick(k.company(), k.city() + k.pick(" Service Station", " Parking", " Taxi", " Metro", " Car Park", " Toll Plaza", " Railways", " Filling Station")), k.opt(0.6, k.street()), k.date() + " " + k.time(), k.opt(0.4, k.pick(NAMES)), *_its(k, 1, 4, kind), k.pick(lambda: "Price/l " + k.amount(1, 2), lambda: "Entry %s  Exit %s" % (k.time(), k.time()), lambda: "From %s to %s" % (k.street(), k.city()), lambda: "Driver: %s  Cab no. %d" % (k.first(), k.num(1, 900)), lambda: "Vehicle " + k.ref("AB"), lambda: "Distance %d km" % k.num(2, 90), lambda: "Odometer %d" % k.num(1000, 200000), lambda: "")(), k.pick("Total ", "FARE ", "PAID ", "Amount paid ", "TOTAL ") + k.money(2, 120), k.opt(0.6, "incl. " + k.pick(TAX) + " " + k.amount(1, 20)), _pay(k), k.opt(0.5, k.pick("Display on dashboard", "Valid only on day of issue", "Have a safe journey", "Thank you for travelling with us", "Not valid for travel", "Keep for inspection", "Safe travels", "Loyalty points added")))


def donation(k):
    T = ["Thank you for your donation of {money} to {company}, received on {date}.", "On behalf of the children of {city} we thank you for your gift of {money}.", "We gratefully acknowledge your contribution of {money} made by bank transfer on {date}.", "Your support of {money} has arrived safely and will go to the {month} appeal.", "{company} confirms receipt of a donation in the amount of {money} from {person}."]
    L = ["No goods or services were provided in exchange for this gift.", "We are a registered charity, number {ref}.", "Eligible for tax deduction; please keep for your tax return.", "Gift Aid: if you are a UK taxpayer we can claim an extra 25p for every pound.", "Deductible under section 80G; PAN {ref}.", "Issued under the income tax act, official receipt for income tax purposes.", "Donations of two dollars or more are tax deductible.", "It is confirmed that the gift is used only for charitable purposes.", "The value of goods in kind is stated by the donor."]
    return k.lines(k.pick(k.company(), k.city() + k.pick(" Animal Shelter", " Hospice Fund", " Food Bank", " Parish", " Rescue Team", " Choir", " Temple Trust", " Children's Home", " Museum Friends")), k.opt(0.6, k.address(", ")), k.opt(0.5, k.pick("DONATION RECEIPT", "OFFICIAL RECEIPT", "Gift acknowledgement")), k.opt(0.5, "No. " + k.ref("D")), k.date(), k.opt(0.6, "Dear " + k.title_person() + ","), k.para(_f(k, T), k.opt(0.5, _f(k, ["Because of you we could feed {num} families.", "The roof repairs can now begin.", "It will buy books, medicine and blankets.", "Every penny counts."]))), *[_f(k, x) for x in k.some(L, 1, 3)], k.opt(0.6, "Donor: " + k.person()), k.opt(0.5, "Form of gift: " + k.pick(METHODS)), k.pick("Treasurer", "Chairperson", "With gratitude", "Hon. Secretary", "Signed"), k.person())


def rent(k):
    m = k.money(300, 2500)
    return k.lines(k.opt(0.5, k.pick("RENT RECEIPT", "Rent receipt", "Receipt for rent")), k.opt(0.7, "Date: " + k.date()), k.pick("Received from tenant ", "Tenant: ", "Paid by: ") + k.person(), k.pick("Premises: ", "For the property at ", "Flat: ", "Address of rented unit: ") + k.address(", "), "Period: " + k.pick(k.month_year(), k.date() + " to " + k.date()), k.pick("Amount received: ", "Rent paid: ", "Sum: ") + m, k.opt(0.5, "of which service charges " + k.money(20, 200)), "Paid " + k.pick("in ", "by ", "via ") + k.pick(METHODS), k.opt(0.5, k.pick("Rent is paid up to " + k.date() + ".", "Arrears: none.", "Balance outstanding: 0.", "This does not affect any earlier arrears.", "As agreed in the lease.")), k.opt(0.3, "Revenue stamp affixed"), k.pick("Landlord: ", "Signed by landlord ", "Received by (agent): ") + k.person(), k.opt(0.3, "PAN of landlord: " + k.ref("ABC")))


def government(k):
    F = ["passport application", "building permit", "vehicle registration", "driving licence renewal", "land registry extract", "dog licence", "visa fee", "business licence", "court filing fee", "property tax instalment", "parking fine", "birth certificate", "market permit", "water connection fee", "import duty", "trade mark application", "resident parking permit", "cemetery fee"]
    return k.lines(k.pick("Municipality of ", "City of ", "County Clerk, ", "District Court ", "Treasury Office, ", "Registry Office ", "Town Council of ") + k.city(), k.pick("Cashier's office", "Revenue counter", "Collections", "Payments", ""), k.opt(0.5, k.pick("OFFICIAL RECEIPT", "Receipt of payment", "e-Receipt", "TREASURY RECEIPT")), k.pick("Receipt no.: ", "Challan: ", "Transaction: ", "Serial: ", "Counter no.: ") + k.ref(""), "Date/time: " + k.date() + " " + k.time(), k.pick("Payer: ", "Paid by: ", "Depositor: ", "Applicant: ") + k.person(), k.table(["Fee", "Amount"], [[x, k.amount(5, 400)] for x in k.some(F, 1, 3)]), "Total paid: " + k.money(10, 800), "Mode: " + k.pick(METHODS), k.opt(0.6, k.pick("Payment status: SUCCESS", "Status: paid", "PAID - stamp of cashier", "Collected by officer " + k.last(), "This receipt does not constitute the permit itself.", "Fees are not refundable.", "Keep until the document has been collected.")))


def portal(k):
    T = ["Payment successful", "Payment complete", "Thank you! Your payment was received.", "Transaction successful", "Paid", "Bill paid successfully", "Recharge successful", "Your money was sent and received", "Order paid", "Payment accepted", "Top-up done"]
    return k.lines(k.pick(T), k.opt(0.7, k.pick("You paid ", "Amount: ", "Amount paid: ") + k.money(2, 900)), k.pick("To: ", "Paid to: ", "Merchant: ", "Payee: ") + k.company(), k.opt(0.6, k.pick("From: ", "Paid from: ", "Payer: ") + k.pick(k.person(), k.bank() + " ****%d" % k.num(1000, 9999))), k.opt(0.8, k.pick("Date: ", "Paid on: ", "When: ") + k.date() + ", " + k.time()), k.pick("Reference: ", "Transaction ID: ", "Confirmation number: ", "Order: ", "UTR: ", "M-Pesa code: ") + k.ref("", "TX"), k.opt(0.6, k.pick("For: ", "Description: ", "Note: ") + _pur(k)), k.opt(0.5, "Method: " + k.pick(METHODS)), k.opt(0.4, k.pick("Fee: 0.00", "Processing fee: " + k.money(0, 3), "Cashback: " + k.money(0, 5))), k.opt(0.5, k.pick("[Download receipt] [Print]", "[Share] [Done]", "A receipt was e-mailed to " + k.email(), "Back to shop", "Save this screen as proof of payment.", "Invoice status: settled")))


def sms(k):
    T = ["{ref} Confirmed. {money} paid to {company} on {date}. Thank you.", "Thanks {first}! We got your {money} for {pur}. All paid up.", "{company}: payment of {money} received, ref {ref}. Keep this message as your receipt.", "Dear customer, we have received {money} towards your account {ref}. Thank you for paying.", "Got your transfer of {money} today, thanks. That settles {pur}.", "Paid {money} at {company} {date}. Card ending {num}. No action needed.", "Your parking session is paid: {money}, until 16:40, zone {num}.", "Hi, money has arrived ({money}), all good, you are paid up. {person}", "Receipt: {money} cash from {person} for {pur}, {date}.", "Fare {money} charged to your card. Thanks for riding, {first}.", "Fee for {pur} paid, {money}, counter {num}. {date}", "Confirmed: cash {money} handed over for {pur}. Signed {person}, {date}."]
    return _f(k, k.pick(T).replace("{pur}", _pur(k)))


def letter(k):
    P = ["We thank you for your remittance of {money}, which was credited to our account on {date}.", "We are pleased to confirm that we have received your payment of {money} against our invoice {ref}.", "Your cheque no. {num} in the amount of {money} reached us safely this morning.", "We herewith acknowledge the receipt of the sum of {money} paid at our office by {person}.", "This letter serves as official confirmation that all fees for {month} have been paid."]
    Q = ["Your account now shows a nil balance.", "The invoice in question is thereby fully settled.", "An amount of {money} remains open and falls due on {date}.", "The overpayment of {money} will be refunded.", "We have applied it to the oldest items first.", "Please keep this letter with your records; a separate receipt will not be issued.", "Your purchase order {ref} has been released for dispatch now that payment is in.", "The deposit will be returned at the end of the lease.", "We have marked your claim for the late fee as withdrawn."]
    return k.lines(k.company(), k.address(", "), k.date(), "", k.person(), k.address(), "", k.opt(0.5, k.pick("Receipt of payment", "Re: your payment", "Acknowledgement of payment", "Confirmation of payment", "Re: invoice " + k.ref(""))), "Dear " + k.title_person() + ",", "", k.para(_f(k, P), *[_f(k, x) for x in k.some(Q, 1, 3)]), "", k.pick("We thank you for your prompt payment.", "Thank you for your custom.", "With many thanks.", "We value your business."), "", k.pick("Yours sincerely,", "Yours faithfully,", "Kind regards,"), k.person(), k.opt(0.5, k.pick("Cashier", "Accounts", "Bursar", "Treasurer", "Bookkeeper")))


def hotel(k):
    its = k.some(["Room %d night %s" % (k.num(1, 9), k.date()), "Breakfast", "City tax", "Minibar", "Parking", "Room service", "Laundry", "Restaurant", "Telephone", "Spa", "Late checkout", "Bar"], 2, 7)
    return k.lines(k.pick("Hotel ", "Pension ", "Lodge ", "Hostel ", "Inn ", "Guesthouse ") + k.last() + ", " + k.city(), k.opt(0.5, k.pick("Receipt", "Folio / receipt", "Guest folio - paid")), "Guest: " + k.person() + "  Room " + str(k.num(100, 900)), "Arrival " + k.date() + "  Departure " + k.date(), *[n + "   " + k.amount(2, 300) for n in its], "Total charges " + k.money(60, 1500), "Payment received " + k.pick(METHODS) + " -" + k.amount(60, 1500), "Balance 0.00", k.opt(0.5, k.pick(TAX) + " included " + k.amount(5, 90)), k.opt(0.6, _f(k, ["Thank you for staying with us.", "We hope to welcome you again.", "Safe journey home!", "Settled at the front desk by {person}."])))


def clinic(k):
    its = k.some(["Consultation", "Follow-up visit", "Dental cleaning", "X-ray", "Vaccination", "Blood test", "Physiotherapy", "Prescription", "Eye examination", "Filling", "Co-payment", "Medical certificate", "Vet check-up, dog", "Worming tablets"], 1, 4)
    return k.lines(k.pick(k.title_person(), k.city() + " Medical Centre", k.last() + " Dental", k.city() + " Vets", k.company()), k.opt(0.5, k.address(", ")), k.opt(0.45, k.pick("Receipt", "Fee receipt", "RECEIPT FOR PAYMENT")), "Patient: " + k.person(), "Date of service: " + k.date(), *[n + ": " + k.money(5, 300) for n in its], "Total: " + k.money(20, 600), k.pick("Paid today: ", "Amount paid: ", "Patient paid: ") + k.money(20, 600) + " (" + k.pick(METHODS) + ")", "Outstanding: " + k.pick("nil", "0.00", "none"), k.opt(0.6, _f(k, ["Can be submitted with your insurance claim.", "Attach to your insurer's claim form with the medical report.", "Thank you and get well soon.", "Provider no. {ref}", "Next appointment {date}.", "Item codes are printed overleaf.", "Payment was taken at reception by {person}."])), k.opt(0.4, "Stamp and signature"))


def ocr_dump(k):
    its = _its(k, 3, 12)
    return k.lines(k.company().upper(), k.street().upper(), k.date() + k.time(), *[n.upper() for n in its], *[k.amount(1, 60) for n in its], k.pick("TOTAL", "SUBTOTAL TAX TOTAL", "SUM"), k.pick("CASH CHANGE", "CARD", "VISA", "DEBIT TEND", "EFT"), k.amount(5, 200), k.amount(5, 200), k.amount(0, 20), "ITEMS %d" % len(its), k.opt(0.5, "CASHIER " + k.first().upper()), k.opt(0.3, "RECEIPT"), k.opt(0.7, k.pick("THANK YOU", "PLEASE KEEP THIS SLIP", "RETURNS 30 DAYS", "HAVE A NICE DAY", "CALL AGAIN")))


def online_order(k):
    its = _its(k, 1, 5)
    return k.lines(k.pick("Order summary", "Purchase details", "Receipt", "Thanks for your order", "Your order has been paid", "Purchase history"), "Order no. " + k.ref("", "W"), "Placed " + k.date() + k.pick("", ", paid " + k.date()), k.table(["Item", "Qty", "Price"], [[n, str(k.num(1, 4)), k.money(2, 200)] for n in its]), k.opt(0.6, "Shipping " + k.pick("free", k.money(2, 12))), k.opt(0.4, "Voucher -" + k.money(1, 20)), k.opt(0.5, k.pick(TAX) + " " + k.money(1, 30)), k.pick("Total charged ", "Order total (paid) ", "Grand total ") + k.money(10, 500), "Charged to " + k.pick(METHODS), k.opt(0.5, "Billing address: " + k.person() + ", " + k.address(", ")), k.opt(0.5, _f(k, ["Your payment has been processed. The items will ship shortly.", "Digital goods: your licence key was sent separately.", "Returns are possible within 30 days with this confirmation.", "An invoice with tax details can be requested from the shop.", "We never store your full card number."])))


def bullets_expense(k):
    """Expense report note with paid items."""
    return k.lines(k.pick("Paid on site, please keep:", "Petty cash voucher", "Cash voucher", "Money received today", "Paid out of petty cash", "Cash book slip"), "No. " + k.ref("PC", ""), k.date(), *[k.pick("- ", "* ", "") + n + " " + k.money(1, 90) for n in _its(k, 1, 5)], "Total paid " + k.money(5, 300) + " in " + k.pick("cash", "cash, no change", "coins and notes", "cash from petty cash"), k.pick("Paid to: ", "Received by: ", "Recipient: ") + k.pick(k.person(), k.company()), k.opt(0.6, "Purpose: " + _pur(k)), k.opt(0.5, "Approved: " + k.person()), k.opt(0.5, "Signature of recipient: " + k.person()), k.opt(0.3, "Original slip stapled behind."))


def long_statement(k):
    """Long receipt of a sale contract of second-hand goods / treasurer's record."""
    A = ["The seller, {person}, of {street}, {city}, confirms that the buyer, {person}, has paid the purchase price of {money} in full today.", "On {date} {person} came to our office and paid {money} at the counter.", "The treasurer of the club confirms having received the annual contribution of {money} from {person}.", "We, {company}, confirm that the amount of {money} owed under invoice {ref} was paid on {date}.", "The tenant has paid the deposit of {money} on the day of signing the lease, in cash, before two witnesses."]
    B = ["The money was counted in the presence of both and found correct.", "The banknotes were checked and a copy of this paper was given to each side.", "The amount was credited to our account at {bank} on {date}.", "Payment was made in cash, in notes of fifty.", "The payment covers {pur}.", "It consists of {money} for {pur} and {money} for {pur}.", "The payer asked for written proof for the tax office.", "The keys and the papers were handed over at the same time.", "The vehicle is sold as seen and tried.", "Any earlier reminders are void.", "The entry was made in the cash book under number {num}.", "The sum includes {num} per cent tax.", "No further claims exist between the two sides from this business.", "The payer's insurance claim may be supported with this paper.", "This receipt replaces the lost one of {date}.", "The balance of the account after this payment is nil."]
    return k.lines(k.opt(0.5, k.pick(NAMES) + k.pick("", " " + k.ref(""))), k.opt(0.6, k.city() + ", " + k.date()), "", _f(k, A), k.para(*[_f(k, x.replace("{pur}", _pur(k))) for x in k.some(B, 3, 8)]), "", k.pick("Received:", "Signed:", "In witness whereof", "For the cashier:"), k.person(), k.opt(0.5, "Payer: " + k.person()), k.opt(0.3, k.pick("Witness ", "In the presence of ") + k.person()))


STORY = ["The {product} was handed over the same day.", "You gave me {money} and got the change back.", "The old debt is now off the books.", "{person} from our office counted the money.", "The rest of the price was paid by bank transfer on {date}.", "Please show this at the entrance.", "We will send the goods by post.", "The invoice {ref} can be filed away.", "Your reminder of {date} has therefore been cancelled.", "You may hand this in with your expense claim.", "The card machine did not print, so I am writing this by hand.", "The money goes towards the new playground.", "The tip is included.", "Your deposit of {money} was taken into account.", "The warranty runs for two years with this slip.", "If anything is wrong bring it back with this note.", "The fee covers the course, the book and the exam.", "The landlord keeps a copy.", "Your purchase order {ref} is closed as well.", "Both of us sign below."]


def human(k):
    """Private person or small firm confirms in own words that money came in."""
    A = ["thanks for dropping off the {money} for {pur} today.", "I confirm that you have paid me {money} for {pur}.", "your {money} came into my account this morning, thank you.", "just to put it in writing: on {date} you gave me {money} in cash for {pur}.", "we got your cheque for {money} and everything is paid now.", "this is to say that the amount of {money} for {pur} has been paid in full.", "thank you very much for paying so quickly! {money} arrived on {date}.", "{money} received from you at the counter on {date}, for {pur}."]
    return k.lines(k.opt(0.25, k.pick(NAMES)), k.opt(0.3, k.date()), k.pick("Dear ", "Hi ", "Hello ", "To ") + k.pick(k.first(), k.title_person()) + ",", k.para(k.fill(k.pick(A).replace("{pur}", _pur(k))), *[k.fill(x) for x in k.some(STORY, 0, 4)], k.opt(0.5, _f(k, FULL))), k.pick("Thanks, ", "Best wishes, ", "Yours, ", "Kind regards, ", "") + k.person())


def long_slip(k):
    """Long supermarket or department store slip with offers and footer."""
    its = k.some(sum(SHOPS.values(), []), 18, 45)
    w = k.num(20, 30)
    return k.lines(k.company(), k.address(), k.opt(0.5, k.phone()), k.opt(0.4, k.pick(NAMES)), k.date() + " " + k.time() + " " + k.ref("T"), *sum([[n.upper().ljust(w) + k.amount(1, 40)] + (["  " + k.pick("Offer", "Multibuy", "Club price", "Coupon", "Rabatt", "Markdown") + " -" + k.amount(0, 5)] if k.maybe(0.12) else []) + (["  %d @ %s" % (k.num(2, 6), k.amount(1, 9))] if k.maybe(0.1) else []) for n in its], []), "SUBTOTAL " + k.amount(40, 400), k.opt(0.5, "SAVINGS -" + k.amount(1, 30)), "TOTAL " + k.money(40, 400), _pay(k), k.opt(0.6, "VAT rate  net  tax  gross\nA " + " ".join(k.amount(1, 90) for _ in range(3))), "ITEMS %d" % len(its), *[_f(k, x) for x in k.some(THANKS, 2, 7)])


def official_long(k):
    """Formal multi-part receipt: contract completion, tuition, court, notary."""
    its = k.some(["Tuition fee", "Laboratory fee", "Library deposit", "Hostel fee", "Registration", "Stamp duty", "Notary fee", "Court fee", "Land transfer fee", "Inspection fee", "Exam fee", "Caution money", "Sports fee", "Development levy", "Processing fee", "Late fine", "Certificate fee", "Transport", "Sanitation fee", "Kiosk rent"], 3, 9)
    B = ["Received on behalf of the institution; valid only with the cashier's stamp.", "Fees once paid are not refundable except as laid down in the rules.", "Cheques are accepted subject to realisation.", "The payer should check the amount before leaving the counter.", "Loss of this document must be reported to the accounts office.", "Duplicate copies are issued against a fee of {money}.", "The payment was posted to account {ref} on {date}.", "Next instalment falls due on {date}.", "The enrolment contract is valid only together with this proof of payment.", "Any excess will be carried over to the next term.", "The tax office accepts this paper as evidence of payment."]
    return k.lines(k.pick("University of ", "College of Nursing ", "High Court ", "Municipal Council ", "Notary's office ", "Public School ", "Polytechnic ") + k.city(), k.pick("Accounts Section", "Cashier", "Bursary", "Fee counter", "Finance office"), k.opt(0.5, k.pick("OFFICIAL RECEIPT", "FEE RECEIPT", "RECEIPT")), "No. " + k.ref("R") + "   " + k.date(), k.pick("Student: ", "Received from: ", "Payer: ", "Paid by: ") + k.person() + k.opt(0.4, ", roll no. " + k.ref("")), k.table(["Head", "Amount"], [[x, k.amount(5, 900)] for x in its]), "Total received " + k.money(50, 4000), "Paid by " + k.pick(METHODS) + ", " + k.date(), "Outstanding: " + k.pick("nil", "0.00", k.money(5, 90)), *[k.pick("- ", "* ", "") + k.fill(x) for x in k.some(B, 2, 8)], "Cashier: " + k.person())


# ---- held out ----
def memo_ack(k):
    return k.lines("MEMO", "To: " + k.pick(k.person(), k.company()), "From: " + k.pick("Cash office", "Bursar", "Accounts", "Treasurer"), "Date: " + k.date(), "", k.pick("Money in: ", "Payment logged: ", "Received: ") + k.money(10, 3000), "Paid by: " + k.person() + ", " + k.pick(METHODS), "For: " + _pur(k), "Entered under: " + k.ref("R", "CB"), _f(k, FULL), k.opt(0.4, "Please treat this memo as your receipt."), _f(k, ["Thank you for paying promptly.", "With thanks.", "Thank you."]))


def narrow_columns(k):
    its = _its(k, 2, 8)
    return k.lines("| " + k.company(), "| " + k.city() + "  " + k.date(), *["| %s | %s |" % (n, k.amount(1, 80)) for n in its], "| paid | " + k.money(5, 300) + " |", "| by | " + k.pick(METHODS) + " |", "| change | " + k.amount(0, 9) + " |", "| " + _f(k, THANKS))


LAYOUTS = [
    till, till, till, ack, ack, book_form, email, card_slip, restaurant, fuel_park, donation, rent, government, portal, sms, sms, letter, hotel,
    clinic, ocr_dump, online_order, bullets_expense, long_statement, human, human, long_slip, official_long, memo_ack, narrow_columns]
