"""What drivers say of their GPUs, and what images need of them; hardware is not needed for it."""

from __future__ import annotations

import threading
from types import SimpleNamespace
from typing import TYPE_CHECKING, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ds01build import driver
from ds01build.driver import amd, nvidia
from ds01build.errors import Unavailable
from ds01build.gpus import Gpu, Inventory, Slice, concerns, unmet

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

GIB = 2**30


class NvmlError(Exception):
    """An error as NVML has it, by its number."""

    def __init__(self, value: int) -> None:
        super().__init__(f"error {value} of NVML")
        self.value = value


def said(found: object) -> object:
    """Return an answer, or raise it where it is an error."""
    if isinstance(found, Exception):
        raise found
    return found


def of(name: object, otherwise: object) -> Callable[[Mapping[object, object]], object]:
    """Return a function of the library that answers for a GPU or slice, which is a mapping."""
    return lambda handle: said(handle.get(name, otherwise))


def nvml(
    *gpus: Mapping[str, object],
    init: object = None,
    version: object = "550.54.15",
    cuda: object = 12040,
    count: object = None,
    ends: Callable[[], object] = lambda: None,
) -> nvidia.Nvml:
    """Return a library that knows these GPUs; an answer that is an error is raised."""
    functions = {
        "Init": lambda: said(init),
        "Shutdown": ends,
        "SystemGetDriverVersion": lambda: said(version),
        "SystemGetCudaDriverVersion_v2": lambda: said(cuda),
        "DeviceGetCount": lambda: len(gpus) if count is None else count,
        "DeviceGetHandleByIndex": lambda index: gpus[index],
        "DeviceGetUUID": of("uuid", None),
        "DeviceGetName": of("name", "NVIDIA A100-SXM4-40GB"),
        "DeviceGetMemoryInfo": of("memory", SimpleNamespace(total=40 * GIB)),
        "DeviceGetBrand": of("brand", 2),
        "DeviceGetCudaComputeCapability": of("capability", (8, 0)),
        "DeviceGetMigMode": of("mode", NvmlError(3)),
        "DeviceGetMaxMigDeviceCount": of("most", 7),
        "DeviceGetMigDeviceHandleByIndex": lambda gpu, at: of(at, NvmlError(6))(gpu["slices"]),
    }
    named = {f"nvml{name}": function for name, function in functions.items()}
    return cast("nvidia.Nvml", SimpleNamespace(NVMLError=NvmlError, **named))


def test_the_library_that_is_installed_has_what_is_called() -> None:
    library = nvidia.library()
    names = {name for name in vars(nvidia.Nvml) if name.startswith("nvml")}
    assert len(names) == 14
    assert library is not None
    assert [name for name in sorted(names) if not callable(getattr(library, name, None))] == []
    assert {name for name in vars(nvml()) if name != "NVMLError"} == names


def test_a_driver_tells_of_gpus_and_their_slices() -> None:
    part = {
        "uuid": "MIG-2",
        "name": "NVIDIA A100-SXM4-40GB MIG 2g.10gb",
        "memory": SimpleNamespace(total=10 * GIB),
    }
    rows: list[dict[str, object]] = [
        {"uuid": "GPU-0"},
        {"uuid": b"GPU-1", "mode": [1, 1], "slices": {2: part}},
    ]
    ended: list[bool] = []
    assert nvidia.inventory(nvml(*rows, ends=lambda: ended.append(True))) == Inventory(
        vendor="nvidia",
        driver="550.54.15",
        cuda="12.4",
        gpus=(
            Gpu(
                index=0,
                uuid="GPU-0",
                name="NVIDIA A100-SXM4-40GB",
                memory=40 * GIB,
                brand="tesla",
                architecture="8.0",
            ),
            Gpu(
                index=1,
                uuid="GPU-1",
                name="NVIDIA A100-SXM4-40GB",
                memory=40 * GIB,
                is_sliced=True,
                slices=(Slice(index=2, uuid="MIG-2", profile="2g.10gb", memory=10 * GIB),),
                brand="tesla",
                architecture="8.0",
            ),
        ),
    )
    assert ended == [True]


@pytest.mark.parametrize("number", [9, 12])
def test_no_driver_is_no_error(number: int) -> None:
    assert nvidia.inventory(nvml(init=NvmlError(number))) == Inventory()


def test_this_machine_is_asked_without_an_error() -> None:
    assert driver.inventory().lost == ()


def test_what_a_gpu_does_not_have_is_left_out() -> None:
    lacks = {"memory": NvmlError(3), "brand": NvmlError(13), "capability": NvmlError(3)}
    (gpu,) = nvidia.inventory(nvml({"uuid": "GPU-0", **lacks}, cuda=NvmlError(13))).gpus
    assert (gpu.memory, gpu.brand, gpu.architecture, gpu.is_sliced) == (0, "unknown", "", False)


