"""What scanners, mail programs and people do to a document.

noisy(text, name_pattern, other, r) returns a changed text.  `other` gives a
sentence taken from a document of another class.
"""

import re

OCR = [("0", "O"), ("O", "0"), ("l", "1"), ("1", "l"), ("I", "l"), ("rn", "m"), ("m", "rn"), ("S", "5"), ("5", "S"), ("e", "c"), ("c", "e"), ("h", "b"),
       ("B", "8"), ("8", "B"), ("cl", "d"), ("d", "cl"), ("vv", "w"), ("w", "vv"), ("ii", "u"), ("fi", "fl"), (".", ","), (",", "."), ("g", "q"), ("t", "f"),
       ("i", "j"), ("a", "o"), ("u", "ii"), ("n", "ri"), ("E", "F"), ("Z", "2"), ("2", "Z"), (":", ";"), ("i", "l"), ("i", "1"), ("o", "0"), ("s", "5")]
KEYS = {"a": "sq", "b": "vn", "c": "xv", "d": "sf", "e": "wr", "f": "dg", "g": "fh", "h": "gj", "i": "uo", "j": "hk", "k": "jl", "l": "ko", "m": "n", "n": "bm",
        "o": "ip", "p": "o", "q": "w", "r": "et", "s": "ad", "t": "ry", "u": "yi", "v": "cb", "w": "qe", "x": "zc", "y": "tu", "z": "x"}
GARBAGE = ["|", "||", "~", "'", "`", ". .", "_", "~~", "[]", "I I", ";:", "* ", "-- -", "\\", "/ /", "^", ",,", "{", "}", "=", "..", "' '", "|_", "¬", "°", "«", "»", ".:", "1l|"]
OTHER_NAMES = ["invoice", "receipt", "purchase order", "bank statement", "payslip", "employment contract", "non-disclosure agreement", "NDA", "CV", "resume", "insurance claim",
               "medical report", "doctor's note", "tax notice", "tax assessment", "utility bill", "electricity bill", "water bill", "delivery note", "shipping notice", "packing list",
               "minutes", "complaint", "quotation", "quote", "lease", "tenancy agreement", "job posting", "job advert", "order confirmation", "claim form", "wage slip",
               "contract", "statement", "policy", "bill", "letter", "report", "credit note", "order", "application", "minutes of the last meeting", "letter of complaint", "proof of delivery"]
MENTIONS = ["See the attached {o}.", "Please find the {o} enclosed.", "As mentioned in the {o} of last week.", "A copy of the {o} is attached.", "Refer to your {o} for details.",
            "The {o} will follow by post.", "This does not replace the {o}.", "Kept together with the {o}.", "cc: {o}", "Encl.: {o}", "Attachment: {o}.pdf", "See also: {o}",
            "We already have your {o} on file.", "(see {o})", "Do not confuse with the {o}.", "The {o} was sent separately.", "Please ignore the {o} you got earlier.", "Re your {o}:",
            "filed behind the {o}", "Please quote the number on your {o}.", "Your {o} is not affected.", "PS: the {o} is in the other envelope.", "Enclosures: 1 {o}, 1 copy",
            "stapled to: {o}", "Thank you for sending the {o}.", "I also put the {o} in.", "The {o} can be downloaded from the portal.", "No {o} was enclosed."]
FOOTERS = ["This e-mail and any attachments are confidential and intended solely for the addressee. If you have received it in error, please delete it and tell the sender.",
           "CONFIDENTIALITY NOTICE: the information in this message may be privileged. Unauthorised use or disclosure is prohibited.",
           "Please consider the environment before printing this e-mail.", "Sent from my phone", "Sent from my mobile, please excuse typos", "Scanned by mobile scanner app",
           "This document was produced electronically and is valid without signature.", "Registered office as above. Registered in the commercial register.",
           "Computer generated, no signature required.", "Disclaimer: no liability is accepted for errors or omissions.", "E. & O. E.", "Printed on recycled paper",
           "Virus-free. Checked before sending.", "The views in this message are those of the sender and not of the company.", "All rights reserved.", "Original is kept in the archive.",
           "Follow us on social media", "To unsubscribe click here", "Privacy: we process your data in line with our privacy policy.", "Certified ISO 9001"]
