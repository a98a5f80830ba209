/* Signs of hidden text in a PDF, by its operators; what pdftohtml says, taken as from a stranger; and both with real programs. */
#include "handlers/documents/extract.h"
#include "handlers/documents/pdf_hidden.h"
#include "handlers/documents/pdf_signs.h"
#include "handlers/documents/sandbox_layers.h"
#include "handlers/documents/sandbox_protocol.h"
#include "tests/support/cmocka.h"
#include "tests/support/documents.h"
#include "worker/base/alloc.h"
#include "worker/base/buffer.h"
#include "worker/base/file.h"

#include <stdio.h>
#include <string.h>
#include <zlib.h>

/* Signs */

struct facts {
    struct extract_sink sink;
    uint64_t signs;
    bool told;
};

static void take_fact(struct extract_sink *sink, enum extract_fact fact, uint64_t value)
{
    struct facts *f = (struct facts *)sink;
    assert_int_equal(fact, FACT_PDF_SIGNS);
    f->signs = value;
    f->told = true;
}

static unsigned signs_of(const void *bytes, size_t length)
{
    struct facts f = {.sink = {.fact = take_fact}};
    struct error err = {0};
    const struct extract_input in = {.bytes = bytes, .length = length, .media_type = "application/pdf"};
    assert_int_equal(extract_pdf(&in, &f.sink, &err), DOCKET_OK);
    assert_true(f.told);
    return (unsigned)f.signs;
}

enum packing { PLAIN, DEFLATED };

/* One page with one stream and one picture. */
static struct buffer pdf_with(const char *content, enum packing packing, const char *words)
{
    struct buffer b = {0};
    unsigned char packed[4096];
    uLongf n = sizeof(packed);
    size_t offsets[7];
    if (packing == DEFLATED)
        assert_int_equal(compress(packed, &n, (const unsigned char *)content, strlen(content)), Z_OK);
    buffer_append_str(&b, "%PDF-1.4\n");
    offsets[1] = b.length;
    buffer_append_str(&b, "1 0 obj\n<</Type/Catalog/Pages 2 0 R>>\nendobj\n");
    offsets[2] = b.length;
    buffer_append_str(&b, "2 0 obj\n<</Type/Pages/Kids[3 0 R]/Count 1>>\nendobj\n");
    offsets[3] = b.length;
    buffer_append_str(&b, "3 0 obj\n<</Type/Page/Parent 2 0 R/MediaBox[0 0 612 792]/Contents 4 0 R/Resources"
                          "<</Font<</F1 5 0 R>>/XObject<</Im1 6 0 R>>>>>>\nendobj\n");
    offsets[4] = b.length;
    size_t length = packing == DEFLATED ? n : strlen(content);
    buffer_printf(&b, "4 0 obj\n<</Length %zu%s%s>>stream\n", length, packing == DEFLATED ? "/Filter/FlateDecode" : "",
                  words);
    buffer_append(&b, packing == DEFLATED ? (const void *)packed : content, length);
    buffer_append_str(&b, "\nendstream\nendobj\n");
    offsets[5] = b.length;
    buffer_append_str(&b, "5 0 obj\n<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>\nendobj\n");
    offsets[6] = b.length;
    buffer_append_str(&b,
                      "6 0 obj\n<</Type/XObject/Subtype/Image/Width 2/Height 2/ColorSpace/DeviceGray/BitsPerComponent 8"
                      "/Length 4>>stream\n\x80\x90\xa0\xff\nendstream\nendobj\n");
    size_t table = b.length;
    buffer_append_str(&b, "xref\n0 7\n0000000000 65535 f \n");
    for (size_t i = 1; i < 7; i++) buffer_printf(&b, "%010zu 00000 n \n", offsets[i]);
    buffer_printf(&b, "trailer<</Size 7/Root 1 0 R>>\nstartxref\n%zu\n%%%%EOF", table);
    assert_false(b.failed);
    return b;
}