def test_a_gpu_that_is_lost_is_told_and_the_others_are_used() -> None:
    found = nvidia.inventory(nvml({"uuid": NvmlError(15)}, {"uuid": "GPU-1"}))
    assert [each.index for each in found.gpus] == [1]
    assert found.lost == ("GPU 0 does not answer: it is lost until the machine restarts",)


@pytest.mark.parametrize(
    ("library", "problem"),
    [
        (nvml(init=NvmlError(18)), "the NVIDIA driver fails: error 18 of NVML"),
        (nvml({"uuid": NvmlError(999)}), "the NVIDIA driver fails: error 999 of NVML"),
        (nvml(count=65), "the NVIDIA driver gives no usable number of GPUs: 65"),
        (nvml(count=None, version="$(id)"), "gives no usable version: '$(id)'"),
        (nvml({"uuid": "GPU-a,GPU-b"}), "gives no usable UUID: 'GPU-a,GPU-b'"),
        (nvml({"uuid": "GPU-a", "name": "a\x1b[2J"}), "gives no usable name: 'a\\x1b[2J'"),
        (nvml({"uuid": "GPU-a"}, {"uuid": "GPU-a"}), "gives no usable UUIDs"),
        (nvml({"uuid": "GPU-a", "mode": [1, 1], "most": 99}), "no usable number of slices: 99"),
        (
            nvml({"uuid": "GPU-a", "memory": SimpleNamespace(total=-1)}),
            "gives no usable memory: -1",
        ),
    ],
)
def test_a_driver_that_answers_wrongly_is_a_named_error(library: nvidia.Nvml, problem: str) -> None:
    with pytest.raises(Unavailable) as caught:
        nvidia.inventory(library)
    assert problem in str(caught.value)
    assert (caught.value.exit_code, caught.value.hint) == (4, "nvidia-smi -L")


def test_a_driver_that_hangs_is_not_waited_for() -> None:
    ends = threading.Event()
    with pytest.raises(Unavailable, match=r"the NVIDIA driver did not answer within 0\.05 s"):
        driver.within(0.05, ends.wait)
    ends.set()
    broken = nvml(init=NvmlError(18))
    with pytest.raises(Unavailable, match="error 18 of NVML"):
        driver.within(5, lambda: nvidia.inventory(broken))
    assert driver.within(5, nvidia.library) is nvidia.library()


def write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def with_node(root: Path, number: int, text: str, name: str = "aldebaran") -> None:
    node = root / f"sys/class/kfd/kfd/topology/nodes/{number}"
    write(node / "properties", text)
    write(node / "name", f"{name}\n")


def test_amds_gpus_are_those_of_the_kernels_topology(tmp_path: Path) -> None:
    write(tmp_path / "dev/kfd", "")
    for minor in (128, 129, 130):
        write(tmp_path / f"dev/dri/renderD{minor}", "")
    with_node(tmp_path, 0, "cpu_cores_count 64\nsimd_count 0\ndrm_render_minor 0\n")
    gpu = "simd_count 416\ngfx_target_version 90010\nunique_id 4660\ndrm_render_minor "
    with_node(tmp_path, 10, f"{gpu}129\n")
    with_node(tmp_path, 2, f"{gpu}128\n", "")
    with_node(tmp_path, 11, "simd_count 1\ndrm_render_minor 130\nunique_id 0\nwith; 1\n")
    with_node(tmp_path, 12, "simd_count 1\ndrm_render_minor 131\n")
    card = tmp_path / "sys/class/drm/renderD128/device"
    write(card / "product_name", "AMD Instinct MI210\n")
    write(card / "mem_info_vram_total", f"{64 * GIB}\n")
    write(tmp_path / "sys/module/amdgpu/version", "6.10.5\n")
    found = amd.inventory(tmp_path)
    assert (found.vendor, found.driver, found.cuda) == ("rocm", "6.10.5", "")
    assert [(each.index, each.uuid, each.nodes) for each in found.gpus] == [
        (0, "GPU-0000000000001234", ("/dev/dri/renderD128",)),
        (1, "/dev/dri/renderD129", ("/dev/dri/renderD129",)),
        (2, "/dev/dri/renderD130", ("/dev/dri/renderD130",)),
    ]
    first, second, third = found.gpus
    assert (first.name, first.memory, first.architecture) == (
        "AMD Instinct MI210",
        64 * GIB,
        "gfx90a",
    )
    assert (second.name, third.architecture) == ("aldebaran", "")
    group = (tmp_path / "dev/kfd").stat().st_gid
    assert first.groups == ((str(group),) * 2 if group else ())


def test_a_machine_without_a_driver_of_amd_has_none(tmp_path: Path) -> None:
    assert amd.inventory(tmp_path) == Inventory()
    write(tmp_path / "dev/kfd", "")
    assert amd.inventory(tmp_path) == Inventory()


