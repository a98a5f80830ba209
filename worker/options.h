/* options.h: every setting that docket has, each in one row: the table that reads environment and flags, checks them, prints --help
 * and makes deploy/SETTINGS.md. Included by config.h for the fields and by config.c for the rows; a setting is added here and
 * nowhere else.
 *
 * OPTION(kind, field, names, flag, fallback, allowed, value, shown, help)
 *   kind      TEXT PATH URL SECRET WORD (const char *), COUNT (uint64_t), NUMBER (double), SWITCH (bool)
 *   names     environment variables, the first that is set counts. Those of the platform begin with RUNPOD_: a bad value there is
 *             clamped with a warning. All others are the user's: a bad value stops the program; each may also be written with DOCKET_
 *             in front, which wins.
 *   flag      beats the environment. A secret's flag is known only to be refused.
 *   fallback  the default; "(…)" says in words what an unset value means: NULL, 0, or -1 of a NUMBER
 *   allowed   RANGE(low, high), AUTO_OR_RANGE(low, high), WORDS(…) or ANY
 *   value     how --help calls it
 *   shown     letters of the subcommands whose --help lists it: w(orker) c(lassify) t(okenize) l(ogits) b(ench) h(ealth)
 *             q(uantize) v(alidate) m(odels) p(lan) x: extract
 */

OPTION_GROUP("Model")
OPTION(TEXT, model, "MODEL_NAME", "--model", "(none)", ANY, "NAME|DIR", "wctlbqvp",
       "the model: a hub name (org/name) that lies in the cache, or a folder that holds config.json")
OPTION(TEXT, revision, "MODEL_REVISION", "--revision", "(main)", ANY, "REF", "wctlbqvp",
       "branch, tag or commit of the model")
OPTION(
    TEXT, quantization, "QUANTIZATION", "--quantization", "none", ANY, "FORMAT", "wclbqp",
    "format of the weights, made while loading: none (as stored), nf4, nf4-plain, fp4, fp4-plain, int8, q8, q4, q2 or "
    "q1; parts may differ: q2,attention=nf4,head=q8 (ffn or experts, attention, head, embedding)")
OPTION(WORD, kv_cache_format, "KV_CACHE_FORMAT", "--kv-cache-format", "f16", WORDS("f16", "f32", "q8_0", "q4_0"),
       "FORMAT", "wclbp", "format of keys and values in the cache")
OPTION(SWITCH, quant_cache, "QUANT_CACHE", "--quant-cache", "false", ANY, "", "wclb",
       "keep the quantized weights beside the model and load them next time: the first load then also writes them, "
       "about a "
       "quarter of the model in nf4")
OPTION(WORD, chat_template, "CHAT_TEMPLATE", "--chat-template", "auto",
       WORDS("auto", "none", "mistral-instruct", "mistral-instruct-spaced", "mistral-v3", "mistral-nemo", "llama-2",
             "llama-3", "llama-3.1", "gemma", "qwen-3", "qwen-2.5", "qwen-2", "chatml", "zephyr", "olmoe", "tulu"),
       "NAME", "wcbv", "format of the prompts; auto: the one that the model's own template is recognised as")
OPTION(COUNT, max_model_len, "MAX_MODEL_LEN", "--max-model-len", "(what the model was made for, at most 32768)",
       RANGE(64, 1048576), "TOKENS", "wclbv", "longest prompt: labels, instructions and document together")
OPTION(WORD, load, "LOAD", "--load", "(eager on a platform, else lazy)", WORDS("lazy", "eager"), "WHEN", "w",
       "eager: load the model before taking jobs; lazy: when the first job comes")
OPTION(PATH, hub_cache, "HF_HUB_CACHE HUGGINGFACE_HUB_CACHE", "--hub-cache", "(see HF_HOME)", ANY, "DIR", "wctlbqvmp",
       "folder of the hub's cache (models--org--name/…)")
OPTION(PATH, hf_home, "HF_HOME", "--hf-home", "(~/.cache/huggingface)", ANY, "DIR", "wctlbqvmp",
       "folder that holds hub/; looked at after HF_HUB_CACHE, before /runpod-volume/huggingface-cache")