STAMPS = ["RECEIVED {d}", "COPY", "SCANNED {d}", "*** COPY ***", "ORIGINAL", "URGENT", "FILED", "Eingegangen {d}", "ENTERED {d}", "CHECKED", "File: {n}", "DUPLICATE", "Approved", "POSTED",
          "[stamp: received {d}]", "[illegible]", "[signature]", "(handwritten note: call back)", "[logo]", "[page torn]", "[coffee stain]", "Doc ID {n}", "Scan {n}.pdf", "IMG_{n}.jpg",
          "barcode {n}", "[QR code]", "CONFIDENTIAL", "Internal use only", "DRAFT", "page 1 of 1", "Batch {n} / Box 4", "noted {d}", "ok, M.", "to file", "pls keep"]
FAX = ["FAX {d} {t}  FROM: {n}  TO: {n}  P. 01/02", "{d} {t} FAX {n} PAGE 1", "From: {n}  {d} {t}  #{n}  P.002/003", "TELEFAX  Date: {d}  Pages: 2", "** TX REPORT ** {d} {t} OK"]
WORDS = """time day week year people place house table number part water light line right hand side world school family city group fact month night point home room area money story
lot state case company system program question work government night head start game team idea body back parent face level office door health person art war history party result change
morning reason research girl guy moment air teacher force education foot boy age music sense window glass garden weather summer winter road train station bridge river mountain coffee bread
blue green small large quick slow early late warm cold simple kind quiet ready open general main usual certain several different better possible special whole clear recent young old""".split()
FILLERS = ["Thank you.", "Many thanks.", "Kind regards", "With best regards,", "Please let us know if you have any questions.", "Hope you are well.", "Have a nice day!", "See below.", "As discussed on the phone.",
           "Please see attached.", "Sorry for the delay.", "Best wishes from the whole team.", "For internal use.", "Please keep this for your records.", "The weather has been lovely here.", "Speak soon.",
           "If anything is unclear just ring me.", "Happy new year to everyone.", "PTO", "continued overleaf", "Please turn over", "end of document", "Thanks in advance", "We look forward to hearing from you."]


def _date(r):
    return r.choice([f"{r.randint(1,28):02d}.{r.randint(1,12):02d}.{r.randint(2005,2026)}", f"{r.randint(1,12)}/{r.randint(1,28)}/{r.randint(2005,2026)}",
                     f"{r.randint(1,28)} {r.choice('JAN FEB MAR APR MAY JUN JUL AUG SEP OCT NOV DEC'.split())} {r.randint(2005,2026)}", f"{r.randint(2005,2026)}-{r.randint(1,12):02d}-{r.randint(1,28):02d}"])


def _fmt(s, r):
    return s.replace("{d}", _date(r)).replace("{t}", f"{r.randint(0,23):02d}:{r.randint(0,59):02d}").replace("{n}", str(r.randint(100, 9999999)))


def name_pattern(aliases):
    """Matches the class's own names as whole words."""
    parts = set()
    for a in aliases:
        ws = [re.escape(w) for w in re.split(r"[\s_\-/]+", a.strip().lower()) if w]
        if ws:
            parts.add(r"[\s_\-]*".join(ws))
    return re.compile(r"\b(?:" + "|".join(sorted(parts, key=len, reverse=True)) + r")(?:s|es)?\b", re.I)


def drop_names(t, pat, r):
    mode = r.random()
    if mode < 0.4:
        return re.sub(r"[ \t]{2,}", lambda m: m.group(0), pat.sub("", t))
    subs = ["document", "this", "it", "paper", "doc", "item", "the above", "this document", "file", "letter", "form"]
    one = r.choice(subs)
    return pat.sub(lambda m: (one if mode < 0.75 else r.choice(subs)), t)


def typos(t, r, rate):
    out = []
    for w in re.split(r"(\s+)", t):
        if len(w) > 3 and r.random() < rate and w.isascii():
            i = r.randrange(len(w) - 1)
            x = r.random()
            if x < 0.3:
                w = w[:i] + w[i + 1] + w[i] + w[i + 2:]
            elif x < 0.55:
                w = w[:i] + w[i + 1:]
            elif x < 0.7:
                w = w[:i] + w[i] + w[i:]
            elif x < 0.9 and w[i].lower() in KEYS:
                w = w[:i] + r.choice(KEYS[w[i].lower()]) + w[i + 1:]
            else:
                w = w[:i] + " " + w[i:]
        out.append(w)
    return "".join(out)


def ocr(t, r, rate):
    out = []
    for w in re.split(r"(\s+)", t):
        if w.strip() and r.random() < rate:
            for _ in range(r.choice([1, 1, 2])):
                a, b = r.choice(OCR)
                if a in w:
                    i = w.index(a)
                    w = w[:i] + b + w[i + len(a):]
                    break
            else:
                x = r.random()
                if x < 0.3 and len(w) > 5:
                    i = r.randint(2, len(w) - 2)
                    w = w[:i] + r.choice(["- ", "-\n", "-", " ", "¬\n"]) + w[i:]
                elif x < 0.4:
                    w = " ".join(w) if len(w) < 12 else w
        elif w == " " and r.random() < rate * 0.25:
            w = r.choice(["", "", "  ", " . "])
        out.append(w)
    return "".join(out)


