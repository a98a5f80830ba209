"""Utility bills: electricity, gas, water, heating, internet, phone, waste; meter readings, instalments, reminders."""

ALIASES = ["utility_bill", "Utility Bill", "electricity bill", "energy bill", "water bill", "gas bill", "phone bill", "power bill", "utility", "utilities statement", "internet bill", "Utility statement",
           "UTILITY_BILL", "heating bill", "telecom bill", "Consumption bill", "supplier bill for energy or water", "bill for power, gas or water"]

DESCRIPTIONS = ["charges a customer for electricity, gas, water, heat, waste, telephone or internet", "bill with meter readings and consumption", "a supplier's account of energy or water used in a period", "monthly or yearly bill from a utility company", "consumption, tariff and amount due for a household supply",
                "telephone, broadband or mobile charges for a month", "shows kWh, cubic metres or data used and what they cost", "an energy or water company's statement to its customer"]

GAP = " "


def f(k, lst):
    return k.fill(k.pick(lst))


def fs(k, lst, a, b):
    return [k.fill(x) for x in k.some(lst, a, b)]


# kind, suppliers, unit, charges, meter-words, remarks
SUP = [
    ("electricity", ["{city} Electric Company", "{last} Energy", "Stadtwerke {city}", "Northern Grid Supply", "{city} Power & Light", "State Electricity Board", "Greenwind Energy Cooperative", "Rural Electric Cooperative", "{city} Hydro"], "kWh",
     ["Energy charge", "Standing charge", "Day rate units", "Night rate units", "Network charge", "Fuel surcharge", "Fixed charge", "Demand charge", "Electricity duty", "Renewable levy", "Climate change levy", "Meter rent", "Peak", "Off-peak", "Solar feed-in credit", "Service to property", "Customer charge", "Wheeling charge", "Concession fee"],
     ["Your next reading is due on {date}.", "You used {num} kWh a day on average.", "Compared with last year you used {num} per cent less.", "Your meter was read by us.", "This reading is estimated; please send us your own reading.", "Power cut? Call {phone}.", "Your tariff ends on {date}.", "Switch off standby devices to save energy.", "Fuel mix: wind 41 %, gas 33 %, nuclear 14 %.", "Your smart meter sends readings every half hour.", "Sanctioned load 5 kW, single phase."]),
    ("gas", ["{last} Gas", "{city} Gas Works", "Natural Gas Supply {city}", "Home Heat Gas Ltd", "{city} City Gas"], "m3",
     ["Gas used", "Standing charge", "Conversion factor 1.02264", "Calorific value 39.4", "Distribution", "Delivery service", "Commodity charge", "Carbon tax", "Storage levy", "Basic price", "Therms used", "Safety inspection fee"],
     ["Smell gas? Leave the house and call {phone}.", "Volume was converted to kWh.", "Have your boiler serviced every year.", "Your meter was read on {date}.", "The reading is an estimate based on past use.", "Heating degree days were {num} more than last winter.", "Cold weather payment credited."]),
    ("water", ["{city} Water Company", "{city} Municipal Water", "{last} Valley Water", "Water and Sewerage Board", "City of {city} Utilities", "Water Corporation", "Aguas de {city}"], "m3",
     ["Water supplied", "Sewerage", "Surface water drainage", "Fixed charge", "Waste water", "Volume charge", "Stormwater fee", "Environment levy", "Service availability", "Trade effluent", "Fire line", "Sanitation", "Highways drainage"],
     ["A dripping tap wastes {num} litres a day.", "Your use was higher than usual; please check for leaks.", "One unit is 1,000 gallons.", "Hose pipes may not be used after {time}.", "Your meter is in the pavement outside.", "Hardness of the water: 16 degrees.", "Water may be cut off if the account stays unpaid.", "Next reading around {date}."]),
    ("heating and service charges", ["{last} Metering Services", "{last} Property Management", "District Heating {city}", "{city} Fernwaerme"], "units",
     ["Heat consumption", "Hot water", "Basic cost by floor area", "Caretaker", "Lift", "Building insurance", "Garden", "Chimney sweep", "Cold water", "Meter rental", "Stair lighting", "Cable connection", "Advance payments made", "Land tax share"],
     ["Half of the cost is shared by floor area and half by use.", "Your advance payments exceed your share.", "Radiator meters were read on {date}.", "The new monthly advance is {money}.", "Objections within twelve months.", "The allocation key is {num} square metres."]),
    ("mobile telephone", ["{last} Mobile", "{city} Telecom", "Skytone", "Clearcall Mobile", "Orbit Wireless", "Zebra Cellular"], "GB",
     ["Monthly plan", "Data outside bundle", "Roaming", "International calls", "Text messages", "Premium numbers", "Device instalment", "Line rental", "Calls to mobiles", "Insurance for handset", "Data add-on", "Spectrum fee", "Family plan extra SIM", "Loyalty discount"],
     ["You used {num} GB of your allowance.", "Roaming applies outside the region.", "Autopay is on.", "Your plan renews on {date}.", "Your minimum term ends on {date}.", "Itemised calls can be seen online.", "Port-in credit applied.", "You made {num} calls."]),
    ("broadband and television", ["{last} Cable", "FibreNet {city}", "{city} Broadband", "Lightwave Internet", "HomeLine"], "GB",
     ["Fibre 250 monthly rental", "Router rental", "Landline", "TV package", "Sports channels", "Activation fee", "Static IP address", "Regional sports fee", "Late fee", "Engineer visit", "Discount for 12 months", "Film rental", "Call minutes", "Equipment charge"],
     ["Your speed is up to {num} Mbit/s.", "The promotional price ends on {date}.", "Restart the router before calling us.", "A price change applies from {date}.", "Usage this month {num} GB.", "Paper bills cost extra."]),
    ("waste collection", ["{city} Waste Services", "{last} Refuse & Recycling", "City of {city} Sanitation", "{city} Cleansing Department"], "litres",
     ["Grey bin 120 l", "Recycling", "Garden waste bin", "Bulky waste collection", "Basic fee per household", "Extra bags", "Street cleaning", "Container hire", "Landfill levy"],
     ["Put the bins out by {time} on {weekday}.", "Collection every two weeks.", "Missed collection? Call {phone}.", "Glass does not go into the blue bin.", "Change of bin size possible to {date}."]),
    ("bottled gas and heating oil", ["{last} Fuels", "Rural Propane Co-op", "{city} Heating Oil"], "litres", ["Propane delivered", "Tank rental", "Delivery charge", "Keep full service", "Hazmat fee", "Safety check", "Fuel surcharge"], ["Tank level after filling {num} per cent.", "Next delivery about {date}.", "Do not let the tank run below twenty per cent.", "Budget plan customers pay {money} a month."]),
]


