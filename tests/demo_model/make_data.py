"""Documents from banks/, and whole training examples, as token arrays.

    python make_data.py --out work/data --examples 100000 --procs 2     (train.py runs it)
    python make_data.py --show invoice 3                                (print documents)
"""

import argparse
import importlib.util
import json
import os
import random
import re
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)
import noise as noise_mod                                   # noqa: E402
import prompt as prompt_mod                                 # noqa: E402
from kit import Kit                                         # noqa: E402

CORE = ["invoice", "receipt", "purchase_order", "bank_statement", "payslip", "employment_contract", "non_disclosure_agreement", "resume", "insurance_claim",
        "medical_report", "tax_notice", "utility_bill", "shipping_notice", "meeting_minutes", "complaint_letter"]
EXTRA = ["quotation", "lease_agreement", "job_posting"]
CLASSES = CORE + EXTRA

# The names people give first.
PLAIN = {
    "invoice": ["invoice"] * 6 + ["invoices", "bill"],
    "receipt": ["receipt"] * 6 + ["receipts", "sales receipt"],
    "purchase_order": ["purchase_order", "purchase order"] * 3 + ["po", "order", "purchase"],
    "bank_statement": ["bank_statement", "bank statement"] * 3 + ["account statement", "statement"],
    "payslip": ["payslip"] * 4 + ["pay slip", "pay_slip", "payroll", "pay stub"],
    "employment_contract": ["employment_contract", "employment contract"] * 3 + ["employment agreement", "work contract", "job contract", "contract"],
    "non_disclosure_agreement": ["non_disclosure_agreement", "non-disclosure agreement", "nda", "nda", "NDA", "non disclosure agreement"] + ["confidentiality agreement"],
    "resume": ["resume", "resume", "résumé", "cv", "CV", "curriculum vitae"],
    "insurance_claim": ["insurance_claim", "insurance claim"] * 3 + ["claim"],
    "medical_report": ["medical_report", "medical report"] * 3 + ["medical", "doctor's report"],
    "tax_notice": ["tax_notice", "tax notice"] * 3 + ["tax", "tax assessment", "tax letter"],
    "utility_bill": ["utility_bill", "utility bill"] * 3 + ["utility", "utilities bill"],
    "shipping_notice": ["shipping_notice", "shipping notice"] * 3 + ["shipment notice", "shipping", "delivery notice"],
    "meeting_minutes": ["meeting_minutes", "meeting minutes"] * 3 + ["minutes", "minutes of meeting"],
    "complaint_letter": ["complaint_letter", "complaint letter"] * 3 + ["complaint", "letter of complaint"],
    "quotation": ["quotation", "quote", "offer", "estimate"],
    "lease_agreement": ["lease_agreement", "lease agreement", "lease", "rental agreement"],
    "job_posting": ["job_posting", "job posting", "job advert", "job ad"],
}
INSTRUCTIONS = ["Choose by what the document is for, not by what it mentions.", "Some documents are scans with errors.", "If in doubt, choose the closest one.", "Documents come from several countries.",
                "Read the whole text before you decide.", "E-mail headers and footers do not matter.", "The company works in the building trade.", "We are a small accounting office.",
                "Ignore attachments that the text only mentions.", "The mail room sorts these by hand today.", "Answer carefully.", "Prefer the main purpose of the text.", "Amounts may be in any currency."]


class Bank:
    def __init__(self, name, path):
        spec = importlib.util.spec_from_file_location("bank_" + name, path)
        m = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(m)
        self.name, self.aliases, self.descriptions = name, list(m.ALIASES), list(m.DESCRIPTIONS)
        self.train, self.held = list(m.LAYOUTS[:-2]), list(m.LAYOUTS[-2:])
        self.pattern = noise_mod.name_pattern(self.aliases + PLAIN[name] + [name])


def load_banks(strict=False):
    banks = {}
    for c in CLASSES:
        p = os.path.join(HERE, "banks", c + ".py")
        if os.path.exists(p):
            try:
                banks[c] = Bank(c, p)
            except Exception as e:
                if strict:
                    raise
                print("bank", c, "not usable:", e, file=sys.stderr)
    seen = {}
    for c, b in banks.items():
        for a in set(norm(x) for x in b.aliases + PLAIN[c]):
            seen.setdefault(a, set()).add(c)
    for c, b in banks.items():
        b.aliases = [a for a in b.aliases if len(seen[norm(a)]) == 1]
        b.plain = [a for a in PLAIN[c] if len(seen[norm(a)]) == 1]
    return banks


def norm(s):
    return re.sub(r"[\s_\-]+", " ", s.lower()).strip()


def raw(bank, kit, held=False):
    for _ in range(5):
        try:
            t = kit.pick(bank.held if held else bank.train)(kit)
            if t and t.strip():
                return re.sub(r"\n{4,}", "\n\n\n", t.strip("\n"))
        except Exception as e:
            print("layout of", bank.name, "failed:", repr(e), file=sys.stderr)
    return bank.name


