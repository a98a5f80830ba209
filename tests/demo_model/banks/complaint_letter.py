"""Complaint letters: customers, tenants, patients, parents, passengers, employees, firms; demand for remedy."""

ALIASES = ["complaint_letter", "Complaint Letter", "complaint", "letter of complaint", "customer complaint", "grievance letter", "Formal complaint", "reclamation", "claim of defect", "COMPLAINT_LETTER", "complaint e-mail", "Customer grievance",
           "dissatisfaction letter", "Complaint about goods or service", "complaints", "consumer complaint", "Grievance", "notice of defects"]

DESCRIPTIONS = ["someone complains about goods, a service or conduct and wants a remedy", "a dissatisfied customer writes to a company", "expresses dissatisfaction and asks for refund, repair or apology", "letter or e-mail about a defect, delay, wrong bill or bad treatment", "a grievance sent to a firm, landlord, school or authority",
                "complaint with facts, disappointment and a demand", "customer is unhappy and demands that it be put right", "describes what went wrong and what the writer expects"]

GAP = " "


def f(k, lst):
    return k.fill(k.pick(lst))


def fs(k, lst, a, b):
    return [k.fill(x) for x in k.some(lst, a, b)]


# topic, what happened, what is wanted
SIT = [
    ("goods", ["On {date} I bought {product} from your shop and it stopped working after {num} days.", "The {product} you delivered is scratched and one leg is broken.", "I ordered {num} pieces of {product} but only half arrived.", "The shoes I bought came apart at the sole after the second wearing.", "The washing machine makes a terrible noise and leaks on the floor.", "You sent me the wrong colour and the wrong size.", "The sofa smells of chemicals and the fabric is already fraying.", "The phone battery dies after two hours.", "The food was past its best before date and the lid was swollen.", "The dishwasher was delivered with a dent in the front.", "The laptop arrived with a cracked screen.", "The toy my daughter got for her birthday broke on the first day."],
     ["I want my money back.", "Please replace the item free of charge.", "I return the goods at your expense and expect a refund of {money}.", "Please collect the faulty goods.", "I demand repair under the guarantee.", "I ask for a credit note."]),
    ("delivery", ["The goods were promised for {date} and still have not come.", "Your driver left the parcel in the rain and everything is soaked.", "I took a day off work and nobody turned up.", "Your tracking page says delivered, but I received nothing.", "The pallets were delivered to the wrong building and blocked the fire exit.", "Three deliveries in a row were late and our production stood still.", "The courier was rude and refused to carry the box to the door.", "The frozen goods arrived thawed."],
     ["Tell me by {date} where my order is.", "Please deliver at once or cancel the order.", "We hold you liable for the loss.", "Please refund the delivery charge.", "I expect a firm date in writing."]),
    ("billing", ["Your bill charges me for {num} months after I had cancelled.", "I have been charged twice for the same order.", "The invoice is higher than the price we agreed on the telephone.", "You have taken {money} from my account without permission.", "The meter reading on your bill cannot be right.", "The hotel charged me for a minibar I never opened.", "My refund was promised on {date} and has not arrived.", "Your reminder concerns a bill that I paid long ago; the bank statement proves it.", "I was charged roaming fees although I never left the country.", "The garage invoice lists work that was never done.", "Bank charges of {money} were debited without explanation."],
     ["Please correct the bill and confirm.", "I expect the amount to be credited within 14 days.", "Please send me a correct invoice.", "Stop the reminders at once.", "Please refund {money} to my account."]),
    ("hotel and travel", ["The room was dirty, the air conditioning did not work and there were insects in the bathroom.", "Building work next to the hotel began at six every morning.", "Our flight was delayed by {num} hours and no one gave us any information.", "The holiday flat looked nothing like the pictures.", "The guide did not turn up and the tour was cancelled without notice.", "My suitcase came back with a broken wheel.", "We were moved to another hotel far away from the beach.", "The train was overcrowded and our reserved seats did not exist.", "The swimming pool was closed for the whole week.", "The bus driver shouted at my mother because she could not climb up fast enough."],
     ["I ask for compensation of {money}.", "We expect a refund of half the price.", "I demand the compensation due to passengers.", "An apology and a voucher are the least I expect.", "Please return the booking fee."]),
    ("restaurant", ["We waited over an hour for our food, and when it came it was cold.", "I found a piece of glass in my salad.", "The waiter was rude and laughed when I pointed out the mistake.", "Two of us were ill the next day after eating the chicken.", "The bill included dishes we had not ordered.", "You gave our table to others although we had booked.", "The takeaway was cold and half of it was missing."],
     ["Please tell me what you will do about hygiene.", "I would like my money back.", "A word of apology would be fitting.", "Please look into this with your staff."]),
    ("housing", ["The heating in my flat has been broken for {num} days.", "There is black mould in the bedroom and my child coughs all night.", "The people above play loud music until three in the morning.", "The lift has been out of order since {date} and my mother cannot leave the house.", "Water is still dripping through the ceiling although I told you twice.", "The stairs have not been cleaned for weeks.", "You entered my flat without telling me.", "The service charges have doubled without any explanation.", "Rats have been seen near the bins.", "Cars park on the footpath in front of our house every day."],
     ["I will reduce the rent until it is repaired.", "Please repair it by {date}.", "I ask you to speak to the neighbours.", "Please send a plumber at once.", "I want a written explanation of the charges."]),
    ("health", ["My father waited nine hours in the emergency room without being seen.", "The nurse spoke to me in a way I found humiliating.", "The dentist's filling fell out after two days.", "My appointment was cancelled three times.", "The wrong medicine was given to my aunt.", "The medical report was sent to the wrong address.", "The receptionist discussed my illness in front of other people.", "The care home lost my mother's glasses and her clothes were not changed."],
     ["I expect a full investigation.", "Please send me a copy of the record and an apology.", "I want to know who was responsible.", "Please make sure this does not happen to others."]),
    ("school and public", ["My son is being bullied and the teacher does nothing.", "The course was cancelled but the fee was not returned.", "The street lamp outside our house has been dark since {month}.", "The rubbish has not been collected for three weeks.", "My passport application has been with your office for {num} weeks.", "Your clerk sent me away because of a missing stamp.", "The noise from the building site goes on after ten at night.", "The road is full of holes and my tyre burst.", "The school bus comes late every day.", "I was fined for parking although my ticket was valid.", "The factory's smoke makes it impossible to open a window.", "My pension has not been paid for two months."],
     ["I ask the council to act.", "Please withdraw the fine.", "I request a meeting with the head.", "I ask for a reply in writing within ten days.", "Kindly do the needful at the earliest."]),
    ("bank and insurance", ["Your branch kept me waiting for an hour and then closed the counter.", "My card was swallowed by the machine and nobody helped.", "You have rejected my claim without giving a reason.", "A payment was sent to the wrong account by your staff.", "It took {num} calls before anyone understood my question.", "The loan was sold to me with wrong promises.", "Your adviser never told me about the fees.", "Your insurance pays nothing although I have paid premiums for years."],
     ["Please review the decision.", "I expect the fees to be refunded.", "I will take the matter to the ombudsman.", "Please reply with reasons."]),
    ("telecom", ["The internet has been down for {num} days.", "I have been without a telephone since {date} and your hotline keeps me waiting for forty minutes.", "I was promised a speed that I have never had.", "You extended my contract without my agreement.", "The technician did not come, for the third time.", "My number was switched off by mistake."],
     ["Restore the line at once.", "I give you until {date}, then I will terminate the contract.", "I want the monthly fee back.", "Please release me from the contract."]),
    ("workmanship", ["The painters left stains on the floor and went away before the work was done.", "The new roof leaks in three places.", "The tiles in the bathroom are crooked and already loose.", "Your fitter drilled into a pipe and the kitchen was flooded.", "The kitchen was installed with the wrong worktop.", "The car broke down again one day after your repair.", "The software you installed crashes every morning and data were lost.", "The garden wall is leaning.", "The wedding photographs are out of focus.", "My hair was ruined by the dye.", "The dry cleaner burned a hole in my suit.", "The cleaning team does not empty the bins and the toilets are dirty."],
     ["Please put the defects right within 14 days.", "I withhold the rest of the payment until the work is done.", "If not, I will have another firm do it at your cost.", "I want a reduction of the price by {money}.", "Please send someone to inspect the damage."]),
    ("work", ["My supervisor has shouted at me in front of others on several occasions.", "My overtime of {num} hours has not been paid, as my payslip shows.", "I was passed over for promotion although I have more experience.", "The office is so cold that we work in coats.", "My holiday was refused without a reason.", "A colleague has made offensive remarks about my origin.", "The machine has no guard and someone will get hurt.", "The shifts are changed at a day's notice."],
     ["I raise this as a formal grievance.", "I ask for a hearing with the personnel office.", "I ask that the matter be treated in confidence.", "Please pay what is owed."]),
    ("supplier", ["The batch you supplied under our purchase order failed inspection: {num} of the parts are out of tolerance.", "The steel does not match the certificate.", "The quality of the fabric is far below the sample.", "Your last three deliveries were short.", "The cartons were crushed and the labels wrong.", "The cement had hardened in the bags.", "The seeds have a germination rate of only {num} per cent.", "The uniforms shrank in the first wash.", "Your engineers did not respond within the time agreed in the service contract.", "The printed brochures have the wrong telephone number."],
     ["We reject the goods and ask for replacement.", "Please send a corrective action report by {date}.", "We will deduct {money} from your invoice.", "We charge you with the cost of sorting.", "Please collect the goods and issue a credit note.", "If this goes on we shall look for another supplier."]),
]
OPEN = ["I am writing to complain about the way I was treated.", "I wish to make a formal complaint.", "I must express my great disappointment.", "I am very unhappy with your service.", "I have been a customer for {num} years and have never had cause to write such a letter.", "This is the third time I write about the same matter.", "I am sorry to have to write to you like this.", "I am deeply dissatisfied.", "With this letter I object to the following.", "We regret to inform you that we are not satisfied.", "I am shocked.", "I would like to bring to your notice the following problem.", "I refer to my order {ref}.", "Enough is enough.", "I am extremely angry and upset.", "I wish to draw your attention to a most unpleasant experience.", "Please treat this as a formal grievance.", "Further to my telephone call of {date}, which led to nothing, I now write."]
MORE = ["I rang your hotline {num} times and was passed from one person to the next.", "Your employee {person} promised to call back but never did.", "I wrote to you on {date} and got no answer.", "Nobody apologised.", "I have kept the packaging and the receipt.", "I have photographs to prove it.", "I was told that it was my own fault, which is absurd.", "This is simply not good enough.", "I paid {money} for this.", "My family was very upset.", "I lost a whole working day because of this.", "Your advertisement promised something quite different.", "I spoke to the manager, who shrugged his shoulders.", "I have enclosed copies of the invoice and the delivery note.", "The e-mail I sent was answered by a machine.", "It caused us a great deal of trouble and cost.", "I expected better from a firm of your reputation.", "So far I have only heard excuses.", "Other customers have had the same experience.", "The contract clearly states something else.",
        "I am an elderly person and cannot cope with this.", "Your staff were friendly, but nobody was able to help.", "In fairness, the delivery itself was quick.", "I used the product exactly as the instructions say."]
