"""A scene: windows as they are under one condition, in which faces are sought once for all who ask.

Models with the same detector, conditions that act on the crop or on the surface of faces: all of these look
at the same frames. Asked from several threads, the first seeks and the others wait for what it finds.
"""

from __future__ import annotations

from collections.abc import Sequence
from threading import RLock

from bench.predict.clip import Clip
from bench.predict.faces import Detector, Faces
from bench.predict.front import FaceFinder
from bench.predict.meshes import MeshFinder
from bench.predict.perturb.face import FaceClip
from bench.predict.remembered import Seek

__all__ = ["Scene"]


class Scene:
    """Clips, ``aligned`` where each whole picture is one face, and what ``seek`` found in them."""

    def __init__(self, clips: Sequence[Clip], *, aligned: bool, seek: Seek = FaceFinder.detect) -> None:
        self._clips, self._aligned, self._seek = clips, aligned, seek
        self._lock = RLock()
        self._faces: list[tuple[Detector, int | None, list[list[Faces]]]] = []
        self._fits: list[FaceClip] | None = None

    def faces(self, finder: FaceFinder) -> list[list[Faces]]:
        """The faces of every frame of every clip; sought once by a detector that looks at the same frames."""
        every = finder.front.every
        with self._lock:
            for detector, looked, found in self._faces:
                if detector is finder.detector and looked == every:
                    return found
            found = self._seek(finder, self._clips)
            self._faces.append((finder.detector, every, found))
            return found

    def fits(self, finder: MeshFinder) -> list[FaceClip]:
        """The surface of the faces, one ``FaceClip`` a clip, in order; a run has one such finder."""
        with self._lock:
            if self._fits is None:
                found = self.faces(finder.finder)
                self._fits = finder.fit(self._clips, found, aligned=self._aligned)
            return self._fits
