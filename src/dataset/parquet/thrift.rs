//! As much of Thrift's compact protocol as the metadata of Parquet files needs, with bounds: depth,
//! and no allocation that the bytes themselves do not pay for.

/// What is wrong with some metadata.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Broken(pub &'static str);

const DEPTH: u32 = 24;

/// A position in metadata.
#[derive(Debug, Clone)]
pub(super) struct Thrift<'a> {
    bytes: &'a [u8],
    at: usize,
    depth: u32,
}

/// The type of a field or of the elements of a list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum FieldType {
    Yes,
    No,
    Byte,
    Whole,
    Real,
    Bytes,
    List,
    Map,
    Struct,
}

impl FieldType {
    fn of(code: u8) -> Result<Self, Broken> {
        Ok(match code {
            1 => Self::Yes,
            2 => Self::No,
            3 => Self::Byte,
            4..=6 => Self::Whole,
            7 => Self::Real,
            8 => Self::Bytes,
            9 | 10 => Self::List,
            11 => Self::Map,
            12 => Self::Struct,
            _ => return Err(Broken("a field of an unknown type")),
        })
    }
}

impl<'a> Thrift<'a> {
    pub fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0, depth: 0 }
    }

    /// Bytes read so far.
    pub fn position(&self) -> usize {
        self.at
    }

    fn byte(&mut self) -> Result<u8, Broken> {
        let byte = self.bytes.get(self.at).copied().ok_or(Broken("it ends too early"))?;
        self.at += 1;
        Ok(byte)
    }

    fn varint(&mut self) -> Result<u64, Broken> {
        let mut value = 0_u64;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            value |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Ok(value);
            }
        }
        Err(Broken("a number is too long"))
    }

    /// A whole number.
    pub fn whole(&mut self) -> Result<i64, Broken> {
        let raw = self.varint()?;
        Ok((raw >> 1) as i64 ^ -((raw & 1) as i64))
    }

    /// Bytes or a text.
    pub fn bytes(&mut self) -> Result<&'a [u8], Broken> {
        let length = usize::try_from(self.varint()?).map_err(|_| Broken("a text is too long"))?;
        let end = self.at.checked_add(length).ok_or(Broken("a text is too long"))?;
        let bytes = self.bytes.get(self.at..end).ok_or(Broken("a text is longer than the file"))?;
        self.at = end;
        Ok(bytes)
    }

    pub fn text(&mut self) -> Result<&'a str, Broken> {
        std::str::from_utf8(self.bytes()?).map_err(|_| Broken("a name is not UTF-8"))
    }

    /// Calls `field` with the number and type of each field of a struct; what it does not read (it
    /// returns false) is passed over.
    pub fn fields(
        &mut self,
        mut field: impl FnMut(&mut Self, i16, FieldType) -> Result<bool, Broken>,
    ) -> Result<(), Broken> {
        self.depth += 1;
        if self.depth > DEPTH {
            return Err(Broken("it is nested too deeply"));
        }
        let mut number = 0_i16;
        loop {
            let head = self.byte()?;
            if head == 0 {
                break;
            }
            number = match head >> 4 {
                0 => self.whole()? as i16,
                delta => number.wrapping_add(i16::from(delta)),
            };
            let kind = FieldType::of(head & 15)?;
            if !field(self, number, kind)? {
                self.skip(kind)?;
            }
        }
        self.depth -= 1;
        Ok(())
    }

    /// Calls `element` for each element of a list, which it must read.
    pub fn list(
        &mut self,
        mut element: impl FnMut(&mut Self, FieldType) -> Result<(), Broken>,
    ) -> Result<(), Broken> {
        let head = self.byte()?;
        let length = match head >> 4 {
            15 => self.varint()?,
            length => u64::from(length),
        };
        // Every element takes a byte at least.
        if length > (self.bytes.len() - self.at) as u64 {
            return Err(Broken("a list is longer than the file"));
        }
        let kind = FieldType::of(head & 15)?;
        for _ in 0..length {
            element(self, kind)?;
        }
        Ok(())
    }

    fn skip(&mut self, kind: FieldType) -> Result<(), Broken> {
        match kind {
            FieldType::Yes | FieldType::No => Ok(()),
            FieldType::Byte => self.byte().map(drop),
            FieldType::Whole => self.varint().map(drop),
            FieldType::Real => {
                self.at += 8;
                Ok(())
            }
            FieldType::Bytes => self.bytes().map(drop),
            FieldType::Struct => self.fields(|_, _, _| Ok(false)),
            FieldType::List => self.nested(|thrift| {
                // A boolean is one byte in a list.
                thrift.list(|thrift, kind| match kind {
                    FieldType::Yes | FieldType::No => thrift.byte().map(drop),
                    kind => thrift.skip(kind),
                })
            }),
            FieldType::Map => Err(Broken("it holds a map")),
        }
    }

    fn nested(&mut self, read: impl FnOnce(&mut Self) -> Result<(), Broken>) -> Result<(), Broken> {
        self.depth += 1;
        if self.depth > DEPTH {
            return Err(Broken("it is nested too deeply"));
        }
        read(self)?;
        self.depth -= 1;
        Ok(())
    }
}
