"""Office documents and PDF with a text that people do not see: white, tiny, marked as hidden, drawn without ink, off the page. The same call
makes the same bytes; nothing is packed, so that what was put in can be found in them."""

import io
import zipfile
from xml.sax.saxutils import escape

WORD = "http://schemas.openxmlformats.org/wordprocessingml/2006/main"
PACKAGE = "http://schemas.openxmlformats.org/package/2006"
OFFICE = "http://schemas.openxmlformats.org/officeDocument/2006/relationships/officeDocument"
RUNS = {"vanish": "<w:vanish/>", "white": '<w:color w:val="FFFFFF"/>', "tiny": '<w:sz w:val="2"/>'}
INK = {"white": "1 g", "tiny": "", "invisible": "3 Tr", "off_page": "", "": ""}


def docx(lines, words="", how="", at=0):
    def paragraph(line, properties=""):
        return f'<w:p><w:r>{f"<w:rPr>{properties}</w:rPr>" if properties else ""}<w:t xml:space="preserve">{escape(line)}</w:t></w:r></w:p>'
    body = [paragraph(line) for line in lines]
    if words:
        body.insert(at, paragraph(words, RUNS[how]))
    parts = {
        "[Content_Types].xml": f'<Types xmlns="{PACKAGE}/content-types"><Default Extension="rels" ContentType='
                               '"application/vnd.openxmlformats-package.relationships+xml"/><Override PartName="/word/document.xml" ContentType='
                               '"application/vnd.openxmlformats-officedocument.wordprocessingml.document.main+xml"/></Types>',
        "_rels/.rels": f'<Relationships xmlns="{PACKAGE}/relationships"><Relationship Id="r1" Type="{OFFICE}" Target="word/document.xml"/></Relationships>',
        "word/document.xml": f'<w:document xmlns:w="{WORD}"><w:body>{"".join(body)}</w:body></w:document>'}
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for name, text in parts.items():
            archive.writestr(zipfile.ZipInfo(name, (2024, 1, 1, 0, 0, 0)), '<?xml version="1.0" encoding="UTF-8"?>' + text)
    return out.getvalue()


def pdf(lines, words="", how="", at=0):
    """Letters beyond Windows-1252 are shown as '?'."""
    def shown(line):
        return line.replace("\\", "\\\\").replace("(", "\\(").replace(")", "\\)").encode("cp1252", "replace").decode("latin-1")
    drawn, y = [], 770
    for number, line in enumerate(lines):
        if words and number == at:
            place = "1 0 0 1 50 -500 Tm" if how == "off_page" else f"1 0 0 1 50 {y} Tm"
            drawn.append(f"q BT /F1 {1 if how == 'tiny' else 9} Tf {INK[how]} {place} ({shown(words)}) Tj ET Q")
            y -= 11 if how != "off_page" else 0
        drawn.append(f"BT /F1 9 Tf 1 0 0 1 50 {y} Tm ({shown(line)}) Tj ET")
        y -= 11
    if words and at >= len(lines):
        return pdf([*lines, ""], words, how, len(lines))
    content = "\n".join(drawn).encode("latin-1")
    objects = [b"<< /Type /Catalog /Pages 2 0 R >>", b"<< /Type /Pages /Kids [4 0 R] /Count 1 >>",
               b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica /Encoding /WinAnsiEncoding >>",
               b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] /Contents 5 0 R /Resources << /Font << /F1 3 0 R >> >> >>",
               b"<< /Length %d >>\nstream\n" % len(content) + content + b"\nendstream"]
    out, places = b"%PDF-1.4\n", []
    for number, body in enumerate(objects):
        places.append(len(out))
        out += b"%d 0 obj\n" % (number + 1) + body + b"\nendobj\n"
    table = b"".join(b"%010d 00000 n \n" % place for place in places)
    return out + b"xref\n0 6\n0000000000 65535 f \n" + table + b"trailer << /Size 6 /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF\n" % len(out)
