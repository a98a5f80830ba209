/* What each reader shows, leaves out and refuses, on documents made for the purpose. */
#include "handlers/documents/extractors.h"
#include "tests/support/cmocka.h"
#include "tests/support/documents.h"
#include "tests/support/memory_sink.h"
#include "tests/support/scratch.h"
#include "worker/base/alloc.h"

#include <gsf/gsf-outfile-msole.h>
#include <gsf/gsf-output-memory.h>
#include <stdio.h>
#include <string.h>

static void check(const char *name, const char *type, const struct buffer *bytes, const char *want,
                  enum error_code code, uint64_t hidden)
{
    struct buffer text = {0};
    uint64_t facts[N_EXTRACT_FACTS];
    struct error err = {0};
    enum status st = read_as(type, bytes->data, bytes->length, &text, facts, &err);
    bool same = !want || strcmp(text.data, want) == 0;
    if (!same || (st == DOCKET_OK) != (code == CODE_NONE) || err.code != code ||
        facts[FACT_HIDDEN_CHARACTERS] != hidden)
        fail_msg("%s: %s \"%s\", hidden %llu, text \"%s\"", name, error_code_name(err.code), err.message,
                 (unsigned long long)facts[FACT_HIDDEN_CHARACTERS], text.data);
    buffer_free(&text);
}

static const struct {
    const char *name, *bytes, *want;
    uint64_t hidden;
} pages[] = {
    {"title_and_blocks", "<title>T</title><h1>A</h1><p>b<br>c<div>d</div>", "T\n\nA\n\nb\nc\n\nd\n", 0},
    {"scripts", "a<script>var b='<p>x</p>'</script><style>p{}</style><!-- c --><noscript>d</noscript>", "ad\n", 0},
    {"table", "<table><tr><td>1<td></td><td>3<tr><th><td>2</table>x", "1\t\t3\n\t2\n\nx\n", 0},
    {"layout_cells", "<table><tr><td><p>a<p>b</td><td>c</td></tr></table>", "a\n\nb\tc\n", 0},
    {"hidden", "a<p hidden>bcd</p><span style='DISPLAY : none'>ef</span><i style=\"visibility:hidden\">g</i>h", "ah\n",
     6},
    {"white_space", "  a \n b<pre>c\n  d</pre>  e ", "a b\n\nc\n  d\n\ne\n", 0},
    {"alt", "x<img src=a alt='a cat'>y", "x a cat y\n", 0},
    {"references", "&amp;&lt;&eacute;&#x20AC;", "&<\xc3\xa9\xe2\x82\xac\n", 0},
    {"tag_cut", "abc<p title='", "abc\n", 0},
    {"less_than", "1 < 2 and 3<4", "1 < 2 and 3<4\n", 0},
    {"entities_xml", "<?xml version='1.0'?><!DOCTYPE html [<!ENTITY x SYSTEM 'file:///etc/passwd'>]><p>&x;a", NULL, 0},
    {"bold_unclosed", "<b>a<p>b<b>c<p>d", "a\n\nbc\n\nd\n", 0},
    {"cp1251_lie",
     "<meta charset=utf-8>\xc4\xee\xe3\xee\xe2\xee\xf0 \xee\xe1 \xee\xea\xe0\xe7\xe0\xed\xe8\xe8 \xf3\xf1\xeb\xf3\xe3",
     "\xd0\x94\xd0\xbe\xd0\xb3\xd0\xbe\xd0\xb2\xd0\xbe\xd1\x80 \xd0\xbe\xd0\xb1 "
     "\xd0\xbe\xd0\xba\xd0\xb0\xd0\xb7\xd0\xb0"
     "\xd0\xbd\xd0\xb8\xd0\xb8 \xd1\x83\xd1\x81\xd0\xbb\xd1\x83\xd0\xb3\n",
     0},
};

