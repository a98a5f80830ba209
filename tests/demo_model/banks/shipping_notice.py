"""Shipping notices: dispatch advice, delivery notes, tracking, arrival notices, waybills, delays."""

ALIASES = ["shipping_notice", "Shipping Notice", "delivery note", "dispatch note", "shipping confirmation", "Dispatch Advice", "advance shipping notice", "ASN", "shipment notification", "delivery notice", "SHIPPING_NOTICE", "packing list",
           "consignment note", "tracking notification", "waybill", "goods dispatch notice", "Shipment notice", "shipping", "arrival notice"]

DESCRIPTIONS = ["tells the receiver that goods have been sent and when they arrive", "announces a shipment with carrier, tracking number and contents", "dispatch or delivery notice for a parcel, pallet or container", "informs about goods on their way, their packages and weight", "a notice about the transport and delivery of ordered goods",
                "confirms that an order has left the warehouse", "carrier's message on arrival, delay or collection of a consignment", "lists packages, weights, carrier and expected arrival"]

GAP = " "


def f(k, lst):
    return k.fill(k.pick(lst))


def fs(k, lst, a, b):
    return [k.fill(x) for x in k.some(lst, a, b)]


CARRIER = ["{last} Logistics", "Swiftway Express", "Blue Anchor Line", "{city} Freight", "Parcelforward", "{last} & Sons Haulage", "Continental Cargo", "Red Kite Couriers", "Ocean Bridge Shipping", "Northern Rail Freight", "SkyCargo", "the post", "our own van", "{last} Transport", "Zoom Parcel", "a contract carrier"]
GOODS = ["{product}", "{product}", "{product}", "ceramic tiles", "seed potatoes", "printer paper", "hospital beds", "school desks", "frozen fish", "cut flowers", "wine in cartons", "steel beams", "car tyres", "books", "medical gloves", "pump spare parts", "solar panels", "cotton fabric", "laptops", "paint drums", "garden chairs", "roof tiles", "coffee beans in bags", "window frames", "vaccines", "hydraulic hoses", "bicycles", "donated blankets", "laboratory glass", "kitchen equipment", "cement bags", "toner", "rice", "uniforms", "furniture", "cables", "cheese", "toys", "shampoo", "engine parts", "a sofa in two boxes"]
PACK = ["carton", "pallet", "crate", "box", "drum", "bag", "roll", "bundle", "parcel", "container", "case", "sack", "bale", "envelope"]
OPEN = ["Your order has been shipped.", "We are pleased to inform you that your goods left our warehouse today.", "The following goods were dispatched on {date}.", "Please be advised that the consignment below is on its way to you.", "Good news, your parcel is on its way!", "We hereby announce the delivery of the goods listed.", "Your order {ref} was handed to the carrier this morning.", "The goods under your purchase order {ref} were loaded on {date}.", "This is to advise you of the shipment below.", "Your package was picked up by the courier.", "We shipped the balance of your order today.", "The truck left our yard at {time}.", "Your consignment will be delivered on {date}.", "The vessel has sailed from {city}.", "Your items are out for delivery.", "The sample has gone out by air mail."]
ETA = ["Expected delivery: {date}.", "Estimated arrival {date}, between {time} and {time}.", "Delivery within {num} working days.", "The driver will call {phone} half an hour before.", "ETA {city} {date}.", "Arriving on {weekday}.", "Delivery is planned for the week of {date}.", "It should be with you by {date} at the latest.", "Transit time is about {num} days."]
REC = ["Someone must be there to sign for the goods.", "Please check the goods on arrival and note damage on the driver's copy.", "Please unload within two hours.", "A fork-lift is needed for unloading.", "Please return the empty pallets.", "Keep refrigerated at 2 to 8 degrees.", "Fragile, this side up.", "Report missing parcels within 48 hours.", "Bring photo identification to collect the parcel.", "If nobody is at home the parcel goes to the neighbour or the pick-up point.", "Ramp height 1.2 metres, tail lift booked.", "The remaining items follow as back order.", "The invoice will be sent separately by e-mail.", "Commercial invoice and packing list are attached for customs.", "Duties and taxes are payable by the receiver.", "Free time ends on {date}, after that storage will be charged.",
       "The goods remain our property until paid.", "Sent according to the contract, carriage paid.", "Please confirm receipt in writing.", "The goods were insured for {money}.", "Storage fee of {money} a day after {date}.", "The original bills of lading go by courier.", "Hazardous goods, UN 1263, class 3.", "Please have the dock free at {time}.", "One carton was damaged in the warehouse and has been replaced.", "Do not accept if the seal is broken."]