OPTION(SECRET, hf_token, "HF_TOKEN HUGGING_FACE_HUB_TOKEN", "--hf-token", "(none)", ANY, "", "",
       "token of the hub that models are fetched from; sent to HF_ENDPOINT's host and nowhere else")
OPTION(URL, hf_endpoint, "HF_ENDPOINT", "--hf-endpoint", "https://huggingface.co", ANY, "URL", "m",
       "the hub that docket models fetch asks")

OPTION_GROUP("Device")
OPTION(WORD, device, "DEVICE", "--device", "auto", WORDS("auto", "cuda", "cpu", "reference"), "NAME", "wclbqv",
       "where the model runs; auto: on a GPU if one can be opened, else on the CPU; reference is plain and slow, for "
       "comparing")
OPTION(PATH, cuda_library, "CUDA_LIBRARY", "--cuda-library",
       "(libdocket_cuda.so beside the program, then where the loader looks)", ANY, "FILE", "wclbqv", "the CUDA backend")
OPTION(COUNT, cuda_device, "CUDA_DEVICE", "--cuda-device", "0", RANGE(0, 255), "NUMBER", "wclbqv",
       "which GPU, of those that CUDA_VISIBLE_DEVICES leaves, counted from 0")
OPTION(PATH, nvml_library, "NVML_LIBRARY", "--nvml-library", "(libnvidia-ml.so.1 where the loader looks)", ANY, "FILE",
       "wcb", "the driver's library that a GPU's memory, errors and energy are read from; without it they are null")
OPTION(WORD, cpu_isa, "CPU_ISA", "--cpu-isa", "auto",
       WORDS("auto", "reference", "avx2", "avx512", "avx512_bf16", "avx512_vnni", "amx_bf16", "amx_int8"), "NAME",
       "wclbqv", "instruction set of the CPU to use")
OPTION(
    WORD, compute_dtype, "COMPUTE_DTYPE", "--compute-dtype", "auto", WORDS("auto", "bf16", "int16", "int8", "f32"),
    "NAME", "wclbqv",
    "what the CPU multiplies in: bf16 (auto's choice, where the processor has it), int16 (auto's choice where AVX2 is "
    "all it has; finer than bf16), int8, which is faster and rounds more, or f32, which is slower and rounds nothing "
    "but sums; docket validate measures what each costs")
OPTION(COUNT, cpu_threads, "CPU_THREADS", "--cpu-threads", "auto", AUTO_OR_RANGE(1, 64), "N", "wclbqv",
       "threads that compute; auto: the CPUs of this process by its affinity and control groups, at most 64")
OPTION(
    WORD, gpu_products, "GPU_PRODUCTS", "--gpu-products", "auto", WORDS("auto", "own", "library", "by-rows"), "WHO",
    "wclbqv",
    "who multiplies on a GPU: docket's kernels, or NVIDIA's library (cuBLASLt) for all rows; auto: the library if it "
    "is there and passes are large. By-rows is faster where passes are small and large by turns, but a document's "
    "scores "
    "then depend, by rounding, on what is classified beside it")
OPTION(
    WORD, cuda_graphs, "CUDA_GRAPHS", "--cuda-graphs", "auto", WORDS("auto", "off"), "ON", "wclbv",
    "record steps of a few tokens as CUDA graphs when they come again, and run them with one launch; the same results")
OPTION(WORD, expand, "EXPAND", "--expand", "auto", WORDS("auto", "on", "off"), "ON", "wclbv",
       "keep quantized layers in 16 bits too, where the library multiplies: faster, the same results, four times the "
       "memory in nf4; auto: as many layers as there is room for; on: all, or refuse to start")
OPTION(NUMBER, gpu_memory_utilization, "GPU_MEMORY_UTILIZATION", "--gpu-memory-utilization", "0.90", RANGE(0.01, 1),
       "SHARE", "wclbv", "share of the free memory of the device (of the machine without one) that the model may take")

