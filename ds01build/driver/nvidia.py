"""NVIDIA's GPUs, as its library NVML has them; pynvml calls it, and is imported here alone."""

from __future__ import annotations

import re
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Protocol, cast

from ds01build.errors import Unavailable
from ds01build.gpus import Gpu, Inventory, Slice

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

__all__ = ["HINT", "Nvml", "inventory", "library"]

HINT = "nvidia-smi -L"
_MOST, _MOST_SLICES = 64, 16  # of a machine, and of a GPU
# Errors of NVML (nvmlReturn_t) that mean something else than that it fails.
_NOT_SUPPORTED, _NOT_FOUND, _NO_FUNCTION, _LOST = 3, 6, 13, 15
_NO_DRIVER = (9, 12)  # not loaded; no library
_UUID = re.compile(r"(?:GPU|MIG)-[0-9A-Za-z-]{1,80}(?:/[0-9]{1,2}/[0-9]{1,2})?")
_VERSION = re.compile(r"[0-9]{1,4}(?:\.[0-9]{1,6}){1,3}")
_CAPABILITY = re.compile(r"[0-9]{1,2}\.[0-9]{1,2}")
_NAME = re.compile(r"[\x20-\x7e]{1,128}")
_PROFILE = re.compile(r".* MIG (?P<profile>[0-9a-z.+]{1,40})")
_BIGGEST = 2**50  # bytes of memory; a machine that says more is not believed
_BRANDS = (  # as nvmlBrandType_t counts them, and NVIDIA_REQUIRE_CUDA spells them
    *("unknown", "quadro", "tesla", "nvs", "grid", "geforce", "titan", "vapps", "vpc", "vcs"),
    *("vws", "cloudgaming", "quadrortx", "nvidiartx", "nvidia", "geforcertx", "titanrtx"),
)


class Nvml(Protocol):
    """The functions of pynvml that are called; all of them may raise NVMLError."""

    NVMLError: type[Exception]  # has ``value``: the number of the error

    def nvmlInit(self) -> object: ...
    def nvmlShutdown(self) -> object: ...
    def nvmlSystemGetDriverVersion(self) -> str | bytes: ...
    def nvmlSystemGetCudaDriverVersion_v2(self) -> int: ...
    def nvmlDeviceGetCount(self) -> int: ...
    def nvmlDeviceGetHandleByIndex(self, index: int, /) -> object: ...
    def nvmlDeviceGetUUID(self, handle: object, /) -> str | bytes: ...
    def nvmlDeviceGetName(self, handle: object, /) -> str | bytes: ...
    def nvmlDeviceGetMemoryInfo(self, handle: object, /) -> object: ...
    def nvmlDeviceGetBrand(self, handle: object, /) -> int: ...
    def nvmlDeviceGetCudaComputeCapability(self, handle: object, /) -> object: ...
    def nvmlDeviceGetMigMode(self, handle: object, /) -> object: ...
    def nvmlDeviceGetMaxMigDeviceCount(self, handle: object, /) -> int: ...
    def nvmlDeviceGetMigDeviceHandleByIndex(self, handle: object, index: int, /) -> object: ...


def library() -> Nvml | None:
    """Return pynvml, None where it is not installed."""
    try:
        import pynvml
    except ImportError:
        return None
    return cast("Nvml", pynvml)


def inventory(nvml: Nvml) -> Inventory:
    """Return the GPUs that NVML tells of, an empty inventory where there is no driver.

    A GPU that fell off its bus is named among those that are lost. Raises Unavailable for what
    cannot be used.
    """
    try:
        nvml.nvmlInit()
    except nvml.NVMLError as error:
        if _number(error) in _NO_DRIVER:
            return Inventory()
        raise _failed(error) from error
    try:
        return _read(nvml)
    except nvml.NVMLError as error:
        raise _failed(error) from error
    finally:
        with suppress(nvml.NVMLError):
            nvml.nvmlShutdown()


def _read(nvml: Nvml) -> Inventory:
    count = _checked("number of GPUs", nvml.nvmlDeviceGetCount(), range(_MOST + 1))
    found = [_gpu_or_why(nvml, index) for index in range(count)]
    gpus = [each for each in found if isinstance(each, Gpu)]
    uuids = [name for gpu in gpus for name in (gpu.uuid, *(each.uuid for each in gpu.slices))]
    if len(set(uuids)) != len(uuids):
        raise _unusable("UUIDs", uuids)
    return Inventory(
        vendor="nvidia",
        driver=_text("version", nvml.nvmlSystemGetDriverVersion(), _VERSION),
        cuda=_cuda(_asked(nvml, nvml.nvmlSystemGetCudaDriverVersion_v2)),
        gpus=tuple(gpus),
        lost=tuple(each for each in found if isinstance(each, str)),
    )


