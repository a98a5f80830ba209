/* results.h: a job's results at the place that it names: JSON lines, packed if wanted, put there through the guard of URLs. */
#ifndef DOCKET_HANDLERS_RESULTS_H
#define DOCKET_HANDLERS_RESULTS_H

#include "handlers/documents/reader.h"
#include "handlers/report.h"
#include "worker/handler.h"

/* Before any work: whether the place is one that may be written to, as far as its URL says. job_field_invalid. */
enum status results_check(const struct job_output *output, const struct reader *reader, struct error *err);
/* Writes the report's results, packs them and puts them at output->url. On failure what went wrong there is the answer's warning, which the
 * caller frees (NULL: no memory for it), and *place stays empty: the results are not lost, they are in the answer. CANCELLED; INTERNAL as of
 * report_write. *place and *warning start empty. */
enum status results_deliver(const struct report *report, const struct job_output *output, struct reader *reader,
                            const atomic_bool *stop, struct results_place *place, char **warning, struct error *err);
/* After a delivery that failed, where the answer has no room: has the worker keep what was to be put there. *kept (the caller frees) is the
 * answer's warning that says where, NULL where nobody keeps it. NO_MEMORY; INTERNAL as of report_write. */
enum status results_keep(const struct report *report, const struct job_output *output,
                         const struct job_services *services, char **kept, struct error *err);
void results_place_free(struct results_place *place);

/* Appends `bytes` packed. The same bytes each time. NO_MEMORY, INTERNAL. */
enum status results_pack(struct buffer *out, const void *bytes, size_t length, enum output_packing packing,
                         struct error *err);

#endif
