"""architectures.py OBJECT KERNELS_H "80;90": every kernel that KERNELS_H lists is in OBJECT as machine
code for every architecture. GPU code lies in the object as ELF files of machine 190 (EM_CUDA), whose
flags hold the architecture in their first byte, or since CUDA 13 in their second."""

import re
import struct
import sys

EM_CUDA = 190


def images(data):
    """Architecture and bytes of each GPU image."""
    starts = [m.start() for m in re.finditer(b"\x7fELF", data)]
    for start, end in zip(starts, starts[1:] + [len(data)]):
        (machine,) = struct.unpack_from("<H", data, start + 18)
        (flags,) = struct.unpack_from("<I", data, start + 48)
        if machine == EM_CUDA:
            yield {flags & 0xFF, flags >> 8 & 0xFF}, data[start:end]


def main():
    path, header, architectures = sys.argv[1], sys.argv[2], sys.argv[3].split(";")
    with open(header, encoding="utf-8") as f:
        names = re.findall(r"^ *X\((\w+)\)", f.read(), re.MULTILINE)
    with open(path, "rb") as f:
        found = list(images(f.read()))
    if len(names) < 20:
        sys.exit(f"{header} lists {len(names)} kernels only")
    for architecture in architectures:
        code = b"".join(image for of, image in found if int(architecture) in of)
        missing = [n for n in names if not re.search(rb"\d" + n.encode() + rb"_kernel", code)]
        if missing:
            sys.exit(f"sm_{architecture} lacks {' '.join(missing)}")
    print(len(names), "kernels for", *(f"sm_{a}" for a in architectures))


main()