THREAT = ["If I do not hear from you by {date} I will go to the consumer protection office.", "Otherwise I shall pass the matter to my lawyer.", "I give you 14 days to reply.", "I will post my experience on the internet.", "I shall not recommend you to anyone.", "I will cancel my contract.", "I look forward to your prompt reply.", "I hope this can be settled amicably.", "I reserve all my rights.", "I am sure you will want to put this right.", "You have lost a customer.", "I expect a written answer.", "I will contact the ombudsman.", "I shall take the matter to the small claims court.", "Please acknowledge receipt of this letter.", "I await your comments.", "Please do not send me another standard reply."]


def sit(k):
    s = k.pick(SIT)
    n = k.num(1, 2)
    return s[0], [k.fill(x) for x in k.some(s[1], n, n)], [k.fill(x) for x in k.some(s[2], 1, 2)]


def subj(k, t):
    return k.pick("Complaint", "Complaint about " + t, "Poor service", "Faulty goods", "Order " + k.ref("ORD"), "Unacceptable", "Very disappointed", "My letter of " + k.date(), "Invoice " + k.ref("INV") + " - objection", "Notice of defects", "Complaint letter", "Problem with " + k.fill("{product}"), "Refund please", "Grievance", "Customer no. " + k.ref("C"), "Formal complaint, " + t, "Your ref. " + k.ref())


