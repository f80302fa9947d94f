//! What a Parquet file says of itself, read by ourselves before a library allocates or recurses by it.
//!
//! Layout: [parquet.thrift](https://github.com/apache/parquet-format/blob/master/src/main/thrift/parquet.thrift),
//! from which the numbers of the fields are.

use std::collections::HashMap;
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};

use super::classes::class_names;
use super::thrift::{Broken, Thrift};

/// More metadata than this has no data set.
const MAX_METADATA: u64 = 64 << 20;
/// More columns than this, nested ones counted by their parts, has no data set.
const MAX_COLUMNS: usize = 20_000;
/// Deeper than this nothing is read.
const MAX_NESTING: u32 = 16;
/// Bytes that a file may expand to whatever its size.
const ALWAYS: u64 = 256 << 20;
/// Beyond that, times its size.
const TIMES: u64 = 200;
/// Bytes of memory for a row of a column, whatever it holds.
const ROW: u64 = 16;

/// The metadata of a file.
#[derive(Debug, Default)]
pub(super) struct Footer {
    pub columns: Vec<ColumnInfo>,
    pub rows: u64,
    /// By column the names of its classes, as Hugging Face datasets writes them.
    pub class_names: HashMap<String, Vec<String>>,
    /// Leaves of the schema in the order of the chunks: which column each belongs to.
    leaves: Vec<usize>,
    groups: Vec<Vec<Chunk>>,
    length: u64,
}

/// A column of the table, which may be nested.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ColumnInfo {
    pub name: String,
    /// What it holds in words, if that is not read as text.
    pub unread: Option<&'static str>,
    pub is_text: bool,
    /// Whether each value is a plain list, of what is read as text by itself.
    pub is_list: bool,
}

#[derive(Debug, Default, Clone)]
struct Chunk {
    start: i64,
    dictionary: Option<i64>,
    packed: i64,
    expanded: i64,
    values: i64,
}

#[derive(Debug, Default, Clone)]
struct Element {
    name: String,
    physical: Option<i64>,
    repeated: bool,
    children: i64,
    converted: Option<i64>,
    /// The number of the logical type in its union.
    logical: Option<i16>,
}

impl Footer {
    /// Reads and bounds the metadata of a file.
    pub fn read(file: &mut File) -> Result<Self, Broken> {
        let torn = |_| Broken("it is torn");
        let length = file.metadata().map_err(torn)?.len();
        let mut end = [0; 8];
        file.seek(SeekFrom::End(-8)).map_err(torn)?;
        file.read_exact(&mut end).map_err(torn)?;
        let [a, b, c, d, magic @ ..] = end;
        if magic == *b"PARE" {
            return Err(Broken("it is encrypted"));
        }
        if magic != *b"PAR1" {
            return Err(Broken("it is torn"));
        }
        let metadata = u64::from(u32::from_le_bytes([a, b, c, d]));
        if metadata > MAX_METADATA || metadata + 12 > length {
            return Err(Broken("its metadata is said to be longer than the file"));
        }
        file.seek(SeekFrom::End(-8 - metadata as i64)).map_err(torn)?;
        let mut bytes = vec![0; metadata as usize];
        file.read_exact(&mut bytes).map_err(torn)?;
        let mut footer = Self::of(&bytes)?;
        footer.length = length;
        footer.check_chunks()?;
        Ok(footer)
    }

    fn of(bytes: &[u8]) -> Result<Self, Broken> {
        let mut footer = Self::default();
        let mut elements = Vec::new();
        let mut rows = 0;
        Thrift::new(bytes).fields(|thrift, number, _| {
            match number {
                2 => thrift.list(|thrift, _| {
                    elements.push(element(thrift)?);
                    if elements.len() > MAX_COLUMNS {
                        Err(Broken("it has too many columns"))
                    } else {
                        Ok(())
                    }
                })?,
                3 => rows = thrift.whole()?,
                4 => thrift.list(|thrift, _| {
                    footer.groups.push(group(thrift)?);
                    Ok(())
                })?,
                5 => thrift.list(|thrift, _| {
                    let (key, value) = key_value(thrift)?;
                    if key == "huggingface" {
                        footer.class_names = class_names(value);
                    }
                    Ok(())
                })?,
                _ => return Ok(false),
            }
            Ok(true)
        })?;
        footer.rows = u64::try_from(rows).map_err(|_| Broken("it has fewer than 0 rows"))?;
        footer.take_schema(&elements)?;
        Ok(footer)
    }

