"""Tax notices: assessments, reminders, refunds, audits, property tax, customs, penalties from a tax authority."""

ALIASES = ["tax_notice", "Tax Notice", "tax assessment", "notice of assessment", "letter from the tax office", "tax demand", "Tax bill", "revenue notice", "tax_letter", "TAX_NOTICE", "income tax notice",
           "Tax Office Letter", "fiscal notice", "tax authority letter", "council tax notice", "IRS letter", "HMRC letter", "tax"]

DESCRIPTIONS = ["a tax authority tells a taxpayer how much tax is due or refunded", "assessment, reminder or penalty from the revenue office", "official letter about income tax, VAT, property tax or other taxes", "notice of tax due with period, tax base, amount and deadline",
                "the state asks a taxpayer to pay tax or file a return", "a letter from the tax office about an assessment, audit, refund or objection", "informs about taxes owed to a government or municipality", "a municipal or national tax demand"]

GAP = " "


def f(k, lst):
    return k.fill(k.pick(lst))


def fs(k, lst, a, b):
    return [k.fill(x) for x in k.some(lst, a, b)]


OFFICE = ["{city} Tax Office", "Department of Revenue", "Revenue Commissioners", "HM Revenue & Customs", "Internal Revenue Service", "Finanzamt {city}", "Income Tax Department, Ward {num}", "Canada Revenue Agency", "Australian Taxation Office", "City of {city} Finance Department", "{city} Municipality, Rates Department", "County Treasurer",
          "Office of the Tax Collector, {city}", "Direction generale des Finances publiques", "Agencia Tributaria", "State Board of Equalization", "Kenya Revenue Authority", "South African Revenue Service", "Inland Revenue", "Skatteverket", "Belastingdienst", "{city} District Council, Council Tax Section", "Commissioner of GST and Central Excise, {city}", "Bureau of Internal Revenue", "National Tax Agency, {city} office", "Agenzia delle Entrate", "Federal Inland Revenue Service"]
TAXES = [("income tax", ["taxable income", "income from employment", "rental income", "capital gains", "interest received", "standard deduction", "personal allowance", "tax withheld by the employer", "child allowance", "church tax", "solidarity surcharge", "medicare levy", "tax credit", "business expenses allowed", "travel to work"]),
         ("value added tax", ["output tax", "input tax", "taxable turnover", "intra-community acquisitions", "zero-rated exports", "net tax payable", "input credit disallowed", "late filing surcharge"]),
         ("goods and services tax", ["outward supplies", "input tax credit claimed", "CGST", "SGST", "IGST", "interest under section 50", "mismatch with GSTR-2A", "late fee"]),
         ("property tax", ["assessed value", "land", "improvements", "homestead exemption", "school district levy", "county levy", "millage rate", "fire district", "drainage district", "net annual value"]),
         ("council tax", ["band", "discount for single occupancy", "police precept", "parish council", "fire and rescue authority", "adult social care", "amount brought forward"]),
         ("corporation tax", ["profit per accounts", "depreciation added back", "capital allowances", "losses brought forward", "tax at the main rate", "payments on account", "interest charged"]),
         ("trade tax", ["trade income", "base amount", "municipal multiplier", "allowance", "advance payments"]), ("payroll tax", ["wages paid", "withholding", "employer's social security", "deposits made", "balance due", "number of employees"]),
         ("inheritance tax", ["value of the estate", "debts and funeral costs", "personal exemption", "share of the heir", "rate by degree of kinship"]), ("motor vehicle tax", ["engine capacity", "CO2 emission", "registration number", "annual rate", "reduction for electric drive"]),
         ("dog tax", ["first dog", "second dog", "tag number", "annual rate"]), ("land tax", ["unit value", "assessment rate", "multiplier", "parcel number", "garden area"]), ("self assessment tax", ["balancing payment", "first payment on account", "class 4 National Insurance", "student loan repayment", "dividend income", "savings income"]),
         ("customs duty", ["customs value", "tariff code", "duty rate", "import VAT", "handling charge", "origin"]), ("tourist tax", ["overnight stays", "rate per night", "guests exempted"]), ("sales and use tax", ["gross sales", "exempt sales", "taxable purchases", "state rate", "local rate", "vendor discount"])]