/* Styles of a paragraph between two others; whether what it says is seen. */
static const struct {
    const char *style;
    bool seen;
} styles[] = {
    {"", true},
    {"font-size:14px;color:#333", true},
    {"font-size:0", false},
    {"font-size: 1px !important", false},
    {"font-size:.1em", false},
    {"font-size:5%", false},
    {"font-size:0.5em", true},
    {"font-size:1pt", false},
    {"color:white", false},
    {"COLOR : #FFF", false},
    {"color:#fefefe", false},
    {"color:rgb(250, 250,250)", false},
    {"color:rgb(98% 98% 98%)", false},
    {"color:#fff;background:navy", true},
    {"background-color:#000;color:#111", false},
    {"color:#fff;background:url(data:image/png;base64,AA==)", true},
    {"color:#fff;background-image:linear-gradient(red,blue)", true},
    {"color:transparent", false},
    {"color:rgba(0,0,0,0.01)", false},
    {"color:rgba(0,0,0,.7)", true},
    {"color:#00000000", false},
    {"color:rebeccapurple", true},
    {"position:absolute;left:-9999px", false},
    {"position:absolute; TOP:-10000px", false},
    {"left:-9999px", true},
    {"position:absolute;left:-20px", true},
    {"text-indent:-999em", false},
    {"text-indent:-2em", true},
    {"margin-left:-5000px", false},
    {"position:absolute;clip:rect(0,0,0,0)", false},
    {"position:absolute;clip:rect(0 0 0 0)", false},
    {"clip:rect(1px, 1px, 1px, 1px)", false},
    {"clip:rect(0,100px,200px,0)", true},
    {"clip-path:inset(50%)", false},
    {"clip-path:inset(5%)", true},
    {"width:0;height:0;overflow:hidden", false},
    {"width:1px;height:1px;overflow:hidden", false},
    {"max-height:0;overflow:hidden", false},
    {"width:0", true},
    {"overflow:hidden;width:100px", true},
    {"opacity:0", false},
    {"opacity:.01", false},
    {"opacity:0.9", true},
    {"transform:scale(0)", false},
    {"transform:scale(0.9)", true},
    {"transform:translateX(-9999px)", false},
    {"content-visibility:hidden", false},
    {"mso-hide:all", false},
    {"/* color:black; */ display:none", false},
    {"background:url(a;display:none)", true},
    {"display:none", false},
    {"display", true},
    {":;;::", true},
    {"font-size:", true},
    {"font-size:1e999px", true},
};

static void what_an_element_says_of_its_look_decides_whether_it_is_seen(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(styles); i++) {
        struct buffer b = {0};
        buffer_printf(&b, "<p>a<p style='%s'>words<p>z", styles[i].style);
        check(styles[i].style, "text/html", &b, styles[i].seen ? "a\n\nwords\n\nz\n" : "a\n\nz\n", CODE_NONE,
              styles[i].seen ? 0 : 5);
        buffer_free(&b);
    }
}

/* What is inherited may be had again inside, what is taken away may not. */
static void looks_are_inherited(void **state)
{
    static const struct {
        const char *page, *want;
        uint64_t hidden;
    } cases[] = {
        {"<div style='font-size:0'>xy<p style='font-size:14px'>seen</div>z", "seen\n\nz\n", 2},
        {"<div style='visibility:hidden'>xy<p style='visibility:visible'>seen</div>z", "seen\n\nz\n", 2},
        {"<div style='color:white'>xy<p style='color:black'>seen</div>z", "seen\n\nz\n", 2},
        {"<div style='display:none'>xy<p style='display:block'>gone</div>z", "z\n", 6},
        {"<table bgcolor=#000080><tr><td><font color=#ffffff>seen</font></table>z", "seen\n\nz\n", 0},
        {"<table bgcolor=000080><tr><td><font color=ffffff>seen</font></table>z", "seen\n\nz\n", 0},
        {"<table><tr><td><font color=white>gone</font></table>z", "z\n", 4},
        {"<body bgcolor=black text=white>seen<font color=black>gone</font>", "seen\n", 4},
        {"<body background=a.png>a<font color=white>seen</font>", "aseen\n", 0},
        {"<div style='color:white'><img alt='gone'>z</div>y", "y\n", 5},
        {"<p alt=1 alt=2 alt=3 alt=4 alt=5 alt=6 alt=7 alt=8 alt=9 style='display:none' style=''>gone</p>z", "z\n", 4},
        {"<p aria-hidden=true>seen", "seen\n", 0},
        {"<pre style='color:white'>go\nne</pre>z", "z\n", 4},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        struct buffer b = {0};
        buffer_append_str(&b, cases[i].page);
        check(cases[i].page, "text/html", &b, cases[i].want, CODE_NONE, cases[i].hidden);
        buffer_free(&b);
    }
}

