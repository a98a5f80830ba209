/* nvml.c: a stand-in for NVIDIA's libnvidia-ml.so.1, with one card. FAKE_NVML in the environment says what is wrong with it: init=CODE,
 * device=CODE, memory=CODE, from=N (readings of memory before that one are well), bare=1 (knows its memory only). Built with
 * FAKE_NVML_OLD it lacks what older drivers lack. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PUBLIC __attribute__((visibility("default")))
#define GB     1000000000ull

struct device;
static int n_open, n_memory;

/* The number behind "name=" in FAKE_NVML. */
static int setting(const char *name, int otherwise)
{
    const char *all = getenv("FAKE_NVML"), *at = all ? strstr(all, name) : NULL;
    return at && at[strlen(name)] == '=' ? atoi(at + strlen(name) + 1) : otherwise;
}

static int bare(void)
{
    return setting("bare", 0) ? 3 : 0; /* not supported */
}

PUBLIC int nvmlInit_v2(void);
int nvmlInit_v2(void)
{
    int code = setting("init", 0);
    n_open += code == 0;
    n_memory = 0;
    return code;
}

PUBLIC int nvmlShutdown(void);
int nvmlShutdown(void)
{
    return n_open-- > 0 ? 0 : 1;
}

PUBLIC const char *nvmlErrorString(int code);
const char *nvmlErrorString(int code)
{
    return code == 0 ? "Success" : code == 9 ? "Driver Not Loaded" : code == 15 ? "GPU is lost" : "Unknown Error";
}

PUBLIC int nvmlDeviceGetHandleByIndex_v2(unsigned index, struct device **out);
int nvmlDeviceGetHandleByIndex_v2(unsigned index, struct device **out)
{
    *out = (struct device *)(size_t)0x1000;
    return index == 0 ? setting("device", 0) : 2;
}

#ifndef FAKE_NVML_OLD
PUBLIC int nvmlDeviceGetHandleByPciBusId_v2(const char *bus, struct device **out);
int nvmlDeviceGetHandleByPciBusId_v2(const char *bus, struct device **out)
{
    *out = (struct device *)(size_t)0x2000;
    return strcmp(bus, "00000000:65:00.0") == 0 ? 0 : 6;
}

PUBLIC int nvmlDeviceGetTotalEnergyConsumption(struct device *device, unsigned long long *out);
int nvmlDeviceGetTotalEnergyConsumption(struct device *device, unsigned long long *out)
{
    (void)device;
    *out = 1234567;
    return bare();
}
#endif

PUBLIC int nvmlDeviceGetName(struct device *device, char *out, unsigned size);
int nvmlDeviceGetName(struct device *device, char *out, unsigned size)
{
    snprintf(out, size, device == (struct device *)(size_t)0x2000 ? "NVIDIA H200" : "NVIDIA GeForce RTX 4090");
    return bare();
}

PUBLIC int nvmlSystemGetDriverVersion(char *out, unsigned size);
int nvmlSystemGetDriverVersion(char *out, unsigned size)
{
    snprintf(out, size, "570.86.15");
    return bare();
}

PUBLIC int nvmlDeviceGetCudaComputeCapability(struct device *device, int *major, int *minor);
int nvmlDeviceGetCudaComputeCapability(struct device *device, int *major, int *minor)
{
    *major = device == (struct device *)(size_t)0x2000 ? 9 : 8;
    *minor = *major == 9 ? 0 : 9;
    return bare();
}

PUBLIC int nvmlDeviceGetMemoryInfo(struct device *device, unsigned long long *total_free_used);
int nvmlDeviceGetMemoryInfo(struct device *device, unsigned long long *total_free_used)
{
    (void)device;
    n_memory++;
    total_free_used[0] = 24 * GB, total_free_used[1] = 19 * GB, total_free_used[2] = 5 * GB;
    return n_memory >= setting("from", 1) ? setting("memory", 0) : 0;
}

PUBLIC int nvmlDeviceGetTotalEccErrors(struct device *device, int type, int counter, unsigned long long *out);
int nvmlDeviceGetTotalEccErrors(struct device *device, int type, int counter, unsigned long long *out)
{
    (void)device;
    *out = type == 0 ? 7 : 1;
    return counter == 0 ? bare() : 2;
}

PUBLIC int nvmlDeviceGetUtilizationRates(struct device *device, unsigned *gpu_memory);
int nvmlDeviceGetUtilizationRates(struct device *device, unsigned *gpu_memory)
{
    (void)device;
    gpu_memory[0] = 83, gpu_memory[1] = 40;
    return bare();
}
