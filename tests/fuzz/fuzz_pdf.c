/* The look at a PDF for text that nobody sees: any file, any content stream, anything that pdftohtml might print. The first byte chooses. */
#include "handlers/documents/extract.h"
#include "handlers/documents/pdf_hidden.h"
#include "handlers/documents/pdf_signs.h"

#include <assert.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static unsigned n_told;

static void on_fact(struct extract_sink *sink, enum extract_fact fact, uint64_t value)
{
    (void)sink;
    assert(fact == FACT_PDF_SIGNS && value < 64);
    n_told++;
}

static void look_at_file(const uint8_t *data, size_t size)
{
    struct extract_sink sink = {.fact = on_fact};
    struct error err = {0};
    const struct extract_input in = {.bytes = data, .length = size, .media_type = "application/pdf"};
    n_told = 0;
    enum status st = extract_pdf(&in, &sink, &err);
    assert(st == DOCKET_OK && n_told == 1);
}

static void look_at_output(const uint8_t *data, size_t size)
{
    struct pdf_pieces pieces = {0};
    struct error err = {0};
    enum status st = pdf_pieces_parse(&pieces, (const char *)data, size, 3, &err);
    assert(st == DOCKET_OK && pieces.n_pages <= 3);
    for (size_t i = 0; i < pieces.n; i++)
        assert(pieces.items[i].page < pieces.n_pages && pieces.items[i].characters > 0);
    pdf_pieces_free(&pieces);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct pdf_signs signs = {0};
    if (size == 0) return 0;
    if (data[0] == 'f')
        look_at_file(data + 1, size - 1);
    else if (data[0] == 'o')
        look_at_output(data + 1, size - 1);
    else {
        pdf_signs_look(&signs, (const char *)data + 1, size - 1);
        assert(pdf_signs_end(&signs) < 64);
    }
    return 0;
}
