"""``affectbench suite show NAME --pictures``: what the conditions of a suite look like."""

from __future__ import annotations

from pathlib import Path

import av
import cv2
import numpy as np
import pytest
from typer.testing import CliRunner

from bench.cli.app import app
from bench.errors import UserError
from bench.report.contact import COLUMN, HEAD, LABEL, MARGIN, SIDE
from tests.e2e.conftest import Affectbench

SUITE = """\
suite: seen
data: [{adapter: manifest, targets: T.csv}]
conditions: [{perturb: roll}, {perturb: sensor_noise, severities: [1, 3], where: crop}]
"""


@pytest.fixture
def suite(tmp_path: Path) -> Path:
    path = tmp_path / "S.yaml"
    path.write_text(SUITE)
    return path


def cells(file: Path, rows: int, height: int) -> list[list[np.ndarray]]:
    """The pictures of a sheet, cut out by its stated grid."""
    sheet = cv2.imread(str(file))
    assert sheet.shape == (HEAD + rows * (height + LABEL), MARGIN + 6 * COLUMN, 3)
    tops = [HEAD + row * (height + LABEL) for row in range(rows)]
    lefts = [MARGIN + number * COLUMN for number in range(6)]
    return [[sheet[top : top + height, left : left + SIDE] for left in lefts] for top in tops]


def test_a_drawn_face_at_every_severity(suite: Path, tmp_path: Path) -> None:
    file = tmp_path / "made" / "sheet.png"
    plain = CliRunner().invoke(app, ["suite", "show", str(suite)])
    done = CliRunner().invoke(app, ["suite", "show", str(suite), "--pictures", str(file)])
    assert done.exit_code == 0, done.output
    told = f"pictures   {file}: 2 conditions at severity 0 to 5, of a drawn face\n"
    assert done.output == plain.output + told
    roll, noise = cells(file, 2, SIDE)
    assert np.array_equal(roll[0], noise[0])
    shown = [cell.tobytes() for cell in (*roll, *noise[1:])]
    assert len(set(shown)) == 11


def test_the_middle_frame_of_a_clip(suite: Path, tmp_path: Path) -> None:
    picture = np.zeros((90, 160, 3), np.uint8)
    picture[:, :80] = (0, 0, 255)  # OpenCV's red
    cv2.imwrite(str(tmp_path / "clip.png"), picture)
    file = tmp_path / "sheet.png"
    words = ["suite", "show", str(suite), "--pictures", str(file), "--clip", str(tmp_path / "clip.png")]
    done = CliRunner().invoke(app, words)
    assert done.exit_code == 0, done.output
    assert done.output.endswith(f"of {tmp_path / 'clip.png'}\n")
    assert np.array_equal(cells(file, 2, 90)[0][0][:, :160], picture)