def sup(k):
    s = k.pick(SUP)
    return s, f(k, s[1])


def acc(k):
    return k.pick("Account number", "Customer no.", "Account", "Consumer No.", "CA number", "Contract account", "Customer number", "Service agreement", "Account ID", "Supply number") + k.pick(": ", " ", ". ").replace(". ", ": ") + k.ref("", "C", "A", "")


def mtr(k):
    return k.pick("Meter", "Meter number", "Meter no.", "Meter serial", "MPAN", "NMI", "MPRN", "Point of delivery", "Installation") + " " + k.pick(k.ref("E", "M", "S"), "%08d" % k.num(100000, 99999999))


def readings(k):
    a = k.num(200, 80000)
    u = k.num(8, 1900)
    return a, a + u, u


def period(k):
    return k.pick("Billing period", "Bill period", "Period", "Supply period", "For", "Service from") + k.pick(": ", " ") + k.date() + k.pick(" to ", " - ", " until ") + k.date()


PAY = ["Please pay {money} by {date}.", "The amount will be taken from your account by direct debit on {date}.", "Your direct debit is {money} a month.", "Pay online, by phone or at any post office.", "Due date {date}.", "Total amount due {money}.", "You are in credit by {money}.", "Pay before {date} to get a rebate of {money}.", "A late fee of {money} applies after {date}.", "Amount payable after due date: {money}.", "Autopay scheduled for {date}.", "New monthly instalment {money} from {date}.", "This account is in arrears of {money}.", "Supply may be cut off without further notice.", "Nothing to pay now.", "Scan the code to pay.",
       "Having trouble paying? Talk to us on {phone}.", "Last payment received {money} on {date}, thank you.", "Previous balance {money}, payment received {money}.", "No receipt will be sent unless asked for.", "Security deposit held: {money}.", "Please quote your customer number when paying."]


