//! Bytes of a file: unpacked where it is compressed, refused where it is no data.

use std::fs::File;
use std::io::{self, Read};

use super::error::DataError;
use crate::spec::stand_in;

/// What a file's first bytes say it is packed with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Packing {
    Gzip,
    Zstd,
    Bzip2,
    Xz,
}

impl Packing {
    pub fn of(head: &[u8]) -> Option<Self> {
        match head {
            [0x1f, 0x8b, ..] => Some(Self::Gzip),
            [0x28, 0xb5, 0x2f, 0xfd, ..] => Some(Self::Zstd),
            [b'B', b'Z', b'h', b'1'..=b'9', ..] => Some(Self::Bzip2),
            [0xfd, b'7', b'z', b'X', b'Z', 0, ..] => Some(Self::Xz),
            _ => None,
        }
    }

    pub fn name(self) -> &'static str {
        match self {
            Self::Gzip => "gzip",
            Self::Zstd => "zstd",
            Self::Bzip2 => "bzip2",
            Self::Xz => "xz",
        }
    }
}

/// A packed file may unpack to so much without being asked why.
const ALWAYS: u64 = 256 << 20;
/// Beyond that, to so many times its size; texts pack 3 to 20 times.
const TIMES: u64 = 200;
/// KiB that the dictionary of an xz file may take; `xz -9` asks for 64 MiB.
const XZ_MEMORY: u32 = 256 << 10;

/// Unpacks a file, whole or not at all.
///
/// # Errors
/// A torn file; one that unpacks to far more than texts do.
pub(super) fn unpack(file: File, packing: Packing, path: &str) -> Result<Vec<u8>, DataError> {
    let size = file.metadata().map_or(0, |meta| meta.len());
    let limit = ALWAYS.max(size.saturating_mul(TIMES));
    let file = io::BufReader::new(file);
    let mut bytes = Vec::new();
    let read = match packing {
        Packing::Gzip => {
            flate2::bufread::MultiGzDecoder::new(file).take(limit + 1).read_to_end(&mut bytes)
        }
        Packing::Zstd => zstd::stream::read::Decoder::with_buffer(file)
            .and_then(|zstd| zstd.take(limit + 1).read_to_end(&mut bytes)),
        Packing::Bzip2 => {
            bzip2::bufread::MultiBzDecoder::new(file).take(limit + 1).read_to_end(&mut bytes)
        }
        Packing::Xz => lzma_rust2::XzReader::new_mem_limit(file, true, XZ_MEMORY)
            .take(limit + 1)
            .read_to_end(&mut bytes),
    };
    let name = packing.name();
    read.map_err(|e| DataError::file(path, format!("cannot be unpacked with {name} ({e})")))?;
    if bytes.len() as u64 > limit {
        let why = format!(
            "unpacks to more than {} MB; unpack it yourself with {name} if that is right",
            limit >> 20
        );
        return Err(DataError::file(path, why));
    }
    Ok(bytes)
}

/// Names the formats that people most often mistake for data files; `head` is a file's first bytes.
pub(super) fn refuse_what_is_no_data(
    path: &str,
    extension: &str,
    head: &[u8],
) -> Result<(), DataError> {
    const PICKLE: &str = "is a pickle, which runs code when it is opened and is never read here; save it as \
                          Parquet or CSV in Python: pandas.read_pickle(FILE).to_parquet(\"data.parquet\")";
    const ARROW: &str = "is an Arrow or Feather file, which is not read; save it as Parquet in Python: \
                         pandas.read_feather(FILE).to_parquet(\"data.parquet\"), or \
                         datasets.load_from_disk(FOLDER).to_parquet(\"data.parquet\")";
    if let Some(why) = stand_in(head) {
        return Err(DataError::file(path, why));
    }
    let why = match head {
        [] => "is empty",
        [0x80, 2..=5, ..] => PICKLE,
        [b'A', b'R', b'R', b'O', b'W', b'1', ..] | [b'F', b'E', b'A', b'1', ..] => ARROW,
        [0xff, 0xff, 0xff, 0xff, ..] if matches!(extension, "arrow" | "feather" | "ipc") => ARROW,
        [b'P', b'K', 3, 4, ..] if matches!(extension, "xlsx" | "xlsm" | "ods") => {
            "is a spreadsheet; save its sheet as CSV UTF-8"
        }
        [b'P', b'K', 3 | 5, 4 | 6, ..] => {
            "is a zip archive or an Excel sheet; unpack it or save it as CSV"
        }
        [0xd0, 0xcf, 0x11, 0xe0, ..] => "is an old Excel sheet; save it as CSV UTF-8",
        [b'7', b'z', 0xbc, 0xaf, ..] => "is a 7z archive; unpack it",
        [b'R', b'a', b'r', b'!', ..] => "is a rar archive; unpack it",
        [0x89, b'H', b'D', b'F', ..] => "is an HDF5 file; save its table as Parquet or CSV",
        [0x93, b'N', b'U', b'M', b'P', b'Y', ..] => {
            "is a numpy array; save its rows as CSV or Parquet"
        }
        [b'S', b'Q', b'L', b'i', b't', b'e', b' ', ..] => {
            "is an SQLite database; save a query as CSV: sqlite3 -csv -header FILE \"select ...\""
        }
        [b'O', b'b', b'j', 1, ..] => "is an Avro file; save it as Parquet or CSV",
        [b'O', b'R', b'C', ..] if extension == "orc" => "is an ORC file; save it as Parquet",
        [b'%', b'P', b'D', b'F', ..] => {
            "is a PDF file; its texts belong into a CSV or JSON Lines file"
        }
        _ if head.get(257..262) == Some(b"ustar") => {
            "is a tar archive; unpack it and name a file or folder in it"
        }
        _ if matches!(extension, "pkl" | "pickle" | "joblib") => PICKLE,
        _ if matches!(extension, "arrow" | "feather" | "ipc") => ARROW,
        _ if extension == "xml" || head.starts_with(b"<?xml") => {
            "is XML; write its rows as CSV or JSON Lines: pandas.read_xml(FILE).to_csv(\"data.csv\")"
        }
        _ if matches!(extension, "yaml" | "yml") => {
            "is YAML; write its rows as JSON Lines: yq -c '.[]' FILE > data.jsonl"
        }
        _ => return Ok(()),
    };
    Err(DataError::file(path, why))
}
