//! The part of pickle's machine that state dicts need. References: Python's `pickletools` for the operations,
//! PyTorch's `torch/_weights_only_unpickler.py` for what is safe.

use std::collections::{BTreeMap, HashMap};

use safetensors::Dtype;

use super::code::{Code, Global, Object, global, long, odd, size, text, underflow};

/// A storage that a pickle names: numbers of one kind that lie elsewhere in the file.
#[derive(Debug, Clone, Copy)]
pub struct Storage<'a> {
    /// Their kind.
    pub dtype: Dtype,
    /// Its name.
    pub key: &'a str,
    /// How many they are.
    pub numel: usize,
}

/// A tensor: some numbers of a storage.
#[derive(Debug, Clone)]
pub struct Tensor {
    /// Which storage.
    pub storage: usize,
    /// Numbers before the first.
    pub offset: usize,
    /// The axes.
    pub shape: Vec<usize>,
    /// Numbers from one step along an axis to the next.
    pub strides: Vec<usize>,
}

/// The machine, and what it made.
#[derive(Debug, Default)]
pub struct Machine<'a> {
    stack: Vec<Object<'a>>,
    marks: Vec<usize>,
    memo: HashMap<u32, Object<'a>>,
    /// The items of tuples and lists.
    pub lists: Vec<Vec<Object<'a>>>,
    /// The pairs of dictionaries, in the order in which they came.
    pub dicts: Vec<Vec<(Object<'a>, Object<'a>)>>,
    /// All storages.
    pub storages: Vec<Storage<'a>>,
    places: BTreeMap<(&'a str, Dtype, usize), usize>,
    /// All tensors.
    pub tensors: Vec<Tensor>,
}

/// A tensor has fewer axes.
const MOST_AXES: usize = 16;
/// What is called takes fewer arguments.
const MOST_ARGUMENTS: usize = 8;
/// A program of that many bytes names more tensors than any model has. Each byte makes at most one value.
const LONGEST: usize = 8 << 20;

impl<'a> Machine<'a> {
    /// Runs the pickle at the beginning of `bytes`; gives what it made and its length.
    ///
    /// # Errors
    /// An operation or a name that no state dict needs, or one that cannot be carried out; a fragment.
    pub fn run(&mut self, bytes: &'a [u8]) -> Result<(Object<'a>, usize), String> {
        let mut code = Code { bytes: bytes.get(..LONGEST).unwrap_or(bytes), at: 0 };
        self.stack.clear();
        self.marks.clear();
        self.memo.clear();
        loop {
            let operation = code.byte()?;
            match operation {
                b'.' => return Ok((self.pop()?, code.at)),
                b'c' => {
                    let global = global(code.line()?, code.line()?)?;
                    self.stack.push(Object::Global(global));
                }
                b'R' => self.reduce()?,
                b'Q' => self.persistent()?,
                b'b' => self.build()?,
                _ => {
                    let is_done = self.constant(operation, &mut code)?
                        || self.container(operation)?
                        || self.memory(operation, &mut code)?;
                    if !is_done {
                        return Err(format!(
                            "its pickle has the operation {operation:#04x} at byte {}, which no state dict \
                             needs",
                            code.at - 1
                        ));
                    }
                }
            }
        }
    }

    /// Operations that push a value of their own.
    fn constant(&mut self, operation: u8, code: &mut Code<'a>) -> Result<bool, String> {
        let value = match operation {
            0x80 => {
                let version = code.byte()?;
                return if version <= 5 { Ok(true) } else { Err(odd("a protocol of the future")) };
            }
            b'N' => Object::Nothing,
            0x88 => Object::Flag(true),
            0x89 => Object::Flag(false),
            b'K' => Object::Whole(i64::from(code.byte()?)),
            b'M' => Object::Whole(i64::from(u16::from_le_bytes(code.array()?))),
            b'J' => Object::Whole(i64::from(i32::from_le_bytes(code.array()?))),
            b'G' => Object::Number(f64::from_be_bytes(code.array()?)),
            0x8a => {
                let length = usize::from(code.byte()?);
                long(code.take(length)?)
            }
            b'X' => {
                let length = u32::from_le_bytes(code.array()?) as usize;
                text(code.take(length)?)?
            }
            b'T' => {
                let length = i32::from_le_bytes(code.array()?);
                text(code.take(usize::try_from(length).map_err(|_| odd("a negative length"))?)?)?
            }
            b'U' | 0x8c => {
                let length = usize::from(code.byte()?);
                text(code.take(length)?)?
            }
            _ => return Ok(false),
        };
        self.stack.push(value);
        Ok(true)
    }

