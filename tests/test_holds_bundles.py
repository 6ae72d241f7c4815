"""The bundles over bases as people have them, resolved from the real package index."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from bases import debian, distribution, facts
from uv import find_uv_bin

from ds01build.base.holding import hold, is_accelerator
from ds01build.catalogue import bundle
from ds01build.platform import Platform
from ds01build.resolve import python, uv
from ds01build.resolve.request import PythonRequest, Wanted

if TYPE_CHECKING:
    from ds01build.base.facts import BaseFacts

pytestmark = pytest.mark.network

BUNDLES = ("jupyter", "data-science", "cv", "nlp")
PLATFORM = Platform(python="3.11.9", glibc=(2, 36), machine="x86_64")
COMMON = (
    distribution("numpy", "2.2.6"),
    distribution("pillow", "11.0.0", extras=["fpx"]),
    distribution("tqdm", "4.67.1", "colorama; platform_system == 'Windows'"),
    distribution("ipython", "9.3.0", "decorator", "jedi>=0.16", extras=["notebook"]),
    distribution("psutil", "7.0.0"),
    distribution("requests", "2.32.3", "urllib3<3,>=1.21.1", "certifi>=2017.4.17"),
    distribution("pyyaml", "6.0.2"),
)
NEEDS = ("filelock", "typing-extensions>=4.10.0", "sympy>=1.13.3", "networkx", "jinja2", "fsspec")
FSSPEC = distribution(
    "fsspec", "2025.7.0", "aiohttp!=4.0.0a0,!=4.0.0a1; extra == 'http'", extras=["http", "s3"]
)
WITH_PARTS = tuple(
    distribution(name, version)
    for name, version in (
        ("filelock", "3.18.0"),
        ("typing-extensions", "4.14.1"),
        ("sympy", "1.14.0"),
        ("mpmath", "1.3.0"),
        ("networkx", "3.5"),
        ("jinja2", "3.1.6"),
        ("markupsafe", "3.0.2"),
    )
)
CUDA = {
    "cuda-nvrtc": "12.8.93",
    "cuda-runtime": "12.8.90",
    "cuda-cupti": "12.8.90",
    "cudnn": "9.10.2.21",
    "cublas": "12.8.4.1",
    "cufft": "11.3.3.83",
    "curand": "10.3.9.90",
    "cusolver": "11.7.3.90",
    "cusparse": "12.5.8.93",
    "cusparselt": "0.7.1",
    "nccl": "2.27.3",
    "nvtx": "12.8.90",
    "nvjitlink": "12.8.93",
    "cufile": "1.13.1.3",
}
WHEELS = tuple(distribution(f"nvidia-{n}-cu12", version) for n, version in CUDA.items())
BASES = {
    "a local version": facts(
        distribution("torch", "2.8.0+cu126"),
        distribution(
            "torchvision", "0.23.0+cu126", "numpy", "torch==2.8.0", "pillow!=8.3.*,>=5.3.0"
        ),
        *COMMON,
    ),
    "a public version": facts(
        distribution(
            "torch",
            "2.8.0",
            *NEEDS,
            "triton==3.4.0",
            *(f"{each.name}=={each.version}; platform_system == 'Linux'" for each in WHEELS),
            "opt-einsum>=3.3; extra == 'opt-einsum'",
            extras=["opt-einsum", "optree"],
        ),
        distribution("torchvision", "0.23.0", "numpy", "torch==2.8.0", "pillow!=8.3.*,>=5.3.0"),
        distribution("triton", "3.4.0", "setuptools>=40.8.0"),
        distribution("setuptools", "80.9.0"),
        *WHEELS,
        *WITH_PARTS,
        FSSPEC,
        *COMMON,
    ),
}
OLD = facts(
    debian("numpy", "1.24.2"),
    debian("requests", "2.28.1"),
    debian("packaging", "23.0"),
    debian("jinja2", "3.1.2"),
    debian("pyyaml", "6.0"),
    debian("python-dateutil", "2.8.2"),
    debian("pandas", "1.5.3", "numpy>=1.20.3"),
)


def resolved(base: BaseFacts, directory: Path, *bundles: str) -> python.Resolution:
    excluded = tuple(name for each in bundles for name in bundle(each).exclude)
    wanted = Wanted(
        requests=tuple(PythonRequest(tier=b, requirements=bundle(b).packages) for b in bundles),
        platform=PLATFORM,
        exclude=excluded,
        holding=hold(base),
    )
    # The client's own configuration of this machine is shut out, but not its certificates.
    passed = (
        "SSL_CERT_FILE",
        "SSL_CERT_DIR",
        "HTTPS_PROXY",
        "https_proxy",
        "UV_NATIVE_TLS",
        "HOME",
    )
    tool = uv.Uv(
        program=Path(find_uv_bin()),
        interpreter=Path(sys.executable),
        environment={
            "PATH": "/usr/bin:/bin",
            **{k: os.environ[k] for k in passed if k in os.environ},
        },
    )
    return python.resolve(wanted, {}, tool, uv.Workspace(directory))


@pytest.mark.parametrize("base", BASES.values(), ids=BASES.keys())
def test_the_bundles_hold_what_the_base_has(base: BaseFacts, tmp_path: Path) -> None:
    found = resolved(base, tmp_path, *BUNDLES)
    locked = {located.pin.name: located.pin for located in found.located}
    there = {each.name for each in base.distributions}
    assert not locked.keys() & there
    assert not [name for name in locked if is_accelerator(name)]
    assert {"timm", "transformers", "jupyterlab", "pandas"} <= locked.keys()
    needed = {name for pin in locked.values() for name in pin.requires}
    asked = {name for each in BUNDLES for name in bundle(each).packages}
    assert locked.keys() <= needed | asked | {"aiohttp"}  # of fsspec[http], which datasets needs
    assert not [warning for warning in found.warnings if "far behind" in warning]


def test_newer_packages_go_over_those_of_debs(tmp_path: Path) -> None:
    locked = {each.pin.name: each.pin for each in resolved(OLD, tmp_path, "data-science").located}
    assert int(locked["numpy"].version.split(".")[0]) >= 2
    assert int(locked["pandas"].version.split(".")[0]) >= 2
