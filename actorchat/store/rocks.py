"""Knows RocksDB and what its binding gets wrong. Must not know what the bytes mean.

The only importer of rocksdict. What is done here and would look odd elsewhere:

- Raw mode, and all options of every family, are given at each open. Otherwise the binding takes
  them from `rocksdict-config.json` and from RocksDB's OPTIONS file, of whoever opened it last.
- No iterator gets bounds: the binding keeps a pointer to bytes that Python may have freed. The
  end of a scan is checked here.
- The binding's iterators end without an error where a block is corrupt. A scan that ended
  before its `stop` or `limit` is looked at again with the iterator that has a status.
- Everything the binding raises is a bare Exception with RocksDB's text; `_typed` sorts them.
- Nothing is ever repaired: RocksDB's repair drops the damaged file and all its rows.
"""

from __future__ import annotations

import gc
import os
import re
from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path
from threading import Lock
from typing import cast

import rocksdict

from actorchat.errors import (
    ActorchatError,
    StoreBusy,
    StoreClosed,
    StoreCorrupt,
    StoreFull,
    StoreIO,
)
from actorchat.store.engine import FAMILIES, Batch, Family, Row
from actorchat.store.format import claim

MIB = 1_048_576

# RocksDB makes one more family, and wants it named at every open.
_DEFAULT_FAMILY = "default"

_BLOCK_BYTES = 16_384  # half a page of history compresses better than the default of 4 KiB
_MEMTABLE_FILTER_SHARE = 0.02
_BLOOM_BITS_PER_KEY = 10  # 1 % false positives: most ids that are looked up in `sent` are new
_BYTES_PER_SYNC = 1 * MIB  # lets the disk begin early, so that no sync has much left to do
_OPEN_FILES_MAX = 512
_BACKGROUND_JOBS = 2
_INFO_LOGS_KEPT = 4
_INFO_LOG_BYTES_MAX = 8 * MIB
_INFO_LOG_TAIL_BYTES = 65_536

_PROPERTIES = {
    "background_errors": "rocksdb.background-errors",
    "is_write_stopped": "rocksdb.is-write-stopped",
    "delayed_write_bytes_per_s": "rocksdb.actual-delayed-write-rate",
    "block_cache_bytes": "rocksdb.block-cache-usage",
}
_FAMILY_PROPERTIES = {
    "rows_estimate": "rocksdb.estimate-num-keys",
    "memtable_bytes": "rocksdb.cur-size-all-mem-tables",
    "file_bytes": "rocksdb.total-sst-files-size",
    "compaction_pending_bytes": "rocksdb.estimate-pending-compaction-bytes",
}

_FILE_IN_TEXT = re.compile(r"(?:/[^\s:]*/)?(?:\d{6,}\.(?:sst|log|blob)|MANIFEST-\d+|CURRENT)\b")
_DROPPED_LOG = re.compile(r"(\d{6,}\.log): dropping \d+ bytes")
_FILES_OF_A_STORE = ("*.sst", "[0-9]*.log", "MANIFEST-*")
_FIRST_MANIFEST = "MANIFEST-000001"