def crows(k, s, n=None):
    n = n or k.num(3, 7)
    rs = []
    for c in k.some(s[3], n, n):
        rs.append([c, k.pick("%d %s" % (k.num(5, 900), s[2]), "%d days" % k.num(28, 92), "1 month", "", "%d" % k.num(1, 900)), k.pick("0.%04d" % k.num(300, 9900), "", k.amount(1, 40)), k.amount(1, 300)])
    return rs


def tot(k):
    return k.pick("Total due", "Amount due", "Total this bill", "Amount to pay", "Total charges including VAT", "Current charges", "Please pay", "Balance", "Net amount payable", "Additional payment", "Total new charges", "Zu zahlen / to pay") + k.pick(": ", " ", "  ") + k.money(8, 900)


def layout_bill(k):
    s, name = sup(k)
    a, b, u = readings(k)
    m = k.table([k.pick("Meter", "Register", "Meter no."), k.pick("Previous", "Start", "Last reading", "Old"), k.pick("Present", "End", "This reading", "New"), k.pick("Used", "Units", "Consumption " + s[2], "Difference")], [[str(k.num(100000, 9999999)), str(a), str(b) + k.pick("", " (E)", " estimated", " A"), str(u)]])
    parts = [k.opt(0.85, m), k.table([k.pick("Charge", "Description", "Your charges"), "Quantity", k.pick("Rate", "Price", "Unit price"), "Amount"], crows(k, s)), k.opt(0.6, k.fill("VAT {percent} {money}") if k.maybe() else "Tax " + k.money(1, 60)), tot(k)]
    return k.lines(name, k.opt(0.4, k.url()), k.opt(0.5, k.address()), GAP, k.opt(0.7, k.person() + "\n" + k.address()), GAP, k.opt(0.55, k.pick("Your %s bill" % s[0], "%s BILL" % s[0].upper(), "Statement of account", "Utility bill", "Annual statement of consumption", "Final bill", "Tax invoice", "Bill of supply", "Invoice for " + s[0])), acc(k), k.opt(0.7, k.pick("Bill date ", "Issued ", "Date ") + k.date()), period(k), k.opt(0.5, "Tariff: " + k.pick("Domestic", "Standard variable", "Fixed 24", "Residential single phase", "Green Plus", "Commercial", "LT-1 domestic", "Economy 7", "Time of use")), k.opt(0.4, "Supply address: " + k.address(", ")), GAP, *parts, GAP, " ".join(fs(k, PAY, 1, 4)), " ".join(fs(k, s[4], 1, 3)))


def layout_short(k):
    s, name = sup(k)
    a, b, u = readings(k)
    return k.para(k.opt(0.7, name + ":"), k.pick("%d %s used" % (u, s[2]), "Reading %d, last %d, use %d %s" % (b, a, u, s[2]), "Your %s for %s" % (s[0], k.month_year()), "Your %s bill is ready" % s[0], "%s to %s, %d %s" % (k.date(), k.date(), u, s[2])) + ", " + k.money(10, 400) + ".", f(k, PAY), k.opt(0.5, acc(k) + "."), k.opt(0.4, f(k, s[4])))