TERMS = ["EXW", "FOB", "CIF", "DAP", "DDP", "FCA", "carriage paid", "freight collect", "cash on delivery", "prepaid", "CPT"]
DELAY = ["Because of the snow the delivery is one day late.", "The vessel was delayed by port congestion.", "Customs clearance takes longer than planned.", "We could not deliver because nobody was at home.", "The address was incomplete.", "The truck broke down near {city}.", "A strike at the terminal holds up the goods.", "Part of the order is out of stock and follows on {date}.", "The parcel was sent back to the depot.", "The goods are being held at customs until the papers arrive.", "The second attempt will be made on {weekday}."]


def carrier(k):
    return f(k, CARRIER)


def track(k):
    return k.pick("Tracking number", "Tracking no.", "Waybill", "Consignment no.", "AWB", "Track and trace", "B/L no.", "Parcel no.", "PRO number", "Shipment ID", "SSCC", "CMR no.", "LR no.", "Container") + k.pick(": ", " ", " # ") + k.pick(k.ref("TR", "RR", "JD", "SH", "1Z"), "".join(str(k.num(0, 9)) for _ in range(k.num(10, 18))), "".join(k.r.choice("ABCDEFGHJKLMNPRSTUVWX") for _ in range(4)) + str(k.num(1000000, 9999999)))


def order(k):
    return k.pick("Your order", "Order no.", "PO", "Purchase order", "Order reference", "Customer order", "Sales order", "Your ref.") + k.pick(" ", ": ") + k.ref("PO", "ORD", "SO", "")


def goods(k):
    return f(k, GOODS)


def grows(k, lo=2, hi=7):
    return [[str(i + 1), goods(k), "%d %s%s" % (k.num(1, 60), k.pick(PACK), "s"), "%d kg" % k.num(1, 900)] for i in range(k.num(lo, hi))]


def plain(k, n):
    return ["%d x %s" % (k.num(1, 200), goods(k)) for _ in range(n)]


def sums(k):
    return k.pick("Total packages %d, gross weight %d kg" % (k.num(1, 80), k.num(2, 24000)), "%d packages, %d kg, %d.%02d m3" % (k.num(1, 60), k.num(2, 9000), k.num(0, 60), k.num(1, 99)), "Number of parcels: %d\nWeight: %d,%d kg" % (k.num(1, 12), k.num(1, 300), k.num(0, 9)), "Net %d kg / gross %d kg" % (k.num(5, 900), k.num(900, 1900)), "%d pallets 120 x 80 x %d cm" % (k.num(1, 33), k.num(80, 220)), "1 x 40' HC container, seal " + k.ref("S"))


def layout_note(k):
    return k.lines(k.opt(0.8, k.company()), k.opt(0.5, k.address()), GAP, k.opt(0.5, k.pick("DELIVERY NOTE", "Dispatch note", "SHIPPING NOTICE", "Packing list", "Despatch advice", "Lieferschein / Delivery note", "CONSIGNMENT NOTE", "Advance shipping notice", "Goods outward")) + k.opt(0.6, " " + k.ref("DN", "LS", "SN", "ASN")), k.pick("Ship to", "Consignee", "Deliver to", "Delivery address", "Recipient") + ":\n" + k.pick(k.company(), k.person()) + "\n" + k.address(), k.opt(0.4, "Ship from: " + k.address(", ")), GAP, order(k), k.opt(0.8, k.pick("Ship date: ", "Dispatched: ", "Date of shipment ", "Delivery date: ") + k.date()), k.opt(0.8, k.pick("Carrier: ", "Via ", "Forwarder: ", "Sent by ") + carrier(k)), k.opt(0.7, track(k)), k.opt(0.5, "Terms " + k.pick(TERMS) + " " + k.city()), GAP, k.table([k.pick("Pos", "No.", "Line", "#"), k.pick("Goods", "Description", "Article", "Contents"), k.pick("Packages", "Quantity", "Qty shipped"), k.pick("Weight", "Gross")], grows(k)), k.opt(0.7, sums(k)), " ".join(fs(k, REC, 1, 3)), k.opt(0.6, k.pick("Received in good order: ____________", "Signature of receiver ..............", "Goods received by: " + k.person(), "Packed by: " + k.first() + "  Checked by: " + k.first())))