    /// The columns, which are the children of the first element, in depth-first order.
    fn take_schema(&mut self, elements: &[Element]) -> Result<(), Broken> {
        let root = elements.first().ok_or(Broken("it has no schema"))?;
        // How many children are still to come, of each open element.
        let mut open = vec![root.children];
        // Of the column at hand: lists within lists, and fields.
        let (mut depth, mut fields) = (0, 0);
        for element in elements.get(1..).unwrap_or_default() {
            while open.last() == Some(&0) {
                open.pop();
            }
            let Some(left) = open.last_mut() else {
                return Err(Broken("its schema does not fit together"));
            };
            *left -= 1;
            if open.len() == 1 {
                self.columns.push(describe(element));
                (depth, fields) = (0, 0);
            }
            depth += u32::from(element.repeated);
            fields += u32::from(element.children == 0);
            if let Some(column) = self.columns.last_mut() {
                let of_items = describe(&Element { repeated: false, ..element.clone() }).unread;
                let is_leaf = element.children == 0 && of_items.is_none();
                column.is_list =
                    column.unread == Some("lists") && is_leaf && (depth, fields) == (1, 1);
            }
            match element.children {
                0 => self.leaves.push(self.columns.len() - 1),
                1.. => open.push(element.children),
                _ => return Err(Broken("its schema does not fit together")),
            }
            if open.len() as u32 > MAX_NESTING {
                return Err(Broken("it is nested too deeply"));
            }
        }
        if open.iter().any(|left| *left != 0) {
            return Err(Broken("its schema does not fit together"));
        }
        Ok(())
    }

    fn check_chunks(&self) -> Result<(), Broken> {
        let inside = |offset: i64| u64::try_from(offset).is_ok_and(|at| at < self.length);
        for group in &self.groups {
            if group.len() != self.leaves.len() {
                return Err(Broken("its row groups do not fit the schema"));
            }
            for chunk in group {
                let whole = inside(chunk.start)
                    && chunk.dictionary.is_none_or(inside)
                    && u64::try_from(chunk.packed).is_ok_and(|n| n <= self.length)
                    && chunk.expanded >= 0
                    && chunk.values >= 0;
                if !whole {
                    return Err(Broken("a column is said to lie outside of the file"));
                }
            }
        }
        Ok(())
    }

    /// Bytes that reading may take.
    pub fn budget(&self) -> u64 {
        ALWAYS.max(self.length.saturating_mul(TIMES))
    }

    /// Refuses columns that would expand to far more than their file is worth: by what the metadata
    /// says, and by what the head of each page says.
    pub fn bound(&self, file: &mut File, wanted: &[usize]) -> Result<(), Broken> {
        const TOO_MUCH: Broken = Broken("it would expand to far more than files of its size hold");
        let mut left = self.budget();
        let mut take = |bytes: u64| {
            left = left.checked_sub(bytes).ok_or(TOO_MUCH)?;
            Ok::<_, Broken>(())
        };
        take(self.rows.checked_mul(ROW * wanted.len() as u64).ok_or(TOO_MUCH)?)?;
        for group in &self.groups {
            for (chunk, leaf) in
                group.iter().zip(&self.leaves).filter(|(_, leaf)| wanted.contains(leaf))
            {
                if self.columns.get(*leaf).is_some_and(|column| column.is_list) {
                    take((chunk.values as u64).checked_mul(ROW).ok_or(TOO_MUCH)?)?;
                } else if chunk.values as u64 > self.rows {
                    return Err(Broken("a column has more values than there are rows"));
                }
                take(chunk.expanded as u64)?;
                let start = chunk.dictionary.map_or(chunk.start, |at| at.min(chunk.start));
                self.bound_pages(file, start as u64, chunk, &mut take)?;
            }
        }
        Ok(())
    }

    fn bound_pages(
        &self,
        file: &mut File,
        start: u64,
        chunk: &Chunk,
        take: &mut impl FnMut(u64) -> Result<(), Broken>,
    ) -> Result<(), Broken> {
        let end = (start + chunk.packed as u64).min(self.length);
        let (mut at, mut values) = (start, 0_u64);
        while at < end && values < chunk.values as u64 {
            let page = page(file, at, end)?;
            take(page.expanded)?;
            values += page.values;
            if values > chunk.values as u64 {
                return Err(Broken("its pages hold more values than they should"));
            }
            at += page.head + page.packed;
        }
        Ok(())
    }
}

struct Page {
    head: u64,
    packed: u64,
    expanded: u64,
    values: u64,
}

/// The head of the page at a byte.
fn page(file: &mut File, at: u64, end: u64) -> Result<Page, Broken> {
    let torn = |_| Broken("it is torn");
    // Statistics in a page's head hold values; longer ones are tried again.
    for length in [256_u64, 64 << 10, 8 << 20] {
        file.seek(SeekFrom::Start(at)).map_err(torn)?;
        let mut bytes = Vec::new();
        Read::take(&mut *file, length.min(end - at)).read_to_end(&mut bytes).map_err(torn)?;
        match page_head(&bytes) {
            Err(_) if (bytes.len() as u64) == length => {}
            result => return result,
        }
    }
    Err(Broken("the head of a page is too long"))
}

