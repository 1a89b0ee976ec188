"""The contact sheet of a suite: what its conditions do to one picture, at every severity."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench.errors import UserError, listed
from bench.report import format as fmt

if TYPE_CHECKING:
    from bench.predict.clip import Clip
    from bench.predict.perturb import Perturbation
    from bench.predict.perturb.face import FaceClip
    from bench.report.contact import Strip
    from bench.spec import Condition, Suite

__all__ = ["draw_pictures"]

_UNCHANGED = "no pixel changes"
_FILM, _SOUND = "they act on whole videos", "they act on the sound"
_TIME = "they change when a picture is shown, and not the picture"


def draw_pictures(
    suite: Suite, harms: Sequence[Perturbation[Any]], file: Path | None, medium: Path | None
) -> list[str]:
    """Write the contact sheet to ``file``, where one is asked for, and return what is to be said of it.

    A row for each condition that changes a pixel, a column for each severity from 0. UserError for a medium
    or a file that will not do.
    """
    if file is None:
        if medium is not None:
            raise UserError("--clip", "nothing is drawn", "--clip with --pictures", "Add --pictures FILE.png")
        return []
    _check_file(file, medium)
    stills, strips, left = _stills(suite, medium) | _films(suite, harms, medium), {}, {}
    for condition, harm in zip(suite.conditions, harms, strict=True):
        still = stills[condition.name]
        strip = still if isinstance(still, str) else _strip(still, condition, harm, suite.seed)
        if isinstance(strip, str):
            left[condition.name] = strip
        else:
            strips[condition.name] = strip
    if not strips:
        raise _nothing_drawn(suite, set(left.values()))
    _write_sheet(file, list(strips.values()))
    drawn = fmt.counted(len(strips), "condition")
    told = [f"{file}: {drawn} at severity 0 to 5, of {medium or 'a drawn face'}"]
    for why in (_UNCHANGED, *sorted({*left.values()} - {_UNCHANGED})):
        names = [name for name, reason in left.items() if reason == why]
        told += [f"not drawn, as {why}: {listed(names)}"] if names else []
    return told


def _films(suite: Suite, harms: Sequence[Perturbation[Any]], medium: Path | None) -> dict[str, Path | str]:
    """The video that each condition of whole videos is drawn of, or why it is not drawn."""
    from bench.predict.media import is_still
    from bench.predict.perturb import FILM_PERTURBATIONS
    from bench.predict.pictures import changes_pictures

    of_film = {
        condition.name: harm
        for condition, harm in zip(suite.conditions, harms, strict=True)
        if condition.perturb in FILM_PERTURBATIONS
    }
    if medium is None or not of_film or is_still(medium):
        return dict.fromkeys(of_film, _FILM)
    return {name: medium if changes_pictures(harm) else _TIME for name, harm in of_film.items()}


def _stills(suite: Suite, medium: Path | None) -> dict[str, Clip | FaceClip | Path | str]:
    """What each condition acts on here but those of whole videos, or why it is not drawn."""
    from bench.predict.perturb import FACE_PERTURBATIONS, SOUND_PERTURBATIONS

    scene = _scene(medium)
    found: dict[str, Clip | FaceClip | Path | str] = dict.fromkeys([c.name for c in suite.conditions], scene)
    found |= {c.name: _SOUND for c in suite.conditions if c.perturb in SOUND_PERTURBATIONS}
    if of_face := [c.name for c in suite.conditions if c.perturb in FACE_PERTURBATIONS]:
        found |= dict.fromkeys(of_face, _fitted(scene, drawn=medium is None))
    return found


def _fitted(scene: Clip, *, drawn: bool) -> FaceClip | str:
    """The faces of the scene, of which a drawn one fills it; or what is lacking to find them."""
    from bench.predict.device import choose_device
    from bench.predict.meshes import load_mesh_finder
    from bench.predict.zoo import Zoo

    try:
        finder = load_mesh_finder(Zoo(), choose_device("cpu"), "--pictures")
    except UserError as error:
        return f"what fits faces cannot be loaded ({error.found})"
    return finder.find([scene], aligned=drawn)[0]


def _nothing_drawn(suite: Suite, reasons: set[str]) -> UserError:
    what, remedy = "changes a pixel of the picture", "Name another suite or clip"
    if reasons and reasons <= {_FILM, _SOUND, _TIME}:
        seen = "acts on less than a whole video" if reasons == {_FILM} else "acts on pictures"
        what, remedy = seen, "Name another suite" + ", or a video by --clip" * (_FILM in reasons)
    elif len(reasons) == 1 and reasons != {_UNCHANGED}:
        what, remedy = f"can be drawn, as {next(iter(reasons))}", "Get it, or name another suite"
    return UserError(
        "--pictures", f"no condition of {suite.suite} {what}",
        "A suite with conditions that one picture can show", remedy,
    )  # fmt: skip


def _write_sheet(file: Path, strips: Sequence[Strip]) -> None:
    from bench.report.contact import draw_sheet

    sheet = draw_sheet(strips, [f"severity {severity}" for severity in range(6)])
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(sheet)
    except OSError as error:
        raise UserError(
            "--pictures", f"{file}: {error.strerror}", "A file that can be written", "Name another"
        ) from None


def _check_file(file: Path, medium: Path | None) -> None:
    if file.suffix.lower() != ".png" or file.is_dir():
        raise UserError("--pictures", f"{file} is no PNG file", "A file that ends in .png", "Name one")
    if medium is not None and file.exists() and medium.exists() and file.samefile(medium):
        raise UserError("--pictures", f"{file} is the clip itself", "Another file", "Name another file")


def _scene(medium: Path | None) -> Clip:
    """The picture that is perturbed: a medium's middle frame, or a face as ``affectbench demo`` draws it."""
    from bench.predict.pictures import middle_frame, still
    from bench.report.contact import SIDE
    from bench.synth.drawn import draw_face

    if medium is not None:
        return middle_frame(medium, "--clip")
    return still(draw_face("happiness", "warm", "round", SIDE), "drawn")


def _strip(
    still: Clip | FaceClip | Path, condition: Condition, harm: Perturbation[Any], seed: int
) -> Strip | str:
    """One row of the sheet, or why there is none."""
    from bench.predict.pictures import perturb_film, perturb_picture
    from bench.report.contact import SIDE, Strip

    if isinstance(still, Path):
        pictures = perturb_film(still, harm, seed, SIDE)
    else:
        pictures = perturb_picture(still, harm, seed, SIDE)
    if pictures is None:
        return _UNCHANGED
    labels = ["as it is"]
    for severity, amount in enumerate(harm.amounts, 1):
        marks = [] if severity in condition.severities else ["not in the suite"]
        if harm.destroys_label_from is not None and severity >= harm.destroys_label_from:
            marks.append("label may be lost")
        labels.append(amount + "".join(f"\n{mark}" for mark in marks))
    place = condition.name.removeprefix(f"{harm.name} ")
    place += "; here on the whole picture" * (condition.where == "crop")
    return Strip(harm.name, (place, harm.unit), pictures, labels)