def layout_mail(k):
    return k.lines("From: " + k.email(), "To: " + k.email(), "Subject: " + k.pick("Your order has shipped", "Dispatch of " + k.ref("PO"), "Shipment notification", "Your parcel is on its way", "goods leaving today", "Delivery on " + k.date(), "Shipping notice", "pre-alert", "truck details", "ETA"), GAP, k.pick("Hello " + k.first() + ",", "Dear customer,", "Dear Mr " + k.last() + ",", "Hi,", "Good afternoon,"), f(k, OPEN), k.opt(0.6, order(k)), k.opt(0.6, k.pick("In the box:", "Contents:", "Items shipped:", "The load is") + "\n" + "\n".join(plain(k, k.num(1, 5)))), k.opt(0.8, "Carrier " + carrier(k)), track(k), f(k, ETA), " ".join(fs(k, REC, 1, 2)), k.pick("Thank you for shopping with us.", "Best regards", "Kind regards", "Thanks"), k.pick(k.person() + k.opt(0.5, ", Dispatch"), k.company()))


def layout_sms(k):
    return k.para(k.opt(0.5, carrier(k) + ":"), f(k, OPEN + ["Your parcel from {company} is due today between {time} and {time}.", "We tried to deliver at {time} but nobody was in.", "Your delivery is waiting at the pick-up point in {street} until {date}."]), f(k, ETA), k.opt(0.6, track(k) + "."), k.opt(0.5, f(k, REC)), k.opt(0.3, k.url()))


def layout_letter(k):
    return k.lines(k.opt(0.7, k.company() + "\n" + k.address()), GAP, k.opt(0.6, k.pick(k.company(), k.person()) + "\n" + k.address()), k.opt(0.7, k.date()), GAP, k.opt(0.7, k.pick("Your order " + k.ref("PO"), "Shipment " + k.ref("SH"), "Dispatch of goods", "Our delivery to " + k.city(), "Notice of shipment")), GAP, k.pick("Dear Sirs,", "Dear Mr " + k.last() + ",", "Dear customer,", "Dear Madam,"), k.para(f(k, OPEN), "The shipment consists of %d %ss of %s and %d %ss of %s." % (k.num(1, 90), k.pick(PACK), goods(k), k.num(1, 90), k.pick(PACK), goods(k)), "It travels with %s%s." % (carrier(k), k.pick("", " by road", " by sea", " by rail", " by air", " as groupage")), f(k, ETA)), k.para(track(k) + ".", sums(k) + "."), " ".join(fs(k, REC, 2, 4)), GAP, k.pick("Yours faithfully,", "Yours sincerely,", "With kind regards"), k.person() + k.opt(0.6, ", " + k.pick("Shipping department", "Dispatch manager", "Logistics", "Export clerk", "Warehouse")))


def layout_arrival(k):
    ves = k.pick("MV", "M/V", "vessel", "SS") + " " + k.pick("Northern Star", "Ever Hope", "Santa Lucia", "Baltic Queen", "Pacific Trader", "Ocean Pearl", "Cape Blanco", "Astrid")
    return k.lines(carrier(k), k.opt(0.5, k.pick("ARRIVAL NOTICE", "NOTICE OF READINESS", "Pre-arrival notice", "Freight arrival notification", "Sea waybill")), k.pick("Shipper: ", "Exporter: ") + k.company() + ", " + k.city(), k.pick("Consignee: ", "Importer: ") + k.company() + ", " + k.city(), k.opt(0.7, "Notify party: " + k.company()), track(k), k.opt(0.7, ves + ", voyage " + k.ref("V")), "Port of loading " + k.city() + ", port of discharge " + k.city(), k.opt(0.6, "ETD %s  ETA %s" % (k.date(), k.date())), k.opt(0.7, "Marks and numbers: " + k.ref("MK")), k.table(["No", "Description of goods", "Packages", "Weight"], grows(k, 1, 4)), k.opt(0.6, sums(k)), k.opt(0.6, "Charges: " + ", ".join("%s %s" % (c, k.money(20, 900)) for c in k.some(["terminal handling", "ocean freight", "documentation", "demurrage", "delivery order", "fuel surcharge", "customs clearance"], 2, 4))), " ".join(fs(k, REC, 2, 4)), f(k, ["Please surrender the original bill of lading.", "Please arrange customs clearance and pick-up.", "Telex release received.", "Freight prepaid.", "The container will be available at the terminal from {date}."]))


