"""Wheels of PyTorch and torchvision for stand-ins: real ones for the CPU, or lookalikes.

``Offer`` is a wheel to put on an index. A *real* PyTorch is the CPU build, without its tests,
headers and tools; torchvision, of which no CPU build fits, keeps its Python part and loses its
libraries. A *light* one has a version and requirements, and nothing else.
"""

from __future__ import annotations

import csv
import io
import platform
import struct
import subprocess
import sys
import zipfile
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING

from wheels import File, archive, checksum, record

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

TORCH, VISION = "2.13.0", "0.28.0"
LOCAL = "+cpu"

COMMON = (
    *("filelock", "typing-extensions>=4.10.0", "setuptools>=77.0.3", "sympy>=1.13.3"),
    *("networkx>=2.5.1", "jinja2", "fsspec>=0.8.5"),
)
_LINUX = "sys_platform == 'linux'"
_KITS = (
    *("cublas", "cudart", "cufft", "cufile", "cupti", "curand", "cusolver", "cusparse"),
    *("nvjitlink", "nvrtc", "nvtx"),
)
# What the CUDA build of this version asks for, word for word.
CUDA = (
    *COMMON,
    f"cuda-toolkit[{','.join(_KITS)}]==13.0.3; {_LINUX}",
    f"cuda-bindings>=13.0.3,<14; python_full_version < '3.15' and {_LINUX}",
    f"nvidia-cudnn-cu13==9.20.0.48; {_LINUX}",
    f"nvidia-cusparselt-cu13==0.8.1; {_LINUX}",
    f"nvidia-nccl-cu13==2.29.7; {_LINUX}",
    f"nvidia-nvshmem-cu13==3.4.5; {_LINUX}",
    f"triton==3.7.1; python_full_version < '3.15' and {_LINUX}",
)
# Those distributions, and theirs: name, version, requirements.
LIBRARIES: tuple[tuple[str, str, tuple[str, ...]], ...] = (
    ("nvidia-cublas", "13.1.1.3", ("nvidia-cuda-nvrtc",)),
    ("nvidia-cuda-cupti", "13.0.85", ()),
    ("nvidia-cuda-nvrtc", "13.0.88", ()),
    ("nvidia-cuda-runtime", "13.0.96", ()),
    ("nvidia-cudnn-cu13", "9.20.0.48", ("nvidia-cublas",)),
    ("nvidia-cufft", "12.0.0.61", ("nvidia-nvjitlink",)),
    ("nvidia-cufile", "1.15.1.6", ()),
    ("nvidia-curand", "10.4.0.35", ()),
    ("nvidia-cusolver", "12.0.4.66", ("nvidia-cublas", "nvidia-cusparse", "nvidia-nvjitlink")),
    ("nvidia-cusparse", "12.6.3.3", ("nvidia-nvjitlink",)),
    ("nvidia-cusparselt-cu13", "0.8.1", ()),
    ("nvidia-nccl-cu13", "2.29.7", ()),
    ("nvidia-nvjitlink", "13.5.37", ()),
    ("nvidia-nvshmem-cu13", "3.4.5", ()),
    ("nvidia-nvtx", "13.0.85", ()),
    ("cuda-bindings", "13.0.3", ("cuda-pathfinder~=1.1",)),
    ("cuda-pathfinder", "1.3.0", ()),
    ("triton", "3.7.1", ()),
)
_EXTRAS = dict(
    zip(
        _KITS,
        (
            *("nvidia-cublas", "nvidia-cuda-runtime", "nvidia-cufft", "nvidia-cufile"),
            *("nvidia-cuda-cupti", "nvidia-curand", "nvidia-cusolver", "nvidia-cusparse"),
            *("nvidia-nvjitlink", "nvidia-cuda-nvrtc", "nvidia-nvtx"),
        ),
        strict=True,
    )
)
TOOLKIT = ("cuda-toolkit", "13.0.3", tuple(f'{n}; extra == "{e}"' for e, n in _EXTRAS.items()))

