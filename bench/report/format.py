"""Numbers, names and states as text: the only place where a report rounds.

What is withheld reads "withheld", what is undefined reads "undefined"; neither is ever 0 or blank. Nothing
here computes with the numbers.
"""

from __future__ import annotations

import math
import re
import unicodedata
from collections.abc import Iterable
from typing import Any

__all__ = [
    "CLUSTERS", "DASH", "MINUS", "SEEN", "STAGES", "THIN", "UNDEFINED", "WITHHELD", "clusters", "condition",
    "count", "counted", "estimate", "family", "heading", "interval", "measured", "metric", "number",
    "percent", "plain", "probability", "rank", "short", "signed", "spanned", "wrapped",
]  # fmt: skip

THIN = "\u202f"
DASH = "\u2013"
MINUS = "\u2212"
WITHHELD, UNDEFINED = "withheld", "undefined"
# The head over ``sdd80``, in every table.
SEEN = "Smallest difference found in 4 of 5 studies"
CLUSTERS = {"person": "persons", "video": "videos", "clip": "clips"}
STAGES = {"decode": "decoding", "front_end": "the front-end", "model": "the model"}
"""The stages of a call, in words."""
_METRICS = {
    "latency_p50": "latency (median)",
    "latency_p95": "latency (95th percentile)",
    "accuracy": "accuracy (WAR)",
    "uar": "UAR",
    "macro_f1": "macro F1",
    "ccc": "CCC",
    "pcc": "PCC",
    "rmse": "RMSE",
    "mae": "MAE",
    "sagr": "SAGR",
    "kappa": "Cohen's kappa",
    "mcc": "MCC",
    "weighted_f1": "weighted F1",
    "ece": "ECE",
    "nll": "NLL",
    "brier": "Brier score",
    "soft_brier": "Brier score of votes",
    "aurc": "AURC",
    "auroc": "AUROC",
    "au_f1": "AU F1",
    "au_auroc": "AU AUROC",
    "au_icc": "AU ICC(3,1)",
    "js": "Jensen-Shannon divergence",
    "mce": "mCE",
    "relative_mce": "relative mCE",
    "label-sd": "label SD",
    "ccc-within": "CCC within clips,",
    "pcc-within": "PCC within clips,",
    "ccc-between": "CCC between clips,",
    "pcc-between": "PCC between clips,",
    "onset_lag": "onset lag in frames",
    "onset_missed": "missed onsets",
    "segment_agreement": "segmental F1@50",
}
_INVISIBLE = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}


def number(value: float | None, digits: int = 3) -> str:
    """A number with fixed decimals, a true minus and no sign on zero; None and NaN read "undefined".

    >>> number(0.65518), number(-0.0001), number(-0.25), number(None)
    ('0.655', '0.000', '−0.250', 'undefined')
    """
    if value is None or math.isnan(value):
        return UNDEFINED
    text = f"{value:.{digits}f}"
    return text.replace("-", "" if float(text) == 0 else MINUS)


def signed(value: float, digits: int) -> str:
    """A number with its sign, but for zero.

    >>> signed(0.014, 3), signed(0.0001, 3)
    ('+0.014', '0.000')
    """
    text = number(value, digits)
    return f"+{text}" if value > 0 and float(text) else text


def measured(value: float) -> str:
    """A measured amount with three digits that count; NaN reads "undefined".

    >>> measured(3.2049), measured(0.3786), measured(402.82), measured(12345.6)
    ('3.20', '0.379', '403', '12346')
    """
    if math.isnan(value):
        return UNDEFINED
    digits = 2 - math.floor(math.log10(abs(value))) if value else 2
    return number(value, max(0, digits))


def count(value: float | None, separator: str = THIN) -> str:
    """A count in groups of three; a fractional count (an effective n) as a whole number.

    >>> count(3573, " "), count(None)
    ('3 573', '–')
    """
    return DASH if value is None or math.isnan(value) else f"{value:,.0f}".replace(",", separator)


def counted(value: float | None, noun: str, separator: str = THIN) -> str:
    """A count with what it is of: the noun as it is of one, with an s of any other number.

    >>> counted(1, "pair"), counted(0, "fault"), counted(3573, "row", " ")
    ('1 pair', '0 faults', '3 573 rows')
    """
    return f"{count(value, separator)} {noun if value == 1 else f'{noun}s'}"


def family(text: str) -> str:
    """The ``family`` of an estimate, in which one thing is one thing.

    >>> family("1 pairs of sex"), family("3 pairs of race"), family("1 gap of a")
    ('1 pair of sex', '3 pairs of race', '1 gap of a')
    """
    one = re.match(r"1 (\w+)s\b", text)
    return text if one is None else f"1 {one[1]}{text[one.end() :]}"


def interval(row: dict[str, Any]) -> str:
    """The interval of an estimate, or that there is none.

    >>> interval({"low": 0.64, "high": 0.671})
    '[0.640, 0.671]'
    """
    if row["low"] is None or row["high"] is None:
        return "(no interval)"
    return f"[{number(row['low'])}, {number(row['high'])}]"


