#!/bin/sh
# Pretends to be cmake for scripts/gpu-check: configures, or fails as FAKE_CMAKE says, and "builds"
# programs that pretend. $FAKES is the folder of this file.
case " $* " in
*" --preset "*)
    case ${FAKE_CMAKE:-} in
    error) printf 'CMake Error at CMakeLists.txt:9 (find_package):\n  no dnnl here\n' >&2 && exit 1 ;;
    nocuda) echo "-- device 'cuda': not built" ;;
    *) echo "-- device 'cuda': built for 90, with libcudnn.so.9" ;;
    esac
    ;;
*)
    mkdir -p "$2/tests"
    cp "$FAKES/fake_softlabel.py" "$2/softlabel"
    printf '#!/bin/sh\nexit 0\n' > "$2/tests/test_cuda_kernels"
    printf '#!/bin/sh\n%s\n' "${FAKE_GPU_TEST:-exit 0}" > "$2/tests/test_cuda_gpu"
    chmod +x "$2/tests/test_cuda_kernels" "$2/tests/test_cuda_gpu"
    ;;
esac