NAMES = ["Notice of Assessment", "TAX NOTICE", "Tax assessment", "Notice of tax due", "Demand notice", "Statement of tax account", "Notice of proposed adjustment", "Final notice", "Reminder of unpaid tax", "Notice of penalty", "Notice of refund", "Tax calculation", "Bescheid", "Avis d'imposition", "Intimation under section 143(1)", "Notice CP14", "Annual tax bill", "Notice of reassessment", "Advance payment notice", "Show cause notice"]
DUE = ["Please pay {money} by {date}.", "The amount is due within {num} days of this letter.", "Payment is due on {date}.", "The balance must reach us not later than {date}.", "Pay the first half by {date} and the second half by {date}.", "Please transfer the amount to the account of the treasury at {bank}.", "The amount will be collected by direct debit on {date}.", "You may pay in ten monthly instalments.",
       "Quote your tax number with every payment.", "If you have already paid, please ignore this letter.", "Interest runs from {date} until payment.", "You can pay online, by bank transfer or at any post office.", "Cheques should be made payable to the treasurer.", "A remittance slip is attached."]
LEGAL = ["You may object in writing within one month of receipt.", "An appeal does not suspend the duty to pay.", "If you disagree, you have {num} days to appeal.", "Objection may be lodged with the office named above.", "This assessment is subject to review.", "The assessment is provisional as regards pension income.", "A late payment surcharge of one per cent for each month will be added.", "Failure to comply may result in a penalty or prosecution.", "If payment is not made enforcement will follow without further warning.",
         "We may take the amount from your wages or bank account.", "Keep your records for six years.", "Estimated because no return was filed.", "A penalty of {money} has been charged for late filing.", "The goods may be seized by bailiffs.", "You are required to attend in person on {date}.", "You have the right to be represented.", "The notice has been produced by machine and is valid without signature.", "Overpayment is carried to the next period.", "A lien will be placed on your property."]
WHY = ["We have assessed your return for the year {num2}.", "Our records show that you have not filed your return for the period ending {date}.", "We changed the figures in your return.", "After checking your return we disallowed part of the expenses.", "Information from your employer does not agree with your return.", "We received information from {bank} about interest you did not declare.", "Your account shows an unpaid balance.", "Thank you for your return received on {date}.", "Following the audit of your books the tax has been set as follows.", "The value of your property has been reassessed.", "Your new advance payments are set out below.", "We have worked out that you paid too much.", "Your request for deferment of {date} is granted.", "The travel costs could not be accepted because receipts were missing.",
       "The invoices submitted do not meet the requirements for input tax.", "The home office was allowed in part.", "The employment contract abroad does not change your residence for tax.", "We have no record of the deduction shown on your payslip.", "You have been chosen for a compliance check.", "The return has been accepted as filed.", "Donations were deducted as far as certificates were enclosed."]


def office(k):
    return f(k, OFFICE)


def tid(k):
    lab = k.pick("Tax number", "Tax ID", "Taxpayer reference", "UTR", "PAN", "TIN", "Steuernummer", "VAT registration no.", "Account", "SSN ending", "ABN", "NIF", "GSTIN", "Your reference", "Parcel no.", "PIN", "Reference", "File no.")
    return lab + k.pick(": ", " ", " no. ") + k.pick(k.ref(), "%d/%d/%05d" % (k.num(10, 99), k.num(100, 999), k.num(10000, 99999)), "%05d %05d" % (k.num(10000, 99999), k.num(10000, 99999)), "".join(k.r.choice("ABCDEFGHKLMPRSTUVZ") for _ in range(5)) + str(k.num(1000, 9999)) + "K")