static void pages_show_what_a_browser_shows(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(pages); i++) {
        struct buffer b = {0};
        buffer_append_str(&b, pages[i].bytes);
        check(pages[i].name, "text/html", &b, pages[i].want, CODE_NONE, pages[i].hidden);
        buffer_free(&b);
    }
}

static void repeat(struct buffer *b, const char *piece, size_t n)
{
    for (size_t i = 0; i < n; i++) buffer_append_str(b, piece);
}

static void hostile_pages_end(void **state)
{
    static const struct {
        const char *name, *before, *piece;
        size_t n;
    } cases[] = {
        {"deep", "", "<div>", 1000000},
        {"deep_lists", "", "<ul><li>", 300000},
        {"bold", "", "<b a><p>", 200000},
        {"tables", "", "<table><tr><td>", 100000},
        {"attributes", "<p ", "a1 ", 1000000},
        {"open_attribute", "<p title=\"", "aaaaaaaa", 2000000},
        {"mixed", "", "<span><div></span>", 200000},
        {"comments", "", "<!--", 500000},
        {"nul", "", "<p\0>", 100000},
        {"svg", "<svg>", "<g><a>", 200000},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        struct buffer b = {0};
        buffer_append_str(&b, "start ");
        buffer_append_str(&b, cases[i].before);
        repeat(&b, cases[i].piece, cases[i].n);
        buffer_append_str(&b, "end");
        check(cases[i].name, "text/html", &b, NULL, CODE_NONE, 0);
        buffer_free(&b);
    }
}

static const struct {
    const char *name, *body, *want;
    uint64_t hidden;
} texts[] = {
    {"runs",
     "<w:p><w:r><w:t>a</w:t></w:r><w:r><w:tab/><w:t> b</w:t></w:r></w:p><w:p/><w:p><w:r><w:t>c</w:t></w:r></w:p>",
     "a\t b\n\nc\n", 0},
    {"revisions",
     "<w:p><w:del><w:r><w:delText>x</w:delText></w:r></w:del><w:ins><w:r><w:t>kept</w:t></w:r></w:ins>"
     "<w:moveFrom><w:r><w:t>gone</w:t></w:r></w:moveFrom></w:p>",
     "kept\n", 0},
    {"hidden",
     "<w:p><w:r><w:rPr><w:sz w:val=\"3\"/></w:rPr><w:t>tiny</w:t></w:r><w:r><w:rPr><w:sz "
     "w:val=\"4\"/></w:rPr><w:t>small </w:t></w:r>"
     "<w:r><w:rPr><w:vanish/></w:rPr><w:t>abc</w:t></w:r><w:r><w:rPr><w:vanish w:val=\"0\"/></w:rPr>"
     "<w:t>seen</w:t></w:r></w:p>",
     "small seen\n", 7},
    {"text_box_once",
     "<w:p><w:r><w:t>a</w:t><mc:AlternateContent><mc:Choice><w:txbxContent><w:p><w:r>"
     "<mc:AlternateContent><mc:Choice><w:t>in</w:t></mc:Choice><mc:Fallback><w:t>out</w:t></mc:Fallback>"
     "</mc:AlternateContent></w:r></w:p></w:txbxContent></mc:Choice><mc:Fallback><w:txbxContent><w:p><w:r>"
     "<w:t>twice</w:t></w:r></w:p></w:txbxContent></mc:Fallback></mc:AlternateContent></w:r></w:p>",
     "a\nin\n", 0},
    {"fields", "<w:p><w:r><w:instrText>PAGE</w:instrText></w:r><w:r><w:t>7</w:t></w:r></w:p>", "7\n", 0},
    {"table",
     "<w:tbl><w:tr><w:tc><w:p><w:r><w:t>a</w:t></w:r></w:p><w:p><w:r><w:t>b</w:t></w:r></w:p></w:tc><w:tc><w:p/>"
     "</w:tc><w:tc><w:p><w:r><w:t>c</w:t></w:r></w:p></w:tc></w:tr><w:tr><w:tc><w:p/></w:tc><w:tc><w:p><w:r><w:t>d"
     "</w:t></w:r></w:p></w:tc></w:tr></w:tbl>",
     "a b\t\tc\n\td\n", 0},
};

