//! The directory of a zip archive as `torch.save` writes it: nothing is compressed, so that every entry is a
//! stretch of the file. Reference: PKWARE's APPNOTE.TXT 6.3.10, sections 4.3.7, 4.3.12 to 4.3.16 and 4.5.3.
//! A crate for archives would set memory aside for as many entries as the file claims to have.

use std::collections::BTreeMap;
use std::ops::Range;

/// Where each entry's bytes lie.
///
/// # Errors
/// What is no archive, or one that torch does not write; a fragment.
pub fn entries(bytes: &[u8]) -> Result<BTreeMap<&str, Range<usize>>, String> {
    let broken = || "its archive is damaged or cut short".to_owned();
    let (mut at, end) = directory(bytes).ok_or_else(broken)?;
    let mut entries = BTreeMap::new();
    while at < end {
        let (name, range, next) = entry(bytes, at).ok_or_else(broken)??;
        entries.insert(name, range);
        at = next;
    }
    Ok(entries)
}

fn number<const N: usize>(bytes: &[u8], at: usize) -> Option<u64> {
    let mut all = [0; 8];
    let from = bytes.get(at..at.checked_add(N)?)?;
    all.get_mut(..N)?.copy_from_slice(from);
    Some(u64::from_le_bytes(all))
}

fn u16_at(bytes: &[u8], at: usize) -> Option<usize> {
    number::<2>(bytes, at).and_then(|n| usize::try_from(n).ok())
}

fn u32_at(bytes: &[u8], at: usize) -> Option<u64> {
    number::<4>(bytes, at)
}

/// Where the directory begins and ends.
fn directory(bytes: &[u8]) -> Option<(usize, usize)> {
    // The end's own record, and a comment of up to 64 KiB behind it.
    let first = bytes.len().saturating_sub(22 + (1 << 16));
    let end = memchr::memmem::rfind(bytes.get(first..)?, b"PK\x05\x06")? + first;
    let (mut size, mut begin) = (u32_at(bytes, end + 12)?, u32_at(bytes, end + 16)?);
    let locator = end.checked_sub(20).filter(|at| u32_at(bytes, *at) == Some(0x0706_4b50));
    if let (Some(locator), true) = (locator, size == 0xffff_ffff || begin == 0xffff_ffff) {
        let record = usize::try_from(number::<8>(bytes, locator + 8)?).ok()?;
        if u32_at(bytes, record)? != 0x0606_4b50 {
            return None;
        }
        size = number::<8>(bytes, record.checked_add(40)?)?;
        begin = number::<8>(bytes, record.checked_add(48)?)?;
    }
    let (begin, size) = (usize::try_from(begin).ok()?, usize::try_from(size).ok()?);
    Some((begin, begin.checked_add(size).filter(|end| *end <= bytes.len())?))
}

type Entry<'a> = (&'a str, Range<usize>, usize);

/// The entry whose record begins at `at`: its name, its bytes, and where the next record begins.
fn entry(bytes: &[u8], at: usize) -> Option<Result<Entry<'_>, String>> {
    if u32_at(bytes, at)? != 0x0201_4b50 {
        return None;
    }
    let (flags, method) = (u16_at(bytes, at + 8)?, u16_at(bytes, at + 10)?);
    let mut sizes = [u32_at(bytes, at + 24)?, u32_at(bytes, at + 20)?, u32_at(bytes, at + 42)?];
    let [name, extra, comment] =
        [u16_at(bytes, at + 28)?, u16_at(bytes, at + 30)?, u16_at(bytes, at + 32)?];
    let name_end = at + 46 + name;
    let name = std::str::from_utf8(bytes.get(at + 46..name_end)?).ok()?;
    if method != 0 || flags & 1 != 0 {
        return Some(
            Err("its archive is compressed or encrypted, as torch writes none".to_owned()),
        );
    }
    // Numbers that do not fit 32 bits stand behind the name, in the order of `sizes`.
    let mut field = name_end;
    while field + 4 <= name_end + extra {
        let (kind, length) = (u16_at(bytes, field)?, u16_at(bytes, field + 2)?);
        if kind == 1 {
            let large = sizes.iter_mut().filter(|size| **size == 0xffff_ffff);
            for (index, size) in large.enumerate() {
                *size = number::<8>(bytes, field + 4 + 8 * index)?;
            }
        }
        field += 4 + length;
    }
    let [size, packed, header] = sizes.map(|size| usize::try_from(size).ok());
    let (size, header) = (size?, header?);
    if packed? != size || u32_at(bytes, header)? != 0x0403_4b50 {
        return None;
    }
    let skipped = u16_at(bytes, header.checked_add(26)?)? + u16_at(bytes, header + 28)?;
    let begin = header.checked_add(30)?.checked_add(skipped)?;
    let end = begin.checked_add(size).filter(|end| *end <= bytes.len())?;
    Some(Ok((name, begin..end, name_end + extra + comment)))
}
