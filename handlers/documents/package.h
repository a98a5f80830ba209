/* package.h: the zip that office documents are: its XML parts in memory, found by name, and their relationships. */
#ifndef DOCKET_HANDLERS_DOCUMENTS_PACKAGE_H
#define DOCKET_HANDLERS_DOCUMENTS_PACKAGE_H

#include "handlers/documents/extractor.h"
#include "handlers/documents/flow.h"

struct package_part {
    char *name; /* without a leading '/' */
    struct buffer bytes;
};
struct package {
    struct package_part *parts;
    size_t n, capacity;
    bool damaged; /* what follows, or a part's end, could not be read */
    bool encrypted;
};

/* Where a part points. Targets outside of the package are not in it. */
struct relation {
    char *id, *type, *target; /* type: the last step of its name, "header"; target: a part's name */
};
struct relation_list {
    struct relation *items;
    size_t n, capacity, n_outside;
};

/* Reads all XML parts. DOCKET_OK, with `damaged` where the end is missing; document_encrypted, document_expands_too_far,
 * archive_too_many_members, document_corrupt (nothing readable in it); NO_MEMORY. {0} is valid and freeable. */
enum status package_open(struct package *package, const struct extract_input *in, struct error *err);
void package_free(struct package *package);
/* Case of ASCII letters aside; the first of two. NULL: none. */
const struct package_part *package_find(const struct package *package, const char *name);
/* document_corrupt if damaged: what the readers end with. */
enum status package_conclude(const struct package *package, struct error *err);

/* Of the part `name`; "" for the package itself. A part without any has none. */
enum status relations_read(struct relation_list *list, const struct package *package, const char *name,
                           struct error *err);
const struct relation *relation_by_id(const struct relation_list *list, const char *id);
const struct relation *relation_by_type(const struct relation_list *list, const char *type);
void relations_free(struct relation_list *list);
/* The main part by the package's relationships, or `otherwise` if that is there; NULL: neither. */
enum status package_main(const struct package_part **main, const struct package *package, const char *otherwise,
                         struct error *err);

#endif
