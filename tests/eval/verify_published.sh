#!/bin/sh
# verify_published.sh PROGRAM DEVICE: the published verification files, if they lie beside the
# repository; all of them on cpu, the small networks on the plain loops of ref.
set -eu
cd "$(dirname "$0")/../.."
folder=../shared/conformance
if [ ! -f $folder/protocol.json ]; then
    echo "skipped: no verification files in '$folder'"
    exit 77
fi
files="$folder/protocol.json $folder/resnet_basic_20.json $folder/wrn_16_2.json"
[ "$2" = ref ] || files="$files $folder/resnet_basic_110.json $folder/wrn_28_10.json"
exec "$1" verify --device "$2" $files
