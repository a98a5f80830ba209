/* flow.h: text on its way from a format's reader to the sink: line ends, tabs and pages are asked for and written only when text
 * follows, so that a document's empty parts leave no trace. Knows no format. */
#ifndef DOCKET_HANDLERS_DOCUMENTS_FLOW_H
#define DOCKET_HANDLERS_DOCUMENTS_FLOW_H

#include "handlers/documents/extractor.h"
#include "worker/base/buffer.h"

struct flow {
    struct extract_sink *sink; /* NULL: all text stays in `out` */
    struct buffer out;
    size_t n_characters, max_characters; /* of text; 0: all */
    size_t n_hidden;                     /* characters that came while muted */
    unsigned muted;                      /* above 0: text is counted, not written */
    unsigned in_cell;                    /* above 0: line ends are spaces */
    unsigned line_ends, tabs;            /* asked for */
    bool page, space;                    /* asked for */
    bool row_begins;                     /* nothing was written in this row */
    bool any;                            /* there is text before */
    bool done;                           /* the sink wants no more; check it in loops */
};

void flow_init(struct flow *f, struct extract_sink *sink, size_t max_characters);
/* As it is. A character cut at the end of one call must go on in the next. */
void flow_put(struct flow *f, const char *utf8, size_t length);
void flow_put_str(struct flow *f, const char *utf8);
/* As HTML shows it: runs of white space are one space, none at a line's ends. */
void flow_words(struct flow *f, const char *utf8, size_t length);
void flow_space(struct flow *f);
/* At least n line ends before what follows; 2 leave a line free. */
void flow_break(struct flow *f, unsigned n);
/* One more line end, up to a free line. */
void flow_end_line(struct flow *f);
/* A row of a table begins or ends: its trailing empty cells are dropped. */
void flow_row(struct flow *f);
/* Between two cells of a row. Within a cell (in_cell) rows, tabs and line ends are spaces. */
void flow_tab(struct flow *f);
void flow_page(struct flow *f);
/* Writes what is left, a last line end, and the fact of hidden characters; frees. DOCKET_OK or NO_MEMORY. */
enum status flow_finish(struct flow *f, struct error *err);
void flow_free(struct flow *f);

#endif
