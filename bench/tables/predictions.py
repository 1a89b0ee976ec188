"""Predictions: exactly one row per target, whatever happened to it.

Columns: ``target``, ``status``, ``predicted`` (hard label or null), ``p_<label>`` (probabilities that sum to
one), ``valence``, ``arousal``, ``dominance``, ``au_NN``, ``fault`` (why a row has no output). A model never
improves by failing: how each status counts is in STATUSES. ``stage``, where faces were sought, says which
stage lost the target, also of rows that have an output (``bench.tables.stages``); null where none did. A
stated label that is not the one of the largest probability is refused, and so is affect on another scale than
[-1, 1].

Frames have the same outputs per ``target``, ``timestamp`` (seconds) and ``track``; a frame in which no face
was found is a row with status no_face and null track. Still images have no frame rows.
"""

from __future__ import annotations

from itertools import chain
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from bench.errors import UserError, counted, listed, nearest
from bench.labels import EKMAN_8, LabelSpace, canonical, near_label
from bench.spec import AuScale
from bench.tables.action_units import refuse_unit_names, require_unit_scale
from bench.tables.files import as_numbers, as_text, read_table, require_columns, row_of
from bench.tables.plain import plain
from bench.tables.scale import require_scale
from bench.tables.stages import require_stages
from bench.tables.targets import AFFECT, Targets, require_unique

__all__ = [
    "STATUSES", "decide", "frames_schema", "output_columns", "predictions_schema",
    "read_predictions", "require_probabilities", "require_range", "require_statuses", "typed",
    "validate_predictions",
]  # fmt: skip

STATUSES = {
    "ok": "an output",
    "no_face": "no face was found: counts as wrong",
    "abstained": "the model declined: counts as wrong",
    "decode_error": "the data's fault: leaves all denominators, is counted",
    "model_error": "the model failed on this input: counts as wrong",
}
_SUM_TOLERANCE = 1e-3
_REMAP = "Correct the mapping; --column NAME:OURS=YOURS maps a column of the one predictions table NAME"
_NAMED = ("target", "status", "predicted", "fault", "stage", *AFFECT)
_PREFIXES = ("p_", "au_")


def output_columns(labels: tuple[str, ...], outputs: tuple[str, ...]) -> tuple[str, ...]:
    """The columns a model fills, in the order of its outputs: ``p_<label>`` where it declares "labels".

    >>> output_columns(("fear", "joy"), ("valence", "labels"))
    ('valence', 'p_fear', 'p_joy')
    """
    probabilities = tuple(f"p_{label}" for label in labels)
    columns = (probabilities if name == "labels" else (name,) for name in outputs)
    return tuple(chain.from_iterable(columns))


def predictions_schema(labels: tuple[str, ...], outputs: tuple[str, ...]) -> pa.Schema:
    """The schema of a model's predictions: text columns, then float64 outputs."""
    text = [("target", pa.string()), ("status", pa.string()), ("predicted", pa.string())]
    numbers = [(name, pa.float64()) for name in output_columns(labels, outputs)]
    return pa.schema([*text, *numbers, ("fault", pa.string())])


def frames_schema(labels: tuple[str, ...], outputs: tuple[str, ...]) -> pa.Schema:
    """The schema of a model's outputs per frame and track."""
    numbers = [(name, pa.float64()) for name in output_columns(labels, outputs)]
    head = [("target", pa.string()), ("timestamp", pa.float64()), ("track", pa.int64())]
    return pa.schema([*head, ("status", pa.string()), *numbers])


def decide(probabilities: np.ndarray) -> np.ndarray:
    """The column of the largest probability per row, -1 where the maximum is tied or a value is NaN.

    >>> decide(np.array([[0.2, 0.8], [0.5, 0.5], [np.nan, 1.0]]))
    array([ 1, -1, -1])
    """
    if probabilities.shape[1] == 0:
        return np.full(len(probabilities), -1)
    top = probabilities.max(axis=1, keepdims=True)
    tied = (probabilities == top).sum(axis=1) != 1
    return np.where(tied, -1, probabilities.argmax(axis=1))


def read_predictions(path: Path, targets: Targets, columns: dict[str, str] | None = None) -> pa.Table:
    """Read predictions made elsewhere and return them valid, in the order of the targets.

    ``columns`` maps our names to the file's (``{"predicted": "top1", "p_fear": "prob_3"}``); a column of the
    file that already has one of our mapped names is then left aside. Columns of other names are not read.
    """
    table = read_table(path)
    where = str(path)
    columns = columns or {}
    _require_mapping(columns, where)
    require_columns(table, tuple(columns.values()), where, _REMAP)
    renamed = {theirs: ours for ours, theirs in columns.items()}
    clash = [c for c in table.column_names if c in columns and c not in renamed]
    table = table.drop_columns(clash)
    table = table.rename_columns([renamed.get(name, name) for name in table.column_names])
    return validate_predictions(table, targets, where)