#define SEEN "BT /F1 12 Tf 72 700 Td (Visible) Tj ET "
static const struct {
    const char *content;
    unsigned signs;
} contents[] = {
    {SEEN, 0},
    {"q 0.2 0.2 0.2 rg " SEEN "Q", 0},
    {"q .24 0 0 .24 0 0 cm BT /F1 50 Tf 1 0 0 1 300 2500 Tm [(Vis) -20 (ible)] TJ ET Q", 0},
    {"BT /F1 1 Tf 11 0 0 11 72 700 Tm <0012> Tj ET", 0},
    {"/Cs1 cs 0 0 0 sc " SEEN, 0},
    {"0 0 0 1 k " SEEN, 0},
    {"1 1 1 rg 0 0 612 792 re f 0 g " SEEN, 0},
    {"q 1 g 0 0 612 792 re f Q " SEEN, 0},
    {"q 612 0 0 792 0 0 cm /Im1 Do Q " SEEN, 0},
    {SEEN "q 100 0 0 100 300 300 cm /Im1 Do Q", 0},
    {"q 0 0 612 792 re W n " SEEN "Q", 0},
    {"BT 3 Tr ET", SIGN_MODE}, /* what it leaves to the next stream */
    {"q BT /F1 12 Tf 3 Tr 72 700 Td (x) Tj ET Q", SIGN_MODE},
    {"q BT /F1 12 Tf 7 Tr 72 700 Td <41> Tj ET Q", SIGN_MODE},
    {"q 1 1 1 rg BT /F1 12 Tf 72 700 Td (x) Tj ET Q", SIGN_LIGHT},
    {"q .95 g BT /F1 12 Tf 72 700 Td (x) ' ET Q", SIGN_LIGHT},
    {"q 0 0 0 0 k BT /F1 12 Tf 72 700 Td 1 2 (x) \" ET Q", SIGN_LIGHT},
    {"q /Cs1 cs 1 1 1 sc BT /F1 12 Tf 72 700 Td (x) Tj ET Q", SIGN_LIGHT},
    {"q /P1 scn BT /F1 12 Tf 72 700 Td (x) Tj ET Q", SIGN_LIGHT},
    {"q 1 G 1 Tr BT /F1 12 Tf 72 700 Td (x) Tj ET Q", SIGN_LIGHT},
    {"1 g", SIGN_LIGHT},
    {"BT /F1 1 Tf 72 700 Td (x) Tj ET", SIGN_SMALL},
    {"q .1 0 0 .1 0 0 cm BT /F1 12 Tf 720 7000 Td (x) Tj ET Q", SIGN_SMALL},
    {"q BT /F1 12 Tf .1 0 0 .1 72 700 Tm (x) Tj ET Q", SIGN_SMALL},
    {"BT /F1 12 Tf 72 -100 Td (x) Tj ET", SIGN_OUTSIDE},
    {"BT /F1 12 Tf 72 700 Td 600 0 TD (x) Tj ET", SIGN_OUTSIDE},
    {"BT /F1 12 Tf 800 TL 72 700 Td T* (x) Tj ET", SIGN_OUTSIDE},
    {"q 0 0 10 10 re W n BT /F1 12 Tf 72 700 Td (x) Tj ET Q", SIGN_OUTSIDE},
    {SEEN "1 g 60 690 100 40 re f", SIGN_COVERED | SIGN_LIGHT},
    {SEEN "q 100 0 0 100 60 650 cm /Im1 Do Q", SIGN_COVERED},
    {SEEN "q 60 690 m 160 690 l 160 740 l 60 740 l h B Q", SIGN_COVERED},
    {SEEN "q 100 0 0 100 60 650 cm BI /W 1 /H 1 /CS /G /BPC 8 ID \x80 EI Q", SIGN_COVERED},
    {"(3 Tr 1 g) (\\) 1 g) <</A (1 g)>> % 3 Tr\n" SEEN, 0},
};