class RocksEngine:
    """An `Engine` on RocksDB.

    Raises:
        StoreBusy: Another process, or another engine of this one, has the directory open.
        StoreCorrupt: A file is missing or damaged; `path` names it.
        StoreTooNew: A later program wrote the store.

    Cost: opening replays what was in the write buffers, at 30 to 60 MB/s, and holds the GIL
    meanwhile; `wal_bytes_max` bounds it.
    """

    def __init__(
        self,
        path: str | Path,
        *,
        block_cache_bytes: int = 256 * MIB,
        write_buffer_bytes: int = 16 * MIB,
        write_buffer_total_bytes: int = 64 * MIB,
        wal_bytes_max: int = 64 * MIB,
    ) -> None:
        self.path = Path(path)
        self._is_closed = False
        self._is_full = False
        self._db = self._open(
            partial(
                _options,
                rocksdict.Cache(block_cache_bytes),
                write_buffer_bytes,
                write_buffer_total_bytes,
                wal_bytes_max,
            )
        )
        # Kept as long as the engine: iterators point into their ReadOptions.
        self._read_options = rocksdict.ReadOptions()
        self._read_options.set_verify_checksums(True)
        self._handles = {name: self._db.get_column_family_handle(name) for name in FAMILIES}
        self._tables: dict[Family, rocksdict.Rdict] = {
            handle: self._db.get_column_family(name) for name, handle in self._handles.items()
        }
        # Bound once: a lookup and a call are all that stands before the binding.
        self._write_raw = cast("Callable[[Batch], None]", self._db.write)
        self._getters = {
            handle: cast("Callable[[bytes], bytes | None]", table.get)
            for handle, table in self._tables.items()
        }
        # A close during a sync would be refused by the binding's borrow check.
        self._sync_lock = Lock()
        try:
            claim(self)
        except BaseException:
            self.close()
            raise

    def family(self, name: str) -> Family:
        """Return the handle of the family `name`; it keeps the store's files open."""
        if self._is_closed:
            raise StoreClosed("the store is closed")
        return self._handles[name]

    def batch(self) -> Batch:
        """Return a new, empty batch: the binding's own."""
        return cast(Batch, rocksdict.WriteBatch(raw_mode=True))

    def write(self, batch: Batch) -> None:
        """Write `batch` atomically, without a sync; consumes it, whether it succeeds or not.

        After StoreFull RocksDB takes writes again by itself, within 5 s of there being as much
        space as a write buffer takes.
        """
        try:
            self._write_raw(batch)
        except Exception as error:
            typed = self._typed(error)
            self._is_full = isinstance(typed, StoreFull)
            raise typed from error
        self._is_full = False

    def sync(self) -> None:
        """Make everything that was written before the call durable; any thread, no GIL held."""
        with self._sync_lock:
            if self._is_full:
                # RocksDB would count the log that broke off as one more error, and not recover.
                # When it does recover, it flushes what it took before into table files.
                raise StoreFull("the last write met a full disk")
            try:
                self._db.flush_wal(True)
            except Exception as error:
                typed = self._typed(error)
                if isinstance(typed, StoreFull):
                    # What the kernel could not place when it had to, it may have dropped.
                    typed = StoreIO(str(error))
                raise typed from error

    def get(self, key: bytes, family: Family) -> bytes | None:
        """Return the value of `key`, or None."""
        try:
            return self._getters[family](key)
        except Exception as error:
            raise self._typed(error) from error

    def scan(
        self,
        family: Family,
        start: bytes,
        stop: bytes,
        limit: int | None = None,
        reverse: bool = False,
    ) -> list[Row]:
        """Return the rows of [start, stop) in key order, or from the end if `reverse`."""
        if start >= stop or limit == 0:
            return []
        try:
            rows = self._tables[family].items(
                backwards=reverse,
                from_key=stop if reverse else start,
                read_opt=self._read_options,
            )
            found, has_ended = _take(cast("Iterable[Row]", rows), start, stop, limit, reverse)
            if has_ended:
                self._check_end(family, found[-1][0] if found else None, start, stop, reverse)
        except Exception as error:
            raise self._typed(error) from error
        return found

    def close(self) -> None:
        """Give up the store; may be called twice. Flushes what is in memory into files."""
        with self._sync_lock:
            if self._is_closed:
                return
            opened = [*self._tables.values(), self._db]
            # Each handle keeps the files open, and the lock of the directory with them.
            self._getters.clear()
            self._handles.clear()
            self._tables.clear()
            # What the close itself could not flush is in the log all the same, if it was synced.
            was_full, failed = self._is_full, None
            for table in opened:
                try:
                    table.close()
                except Exception as error:  # noqa: BLE001 (one must not keep the others open)
                    failed = failed or self._typed(error)
            self._is_closed = True
        if failed is not None and not was_full and not isinstance(failed, StoreFull):
            raise failed

    def stats(self) -> dict[str, int]:
        """Return gauges of RocksDB, by name; those of a family end in its name."""
        try:
            found = {name: self._db.property_int_value(key) for name, key in _PROPERTIES.items()}
            for family, handle in self._handles.items():
                table = self._tables[handle]
                for name, key in _FAMILY_PROPERTIES.items():
                    found[f"{name}_{family}"] = table.property_int_value(key)
        except Exception as error:
            raise self._typed(error) from error
        return {name: value for name, value in found.items() if value is not None}

    # -- inside -----------------------------------------------------------------------------

    def _open(self, make_options: Callable[[], rocksdict.Options]) -> rocksdict.Rdict:
        options = make_options()
        families = dict.fromkeys((_DEFAULT_FAMILY, *FAMILIES), options)
        # Every message asks for an id that is not there: a filter answers in 0.4 µs, not in 0.9.
        families["sent"] = filtered = make_options()
        filtered.set_memtable_whole_key_filtering(True)
        filtered.set_memtable_prefix_bloom_ratio(_MEMTABLE_FILTER_SHARE)
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            self._refuse_lost_head()
        except OSError as error:
            raise StoreIO(f"can't use {self.path}: {error}") from error
        for attempt in (1, 2):
            try:
                return rocksdict.Rdict(str(self.path), options, families)
            except Exception as error:
                if "lock hold by current process" in str(error) and attempt == 1:
                    # A closed engine of this process may still have handles in cyclic garbage.
                    gc.collect()
                    continue
                raise self._typed(error, is_open=False) from error
        raise AssertionError("the second attempt returns or raises")

    def _refuse_lost_head(self) -> None:
        """Raise StoreCorrupt where there are files of a store, but no CURRENT.

        RocksDB would take the directory for new, and delete them.
        """
        if (self.path / "CURRENT").exists():
            return
        left = {file.name for pattern in _FILES_OF_A_STORE for file in self.path.glob(pattern)}
        # A crash during the very first open leaves this one, before anything was stored.
        if left - {_FIRST_MANIFEST}:
            file = self.path / "CURRENT"
            raise StoreCorrupt(
                f"{file} is missing, but {len(left)} files of a store are there", str(file)
            )

    def _check_end(
        self, family: Family, last: bytes | None, start: bytes, stop: bytes, reverse: bool
    ) -> None:
        """Raise if a scan that ran out of rows after `last` should have had more."""
        rows = self._tables[family].iter(self._read_options)
        if reverse:
            rows.seek_for_prev(last or stop)
        else:
            rows.seek(last or start)
        while rows.valid():
            if rows.key() not in (last, stop):
                raise StoreIO("a scan ended early, without an error")
            if reverse:
                rows.prev()
            else:
                rows.next()
        rows.status()

    def _typed(self, error: Exception, is_open: bool = True) -> Exception:
        """Return the error of ours for one of the binding; a caller's mistake stays what it is."""
        if isinstance(error, ActorchatError):
            return error
        if self._is_closed or isinstance(error, rocksdict.DbClosedError):
            return StoreClosed("the store is closed")
        if type(error) is not Exception:
            return error
        text = str(error)
        if "already consumed" in text:
            return ValueError("the batch was written already")
        if "No space left on device" in text or "Disk quota exceeded" in text:
            return StoreFull(text)
        if "lock hold by current process" in text or "Resource temporarily unavailable" in text:
            return StoreBusy(f"{self.path} is open already: {text}")
        is_damage = text.startswith("Corruption") or "No such file or directory" in text
        if is_damage or (not is_open and text.startswith("Invalid argument")):
            file = self._file_named_in(text)
            return StoreCorrupt(f"{text} ({file or self.path})", file)
        return StoreIO(text)

    def _file_named_in(self, text: str) -> str | None:
        # The first that is named: of a bad table RocksDB goes on to suspect the manifest.
        if found := _FILE_IN_TEXT.search(text):
            return str(self.path / Path(found.group()).name)
        # Of a bad log RocksDB says only that it is bad; which one is in its own info log.
        try:
            with (self.path / "LOG").open("rb") as info:
                info.seek(0, os.SEEK_END)
                info.seek(max(0, info.tell() - _INFO_LOG_TAIL_BYTES))
                tail = info.read().decode(errors="replace")
        except OSError:
            return None
        dropped = _DROPPED_LOG.findall(tail)
        return str(self.path / dropped[-1]) if dropped else None