def _gpu_or_why(nvml: Nvml, index: int) -> Gpu | str:
    """Return a GPU, or what to say of one that is there and does not answer."""
    try:
        return _gpu(nvml, index)
    except nvml.NVMLError as error:
        if _number(error) != _LOST:
            raise
        return f"GPU {index} does not answer: it is lost until the machine restarts"


def _gpu(nvml: Nvml, index: int) -> Gpu:
    handle = nvml.nvmlDeviceGetHandleByIndex(index)
    mode = _asked(nvml, lambda: nvml.nvmlDeviceGetMigMode(handle))
    is_sliced = isinstance(mode, (tuple, list)) and list(mode[:1]) == [1]  # now, not only wished
    return Gpu(
        index=index,
        uuid=_text("UUID", nvml.nvmlDeviceGetUUID(handle), _UUID),
        name=_text("name", nvml.nvmlDeviceGetName(handle), _NAME),
        memory=_memory(nvml, handle),
        is_sliced=is_sliced,
        slices=tuple(_slices(nvml, handle)) if is_sliced else (),
        brand=_brand(_asked(nvml, lambda: nvml.nvmlDeviceGetBrand(handle))),
        architecture=_architecture(
            _asked(nvml, lambda: nvml.nvmlDeviceGetCudaComputeCapability(handle))
        ),
    )


def _slices(nvml: Nvml, gpu: object) -> Iterator[Slice]:
    """Yield the slices that were made of a GPU; their numbers may have gaps."""
    most = nvml.nvmlDeviceGetMaxMigDeviceCount(gpu)
    for index in range(_checked("number of slices", most, range(_MOST_SLICES + 1))):
        handle = _asked(nvml, partial(nvml.nvmlDeviceGetMigDeviceHandleByIndex, gpu, index))
        if handle is None:
            continue
        profile = _PROFILE.fullmatch(_text("name", nvml.nvmlDeviceGetName(handle), _NAME))
        yield Slice(
            index=index,
            uuid=_text("UUID", nvml.nvmlDeviceGetUUID(handle), _UUID),
            profile=profile["profile"] if profile else "",
            memory=_memory(nvml, handle),
        )


def _asked(nvml: Nvml, ask: Callable[[], object]) -> object:
    """Return what ``ask`` does, None where the driver or the GPU has no such thing."""
    try:
        return ask()
    except nvml.NVMLError as error:
        if _number(error) in (_NOT_SUPPORTED, _NOT_FOUND, _NO_FUNCTION):
            return None
        raise


def _memory(nvml: Nvml, handle: object) -> int:
    """Return the bytes of a device; 0 where it shares those of the machine, and does not say."""
    found = _asked(nvml, lambda: nvml.nvmlDeviceGetMemoryInfo(handle))
    return _checked("memory", getattr(found, "total", 0), range(_BIGGEST))


def _cuda(number: object) -> str:
    """Return a version that is counted as 12040 for 12.4; empty for none."""
    if not (isinstance(number, int) and 0 < number < 10**6):
        return ""
    return f"{number // 1000}.{number % 1000 // 10}"


def _brand(number: object) -> str:
    return dict(enumerate(_BRANDS)).get(number, "unknown") if isinstance(number, int) else "unknown"


def _architecture(found: object) -> str:
    text = ".".join(map(str, found)) if isinstance(found, (tuple, list)) else ""
    return text if _CAPABILITY.fullmatch(text) else ""


def _text(what: str, found: object, form: re.Pattern[str]) -> str:
    text = found.decode(errors="replace") if isinstance(found, bytes) else found
    if not (isinstance(text, str) and form.fullmatch(text)):
        raise _unusable(what, found)
    return text


def _checked(what: str, found: object, allowed: range) -> int:
    if not isinstance(found, int) or found not in allowed:
        raise _unusable(what, found)
    return found


def _number(error: Exception) -> object:
    return getattr(error, "value", None)


def _failed(error: Exception) -> Unavailable:
    return Unavailable(f"the NVIDIA driver fails: {error!s:.200}", hint=HINT)


def _unusable(what: str, found: object) -> Unavailable:
    return Unavailable(f"the NVIDIA driver gives no usable {what}: {found!r:.100}", hint=HINT)
