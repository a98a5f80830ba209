"""The Hub looks for a file of this name. The worker is the program docket; this starts it."""

import os

os.execvp("docket-start", ["docket-start"])