def recase(t, r):
    x = r.random()
    if x < 0.25:
        return t.upper()
    if x < 0.5:
        return t.lower()
    if x < 0.65:
        return t.title()
    f = r.choice([str.upper, str.lower, str.title])
    p = r.choice([0.15, 0.4])
    return "\n".join(f(l) if r.random() < p else l for l in t.split("\n"))


def rewrap(t, r):
    x = r.random()
    if x < 0.25:
        return re.sub(r"\n+", " ", t)
    if x < 0.5:
        width = r.choice([30, 40, 55, 70, 80])
        out = []
        for l in t.split("\n"):
            while len(l) > width and " " in l[:width].strip():
                i = l.rindex(" ", 0, width)
                if i <= 0:
                    break
                out.append(l[:i])
                l = l[i + 1:]
            out.append(l)
        return "\n".join(out)
    if x < 0.7:
        return re.sub(r"\n{2,}", "\n", t)
    if x < 0.85:
        return t.replace("\n", "\n\n")
    return re.sub(r"[ \t]{2,}", " ", t)


def columns(t, r):
    ls = t.split("\n")
    if len(ls) < 6:
        return t
    i = r.randrange(0, len(ls) - 4)
    n = r.randint(2, min(8, (len(ls) - i) // 2))
    a, b = ls[i:i + n], ls[i + n:i + 2 * n]
    gap = r.choice(["  ", "    ", " | ", "\t", " "])
    return "\n".join(ls[:i] + [x + gap + y for x, y in zip(a, b)] + ls[i + 2 * n:])


def crop(t, r):
    ls = t.split("\n")
    if len(ls) > 8:
        x = r.random()
        n = r.randint(1, len(ls) // 2)
        if x < 0.4:
            return "\n".join(ls[n:])
        if x < 0.75:
            return "\n".join(ls[:-n])
        i = r.randrange(len(ls) - 4)
        return "\n".join(ls[:i] + ls[i + r.randint(1, 4):])
    n = len(t)
    if n > 240:
        return t[r.randint(0, n // 4):] if r.random() < 0.5 else t[:n - r.randint(0, n // 3)]
    return t


def drop_words(t, r):
    p = r.choice([0.03, 0.08, 0.2])
    junk = r.random() < 0.5
    out = []
    for w in re.split(r"(\s+)", t):
        if w.strip() and r.random() < p:
            if junk:
                x = r.random()
                w = r.choice(WORDS) if x < 0.4 else "".join(r.choice("abcdefghiklmnoprstuvw") for _ in range(r.randint(3, 9))) if x < 0.8 else "???"
            else:
                w = ""
        out.append(w)
    return "".join(out)


def mail_wrap(t, r, person, email):
    x = r.random()
    if x < 0.35:
        head = r.choice(["---------- Forwarded message ----------", "-----Original Message-----", "Begin forwarded message:", "----- Weitergeleitet -----", "Fwd:"])
        subj = r.choice(["FW: ", "Fwd: ", "WG: ", "RE: ", ""]) + r.choice(["for your files", "please check", "scan", "document", "FYI", "see below", "attached", "from the post", "as promised", "pls handle", "?", "Scan from printer"])
        return f"{r.choice(['', 'fyi', 'Please file this.', 'What do we do with this one?', 'See below, thanks', 'Can you deal with it?'])}\n{head}\nFrom: {person()} <{email()}>\nDate: {_date(r)}\nTo: {email()}\nSubject: {subj}\n\n{t}"
    if x < 0.6:
        return f"From: {email()}\nTo: {email()}\nSent: {_date(r)} {r.randint(0,23)}:{r.randint(10,59)}\n{r.choice(['Attachments: scan.pdf', 'Attachments: 1', ''])}\n\n{t}\n\n{r.choice(['Regards', 'BR', 'Cheers', 'Thanks', 'Mit besten Grüßen'])}\n{person()}"
    if x < 0.8:
        q = r.choice(["> ", "> ", ">> ", "| "])
        return f"On {_date(r)} {person()} wrote:\n" + "\n".join(q + l for l in t.split("\n"))
    return f"{r.choice(['Hi', 'Hello', 'Dear all', 'Dear colleague', 'Good morning'])},\n{r.choice(['see below', 'this came in today', 'text copied from the scan:', 'please sort this', 'not sure where this belongs'])}\n\n{t}\n\n{person()}"


def insert_line(t, s, r, where=None):
    ls = t.split("\n")
    x = r.random() if where is None else where
    i = 0 if x < 0.2 else len(ls) if x < 0.4 else r.randint(0, len(ls))
    if x > 0.75 and ls and i < len(ls) and ls[i].strip():
        ls[i] = ls[i] + " " + s
    else:
        ls.insert(i, s)
    return "\n".join(ls)


def sentences(t):
    return [s.strip() for s in re.split(r"\n+|(?<=[.!?])\s+(?=[A-Z])", t) if s.strip()]


def mix(a, b, r):
    """Sentences of two documents of the same class, some left out."""
    sa, sb = sentences(a), sentences(b)
    x = r.random()
    if x < 0.3:                                # alone, some sentences only
        s = sa
    else:
        s = sa + sb
    n = r.randint(min(3, len(s)), max(3, min(len(s), 30)))
    if x < 0.6:
        keep = sorted(r.sample(range(len(s)), min(n, len(s))))
        s = [s[i] for i in keep]
    else:
        s = r.sample(s, min(n, len(s)))
    return r.choice(["\n", "\n", " ", "\n\n", " "]).join(s)


def noisy(t, pat, other, kit):
    r = kit.r
    p = r.random()
    if pat is not None and r.random() < 0.35:
        t = drop_names(t, pat, r)
    if r.random() < 0.22:
        for _ in range(r.choice([1, 1, 2, 3])):
            t = insert_line(t, r.choice(MENTIONS).replace("{o}", r.choice(OTHER_NAMES)), r)
    if other is not None and r.random() < 0.16:
        n = max(1, len(sentences(t)) // 6)
        for s in other(min(3, r.randint(1, n))):
            t = insert_line(t, s, r)
    if p < 0.30:
        return t
    level = r.choice([0.5, 1, 1, 1.6])
    if r.random() < 0.10 * level:
        t = crop(t, r)
    if r.random() < 0.08 * level:
        t = drop_words(t, r)
    if r.random() < 0.10 * level:
        t = rewrap(t, r)
    if r.random() < 0.04 * level:
        t = columns(t, r)
    if r.random() < 0.10 * level:
        t = insert_line(t, r.choice(FILLERS), r)
    if r.random() < 0.09 * level:
        t = mail_wrap(t, r, kit.person, kit.email)
    if r.random() < 0.10 * level:
        t = insert_line(t, r.choice(FOOTERS), r, 0.3)
    if r.random() < 0.12 * level:
        for _ in range(r.choice([1, 1, 2])):
            t = insert_line(t, _fmt(r.choice(STAMPS), r), r)
    if r.random() < 0.04 * level:
        t = _fmt(r.choice(FAX), r) + "\n" + t
    if r.random() < 0.10 * level:
        head = r.choice([kit.company(), "Page " + str(r.randint(1, 9)), f"{kit.company()} - Page {r.randint(1,4)} of {r.randint(4,9)}", f"- {r.randint(1,9)} -", f"Printed {_date(r)}", kit.url(),
                         f"{kit.company()}, {kit.address(', ')}, Tel. {kit.phone()}"])
        t = head + "\n" + t if r.random() < 0.6 else t + "\n" + head
    if r.random() < 0.10 * level:
        t = recase(t, r)
    if r.random() < 0.16 * level:
        t = typos(t, r, r.choice([0.01, 0.03, 0.08]))
    if r.random() < 0.16 * level:
        t = ocr(t, r, r.choice([0.02, 0.05, 0.12, 0.2]))
    if r.random() < 0.05 * level:
        for _ in range(r.randint(1, 6)):
            t = insert_line(t, r.choice(GARBAGE), r)
    if r.random() < 0.03 * level:
        t = t.replace(" ", "  ")
    return t


def content_free(r):
    x = r.random()
    if x < 0.25:
        return r.choice(["N/A", "n/a", "N/A", "NA", "none", "", " ", "...", "-", "?", "[blank page]", "null", "lorem ipsum dolor sit amet", "test", "(no text)", "unknown", "[MASK]", "xxx"])
    if x < 0.5:
        return "".join(r.choice(".,;:-_|/~*#!?()[] \n") for _ in range(r.randint(1, 40)))
    if x < 0.8:
        return " ".join(r.choice(WORDS) for _ in range(r.randint(2, 60)))
    return " ".join("".join(r.choice("abcdefghijklmnopqrstuvwxyz0123456789") for _ in range(r.randint(2, 10))) for _ in range(r.randint(1, 30)))
