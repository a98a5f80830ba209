"""Makes the files of fixtures/ and, beside each, the text that was put in. Needs python-docx, python-pptx, openpyxl, XlsxWriter, odfpy and
LibreOffice (soffice); run by hand when a format or a language is added:  python make_fixtures.py"""

import datetime
import email.message
import email.policy
import pathlib
import subprocess
import tempfile

import docx
import openpyxl
import pptx
import xlsxwriter
from odf import opendocument, table as odftable, text as odftext
from pptx.util import Inches

HERE = pathlib.Path(__file__).resolve().parent / "fixtures"
LINES = [
    "Invoice 2026-117: total due 41.20 EUR within 30 days",
    "Größere Mängel, façade, señor, żółć, příliš žluťoučký kůň",
    "Τιμολόγιο για υπηρεσίες συμβούλου",
    "Договор об оказании услуг № 17",
    "فاتورة رقم ١٧ بتاريخ اليوم",
    "חוזה שכירות בלתי מוגנת",
    "合同编号：二〇二六第十七号",
    "請求書番号：第十七号、カタカナとひらがな",
    "Thumbs up 👍 and a family 👨‍👩‍👧",
    "a < b & c > d \"quoted\" 'single'",
]
ROWS = [["Item", "Menge", "Цена"], ["Schraube M4", "120", "3,60"], ["螺丝", "5", "0,40"]]


def tabbed(rows):
    return ["\t".join(row) for row in rows]


def put(name, lines):
    (HERE / (name + ".txt")).write_text("\n".join(lines) + "\n", encoding="utf-8")


def convert(source, kind, target):
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run(["soffice", f"-env:UserInstallation=file://{folder}/profile", "--headless", "--convert-to", kind, "--outdir",
                        folder, str(source)], check=True, capture_output=True, timeout=240)
        made = pathlib.Path(folder) / (source.stem + "." + kind.split(":")[0])
        (HERE / target).write_bytes(made.read_bytes())


def make_docx():
    d = docx.Document()
    d.sections[0].header.paragraphs[0].text = "Kopfzeile der Firma Müller"
    d.sections[0].footer.paragraphs[0].text = "Fußzeile, Seite eins"
    d.add_heading("Überschrift", 1)
    for line in LINES:
        p = d.add_paragraph()
        for word in line.split(" "):  # many runs, as word processors write them
            p.add_run(word if word == line.split(" ")[-1] else word + " ")
    t = d.add_table(rows=len(ROWS), cols=3)
    for r, row in enumerate(ROWS):
        for c, cell in enumerate(row):
            t.cell(r, c).text = cell
    d.add_paragraph("Ende")
    d.save(HERE / "python.docx")
    put("python.docx", ["Kopfzeile der Firma Müller", "Überschrift", *LINES, *tabbed(ROWS), "Ende", "Fußzeile, Seite eins"])
    for kind, name in (("odt", "libreoffice.odt"), ):
        convert(HERE / "python.docx", kind, name)
        put(name, ["Kopfzeile der Firma Müller", "Überschrift", *LINES, *tabbed(ROWS), "Ende", "Fußzeile, Seite eins"])
    convert(HERE / "libreoffice.odt", "docx", "libreoffice.docx")
    put("libreoffice.docx", ["Kopfzeile der Firma Müller", "Überschrift", *LINES, *tabbed(ROWS), "Ende", "Fußzeile, Seite eins"])