def year(k):
    y = k.num(2014, 2026)
    return k.pick(str(y), "%d-%02d" % (y, (y + 1) % 100), "%d/%02d" % (y, (y + 1) % 100), "the year ended 5 April %d" % y, "quarter %d of %d" % (k.num(1, 4), y), k.month_year(), "AY %d-%02d" % (y, (y + 1) % 100), "FY %d" % y)


def why(k, a, b):
    return [x.replace("{num2}", str(k.num(2014, 2026))) for x in fs(k, WHY, a, b)]


def rows(k, t, lo=3, hi=8):
    return [[x[:1].upper() + x[1:], k.amount(50, 60000)] for x in k.some(t[1], min(lo, len(t[1])), hi)]


def result(k):
    return f(k, ["Balance due {money}", "Amount payable {money}", "Refund {money}", "Tax due: {money}", "Total to pay {money}", "Overpaid: {money}", "Still outstanding: {money}", "To be refunded to you {money}", "Nil balance", "You owe {money}", "Arrears {money}"])


def tname(k, t):
    return k.pick(t[0], t[0].title(), t[0].upper()) if k.maybe(0.8) else "tax"


def layout_assessment(k):
    t = k.pick(TAXES)
    return k.lines(office(k), k.opt(0.6, k.address()), GAP, k.opt(0.7, k.pick(k.person(), k.company()) + "\n" + k.address()), GAP, tid(k), k.opt(0.7, k.pick("Date of issue: ", "Date: ", "Issued ") + k.date()), k.opt(0.4, "Telephone enquiries " + k.phone()), GAP, k.opt(0.65, k.pick(NAMES) + k.pick(" for ", " - ", ", ") + year(k)), k.pick("Assessment of ", "Calculation of ", "Determination of ", "Notice on ") + t[0] + " for " + year(k), GAP, " ".join(why(k, 1, 2)), k.table([k.pick("Description", "Item", "Basis"), k.pick("Amount", k.currency(), "Amount " + k.currency())], rows(k, t)), k.opt(0.6, k.table(["", ""], [[t[0].capitalize() + " assessed", k.amount(200, 20000)], [k.pick("Less paid", "Credited", "Withheld", "Payments on account"), k.amount(50, 9000)]])), result(k), GAP, " ".join(fs(k, DUE, 1, 3)), " ".join(fs(k, LEGAL, 1, 4)), k.opt(0.5, k.pick(k.person() + ", " + k.pick("Tax officer", "Inspector", "Assessing officer", "Collector of taxes", "Case worker"), "By order", "No signature required")))


def layout_reminder(k):
    t = k.pick(TAXES)
    return k.lines(k.opt(0.8, office(k)), k.opt(0.5, k.person()), k.opt(0.6, k.date()), tid(k), k.opt(0.5, k.pick("Reminder", "FINAL NOTICE", "Demand for payment of tax", "Warning of enforcement", "Overdue " + t[0], "Tax notice: amount overdue")), GAP, k.pick("Dear taxpayer,", "Dear Sir or Madam,", "Dear " + k.person() + ",", ""), f(k, ["According to our records the following has not been paid:", "You have not paid what you owe us.", "We wrote to you on {date} about your unpaid ", "Your account is overdue.", "Our letter of {date} has not been answered."]).replace("unpaid ", "unpaid " + t[0] + "."), t[0].capitalize() + " " + year(k) + ": " + k.money(50, 20000), k.opt(0.6, "Late payment " + k.pick("surcharge", "penalty", "interest", "fee") + ": " + k.money(5, 900)), k.opt(0.6, result(k)), " ".join(fs(k, DUE, 1, 3)), " ".join(fs(k, LEGAL, 1, 3)), k.opt(0.5, k.person()))


