/* runpod.h: the queue of a RunPod-style serverless endpoint: five URLs from templates, a key sent as it is. */
#ifndef DOCKET_QUEUE_RUNPOD_H
#define DOCKET_QUEUE_RUNPOD_H

#include "worker/queue/queue.h"

/* All strings are copied; NULL: not set. */
struct runpod_options {
    const char *take_url;      /* RUNPOD_WEBHOOK_GET_JOB; must be there */
    const char *done_url;      /* RUNPOD_WEBHOOK_POST_OUTPUT; must be there */
    const char *ping_url;      /* RUNPOD_WEBHOOK_PING; NULL: no heartbeat */
    const char *api_key;       /* RUNPOD_AI_API_KEY; NULL or empty: no heartbeat, empty header */
    const char *worker_id;     /* must be there, see worker_id_is_made_up */
    bool worker_id_is_made_up; /* RUNPOD_POD_ID is not set: no heartbeat */
    const char *gpu_type_id;   /* RUNPOD_GPU_TYPE_ID */
    const char *ca_file;       /* SSL_CERT_FILE, CURL_CA_BUNDLE, REQUESTS_CA_BUNDLE */
    const char *version;       /* of docket, for the User-Agent */
    bool allow_clear_text;     /* plain http to a public host */
    double poll_seconds;       /* limit of one take or stop poll; 0: 90 as the SDK */
    double post_seconds;       /* limit of one result post; 0: 300 */
};

/* BAD_CONFIG when a URL or the key cannot be used (message names the variable), NO_MEMORY. Free with runpod_close. */
enum status runpod_open(struct queue **out, const struct runpod_options *options, struct error *err);
void runpod_close(struct queue *queue); /* NULL is fine */

/* Why there is no heartbeat: the name of the variable that is missing, or NULL when there is one. */
const char *runpod_heartbeat_missing(const struct runpod_options *options);

/* What the platform's milliseconds (RUNPOD_PING_INTERVAL; NULL: not set) mean in seconds: 1 to 60, 10 when not set or not a number.
 * *clamped tells that the value could not be used as it was. */
double runpod_ping_interval(const char *milliseconds, bool *clamped);

/* The meaning of the status of a result's answer. */
enum queue_verdict runpod_result_verdict(int status);

#endif
