"""The second opinion on metrics that follow frames: sequences in pandas, one record a step, onset or segment.

Which frames follow one another, whom a target means and what a gap does is written down a second time
(``bench.judge.sequences`` and ``temporal`` say it first). Segments are matched one by one, as in the code of
Lea et al. Refuses nothing: what the tables cannot give has no value.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from functools import cached_property
from itertools import groupby, pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from bench.judge.planned import PlannedCell
from bench.tables.frame import gives_labels

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Followed", "knows", "measure"]

_AFFECT = ("valence", "arousal", "dominance")
_CORRELATIONS = tuple(f"{name}_{part}_" for part in ("within", "between") for name in ("ccc", "pcc"))
_STEPS = ("flip_rate", "jitter", *(f"jitter_{column}" for column in _AFFECT))
_ONSETS = ("onset_lag", "onset_missed")
_RUNS = (*_ONSETS, "segment_agreement")
_CONSTANT = 1e-5  # as for CCC


def knows(metric: str) -> bool:
    """Whether this path can compute the metric."""
    return metric in (*_STEPS, *_RUNS) or metric.startswith(_CORRELATIONS)


class Followed:
    """What follows what in one cell, and the records that metrics are means of, each made once.

    ``frame`` is ``joined`` of targets and predictions.
    """

    def __init__(self, cell: PlannedCell, frame: pd.DataFrame) -> None:
        self.cell, self.frame = cell, frame
        self._records: dict[str, pd.DataFrame] = {}

    @cached_property
    def _by_row(self) -> bool:
        table = self.cell.targets
        return table is not None and all(_holds(table, name) for name in ("clip", "frame"))

    @cached_property
    def _frames(self) -> pa.Table | None:
        return self.cell.frames

    @cached_property
    def _sequences(self) -> pd.DataFrame:
        if self._by_row:
            return _of_rows(self.frame)
        assert self._frames is not None
        return _of_frames(self._frames, self.frame)

    @cached_property
    def _onsets(self) -> list[tuple[Any, float, bool]]:
        return list(_onsets(self._sequences))

    def gives(self, metric: str) -> bool:
        """Whether the tables hold what a metric needs."""
        targets, predictions = self.cell.tables
        if metric in _STEPS:
            said = predictions if self._by_row else self._frames
            if self._by_row and metric == "flip_rate":
                return gives_labels(predictions)
            return said is not None and _says(metric, said.column_names)
        column = metric.rpartition("_")[2] if metric.startswith(_CORRELATIONS) else "label"
        answered = gives_labels(predictions) if column == "label" else column in predictions.column_names
        return self._by_row and answered and _holds(targets, column)

    def records(self, metric: str) -> pd.DataFrame:
        """What the metric is a mean of, each with the row of ``frame`` that it belongs to as its index."""
        if metric not in self._records:
            self._records[metric] = self._made(metric)
        return self._records[metric]

    def _made(self, metric: str) -> pd.DataFrame:
        if metric in _STEPS:
            return _steps(metric, self._sequences)
        if metric in _ONSETS:
            return _table(self._onsets, metric)
        if metric in _RUNS:
            return _table(list(_segments(self._sequences)), metric)
        return _moments(metric, self._sequences)


def measure(metric: str, part: pd.DataFrame) -> float:
    """The metric over some records, of which there is at least one."""
    if not metric.startswith(_CORRELATIONS):
        return float(part["amount"].mean())
    x, y, weight = (part[name].to_numpy(float) for name in ("x", "y", "weight"))
    if "_between_" in metric:
        mean_x, mean_y = (np.average(side, weights=weight) for side in (x, y))
    else:
        mean_x = mean_y = 0.0
    var_x, var_y, covariance = (
        np.average(product, weights=weight)
        for product in ((x - mean_x) ** 2, (y - mean_y) ** 2, (x - mean_x) * (y - mean_y))
    )
    scales = (np.average(part[name] ** 2, weights=weight) for name in ("raw_x", "raw_y"))
    if any(var <= _CONSTANT**2 * scale for var, scale in zip((var_x, var_y), scales, strict=True)):
        return np.nan
    if metric.startswith("pcc"):
        return float(covariance / np.sqrt(var_x * var_y))
    return float(2 * covariance / (var_x + var_y + (mean_x - mean_y) ** 2))


def _holds(table: pa.Table, column: str) -> bool:
    return column in table.column_names and table[column].null_count < len(table)


def _says(metric: str, columns: Sequence[str]) -> bool:
    graded = any(name.startswith("p_") for name in columns)
    if metric in ("jitter", "flip_rate"):
        return graded or (metric == "flip_rate" and "predicted" in columns)
    return metric.removeprefix("jitter_") in columns


def _of_rows(frame: pd.DataFrame) -> pd.DataFrame:
    """The frames of clips in order: ``sequence``, ``at``, ``row``, ``judged``, ``word`` and outputs."""
    kept = frame[frame["clip"].notna() & frame["frame"].notna()]
    names = ["clip", *(["subject"] if "subject" in frame.columns else [])]
    found = kept.assign(sequence=kept.groupby(names, sort=False, dropna=False).ngroup(), at=kept["frame"])
    said = [name for name in frame.columns if name.startswith("said/p_") or name[5:] in _AFFECT]
    ok = found["said/status"] == "ok"
    for name in said:
        found[name[5:]] = found[name].where(ok)
    found["truth"] = frame["said/truth"]
    for column in _AFFECT:
        found[f"true/{column}"] = frame.get(column, np.nan)
        if f"said/{column}" not in frame.columns:
            found[column] = np.nan
    found["word"] = _words(found, found["said/predicted"]).where(ok)
    found["row"], found["judged"] = found.index, found["said/judged"]
    return found.sort_values(["sequence", "at"])


def _of_frames(table: pa.Table, frame: pd.DataFrame) -> pd.DataFrame:
    """The same of a Frames table: at every time of a target, what was said of the person it means."""
    import pandas as pd

    frames = table.to_pandas()
    frames = frames[frames["target"].isin(set(frame["target"]))]
    outputs = [name for name in frames.columns if name in _AFFECT or name.startswith("p_")]
    rows = pd.Series(frame.index, index=frame["target"])
    answered = set(frame.loc[frame["said/status"] == "ok", "target"])
    ok = frames[(frames["status"] == "ok") & frames["target"].isin(answered)]
    ok = ok.assign(track=ok["track"].fillna(0))
    faces = ok.groupby(["target", "track"])
    shared = [name for name in outputs if f"said/{name}" in frame.columns]
    said = frame.set_index("target")[[f"said/{name}" for name in shared]].set_axis(shared, axis="columns")
    means = faces[shared].mean()  # of the numbers that are there
    meant = said.reindex(means.index.get_level_values("target")).set_axis(means.index)
    # A column that only one side has is as far as can be; where no side has any, tracks are alike.
    apart = (means - meant).abs().round(9).where(means.notna() == meant.notna(), np.inf)
    order = pd.DataFrame(
        {"apart": apart.max(axis="columns").fillna(0.0), "fewer": -faces.size()}
    ).reset_index()
    order = order.sort_values(["target", "apart", "fewer", "track"]).drop_duplicates("target")
    mine = ok.merge(order[["target", "track"]], on=["target", "track"])
    times = frames[["target", "timestamp"]].drop_duplicates()
    heard = mine.groupby(["target", "timestamp"])[outputs].mean().reset_index()
    words = mine.drop_duplicates(["target", "timestamp"]).set_index(["target", "timestamp"])
    found = times.merge(heard, on=["target", "timestamp"], how="left")
    place = pd.MultiIndex.from_frame(found[["target", "timestamp"]])
    stated = words["predicted"].reindex(place).to_numpy() if "predicted" in words else None
    found["word"] = _words(found, pd.Series(stated, index=found.index, dtype=object))
    found["row"] = rows.reindex(found["target"]).to_numpy()
    found["sequence"], found["at"] = found["target"], found["timestamp"]
    found["judged"] = frame["said/judged"].reindex(found["row"]).to_numpy()
    return found.sort_values(["sequence", "at"])


def _words(found: pd.DataFrame, stated: pd.Series[Any]) -> pd.Series[Any]:
    """The word of the one largest probability, else the stated one; None where there is none."""
    grades = [name for name in found.columns if str(name).startswith("p_")]
    if not grades:
        return stated.astype(object)
    ranked = found[grades].astype(float)
    alone = ranked.eq(ranked.max(axis="columns"), axis="index").sum(axis="columns").eq(1)
    alone &= ranked.notna().all(axis="columns")
    return ranked[alone].idxmax(axis="columns").reindex(found.index)


def _steps(metric: str, found: pd.DataFrame) -> pd.DataFrame:
    """One record a step from frame to frame that counts, of the row of its second frame."""
    import pandas as pd

    before = found.groupby("sequence", sort=False).shift()
    kept = found["judged"].astype(bool) & before["judged"].eq(True)
    if metric == "flip_rate":
        kept &= found["word"].notna() & before["word"].notna()
        amount = found["word"].ne(before["word"]).astype(float)
    else:
        column = metric.removeprefix("jitter_")
        names = [column] if column in _AFFECT else [n for n in found.columns if str(n).startswith("p_")]
        now, then = (side[names].to_numpy(float) for side in (found, before))
        now, then = (np.clip(side, 0, 1) if column == "jitter" else side for side in (now, then))
        amount = pd.Series(np.abs(now - then).sum(axis=1) / (1 + (column == "jitter")), index=found.index)
        kept &= amount.notna()
    return pd.DataFrame({"amount": amount[kept].to_numpy()}, index=found["row"][kept].to_numpy())


def _clips(found: pd.DataFrame, *columns: str) -> Iterator[list[list[Any]]]:
    """Some columns of the judged frames, sequence by sequence.

    In lists: to take each of very many short sequences out of a frame of pandas takes hours.
    """
    kept = found[found["judged"].astype(bool)]
    frames = zip(*(kept[name].tolist() for name in ("sequence", *columns)), strict=True)
    for _, part in groupby(frames, key=lambda one: one[0]):
        yield [values for _, *values in part]


def _onsets(found: pd.DataFrame) -> Iterator[tuple[Any, float, bool]]:
    """The row, the lag and whether it was missed, of each change of the label."""
    for frames in _clips(found, "row", "at", "truth", "said/decision"):
        runs = [list(run) for _, run in groupby(frames, key=lambda one: one[2])]
        for k, (before, run) in enumerate(pairwise(runs), 1):
            if before[0][2] < 0 or run[0][2] < 0:
                continue
            reached = [at for _, at, truth, said in run if said == truth]
            end = runs[k + 1][0][1] if k + 1 < len(runs) else run[-1][1] + 1
            yield run[0][0], float((reached[0] if reached else end) - run[0][1]), not reached


def _segments(found: pd.DataFrame) -> Iterator[tuple[Any, float, bool]]:
    """The first row and whether it agrees, of each segment of the labels and each predicted."""
    for frames in _clips(found, "row", "truth", "said/decision"):
        for labelled, block in groupby(frames, key=lambda one: one[1] >= 0):
            if not labelled:
                continue
            row, *codes = zip(*block, strict=True)
            true, said = (_runs(each) for each in codes)
            said = [run for run in said if run[0] >= 0]
            starts, ends = [run[1] for run in true], [run[2] for run in true]
            used = [False] * len(true)
            for label, start, end in said:
                # Of the segments of the labels, which fill the block, those that overlap.
                near = range(bisect_right(ends, start), bisect_left(starts, end))
                shares = [_share(true[k], (label, start, end)) for k in near]
                best = near[int(np.argmax(shares))]
                agrees = max(shares) >= 0.5 and not used[best]
                used[best] |= agrees
                yield row[start], float(agrees), agrees
            for start, agrees in zip(starts, used, strict=True):
                yield row[start], float(agrees), agrees


def _share(true: tuple[int, int, int], said: tuple[int, int, int]) -> float:
    """Intersection over union of two segments that overlap, 0 where their labels differ."""
    (name, s, e), (label, start, end) = true, said
    return (min(end, e) - max(start, s)) / (max(end, e) - min(start, s)) * (label == name)


def _runs(codes: Sequence[int]) -> list[tuple[int, int, int]]:
    """Longest runs of equal codes: the code, the first place, and the one after the last."""
    found, place = [], 0
    for code, run in groupby(codes):
        length = len(list(run))
        found.append((int(code), place, place + length))
        place += length
    return found


def _table(found: list[tuple[Any, float, bool]], metric: str) -> pd.DataFrame:
    import pandas as pd

    rows = [row for row, _, _ in found]
    amounts = [float(missed) if metric == "onset_missed" else amount for _, amount, missed in found]
    return pd.DataFrame({"amount": amounts}, index=rows, dtype=float)


def _moments(metric: str, found: pd.DataFrame) -> pd.DataFrame:
    """Truth and prediction of each covered row: deviations from the clip's means, or those means."""
    import pandas as pd

    column = metric.rpartition("_")[2]
    rows = pd.DataFrame(
        {"x": found[f"true/{column}"].astype(float), "y": found[column].astype(float),
         "sequence": found["sequence"], "row": found["row"]}
    )  # fmt: skip
    rows = rows[found["judged"].astype(bool) & np.isfinite(rows["x"]) & np.isfinite(rows["y"])]
    clips = rows.groupby("sequence")[["x", "y"]]
    means, count = clips.transform("mean"), rows.groupby("sequence")["x"].transform("size")
    found = pd.DataFrame({"weight": 1.0 / count, "raw_x": means["x"], "raw_y": means["y"], **means})
    if "_within_" in metric:
        deviations = (rows[["x", "y"]] - means)[count > 1]
        raw = rows[["x", "y"]][count > 1].set_axis(["raw_x", "raw_y"], axis="columns")
        found = deviations.join(raw).assign(weight=1.0)
    return found.set_axis(rows["row"].reindex(found.index), axis="index")
