"""The container: what it writes any zip program reads, and what it did not write it refuses."""

from __future__ import annotations

import io
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from bench.errors import MachineError, UserError
from bench.evidence.container import LIMIT, Fault, Member, Unpacked, member, pack, unpack

CONTENT = {
    "manifest.json": b'{"a":1}',
    "manifest.sig": b"s" * 64,
    "cells/m/d/c/cell.json": b"{}",
    "run.json": b"",
}


def written(content: dict[str, bytes]) -> bytes:
    sink = io.BytesIO()
    pack([member(name, data) for name, data in content.items()], sink)
    return sink.getvalue()


def read(data: bytes, folder: Path) -> Unpacked:
    """Unpack bytes into ``folder / "in"``; nothing may appear beside it."""
    path, inside = folder / "b", folder / "in"
    path.write_bytes(data)
    inside.mkdir()
    found = unpack(path, inside)
    assert {p.name for p in folder.iterdir()} == {"b", "in"}
    assert not any(p.is_symlink() for p in inside.rglob("*"))
    return found


def test_any_zip_program_reads_it() -> None:
    with zipfile.ZipFile(io.BytesIO(written(CONTENT))) as file:
        assert file.testzip() is None
        assert file.namelist() == ["manifest.json", "manifest.sig", "cells/m/d/c/cell.json", "run.json"]
        assert {name: file.read(name) for name in file.namelist()} == CONTENT
        assert {info.date_time for info in file.infolist()} == {(1980, 1, 1, 0, 0, 0)}
        assert {info.external_attr >> 16 for info in file.infolist()} == {0o100644}


def test_order_of_members_does_not_matter() -> None:
    assert written(dict(reversed(CONTENT.items()))) == written(CONTENT)


def test_what_was_written_is_read(tmp_path: Path) -> None:
    found = read(written(CONTENT), tmp_path)
    assert (found.faults, found.ended) == ((), True)
    assert {name: (tmp_path / "in" / name).read_bytes() for name in found.files} == CONTENT
    assert found.files["manifest.json"] == (
        7,
        "015abd7f5cc57a2dd94b7590f04ad8084273905ee33ec5cebeae62276a97f862",  # sha256sum of it
    )


def test_cut_short_anywhere_it_is_not_read_to_its_end(tmp_path: Path) -> None:
    data = written(CONTENT)
    path = tmp_path / "b"
    for end in range(4, len(data)):
        path.write_bytes(data[:end])
        folder = tmp_path / str(end)
        folder.mkdir()
        found = unpack(path, folder)
        assert not found.ended, end
        assert len(found.faults) == 1, end


def test_no_byte_may_be_another(tmp_path: Path) -> None:
    data, path = written(CONTENT), tmp_path / "b"
    for place in range(len(data)):
        for bit in (1, 128):
            bad = bytearray(data)
            bad[place] ^= bit
            path.write_bytes(bad)
            folder = tmp_path / f"{place}-{bit}"
            folder.mkdir()
            found = unpack(path, folder)
            assert found.faults, place
            for made in folder.rglob("*"):
                assert made.resolve().is_relative_to(folder)


def zipped(*entries: tuple[zipfile.ZipInfo | str, bytes]) -> bytes:
    """A zip file as the standard library writes it, after a manifest."""
    sink = io.BytesIO()
    with zipfile.ZipFile(sink, "w") as file:
        for entry, data in (("manifest.json", b"{}"), *entries):
            file.writestr(info(entry) if isinstance(entry, str) else entry, data)
    return sink.getvalue()


def named(name: str) -> bytes:
    return zipped((name, b"x"))


def info(name: str, **fields: object) -> zipfile.ZipInfo:
    made = zipfile.ZipInfo(name)
    made.external_attr = 0o100644 << 16
    for field, value in fields.items():
        setattr(made, field, value)
    return made


def changed(data: bytes, at: bytes, offset: int, new: bytes) -> bytes:
    """The bytes with others at an offset from where some are first found."""
    start = data.index(at) + offset
    return data[:start] + new + data[start + len(new) :]