def hello(k):
    return k.pick("Dear Sir or Madam,", "Dear Sirs,", "To whom it may concern,", "Dear Mr " + k.last() + ",", "Dear Ms " + k.last() + ",", "Dear customer service,", "Dear Manager,", "Respected Sir/Madam,", "Ladies and gentlemen,", "Dear complaints team,")


def bye(k):
    return k.pick("Yours faithfully,", "Yours sincerely,", "Regards,", "Yours in disappointment,", "Kind regards", "Yours, still waiting,", "Thanking you,", "Sincerely,")


def layout_letter(k):
    t, w, want = sit(k)
    return k.lines(k.opt(0.7, k.person() + "\n" + k.address()), GAP, k.opt(0.8, k.company() + "\n" + k.opt(0.6, k.pick("Customer Services", "The Manager", "Complaints Department", "Head Office")) + k.opt(0.6, "\n" + k.address())), GAP, k.opt(0.8, k.date()), GAP, k.opt(0.6, subj(k, t)), GAP, hello(k), GAP, k.opt(0.75, f(k, OPEN)), " ".join(w), GAP, " ".join(fs(k, MORE, 2, 5)), GAP, " ".join(want), " ".join(fs(k, THREAT, 1, 2)), GAP, bye(k), k.person(), k.opt(0.3, "Enclosed: " + k.pick("copy of receipt", "photographs", "copy of invoice", "bank statement", "copy of contract", "medical report", "delivery note")))