def _take(
    rows: Iterable[Row], start: bytes, stop: bytes, limit: int | None, reverse: bool
) -> tuple[list[Row], bool]:
    """Return the rows of a scan, and whether `rows` ran out before the scan was at its end."""
    found: list[Row] = []
    for row in rows:
        key = row[0]
        if key >= stop:
            if reverse:
                continue  # `stop` itself, with which the scan begins if there is such a key
            return found, False
        if key < start:
            return found, False
        found.append(row)
        if len(found) == limit:
            return found, False
    return found, True


def _options(
    cache: rocksdict.Cache, write_buffer: int, write_buffer_total: int, wal_max: int
) -> rocksdict.Options:
    """Return the options of the store and of each family."""
    options = rocksdict.Options(raw_mode=True)
    options.create_if_missing(True)
    options.create_missing_column_families(True)
    # A torn tail is what a power cut leaves; anything wrong before it is damage. The default of
    # RocksDB, point_in_time, would silently drop all that follows a flipped bit.
    options.set_wal_recovery_mode(rocksdict.DBRecoveryMode.tolerate_corrupted_tail_records())
    options.set_paranoid_checks(True)
    options.set_use_fsync(False)  # fdatasync: the size of the log is synced with it
    options.set_db_write_buffer_size(write_buffer_total)
    options.set_write_buffer_size(write_buffer)
    options.set_max_total_wal_size(wal_max)
    options.set_bytes_per_sync(_BYTES_PER_SYNC)
    options.set_wal_bytes_per_sync(_BYTES_PER_SYNC)
    options.set_max_background_jobs(_BACKGROUND_JOBS)
    options.set_max_open_files(_OPEN_FILES_MAX)
    options.set_keep_log_file_num(_INFO_LOGS_KEPT)
    options.set_max_log_file_size(_INFO_LOG_BYTES_MAX)
    options.set_compression_type(rocksdict.DBCompressionType.lz4())
    options.set_bottommost_compression_type(rocksdict.DBCompressionType.zstd())
    table = rocksdict.BlockBasedOptions()
    table.set_block_cache(cache)
    table.set_block_size(_BLOCK_BYTES)
    table.set_bloom_filter(_BLOOM_BITS_PER_KEY, block_based=False)
    table.set_cache_index_and_filter_blocks(True)
    table.set_pin_l0_filter_and_index_blocks_in_cache(True)
    options.set_block_based_table_factory(table)
    return options