static void word_documents_show_what_is_printed(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(texts); i++) {
        struct buffer b = {0};
        char *xml = str_format(W_OPEN "%s" W_CLOSE, texts[i].body);
        make_zip(&b, "word/document.xml", xml, NULL);
        check(texts[i].name, DOCX_TYPE, &b, texts[i].want, CODE_NONE, texts[i].hidden);
        mem_free(xml);
        buffer_free(&b);
    }
}

static void hostile_xml_is_refused(void **state)
{
    static const struct {
        const char *name, *xml;
        enum error_code code;
    } cases[] = {
        {"laughs", "<!DOCTYPE x [<!ENTITY a \"ha\"><!ENTITY b \"&a;&a;\">]>" W_OPEN "&b;" W_CLOSE,
         CODE_document_corrupt},
        {"external",
         "<!DOCTYPE x [<!ENTITY a SYSTEM \"file:///etc/passwd\">]>" W_OPEN
         "<w:p><w:r><w:t>&a;</w:t></w:r></w:p>" W_CLOSE,
         CODE_document_corrupt},
        {"parameter", "<!DOCTYPE x [<!ENTITY % a SYSTEM \"file:///etc/passwd\">%a;]>" W_OPEN W_CLOSE,
         CODE_document_corrupt},
        {"external_dtd", "<!DOCTYPE x SYSTEM \"http://127.0.0.1/x.dtd\">" W_OPEN W_CLOSE, CODE_NONE},
        {"cut", W_OPEN "<w:p>", CODE_document_corrupt},
        {"no_xml", "hello", CODE_document_corrupt},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        struct buffer b = {0};
        make_zip(&b, "word/document.xml", cases[i].xml, NULL);
        check(cases[i].name, DOCX_TYPE, &b, "", cases[i].code, 0);
        buffer_free(&b);
    }
    struct buffer xml = {0}, b = {0};
    buffer_append_str(&xml, W_OPEN);
    repeat(&xml, "<w:p>", 100000);
    make_zip(&b, "word/document.xml", xml.data, NULL);
    check("deep", DOCX_TYPE, &b, "", CODE_document_corrupt, 0);
    buffer_clear(&xml);
    buffer_clear(&b);
    repeat(&xml, "                ", 2 * 1024 * 1024); /* 32 MiB that pack to a few KiB */
    make_zip(&b, "word/document.xml", xml.data, NULL);
    check("bomb", DOCX_TYPE, &b, "", CODE_document_expands_too_far, 0);
    buffer_free(&xml);
    buffer_free(&b);
}