OPTION(TEXT, gpu_memory_budget, "GPU_MEMORY_BUDGET", "--gpu-memory-budget", "(GPU_MEMORY_UTILIZATION of what is free)",
       ANY, "SIZE", "wclb",
       "memory of the GPU that docket may take, the driver's own share counted: 12GiB, 24GB. What does not fit goes to "
       "the "
       "host's memory: the embedding, then experts, then whole layers, which the CPU computes")
OPTION(NUMBER, vram_safety, "VRAM_SAFETY", "--vram-safety", "0.90", RANGE(0.05, 1), "SHARE", "wclb",
       "share of the cache of keys and values that the documents in hand may take together: more of them wait, and one "
       "that needs more alone is refused with the numbers")
OPTION(TEXT, gpu_layers, "GPU_LAYERS", "--gpu-layers", "auto", ANY, "N", "wclb",
       "layers that the GPU computes, the last ones of the model; the CPU computes the others. auto: as many as fit")

OPTION_GROUP("Documents")
OPTION(PATH, document_root, "DOCUMENT_ROOT", "--document-root", "(none: paths in jobs are refused)", ANY, "DIR", "w",
       "folder that documents given as path lie in; nothing outside it is read")
OPTION(COUNT, max_document_bytes, "MAX_DOCUMENT_BYTES", "--max-document-bytes", "67108864", RANGE(1024, 1073741824),
       "BYTES", "wcx", "largest file that is read")
OPTION(COUNT, max_archive_members, "MAX_ARCHIVE_MEMBERS", "--max-archive-members", "10000", RANGE(1, 10000), "N", "wcx",
       "most members of one archive, those of archives inside it counted")
OPTION(COUNT, max_archive_depth, "MAX_ARCHIVE_DEPTH", "--max-archive-depth", "4", RANGE(1, 16), "N", "wcx",
       "archives in archives")
OPTION(COUNT, max_archive_bytes, "MAX_ARCHIVE_BYTES", "--max-archive-bytes", "1073741824", RANGE(1024, 1099511627776),
       "BYTES", "wcx", "most bytes that one archive may unpack to; never more than 200 times its size and 10 MiB")

OPTION(COUNT, max_pages, "MAX_PAGES", "--max-pages", "500", RANGE(1, 100000), "N", "wcx",
       "most pages of one document that are read; further ones are left out, and the result says so")
OPTION(WORD, sandbox, "SANDBOX", "--sandbox", "auto", WORDS("auto", "strict"), "HOW", "wcx",
       "documents are always read in processes that can do no harm; strict: refuse to start where the kernel lacks a "
       "layer")
OPTION(NUMBER, extract_timeout_seconds, "EXTRACT_TIMEOUT_SECONDS", "--extract-timeout-seconds", "60", RANGE(0.1, 3600),
       "SECONDS", "wcx", "longest time that reading one document may take")
OPTION(NUMBER, extract_silence_seconds, "EXTRACT_SILENCE_SECONDS", "--extract-silence-seconds", "20", RANGE(0.1, 3600),
       "SECONDS", "wcx", "longest time in which a document's reader may say nothing")

OPTION(
    TEXT, ocr_languages, "OCR_LANGUAGES", "--ocr-languages", "eng", ANY, "LIST", "wcx",
    "languages that images are read in, as tesseract names them, joined by +: eng+deu; each needs its data installed")
OPTION(COUNT, ocr_max_pages, "OCR_MAX_PAGES", "--ocr-max-pages", "50", RANGE(1, 1000), "N", "wcx",
       "most pages of one document whose text is read from their image; a job may ask for other numbers up to 1000")
OPTION(NUMBER, ocr_timeout_seconds, "OCR_TIMEOUT_SECONDS", "--ocr-timeout-seconds", "60", RANGE(0.1, 600), "SECONDS",
       "wcx", "longest time that reading one page's image may take")
OPTION(WORD, legacy_office, "LEGACY_OFFICE", "--legacy-office", "on", WORDS("on", "off"), "ON", "wcx",
       "read Word documents and workbooks of before 2007, and RTF; off: they are unsupported_media_type")

OPTION_GROUP("Documents from URLs")
OPTION(NUMBER, fetch_seconds, "FETCH_SECONDS", "--fetch-seconds", "120", RANGE(1, 3600), "SECONDS", "w",
       "time for one document from a URL, with redirects and up to three tries")