def layout_mail(k):
    t, w, want = sit(k)
    return k.lines("From: " + k.email(), "To: " + k.email(), k.opt(0.5, "Date: " + k.date()), "Subject: " + subj(k, t), GAP, k.pick("Hello,", "Hi,", "Dear team,", hello(k)), k.opt(0.5, f(k, OPEN)), " ".join(w), " ".join(fs(k, MORE, 0, 3)), " ".join(want), k.opt(0.7, f(k, THREAT)), bye(k), k.person(), k.opt(0.4, k.phone()))


def layout_short(k):
    t, w, want = sit(k)
    return k.para(k.opt(0.3, "Hello."), w[0], k.opt(0.5, f(k, MORE)), want[0], k.opt(0.4, f(k, THREAT)), k.opt(0.5, k.person()))


def layout_form(k):
    t, w, want = sit(k)
    d = k.pick(": ", " ..... ", " | ", "\n")
    L = ["Name" + d + k.person(), "Address" + d + k.address(", "), "Phone" + d + k.phone(), "Order or customer number" + d + k.ref("C", "ORD"), "Date of the incident" + d + k.date(), "Branch" + d + k.city(), "About" + d + t, "Whom did you speak to" + d + k.person(), "What went wrong?" + d + " ".join(w), "Have you complained before?" + d + k.pick("[x] yes [ ] no", "no", "yes, on " + k.date()), "What would you like us to do?" + d + " ".join(want), "Further remarks" + d + " ".join(fs(k, MORE, 1, 3)), "Signature" + d + k.person(), "Received by" + d + k.department()]
    keep = sorted(set(k.r.sample(range(len(L)), k.num(7, 13))) | {8, 10})
    return k.lines(k.opt(0.6, k.pick("COMPLAINT FORM", "Customer feedback - problem report", "Passenger comments", "Grievance form", "Complaints register", "Tell us what went wrong")), "\n".join(L[i] for i in keep))