OUT, ODD = "it leads out of the folder", "it has other characters than letters, digits and @=,._~+-"
HOSTILE: dict[str, tuple[Callable[[], bytes], Fault]] = {
    "slip": (lambda: named("../up"), Fault("", f"a member is named '../up': {OUT}")),
    "slip within": (lambda: named("a/../../up"), Fault("", f"a member is named 'a/../../up': {OUT}")),
    "absolute": (lambda: named("/etc/passwd"), Fault("", f"a member is named '/etc/passwd': {OUT}")),
    "drive": (lambda: named("C:/up"), Fault("", f"a member is named 'C:/up': {OUT}")),
    "backslash": (lambda: named("a\\..\\up"), Fault("", f"a member is named 'a\\\\..\\\\up': {ODD}")),
    "dot": (lambda: named("a/./b"), Fault("", f"a member is named 'a/./b': {ODD}")),
    "empty part": (lambda: named("a//b"), Fault("", f"a member is named 'a//b': {ODD}")),
    "no name": (lambda: named(""), Fault("", f"a member is named '': {ODD}")),
    "folder": (lambda: zipped((info("d/"), b"")), Fault("", "a member is named 'd/': it is a folder")),
    "NUL": (lambda: changed(named("a_b"), b"a_b", 1, b"\0"), Fault("", f"a member is named 'a\\x00b': {ODD}")),
    "not UTF-8": (lambda: changed(named("a_b"), b"a_b", 1, b"\xff"), Fault("", f"a member is named 'a\\\\xffb': {ODD}")),
    "a name of another script": (lambda: named("naïve"), Fault("", f"a member is named 'na\\\\xc3\\\\xafve': {ODD}")),
    "long": (lambda: named("n" * 1001), Fault("", f"a member is named '{'n' * 80}': it has 1,001 characters, and may have 1,000")),
    "encrypted": (
        lambda: changed(named("secret"), b"secret", -24, b"\x01\0"),
        Fault("secret", "the member is encrypted by zip; a bundle is encrypted as a whole"),
    ),
    "a bomb": (
        lambda: zipped((info("zeros", compress_type=zipfile.ZIP_DEFLATED), b"\0" * 5_000_000)),
        Fault("zeros", "the member is compressed; the members of a bundle are stored as they are"),
    ),
    "huge by its header": (
        lambda: changed(named("huge"), b"huge", -12, struct.pack("<II", LIMIT, LIMIT)),
        Fault("huge", "its header says 4,294,967,295 bytes, and 132 follow"),
    ),
    "twice": (
        lambda: zipped(("a", b"1"), ("a", b"2")),
        Fault("a", "there are two members of this name, or of names that differ in case alone"),
    ),
    "differ in case": (
        lambda: zipped(("Run.json", b"1"), ("run.json", b"2")),
        Fault("run.json", "there are two members of this name, or of names that differ in case alone"),
    ),
    "a file and a folder of a name": (lambda: zipped(("a", b"1"), ("a/b", b"2")), Fault("a/b", "there is a file and a folder of one name")),
    "out of order": (
        lambda: zipped(("b", b"1"), ("a", b"2")),
        Fault("a", "it stands after b; members stand in order, the manifest first"),
    ),
    "symlink": (
        lambda: zipped((info("link", external_attr=0o120777 << 16), b"/etc/passwd")),
        Fault("link", "its zip directory, at byte 189, is not that of its members"),
    ),
    "a date": (
        lambda: zipped((info("dated", date_time=(2026, 1, 1, 0, 0, 0)), b"x")),
        Fault("dated", "its zip header, at byte 45, is not as a bundle has it"),
    ),
    "an extra field": (
        lambda: zipped((info("more", extra=b"\xfe\xca\x04\0hide"), b"x")),
        Fault("more", "its zip header, at byte 45, is not as a bundle has it"),
    ),
    "a comment": (
        lambda: zipped((info("said", comment=b"hidden"), b"x")),
        Fault("said", "its zip directory, at byte 171, is not that of its members"),
    ),
    "a comment on the whole": (
        lambda: named("x")[:-2] + b"\x06\0hidden",
        Fault("", "its zip directory, at byte 203, is not that of its members"),
    ),
    "bytes behind": (lambda: named("x") + b"hidden", Fault("", "bytes follow its end")),
    "bytes between": (
        lambda: named("x").replace(b"PK\x01\x02", b"hidden!PK\x01\x02", 1),
        Fault("", "what follows x, at byte 77, is neither a member nor the zip directory"),
    ),
    "the directory of another": (
        lambda: named("x")[:-22] + named("y")[-22:].replace(b"\x02\0\x02\0", b"\x01\0\x01\0"),
        Fault("", "its zip directory, at byte 191, is not that of its members"),
    ),
}  # fmt: skip


@pytest.mark.filterwarnings("ignore:Duplicate name")
@pytest.mark.parametrize("name", HOSTILE)
def test_what_it_did_not_write_is_refused(name: str, tmp_path: Path) -> None:
    make, fault = HOSTILE[name]
    found = read(make(), tmp_path)
    assert found.faults == (fault,)
    assert not found.ended


def test_content_is_held_against_its_checksum(tmp_path: Path) -> None:
    found = read(written(CONTENT).replace(b'{"a":1}', b'{"a":2}'), tmp_path)
    assert found.faults == (Fault("manifest.json", "its content is not what its zip header was written for"),)


def test_more_than_the_format_holds_is_refused(tmp_path: Path) -> None:
    large = Member("large", b"", LIMIT, "", 0)
    with pytest.raises(UserError, match=r"^--bundle: it would have 1 file and 4,294,967,403 bytes\."):
        pack([large], io.BytesIO())
    many = [Member(f"m{n}", b"", 0, "", 0) for n in range(65_536)]
    with pytest.raises(UserError, match=r"^--bundle: it would have 65,536 files"):
        pack(many, io.BytesIO())
    with (tmp_path / "b").open("wb") as file:
        file.truncate(LIMIT + 1)  # a hole: it takes no room
    (tmp_path / "in").mkdir()
    assert unpack(tmp_path / "b", tmp_path / "in").faults == (
        Fault("", "it has 4,294,967,296 bytes; a bundle has at most 4,294,967,295"),
    )


def test_names_that_some_file_system_takes_for_one_are_refused() -> None:
    with pytest.raises(
        UserError, match=r"^cells/CNN: beside it is 'cells/cnn'|^cells/cnn: beside it is 'cells/CNN'"
    ):
        written({"cells/CNN": b"", "cells/cnn": b""})
    with pytest.raises(UserError, match=r"^a b: it has other characters"):
        member("a b", b"")


def test_a_file_that_changes_meanwhile_is_noticed(tmp_path: Path) -> None:
    (tmp_path / "f").write_bytes(b"before")
    looked = member("f", tmp_path / "f")
    (tmp_path / "f").write_bytes(b"after!")
    with pytest.raises(MachineError, match=r"^f: it changed while it was bundled\."):
        pack([looked], io.BytesIO())
