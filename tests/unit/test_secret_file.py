"""A file that holds a secret: in no state, no diff, no journal."""

from __future__ import annotations

from pathlib import Path

import pytest
from fakes import mode

from runbook import facts, secrets
from runbook.errors import PlanError
from runbook.plan import Plan
from runbook.resources import SecretFile

Owner = tuple[str, str]
OLD, NEW = "old-old-old-old", "new-new-new-new"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "secret"


def write(path: Path, text: str = OLD, bits: int = 0o600) -> None:
    path.write_text(f"{text}\n")
    path.chmod(bits)


def test_a_secret_is_made_where_none_is_given(path: Path, ours: Owner) -> None:
    file = SecretFile(path, *ours)
    file.apply()
    assert file.change(file.read()) is None
    assert len(path.read_text().strip()) == 64


def test_only_its_owner_can_read_it(path: Path, ours: Owner) -> None:
    SecretFile(path, *ours).apply()
    assert mode(path) == 0o600


def test_a_secret_that_is_there_is_kept_where_none_is_given(path: Path, ours: Owner) -> None:
    write(path, bits=0o644)
    file = SecretFile(path, *ours)
    assert file.change(file.read()) is not None
    file.apply()
    assert (path.read_text().strip(), mode(path)) == (OLD, 0o600)


def test_a_secret_that_is_given_replaces_another(path: Path, ours: Owner) -> None:
    write(path)
    file = SecretFile(path, *ours, value=NEW)
    assert file.change(file.read()) is not None
    file.apply()
    assert path.read_text().strip() == NEW
    assert file.change(file.read()) is None


def test_a_secret_that_was_found_is_masked_from_then_on(path: Path, ours: Owner) -> None:
    write(path)
    file = SecretFile(path, *ours)
    file.change(file.read())
    assert secrets.redact(OLD) == secrets.MASK


def test_a_secret_that_was_made_is_masked_from_then_on(path: Path, ours: Owner) -> None:
    SecretFile(path, *ours).apply()
    assert secrets.redact(path.read_text().strip()) == secrets.MASK


def test_the_diff_says_another_one_and_not_which(path: Path, ours: Owner) -> None:
    write(path)
    file = SecretFile(path, *ours, value=NEW)
    change = file.change(file.read())
    assert change is not None
    assert "another one" in change.diff


@pytest.mark.parametrize("old", ["", OLD])
def test_a_secret_is_in_nothing_that_is_shown_or_kept_but_its_file(
    path: Path, ours: Owner, old: str, tmp_path: Path
) -> None:
    if old:
        write(path)
    file = SecretFile(path, *ours, value=NEW)
    plan = Plan("test", [file])
    shown = [repr(file), str(file), str(plan), repr(plan._repr_mimebundle_())]
    shown += [repr(change) for change in plan.changes]
    plan.apply()
    shown += [repr(file.read()), repr(file.identity()), plan.journal.path.read_text()]
    assert not any(OLD in text or NEW in text for text in shown)


def test_restore_brings_back_the_earlier_secret(path: Path, ours: Owner, tmp_path: Path) -> None:
    write(path, bits=0o640)
    file = SecretFile(path, *ours, value=NEW)
    before = file.read()
    file.backup(tmp_path)
    file.apply()
    file.restore(before, tmp_path)
    assert (path.read_text(), mode(path)) == (f"{OLD}\n", 0o640)


def test_restore_removes_a_secret_that_was_not_there(path: Path, ours: Owner) -> None:
    file = SecretFile(path, *ours)
    before = file.read()
    file.apply()
    file.restore(before, path.parent)
    assert not path.exists()


def test_the_backup_can_be_read_by_its_owner_only(path: Path, ours: Owner) -> None:
    write(path)
    (backups := path.parent / "backups").mkdir()
    SecretFile(path, *ours).backup(backups)
    assert [mode(copy) for copy in backups.iterdir()] == [0o600]


@pytest.mark.parametrize("kind", ["folder", "link"])
def test_what_stands_in_the_place_of_a_secret_is_refused(
    path: Path, ours: Owner, kind: str
) -> None:
    if kind == "folder":
        path.mkdir()
    else:
        write(path.with_name("elsewhere"))
        path.symlink_to(path.with_name("elsewhere"))
    file = SecretFile(path, *ours)
    with pytest.raises(PlanError, match=f"{path}"):
        file.change(file.read())


@pytest.mark.parametrize(
    ("text", "good"),
    [("0f" * 32, True), ("0F" * 32, False), ("failed\nstatus\nmetadata", False), ("", False),
     (f"{'0f' * 32}\nunchanged", False), ("jupyterhub", False)],
)  # fmt: skip
def test_another_account_does_not_choose_what_is_masked(
    path: Path, ours: Owner, monkeypatch: pytest.MonkeyPatch, text: str, good: bool
) -> None:
    path.write_text(text + "\n")
    path.chmod(0o600)
    monkeypatch.setattr(facts, "current_user", lambda: "root")
    file = SecretFile(path, *ours)
    if good:
        assert file.change(file.read()) is None
    else:
        with pytest.raises(PlanError, match="64 hexadecimal digits") as caught:
            file.change(file.read())
        assert caught.value.remedy.endswith(f"rm {path}")
        with pytest.raises(PlanError):
            file.apply()
    assert secrets.redact("status failed metadata jupyterhub") == (
        "status failed metadata jupyterhub"
    )


def test_what_was_found_is_masked_where_it_was_made_here() -> None:
    made = "0f" * 32
    assert [secrets.found(text) for text in (made, "unchanged")] == [made, "unchanged"]
    assert secrets.redact(f"{made} unchanged") == f"{secrets.MASK} unchanged"