_MORE = {
    "torch": "\n\nclass cuda:\n    is_available = staticmethod(lambda: False)\n",
    # PyTorch does without a triton that can't be imported, not without parts of one that can.
    "triton": '\nraise ImportError("stands for triton, and has none of its code")\n',
}

_UNUSED = ("torch/include/", "torch/test/", "torch/share/", "torch/bin/test", "torch/bin/protoc")
# torchvision's import names two of its operators before it asks whether they exist.
_OPERATORS = b"""\
import torch

_LIBRARY = torch.library.Library("torchvision", "DEF")
_LIBRARY.define("nms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
_LIBRARY.define("qnms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
"""


@dataclass(frozen=True)
class Offer:
    """A wheel: its file name, its bytes, and its METADATA apart."""

    file: str
    body: bytes
    metadata: bytes

    def __str__(self) -> str:
        """As a requirement of exactly this one."""
        return "==".join(self.file.split("-")[:2])


def offers(*, public: bool, real: bool, scratch: Path) -> list[Offer]:
    """Return the wheels of a stand-in's framework.

    With a ``public`` version they ask for CUDA, as the builds on the index do, and what they ask
    for is among the wheels. Raises LookupError where pip has no CPU build of PyTorch.
    """
    suffix, requires = ("", CUDA) if public else (LOCAL, COMMON)
    vision = ("numpy", f"torch=={TORCH}", "pillow!=8.3.*,>=5.3.0")
    libraries = [light(*library) for library in (*LIBRARIES, TOOLKIT)] if public else []
    if not real:
        return [
            light("torch", TORCH + suffix, requires),
            light("torchvision", VISION + suffix, vision),
            *libraries,
        ]
    return [
        _torch(TORCH + suffix, requires, scratch),
        _vision(VISION + suffix, scratch),
        *libraries,
    ]


def light(name: str, version: str, requires: Sequence[str] = ()) -> Offer:
    """Return a wheel of one module that knows its version."""
    module = name.replace("-", "_")
    stem = f"{module}-{version}"
    extras = _EXTRAS if name == TOOLKIT[0] else ()
    lines = ["Metadata-Version: 2.1", f"Name: {name}", f"Version: {version}"]
    lines += [*(f"Requires-Dist: {r}" for r in requires), *(f"Provides-Extra: {e}" for e in extras)]
    texts = {
        f"{module}/__init__.py": f'__version__ = "{version}"\n{_MORE.get(name, "")}',
        f"{stem}.dist-info/METADATA": "".join(f"{line}\n" for line in lines),
        f"{stem}.dist-info/WHEEL": "Wheel-Version: 1.0\nGenerator: t\nRoot-Is-Purelib: true\n"
        "Tag: py3-none-any\n",
    }
    files = [File(name=path.encode(), content=text.encode()) for path, text in texts.items()]
    body = archive([*files, record(files, stem)])
    return Offer(f"{stem}-py3-none-any.whl", body, files[1].content)


def _torch(version: str, requires: Sequence[str], scratch: Path) -> Offer:
    path = downloaded(f"torch=={TORCH}", scratch)
    with zipfile.ZipFile(path) as source:
        own = source.read("torch/version.py")
    if b"cuda: Optional[str] = None" not in own:
        raise LookupError(f"pip has no CPU build of torch {TORCH} for this machine")
    said = own.replace(f"{TORCH}{LOCAL}".encode(), version.encode())
    return repacked(path, version, {"torch/version.py": said}, _UNUSED, requires)


def _vision(version: str, scratch: Path) -> Offer:
    path = downloaded(f"torchvision=={VISION}", scratch)
    with zipfile.ZipFile(path) as source:
        extension = source.read("torchvision/extension.py")
    replaced = {
        "torchvision/extension.py": _OPERATORS + extension,
        "torchvision/version.py": f"__version__ = {version!r}\n".encode(),
    }
    dropped = ("torchvision.libs/", "torchvision/_C.so", "torchvision/image.so")
    return repacked(path, version, replaced, dropped)