#define X_OPEN "<worksheet xmlns=\"http://schemas.openxmlformats.org/spreadsheetml/2006/main\"><sheetData>"
#define R      "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
#define BOOK                                                                                                           \
    "xl/workbook.xml",                                                                                                 \
        "<workbook xmlns=\"http://schemas.openxmlformats.org/spreadsheetml/2006/main\" xmlns:r=\"" R                   \
        "\"><sheets><sheet name=\"S\" r:id=\"r1\"/></sheets></workbook>",                                              \
        "xl/_rels/workbook.xml.rels",                                                                                  \
        "<Relationships xmlns=\"http://schemas.openxmlformats.org/package/2006/relationships\"><Relationship "         \
        "Id=\"r1\" Type=\"" R "/worksheet\" Target=\"worksheets/s.xml\"/><Relationship Id=\"r2\" Type=\"" R            \
        "/hyperlink\" Target=\"file:///etc/passwd\"/><Relationship Id=\"r3\" Type=\"" R                                \
        "/image\" Target=\"../../../x.xml\"/></Relationships>"

static void sheets_keep_to_the_cells_that_are_there(void **state)
{
    static const struct {
        const char *name, *rows, *want;
        enum error_code code;
        uint64_t hidden;
    } cases[] = {
        {"index", "<row><c r=\"A1\" t=\"s\"><v>2147483648</v></c><c r=\"B1\"><v>5</v></c></row>", "S\n5\n",
         CODE_document_corrupt, 0},
        {"far", "<row r=\"1048576\"><c r=\"A1048576\"><v>1</v></c><c r=\"XFD1048576\"><v>2</v></c></row>", "S\n1\t2\n",
         0, 0},
        {"hidden_row", "<row hidden=\"1\"><c><v>12</v></c></row><row><c><v>3</v></c></row>", "S\n3\n", 0, 2},
        {"kinds",
         "<row><c t=\"b\"><v>1</v></c><c t=\"str\"><f>A()</f><v>x\ny</v></c><c t=\"e\"><v>#N/A</v></c>"
         "<c t=\"inlineStr\"><is><t>in</t></is></c><c><v>0.1</v></c><c><v>41.200000000000003</v></c></row>",
         "S\nTRUE\tx y\t#N/A\tin\t0.1\t41.2\n", 0, 0},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        struct buffer b = {0}, text = {0};
        uint64_t facts[N_EXTRACT_FACTS];
        struct error err = {0};
        char *xml = str_format(X_OPEN "%s</sheetData></worksheet>", cases[i].rows);
        make_zip(&b, BOOK, "xl/worksheets/s.xml", xml, NULL);
        check(cases[i].name, XLSX_TYPE, &b, cases[i].want, cases[i].code, cases[i].hidden);
        read_as(XLSX_TYPE, b.data, b.length, &text, facts, &err);
        assert_int_equal(facts[FACT_LINKS_SKIPPED], 2);
        mem_free(xml);
        buffer_free(&b);
        buffer_free(&text);
    }
}

#define O "urn:oasis:names:tc:opendocument:xmlns:"
#define O_OPEN                                                                                                         \
    "<office:document-content xmlns:office=\"" O "office:1.0\" xmlns:text=\"" O "text:1.0\" xmlns:table=\"" O          \
    "table:1.0\">"
static void open_documents_are_bounded_and_locks_named(void **state)
{
    struct buffer b = {0}, text = {0};
    struct error err = {0};
    (void)state;
    make_zip(
        &b, "content.xml",
        O_OPEN
        "<office:spreadsheet><table:table table:name=\"T\"><table:table-row table:number-rows-repeated=\"1000000000\">"
        "<table:table-cell table:number-columns-repeated=\"1000000000\"><text:p>a</text:p></table:table-cell>"
        "</table:table-row><table:table-row table:visibility=\"collapse\"><table:table-cell><text:p>bc</text:p>"
        "</table:table-cell></table:table-row></table:table></office:spreadsheet></office:document-content>",
        NULL);
    assert_int_equal(read_as(ODS_TYPE, b.data, b.length, &text, NULL, &err), DOCKET_OK);
    assert_int_equal(text.length, 2 + 100 * 200);
    check("hidden_row", ODS_TYPE, &b, NULL, CODE_NONE, 2);
    buffer_clear(&b);
    make_zip(
        &b, "content.xml",
        O_OPEN
        "<office:text><text:tracked-changes><text:p>deleted</text:p></text:tracked-changes><text:p>a<text:s "
        "text:c=\"3\"/>b"
        "<text:note><text:note-citation>1</text:note-citation><text:note-body><text:p>note</text:p></text:note-body>"
        "</text:note>  c\n d<office:annotation><text:p>comment</text:p></office:annotation></text:p>"
        "</office:text></office:document-content>",
        NULL);
    check("text", ODT_TYPE, &b, "a   b c d\nnote\n", CODE_NONE, 0);
    buffer_clear(&b);
    make_zip(&b, "content.xml", "\x11\x22garbage", "META-INF/manifest.xml",
             "<m:manifest xmlns:m=\"" O "manifest:1.0\"><m:file-entry><m:encryption-data/></m:file-entry></m:manifest>",
             NULL);
    check("encrypted", ODT_TYPE, &b, "", CODE_document_encrypted, 0);
    buffer_free(&b);
    buffer_free(&text);
}