A100 = Gpu(index=0, uuid="GPU-0", name="A100", brand="tesla", architecture="8.0")
# As NVIDIA's images of CUDA 12.6 have it.
NEED = (
    "cuda>=12.6 brand=unknown,driver>=470,driver<471 brand=tesla,driver>=470,driver<471"
    " brand=geforce,driver>=470,driver<471"
)


def machine(version: str, cuda: str, gpu: Gpu = A100) -> Inventory:
    return Inventory(vendor="nvidia", driver=version, cuda=cuda, gpus=(gpu,))


@pytest.mark.parametrize(
    ("need", "version", "cuda", "is_met"),
    [
        (NEED, "560.35.05", "12.6", True),
        (NEED, "575.57.08", "12.9", True),
        (NEED, "550.54.15", "12.4", False),
        (NEED, "470.223.02", "11.4", True),
        ("brand!=tesla", "550.54.15", "12.4", False),
        ("brand=TESLA", "550.54.15", "12.4", True),
        ("arch>=9.0", "550.54.15", "12.4", False),
        ("cuda=12.4.0,driver>550.54", "550.54.15", "12.4", True),
        ("driver<=550.54.15 cuda>13", "550.54.15", "12.4", True),
        ("cuda>=12.10", "550.54.15", "12.9", False),
        ("cuda>=99", "550.54.15", "", True),
        ("jetpack>=99", "550.54.15", "12.4", True),
        ("", "550.54.15", "12.4", True),
    ],
)
def test_an_image_that_needs_a_newer_driver_is_known(
    need: str, version: str, cuda: str, is_met: object
) -> None:
    found = machine(version, cuda)
    assert (unmet({"NVIDIA_REQUIRE_CUDA": need}, found, found.devices) == "") is is_met


def test_what_is_unmet_is_said_with_what_there_is() -> None:
    found = machine("550.54.15", "12.4")
    assert unmet({"NVIDIA_REQUIRE_CUDA": NEED}, found, found.devices) == (
        "the image needs cuda>=12.6, and driver 550.54.15 knows CUDA 12.4 (GPU 0: tesla, 8.0)"
    )
    legacy = {"CUDA_VERSION": "12.8.1"}
    assert "needs cuda>=12.8, and" in unmet(legacy, found, found.devices)
    every = {"NVIDIA_REQUIRE_CUDA": "cuda>=11", "NVIDIA_REQUIRE_DRIVER": "driver>=560"}
    assert "needs driver>=560, and" in unmet(every, found, found.devices)
    assert not unmet({**every, "NVIDIA_DISABLE_REQUIRE": "1"}, found, found.devices)
    assert not unmet(every, Inventory(vendor="rocm", gpus=(A100,)), found.devices)


def test_what_cannot_be_read_is_a_concern_and_no_refusal() -> None:
    found = machine("550.54.15", "12.4")
    for need in ("cuda>=", "cuda>=12 (x)", "python>=3", "cuda==12", "cuda>=1" * 9999):
        variables = {"NVIDIA_REQUIRE_CUDA": need}
        assert not unmet(variables, found, found.devices)
        (told,) = concerns(variables, {}, found)
        assert told.startswith("what the image needs cannot be read: ")
        assert len(told) < 120


def test_a_driver_older_than_is_documented_for_a_framework_is_a_concern() -> None:
    labels = {"ds01.framework": "Pytorch-2.7.1", "ds01.arch": "CUDA_ADA"}
    assert list(concerns({}, labels, machine("550.54.15", "12.4"))) == [
        "Pytorch-2.7.1 needs driver 560.35.05, and this one is 550.54.15"
    ]
    assert not list(concerns({}, labels, machine("560.35.05", "12.6")))
    for other in ({"ds01.framework": "nosuch-1"}, {"ds01.framework": "-"}, {}):
        assert not list(concerns({}, {**labels, **other} if other else {}, machine("1.0", "9.0")))


def test_an_image_for_cuda_on_a_machine_of_amds_is_a_concern() -> None:
    amds = Inventory(vendor="rocm", gpus=(A100,))
    assert list(concerns({"CUDA_VERSION": "12.4"}, {}, amds)) == [
        "the image is for GPUs of NVIDIA, and those of this machine are AMD's"
    ]


@given(st.text(alphabet="cudaribvenh<>=!,. 0123456789", max_size=60), st.text(max_size=20))
def test_whatever_an_image_says_it_needs_is_no_traceback(need: str, version: str) -> None:
    found = machine("550.54.15", "12.4")
    variables = {"NVIDIA_REQUIRE_X": need, "CUDA_VERSION": version}
    unmet(variables, found, found.devices)
    list(concerns(variables, {"ds01.framework": need, "ds01.arch": version}, found))
