"""Speed of the perturbations against imagecorruptions, kornia and albumentations, on the same pictures.

32 drawn faces of 224 pixels, one severity of ours, the peers' amounts matched as closely as they allow; each
library as it is meant to be used: affectbench a clip of 32 frames (what varies with the clip is drawn once)
and again 32 stills, bytes to bytes; imagecorruptions and albumentations picture by picture, bytes to bytes;
kornia the batch of 32, floats to floats, so that it is not charged for the conversion from bytes and back.
One process, each library with the threads that it finds, but ours with one of torch's, as in a run
(``one_thread``). All take turns; the least of the rounds counts. Ratios are of processor time (of all
threads), which other work on the machine moves less than seconds on the wall, and which does not reward a
library for using both cores: below 1 a peer does with less than our clip.

Each cell says, for one picture: processor ms (ms on the wall) and, after the semicolon, the mean absolute
difference from the clean picture in grey levels, so that one sees whether the harm is comparable. The last
column is our clip over the bound: drawing 16 bits for each value where noise is drawn, else copying the
frames, which are few enough to stay in the cache here.

Several kinds are neighbours, not twins. Ours blur, count photons, expose and mix colours in linear light, by
the sRGB curve, and come back; of the peers only albumentations' shot noise does so. The impulse noise of
kornia and albumentations is of whole pixels, ours of single values. The peers' brightness is added to encoded
values, their bit depth cuts where ours rounds. kornia has no contrast about a mean, no defocus and no low
resolution among its augmentations: its functions stand for them. Its motion blur and all its warps draw for
each picture. None has vignetting: a Gaussian light is the nearest, and albumentations' is a weak one.

    python -m benchmarks.perturbations  (where the peers are installed: see benchmarks/README.md)
"""

from __future__ import annotations

import os

os.environ.setdefault("OMP_WAIT_POLICY", "passive")  # before torch loads
os.environ.setdefault("NO_ALBUMENTATIONS_UPDATE", "1")  # it would look for a newer version on the network

import argparse
import math
import time
import warnings
from collections.abc import Iterator
from dataclasses import dataclass, field
from importlib import metadata
from itertools import cycle
from typing import Any

import cv2
import numpy as np
import torch

from bench.memory import keep_freed_memory
from bench.predict.clip import Clip
from bench.predict.device import one_thread
from bench.predict.perturb import PERTURBATIONS, Perturbation
from bench.predict.perturb.stream import Stream
from bench.synth.drawn import AFFECT, draw_face
from benchmarks.perturbations_peers import COUNT, KINDS, PEERS, SIZE, Call, Calls, Pictures

SEED = 0
LEAST = 0.05  # seconds that a call is repeated for within a round
NOISE = ("sensor_noise", "shot_noise", "impulse_noise")
CLIP, STILLS = "affectbench, a clip", "affectbench, stills"


@dataclass
class Timing:
    """Least seconds of the processor and on the wall of a batch, and its harm in grey levels."""

    harm: float
    busy: float = math.inf
    wall: float = math.inf

    def __str__(self) -> str:
        ms = 1000 / COUNT
        return f"{ms * self.busy:.3g} ({ms * self.wall:.3g}); {self.harm:.1f}"


@dataclass
class Table:
    """Timings of each library by kind, and those of the bounds."""

    libraries: dict[str, dict[str, Timing]] = field(default_factory=dict)
    bounds: dict[str, Timing] = field(default_factory=dict)