def test_a_clip_that_is_not_there(suite: Path, tmp_path: Path, affectbench: Affectbench) -> None:
    words = ["suite", "show", suite, "--pictures", "sheet.png", "--clip", "none.mp4"]
    done = affectbench(*words, cwd=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    told = "--clip: none.mp4: No such file or directory. An image or a video that decodes. Correct the path."
    assert done.stderr == f"error: {told}\n"
    assert not (tmp_path / "sheet.png").exists()


def test_what_cannot_be_drawn_is_refused(
    suite: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("clip.png").write_bytes(b"a picture of mine")
    Path("bare.yaml").write_text("suite: bare\ndata: [{adapter: manifest, targets: T.csv}]\n")
    refusals = {
        ("S.yaml", "--clip", "clip.png"): "--clip: nothing is drawn.",
        ("S.yaml", "--pictures", "sheet.jpg"): "--pictures: sheet.jpg is no PNG file.",
        (
            "S.yaml",
            "--pictures",
            "clip.png",
            "--clip",
            "clip.png",
        ): "--pictures: clip.png is the clip itself.",
        ("S.yaml", "--pictures", "sheet.png", "--clip", "clip.png"): "--clip: clip.png: ",
        ("S.yaml", "--pictures", "clip.png/sheet.png"): "--pictures: clip.png/sheet.png: ",
        ("bare.yaml", "--pictures", "sheet.png"): "--pictures: no condition of bare changes a pixel",
    }
    for words, told in refusals.items():
        done = CliRunner().invoke(app, ["suite", "show", *words])
        assert isinstance(done.exception, UserError), done.output
        assert str(done.exception).startswith(told)
        assert done.output == ""
    assert Path("clip.png").read_bytes() == b"a picture of mine"
    assert not Path("sheet.png").exists()


FACES = """\
suite: faces
data: [{adapter: manifest, targets: T.csv}]
conditions: [{perturb: roll}, {perturb: side_light}]
"""


def test_what_acts_on_faces_is_drawn_on_the_faces_found(
    tmp_path: Path, weights: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AFFECTBENCH_WEIGHTS", str(weights))
    (tmp_path / "F.yaml").write_text(FACES)
    file = tmp_path / "sheet.png"
    words = ["suite", "show", str(tmp_path / "F.yaml"), "--pictures", str(file)]
    done = CliRunner().invoke(app, words)
    assert done.exit_code == 0, done.output
    assert f"{file}: 2 conditions" in done.output
    _, lit = cells(file, 2, SIDE)
    assert len({cell.tobytes() for cell in lit}) == 6
    # The left half, or the right, gets darker from one severity to the next.
    halves = np.array([[half.mean() for half in np.array_split(cell, 2, axis=1)] for cell in lit])
    assert (np.diff(halves.min(1)) < -2).all()
    cv2.imwrite(str(tmp_path / "none.png"), np.full((90, 160, 3), 99, np.uint8))
    done = CliRunner().invoke(app, [*words, "--clip", str(tmp_path / "none.png")])
    assert "no condition of faces changes a pixel" in str(done.exception)


def test_what_acts_on_faces_is_left_out_where_they_cannot_be_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def lacking(*_: object) -> None:
        raise UserError("facemesh", "its weights are nowhere", "a file", "Get it")

    monkeypatch.setattr("bench.predict.meshes.load_mesh_finder", lacking)
    (tmp_path / "F.yaml").write_text(FACES)
    words = ["suite", "show", str(tmp_path / "F.yaml"), "--pictures", str(tmp_path / "sheet.png")]
    done = CliRunner().invoke(app, words)
    assert "1 condition at severity 0 to 5" in done.output
    why = "what fits faces cannot be loaded (its weights are nowhere)"
    assert f"not drawn, as {why}: side_light on the media as given\n" in done.output
    (tmp_path / "F.yaml").write_text(FACES.replace("{perturb: roll}, ", ""))
    done = CliRunner().invoke(app, words)
    assert f"no condition of faces can be drawn, as {why}." in str(done.exception)


FILM = """\
suite: film
data: [{adapter: manifest, targets: T.csv}]
conditions: [{perturb: h264}, {perturb: packet_loss}, {perturb: low_light_h264}, {perturb: reversed}]
"""


def textured_video(path: Path) -> Path:
    """A second and more of a moving texture of 160 x 96 pixels, as H.264 of a high quality."""
    texture = np.random.default_rng(1).integers(0, 256, (10, 20, 3), np.uint8)
    texture = cv2.resize(texture, (320, 160), interpolation=cv2.INTER_CUBIC)
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=25, options={"crf": "10"})
        stream.width, stream.height, stream.pix_fmt = 160, 96, "yuv420p"
        for number in range(40):
            picture = np.ascontiguousarray(texture[number : number + 96, 3 * number : 3 * number + 160])
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(stream.encode(None))
    return path


def test_what_a_codec_makes_of_a_video_is_drawn(tmp_path: Path) -> None:
    (tmp_path / "F.yaml").write_text(FILM)
    file, clip = tmp_path / "sheet.png", textured_video(tmp_path / "clip.mp4")
    words = ["suite", "show", str(tmp_path / "F.yaml"), "--pictures", str(file), "--clip", str(clip)]
    done = CliRunner().invoke(app, words)
    assert done.exit_code == 0, done.output
    assert f"{file}: 3 conditions at severity 0 to 5, of {clip}\n" in done.output
    why = "they change when a picture is shown, and not the picture"
    assert f"not drawn, as {why}: reversed on the media as given\n" in done.output
    coded, lossy, dark = ([cell[:, :160] for cell in row] for row in cells(file, 3, 96))
    apart = [float(np.abs(cell.astype(int) - coded[0]).mean()) for cell in coded]
    assert apart[0] == 0 < apart[1] < apart[5]
    assert not np.array_equal(lossy[0], lossy[5])
    means = [float(cell.mean()) for cell in dark]
    assert means == sorted(means, reverse=True)
    # Five stops are 1/32 of the light, about a sixth of encoded values.
    assert means[5] < means[0] / 3


def test_a_still_has_nothing_that_acts_on_whole_videos(tmp_path: Path) -> None:
    cv2.imwrite(str(tmp_path / "still.png"), np.full((32, 32, 3), 99, np.uint8))
    (tmp_path / "F.yaml").write_text(FILM)
    words = ["suite", "show", str(tmp_path / "F.yaml"), "--pictures", str(tmp_path / "sheet.png")]
    for more in ([], ["--clip", str(tmp_path / "still.png")]):
        told = str(CliRunner().invoke(app, [*words, *more]).exception)
        assert "no condition of film acts on less than a whole video." in told
        assert told.endswith("Name another suite, or a video by --clip.")