def make_pptx():
    p = pptx.Presentation()
    want = []
    for i, part in enumerate((LINES[:5], LINES[5:])):
        slide = p.slides.add_slide(p.slide_layouts[1])
        slide.shapes.title.text = f"Folie {i + 1}"
        slide.placeholders[1].text = "\n".join(part)
        want += ["\f" * (i > 0) + f"Folie {i + 1}", *part]
        if i == 1:
            shape = slide.shapes.add_table(len(ROWS), 3, Inches(1), Inches(4), Inches(6), Inches(1))
            for r, row in enumerate(ROWS):
                for c, cell in enumerate(row):
                    shape.table.cell(r, c).text = cell
            want += tabbed(ROWS)
        slide.notes_slide.notes_text_frame.text = f"Заметка {i + 1}"
        want.append(f"Заметка {i + 1}")
    p.save(HERE / "python.pptx")
    put("python.pptx", want)
    convert(HERE / "python.pptx", "odp", "libreoffice.odp")
    put("libreoffice.odp", want)
    convert(HERE / "libreoffice.odp", "pptx", "libreoffice.pptx")
    put("libreoffice.pptx", want)
    convert(HERE / "python.pptx", "ppt", "libreoffice.ppt")
    # Notes are not read, and the format has no tables: a cell is a shape.
    put("libreoffice.ppt", "\n".join(line for line in want if not line.startswith("Заметка")).replace("\t", "\n").split("\n"))


def make_xlsx():
    day, moment = datetime.date(2026, 11, 21), datetime.datetime(1999, 12, 31, 23, 59, 58)
    w = openpyxl.Workbook()
    w.active.title = "Übersicht"
    for row in ROWS:
        w.active.append(row)
    w.active.append([41.2, 7, True, day, moment, 0.125, "=1+1"])
    w.active["F4"].number_format = "0.0%"
    other = w.create_sheet("合同")
    for i, line in enumerate(LINES):
        other.cell(row=i * 3 + 1, column=i + 1, value=line)
    hidden = w.create_sheet("Verborgen")
    hidden.sheet_state = "hidden"
    hidden["A1"] = "secret"
    w.save(HERE / "openpyxl.xlsx")
    plain = ["41.2", "7", "TRUE", "2026-11-21", "1999-12-31 23:59:58", "12.5%"]
    put("openpyxl.xlsx", ["Übersicht", *tabbed(ROWS), "\t".join(plain), "\f合同", *LINES])
    convert(HERE / "openpyxl.xlsx", "xlsx", "libreoffice.xlsx")
    put("libreoffice.xlsx", ["Übersicht", *tabbed(ROWS), "\t".join(plain + ["2"]), "\f合同", *LINES])
    with xlsxwriter.Workbook(HERE / "xlsxwriter_1904.xlsx", {"date_1904": True}) as x:
        s = x.add_worksheet("1904")
        s.write_datetime(0, 0, datetime.datetime(2026, 11, 21), x.add_format({"num_format": "yyyy-mm-dd"}))
        s.write_datetime(0, 1, datetime.datetime(2026, 11, 21, 14, 30), x.add_format({"num_format": "d mmm yyyy h:mm"}))
        s.write_number(0, 2, 1234.5, x.add_format({"num_format": '[Red]#,##0.00 "days"'}))
        s.write_formula(1, 0, "=SUM(1,2)", None, 3)
        s.write_rich_string(1, 1, "Größe ", x.add_format({"bold": True}), "fett")
        s.write_boolean(1, 2, False)
    put("xlsxwriter_1904.xlsx", ["1904", "2026-11-21\t2026-11-21 14:30:00\t1234.5", "3\tGröße fett\tFALSE"])
    d = opendocument.OpenDocumentSpreadsheet()
    sheet = odftable.Table(name="Blatt")
    for row in ROWS + [[line] for line in LINES]:
        r = odftable.TableRow()
        for cell in row:
            c = odftable.TableCell(valuetype="string")
            c.addElement(odftext.P(text=cell))
            r.addElement(c)
        sheet.addElement(r)
    d.spreadsheet.addElement(sheet)
    d.save(str(HERE / "odfpy.ods"))
    put("odfpy.ods", ["Blatt", *tabbed(ROWS), *LINES])
    convert(HERE / "odfpy.ods", "xlsx", "libreoffice_from_ods.xlsx")
    numbers = [[cell.replace(",", ",") for cell in row] for row in ROWS]
    put("libreoffice_from_ods.xlsx", ["Blatt", *tabbed(numbers), *LINES])
    convert(HERE / "xlsxwriter_1904.xlsx", "ods", "libreoffice.ods")
    put("libreoffice.ods", ["1904", "2026-11-21\t21 Nov 2026 14:30\t1,234.50 days", "3\tGröße fett\tFALSE"])


