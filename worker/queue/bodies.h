/* bodies.h: the bodies that are posted: results, progress, the error report, the short form of a refused result. The envelope is
 * spaced as Python prints it; what stands inside is the handler's own JSON. */
#ifndef DOCKET_QUEUE_BODIES_H
#define DOCKET_QUEUE_BODIES_H

#include "worker/base/buffer.h"

#include <stddef.h>

#define RUNPOD_SDK_VERSION "1.12.0" /* whose worker is imitated on the wire */

/* {"output": …, "error": "…", "stopPod": true}, each only when given. output: JSON text or NULL; error: text or NULL. */
void body_result(struct buffer *out, const char *output, size_t output_bytes, const char *error, size_t error_bytes,
                 bool stop_pod);

/* {"status": "IN_PROGRESS", "output": …} */
void body_progress(struct buffer *out, const char *output, size_t output_bytes);

struct body_report {
    const char *hostname, *worker_id; /* NULL: "unknown" */
    bool stop_pod;
};
/* {"error": "<the report as JSON>"}: six keys, escaped to ASCII, in the SDK's order. */
void body_error_report(struct buffer *out, const struct error *why, const struct body_report *facts);

/* {"error": "result_rejected: …"}: what a caller gets when the queue refused the whole result with that status. */
void body_rejected(struct buffer *out, int status, size_t result_bytes);

/* DOCKET_OK if the body may be posted: within max_bytes (else LIMIT, result_too_large) and one valid JSON document (else INTERNAL,
 * internal_error). NO_MEMORY if it could not be checked. */
enum status body_check(const struct buffer *body, size_t max_bytes, struct error *err);

#endif