def layout_asn(k):
    return k.lines(k.opt(0.6, k.pick("ADVANCE SHIPPING NOTICE", "ASN", "DESADV message", "Pre-advice of delivery", "Inbound shipment advice")), "Supplier: " + k.company(), "Receiver: " + k.company() + ", dock %d" % k.num(1, 40), order(k), track(k), "Ship date " + k.date() + k.opt(0.7, ", arrival " + k.date()), k.opt(0.6, "Truck plate " + k.ref("B", "KA", "LX") + ", driver " + k.person() + ", " + k.phone()), k.table(["Line", "SKU " + "/ description", "Shipped", "Weight"], grows(k, 2, 9)), k.opt(0.6, "Batch " + k.ref("L", "B") + ", best before " + k.date()), sums(k), k.opt(0.6, "Back order: " + plain(k, 1)[0]), k.opt(0.5, f(k, REC)))


def layout_delay(k):
    return k.lines(k.opt(0.6, k.pick("Delivery update", "Delay of shipment", "Missed delivery", "We missed you", "Change of delivery date", "Customs hold")), k.opt(0.5, k.company()), k.pick("Dear " + k.person() + ",", "Dear customer,", "Hello,"), k.para(f(k, ["An update on your shipment.", "We have to tell you that your delivery will be late.", "Sorry, there is a delay.", "The status of your consignment has changed.", "Our driver called today."]), f(k, DELAY), f(k, ETA), k.opt(0.5, f(k, DELAY))), k.opt(0.7, order(k)), track(k), k.opt(0.6, "Goods: " + ", ".join(plain(k, 2))), f(k, REC), k.opt(0.7, carrier(k)))


def layout_tracking(k):
    ev = ["Order data received", "Picked up by carrier", "Arrived at sorting centre " + k.city(), "Departed " + k.city(), "In transit", "Arrived at airport " + k.city(), "Customs cleared", "Held by customs", "Out for delivery", "Delivery attempted, nobody at home", "Handed to neighbour", "Delivered, signed by " + k.last(), "Loaded on truck", "Returned to depot", "Ready for collection"]
    n = k.num(4, 9)
    idx = sorted(k.r.sample(range(len(ev)), n))
    if k.maybe(0.5):
        idx = idx[::-1]
    return k.lines(k.opt(0.6, k.pick("Shipment status", "Track your parcel", "Tracking history", carrier(k))), track(k), k.opt(0.6, "From " + k.city() + " to " + k.city()), k.opt(0.6, f(k, ETA)), "\n".join("%s %s %s" % (k.date(), k.time(), ev[i]) for i in idx), k.opt(0.5, "Weight %d.%d kg, %s service" % (k.num(0, 30), k.num(0, 9), k.pick("standard", "express", "economy", "next day"))), k.opt(0.5, f(k, REC)))


def layout_waybill(k):
    def fld(*a):
        return k.pick("%d. " % k.num(1, 24), "") + k.pick(a)
    L = [fld("Sender", "Shipper", "Consignor") + ": " + k.company() + ", " + k.address(", "), fld("Consignee", "Receiver") + ": " + k.company() + ", " + k.address(", "), fld("Place of delivery") + ": " + k.city(), fld("Place and date of taking over the goods") + ": " + k.city() + " " + k.date(), fld("Carrier") + ": " + carrier(k), fld("Vehicle registration") + ": " + k.ref("AB", "WX"), fld("Marks and numbers") + ": " + k.ref("NO"), fld("Number and kind of packages") + ": %d %ss" % (k.num(1, 66), k.pick(PACK)), fld("Nature of the goods") + ": " + goods(k), fld("Gross weight kg") + ": %d" % k.num(20, 24000), fld("Volume m3") + ": %d.%d" % (k.num(0, 80), k.num(0, 9)), fld("Sender's instructions") + ": " + f(k, REC), fld("Carriage") + ": " + k.pick(TERMS), fld("Declared value") + ": " + k.money(50, 90000), fld("Documents attached") + ": " + k.pick("invoice, packing list", "certificate of origin", "T1", "none", "phytosanitary certificate"), fld("Signature of driver") + " ............", fld("Goods received") + " date ........ signature ........", track(k)]
    keep = sorted(k.r.sample(range(len(L)), k.num(9, len(L))))
    return k.lines(k.opt(0.6, k.pick("CMR INTERNATIONAL CONSIGNMENT NOTE", "AIR WAYBILL (not negotiable)", "BILL OF LADING", "Lorry receipt", "House waybill", "Shipping order", "Straight bill of lading - short form")), "\n".join(L[i] for i in keep))