    /// Operations that make or fill tuples, lists and dictionaries.
    fn container(&mut self, operation: u8) -> Result<bool, String> {
        match operation {
            b'(' => self.marks.push(self.stack.len()),
            b')' | b']' => self.push_list(Vec::new()),
            b'}' => self.push_dict(Vec::new()),
            b't' => {
                let items = self.since_mark()?;
                self.push_list(items);
            }
            0x85..=0x87 => {
                let count = usize::from(operation - 0x84);
                let first = self.stack.len().checked_sub(count).ok_or_else(underflow)?;
                let items = self.stack.split_off(first);
                self.push_list(items);
            }
            b'a' | b'e' => {
                let items = if operation == b'a' { vec![self.pop()?] } else { self.since_mark()? };
                let Some(Object::List(list)) = self.stack.last() else {
                    return Err(odd("items that are added to no list"));
                };
                self.lists.get_mut(*list).ok_or_else(underflow)?.extend(items);
            }
            b's' | b'u' => {
                let items = if operation == b's' {
                    let first = self.stack.len().checked_sub(2).ok_or_else(underflow)?;
                    self.stack.split_off(first)
                } else {
                    self.since_mark()?
                };
                let Some(Object::Dict(dict)) = self.stack.last() else {
                    return Err(odd("pairs that are added to no dictionary"));
                };
                let pairs =
                    items.chunks_exact(2).filter_map(|pair| Some((*pair.first()?, *pair.get(1)?)));
                self.dicts.get_mut(*dict).ok_or_else(underflow)?.extend(pairs);
            }
            _ => return Ok(false),
        }
        Ok(true)
    }

    /// Operations that keep a value under a number, or fetch it.
    fn memory(&mut self, operation: u8, code: &mut Code<'a>) -> Result<bool, String> {
        let number = match operation {
            b'q' | b'h' => u32::from(code.byte()?),
            b'r' | b'j' => u32::from_le_bytes(code.array()?),
            _ => return Ok(false),
        };
        if matches!(operation, b'q' | b'r') {
            let top = *self.stack.last().ok_or_else(underflow)?;
            self.memo.insert(number, top);
        } else {
            let kept = self.memo.get(&number).ok_or_else(|| odd("a value that was never kept"))?;
            self.stack.push(*kept);
        }
        Ok(true)
    }

