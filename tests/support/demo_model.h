/* demo_model.h: the committed model, and whether a fixture was made for it. Tests run in the root of the repository. */
#ifndef DOCKET_TESTS_SUPPORT_DEMO_MODEL_H
#define DOCKET_TESTS_SUPPORT_DEMO_MODEL_H

#include "worker/model/model.h"

/* Finds the model; everything else is the default. */
void demo_model_options(struct model_options *out);
/* true if `digest`, of 64 characters, is that of the model's config.json and weight files; else prints what there is to do. */
bool demo_model_matches(const char *fixture, const char *digest);

#endif