def layout_long(k):
    t, w, want = sit(k)
    w = w + [f(k, k.pick([s for s in SIT if s[0] == t])[1])]
    days = [k.date() for _ in range(k.num(3, 7))]
    ev = fs(k, ["I called your service line and spoke to {person}.", "No answer to my e-mail.", "Your technician came but had the wrong part.", "I sent the photographs you asked for.", "You offered me {money}, which I refused.", "A reminder arrived although the matter was open.", "I visited your branch in {city}.", "You promised a solution within a week.", "The same fault came back.", "I sent a registered letter.", "The chat closed without any result.", "Your colleague said the file could not be found."], len(days), len(days))
    chron = "\n".join(d + k.pick(": ", " - ", "  ") + e for d, e in zip(days, ev))
    secs = ["What happened\n" + " ".join(w + fs(k, MORE, 2, 5)), "History of the matter\n" + chron, "Effect on us\n" + " ".join(fs(k, MORE + ["I had to buy a replacement for {money}.", "My work suffered.", "We had to borrow a heater from friends.", "The children were in tears.", "We lost orders worth {money}.", "I could not sleep."], 2, 5)), "What I expect\n" + "\n".join("- " + x for x in want + fs(k, ["a written apology", "payment of {money}", "a clear date", "a single person to deal with", "the name of the person in charge", "training of your staff"], 1, 3)), "Next steps\n" + " ".join(fs(k, THREAT, 2, 4)), "My position\n" + " ".join(fs(k, ["By law goods must be of satisfactory quality and fit for use.", "The guarantee runs until {date}.", "Under the contract you are bound to repair within 48 hours.", "I am entitled to a reduction.", "As a consumer I can withdraw within 14 days.", "The offer you made does not cover my costs."], 2, 4))]
    keep = sorted(set(k.r.sample(range(6), k.num(3, 6))) | {0})
    body = [secs[i] if k.maybe(0.5) else secs[i].split("\n", 1)[1] for i in keep]
    return k.lines(k.person(), k.opt(0.7, k.address()), k.opt(0.8, k.company()), k.date(), k.opt(0.6, subj(k, t)), hello(k), f(k, OPEN), GAP, "\n\n".join(body), GAP, bye(k), k.person())


def layout_business(k):
    t, w, want = (lambda s: (s[0], [k.fill(x) for x in k.some(s[1], 1, 2)], [k.fill(x) for x in k.some(s[2], 1, 3)]))(k.pick([s for s in SIT if s[0] in ("supplier", "workmanship", "delivery", "billing")]))
    return k.lines(k.company(), k.opt(0.6, k.address()), k.opt(0.7, "To: " + k.company()), k.opt(0.7, k.date()), k.opt(0.7, k.pick("Notice of defects", "Non-conformance report", "Rejection of goods", "Complaint no. " + k.ref("NC"), "Claim on your delivery", "Quality complaint", "Re: our order " + k.ref("PO"))), k.opt(0.6, k.pick("Delivery note ", "Your invoice ", "Purchase order ", "Batch ") + k.ref("DN", "INV", "PO", "B")), GAP, hello(k), " ".join(w), k.opt(0.6, k.table(["Item", "Supplied", "Defective", "Defect"], [[k.product(), str(k.num(20, 900)), str(k.num(1, 90)), k.pick("cracked", "wrong size", "rust", "short", "wet", "wrong label", "scratched", "missing part")] for _ in range(k.num(1, 4))])), " ".join(want + fs(k, ["The goods are at your disposal in our warehouse.", "Samples are on their way to you.", "Please name a contact for quality.", "We stopped the line for {num} hours.", "Our customer has complained as well.", "Payment of the invoice is suspended."], 1, 3)), k.opt(0.7, f(k, THREAT)), bye(k), k.person() + k.opt(0.6, ", " + k.job_title()))


def layout_review(k):
    t, w, want = sit(k)
    return k.lines(k.pick("1 star", "* out of *****", "Never again!", "Avoid", "Terrible experience", "Disappointed", "Feedback from your website", "Rating: 1/5"), k.para(*w, *fs(k, MORE, 1, 3), f(k, ["Stay away.", "I want an answer from the management.", "Please contact me about a refund.", "I gave one star because zero is not possible.", "Unbelievable."]), want[0]), k.opt(0.6, k.first() + ", " + k.city()))


def layout_tenant(k):
    s = SIT[5]
    w = [k.fill(x) for x in k.some(s[1], 1, 3)]
    return k.lines(k.opt(0.6, k.person() + ", flat %d, " % k.num(1, 60) + k.street()), k.opt(0.6, "To " + k.pick("the landlord", "the housing association", "the property manager", k.company())), k.pick("Dear Mr " + k.last() + ",", "Dear landlord,", hello(k)), k.opt(0.5, f(k, OPEN)), " ".join(w), " ".join(fs(k, MORE + ["According to the lease you must keep the flat in good repair.", "I have lived here since {date} and always paid the rent on time.", "Three families in the house are affected.", "I attach photos of the walls.", "The doctor says my daughter's asthma comes from the damp."], 2, 4)), " ".join([f(k, s[2])] + fs(k, THREAT, 0, 2)), bye(k), k.person())


