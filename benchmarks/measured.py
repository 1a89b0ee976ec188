"""Measured head pose against what others say of the same pictures.

Angles in the names of four laboratory photographs (magnitude of yaw), and OpenFace's published head pose of
two talking heads, frame by frame, OpenFace's signs turned into ours. These heads hardly move: a correlation
over two or three degrees says little. OpenFace is an estimate too, not the truth. The face mesh gives a
second opinion on yaw and roll, from the line between the eyes.

python benchmarks/measured.py DATA, with AFFECTBENCH_WEIGHTS set; DATA holds pyfeat and opendbm_av
"""

from __future__ import annotations

import csv
import sys
from pathlib import Path

import numpy as np
import torch

from bench.predict.clip import Clip, Sampling
from bench.predict.decode import decode
from bench.predict.measure import Instruments, Sighting, load_instruments
from bench.predict.mesh import Mesh, find_meshes, mesh_angles
from bench.predict.pipeline import Build
from bench.predict.zoo import Zoo

__all__ = ["NAMED", "OPENFACE", "named_angles", "openface_angles", "pose_of"]

CPU = torch.device("cpu")
NAMED = {"0-f1-su-ph.jpg": 0, "0-f15-hao-ph.jpg": 0, "15-f13-anc-ph.jpg": 15, "45-m7-di-ph.jpg": 45}
OPENFACE = ("subj01_timepoint01", "subj02_timepoint01")
ANGLES = ("yaw", "pitch", "roll")
# OpenFace: radians about axes to the right, down and away from the camera (x, y, z), so that yaw above 0
# turns to the picture's left and pitch above 0 down; its roll is clockwise, as ours.
_COLUMNS, _SIGNS = ("pose_Ry", "pose_Rx", "pose_Rz"), (-1, -1, 1)


def main() -> None:
    """Print both tables."""
    torch.set_num_threads(1)
    data, zoo = Path(sys.argv[1]), Zoo()
    instruments = load_instruments(zoo, "yunet", CPU)
    mesh = zoo.load_part("facemesh", "mesh", Build(CPU, torch.float32), ("measured", "Name one")).built
    print("| photograph | angle in its name | yaw | pitch | roll | yaw of the mesh | roll of the mesh |")
    print("|---|---|---|---|---|---|---|")
    for name, (said, pose) in named_angles(data, instruments).items():
        (clip,) = decode(data / "pyfeat/tests_data" / name, name, Sampling(), CPU)
        angles = np.concatenate([pose, mesh_of(clip, instruments, mesh)[0]])
        print(f"| {name} | {said} | " + " | ".join(f"{angle:.1f}" for angle in angles) + " |")
    print("\n| video | angle | by | frames | mean | OpenFace, mean | mean absolute difference | r |")
    print("|---|---|---|---|---|---|---|---|")
    for video in OPENFACE:
        ours, theirs = openface_angles(data, video, instruments)
        clips = decode(data / "opendbm_av" / f"{video}.mp4", video, Sampling(), CPU)
        meshes = np.concatenate([mesh_of(clip, instruments, mesh) for clip in clips])
        rows = [(angle, "fsanet", ours[:, i], theirs[:, i]) for i, angle in enumerate(ANGLES)]
        rows += [(ANGLES[i], "mesh", meshes[:, i // 2], theirs[:, i]) for i in (0, 2)]
        for angle, by, a, b in rows:
            numbers = f"{a.mean():.1f} | {b.mean():.1f} | {np.abs(a - b).mean():.1f}"
            print(f"| {video} | {angle} | {by} | {len(a)} | {numbers} | {np.corrcoef(a, b)[0, 1]:.2f} |")


def named_angles(data: Path, instruments: Instruments) -> dict[str, tuple[int, np.ndarray]]:
    """For each photograph the angle that its name says, and yaw, pitch and roll [3] as measured."""
    found = {}
    for name, said in NAMED.items():
        (clip,) = decode(data / "pyfeat/tests_data" / name, name, Sampling(), CPU)
        found[name] = said, pose_of(clip, instruments)[0]
    return found


def openface_angles(data: Path, video: str, instruments: Instruments) -> tuple[np.ndarray, np.ndarray]:
    """Yaw, pitch and roll in degrees [T, 3] of every frame of a video: ours, and OpenFace's in our signs."""
    path = data / "opendbm_av" / video / f"{video}_openface" / f"{video}.csv"
    with path.open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file, skipinitialspace=True))
    theirs = np.degrees([[float(row[name]) for name in _COLUMNS] for row in rows]) * _SIGNS
    clips = decode(data / "opendbm_av" / f"{video}.mp4", video, Sampling(), CPU)
    ours = np.concatenate([pose_of(clip, instruments) for clip in clips])
    if len(ours) != len(theirs):
        raise ValueError(f"{video} has {len(ours)} frames and {len(theirs)} rows of OpenFace")
    return ours, theirs


def pose_of(clip: Clip, instruments: Instruments) -> np.ndarray:
    """Yaw, pitch and roll in degrees [T, 3] of the best face of each frame, every one of which has a face."""
    return instruments.read([_sighting(clip, instruments)])[:, :3]


def mesh_of(clip: Clip, instruments: Instruments, mesh: Mesh) -> np.ndarray:
    """Yaw and roll in degrees [T, 2] of the mesh of the best face of each frame."""
    seen = _sighting(clip, instruments)
    return mesh_angles(find_meshes(mesh, clip.frames, seen.which, seen.boxes, seen.points)[0])


def _sighting(clip: Clip, instruments: Instruments) -> Sighting:
    (faces,) = instruments.finder.detect([clip])
    frames = np.arange(len(clip))
    boxes, points = np.stack([f.boxes[0] for f in faces]), np.stack([f.points[0] for f in faces])
    return Sighting(clip, frames, np.zeros_like(frames), boxes, points)


if __name__ == "__main__":
    main()
