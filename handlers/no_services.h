/* no_services.h: what stands where nobody offers a job's services: nothing is kept, found or told. */
#ifndef DOCKET_HANDLERS_NO_SERVICES_H
#define DOCKET_HANDLERS_NO_SERVICES_H

#include "worker/handler.h"

extern const struct job_services no_services;

#endif
