#!/bin/sh
# verify_files.sh PROGRAM DEVICE PRECISION small|published|some: the verification files beside this
# script, or the published ones if they lie beside the repository: all, or some small networks.
set -eu
cd "$(dirname "$0")"
if [ "$4" = small ]; then
    exec "$1" verify --device "$2" --precision "$3" $(ls ./*.json | grep -v _faulty)
fi
cd ../..
folder=../shared/conformance
if [ ! -f $folder/protocol.json ]; then
    echo "skipped: no verification files in '$folder'"
    exit 77
fi
files="$folder/*.json"
[ "$4" != some ] || files="$folder/protocol.json $folder/resnet_basic_20.json $folder/wrn_16_2.json"
exec "$1" verify --device "$2" --precision "$3" $files
