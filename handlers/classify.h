/* classify.h: the classification handler: one job's documents and labels → scored results. Where documents and model meet. */
#ifndef DOCKET_HANDLERS_CLASSIFY_H
#define DOCKET_HANDLERS_CLASSIFY_H

#include "handlers/documents/reader.h"
#include "worker/handler.h"
#include "worker/model/model.h"
#include "worker/observe/cost.h"
#include "worker/observe/gpu_stats.h"

struct classify_options {
    struct model_options model;
    struct reader_options documents;
    struct price price;
    const char *worker_id; /* for the report */
    const char *version;
    const char *nvml_library; /* NULL: where the loader looks */
    size_t result_max_bytes;  /* of one job's output; 0: 8 MB */
};

struct classifier;
/* Nothing is loaded yet; options are copied, their strings borrowed until close. */
enum status classifier_open(struct classifier **out, const struct classify_options *options, struct error *err);
void classifier_close(struct classifier *classifier);
/* The handler of the worker: prepare loads the model. `out` borrows the classifier. */
void classifier_handler(struct classifier *classifier, struct handler *out);
enum status classifier_load(struct classifier *classifier, const atomic_bool *stop, struct error *err);
/* NULL before it is loaded. */
struct model *classifier_model(struct classifier *classifier);
/* What device_state_read says of its device; once it is loaded. */
void classifier_device(struct classifier *classifier, struct gpu_reading *out, uint64_t *peak);

/* One job from the text of its object (`{"input": …}`): its `output` as JSON. The same that the handler posts. */
enum status classify_job(struct classifier *classifier, const struct job *job, const struct job_services *services,
                         struct buffer *output, bool *refresh_worker, struct error *err);

#endif