def downloaded(requirement: str, directory: Path) -> Path:
    """Return the wheel that pip has for Debian 12's Python, whatever this one is."""
    pattern = f"{requirement.replace('==', '-')}*.whl"
    if not any(directory.glob(pattern)):
        options = ["--no-deps", "--only-binary", ":all:", "--python-version", "3.11"]
        options += ["--platform", f"manylinux_2_28_{platform.machine()}"]
        command = [sys.executable, "-m", "pip", "download", "-qq", *options]
        subprocess.run([*command, "--dest", str(directory), requirement], check=True)
    return next(directory.glob(pattern))


def repacked(
    path: Path,
    version: str,
    replaced: Mapping[str, bytes],
    dropped: tuple[str, ...],
    requires: Sequence[str] | None = None,
) -> Offer:
    """Return a wheel with another version, some files replaced and some left out."""
    name, old, *tags = path.name.split("-")
    with zipfile.ZipFile(path) as source:
        own = source.read(f"{name}-{old}.dist-info/METADATA")
    metadata = _described(own, version, requires)
    changes = {**replaced, f"{name}-{old}.dist-info/METADATA": metadata}
    with path.open("rb") as file:
        body = _rewritten(file, version, changes, dropped)
    return Offer("-".join((name, version, *tags)), body, metadata)


def _described(metadata: bytes, version: str, requires: Sequence[str] | None) -> bytes:
    head, _, text = metadata.partition(b"\n\n")
    lines = [line for line in head.split(b"\n") if not line.startswith(b"Version:")]
    lines.append(f"Version: {version}".encode())
    if requires is not None:
        taken = (b"Requires-Dist:", b"Provides-Extra:")
        lines = [line for line in lines if not line.startswith(taken)]
        lines += [f"Requires-Dist: {each}".encode() for each in requires]
    return b"\n".join(lines) + b"\n\n" + text


def _rewritten(
    file: IO[bytes], version: str, replaced: Mapping[str, bytes], dropped: tuple[str, ...]
) -> bytes:
    """Return the wheel in ``file`` with other files; what stays the same is not packed again."""
    with zipfile.ZipFile(file) as source:
        members = [
            member
            for member in source.infolist()
            if not member.is_dir() and not member.filename.startswith(dropped)
        ]
        listed = next(m.filename for m in members if m.filename.endswith(".dist-info/RECORD"))
        reader = csv.reader(io.StringIO(source.read(listed).decode()))
        rows = {path: row for path, *row in reader}
    old = listed.partition("/")[0]
    new = f"{old.partition('-')[0]}-{version}.dist-info"
    files, lines = [], []
    for member in members:
        path = member.filename
        name = path.replace(old, new, 1)
        if path == listed:
            continue
        if path in replaced:
            files.append(File(name=name.encode(), content=replaced[path]))
            lines.append([name, checksum(replaced[path]), str(len(replaced[path]))])
        else:
            files.append(_kept(file, member, name))
            lines.append([name, *rows[path]])
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows([*lines, [f"{new}/RECORD", "", ""]])
    return archive([*files, File(name=f"{new}/RECORD".encode(), content=text.getvalue().encode())])


def _kept(file: IO[bytes], member: zipfile.ZipInfo, name: str) -> File:
    """Return a member of the zip in ``file`` as it is packed."""
    file.seek(member.header_offset + 26)  # APPNOTE.TXT 4.3.7: two lengths, then name and extra
    file.seek(sum(struct.unpack("<HH", file.read(4))), io.SEEK_CUR)
    return File(
        name=name.encode(),
        packed=file.read(member.compress_size),
        crc=member.CRC,
        size=member.file_size,
        method=member.compress_type,
        mode=member.external_attr >> 16,
    )