def layout_mail(k):
    s, name = sup(k)
    return k.lines("From: " + name + " <" + k.email() + ">", "To: " + k.email(), "Subject: " + k.pick("Your bill is ready to view", "Your %s bill for %s" % (s[0], k.month_year()), "E-bill " + k.month_year(), "Monthly statement for account ending %d" % k.num(1000, 9999), "Reminder: payment due", "Your %s account" % s[0]), GAP, k.pick("Dear customer,", "Hello " + k.first() + ",", "Dear " + k.person() + ","), f(k, ["Your latest bill is now available.", "Here is what you used last month.", "Thank you for being with us.", "We have read your meter.", "Your new statement can be seen in your account.", "It is time to settle your account."]), acc(k), period(k), k.opt(0.7, "Usage: %d %s" % (k.num(8, 1200), s[2])), tot(k), " ".join(fs(k, PAY, 1, 3)), k.opt(0.7, f(k, s[4])), k.pick("Your %s team" % name, "Regards, Customer services", ""))


def layout_annual(k):
    s, name = sup(k)
    a, b, u = readings(k)
    return k.lines(name, "Customer services " + k.phone(), k.opt(0.6, k.person() + ", " + k.address(", ")), acc(k), k.opt(0.5, k.pick("Annual account of your %s" % s[0], "Yearly statement", "Final account on moving out", "Jahresabrechnung / annual bill", "Consumption bill")), GAP, k.pick("Dear Mr %s," % k.last(), "Dear Ms %s," % k.last(), "Dear customer,"), k.para(f(k, ["we have now drawn up your account for the past year.", "you moved out on {date}; this is your final account.", "thank you for sending us your reading.", "please find below how your use has developed."]), "Your meter %d showed %d at the start and %d at the end, so you used %d %s in %d days." % (k.num(10000, 999999), a, b, u, s[2], k.num(330, 366)), k.pick("In the year before it was %d %s." % (k.num(8, 1900), s[2]), "A comparable household uses %d %s." % (k.num(8, 1900), s[2]), "")), k.table(["Item", "", "", "Amount"], crows(k, s)), "Cost in total " + k.money(100, 2500), k.pick("Your payments on account ", "Less advance payments ", "Instalments paid ") + k.money(100, 2500), k.pick("You will receive back ", "We ask you to pay ", "Remaining claim ", "Credit ") + k.money(5, 500), " ".join(fs(k, PAY, 1, 3) + fs(k, s[4], 1, 3)), k.opt(0.6, "Yours sincerely\n" + name))


def layout_telecom(k):
    s = SUP[k.num(4, 5)]
    name = f(k, s[1])
    calls = [[k.date(), k.time(), k.phone(), "%d:%02d" % (k.num(0, 40), k.num(0, 59)), k.amount(0, 9)] for _ in range(k.num(2, 7))]
    return k.lines(name, acc(k), k.pick("Number: ", "Line: ", "Mobile no. ") + k.phone(), period(k), k.opt(0.5, k.pick("Summary of charges", "Your bill at a glance", "Phone bill", "This month")), k.table(["", "", "", k.currency()], crows(k, s)), tot(k), k.opt(0.7, k.pick("Itemised usage", "Call details") + "\n" + k.table(["Date", "Time", "Number", "Duration", "Cost"], calls)), " ".join(fs(k, s[4], 1, 4)), " ".join(fs(k, PAY, 1, 3)))


def layout_reminder(k):
    s, name = sup(k)
    return k.lines(name, k.opt(0.6, k.date()), acc(k), k.opt(0.5, k.pick("Reminder", "Disconnection notice", "Past due notice", "Second reminder")), k.pick("Dear customer,", "Dear " + k.person() + ","), k.para(f(k, ["We have not had your payment for the %s you used up to {date}." % s[0], "Your %s account shows an overdue balance of {money}." % s[0], "Your last bill dated {date} is still open."]), *fs(k, PAY + ["If we hear nothing, the supply will be cut off on {date}.", "A reconnection fee of {money} will be charged.", "A prepayment meter may be fitted.", "Tell us if someone in your home relies on medical equipment.", "We can agree on instalments.", "If you have paid within the last few days please accept our thanks."], 3, 6)), tot(k), k.opt(0.5, period(k)))