static void operators_that_may_hide_text_are_seen(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(contents); i++)
        for (unsigned packing = PLAIN; packing <= DEFLATED; packing++) {
            struct buffer b = pdf_with(contents[i].content, (enum packing)packing, "");
            unsigned signs = signs_of(b.data, b.length);
            if (signs != contents[i].signs) fail_msg("%s: %u, not %u", contents[i].content, signs, contents[i].signs);
            buffer_free(&b);
        }
}

static void what_is_not_understood_is_a_sign(void **state)
{
    static const char *const words[] = {
        "/Filter/LZWDecode",   "/Filter[/ASCIIHexDecode/FlateDecode]", "/Filter 7 0 R",  "/Filter/F#6cateDecode",
        "/Filter/FlateDecode", "/DecodeParms<</Predictor 12>>",        "/Subtype/Image", "/F(elsewhere)"};
    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(words); i++) {
        struct buffer b = pdf_with(SEEN, PLAIN, words[i]);
        if (!(signs_of(b.data, b.length) & SIGN_NOT_UNDERSTOOD)) fail_msg("%s", words[i]);
        buffer_free(&b);
    }
    static const char *const files[] = {"%PDF-1.4\ntrailer<</Encrypt 9 0 R>>",
                                        "%PDF-1.4 <</Subtype/Type3>>",
                                        "%PDF-1.4 <</ca 0>>",
                                        "%PDF-1.4 <</ca .05>>",
                                        "%PDF-1.4 <</MediaBox 4 0 R>>",
                                        "%PDF-1.4 <</MediaBox[0 0 x 1]>>"};
    for (size_t i = 0; i < ARRAY_LENGTH(files); i++)
        if (!(signs_of(files[i], strlen(files[i])) & SIGN_NOT_UNDERSTOOD)) fail_msg("%s", files[i]);
    static const char *const fine[] = {"%PDF-1.4\n", "%PDF-1.4 <</ca 1>>", "%PDF-1.4 <</MediaBox[0 0 1 1]>>",
                                       "%PDF-1.4 stream", "%PDF-1.4 endstream stream\r\n"};
    for (size_t i = 0; i < ARRAY_LENGTH(fine); i++)
        if (signs_of(fine[i], strlen(fine[i])) & ~(unsigned)SIGN_NOT_UNDERSTOOD) fail_msg("%s", fine[i]);
}

static void any_cut_of_a_file_is_survived(void **state)
{
    (void)state;
    struct buffer b = pdf_with(contents[ARRAY_LENGTH(contents) - 2].content, DEFLATED, "");
    for (size_t n = 0; n < b.length; n++) {
        void *copy = mem_dup(b.data, n); /* so that a sanitizer sees every byte beyond */
        assert_non_null(copy);
        signs_of(copy, n);
        mem_free(copy);
    }
    buffer_free(&b);
}

/* What pdftohtml says */

static const char printed[] =
    "<pdf2xml producer=\"poppler\">\n"
    "<page number=\"1\" position=\"absolute\" top=\"0\" left=\"0\" height=\"1188\" width=\"918\">\n"
    "\t<fontspec id=\"0\" size=\"18\" family=\"Times\" color=\"#000000\"/>\n"
    "\t<fontspec id=\"1\" size=\"3\" family=\"x color=\"#000000\" color=\"#ff0000\"/>\n"
    "<text top=\"125\" left=\"108\" width=\"148\" height=\"17\" font=\"0\">Two <b>w&amp;rds</b></text>\n"
    "<text top=\"-125\" left=\"108\" width=\"148\" height=\"17\" font=\"1\">\xc3\xa9t\xc3\xa9</text>\n"
    "</page>\n"
    "<page number=\"2\" position=\"absolute\" top=\"0\" left=\"0\" height=\"10\" width=\"9\">\n"
    "<text top=\"1\" left=\"2\" width=\"3\" height=\"4\" font=\"77\">x</text>\n"
    "</page>\n";