def layout_informal(k):
    return k.lines(k.pick("Hi " + k.first() + ",", "Hello " + k.first() + "!", "Dear " + k.first() + ",", ""), k.para(k.pick("I posted your parcel today.", "the stuff is on the lorry.", "we sent the boxes this morning.", "just dropped your order at the post office.", "the man from %s picked up the pallets at %s." % (carrier(k), k.time()), "your %s are on the way." % goods(k)), "There are %d %ss with %s and %s in it." % (k.num(2, 20), k.pick(PACK), goods(k), goods(k)), f(k, ETA), k.pick("Can someone help to unload?", "Please let me know when it has arrived.", "Give me a shout if anything is broken.", "Mind the glass.", "The rest comes next week.", "I put the invoice in the top box.", "Postage was %s." % k.money(4, 60)), k.opt(0.7, track(k) + ".")), k.pick("Cheers, ", "Bye, ", "Best, ", "") + k.first())


def layout_memo(k):
    return k.lines(k.opt(0.5, k.pick("MEMO", "Dispatch bulletin", "Goods in - notice", "Logistics note", "To: Stores")), "To: " + k.pick("Stores", "Goods receiving", "Site manager", "Reception", "Kitchen", "All depots"), "From: " + k.pick("Dispatch", "Transport office", "Purchasing", "Supply chain"), k.opt(0.7, "Date: " + k.date()), k.pick("Re: incoming goods", "Re: delivery " + k.ref("D"), "Subject: truck on " + k.weekday(), "Subject: container"), f(k, OPEN), "\n".join("- " + x for x in plain(k, k.num(2, 6))), k.pick("Carrier: ", "Haulier: ") + carrier(k), f(k, ETA), " ".join(fs(k, REC, 1, 3)), k.opt(0.5, order(k)))


def layout_web(k):
    L = ["Order placed " + k.date(), "Shipped " + k.date(), f(k, ETA), "Shipping method: " + k.pick("standard", "express", "free shipping", "click and collect", "freight", "next day air"), "Deliver to " + k.person() + ", " + k.address(", "), track(k), "Package %d of %d" % (1, k.num(1, 4)), "Sold by " + k.company(), "Return within %d days" % k.num(14, 60), "Order total " + k.money(10, 600), order(k)]
    keep = k.some(L, 5, 10)
    return k.lines(k.pick("Shipping confirmation", "It's on its way!", "Your package has shipped", "On its way to you", "Dispatched", "Great news, " + k.first() + "!"), f(k, OPEN), "\n".join(keep), k.pick("Items in this shipment", "What's inside", "This parcel holds"), "\n".join(plain(k, k.num(1, 4))), f(k, ["Track my package", "Need help? {email}", "You will get an e-mail when the rest is sent.", "Thanks for your order."]))


def layout_ocr(k):
    L = [k.company().upper(), k.pick("PACKING SLIP", "DELIVERY DOCKET", "SHIP NOTICE", "LOAD SHEET"), order(k).upper(), "SHIP DATE " + k.date(), "SHIP VIA " + carrier(k).upper(), track(k).upper(), "CTNS %d  WT %d" % (k.num(1, 90), k.num(3, 2000))] + [("%d %s %s" % (k.num(1, 90), k.pick("EA", "PCS", "CS", "PLT", "BX"), goods(k))).upper() for _ in range(k.num(2, 7))] + ["B/O %d" % k.num(0, 5), "SHIP TO " + k.company().upper(), k.street().upper() + " " + k.city().upper(), "RECD BY ________"]
    if k.maybe(0.5):
        L.pop(1)
    return "\n".join(L)