def layout_refund(k):
    t = k.pick(TAXES)
    return k.lines(k.opt(0.8, office(k)), tid(k), GAP, k.opt(0.6, "Dear " + k.person() + ","), k.para(f(k, ["We have worked out that you are owed money back.", "Your return for {year} shows an overpayment.", "Good news: you have paid too much ", "After processing your return we owe you {money}.", "A repayment of {money} has been approved."]).replace("too much ", "too much " + t[0] + "."), f(k, ["The amount will be paid into the account you gave us.", "The sum was set off against arrears of {money}.", "A cheque will be sent to you within {num} days.", "You need do nothing.", "Please confirm your bank details with {bank}.", "Interest of {money} has been added."]), f(k, ["Should you disagree you may appeal within {num} days.", "Keep this letter for your records.", "The figures are based on the return you filed on {date}.", "Beware of e-mails asking for card details; we never do.", "Tax credits were taken into account."])), k.opt(0.7, k.table(None, rows(k, t, 3, 5))), k.opt(0.5, k.person()))


def layout_audit(k):
    t = k.pick(TAXES)
    asks = k.some(["sales invoices and receipts", "bank statements", "purchase invoices over " + k.money(100, 5000), "the ledger and cash book", "employment contracts and payslips", "rental agreements", "mileage records", "certificates of withheld tax", "stock lists at the year end", "import documents", "proof of donations", "shareholder minutes"], 3, 7)
    return k.lines(office(k), k.opt(0.7, k.company() + "\n" + k.address()), k.opt(0.6, k.date()), tid(k), k.opt(0.5, k.pick("Notice of examination", "Audit order", "Check of your " + t[0] + " return", "Request for information", "Notice under section 142", "Desk audit", "Summons to produce records")), GAP, k.pick("Dear Sir or Madam,", "Dear taxpayer,", "To the directors,"), f(k, ["We intend to examine your books for ", "Your return has been selected for a check for ", "An inspector, {person}, will visit your premises on {date} at {time}. The check covers ", "I am checking your return for "]) + year(k) + " (" + t[0] + ").", k.pick("Please have ready:", "Please send us by " + k.date() + ":", "We need the following:", "You are required to produce"), "\n".join(k.pick("- ", "* ", "") + x for x in asks), " ".join(fs(k, LEGAL, 1, 4)), k.opt(0.8, k.person() + k.pick(", tax inspector", ", auditor", ", income tax officer", ", compliance caseworker")))


def layout_property(k):
    t = k.pick([x for x in TAXES if x[0] in ("property tax", "council tax", "land tax", "dog tax", "motor vehicle tax")])
    inst = [["Instalment %d" % (i + 1), k.date(), k.amount(40, 1500)] for i in range(k.num(2, 4))]
    return k.lines(k.pick(office(k), "City of " + k.city(), "County of " + k.last(), k.city() + " Borough Council"), k.opt(0.6, k.pick(t[0].title() + " bill ", "REAL ESTATE TAX STATEMENT ", "Demand notice ", "Rates notice ", "Municipal charges ") + year(k)), tid(k), k.pick("Owner: ", "Liable person: ", "Bill to ", "Keeper: ") + k.person(), k.opt(0.8, k.pick("Property: ", "Situs: ", "Location ") + k.address(", ")), GAP, k.table(["Levy", k.pick("Amount", "Charge")], rows(k, t, 3, 7)), result(k), k.opt(0.7, k.table(["Part", "Due", "Amount"], inst)), " ".join(fs(k, DUE + ["A discount of two per cent applies if paid before {date}.", "If your mortgage lender pays this, send the bill to them.", "Owners over 65 may apply for an exemption.", "Appeals go to the board of review."], 1, 4)), " ".join(fs(k, LEGAL, 0, 2)))