OPTION(NUMBER, fetch_slow_seconds, "FETCH_SLOW_SECONDS", "--fetch-slow-seconds", "20", RANGE(1, 600), "SECONDS", "w",
       "a download that moves less than 1,000 bytes a second for so long is given up")
OPTION(COUNT, fetches, "FETCHES", "--fetches", "16", RANGE(1, 64), "N", "w", "URLs of one job fetched at one time")
OPTION(COUNT, fetches_per_host, "FETCHES_PER_HOST", "--fetches-per-host", "8", RANGE(1, 64), "N", "w",
       "URLs of one host fetched at one time, by all jobs together")
OPTION(COUNT, readings, "READINGS", "--readings", "2", RANGE(1, 64), "N", "wc",
       "documents of one job that are unpacked and decoded at one time, ahead of the model")
OPTION(COUNT, read_ahead_documents, "READ_AHEAD_DOCUMENTS", "--read-ahead-documents", "64", RANGE(1, 10000), "N", "wc",
       "documents of one job that are begun before the model asks for them")
OPTION(COUNT, read_ahead_bytes, "READ_AHEAD_BYTES", "--read-ahead-bytes", "134217728", RANGE(1048576, 68719476736),
       "BYTES", "wc", "fetched and read ahead by all jobs; more only for the document that a job is waiting for")

OPTION_GROUP("Cost")
OPTION(NUMBER, gpu_price_per_second, "GPU_PRICE_PER_SECOND", "--gpu-price-per-second",
       "(the table of prices by device name, else unknown)", RANGE(0, 1000), "USD", "wcb",
       "what a second of this worker costs; results then carry their cost")

OPTION_GROUP("Worker")
OPTION(COUNT, max_concurrency, "MAX_CONCURRENCY", "--max-concurrency", "4", RANGE(1, 256), "N", "w",
       "jobs in hand at one time; their documents share the model's passes")
OPTION(SWITCH, refresh_worker, "REFRESH_WORKER", "--refresh-worker", "false", ANY, "", "w",
       "ask for a clean worker after every job, and end after the first")
OPTION(NUMBER, drain_seconds, "DRAIN_SECONDS", "--drain-seconds", "(jobs without limit, then 30 s for their results)",
       RANGE(0.1, 86400), "SECONDS", "w", "after SIGTERM: time for the jobs in hand and their results together")
OPTION(COUNT, max_result_bytes, "MAX_RESULT_BYTES", "--max-result-bytes", "8000000", RANGE(10000, 20000000), "BYTES",
       "w", "largest answer to one job")
OPTION(PATH, spool_dir, "SPOOL_DIR", "--spool-dir",
       "(/runpod-volume/docket/spool if that volume is there, else docket-spool under TMPDIR)", ANY, "DIR", "wh",
       "folder of results that the queue has not accepted yet; put it on a volume that outlives the container")
OPTION(COUNT, spool_max_bytes, "SPOOL_MAX_BYTES", "--spool-max-bytes", "4294967296", RANGE(1048576, 1099511627776),
       "BYTES", "w", "more waiting results than this stop the taking of jobs")
OPTION(COUNT, spool_min_free_bytes, "SPOOL_MIN_FREE_BYTES", "--spool-min-free-bytes", "268435456",
       RANGE(0, 1099511627776), "BYTES", "w", "less free disk than this stops it too")
OPTION(PATH, ca_file, "SSL_CERT_FILE CURL_CA_BUNDLE REQUESTS_CA_BUNDLE", "--ca-file", "(the system's)", ANY, "FILE",
       "wm", "PEM file of the authorities that sign the certificates of the queue, the hub and hosts with documents")
OPTION(SWITCH, allow_clear_text, "ALLOW_CLEAR_TEXT", "--allow-clear-text", "false", ANY, "", "wm",
       "allow http:// to a queue or hub on a public host: key and documents are then readable on the way")
OPTION(TEXT, test_input, "", "--test-input", "(./test_input.json)", ANY, "JSON", "w",
       "without a queue: run this one job ({\"input\": …}), print its result and end")