def layout_ocr(k):
    s, name = sup(k)
    a, b, u = readings(k)
    L = [name.upper(), acc(k).upper(), mtr(k), "PREV RDG %d" % a, "PRES RDG %d" % b, "UNITS %d %s" % (u, s[2]), "DUE DATE " + k.date(), "TARIFF " + k.pick("DOM", "LT2", "R1", "G3"), "READ DATE " + k.date(), "MULTIPLIER 1"] + ["%s %s" % (r[0].upper() if k.maybe(0.6) else r[0], r[3]) for r in crows(k, s, 4)] + ["ARREARS " + k.amount(0, 200), tot(k).upper()]
    keep = sorted(k.r.sample(range(len(L)), k.num(9, len(L))))
    return "\n".join(L[i] for i in keep) + "\n" + k.person().upper() + "\n" + f(k, PAY)


def layout_landlord(k):
    """Informal: landlord passes the cost on."""
    s, name = sup(k)
    a, b, u = readings(k)
    return k.lines(k.pick("Hi " + k.first() + ",", "Dear tenant,", "Hello everyone in flat %d," % k.num(1, 20), "Dear Mr " + k.last() + ","), k.para("here is your share of the %s for %s." % (s[0], k.month_year()), k.pick("The meter in the hall went from %d to %d, that makes %d %s." % (a, b, u, s[2]), "The bill from %s came to %s for the house." % (name, k.money(100, 900)), "Your sub-meter shows %d, last time it was %d." % (b, a)), f(k, ["Your part is {money}.", "Split by {num} persons you owe {money}.", "At {money} in total please pay your third."]), f(k, ["Please transfer it with the next rent.", "Pay by {date}.", "Cash is fine.", "As agreed in the lease you pay the running costs.", "The standing charge is shared by all.", "The price per unit went up in {month}."])), k.opt(0.6, "\n".join("%s %s" % (r[0], r[3]) for r in crows(k, s, 3))), k.first())


def layout_prepay(k):
    s, name = sup(k)
    a, b, u = readings(k)
    L = [name, mtr(k), k.pick("Token", "Voucher", "Recharge") + " " + " ".join("%04d" % k.num(0, 9999) for _ in range(5)), "Units %d.%d %s" % (k.num(5, 400), k.num(0, 9), s[2]), "Amount " + k.money(5, 100), "Fixed charge " + k.money(1, 9), "Debt recovered " + k.money(0, 20), "Tax " + k.money(0, 9), "Balance on meter " + k.money(0, 60), "Tariff " + k.pick("domestic", "home light", "commercial"), k.date() + " " + k.time(), f(k, s[4])]
    keep = sorted(k.r.sample(range(3, len(L)), k.num(4, 8)))
    return "\n".join(L[:3] + [L[i] for i in keep])


def layout_business(k):
    s, name = sup(k)
    sites = [[k.street(), str(k.num(1000, 99999)), "%d" % k.num(300, 30000), k.amount(90, 9000)] for _ in range(k.num(2, 6))]
    return k.lines(name + " - " + k.pick("Business services", "Commercial customers", "Key accounts"), k.company(), k.opt(0.5, "Purchase order " + k.ref("PO")), acc(k), period(k), k.opt(0.5, k.pick("Group bill", "Collective invoice", "Consolidated statement of " + s[0])), k.table(["Site", mtr(k).split()[0], "Consumption " + s[2], "Net"], sites), k.table(["Charge", "", "", "Amount"], crows(k, s)), k.opt(0.6, k.pick("Power factor 0.93", "Maximum demand %d kW" % k.num(20, 900), "Peak load %d kW at %s" % (k.num(20, 600), k.time()), "Capacity %d kVA" % k.num(50, 800), "Contract volume %d %s" % (k.num(1000, 90000), s[2]))), tot(k), " ".join(fs(k, PAY, 1, 3)), f(k, ["Terms as in our supply contract.", "The rates of the quotation of {date} apply.", "Questions to your account manager {person}.", "VAT is shown on the tax copy."]))


