"""The contact sheet of a suite: what its conditions do to one picture, at every severity."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench.errors import UserError, listed

if TYPE_CHECKING:
    from bench.predict.clip import Clip
    from bench.predict.perturb import Perturbation
    from bench.report.contact import Strip
    from bench.spec import Condition, Suite

__all__ = ["draw_pictures"]


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
    from bench.predict.perturb import FILM_PERTURBATIONS, SOUND_PERTURBATIONS

    _check_file(file, medium)
    scene = _scene(medium)
    strips = {}
    films = [c.name for c in suite.conditions if c.perturb in FILM_PERTURBATIONS]
    sounds = [c.name for c in suite.conditions if c.perturb in SOUND_PERTURBATIONS]
    unseen = [*films, *sounds]
    for condition, harm in zip(suite.conditions, harms, strict=True):
        strip = None if condition.name in unseen else _strip(scene, condition, harm, suite.seed)
        if strip is not None:
            strips[condition.name] = strip
    if not strips:
        alone = bool(unseen) and len(unseen) == len(suite.conditions)
        seen = "acts on pictures" if sounds else "acts on less than a whole video"
        raise UserError(
            "--pictures",
            f"no condition of {suite.suite} {seen if alone else 'changes a pixel of the picture'}",
            "A suite with conditions that one picture can show",
            "Name another suite" if alone else "Name another suite or clip",
        )
    from bench.report.contact import draw_sheet

    sheet = draw_sheet(list(strips.values()), [f"severity {severity}" for severity in range(6)])
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(sheet)
    except OSError as error:
        raise UserError(
            "--pictures", f"{file}: {error.strerror}", "A file that can be written", "Name another"
        ) from None
    told = [f"{file}: {len(strips)} conditions at severity 0 to 5, of {medium or 'a drawn face'}"]
    unchanged = [c.name for c in suite.conditions if c.name not in [*strips, *unseen]]
    why = {"no pixel changes": unchanged, "they act on whole videos": films, "they act on the sound": sounds}
    return told + [f"not drawn, as {reason}: {listed(names)}" for reason, names in why.items() if names]


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


def _strip(scene: Clip, condition: Condition, harm: Perturbation[Any], seed: int) -> Strip | None:
    """One row of the sheet; None where no severity changes a pixel."""
    from bench.predict.pictures import perturb_picture
    from bench.report.contact import SIDE, Strip

    pictures = perturb_picture(scene, harm, seed, SIDE)
    if pictures is None:
        return None
    labels = ["as it is"]
    for severity, level in enumerate(harm.levels, 1):
        marks = [] if severity in condition.severities else ["not in the suite"]
        if harm.destroys_label_from is not None and severity >= harm.destroys_label_from:
            marks.append("label may be lost")
        labels.append(f"{level:g}" + "".join(f"\n{mark}" for mark in marks))
    place = condition.name.removeprefix(f"{harm.name} ")
    place += "; here on the whole picture" * (condition.where == "crop")
    return Strip(harm.name, (place, harm.unit), pictures, labels)