def layout_portal(k):
    t = k.pick(TAXES)
    return k.lines(k.opt(0.5, "From: no-reply@" + k.pick("tax", "revenue", "incometax", "treasury") + ".gov.example"), k.opt(0.5, "Subject: " + k.pick("A new message is in your tax account", "Your " + t[0] + " return", "Notice available", "Return processed", "Payment received")), k.pick("You have a new notice in your tax account.", "Dear taxpayer,", "Message from " + office(k), "eFiling notification"), f(k, ["Your return for {year} was processed.", "A notice was issued for your file.", "Your payment of {money} has been credited.", "Please respond to the outstanding demand.", "Your return is due on {date}.", "Your return is defective; please correct it within 15 days."]), tid(k), t[0].capitalize() + " " + year(k), result(k), f(k, ["Sign in to view the details.", "Do not reply to this e-mail.", "Pay through net banking before {date}.", "Response due by {date}.", "Help line {phone}."]))


def layout_short(k):
    t = k.pick(TAXES)
    return k.para(k.opt(0.6, office(k) + "."), k.opt(0.5, tid(k) + "."), f(k, ["Your {tx} for {yr} has been set at {money}.", "Your {tx} return for {yr} has not been received; file by {date} or a penalty of {money} applies.", "{tx} of {money} for {yr} is overdue.", "We have fixed your advance payments of {tx} at {money} a quarter.", "You are due a refund of {tx} of {money}.", "Reminder: the second instalment of {tx} falls due on {date}.", "Penalty of {money} for late filing of {tx} {yr}."]).replace("{tx}", t[0]).replace("{yr}", year(k)), f(k, DUE), k.opt(0.4, f(k, LEGAL)))


def layout_adjust(k):
    t = k.pick(TAXES)
    rs = [[x, k.amount(500, 60000), k.amount(500, 60000)] for x in k.some(t[1], 3, 6)]
    return k.lines(k.opt(0.8, office(k)), k.opt(0.6, k.person() + ", " + k.address(", ")), tid(k), k.opt(0.6, k.pick("Notice ", "Letter ") + k.ref("CP", "LT", "N")), k.opt(0.6, k.pick("Proposed changes to your return", "We changed your return", "Notice of deficiency", "Corrected assessment", "Explanation of differences")), GAP, " ".join(why(k, 2, 5)), k.table(["", k.pick("As filed", "Shown on return", "Declared"), k.pick("As corrected", "Reported by others", "As assessed")], rs), k.pick("Additional tax ", "Difference ", "Increase in tax ") + k.money(30, 9000), k.opt(0.6, "Penalty " + k.money(10, 900)), k.opt(0.6, "Interest to " + k.date() + " " + k.money(5, 400)), result(k), k.pick("If you agree, sign and return the slip below.", "If you agree, you need not reply.", "Tick one: [ ] I agree  [ ] I do not agree", "What you should do: check the figures against your records."), " ".join(fs(k, LEGAL, 1, 3)), " ".join(fs(k, DUE, 1, 2)))


def layout_objection(k):
    t = k.pick(TAXES)
    return k.lines(office(k), k.opt(0.6, k.date()), tid(k), k.opt(0.6, k.pick("Decision on your objection", "Ruling on appeal", "Reply to your letter", "Order")), GAP, f(k, ["Your objection of {date} against the assessment of ", "We refer to your appeal against the determination of ", "The application for remission of "]) + t[0] + " " + year(k) + k.pick(" is allowed in part.", " is dismissed.", " has been granted.", " cannot be accepted.", " is rejected as out of time."), k.pick("Reasons", "Grounds", "") , " ".join(why(k, 2, 4) + fs(k, ["The expenses are of a private nature.", "The evidence supplied was enough.", "The law allows no discretion.", "The receipts were produced only now.", "The contract shows that the services were taxable here.", "The medical report was accepted as proof of hardship.", "The bank statement does not show who paid."], 1, 3)), result(k), " ".join(fs(k, LEGAL, 1, 3) + fs(k, DUE, 0, 2)), k.person())