fn page_head(bytes: &[u8]) -> Result<Page, Broken> {
    let mut thrift = Thrift::new(bytes);
    let (mut packed, mut expanded, mut values) = (0, 0, 0);
    thrift.fields(|thrift, number, _| {
        match number {
            2 => expanded = thrift.whole()?,
            3 => packed = thrift.whole()?,
            // Data pages of both versions; a dictionary's values are no rows.
            5 | 8 => thrift.fields(|thrift, number, _| {
                if number == 1 {
                    values = thrift.whole()?;
                }
                Ok(number == 1)
            })?,
            _ => return Ok(false),
        }
        Ok(true)
    })?;
    let positive = |n: i64| u64::try_from(n).map_err(|_| Broken("a page has a negative size"));
    Ok(Page {
        head: thrift.position() as u64,
        packed: positive(packed)?,
        expanded: positive(expanded)?,
        values: positive(values)?,
    })
}

fn element(thrift: &mut Thrift<'_>) -> Result<Element, Broken> {
    let mut element = Element::default();
    thrift.fields(|thrift, number, _| {
        match number {
            1 => element.physical = Some(thrift.whole()?),
            3 => element.repeated = thrift.whole()? == 2,
            4 => thrift.text()?.clone_into(&mut element.name),
            5 => element.children = thrift.whole()?,
            6 => element.converted = Some(thrift.whole()?),
            10 => thrift.fields(|_, number, _| {
                element.logical = Some(number);
                Ok(false)
            })?,
            _ => return Ok(false),
        }
        Ok(true)
    })?;
    Ok(element)
}

/// The chunks of a row group.
fn group(thrift: &mut Thrift<'_>) -> Result<Vec<Chunk>, Broken> {
    let mut chunks = Vec::new();
    thrift.fields(|thrift, number, _| {
        if number == 1 {
            thrift.list(|thrift, _| {
                let mut chunk = Chunk::default();
                thrift.fields(|thrift, number, _| {
                    match number {
                        1 => return Err(Broken("its columns lie in other files")),
                        3 => meta(thrift, &mut chunk)?,
                        _ => return Ok(false),
                    }
                    Ok(true)
                })?;
                chunks.push(chunk);
                Ok(())
            })?;
        }
        Ok(number == 1)
    })?;
    Ok(chunks)
}

fn meta(thrift: &mut Thrift<'_>, chunk: &mut Chunk) -> Result<(), Broken> {
    thrift.fields(|thrift, number, _| {
        match number {
            5 => chunk.values = thrift.whole()?,
            6 => chunk.expanded = thrift.whole()?,
            7 => chunk.packed = thrift.whole()?,
            9 => chunk.start = thrift.whole()?,
            11 => chunk.dictionary = Some(thrift.whole()?),
            _ => return Ok(false),
        }
        Ok(true)
    })
}

fn key_value<'a>(thrift: &mut Thrift<'a>) -> Result<(&'a str, &'a [u8]), Broken> {
    let (mut key, mut value) = ("", &[][..]);
    thrift.fields(|thrift, number, _| {
        match number {
            1 => key = thrift.text()?,
            2 => value = thrift.bytes()?,
            _ => return Ok(false),
        }
        Ok(true)
    })?;
    Ok((key, value))
}

/// What a column holds: numbers, booleans and texts are read as text, all else is named.
fn describe(element: &Element) -> ColumnInfo {
    // Converted types and logical types by their numbers in parquet.thrift.
    let unread = if element.children > 0 || element.repeated {
        match (element.converted, element.logical) {
            (Some(3), _) | (_, Some(3)) => Some("lists"),
            (Some(1 | 2), _) | (_, Some(2)) => Some("maps"),
            _ => Some("lists or records"),
        }
    } else {
        match (element.physical, element.converted, element.logical) {
            (_, Some(5), _) | (_, _, Some(5)) => Some("decimal numbers"),
            (_, Some(6), _) | (_, _, Some(6)) => Some("dates"),
            (_, Some(7 | 8), _) | (_, _, Some(7)) => Some("times"),
            (_, Some(9 | 10), _) | (_, _, Some(8)) | (Some(3), ..) => Some("points in time"),
            (_, Some(21), _) => Some("time spans"),
            (Some(7), ..) => Some("bytes of fixed length"),
            (Some(6), converted, logical)
                if !matches!(converted, Some(0 | 4 | 19))
                    && !matches!(logical, Some(1 | 4 | 12)) =>
            {
                Some("bytes")
            }
            _ => None,
        }
    };
    let is_text = unread.is_none() && element.physical == Some(6);
    ColumnInfo { name: element.name.clone(), unread, is_text, is_list: false }
}