def make_odt():
    d = opendocument.OpenDocumentText()
    d.text.addElement(odftext.H(outlinelevel=1, text="Überschrift"))
    for line in LINES:
        d.text.addElement(odftext.P(text=line))
    d.save(str(HERE / "odfpy.odt"))
    put("odfpy.odt", ["Überschrift", *LINES])


PAGES = {"utf-8": LINES[:9], "windows-1252": [LINES[0], "Größere Mängel, façade, señor – „so“"], "windows-1251": LINES[3:4] * 4,
         "iso-8859-7": LINES[2:3] * 4, "windows-1256": ["فاتورة رقم بتاريخ اليوم"], "windows-1255": LINES[5:6] * 2,
         "gb18030": LINES[6:7] * 2, "shift_jis": LINES[7:8] * 2, "euc-jp": LINES[7:8], "koi8-r": ["Договор об оказании услуг"],
         "big5": ["合約編號：第十七號"], "euc-kr": ["계약서 번호 십칠호"], "utf-16": LINES[1:8]}


def make_html():
    import html
    for charset, lines in PAGES.items():
        rows = "".join("<tr>" + "".join(f"<td>{html.escape(c)}</td>" for c in row) + "</tr>\n" for row in (["1", "2"], ["3", "4"]))
        page = (f'<!DOCTYPE html>\n<html><head><meta charset="{charset}"><title>T 1</title><style>p {{ color: red }}</style>'
                "<script>var x = '<p>not this</p>';</script></head>\n<body><!-- nor this -->"
                + "".join(f"<p>{html.escape(line)}</p>\n" for line in lines)
                + f"<table>{rows}</table><img src='data:image/png;base64,AAAA' alt='a picture'></body></html>")
        (HERE / f"page_{charset}.html").write_bytes(page.encode(charset))
        put(f"page_{charset}.html", ["T 1", *lines, "1\t2", "3\t4", "a picture"])


def make_mail():
    m = email.message.EmailMessage(policy=email.policy.SMTP)
    m["From"] = "Jürgen Groß <j.gross@example.com>"
    m["To"] = "Мария <maria@example.org>, b@example.net"
    m["Subject"] = "Rechnung № 17 — 請求書"
    m["Date"] = "Sat, 21 Nov 2026 10:00:00 +0000"
    m.set_content("\n".join(LINES[:9]) + "\n")
    m.add_alternative("<p>" + "</p><p>".join(LINES[:9]) + "</p>", subtype="html")
    m.add_attachment("a;b\n1;2\n".encode(), maintype="text", subtype="csv", filename="Größe.csv")
    inner = email.message.EmailMessage()
    inner["From"], inner["Subject"] = "c@example.com", "inner"
    inner.set_content("nested\n")
    m.add_attachment(inner)
    (HERE / "stdlib.eml").write_bytes(m.as_bytes())
    head = ["From: Jürgen Groß <j.gross@example.com>", "To: Мария <maria@example.org>, b@example.net",
            "Subject: Rechnung № 17 — 請求書", "Date: Sat, 21 Nov 2026 10:00:00 +0000"]
    put("stdlib.eml", [*head, *LINES[:9], "[Größe.csv]", "[inner.eml]"])
    lines = ["Договор об оказании услуг", "вторая строка"]
    raw = ("From: a@example.com\r\nSubject: =?koi8-r?B?" + __import__("base64").b64encode("Договор".encode("koi8-r")).decode() +
           "?=\r\nMIME-Version: 1.0\r\nContent-Type: text/html; charset=windows-1251\r\nContent-Transfer-Encoding: 8bit\r\n\r\n")
    (HERE / "html_only.eml").write_bytes(raw.encode() + ("<p>" + "<br>".join(lines) + "</p>").encode("windows-1251"))
    put("html_only.eml", ["From: a@example.com", "Subject: Договор", *lines])


if __name__ == "__main__":
    HERE.mkdir(exist_ok=True)
    for make in (make_html, make_mail, make_odt, make_docx, make_pptx, make_xlsx):
        make()
        print(make.__name__)