static void pieces_have_places_colours_and_letters(void **state)
{
    struct pdf_pieces p = {0};
    struct error err = {0};
    (void)state;
    assert_int_equal(pdf_pieces_parse(&p, printed, sizeof(printed) - 1, 2, &err), DOCKET_OK);
    assert_int_equal(p.n_pages, 2);
    assert_int_equal(p.n, 3);
    assert_true(p.heights[0] == 1188 && p.widths[0] == 918 && p.heights[1] == 10);
    assert_int_equal(p.items[0].characters, 8);
    assert_true(p.items[0].points == 12 && p.items[0].gray == 0 && p.items[0].top == 125);
    assert_int_equal(p.items[1].characters, 3);
    assert_true(p.items[1].points == 2 && p.items[1].gray == 76 && p.items[1].top == -125);
    assert_int_equal(p.items[2].page, 1);
    pdf_pieces_free(&p);
    assert_int_equal(pdf_pieces_parse(&p, printed, sizeof(printed) - 1, 1, &err), DOCKET_OK);
    assert_int_equal(p.n_pages, 1);
    pdf_pieces_free(&p);
}

static void any_output_is_survived(void **state)
{
    static const char *const lines[] = {
        "<text top=\"1\" left=\"1\" width=\"1\" height=\"1\" font=\"0\">before a page</text>\n",
        ("<page number=\"1\" height=\"99999999999999999999\" width=\"-\">\n<text top=\"1\">x</text>\n<text \n<text "
         "top=\"\""),
        "<page \n<fontspec id=\"99999999\" size=\"1\" color=\"#00\"/>\n<fontspec id=\"-1\"/>\n<fontspec ",
        "<page \n<text top=\"1\" left=\"1\" width=\"1\" height=\"1\" font=\"-5\">a<b&c",
    };
    struct error err = {0};
    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(lines); i++)
        for (size_t n = 0; n <= strlen(lines[i]); n++) {
            struct pdf_pieces p = {0};
            char *copy = mem_dup(lines[i], n);
            assert_int_equal(pdf_pieces_parse(&p, copy, n, 3, &err), DOCKET_OK);
            pdf_pieces_free(&p);
            mem_free(copy);
        }
    for (size_t n = 1;; n++) {
        struct pdf_pieces p = {0};
        mem_fail_at(n, false);
        enum status st = pdf_pieces_parse(&p, printed, sizeof(printed) - 1, 2, &err);
        bool done = mem_count() < n;
        mem_fail_at(0, false);
        pdf_pieces_free(&p);
        if (done) break;
        assert_int_equal(st, DOCKET_NO_MEMORY);
    }
}

/* Together */

static const struct {
    const char *content;
    size_t unseen, layer, beyond;
} documents[] = {
    {SEEN, 0, 0, 0},
    {SEEN "0 0 .5 rg 60 180 300 40 re f 1 1 1 rg BT /F1 12 Tf 72 200 Td (white on blue) Tj ET", 0, 0, 0},
    {SEEN "1 1 1 rg BT /F1 12 Tf 72 600 Td (white) Tj ET", 5, 0, 0},
    {SEEN ".92 g BT /F1 12 Tf 72 600 Td (white) Tj ET", 5, 0, 0},
    {SEEN "0 0 .5 rg 60 180 300 40 re f BT /F1 12 Tf 72 200 Td (blue on blue) Tj ET 60 180 300 40 re f", 10, 0, 0},
    {SEEN "BT /F1 1 Tf 72 600 Td (tiny) Tj ET", 4, 0, 0},
    {SEEN "BT 3 Tr /F1 12 Tf 72 600 Td (mode) Tj 0 Tr ET", 4, 0, 0},
    {SEEN "BT /F1 12 Tf 72 -100 Td (beyond) Tj ET", 0, 0, 6},
    {SEEN "BT /F1 12 Tf 72 300 Td (covered) Tj ET q 300 0 0 60 60 280 cm /Im1 Do Q", 7, 0, 0},
    {SEEN "q 0 0 10 10 re W n BT /F1 12 Tf 72 300 Td (clipped) Tj ET Q", 7, 0, 0},
    /* Bars where the words are, as a scan has letters there. */
    {"0 g 72 700 20 8 re 100 700 20 8 re f BT 3 Tr /F1 12 Tf 72 700 Td (scanned) Tj ET", 0, 7, 0},
};