def make_doc(banks, cls, seed, held=False, clean=False):
    kit = Kit(seed)
    r, bank = kit.r, banks[cls]
    t = raw(bank, kit, held)
    if clean:
        return t

    def other(n):
        b = banks[r.choice([c for c in banks if c != cls])]
        s = [x for x in noise_mod.sentences(raw(b, Kit(r.random()))) if len(x) < 250]
        if not s:
            return []
        i = r.randrange(len(s))
        return s[i:i + n]
    if not held:
        x = r.random()
        if x < 0.24:
            k2 = Kit(r.random(), kit.locale)
            t = noise_mod.mix(t, raw(bank, k2), r)
        elif x < 0.32:                                     # several pages
            t = r.choice(["\n\n", "\n", "\n\n\n", "\n- 2 -\n"]).join([t] + [raw(bank, Kit(r.random(), kit.locale)) for _ in range(r.choice([1, 1, 2, 3, 5]))])
    return noise_mod.noisy(t, bank.pattern, other, kit)


def styled(name, style):
    ws = re.split(r"[\s_]+", name.strip())
    if style == "snake":
        return "_".join(w.lower() for w in ws).replace("-", "_")
    if style == "title":
        return " ".join(w if w.isupper() else w[:1].upper() + w[1:] for w in ws)
    if style == "lower":
        return " ".join(ws).lower()
    if style == "upper":
        return " ".join(ws).upper()
    if style == "cap":
        s = " ".join(ws)
        return s[:1].upper() + s[1:]
    if style == "hyphen":
        return "-".join(ws).lower()
    if style == "usnake":
        return "_".join(ws).upper().replace("-", "_")
    if style == "camel":
        return "".join(w[:1].upper() + w[1:] for w in re.split(r"[\s_\-]+", name) if w)
    return name


STYLES = ["as"] * 4 + ["snake"] * 8 + ["title"] * 4 + ["lower"] * 5 + ["upper", "cap", "cap", "hyphen", "hyphen", "usnake", "camel"]


def label_set(banks, cls, r, multi=False):
    """[(class, name, description)] in random order, cls among them (if not None)."""
    core = [c for c in CORE if c in banks]
    every = [c for c in CLASSES if c in banks]
    x = r.random()
    if x < 0.60:
        pool, n, plain = core, r.randint(10, 15), 0.85
    elif x < 0.75:
        pool, n, plain = every, r.randint(10, 18), 0.5
    else:
        pool, n, plain = every, r.randint(2, 12), 0.45
    if cls is not None and cls not in pool:
        pool = every
    n = max(2, min(n, len(pool)))
    chosen = [c for c in r.sample(pool, n) if c != cls]
    chosen = chosen[:n - 1] + [cls] if cls is not None else chosen[:n]
    r.shuffle(chosen)
    style, same = r.choice(STYLES), r.random() < 0.9
    descr = r.random() < (0.10 if x < 0.60 else 0.4)
    part = r.choice([1.0, 1.0, 0.6])
    out, names = [], set()
    for c in chosen:
        b = banks[c]
        for _ in range(20):
            nm = styled(r.choice(b.plain if b.plain and r.random() < plain else b.aliases), style if same else r.choice(STYLES)).strip()
            if nm and nm not in names and nm.replace(" ", ""):
                break
        names.add(nm)
        out.append((c, nm, r.choice(b.descriptions) if descr and r.random() < part else None))
    return out


