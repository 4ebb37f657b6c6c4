"""architectures.py OBJECT KERNELS_H "80;90": every kernel that KERNELS_H lists is in OBJECT as machine
code for every architecture, and none keeps an array of lanes in memory instead of
registers. GPU code lies in the object as ELF files of machine 190 (EM_CUDA), whose flags hold the
architecture in their first byte, or since CUDA 13 in their second; sections .nv.info say how many
bytes of stack a function has (attribute 0x11, EIATTR_FRAME_SIZE)."""

import re
import struct
import sys

EM_CUDA, FRAME_SIZE = 190, 0x1104  # attribute 0x11, given by 4 (a size, then so many bytes)
LANES = 32  # bytes: eight floats, which belong into registers


def images(data):
    """Architecture and bytes of each GPU image."""
    starts = [m.start() for m in re.finditer(b"\x7fELF", data)]
    for start, end in zip(starts, starts[1:] + [len(data)]):
        (machine,) = struct.unpack_from("<H", data, start + 18)
        (flags,) = struct.unpack_from("<I", data, start + 48)
        if machine == EM_CUDA:
            yield {flags & 0xFF, flags >> 8 & 0xFF}, data[start:end]


def sections(elf):
    """Name and bytes of each."""
    (table,) = struct.unpack_from("<Q", elf, 40)
    size, count, names = struct.unpack_from("<HHH", elf, 58)
    headers = [struct.unpack_from("<IIQQQQ", elf, table + i * size) for i in range(count)]
    start = headers[names][4]
    for name, _, _, _, offset, length in headers:
        yield elf[start + name:elf.index(b"\0", start + name)], elf[offset:offset + length]


def stacks(elf):
    """Bytes of stack of each function, by name."""
    found = dict(sections(elf))
    info, at = found.get(b".nv.info", b""), 0
    while at < len(info):
        what, size = struct.unpack_from("<HH", info, at)
        if what == FRAME_SIZE:
            symbol, stack = struct.unpack_from("<II", info, at + 4)
            (name,) = struct.unpack_from("<I", found[b".symtab"], 24 * symbol)
            text = found[b".strtab"]
            yield text[name:text.index(b"\0", name)].decode(), stack
        at += 4 + (size if what & 0xFF == 4 else 0)


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
        for name, stack in (s for of, image in found if int(architecture) in of
                            for s in stacks(image)):
            if stack >= LANES:
                sys.exit(f"sm_{architecture}: {name} has {stack} bytes of stack a thread")
    print(len(names), "kernels for", *(f"sm_{a}" for a in architectures))


main()
