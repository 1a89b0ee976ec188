"""Devices and precisions: what a user may choose, and what is noted as provenance."""

from __future__ import annotations

import os
import platform
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import Any

import av
import torch
from threadpoolctl import ThreadpoolController

from bench.errors import UserError
from bench.latency import Hardware

__all__ = [
    "PRECISIONS", "choose_device", "choose_precision", "cpu_name", "describe_environment",
    "describe_hardware", "is_out_of_memory", "kind_of", "one_thread", "strict_numbers", "synchronize",
    "versions",
]  # fmt: skip

PRECISIONS = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}

_CPU_MEMORY = "DefaultCPUAllocator: can't allocate memory"
_PACKAGES = ("affectbench", "torch", "numpy", "opencv-python-headless", "av", "pyarrow")


def choose_device(name: str) -> torch.device:
    """The device of that name; ``auto`` takes the first CUDA device, else the CPU, never silently less."""
    if name == "auto":
        return torch.device("cuda:0" if torch.cuda.is_available() else "cpu")
    if name == "cpu":
        return torch.device("cpu")
    count = torch.cuda.device_count()
    if name in {f"cuda:{index}" for index in range(count)}:
        return torch.device(name)
    raise UserError(
        "--device", f"{name!r} is not here", f"auto, cpu{''.join(f', cuda:{i}' for i in range(count))}",
        "Choose one of these",
    )  # fmt: skip


def choose_precision(name: str) -> torch.dtype:
    """The dtype of a precision's name."""
    if name not in PRECISIONS:
        raise UserError(
            "--precision", f"{name!r} is not known", f"{', '.join(PRECISIONS)}", "Choose one of these"
        )
    return PRECISIONS[name]


@contextmanager
def strict_numbers() -> Iterator[None]:
    """No TF32 and no autotuned kernels: the same device and settings give the same bytes."""
    cudnn, matmul = torch.backends.cudnn, torch.backends.cuda.matmul
    before = (cudnn.allow_tf32, cudnn.deterministic, cudnn.benchmark, matmul.allow_tf32)
    cudnn.allow_tf32, cudnn.deterministic, cudnn.benchmark, matmul.allow_tf32 = False, True, False, False
    try:
        yield
    finally:
        cudnn.allow_tf32, cudnn.deterministic, cudnn.benchmark, matmul.allow_tf32 = before


@contextmanager
def one_thread() -> Iterator[None]:
    """Let torch work on one core in this thread; other threads keep what they have.

    Of many small steps, such as perturbations take, waking a second core for each costs more than it saves: a
    blur of pictures of 224 pixels takes 1.2 ms with one thread and 3.3 ms with two (benchmarks/RESULTS.md).
    ``torch.set_num_threads`` would reach threads begun later, and lose what oneDNN keeps.
    """
    torch.get_num_threads()  # else the first call in a thread sets what torch has for all, in here
    with _openmp().limit(limits=1):
        yield


@cache
def _openmp() -> ThreadpoolController:
    return ThreadpoolController().select(user_api="openmp")


def is_out_of_memory(error: Exception) -> bool:
    """Whether the machine is at fault; on a CPU torch says so in the text of a RuntimeError alone."""
    return isinstance(error, (MemoryError, torch.OutOfMemoryError)) or _CPU_MEMORY in str(error)


def describe_environment(device: torch.device) -> dict[str, Any]:
    """What the machine was, as plain values: provenance, never part of a key."""
    return {
        "python": platform.python_version(),
        "platform": platform.machine(),
        "device": torch.cuda.get_device_name(device) if device.type == "cuda" else device.type,
        "threads": torch.get_num_threads(),
        "cuda": torch.version.cuda,
        **versions(_PACKAGES),
        # PyAV may be built against any FFmpeg, and that is what decodes.
        "libavcodec": ".".join(map(str, av.library_versions["libavcodec"])),
    }


def describe_hardware(device: torch.device, workers: int) -> Hardware:
    """What a latency goes by of this machine, as this process may use it."""
    cpu = cpu_name()
    return Hardware(
        device=torch.cuda.get_device_name(device) if device.type == "cuda" else cpu,
        cpu=cpu,
        cores=len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1,
        threads=torch.get_num_threads(),
        workers=workers,
    )


def cpu_name(listing: Path = Path("/proc/cpuinfo")) -> str:
    """The model of the CPU as its maker calls it, where the system says so; else its architecture."""
    try:
        text = listing.read_text(encoding="utf-8", errors="replace")
    except OSError:
        text = ""
    found = re.search(r"^model name\s*:\s*(\S.*?)\s*$", text, re.MULTILINE)
    return found[1] if found else platform.processor() or platform.machine()


def synchronize(device: torch.device) -> None:
    """Wait until all that was asked of a device is done; a CPU is never behind."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def kind_of(device: torch.device) -> str:
    """What of a device may change the last digits: the model of a GPU, the instructions of a CPU."""
    if device.type == "cuda":
        return f"{torch.cuda.get_device_name(device)}, CUDA {torch.version.cuda}"
    return f"{platform.machine()} {torch.backends.cpu.get_cpu_capability()}"


def versions(packages: Sequence[str]) -> dict[str, str]:
    """The version of each package that is installed."""
    found = {}
    for name in packages:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            found[name] = "not installed"
    return found
