"""The plan of a run: which model meets which data set under which condition."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import torch

from bench.errors import UserError, listed, nearest
from bench.predict.cell import CLEAN, Cell, Harm
from bench.predict.datasets.media import media_path
from bench.predict.device import choose_precision
from bench.predict.given import NEEDED, Oracle
from bench.predict.media import is_still
from bench.predict.meshes import MeshFinder, load_mesh_finder
from bench.predict.perturb import (
    FACE_PERTURBATIONS,
    FILM_PERTURBATIONS,
    SOUND_PERTURBATIONS,
    find_perturbation,
)
from bench.predict.perturb.modality import MISMATCHED_VOICE
from bench.predict.pipeline import Build
from bench.predict.sound import has_sound
from bench.predict.voices import Voices
from bench.predict.zoo import Choice, Model, Zoo
from bench.question import Question
from bench.spec import Condition
from bench.tables import Targets
from bench.tables.targets import require_places

__all__ = ["Seeking", "plan_cells", "read_oracle", "refuse_frame_targets"]


@dataclass(frozen=True)
class Seeking:
    """How a run seeks faces other than each model does: a stage that is given, frames passed over."""

    oracle: Oracle | None = None
    every: int | None = None

    @property
    def asked(self) -> dict[str, str]:
        """The options of the command line that are given, and what each has to do with faces."""
        asked = {"--oracle": self.oracle, "--detect-every": None if self.every is None else "detect"}
        return {option: verb for option, verb in asked.items() if verb is not None}

    def of(self, model: Model) -> Model:
        """The model, its detector looking at every so many frames where that is asked for."""
        if self.every is None or model.finder is None:
            return model
        front = replace(model.finder.front, every=self.every)
        pipeline, finder = replace(model.pipeline, front=front), replace(model.finder, front=front)
        return replace(model, pipeline=pipeline, finder=finder)


def plan_cells(
    question: Question, choices: Sequence[Choice], zoo: Zoo, device: torch.device, precision: str,
    seeking: Seeking | None = None,
) -> list[Cell]:  # fmt: skip
    """Suite x models -> cells; every model is loaded, doubles once a data set.

    Raises UserError for an unknown perturbation, one that means nothing for the media, a model that shares no
    label with the targets, cuts no crop or hears no sound that is to be perturbed or is asked for twice, an
    oracle of a stage that a model does not have or targets do not give, another seeking of faces where a
    model, or all, seek none, and whatever loading refuses.
    """
    dtype, seeking = choose_precision(precision), seeking or Seeking()
    loaded: dict[Choice, Model] = {}
    cells: list[Cell] = []
    meshes = _meshes(question, zoo, device)
    for name, targets in question.targets.items():
        request = Build(device, dtype, targets=targets, seed=question.suite.seed)
        harms = _harms(question, name, targets)
        _require_sought(seeking, name, targets)
        _require_still_there(seeking.oracle, harms, question)
        for choice in choices:
            model = loaded.get(choice)
            if model is None or model.double:
                model = loaded[choice] = seeking.of(zoo.load(choice, request))
            if (name, model.name) in {(cell.dataset, cell.model.name) for cell in cells}:
                raise UserError(
                    "--model", f"{model.name!r} is asked for twice", "Each model once", "Remove one of them"
                )
            _require_common_label(model, targets)
            _require_crops(model, harms, question, targets)
            _require_ears(model, harms, question)
            _require_front(seeking, model)
            asked = (question.suite.seed, precision, seeking.oracle)
            cells += [Cell(model, name, targets, h, *asked, meshes if h.of_face else None) for h in harms]
    _require_seekers(seeking, cells)
    return cells


def _meshes(question: Question, zoo: Zoo, device: torch.device) -> MeshFinder | None:
    """What finds the surface of faces, the same for all models, where a condition needs it."""
    needing = [one.perturb for one in question.suite.conditions if one.perturb in FACE_PERTURBATIONS]
    return load_mesh_finder(zoo, device, question.place("perturbation", needing[0])) if needing else None


def _harms(question: Question, dataset: str, targets: Targets) -> list[Harm]:
    harms = [CLEAN] if question.suite.clean else []
    for condition in question.suite.conditions:
        name, where = condition.perturb, question.place("perturbation", condition.perturb)
        find_perturbation(name, where)
        if name in SOUND_PERTURBATIONS:
            _require_sound(condition, where, targets)
        elif condition.where == "sound":
            raise UserError(
                where, f"{name} acts on pictures, and the condition says 'where: sound'",
                "Only what acts on the sound says so", "Leave 'where: sound' out",
            )  # fmt: skip
        if name in FILM_PERTURBATIONS:
            _require_films(condition, where, targets)
        if condition.where == "frame" and targets.facts.media_kind == "aligned":
            raise UserError(
                where, f"{name} acts on the frame, and the media of {dataset} are aligned faces",
                "Aligned media skip the front-end, so only 'where: crop' means something there",
                "Write 'where: crop', or leave it out",
            )  # fmt: skip
        place = condition.acts_on(targets.facts.media_kind)
        harms += [Harm(name, severity, place) for severity in condition.severities]
    return harms


def _require_sound(condition: Condition, where: str, targets: Targets) -> None:
    """UserError unless there is a sound to be perturbed; of the media, the first is looked at."""
    name = condition.perturb
    if condition.where != "sound":
        raise UserError(
            where, f"{name} acts on the sound, and the condition does not say so", "Allowed: 'where: sound'",
            "Write 'where: sound'",
        )  # fmt: skip
    first = _first_medium(targets, "audio", "media")
    if first is not None and not has_sound(first):
        raise UserError(
            where, f"{name} acts on the sound, and the media of {targets.facts.name} have none",
            "Media with a sound track, or a column 'audio' that names their sound files",
            "Leave the condition out",
        )  # fmt: skip
    alone = Voices(targets).alone() if name == MISMATCHED_VOICE.name else None
    if alone is not None:
        raise UserError(
            where,
            f"{name} takes the voice of another, and there is none for {targets.table['target'][alone]}",
            "For each target another of another subject, clip and medium", "Leave the condition out",
        )  # fmt: skip


def _require_films(condition: Condition, where: str, targets: Targets) -> None:
    """UserError unless whole videos are there to be perturbed; of the media, the first is looked at."""
    name = condition.perturb
    if condition.where == "crop":
        raise UserError(
            where, f"{name} acts on whole videos, before a crop is cut from them", "Allowed: 'where: frame'",
            "Write 'where: frame'",
        )  # fmt: skip
    aligned = targets.facts.media_kind == "aligned"
    if aligned or _begins_with_a_still(targets):
        found = "aligned faces" if aligned else "still images"
        raise UserError(
            where, f"{name} acts on whole videos, and the media of {targets.facts.name} are {found}",
            "Videos, before faces are cut from them; a still image has no stream and no time",
            "Leave the condition out",
        )  # fmt: skip


def _begins_with_a_still(targets: Targets) -> bool:
    first = _first_medium(targets, "media")
    return first is not None and is_still(first)


def _first_medium(targets: Targets, *columns: str) -> Path | bytes | None:
    """What the first row has in the first of the columns that name a file, or in bytes; None if nothing."""
    for row in targets.table.slice(0, 1).to_pylist():
        for name in columns:
            if name == "media" and row.get("media_bytes") is not None:
                held: bytes = row["media_bytes"]
                return held
            if targets.root is not None and row.get(name) is not None:
                return media_path(targets.root, row[name], targets.facts.name)
    return None


def _require_common_label(model: Model, targets: Targets) -> None:
    labels = model.pipeline.labels
    if labels and targets.facts.labels and not set(labels) & set(targets.facts.labels):
        raise UserError(
            model.name, f"the model knows {listed(labels)}",
            f"The targets have {listed(targets.facts.labels)}: no label is common",
            "Choose a model of the same label space",
        )  # fmt: skip


def _require_crops(model: Model, harms: Sequence[Harm], question: Question, targets: Targets) -> None:
    """UserError for a crop to perturb where a model sees whole frames; doubles look at nothing."""
    crops = [harm.name for harm in harms if harm.where == "crop"]
    if crops and targets.facts.media_kind != "aligned" and not (model.double or model.pipeline.front):
        raise UserError(
            question.place("perturbation", crops[0]),
            f"{crops[0]} acts on the crop, and {model.name} has no front-end that would cut one",
            "A model without a front-end sees the whole frame",
            "Write 'where: frame', or leave the model out",
        )  # fmt: skip


def read_oracle(word: str | None) -> Oracle | None:
    """The oracle of a word of the command line; UserError for one that is none."""
    found = next((oracle for oracle in NEEDED if oracle == word), None)
    if word is not None and found is None:
        raise UserError(
            "--oracle", f"{word!r} is no stage that can be given.{nearest(word, NEEDED)}",
            "detect (the column 'box' in place of the detector's), track (whoever is found at the 'box'), "
            "align (the column 'points' in place of those found)", "Choose one of these",
        )  # fmt: skip
    return found


def _require_sought(seeking: Seeking, name: str, targets: Targets) -> None:
    """UserError for media in which no face is sought, or where the oracle is not told."""
    for option in seeking.asked if targets.facts.media_kind == "aligned" else ():
        what = "the stages that can be given" if option == "--oracle" else "the detector"
        raise UserError(
            option, f"the media of {name} are aligned faces", f"Aligned media skip {what}",
            f"Leave {option} out",
        )  # fmt: skip
    if seeking.oracle is not None:
        oracle = seeking.oracle
        require_places(targets.table, NEEDED[oracle], f"--oracle {oracle} goes by it", targets.where or name)


def _require_still_there(oracle: Oracle | None, harms: Sequence[Harm], question: Question) -> None:
    """UserError for points that would be given of faces which a condition turns away from them."""
    turned = [
        harm.name for harm in harms
        if harm.where == "frame" and find_perturbation(harm.name, harm.label).turns_face
    ]  # fmt: skip
    if oracle == "align" and turned:
        raise UserError(
            question.place("perturbation", turned[0]),
            f"{turned[0]} turns the face, and --oracle align gives its points as they were",
            "Where the points of a turned face lie is not known",
            "Leave the condition out, or --oracle align",
        )  # fmt: skip


def _require_front(seeking: Seeking, model: Model) -> None:
    """UserError for a model that seeks no faces; doubles look at nothing."""
    for option, verb in seeking.asked.items() if not (model.double or model.pipeline.front) else ():
        raise UserError(
            option, f"{model.name} has no front-end that would {verb} faces",
            "A model without a front-end sees the whole frame", f"Leave the model out, or {option}",
        )  # fmt: skip


def _require_seekers(seeking: Seeking, cells: Sequence[Cell]) -> None:
    """UserError where doubles are all there is, for they would ignore it."""
    for option, verb in seeking.asked.items() if all(cell.model.double for cell in cells) else ():
        raise UserError(
            option, f"no model would {verb} faces", "Doubles look at nothing",
            f"Add a model that seeks faces, or leave {option} out",
        )  # fmt: skip


def _require_ears(model: Model, harms: Sequence[Harm], question: Question) -> None:
    """UserError for a sound to perturb where a model does not listen; doubles look at nothing."""
    sounds = [harm.name for harm in harms if harm.of_sound]
    if sounds and not (model.double or model.pipeline.sound_rate):
        raise UserError(
            question.place("perturbation", sounds[0]),
            f"{sounds[0]} acts on the sound, and {model.name} does not listen",
            "A model that asks for sound at a rate", "Leave the condition out, or the model",
        )  # fmt: skip


def refuse_frame_targets(name: str, targets: Targets) -> None:
    """Raise UserError for targets that are frames inside videos, which a run cannot predict yet."""
    table = targets.table
    if "frame" in table.column_names and table["frame"].null_count < len(table):
        raise UserError(
            name, "column 'frame' names frames inside videos", "Targets are clips or still images",
            "Give each frame as an image of its own, and leave the column 'frame' out",
        )  # fmt: skip