def validate_predictions(table: pa.Table, targets: Targets, where: str) -> pa.Table:
    """Type the columns and refuse tables that are not total, not probabilities or not of the space.

    Without a ``status`` column every row is ok. Raises UserError for missing, extra and repeated rows,
    unknown statuses and stages, labels outside the space, NaN probabilities on ok rows, rows that do not sum
    to one within 0.001, stated labels that are not the one largest probability, infinite outputs, affect
    beyond [-2, 2], action units on another scale, and tables without any output. Where the largest
    probability is shared, nothing is predicted.
    """
    require_columns(table, ("target",), where)
    columns = table.column_names
    read = [name for name in columns if name in _NAMED or name.startswith(_PREFIXES)]
    refuse_unit_names(read, where)
    table = typed(plain(table.select(read), where), targets.space, where)
    table = _in_target_order(table, targets, where)
    ok = require_statuses(table, where)
    require_stages(table, where)
    names = [name for name in table.column_names if name.startswith("p_")]
    if names:
        require_probabilities(table, names, ok, where)
    numbers = [name for name in table.column_names if name in AFFECT or name.startswith("au_")]
    for name in numbers:
        require_range(table, name, targets.facts.au_scale, where)
    if not names and not numbers and "predicted" not in table.column_names:
        raise UserError(
            where, f"no output column among {listed(columns)}",
            "Predictions hold 'predicted', 'p_<label>' columns, valence, arousal, dominance, or 'au_NN'",
            "Map your columns with --column predicted=YOURS",
        )  # fmt: skip
    return _with_decision(table, names, ok, where)


def _require_mapping(columns: dict[str, str], where: str) -> None:
    for ours, theirs in columns.items():
        if ours not in _NAMED and not ours.startswith(_PREFIXES):
            raise UserError(
                where, f"column {theirs!r} is mapped to {ours!r}, which predictions do not have."
                f"{nearest(ours, _NAMED)}", f"They have: {', '.join(_NAMED)}, p_<label>, au_NN",
                "Correct the mapping",
            )  # fmt: skip
        if list(columns.values()).count(theirs) > 1:
            raise UserError(
                where, f"column {theirs!r} is mapped twice", "A column fills one of ours",
                "Map it once",
            )  # fmt: skip


def typed(table: pa.Table, space: LabelSpace, where: str) -> pa.Table:
    """The columns of outputs as text and numbers; UserError for labels that are not of the space."""
    has_status = "status" in table.column_names
    ok = pa.chunked_array([pa.array(["ok"] * table.num_rows, pa.string())])
    columns = {
        "target": as_text(table["target"]),
        "status": as_text(table["status"]) if has_status else ok,
    }
    if "predicted" in table.column_names:
        columns["predicted"] = _labels_of(as_text(table["predicted"]), space, where)
    for name in table.column_names:
        if name.startswith("p_"):
            ours = f"p_{_label_of_column(name, space, where)}"
            if ours in columns:
                raise UserError(
                    where, f"column {name!r} is the label {ours[2:]!r} a second time",
                    "One column per label", "Remove one of them",
                )  # fmt: skip
            columns[ours] = as_numbers(table, name, where, pa.float64())
        elif name in AFFECT or name.startswith("au_"):
            columns[name] = as_numbers(table, name, where, pa.float64())
    for name in ("fault", "stage"):
        if name in table.column_names:
            columns[name] = as_text(table[name])
    return pa.table(columns)


def _known(space: LabelSpace) -> tuple[str, ...]:
    """Labels a model may name: those of the space, and any emotion; with no space, every label."""
    return (*space.labels, *EKMAN_8.labels) if space.labels else ()


def _label_of_column(column: str, space: LabelSpace, where: str) -> str:
    label = canonical(column[2:])
    if _known(space) and label not in _known(space):
        raise UserError(
            where,
            f"column {column!r} names no label of the space {space.name}.{near_label(label, space.labels)}",
            f"Allowed: p_<label> for {listed(space.labels)}, or another emotion (counts as wrong)",
            "Correct its name, or name it without 'p_' where it is no probability",
        )
    return label


def _labels_of(column: pa.ChunkedArray, space: LabelSpace, where: str) -> pa.ChunkedArray:
    names = {word: canonical(word) for word in pc.unique(column).drop_null().to_pylist()}
    strange = [word for word, name in names.items() if _known(space) and name not in _known(space)]
    for row in np.flatnonzero(pc.is_in(column, pa.array(strange, pa.string())).to_numpy())[:1]:
        word = column[int(row)].as_py()
        raise UserError(
            row_of(where, int(row)),
            f"predicted label {word!r} is not in the label space {space.name}."
            f"{near_label(word, space.labels)}",
            f"Allowed: {listed(space.labels)}, or another emotion (counts as wrong)",
            "Correct the label, or leave it empty (counts as wrong)",
        )
    return pa.chunked_array([pa.array([names.get(word) for word in column.to_pylist()], pa.string())])


