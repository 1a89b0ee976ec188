"""Two finished runs to bundle, and keys.

``scored``: 43 people, of whom three are of a kind of their own and withheld; it was given a lock, its suite names
a path, and its people have names that must not leave. ``ran``: drawn clips under a condition.
"""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from typer.testing import CliRunner, Result

from bench.cli.app import app
from bench.evidence.encryption import make_identity, read_recipients
from bench.evidence.keys import make_signing_key, read_signing_key
from bench.evidence.make import bundle
from bench.folder import RunFolder
from bench.synth.drawn import draw_set

PLACE = "of-the-countess"
PEOPLE, FEW, ROWS = 43, 3, 8
LABELS = ("fear", "happiness", "anger")


def invoke(*words: object) -> Result:
    """Call the program; what it raises is in ``exception``."""
    return CliRunner().invoke(app, [str(word) for word in words])


def called(*words: object) -> str:
    """What the program printed, which is to succeed."""
    done = invoke(*words)
    assert done.exit_code == 0, (done.output, done.exception)
    return done.output


def subject(person: int) -> str:
    """The name of a person, which is in nothing else."""
    return f"Ada-Lovelace-{person:04d}"


def write_tables(folder: Path) -> None:
    lines, said = ["target,subject,label,sex,kind"], ["target,status,predicted,p_fear,p_happiness,p_anger"]
    for p in range(PEOPLE):
        for r in range(ROWS):
            label = (p + r) % 3
            guess = label if (r * 5 + p) % 4 else (label + 1) % 3
            kind = "withheld-kind" if p < FEW else "usual"
            lines.append(f"clip-of-{subject(p)}-{r},{subject(p)},{LABELS[label]},{'mf'[p % 2]},{kind}")
            chances = ",".join("0.7" if n == guess else "0.15" for n in range(3))
            ok = f"ok,{LABELS[guess]},{chances}"
            said.append(f"clip-of-{subject(p)}-{r},{'no_face,,,,' if (p, r) in ((9, 0), (20, 1)) else ok}")
    (folder / "T.csv").write_text("\n".join(lines) + "\n")
    (folder / "P.csv").write_text("\n".join(said) + "\n")


@pytest.fixture(scope="session")
def scored(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with PLACE/T.csv, LOCK.json and the finished run ``run`` that was given the lock."""
    folder = tmp_path_factory.mktemp("scored")
    (folder / PLACE).mkdir()
    write_tables(folder / PLACE)
    asked = (
        "--slice",
        "sex",
        "--slice",
        "kind",
        "--metric",
        "accuracy",
        "--metric",
        "uar",
        "--metric",
        "ece",
    )
    (folder / "S.yaml").write_text(
        f"suite: held\ndata:\n  - adapter: manifest\n    name: people\n    targets: {PLACE}/T.csv\n"
    )
    data = ("--data", f"people={folder}")
    called("suite", "lock", folder / "S.yaml", *data, *asked, "--out", folder / "LOCK.json")
    called(
        "score", "--suite", folder / "S.yaml", *data, "--predictions", f"mine={folder}/{PLACE}/P.csv", *asked,
        "--lock", folder / "LOCK.json", "--out", folder / "run", "--tracking-uri", "off", "--quiet",
    )  # fmt: skip
    return folder


@pytest.fixture(scope="session")
def ran(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run under two severities of a condition."""
    folder = tmp_path_factory.mktemp("ran")
    draw_set(folder / "drawn", subjects=6, frames=2)
    (folder / "S.yaml").write_text(
        "suite: small\ndata:\n  - adapter: manifest\n    name: drawn\n    labels: ekman-7\n"
        "    attributes_public: true\n    targets: targets.csv\n"
        "conditions:\n  - perturb: low_light\n    severities: [1, 5]\n"
        "slices: [tint]\nmetrics: [accuracy, uar]\ndraws: 999\n"
    )
    called(
        "run", "--model", "planted_bias@tint=cool,loss=0.25", "--suite", folder / "S.yaml", "--data",
        f"drawn={folder / 'drawn'}", "--out", folder / "run", "--tracking-uri", "off", "--quiet",
    )  # fmt: skip
    return folder / "run"


@dataclass(frozen=True)
class Keys:
    """A signer's key and its public half, an identity and its recipient, and the same of somebody else."""

    sign: Path
    public: Path
    identity: Path
    recipient: str
    other: Path
    other_public: Path
    other_identity: Path

    @property
    def signing(self) -> Ed25519PrivateKey:
        return read_signing_key(self.sign)


@pytest.fixture(scope="session")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Keys:
    folder = tmp_path_factory.mktemp("keys")
    public, other = make_signing_key(folder / "mine.pem"), make_signing_key(folder / "other.pem")
    recipient = make_identity(folder / "mine.age")
    make_identity(folder / "other.age")
    return Keys(
        folder / "mine.pem", public, folder / "mine.age", recipient, folder / "other.pem", other,
        folder / "other.age",
    )  # fmt: skip


@dataclass(frozen=True)
class Bundles:
    """An external and an internal bundle of ``scored``."""

    external: Path
    internal: Path


@pytest.fixture(scope="session")
def bundles(scored: Path, keys: Keys, tmp_path_factory: pytest.TempPathFactory) -> Bundles:
    folder, run = tmp_path_factory.mktemp("bundles"), RunFolder(scored / "run")
    made = Bundles(folder / "external.affectbench", folder / "internal.affectbench")
    bundle(run, "external", made.external, keys.signing, None, scored / "LOCK.json")
    to = read_recipients([keys.recipient])
    bundle(run, "internal", made.internal, keys.signing, to, scored / "LOCK.json")
    return made


@pytest.fixture
def copy(scored: Path, tmp_path: Path) -> Path:
    """A copy of the run of ``scored`` that a test may change."""
    return Path(shutil.copytree(scored / "run", tmp_path / "run"))