static void mail_is_bounded(void **state)
{
    struct buffer b = {0};
    (void)state;
    buffer_append_str(&b, "From: a@b\nSubject: s\nMIME-Version: 1.0\n");
    for (int i = 0; i < 1000; i++)
        buffer_printf(&b, "Content-Type: multipart/mixed; boundary=\"b%d\"\n\n--b%d\n", i, i);
    buffer_append_str(&b, "\nx\n");
    check("deep", "message/rfc822", &b, NULL, CODE_document_nesting_too_deep, 0);
    buffer_clear(&b);
    buffer_append_str(&b, "From: a@b\nMIME-Version: 1.0\n");
    for (int i = 0; i < 30; i++) buffer_printf(&b, "Content-Type: multipart/mixed; boundary=\"b%d\"\n\n--b%d\n", i, i);
    check("deep_30", "message/rfc822", &b, NULL, CODE_document_nesting_too_deep, 0);
    buffer_clear(&b);
    buffer_append_str(&b, "From: a@b\nX: ");
    repeat(&b, "aaaaaaaaaaaaaaa\n ", 200000);
    check("headers", "message/rfc822", &b, "", CODE_document_corrupt, 0);
    buffer_clear(&b);
    buffer_append_str(&b, "From: a@b\nMIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=b\n\n");
    repeat(&b, "--b\nContent-Type: image/png\n\nx\n", 5000);
    check("parts", "message/rfc822", &b, NULL, CODE_archive_too_many_members, 0);
    buffer_clear(&b);
    buffer_append_str(&b, "From: a@b\nMIME-Version: 1.0\nContent-Type: text/plain; charset=utf-7\n\nplain +AGE-\n");
    check("utf7", "message/rfc822", &b, "From: a@b\n\nplain +AGE-\n", CODE_NONE, 0);
    buffer_clear(&b);
    buffer_append_str(&b, "From a@b Sat Nov 21\nFrom: a@b\n\none\n\nFrom b@c Sat Nov 21\nFrom: b@c\n\ntwo\n");
    check("mbox", "application/mbox", &b, "[message-1.eml: 16]\n[message-2.eml: 15]\n", CODE_NONE, 0);
    buffer_free(&b);
}

static void put_stream(GsfOutfile *folder, const char *name, const void *bytes, size_t length)
{
    GsfOutput *child = gsf_outfile_new_child(folder, name, FALSE);
    gsf_output_write(child, length, bytes);
    gsf_output_close(child);
    g_object_unref(child);
}

static void put_wide(GsfOutfile *folder, const char *name, const char *ascii)
{
    char wide[256] = {0};
    for (size_t i = 0; ascii[i]; i++) wide[2 * i] = ascii[i];
    put_stream(folder, name, wide, 2 * strlen(ascii));
}