    /// Calls one of the known names, so to speak.
    fn reduce(&mut self) -> Result<(), String> {
        let arguments = self.pop()?;
        let Object::Global(name) = self.pop()? else {
            return Err(odd("a call of what has no name"));
        };
        let arguments = self.items(arguments)?;
        if arguments.len() > MOST_ARGUMENTS {
            return Err(format!("its pickle calls {name:?} with too many arguments"));
        }
        let arguments = arguments.to_vec();
        let made = match (name, arguments.as_slice()) {
            (Global::OrderedDict, []) => {
                self.push_dict(Vec::new());
                return Ok(());
            }
            (Global::OrderedDict, [Object::List(pairs)]) => {
                // Taken, not copied: a list that is used over and over would fill any memory.
                let pairs = self.lists.get_mut(*pairs).map(std::mem::take).unwrap_or_default();
                let pair = |pair: &Object<'a>| match self.items(*pair)? {
                    [key, value] => Ok((*key, *value)),
                    _ => Err(odd("an OrderedDict of other things than pairs")),
                };
                let pairs = pairs.iter().map(pair).collect::<Result<Vec<_>, _>>()?;
                self.push_dict(pairs);
                return Ok(());
            }
            (Global::Size, [sizes]) => *sizes,
            (Global::Parameter, [tensor @ Object::Tensor(_), ..]) => *tensor,
            (Global::Tensor, [Object::Storage(storage), offset, shape, strides, ..]) => {
                let stored = self.tensor(*storage, *offset, *shape, *strides)?;
                self.tensors.push(stored);
                Object::Tensor(self.tensors.len() - 1)
            }
            _ => return Err(format!("its pickle calls {name:?} with odd arguments")),
        };
        self.stack.push(made);
        Ok(())
    }

    fn tensor(
        &self,
        storage: usize,
        offset: Object,
        shape: Object<'a>,
        strides: Object<'a>,
    ) -> Result<Tensor, String> {
        let numel = self.storages.get(storage).map_or(0, |storage| storage.numel);
        let sizes = |list| -> Result<Vec<usize>, String> {
            let items = self.items(list)?;
            if items.len() > MOST_AXES {
                return Err(odd("a tensor of too many axes"));
            }
            items.iter().map(|item| size(*item)).collect()
        };
        let (offset, shape, strides) = (size(offset)?, sizes(shape)?, sizes(strides)?);
        if shape.len() != strides.len() {
            return Err(odd("a tensor with another number of strides than of axes"));
        }
        let count = shape.iter().try_fold(1_usize, |all, n| all.checked_mul(*n));
        // The last number that is read, and one more.
        let end = match count {
            Some(0) => Some(offset),
            _ => shape.iter().zip(&strides).try_fold(offset, |end, (size, stride)| {
                end.checked_add(size.checked_sub(1)?.checked_mul(*stride)?)
            }),
        };
        let fits = end.is_some_and(|end| end < numel || (count == Some(0) && end <= numel));
        // What is spread out over its storage more than once could fill any memory.
        if !fits || count.is_none_or(|count| count > numel) {
            return Err(format!(
                "its pickle has a tensor of shape {shape:?} in a storage of {numel} numbers"
            ));
        }
        Ok(Tensor { storage, offset, shape, strides })
    }

    /// A storage that lies elsewhere: `('storage', kind, key, device, numel)`.
    fn persistent(&mut self) -> Result<(), String> {
        let id = self.pop()?;
        let (dtype, key, numel) = match self.items(id)? {
            [
                Object::Text("storage"),
                Object::Global(Global::Storage(dtype)),
                Object::Text(key),
                _,
                numel,
            ]
            | [
                Object::Text("storage"),
                Object::Global(Global::Storage(dtype)),
                Object::Text(key),
                _,
                numel,
                Object::Nothing,
            ] => (*dtype, *key, size(*numel)?),
            _ => return Err(odd("a reference to something other than a storage")),
        };
        let next = self.storages.len();
        let place = *self.places.entry((key, dtype, numel)).or_insert(next);
        if place == next {
            self.storages.push(Storage { dtype, key, numel });
        }
        self.stack.push(Object::Storage(place));
        Ok(())
    }

    /// Attributes of a dictionary: what torch writes there (`_metadata`) says nothing of tensors.
    fn build(&mut self) -> Result<(), String> {
        self.pop()?;
        match self.stack.last() {
            Some(Object::Dict(_)) => Ok(()),
            _ => Err(odd("attributes of something other than a dictionary")),
        }
    }

    /// The items of a tuple or a list.
    ///
    /// # Errors
    /// What is neither.
    pub fn items(&self, of: Object) -> Result<&[Object<'a>], String> {
        let Object::List(list) = of else { return Err(odd("something other than a tuple")) };
        Ok(self.lists.get(list).map(Vec::as_slice).unwrap_or_default())
    }

    fn push_list(&mut self, items: Vec<Object<'a>>) {
        self.lists.push(items);
        self.stack.push(Object::List(self.lists.len() - 1));
    }

    fn push_dict(&mut self, pairs: Vec<(Object<'a>, Object<'a>)>) {
        self.dicts.push(pairs);
        self.stack.push(Object::Dict(self.dicts.len() - 1));
    }

    fn pop(&mut self) -> Result<Object<'a>, String> {
        self.stack.pop().ok_or_else(underflow)
    }

    fn since_mark(&mut self) -> Result<Vec<Object<'a>>, String> {
        let mark = self.marks.pop().filter(|mark| *mark <= self.stack.len());
        Ok(self.stack.split_off(mark.ok_or_else(underflow)?))
    }
}
