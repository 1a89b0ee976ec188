from __future__ import annotations

from pathlib import Path

import av
import cv2
import numpy as np
import pytest

from bench.errors import UserError
from bench.predict.perturb import PERTURBATIONS, Perturbation
from bench.predict.pictures import middle_frame, perturb_picture, still


def video(path: Path, levels: list[int]) -> Path:
    """A lossless video whose frames are flat greys."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("ffv1", rate=25)
        stream.height, stream.width, stream.pix_fmt = 32, 48, "bgr0"
        for level in levels:
            frame = av.VideoFrame.from_ndarray(np.full((32, 48, 3), level, np.uint8), format="rgb24")
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


@pytest.mark.parametrize(("count", "middle"), [(1, 0), (2, 1), (3, 1), (4, 2), (5, 2), (6, 2), (41, 20)])
def test_the_middle_frame(tmp_path: Path, count: int, middle: int) -> None:
    clip = middle_frame(video(tmp_path / "clip.mkv", [6 * number for number in range(count)]), "--clip")
    assert clip.frames.shape == (1, 3, 32, 48)
    assert clip.index.tolist() == [middle]
    assert clip.times == pytest.approx([middle / 25])
    assert (clip.frames == 6 * middle).all()


def test_the_middle_frame_of_an_image_is_the_image(tmp_path: Path) -> None:
    picture = np.random.default_rng(0).integers(0, 256, (20, 30, 3), np.uint8)
    cv2.imwrite(str(tmp_path / "a.png"), picture[..., ::-1])
    found = middle_frame(tmp_path / "a.png", "--clip").frames
    assert np.array_equal(found, still(picture, "a").frames)


def test_a_medium_that_will_not_do_is_refused(tmp_path: Path) -> None:
    (tmp_path / "text.png").write_text("no picture")
    for name in ("none.mp4", "text.png", "."):
        with pytest.raises(UserError) as told:
            middle_frame(tmp_path / name, "--clip")
        assert told.value.where == "--clip"
        assert str(tmp_path / name) in told.value.found


def test_small_pictures_are_repeated_and_large_ones_averaged() -> None:
    noise = PERTURBATIONS["sensor_noise"]
    small = np.random.default_rng(0).integers(0, 256, (20, 30, 3), np.uint8)
    shown = perturb_picture(still(small, "a"), noise, 0, 100)
    assert shown is not None
    assert np.array_equal(shown[0], small.repeat(3, axis=0).repeat(3, axis=1))
    harmed = noise(still(small, "a"), 4, 0).frames[0].permute(1, 2, 0).numpy()
    assert np.array_equal(shown[4], harmed.repeat(3, axis=0).repeat(3, axis=1))
    large = cv2.GaussianBlur(np.random.default_rng(0).integers(0, 256, (400, 200, 3), np.uint8), (0, 0), 9)
    shown = perturb_picture(still(large, "a"), noise, 0, 100)
    assert shown is not None
    assert {one.shape for one in shown} == {(100, 50, 3)}
    assert (
        np.abs(shown[0].astype(int) - cv2.resize(large, (50, 100), interpolation=cv2.INTER_AREA)).max() <= 1
    )


def test_what_changes_no_pixel_has_no_pictures() -> None:
    nothing = Perturbation("nothing", 1, (1, 2, 3, 4, 5), "none", "none", lambda clip, _amount, _stream: clip)
    assert perturb_picture(still(np.zeros((8, 8, 3), np.uint8), "a"), nothing, 0, 100) is None


@pytest.mark.parametrize("seed", range(4))
def test_what_comes_and_goes_is_shown_where_it_is_worst(seed: int) -> None:
    """Swings of up to two stops, of which 16 moments of a period hold all but 2 % (cos(pi / 16))."""
    scene = still(np.full((32, 32, 3), 100, np.uint8), "a")
    shown = perturb_picture(scene, PERTURBATIONS["exposure_ramp"], seed, 32)
    assert shown is not None
    # sRGB 100 is .127 of white; two stops, less 2 %, make it .495, which is 187, and it changes most so.
    assert int(shown[5][0, 0, 0]) >= 187
    black = perturb_picture(scene, PERTURBATIONS["missing_picture"], seed, 32)
    assert black is not None
    assert all((picture == 0).all() for picture in black[1:])


def test_what_stays_is_shown_as_it_is_at_once() -> None:
    scene = still(np.random.default_rng(2).integers(0, 256, (100, 80, 3), np.uint8), "a")
    noise = PERTURBATIONS["sensor_noise"]
    shown = perturb_picture(scene, noise, 3, 100)
    assert shown is not None
    assert np.array_equal(shown[2], noise(scene, 2, 3).frames[0].permute(1, 2, 0).numpy())