def layout_fieldlist(k):
    s, name = sup(k)
    a, b, u = readings(k)
    d = k.pick(": ", " .... ", " | ", " = ", "  ")
    L = ["Supplier" + d + name, "Customer" + d + k.person(), "Service address" + d + k.address(", "), acc(k), mtr(k), period(k), "Reading type" + d + k.pick("actual", "estimated", "customer reading", "remote"), "Previous reading" + d + str(a), "Current reading" + d + str(b), "Consumption" + d + "%d %s" % (u, s[2]), "Average per day" + d + "%d.%d %s" % (k.num(0, 40), k.num(0, 9), s[2]), "Price per unit" + d + "0.%03d" % k.num(20, 980), "Fixed charge" + d + k.money(2, 40), "Taxes and levies" + d + k.money(1, 90), tot(k), "Due" + d + k.date(), "Payment method" + d + k.pick("direct debit", "bank transfer", "cheque", "autopay", "standing order"), "Last payment" + d + k.money(10, 300)]
    keep = sorted(k.r.sample(range(len(L)), k.num(9, len(L))))
    return k.lines(k.opt(0.4, k.pick("%s statement" % s[0].capitalize(), "%s bill summary" % s[0].capitalize(), "Utility bill summary")), "\n".join(L[i] for i in keep), k.opt(0.5, f(k, s[4])))


def layout_prose(k):
    s, name = sup(k)
    a, b, u = readings(k)
    return k.para(k.pick("Dear customer,", "To " + k.person() + ":", ""), f(k, ["between {date} and {date} we supplied you with ", "during the last quarter you took from our network ", "for {month} we charge you for "]) + "%d %s of %s." % (u, s[2], s[0]), "The meter stood at %d and now stands at %d." % (a, b), "Together with the %s and the %s this comes to %s." % (k.pick(s[3]).lower(), k.pick(s[3]).lower(), k.money(10, 600)), *fs(k, PAY, 2, 4), *fs(k, s[4], 1, 3), k.opt(0.6, name))


def layout_plan_change(k):
    """Adjusted instalment plan and price change with current bill."""
    s, name = sup(k)
    return k.lines(name, k.date(), acc(k), k.pick("Dear customer,", "Dear " + k.person() + ","), k.para("your %s use for the period was %d %s and has been billed at %s." % (s[0], k.num(10, 3000), s[2], k.money(50, 1500)), f(k, ["We have set your new monthly payment at {money}.", "From {date} the unit price changes.", "Because you used less your payment falls to {money}.", "Your budget plan was reviewed."]), *fs(k, PAY, 1, 3)), k.table(["Due", "Instalment"], [[k.date(), k.amount(20, 200)] for _ in range(k.num(3, 11))]), " ".join(fs(k, s[4], 1, 2)), k.opt(0.5, k.person() + ", Customer care"))


def layout_long(k):
    s, name = sup(k)
    a, b, u = readings(k)
    secs = [("Your account summary", "Previous balance %s\nPayment received %s\nNew charges %s\n%s" % (k.money(10, 300), k.money(10, 300), k.money(10, 300), tot(k))), ("Meter information", mtr(k) + "\nPrevious %d present %d use %d %s" % (a, b, u, s[2])), ("Charges in detail", k.table(["Charge", "Quantity", "Rate", "Amount"], crows(k, s, min(7, len(s[3]))))), ("Your usage history", "\n".join("%s  %d %s" % (k.month_year(), k.num(8, 900), s[2]) for _ in range(k.num(4, 12)))), ("How to pay", "\n".join("- " + x for x in fs(k, PAY, 3, 6))), ("Messages", " ".join(fs(k, s[4], 2, 5))), ("Terms explained", " ".join(k.some(["Standing charge: the daily cost of keeping you connected.", "kWh: a unit of energy.", "Estimated reading: we could not reach your meter.", "Tariff: the price plan you are on.", "Credit: money we owe you.", "Arrears: money not paid from earlier bills.", "Unit rate: the price of each unit you use."], 3, 6))), ("Complaints", f(k, ["Write to {address} or call {phone}.", "If we cannot agree you may go to the energy ombudsman.", "We aim to answer within {num} days."])), ("Moving home?", f(k, ["Tell us two weeks before and give us a final reading.", "Call {phone} with your new address.", "The new tenant must sign a supply contract."])), ("Emergencies", "Call %s at any time." % k.phone())]
    keep = sorted(k.r.sample(range(len(secs)), k.num(5, 10)))
    return k.lines(name, k.person() + "\n" + k.address(), acc(k), period(k), k.opt(0.5, "Your %s bill" % s[0]), GAP, "\n\n".join(secs[i][0] + "\n" + secs[i][1] for i in keep))