def layout_long(k):
    secs = [("Shipment", track(k) + "\n" + order(k) + "\nVia " + carrier(k)), ("Parties", "Shipper %s, %s\nConsignee %s, %s" % (k.company(), k.address(", "), k.company(), k.address(", "))), ("Route", "Collected in %s on %s, changes truck in %s, reaches %s on %s" % (k.city(), k.date(), k.city(), k.city(), k.date())), ("Contents", k.table(["No", "Goods", "Packages", "Weight"], grows(k, 4, 12))), ("Totals", sums(k)), ("Handling", "\n".join("- " + x for x in fs(k, REC, 3, 6))), ("Customs", k.pick("HS code %d, origin %s, value %s" % (k.num(100000, 999999), k.country(), k.money(500, 90000)), "Goods in free circulation", "EORI " + k.ref("GB", "DE"))), ("Delivery window", f(k, ETA) + " " + f(k, ETA)), ("Contact", "%s, %s, %s" % (k.person(), k.phone(), k.email())), ("Remarks", " ".join(fs(k, DELAY, 1, 2)) + " " + f(k, REC)), ("Dangerous goods", f(k, ["None", "UN 1993 flammable liquid, packing group III", "Lithium batteries, section II"]))]
    keep = sorted(k.r.sample(range(len(secs)), k.num(6, 11)))
    return k.lines(k.opt(0.6, k.pick("Notice of shipment ", "Shipping notice ", "Shipping advice ") + k.ref("SA")), k.opt(0.6, k.date()), "Dear " + k.pick("customer", "Sirs", "Mr " + k.last()) + ",", " ".join(fs(k, OPEN, 1, 1)), "\n\n".join(secs[i][0] + "\n" + secs[i][1] for i in keep), k.person())


def layout_old(k):
    return k.lines(k.city() + ", " + k.date(), "Messrs " + k.company(), k.pick("Gentlemen,", "Dear Sirs,"), "We beg to advise that we have this day forwarded to your address, per " + k.pick("rail", "steamer", "carrier", "goods train") + " " + carrier(k) + ", the undermentioned goods:", "\n".join(plain(k, k.num(2, 5))), f(k, ["marked {ref} and numbered 1 to {num}", "packed in {num} stout cases", "in sound condition"]) + ". " + f(k, ["We trust they will reach you safely and in good order.", "Kindly acknowledge receipt.", "The bill of lading follows by post.", "Our account for the same is enclosed."]), k.pick("We are, Gentlemen, yours truly,", "Your obedient servants,"), k.company())


def layout_card(k):
    """Held out: door card."""
    return k.lines(k.pick("Sorry we missed you", "While you were out"), carrier(k), "Today at " + k.time() + " we could not hand over:", "%d %s%s from %s" % (k.num(1, 4), k.pick(PACK), "(s)", k.company()), "[%s] left with neighbour at %s" % (k.pick("x", " "), k.street()), "[%s] taken back to the depot in %s" % (k.pick("x", " "), k.city()), "[%s] second try on %s" % (k.pick("x", " "), k.weekday()), track(k), "Collect with identification from " + k.date() + ", " + k.time())


def layout_radio(k):
    """Held out: telegram style."""
    return " / ".join([k.pick("shipped", "dispatched", "loaded", "sent") + " " + k.date(), "to " + k.company() + " " + k.city(), order(k), "; ".join(plain(k, k.num(1, 3))), sums(k).replace("\n", ", "), "carrier " + carrier(k), track(k), f(k, ETA), f(k, REC)])


def layout_bundle(k):
    """A long document: the letter with its enclosures."""
    out = [k.pick(layout_letter, layout_long, layout_asn, layout_mail)(k)]
    for g in k.some([layout_note, layout_waybill, layout_arrival, layout_tracking, layout_ocr], 1, 3):
        out.append(k.pick("", "Page 2", "Enclosure", "Attachment", "Annex " + k.pick("A", "1"), "- - -", "(continued)"))
        out.append(g(k))
    return "\n\n".join(x for x in out if x)


TITLES = ["Shipping Notice", "SHIPPING NOTICE", "Shipping notice {ref}", "Notice of shipment", "Shipment notice", "Dispatch notice", "Delivery notice", "Advance shipping notice {ref}"]


def named(layout):
    """One document in five carries a title that names the class."""
    def g(k):
        text = layout(k)
        if k.maybe(0.2):
            text = f(k, TITLES) + k.pick("\n", "\n\n", "\n") + text.lstrip()
        return "\n".join(x.rstrip() for x in text.split("\n")).strip("\n")
    g.__name__ = layout.__name__
    return g


LAYOUTS = [named(x) for x in (layout_note, layout_mail, layout_sms, layout_letter, layout_arrival, layout_asn, layout_delay, layout_tracking, layout_waybill, layout_informal,
                              layout_memo, layout_web, layout_ocr, layout_long, layout_old, layout_bundle)]
LAYOUTS += [layout_card, layout_radio]          # held out
