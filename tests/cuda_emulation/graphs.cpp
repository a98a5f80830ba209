/* graphs.cpp: stream capture and graphs on the host. A node is the work with the arguments that it had when it was captured; memory that an
 * address among them names is read when the graph runs, as on the device. What the runtime forbids meanwhile is refused with its numbers,
 * and breaks the capture as there. A capture has one stream: waits for other streams' events break it. */
#include "tests/cuda_emulation/streams.h"

#include <thread>
#include <vector>

typedef std::vector<std::function<void()>> work_list;

namespace emulation
{
struct capture {
    work_list nodes;
    enum cudaStreamCaptureMode mode;
    std::thread::id thread;
    bool broken;
};
} // namespace emulation

struct emulated_graph {
    work_list nodes;
};
struct emulated_graph_exec {
    std::shared_ptr<work_list> nodes; /* a launch that is queued keeps them */
};

namespace
{
long n_graphs, fail_at;
cudaError_t fail_with;
thread_local emulation::capture *mine; /* this thread's capture, in a mode that forbids the thread something */
} // namespace

namespace emulation
{
void capture_add(capture *to, std::function<void()> node)
{
    to->nodes.push_back(std::move(node));
}

cudaError_t unless_capturing()
{
    if (!mine) return cudaSuccess;
    mine->broken = true;
    return fail_now(cudaErrorStreamCaptureUnsupported);
}

cudaError_t not_in_a_graph(cudaStream_t stream)
{
    if (!stream || !stream->capture) return cudaSuccess;
    stream->capture->broken = true;
    return fail_now(cudaErrorStreamCaptureUnsupported);
}

bool capture_is_broken(const capture *of)
{
    return of->broken;
}

void capture_drop(cudaStream_t stream)
{
    if (mine == stream->capture) mine = nullptr;
    delete stream->capture;
    stream->capture = nullptr;
}
} // namespace emulation

using emulation::alone;
using emulation::count_call;
using emulation::count_live;
using emulation::fail_now;
using emulation::turn_on;

long emulation_graphs_queued(void)
{
    return n_graphs;
}

void emulation_fail_instantiation(long n, int error)
{
    fail_at = n;
    fail_with = (cudaError_t)error;
}

cudaError_t cudaStreamBeginCapture(cudaStream_t stream, enum cudaStreamCaptureMode mode)
{
    const alone here;
    const cudaError_t error = turn_on(stream);
    if (error != cudaSuccess) return error;
    if (!stream) return fail_now(cudaErrorStreamCaptureUnsupported); /* the default stream */
    if (stream->capture || mine) return fail_now(cudaErrorInvalidValue);
    stream->capture = new emulation::capture{{}, mode, std::this_thread::get_id(), false};
    if (mode != cudaStreamCaptureModeRelaxed) mine = stream->capture;
    return cudaSuccess;
}

/* Ends it whatever else is wrong, but on another thread. */
cudaError_t cudaStreamEndCapture(cudaStream_t stream, cudaGraph_t *out)
{
    const alone here;
    cudaError_t error = count_call();
    *out = nullptr;
    if (!stream || !stream->capture) return error != cudaSuccess ? error : fail_now(cudaErrorInvalidValue);
    const emulation::capture *of = stream->capture;
    if (of->mode != cudaStreamCaptureModeRelaxed && of->thread != std::this_thread::get_id())
        return error != cudaSuccess ? error : fail_now(cudaErrorStreamCaptureWrongThread);
    if (error == cudaSuccess && of->broken) error = fail_now(cudaErrorStreamCaptureInvalidated);
    if (error == cudaSuccess) {
        *out = new emulated_graph{of->nodes};
        count_live(1);
    }
    emulation::capture_drop(stream);
    return error;
}

cudaError_t cudaGraphInstantiateWithFlags(cudaGraphExec_t *out, cudaGraph_t graph, unsigned long long flags)
{
    const alone here;
    cudaError_t error = count_call();
    *out = nullptr;
    if (error == cudaSuccess) error = emulation::unless_capturing();
    if (error == cudaSuccess && fail_at && --fail_at == 0) error = fail_now(fail_with);
    if (error != cudaSuccess) return error;
    if (!graph || flags) return fail_now(cudaErrorInvalidValue);
    *out = new emulated_graph_exec{std::make_shared<work_list>(graph->nodes)};
    count_live(1);
    return cudaSuccess;
}

cudaError_t cudaGraphLaunch(cudaGraphExec_t exec, cudaStream_t stream)
{
    const alone here;
    cudaError_t error = turn_on(stream);
    if (error == cudaSuccess) error = emulation::not_in_a_graph(stream); /* a graph within another: docket has none */
    if (error != cudaSuccess) return error;
    n_graphs++;
    emulation::stream_queue(stream, [nodes = exec->nodes, number = emulation::stream_number(stream)] {
        emulation::all_is_complete(number);
        for (const std::function<void()> &node : *nodes) {
            const unsigned before = emulation::launches_made();
            node();
            if (emulation::launches_made() == before) emulation::all_is_complete(number); /* no kernel: a copy */
        }
    });
    return cudaSuccess;
}

cudaError_t cudaGraphExecDestroy(cudaGraphExec_t exec)
{
    const alone here;
    if (exec) count_live(-1);
    delete exec;
    return count_call();
}

cudaError_t cudaGraphDestroy(cudaGraph_t graph)
{
    const alone here;
    if (graph) count_live(-1);
    delete graph;
    return count_call();
}