def layout_old(k):
    s, name = sup(k)
    a, b, u = readings(k)
    return k.lines(name.upper(), k.pick("Office hours 9 to 4", "Established 1896", ""), "To " + k.person() + ", " + k.street(), "Folio " + k.ref(), "To supply of " + s[0] + " for the quarter ended " + k.date(), "By meter, %d less %d, being %d %s at %s" % (b, a, u, s[2], k.money(0, 2)), k.pick(s[3]) + " " + k.money(1, 20), "Arrears brought forward " + k.money(0, 50), "Total " + k.money(5, 200), f(k, ["The Company's collector will call on {date}.", "Discount allowed if paid within 14 days.", "Consumers are requested to bring this paper when paying.", "The supply will be discontinued in default of payment."]))


def layout_app(k):
    """Held out: app screen."""
    s, name = sup(k)
    return k.lines(name + " app", "Hi " + k.first() + "!", "This month: %d %s" % (k.num(8, 600), s[2]), "Last month: %d %s" % (k.num(8, 600), s[2]), "Cost so far " + k.money(5, 300), tot(k), "Due " + k.date(), "> Submit meter reading", "> Pay now", "> Change tariff", acc(k), f(k, s[4]))


def layout_ledger(k):
    """Held out: ledger of a customer account."""
    s, name = sup(k)
    L = ["%s  %s  %s  bal %s" % (k.date(), k.pick("reading %d" % k.num(100, 9999), "charge for %d %s" % (k.num(8, 600), s[2]), "payment received, thank you", k.pick(s[3]), "instalment"), k.amount(5, 300), k.amount(5, 500)) for _ in range(k.num(4, 9))]
    return k.lines(acc(k) + " / " + k.person() + " / " + s[0] + " at " + k.street(), "\n".join(L), "Customer owes " + name + " " + k.money(5, 500) + ", payable " + k.date())


def layout_bundle(k):
    """A long document: the letter with its enclosures."""
    out = [k.pick(layout_bill, layout_annual, layout_long)(k)]
    for g in k.some([layout_plan_change, layout_telecom, layout_business, layout_prose, layout_fieldlist], 1, 3):
        out.append(k.pick("", "Page 2", "Enclosure", "Attachment", "Annex " + k.pick("A", "1"), "- - -", "(continued)"))
        out.append(g(k))
    return "\n\n".join(x for x in out if x)


TITLES = ["Utility Bill", "UTILITY BILL", "Utility bill for {month}", "Your utility bill", "Energy bill", "Electricity, gas and water bill", "Bill for {month}", "Household utility bill {ref}"]


def named(layout):
    """One document in five carries a title that names the class."""
    def g(k):
        text = layout(k)
        if k.maybe(0.2):
            text = f(k, TITLES) + k.pick("\n", "\n\n", "\n") + text.lstrip()
        return "\n".join(x.rstrip() for x in text.split("\n")).strip("\n")
    g.__name__ = layout.__name__
    return g


LAYOUTS = [named(x) for x in (layout_bill, layout_short, layout_mail, layout_annual, layout_telecom, layout_reminder, layout_ocr, layout_landlord, layout_prepay, layout_business,
                              layout_fieldlist, layout_prose, layout_plan_change, layout_long, layout_old, layout_bundle)]
LAYOUTS += [layout_app, layout_ledger]          # held out
