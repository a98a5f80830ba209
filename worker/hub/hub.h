/* hub.h: questions to a hub of models over HTTP: the listing of a repository, the facts of a file, its bytes. Tries again when
 * that may help, follows redirects, and gives the token to the hub's own host alone. Knows no disk. */
#ifndef DOCKET_HUB_HUB_H
#define DOCKET_HUB_HUB_H

#include "worker/http/client.h"
#include "worker/hub/answers.h"

struct hub_source {
    const char *endpoint;   /* "https://huggingface.co" */
    const char *token;      /* or NULL */
    const char *ca_file;    /* or NULL */
    const char *user_agent; /* or NULL */
    bool allow_clear_text;
    unsigned max_failures;   /* in a row before it is given up; 0: 6 */
    double first_wait;       /* seconds before the second try, doubled from then on; 0: 1 */
    const atomic_bool *stop; /* or NULL */
};

/* One connection. One thread at a time; several may share a source. */
struct hub;
enum status hub_open(struct hub **out, const struct hub_source *source, struct error *err);
void hub_close(struct hub *hub); /* NULL is fine */

/* Files and commit of the revision. hub_refused, hub_unreachable, hub_answer_invalid. */
enum status hub_list(struct hub *hub, struct hub_listing *out, const char *repository, const char *revision,
                     struct error *err);

/* Where the bytes of a file are to be had. {0} is valid and freeable. */
struct hub_place {
    char *url;
    bool token; /* on the hub's own host */
    char etag[HUB_ETAG_BYTES];
    uint64_t size_bytes;
};
enum status hub_resolve(struct hub *hub, struct hub_place *out, const char *repository, const char *commit,
                        const char *name, struct error *err);
void hub_place_free(struct hub_place *place);

struct hub_range {
    uint64_t first, last; /* bytes wanted, both included */
    uint64_t total;       /* of the file: an answer that says otherwise is refused */
    bool (*take)(void *context, uint64_t offset, const char *bytes, size_t length); /* false: stop here */
    void *context;
    const atomic_bool *stop; /* or NULL; besides the source's */
};
enum hub_got {
    HUB_GOT_RANGE, /* what was asked, or its beginning if the call failed */
    HUB_GOT_WHOLE, /* the server knows no ranges: bytes came from 0 on, or none if first was not 0 */
    HUB_GOT_STALE, /* the place is no longer good: resolve again */
};
/* One try. NETWORK and TIMEOUT (try again, asked_seconds: Retry-After or -1), REFUSED, CORRUPT, CANCELLED (stop or take). */
enum status hub_read(struct hub *hub, const struct hub_place *place, const struct hub_range *range, enum hub_got *got,
                     double *asked_seconds, struct error *err);

/* Waits as after `failures` in a row; logs why. false: stopped. */
bool hub_wait(const struct hub_source *source, const char *name, unsigned failures, double asked_seconds,
              const struct error *why, const atomic_bool *stop);
unsigned hub_max_failures(const struct hub_source *source);

#endif
