/* load_reader.h: inside of load.c: a few threads read what a plan lists, in pieces, into a ring of buffers that the device copies from at
 * full speed; the pieces come out in the order of the files. */
#ifndef DOCKET_MODEL_LOAD_READER_H
#define DOCKET_MODEL_LOAD_READER_H

#include "worker/model/load_plan.h"

/* A piece of one segment of one item. */
struct chunk {
    unsigned char *bytes;
    size_t item, segment, length;
    uint64_t at; /* bytes behind the segment's start */
};

struct load_reader;

/* plan and device are borrowed until close. The buffers are the device's (host_allocate). */
enum status load_reader_open(struct load_reader **out, struct load_plan *plan, const struct device *device,
                             struct error *err);
/* NULL at the end, or where reading failed (close says so). Borrowed until load_reader_used has been called for it, and the work that was
 * queued before that call is done. */
struct chunk *load_reader_next(struct load_reader *reader);
/* For each chunk in turn. Waits for the device, now and then, so that buffers become free. */
enum kernels_status load_reader_used(struct load_reader *reader);
/* Ends the threads; waits for what the device still reads. The status of reading; *seconds: time in which any thread read. NULL is fine. */
enum status load_reader_close(struct load_reader *reader, double *seconds, struct error *err);

#endif
