/* evaluate.h: labelled documents through the classifier: how many answers are right, and how many are those of another run. */
#ifndef DOCKET_HANDLERS_TOOLS_EVALUATE_H
#define DOCKET_HANDLERS_TOOLS_EVALUATE_H

#include "handlers/classify.h"

struct evaluation_item {
    char *path, *label; /* the label as it is asked for: underscores are spaces */
};
/* {0} is valid and freeable. */
struct evaluation_set {
    struct evaluation_item *items;
    size_t n, capacity;
};
/* Lines of JSON, each with "label" and "file" (beside that file) or "path". Errors name the line. */
enum status evaluation_read(struct evaluation_set *out, const char *path, struct error *err);
void evaluation_free(struct evaluation_set *set);

struct evaluation {
    char **answers; /* [n], NULL: an error */
    size_t n, n_right, n_errors;
};
/* Loads the model that the options name, and asks for every document. */
enum status evaluation_run(struct evaluation *out, const struct evaluation_set *set,
                           const struct classify_options *options, struct error *err);
void evaluation_close(struct evaluation *evaluation);
/* Share of documents with the same answer. */
double evaluation_agreement(const struct evaluation *a, const struct evaluation *b);

#endif