OPTION_GROUP("Logs")
OPTION(WORD, log_level, "LOG_LEVEL RUNPOD_LOG_LEVEL RUNPOD_DEBUG_LEVEL", "--log-level", "(info; other commands: warn)",
       WORDS("trace", "debug", "info", "warn", "warning", "error", "off", "notset"), "LEVEL", "wctlbqvmpx",
       "least level that is logged")
OPTION(WORD, log_format, "LOG_FORMAT", "--log-format", "(json on a platform, else text)", WORDS("json", "text"), "FORM",
       "w", "one JSON object a line, or lines for people")

OPTION_GROUP("Platform")
OPTION(URL, take_url, "RUNPOD_WEBHOOK_GET_JOB", "", "(local mode)", ANY, "", "w",
       "where jobs are taken; $ID is the worker's id")
OPTION(URL, done_url, "RUNPOD_WEBHOOK_POST_OUTPUT", "", "(none)", ANY, "", "w", "where results go; $ID is the job's id")
OPTION(URL, stream_url, "RUNPOD_WEBHOOK_POST_STREAM", "", "(none)", ANY, "", "", "accepted; docket streams nothing yet")
OPTION(URL, ping_url, "RUNPOD_WEBHOOK_PING", "", "(no heartbeat)", ANY, "", "w", "where the heartbeat goes")
OPTION(COUNT, ping_interval_ms, "RUNPOD_PING_INTERVAL", "", "10000", RANGE(1000, 60000), "", "wh",
       "milliseconds between heartbeats")
OPTION(SECRET, api_key, "RUNPOD_AI_API_KEY", "--api-key", "(no heartbeat)", ANY, "", "w",
       "the key that the queue wants")
OPTION(TEXT, pod_id, "RUNPOD_POD_ID", "", "(made up; no heartbeat)", ANY, "", "wh", "id of this worker")
OPTION(TEXT, pod_hostname, "RUNPOD_POD_HOSTNAME", "", "(unknown)", ANY, "", "w", "named in error reports")
OPTION(TEXT, endpoint_id, "RUNPOD_ENDPOINT_ID", "", "(none)", ANY, "", "w",
       "when set, docket is on a platform: logs are JSON lines")
OPTION(TEXT, gpu_type_id, "RUNPOD_GPU_TYPE_ID", "", "(none)", ANY, "", "w", "replaces $RUNPOD_GPU_TYPE_ID in the URLs")
OPTION(COUNT, max_download_bytes, "RUNPOD_MAX_DOWNLOAD_BYTES", "", "5368709120", RANGE(0, 1099511627776), "", "w",
       "most bytes of one download; 0 and what is no number stand for the default; MAX_DOCUMENT_BYTES holds too")
OPTION(SWITCH, allow_private_urls, "RUNPOD_ALLOW_PRIVATE_DOWNLOAD_URLS", "", "false", ANY, "", "w",
       "fetch from any host and address, through a proxy if the environment names one: only where jobs are trusted")
OPTION(NUMBER, min_memory_gb, "RUNPOD_MIN_MEMORY_GB", "", "0.25", RANGE(0, 100000), "", "w",
       "GiB of memory that must be free at the start")
OPTION(NUMBER, min_disk_percent, "RUNPOD_MIN_DISK_PERCENT", "", "1", RANGE(0, 100), "", "w",
       "percent of the spool's disk that must be free at the start")
OPTION(SWITCH, skip_system_checks, "RUNPOD_SKIP_AUTO_SYSTEM_CHECKS", "", "false", ANY, "", "w",
       "leave out the checks of memory and disk at the start")

OPTION_GROUP("System")
OPTION(PATH, home, "HOME", "", "(none)", ANY, "", "", "the hub's cache lies under it when nothing else says where")
OPTION(PATH, temporary, "TMPDIR", "", "/tmp", ANY, "", "", "for the spool when there is no volume")
OPTION(TEXT, no_color, "NO_COLOR", "", "(colour on a terminal)", ANY, "", "", "set to anything: no colour")
OPTION(TEXT, terminal, "TERM", "", "(none)", ANY, "", "", "dumb: no colour and no progress on the terminal")
