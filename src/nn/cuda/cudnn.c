/* The library, and its descriptors: what the graph interface (version 9) is spoken in. */
#include "nn/cuda/context.h"

#include <assert.h>
#include <dlfcn.h>

static void *find(void *library, const char *name, bool *all)
{
    void *f = dlsym(library, name);
    *all = *all && f;
    return f;
}

/* dlsym's void pointers become functions, as POSIX has it. */
static bool find_functions(sl_cudnn_functions *f)
{
    bool all = true;
    *(void **)&f->create = find(f->shared_object, "cudnnCreate", &all);
    *(void **)&f->destroy = find(f->shared_object, "cudnnDestroy", &all);
    *(void **)&f->set_stream = find(f->shared_object, "cudnnSetStream", &all);
    *(void **)&f->error_string = find(f->shared_object, "cudnnGetErrorString", &all);
    *(void **)&f->create_descriptor = find(f->shared_object, "cudnnBackendCreateDescriptor", &all);
    *(void **)&f->destroy_descriptor =
        find(f->shared_object, "cudnnBackendDestroyDescriptor", &all);
    *(void **)&f->finalize = find(f->shared_object, "cudnnBackendFinalize", &all);
    *(void **)&f->set_attribute = find(f->shared_object, "cudnnBackendSetAttribute", &all);
    *(void **)&f->get_attribute = find(f->shared_object, "cudnnBackendGetAttribute", &all);
    *(void **)&f->execute = find(f->shared_object, "cudnnBackendExecute", &all);
    return all;
}

sl_status sl_cudnn_check(const sl_cudnn_functions *f, cudnnStatus_t status, sl_error *err)
{
    return status == CUDNN_STATUS_SUCCESS
               ? SL_OK
               : sl_error_set(err, SL_EDEVICE, "cuDNN failed: %s", f->error_string(status));
}

sl_status sl_cudnn_open(sl_cuda_device *dev, sl_error *err)
{
    sl_cuda_context *context = dev->context;
    sl_cudnn_functions *f = &context->cudnn;
    const int how = RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE; /* its threads may outlive the device */
    f->shared_object = dlopen("libcudnn.so.9", how);
    if (!f->shared_object)
        f->shared_object = dlopen(SL_CUDNN_LIBRARY, how); /* where it was built */
    if (!f->shared_object || !find_functions(f))
        return sl_error_set(err, SL_EUNSUPPORTED, "device 'cuda' needs cuDNN 9: %s",
                            f->shared_object ? "this is another version"
                                             : "no libcudnn.so.9 found");
    sl_status st = sl_cudnn_check(f, f->create(&context->handle), err);
    return st ? st : sl_cudnn_check(f, f->set_stream(context->handle, sl_cuda_stream_of(dev)), err);
}

void sl_cudnn_close(sl_cuda_device *dev)
{
    sl_cuda_context *context = dev->context;
    if (context->handle)
        context->cudnn.destroy(context->handle);
    if (context->cudnn.shared_object)
        dlclose(context->cudnn.shared_object);
}

/* ---- descriptors ---- */

sl_cudnn_builder sl_cudnn_begin(const sl_cuda_context *context)
{
    return (sl_cudnn_builder){ .f = &context->cudnn, .status = CUDNN_STATUS_SUCCESS };
}

cudnnBackendDescriptor_t sl_cudnn_make(sl_cudnn_builder *b, cudnnBackendDescriptorType_t type)
{
    cudnnBackendDescriptor_t d = NULL;
    assert(b->n < SL_CUDNN_MOST_DESCRIPTORS);
    if (b->status == CUDNN_STATUS_SUCCESS)
        b->status = b->f->create_descriptor(type, &d);
    if (d)
        b->made[b->n++] = d;
    return d;
}

void sl_cudnn_set(sl_cudnn_builder *b, cudnnBackendDescriptor_t d, cudnnBackendAttributeName_t name,
                  cudnnBackendAttributeType_t type, int64_t count, const void *elements)
{
    if (b->status == CUDNN_STATUS_SUCCESS)
        b->status = b->f->set_attribute(d, name, type, count, elements);
}

void sl_cudnn_finish(sl_cudnn_builder *b, cudnnBackendDescriptor_t d)
{
    if (b->status == CUDNN_STATUS_SUCCESS)
        b->status = b->f->finalize(d);
}

void sl_cudnn_end(sl_cudnn_builder *b)
{
    while (b->n > 0)
        b->f->destroy_descriptor(b->made[--b->n]);
}
