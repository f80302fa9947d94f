//! The bytes of a pickle: operands, and the names that it may import.

use safetensors::Dtype;

use crate::spec::printable;

/// What stands on the stack. All of it is small and holds no other value, so that nothing nests.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Object<'a> {
    /// None.
    Nothing,
    /// True or False.
    Flag(bool),
    /// A whole number of up to 64 bits.
    Whole(i64),
    /// A longer one, in little-endian bytes.
    Long(&'a [u8]),
    /// A float.
    Number(f64),
    /// A text.
    Text(&'a str),
    /// A tuple or a list, by its place in [`Machine::lists`].
    List(usize),
    /// A dictionary, by its place in [`Machine::dicts`].
    Dict(usize),
    /// One of the names that are known.
    Global(Global),
    /// A storage, by its place in [`Machine::storages`].
    Storage(usize),
    /// A tensor, by its place in [`Machine::tensors`].
    Tensor(usize),
}

/// The names that a pickle may import. None of them is called: what they would make is made here.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Global {
    /// `collections.OrderedDict`.
    OrderedDict,
    /// `torch.Size`: a tuple.
    Size,
    /// `torch._utils._rebuild_tensor_v2`, or its elder without `_v2`.
    Tensor,
    /// `torch._utils._rebuild_parameter`.
    Parameter,
    /// `torch.FloatStorage` and its kin.
    Storage(Dtype),
}

/// What remains of a pickle's operations.
pub struct Code<'a> {
    /// All of it.
    pub bytes: &'a [u8],
    /// How far it was read.
    pub at: usize,
}

impl<'a> Code<'a> {
    /// The next bytes.
    ///
    /// # Errors
    /// Fewer are left; so with the others.
    pub fn take(&mut self, length: usize) -> Result<&'a [u8], String> {
        let end = self.at.checked_add(length);
        let taken = end.and_then(|end| self.bytes.get(self.at..end));
        let taken = taken.ok_or_else(|| "its pickle is cut short".to_owned())?;
        self.at += length;
        Ok(taken)
    }

    /// The next byte.
    ///
    /// # Errors
    /// As `take`.
    pub fn byte(&mut self) -> Result<u8, String> {
        Ok(u8::from_le_bytes(self.array()?))
    }

    /// The next few bytes.
    ///
    /// # Errors
    /// As `take`.
    pub fn array<const N: usize>(&mut self) -> Result<[u8; N], String> {
        let taken = self.take(N)?;
        taken.try_into().map_err(|_| underflow())
    }

    /// The text up to the end of the line.
    ///
    /// # Errors
    /// As `take`; what is no text.
    pub fn line(&mut self) -> Result<&'a str, String> {
        let rest = self.bytes.get(self.at..).unwrap_or_default();
        let length = memchr::memchr(b'\n', rest).ok_or_else(|| odd("a name without an end"))?;
        let line = self.take(length + 1)?;
        std::str::from_utf8(line.get(..length).unwrap_or_default())
            .map_err(|_| odd("a name that is no text"))
    }
}

/// What is said of a pickle.
pub fn odd(what: &str) -> String {
    format!("its pickle has {what}")
}

/// What is said of an operation whose operands are not there.
pub fn underflow() -> String {
    odd("an operation without its operands")
}

/// A text.
///
/// # Errors
/// What is no UTF-8.
pub fn text(bytes: &[u8]) -> Result<Object<'_>, String> {
    std::str::from_utf8(bytes).map(Object::Text).map_err(|_| odd("a text that is no UTF-8"))
}

/// A whole number of any length.
pub fn long(bytes: &[u8]) -> Object<'_> {
    if bytes.len() > 8 {
        return Object::Long(bytes);
    }
    // Two's complement: the sign is the highest bit of the last byte.
    let is_negative = bytes.last().is_some_and(|last| last & 0x80 != 0);
    let mut whole = [if is_negative { 0xff } else { 0 }; 8];
    whole.iter_mut().zip(bytes).for_each(|(to, from)| *to = *from);
    Object::Whole(i64::from_le_bytes(whole))
}

/// A whole number from 0 on.
///
/// # Errors
/// Anything else.
pub fn size(of: Object) -> Result<usize, String> {
    match of {
        Object::Whole(n) => usize::try_from(n).map_err(|_| odd("a negative size")),
        _ => Err(odd("a size that is no whole number")),
    }
}

/// The meaning of an imported name.
///
/// # Errors
/// One that no state dict needs.
pub fn global(module: &str, name: &str) -> Result<Global, String> {
    Ok(match (module, name) {
        ("collections", "OrderedDict") => Global::OrderedDict,
        ("torch", "Size") => Global::Size,
        ("torch._utils", "_rebuild_tensor_v2" | "_rebuild_tensor") => Global::Tensor,
        ("torch._utils", "_rebuild_parameter") => Global::Parameter,
        ("torch", name) if storage(name).is_some() => {
            Global::Storage(storage(name).unwrap_or(Dtype::F32))
        }
        _ => {
            return Err(format!(
                "its pickle asks for {}.{}, which no state dict needs",
                printable(module, 80),
                printable(name, 80)
            ));
        }
    })
}

fn storage(name: &str) -> Option<Dtype> {
    Some(match name {
        "FloatStorage" => Dtype::F32,
        "DoubleStorage" => Dtype::F64,
        "HalfStorage" => Dtype::F16,
        "BFloat16Storage" => Dtype::BF16,
        "LongStorage" => Dtype::I64,
        "IntStorage" => Dtype::I32,
        "ShortStorage" => Dtype::I16,
        "CharStorage" => Dtype::I8,
        "ByteStorage" => Dtype::U8,
        "BoolStorage" => Dtype::BOOL,
        _ => return None,
    })
}

/// Bytes of a number; torch has no smaller ones.
pub fn bytes_of(dtype: Dtype) -> usize {
    dtype.bitsize() / 8
}
