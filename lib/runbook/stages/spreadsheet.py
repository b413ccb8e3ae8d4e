"""The rows of a csv or xlsx file as people write them: Excel's csv, too, is read."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from zipfile import ZipFile

from runbook import safe_files
from runbook.errors import ParameterError
from runbook.safe_paths import PlantedError

#: Excel writes the one of its language between the cells, and a tab in its "Unicode text".
SEPARATORS = ",;\t"
#: Columns that are looked at, and bytes of an xlsx unpacked: enough for the people of a city.
WIDEST, LARGEST = 100, 100_000_000
UTF_16 = (b"\xff\xfe", b"\xfe\xff")


@dataclass(frozen=True)
class Row:
    """A row's ``cells``, without the blanks around them, and the ``line`` it begins at."""

    line: int
    cells: list[str]


def rows_of(path: Path) -> list[Row]:
    """The rows of ``path``.

    Raises
    ------
    ParameterError
        if it cannot be read, or is neither of the two; the message does not name the file.
    """
    kinds = {".csv": _csv, ".xlsx": _xlsx}
    read = kinds.get(path.suffix.lower())
    if read is None:
        raise ParameterError("expected a .csv or .xlsx file")
    try:
        return list(read(safe_files.read(path)))
    except OSError as error:
        raise ParameterError(f"cannot be read ({error.strerror})") from None
    except PlantedError as error:
        raise ParameterError(error.message, error.remedy) from None
    except ParameterError:
        raise
    except UnicodeDecodeError as error:
        line = error.object.count(b"\n", 0, error.start) + 1
        raise ParameterError(
            f"is not a .csv file in UTF-8: line {line} has other letters",
            "save it as 'CSV UTF-8', or as xlsx",
        ) from None
    except Exception:  # a damaged xlsx fails in zipfile, in the XML parser, or anywhere
        raise ParameterError(
            f"is not a {path.suffix} file", "save it as UTF-8 csv or as xlsx"
        ) from None


def _csv(data: bytes) -> Iterator[Row]:
    text = data.decode("utf-16" if data.startswith(UTF_16) else "utf-8-sig")
    told, _, rest = text.partition("\n")
    is_told = told.lower().startswith("sep=")  # a line that only Excel reads
    first = rest.partition("\n")[0] if is_told else told
    separator = max(SEPARATORS, key=first.count)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator)
    line = 1
    for row in reader:
        if not (is_told and line == 1):
            yield Row(line, [cell.strip() for cell in row])
        line = reader.line_num + 1


def _xlsx(data: bytes) -> Iterator[Row]:
    from openpyxl import load_workbook  # 0.2 s that every kernel would wait for

    unpacked = sum(entry.file_size for entry in ZipFile(io.BytesIO(data)).infolist())
    if unpacked > LARGEST:
        raise ParameterError(f"unpacks to {unpacked / 1e6:,.0f} MB", "save it anew, or as csv")
    book = load_workbook(io.BytesIO(data), read_only=True, data_only=True)
    rows = book.worksheets[0].iter_rows(values_only=True, max_col=WIDEST)
    for line, row in enumerate(rows, start=1):
        yield Row(line, ["" if cell is None else str(cell).strip() for cell in row])