def layout_register(k):
    return k.lines(office(k), k.opt(0.6, k.company()), tid(k), GAP, f(k, ["You have been registered for value added tax with effect from {date}.", "Your tax code has changed.", "You have been allotted a new tax number.", "You must send us a tax return for the year to {date}.", "Your registration as a taxable person will be cancelled on {date}.", "We have noted your change of address.", "Your exemption as a charity has been confirmed.", "A certificate of clearance is issued."]), " ".join(fs(k, ["Returns are due each quarter.", "File online not later than {date}.", "Your allowance is {money}.", "The code tells your employer how much to deduct from your wages.", "Show the number on all invoices you issue.", "If the details are wrong, tell us within {num} days.", "You must keep records of sales and purchases.", "Penalties apply if the return is late.", "The first period ends on {date}.", "Company car benefit has been taken into account.", "Your turnover exceeded the threshold of {money}.", "Nothing is payable now."], 3, 7)), k.opt(0.5, k.person()))


def layout_ocr(k):
    t = k.pick(TAXES)
    L = [office(k).upper(), tid(k), "PERIOD " + year(k), "DATE " + k.date(), k.person().upper(), k.street().upper()] + ["%s %s" % (a.upper() if k.maybe(0.5) else a, b) for a, b in rows(k, t, 4, 8)] + [result(k), "PAY BY " + k.date(), "IBAN " + k.iban(), k.fill("PENALTY AFTER DUE DATE {percent}"), k.pick("TEAR OFF HERE", "PAYMENT SLIP", "DETACH AND RETURN WITH PAYMENT", "OFFICE COPY")]
    if k.maybe(0.4):
        L.insert(1, k.pick(NAMES).upper())
    if k.maybe(0.4):
        i, j = sorted(k.r.sample(range(len(L)), 2))
        L[i], L[j] = L[j], L[i]
    return "\n".join(L)


def layout_customs(k):
    p = k.some(["clothing", "electronic parts", "shoes", "books", "cosmetics", "machine parts", "toys", "spirits", "food supplement", "furniture"], 1, 4)
    return k.lines(k.pick("Customs and Excise, " + k.city(), "Main customs office " + k.city(), "Border Force", "Directorate of Customs"), k.opt(0.6, k.pick("Notice of duty and import tax", "Assessment of import charges", "Tax notice for an import", "Excise assessment")), tid(k), "Declarant: " + k.pick(k.person(), k.company()), k.opt(0.6, "Consignment / airway bill " + k.ref("AWB", "RR")), GAP, k.table(["Goods", "Value", "Rate", "Duty"], [[x, k.amount(20, 4000), k.percent(2, 25), k.amount(2, 800)] for x in p]), "Import VAT " + k.money(5, 900), "Total charges " + k.money(10, 1500), f(k, ["The invoice value was not accepted and has been replaced by a comparable value.", "The goods will be released after payment.", "Additional duty is assessed after a check of the shipping papers.", "Pay within ten days."]), " ".join(fs(k, LEGAL, 1, 2)))


def layout_long(k):
    t = k.pick(TAXES)
    secs = [("Summary", result(k) + ". " + " ".join(fs(k, DUE, 1, 2))), ("How we worked it out", k.table(["Item", k.currency()], rows(k, t, 4, 9))), ("Why we are writing", " ".join(why(k, 2, 5))), ("What you need to do", "\n".join(k.pick("- ", "* ") + x for x in fs(k, DUE, 3, 5))), ("If you cannot pay", " ".join(fs(k, ["Call us on {phone} before {date}.", "You may ask for time to pay.", "We will ask about your income, savings and debts.", "Instalments need a written agreement.", "In case of hardship part of the tax can be remitted."], 2, 4))), ("Your rights", " ".join(fs(k, LEGAL, 3, 6))), ("Penalties and interest", " ".join(fs(k, ["Interest is charged from the due date at {percent} a year.", "A late filing penalty of {money} has been added.", "The penalty may be cancelled if you had a reasonable excuse.", "A further penalty follows after {num} days."], 2, 4))), ("Notes on the figures", " ".join(why(k, 3, 6))), ("Advance payments", k.table(["Due", "Amount"], [[k.date(), k.amount(100, 3000)] for _ in range(4)])), ("Contact", "%s, %s, %s, open %s to %s" % (office(k), k.address(", "), k.phone(), k.time(), k.time()))]
    keep = sorted(k.r.sample(range(len(secs)), k.num(5, 10)))
    return k.lines(office(k), k.person() + "\n" + k.address(), k.date(), tid(k), k.opt(0.6, k.pick(NAMES)), tname(k, t) + ", " + year(k), GAP, "\n\n".join(secs[i][0] + "\n" + secs[i][1] for i in keep))