def _in_target_order(table: pa.Table, targets: Targets, where: str) -> pa.Table:
    found, wanted = table["target"], targets.table["target"]
    require_unique(found, where)
    order = pc.index_in(wanted, found.combine_chunks())
    if order.null_count:
        missing = wanted.filter(pc.is_null(order)).to_pylist()
        raise UserError(
            where, f"no row for {len(missing)} of {counted(len(wanted), 'target')}: {listed(missing, 3)}",
            "Exactly one row per target, with a status where there is no output",
            f"Add them with a status ({listed(set(STATUSES) - {'ok'})})",
        )  # fmt: skip
    if len(found) > len(wanted):
        extra = found.filter(pc.invert(pc.is_in(found, wanted.combine_chunks()))).to_pylist()
        name = "names" if len(extra) == 1 else "name"
        raise UserError(
            where, f"{len(extra)} of {counted(len(found), 'row')} {name} no target: {listed(extra, 3)}",
            "Exactly one row per target", "Remove them, or add them to the targets",
        )  # fmt: skip
    return table.take(order)


def require_statuses(table: pa.Table, where: str) -> np.ndarray:
    """Which rows have status ok, bool [N], after refusing every unknown status."""
    known = pc.is_in(table["status"], pa.array(list(STATUSES)))
    for row in np.flatnonzero(~known.to_numpy())[:1]:
        status = table["status"][int(row)].as_py()
        found = "the status is empty" if status is None else f"status {status!r} is not known"
        raise UserError(
            _target_of(table, int(row), where), f"{found}.{nearest(status or '', STATUSES)}",
            f"Allowed: {', '.join(STATUSES)}", "Correct the status",
        )  # fmt: skip
    return np.asarray(pc.equal(table["status"], "ok").to_numpy(), bool)


def require_range(table: pa.Table, name: str, scale: AuScale | None, where: str) -> None:
    """Raise UserError for the first number that is infinite or of another scale."""
    values = table[name].to_numpy()
    for row in np.flatnonzero(np.isinf(values))[:1]:
        raise UserError(
            _target_of(table, int(row), where), f"{name} is infinite", f"{name} is a finite number or empty",
            "Correct it or leave it empty",
        )  # fmt: skip
    require_scale(name, values, lambda row: _target_of(table, row, where))
    if name.startswith("au_"):
        require_unit_scale(name, values, scale, lambda row: _target_of(table, row, where))


def _target_of(table: pa.Table, row: int, where: str) -> str:
    return f"{where} target {table['target'][row].as_py()!r}"


def require_probabilities(table: pa.Table, names: list[str], ok: np.ndarray, where: str) -> None:
    """Raise UserError for the first ok row whose columns ``names`` are no probabilities."""
    values = np.stack([table[name].to_numpy() for name in names], axis=1)
    for row in np.flatnonzero(ok & ~np.isfinite(values).all(axis=1))[:1]:
        raise UserError(
            _target_of(table, int(row), where), "a probability is empty, NaN or infinite",
            "A row with status ok has every probability",
            "Fill it, or give the row a status (abstained, no_face, model_error)",
        )  # fmt: skip
    with np.errstate(invalid="ignore"):
        sums = values.sum(axis=1)
        bad = ok & ((values < -_SUM_TOLERANCE).any(axis=1) | (abs(sums - 1) > _SUM_TOLERANCE))
    for row in np.flatnonzero(bad)[:1]:
        raise UserError(
            _target_of(table, int(row), where),
            f"the least probability is {values[row].min():.6g} and they sum to {sums[row]:.6g}",
            "Probabilities are at least 0 and sum to 1 within 0.001",
            "Apply a softmax, or give hard labels in 'predicted'",
        )  # fmt: skip


def _with_decision(table: pa.Table, names: list[str], ok: np.ndarray, where: str) -> pa.Table:
    """Fill ``predicted`` from the probabilities, if there are any; only ok rows decide."""
    position = table.column_names.index("predicted") if "predicted" in table.column_names else None
    column = pa.nulls(len(ok), pa.string()) if position is None else table["predicted"]
    if names:
        values = np.stack([table[name].to_numpy() for name in names], axis=1)
        codes = decide(values)
        decided = pa.array([name[2:] for name in names]).take(pa.array(codes, mask=codes < 0))
        differs = pc.fill_null(pc.not_equal(column, decided), pc.is_valid(column))
        for row in np.flatnonzero(ok & differs.to_numpy(zero_copy_only=False))[:1]:
            top = [name for name, p in zip(names, values[row], strict=True) if p == values[row].max()]
            raise _other_label(_target_of(table, int(row), where), column[int(row)].as_py(), top)
        column = decided
    column = pc.if_else(pa.array(ok), column, pa.scalar(None, pa.string()))
    if position is None:
        return table.add_column(2, "predicted", column)
    return table.set_column(position, "predicted", column)


def _other_label(where: str, label: str, top: list[str]) -> UserError:
    return UserError(
        where,
        f"predicted is {label!r}, the largest probability is {'shared by ' * (len(top) > 1)}{listed(top, 3)}",
        "A stated label has the largest probability, and none is stated where that is shared",
        "Correct the label or leave it empty, or leave 'predicted' or the p_ columns out",
    )
