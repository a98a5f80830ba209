/* models.h: what the parts of docket models share. A part is a function here, a file of its own, and a row in models.c. */
#ifndef DOCKET_HANDLERS_TOOLS_MODELS_H
#define DOCKET_HANDLERS_TOOLS_MODELS_H

#include "handlers/tools/tools.h"
#include "worker/hub/download.h"

#include <stdatomic.h>

struct models_values {
    bool json, no_links, all;
    const char *format, *out;
    uint64_t connections, piece_bytes;
};

/* arguments are those behind the part's name. */
int models_fetch(const struct tool_call *call);
int models_prepare(const struct tool_call *call);
int models_list(const struct tool_call *call);
int models_verify(const struct tool_call *call);

/* True from the first SIGINT or SIGTERM on; models_catch_signals begins that. */
extern atomic_bool models_stop;
void models_catch_signals(void);

/* "REPO@revision", a short name or a folder, into two texts; --revision counts where there is no '@'. The caller frees both. */
enum status models_name(char **model, char **revision, const struct tool_call *call, const char *text,
                        struct error *err);
/* Fetches, with a bar on a terminal and log lines elsewhere. The caller frees the folder, which hub_locate found. */
struct models_fetched {
    struct hub_fetched facts;
    char *folder;
};
enum status models_fetch_one(struct models_fetched *out, const struct tool_call *call, const char *model,
                             const char *revision, struct error *err);
/* "93.4 GB" */
const char *models_size(char out[32], uint64_t bytes);

#endif