def main() -> None:
    """Measure and print Markdown tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--severity", type=int, default=3)
    parser.add_argument("--rounds", type=int, default=15)
    asked = parser.parse_args()
    keep_freed_memory()  # as a run does
    pictures = draw_pictures()
    libraries = {CLIP: clip_calls(pictures, asked.severity), STILLS: still_calls(pictures, asked.severity)}
    for name, calls in PEERS.items():
        try:
            with warnings.catch_warnings(record=True):  # imagecorruptions imports what setuptools will remove
                libraries[name] = calls(pictures, asked.severity)
        except ImportError as error:
            print(f"SKIP {name}: {error}\n")
    with torch.inference_mode():
        table = measure(libraries, pictures, asked.rounds)
    print_kinds(table, asked.severity)
    print_bounds(table)


def draw_pictures() -> Pictures:
    """Drawn faces that sway, with smooth texture over them so that no area is of one colour."""
    draw = np.random.default_rng(SEED)
    images = []
    for i, label in enumerate((list(AFFECT) * COUNT)[:COUNT]):
        tint, shape = ("warm", "cool")[i % 2], ("round", "long")[i // 2 % 2]
        face = draw_face(label, tint, shape, size=SIZE, sway=0.05 * math.sin(i / 8))
        texture = cv2.GaussianBlur(draw.normal(0, 60, face.shape), (0, 0), 2)
        images.append(np.clip(face + texture, 0, 255).round().astype(np.uint8))
    planes = torch.from_numpy(np.stack(images)).permute(0, 3, 1, 2).contiguous()
    return Pictures(planes, images, planes.to(torch.float32) / 255)


def clip_calls(pictures: Pictures, severity: int) -> Calls:
    """Ours, of all pictures as frames of one clip."""
    clip = Clip("clip", pictures.planes, np.arange(COUNT), np.arange(COUNT) / 25)

    def call(harm: Perturbation[Clip]) -> Call:
        return one_thread()(lambda: harm(clip, severity, SEED).frames)

    return {kind: call(PERTURBATIONS[kind]) for kind in KINDS}


def still_calls(pictures: Pictures, severity: int) -> Calls:
    """Ours, of every picture as a medium of its own."""
    zero = np.zeros(1, np.int64)
    stills = [Clip(f"still {i}", plane[None], zero, zero / 25) for i, plane in enumerate(pictures.planes)]

    def call(harm: Perturbation[Clip]) -> Call:
        return one_thread()(lambda: [harm(still, severity, SEED).frames[0] for still in stills])

    return {kind: call(PERTURBATIONS[kind]) for kind in KINDS}


def measure(libraries: dict[str, Calls], pictures: Pictures, rounds: int) -> Table:
    """Least times of every call, all in turn, each made once before."""
    table = Table()
    bounds = bound_calls(pictures)
    clean = pictures.planes.to(torch.float32)
    for library, calls in libraries.items():
        table.libraries[library] = {kind: Timing(harm(call(), clean)) for kind, call in calls.items()}
    for name, call in bounds.items():
        call()
        table.bounds[name] = Timing(math.nan)
    for _ in range(rounds):
        for name, call in bounds.items():
            time_call(call, table.bounds[name])
        for kind in KINDS:
            for library, calls in libraries.items():
                if kind in calls:
                    time_call(calls[kind], table.libraries[library][kind])
    return table


def time_call(call: Call, timing: Timing) -> None:
    """Repeat a call for ``LEAST`` seconds, at least once, and keep the least."""
    end = time.perf_counter() + LEAST
    while True:
        started, before = time.perf_counter(), time.process_time()
        call()
        timing.busy = min(timing.busy, time.process_time() - before)
        now = time.perf_counter()
        timing.wall = min(timing.wall, now - started)
        if now > end:
            return


def harm(batch: Any, clean: torch.Tensor) -> float:
    """Mean absolute difference from the clean pictures, in grey levels."""
    if isinstance(batch, list):
        batch = torch.stack([i if torch.is_tensor(i) else torch.from_numpy(i.copy()) for i in batch])
    if batch.shape[-1] == 3:
        batch = batch.permute(0, 3, 1, 2)
    if batch.dtype == torch.float32:
        batch = batch.clamp(0, 1).mul(255).round()
    elif batch.dtype != torch.uint8:
        raise TypeError(f"pictures of {batch.dtype}")
    return float((batch.to(torch.float32) - clean).abs().mean())


def bound_calls(pictures: Pictures) -> Calls:
    """What no perturbation can do without, and what the random numbers of others cost."""
    planes, floats = pictures.planes, pictures.floats
    into, index, count = torch.empty_like(planes), np.arange(COUNT), planes[0].numel()
    far = cycle((planes.clone(), torch.zeros_like(planes)) for _ in range(COUNT))  # 300 MB
    generator, stream = np.random.default_rng(SEED), Stream.of(SEED, "bound", "bound", 0)
    return {
        COPY: lambda: into.copy_(planes),
        "copying frames that are not in the cache": lambda: copy_next(far),
        DRAW: lambda: stream.words16_frames(index, count, planes.device),
        "float normal numbers by numpy": lambda: generator.standard_normal(planes.shape, np.float32),
        "float normal numbers by torch": lambda: torch.randn(planes.shape),
        "bytes to floats": lambda: planes.to(torch.float32).div_(255),
        "floats to bytes": lambda: floats.mul(255).round_().clamp_(0, 255).to(torch.uint8),
    }


def copy_next(pairs: Iterator[tuple[torch.Tensor, torch.Tensor]]) -> None:
    """Copy the first of the next pair into its second."""
    source, into = next(pairs)
    into.copy_(source)


def print_kinds(table: Table, severity: int) -> None:
    """One row a kind, and the geometric mean of each column of ratios."""
    peers = [name for name in table.libraries if name in PEERS]
    heads = [f"{name} {metadata.version(name)} | ratio" for name in peers]
    columns = [f"severity {severity}, torch threads: {torch.get_num_threads()}", CLIP, STILLS, *heads]
    print(f"| {' | '.join([*columns, 'over the bound'])} |")
    print("|---" * (4 + 2 * len(peers)) + "|")
    clip, stills = table.libraries[CLIP], table.libraries[STILLS]
    for kind in KINDS:
        cells = [kind.replace("_", " "), str(clip[kind]), str(stills[kind])]
        for peer in peers:
            found = table.libraries[peer].get(kind)
            cells += ["", ""] if found is None else [str(found), f"{found.busy / clip[kind].busy:.2g}"]
        bound = table.bounds[DRAW if kind in NOISE else COPY]
        print(f"| {' | '.join([*cells, f'{clip[kind].busy / bound.busy:.2g}'])} |")
    if not peers:
        return
    for title, ours in (("to our clip", clip), ("to our stills", stills)):
        for clock in ("busy", "wall"):
            cells = [f"geometric mean {title}, {CLOCKS[clock]}", "", ""]
            for peer in peers:
                its = table.libraries[peer]
                ratios = [getattr(its[kind], clock) / getattr(ours[kind], clock) for kind in its]
                cells += [f"{len(ratios)} kinds", f"**{math.exp(np.mean(np.log(ratios))):.3g}**"]
            print(f"| {' | '.join([*cells, ''])} |")


def print_bounds(table: Table) -> None:
    """Print what the parts cost that no library can do without."""
    print("\n| alone, for each picture | processor ms | ms on the wall |")
    print("|---|---|---|")
    for name, timing in table.bounds.items():
        print(f"| {name} | {1000 * timing.busy / COUNT:.3g} | {1000 * timing.wall / COUNT:.3g} |")


COPY, DRAW = "copying the frames", "drawing 16 bits for each value by Philox"
CLOCKS = {"busy": "processor", "wall": "wall"}

if __name__ == "__main__":
    main()