def layout_staff(k):
    s = SIT[11]
    w = [k.fill(x) for x in k.some(s[1], 1, 3)]
    return k.lines(k.opt(0.6, "To: " + k.pick("Human Resources", "the works council", "the Managing Director", "Head of " + k.department())), k.opt(0.5, "From: " + k.person() + ", " + k.job_title()), k.opt(0.6, k.pick("Formal grievance", "Complaint about my treatment", "Confidential", "Statement of grievance")), k.pick(hello(k), "Dear " + k.first() + ","), k.opt(0.5, f(k, OPEN)), " ".join(w), " ".join(fs(k, ["This happened on {date} in front of {person}.", "I have kept a diary since {month}.", "My employment contract says something else.", "I feel anxious before every shift.", "I tried to talk it over but was laughed at.", "The minutes of the team meeting show that I raised it.", "My health has suffered and my doctor has written a certificate.", "I like my work and want to stay.", "Colleagues can bear witness."], 2, 5)), " ".join([f(k, s[2])] + fs(k, THREAT, 0, 1)), bye(k), k.person())


def layout_bullets(k):
    t, w, want = sit(k)
    w = [k.fill(x) for x in k.some(k.pick([s for s in SIT if s[0] == t])[1], 2, 5)]
    m = k.pick("- ", "* ", "1) ", "")
    return k.lines(k.opt(0.6, hello(k)), f(k, OPEN + ["Here is what went wrong during our stay:", "These are the points that we do not accept:", "Since {date} we have had the following problems:"]), "\n".join(m + x for x in w + fs(k, MORE, 1, 3)), k.pick("What I want: ", "My demand: ", "Therefore: ", "Please: ") + " ".join(want), k.opt(0.6, f(k, THREAT)), bye(k), k.person())


def layout_chat(k):
    t, w, want = sit(k)
    return k.lines(k.pick("You: ", "Customer: ", "", "Me: ") + k.pick("this is ridiculous.", "I am fed up.", "hello? anyone there?", "I need to speak to a manager.", "I am really not happy.") + " " + w[0], k.opt(0.6, k.pick("Agent: Sorry to hear that. Can I have your order number?", "Support: We apologise for the inconvenience.", "Agent: Let me check this for you.")), k.opt(0.6, "Customer: " + k.ref("ORD") + ". " + f(k, MORE)), "Customer: " + " ".join(want), k.opt(0.5, "Customer: " + f(k, THREAT)))


def layout_authority(k):
    s = k.pick([SIT[6], SIT[7], SIT[8]])
    w = [k.fill(x) for x in k.some(s[1], 1, 2)]
    return k.lines(k.opt(0.6, "To,\n" + k.pick("The Commissioner", "The Branch Manager", "The Mayor", "The Headmaster", "The Ombudsman", "The Medical Superintendent", "The Officer in Charge", "The Director") + ",\n" + k.city()), k.opt(0.6, "Sub: " + k.pick("Complaint regarding ", "Non-receipt of ", "Grievance about ", "Request for action on ") + s[0]), k.pick("Respected Sir,", "Sir,", "Dear Madam,", "Your Honour,"), k.pick("I, the undersigned resident of ", "We, the residents of ", "As a citizen living at ") + k.street() + k.pick(", wish to bring the following to your kind notice.", ", lodge this complaint.", ", hereby object to what is going on."), " ".join(w + fs(k, MORE, 1, 3)), " ".join([f(k, s[2])] + fs(k, ["I request you to look into the matter and oblige.", "Despite several visits to your office nothing has been done.", "Kindly take strict action.", "Copies have been sent to the press and the member for {city}.", "Forty neighbours have signed the list."], 1, 2)), k.pick("Thanking you,", "Yours faithfully,"), k.person())


def layout_escalate(k):
    """Second or third letter."""
    t, w, want = sit(k)
    return k.lines(k.opt(0.6, k.date()), k.opt(0.6, k.pick("Second complaint", "Without prejudice", "My letters of %s and %s" % (k.date(), k.date()), "Case " + k.ref("CAS"), "Final demand before legal action", "Reply to your letter of " + k.date())), hello(k), k.para(f(k, ["Thank you for your reply, which does not answer my points.", "Your offer of {money} is an insult.", "I have waited {num} days for your answer.", "You close the case although nothing has been solved.", "I do not accept your decision.", "You write that the goods left you in good order; that is not true."]), *w, *fs(k, MORE, 1, 4)), " ".join(want + fs(k, THREAT, 1, 3)), bye(k), k.person())