class Maker:
    """Turns documents and label sets into token arrays."""

    def __init__(self, banks, tokenizer_path, short=0.7):
        self.banks, self.short = banks, short              # most long documents are shown cut
        self.coder = prompt_mod.Coder(tokenizer_path)
        self.drop = [prompt_mod.Coder(tokenizer_path, p) for p in (0.03, 0.1)]
        self.cache = {}
        self.mark = self.coder.cont(prompt_mod.CUT)

    def line(self, s):
        ids = self.cache.get(s)
        if ids is None:
            ids = self.coder.cont(s)
            if len(self.cache) < 200000:
                self.cache[s] = ids
        return ids

    def example(self, seed, limit=prompt_mod.MAX_DOC):
        r = random.Random(seed)
        banks = self.banks
        weights = [1.0 if c in CORE else 0.4 for c in banks]
        cls = r.choices(list(banks), weights)[0]
        kind = r.random()
        multi = kind > 0.90
        empty = kind < 0.015
        aux = CLASSES.index(cls)
        second = None
        if empty:
            text, aux = noise_mod.content_free(r), -1
        else:
            text = make_doc(banks, cls, r.random())
            if multi and r.random() < 0.4:
                second = r.choice([c for c in banks if c != cls])
                a, b = (text, make_doc(banks, second, r.random()))
                if r.random() < 0.5:
                    a, b = b, a
                text, aux = a + r.choice(["\n\n", "\n", "\n\n---\n\n", "\n\n* * *\n"]) + b, -1
        labels = label_set(banks, cls, r)
        if empty:
            cls = r.choice(labels)[0]
        if multi:
            have = [c for c, _, _ in labels]
            pos = [c for c in (cls, second) if c in have]
            target_cls = r.choice(pos) if r.random() < 0.5 else r.choice([c for c in have if c not in pos] or pos)
        else:
            target_cls = cls
        name = next(n for c, n, _ in labels if c == target_cls)
        head, after = prompt_mod.parts([], multi_label=multi)
        first = head.split("\n\nCategories:")[0]
        ids = [prompt_mod.BOS] + self.coder.enc("[INST] " + first + "\n\nCategories:")
        spans, here = [], (0, 0)
        lab = self.drop[0].cont if r.random() < 0.1 else self.line
        for c, n, d in labels:
            start = len(ids) + 2
            ids = ids + lab(f"\n- {n}: {d}" if d else f"\n- {n}")
            spans.append((len(ids) - 1, CLASSES.index(c)))
            if c == target_cls:
                here = (start, len(ids))
        rest = "\n\n"
        if r.random() < 0.03:
            rest += f"Instructions: {r.choice(INSTRUCTIONS)}\n\n"
        if r.random() < 0.02:
            ex = r.choice(labels)
            shown = "\n".join(noise_mod.sentences(make_doc(banks, ex[0], r.random(), clean=True))[:r.randint(2, 12)])[:900]
            rest += f'Example:\n"""\n{shown}\n"""\n{"Categories" if multi else "Category"}: {ex[1]}\n\n'
        ids = ids + self.line(rest + 'Document:\n"""\n')
        x = r.random()
        doc = (self.coder if x < 0.75 else self.drop[0] if x < 0.9 else self.drop[1]).cont(text)
        doc = prompt_mod.cut_ids(doc, min(limit, r.randint(100, 420)) if r.random() < (self.short if len(doc) < 700 else self.short / 2) else limit, self.mark)
        d0 = len(ids)
        ids = ids + doc
        d1 = len(ids)
        ids = ids + self.line(prompt_mod.tail_text(after))
        last = len(ids) - 1
        if multi:
            ans = self.line(f" {name}: " + ("yes" if target_cls in (cls, second) and not (empty and r.random() < 0.5) else "no"))
            targets = [(last + len(ans) - 1, ans[-1])]
            kids = [[self.line(f" {name}: {w}")[-1] for w in ("yes", "no")]]
        else:
            ans = list(self.line(" " + name))
            names = [self.line(" " + n) for _, n, _ in labels]
            names = [list(s) + [prompt_mod.EOS] if any(len(t) > len(s) and t[:len(s)] == s for t in names) else list(s) for s in names]
            if ans + [prompt_mod.EOS] in names:
                ans = ans + [prompt_mod.EOS]
            kids = [sorted(set(t[i] for t in names if len(t) > i and t[:i] == ans[:i])) for i in range(len(ans))]
            targets = [(last + i, t) for i, t in enumerate(ans)]
        ids = ids + ans[:-1]
        return ids, targets, (d0, d1, aux), spans, (0, 0) if multi or empty else here, kids


def _work(args):
    i, n, seed, tok, out, limit = args
    import numpy as np
    banks = load_banks()
    mk = Maker(banks, tok)
    ids, meta = [], []
    for j in range(n):
        e, targets, doc, spans, here, kids = mk.example(f"{seed}/{i}/{j}", limit)
        ids.append(np.asarray(e, dtype=np.uint16))
        meta.append((targets, doc, spans, here, kids))
    off = np.cumsum([0] + [len(x) for x in ids])
    np.save(f"{out}.{i}.ids.npy", np.concatenate(ids))
    np.save(f"{out}.{i}.off.npy", off)
    with open(f"{out}.{i}.meta.json", "w") as f:
        json.dump(meta, f, separators=(",", ":"))
    return int(off[-1])


def main():
    ap = argparse.ArgumentParser()
    ap.add_argument("--out", default=os.path.join(HERE, "work", "data"))
    ap.add_argument("--examples", type=int, default=100000)
    ap.add_argument("--chunk", type=int, default=2500)
    ap.add_argument("--first", type=int, default=0, help="number of the first chunk")
    ap.add_argument("--procs", type=int, default=2)
    ap.add_argument("--seed", default="docket")
    ap.add_argument("--limit", type=int, default=prompt_mod.MAX_DOC)
    ap.add_argument("--tokenizer", default=os.path.join(HERE, "work", "tokenizer.json"))
    ap.add_argument("--show", nargs=2)
    a = ap.parse_args()
    if a.show:
        banks = load_banks()
        for i in range(int(a.show[1])):
            print(make_doc(banks, a.show[0], f"show{i}"), "\n" + "=" * 100)
        return
    from multiprocessing import Pool
    os.makedirs(os.path.dirname(a.out), exist_ok=True)
    jobs = [(a.first + i, min(a.chunk, a.examples - i * a.chunk), a.seed, a.tokenizer, a.out, a.limit) for i in range((a.examples + a.chunk - 1) // a.chunk)]
    t, total = time.time(), 0
    with Pool(a.procs) as pool:
        for n in pool.imap_unordered(_work, jobs):
            total += n
    print(f"{a.examples} examples, {total} tokens, {time.time() - t:.0f} s")


if __name__ == "__main__":
    main()