def layout_old(k):
    t = k.pick(TAXES)
    return k.lines(k.pick("OFFICE OF THE COLLECTOR, ", "REVENUE OFFICE, ") + k.city().upper(), k.date(), GAP, "To " + k.person() + ", of " + k.street(), GAP, f(k, ["TAKE NOTICE that you have been assessed to ", "You are hereby required to pay the under-mentioned sum in respect of ", "Whereas you have been charged with "]) + t[0] + " for " + year(k) + " in the sum of " + k.money(50, 8000) + ".", f(k, ["AND FURTHER that should you neglect to pay the same within {num} days the goods and chattels may be distrained.", "Any person aggrieved by this charge may appeal to the Commissioners.", "Payment may be made at this office on any weekday."]), k.pick("By order,", "Given under my hand,", "") , k.person() + ", " + k.pick("Collector of Taxes", "Surveyor", "Tahsildar", "Treasurer"))


def layout_table_letter(k):
    """Held out: bilingual style two column field list, result at the top."""
    t = k.pick(TAXES)
    return k.lines(result(k).upper(), "Authority / Behörde: " + office(k), "Taxpayer / Contribuable: " + k.person(), "Ref.: " + tid(k), "Tax / Impuesto: " + t[0], "Period: " + year(k), "Deadline: " + k.date(), "Account: " + k.iban(), "Reason: " + why(k, 1, 1)[0], "Appeal: " + f(k, LEGAL), "Amounts: " + "; ".join(a + " = " + b for a, b in rows(k, t)))


def layout_talk(k):
    """Held out: plain-language letter with questions as headings."""
    t = k.pick(TAXES)
    return k.lines("Hello " + k.person() + ",", "this letter is about your " + t[0] + " for " + year(k) + ".", "What have we done?", why(k, 1, 1)[0], "How much is it?", result(k) + ".", "What must you do?", " ".join(fs(k, DUE, 2, 2)), "What if you think we are wrong?", f(k, LEGAL), "Who are we?", office(k) + ", " + k.phone() + ", " + tid(k))


def layout_bundle(k):
    """A long document: the letter with its enclosures."""
    out = [k.pick(layout_assessment, layout_long, layout_adjust, layout_objection)(k)]
    for g in k.some([layout_ocr, layout_register, layout_property, layout_reminder, layout_audit], 1, 3):
        out.append(k.pick("", "Page 2", "Enclosure", "Attachment", "Annex " + k.pick("A", "1"), "- - -", "(continued)"))
        out.append(g(k))
    return "\n\n".join(x for x in out if x)


TITLES = ["Tax Notice", "TAX NOTICE", "Tax notice no. {ref}", "Notice of tax", "Tax assessment notice", "Notice from the tax office", "Annual tax notice"]


def named(layout):
    """One document in five carries a title that names the class."""
    def g(k):
        text = layout(k)
        if k.maybe(0.2):
            text = f(k, TITLES) + k.pick("\n", "\n\n", "\n") + text.lstrip()
        return "\n".join(x.rstrip() for x in text.split("\n")).strip("\n")
    g.__name__ = layout.__name__
    return g


LAYOUTS = [named(x) for x in (layout_assessment, layout_reminder, layout_refund, layout_audit, layout_property, layout_portal, layout_short, layout_adjust, layout_objection,
                              layout_register, layout_ocr, layout_customs, layout_long, layout_old, layout_bundle)]
LAYOUTS += [layout_table_letter, layout_talk]          # held out