def layout_polite(k):
    t, w, want = sit(k)
    return k.lines(k.pick("Dear " + k.first() + ",", "Dear Mrs " + k.last() + ",", hello(k)), k.para(f(k, ["I hope you are well.", "I have always enjoyed coming to you, so it is not easy to write this.", "I am sure this was not meant, but I feel I should tell you.", "As a rule I am the last person to grumble.", "You have a good name in town, which is why I was so surprised."]), *w, *fs(k, ["I do understand that mistakes happen.", "Perhaps it was a bad day.", "I would like to stay your customer.", "Still, this should not happen.", "I felt rather let down.", "I was too embarrassed to say anything at the time."], 1, 3), *want, f(k, ["Could you let me know what you think?", "I should be glad of a call at {phone}.", "Thank you for looking into it.", "I trust we can settle it between us."])), bye(k), k.person())


def layout_old(k):
    t, w, want = sit(k)
    return k.lines(k.city() + ", " + k.date(), k.pick("Sir,", "Gentlemen,", "Dear Sirs,"), f(k, ["It is with no small regret that I find myself obliged to address you on a matter of dissatisfaction.", "I am compelled to protest in the strongest terms.", "I beg to call your attention to a grievance which I can no longer bear in silence."]), " ".join(w), f(k, ["Such conduct is unworthy of a house of your standing.", "I have been put to considerable inconvenience and expense.", "I am at a loss to understand how this could occur."]), want[0] + " " + f(k, ["I trust that you will make amends forthwith.", "I shall expect your reply by return of post.", "Failing this I shall withdraw my custom."]), k.pick("I am, Sir, yours etc.,", "I remain, yours truly,"), k.person())


def layout_voicemail(k):
    """Held out: transcript of a voice message."""
    t, w, want = sit(k)
    return "Hello, this is " + k.person() + ", my number is " + k.phone() + ". " + f(k, OPEN) + " " + " ".join(w) + " " + " ".join(fs(k, MORE, 1, 2)) + " So, " + want[0] + " " + f(k, THREAT) + " Call me back please. Bye."


def layout_record(k):
    """Held out: what a clerk wrote down."""
    t, w, want = sit(k)
    return k.lines("Customer %s, %s, came to the counter on %s at %s" % (k.person(), k.city(), k.date(), k.time()), "Topic: " + t, "In the customer's words: \"" + " ".join(w) + "\"", "Mood: " + k.pick("angry", "upset but polite", "disappointed"), "Wants: " + " ".join(want), "Announced: " + f(k, THREAT), "Passed to " + k.department())


def layout_bundle(k):
    """A long document: the letter with its enclosures."""
    out = [k.pick(layout_letter, layout_long, layout_escalate, layout_business)(k)]
    for g in k.some([layout_form, layout_mail, layout_bullets, layout_tenant, layout_escalate], 1, 3):
        out.append(k.pick("", "Page 2", "Enclosure", "Attachment", "Annex " + k.pick("A", "1"), "- - -", "(continued)"))
        out.append(g(k))
    return "\n\n".join(x for x in out if x)


TITLES = ["Complaint Letter", "LETTER OF COMPLAINT", "Complaint letter", "Formal complaint", "COMPLAINT", "Letter of complaint, {date}", "Complaint ref. {ref}"]


def named(layout):
    """One document in five carries a title that names the class."""
    def g(k):
        text = layout(k)
        if k.maybe(0.2):
            text = f(k, TITLES) + k.pick("\n", "\n\n", "\n") + text.lstrip()
        return "\n".join(x.rstrip() for x in text.split("\n")).strip("\n")
    g.__name__ = layout.__name__
    return g


LAYOUTS = [named(x) for x in (layout_letter, layout_mail, layout_short, layout_form, layout_long, layout_business, layout_review, layout_tenant, layout_staff, layout_bullets,
                              layout_chat, layout_authority, layout_escalate, layout_polite, layout_old, layout_bundle)]
LAYOUTS += [layout_voicemail, layout_record]          # held out