static void text_that_nobody_sees_is_counted_and_kept(void **state)
{
    (void)state;
    if (!box_installed("pdftohtml") || !box_installed("pdftoppm")) skip();
    struct document_limits limits = {.sandbox = open_sandbox()};
    for (size_t i = 0; i < ARRAY_LENGTH(documents); i++) {
        struct document_list list = {0};
        struct error err = {0};
        struct buffer b = pdf_with(documents[i].content, DEFLATED, "");
        assert_int_equal(documents_from_bytes(&list, "d", "d.pdf", b.data, b.length, &limits, &err), DOCKET_OK);
        const struct document *d = &list.items[0];
        if (d->unseen_characters != documents[i].unseen || d->layer_characters != documents[i].layer ||
            d->beyond_characters != documents[i].beyond || d->unseen_left || d->error.code != CODE_NONE)
            fail_msg("%s: %zu unseen, %zu of a layer, %zu beyond, %s", documents[i].content, d->unseen_characters,
                     d->layer_characters, d->beyond_characters, d->error.message);
        if (documents[i].unseen + documents[i].layer > 0 && d->characters < documents[i].unseen + documents[i].layer)
            fail_msg("%s: the text is gone", documents[i].content);
        document_list_free(&list);
        buffer_free(&b);
    }
    sandbox_close(limits.sandbox);
}

static void any_allocation_of_a_second_look_may_fail(void **state)
{
    (void)state;
    if (!box_installed("pdftohtml") || !box_installed("pdftoppm")) skip();
    struct document_limits limits = {.sandbox = open_sandbox()};
    struct buffer b = pdf_with(documents[2].content, DEFLATED, "");
    for (size_t n = 1;; n++) {
        struct document_list list = {0};
        struct error err = {0};
        mem_fail_at(n, n % 2 == 0);
        enum status st = documents_from_bytes(&list, "c", "a.pdf", b.data, b.length, &limits, &err);
        bool done = mem_count() < n;
        mem_fail_at(0, false);
        if (st == DOCKET_OK ? !done || list.n != 1 : st != DOCKET_NO_MEMORY || list.n != 0)
            fail_msg("allocation %zu: status %d, %s", n, (int)st, err.message);
        document_list_free(&list);
        if (done) break;
    }
    buffer_free(&b);
    sandbox_close(limits.sandbox);
}

int main(int argc, char **argv)
{
    int code;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(operators_that_may_hide_text_are_seen),
        cmocka_unit_test(what_is_not_understood_is_a_sign),
        cmocka_unit_test(any_cut_of_a_file_is_survived),
        cmocka_unit_test(pieces_have_places_colours_and_letters),
        cmocka_unit_test(any_output_is_survived),
        cmocka_unit_test(text_that_nobody_sees_is_counted_and_kept),
        cmocka_unit_test(any_allocation_of_a_second_look_may_fail),
    };
    if (sandbox_is_server(argc, argv, &code)) return code;
    for (int i = 1; i < argc; i++) { /* by hand: the signs of files */
        struct buffer b = {0};
        struct error err = {0};
        if (file_read_all(&b, argv[i], &err) == DOCKET_OK) printf("%s: %u\n", argv[i], signs_of(b.data, b.length));
        buffer_free(&b);
    }
    return argc > 1 ? 0 : cmocka_run_group_tests(tests, NULL, NULL);
}