static void put_message(GsfOutfile *root, const char *subject, bool top)
{
    /* Header, then PR_CLIENT_SUBMIT_TIME: 2026-11-21 10:00:00. */
    unsigned char properties[48] = {0};
    const size_t header = top ? 32 : 24;
    const uint64_t ticks = (11644473600ull + 1795255200ull) * 10000000ull;
    memcpy(properties + header, "\x40\x00\x39\x00", 4);
    for (int i = 0; i < 8; i++) properties[header + 8 + (size_t)i] = (unsigned char)(ticks >> (8 * i));
    put_stream(root, "__properties_version1.0", properties, header + 16);
    put_wide(root, "__substg1.0_0037001F", subject);
    put_wide(root, "__substg1.0_0C1A001F", "Ann");
    put_wide(root, "__substg1.0_5D01001F", "ann@example.com");
    put_stream(root, "__substg1.0_0E04001E", "B\xf6hm", 4);
}

static void outlook_messages_have_headers_body_and_parts(void **state)
{
    static const char packed[] = "\x1c\0\0\0\x09\0\0\0MELA\0\0\0\0{\\rtf1 a}      ";
    GsfOutput *memory = gsf_output_memory_new();
    GsfOutfile *root = gsf_outfile_msole_new(memory);
    struct buffer b = {0};
    (void)state;
    put_message(root, "Offer", true);
    put_wide(root, "__substg1.0_1000001F", "Dear all\r\nline two");
    GsfOutfile *file = GSF_OUTFILE(gsf_outfile_new_child(root, "__attach_version1.0_#00000000", TRUE));
    put_wide(file, "__substg1.0_3707001F", "a.txt");
    put_stream(file, "__substg1.0_37010102", "hello", 5);
    gsf_output_close(GSF_OUTPUT(file));
    g_object_unref(file);
    GsfOutfile *nested = GSF_OUTFILE(gsf_outfile_new_child(root, "__attach_version1.0_#00000001", TRUE));
    put_wide(nested, "__substg1.0_3001001F", "Inner");
    GsfOutfile *inner = GSF_OUTFILE(gsf_outfile_new_child(nested, "__substg1.0_3701000D", TRUE));
    put_message(inner, "Inner", false);
    put_stream(inner, "__substg1.0_10090102", packed, sizeof(packed) - 1);
    gsf_output_close(GSF_OUTPUT(inner));
    g_object_unref(inner);
    gsf_output_close(GSF_OUTPUT(nested));
    g_object_unref(nested);
    gsf_output_close(GSF_OUTPUT(root));
    g_object_unref(root);
    buffer_append(&b, gsf_output_memory_get_bytes(GSF_OUTPUT_MEMORY(memory)), (size_t)gsf_output_size(memory));
    g_object_unref(memory);

    struct buffer text = {0};
    struct error err = {0};
    assert_int_equal(read_as("application/vnd.ms-outlook", b.data, b.length, &text, NULL, &err), DOCKET_OK);
    const char *want = "From: Ann <ann@example.com>\nTo: B\xc3\xb6hm\nSubject: Offer\nDate: 2026-11-21 10:00:00 UTC\n\n"
                       "Dear all\nline two\n[a.txt: 5]\n[Inner.msg: ";
    if (strncmp(text.data, want, strlen(want)) != 0) fail_msg("%s", text.data);
    /* The message inside is a message. */
    struct memory_sink m;
    const struct extract_input in = {.bytes = b.data, .length = b.length, .media_type = "application/vnd.ms-outlook"};
    memory_sink_init(&m);
    assert_int_equal(extract_ole(&in, &m.sink, &err), DOCKET_OK);
    buffer_clear(&text);
    assert_int_equal(
        read_as("application/vnd.ms-outlook", m.parts[1].bytes.data, m.parts[1].bytes.length, &text, NULL, &err),
        DOCKET_OK);
    assert_string_equal(text.data,
                        "From: Ann <ann@example.com>\nTo: B\xc3\xb6hm\nSubject: Inner\nDate: 2026-11-21 10:00:00 UTC\n"
                        "[body.rtf: 9]\n");
    memory_sink_free(&m);
    for (size_t part = 0; part < 20; part++) {
        struct buffer cut = {0};
        err = (struct error){0};
        char *exact = mem_dup(b.data, b.length * part / 20);
        enum status st = read_as("application/vnd.ms-outlook", exact, b.length * part / 20, &cut, NULL, &err);
        assert_true(st == DOCKET_OK || err.message[0]);
        mem_free(exact);
        buffer_free(&cut);
    }
    buffer_free(&text);
    buffer_free(&b);
}