def estimate(row: dict[str, Any], digits: int = 3) -> str:
    """An estimate with its interval, or "withheld" or "undefined".

    >>> estimate({"estimate": 0.6552, "low": 0.64, "high": 0.671, "status": "reportable"})
    '0.655 [0.640, 0.671]'
    """
    if row["status"] == "suppressed":
        return WITHHELD
    if row["estimate"] is None:
        return UNDEFINED
    return f"{number(row['estimate'], digits)} {interval(row)}"


def clusters(value: int | None, unit: str | None, separator: str = THIN) -> str:
    """A count of clusters with its unit.

    >>> clusters(91, "person"), clusters(1, "clip")
    ('91 persons', '1 clip')
    """
    name = unit or "cluster"
    return counted(value, name if value == 1 or name in CLUSTERS else "cluster", separator)


def rank(low: float | None, high: float | None) -> str:
    """A rank, which is an interval, one number where its ends agree; "not known" without them.

    >>> rank(1.0, 1.0), rank(2.0, 3.0), rank(None, None)
    ('1', '2–3', 'not known')
    """
    if low is None or high is None:
        return "not known"
    return f"{low:.0f}" if low == high else f"{low:.0f}{DASH}{high:.0f}"


def percent(share: float) -> str:
    """A share in percent.

    >>> percent(0.95), percent(0.999)
    ('95 %', '99.9 %')
    """
    return f"{100 * share:.4g} %"


def probability(value: float | None) -> str:
    """A p or q to three decimals, never 0; a dash where no test was made.

    >>> probability(0.01234), probability(0.0001), probability(None)
    ('.012', '< .001', '–')
    """
    if value is None or math.isnan(value):
        return DASH
    return "< .001" if value < 0.001 else f"{value:.3f}".removeprefix("0")


def spanned(values: Iterable[int | None], separator: str = THIN) -> str:
    """The range of counts that should be equal over models but need not be.

    >>> spanned([12, 12, None]), spanned([10, 12]), spanned([])
    ('12', '10–12', '–')
    """
    known = sorted({value for value in values if value is not None})
    if len(known) > 1:
        return f"{count(known[0], separator)}{DASH}{count(known[-1], separator)}"
    return count(known[0] if known else None, separator)


def metric(name: str) -> str:
    """The name of a metric as the field writes it; unknown names stay as they are.

    >>> metric("ccc_valence_covered"), metric("recall/fear"), metric("label_sd_valence")
    ('CCC valence, covered only', 'recall: fear', 'label SD valence')
    >>> metric("ccc_within_valence"), metric("flip_rate"), metric("jitter_arousal")
    ('CCC within clips, valence', 'flip rate', 'jitter arousal')
    """
    if "/" in name:
        kind, _, label = name.partition("/")
        return f"{metric(kind)}: {label}"
    if name in _METRICS:
        return _METRICS[name]
    for stem in ("label_sd", "ccc_within", "pcc_within", "ccc_between", "pcc_between"):
        name = name.replace(f"{stem}_", f"{stem.replace('_', '-')}_")
    head, _, rest = name.partition("_")
    if rest.split("_")[0] in ("valence", "arousal", "dominance"):
        return f"{_METRICS.get(head, head)} {rest.removesuffix('_covered')}" + (
            ", covered only" if rest.endswith("_covered") else ""
        )
    return name.replace("_", " ")


def heading(name: str) -> str:
    """The name of a metric at the beginning of a sentence or over a column.

    >>> heading("accuracy")
    'Accuracy (WAR)'
    """
    text = metric(name)
    return text[:1].upper() + text[1:]


LOST = ", label may be lost"
"""Said behind a severity at which people may no longer see the label."""


def condition(name: str, severity: int | None, where: str | None) -> str:
    """A condition in words.

    >>> condition("clean", None, None), condition("low_light", 3, "frame")
    ('clean', 'low light, severity 3, on the frame')
    """
    if not severity:
        return name.replace("_", " ")
    return f"{name.replace('_', ' ')}, severity {severity}, on the {where or 'frame'}"


def plain(text: str) -> str:
    r"""Text from elsewhere with every invisible or direction-changing character made visible.

    >>> plain("a\x1b[31mb")
    'a\ufffd[31mb'
    """
    if text.isprintable():  # nearly all text, and quick
        return text
    return "".join("\ufffd" if unicodedata.category(c) in _INVISIBLE and c != "\n" else c for c in text)


def short(text: str, limit: int) -> str:
    """Text cut to a number of characters, the cut shown.

    >>> short("an endless name", 8)
    'an endl…'
    """
    text = plain(text)
    return text if len(text) <= limit else f"{text[: limit - 1]}…"


def wrapped(text: str, limit: int) -> str:
    r"""Text in at most two lines of so many characters, broken after a comma or a space where one is there.

    >>> wrapped("planted_bias@tint=cool,loss=0.25", 30)
    'planted_bias@tint=cool,\nloss=0.25'
    """
    text = plain(text)
    if len(text) <= limit:
        return text
    places = (max(text.rfind(sign, 0, limit) for sign in signs) + 1 for signs in (", ", "@&", "=_-"))
    place = next((place for place in places if place > 0), limit)
    return f"{text[:place].rstrip()}\n{short(text[place:].lstrip(), limit)}"