static void ole_containers_are_told_apart(void **state)
{
    static const struct {
        const char *stream;
        enum error_code code;
    } cases[] = {{"EncryptedPackage", CODE_document_encrypted},
                 {"WordDocument", CODE_unsupported_media_type},
                 {"Workbook", CODE_unsupported_media_type},
                 {"Other", CODE_document_type_unsupported}};
    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        struct buffer b = {0};
        GsfOutput *memory = gsf_output_memory_new();
        GsfOutfile *root = gsf_outfile_msole_new(memory);
        put_stream(root, cases[i].stream, "x", 1);
        gsf_output_close(GSF_OUTPUT(root));
        g_object_unref(root);
        buffer_append(&b, gsf_output_memory_get_bytes(GSF_OUTPUT_MEMORY(memory)), (size_t)gsf_output_size(memory));
        g_object_unref(memory);
        check(cases[i].stream, "application/x-ole-storage", &b, "", cases[i].code, 0);
        buffer_free(&b);
    }
}

/* Memory of ours and of Expat; libarchive, Gumbo, GLib and uchardet take their own. */
static struct buffer tortured;
static const char *tortured_type;
static enum status run_reader(void *context, struct error *err)
{
    struct buffer text = {0};
    struct error why = {0};
    (void)context;
    enum status st = read_as(tortured_type, tortured.data, tortured.length, &text, NULL, &why);
    if (st == DOCKET_NO_MEMORY && err) *err = why;
    if (st != DOCKET_OK && st != DOCKET_NO_MEMORY) fail_msg("%s: %s", tortured_type, why.message);
    buffer_free(&text);
    return st == DOCKET_OK || text.failed ? DOCKET_OK : st;
}

static void missing_memory_is_said(void **state)
{
    (void)state;
    extractors_prepare();
    make_zip(&tortured, "word/document.xml", W_OPEN "<w:p><w:r><w:t>abc</w:t></w:r></w:p>" W_CLOSE, NULL);
    tortured_type = DOCX_TYPE;
    assert_true(torture(run_reader, NULL) > 5);
    buffer_clear(&tortured);
    make_zip(&tortured, BOOK, "xl/worksheets/s.xml", X_OPEN "<row><c><v>1</v></c></row></sheetData></worksheet>", NULL);
    tortured_type = XLSX_TYPE;
    assert_true(torture(run_reader, NULL) > 5);
    buffer_clear(&tortured);
    make_zip(&tortured, "content.xml", O_OPEN "<office:text><text:p>a</text:p></office:text></office:document-content>",
             NULL);
    tortured_type = ODT_TYPE;
    assert_true(torture(run_reader, NULL) > 5);
    buffer_free(&tortured);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pages_show_what_a_browser_shows),
        cmocka_unit_test(what_an_element_says_of_its_look_decides_whether_it_is_seen),
        cmocka_unit_test(looks_are_inherited),
        cmocka_unit_test(hostile_pages_end),
        cmocka_unit_test(word_documents_show_what_is_printed),
        cmocka_unit_test(hostile_xml_is_refused),
        cmocka_unit_test(sheets_keep_to_the_cells_that_are_there),
        cmocka_unit_test(open_documents_are_bounded_and_locks_named),
        cmocka_unit_test(mail_is_bounded),
        cmocka_unit_test(outlook_messages_have_headers_body_and_parts),
        cmocka_unit_test(ole_containers_are_told_apart),
        cmocka_unit_test(missing_memory_is_said),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
